//! Sweeping over SQLite in memory, with a clock that the tests move.

use std::time::Duration;

use buddy_domain::{Access, Address, CreateRoom, Post};
use buddy_host::native;
use buddy_store::{database::Database, event, room, sweep};
use uuid::Uuid;

fn from() -> Address {
    Address::parse("203.0.113.7")
}

fn rows(sql: &str) -> i64 {
    native::database("default").query_row(sql, [], |row| row.get(0)).expect("a count")
}

/// Lets a second pass and sweeps once.
fn sweep_once() {
    native::pass(Duration::from_millis(1001));
    native::run(async { sweep::later(&Database::new("default")) });
}

fn make_room(expires_in_s: Option<i64>, message_ttl_s: i64) -> room::Created {
    native::set_variable("rooms_per_address_per_hour", "1000000");
    let wanted = CreateRoom { expires_in_s, message_ttl_s, ..CreateRoom::default() };
    native::run(room::create(wanted, &from())).expect("a room")
}

fn say(room: &room::Created, number: u128) {
    native::set_variable("posts_per_author_per_ten_s", "1000000");
    native::set_variable("posts_per_room_per_ten_s", "1000000");
    native::set_variable("posts_per_address_per_ten_s", "1000000");
    native::set_variable("posts_per_address_per_room_per_ten_s", "1000000");
    let json = format!(r#"{{"client_id":"{}","body":"x"}}"#, Uuid::from_u128(number));
    let post = Post::parse(json.as_bytes(), 100).expect("a post");
    native::run(event::append(&room.id, &Access::default(), &post, &from())).expect("stored");
}

#[test]
fn many_empty_rooms_keep_nobody_s_expired_events() {
    for _ in 0..3000 {
        make_room(None, 1);
    }
    let victim = make_room(None, 1);
    for number in 0..1000 {
        say(&victim, number);
    }
    native::pass(Duration::from_secs(12));
    let mut sweeps = 0;
    while rows("SELECT count(*) FROM event") > 0 {
        sweep_once();
        sweeps += 1;
        assert!(sweeps <= 6, "{} events are left", rows("SELECT count(*) FROM event"));
    }
}

#[test]
fn an_empty_room_goes_when_it_expires() {
    for _ in 0..300 {
        make_room(Some(1), 1);
    }
    native::pass(Duration::from_secs(11));
    sweep_once();
    sweep_once();
    assert_eq!(rows("SELECT count(*) FROM room"), 0);
}

#[test]
fn a_room_that_was_empty_is_swept_once_something_was_said() {
    let room = make_room(None, 1);
    native::pass(Duration::from_secs(60));
    sweep_once();
    say(&room, 1);
    native::pass(Duration::from_secs(11));
    sweep_once();
    assert_eq!(rows("SELECT count(*) FROM event"), 0);
    assert_eq!(rows("SELECT bytes FROM room"), 0);
}

#[test]
fn all_that_is_due_goes_in_one_call_where_there_is_time() {
    let room = make_room(None, 1);
    for number in 0..900 {
        say(&room, number);
    }
    native::pass(Duration::from_secs(12));
    let deadline = || buddy_host::now_ms() + 60_000;
    let is_done = native::run(async { sweep::all(&Database::new("default"), deadline()).await });
    assert!(is_done.expect("it sweeps"));
    assert_eq!(rows("SELECT count(*) FROM event"), 0);
}
