//! The content security policy and its company, as the browser takes them.

use serde_json::json;

use crate::profile::Profile;
use crate::scene::Scene;

const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src blob:; \
         connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types buddy",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("x-robots-tag", "noindex"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-cache"),
    ("vary", "accept-encoding"),
];

/// Tries what an injected script would, and tells what worked and what did not. Its argument is a server of another
/// origin, which lets everybody read its answers.
const ATTACKS: &str = "
    const [elsewhere] = arguments;
    const { active } = await navigator.serviceWorker.ready;
    const attacks = {
        'a string as code': () => eval('1'),
        'a string as markup': () => (document.createElement('p').innerHTML = '<b>bold</b>'),
        'a policy of another name': () => trustedTypes.createPolicy('other', { createHTML: (text) => text }),
        'a second policy of the same name': () => trustedTypes.createPolicy('buddy', { createHTML: (text) => text }),
        'a string as a worker': () => navigator.serviceWorker.register(active.scriptURL, { scope: '/elsewhere/' }),
        'another address': () => fetch(`http://${elsewhere}/api/health`),
        'an inline script': () => {
            const script = document.createElement('script');
            globalThis.ran = false;
            try { script.text = 'globalThis.ran = true'; } catch { script.append('globalThis.ran = true'); }
            document.body.append(script);
            if (!ran) throw new Error('it did not run');
        },
        'an inline style': () => {
            const text = document.createElement('p');
            text.setAttribute('style', 'color: rgb(255, 0, 0)');
            document.body.append(text);
            const { color } = getComputedStyle(text);
            text.remove();
            if (color !== 'rgb(255, 0, 0)') throw new Error('it has no effect');
        },
        'a frame': async () => {
            const frame = document.createElement('iframe');
            frame.src = '/api/health';
            const loaded = new Promise((done) => (frame.onload = done));
            document.body.append(frame);
            await loaded;
            const { pathname } = new URL(frame.contentDocument?.URL ?? 'about:blank');
            if (pathname !== '/api/health') throw new Error('nothing is in it');
        },
    };
    // Until here the debugger runs this, and to it everything is allowed.
    await new Promise((done) => setTimeout(done));
    const outcome = { worked: [], failed: [] };
    for (const [name, attack] of Object.entries(attacks)) {
        try {
            await attack();
            outcome.worked.push(name);
        } catch {
            outcome.failed.push(name);
        }
    }
    return outcome;";

/// Sends a form, which leads away from the page unless that is refused.
const FORM: &str = "
    document.addEventListener('securitypolicyviolation', () => (globalThis.refused = true), { once: true });
    const form = document.createElement('form');
    form.action = '/elsewhere';
    document.body.append(form);
    // Not as the debugger, to which everything is allowed.
    setTimeout(() => form.submit());";

#[tokio::test]
async fn the_browser_holds_the_page_to_its_policy() {
    let scene = Scene::set().await;

    let ana = scene.newcomer().await;
    ana.goto(&scene.start()).await;
    ana.sees("New room").await;
    for path in ["/", &format!("/r/{}", "5a".repeat(32)), "/app.js", "/style/base.css"] {
        let headers = "const { headers } = await fetch(arguments[0], { cache: 'no-store' });
            return Object.fromEntries(headers)";
        let headers = ana.execute_async(headers, vec![json!(path)]).await;
        for (name, value) in HEADERS {
            assert_eq!(headers[name], json!(value), "{name} of {path}");
        }
        assert!(headers["etag"].is_string(), "an answer that is asked for again has a tag: {path}");
    }
    ana.keeps_the_page().await;
    let quiet = ana.console().await;
    assert!(quiet.is_empty(), "loading the page breaks no rule: {quiet:?}");
    let attacks = async |who: &Profile| who.execute_async(ATTACKS, vec![json!(scene.server.address())]).await;
    let outcome = attacks(&ana).await;
    assert_eq!(outcome["worked"], json!([]), "what an injected script would do is refused");
    ana.execute(FORM, vec![]).await;
    ana.finds("the form is refused", "return globalThis.refused === true").await;
    assert_eq!(ana.address().await, scene.start());

    // Without the policy all of it works, so it is the policy that refuses it. Only frames the header
    // cross-origin-embedder-policy refuses as well.
    let unprotected = scene.newcomer().await;
    unprotected.cdp("Page.setBypassCSP", json!({ "enabled": true })).await;
    unprotected.goto(&scene.start()).await;
    unprotected.sees("New room").await;
    unprotected.keeps_the_page().await;
    let outcome = attacks(&unprotected).await;
    assert_eq!(outcome["failed"], json!(["a frame"]), "an injected script could do this");
    unprotected.execute(FORM, vec![]).await;
    unprotected
        .eventually("the form leads away", async || unprotected.address().await.contains("/elsewhere").then_some(()))
        .await;
}
