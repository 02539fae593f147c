//! The page as people use it: a server, a link between strangers, and a browser for each of them. The other
//! tests of the page run its modules without a browser; only here does everything meet.
//!
//! A test reads like a story: who opens what, what they press, what they then see. It finds things as people do,
//! by the words on them. Each test has a server and a driver of its own.

mod attacks;
mod beside;
mod conversation;
mod copies;
mod devices;
mod door;
mod driver;
mod everyone;
mod files;
mod finding;
mod firefox;
mod first_minute;
mod gallery;
mod insider;
mod keeping;
mod languages;
mod large_room;
mod library;
mod links;
mod owner;
mod peace;
mod policy;
mod profile;
mod pushing;
mod renewing;
mod scene;
mod shutting_out;
mod states;
mod steering;
mod tabs;
mod talking;
mod trust;
mod versions;
mod voice;
