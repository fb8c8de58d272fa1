//! One file's text with the name it is reported under.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::codes;
use crate::diagnostic::{Diagnostic, Span};

/// Largest `plugin.yaml` or `overrides.json` that is read, in bytes. A real one has a few hundred.
pub const MAX_BYTES: usize = 256 * 1024;

/// A file's text, and the path that findings name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path, as findings show it.
    pub file: PathBuf,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// Decodes a file's bytes: UTF-8 (a byte order mark is skipped), not empty, at most [`MAX_BYTES`].
    pub fn decode(file: &Path, bytes: &[u8]) -> Result<Source, Box<Diagnostic>> {
        let unreadable =
            |message: String| Diagnostic::error(codes::UNREADABLE, message).at(file, Span::START);
        let name = name_of(file);
        if bytes.len() > MAX_BYTES {
            return Err(Box::new(Source::too_large(file, bytes.len() as u64)));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) if text.trim().is_empty() => Err(Box::new(Source::empty(file))),
            Ok(text) => Ok(Source { file: file.to_path_buf(), text: text.to_string() }),
            Err(error) => {
                let sound = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                let span = Span::at(&sound, sound.len(), 0);
                Err(Box::new(
                    unreadable(format!(
                        "{name} is not UTF-8: byte {} (0x{:02x}) fits no character",
                        error.valid_up_to() + 1,
                        bytes[error.valid_up_to()]
                    ))
                    .at(file, span)
                    .help("save the file as UTF-8"),
                ))
            }
        }
    }

    /// The finding for a file that holds no value.
    pub fn empty(file: &Path) -> Diagnostic {
        let name = name_of(file);
        let help = match name.as_str() {
            "plugin.yaml" => "a manifest needs at least `name`, `version` and `display_name`",
            "dbt_project.yml" => "a dbt project needs at least `name` and `profile`",
            _ => "write `{ \"overrides\": {} }`, or delete the file",
        };
        Diagnostic::error(codes::EMPTY, format!("{name} is empty")).at(file, Span::START).help(help)
    }

    /// The finding for a file of more than [`MAX_BYTES`], so that nobody has to read it to say so.
    pub fn too_large(file: &Path, bytes: u64) -> Diagnostic {
        let name = name_of(file);
        Diagnostic::error(
            codes::UNREADABLE,
            format!("{name} has {bytes} bytes, more than the {MAX_BYTES} that are read"),
        )
        .at(file, Span::START)
        .help("a manifest only names things: move data into files of the plugin and name those files")
    }

    /// Line, column and extent of a stretch of the text.
    pub fn span(&self, range: &Range<usize>) -> Span {
        Span::at(&self.text, range.start, range.end.saturating_sub(range.start))
    }
}

/// A value and the bytes of the file that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its bytes in the file.
    pub range: Range<usize>,
}

impl<T> Spanned<T> {
    /// Puts a value and its place together.
    pub fn new(value: T, range: Range<usize>) -> Spanned<T> {
        Spanned { value, range }
    }

    /// The same place with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: f(self.value), range: self.range }
    }
}

/// A path's last component, for sentences: what a warning or an error says goes into releases, which name no folder of
/// the machine that made them. The place of a finding holds the whole path.
pub fn name_of(file: &Path) -> String {
    file.file_name().map_or_else(|| file.display().to_string(), |name| name.to_string_lossy().into_owned())
}
