//! Web Push: docs/protocol.md, "Push". Browsers and their push service are the tests' own.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use buddy_tests::{
    KeyedRoom, PUBLIC_ADDRESS, PushService, Request, Room, Server, Subscription, eventually, now_ms, push, token_hash,
};
use serde_json::{Value, json};

const MESSAGE: &str = r#"{"web_push":8030,"mutable":true,"notification":{"title":"Buddy","body":"New messages","navigate":"https://chat.example/"}}"#;

fn register(room: &Room, browser: &Subscription) -> Request {
    room.api().post(&format!("{}/push", room.path())).json(&browser.json())
}

fn unregister(room: &Room, browser: &Subscription) -> Request {
    room.api().delete(&format!("{}/push", room.path())).json(&json!({ "endpoint": browser.endpoint }))
}

fn key(room: &Room) -> Request {
    room.api().get(&format!("{}/push", room.path()))
}

/// Has all be told but for one.
fn notify(room: &Room, own: Option<&Subscription>) -> Request {
    let body = own.map_or(json!({}), |own| json!({ "endpoint": own.endpoint }));
    room.api().post(&format!("{}/push/notify", room.path())).json(&body)
}

fn registrations(server: &Server) -> i64 {
    server.database().value("SELECT count(*) FROM registration", [])
}

/// Lets so much time pass for the pause between two times that a room is told of.
fn pass(server: &Server, ms: i64) {
    server.database().execute("UPDATE room SET pushed_at_ms=pushed_at_ms-?1", [ms]);
}

/// RFC 8291, appendix A.
#[test]
fn the_example_of_the_rfc_opens() {
    let decode = |text| URL_SAFE_NO_PAD.decode(text).expect("base64url");
    let secret = p256::SecretKey::from_slice(&decode("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")).expect("a key");
    let auth = decode("BTBZMqHH6r4Tts7J_aSIgg").try_into().expect("16 bytes");
    let body = decode(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
    );
    assert_eq!(push::open(&secret, &auth, &body).as_deref(), Some("When I grow up, I want to be a watermelon"));
}

#[tokio::test]
async fn browsers_are_told_by_a_sealed_message_that_names_no_room() {
    let service = PushService::start().await;
    let server = Server::setup().push(&service).start().await;
    let room = server.open_room().await;
    let public = key(&room).send().await.must_be(200).json()["key"].as_str().expect("a key").to_owned();
    let (ann, ben, cleo) = (service.subscribe(), service.subscribe(), service.subscribe());
    for (browser, status) in [(&ann, 201), (&ann, 200), (&ben, 201), (&cleo, 201)] {
        register(&room, browser).send().await.must_be(status);
    }
    room.say("hello").await;
    let told = notify(&room, Some(&ann)).send().await.must_be(202).json();
    assert_eq!(told, json!({ "again_in_s": 0, "registrations": 2 }));
    let pushed = service.pushed_at_least(2).await;
    assert_eq!(pushed.iter().map(|push| push.path.as_str()).collect::<BTreeSet<_>>(), [ben.path(), cleo.path()].into());
    for push in &pushed {
        let to = if push.path == ben.path() { &ben } else { &cleo };
        assert_eq!(to.open(push).as_deref(), Some(MESSAGE));
        assert_eq!(ann.open(push), None, "nobody else's browser opens it");
        for (header, value) in
            [("ttl", "86400"), ("urgency", "normal"), ("topic", "buddy"), ("content-encoding", "aes128gcm")]
        {
            assert_eq!(push.header(header), value, "{header}");
        }
        let (claims, by) = push.vouched().expect("it is signed");
        assert_eq!(
            (&claims["aud"], &claims["sub"], by),
            (&json!(service.origin()), &json!(PUBLIC_ADDRESS), public.clone())
        );
        let expires_in_s = claims["exp"].as_i64().expect("a time") - now_ms() as i64 / 1000;
        assert!((3600..=86_400).contains(&expires_in_s), "{expires_in_s}");
        assert!(!format!("{push:?}").contains(&room.id[..8]), "the service learns no room: {push:?}");
    }
    // Told just now, a room waits; who asked is told how long.
    let waits = notify(&room, Some(&ben)).send().await.must_be(202).json();
    let again_in_s = waits["again_in_s"].as_i64().expect("seconds");
    assert!((1..=10).contains(&again_in_s) && waits["registrations"] == 2, "{waits}");
    pass(&server, 10_000);
    assert_eq!(notify(&room, None).send().await.must_be(202).json()["again_in_s"], 0);
    let pushed = service.pushed_at_least(5).await;
    let mut later: Vec<_> = pushed[2..].iter().map(|push| push.path.as_str()).collect();
    later.sort_unstable();
    let mut all = [ann.path(), ben.path(), cleo.path()];
    all.sort_unstable();
    assert_eq!(later, all, "nobody was told in between");
    // What a browser takes back is not told, nor is a room in which nobody else waits told of.
    for _ in 0..2 {
        unregister(&room, &ann).send().await.must_be(204);
        unregister(&room, &ben).send().await.must_be(204);
    }
    pass(&server, 10_000);
    for _ in 0..2 {
        let nobody = notify(&room, Some(&cleo)).send().await.must_be(202).json();
        assert_eq!(nobody, json!({ "again_in_s": 0, "registrations": 0 }));
    }
    assert_eq!(notify(&room, None).send().await.must_be(202).json(), json!({ "again_in_s": 0, "registrations": 1 }));
    assert_eq!(service.pushed_at_least(6).await[5..].len(), 1);
}

