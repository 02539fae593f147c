//! Moving a slot between two databases, with posts before every statement and a stop at every one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use buddy_domain::{Access, Address, CreateRoom, Error, Page, Post, RoomId, TokenHash};
use buddy_host::native;
use buddy_store::moving::{Progress, move_slot};
use buddy_store::{event, room, slot};
use uuid::Uuid;

struct Made {
    id: RoomId,
    access: Access,
}

fn set_up() {
    native::set_variable("databases", "default,second");
    for name in [
        "rooms_per_address_per_hour",
        "posts_per_author_per_ten_s",
        "posts_per_room_per_ten_s",
        "posts_per_address_per_ten_s",
        "posts_per_address_per_room_per_ten_s",
    ] {
        native::set_variable(name, "1000000");
    }
}

/// Makes rooms until so many of them lie in one slot.
fn rooms_in_one_slot(count: usize) -> Vec<Made> {
    let mut slots: BTreeMap<u8, Vec<Made>> = BTreeMap::new();
    loop {
        let made = native::run(room::create(CreateRoom::default(), &from())).expect("a room");
        let token = TokenHash::of(&made.owner_token.expect("nobody gave a hash").reveal());
        let rooms = slots.entry(made.id.slot()).or_default();
        rooms.push(Made { id: made.id, access: Access { token: Some(token), author: None } });
        if rooms.len() == count {
            return slots.remove(&made.id.slot()).expect("it was just there");
        }
    }
}

fn from() -> Address {
    Address::parse("203.0.113.7")
}

async fn say(room: &Made, fields: &str) -> Result<i64, Error> {
    let json = format!(r#"{{"client_id":"{}",{fields}}}"#, Uuid::from_u128(u128::from_le_bytes(buddy_host::random())));
    let post = Post::parse(json.as_bytes(), 16_384).expect("a post");
    event::append(&room.id, &room.access, &post, &from()).await.map(|stored| stored.seq)
}

/// All that a reader sees of a room.
fn seen(room: &Made) -> Vec<(i64, String, Option<String>)> {
    native::run(async {
        let found = room::read(&room.id, &room.access).await.expect("the room is there");
        let events =
            event::page(&found, &Page::After { seq: 0, limit: 200 }).await.expect("a page").expect("it is here");
        events.into_iter().map(|event| (event.seq, event.body, event.erased)).collect()
    })
}

fn owner_of(slot: u8) -> String {
    let map = native::run(slot::map()).expect("a map");
    let open: Vec<_> = map.into_iter().filter(|row| row.slot == i64::from(slot) && row.state == "open").collect();
    assert_eq!(open.len(), 1, "one database owns the slot");
    open.into_iter().next().expect("there is one").database
}

fn other(label: &str) -> &'static str {
    if label == "default" { "second" } else { "default" }
}

fn move_to_the_end(slot: u8, to: &str) -> Progress {
    for _ in 0..50 {
        let progress = native::run(move_slot(slot, to)).expect("the move goes on");
        if progress.state == "open" {
            return progress;
        }
    }
    panic!("slot {slot:02x} does not arrive");
}

/// Rows of the slot that a database holds, in whatever table.
fn rows_in(label: &str, slot: u8) -> i64 {
    let database = native::database(label);
    let count = |sql: &str| database.query_row::<i64, _, _>(sql, [slot], |row| row.get(0)).expect("a count");
    count("SELECT count(*) FROM room WHERE slot=?1")
        + count("SELECT count(*) FROM room r JOIN event e ON e.room_id=r.id WHERE r.slot=?1")
}

