//! Limits: each is a variable, and each says when to come back. Section 4, "Limits".

use buddy_tests::{Api, Room, Server, Setup, act, message, now_ms};
use serde_json::{Value, json};

/// A server that takes a header's word for where its clients are.
fn behind_a_proxy() -> Setup {
    Server::setup().variable("client_address_header", "x-real-address")
}

/// One post that names its client's address, as a proxy would.
async fn post_from(room: &Room, addresses: &str) -> u16 {
    let answer = room.post(&message("x")).header("x-real-address", addresses).send().await;
    if answer.status() == 429 { answer.must_fail(429, "rate_limited").status() } else { answer.status() }
}

async fn make_room_from(api: &Api, addresses: &str) -> u16 {
    let answer = api.post("/api/rooms").header("x-real-address", addresses).send().await;
    if answer.status() == 429 { answer.must_fail(429, "rate_limited").status() } else { answer.status() }
}

#[tokio::test]
async fn an_author_may_post_twenty_times_in_ten_seconds() {
    let server = Server::start().await;
    let room = server.open_room().await;
    for number in 0..20 {
        room.say_as("ann", &format!("{number}")).await;
    }
    let refused = room.post(&message("one more")).author("ann").send().await.must_fail(429, "rate_limited");
    assert!((1..=10).contains(&refused.retry_after()), "{refused}");
    room.say_as("ben", "another author").await;
    room.say("an anonymous one").await;
    let reaction = room.post(&act("react", 1, "+1")).author("ann").send().await;
    reaction.must_fail(429, "rate_limited");
    server.open_room().await.say_as("ann", "another room").await;
}

#[tokio::test]
async fn an_author_may_post_again_when_the_server_said_so() {
    let server = Server::setup().variable("posts_per_author_per_ten_s", 2).start().await;
    let room = server.open_room().await;
    let first = room.post(&message("1")).author("ann").send().await.must_be(201).json();
    room.say_as("ann", "2").await;
    let refused = room.post(&message("3")).author("ann").send().await.must_fail(429, "rate_limited");
    let allowed = now_ms() + refused.retry_after() * 1000;
    let next = buddy_tests::eventually("the author may post again", async || {
        let answer = room.post(&message("3")).author("ann").send().await;
        if answer.status() == 429 { None } else { Some(answer.must_be(201).json()) }
    })
    .await;
    let time = |value: &Value| value["sent_at_ms"].as_u64().expect("a time");
    let waited = time(&next) - time(&first);
    assert!(waited >= 10_000, "the first post has left the window: {waited} ms");
    assert!(allowed >= time(&first) + 10_000, "whoever waited as told was not refused again: {refused}");
}

#[tokio::test]
async fn anonymous_posts_of_a_room_count_as_one_authors() {
    let server = Server::setup().variable("posts_per_author_per_ten_s", 3).start().await;
    let room = server.open_room().await;
    for _ in 0..3 {
        room.say("whoever").await;
    }
    room.post(&message("whoever")).send().await.must_fail(429, "rate_limited");
    room.say_as("ann", "somebody").await;
}

#[tokio::test]
async fn a_room_takes_so_many_posts_from_all_its_authors() {
    let server = Server::setup().variable("posts_per_room_per_ten_s", 6).start().await;
    let room = server.open_room().await;
    for number in 0..6 {
        room.say_as(&format!("author {number}"), "x").await;
    }
    let refused = room.post(&message("x")).author("another").send().await.must_fail(429, "rate_limited");
    assert!((1..=10).contains(&refused.retry_after()), "{refused}");
    server.open_room().await.say("another room").await;
}

#[tokio::test]
async fn an_address_may_post_so_often_whatever_the_room_or_author() {
    let server = Server::setup().variable("posts_per_address_per_ten_s", 5).start().await;
    let rooms = [server.open_room().await, server.open_room().await];
    for number in 0..5 {
        rooms[number % 2].say_as(&format!("author {number}"), "x").await;
    }
    let refused = rooms[0].post(&message("x")).author("another").send().await.must_fail(429, "rate_limited");
    assert!((1..=10).contains(&refused.retry_after()), "{refused}");
}

