//! Which platform a plugin works with: `min_platform_version` against the version of the platform's own crates.

use semver::{BuildMetadata, Prerelease, Version, VersionReq};

use super::Subject;
use crate::codes;
use crate::diagnostic::Diagnostic;

/// The platform's version: that of its own crates, of which this is one. The version of a release is its maker's to
/// choose, and says nothing about what the platform can do.
pub fn version() -> Version {
    // Cargo builds no package whose version is none.
    Version::parse(env!("CARGO_PKG_VERSION")).unwrap_or(Version::new(0, 0, 0))
}

/// Whether a platform will do. One that is not released yet stands for the release that it becomes: `0.2.0-rc.1` meets
/// `>=0.2.0`, since whoever tries it out wants to see the plugins work that wait for it.
pub fn meets(version: &Version, wanted: &VersionReq) -> bool {
    let released = Version { pre: Prerelease::EMPTY, build: BuildMetadata::EMPTY, ..version.clone() };
    wanted.matches(version) || wanted.matches(&released)
}

/// The finding that a plugin needs another platform.
pub fn check(subject: &Subject<'_>, version: &Version) -> Option<Diagnostic> {
    let wanted = subject.manifest.min_platform_version.as_ref()?;
    if meets(version, &wanted.value) {
        return None;
    }
    let message = format!("`{}` needs a platform {}, and this one is {version}", subject.slug, wanted.value);
    let found = Diagnostic::error(codes::PLATFORM_VERSION, message)
        .help("build with a platform of that version, or lower `min_platform_version`");
    Some(subject.found(&wanted.range, found))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Read, told};
    use super::*;

    #[track_caller]
    fn holds(version: &str, wanted: &str, expect: bool) {
        let (version, wanted) = (Version::parse(version).unwrap(), VersionReq::parse(wanted).unwrap());
        assert_eq!(meets(&version, &wanted), expect, "{version} against {wanted}");
    }

    #[test]
    fn a_platform_before_its_release_counts_as_released() {
        holds("0.2.0-rc.1", ">=0.2.0", true);
        holds("0.2.0-rc.1", "0.2.0", true);
        holds("0.2.0-rc.1+build.7", ">=0.2", true);
        holds("0.2.0-rc.1", ">=0.2.1", false);
        holds("0.2.0-rc.1", "<0.2.0", false);
        holds("0.2.0-rc.1", "=0.2.0-rc.1", true);
        holds("0.1.9", ">=0.2.0-rc.1", false);
        holds("0.2.0", ">=0.2.0-rc.1", true);
    }

    #[test]
    fn a_plugin_that_needs_a_newer_platform_is_told_so() {
        let plugin = Read::new("crm", "min_platform_version: \">=0.3\"\n");
        let check =
            |version: Version| told(&check(&plugin.subject(), &version).into_iter().collect::<Vec<_>>());
        assert_eq!(
            check(Version::new(0, 2, 0)),
            ["HUB035 4: `crm` needs a platform >=0.3, and this one is 0.2.0"]
        );
        assert!(check(Version::new(0, 3, 0)).is_empty());
        assert_eq!(version().to_string(), env!("CARGO_PKG_VERSION"));
    }
}
