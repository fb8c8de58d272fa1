//! `GET /api/plugins`, the list of vertical plugins, and `GET /api/plugins/status`.

use hub_manifest::plan::Visibility;
use serde::Serialize;
use utoipa::ToSchema;

use crate::ctx::Ctx;
use crate::extract::Json;
use crate::registry::{Origin, Plugin, PluginRoute};
use crate::router::Router;

pub(super) fn router() -> Router {
    Router::new().routes(crate::routes!(list)).routes(crate::routes!(status))
}

/// A vertical plugin.
#[derive(Serialize, ToSchema)]
#[schema(as = Plugin)]
pub(crate) struct PluginView {
    /// Slug.
    pub(crate) name: String,
    display_name: String,
    version: String,
    description: Option<String>,
    author: Option<String>,
    license: Option<String>,
    homepage: Option<String>,
    source: Origin,
    /// `protected`, `public` or `internal`.
    #[schema(value_type = String)]
    visibility: Visibility,
    dependencies: Vec<String>,
    router_count: usize,
    routes: Vec<PluginRoute>,
    /// Slugs of its dbt workspaces.
    dbt_workspaces: Vec<String>,
    nav_count: usize,
    permissions: Vec<String>,
    enabled: bool,
    /// `ok`, `not-configured` or `invalid`.
    state: &'static str,
    errors: Vec<String>,
    warnings: Vec<String>,
}

/// What the list of plugins shows of the running host.
pub(crate) fn plugin_views(plugins: &[Plugin]) -> Vec<PluginView> {
    plugins.iter().map(view).collect()
}

impl PluginView {
    /// Name, version, source, state, number of routes and title, for a table.
    pub(crate) fn row(&self) -> [String; 6] {
        let source = match self.source {
            Origin::Install => "install",
            Origin::Data => "data",
        };
        [
            self.name.clone(),
            self.version.clone(),
            source.to_owned(),
            self.state.to_owned(),
            self.routes.len().to_string(),
            self.display_name.clone(),
        ]
    }

    /// What is wrong with it.
    pub(crate) fn errors(&self) -> impl Iterator<Item = &String> {
        self.errors.iter()
    }
}

fn view(plugin: &Plugin) -> PluginView {
    let about = &plugin.about;
    let state = match (plugin.ok(), plugin.works()) {
        (false, _) => "invalid",
        (true, false) => "not-configured",
        (true, true) => "ok",
    };
    PluginView {
        name: about.name.clone(),
        display_name: about.display_name.clone(),
        version: about.version.clone(),
        description: about.description.clone(),
        author: about.author.clone(),
        license: about.license.clone(),
        homepage: about.homepage.clone(),
        source: plugin.origin,
        visibility: about.visibility,
        dependencies: about.dependencies.clone(),
        router_count: about.routers.len(),
        routes: plugin.routes.clone(),
        dbt_workspaces: about.dbt_workspaces.iter().map(|workspace| workspace.slug.clone()).collect(),
        nav_count: about.nav.len(),
        permissions: about.permissions.clone(),
        enabled: plugin.ok(),
        state,
        errors: plugin.errors.clone(),
        warnings: plugin.unset.iter().chain(&plugin.warnings).cloned().collect(),
    }
}

/// All vertical plugins, those with errors too.
#[utoipa::path(
    get,
    path = "/plugins",
    operation_id = "plugins_list",
    responses((status = 200, body = Vec<PluginView>)),
)]
async fn list(ctx: Ctx) -> Json<Vec<PluginView>> {
    Json(plugin_views(&ctx.hub().plugins))
}

/// The state of vertical plugins and driver plugins.
#[derive(Serialize, ToSchema)]
#[schema(as = PluginStatus)]
pub(crate) struct Status {
    vertical: Vec<VerticalStatus>,
    drivers: Vec<DriverStatus>,
}

/// The state of one vertical plugin.
#[derive(Serialize, ToSchema)]
pub(crate) struct VerticalStatus {
    /// Slug.
    name: String,
    enabled: bool,
    ok: bool,
}

/// The state of one driver plugin.
#[derive(Serialize, ToSchema)]
pub(crate) struct DriverStatus {
    /// Alias.
    name: String,
    installed: bool,
}

/// The state of vertical plugins and driver plugins, for the page.
#[utoipa::path(
    get,
    path = "/plugins/status",
    operation_id = "plugins_status",
    responses((status = 200, body = Status)),
)]
async fn status(ctx: Ctx) -> Json<Status> {
    let vertical = ctx
        .hub()
        .plugins
        .iter()
        .map(|plugin| VerticalStatus {
            name: plugin.name().to_owned(),
            enabled: plugin.ok(),
            ok: plugin.works(),
        })
        .collect();
    Json(Status { vertical, drivers: Vec::new() })
}
