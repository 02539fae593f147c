//! People who write until they are told to stop, each post until it is acknowledged; and what must be true afterwards.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use buddy_tests::{Api, Room, Server, eventually, message};
use futures::future::join_all;
use serde_json::Value;

/// What was acknowledged: the post of each sequence, and how long the server took each time it was asked.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) posts: BTreeMap<u64, Value>,
    pub(crate) took: Vec<Duration>,
    /// Answers other than an acknowledgement, by status; 0 stands for none at all.
    pub(crate) refusals: BTreeMap<u16, usize>,
}

/// Has `people` write at once until `stop`. Where each of them writes they ask for before every attempt.
pub(crate) async fn write(room: &Room, people: usize, stop: &AtomicBool, address: impl Fn(usize) -> String) -> Written {
    let address = &address;
    let write = |person: usize| write_alone(room, person, stop, move || address(person));
    let mut all = Written::default();
    for written in join_all((0..people).map(write)).await {
        for (seq, post) in written.posts {
            assert!(all.posts.insert(seq, post).is_none(), "{seq} was given out twice");
        }
        all.took.extend(written.took);
        for (status, times) in written.refusals {
            *all.refusals.entry(status).or_default() += times;
        }
    }
    all.took.sort_unstable();
    all
}

async fn write_alone(room: &Room, person: usize, stop: &AtomicBool, address: impl Fn() -> String) -> Written {
    let mut written = Written::default();
    let author = format!("person {person}");
    let mut api = Api::new(&address());
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let post = message(&format!("{author}, {number}"));
        let seq = eventually("a post is acknowledged", async || {
            let at = address();
            if api.address() != at {
                api = Api::new(&at);
            }
            let began = Instant::now();
            let answer = room.at(&api).post(&post).author(&author).answer().await;
            let status = answer.as_ref().map_or(0, |answer| answer.status());
            if !matches!(status, 200 | 201) {
                *written.refusals.entry(status).or_default() += 1;
                // Only what passes may be in the way.
                assert!(matches!(status, 0 | 503), "a good post was refused: {:?}", answer.map(|answer| answer.json()));
                return None;
            }
            written.took.push(began.elapsed());
            answer.ok()?.json()["seq"].as_u64()
        });
        let seq = seq.await;
        assert!(written.posts.insert(seq, post).is_none(), "{seq} was given out twice");
    }
    written
}

impl Written {
    /// How long the part `of` 1 of all answers took at most.
    pub(crate) fn quantile(&self, of: f64) -> Duration {
        let at = ((self.took.len() - 1) as f64 * of) as usize;
        self.took[at]
    }

    /// Fails unless the room holds exactly what was acknowledged, dense and in order.
    pub(crate) async fn must_be_all_of(&self, room: &Room) {
        let events = eventually("the room is read", async || {
            let state = room.get().answer().await.ok()?;
            if state.status() == 200 { Some(room.events_after(0).await) } else { None }
        });
        let events = events.await;
        assert_eq!(events.len(), self.posts.len(), "as many as were acknowledged");
        for (event, (seq, post)) in events.iter().zip(&self.posts) {
            assert_eq!(event["seq"], *seq);
            assert_eq!((&event["client_id"], &event["body"]), (&post["client_id"], &post["body"]), "{seq}");
        }
        assert!(self.posts.keys().copied().eq(1..=self.posts.len() as u64), "dense");
    }
}

/// Reads a room as a browser does, with a new stream from its cursor whenever one breaks, until it has seen `last`.
pub(crate) async fn read(room: &Room, last: impl Fn() -> Option<u64>, address: impl Fn() -> String) -> Vec<u64> {
    let mut seen: Vec<u64> = Vec::new();
    let is_done = |seen: &[u64]| last().is_some_and(|last| seen.last().copied().unwrap_or(0) >= last);
    let path = format!("{}/stream", room.path());
    while !is_done(&seen) {
        let after = seen.last().copied().unwrap_or(0).to_string();
        let headers = [("last-event-id", after.as_str())];
        let Ok(mut stream) = buddy_tests::Stream::try_open(&address(), &path, &headers).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        while !is_done(&seen) {
            let Ok(block) = tokio::time::timeout(Duration::from_secs(4), stream.try_next()).await else { break };
            let Ok(Some(block)) = block else { break };
            if block.event() == Some("message") {
                seen.push(block.id().expect("a message has an id"));
            }
        }
    }
    seen
}

/// Fails if anything that was printed holds one of the storage's secrets.
pub(crate) fn no_secret_in_logs(server: &Server) {
    let storage = server.storage();
    for secret in storage.secrets() {
        for log in [server.log(), storage.sqld("default").log(), storage.redis().log()] {
            assert!(!log.contains(secret), "a secret is in a log:\n{log}");
        }
    }
}
