//! What a generated host hands over: the plan of its build and the router functions that it links.

use hub_manifest::plan::HostPlan;

use crate::fault::Fault;
use crate::gather::{Gathered, gather};
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

    /// What all router functions give, beside the platform's own routes.
    pub(crate) fn gather(&self, own: Router) -> Gathered {
        gather(own, self.routers, &|_| {})
    }
}
