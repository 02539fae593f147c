//! The component that serves the page.
//!
//! `static/` is compiled in, compressed and named by its content (`build.rs`); this crate chooses
//! which of those bytes answer a request (`answer`, `encoding`). It has no grants: it reads no
//! file, no variable, no store, and never learns more than a path. What a room is, or whether it
//! exists, is between the page's script and the API.

mod answer;
mod assets;
#[cfg(test)]
mod condense;
mod encoding;

use buddy_host::http::{Answer, Request};
use bytes::Bytes;
use http_body_util::Full;

buddy_host::serve!(handle);

async fn handle(request: Request) -> Answer {
    let caller = &request.caller;
    let response = answer::answer(&caller.method, &caller.path, &caller.headers);
    Answer::Whole(response.map(|body| Full::new(Bytes::from_static(body))))
}
