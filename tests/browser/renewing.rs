//! Renewals and those who stay: what they notice, which is nothing, and what links give afterwards.

use buddy_tests::Server;
use serde_json::json;

use crate::profile::Profile;
use crate::scene::Scene;

#[tokio::test]
async fn everybody_else_notices_nothing_of_renewals() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("One").await;
    ana.has_sent_all().await;
    let open = scene.guest("Olga", &link).await;
    open.say("Two").await;
    open.has_sent_all().await;
    let asleep = scene.guest("Slava", &link).await;
    asleep.say("Three").await;
    asleep.has_sent_all().await;
    let away = scene.guest("Wera", &link).await;
    away.say("Four").await;
    away.has_sent_all().await;
    let before = ["One", "Two", "Three", "Four"];
    for person in [&ana, &open, &asleep, &away] {
        person.reads_in_order(&before).await;
    }
    let second = scene.newcomer().await;
    second.joins(&open.own_link().await).await;
    second.reads_in_order(&before).await;
    let owners_second = scene.newcomer().await;
    owners_second.joins(&ana.own_link().await).await;
    owners_second.reads_in_order(&before).await;

    asleep.cdp("Page.setWebLifecycleState", json!({ "state": "frozen" })).await;
    away.set_offline(true).await;
    away.say("Written before").await;
    second.goto("about:blank").await;
    owners_second.goto("about:blank").await;
    let mut room_link = link.clone();
    for round in 1..=3 {
        room_link = ana.takes_back("The room’s link").await.expect("there is a new one");
        let said = format!("Round {round}");
        ana.say(&said).await;
        open.sees(&said).await;
    }
    away.set_offline(false).await;
    asleep.cdp("Page.setWebLifecycleState", json!({ "state": "active" })).await;
    let all = ["One", "Two", "Three", "Four", "Round 1", "Round 2", "Round 3", "Written before"];
    // By the link that no longer opens anything, whose room this browser knows.
    second.goto(&link).await;
    owners_second.goto(&link).await;
    let everyone = [&ana, &open, &asleep, &away, &second, &owners_second];
    for person in everyone {
        person.reads_in_order(&all).await;
    }
    for (person, says) in [(&away, "Wera is back"), (&asleep, "Slava, too"), (&second, "Olga by phone")] {
        person.say(says).await;
        person.has_sent_all().await;
        ana.sees(says).await;
    }
    owners_second.takes_back("The room’s link").await;
    owners_second.say("Ana by phone").await;
    for person in everyone {
        person.sees("Ana by phone").await;
        person.is_calm().await;
    }
    // Nobody was asked for a name again, and nothing came twice.
    let newcomer = scene.newcomer().await;
    newcomer.goto(&room_link).await;
    newcomer.sees("There is no room here").await;
}

#[tokio::test]
async fn a_link_that_has_expired_and_one_that_was_taken_back_say_so_kindly() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let (ana, _link) = scene.host("Ana").await;
    ana.say("Welcome").await;
    let short = ana.makes_link("For today", "read and write", &[("Ends", "In 1 hour")]).await;
    let reading = ana.makes_link("The press", "only read", &[]).await;
    let rita = scene.newcomer().await;
    rita.joins(&reading).await;
    rita.reads(&["Welcome"]).await;
    let ended = scene.server.database().execute("UPDATE link SET expires_at_ms = 1 WHERE expires_at_ms > 1", []);
    assert_eq!(ended, 1, "one link ends");
    let late = scene.newcomer().await;
    late.goto(&short).await;
    late.sees("This link has expired").await;
    late.sees("Ask whoever sent it to you").await;
    ana.takes_back("The press").await;
    late.goto(&reading).await;
    late.sees("There is no room here").await;
    late.sees("Ask whoever sent you the link for a new one").await;
    // Who read by it is out from here on.
    ana.say("Among ourselves").await;
    rita.sees("You need a new link").await;
    rita.sees_no("Among ourselves").await;
}

#[tokio::test]
async fn members_pass_on_the_rooms_link_and_readers_cannot() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Welcome").await;
    let reading = ana.makes_link("The press", "only read", &[]).await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("Hello").await;
    ana.reads_in_order(&["Welcome", "Hello"]).await;
    ben.press("Invite").await;
    let passed_on = ben.text_at("[aria-label='The room’s link']").await;
    ben.press("Close").await;
    let cleo = scene.guest("Cleo", &passed_on).await;
    cleo.say("Ben sent me").await;
    ana.reads_in_order(&["Welcome", "Hello", "Ben sent me"]).await;
    let rita = scene.newcomer().await;
    rita.joins(&reading).await;
    rita.press("Invite").await;
    rita.sees("A read-only link cannot invite others").await;
    // The link that members have follows a renewal.
    let new = ana.takes_back("The room’s link").await.expect("there is a new one");
    ana.say("Renewed").await;
    ben.sees("Renewed").await;
    ben.press("Invite").await;
    let passed_on = ben.text_at("[aria-label='The room’s link']").await;
    assert_eq!(fragment(&passed_on), fragment(&new));
}

