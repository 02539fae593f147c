//! Signed copies: made in a room, and checked from a disk by a page that asks nobody.

use std::fs;
use std::path::{Path, PathBuf};

use fantoccini::Locator;
use serde_json::json;

use crate::firefox::Firefox;
use crate::gallery::Gallery;
use crate::profile::Profile;
use crate::scene::Scene;

impl Profile {
    /// Has the page that checks copies, saved as `page`, look at a file.
    async fn checks(&self, page: &Path, copy: &Path) {
        self.goto(&format!("file://{}", page.display())).await;
        let input = self.client().find(Locator::Css("input[type=file]")).await.expect("a file can be chosen");
        input.send_keys(copy.to_str().expect("a path is text")).await.expect("it takes a file");
    }
}

/// The signed copy that was saved, once all of it is there.
async fn copy_in(folder: &Path, person: &Profile) -> PathBuf {
    person
        .eventually("a copy is saved", async || {
            let entries = fs::read_dir(folder).ok()?;
            let copy = entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .find(|path| path.extension().is_some_and(|one| one == "json"))?;
            fs::read(&copy).ok()?.ends_with(b"\"}}\n").then_some(copy)
        })
        .await
}

#[tokio::test]
async fn a_signed_copy_is_checked_from_a_disk_and_a_changed_one_says_where() {
    let gallery = Gallery::default();
    let scene = Scene::set().await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Who brings the tent?").await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("I do").await;
    ana.reads(&["Who brings the tent?", "I do"]).await;
    ana.chooses_file("notes.bin", "application/x-notes", 300_000, None).await;
    ana.press("Send").await;
    ana.has_sent_all().await;
    let words = "return document.querySelector('dialog .fingerprint')?.textContent || null";
    ana.press_in("I do", "More").await;
    ana.press("Who is Ben?").await;
    let words = ana
        .eventually("Ben’s words are there", async || {
            ana.client().execute(words, vec![]).await.ok()?.as_str().map(str::to_owned)
        })
        .await;
    ana.press("Close").await;

    let saved = scene.server.database_file().with_file_name("saved");
    ana.saves_to(&saved).await;
    ana.press("Manage room").await;
    ana.press("Keep a copy").await;
    ana.sees("A signed copy shows who said what").await;
    gallery.show(&ana, "dialog-keep-copy").await;
    ana.press("Save the page that checks it").await;
    ana.press("As a signed copy").await;
    let copy = copy_in(&saved, &ana).await;
    let page = saved.join("verify.html");
    ana.saved(page.clone(), 100_000).await;

    // Without a server, and without a network.
    scene.door.shut();
    let dora = scene.newcomer().await;
    dora.set_offline(true).await;
    dora.checks(&page, &copy).await;
    dora.sees("This copy holds").await;
    dora.sees(&words).await;
    for text in ["Who brings the tent?", "I do", "Ana owns this room.", "Ben joined.", "notes.bin"] {
        dora.sees(text).await;
    }
    gallery.show(&dora, "copy-holds").await;
    dora.saves_to(&saved).await;
    dora.press("Save notes.bin").await;
    let notes = dora.saved(saved.join("notes.bin"), 300_000).await;
    assert!(notes.iter().enumerate().all(|(at, byte)| usize::from(*byte) == ((at * 31 + (at >> 8)) & 255)));
    dora.press("Deutsch").await;
    dora.sees("Diese Kopie stimmt").await;

    let text = fs::read_to_string(&copy).expect("it can be read");
    let at = text.find("\"kind\":\"message\"").expect("it has messages");
    let body = at + text[at..].find("\"body\":\"v2.0.").expect("they have bodies") + 40;
    let letter = if &text[body..=body] == "A" { "B" } else { "A" };
    let changed = saved.join("changed");
    fs::write(&changed, [&text[..body], letter, &text[body + 1..]].concat()).expect("it can be written");
    dora.checks(&page, &changed).await;
    dora.sees("Something is wrong with this copy").await;
    dora.sees("It was changed after it was made").await;
    dora.press("Show it").await;
    dora.finds("it leads to where it is wrong", "return document.activeElement.textContent.includes('does not open')")
        .await;
    gallery.show(&dora, "copy-changed").await;
    fs::write(&changed, &text[..text.len() / 2]).expect("it can be written");
    dora.checks(&page, &changed).await;
    dora.sees("This copy is not whole").await;
    gallery.show(&dora, "copy-cut-off").await;
    gallery.close();

    let firefox = Firefox::start().await;
    let eva = firefox.profile().await;
    eva.checks(&page, &copy).await;
    eva.sees("This copy holds").await;

    // Served, it works as well.
    scene.door.reopen();
    ben.goto(&scene.door.page("/verify.html")).await;
    let input = ben.client().find(Locator::Css("input[type=file]")).await.expect("a file can be chosen");
    input.send_keys(copy.to_str().expect("a path is text")).await.expect("it takes a file");
    ben.sees("This copy holds").await;
    assert_eq!(ben.execute("return document.querySelectorAll('[src], [href]').length", vec![]).await, json!(0));
}
