//! `frontend/overrides.json` as its author writes it, as types of which the JSON Schema is made.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::{InnerPath, names, open, patterns};

/// A plugin's claims on the surfaces of the web shell.
#[derive(JsonSchema)]
#[schemars(title = "overrides.json", transform = open)]
pub struct OverridesJson {
    /// Where the editor finds this schema.
    #[schemars(rename = "$schema")]
    pub schema: Option<String>,
    /// Priority of every claim that names none; higher wins.
    #[schemars(range(min = -1_000_000, max = 1_000_000), extend("default" = 0))]
    pub priority: Option<i64>,
    /// Claims by override key: `dotted.words`, `block:Name` or `route:/path`.
    #[schemars(extend("propertyNames" = names(patterns::OVERRIDE_KEY)))]
    pub overrides: BTreeMap<String, Claim>,
}

/// One claim.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum Claim {
    /// A module whose default export renders the surface.
    File(InnerPath),
    /// A module with an export or a priority of its own.
    Object(Component),
}

/// A claim with an export or a priority of its own.
#[derive(JsonSchema)]
#[schemars(transform = open)]
pub struct Component {
    /// Module, relative to the folder of overrides.json.
    pub component: InnerPath,
    /// Export that renders the surface; without, the default export does.
    #[schemars(regex(pattern = r"^[^\x00-#%-@\[-^`{-\x7f][^\x00-#%-/:-@\[-^`{-\x7f]*$"))]
    pub export: Option<String>,
    /// Priority of this claim alone; higher wins.
    #[schemars(range(min = -1_000_000, max = 1_000_000))]
    pub priority: Option<i64>,
}
