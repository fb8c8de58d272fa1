//! The profile that a dbt run works with: which `profiles.yml`, which target, which adapter; where its data lies; and
//! whether organisations are kept apart there.
//!
//! The customer's own `profiles.yml` lies in `<data>/dbt`. One that cannot be read, or that has the profile but not the
//! target, is an error of the run: another warehouse is never taken in its place. Where it has no such profile, the data
//! is kept in a DuckDB file of the organisation's workspace.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use hub_manifest::codes;
use hub_manifest::diagnostic::Level;
use hub_manifest::grammar::{alternatives, nearest};
use hub_manifest::node::{Entry, Node, Value};
use hub_manifest::source::{MAX_BYTES, Source};
use hub_manifest::yaml;
use hub_release::beneath;

use super::jinja::{Rendered, render, variables};
use super::place::Place;
use super::reduced;
use super::values::{get, merged, scalar, texts};
use crate::settings::reason;

/// Where a profile puts the data of an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Profile {
    /// The file that it stands in.
    pub(super) file: PathBuf,
    pub(super) name: String,
    /// None where only dbt can tell.
    pub(super) target: Option<String>,
    /// dbt's name for the kind of database; none where only dbt can tell.
    pub(super) adapter: Option<String>,
    /// Whether it is the customer's own; else it is the platform's DuckDB file.
    pub(super) own: bool,
    /// Whether the data lies on this host's disk or behind this host's loopback.
    pub(super) local: bool,
    /// What keeps one organisation's data from another's.
    pub(super) apart: Apart,
    /// Variables that it asks for.
    pub(super) reads: BTreeSet<String>,
    /// What else there is to tell of the choice.
    pub(super) note: Option<String>,
}

/// What keeps the data of organisations apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Apart {
    /// Each has a file or a server of its own.
    Connection,
    /// Each has a schema, dataset or database of its own on one server.
    Schema,
    /// Nothing: the sentence says where, and what to write.
    Nothing(String),
}

impl Profile {
    /// As the first lines of the log tell it.
    pub(super) fn told(&self) -> Vec<String> {
        let Profile { name, target, adapter, file, own, note, .. } = self;
        let of = if *own {
            file.display().to_string()
        } else {
            "the platform (a DuckDB file of the workspace)".to_owned()
        };
        let target = target.as_deref().unwrap_or("as its Jinja says");
        let adapter = adapter.as_deref().unwrap_or("that of the target");
        let mut lines =
            vec![format!("profile `{name}`, target `{target}`, adapter {adapter}; profiles.yml of {of}")];
        lines.extend(note.clone());
        lines
    }
}

/// What the profile is asked for.
pub(super) struct Asked<'a> {
    /// Name of the profile.
    pub(super) name: &'a str,
    /// A target other than the profile's own.
    pub(super) target: Option<&'a str>,
    /// The variables that the run gets.
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
    /// The variables that a run of another organisation would get.
    pub(super) elsewhere: &'a dyn Fn(&str) -> Option<String>,
}

/// The customer's profile of that name, with a `profiles.yml` that holds it alone; none where there is no file or no such profile in it, with a note on the latter.
/// The error says what is wrong with the file, and where.
pub(super) fn own(
    data: &Path,
    asked: &Asked<'_>,
) -> Result<Result<(Profile, String), Option<String>>, String> {
    let file = file_in(data);
    let Some(bytes) = bytes_of(&file)? else { return Ok(Err(None)) };
    let (source, root) = match parsed(&file, &bytes)? {
        Some(parsed) => parsed,
        None => return Ok(Err(Some(format!("{} holds no profile", file.display())))),
    };
    let at = |node: &Node| place(&source, node);
    let Value::Map(entries) = &root.value else {
        return Err(format!("{}: must be a mapping of profiles, like `{}: …`", at(&root), asked.name));
    };
    let profiles = merged(entries);
    let Some(profile) = get(&profiles, asked.name) else {
        let names: Vec<&str> =
            profiles.iter().map(|entry| entry.key.as_str()).filter(|name| *name != "config").collect();
        let has = if names.is_empty() { "none".to_owned() } else { alternatives_of(&names) };
        return Ok(Err(Some(format!(
            "{} has no profile `{}` (it has {has}): the platform's own is used",
            file.display(),
            asked.name
        ))));
    };
    let chosen = chosen(&file, &source, profile, asked)?;
    let text = reduced::alone(&source, &profiles, asked.name, chosen.target.as_deref());
    Ok(Ok((chosen, text)))
}

