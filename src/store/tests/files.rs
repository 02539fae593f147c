//! Files over SQLite in memory: what goes, when, and what moves.

use std::time::Duration;

use buddy_domain::{Access, Address, CreateRoom, Error, FileId, Post, RoomId, TokenHash};
use buddy_host::native;
use buddy_store::database::Database;
use buddy_store::file::{self, Upload};
use buddy_store::moving::move_slot;
use buddy_store::{event, room, slot, sweep};
use uuid::Uuid;

struct Made {
    id: RoomId,
    access: Access,
}

fn make_room(message_ttl_s: i64) -> Made {
    native::set_variable("rooms_per_address_per_hour", "1000000");
    let wanted = CreateRoom { message_ttl_s, ..CreateRoom::default() };
    let made = native::run(room::create(wanted, &from())).expect("a room");
    let token = TokenHash::of(&made.owner_token.expect("nobody gave a hash").reveal());
    Made { id: made.id, access: Access { token: Some(token), author: None } }
}

fn from() -> Address {
    Address::parse("203.0.113.7")
}

fn name(number: u8) -> String {
    format!("{number:02x}").repeat(16)
}

async fn put(room: &Made, number: u8, part: i64, bytes: usize) -> Result<bool, Error> {
    let file = FileId::parse(&name(number)).expect("an id");
    let upload = Upload { file, part, body: vec![part as u8; bytes] };
    file::upload(&room.id, &room.access, &upload, &from()).await.map(|stored| stored.repeated)
}

