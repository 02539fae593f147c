//! What a reader believes of what a server and members tell, and what they see of the rest: nothing of it as text,
//! and everything that was said honestly as before. What a whole log that lies shows is in attacks.rs.

use buddy_client::bytes::{MemberId, decode, encode};
use buddy_client::keys::Identity;
use buddy_tests::{Server, client_id, eventually};
use serde_json::json;

use crate::insider::{Draft, Insider, Letter, Operator, Posted};
use crate::profile::Profile;
use crate::scene::Scene;
use crate::steering::{BLANKED, REPEATED};

const MALFORMED: &str = "A message that is not in Buddy’s form. It is not shown.";
const UNDECRYPTABLE: &str = "A message that this room’s key does not open. It is not shown.";
const FORGED: &str = "A message whose signature is not right. It may be forged and is not shown.";
const NEWER: &str = "Something that needs a newer page. Load the page again to see it.";
const NOT_THEIRS: &str = "Someone tried to change a message that is not theirs. Nothing was changed.";
const NO_REACTION: &str = "A reaction that does not belong to its message. It is not shown.";
const REMOVED: &str = "Removed by the server";
const NOT_DELETED: &str = "Someone tried to delete a message that is not theirs. Nothing was deleted.";
const NAME_NOTE: &str = "another device or person uses this name";

/// What each entry of the log says: a message its text, anything else its sentence.
const ENTRIES: &str = "return [...document.querySelectorAll('.entry')]
    .map((entry) => (entry.querySelector('.text') ?? entry.querySelector('p')).textContent)";

async fn shows_entries(who: &Profile, expected: &[&str]) {
    let shown = async || {
        let shown = who.client().execute(ENTRIES, vec![]).await.ok()?;
        (shown == json!(expected)).then_some(())
    };
    who.eventually(&format!("exactly these entries are shown: {expected:#?}"), shown).await;
}

/// Ana in her browser, in a room of her own, and a member who plays tricks.
struct Intrigue {
    scene: Scene,
    ana: Profile,
    link: String,
    insider: Insider,
}

impl Intrigue {
    async fn begin() -> Self {
        let scene = Scene::on(Server::setup().without_rate_limits()).await;
        let (ana, link) = scene.host("Ana").await;
        let insider = Insider::with(&scene.server, &link, "Ivo").await;
        Self { scene, ana, link, insider }
    }

    async fn ana_says(&self, text: &str) -> Posted {
        let before = self.insider.messages().await.len();
        self.ana.say(text).await;
        let arrived =
            eventually("what Ana says arrives", async || self.insider.messages().await.into_iter().nth(before));
        Posted::from_event(&arrived.await)
    }

    /// The member id under which the server knows Ana.
    async fn anas_author(&self) -> MemberId {
        let own = json!(self.insider.me.author().to_string());
        let event = self.insider.event("Ana has said something", |event| event["author"] != own);
        let author = event.await["author"].as_str().map(MemberId::parse);
        author.expect("Ana has a member id").expect("it is one")
    }

    async fn ben(&self) -> Profile {
        let ben = self.scene.newcomer().await;
        ben.joins(&self.link).await;
        ben
    }
}

