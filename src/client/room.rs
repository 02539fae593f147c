//! One room as one device holds it: its keys, what it believes of the log, and what waits to be sent. It asks the
//! server and judges every answer; alarms gather until they are taken.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::{Api, Credentials, Failure, Stream};
use crate::bytes::{Base64, LinkId, MemberId, RoomId, Sealed, encode};
use crate::card;
use crate::content::{Content, Kept, SignalContent, State};
use crate::envelope::{self, Place};
use crate::keys::{Identity, LinkSecret, MemberKey, OwnerSecret, ReaderKey, Secret, room_id};
use crate::link::{Gift, Holds, Link, Note, Role, open_invite, seal_invite};
use crate::log::{Alarm, Code, Epoch, Event, Log};
use crate::outbox::{Outbox, new_client_id, request_id};
use crate::random;
use crate::rotation::{self, NoRotation, Origin, PrivatePart, Renewal, Rotation};
use crate::sse::Frame;
use crate::window::{Line, Lines};

/// How many events a device that was never here, or was away for long, begins with.
const BEGIN_WITH: u64 = 200;
/// Whoever is further behind begins anew.
const FAR_BEHIND: u64 = 1_000;
/// How long a room is kept after its last event, unless its maker says otherwise, in seconds.
const EXPIRES_IN_S: u64 = 30 * 86_400;
/// How often a renewal begins again because others were faster.
const RENEWAL_TRIES: usize = 8;

/// Why something could not be done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Server(#[from] Failure),
    #[error("this link may only read")]
    ReadOnly,
    #[error("only the room's owner may do this")]
    NotOwner,
    #[error("the owner removed you from this room")]
    Removed,
    #[error("you have no key of this room any more, and the link you came by is gone: ask for a new one")]
    ShutOut,
    #[error("the room is gone: its owner deleted it")]
    Deleted,
    #[error("the server says that the room is gone, but cannot show that its owner deleted it")]
    ClaimedGone,
    #[error("the server gave no keys that fit this room: {0}")]
    NoKeys(NoRotation),
    #[error("the room has expired")]
    Expired,
    #[error("{0}")]
    NotFound(String),
}

impl Error {
    fn code(&self) -> Option<&str> {
        match self {
            Self::Server(failure) => failure.code(),
            _ => None,
        }
    }
}

/// What a device may do, and by what.
#[derive(Clone, Debug)]
enum Standing {
    Owner(OwnerSecret),
    /// By a link; whoever opens it again must use the same `client_id`.
    Linked {
        link: LinkSecret,
        role: Role,
        client_id: String,
    },
}

/// An epoch as far as this device knows it.
#[derive(Clone, Debug)]
struct Known {
    rotation: Rotation,
    seq: u64,
    member: Option<MemberKey>,
    reader: Option<ReaderKey>,
    private: Option<PrivatePart>,
    sealed_private: Option<String>,
    grant: Option<Sealed>,
}

/// What a device keeps of a room between two runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    pub link: String,
    pub identity: String,
    pub client_id: String,
    pub name: String,
    epochs: Vec<SavedEpoch>,
    lines: Vec<Line>,
    log_id: Option<String>,
    outbox: Outbox,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SavedEpoch {
    public: String,
    signature: Base64<64>,
    seq: u64,
    member: Option<String>,
    reader: Option<String>,
    private: Option<PrivatePart>,
}

/// Something that happened while a room was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// The log holds this event now.
    Event(u64),
    /// Somebody is here, is typing or has gone.
    Signal,
    /// The connection stands, and everything up to now was replayed to come.
    Connected,
    /// The connection ended; the next call opens another.
    Disconnected,
    /// The server says that the log is not the one that was followed.
    Reset,
}

/// What is to be shut out by a renewal.
#[derive(Clone, Debug, Default)]
pub struct Revocation {
    pub links: Vec<LinkId>,
    pub people: Vec<MemberId>,
    /// Links that stay although somebody is removed.
    pub keep_links: Vec<LinkId>,
    /// Whether newcomers are not to see what was said before.
    pub hide_past: bool,
}

/// A link as its owner sees it.
#[derive(Clone, Debug, Serialize)]
pub struct OwnedLink {
    pub id: LinkId,
    pub name: String,
    pub role: Role,
    pub opened: u64,
    pub openings: Option<u64>,
    pub created_at_ms: u64,
    pub opened_at_ms: Option<u64>,
    pub expires_at_ms: Option<u64>,
    /// Whether a renewal would let it stay: a link that the server brought back would not.
    pub stays: bool,
    #[serde(skip)]
    secret: LinkSecret,
    #[serde(skip)]
    note: Note,
}

/// What a new room is to be like.
#[derive(Clone, Debug, Default)]
pub struct NewRoom {
    /// The room's name.
    pub name: String,
    pub expires_in_s: Option<u64>,
    pub message_ttl_s: Option<u64>,
}

pub struct Room {
    api: Api,
    id: RoomId,
    standing: Standing,
    identity: Identity,
    /// What this person is called here.
    name: String,
    known: BTreeMap<u64, Known>,
    log: Log,
    outbox: Outbox,
    alarms: Vec<Alarm>,
    stream: Option<Stream>,
    /// What came by the stream and was not taken wholly yet.
    frame: Option<Frame>,
    opened_streams: u64,
    state_seq: u64,
    /// The epoch for which a card was put into the outbox last.
    card_sent: Option<u64>,
    /// Keys were asked for, and what they bring was not taken to its end: a connection may break in the middle.
    is_refreshing: bool,
}

impl Room {
    /// Makes a room, and gives it with its owner's link and the link for everybody else.
    ///
    /// # Errors
    /// The server refuses, or cannot be reached.
    pub async fn create(api: Api, new: &NewRoom, name: &str) -> Result<(Self, Link, Link), Error> {
        let owner = OwnerSecret::new(Secret::random());
        let seed = Base64(random::bytes());
        let link = owner.link(&seed);
        let expires_in_s = new.expires_in_s.unwrap_or(EXPIRES_IN_S);
        let made = rotation::found(&owner, Base64(random::bytes()), now_ms(), vec![link.id()], |room, member| State {
            name: new.name.clone(),
            locked: false,
            message_ttl_s: new.message_ttl_s,
            expires_in_s,
            ever_ttl: new.message_ttl_s,
            invite: Some(seal_invite(member, room, 0, &link)),
            pins: Vec::new(),
        });
        let id = room_id(&owner.identity().signer());
        let note = Note { seed, name: String::new(), role: Role::Member, epoch: 0 };
        let gift = Gift::Member(made.member.clone());
        let body = json!({
            "room": id,
            "rotation": {
                "public": made.rotation.text(),
                "signature": made.rotation.signature(),
                "private": made.private,
            },
            "link": {
                "id": link.id(),
                "token_hash": link.token().hash(),
                "sealed": gift.seal(&link, &id, 0),
                "note": note.seal(&owner.note_key(), &id, &link.id()),
            },
            "expires_in_s": expires_in_s,
            "message_ttl_s": new.message_ttl_s,
        });
        api.ask_patiently("POST", "/api/rooms", &Credentials::default(), Some(&body), &[]).await?;
        let origin = api.origin().to_owned();
        let owner_link = Link { origin: origin.clone(), room: id, holds: Holds::Owner(owner.secret().clone()) };
        let member_link = Link { origin, room: id, holds: Holds::Member { link, identity: None } };
        let room = Self::open(api, &owner_link, name, None).await?;
        Ok((room, owner_link, member_link))
    }

