//! What lets people follow, and the members of a room: docs/protocol.md, "Renewing" and "Cards".

use buddy_tests::{KeyedRoom, Server, base64url, member_id, messages};
use serde_json::{Value, json};

async fn unlimited() -> Server {
    Server::setup().without_rate_limits().start().await
}

async fn keys(room: &KeyedRoom, token: &str, author: &str, query: &str) -> Value {
    room.keys(token, author, query).send().await.must_be(200).json()
}

fn epochs(keys: &Value) -> Vec<u64> {
    let rotations = keys["rotations"].as_array().expect("a list");
    rotations.iter().map(|rotation| rotation["epoch"].as_u64().expect("a number")).collect()
}

#[tokio::test]
async fn who_is_in_sees_every_rotation() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.say_as("ann", 0, "first").await;
    let renewal = room.renewal(1, &["first"], &["ann"]);
    let made = room.renew(&renewal).send().await.must_be(201).json();
    let all = keys(&room, &room.read_token(1), "ann", "").await;
    assert_eq!(
        all,
        json!({
            "epoch": 1,
            "rotations": [
                {
                    "epoch": 0, "seq": 0, "public": room.founding["rotation"]["public"],
                    "signature": room.founding["rotation"]["signature"], "private": "v2.0.private", "grant": null,
                },
                {
                    "epoch": 1, "seq": made["seq"], "public": renewal["public"], "signature": renewal["signature"],
                    "private": "v2.1.private", "grant": base64url("ann in 1"),
                },
            ],
        })
    );
    for token in [room.post_token(1), room.owner().to_owned()] {
        let seen = keys(&room, &token, "somebody else", "?since=0").await;
        assert_eq!(epochs(&seen), [1]);
        assert_eq!(
            (&seen["rotations"][0]["private"], &seen["rotations"][0]["grant"]),
            (&json!("v2.1.private"), &json!(null))
        );
    }
    let anonymous = server.api().get(&format!("{}/keys", room.room.path())).token(&room.read_token(1));
    assert_eq!(anonymous.send().await.must_be(200).json()["rotations"][1]["grant"], json!(null));
}

#[tokio::test]
async fn a_former_token_sees_later_epochs_and_what_was_granted() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.renew_for(1, &["ann", "ben"]).await;
    room.renew_for(2, &["ann"]).await;
    room.renew_for(3, &["ann"]).await;
    for token in [room.post_token(0), room.read_token(0)] {
        let granted = keys(&room, &token, "ann", "").await;
        assert_eq!((&granted["epoch"], epochs(&granted)), (&json!(3), vec![1, 2, 3]));
        let removed = keys(&room, &token, "ben", "").await;
        let shown: Vec<_> = removed["rotations"].as_array().expect("a list").iter().collect();
        assert_eq!(epochs(&removed), [1, 2, 3]);
        assert_eq!((&shown[0]["private"], &shown[0]["grant"]), (&json!("v2.1.private"), &json!(base64url("ben in 1"))));
        for later in &shown[1..] {
            assert_eq!((&later["private"], &later["grant"]), (&json!(null), &json!(null)), "{removed}");
            assert!(later["public"].is_string() && later["signature"].is_string());
        }
    }
    // Its own epoch and earlier ones are not shown, whatever is asked for.
    assert_eq!(epochs(&keys(&room, &room.post_token(1), "ann", "").await), [2, 3]);
    assert_eq!(epochs(&keys(&room, &room.post_token(2), "ann", "?since=0").await), [3]);
    assert_eq!(epochs(&keys(&room, &room.post_token(1), "ann", "?since=2").await), [3]);
    assert_eq!(epochs(&keys(&room, &room.post_token(3), "ann", "").await), [0, 1, 2, 3]);
    assert_eq!(keys(&room, &room.post_token(0), "ann", "?since=9").await, json!({ "epoch": 3, "rotations": [] }));
}

