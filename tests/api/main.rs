//! Black-box tests of the HTTP API, the stream and the router. What they hold the server to is `docs/protocol.md`
//! and nothing else.

mod access;
mod backup;
mod concurrency;
mod contract;
mod deployment;
mod epochs;
mod errors;
mod founding;
mod history;
mod keys;
mod liar;
mod limits;
mod link_openings;
mod logs;
mod manifest;
mod messages;
mod nginx;
mod operating;
mod readme;
mod renewed_streams;
mod repeats;
mod replay;
mod restart;
mod retention;
mod rooms;
mod rotations;
mod router;
mod signals;
mod statements;
mod stream;
mod stream_ends;
mod targets;
mod verify;
mod web;
