//! The schema, its migrations and all SQL: a module a table. It knows no HTTP and builds no answers.
//!
//! - `database`: connections by label, and running one statement to its end; `queue`: statements of an instance that
//!   would meet, one after the other; `busy`: waiting while a writer elsewhere holds a file; `lease`: one instance at
//!   a time that writes to a server; `schema`: the migrations;
//! - `access`: the conditions that many statements share; `settle`: storing by one statement, and asking why not;
//! - `slot`: which database owns a room; `moving`: how it changes owners;
//! - `room`, `event`, `file`, `signal`, `push`, `address`: what stands in a database;
//! - `rotation`, `statement`, `card`, `link`, `tombstone`: what rooms with keys have besides;
//! - `refusals`: what this instance refused lately; `sweep`: deletes what has expired;
//! - `tally`, `measure`: what operators count.

mod access;
mod address;
mod busy;
pub mod card;
pub mod database;
pub mod event;
pub mod file;
mod lease;
pub mod link;
pub mod measure;
pub mod moving;
pub mod push;
mod queue;
mod refusals;
pub mod room;
pub mod rotation;
mod schema;
mod settle;
pub mod signal;
pub mod slot;
pub mod statement;
pub mod sweep;
pub mod tally;
mod tombstone;
