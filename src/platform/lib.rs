//! The host as Buddy needs it: the only crate that calls `spin-sdk`, and the home of all SQL.
//! Components know requests, answers and tables, and not which WASI they run on.

pub mod database;
pub mod event;
mod reply;
pub mod room;
pub mod settings;
pub mod signal;
pub mod slot;
mod stream;
pub mod sweep;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use reply::{Answer, Caller, Request, answer, empty, json, operator, preflight};
pub use stream::{Writer, event_stream};

/// What `serve!` expands to refers to the SDK by this crate's name.
#[doc(hidden)]
pub use spin_sdk::{http, http_service, wasip3};

/// Makes an `async fn(Request) -> Result<Answer, Error>` the component's entry point.
#[macro_export]
macro_rules! serve {
    ($handle:path) => {
        extern crate buddy_platform as spin_sdk;

        #[spin_sdk::http_service]
        async fn entry(request: spin_sdk::http::Request) -> $crate::Answer {
            $crate::answer(request, $handle).await
        }
    };
}

/// Unix time in milliseconds.
pub fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// Random bytes from the host's secure generator.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the host has a random generator");
    bytes
}

/// Waits without holding the instance's other tasks up.
pub async fn sleep(duration: Duration) {
    spin_sdk::time::sleep(duration).await;
}

/// Runs a task beside the request, in the same instance.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    spin_sdk::wasip3::spawn(task);
}