#[tokio::test]
async fn an_address_is_the_last_entry_of_the_trusted_header() {
    let server = behind_a_proxy().variable("posts_per_address_per_ten_s", 2).start().await;
    let room = server.open_room().await;
    // Whatever stands before the last entry was written by the client itself.
    let statuses = [
        post_from(&room, "198.51.100.1, 203.0.113.7").await,
        post_from(&room, "198.51.100.2,203.0.113.7").await,
        post_from(&room, "203.0.113.7").await,
        post_from(&room, "198.51.100.3, 203.0.113.7").await,
        post_from(&room, "203.0.113.7, 203.0.113.8").await,
    ];
    assert_eq!(statuses, [201, 201, 429, 429, 201]);
}

#[tokio::test]
async fn of_an_ipv6_address_the_first_64_bits_count() {
    let server = behind_a_proxy().variable("posts_per_address_per_ten_s", 2).start().await;
    let room = server.open_room().await;
    let statuses = [
        post_from(&room, "2001:db8:1:2::1").await,
        post_from(&room, "2001:db8:1:2:ffff::9").await,
        post_from(&room, "2001:DB8:0001:2:3::").await,
        post_from(&room, "2001:db8:1:3::1").await,
    ];
    assert_eq!(statuses, [201, 201, 429, 201]);
}

#[tokio::test]
async fn the_header_of_an_address_is_believed_only_where_it_was_named() {
    let server = Server::setup().variable("posts_per_address_per_ten_s", 2).start().await;
    let room = server.open_room().await;
    let mut statuses = Vec::new();
    for (number, header) in ["spin-client-addr", "x-real-address", "x-forwarded-for", "forwarded"].iter().enumerate() {
        let answer = room.post(&message("x")).header(header, &format!("203.0.113.{number}")).send().await;
        statuses.push(answer.status());
    }
    assert_eq!(statuses, [201, 201, 429, 429], "one address, whatever it claims");
}

#[tokio::test]
async fn an_address_may_make_so_many_rooms_an_hour() {
    let server = behind_a_proxy().variable("rooms_per_address_per_hour", 3).start().await;
    let api = server.api();
    for _ in 0..3 {
        assert_eq!(make_room_from(&api, "203.0.113.7").await, 201);
    }
    let refused = api.post("/api/rooms").header("x-real-address", "203.0.113.7").send().await;
    let refused = refused.must_fail(429, "rate_limited");
    assert!((1..=3600).contains(&refused.retry_after()), "{refused}");
    assert_eq!(make_room_from(&api, "203.0.113.8").await, 201);
}

#[tokio::test]
async fn sixty_rooms_an_hour_are_the_default() {
    let server = Server::start().await;
    let api = server.api();
    for _ in 0..60 {
        api.post("/api/rooms").send().await.must_be(201);
    }
    api.post("/api/rooms").send().await.must_fail(429, "rate_limited");
}

#[tokio::test]
async fn an_address_is_not_kept_as_it_is() {
    let server = behind_a_proxy().start().await;
    let room = server.open_room().await;
    assert_eq!(post_from(&room, "203.0.113.77").await, 201);
    assert_eq!(make_room_from(&server.api(), "203.0.113.77").await, 201);
    let database = server.database();
    assert!(!database.contains("203.0.113.77"));
    assert!(!database.contains("127.0.0.1"));
}

#[tokio::test]
async fn a_repeat_is_answered_however_often_its_author_has_posted() {
    let server = Server::setup().variable("posts_per_author_per_ten_s", 1).start().await;
    let room = server.open_room().await;
    let post = message("once");
    let first = room.post(&post).send().await.must_be(201).json();
    room.post(&message("twice")).send().await.must_fail(429, "rate_limited");
    assert_eq!(room.post(&post).send().await.must_be(200).json(), first);
    let other = json!({ "client_id": post["client_id"], "body": "other" });
    room.post(&other).send().await.must_fail(409, "client_id_reused");
}

