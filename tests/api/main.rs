//! Black-box tests of the HTTP API, the stream and the router. What they hold the server to is DESIGN.md,
//! sections 2 to 5 and 8, and nothing else.

mod access;
mod concurrency;
mod errors;
mod history;
mod liar;
mod limits;
mod logs;
mod manifest;
mod messages;
mod nginx;
mod readme;
mod repeats;
mod replay;
mod restart;
mod retention;
mod rooms;
mod router;
mod signals;
mod stream;
mod stream_ends;
mod targets;
mod web;
