//! A release's tarball: checked in one pass without writing anything, and unpacked after that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;
use tar::EntryType;

use crate::beneath;
use crate::bounds::{FREE, MAX_FILES, MAX_LIST, MAX_RATIO, MAX_RELEASE, MAX_SIGNATURE};
use crate::difference::{of_file, of_lists, told};
use crate::hash;
use crate::keys::Trusted;
use crate::manifest::{self, Listed, Manifest, RELEASE_JSON, SIGNATURE, is_plain};
use crate::members::{Bad, Members};
use crate::problem::Problem;

/// A tarball whose every byte was looked at and is as its list says.
#[derive(Debug)]
pub struct Checked {
    /// Its list.
    pub manifest: Manifest,
    /// The signature in it, if there is one.
    pub signature: Option<Vec<u8>>,
    /// Name of the trusted key that signed it; none where this machine requires none.
    pub signed_by: Option<String>,
    path: PathBuf,
    /// Kept open: what is unpacked is what was checked, whatever its name stands for by then.
    file: File,
}

type Reader<'a> = tar::Archive<GzDecoder<BufReader<&'a File>>>;

/// Checks a tarball: its form, its list, the signature where one is required, and each file. `progress` is told how many
/// of the tarball's bytes are behind it.
pub fn check(path: &Path, trusted: &Trusted, progress: &mut dyn FnMut(u64)) -> Result<Checked, Problem> {
    let unreadable = |error: io::Error| Problem::io("read", path, &error);
    if path.is_dir() {
        return Err(no_tarball(path, "is a folder"));
    }
    let file = beneath::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => no_tarball(path, "is no ordinary file"),
        _ => unreadable(error),
    })?;
    let length = file.metadata().map_err(unreadable)?.len();
    if length > MAX_RELEASE {
        return Err(no_tarball(path, "has more bytes than any release"));
    }
    let found = read(path, &file, length, progress)?;
    let Some(text) = found.list else {
        return Err(refused(path, &format!("it holds no {RELEASE_JSON}")));
    };
    let manifest =
        Manifest::parse(&text).map_err(|why| manifest::no_list(&path.display().to_string(), &why))?;
    if found.top != format!("releases/{}", manifest.version) {
        return Err(refused(
            path,
            &format!("its folder is {}, and its list says {}", found.top.escape_debug(), manifest.version),
        ));
    }
    let signed_by = trusted
        .check(&manifest, found.signature.as_deref())
        .map_err(|why| {
            Problem::refused(
                format!("{}: {why}", path.display()),
                "use a release that was built with --sign and a key that is trusted here; `trusted-keys/` in the install \
                 folder holds the public keys",
            )
        })?
        .map(str::to_owned);
    let differences = of_lists(&manifest.files, &found.files);
    if !differences.is_empty() {
        return Err(refused(path, &told(&differences)));
    }
    Ok(Checked { manifest, signature: found.signature, signed_by, path: path.to_path_buf(), file })
}

/// The refusal of something that cannot be meant as a tarball.
fn no_tarball(path: &Path, why: &str) -> Problem {
    Problem::refused(
        format!("{} {why}, and no tarball of a release", path.display()),
        "name the file that `build-platform` wrote: hub-platform-v….tar.gz",
    )
}

fn refused(path: &Path, why: &str) -> Problem {
    Problem::refused(
        format!("{} is no whole release of the platform: {why}", path.display()),
        "copy the tarball again from where it was built, and compare its SHA-256 with the one that the build printed",
    )
}

/// What lies in a tarball.
struct Found {
    top: String,
    files: BTreeMap<String, Listed>,
    list: Option<Vec<u8>>,
    signature: Option<Vec<u8>>,
}

