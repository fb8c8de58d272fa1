//! What the bundler is asked and what it answers: one JSON object in, one out.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};

use crate::codes::{self, Code};
use crate::diagnostic::{Level, Span};

/// Whether the output is for customers or for an author's next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Minified, with source maps that no script refers to.
    Production,
    /// Readable, with source maps that the browser finds by itself.
    Development,
}

/// One request. All paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The repository: the one place React and the shell's packages are taken from.
    pub repo: PathBuf,
    /// The shell's first module.
    pub entry: PathBuf,
    /// The handlebars template of the page.
    pub html: PathBuf,
    /// The folder of generated TypeScript; its `overrides.ts` is `@platform/overrides`.
    pub generated: PathBuf,
    /// Root folder of each vertical plugin with a frontend, by slug; it may lie outside the repository.
    #[serde(default)]
    pub plugins: BTreeMap<String, PathBuf>,
    /// The folder that is replaced by the result.
    pub out: PathBuf,
    /// Production or development.
    pub mode: Mode,
    /// Whether gzip and brotli copies are written beside text assets.
    #[serde(default)]
    pub compress: bool,
    /// The page's title; the bundler has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Whether the output folder was replaced.
    pub ok: bool,
    /// Errors and warnings.
    #[serde(default)]
    pub diagnostics: Vec<Finding>,
    /// Each lazily imported module, by the name that it has on any machine (`plugins/<slug>/…`).
    #[serde(default)]
    pub modules: BTreeMap<String, Placed>,
    /// What the output folder now holds, sorted by path.
    #[serde(default)]
    pub files: Vec<Asset>,
    /// The npm packages of which something is in there, sorted.
    #[serde(default)]
    pub packages: Vec<WebPackage>,
    /// How long it took.
    #[serde(default)]
    pub timings: Timings,
}

/// Where a lazily imported module ended up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The script that holds it, relative to the output folder.
    pub chunk: String,
    /// The style sheets that are fetched with it.
    pub css: Vec<String>,
}

/// One file of the output folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Path relative to the folder.
    pub path: String,
    /// Length in bytes.
    pub size: u64,
}

/// An npm package of which something is in the output.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WebPackage {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Its licence, as the package words it; empty if it says nothing.
    pub license: String,
    /// Its folder relative to the repository; empty if it lies elsewhere.
    pub folder: String,
}

/// How long the bundler's two parts took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Reading, linking, minifying.
    pub bundle_ms: u64,
    /// Compressed copies.
    pub compress_ms: u64,
}

/// One error or warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Error or warning.
    pub level: Level,
    /// Stable code.
    #[serde(deserialize_with = "code")]
    pub code: Code,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Absolute path, if it is about one file.
    pub file: Option<String>,
    /// 1-based line; 0 without a file.
    #[serde(default)]
    pub line: usize,
    /// 1-based column in characters; 0 without a file.
    #[serde(default)]
    pub column: usize,
    /// Length in characters; 0 marks a point.
    #[serde(default)]
    pub length: usize,
    /// What to do instead.
    #[serde(default)]
    pub help: String,
}

/// A code of the bundler's; one that the registry does not have is as good as none of its own.
fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
    let id = String::deserialize(deserializer)?;
    Ok(codes::find(&id).unwrap_or(codes::BUNDLER))
}

impl Finding {
    /// An error without a place.
    pub fn error(code: Code, message: impl Into<String>) -> Finding {
        Finding {
            level: Level::Error,
            code,
            message: message.into(),
            file: None,
            line: 0,
            column: 0,
            length: 0,
            help: String::new(),
        }
    }

    /// The same as a warning.
    pub fn warning(self) -> Finding {
        Finding { level: Level::Warning, ..self }
    }

    /// Names the file and the spot in it.
    pub fn at(mut self, file: &Path, spot: Spot) -> Finding {
        self.file = Some(file.to_string_lossy().into_owned());
        (self.line, self.column, self.length) = (spot.line, spot.column, spot.length);
        self
    }

    /// Says what to do instead.
    pub fn help(mut self, help: impl Into<String>) -> Finding {
        self.help = help.into();
        self
    }

