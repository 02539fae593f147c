//! Every state that the page can be in, each clear and kind: what it says, how it looks, and whether everybody
//! can use it.

use buddy_tests::{Server, Told};
use fantoccini::key::Key;

use crate::gallery::Gallery;
use crate::insider::Owner;
use crate::scene::Scene;
use crate::steering::{BLANKED, CLAIMS_GONE, DIVERGED, WINDOW};

/// Makes the browser answer as one without Ed25519.
const WITHOUT_ED25519: &str = "
    const importKey = crypto.subtle.importKey.bind(crypto.subtle);
    SubtleCrypto.prototype.importKey = (format, data, algorithm, ...rest) =>
        algorithm === 'Ed25519'
            ? Promise.reject(new DOMException('Unrecognized name.', 'NotSupportedError'))
            : importKey(format, data, algorithm, ...rest);";
/// Makes the browser answer as one that was told to keep nothing.
const WITHOUT_STORAGE: &str = "
    Object.defineProperty(globalThis, 'indexedDB', { get() { throw new DOMException('Denied', 'SecurityError'); } });";

#[tokio::test]
async fn the_start_page_explains_itself_in_every_state() {
    let scene = Scene::set().await;
    let gallery = Gallery::default();

    let ana = scene.newcomer().await;
    ana.goto(&scene.start()).await;
    ana.sees("No account, no tracking").await;
    gallery.show(&ana, "start").await;
    ana.press("Name, expiry, disappearing messages").await;
    ana.sees("Room expires").await;
    gallery.show(&ana, "start-options").await;

    ana.fill("Have a link?", &scene.door.page(&format!("/r/{}#m.too-short", "5a".repeat(32)))).await;
    ana.press("Open").await;
    ana.sees("This link is incomplete").await;
    gallery.show(&ana, "start-bad-link").await;

    // Rooms of three kinds, and one in which something is new.
    for (name, says) in [("Summer trip", "Who brings the tent?"), ("Book club", "Chapter nine by Friday")] {
        ana.makes_room_called(name, &scene.start()).await;
        ana.calls_themself("Ana").await;
        ana.say(says).await;
        ana.reads(&[says]).await;
        ana.has_sent_all().await;
    }
    let link = ana.link().await;
    let ben = scene.guest("Ben", &link).await;
    ana.makes_room(&scene.start()).await;
    ben.say("I have only read six").await;
    ben.reads(&["Chapter nine by Friday", "I have only read six"]).await;
    ana.press("All rooms").await;
    ana.sees_at(".room-item[data-news]").await;
    ana.sees("Summer trip").await;
    gallery.show(&ana, "start-rooms").await;

    ana.press("More about Book club").await;
    ana.sees("Name it for yourself").await;
    gallery.show(&ana, "start-room-menu").await;
    ana.press("Name it for yourself").await;
    gallery.show(&ana, "start-rename").await;
    ana.fill("Only this browser knows this name", "Thursday’s club").await;
    ana.press("Save").await;
    ana.sees("Thursday’s club").await;
    ana.press("More about Thursday’s club").await;
    ana.press("Forget this room").await;
    ana.sees("You own it").await;
    gallery.show(&ana, "start-forget").await;
    ana.press("Forget").await;
    ana.sees_no("Thursday’s club").await;
    gallery.close();
}

