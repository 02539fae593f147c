//! Those who do not play by the rules: a member who writes without the page whatever comes to their mind, and a
//! server that does with its rows as it likes.

use buddy_tests::envelope::{Identity, Letter, Secret, additional_data, derive, from_base64url, seal};
use buddy_tests::{Answer, Api, Database, Server, client_id, now_ms};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A member who holds the link and writes their own program.
pub(crate) struct Insider {
    api: Api,
    room: String,
    content_key: Secret,
    read_token: String,
    post_token: String,
    /// Whom the server takes them for, and who signs.
    pub(crate) me: Identity,
    name: String,
}

/// An event that is not sealed yet.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) kind: &'static str,
    pub(crate) target: Option<u64>,
    pub(crate) client_id: String,
    pub(crate) author: String,
    pub(crate) content: Value,
}

/// What an event was made of once the server has it.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) seq: u64,
    pub(crate) client_id: String,
    pub(crate) body: String,
}

impl Insider {
    /// `link` is a member's.
    pub(crate) fn with(server: &Server, link: &str, name: &str) -> Self {
        let (address, member) = link.split_once("#m.").expect("the link is a member's");
        let (_, room) = address.split_once("/r/").expect("the link is a room's");
        let member = from_base64url(member);
        let reader = derive(&member, "buddy/v1/reader");
        let token = |parent: &[u8], label| buddy_tests::envelope::base64url(&derive(parent, label));
        Self {
            api: server.api(),
            room: room.to_owned(),
            content_key: derive(&reader, "buddy/v1/content"),
            read_token: token(&reader, "buddy/v1/read-token"),
            post_token: token(&member, "buddy/v1/post-token"),
            me: person(name),
            name: name.to_owned(),
        }
    }

    /// A message as an honest page would write it.
    pub(crate) fn message(&self, text: &str) -> Draft {
        self.draft("message", None, json!({ "text": text }))
    }

    /// A change of another event as an honest page would write it.
    pub(crate) fn change(&self, kind: &'static str, of: &Posted, content: Value) -> Draft {
        let mut content = content;
        content["target_id"] = json!(of.client_id);
        self.draft(kind, Some(of.seq), content)
    }

    pub(crate) fn draft(&self, kind: &'static str, target: Option<u64>, content: Value) -> Draft {
        let mut whole = json!({ "name": self.name, "at_ms": now_ms() });
        for (field, value) in content.as_object().expect("a content is an object") {
            whole[field] = value.clone();
        }
        Draft { kind, target, client_id: client_id(), author: self.me.author.clone(), content: whole }
    }

    /// Seals a draft as one of this member.
    pub(crate) fn sealed(&self, draft: &Draft) -> String {
        self.sealed_by(&self.me, draft)
    }

    /// Seals a draft that somebody else signs.
    pub(crate) fn sealed_by(&self, signer: &Identity, draft: &Draft) -> String {
        let bound = self.bound(draft);
        self.wrap(draft, &Letter::signed(&signer.key, &bound, draft.content.to_string().as_bytes()))
    }

    /// What binds a draft to its place.
    pub(crate) fn bound(&self, draft: &Draft) -> String {
        additional_data(&self.room, draft.kind, &draft.client_id, &draft.author, draft.target)
    }

    /// Puts any letter into the envelope of a draft.
    pub(crate) fn wrap(&self, draft: &Draft, letter: &Letter) -> String {
        self.wrap_bytes(draft, &letter.plain_text())
    }

    /// Puts any bytes into the envelope of a draft.
    pub(crate) fn wrap_bytes(&self, draft: &Draft, plain_text: &[u8]) -> String {
        seal(&self.content_key, nonce(), &self.bound(draft), plain_text)
    }

    /// Opens what somebody posted, as any member can.
    pub(crate) fn letter_of(&self, event: &Value) -> Letter {
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        let bound =
            additional_data(&self.room, &text("kind"), &text("client_id"), &text("author"), event["target"].as_u64());
        Letter::read(&buddy_tests::envelope::open(&self.content_key, &bound, &text("body")).1)
    }

    /// Posts an honest message.
    pub(crate) async fn say(&self, text: &str) -> Posted {
        let draft = self.message(text);
        self.post(&draft, &self.sealed(&draft)).await
    }

    /// Posts a draft with any body; the server must take it.
    pub(crate) async fn post(&self, draft: &Draft, body: &str) -> Posted {
        let answer = self.try_post(draft, body).await.must_be(201).json();
        let seq = answer["seq"].as_u64().expect("a stored post has a seq");
        Posted { seq, client_id: draft.client_id.clone(), body: body.to_owned() }
    }

