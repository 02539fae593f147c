//! Files in parts: docs/protocol.md, "Files".

use buddy_tests::{Answer, KeyedRoom, Request, Room, Server, Setup, client_id, eventually, message};
use rusqlite::params;
use serde_json::{Value, json};

const PART_BYTES: usize = 16 * (16_384 + 16);
const HEADER_BYTES: usize = 56;
const HOUR_MS: i64 = 3_600_000;

fn id() -> String {
    client_id().replace('-', "")
}

/// As many bytes as a part may have, which differ from part to part.
fn bytes_of(part: usize, length: usize) -> Vec<u8> {
    (0..length).map(|index| (index / 251 + index + part * 7) as u8).collect()
}

fn path(room: &Room, file: &str, part: usize) -> String {
    format!("{}/files/{file}/{part}", room.path())
}

fn put(room: &Room, file: &str, part: usize, body: &[u8]) -> Request {
    room.api().put(&path(room, file, part)).bytes(body.to_vec())
}

fn get(room: &Room, file: &str, part: usize) -> Request {
    room.api().get(&path(room, file, part))
}

fn list(room: &Room, file: &str) -> Request {
    room.api().get(&format!("{}/files/{file}", room.path()))
}

/// A message that has these files, each with so many parts.
fn with_files(files: &[(&str, usize)]) -> Value {
    let mut said = message("here is something");
    said["files"] = files.iter().map(|(id, parts)| json!({ "id": id, "parts": parts })).collect();
    said
}

async fn send(room: &Room, author: &str, files: &[(&str, usize)]) -> u64 {
    let answer = room.post(&with_files(files)).author(author).send().await.must_be(201);
    answer.json()["seq"].as_u64().expect("a stored post has a seq")
}

fn unlimited() -> Setup {
    Server::setup().without_rate_limits()
}

#[tokio::test]
async fn a_file_is_stored_in_parts_and_read_whole_or_by_range() {
    let server = unlimited().start().await;
    let room = server.open_room().await;
    let file = id();
    let parts = [bytes_of(0, PART_BYTES + HEADER_BYTES), bytes_of(1, PART_BYTES), bytes_of(2, 100)];
    // In any order, as they come.
    for index in [2, 0, 1] {
        let stored = put(&room, &file, index, &parts[index]).send().await.must_be(201).json();
        assert_eq!(stored, json!({ "part": index, "bytes": parts[index].len() }));
    }
    let known: Vec<_> = (0..3).map(|index| json!({ "part": index, "bytes": parts[index].len() })).collect();
    assert_eq!(list(&room, &file).send().await.must_be(200).json(), json!({ "parts": known, "seq": null }));
    let seq = send(&room, "ann", &[(&file, 3)]).await;
    assert_eq!(list(&room, &file).send().await.must_be(200).json(), json!({ "parts": known, "seq": seq }));
    for (index, part) in parts.iter().enumerate() {
        let whole = get(&room, &file, index).send().await.must_be(200);
        whole.must_have_type("application/octet-stream");
        assert_eq!(whole.header("accept-ranges"), Some("bytes"));
        assert_eq!(whole.header("cache-control"), Some("no-store"));
        assert!(whole.body() == part.as_slice(), "part {index}");
    }
    let length = parts[0].len();
    for (range, first, last) in [
        ("bytes=0-55", 0, 55),
        ("bytes=56-16455", 56, 16_455),
        ("bytes=262400-", 262_400, length - 1),
        ("bytes=-16", length - 16, length - 1),
        ("bytes=0-999999999", 0, length - 1),
        ("bytes=-999999999", 0, length - 1),
    ] {
        let some = get(&room, &file, 0).header("range", range).send().await.must_be(206);
        assert_eq!(some.header("content-range"), Some(format!("bytes {first}-{last}/{length}").as_str()), "{range}");
        assert!(some.body() == &parts[0][first..=last], "{range}");
    }
    let beyond = get(&room, &file, 2).header("range", "bytes=100-").send().await;
    assert_eq!(beyond.header("content-range"), Some("bytes */100"));
    beyond.must_fail(416, "range_not_satisfiable");
    // What is no range of bytes is passed over.
    for range in ["bytes=0-1,3-4", "chunks=0-1", "bytes=5-4"] {
        assert_eq!(get(&room, &file, 2).header("range", range).send().await.must_be(200).body().len(), 100);
    }
}

