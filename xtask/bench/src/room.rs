//! Rooms and posts, as the API has them, and the same of what Buddy is measured beside.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::http::{Address, Connection};

/// About what the page posts for a short message: key, signature and padded text, sealed, in base64url.
const BODY_BYTES: usize = 520;

/// How often a post is tried before the server counts as unavailable.
const RETRIES: u32 = 100;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Service {
    Buddy,
    /// The publish-and-subscribe module of nginx, whose rooms are channels that a first word makes. It
    /// keeps messages in memory and gives them no dense sequence, so this program numbers them itself.
    Nchan,
}

/// Makes a room that is open to all who know its id, and returns that.
pub(crate) fn create(address: &Address) -> Result<String> {
    #[derive(Deserialize)]
    struct Created {
        room: String,
    }
    if address.service == Service::Nchan {
        return Ok(Uuid::new_v4().simple().to_string());
    }
    let answer = Connection::open(address)?.post("/api/rooms", "", "{}")?;
    if answer.status != 201 {
        bail!("making a room was answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    }
    let created: Created = serde_json::from_slice(&answer.body).context("the answer to making a room")?;
    Ok(created.room)
}

pub(crate) fn stream_path(service: Service, room: &str) -> String {
    match service {
        Service::Buddy => format!("/api/rooms/{room}/stream"),
        Service::Nchan => format!("/subscribe/{room}"),
    }
}

/// Someone who posts, over one kept-alive connection.
pub(crate) struct Writer {
    connection: Connection,
    service: Service,
    author: String,
    body: String,
    /// How often the server asked to post the same again, being busy.
    pub(crate) retries: u64,
}

impl Writer {
    pub(crate) fn connect(address: &Address) -> Result<Self> {
        Ok(Self {
            connection: Connection::open(address)?,
            service: address.service,
            author: Uuid::new_v4().simple().to_string(),
            body: "x".repeat(BODY_BYTES),
            retries: 0,
        })
    }

    /// Posts a message and returns its sequence once the server says that it is stored. `next` is the
    /// sequence that it has where the service gives none.
    pub(crate) fn post(&mut self, room: &str, next: u64) -> Result<u64> {
        match self.service {
            Service::Buddy => self.post_to_buddy(room),
            Service::Nchan => self.post_to_nchan(room, next),
        }
    }

    fn post_to_buddy(&mut self, room: &str) -> Result<u64> {
        #[derive(Deserialize)]
        struct Posted {
            seq: u64,
        }
        let message = format!(r#"{{"client_id":"{}","body":"{}"}}"#, Uuid::new_v4(), self.body);
        let path = format!("/api/rooms/{room}/messages");
        let author = format!("buddy-author: {}\r\n", self.author);
        for _ in 0..RETRIES {
            let answer = self.connection.post(&path, &author, &message)?;
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

    /// What is published has the shape and size of what Buddy's readers get.
    fn post_to_nchan(&mut self, room: &str, next: u64) -> Result<u64> {
        let event = format!(
            r#"{{"seq":{next},"kind":"message","client_id":"{}","author":"{}","target":null,"body":"{}","sent_at_ms":1700000000000}}"#,
            Uuid::new_v4(),
            self.author,
            self.body
        );
        let answer = self.connection.post(&format!("/publish/{room}"), "", &event)?;
        match answer.status {
            // 202: nobody listens yet.
            201 | 202 => Ok(next),
            status => bail!("a message was answered {status}: {}", String::from_utf8_lossy(&answer.body)),
        }
    }
}
