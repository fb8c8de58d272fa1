//! Variables in a file, by the rules of systemd's `EnvironmentFile=`: the data folder's `.env`. What systemd leaves out with a
//! line in its journal is told here too, since a lost `DATABASE_URL` means another database; so is a quotation mark that is not
//! closed, for which systemd takes the rest of the file.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Variables {
    /// The variables; of one that is set twice, the last value.
    pub(crate) set: BTreeMap<String, String>,
    /// What is no assignment, in the order of the file.
    pub(crate) odd: Vec<Odd>,
}

/// A line that sets nothing. Its text is not repeated: it may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Odd {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) why: Why,
}

/// Why it sets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Without `=`.
    NoAssignment,
    /// What stands before `=` cannot be a variable's name.
    Name,
    /// The file ends before the quote does.
    Quote,
    /// A character that no variable can hold.
    Text,
    /// The whole file is in UTF-16, as some editors write it.
    Utf16,
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line;
        match self.why {
            Why::NoAssignment => write!(f, "line {line} is left out: it is not `NAME=value`"),
            Why::Name => write!(
                f,
                "line {line} is left out: a variable's name has letters, digits and `_`, and begins with no digit"
            ),
            Why::Quote => write!(f, "line {line} is left out: its quotation mark is not closed"),
            Why::Text => write!(f, "line {line} is left out: it is not UTF-8 text"),
            Why::Utf16 => write!(f, "nothing of it is read: it is UTF-16, save it as UTF-8"),
        }
    }
}

/// `NAME=value` lines. A value may stand in quotes, which may span lines, and goes on after a backslash at the end of a
/// line. Besides what systemd takes, a byte order mark and `export` before a name are passed over, as shells and editors
/// write them.
pub(crate) fn parse(bytes: &[u8]) -> Variables {
    let mut read = Variables::default();
    if bytes.starts_with(&[0xfe, 0xff]) || bytes.starts_with(&[0xff, 0xfe]) {
        read.odd.push(Odd { line: 1, why: Why::Utf16 });
        return read;
    }
    // What is no UTF-8 becomes this character, which no variable of a file that is all UTF-8 is held back for.
    let broken = std::str::from_utf8(bytes).is_err();
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    let mut rest =
        Reader { chars: text.strip_prefix('\u{feff}').unwrap_or(&text).chars().peekable(), line: 1 };
    while let Some((line, name)) = rest.name() {
        let mut odd = |why| read.odd.push(Odd { line, why });
        let Some(name) = name else {
            odd(Why::NoAssignment);
            continue;
        };
        let Some(value) = rest.value() else {
            odd(Why::Quote);
            continue;
        };
        let name = match name.strip_prefix("export") {
            Some(exported) if exported.starts_with(is_blank) => exported.trim_start_matches(is_blank),
            _ => &*name,
        };
        let unsound = |text: &str| text.contains('\0') || broken && text.contains('\u{fffd}');
        if unsound(name) || unsound(&value) {
            odd(Why::Text);
        } else if !is_name(name) {
            odd(Why::Name);
        } else {
            read.set.insert(name.to_owned(), value);
        }
    }
    read
}