#[tokio::test]
async fn a_part_is_stored_once_and_never_replaced() {
    let server = unlimited().start().await;
    let room = server.open_room().await;
    let (file, part) = (id(), bytes_of(0, 5000));
    put(&room, &file, 0, &part).send().await.must_be(201);
    let before = room_bytes(&server);
    let again = put(&room, &file, 0, &part).send().await.must_be(200).json();
    assert_eq!(again, json!({ "part": 0, "bytes": 5000 }));
    put(&room, &file, 0, &bytes_of(1, 5000)).send().await.must_fail(409, "part_exists");
    assert_eq!(room_bytes(&server), before, "a repeat counts nothing");
    // Eight at once: one stores it.
    let other = id();
    let requests = (0..8).map(|_| put(&room, &other, 0, &part).send());
    let answers = futures::future::join_all(requests).await;
    assert_eq!(answers.iter().filter(|answer| answer.status() == 201).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| matches!(answer.status(), 200 | 201)), "{answers:?}");
    send(&room, "ann", &[(&file, 1)]).await;
    put(&room, &file, 0, &part).send().await.must_be(200);
    put(&room, &file, 1, &part).send().await.must_fail(409, "file_sent");
    put(&room, &file, 0, &bytes_of(1, 5000)).send().await.must_fail(409, "part_exists");
}

/// What all rooms count for.
fn room_bytes(server: &Server) -> i64 {
    server.database().value("SELECT sum(bytes) FROM room", [])
}

#[tokio::test]
async fn a_message_is_stored_only_with_all_of_its_files() {
    let server = unlimited().start().await;
    let room = server.open_room().await;
    let (first, second, unknown) = (id(), id(), id());
    for part in 0..2 {
        put(&room, &first, part, &bytes_of(part, 300)).send().await.must_be(201);
    }
    put(&room, &second, 1, &bytes_of(1, 300)).send().await.must_be(201);
    for files in [&[(&*unknown, 1)][..], &[(&*first, 3)], &[(&*first, 1)], &[(&*second, 1)], &[(&*second, 2)]] {
        room.post(&with_files(files)).author("ann").send().await.must_fail(409, "file_missing");
    }
    room.post(&with_files(&[(&first, 2), (&second, 2)])).send().await.must_fail(409, "file_missing");
    assert_eq!(room.state().await["last_seq"], 0, "nothing of it was stored");
    put(&room, &second, 0, &bytes_of(0, 300)).send().await.must_be(201);
    let said = with_files(&[(&first, 2), (&second, 2)]);
    room.post(&said).author("ann").send().await.must_be(201);
    assert_eq!(room.post(&said).author("ann").send().await.must_be(200).json()["seq"], 1);
    // A repeat is the same post with the same files.
    let mut other = said.clone();
    other["files"] = json!([{ "id": first, "parts": 2 }]);
    room.post(&other).author("ann").send().await.must_fail(409, "client_id_reused");
    room.post(&with_files(&[(&first, 2)])).author("ann").send().await.must_fail(409, "file_sent");
    for wrong in [
        json!([{ "id": first }]),
        json!([{ "id": first, "parts": 0 }]),
        json!([{ "id": "0A".repeat(16), "parts": 1 }]),
        json!([{ "id": first, "parts": 1, "name": "x" }]),
        json!([[first, 1]]),
        json!([{ "id": first, "parts": 1 }, { "id": first, "parts": 1 }]),
        (0..11).map(|_| json!({ "id": id(), "parts": 1 })).collect(),
        json!({}),
    ] {
        let mut said = message("x");
        said["files"] = wrong.clone();
        let answer = room.post(&said).send().await;
        assert_eq!(answer.status(), 400, "{wrong}: {answer}");
        answer.must_fail(400, "invalid_request");
    }
    let mut edit = json!({ "client_id": client_id(), "kind": "edit", "target": 1, "body": "better" });
    edit["files"] = json!([{ "id": unknown, "parts": 1 }]);
    room.post(&edit).author("ann").send().await.must_fail(400, "invalid_request");
    let mut none = message("no files");
    none["files"] = json!([]);
    room.post(&none).send().await.must_be(201);
}

