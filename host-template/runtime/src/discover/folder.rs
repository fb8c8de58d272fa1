//! One folder of a customer's plugin: its manifest, read, and the files that there are.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use hub_manifest::codes;
use hub_manifest::diagnostic::Diagnostic;
use hub_manifest::plugin::{self, Manifest};
use hub_manifest::rules::Subject;
use hub_manifest::rules::files::Files;
use hub_manifest::source::{MAX_BYTES, Source};
use hub_release::beneath::Beneath;

/// A folder with a manifest.
pub(super) struct Folder {
    pub(super) root: PathBuf,
    pub(super) manifest: Manifest,
    /// The manifest's text, if it could be read.
    source: Option<Source>,
    /// The slug, or the folder's name where the manifest gives none.
    pub(super) slug: String,
    /// What is wrong with the manifest alone.
    pub(super) found: Vec<Diagnostic>,
    /// Whether it is there to be used: its manifest does not say `enabled: false`.
    pub(super) on: bool,
}

impl Folder {
    /// Reads a folder; none where it has no manifest, or is no folder. An error is one of looking for the manifest: a folder that
    /// may not be entered, or a link that leads nowhere.
    pub(super) fn read(root: &Path, name: &str) -> io::Result<Option<Folder>> {
        let file = root.join("plugin.yaml");
        match fs::symlink_metadata(&file) {
            Ok(_) => {}
            // The folder is there, or the file that lies in its place.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return fs::metadata(root).map(|_| None);
            }
            Err(e) => return Err(e),
        }
        let (source, manifest, found) = match text(&file) {
            // The parser is tested not to panic; if it ever does, one plugin is invalid and the host still starts.
            Ok(source) => match catch_unwind(|| plugin::parse(&source, name)) {
                Ok((manifest, found)) => (Some(source), manifest, found),
                Err(_) => {
                    let found =
                        Diagnostic::error(codes::UNREADABLE, "plugin.yaml makes the manifest's parser fail");
                    (None, Manifest::default(), vec![found.help("remove what it was given last")])
                }
            },
            Err(found) => (None, Manifest::default(), vec![*found]),
        };
        let on = manifest.enabled != Some(false);
        let slug = manifest.name.as_ref().map_or(name, |name| &name.value).to_owned();
        Ok(Some(Folder { root: root.to_path_buf(), manifest, source, slug, found, on }))
    }

    /// The plugin as the rules see it that the build and the host share.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject { slug: &self.slug, manifest: &self.manifest, source: self.source.as_ref() }
    }
}

impl Files for Folder {
    fn has(&self, path: &str) -> bool {
        self.root.join(path).is_file()
    }

    fn has_sql(&self, _: &str) -> bool {
        // A customer's migrations do not run, which is told.
        true
    }

    fn similar(&self, _: &str) -> Option<String> {
        // Looking for it would mean to read the whole folder, at every start.
        None
    }

    fn shown(&self, path: &str) -> String {
        self.root.join(path).display().to_string()
    }
}

/// The manifest's text. A link that leads out of the folder would show what the host may read and its author may not; a pipe or
/// a device is not waited for.
fn text(file: &Path) -> Result<Source, Box<Diagnostic>> {
    let cannot = |e: io::Error| {
        let message = format!("cannot read {}: {e}", file.display());
        Box::new(
            Diagnostic::error(codes::UNREADABLE, message)
                .help("make it a file of the folder itself, or a link within it, that the host may read"),
        )
    };
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
        return Err(cannot(ErrorKind::InvalidFilename.into()));
    };
    let opened = Beneath::open(folder).and_then(|folder| folder.file_within(name)).map_err(cannot)?;
    let length = opened.metadata().map_err(cannot)?.len();
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    opened.take(limit).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > MAX_BYTES {
        return Err(Box::new(Source::too_large(file, length.max(limit))));
    }
    Source::decode(file, &bytes)
}
