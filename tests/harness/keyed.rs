//! A room with keys as the server sees it: public parts, tokens, links, grants and cards in their forms, while what
//! only clients read is made up. The server checks no signature and opens nothing, so a test needs none that hold.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Api, Request, Room, client_id, member_id, token_hash};

/// The author under whose secret the owner does things.
pub const OWNER: &str = "the owner's author secret";

/// Base64url without padding.
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A room with keys and what its owner and members know of it.
#[derive(Clone, Debug)]
pub struct KeyedRoom {
    pub room: Room,
    /// What makes the room: the body of its creation.
    pub founding: Value,
    owner_key: [u8; 32],
}

impl KeyedRoom {
    /// Makes a room; the server must accept it.
    pub async fn create(api: &Api) -> Self {
        Self::create_with(api, json!({})).await
    }

    /// Makes a room with further or other fields.
    pub async fn create_with(api: &Api, fields: Value) -> Self {
        let mut room = Self::imagine(api);
        for (name, value) in fields.as_object().expect("fields are an object") {
            room.founding[name] = value.clone();
        }
        room.create_again(api).send().await.must_be(201);
        room
    }

    /// A room that the server does not know yet.
    pub fn imagine(api: &Api) -> Self {
        let owner_key: [u8; 32] = Sha256::digest(client_id().as_bytes()).into();
        let id = crate::hex(&Sha256::digest([&b"buddy/v2/room\0"[..], &owner_key].concat()));
        let room = Room::known(api, &id, &format!("owner of {id}"));
        let mut room = Self { room, founding: Value::Null, owner_key };
        room.founding = json!({
            "room": id,
            "rotation": {
                "public": room.public(0).to_string(), "signature": base64url([0; 64]), "private": "v2.0.private",
            },
            "link": room.link("first"),
            "expires_in_s": 86_400,
        });
        room
    }

    /// The request that makes this room.
    pub fn create_again(&self, api: &Api) -> Request {
        api.post("/api/rooms").json(&self.founding)
    }

    /// The same room through another address.
    pub fn at(&self, api: &Api) -> Self {
        Self { room: self.room.at(api), ..self.clone() }
    }

    pub fn owner(&self) -> &str {
        self.room.owner()
    }

    /// The token of an epoch to post with.
    pub fn post_token(&self, epoch: u64) -> String {
        format!("post {epoch} {}", self.room.id)
    }

    /// The token of an epoch to read with.
    pub fn read_token(&self, epoch: u64) -> String {
        format!("read {epoch} {}", self.room.id)
    }

    pub fn link_token(&self, name: &str) -> String {
        format!("link {name} {}", self.room.id)
    }

    /// A link's id by the name that the test gives it.
    pub fn link_id(&self, name: &str) -> String {
        member_id(&format!("{name} {}", self.room.id))
    }

    /// A link as the room is made with it; further fields make it one for `POST …/links`.
    pub fn link(&self, name: &str) -> Value {
        json!({
            "id": self.link_id(name), "token_hash": token_hash(&self.link_token(name)),
            "sealed": base64url(format!("{name} sealed for 0")), "note": base64url(format!("{name} noted for 0")),
        })
    }

    /// A public part. Its text is what is hashed, so it is made into text once.
    pub fn public(&self, epoch: u64) -> Value {
        json!({
            "room": self.room.id, "epoch": epoch, "owner": base64url(self.owner_key),
            "owner_token_hash": token_hash(self.owner()), "salt": base64url([epoch as u8; 16]),
            "previous": (epoch > 0).then(|| base64url([1; 32])), "head": null,
            "read_token_hash": token_hash(&self.read_token(epoch)),
            "post_token_hash": token_hash(&self.post_token(epoch)),
            "admit": base64url([2; 32]), "people": base64url(Sha256::digest("")), "removed": [], "past": null,
        })
    }

    /// A renewal that begins `epoch`, in which the named links and authors stay.
    pub fn renewal(&self, epoch: u64, links: &[&str], authors: &[&str]) -> Value {
        let grant =
            |author: &&str| json!({ "author": member_id(author), "sealed": base64url(format!("{author} in {epoch}")) });
        let link = |name: &&str| {
            json!({
                "id": self.link_id(name), "sealed": base64url(format!("{name} sealed for {epoch}")),
                "note": base64url(format!("{name} noted for {epoch}")),
            })
        };
        json!({
            "client_id": client_id(), "public": self.public(epoch).to_string(), "signature": base64url([epoch as u8; 64]),
            "private": format!("v2.{epoch}.private"), "grants": authors.iter().map(grant).collect::<Value>(),
            "links": links.iter().map(link).collect::<Value>(), "taken_back": [],
        })
    }

