//! The component that serves the page.
//!
//! `static/` is compiled in, as `buddy-page` has it, compressed and named by its content (`build.rs`); this crate chooses
//! which of those bytes answer a request (`answer`, `encoding`). It has no grants: it reads no
//! file, no store, one variable, and never learns more than a path. What a room is, or whether it
//! exists, is between the page's script and the API.

mod answer;
mod assets;
mod encoding;

use buddy_host::http::{Answer, Request};
use buddy_host::{api, variables};
use bytes::Bytes;
use http_body_util::Full;

buddy_host::serve!(handle);

async fn handle(request: Request) -> Answer {
    api::answer(request, async |request| {
        let caller = &request.caller;
        let mut response = answer::answer(&caller.method, &caller.path, &caller.headers);
        answer::only_by_tls(response.headers_mut(), variables::number("hsts_max_age_s").await?);
        Ok(Answer::Whole(response.map(|body| Full::new(Bytes::from_static(body)))))
    })
    .await
}
