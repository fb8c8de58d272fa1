//! Gzip on all cores, with the same bytes whatever their number: the input is cut into blocks of one size, each is
//! compressed by itself, and the pieces together are one ordinary gzip stream.

use std::io::{self, Write};
use std::thread;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Length of a block. Blocks do not see each other's text; at this size that costs well under a percent.
const BLOCK: usize = 1 << 20;

/// Magic number, deflate, no flags, no time, no extra flags, Unix: neither a name nor a clock gets in.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

/// Compresses what is written to it into `inner`.
pub(crate) struct Gzip<W: Write> {
    inner: W,
    workers: usize,
    /// Full blocks that wait for company.
    waiting: Vec<Vec<u8>>,
    block: Vec<u8>,
    crc: Crc,
}

impl<W: Write> Gzip<W> {
    pub fn new(mut inner: W, workers: usize) -> io::Result<Gzip<W>> {
        inner.write_all(&HEADER)?;
        let block = Vec::with_capacity(BLOCK);
        Ok(Gzip { inner, workers: workers.max(1), waiting: Vec::new(), block, crc: Crc::new() })
    }

    /// Writes what is left and the trailer.
    pub fn finish(mut self) -> io::Result<W> {
        let last = std::mem::take(&mut self.block);
        self.waiting.push(last);
        self.compress(true)?;
        self.inner.write_all(&self.crc.sum().to_le_bytes())?;
        self.inner.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.inner)
    }

    /// Compresses all waiting blocks at once and writes them in order; `end` marks the last one as the stream's end.
    fn compress(&mut self, end: bool) -> io::Result<()> {
        let blocks = std::mem::take(&mut self.waiting);
        let flush = |index: usize| match end && index + 1 == blocks.len() {
            true => FlushCompress::Finish,
            false => FlushCompress::Sync,
        };
        let done: Vec<io::Result<Vec<u8>>> = thread::scope(|scope| {
            let others: Vec<_> = blocks
                .iter()
                .enumerate()
                .skip(1)
                .map(|(index, block)| scope.spawn(move || deflate(block, flush(index))))
                .collect();
            let first = blocks.first().map(|block| deflate(block, flush(0)));
            let join = |thread: thread::ScopedJoinHandle<'_, io::Result<Vec<u8>>>| {
                thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread that compresses has failed")))
            };
            first.into_iter().chain(others.into_iter().map(join)).collect()
        });
        for piece in done {
            self.inner.write_all(&piece?)?;
        }
        Ok(())
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&bytes[..taken]);
        self.crc.update(&bytes[..taken]);
        if self.block.len() == BLOCK {
            self.waiting.push(std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK)));
            if self.waiting.len() >= self.workers {
                self.compress(false)?;
            }
        }
        Ok(taken)
    }

    /// Does nothing: a block cut short would change the bytes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One block as raw deflate that ends at a byte border.
fn deflate(block: &[u8], flush: FlushCompress) -> io::Result<Vec<u8>> {
    let mut compress = Compress::new(Compression::new(6), false);
    // More than the longest possible output, so that one call does all of it.
    let mut out = Vec::with_capacity(block.len() + block.len() / 8 + 1024);
    let status = compress.compress_vec(block, &mut out, flush).map_err(io::Error::other)?;
    let ended = match flush {
        FlushCompress::Finish => status == Status::StreamEnd,
        _ => compress.total_in() == block.len() as u64 && out.len() < out.capacity(),
    };
    if ended { Ok(out) } else { Err(io::Error::other("the compressor did not take the whole block")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn compressed(bytes: &[u8], workers: usize) -> Vec<u8> {
        let mut gzip = Gzip::new(Vec::new(), workers).unwrap();
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    }

    /// Bytes that are neither constant nor random.
    fn sample(length: usize) -> Vec<u8> {
        (0..length as u64).map(|i| (i.wrapping_mul(i / 7 + 3) >> 3) as u8).collect()
    }

    #[test]
    fn the_number_of_cores_does_not_show_and_any_reader_understands_it() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17] {
            let bytes = sample(length);
            let one = compressed(&bytes, 1);
            assert_eq!(one, compressed(&bytes, 2), "{length}");
            assert_eq!(one, compressed(&bytes, 7), "{length}");
            // A reader of single-member streams must get everything.
            let mut back = Vec::new();
            flate2::read::GzDecoder::new(one.as_slice()).read_to_end(&mut back).unwrap();
            assert!(back == bytes, "{length}");
        }
    }

    #[test]
    fn blocks_that_do_not_compress_fit() {
        let mut state = 1u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as u8
        })
        .take(2 * BLOCK)
        .collect();
        let out = compressed(&noise, 2);
        assert!(out.len() < noise.len() + noise.len() / 1000);
    }
}