    /// Opens a room by a link, or goes on where it was left.
    ///
    /// # Errors
    /// The link is used up or gone, the room is gone, the server has no keys that fit, or cannot be reached.
    pub async fn open(api: Api, link: &Link, name: &str, saved: Option<Saved>) -> Result<Self, Error> {
        let mut room = Self::prepare(api, link, name, saved)?;
        room.refresh_keys().await?;
        Ok(room)
    }

    /// As [`Room::open`], before anything is asked: so that a client can keep who it will be. [`Room::refresh_keys`] is
    /// to be called next.
    ///
    /// # Errors
    /// [`Error::NoKeys`] for an owner's link that is not this room's.
    pub fn prepare(api: Api, link: &Link, name: &str, saved: Option<Saved>) -> Result<Self, Error> {
        let client_id = saved.as_ref().map_or_else(new_client_id, |saved| saved.client_id.clone());
        let own = saved.as_ref().and_then(|saved| Secret::parse(&saved.identity).ok()).map(Identity::new);
        let linked =
            |link: &LinkSecret, role| Standing::Linked { link: link.clone(), role, client_id: client_id.clone() };
        let (standing, identity) = match &link.holds {
            Holds::Owner(secret) => {
                let owner = OwnerSecret::new(secret.clone());
                let identity = owner.identity();
                if room_id(&identity.signer()) != link.room {
                    return Err(Error::NoKeys(NoRotation::ForeignOwner));
                }
                (Standing::Owner(owner), identity)
            }
            Holds::Member { link, identity } => {
                let given = identity.clone().map(Identity::new);
                (linked(link, Role::Member), given.or(own).unwrap_or_else(Identity::random))
            }
            Holds::Reader(link) => (linked(link, Role::Reader), own.unwrap_or_else(Identity::random)),
        };
        // The owner's key is known once a rotation was verified; until then nothing is taken.
        let owner = identity.signer();
        let mut room = Self {
            api,
            id: link.room,
            standing,
            identity,
            name: name.to_owned(),
            known: BTreeMap::new(),
            log: Log::new(link.room, owner),
            outbox: Outbox::default(),
            alarms: Vec::new(),
            stream: None,
            frame: None,
            opened_streams: 0,
            state_seq: 0,
            card_sent: None,
            is_refreshing: false,
        };
        if let Some(saved) = saved {
            room.restore(saved);
        }
        Ok(room)
    }

    fn restore(&mut self, saved: Saved) {
        for epoch in saved.epochs {
            let Ok(rotation) = Rotation::verify(&self.id, &epoch.public, &epoch.signature.to_string()) else {
                continue;
            };
            let secret = |text: Option<String>| text.and_then(|text| Secret::parse(&text).ok());
            let known = Known {
                seq: epoch.seq,
                member: secret(epoch.member).map(MemberKey::new),
                reader: secret(epoch.reader).map(ReaderKey::new),
                private: epoch.private,
                sealed_private: None,
                grant: None,
                rotation,
            };
            self.known.insert(known.rotation.epoch(), known);
        }
        self.begin_log();
        let mut lines = Lines::default();
        saved.lines.into_iter().for_each(|line| lines.insert(line));
        self.log.restore(lines, saved.log_id);
        self.outbox = saved.outbox;
        if self.name.is_empty() {
            self.name = saved.name;
        }
    }

    /// What is to be kept for the next run. It holds secrets.
    pub fn save(&self, link: &Link) -> Saved {
        let epochs = self.known.values().map(|known| SavedEpoch {
            public: known.rotation.text().to_owned(),
            signature: *known.rotation.signature(),
            seq: known.seq,
            member: known.member.as_ref().map(|member| member.secret().reveal()),
            reader: known.reader.as_ref().map(|reader| reader.secret().reveal()),
            private: known.private.clone(),
        });
        let client_id = match &self.standing {
            Standing::Linked { client_id, .. } => client_id.clone(),
            Standing::Owner(_) => String::new(),
        };
        Saved {
            link: link.to_string(),
            identity: self.identity.secret().reveal(),
            client_id,
            name: self.name.clone(),
            epochs: epochs.collect(),
            lines: self.log.lines().iter().cloned().collect(),
            log_id: self.log.log_id().map(str::to_owned),
            outbox: self.outbox.clone(),
        }
    }

