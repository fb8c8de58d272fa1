//! What holds for the grammars of names: what is written by their rules is read back as the same, and no two slugs share a
//! Rust identifier.

use std::collections::BTreeMap;

use fastrand::Rng;
use hub_manifest::grammar::{self, RouterCrate};

fn text(rng: &mut Rng, first: &str, more: &str, most: usize) -> String {
    let pick = |rng: &mut Rng, from: &str| rng.choice(from.bytes()).map_or('a', char::from);
    let begin = pick(rng, first);
    let length = rng.usize(..most);
    std::iter::once(begin).chain((0..length).map(|_| pick(rng, more))).collect()
}

fn ident(rng: &mut Rng) -> String {
    loop {
        let word = text(rng, "abcfm_", "abcfnm_019", 6);
        if grammar::rust_ident(&word) {
            return word;
        }
    }
}

#[test]
fn a_router_reads_back_as_it_was_written() {
    let mut rng = Rng::with_seed(1);
    for _ in 0..10_000 {
        let (krate, function) = (ident(&mut rng), ident(&mut rng));
        let modules: Vec<String> = (0..rng.usize(..4)).map(|_| ident(&mut rng)).collect();
        let own = rng.bool();
        let written = if own {
            let modules: String = modules.iter().map(|name| format!(".{name}")).collect();
            format!("plugins.{krate}.backend{modules}:{function}")
        } else {
            let modules: String = modules.iter().map(|name| format!("{name}::")).collect();
            format!("{krate}::{modules}{function}")
        };
        let spec = grammar::router_spec(&written).unwrap_or_else(|help| panic!("{written}: {help}"));
        let wanted = if own { RouterCrate::Backend(krate) } else { RouterCrate::Named(krate) };
        assert_eq!((spec.krate, spec.modules, spec.function), (wanted, modules, function), "{written}");
    }
}

#[test]
fn no_two_slugs_share_an_identifier() {
    let mut rng = Rng::with_seed(2);
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for _ in 0..50_000 {
        let slug = text(&mut rng, "ab_", "ab-_1", 6);
        if grammar::slug(&slug).is_ok() {
            let ident = grammar::ident_of(&slug);
            assert!(ident.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{slug}");
            let first = seen.entry(ident).or_insert_with(|| slug.clone());
            assert_eq!(*first, slug);
        }
    }
    assert!(seen.len() > 100, "{} slugs only", seen.len());
}

#[test]
fn a_path_that_was_made_plain_is_plain_already() {
    let mut rng = Rng::with_seed(3);
    for _ in 0..50_000 {
        let path = text(&mut rng, "a./~C", "a./~:\\C", 8);
        if let Ok(plain) = grammar::inner_path(&path) {
            assert_eq!(grammar::inner_path(&plain).as_ref(), Ok(&plain), "{path}");
        }
    }
}
