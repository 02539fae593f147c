//! Making a room with keys: docs/protocol.md, "API" and "Keys".

use buddy_tests::{KeyedRoom, Server, base64url, client_id, eventually, token_hash};
use serde_json::{Value, json};

fn with(mut founding: Value, pointer: &str, to: Value) -> Value {
    *founding.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is there")) = to;
    founding
}

#[tokio::test]
async fn a_room_with_keys_is_made_in_one_request() {
    let server = Server::start().await;
    let room = KeyedRoom::imagine(&server.api());
    let made = room.create_again(&server.api()).send().await.must_be(201).json();
    let created = made["created_at_ms"].as_u64().expect("a time");
    assert_eq!(
        made,
        json!({
            "room": room.room.id, "created_at_ms": created, "expires_at_ms": created + 86_400_000,
            "message_ttl_s": null,
        })
    );
    let state = room.room.get().token(&room.read_token(0)).send().await.must_be(200).json();
    assert_eq!(
        state,
        json!({
            "room": room.room.id, "created_at_ms": created, "expires_at_ms": created + 86_400_000,
            "message_ttl_s": null, "locked": false, "about": null, "first_seq": 1, "last_seq": 0,
            "epoch": 0, "state": "v2.0.private", "state_seq": 0,
        })
    );
    assert_eq!(room.keys(&room.read_token(0), "ann", "").send().await.must_be(200).json()["rotations"][0]["seq"], 0);
}

#[tokio::test]
async fn making_it_again_is_answered_as_before_and_not_counted() {
    let server = Server::setup().variable("rooms_per_address_per_hour", 1).start().await;
    let api = server.api();
    let room = KeyedRoom::imagine(&api);
    let made = room.create_again(&api).send().await.must_be(201).json();
    // Whatever has become of it since.
    room.say_as("ann", 0, "hello").await;
    let change = room.statement(0, 0, "v2.0.later", json!({ "expires_in_s": 60, "message_ttl_s": 30 }));
    room.change(&change).send().await.must_be(200);
    room.renew_for(1, &[]).await;
    for _ in 0..3 {
        assert_eq!(room.create_again(&api).send().await.must_be(200).json(), made);
    }
    KeyedRoom::imagine(&api).create_again(&api).send().await.must_fail(429, "rate_limited");
}

#[tokio::test]
async fn making_it_with_other_content_is_refused() {
    let server = Server::start().await;
    let api = server.api();
    let room = KeyedRoom::create(&api).await;
    let other = room.public(0).to_string().replace("\"salt\"", " \"salt\"");
    for (field, other) in [
        ("/rotation/public", json!(other)),
        ("/rotation/signature", json!(base64url([9; 64]))),
        ("/rotation/private", json!("v2.0.another")),
        ("/link/id", json!("0a".repeat(16))),
        ("/link/note", json!("another")),
        ("/expires_in_s", json!(60)),
    ] {
        let other = with(room.founding.clone(), field, other);
        api.post("/api/rooms").json(&other).send().await.must_fail(409, "room_exists");
    }
    assert_eq!(room.state().await["state"], "v2.0.private");
}

#[tokio::test]
async fn a_room_is_the_hash_of_its_owners_key() {
    let server = Server::setup().without_rate_limits().start().await;
    let api = server.api();
    let (room, other) = (KeyedRoom::imagine(&api), KeyedRoom::imagine(&api));
    let public = |change: &dyn Fn(&mut Value)| {
        let mut public = room.public(0);
        change(&mut public);
        with(room.founding.clone(), "/rotation/public", json!(public.to_string()))
    };
    for wrong in [
        with(room.founding.clone(), "/room", json!(other.room.id)),
        with(room.founding.clone(), "/room", json!(room.room.id.to_uppercase())),
        with(room.founding.clone(), "/rotation", other.founding["rotation"].clone()),
        with(other.founding.clone(), "/rotation/public", room.founding["rotation"]["public"].clone()),
        public(&|public| public["room"] = json!(other.room.id)),
        public(&|public| public["owner"] = other.public(0)["owner"].clone()),
        public(&|public| public["epoch"] = json!(1)),
        public(&|public| public["epoch"] = json!(0.0)),
        public(&|public| public["more"] = json!(0)),
        public(&|public| public["removed"] = json!(null)),
        public(&|public| public["read_token_hash"] = public["owner_token_hash"].clone()),
        public(&|public| {
            public.as_object_mut().expect("an object").remove("head");
        }),
        with(
            room.founding.clone(),
            "/rotation/public",
            json!(room.public(0).to_string().replacen("\"epoch\":0", "\"epoch\":0,\"epoch\":0", 1)),
        ),
        with(room.founding.clone(), "/rotation/public", room.public(0)),
        with(room.founding.clone(), "/rotation/signature", json!(base64url([0; 63]))),
        with(room.founding.clone(), "/rotation/private", json!("")),
        with(room.founding.clone(), "/link/sealed", json!("a".repeat(1025))),
        with(room.founding.clone(), "/link/note", json!("a".repeat(1025))),
        with(room.founding.clone(), "/link/token_hash", json!("short")),
        with(room.founding.clone(), "/expires_in_s", json!(31_536_001)),
        with(room.founding.clone(), "/expires_in_s", json!(null)),
    ] {
        api.post("/api/rooms").json(&wrong).send().await.must_fail(400, "invalid_request");
    }
    for field in ["room", "rotation", "link"] {
        let mut missing = room.founding.clone();
        missing.as_object_mut().expect("an object").remove(field);
        api.post("/api/rooms").json(&missing).send().await.must_fail(400, "invalid_request");
    }
    for (field, more) in [("about", json!("x")), ("read_token_hash", json!(token_hash("r"))), ("more", json!(1))] {
        let mut more_of_it = room.founding.clone();
        more_of_it[field] = more;
        api.post("/api/rooms").json(&more_of_it).send().await.must_fail(400, "invalid_request");
    }
    room.create_again(&api).send().await.must_be(201);
}

