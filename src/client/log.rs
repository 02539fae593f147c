//! What a client believes of a room's log (docs/protocol.md, "Windows" and "Cards"). Events go in as the server shows
//! them, in their order; out come alarms, each where it happened, and what may be shown. Nothing here asks the server
//! anything: keys, cards and the time are given.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bytes::{Hex, MemberId, RoomId, sha256};
use crate::card;
use crate::content::{Content, Kept, SignalContent, State};
use crate::envelope::{self, Place};
use crate::keys::{ReaderKey, Signer};
use crate::rotation::{self, Rotation};
use crate::window::{Fit, Line, Lines, Window};

/// How far clocks may differ before an expiry counts as early, in milliseconds.
const GRACE_MS: u64 = 600_000;
/// How long a signal may say that there is more than the stream has shown, in milliseconds.
const AHEAD_MS: u64 = 20_000;
/// How many lines are kept behind the newest: enough for any window of somebody who is a little behind.
pub const LINES_KEPT: usize = 1_000;

/// An event of the log, or a card, as the server shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub seq: u64,
    pub kind: String,
    pub client_id: String,
    pub author: Option<MemberId>,
    pub target: Option<u64>,
    /// Empty where it was blanked.
    pub body: String,
    pub sent_at_ms: u64,
    /// SHA-256 of the body as it was appended, where it was blanked since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Hex<32>>,
}

impl Event {
    /// What stands for the event in windows.
    pub fn line(&self) -> Line {
        let body_hash = match self.erased {
            Some(erased) if self.body.is_empty() => erased,
            _ => Hex(sha256(self.body.as_bytes())),
        };
        Line {
            seq: self.seq,
            kind: self.kind.clone(),
            client_id: self.client_id.clone(),
            author: self.author,
            target: self.target,
            sent_at_ms: self.sent_at_ms,
            body_hash,
        }
    }

    fn place<'a>(&'a self, room: &'a RoomId, epoch: u64) -> Place<'a> {
        let (kind, client_id) = (self.kind.as_str(), Some(self.client_id.as_str()));
        Place { room, epoch, kind, client_id, author: self.author, target: self.target }
    }
}

/// What a client noticed. The codes are stable; docs/protocol.md, "Windows", lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// What somebody had seen when they wrote this is not what is shown here.
    Window,
    /// Their own last post, which had been acknowledged, does not stand where it stood.
    After,
    /// One `client_id` stands for two different posts.
    Reused,
    /// The text is gone, and neither a deletion that is believed nor its time explains it.
    Blanked,
    /// Events are missing, and no lifetime that the owner signed explains it.
    Gap,
    /// An own post that was acknowledged does not stand in its place.
    Own,
    /// Written in an epoch that was not in force there.
    Epoch,
    /// Signed by nobody who was let in.
    Signer,
    /// Signed by somebody who may not do this: an edit or deletion of another's message, a statement of the owner's.
    NotPermitted,
    /// Not in the form of an envelope, or sealed for another place.
    Unreadable,
    /// What was shown before is shown differently now, or not any more; without a sequence: the server says that this
    /// is another log, as after a restored backup.
    Diverged,
    /// Somebody who is here has seen something else, or more than the server shows.
    Fork,
    /// Something that claims to be a renewal is none.
    BadRotation,
    /// There are two renewals of one epoch, both signed by the owner.
    TwoRotations,
    /// The owner kept this person at a renewal, but the server gave them no key.
    LeftWaiting,
    /// The server does something that no statement of the owner's says.
    ServerState,
    /// The server says that the room is gone, and shows no farewell of the owner's.
    ClaimsGone,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_value(self).ok();
        f.write_str(text.as_ref().and_then(|text| text.as_str()).unwrap_or_default())
    }
}

/// A code, and the event that it belongs to, where it belongs to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Alarm {
    pub code: Code,
    pub seq: Option<u64>,
}

impl Alarm {
    pub fn at(code: Code, seq: u64) -> Self {
        Self { code, seq: Some(seq) }
    }

    pub fn of_room(code: Code) -> Self {
        Self { code, seq: None }
    }
}

