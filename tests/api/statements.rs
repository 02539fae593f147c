//! The owner's changes and farewell: docs/protocol.md, "Statements".

use buddy_tests::{Answer, KeyedRoom, OWNER, Server, base64url, client_id, eventually, member_id, message, messages};
use serde_json::{Value, json};

async fn unlimited() -> Server {
    Server::setup().without_rate_limits().start().await
}

#[tokio::test]
async fn a_change_comes_with_its_statement() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.say_as("ann", 0, "hello").await;
    let fields = json!({ "locked": true, "expires_in_s": 60, "message_ttl_s": 30 });
    let statement = room.statement(0, 0, "v2.0.stated", fields);
    let state = room.change(&statement).send().await.must_be(200).json();
    assert_eq!(
        (&state["locked"], &state["message_ttl_s"], &state["state"], &state["state_seq"], &state["last_seq"]),
        (&json!(true), &json!(30), &json!("v2.0.stated"), &json!(2), &json!(2))
    );
    let log = room.room.history("?after=1").token(room.owner()).send().await.must_be(200).json();
    let event = messages(&log)[0].clone();
    assert_eq!(
        event,
        json!({
            "seq": 2, "kind": "change", "client_id": statement["client_id"], "author": member_id(OWNER),
            "target": null, "body": "v2.0.stated", "sent_at_ms": event["sent_at_ms"],
        })
    );
    assert_eq!(state["expires_at_ms"].as_u64(), event["sent_at_ms"].as_u64().map(|at| at + 60_000));
    room.post(0, &message("x")).author("ann").send().await.must_fail(403, "room_locked");
    let read = room.room.get().token(&room.read_token(0)).send().await.must_be(200).json();
    assert_eq!(read, state);
    // A statement need not come with a change.
    let renamed = room.statement(0, 2, "v2.0.renamed", json!({}));
    let state = room.change(&renamed).send().await.must_be(200).json();
    assert_eq!(
        (&state["state"], &state["state_seq"], &state["locked"]),
        (&json!("v2.0.renamed"), &json!(3), &json!(true))
    );
    let opened = room.statement(0, 3, "v2.0.opened", json!({ "locked": false, "message_ttl_s": null }));
    let state = room.change(&opened).send().await.must_be(200).json();
    assert_eq!((&state["locked"], &state["message_ttl_s"]), (&json!(false), &json!(null)));
}

#[tokio::test]
async fn the_same_statement_again_is_answered_as_done() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    let first = room.statement(0, 0, "v2.0.first", json!({ "locked": true }));
    room.change(&first).send().await.must_be(200);
    room.change(&first).send().await.must_be(200);
    let second = room.statement(0, 1, "v2.0.second", json!({ "locked": false }));
    room.change(&second).send().await.must_be(200);
    let state = room.change(&first).send().await.must_be(200).json();
    assert_eq!(
        (&state["state"], &state["locked"], &state["last_seq"]),
        (&json!("v2.0.second"), &json!(false), &json!(2))
    );
    for (field, other) in [("statement", json!("v2.0.other")), ("locked", json!(true)), ("expires_in_s", json!(60))] {
        let mut changed = second.clone();
        changed[field] = other;
        room.change(&changed).send().await.must_fail(409, "client_id_reused");
    }
    room.renew_for(1, &[]).await;
    room.change(&second).send().await.must_be(200);
    let said = message("x");
    room.post(1, &said).author("ann").send().await.must_be(201);
    let mut reused = room.statement(1, 2, "v2.1.third", json!({}));
    reused["client_id"] = said["client_id"].clone();
    room.change(&reused).send().await.must_fail(409, "client_id_reused");
}

#[tokio::test]
async fn a_statement_goes_on_from_the_newest() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.change(&room.statement(0, 1, "v2.0.ahead", json!({}))).send().await.must_fail(409, "state_changed");
    room.change(&room.statement(1, 1, "v2.0.ahead", json!({}))).send().await.must_fail(409, "stale_epoch");
    room.change(&room.statement(0, 0, "v2.0.first", json!({}))).send().await.must_be(200);
    room.change(&room.statement(0, 0, "v2.0.late", json!({}))).send().await.must_fail(409, "state_changed");
    room.renew_for(1, &[]).await;
    room.change(&room.statement(0, 1, "v2.0.late", json!({}))).send().await.must_fail(409, "stale_epoch");
    // A renewal changes no state.
    room.change(&room.statement(1, 1, "v2.1.second", json!({}))).send().await.must_be(200);
    let statements = (0..6).map(|number| {
        let statement = room.statement(1, 3, &format!("v2.1.of{number}"), json!({}));
        let request = room.change(&statement);
        async move { request.send().await }
    });
    let answers = futures::future::join_all(statements).await;
    assert_eq!(answers.iter().filter(|answer| answer.status() == 200).count(), 1, "{answers:?}");
    for answer in answers.into_iter().filter(|answer| answer.status() != 200) {
        answer.must_fail(409, "state_changed");
    }
}

