//! Variables in a file, as systemd's `EnvironmentFile=` reads them: the data folder's `.env`.

use std::collections::BTreeMap;

/// `NAME=value` lines. A value may stand in quotes, and go on after a backslash at the end of a line; what is no
/// assignment is passed over, as systemd does.
pub(crate) fn parse(text: &str) -> BTreeMap<String, String> {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let mut found = BTreeMap::new();
    for line in joined.lines().map(str::trim) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else { continue };
        let name = name.trim_end();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.is_empty() && name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit()) {
            found.insert(name.to_owned(), unquoted(value.trim()));
        }
    }
    found
}

fn unquoted(value: &str) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => out.extend(rest.next()),
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(q)) if c == q => quote = None,
            (c, _) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let check = |text: &str, want: &[(&str, &str)]| {
            let want = want.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(parse(text), want, "{text}");
        };
        check("A=1\n# B=2\n;C=3\n\n D = x y \n", &[("A", "1"), ("D", "x y")]);
        check("A=\"x # \\\"y\\\" $Z\"\nB='a\\b'", &[("A", "x # \"y\" $Z"), ("B", "a\\b")]);
        check("A=one\\\ntwo\nnothing\n1A=x\nB-C=x\nE=", &[("A", "one two"), ("E", "")]);
        check("URL=postgres://u:p=%40@h/d?x=1\r\n", &[("URL", "postgres://u:p=%40@h/d?x=1")]);
    }
}
