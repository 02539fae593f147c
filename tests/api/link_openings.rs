//! Links that can be taken back: docs/protocol.md, "Links".

use buddy_tests::{KeyedRoom, Server, base64url, client_id, eventually};
use serde_json::{Value, json};

async fn unlimited() -> Server {
    Server::setup().without_rate_limits().variable("link_openings_per_address_per_ten_s", 1_000_000).start().await
}

#[tokio::test]
async fn the_owner_makes_and_lists_links() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    let created = room.state().await["created_at_ms"].clone();
    let fields = json!({ "openings": 3, "expires_in_s": 60 });
    let made = room.make_link("second", 0, fields).send().await.must_be(201).json();
    let made_at = made["created_at_ms"].as_u64().expect("a time");
    assert_eq!(made, json!({ "id": room.link_id("second"), "created_at_ms": made_at }));
    assert_eq!(
        json!(room.links().await),
        json!([
            {
                "id": room.link_id("first"), "epoch": 0, "note": base64url("first noted for 0"), "opened": 0,
                "openings": null, "created_at_ms": created, "opened_at_ms": null, "expires_at_ms": null,
            },
            {
                "id": room.link_id("second"), "epoch": 0, "note": base64url("second noted for 0"), "opened": 0,
                "openings": 3, "created_at_ms": made_at, "opened_at_ms": null, "expires_at_ms": made_at + 60_000,
            },
        ])
    );
}

#[tokio::test]
async fn the_same_link_again_is_answered_as_before() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    let fields = json!({ "openings": 3 });
    let made = room.make_link("second", 0, fields.clone()).send().await.must_be(201).json();
    room.renew(&room.renewal(1, &["first", "second"], &[])).send().await.must_be(201);
    // Sealed anew since; it is the same request all the same.
    assert_eq!(room.make_link("second", 0, fields.clone()).send().await.must_be(200).json(), made);
    for other in [json!({ "openings": 4 }), json!({ "openings": 3, "note": "x" }), json!({})] {
        room.make_link("second", 0, other).send().await.must_fail(409, "link_exists");
    }
    room.make_link("third", 0, json!({})).send().await.must_fail(409, "stale_epoch");
    room.make_link("third", 2, json!({})).send().await.must_fail(409, "stale_epoch");
    room.make_link("third", 1, json!({})).send().await.must_be(201);
    // What was taken back does not come again by a late repeat.
    let mut renewal = room.renewal(2, &["first", "third"], &[]);
    renewal["taken_back"] = json!([room.link_id("second")]);
    room.renew(&renewal).send().await.must_be(201);
    room.make_link("second", 0, fields).send().await.must_fail(409, "stale_epoch");
}

#[tokio::test]
async fn only_the_owner_makes_and_lists_links() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    let path = format!("{}/links", room.room.path());
    let mut link = room.link("second");
    link["epoch"] = json!(0);
    for (token, status, code) in [
        (room.post_token(0), 403, "not_allowed"),
        (room.read_token(0), 403, "not_allowed"),
        (room.link_token("first"), 404, "room_not_found"),
        ("a stranger's".to_owned(), 404, "room_not_found"),
    ] {
        server.api().get(&path).token(&token).send().await.must_fail(status, code);
        server.api().post(&path).token(&token).json(&link).send().await.must_fail(status, code);
    }
}

#[tokio::test]
async fn a_link_has_one_form() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    for wrong in [
        json!({ "openings": 0 }),
        json!({ "openings": 1001 }),
        json!({ "openings": 1.0 }),
        json!({ "expires_in_s": 0 }),
        json!({ "expires_in_s": 31_536_001 }),
        json!({ "sealed": "" }),
        json!({ "sealed": "x".repeat(1025) }),
        json!({ "note": "x".repeat(1025) }),
        json!({ "token_hash": "x" }),
        json!({ "id": "0A".repeat(16) }),
        json!({ "epoch": -1 }),
        json!({ "epoch": null }),
        json!({ "more": 1 }),
    ] {
        room.make_link("second", 0, wrong).send().await.must_fail(400, "invalid_request");
    }
    let fields =
        json!({ "openings": 1000, "expires_in_s": 31_536_000, "sealed": "x".repeat(1024), "note": "x".repeat(1024) });
    room.make_link("second", 0, fields).send().await.must_be(201);
}

