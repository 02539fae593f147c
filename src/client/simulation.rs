//! Many devices of many people around one log, in memory, under an honest server and under one that lies at random.
//! Honest runs raise no alarm. After lies each device holds exactly the true log, or has raised an alarm.

use proptest::prelude::*;
use proptest::test_runner::TestRng;

use crate::bytes::{Base64, Hex, RoomId, sha256};
use crate::card;
use crate::content::{Content, Kept, State};
use crate::envelope::{self, Place};
use crate::keys::{Identity, MemberKey, OwnerSecret, Secret, room_id};
use crate::log::{Acknowledged, Alarm, Code, Epoch, Event, Log};
use crate::outbox::Outbox;
use crate::rotation::{self, Made, Renewal};

const START_MS: u64 = 1_700_000_000_000;

/// One device: whose it is, what it believes, what it has to send.
struct Device {
    person: Identity,
    log: Log,
    outbox: Outbox,
    alarms: Vec<Alarm>,
    carded: Vec<u64>,
    /// Whether its tab is open: whoever sleeps takes nothing.
    awake: bool,
}

struct World {
    owner: OwnerSecret,
    room: RoomId,
    rotations: Vec<(Made, u64)>,
    truth: Vec<Event>,
    devices: Vec<Device>,
    now_ms: u64,
    state: State,
}

impl World {
    /// `people` have `devices_each` devices each; the first device is the owner's.
    fn new(people: usize, devices_each: usize) -> Self {
        let owner = OwnerSecret::new(Secret::random());
        let room = room_id(&owner.identity().signer());
        let state = State { expires_in_s: 2_592_000, ..State::default() };
        let made = rotation::found(&owner, Base64([1; 16]), START_MS, Vec::new(), |_, _| state.clone());
        let mut persons = vec![owner.identity()];
        for _ in 1..people {
            let person = Identity::random();
            (0..devices_each).for_each(|_| persons.push(person.clone()));
        }
        let signer = owner.identity().signer();
        let devices = persons.into_iter().map(|person| Device {
            person,
            log: Log::new(room, signer),
            outbox: Outbox::default(),
            alarms: Vec::new(),
            carded: Vec::new(),
            awake: true,
        });
        let devices = devices.collect();
        let mut world =
            Self { owner, room, rotations: vec![(made, 0)], truth: Vec::new(), devices, now_ms: START_MS, state };
        for at in 0..world.devices.len() {
            world.learn_epochs(at);
        }
        world
    }

    fn last(&self) -> u64 {
        self.truth.len() as u64
    }

    fn epoch(&self) -> u64 {
        self.rotations.len() as u64 - 1
    }

    fn member(&self, epoch: u64) -> &MemberKey {
        &self.rotations[epoch as usize].0.member
    }

    fn learn_epochs(&mut self, at: usize) {
        for (made, seq) in &self.rotations {
            let reader = made.member.reader();
            let origin = made.origin.clone();
            let private = made.rotation.open_private(&reader, &origin, &made.private).expect("it opens");
            let (kept, state) = (Some(private.kept), Some(private.state));
            let epoch = Epoch { rotation: made.rotation.clone(), seq: *seq, reader: Some(reader), kept };
            assert_eq!(self.devices[at].log.learn_epoch(epoch, state), None);
        }
    }

    fn append(
        &mut self,
        kind: &str,
        client_id: String,
        author: crate::bytes::MemberId,
        target: Option<u64>,
        body: String,
    ) -> u64 {
        let seq = self.last() + 1;
        let event = Event {
            seq,
            kind: kind.to_owned(),
            client_id,
            author: Some(author),
            target,
            body,
            sent_at_ms: self.now_ms,
            erased: None,
        };
        if kind == "delete" {
            let target = target.expect("a deletion has a target");
            for event in &mut self.truth {
                if event.seq == target || (event.kind == "edit" && event.target == Some(target)) {
                    let hash = Hex(sha256(event.body.as_bytes()));
                    event.erased.get_or_insert(hash);
                    event.body.clear();
                }
            }
        }
        self.truth.push(event);
        seq
    }

