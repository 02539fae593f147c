//! Those who do not play by the rules: a member who writes without the page whatever comes to their mind, and a
//! server that does with its rows as it likes.

use std::sync::atomic::{AtomicBool, Ordering};

use buddy_client::bytes::{Base64, MemberId, RoomId, Sealed, decode, encode};
use buddy_client::card;
use buddy_client::content::{Content, SignalContent, State};
use buddy_client::envelope::{self, Place};
use buddy_client::keys::{Identity, LinkSecret, MemberKey, OwnerSecret, Secret};
use buddy_client::link::{Gift, Holds, Link};
use buddy_client::outbox::request_id;
use buddy_client::rotation::Rotation;
use buddy_client::seal;
use buddy_client::window::{Line, Lines, Window};
use buddy_tests::{Answer, Api, Database, Server, client_id, now_ms};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A person who holds a link and writes their own program.
pub(crate) struct Insider {
    api: Api,
    pub(crate) room: RoomId,
    /// The epoch that the link opened.
    pub(crate) epoch: u64,
    pub(crate) gift: Gift,
    /// Whom the server takes them for, and who signs.
    pub(crate) me: Identity,
    name: String,
    /// Whether others have heard who this is.
    introduced: AtomicBool,
}

/// An event that is not sealed yet.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) kind: &'static str,
    pub(crate) target: Option<u64>,
    pub(crate) client_id: String,
    pub(crate) author: MemberId,
    pub(crate) content: Value,
}

/// What an event was made of once the server has it.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) seq: u64,
    pub(crate) client_id: String,
    pub(crate) body: String,
}

/// What an envelope holds, each part of which can be wrong by itself.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) signer: [u8; 32],
    pub(crate) signature: [u8; 64],
    pub(crate) content: Vec<u8>,
}

impl Letter {
    /// A letter as it should be, for the place that `bound` names.
    pub(crate) fn signed(by: &Identity, bound: &str, content: &[u8]) -> Self {
        let bytes = [b"buddy/v2/signature\0", bound.as_bytes(), b"\0", content].concat();
        Self { signer: *by.signer().bytes(), signature: by.sign(&bytes), content: content.to_vec() }
    }

    fn read(plain: &[u8]) -> Self {
        let end = plain.iter().rposition(|byte| *byte != 0).expect("a plain text ends with its mark");
        let (signer, rest) = plain[..end].split_first_chunk().expect("a signer");
        let (signature, content) = rest.split_first_chunk().expect("a signature");
        Self { signer: *signer, signature: *signature, content: content.to_vec() }
    }

    fn plain(&self) -> Vec<u8> {
        let mut plain = [&self.signer[..], &self.signature, &self.content, &[0x80]].concat();
        plain.resize(plain.len().next_multiple_of(256), 0);
        plain
    }
}

impl Insider {
    /// Somebody new, who opens the link.
    pub(crate) async fn with(server: &Server, link: &str, name: &str) -> Self {
        Self::being(Identity::random(), &server.api(), link, name).await
    }

    /// Somebody in particular, who opens the link there.
    pub(crate) async fn being(me: Identity, api: &Api, link: &str, name: &str) -> Self {
        let link = Link::parse(link).expect("the link is whole");
        let secret = match &link.holds {
            Holds::Member { link, .. } | Holds::Reader(link) => link.clone(),
            Holds::Owner(_) => panic!("an owner does not come by a link"),
        };
        let opened = open_link(api, &link.room, &secret).await.must_be(200).json();
        let text = |field: &str| opened[field].as_str().expect("an opened link has all its parts");
        let rotation = Rotation::verify(&link.room, text("public"), text("signature")).expect("a rotation");
        let sealed = Sealed::parse(text("sealed")).expect("base64url");
        let gift = Gift::open(&secret, &link.room, rotation.epoch(), &sealed).expect("the link gives something");
        Self {
            api: api.clone(),
            room: link.room,
            epoch: rotation.epoch(),
            gift,
            me,
            name: name.to_owned(),
            introduced: AtomicBool::new(false),
        }
    }

    /// A message as an honest client would write it that has seen nothing yet.
    pub(crate) fn message(&self, text: &str) -> Draft {
        self.draft("message", None, json!({ "text": text }))
    }

    /// A change of another event as an honest client would write it.
    pub(crate) fn change(&self, kind: &'static str, of: &Posted, content: Value) -> Draft {
        let mut content = content;
        content["target_id"] = json!(of.client_id);
        self.draft(kind, Some(of.seq), content)
    }