    pub fn id(&self) -> &RoomId {
        &self.id
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How many streams were opened so far.
    pub fn opened_streams(&self) -> u64 {
        self.opened_streams
    }

    /// The room through another address, for instance after its server moved.
    pub fn move_to(&mut self, api: Api) {
        self.api = api;
        self.stream = None;
    }

    /// The alarms since they were last taken.
    pub fn take_alarms(&mut self) -> Vec<Alarm> {
        std::mem::take(&mut self.alarms)
    }

    /// The newest epoch that this device has a key of.
    pub fn epoch(&self) -> Option<u64> {
        self.known.values().rev().find(|known| known.reader.is_some()).map(|known| known.rotation.epoch())
    }

    fn current(&self) -> Option<&Known> {
        self.known.get(&self.epoch()?)
    }

    fn is_owner(&self) -> bool {
        matches!(self.standing, Standing::Owner(_))
    }

    fn owner(&self) -> Result<OwnerSecret, Error> {
        match &self.standing {
            Standing::Owner(owner) => Ok(owner.clone()),
            Standing::Linked { .. } => Err(Error::NotOwner),
        }
    }

    fn credentials(&self) -> Credentials {
        let token = match &self.standing {
            Standing::Owner(owner) => Some(owner.token()),
            Standing::Linked { .. } => self.current().and_then(|known| match &known.member {
                Some(member) => Some(member.post_token()),
                None => known.reader.as_ref().map(ReaderKey::read_token),
            }),
        };
        Credentials {
            token: token.map(|token| token.text().to_owned()),
            author: Some(self.identity.author_secret().text().to_owned()),
        }
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/rooms/{}{rest}", self.id)
    }

    /// One request under the newest token; a renewal in between is followed.
    async fn ask(&mut self, method: &str, rest: &str, body: Option<&Value>) -> Result<Value, Error> {
        self.finish_refreshing().await?;
        let mut tries = 0;
        loop {
            let path = self.path(rest);
            let who = self.credentials();
            let answer = self.api.ask_patiently(method, &path, &who, body, &[]).await;
            match answer {
                Err(failure) if failure.code() == Some("renewed") && tries < 3 => {
                    tries += 1;
                    self.refresh_keys().await?;
                }
                Err(failure) => return Err(self.judge_failure(failure)),
                Ok(answer) => return Ok(answer),
            }
        }
    }

    /// Whether a room that is said to be gone is gone by its owner's hand.
    fn judge_failure(&mut self, failure: Failure) -> Error {
        match &failure {
            Failure::Refused { code, farewell, .. } if code == "room_gone" => self.judge_farewell(farewell.as_deref()),
            _ => failure.into(),
        }
    }

    fn judge_farewell(&mut self, farewell: Option<&str>) -> Error {
        let owner = self.known.values().next().map(|known| known.rotation.part().owner);
        let of_owner = owner.zip(farewell).is_some_and(|(owner, text)| rotation::is_farewell(&owner, &self.id, text));
        if of_owner {
            return Error::Deleted;
        }
        self.alarms.push(Alarm::of_room(Code::ClaimsGone));
        Error::ClaimedGone
    }

    // Keys.

    /// Fetches the rotations that are not known yet and follows them.
    ///
    /// # Errors
    /// [`Error::Removed`], [`Error::ShutOut`], [`Error::NoKeys`], or the server's refusal.
    pub async fn refresh_keys(&mut self) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            match self.refresh_once().await {
                // Renewed once more while the last one was followed.
                Err(error) if error.code() == Some("renewed") && tries < RENEWAL_TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn refresh_once(&mut self) -> Result<(), Error> {
        self.is_refreshing = true;
        if self.known.is_empty() && !self.is_owner() {
            self.open_link().await?;
        }
        self.fetch_rotations().await?;
        self.follow_rotations().await?;
        // A token of a former epoch does not open the private parts.
        if self.current().is_some_and(|known| known.private.is_none() && known.sealed_private.is_none()) {
            self.fetch_rotations().await?;
        }
        self.unseal_past();
        self.open_privates().await?;
        if self.known.is_empty() {
            return Err(Error::NoKeys(NoRotation::Malformed));
        }
        self.begin_log();
        self.is_refreshing = false;
        Ok(())
    }

    /// Goes on with what an earlier [`Room::refresh_keys`] left undone. Who may speak in an epoch is not known before.
    async fn finish_refreshing(&mut self) -> Result<(), Error> {
        if self.is_refreshing { self.refresh_keys().await } else { Ok(()) }
    }

    async fn open_link(&mut self) -> Result<(), Error> {
        let Standing::Linked { link, role, client_id } = self.standing.clone() else { return Ok(()) };
        let path = self.path(&format!("/links/{}/open", link.id()));
        let who = Credentials { token: Some(link.token().text().to_owned()), author: None };
        let body = json!({ "client_id": client_id });
        let answer = self.api.ask_patiently("POST", &path, &who, Some(&body), &[]).await;
        let answer = match answer {
            Err(failure) if failure.code() == Some("room_not_found") && !self.known.is_empty() => {
                return Err(Error::ShutOut);
            }
            Err(failure) => return Err(self.judge_failure(failure)),
            Ok(answer) => answer,
        };
        let text = |name: &str| answer[name].as_str().unwrap_or_default();
        let rotation = Rotation::verify(&self.id, text("public"), text("signature")).map_err(Error::NoKeys)?;
        let sealed = Sealed::parse(text("sealed")).map_err(|_| Error::NoKeys(NoRotation::Unreadable))?;
        let gift = Gift::open(&link, &self.id, rotation.epoch(), &sealed)
            .map_err(|_| Error::NoKeys(NoRotation::Unreadable))?;
        rotation.fits(&gift).map_err(Error::NoKeys)?;
        if gift.role() != role {
            return Err(Error::NoKeys(NoRotation::Unreadable));
        }
        if self.known.last_key_value().is_some_and(|(newest, _)| *newest > rotation.epoch()) {
            // Epochs never go back.
            return Err(Error::NoKeys(NoRotation::OutOfOrder));
        }
        self.learn_rotation(rotation, 0, None, None);
        let known = self.known.values_mut().next_back().expect("one was just learned");
        known.reader = Some(gift.reader());
        known.member = gift.member().cloned();
        Ok(())
    }

    async fn fetch_rotations(&mut self) -> Result<(), Error> {
        let mut since = self.contiguous_until().filter(|epoch| {
            self.known.get(epoch).is_some_and(|known| known.private.is_some() || known.sealed_private.is_some())
        });
        if since.is_none() && self.contiguous_until() > Some(0) {
            since = self.contiguous_until().map(|epoch| epoch - 1);
        }
        loop {
            let query = since.map_or_else(String::new, |since| format!("since={since}&"));
            let path = self.path(&format!("/keys?{query}limit=50"));
            let who = self.credentials();
            let answer = self.api.ask_patiently("GET", &path, &who, None, &[]).await;
            let answer = answer.map_err(|failure| self.judge_failure(failure))?;
            let rotations = answer["rotations"].as_array().cloned().unwrap_or_default();
            let newest = answer["epoch"].as_u64();
            for raw in &rotations {
                self.take_raw_rotation(raw);
            }
            let last = rotations.last().and_then(|raw| raw["epoch"].as_u64());
            match last {
                Some(last) if newest.is_some_and(|newest| last < newest) && since.is_none_or(|since| last > since) => {
                    since = Some(last);
                }
                _ => return Ok(()),
            }
        }
    }

    /// The last epoch up to which all are known, from the first that is known.
    fn contiguous_until(&self) -> Option<u64> {
        let first = *self.known.first_key_value()?.0;
        if first > 0 {
            // Earlier ones are still to be had, for what is shared of the past.
            return None;
        }
        (first..).take_while(|epoch| self.known.contains_key(epoch)).last()
    }

    fn take_raw_rotation(&mut self, raw: &Value) {
        let text = |name: &str| raw[name].as_str();
        let verified =
            Rotation::verify(&self.id, text("public").unwrap_or_default(), text("signature").unwrap_or_default());
        let grant = text("grant").and_then(|grant| Sealed::parse(grant).ok());
        match verified {
            Ok(rotation) if raw["epoch"].as_u64() == Some(rotation.epoch()) => {
                self.learn_rotation(
                    rotation,
                    raw["seq"].as_u64().unwrap_or(0),
                    text("private").map(str::to_owned),
                    grant,
                );
            }
            _ => self.alarms.push(Alarm::of_room(Code::BadRotation)),
        }
    }

    /// Takes a rotation that the owner signed, if it fits between those that are known.
    fn learn_rotation(&mut self, rotation: Rotation, seq: u64, private: Option<String>, grant: Option<Sealed>) {
        let epoch = rotation.epoch();
        if let Some(known) = self.known.get_mut(&epoch) {
            if known.rotation.text() != rotation.text() {
                self.alarms.push(Alarm::of_room(Code::TwoRotations));
                return;
            }
            known.seq = known.seq.max(seq);
            known.sealed_private = private.or(known.sealed_private.take());
            known.grant = grant.or(known.grant.take());
            return;
        }
        let before = epoch.checked_sub(1).and_then(|before| self.known.get(&before));
        let behind = self.known.get(&(epoch + 1));
        let fits = before.is_none_or(|before| rotation.follows(&before.rotation).is_ok())
            && behind.is_none_or(|behind| behind.rotation.follows(&rotation).is_ok());
        if !fits {
            self.alarms.push(Alarm::of_room(Code::BadRotation));
            return;
        }
        let known = Known { rotation, seq, member: None, reader: None, private: None, sealed_private: private, grant };
        self.known.insert(epoch, known);
    }

    /// Goes from key to key, by grants, as the owner, or by the link where there is no grant.
    async fn follow_rotations(&mut self) -> Result<(), Error> {
        while let Some(next) = self.next_to_follow() {
            match self.key_of(next) {
                Ok(Some(member)) => {
                    let known = self.known.get_mut(&next).expect("it is known");
                    known.reader = Some(member.reader());
                    known.member = Some(member);
                }
                Ok(None) => {
                    if let Some(known) = self.known.get(&next)
                        && known.rotation.part().removed.contains(&self.identity.author())
                    {
                        return Err(Error::Removed);
                    }
                    self.open_link().await?;
                    if self.next_to_follow() == Some(next) {
                        // The link still gives an epoch that is over: nothing more is to be had.
                        return Err(Error::ShutOut);
                    }
                }
                Err(fault) => {
                    self.alarms.push(Alarm::at(Code::BadRotation, self.known[&next].seq));
                    // What does not fit is no rotation; the link may still lead on.
                    if self.is_owner() {
                        return Err(Error::NoKeys(fault));
                    }
                    self.known.get_mut(&next).expect("it is known").grant = None;
                    self.open_link().await?;
                    if self.next_to_follow() == Some(next) {
                        return Err(Error::NoKeys(fault));
                    }
                }
            }
        }
        Ok(())
    }

    fn next_to_follow(&self) -> Option<u64> {
        let next = self.epoch().map_or(0, |epoch| epoch + 1);
        self.known.contains_key(&next).then_some(next)
    }

    fn key_of(&self, epoch: u64) -> Result<Option<MemberKey>, NoRotation> {
        let known = &self.known[&epoch];
        let before = epoch.checked_sub(1).and_then(|before| self.known.get(&before));
        let before = before.and_then(|before| before.member.as_ref().map(|member| (&before.rotation, member)));
        match (&self.standing, before, &known.grant) {
            (Standing::Owner(owner), before, _) => known.rotation.recover(owner, before).map(Some),
            (Standing::Linked { .. }, Some((rotation, member)), Some(grant)) => {
                known.rotation.follow(rotation, member, &self.identity, grant).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Unseals what is shared of the past, epoch by epoch.
    fn unseal_past(&mut self) {
        let Some(mut epoch) = self.epoch() else { return };
        while let Some(before) = epoch.checked_sub(1).filter(|before| self.known.contains_key(before)) {
            if self.known[&before].reader.is_none() {
                let Some(reader) = self.known[&epoch].reader.clone() else { return };
                match self.known[&epoch].rotation.past(&reader, &self.known[&before].rotation) {
                    Ok(Some(past)) => self.known.get_mut(&before).expect("it is known").reader = Some(past),
                    Ok(None) => return,
                    Err(_) => {
                        self.alarms.push(Alarm::of_room(Code::BadRotation));
                        return;
                    }
                }
            }
            epoch = before;
        }
    }

    async fn open_privates(&mut self) -> Result<(), Error> {
        let waiting = self.known.values().filter(|known| known.private.is_none() && known.reader.is_some());
        let waiting: Vec<u64> = waiting.map(|known| known.rotation.epoch()).collect();
        for epoch in waiting {
            let Some(sealed) = self.known[&epoch].sealed_private.clone() else { continue };
            if let Some(private) = self.open_named(epoch, &sealed) {
                self.known.get_mut(&epoch).expect("it is known").private = Some(private);
                continue;
            }
            let origin = self.origin_of(self.known[&epoch].seq).await?;
            let known = self.known.get_mut(&epoch).expect("it is known");
            let reader = known.reader.as_ref().expect("it was asked for");
            match known.rotation.open_private(reader, &origin, &sealed) {
                Ok(private) => known.private = Some(private),
                // An event that has expired no longer says what the private part is bound to.
                Err(_) if origin == Origin::default() && epoch > 0 => {}
                Err(_) => self.alarms.push(Alarm::at(Code::BadRotation, known.seq)),
            }
        }
        Ok(())
    }

    /// Opens a private part without its event, by the name that an owner's client gives its requests.
    fn open_named(&self, epoch: u64, sealed: &str) -> Option<PrivatePart> {
        let known = &self.known[&epoch];
        let origin = match epoch {
            0 => Origin::default(),
            _ => Origin::named(epoch, known.rotation.text(), self.owners_author()?),
        };
        known.rotation.open_private(known.reader.as_ref()?, &origin, sealed).ok()
    }

    /// What the server knows the owner by, where anything has said it.
    fn owners_author(&self) -> Option<MemberId> {
        if self.is_owner() {
            return Some(self.identity.author());
        }
        let owner = self.known.values().next()?.rotation.part().owner;
        let kept = self.known.values().filter_map(|known| known.private.as_ref()).flat_map(|private| &private.kept);
        let kept = kept.filter(|person| person.signer == owner).map(|person| person.author).next();
        kept.or_else(|| self.log.person(&owner).map(|person| person.author))
    }

    /// Which event a rotation came with; nothing where the log does not hold it any more.
    async fn origin_of(&mut self, seq: u64) -> Result<Origin, Error> {
        let Some(event) = self.event_at(seq).await? else { return Ok(Origin::default()) };
        Ok(Origin { client_id: Some(event.client_id), author: event.author })
    }

    async fn event_at(&mut self, seq: u64) -> Result<Option<Event>, Error> {
        let Some(before) = seq.checked_sub(1) else { return Ok(None) };
        let path = self.path(&format!("/messages?after={before}&limit=1"));
        let who = self.credentials();
        let page = self.api.ask_patiently("GET", &path, &who, None, &[]).await;
        let page = page.map_err(|failure| self.judge_failure(failure))?;
        let event = events(&page["messages"])?.into_iter().next();
        Ok(event.filter(|event| event.seq == seq))
    }

    /// Tells the log what is known of the epochs.
    fn begin_log(&mut self) {
        let Some(first) = self.known.values().next() else { return };
        self.log.set_owner(first.rotation.part().owner);
        let current = self.epoch();
        let me = self.identity.signer();
        for known in self.known.values() {
            let (kept, state) = match &known.private {
                Some(private) => (Some(private.kept.clone()), Some(private.state.clone())),
                None => (None, None),
            };
            let number = known.rotation.epoch();
            let epoch = Epoch { rotation: known.rotation.clone(), seq: known.seq, reader: known.reader.clone(), kept };
            self.alarms.extend(self.log.learn_epoch(epoch, state));
            // Whoever was kept, has the key of the epoch before and was given none, was left out by the server alone.
            let kept = known.private.as_ref().is_some_and(|private| private.kept.iter().any(|kept| kept.signer == me));
            let entered = number > 0 && self.known.get(&(number - 1)).is_some_and(|before| before.member.is_some());
            let linked = matches!(self.standing, Standing::Linked { role: Role::Member, .. });
            if kept
                && entered
                && linked
                && known.grant.is_none()
                && Some(number) == current
                && !self.log.is_told(number)
            {
                self.alarms.push(Alarm::at(Code::LeftWaiting, known.seq));
            }
            self.log.tell(number);
        }
    }

    // Reading.

    /// Reads on to the end of the log, and judges all of it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn sync(&mut self) -> Result<(), Error> {
        self.load_cards().await?;
        let info = self.room_info().await?;
        let last = info["last_seq"].as_u64().unwrap_or(0);
        self.alarms.extend(self.log.ends_at(last));
        if self.log.last() > 0 && last.saturating_sub(self.log.last()) > FAR_BEHIND {
            self.log.begin_anew();
        }
        let mut after = match self.log.last() {
            0 => last.saturating_sub(BEGIN_WITH),
            held => held,
        };
        loop {
            let page = self.ask("GET", &format!("/messages?after={after}&limit=200"), None).await?;
            let events = events(&page["messages"])?;
            let (first_seq, last_seq) =
                (page["first_seq"].as_u64().unwrap_or(1), page["last_seq"].as_u64().unwrap_or(0));
            self.mark(None, first_seq, last_seq);
            let newest = events.last().map(|event| event.seq);
            for event in events {
                self.take(event).await?;
            }
            match newest {
                Some(newest) if newest < last_seq => after = newest,
                _ => return self.settle().await,
            }
        }
    }

    /// Asks once more how far the log goes, where a blank body still lacks its explanation: what was blanked when it
    /// was read was so by something that stands before that.
    async fn settle(&mut self) -> Result<(), Error> {
        if self.log.has_new_blanks() {
            let info = self.ask("GET", "", None).await?;
            self.mark(None, info["first_seq"].as_u64().unwrap_or(1), info["last_seq"].as_u64().unwrap_or(0));
        }
        Ok(())
    }

    /// Reads the log from a sequence on, or its newest events, without what was read before.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read_from(&mut self, since: Option<u64>) -> Result<(), Error> {
        self.load_cards().await?;
        let info = self.room_info().await?;
        let (first, last) = (info["first_seq"].as_u64().unwrap_or(1), info["last_seq"].as_u64().unwrap_or(0));
        let mut after = since.unwrap_or_else(|| last.saturating_sub(BEGIN_WITH)).max(first - 1);
        let held = self.log.last();
        if after < held {
            // What was seen before is compared with what is shown now.
            self.log.reread(after);
        }
        self.mark(None, first, last.max(held));
        while after < last {
            let page = self.ask("GET", &format!("/messages?after={after}&limit=200"), None).await?;
            let events = events(&page["messages"])?;
            let Some(newest) = events.last().map(|event| event.seq) else { break };
            for event in events {
                self.take(event).await?;
            }
            after = newest;
        }
        self.settle().await
    }

    fn mark(&mut self, log_id: Option<&str>, first_seq: u64, last_seq: u64) {
        let alarms = self.log.mark(log_id, first_seq, last_seq, now_ms());
        if alarms.contains(&Alarm::of_room(Code::Diverged)) {
            self.outbox.forget_last();
        }
        self.alarms.extend(alarms);
    }

    async fn take(&mut self, event: Event) -> Result<(), Error> {
        if event.kind == "rotate" && self.epoch_of_rotation(&event).is_some_and(|epoch| self.epoch() < Some(epoch)) {
            self.refresh_keys().await?;
        }
        self.finish_refreshing().await?;
        self.alarms.extend(self.log.take(event, now_ms()));
        Ok(())
    }

    fn epoch_of_rotation(&self, event: &Event) -> Option<u64> {
        rotation::parse_event_body(&self.id, &event.body).ok().map(|(rotation, _)| rotation.epoch())
    }

    /// What the server says of the room, compared with what its owner says.
    async fn room_info(&mut self) -> Result<Value, Error> {
        let info = self.ask("GET", "", None).await?;
        if info["epoch"].as_u64() > self.epoch() {
            self.refresh_keys().await?;
        }
        let state_seq = info["state_seq"].as_u64().unwrap_or(0);
        let is_new = state_seq > self.state_seq || (state_seq > 0 && self.log.state().is_none());
        if is_new && let Some(state) = self.statement(state_seq, info["state"].as_str().unwrap_or_default()).await? {
            self.log.learn_state(state_seq, state);
        }
        self.state_seq = self.state_seq.max(state_seq);
        if let Some(state) = self.log.state() {
            let same =
                info["locked"].as_bool() == Some(state.locked) && info["message_ttl_s"].as_u64() == state.message_ttl_s;
            if !same {
                self.alarms.push(Alarm::of_room(Code::ServerState));
            }
        }
        Ok(info)
    }

    /// The state of a statement: by the name that an owner's client gives its requests, or by its event.
    async fn statement(&mut self, seq: u64, body: &str) -> Result<Option<State>, Error> {
        let nonce = body.rsplit('.').next().and_then(|sealed| crate::bytes::decode(sealed.get(..16)?).ok());
        if let (Some(nonce), Some(author)) = (nonce, self.owners_author()) {
            let event = Event {
                seq,
                kind: "change".to_owned(),
                client_id: statement_id(&nonce),
                author: Some(author),
                target: None,
                body: body.to_owned(),
                sent_at_ms: 0,
                erased: None,
            };
            if let Some(state) = self.log.open_statement(&event) {
                return Ok(Some(state));
            }
        }
        let event = self.event_at(seq).await?;
        Ok(event.and_then(|event| self.log.open_statement(&event)))
    }

    async fn load_cards(&mut self) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let page = self.ask("GET", &format!("/members?after={after}&limit=200"), None).await?;
            let cards = events(&page["cards"])?;
            for card in &cards {
                self.log.learn_card(card);
            }
            match cards.last() {
                Some(last) if page["more"].as_bool() == Some(true) => after = last.seq,
                _ => break,
            }
        }
        // The owner's card says by whom the private parts are whose events have expired.
        let is_shut =
            |known: &Known| known.private.is_none() && known.sealed_private.is_some() && known.reader.is_some();
        if self.known.values().any(is_shut) {
            self.open_privates().await?;
            self.begin_log();
        }
        Ok(())
    }

    /// The people who were let in, and whose cards the server still has.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn load_people(&mut self) -> Result<(), Error> {
        self.load_cards().await?;
        self.room_info().await.map(|_| ())
    }