#[tokio::test]
async fn whoever_reads_registers_and_whoever_posts_has_the_others_told() {
    let service = PushService::start().await;
    let server = Server::setup().push(&service).variable("push_registrations_max", 2).start().await;
    let room = KeyedRoom::create(&server.api()).await;
    let (ann, ben, cleo) = (service.subscribe(), service.subscribe(), service.subscribe());
    let (reads, posts) = (room.read_token(0), room.post_token(0));
    for request in [key(&room.room), register(&room.room, &ann), unregister(&room.room, &ann), notify(&room.room, None)]
    {
        request.token("another").send().await.must_fail(404, "room_not_found");
    }
    key(&room.room).token(&reads).send().await.must_be(200);
    register(&room.room, &ann).token(&reads).send().await.must_be(201);
    register(&room.room, &ben).token(&posts).send().await.must_be(201);
    register(&room.room, &cleo).token(&posts).send().await.must_fail(403, "room_full");
    register(&room.room, &ann).token(&posts).send().await.must_be(200);
    notify(&room.room, None).token(&reads).send().await.must_fail(403, "not_allowed");
    room.change(&room.statement(0, 0, "v2.0.locked", json!({ "locked": true }))).send().await.must_be(200);
    notify(&room.room, None).token(&posts).send().await.must_fail(403, "room_locked");
    notify(&room.room, None).token(room.owner()).send().await.must_be(202);
    service.pushed_at_least(2).await;

    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut registration = ann.json();
        change(&mut registration);
        room.room.api().post(&format!("{}/push", room.room.path())).token(&reads).json(&registration)
    };
    for endpoint in ["https://push.evil.example/x", "http://127.0.0.1:1/x", "https://fcm.googleapis.com/fcm/send/x", ""]
    {
        let request = wrong(&|registration| registration["endpoint"] = json!(endpoint));
        request.send().await.must_fail(400, "push_service_unknown");
    }
    let off_the_curve = URL_SAFE_NO_PAD.encode([4; 65]);
    for (field, value) in [("p256dh", json!(off_the_curve)), ("p256dh", json!("")), ("auth", json!("AA"))] {
        let request = wrong(&|registration| registration["keys"][field] = value.clone());
        request.send().await.must_fail(400, "invalid_request");
    }
    assert_eq!(registrations(&server), 2);

    // What a browser may say besides is nobody's concern, and new keys take the old ones' place.
    wrong(&|registration| registration["later"] = json!(1)).send().await.must_be(200);
    let changed = wrong(&|registration| registration["keys"]["auth"] = json!(URL_SAFE_NO_PAD.encode([9; 16])));
    changed.send().await.must_be(200);
    assert_eq!(registrations(&server), 2);
}