#[tokio::test]
async fn what_was_tampered_with_shows_as_such_and_never_as_text() {
    let intrigue = Intrigue::begin().await;
    let Intrigue { scene, ana, insider, .. } = &intrigue;
    let anas = intrigue.ana_says("The key is under the mat").await;
    let operator = Operator::of(&scene.server);
    insider.introduces_themself().await;
    let secret = "words that nobody may read";
    let mut expected = vec!["You are called Ana here.", "The key is under the mat", "Ivo joined."];

    // Bodies that are no envelopes, or were changed, cut or moved from elsewhere.
    let honest = insider.message(secret);
    let body = insider.sealed(&honest);
    let (start, cipher_text) = body.rsplit_once('.').expect("an envelope has parts");
    let mut bytes = decode(cipher_text).expect("base64url");
    let cut = format!("{start}.{}", encode(&bytes[..bytes.len() - 16]));
    bytes[7] ^= 1;
    let flipped = format!("{start}.{}", encode(&bytes));
    for (body, sentence) in [
        (secret, MALFORMED),
        ("v2.0.", MALFORMED),
        ("v2.0.AAAA", UNDECRYPTABLE),
        ("V2.x", MALFORMED),
        ("v3.from.the.future", NEWER),
        (&cut, UNDECRYPTABLE),
        (&flipped, UNDECRYPTABLE),
        (&body, UNDECRYPTABLE),
        (&anas.body, UNDECRYPTABLE),
    ] {
        // Each under an id of its own: also the honest body then is one that was moved.
        operator.append(&Draft { client_id: client_id(), ..honest.clone() }, body);
        expected.push(sentence);
    }

    // Envelopes with the room's key, which every member has, around what is not right.
    let draft = || insider.message(secret);
    let by_other_key = draft();
    let bound = insider.bound(&by_other_key);
    let content = by_other_key.content.to_string();
    let mut letter = Letter::signed(&insider.me, &bound, content.as_bytes());
    letter.signer = *Identity::random().signer().bytes();
    insider.post(&by_other_key, &insider.wrap(&by_other_key, &letter)).await;
    expected.push(FORGED);
    // What Ana has signed, in another envelope.
    let rewrapped = draft();
    let letter = insider.letter_of(&insider.messages().await[0]);
    assert!(String::from_utf8_lossy(&letter.content).contains("under the mat"), "this is what Ana has signed");
    insider.post(&rewrapped, &insider.wrap(&rewrapped, &letter)).await;
    expected.push(FORGED);
    // No point of the curve, and no signature.
    let nobody = draft();
    let letter = Letter { signer: [0xff; 32], signature: [0; 64], content: nobody.content.to_string().into_bytes() };
    insider.post(&nobody, &insider.wrap(&nobody, &letter)).await;
    expected.push(FORGED);
    // Signed as it should be, and yet no content.
    for content in ["", "null", "[]", "{\"text\":7}", "{\"text\"", "{\"name\":\"Ivo\"}", secret] {
        let draft = draft();
        let letter = Letter::signed(&insider.me, &insider.bound(&draft), content.as_bytes());
        insider.post(&draft, &insider.wrap(&draft, &letter)).await;
        expected.push(MALFORMED);
    }
    let unpadded = draft();
    insider.post(&unpadded, &insider.wrap_bytes(&unpadded, secret.as_bytes())).await;
    expected.push(MALFORMED);

    // A kind of event that this page does not know.
    let mut poll = draft();
    poll.kind = "poll";
    operator.append(&poll, &insider.sealed(&poll));
    expected.push(NEWER);

    insider.say("And now to something else").await;
    expected.push("And now to something else");
    shows_entries(ana, &expected).await;
    ana.sees_no(secret).await;

    // A body that the server exchanged after it was read: who knew it keeps it, who did not is told.
    let exchanged = format!("UPDATE event SET body = '{body}' WHERE room_id = ?1 AND seq = {}", anas.seq);
    operator.change(&exchanged);
    let ben = intrigue.ben().await;
    expected[..2].copy_from_slice(&["Ana owns this room.", UNDECRYPTABLE]);
    shows_entries(&ben, &expected).await;
    ben.sees_no(secret).await;
    ana.refresh().await;
    expected[..2].copy_from_slice(&["You are called Ana here.", "The key is under the mat"]);
    shows_entries(ana, &expected).await;
    assert_eq!(ana.console().await, Vec::<String>::new(), "the page has not complained of anything");
}

