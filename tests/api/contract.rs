//! `docs/openapi.yaml` is what the server does. The harness holds every answer that any test reads to it; here every
//! status of every operation is provoked, and what is not the described answer is shown to be noticed.

use std::collections::BTreeSet;

use buddy_tests::contract::{self, Exchange};
use buddy_tests::{
    Answer, Api, KeyedRoom, OWNER, PUBLIC_ADDRESS, PUSH_KEY, Request, Server, Setup, Subscription, base64url,
    client_id, message,
};
use reqwest::header::{HeaderMap, HeaderValue};
use rusqlite::params;
use serde_json::{Value, json};

/// Where a file of a room is.
const FILE: &str = "/files/000102030405060708090a0b0c0d0e0f";
const PART: &str = "/files/000102030405060708090a0b0c0d0e0f/0";

const OPERATOR: &str = "the operator's token";

/// A browser as it registers. Nobody asks its push service for anything.
fn browser() -> Value {
    Subscription::new("https://fcm.googleapis.com").json()
}

/// What was seen: method, path as described, status.
#[derive(Default)]
struct Seen(BTreeSet<(String, String, u16)>);

impl Seen {
    fn note(&mut self, answer: &Answer) {
        let path = contract::described_path(answer.path()).expect("a path of the description");
        self.0.insert((answer.method().to_owned(), path, answer.status()));
    }

    /// Sends a request that must be answered so.
    async fn expect(&mut self, status: u16, request: Request) -> Answer {
        let answer = request.send().await.must_be(status);
        self.note(&answer);
        answer
    }
}

/// A request of every operation about one room, that its owner makes and that would succeed.
fn requests(room: &KeyedRoom) -> Vec<Request> {
    let api = room.room.api();
    let owned = |request: Request| request.token(room.owner()).author(OWNER);
    let of_room = |method: &str, rest: &str| owned(api.request(method, &format!("{}{rest}", room.room.path())));
    let mut said = message("v2.0.said");
    said["epoch"] = json!(0);
    vec![
        of_room("GET", ""),
        of_room("GET", "/messages"),
        of_room("GET", "/stream?after=0"),
        of_room("GET", "/keys"),
        of_room("GET", "/members"),
        of_room("GET", "/links"),
        of_room("GET", FILE),
        of_room("GET", PART),
        of_room("PUT", PART).bytes("sealed"),
        of_room("GET", "/push"),
        of_room("POST", "/push").json(&browser()),
        of_room("DELETE", "/push").json(&json!({ "endpoint": "https://fcm.googleapis.com/x" })),
        of_room("POST", "/push/notify"),
        owned(room.room.post(&said)),
        owned(room.room.signal(&json!({ "kind": "here", "body": "v2.0.here", "epoch": 0 }))),
        room.make_link("second", 0, json!({})),
        room.open("first", &client_id()),
        room.change(&room.statement(0, 0, "v2.0.stated", json!({ "locked": false }))),
        room.renew(&room.renewal(1, &["first"], &[])),
        room.delete(&base64url([3; 64])),
    ]
}

/// As `requests`, with the path alone: for answers that come before anything else is looked at.
fn with_bodies(room: &KeyedRoom, api: &Api) -> Vec<Request> {
    let posts = ["/messages", "/signals", "/rotations", "/links", "/push", "/push/notify"]
        .map(|rest| ("POST", format!("{}{rest}", room.room.path())));
    let open = format!("{}/links/{}/open", room.room.path(), room.link_id("first"));
    let rest = [
        ("POST", "/api/rooms".to_owned()),
        ("PATCH", room.room.path()),
        ("DELETE", format!("{}/push", room.room.path())),
        ("POST", open),
        ("POST", "/internal/router/slots/3f/move".to_owned()),
    ];
    let request = |(method, path): (&str, String)| {
        let is_operator = path.starts_with("/internal");
        api.request(method, &path).token(if is_operator { OPERATOR } else { room.owner() }).author(OWNER)
    };
    posts.into_iter().chain(rest).map(request).collect()
}

fn setup() -> Setup {
    Server::setup()
        .without_rate_limits()
        .variable("admin_token", OPERATOR)
        .variable("push_key", PUSH_KEY)
        .variable("public_address", PUBLIC_ADDRESS)
        .grant_databases(&["second", "third"])
        .variable("databases", "default,second")
}

