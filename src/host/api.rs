//! What all answers of the API have in common: who asks, JSON bodies in and out, CORS, and how errors become answers.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use buddy_domain::{Access, Address, Author, Error, TokenHash};
use bytes::Bytes;
use futures::future::{Either, select};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use serde_json::json;

use crate::http::{Answer, Body, Caller, Request, Writer, stream};
use crate::{log, now_ms, sleep, variables};

/// How long a request's body may take to arrive, and how long a part of a file, which is larger.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
const BYTES_DEADLINE: Duration = Duration::from_secs(30);

impl Answer {
    fn status(&self) -> u16 {
        match self {
            Self::Whole(response) => response.status().as_u16(),
            Self::Stream(_) => 200,
        }
    }

    /// Says when to try again, in seconds.
    pub fn retry_after(&mut self, seconds: Option<i64>) {
        if let (Self::Whole(response), Some(seconds)) = (self, seconds) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

/// Hands a request to a component and turns its errors into answers; causes go to the log.
pub async fn answer<F>(request: Request, handle: impl FnOnce(Request) -> F) -> Answer
where
    F: Future<Output = Result<Answer, Error>>,
{
    let public = request.caller.path.starts_with("/api");
    let answer = match handle(request).await {
        Ok(answer) => answer,
        Err(error) => refusal(&error),
    };
    match answer {
        Answer::Whole(mut response) if public => {
            cors(response.headers_mut());
            Answer::Whole(response)
        }
        answer => answer,
    }
}

/// As `answer`, for components of the API: `refused` sees each error, and operators get a line in the log where they
/// ask for it.
pub async fn answer_and_note<F>(
    request: Request,
    handle: impl FnOnce(Request) -> F,
    refused: impl FnOnce(&Error),
) -> Answer
where
    F: Future<Output = Result<Answer, Error>>,
{
    let logged = logged(&request.caller).await;
    let began_ms = now_ms();
    let mut code = None;
    let noted = |request| {
        let handled = handle(request);
        async {
            handled.await.inspect_err(|error| {
                code = Some(error.code());
                refused(error);
            })
        }
    };
    let answer = answer(request, noted).await;
    if let Some((method, path)) = logged {
        let (status, took_ms) = (answer.status(), now_ms() - began_ms);
        log(json!({"method": method, "path": path, "status": status, "code": code, "took_ms": took_ms}));
    }
    answer
}

/// What a request's line in the log says of the request, where there is to be one: method and path, of whose
/// segments those that may name a room or a link are cut to 8 characters, and those that nobody knows left out. A
/// variable that cannot be read is the handler's affair.
async fn logged(caller: &Caller) -> Option<(&'static str, String)> {
    const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"];
    if variables::number("log_requests").await.ok()? == 0 {
        return None;
    }
    let method = METHODS.into_iter().find(|known| *known == caller.method.as_str()).unwrap_or("*");
    Some((method, caller.segments().into_iter().map(|segment| format!("/{}", shown(segment))).collect()))
}

/// A segment of a path as it may be logged.
fn shown(segment: &str) -> &str {
    const KNOWN: [&str; 20] = [
        "api",
        "rooms",
        "messages",
        "stream",
        "signals",
        "rotations",
        "keys",
        "members",
        "links",
        "open",
        "files",
        "push",
        "notify",
        "health",
        "internal",
        "router",
        "slots",
        "move",
        "metrics",
        "sweep",
    ];
    let is_hex = segment.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match segment.len() {
        32 | 64 if is_hex => &segment[..8],
        2 if is_hex => segment,
        _ if KNOWN.contains(&segment) => segment,
        _ => "*",
    }
}

impl Caller {
    /// The parts of the path between slashes, without a trailing one, which Spin ignores too.
    pub fn segments(&self) -> Vec<&str> {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        path.strip_suffix('/').unwrap_or(path).split('/').collect()
    }

    /// Who asks. A token or a scheme that makes no sense counts as none.
    pub fn access(&self) -> Access {
        let token = self.header("authorization").and_then(bearer).map(TokenHash::of);
        let author = self.header("buddy-author").filter(|secret| !secret.is_empty()).map(Author::of);
        Access { token, author }
    }

    /// A header's text; `None` where it is missing or no ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The caller's address. A client may send Spin's headers itself; Spin's own come last.
    ///
    /// # Errors
    /// `Unavailable` where the header's name cannot be read: another one's word is not to be taken for it.
    pub async fn address(&self) -> Result<Address, Error> {
        const SPIN: &str = "spin-client-addr";
        let named = variables::text("client_address_header").await?;
        if named.is_empty() {
            self.warn_of_proxy(self.last_of(SPIN));
        }
        Ok(Address::parse(self.last_of(if named.is_empty() { SPIN } else { &named })))
    }

    /// The last entry of a list header, which the nearest hop wrote; empty where there is none.
    fn last_of(&self, name: &str) -> &str {
        let last = self.headers.get_all(name).iter().next_back().and_then(|value| value.to_str().ok());
        last.and_then(|list| list.rsplit(',').next()).map(str::trim).unwrap_or_default()
    }

    /// Behind a proxy that nobody told us of, all clients share one address and its limits. Said once an instance.
    fn warn_of_proxy(&self, peer: &str) {
        thread_local! {
            static WARNED: Cell<bool> = const { Cell::new(false) };
        }
        let forwarded = ["forwarded", "x-forwarded-for"].iter().any(|name| self.headers.contains_key(*name));
        if forwarded && is_loopback(peer) && !WARNED.replace(true) {
            log(
                "warning: requests come through a proxy on this machine, and all of its clients count as one address. \
                 Set the variable client_address_header to the header in which the proxy names them.",
            );
        }
    }
}

fn is_loopback(peer: &str) -> bool {
    use std::net::{IpAddr, SocketAddr};
    let address = peer.parse::<SocketAddr>().map(|peer| peer.ip()).or_else(|_| peer.parse::<IpAddr>());
    address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// RFC 6750, section 2.1; the scheme's case does not count (RFC 9110, section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl Request {
    /// The body of a request that must be JSON. An empty one is allowed without a type where
    /// `optional`. More than six times the largest message and 4 KiB is refused unread.
    ///
    /// # Errors
    /// `TooLarge`, `UnsupportedMediaType`, or `InvalidRequest` for a body that broke off or took over 10 s.
    pub async fn body(self, optional: bool) -> Result<Vec<u8>, Error> {
        let limit = variables::number("max_body_bytes").await? * 6 + 4096;
        self.read_body(optional, usize::try_from(limit).unwrap_or(usize::MAX)).await
    }

    /// The body of a request that has a limit of its own, in bytes.
    ///
    /// # Errors
    /// As `body`.
    pub async fn body_up_to(self, limit: usize) -> Result<Vec<u8>, Error> {
        self.read_body(false, limit).await
    }

    /// Bytes of no known form. More than `limit` is refused unread.
    ///
    /// # Errors
    /// `TooLarge`, `UnsupportedMediaType`, or `InvalidRequest` for an empty body and one that broke off or took over 30 s.
    pub async fn bytes(self, limit: usize) -> Result<Vec<u8>, Error> {
        self.refuse_large(limit)?;
        let kind = self.caller.header("content-type").unwrap_or_default();
        if !kind.eq_ignore_ascii_case("application/octet-stream") {
            return Err(Error::UnsupportedMediaType);
        }
        let bytes = self.arrived(limit, BYTES_DEADLINE).await?;
        if bytes.is_empty() {
            return Err(Error::invalid("The body must not be empty."));
        }
        Ok(bytes)
    }

    async fn read_body(self, optional: bool, limit: usize) -> Result<Vec<u8>, Error> {
        self.refuse_large(limit)?;
        let is_json = self.caller.header("content-type").is_some_and(is_json);
        let typed = self.caller.headers.contains_key("content-type");
        if !is_json && (typed || !optional) {
            return Err(Error::UnsupportedMediaType);
        }
        let bytes = self.arrived(limit, BODY_DEADLINE).await?;
        if !is_json && !bytes.is_empty() {
            return Err(Error::UnsupportedMediaType);
        }
        Ok(bytes)
    }

    fn refuse_large(&self, limit: usize) -> Result<(), Error> {
        let announced = self.caller.header("content-length").and_then(|text| text.parse::<usize>().ok());
        if announced.is_some_and(|length| length > limit) { Err(too_large(limit)) } else { Ok(()) }
    }

    async fn arrived(self, limit: usize, deadline: Duration) -> Result<Vec<u8>, Error> {
        let reading = pin!(read(self.body, limit));
        match select(reading, pin!(sleep(deadline))).await {
            Either::Left((bytes, _)) => bytes?.ok_or_else(|| too_large(limit)),
            Either::Right(_) => {
                Err(Error::invalid(format!("The body took longer than {} s to arrive.", deadline.as_secs())))
            }
        }
    }
}

fn too_large(limit: usize) -> Error {
    Error::TooLarge(format!("a request may have {limit} bytes."))
}

/// All of a body; `None` where it is longer than `limit` bytes.
async fn read(mut body: Body, limit: usize) -> Result<Option<Vec<u8>>, Error> {
    let mut bytes = Vec::new();
    while let Some(data) = body.chunk().await? {
        if bytes.len() + data.len() > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(bytes))
}

fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.all(|part| match part.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

/// A JSON answer.
pub fn json(status: u16, body: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(body).expect("answers are plain data");
    let mut response = whole(status, body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Answer::Whole(response)
}

/// Text of a media type of its own.
pub fn text(media_type: &'static str, body: String) -> Answer {
    let mut response = whole(200, body.into_bytes());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    Answer::Whole(response)
}

/// Bytes of no known form: all of something, or, where `part_of` gives the first byte's place and how many there are in
/// all, a part of it (RFC 9110, section 15.3.7).
pub fn binary(body: Vec<u8>, part_of: Option<(i64, i64)>) -> Answer {
    let last = body.len() as i64 - 1;
    let mut response = whole(if part_of.is_some() { 206 } else { 200 }, body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some((first, of)) = part_of {
        let range = HeaderValue::try_from(format!("bytes {first}-{}/{of}", first + last));
        headers.insert(header::CONTENT_RANGE, range.expect("numbers can stand in a header"));
    }
    Answer::Whole(response)
}

/// 204: done, nothing to say.
pub fn empty() -> Answer {
    let mut response = whole(204, Vec::new());
    response.headers_mut().remove(header::CONTENT_LENGTH);
    Answer::Whole(response)
}

/// The answer to a CORS preflight (WHATWG Fetch, section 3.2), and to any other OPTIONS.
pub fn preflight(allow: &'static str) -> Answer {
    let Answer::Whole(mut response) = empty() else { unreachable!("an empty answer is whole") };
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(allow));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type, buddy-author, buddy-farewell, last-event-id, range"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    Answer::Whole(response)
}

/// Whether the caller holds the operator's token. There is none while the variable is empty.
///
/// # Errors
/// `Unavailable` where the variable cannot be read.
pub async fn operator(caller: &Caller) -> Result<bool, Error> {
    let token = variables::text("admin_token").await?;
    // Hashes are compared, so the time it takes tells nothing about the token.
    Ok(!token.is_empty() && caller.access().token == Some(TokenHash::of(&token)))
}

/// An answer of server-sent events and the end to write them to.
///
/// # Errors
/// `Unavailable` where the host refuses the headers.
pub fn event_stream() -> Result<(Answer, Writer), Error> {
    let own = [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no")];
    let headers: Vec<_> = own.into_iter().chain(CORS).collect();
    stream(&headers)
}

fn refusal(error: &Error) -> Answer {
    if let Error::Unavailable(cause) = error {
        log(format_args!("unavailable: {cause}"));
    }
    let mut answer = json(error.status(), &error.to_json());
    answer.retry_after(error.retry_after_s());
    if let (Answer::Whole(response), Error::MethodNotAllowed(allow)) = (&mut answer, error) {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    if let (Answer::Whole(response), Error::RangeNotSatisfiable { bytes }) = (&mut answer, error) {
        let range = HeaderValue::try_from(format!("bytes */{bytes}"));
        response.headers_mut().insert(header::CONTENT_RANGE, range.expect("numbers can stand in a header"));
    }
    answer
}

fn whole(status: u16, body: Vec<u8>) -> Response<Full<Bytes>> {
    let length = body.len();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).expect("a valid status");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Any origin may call: there are no cookies, only bearer tokens.
fn cors(headers: &mut HeaderMap) {
    for (name, value) in CORS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

const CORS: [(&str, &str); 2] =
    [("access-control-allow-origin", "*"), ("access-control-expose-headers", "retry-after")];