    /// Waits for the next thing that happens, opening streams as they are needed. May be dropped while it waits.
    ///
    /// # Errors
    /// The room is gone, or this device is shut out. A server that cannot be reached is [`Update::Disconnected`].
    pub async fn next_update(&mut self) -> Result<Update, Error> {
        if self.stream.is_none() {
            self.frame = None;
            let path = self.path("/stream");
            let cursor = Some(self.log.last()).filter(|last| *last > 0);
            match self.api.stream(&path, &self.credentials(), cursor).await {
                Ok(stream) => {
                    self.stream = Some(stream);
                    self.opened_streams += 1;
                    self.log.reconnected(now_ms());
                }
                Err(failure) if failure.code() == Some("renewed") => {
                    self.refresh_keys().await?;
                    return Ok(Update::Disconnected);
                }
                Err(failure) if failure.retry_after_s().is_some() => return Ok(Update::Disconnected),
                Err(failure) => return Err(self.judge_failure(failure)),
            }
        }
        if self.frame.is_none() {
            let stream = self.stream.as_mut().expect("it was just opened");
            self.frame = stream.next().await;
        }
        let Some(frame) = self.frame.clone() else {
            self.stream = None;
            return Ok(Update::Disconnected);
        };
        // A frame stays until it was taken wholly, whatever fails or is dropped meanwhile.
        let update = self.take_frame(frame).await;
        if update.is_ok() || self.stream.is_none() {
            self.frame = None;
        }
        update
    }

