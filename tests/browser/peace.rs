//! Where everybody is honest no alarm is raised, whatever happens: false alarms kill the feature. One test for each
//! situation in which a window could seem not to fit (docs/protocol.md, "Windows").

use buddy_tests::{Server, now_ms};
use serde_json::json;

use crate::insider::{Insider, Operator, Owner};
use crate::profile::Profile;
use crate::scene::Scene;
use crate::steering::{CLAIMS_GONE, DIVERGED};

async fn quiet() -> Scene {
    Scene::on(Server::setup().without_rate_limits()).await
}

#[tokio::test]
async fn what_was_erased_changed_and_reacted_to_alarms_nobody() {
    let scene = quiet().await;
    let (ana, link) = scene.host("Ana").await;
    let ben = scene.guest("Ben", &link).await;
    ana.say("First").await;
    ben.reads(&["First"]).await;
    ben.say("Second").await;
    ben.has_sent_all().await;
    ana.reads_in_order(&["First", "Second"]).await;
    ana.press_in("First", "More").await;
    ana.press("Edit").await;
    ana.fill("Message", "First, corrected").await;
    ana.press("Save").await;
    ben.reads_in_order(&["First, corrected", "Second"]).await;
    ben.press_in("Second", "More").await;
    ben.press("Delete").await;
    ben.press_css("dialog button.danger").await;
    ana.sees("Deleted by its author").await;
    ana.press_in("First, corrected", "More").await;
    ana.press("Delete").await;
    ana.press_css("dialog button.danger").await;
    ben.sees("Deleted by its author").await;
    ana.say("Third").await;
    ben.sees("Third").await;
    ben.say("Fourth").await;
    ana.sees("Fourth").await;
    let cleo = scene.guest("Cleo", &link).await;
    cleo.sees("Fourth").await;
    for person in [&ana, &ben, &cleo] {
        person.is_calm().await;
        person.refresh().await;
        person.sees("Fourth").await;
        person.is_calm().await;
    }
}

#[tokio::test]
async fn what_has_expired_alarms_nobody_and_neither_does_a_lifetime_that_is_off_again() {
    let scene = quiet().await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("For a moment").await;
    ana.has_sent_all().await;
    let ben = scene.guest("Ben", &link).await;
    ben.reads(&["For a moment"]).await;
    let owner = Owner::of(&scene.server, &ana.own_link().await).await;
    owner
        .sets(|state| {
            state.message_ttl_s = Some(10);
            state.ever_ttl = Some(10);
        })
        .await;
    ana.say("For a moment, too").await;
    for person in [&ana, &ben] {
        person.reads(&[]).await;
    }
    ben.say("Still here").await;
    ana.sees("Still here").await;
    owner.sets(|state| state.message_ttl_s = None).await;
    ana.say("From now on for good").await;
    ben.sees("From now on for good").await;
    let cleo = scene.guest("Cleo", &link).await;
    cleo.sees("From now on for good").await;
    cleo.say("Hello").await;
    for person in [&ana, &ben, &cleo] {
        person.sees("Hello").await;
        person.is_calm().await;
        person.refresh().await;
        person.sees("Hello").await;
        person.is_calm().await;
    }
}

#[tokio::test]
async fn clocks_that_differ_alarm_nobody() {
    let scene = quiet().await;
    let (ana, link) = scene.host("Ana").await;
    let skewed = scene.newcomer().await;
    skewed.before_each_page("const now = Date.now.bind(Date); Date.now = () => now() + 8 * 60_000;").await;
    skewed.joins(&link).await;
    skewed.calls_themself("Ben").await;
    let owner = Owner::of(&scene.server, &ana.own_link().await).await;
    owner
        .sets(|state| {
            state.message_ttl_s = Some(60);
            state.ever_ttl = Some(60);
        })
        .await;
    ana.say("By a right clock").await;
    skewed.say("By one that is fast").await;
    let cleo = scene.newcomer().await;
    cleo.before_each_page("const now = Date.now.bind(Date); Date.now = () => now() - 8 * 60_000;").await;
    cleo.joins(&link).await;
    cleo.calls_themself("Cleo").await;
    cleo.say("By one that is slow").await;
    ana.sees("By one that is slow").await;
    for person in [&ana, &skewed, &cleo] {
        person.is_calm().await;
    }
}

#[tokio::test]
async fn who_begins_in_the_middle_of_a_long_log_is_not_alarmed() {
    let scene = quiet().await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("The beginning").await;
    ana.has_sent_all().await;
    let insider = Insider::with(&scene.server, &link, "Ivo").await;
    insider.introduces_themself().await;
    let now = now_ms();
    let texts = (1..=1_200).map(|number| format!("Message {number}"));
    Operator::of(&scene.server).fill(&insider, texts, |number| now - (1_200 - number) * 10);
    ana.say("The end").await;
    ana.has_sent_all().await;
    let ben = scene.guest("Ben", &link).await;
    ben.sees("The end").await;
    ben.say("I begin here").await;
    ben.has_sent_all().await;
    ana.sees("I begin here").await;
    for person in [&ana, &ben] {
        person.is_calm().await;
    }
    // The card that vouches for Ana lies far above what was loaded.
    ben.sees("Ana").await;
    ben.refresh().await;
    ben.sees("I begin here").await;
    ben.is_calm().await;
}