#[tokio::test]
async fn rotations_come_in_pages() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    for epoch in 1..=4 {
        let mut renewal = room.renewal(epoch, &["first"], &[]);
        renewal["private"] = json!(format!("v2.0.{}", "p".repeat(400_000)));
        room.renew(&renewal).send().await.must_be(201);
    }
    let token = room.read_token(4);
    assert_eq!(epochs(&keys(&room, &token, "ann", "?limit=1").await), [0]);
    assert_eq!(epochs(&keys(&room, &token, "ann", "?since=1&limit=2").await), [2, 3]);
    // A page ends with the rotation that brings it to 1 MiB.
    assert_eq!(epochs(&keys(&room, &token, "ann", "").await), [0, 1, 2, 3]);
    assert_eq!(epochs(&keys(&room, &token, "ann", "?since=3").await), [4]);
    for wrong in
        ["?limit=0", "?limit=51", "?limit=x", "?since=-1", "?since=1e0", "?since=9007199254740992", "?since=1&since=2"]
    {
        room.keys(&token, "ann", wrong).send().await.must_fail(400, "invalid_request");
    }
    assert_eq!(epochs(&keys(&room, &token, "ann", "?since=9007199254740991&limit=50").await), Vec::<u64>::new());
}

#[tokio::test]
async fn members_are_each_authors_newest_card() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.card_of("ann", 0, "ann").await;
    let ben = room.card_of("ben", 0, "ben").await;
    room.say_as("ben", 0, "no card").await;
    let ann = room.card_of("ann", 0, "ann, renamed").await;
    room.renew_for(1, &["ann", "ben"]).await;
    let cyd = room.card_of("cyd", 1, "cyd").await;
    let members = |query: &'static str| room.members(&room.read_token(1), query).send();
    let all = members("").await.must_be(200).json();
    assert_eq!(all["more"], false);
    let cards = all["cards"].as_array().expect("a list");
    let summary = |card: &Value| (card["seq"].as_u64(), card["epoch"].as_u64(), card["body"].clone());
    assert_eq!(
        cards.iter().map(summary).collect::<Vec<_>>(),
        [
            (Some(ben), Some(0), json!("ben")),
            (Some(ann), Some(0), json!("ann, renamed")),
            (Some(cyd), Some(1), json!("cyd")),
        ]
    );
    // A card is the event that the log has, with its epoch.
    let log = room.room.history(&format!("?after={}&limit=1", ann - 1)).token(&room.read_token(1)).send().await;
    let mut event = messages(&log.must_be(200).json())[0].clone();
    event["epoch"] = json!(0);
    assert_eq!(cards[1], event);
    let page = members("?limit=2").await.must_be(200).json();
    assert_eq!((page["cards"].as_array().map(Vec::len), &page["more"]), (Some(2), &json!(true)));
    let rest = room.members(&room.read_token(1), &format!("?after={ann}")).send().await.must_be(200).json();
    assert_eq!((&rest["cards"][0]["seq"], &rest["more"]), (&json!(cyd), &json!(false)));
    for wrong in ["?limit=0", "?limit=201", "?after=-1", "?after=x", "?limit=1&limit=2"] {
        members(wrong).await.must_fail(400, "invalid_request");
    }
    assert_eq!(
        members("?limit=200&after=9007199254740991").await.must_be(200).json(),
        json!({ "cards": [], "more": false })
    );
}

