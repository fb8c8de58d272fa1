//! What a program says, read with a bounded memory however it says it.

use std::collections::VecDeque;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::sync::mpsc;

/// Longest line that is kept, in bytes; of a longer one its beginning and its end, half of this each.
const LONGEST: usize = 16 * 1024;

/// Sends the lines of an output until it ends or nobody wants them.
///
/// A carriage return ends a line too, as a progress bar does without end: of lines that were written over so, the first and the
/// last are sent.
pub(super) async fn lines(from: Option<impl AsyncRead + Unpin>, lines: mpsc::Sender<String>) {
    let Some(from) = from else { return };
    let mut from = BufReader::new(from);
    let mut line = Line::default();
    let mut over = Over::default();
    loop {
        let buffer = match from.fill_buf().await {
            Ok([]) | Err(_) => break,
            Ok(buffer) => buffer,
        };
        let (part, end) = match buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            Some(at) => (&buffer[..at], Some(buffer[at])),
            None => (buffer, None),
        };
        let used = part.len() + usize::from(end.is_some());
        let mut said = Vec::new();
        // Neither the end of a line that has two bytes, nor one of several returns.
        if line.returned && !part.is_empty() {
            said.extend(over.add(line.take()));
        }
        line.add(part);
        from.consume(used);
        match end {
            Some(b'\n') => {
                said.extend(over.end());
                said.push(line.take());
            }
            Some(_) => line.returned = true,
            None => {}
        }
        for text in said {
            // Nobody listens any more: the program is ended elsewhere.
            if lines.send(text).await.is_err() {
                return;
            }
        }
    }
    let last = (!line.is_empty()).then(|| line.take());
    for text in over.end().into_iter().chain(last) {
        // The last words go the same way, or nowhere.
        let _ = lines.send(text).await;
    }
}

/// A line as it comes.
#[derive(Default)]
struct Line {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// Bytes between the two.
    cut: u64,
    /// Whether a carriage return came behind it.
    returned: bool,
}

impl Line {
    /// Bytes of either end.
    const HALF: usize = LONGEST / 2;

    fn add(&mut self, part: &[u8]) {
        let (head, rest) = part.split_at(Self::HALF.saturating_sub(self.head.len()).min(part.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        let more = self.tail.len().saturating_sub(Self::HALF);
        self.tail.drain(..more);
        self.cut += more as u64;
    }

    fn is_empty(&self) -> bool {
        self.head.is_empty()
    }

    fn take(&mut self) -> String {
        let Line { head, tail, cut, .. } = std::mem::take(self);
        let tail = Vec::from(tail);
        match cut {
            0 => String::from_utf8_lossy(&[head, tail].concat()).into_owned(),
            cut => format!(
                "{} … ({cut} more bytes of this line are left out) … {}",
                String::from_utf8_lossy(&head),
                String::from_utf8_lossy(&tail)
            ),
        }
    }
}

/// Lines that were written over: the first is told at once, the last when a whole line comes.
#[derive(Default)]
struct Over {
    begun: bool,
    last: Option<String>,
    left_out: u64,
}

impl Over {
    /// Takes one more; gives what is to be told of it now.
    fn add(&mut self, text: String) -> Option<String> {
        // Blanks wipe what stood there.
        if text.trim().is_empty() {
            return None;
        }
        if !std::mem::replace(&mut self.begun, true) {
            return Some(text);
        }
        self.left_out += u64::from(self.last.replace(text).is_some());
        None
    }

    /// What is still to be told of them.
    fn end(&mut self) -> Vec<String> {
        let Over { last, left_out, .. } = std::mem::take(self);
        let cut = (left_out > 0).then(|| format!("… ({left_out} lines that were written over are left out)"));
        cut.into_iter().chain(last).collect()
    }
}

/// Reads to the end; keeps so many bytes. What was read so far stays where reading is broken off.
pub(super) async fn all(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>, most: usize) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            // Past the most that is kept, reading goes on so that the program is not held up.
            Ok(count) => {
                let room = most.saturating_sub(into.len()).min(count);
                into.extend_from_slice(&buffer[..room]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(text: &[u8], want: &[&str]) {
        let (sender, mut receiver) = mpsc::channel(10);
        lines(Some(text), sender).await;
        let mut seen = Vec::new();
        while let Some(line) = receiver.recv().await {
            seen.push(line);
        }
        assert_eq!(seen, want);
    }

    #[tokio::test]
    async fn lines_of_any_length_take_bounded_memory() {
        check(b"one\r\n\ntwo", &["one", "", "two"]).await;
        check(b"", &[]).await;
        let half = LONGEST / 2;
        let long = vec![b'x'; LONGEST + 5];
        let cut = format!("{0} … (5 more bytes of this line are left out) … {0}", "x".repeat(half));
        check(&[&long[..], b"\nshort\n"].concat(), &[cut.as_str(), "short"]).await;
        check(&long, &[cut.as_str()]).await;
        check(&long[..LONGEST], &["x".repeat(LONGEST).as_str()]).await;
        check(&[0xff, b'\n'], &["\u{fffd}"]).await;
        // A character that lies over the middle of a line that is kept whole.
        let middle = "x".repeat(half - 1) + "ü" + &"x".repeat(9);
        check(middle.as_bytes(), &[middle.as_str()]).await;
    }

    // D10
    #[tokio::test]
    async fn d10_a_long_line_keeps_its_end() {
        let text = "begin ".to_owned() + &"x".repeat(3 << 20) + " ERROR: the disk is full\n";
        let (sender, mut receiver) = mpsc::channel(10);
        lines(Some(text.as_bytes()), sender).await;
        let line = receiver.recv().await.unwrap();
        assert!(line.starts_with("begin xxx") && line.ends_with("x ERROR: the disk is full"));
        let left_out = text.len() - 1 - LONGEST;
        assert!(line.contains(&format!("({left_out} more bytes of this line are left out)")));
        assert!(line.len() < LONGEST + 100 && receiver.recv().await.is_none());
    }

    // D10
    #[tokio::test]
    async fn d10_of_a_progress_bar_the_first_and_the_last_are_kept() {
        check(
            b"0%\r1%\r2%\r3%\rERROR: no space\nnext\n",
            &["0%", "… (2 lines that were written over are left out)", "3%", "ERROR: no space", "next"],
        )
        .await;
        // Ended by both, or by nothing; wiped; and begun once more.
        check(b"0%\r100%\r\n", &["0%", "100%"]).await;
        check(b"0%\r50%\r100%\r", &["0%", "50%", "100%"]).await;
        check(b"0%\r    \rdone\n", &["0%", "done"]).await;
        check(b"a\rb\nc\rd\n", &["a", "b", "c", "d"]).await;
        check(b"text\r\r\n\rmore\n", &["text", "more"]).await;
        let bar: String = (0..100_000).map(|n| format!("{n}\r")).collect();
        check(
            bar.as_bytes(),
            &["0", "… (99997 lines that were written over are left out)", "99998", "99999"],
        )
        .await;
    }
}
