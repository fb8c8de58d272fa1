//! `install.conf`: what the customer is called, and which driver plugins the installation needs.

use std::path::Path;

use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::environment::quoted;
use hub_manifest::grammar::nearest;
use hub_manifest::node::{Entry, Node, Value};
use hub_manifest::source::Source;
use hub_manifest::yaml;
use hub_release::beneath;

use super::say;
use crate::fault::Fault;
use crate::identity::first;
use crate::settings::reason;

/// The keys that are known at the top, and below `customer`.
const TOP: &[&str] = &["customer", "plugins"];
const CUSTOMER: &[&str] = &["display_name", "name", "plugins"];

/// Largest such file, in bytes.
const MOST: u64 = 1024 * 1024;

/// What an `install.conf` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Conf {
    /// The customer's short name.
    pub(super) name: Option<String>,
    /// The customer's name as people write it.
    pub(super) display_name: Option<String>,
    /// Aliases of driver plugins.
    pub(super) plugins: Vec<String>,
    /// What was found and means nothing here, one sentence each.
    pub(super) warnings: Vec<String>,
    /// Names that no new `.env` may have, one sentence each.
    pub(super) unfit: Vec<String>,
}

impl Conf {
    /// Reads a file. All mistakes are told at once.
    pub(super) fn read(file: &Path) -> Result<Conf, Fault> {
        let bytes = beneath::read(file, MOST).map_err(|e| {
            Fault::usage(
                format!("cannot read {}: {}", file.display(), reason(&e)),
                "name a YAML file, such as: --install-conf install.conf",
            )
        })?;
        Conf::parse(file, &bytes).map_err(|found| mistaken(&found))
    }

    /// Sees that its names may be written into a new `.env`. Where there is one already they are only told: that one stays.
    pub(super) fn fits(&self, env_is_kept: bool) -> Result<(), Fault> {
        match self.unfit.is_empty() {
            true => Ok(()),
            false if env_is_kept => {
                self.unfit.iter().for_each(|text| say::warn(text));
                Ok(())
            }
            false => Err(mistaken(&self.unfit)),
        }
    }

    fn parse(file: &Path, bytes: &[u8]) -> Result<Conf, Vec<String>> {
        if says_nothing(bytes) {
            return Ok(Conf::default());
        }
        let mut found = Vec::new();
        let source = match Source::decode(file, bytes) {
            Ok(source) => source,
            Err(diagnostic) => return Err(vec![sentence(&diagnostic)]),
        };
        let root = yaml::parse(&source, &mut found);
        let mut reader = Reader {
            source: &source,
            file,
            found: found.iter().map(sentence).collect(),
            conf: Conf::default(),
        };
        match root {
            Some(root) if matches!(root.value, Value::Null) => {}
            Some(root) => reader.top(&root),
            // What kept it from being read is found already.
            None => {}
        }
        if reader.found.is_empty() { Ok(reader.conf) } else { Err(reader.found) }
    }
}

/// Whether a file has nothing but comments: a manifest may not, and here it means that nothing is set.
fn says_nothing(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.strip_prefix('\u{feff}').unwrap_or(&text).lines().map(str::trim);
    lines.all(|line| line.is_empty() || line.starts_with('#') || line == "---")
}

/// A short name is one word that may stand in a path, an address or a database's name.
fn short_name(name: &str) -> Result<(), String> {
    const MOST: usize = 63;
    let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if name.chars().count() > MOST {
        return Err(format!("may have at most {MOST} characters"));
    }
    if !name.starts_with(char::is_alphanumeric) || !name.chars().all(plain) {
        return Err("may have letters, digits, `-`, `_` and `.`, and begins with a letter or digit; `display_name` takes any text"
            .to_owned());
    }
    Ok(())
}

fn mistaken(found: &[String]) -> Fault {
    Fault::usage(
        found.join("\n       "),
        "write it like: {customer: {name: acme}, plugins: \"chroma,oracle\"}",
    )
}

fn sentence(found: &Diagnostic) -> String {
    let file = found.file.as_deref().unwrap_or(Path::new("install.conf")).display();
    format!("{file}:{}:{}: {}", found.span.line, found.span.column, found.message)
}

struct Reader<'a> {
    source: &'a Source,
    file: &'a Path,
    found: Vec<String>,
    conf: Conf,
}

