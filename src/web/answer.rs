//! What each address of the page answers. No host, no I/O: all of it can be tested natively.

use buddy_page::HEADERS;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};

use crate::assets::{self, Asset};
use crate::encoding;

/// Has browsers come by TLS alone from now on (RFC 6797), for so many seconds; 0: says nothing of it.
pub(crate) fn only_by_tls(headers: &mut HeaderMap, max_age_s: i64) {
    if max_age_s > 0 {
        let value = HeaderValue::try_from(format!("max-age={max_age_s}")).expect("a number is ASCII");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
}

/// Answers a request. `HEAD` gets what `GET` would get: the server drops the body.
pub(crate) fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Response<&'static [u8]> {
    let mut policy = None;
    let mut response = if method != Method::GET && method != Method::HEAD {
        method_not_allowed()
    } else if path == "/" || path == "/r" || path.starts_with("/r/") {
        send(assets::shell(), headers)
    } else if let Some(asset) = assets::find(path) {
        policy = asset.policy;
        send(asset, headers)
    } else {
        not_found(headers)
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Some(policy) = policy {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    response
}

fn send(asset: &Asset, headers: &HeaderMap) -> Response<&'static [u8]> {
    let form = encoding::choose(asset, &joined(headers, header::ACCEPT_ENCODING));
    let known = is_listed(&joined(headers, header::IF_NONE_MATCH), &form.etag);
    let mut response = Response::new(if known { &[] } else { form.bytes });
    let fields = response.headers_mut();
    fields.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    fields.insert(header::ETAG, HeaderValue::try_from(&form.etag).expect("a hash is ASCII"));
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    fields.insert(header::CONTENT_LENGTH, form.bytes.len().into());
    if let Some(encoding) = form.encoding {
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// A person gets a page to go on from; a script that asks for a missing module gets one line.
fn not_found(headers: &HeaderMap) -> Response<&'static [u8]> {
    let mut response = if joined(headers, header::ACCEPT).contains("text/html") {
        let mut unconditional = headers.clone();
        unconditional.remove(header::IF_NONE_MATCH);
        send(assets::not_found(), &unconditional)
    } else {
        text("Not found.\n")
    };
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn method_not_allowed() -> Response<&'static [u8]> {
    let mut response = text("The page answers only GET and HEAD.\n");
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn text(line: &'static str) -> Response<&'static [u8]> {
    let mut response = Response::new(line.as_bytes());
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    fields.insert(header::CONTENT_LENGTH, line.len().into());
    response
}

/// All lines of a list header as one.
fn joined(headers: &HeaderMap, name: HeaderName) -> String {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(", ")
}

/// Compares weakly (RFC 9110, section 13.1.2): proxies that compress turn our ETags into weak ones.
fn is_listed(if_none_match: &str, etag: &str) -> bool {
    if_none_match.split(',').map(str::trim).any(|listed| listed == "*" || listed.trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, headers: &[(&'static str, &str)]) -> Response<&'static [u8]> {
        request(Method::GET, path, headers)
    }

    fn request(method: Method, path: &str, headers: &[(&'static str, &str)]) -> Response<&'static [u8]> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("valid")))
            .collect();
        answer(&method, path, &headers)
    }

    fn field<'a>(response: &'a Response<&'static [u8]>, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    #[test]
    fn every_room_and_the_start_page_get_the_same_shell() {
        let start = get("/", &[]);
        assert_eq!(start.status(), 200);
        assert_eq!(field(&start, "content-type"), "text/html; charset=utf-8");
        assert_eq!(field(&start, "content-length"), start.body().len().to_string());
        for path in ["/r", "/r/", "/r/0", "/r/a/b", &format!("/r/{}", "0".repeat(64))] {
            assert_eq!(get(path, &[]).body(), start.body(), "{path}");
        }
    }

    #[test]
    fn every_answer_carries_the_strict_headers() {
        let answers = [
            get("/", &[]),
            get("/app.js", &[]),
            get("/missing.js", &[]),
            request(Method::POST, "/", &[]),
            get("/", &[("if-none-match", "*")]),
        ];
        for answer in answers {
            for (name, value) in HEADERS {
                assert_eq!(field(&answer, name), value, "{} {name}", answer.status());
            }
        }
    }

    #[test]
    fn the_page_that_checks_copies_has_a_policy_of_its_own() {
        for answer in [get("/verify.html", &[]), get("/verify.html", &[("if-none-match", "*")])] {
            let policy = field(&answer, "content-security-policy");
            assert!(policy.contains("script-src 'sha256-") && !policy.contains("'self'"), "{policy}");
            assert_eq!(field(&answer, "x-content-type-options"), "nosniff");
        }
        assert_eq!(get("/verify/main.js", &[]).status(), 404);
    }

    #[test]
    fn an_unchanged_file_is_not_sent_again() {
        let first = get("/app.js", &[("accept-encoding", "br")]);
        assert_eq!(field(&first, "content-encoding"), "br");
        assert_eq!(field(&first, "vary"), "accept-encoding");
        let etag = field(&first, "etag").to_owned();
        for listed in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}")] {
            let second = get("/app.js", &[("accept-encoding", "br"), ("if-none-match", &listed)]);
            assert_eq!(second.status(), 304, "{listed}");
            assert!(second.body().is_empty());
            assert_eq!(field(&second, "etag"), etag);
        }
        let plain = get("/app.js", &[("if-none-match", &etag)]);
        assert_eq!(plain.status(), 200, "another encoding is another representation");
    }

    #[test]
    fn what_is_missing_is_missing() {
        let navigation = get("/nowhere", &[("accept", "text/html,*/*;q=0.8"), ("if-none-match", "*")]);
        assert_eq!(navigation.status(), 404);
        assert_eq!(field(&navigation, "content-type"), "text/html; charset=utf-8");
        let script = get("/nowhere.js", &[("accept", "*/*")]);
        assert_eq!(script.status(), 404);
        assert_eq!(field(&script, "content-type"), "text/plain; charset=utf-8");
        assert_eq!(get("/index.html", &[]).status(), 404);
    }

    #[test]
    fn other_methods_are_refused_by_name() {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let answer = request(method, "/", &[]);
            assert_eq!(answer.status(), 405);
            assert_eq!(field(&answer, "allow"), "GET, HEAD");
        }
        assert_eq!(request(Method::HEAD, "/", &[]).status(), 200);
    }

    #[test]
    fn the_service_worker_knows_its_deployment() {
        let worker = get("/sw.js", &[]);
        assert!(worker.body().starts_with(b"self.deployment = {"));
    }
}
