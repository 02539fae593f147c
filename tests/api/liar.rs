//! The lying server of the harness lies exactly as it is told to, and otherwise passes on what the server says.

use buddy_tests::{Api, Liar, Room, Server, Told, act, message, sequences};
use serde_json::{Value, json};

/// A room with five messages, and the same room through a liar.
async fn lied_to(server: &Server) -> (Room, Room, Liar) {
    let room = server.open_room().await;
    room.say_many(1..=5).await;
    let liar = Liar::before(server.address()).await;
    let through = room.at(&Api::of_a_liar(&liar.address()));
    (room, through, liar)
}

/// What history says, each message by its number.
async fn told(room: &Room) -> Vec<String> {
    let page = room.page("").await;
    assert_eq!(sequences(&page), (1..=sequences(&page).len() as u64).collect::<Vec<_>>(), "a careful liar is dense");
    bodies(buddy_tests::messages(&page))
}

fn bodies(events: &[Value]) -> Vec<String> {
    let number = |event: &Value| event["body"].as_str().expect("a body is text").replace("message ", "");
    events.iter().map(number).collect()
}

#[tokio::test]
async fn an_honest_liar_passes_everything_on() {
    let server = Server::setup().without_rate_limits().variable("stream_max_s", 1800).start().await;
    let (room, through, _liar) = lied_to(&server).await;
    assert_eq!(through.page("").await, room.page("").await);
    assert_eq!(through.page("?after=1&limit=2").await, room.page("?after=1&limit=2").await);
    assert_eq!(through.page("?before=4&limit=2").await, room.page("?before=4&limit=2").await);
    assert_eq!(through.state().await, room.state().await);
    through.history("?after=x").send().await.must_fail(400, "invalid_request");
    through.with_id("00".repeat(32)).get().send().await.must_fail(404, "room_not_found");
    assert_eq!(through.refused_stream("?after=x", &[]).await.status(), 400);

    let mut direct = room.stream_after(2).await;
    let mut stream = through.stream_after(2).await;
    assert_eq!(stream.hello().await.data(), direct.hello().await.data());
    assert_eq!(through.say("message 6").await, 6);
    assert_eq!(stream.events_until(6).await, direct.events_until(6).await);
    let typing = json!({ "kind": "typing", "body": "x" });
    through.signal(&typing).author("Ana").send().await.must_be(204);
    assert_eq!(stream.next_named("signal").await.data(), direct.next_named("signal").await.data());
    room.delete().send().await.must_be(204);
    assert_eq!(stream.rest().await.last().expect("an end").event(), Some("closed"));
    let beyond = through.refused_stream("", &[]).await;
    beyond.must_fail(404, "room_not_found");
}

#[tokio::test]
async fn a_liar_drops_swaps_repeats_blanks_and_forges() {
    let server = Server::setup().without_rate_limits().start().await;
    let (room, through, liar) = lied_to(&server).await;
    liar.drops(|event| event["body"] == "message 2");
    assert_eq!(told(&through).await, ["1", "3", "4", "5"]);
    let mut stream = through.stream_after(0).await;
    assert_eq!(stream.hello().await.data()["last_seq"], 4);
    assert_eq!(bodies(&stream.events_until(4).await), ["1", "3", "4", "5"]);
    // What is posted here counts as it is told here, and its target is the one that was meant.
    assert_eq!(through.say("message 6").await, 5);
    assert_eq!(stream.events_until(5).await[0]["body"], "message 6");
    let reaction = act("react", 2, "+1");
    assert_eq!(through.post(&reaction).author("Ana").send().await.must_be(201).json()["seq"], 6);
    assert_eq!(stream.events_until(6).await[0]["target"], 2, "message 3 is the second here");
    assert_eq!(room.page("?after=6").await["messages"][0]["target"], 3);

    liar.confesses();
    liar.swaps(1, 2);
    assert_eq!(told(&through).await[..3], ["2", "1", "3"]);
    liar.confesses();
    liar.repeats(1, 3, true);
    assert_eq!(told(&through).await[..5], ["1", "2", "3", "1", "4"]);
    liar.confesses();
    liar.blanks(|event| event["body"] == "message 1");
    let blanked = &through.page("").await["messages"][0];
    assert_eq!(blanked["body"], "");
    assert_eq!(blanked["erased"], buddy_tests::token_hash("message 1"));
    liar.confesses();
    let mut invented = room.page("").await["messages"][0].clone();
    invented["body"] = json!("message 0");
    liar.forges(0, invented);
    assert_eq!(told(&through).await[..3], ["0", "1", "2"]);
    liar.confesses();
    liar.loses(|event| event["seq"] == 3);
    assert_eq!(sequences(&through.page("").await), [1, 2, 4, 5, 6, 7]);
    assert_eq!(told(&room).await[..6], ["1", "2", "3", "4", "5", "6"], "everybody else hears the truth");
}