#[tokio::test]
async fn a_refused_post_does_not_count() {
    let server = Server::setup().variable("posts_per_author_per_ten_s", 2).start().await;
    let room = server.open_room().await;
    for _ in 0..5 {
        room.post(&act("react", 1, "x")).send().await.must_fail(400, "invalid_request");
    }
    room.say("one").await;
    room.say("two").await;
}

#[tokio::test]
async fn the_order_of_reasons_is_locked_then_target_then_full_then_rate() {
    let server =
        Server::setup().variable("posts_per_author_per_ten_s", 2).variable("room_max_bytes", 788).start().await;
    let room = server.open_room().await;
    let full = "0123456789abcdef";
    room.say_as("ann", full).await;
    room.say_as("ann", "x").await;
    let refused = |post: Value| {
        let request = room.post(&post).author("ann");
        async move { request.send().await }
    };
    // Rate alone, then with each earlier reason added.
    refused(message("x")).await.must_fail(429, "rate_limited");
    refused(message(full)).await.must_fail(403, "room_full");
    refused(act("react", 99, full)).await.must_fail(400, "invalid_request");
    room.patch(json!({ "locked": true })).send().await.must_be(200);
    refused(act("react", 99, full)).await.must_fail(403, "room_locked");
}

#[tokio::test]
async fn a_full_room_says_so_until_something_is_erased() {
    // Each event counts 256 bytes besides its body.
    let server = Server::setup().variable("room_max_bytes", 2000).start().await;
    let room = server.open_room().await;
    let first = room.say_as("me", &"a".repeat(1000)).await;
    room.post(&message(&"b".repeat(489))).author("me").send().await.must_fail(403, "room_full");
    // Bytes count, not characters.
    room.post(&message(&"€".repeat(163))).author("me").send().await.must_fail(403, "room_full");
    room.say_as("me", &"b".repeat(488)).await;
    room.post(&message("c")).author("me").send().await.must_fail(403, "room_full");
    // What says more than it frees is refused; a sealed delete of a longer message is not.
    room.post(&act("delete", first, &"x".repeat(1001))).author("me").send().await.must_fail(403, "room_full");
    room.act_as("me", "delete", first, &"x".repeat(300)).await;
    room.say_as("me", &"d".repeat(188)).await;
    room.post(&message("e")).author("me").send().await.must_fail(403, "room_full");
}

#[tokio::test]
async fn posting_and_deleting_does_not_grow_a_room_without_end() {
    let server = Server::setup().variable("room_max_bytes", 4096).start().await;
    let room = server.open_room().await;
    let mut pairs = 0;
    loop {
        let said = room.post(&message("x")).author(&format!("author {pairs}")).send().await;
        if said.status() == 403 {
            said.must_fail(403, "room_full");
            break;
        }
        let seq = said.must_be(201).json()["seq"].as_u64().expect("a seq");
        room.act_as(&format!("author {pairs}"), "delete", seq, "y").await;
        pairs += 1;
    }
    // The last deletion may pass the limit.
    assert_eq!(pairs, 4096 / (2 * 256 + 1) + 1);
}

#[tokio::test]
async fn one_address_cannot_silence_a_room() {
    let server = behind_a_proxy().start().await;
    let room = server.open_room().await;
    let mut statuses = Vec::new();
    for number in 0..99 {
        let post = room.post(&message("x")).author(&format!("author {number}"));
        statuses.push(post.header("x-real-address", "203.0.113.7").send().await.status());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 60, "{statuses:?}");
    assert!(statuses[60..].iter().all(|status| *status == 429), "{statuses:?}");
    for _ in 0..5 {
        assert_eq!(post_from(&room, "203.0.113.8").await, 201, "others go on");
        let owner = room.post(&message("x")).token(room.owner()).header("x-real-address", "203.0.113.7").send().await;
        owner.must_be(201);
    }
    let other = server.open_room().await;
    assert_eq!(post_from(&other, "203.0.113.7").await, 201, "the address is not shut out of other rooms");
}