    pub(crate) fn draft(&self, kind: &'static str, target: Option<u64>, content: Value) -> Draft {
        let mut whole = json!({ "at_ms": now_ms(), "prev": null });
        for (field, value) in content.as_object().expect("a content is an object") {
            whole[field] = value.clone();
        }
        Draft { kind, target, client_id: client_id(), author: self.me.author(), content: whole }
    }

    /// The card of this person under the key that the link gave; a reader's is worth nothing.
    pub(crate) fn card(&self, name: &str) -> Draft {
        let key = match &self.gift {
            Gift::Member(member) => member.clone(),
            Gift::Reader(reader) => MemberKey::new(reader.secret().clone()),
        };
        let keys = (&self.me.signer(), Base64(*self.me.box_key().bytes()));
        let content = card::content(&key, &self.room, self.epoch, keys, name, None);
        let content = Content { at_ms: now_ms(), ..content };
        self.draft("card", None, serde_json::to_value(content).expect("a content is plain data"))
    }

    /// Seals a draft as one of this person.
    pub(crate) fn sealed(&self, draft: &Draft) -> String {
        self.sealed_by(&self.me, draft)
    }

    /// Seals a draft that somebody else signs.
    pub(crate) fn sealed_by(&self, signer: &Identity, draft: &Draft) -> String {
        self.wrap(draft, &Letter::signed(signer, &self.bound(draft), draft.content.to_string().as_bytes()))
    }

    /// What binds a draft to its place.
    pub(crate) fn bound(&self, draft: &Draft) -> String {
        self.place(draft.kind, Some(&draft.client_id), Some(draft.author), draft.target).additional_data()
    }

    /// Puts any letter into the envelope of a draft.
    pub(crate) fn wrap(&self, draft: &Draft, letter: &Letter) -> String {
        self.wrap_bytes(draft, &letter.plain())
    }

    /// Puts any bytes into the envelope of a draft.
    pub(crate) fn wrap_bytes(&self, draft: &Draft, plain: &[u8]) -> String {
        let sealed = seal::seal(&self.content_key(), &self.bound(draft), plain);
        format!("v2.{}.{}", self.epoch, encode(&sealed))
    }

    /// Opens what somebody posted, as any member can.
    pub(crate) fn letter_of(&self, event: &Value) -> Letter {
        let author = event["author"].as_str().map(|author| MemberId::parse(author).expect("a member id"));
        let place = self.place(text(event, "kind"), event["client_id"].as_str(), author, event["target"].as_u64());
        let sealed = text(event, "body").rsplit('.').next().map(|part| decode(part).expect("base64url"));
        let plain = seal::open(&self.content_key(), &place.additional_data(), &sealed.expect("a body has parts"));
        Letter::read(&plain.expect("what a member posted opens"))
    }

    /// Says who this is, where nobody heard it yet, and posts an honest message.
    pub(crate) async fn say(&self, text: &str) -> Posted {
        self.introduces_themself().await;
        let draft = self.message(text);
        self.post(&draft, &self.sealed(&draft)).await
    }

    /// Posts a card, once.
    pub(crate) async fn introduces_themself(&self) {
        if !self.introduced.swap(true, Ordering::Relaxed) {
            let card = self.card(&self.name);
            self.post(&card, &self.sealed(&card)).await;
        }
    }

    /// Posts a draft with any body; the server must take it.
    pub(crate) async fn post(&self, draft: &Draft, body: &str) -> Posted {
        let answer = self.try_post(draft, body).await.must_be(201).json();
        let seq = answer["seq"].as_u64().expect("a stored post has a seq");
        Posted { seq, client_id: draft.client_id.clone(), body: body.to_owned() }
    }

    pub(crate) async fn try_post(&self, draft: &Draft, body: &str) -> Answer {
        let mut json = json!({ "client_id": draft.client_id, "kind": draft.kind, "body": body, "epoch": self.epoch });
        if let Some(target) = draft.target {
            json["target"] = json!(target);
        }
        let path = format!("/api/rooms/{}/messages", self.room);
        let request = self.api.post(&path).token(&self.token()).author(self.me.author_secret().text());
        request.json(&json).send().await
    }

