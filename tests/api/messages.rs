//! Posting to a room's log and reading it: section 3, and the rows for `messages` in section 4.

use buddy_tests::{Room, Server, act, client_id, is_hex, member_id, message, messages, sequences};
use serde_json::{Value, json};

/// A room with `count` messages, numbered from 1.
async fn room_with(server: &Server, count: u64) -> Room {
    let room = server.open_room().await;
    for number in 1..=count {
        room.say(&format!("message {number}")).await;
    }
    room
}

async fn page(room: &Room, query: &str) -> Value {
    room.history(query).send().await.must_be(200).json()
}

#[tokio::test]
async fn a_posted_message_is_read_back_as_it_was_sent() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let before = buddy_tests::now_ms();
    let post = json!({ "client_id": client_id(), "kind": "message", "body": "hello" });
    let stored = room.post(&post).author("my secret").send().await.must_be(201);
    stored.must_have_type("application/json");
    let stored = stored.json();
    assert_eq!(stored["seq"], 1);
    let at = stored["sent_at_ms"].as_u64().expect("a time");
    assert!((before.saturating_sub(1000)..=buddy_tests::now_ms() + 1000).contains(&at), "{stored}");
    assert_eq!(stored.as_object().expect("an object").len(), 2, "{stored}");

    let history = page(&room, "").await;
    let expected = json!({
        "seq": 1, "kind": "message", "client_id": post["client_id"], "author": member_id("my secret"),
        "target": null, "body": "hello", "sent_at_ms": at,
    });
    assert_eq!(history, json!({ "messages": [expected], "first_seq": 1, "last_seq": 1 }));
}

#[tokio::test]
async fn kind_and_target_may_be_absent_or_null() {
    let server = Server::start().await;
    let room = server.open_room().await;
    for post in [
        json!({ "client_id": client_id(), "body": "a" }),
        json!({ "client_id": client_id(), "body": "b", "target": null }),
        json!({ "client_id": client_id(), "body": "c", "kind": "message", "target": null }),
    ] {
        room.post(&post).send().await.must_be(201);
    }
    for event in messages(&page(&room, "").await) {
        assert_eq!(event["kind"], "message");
        assert!(event["target"].is_null());
    }
}

#[tokio::test]
async fn any_text_comes_back_unchanged() {
    let server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    let texts = [
        "'; DROP TABLE event; --",
        "line\nbreaks\r\nand\ttabs",
        "\u{1}\u{7f}\u{85}\u{2028}\u{2029}\u{feff}\u{202e}",
        "emoji \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        "\"quoted\" \\ back / slashed",
        "data: x\n\nevent: closed\n",
        " ",
        "\u{10ffff}",
        "NULL",
        "0",
    ];
    for text in texts {
        room.say(text).await;
    }
    let history = page(&room, "").await;
    let found: Vec<_> = messages(&history).iter().map(|event| event["body"].as_str().expect("text")).collect();
    assert_eq!(found, texts);
    let mut stream = room.stream_after(0).await;
    let streamed = stream.events_until(texts.len() as u64).await;
    assert_eq!(&streamed, messages(&history), "the stream says the same");
}

#[tokio::test]
async fn a_body_may_have_exactly_as_many_bytes_as_allowed() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let full = "€".repeat(16_384 / 3) + "x";
    assert_eq!(full.len(), 16_384);
    room.say(&full).await;
    // Each byte escaped as \uXXXX: six raw bytes for one that counts.
    let escaped = "\\u0041".repeat(16_384);
    let raw = format!(r#"{{"client_id":"{}","body":"{escaped}"}}"#, client_id());
    let path = format!("{}/messages", room.path());
    server.api().post(&path).header("content-type", "application/json").body(raw).send().await.must_be(201);
    room.post(&message(&format!("{full}y"))).send().await.must_fail(413, "too_large");
    let history = page(&room, "").await;
    assert_eq!(messages(&history)[0]["body"], full);
    assert_eq!(messages(&history)[1]["body"], "A".repeat(16_384));
    assert_eq!(history["last_seq"], 2);
}

