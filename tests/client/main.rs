//! The native client against a server: the program `buddy` as a child process, the library, and the library before a
//! server that lies.

mod buddy;
mod library;
mod program;
mod readme;