    /// Tells that this person is here or types, and what they have seen of the log.
    pub(crate) async fn signal(&self, kind: &str, head: Option<Window>) {
        let named = format!("signal/{kind}");
        let content = SignalContent { at_ms: now_ms(), head }.to_json();
        let place = self.place(&named, None, Some(self.me.author()), None);
        let body = envelope::seal(&self.content_key(), &self.me, &place, &content);
        let path = format!("/api/rooms/{}/signals", self.room);
        let json = json!({ "kind": kind, "body": body, "epoch": self.epoch });
        let request = self.api.post(&path).token(&self.token()).author(self.me.author_secret().text());
        request.json(&json).send().await.must_be(204);
    }

    /// The events of the room as the server tells them.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let path = format!("/api/rooms/{}/messages?limit=200", self.room);
        let token = self.gift.reader().read_token();
        let page = self.api.get(&path).token(token.text()).send().await.must_be(200).json();
        buddy_tests::messages(&page).clone()
    }

    /// What people have said, without what the room itself needs.
    pub(crate) async fn messages(&self) -> Vec<Value> {
        self.events().await.into_iter().filter(|event| event["kind"] == "message").collect()
    }

    /// Waits for the first event that holds.
    pub(crate) async fn event(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        buddy_tests::eventually(what, async || self.events().await.into_iter().find(&holds)).await
    }

    /// What a client has seen that holds all these events.
    pub(crate) fn window(&self, events: &[Value]) -> Option<Window> {
        let mut lines = Lines::default();
        for event in events {
            let erased = event["erased"].as_str().map(|hash| buddy_client::bytes::Hex::parse(hash).expect("a hash"));
            let hash = erased.unwrap_or_else(|| buddy_client::bytes::Hex(Sha256::digest(text(event, "body")).into()));
            lines.insert(Line {
                seq: event["seq"].as_u64().expect("a sequence"),
                kind: text(event, "kind").to_owned(),
                client_id: text(event, "client_id").to_owned(),
                author: event["author"].as_str().map(|author| MemberId::parse(author).expect("a member id")),
                target: event["target"].as_u64(),
                sent_at_ms: event["sent_at_ms"].as_u64().expect("a time"),
                body_hash: hash,
            });
        }
        lines.window(&self.room)
    }

    pub(crate) fn content_key(&self) -> Secret {
        self.gift.reader().content_key()
    }

    /// The token that lets this person do the most.
    pub(crate) fn token(&self) -> String {
        let token = self.gift.member().map_or_else(|| self.gift.reader().read_token(), MemberKey::post_token);
        token.text().to_owned()
    }

    fn place<'a>(
        &'a self,
        kind: &'a str,
        client_id: Option<&'a str>,
        author: Option<MemberId>,
        target: Option<u64>,
    ) -> Place<'a> {
        Place { room: &self.room, epoch: self.epoch, kind, client_id, author, target }
    }
}

/// Opens a link as a browser does that was never here.
pub(crate) async fn open_link(api: &Api, room: &RoomId, link: &LinkSecret) -> Answer {
    let path = format!("/api/rooms/{room}/links/{}/open", link.id());
    api.post(&path).token(link.token().text()).json(&json!({ "client_id": client_id() })).send().await
}

fn text<'a>(event: &'a Value, field: &str) -> &'a str {
    event[field].as_str().unwrap_or_default()
}

impl Posted {
    pub(crate) fn from_event(event: &Value) -> Self {
        let seq = event["seq"].as_u64().expect("an event has a seq");
        Self { seq, client_id: text(event, "client_id").to_owned(), body: text(event, "body").to_owned() }
    }
}

/// An owner who changes their room without the page, in the epoch that was in force when they came.
pub(crate) struct Owner {
    api: Api,
    room: RoomId,
    secret: OwnerSecret,
    epoch: u64,
    member: MemberKey,
}

impl Owner {
    pub(crate) async fn of(server: &Server, link: &str) -> Self {
        let link = Link::parse(link).expect("the link is whole");
        let Holds::Owner(secret) = link.holds else { panic!("not an owner's link") };
        let secret = OwnerSecret::new(secret);
        let api = server.api();
        let path = format!("/api/rooms/{}/keys", link.room);
        let request = api.get(&path).token(secret.token().text());
        let keys = request.author(secret.identity().author_secret().text()).send().await.must_be(200).json();
        let mut known: Option<(Rotation, MemberKey)> = None;
        for rotation in keys["rotations"].as_array().expect("a list") {
            let rotation = Rotation::verify(&link.room, text(rotation, "public"), text(rotation, "signature"));
            let rotation = rotation.expect("a rotation of the owner's");
            let before = known.as_ref().map(|(rotation, member)| (rotation, member));
            let member = rotation.recover(&secret, before).expect("the owner recovers every epoch");
            known = Some((rotation, member));
        }
        let (rotation, member) = known.expect("a room has a rotation");
        Self { api, room: link.room, secret, epoch: rotation.epoch(), member }
    }

