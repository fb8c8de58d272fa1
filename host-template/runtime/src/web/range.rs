//! Parts of a file: `Range` and `If-Range`.

use std::ops::Range;

use axum::http::{HeaderMap, HeaderValue, header};

/// What a caller is to get.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// These bytes.
    Bytes(Range<usize>),
    /// Nothing: the file has no such bytes.
    Beyond,
}

/// The part of a file of this length that is asked for. Several parts at once are answered with the whole, as a server
/// may; so is what cannot be read.
pub(super) fn wanted(headers: &HeaderMap, etag: &HeaderValue, length: usize) -> Part {
    let mut ranges = headers.get_all(header::RANGE).iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else { return Part::Whole };
    // A part of another version than the one that the caller has the rest of would make a broken file. No time is ever
    // told of a file, so none can be the right one.
    if headers.get(header::IF_RANGE).is_some_and(|have| have != etag) {
        return Part::Whole;
    }
    range.to_str().ok().and_then(|text| parse(text, length)).unwrap_or(Part::Whole)
}

fn parse(text: &str, length: usize) -> Option<Part> {
    let (unit, range) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    let bytes = match (number(first)?, number(last)?) {
        (None, None) => return None,
        // The last so many.
        (None, Some(count)) => length.saturating_sub(count)..length,
        (Some(first), None) => first..length,
        (Some(first), Some(last)) if first > last => return None,
        (Some(first), Some(last)) => first..last.saturating_add(1).min(length),
    };
    Some(if bytes.is_empty() { Part::Beyond } else { Part::Bytes(bytes) })
}

/// Some number, or nothing written; none where it is something else.
fn number(text: &str) -> Option<Option<usize>> {
    if text.is_empty() {
        return Some(None);
    }
    // One that is too large for any file is as good as the largest.
    text.bytes().all(|b| b.is_ascii_digit()).then(|| Some(text.parse().unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let etag = HeaderValue::from_static("\"a\"");
        let check = |range: &'static str, want: Part| {
            let headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static(range))]);
            assert_eq!(wanted(&headers, &etag, 100), want, "{range}");
            assert!(wanted(&headers, &etag, 0) == Part::Whole || wanted(&headers, &etag, 0) == Part::Beyond);
        };
        check("bytes=0-9", Part::Bytes(0..10));
        check("Bytes=90-", Part::Bytes(90..100));
        check("bytes=90-1000", Part::Bytes(90..100));
        check("bytes=-5", Part::Bytes(95..100));
        check("bytes=-500", Part::Bytes(0..100));
        check("bytes=0-0", Part::Bytes(0..1));
        check("bytes=0-99999999999999999999999999", Part::Bytes(0..100));
        check("bytes=100-", Part::Beyond);
        check("bytes=-0", Part::Beyond);
        for whole in
            ["bytes=", "bytes=-", "bytes=9-1", "bytes=0-1,5-6", "bytes=a-b", "lines=0-1", "bytes=+1-2", "x"]
        {
            check(whole, Part::Whole);
        }
    }

    #[test]
    fn a_part_of_another_version_is_never_sent() {
        let etag = HeaderValue::from_static("\"a-br\"");
        for (have, part) in [
            ("\"a-br\"", true),
            ("\"a\"", false),
            ("W/\"a-br\"", false),
            ("Sat, 21 Nov 2026 10:00:00 GMT", false),
        ] {
            let headers = HeaderMap::from_iter([
                (header::RANGE, HeaderValue::from_static("bytes=1-2")),
                (header::IF_RANGE, HeaderValue::from_static(have)),
            ]);
            assert_eq!(wanted(&headers, &etag, 9) == Part::Bytes(1..3), part, "{have}");
        }
    }
}