#[tokio::test]
async fn a_link_gives_what_it_holds_to_who_has_its_token() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.make_link("second", 0, json!({})).send().await.must_be(201);
    let opened = room.open("first", &client_id()).send().await.must_be(200).json();
    assert_eq!(
        opened,
        json!({
            "sealed": base64url("first sealed for 0"), "public": room.founding["rotation"]["public"],
            "signature": room.founding["rotation"]["signature"],
        })
    );
    let path = |id: &str| format!("{}/links/{id}/open", room.room.path());
    let body = json!({ "client_id": client_id() });
    let id = room.link_id("first");
    for token in [room.link_token("second"), room.owner().to_owned(), room.post_token(0), "a stranger's".to_owned()] {
        server.api().post(&path(&id)).token(&token).json(&body).send().await.must_fail(404, "room_not_found");
    }
    server.api().post(&path(&id)).json(&body).send().await.must_fail(404, "room_not_found");
    for unknown in ["0a".repeat(16), id.to_uppercase(), "0a".to_owned()] {
        let request = server.api().post(&path(&unknown)).token(&room.link_token("first")).json(&body);
        request.send().await.must_fail(404, "room_not_found");
    }
    let other = KeyedRoom::create(&server.api()).await;
    let request = server.api().post(&format!("{}/links/{id}/open", other.room.path())).token(&room.link_token("first"));
    request.json(&body).send().await.must_fail(404, "room_not_found");
    for wrong in
        [json!({}), json!({ "client_id": "x" }), json!({ "client_id": client_id(), "more": 1 }), json!([client_id()])]
    {
        let request = server.api().post(&path(&id)).token(&room.link_token("first")).json(&wrong);
        request.send().await.must_fail(400, "invalid_request");
    }
    server.api().get(&path(&id)).token(&room.link_token("first")).send().await.must_fail(405, "method_not_allowed");
    assert_eq!(room.links().await[0]["opened"], 1, "what was refused does not count");
}

#[tokio::test]
async fn opening_again_is_not_counted() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.make_link("for two", 0, json!({ "openings": 2 })).send().await.must_be(201);
    let (ann, ben) = (client_id(), client_id());
    for _ in 0..3 {
        room.open("for two", &ann).send().await.must_be(200);
    }
    let listed = room.links().await[1].clone();
    assert_eq!((&listed["opened"], &listed["openings"]), (&json!(1), &json!(2)));
    assert!(listed["opened_at_ms"].as_u64() >= listed["created_at_ms"].as_u64(), "{listed}");
    room.open("for two", &ben).send().await.must_be(200);
    let refused = room.open("for two", &client_id()).send().await;
    ended(&refused, "used_up");
    for known in [&ann, &ben] {
        room.open("for two", known).send().await.must_be(200);
    }
    room.renew(&room.renewal(1, &["first", "for two"], &[])).send().await.must_be(201);
    let again = room.open("for two", &ann).send().await.must_be(200).json();
    assert_eq!(again["sealed"], base64url("for two sealed for 1"));
    ended(&room.open("for two", &client_id()).send().await, "used_up");
}

#[tokio::test]
async fn a_link_expires() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.make_link("short", 0, json!({ "expires_in_s": 2 })).send().await.must_be(201);
    let known = client_id();
    room.open("short", &known).send().await.must_be(200);
    let refused = eventually("the link is over", async || {
        let answer = room.open("short", &client_id()).send().await;
        (answer.status() != 200).then_some(answer)
    })
    .await;
    ended(&refused, "expired");
    room.open("short", &known).send().await.must_be(200);
    assert_eq!(room.links().await.len(), 2, "the owner still sees it");
}

/// `link_ended` has a reason besides code and message.
#[track_caller]
fn ended(answer: &buddy_tests::Answer, reason: &str) {
    assert_eq!(answer.status(), 403, "{answer}");
    let error = answer.json()["error"].clone();
    assert_eq!((&error["code"], &error["reason"]), (&json!("link_ended"), &json!(reason)), "{answer}");
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()));
}

#[tokio::test]
async fn of_a_rush_as_many_get_in_as_may() {
    let server = unlimited().await;
    let sibling = server.sibling().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.make_link("for five", 0, json!({ "openings": 5 })).send().await.must_be(201);
    let elsewhere = room.at(&sibling.api());
    let openings = (0..24).map(|number| {
        let room = if number % 2 == 0 { &room } else { &elsewhere };
        async move { room.open("for five", &client_id()).send().await }
    });
    let answers = futures::future::join_all(openings).await;
    let opened = answers.iter().filter(|answer| answer.status() == 200).count();
    assert_eq!(opened, 5, "{answers:?}");
    for refused in answers.iter().filter(|answer| answer.status() != 200) {
        ended(refused, "used_up");
    }
    assert_eq!(room.links().await[1]["opened"], 5);
    // One client that tries at once in many tabs counts once.
    room.make_link("tabs", 0, json!({ "openings": 2 })).send().await.must_be(201);
    let client = client_id();
    let openings = (0..12).map(|_| async { room.open("tabs", &client).send().await.must_be(200) });
    futures::future::join_all(openings).await;
    assert_eq!(room.links().await[2]["opened"], 1);
}

