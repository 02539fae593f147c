//! In the language, the colours and by the clock that one wants, whatever others have.

use serde_json::json;

use crate::gallery::Gallery;
use crate::profile::Profile;
use crate::scene::Scene;

/// Which files with words were asked for.
const LOADED: &str = "return performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)
    .filter((path) => path.startsWith('/languages/')).sort()";

/// Has the browser ask for a language.
async fn speaks(person: &Profile, languages: &str) {
    let agent = person.execute("return navigator.userAgent", vec![]).await;
    let asked = json!({ "userAgent": agent, "acceptLanguage": languages });
    person.cdp("Emulation.setUserAgentOverride", asked).await;
}

#[tokio::test]
async fn a_room_speaks_german_to_one_and_english_to_another_and_looks_as_each_wants() {
    let scene = Scene::set().await;
    let gallery = Gallery::default();

    let ana = scene.newcomer().await;
    speaks(&ana, "de-DE,de,en").await;
    ana.goto(&scene.start()).await;
    ana.sees("Kein Konto, kein Tracking").await;
    assert_eq!(ana.execute("return document.documentElement.lang", vec![]).await, json!("de"));
    assert_eq!(ana.execute(LOADED, vec![]).await, json!(["/languages/de.start.js"]), "one language, and what is shown");
    ana.press("Name, Ablauf, verschwindende Nachrichten").await;
    gallery.show(&ana, "german-start").await;

    ana.press("Neuer Raum").await;
    let link = ana.link().await;
    ana.sees("Schick diesen Link").await;
    ana.fill("Dein Name", "Ana").await;
    ana.type_into("Nachricht", "Wer bringt das Zelt mit?").await;
    ana.press("Senden").await;
    ana.reads(&["Wer bringt das Zelt mit?"]).await;

    let ben = scene.guest("Ben", &link).await;
    ben.say("I do").await;
    ben.sees("Ana owns this room.").await;
    ana.sees("Ben ist beigetreten.").await;
    ana.sees("noch 1 da").await;
    ana.reads(&["Wer bringt das Zelt mit?", "I do"]).await;
    ana.has_sent_all().await;
    gallery.show(&ana, "german-room").await;

    ana.press("Raum verwalten").await;
    ana.sees("Dieser Raum gehört dir").await;
    ana.press("Ich").await;
    ana.sees("So nennt dieser Browser den Raum").await;
    gallery.show(&ana, "german-me").await;
    ana.press("Ändern").await;
    ana.sees("Wie im Browser").await;
    gallery.show(&ana, "german-look").await;

    // What is chosen holds at once and from then on, and only here.
    ana.execute("document.querySelector('[name=hours]').value = '12'", vec![]).await;
    ana.select("Farben", "Dunkel").await;
    ana.press("Speichern").await;
    ana.finds("the clock has twelve hours", "return /[AP]M$/.test(document.querySelector('time')?.textContent ?? '')")
        .await;
    let dark = "const { documentElement: root } = document;
        const shown = [...document.querySelectorAll('meta[name=theme-color]')].filter(({ media }) => matchMedia(media).matches);
        return getComputedStyle(root).colorScheme === 'dark' && getComputedStyle(root).backgroundColor === 'rgb(18, 21, 19)'
            && shown.length === 1 && shown[0].content === '#121513'";
    ana.finds("it is dark", dark).await;
    ana.reads(&["Wer bringt das Zelt mit?", "I do"]).await;
    ana.save_screenshot("german-room-chosen-dark.png").await;

    ana.press("Alle Räume").await;
    ana.press("Sprache und Aussehen").await;
    ana.select("Sprache", "English").await;
    ana.press("Speichern").await;
    ana.sees("No account, no tracking").await;
    ana.finds("it is still dark", dark).await;
    assert_eq!(ana.execute("return document.documentElement.lang", vec![]).await, json!("en"));

    // Without a network, too, in either language.
    ana.keeps_the_page().await;
    ana.set_offline(true).await;
    ana.goto(&link).await;
    ana.sees("You are offline. What you write is kept here").await;
    ana.execute("localStorage.removeItem('buddy/choices')", vec![]).await;
    ana.refresh().await;
    ana.sees("Du bist offline. Was du schreibst, bleibt hier").await;
    ana.reads(&["Wer bringt das Zelt mit?", "I do"]).await;
    ana.set_offline(false).await;

    gallery.close();
}