/// The variables that the customer's other profiles ask for: of all their targets, as each may be in use somewhere.
pub(super) fn read_by_others(data: &Path, name: &str) -> Result<BTreeSet<String>, String> {
    let file = file_in(data);
    let Some(bytes) = bytes_of(&file)? else { return Ok(BTreeSet::new()) };
    let mut reads = BTreeSet::new();
    if let Some((_, root)) = parsed(&file, &bytes)?
        && let Value::Map(entries) = &root.value
    {
        for entry in merged(entries).into_iter().filter(|entry| entry.key != name && entry.key != "config") {
            texts(&entry.value, &mut |text| reads.extend(variables(text)));
        }
    }
    Ok(reads)
}

fn file_in(data: &Path) -> PathBuf {
    data.join("dbt/profiles.yml")
}

/// What the file holds; none where there is no file.
fn bytes_of(file: &Path) -> Result<Option<Vec<u8>>, String> {
    match beneath::read(file, MAX_BYTES as u64) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("cannot read {}: {}", file.display(), reason(&e))),
    }
}

/// The document; none where it holds nothing.
fn parsed(file: &Path, bytes: &[u8]) -> Result<Option<(Source, Node)>, String> {
    let source = match Source::decode(file, bytes) {
        Ok(source) => source,
        Err(finding) if finding.code == codes::EMPTY => return Ok(None),
        Err(finding) => {
            let (line, column) = (finding.span.line, finding.span.column);
            return Err(format!("{}:{line}:{column}: {}", file.display(), finding.message));
        }
    };
    let mut findings = Vec::new();
    let root = yaml::parse(&source, &mut findings);
    match findings.into_iter().find(|finding| finding.level == Level::Error) {
        // Comments alone.
        Some(finding) if finding.code == codes::EMPTY => Ok(None),
        Some(finding) => Err(format!(
            "{}:{}:{}: {} ({})",
            file.display(),
            finding.span.line,
            finding.span.column,
            finding.message,
            finding.help
        )),
        None => Ok(root.filter(|root| root.value != Value::Null).map(|root| (source, root))),
    }
}

