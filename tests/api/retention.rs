//! What expires is never shown, and in the end not stored either: section 3, "Retention".

use buddy_tests::{Server, act, eventually, message, messages, now_ms, sequences};
use serde_json::json;

#[tokio::test]
async fn an_expired_message_is_not_shown_and_the_sequence_goes_on() {
    let server = Server::start().await;
    let room = server.room(json!({ "message_ttl_s": 1 })).await;
    let stored = room.post(&message("soon gone")).send().await.must_be(201).json();
    let expiry = stored["sent_at_ms"].as_u64().expect("a time") + 1000;
    let page = eventually("the message expires", async || {
        let asked_at = now_ms();
        let page = room.page("").await;
        let gone = messages(&page).is_empty();
        assert!(gone || asked_at <= expiry + 5, "shown {} ms after it expired", asked_at - expiry);
        gone.then_some(page)
    })
    .await;
    assert!(now_ms() >= expiry, "it was shown for its whole lifetime");
    assert_eq!(page, json!({ "messages": [], "first_seq": 2, "last_seq": 1 }));
    let state = room.state().await;
    assert_eq!((&state["first_seq"], &state["last_seq"]), (&json!(2), &json!(1)));
    for query in ["?after=0", "?before=2", "?after=1"] {
        assert!(messages(&room.page(query).await).is_empty(), "{query}");
    }
    room.post(&act("react", 1, "+1")).send().await.must_fail(400, "invalid_request");
    assert_eq!(room.say("next").await, 2, "the sequence is never used again");
    assert_eq!(sequences(&room.page("").await), [2]);
}

#[tokio::test]
async fn a_message_lives_as_long_as_it_should() {
    let server = Server::start().await;
    let room = server.room(json!({ "message_ttl_s": 3600 })).await;
    room.say("for an hour").await;
    // An earlier, shorter lifetime of another room must not leak into this one.
    let short = server.room(json!({ "message_ttl_s": 1 })).await;
    short.say("for a second").await;
    eventually("the short one expires", async || messages(&short.page("").await).is_empty().then_some(())).await;
    assert_eq!(sequences(&room.page("").await), [1]);
}

#[tokio::test]
async fn a_longer_lifetime_brings_nothing_back() {
    let server = Server::start().await;
    let room = server.room(json!({ "message_ttl_s": 1 })).await;
    room.say("gone for good").await;
    room.say("this too").await;
    eventually("both expire", async || messages(&room.page("").await).is_empty().then_some(())).await;
    let state = room.patch(json!({ "message_ttl_s": null })).send().await.must_be(200).json();
    assert_eq!((&state["first_seq"], &state["last_seq"]), (&json!(3), &json!(3)), "{state}");
    assert_eq!(sequences(&room.page("").await), [3]);
    room.say("kept").await;
    let page = room.page("?after=0").await;
    assert_eq!(sequences(&page), [3, 4]);
    assert_eq!(page["first_seq"], 3);
}

#[tokio::test]
async fn a_shorter_lifetime_applies_to_what_is_there() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let sent = room.post(&message("old")).send().await.must_be(201).json()["sent_at_ms"].as_u64().expect("a time");
    eventually("a second passes", async || (now_ms() > sent + 1500).then_some(())).await;
    let state = room.patch(json!({ "message_ttl_s": 1 })).send().await.must_be(200).json();
    assert_eq!(state["first_seq"], 2, "what is older than the new lifetime is gone: {state}");
    assert!(!sequences(&room.page("").await).contains(&1));
}

#[tokio::test]
async fn first_seq_never_decreases() {
    let server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    let mut highest = 0;
    let lifetimes = [json!(1), json!(null), json!(2), json!(3600), json!(1), json!(0)];
    for lifetime in lifetimes {
        room.patch(json!({ "message_ttl_s": lifetime })).send().await.must_be(200);
        let start = now_ms();
        while now_ms() < start + 700 {
            let sent = room.post(&message("x")).send().await.must_be(201).json()["seq"].as_u64().expect("a sequence");
            let page = room.page("").await;
            let first = page["first_seq"].as_u64().expect("a sequence");
            assert!(first >= highest, "{first} after {highest}");
            highest = first;
            assert!(page["last_seq"].as_u64().expect("a sequence") >= sent);
            let shown = sequences(&page);
            assert!(shown.first().is_none_or(|shown| *shown >= first), "{shown:?} below {first}");
            assert!(shown.is_sorted() && shown.windows(2).all(|pair| pair[1] == pair[0] + 1), "dense: {shown:?}");
        }
    }
    assert!(highest > 1, "something did expire");
}