    /// The owner's request to renew.
    pub fn renew(&self, renewal: &Value) -> Request {
        self.as_owner(self.api().post(&format!("{}/rotations", self.room.path())).json(renewal))
    }

    /// Renews the room so that the room's link and the named authors stay; the server must accept it.
    pub async fn renew_for(&self, epoch: u64, authors: &[&str]) -> Value {
        self.renew(&self.renewal(epoch, &["first"], authors)).send().await.must_be(201).json()
    }

    /// A post of a body in an epoch with that epoch's token.
    pub fn post(&self, epoch: u64, body: &Value) -> Request {
        let mut body = body.clone();
        body["epoch"] = json!(epoch);
        self.room.post(&body).token(&self.post_token(epoch))
    }

    /// Says something and returns its sequence.
    pub async fn say_as(&self, author: &str, epoch: u64, text: &str) -> u64 {
        let answer = self.post(epoch, &crate::message(text)).author(author).send().await.must_be(201);
        answer.json()["seq"].as_u64().expect("a stored post has a seq")
    }

    /// Posts an author's card and returns its sequence.
    pub async fn card_of(&self, author: &str, epoch: u64, body: &str) -> u64 {
        let card = json!({ "client_id": client_id(), "kind": "card", "body": body });
        let answer = self.post(epoch, &card).author(author).send().await.must_be(201);
        answer.json()["seq"].as_u64().expect("a stored card has a seq")
    }

    /// The keys as somebody with this token and author gets them; `query` is empty or begins with `?`.
    pub fn keys(&self, token: &str, author: &str, query: &str) -> Request {
        self.api().get(&format!("{}/keys{query}", self.room.path())).token(token).author(author)
    }

    pub fn members(&self, token: &str, query: &str) -> Request {
        self.api().get(&format!("{}/members{query}", self.room.path())).token(token)
    }

    /// The owner's request for a link; `fields` are added to what a link has.
    pub fn make_link(&self, name: &str, epoch: u64, fields: Value) -> Request {
        let mut link = self.link(name);
        link["epoch"] = json!(epoch);
        for (field, value) in fields.as_object().expect("fields are an object") {
            link[field] = value.clone();
        }
        self.as_owner(self.api().post(&format!("{}/links", self.room.path())).json(&link))
    }

    /// The links as the owner sees them.
    pub async fn links(&self) -> Vec<Value> {
        let request = self.as_owner(self.api().get(&format!("{}/links", self.room.path())));
        request.send().await.must_be(200).json()["links"].as_array().expect("a list").clone()
    }

    /// Opens a link with its token.
    pub fn open(&self, name: &str, client_id: &str) -> Request {
        let path = format!("{}/links/{}/open", self.room.path(), self.link_id(name));
        self.api().post(&path).token(&self.link_token(name)).json(&json!({ "client_id": client_id }))
    }

    /// A statement that goes on from another one; `fields` are added.
    pub fn statement(&self, epoch: u64, state_seq: u64, text: &str, fields: Value) -> Value {
        let mut statement =
            json!({ "client_id": client_id(), "epoch": epoch, "state_seq": state_seq, "statement": text });
        for (field, value) in fields.as_object().expect("fields are an object") {
            statement[field] = value.clone();
        }
        statement
    }

    /// The owner's request to change the room.
    pub fn change(&self, statement: &Value) -> Request {
        self.room.patch(statement.clone()).author(OWNER)
    }

    /// What the room is, as its owner sees it.
    pub async fn state(&self) -> Value {
        self.as_owner(self.room.get()).send().await.must_be(200).json()
    }

    /// Deletes the room with this farewell.
    pub fn delete(&self, farewell: &str) -> Request {
        self.room.delete().header("buddy-farewell", farewell)
    }

    fn api(&self) -> &Api {
        self.room.api()
    }

    fn as_owner(&self, request: Request) -> Request {
        request.token(self.owner()).author(OWNER)
    }
}
