//! Finding again: words in a room, a day, another room by its name, the rooms beside the open one, and what one is
//! told of while looking elsewhere.

use buddy_tests::Server;
use serde_json::json;

use crate::gallery::Gallery;
use crate::insider::Insider;
use crate::profile::Profile;
use crate::scene::Scene;

/// Writes down every notice instead of showing it, and gives leave to whoever asks.
const NOTICES: &str = "
    globalThis.asked = 0;
    const told = JSON.parse(localStorage.told ?? '[]');
    globalThis.Notification = class extends EventTarget {
        static get permission() { return localStorage.leave ?? 'default'; }
        static async requestPermission() { globalThis.asked += 1; return (localStorage.leave = 'granted'); }
        constructor(title, { body }) {
            super();
            localStorage.told = JSON.stringify([...JSON.parse(localStorage.told ?? '[]'), `${title}: ${body}`]);
        }
        close() {}
    };";

/// Presses a key, with Control where it is said.
const PRESS: &str = "const [key, ctrlKey = false, shiftKey = false] = arguments;
    (document.activeElement ?? document.body).dispatchEvent(
        new KeyboardEvent('keydown', { key, ctrlKey, shiftKey, bubbles: true, cancelable: true }));";

impl Profile {
    async fn strikes(&self, key: &str, held: bool) {
        self.execute(PRESS, vec![json!(key), json!(held)]).await;
    }
}

#[tokio::test]
async fn what_was_said_is_found_again_by_words_and_by_its_day() {
    let scene = Scene::set().await;
    let gallery = Gallery::default();

    let (ana, link) = scene.host("Ana").await;
    for text in ["Who brings the tent?", "I have a Zelt, and a TENT for two", "Grüße aus München", "no more"] {
        ana.say(text).await;
    }
    ana.has_sent_all().await;
    // What was said before one came is found as well.
    let ben = scene.guest("Ben", &link).await;
    ben.say("A third tent cannot hurt").await;
    ana.reads_last("A third tent cannot hurt").await;

    ana.strikes("f", true).await;
    ana.sees_at(".finder input").await;
    ana.fill("Find in this room", "tent").await;
    ana.sees("1 of 3").await;
    let here =
        "return document.querySelector('.message[data-flash] .text')?.textContent === 'A third tent cannot hurt'";
    ana.finds("the newest is shown", here).await;
    let marked = "return ['found', 'found-here'].map((name) =>
        [...(CSS.highlights.get(name) ?? [])].map(String).join(','))";
    ana.eventually("all hits are marked", async || {
        (ana.execute(marked, vec![]).await == json!(["tent,TENT", "tent"])).then_some(())
    })
    .await;
    gallery.show(&ana, "finding").await;
    ana.strikes("Enter", false).await;
    ana.sees("2 of 3").await;
    ana.press_css(".finder [aria-label='Older hit']").await;
    ana.sees("3 of 3").await;
    ana.press_css(".finder [aria-label='Older hit']").await;
    ana.sees("1 of 3").await;
    // Neither accents nor case make a difference, and what comes while one looks is found.
    ana.fill("Find in this room", "munchen GRUSSE").await;
    ana.sees("1 of 1").await;
    ben.say("Nochmal Grüsse nach munchen").await;
    ana.sees("2 of 2").await;
    ana.fill("Find in this room", "nowhere").await;
    ana.sees("Not found").await;
    ana.sees("The whole room is searched").await;

    let day = "const day = document.querySelector('.finder input[type=date]');
        day.value = arguments[0]; day.dispatchEvent(new Event('change'))";
    let today = "const now = new Date(); return [now.getFullYear(), now.getMonth() + 1, now.getDate()]
        .map((one) => String(one).padStart(2, '0')).join('-')";
    let today = ana.execute(today, vec![]).await;
    ana.execute(day, vec![today]).await;
    ana.finds("the day is told", "return document.getElementById('announcer').textContent.startsWith('Today')").await;
    ana.strikes("Escape", false).await;
    ana.finds(
        "the bar is gone, and its marks",
        "return !document.querySelector('.finder') && !CSS.highlights.get('found')",
    )
    .await;

    ana.execute("document.activeElement.blur()", vec![]).await;
    ana.strikes("?", false).await;
    ana.sees("Among the messages").await;
    gallery.show(&ana, "keys").await;
    ana.press("Close").await;
    gallery.close();
}

