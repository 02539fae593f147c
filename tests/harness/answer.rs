//! A whole HTTP answer and what tests ask of it.

use std::fmt;

use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::contract::{self, Exchange};

/// Status, headers and body of one answer.
#[derive(Debug)]
pub struct Answer {
    method: String,
    path: String,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn read(
        (method, path): (String, String),
        response: reqwest::Response,
    ) -> Result<Self, reqwest::Error> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await?.to_vec();
        Ok(Self { method, path, status, headers, body })
    }

    /// Fails unless `docs/openapi.yaml` describes this answer, and `sent` where the server took it.
    pub(crate) fn must_be_described(&self, sent: Option<&Value>) {
        let Self { method, path, status, headers, body } = self;
        if let Err(wrong) = contract::check(&Exchange { method, path, sent, status: *status, headers, body }) {
            panic!("not as docs/openapi.yaml says: {wrong}\n{self}");
        }
    }

    /// The method that was asked with.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path that was asked for, with its query.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_else(|error| panic!("{self}\nis not UTF-8: {error}"))
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{self}\nis not JSON: {error}"))
    }

    /// A header's text, or none where it is missing.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Fails unless the status is as given.
    #[track_caller]
    pub fn must_be(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// Fails unless this is an error in the one form that all errors have: status, stable code, a text for
    /// people, JSON, readable from any origin, and `retry-after` where coming back helps.
    #[track_caller]
    pub fn must_fail(self, status: u16, code: &str) -> Self {
        assert_eq!(self.status, status, "expected {status} {code}: {self}");
        let json = self.json();
        assert_eq!(json["error"]["code"], code, "{self}");
        let text = json["error"]["message"].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "an error says what was wrong: {self}");
        let members = |value: &Value| value.as_object().map_or(0, serde_json::Map::len);
        assert_eq!((members(&json), members(&json["error"])), (1, 2), "an error has a code and a message only: {self}");
        self.must_have_type("application/json");
        assert_eq!(self.header("access-control-allow-origin"), Some("*"), "{self}");
        if matches!(status, 429 | 503) {
            let wait = self.retry_after();
            assert!(wait >= 1, "retry-after is at least one second: {self}");
        }
        if status == 405 {
            assert!(self.header("allow").is_some(), "405 says what is allowed: {self}");
        }
        self
    }

    /// Fails unless the media type is as given, parameters aside.
    #[track_caller]
    pub fn must_have_type(&self, media_type: &str) {
        let found = self.header("content-type").unwrap_or_default();
        assert_eq!(found.split(';').next().unwrap_or_default().trim(), media_type, "{self}");
    }

    /// Seconds of the `retry-after` header.
    #[track_caller]
    pub fn retry_after(&self) -> u64 {
        let text = self.header("retry-after").unwrap_or_else(|| panic!("no retry-after: {self}"));
        text.parse().unwrap_or_else(|_| panic!("retry-after is whole seconds: {self}"))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 2000;
        let body = String::from_utf8_lossy(&self.body);
        let shown: String = body.chars().take(SHOWN).collect();
        let Self { method, path, status, headers, .. } = self;
        write!(f, "{method} {path} was answered {status} with {headers:?}\n{shown}")
    }
}