    /// States what the room is from now on.
    pub(crate) async fn sets(&self, change: impl FnOnce(&mut State)) {
        let path = format!("/api/rooms/{}", self.room);
        let token = self.secret.token();
        let room = self.api.get(&path).token(token.text()).send().await.must_be(200).json();
        let mut state = self.state(&room);
        change(&mut state);
        let identity = self.secret.identity();
        // A statement opens without its event, which may have expired: its id follows from its nonce.
        let nonce: [u8; 12] = Uuid::new_v4().as_bytes()[..12].try_into().expect("a UUID has 16 bytes");
        let client_id = request_id(&encode(&nonce));
        let place = Place {
            room: &self.room,
            epoch: self.epoch,
            kind: "change",
            client_id: Some(&client_id),
            author: Some(identity.author()),
            target: None,
        };
        let content = Content { at_ms: now_ms(), state: Some(state.clone()), ..Content::default() }.to_json();
        let statement = envelope::seal_with(&self.member.reader().content_key(), &identity, &place, &content, nonce);
        let body = json!({
            "client_id": client_id, "epoch": self.epoch, "state_seq": room["state_seq"], "statement": statement,
            "locked": state.locked, "expires_in_s": state.expires_in_s, "message_ttl_s": state.message_ttl_s,
        });
        let request = self.api.patch(&path).token(token.text()).author(identity.author_secret().text());
        request.json(&body).send().await.must_be(200);
    }

    /// The newest statement, or what the room began with.
    fn state(&self, room: &Value) -> State {
        let seq = room["state_seq"].as_u64().expect("a room with keys has a state");
        let (kind, client_id, author) = if seq == 0 {
            ("rotate", None, None)
        } else {
            // Its event may have expired meanwhile; its id follows from its nonce, the first 16 letters.
            let (_, sealed) = text(room, "state").rsplit_once('.').expect("an envelope has parts");
            ("change", Some(request_id(&sealed[..16])), Some(self.secret.identity().author()))
        };
        let place =
            Place { room: &self.room, epoch: self.epoch, kind, client_id: client_id.as_deref(), author, target: None };
        let opened = envelope::open(&self.member.reader().content_key(), &place, text(room, "state"));
        let content: Value = serde_json::from_slice(&opened.expect("the owner reads it").content).expect("JSON");
        serde_json::from_value(content["state"].clone()).expect("a state")
    }
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
        let author = draft.author.0;
        let client_id = Uuid::parse_str(&draft.client_id).expect("a client id is a UUID");
        let target = draft.target.map(|seq| i64::try_from(seq).expect("a sequence is small"));
        let now = i64::try_from(sent_at_ms).expect("it is not that late");
        let hash = Sha256::digest(body);
        self.database.execute(
            "INSERT INTO event(room_id, seq, kind, sent_at_ms, author, target, client_id, hash, epoch, body)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, (SELECT epoch FROM room WHERE id = ?1), ?9)",
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
        let texts = texts.into_iter();
        self.fill_with((1..).zip(texts).map(|(number, text)| (member, json!({ "text": text }), sent_at_ms(number))));
    }

    /// Lets members have said all of these: who, what, and when, in Unix milliseconds.
    pub(crate) fn fill_with<'a>(&self, said: impl IntoIterator<Item = (&'a Insider, Value, u64)>) {
        self.database.execute("BEGIN", []);
        for (member, content, sent_at_ms) in said {
            let mut draft = member.draft("message", None, content);
            draft.content["at_ms"] = json!(sent_at_ms);
            self.append_at(&draft, &member.sealed(&draft), sent_at_ms);
        }
        self.database.execute("COMMIT", []);
    }

    /// Changes rows of the room's log; `?1` is the room.
    pub(crate) fn change(&self, sql: &str) {
        assert!(self.database.execute(sql, [self.room_id]) > 0, "nothing was changed: {sql}");
    }
}