#[tokio::test]
async fn only_the_owner_states_and_in_one_form() {
    let server = Server::setup().without_rate_limits().variable("max_body_bytes", 2000).start().await;
    let room = KeyedRoom::create(&server.api()).await;
    let statement = room.statement(0, 0, "v2.0.stated", json!({ "locked": true }));
    let patch = |body: &Value| server.api().patch(&room.room.path()).json(body).author(OWNER);
    patch(&statement).token(&room.post_token(0)).send().await.must_fail(403, "not_allowed");
    patch(&statement).token(&room.read_token(0)).send().await.must_fail(403, "not_allowed");
    patch(&statement).token(&room.link_token("first")).send().await.must_fail(404, "room_not_found");
    room.room.patch(statement.clone()).send().await.must_fail(400, "invalid_request");
    for wrong in [
        json!({ "locked": true }),
        json!({ "about": "x" }),
        room.statement(0, 0, "", json!({})),
        room.statement(0, 0, "x", json!({ "about": "x" })),
        room.statement(0, 0, "x", json!({ "epoch": null })),
        room.statement(0, 0, "x", json!({ "state_seq": -1 })),
        room.statement(0, 0, "x", json!({ "client_id": "x" })),
        room.statement(0, 0, "x", json!({ "message_ttl_s": -1 })),
        room.statement(0, 0, "x", json!({ "expires_in_s": 0 })),
        room.statement(0, 0, "x", json!({ "locked": 1 })),
    ] {
        room.change(&wrong).send().await.must_fail(400, "invalid_request");
    }
    room.change(&room.statement(0, 0, &"x".repeat(2001), json!({}))).send().await.must_fail(413, "too_large");
    assert_eq!(room.state().await["last_seq"], 0);
    room.change(&room.statement(0, 0, &"x".repeat(2000), json!({}))).send().await.must_be(200);
}

#[tokio::test]
async fn a_statement_outlives_its_event() {
    let server = unlimited().await;
    let room = KeyedRoom::create_with(&server.api(), json!({ "message_ttl_s": 1 })).await;
    let statement = room.statement(0, 0, "v2.0.stated", json!({ "expires_in_s": 3600 }));
    room.change(&statement).send().await.must_be(200);
    eventually("the log is empty", async || {
        let log = room.room.history("").token(room.owner()).send().await.must_be(200).json();
        messages(&log).is_empty().then_some(())
    })
    .await;
    let state = room.state().await;
    assert_eq!((&state["state"], &state["state_seq"]), (&json!("v2.0.stated"), &json!(1)));
    room.change(&statement).send().await.must_be(200);
    assert_eq!(room.state().await["last_seq"], 1);
}