    /// Errors first, then by file and place.
    pub fn order(&self, other: &Finding) -> Ordering {
        let key = |finding: &Finding| (finding.level, finding.file.clone(), finding.line, finding.column);
        key(self).cmp(&key(other)).then_with(|| (self.code, &self.message).cmp(&(other.code, &other.message)))
    }

    /// Whether this one stops the build.
    pub fn is_error(&self) -> bool {
        self.level == Level::Error
    }

    /// The spot in the file.
    pub fn spot(&self) -> Spot {
        Spot { line: self.line, column: self.column, length: self.length }
    }
}

/// A place in a text: 1-based line and column in characters, length in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// 1-based line.
    pub line: usize,
    /// 1-based column.
    pub column: usize,
    /// Length; 0 marks a point.
    pub length: usize,
}

impl Spot {
    /// The file as a whole.
    pub const START: Spot = Spot { line: 1, column: 1, length: 0 };

    /// The spot of `len` bytes at byte `offset` of `text`, brought back to the borders of characters.
    pub fn at(text: &str, offset: usize, len: usize) -> Spot {
        let span = Span::at(text, offset, len);
        let length = text[span.offset..span.offset + span.len].chars().count();
        Spot { line: span.line, column: span.column, length }
    }

    /// The stretch of `text` that the spot names. If the text is shorter, line and column stay as they are.
    pub fn span(self, text: &str) -> Span {
        let (line, column) = (self.line.max(1), self.column.max(1));
        let before: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let length =
            |text: &str, characters: usize| text.chars().take(characters).map(char::len_utf8).sum::<usize>();
        let offset = before + length(&text[before..], column - 1);
        let len = length(&text[offset..], self.length);
        Span { line, column, ..Span::at(text, offset, len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_and_its_answer_are_read_as_they_were_written() {
        let job = Job {
            repo: "/r".into(),
            entry: "/r/main.tsx".into(),
            html: "/r/index.html.hbs".into(),
            generated: "/r/generated".into(),
            plugins: BTreeMap::from([("crm".to_string(), "/elsewhere/crm".into())]),
            out: "/r/dist".into(),
            mode: Mode::Production,
            compress: true,
            title: None,
        };
        let text = serde_json::to_string(&job).unwrap();
        assert!(!text.contains("title"), "{text}");
        assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job);
        let finding =
            Finding::error(codes::ASSET, "too large").at(Path::new("/r/a.png"), Spot::START).help("x");
        let reply = Reply {
            ok: true,
            diagnostics: vec![finding.warning()],
            modules: BTreeMap::from([(
                "plugins/crm/frontend/src/Card.tsx".to_string(),
                Placed { chunk: "assets/Card.js".to_string(), css: vec!["assets/Card.css".to_string()] },
            )]),
            files: vec![Asset { path: "index.html".to_string(), size: 6 }],
            packages: vec![WebPackage { name: "react".to_string(), ..WebPackage::default() }],
            timings: Timings { bundle_ms: 1, compress_ms: 2 },
        };
        let text = serde_json::to_string(&reply).unwrap();
        assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), reply);
    }

    #[test]
    fn a_spot_is_found_again_in_its_text() {
        let text = "const ä = 1;\nconst b = <Card;\n";
        for (offset, len) in [(0, 5), (6, 2), (9, 1), (14, 0), (24, 5), (text.len(), 0)] {
            assert_eq!(Spot::at(text, offset, len).span(text), Span::at(text, offset, len), "{offset}");
        }
    }

    #[test]
    fn a_place_beyond_the_file_is_no_reason_to_fail() {
        let spot = |line, column, length| Spot { line, column, length };
        assert_eq!(spot(9, 9, 9).span("ab\n"), Span { offset: 3, len: 0, line: 9, column: 9 });
        assert_eq!(spot(0, 0, 0).span(""), Span { offset: 0, len: 0, line: 1, column: 1 });
        assert_eq!(Spot::at("ab", 99, 5), spot(1, 3, 0));
    }
}
