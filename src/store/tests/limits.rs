//! Limits of nought: nobody may, and is told so.

use buddy_domain::{Access, Address, CreateRoom, Error, Post};
use buddy_host::native;
use buddy_store::{event, room};
use uuid::Uuid;

#[test]
fn a_limit_of_nought_refuses_everybody_whom_it_is_for() {
    let from = Address::parse("203.0.113.7");
    let limits = [
        "posts_per_author_per_ten_s",
        "posts_per_room_per_ten_s",
        "posts_per_address_per_ten_s",
        "posts_per_address_per_room_per_ten_s",
    ];
    for (number, name) in limits.into_iter().enumerate() {
        // A thread is a server of its own, and reads each variable once.
        let from = from.clone();
        let server = std::thread::spawn(move || {
            native::run(async {
                native::set_variable(name, "0");
                let made = room::create(CreateRoom::default(), &from).await.expect("a room");
                let json = format!(r#"{{"client_id":"{}","body":"x"}}"#, Uuid::from_u128(number as u128));
                let post = Post::parse(json.as_bytes(), 100).expect("a post");
                let refused = event::append(&made.id, &Access::default(), &post, &from).await.err();
                assert!(matches!(refused, Some(Error::RateLimited { retry_after_s: 10 })), "{name}: {refused:?}");
            })
        });
        server.join().expect("no limit panics");
    }
}