#[tokio::test]
async fn a_file_goes_with_its_message() {
    let server = unlimited().start().await;
    let room = server.open_room().await;
    let (file, kept) = (id(), id());
    for id in [&file, &kept] {
        for part in 0..3 {
            put(&room, id, part, &bytes_of(part, 200_000)).send().await.must_be(201);
        }
    }
    let empty = room_bytes(&server) - 6 * (200_000 + 4096);
    assert_eq!(empty, 0);
    let seq = send(&room, "ann", &[(&file, 3)]).await;
    send(&room, "ann", &[(&kept, 3)]).await;
    room.act_as("ann", "edit", seq, "with another text").await;
    get(&room, &file, 1).send().await.must_be(200);
    room.act_as("ann", "delete", seq, "gone").await;
    get(&room, &file, 1).send().await.must_fail(404, "file_not_found");
    list(&room, &file).send().await.must_fail(404, "file_not_found");
    put(&room, &file, 3, b"more").send().await.must_fail(409, "file_sent");
    eventually("the parts are deleted", async || {
        room.state().await;
        (server.database().value::<i64>("SELECT count(*) FROM part", []) == 3).then_some(())
    })
    .await;
    get(&room, &kept, 1).send().await.must_be(200);
    room.delete().send().await.must_be(204);
    get(&room, &kept, 1).send().await.must_fail(404, "room_not_found");
}

#[tokio::test]
async fn a_file_goes_with_its_message_s_lifetime_and_its_room() {
    let server = unlimited().start().await;
    let room = Room::create(&server.api(), json!({ "message_ttl_s": 2 })).await;
    let other = server.open_room().await;
    let (file, unsent) = (id(), id());
    put(&room, &file, 0, &bytes_of(0, 1000)).send().await.must_be(201);
    put(&other, &unsent, 0, &bytes_of(0, 1000)).send().await.must_be(201);
    send(&room, "ann", &[(&file, 1)]).await;
    eventually("its message expires", async || (get(&room, &file, 0).send().await.status() == 404).then_some(())).await;
    get(&room, &file, 0).send().await.must_fail(404, "file_not_found");
    other.delete().send().await.must_be(204);
    get(&other, &unsent, 0).send().await.must_fail(404, "room_not_found");
}

#[tokio::test]
async fn a_file_without_a_message_is_there_for_an_hour() {
    let server = unlimited().start().await;
    let room = server.open_room().await;
    let (file, later) = (id(), id());
    put(&room, &file, 0, &bytes_of(0, 1000)).send().await.must_be(201);
    put(&room, &later, 0, &bytes_of(0, 1000)).send().await.must_be(201);
    let age = |file: &str, ms: i64| {
        server.database().execute("UPDATE file SET sweep_at_ms=sweep_at_ms-?1 WHERE file=?2", params![ms, file]);
    };
    // Each further part gives it another hour.
    age(&later, HOUR_MS - 10_000);
    put(&room, &later, 1, &bytes_of(1, 1000)).send().await.must_be(201);
    age(&file, HOUR_MS);
    get(&room, &file, 0).send().await.must_fail(404, "file_not_found");
    eventually("it is deleted", async || {
        room.state().await;
        (server.database().value::<i64>("SELECT count(*) FROM part", []) == 2).then_some(())
    })
    .await;
    room.post(&with_files(&[(&file, 1)])).send().await.must_fail(409, "file_missing");
    assert_eq!(room_bytes(&server), 2 * 5096);
    send(&room, "ann", &[(&later, 2)]).await;
    age(&later, HOUR_MS);
    get(&room, &later, 1).send().await.must_be(200);
}

