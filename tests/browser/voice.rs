//! Voice messages: recorded with and without hands, sent, and heard by somebody else.

use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::gallery::Gallery;
use crate::profile::Profile;
use crate::scene::Scene;

/// Lets a test ask what plays, which stands nowhere in the document.
const OVERHEAR: &str = "
    const Own = globalThis.Audio;
    globalThis.heard = [];
    globalThis.Audio = function (...more) {
        const one = new Own(...more);
        heard.push(one);
        return one;
    };";

/// The page of a tab that is not in front.
const HIDE: &str = "
    Object.defineProperty(document, 'hidden', { value: true, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
    delete document.hidden;";

impl Profile {
    /// Waits until the recording is of this kind, such as `held`.
    async fn records(&self, how: &str) {
        let script = format!("return document.querySelector('.composer').dataset.recording === '{how}'");
        self.finds(&format!("the recording is {how}"), &script).await;
    }

    /// Waits until something was recorded for two seconds.
    async fn speaks(&self) {
        self.finds("two seconds", "return document.querySelector('.recording-time').textContent >= '0:02'").await;
    }

    /// Waits until so many voice messages are shown, and all of one's own are sent.
    async fn has_voices(&self, count: usize) {
        let script = format!("return document.querySelectorAll('.voice').length === {count}");
        self.finds(&format!("{count} voice messages"), &script).await;
        self.has_sent_all().await;
    }

    /// Puts a mouse on the button that records, and presses, moves or releases it.
    async fn mouse(&self, kind: &str, aside: i64) {
        let place = "const { x, y, width, height } = document.querySelector('.voice-button').getBoundingClientRect();
            return [Math.round(x + width / 2), Math.round(y + height / 2)]";
        let place = self.execute(place, vec![]).await;
        let at = |index: usize| place[index].as_i64().expect("a number");
        let buttons = i64::from(kind != "mouseReleased");
        let event = json!({ "type": kind, "x": at(0) - aside, "y": at(1), "button": "left", "buttons": buttons, "clickCount": 1 });
        self.cdp("Input.dispatchMouseEvent", event).await;
    }
}

#[tokio::test]
async fn a_voice_message_is_recorded_with_or_without_hands_and_heard_by_somebody_else() {
    let gallery = Gallery::default();
    let scene = Scene::set().await;
    // A microphone that beeps, and leave to use it.
    let browser = scene.driver.browser();
    let browser = browser.argument("--use-fake-device-for-media-stream").argument("--use-fake-ui-for-media-stream");
    let ana = scene.driver.open(&browser).await;
    let link = ana.makes_room(&scene.start()).await;
    ana.calls_themself("Ana").await;
    let ben = scene.newcomer().await;
    ben.before_each_page(OVERHEAR).await;
    ben.joins(&link).await;
    ben.calls_themself("Ben").await;
    ben.say("How was it?").await;
    ana.reads(&["How was it?"]).await;

    // By keyboard alone.
    ana.execute("document.querySelector('.voice-button').focus()", vec![]).await;
    ana.keys(&Key::Enter.to_string()).await;
    ana.records("running").await;
    ana.finds("what ends it has the focus", "return document.activeElement.ariaLabel === 'Stop and send'").await;
    ana.speaks().await;
    gallery.show(&ana, "voice-recording").await;
    ana.keys(&Key::Enter.to_string()).await;
    ana.has_voices(1).await;
    ana.finds("one may write again", "return document.activeElement.matches('textarea')").await;

    ben.has_voices(1).await;
    let lasts = ben.text_at(".voice-time").await;
    assert!(lasts.as_str() >= "0:02", "{lasts}");
    assert_eq!(ana.text_at(".voice-time").await, lasts);
    // Beeps are louder than what is between them.
    let bars = "const bars = document.querySelector('.voice path').getAttribute('d').match(/v[\\d.]+/g).map((bar) => Number(bar.slice(1)));
        return bars.length === 48 && Math.max(...bars) === 28 && Math.min(...bars) < 8";
    ben.finds("the waveform is drawn", bars).await;
    ben.press("Play").await;
    ben.finds("it plays", "return heard.length === 1 && !heard[0].paused && heard[0].currentTime > 0.1").await;
    ben.press("Speed 1×").await;
    ben.finds("it plays faster", "return heard[0].playbackRate === 1.5").await;
    ben.finds("it moves on", "return document.querySelector('.voice input').value > 300").await;
    ben.press("Pause").await;
    ben.finds("it is silent", "return heard[0].paused && document.querySelector('[data-playing]') === null").await;
    let at = "const slider = document.querySelector('.voice input'); slider.focus(); return Number(slider.value)";
    let before = ben.execute(at, vec![]).await.as_i64().expect("a number");
    ben.keys(&Key::Right.to_string()).await;
    let after = format!("return Math.abs(heard[0].currentTime * 1000 - {}) < 60", before + 1000);
    ben.finds("it goes on a second later", &after).await;
    gallery.show(&ben, "voice").await;

    // Answered while it is recorded; a page that is hidden records no more, and offline it waits as all else does.
    ana.press_in("How was it?", "Reply").await;
    ana.sees("Answering Ben").await;
    ana.press("Record a voice message").await;
    ana.records("running").await;
    ana.speaks().await;
    ana.execute(HIDE, vec![]).await;
    ana.records("ended").await;
    ana.sees("Stopped because the page was hidden. Send it?").await;
    gallery.show(&ana, "voice-ended").await;
    ana.set_offline(true).await;
    ana.press("Send").await;
    ana.sees_at(".message[data-state=sending] .voice").await;
    ana.set_offline(false).await;
    ana.has_voices(2).await;
    ben.has_voices(2).await;
    ben.finds("it is an answer", "return document.querySelectorAll('.message:has(.voice) .quote').length === 1").await;

    // One plays at a time, at the speed that was chosen.
    let plays = "return heard.filter(({ paused }) => !paused).length === 1 && heard.at(-1).playbackRate === 1.5";
    for which in [0, -1] {
        let press = format!("[...document.querySelectorAll('.voice-play')].at({which}).click()");
        ben.execute(&press, vec![]).await;
        ben.finds("one plays", plays).await;
    }

    // Held as long as one speaks; drawn aside, or given up with Escape, it was nothing.
    ana.mouse("mousePressed", 0).await;
    ana.records("held").await;
    ana.speaks().await;
    ana.mouse("mouseReleased", 0).await;
    ana.has_voices(3).await;
    ben.has_voices(3).await;
    ana.mouse("mousePressed", 0).await;
    ana.records("held").await;
    ana.sees("Slide away to discard").await;
    ana.save_screenshot("voice-held.png").await;
    ana.mouse("mouseMoved", 200).await;
    ana.sees("Let go to discard").await;
    ana.mouse("mouseReleased", 200).await;
    ana.sees("The recording was discarded").await;
    ana.press("Record a voice message").await;
    ana.records("running").await;
    ana.keys(&Key::Escape.to_string()).await;
    ana.sees("Stopped. Send it?").await;
    ana.keys(&Key::Escape.to_string()).await;
    ana.finds("it is gone", "return document.querySelector('.recording') === null").await;
    ana.has_voices(3).await;

    // Who has no microphone is told so; and what one chose holds after the page is loaded again.
    ben.press("Record a voice message").await;
    ben.sees("microphone").await;
    ben.finds("one can write", "return document.querySelector('.recording') === null").await;
    ben.refresh().await;
    ben.sees_at(".voice-speed").await;
    assert_eq!(ben.text_at(".voice-speed").await, "1.5×");
    let complaints = ana.console().await;
    assert!(!complaints.iter().any(|line| line.contains("Content Security Policy")), "{complaints:?}");
    assert_eq!(ana.execute("return document.querySelectorAll('.message').length", vec![]).await, Value::from(4));
    gallery.close();
}