#[tokio::test]
async fn the_longest_body_can_be_set() {
    let server = Server::setup().variable("max_body_bytes", 10).start().await;
    let room = server.open_room().await;
    room.say("0123456789").await;
    room.post(&message("0123456789a")).send().await.must_fail(413, "too_large");
}

#[tokio::test]
async fn a_body_must_not_be_empty_or_missing_but_that_of_a_delete_may() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say_as("me", "x").await;
    for kind in ["message", "edit", "react"] {
        let target = if kind == "message" { Value::Null } else { json!(target) };
        let empty = json!({ "client_id": client_id(), "kind": kind, "target": target, "body": "" });
        room.post(&empty).author("me").send().await.must_fail(400, "invalid_request");
        let missing = json!({ "client_id": client_id(), "kind": kind, "target": target });
        room.post(&missing).author("me").send().await.must_fail(400, "invalid_request");
    }
    assert_eq!(room.state().await["last_seq"], 1);
    let without = json!({ "client_id": client_id(), "kind": "delete", "target": target });
    room.post(&without).author("me").send().await.must_be(201);
    let second = room.say_as("me", "y").await;
    room.act_as("me", "delete", second, "a signed reason").await;
    let history = page(&room, "").await;
    assert_eq!(messages(&history)[1]["body"], "");
    assert_eq!(messages(&history)[3]["body"], "a signed reason", "a delete's body is kept like any other");
}

#[tokio::test]
async fn a_message_answers_edits_and_reactions_name_their_target() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say_as("ann", "original").await;
    room.act_as("ben", "message", target, "an answer").await;
    room.act_as("ann", "edit", target, "better").await;
    room.act_as("ben", "react", target, "+1").await;
    let history = page(&room, "").await;
    assert_eq!(sequences(&history), [1, 2, 3, 4]);
    for (event, kind) in messages(&history).iter().zip(["message", "message", "edit", "react"]) {
        assert_eq!(event["kind"], kind);
        assert_eq!(event["target"], if event["seq"] == 1 { Value::Null } else { json!(target) });
    }
    assert_eq!(messages(&history)[0]["body"], "original", "an edit is an event of its own");
}

#[tokio::test]
async fn only_messages_that_are_kept_can_be_targets() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say_as("me", "x").await;
    let edit = room.act_as("me", "edit", target, "y").await;
    let reaction = room.act_as("me", "react", target, "+1").await;
    let change = room.patch(json!({ "about": "v1.x" })).send().await.must_be(200).json()["last_seq"].clone();
    let nothing = change.as_u64().expect("a sequence") + 1;
    for kind in ["message", "edit", "delete", "react"] {
        for target in [json!(edit), json!(reaction), change.clone(), json!(nothing), json!(0), json!(1_000_000)] {
            let post = json!({ "client_id": client_id(), "kind": kind, "target": target, "body": "x" });
            let answer = room.post(&post).author("me").send().await;
            assert_eq!(answer.status(), 400, "{post}: {answer}");
            answer.must_fail(400, "invalid_request");
        }
        for target in [json!(-1), json!("1"), json!(1.5), json!(true), json!([1])] {
            let post = json!({ "client_id": client_id(), "kind": kind, "target": target, "body": "x" });
            room.post(&post).author("me").send().await.must_fail(400, "invalid_request");
        }
    }
    for kind in ["edit", "delete", "react"] {
        let post = json!({ "client_id": client_id(), "kind": kind, "body": "x" });
        room.post(&post).author("me").send().await.must_fail(400, "invalid_request");
    }
    assert_eq!(room.state().await["last_seq"], change);
}

#[tokio::test]
async fn a_target_in_another_room_is_no_target() {
    let server = Server::start().await;
    let (full, empty) = (room_with(&server, 3).await, server.open_room().await);
    empty.post(&act("react", 2, "+1")).send().await.must_fail(400, "invalid_request");
    assert_eq!(full.state().await["last_seq"], 3);
}