#[tokio::test]
async fn links_that_lead_nowhere_say_so_kindly() {
    let scene = Scene::set().await;
    let gallery = Gallery::default();

    let (ana, link) = scene.host("Ana").await;
    let room = link.split_once('#').expect("a link has a fragment").0.to_owned();

    let ben = scene.newcomer().await;
    ben.goto(&link[..link.len() - 1]).await;
    ben.sees("This link is incomplete").await;
    gallery.show(&ben, "link-incomplete").await;
    ben.goto(&room).await;
    ben.sees("This link is incomplete").await;
    ben.goto(&link.replace("#m.", "#q.")).await;
    ben.sees("made by a newer Buddy").await;
    gallery.show(&ben, "link-newer").await;
    // Unknown, wrong key, deleted and expired look alike to a newcomer.
    let unknown = scene.door.page(&format!("/r/{}#m.{}", "5a".repeat(32), "A".repeat(43)));
    let wrong_key = format!("{room}#m.{}", "A".repeat(43));
    let mut told = Vec::new();
    for link in [&unknown, &wrong_key] {
        ben.goto(link).await;
        ben.sees("There is no room here").await;
        told.push(ben.execute("return document.body.innerText", vec![]).await);
    }
    gallery.show(&ben, "link-not-here").await;
    ben.goto(&scene.door.page("/r/short#m.x")).await;
    ben.sees("There is no room here").await;
    ben.goto(&scene.door.page("/nothing")).await;
    ben.sees("There is nothing here").await;
    gallery.show(&ben, "link-no-page").await;

    // Who knows the room is let in by what is left of the link.
    ana.goto(&room).await;
    ana.sees("Open it with the link I used before").await;
    gallery.show(&ana, "link-incomplete-known").await;
    ana.press("Open it with the link I used before").await;
    ana.sees("Send this link").await;

    let expired = ana.makes_room(&scene.start()).await;
    ana.sees("Live").await;
    let id = room_id(&expired).to_owned();
    // An expiry is believed that the owner's word allows; there is no shorter one.
    let owner = Owner::of(&scene.server, &ana.own_link().await).await;
    owner.sets(|state| state.expires_in_s = 60).await;
    scene.server.database().execute("UPDATE room SET expires_at_ms = 1 WHERE hex(room) = upper(?1)", [&id]);
    ana.sees("This room has expired").await;
    gallery.show(&ana, "gone-expired").await;
    ana.goto(&link).await;
    ana.press("Manage room").await;
    ana.press("Danger").await;
    ana.press("Delete the room").await;
    ana.press("Delete the room…").await;
    ana.press("Delete for everyone").await;
    ana.sees("This room was deleted").await;
    gallery.show(&ana, "gone-deleted").await;
    for link in [&link, &expired] {
        ben.goto(link).await;
        ben.sees("There is no room here").await;
        told.push(ben.execute("return document.body.innerText", vec![]).await);
    }
    assert!(told.iter().all(|text| text == &told[0]), "a newcomer cannot tell why: {told:?}");
    // It stays among the rooms until its keeper lets it go.
    ana.press("Remove it from my rooms").await;
    ana.sees("New room").await;
    ana.sees("Expired").await;
    ana.sees_no("Deleted").await;
    gallery.close();
}

#[tokio::test]
async fn a_newcomer_is_told_what_a_room_is_before_joining() {
    let scene = Scene::set().await;
    let gallery = Gallery::default();

    let ana = scene.newcomer().await;
    ana.goto(&scene.start()).await;
    ana.press("Name, expiry, disappearing messages").await;
    ana.fill("Room name", "Summer trip").await;
    ana.select("Room expires", "After 1 week of quiet").await;
    ana.select("Messages disappear", "After 1 day").await;
    ana.press("New room").await;
    let link = ana.link().await;
    let reader = ana.makes_link("For the press", "only read", &[]).await;

    let ben = scene.newcomer().await;
    ben.goto(&link).await;
    ben.sees("Join Summer trip").await;
    ben.sees("Messages disappear 1 day after they were sent").await;
    ben.sees("The room expires in 7 days if nobody writes").await;
    ben.sees("write, and invite others").await;
    gallery.show(&ben, "preview-member").await;
    // Whoever only looks is not announced: no stream, no signal, nothing kept.
    assert_eq!(scene.door.open_streams(), 1, "only Ana's");
    let signals: i64 = scene.server.database().value("SELECT count(DISTINCT author) FROM signal", []);
    assert!(signals <= 1, "only Ana's");
    ben.press("Not now").await;
    ben.sees("New room").await;
    ben.sees_no("Your rooms").await;

    ana.press("Manage room").await;
    ana.press("Lock the room").await;
    ana.sees("only you can write").await;
    ben.goto(&link).await;
    ben.sees("for now only its owner writes").await;
    gallery.show(&ben, "preview-locked").await;

    let cleo = scene.newcomer().await;
    cleo.goto(&reader).await;
    cleo.sees("Read Summer trip").await;
    cleo.sees("but not write").await;
    gallery.show(&cleo, "preview-reader").await;
    cleo.press("Read").await;
    cleo.sees("You are reading along").await;
    assert!(!cleo.shows("[name='name'], textarea").await, "a reader is asked no name");
    assert!(cleo.address().await.contains("#r."), "a reader's address stays a reader's");
    gallery.show(&cleo, "room-read-only").await;
    cleo.press("Invite").await;
    cleo.sees("A read-only link cannot invite others").await;
    gallery.show(&cleo, "invite-reader").await;
    cleo.press("Close").await;
    // A known room opens directly.
    cleo.goto(&reader).await;
    cleo.sees("You are reading along").await;
    gallery.close();
}

