//! What a link may show and to whom: the address bar, the history, the caches and the server get no more of it
//! than they must.

use serde_json::{Value, json};

use crate::profile::Profile;
use crate::scene::Scene;

/// Notes every address that the page gives itself, and the one it has at each step of its loading and in each
/// frame that is drawn.
const NOTE_ADDRESSES: &str = "
    globalThis.noted = [];
    const note = () => noted.push(location.href);
    for (const name of ['pushState', 'replaceState']) {
        const change = history[name];
        history[name] = (...rest) => { change.apply(history, rest); note(); };
    }
    for (const event of ['popstate', 'hashchange', 'load']) addEventListener(event, note);
    document.addEventListener('DOMContentLoaded', note);
    const frame = () => { note(); requestAnimationFrame(frame); };
    document.addEventListener('DOMContentLoaded', () => requestAnimationFrame(frame));";

/// All text that this browser keeps of this page, outside the raw bytes of secrets.
const KEPT: &str = "
    const texts = [];
    for (const name of await caches.keys())
        for (const { url } of await (await caches.open(name)).keys()) texts.push(url);
    for (const storage of [localStorage, sessionStorage]) texts.push(...Object.values(storage));
    const opening = indexedDB.open('buddy');
    const database = await new Promise((done) => (opening.onsuccess = () => done(opening.result)));
    for (const table of database.objectStoreNames) {
        const rows = database.transaction(table).objectStore(table).getAll();
        await new Promise((done) => (rows.onsuccess = done));
        texts.push(JSON.stringify(rows.result));
    }
    database.close();
    return texts;";

#[tokio::test]
async fn an_owners_and_an_identitys_part_never_stay_in_the_address() {
    let scene = Scene::set().await;

    let ana = scene.newcomer().await;
    ana.before_each_page(NOTE_ADDRESSES).await;
    let member = ana.makes_room(&scene.start()).await;
    let owner = ana.private_link("Owner link").await;
    assert!(owner.contains("#o."), "it is the owner's: {owner}");
    ana.calls_themself("Ana").await;
    ana.say("Mine").await;
    ana.has_sent_all().await;
    ana.has_never_shown(&owner).await;

    let ben = scene.guest("Ben", &member).await;
    ben.say("And mine").await;
    ben.has_sent_all().await;
    let device = ben.private_link("Link for my other device").await;
    assert!(device.starts_with(&format!("{member}.")), "it is the member's link and more: {device}");

    // On a device of their own, once by opening and once by pasting.
    for (link, by, sign) in [(&owner, "Ana", "You own this room"), (&device, "Ben", "write, and invite others")] {
        for pasted in [false, true] {
            let other = scene.newcomer().await;
            other.before_each_page(NOTE_ADDRESSES).await;
            other.goto(&scene.start()).await;
            other.keeps_the_page().await;
            if pasted {
                other.fill("Have a link?", link).await;
                other.press("Open").await;
            } else {
                other.goto(link).await;
            }
            other.sees(sign).await;
            assert_eq!(other.address().await, member, "the address is the member's link");
            other.has_never_shown(link).await;
            other.press("Join").await;
            other.sees("Mine").await;
            other.refresh().await;
            other.sees("Mine").await;
            assert_eq!(other.address().await, member);
            other.has_never_shown(link).await;
            // It is really who it says, after a reload too.
            let own = format!(
                "return document.querySelector('.message[data-own] .text')?.textContent === '{}'",
                if by == "Ana" { "Mine" } else { "And mine" }
            );
            other.finds(&format!("{by}'s message is one's own"), &own).await;
        }
    }
}

#[tokio::test]
async fn a_link_that_is_cut_off_asks_the_server_nothing() {
    let scene = Scene::set().await;

    let (_ana, link) = scene.host("Ana").await;
    let ben = scene.newcomer().await;
    let (room, key) = link.split_once("#m.").expect("a member's link");
    let mangled = [
        room.to_owned(),
        format!("{room}#"),
        format!("{room}#m."),
        format!("{room}#m.{}", &key[..42]),
        format!("{room}#m.{key}A"),
        format!("{room}#m.{key}."),
        format!("{room}#{key}"),
        format!("{room}#m.{}%", &key[..42]),
    ];
    for link in &mangled {
        ben.goto("about:blank").await;
        ben.goto(link).await;
        ben.sees("This link is incomplete").await;
        assert_eq!(ben.asked_of_the_server().await, Vec::<String>::new(), "{link}");
    }
    ben.goto(&link).await;
    ben.sees("Join this room").await;
    // A whole link asks what it gives and how the room stands, and announces nobody.
    let asked = ben.asked_of_the_server().await;
    assert!(asked.iter().any(|path| path.ends_with("/open")), "{asked:?}");
    assert!(
        !asked.iter().any(|path| ["/stream", "/signals", "/messages"].iter().any(|end| path.ends_with(end))),
        "{asked:?}"
    );
    // Pasted, it is told where it was pasted.
    ben.goto(&scene.start()).await;
    for (pasted, told) in [
        (mangled[3].as_str(), "This link is incomplete"),
        (&link.replace("#m.", "#z."), "made by a newer Buddy"),
        ("https://elsewhere.example/r/", "not a link to a room"),
        ("good morning", "no link to a room"),
        (&format!("https://elsewhere.example{}", &link[link.find("/r/").expect("a path")..]), "another server"),
    ] {
        ben.fill("Have a link?", pasted).await;
        ben.press("Open").await;
        ben.sees(told).await;
        assert_eq!(ben.address().await, scene.start(), "one stays where one is");
    }
}

impl Profile {
    /// Reads a link that is only for oneself.
    async fn private_link(&self, name: &str) -> String {
        self.press("Manage room").await;
        self.press("Me").await;
        self.press("My other device / recovery").await;
        let link = self.text_at(&format!("[aria-label='{name}']")).await;
        self.press("Close").await;
        link
    }

    /// Fails if the part of this link that is only for oneself has ever stood in the address since the page was
    /// read, stands in the history, or is kept as text.
    async fn has_never_shown(&self, link: &str) {
        let secret = &link[link.len() - 43..];
        let noted = self.execute("return noted", vec![]).await;
        assert!(noted.as_array().is_some_and(|noted| !noted.is_empty()), "addresses were noted");
        let history = self.cdp("Page.getNavigationHistory", json!({})).await;
        let visited: Vec<&Value> =
            history["entries"].as_array().expect("a history has entries").iter().map(|entry| &entry["url"]).collect();
        assert!(!visited.is_empty(), "pages were visited");
        let kept = self.execute_async(KEPT, vec![]).await;
        let here =
            self.execute("return [location.href, document.referrer, document.documentElement.outerHTML]", vec![]).await;
        for (place, text) in [
            ("an address", noted.to_string()),
            ("the history", json!(visited).to_string()),
            ("what is kept", kept.to_string()),
            ("the page", here.to_string()),
        ] {
            assert!(!text.contains(secret), "the secret stands in {place}: {text}");
        }
        for url in
            kept.as_array().expect("a list").iter().filter_map(Value::as_str).filter(|text| text.starts_with("http"))
        {
            assert!(!url.contains("/r/") && !url.contains("/api/"), "the cache holds no room: {url}");
        }
    }

    /// The addresses that this page has asked the API for.
    async fn asked_of_the_server(&self) -> Vec<String> {
        let script = "return performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => name.includes('/api/'))";
        let asked = self.execute(script, vec![]).await;
        asked.as_array().expect("a list").iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
    }
}