/// `room_gone` may have a farewell besides code and message.
#[track_caller]
fn gone(answer: &Answer, farewell: Option<&str>) {
    assert_eq!(answer.status(), 410, "{answer}");
    let error = answer.json()["error"].clone();
    assert_eq!(error["code"], "room_gone", "{answer}");
    assert_eq!(error.get("farewell").and_then(Value::as_str), farewell, "{answer}");
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn a_deleted_room_shows_its_farewell_to_whoever_was_in_it() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.make_link("taken back", 0, json!({})).send().await.must_be(201);
    let mut renewal = room.renewal(1, &["first"], &["ann"]);
    renewal["taken_back"] = json!([room.link_id("taken back")]);
    room.renew(&renewal).send().await.must_be(201);
    let farewell = base64url([7; 64]);
    room.delete(&farewell).send().await.must_be(204);
    let whoever = [
        room.owner().to_owned(),
        room.post_token(0),
        room.read_token(0),
        room.post_token(1),
        room.read_token(1),
        room.link_token("first"),
        room.link_token("taken back"),
    ];
    let database = server.database();
    for swept in [false, true] {
        for token in &whoever {
            gone(&room.room.get().token(token).send().await, Some(&farewell));
            gone(&room.room.history("").token(token).send().await, Some(&farewell));
            gone(&room.keys(token, "ann", "").send().await, Some(&farewell));
            let post = room.room.post(&json!({ "client_id": client_id(), "body": "x", "epoch": 1 })).token(token);
            gone(&post.author("ann").send().await, Some(&farewell));
            let signal = room.room.signal(&json!({ "kind": "here", "body": "x", "epoch": 1 })).token(token);
            gone(&signal.author("ann").send().await, Some(&farewell));
            let stream = room.room.refused_stream("", &[("authorization", &format!("Bearer {token}"))]).await;
            gone(&stream, Some(&farewell));
        }
        gone(&room.open("first", &client_id()).send().await, Some(&farewell));
        gone(&room.delete(&base64url([8; 64])).send().await, Some(&farewell));
        for stranger in ["a stranger's", &room.link_id("first")] {
            room.room.get().token(stranger).send().await.must_fail(404, "room_not_found");
            room.keys(stranger, "ann", "").send().await.must_fail(404, "room_not_found");
        }
        room.room.get().send().await.must_fail(404, "room_not_found");
        gone(&room.create_again(&server.api()).send().await, None);
        gone(&room.create_again(&server.api()).token(&room.read_token(0)).send().await, Some(&farewell));
        if !swept {
            eventually("the room's rows are swept", async || {
                gone(&room.room.get().token(room.owner()).send().await, Some(&farewell));
                server.open_room().await.state().await;
                let left = "SELECT (SELECT count(*) FROM room WHERE epoch IS NOT NULL)+(SELECT count(*) FROM rotation)
                    +(SELECT count(*) FROM link)+(SELECT count(*) FROM \"grant\")";
                (database.value::<i64>(left, []) == 0).then_some(())
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_tombstone_stands_for_so_many_days() {
    let server = Server::setup().without_rate_limits().variable("tombstone_days", 2).start().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.delete(&base64url([7; 64])).send().await.must_be(204);
    let database = server.database();
    let a_day_later = "UPDATE tombstone SET gone_at_ms = gone_at_ms - 86400000";
    let tombstones = || database.value::<i64>("SELECT count(*) FROM tombstone", []);
    database.execute(a_day_later, []);
    eventually("the room is swept", async || {
        gone(&room.room.get().token(room.owner()).send().await, Some(&base64url([7; 64])));
        server.open_room().await.state().await;
        (database.value::<i64>("SELECT count(*) FROM rotation", []) == 0).then_some(())
    })
    .await;
    assert_eq!(tombstones(), 1);
    database.execute(a_day_later, []);
    eventually("the tombstone has stood long enough", async || {
        server.open_room().await.state().await;
        (tombstones() + database.value::<i64>("SELECT count(*) FROM token", []) == 0).then_some(())
    })
    .await;
    room.room.get().token(room.owner()).send().await.must_fail(404, "room_not_found");
}

#[tokio::test]
async fn a_room_with_keys_is_deleted_with_a_farewell_only() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.room.delete().send().await.must_fail(400, "invalid_request");
    for wrong in ["", "x", &base64url([7; 63]), &(base64url([7; 64]) + "="), &base64url([7; 65])] {
        room.delete(wrong).send().await.must_fail(400, "invalid_request");
    }
    let by = |token: String| {
        server.api().delete(&room.room.path()).token(&token).header("buddy-farewell", &base64url([7; 64]))
    };
    by(room.post_token(0)).send().await.must_fail(403, "not_allowed");
    by(room.read_token(0)).send().await.must_fail(403, "not_allowed");
    by("a stranger's".to_owned()).send().await.must_fail(404, "room_not_found");
    room.say_as("ann", 0, "still here").await;
    // A plain room needs none, and is simply missing afterwards.
    let plain = server.open_room().await;
    plain.delete().send().await.must_be(204);
    plain.get().send().await.must_fail(404, "room_not_found");
    let preflight = server.api().request("OPTIONS", &room.room.path()).send().await;
    let allowed = preflight.header("access-control-allow-headers").unwrap_or_default().to_ascii_lowercase();
    assert!(allowed.contains("buddy-farewell"), "{preflight}");
}

#[tokio::test]
async fn logs_give_no_room_with_keys_away() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.card_of("the-authors-word", 0, "the-body-of-a-card").await;
    room.make_link("second", 0, json!({})).send().await.must_be(201);
    room.open("second", &client_id()).send().await.must_be(200);
    room.renew(&room.renewal(1, &["first", "second"], &["the-authors-word"])).send().await.must_be(201);
    room.keys(&room.post_token(0), "the-authors-word", "").send().await.must_be(200);
    // Things that fail inside, whose causes are logged.
    server.database().execute("UPDATE slot SET state = 'gone'", []);
    for request in [
        room.renew(&room.renewal(2, &["first", "second"], &[])),
        room.make_link("third", 1, json!({})),
        room.open("second", &client_id()),
        room.change(&room.statement(1, 0, "the-body-of-a-statement", json!({}))),
        room.delete(&base64url([7; 64])),
    ] {
        request.send().await.must_fail(503, "unavailable");
    }
    let log = server.log();
    assert!(log.contains("unavailable"), "causes are logged:\n{log}");
    for secret in [
        "the-authors-word",
        "the-body-of-",
        "owner of",
        "link second",
        "post 0",
        "read 1",
        "private",
        &base64url([7; 64]),
        &room.room.id,
        &room.room.id[..9],
        &room.link_id("second"),
        &member_id("the-authors-word"),
    ] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}
