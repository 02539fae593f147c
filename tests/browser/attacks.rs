//! A server that lies, and what the page says of it: each attack is staged by a liar between one person and the true
//! server, or by an operator at the true one.

use buddy_client::bytes::Base64;
use buddy_client::keys::{Identity, OwnerSecret};
use buddy_client::link::{Holds, Link};
use buddy_tests::{Liar, Server, Told, eventually};
use serde_json::{Value, json};

use crate::insider::{Draft, Insider, Operator, open_link};
use crate::profile::Profile;
use crate::scene::Scene;
use crate::steering::{
    AFTER, BAD_ROTATION, BLANKED, CLAIMS_GONE, DIVERGED, EPOCH, FORK, GAP, MISTRUSTED, OWN_LOST, REPEATED, REUSED,
    SERVER_STATE, SIGNER, TWO_ROTATIONS, WINDOW,
};

/// Ana has a room of her own on an honest server; Ben comes through a liar.
struct Plot {
    scene: Scene,
    liar: Liar,
    ana: Profile,
    link: String,
    /// An honest member, who tells what the server holds.
    witness: Insider,
}

impl Plot {
    async fn hatch() -> Self {
        let scene = Scene::on(Server::setup().without_rate_limits()).await;
        let (ana, link) = scene.host("Ana").await;
        let liar = scene.liar().await;
        let witness = Insider::with(&scene.server, &link, "Wim").await;
        Self { scene, liar, ana, link, witness }
    }

    /// Ana says these one after the other; each is on the server before the next. Returns their places in the log.
    async fn ana_says(&self, texts: &[&str]) -> Vec<u64> {
        let mut places = Vec::new();
        for text in texts {
            let before = self.witness.messages().await.len();
            self.ana.say(text).await;
            let arrived =
                eventually("what Ana says arrives", async || self.witness.messages().await.into_iter().nth(before));
            places.push(arrived.await["seq"].as_u64().expect("a sequence"));
            self.ana.has_sent_all().await;
        }
        places
    }

    /// Ben, whom the liar serves.
    async fn ben(&self) -> Profile {
        self.scene.guest("Ben", &self.liar.link(&self.link)).await
    }

    /// What the owner's link opens.
    async fn owner(&self) -> OwnerSecret {
        let link = Link::parse(&self.ana.own_link().await).expect("a whole link");
        let Holds::Owner(secret) = link.holds else { panic!("Ana owns the room") };
        OwnerSecret::new(secret)
    }
}

fn at(seq: u64) -> impl Fn(&Value) -> bool + Send + 'static {
    move |event| event["seq"] == seq
}

// The log.

#[tokio::test]
async fn a_message_that_is_left_out_shows_at_the_next_one_of_who_had_seen_it() {
    let plot = Plot::hatch().await;
    let places = plot.ana_says(&["Pay them", "No, do not pay", "Agreed?"]).await;
    plot.liar.drops(at(places[1]));
    let ben = plot.ben().await;
    ben.reads_in_order(&["Pay them", "Agreed?"]).await;
    ben.is_alarmed(&[WINDOW]).await;
    let after = "return document.querySelector('.alarm').closest('.entry').querySelector('.text').textContent";
    assert_eq!(ben.execute(after, vec![]).await, "Agreed?", "it stands where it happened");
    // Said once, and Ana, to whom the server is honest, notices nothing.
    plot.ana_says(&["Well?"]).await;
    ben.reads_in_order(&["Pay them", "Agreed?", "Well?"]).await;
    ben.is_alarmed(&[WINDOW]).await;
    plot.ana.is_calm().await;
    // And after a reload it is still there.
    ben.refresh().await;
    ben.reads_in_order(&["Pay them", "Agreed?", "Well?"]).await;
    ben.is_alarmed(&[WINDOW]).await;
}

#[tokio::test]
async fn a_gap_that_is_left_open_shows_as_one() {
    let plot = Plot::hatch().await;
    let places = plot.ana_says(&["One", "Two", "Three"]).await;
    plot.liar.loses(at(places[1]));
    let ben = plot.ben().await;
    ben.reads_in_order(&["One", "Three"]).await;
    ben.sees(GAP).await;
}

