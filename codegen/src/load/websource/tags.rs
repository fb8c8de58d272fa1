//! Which tag is not closed: the parser notices a mismatch only where nothing fits any more, far behind it.
//!
//! Runs over text that is known to be broken, and knows of the language no more than where JSX can begin. It only ever
//! says "this closing tag does not fit that opening tag"; whether that is the error is for the caller to decide.

/// An opening tag that is not closed by its own name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mismatch<'a> {
    /// The opening tag's name; empty for a fragment.
    pub(super) name: &'a str,
    /// Offset of its `<`.
    pub(super) open: usize,
    /// Name and offset of the closing tag found instead; none where the file ends.
    pub(super) close: Option<(&'a str, usize)>,
}

/// The first mismatch of a text with JSX, if its tags can be followed that far.
pub(super) fn mismatch(text: &str) -> Option<Mismatch<'_>> {
    let mut walk = Walk { text, at: 0, open: vec![Inside::Code], after_value: false };
    while walk.at < text.len() {
        let step = match *walk.open.last()? {
            Inside::Code => walk.code(),
            Inside::Template => walk.template(),
            Inside::Tag { name, open } => walk.tag(name, open),
            Inside::Children { name, open } => walk.children(name, open),
        };
        match step {
            Step::On => {}
            Step::Lost => return None,
            Step::Found(found) => return Some(found),
        }
    }
    walk.open.iter().rev().find_map(|inside| match *inside {
        Inside::Children { name, open } => Some(Mismatch { name, open, close: None }),
        _ => None,
    })
}

/// What the position is inside of.
#[derive(Clone, Copy)]
enum Inside<'a> {
    Code,
    Template,
    Tag { name: &'a str, open: usize },
    Children { name: &'a str, open: usize },
}

enum Step<'a> {
    On,
    Lost,
    Found(Mismatch<'a>),
}

struct Walk<'a> {
    text: &'a str,
    at: usize,
    open: Vec<Inside<'a>>,
    /// In code: whether a `<` here compares, because a value stands before it.
    after_value: bool,
}

impl<'a> Walk<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Goes on behind the next `end`; to the end of the text where there is none.
    fn skip_past(&mut self, end: &str) {
        self.at = self.rest().find(end).map_or(self.text.len(), |found| self.at + found + end.len());
    }

    /// Goes on behind a text that began with this quote, if it ends on its line.
    fn skip_quoted(&mut self, quote: char) {
        let mut escaped = false;
        for (offset, letter) in self.rest().char_indices() {
            match letter {
                '\n' => return,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                _ if letter == quote => {
                    self.at += offset + letter.len_utf8();
                    return;
                }
                _ => {}
            }
        }
    }

    fn code(&mut self) -> Step<'a> {
        let rest = self.rest();
        let Some(letter) = rest.chars().next() else { return Step::Lost };
        let after_value = std::mem::replace(&mut self.after_value, matches!(letter, ')' | ']'));
        if letter == '<' && !after_value && starts_tag(rest) {
            return self.enter_tag();
        }
        if rest.starts_with("//") || rest.starts_with("/*") {
            self.after_value = after_value;
            self.skip_past(if rest.starts_with("//") { "\n" } else { "*/" });
            return Step::On;
        }
        self.at += letter.len_utf8();
        match letter {
            '"' | '\'' => {
                self.skip_quoted(letter);
                self.after_value = true;
            }
            '/' if !after_value => {
                self.skip_quoted('/');
                self.after_value = true;
            }
            '`' => self.open.push(Inside::Template),
            '{' => self.open.push(Inside::Code),
            '}' if self.open.len() == 1 => return Step::Lost,
            '}' => {
                self.open.pop();
            }
            _ if letter.is_whitespace() => self.after_value = after_value,
            _ if is_word(letter) => {
                let word = &rest[..rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())];
                self.at += word.len() - letter.len_utf8();
                self.after_value = !BEFORE_VALUES.contains(&word);
            }
            _ => {}
        }
        Step::On
    }

    fn template(&mut self) -> Step<'a> {
        let rest = self.rest();
        let Some(special) = rest.find(['\\', '`', '$']) else { return Step::Lost };
        self.at += special;
        let rest = &rest[special..];
        if rest.starts_with("${") {
            self.at += 2;
            self.open.push(Inside::Code);
            self.after_value = false;
        } else if rest.starts_with('\\') {
            self.at += rest.chars().take(2).map(char::len_utf8).sum::<usize>();
        } else {
            self.at += 1;
            if rest.starts_with('`') {
                self.open.pop();
                self.after_value = true;
            }
        }
        Step::On
    }

    /// At the `<` of an opening tag.
    fn enter_tag(&mut self) -> Step<'a> {
        let open = self.at;
        let name = tag_name(&self.rest()[1..]);
        self.at += 1 + name.len();
        self.open.push(Inside::Tag { name, open });
        Step::On
    }

    fn tag(&mut self, name: &'a str, open: usize) -> Step<'a> {
        let rest = self.rest();
        let Some(letter) = rest.chars().next() else { return Step::Lost };
        self.at += letter.len_utf8();
        match letter {
            '>' => {
                self.open.pop();
                // `<T>(x: T) => …` is a function, unless such an element is closed somewhere.
                let generic = rest[1..].starts_with('(') && !self.text.contains(&format!("</{name}"));
                if generic {
                    self.after_value = true;
                } else {
                    self.open.push(Inside::Children { name, open });
                }
            }
            '/' if rest[1..].starts_with('>') => {
                self.at += 1;
                self.open.pop();
                self.after_value = true;
            }
            '"' | '\'' => self.skip_past(if letter == '"' { "\"" } else { "'" }),
            '{' => {
                self.open.push(Inside::Code);
                self.after_value = false;
            }
            '<' | ';' | '}' => return Step::Lost,
            _ => {}
        }
        Step::On
    }

    fn children(&mut self, name: &'a str, open: usize) -> Step<'a> {
        let rest = self.rest();
        let Some(special) = rest.find(['<', '{']) else {
            self.at = self.text.len();
            return Step::On;
        };
        self.at += special;
        let rest = &rest[special..];
        if rest.starts_with('{') {
            self.at += 1;
            self.open.push(Inside::Code);
            self.after_value = false;
        } else if let Some(closing) = rest.strip_prefix("</") {
            let trimmed = closing.trim_start();
            let found = tag_name(trimmed);
            if found != name {
                return Step::Found(Mismatch { name, open, close: Some((found, self.at)) });
            }
            self.at += 2 + (closing.len() - trimmed.len()) + found.len();
            self.skip_past(">");
            self.open.pop();
            self.after_value = true;
        } else if starts_tag(rest) {
            return self.enter_tag();
        } else {
            self.at += 1;
        }
        Step::On
    }
}

/// Words that a value follows.
const BEFORE_VALUES: [&str; 12] =
    ["return", "default", "case", "typeof", "void", "delete", "await", "yield", "else", "do", "in", "of"];

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '$')
}