#[tokio::test]
async fn an_owner_is_not_refused_for_what_others_post() {
    let server = Server::setup()
        .variable("posts_per_room_per_ten_s", 5)
        .variable("posts_per_author_per_ten_s", 3)
        .variable("posts_per_address_per_ten_s", 8)
        .start()
        .await;
    let room = server.open_room().await;
    for number in 0..12 {
        room.post(&message("x")).author(&format!("author {number}")).send().await;
    }
    room.post(&message("x")).send().await.must_fail(429, "rate_limited");
    for _ in 0..3 {
        room.post(&message("order")).token(room.owner()).send().await.must_be(201);
    }
    room.post(&message("too much")).token(room.owner()).send().await.must_fail(429, "rate_limited");
}

#[tokio::test]
async fn refusals_count_towards_their_addresss_limit() {
    let server = behind_a_proxy().variable("posts_per_address_per_ten_s", 30).start().await;
    let hashes = json!({ "read_token_hash": "1".repeat(64), "post_token_hash": "2".repeat(64) });
    let room = server.room(hashes).await;
    let stranger = || room.post(&message("x")).token("a guess").header("x-real-address", "203.0.113.7");
    for _ in 0..40 {
        stranger().send().await.must_fail(404, "room_not_found");
    }
    let open = server.open_room().await;
    assert_eq!(post_from(&open, "203.0.113.7").await, 429, "an address that was refused so often");
    assert_eq!(post_from(&open, "203.0.113.8").await, 201, "another address");
}

#[tokio::test]
async fn changes_of_a_room_are_limited() {
    let server = Server::setup().variable("room_max_bytes", 20_000).start().await;
    let room = server.open_room().await;
    for number in 0..20 {
        room.patch(json!({ "about": format!("{number}") })).send().await.must_be(200);
    }
    let refused = room.patch(json!({ "about": "once more" })).send().await.must_fail(429, "rate_limited");
    assert!((1..=10).contains(&refused.retry_after()), "{refused}");
    assert_eq!(room.state().await["last_seq"], 20);
    room.patch(json!({ "about": "19" })).send().await.must_be(200);

    // What the log is told counts in the form in which it is stored.
    let other = server.open_room().await;
    let escaped = "\u{1}".repeat(4096);
    other.patch(json!({ "about": escaped })).send().await.must_fail(413, "too_large");
    for number in 0..4 {
        other.patch(json!({ "about": format!("{number}{}", "a".repeat(4000)) })).send().await.must_be(200);
    }
    other.patch(json!({ "about": "a".repeat(4000) })).send().await.must_fail(403, "room_full");
}

#[tokio::test]
async fn a_full_database_takes_no_new_rooms_and_posts() {
    let server = Server::setup()
        .variable("database_max_bytes", 600_000)
        .variable("posts_per_author_per_ten_s", 50)
        .start()
        .await;
    let room = server.open_room().await;
    let mut first = None;
    let mut refused = None;
    for size in [16_000, 1000, 1] {
        refused = loop {
            let answer = room.post(&message(&"x".repeat(size))).author("me").token(room.owner()).send().await;
            if answer.status() != 201 {
                break Some(answer.must_fail(503, "storage_full"));
            }
            first = first.or(answer.json()["seq"].as_u64());
        };
    }
    let refused = refused.expect("it was refused");
    assert!(refused.retry_after() >= 1, "{refused}");
    server.api().post("/api/rooms").send().await.must_fail(503, "storage_full");
    room.post(&act("delete", first.expect("some were stored"), "gone")).author("me").send().await.must_be(201);
    let file =
        server.database().value::<i64>("SELECT page_count*page_size FROM pragma_page_count, pragma_page_size", []);
    assert!(file <= 600_000, "{file}");
}

#[tokio::test]
async fn limits_hold_under_a_rush() {
    let server = Server::setup().variable("posts_per_author_per_ten_s", 10).start().await;
    let room = server.open_room().await;
    let posts = (0..60).map(|_| async { room.post(&message("x")).author("ann").send().await.status() });
    let statuses = futures::future::join_all(posts).await;
    let accepted = statuses.iter().filter(|&&status| status == 201).count();
    assert_eq!(accepted, 10, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 201 | 429)), "{statuses:?}");
    assert_eq!(room.state().await["last_seq"], 10);
}