/// What is known of an epoch.
#[derive(Clone, Debug)]
pub struct Epoch {
    pub rotation: Rotation,
    /// Where it began, as the server says; 0 for epoch 0. The log itself says it where it is held.
    pub seq: u64,
    /// None where what was said in it is not shared.
    pub reader: Option<ReaderKey>,
    /// None where the private part was not given.
    pub kept: Option<Vec<Kept>>,
}

/// Somebody who was let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    pub signer: Signer,
    pub author: MemberId,
    pub name: String,
    #[serde(rename = "box")]
    pub box_key: crate::bytes::Base64<32>,
    /// The sequence of the card; 0 for those whom a renewal kept.
    pub seq: u64,
}

/// What an event turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub event: Event,
    /// Who signed it, where it could be opened.
    pub signer: Option<Signer>,
    pub content: Option<Content>,
    /// Whether its signer was let in; only then does it count.
    pub believed: bool,
    /// A repeat of an earlier event, which alone is shown.
    pub repeat: bool,
}

/// An own post that the server has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    pub seq: u64,
    pub client_id: String,
    pub body_hash: Hex<32>,
}

impl Acknowledged {
    fn is(&self, line: &Line) -> bool {
        line.client_id == self.client_id && line.body_hash == self.body_hash
    }
}

/// A blank body whose explanation may still come.
struct Blank {
    seq: u64,
    /// How far the log must be read before nothing can explain it any more.
    until: Option<u64>,
}

/// A signal's window that the log has not reached.
struct Ahead {
    signer: Signer,
    window: Window,
    since_ms: u64,
}

/// A log that is no more, as after a restored backup.
struct Replaced {
    before: Lines,
    /// The first place at which the new log differs, once it was read so far.
    from: Option<u64>,
    /// Whose window of the new log fitted: they have noticed it too.
    settled: HashSet<Signer>,
}

pub struct Log {
    room: RoomId,
    owner: Signer,
    epochs: BTreeMap<u64, Epoch>,
    /// The epoch in force behind the last event taken.
    in_force: Option<u64>,
    lines: Lines,
    entries: BTreeMap<u64, Entry>,
    client_ids: HashMap<String, u64>,
    /// Who may speak in which epoch by a card.
    admitted: HashSet<(u64, Signer)>,
    people: HashMap<Signer, Person>,
    state: Option<(u64, State)>,
    expected: Vec<Acknowledged>,
    blanks: Vec<Blank>,
    ahead: Vec<Ahead>,
    log_id: Option<String>,
    first_seq: u64,
    /// What is remembered of the log that another one has taken the place of, if one has.
    replaced: Option<Replaced>,
    told: HashSet<u64>,
}

impl Log {
    pub fn new(room: RoomId, owner: Signer) -> Self {
        Self {
            room,
            owner,
            epochs: BTreeMap::new(),
            in_force: None,
            lines: Lines::default(),
            entries: BTreeMap::new(),
            client_ids: HashMap::new(),
            admitted: HashSet::new(),
            people: HashMap::new(),
            state: None,
            expected: Vec::new(),
            blanks: Vec::new(),
            ahead: Vec::new(),
            log_id: None,
            first_seq: 1,
            replaced: None,
            told: HashSet::new(),
        }
    }

    /// The owner's key, once a rotation has shown it.
    pub fn set_owner(&mut self, owner: Signer) {
        self.owner = owner;
    }

    /// Whether the withheld grant of an epoch was spoken of already.
    pub(crate) fn is_told(&self, epoch: u64) -> bool {
        self.told.contains(&epoch)
    }

    pub(crate) fn tell(&mut self, epoch: u64) {
        self.told.insert(epoch);
    }

    /// Forgets what was opened after a sequence, so that it is judged again; lines stay, to be compared.
    pub fn reread(&mut self, after: u64) {
        self.entries.split_off(&(after + 1));
        self.in_force = None;
    }

    /// Goes on from lines that were held earlier.
    pub fn restore(&mut self, lines: Lines, log_id: Option<String>) {
        self.client_ids = lines.iter().map(|line| (line.client_id.clone(), line.seq)).collect();
        self.lines = lines;
        self.log_id = log_id;
        self.in_force = None;
    }

    pub fn lines(&self) -> &Lines {
        &self.lines
    }

    pub fn log_id(&self) -> Option<&str> {
        self.log_id.as_deref()
    }