impl Reader<'_> {
    fn top(&mut self, root: &Node) {
        let Some(entries) = self.map(root, "install.conf") else { return };
        for entry in entries {
            match entry.key.as_str() {
                "customer" => self.customer(&entry.value),
                "plugins" => self.plugins(&entry.value),
                _ => self.unknown(entry, TOP),
            }
        }
    }

    fn customer(&mut self, node: &Node) {
        if matches!(node.value, Value::Null) {
            return;
        }
        let Some(entries) = self.map(node, "`customer`") else { return };
        for entry in entries {
            match entry.key.as_str() {
                "name" => self.conf.name = self.name(&entry.value, "`customer.name`", short_name),
                "display_name" => {
                    self.conf.display_name =
                        self.name(&entry.value, "`customer.display_name`", first::customer_name);
                }
                "plugins" => self.plugins(&entry.value),
                _ => self.unknown(entry, CUSTOMER),
            }
        }
    }

    /// Aliases with commas between them, or a list of aliases.
    fn plugins(&mut self, node: &Node) {
        let texts = match &node.value {
            Value::Null => Vec::new(),
            Value::List(items) => {
                items.iter().filter_map(|item| self.text(item, "a driver plugin")).collect()
            }
            _ => self.text(node, "`plugins`").into_iter().collect(),
        };
        for alias in
            texts.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|alias| !alias.is_empty())
        {
            if !self.conf.plugins.iter().any(|known| known == alias) {
                self.conf.plugins.push(alias.to_owned());
            }
        }
    }

    fn map<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Entry]> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            other => {
                let what = format!("{what} must be a mapping, but this is {}", other.kind());
                self.error(node, &what);
                None
            }
        }
    }

    fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.value {
            Value::String(text) if !text.trim().is_empty() && !text.contains(char::is_control) => {
                Some(text.trim().to_owned())
            }
            Value::String(_) => {
                self.error(node, &format!("{what} must be one line of text"));
                None
            }
            // A name such as `2024` is meant as text.
            Value::Integer(number) => Some(number.to_string()),
            other => {
                let what = format!("{what} must be text, but this is {}", other.kind());
                self.error(node, &what);
                None
            }
        }
    }

    /// A name that the host will take: what it would refuse is told here, where it is written.
    fn name(&mut self, node: &Node, what: &str, check: fn(&str) -> Result<(), String>) -> Option<String> {
        let text = self.text(node, what)?;
        match check(&text) {
            Ok(()) => Some(text),
            Err(why) => {
                let at = self.source.span(&node.range);
                let what = format!("{what} is {}, which will not do: it {why}", quoted(&text));
                self.conf.unfit.push(self.placed(at, &what));
                None
            }
        }
    }

    fn unknown(&mut self, entry: &Entry, known: &[&str]) {
        let near = nearest(&entry.key, known.iter().copied());
        let meant = near.first().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let at = self.source.span(&entry.key_range);
        let text = format!("{} means nothing here{meant}", quoted(&entry.key));
        self.conf.warnings.push(self.placed(at, &text));
    }

    fn error(&mut self, node: &Node, what: &str) {
        let text = self.placed(self.source.span(&node.range), what);
        self.found.push(text);
    }

    fn placed(&self, at: Span, what: &str) -> String {
        format!("{}:{}:{}: {what}", self.file.display(), at.line, at.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Conf, Vec<String>> {
        Conf::parse(Path::new("install.conf"), text.as_bytes())
    }

    #[test]
    fn plugins_stand_at_the_top_or_below_the_customer() {
        let want = |plugins: &[&str]| plugins.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        let conf =
            read("customer:\n  name: acme\n  display_name: Acme Health\nplugins: chroma, oracle,\n").unwrap();
        assert_eq!((conf.name.as_deref(), conf.display_name.as_deref()), (Some("acme"), Some("Acme Health")));
        assert_eq!(conf.plugins, want(&["chroma", "oracle"]));
        assert_eq!(
            read("customer: {name: a, plugins: 'faiss'}\nplugins: [dbt, faiss]").unwrap().plugins,
            want(&["faiss", "dbt"])
        );
        assert_eq!(read("plugins:\n").unwrap().plugins, want(&[]));
        let conf = read("plugin: oracle\n").unwrap();
        assert_eq!(conf.warnings, ["install.conf:1:1: `plugin` means nothing here; did you mean `plugins`?"]);
    }

    #[test]
    fn mistakes_are_told_with_their_places() {
        assert_eq!(
            read("customer: acme\nplugins: {a: 1}\n").unwrap_err(),
            [
                "install.conf:1:11: `customer` must be a mapping, but this is text",
                "install.conf:2:10: `plugins` must be text, but this is a mapping",
            ]
        );
        assert_eq!(
            read("- a\n").unwrap_err(),
            ["install.conf:1:1: install.conf must be a mapping, but this is a list"]
        );
        assert!(read("a: [\n").unwrap_err()[0].starts_with("install.conf:"));
    }

    /// Nothing set is no mistake.
    #[test]
    fn a_file_that_says_nothing_sets_nothing() {
        for text in [
            "",
            "\n\n",
            "# customer:\n",
            "# a\n\n  # b",
            "\u{feff}",
            "---\n",
            "---\n# a\n",
            "~\n",
            "customer:\nplugins:\n",
            "customer: {}\n",
        ] {
            assert_eq!(read(text), Ok(Conf::default()), "{text:?}");
        }
    }

    /// O: what the host would refuse at its first start is refused where it is written.
    #[test]
    fn names_that_the_host_would_refuse_are_told_here() {
        for name in ["../x", "a/b", "Acme Health", ".hidden", "-x", &"a".repeat(64)] {
            let found = read(&format!("customer: {{name: \"{name}\"}}\n")).unwrap().unfit;
            assert!(found[0].starts_with("install.conf:1:18: `customer.name` is `"), "{name}: {found:?}");
        }
        for name in ["acme", "acme-health_2.eu", "2024", "größe"] {
            assert_eq!(read(&format!("customer: {{name: '{name}'}}\n")).unwrap().name.as_deref(), Some(name));
        }
        for name in [&"a".repeat(101), "x\u{202e}y", "\u{3164}"] {
            let found = read(&format!("customer: {{display_name: \"{name}\"}}\n")).unwrap().unfit;
            assert!(found[0].contains("`customer.display_name` is `"), "{name}: {found:?}");
        }
    }
}