/// Reads all of a tarball. Only folders and ordinary files below `releases/<version>/` may be in it, and the list is last.
fn read(path: &Path, file: &File, length: u64, progress: &mut dyn FnMut(u64)) -> Result<Found, Problem> {
    let cut = |error: io::Error| unread(path, &error);
    let stopped = |bad: Bad| match bad {
        Bad::Read(error) => unread(path, &error),
        Bad::What(what) => refused(path, &what),
    };
    let bad = |what: &str, name: &str| refused(path, &format!("{what}: `{}`", name.escape_debug()));
    let most = MAX_RELEASE.min(length.saturating_mul(MAX_RATIO).saturating_add(FREE));
    let mut archive = open(file).map_err(|error| Problem::io("read", path, &error))?;
    let mut found = Found { top: String::new(), files: BTreeMap::new(), list: None, signature: None };
    let mut folders = BTreeSet::new();
    let mut sum = 0u64;
    let mut members = Members::of(&mut archive).map_err(cut)?;
    while let Some(mut member) = members.next().map_err(stopped)? {
        let name = member.name.as_str();
        if found.list.is_some() {
            return Err(bad("something follows its list", name));
        }
        let inner = match inside(&mut found.top, name.trim_end_matches('/')) {
            Some(inner) if inner.is_empty() || is_plain(inner) => inner.to_string(),
            _ => return Err(bad("it holds a path outside of its release", name)),
        };
        match member.kind {
            EntryType::Directory if member.size == 0 => {
                folders.insert(inner);
                continue;
            }
            EntryType::Regular if !inner.is_empty() && !name.ends_with('/') => {}
            _ => return Err(bad("it holds something that is neither a folder nor a file", name)),
        }
        let (size, mode) = (member.size, member.body.header().mode().map_err(cut)? & 0o7777);
        sum = sum.saturating_add(size);
        if sum > most {
            return Err(refused(path, "more bytes would come out of it than out of any release"));
        }
        let own = match inner.as_str() {
            RELEASE_JSON => Some((MAX_LIST, &mut found.list)),
            SIGNATURE => Some((MAX_SIGNATURE, &mut found.signature)),
            _ => None,
        };
        if let Some((longest, place)) = own {
            if size > longest {
                return Err(bad("a list or signature of that size is none", name));
            }
            let mut text = Vec::new();
            member.body.read_to_end(&mut text).map_err(cut)?;
            if place.replace(text).is_some() {
                return Err(bad("it holds a file twice", name));
            }
            continue;
        }
        let (read, sha256) = hash::copy(&mut member.body, &mut io::sink()).map_err(cut)?;
        if read != size {
            return Err(refused(path, "it is cut off"));
        }
        if found.files.insert(inner.clone(), Listed::new(&inner, size, mode, sha256)).is_some() {
            return Err(bad("it holds a file twice", name));
        }
        if found.files.len() > MAX_FILES {
            return Err(refused(path, &format!("it has more than {MAX_FILES} files")));
        }
        let mut at = file;
        // Of a position that the system does not tell, only the bar knows less.
        progress(at.stream_position().unwrap_or_default());
    }
    drop(members);
    rest_is_empty(archive).map_err(|_| refused(path, "something follows its end, or its end is missing"))?;
    let mut filled = BTreeSet::from([""]);
    for file in found.files.keys() {
        filled.extend(file.match_indices('/').filter_map(|(slash, _)| file.get(..slash)));
    }
    match folders.iter().find(|folder| !filled.contains(folder.as_str())) {
        Some(empty) => Err(bad("it holds an empty folder", empty)),
        None => Ok(found),
    }
}

/// A failure of the disk is not one of the tarball.
fn unread(path: &Path, error: &io::Error) -> Problem {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    match error.kind() {
        InvalidData | InvalidInput | Other | UnexpectedEof => {
            refused(path, "it is cut off, or no gzipped tarball")
        }
        _ => Problem::io("read", path, error),
    }
}

fn open(mut file: &File) -> io::Result<Reader<'_>> {
    file.rewind()?;
    Ok(tar::Archive::new(GzDecoder::new(BufReader::with_capacity(256 * 1024, file))))
}

/// The part of `name` below the release's folder. The first entry tells which folder that is.
fn inside<'n>(top: &mut String, name: &'n str) -> Option<&'n str> {
    if top.is_empty() {
        let version = name.strip_prefix("releases/")?.split('/').next()?;
        if !is_plain(version) || version.starts_with('.') {
            return None;
        }
        *top = format!("releases/{version}");
    }
    let rest = name.strip_prefix(top.as_str())?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// After the last entry there are zeros only, then the checksum, then nothing.
