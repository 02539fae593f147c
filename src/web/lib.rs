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

use bytes::Bytes;
use http_body_util::Full;
use spin_sdk::http::{Request, Response};

#[spin_sdk::http_service]
async fn handle(request: Request) -> Response<Full<Bytes>> {
    answer::answer(request.method(), request.uri().path(), request.headers())
        .map(|body| Full::new(Bytes::from_static(body)))
}