#[tokio::test]
async fn a_long_history_is_searched_to_its_beginning_or_until_it_is_stopped() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let link = scene.newcomer().await.makes_room(&scene.start()).await;
    let ivo = Insider::with(&scene.server, &link, "Ivo").await;
    ivo.say("a needle at the beginning").await;
    // So tall that what is above the newest page is not loaded by itself.
    for count in 1..=110 {
        ivo.say(&format!("straw {count}\n\n\n\nand more")).await;
    }

    let ben = scene.guest("Ben", &link).await;
    ben.sees("straw 110").await;
    ben.press_css("[aria-label='Find']").await;
    ben.fill("Find in this room", "needle").await;
    ben.sees("Not found").await;
    ben.press("Search everything").await;
    ben.sees("1 of 1").await;
    ben.sees("a needle at the beginning").await;
    ben.sees("The whole room is searched").await;
}

#[tokio::test]
async fn rooms_stand_beside_the_open_one_where_the_screen_is_wide() {
    let scene = Scene::set().await;
    let gallery = Gallery::default();

    let ana = scene.newcomer().await;
    let trip = ana.makes_room_called("Summer trip", &scene.start()).await;
    ana.finds("one room needs no list", "return !document.querySelector('.beside')").await;
    ana.calls_themself("Ana").await;
    ana.say("Who brings the tent?").await;
    ana.has_sent_all().await;
    let club = ana.makes_room_called("Book club", &scene.start()).await;
    ana.calls_themself("Ana").await;
    ana.say("Chapter nine by Friday").await;
    ana.has_sent_all().await;
    ana.sees_at(".beside").await;
    ana.eventually("the last words of both rooms stand there", async || {
        let words = "return [...document.querySelectorAll('.beside-words')].map((one) => one.textContent).sort()";
        let both = json!(["You: Chapter nine by Friday", "You: Who brings the tent?"]);
        (ana.execute(words, vec![]).await == both).then_some(())
    })
    .await;

    let ben = scene.guest("Ben", &trip).await;
    ben.say("I do").await;
    ana.sees_at(".beside-room[data-news]").await;
    ana.eventually("what is new stands there as it comes", async || {
        let words = "return document.querySelector('[data-news] .beside-words')?.textContent";
        (ana.execute(words, vec![]).await == json!("Ben: I do")).then_some(())
    })
    .await;
    gallery.show(&ana, "beside").await;

    // Without a connection, too.
    scene.door.shut();
    ana.press_css(".beside-room[data-news] a").await;
    ana.reads(&["Who brings the tent?", "I do"]).await;
    ana.finds("the dot is gone", "return !document.querySelector('.beside-room[data-news]')").await;
    scene.door.reopen();
    ana.finds(
        "the list knows where one is",
        "return document.querySelector('[aria-current=page]').innerText.includes('Summer trip')",
    )
    .await;

    // By its name, and by the keyboard alone.
    ana.strikes("k", true).await;
    ana.fill("Name of a room", "book").await;
    gallery.show(&ana, "jump").await;
    ana.strikes("Enter", false).await;
    ana.reads(&["Chapter nine by Friday"]).await;
    assert_eq!(ana.address().await, club);

    // What is muted shows no dot.
    ana.press_css("[aria-label='Mute Summer trip']").await;
    ana.sees_at("[data-muted]").await;
    ben.say("Nobody heard that").await;
    ana.eventually("the words are there, and no dot", async || {
        let quiet = "return !document.querySelector('[data-news]')
            && document.querySelector('[data-muted] .beside-words').textContent";
        (ana.execute(quiet, vec![]).await == json!("Ben: Nobody heard that")).then_some(())
    })
    .await;

    ana.resize(390, 800).await;
    ana.finds("a phone has one column", "return !document.querySelector('.beside')").await;
    gallery.close();
}

