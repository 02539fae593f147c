//! `buddy` as scripts use it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use buddy_tests::{Liar, Server};

use crate::buddy::{Shell, finish};

#[tokio::test]
async fn two_people_talk_from_their_shells() {
    let server = Server::start().await;
    let (olga, bob) = (Shell::of("Olga"), Shell::of("Bob"));
    let (owner, member) = olga.new_room(&server).await;
    assert!(owner.contains("#o.") && member.contains("#m."), "the owner's link comes first");

    olga.run(&owner, &["send", "Hello, all"]).await.must_be(0);
    bob.run_with(&member, &["send"], "two\nlines\n").await.must_be(0);
    bob.run_with(&member, &["send", "-"], "by a pipe").await.must_be(0);

    let history = olga.run(&owner, &["history"]).await.must_be(0).printed;
    for text in ["Olga: Hello, all", "Bob: two\n    lines", "Bob: by a pipe", "Bob joined"] {
        assert!(history.contains(text), "{text:?} in\n{history}");
    }
    let members = bob.run(&member, &["members"]).await.must_be(0).printed;
    assert!(members.lines().count() == 2 && members.contains("Olga") && members.contains("Bob"), "{members}");
}

#[tokio::test]
async fn who_follows_reads_what_was_said_and_what_comes() {
    let server = Server::start().await;
    let (olga, bob) = (Shell::of("Olga"), Shell::of("Bob"));
    let (owner, member) = olga.new_room(&server).await;
    olga.run(&owner, &["send", "before"]).await.must_be(0);
    let mut from_start = bob.follow(&member, &["--json", "--since", "0"]);
    let first = from_start.until("\"before\"").await;
    let first: serde_json::Value = serde_json::from_str(&first).expect("an object a line");
    assert_eq!((&first["kind"], &first["name"], &first["seq"]), (&"message".into(), &"Olga".into(), &2.into()));
    olga.run(&owner, &["send", "after"]).await.must_be(0);
    from_start.until("\"after\"").await;

    let since = bob.run(&member, &["history", "--since", "2"]).await.must_be(0);
    assert_eq!(since.lines(), ["3 Olga: after"]);
}

