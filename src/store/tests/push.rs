//! Registrations for push messages over SQLite in memory: whose turn it is, what goes, and what moves.

use std::collections::BTreeMap;
use std::time::Duration;

use buddy_domain::{Access, Address, CreateRoom, Error, Registration, RoomId, TokenHash};
use buddy_host::native;
use buddy_store::database::Database;
use buddy_store::moving::move_slot;
use buddy_store::{push, room, slot, sweep};

struct Made {
    id: RoomId,
    access: Access,
}

fn make_room(expires_in_s: Option<i64>) -> Made {
    native::set_variable("rooms_per_address_per_hour", "1000000");
    let made =
        native::run(room::create(CreateRoom { expires_in_s, ..CreateRoom::default() }, &from())).expect("a room");
    let token = TokenHash::of(&made.owner_token.expect("nobody gave a hash").reveal());
    Made { id: made.id, access: Access { token: Some(token), author: None } }
}

fn from() -> Address {
    Address::parse("203.0.113.7")
}

fn endpoint(number: usize) -> String {
    format!("https://push.example/{number}")
}

async fn register(room: &Made, number: usize, auth: u8) -> Result<bool, Error> {
    let registration = Registration { endpoint: endpoint(number), p256dh: [4; 65], auth: [auth; 16] };
    push::register(&room.id, &room.access, &registration, &from()).await.map(|stored| stored.repeated)
}

/// Whom a turn tells, by their numbers, and when the next one is.
fn turn(room: &Made, own: Option<usize>) -> (Vec<String>, i64, i64) {
    let own = own.map(endpoint);
    let due = native::run(push::due(&room.id, &room.access, own.as_deref())).expect("the room is there");
    (due.registrations.into_iter().map(|to| to.endpoint).collect(), due.count, due.again_in_s)
}

fn count(label: &str, sql: &str) -> i64 {
    native::database(label).query_row(sql, [], |row| row.get(0)).expect("a number")
}

fn sweep_all() {
    native::pass(Duration::from_secs(12));
    let is_done = native::run(async { sweep::all(&Database::new("default"), i64::MAX).await }).expect("swept");
    assert!(is_done);
}

#[test]
fn a_room_is_told_of_once_in_ten_seconds() {
    let room = make_room(None);
    assert_eq!(turn(&room, None), (vec![], 0, 0));
    for number in [1, 2] {
        assert!(!native::run(register(&room, number, 1)).expect("stored"));
    }
    assert_eq!(turn(&room, Some(1)), (vec![endpoint(2)], 1, 0));
    native::pass(Duration::from_millis(1));
    assert_eq!(turn(&room, None), (vec![], 2, 10));
    native::pass(Duration::from_millis(9000));
    assert_eq!(turn(&room, Some(2)), (vec![], 1, 1));
    native::pass(Duration::from_secs(1));
    assert_eq!(turn(&room, None), (vec![endpoint(1), endpoint(2)], 2, 0));
    // A clock that was set back holds nobody up.
    native::database("default").execute("UPDATE room SET pushed_at_ms=pushed_at_ms+3600000", []).expect("changed");
    assert_eq!(turn(&room, None).0.len(), 2);
}

#[test]
fn only_new_registrations_count_and_only_so_many_are_taken() {
    native::set_variable("push_registrations_max", "3");
    native::set_variable("push_registrations_per_address_per_hour", "4");
    let (room, other) = (make_room(None), make_room(None));
    native::run(async {
        for number in 0..3 {
            assert!(!register(&room, number, 1).await.expect("stored"));
        }
        for number in 0..3 {
            assert!(register(&room, number, 1).await.expect("a repeat"));
        }
        assert!(matches!(register(&room, 3, 1).await, Err(Error::Full(_))));
        assert!(register(&room, 2, 9).await.expect("other keys"));
        let refused = register(&other, 1, 1).await;
        assert!(matches!(refused, Err(Error::RateLimited { retry_after_s: 3500.. })), "{:?}", refused.err());
        push::unregister(&room.id, &room.access, &endpoint(7)).await.expect("it was not there");
        push::unregister(&room.id, &room.access, &endpoint(0)).await.expect("it was there");
    });
    assert_eq!(count("default", "SELECT count(*) FROM registration"), 2);
    assert_eq!(count("default", "SELECT count(*) FROM registration WHERE auth=zeroblob(16)"), 0);
}

