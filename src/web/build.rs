//! Compiles `static/` into the component, so that it needs no file system and no grant.
//!
//! Scripts and style sheets are sent without their comments (`condense.rs`). Every file is
//! compressed once, here, with more effort than a server could spend on a request,
//! and named by a hash of its content, which becomes its ETag. The service worker gets the list
//! of all files and their hashes written at its top: a deployment that changes any file changes
//! the worker too, which is how browsers notice, and the worker can refuse a file that belongs
//! to another deployment.

#[path = "condense.rs"]
mod condense;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest, Sha256};

/// The service worker, as a path in `static/`.
const WORKER: &str = "/sw.js";

/// Pages that are answers to other addresses and have none of their own.
const PAGES: [&str; 2] = ["/404.html", "/index.html"];

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("../../static");
    let out = PathBuf::from(env::var("OUT_DIR").expect("set by cargo"));
    println!("cargo::rerun-if-changed={}", root.display());

    let mut files = BTreeMap::new();
    collect(&root, "", &mut files);
    let worker = files.remove(WORKER).expect("static/sw.js exists");
    let list = worker_list(&files);
    files.insert(WORKER.to_owned(), [list.as_bytes(), &worker].concat());

    let mut table = String::from("[\n");
    for (index, (path, content)) in files.iter().enumerate() {
        let plain = save(&out, index, "plain", content);
        let brotli = smaller(content, brotli(content)).map(|bytes| save(&out, index, "br", &bytes));
        let gzip = smaller(content, gzip(content)).map(|bytes| save(&out, index, "gz", &bytes));
        let include = |name: &str| format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}\"))");
        let optional =
            |name: Option<String>| name.map_or("None".to_owned(), |name| format!("Some({})", include(&name)));
        writeln!(
            table,
            "    Asset {{ path: {path:?}, content_type: {:?}, hash: {:?}, plain: {}, brotli: {}, gzip: {} }},",
            content_type(path),
            hash(content),
            include(&plain),
            optional(brotli),
            optional(gzip),
        )
        .expect("a string takes any text");
    }
    table.push(']');
    fs::write(out.join("assets.rs"), table).expect("cargo's folder can be written");
}

/// Reads every file below `folder`; keys are addresses such as `/app.js`.
fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("static/ can be read") {
        let entry = entry.expect("static/ can be read");
        let name = entry.file_name().into_string().expect("file names are UTF-8");
        let path = format!("{prefix}/{name}");
        // Type declarations are for the type checker; the browser never asks for them.
        if name.starts_with('.') || name.ends_with(".d.ts") {
            continue;
        }
        if entry.path().is_dir() {
            collect(&entry.path(), &path, files);
        } else {
            let content = fs::read(entry.path()).expect("static/ can be read");
            files.insert(path, as_sent(&name, content));
        }
    }
}

/// The content in the form that browsers get.
fn as_sent(name: &str, content: Vec<u8>) -> Vec<u8> {
    if name.ends_with(".js") || name.ends_with(".css") {
        condense::condense(&String::from_utf8(content).expect("source is UTF-8")).into_bytes()
    } else {
        content
    }
}

/// The line that tells the service worker what belongs to this deployment.
fn worker_list(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut whole = Sha256::new();
    let mut hashes = serde_json::Map::new();
    for (path, content) in files {
        whole.update(path.as_bytes());
        whole.update(Sha256::digest(content));
        let address = match path.as_str() {
            "/index.html" => "/",
            page if PAGES.contains(&page) => continue,
            other => other,
        };
        hashes.insert(address.to_owned(), hash(content).into());
    }
    let list = serde_json::json!({ "version": hex(&whole.finalize()[..8]), "files": hashes });
    format!("self.deployment = {list};\n")
}

/// An unknown extension stops the build: guessing a type would only show in a browser.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        Some("webmanifest") => "application/manifest+json",
        _ => panic!("static{path}: src/web/build.rs does not know this kind of file"),
    }
}

fn brotli(content: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    brotli::BrotliCompress(&mut &*content, &mut compressed, &parameters).expect("memory does not fail");
    compressed
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).expect("memory does not fail");
    encoder.finish().expect("memory does not fail")
}

/// A compressed form is kept only where it saves something.
fn smaller(content: &[u8], compressed: Vec<u8>) -> Option<Vec<u8>> {
    (compressed.len() < content.len()).then_some(compressed)
}

fn save(out: &Path, index: usize, suffix: &str, content: &[u8]) -> String {
    let name = format!("{index}.{suffix}");
    fs::write(out.join(&name), content).expect("cargo's folder can be written");
    name
}

/// The first half of the content's SHA-256, in hex.
fn hash(content: &[u8]) -> String {
    hex(&Sha256::digest(content)[..16])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
