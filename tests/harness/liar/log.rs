//! The log that a liar tells: what the server holds, as far as it is known, and what the lies make of it.

use std::collections::{BTreeMap, HashMap};

use hyper::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::{Shared, lock};

/// What the server holds of a room, as far as anybody here was told.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) events: BTreeMap<u64, Value>,
    pub(super) first_seq: u64,
    pub(super) log: String,
    /// What nobody but the liar has: posts that it accepted and kept to itself.
    pub(super) own: Vec<Value>,
}

/// Gives events the sequence of their place, from the first one's on, and makes targets follow.
pub fn renumbered(mut log: Vec<Value>) -> Vec<Value> {
    let first = log.iter().filter_map(|event| event["seq"].as_u64()).min().unwrap_or(1);
    let mut places = HashMap::new();
    for (event, seq) in log.iter().zip(first..) {
        if let Some(was) = event["seq"].as_u64() {
            places.entry(was).or_insert(seq);
        }
    }
    for (event, seq) in log.iter_mut().zip(first..) {
        event["seq"] = json!(seq);
        if let Some(place) = event["target"].as_u64().and_then(|target| places.get(&target)) {
            event["target"] = json!(place);
        }
    }
    log
}

impl Room {
    pub(super) fn last_seq(&self) -> u64 {
        self.events.last_key_value().map_or(0, |(seq, _)| *seq)
    }

    /// Takes a page of the true history.
    pub(super) fn learn(&mut self, page: &Value) {
        self.first_seq = page["first_seq"].as_u64().unwrap_or(1);
        for event in page["messages"].as_array().into_iter().flatten() {
            self.events.insert(event["seq"].as_u64().unwrap_or(0), event.clone());
        }
        self.events = self.events.split_off(&self.first_seq);
    }
}

/// The log that is told of a room, and its two ends.
pub(super) struct ToldLog {
    pub(super) events: Vec<Value>,
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
}

impl Shared {
    pub(super) fn told_log(&self, id: &str) -> ToldLog {
        let rooms = lock(&self.rooms);
        let Some(room) = rooms.get(id) else { return ToldLog { events: Vec::new(), first_seq: 1, last_seq: 0 } };
        let mut events: Vec<Value> = room.events.values().cloned().collect();
        let (first, last) = (room.first_seq.max(1), room.last_seq());
        let mut own = room.own.clone();
        drop(rooms);
        let lies = lock(&self.lies);
        for lie in &lies.log {
            events = lie(id, events);
        }
        // What only this liar has comes after all that it tells of the truth.
        let end = events.last().and_then(|event| event["seq"].as_u64());
        for (event, seq) in own.iter_mut().zip(end.unwrap_or(0) + 1..) {
            event["seq"] = json!(seq);
        }
        events.append(&mut own);
        let seq = |event: Option<&Value>| event.and_then(|event| event["seq"].as_u64());
        let first_seq = seq(events.first()).map_or(last + 1, |told| told.max(first));
        let last_seq = seq(events.last()).unwrap_or(first_seq.saturating_sub(1));
        ToldLog { events, first_seq, last_seq }
    }

    /// The sequence under which an event is told, from the one that the server gave it.
    pub(super) fn told_seq(&self, id: &str, true_seq: u64) -> Option<u64> {
        let event = lock(&self.rooms).get(id)?.events.get(&true_seq)?.clone();
        let told = self.told_log(id);
        told.events.iter().find(|told| told["client_id"] == event["client_id"])?["seq"].as_u64()
    }

    /// The sequence that the server gave to what is told under another.
    pub(super) fn true_seq(&self, id: &str, told_seq: u64) -> Option<u64> {
        let told = self.told_log(id);
        let event = told.events.iter().find(|event| event["seq"] == told_seq)?;
        let rooms = lock(&self.rooms);
        let found = rooms.get(id)?.events.iter().find(|(_, held)| held["client_id"] == event["client_id"])?;
        Some(*found.0)
    }

    /// The headers with which the log is read for somebody.
    pub(super) fn reader(&self, of: &HeaderMap) -> HeaderMap {
        let mut headers = of.clone();
        headers.remove("last-event-id");
        if let Some(token) = &lock(&self.lies).token {
            let bearer = HeaderValue::from_str(&format!("Bearer {token}")).expect("a token is plain text");
            headers.insert("authorization", bearer);
        }
        headers
    }

    pub(super) fn isolated(&self) -> bool {
        lock(&self.lies).isolated
    }
}