#[tokio::test]
async fn cards_outlive_the_log() {
    let server = unlimited().await;
    let room = KeyedRoom::create_with(&server.api(), json!({ "message_ttl_s": 1 })).await;
    let card = room.card_of("ann", 0, "ann").await;
    let database = server.database();
    buddy_tests::eventually("the card's event is swept", async || {
        room.room.get().token(room.owner()).send().await.must_be(200);
        (database.value::<i64>("SELECT count(*) FROM event", []) == 0).then_some(())
    })
    .await;
    let log = room.room.history("").token(room.owner()).send().await.must_be(200).json();
    assert_eq!(messages(&log).len(), 0);
    let members = room.members(&room.read_token(0), "").send().await.must_be(200).json();
    assert_eq!((&members["cards"][0]["seq"], &members["cards"][0]["body"]), (&json!(card), &json!("ann")));
    // So do rotations, with what they answer.
    let renewal = room.renewal(1, &["first"], &["ann"]);
    let made = room.renew(&renewal).send().await.must_be(201).json();
    buddy_tests::eventually("the renewal's event is swept", async || {
        room.room.get().token(room.owner()).send().await.must_be(200);
        (database.value::<i64>("SELECT count(*) FROM event", []) == 0).then_some(())
    })
    .await;
    assert_eq!(keys(&room, &room.post_token(0), "ann", "").await["rotations"][0]["grant"], base64url("ann in 1"));
    assert_eq!(room.renew(&renewal).send().await.must_be(200).json(), made);
    room.open("first", &buddy_tests::client_id()).send().await.must_be(200);
}

#[tokio::test]
async fn an_author_has_so_many_cards() {
    let server = Server::setup().without_rate_limits().variable("cards_per_author", 3).start().await;
    let room = KeyedRoom::create(&server.api()).await;
    let card = json!({ "client_id": buddy_tests::client_id(), "kind": "card", "body": "1" });
    room.post(0, &card).author("ann").send().await.must_be(201);
    for name in ["2", "3"] {
        room.card_of("ann", 0, name).await;
    }
    let another = json!({ "client_id": buddy_tests::client_id(), "kind": "card", "body": "4" });
    room.post(0, &another).author("ann").send().await.must_fail(403, "room_full");
    room.post(0, &card).author("ann").send().await.must_be(200);
    room.card_of("ben", 0, "1").await;
    room.say_as("ann", 0, "still here").await;
    let members = room.members(&room.read_token(0), "").send().await.must_be(200).json();
    let authors: Vec<_> = members["cards"].as_array().expect("a list").iter().map(|card| &card["author"]).collect();
    assert_eq!(authors, [&json!(member_id("ann")), &json!(member_id("ben"))]);
}

#[tokio::test]
async fn members_end_a_page_before_it_grows_large() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    for number in 0..70 {
        room.card_of(&format!("author {number}"), 0, &"x".repeat(16_000)).await;
    }
    let page = room.members(&room.read_token(0), "?limit=200").send().await.must_be(200);
    assert!(page.body().len() < (1 << 20) + 17_000, "{} bytes", page.body().len());
    assert_eq!(page.json()["more"], true);
    let page = page.json();
    let last = page["cards"].as_array().and_then(|cards| cards.last()).expect("a card")["seq"].clone();
    let rest = room.members(&room.read_token(0), &format!("?limit=200&after={last}")).send().await.must_be(200).json();
    assert_eq!(rest["more"], false);
    let count = |page: &Value| page["cards"].as_array().map_or(0, Vec::len);
    assert_eq!(count(&page) + count(&rest), 70);
}

#[tokio::test]
async fn a_card_counts_towards_the_size_of_the_room_for_as_long_as_it_is_kept() {
    let server = Server::setup().without_rate_limits().variable("room_max_bytes", 3000).start().await;
    let room = KeyedRoom::create_with(&server.api(), json!({ "message_ttl_s": 1 })).await;
    room.card_of("ann", 0, &"x".repeat(1000)).await;
    room.card_of("ann", 0, "short").await;
    let database = server.database();
    buddy_tests::eventually("the events are swept", async || {
        room.room.get().token(room.owner()).send().await.must_be(200);
        (database.value::<i64>("SELECT count(*) FROM event", []) == 0).then_some(())
    })
    .await;
    assert_eq!(database.value::<i64>("SELECT bytes FROM room", []), 256 + 5);
}
