//! Two tarballs that should be the same: which file differs, and where in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use hub_release::archive::Checked;
use hub_release::difference::{Difference, How, of_lists};
use serde_json::Value;

use super::RELEASE_JSON;

/// How much of a line, or how many bytes, are shown.
const SHOWN: usize = 60;

/// How the release `again` differs from `first`, one sentence a file.
pub fn compare(first: &Checked, again: &Checked, paths: [&Path; 2]) -> io::Result<Vec<String>> {
    let differences = of_lists(&first.manifest.files, &again.manifest.files);
    let wanted: BTreeSet<&str> = differences
        .iter()
        .filter(|difference| matches!(difference.how, How::Bytes { .. } | How::Size { .. }))
        .map(|difference| difference.path.as_str())
        .collect();
    let contents = [read(paths[0], &wanted)?, read(paths[1], &wanted)?];
    let mut told: Vec<String> = list(&first.manifest.text, &again.manifest.text);
    told.extend(differences.iter().map(|difference| one(difference, &contents)));
    Ok(told)
}

/// Which parts of the list differ; its files are told by themselves.
fn list(first: &[u8], again: &[u8]) -> Vec<String> {
    let parts = |text: &[u8]| serde_json::from_slice::<BTreeMap<String, Value>>(text).unwrap_or_default();
    let (first, again) = (parts(first), parts(again));
    let names: BTreeSet<&String> = first.keys().chain(again.keys()).collect();
    let differs = |name: &&&String| {
        !matches!(name.as_str(), "files" | "digest") && first.get(**name) != again.get(**name)
    };
    let one = |name: &&String| {
        let shown =
            |value: Option<&Value>| value.map_or("nothing".to_string(), |value| clipped(&value.to_string()));
        format!(
            "{RELEASE_JSON}: `{name}` is {} instead of {}",
            shown(again.get(*name)),
            shown(first.get(*name))
        )
    };
    names.iter().filter(differs).map(one).collect()
}

fn one(difference: &Difference, contents: &[BTreeMap<String, Vec<u8>>; 2]) -> String {
    match (contents[0].get(&difference.path), contents[1].get(&difference.path)) {
        (Some(first), Some(again)) => format!("{difference}; {}", place(first, again)),
        _ => difference.to_string(),
    }
}

/// The first place where two files differ: a line of a text, an offset in anything else.
fn place(first: &[u8], again: &[u8]) -> String {
    if let (Ok(first), Ok(again)) = (std::str::from_utf8(first), std::str::from_utf8(again)) {
        let (mut first, mut again) = (first.lines(), again.lines());
        for number in 1.. {
            match (first.next(), again.next()) {
                (None, None) => return "only the ends of lines differ".to_string(),
                (first, again) if first != again => {
                    let shown = |line: Option<&str>| {
                        line.map_or("nothing".to_string(), |line| format!("`{}`", clipped(line)))
                    };
                    return format!("line {number} is {} instead of {}", shown(again), shown(first));
                }
                _ => {}
            }
        }
    }
    let at = first.iter().zip(again).take_while(|(a, b)| a == b).count();
    let shown = |bytes: &[u8]| {
        let from = at.saturating_sub(16);
        let part = bytes.get(from..bytes.len().min(at + SHOWN)).unwrap_or_default();
        format!("`{}`", part.escape_ascii())
    };
    format!("from byte {at} on it is {} instead of {}", shown(again), shown(first))
}

fn clipped(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// These files of a tarball.
fn read(tarball: &Path, wanted: &BTreeSet<&str>) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(tarball)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let inner = path.splitn(3, '/').nth(2).unwrap_or_default().to_string();
        if wanted.contains(inner.as_str()) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            found.insert(inner, bytes);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_told() {
        assert_eq!(place(b"a\nb\n", b"a\nc\n"), "line 2 is `c` instead of `b`");
        assert_eq!(place(b"a\n", b"a\nc\n"), "line 2 is `c` instead of nothing");
        assert_eq!(place(b"a\r\n", b"a\n"), "only the ends of lines differ");
        assert_eq!(
            place(b"\xff/home/a", b"\xff/home/b"),
            r"from byte 7 on it is `\xff/home/b` instead of `\xff/home/a`"
        );
        let told = list(br#"{"version":"1","files":[1]}"#, br#"{"version":"2","files":[2],"x":true}"#);
        assert_eq!(
            told,
            [
                "RELEASE.json: `version` is \"2\" instead of \"1\"",
                "RELEASE.json: `x` is true instead of nothing"
            ]
        );
    }
}
