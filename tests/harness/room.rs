//! One room as seen by a client that knows its id.

use serde_json::{Value, json};

use crate::{Answer, Api, Request, Stream, client_id};

/// A room's id, where to reach it, and its owner's token where the server made one.
#[derive(Clone, Debug)]
pub struct Room {
    api: Api,
    pub id: String,
    pub owner_token: Option<String>,
}

impl Room {
    /// Makes a room with the given body; the server must accept it.
    pub async fn create(api: &Api, body: Value) -> Self {
        let made = api.post("/api/rooms").json(&body).send().await.must_be(201).json();
        let id = made["room"].as_str().expect("a new room has an id").to_owned();
        let owner_token = made["owner_token"].as_str().map(str::to_owned);
        Self { api: api.clone(), id, owner_token }
    }

    /// A room that the test knows all about.
    pub fn known(api: &Api, id: &str, owner_token: &str) -> Self {
        Self { api: api.clone(), id: id.to_owned(), owner_token: Some(owner_token.to_owned()) }
    }

    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The same room through another address, for instance after a restart.
    pub fn at(&self, api: &Api) -> Self {
        Self { api: api.clone(), ..self.clone() }
    }

    /// A room with another id at the same address, which may well not exist.
    pub fn with_id(&self, id: impl Into<String>) -> Self {
        Self { id: id.into(), ..self.clone() }
    }

    /// The room's own path.
    pub fn path(&self) -> String {
        format!("/api/rooms/{}", self.id)
    }

    /// The token that the server made for the owner.
    pub fn owner(&self) -> &str {
        self.owner_token.as_deref().expect("this room was made without an owner's hash")
    }

    pub fn get(&self) -> Request {
        self.api.get(&self.path())
    }

    /// A change by the owner whose token the server made, where it made one.
    pub fn patch(&self, body: Value) -> Request {
        self.as_owner(self.api.patch(&self.path()).json(&body))
    }

    /// A deletion by the owner whose token the server made, where it made one.
    pub fn delete(&self) -> Request {
        self.as_owner(self.api.delete(&self.path()))
    }

    /// A post of exactly this body.
    pub fn post(&self, body: &Value) -> Request {
        self.api.post(&format!("{}/messages", self.path())).json(body)
    }

    pub fn signal(&self, body: &Value) -> Request {
        self.api.post(&format!("{}/signals", self.path())).json(body)
    }

    /// A request for a page of history; `query` is empty or begins with `?`.
    pub fn history(&self, query: &str) -> Request {
        self.api.get(&format!("{}/messages{query}", self.path()))
    }

    /// A page of an open room's history; `query` is empty or begins with `?`.
    pub async fn page(&self, query: &str) -> Value {
        self.history(query).send().await.must_be(200).json()
    }

    /// Opens the stream without a cursor.
    pub async fn stream(&self) -> Stream {
        self.stream_with("", &[]).await
    }

    /// Opens the stream after the given sequence.
    pub async fn stream_after(&self, seq: u64) -> Stream {
        self.stream_with(&format!("?after={seq}"), &[]).await
    }

    /// Opens the stream with any query (empty, or beginning with `?`) and any headers.
    pub async fn stream_with(&self, query: &str, headers: &[(&str, &str)]) -> Stream {
        self.api.stream(&format!("{}/stream{query}", self.path()), headers).await
    }

    /// Asks for a stream that the server must refuse, and returns the refusal.
    pub async fn refused_stream(&self, query: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.api.get(&format!("{}/stream{query}", self.path()));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().await
    }

    /// Posts an anonymous message to an open room and returns its sequence.
    pub async fn say(&self, body: &str) -> u64 {
        self.accepted(self.post(&message(body))).await
    }

    /// Posts anonymous messages "message N" to an open room, one after the other.
    pub async fn say_many(&self, numbers: std::ops::RangeInclusive<u64>) {
        for number in numbers {
            self.say(&format!("message {number}")).await;
        }
    }

    /// Posts a message under an author's secret and returns its sequence.
    pub async fn say_as(&self, author: &str, body: &str) -> u64 {
        self.accepted(self.post(&message(body)).author(author)).await
    }

    /// Posts an edit, deletion or reaction under an author's secret and returns its sequence.
    pub async fn act_as(&self, author: &str, kind: &str, target: u64, body: &str) -> u64 {
        self.accepted(self.post(&act(kind, target, body)).author(author)).await
    }

    /// The whole history after a sequence, in as many pages as it takes.
    pub async fn events_after(&self, mut seq: u64) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let page = self.page(&format!("?after={seq}&limit=200")).await;
            let messages = crate::messages(&page);
            let Some(last) = messages.last() else { return events };
            seq = last["seq"].as_u64().expect("an event has a seq");
            events.extend(messages.iter().cloned());
        }
    }

    /// What `GET` says of an open room.
    pub async fn state(&self) -> Value {
        self.get().send().await.must_be(200).json()
    }

    async fn accepted(&self, request: Request) -> u64 {
        request.send().await.must_be(201).json()["seq"].as_u64().expect("a stored post has a seq")
    }

    fn as_owner(&self, request: Request) -> Request {
        match &self.owner_token {
            Some(token) => request.token(token),
            None => request,
        }
    }
}

/// A message with a fresh `client_id`.
pub fn message(body: &str) -> Value {
    json!({ "client_id": client_id(), "body": body })
}

/// An event about another one, with a fresh `client_id`.
pub fn act(kind: &str, target: u64, body: &str) -> Value {
    json!({ "client_id": client_id(), "kind": kind, "target": target, "body": body })
}