#[tokio::test]
async fn messages_that_change_places_show() {
    let plot = Plot::hatch().await;
    let places = plot.ana_says(&["Shall I sell?", "Yes", "Shall I resign?", "No"]).await;
    plot.liar.swaps(places[1], places[3]);
    let ben = plot.ben().await;
    ben.reads_in_order(&["Shall I sell?", "No", "Shall I resign?", "Yes"]).await;
    ben.is_alarmed(&[WINDOW]).await;
}

#[tokio::test]
async fn what_comes_a_second_time_shows_and_does_not_count() {
    let plot = Plot::hatch().await;
    let places = plot.ana_says(&["Send it", "Sent"]).await;
    plot.liar.repeats(places[0], places[1], false);
    let ben = plot.ben().await;
    ben.sees("Sent").await;
    ben.is_alarmed(&[REPEATED]).await;
    ben.reads(&["Send it", "Sent"]).await;
}

#[tokio::test]
async fn an_id_with_other_words_shows() {
    let plot = Plot::hatch().await;
    let draft = plot.witness.message("The first words");
    plot.witness.introduces_themself().await;
    let first = plot.witness.post(&draft, &plot.witness.sealed(&draft)).await;
    let other = Draft { content: plot.witness.message("Other words").content, ..draft };
    let body = plot.witness.sealed(&other);
    let mut event = plot.witness.event("it is there", at(first.seq)).await;
    event["body"] = json!(body);
    plot.liar.forges(first.seq, event);
    let ben = plot.ben().await;
    ben.sees("The first words").await;
    ben.is_alarmed(&[REUSED]).await;
    ben.sees_no("Other words").await;
}

#[tokio::test]
async fn what_the_server_erases_by_itself_shows() {
    let plot = Plot::hatch().await;
    let places = plot.ana_says(&["Do not pay", "As I said"]).await;
    plot.liar.blanks(at(places[0]));
    let ben = plot.ben().await;
    ben.sees("As I said").await;
    ben.is_alarmed(&[BLANKED]).await;
    plot.ana.is_calm().await;
}

#[tokio::test]
async fn two_people_to_whom_the_server_tells_different_things_notice_by_being_there() {
    let plot = Plot::hatch().await;
    let ben = plot.ben().await;
    plot.ana_says(&["Hello"]).await;
    ben.reads(&["Hello"]).await;
    ben.is_calm().await;
    let next = plot.witness.events().await.len() as u64 + 1;
    plot.liar.drops(at(next));
    plot.ana_says(&["Not for Ben"]).await;
    // A word of Ana's would show it at once. Here nobody says anything more: that she is here is enough.
    ben.sees(FORK).await;
    ben.reads(&["Hello"]).await;
}

#[tokio::test]
async fn a_log_that_is_rolled_back_shows_once_and_what_was_read_is_kept() {
    let plot = Plot::hatch().await;
    let places = plot.ana_says(&["Kept", "Lost", "Lost, too"]).await;
    let ben = plot.ben().await;
    ben.reads_in_order(&["Kept", "Lost", "Lost, too"]).await;
    plot.liar.rolls_back_to(places[0]);
    ben.sees(DIVERGED).await;
    plot.ana_says(&["Going on"]).await;
    ben.sees("Going on").await;
    let notices = format!(
        "return [...document.querySelectorAll('.entry')].filter((one) => one.textContent.includes({DIVERGED:?})).length === 1"
    );
    ben.finds("it is said once", &notices).await;
    ben.choose("This browser still has 2").await;
    ben.sees("Lost, too").await;
    // And after a reload it still has them.
    ben.refresh().await;
    ben.sees("Going on").await;
    ben.choose("This browser still has 2").await;
    ben.sees("Lost, too").await;
}

#[tokio::test]
async fn an_own_message_that_the_server_hides_is_told_and_kept() {
    let plot = Plot::hatch().await;
    plot.ana_says(&["Hello"]).await;
    let ben = plot.ben().await;
    ben.say("I am Ben").await;
    plot.ana.reads(&["Hello", "I am Ben"]).await;
    ben.has_sent_all().await;
    let next = plot.witness.events().await.len() as u64 + 1;
    plot.liar.loses(at(next));
    ben.say("Stop the payment").await;
    plot.ana.reads(&["Hello", "I am Ben", "Stop the payment"]).await;
    // Ben learns it with the next thing that he is told.
    plot.ana_says(&["Done"]).await;
    ben.sees("Done").await;
    ben.sees(OWN_LOST).await;
    ben.reads(&["Hello", "I am Ben", "Stop the payment", "Done"]).await;
    ben.refresh().await;
    ben.reads(&["Hello", "I am Ben", "Stop the payment", "Done"]).await;
}

