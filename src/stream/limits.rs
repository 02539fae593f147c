//! The settings of streams, and how many of them an instance may have.

use std::cell::Cell;
use std::time::Duration;

use buddy_domain::Error;
use buddy_host::{random, variables};

thread_local! {
    static STREAMS: Cell<i64> = const { Cell::new(0) };
}

/// Streams of a minute or less come from a host that counts requests.
const SHORT_S: i64 = 60;

#[derive(Clone, Copy)]
pub(crate) struct Limits {
    streams: i64,
    stream_max_ms: i64,
    pub(crate) heartbeat_ms: i64,
    /// How often databases are asked for news, in rooms with and without recent events.
    pub(crate) active: Duration,
    pub(crate) idle: Duration,
}

impl Limits {
    pub(crate) async fn read() -> Result<Self, Error> {
        let active_ms = variables::number("poll_active_ms").await?.max(1);
        let idle_ms = variables::number("poll_idle_ms").await?.max(active_ms);
        Ok(Self {
            streams: variables::number("streams_per_instance").await?,
            stream_max_ms: variables::number("stream_max_s").await? * 1000,
            heartbeat_ms: variables::number("heartbeat_s").await?.max(1) * 1000,
            active: Duration::from_millis(active_ms.unsigned_abs()),
            idle: Duration::from_millis(idle_ms.unsigned_abs()),
        })
    }

    /// For how long a stream lasts, in seconds, where it costs a request so often that its client should know.
    pub(crate) fn short_s(&self) -> Option<i64> {
        let seconds = self.stream_max_ms / 1000;
        (1..=SHORT_S).contains(&seconds).then_some(seconds)
    }

    /// When a stream that starts now ends itself: plus or minus 10 %, so that not all return at once.
    pub(crate) fn ends_at_ms(&self, now: i64) -> i64 {
        if self.stream_max_ms == 0 {
            return i64::MAX;
        }
        let part = i64::from(u32::from_le_bytes(random()) % 2001);
        now + self.stream_max_ms * (9000 + part) / 10_000
    }
}

/// One of the streams that an instance may have.
pub(crate) struct Place(());

impl Place {
    /// # Errors
    /// `Unavailable` where all are taken.
    pub(crate) fn take(limits: &Limits) -> Result<Self, Error> {
        if STREAMS.get() >= limits.streams {
            return Err(Error::Unavailable("streams_per_instance is reached".into()));
        }
        STREAMS.set(STREAMS.get() + 1);
        Ok(Self(()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        STREAMS.set(STREAMS.get() - 1);
    }
}
