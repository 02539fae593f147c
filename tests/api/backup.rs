//! Backup and restore as `deploy/backup.sh` and `deploy/restore.sh` do it, on a server that is being written to.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use buddy_tests::{Database, Server, eventually, message, messages, project_root, sequences};
use tempfile::tempdir;

fn run(script: &str, arguments: &[&Path]) -> Output {
    let mut command = Command::new(project_root().join("deploy").join(script));
    command.args(arguments).output().expect("the script runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_database_is_backed_up_and_restored_and_clients_notice() {
    let mut server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    let mut stream = room.stream_after(0).await;
    let log = stream.hello().await.data()["log"].clone();
    room.say_many(1..=50).await;
    let folder = tempdir().expect("a folder");
    // It's a name that a shell and SQL could both trip over.
    let place = folder.path().join("it's today's backup");
    let file = server.database_file();
    let writing = tokio::spawn({
        let room = room.clone();
        async move {
            let mut said = 0;
            while said < 200 {
                room.post(&message("while it is copied")).send().await.must_be(201);
                said += 1;
            }
        }
    });
    eventually("somebody writes", async || (room.state().await["last_seq"].as_u64() > Some(60)).then_some(())).await;
    let output = tokio::task::spawn_blocking({
        let (file, place) = (file.clone(), place.clone());
        move || run("backup.sh", &[&file, &place])
    });
    let output = output.await.expect("it runs");
    assert!(output.status.success(), "{}", said(&output));
    writing.await.expect("nobody was refused");
    room.say("after the backup").await;

    let copy = place.join(file.file_name().expect("a name"));
    assert_eq!(copy.metadata().expect("a copy").permissions().mode() & 0o077, 0, "nobody else may read it");
    let kept: i64 = Database::open(&copy).value("SELECT max(seq) FROM event", []);
    let kept = u64::try_from(kept).expect("a count");
    assert!((60..=250).contains(&kept), "{kept}");
    let again = run("backup.sh", &[&file, &place]);
    assert!(!again.status.success() && said(&again).contains("is there already"), "{}", said(&again));

    // Not while it runs.
    room.say("still running").await;
    let early = run("restore.sh", &[&copy, &file]);
    assert!(!early.status.success() && said(&early).contains("stop Buddy first"), "{}", said(&early));
    assert_eq!(room.state().await["last_seq"], 252);

    server.kill();
    let output = run("restore.sh", &[&copy, &file]);
    assert!(output.status.success(), "{}", said(&output));
    let before = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert_eq!(Database::open(Path::new(&before)).value::<i64>("SELECT max(seq) FROM event", []), 252);
    server.restart().await;
    let room = room.at(&server.api());
    let page = room.page("?after=0&limit=200").await;
    assert_eq!(sequences(&page), (1..=kept.min(200)).collect::<Vec<_>>());
    assert_eq!(messages(&page)[0]["body"], "message 1");
    // A cursor of the lost future is beyond the new log, which has another name.
    let mut stream = room.stream_after(252).await;
    let reset = stream.next_event().await;
    assert_eq!(reset.event(), Some("reset"));
    assert_ne!(reset.data()["log"], log);
    assert_eq!(room.say("it goes on").await, kept + 1);
}

#[tokio::test]
async fn what_is_no_backup_is_not_restored() {
    let mut server = Server::start().await;
    let room = server.open_room().await;
    room.say("hello").await;
    server.kill();
    let folder = tempdir().expect("a folder");
    let (foreign, garbage) = (folder.path().join("foreign.db"), folder.path().join("garbage.db"));
    Database::open(&foreign).execute("CREATE TABLE other(x)", []);
    std::fs::write(&garbage, "no database").expect("a file");
    let file = server.database_file();
    for wrong in [&foreign, &garbage, &folder.path().join("missing.db")] {
        let output = run("restore.sh", &[wrong, &file]);
        assert!(!output.status.success(), "{} was restored", wrong.display());
    }
    assert!(!run("restore.sh", &[&foreign]).status.success());
    assert!(!run("backup.sh", &[&file]).status.success());
    assert!(!run("backup.sh", &[&folder.path().join("missing.db"), folder.path()]).status.success());
    server.restart().await;
    assert_eq!(room.at(&server.api()).state().await["last_seq"], 1);
}
