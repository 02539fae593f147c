//! Black-box tests of the HTTP API, the stream and the router. What they hold the server to is DESIGN.md,
//! sections 2 to 5 and 8, and nothing else.

mod access;
mod errors;
mod messages;
mod rooms;
