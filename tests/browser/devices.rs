//! One person on several devices: the link that makes them the same person, and the one that makes them the owner.

use buddy_tests::eventually;
use fantoccini::key::Key;
use serde_json::json;

use crate::insider::Insider;
use crate::profile::Profile;
use crate::scene::Scene;

impl Profile {
    async fn is_not_asked_for_a_name(&self) {
        self.finds("no name is asked for", "return !document.querySelector('.name-row').checkVisibility()").await;
    }

    /// Waits until exactly these messages stand there as one's own.
    async fn has_own(&self, texts: &[&str]) {
        let script =
            "return [...document.querySelectorAll('.message[data-own] .text')].map((text) => text.textContent)";
        let own = async || (self.client().execute(script, vec![]).await.ok()? == json!(texts)).then_some(());
        self.eventually(&format!("exactly {texts:?} are one's own"), own).await;
    }

    /// Follows a link within the page that is open, as no reload does.
    async fn follows(&self, link: &str) {
        self.goto("about:blank").await;
        self.goto(link).await;
    }
}

#[tokio::test]
async fn the_identity_link_makes_a_second_device_the_same_person() {
    let scene = Scene::set().await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Welcome").await;
    let laptop = scene.guest("Ben", &link).await;
    laptop.say("From the laptop").await;
    ana.reads(&["Welcome", "From the laptop"]).await;
    let own_link = laptop.own_link().await;
    assert_eq!(own_link.matches('.').count() - link.matches('.').count(), 1, "it carries an identity, too");

    // As a code for the phone's camera it is shown after a warning only, large enough, and gone with a key.
    laptop.press("Manage room").await;
    laptop.press("Me").await;
    laptop.press("Continue on my phone").await;
    laptop.sees("Whoever scans or photographs it speaks as you").await;
    laptop.press("Show the code").await;
    let code = "const { width = 0, height = 0 } = document.querySelector('dialog .qr')?.getBoundingClientRect() ?? {};
        return width >= 200 && Math.abs(width - height) < 1";
    laptop.finds("the code", code).await;
    laptop.keys(&Key::Escape.to_string()).await;
    laptop.finds("no code any more", "return !document.querySelector('dialog .qr')").await;
    laptop.press("Close").await;

    let phone = scene.newcomer().await;
    phone.goto(&own_link).await;
    phone.sees("This link makes you the same person as on the device it was made on.").await;
    assert_eq!(phone.address().await, link, "the identity does not stay in the address");
    phone.press("Join").await;
    phone.reads(&["Welcome", "From the laptop"]).await;
    phone.has_own(&["From the laptop"]).await;
    phone.is_not_asked_for_a_name().await;
    phone.say("From the phone").await;
    let all = ["Welcome", "From the laptop", "From the phone"];
    laptop.reads_in_order(&all).await;
    laptop.has_own(&["From the laptop", "From the phone"]).await;
    ana.reads_in_order(&all).await;
    let marked = "return [...document.querySelectorAll('.name-note')].some((note) => note.checkVisibility())";
    assert_eq!(ana.execute(marked, vec![]).await, false, "it is one person, whose name is nobody else's");

    // One may take back here what one has said there.
    let own = "//li[@data-own][.//*[text()='From the laptop']]//time";
    phone.press_at(own, "the message from the laptop").await;
    phone.press("More").await;
    phone.choose("Edit").await;
    phone.fill("Message", "From both of them").await;
    phone.press("Save").await;
    for reader in [&ana, &laptop, &phone] {
        reader.reads_in_order(&["Welcome", "From both of them", "From the phone"]).await;
    }
}

#[tokio::test]
async fn nobody_becomes_somebody_else_by_a_link_that_was_sent_to_them() {
    let scene = Scene::set().await;
    let (_ana, link) = scene.host("Ana").await;
    let mallory = scene.guest("Mallory", &link).await;
    mallory.say("Open this").await;
    let trap = mallory.own_link().await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("I am Ben").await;
    ben.reads(&["Open this", "I am Ben"]).await;
    let insider = Insider::with(&scene.server, &link, "").await;
    let authors =
        async || -> Vec<_> { insider.messages().await.into_iter().map(|event| event["author"].clone()).collect() };
    eventually("both have spoken", async || (authors().await.len() == 2).then_some(())).await;

    ben.follows(&trap).await;
    ben.sees("Is this your own link?").await;
    ben.press("Cancel").await;
    ben.reads(&["Open this", "I am Ben"]).await;
    ben.has_own(&["I am Ben"]).await;
    assert_eq!(ben.address().await, link);
    ben.say("I am still Ben").await;
    eventually("it arrives", async || (authors().await.len() == 3).then_some(())).await;
    let known = authors().await;
    assert_ne!(known[0], known[1]);
    assert_eq!(known[2], known[1]);

    // Who made the link may take it.
    ben.follows(&trap).await;
    ben.press("It is mine").await;
    ben.reads(&["Open this", "I am Ben", "I am still Ben"]).await;
    ben.has_own(&["Open this"]).await;
}

#[tokio::test]
async fn the_owner_link_makes_another_device_the_owner_and_never_stands_in_the_address() {
    let scene = Scene::set().await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("From the first device").await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("By a guest").await;
    ana.reads(&["From the first device", "By a guest"]).await;
    let owner_link = ana.own_link().await;
    assert!(owner_link.contains("#o."));

    let second = scene.newcomer().await;
    second.goto(&owner_link).await;
    second.sees("You own this room").await;
    assert_eq!(second.address().await, link);
    second.press("Join").await;
    second.reads(&["From the first device", "By a guest"]).await;
    second.has_own(&["From the first device"]).await;
    assert_eq!(second.address().await, link);
    let fragments = "return performance.getEntries().map(({ name }) => name).filter((name) => name.includes('#o.'))";
    second.refresh().await;
    second.reads(&["From the first device", "By a guest"]).await;
    assert_eq!(second.execute(fragments, vec![]).await, json!([]));

    // It may what only an owner may, and everybody sees that it was the owner.
    second.press_at("//li[.//*[text()='By a guest']]//time", "the guest's message").await;
    second.press("More").await;
    second.choose("Delete").await;
    second.press_css("dialog .danger").await;
    for reader in [&ana, &ben, &second] {
        reader.sees("Removed by the owner").await;
    }
    second.is_not_asked_for_a_name().await;
    second.say("From the second device").await;
    ben.reads(&["From the first device", "Removed by the owner", "From the second device"]).await;
    let roles = "return [...document.querySelectorAll('.message')].filter((one) => one.querySelector('.role')?.checkVisibility()).length";
    ben.finds("both devices speak as the owner", &format!("{roles} === 2")).await;
}
