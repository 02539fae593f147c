//! The library against a server that lies about what the random adversary does not reach: keys, links, deletion.

use buddy_client::api::Api;
use buddy_client::link::{Holds, Link};
use buddy_client::log::{Alarm, Code};
use buddy_client::room::{Error, NewRoom, Revocation, Room};
use buddy_tests::{Liar, Server, Told};
use serde_json::json;

struct Scene {
    server: Server,
    owner: Room,
    owner_link: Link,
    link: Link,
    liar: Liar,
}

impl Scene {
    /// A room with an owner who speaks to the server itself; whoever joins comes through a liar.
    async fn set() -> Self {
        Self::set_with(NewRoom::default()).await
    }

    async fn set_with(new: NewRoom) -> Self {
        let server = Server::setup().without_rate_limits().start().await;
        let api = Api::new(&format!("http://{}", server.address())).expect("a client can be built");
        let (owner, owner_link, link) = Room::create(api, &new, "Owner").await.expect("a room is made");
        let liar = Liar::before(server.address()).await;
        Self { server, owner, owner_link, link, liar }
    }

    async fn joins(&self, name: &str) -> Result<Room, Error> {
        self.enters(&self.link, name).await
    }

    async fn enters(&self, link: &Link, name: &str) -> Result<Room, Error> {
        let origin = format!("http://{}", self.liar.address());
        let link = Link { origin: origin.clone(), ..link.clone() };
        Room::open(Api::new(&origin).expect("a client can be built"), &link, name, None).await
    }
}

async fn say(room: &mut Room, text: &str) -> Result<(), Error> {
    room.say(text)?;
    room.send(|_| ()).await.map(|_| ())
}

fn codes(room: &mut Room) -> Vec<Code> {
    room.take_alarms().into_iter().map(|alarm| alarm.code).collect()
}

#[tokio::test]
async fn whoever_stays_follows_several_renewals_without_doing_anything() {
    let mut scene = Scene::set().await;
    let mut bob = scene.joins("Bob").await.expect("he is let in");
    say(&mut bob, "before").await.expect("it is sent");
    for _ in 0..3 {
        scene.owner.revoke(&Revocation::default()).await.expect("the keys are renewed");
        say(&mut scene.owner, "meanwhile").await.expect("it is sent");
    }
    say(&mut bob, "after weeks").await.expect("it is sent");
    bob.sync().await.expect("he reads");
    assert_eq!(bob.epoch(), Some(3));
    assert_eq!(bob.take_alarms(), []);
    let texts: Vec<_> = bob.log().entries().filter_map(|entry| entry.content.as_ref()?.text.clone()).collect();
    assert_eq!(texts, ["before", "meanwhile", "meanwhile", "meanwhile", "after weeks"]);
    scene.owner.sync().await.expect("the owner reads");
    assert_eq!(scene.owner.take_alarms(), []);
}

#[tokio::test]
async fn a_connection_that_breaks_while_keys_are_fetched_leaves_nobody_unbelieved() {
    // Which of the requests that follow a renewal fails.
    for failing in 0..3 {
        let mut scene = Scene::set().await;
        let direct = Api::new(&format!("http://{}", scene.server.address())).expect("a client can be built");
        let mut alice = Room::open(direct, &scene.link, "Alice", None).await.expect("she is let in");
        say(&mut alice, "before").await.expect("it is sent");
        let mut bob = scene.joins("Bob").await.expect("he is let in");
        say(&mut bob, "here").await.expect("it is sent");
        bob.read_from(Some(0)).await.expect("he reads");
        scene.owner.revoke(&Revocation::default()).await.expect("the keys are renewed");
        // What Bob needs to know of the renewal comes in several answers.
        let mut asked = 0;
        scene.liar.answers(move |request| {
            let counts =
                request.method == "GET" && ["/keys", "/messages"].iter().any(|end| request.path.ends_with(end));
            asked += usize::from(counts);
            (counts && asked == failing + 1).then(|| Told::error(400, "invalid_request"))
        });
        // The word that ends a stream would have him look once more; it is lost like any other.
        scene.liar.interferes(|name, data| if name == "closed" { vec![] } else { vec![(name.to_owned(), data)] });
        while bob.epoch() != Some(1) || bob.log().entries().all(|entry| entry.event.kind != "rotate") {
            // It fails once at the most; whatever was done by then, the next attempt does the rest.
            let _once = bob.next_update().await;
        }
        scene.liar.confesses();
        say(&mut alice, "after").await.expect("it is sent");
        alice.sync().await.expect("she reads");
        let last = alice.log().last();
        while bob.log().last() < last {
            bob.next_update().await.expect("he follows");
        }
        let unbelieved: Vec<_> =
            bob.log().entries().filter(|entry| entry.event.kind != "rotate" && !entry.believed).collect();
        assert!(unbelieved.is_empty(), "request {failing} failed: {unbelieved:?}");
        assert_eq!(bob.take_alarms(), [], "request {failing} failed");
    }
}