    async fn take_frame(&mut self, frame: Frame) -> Result<Update, Error> {
        let json: Value = serde_json::from_str(&frame.data).unwrap_or_default();
        let range = || (json["first_seq"].as_u64().unwrap_or(1), json["last_seq"].as_u64().unwrap_or(0));
        match frame.event.as_str() {
            "hello" => {
                let (first_seq, last_seq) = range();
                self.mark(json["log"].as_str(), first_seq, last_seq);
                Ok(Update::Connected)
            }
            "reset" => {
                let (first_seq, last_seq) = range();
                self.mark(json["log"].as_str(), first_seq, last_seq);
                self.stream = None;
                self.sync().await?;
                Ok(Update::Reset)
            }
            "signal" => {
                let author = json["author"].as_str().and_then(|author| MemberId::parse(author).ok());
                let (kind, body) =
                    (json["kind"].as_str().unwrap_or_default(), json["body"].as_str().unwrap_or_default());
                self.alarms.extend(self.log.take_signal(kind, author, body, now_ms()));
                self.alarms.extend(self.log.judge_ahead(now_ms()));
                Ok(Update::Signal)
            }
            "closed" => {
                self.stream = None;
                match json["reason"].as_str() {
                    Some("renewed") => {
                        self.refresh_keys().await?;
                        Ok(Update::Disconnected)
                    }
                    Some("expired") => Err(Error::Expired),
                    _ => Err(self.judge_farewell(json["farewell"].as_str())),
                }
            }
            _ => match serde_json::from_value::<Event>(json) {
                Ok(event) => {
                    let seq = event.seq;
                    // A rotation ends the stream; its keys are fetched while it is taken.
                    self.take(event).await?;
                    self.settle().await?;
                    Ok(Update::Event(seq))
                }
                Err(_) => {
                    self.alarms.push(Alarm::at(Code::Unreadable, self.log.last() + 1));
                    self.stream = None;
                    Ok(Update::Disconnected)
                }
            },
        }
    }