    pub(crate) async fn try_post(&self, draft: &Draft, body: &str) -> Answer {
        let mut json = json!({ "client_id": draft.client_id, "kind": draft.kind, "body": body });
        if let Some(target) = draft.target {
            json["target"] = json!(target);
        }
        let path = format!("/api/rooms/{}/messages", self.room);
        self.api.post(&path).token(&self.post_token).author(&self.me.author_secret).json(&json).send().await
    }

    /// What the room is called, as if this member were its owner.
    pub(crate) fn about(&self, name: &str) -> String {
        let content = json!({ "name": name, "at_ms": now_ms() }).to_string();
        let letter = Letter::signed(&self.me.key, "v1|about", content.as_bytes());
        seal(&self.content_key, nonce(), "v1|about", &letter.plain_text())
    }

    /// Tells that this member is here or types.
    pub(crate) async fn signal(&self, kind: &str) {
        let bound = additional_data(&self.room, &format!("signal/{kind}"), "", &self.me.author, None);
        let content = json!({ "name": self.name, "at_ms": now_ms() }).to_string();
        let letter = Letter::signed(&self.me.key, &bound, content.as_bytes());
        let body = seal(&self.content_key, nonce(), &bound, &letter.plain_text());
        let path = format!("/api/rooms/{}/signals", self.room);
        let json = json!({ "kind": kind, "body": body });
        self.api
            .post(&path)
            .token(&self.post_token)
            .author(&self.me.author_secret)
            .json(&json)
            .send()
            .await
            .must_be(204);
    }

    /// The events of the room as the server tells them.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let path = format!("/api/rooms/{}/messages?limit=200", self.room);
        let page = self.api.get(&path).token(&self.read_token).send().await.must_be(200).json();
        buddy_tests::messages(&page).clone()
    }

    /// Waits for the first event that holds.
    pub(crate) async fn event(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        buddy_tests::eventually(what, async || self.events().await.into_iter().find(&holds)).await
    }
}

impl Posted {
    pub(crate) fn from_event(event: &Value) -> Self {
        let text = |field: &str| event[field].as_str().expect("an event is whole").to_owned();
        let seq = event["seq"].as_u64().expect("an event has a seq");
        Self { seq, client_id: text("client_id"), body: text("body") }
    }
}

/// Somebody whom nobody was before.
pub(crate) fn person(name: &str) -> Identity {
    Identity::new(&[name.as_bytes(), Uuid::new_v4().as_bytes()].concat())
}

fn nonce() -> [u8; 12] {
    Uuid::new_v4().as_bytes()[..12].try_into().expect("a UUID has 16 bytes")
}

/// A server whose operator writes into its database.
pub(crate) struct Operator {
    database: Database,
    room_id: i64,
}

impl Operator {
    /// Of the only room on a server.
    pub(crate) fn of(server: &Server) -> Self {
        let database = server.database();
        let room_id = database.value("SELECT id FROM room", []);
        Self { database, room_id }
    }

    /// Appends to the log without asking anyone.
    pub(crate) fn append(&self, draft: &Draft, body: &str) -> u64 {
        self.append_at(draft, body, now_ms())
    }

    fn append_at(&self, draft: &Draft, body: &str, sent_at_ms: u64) -> u64 {
        let last: i64 = self.database.value("SELECT last_seq FROM room WHERE id = ?1", [self.room_id]);
        let author = hex::decode(&draft.author).expect("a member id is hex");
        let client_id = Uuid::parse_str(&draft.client_id).expect("a client id is a UUID");
        let target = draft.target.map(|seq| i64::try_from(seq).expect("a sequence is small"));
        let now = i64::try_from(sent_at_ms).expect("it is not that late");
        let hash = Sha256::digest(body);
        self.database.execute(
            "INSERT INTO event(room_id, seq, kind, sent_at_ms, author, target, client_id, hash, body)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            (self.room_id, last + 1, draft.kind, now, author, target, client_id.as_bytes(), hash.as_slice(), body),
        );
        u64::try_from(last + 1).expect("a sequence is positive")
    }

    /// Lets a member have said all of these, each at its time by its number from 1 on.
    pub(crate) fn fill(
        &self,
        member: &Insider,
        texts: impl IntoIterator<Item = String>,
        sent_at_ms: impl Fn(u64) -> u64,
    ) {
        self.database.execute("BEGIN", []);
        for (number, text) in (1..).zip(texts) {
            let mut draft = member.message(&text);
            draft.content["at_ms"] = json!(sent_at_ms(number));
            self.append_at(&draft, &member.sealed(&draft), sent_at_ms(number));
        }
        self.database.execute("COMMIT", []);
    }

    /// Changes rows of the room's log; `?1` is the room.
    pub(crate) fn change(&self, sql: &str) {
        assert!(self.database.execute(sql, [self.room_id]) > 0, "nothing was changed: {sql}");
    }
}
