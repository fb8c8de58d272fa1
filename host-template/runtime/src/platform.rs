//! What a generated host hands over: the plan of its build and the router functions that it links.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hub_manifest::plan::HostPlan;

use crate::fault::Fault;
use crate::logs::panic_text;
use crate::mount::{self, Mounted, Source};
use crate::router::Router;

/// Everything that differs from one generated host to the next.
#[derive(Clone, Copy)]
pub struct Platform {
    /// The host's part of the plan ([`HostPlan`]) as JSON.
    pub plan: &'static str,
    /// The routers, in plugin order.
    pub routers: &'static [Mount],
}

/// One router function of a plugin.
#[derive(Clone, Copy)]
pub struct Mount {
    /// Slug of the plugin.
    pub plugin: &'static str,
    /// The router's spec, as the plugin's manifest has it.
    pub spec: &'static str,
    /// The function itself.
    pub router: fn() -> Router,
}

impl Platform {
    /// The plan, as a value.
    pub(crate) fn plan(&self) -> Result<HostPlan, Fault> {
        serde_json::from_str(self.plan).map_err(|e| {
            Fault::machine(
                format!("the plan that this host was built with cannot be read: {e}"),
                "build the platform again; host and `hub` library have to come from one build",
            )
        })
    }

    /// All routes, the platform's own first, checked against each other.
    pub(crate) fn routes(&self, dev: bool) -> Result<Vec<Mounted>, Fault> {
        let mut sources = vec![Source::platform(crate::api::router(dev))];
        for mount in self.routers {
            // An author's code runs here; what it does wrong must not look like the host's fault.
            let router = catch_unwind(AssertUnwindSafe(mount.router)).map_err(|payload| {
                Fault::plugin(
                    format!(
                        "router {} of vertical plugin `{}` panics: {}",
                        mount.spec,
                        mount.plugin,
                        panic_text(payload.as_ref())
                    ),
                    "a router function only lists routes: move whatever can fail into a handler",
                )
            })?;
            sources.push(Source::plugin(mount.plugin, mount.spec, router));
        }
        mount::settle(sources).map_err(|conflicts| {
            Fault::plugin(
                conflicts.join("\n       "),
                "give each route a path and method of its own, then build the platform again",
            )
        })
    }
}