#[tokio::test]
async fn a_liars_own_word_about_what_he_saw_is_told_at_his_message_and_leads_nobody_astray() {
    let plot = Plot::hatch().await;
    plot.ana_says(&["One", "Two"]).await;
    let ivo = Insider::with(&plot.scene.server, &plot.link, "Ivo").await;
    ivo.introduces_themself().await;
    let mut seen = ivo.events().await;
    seen[1]["body"] = json!("v2.0.AAAA");
    let mut draft = ivo.message("I saw something else");
    draft.content["prev"] = serde_json::to_value(ivo.window(&seen)).expect("plain data");
    let posted = ivo.post(&draft, &ivo.sealed(&draft)).await;
    let mut draft = ivo.message("And this came before");
    draft.content["prev"] = serde_json::to_value(ivo.window(&ivo.events().await)).expect("plain data");
    draft.content["after"] = json!({ "client_id": buddy_tests::client_id(), "seq": posted.seq });
    ivo.post(&draft, &ivo.sealed(&draft)).await;
    plot.ana_says(&["Three"]).await;
    let ben = plot.ben().await;
    for reader in [&plot.ana, &ben] {
        reader.reads_in_order(&["One", "Two", "I saw something else", "And this came before", "Three"]).await;
        reader.sees(WINDOW).await;
        let at = "return [...document.querySelectorAll('.entry .alarm')]
            .map((alarm) => alarm.closest('.entry').querySelector('.text').textContent).every((text) => text !== 'Three')";
        reader.finds("an honest message is not blamed", at).await;
    }
    let after = "return document.body.innerText";
    let page = plot.ana.execute(after, vec![]).await;
    assert!(page.as_str().is_some_and(|page| page.contains(WINDOW) || page.contains(AFTER)));
}

// Who may speak, and who owns.

#[tokio::test]
async fn somebody_who_may_only_read_says_nothing_believable_even_with_the_servers_help() {
    let plot = Plot::hatch().await;
    plot.ana_says(&["Hello"]).await;
    let reading = plot.ana.makes_link("For the press", "only read", &[]).await;
    let reader = Insider::with(&plot.scene.server, &reading, "Rita").await;
    let draft = reader.message("I was never let in");
    reader.try_post(&draft, &reader.sealed(&draft)).await.must_fail(403, "not_allowed");
    // The operator puts it into the log all the same, with a card that she made of what she has.
    let operator = Operator::of(&plot.scene.server);
    let card = reader.card("Rita");
    operator.append(&card, &reader.sealed(&card));
    operator.append(&draft, &reader.sealed(&draft));
    plot.ana_says(&["Next"]).await;
    let ben = plot.ben().await;
    for person in [&plot.ana, &ben] {
        person.sees("Next").await;
        person.is_alarmed_at(SIGNER, &["I was never let in"]).await;
    }
    ben.lists_people(&["Ana", "You"]).await;
}

#[tokio::test]
async fn a_name_a_lock_and_a_lifetime_that_the_owner_did_not_sign_show_as_the_servers() {
    let plot = Plot::hatch().await;
    plot.ana_says(&["Hello"]).await;
    let ivo = Insider::with(&plot.scene.server, &plot.link, "Ivo").await;
    ivo.introduces_themself().await;
    let ben = plot.ben().await;
    ben.reads(&["Hello"]).await;
    let state = json!({
        "name": "Ivo's den", "locked": true, "message_ttl_s": 60, "expires_in_s": 60, "ever_ttl": 60, "invite": null,
    });
    let forged = ivo.draft("change", None, json!({ "state": state }));
    let body = ivo.sealed(&forged);
    Operator::of(&plot.scene.server).append(&forged, &body);
    plot.liar.changes(move |asked, told| {
        if asked.is("GET", asked.room().unwrap_or("none")) && told.body["state"].is_string() {
            told.body["state"] = json!(body);
            told.body["locked"] = json!(true);
            told.body["message_ttl_s"] = json!(60);
        }
    });
    ben.refresh().await;
    ben.reads(&["Hello"]).await;
    ben.sees_no("den").await;
    ben.sees(SERVER_STATE).await;
    ben.finds("Ben may still write", "return document.querySelector('textarea')?.checkVisibility() === true").await;
    plot.ana.sees_no("den").await;
}

