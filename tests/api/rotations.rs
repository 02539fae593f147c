//! Renewing a room's keys: docs/protocol.md, "Renewing".

use buddy_tests::{KeyedRoom, OWNER, Server, base64url, client_id, member_id, message, messages};
use serde_json::{Value, json};

async fn unlimited() -> Server {
    Server::setup().without_rate_limits().start().await
}

#[tokio::test]
async fn a_renewal_is_an_event_of_the_new_epoch() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.say_as("ann", 0, "before").await;
    let renewal = room.renewal(1, &["first"], &["ann"]);
    let made = room.renew(&renewal).send().await.must_be(201).json();
    assert_eq!((&made["epoch"], &made["seq"]), (&json!(1), &json!(2)));
    assert_eq!(made.as_object().map(serde_json::Map::len), Some(3), "{made}");
    let log = room.room.history("").token(&room.read_token(1)).send().await.must_be(200).json();
    let event = &messages(&log)[1];
    let body = format!(
        "{}.{}.{}",
        base64url(renewal["public"].as_str().expect("a text")),
        renewal["signature"].as_str().expect("a text"),
        base64url("v2.1.private"),
    );
    assert_eq!(
        *event,
        json!({
            "seq": 2, "kind": "rotate", "client_id": renewal["client_id"], "author": member_id(OWNER), "target": null,
            "body": body, "sent_at_ms": made["sent_at_ms"],
        })
    );
    let state = room.state().await;
    assert_eq!((&state["epoch"], &state["state"], &state["state_seq"]), (&json!(1), &json!("v2.0.private"), &json!(0)));
}

#[tokio::test]
async fn the_same_renewal_again_is_answered_as_before() {
    let server = Server::start().await;
    let room = KeyedRoom::create(&server.api()).await;
    let mut renewal = room.renewal(1, &["first"], &["ann"]);
    renewal["cards_seen"] = json!(0);
    let made = room.renew(&renewal).send().await.must_be(201).json();
    room.renew_for(2, &[]).await;
    room.card_of("ben", 2, "a card").await;
    assert_eq!(room.renew(&renewal).send().await.must_be(200).json(), made);
    // A client leaves it out after some tries, and may not know that an earlier one arrived.
    renewal.as_object_mut().expect("an object").remove("cards_seen");
    assert_eq!(room.renew(&renewal).send().await.must_be(200).json(), made);
    for (field, other) in [
        ("private", json!("v2.1.another")),
        ("signature", json!(base64url([7; 64]))),
        ("grants", json!([])),
        ("taken_back", json!(["0a".repeat(16)])),
    ] {
        let mut changed = renewal.clone();
        changed[field] = other;
        room.renew(&changed).send().await.must_fail(409, "client_id_reused");
    }
    let said = message("x");
    room.post(2, &said).author("ann").send().await.must_be(201);
    let mut reused = room.renewal(3, &["first"], &[]);
    reused["client_id"] = said["client_id"].clone();
    room.renew(&reused).send().await.must_fail(409, "client_id_reused");
    let mut post = message("x");
    post["client_id"] = renewal["client_id"].clone();
    room.post(2, &post).author("ann").send().await.must_fail(409, "client_id_reused");
}

#[tokio::test]
async fn only_the_next_epoch_can_begin() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    for wrong in [2, 3, 9_007_199_254_740_991] {
        room.renew(&room.renewal(wrong, &["first"], &[])).send().await.must_fail(409, "stale_epoch");
    }
    room.renew_for(1, &[]).await;
    room.renew(&room.renewal(1, &["first"], &[])).send().await.must_fail(409, "stale_epoch");
    room.renew(&room.renewal(0, &["first"], &[])).send().await.must_fail(400, "invalid_request");
    room.renew_for(2, &[]).await;
    assert_eq!(room.state().await["epoch"], 2);
}

#[tokio::test]
async fn of_many_renewals_at_once_one_wins() {
    let server = unlimited().await;
    let sibling = server.sibling().await;
    let room = KeyedRoom::create(&server.api()).await;
    for epoch in 1..=4 {
        let renewals: Vec<_> = (0..8)
            .map(|number| {
                let mut renewal = room.renewal(epoch, &["first"], &["ann"]);
                renewal["private"] = json!(format!("v2.{epoch}.of{number}"));
                renewal
            })
            .collect();
        let sent = renewals.iter().enumerate().map(|(number, renewal)| {
            let at = if number % 2 == 0 { server.api() } else { sibling.api() };
            let path = format!("{}/rotations", room.room.path());
            let request = at.post(&path).json(renewal).token(room.owner()).author(OWNER);
            async move { request.send().await }
        });
        let answers = futures::future::join_all(sent).await;
        let won: Vec<_> = (0..8).filter(|number| answers[*number].status() == 201).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        for (number, answer) in answers.into_iter().enumerate() {
            if number != won[0] {
                answer.must_fail(409, "stale_epoch");
            }
        }
        let keys = room.keys(&room.read_token(epoch), "ann", &format!("?since={}", epoch - 1)).send().await;
        let keys = keys.must_be(200).json();
        assert_eq!(keys["rotations"][0]["private"], renewals[won[0]]["private"]);
        assert_eq!(keys["rotations"].as_array().map(Vec::len), Some(1), "{keys}");
    }
}

