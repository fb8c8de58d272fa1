//! The entries of a tarball, one after the other, with bounds on everything that a hostile one could make large: names,
//! headers, depth. Long names are put together here, as the library would read one of a gigabyte into memory.

use std::io::{self, Read};

use tar::{Entry, EntryType};

use crate::bounds::{MAX_DEPTH, MAX_HEADERS, MAX_NAME, MAX_NAMES};

/// The entries, from the first to the last.
pub(crate) struct Members<'a, R: Read> {
    entries: tar::Entries<'a, R>,
    headers: usize,
    /// Bytes of all names so far.
    names: usize,
}

/// One entry.
pub(crate) struct Member<'a, R: Read> {
    /// Its whole path.
    pub(crate) name: String,
    pub(crate) kind: EntryType,
    /// Its length in bytes, as its header says.
    pub(crate) size: u64,
    /// Its contents.
    pub(crate) body: Entry<'a, R>,
}

/// Why a tarball is not read any further.
pub(crate) enum Bad {
    /// Reading it failed.
    Read(io::Error),
    /// What is wrong with it, in words.
    What(String),
}

impl<'a, R: Read> Members<'a, R> {
    /// Those of an archive that nobody has read from.
    pub(crate) fn of(archive: &'a mut tar::Archive<R>) -> io::Result<Members<'a, R>> {
        // Raw: headers that only carry a name come as they are.
        let entries = archive.entries()?.raw(true);
        Ok(Members { entries, headers: 0, names: 0 })
    }

    /// The next one; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Member<'a, R>>, Bad> {
        let mut long: Option<String> = None;
        loop {
            let Some(entry) = self.entries.next() else {
                return match long {
                    None => Ok(None),
                    Some(_) => Err(Bad::What("it ends after a name without a file".to_owned())),
                };
            };
            let mut entry = entry.map_err(Bad::Read)?;
            self.headers += 1;
            if self.headers > MAX_HEADERS {
                return Err(Bad::What(format!("it has more than {MAX_HEADERS} entries")));
            }
            let kind = entry.header().entry_type();
            let named = match kind {
                EntryType::GNULongName => Some(long_name(&mut entry)?),
                EntryType::XHeader => pax_name(&mut entry)?,
                _ => {
                    let name = match long {
                        Some(name) => name,
                        None => utf8(entry.header().path_bytes().into_owned())?,
                    };
                    self.fits(&name)?;
                    let size = entry.header().entry_size().map_err(Bad::Read)?;
                    return Ok(Some(Member { name, kind, size, body: entry }));
                }
            };
            if let Some(name) = named
                && long.replace(name).is_some()
            {
                return Err(Bad::What("it has two names for one file".to_owned()));
            }
        }
    }

    fn fits(&mut self, name: &str) -> Result<(), Bad> {
        self.names += name.len();
        if name.matches('/').count() > MAX_DEPTH {
            let begin: String = name.chars().take(60).collect();
            let what = format!("`{}…` lies deeper than {MAX_DEPTH} folders", begin.escape_debug());
            return Err(Bad::What(what));
        }
        if self.names > MAX_NAMES {
            return Err(Bad::What(format!("its names have more than {MAX_NAMES} bytes together")));
        }
        Ok(())
    }
}

/// All of a header that carries a name; it is small.
fn small<R: Read>(entry: &mut Entry<'_, R>) -> Result<Vec<u8>, Bad> {
    let size = entry.header().entry_size().map_err(Bad::Read)?;
    if size > MAX_NAME as u64 {
        return Err(Bad::What(format!("a name of {size} bytes is in it; {MAX_NAME} are allowed")));
    }
    let mut bytes = Vec::new();
    entry.take(MAX_NAME as u64).read_to_end(&mut bytes).map_err(Bad::Read)?;
    if bytes.len() as u64 == size { Ok(bytes) } else { Err(Bad::Read(io::ErrorKind::UnexpectedEof.into())) }
}

fn long_name<R: Read>(entry: &mut Entry<'_, R>) -> Result<String, Bad> {
    let mut bytes = small(entry)?;
    // It ends with a zero.
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    utf8(bytes)
}

/// The name in a header of pax; none where it says other things, such as times.
fn pax_name<R: Read>(entry: &mut Entry<'_, R>) -> Result<Option<String>, Bad> {
    let bytes = small(entry)?;
    let mut name = None;
    for record in tar::PaxExtensions::new(&bytes) {
        let record = record.map_err(Bad::Read)?;
        match record.key_bytes() {
            b"path" => name = Some(utf8(record.value_bytes().to_vec())?),
            key if key == b"size" || key == b"linkpath" || key.starts_with(b"GNU.sparse") => {
                let key = String::from_utf8_lossy(key).into_owned();
                return Err(Bad::What(format!("it says `{key}` of a file, which no release does")));
            }
            _ => {}
        }
    }
    Ok(name)
}

fn utf8(bytes: Vec<u8>) -> Result<String, Bad> {
    String::from_utf8(bytes).map_err(|_| Bad::What("it holds a name that is not UTF-8".to_owned()))
}