#[tokio::test]
async fn an_expiry_that_the_owner_did_not_set_shows_as_the_servers() {
    let plot = Plot::hatch().await;
    plot.ana_says(&["Hello"]).await;
    let ben = plot.ben().await;
    ben.reads(&["Hello"]).await;
    ben.is_calm().await;
    plot.liar.changes(|asked, told| {
        if asked.is("GET", asked.room().unwrap_or("none")) && told.status == 200 {
            told.body["expires_at_ms"] = json!(buddy_tests::now_ms() + 3_600_000);
        }
    });
    ben.refresh().await;
    ben.sees(SERVER_STATE).await;
    ben.sees("It keeps the room for another time.").await;
    ben.reads(&["Hello"]).await;
    plot.liar.confesses();
    ben.refresh().await;
    ben.reads(&["Hello"]).await;
    ben.is_calm().await;
}

#[tokio::test]
async fn a_room_that_the_server_says_is_gone_is_not_believed_without_its_owners_word() {
    let plot = Plot::hatch().await;
    plot.ana_says(&["Keep this"]).await;
    let ben = plot.ben().await;
    ben.reads(&["Keep this"]).await;
    let gone = Told {
        status: 410,
        body: json!({ "error": { "code": "room_gone", "message": "Gone.", "farewell": Base64([7; 64]).to_string() } }),
    };
    plot.liar.answers(move |asked| asked.room().map(|_| gone.clone()));
    plot.liar.cuts_streams();
    ben.is_warned(CLAIMS_GONE).await;
    ben.reads(&["Keep this"]).await;
    // In a stream that is open, too.
    plot.liar.confesses();
    ben.refresh().await;
    ben.reads(&["Keep this"]).await;
    plot.liar.interferes(|_, _| vec![("closed".to_owned(), json!({ "reason": "deleted" }))]);
    plot.witness.signal("here", None).await;
    ben.is_warned(CLAIMS_GONE).await;
    ben.reads(&["Keep this"]).await;
}

// Renewals.

#[tokio::test]
async fn who_is_kept_from_a_renewal_is_told_as_soon_as_anything_gets_through() {
    let plot = Plot::hatch().await;
    plot.ana_says(&["Before"]).await;
    let ben = plot.ben().await;
    ben.say("I am Ben").await;
    plot.ana.reads(&["Before", "I am Ben"]).await;
    let owner = plot.owner().await;
    plot.liar.reads_with(owner.token().text());
    plot.liar.drops(|event| event["kind"] == "rotate");
    plot.liar.answers(|asked| asked.is("GET", "/keys").then(|| Told::ok(json!({ "epoch": 0, "rotations": [] }))));
    plot.ana.takes_back("The room’s link").await;
    plot.ana.say("After").await;
    ben.is_alarmed(&[EPOCH]).await;
    ben.sees_no("After").await;
    plot.liar.confesses();
    ben.refresh().await;
    ben.reads(&["Before", "I am Ben", "After"]).await;
}

#[tokio::test]
async fn who_was_isolated_goes_on_alone_and_learns_it_with_the_first_word_from_outside() {
    let plot = Plot::hatch().await;
    plot.ana_says(&["Before"]).await;
    let ben = plot.ben().await;
    ben.say("I am Ben").await;
    plot.ana.reads(&["Before", "I am Ben"]).await;
    ben.has_sent_all().await;
    plot.liar.isolates();
    plot.ana.takes_back("The room’s link").await;
    plot.ana.say("Without Ben").await;
    ben.say("Am I alone?").await;
    ben.reads(&["Before", "I am Ben", "Am I alone?"]).await;
    ben.has_sent_all().await;
    plot.ana.sees_no("Am I alone?").await;
    plot.liar.confesses();
    ben.sees("Without Ben").await;
    ben.sees_at(".entry .alarm").await;
}