#[tokio::test]
async fn whoever_may_post_uploads_and_whoever_may_read_reads() {
    let server = unlimited().start().await;
    let room = KeyedRoom::create(&server.api()).await;
    let (file, part) = (id(), bytes_of(0, 1000));
    let put = |part_number: usize, token: &str| put(&room.room, &file, part_number, &part).token(token);
    put(0, &room.read_token(0)).send().await.must_fail(403, "not_allowed");
    put(0, "another").send().await.must_fail(404, "room_not_found");
    put(0, &room.post_token(0)).send().await.must_be(201);
    get(&room.room, &file, 0).send().await.must_fail(404, "room_not_found");
    get(&room.room, &file, 0).token(&room.read_token(0)).send().await.must_be(200);
    // An upload goes on across a renewal, under a token of the new epoch.
    room.renew_for(1, &["ann"]).await;
    put(1, &room.post_token(0)).send().await.must_fail(403, "renewed");
    get(&room.room, &file, 0).token(&room.read_token(0)).send().await.must_fail(403, "renewed");
    list(&room.room, &file).token(&room.post_token(0)).send().await.must_fail(403, "renewed");
    put(1, &room.post_token(1)).send().await.must_be(201);
    let mut said = with_files(&[(&file, 2)]);
    said["body"] = json!("v2.1.sealed");
    room.post(1, &said).author("ann").send().await.must_be(201);
    get(&room.room, &file, 1).token(&room.read_token(1)).send().await.must_be(200);
    room.change(&room.statement(1, 0, "v2.1.locked", json!({ "locked": true }))).send().await.must_be(200);
    let other = id();
    let locked = |token: &str| super::files::put(&room.room, &other, 0, &part).token(token);
    locked(&room.post_token(1)).send().await.must_fail(403, "room_locked");
    locked(room.owner()).send().await.must_be(201);
}

#[tokio::test]
async fn what_is_no_part_is_refused_and_stores_nothing() {
    let server = unlimited().variable("file_max_bytes", 300_000).start().await;
    let room = server.open_room().await;
    let file = id();
    for (kind, status, code) in [
        (Some("application/json"), 415, "unsupported_media_type"),
        (Some("text/plain"), 415, "unsupported_media_type"),
        (None, 415, "unsupported_media_type"),
    ] {
        let mut request = room.api().put(&path(&room, &file, 0)).body("x");
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        request.send().await.must_fail(status, code);
    }
    put(&room, &file, 0, b"").send().await.must_fail(400, "invalid_request");
    put(&room, &file, 0, &bytes_of(0, PART_BYTES + HEADER_BYTES + 1)).send().await.must_fail(413, "too_large");
    // 300,000 bytes are 18 whole chunks and one that is not: the second part has three.
    put(&room, &file, 0, &bytes_of(0, PART_BYTES + HEADER_BYTES)).send().await.must_be(201);
    put(&room, &file, 2, b"x").send().await.must_fail(413, "too_large");
    let rest = 300_000 + 19 * 16 - PART_BYTES;
    put(&room, &file, 1, &bytes_of(1, rest + 1)).send().await.must_fail(413, "too_large");
    put(&room, &file, 1, &bytes_of(1, rest)).send().await.must_be(201);
    for (method, rest, status, code) in [
        ("GET", format!("/files/{file}/2"), 404, "file_not_found"),
        ("GET", format!("/files/{file}/00"), 404, "file_not_found"),
        ("GET", format!("/files/{}/0", file.to_uppercase().replace(char::is_numeric, "A")), 404, "file_not_found"),
        ("GET", format!("/files/{}", id()), 404, "file_not_found"),
        ("PUT", "/files/x/0".to_owned(), 404, "file_not_found"),
        ("POST", format!("/files/{file}/0"), 405, "method_not_allowed"),
        ("PUT", format!("/files/{file}"), 405, "method_not_allowed"),
        ("GET", "/files".to_owned(), 404, "not_found"),
    ] {
        let answer = room.api().request(method, &format!("{}{rest}", room.path())).send().await;
        assert_eq!(answer.status(), status, "{method} {rest}: {answer}");
        answer.must_fail(status, code);
    }
    let preflight = room.api().request("OPTIONS", &path(&room, &file, 0)).send().await.must_be(204);
    let allowed = |name: &str| preflight.header(name).unwrap_or_default().to_ascii_lowercase();
    assert_eq!(allowed("access-control-allow-methods"), "get, put, options");
    assert!(allowed("access-control-allow-headers").contains("range"), "{preflight}");
}