#[tokio::test]
async fn what_was_said_before_is_shared_with_newcomers_or_not_as_the_owner_likes() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Among the old ones").await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("I am Ben").await;
    ana.reads(&["Among the old ones", "I am Ben"]).await;
    ana.opens_links().await;
    ana.press("Take back The room’s link").await;
    ana.ticks("Who comes later can read", false).await;
    ana.press_css("dialog .renewal [data-part=submit]").await;
    let new = ana.text_at("dialog [aria-label='The room’s new link']").await;
    ana.closes_dialogs().await;
    ana.say("For the new ones, too").await;
    let cleo = scene.guest("Cleo", &new).await;
    cleo.reads(&["For the new ones, too"]).await;
    cleo.sees("What was said before was not shared with who came later").await;
    cleo.is_calm().await;
    cleo.say("Hello").await;
    for person in [&ana, &ben] {
        person.reads_in_order(&["Among the old ones", "I am Ben", "For the new ones, too", "Hello"]).await;
        person.is_calm().await;
    }
    // Ben wrote nothing since, and Cleo is told his name all the same.
    ben.say("Hello, Cleo").await;
    cleo.sees("Hello, Cleo").await;
    cleo.sees("Ben").await;
    cleo.is_calm().await;
}

#[tokio::test]
async fn who_is_not_ticked_is_out_and_comes_back_by_a_link() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Welcome").await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("I am Ben").await;
    ana.reads(&["Welcome", "I am Ben"]).await;
    ana.opens_links().await;
    ana.press("Take back The room’s link").await;
    ana.ticks("Ben", false).await;
    // Ben is offline meanwhile, and writes.
    ben.set_offline(true).await;
    ben.say("Written in vain").await;
    ben.type_into("Message", "Half a sentence").await;
    ana.press_css("dialog .renewal [data-part=submit]").await;
    let new = ana.text_at("dialog [aria-label='The room’s new link']").await;
    ana.closes_dialogs().await;
    ana.say("Without Ben").await;
    ana.has_sent_all().await;
    ben.set_offline(false).await;
    ben.sees("You need a new link").await;
    ben.sees_no("Welcome").await;
    ben.sees("What you had not sent").await;
    for own in ["Written in vain", "Half a sentence"] {
        ben.sees(own).await;
    }
    // Whom this browser knows it does not ask again.
    ben.goto(&new).await;
    // What he wrote before arrives after it, once, and the draft is where it was.
    for person in [&ana, &ben] {
        person.reads_in_order(&["Welcome", "I am Ben", "Without Ben", "Written in vain"]).await;
    }
    ben.finds("the draft is there", "return document.querySelector('textarea').value === 'Half a sentence'").await;
    ben.fill("Message", "Back again").await;
    ben.press("Send").await;
    ana.sees("Back again").await;
    for person in [&ana, &ben] {
        person.is_calm().await;
    }
}

fn fragment(link: &str) -> &str {
    link.split_once('#').expect("a link has a fragment").1
}

/// Two owner's devices at once: who loses takes the winner's and goes on.
#[tokio::test]
async fn two_removals_at_once_both_hold() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Welcome").await;
    let (mallory, trudy, ben) =
        (scene.guest("Mallory", &link).await, scene.guest("Trudy", &link).await, scene.guest("Ben", &link).await);
    for (person, says) in [(&mallory, "I am Mallory"), (&trudy, "I am Trudy"), (&ben, "I am Ben")] {
        person.say(says).await;
        ana.sees(says).await;
    }
    let phone = scene.newcomer().await;
    phone.joins(&ana.own_link().await).await;
    phone.sees("I am Ben").await;
    ana.begins_to_remove("Mallory").await;
    phone.begins_to_remove("Trudy").await;
    let press = async |who: &Profile, name: &str| who.press(&format!("Remove {name}")).await;
    futures::join!(press(&ana, "Mallory"), press(&phone, "Trudy"));
    for person in [&mallory, &trudy] {
        person.sees("You were removed").await;
    }
    ana.sees("Mallory was removed").await;
    phone.sees("Trudy was removed").await;
    ana.closes_dialogs().await;
    phone.closes_dialogs().await;
    ana.say("After both").await;
    for person in [&ben, &phone] {
        person.sees("After both").await;
        person.is_calm().await;
    }
}