#[tokio::test]
async fn only_the_author_edits_a_message() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say_as("ann", "mine").await;
    room.post(&act("edit", target, "stolen")).author("ben").send().await.must_fail(403, "not_allowed");
    room.post(&act("edit", target, "stolen")).send().await.must_fail(403, "not_allowed");
    let owner = room.post(&act("edit", target, "overruled")).token(room.owner()).author("own");
    owner.send().await.must_fail(403, "not_allowed");
    assert_eq!(room.act_as("ann", "edit", target, "still mine").await, 2);
}

#[tokio::test]
async fn the_author_or_the_owner_deletes_a_message_and_nobody_else() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let (first, second) = (room.say_as("ann", "one").await, room.say_as("ann", "two").await);
    room.post(&act("delete", first, "x")).author("ben").send().await.must_fail(403, "not_allowed");
    room.post(&act("delete", first, "x")).send().await.must_fail(403, "not_allowed");
    room.act_as("ann", "delete", first, "x").await;
    room.post(&act("delete", second, "x")).token(room.owner()).send().await.must_be(201);
    let history = page(&room, "").await;
    assert_eq!(messages(&history)[0]["body"], "");
    assert_eq!(messages(&history)[1]["body"], "");
}

#[tokio::test]
async fn an_anonymous_post_belongs_to_nobody() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say("who was that").await;
    assert!(messages(&page(&room, "").await)[0]["author"].is_null());
    for author in [None, Some("ann")] {
        for kind in ["edit", "delete"] {
            let post = room.post(&act(kind, target, "x"));
            let post = if let Some(author) = author { post.author(author) } else { post };
            post.send().await.must_fail(403, "not_allowed");
        }
    }
    room.post(&act("delete", target, "x")).token(room.owner()).send().await.must_be(201);
}

#[tokio::test]
async fn a_member_id_is_public_and_the_secret_is_not() {
    let server = Server::start().await;
    let room = server.open_room().await;
    room.say_as("a secret of mine", "hello").await;
    let history = room.history("").send().await.must_be(200);
    assert!(!history.text().contains("a secret of mine"));
    let author = messages(&history.json())[0]["author"].as_str().expect("a member id").to_owned();
    assert!(is_hex(&author, 32), "{author}");
    assert!(!server.database().contains("a secret of mine"));
}

#[tokio::test]
async fn a_deletion_blanks_the_message_and_its_edits_in_the_table_too() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let kept = room.say_as("ann", "kept for good").await;
    let target = room.say_as("ann", "first wording").await;
    room.act_as("ann", "edit", target, "second wording").await;
    room.act_as("ann", "edit", kept, "kept wording").await;
    room.act_as("ann", "edit", target, "third wording").await;
    room.act_as("ben", "message", target, "an answer to it").await;
    assert_eq!(server.database().count("wording"), 4);
    room.act_as("ann", "delete", target, "gone").await;

    let database = server.database();
    for text in ["first wording", "second wording", "third wording"] {
        assert!(!database.contains(text), "{text} is still stored");
    }
    assert!(database.contains("kept wording") && database.contains("kept for good"));
    let history = page(&room, "").await;
    let bodies: Vec<_> = messages(&history).iter().map(|event| event["body"].as_str().expect("text")).collect();
    assert_eq!(bodies, ["kept for good", "", "", "kept wording", "", "an answer to it", "gone"]);
    assert_eq!(sequences(&history), [1, 2, 3, 4, 5, 6, 7], "the log stays dense");
    let mut stream = room.stream_after(0).await;
    assert_eq!(&stream.events_until(7).await, messages(&history), "a replay shows nothing more");
}

#[tokio::test]
async fn an_erased_message_is_no_target() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say_as("me", "x").await;
    room.act_as("me", "delete", target, "x").await;
    for kind in ["message", "edit", "delete", "react"] {
        room.post(&act(kind, target, "y")).author("me").send().await.must_fail(400, "invalid_request");
    }
    room.post(&act("delete", target, "y")).token(room.owner()).send().await.must_fail(400, "invalid_request");
    assert_eq!(room.state().await["last_seq"], 2);
}