    /// Seals and sends the first post of a device; a post of an epoch that is over is sealed anew.
    fn send(&mut self, at: usize) {
        let epoch = self.epoch();
        let member = self.member(epoch).clone();
        loop {
            let room = self.room;
            let device = &mut self.devices[at];
            let me = device.person.signer();
            let Some(first) = device.outbox.first() else { return };
            let must_show = first.kind != "card" && first.sealed.is_none();
            if must_show && !device.log.is_believed(epoch, &me) && !device.carded.contains(&epoch) {
                let key = Base64(*device.person.box_key().bytes());
                let words = card::content(&member, &room, epoch, (&me, key), "Somebody", None);
                device.outbox.push_card(words);
                device.carded.push(epoch);
            }
            let post = device.outbox.first().expect("one waits").clone();
            if post.sealed.is_none() {
                let content = device.outbox.content(device.log.window()).expect("one waits").to_json();
                let author = Some(device.person.author());
                let (kind, client_id) = (post.kind.as_str(), Some(post.client_id.as_str()));
                let place = Place { room: &room, epoch, kind, client_id, author, target: post.target };
                let body = envelope::seal(&member.reader().content_key(), &device.person, &place, &content);
                device.outbox.seal(epoch, body);
            }
            let post = device.outbox.first().expect("one waits").clone();
            let sealed = post.sealed.expect("it was sealed");
            let gone = post.target.is_some_and(|target| self.truth[target as usize - 1].body.is_empty());
            if gone {
                self.devices[at].outbox.discard();
                continue;
            }
            if sealed.epoch != epoch {
                self.devices[at].outbox.seal_anew();
                continue;
            }
            let author = self.devices[at].person.author();
            let seq = self.append(&post.kind, post.client_id, author, post.target, sealed.body);
            let device = &mut self.devices[at];
            let own: Acknowledged = device.outbox.acknowledge(seq).expect("it was sent");
            device.log.expect(own);
            if post.kind != "card" {
                return;
            }
        }
    }

    fn renew(&mut self, with_past: bool) {
        let (previous, _) = self.rotations.last().expect("a room begins with one");
        let owner = &self.devices[0];
        let kept = owner.log.people().map(|person| Kept {
            signer: person.signer,
            author: person.author,
            box_key: person.box_key,
            name: person.name.clone(),
        });
        let renewal = Renewal {
            kept: kept.collect(),
            with_past,
            head: owner.log.window(),
            at_ms: self.now_ms,
            ..Renewal::default()
        };
        let state = self.state.clone();
        let made = rotation::renew(&self.owner, &previous.rotation, &previous.member, renewal, |_, _| state);
        let body = rotation::event_body(&made.rotation, &made.private);
        let client_id = made.origin.client_id.clone().expect("a renewal is an event");
        let seq = self.append("rotate", client_id, self.owner.identity().author(), None, body);
        self.rotations.push((made, seq));
    }

    /// A device takes what a server shows it.
    fn show(&mut self, at: usize, view: &[Event]) {
        self.learn_epochs(at);
        let now_ms = self.now_ms;
        let device = &mut self.devices[at];
        let last = view.last().map_or(0, |event| event.seq);
        let first = view.first().map_or(1, |event| event.seq);
        device.alarms.extend(device.log.mark(None, first, last, now_ms));
        let held = device.log.last();
        for event in view.iter().filter(|event| event.seq > held) {
            device.alarms.extend(device.log.take(event.clone(), now_ms));
        }
        device.alarms.extend(device.log.mark(None, first, last, now_ms));
    }

    fn show_truth(&mut self, at: usize) {
        let truth = std::mem::take(&mut self.truth);
        let shown = truth.clone();
        self.truth = truth;
        self.show(at, &shown);
    }

    /// One honest step of somebody.
    fn step(&mut self, random: &mut TestRng) {
        self.now_ms += u64::from(random.random_below(5_000));
        let at = random.random_below(self.devices.len() as u32) as usize;
        match random.random_below(20) {
            0 if self.devices[at].log.last() > 0 => self.devices[at].awake = false,
            1 => {
                if at == 0 && self.epoch() < 12 {
                    self.show_truth(0);
                    self.renew(random.random_below(2) == 0);
                }
            }
            2..=6 => {
                self.devices[at].awake = true;
                self.show_truth(at);
            }
            7 => self.write_about(at, "react", random),
            8 => self.write_about(at, "edit", random),
            9 => self.write_about(at, "delete", random),
            10..=12 => self.write(at),
            _ => {
                self.write(at);
                self.send(at);
            }
        }
        if self.devices[at].awake && random.random_below(3) == 0 {
            self.show_truth(at);
        }
    }

    fn write(&mut self, at: usize) {
        let text = Some(format!("words of device {at}"));
        self.devices[at].outbox.push("message", None, Content { at_ms: self.now_ms, text, ..Content::default() });
    }

