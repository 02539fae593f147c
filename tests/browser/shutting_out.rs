//! Who may come in and who may stay: the owner's links, taking them back, and removing somebody.

use std::time::{Duration, Instant};

use crate::gallery::Gallery;
use crate::scene::Scene;

/// So soon a removed person's open page shows nothing of the room any more.
const BLANK_WITHIN: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_removed_persons_page_goes_blank_and_the_others_go_on() {
    let scene = Scene::set().await;
    let gallery = Gallery::default();

    let (ana, link) = scene.host("Ana").await;
    ana.say("Welcome").await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("Thanks").await;
    let mallory = scene.guest("Mallory", &link).await;
    mallory.say("Hehe").await;
    for person in [&ana, &ben, &mallory] {
        person.reads_in_order(&["Welcome", "Thanks", "Hehe"]).await;
    }

    mallory.type_into("Message", "And another thing").await;
    ana.begins_to_remove("Mallory").await;
    ana.sees("All links are taken back").await;
    gallery.show(&ana, "dialog-remove").await;
    ana.press("Remove Mallory").await;
    ana.sees("Mallory was removed").await;
    let removed = Instant::now();
    mallory.sees("You were removed").await;
    assert!(removed.elapsed() < BLANK_WITHIN, "it took {:?}", removed.elapsed());
    mallory.sees_no("Welcome").await;
    // Nobody else has read these words, and they are still there.
    mallory.sees("What you had not sent").await;
    mallory.sees("And another thing").await;
    gallery.show(&mallory, "removed").await;
    let new_link = ana.text_at("output[aria-label='The room’s new link']").await;
    assert_ne!(new_link, link);
    gallery.show(&ana, "dialog-removed").await;
    ana.press_css("dialog:last-of-type [aria-label='Close']").await;
    ana.press_css("dialog:last-of-type [aria-label='Close']").await;

    // The others notice nothing but what is said about it.
    ben.say("Who was that?").await;
    ana.say("Nobody").await;
    for person in [&ana, &ben] {
        person.reads_in_order(&["Welcome", "Thanks", "Hehe", "Who was that?", "Nobody"]).await;
        person.sees("The owner removed Mallory").await;
        person.is_calm().await;
    }
    // What was removed stays so after a reload, and the old link lets nobody in.
    mallory.refresh().await;
    mallory.sees("You were removed").await;
    mallory.sees("And another thing").await;
    let stranger = scene.newcomer().await;
    stranger.goto(&link).await;
    stranger.sees("There is no room here").await;
    stranger.sees("Ask whoever sent you the link for a new one").await;
    let cleo = scene.guest("Cleo", &new_link).await;
    cleo.reads(&["Welcome", "Thanks", "Hehe", "Who was that?", "Nobody"]).await;
    cleo.is_calm().await;
    gallery.close();
}

#[tokio::test]
async fn a_limited_link_is_opened_only_by_a_click_and_says_when_it_is_used_up() {
    let scene = Scene::set().await;
    let gallery = Gallery::default();

    let (ana, _) = scene.host("Ana").await;
    ana.say("For two eyes").await;
    ana.press("Invite").await;
    ana.press("All links…").await;
    ana.press("New link").await;
    ana.fill("Name", "For Ben").await;
    ana.select("For how many", "One person").await;
    ana.press("Make the link").await;
    ana.sees("The link is ready").await;
    let link = ana.text_at("output[aria-label='For Ben']").await;
    gallery.show(&ana, "dialog-link-ready").await;
    ana.press_css("dialog:last-of-type [aria-label='Close']").await;
    ana.sees("Opened 0 of 1 time").await;

    // However often it is looked at.
    let scanner = scene.newcomer().await;
    for _ in 0..3 {
        scanner.goto(&link).await;
        scanner.sees("You are invited to a room").await;
        scanner.sees_no("For two eyes").await;
    }
    gallery.show(&scanner, "invited").await;

    let ben = scene.guest("Ben", &link).await;
    ben.reads(&["For two eyes"]).await;
    ben.refresh().await;
    ben.reads(&["For two eyes"]).await;

    scanner.press("Join").await;
    scanner.sees("This link was used up").await;
    scanner.sees("Ask whoever sent it to you for another one").await;
    gallery.show(&scanner, "link-used-up").await;
    gallery.close();
}

#[tokio::test]
async fn a_link_that_was_taken_back_lets_nobody_in_and_whoever_is_in_stays() {
    let scene = Scene::set().await;

    let (ana, link) = scene.host("Ana").await;
    ana.say("Hello").await;
    let extra = ana.makes_link("Leaked", "read and write", &[]).await;
    let ben = scene.guest("Ben", &extra).await;
    ben.say("I came by the other one").await;
    ana.reads(&["Hello", "I came by the other one"]).await;

    ana.press("Manage room").await;
    ana.press("Links").await;
    ana.press("Take back Leaked").await;
    ana.sees("Nobody gets in by this link any more").await;
    ana.sees("Whoever has “The room’s link” still gets in").await;
    ana.press("Take back").await;
    ana.sees("The link was taken back").await;
    ana.sees_no("Leaked").await;

    let stranger = scene.newcomer().await;
    stranger.goto(&extra).await;
    stranger.sees("There is no room here").await;
    ben.say("Still here").await;
    let cleo = scene.guest("Cleo", &link).await;
    for person in [&cleo, &ben] {
        person.reads(&["Hello", "I came by the other one", "Still here"]).await;
        person.is_calm().await;
    }
}