#[tokio::test]
async fn a_renewal_names_every_live_link() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.make_link("second", 0, json!({})).send().await.must_be(201);
    room.make_link("over soon", 0, json!({ "expires_in_s": 1 })).send().await.must_be(201);
    room.make_link("for one", 0, json!({ "openings": 1 })).send().await.must_be(201);
    room.open("for one", &client_id()).send().await.must_be(200);
    for links in [&[][..], &["first"], &["second"]] {
        room.renew(&room.renewal(1, links, &[])).send().await.must_fail(409, "links_changed");
    }
    let all = ["first", "second", "over soon", "for one"];
    room.renew(&room.renewal(1, &[&all[..], &["unknown"]].concat(), &[])).send().await.must_fail(409, "links_changed");
    buddy_tests::eventually("a link is over", async || {
        let answer = room.open("over soon", &client_id()).send().await;
        (answer.status() == 403).then_some(())
    })
    .await;
    // Of those whose time or openings are over, a renewal need not speak; what it takes back may be gone already.
    let mut renewal = room.renewal(1, &["second"], &[]);
    renewal["taken_back"] = json!([room.link_id("first"), room.link_id("unknown")]);
    room.renew(&renewal).send().await.must_be(201);
    let links = room.links().await;
    assert_eq!(links.len(), 1, "{links:?}");
    assert_eq!(links[0]["id"], room.link_id("second"));
    assert_eq!((&links[0]["epoch"], &links[0]["note"]), (&json!(1), &json!(base64url("second noted for 1"))));
    for gone in ["first", "over soon", "for one"] {
        room.open(gone, &client_id()).send().await.must_fail(404, "room_not_found");
    }
    let opened = room.open("second", &client_id()).send().await.must_be(200).json();
    assert_eq!(
        opened,
        json!({
            "sealed": base64url("second sealed for 1"), "public": renewal["public"], "signature": renewal["signature"],
        })
    );
}

#[tokio::test]
async fn a_card_that_the_owner_has_not_seen_stops_a_renewal() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    let seen = room.card_of("ann", 0, "ann").await;
    let card = room.card_of("ben", 0, "ben").await;
    let mut renewal = room.renewal(1, &["first"], &["ann"]);
    for too_early in [0, seen] {
        renewal["cards_seen"] = json!(too_early);
        room.renew(&renewal).send().await.must_fail(409, "people_changed");
    }
    room.say_as("ben", 0, "no card").await;
    renewal["cards_seen"] = json!(card);
    room.renew(&renewal).send().await.must_be(201);
    room.card_of("ann", 1, "ann again").await;
    let mut dropped = room.renewal(2, &["first"], &[]);
    dropped["cards_seen"] = json!(null);
    room.renew(&dropped).send().await.must_be(201);
}

#[tokio::test]
async fn only_the_owner_renews() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    let path = format!("{}/rotations", room.room.path());
    let renewal = room.renewal(1, &["first"], &[]);
    let by = |token: String| server.api().post(&path).json(&renewal).token(&token).author("ann");
    by(room.post_token(0)).send().await.must_fail(403, "not_allowed");
    by(room.read_token(0)).send().await.must_fail(403, "not_allowed");
    by(room.link_token("first")).send().await.must_fail(404, "room_not_found");
    by("a stranger's".to_owned()).send().await.must_fail(404, "room_not_found");
    let anonymous = server.api().post(&path).json(&renewal).token(room.owner());
    anonymous.send().await.must_fail(400, "invalid_request");
    let other = KeyedRoom::create(&server.api()).await;
    other.renew(&renewal).send().await.must_fail(400, "invalid_request");
    assert_eq!(room.state().await["epoch"], 0);
}

