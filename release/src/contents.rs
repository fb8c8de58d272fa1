//! What a list says of a release besides its files, as far as other programs than the build read it. The build writes the
//! same types, with more beside them.

use serde::{Deserialize, Serialize};

/// One vertical plugin of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasePlugin {
    /// Slug.
    pub name: String,
    /// Version; none where the manifest gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why the plugin was left out of the build; empty when it is in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// A route of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// Slug of the plugin; none for the platform's own.
    #[serde(default)]
    pub plugin: Option<String>,
    /// Path with its parameters, as in `/api/crm/customers/{id}`.
    pub path: String,
    /// HTTP method.
    pub method: String,
    /// Whether it answers anonymous callers.
    #[serde(default)]
    pub public: bool,
}