#[test]
fn all_of_a_room_moves_and_comes_back() {
    set_up();
    let rooms = rooms_in_one_slot(3);
    let slot = rooms[0].id.slot();
    native::run(async {
        for room in &rooms {
            for number in 0..150 {
                say(room, &format!(r#""body":"message {number}""#)).await.expect("stored");
            }
            say(room, r#""kind":"edit","target":3,"body":"better""#).await.expect_err("anonymous");
            say(room, r#""kind":"react","target":3,"body":"+1""#).await.expect("stored");
            say(room, r#""kind":"delete","target":5"#).await.expect("erased");
        }
    });
    let before: Vec<_> = rooms.iter().map(seen).collect();
    let home = owner_of(slot);
    for (target, epoch) in [(other(&home), 2), (home.as_str(), 3), (other(&home), 4)] {
        move_to_the_end(slot, target);
        assert_eq!(owner_of(slot), target);
        assert_eq!(rows_in(other(target), slot), 0, "nothing is left behind");
        assert_eq!(rooms.iter().map(seen).collect::<Vec<_>>(), before);
        let reached: i64 = native::database(target)
            .query_row("SELECT epoch FROM slot WHERE slot=?1", [slot], |row| row.get(0))
            .expect("a row");
        assert_eq!(reached, epoch);
    }
    native::run(say(&rooms[0], r#""body":"still here""#)).expect("stored");
    assert_eq!(seen(&rooms[0]).last().map(|event| event.1.clone()), Some("still here".to_owned()));
}

#[test]
fn what_cannot_be_moved_stays_as_it_is() {
    set_up();
    let rooms = rooms_in_one_slot(1);
    let slot = rooms[0].id.slot();
    let home = owner_of(slot);
    for wrong in ["third", "", &home] {
        let refused = native::run(move_slot(slot, wrong));
        assert!(matches!(refused, Err(Error::InvalidRequest(_))), "{wrong}: {refused:?}");
    }
    assert_eq!(owner_of(slot), home);
}

#[test]
fn posts_before_every_statement_of_a_move_are_kept_in_order() {
    set_up();
    let rooms: Rc<[Made]> = rooms_in_one_slot(2).into();
    let slot = rooms[0].id.slot();
    let acknowledged = Rc::new(RefCell::new(vec![Vec::<(i64, String)>::new(); 2]));
    let (busy, kept) = (Rc::clone(&rooms), Rc::clone(&acknowledged));
    let number = Cell::new(0);
    native::before_each_statement(move |_| {
        let which = number.get() % 2;
        let body = format!("message {}", number.replace(number.get() + 1));
        if number.get() < 390 {
            // While the slot is frozen posts are refused, never lost.
            if let Ok(seq) = native::run_within(say(&busy[which], &format!(r#""body":"{body}""#))) {
                kept.borrow_mut()[which].push((seq, body));
            }
        }
        Ok(())
    });
    let home = owner_of(slot);
    move_to_the_end(slot, other(&home));
    move_to_the_end(slot, &home);
    native::before_each_statement(|_| Ok(()));
    for (room, expected) in rooms.iter().zip(acknowledged.borrow().iter()) {
        assert!(expected.len() > 20, "{}", expected.len());
        let stored: Vec<_> = seen(room).into_iter().map(|(seq, body, _)| (seq, body)).collect();
        assert_eq!(&stored, expected, "dense, in order, each once");
        assert!(stored.iter().enumerate().all(|(index, (seq, _))| *seq == index as i64 + 1));
    }
}

#[test]
fn a_move_that_is_killed_before_any_statement_goes_on_with_the_next_call() {
    set_up();
    let rooms = rooms_in_one_slot(2);
    let slot = rooms[0].id.slot();
    let mut said = 0;
    let mut say_more = || {
        for room in &rooms {
            native::run(say(room, &format!(r#""body":"message {said}""#))).expect("stored");
        }
        said += 1;
    };
    for _ in 0..5 {
        say_more();
    }
    let mut survived = false;
    for fatal in 0.. {
        let home = owner_of(slot);
        let target = other(&home);
        let count = Rc::new(Cell::new(0));
        let counted = Rc::clone(&count);
        // Whoever is killed runs nothing any more, whatever it is.
        native::before_each_statement(move |_| {
            counted.set(counted.get() + 1);
            if counted.get() > fatal { Err("killed".to_owned()) } else { Ok(()) }
        });
        let mut outcome = native::run(move_slot(slot, target));
        while outcome.as_ref().is_ok_and(|progress| progress.state != "open") && count.get() <= fatal {
            outcome = native::run(move_slot(slot, target));
        }
        native::before_each_statement(|_| Ok(()));
        // Another instance knows nothing of this one, and so may a lost store.
        native::forget_key_value();
        native::pass(std::time::Duration::from_secs(2));
        // Even numbers go on, odd ones take it back; both end with one owner and all that was said.
        let wanted = if fatal % 2 == 0 { target } else { home.as_str() };
        match native::run(move_slot(slot, wanted)) {
            Ok(_) => drop(move_to_the_end(slot, wanted)),
            // It had not begun.
            Err(Error::InvalidRequest(_)) => assert_eq!(wanted, home),
            Err(error) => panic!("statement {fatal}: {error:?}"),
        }
        assert_eq!(owner_of(slot), wanted, "statement {fatal}");
        assert_eq!(rows_in(other(wanted), slot), 0, "statement {fatal}");
        say_more();
        for room in &rooms {
            let bodies: Vec<_> = seen(room).into_iter().map(|(_, body, _)| body).collect();
            let expected: Vec<_> = (0..bodies.len()).map(|number| format!("message {number}")).collect();
            assert_eq!(bodies, expected, "statement {fatal}");
        }
        if outcome.is_ok() {
            survived = true;
            break;
        }
    }
    assert!(survived);
}

#[test]
fn what_a_room_with_keys_has_besides_moves_as_well() {
    set_up();
    let rooms = rooms_in_one_slot(1);
    let slot = rooms[0].id.slot();
    let home = owner_of(slot);
    let database = native::database(&home);
    let room = "(SELECT max(id) FROM room)";
    for sql in [
        "DELETE FROM room WHERE slot<>(SELECT slot FROM room ORDER BY id DESC LIMIT 1)".to_owned(),
        "INSERT INTO tombstone(room,gone_at_ms) SELECT CAST(substr(room,1,1)||zeroblob(31) AS BLOB),7 FROM room"
            .to_owned(),
        "INSERT INTO token(room,hash,epoch) SELECT room,randomblob(32),0 FROM room".to_owned(),
        format!(
            "INSERT INTO link VALUES(5,{room},randomblob(16),randomblob(32),randomblob(32),0,3,1,1,1,NULL,'s','n')"
        ),
        "INSERT INTO opening(link_id,client_id,opened_at_ms) VALUES(5,randomblob(16),1)".to_owned(),
        format!("INSERT INTO rotation VALUES(9,{room},0,0,1,NULL,randomblob(32),3,'p','s','x')"),
        format!("INSERT INTO \"grant\" VALUES(9,{room},0,'{}','sealed')", "a".repeat(32)),
        format!("INSERT INTO card VALUES(9,{room},randomblob(16),1,0,1,randomblob(16),1,'card')"),
        format!("INSERT INTO statement VALUES({room},1,randomblob(32),'statement')"),
    ] {
        database.execute(&sql, []).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    let tables = ["tombstone", "token", "link", "opening", "rotation", "\"grant\"", "card", "statement"];
    let held = |label: &str| -> Vec<i64> {
        let database = native::database(label);
        let count = |table| database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0));
        tables.iter().map(|table| count(table).expect("a count")).collect()
    };
    let before = held(&home);
    assert!(before.iter().all(|count| *count > 0), "{before:?}");
    let target = other(&home);
    move_to_the_end(slot, target);
    assert_eq!(held(target), before);
    assert!(held(&home).iter().all(|count| *count == 0), "{:?}", held(&home));
    let opened: i64 =
        native::database(target).query_row("SELECT opened FROM link", [], |row| row.get(0)).expect("a link");
    assert_eq!(opened, 2, "the one that was there and one opening, which is not counted again as it moves");
}

#[test]
fn a_slot_of_more_than_a_hundred_thousand_rooms_moves_while_some_change() {
    set_up();
    let rooms = rooms_in_one_slot(2);
    let slot = rooms[0].id.slot();
    let home = owner_of(slot);
    let database = native::database(&home);
    // Of what is deleted later nothing is to be left anywhere.
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<100500)
      INSERT INTO room(room,slot,log,created_at_ms,expires_at_ms,expires_in_ms,sweep_at_ms,owner_hash)
      SELECT unhex(printf('%02x%062x',?1,i)),?1,randomblob(16),i,9e15,9e15,9e15,randomblob(32) FROM n";
    database.execute(many, [slot]).expect("rooms");
    database
        .execute(
            "INSERT INTO rotation(room_id,epoch,seq,sent_at_ms,fingerprint,bytes,public,signature,private)
             SELECT id,0,0,1,randomblob(32),3,'p','s','x' FROM room WHERE slot=?1 AND id%100=0",
            [slot],
        )
        .expect("rotations");
    let target = other(&home);
    let (mut calls, mut said, mut died) = (0, 0, 0);
    loop {
        for room in &rooms {
            native::run(say(room, &format!(r#""body":"message {said}""#))).expect("stored");
        }
        said += 1;
        let progress = native::run(move_slot(slot, target)).expect("the move goes on");
        calls += 1;
        if progress.state == "open" {
            break;
        }
        assert!(calls < 200, "{progress:?}");
        if progress.state == "copying" && calls % 2 == 0 {
            // Deaths, as sweeping brings them, before and behind where the copy is.
            let dead = "SELECT id FROM room WHERE slot=?1 AND last_seq=0 AND id%1000=?2";
            let rotations = format!("DELETE FROM rotation WHERE room_id IN({dead})");
            database.execute(&rotations, [i64::from(slot), calls * 10 % 1000]).expect("swept");
            let sql = format!("DELETE FROM room WHERE id IN({dead})");
            died += database.execute(&sql, [i64::from(slot), calls * 10 % 1000]).expect("swept");
        }
    }
    assert!(calls > 1, "one call does a part of the work");
    assert_eq!(rows_in(&home, slot), 0);
    let there = native::database(target);
    let count = |sql: &str| there.query_row::<i64, _, _>(sql, [slot], |row| row.get(0)).expect("a count");
    let kept = count("SELECT count(*) FROM room WHERE slot=?1");
    assert_eq!(kept, 100_502 - died as i64);
    // No room that died left anything, and none that lives lacks anything.
    let with_rotation = "SELECT count(*) FROM rotation WHERE ?1 IS NOT NULL";
    assert_eq!(
        count(with_rotation),
        count("SELECT count(*) FROM rotation t JOIN room r ON r.id=t.room_id WHERE r.slot=?1")
    );
    for room in &rooms {
        let bodies: Vec<_> = seen(room).into_iter().map(|(_, body, _)| body).collect();
        assert_eq!(bodies, (0..said).map(|number| format!("message {number}")).collect::<Vec<_>>());
    }
    for table in ["departure", "touched"] {
        let left: i64 =
            database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("a count");
        assert_eq!(left, 0, "{table}");
    }
}
