//! The second implementation of what a room's people do with its keys (docs/protocol.md), native, sharing no code with
//! the page: whatever the page and this library both say of a room, they say for reasons of their own.
//!
//! Pure parts, each of which knows no network, no clock and no file:
//!
//! - [`bytes`], [`keys`], [`seal`]: text forms, what follows from a secret, the two ways of closing something
//! - [`link`], [`card`], [`rotation`]: who is let in, who may speak, what begins an epoch
//! - [`envelope`], [`content`], [`window`]: what is said, and what its writer had seen
//! - [`log`], [`outbox`]: what is believed of what the server shows, and what waits to be sent
//! - [`sse`]: events from the bytes of a stream
//!
//! And what asks the server: [`api`], and [`room`], which ties all of it together.

pub mod api;
pub mod bytes;
pub mod card;
pub mod content;
pub mod envelope;
pub mod keys;
pub mod link;
pub mod log;
pub mod outbox;
mod random;
pub mod room;
pub mod rotation;
pub mod seal;
#[cfg(test)]
mod simulation;
pub mod sse;
#[cfg(test)]
mod vectors;
pub mod window;