#[tokio::test]
async fn one_is_told_of_what_one_wants_once_and_asked_only_on_a_press() {
    let scene = Scene::set().await;
    let gallery = Gallery::default();

    let (ana, link) = scene.host("Ana").await;
    ana.say("Hello").await;
    ana.reads(&["Hello"]).await;
    ana.has_sent_all().await;
    ana.before_each_page(NOTICES).await;
    ana.refresh().await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("Hi").await;
    ana.reads(&["Hello", "Hi"]).await;
    ana.press("Manage room").await;
    ana.press("Notices").await;
    ana.sees("Show a notice for").await;
    gallery.show(&ana, "notices").await;
    assert_eq!(ana.execute("return asked", vec![]).await, json!(0), "nobody was asked before it was wanted");
    ana.press("Mentions of you, and answers to you").await;
    ana.press("Save").await;
    ana.sees("Saved").await;
    assert_eq!(ana.execute("return asked", vec![]).await, json!(1));
    ana.press("Close").await;

    // Two tabs of the room, neither of which is looked at.
    let first = ana.tab().await;
    let address = ana.address().await;
    ana.new_tab().await;
    ana.before_each_page(NOTICES).await;
    ana.goto(&address).await;
    ana.reads(&["Hello", "Hi"]).await;
    let told = "return JSON.parse(localStorage.told ?? '[]')";
    // While one of them is looked at, nothing is told.
    ben.say("look, @Ana").await;
    ana.reads(&["Hello", "Hi", "look, @Ana"]).await;
    ana.sees_at(".mention[data-you]").await;
    assert_eq!(ana.execute(told, vec![]).await, json!([]));
    let away = ana.new_tab().await;
    ana.goto(&scene.start()).await;
    ben.say("this is for nobody").await;
    ben.has_sent_all().await;
    // The name is completed by the keyboard.
    ben.press_css("textarea").await;
    ben.client().active_element().await.expect("the field").send_keys("@").await.expect("keys");
    ben.sees_at(".completing li").await;
    gallery.show(&ben, "completing").await;
    ben.client().active_element().await.expect("the field").send_keys("a").await.expect("keys");
    ben.strikes("Enter", false).await;
    ben.finds("the name is whole", "return document.querySelector('textarea').value === '@Ana '").await;
    ben.client().active_element().await.expect("the field").send_keys("are you there?").await.expect("keys");
    ben.press_css(".send").await;
    ana.eventually("one notice for two tabs", async || {
        (ana.execute(told, vec![]).await == json!(["Unnamed room: Ben: @Ana are you there?"])).then_some(())
    })
    .await;
    ben.say("@Ana?").await;
    ana.eventually("one more for the next", async || {
        let told = ana.execute(told, vec![]).await;
        (told == json!(["Unnamed room: Ben: @Ana are you there?", "Unnamed room: Ben: @Ana?"])).then_some(())
    })
    .await;
    // So is an emoji, by the beginning of its name or the whole of it.
    ben.press_css("textarea").await;
    ben.client().active_element().await.expect("the field").send_keys(":tad").await.expect("keys");
    ben.sees_at(".completing .completing-emoji").await;
    gallery.show(&ben, "completing an emoji").await;
    ben.strikes("Enter", false).await;
    ben.finds("the emoji is there", "return document.querySelector('textarea').value === '🎉 '").await;
    ben.client().active_element().await.expect("the field").send_keys(":heart:").await.expect("keys");
    ben.finds("and another one", "return document.querySelector('textarea').value === '🎉 ❤️'").await;
    ana.turn_to(&away).await;
    ana.turn_to(&first).await;
    gallery.close();
}
