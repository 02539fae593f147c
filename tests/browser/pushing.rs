//! Being told of a room while no tab of it is open, by a push service; and of whom one has made sure. Chromium reaches
//! no push service here: what it would be registered with is one of ours, and what comes is handed to its worker.

use buddy_tests::{PushService, Server, Subscription};
use serde_json::json;

use crate::gallery::Gallery;
use crate::profile::Profile;
use crate::scene::Scene;

/// Registers a browser as its push service would; `arguments[0]` is what `PushSubscription.toJSON()` gives.
const PUSH: &str = "
    const given = GIVEN;
    const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')),
        (character) => character.charCodeAt(0)).buffer;
    const held = () => localStorage.pushed === undefined ? null : {
        ...given,
        options: { applicationServerKey: bytes(localStorage.pushed) },
        getKey: (name) => bytes(given.keys[name]),
        unsubscribe: async () => delete localStorage.pushed,
    };
    PushManager.prototype.getSubscription = async () => held();
    PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
        if (!userVisibleOnly) throw new DOMException('', 'NotAllowedError');
        localStorage.pushed = btoa(String.fromCharCode(...applicationServerKey));
        return held();
    };";

/// All that the workers of this origin show.
const SHOWN: &str = "const workers = await navigator.serviceWorker.getRegistrations();
    const shown = await Promise.all(workers.map((worker) => worker.getNotifications()));
    return shown.flat().map(({ title, body }) => `${title}: ${body}`)";

impl Profile {
    /// Takes part in a push service from the next page on, and may show notices.
    async fn is_reached_by(&self, subscription: &Subscription) {
        self.before_each_page(&PUSH.replace("GIVEN", &subscription.json().to_string())).await;
        self.lets("notifications").await;
    }

    /// Hands a message to every worker, as a push service does.
    async fn is_pushed(&self, message: &str) {
        let origin = self.execute("return location.origin", vec![]).await;
        self.cdp("ServiceWorker.enable", json!({})).await;
        // Workers are numbered as they come. One that is not there, or that hears nothing, changes nothing.
        for number in 0..4 {
            let message = json!({ "origin": origin, "registrationId": number.to_string(), "data": message });
            self.cdp("ServiceWorker.deliverPushMessage", message).await;
        }
    }

    async fn is_shown(&self, expected: &[&str]) {
        self.eventually(&format!("the notices are {expected:?}"), async || {
            (self.execute_async(SHOWN, vec![]).await == json!(expected)).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_room_is_told_of_while_no_tab_is_open_and_by_one_notice_where_one_is() {
    let service = PushService::start().await;
    let scene = Scene::on(Server::setup().push(&service)).await;
    let gallery = Gallery::default();
    let browser = service.subscribe();

    let (ana, link) = scene.host("Ana").await;
    ana.say("Hello").await;
    ana.has_sent_all().await;
    ana.is_reached_by(&browser).await;
    ana.refresh().await;
    ana.reads(&["Hello"]).await;
    ana.press("Manage room").await;
    ana.press("Notices").await;
    ana.press("Mentions of you, and answers to you").await;
    // The server cannot tell mentions, so that it is not asked to.
    ana.sees_no("Also while Buddy is closed").await;
    ana.press("All messages").await;
    ana.press("Also while Buddy is closed").await;
    gallery.show(&ana, "pushing").await;
    ana.press("Save").await;
    ana.sees("Saved").await;

    // No tab of the room is open.
    let address = ana.address().await;
    ana.goto(&scene.start()).await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("Where are you?").await;
    let pushed = service.pushed_at_least(1).await;
    let message = browser.open(&pushed[0]).expect("it is sealed for her browser");
    assert!(!message.contains("Where") && !message.contains("Ben"), "{message}");
    ana.is_pushed(&message).await;
    ana.is_shown(&["Unnamed room: New messages"]).await;

    // Whoever looks at the room has been told.
    ana.goto(&address).await;
    ana.reads(&["Hello", "Where are you?"]).await;
    ana.is_shown(&[]).await;

    // A tab that is not looked at tells of what was said; what is pushed besides says it once more at most.
    ana.new_tab().await;
    ana.goto(&scene.start()).await;
    ana.is_reached_by(&browser).await;
    ben.say("Are you there?").await;
    ana.is_shown(&["Unnamed room: Ben: Are you there?"]).await;
    ana.is_pushed(&message).await;
    ana.is_shown(&["Unnamed room: Ben: Are you there?"]).await;

    // Who wants less is registered nowhere any more.
    ana.goto(&address).await;
    ana.reads(&["Hello", "Where are you?", "Are you there?"]).await;
    ana.press("Manage room").await;
    ana.press("Notices").await;
    ana.press("Nothing").await;
    ana.press("Save").await;
    ana.sees("Saved").await;
    ana.eventually("only the page's own worker is left, and no registration", async || {
        let left = "const workers = await navigator.serviceWorker.getRegistrations();
            return [...workers.map(({ scope }) => new URL(scope).pathname), localStorage.pushed ?? null]";
        (ana.execute_async(left, vec![]).await == json!(["/", null])).then_some(())
    })
    .await;
    gallery.close();
}

#[tokio::test]
async fn a_mark_stands_beside_whom_one_has_compared_words_with() {
    let scene = Scene::set().await;
    let gallery = Gallery::default();
    let (ana, link) = scene.host("Ana").await;
    ana.say("Hello").await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("It is me").await;
    ana.reads(&["Hello", "It is me"]).await;
    let marks = "return document.querySelectorAll('.message .compared').length";
    assert_eq!(ana.execute(marks, vec![]).await, json!(0));
    ana.press_css("[data-part='people']").await;
    ana.choose_summary("Ben").await;
    ana.press("We compared these words").await;
    ana.sees("You compared these words with “Ben”").await;
    gallery.show(&ana, "compared").await;
    ana.press("Close").await;
    ana.sees_at(".message .compared").await;
    gallery.show(&ana, "compared mark").await;
    ana.refresh().await;
    ana.reads(&["Hello", "It is me"]).await;
    ana.sees_at(".message .compared").await;

    // Under another name it is another matter.
    ben.press("Manage room").await;
    ben.press("Me").await;
    ben.press("Change my name").await;
    ben.fill("What others see", "Benjamin").await;
    ben.press("Save").await;
    ana.sees("Ben is now called Benjamin").await;
    ben.say("Still me").await;
    ana.reads_last("Still me").await;
    assert_eq!(ana.execute(marks, vec![]).await, json!(1), "what he said as Ben keeps it");
    ana.press_css("[data-part='people']").await;
    ana.choose_summary("Benjamin").await;
    ana.sees("somebody called “Ben”").await;
    gallery.close();
}
