//! The host as Buddy needs it, and the only crate that calls `spin-sdk`: requests and answers, SQLite, key-value,
//! variables, clock, randomness, tasks and the log. Nothing outside may know which WASI it runs on.
//!
//! - `http`: a request in, an answer out, whole or as a stream; `api`: what all answers of the API have in common;
//! - `sqlite`, `key_value`, `variables`: what Spin keeps for an application;
//! - `p3` and `p2`: the backends over WASI 0.3 and 0.2, chosen by Cargo features of those names;
//! - `native`: databases, variables and a clock of a test's own. Components never run on it.

pub mod api;
pub mod http;
pub mod key_value;
#[cfg(not(target_family = "wasm"))]
pub mod native;
#[cfg(feature = "p2")]
mod p2;
#[cfg(not(feature = "p2"))]
#[cfg_attr(not(target_family = "wasm"), allow(dead_code))]
mod p3;
pub mod sqlite;
pub mod variables;

#[cfg(target_family = "wasm")]
use guest as backend;
#[cfg(not(target_family = "wasm"))]
use native as backend;

/// With both features it is WASI 0.2.
#[cfg(feature = "p2")]
use p2 as guest;
#[cfg(not(feature = "p2"))]
use p3 as guest;

use std::fmt::Display;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What `serve!` expands to refers to the SDK by this crate's name.
#[doc(hidden)]
pub use guest::sdk::*;

/// Makes an `async fn(Request) -> Result<Answer, Error>` the entry point of a component of the API. Its errors are
/// shown to the second function, if there is one.
#[macro_export]
macro_rules! serve_api {
    ($handle:path) => {
        $crate::serve_api!($handle, |_| {});
    };
    ($handle:path, $refused:expr) => {
        $crate::serve!(answer);

        async fn answer(request: $crate::http::Request) -> $crate::http::Answer {
            $crate::api::answer_and_note(request, $handle, $refused).await
        }
    };
}

/// Unix time in milliseconds.
pub fn now_ms() -> i64 {
    #[cfg(target_family = "wasm")]
    return system_ms();
    #[cfg(not(target_family = "wasm"))]
    native::now_ms()
}

fn system_ms() -> i64 {
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
    backend::sleep(duration).await;
}

/// Runs a task beside the request, in the same instance.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    backend::spawn(task);
}

/// Writes a line to the component's log. It holds no token, no body, no address and no whole room id.
pub fn log(line: impl Display) {
    eprintln!("{line}");
}
