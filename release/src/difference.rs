//! How a file differs from what the list of its release says.

use std::collections::BTreeMap;
use std::fmt;

use crate::manifest::Listed;

/// The folders of a release in which a file more has an effect: dbt reads its project's folder, Python looks beside a script,
/// the host reads the page's files and a plugin's migrations.
const READ_WHOLE: [&str; 3] = ["dbt", "plugins", "web"];

/// One file that is not as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Path relative to the release's folder.
    pub path: String,
    /// How it differs.
    pub how: How,
}

/// How a file differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Listed, and not there.
    Missing,
    /// There, and not listed.
    Extra,
    /// A link, a folder, a device: not an ordinary file.
    NoFile,
    /// A link, or something else, in the place of a folder of the release. What lies behind a link is nobody's release.
    NoFolder {
        /// Whether it is a link.
        link: bool,
    },
    /// A folder that everybody may write to, and exchange files in after they were looked at.
    Open {
        /// Its permission bits, in octal.
        mode: String,
    },
    /// Another length, in bytes.
    Size {
        /// As the list says.
        listed: u64,
        /// As it is.
        found: u64,
    },
    /// Other permission bits, in octal.
    Mode {
        /// As the list says.
        listed: String,
        /// As it is.
        found: String,
    },
    /// Other bytes; the SHA-256 of both.
    Bytes {
        /// As the list says.
        listed: String,
        /// As it is.
        found: String,
    },
    /// It cannot be read.
    Unreadable(String),
}

impl Difference {
    /// A difference of the file at `path`.
    pub fn new(path: &str, how: How) -> Difference {
        Difference { path: path.to_string(), how }
    }

    /// Whether what runs from there could behave differently. A mode that still lets a file be read, and nobody else write
    /// it, changes nothing, nor does a file more where nobody looks for files; where folders are read as they are, it does.
    ///
    /// This is the one judgement: what is damage is not started, and `verify` says so; what is none is only told.
    pub fn is_damage(&self) -> bool {
        match &self.how {
            How::Extra => READ_WHOLE.contains(&self.path.split('/').next().unwrap_or_default()),
            How::Mode { listed, found } => owner(listed) != owner(found) || is_loose(found),
            _ => true,
        }
    }
}

/// The owner's digit of a mode in octal.
fn owner(mode: &str) -> Option<char> {
    mode.chars().rev().nth(2)
}

/// Whether a mode in octal lets others than the owner write, or lends the owner's rights to whoever runs the file. No
/// release lists such a mode.
fn is_loose(mode: &str) -> bool {
    u32::from_str_radix(mode, 8).is_ok_and(|bits| bits & 0o7022 != 0)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.escape_debug();
        match &self.how {
            How::Missing => write!(f, "{path} is missing"),
            How::Extra => write!(f, "{path} is not part of the release"),
            How::NoFile => write!(f, "{path} is not an ordinary file"),
            How::NoFolder { link: true } => write!(f, "{path} is a link where a folder is expected"),
            How::NoFolder { link: false } => write!(f, "{path} is no folder where one is expected"),
            How::Open { mode } => write!(f, "{path} is a folder that everybody may write to (mode {mode})"),
            How::Size { listed, found } => write!(f, "{path} has {found} bytes instead of {listed}"),
            How::Mode { listed, found } => write!(f, "{path} has the mode {found} instead of {listed}"),
            How::Bytes { listed, found } => {
                write!(f, "{path} has other bytes (sha256 {} instead of {})", short(found), short(listed))
            }
            How::Unreadable(why) => write!(f, "{path} cannot be read: {why}"),
        }
    }
}

fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

/// What is wrong with a file that was found, by its list. Of several differences the plainest is told.
pub fn of_file(listed: &Listed, found: &Listed) -> Option<Difference> {
    let how = if listed.size != found.size {
        How::Size { listed: listed.size, found: found.size }
    } else if listed.sha256 != found.sha256 {
        How::Bytes { listed: listed.sha256.clone(), found: found.sha256.clone() }
    } else if listed.mode != found.mode {
        How::Mode { listed: listed.mode.clone(), found: found.mode.clone() }
    } else {
        return None;
    };
    Some(Difference::new(&listed.path, how))
}

/// What differs between two lists of files, by path.
pub fn of_lists(listed: &BTreeMap<String, Listed>, found: &BTreeMap<String, Listed>) -> Vec<Difference> {
    let missing_or_other = listed.values().filter_map(|file| match found.get(&file.path) {
        Some(there) => of_file(file, there),
        None => Some(Difference::new(&file.path, How::Missing)),
    });
    let extra = found.keys().filter(|path| !listed.contains_key(*path));
    let mut all: Vec<Difference> =
        missing_or_other.chain(extra.map(|path| Difference::new(path, How::Extra))).collect();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

/// The first differences in one sentence.
pub fn told(differences: &[Difference]) -> String {
    const TOLD: usize = 3;
    let shown: Vec<String> = differences.iter().take(TOLD).map(ToString::to_string).collect();
    let more = differences.len().saturating_sub(TOLD);
    match more {
        0 => shown.join("; "),
        more => format!("{}; and {more} more", shown.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S9: which modes keep a file from being started, whoever asks.
    #[test]
    fn s9_a_mode_that_lends_rights_or_lets_others_write_is_damage() {
        let damage = |listed: &str, found: &str| {
            let (listed, found) = (listed.to_owned(), found.to_owned());
            Difference::new("bin/hub-platform", How::Mode { listed, found }).is_damage()
        };
        for found in ["4755", "2755", "6755", "1755", "0777", "0775", "0757", "0655", "0455"] {
            assert!(damage("0755", found), "{found}");
        }
        for found in ["0664", "0646", "0666", "4644", "0755", "0444", "0044"] {
            assert!(damage("0644", found), "{found}");
        }
        // What a strict umask leaves.
        for (listed, found) in
            [("0755", "0700"), ("0755", "0750"), ("0644", "0600"), ("0644", "0640"), ("0644", "0645")]
        {
            assert!(!damage(listed, found), "{found}");
        }
    }
}
