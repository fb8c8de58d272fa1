//! Manifests that were made to hurt: to fill the memory, to take for ever, to write on the reader's terminal, to leave the
//! plugin.

use std::path::Path;
use std::time::{Duration, Instant};

use hub_manifest::diagnostic::{Diagnostic, MAX_FINDINGS};
use hub_manifest::grammar;
use hub_manifest::source::Source;
use hub_manifest::{overrides, plugin};

const HEAD: &str = "name: crm\nversion: 1.0.0\ndisplay_name: CRM\n";

fn yaml(text: &str) -> Vec<Diagnostic> {
    let source = Source::decode(Path::new("plugin.yaml"), text.as_bytes()).expect("text within the bounds");
    quickly(|| plugin::parse(&source, "crm").1)
}

fn json(text: &str) -> Vec<Diagnostic> {
    let source =
        Source::decode(Path::new("overrides.json"), text.as_bytes()).expect("text within the bounds");
    quickly(|| overrides::parse(&source, "crm").1)
}

/// Each of these took many times as long as this, or as much memory as there was.
fn quickly<T>(work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    done
}

fn codes(found: &[Diagnostic]) -> Vec<&str> {
    found.iter().map(|found| found.code.id()).collect()
}

/// `text`, as often as fits into what is read of a file.
fn fill(text: impl Fn(usize) -> String) -> String {
    let mut out = String::new();
    for n in 0.. {
        let more = text(n);
        if out.len() + more.len() > 130_000 {
            break;
        }
        out.push_str(&more);
    }
    out
}

#[test]
fn a_long_text_cannot_be_repeated_without_end() {
    let text = format!("{HEAD}author: &a {}\nroles: [{}]\n", "x".repeat(100_000), "*a,".repeat(30_000));
    assert_eq!(codes(&yaml(&text)), ["HUB006"]);
}

#[test]
fn anchors_inside_one_another_cannot_add_up() {
    let open: String = (0..30).map(|n| format!("&a{n} [")).collect();
    let text = format!("{HEAD}x: {open}{}{}\n", "1,".repeat(40_000), "]".repeat(30));
    assert_eq!(codes(&yaml(&text)), ["HUB006"]);
}

#[test]
fn thousands_of_mistakes_are_cut_short() {
    for found in [
        yaml(&format!("{HEAD}{}", fill(|_| "a:\n".to_string()))),
        yaml(&format!("{HEAD}{}", fill(|n| format!("k{n}:\n")))),
        yaml(&format!("{HEAD}permissions:\n{}", fill(|_| "- X\n".to_string()))),
        json(&format!("{{\"overrides\": {{{}\"a\": \"b\"}}}}", fill(|_| "\"a\": 1, ".to_string()))),
        json(&format!("{{\"overrides\": {{{}\"a\": \"b\"}}}}", fill(|n| format!("\"K{n}\": 1, ")))),
    ] {
        assert_eq!(found.len(), MAX_FINDINGS + 1);
        assert_eq!(found.last().map(|found| found.code.id()), Some("HUB006"));
    }
}

#[test]
fn long_lists_are_read_in_no_time() {
    assert!(yaml(&format!("{HEAD}permissions:\n{}", fill(|n| format!("- a.b{n}\n")))).is_empty());
    assert!(yaml(&format!("{HEAD}dependencies:\n{}", fill(|n| format!("- a{n}\n")))).is_empty());
    assert!(yaml(&format!("{HEAD}routers:\n{}", fill(|n| format!("- a::b{n}\n")))).is_empty());
    let long = format!("{{\"{}\": 1, \"overrides\": {{}}}}", "k".repeat(200_000));
    assert_eq!(codes(&json(&long)), ["HUB006"]);
}

#[test]
fn what_an_author_wrote_cannot_write_on_the_terminal() {
    let found = yaml("name: \"a\\nb\\e[31m\\u202Ec\"\nversion: 1.0.0\ndisplay_name: CRM\n");
    assert_eq!(codes(&found)[0], "HUB008");
    let found = yaml(&format!("{HEAD}visibility: {}\n", "x".repeat(100_000)));
    assert_eq!(codes(&found), ["HUB006"]);
    assert!(found[0].message.chars().count() < 400);
}

#[test]
fn a_path_that_was_made_plain_keeps_to_the_grammar() {
    for path in ["./~/x", ".//~root", "./C:/x", "./c:"] {
        assert!(grammar::inner_path(path).is_err(), "{path}");
    }
    assert_eq!(grammar::inner_path("./a/~b/C:").as_deref(), Ok("a/~b/C:"));
}

#[test]
fn the_slug_of_a_workspace_is_no_option_and_not_long() {
    for slug in ["-a", "a-", "__a", "_-a", "a\n", ""] {
        assert!(grammar::inner_slug(slug).is_err(), "{slug:?}");
    }
    assert!(grammar::inner_slug(&format!("a{}", "-".repeat(100))).is_err());
    assert!(grammar::inner_slug(&"ab".repeat(21)).is_err());
    for slug in ["a", "_a", "stg_finance", "stg__finance", "a-b_c", "a_"] {
        assert_eq!(grammar::inner_slug(slug), Ok(()), "{slug}");
    }
}