#[tokio::test]
async fn a_liar_rolls_back_forks_and_goes_on() {
    let server = Server::setup().without_rate_limits().start().await;
    let (room, through, liar) = lied_to(&server).await;
    let other = Liar::before(server.address()).await;
    let elsewhere = room.at(&Api::of_a_liar(&other.address()));
    let mut stream = through.stream().await;
    stream.hello().await;
    liar.rolls_back_to(3);
    assert!(stream.try_next().await.is_err_and(|_| true) || stream.try_next().await.is_ok_and(|block| block.is_none()));
    let mut stream = through.stream_after(5).await;
    let reset = stream.next_event().await;
    assert_eq!((reset.event(), reset.id()), (Some("reset"), Some(3)));
    assert_eq!(room.say("message 6").await, 6);
    assert_eq!(bodies(&stream.events_until(4).await), ["6"]);
    assert_eq!(told(&through).await, ["1", "2", "3", "6"]);
    assert_eq!(told(&elsewhere).await, ["1", "2", "3", "4", "5", "6"]);

    let log = stream_log(&through).await;
    assert_eq!(log, stream_log(&room).await);
    liar.renames_log();
    assert_ne!(log, stream_log(&through).await);
}

async fn stream_log(room: &Room) -> Value {
    room.stream().await.hello().await.data()["log"].clone()
}

#[tokio::test]
async fn a_liar_changes_answers_says_them_again_and_keeps_people_to_itself() {
    let server = Server::setup().without_rate_limits().start().await;
    let (room, through, liar) = lied_to(&server).await;
    let before = through.state().await;
    room.patch(json!({ "locked": true })).send().await.must_be(200);
    assert_eq!(through.state().await["locked"], true);
    let (_, old) = liar.heard("GET", &room.id)[0].clone();
    assert_eq!(old, Told::ok(before));
    liar.changes(move |asked, told| {
        if asked.is("GET", asked.room().unwrap_or("none")) {
            *told = old.clone();
        }
    });
    assert_eq!(through.state().await["locked"], false);
    liar.refuses("POST", "/signals", 403, "not_allowed");
    through.signal(&json!({ "kind": "here", "body": "x" })).send().await.must_fail(403, "not_allowed");

    // Alone with whoever is here.
    room.patch(json!({ "locked": false })).send().await.must_be(200);
    liar.confesses();
    through.state().await;
    let last = room.state().await["last_seq"].as_u64().expect("a sequence");
    told_kinds(&through).await;
    liar.isolates();
    let mut stream = through.stream_after(last).await;
    stream.hello().await;
    let kept = message("message 8");
    let answer = through.post(&kept).send().await.must_be(201).json();
    assert_eq!(through.post(&kept).send().await.must_be(200).json(), answer);
    assert_eq!(stream.events_until(last + 1).await[0]["body"], "message 8");
    assert_eq!(through.state().await["last_seq"], last + 1);
    room.say("message 9").await;
    assert_eq!(told_kinds(&through).await.len() as u64, last + 1);
    assert_eq!(room.page("").await["messages"].as_array().expect("a list").last().expect("one")["body"], "message 9");
}

async fn told_kinds(room: &Room) -> Vec<Value> {
    buddy_tests::messages(&room.page("").await).iter().map(|event| event["kind"].clone()).collect()
}

#[tokio::test]
async fn a_liar_reads_with_a_token_of_its_own_for_whom_the_server_would_refuse() {
    let server = Server::setup().without_rate_limits().start().await;
    let [read, post] = ["read", "post"].map(|word| word.repeat(8));
    let hashes = [&read, &post].map(|token| buddy_tests::token_hash(token));
    let room = server.room(json!({ "read_token_hash": hashes[0], "post_token_hash": hashes[1] })).await;
    room.post(&message("behind a door")).token(&post).send().await.must_be(201);
    let liar = Liar::before(server.address()).await;
    let through = room.at(&Api::of_a_liar(&liar.address()));
    through.history("").send().await.must_fail(404, "room_not_found");
    liar.reads_with(&read);
    assert_eq!(bodies(buddy_tests::messages(&through.page("").await)), ["behind a door"]);
    let mut stream = through.stream_after(0).await;
    assert_eq!(stream.events_until(1).await[0]["body"], "behind a door");
}

#[tokio::test]
async fn a_server_is_set_back_to_its_backup() {
    let mut server = Server::setup().without_rate_limits().start().await;
    let (room, _, liar) = lied_to(&server).await;
    let backup = server.back_up().await;
    room.at(&server.api()).say("message 6").await;
    server.restore(&backup).await;
    liar.lead_to(server.address());
    assert_eq!(told(&room.at(&Api::of_a_liar(&liar.address()))).await, ["1", "2", "3", "4", "5"]);
    assert_eq!(room.at(&server.api()).say("another 6").await, 6);
}
