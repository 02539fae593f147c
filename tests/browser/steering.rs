//! The words for what an owner does with links and people, and for what the page says where something is wrong.

use serde_json::json;

use crate::profile::Profile;

/// What stands below an entry, or in its place, where the server or a page did what it may not.
pub(crate) const WINDOW: &str = "Whoever wrote this saw something else than you do.";
pub(crate) const AFTER: &str = "Something that its writer had written before is missing here.";
pub(crate) const REPEATED: &str = "This came a second time. The first one counts.";
pub(crate) const REUSED: &str =
    "This came under the mark of an earlier message, with other words. The earlier one counts.";
pub(crate) const BLANKED: &str = "The server erased this, and nobody asked it to.";
pub(crate) const EPOCH: &str = "This was locked with keys that were not in use here.";
pub(crate) const SIGNER: &str = "This is by somebody who was never let in to write.";
pub(crate) const OWN_LOST: &str = "A message of yours that the server had taken is not here.";
pub(crate) const GAP: &str = "Messages are missing here.";
pub(crate) const DIVERGED: &str = "From here on the server tells another story than before.";
pub(crate) const SERVER_STATE: &str = "The server does not do what the owner set.";
/// What stands above the conversation.
pub(crate) const BAD_ROTATION: &str = "The server offered new keys that the owner did not make. They are not used.";
pub(crate) const TWO_ROTATIONS: &str = "There are two changes of the keys for the same time, both by the owner.";
pub(crate) const CLAIMS_GONE: &str =
    "The server says that this room is gone, and cannot show that its owner wanted that.";
pub(crate) const FORK: &str = "sees another conversation than you do.";

/// What stands in place of a room whose keys the server does not give.
pub(crate) const MISTRUSTED: &str = "The server’s answer does not fit this link";

/// Every alarm in the log, in its order.
const ALARMS: &str = "return [...document.querySelectorAll('.entry .alarm > p')].map((text) => text.textContent)";

/// Every sign of distrust that is shown anywhere.
const SIGNS: &str =
    "return [...document.querySelectorAll('.alarm, .warning, [data-tone=danger], .entry[data-tone=warm]')]
    .filter((one) => one.checkVisibility()).map((one) => one.innerText)";

impl Profile {
    /// Waits until exactly these alarms stand in the log, each once, in this order, with their meaning behind them.
    pub(crate) async fn is_alarmed(&self, expected: &[&str]) {
        self.eventually(&format!("exactly these alarms are shown: {expected:#?}"), async || {
            (self.client().execute(ALARMS, vec![]).await.ok()? == json!(expected)).then_some(())
        })
        .await;
        let explained = "return [...document.querySelectorAll('.entry .alarm details')]
            .every((one) => one.textContent.includes('What does this mean?') && one.querySelector('p').textContent)";
        assert_eq!(self.execute(explained, vec![]).await, json!(true), "each alarm says what it means");
    }

    /// Waits until this alarm stands below exactly these messages.
    pub(crate) async fn is_alarmed_at(&self, alarm: &str, texts: &[&str]) {
        let script = "return [...document.querySelectorAll('.message')]
            .filter((one) => [...one.querySelectorAll('.alarm > p')].some((text) => text.textContent === arguments[0]))
            .map((one) => one.querySelector('.text').textContent)";
        self.eventually(&format!("{alarm:?} stands below {texts:?}"), async || {
            (self.client().execute(script, vec![json!(alarm)]).await.ok()? == json!(texts)).then_some(())
        })
        .await;
    }

    /// Waits until this stands above the conversation, with its meaning behind it.
    pub(crate) async fn is_warned(&self, words: &str) {
        self.sees(words).await;
        self.sees("What does this mean?").await;
    }

    /// Fails if anything is shown that says that somebody lies. To be asked once all has arrived.
    pub(crate) async fn is_calm(&self) {
        let signs = self.execute(SIGNS, vec![]).await;
        assert_eq!(signs, json!([]), "nobody lies");
    }

    /// The links of the room, as its owner sees them: each name.
    pub(crate) async fn opens_links(&self) {
        self.press("Manage room").await;
        self.press("Links").await;
        self.sees("Whoever has one of these gets in").await;
        self.finds("the links are listed", "return !document.querySelector('dialog .links[aria-busy]')").await;
    }

