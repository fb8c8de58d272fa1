//! Files that are shipped as they are: named by their content, each once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use xxhash_rust::xxh3::xxh3_128;

use super::Asset;

/// Extensions of files whose import is their address.
const SHIPPED: [&str; 12] =
    ["png", "jpg", "jpeg", "svg", "gif", "webp", "avif", "ico", "woff", "woff2", "ttf", "otf"];

/// Whether importing this file gives its address.
pub fn is_shipped(path: &str) -> bool {
    Path::new(path)
        .extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| SHIPPED.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// The name of a file in the output: its own name, made safe for an address, and a hash of what it holds.
pub fn hashed_name(file_name: &str, content: &[u8]) -> String {
    let (stem, extension) = match file_name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, Some(extension)),
        _ => (file_name, None),
    };
    let safe = |text: &str| -> String {
        text.chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' })
            .collect()
    };
    let mut name = format!("assets/{}-{}", safe(stem), hash(content));
    if let Some(extension) = extension {
        name.push('.');
        name.push_str(&safe(extension));
    }
    name
}

/// Eight characters of base 36: the same on file systems that know no case.
fn hash(content: &[u8]) -> String {
    let mut rest = xxh3_128(content);
    (0..8)
        .map(|_| {
            let digit = (rest % 36) as u8;
            rest /= 36;
            char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 })
        })
        .collect()
}

/// The files shipped so far.
#[derive(Debug, Default)]
pub struct Assets(Mutex<BTreeMap<String, Shipped>>);

#[derive(Debug)]
struct Shipped {
    from: PathBuf,
    bytes: Arc<[u8]>,
}

impl Assets {
    /// Ships `file` and gives its address on the site.
    pub fn ship(&self, file: &Path) -> std::io::Result<String> {
        let bytes = std::fs::read(file)?;
        let name = hashed_name(&file.file_name().unwrap_or_default().to_string_lossy(), &bytes);
        let address = format!("/{name}");
        let shipped = || Shipped { from: file.to_owned(), bytes: bytes.into() };
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).entry(name).or_insert_with(shipped);
        Ok(address)
    }

    /// Where they come from.
    pub fn files(&self) -> Vec<PathBuf> {
        let files = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        files.values().map(|shipped| shipped.from.clone()).collect()
    }

    /// All of them, sorted by name.
    pub fn take(&self) -> Vec<Asset> {
        let files = std::mem::take(&mut *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
        files.into_iter().map(|(file, shipped)| Asset { file, bytes: shipped.bytes }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_follow_the_content() {
        let name = hashed_name("my logo (2).svg", b"<svg/>");
        assert!(name.starts_with("assets/my_logo__2_-") && name.ends_with(".svg"), "{name}");
        assert_ne!(name, hashed_name("my logo (2).svg", b"<svg />"));
        assert!(hashed_name(".htaccess", b"").starts_with("assets/.htaccess-"));
    }

    #[test]
    fn shipped_is_decided_by_the_extension() {
        assert!(is_shipped("/a/b.PNG"));
        assert!(!is_shipped("/a/png"));
        assert!(!is_shipped("/a/b.tsx"));
    }
}
