//! Looks at a state of the page as everybody has it before them: on a phone and on a desk, by day and by night,
//! with large letters and on the narrowest screen. Each look is kept as a picture in `target/screenshots`, and
//! what it finds wrong is told at the end, all together.

use std::cell::RefCell;
use std::fs;
use std::sync::LazyLock;

use buddy_tests::project_root;
use serde_json::{Value, json};

use crate::profile::Profile;

const PHONE: (u32, u32) = (360, 740);
const DESK: (u32, u32) = (1280, 800);
const NARROWEST: (u32, u32) = (320, 640);

/// The audit, as npm installed it for the page's tests.
static AXE: LazyLock<String> = LazyLock::new(|| {
    let file = project_root().join("tests/page/node_modules/axe-core/axe.min.js");
    fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask test` installs it", file.display()))
});

/// Everything that WCAG 2.2 AA asks and a program can tell, and what axe-core's makers recommend beyond.
const AUDIT: &str = "
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const { violations } = await axe.run(document, { runOnly: tags, resultTypes: ['violations'] });
    return violations.map(({ id, help, nodes }) =>
        `${id}: ${help}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join('; ')}`);";

/// Whatever sticks out at the side or is hidden beneath something else.
const MISPLACED: &str = "
    const found = [];
    const name = (one) => `${one.localName}.${one.className} “${(one.innerText ?? '').trim().slice(0, 40)}”`;
    const { clientWidth, scrollWidth } = document.documentElement;
    if (scrollWidth > clientWidth) found.push(`the page is ${scrollWidth} px wide on a screen of ${clientWidth} px`);
    for (const box of document.querySelectorAll('.timeline, dialog'))
        if (box.scrollWidth > box.clientWidth) found.push(`${name(box)} scrolls sideways`);
    const dialog = [...document.querySelectorAll('dialog[open]')].pop();
    for (const one of (dialog ?? document).querySelectorAll('a, button, input, select, textarea, summary')) {
        if (!one.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
        const { left, right, top, bottom } = one.getBoundingClientRect();
        const column = one.closest('.sheet');
        const padding = column ? parseFloat(getComputedStyle(column).paddingInlineEnd) : 0;
        const edge = (column?.getBoundingClientRect().right ?? clientWidth) - padding;
        if (left < -0.5 || right > edge + 0.5) found.push(`${name(one)} reaches from ${left} to ${right} px`);
        const [x, y] = [(left + right) / 2, (top + bottom) / 2];
        // What is scrolled out of sight is covered by right.
        const holder = one.closest('.timeline, .banners, dialog');
        const seen = holder?.getBoundingClientRect() ?? { top: 0, bottom: innerHeight };
        if (y < seen.top || y > seen.bottom || y > innerHeight) continue;
        const front = document.elementFromPoint(x, y);
        if (front && !one.contains(front) && !front.contains(one) && !front.closest('#toasts, .dialog-head, .jump'))
            found.push(`${name(one)} lies beneath ${name(front)}`);
    }
    return found;";

/// What can be told from a complaint in the console: the policy was broken, or the page was.
const COMPLAINTS: [&str; 3] = ["Content Security Policy", "Trusted", "Uncaught"];

#[derive(Default)]
pub(crate) struct Gallery {
    problems: RefCell<Vec<String>>,
}

impl Gallery {
    /// Looks at what is shown now, from all sides. The person's browser looks as before when it is done.
    pub(crate) async fn show(&self, person: &Profile, state: &str) {
        for (scheme, (width, height)) in [("light", PHONE), ("light", DESK), ("dark", PHONE), ("dark", DESK)] {
            self.look(person, scheme, (width, height)).await;
            person.save_screenshot(&format!("{state}-{width}-{scheme}.png")).await;
            let look = format!("{state} in {scheme} at {width} px");
            self.note(&look, MISPLACED, person).await;
            // Colours are the same on all screens, and all else is the same by day and by night.
            if (scheme == "light") == ((width, height) == PHONE) {
                self.audit(person, &look).await;
            }
        }
        self.look(person, "light", NARROWEST).await;
        self.note(&format!("{state} at {} px", NARROWEST.0), MISPLACED, person).await;
        self.look(person, "light", PHONE).await;
        person.execute("document.documentElement.style.fontSize = '200%'", vec![]).await;
        person.save_screenshot(&format!("{state}-{}-large.png", PHONE.0)).await;
        self.note(&format!("{state} with text at 200 %"), MISPLACED, person).await;
        person.execute("document.documentElement.style.fontSize = ''", vec![]).await;
        person.prefer(&[]).await;
        person.cdp("Emulation.setScrollbarsHidden", json!({ "hidden": false })).await;
        person.unsize().await;
        self.listen(person, state).await;
    }

    /// Takes what the browser complained about since the last time.
    pub(crate) async fn listen(&self, person: &Profile, state: &str) {
        for line in person.console().await {
            if COMPLAINTS.iter().any(|word| line.contains(word)) {
                self.problems.borrow_mut().push(format!("{state}: console: {line}"));
            }
        }
    }

    /// Fails if anything was wrong anywhere.
    pub(crate) fn close(self) {
        let problems = self.problems.into_inner();
        assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    }

    /// Nothing moves, so that no picture and no colour is taken halfway.
    async fn look(&self, person: &Profile, scheme: &str, (width, height): (u32, u32)) {
        person.resize(width, height).await;
        // A phone's lie above the page and take no room.
        person.cdp("Emulation.setScrollbarsHidden", json!({ "hidden": width < DESK.0 })).await;
        person.prefer(&[("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")]).await;
        // Two frames: what watches sizes has answered by then.
        let frames = "await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))";
        person.execute_async(frames, vec![]).await;
    }

    async fn audit(&self, person: &Profile, look: &str) {
        if person.execute("return typeof axe", vec![]).await != json!("object") {
            person.execute(&AXE, vec![]).await;
        }
        self.note(look, AUDIT, person).await;
    }

    async fn note(&self, look: &str, script: &str, person: &Profile) {
        let found = person.execute_async(script, vec![]).await;
        let found = found.as_array().expect("what is wrong comes as a list").iter().filter_map(Value::as_str);
        self.problems.borrow_mut().extend(found.map(|problem| format!("{look}: {problem}")));
    }
}
