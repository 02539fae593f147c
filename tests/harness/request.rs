//! Requests to one server.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use crate::{Answer, Stream};

/// How long one request may take. Far more than any needs, so that a hanging server fails its test by name.
const TIMEOUT: Duration = Duration::from_secs(40);

/// The address of a server and the connections kept to it.
#[derive(Clone, Debug)]
pub struct Api {
    address: String,
    client: Client,
    /// Whether answers are held to `docs/openapi.yaml`.
    is_described: bool,
}

impl Api {
    /// `address` is host and port.
    pub fn new(address: &str) -> Self {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a plain client can be built");
        Self { address: address.to_owned(), client, is_described: true }
    }

    /// A server that is not Buddy, and answers as it likes.
    pub fn of_a_liar(address: &str) -> Self {
        Self { is_described: false, ..Self::new(address) }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Opens a stream.
    pub async fn stream(&self, path: &str, headers: &[(&str, &str)]) -> Stream {
        let stream = Stream::open(&self.address, path, headers).await;
        if self.is_described { stream.must_be_described(path) } else { stream }
    }

    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    pub fn post(&self, path: &str) -> Request {
        self.request("POST", path)
    }

    pub fn put(&self, path: &str) -> Request {
        self.request("PUT", path)
    }

    pub fn patch(&self, path: &str) -> Request {
        self.request("PATCH", path)
    }

    pub fn delete(&self, path: &str) -> Request {
        self.request("DELETE", path)
    }

    /// A request with any method.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let named = Method::from_bytes(method.as_bytes()).expect("a test uses valid methods");
        let url = format!("http://{}{path}", self.address);
        let builder = self.client.request(named, url);
        Request { line: (method.to_owned(), path.to_owned()), sent: None, is_described: self.is_described, builder }
    }
}

/// A request under construction.
#[derive(Debug)]
pub struct Request {
    /// Method and path.
    line: (String, String),
    /// What is sent as JSON.
    sent: Option<Value>,
    is_described: bool,
    builder: RequestBuilder,
}

impl Request {
    /// `authorization: Bearer …`
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// The author's secret.
    pub fn author(self, secret: &str) -> Self {
        self.header("buddy-author", secret)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// A JSON body with its content type.
    pub fn json(mut self, body: &Value) -> Self {
        let text = body.to_string();
        self.sent = Some(body.clone());
        self.header("content-type", "application/json").body(text)
    }

    /// Bytes of no known form, with their content type.
    pub fn bytes(self, body: impl Into<reqwest::Body>) -> Self {
        self.header("content-type", "application/octet-stream").body(body)
    }

    /// Any body, without a content type.
    pub fn body(mut self, body: impl Into<reqwest::Body>) -> Self {
        self.builder = self.builder.body(body);
        self
    }

    /// Sends the request and reads the whole answer; a transport failure fails the test.
    pub async fn send(self) -> Answer {
        let (method, path) = self.line.clone();
        self.answer().await.unwrap_or_else(|error| panic!("{method} {path} got no answer: {error:?}"))
    }

    /// Like [`Request::send`], for tests in which connections are meant to break.
    pub async fn answer(self) -> Result<Answer, reqwest::Error> {
        let response = self.builder.send().await?;
        let answer = Answer::read(self.line, response).await?;
        if self.is_described {
            answer.must_be_described(self.sent.as_ref());
        }
        Ok(answer)
    }
}