#[tokio::test]
async fn a_conversation_is_clear_in_every_state() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let gallery = Gallery::default();

    let ana = scene.newcomer().await;
    let link = ana.makes_room_called("Summer trip", &scene.start()).await;
    ana.sees("Send this link").await;
    ana.sees("Live").await;
    gallery.show(&ana, "room-empty").await;
    ana.say("Who brings the tent?").await;
    ana.sees("Please say who you are first").await;
    gallery.show(&ana, "room-name-asked").await;
    ana.calls_themself("Ana").await;
    ana.press("Send").await;
    ana.reads(&["Who brings the tent?"]).await;

    let ben = scene.guest("Ben", &link).await;
    ben.say("I have one for four. It is heavy though").await;
    ben.say("See https://example.org/tents?size=4 and run `pitch --fast`").await;
    ben.pastes("```\nfor pole in poles {\n    pole.raise();\n}\n```").await;
    ben.press("Send").await;
    ben.say("🏕️").await;
    ana.sees("pole.raise").await;
    ana.press_in("I have one for four", "Reply").await;
    ana.sees("Answering Ben").await;
    gallery.show(&ana, "composer-answering").await;
    ana.say("Then I take the stove").await;
    ana.press_in("I have one for four", "React").await;
    gallery.show(&ana, "dialog-react").await;
    // What is not among the six is found by its name.
    ana.press("More emoji").await;
    ana.fill("Search emoji", "tada").await;
    ana.sees_at("[aria-label='React with 🎉, tada']").await;
    gallery.show(&ana, "dialog-emoji").await;
    ana.keys(&Key::Enter.to_string()).await;
    ana.sees_at("[data-emoji][aria-pressed='true']:not([data-pending])").await;
    ana.say("مرحبا، أين نلتقي؟ Gate 4, I think").await;
    ana.say("We leave on Fridy").await;
    ana.eventually("the last message is sent", async || (!ana.shows(".message[data-state]").await).then_some(())).await;
    ana.press_in("We leave on Fridy", "More").await;
    ana.sees("Copy text").await;
    gallery.show(&ana, "dialog-message").await;
    ana.press("Edit").await;
    ana.sees("Editing your message").await;
    gallery.show(&ana, "composer-editing").await;
    ana.fill("Message", "We leave on Friday").await;
    ana.press("Save").await;
    ana.sees("edited").await;
    ben.say("Oops, wrong room").await;
    ben.reads_last("Oops, wrong room").await;
    ben.press_in("Oops, wrong room", "More").await;
    ben.press("Delete").await;
    ben.sees("Who has read it has read it").await;
    gallery.show(&ben, "dialog-delete-message").await;
    ben.press("Delete").await;
    ben.sees("You deleted this").await;
    ana.sees("Deleted by its author").await;
    ana.sees("Keep the owner link somewhere safe").await;
    ana.execute("document.querySelector('.timeline').scrollTop = 1e9", vec![]).await;
    gallery.show(&ana, "room-owner").await;
    gallery.show(&ben, "room").await;

    ben.type_into("Message", "Let me think about that for a moment").await;
    ana.sees("Ben is writing").await;
    gallery.show(&ana, "room-typing").await;
    ben.fill("Message", &"Do not forget the mosquito net, the matches, the map and the good coffee. ".repeat(30)).await;
    ben.press("Send").await;
    ana.sees("Show all of it").await;
    gallery.show(&ana, "room-long-message").await;

    // Somebody reads further up while others go on.
    ben.execute("const list = document.querySelector('.timeline'); list.scrollTop = 0", vec![]).await;
    ben.execute("document.querySelector('.timeline').dispatchEvent(new Event('wheel'))", vec![]).await;
    ben.resize(360, 420).await;
    ben.execute("document.querySelector('.timeline').scrollTop = 0", vec![]).await;
    ana.say("Good list!").await;
    ana.say("Shall we say eight o’clock?").await;
    ben.sees("2 new messages").await;
    gallery.show(&ben, "room-new-messages").await;
    ben.press("2 new messages").await;
    ben.sees("Shall we say eight").await;
    // Who was away finds a line above what is new.
    ben.goto(&scene.start()).await;
    ben.sees("Summer trip").await;
    ana.say("Still there?").await;
    ben.goto(&link).await;
    ben.sees_at(".unread").await;
    gallery.show(&ben, "room-unread").await;

    // What the owner pinned stands above all.
    ana.press_in("Still there?", "More").await;
    ana.press("Pin for everyone").await;
    ben.sees_at(".pins-press").await;
    // The same name from another key is marked, neutrally.
    let other = scene.guest("ana", &link).await;
    other.say("Hello from my new phone").await;
    ben.sees("another device or person uses this name").await;
    gallery.show(&ben, "room-name-taken").await;
    gallery.close();
}