#[tokio::test]
async fn keys_that_the_owner_did_not_make_are_not_used() {
    let plot = Plot::hatch().await;
    plot.ana_says(&["Before"]).await;
    let ben = plot.ben().await;
    ben.say("I am Ben").await;
    plot.ana.reads(&["Before", "I am Ben"]).await;
    // Another room's renewal, which its owner did sign.
    let stranger = scene_of_another_room(&plot).await;
    plot.liar.changes(move |asked, told| {
        if asked.is("GET", "/keys") {
            for rotation in told.body["rotations"].as_array_mut().into_iter().flatten() {
                rotation["public"] = stranger["public"].clone();
                rotation["signature"] = stranger["signature"].clone();
            }
        }
    });
    plot.ana.takes_back("The room’s link").await;
    ben.is_warned(BAD_ROTATION).await;
    plot.ana.say("After").await;
    ben.sees_no("After").await;
    plot.liar.confesses();
    ben.refresh().await;
    ben.reads(&["Before", "I am Ben", "After"]).await;
}

/// What another room of Ana's server was renewed with.
async fn scene_of_another_room(plot: &Plot) -> Value {
    let through = plot.scene.liar().await;
    let cleo = plot.scene.newcomer().await;
    cleo.makes_room(&format!("http://{}/", through.address())).await;
    cleo.takes_back("The room’s link").await;
    let (asked, _) = through.heard("POST", "/rotations").pop().expect("it was renewed");
    asked.body
}

#[tokio::test]
async fn who_is_given_no_keys_is_out_until_the_server_gives_them() {
    let plot = Plot::hatch().await;
    plot.ana_says(&["Before"]).await;
    let ben = plot.ben().await;
    ben.say("I am Ben").await;
    plot.ana.reads(&["Before", "I am Ben"]).await;
    plot.liar.changes(|asked, told| {
        if asked.is("GET", "/keys") {
            for rotation in told.body["rotations"].as_array_mut().into_iter().flatten() {
                rotation["grant"] = Value::Null;
                rotation["private"] = Value::Null;
            }
        }
    });
    plot.ana.takes_back("The room’s link").await;
    ben.sees("You need a new link").await;
    ben.sees_no("Before").await;
    ben.refresh().await;
    ben.sees("You need a new link").await;
    plot.ana.say("After").await;
    plot.liar.confesses();
    ben.refresh().await;
    ben.reads_in_order(&["Before", "I am Ben", "After"]).await;
    ben.say("There I am").await;
    plot.ana.sees("There I am").await;
}

#[tokio::test]
async fn notes_about_links_that_the_server_swaps_are_not_believed() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let liar = scene.liar().await;
    let ana = scene.newcomer().await;
    ana.makes_room(&format!("http://{}/", liar.address())).await;
    ana.calls_themself("Ana").await;
    ana.say("Hello").await;
    ana.makes_link("For the press", "only read", &[]).await;
    ana.makes_link("For Ben", "read and write", &[]).await;
    liar.changes(|asked, told| {
        if let Some([.., one, other]) = told.body["links"].as_array_mut().map(Vec::as_mut_slice)
            && asked.is("GET", "/links")
        {
            std::mem::swap(&mut one["note"], &mut other["note"]);
        }
    });
    ana.opens_links().await;
    ana.finds(
        "neither of the two is given to anybody",
        "return [...document.querySelectorAll('dialog .links > li')]
            .filter((link) => link.textContent.includes('Not made by you')).length === 2",
    )
    .await;
    ana.sees_no("For the press").await;
    ana.sees_no("For Ben").await;
}

