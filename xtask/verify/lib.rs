//! Compares what a server gives out as the page with what it should be, byte for byte and header for header.
//!
//! What it can tell is what the server tells *it*: a server may give somebody else other code.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use buddy_page::{HEADERS, NOT_FOUND, Page, SHELL};
use reqwest::header::HeaderMap;
use reqwest::{Client, Response, Url};
use tokio::task::JoinSet;

/// How long one answer may take, its body included.
const ANSWER: Duration = Duration::from_secs(15);
/// How long all may take.
const ALL: Duration = Duration::from_secs(180);
/// Requests at once.
const AT_ONCE: usize = 8;
/// A compressed form is smaller than the file, unless a proxy compresses what does not gain by it.
const SLACK: usize = 1_024;

/// The forms in which browsers take a file, and no compression. Each may hold something else.
const ENCODINGS: [&str; 3] = ["identity", "gzip", "br"];

/// Where the shell answers, too: a room that nobody has, and no room.
const ROOMS: [&str; 2] = ["/r", "/r/0000000000000000000000000000000000000000000000000000000000000000"];
/// Where nothing is.
const NOWHERE: &str = "/nothing-is-here";

/// What says how an answer came and nothing of what a browser does with it. Whatever else a server adds may: give the
/// worker another scope, load more, send reports, keep cookies.
const HARMLESS: [&str; 14] = [
    "accept-ranges",
    "age",
    "alt-svc",
    "connection",
    "content-encoding",
    "content-length",
    "date",
    "etag",
    "keep-alive",
    "server",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "via",
];

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The path of the address.
    pub address: String,
    /// The encoding that was asked for.
    pub encoding: &'static str,
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.address, self.encoding, self.what)
    }
}

/// What one address should answer.
struct Expected {
    status: u16,
    content_type: &'static str,
    /// The policy of a file that has one of its own.
    policy: Option<String>,
    content: Vec<u8>,
}

/// Asks the server at `url` for every file of `page` in every form, and tells what differs, ascending. Redirects are not
/// followed: they are differences.
///
/// # Errors
///
/// A `url` with a path, or of another kind than `http` and `https`; a server that does not answer, in time.
pub async fn compare(url: &str, page: &Page) -> Result<Vec<Difference>> {
    let server = Url::parse(url).with_context(|| format!("{url} is no address"))?;
    if !matches!(server.scheme(), "http" | "https") || server.path() != "/" || server.query().is_some() {
        bail!("{url}: the address of a server is wanted, such as https://chat.example.org");
    }
    #[cfg(feature = "tls")]
    // Whoever installed a provider before has the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(ANSWER).build()?;
    let all = tokio::time::timeout(ALL, compare_all(client, server, page));
    all.await.with_context(|| format!("{url} took longer than {} s", ALL.as_secs()))?
}

async fn compare_all(client: Client, server: Url, page: &Page) -> Result<Vec<Difference>> {
    let wanted: Vec<(String, Arc<Expected>)> =
        expected(page)?.into_iter().map(|(at, one)| (at, Arc::new(one))).collect();
    let mut waiting = wanted
        .iter()
        .flat_map(|(address, expected)| ENCODINGS.map(|encoding| (address.clone(), encoding, Arc::clone(expected))));
    let mut differences = Vec::new();
    let mut asking = JoinSet::new();
    loop {
        while asking.len() < AT_ONCE
            && let Some((address, encoding, expected)) = waiting.next()
        {
            let (client, url) = (client.clone(), server.join(&address)?);
            asking.spawn(async move { ask(&client, url, encoding, &expected).await });
        }
        let Some(asked) = asking.join_next().await else { break };
        differences.extend(asked??);
    }
    differences.sort();
    Ok(differences)
}

fn expected(page: &Page) -> Result<BTreeMap<String, Expected>> {
    let mut expected = BTreeMap::new();
    for (address, content) in page.files() {
        let content_type =
            buddy_page::content_type(&address).with_context(|| format!("{address}: of no known type"))?;
        let policy = buddy_page::own_policy(&address, &content);
        let one = |status| Expected { status, content_type, policy: policy.clone(), content: content.clone() };
        if address == NOT_FOUND {
            expected.insert(NOWHERE.to_owned(), one(404));
            continue;
        }
        if address == SHELL {
            expected.extend(ROOMS.map(|room| (room.to_owned(), one(200))));
        }
        expected.insert(address, one(200));
    }
    Ok(expected)
}