#[tokio::test]
async fn every_dialog_of_a_room_can_be_used_by_everybody() {
    let scene = Scene::set().await;
    let gallery = Gallery::default();

    let (ana, link) = scene.host("Ana").await;
    ana.say("Hello").await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("Hello, Ana").await;
    ana.reads(&["Hello", "Hello, Ana"]).await;

    ana.press("Invite").await;
    ana.sees("The room’s link").await;
    gallery.show(&ana, "dialog-invite").await;
    ana.press("Show QR code").await;
    ana.sees_at("dialog .qr").await;
    gallery.show(&ana, "dialog-code").await;
    ana.keys(&Key::Escape.to_string()).await;
    ana.press("All links…").await;
    ana.sees("A link that you take back lets nobody in any more").await;
    gallery.show(&ana, "dialog-links").await;
    ana.press("New link").await;
    ana.sees("Whoever opens it may").await;
    gallery.show(&ana, "dialog-new-link").await;
    ana.press_css("dialog:last-of-type [aria-label='Close']").await;
    ana.press("Close").await;

    ana.press_css("[data-part='people']").await;
    ana.sees("compare the eight words").await;
    ana.choose_summary("Ben").await;
    ana.sees_at("details[open] .fingerprint").await;
    gallery.show(&ana, "dialog-people").await;
    ana.press("Close").await;
    ana.press_in("Hello, Ana", "More").await;
    ana.press("Who is Ben?").await;
    ana.sees("read you their own words").await;
    gallery.show(&ana, "dialog-person").await;
    ana.press("Close").await;

    ana.press("Manage room").await;
    ana.sees("You own this room").await;
    gallery.show(&ana, "dialog-manage-owner").await;
    ana.press("Me").await;
    ana.press("My other device / recovery").await;
    ana.sees("Keep it somewhere safe").await;
    ana.execute("document.querySelector('dialog details').scrollIntoView()", vec![]).await;
    gallery.show(&ana, "dialog-recovery").await;
    ana.execute("document.querySelector('dialog').scrollTop = 0", vec![]).await;
    ana.press("Change my name").await;
    ana.sees("What others see from now on").await;
    gallery.show(&ana, "dialog-name").await;
    ana.keys(&Key::Escape.to_string()).await;
    ana.press("Danger").await;
    gallery.show(&ana, "dialog-manage-danger").await;
    ana.press("Forget this room").await;
    ana.sees("Without the owner link nobody will own the room").await;
    gallery.show(&ana, "dialog-forget").await;
    ana.press("Cancel").await;
    ana.press("Delete the room").await;
    ana.sees("Every message is erased").await;
    gallery.show(&ana, "dialog-delete-room").await;
    ana.press("Delete the room…").await;
    ana.sees("This is the last question").await;
    gallery.show(&ana, "dialog-delete-room-twice").await;
    ana.press("Cancel").await;
    ana.sees_no("This is the last question").await;

    ben.press("Manage room").await;
    ben.press("Me").await;
    ben.press("My other device / recovery").await;
    ben.sees("Link for my other device").await;
    gallery.show(&ben, "dialog-manage-member").await;
    gallery.close();
}

