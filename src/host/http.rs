//! A request in, an answer out: whole, or as a stream of bytes that the instance's tasks write. A whole body
//! leaves in one frame with its length, because Spin leaves Nagle on and a second write would cost the client 40 ms.

use std::pin::pin;
use std::time::Duration;

use buddy_domain::Error;
use bytes::Bytes;
use futures::future::{Either, select};
use http::{HeaderMap, Method, Request as Outgoing, Response, Uri};
use http_body_util::Full;

use crate::guest::http as wire;
use crate::sleep;

pub use wire::Writer;
/// What `serve!` refers to by this crate's name.
#[doc(hidden)]
pub use wire::sdk::*;

/// What a request says beside its body.
pub struct Caller {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
}

impl Caller {
    pub(crate) fn new(method: Method, uri: &Uri, headers: HeaderMap) -> Self {
        let query = uri.query().unwrap_or_default().to_owned();
        Self { method, path: uri.path().to_owned(), query, headers }
    }
}

/// A request whose body has not been read yet.
pub struct Request {
    pub caller: Caller,
    pub body: Body,
}

/// A body as it arrives.
pub struct Body(pub(crate) wire::Body);

impl Body {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// `InvalidRequest` where the body broke off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        wire::chunk(&mut self.0).await.map_err(|_| Error::invalid("The body broke off."))
    }
}

/// An answer.
pub enum Answer {
    Whole(Response<Full<Bytes>>),
    /// One that goes on after its headers, for as long as its `Writer` lives.
    Stream(wire::Stream),
}

/// An answer of status 200 with these headers, and the end to write its body to.
///
/// # Errors
/// `Unavailable` where the host refuses the headers.
pub fn stream(headers: &[(&str, &str)]) -> Result<(Answer, Writer), Error> {
    let (stream, writer) =
        wire::stream(headers).map_err(|error| Error::Unavailable(format!("the host refuses headers: {error}")))?;
    Ok((Answer::Stream(stream), writer))
}

/// Posts a request to another server that the manifest allows, and gives its answer's status. The body of the answer
/// is not read, and a redirection not followed.
///
/// # Errors
/// The cause for the log: it could not be sent, or was not answered within `deadline`.
pub async fn post(request: Outgoing<Vec<u8>>, deadline: Duration) -> Result<u16, String> {
    match select(pin!(wire::post(request)), pin!(sleep(deadline))).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => Err(format!("no answer within {} s", deadline.as_secs())),
    }
}