#[tokio::test]
async fn what_was_sealed_for_another_link_or_another_time_opens_nothing() {
    let plot = Plot::hatch().await;
    plot.ana_says(&["Hello"]).await;
    let reading = plot.ana.makes_link("For the press", "only read", &[]).await;
    let link = Link::parse(&reading).expect("a whole link");
    let Holds::Reader(secret) = link.holds else { panic!("it only reads") };
    let api = plot.scene.server.api();
    let opened = open_link(&api, &link.room, &secret).await.must_be(200).json();
    let sealed = opened["sealed"].clone();
    plot.liar.changes(move |asked, told| {
        if asked.is("POST", "/open") {
            told.body["sealed"] = sealed.clone();
        }
    });
    let ben = plot.scene.newcomer().await;
    ben.goto(&plot.liar.link(&plot.link)).await;
    ben.sees(MISTRUSTED).await;
    ben.sees_no("does not answer").await;
    plot.liar.confesses();
    ben.press("Try again").await;
    ben.press("Join").await;
    ben.reads(&["Hello"]).await;
    // What the link gave before a renewal that it outlived.
    let before = open_link(&api, &link.room, &secret).await.must_be(200).json();
    plot.ana.takes_back("The room’s link").await;
    plot.liar.answers(move |asked| asked.is("POST", "/open").then(|| Told::ok(before.clone())));
    let rita = plot.scene.newcomer().await;
    rita.goto(&plot.liar.link(&reading)).await;
    rita.sees(MISTRUSTED).await;
    rita.sees_no("Hello").await;
    plot.liar.confesses();
    rita.press("Try again").await;
    rita.press("Read").await;
    rita.reads(&["Hello"]).await;
}

#[tokio::test]
async fn a_link_that_the_server_brings_back_opens_nothing_and_goes_with_the_next_renewal() {
    let plot = Plot::hatch().await;
    plot.ana_says(&["Before"]).await;
    let leaked = plot.ana.makes_link("Leaked", "read and write", &[]).await;
    let database = plot.scene.server.database();
    database.execute("CREATE TABLE copy AS SELECT * FROM link", []);
    plot.ana.takes_back("Leaked").await;
    assert_eq!(database.execute("INSERT OR IGNORE INTO link SELECT * FROM copy", []), 1, "one had gone");
    plot.ana.say("After").await;
    let dora = plot.scene.newcomer().await;
    dora.goto(&leaked).await;
    dora.sees(MISTRUSTED).await;
    dora.sees_no("Before").await;
    plot.ana.opens_links().await;
    plot.ana.sees("Not made by you: the next change of the keys drops it.").await;
    plot.ana.closes_dialogs().await;
    plot.ana.takes_back("The room’s link").await;
    dora.press("Try again").await;
    dora.sees("There is no room here").await;
    assert_eq!(database.value::<i64>("SELECT count(*) FROM link", []), 1, "only the room's new link is left");
}

#[tokio::test]
async fn two_renewals_of_one_time_are_told_and_the_other_is_followed_on_a_click() {
    let mut scene = Scene::on(Server::setup().without_rate_limits()).await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Before").await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("I am Ben").await;
    let phone = scene.newcomer().await;
    phone.joins(&ana.own_link().await).await;
    for person in [&ana, &ben, &phone] {
        person.reads_in_order(&["Before", "I am Ben"]).await;
        person.has_sent_all().await;
    }
    phone.goto("about:blank").await;
    let backup = scene.server.back_up().await;
    scene.door.lead_to(&scene.server);
    ana.takes_back("The room’s link").await;
    ana.say("Under the first keys").await;
    ben.sees("Under the first keys").await;
    ana.goto("about:blank").await;
    scene.server.restore(&backup).await;
    scene.server.database().execute("UPDATE room SET log = randomblob(16)", []);
    scene.door.lead_to(&scene.server);
    // Ana's other device knows nothing of it, and renews as well.
    phone.goto(&link).await;
    phone.takes_back("The room’s link").await;
    phone.say("Under the other keys").await;
    phone.has_sent_all().await;
    ben.is_warned(TWO_ROTATIONS).await;
    ben.sees_no("Under the other keys").await;
    ben.sees_no(CLAIMS_GONE).await;
    ben.press("Follow the other one").await;
    ben.press("Follow it").await;
    ben.sees("Under the other keys").await;
    ben.say("This one, then").await;
    phone.sees("This one, then").await;
    ben.sees_no(TWO_ROTATIONS).await;
}