#[tokio::test]
async fn a_room_says_why_something_is_not_sent() {
    // The shortest message takes nearly 400 bytes.
    let scene = Scene::on(Server::setup().variable("room_max_bytes", 1600)).await;
    let gallery = Gallery::default();

    let (ana, link) = scene.host("Ana").await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("Is there room for me?").await;
    ben.reads(&["Is there room for me?"]).await;

    ana.press("Manage room").await;
    ana.press("Lock the room").await;
    ana.sees("The room is locked: only you can write").await;
    gallery.show(&ana, "dialog-manage-locked").await;
    ana.press("Close").await;
    gallery.show(&ana, "room-locked-owner").await;
    ben.sees("The owner has locked this room").await;
    ben.sees("The owner locked the room.").await;
    gallery.show(&ben, "room-locked").await;
    ana.press("Unlock").await;
    ben.sees_at("textarea").await;

    let pasted = "const text = document.querySelector('textarea');
        text.value = 'x'.repeat(13000);
        text.dispatchEvent(new Event('input', { bubbles: true }))";
    ben.execute(pasted, vec![]).await;
    ben.press("Send").await;
    ben.sees("too long for one message").await;
    ben.sees("too many for one message").await;
    ben.sees("Send as 2 messages").await;
    gallery.show(&ben, "room-too-long").await;
    ben.fill("Message", "Shorter").await;
    ben.sees_no("Send as 2 messages").await;

    for text in ["One", "Two", "Three", "Four", "Five"] {
        ben.say(text).await;
    }
    ben.sees("The room is full").await;
    ben.sees("Not sent: the room is full.").await;
    gallery.show(&ben, "room-full").await;
    gallery.close();
}

#[tokio::test]
async fn what_is_too_fast_for_the_server_goes_out_by_itself_later() {
    let scene = Scene::on(Server::setup().variable("posts_per_author_per_ten_s", 2)).await;
    let gallery = Gallery::default();

    let (ana, link) = scene.host("Ana").await;
    ana.say("One").await;
    let ben = scene.newcomer().await;
    ben.joins(&link).await;
    for text in ["Two", "Three", "Four"] {
        ana.say(text).await;
    }
    ana.sees("A little too fast for the server").await;
    gallery.show(&ana, "room-rate-limited").await;
    ana.reads_in_order(&["One", "Two", "Three", "Four"]).await;
    ben.reads_in_order(&["One", "Two", "Three", "Four"]).await;
    ana.sees_no("A little too fast").await;
    gallery.close();
}