fn rest_is_empty(archive: Reader<'_>) -> io::Result<()> {
    let mut decoder = archive.into_inner();
    let mut rest = Vec::new();
    decoder.by_ref().take(1 << 20).read_to_end(&mut rest)?;
    let mut after = [0; 1];
    let ended = decoder.get_mut().read(&mut after)? == 0;
    match ended && rest.iter().all(|byte| *byte == 0) {
        true => Ok(()),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

impl Checked {
    /// Unpacks the release into the folder `into`, which must not exist yet, and waits until all of it is on the disk. Each
    /// byte is held against the list once more. After an error the folder may hold a part: the caller removes it.
    pub fn unpack(&self, into: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), Problem> {
        let unreadable = |error: io::Error| Problem::io("read", &self.path, &error);
        let mut archive = open(&self.file).map_err(unreadable)?;
        let mut made = Made::begin(into)?;
        let mut done = 0;
        let mut members = Members::of(&mut archive).map_err(unreadable)?;
        let stopped = |bad: Bad| match bad {
            Bad::Read(error) => unread(&self.path, &error),
            Bad::What(_) => self.changed(),
        };
        let mut top = format!("releases/{}", self.manifest.version);
        while let Some(mut member) = members.next().map_err(stopped)? {
            let Some(inner) = inside(&mut top, member.name.trim_end_matches('/')) else {
                return Err(self.changed());
            };
            if member.kind == EntryType::Directory {
                continue;
            }
            // The two that no list names are known already.
            let fixed = match inner {
                RELEASE_JSON => Some(&self.manifest.text),
                SIGNATURE => self.signature.as_ref(),
                _ => None,
            };
            if let Some(bytes) = fixed {
                made.file(inner, 0o644, &mut bytes.as_slice())?;
                continue;
            }
            let listed = self.manifest.files.get(inner).ok_or_else(|| self.changed())?;
            let (size, sha256) = made.file(inner, listed.mode_bits(), &mut member.body)?;
            let found = Listed { size, sha256, ..listed.clone() };
            if of_file(listed, &found).is_some() {
                return Err(self.changed());
            }
            done += size;
            progress(done);
        }
        if made.files.len() != self.manifest.files.len() + 1 + usize::from(self.signature.is_some()) {
            return Err(self.changed());
        }
        made.settle()
    }

    fn changed(&self) -> Problem {
        Problem::refused(
            format!("{} was changed while it was read", self.path.display()),
            "copy the tarball to this machine, and run the command again",
        )
    }
}

/// A folder that is being filled.
struct Made<'a> {
    root: &'a Path,
    folders: BTreeSet<PathBuf>,
    /// Below the folder. They are closed again: a process may have some thousand open.
    files: Vec<String>,
}

impl Made<'_> {
    fn begin(root: &Path) -> Result<Made<'_>, Problem> {
        let mut made = Made { root, folders: BTreeSet::new(), files: Vec::new() };
        made.folder(root)?;
        Ok(made)
    }

    fn folder(&mut self, path: &Path) -> Result<(), Problem> {
        let failed = |error: io::Error| Problem::io("make", path, &error);
        fs::DirBuilder::new().mode(0o755).create(path).map_err(failed)?;
        // Whatever the umask: the user that serves is another one than the one that unpacks.
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        self.folders.insert(path.to_path_buf());
        Ok(())
    }

    /// Writes a new file; gives its length and SHA-256.
    fn file(&mut self, inner: &str, mode: u32, from: &mut dyn Read) -> Result<(u64, String), Problem> {
        let path = self.root.join(inner);
        let above: Vec<PathBuf> = path.ancestors().skip(1).map(Path::to_path_buf).collect();
        let root = self.root;
        for folder in above.into_iter().rev().filter(|folder| folder.starts_with(root)) {
            if !self.folders.contains(&folder) {
                self.folder(&folder)?;
            }
        }
        let failed = |error: io::Error| Problem::io("write", &path, &error);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).map_err(failed)?;
        let written = hash::copy(from, &mut file).map_err(failed)?;
        file.set_permissions(fs::Permissions::from_mode(mode)).map_err(failed)?;
        file.flush().map_err(failed)?;
        self.files.push(inner.to_owned());
        Ok(written)
    }

    /// Waits until everything is on the disk. Done at the end: by then most of it is, and the system writes the rest in
    /// one go.
    fn settle(self) -> Result<(), Problem> {
        let files = self.files.iter().map(|inner| self.root.join(inner));
        for path in files.chain(self.folders.iter().cloned()) {
            let synced = File::open(&path).and_then(|file| file.sync_all());
            synced.map_err(|error| Problem::io("write", &path, &error))?;
        }
        Ok(())
    }
}