#[tokio::test]
async fn registrations_go_with_the_keys_and_with_the_room() {
    let service = PushService::start().await;
    let server = Server::setup().without_rate_limits().push(&service).start().await;
    let (room, plain) = (KeyedRoom::create(&server.api()).await, server.open_room().await);
    let (ann, ben) = (service.subscribe(), service.subscribe());
    for browser in [&ann, &ben] {
        register(&room.room, browser).token(&room.read_token(0)).send().await.must_be(201);
        register(&plain, browser).send().await.must_be(201);
    }
    room.renew_for(1, &["ann"]).await;
    assert_eq!(registrations(&server), 2, "who was shut out is told of nothing");
    register(&room.room, &ann).token(&room.read_token(0)).send().await.must_fail(403, "renewed");
    notify(&room.room, None).token(&room.post_token(0)).send().await.must_fail(403, "renewed");
    register(&room.room, &ann).token(&room.read_token(1)).send().await.must_be(201);
    let told = notify(&room.room, None).token(&room.post_token(1)).send().await.must_be(202).json();
    assert_eq!(told, json!({ "again_in_s": 0, "registrations": 1 }));
    assert_eq!(service.pushed_at_least(1).await[0].path, ann.path());
    plain.delete().send().await.must_be(204);
    assert_eq!(registrations(&server), 1);
    room.delete(&buddy_tests::base64url([3; 64])).send().await.must_be(204);
    assert_eq!(registrations(&server), 0);
    register(&plain, &ann).send().await.must_fail(404, "room_not_found");
    assert_eq!(service.pushed().len(), 1);
}

#[tokio::test]
async fn what_has_ended_is_forgotten_and_what_fails_is_logged_without_anything_secret() {
    let (service, stranger) = (PushService::start().await, PushService::start().await);
    // The second service's endpoints are taken, but the manifest does not let anybody ask it.
    let both = format!("{}, {}", service.origin(), stranger.origin());
    let server = Server::setup().push(&service).variable("push_services", both).variable("log_requests", 1);
    let server = server.start().await;
    let body =
        json!({ "read_token_hash": token_hash("the-readers-word"), "post_token_hash": token_hash("the-posters-word") });
    let room = server.room(body).await;
    let browsers: Vec<_> = (0..4).map(|_| service.subscribe()).collect();
    for (browser, status) in browsers.iter().zip([410, 404, 500, 0]) {
        service.answer(browser, status);
    }
    let unreachable = stranger.subscribe();
    for browser in browsers.iter().chain([&unreachable]) {
        register(&room, browser).token("the-readers-word").send().await.must_be(201);
    }
    notify(&room, None).token("the-posters-word").send().await.must_be(202);
    service.pushed_at_least(4).await;
    eventually("the two that have ended are forgotten", async || (registrations(&server) == 3).then_some(())).await;
    let log = eventually("all failures are logged", async || {
        let log = server.log();
        let all = ["answered 500", "no answer within 5 s", stranger.origin()];
        all.iter().all(|text| log.contains(text)).then_some(log)
    })
    .await;
    assert!(stranger.pushed().is_empty(), "nobody is asked whom the manifest does not name");
    assert!(log.contains(r#"/push/notify""#), "what is looked for below is really the log: {log}");
    let secrets = ["the-readers-word", "the-posters-word", buddy_tests::PUSH_KEY, &room.id, "/send/"];
    let endpoints = browsers.iter().chain([&unreachable]).map(Subscription::path);
    for secret in secrets.into_iter().chain(endpoints) {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[tokio::test]
async fn without_a_key_nothing_is_pushed() {
    let service = PushService::start().await;
    let server = Server::start().await;
    let room = server.open_room().await;
    let browser = service.subscribe();
    for request in [key(&room), register(&room, &browser), unregister(&room, &browser)] {
        request.send().await.must_fail(404, "push_off");
    }
    let told = notify(&room, None).send().await;
    assert_eq!((told.status(), told.json()), (202, json!({"again_in_s": 0, "registrations": 0})));
    for (name, value) in [("push_key", "AAAA"), ("public_address", "https://chat.example/"), ("public_address", "")] {
        let server = Server::setup().push(&service).variable(name, value).start().await;
        key(&server.open_room().await).send().await.must_fail(503, "unavailable");
        let log = eventually("it is logged", async || Some(server.log()).filter(|log| log.contains(name))).await;
        assert!(!log.contains("AAAA"), "{log}");
    }
}
