//! What survives the end of a server, however it ends: section 8, "An acknowledged post is durable".

use buddy_tests::{Server, message, messages, sequences};
use serde_json::{Value, json};

#[tokio::test]
async fn everything_acknowledged_survives_a_kill() {
    let mut server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    let mut acknowledged = Vec::new();
    for round in 0..4 {
        let here = room.at(&server.api());
        for number in 0..25 {
            let post = message(&format!("round {round}, {number}"));
            let answer = here.post(&post).send().await.must_be(201).json();
            acknowledged.push((post, answer));
        }
        server.kill();
        server.restart().await;
    }
    let here = room.at(&server.api());
    let events = here.events_after(0).await;
    assert_eq!(events.len(), 100);
    for ((post, answer), event) in acknowledged.iter().zip(&events) {
        assert_eq!((&event["seq"], &event["client_id"]), (&answer["seq"], &post["client_id"]));
        assert_eq!((&event["body"], &event["sent_at_ms"]), (&post["body"], &answer["sent_at_ms"]));
        assert_eq!(&here.post(post).send().await.must_be(200).json(), answer, "a repeat gets the first answer");
    }
}

#[tokio::test]
async fn a_post_interrupted_by_a_kill_is_stored_once_or_not_at_all() {
    let mut server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    let posts: Vec<Value> = (0..60).map(|number| message(&format!("post {number}"))).collect();
    let rush = futures::future::join_all(posts.iter().map(|post| room.post(post).answer()));
    let mut rush = Box::pin(rush);
    // Some of them are under way when the first is stored.
    tokio::select! {
        _ = &mut rush => {}
        _ = buddy_tests::eventually("the first is stored", async || {
            (server.database().value::<i64>("SELECT count(*) FROM event", []) > 0).then_some(())
        }) => {}
    }
    server.kill();
    let outcomes = rush.await;
    server.restart().await;
    let room = room.at(&server.api());
    for (post, outcome) in posts.iter().zip(outcomes) {
        let again = room.post(post).send().await;
        match outcome {
            Ok(answer) if answer.status() == 201 => {
                assert_eq!(again.must_be(200).json(), answer.json(), "what was acknowledged is there");
            }
            _ => assert!(matches!(again.status(), 200 | 201), "{again}"),
        }
    }
    let page = room.page("?limit=200").await;
    assert_eq!(sequences(&page), (1..=60).collect::<Vec<_>>(), "each once, dense");
}

#[tokio::test]
async fn a_second_start_on_the_same_data_changes_nothing() {
    let mut server = Server::start().await;
    let room = server.room(json!({ "about": "v1.a", "message_ttl_s": 3600 })).await;
    room.say("before").await;
    room.patch(json!({ "locked": true })).send().await.must_be(200);
    let state = room.state().await;
    let history = room.page("").await;
    for _ in 0..2 {
        server.restart().await;
        let room = room.at(&server.api());
        assert_eq!(room.state().await, state);
        assert_eq!(room.page("").await, history);
    }
    let room = room.at(&server.api());
    room.patch(json!({ "locked": false })).send().await.must_be(200);
    assert_eq!(room.say("after").await, 4);
}

#[tokio::test]
async fn migrations_complete_a_database_that_an_interrupted_one_left_behind() {
    let mut server = Server::start().await;
    let room = server.open_room().await;
    room.say("before").await;
    server.kill();
    // As after a crash in the middle of a migration: the version is not written, a table and a trigger are missing.
    server.database().execute("DELETE FROM migration", []);
    server.database().execute("DROP TABLE address", []);
    server.database().execute("DROP TRIGGER event_blanked", []);
    server.restart().await;
    let room = room.at(&server.api());
    assert_eq!(room.say("after").await, 2);
    assert_eq!(messages(&room.page("").await)[0]["body"], "before");
    let missing = "SELECT 2 - count(*) FROM sqlite_schema WHERE name IN('address','event_blanked')";
    assert_eq!(server.database().value::<i64>(missing, []), 0);
    assert!(server.database().value::<i64>("SELECT max(version) FROM migration", []) >= 1);
}

#[tokio::test]
async fn two_servers_on_one_folder_give_out_one_sequence() {
    let first = Server::setup().without_rate_limits().start().await;
    let second = first.sibling().await;
    let room = first.open_room().await;
    let rooms = [room.clone(), room.at(&second.api())];
    let posts = (0..80).map(|number| {
        let room = &rooms[number % 2];
        async move { room.say(&format!("post {number}")).await }
    });
    let mut given = futures::future::join_all(posts).await;
    given.sort_unstable();
    assert_eq!(given, (1..=80).collect::<Vec<_>>());
    for room in &rooms {
        assert_eq!(room.events_after(0).await.len(), 80);
    }
}

#[tokio::test]
async fn two_servers_may_start_at_once_on_an_empty_folder() {
    let first = Server::setup().expect_unhealthy().start().await;
    let second = first.sibling().await;
    // Both apply the schema with their first request.
    let (one, two) = futures::join!(first.open_room(), second.open_room());
    for room in [&one, &two] {
        for server in [&first, &second] {
            room.at(&server.api()).say("x").await;
        }
    }
}

#[tokio::test]
async fn a_reader_resumes_after_a_kill_with_its_cursor_alone() {
    let mut server = Server::start().await;
    let room = server.open_room().await;
    room.say("one").await;
    let mut stream = room.stream_after(0).await;
    stream.events_until(1).await;
    server.kill();
    assert!(stream.try_next().await.is_err(), "the connection is broken, not ended");
    server.restart().await;
    let room = room.at(&server.api());
    room.say("two").await;
    let mut stream = room.stream_with("", &[("last-event-id", "1")]).await;
    assert_eq!(stream.hello().await.id(), Some(1));
    assert_eq!(stream.next_event().await.id(), Some(2));
}

#[tokio::test]
async fn the_database_is_set_up_for_durability() {
    let server = Server::start().await;
    server.open_room().await;
    let database = server.database();
    assert_eq!(database.value::<String>("PRAGMA journal_mode", []), "wal");
    assert_eq!(database.value::<String>("PRAGMA integrity_check", []), "ok");
}

#[tokio::test]
async fn history_read_by_two_servers_is_the_same() {
    let first = Server::start().await;
    let second = first.sibling().await;
    let room = first.open_room().await;
    room.say_as("ann", "x").await;
    room.act_as("ann", "delete", 1, "gone").await;
    let here = room.page("").await;
    let there = room.at(&second.api()).history("").send().await.must_be(200).json();
    assert_eq!(here, there);
    assert_eq!(messages(&there).len(), 2);
}
