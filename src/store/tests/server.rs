//! Over a database that refuses what libSQL's client refuses: which is how a server is told from a file.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use buddy_domain::{Address, CreateRoom};
use buddy_host::native;
use buddy_store::{database::Database, room, sweep};

/// What the client refuses without asking its server.
const REFUSED: [&str; 4] = ["auto_vacuum =", "journal_mode =", "secure_delete =", "incremental_vacuum"];
/// A connection begins with it.
const FIRST: &str = "PRAGMA busy_timeout";

/// All statements from now on.
fn seen() -> Rc<RefCell<Vec<String>>> {
    let seen = Rc::<RefCell<Vec<String>>>::default();
    let sees = Rc::clone(&seen);
    native::before_each_statement(move |sql| {
        sees.borrow_mut().push(sql.to_owned());
        if REFUSED.iter().any(|word| sql.contains(word)) { Err("unsupported statement".to_owned()) } else { Ok(()) }
    });
    seen
}

fn count(seen: &RefCell<Vec<String>>, part: &str) -> usize {
    seen.borrow().iter().filter(|sql| sql.contains(part)).count()
}

#[test]
fn a_sweep_asks_a_server_for_no_pages_and_keeps_its_connection() {
    let seen = seen();
    native::set_variable("rooms_per_address_per_hour", "1000000");
    let from = Address::parse("203.0.113.7");
    for _ in 0..300 {
        let about = Some("x".repeat(4096));
        let wanted = CreateRoom { expires_in_s: Some(1), about, ..CreateRoom::default() };
        native::run(room::create(wanted, &from)).expect("a room");
    }
    for _ in 0..4 {
        native::pass(Duration::from_secs(12));
        native::run(async { sweep::later(&Database::new("default")) });
    }
    let free: i64 = native::database("default").query_row("PRAGMA freelist_count", [], |row| row.get(0)).expect("it");
    assert!(free > 0, "there would be pages to give back");
    assert_eq!(count(&seen, "freelist_count") + count(&seen, "incremental_vacuum"), 0);
}

#[test]
fn a_connection_that_a_server_may_have_forgotten_is_made_anew_before_it_fails() {
    let seen = seen();
    let check = || native::run(async { Database::new("default").check().await }).expect("it answers");
    check();
    native::pass(Duration::from_secs(7));
    check();
    assert_eq!(count(&seen, FIRST), 1, "one connection");
    native::pass(Duration::from_secs(9));
    check();
    check();
    assert_eq!(count(&seen, FIRST), 2, "another one");
}

#[test]
fn a_file_s_connection_stays() {
    let openings = Rc::<RefCell<usize>>::default();
    let counts = Rc::clone(&openings);
    native::before_each_statement(move |sql| {
        *counts.borrow_mut() += usize::from(sql.contains(FIRST));
        Ok(())
    });
    for _ in 0..3 {
        native::run(async { Database::new("default").check().await }).expect("it answers");
        native::pass(Duration::from_secs(60));
    }
    assert_eq!(*openings.borrow(), 1);
}