#[tokio::test]
async fn expired_rows_are_really_deleted_but_not_within_ten_seconds() {
    let server = Server::start().await;
    let room = server.room(json!({ "message_ttl_s": 1 })).await;
    let post = message("to be swept away");
    let sent = room.post(&post).send().await.must_be(201).json()["sent_at_ms"].as_u64().expect("a time");
    let database = server.database();
    let deleted_by = eventually("the row is deleted by passing requests", async || {
        // Reads of any room are enough.
        room.page("").await;
        (!database.contains("to be swept away")).then(now_ms)
    })
    .await;
    assert!(deleted_by >= sent + 10_000, "kept for 10 s after it was written, not {} ms", deleted_by - sent);
    // A client_id is remembered as long as its event is kept.
    assert_eq!(room.post(&post).send().await.must_be(201).json()["seq"], 2);
}

#[tokio::test]
async fn when_a_message_expires_its_edits_are_blanked() {
    let server = Server::start().await;
    let room = server.room(json!({ "message_ttl_s": 8 })).await;
    let sent = room.post(&message("first")).author("me").send().await.must_be(201).json();
    let sent = sent["sent_at_ms"].as_u64().expect("a time");
    eventually("a while passes", async || (now_ms() > sent + 4000).then_some(())).await;
    room.act_as("me", "edit", 1, "an edit with the same secret").await;
    let page = eventually("the message expires, the edit does not yet", async || {
        let page = room.page("").await;
        (sequences(&page) != [1, 2]).then_some(page)
    })
    .await;
    assert_eq!(sequences(&page), [2]);
    assert_eq!(messages(&page)[0]["body"], "", "{page}");
    let mut stream = room.stream_after(1).await;
    let event = stream.next_named("edit").await;
    assert_eq!(event.data()["body"], "", "a replay shows no more than history");
}

#[tokio::test]
async fn a_room_expires_some_time_after_its_last_event() {
    let server = Server::start().await;
    let room = server.room(json!({ "expires_in_s": 2 })).await;
    let sent = room.post(&message("the last words")).send().await.must_be(201).json();
    let expiry = sent["sent_at_ms"].as_u64().expect("a time") + 2000;
    eventually("the room expires", async || {
        let answer = room.get().send().await;
        if answer.status() == 200 { None } else { Some(answer.must_fail(404, "room_not_found")) }
    })
    .await;
    assert!(now_ms() >= expiry, "not before its time");
    room.history("").send().await.must_fail(404, "room_not_found");
    room.post(&message("too late")).send().await.must_fail(404, "room_not_found");
    room.patch(json!({ "expires_in_s": 60 })).send().await.must_fail(404, "room_not_found");
    room.delete().send().await.must_fail(404, "room_not_found");
    assert_eq!(room.stream().await.status(), 404);
    let other = server.open_room().await;
    let database = server.database();
    eventually("the expired room's rows are deleted", async || {
        other.page("").await;
        (!database.contains("the last words")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_event_keeps_a_room_alive() {
    let server = Server::setup().without_rate_limits().start().await;
    let room = server.room(json!({ "expires_in_s": 3 })).await;
    let made = now_ms();
    eventually("the room outlives its first expiry", async || {
        room.say("still here").await;
        (now_ms() > made + 4500).then_some(())
    })
    .await;
    room.get().send().await.must_be(200);
}

#[tokio::test]
async fn freed_pages_are_given_back() {
    let server = Server::setup().without_rate_limits().start().await;
    assert_eq!(server.database().value::<i64>("PRAGMA auto_vacuum", []), 2, "incremental");
    let room = server.open_room().await;
    let body = "z".repeat(16_000);
    for _ in 0..60 {
        room.say(&body).await;
    }
    let pages = || server.database().value::<i64>("PRAGMA page_count", []);
    let full = pages();
    room.delete().send().await.must_be(204);
    let other = server.open_room().await;
    eventually("the file shrinks", async || {
        other.get().send().await.must_be(200);
        (pages() < full - 150).then_some(())
    })
    .await;
}