#[tokio::test]
async fn of_many_that_make_it_at_once_one_does() {
    let server = Server::start().await;
    let api = server.api();
    let room = KeyedRoom::imagine(&api);
    let making = (0..8).map(|_| async { room.create_again(&api).send().await });
    let answers = futures::future::join_all(making).await;
    let made = answers.iter().filter(|answer| answer.status() == 201).count();
    let again = answers.iter().filter(|answer| answer.status() == 200).count();
    assert_eq!((made, again), (1, 7), "{answers:?}");
    assert!(answers.iter().all(|answer| answer.json() == answers[0].json()), "{answers:?}");
}

#[tokio::test]
async fn a_room_that_expired_is_missing_and_its_id_is_used_up() {
    let server = Server::start().await;
    let api = server.api();
    let room = KeyedRoom::create_with(&api, json!({ "expires_in_s": 1 })).await;
    eventually("the room has expired", async || {
        let answer = room.room.get().token(room.owner()).send().await;
        (answer.status() == 404).then(|| answer.must_fail(404, "room_not_found"))
    })
    .await;
    let refused = room.create_again(&api).send().await;
    assert_eq!(refused.status(), 410, "{refused}");
    assert_eq!(refused.json()["error"]["code"], "room_gone");
    assert!(refused.json()["error"].get("farewell").is_none(), "nobody said farewell: {refused}");
    // The same when its row has gone: rows are deleted no sooner than 10 s after they were written.
    let (database, others) = (server.database(), server.open_room().await);
    eventually("the room is swept", async || {
        room.room.get().token(room.owner()).send().await.must_fail(404, "room_not_found");
        // Whatever request finds its room sweeps.
        others.state().await;
        (database.value::<i64>("SELECT count(*) FROM room WHERE epoch IS NOT NULL", []) == 0).then_some(())
    })
    .await;
    assert_eq!(room.create_again(&api).send().await.status(), 410);
    room.room.get().token(room.owner()).send().await.must_fail(404, "room_not_found");
    for table in ["rotation", "\"grant\"", "link", "card", "statement", "event"] {
        assert_eq!(database.value::<i64>(&format!("SELECT count(*) FROM {table}"), []), 0, "{table}");
    }
}

#[tokio::test]
async fn a_plain_room_has_no_keys() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let (api, path) = (server.api(), room.path());
    for field in ["epoch", "state", "state_seq"] {
        assert!(room.state().await.get(field).is_none(), "{field}");
    }
    for what in ["keys", "members"] {
        api.get(&format!("{path}/{what}")).author("ann").send().await.must_fail(400, "invalid_request");
    }
    let owner = |request: buddy_tests::Request| request.token(room.owner()).author("ann");
    owner(api.get(&format!("{path}/links"))).send().await.must_fail(400, "invalid_request");
    let link = json!({
        "id": "0a".repeat(16), "token_hash": token_hash("x"), "sealed": "x", "note": "x", "epoch": 0,
    });
    owner(api.post(&format!("{path}/links")).json(&link)).send().await.must_fail(400, "invalid_request");
    let post = json!({ "client_id": client_id(), "body": "x", "epoch": 0 });
    room.post(&post).send().await.must_fail(400, "invalid_request");
    let card = json!({ "client_id": client_id(), "kind": "card", "body": "x" });
    room.post(&card).author("ann").send().await.must_fail(400, "invalid_request");
    room.signal(&json!({ "kind": "here", "body": "x", "epoch": 0 })).send().await.must_fail(400, "invalid_request");
    let statement = json!({ "client_id": client_id(), "epoch": 0, "state_seq": 0, "statement": "x", "locked": true });
    room.patch(statement).author("ann").send().await.must_fail(400, "invalid_request");
    assert_eq!(room.state().await["last_seq"], 0);
}
