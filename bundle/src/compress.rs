//! gzip and brotli twins of text files, made on all cores, and taken from the last run where nothing changed.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hub_manifest::wire::bundler::Mode;
use xxhash_rust::xxh3::xxh3_128;

/// Files below this size travel in one packet either way.
const SMALLEST: usize = 1024;
/// Part of the name of every kept twin; to be changed whenever an encoder or its settings change.
const ENCODERS: &str = "br9-gz1";

/// Adds the twins of all text files to `files`. `kept` is the folder of twins from earlier runs.
pub fn add_twins(files: &mut BTreeMap<String, Vec<u8>>, mode: Mode, kept: &Path) {
    let mut jobs: Vec<(&str, &[u8], Format)> = files
        .iter()
        .filter(|(path, bytes)| bytes.len() >= SMALLEST && is_text(path))
        .flat_map(|(path, bytes)| {
            [Format::Brotli, Format::Gzip].map(|format| (path.as_str(), bytes.as_slice(), format))
        })
        .collect();
    // The longest first, so that no core is left with it at the end.
    jobs.sort_by_key(|(_, bytes, format)| std::cmp::Reverse((*format, bytes.len())));
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let used = Mutex::new(HashSet::new());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(jobs.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((path, bytes, format)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = kept_name(bytes, *format, mode);
                    let twin = std::fs::read(kept.join(&name)).ok().unwrap_or_else(|| {
                        let twin = format.encode(bytes, mode);
                        keep(kept, &name, &twin);
                        twin
                    });
                    if let Ok(mut used) = used.lock() {
                        used.insert(name);
                    }
                    if twin.len() < bytes.len()
                        && let Ok(mut done) = done.lock()
                    {
                        done.push((format!("{path}.{}", format.extension()), twin));
                    }
                }
            });
        }
    });
    files.extend(done.into_inner().unwrap_or_default());
    forget(kept, &used.into_inner().unwrap_or_default());
}

/// Whether a file of this name is text that a server should send compressed. Source maps are for one reader in a
/// thousand and would take longer than all the rest.
fn is_text(path: &str) -> bool {
    let extension = path.rsplit('.').next().unwrap_or("");
    matches!(extension, "js" | "css" | "html" | "svg" | "json" | "txt" | "ico" | "ttf" | "otf")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Format {
    Gzip,
    Brotli,
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Format::Gzip => "gz",
            Format::Brotli => "br",
        }
    }

    fn encode(self, bytes: &[u8], mode: Mode) -> Vec<u8> {
        let encoded = match self {
            Format::Gzip => gzip(bytes, if mode == Mode::Production { 9 } else { 6 }),
            Format::Brotli => brotli(bytes, if mode == Mode::Production { 11 } else { 5 }),
        };
        // Writing to memory does not fail; if it did, the file itself would still be served.
        encoded.unwrap_or_else(|_| bytes.to_vec())
    }
}

/// gzip without a name and without a time: the same bytes in, the same bytes out.
fn gzip(bytes: &[u8], level: u32) -> std::io::Result<Vec<u8>> {
    let buffer = Vec::with_capacity(bytes.len() / 2);
    let mut encoder = flate2::GzBuilder::new().mtime(0).write(buffer, flate2::Compression::new(level));
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn brotli(bytes: &[u8], quality: i32) -> std::io::Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality,
        lgwin: 22,
        mode: brotli::enc::backward_references::BrotliEncoderMode::BROTLI_MODE_TEXT,
        size_hint: bytes.len(),
        ..Default::default()
    };
    let mut result = Vec::with_capacity(bytes.len() / 3);
    brotli::BrotliCompress(&mut &bytes[..], &mut result, &parameters)?;
    Ok(result)
}

fn kept_name(bytes: &[u8], format: Format, mode: Mode) -> String {
    let quality = if mode == Mode::Production { "best" } else { "fast" };
    format!("{:032x}-{}-{ENCODERS}-{quality}.{}", xxh3_128(bytes), bytes.len(), format.extension())
}

/// Keeps a twin for the next run. What cannot be kept is made again.
fn keep(folder: &Path, name: &str, twin: &[u8]) {
    let half: PathBuf = folder.join(format!("{name}.{}", std::process::id()));
    let _ = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&half, twin))
        .and_then(|()| std::fs::rename(&half, folder.join(name)));
}

/// Removes the twins that this run had no use for.
fn forget(folder: &Path, used: &HashSet<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if !used.contains(entry.file_name().to_string_lossy().as_ref()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn text() -> Vec<u8> {
        "export const answer = 42; // the same line over and over\n".repeat(100).into_bytes()
    }

    #[test]
    fn twins_unpack_to_the_original() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = BTreeMap::from([("assets/a.js".to_owned(), text())]);
        add_twins(&mut files, Mode::Production, folder.path());
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&files["assets/a.js.gz"][..]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, text());
        let mut unpacked = Vec::new();
        brotli::BrotliDecompress(&mut &files["assets/a.js.br"][..], &mut unpacked).unwrap();
        assert_eq!(unpacked, text());
        assert_eq!(files["assets/a.js.gz"][4..8], [0; 4], "no time in the header");
    }

    #[test]
    fn small_files_pictures_and_maps_have_no_twins() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = BTreeMap::from([
            ("small.js".to_owned(), b"1".to_vec()),
            ("a.png".to_owned(), text()),
            ("a.js.map".to_owned(), text()),
        ]);
        add_twins(&mut files, Mode::Production, folder.path());
        assert_eq!(files.len(), 3);
    }

    #[test]
    fn a_second_run_takes_what_the_first_one_kept_and_drops_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("stale.br"), "x").unwrap();
        let run = || {
            let mut files = BTreeMap::from([("a.js".to_owned(), text())]);
            add_twins(&mut files, Mode::Production, folder.path());
            files
        };
        let first = run();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        assert_eq!(first, run());
    }
}
