//! Which component a request goes to, and the headers that tell the component how it was reached.
//!
//! The matching itself is done by the crate that Spin uses, so that odd paths (doubled slashes,
//! dots, percent signs) end up where they would under Spin.

use std::collections::HashSet;
use std::net::SocketAddr;

use anyhow::{Result, anyhow, bail};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

/// The routes of an application, each leading to a `T`.
pub(crate) struct Router<T> {
    routes: routefinder::Router<Entry<T>>,
}

struct Entry<T> {
    /// As in the manifest.
    raw: String,
    /// As Spin reports it: with a slash at the start and none at the end.
    pattern: String,
    target: T,
}

/// A route that fits a path.
pub(crate) struct Match<'router, 'path, T> {
    path: &'path str,
    found: routefinder::Match<'router, 'path, Entry<T>>,
}

impl<T> Router<T> {
    /// Collects routes from patterns and targets.
    ///
    /// # Errors
    ///
    /// Names a pattern that is given twice or that cannot be one.
    pub(crate) fn new(routes: impl IntoIterator<Item = (String, T)>) -> Result<Self> {
        let mut router = routefinder::Router::new();
        let mut seen = HashSet::new();
        for (raw, target) in routes {
            let slash = if raw.starts_with('/') { "" } else { "/" };
            let pattern = format!("{slash}{}", raw.strip_suffix('/').unwrap_or(&raw));
            let spec = match pattern.strip_suffix("/...") {
                Some(prefix) => format!("{prefix}/*"),
                None => pattern.clone(),
            };
            if !seen.insert(spec.clone()) {
                bail!("the route `{raw}` is given twice");
            }
            let entry = Entry { raw: raw.clone(), pattern, target };
            router.add(spec.as_str(), entry).map_err(|error| anyhow!("the route `{raw}`: {error}"))?;
        }
        Ok(Self { routes: router })
    }

    /// The best route for a request's path: the one that is most exact, segment by segment.
    pub(crate) fn best<'router, 'path>(&'router self, path: &'path str) -> Option<Match<'router, 'path, T>> {
        self.routes.best_match(path).map(|found| Match { path, found })
    }

    /// Patterns and targets in the order in which they are tried.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.routes.iter().map(|(_, entry)| (entry.pattern.as_str(), &entry.target))
    }
}

