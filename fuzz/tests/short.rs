//! The committed corpus and some thousand mutated inputs for each target, within the bounds: the run that every
//! `cargo xtask test` does. `HUB_FUZZ_RUNS` and `HUB_FUZZ_SEED` make it longer, or another one.

use std::path::Path;

use hub_fuzz::bounds::Counting;
use hub_fuzz::corpus;
use hub_fuzz::run::run;
use hub_fuzz::targets::TARGETS;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[track_caller]
fn check(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let findings = Path::new(env!("CARGO_TARGET_TMPDIR")).join("findings");
    let (runs, seed) = (number("HUB_FUZZ_RUNS", 5000), number("HUB_FUZZ_SEED", 1));
    let summary = run(*target, runs, seed, &findings).expect("the corpus can be read");
    assert!(summary.findings.is_empty(), "{:#?}", summary.findings);
    assert!(summary.inputs > runs, "the corpus is empty");
    assert!(summary.largest > 0, "the allocator that counts is not in use");
}

#[test]
fn manifest() {
    check("manifest");
}

#[test]
fn overrides() {
    check("overrides");
}

#[test]
fn router() {
    check("router");
}

#[test]
fn public_route() {
    check("public_route");
}

#[test]
fn the_corpus_stays_small() {
    let all: Vec<_> =
        TARGETS.iter().flat_map(|target| corpus::inputs(target.name).expect("a corpus")).collect();
    assert!(all.len() < 300, "{} files", all.len());
    for (name, bytes) in all {
        assert!(bytes.len() <= 4096, "{name} has {} bytes: make it smaller", bytes.len());
    }
}
