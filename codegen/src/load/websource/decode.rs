//! From the bytes of a file to text that may be parsed: bounded in size, and UTF-8.

use std::path::Path;

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::source::name_of;

/// Largest source file that is read: no hand-written module comes near it.
pub const MAX_BYTES: usize = 2 * 1024 * 1024;

/// The finding for a source file of more than [`MAX_BYTES`].
pub fn too_large(path: &Path, bytes: u64) -> Diagnostic {
    Diagnostic::error(
        codes::MODULE_TOO_LARGE,
        format!("{} is larger than 2 MiB ({:.1} MiB)", name_of(path), bytes as f64 / (1024.0 * 1024.0)),
    )
    .at(path, Span::START)
    .help("split the file; take data and third-party code from an npm package or an asset instead")
}

/// The text of a source file; an error where the bytes are too many or no UTF-8.
pub fn decode(path: &Path, bytes: Vec<u8>) -> Result<String, Box<Diagnostic>> {
    if bytes.len() > MAX_BYTES {
        return Err(Box::new(too_large(path, bytes.len() as u64)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let bad = error.as_bytes()[good];
        let before = String::from_utf8_lossy(&error.as_bytes()[..good]);
        let finding = Diagnostic::error(
            codes::MODULE_NOT_UTF8,
            format!("{} is not UTF-8: byte 0x{bad:02x} at offset {good}", name_of(path)),
        )
        .at(path, Span::at(&before, good, 0))
        .label("the first byte that is no UTF-8")
        .help("save the file as UTF-8");
        Box::new(finding)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_first_bad_byte() {
        let error =
            decode(Path::new("a.tsx"), b"let a = 1;\nlet b = '\xff';".to_vec()).expect_err("not UTF-8");
        assert_eq!(error.message, "a.tsx is not UTF-8: byte 0xff at offset 20");
        assert_eq!((error.span.line, error.span.column), (2, 10));
    }

    #[test]
    fn bounds_the_size() {
        let error = decode(Path::new("a.ts"), vec![b' '; MAX_BYTES + 1]).expect_err("too large");
        assert_eq!(
            (error.code.id(), error.message.as_str()),
            ("HUB041", "a.ts is larger than 2 MiB (2.0 MiB)")
        );
        assert!(decode(Path::new("a.ts"), vec![b' '; MAX_BYTES]).is_ok());
    }
}