impl<'router, T> Match<'router, '_, T> {
    pub(crate) fn target(&self) -> &'router T {
        &self.entry().target
    }

    /// Appends what Spin appends. A header of the same name that the client sent stays in front,
    /// as under Spin, so a component must trust the last one only.
    ///
    /// # Errors
    ///
    /// Fails where a value cannot stand in a header.
    pub(crate) fn append_headers(&self, headers: &mut HeaderMap, uri: &Uri, client: SocketAddr) -> Result<()> {
        let Entry { raw, pattern, .. } = self.entry();
        let component_route = raw.strip_suffix("/...").unwrap_or(raw);
        let mut append = |name: HeaderName, value: &str| {
            headers.append(name, HeaderValue::from_bytes(value.as_bytes())?);
            anyhow::Ok(())
        };
        append(HeaderName::from_static("spin-path-info"), &self.path_info())?;
        append(HeaderName::from_static("spin-full-url"), &uri.to_string())?;
        append(HeaderName::from_static("spin-matched-route"), pattern)?;
        append(HeaderName::from_static("spin-base-path"), "/")?;
        append(HeaderName::from_static("spin-raw-component-route"), raw)?;
        append(HeaderName::from_static("spin-component-route"), component_route)?;
        append(HeaderName::from_static("spin-client-addr"), &client.to_string())?;
        for (name, value) in &self.found.captures() {
            let name = format!("spin-path-match-{}", name.replace('_', "-"));
            append(HeaderName::from_bytes(name.as_bytes())?, value)?;
        }
        Ok(())
    }

    /// What `/...` stands for, with a slash at its start and the request's slash at its end.
    fn path_info(&self) -> String {
        let captures = self.found.captures();
        match captures.wildcard() {
            None => String::new(),
            Some(rest) => {
                let start = if rest.is_empty() { "" } else { "/" };
                let end = if self.path.ends_with('/') { "/" } else { "" };
                format!("{start}{rest}{end}")
            }
        }
    }

    fn entry(&self) -> &'router Entry<T> {
        self.found.handler()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router() -> Router<&'static str> {
        let routes = [
            ("/...", "web"),
            ("/api/...", "api"),
            ("/api/rooms", "rooms"),
            ("/api/rooms/:room", "room"),
            ("/api/rooms/:room/messages", "messages"),
            ("/api/rooms/:room/links", "links"),
            ("/api/rooms/:room/links/:link/open", "open"),
            ("/api/rooms/:room/files/:file", "file"),
            ("/api/rooms/:room/files/:file/:part", "part"),
            ("/api/health/", "health"),
        ];
        Router::new(routes.map(|(pattern, target)| (pattern.to_owned(), target))).expect("the routes are valid")
    }

    /// Tried with Spin 4.1's own router.
    #[test]
    fn paths_go_where_they_go_under_spin() {
        let cases = [
            ("/api/rooms", "rooms", "/api/rooms", ""),
            ("/api/rooms/", "rooms", "/api/rooms", ""),
            ("//api/rooms", "rooms", "/api/rooms", ""),
            ("/api//rooms", "api", "/api/...", "//rooms"),
            ("/api/rooms/x", "room", "/api/rooms/:room", ""),
            ("/api/rooms/a%2Fb", "room", "/api/rooms/:room", ""),
            ("/api/rooms/x/messages", "messages", "/api/rooms/:room/messages", ""),
            ("/api/rooms/x/messages//", "messages", "/api/rooms/:room/messages", ""),
            ("/api/rooms/x/messages/1", "api", "/api/...", "/rooms/x/messages/1"),
            ("/api/rooms/x/links", "links", "/api/rooms/:room/links", ""),
            ("/api/rooms/x/links/y", "api", "/api/...", "/rooms/x/links/y"),
            ("/api/rooms/x/links/y/open", "open", "/api/rooms/:room/links/:link/open", ""),
            ("/api/rooms/x/links/y/open/z", "api", "/api/...", "/rooms/x/links/y/open/z"),
            ("/api/rooms/x/files", "api", "/api/...", "/rooms/x/files"),
            ("/api/rooms/x/files/y", "file", "/api/rooms/:room/files/:file", ""),
            ("/api/rooms/x/files/y/0", "part", "/api/rooms/:room/files/:file/:part", ""),
            ("/api/rooms/x/files/y/0/z", "api", "/api/...", "/rooms/x/files/y/0/z"),
            ("/api/rooms/x/unknown", "api", "/api/...", "/rooms/x/unknown"),
            ("/api/rooms/../health", "api", "/api/...", "/rooms/../health"),
            ("/api/ROOMS/x", "api", "/api/...", "/ROOMS/x"),
            ("/api", "api", "/api/...", ""),
            ("/api/", "api", "/api/...", "/"),
            ("/api/health", "health", "/api/health", ""),
            ("/apix", "web", "/...", "/apix"),
            ("/r/x/", "web", "/...", "/r/x/"),
            ("/", "web", "/...", "/"),
        ];
        let router = router();
        for (path, target, pattern, path_info) in cases {
            let found = router.best(path).unwrap_or_else(|| panic!("{path} should have a route"));
            assert_eq!(*found.target(), target, "{path}");
            assert_eq!(found.entry().pattern, pattern, "{path}");
            assert_eq!(found.path_info(), path_info, "{path}");
        }
    }

    #[test]
    fn without_a_catch_all_a_path_may_have_no_route() {
        let router = Router::new([("/api".to_owned(), ())]).expect("the route is valid");
        assert!(router.best("/api").is_some());
        assert!(router.best("/other").is_none());
    }

    #[test]
    fn a_route_given_twice_is_refused() {
        for twice in [["/a", "/a/"], ["/a/...", "/a/*"]] {
            let error = Router::new(twice.map(|pattern| (pattern.to_owned(), ()))).err().expect("given twice");
            assert!(error.to_string().contains(twice[1]), "{error}");
        }
    }

    #[test]
    fn headers_tell_how_a_request_was_reached() {
        let router = router();
        let uri = Uri::from_static("http://localhost:3000/api/rooms/a%20b/messages?after=1");
        let mut headers = HeaderMap::new();
        headers.append("spin-client-addr", HeaderValue::from_static("made up by the client"));
        let found = router.best(uri.path()).expect("there is a route");
        found
            .append_headers(&mut headers, &uri, "127.0.0.1:50000".parse().expect("an address"))
            .expect("all values can stand in headers");
        let expected = [
            ("spin-path-info", ""),
            ("spin-full-url", "http://localhost:3000/api/rooms/a%20b/messages?after=1"),
            ("spin-matched-route", "/api/rooms/:room/messages"),
            ("spin-base-path", "/"),
            ("spin-raw-component-route", "/api/rooms/:room/messages"),
            ("spin-component-route", "/api/rooms/:room/messages"),
            ("spin-client-addr", "127.0.0.1:50000"),
            ("spin-path-match-room", "a%20b"),
        ];
        for (name, value) in expected {
            let last = headers.get_all(name).iter().next_back().unwrap_or_else(|| panic!("{name} is set"));
            assert_eq!(last, value, "{name}");
        }
    }
}