    /// How long to wait before a stream is opened again.
    pub fn retry(&self) -> Duration {
        self.stream.as_ref().map_or(Duration::from_secs(1), Stream::retry)
    }

    // Writing.

    /// Puts a message into the outbox; [`Room::send`] sends it.
    ///
    /// # Errors
    /// [`Error::ReadOnly`].
    pub fn say(&mut self, text: &str) -> Result<String, Error> {
        self.post("message", None, Content { text: Some(text.to_owned()), ..Content::default() })
    }

    /// Puts an edit, deletion or reaction of a message that is held into the outbox.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], and [`Error::NotFound`] for a message that is not held.
    pub fn act(&mut self, kind: &str, target: u64, words: Content) -> Result<String, Error> {
        let held = self.log.lines().get(target).map(|line| line.client_id.clone());
        let target_id = held.ok_or_else(|| Error::NotFound(format!("there is no message {target}")))?;
        self.post(kind, Some(target), Content { target_id: Some(target_id), ..words })
    }

    fn post(&mut self, kind: &str, target: Option<u64>, words: Content) -> Result<String, Error> {
        if matches!(self.standing, Standing::Linked { role: Role::Reader, .. }) {
            return Err(Error::ReadOnly);
        }
        Ok(self.outbox.push(kind, target, Content { at_ms: now_ms(), ..words }))
    }

    /// Sends what waits, in order. `keep` is called whenever something changed that must not be lost: before bytes
    /// leave for the first time, and after the server has answered. Gives the sequences of what was stored.
    ///
    /// # Errors
    /// What could not be sent stays in the outbox, unless the server refuses it for good.
    pub async fn send(&mut self, mut keep: impl FnMut(&Self)) -> Result<Vec<u64>, Error> {
        let mut stored = Vec::new();
        while !self.outbox.is_empty() {
            self.show_card();
            self.seal_first();
            keep(self);
            match self.send_first().await {
                Ok(Some(seq)) => {
                    let own = self.outbox.acknowledge(seq).expect("one was just sent");
                    self.log.expect(own);
                    stored.push(seq);
                }
                Ok(None) => self.outbox.seal_anew(),
                Err(error) => {
                    let refused = matches!(&error, Error::Server(failure) if failure.retry_after_s().is_none());
                    if refused {
                        self.outbox.discard();
                    }
                    keep(self);
                    return Err(error);
                }
            }
            keep(self);
        }
        Ok(stored)
    }

    /// Whoever speaks shows a card of the epoch first, unless the renewal kept them.
    fn show_card(&mut self) {
        let Some(current) = self.current() else { return };
        let (epoch, me) = (current.rotation.epoch(), self.identity.signer());
        let Some(member) = current.member.clone() else { return };
        let first = self.outbox.first();
        // What was sealed goes out as it is: its card was sent before it, or its epoch is over.
        let waits = first.is_some_and(|post| post.kind != "card" && post.sealed.is_none());
        let named = self.log.person(&me).is_some_and(|person| self.name.is_empty() || person.name == self.name);
        if !waits || (self.log.is_believed(epoch, &me) && named) || self.card_sent == Some(epoch) {
            return;
        }
        let via = match &self.standing {
            Standing::Linked { link, .. } => Some(link.id()),
            Standing::Owner(_) => None,
        };
        let box_key = Base64(*self.identity.box_key().bytes());
        let name = if self.name.is_empty() { "buddy" } else { &self.name };
        let words = card::content(&member, &self.id, epoch, (&me, box_key), name, via);
        self.outbox.push_card(Content { at_ms: now_ms(), ..words });
        self.card_sent = Some(epoch);
    }

