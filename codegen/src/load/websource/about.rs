//! The comment in front of a surface's declaration: its description and its tags.

use hub_manifest::diagnostic::Span;

use super::module::{About, Literal};

/// Tags that count wherever they stand in a comment; any other begins a line.
const OWN: [&str; 3] = ["deprecated", "renamedTo", "sealed"];

/// What the last `/** … */` of a text of comments says. `place` makes a span of a byte offset in the text and a length.
pub(super) fn about(text: &str, place: impl Fn(usize, usize) -> Span) -> About {
    let Some((offset, comment)) = last_comment(text) else { return About::default() };
    let mut about = About::default();
    let mut parts = parts(comment).into_iter();
    about.description = parts.next().map(|part| part.text).unwrap_or_default();
    for Part { at, tag, text } in parts {
        match tag {
            "deprecated" => about.deprecated = Some(text.replace('\n', " ")),
            "renamedTo" => {
                let value = text.split_whitespace().next().unwrap_or_default();
                let value = value.trim_matches(['`', '"', '\'']).to_owned();
                about.renamed_to = Some(Literal { value, span: place(offset + at, 1 + tag.len()) });
            }
            "sealed" => about.sealed = true,
            _ => {}
        }
    }
    about
}

/// The inside of the last documentation comment, and where it begins.
fn last_comment(text: &str) -> Option<(usize, &str)> {
    let mut found = None;
    let mut at = 0;
    while let Some(start) = text[at..].find('/').map(|found| at + found) {
        let rest = &text[start..];
        if rest.starts_with("//") {
            at = rest.find('\n').map_or(text.len(), |end| start + end);
        } else if let Some(inside) = rest.strip_prefix("/*") {
            let end = inside.find("*/").map_or(text.len(), |end| start + 2 + end);
            if rest.starts_with("/**") && end > start + 2 {
                found = Some((start + 3, &text[start + 3..end]));
            }
            at = (end + 2).min(text.len());
        } else {
            at = start + 1;
        }
    }
    found
}

/// The description, whose tag is empty, or a tag with its text.
struct Part<'a> {
    /// Where the tag's `@` stands in the comment.
    at: usize,
    tag: &'a str,
    /// Lines joined; a line a paragraph.
    text: String,
}

fn parts(comment: &str) -> Vec<Part<'_>> {
    let mut parts = vec![Part { at: 0, tag: "", text: String::new() }];
    let mut offset = 0;
    for line in comment.split_inclusive('\n') {
        let inner = line.trim_start();
        let inner = inner.strip_prefix('*').map_or(inner, str::trim_start);
        let start = offset + line.len() - inner.len();
        offset += line.len();
        add_line(&mut parts, inner.trim_end(), start);
    }
    for part in &mut parts {
        part.text.truncate(part.text.trim_end().len());
    }
    parts
}

/// Adds one line, which begins at `start` of the comment.
fn add_line<'a>(parts: &mut Vec<Part<'a>>, line: &'a str, start: usize) {
    let mut begin = 0;
    for (at, _) in line.match_indices('@') {
        let name = line[at + 1..].split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let opens = at == 0 || (line[..at].ends_with(char::is_whitespace) && OWN.contains(&name));
        if opens && !name.is_empty() {
            add_text(parts, &line[begin..at]);
            parts.push(Part { at: start + at, tag: name, text: String::new() });
            begin = at + 1 + name.len();
        }
    }
    add_text(parts, &line[begin..]);
}

fn add_text(parts: &mut [Part<'_>], text: &str) {
    let Some(part) = parts.last_mut() else { return };
    let text = text.trim();
    match (text.is_empty(), part.text.is_empty() || part.text.ends_with('\n')) {
        // An empty line ends a paragraph.
        (true, false) => part.text.push('\n'),
        (true, true) => {}
        (false, begins) => {
            if !begins {
                part.text.push(' ');
            }
            part.text.push_str(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> About {
        about(text, |offset, len| Span::at(text, offset, len))
    }

    #[test]
    fn a_comment_is_a_description_and_tags() {
        let text = "{\n  /**\n   * The foot of\n   * the navigation.\n   *\n   * Drawn last.\n   * @deprecated Use\n   * another.\n   * @renamedTo shell.foot\n   * @sealed\n   */\n  ";
        let about = read(text);
        assert_eq!(about.description, "The foot of the navigation.\nDrawn last.");
        assert_eq!(about.deprecated.as_deref(), Some("Use another."));
        let renamed = about.renamed_to.expect("a new key");
        assert_eq!((renamed.value.as_str(), renamed.span.line, renamed.span.column), ("shell.foot", 9, 6));
        assert_eq!(&text[renamed.span.offset..][..renamed.span.len], "@renamedTo");
        assert!(about.sealed);
    }

    #[test]
    fn one_line_is_enough() {
        let about = read("{ /** The foot. @sealed @deprecated Soon gone. */");
        assert_eq!((about.description.as_str(), about.sealed), ("The foot.", true));
        assert_eq!(about.deprecated.as_deref(), Some("Soon gone."));
    }

    #[test]
    fn only_the_last_documentation_comment_counts() {
        assert_eq!(read("/** One. */ // two /** no */\n /* three */").description, "One.");
        assert_eq!(
            read("/** One. */ /** Files in src/*, by @platform/plugin-host. */").description,
            "Files in src/*, by @platform/plugin-host."
        );
        assert_eq!(read(" // plain\n /**/ ;"), About::default());
        assert_eq!(read("/** cut off"), About { description: "cut off".into(), ..About::default() });
    }
}
