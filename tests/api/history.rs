//! Reading a room's log in pages, and the order it is in: sections 3 and 4.

use buddy_tests::{Room, Server, message, sequences};
use serde_json::json;

/// A room with `count` messages, numbered from 1.
async fn room_with(server: &Server, count: u64) -> Room {
    let room = server.open_room().await;
    room.say_many(1..=count).await;
    room
}

#[tokio::test]
async fn an_empty_room_counts_from_one_to_zero() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let empty = json!({ "messages": [], "first_seq": 1, "last_seq": 0 });
    for query in ["", "?after=0", "?limit=1"] {
        assert_eq!(room.page(query).await, empty, "{query}");
    }
    let state = room.state().await;
    assert_eq!((&state["first_seq"], &state["last_seq"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn history_is_read_in_pages_from_either_end() {
    let server = Server::setup().without_rate_limits().start().await;
    let room = room_with(&server, 120).await;
    let numbers = |range: std::ops::RangeInclusive<u64>| range.collect::<Vec<_>>();
    for (query, expected) in [
        ("", numbers(71..=120)),
        ("?limit=3", numbers(118..=120)),
        ("?limit=200", numbers(1..=120)),
        ("?after=0", numbers(1..=50)),
        ("?%61fter=%30&limit=%35", numbers(1..=5)),
        ("?after=0&limit=1", numbers(1..=1)),
        ("?after=50", numbers(51..=100)),
        ("?after=100", numbers(101..=120)),
        ("?after=119&limit=200", numbers(120..=120)),
        ("?after=120", vec![]),
        ("?before=121&limit=2", numbers(119..=120)),
        ("?before=120", numbers(70..=119)),
        ("?before=51", numbers(1..=50)),
        ("?before=4", numbers(1..=3)),
        ("?before=1", vec![]),
        ("?limit=2&after=7", numbers(8..=9)),
    ] {
        let answer = room.page(query).await;
        assert_eq!(sequences(&answer), expected, "{query}");
        assert_eq!((&answer["first_seq"], &answer["last_seq"]), (&json!(1), &json!(120)), "{query}");
    }
    let all = room.events_after(0).await;
    assert!(all.iter().enumerate().all(|(at, event)| event["body"] == format!("message {}", at + 1)));
}

#[tokio::test]
async fn a_cursor_or_limit_out_of_range_is_refused() {
    let server = Server::start().await;
    let room = room_with(&server, 2).await;
    for query in [
        "?limit=0",
        "?limit=201",
        "?limit=-1",
        "?limit=",
        "?limit=ten",
        "?limit=1.5",
        "?limit=99999999999999999999",
        "?after=-1",
        "?after=x",
        "?after=1e3",
        "?after=",
        "?after=9223372036854775808",
        "?after=99999999999999999999999",
        "?before=-1",
        "?before=x",
        "?before=9223372036854775808",
        "?after=1&before=2",
        "?before=2&after=1&limit=5",
    ] {
        let answer = room.history(query).send().await;
        assert_eq!(answer.status(), 400, "{query} was accepted: {answer}");
        answer.must_fail(400, "invalid_request");
    }
}

#[tokio::test]
async fn sent_at_never_decreases_along_the_log() {
    let server = Server::setup().without_rate_limits().start().await;
    let room = room_with(&server, 30).await;
    let events = room.events_after(0).await;
    let times: Vec<_> = events.iter().map(|event| event["sent_at_ms"].as_u64().expect("a time")).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test]
async fn sent_at_does_not_fall_behind_the_rooms_last_even_when_the_clock_does() {
    let server = Server::start().await;
    let room = server.open_room().await;
    room.say("from the present").await;
    // What a clock that was an hour ahead would have left behind.
    let ahead = i64::try_from(buddy_tests::now_ms()).expect("fits") + 3_600_000;
    let database = server.database();
    database.execute("UPDATE event SET sent_at_ms = ?1", [ahead]);
    database.execute("UPDATE room SET last_at_ms = ?1, expires_at_ms = ?1 + 86400000", [ahead]);
    let stored = room.post(&message("after the clock was set back")).send().await.must_be(201).json();
    assert_eq!(stored["sent_at_ms"], ahead);
}

#[tokio::test]
async fn a_page_ends_with_the_event_that_brings_it_to_a_mebibyte_of_json() {
    let server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    // In JSON each byte of these bodies takes six.
    let body = "\u{1}".repeat(16_000);
    for _ in 0..25 {
        room.say(&body).await;
    }
    let fits = (1 << 20) / 96_000 + 1;
    for (query, expected) in [
        ("?limit=200", 26 - fits..=25),
        ("?before=20&limit=200", 20 - fits..=19),
        ("?after=3&limit=200", 4..=3 + fits),
        ("?after=20&limit=200", 21..=25),
    ] {
        let answer = room.history(query).send().await.must_be(200);
        assert!(answer.body().len() < (1 << 20) + 97_000, "{query}: {} bytes", answer.body().len());
        assert_eq!(sequences(&answer.json()), expected.collect::<Vec<_>>(), "{query}");
    }
}
