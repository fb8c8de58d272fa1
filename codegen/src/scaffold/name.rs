//! The names of a new plugin: which are refused, and how the sample's are replaced.

use std::fmt;

use hub_manifest::grammar::{self, RESERVED_SLUGS, ident_of, rust_ident};

/// Words that YAML may read as something else than text.
const YAML_WORDS: &[&str] = &["false", "n", "no", "null", "off", "on", "true", "y", "yes"];

/// What was asked for and cannot be, and what to ask for instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// One sentence.
    pub message: String,
    /// The way out.
    pub help: String,
}

impl Refused {
    /// A refusal with its way out.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Refused {
        Refused { message: message.into(), help: help.into() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  = help: {}", self.message, self.help)
    }
}

/// Whether a plugin can be called so. A manifest may do with less: the sample has a router, and with it a Rust path.
pub fn check_name(slug: &str) -> Result<(), Refused> {
    grammar::slug(slug).map_err(|help| Refused::new(format!("`{slug}` is not a slug"), help))?;
    let word = slug.trim_start_matches('_');
    let longer = format!("write `{word}-plugin`, or a name that says more");
    if RESERVED_SLUGS.contains(&slug) {
        return Err(Refused::new(format!("the platform itself uses the slug `{slug}`"), longer));
    }
    if !rust_ident(&ident_of(slug)) {
        let message = format!("`{slug}` is a keyword of Rust, and a router's path would hold it");
        return Err(Refused::new(message, longer));
    }
    if YAML_WORDS.contains(&word) {
        return Err(Refused::new(format!("`{word}` is more than a word to YAML"), longer));
    }
    Ok(())
}

/// The text with the sample's names replaced: slug, Rust and SQL name, name shown. None of them is part of another one,
/// and a slug holds nothing that any of the languages would take for more than a name.
pub fn renamed(text: &str, slug: &str) -> String {
    let ident = ident_of(slug);
    // The noun of a permission begins with a letter, which a slug need not.
    let noun = ident.trim_start_matches('_');
    text.replace("sample_plugin.read", &format!("{noun}.read"))
        .replace("sample_plugin.write", &format!("{noun}.write"))
        .replace("sample-plugin", slug)
        .replace("sample_plugin", &ident)
        .replace("Sample plugin", &title(slug))
}

/// A slug as people read it: `patient-flow` is `Patient flow`.
fn title(slug: &str) -> String {
    let words = slug.trim_start_matches('_').replace('-', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(slug: &str) -> String {
        check_name(slug).map_or_else(|refused| refused.to_string(), |()| "fine".to_string())
    }

    #[test]
    fn what_cannot_name_a_plugin_is_refused_with_a_way_out() {
        assert_eq!(refusal("hello"), "fine");
        assert_eq!(refusal("_hello"), "fine");
        assert_eq!(
            refusal("dbt"),
            "the platform itself uses the slug `dbt`\n  = help: write `dbt-plugin`, or a name that says more"
        );
        assert_eq!(
            refusal("match"),
            "`match` is a keyword of Rust, and a router's path would hold it\n  \
             = help: write `match-plugin`, or a name that says more"
        );
        assert!(refusal("_null").starts_with("`null` is more than a word to YAML"));
        assert!(refusal("Patient Flow").contains("= help: write `patient-flow`: "));
        for slug in ["../up", "", "x".repeat(41).as_str()] {
            assert!(refusal(slug).starts_with(&format!("`{slug}` is not a slug")), "{slug}");
        }
    }

    #[test]
    fn every_form_of_the_name_is_replaced() {
        let text = "sample-plugin sample_plugin Sample plugin plugin_sample_plugin_items";
        assert_eq!(
            renamed(text, "patient-flow"),
            "patient-flow patient_flow Patient flow plugin_patient_flow_items"
        );
        assert_eq!(renamed(text, "_demo2"), "_demo2 _demo2 Demo2 plugin__demo2_items");
    }
}
