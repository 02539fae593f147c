//! Puts modules that need each other into one script, and a page with its script and style into one file, which works
//! from a disk: there a browser loads no module and no style sheet of another file.
//!
//! It knows lines and not the language, as [`condense`](crate::condense) does, whose form it reads: what a module
//! imports and exports stands at the beginning of a line. Each module becomes a function with names of its own. All of
//! them say what they export before any of them begins, so that two may need functions of each other.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// What goes before the policy's hashes: nothing is loaded and nobody asked, and no string becomes code.
const POLICY: &str = "default-src 'none'; img-src blob:; media-src blob:; base-uri 'none'; form-action 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// A module, read: what it takes from others, what it gives, and its code without either.
#[derive(Default)]
struct Module {
    /// Addresses, with the names in the form of a pattern: `a, b: c`.
    imports: Vec<(String, String)>,
    /// Names, as others know them and as the code has them.
    exports: Vec<(String, String)>,
    code: String,
}

/// One page of the folder: its `page.html` with the script at `script` and all that this imports, and with style sheets.
/// `files` are condensed.
///
/// # Errors
///
/// A module that is missing, or is written in a form that is not known here.
pub(crate) fn page(html: &str, script: &str, styles: &[&str], files: &BTreeMap<String, Vec<u8>>) -> io::Result<String> {
    let script = bundle(script, files)?;
    let style = styles.iter().map(|path| text(path, files)).collect::<io::Result<Vec<_>>>()?.concat();
    for (kind, end) in [(&script, "</script"), (&style, "</style")] {
        if kind.to_ascii_lowercase().contains(end) || kind.contains("<!--") {
            return Err(wrong(format!("{end} would end what stands in the page")));
        }
    }
    let [script_hash, style_hash] = [&script, &style].map(|one| STANDARD.encode(Sha256::digest(one)));
    let policy = format!("{POLICY}; script-src 'sha256-{script_hash}'; style-src 'sha256-{style_hash}'");
    let mut page = html.to_owned();
    for (place, content) in [("{policy}", &policy), ("{style}", &style), ("{script}", &script)] {
        let (before, after) = page.split_once(place).ok_or_else(|| wrong(format!("the page has no {place}")))?;
        page = [before, content, after].concat();
    }
    Ok(page)
}

/// The policy that a page of [`page`] states.
pub(crate) fn policy(page: &str) -> Option<&str> {
    page.split_once("http-equiv=\"content-security-policy\" content=\"")?.1.split_once('"').map(|(policy, _)| policy)
}

/// One script of a module and all that it imports.
fn bundle(first: &str, files: &BTreeMap<String, Vec<u8>>) -> io::Result<String> {
    let mut found = Vec::new();
    let mut modules = BTreeMap::new();
    collect(first, files, &mut found, &mut modules)?;
    let number = |path: &str| found.iter().position(|one| one == path).expect("what is imported was collected");
    let mut script = String::from("\"use strict\";\n{\nconst given = [];\nconst modules = [\n");
    for path in &found {
        let Module { imports, exports, code } = &modules[path];
        let exports: Vec<_> = exports.iter().map(|(name, own)| format!("get {name}() {{ return {own}; }}")).collect();
        writeln!(script, "// {path}\nfunction* () {{\nyield {{ {} }};", exports.join(", "))
            .expect("a string takes any text");
        for (from, names) in imports {
            writeln!(script, "const {{ {names} }} = given[{}];", number(from)).expect("a string takes any text");
        }
        writeln!(script, "{code}}},").expect("a string takes any text");
    }
    script.push_str("].map((module) => module());\n");
    script.push_str("for (const module of modules) given.push(module.next().value);\n");
    script.push_str("for (const module of modules) module.next();\n}\n");
    Ok(script)
}

/// Reads a module and what it imports; what is needed comes before what needs it.
fn collect(
    path: &str,
    files: &BTreeMap<String, Vec<u8>>,
    found: &mut Vec<String>,
    modules: &mut BTreeMap<String, Module>,
) -> io::Result<()> {
    if modules.contains_key(path) {
        return Ok(());
    }
    let module = read(path, &text(path, files)?)?;
    let imports: Vec<_> = module.imports.iter().map(|(from, _)| from.clone()).collect();
    modules.insert(path.to_owned(), module);
    for from in imports {
        collect(&from, files, found, modules)?;
    }
    found.push(path.to_owned());
    Ok(())
}

/// Takes a module apart.
fn read(path: &str, source: &str) -> io::Result<Module> {
    let mut module = Module::default();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let keyword = line.split(' ').next().unwrap_or_default();
        if keyword != "import" && keyword != "export" {
            module.code.push_str(line);
            module.code.push('\n');
            continue;
        }
        let unknown = || wrong(format!("{path}: “{line}” is in no form that can be put into one script"));
        let Some(list) = line.strip_prefix(keyword).and_then(|rest| rest.strip_prefix(" {")) else {
            let rest = line.strip_prefix("export ").ok_or_else(unknown)?;
            let name = declared(rest).ok_or_else(unknown)?;
            module.exports.push((name.to_owned(), name.to_owned()));
            module.code.push_str(rest);
            module.code.push('\n');
            continue;
        };
        let mut list = list.to_owned();
        while !list.contains(';') {
            list.push_str(lines.next().ok_or_else(unknown)?);
        }
        let (names, from) = list.trim_end_matches(';').split_once('}').ok_or_else(unknown)?;
        let names: Vec<(&str, &str)> = names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(|name| name.split_once(" as ").unwrap_or((name, name)))
            .collect();
        if keyword == "export" {
            if !from.is_empty() {
                return Err(unknown());
            }
            module.exports.extend(names.iter().map(|(own, name)| ((*name).to_owned(), (*own).to_owned())));
            continue;
        }
        let from = from.trim().strip_prefix("from '").and_then(|from| from.strip_suffix('\'')).ok_or_else(unknown)?;
        let pattern: Vec<_> = names.iter().map(|(name, own)| format!("{name}: {own}")).collect();
        module.imports.push((resolve(path, from).ok_or_else(unknown)?, pattern.join(", ")));
    }
    Ok(module)
}

