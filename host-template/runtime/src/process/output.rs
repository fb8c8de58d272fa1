//! What a program says, read with a bounded memory however it says it.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::sync::mpsc;

/// Longest line that is kept, in bytes; what follows in it is counted and left out.
const LONGEST: usize = 16 * 1024;

/// Sends the lines of an output until it ends or nobody wants them.
pub(super) async fn lines(from: Option<impl AsyncRead + Unpin>, lines: mpsc::Sender<String>) {
    let Some(from) = from else { return };
    let mut from = BufReader::new(from);
    let mut line = Line::default();
    loop {
        let buffer = match from.fill_buf().await {
            Ok([]) | Err(_) => break,
            Ok(buffer) => buffer,
        };
        let (part, ends) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (&buffer[..at], true),
            None => (buffer, false),
        };
        line.add(part);
        let used = part.len() + usize::from(ends);
        from.consume(used);
        // Nobody listens any more: the program is ended elsewhere.
        if ends && lines.send(line.take()).await.is_err() {
            return;
        }
    }
    if !line.is_empty() {
        // The last words go the same way, or nowhere.
        let _ = lines.send(line.take()).await;
    }
}

/// A line as it comes.
#[derive(Default)]
struct Line {
    kept: Vec<u8>,
    cut: u64,
}

impl Line {
    fn add(&mut self, part: &[u8]) {
        let room = LONGEST.saturating_sub(self.kept.len()).min(part.len());
        self.kept.extend_from_slice(&part[..room]);
        self.cut += (part.len() - room) as u64;
    }

    fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    fn take(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.kept);
        let text = text.trim_end_matches('\r');
        let text = match std::mem::take(&mut self.cut) {
            0 => text.to_owned(),
            cut => format!("{text} … ({cut} more bytes of this line are left out)"),
        };
        self.kept.clear();
        text
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

    #[tokio::test]
    async fn lines_of_any_length_take_bounded_memory() {
        let check = async |text: Vec<u8>, want: Vec<String>| {
            let (sender, mut receiver) = mpsc::channel(10);
            lines(Some(&text[..]), sender).await;
            let mut seen = Vec::new();
            while let Some(line) = receiver.recv().await {
                seen.push(line);
            }
            assert_eq!(seen, want);
        };
        check(b"one\r\n\ntwo".to_vec(), vec!["one".into(), String::new(), "two".into()]).await;
        check(b"".to_vec(), vec![]).await;
        let long = vec![b'x'; LONGEST + 5];
        let cut = format!("{} … (5 more bytes of this line are left out)", "x".repeat(LONGEST));
        check([&long[..], b"\nshort\n"].concat(), vec![cut.clone(), "short".into()]).await;
        check(long, vec![cut]).await;
        check(vec![0xff, b'\n'], vec!["\u{fffd}".into()]).await;
    }
}