#[tokio::test]
async fn a_newcomer_believes_who_was_kept_and_what_was_stated_when_all_of_that_has_expired_from_the_log() {
    let mut scene = Scene::set_with(NewRoom { message_ttl_s: Some(1), ..NewRoom::default() }).await;
    let mut bob = scene.joins("Bob").await.expect("he is let in");
    say(&mut bob, "before").await.expect("it is sent");
    say(&mut scene.owner, "welcome").await.expect("it is sent");
    scene.owner.change(|state| state.name = "Trip".to_owned()).await.expect("it is stated");
    scene.owner.revoke(&Revocation::default()).await.expect("the keys are renewed");
    scene.owner.change(|state| state.name = "Long trip".to_owned()).await.expect("it is stated");
    let last = scene.owner.log().last();
    let link = scene.owner.invitation().expect("the room has a link");
    buddy_tests::eventually("all of it expires", async || {
        let mut late = scene.enters(&link, "Late").await.expect("they are let in");
        late.read_from(Some(0)).await.expect("they read");
        late.log().entries().all(|entry| entry.event.seq > last).then_some(())
    })
    .await;
    bob.sync().await.expect("he reads");
    say(&mut bob, "after").await.expect("it is sent");
    let mut newcomer = scene.enters(&link, "Newcomer").await.expect("they are let in");
    newcomer.read_from(Some(0)).await.expect("they read");
    assert_eq!(newcomer.take_alarms(), []);
    assert_eq!(newcomer.log().state().map(|state| state.name.as_str()), Some("Long trip"));
    let said: Vec<_> = newcomer.log().entries().map(|entry| (entry.event.kind.as_str(), entry.believed)).collect();
    assert_eq!(said, [("message", true)], "Bob was kept, and needed no other card");
}

#[tokio::test]
async fn the_owners_second_device_finds_every_epoch_by_the_link_alone() {
    let mut scene = Scene::set().await;
    say(&mut scene.owner, "in epoch 0").await.expect("it is sent");
    scene.owner.revoke(&Revocation::default()).await.expect("the keys are renewed");
    say(&mut scene.owner, "in epoch 1").await.expect("it is sent");
    let mut second = scene.enters(&scene.owner_link, "Owner").await.expect("the owner is let in");
    second.read_from(Some(0)).await.expect("the owner reads");
    assert_eq!(second.take_alarms(), []);
    let read = second.log().entries().filter(|entry| entry.content.is_some()).count();
    assert_eq!(read, 3, "a card and two messages");
    second.revoke(&Revocation::default()).await.expect("it renews as well");
    scene.owner.sync().await.expect("the first device follows");
    assert_eq!((scene.owner.epoch(), scene.owner.take_alarms()), (Some(2), vec![]));
}

#[tokio::test]
async fn a_renewal_that_the_owner_did_not_make_is_none() {
    let mut scene = Scene::set().await;
    let mut bob = scene.joins("Bob").await.expect("he is let in");
    say(&mut bob, "hello").await.expect("it is sent");
    scene.owner.revoke(&Revocation::default()).await.expect("the keys are renewed");
    scene.liar.changes(|asked, told| {
        if asked.is("GET", "/keys") {
            for rotation in told.body["rotations"].as_array_mut().into_iter().flatten() {
                let public =
                    rotation["public"].as_str().unwrap_or_default().replace("\"removed\":[]", "\"removed\": []");
                rotation["public"] = json!(public);
            }
        }
    });
    let read = bob.sync().await;
    assert!(codes(&mut bob).contains(&Code::BadRotation), "{read:?}");
    assert_eq!(bob.epoch(), Some(0), "and nobody follows it");
}

