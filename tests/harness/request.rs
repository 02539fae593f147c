//! Requests to one server.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use crate::Answer;

/// How long one request may take. Far more than any needs, so that a hanging server fails its test by name.
const TIMEOUT: Duration = Duration::from_secs(40);

/// The address of a server and the connections kept to it.
#[derive(Clone, Debug)]
pub struct Api {
    address: String,
    client: Client,
}

impl Api {
    /// `address` is host and port.
    pub fn new(address: &str) -> Self {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a plain client can be built");
        Self { address: address.to_owned(), client }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    pub fn post(&self, path: &str) -> Request {
        self.request("POST", path)
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
        Request { line: (method.to_owned(), path.to_owned()), sent: None, builder }
    }
}

/// A request under construction.
#[derive(Debug)]
pub struct Request {
    /// Method and path.
    line: (String, String),
    /// What is sent as JSON.
    sent: Option<Value>,
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
        Answer::read(self.line, self.sent, response).await
    }
}