    fn write_about(&mut self, at: usize, kind: &str, random: &mut TestRng) {
        let device = &self.devices[at];
        let me = device.person.signer();
        let own = |signer: Option<crate::keys::Signer>| signer == Some(me);
        let aims: Vec<(u64, String)> = device
            .log
            .entries()
            .filter(|entry| entry.event.kind == "message" && !entry.event.body.is_empty())
            .filter(|entry| kind == "react" || own(entry.signer))
            .map(|entry| (entry.event.seq, entry.event.client_id.clone()))
            .collect();
        if aims.is_empty() {
            return;
        }
        let (target, target_id) = aims[random.random_below(aims.len() as u32) as usize].clone();
        let words = Content { at_ms: self.now_ms, target_id: Some(target_id), ..Content::default() };
        let words = match kind {
            "edit" => Content { text: Some("better words".to_owned()), ..words },
            "react" => Content { emoji: Some("🎉".to_owned()), on: Some(true), ..words },
            _ => words,
        };
        self.devices[at].outbox.push(kind, Some(target), words);
        self.send(at);
    }

    /// Everybody sends what waits and reads to the end, twice, so that each has seen what all have seen.
    fn settle(&mut self, view_of: &dyn Fn(&[Event], usize) -> Vec<Event>) {
        for _ in 0..2 {
            for at in 0..self.devices.len() {
                let view = view_of(&self.truth, at);
                self.show(at, &view);
                self.write(at);
                while !self.devices[at].outbox.is_empty() {
                    self.send(at);
                }
            }
            for at in 0..self.devices.len() {
                let view = view_of(&self.truth, at);
                self.show(at, &view);
            }
        }
    }
}

trait Below {
    fn random_below(&mut self, bound: u32) -> u32;
}

impl Below for TestRng {
    fn random_below(&mut self, bound: u32) -> u32 {
        self.next_u32() % bound
    }
}

fn honest(view: &[Event], _: usize) -> Vec<Event> {
    view.to_vec()
}

/// How many events the honest run has; the variable asks for a longer one.
fn honest_events() -> u64 {
    std::env::var("BUDDY_HONEST_EVENTS").ok().and_then(|count| count.parse().ok()).unwrap_or(600)
}

#[test]
fn an_honest_server_raises_no_alarm() {
    let mut random = TestRng::deterministic_rng(prop::test_runner::RngAlgorithm::ChaCha);
    let mut world = World::new(6, 2);
    while world.last() < honest_events() {
        world.step(&mut random);
    }
    world.settle(&honest);
    assert!(world.epoch() > 2, "there were renewals: {}", world.epoch());
    for (at, device) in world.devices.iter().enumerate() {
        assert_eq!(device.alarms, [], "device {at}");
        assert_eq!(device.log.last(), world.last());
        let believed =
            device.log.entries().filter(|entry| !entry.event.body.is_empty() && entry.event.kind != "rotate");
        assert!(believed.into_iter().all(|entry| entry.believed), "device {at} believes everybody");
    }
}

/// What a server does to the view of one device, for good.
#[derive(Clone, Copy, Debug)]
enum Lie {
    Drop,
    DropWithGap,
    Swap,
    Repeat,
    RepeatRenamed,
    Later,
    OtherAuthor,
    OtherBody,
    OtherTarget,
    Blank,
    BlankWithoutHash,
    Forge,
    RollBack,
    Renumber,
}

const LIES: [Lie; 14] = [
    Lie::Drop,
    Lie::DropWithGap,
    Lie::Swap,
    Lie::Repeat,
    Lie::RepeatRenamed,
    Lie::Later,
    Lie::OtherAuthor,
    Lie::OtherBody,
    Lie::OtherTarget,
    Lie::Blank,
    Lie::BlankWithoutHash,
    Lie::Forge,
    Lie::RollBack,
    Lie::Renumber,
];

fn renumbered(mut events: Vec<Event>) -> Vec<Event> {
    for (at, event) in events.iter_mut().enumerate() {
        event.seq = at as u64 + 1;
    }
    events
}

