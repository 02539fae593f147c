//! Requests of components to other servers: only to those that the manifest names, as under Spin.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, default_send_request};

/// The hosts that a component may ask.
pub(crate) type Grants = Vec<Host>;

/// A scheme, a name or address, and a port.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Host {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Host {
    /// Reads an entry of `allowed_outbound_hosts`. Of what Spin understands only exact HTTP hosts are.
    ///
    /// # Errors
    ///
    /// Says what is not supported.
    pub(crate) fn parse(entry: &str) -> Result<Self> {
        let uri: Uri = entry.parse().with_context(|| format!("{entry:?} is no host"))?;
        let is_bare = uri.query().is_none() && matches!(uri.path(), "" | "/");
        match Self::of(&uri) {
            // A port that is no number is none to the parser.
            Some(host) if is_bare && !entry.contains(['*', '{']) => Ok(host),
            _ => bail!("only exact hosts such as \"https://example.com:443\" are supported here, not {entry:?}"),
        }
    }

    /// Where a request goes.
    fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme().filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme))?.clone();
        let authority: &Authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let port = match authority.port() {
            Some(port) => port.as_str().parse().ok()?,
            None if scheme == Scheme::HTTPS => 443,
            None => 80,
        };
        Some(Self { scheme, host: authority.host().to_ascii_lowercase(), port })
    }
}

/// Sends an instance's requests, or denies them.
pub(crate) struct Outbound(pub(crate) Arc<Grants>);

impl Outbound {
    fn allows(&self, uri: &Uri) -> bool {
        Host::of(uri).is_some_and(|host| self.0.contains(&host))
    }
}

type Outcome = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _outcome: Outcome,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Outcome), Error>> + Send> {
        if !self.allows(request.uri()) {
            let authority = request.uri().authority().map_or("nobody", Authority::as_str);
            tracing::error!("a component may not ask {authority}: allowed_outbound_hosts does not name it");
            return Box::new(std::future::ready(Err(Error::HttpRequestDenied)));
        }
        Box::new(async move {
            let (response, connection) = default_send_request(request, options).await?;
            Ok((response.map(BodyExt::boxed_unsync), Box::new(connection) as Outcome))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbound(entries: &[&str]) -> Outbound {
        Outbound(Arc::new(entries.iter().map(|entry| Host::parse(entry).expect(entry)).collect()))
    }

    #[test]
    fn only_hosts_that_are_named_exactly_are_asked() {
        let outbound = outbound(&["https://push.example", "http://127.0.0.1:8080"]);
        for (uri, allowed) in [
            ("https://push.example/send?x=1", true),
            ("https://push.example:443/", true),
            ("https://PUSH.example/", true),
            ("http://127.0.0.1:8080/", true),
            ("http://push.example/", false),
            ("https://push.example:444/", false),
            ("https://push.example.evil.example/", false),
            ("https://sub.push.example/", false),
            ("https://push.example@evil.example/", false),
            ("https://evil@push.example/", false),
            ("http://127.0.0.1/", false),
            ("/send", false),
        ] {
            assert_eq!(outbound.allows(&uri.parse().expect(uri)), allowed, "{uri}");
        }
    }

    #[test]
    fn what_is_no_exact_host_is_refused() {
        for entry in [
            "https://*.push.example",
            "https://push.example:*",
            "*://push.example:443",
            "redis://push.example:6379",
            "https://push.example/path",
            "https://{{ host }}",
            "push.example",
            "",
        ] {
            let error = Host::parse(entry).expect_err(entry).to_string();
            assert!(error.contains(entry), "{error:?}");
        }
    }
}