fn chosen(file: &Path, source: &Source, profile: &Node, asked: &Asked<'_>) -> Result<Profile, String> {
    let at = |node: &Node| place(source, node);
    let name = asked.name;
    let Value::Map(entries) = &profile.value else {
        return Err(format!(
            "{}: the profile `{name}` must be a mapping with `target` and `outputs`",
            at(profile)
        ));
    };
    let entries = merged(entries);
    let Some(outputs_node) = get(&entries, "outputs") else {
        return Err(format!("{}: the profile `{name}` has no `outputs`", at(profile)));
    };
    let Value::Map(outputs) = &outputs_node.value else {
        return Err(format!(
            "{}: `outputs` of the profile `{name}` must be a mapping of targets",
            at(outputs_node)
        ));
    };
    let outputs = merged(outputs);
    let mut reads = BTreeSet::new();
    let target = match (asked.target, get(&entries, "target")) {
        (Some(target), _) => Some(target.to_owned()),
        (None, None) => Some("default".to_owned()),
        (None, Some(node)) => {
            let text = scalar(node);
            reads.extend(variables(&text));
            match render(&text, asked.variable) {
                Rendered::Text(target) => Some(target),
                Rendered::Missing(missing) => return Err(missing_variable(&at(node), &missing)),
                Rendered::Unknown => None,
            }
        }
    };
    let candidates: Vec<&Entry> = match &target {
        None => outputs.clone(),
        Some(target) => match outputs.iter().find(|entry| entry.key == *target) {
            Some(entry) => vec![entry],
            None => {
                let names: Vec<&str> = outputs.iter().map(|entry| entry.key.as_str()).collect();
                let near = nearest(target, names.iter().copied());
                let near = if near.is_empty() { alternatives_of(&names) } else { alternatives(&near) };
                return Err(format!(
                    "{}: the profile `{name}` has no target `{}`; it has {near}",
                    at(outputs_node),
                    target.escape_debug()
                ));
            }
        },
    };
    let mut local = false;
    let mut apart = Apart::Connection;
    let mut adapters = BTreeSet::new();
    for output in candidates {
        let Value::Map(fields) = &output.value.value else {
            return Err(format!(
                "{}: the target `{}` must be a mapping with `type`",
                at(&output.value),
                output.key
            ));
        };
        let fields = merged(fields);
        for entry in &fields {
            texts(&entry.value, &mut |text| reads.extend(variables(text)));
        }
        let adapter = match get(&fields, "type").map(scalar) {
            Some(adapter) if !adapter.trim().is_empty() => adapter.trim().to_owned(),
            _ => {
                return Err(format!(
                    "{}: the target `{}` has no `type`, such as `type: postgres`",
                    at(&output.value),
                    output.key
                ));
            }
        };
        if target.is_some() {
            for entry in &fields {
                let mut missing = None;
                texts(&entry.value, &mut |text| {
                    if let Rendered::Missing(name) = render(text, asked.variable) {
                        missing = missing.take().or(Some(name));
                    }
                });
                if let Some(missing) = missing {
                    return Err(missing_variable(&at(&entry.value), &missing));
                }
            }
        }
        let found = Place::of(&adapter, &fields, asked);
        local |= found.local;
        apart = match (apart, found.apart) {
            (Apart::Nothing(text), _) => Apart::Nothing(text),
            (_, Err(what)) => Apart::Nothing(format!(
                "the target `{}` of the profile `{name}` ({}) {what}",
                output.key,
                at(&output.value)
            )),
            (Apart::Schema, _) => Apart::Schema,
            (_, Ok(apart)) => apart,
        };
        adapters.insert(adapter);
    }
    let adapter = if adapters.len() == 1 { adapters.pop_first() } else { None };
    Ok(Profile {
        file: file.to_path_buf(),
        name: name.to_owned(),
        target,
        adapter,
        own: true,
        local,
        apart,
        reads,
        note: None,
    })
}

fn missing_variable(place: &str, name: &str) -> String {
    if name.starts_with("DBT_") {
        format!(
            "{place}: it reads {name}, which is not set: put `{name}=…` into the data folder's .env and restart the host"
        )
    } else {
        format!(
            "{place}: it reads {name}, which a run does not get: a profile may read HUB_ORG, HUB_TENANT, HUB_SCHEMA, \
             HUB_WAREHOUSE, and variables of the host that begin with DBT_"
        )
    }
}

fn place(source: &Source, node: &Node) -> String {
    let span = source.span(&node.range);
    format!("{}:{}:{}", source.file.display(), span.line, span.column)
}

