//! The page's files: all of them in memory, each with its compressed twins and the headers that never change.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Component, Path};
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::HeaderValue;
use hub_release::beneath::Beneath;
use sha2::{Digest, Sha256};

use crate::base::Base;
use crate::listing::Listing;

/// For a file whose name holds a hash of what is in it.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// For a file that another release replaces under the same name.
const ASK_FIRST: &str = "no-cache";

/// All files, by path below the folder.
pub(crate) struct Site {
    files: HashMap<String, Arc<Asset>>,
}

/// One file.
pub(crate) struct Asset {
    pub(super) media_type: HeaderValue,
    pub(super) caching: &'static str,
    /// Whether it is HTML, which gets a content security policy.
    pub(super) is_page: bool,
    pub(super) plain: Variant,
    pub(super) gzip: Option<Variant>,
    pub(super) brotli: Option<Variant>,
}

/// One form of a file.
pub(crate) struct Variant {
    pub(super) body: Bytes,
    pub(super) etag: HeaderValue,
    pub(super) encoding: Option<&'static str>,
}

impl Asset {
    /// In how many forms it is there.
    pub(super) fn variants(&self) -> usize {
        1 + usize::from(self.gzip.is_some()) + usize::from(self.brotli.is_some())
    }

    /// A file and its twins; `read` gives a path's bytes, where there is such a file.
    pub(super) fn read(
        path: &str,
        read: &dyn Fn(&str) -> io::Result<Option<Bytes>>,
    ) -> io::Result<Option<Asset>> {
        let Some(body) = read(path)? else { return Ok(None) };
        let hashed = path.starts_with("assets/");
        // The name of a hashed file says what is in it: nothing has to be read to know that it is the same.
        let tag = if hashed { tag_of_name(path) } else { tag_of_content(&body) };
        let twin = |suffix: &str, encoding: &'static str| -> io::Result<Option<Variant>> {
            Ok(read(&format!("{path}.{suffix}"))?.map(|body| Variant {
                body,
                etag: quoted(&format!("{tag}-{suffix}")),
                encoding: Some(encoding),
            }))
        };
        let media_type = media_type(path);
        Ok(Some(Asset {
            is_page: media_type.starts_with("text/html"),
            media_type: HeaderValue::from_static(media_type),
            caching: if hashed { FOREVER } else { ASK_FIRST },
            gzip: twin("gz", "gzip")?,
            brotli: twin("br", "br")?,
            plain: Variant { body, etag: quoted(&tag), encoding: None },
        }))
    }

    #[cfg(test)]
    pub(super) fn for_test(compressed: bool) -> Asset {
        let read = |path: &str| {
            Ok((compressed || !path.ends_with("br") && !path.ends_with("gz"))
                .then(|| Bytes::from_static(b"x")))
        };
        Asset::read("assets/a.js", &read).unwrap().unwrap()
    }
}

impl Site {
    /// Reads what the release has in the folder; without a list, the whole folder.
    pub(super) fn load(folder: &Path, listing: &Listing, base: &Base) -> io::Result<Site> {
        let mut bytes = HashMap::new();
        match listing.below("web") {
            Some(listed) => {
                let release = Beneath::open(folder.parent().unwrap_or(folder))?;
                for path in listed {
                    let read = listing.read(&release, &format!("web/{path}"));
                    let read = read.map_err(|e| io::Error::new(e.kind(), format!("{path}: {e}")))?;
                    bytes.insert(path.to_owned(), Bytes::from(read));
                }
            }
            None => collect(folder, String::new(), &mut bytes)?,
        }
        if !base.is_root()
            && let Some(page) = bytes.get("index.html")
        {
            let page = base.page(&String::from_utf8_lossy(page));
            bytes.insert("index.html".to_owned(), Bytes::from(page));
            // Its twins know nothing of the path.
            bytes.remove("index.html.gz");
            bytes.remove("index.html.br");
        }
        let read = |path: &str| Ok(bytes.get(path).cloned());
        let is_twin = |path: &str| {
            path.strip_suffix(".br")
                .or_else(|| path.strip_suffix(".gz"))
                .is_some_and(|p| bytes.contains_key(p))
        };
        let mut files = HashMap::new();
        for path in bytes.keys().filter(|path| !is_twin(path)) {
            if let Some(asset) = Asset::read(path, &read)? {
                files.insert(path.clone(), Arc::new(asset));
            }
        }
        Ok(Site { files })
    }

    /// The file of that path, where there is one.
    pub(super) fn get(&self, path: &str) -> Option<Arc<Asset>> {
        self.files.get(path).cloned()
    }
}

fn collect(folder: &Path, prefix: String, into: &mut HashMap<String, Bytes>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // Notes of the tools that made the folder.
        if name.starts_with('.') {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), path + "/", into)?;
        } else {
            into.insert(path, Bytes::from(fs::read(entry.path())?));
        }
    }
    Ok(())
}

/// A request's path as the path of a file: decoded, without the first `/`. None where no file can be meant.
pub(super) fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.strip_prefix('/')?.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            byte => byte,
        });
    }
    let path = String::from_utf8(bytes).ok()?;
    let plain = Path::new(&path).components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !path.contains(['\0', '\\'])).then_some(path)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn tag_of_name(path: &str) -> String {
    let name = path.strip_prefix("assets/").unwrap_or(path);
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' })
        .collect()
}

fn tag_of_content(body: &[u8]) -> String {
    Sha256::digest(body).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

fn quoted(tag: &str) -> HeaderValue {
    // Made of plain ASCII only.
    HeaderValue::from_str(&format!("\"{tag}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"-\""))
}

fn media_type(path: &str) -> &'static str {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "wasm" => "application/wasm",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mp3" => "audio/mpeg",
        "pdf" => "application/pdf",
        "txt" => "text/plain; charset=utf-8",
        "xml" => "application/xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_folder_are_none() {
        let check = |path, want: Option<&str>| assert_eq!(decode(path).as_deref(), want, "{path}");
        check("/", Some(""));
        check("/assets/a%20b.js", Some("assets/a b.js"));
        check("/../etc/passwd", None);
        check("/assets/%2e%2e/%2e%2e/etc/passwd", None);
        check("/assets/..%2f..%2fetc/passwd", None);
        check("//etc/passwd", None);
        check("/a%00b", None);
        check("/a%5c..%5cb", None);
        check("/%ff", None);
        check("/%zz", None);
        check("/%4", None);
    }
}
