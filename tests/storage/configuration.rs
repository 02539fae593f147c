//! Where data is, said wrongly: clear errors, and nothing changed.

use buddy_tests::{Server, eventually, messages};

use crate::talk;

#[tokio::test]
async fn a_wrong_token_is_refused_by_sqld_and_changes_nothing() {
    let mut server = Server::setup().on_libsql().start().await;
    let room = server.open_room().await;
    room.say("before").await;
    server.kill();
    let wrong = server.storage().runtime_config_with_a_wrong_token(server.folder());
    server.restart_with(Server::setup().on_libsql().expect_unhealthy()).await;

    let health = server.api().get("/api/health").send().await.must_fail(503, "unavailable");
    assert!(health.text().contains("default"), "health names the database: {health}");
    room.at(&server.api()).post(&buddy_tests::message("x")).send().await.must_fail(503, "unavailable");
    server.api().post("/api/rooms").send().await.must_fail(503, "unavailable");
    eventually("the cause is logged", async || server.log().contains("database default").then_some(())).await;
    assert!(!server.log().contains(&wrong), "the token is in no log:\n{}", server.log());
    talk::no_secret_in_logs(&server);

    server.kill();
    server.storage().runtime_config(server.folder());
    server.restart_with(Server::setup().on_libsql()).await;
    let here = room.at(&server.api());
    assert_eq!(messages(&here.page("").await).len(), 1);
    assert_eq!(here.say("after").await, 2);
}

/// What the embedded server says as it refuses to start with this runtime configuration; its state folder must stay
/// empty. Spin has words and ways of its own.
fn refused(config: &str, flags: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (file, state) = (folder.path().join("runtime.toml"), folder.path().join("state"));
    std::fs::write(&file, config).expect("the configuration can be written");
    let mut command = buddy_tests::embedded_server_command();
    command.args(["--listen", "127.0.0.1:0", "--from"]).arg(buddy_tests::project_root().join("spin.toml"));
    command.arg("--state-dir").arg(&state).arg("--runtime-config-file").arg(&file).args(flags);
    let output = command.output().expect("the server can be started");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{config}: it should end with an error:\n{said}");
    assert!(!state.exists(), "{config}: nothing was made");
    said
}

#[test]
fn what_a_runtime_configuration_should_not_say_is_named() {
    for (config, named) in [
        ("[sqlite_database.default]\ntype = 'postgres'\nurl = 'https://db.example'", "postgres"),
        ("[sqlite_database.default]\ntype = 'libsql'\nurl = 'https://db.example'", "token"),
        ("[sqlite_database.default]\ntype = 'libsql'\nurl = 'db.example'\ntoken = 'a-secret'", "http"),
        ("[key_value_store.default]\ntype = 'redis'\nurl = 'https://:a-secret@db.example'", "key_value_store.default"),
        ("[sqlite_databases.default]\ntype = 'spin'\npath = 'x'", "sqlite_databases"),
        ("[sqlite_database.default]\ntype = 'spin'\npath = 'x'\ntoken = 'a-secret'", "token"),
    ] {
        let said = refused(config, &[]);
        assert!(said.contains(named), "{config}: {said:?} should name {named:?}");
        assert!(!said.contains("a-secret"), "{config}: {said:?} shows a secret");
    }
}

#[tokio::test]
async fn a_label_without_a_database_is_named_and_nothing_is_stored() {
    let setup = Server::setup().on_libsql().variable("databases", "default,nowhere").expect_unhealthy();
    let server = setup.start().await;
    let health = server.api().get("/api/health").send().await.must_fail(503, "unavailable");
    assert!(health.text().contains("nowhere"), "health names the label: {health}");
    // Slots of the label that leads nowhere refuse; no room of theirs comes to be anywhere.
    let mut refused = 0;
    let mut made = 0;
    for _ in 0..12 {
        match server.api().post("/api/rooms").send().await.status() {
            201 => made += 1,
            503 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!(refused > 0, "some slots belong to it");
    assert_eq!(server.database().value::<i64>("SELECT count(*) FROM room", []), made);
}