#[tokio::test]
async fn every_answer_that_is_described_is_given() {
    let mut seen = Seen::default();
    what_succeeds(&mut seen).await;
    what_is_malformed(&mut seen).await;
    what_is_missing_or_gone(&mut seen).await;
    what_is_not_permitted(&mut seen).await;
    what_came_too_late(&mut seen).await;
    what_is_too_often(&mut seen).await;
    what_fails_inside(&mut seen).await;
    what_operators_see(&mut seen).await;
    let described = contract::answers();
    assert!(described.len() > 80, "{}", described.len());
    let unseen: Vec<_> = described.difference(&seen.0).collect();
    assert!(unseen.is_empty(), "described, and never seen: {unseen:#?}");
}

async fn what_succeeds(seen: &mut Seen) {
    let server = setup().start().await;
    let api = server.api();
    seen.expect(200, api.get("/api/health")).await;
    seen.expect(201, api.post("/api/rooms")).await;
    let room = KeyedRoom::imagine(&api);
    seen.expect(201, room.create_again(&api)).await;
    seen.expect(200, room.create_again(&api)).await;
    let said = {
        let mut said = message("v2.0.said");
        said["epoch"] = json!(0);
        said
    };
    let renewal = room.renewal(1, &["first", "second"], &["ann"]);
    for status in [201, 200] {
        seen.expect(status, room.room.post(&said).token(&room.post_token(0)).author("ann")).await;
        seen.expect(status, room.make_link("second", 0, json!({ "openings": 3, "expires_in_s": 60 }))).await;
    }
    let signal = json!({ "kind": "typing", "body": "v2.0.typing", "epoch": 0 });
    seen.expect(204, room.room.signal(&signal).token(&room.post_token(0)).author("ann")).await;
    let part = format!("{}{PART}", room.room.path());
    for status in [201, 200] {
        seen.expect(status, api.put(&part).token(&room.post_token(0)).bytes("sealed")).await;
    }
    let reading = |path: &str| api.get(path).token(&room.read_token(0));
    seen.expect(200, reading(&format!("{}{FILE}", room.room.path()))).await;
    seen.expect(200, reading(&part)).await;
    seen.expect(206, reading(&part).header("range", "bytes=2-3")).await;
    seen.expect(416, reading(&part).header("range", "bytes=6-")).await;
    let push = format!("{}/push", room.room.path());
    seen.expect(200, reading(&push)).await;
    let browser = browser();
    for status in [201, 200] {
        seen.expect(status, api.post(&push).token(&room.read_token(0)).json(&browser)).await;
    }
    let own = json!({ "endpoint": browser["endpoint"] });
    seen.expect(202, api.post(&format!("{push}/notify")).token(&room.post_token(0)).json(&own)).await;
    seen.expect(204, api.delete(&push).token(&room.read_token(0)).json(&own)).await;
    room.card_of("ann", 0, "v2.0.card").await;
    seen.expect(200, room.open("first", &client_id())).await;
    seen.expect(200, room.change(&room.statement(0, 0, "v2.0.stated", json!({ "locked": true })))).await;
    for status in [201, 200] {
        seen.expect(status, room.renew(&renewal)).await;
    }
    for rest in ["", "/messages", "/keys", "/members", "/links"] {
        let request = api.get(&format!("{}{rest}", room.room.path())).token(room.owner()).author(OWNER);
        seen.expect(200, request).await;
    }
    let token = format!("Bearer {}", room.post_token(1));
    let mut stream = room.room.stream_with("?after=0", &[("authorization", &token)]).await;
    assert!(!stream.events_until(4).await.is_empty());
    seen.0.insert(("GET".to_owned(), "/api/rooms/{room}/stream".to_owned(), stream.status()));
    seen.expect(204, room.delete(&base64url([3; 64]))).await;
}

async fn what_is_malformed(seen: &mut Seen) {
    let server = setup().variable("rotation_max_bytes", 16_384).start().await;
    let api = server.api();
    let room = KeyedRoom::create(&api).await;
    for request in with_bodies(&room, &api) {
        seen.expect(415, request.body("{}")).await;
    }
    for request in with_bodies(&room, &api) {
        seen.expect(400, request.header("content-type", "application/json").body("[]")).await;
    }
    for request in with_bodies(&room, &api) {
        // Refused unread, so it must not be more than the connection holds, or sending it fails before the answer comes.
        let large = " ".repeat(110_000);
        seen.expect(413, request.header("content-type", "application/json").body(large)).await;
    }
    let part = || api.put(&format!("{}{PART}", room.room.path())).token(room.owner());
    seen.expect(415, part().body("sealed")).await;
    seen.expect(400, part().bytes("")).await;
    seen.expect(413, part().header("content-length", "262457").bytes("")).await;
    for rest in ["/messages?limit=0", "/stream?after=x", "/keys?since=x", "/members?limit=201"] {
        seen.expect(400, api.get(&format!("{}{rest}", room.room.path())).token(room.owner())).await;
    }
    let plain = server.open_room().await;
    seen.expect(400, api.get(&format!("{}/links", plain.path())).token(plain.owner())).await;
    seen.expect(400, room.room.delete()).await;
}

