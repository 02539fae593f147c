//! The schema, its migrations and all SQL: a module a table. It knows no HTTP and builds no answers.
//!
//! - `database`: connections by label, and running one statement to its end; `turn`: waiting while another writer
//!   holds a database; `schema`: the migrations;
//! - `access`: the conditions that many statements share;
//! - `slot`: which database owns a room; `room`, `event`, `signal`, `address`: what stands in it;
//! - `refusals`: what this instance refused lately; `sweep`: deletes what has expired.

mod access;
mod address;
pub mod database;
pub mod event;
mod refusals;
pub mod room;
mod schema;
pub mod signal;
pub mod slot;
pub mod sweep;
mod turn;
