//! The kinds of override keys that plugins name themselves: prefix, grammar, and what guide and messages say of each. All
//! other keys are dotted words, which the web shell or another plugin has to ask for.

use crate::grammar;

/// A prefix of override keys with a grammar of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OverrideKind {
    /// `route:/path`, a page of the web shell.
    Route,
    /// `block:Name`, a component for dashboards and other plugins.
    Block,
}

/// What there is to say of a kind.
struct Row {
    prefix: &'static str,
    field: &'static str,
    example: &'static str,
    form: &'static str,
    props: &'static str,
    about: &'static str,
    grammar: fn(&str) -> Result<(), String>,
}

const ROUTE: Row = Row {
    prefix: "route:",
    field: "routes",
    example: "/path",
    form: "/<path>",
    props: "none",
    about: "Replaces the page at that path",
    grammar: grammar::shell_path,
};

const BLOCK: Row = Row {
    prefix: "block:",
    field: "blocks",
    example: "Name",
    form: "<Name>",
    props: "the block's own",
    about: "A component for dashboards and other plugins",
    grammar: grammar::block_name,
};

impl OverrideKind {
    /// Every kind, in the order in which a manifest's claims are read.
    pub const ALL: [OverrideKind; 2] = [OverrideKind::Route, OverrideKind::Block];

    const fn row(self) -> &'static Row {
        match self {
            OverrideKind::Route => &ROUTE,
            OverrideKind::Block => &BLOCK,
        }
    }

    /// The kind of a key, and what follows its prefix; none for dotted words.
    pub fn split(key: &str) -> Option<(OverrideKind, &str)> {
        OverrideKind::ALL.into_iter().find_map(|kind| Some((kind, kind.name_in(key)?)))
    }

    /// What follows the prefix in a key of this kind.
    pub fn name_in(self, key: &str) -> Option<&str> {
        key.strip_prefix(self.row().prefix)
    }

    /// The key of a name.
    pub fn key(self, name: &str) -> String {
        format!("{}{name}", self.row().prefix)
    }

    /// Whether a name keeps to the grammar; the error says what to write.
    pub fn check(self, name: &str) -> Result<(), String> {
        (self.row().grammar)(name)
    }

    /// The field of `frontend_overrides` in plugin.yaml that holds claims of this kind, by their names.
    pub const fn field(self) -> &'static str {
        self.row().field
    }

    /// A key as messages show it, as in `block:Name`.
    pub fn example(self) -> String {
        self.key(self.row().example)
    }

    /// The form of the keys, as in `block:<Name>`.
    pub fn form(self) -> String {
        self.key(self.row().form)
    }

    /// The props of such a surface, in a few words.
    pub const fn props(self) -> &'static str {
        self.row().props
    }

    /// What a claim does, in words that go on.
    pub const fn about(self) -> &'static str {
        self.row().about
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes;

    #[test]
    fn a_key_is_taken_apart_and_put_together() {
        assert_eq!(OverrideKind::split("route:/crm/:id"), Some((OverrideKind::Route, "/crm/:id")));
        assert_eq!(OverrideKind::split("block:Card"), Some((OverrideKind::Block, "Card")));
        assert_eq!(OverrideKind::split("dashboard.view"), None);
        assert_eq!(OverrideKind::Block.name_in("route:/crm"), None);
        for kind in OverrideKind::ALL {
            let example = kind.example();
            assert_eq!(OverrideKind::split(&example), Some((kind, kind.row().example)));
            assert_eq!(grammar::override_key(&example), Ok(()));
        }
    }

    #[test]
    fn messages_name_every_kind() {
        let help = grammar::override_key("Not A Key").unwrap_err();
        assert_eq!(
            help,
            "write a key as dotted words like `dashboard.view`, or `block:Name`, or `route:/path`"
        );
        let cause = codes::MALFORMED_OVERRIDE_KEY.entry().cause;
        for kind in OverrideKind::ALL {
            assert!(
                cause.contains(&format!("`{}`", kind.example())),
                "HUB022 does not name {kind:?}: {cause}"
            );
        }
    }
}