#[tokio::test]
async fn changes_that_somebody_else_signed_change_nothing() {
    let intrigue = Intrigue::begin().await;
    let Intrigue { scene, ana, insider, .. } = &intrigue;
    let operator = Operator::of(&scene.server);
    let kept = intrigue.ana_says("I said this").await;
    let other = intrigue.ana_says("I said that").await;
    insider.introduces_themself().await;
    let author = intrigue.anas_author().await;
    // All of these pretend to come from Ana; the server goes along, but cannot sign.
    let as_ana = |draft: Draft| Draft { author, ..draft };
    let append = |draft: Draft| operator.append(&draft, &insider.sealed(&draft));

    append(as_ana(insider.change("edit", &kept, json!({ "text": "I never said this" }))));
    let misplaced = Posted { client_id: other.client_id.clone(), ..kept.clone() };
    append(as_ana(insider.change("react", &misplaced, json!({ "emoji": "👎", "on": true }))));
    append(as_ana(insider.change("react", &kept, json!({ "emoji": "👎", "on": true }))));
    let mut expected =
        vec!["You are called Ana here.", "I said this", "I said that", "Ivo joined.", NOT_THEIRS, NO_REACTION];
    shows_entries(ana, &expected).await;
    // The reaction is somebody's, but not Ana's.
    ana.finds(
        "the reaction is not pressed",
        "return document.querySelector('[data-emoji=\"👎\"]')?.getAttribute('aria-pressed') === 'false'",
    )
    .await;

    // Nobody takes back what Ana has given.
    ana.press_css("[data-emoji='👎']").await;
    let twice = "return document.querySelector('[data-emoji=\"👎\"]')?.textContent === '👎2'";
    ana.finds("Ana reacts, too", twice).await;
    ana.finds("it has arrived", "return !document.querySelector('[data-pending=\"\"]')").await;
    append(as_ana(insider.change("react", &kept, json!({ "emoji": "👎", "on": false }))));
    ana.finds(
        "only the other reaction is gone",
        "const press = document.querySelector('[data-emoji=\"👎\"]');
         return press?.textContent === '👎1' && press.getAttribute('aria-pressed') === 'true'",
    )
    .await;

    // A deletion that its author did not sign deletes nothing, whatever body it has.
    append(as_ana(insider.change("delete", &other, json!({}))));
    expected.push(NOT_DELETED);
    shows_entries(ana, &expected).await;
    let third = intrigue.ana_says("Third").await;
    operator.append(&as_ana(insider.change("delete", &third, json!({}))), "");
    expected.extend(["Third", BLANKED]);
    shows_entries(ana, &expected).await;
    // The server erased their targets all the same, and a body without a word: who had read them keeps them.
    let fourth = intrigue.ana_says("Fourth").await;
    operator.change(&format!("UPDATE event SET body = '' WHERE room_id = ?1 AND seq = {}", fourth.seq));
    expected.push("Fourth");
    shows_entries(ana, &expected).await;
    let ben = intrigue.ben().await;
    expected[0] = "Ana owns this room.";
    for said in &mut expected {
        if ["I said that", "Third", "Fourth"].contains(said) {
            *said = REMOVED;
        }
    }
    shows_entries(&ben, &expected).await;
    // Meant for another message, even one's own change is none.
    let own = insider.say("Mine").await;
    let other = insider.say("Mine, too").await;
    let misplaced = Posted { client_id: other.client_id, ..own };
    let draft = insider.change("edit", &misplaced, json!({ "text": "not for this one" }));
    insider.post(&draft, &insider.sealed(&draft)).await;
    expected.extend(["Mine", "Mine, too", NOT_THEIRS]);
    shows_entries(&ben, &expected).await;
    ben.sees_no("not for this one").await;
}

#[tokio::test]
async fn a_change_that_the_server_sends_a_second_time_is_not_applied_again() {
    let intrigue = Intrigue::begin().await;
    let Intrigue { scene, ana, insider, .. } = &intrigue;
    let operator = Operator::of(&scene.server);
    let said = insider.say("Yes, do it").await;
    let first = insider.change("edit", &said, json!({ "text": "Yes, do it now" }));
    let first_edit = insider.post(&first, &insider.sealed(&first)).await;
    let second = insider.change("edit", &said, json!({ "text": "No, wait" }));
    insider.post(&second, &insider.sealed(&second)).await;
    shows_entries(ana, &["Ivo joined.", "No, wait"]).await;

    // The database keeps an id unique, so the first one gets another.
    let renamed =
        format!("UPDATE event SET client_id = randomblob(16) WHERE room_id = ?1 AND seq = {}", first_edit.seq);
    operator.change(&renamed);
    operator.append(&first, &first_edit.body);
    insider.say("What now").await;
    let expected = ["Ivo joined.", "No, wait", REPEATED, "What now"];
    shows_entries(ana, &expected).await;
    ana.refresh().await;
    shows_entries(ana, &expected).await;
}

