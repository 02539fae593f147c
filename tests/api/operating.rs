//! What operators have besides the map: figures, sweeping, a log of requests.

use std::collections::BTreeMap;

use buddy_tests::{Answer, KeyedRoom, OWNER, Server, Setup, client_id, eventually, message};
use openmetrics_parser::OpenMetricsValue;
use openmetrics_parser::openmetrics::parse_openmetrics;
use serde_json::{Value, json};

const TOKEN: &str = "the operator's token";

fn setup() -> Setup {
    Server::setup().without_rate_limits().variable("admin_token", TOKEN)
}

/// Figures by name and labels, as a parser of the format reads them.
fn figures(answer: &Answer) -> BTreeMap<String, f64> {
    let exposition = parse_openmetrics(answer.text()).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let mut figures = BTreeMap::new();
    for family in exposition.families.values() {
        let names = family.get_label_names().to_vec();
        for sample in family.iter_samples() {
            let labels = sample.get_labelset().expect("labels");
            let labels: Vec<_> = names.iter().map(|name| labels.get_label_value(name).unwrap_or_default()).collect();
            let value = match &sample.value {
                OpenMetricsValue::Gauge(value) => value.as_f64(),
                OpenMetricsValue::Counter(counter) => counter.value.as_f64(),
                other => panic!("no figure of this kind is expected: {other:?}"),
            };
            figures.insert(format!("{} {}", family.family_name, labels.join(" ")).trim_end().to_owned(), value);
        }
    }
    figures
}

async fn ask(server: &Server) -> BTreeMap<String, f64> {
    figures(&server.api().get("/internal/metrics").token(TOKEN).send().await.must_be(200))
}