async fn what_is_missing_or_gone(seen: &mut Seen) {
    let server = setup().start().await;
    let api = server.api();
    for request in requests(&KeyedRoom::imagine(&api)) {
        seen.expect(404, request).await;
    }
    let room = KeyedRoom::create(&api).await;
    room.delete(&base64url([3; 64])).send().await.must_be(204);
    for request in requests(&room) {
        seen.expect(410, request).await;
    }
    seen.expect(410, room.create_again(&api).token(room.owner())).await;
    for (method, path) in [
        ("GET", "/internal/router"),
        ("GET", "/internal/metrics"),
        ("POST", "/internal/router/slots/3f/move"),
        ("POST", "/internal/sweep"),
    ] {
        seen.expect(404, api.request(method, path)).await;
    }
}

async fn what_is_not_permitted(seen: &mut Seen) {
    let server = setup().start().await;
    let api = server.api();
    let room = KeyedRoom::create(&api).await;
    room.make_link("spent", 0, json!({ "openings": 1 })).send().await.must_be(201);
    room.open("spent", &client_id()).send().await.must_be(200);
    seen.expect(403, room.open("spent", &client_id())).await;
    let reader = room.read_token(0);
    room.renew_for(1, &[]).await;
    // The last token that a request is given counts.
    for (method, rest) in
        [("GET", ""), ("GET", "/messages"), ("GET", "/stream"), ("GET", "/members"), ("GET", "/links")]
            .into_iter()
            .chain([("GET", FILE), ("GET", PART), ("GET", "/push")])
    {
        let refused = api.request(method, &format!("{}{rest}", room.room.path())).token(&reader);
        assert_eq!(seen.expect(403, refused).await.json()["error"]["code"], "renewed");
    }
    let own = browser();
    let push = format!("{}/push", room.room.path());
    for refused in [api.post(&push).json(&own), api.delete(&push).json(&json!({ "endpoint": own["endpoint"] }))] {
        assert_eq!(seen.expect(403, refused.token(&reader)).await.json()["error"]["code"], "renewed");
    }
    let reader = room.read_token(1);
    let mut said = message("v2.1.said");
    said["epoch"] = json!(1);
    let of_room = |method: &str, rest: &str, body: &Value| {
        api.request(method, &format!("{}{rest}", room.room.path())).token(&reader).author("ann").json(body)
    };
    let mut link = room.link("third");
    link["epoch"] = json!(1);
    for request in [
        of_room("POST", "/messages", &said),
        of_room("POST", "/signals", &json!({ "kind": "here", "body": "v2.1.here", "epoch": 1 })),
        of_room("POST", "/rotations", &room.renewal(2, &["first", "spent"], &[])),
        of_room("POST", "/links", &link),
        of_room("POST", "/push/notify", &json!({})),
        of_room("PATCH", "", &room.statement(1, 0, "v2.1.stated", json!({}))),
        api.delete(&room.room.path()).token(&reader).header("buddy-farewell", &base64url([3; 64])),
    ] {
        let refused = seen.expect(403, request).await;
        assert_eq!(refused.json()["error"]["code"], "not_allowed", "{refused}");
    }
    let refused = api.put(&format!("{}{PART}", room.room.path())).token(&reader).bytes("sealed");
    assert_eq!(seen.expect(403, refused).await.json()["error"]["code"], "not_allowed");
}

async fn what_came_too_late(seen: &mut Seen) {
    let server = setup().start().await;
    let api = server.api();
    let mut room = KeyedRoom::create(&api).await;
    let said = message("v2.0.said");
    room.post(0, &said).author("ann").send().await.must_be(201);
    let mut other = said.clone();
    other["body"] = json!("v2.0.other");
    seen.expect(409, room.post(0, &other).author("ann")).await;
    seen.expect(
        409,
        room.room.signal(&json!({ "kind": "here", "body": "x", "epoch": 7 })).token(room.owner()).author(OWNER),
    )
    .await;
    seen.expect(409, room.renew(&room.renewal(5, &["first"], &[]))).await;
    seen.expect(409, room.change(&room.statement(0, 9, "v2.0.stated", json!({})))).await;
    room.make_link("second", 0, json!({})).send().await.must_be(201);
    seen.expect(409, room.make_link("second", 0, json!({ "openings": 5 }))).await;
    let part = || api.put(&format!("{}{PART}", room.room.path())).token(room.owner());
    part().bytes("sealed").send().await.must_be(201);
    seen.expect(409, part().bytes("otherwise")).await;
    room.founding["expires_in_s"] = json!(4711);
    seen.expect(409, room.create_again(&api)).await;
}

