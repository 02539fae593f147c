//! Requests to one server (docs/protocol.md, "API").

use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;

use crate::sse::{Frame, Parser};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often a request is made again.
const TRIES: u32 = 4;
/// How long a stream may stay silent: several heartbeats of the default 15 s.
const SILENCE: Duration = Duration::from_secs(45);

/// What came instead of an answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// No connection, or one that broke; whether the request arrived is not known.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    #[error("{message} ({code})")]
    Refused {
        status: u16,
        code: String,
        message: String,
        /// Of `link_ended`: `expired` or `used_up`.
        reason: Option<String>,
        /// Of `room_gone`.
        farewell: Option<String>,
        retry_after_s: Option<u64>,
    },
    #[error("the server's answer has not the form of the protocol: {0}")]
    Malformed(String),
    #[error("{0}")]
    Unsupported(&'static str),
}

impl Failure {
    /// The error's code, where the server gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether the same request may well succeed later, and after how many seconds.
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::Unreachable(_) => Some(1),
            Self::Refused { status: 429 | 503, retry_after_s, .. } => Some(retry_after_s.unwrap_or(1)),
            Self::Refused { status: 500 | 502 | 504, .. } => Some(1),
            _ => None,
        }
    }
}

/// Who asks.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    pub token: Option<String>,
    pub author: Option<String>,
}

/// The address of a server, and the connections kept to it.
#[derive(Clone, Debug)]
pub struct Api {
    origin: String,
    client: Client,
    silence: Duration,
}

impl Api {
    /// `origin` is scheme and host, such as `https://chat.example`.
    ///
    /// # Errors
    /// No client can be built on this machine, or it was built without https.
    pub fn new(origin: &str) -> Result<Self, Failure> {
        #[cfg(not(feature = "tls"))]
        if origin.starts_with("https:") {
            return Err(Failure::Unsupported("this program was built without https: build it with `--features tls`"));
        }
        #[cfg(feature = "tls")]
        // Whoever installed a provider before has the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(TIMEOUT)
            .user_agent(concat!("buddy/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Failure::Unreachable(chain(&error)))?;
        Ok(Self { origin: origin.trim_end_matches('/').to_owned(), client, silence: SILENCE })
    }

    /// Takes a stream that is silent for this long for dead.
    pub fn with_silence(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }

    /// Scheme and host.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// As [`Api::ask`], and again a few times where that may help. Every request of the protocol may be repeated.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn ask_patiently(
        &self,
        method: &str,
        path: &str,
        who: &Credentials,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        let mut tries = 0;
        loop {
            let failure = match self.ask(method, path, who, body, headers).await {
                Err(failure) if tries < TRIES && failure.retry_after_s().is_some() => failure,
                answer => return answer,
            };
            let wait = match &failure {
                Failure::Unreachable(_) => Duration::from_millis(100 << tries),
                other => Duration::from_secs(other.retry_after_s().unwrap_or(1).min(10)),
            };
            tries += 1;
            tokio::time::sleep(wait).await;
        }
    }

    /// One request, and its answer's JSON; null where it has none.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        who: &Credentials,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        let work = async {
            let response = self.send(method, path, who, body, headers).await?;
            let status = response.status();
            let bytes = response.bytes().await.map_err(|error| Failure::Unreachable(chain(&error)))?;
            Ok((status, bytes))
        };
        let (status, bytes) = tokio::time::timeout(TIMEOUT, work)
            .await
            .map_err(|_| Failure::Unreachable(format!("no answer within {TIMEOUT:?}")))??;
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|error| Failure::Malformed(format!("{method} {path}: {error}")))
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        who: &Credentials,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Response, Failure> {
        let method = Method::from_bytes(method.as_bytes()).expect("methods are constants");
        let mut request = self.client.request(method, format!("{}{path}", self.origin));
        if let Some(token) = &who.token {
            request = request.bearer_auth(token);
        }
        if let Some(author) = &who.author {
            request = request.header("buddy-author", author);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.map_err(|error| Failure::Unreachable(chain(&error)))?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }

    /// Opens a stream; `after` is its cursor.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn stream(&self, path: &str, who: &Credentials, after: Option<u64>) -> Result<Stream, Failure> {
        let cursor = after.map(|after| after.to_string());
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(cursor.as_deref().map(|cursor| ("last-event-id", cursor)));
        let opening = tokio::time::timeout(TIMEOUT, self.send("GET", path, who, None, &headers));
        let response = opening.await.map_err(|_| Failure::Unreachable("the stream does not open".to_owned()))??;
        Ok(Stream { response, parser: Parser::default(), ready: Vec::new().into_iter(), silence: self.silence })
    }
}

/// An open stream of events.
#[derive(Debug)]
pub struct Stream {
    response: Response,
    parser: Parser,
    ready: std::vec::IntoIter<Frame>,
    silence: Duration,
}

impl Stream {
    /// The next event; none where the stream has ended, broken off or fallen silent. Then it is time to open another.
    /// May be dropped while it waits: nothing is lost.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.ready.next() {
                return Some(frame);
            }
            let chunk = tokio::time::timeout(self.silence, self.response.chunk()).await.ok()?.ok()??;
            self.ready = self.parser.push(&chunk).into_iter();
        }
    }

    /// How long the server asks clients to wait before they come back.
    pub fn retry(&self) -> Duration {
        Duration::from_millis(self.parser.retry_ms().unwrap_or(1_000).min(10_000))
    }
}

async fn refusal(response: Response) -> Failure {
    let status = response.status().as_u16();
    let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let Ok(bytes) = response.bytes().await else { return Failure::Unreachable("the answer broke off".to_owned()) };
    let json: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let error = &json["error"];
    let text = |name: &str| error[name].as_str().map(str::to_owned);
    Failure::Refused {
        status,
        code: text("code").unwrap_or_else(|| format!("http_{status}")),
        message: text("message").unwrap_or_else(|| format!("The server answered {status}.")),
        reason: text("reason"),
        farewell: text("farewell"),
        retry_after_s: header,
    }
}

/// An error with its causes, without the address, which may hold more than a log should.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts = Vec::new();
    let mut next = error.source().or(Some(error));
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts.join(": ")
}
