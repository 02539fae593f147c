//! Rooms and posts, as the API has them.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use uuid::Uuid;

use crate::http::{Address, Connection};

/// About what the page posts for a short message: key, signature and padded text, sealed, in base64url.
const BODY_BYTES: usize = 520;

/// How often a post is tried before the server counts as unavailable.
const RETRIES: u32 = 100;

/// Makes a room that is open to all who know its id, and returns that.
pub(crate) fn create(address: &Address) -> Result<String> {
    #[derive(Deserialize)]
    struct Created {
        room: String,
    }
    let answer = Connection::open(address)?.post("/api/rooms", "", "{}")?;
    if answer.status != 201 {
        bail!("making a room was answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    }
    let created: Created = serde_json::from_slice(&answer.body).context("the answer to making a room")?;
    Ok(created.room)
}

pub(crate) fn stream_path(room: &str) -> String {
    format!("/api/rooms/{room}/stream")
}

/// Someone who posts, over one kept-alive connection.
pub(crate) struct Writer {
    connection: Connection,
    author: String,
    body: String,
    /// How often the server asked to post the same again, being busy.
    pub(crate) retries: u64,
}

impl Writer {
    pub(crate) fn connect(address: &Address) -> Result<Self> {
        let author = format!("buddy-author: {}\r\n", Uuid::new_v4().simple());
        Ok(Self { connection: Connection::open(address)?, author, body: "x".repeat(BODY_BYTES), retries: 0 })
    }

    /// Posts a message and returns its sequence once the server says that it is stored.
    pub(crate) fn post(&mut self, room: &str) -> Result<u64> {
        #[derive(Deserialize)]
        struct Posted {
            seq: u64,
        }
        let message = format!(r#"{{"client_id":"{}","body":"{}"}}"#, Uuid::new_v4(), self.body);
        let path = format!("/api/rooms/{room}/messages");
        for _ in 0..RETRIES {
            let answer = self.connection.post(&path, &self.author, &message)?;
            match answer.status {
                // 200: the post that was answered 503 had been stored after all.
                200 | 201 => {
                    let posted: Posted = serde_json::from_slice(&answer.body).context("the answer to a post")?;
                    return Ok(posted.seq);
                }
                503 => self.retries += 1,
                status => bail!("a post was answered {status}: {}", String::from_utf8_lossy(&answer.body)),
            }
        }
        bail!("a post was answered 503 {RETRIES} times")
    }
}
