//! A newer page on the same server: what a browser has stays in use until somebody wants the other, and both can be
//! told apart before. What the page must compute is restated here from docs/protocol.md, "The page's own code".

use buddy_tests::Liar;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::profile::Profile;
use crate::scene::Scene;

const SHELLS_WORDS: &str = "Private rooms behind a link.";
/// Where they come to stand.
const SHELLS_PLACE: &str = r#"<p class="lede" data-text="lede"></p>"#;
const NEWER_WORDS: &str = "Private rooms behind a newer link.";

/// A deployment that differs from the server's in its shell.
struct Newer {
    shell: String,
    worker: String,
    name: String,
}

impl Newer {
    async fn of(scene: &Scene) -> Self {
        let said = format!(r#"<p class="lede">{NEWER_WORDS}</p>"#);
        let shell = scene.server.api().get("/").send().await.must_be(200).text().replace(SHELLS_PLACE, &said);
        assert!(shell.contains(NEWER_WORDS));
        let worker = scene.server.api().get("/sw.js").send().await.must_be(200).text().to_owned();
        let (list, rest) = worker.split_once(";\n").expect("a first line");
        let list = list.strip_prefix("self.deployment = ").expect("what belongs to it");
        let mut list: Value = serde_json::from_str(list).expect("JSON");
        assert_eq!(name_of(&list), list["page"].as_str().expect("a name"), "the server's own page");
        list["files"]["/"] = json!(hash(&shell));
        let name = name_of(&list);
        list["page"] = json!(name);
        Self { shell, worker: format!("self.deployment = {list};\n{rest}"), name }
    }

    /// Has a server give this out as its page.
    fn is_served_by(&self, liar: &Liar) {
        let (shell, worker) = (self.shell.clone(), self.worker.clone());
        liar.serves(move |path, answer| {
            if path == "/sw.js" {
                *answer.body_mut() = worker.clone().into();
            } else if path == "/" || path.starts_with("/r/") {
                *answer.body_mut() = shell.clone().into();
            }
        });
    }
}

/// A page's name: the hash of one line for each file.
fn name_of(list: &Value) -> String {
    let files = list["files"].as_object().expect("files");
    let mut lines: Vec<_> = files.iter().map(|(path, hash)| (path, hash.as_str().expect("a hash"))).collect();
    lines.sort();
    hash(&lines.iter().map(|(path, hash)| format!("{hash}  {path}\n")).collect::<String>())
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What people compare of a name.
fn spoken(name: &str) -> String {
    (0..5).map(|at| &name[at * 4..at * 4 + 4]).collect::<Vec<_>>().join(" ")
}

/// Somebody who has the page from a server that can come to give out another, at this address, and whom a worker answers.
async fn behind_a_worker() -> (Scene, Liar, String, Profile) {
    let scene = Scene::set().await;
    let liar = scene.liar().await;
    let start = format!("http://{}/", liar.address());
    let ana = scene.newcomer().await;
    ana.is_answered_by_the_worker(&start).await;
    (scene, liar, start, ana)
}

impl Profile {
    /// Opens the start page so that a worker answers for it.
    async fn is_answered_by_the_worker(&self, start: &str) {
        self.goto(start).await;
        self.keeps_the_page().await;
        self.finds("the worker is in charge", "return navigator.serviceWorker.controller !== null").await;
        self.goto(start).await;
    }

    /// The name of the page that is in use.
    async fn page_in_use(&self) -> String {
        let script = "return (await (await caches.open('buddy-pin')).match('/page')).text()";
        self.execute_async(script, vec![]).await.as_str().expect("a name").to_owned()
    }

    /// As browsers do by themselves now and then.
    async fn looks_for_a_newer_page(&self) {
        let script = "await (await navigator.serviceWorker.ready).update().catch(() => {}); return true";
        self.execute_async(script, vec![]).await;
    }
}

#[tokio::test]
async fn a_newer_page_is_shown_with_both_numbers_and_used_only_when_somebody_wants_it() {
    let (scene, liar, start, ana) = behind_a_worker().await;
    let newer = Newer::of(&scene).await;
    let used = ana.page_in_use().await;
    ana.sees_no("A newer Buddy is ready").await;

    newer.is_served_by(&liar);
    ana.looks_for_a_newer_page().await;
    ana.sees("A newer Buddy is ready").await;
    ana.sees(&spoken(&newer.name)).await;
    ana.press("Compare").await;
    ana.sees("In use here").await;
    ana.sees(&spoken(&used)).await;
    ana.press("Not now").await;

    // The one before goes on: after a reload, in another tab, and once no tab is left that the browser waits for.
    ana.refresh().await;
    ana.sees(SHELLS_WORDS).await;
    ana.goto("about:blank").await;
    ana.goto(&start).await;
    ana.sees(SHELLS_WORDS).await;
    ana.sees("A newer Buddy is ready").await;
    assert_eq!(ana.page_in_use().await, used);
    let first = ana.tab().await;
    let second = ana.new_tab().await;
    ana.turn_to(&second).await;
    ana.goto(&start).await;
    ana.sees(SHELLS_WORDS).await;

    ana.press("Use it now").await;
    ana.sees(NEWER_WORDS).await;
    ana.sees_no("A newer Buddy is ready").await;
    assert_eq!(ana.page_in_use().await, newer.name);
    // No tab goes on with what the other left.
    ana.turn_to(&first).await;
    ana.sees(NEWER_WORDS).await;
    let pages = "return (await caches.keys()).filter((name) => name !== 'buddy-pin')";
    assert_eq!(ana.execute_async(pages, vec![]).await, json!([format!("buddy-{}", newer.name)]));
}

#[tokio::test]
async fn a_room_offers_a_newer_page_too_and_loses_nothing_by_it() {
    let (scene, liar, start, ana) = behind_a_worker().await;
    let newer = Newer::of(&scene).await;
    ana.makes_room(&start).await;
    ana.calls_themself("Ana").await;
    ana.say("before").await;
    ana.has_sent_all().await;
    newer.is_served_by(&liar);
    ana.looks_for_a_newer_page().await;
    ana.sees("A newer Buddy is ready").await;
    ana.press("Compare").await;
    ana.sees(&spoken(&newer.name)).await;
    // One click in the dialog as well.
    ana.press_css("dialog .actions button:last-child").await;
    ana.finds(
        "the newer page is in use",
        "return document.querySelector('#t-start')?.innerHTML.includes('newer link')",
    )
    .await;
    ana.reads(&["before"]).await;
    ana.say("after").await;
    ana.has_sent_all().await;
}

#[tokio::test]
async fn what_does_not_fit_its_list_or_its_name_is_neither_used_nor_offered() {
    let (scene, liar, _start, ana) = behind_a_worker().await;
    let newer = Newer::of(&scene).await;
    let used = ana.page_in_use().await;
    let offer = "return (await import('/wire/deployment.js')).readOffer()";

    // The worker of one deployment, the shell of another: it is not installed.
    let worker = newer.worker.clone();
    liar.serves(move |path, answer| {
        if path == "/sw.js" {
            *answer.body_mut() = worker.clone().into();
        }
    });
    ana.looks_for_a_newer_page().await;
    let refused = "const { installing, waiting } = await navigator.serviceWorker.getRegistration();
        return !installing && !waiting";
    ana.eventually("it is refused", async || (ana.execute_async(refused, vec![]).await == json!(true)).then_some(()))
        .await;
    assert_eq!(ana.execute_async(offer, vec![]).await, json!(null));

    // A worker that calls its page by the name of another.
    liar.serves_the_page();
    let lie = "ab".repeat(32);
    let lying = Newer { worker: newer.worker.replace(&newer.name, &lie), ..newer };
    lying.is_served_by(&liar);
    ana.looks_for_a_newer_page().await;
    let installed = "return (await navigator.serviceWorker.getRegistration()).waiting !== null";
    ana.eventually("it is installed", async || {
        (ana.execute_async(installed, vec![]).await == json!(true)).then_some(())
    })
    .await;
    assert_eq!(ana.execute_async(offer, vec![]).await, json!(null));
    ana.refresh().await;
    ana.sees(SHELLS_WORDS).await;
    assert_eq!(ana.page_in_use().await, used);
}

#[tokio::test]
async fn what_was_changed_in_the_browsers_cache_is_not_given_out() {
    let (_scene, _liar, start, ana) = behind_a_worker().await;
    let spoil = "const name = (await caches.keys()).find((name) => name !== 'buddy-pin');
        const cache = await caches.open(name);
        await cache.put('/', new Response('<h1>Another page</h1>', { headers: { 'content-type': 'text/html' } }));
        return (await cache.match('/')).text()";
    assert_eq!(ana.execute_async(spoil, vec![]).await, json!("<h1>Another page</h1>"));
    ana.goto("about:blank").await;
    ana.goto(&start).await;
    ana.sees(SHELLS_WORDS).await;
    // What fits was kept again.
    let kept = "const name = (await caches.keys()).find((name) => name !== 'buddy-pin');
        return (await (await (await caches.open(name)).match('/')).text()).includes('<title>')";
    assert_eq!(ana.execute_async(kept, vec![]).await, json!(true));
}