/// The name of what is declared.
fn declared(declaration: &str) -> Option<&str> {
    let kinds = ["async function* ", "async function ", "function* ", "function ", "class ", "const ", "let "];
    let rest = kinds.iter().find_map(|kind| declaration.strip_prefix(kind))?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

/// The address of what a module calls `./b.js` or `../a/b.js`.
fn resolve(path: &str, specifier: &str) -> Option<String> {
    let mut folders: Vec<&str> = path.split('/').collect();
    folders.pop();
    for part in specifier.split('/') {
        match part {
            "." => {}
            ".." => drop(folders.pop()?),
            name => folders.push(name),
        }
    }
    specifier.starts_with('.').then(|| folders.join("/"))
}

fn text(path: &str, files: &BTreeMap<String, Vec<u8>>) -> io::Result<String> {
    let content = files.get(path).ok_or_else(|| wrong(format!("{path} does not exist")))?;
    String::from_utf8(content.clone()).map_err(|error| wrong(format!("{path}: {error}")))
}

fn wrong(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        files.iter().map(|(path, content)| ((*path).to_owned(), content.as_bytes().to_vec())).collect()
    }

    #[test]
    fn modules_become_functions_in_the_order_in_which_they_are_needed() {
        let files = files(&[
            ("/v/main.js", "import { one, two as other } from '../a/b.js';\nstart(one, other);\n"),
            (
                "/a/b.js",
                "import {\nthree,\n} from './c.js';\nexport const one = three;\nfunction hidden() {}\nexport { hidden as two };\n",
            ),
            ("/a/c.js", "export async function three() {}\nexport class Four extends Object {}\n"),
        ]);
        let script = bundle("/v/main.js", &files).expect("all of it is known");
        let expected = "\"use strict\";\n{\nconst given = [];\nconst modules = [\n\
            // /a/c.js\nfunction* () {\nyield { get three() { return three; }, get Four() { return Four; } };\n\
            async function three() {}\nclass Four extends Object {}\n},\n\
            // /a/b.js\nfunction* () {\nyield { get one() { return one; }, get two() { return hidden; } };\n\
            const { three: three } = given[0];\nconst one = three;\nfunction hidden() {}\n},\n\
            // /v/main.js\nfunction* () {\nyield {  };\nconst { one: one, two: other } = given[1];\nstart(one, other);\n},\n\
            ].map((module) => module());\nfor (const module of modules) given.push(module.next().value);\n\
            for (const module of modules) module.next();\n}\n";
        assert_eq!(script, expected);
    }

    #[test]
    fn what_is_in_no_known_form_is_refused_by_name() {
        for line in [
            "import './b.js';",
            "import * as all from './b.js';",
            "export default 1;",
            "export * from './b.js';",
            "export { a } from './b.js';",
            "import { a } from 'b';",
        ] {
            let error = bundle("/a.js", &files(&[("/a.js", line), ("/b.js", "")])).expect_err(line);
            assert!(error.to_string().starts_with("/a.js: “"), "{error}");
        }
        let error = bundle("/a.js", &files(&[("/a.js", "import { b } from './b.js';")])).expect_err("it is missing");
        assert_eq!(error.to_string(), "/b.js does not exist");
    }

    #[test]
    fn a_page_states_the_hashes_of_what_stands_in_it_and_allows_nothing_else() {
        let files = files(&[("/a.js", "run();"), ("/a.css", "a {}")]);
        let html = "<meta http-equiv=\"content-security-policy\" content=\"{policy}\"><style>{style}</style><script>{script}</script>";
        let page = page(html, "/a.js", &["/a.css"], &files).expect("all of it is known");
        let policy = policy(&page).expect("it states one");
        let (_, script) = page.split_once("<script>").expect("there is one");
        let script = script.trim_end_matches("</script>");
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(
            policy.contains(&format!("script-src 'sha256-{}'", STANDARD.encode(Sha256::digest(script)))),
            "{policy}"
        );
        assert!(
            policy.ends_with(&format!("style-src 'sha256-{}'", STANDARD.encode(Sha256::digest("a {}")))),
            "{policy}"
        );
        assert!(!policy.contains("'self'") && !policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn what_would_end_the_script_early_is_refused() {
        let files = files(&[("/a.js", "const a = '</SCRIPT>';")]);
        let error = page("{policy}{style}{script}", "/a.js", &[], &files).expect_err("it would end");
        assert_eq!(error.to_string(), "</script would end what stands in the page");
    }
}