#[tokio::test]
async fn a_grant_that_is_withheld_shows_once_the_link_leads_on() {
    let mut scene = Scene::set().await;
    let mut bob = scene.joins("Bob").await.expect("he is let in");
    say(&mut bob, "hello").await.expect("it is sent");
    scene.owner.revoke(&Revocation::default()).await.expect("the keys are renewed");
    scene.liar.changes(|asked, told| {
        if asked.is("GET", "/keys") {
            for rotation in told.body["rotations"].as_array_mut().into_iter().flatten() {
                rotation["grant"] = json!(null);
            }
        }
    });
    bob.sync().await.expect("the link leads on");
    assert_eq!(bob.epoch(), Some(1));
    assert_eq!(codes(&mut bob), [Code::LeftWaiting]);
}

#[tokio::test]
async fn whoever_is_removed_reads_nothing_more_by_grant_link_or_former_keys() {
    let mut scene = Scene::set().await;
    let mut eve = scene.joins("Eve").await.expect("she is let in");
    say(&mut eve, "hello").await.expect("it is sent");
    let removal = Revocation { people: vec![eve.identity().author()], ..Revocation::default() };
    scene.owner.revoke(&removal).await.expect("she is removed");
    say(&mut scene.owner, "about Eve").await.expect("it is sent");
    assert!(matches!(eve.sync().await, Err(Error::Removed)));
    assert!(scene.joins("Eve again").await.is_err(), "the link was taken back with her");
    // With the server's help she reads the events, and still cannot open them.
    let link = scene.owner.invitation().expect("there is a new link");
    assert_ne!(link.holds, scene.link.holds);
    let mut bob = scene.enters(&link, "Bob").await.expect("he is let in");
    bob.read_from(Some(0)).await.expect("he reads");
    for entry in bob.log().entries().filter(|entry| entry.event.kind == "message") {
        let opens = eve.log().open(&entry.event, 0).is_ok();
        assert_eq!(opens, entry.event.body.starts_with("v2.0."), "{entry:?}");
    }
}

#[tokio::test]
async fn a_room_is_gone_when_its_owner_says_so_and_not_before() {
    let mut scene = Scene::set().await;
    let mut bob = scene.joins("Bob").await.expect("he is let in");
    scene.liar.answers(|asked| asked.room().map(|_| Told::error(410, "room_gone")));
    assert!(matches!(bob.sync().await, Err(Error::ClaimedGone)));
    assert_eq!(bob.take_alarms(), [Alarm::of_room(Code::ClaimsGone)]);
    scene.liar.confesses();
    bob.sync().await.expect("it is there");

    scene.owner.delete().await.expect("it is deleted");
    assert!(matches!(bob.sync().await, Err(Error::Deleted)));
    assert_eq!(bob.take_alarms(), []);
}

#[tokio::test]
async fn what_the_server_does_without_a_statement_is_shown_as_its_doing() {
    let mut scene = Scene::set().await;
    scene.owner.change(|state| state.name = "Trip".to_owned()).await.expect("it is stated");
    scene.owner.change(|state| state.locked = true).await.expect("it is stated");
    let mut bob = scene.joins("Bob").await.expect("he is let in");
    bob.sync().await.expect("he reads");
    assert_eq!(bob.log().state().map(|state| (state.name.as_str(), state.locked)), Some(("Trip", true)));
    assert_eq!(bob.take_alarms(), []);
    scene.liar.changes(|asked, told| {
        if asked.method == "GET" && told.body.get("locked").is_some() {
            told.body["locked"] = json!(false);
        }
    });
    bob.sync().await.expect("he reads");
    assert_eq!(codes(&mut bob), [Code::ServerState]);
}

#[tokio::test]
async fn a_link_gives_only_what_its_room_and_owner_have_signed() {
    let scene = Scene::set().await;
    let other = Scene::set().await;
    let Holds::Member { link: secret, .. } = &scene.link.holds else { panic!("a member's link") };
    let foreign = Link { room: *other.owner.id(), holds: scene.link.holds.clone(), ..scene.link.clone() };
    assert!(other.enters(&foreign, "Bob").await.is_err(), "another room's link");
    let _ = secret;
    // Another room's rotation, with everything in it of that room.
    let answer = other.liar.address();
    drop(answer);
    let heard = {
        other.joins("Bob").await.expect("he is let in");
        other.liar.heard("POST", "/open").pop().expect("the link was opened").1.body
    };
    scene.liar.answers(move |asked| asked.is("POST", "/open").then(|| Told::ok(heard.clone())));
    assert!(matches!(scene.joins("Bob").await, Err(Error::NoKeys(_))));
    assert!(scene.server.log().contains("Serving"));
}