#[tokio::test]
async fn opening_races_taking_back() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    for epoch in 1..=6 {
        let name = format!("link {epoch}");
        room.make_link(&name, epoch - 1, json!({})).send().await.must_be(201);
        let mut renewal = room.renewal(epoch, &["first"], &[]);
        renewal["taken_back"] = json!([room.link_id(&name)]);
        let openings = (0..6).map(|_| async { room.open(&name, &client_id()).send().await });
        let (answers, _) = futures::join!(futures::future::join_all(openings), async {
            room.renew(&renewal).send().await.must_be(201)
        });
        for answer in answers {
            match answer.status() {
                200 => {
                    let public: Value =
                        serde_json::from_str(answer.json()["public"].as_str().expect("a text")).expect("JSON");
                    assert_eq!(public["epoch"], epoch - 1, "what belongs together");
                }
                _ => drop(answer.must_fail(404, "room_not_found")),
            }
        }
        room.open(&name, &client_id()).send().await.must_fail(404, "room_not_found");
    }
}

#[tokio::test]
async fn a_room_has_so_many_links() {
    let server = Server::setup().without_rate_limits().variable("links_max", 3).start().await;
    let room = KeyedRoom::create(&server.api()).await;
    for name in ["second", "third"] {
        room.make_link(name, 0, json!({})).send().await.must_be(201);
    }
    room.make_link("fourth", 0, json!({})).send().await.must_fail(403, "room_full");
    room.make_link("third", 0, json!({})).send().await.must_be(200);
    let mut renewal = room.renewal(1, &["first", "second"], &[]);
    renewal["taken_back"] = json!([room.link_id("third")]);
    room.renew(&renewal).send().await.must_be(201);
    room.make_link("fourth", 1, json!({})).send().await.must_be(201);
    let rush = (0..6).map(|number| {
        let (room, name) = (&room, format!("rush {number}"));
        async move { room.make_link(&name, 1, json!({})).send().await.status() }
    });
    assert!(futures::future::join_all(rush).await.iter().all(|status| *status == 403));
}

#[tokio::test]
async fn an_address_opens_so_many_links() {
    let server = Server::setup()
        .variable("client_address_header", "x-real-address")
        .variable("link_openings_per_address_per_ten_s", 3)
        .start()
        .await;
    let room = KeyedRoom::create(&server.api()).await;
    let known = client_id();
    let from = |address: &str, id: &str| room.open("first", id).header("x-real-address", address).send();
    from("203.0.113.7", &known).await.must_be(200);
    for _ in 0..2 {
        from("203.0.113.7", &client_id()).await.must_be(200);
    }
    let refused = from("203.0.113.7", &client_id()).await.must_fail(429, "rate_limited");
    assert!((1..=10).contains(&refused.retry_after()), "{refused}");
    from("203.0.113.7", &known).await.must_be(200);
    from("203.0.113.8", &client_id()).await.must_be(200);
    room.say_as("ann", 0, "posts are counted by themselves").await;
}

#[tokio::test]
async fn an_unlimited_link_remembers_the_last_who_opened_it() {
    let server = Server::setup()
        .without_rate_limits()
        .variable("link_openings_per_address_per_ten_s", 1_000_000)
        .variable("link_openings_max", 5)
        .start()
        .await;
    let room = KeyedRoom::create(&server.api()).await;
    let clients: Vec<_> = (0..12).map(|_| client_id()).collect();
    for client in &clients {
        room.open("first", client).send().await.must_be(200);
    }
    let database = server.database();
    assert!(database.value::<i64>("SELECT count(*) FROM opening", []) <= 6);
    room.open("first", &clients[11]).send().await.must_be(200);
    assert_eq!(room.links().await[0]["opened"], 12);
    room.make_link("too many", 0, json!({ "openings": 6 })).send().await.must_fail(400, "invalid_request");
    // What is known of a link that was taken back goes, in its time.
    let mut renewal = room.renewal(1, &[], &[]);
    renewal["taken_back"] = json!([room.link_id("first")]);
    room.renew(&renewal).send().await.must_be(201);
    eventually("openings are swept", async || {
        room.room.get().token(room.owner()).send().await.must_be(200);
        let left = database.value::<i64>("SELECT (SELECT count(*) FROM opening)+(SELECT count(*) FROM ended_link)", []);
        (left == 0).then_some(())
    })
    .await;
}