#[test]
fn registrations_go_with_their_room() {
    native::set_variable("push_registrations_max", "1000");
    native::set_variable("push_registrations_per_address_per_hour", "1000000");
    let (deleted, expired, kept) = (make_room(None), make_room(Some(60)), make_room(None));
    native::run(async {
        for number in 0..450 {
            register(&deleted, number, 1).await.expect("stored");
            register(&expired, number, 1).await.expect("stored");
        }
        register(&kept, 1, 1).await.expect("stored");
        let found = room::read(&deleted.id, &deleted.access).await.expect("it is there");
        room::delete(&found, &deleted.id, &deleted.access, None).await.expect("deleted");
    });
    assert_eq!(count("default", "SELECT count(*) FROM registration"), 451, "a deleted room's go at once");
    native::pass(Duration::from_secs(61));
    assert!(matches!(native::run(push::due(&expired.id, &expired.access, None)), Err(Error::RoomNotFound)));
    sweep_all();
    assert_eq!(count("default", "SELECT count(*) FROM room"), 1);
    assert_eq!(count("default", "SELECT count(*) FROM registration"), 1);
}

#[test]
fn registrations_move_with_their_slot_while_they_come_and_go() {
    native::set_variable("databases", "default,second");
    native::set_variable("push_registrations_per_address_per_hour", "1000000");
    let room = make_room(None);
    let number = room.id.slot();
    let home = native::run(slot::map()).expect("a map").into_iter().find(|row| row.state == "open").expect("open");
    let to = if home.database == "default" { "second" } else { "default" };
    let mut known: BTreeMap<usize, u8> = (0..100).map(|number| (number, 1)).collect();
    for number in known.keys() {
        native::run(register(&room, *number, 1)).expect("stored");
    }
    assert_eq!(turn(&room, None).0.len(), 100);
    // A call is stopped at each of the first statements, and something happens between two calls.
    let mut refused = 0;
    for stop in 3..40 {
        let seen = std::cell::Cell::new(0);
        native::before_each_statement(move |_| {
            seen.set(seen.get() + 1);
            if seen.get() > stop { Err("stopped".to_owned()) } else { Ok(()) }
        });
        let _stopped = native::run(move_slot(number, to));
        native::before_each_statement(|_| Ok(()));
        native::run(async {
            // Where the call was stopped while the slot was frozen, nobody writes.
            for (number, auth) in [(100 + stop, 1), (50, stop as u8)] {
                match register(&room, number, auth).await {
                    Ok(_) => drop(known.insert(number, auth)),
                    Err(Error::Unavailable(_)) => refused += 1,
                    Err(error) => panic!("{error:?}"),
                }
            }
            match push::unregister(&room.id, &room.access, &endpoint(stop)).await {
                Ok(()) => drop(known.remove(&stop)),
                Err(Error::Unavailable(_)) => refused += 1,
                Err(error) => panic!("{error:?}"),
            }
        });
    }
    assert!(refused < 30, "{refused}");
    while native::run(move_slot(number, to)).map_or(true, |progress| progress.state != "open") {}
    assert_eq!(count(&home.database, "SELECT count(*) FROM registration"), 0, "nothing is left behind");
    let (told, there, _) = turn(&room, None);
    assert_eq!((told.len(), there), (0, known.len() as i64), "that it was told of moved, too");
    native::pass(Duration::from_secs(10));
    let found = native::run(push::due(&room.id, &room.access, None)).expect("it moved");
    let number = |endpoint: &str| endpoint.rsplit('/').next().and_then(|number| number.parse().ok()).expect("a number");
    let moved = found.registrations.into_iter().map(|to| (number(&to.endpoint), to.auth[0])).collect();
    assert_eq!(known, moved);
}
