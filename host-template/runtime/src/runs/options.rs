//! What a build is asked to do beyond building everything: a selection, variables, a full refresh, another target.
//!
//! All of it ends up on dbt's command line, so it is checked when it is asked for, and each value is written behind the
//! `=` of its option: nothing that somebody types can become an option of its own.

use hub_manifest::visible::hidden_character;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::problem::Result;
use crate::validate::Check;

/// Most characters of a selection.
const SELECTION: usize = 2_000;
/// Most bytes of all variables together, as JSON.
const VARS: usize = 16 * 1024;
/// Most variables.
const NAMES: usize = 100;
/// How deep lists and mappings in a variable may be nested.
const DEPTH: usize = 16;

/// How a workspace is to be built; an empty body builds all of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// dbt's node selection, such as `stg_orders+ tag:daily`: only these are built. 2 000 characters at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub(crate) select: Option<String>,
    /// dbt's node selection: these are left out. 2 000 characters at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub(crate) exclude: Option<String>,
    /// Variables of the project by name; 100 of them, and 16 KiB of JSON, at most.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub(crate) vars: Map<String, Value>,
    /// Whether incremental models and seeds are built from nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) full_refresh: bool,
    /// Whether all seeds are loaded before anything is built: for models that name a seed's table instead of using `ref`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) seed_first: bool,
    /// A target of the workspace's profile, where it is not to be the profile's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 63)]
    pub(crate) target: Option<String>,
}

impl Options {
    /// The same without what says nothing; all that cannot be taken is told at once.
    pub(crate) fn checked(self) -> Result<Options> {
        let words = |text: Option<String>| {
            text.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
                .filter(|text| !text.is_empty())
        };
        let target = self.target.map(|target| target.trim().to_owned()).filter(|target| !target.is_empty());
        let done = Options { select: words(self.select), exclude: words(self.exclude), target, ..self };
        let mut check = Check::new();
        for (field, text) in [("select", &done.select), ("exclude", &done.exclude)] {
            let Some(text) = text else { continue };
            check = check.that(
                field,
                text.chars().count() <= SELECTION,
                format!("must have at most {SELECTION} characters"),
            );
            check = check.that(
                field,
                !text.split([' ', ',']).any(|word| word.starts_with('-')),
                "is a selection of nodes, such as `stg_orders+ tag:daily`: no part of it begins with `-`",
            );
            if let Some(hidden) = hidden_character(text) {
                check = check.that(field, false, invisible(hidden));
            }
        }
        if let Some(target) = &done.target {
            check = check.that(
                "target",
                target.len() <= 63
                    && target.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                    && target.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')),
                "must be the name of a target of the profile: at most 63 letters, digits, `_`, `-` or `.`, no `-` first",
            );
        }
        let vars = serde_json::to_string(&done.vars).unwrap_or_default();
        check = check
            .that("vars", done.vars.len() <= NAMES, format!("must be at most {NAMES} variables"))
            .that("vars", vars.len() <= VARS, format!("must have at most {VARS} bytes as JSON"))
            .that("vars", deep(&done.vars) <= DEPTH, format!("must be nested at most {DEPTH} deep"));
        for name in done.vars.keys() {
            let message = match hidden_character(name) {
                Some(hidden) => invisible(hidden),
                None if (1..=100).contains(&name.chars().count()) => continue,
                None => "each name must have 1 to 100 characters".to_owned(),
            };
            check = check.that("vars", false, message);
            break;
        }
        check.done()?;
        Ok(done)
    }

    /// As the database keeps it; none where nothing is asked for.
    pub(crate) fn to_json(&self) -> Option<String> {
        (*self != Options::default()).then(|| serde_json::to_string(self).unwrap_or_default())
    }

    /// As the database kept it. What a later release wrote and this one does not know must not be passed over: the run
    /// would do something else than was asked for.
    pub(crate) fn from_json(text: Option<&str>) -> std::result::Result<Options, String> {
        match text {
            None => Ok(Options::default()),
            Some(text) => serde_json::from_str(text)
                .map_err(|e| format!("this host does not understand what the run was asked to do: {e}")),
        }
    }

    /// The arguments of `dbt build`.
    pub(super) fn build(&self) -> Vec<String> {
        let mut arguments = self.vars();
        arguments.extend(self.select.as_ref().map(|text| format!("--select={text}")));
        arguments.extend(self.exclude.as_ref().map(|text| format!("--exclude={text}")));
        arguments.extend(self.full_refresh.then(|| "--full-refresh".to_owned()));
        arguments
    }

    /// The arguments of `dbt seed` before it.
    pub(super) fn seed(&self) -> Vec<String> {
        let mut arguments = self.vars();
        arguments.extend(self.full_refresh.then(|| "--full-refresh".to_owned()));
        arguments
    }