#[tokio::test]
async fn a_name_that_another_key_used_first_is_marked_and_fingerprints_can_be_compared() {
    let intrigue = Intrigue::begin().await;
    let Intrigue { scene, ana, .. } = &intrigue;
    intrigue.ana_says("I am Ana").await;
    for name in ["Ana", "ANA", "Ａｎａ", "A\u{200b}n\u{2060}a", " ana\u{3164} ", "An\u{e0041}a"] {
        let thief = Insider::with(&scene.server, &intrigue.link, name).await;
        thief.say(&format!("{name} says")).await;
    }
    Insider::with(&scene.server, &intrigue.link, "Anna").await.say("Anna says").await;
    let ben = intrigue.ben().await;
    let marks = "return [...document.querySelectorAll('.message')].map((message) =>
        [...message.querySelectorAll('.name-note')].filter((note) => note.checkVisibility()).map((note) => note.textContent)
            .join())";
    let joined = "return [...document.querySelectorAll('.event')].map((event) => event.textContent.trim())
        .filter((text) => text.includes('joined')).map((text) => text.includes(arguments[0]))";
    for reader in [ana, &ben] {
        let note = json!(NAME_NOTE);
        let expected = json!(["", note, note, note, note, note, note, ""]);
        let found = async || (reader.client().execute(marks, vec![]).await.ok()? == expected).then_some(());
        reader.eventually("exactly the borrowed names are marked", found).await;
        let marked = reader.execute(joined, vec![note]).await;
        assert_eq!(marked, json!([true, true, true, true, true, true, false]), "also where they came");
    }

    // Ana reads out her words, Ben looks at his.
    ana.press_css("[data-part='people']").await;
    let words = async |who: &Profile, script: &str| {
        who.eventually("eight words are shown", async || {
            let words = who.client().execute(script, vec![]).await.ok()?.as_str()?.to_owned();
            (words.split(' ').count() == 8).then_some(words)
        })
        .await
    };
    let own = words(
        ana,
        "const own = [...document.querySelectorAll('.people details')].find((one) => one.textContent.includes('you'));
         own.open = true;
         return own.querySelector('.fingerprint').textContent",
    )
    .await;
    let of_message = async |text: &str| {
        let open = format!("//li[contains(@class,'message')][.//*[text()='{text}']]");
        ben.press_at(&open, text).await;
        ben.press("More").await;
        ben.choose("Who is").await;
        let words = words(&ben, "return document.querySelector('dialog[open] .fingerprint')?.textContent").await;
        ben.press("Close").await;
        ben.finds("the dialog is closed", "return !document.querySelector('dialog')").await;
        words
    };
    assert_eq!(of_message("I am Ana").await, own);
    assert_ne!(of_message("ANA says").await, own);
}

#[tokio::test]
async fn a_borrowed_name_is_marked_where_it_writes_and_reacts() {
    let intrigue = Intrigue::begin().await;
    let Intrigue { scene, .. } = &intrigue;
    let anas = intrigue.ana_says("I am Ana").await;
    let ben = intrigue.ben().await;
    ben.reads(&["I am Ana"]).await;
    let thief = Insider::with(&scene.server, &intrigue.link, "ana").await;
    thief.introduces_themself().await;
    let reaction = thief.change("react", &anas, json!({ "emoji": "🎉", "on": true }));
    thief.post(&reaction, &thief.sealed(&reaction)).await;
    let title = "return document.querySelector('[data-emoji=\"🎉\"]')?.title";
    let expected = json!(format!("ana ({NAME_NOTE})"));
    let marked = async || (ben.client().execute(title, vec![]).await.ok()? == expected).then_some(());
    ben.eventually("the reaction says whose it may be", marked).await;
    thief.signal("typing", None).await;
    ben.sees(&format!("ana ({NAME_NOTE}) is writing…")).await;
}