#[tokio::test]
async fn a_renewal_that_a_restored_backup_lost_is_put_back_by_the_owners_page() {
    let mut scene = Scene::on(Server::setup().without_rate_limits()).await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Before").await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("I am Ben").await;
    for person in [&ana, &ben] {
        person.reads_in_order(&["Before", "I am Ben"]).await;
        person.has_sent_all().await;
    }
    let backup = scene.server.back_up().await;
    scene.door.lead_to(&scene.server);
    let new = ana.takes_back("The room’s link").await.expect("there is a new one");
    ana.say("Lost").await;
    ben.sees("Lost").await;
    ana.has_sent_all().await;
    scene.server.restore(&backup).await;
    scene.server.database().execute("UPDATE room SET log = randomblob(16)", []);
    scene.door.lead_to(&scene.server);
    // Nobody does anything but go on; the link that was taken back opens nothing again, and the new one does.
    ana.say("Going on").await;
    ana.sees("Going on").await;
    ana.has_sent_all().await;
    ben.sees("Going on").await;
    ben.say("So do I").await;
    ana.sees("So do I").await;
    for person in [&ana, &ben] {
        person.sees_no("The server has forgotten").await;
        person.sees_no(BAD_ROTATION).await;
        person.sees_no(CLAIMS_GONE).await;
    }
    let stranger = scene.newcomer().await;
    stranger.goto(&link).await;
    stranger.sees("There is no room here").await;
    let cleo = scene.guest("Cleo", &new).await;
    cleo.sees("So do I").await;
}

#[tokio::test]
async fn who_was_removed_gets_nothing_more_by_any_way_that_was_open_before() {
    let plot = Plot::hatch().await;
    plot.ana_says(&["Before"]).await;
    let mallory = plot.scene.guest("Mallory", &plot.link).await;
    mallory.say("I am Mallory").await;
    let ben = plot.scene.guest("Ben", &plot.link).await;
    ben.say("I am Ben").await;
    plot.ana.reads(&["Before", "I am Mallory", "I am Ben"]).await;
    let device = mallory.own_link().await;
    // Made beforehand, and never seen by anybody.
    let second = Insider::with(&plot.scene.server, &plot.link, "Mal").await;
    let operator = Operator::of(&plot.scene.server);

    plot.ana.removes("Mallory").await;
    mallory.sees("You were removed").await;
    plot.ana.say("After").await;
    ben.sees("After").await;
    ben.is_calm().await;
    // Old tokens, an old link, the link for another device.
    let draft = second.message("Let me in");
    second.try_post(&draft, &second.sealed(&draft)).await.must_fail(403, "renewed");
    let newcomer = plot.scene.newcomer().await;
    newcomer.goto(&plot.link).await;
    newcomer.sees("There is no room here").await;
    newcomer.goto("about:blank").await;
    newcomer.goto(&device).await;
    newcomer.sees_no("After").await;
    assert!(!newcomer.shows(".chat").await);
    // A second identity with a card of the epoch before, and the server's help.
    let card = second.card("Mal");
    operator.append(&card, &second.sealed(&card));
    operator.append(&draft, &second.sealed(&draft));
    plot.ana.say("Still here").await;
    ben.sees("Still here").await;
    for person in [&plot.ana, &ben] {
        person.is_alarmed_at(EPOCH, &["Let me in"]).await;
    }
    plot.ana.lists_people(&["Ana", "Ben"]).await;
    // The server's database holds nothing of the new epoch that her keys open.
    let bound_and_sealed = "SELECT 'v2|' || lower(hex(r.room)) || '|1|' || e.kind || '|' || substr(c, 1, 8) || '-' ||
        substr(c, 9, 4) || '-' || substr(c, 13, 4) || '-' || substr(c, 17, 4) || '-' || substr(c, 21) || '|' ||
        lower(hex(e.author)) || '|' || coalesce(e.target, '') || ' ' || substr(e.body, 6)
        FROM (SELECT *, lower(hex(client_id)) AS c FROM event) e JOIN room r ON r.id = e.room_id
        WHERE e.body LIKE 'v2.1.%'";
    let kept = plot.scene.server.database().column::<String>(bound_and_sealed, []);
    assert!(kept.len() >= 2, "what was said after the renewal is kept: {kept:?}");
    for event in kept {
        let (bound, sealed) = event.split_once(' ').expect("two parts");
        let sealed = buddy_client::bytes::decode(sealed).expect("base64url");
        assert!(buddy_client::seal::open(&second.content_key(), bound, &sealed).is_err());
    }
}

