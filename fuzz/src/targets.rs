//! The targets: each takes any bytes at all and panics where an invariant does not hold.

use std::path::Path;

use hub_manifest::plan::HostPlugin;
use hub_manifest::source::Source;
use hub_manifest::{grammar, overrides, plugin, public};

use crate::invariants as must;

/// A target, by the name that the command line, the corpus folder and the libFuzzer program have.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Runs it on one input.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "manifest", run: manifest },
    Target { name: "overrides", run: overrides },
    Target { name: "router", run: router },
    Target { name: "public_route", run: public_route },
];

/// Name of the plugin that every input is said to be of.
pub const PLUGIN: &str = "crm";

/// `plugin.yaml`: decode, parse, and what the host makes of it.
pub fn manifest(data: &[u8]) {
    let file = Path::new("plugins/crm/plugin.yaml");
    let source = match Source::decode(file, data) {
        Ok(source) => source,
        Err(found) => return must::be_sound_without_text(data, &found),
    };
    let (manifest, found) = plugin::parse(&source, PLUGIN);
    assert!(
        (&manifest, &found) == (&plugin::parse(&source, PLUGIN).0, &plugin::parse(&source, PLUGIN).1),
        "the same text was read in two ways"
    );
    must::be_sound(&source, &found);
    must::be_accepted(&manifest);

    let slug = manifest.name.as_ref().map_or(PLUGIN, |name| name.value.as_str());
    let host = HostPlugin::from_manifest(&manifest, slug);
    let json = serde_json::to_string(&host).expect("what the host knows of a plugin is JSON");
    let again: HostPlugin = serde_json::from_str(&json).expect("the host reads what the build wrote");
    assert_eq!(json, serde_json::to_string(&again).expect("JSON"), "the host read something else");
}

/// `overrides.json`: decode and parse.
pub fn overrides(data: &[u8]) {
    let file = Path::new("plugins/crm/frontend/overrides.json");
    let source = match Source::decode(file, data) {
        Ok(source) => source,
        Err(found) => return must::be_sound_without_text(data, &found),
    };
    let (claims, found) = overrides::parse(&source, PLUGIN);
    assert!(
        (&claims, &found) == (&overrides::parse(&source, PLUGIN).0, &overrides::parse(&source, PLUGIN).1)
    );
    must::be_sound(&source, &found);
    for claim in &claims.claims {
        must::be_override_key(&claim.key.value);
        must::be_inner_path(&claim.component.value);
        assert!(claim.priority.is_none_or(|priority| priority.abs() <= 1_000_000));
    }
}

/// One entry of `routers`.
pub fn router(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match grammar::router_spec(text) {
        Ok(spec) => {
            must::be_router(&spec);
            assert_eq!(spec.text, text);
            let written = must::written(&spec);
            assert_eq!(written, text, "a router reads back as it was written");
            assert_eq!(grammar::router_spec(&written), Ok(spec));
        }
        Err(help) => must::be_help(&help),
    }
}

/// One entry of `public_routes`, a line end, and the path of a route that it may cover.
pub fn public_route(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (pattern, path) = text.split_once('\n').unwrap_or((text, "/api/crm/a/{b}/{*c}"));
    // A pattern of the grammar and any text at all: neither may take long to compare.
    let covered = public::matches(pattern, path);
    assert_eq!(covered, must::covers_slowly(pattern, path).unwrap_or(covered), "{pattern:?} {path:?}");
    match grammar::public_route(PLUGIN, pattern) {
        Ok(absolute) => {
            must::be_public_route(&absolute);
            assert_eq!(
                grammar::public_route(PLUGIN, &absolute),
                Ok(absolute.clone()),
                "absolute is absolute"
            );
            let covered = public::matches(&absolute, path);
            let wanted = must::covers_slowly(&absolute, path).unwrap_or(covered);
            assert_eq!(covered, wanted, "{absolute:?} {path:?}");
            let mut segments = path.split('/').filter(|segment| !segment.is_empty());
            let own = segments.next() == Some("api") && segments.next() == Some(PLUGIN);
            assert!(own || !covered, "{absolute:?} opens {path:?}, which is not the plugin's");
        }
        Err(help) => must::be_help(&help),
    }
}
