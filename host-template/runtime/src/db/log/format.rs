//! What SQLite would apply of a write-ahead log, by the format of its files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Whether a log whose first pages count from the one number to the other can be that of a file which counts so many. The count
/// begins again at nought.
pub(super) fn follows(is: u32, first: u32, last: u32) -> bool {
    let before = first.wrapping_sub(1);
    is.wrapping_sub(before) <= last.wrapping_sub(before)
}

/// How many changes the first page of a file counts; none of a file that has no whole header.
pub(super) fn count(file: &File) -> io::Result<Option<u32>> {
    let mut header = [0; 100];
    Ok(filled(file, &mut header, 0)?.then(|| number(&header, COUNT)))
}

/// Where the first page has its count of changes.
pub(super) const COUNT: usize = 24;
/// The length of a log's header.
const HEADER: usize = 32;
/// The length of what stands before each page of a log.
const FRAME: usize = 24;

/// What SQLite would apply of a log: the transactions that are whole, up to the first thing that is not. The format:
/// <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.
pub(super) struct Applied {
    header: [u8; HEADER],
    /// Of a page, in bytes.
    pub(super) size: usize,
    /// For each page, where in the log the last one that was committed begins.
    pub(super) pages: BTreeMap<u32, u64>,
    /// How many changes the first page counts: where it stands first in the log, and where it stands last.
    pub(super) counts: Option<(u32, u32)>,
}

impl Applied {
    /// None where it is no log that SQLite would apply.
    pub(super) fn read(log: &File) -> io::Result<Option<Applied>> {
        let mut header = [0; HEADER];
        if !filled(log, &mut header, 0)? {
            return Ok(None);
        }
        let Some(order) = Order::of(number(&header, 0)) else { return Ok(None) };
        let mut sum = Sum { order, sum: [0; 2] };
        sum.add(&header[..24]);
        let size = number(&header, 8) as usize;
        if !sum.is(&header[24..]) || !(512..=65536).contains(&size) || !size.is_power_of_two() {
            return Ok(None);
        }
        let (mut frame, mut page, mut at) = ([0; FRAME], vec![0; size], HEADER as u64);
        let (mut pages, mut open) = (BTreeMap::new(), Vec::new());
        // Of what is committed, and of what was read.
        let (mut counts, mut counted): (Option<(u32, u32)>, Option<(u32, u32)>) = (None, None);
        // What an earlier round of the log has left behind the last frame bears other salts, and a frame that a kill has cut off
        // another sum.
        while filled(log, &mut frame, at)? && frame[8..16] == header[16..24] {
            let begins = at + FRAME as u64;
            if !filled(log, &mut page, begins)? {
                break;
            }
            sum.add(&frame[..8]);
            sum.add(&page);
            if !sum.is(&frame[16..]) {
                break;
            }
            let name = number(&frame, 0);
            open.push((name, begins));
            if name == 1 {
                let count = number(&page, COUNT);
                counted = Some(counted.map_or((count, count), |(first, _)| (first, count)));
            }
            // The last frame of a transaction says how long the file is then.
            if number(&frame, 4) != 0 {
                pages.extend(open.drain(..));
                counts = counted;
            }
            at += (FRAME + size) as u64;
        }
        Ok(Some(Applied { header, size, pages, counts }))
    }

    /// Whether the log has not begun anew since.
    pub(super) fn is_still(&self, log: &File) -> io::Result<bool> {
        let mut header = [0; HEADER];
        Ok(filled(log, &mut header, 0)? && header == self.header)
    }
}

/// In which order the bytes of a number stand for a log's sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    LowestFirst,
    HighestFirst,
}

impl Order {
    /// As the log's first number has it.
    fn of(first: u32) -> Option<Order> {
        match first {
            0x377f_0682 => Some(Order::LowestFirst),
            0x377f_0683 => Some(Order::HighestFirst),
            _ => None,
        }
    }
}

/// The sum over all of a log up to some place, by which SQLite knows what was written as a whole.
struct Sum {
    order: Order,
    sum: [u32; 2],
}