    /// Closes every dialog.
    pub(crate) async fn closes_dialogs(&self) {
        self.eventually("no dialog is open", async || {
            if !self.shows("dialog[open]").await {
                return Some(());
            }
            let close = "document.querySelectorAll('dialog[open]').forEach((one) => one.close())";
            self.client().execute(close, vec![]).await.ok()?;
            None
        })
        .await;
    }

    /// Makes a link for others and returns it. `role` and the rest as they are called on the form.
    pub(crate) async fn makes_link(&self, name: &str, role: &str, more: &[(&str, &str)]) -> String {
        self.opens_links().await;
        self.press("New link").await;
        self.fill("Name", name).await;
        self.press(role).await;
        for (field, option) in more {
            self.select(field, option).await;
        }
        self.press("Make the link").await;
        self.sees("The link is ready").await;
        let link = self.text_at(&format!("dialog [aria-label='{name}']")).await;
        self.closes_dialogs().await;
        link
    }

    /// Takes back a link; the room's new one, where it was that.
    pub(crate) async fn takes_back(&self, name: &str) -> Option<String> {
        self.opens_links().await;
        self.press(&format!("Take back {name}")).await;
        self.sees("Nobody gets in by this link any more").await;
        self.press_css("dialog .renewal [data-part=submit]").await;
        self.sees("The link was taken back").await;
        let new = match name {
            "The room’s link" => Some(self.text_at("dialog [aria-label='The room’s new link']").await),
            _ => None,
        };
        self.closes_dialogs().await;
        new
    }

    /// Removes a person, and returns the room's new link.
    pub(crate) async fn removes(&self, name: &str) -> String {
        self.begins_to_remove(name).await;
        self.press(&format!("Remove {name}")).await;
        self.sees(&format!("{name} was removed")).await;
        let link = self.text_at("dialog [aria-label='The room’s new link']").await;
        self.closes_dialogs().await;
        link
    }

    /// Opens the dialog that asks about a removal.
    pub(crate) async fn begins_to_remove(&self, name: &str) {
        self.press_css("[data-part='people']").await;
        self.choose_summary(name).await;
        self.press("Remove…").await;
        self.sees("can read nothing that is written from now on").await;
    }

    /// Ticks or unticks what begins so in an open dialog.
    pub(crate) async fn ticks(&self, words: &str, ticked: bool) {
        let script = "for (const box of document.querySelectorAll('dialog[open] details')) box.open = true;
            const row = [...document.querySelectorAll('dialog[open] label.tick')]
                .find((label) => label.textContent.trim().startsWith(arguments[0]));
            const box = row?.querySelector('input');
            if (box && box.checked !== arguments[1]) box.click();
            return box?.checked === arguments[1]";
        self.eventually(&format!("{words:?} is ticked: {ticked}"), async || {
            let arguments = vec![json!(words), json!(ticked)];
            (self.client().execute(script, arguments).await.ok()? == json!(true)).then_some(())
        })
        .await;
    }

    /// Opens the list of people, waits until exactly these are in it, and closes it.
    pub(crate) async fn lists_people(&self, names: &[&str]) {
        self.press_css("[data-part='people']").await;
        let script = "return [...document.querySelectorAll('dialog[open] .people summary bdi')]
            .map((one) => one.textContent).sort()";
        let mut expected = names.to_vec();
        expected.sort_unstable();
        self.eventually(&format!("exactly {expected:?} take part"), async || {
            (self.client().execute(script, vec![]).await.ok()? == json!(expected)).then_some(())
        })
        .await;
        self.closes_dialogs().await;
    }

    /// The link that makes another device the same person or the owner.
    pub(crate) async fn own_link(&self) -> String {
        self.press("Manage room").await;
        self.press("Me").await;
        self.press("My other device / recovery").await;
        let script = "return [...document.querySelectorAll('dialog output')].find((link) => link.checkVisibility())?.textContent";
        let link = self.eventually("the link is shown", async || {
            self.client().execute(script, vec![]).await.ok()?.as_str().map(str::to_owned)
        });
        let link = link.await;
        self.press("Close").await;
        link
    }
}
