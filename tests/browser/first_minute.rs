//! From nothing to a conversation: a room, its link, a name, and the way back another day.

use serde_json::json;

use crate::scene::Scene;

/// Stands in for a device's own share sheet.
const SHARE_SHEET: &str = "
    globalThis.shared = [];
    Object.defineProperty(navigator, 'share', { value: async (what) => void shared.push(what) });";

#[tokio::test]
async fn the_first_minute_leads_from_one_button_to_a_conversation() {
    let scene = Scene::set().await;

    let ana = scene.newcomer().await;
    ana.before_each_page(SHARE_SHEET).await;
    ana.goto(&scene.start()).await;
    assert!(!ana.shows("[name='expiry']").await, "what few need is folded away");
    ana.press("New room").await;
    let link = ana.link().await;
    ana.sees("Send this link").await;
    assert_eq!(ana.text_at("[aria-label='Link to this room']").await, link);
    let permissions = json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
    ana.cdp("Browser.grantPermissions", permissions).await;
    ana.press("Copy link").await;
    ana.sees("Copied").await;
    assert_eq!(ana.execute_async("return navigator.clipboard.readText()", vec![]).await, json!(link));
    ana.press("Share…").await;
    ana.finds("the device's share sheet got the link", "return shared.length === 1").await;
    assert_eq!(ana.execute("return shared[0].url", vec![]).await, json!(link));

    // Where the clipboard is refused, the link is selected.
    let deny = json!({ "permission": { "name": "clipboard-write" }, "setting": "denied" });
    ana.cdp("Browser.setPermission", deny).await;
    ana.press("Copy link").await;
    ana.sees("Selected").await;
    assert_eq!(ana.execute("return getSelection().toString().trim()", vec![]).await, json!(link));

    ana.calls_themself("Ana").await;
    ana.say("It works!").await;
    ana.reads(&["It works!"]).await;
    ana.sees_no("Send this link").await;

    // A friend pastes the link, as on a phone whose installed page has storage of its own.
    let ben = scene.newcomer().await;
    ben.goto(&scene.start()).await;
    ben.fill("Have a link?", &format!("Look: {link} !")).await;
    // On the smallest phones, too, the way in is seen at once.
    ben.resize(320, 568).await;
    ben.press("Open").await;
    ben.sees("Join this room").await;
    let seen = "const { top, bottom } = document.querySelector('[data-part=join]').getBoundingClientRect();
        return top >= 0 && bottom <= innerHeight && scrollY === 0";
    ben.finds("joining is above the fold", seen).await;
    ben.unsize().await;
    ben.press("Join").await;
    ben.reads(&["It works!"]).await;
    ben.calls_themself("Ben").await;
    ben.say("Indeed").await;
    ana.reads(&["It works!", "Indeed"]).await;

    // The next room suggests the name.
    ana.press("All rooms").await;
    ana.press("New room").await;
    ana.sees("Send this link").await;
    ana.finds("the name is suggested", "return document.querySelector('[name=\"name\"]').value === 'Ana'").await;
}

#[tokio::test]
async fn recent_rooms_can_be_found_named_and_forgotten() {
    let scene = Scene::set().await;

    let ana = scene.newcomer().await;
    let link = ana.makes_room_called("Summer trip", &scene.start()).await;
    ana.calls_themself("Ana").await;
    ana.say("Who brings the tent?").await;
    ana.has_sent_all().await;

    let ben = scene.guest("Ben", &link).await;
    ben.reads(&["Who brings the tent?"]).await;
    ben.say("I do").await;
    ben.has_sent_all().await;
    ben.type_into("Message", "And a draft").await;
    ben.finds(
        "the draft is kept",
        "globalThis.checked ??= (async () => {
            const opening = indexedDB.open('buddy');
            await new Promise((done) => (opening.onsuccess = done));
            const drafts = opening.result.transaction('drafts').objectStore('drafts').count();
            await new Promise((done) => (drafts.onsuccess = done));
            opening.result.close();
            globalThis.drafts = drafts.result;
            globalThis.checked = null;
        })();
        return globalThis.drafts === 1;",
    )
    .await;
    ben.press("All rooms").await;
    ben.sees("Summer trip").await;
    assert!(!ben.shows(".room-item[data-news]").await, "Ben has read everything");
    ana.say("Great").await;
    ana.has_sent_all().await;
    ben.refresh().await;
    ben.sees_at(".room-item[data-news]").await;

    // A name that only this browser knows.
    ben.press("More about Summer trip").await;
    ben.press("Name it for yourself").await;
    ben.fill("Only this browser knows this name", "Ana and the lake").await;
    ben.press("Save").await;
    ben.sees("Ana and the lake").await;
    ben.press_css(".room-item a").await;
    ben.reads(&["Who brings the tent?", "I do", "Great"]).await;
    ben.sees("Ana and the lake").await;
    ana.sees("Summer trip").await;
    ana.sees_no("Ana and the lake").await;
    ben.press("All rooms").await;
    ben.sees("Your rooms").await;
    assert!(!ben.shows(".room-item[data-news]").await, "it was read");

    // Forgotten, nothing of it stays here.
    ben.press("More about Ana and the lake").await;
    ben.press("Forget this room").await;
    ben.press("Forget").await;
    ben.sees_no("Your rooms").await;
    let rows = ben
        .execute_async(
            "const opening = indexedDB.open('buddy');
             await new Promise((done) => (opening.onsuccess = done));
             const counts = {};
             for (const table of opening.result.objectStoreNames) {
                 const count = opening.result.transaction(table).objectStore(table).count();
                 await new Promise((done) => (count.onsuccess = done));
                 counts[table] = count.result;
             }
             opening.result.close();
             return counts;",
            vec![],
        )
        .await;
    for table in ["rooms", "events", "outbox", "drafts"] {
        assert_eq!(rows[table], json!(0), "nothing is kept in {table}");
    }
    // To this browser the link is new again.
    ben.goto(&link).await;
    ben.sees("Join Summer trip").await;
}
