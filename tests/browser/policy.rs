//! The content security policy and its company, as the browser takes them.

use serde_json::json;

use crate::scene::Scene;

const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types buddy",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("x-robots-tag", "noindex"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-cache"),
    ("vary", "accept-encoding"),
];

/// Tries what an injected script would, and tells what worked all the same.
const ATTACKS: &str = "
    const attacks = {
        'a string as code': () => eval('1'),
        'a string as markup': () => (document.createElement('p').innerHTML = '<b>bold</b>'),
        'a policy of another name': () => trustedTypes.createPolicy('other', { createHTML: (text) => text }),
        'a second policy of the same name': () => trustedTypes.createPolicy('buddy', { createHTML: (text) => text }),
        'another worker': () => navigator.serviceWorker.register('/app.js'),
        'another address': async () => (await fetch('http://127.0.0.2:9/')).ok,
        'an inline script': async () => {
            const script = document.createElement('script');
            globalThis.ran = false;
            try { script.text = 'globalThis.ran = true'; } catch {}
            script.append('globalThis.ran = true');
            document.body.append(script);
            if (!ran) throw new Error('it did not run');
        },
        'an inline style': () => {
            const text = document.createElement('p');
            text.setAttribute('style', 'color: red');
            document.body.append(text);
            const { color } = getComputedStyle(text);
            text.remove();
            if (color !== 'rgb(255, 0, 0)') throw new Error('it has no effect');
        },
        'a foreign frame': async () => {
            const frame = document.createElement('iframe');
            const refused = new Promise((_, fail) => document.addEventListener('securitypolicyviolation', fail, { once: true }));
            frame.src = '/';
            document.body.append(frame);
            await Promise.race([refused, new Promise((done) => (frame.onload = () => setTimeout(done, 500)))]);
        },
        'a form': async () => {
            const form = document.createElement('form');
            form.action = '/elsewhere';
            document.body.append(form);
            const refused = new Promise((_, fail) => document.addEventListener('securitypolicyviolation', fail, { once: true }));
            form.submit();
            await refused;
        },
    };
    // Until here the debugger runs this, and to it everything is allowed.
    await new Promise((done) => setTimeout(done));
    const worked = [];
    for (const [name, attack] of Object.entries(attacks)) {
        try {
            await attack();
            worked.push(name);
        } catch {}
    }
    return worked;";

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
    let worked = ana.execute_async(ATTACKS, vec![]).await;
    assert_eq!(worked, json!([]), "what an injected script would do is refused");
}