#[tokio::test]
async fn a_room_says_how_it_is_connected() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let gallery = Gallery::default();

    let (ana, link) = scene.host("Ana").await;
    ana.say("Before the tunnel").await;
    ana.reads(&["Before the tunnel"]).await;
    ana.sees("Live").await;
    let ben = scene.newcomer().await;
    ben.joins(&link).await;

    ana.set_offline(true).await;
    ana.sees("You are offline").await;
    ana.say("Written in the tunnel").await;
    ana.sees("Sending…").await;
    gallery.show(&ana, "room-offline").await;
    ana.set_offline(false).await;
    ana.sees("Live").await;
    ben.reads_in_order(&["Before the tunnel", "Written in the tunnel"]).await;

    scene.door.shut();
    ana.sees("The server can’t be reached").await;
    ana.say("Written to a wall").await;
    ana.sees("Sending…").await;
    gallery.show(&ana, "room-unreachable").await;
    scene.door.reopen();
    ana.sees("Live").await;
    ana.sees_no("The server can’t be reached").await;
    let all = ["Before the tunnel", "Written in the tunnel", "Written to a wall"];
    ben.reads_in_order(&all).await;
    ana.reads_in_order(&all).await;

    // A slow line and a long log: catching up takes its time.
    ben.goto(&scene.start()).await;
    for number in 0..40 {
        ana.say(&format!("{number} bottles of beer on the wall")).await;
    }
    ana.has_sent_all().await;
    ben.slow_down(2_000, 0).await;
    ben.goto(&link).await;
    ben.sees("Catching up…").await;
    gallery.show(&ben, "room-catching-up").await;
    ben.set_offline(false).await;
    ben.sees("Live").await;
    ben.sees("39 bottles of beer").await;

    // A newer page that waits to be used.
    ana.execute_async(
        "const { updates } = await import('/view/worker.js');
         Object.defineProperty(updates, 'waiting', { value: true });
         updates.dispatchEvent(new Event('change'));",
        vec![],
    )
    .await;
    ana.sees("A newer Buddy is ready").await;
    gallery.show(&ana, "room-newer-page").await;
    gallery.close();
}

#[tokio::test]
async fn a_newcomer_whom_nothing_answers_is_let_in_once_it_does() {
    let scene = Scene::set().await;
    let gallery = Gallery::default();

    let (_ana, link) = scene.host("Ana").await;
    let ben = scene.newcomer().await;
    ben.goto(&scene.start()).await;
    ben.keeps_the_page().await;
    scene.door.shut();
    ben.goto(&link).await;
    ben.sees("The server can’t be reached").await;
    gallery.show(&ben, "server-unreachable").await;
    ben.goto(&scene.start()).await;
    ben.press("New room").await;
    ben.sees("The server can’t be reached right now").await;
    gallery.show(&ben, "start-unreachable").await;
    ben.goto(&link).await;
    ben.sees("The server can’t be reached").await;
    scene.door.reopen();
    // Nobody has to press anything.
    ben.sees("Join this room").await;

    ben.set_offline(true).await;
    ben.goto(&scene.start()).await;
    ben.goto(&link).await;
    ben.sees("You are offline").await;
    gallery.show(&ben, "offline").await;
    ben.set_offline(false).await;
    ben.sees("Join this room").await;
    gallery.close();
}

#[tokio::test]
async fn a_browser_that_cannot_is_told_why() {
    let scene = Scene::set().await;
    let gallery = Gallery::default();

    let (_ana, link) = scene.host("Ana").await;

    let lan = scene.driver.browser().argument("--host-resolver-rules=MAP buddy.test 127.0.0.1");
    let lan = scene.driver.open(&lan).await;
    let there = |address: &str| address.replace("127.0.0.1", "buddy.test");
    for address in [&scene.start(), &link] {
        lan.goto(&there(address)).await;
        lan.sees("This page is not on HTTPS").await;
        assert!(!lan.shows("button, input").await, "there is nothing else to do");
    }
    gallery.show(&lan, "not-https").await;

    let old = scene.newcomer().await;
    old.before_each_page(WITHOUT_ED25519).await;
    old.goto(&link).await;
    old.sees("This browser is too old").await;
    assert!(!old.shows("button, input").await, "there is nothing else to do");
    gallery.show(&old, "too-old").await;

    let private = scene.newcomer().await;
    private.before_each_page(WITHOUT_STORAGE).await;
    private.goto(&scene.start()).await;
    private.sees("This browser lets Buddy keep nothing").await;
    gallery.show(&private, "start-no-storage").await;
    private.joins(&link).await;
    private.calls_themself("Cleo").await;
    private.say("I forget everything").await;
    private.reads(&["I forget everything"]).await;
    private.sees("This browser keeps nothing for Buddy").await;
    gallery.show(&private, "room-no-storage").await;

    // Half a page, as a deployment or a bad line may leave it.
    let half = scene.newcomer().await;
    half.block(&["*/phases.js"]).await;
    half.goto(&link).await;
    half.sees("The page could not be loaded whole").await;
    gallery.show(&half, "not-loaded").await;
    half.block(&["*/app.js"]).await;
    half.goto(&scene.start()).await;
    half.sees_at(".boot").await;
    half.finds(
        "it says that it is slow",
        "return getComputedStyle(document.querySelector('.boot-slow')).opacity === '1'",
    )
    .await;
    gallery.show(&half, "slow").await;
    gallery.close();
}