#[tokio::test]
async fn a_box_key_that_is_none_leaves_its_holder_out_and_stops_nothing() {
    let plot = Plot::hatch().await;
    plot.ana_says(&["Before"]).await;
    let ben = plot.scene.guest("Ben", &plot.link).await;
    ben.say("I am Ben").await;
    let zoe = Insider::with(&plot.scene.server, &plot.link, "Zoe").await;
    let mut card = zoe.card("Zoe");
    let weak = Base64([0; 32]);
    let member = zoe.gift.member().expect("a member's link");
    card.content["box"] = json!(weak.to_string());
    card.content["admit"] =
        json!(buddy_client::card::admit(member, &zoe.room, zoe.epoch, &zoe.me.signer(), &weak).to_string());
    zoe.post(&card, &zoe.sealed(&card)).await;
    let draft = zoe.message("I am Zoe");
    zoe.post(&draft, &zoe.sealed(&draft)).await;
    plot.ana.reads(&["Before", "I am Ben", "I am Zoe"]).await;
    plot.ana.opens_links().await;
    plot.ana.press("Take back The room’s link").await;
    plot.ana.ticks("Zoe", true).await;
    plot.ana.press_css("dialog .renewal [data-part=submit]").await;
    plot.ana.sees("The link was taken back").await;
    plot.ana.sees("Zoe could not be given the new keys").await;
    plot.ana.closes_dialogs().await;
    plot.ana.say("After").await;
    ben.sees("After").await;
    ben.is_calm().await;
}

#[tokio::test]
async fn a_card_of_another_epoch_or_room_lets_nobody_in() {
    let plot = Plot::hatch().await;
    plot.ana_says(&["Before"]).await;
    let ivo = Insider::with(&plot.scene.server, &plot.link, "Ivo").await;
    let card = ivo.card("Ivo");
    let body = ivo.sealed(&card);
    plot.ana.takes_back("The room’s link").await;
    plot.ana.say("After").await;
    let operator = Operator::of(&plot.scene.server);
    operator.append(&card, &body);
    let words = ivo.message("Let me in");
    operator.append(&words, &ivo.sealed(&words));
    plot.ana.say("Next").await;
    plot.ana.sees("Next").await;
    plot.ana.is_alarmed_at(EPOCH, &["Let me in"]).await;
    plot.ana.lists_people(&["Ana"]).await;
}

#[tokio::test]
async fn a_creation_that_arrives_after_the_deletion_makes_no_room() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let liar = scene.liar().await;
    let ana = scene.newcomer().await;
    ana.makes_room(&format!("http://{}/", liar.address())).await;
    ana.calls_themself("Ana").await;
    ana.say("Short-lived").await;
    ana.has_sent_all().await;
    let (asked, _) = liar.heard("POST", "/api/rooms").pop().expect("the room was made through here");
    ana.press("Manage room").await;
    for press in ["Danger", "Delete the room", "Delete the room…", "Delete for everyone"] {
        ana.press(press).await;
    }
    ana.sees("This room was deleted").await;
    scene.server.api().post("/api/rooms").json(&asked.body).send().await.must_fail(410, "room_gone");
}

#[tokio::test]
async fn a_forged_owner_does_not_fit_the_rooms_id() {
    let plot = Plot::hatch().await;
    plot.ana_says(&["Before"]).await;
    let ben = plot.ben().await;
    ben.say("I am Ben").await;
    plot.ana.reads(&["Before", "I am Ben"]).await;
    let forger = Identity::random();
    plot.liar.changes(move |asked, told| {
        if asked.is("GET", "/keys") {
            for rotation in told.body["rotations"].as_array_mut().into_iter().flatten() {
                let text = rotation["public"].as_str().unwrap_or("{}");
                let mut part: Value = serde_json::from_str(text).unwrap_or_default();
                part["owner"] = json!(forger.signer().to_string());
                let text = part.to_string();
                let signed = [b"buddy/v2/rotation\0", text.as_bytes()].concat();
                rotation["signature"] = json!(Base64(forger.sign(&signed)).to_string());
                rotation["public"] = json!(text);
            }
        }
    });
    plot.ana.takes_back("The room’s link").await;
    ben.is_warned(BAD_ROTATION).await;
    plot.ana.say("After").await;
    ben.sees_no("After").await;
}
