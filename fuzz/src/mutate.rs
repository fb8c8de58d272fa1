//! New inputs out of known ones: words of the formats put in, lines and values moved and repeated, nesting, long texts.

use fastrand::Rng;
use hub_manifest::grammar::{METHODS, RESERVED_SLUGS};
use hub_manifest::plugin::FIELDS;
use hub_manifest::source::MAX_BYTES;

/// What the formats are made of, and what breaks parsers.
const WORDS: &[&str] = &[
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\n- ",
    ", ",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "#",
    " #",
    "&a ",
    "*a",
    "&b ",
    "*b",
    "!!str ",
    "!t ",
    "|\n ",
    ">-\n ",
    "? ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "<<: *a",
    "~",
    "null",
    "true",
    "1.10",
    "0x1F",
    "1e999",
    "-0",
    ".inf",
    "99999999999999999999",
    "\t",
    "\r\n",
    "\\",
    "\\u0000",
    "\\ud800",
    "\\n",
    "\u{0}",
    "\u{7f}",
    "\u{1b}[31m",
    "\u{85}",
    "\u{2028}",
    "\u{202e}",
    "\u{feff}",
    "ä",
    "e\u{301}",
    "漢字",
    "🦀",
    "../",
    "..",
    "/",
    "//",
    "./",
    "~/",
    "C:",
    "/etc/passwd",
    "*",
    "**",
    "/**",
    "{id}",
    "{*rest}",
    ":id",
    "/api/",
    "/api/crm",
    "plugins.crm.backend.",
    "plugins/crm/",
    "::",
    ":router",
    "crate",
    "self",
    "block:",
    "route:/",
    "dashboard.view",
    "RecordCard",
    "src/View.tsx",
    "crm",
    "_demo",
    "a-b",
    "a--b",
    "1.0.0",
    "^1.2",
    ">=0.1.0, <2",
    "noun.verb",
    "before",
    "after",
    "slug",
    "profile",
    "project_dir",
    "label",
    "path",
    "icon",
    "roles",
    "name",
    "permissions",
    "columns",
    "type",
    "widgets",
    "block",
    "props",
    "title",
    "env",
    "default",
    "required",
    "values",
    "enum",
    "integer",
    "password",
    "routes",
    "blocks",
    "component",
    "export",
    "priority",
    "overrides",
    "$schema",
    "ALL",
    "public",
    "internal",
    "protected",
    "script_path",
];

/// One new input.
pub fn mutated(rng: &mut Rng, corpus: &[(String, Vec<u8>)]) -> Vec<u8> {
    let pick =
        |rng: &mut Rng| corpus.get(rng.usize(..corpus.len().max(1))).map_or(&[][..], |(_, bytes)| bytes);
    let mut out = pick(rng).to_vec();
    // Few changes mostly, so that what is behind the first mistake is reached as well.
    let most = 1 << rng.usize(0..5);
    for _ in 0..=rng.usize(..most) {
        let other = pick(rng);
        change(rng, &mut out, other);
    }
    out.truncate(MAX_BYTES + 16);
    out
}

fn change(rng: &mut Rng, out: &mut Vec<u8>, other: &[u8]) {
    let at = rng.usize(..=out.len());
    match rng.u8(..14) {
        0..=3 => insert(out, at, word(rng).as_bytes()),
        4 => insert(out, at, &[rng.u8(..)]),
        5 if at < out.len() => out[at] ^= 1 << rng.u8(..8),
        6 => drop(out.drain(stretch(rng, out))),
        7 => {
            let piece = out[stretch(rng, out)].to_vec();
            insert(out, at, &piece);
        }
        8 => insert(out, at, &other[stretch(rng, other)]),
        9 => {
            let lines: Vec<&[u8]> = other.split_inclusive(|b| *b == b'\n').collect();
            if !lines.is_empty() {
                insert(out, line_start(out, at), lines[rng.usize(..lines.len())]);
            }
        }
        10 => {
            // A value in place of a value.
            let begin = out[at..].iter().position(|b| b": \"".contains(b)).map_or(at, |n| at + n + 1);
            let end =
                out[begin..].iter().position(|b| b"\n,\"]}".contains(b)).map_or(out.len(), |n| begin + n);
            out.splice(begin..end, word(rng).bytes());
        }
        11 => {
            let (open, close) =
                [("[", "]"), ("{a: ", "}"), ("{\"a\": ", "}"), ("- ", ""), ("&a [*a, ", "]")][rng.usize(..5)];
            let depth = size(rng, 64);
            insert(out, at, close.repeat(depth).as_bytes());
            insert(out, at, open.repeat(depth).as_bytes());
        }
        12 => {
            // The same over and over: long texts, many entries.
            let text = if rng.bool() { word(rng).to_string() } else { word(rng).to_string() + word(rng) };
            let times = size(rng, 40);
            insert(out, at, text.repeat(times).as_bytes());
        }
        _ => {
            let lines = size(rng, 16);
            let text: String =
                (0..lines).map(|n| format!("{}{n}: {}\n", word(rng).trim(), word(rng))).collect();
            insert(out, line_start(out, at), text.as_bytes());
        }
    }
}

fn word(rng: &mut Rng) -> &'static str {
    let lists: [&[&str]; 4] = [WORDS, &FIELDS, METHODS, RESERVED_SLUGS];
    let list = lists[[0, 0, 0, 0, 1, 1, 2, 3][rng.usize(..8)]];
    list[rng.usize(..list.len())]
}

/// A small number; one time in a thousand a large one.
fn size(rng: &mut Rng, most: usize) -> usize {
    if rng.u16(..1000) == 0 { rng.usize(..40_000) } else { rng.usize(1..most) }
}

fn stretch(rng: &mut Rng, bytes: &[u8]) -> std::ops::Range<usize> {
    let begin = rng.usize(..=bytes.len());
    let end = (begin + rng.usize(..32)).min(bytes.len());
    begin..end
}

fn insert(out: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if out.len() + bytes.len() <= MAX_BYTES + 16 {
        out.splice(at..at, bytes.iter().copied());
    }
}

fn line_start(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1)
}