impl Sum {
    /// Goes on with these bytes, eight at a time.
    fn add(&mut self, bytes: &[u8]) {
        let word = |at: usize, pair: &[u8]| {
            let word = number(pair, at);
            if self.order == Order::HighestFirst { word } else { word.swap_bytes() }
        };
        let [mut one, mut two] = self.sum;
        for pair in bytes.chunks_exact(8) {
            one = one.wrapping_add(word(0, pair)).wrapping_add(two);
            two = two.wrapping_add(word(4, pair)).wrapping_add(one);
        }
        self.sum = [one, two];
    }

    /// Whether these eight bytes say the same.
    fn is(&self, said: &[u8]) -> bool {
        self.sum == [number(said, 0), number(said, 4)]
    }
}

/// Fills a buffer from this place on; false where the file ends before.
pub(super) fn filled(file: &File, buffer: &mut [u8], at: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, at) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}

/// A number of four bytes, the highest first.
fn number(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::log_of;
    use super::super::tests::Left;
    use super::*;

    /// However a database lives: the log is one that its file may have, at every moment.
    #[tokio::test]
    async fn what_a_file_counts_fits_its_log_all_its_life() {
        let left = Left::new("life").await;
        let mut seen = 0;
        let mut fits = async || {
            let is = count(&File::open(&left.file).unwrap()).unwrap().unwrap();
            let log = Applied::read(&File::open(log_of(&left.file)).unwrap()).unwrap();
            if let Some((first, last)) = log.and_then(|log| log.counts) {
                assert!(follows(is, first, last), "{is} {first} {last}");
                seen += 1;
            }
        };
        for round in 0..12 {
            for sql in [
                "CREATE TABLE IF NOT EXISTS u (text TEXT)",
                "INSERT INTO u SELECT text FROM t LIMIT 50",
                "PRAGMA wal_checkpoint(PASSIVE)",
                "PRAGMA user_version = 7",
                "DELETE FROM u",
                "VACUUM",
                "DROP TABLE u",
                if round % 2 == 0 {
                    "PRAGMA wal_checkpoint(RESTART)"
                } else {
                    "PRAGMA wal_checkpoint(TRUNCATE)"
                },
                "INSERT INTO t VALUES (hex(randomblob(5000)))",
            ] {
                left.db.execute(sql, Vec::new()).await.unwrap();
                fits().await;
            }
            let mut tx = left.db.begin().await.unwrap();
            tx.execute("CREATE TABLE v (text TEXT)", Vec::new()).await.unwrap();
            fits().await;
            drop(tx);
            fits().await;
        }
        assert!(seen > 50, "{seen}");
        drop(left.db);
    }

    #[test]
    fn a_count_may_be_anything_between_a_logs_first_and_last() {
        for (is, first, last, fits) in [
            (4, 5, 5, true),
            (5, 5, 5, true),
            (3, 5, 5, false),
            (6, 5, 5, false),
            (7, 5, 9, true),
            (u32::MAX, 0, 1, true),
            (1, u32::MAX, 1, true),
            (2, u32::MAX, 1, false),
        ] {
            assert_eq!(follows(is, first, last), fits, "{is} {first} {last}");
        }
    }

    /// What a kill has cut off in the middle of a page is none of the log, as for SQLite.
    #[tokio::test]
    async fn what_is_not_whole_in_a_log_says_nothing() {
        let left = Left::new("cut").await;
        let log = log_of(&left.file);
        let read = || Applied::read(&File::open(&log).unwrap()).unwrap();
        let whole = read().unwrap();
        let bytes = fs::read(&log).unwrap();
        assert!(bytes.len() > HEADER + 9 * (FRAME + whole.size) && !whole.pages.is_empty());
        let most = whole.pages.values().max().unwrap();
        let mut torn = bytes.clone();
        torn[*most as usize + whole.size - 1] ^= 1;
        fs::write(&log, torn).unwrap();
        assert!(read().unwrap().pages.values().max().unwrap() < most);
        let mut torn = bytes;
        torn[HEADER - 1] ^= 1;
        fs::write(&log, torn).unwrap();
        assert!(read().is_none());
        drop(left.db);
    }
}
