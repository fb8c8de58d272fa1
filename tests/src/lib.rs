//! What the end-to-end tests and the benchmarks share: the real `xtask`, a release that is unpacked elsewhere, a host
//! that runs.

pub mod bench_bundle;
pub mod bench_bundle_app;
pub mod bench_check;
pub mod bench_check_tree;
pub mod bench_check_watch;
pub mod bench_host;
pub mod bench_release;
pub mod forge;
pub mod host;
pub mod installation;
pub mod release;
pub mod xtask;