/// What systemd passes over between words.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit())
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.chars.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    /// The rest of this line.
    fn pass_line(&mut self) {
        while self.next().is_some_and(|c| c != '\n') {}
    }

    /// The line and the name of the next assignment, up to its `=`; no name where the line has none. None at the end.
    fn name(&mut self) -> Option<(usize, Option<String>)> {
        loop {
            match *self.chars.peek()? {
                '#' | ';' => self.pass_line(),
                c if is_blank(c) => {
                    self.next();
                }
                _ => break,
            }
        }
        let line = self.line;
        let mut name = String::new();
        loop {
            match self.next() {
                Some('=') => return Some((line, Some(name.trim_end_matches(is_blank).to_owned()))),
                None | Some('\n') => return Some((line, None)),
                Some(c) => name.push(c),
            }
        }
    }

    /// A value to the end of its line; none where a quote is open at the end of the file. Quotes count where a value
    /// begins, and after one that has ended.
    fn value(&mut self) -> Option<String> {
        let mut value = String::new();
        loop {
            match self.next() {
                None | Some('\n') => return Some(value),
                Some('\'') => loop {
                    match self.next()? {
                        '\'' => break,
                        c => value.push(c),
                    }
                },
                Some('"') => self.quoted(&mut value)?,
                Some(c) if is_blank(c) => {}
                Some(c) => {
                    self.plain(c, &mut value);
                    return Some(value);
                }
            }
        }
    }

    /// Text in double quotes, in which a backslash goes before what shells need it for.
    fn quoted(&mut self, value: &mut String) -> Option<()> {
        loop {
            match self.next()? {
                '"' => return Some(()),
                '\\' => match self.next()? {
                    '\n' => {}
                    c @ ('"' | '\\' | '`' | '$') => value.push(c),
                    c => value.extend(['\\', c]),
                },
                c => value.push(c),
            }
        }
    }

    /// Text without quotes, which `first` begins; spaces at its end are none of it.
    fn plain(&mut self, first: char, value: &mut String) {
        let mut next = Some(first);
        // What a backslash stands before is kept.
        let mut kept = value.len();
        while let Some(c) = next.filter(|c| *c != '\n') {
            match c {
                '\\' => {
                    // At the end of a line it takes the line's end with it.
                    value.extend(self.next().filter(|c| *c != '\n'));
                    kept = value.len();
                }
                c => value.push(c),
            }
            next = self.next();
        }
        let trimmed = value.get(kept..).map_or(0, |tail| tail.trim_end_matches(is_blank).len());
        value.truncate(kept + trimmed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &[(&str, &str)]) {
        let read = parse(text.as_bytes());
        let want = want.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!((read.set, read.odd), (want, Vec::new()), "{text}");
    }

    fn odd(text: &[u8], want: &[(usize, Why)], set: &[&str]) {
        let read = parse(text);
        let found: Vec<(usize, Why)> = read.odd.iter().map(|odd| (odd.line, odd.why)).collect();
        let names: Vec<&str> = read.set.keys().map(String::as_str).collect();
        assert_eq!((found.as_slice(), names.as_slice()), (want, set), "{}", String::from_utf8_lossy(text));
    }

    #[test]
    fn lines() {
        check("A=1\n# B=2\n;C=3\n\n D = x y \n", &[("A", "1"), ("D", "x y")]);
        check("A=\"x # \\\"y\\\" $Z\"\nB='a\\b'", &[("A", "x # \"y\" $Z"), ("B", "a\\b")]);
        check("A=one\\\ntwo\nE=", &[("A", "onetwo"), ("E", "")]);
        check("URL=postgres://u:p=%40@h/d?x=1\r\n", &[("URL", "postgres://u:p=%40@h/d?x=1")]);
        check("A=1\nA=2", &[("A", "2")]);
    }

    /// As systemd's own reader has them.
    #[test]
    fn quotes_and_backslashes_are_those_of_systemd() {
        check("A=x\"y\" 'z'\n", &[("A", "x\"y\" 'z'")]);
        check("A=\"x\" 'y'z\n", &[("A", "xyz")]);
        check(
            "A=\"-----BEGIN-----\nabc\n-----END-----\"\nB=1\n",
            &[("A", "-----BEGIN-----\nabc\n-----END-----"), ("B", "1")],
        );
        check("A=\"\\n \\$x\"\nB=\\ a\\ \nC=x  \n", &[("A", "\\n $x"), ("B", " a "), ("C", "x")]);
        check("# a comment ends with its line \\\nA=1\n", &[("A", "1")]);
        check("A='\\'\nB='#'\n", &[("A", "\\"), ("B", "#")]);
    }

    /// What shells and editors put before a name loses no line.
    #[test]
    fn a_byte_order_mark_and_export_are_passed_over() {
        check("\u{feff}DATABASE_URL=postgres://h/d\nA=1", &[("DATABASE_URL", "postgres://h/d"), ("A", "1")]);
        check(
            "export A=1\nexport\tB=2\n export  C=3\nexport_D=4\n",
            &[("A", "1"), ("B", "2"), ("C", "3"), ("export_D", "4")],
        );
    }

    #[test]
    fn what_sets_nothing_is_told_with_its_line() {
        odd(
            b"# first\nnothing\nA=1\n\n1B=2\nB-C=3\n=4\n",
            &[(2, Why::NoAssignment), (5, Why::Name), (6, Why::Name), (7, Why::Name)],
            &["A"],
        );
        odd(b"export A\nset B=1\n: C=1\n", &[(1, Why::NoAssignment), (2, Why::Name), (3, Why::Name)], &[]);
        // A quote that spans lines does not lose count of them.
        odd(b"A='1\n2'\nx\nB=\"3\nC=4\n", &[(3, Why::NoAssignment), (4, Why::Quote)], &["A"]);
        odd(
            b"A=gr\xfcn\nB=1\nC=a\0b\nD=\xef\xbf\xbd\n",
            &[(1, Why::Text), (3, Why::Text), (4, Why::Text)],
            &["B"],
        );
        odd("D=\u{fffd}\n".as_bytes(), &[], &["D"]);
        odd(b"\xff\xfeA\0=\x001\0", &[(1, Why::Utf16)], &[]);
    }
}
