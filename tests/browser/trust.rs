//! Words and names that are made to break a reader's view.

use buddy_tests::{Server, client_id, eventually};
use serde_json::json;

use crate::insider::{Insider, Posted};
use crate::profile::Profile;
use crate::scene::Scene;

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

    async fn ben(&self) -> Profile {
        let ben = self.scene.newcomer().await;
        ben.joins(&self.link).await;
        ben
    }
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