#[tokio::test]
async fn parts_count_in_their_room_for_their_address_and_in_the_database() {
    let server = Server::setup().variable("room_max_bytes", 20_000).start().await;
    let room = server.open_room().await;
    put(&room, &id(), 0, &bytes_of(0, 10_000)).send().await.must_be(201);
    put(&room, &id(), 0, &bytes_of(0, 2_000)).send().await.must_fail(403, "room_full");
    put(&room, &id(), 0, &bytes_of(0, 1_000)).send().await.must_be(201);
    room.post(&message(&"x".repeat(1000))).send().await.must_fail(403, "room_full");
    drop(server);

    let server = unlimited().variable("file_max_bytes", 0).start().await;
    put(&server.open_room().await, &id(), 0, b"x").send().await.must_fail(413, "too_large");
    drop(server);

    let server = Server::setup().variable("file_parts_per_address_per_ten_s", 3).start().await;
    let room = server.open_room().await;
    let answers = in_order(&room, 4, 100).await;
    assert_eq!(answers.iter().map(Answer::status).collect::<Vec<_>>(), [201, 201, 201, 429]);
    assert!(answers[3].retry_after() <= 10, "{}", answers[3]);
    // The owner is not refused for what others did.
    put(&room, &id(), 0, b"of the owner").token(room.owner()).send().await.must_be(201);
    room.say("posts are counted by themselves").await;
    drop(server);

    let server = Server::setup().variable("file_bytes_per_address_per_hour", 250).start().await;
    let room = server.open_room().await;
    let answers = in_order(&room, 3, 100).await;
    assert_eq!(answers.iter().map(Answer::status).collect::<Vec<_>>(), [201, 201, 429]);
    assert!(answers[2].retry_after() > 3000, "{}", answers[2]);
    drop(server);

    let server = unlimited().variable("database_max_bytes", 1_000_000).start().await;
    let room = server.open_room().await;
    let answers = in_order(&room, 5, 250_000).await;
    let full = answers.into_iter().find(|answer| answer.status() != 201).expect("it is full at last");
    full.must_fail(503, "storage_full");
}

/// Uploads parts of one file one after the other.
async fn in_order(room: &Room, count: usize, bytes: usize) -> Vec<Answer> {
    let file = id();
    let mut answers = Vec::new();
    for part in 0..count {
        answers.push(put(room, &file, part, &bytes_of(part, bytes)).send().await);
    }
    answers
}

#[tokio::test]
async fn a_file_moves_with_its_slot() {
    const OPERATOR: &str = "operator";
    let server = unlimited()
        .variable("admin_token", OPERATOR)
        .grant_databases(&["second"])
        .variable("databases", "default,second")
        .start()
        .await;
    let room = server.open_room().await;
    let (file, unsent) = (id(), id());
    let parts = [bytes_of(0, PART_BYTES + HEADER_BYTES), bytes_of(1, PART_BYTES), bytes_of(2, 77)];
    for (index, part) in parts.iter().enumerate() {
        put(&room, &file, index, part).send().await.must_be(201);
    }
    put(&room, &unsent, 0, &parts[2]).send().await.must_be(201);
    let seq = send(&room, "ann", &[(&file, 3)]).await;
    let slot = &room.id[..2];
    let map = server.api().get("/internal/router").token(OPERATOR).send().await.must_be(200).json();
    let here = map["slots"].as_array().expect("slots").iter().find(|row| row["slot"] == slot).expect("its slot");
    let to = if here["database"] == "default" { "second" } else { "default" };
    let path = format!("/internal/router/slots/{slot}/move");
    eventually("the slot has moved", async || {
        let request = server.api().post(&path).token(OPERATOR).json(&json!({ "to": to }));
        (request.send().await.status() == 200).then_some(())
    })
    .await;
    for (index, part) in parts.iter().enumerate() {
        assert!(get(&room, &file, index).send().await.must_be(200).body() == part.as_slice(), "part {index}");
    }
    put(&room, &unsent, 1, &parts[2]).send().await.must_be(201);
    send(&room, "ann", &[(&unsent, 2)]).await;
    room.act_as("ann", "delete", seq, "gone").await;
    get(&room, &file, 0).send().await.must_fail(404, "file_not_found");
    get(&room, &unsent, 0).send().await.must_be(200);
}