    fn seal_first(&mut self) {
        let Some(post) = self.outbox.first().filter(|post| post.sealed.is_none()) else { return };
        let Some(current) = self.current() else { return };
        let Some(reader) = current.reader.clone() else { return };
        let epoch = current.rotation.epoch();
        let content = self.outbox.content(self.log.window()).expect("one waits");
        let place = Place {
            room: &self.id,
            epoch,
            kind: &post.kind,
            client_id: Some(&post.client_id),
            author: Some(self.identity.author()),
            target: post.target,
        };
        let body = envelope::seal(&reader.content_key(), &self.identity, &place, &content.to_json());
        self.outbox.seal(epoch, body);
    }

    /// Sends the first post; none where its epoch is over.
    async fn send_first(&mut self) -> Result<Option<u64>, Error> {
        let post = self.outbox.first().expect("one waits");
        let sealed = post.sealed.clone().expect("it was just sealed");
        let body = json!({
            "client_id": post.client_id,
            "kind": post.kind,
            "target": post.target,
            "body": sealed.body,
            "epoch": sealed.epoch,
        });
        match self.ask("POST", "/messages", Some(&body)).await {
            Ok(answer) => {
                let seq = answer["seq"].as_u64();
                seq.map(Some).ok_or_else(|| Failure::Malformed("a stored post has a seq".to_owned()).into())
            }
            Err(error) if error.code() == Some("stale_epoch") => {
                self.refresh_keys().await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Says that somebody is here, is typing or has gone, and what they have seen.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn signal(&mut self, kind: &str) -> Result<(), Error> {
        let Some(current) = self.current() else { return Ok(()) };
        let Some(reader) = current.reader.clone() else { return Ok(()) };
        let epoch = current.rotation.epoch();
        let content = SignalContent { at_ms: now_ms(), head: self.log.window() }.to_json();
        let full = format!("signal/{kind}");
        let author = Some(self.identity.author());
        let place = Place { room: &self.id, epoch, kind: &full, client_id: None, author, target: None };
        let body = envelope::seal(&reader.content_key(), &self.identity, &place, &content);
        let body = json!({ "kind": kind, "body": body, "epoch": epoch });
        match self.ask("POST", "/signals", Some(&body)).await {
            Err(error) if error.code() == Some("stale_epoch") => self.refresh_keys().await,
            answer => answer.map(|_| ()),
        }
    }

    // Owning.

    /// The room's link, which members pass on; none for readers, or where there is none.
    pub fn invitation(&self) -> Option<Link> {
        let known = self.current()?;
        let sealed = self.log.state()?.invite.clone()?;
        let link = open_invite(known.member.as_ref()?, &self.id, known.rotation.epoch(), &sealed).ok()?;
        let holds = Holds::Member { link, identity: None };
        Some(Link { origin: self.api.origin().to_owned(), room: self.id, holds })
    }

    /// The links that the owner made and the server still has.
    ///
    /// # Errors
    /// [`Error::NotOwner`], and see [`Error`].
    pub async fn links(&mut self) -> Result<Vec<OwnedLink>, Error> {
        let owner = self.owner()?;
        let answer = self.ask("GET", "/links", None).await?;
        let epoch = self.epoch().unwrap_or(0);
        let listed = self.current().and_then(|known| known.private.as_ref()).map(|private| private.links.clone());
        let listed = listed.unwrap_or_default();
        let read = |raw: &Value| {
            let id = LinkId::parse(raw["id"].as_str()?).ok()?;
            let sealed = Sealed::parse(raw["note"].as_str()?).ok()?;
            let note = Note::open(&owner.note_key(), &self.id, &id, &sealed).ok()?;
            let secret = owner.link(&note.seed);
            (secret.id() == id).then(|| OwnedLink {
                id,
                name: note.name.clone(),
                role: note.role,
                opened: raw["opened"].as_u64().unwrap_or(0),
                openings: raw["openings"].as_u64(),
                created_at_ms: raw["created_at_ms"].as_u64().unwrap_or(0),
                opened_at_ms: raw["opened_at_ms"].as_u64(),
                expires_at_ms: raw["expires_at_ms"].as_u64(),
                stays: listed.contains(&id) || note.epoch == epoch,
                secret,
                note,
            })
        };
        Ok(answer["links"].as_array().into_iter().flatten().filter_map(read).collect())
    }

    /// The address of one of the owner's links.
    pub fn address(&self, link: &OwnedLink) -> Link {
        let holds = match link.role {
            Role::Member => Holds::Member { link: link.secret.clone(), identity: None },
            Role::Reader => Holds::Reader(link.secret.clone()),
        };
        Link { origin: self.api.origin().to_owned(), room: self.id, holds }
    }

    /// Makes another link.
    ///
    /// # Errors
    /// [`Error::NotOwner`], and see [`Error`].
    pub async fn make_link(
        &mut self,
        name: &str,
        role: Role,
        openings: Option<u64>,
        expires_in_s: Option<u64>,
    ) -> Result<Link, Error> {
        self.make_link_of(Base64(random::bytes()), name, role, openings, expires_in_s).await
    }

    async fn make_link_of(
        &mut self,
        seed: Base64<16>,
        name: &str,
        role: Role,
        openings: Option<u64>,
        expires_in_s: Option<u64>,
    ) -> Result<Link, Error> {
        let owner = self.owner()?;
        let secret = owner.link(&seed);
        loop {
            let known = self.current().ok_or(Error::ShutOut)?;
            let epoch = known.rotation.epoch();
            let member = known.member.clone().ok_or(Error::ShutOut)?;
            let gift = match role {
                Role::Member => Gift::Member(member),
                Role::Reader => Gift::Reader(member.reader()),
            };
            let note = Note { seed, name: name.to_owned(), role, epoch };
            let body = json!({
                "id": secret.id(),
                "token_hash": secret.token().hash(),
                "sealed": gift.seal(&secret, &self.id, epoch),
                "note": note.seal(&owner.note_key(), &self.id, &secret.id()),
                "epoch": epoch,
                "openings": openings,
                "expires_in_s": expires_in_s,
            });
            match self.ask("POST", "/links", Some(&body)).await {
                Err(error) if error.code() == Some("stale_epoch") => self.refresh_keys().await?,
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
        let holds = match role {
            Role::Member => Holds::Member { link: secret, identity: None },
            Role::Reader => Holds::Reader(secret),
        };
        Ok(Link { origin: self.api.origin().to_owned(), room: self.id, holds })
    }

    /// Takes back links and removes people, which is a renewal of the room's keys. Gives the epoch that begins.
    ///
    /// # Errors
    /// [`Error::NotOwner`], and see [`Error`].
    pub async fn revoke(&mut self, what: &Revocation) -> Result<u64, Error> {
        let owner = self.owner()?;
        let mut conflicts = 0;
        for _ in 0..RENEWAL_TRIES {
            self.sync().await?;
            let links = self.links().await?;
            let all: Vec<LinkId> = self.all_links().await?;
            let known = self.current().ok_or(Error::ShutOut)?.clone();
            let member = known.member.clone().ok_or(Error::ShutOut)?;
            let epoch = known.rotation.epoch() + 1;
            let state = self.log.state().cloned().unwrap_or_default();
            let old_invite =
                state.invite.as_ref().and_then(|invite| open_invite(&member, &self.id, epoch - 1, invite).ok());

            let removing = !what.people.is_empty();
            let staying: Vec<&OwnedLink> = links
                .iter()
                .filter(|link| link.stays && !what.links.contains(&link.id))
                .filter(|link| !removing || what.keep_links.contains(&link.id))
                .collect();
            let stays = |id: &LinkId| staying.iter().any(|link| link.id == *id);
            let (invite, new_seed) = match old_invite.filter(|link| stays(&link.id())) {
                Some(link) => (link, None),
                None => {
                    let seed = Base64(random::bytes());
                    (owner.link(&seed), Some(seed))
                }
            };
            let mut listed: Vec<LinkId> = staying.iter().map(|link| link.id).collect();
            if new_seed.is_some() {
                listed.push(invite.id());
            }
            let renewal = Renewal {
                kept: self.kept(&what.people),
                removed: what.people.clone(),
                links: listed,
                with_past: !what.hide_past,
                head: self.log.window(),
                at_ms: now_ms(),
                salt: None,
            };
            let made = rotation::renew(&owner, &known.rotation, &member, renewal, |epoch, member| State {
                invite: Some(seal_invite(member, &self.id, epoch, &invite)),
                ..state.clone()
            });
            let resealed: Vec<Value> = staying
                .iter()
                .map(|link| {
                    let gift = match link.role {
                        Role::Member => Gift::Member(made.member.clone()),
                        Role::Reader => Gift::Reader(made.member.reader()),
                    };
                    json!({
                        "id": link.id,
                        "sealed": gift.seal(&link.secret, &self.id, epoch),
                        "note": link.note.seal(&owner.note_key(), &self.id, &link.id),
                    })
                })
                .collect();
            let mut body = json!({
                "client_id": made.origin.client_id,
                "public": made.rotation.text(),
                "signature": made.rotation.signature(),
                "private": made.private,
                "grants": made.grants.iter().map(|grant| json!({ "author": grant.author, "sealed": grant.sealed })).collect::<Vec<_>>(),
                "links": resealed,
                "taken_back": all.iter().filter(|id| !stays(id)).collect::<Vec<_>>(),
            });
            if conflicts < 3 {
                body["cards_seen"] = json!(self.log.last());
            }
            match self.ask("POST", "/rotations", Some(&body)).await {
                Ok(_) => {
                    self.refresh_keys().await?;
                    if let Some(seed) = new_seed {
                        self.make_link_of(seed, "", Role::Member, None, None).await?;
                    }
                    return Ok(epoch);
                }
                Err(error) if error.code() == Some("stale_epoch") => self.refresh_keys().await?,
                Err(error) if matches!(error.code(), Some("links_changed" | "people_changed")) => conflicts += 1,
                Err(error) => return Err(error),
            }
        }
        Err(Error::NotFound("others kept changing the room meanwhile: try again".to_owned()))
    }

    async fn all_links(&mut self) -> Result<Vec<LinkId>, Error> {
        let answer = self.ask("GET", "/links", None).await?;
        let ids = answer["links"].as_array().into_iter().flatten();
        Ok(ids.filter_map(|raw| LinkId::parse(raw["id"].as_str()?).ok()).collect())
    }

    /// Everybody who is known and not removed.
    fn kept(&self, removed: &[MemberId]) -> Vec<Kept> {
        let stays = self.log.people().filter(|person| !removed.contains(&person.author));
        let kept = stays.map(|person| Kept {
            signer: person.signer,
            author: person.author,
            box_key: person.box_key,
            name: person.name.clone(),
        });
        kept.collect()
    }

    /// States a change of the room.
    ///
    /// # Errors
    /// [`Error::NotOwner`], and see [`Error`].
    pub async fn change(&mut self, change: impl Fn(&mut State)) -> Result<(), Error> {
        let owner = self.owner()?.identity();
        loop {
            self.sync().await?;
            let known = self.current().ok_or(Error::ShutOut)?;
            let (epoch, reader) = (known.rotation.epoch(), known.reader.clone().ok_or(Error::ShutOut)?);
            let before = self.log.state().cloned().unwrap_or_default();
            let mut state = before.clone();
            change(&mut state);
            state.ever_ttl = state.ever_ttl.into_iter().chain(state.message_ttl_s).min();
            let content =
                Content { at_ms: now_ms(), prev: self.log.window(), state: Some(state.clone()), ..Content::default() };
            let nonce = random::bytes();
            let client_id = statement_id(&nonce);
            let place = Place {
                room: &self.id,
                epoch,
                kind: "change",
                client_id: Some(&client_id),
                author: Some(owner.author()),
                target: None,
            };
            let statement = envelope::seal_with(&reader.content_key(), &owner, &place, &content.to_json(), nonce);
            let mut body = json!({
                "client_id": client_id,
                "epoch": epoch,
                "state_seq": self.state_seq,
                "statement": statement,
            });
            if state.locked != before.locked {
                body["locked"] = json!(state.locked);
            }
            if state.expires_in_s != before.expires_in_s {
                body["expires_in_s"] = json!(state.expires_in_s);
            }
            if state.message_ttl_s != before.message_ttl_s {
                body["message_ttl_s"] = json!(state.message_ttl_s);
            }
            match self.ask("PATCH", "", Some(&body)).await {
                Err(error) if matches!(error.code(), Some("stale_epoch" | "state_changed")) => {
                    self.refresh_keys().await?
                }
                Err(error) => return Err(error),
                Ok(_) => return self.sync().await,
            }
        }
    }

    /// Deletes the room, with a farewell that shows whose doing it was.
    ///
    /// # Errors
    /// [`Error::NotOwner`], and see [`Error`].
    pub async fn delete(&mut self) -> Result<(), Error> {
        let farewell = rotation::farewell(&self.owner()?.identity(), &self.id).to_string();
        let (path, who) = (self.path(""), self.credentials());
        let headers = [("buddy-farewell", farewell.as_str())];
        let answer = self.api.ask_patiently("DELETE", &path, &who, None, &headers).await;
        match answer.map_err(|failure| self.judge_failure(failure)) {
            Ok(_) | Err(Error::Deleted) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The `client_id` of a statement, which follows from its envelope's nonce.
fn statement_id(nonce: &[u8]) -> String {
    request_id(&encode(nonce))
}

fn events(array: &Value) -> Result<Vec<Event>, Failure> {
    serde_json::from_value(array.clone()).map_err(|error| Failure::Malformed(error.to_string()))
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