async fn ask(client: &Client, url: Url, encoding: &'static str, expected: &Expected) -> Result<Vec<Difference>> {
    let address = url.path().to_owned();
    let request = client.get(url.clone()).header("accept-encoding", encoding).header("accept", "text/html,*/*;q=0.8");
    let answer = request.send().await.with_context(|| format!("{url} does not answer"))?;
    let mut found = Vec::new();
    let status = answer.status().as_u16();
    if status == expected.status {
        found.extend(headers(answer.headers(), expected));
        match content(answer, expected.content.len()).await {
            Ok(content) if content == expected.content => {}
            Ok(content) => {
                let [wanted, got] = [&expected.content, &content].map(|content| buddy_page::hash(content));
                found.push(format!("its content is {got}, not {wanted}"));
            }
            Err(error) => found.push(format!("its content cannot be read: {error:#}")),
        }
    } else {
        let leads = answer.headers().get("location").map(|to| format!(" and leads to {}", printable(to.as_bytes())));
        found.push(format!("it answers {status}, not {}{}", expected.status, leads.unwrap_or_default()));
    }
    Ok(found.into_iter().map(|what| Difference { address: address.clone(), encoding, what }).collect())
}

/// What of an answer's headers is not as it should be.
fn headers(headers: &HeaderMap, expected: &Expected) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in HEADERS.into_iter().chain([("content-type", expected.content_type)]) {
        let own = expected.policy.as_deref().filter(|_| name == "content-security-policy");
        let value = own.unwrap_or(value);
        let told: Vec<_> = headers.get_all(name).iter().map(|value| printable(value.as_bytes())).collect();
        if told != [value] {
            let told = if told.is_empty() { "missing".to_owned() } else { format!("“{}”", told.join("”, “")) };
            found.push(format!("its header {name} is {told}, not “{value}”"));
        }
    }
    for name in headers.keys().map(|name| name.as_str()) {
        let known = name == "content-type" || HARMLESS.contains(&name) || HEADERS.iter().any(|(one, _)| *one == name);
        if !known {
            let told = headers.get(name).map(|value| printable(value.as_bytes())).unwrap_or_default();
            found.push(format!("a header {name} that the page does not have: “{told}”"));
        }
    }
    found
}

/// The content without its encoding; an error if it has more than `length` bytes, however small it came.
async fn content(mut answer: Response, length: usize) -> Result<Vec<u8>> {
    let encoding = answer.headers().get("content-encoding").map(|value| printable(value.as_bytes()));
    let mut sent = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        sent.extend_from_slice(&piece);
        if sent.len() > length + SLACK {
            bail!("it is longer than {length} bytes");
        }
    }
    decoded(encoding.as_deref(), sent, length)
}

/// What was sent, without its encoding; an error if that is longer than `length` bytes.
fn decoded(encoding: Option<&str>, sent: Vec<u8>, length: usize) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let most = length as u64 + 1;
    match encoding {
        None | Some("identity") => content = sent,
        Some("gzip") => drop(flate2::read::GzDecoder::new(&sent[..]).take(most).read_to_end(&mut content)?),
        Some("br") => drop(brotli::Decompressor::new(&sent[..], 4_096).take(most).read_to_end(&mut content)?),
        Some(other) => bail!("it is encoded as {other}"),
    }
    if content.len() > length {
        bail!("it is longer than {length} bytes");
    }
    Ok(content)
}

/// What a server says, fit for a terminal.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(2_000).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_unpacks_to_more_than_it_should_is_not_unpacked() {
        let large = vec![0; 64 * 1024 * 1024];
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&large).expect("memory does not fail");
        let sent = encoder.finish().expect("memory does not fail");
        let error = decoded(Some("gzip"), sent.clone(), 1_000).expect_err("it is too long");
        assert_eq!(error.to_string(), "it is longer than 1000 bytes");
        assert_eq!(decoded(Some("gzip"), sent, large.len()).expect("it fits").len(), large.len());
    }
}
