//! The page as browsers get it: every file in the form in which it is sent, the headers that go with all of them, and
//! the manifest that names them.
//!
//! The component `web` compiles it in, `cargo xtask build` writes its manifest, and `cargo xtask verify` compares a
//! server with it. Whoever has the same `static/` gets the same bytes, on any machine.

mod bundle;
mod condense;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use sha2::{Digest, Sha256};

/// The page itself, for every address that is nobody else's.
pub const SHELL: &str = "/";

/// What a person sees who follows a link to nowhere. It has no address of its own.
pub const NOT_FOUND: &str = "/404.html";

/// The page that checks signed copies of rooms, in one file that also works from a disk.
pub const VERIFIER: &str = "/verify.html";

/// The folder that it is put together of, with what only it says.
const VERIFIERS: &str = "/verify/";
const VERIFIERS_WORDS: &str = ".verify.js";

/// The service worker. What it belongs to is written at its top.
pub const WORKER: &str = "/sw.js";

/// Nothing but our own files may run or be asked for, nobody may frame the page, and the only
/// strings that may become code are the service workers' addresses. Pictures, sound and film that members sent are
/// opened by the page and have no address but a `blob:` one.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
    media-src blob:; connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types buddy";

/// Devices that no room needs: no script that got in could ask for them. The microphone is for voice messages.
const PERMISSIONS_POLICY: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
    hid=(), magnetometer=(), microphone=(self), midi=(), payment=(), serial=(), usb=()";

/// Sent with every answer of the page, errors included; names in lowercase.
pub const HEADERS: [(&str, &str); 10] = [
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    // A process and memory of the page's own: no other site's page opens it, embeds its files, or shares its process.
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-resource-policy", "same-origin"),
    ("origin-agent-cluster", "?1"),
    ("permissions-policy", PERMISSIONS_POLICY),
    ("x-robots-tag", "noindex"),
    // Everything is asked for again with its ETag, so that a deployment never mixes versions.
    ("cache-control", "no-cache"),
];

/// All files of the page.
#[derive(Clone, Debug)]
pub struct Page {
    /// By address, such as `/app.js`, as they are sent; the worker without its first line.
    files: BTreeMap<String, Vec<u8>>,
}

impl Page {
    /// Reads the page from the folder `static/`. What is left out are hidden files, and type declarations, which no
    /// browser asks for.
    ///
    /// # Errors
    ///
    /// A folder or file that cannot be read, or whose name could not stand in an address or a manifest as it is.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        collect(folder, "", &mut files)?;
        put_together(&mut files)?;
        Ok(Self { files })
    }

    /// Every address and what it answers, byte for byte.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.files.clone();
        if let Some(worker) = files.get_mut(WORKER) {
            *worker = [self.deployment().as_bytes(), worker].concat();
        }
        files
    }

    /// One line for each file, ascending by address: its SHA-256 in lowercase hex, two spaces, its address. That is
    /// what `sha256sum` prints. Of the worker it is the hash of all but the first line, which this list makes.
    #[must_use]
    pub fn manifest(&self) -> String {
        let mut manifest = String::new();
        for (address, content) in &self.files {
            writeln!(manifest, "{}  {address}", hash(content)).expect("a string takes any text");
        }
        manifest
    }

    /// The page's name: the SHA-256 of its manifest, in lowercase hex.
    #[must_use]
    pub fn name(&self) -> String {
        hash(self.manifest().as_bytes())
    }

    /// The line that tells the service worker what belongs to its page: names and hashes need no escapes in JSON.
    fn deployment(&self) -> String {
        let files: Vec<_> =
            self.files.iter().map(|(path, content)| format!("\"{path}\":\"{}\"", hash(content))).collect();
        format!("self.deployment = {{\"page\":\"{}\",\"files\":{{{}}}}};\n", self.name(), files.join(","))
    }
}

/// The policy of a file that states its own, for the header that goes with it; none: it is the page's.
#[must_use]
pub fn own_policy(address: &str, content: &[u8]) -> Option<String> {
    let page = std::str::from_utf8(content).ok().filter(|_| address == VERIFIER)?;
    bundle::policy(page).map(|policy| format!("{policy}; frame-ancestors 'none'"))
}