async fn what_is_too_often(seen: &mut Seen) {
    let mut setup = setup();
    for name in [
        "posts_per_author_per_ten_s",
        "signals_per_author_per_ten_s",
        "changes_per_room_per_ten_s",
        "rotations_per_room_per_hour",
        "link_openings_per_address_per_ten_s",
        "file_parts_per_address_per_ten_s",
        "push_registrations_per_address_per_hour",
    ] {
        setup = setup.variable(name, 0);
    }
    let mut server = setup.clone().start().await;
    let room = KeyedRoom::create(&server.api()).await;
    let mut said = message("v2.0.said");
    said["epoch"] = json!(0);
    for request in [
        room.room.post(&said).token(&room.post_token(0)).author("ann"),
        room.room.signal(&json!({ "kind": "here", "body": "x", "epoch": 0 })).token(&room.post_token(0)).author("ann"),
        room.change(&room.statement(0, 0, "v2.0.stated", json!({}))),
        room.renew(&room.renewal(1, &["first"], &[])),
        room.open("first", &client_id()),
        server.api().put(&format!("{}{PART}", room.room.path())).token(&room.post_token(0)).bytes("sealed"),
        server.api().post(&format!("{}/push", room.room.path())).token(&room.read_token(0)).json(&browser()),
    ] {
        seen.expect(429, request).await;
    }
    server.restart_with(setup.variable("rooms_per_address_per_hour", 0)).await;
    seen.expect(429, server.api().post("/api/rooms")).await;
}

async fn what_fails_inside(seen: &mut Seen) {
    let server = setup().start().await;
    let api = server.api();
    let room = KeyedRoom::create(&api).await;
    let slots = server.database();
    for slot in 0..256 {
        let sql = "INSERT INTO slot(slot,epoch,state) VALUES(?1,9,'gone') ON CONFLICT(slot) DO UPDATE SET state='gone'";
        slots.execute(sql, params![slot]);
        server.database_of("second").execute(sql, params![slot]);
    }
    for request in requests(&room) {
        seen.expect(503, request).await;
    }
    seen.expect(503, api.post("/api/rooms")).await;
    let move_slot =
        |api: &Api| api.post("/internal/router/slots/3f/move").token(OPERATOR).json(&json!({ "to": "second" }));
    seen.expect(503, move_slot(&api)).await;
    let broken = setup().variable("databases", "default,unheard-of").expect_unhealthy().start().await;
    seen.expect(503, broken.api().get("/api/health")).await;
    seen.expect(503, broken.api().get("/internal/router").token(OPERATOR)).await;
    seen.expect(503, broken.api().post("/internal/sweep").token(OPERATOR)).await;
    // Figures tell of a database that does not answer; not even which there are is known here.
    let unreadable = setup().hide_variable("databases").expect_unhealthy().start().await;
    seen.expect(503, unreadable.api().get("/internal/metrics").token(OPERATOR)).await;
}

async fn what_operators_see(seen: &mut Seen) {
    let server = setup().variable("databases", "default,second,third").start().await;
    let api = server.api();
    let room = server.open_room().await;
    seen.expect(200, api.get("/internal/router").token(OPERATOR)).await;
    seen.expect(200, api.get("/internal/metrics").token(OPERATOR)).await;
    seen.expect(200, api.post("/internal/sweep").token(OPERATOR)).await;
    // Far more than there is time for.
    server.database().execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<300000)
         INSERT INTO address(address,ends_at_ms,count) SELECT printf('%032x',i),1,1 FROM n",
        [],
    );
    seen.expect(202, api.post("/internal/sweep").token(OPERATOR)).await;
    let slot = &room.id[..2];
    let number = i64::from_str_radix(slot, 16).expect("hex");
    let holds = |label: &&str| server.database_of(label).value::<i64>("SELECT count(*) FROM room", []) == 1;
    let (from, others): (Vec<_>, Vec<_>) = ["default", "second", "third"].into_iter().partition(holds);
    let move_to = |label: &str| {
        api.post(&format!("/internal/router/slots/{slot}/move")).token(OPERATOR).json(&json!({ "to": label }))
    };
    // Somebody began to move it, and stopped: the first call opens it again, and the next one brings it over.
    server.database_of(from[0]).execute("UPDATE slot SET state='frozen' WHERE slot=?1", [number]);
    server.database_of(others[0]).execute("INSERT INTO slot(slot,epoch,state) VALUES(?1,2,'arriving')", [number]);
    seen.expect(409, move_to(others[1])).await;
    seen.expect(202, move_to(others[0])).await;
    seen.expect(200, move_to(others[0])).await;
}

