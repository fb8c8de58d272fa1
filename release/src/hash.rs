//! SHA-256 of what goes by, in lower-case hex.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};

/// How much is read at once, in bytes.
const CHUNK: usize = 128 * 1024;

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]);
    digits.map(char::from).collect()
}

/// SHA-256 of some bytes.
pub fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Copies everything from `from` to `to`; gives the length and the SHA-256 of it.
pub fn copy(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    let mut size = 0;
    loop {
        // Read until the buffer is full: a decompressor gives little at a time, and each write is a call of the system.
        let mut filled = 0;
        while filled < buffer.len() {
            match from.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if filled == 0 {
            return Ok((size, hex(&hasher.finalize())));
        }
        hasher.update(&buffer[..filled]);
        to.write_all(&buffer[..filled])?;
        size += filled as u64;
    }
}
