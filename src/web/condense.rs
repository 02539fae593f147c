//! Leaves out of a script or style sheet what only its authors need: comments that have lines of
//! their own, indentation, blank lines. That is a third of what would go over the wire.
//!
//! It knows lines and not the language, so what it does stays obvious: a line of code is never
//! changed except for the space before it. The price is that a template literal of several lines
//! loses its indentation, and must have no line that begins like a comment.

/// `source` without comment lines, blank lines and indentation.
pub(crate) fn condense(source: &str) -> String {
    let mut condensed = String::with_capacity(source.len());
    let mut in_comment = false;
    for line in source.lines().map(str::trim) {
        if in_comment {
            in_comment = !line.ends_with("*/");
        } else if let Some(comment) = line.strip_prefix("/*") {
            // A cast such as `/** @type {X} */ (value)` has code behind it and stays.
            match comment.find("*/") {
                None => in_comment = true,
                Some(end) if end + 2 == comment.len() => {}
                Some(_) => push(&mut condensed, line),
            }
        } else if !line.is_empty() && !line.starts_with("//") {
            push(&mut condensed, line);
        }
    }
    condensed
}

fn push(condensed: &mut String, line: &str) {
    condensed.push_str(line);
    condensed.push('\n');
}

#[cfg(test)]
mod tests {
    use super::condense;

    #[test]
    fn only_what_no_browser_reads_is_left_out() {
        let source = "// What it is for.\n\n/**\n * Adds.\n * @param {number} a\n */\nfunction add(a) {\n\t// Why.\n\tconst b = /** @type {number} */ (a); // stays\n\t/** @type {X} */ (b).c = 'https://example.org/*';\n\t/** One line. */\n\treturn a + b;\n}\n";
        let expected = "function add(a) {\nconst b = /** @type {number} */ (a); // stays\n/** @type {X} */ (b).c = 'https://example.org/*';\nreturn a + b;\n}\n";
        assert_eq!(condense(source), expected);
    }

    #[test]
    fn style_sheets_lose_their_comments_too() {
        assert_eq!(condense("/* Tokens,\n   and more. */\na {\n  color: red;\n}\n"), "a {\ncolor: red;\n}\n");
    }
}