#[tokio::test]
async fn a_link_comes_from_a_file_or_the_environment_and_is_kept_from_others() {
    let server = Server::start().await;
    let olga = Shell::of("Olga");
    let (owner, _) = olga.new_room(&server).await;
    let file = olga.data().join("owner.link");
    fs::write(&file, format!("{owner}\n")).expect("the file can be written");
    let by_file = ["--link-file", file.to_str().expect("UTF-8"), "send", "by a file"];
    finish(olga.command(None).args(by_file)).await.must_be(0);

    let none = finish(olga.command(None).args(["send", "to nobody"])).await.must_be(1);
    assert!(none.said.contains("BUDDY_LINK"), "{none:?}");
    let cut = olga.run(&owner[..owner.len() - 1], &["history"]).await.must_be(1);
    assert!(
        cut.said.contains("incomplete") && !cut.said.contains(&owner[owner.len() - 40..owner.len() - 1]),
        "{cut:?}"
    );
    olga.run(&owner, &["send", "one", "two"]).await.must_be(2);

    let rooms = olga.data().join("rooms");
    assert_eq!(fs::metadata(&rooms).expect("it is there").permissions().mode() & 0o777, 0o700);
    for file in fs::read_dir(&rooms).expect("it can be listed") {
        let mode = file.and_then(|file| file.metadata()).expect("it can be asked").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn who_was_removed_is_shut_out_and_everybody_else_goes_on() {
    let server = Server::start().await;
    let (olga, bob, eve) = (Shell::of("Olga"), Shell::of("Bob"), Shell::of("Eve"));
    let (owner, member) = olga.new_room(&server).await;
    olga.run(&owner, &["send", "hello"]).await.must_be(0);
    bob.run(&member, &["send", "I am Bob"]).await.must_be(0);
    eve.run(&member, &["send", "I am Eve"]).await.must_be(0);

    let renewed = olga.run(&owner, &["revoke", "Eve"]).await.must_be(0);
    let [link] = renewed.lines()[..] else { panic!("the new link: {renewed:?}") };
    assert_ne!(link, member);
    bob.run(&member, &["send", "still here"]).await.must_be(0);
    eve.run(&member, &["send", "and me?"]).await.must_be(4);
    eve.run(&member, &["history"]).await.must_be(4);
    Shell::of("Mallory").run(&member, &["send", "by the old link"]).await.must_be(6);

    let carol = Shell::of("Carol");
    carol.run(link, &["send", "by the new link"]).await.must_be(0);
    let history = carol.run(link, &["history"]).await.must_be(0).printed;
    for text in ["Eve: I am Eve", "Bob: still here", "Carol: by the new link", "renewed the room's keys"] {
        assert!(history.contains(text), "{text:?} in\n{history}");
    }
    assert!(!history.contains("and me?"));
}

#[tokio::test]
async fn a_link_that_was_taken_back_opens_nothing_and_those_who_came_by_it_stay() {
    let server = Server::start().await;
    let (olga, bob) = (Shell::of("Olga"), Shell::of("Bob"));
    let (owner, _) = olga.new_room(&server).await;
    let made = olga.run(&owner, &["links", "--make", "Friends"]).await.must_be(0);
    let friends = made.lines()[0].to_owned();
    let reading = olga.run(&owner, &["links", "--make", "Watching", "--read-only"]).await.must_be(0);
    bob.run(&friends, &["send", "by a link of its own"]).await.must_be(0);
    let watcher = Shell::of("Watcher");
    let read = watcher.run(reading.lines()[0], &["history"]).await.must_be(0);
    assert!(read.printed.contains("by a link of its own"), "{read:?}");
    let refused = watcher.run(reading.lines()[0], &["send", "may I?"]).await.must_be(1);
    assert!(refused.said.contains("only read"), "{refused:?}");

    olga.run(&owner, &["revoke", "Friends"]).await.must_be(0);
    let links = olga.run(&owner, &["links"]).await.must_be(0).printed;
    assert!(!links.contains("Friends") && links.contains("Watching"), "{links}");
    Shell::of("Late").run(&friends, &["history"]).await.must_be(6);
    bob.run(&friends, &["send", "I stay"]).await.must_be(0);
    let read = watcher.run(reading.lines()[0], &["history"]).await.must_be(0);
    assert!(read.printed.contains("I stay"), "{read:?}");
}

#[tokio::test]
async fn what_could_not_be_sent_goes_out_with_the_next_run_once() {
    let mut server = Server::start().await;
    let olga = Shell::of("Olga");
    let liar = Liar::before(server.address()).await;
    let (owner, _) = olga.new_room(&server).await;
    let link = liar.link(&owner);
    olga.run(&link, &["send", "first"]).await.must_be(0);
    server.kill();
    let kept = olga.run(&link, &["send", "while it was away"]).await;
    assert_eq!(kept.code, Some(5), "{kept:?}");
    server.restart().await;
    liar.lead_to(server.address());
    olga.run(&link, &["send", "and then"]).await.must_be(0);
    let history = olga.run(&link, &["history"]).await.must_be(0).printed;
    assert_eq!(history.matches("while it was away").count(), 1, "{history}");
    let at = |text| history.find(text).expect("it was sent");
    assert!(at("while it was away") < at("and then"), "{history}");
}

#[tokio::test]
async fn a_server_that_lies_is_told_by_the_exit_code() {
    let server = Server::start().await;
    let (olga, bob) = (Shell::of("Olga"), Shell::of("Bob"));
    let (owner, member) = olga.new_room(&server).await;
    for text in ["DO NOT PAY", "this invoice", "before Friday"] {
        olga.run(&owner, &["send", text]).await.must_be(0);
    }
    let liar = Liar::before(server.address()).await;
    liar.drops(|event| event["seq"] == 2);
    let lied = bob.run(&liar.link(&member), &["history"]).await.must_be(3);
    assert!(lied.said.contains("(window)"), "{lied:?}");
    bob.run(&member, &["history"]).await.must_be(0);
}