#[tokio::test]
async fn clients_cannot_post_room_events_or_unknown_kinds() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say("x").await;
    for kind in [json!("room"), json!("Message"), json!("signal"), json!(""), json!(1), json!(["message"])] {
        for target in [Value::Null, json!(target)] {
            let post = json!({ "client_id": client_id(), "kind": kind, "target": target, "body": "{}" });
            room.post(&post).token(room.owner()).send().await.must_fail(400, "invalid_request");
        }
    }
}

#[tokio::test]
async fn the_same_post_again_gets_the_first_answer() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say_as("me", "zero").await;
    for post in [
        message("one"),
        act("message", target, "two"),
        act("edit", target, "three"),
        act("react", target, "four"),
        json!({ "client_id": client_id(), "kind": "delete", "target": target }),
    ] {
        let first = room.post(&post).author("me").send().await.must_be(201).json();
        room.say("something between").await;
        let again = room.post(&post).author("me").send().await.must_be(200).json();
        assert_eq!(again, first, "{post}");
    }
    assert_eq!(room.state().await["last_seq"], 11, "repeats add nothing");
}

#[tokio::test]
async fn a_client_id_with_other_content_is_refused() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let (target, other) = (room.say_as("me", "a").await, room.say_as("me", "b").await);
    let post = act("edit", target, "text");
    room.post(&post).author("me").send().await.must_be(201);
    let with = |name: &str, value: Value| {
        let mut post = post.clone();
        post[name] = value;
        post
    };
    for changed in [with("body", json!("other text")), with("kind", json!("react")), with("target", json!(other))] {
        room.post(&changed).author("me").send().await.must_fail(409, "client_id_reused");
    }
    let mine = message("anyone's");
    room.post(&mine).author("me").send().await.must_be(201);
    room.post(&mine).author("you").send().await.must_fail(409, "client_id_reused");
    room.post(&mine).send().await.must_fail(409, "client_id_reused");
    assert_eq!(room.state().await["last_seq"], 4);
}

#[tokio::test]
async fn a_blanked_body_is_not_compared() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let post = message("to be erased");
    let first = room.post(&post).author("me").send().await.must_be(201).json();
    room.act_as("me", "delete", 1, "x").await;
    assert_eq!(room.post(&post).author("me").send().await.must_be(200).json(), first);
    let other = json!({ "client_id": post["client_id"], "body": "something else" });
    assert_eq!(room.post(&other).author("me").send().await.must_be(200).json(), first);
    room.post(&other).author("you").send().await.must_fail(409, "client_id_reused");
    let history = page(&room, "").await;
    assert_eq!(messages(&history)[0]["body"], "", "a repeat brings nothing back");
}

#[tokio::test]
async fn a_client_id_is_a_canonical_lowercase_uuid() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let id = "6f9619ff-8b86-d011-b42d-00c04fc964ff";
    for wrong in [
        json!(id.to_uppercase()),
        json!(id.replace('-', "")),
        json!(format!("{{{id}}}")),
        json!(format!("urn:uuid:{id}")),
        json!(format!(" {id}")),
        json!(&id[..35]),
        json!(format!("{id}0")),
        json!(""),
        json!(null),
        json!(7),
        json!("6f9619ff-8b86-d011-b42d-00c04fc964fg"),
        json!("6f9619ff8-b86-d011-b42d-00c04fc964ff"),
    ] {
        let answer = room.post(&json!({ "client_id": wrong, "body": "x" })).send().await;
        assert_eq!(answer.status(), 400, "{wrong} was accepted: {answer}");
        answer.must_fail(400, "invalid_request");
    }
    room.post(&json!({ "body": "x" })).send().await.must_fail(400, "invalid_request");
    room.post(&json!({ "client_id": id, "body": "x" })).send().await.must_be(201);
}

#[tokio::test]
async fn an_empty_room_counts_from_one_to_zero() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let empty = json!({ "messages": [], "first_seq": 1, "last_seq": 0 });
    for query in ["", "?after=0", "?limit=1"] {
        assert_eq!(page(&room, query).await, empty, "{query}");
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
        let answer = page(&room, query).await;
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