/// The log as the lie has it; `at` and `with` are places in the log when the lie began.
fn told(lie: Lie, truth: &[Event], at: usize, with: usize) -> Vec<Event> {
    let mut events = truth.to_vec();
    match lie {
        Lie::Drop => {
            events.remove(at);
            renumbered(events)
        }
        Lie::DropWithGap => {
            events.remove(at);
            events
        }
        Lie::Swap => {
            events.swap(at, with);
            renumbered(events)
        }
        Lie::Repeat => {
            let again = events[at].clone();
            events.insert(at.max(with) + 1, again);
            renumbered(events)
        }
        Lie::RepeatRenamed => {
            let again = Event { client_id: crate::outbox::new_client_id(), ..events[at].clone() };
            events.insert(at.max(with) + 1, again);
            renumbered(events)
        }
        Lie::Later => {
            events[at].sent_at_ms += 1;
            events
        }
        Lie::OtherAuthor => {
            events[at].author = Some(Hex([9; 16]));
            events
        }
        Lie::OtherBody => {
            events[at].body = events[with].body.clone();
            events[at].erased = None;
            events
        }
        Lie::OtherTarget => {
            events[at].target = Some(1);
            events
        }
        Lie::Blank => {
            let hash = Hex(sha256(events[at].body.as_bytes()));
            events[at].erased.get_or_insert(hash);
            events[at].body.clear();
            events
        }
        Lie::BlankWithoutHash => {
            events[at].body.clear();
            events[at].erased = None;
            events
        }
        Lie::Forge => {
            let forged = Event {
                client_id: crate::outbox::new_client_id(),
                body: format!("{}A", events[at].body),
                ..events[at].clone()
            };
            events.insert(at, forged);
            renumbered(events)
        }
        Lie::RollBack => {
            events.drain(at..=at.max(with));
            renumbered(events)
        }
        Lie::Renumber => {
            for event in &mut events[at..] {
                event.seq += 1;
            }
            events
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn after_a_lie_a_device_has_the_true_log_or_an_alarm(
        seed in any::<[u8; 32]>(),
        lie in prop::sample::select(&LIES[..]),
        at in any::<prop::sample::Index>(),
        with in any::<prop::sample::Index>(),
        newcomer in any::<bool>(),
        steps in 10u32..60,
    ) {
        let mut random = TestRng::from_seed(prop::test_runner::RngAlgorithm::ChaCha, &seed);
        let mut world = World::new(4, 1);
        for _ in 0..steps {
            world.step(&mut random);
        }
        world.settle(&honest);
        let length = world.truth.len();
        let (at, with) = (at.index(length), with.index(length));
        // The lie is told to the last device: to one that knows the log so far, or to one that comes anew.
        let victim = world.devices.len() - 1;
        if newcomer {
            let fresh = Log::new(world.room, world.owner.identity().signer());
            world.devices[victim].log = fresh;
            world.learn_epochs(victim);
        }
        let view_of = move |truth: &[Event], device: usize| {
            if device == victim { told(lie, truth, at, with) } else { truth.to_vec() }
        };
        world.settle(&view_of);

        let device = &world.devices[victim];
        let lines: Vec<String> = device.log.lines().iter().map(|line| line.text()).collect();
        let truth: Vec<String> = world.truth.iter().map(|event| event.line().text()).collect();
        let blanked = world.truth.iter().zip(view_of(&world.truth, victim)).any(|(true_event, shown)| true_event.body != shown.body);
        let exact = lines == truth && (!blanked || !newcomer);
        prop_assert!(exact || !device.alarms.is_empty(), "{lie:?} at {at} with {with} of {length} went unseen");
        // Whoever had read it all already and is only shown again what they know has nothing to complain of.
        if device.alarms.is_empty() {
            prop_assert!(lines == truth);
        }
    }
}

#[test]
fn one_divergence_of_a_restored_backup_is_told_once() {
    let mut random = TestRng::deterministic_rng(prop::test_runner::RngAlgorithm::ChaCha);
    let mut world = World::new(4, 1);
    for _ in 0..80 {
        world.step(&mut random);
    }
    world.settle(&honest);
    for device in &mut world.devices {
        device.alarms.extend(device.log.mark(Some("first"), 1, device.log.last(), START_MS));
    }
    // The last ten events are lost, and the log has another name; somebody writes before they have noticed.
    let kept = world.truth.len() - 10;
    if world.rotations.iter().any(|(_, seq)| *seq > kept as u64) {
        return;
    }
    world.truth.truncate(kept);
    world.write(1);
    world.send(1);
    let last = world.last();
    for device in &mut world.devices {
        device.alarms.extend(device.log.mark(Some("second"), 1, last, START_MS));
        device.outbox.forget_last();
    }
    world.settle(&honest);
    for (at, device) in world.devices.iter().enumerate() {
        assert_eq!(device.alarms, [Alarm::of_room(Code::Diverged)], "device {at}");
    }
}