/// Whether the `<` that the text begins with opens an element and no type parameters.
fn starts_tag(text: &str) -> bool {
    let name = tag_name(&text[1..]);
    let behind = &text[1 + name.len()..];
    let after = behind.trim_start();
    match name.is_empty() {
        true => behind.starts_with('>'),
        false => {
            let parameters = after.starts_with(',') || (after.starts_with("extends ") && behind != after);
            name.starts_with(|first: char| !first.is_numeric()) && !parameters
        }
    }
}

fn tag_name(text: &str) -> &str {
    let end =
        text.find(|letter| !(is_word(letter) || matches!(letter, '.' | ':' | '-'))).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<(&str, Option<&str>)>) {
        let found = mismatch(text).map(|found| (found.name, found.close.map(|(name, _)| name)));
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn finds_the_mismatch() {
        check("return <div><p>a</div>;", Some(("p", Some("div"))));
        check(
            "const a = <><A.B c={x < y}>{l.map((i) => <li key={i}>a</li>)}</></A.B>",
            Some(("A.B", Some(""))),
        );
        check("return (<ul>{a && <li>it's {`<b>${<i>x</b>}`}</li>}</ul>)", Some(("i", Some("b"))));
        check("x = <a>\n<br>\n</a>", Some(("br", Some("a"))));
        check("x = <a>\n text", Some(("a", None)));
        check("x = <a b='>' c=\"</b>\" /* */ d={'</a>'}><b/>", Some(("a", None)));
    }

    #[test]
    fn is_not_misled() {
        for text in [
            "const a: Array<string> = f<T>(x < y, b > c);",
            "const f = <T,>(x: T) => x; const g = <T extends B>(x: T) => x; type F = <T>(x: T) => void;",
            "const r = /<a>/.test(s) ? '<b>' : `<c>`; // <d>\n/* <e> */",
            "return <div>{/* <p> */ a}<B c={() => <d/>} {...e}/></div>;",
            "const a = b / c; const d = <e>/f</e>;",
            "a } b <c>",
        ] {
            check(text, None);
        }
    }
}