#[tokio::test]
async fn an_owner_sees_what_links_and_renewals_will_do() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let gallery = Gallery::default();
    let (ana, link) = scene.host("Ana").await;
    ana.say("Welcome").await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("I am Ben").await;
    let mallory = scene.guest("Mallory", &link).await;
    mallory.say("Buy watches").await;
    ana.reads_in_order(&["Welcome", "I am Ben", "Buy watches"]).await;

    let single = ana.makes_link("For Cleo", "read and write", &[("For how many", "One person")]).await;
    let short = ana.makes_link("For today", "read and write", &[("Ends", "In 1 hour")]).await;
    let cleo = scene.guest("Cleo", &single).await;
    cleo.reads_in_order(&["Welcome", "I am Ben", "Buy watches"]).await;
    let late = scene.newcomer().await;
    assert_eq!(scene.server.database().execute("UPDATE link SET expires_at_ms = 1 WHERE expires_at_ms > 1", []), 1);
    late.goto(&short).await;
    late.sees("This link has expired").await;
    gallery.show(&late, "link-expired").await;
    ana.opens_links().await;
    ana.sees("used up").await;
    gallery.show(&ana, "dialog-links-many").await;
    ana.press("Take back The room’s link").await;
    ana.sees("Nobody gets in by this link any more").await;
    gallery.show(&ana, "dialog-take-back").await;
    ana.closes_dialogs().await;
    ana.removes("Mallory").await;
    ana.say("Where were we?").await;
    ben.sees("Where were we?").await;
    gallery.show(&ben, "room-renewed").await;
    ana.opens_links().await;
    ana.press("Take back The room’s link").await;
    ana.ticks("Ben", false).await;
    ana.press_css("dialog .renewal [data-part=submit]").await;
    ben.sees("You need a new link").await;
    gallery.show(&ben, "left-out").await;
    gallery.close();
}

#[tokio::test]
async fn alarms_are_clear_wherever_they_stand() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let gallery = Gallery::default();
    let (ana, link) = scene.host("Ana").await;
    for text in ["Shall we pay them?", "I would say no", "Not before Friday", "Agreed", "Good night"] {
        ana.say(text).await;
    }
    ana.has_sent_all().await;
    // Ana's card is the first event.
    let liar = scene.liar().await;
    liar.drops(|event| event["seq"] == 4);
    liar.blanks(|event| event["seq"] == 3);
    let ben = scene.guest("Ben", &liar.link(&link)).await;
    ben.sees("Good night").await;
    ben.sees(WINDOW).await;
    ben.sees(BLANKED).await;
    gallery.show(&ben, "alarm-entries").await;
    let meaning = format!("//*[contains(@class, 'alarm')][p[text()='{WINDOW}']]//summary");
    ben.press_at(&meaning, "what it means").await;
    ben.sees("Either the server changed what it shows").await;
    gallery.show(&ben, "alarm-explained").await;
    liar.rolls_back_to(2);
    ben.sees(DIVERGED).await;
    gallery.show(&ben, "alarm-rolled-back").await;
    let gone = Told::error(410, "room_gone");
    liar.answers(move |asked| asked.room().map(|_| gone.clone()));
    liar.cuts_streams();
    ben.is_warned(CLAIMS_GONE).await;
    gallery.show(&ben, "alarm-claims-gone").await;
    ben.press("What does this mean?").await;
    ben.sees("Who deletes a room signs a farewell").await;
    gallery.show(&ben, "alarm-claims-gone-explained").await;
    gallery.close();
}

/// The room's id in an address.
fn room_id(link: &str) -> &str {
    let (_, rest) = link.split_once("/r/").expect("a link leads to a room");
    &rest[..64]
}