#[tokio::test]
async fn hostile_words_and_names_break_nobodys_view() {
    let intrigue = Intrigue::begin().await;
    let Intrigue { scene, ana, insider, .. } = &intrigue;
    intrigue.ana_says("Before").await;
    let words = [
        "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>",
        "</div></li></ol></main><h1>Broken</h1>",
        "javascript:alert(1) data:text/html,<script>alert(1)</script>",
        "https://good.example@evil.example/ https://user:secret@evil.example/",
        "\u{202e}desrever \u{202d}overridden\u{202c}\u{2066}\u{2067}isolated",
        "zero\u{200b}width\u{200d}\u{feff}\u{2060}\u{180e}",
        "Z\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}\u{30a}\u{30b}\u{30c}\u{30d}algo",
        "${document.title='broken'} {{7*7}} %s %00 \u{0}\u{1b}[31m",
    ];
    for text in words {
        insider.say(text).await;
    }
    // One word as long as a message can be, and texts made to keep a browser busy.
    let long = "W".repeat(11_700);
    insider.say(&long).await;
    insider.say(&format!("https://a.example/{}", ")".repeat(11_700))).await;
    insider.say(&format!("{}x", "👍".repeat(2_900))).await;
    insider.say(&"```a\n".repeat(1_900)).await;
    insider.say(&"\n".repeat(5_000)).await;
    for name in
        ["", "\u{202e}anA", "<b>Bold</b>", &"N".repeat(5_000), &"🏴\u{e0067}\u{e0062}".repeat(200), "\u{0}\u{7}"]
    {
        Insider::with(&scene.server, &intrigue.link, name).await.say("By a name").await;
    }
    let mut crowd = insider.change("react", &insider.say("React to this").await, json!({}));
    for (index, emoji) in
        ["👍", "🎉", "<b>", "", "👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍", "a", "\u{202e}"].iter().enumerate()
    {
        crowd.content["emoji"] = json!(emoji);
        crowd.content["on"] = json!(true);
        crowd.client_id = client_id();
        let posted = insider.post(&crowd, &insider.sealed(&crowd)).await;
        assert!(posted.seq > index as u64);
    }
    let ben = intrigue.ben().await;
    insider.say("After").await;
    for reader in [ana, &ben] {
        reader.sees("After").await;
        assert_eq!(
            reader.execute("return document.querySelectorAll('.text :not(a, code, pre)').length", vec![]).await,
            0
        );
        assert_eq!(
            reader.execute("return document.querySelectorAll('main script, main img, main h1').length", vec![]).await,
            1
        );
        let title = reader.execute("return document.title", vec![]).await;
        assert!(title.as_str().is_some_and(|title| title.ends_with("Buddy") && !title.contains("broken")), "{title}");
        let links = reader.execute("return [...document.querySelectorAll('.text a')].map((a) => a.href)", vec![]).await;
        assert_eq!(links, json!(["https://a.example/"]), "no link leads where it does not say");
        let overrides = "return /[\\u202a-\\u202e]/.test(document.querySelector('main').textContent)";
        assert_eq!(reader.execute(overrides, vec![]).await, false, "nothing overrides the order of letters");
        let wide = "const { scrollWidth, clientWidth } = document.documentElement;
            const scroller = document.querySelector('.timeline');
            return [scrollWidth - clientWidth, scroller.scrollWidth - scroller.clientWidth]";
        assert_eq!(reader.execute(wide, vec![]).await, json!([0, 0]), "nothing is wider than the page");
        let names =
            "return Math.max(...[...document.querySelectorAll('.name')].map((name) => name.textContent.length))";
        let longest = reader.execute(names, vec![]).await;
        assert!(longest.as_u64().is_some_and(|longest| longest <= 80), "a name has {longest} characters");
        assert_eq!(reader.console().await, Vec::<String>::new());
    }
    // Everybody goes on as if nothing had been.
    ben.calls_themself("Ben").await;
    ben.say("Still here").await;
    ana.sees("Still here").await;
    ana.say("So am I").await;
    ben.sees("So am I").await;
}
