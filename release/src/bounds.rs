//! Most that a release may have of anything. No release comes near; a tarball that was made to fill memory or disk, or to
//! keep a machine busy, is refused before any of it is trusted.

/// Largest list that is read, in bytes: enough for [`MAX_FILES`].
pub const MAX_LIST: u64 = 24 * 1024 * 1024;
/// Largest signature or public key, in bytes.
pub const MAX_SIGNATURE: u64 = 4 * 1024;
/// Most bytes that the files of a release may have together, and that a tarball may have.
pub const MAX_RELEASE: u64 = 16 * 1024 * 1024 * 1024;
/// Most files of a release.
pub const MAX_FILES: usize = 100_000;
/// Most headers of a tarball: each file may have one more for a long name, and each folder has one too.
pub const MAX_HEADERS: usize = 400_000;
/// Longest path of a file, in bytes.
pub const MAX_NAME: usize = 4 * 1024;
/// Most bytes that the paths in a tarball may have together.
pub const MAX_NAMES: usize = 32 * 1024 * 1024;
/// Most folders that a file may lie in, one in the other.
pub const MAX_DEPTH: usize = 32;
/// Most bytes that come out of one byte of a tarball, on the whole. A release gives three or four.
pub const MAX_RATIO: u64 = 100;
/// Bytes that may come out of a tarball however small it is.
pub const FREE: u64 = 64 * 1024 * 1024;