#[tokio::test]
async fn two_tabs_and_two_devices_that_write_at_once_alarm_nobody() {
    let scene = quiet().await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Welcome").await;
    ana.has_sent_all().await;
    let first = ana.tab().await;
    let second = ana.new_tab().await;
    ana.goto(&link).await;
    ana.reads(&["Welcome"]).await;
    let phone = scene.newcomer().await;
    phone.joins(&ana.own_link().await).await;
    phone.reads(&["Welcome"]).await;
    let ben = scene.guest("Ben", &link).await;
    for round in 0..4 {
        let (by_phone, by_ben) = (format!("Phone {round}"), format!("Ben {round}"));
        let tab = if round % 2 == 0 { &first } else { &second };
        ana.turn_to(tab).await;
        let by_tab = format!("Tab {round}");
        futures::join!(ana.say(&by_tab), phone.say(&by_phone), ben.say(&by_ben));
    }
    for person in [&ana, &phone, &ben] {
        for round in 0..4 {
            for by in ["Phone", "Ben", "Tab"] {
                person.sees(&format!("{by} {round}")).await;
            }
        }
        person.is_calm().await;
    }
}

#[tokio::test]
async fn what_failed_or_was_discarded_alarms_nobody() {
    let scene = quiet().await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Welcome").await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("Thanks").await;
    ana.reads(&["Welcome", "Thanks"]).await;
    ben.set_offline(true).await;
    ben.say("Keep this").await;
    ben.say("Drop this").await;
    ana.press("Manage room").await;
    ana.press("Lock the room").await;
    ana.sees("only you can write").await;
    ana.press("Close").await;
    ana.say("Meanwhile").await;
    ben.set_offline(false).await;
    ben.finds("both have failed", "return document.querySelectorAll('.message[data-state=failed]').length === 2").await;
    ana.press("Unlock").await;
    ben.sees_at("textarea").await;
    let of = |text: &str, button: &str| format!("//li[.//*[text()='{text}']]//button[normalize-space()='{button}']");
    ben.press_at(&of("Drop this", "Discard"), "discarding").await;
    ben.press_at(&of("Keep this", "Try again"), "trying again").await;
    ana.sees("Keep this").await;
    ben.say("And on").await;
    ana.sees("And on").await;
    for person in [&ana, &ben] {
        person.is_calm().await;
    }
}

#[tokio::test]
async fn who_was_away_when_a_room_was_deleted_is_told_so_and_believes_it() {
    let scene = quiet().await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Welcome").await;
    let ben = scene.guest("Ben", &link).await;
    ben.reads(&["Welcome"]).await;
    ben.goto("about:blank").await;
    let cleo = scene.guest("Cleo", &link).await;
    cleo.reads(&["Welcome"]).await;
    ana.press("Manage room").await;
    for press in ["Danger", "Delete the room", "Delete the room…", "Delete for everyone"] {
        ana.press(press).await;
    }
    cleo.sees("This room was deleted").await;
    ben.goto(&link).await;
    ben.sees("This room was deleted").await;
    for person in [&ben, &cleo] {
        person.sees_no(CLAIMS_GONE).await;
    }
}

#[tokio::test]
async fn a_restored_backup_is_told_once_and_not_at_each_event() {
    let mut scene = quiet().await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Kept").await;
    let ben = scene.guest("Ben", &link).await;
    ben.reads(&["Kept"]).await;
    ana.has_sent_all().await;
    let backup = scene.server.back_up().await;
    scene.door.lead_to(&scene.server);
    // Who is not back yet when the backup is restored has seen nothing of what was lost, and sends what is theirs again.
    scene.door.holds_streams(2).await;
    for text in ["Lost", "Lost, too", "Lost as well"] {
        ana.say(text).await;
        ben.sees(text).await;
    }
    ana.has_sent_all().await;
    scene.server.restore(&backup).await;
    // As an operator does who has restored one.
    scene.server.database().execute("UPDATE room SET log = randomblob(16)", []);
    scene.door.lead_to(&scene.server);
    for person in [&ana, &ben] {
        person.sees(DIVERGED).await;
    }
    ana.say("Going on").await;
    ben.say("So do I").await;
    for person in [&ana, &ben] {
        person.sees("Going on").await;
        person.sees("So do I").await;
        told_once(person).await;
        person.refresh().await;
        person.sees("So do I").await;
        told_once(person).await;
    }
    let cleo = scene.guest("Cleo", &link).await;
    cleo.sees("So do I").await;
    cleo.is_calm().await;
}

async fn told_once(person: &Profile) {
    let script = "return [...document.querySelectorAll('.alarm')].map((one) => one.querySelector('p').textContent)";
    assert_eq!(person.execute(script, vec![]).await, json!([DIVERGED]), "one divergence, one notice");
}

#[tokio::test]
async fn a_lively_evening_with_renewals_alarms_nobody() {
    let scene = quiet().await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Welcome").await;
    let ben = scene.guest("Ben", &link).await;
    let cleo = scene.guest("Cleo", &link).await;
    for (person, says) in [(&ben, "I am Ben"), (&cleo, "I am Cleo")] {
        person.say(says).await;
        ana.sees(says).await;
    }
    let chat = async |who: &Profile, name: &str| {
        for number in 0..12 {
            who.say(&format!("{name} {number}")).await;
        }
    };
    let renew = async {
        for _ in 0..3 {
            ana.takes_back("The room’s link").await;
        }
    };
    futures::join!(chat(&ben, "Ben"), chat(&cleo, "Cleo"), renew);
    ana.say("Good night").await;
    for person in [&ana, &ben, &cleo] {
        for number in 0..12 {
            person.sees(&format!("Ben {number}")).await;
            person.sees(&format!("Cleo {number}")).await;
        }
        person.sees("Good night").await;
        person.has_sent_all().await;
        person.is_calm().await;
        person.refresh().await;
        person.sees("Good night").await;
        person.is_calm().await;
    }
}