#[tokio::test]
async fn a_renewal_has_one_form() {
    let server = Server::setup().without_rate_limits().variable("people_max", 2).start().await;
    let room = KeyedRoom::create(&server.api()).await;
    let valid = room.renewal(1, &["first"], &["ann", "ben"]);
    let with = |pointer: &str, to: Value| {
        let mut renewal = valid.clone();
        *renewal.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = to;
        renewal
    };
    let public = |field: &str, to: Value| {
        let mut public = room.public(1);
        public[field] = to;
        with("/public", json!(public.to_string()))
    };
    let ann = valid["grants"][0].clone();
    for wrong in [
        with("/public", json!("{}")),
        with("/public", json!(room.public(1).to_string().replacen('{', "{\"epoch\":1,", 1))),
        with("/public", json!(room.public(1).to_string().replace("\"epoch\":1", "\"epoch\":1e0"))),
        with("/public", json!(base64url("{}"))),
        public("more", json!(null)),
        public("owner", json!(base64url([9; 32]))),
        public("owner_token_hash", json!("0a".repeat(32))),
        public("post_token_hash", room.public(1)["read_token_hash"].clone()),
        public("head", json!([1, 1, "x"])),
        public("head", json!({ "seq": 1, "from": 1, "digest": "x", "more": 1 })),
        with("/signature", json!("short")),
        with("/signature", json!(base64url([1; 64]) + "=")),
        with("/private", json!("")),
        with("/grants", json!([ann, ann])),
        with(
            "/grants",
            json!([ann, { "author": member_id("ben"), "sealed": "x" }, { "author": member_id("c"), "sealed": "x" }]),
        ),
        with("/grants/0/author", json!("ann")),
        with("/grants/0/sealed", json!("x".repeat(1025))),
        with("/links/0/sealed", json!("")),
        with("/links/0/note", json!("x".repeat(1025))),
        with("/links/0", json!([])),
        with("/taken_back", json!([room.link_id("first")])),
        with("/taken_back", json!([1])),
        with("/client_id", json!("1")),
    ] {
        room.renew(&wrong).send().await.must_fail(400, "invalid_request");
    }
    for field in ["client_id", "public", "signature", "private", "grants", "links", "taken_back"] {
        let mut missing = valid.clone();
        missing.as_object_mut().expect("an object").remove(field);
        room.renew(&missing).send().await.must_fail(400, "invalid_request");
    }
    room.renew(&public("head", json!({ "seq": 1, "from": 1, "digest": "x" }))).send().await.must_be(201);
}

#[tokio::test]
async fn neither_a_full_room_nor_busy_people_stop_the_owner() {
    let server = Server::setup()
        .variable("room_max_bytes", 2000)
        .variable("posts_per_room_per_ten_s", 3)
        .variable("posts_per_author_per_ten_s", 3)
        .start()
        .await;
    let room = KeyedRoom::create(&server.api()).await;
    for author in ["ann", "ben", "cyd"] {
        room.say_as(author, 0, &"x".repeat(400)).await;
    }
    let refused = room.post(0, &message("x")).author("dan").send().await;
    assert!(matches!(refused.status(), 403 | 429), "{refused}");
    room.renew_for(1, &["ann"]).await;
    room.change(&room.statement(1, 0, "v2.1.locked", json!({ "locked": true }))).send().await.must_be(200);
    room.renew_for(2, &["ann"]).await;
    room.delete(&base64url([3; 64])).send().await.must_be(204);
}

#[tokio::test]
async fn a_room_is_renewed_so_often_an_hour() {
    let server = Server::setup().variable("rotations_per_room_per_hour", 3).start().await;
    let room = KeyedRoom::create(&server.api()).await;
    for epoch in 1..=3 {
        room.renew_for(epoch, &[]).await;
    }
    let refused = room.renew(&room.renewal(4, &["first"], &[])).send().await.must_fail(429, "rate_limited");
    assert!((1..=3600).contains(&refused.retry_after()), "{refused}");
    room.renew(&room.renewal(3, &["first"], &[])).send().await.must_fail(409, "stale_epoch");
    let other = KeyedRoom::create(&server.api()).await;
    other.renew_for(1, &[]).await;
    // An hour later.
    server.database().execute("UPDATE rotation SET sent_at_ms = sent_at_ms - 3600000", []);
    room.renew_for(4, &[]).await;
}

#[tokio::test]
async fn five_hundred_people_fit_and_a_larger_request_does_not() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    let authors: Vec<_> = (0..501).map(|number| format!("author {number}")).collect();
    let authors: Vec<_> = authors.iter().map(String::as_str).collect();
    let mut renewal = room.renewal(1, &["first"], &authors[..500]);
    renewal["private"] = json!(format!("v2.1.{}", "p".repeat(200_000)));
    let started = std::time::Instant::now();
    room.renew(&renewal).send().await.must_be(201);
    println!("a renewal for 500 took {:?}", started.elapsed());
    let keys = room.keys(&room.read_token(0), "author 499", "").send().await.must_be(200).json();
    assert_eq!(keys["rotations"][0]["grant"], base64url("author 499 in 1"));
    assert_eq!(keys["rotations"][0]["private"], renewal["private"]);
    room.renew(&room.renewal(2, &["first"], &authors)).send().await.must_fail(400, "invalid_request");
    let mut large = room.renewal(2, &["first"], &[]);
    large["private"] = json!("p".repeat(524_288));
    room.renew(&large).send().await.must_fail(413, "too_large");
    // Other requests have their own limit.
    let mut post = message(&"x".repeat(150_000));
    post["epoch"] = json!(1);
    room.room.post(&post).token(&room.post_token(1)).author("ann").send().await.must_fail(413, "too_large");
}