fn alternatives_of(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().take(20).map(|name| format!("`{}`", name.escape_debug())).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::scratch::Scratch;

    fn variables_of(schema: &'static str) -> impl Fn(&str) -> Option<String> {
        move |name| match name {
            "HUB_SCHEMA" => Some(schema.to_owned()),
            "HUB_WAREHOUSE" => Some(format!("/data/dbt/work/{schema}/warehouse.duckdb")),
            "DBT_TARGET" => Some("prod".to_owned()),
            _ => None,
        }
    }

    fn look(
        name: &str,
        text: &[u8],
        profile: &str,
        target: Option<&str>,
    ) -> Result<Result<Profile, Option<String>>, String> {
        let data = Scratch::new(&format!("profile-{name}"));
        fs::create_dir_all(data.join("dbt")).unwrap();
        fs::write(data.join("dbt/profiles.yml"), text).unwrap();
        let (variable, elsewhere) = (variables_of("hub_1"), variables_of("hub_2"));
        let asked = Asked { name: profile, target, variable: &variable, elsewhere: &elsewhere };
        let found = own(&data, &asked).map(|found| found.map(|(profile, _)| profile));
        let folder = format!("{}/dbt/", data.display());
        found
            .map(|found| found.map_err(|note| note.map(|note| note.replace(&folder, ""))))
            .map_err(|text| text.replace(&folder, ""))
    }

    const OUTPUT: &str = "target: prod, outputs: {prod: {type: postgres, host: db, schema: s}}";

    // D6
    #[test]
    fn d6_every_spelling_of_a_profile_is_found() {
        let spellings: &[String] = &[
            format!("jaffle: {{{OUTPUT}}}"),
            format!("\"jaffle\": {{{OUTPUT}}}"),
            format!("'jaffle' : {{{OUTPUT}}}"),
            format!("? jaffle\n: {{{OUTPUT}}}"),
            format!("jaffle: # note\n  {{{OUTPUT}}}"),
            format!("jaffle: &a\n  {{{OUTPUT}}}\nother: *a"),
            format!("other: &a {{{OUTPUT}}}\njaffle: *a"),
            format!("\u{feff}jaffle: {{{OUTPUT}}}"),
            format!("%YAML 1.1\n---\njaffle: {{{OUTPUT}}}\n...\n"),
            format!("{{jaffle: {{{OUTPUT}}}}}"),
            format!("\"jaf\\u0066le\": {{{OUTPUT}}}"),
            format!("!!str jaffle: {{{OUTPUT}}}"),
            format!("base: &base {{{OUTPUT}}}\njaffle:\n  <<: *base"),
            "base: &b {type: postgres, host: db}\njaffle:\n  target: prod\n  outputs:\n    prod:\n      <<: [*b, {type: x}]\n      schema: s".to_owned(),
            "jaffle:\r\n  target: prod\r\n  outputs:\r\n    prod:\r\n      type: postgres\r\n      schema: \"{{ env_var('HUB_SCHEMA') }}\"\r\n".to_owned(),
            "jaffle:\n  target: \"{{ env_var('DBT_TARGET') }}\"\n  outputs: {prod: {type: postgres}, dev: {type: duckdb}}".to_owned(),
        ];
        for text in spellings {
            let found =
                look("spelling", text.as_bytes(), "jaffle", None).unwrap_or_else(|e| panic!("{text}\n{e}"));
            let found = found.unwrap_or_else(|e| panic!("{text}\n{e:?}"));
            assert_eq!(
                (found.target.as_deref(), found.adapter.as_deref(), found.own),
                (Some("prod"), Some("postgres"), true),
                "{text}"
            );
        }
    }

    // D6
    #[test]
    fn d6_a_file_that_cannot_be_read_is_an_error_with_its_place() {
        let error = |text: &[u8], target: Option<&str>| look("error", text, "jaffle", target).unwrap_err();
        for (text, begins) in [
            (&b"jaffle: [\n"[..], "profiles.yml:1:9: profiles.yml is not YAML"),
            (b"jaffle:\n\ttarget: x", "profiles.yml:2:2: profiles.yml is not YAML"),
            (b"jaffle: 1\njaffle: 2", "profiles.yml:2:1: the key `jaffle` stands twice"),
            (b"\xff\xfe", "profiles.yml:1:1: profiles.yml is not UTF-8"),
            (b"- jaffle", "profiles.yml:1:1: must be a mapping of profiles"),
            (b"jaffle: x", "profiles.yml:1:9: the profile `jaffle` must be a mapping"),
            (b"jaffle: {target: x}", "profiles.yml:1:9: the profile `jaffle` has no `outputs`"),
            (
                b"jaffle: {outputs: {dev: {type: x}}}",
                "profiles.yml:1:19: the profile `jaffle` has no target `default`; it has `dev`",
            ),
            (
                b"jaffle: {target: dev, outputs: {dev: {}}}",
                "profiles.yml:1:38: the target `dev` has no `type`",
            ),
            (
                b"jaffle: {target: dev, outputs: {dev: 1}}",
                "profiles.yml:1:38: the target `dev` must be a mapping",
            ),
            (
                b"jaffle: {target: d, outputs: {d: {type: p, pass: \"{{ env_var('DBT_PASS') }}\"}}}",
                "profiles.yml:1:50: it reads DBT_PASS, which is not set",
            ),
            (
                b"jaffle: {target: d, outputs: {d: {type: p, pass: \"{{ env_var('DATABASE_URL') }}\"}}}",
                "profiles.yml:1:50: it reads DATABASE_URL, which a run does not get",
            ),
        ] {
            let found = error(text, None);
            assert!(found.starts_with(begins), "{found}\n{begins}");
        }
        let named = error(b"jaffle: {target: dev, outputs: {dev: {type: x}}}", Some("prod"));
        assert!(named.contains("has no target `prod`; it has `dev`"), "{named}");
        let large = error(&vec![b'#'; MAX_BYTES + 1], None);
        assert!(large.contains("it has more than 262144 bytes"), "{large}");
    }

    // D6
    #[test]
    fn d6_where_there_is_no_such_profile_the_log_says_so() {
        let note = |text: &str| look("none", text.as_bytes(), "jaffle", None).unwrap().unwrap_err();
        assert_eq!(
            note("config: {send_anonymous_usage_stats: false}\njafle: {}\n").as_deref(),
            Some("profiles.yml has no profile `jaffle` (it has `jafle`): the platform's own is used")
        );
        assert_eq!(note("# nothing yet\n").as_deref(), Some("profiles.yml holds no profile"));
        assert_eq!(note("").as_deref(), Some("profiles.yml holds no profile"));
        assert_eq!(note("---\n").as_deref(), Some("profiles.yml holds no profile"));
        let data = Scratch::new("profile-absent");
        let none = |_: &str| None;
        let asked = Asked { name: "jaffle", target: None, variable: &none, elsewhere: &none };
        assert_eq!(own(&data, &asked), Ok(Err(None)));
    }

    // S5
    #[test]
    fn s5_what_other_profiles_read_is_theirs() {
        let data = Scratch::new("profile-others");
        fs::create_dir(data.join("dbt")).unwrap();
        assert_eq!(read_by_others(&data, "j"), Ok(BTreeSet::new()));
        let asks = |name: &str| format!("\"{{{{ env_var('{name}') }}}}\"");
        let text = format!(
            "config: {{x: {}}}\nj: {{outputs: {{a: {{pass: {}}}}}}}\nk: {{target: {}, outputs: {{a: {{pass: {}}}, b: [{}]}}}}\n",
            asks("DBT_CONFIG"),
            asks("DBT_J"),
            asks("DBT_TARGET"),
            asks("DBT_A"),
            asks("DBT_B")
        );
        fs::write(data.join("dbt/profiles.yml"), text).unwrap();
        let of = |name: &str| read_by_others(&data, name).unwrap().into_iter().collect::<Vec<_>>();
        assert_eq!(of("j"), ["DBT_A", "DBT_B", "DBT_TARGET"]);
        assert_eq!(of("k"), ["DBT_J"]);
        assert_eq!(of("none"), ["DBT_A", "DBT_B", "DBT_J", "DBT_TARGET"]);
    }

    // D7, D8
    #[test]
    fn d7_what_would_mix_organisations_and_d8_what_lies_on_this_host() {
        let of = |output: &str| {
            let text = format!("j:\n  target: t\n  outputs:\n    t: {output}\n");
            let found = look("place", text.as_bytes(), "j", None).unwrap().unwrap();
            let apart = match found.apart {
                Apart::Connection => "connection".to_owned(),
                Apart::Schema => "schema".to_owned(),
                Apart::Nothing(text) => text,
            };
            (apart, found.local)
        };
        let is = |output: &str, apart: &str, local: bool| {
            let found = of(output);
            assert!(
                found.0 == apart || apart == "mixed" && found.0.contains("one place for all organisations"),
                "{output}: {}",
                found.0
            );
            assert_eq!(found.1, local, "{output}");
        };
        let schema = "\"{{ env_var('HUB_SCHEMA') }}\"";
        is("{type: postgres, host: db, dbname: w, schema: analytics}", "mixed", false);
        is("{type: postgres, host: db, dbname: w}", "mixed", false);
        is(
            "{type: postgres, host: db, schema: analytics, user: \"{{ env_var('HUB_SCHEMA') }}\"}",
            "mixed",
            false,
        );
        is("{type: postgres, host: db, schema: \"{# env_var('HUB_SCHEMA') #}a\"}", "mixed", false);
        is("{type: postgres, host: db, schema: \"{{ env_var('HUB_SCHEMA_X', 'a') }}\"}", "mixed", false);
        is(&format!("{{type: postgres, host: db, schema: {schema}}}"), "schema", false);
        is(
            "{type: postgres, host: db, schema: \"dbt_{{ env_var('HUB_SCHEMA') | upper }}\"}",
            "schema",
            false,
        );
        is(
            "{type: postgres, host: db, schema: \"{{ 'x' if y else env_var('HUB_SCHEMA') }}\"}",
            "schema",
            false,
        );
        is(&format!("{{type: postgres, host: db, dbname: {schema}, schema: a}}"), "schema", false);
        is("{type: postgres, host: \"{{ env_var('HUB_SCHEMA') }}.db\", schema: a}", "connection", false);
        is(&format!("{{type: postgres, host: localhost, schema: {schema}}}"), "schema", true);
        is(&format!("{{type: postgres, host: /run/postgresql, schema: {schema}}}"), "schema", true);
        is(&format!("{{type: bigquery, project: p, dataset: {schema}}}"), "schema", false);
        is("{type: bigquery, project: p, dataset: d}", "mixed", false);
        is("{type: snowflake, account: a, database: D, schema: S}", "mixed", false);
        is("{type: duckdb, path: \"{{ env_var('HUB_WAREHOUSE') }}\"}", "connection", true);
        is("{type: duckdb, path: mine.duckdb}", "connection", true);
        is("{type: duckdb, path: /srv/all.duckdb}", "mixed", true);
        is(&format!("{{type: duckdb, path: /srv/all.duckdb, schema: {schema}}}"), "schema", true);
        is("{type: duckdb}", "connection", false);
        is("{type: duckdb, path: 'md:all'}", "mixed", false);
        is("{type: duckdb, path: mine.duckdb, attach: [{path: /srv/all.duckdb}]}", "mixed", true);
        is(
            "{type: duckdb, path: mine.duckdb, attach: [{path: /srv/all.duckdb, read_only: true}]}",
            "connection",
            true,
        );
        is("{type: sqlite, schemas_and_paths: {main: /srv/a.db}}", "mixed", true);
        // A part of what differs may not differ.
        for cut in ["[:8]", "[0]", ".split('-')[0]", " | truncate(8)", " | int", " | replace('_', '')"] {
            let path = format!("path: \"/srv/{{{{ env_var('HUB_SCHEMA'){cut} }}}}.duckdb\"");
            let (text, local) = of(&format!("{{type: duckdb, {path}}}"));
            assert!(text.contains("may be one place for several organisations"), "{cut}: {text}");
            assert!(
                text.contains("its `path` makes")
                    && text.ends_with("`path: \"{{ env_var('HUB_WAREHOUSE') }}\"`"),
                "{text}"
            );
            assert!(local, "{cut}");
            let attached = path.replacen("path", "{path", 1) + "}";
            let (text, _) = of(&format!("{{type: duckdb, path: mine.duckdb, attach: [{attached}]}}"));
            assert!(text.contains("one place for all organisations"), "{cut}: {text}");
            // What dbt makes of a schema is looked at before anything is built.
            is(
                &format!("{{type: postgres, host: db, schema: \"{{{{ env_var('HUB_SCHEMA'){cut} }}}}\"}}"),
                "schema",
                false,
            );
        }
        is("{type: duckdb, path: \"/srv/{{ env_var('HUB_SCHEMA', 'x') }}.duckdb\"}", "connection", true);
        let (text, _) = of("{type: postgres, host: db, schema: analytics}");
        assert!(text.ends_with("write `schema: \"analytics_{{ env_var('HUB_SCHEMA') }}\"` there"), "{text}");
    }
}
