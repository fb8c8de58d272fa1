//! The table of the web shell's override keys, made of what its sources declare.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use hub_manifest::override_kind::OverrideKind;
use hub_manifest::plan::Surface;
use semver::Version;

use crate::base::text::cell;
use crate::load::migrations::OfPlatform;
use crate::load::shared::OfShell;
use crate::load::websource;
use crate::resolve::{Platform, resolve};

/// The surfaces that the shell of the checkout `root` declares, by key.
pub(super) fn of_shell(root: &Path) -> BTreeMap<String, Surface> {
    let shell = websource::scan(&root.join("host-template/shell/src"));
    let platform = Platform {
        version: Version::new(0, 0, 0),
        release: Version::new(0, 0, 0),
        shell,
        shared: OfShell::default(),
        migrations: OfPlatform::default(),
    };
    resolve(&[], &platform, Vec::new()).plan.web.surfaces
}

/// The table, by key, and behind it what plugins name themselves.
pub(super) fn table(surfaces: &BTreeMap<String, Surface>) -> String {
    let mut out = String::from("| key | props | what it is |\n|---|---|---|\n");
    for (key, surface) in surfaces {
        let props = match surface.props.split_whitespace().collect::<Vec<_>>().join(" ") {
            none if matches!(none.as_str(), "object" | "{}" | "") => "none".to_string(),
            props => format!("`{props}`"),
        };
        let _ = writeln!(out, "| `{key}` | {} | {} |", cell(&props), cell(&about(surface)));
    }
    // Keys that every plugin may make up itself.
    for kind in OverrideKind::ALL {
        // Writing to a text cannot fail.
        let _ = writeln!(
            out,
            "| `{}` | {} | {}; `frontend_overrides.{}` in plugin.yaml is the same. |",
            kind.form(),
            kind.props(),
            kind.about(),
            kind.field()
        );
    }
    out
}

fn about(surface: &Surface) -> String {
    let mut text = surface.description.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut add = |more: String| {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&more);
    };
    if let Some(new) = &surface.renamed_to {
        add(format!("Is now `{new}`."));
    }
    match surface.deprecated.as_deref().map(str::trim) {
        None => {}
        Some("") => add("Deprecated.".to_string()),
        Some(why) => add(format!("Deprecated: {why}")),
    }
    if surface.sealed {
        add("Sealed: no plugin may claim it.".to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_everything_that_is_declared() {
        let surface = |description: &str, props: &str| Surface {
            description: description.to_string(),
            props: props.to_string(),
            ..Surface::default()
        };
        let all = BTreeMap::from([
            ("a.plain".to_string(), surface("One.\nTwo.", "object")),
            ("b.props".to_string(), surface("", "{\n  kind: \"x\" | \"y\"\n}")),
            (
                "c.old".to_string(),
                Surface { renamed_to: Some("a.plain".to_string()), ..surface("", "object") },
            ),
            (
                "d.sealed".to_string(),
                Surface {
                    sealed: true,
                    deprecated: Some("use a.plain.".to_string()),
                    ..surface("The form.", "object")
                },
            ),
        ]);
        let table = table(&all);
        let rows: Vec<&str> = table.lines().skip(2).take(4).collect();
        assert_eq!(
            rows,
            [
                "| `a.plain` | none | One. Two. |",
                r#"| `b.props` | `{ kind: "x" \| "y" }` |  |"#,
                "| `c.old` | none | Is now `a.plain`. |",
                "| `d.sealed` | none | The form. Deprecated: use a.plain. Sealed: no plugin may claim it. |",
            ]
        );
        assert!(table.contains("| `block:<Name>` |"));
    }
}
