//! Compiles the page into the component, so that it needs no file system and no grant.
//!
//! Every file is compressed once, here, with more effort than a server could spend on a request, and named by a hash
//! of its content, which becomes its ETag.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use buddy_page::Page;

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("../../static");
    let out = PathBuf::from(env::var("OUT_DIR").expect("set by cargo"));
    println!("cargo::rerun-if-changed={}", root.display());

    let page = Page::read(&root).expect("static/ can be read");
    let mut table = String::from("[\n");
    for (index, (path, content)) in page.files().iter().enumerate() {
        let plain = save(&out, index, "plain", content);
        let brotli = smaller(content, brotli(content)).map(|bytes| save(&out, index, "br", &bytes));
        let gzip = smaller(content, gzip(content)).map(|bytes| save(&out, index, "gz", &bytes));
        let include = |name: &str| format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}\"))");
        let optional =
            |name: Option<String>| name.map_or("None".to_owned(), |name| format!("Some({})", include(&name)));
        // Guessing a type would only show in a browser.
        let content_type = buddy_page::content_type(path)
            .unwrap_or_else(|| panic!("{path}: src/page does not know this kind of file"));
        writeln!(
            table,
            "    Asset {{ path: {path:?}, content_type: {content_type:?}, policy: {:?}, hash: {:?}, plain: {}, brotli: {}, gzip: {} }},",
            buddy_page::own_policy(path, content),
            &buddy_page::hash(content)[..32],
            include(&plain),
            optional(brotli),
            optional(gzip),
        )
        .expect("a string takes any text");
    }
    table.push(']');
    fs::write(out.join("assets.rs"), table).expect("cargo's folder can be written");
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