/// The part of a page's name that people compare, in groups of four: 80 bits, for which nobody finds another page.
#[must_use]
pub fn spoken(name: &str) -> String {
    let digits: Vec<char> = name.chars().take(20).collect();
    digits.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// The media type of a file; none if this kind of file is not known.
#[must_use]
pub fn content_type(address: &str) -> Option<&'static str> {
    if address == SHELL {
        return Some("text/html; charset=utf-8");
    }
    Some(match address.rsplit_once('.')?.1 {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}

/// SHA-256 in lowercase hex.
#[must_use]
pub fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads every file below `folder`, whose address begins with `prefix`.
fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap_or_default();
        if name.starts_with('.') || name.ends_with(".d.ts") {
            continue;
        }
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
            let text = format!("{}: a file's name is an address, so only letters, digits, -._", entry.path().display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let address = format!("{prefix}/{name}");
        if entry.path().is_dir() {
            collect(&entry.path(), &address, files)?;
        } else {
            let address = if address == "/index.html" { SHELL.to_owned() } else { address };
            files.insert(address, as_sent(&name, fs::read(entry.path())?)?);
        }
    }
    Ok(())
}

/// Puts the page that checks copies into its one file; what only it needs has no address.
fn put_together(files: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    let own = |name: &str| format!("{VERIFIERS}{name}");
    let html = files.remove(&own("page.html")).unwrap_or_default();
    let html = String::from_utf8(html).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let page = bundle::page(&html, &own("main.js"), &["/style/base.css", &own("verify.css")], files)?;
    files.retain(|address, _| !address.starts_with(VERIFIERS) && !address.ends_with(VERIFIERS_WORDS));
    files.insert(VERIFIER.to_owned(), page.into_bytes());
    Ok(())
}

/// The content in the form that browsers get: scripts and style sheets without their comments.
fn as_sent(name: &str, content: Vec<u8>) -> io::Result<Vec<u8>> {
    if !name.ends_with(".js") && !name.ends_with(".css") {
        return Ok(content);
    }
    let source = String::from_utf8(content).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(condense::condense(&source).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        Page::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../static")).expect("static/ can be read")
    }

    fn small(app: &[u8], worker: &[u8]) -> Page {
        let files = [(SHELL, &b"<html>"[..]), ("/app.js", app), (NOT_FOUND, b"gone"), (WORKER, worker)];
        Page { files: files.map(|(address, content)| (address.to_owned(), content.to_vec())).into() }
    }

    #[test]
    fn a_manifest_lists_what_sha256sum_would_and_has_one_name() {
        let page = small(b"abc", b"work();\n");
        let manifest = page.manifest();
        let lines: Vec<&str> = manifest.lines().collect();
        // Of "abc", as FIPS 180-4 has it.
        assert_eq!(lines[2], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  /app.js");
        let addresses: Vec<&str> = lines.iter().filter_map(|line| line.split("  ").nth(1)).collect();
        assert_eq!(addresses, ["/", "/404.html", "/app.js", "/sw.js"]);
        assert_eq!(page.name(), hash(manifest.as_bytes()));
        assert_eq!(spoken(&page.name()).len(), 24);
        assert_eq!(spoken("0123456789abcdef0123456789"), "0123 4567 89ab cdef 0123");
    }

    #[test]
    fn the_same_files_have_the_same_manifest_and_one_byte_makes_another() {
        let twice = [page(), page()];
        assert_eq!(twice[0].manifest(), twice[1].manifest());
        assert!(twice[0].manifest().lines().count() > 50, "it lists the page");
        let pages = [small(b"abc", b"w"), small(b"abd", b"w"), small(b"abc", b"v")];
        let mut names = pages.map(|page| page.name()).to_vec();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 3);
    }

    #[test]
    fn the_worker_begins_with_what_belongs_to_its_page() {
        let page = small(b"abc", b"work();\n");
        let worker = page.files().remove(WORKER).expect("there is a worker");
        let (first, rest) = std::str::from_utf8(&worker).expect("text").split_once('\n').expect("lines");
        assert_eq!(rest, "work();\n");
        assert!(first.starts_with(&format!("self.deployment = {{\"page\":\"{}\",\"files\":{{\"/\":", page.name())));
        assert!(first.contains(&format!("\"/sw.js\":\"{}\"}}}};", hash(b"work();\n"))), "{first}");
    }

    #[test]
    fn the_page_that_checks_copies_is_one_file_that_asks_for_nothing() {
        let files = page().files();
        let content = &files[VERIFIER];
        let html = std::str::from_utf8(content).expect("text");
        for other in [" src=", " href=", "@import", " url(", "\nimport ", "\nexport "] {
            assert!(!html.contains(other), "{other}");
        }
        let policy = own_policy(VERIFIER, content).expect("it states one");
        assert!(policy.starts_with("default-src 'none'; ") && policy.ends_with("; frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("'self'") && !policy.contains("unsafe-"), "{policy}");
        assert_eq!(own_policy(SHELL, &files[SHELL]), None);
        assert!(!files.keys().any(|address| address.contains("verify/") || address.contains(".verify.")));
    }

    #[test]
    fn every_file_of_the_page_has_a_type() {
        for address in page().files().keys() {
            assert!(content_type(address).is_some(), "{address}");
        }
    }
}