/// What a test is about to change, so that it is no longer the described answer.
struct Told {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Told {
    fn is_described(&self, method: &str, path: &str) -> Result<(), String> {
        let body = self.body.to_string().into_bytes();
        let (status, headers) = (self.status, &self.headers);
        contract::check(&Exchange { method, path, sent: None, status, headers, body: &body })
    }
}

#[tokio::test]
async fn what_is_not_the_described_answer_is_noticed() {
    let server = Server::start().await;
    let room = server.open_room().await;
    room.say("hello").await;
    let path = format!("{}/messages", room.path());
    let answer = room.history("").send().await.must_be(200);
    let honest = || Told { status: 200, headers: answer.headers().clone(), body: answer.json() };
    honest().is_described("GET", &path).expect("an honest answer is described");

    type Change = fn(&mut Told);
    let wrong: [(&str, Change); 12] = [
        ("a member that nobody knows", |told| told.body["surprise"] = json!(1)),
        ("one deep within", |told| told.body["messages"][0]["epoch"] = json!(0)),
        ("a member that is missing", |told| drop(told.body.as_object_mut().expect("an object").remove("last_seq"))),
        ("another type", |told| told.body["last_seq"] = json!("1")),
        ("out of range", |told| told.body["messages"][0]["seq"] = json!(0)),
        ("a kind that there is not", |told| told.body["messages"][0]["kind"] = json!("shout")),
        ("an id that is not canonical", |told| told.body["messages"][0]["author"] = json!("AB".repeat(16))),
        ("an erased body that is there", |told| told.body["messages"][0]["erased"] = json!("a".repeat(64))),
        ("a status that is not described", |told| told.status = 202),
        ("an error's body under 200", |told| told.body = json!({ "error": { "code": "not_found", "message": "x" } })),
        ("no CORS", |told| drop(told.headers.remove("access-control-allow-origin"))),
        ("a cache may keep it", |told| drop(told.headers.remove("cache-control"))),
    ];
    for (what, change) in wrong {
        let mut told = honest();
        change(&mut told);
        assert!(told.is_described("GET", &path).is_err(), "{what} is not noticed");
    }
    let mut told = honest();
    told.headers.insert("content-type", HeaderValue::from_static("text/plain"));
    assert!(told.is_described("GET", &path).is_err(), "another media type is not noticed");

    let refused = room.with_id("x").history("").send().await.must_be(404);
    let honest = || Told { status: 404, headers: refused.headers().clone(), body: refused.json() };
    honest().is_described("GET", &path).expect("an honest refusal is described");
    let wrong: [(&str, Change); 4] = [
        ("a code of another status", |told| told.body["error"]["code"] = json!("room_gone")),
        ("a code that there is not", |told| told.body["error"]["code"] = json!("oops")),
        ("more than code and message", |told| told.body["error"]["cause"] = json!("disk")),
        ("503 without retry-after", |told| {
            told.status = 503;
            told.body["error"]["code"] = json!("unavailable");
        }),
    ];
    for (what, change) in wrong {
        let mut told = honest();
        change(&mut told);
        assert!(told.is_described("GET", &path).is_err(), "{what} is not noticed");
    }
    assert!(honest().is_described("GET", "/api/nothing").is_ok(), "404 is the answer where there is nothing");
    assert!(honest().is_described("GET", "/internal/router").is_err(), "no browser has business there");
}

#[test]
fn no_answer_is_described_with_room_for_more() {
    assert_eq!(contract::open_objects(), Vec::<String>::new());
}

#[test]
fn events_of_a_stream_are_held_to_the_description_too() {
    let event = json!({
        "seq": 1, "kind": "message", "client_id": client_id(), "author": null, "target": null, "body": "x",
        "sent_at_ms": 1,
    });
    contract::check_event("message", &event.to_string()).expect("an event is described");
    let mut wrong = event.clone();
    wrong["epoch"] = json!(0);
    assert!(contract::check_event("message", &wrong.to_string()).is_err());
    assert!(contract::check_event("message", "{").is_err());
}
