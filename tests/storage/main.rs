//! Buddy with its data elsewhere: in libSQL and Redis, which fail on their own, and shared by several servers. The
//! promises are those of `docs/protocol.md` all the same.

mod configuration;
mod crowd;
mod outages;
mod several;
mod talk;