    /// The arguments of every command of the run: the project means the same to all of them.
    pub(super) fn vars(&self) -> Vec<String> {
        let text = || serde_json::to_string(&self.vars).unwrap_or_default();
        // JSON is YAML, which dbt reads.
        (!self.vars.is_empty()).then(|| format!("--vars={}", text())).into_iter().collect()
    }
}

/// The same words as for names: of people, plugins and records.
fn invisible(hidden: char) -> String {
    format!("must not hold the invisible character U+{:04X}", u32::from(hidden))
}

fn deep(vars: &Map<String, Value>) -> usize {
    fn of(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(of).max().unwrap_or(0),
            Value::Object(map) => 1 + map.values().map(of).max().unwrap_or(0),
            _ => 0,
        }
    }
    vars.values().map(of).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options(value: Value) -> Options {
        serde_json::from_value(value).unwrap()
    }

    fn wrong(value: Value) -> Vec<String> {
        let problem = options(value).checked().unwrap_err();
        problem.body().errors.iter().map(|error| error.field.clone()).collect()
    }

    // D9
    #[test]
    fn d9_what_is_asked_for_becomes_arguments_and_never_an_option() {
        let asked = options(json!({
            "select": "  stg_orders+\n tag:daily ", "exclude": "", "full_refresh": true, "target": " prod ",
            "vars": {"day": "2026-01-01", "--target": "x", "list": [1, {"a": null}]},
        }));
        let asked = asked.checked().unwrap();
        assert_eq!(
            asked.build(),
            [
                r#"--vars={"--target":"x","day":"2026-01-01","list":[1,{"a":null}]}"#,
                "--select=stg_orders+ tag:daily",
                "--full-refresh"
            ]
        );
        assert_eq!(asked.seed()[1..], ["--full-refresh"]);
        assert_eq!(asked.target.as_deref(), Some("prod"));
        assert_eq!(Options::from_json(asked.to_json().as_deref()), Ok(asked));
        assert_eq!((Options::default().to_json(), Options::default().build()), (None, Vec::new()));
        assert!(Options::from_json(Some(r#"{"sample": 3}"#)).unwrap_err().contains("unknown field `sample`"));
    }

    // D9
    #[test]
    fn d9_what_cannot_be_taken_is_told_with_its_field() {
        for select in
            ["--profiles-dir=/tmp", "a --full-refresh", "a,-b", "a\u{7f}b", "a\u{202e}b", &"x".repeat(2001)]
        {
            assert_eq!(wrong(json!({ "select": select })), ["select"], "{select}");
            assert_eq!(wrong(json!({ "exclude": select })), ["exclude"], "{select}");
        }
        for target in ["-x", "a b", "../x", "a=b", "ü", &"x".repeat(64)] {
            assert_eq!(wrong(json!({ "target": target })), ["target"], "{target}");
        }
        let mut nested = json!(1);
        for _ in 0..20 {
            nested = json!([nested]);
        }
        for vars in
            [json!({"a": "x".repeat(17_000)}), json!({"": 1}), json!({"a\nb": 1}), json!({ "a": nested })]
        {
            assert_eq!(wrong(json!({ "vars": vars })), ["vars"]);
        }
        let many: Map<String, Value> = (0..101).map(|n| (format!("v{n}"), json!(n))).collect();
        assert_eq!(wrong(json!({ "vars": many, "target": "-" })), ["target", "vars"]);
        for unknown in [
            json!({"models": "a"}),
            json!({"select": ["a"]}),
            json!({"vars": "a: 1"}),
            json!({"full_refresh": "yes"}),
        ] {
            assert!(serde_json::from_value::<Options>(unknown.clone()).is_err(), "{unknown}");
        }
    }

    // S20
    #[test]
    fn s20_what_is_not_seen_is_in_no_selection_and_in_no_name() {
        for hidden in [
            '\u{7f}',
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{202e}',
            '\u{2060}',
            '\u{206a}',
            '\u{3164}',
            '\u{e0041}',
            '\u{feff}',
        ] {
            let text = format!("a{hidden}b");
            assert_eq!(wrong(json!({ "select": text })), ["select"], "U+{:04X}", u32::from(hidden));
            assert_eq!(wrong(json!({ "exclude": text })), ["exclude"], "U+{:04X}", u32::from(hidden));
            let vars = Map::from_iter([(text, json!(1))]);
            let problem = options(json!({ "vars": vars })).checked().unwrap_err();
            let errors = &problem.body().errors;
            let want = format!("must not hold the invisible character U+{:04X}", u32::from(hidden));
            assert_eq!((errors[0].field.as_str(), errors[0].message.as_str()), ("vars", want.as_str()));
        }
        // What is seen may be of any script, and a value is whatever the project makes of it.
        let seen = json!({"select": "tag:\u{dc}bersicht", "vars": {"\u{645}\u{6cc}\u{200c}\u{62e}\u{648}": "a\u{ad}b"}});
        assert!(options(seen).checked().is_ok());
    }
}
