//! Leaves out of a script or style sheet what only its authors need: comments that have lines of
//! their own, types, indentation, blank lines. That is a third of what would go over the wire.
//!
//! It knows lines and not the language, so what it does stays obvious: apart from the space before
//! it and from types (`/** @type {X} */`), a line of code is never changed. The price is that a
//! template literal of several lines loses its indentation, and must have no line that begins like
//! a comment. A comment of one line that begins with `/*!` stays: the licence of what others wrote.

/// `source` without comment lines, types, blank lines and indentation.
pub(crate) fn condense(source: &str) -> String {
    let mut condensed = String::with_capacity(source.len());
    let mut in_comment = false;
    for line in source.lines() {
        let line = without_types(line);
        let line = line.trim();
        let is_comment =
            line.starts_with("/*") && !line.starts_with("/*!") && (line.ends_with("*/") || !line.contains("*/"));
        if in_comment || is_comment {
            in_comment = !line.ends_with("*/");
        } else if !line.is_empty() && !line.starts_with("//") {
            condensed.push_str(line);
            condensed.push('\n');
        }
    }
    condensed
}

/// Takes casts such as `/** @type {X} */ (value)` and other tags that stand within a line out of it.
fn without_types(line: &str) -> String {
    let mut rest = line;
    let mut kept = String::with_capacity(line.len());
    while let Some((before, comment)) = rest.split_once("/** @") {
        let Some((_, after)) = comment.split_once("*/") else { break };
        kept.push_str(before);
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::condense;

    #[test]
    fn only_what_no_browser_reads_is_left_out() {
        let source = "// What it is for.\n\n/**\n * Adds.\n * @param {number} a\n */\nfunction add(a) {\n\t// Why.\n\tconst b = /** @type {number} */ (a); // stays\n\t/** @type {X} */ (b).c = 'https://example.org/*';\n\t/** One line. */\n\treturn a + b;\n}\n";
        let expected =
            "function add(a) {\nconst b = (a); // stays\n(b).c = 'https://example.org/*';\nreturn a + b;\n}\n";
        assert_eq!(condense(source), expected);
    }

    #[test]
    fn a_licence_stays() {
        let source = "/*! A licence. */\nexport{a as b};\n";
        assert_eq!(condense(source), source);
    }

    #[test]
    fn style_sheets_lose_their_comments_too() {
        assert_eq!(condense("/* Tokens,\n   and more. */\na {\n  color: red;\n}\n"), "a {\ncolor: red;\n}\n");
    }
}
