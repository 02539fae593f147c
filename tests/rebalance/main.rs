//! The program behind `cargo xtask rebalance` against a server with three databases.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use buddy_tests::{Room, Server, eventually, messages};
use serde_json::Value;

const TOKEN: &str = "the operator's token";

/// A server whose slots all lie in the first of three databases.
async fn lopsided() -> (Server, Vec<Room>) {
    let alone =
        Server::setup().without_rate_limits().grant_databases(&["second", "third"]).variable("admin_token", TOKEN);
    let mut server = alone.clone().start().await;
    let mut rooms = Vec::new();
    for number in 0..24 {
        let room = server.open_room().await;
        room.say(&format!("room {number}")).await;
        rooms.push(room);
    }
    server.restart_with(alone.variable("databases", "default,second,third")).await;
    let rooms = rooms.into_iter().map(|room| room.at(&server.api())).collect();
    (server, rooms)
}

fn program(server: &Server) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_buddy-rebalance"));
    command.arg("--address").arg(format!("http://{}", server.address()));
    command.env("BUDDY_ADMIN_TOKEN", TOKEN).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn ends(child: Child) -> Output {
    tokio::task::spawn_blocking(|| child.wait_with_output()).await.expect("it is waited for").expect("it ends")
}

async fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = ends(command.spawn().expect("the program starts")).await;
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// How many slots each database owns, in the order of the labels.
async fn owned(server: &Server) -> Vec<usize> {
    let map = server.api().get("/internal/router").token(TOKEN).send().await.must_be(200).json();
    let rows = map["slots"].as_array().expect("rows");
    let owns = |label: &&str| rows.iter().filter(|row| row["database"] == *label && row["state"] == "open").count();
    ["default", "second", "third"].iter().map(owns).collect()
}

async fn still_say(rooms: &[Room], count: u64) {
    for (number, room) in rooms.iter().enumerate() {
        assert_eq!(messages(&room.page("?after=0&limit=1").await)[0]["body"], Value::from(format!("room {number}")));
        assert_eq!(room.say("after").await, count);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_are_spread_evenly_after_the_plan_was_shown_and_wanted() {
    let (server, rooms) = lopsided().await;
    let before = owned(&server).await;
    let slots = before[0];
    assert_eq!(before[1..], [0, 0]);
    let (code, said) = run(program(&server).arg("--dry-run")).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("default: {slots} slots, then ")), "{said}");
    // Nobody there to ask, or somebody who does not want it.
    for answer in ["", "n\n", "what?\n"] {
        let mut child = program(&server).stdin(Stdio::piped()).spawn().expect("it starts");
        child.stdin.take().expect("a pipe").write_all(answer.as_bytes()).expect("it reads");
        let output = ends(child).await;
        assert_eq!(output.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&output.stdout).contains("[y/N]"));
    }
    assert_eq!(owned(&server).await, before, "nothing moved");

    let mut child = program(&server).stdin(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(b"y\n").expect("it reads");
    let output = ends(child).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let after = owned(&server).await;
    assert_eq!(after.iter().sum::<usize>(), slots);
    let (least, most) = (after.iter().min().expect("three"), after.iter().max().expect("three"));
    assert!(most - least <= 1, "{after:?}");
    still_say(&rooms, 2).await;
    let (code, said) = run(program(&server).arg("--yes")).await;
    assert_eq!(code, Some(0));
    assert!(said.contains("nothing to do"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_can_be_stopped_and_goes_on_with_the_next_run() {
    let (server, rooms) = lopsided().await;
    let slots = owned(&server).await[0];
    let wanted = slots - slots.div_ceil(3);
    // Slow enough to be met in the middle.
    for room in &rooms {
        let fill = "WITH RECURSIVE n(seq) AS (SELECT 2 UNION ALL SELECT seq+1 FROM n WHERE seq<3000)
          INSERT INTO event(room_id,seq,kind,sent_at_ms,client_id,hash,body)
          SELECT (SELECT id FROM room WHERE lower(hex(room))=?1),seq,'message',9e12,randomblob(16),randomblob(32),'x' FROM n";
        server.database().execute(fill, [&room.id]);
    }
    let child = program(&server).arg("--yes").spawn().expect("it starts");
    eventually("some have moved", async || (owned(&server).await[0] < slots).then_some(())).await;
    let pid = i32::try_from(child.id()).expect("a process");
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid).expect("a process"),
        rustix::process::Signal::INT,
    )
    .expect("it runs");
    let output = tokio::time::timeout(Duration::from_secs(30), ends(child)).await.expect("it stops soon");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("the next run goes on"), "{said}");
    let moved = slots - owned(&server).await[0];
    assert!(moved < wanted, "{moved} of {wanted}");
    let (code, said) = run(program(&server).arg("--yes")).await;
    assert_eq!(code, Some(0), "{said}");
    let after = owned(&server).await;
    assert_eq!(after.iter().sum::<usize>(), slots);
    assert!(after.iter().max().expect("three") - after.iter().min().expect("three") <= 1, "{after:?}");
    still_say(&rooms, 3001).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_said_and_moves_nothing() {
    let (server, _) = lopsided().await;
    let before = owned(&server).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let (code, said) = run(program(&server).env_remove("BUDDY_ADMIN_TOKEN")).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("BUDDY_ADMIN_TOKEN"), "{said}");
    let (code, said) = run(program(&server).arg("--token-file").arg(folder.path().join("missing"))).await;
    assert_eq!(code, Some(2), "{said}");
    let (code, said) = run(program(&server).arg("--token-file").arg(file("empty", "\n"))).await;
    assert_eq!(code, Some(2), "{said}");
    let (code, said) = run(program(&server).arg("--token-file").arg(file("wrong", "another\n"))).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("404") && !said.contains("another"), "{said}");
    let (code, _) = run(program(&server).arg("--token").arg(TOKEN)).await;
    assert_eq!(code, Some(2), "no token among the arguments");
    let mut elsewhere = Command::new(env!("CARGO_BIN_EXE_buddy-rebalance"));
    elsewhere.env("BUDDY_ADMIN_TOKEN", TOKEN).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (code, said) = run(elsewhere.args(["--address", "http://127.0.0.1:9"])).await;
    assert_eq!(code, Some(1), "{said}");
    let mut secure = Command::new(env!("CARGO_BIN_EXE_buddy-rebalance"));
    secure.env("BUDDY_ADMIN_TOKEN", TOKEN).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    assert_eq!(run(secure.args(["--address", "https://chat.example"])).await.0, Some(2));
    assert_eq!(owned(&server).await, before);
    let (code, said) = run(program(&server).arg("--dry-run").arg("--token-file").arg(file("right", TOKEN))).await;
    assert_eq!(code, Some(0), "{said}");
}
