//! The log of a run in the database: its head as it comes, and its tail when the run ends.
//!
//! A program may say more than anybody wants to keep. Errors stand at the end, what was asked for at the beginning: half of
//! the room is for each, and a line between them tells how much is left out. What is kept is bytes and nothing beside them: a
//! log of empty lines takes no more memory than another one.

use std::collections::VecDeque;

/// Lines on their way into the database.
pub(super) struct Log {
    /// Bytes for the head, and as many for the tail.
    half: usize,
    /// Bytes of the head that are used up.
    head: usize,
    /// Whole lines.
    tail: VecDeque<u8>,
    left_out: u64,
    left_out_bytes: u64,
    /// What is to be written next.
    chunk: String,
    /// Whether the head is full.
    full: bool,
}

impl Log {
    /// One that keeps so many bytes in all.
    pub(super) fn new(most: usize) -> Log {
        Log {
            half: most / 2,
            head: 0,
            tail: VecDeque::new(),
            left_out: 0,
            left_out_bytes: 0,
            chunk: String::new(),
            full: false,
        }
    }

    /// Takes a line, whatever the database does meanwhile: what is kept is bounded.
    pub(super) fn add(&mut self, line: &str) {
        // PostgreSQL's text holds no NUL.
        let line = line.replace('\0', "\u{fffd}") + "\n";
        if !self.full && self.head + line.len() <= self.half {
            self.head += line.len();
            self.chunk += &line;
            return;
        }
        self.full = true;
        // Room is made before the line comes, so that the ring never grows beyond what it may hold.
        while !self.tail.is_empty() && self.tail.len() + line.len() > self.half {
            let first = self.tail.iter().position(|byte| *byte == b'\n').map_or(self.tail.len(), |at| at + 1);
            self.tail.drain(..first);
            self.leave_out(first);
        }
        if line.len() > self.half {
            return self.leave_out(line.len());
        }
        self.tail.extend(line.as_bytes());
    }

    fn leave_out(&mut self, bytes: usize) {
        self.left_out += 1;
        self.left_out_bytes += bytes as u64;
    }

    /// Nothing more comes: the tail is to be written too.
    pub(super) fn close(&mut self) {
        if self.left_out > 0 {
            self.chunk += &format!(
                "… {} lines ({} bytes) are left out here: the log is too long\n",
                self.left_out, self.left_out_bytes
            );
        }
        // Whole lines of text are text.
        self.chunk += &String::from_utf8_lossy(self.tail.make_contiguous());
        self.tail = VecDeque::new();
        (self.left_out, self.left_out_bytes) = (0, 0);
    }

    /// What is to be written now: whole lines, of at most so many bytes or a single line.
    pub(super) fn next(&self, most: usize) -> Option<&str> {
        if self.chunk.len() <= most {
            return (!self.chunk.is_empty()).then_some(self.chunk.as_str());
        }
        let mut most = most;
        while !self.chunk.is_char_boundary(most) {
            most -= 1;
        }
        let end = self.chunk[..most]
            .rfind('\n')
            .or_else(|| self.chunk.find('\n'))
            .map_or(self.chunk.len(), |at| at + 1);
        Some(&self.chunk[..end])
    }

    /// So many bytes of it are written.
    pub(super) fn written(&mut self, bytes: usize) {
        self.chunk.drain(..bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(most: usize, lines: impl Iterator<Item = String>) -> String {
        let mut log = Log::new(most);
        lines.for_each(|line| log.add(&line));
        log.close();
        let mut text = String::new();
        while let Some(part) = log.next(50).map(str::to_owned) {
            log.written(part.len());
            text += &part;
        }
        text
    }

    // S7: a line costs what it has of bytes, however many there are.
    #[test]
    fn s7_empty_lines_take_no_more_memory_than_long_ones() {
        let half = 1 << 20;
        let mut log = Log::new(2 * half);
        for _ in 0..3 * half {
            log.add("");
        }
        assert_eq!((log.head, log.tail.len(), log.left_out), (half, half, half as u64));
        assert!(log.tail.capacity() <= 2 * half, "{}", log.tail.capacity());
        log.close();
        assert_eq!(log.tail.capacity(), 0);
        assert!(log.chunk.ends_with("\n\n\n"));
    }

    #[test]
    fn s7_a_line_that_is_longer_than_the_tail_is_left_out() {
        let lines = ["first", "0123456789 0123456789", "last"];
        let text = kept(20, lines.iter().map(|line| (*line).to_owned()));
        assert_eq!(text, "first\n… 1 lines (22 bytes) are left out here: the log is too long\nlast\n");
        assert_eq!(kept(12, ["é", "é", "ü", "ö"].iter().map(|line| (*line).to_owned())), "é\né\nü\nö\n");
    }

    #[test]
    fn d10_head_and_tail_are_kept_and_the_cut_is_told() {
        assert_eq!(kept(1000, (0..3).map(|n| n.to_string())), "0\n1\n2\n");
        let text = kept(100, (100..200).map(|n| n.to_string()).chain(["error: the last word".to_owned()]));
        assert!(text.starts_with("100\n101\n") && text.ends_with("199\nerror: the last word\n"), "{text}");
        assert!(text.contains("… 81 lines (324 bytes) are left out here"), "{text}");
        assert!(text.len() < 200);
        // All that there is room for, without a word on a cut that is none.
        let text = kept(80, (0..20).map(|n| format!("{n:03}")));
        assert_eq!((text.len(), text.contains('…')), (80, false), "{text}");
        assert_eq!(kept(100, ["a\0b".to_owned()].into_iter()), "a\u{fffd}b\n");
    }
}
