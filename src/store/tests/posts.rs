//! Rooms and their logs over SQLite in memory, without a server.

use std::cell::Cell;
use std::rc::Rc;

use buddy_domain::{Access, Address, CreateRoom, Error, Page, Post, RoomId, TokenHash};
use buddy_host::native;
use buddy_store::{event, room};
use uuid::Uuid;

async fn make_room() -> (RoomId, Access) {
    let made = room::create(CreateRoom::default(), &Address::parse("203.0.113.7")).await.expect("a room");
    let owner = TokenHash::of(&made.owner_token.expect("nobody gave a hash").reveal());
    (made.id, Access { token: Some(owner), author: None })
}

fn post(number: u128, fields: &str) -> Post {
    let json = format!(r#"{{"client_id":"{}",{fields}}}"#, Uuid::from_u128(number));
    Post::parse(json.as_bytes(), 1000).expect("a post")
}

async fn append(id: &RoomId, access: &Access, post: &Post) -> Result<event::Stored, Error> {
    event::append(id, access, post, &Address::parse("203.0.113.7")).await
}

#[test]
fn a_post_is_stored_once_and_an_erased_one_leaves_its_hash() {
    native::run(async {
        let (id, owner) = make_room().await;
        let said = post(1, r#""body":"hello""#);
        let first = append(&id, &owner, &said).await.expect("stored");
        let again = append(&id, &owner, &said).await.expect("a repeat");
        assert_eq!((first.seq, first.repeated), (1, false));
        assert_eq!((again.seq, again.repeated, again.sent_at_ms), (1, true, first.sent_at_ms));
        append(&id, &owner, &post(2, r#""kind":"delete","target":1"#)).await.expect("erased");

        let room = room::read(&id, &owner).await.expect("readable");
        let events = event::page(&room, &Page::Newest { limit: 10 }).await.expect("a page").expect("it is here");
        let shown: Vec<_> = events.iter().map(|event| (event.body.as_str(), event.erased.as_deref())).collect();
        let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(shown, [("", Some(hash)), ("", None)]);
    });
}

#[test]
fn a_room_s_number_is_never_given_out_again() {
    native::run(async {
        let (first, _) = make_room().await;
        let database = native::database("default");
        database.execute("DELETE FROM room", []).expect("deleted");
        let (second, owner) = make_room().await;
        assert_ne!(first.to_string(), second.to_string());
        assert_eq!(room::read(&second, &owner).await.expect("readable").key.id, 2);
    });
}

#[test]
fn what_was_refused_lately_is_asked_about_before_it_is_tried() {
    native::run(async {
        let (id, owner) = make_room().await;
        let stranger = Access::default();
        native::database("default").execute("UPDATE room SET post_hash=randomblob(32)", []).expect("closed");
        let attempts = Rc::new(Cell::new(0));
        let counted = Rc::clone(&attempts);
        native::before_each_statement(move |sql| {
            counted.set(counted.get() + u32::from(sql.starts_with("INSERT INTO event(")));
            Ok(())
        });
        for number in 0..50 {
            let refused = append(&id, &stranger, &post(number, r#""body":"let me in""#)).await;
            assert!(matches!(refused, Err(Error::NotAllowed(_))));
        }
        assert_eq!(attempts.get(), 1, "only the first attempt cost the write lock");
        append(&id, &owner, &post(100, r#""body":"unimpressed""#)).await.expect("stored");
    });
}