    /// The last sequence held; 0 for none.
    pub fn last(&self) -> u64 {
        self.lines.last()
    }

    /// What this device has seen, for its next post.
    pub fn window(&self) -> Option<Window> {
        self.lines.window(&self.room)
    }

    /// What was opened since the start, ascending; repeats among them.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub fn entry(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(&seq)
    }

    /// The newest that the owner said of the room, and where.
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref().map(|(_, state)| state)
    }

    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    pub fn person(&self, signer: &Signer) -> Option<&Person> {
        self.people.get(signer)
    }

    pub fn epoch(&self, epoch: u64) -> Option<&Epoch> {
        self.epochs.get(&epoch)
    }

    /// Whether somebody may speak in an epoch.
    pub fn is_believed(&self, epoch: u64, signer: &Signer) -> bool {
        *signer == self.owner || self.admitted.contains(&(epoch, *signer)) || self.is_kept(epoch, signer)
    }

    fn is_kept(&self, epoch: u64, signer: &Signer) -> bool {
        let kept = self.epochs.get(&epoch).and_then(|epoch| epoch.kept.as_ref());
        kept.is_some_and(|kept| kept.iter().any(|person| person.signer == *signer))
    }

    /// Takes an epoch that was verified, with the state its owner gave it.
    pub fn learn_epoch(&mut self, epoch: Epoch, state: Option<State>) -> Option<Alarm> {
        let number = epoch.rotation.epoch();
        if let Some(known) = self.epochs.get_mut(&number) {
            if known.rotation.text() != epoch.rotation.text() {
                return Some(Alarm::of_room(Code::TwoRotations));
            }
            known.reader = epoch.reader.or(known.reader.take());
            known.kept = epoch.kept.or(known.kept.take());
            known.seq = known.seq.max(epoch.seq);
        } else {
            self.epochs.insert(number, epoch.clone());
        }
        let kept = self.epochs[&number].kept.clone().unwrap_or_default();
        for Kept { signer, author, box_key, name } in kept {
            let person = Person { signer, author, name, box_key, seq: 0 };
            self.people.entry(signer).or_insert(person);
        }
        if let Some(state) = state {
            self.learn_state(epoch.seq, state);
        }
        None
    }

    /// Takes what the owner said of the room, unless later words are known.
    pub fn learn_state(&mut self, seq: u64, state: State) {
        if self.state.as_ref().is_none_or(|(known, _)| *known <= seq) {
            self.state = Some((seq, state));
        }
    }

    /// Takes a card that the server shows apart from the log. One that does not verify counts for nothing.
    pub fn learn_card(&mut self, event: &Event) {
        let Ok(epoch) = envelope::epoch_of(&event.body) else { return };
        if event.kind != "card" {
            return;
        }
        if let Ok((signer, content)) = self.open(event, epoch) {
            self.admit(event, epoch, signer, &content);
        }
    }

    /// The state that a statement holds, if it is one of the owner's.
    pub fn open_statement(&self, event: &Event) -> Option<State> {
        let epoch = envelope::epoch_of(&event.body).ok()?;
        let (signer, content) = self.open(event, epoch).ok()?;
        if signer == self.owner && event.kind == "change" { content.state } else { None }
    }

    /// What the server says of the log as a whole: its name, and what of it is kept.
    ///
    /// `log_id` comes with streams only; `last_seq` is of an answer that was asked for after the last event taken.
    pub fn mark(&mut self, log_id: Option<&str>, first_seq: u64, last_seq: u64, now_ms: u64) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        if self.log_id.is_some() && log_id.is_some() && self.log_id.as_deref() != log_id {
            alarms.push(Alarm::of_room(Code::Diverged));
            let before = self.lines.clone();
            self.replaced = Some(Replaced { before, from: None, settled: HashSet::new() });
            self.forget_after(0);
            self.expected.clear();
        } else if last_seq < self.last() {
            alarms.push(Alarm::at(Code::Diverged, last_seq + 1));
            self.forget_after(last_seq);
        }
        if log_id.is_some() || self.log_id.is_none() {
            alarms.extend(self.judge_expected());
        }
        self.log_id = log_id.map(str::to_owned).or(self.log_id.take());
        if first_seq > self.first_seq {
            self.first_seq = first_seq;
            if !self.is_explained(first_seq, now_ms) {
                alarms.push(Alarm::at(Code::Gap, first_seq - 1));
            }
        }
        for blank in &mut self.blanks {
            blank.until.get_or_insert(last_seq);
        }
        alarms.extend(self.judge_blanks(now_ms));
        alarms
    }

    /// Whether there are blank bodies of which nobody has asked yet how far their explanation may lie.
    pub fn has_new_blanks(&self) -> bool {
        self.blanks.iter().any(|blank| blank.until.is_none())
    }

    /// Whether a lifetime explains that nothing before `first_seq` is kept.
    fn is_explained(&self, first_seq: u64, now_ms: u64) -> bool {
        let Some(lifetime_s) = self.shortest_lifetime_s() else { return false };
        let gone = self.lines.get(first_seq - 1);
        gone.is_none_or(|line| self.is_over(line.sent_at_ms, lifetime_s, now_ms))
    }

    fn shortest_lifetime_s(&self) -> Option<u64> {
        let state = self.state()?;
        state.message_ttl_s.into_iter().chain(state.ever_ttl).min()
    }

    fn is_over(&self, sent_at_ms: u64, lifetime_s: u64, now_ms: u64) -> bool {
        let newest = self.lines.get(self.last()).map_or(0, |line| line.sent_at_ms);
        sent_at_ms.saturating_add(lifetime_s.saturating_mul(1_000)) <= now_ms.max(newest).saturating_add(GRACE_MS)
    }

    fn forget_after(&mut self, seq: u64) {
        self.lines.forget_after(seq);
        self.entries.split_off(&(seq + 1));
        self.client_ids.retain(|_, held| *held <= seq);
        self.blanks.retain(|blank| blank.seq <= seq);
        self.in_force = None;
    }

    /// Whether the next event that the server shows must be this one.
    pub fn next(&self) -> Option<u64> {
        (self.last() > 0).then(|| self.last() + 1)
    }

    /// Goes on at a later place, leaving a gap that nothing can be said about: for whoever is far behind.
    pub fn begin_anew(&mut self) {
        self.forget_after(0);
        self.expected.clear();
    }

    /// A new connection: from here on the server has time again to show what signals speak of.
    pub fn reconnected(&mut self, now_ms: u64) {
        for ahead in &mut self.ahead {
            ahead.since_ms = now_ms;
        }
    }

    /// Takes the next event. Events that were taken before are compared and otherwise ignored.
    pub fn take(&mut self, event: Event, now_ms: u64) -> Vec<Alarm> {
        let seq = event.seq;
        let line = event.line();
        if let Some(held) = self.lines.get(seq) {
            if *held != line {
                return vec![Alarm::at(Code::Diverged, seq)];
            }
            if self.entries.contains_key(&seq) {
                return vec![];
            }
        }
        let mut alarms = Vec::new();
        match self.next() {
            Some(next) if seq > next && !self.is_explained(seq, now_ms) => {
                alarms.push(Alarm::at(Code::Gap, next));
            }
            _ => {}
        }
        let in_force = self.epoch_before(seq);
        let repeat = self.client_ids.get(&line.client_id).copied().filter(|first| *first != seq);
        if let Some(first) = repeat.and_then(|first| self.lines.get(first)) {
            let same = (&first.kind, first.author, first.target, first.body_hash)
                == (&line.kind, line.author, line.target, line.body_hash);
            if !same {
                alarms.push(Alarm::at(Code::Reused, seq));
            }
        } else {
            self.client_ids.insert(line.client_id.clone(), seq);
        }
        let mut entry = Entry { event, signer: None, content: None, believed: false, repeat: repeat.is_some() };
        let window = if entry.event.body.is_empty() {
            if entry.event.erased.is_none() {
                alarms.push(Alarm::at(Code::Blanked, seq));
            } else {
                self.blanks.push(Blank { seq, until: None });
            }
            None
        } else if entry.event.kind == "rotate" {
            self.take_rotation(&entry.event, in_force, &mut alarms)
        } else {
            self.take_envelope(&mut entry, in_force, &mut alarms)
        };
        if let Some((signer, window)) = window {
            alarms.extend(self.judge_window(seq, &signer, &window));
        }
        if let Some(at) = self.expected.iter().position(|own| own.seq == seq) {
            let own = self.expected.swap_remove(at);
            if !own.is(&line) {
                alarms.push(Alarm::at(Code::Own, seq));
            }
        }
        if let Some(replaced) = &mut self.replaced
            && replaced.before.get(seq) != Some(&line)
        {
            replaced.from.get_or_insert(seq);
        }
        self.lines.insert(line);
        self.lines.keep_newest(LINES_KEPT);
        self.entries.insert(seq, entry);
        alarms.extend(self.judge_ahead(now_ms));
        alarms.extend(self.judge_blanks(now_ms));
        alarms
    }

    /// The epoch in force where an event stands; while the log has not said it, what the server says of where they began.
    fn epoch_before(&mut self, seq: u64) -> Option<u64> {
        if self.in_force.is_none() {
            let begun = self.epochs.values().filter(|epoch| epoch.seq < seq);
            self.in_force = begun.map(|epoch| epoch.rotation.epoch()).max();
        }
        self.in_force
    }

    fn take_rotation(
        &mut self,
        event: &Event,
        in_force: Option<u64>,
        alarms: &mut Vec<Alarm>,
    ) -> Option<(Signer, Window)> {
        let parsed = rotation::parse_event_body(&self.room, &event.body);
        let fault = |code| vec![Alarm::at(code, event.seq)];
        let found = match parsed {
            Err(_) => fault(Code::BadRotation),
            Ok((rotation, _)) => match self.epochs.get(&rotation.epoch()) {
                Some(known) if known.rotation.text() != rotation.text() => fault(Code::TwoRotations),
                _ if in_force.is_some_and(|epoch| rotation.epoch() != epoch + 1) => fault(Code::BadRotation),
                _ => {
                    self.in_force = Some(rotation.epoch());
                    let owner = self.owner;
                    return rotation.part().head.map(|head| (owner, head));
                }
            },
        };
        alarms.extend(found);
        None
    }

    fn take_envelope(
        &mut self,
        entry: &mut Entry,
        in_force: Option<u64>,
        alarms: &mut Vec<Alarm>,
    ) -> Option<(Signer, Window)> {
        let seq = entry.event.seq;
        let epoch = match envelope::epoch_of(&entry.event.body) {
            Ok(epoch) => epoch,
            Err(_) => {
                alarms.push(Alarm::at(Code::Unreadable, seq));
                return None;
            }
        };
        if in_force.is_some_and(|in_force| epoch != in_force) {
            alarms.push(Alarm::at(Code::Epoch, seq));
            return None;
        }
        let known = self.epochs.get(&epoch)?;
        // History before a renewal that was not shared is no fault.
        known.reader.as_ref()?;
        let Ok((signer, content)) = self.open(&entry.event, epoch) else {
            alarms.push(Alarm::at(Code::Unreadable, seq));
            return None;
        };
        if entry.event.kind == "card" {
            self.admit(&entry.event, epoch, signer, &content);
        }
        entry.believed = self.is_believed(epoch, &signer);
        entry.signer = Some(signer);
        if !entry.believed {
            alarms.push(Alarm::at(Code::Signer, seq));
        } else if self.take_believed(entry, &signer, &content, alarms) {
            entry.repeat |= content.again.as_ref().is_some_and(|again| self.stands_already(again, &signer));
        } else {
            entry.believed = false;
            alarms.push(Alarm::at(Code::NotPermitted, seq));
        }
        let window = content.prev.map(|prev| (signer, prev));
        entry.content = Some(content);
        window.filter(|_| entry.believed)
    }

    /// Whether a believed signer may do what the event does.
    fn take_believed(&mut self, entry: &Entry, signer: &Signer, content: &Content, alarms: &mut Vec<Alarm>) -> bool {
        let Event { seq, kind, author, target, .. } = &entry.event;
        if let Some(after) = &content.after {
            let stands = self
                .lines
                .get(after.seq)
                .is_none_or(|line| line.client_id == after.client_id && line.author == *author);
            if after.seq >= *seq || !stands {
                alarms.push(Alarm::at(Code::After, *seq));
            }
        }
        match kind.as_str() {
            "change" => match &content.state {
                Some(state) if *signer == self.owner => {
                    self.learn_state(*seq, state.clone());
                    true
                }
                _ => false,
            },
            "edit" | "delete" | "react" => {
                let Some(aimed) = target.and_then(|target| self.entries.get(&target)) else { return true };
                let fits = content.target_id.as_deref() == Some(aimed.event.client_id.as_str());
                let own = aimed.signer.is_none_or(|target| target == *signer);
                fits && match kind.as_str() {
                    "edit" => own,
                    "delete" => own || *signer == self.owner,
                    _ => true,
                }
            }
            _ => true,
        }
    }

    fn stands_already(&self, client_id: &str, signer: &Signer) -> bool {
        let first = self.client_ids.get(client_id).and_then(|seq| self.entries.get(seq));
        first.is_some_and(|entry| entry.signer == Some(*signer))
    }

    /// Opens an event under the keys of an epoch that is known.
    ///
    /// # Errors
    /// See [`envelope::Fault`].
    pub fn open(&self, event: &Event, epoch: u64) -> Result<(Signer, Content), envelope::Fault> {
        let reader = self.epochs.get(&epoch).and_then(|epoch| epoch.reader.as_ref());
        let reader = reader.ok_or(envelope::Fault::Undecryptable)?;
        let opened = envelope::open(&reader.content_key(), &event.place(&self.room, epoch), &event.body)?;
        let content = Content::parse(&opened.content).map_err(|_| envelope::Fault::Malformed)?;
        Ok((opened.signer, content))
    }

    fn admit(&mut self, event: &Event, epoch: u64, signer: Signer, content: &Content) {
        let Some(known) = self.epochs.get(&epoch) else { return };
        let admitted = card::is_admitted(&known.rotation.part().admit, &self.room, epoch, &signer, content);
        if admitted {
            self.admitted.insert((epoch, signer));
        }
        let (Some(name), Some(box_key), Some(author)) = (&content.name, content.box_key, event.author) else { return };
        if (admitted || self.is_believed(epoch, &signer))
            && self.people.get(&signer).is_none_or(|known| known.seq <= event.seq)
        {
            let person = Person { signer, author, name: name.clone(), box_key, seq: event.seq };
            self.people.insert(signer, person);
        }
    }

    fn judge_window(&mut self, seq: u64, signer: &Signer, window: &Window) -> Option<Alarm> {
        let fit = if window.seq >= seq { Fit::Differs } else { self.lines.judge(&self.room, window) };
        match fit {
            Fit::Fits => {
                if let Some(replaced) = &mut self.replaced
                    && replaced.from.is_some_and(|from| window.seq >= from)
                {
                    replaced.settled.insert(*signer);
                }
                None
            }
            Fit::NotHeld => None,
            Fit::Differs if self.has_not_noticed(signer) => None,
            Fit::Differs => Some(Alarm::at(Code::Window, seq)),
        }
    }

    /// Whether somebody may still speak of a log that was replaced.
    fn has_not_noticed(&self, signer: &Signer) -> bool {
        self.replaced.as_ref().is_some_and(|replaced| !replaced.settled.contains(signer))
    }

    /// Explains blank bodies, or raises the alarm for those that nothing can explain any more.
    fn judge_blanks(&mut self, now_ms: u64) -> Vec<Alarm> {
        let last = self.last();
        let mut alarms = Vec::new();
        let blanks = std::mem::take(&mut self.blanks);
        for blank in blanks {
            if self.is_blank_explained(blank.seq, now_ms) {
                continue;
            }
            if blank.until.is_some_and(|until| last >= until) {
                alarms.push(Alarm::at(Code::Blanked, blank.seq));
            } else {
                self.blanks.push(blank);
            }
        }
        alarms
    }

    fn is_blank_explained(&self, seq: u64, now_ms: u64) -> bool {
        let Some(entry) = self.entries.get(&seq) else { return true };
        // An edit goes with the message that it changed.
        let message = if entry.event.kind == "edit" { entry.event.target.unwrap_or(seq) } else { seq };
        let sent_at_ms = match self.lines.get(message) {
            Some(line) => Some(line.sent_at_ms),
            // What lies before all that is kept is over, if anything ever is.
            None if message < self.first_seq => Some(0),
            None => None,
        };
        if let (Some(sent_at_ms), Some(lifetime_s)) = (sent_at_ms, self.shortest_lifetime_s())
            && self.is_over(sent_at_ms, lifetime_s, now_ms)
        {
            return true;
        }
        let id = self.entries.get(&message).map(|entry| entry.event.client_id.as_str());
        let by = self.entries.get(&message).map(|entry| (entry.signer, entry.event.author));
        self.entries.range(seq..).any(|(_, other)| {
            other.event.kind == "delete"
                && other.believed
                && other.event.target == Some(message)
                && other.content.as_ref().is_some_and(|content| id.is_none() || content.target_id.as_deref() == id)
                && other.signer.is_some_and(|signer| {
                    // Of a message blanked before it was read the key is not known, but the member id is.
                    let own = match by {
                        Some((Some(writer), _)) => signer == writer,
                        Some((None, author)) => {
                            other.event.author == author
                                && self.people.get(&signer).is_none_or(|person| Some(person.author) == author)
                        }
                        None => true,
                    };
                    own || signer == self.owner
                })
        })
    }

    /// An own post was acknowledged: the log must hold exactly it, at its place. Where it holds something else there
    /// already, the next word of the server's about the whole log decides: it may be another log by now.
    pub fn expect(&mut self, own: Acknowledged) {
        let stands = self.lines.get(own.seq).is_some_and(|line| own.is(line));
        // A place that was passed long ago tells nothing any more.
        let is_past = own.seq <= self.last() && self.lines.get(own.seq).is_none();
        if !stands && !is_past {
            self.expected.push(own);
        }
    }

    /// The log ends here, as an answer says that was asked for after the last acknowledgement. Gives an alarm for own
    /// posts that were acknowledged beyond that.
    pub fn ends_at(&mut self, last_seq: u64) -> Vec<Alarm> {
        let beyond = self.expected.extract_if(.., |own| own.seq > last_seq);
        beyond.map(|own| Alarm::at(Code::Own, own.seq)).collect()
    }

    fn judge_expected(&mut self) -> Vec<Alarm> {
        let lines = &self.lines;
        let missing = self.expected.extract_if(.., |own| lines.get(own.seq).is_some_and(|line| !own.is(line)));
        missing.map(|own| Alarm::at(Code::Own, own.seq)).collect()
    }

    /// Takes a signal. What is not of the epoch in force, or of nobody who was let in, counts for nothing.
    pub fn take_signal(&mut self, kind: &str, author: Option<MemberId>, body: &str, now_ms: u64) -> Option<Alarm> {
        let epoch = envelope::epoch_of(body).ok()?;
        let current = *self.epochs.last_key_value()?.0;
        if epoch != current {
            return None;
        }
        let kind = format!("signal/{kind}");
        let place = Place { room: &self.room, epoch, kind: &kind, client_id: None, author, target: None };
        let reader = self.epochs.get(&epoch)?.reader.as_ref()?;
        let opened = envelope::open(&reader.content_key(), &place, body).ok()?;
        let content = SignalContent::parse(&opened.content).ok()?;
        let window = content.head.filter(|_| self.is_believed(epoch, &opened.signer))?;
        if window.seq > self.last() {
            self.ahead.push(Ahead { signer: opened.signer, window, since_ms: now_ms });
            return None;
        }
        self.judge_head(&opened.signer, &window)
    }

    fn judge_head(&self, signer: &Signer, window: &Window) -> Option<Alarm> {
        let differs = self.lines.judge(&self.room, window) == Fit::Differs;
        (differs && !self.has_not_noticed(signer)).then(|| Alarm::at(Code::Fork, window.seq))
    }

    /// Judges the signals that the log has caught up with, and those it should have by now.
    pub fn judge_ahead(&mut self, now_ms: u64) -> Vec<Alarm> {
        let last = self.last();
        let mut alarms = Vec::new();
        for ahead in std::mem::take(&mut self.ahead) {
            if ahead.window.seq <= last {
                alarms.extend(self.judge_head(&ahead.signer, &ahead.window));
            } else if now_ms.saturating_sub(ahead.since_ms) >= AHEAD_MS {
                alarms.push(Alarm::at(Code::Fork, last + 1));
            } else {
                self.ahead.push(ahead);
            }
        }
        alarms
    }
}
