//! Many clients at once: one statement settles a post, so the log stays dense and every repeat is recognised.

use std::collections::{HashMap, HashSet};

use buddy_tests::{Room, Server, message, messages};
use futures::future::join_all;
use serde_json::Value;

/// What one client learned: each of its posts with the answer that stored it.
async fn write(room: Room, author: String, count: usize) -> Vec<(Value, Value)> {
    let mut answers = Vec::new();
    for number in 0..count {
        let post = message(&format!("{author} {number}"));
        // Twice at the same time and once later: exactly one of them is stored.
        let (one, two) =
            futures::join!(room.post(&post).author(&author).send(), room.post(&post).author(&author).send());
        let mut statuses = [one.status(), two.status()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 201], "{one}\n{two}");
        assert_eq!(one.json(), two.json());
        let later = room.post(&post).author(&author).send().await.must_be(200).json();
        assert_eq!(later, one.json());
        answers.push((post, later));
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_clients_posting_at_once_with_repeats_lose_and_double_nothing() {
    const CLIENTS: usize = 40;
    const POSTS: usize = 10;
    let server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    let mut stream = room.stream_after(0).await;
    stream.hello().await;
    let writers = (0..CLIENTS).map(|client| {
        // A connection of its own for every client.
        let room = room.at(&server.api());
        tokio::spawn(write(room, format!("client {client}"), POSTS))
    });
    let mut stored = HashMap::new();
    for writer in join_all(writers).await {
        for (post, answer) in writer.expect("no client failed") {
            let seq = answer["seq"].as_u64().expect("a sequence");
            assert!(stored.insert(seq, (post, answer)).is_none(), "{seq} was given out twice");
        }
    }
    let total = (CLIENTS * POSTS) as u64;
    let events = room.events_after(0).await;
    let seqs: Vec<_> = events.iter().map(|event| event["seq"].as_u64().expect("a sequence")).collect();
    assert_eq!(seqs, (1..=total).collect::<Vec<_>>(), "dense");
    for event in &events {
        let (post, answer) = &stored[&event["seq"].as_u64().expect("a sequence")];
        assert_eq!((&event["client_id"], &event["body"]), (&post["client_id"], &post["body"]));
        assert_eq!(event["sent_at_ms"], answer["sent_at_ms"]);
    }
    let times: Vec<_> = events.iter().map(|event| event["sent_at_ms"].as_u64().expect("a time")).collect();
    assert!(times.is_sorted(), "sent_at_ms never decreases with the sequence");
    assert_eq!(stream.events_until(total).await, events, "a reader saw the same, live");
}

#[tokio::test]
async fn one_post_sent_many_times_at_once_is_stored_once() {
    let server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    let post = message("once");
    let answers = join_all((0..30).map(|_| room.post(&post).send())).await;
    let created = answers.iter().filter(|answer| answer.status() == 201).count();
    assert_eq!(created, 1);
    let distinct: HashSet<_> = answers.iter().map(|answer| answer.json().to_string()).collect();
    assert_eq!(distinct.len(), 1, "all get the same answer: {distinct:?}");
    assert_eq!(room.state().await["last_seq"], 1);
}

#[tokio::test]
async fn of_many_deletions_of_one_message_one_is_stored() {
    let server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    let target = room.say_as("me", "x").await;
    let deletions = (0..20)
        .map(|_| async { room.post(&buddy_tests::act("delete", target, "x")).author("me").send().await.status() });
    let statuses = join_all(deletions).await;
    assert_eq!(statuses.iter().filter(|&&status| status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 201 | 400)), "{statuses:?}");
}

#[tokio::test]
async fn changes_by_the_owner_fall_between_posts_without_a_gap() {
    let server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    let posting = join_all((0..40).map(|_| room.say("x")));
    let changing = async {
        for number in 0..15 {
            room.patch(serde_json::json!({ "about": format!("v1.{number}") })).send().await.must_be(200);
        }
    };
    let (mut seqs, ()) = futures::join!(posting, changing);
    let events = room.events_after(0).await;
    assert_eq!(events.len(), 55);
    let changes = events.iter().filter(|event| event["kind"] == "room").count();
    assert_eq!(changes, 15);
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs.len(), 40);
}

#[tokio::test]
async fn making_many_rooms_at_once_works_from_the_first_request_on() {
    let server = Server::setup().without_rate_limits().expect_unhealthy().start().await;
    // Nobody has asked for anything yet: the schema is applied under the rush.
    let rooms = join_all((0..30).map(|_| server.open_room())).await;
    let ids: HashSet<_> = rooms.iter().map(|room| room.id.clone()).collect();
    assert_eq!(ids.len(), 30);
    for room in rooms {
        assert!(messages(&room.page("").await).is_empty());
    }
}