async fn say(room: &Made, fields: &str) -> Result<i64, Error> {
    let id = Uuid::from_u128(u128::from_le_bytes(buddy_host::random()));
    let post = Post::parse(format!(r#"{{"client_id":"{id}",{fields}}}"#).as_bytes(), 16_384).expect("a post");
    event::append(&room.id, &room.access, &post, &from()).await.map(|stored| stored.seq)
}

async fn read(room: &Made, number: u8, part: i64) -> Result<usize, Error> {
    let found = room::read(&room.id, &room.access).await?;
    let file = FileId::parse(&name(number)).expect("an id");
    file::part(&found, &file, part, Some(0), 1 << 20).await.map(|bytes| bytes.body.len())
}

fn count(label: &str, sql: &str) -> i64 {
    native::database(label).query_row(sql, [], |row| row.get(0)).expect("a number")
}

fn rows(label: &str) -> i64 {
    count(label, "SELECT (SELECT count(*) FROM part)+(SELECT count(*) FROM file)")
}

fn sweep_all() {
    native::pass(Duration::from_secs(12));
    let is_done = native::run(async { sweep::all(&Database::new("default"), i64::MAX).await }).expect("swept");
    assert!(is_done);
}

#[test]
fn a_file_goes_with_its_message_its_lifetime_or_its_room_and_what_it_counted_is_free_again() {
    let (room, brief, gone) = (make_room(0), make_room(60), make_room(0));
    native::run(async {
        for number in [1, 2] {
            for part in 0..20 {
                put(&room, number, part, 1000).await.expect("stored");
            }
        }
        let seq =
            say(&room, &format!(r#""body":"x","files":[{{"id":"{}","parts":20}}]"#, name(1))).await.expect("said");
        say(&room, &format!(r#""body":"x","files":[{{"id":"{}","parts":20}}]"#, name(2))).await.expect("said");
        assert_eq!(count("default", "SELECT max(bytes) FROM room"), 40 * 5096 + 2 * 257);
        say(&room, &format!(r#""kind":"delete","target":{seq}"#)).await.expect("erased");
        assert!(matches!(read(&room, 1, 0).await, Err(Error::FileNotFound)));
        put(&brief, 3, 0, 10).await.expect("stored");
        say(&brief, &format!(r#""body":"x","files":[{{"id":"{}","parts":1}}]"#, name(3))).await.expect("said");
        for part in 0..40 {
            put(&gone, 4, part, 10).await.expect("stored");
        }
        let found = room::read(&gone.id, &gone.access).await.expect("it is there");
        room::delete(&found, &gone.id, &gone.access, None).await.expect("deleted");
    });
    sweep_all();
    assert_eq!(rows("default"), 20 + 1 + 1 + 1, "the second one, and that of the room whose messages do not last");
    assert_eq!(count("default", "SELECT count(*) FROM room"), 2);
    assert_eq!(count("default", "SELECT max(bytes) FROM room"), 20 * 5096 + 256 * 3 + 1);
    assert_eq!(native::run(read(&room, 2, 19)).expect("kept"), 1000);
    native::pass(Duration::from_secs(61));
    assert!(matches!(native::run(read(&brief, 3, 0)), Err(Error::FileNotFound)), "before it is swept, too");
    sweep_all();
    assert_eq!(rows("default"), 21);
}

#[test]
fn a_file_that_is_swept_takes_nothing_more_and_no_message_gets_it() {
    let room = make_room(0);
    native::run(async {
        put(&room, 1, 0, 10).await.expect("stored");
        native::pass(Duration::from_secs(3599));
        assert!(put(&room, 1, 0, 10).await.expect("a repeat"));
        assert_eq!(read(&room, 1, 0).await.expect("it is there"), 10);
        native::pass(Duration::from_secs(2));
        assert!(matches!(put(&room, 1, 1, 10).await, Err(Error::FileMissing)));
        assert!(matches!(put(&room, 1, 0, 10).await, Err(Error::FileMissing)));
        let said = say(&room, &format!(r#""body":"x","files":[{{"id":"{}","parts":1}}]"#, name(1))).await;
        assert!(matches!(said, Err(Error::FileMissing)));
    });
    sweep_all();
    assert_eq!(rows("default"), 0);
    assert_eq!(count("default", "SELECT bytes FROM room"), 0);
    // Then it is as if it had never been here.
    assert!(!native::run(put(&room, 1, 0, 10)).expect("stored"));
}

#[test]
fn files_move_with_their_slot_while_parts_come_and_go() {
    native::set_variable("databases", "default,second");
    let room = make_room(0);
    let number = room.id.slot();
    let home = native::run(slot::map()).expect("a map").into_iter().find(|row| row.state == "open").expect("open");
    let to = if home.database == "default" { "second" } else { "default" };
    native::run(async {
        for part in 0..30 {
            put(&room, 1, part, 3000).await.expect("stored");
        }
        put(&room, 2, 0, 10).await.expect("stored");
        put(&room, 3, 0, 10).await.expect("stored");
        say(&room, &format!(r#""body":"x","files":[{{"id":"{}","parts":30}}]"#, name(1))).await.expect("said");
        say(&room, &format!(r#""body":"x","files":[{{"id":"{}","parts":1}}]"#, name(3))).await.expect("said");
    });
    // A call is stopped at each of the first statements, and something happens between two calls.
    for stop in 3..40 {
        let seen = std::cell::Cell::new(0);
        native::before_each_statement(move |_| {
            seen.set(seen.get() + 1);
            if seen.get() > stop { Err("stopped".to_owned()) } else { Ok(()) }
        });
        let _stopped = native::run(move_slot(number, to));
        native::before_each_statement(|_| Ok(()));
        let added = native::run(put(&room, 2, i64::from(stop), 10));
        assert!(added.is_ok(), "{added:?}");
    }
    native::run(say(&room, r#""kind":"delete","target":2"#)).expect("erased");
    while native::run(move_slot(number, to)).map_or(true, |progress| progress.state != "open") {}
    assert_eq!(rows(&home.database), 0, "nothing is left behind");
    native::run(async {
        for part in 0..30 {
            assert_eq!(read(&room, 1, part).await.expect("it moved"), 3000);
        }
        assert_eq!(read(&room, 2, 39).await.expect("it moved"), 10);
        assert!(matches!(read(&room, 3, 0).await, Err(Error::FileNotFound)));
        say(&room, &format!(r#""body":"x","files":[{{"id":"{}","parts":40}}]"#, name(2))).await.expect_err("not all");
    });
    let bytes =
        "SELECT (SELECT sum(4096+length(body)) FROM part)+(SELECT sum(256+length(body)) FROM event)-bytes FROM room";
    assert_eq!(count(to, bytes), 0, "what the room counts for is what it holds");
    assert_eq!(count(to, "SELECT sum(bytes)-(SELECT sum(length(body)) FROM part) FROM file"), 0);
}