#[tokio::test]
async fn figures_come_from_the_databases() {
    let mut server = setup()
        .grant_databases(&["second"])
        .variable("databases", "default,second")
        .variable("max_body_bytes", 100)
        .start()
        .await;
    let nothing = ask(&server).await;
    assert_eq!(nothing["buddy_rooms default"], 0.0);
    assert_eq!((nothing["buddy_database_up default"], nothing["buddy_database_up second"]), (1.0, 1.0));
    let mut rooms = Vec::new();
    for number in 0..12 {
        let room = server.open_room().await;
        for _ in 0..=number {
            room.say("four").await;
        }
        rooms.push(room);
    }
    rooms[0].post(&message(&"x".repeat(101))).send().await.must_fail(413, "too_large");
    for _ in 0..3 {
        rooms[0].with_id("0".repeat(64)).get().send().await.must_fail(404, "room_not_found");
    }
    let figures = eventually("refusals are written down", async || {
        let figures = ask(&server).await;
        (figures.get("buddy_refusals room_not_found") == Some(&3.0) && figures.contains_key("buddy_refusals too_large"))
            .then_some(figures)
    })
    .await;
    let both = |name: &str| figures[&format!("{name} default")] + figures[&format!("{name} second")];
    assert_eq!(both("buddy_rooms"), 12.0);
    assert_eq!(both("buddy_events"), 78.0);
    assert_eq!(both("buddy_rooms_bytes"), 78.0 * 260.0);
    assert_eq!(figures["buddy_posts"], 78.0);
    assert_eq!(figures["buddy_refusals too_large"], 1.0);
    let open =
        ["default", "second"].map(|label| figures.get(&format!("buddy_slots {label} open")).copied().unwrap_or(0.0));
    assert!(open.iter().sum::<f64>() >= 1.0 && open.iter().all(|count| *count <= 12.0), "{figures:?}");
    assert!(figures["buddy_database_bytes default"] >= 4096.0);
    assert_eq!(both("buddy_sweep_overdue_seconds"), 0.0);

    // What was posted stays counted when its room has gone.
    rooms[11].delete().send().await.must_be(204);
    let figures = ask(&server).await;
    assert_eq!(figures["buddy_rooms default"] + figures["buddy_rooms second"], 11.0);
    assert_eq!(figures["buddy_posts"], 78.0);
    // What was deleted long enough ago is swept.
    for label in ["default", "second"] {
        let database = server.database_of(label);
        let dead = "SELECT id FROM room WHERE deleted_at_ms>0";
        database.execute(&format!("UPDATE event SET sent_at_ms=1 WHERE room_id IN({dead})"), []);
        let long_ago =
            "UPDATE room SET deleted_at_ms=1, last_at_ms=1, created_at_ms=1, sweep_at_ms=1 WHERE deleted_at_ms>0";
        database.execute(long_ago, []);
    }
    server.api().post("/internal/sweep").token(TOKEN).send().await.must_be(200);
    assert_eq!(
        server.database().value::<i64>("SELECT count(*) FROM room", [])
            + server.database_of("second").value::<i64>("SELECT count(*) FROM room", []),
        11
    );
    assert_eq!(ask(&server).await["buddy_posts"], 78.0);
    server.restart().await;
    assert_eq!(ask(&server).await["buddy_refusals room_not_found"], 3.0, "not only in memory");
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_a_figure_too() {
    let server = setup().variable("databases", "default,unheard-of").expect_unhealthy().start().await;
    let figures = ask(&server).await;
    assert_eq!((figures["buddy_database_up default"], figures["buddy_database_up unheard-of"]), (1.0, 0.0));
    assert!(!figures.contains_key("buddy_rooms unheard-of") && !figures.contains_key("buddy_posts"), "{figures:?}");
}

#[tokio::test]
async fn what_waits_to_be_deleted_shows_and_a_cron_sweeps_it() {
    let server = setup().start().await;
    let room = server.open_room().await;
    let database = server.database();
    // More than one batch, long expired, and nobody comes along.
    database.execute(
        "WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq+1 FROM n WHERE seq<3000)
         INSERT INTO event(room_id,seq,kind,sent_at_ms,client_id,hash,body)
         SELECT (SELECT id FROM room),seq,'message',1000,randomblob(16),randomblob(32),'x' FROM n",
        [],
    );
    database.execute("UPDATE room SET message_ttl_ms=1000, sweep_at_ms=2000, expires_at_ms=9e15", []);
    let overdue = ask(&server).await["buddy_sweep_overdue_seconds default"];
    assert!(overdue > 1e9, "since 1970: {overdue}");
    let mut calls = 0;
    loop {
        let answer = server.api().post("/internal/sweep").token(TOKEN).send().await;
        calls += 1;
        assert_eq!(answer.json()["is_done"], answer.status() == 200, "{answer}");
        if answer.status() == 200 {
            break;
        }
        answer.must_be(202);
        assert!(calls < 50);
    }
    assert_eq!(database.value::<i64>("SELECT count(*) FROM event", []), 0);
    assert_eq!(ask(&server).await["buddy_sweep_overdue_seconds default"], 0.0);
    assert_eq!(room.state().await["first_seq"], 3001);
}

#[tokio::test]
async fn operators_figures_are_not_there_for_anyone_else() {
    let off = Server::start().await;
    let on = setup().start().await;
    for (method, path) in [("GET", "/internal/metrics"), ("POST", "/internal/sweep"), ("PUT", "/internal/metrics")] {
        for (server, token) in [(&off, ""), (&off, "x"), (&on, ""), (&on, "x")] {
            let answer = server.api().request(method, path).token(token).send().await.must_be(404);
            assert_eq!(answer.json()["error"]["code"], "not_found");
        }
        if method != "PUT" {
            on.api().request(method, path).token(TOKEN).send().await.must_be(200);
        }
    }
    let wrong = on.api().post("/internal/metrics").token(TOKEN).send().await.must_be(405);
    assert_eq!(wrong.header("allow"), Some("GET"));
    on.api().get("/internal/sweep").token(TOKEN).send().await.must_be(405);
}

#[tokio::test]
async fn each_request_leaves_a_line_without_anything_secret() {
    let server = setup().variable("log_requests", 1).start().await;
    let api = server.api();
    let room = KeyedRoom::create(&api).await;
    let id = &room.room.id;
    room.open("first", &client_id()).send().await.must_be(200);
    room.say_as("a secret author", 0, "v2.0.said").await;
    room.room.history("?after=0&secret=in-the-query").token(&room.read_token(0)).send().await.must_be(200);
    let token = format!("Bearer {}", room.read_token(0));
    room.room.stream_with("", &[("authorization", &token)]).await.hello().await;
    room.room.with_id("a-secret-in-the-path").get().send().await.must_be(404);
    api.request("BREW", &format!("{}/nothing", room.room.path())).send().await.must_be(404);
    api.get("/internal/router").token(TOKEN).send().await.must_be(200);
    api.get("/internal/metrics").token("the wrong token").send().await.must_be(404);
    let lines = eventually("all are logged", async || {
        let lines: Vec<Value> =
            server.log().lines().filter_map(|line| serde_json::from_str(line.get(line.find('{')?..)?).ok()).collect();
        lines.iter().any(|line| line["path"] == "/internal/metrics").then_some(lines)
    })
    .await;
    let has = |method: &str, path: &str, status: u16, code: Value| {
        let is = |line: &&Value| {
            line["method"] == method && line["path"] == path && line["status"] == status && line["code"] == code
        };
        let line = lines.iter().find(is).unwrap_or_else(|| panic!("no {method} {path} {status} {code} in {lines:#?}"));
        assert!(line["took_ms"].as_u64().is_some_and(|took| took < 60_000), "{line}");
        assert_eq!(line.as_object().map(serde_json::Map::len), Some(5), "{line}");
    };
    let short = format!("/api/rooms/{}", &id[..8]);
    has("POST", "/api/rooms", 201, Value::Null);
    has("POST", &format!("{short}/links/{}/open", &room.link_id("first")[..8]), 200, Value::Null);
    has("POST", &format!("{short}/messages"), 201, Value::Null);
    has("GET", &format!("{short}/messages"), 200, Value::Null);
    has("GET", &format!("{short}/stream"), 200, Value::Null);
    has("GET", "/api/rooms/*", 404, json!("room_not_found"));
    has("*", &format!("{short}/*"), 404, json!("not_found"));
    has("GET", "/internal/router", 200, Value::Null);
    has("GET", "/internal/metrics", 404, json!("not_found"));
    let log = server.log();
    let secrets = [&id[..9], "secret", "v2.0.said", TOKEN, OWNER, room.owner(), &room.link_id("first")[..9]];
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
    let quiet = setup().start().await;
    quiet.open_room().await;
    assert!(!quiet.log().contains("took_ms"), "{}", quiet.log());
}

#[tokio::test]
async fn a_variable_that_cannot_be_read_is_503_and_changes_nothing() {
    for name in ["databases", "client_address_header", "max_body_bytes", "rooms_per_address_per_hour", "room_ttl_days"]
    {
        let server = setup().hide_variable(name).expect_unhealthy().start().await;
        server.api().post("/api/rooms").send().await.must_fail(503, "unavailable");
        let log = eventually("the log says why", async || Some(server.log()).filter(|log| log.contains(name))).await;
        assert!(log.contains(&format!("the variable {name}")), "{log}");
        if name != "databases" {
            assert_eq!(server.api().get("/api/health").send().await.must_be(200).json(), json!({ "status": "ok" }));
            assert_eq!(server.database().value::<i64>("SELECT count(*) FROM room", []), 0, "{name}");
        }
    }
    let mut server = setup().start().await;
    let room = server.open_room().await;
    for name in
        ["posts_per_author_per_ten_s", "room_max_bytes", "database_max_bytes", "cards_per_author", "max_body_bytes"]
    {
        server.restart_with(setup().hide_variable(name)).await;
        let room = room.at(&server.api());
        room.post(&message("x")).send().await.must_fail(503, "unavailable");
        assert_eq!(room.state().await["last_seq"], 0, "{name}");
    }
    for name in ["heartbeat_s", "streams_per_instance", "stream_max_s", "poll_active_ms"] {
        server.restart_with(setup().hide_variable(name)).await;
        assert_eq!(room.at(&server.api()).stream().await.status(), 503, "{name}");
    }
    server.restart_with(setup().hide_variable("admin_token")).await;
    server.api().get("/internal/router").token(TOKEN).send().await.must_be(503);
}
