//! Line starts of one text, so that many positions in a large file cost no more than one pass over it.

use hub_manifest::diagnostic::Span;

/// A text with the offsets of its lines.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
    /// Bytes that the parser never saw: a byte order mark.
    shift: usize,
}

impl<'a> Lines<'a> {
    /// Indexes the text; `shift` is added to every offset asked for.
    pub(super) fn new(text: &'a str, shift: usize) -> Lines<'a> {
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Lines { text, starts: std::iter::once(0).chain(after_breaks).collect(), shift }
    }

    /// The text between two places, in the parser's offsets.
    pub(super) fn between(&self, start: usize, end: usize) -> &'a str {
        let at = |offset: usize| self.text.floor_char_boundary(offset.saturating_add(self.shift));
        &self.text[at(start)..at(end.max(start))]
    }

    /// The same span as [`Span::at`] gives, found by bisection.
    pub(super) fn span(&self, offset: usize, len: usize) -> Span {
        let offset = offset.saturating_add(self.shift);
        let start = self.text.floor_char_boundary(offset);
        let end = self.text.floor_char_boundary(offset.saturating_add(len)).max(start);
        let line = self.starts.partition_point(|at| *at <= start);
        let line_start = self.starts[line - 1];
        Span {
            offset: start,
            len: end - start,
            line,
            column: self.text[line_start..start].chars().count() + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_plain_search() {
        for text in ["", "a", "a\n", "\n\n", "über\nβ🙂x\r\nend", "\u{feff}let x;\ny"] {
            let lines = Lines::new(text, 0);
            for offset in 0..text.len() + 3 {
                for len in 0..5 {
                    assert_eq!(
                        lines.span(offset, len),
                        Span::at(text, offset, len),
                        "{text:?} {offset} {len}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_byte_order_mark_counts() {
        let text = "\u{feff}let x;";
        assert_eq!(Lines::new(text, 3).span(4, 1), Span::at(text, 7, 1));
    }
}
