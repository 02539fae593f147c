//! The page and the native client in one room: each reads what the other wrote, and follows what the other renews.

use std::time::{Duration, Instant};

use buddy_client::api::Api;
use buddy_client::link::{Holds, Link};
use buddy_client::room::{Revocation, Room};
use buddy_tests::{DEADLINE, Server};

use crate::scene::Scene;

/// Opens a link as the program does.
async fn opens(link: &str, name: &str) -> Room {
    let link = Link::parse(link).expect("a whole link");
    let api = Api::new(&link.origin).expect("a client can be built");
    Room::open(api, &link, name, None).await.expect("they are let in")
}

async fn say(room: &mut Room, text: &str) {
    room.say(text).expect("one may write");
    room.send(|_| ()).await.expect("it is sent");
}

/// Reads from the beginning until exactly this is what people said. Nothing is wrong with any of it.
async fn reads(room: &mut Room, expected: &[&str]) {
    let end = Instant::now() + DEADLINE;
    loop {
        room.read_from(Some(0)).await.expect("it reads");
        let messages = room.log().entries().filter(|entry| entry.event.kind == "message");
        let texts: Vec<_> = messages.filter_map(|entry| entry.content.as_ref()?.text.clone()).collect();
        assert_eq!(room.take_alarms(), []);
        if texts == expected {
            return;
        }
        assert!(Instant::now() < end, "waited {DEADLINE:?} in vain for {expected:?}: {texts:?}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

#[tokio::test]
async fn a_page_and_the_native_client_talk_in_one_room_and_follow_each_others_renewals() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("From the page").await;
    ana.has_sent_all().await;
    let mut bot = opens(&link, "Bot").await;
    reads(&mut bot, &["From the page"]).await;
    say(&mut bot, "From the program").await;
    ana.reads_in_order(&["From the page", "From the program"]).await;
    ana.sees("Bot joined.").await;

    let new = ana.takes_back("The room’s link").await.expect("there is a new one");
    ana.say("Renewed by the page").await;
    ana.has_sent_all().await;
    reads(&mut bot, &["From the page", "From the program", "Renewed by the page"]).await;
    assert_eq!(bot.epoch(), Some(1));
    say(&mut bot, "I follow").await;
    ana.sees("I follow").await;

    // The owner at a shell takes back what the owner's page made.
    let mut shell = opens(&ana.own_link().await, "Ana").await;
    let all = ["From the page", "From the program", "Renewed by the page", "I follow"];
    reads(&mut shell, &all).await;
    let Holds::Member { link: secret, .. } = Link::parse(&new).expect("a whole link").holds else {
        panic!("it lets one take part")
    };
    shell.revoke(&Revocation { links: vec![secret.id()], ..Revocation::default() }).await.expect("it is taken back");
    say(&mut shell, "Renewed by the program").await;
    ana.sees("Renewed by the program").await;
    ana.say("So do I").await;
    ana.has_sent_all().await;
    let all = [&all[..], &["Renewed by the program", "So do I"]].concat();
    for client in [&mut bot, &mut shell] {
        reads(client, &all).await;
        assert_eq!(client.epoch(), Some(2));
    }
    say(&mut bot, "All together").await;
    ana.sees("All together").await;
    ana.is_calm().await;
    let newcomer = scene.newcomer().await;
    newcomer.goto(&new).await;
    newcomer.sees("There is no room here").await;
    let by_the_program = shell.invitation().expect("the room has a link").to_string();
    let cleo = scene.guest("Cleo", &by_the_program).await;
    cleo.sees("All together").await;
    cleo.is_calm().await;
}
