//! `/api/plugins`: the list of vertical plugins, their state for the page, and the switches.

use hub_manifest::metadata::Metadata;
use hub_manifest::plan::Visibility;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use super::auth::too_many;
use crate::access::{Admin, Caller, OrgState, Switches};
use crate::audit::{self, Actor, Event};
use crate::ctx::Ctx;
use crate::drivers::{Import, plain};
use crate::enable::{self, Change, Scope};
use crate::extract::{Json, Path};
use crate::identity::{Tenant, store};
use crate::problem::Result;
use crate::registry::{Origin, Plugin, PluginRoute};
use crate::router::Router;

pub(super) fn router() -> Router {
    Router::new()
        .routes(crate::routes!(list))
        .routes(crate::routes!(status))
        .routes(crate::routes!(enable))
        .routes(crate::routes!(disable))
        .routes(crate::routes!(reload))
}

/// A vertical plugin.
#[derive(Serialize, ToSchema)]
#[schema(as = Plugin)]
pub(crate) struct PluginView {
    /// Slug.
    pub(crate) name: String,
    display_name: String,
    version: String,
    #[serde(flatten)]
    #[schema(schema_with = described)]
    metadata: Metadata,
    source: Origin,
    /// `protected`, `public` or `internal`.
    #[schema(value_type = String)]
    visibility: Visibility,
    dependencies: Vec<String>,
    router_count: usize,
    routes: Vec<PluginRoute>,
    /// Slugs of its dbt workspaces.
    dbt_workspaces: Vec<String>,
    /// Slug of its dbt workspace, where it has exactly one.
    dbt_workspace: Option<String>,
    nav_count: usize,
    permissions: Vec<String>,
    known_scripts: Vec<String>,
    dataset_templates: Vec<String>,
    dashboard_seeds: Vec<String>,
    /// Whether it is on for the caller's organisation as a whole.
    enabled: bool,
    /// `enabled`, `chosen` (for some tenants only) or `disabled`.
    org_state: OrgState,
    /// Each tenant of the organisation, and whether the plugin is on for it.
    tenants: Vec<TenantSwitch>,
    /// `ok`, `not-configured`, `shadowed` or `invalid`.
    state: &'static str,
    errors: Vec<String>,
    warnings: Vec<String>,
}

/// The schema of [`Metadata`]: each field is there, `null` where the author wrote none.
fn described() -> ObjectBuilder {
    Metadata::FIELDS.iter().fold(ObjectBuilder::new(), |object, field| {
        let text = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some(field.about));
        object.property(field.name, text)
    })
}

/// A plugin for one tenant.
#[derive(Serialize, ToSchema)]
pub(crate) struct TenantSwitch {
    /// Identifier of the tenant.
    id: String,
    name: String,
    enabled: bool,
    /// Whether it does as the organisation does, nothing else having been said.
    follows: bool,
}

/// What the list of plugins shows, without anybody's switches.
pub(crate) fn plugin_views<'a>(plugins: impl IntoIterator<Item = &'a Plugin>) -> Vec<PluginView> {
    plugins.into_iter().map(view).collect()
}

impl PluginView {
    /// Name, version, source, state, number of routes and title, for a table.
    pub(crate) fn row(&self) -> [String; 6] {
        [
            self.name.clone(),
            self.version.clone(),
            self.source.as_str().to_owned(),
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
        (false, _) if plugin.shadowed => "shadowed",
        (false, _) => "invalid",
        (true, false) => "not-configured",
        (true, true) => "ok",
    };
    PluginView {
        name: about.name.clone(),
        display_name: about.display_name.clone(),
        version: about.version.clone(),
        metadata: about.metadata.clone(),
        source: plugin.origin,
        visibility: about.visibility,
        dependencies: about.dependencies.clone(),
        router_count: about.routers.len(),
        routes: plugin.routes.clone(),
        dbt_workspaces: about.dbt_workspaces.iter().map(|workspace| workspace.slug.clone()).collect(),
        dbt_workspace: match &about.dbt_workspaces[..] {
            [only] => Some(only.slug.clone()),
            _ => None,
        },
        nav_count: about.nav.len(),
        permissions: about.permissions.clone(),
        known_scripts: about.known_scripts.iter().map(|script| script.slug.clone()).collect(),
        dataset_templates: about.dataset_templates.iter().map(|template| template.slug.clone()).collect(),
        dashboard_seeds: about.dashboard_seeds.iter().map(|seed| seed.slug.clone()).collect(),
        enabled: false,
        org_state: OrgState::Disabled,
        tenants: Vec::new(),
        state,
        errors: plugin.errors.clone(),
        warnings: plugin.unset.iter().chain(&plugin.warnings).cloned().collect(),
    }
}

/// The same with the switches of an organisation.
fn with_switches(view: PluginView, switches: &Switches, org: &str, tenants: &[Tenant]) -> PluginView {
    // One that is not used has no switches: those under its name are another's.
    if view.state == "shadowed" {
        return view;
    }
    let of_tenant = |tenant: &Tenant| TenantSwitch {
        id: tenant.id.clone(),
        name: tenant.name.clone(),
        enabled: switches.enabled(org, Some(&tenant.id), &view.name),
        follows: switches.of_tenant(&tenant.id, &view.name).is_none(),
    };
    let mut warnings = view.warnings;
    if let Some(origin) = switches.of_another(org, &view.name) {
        warnings.push(format!(
            "off: your organisation has enabled {} of this name, and this one is {}; enable it anew to use it, or disable it to \
             leave it off",
            Origin::whose(origin),
            Origin::whose(view.source.as_str())
        ));
    }
    PluginView {
        warnings,
        enabled: switches.enabled(org, None, &view.name),
        org_state: switches.of_org(org, &view.name),
        tenants: tenants.iter().map(of_tenant).collect(),
        ..view
    }
}

/// All vertical plugins, those with errors too, with the switches of the caller's organisation.
#[utoipa::path(
    get,
    path = "/plugins",
    operation_id = "plugins_list",
    responses((status = 200, body = Vec<PluginView>)),
)]
async fn list(ctx: Ctx, Admin(caller): Admin) -> Result<Json<Vec<PluginView>>> {
    let org = &caller.org().id;
    let tenants = store::tenants(ctx.db(), org).await?;
    let snapshot = ctx.hub().live.snapshot();
    let views = plugin_views(snapshot.registry.plugins.iter().map(|plugin| &**plugin));
    let views = views.into_iter().map(|view| with_switches(view, &snapshot.switches, org, &tenants));
    Ok(Json(views.collect()))
}

/// For whom a plugin is to be switched. Read from [`Named`], which need not say everything.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "scope", rename_all = "lowercase")]
enum Target {
    /// The caller's organisation.
    Org {},
    /// One of its tenants.
    Tenant {
        /// Identifier of the tenant.
        tenant: String,
    },
}

/// What a request says of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    scope: Option<ScopeName>,
    // One that is there and `null` is that of somebody who does not know it yet, and not everybody.
    #[serde(default, deserialize_with = "some")]
    tenant: Option<String>,
}

fn some<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<String>, D::Error> {
    String::deserialize(from).map(Some)
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum ScopeName {
    Org,
    Tenant,
}

impl<'de> Deserialize<'de> for Target {
    /// Whoever names nobody means the organisation; whoever names a tenant means that.
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Target, D::Error> {
        let Named { scope, tenant } = Named::deserialize(from)?;
        match (scope, tenant) {
            (None | Some(ScopeName::Org), None) => Ok(Target::Org {}),
            (None | Some(ScopeName::Tenant), Some(tenant)) => Ok(Target::Tenant { tenant }),
            (Some(ScopeName::Tenant), None) => Err(D::Error::missing_field("tenant")),
            (Some(ScopeName::Org), Some(_)) => Err(D::Error::custom(
                "`tenant` names a tenant, and `scope` the organisation: leave out one of them",
            )),
        }
    }
}

/// What a switch came to.
#[derive(Serialize, ToSchema)]
struct SwitchView {
    /// Slug.
    plugin: String,
    /// `org` or `tenant`.
    scope: &'static str,
    /// Identifier of the tenant.
    tenant: Option<String>,
    /// The state before.
    from: &'static str,
    /// The state now.
    to: &'static str,
}

/// Switches a plugin on. A plugin that it needs has to be on already.
#[utoipa::path(
    post,
    path = "/plugins/{slug}/enable",
    operation_id = "plugins_enable",
    params(("slug" = String, Path)),
    request_body = Option<Target>,
    responses((status = 200, body = SwitchView)),
)]
async fn enable(
    ctx: Ctx,
    Admin(caller): Admin,
    Path(slug): Path<String>,
    target: Option<Json<Target>>,
) -> Result<Json<SwitchView>> {
    turn(&ctx, &caller, slug, scope_of(target), true).await
}

/// Switches a plugin off. One that others need stays on.
#[utoipa::path(
    post,
    path = "/plugins/{slug}/disable",
    operation_id = "plugins_disable",
    params(("slug" = String, Path)),
    request_body = Option<Target>,
    responses((status = 200, body = SwitchView)),
)]
async fn disable(
    ctx: Ctx,
    Admin(caller): Admin,
    Path(slug): Path<String>,
    target: Option<Json<Target>>,
) -> Result<Json<SwitchView>> {
    turn(&ctx, &caller, slug, scope_of(target), false).await
}

/// Whoever names nobody means the organisation.
fn scope_of(target: Option<Json<Target>>) -> Scope {
    match target {
        None | Some(Json(Target::Org {})) => Scope::Org,
        Some(Json(Target::Tenant { tenant })) => Scope::Tenant(tenant),
    }
}

async fn turn(ctx: &Ctx, caller: &Caller, slug: String, scope: Scope, on: bool) -> Result<Json<SwitchView>> {
    let change = Change { on, scope };
    let changed = enable::change(ctx.hub(), &caller.org().id, &Actor::from(caller), &slug, &change).await?;
    Ok(Json(SwitchView {
        plugin: slug,
        scope: change.scope.as_str(),
        tenant: change.scope.tenant().map(str::to_owned),
        from: changed.from,
        to: changed.to,
    }))
}

/// Looks for the customer's plugins in the data folder anew, on every host of this database in its own.
#[utoipa::path(post, path = "/plugins/reload", operation_id = "plugins_reload", responses((status = 200, body = crate::registry::Counts)))]
async fn reload(ctx: Ctx, Admin(caller): Admin) -> Result<Json<crate::registry::Counts>> {
    // Reads the disk, and makes every session be read anew.
    ctx.hub().attempts.reload(&caller.org().id).map_err(too_many)?;
    let mut tx = ctx.db().begin().await?;
    audit::record(&mut tx, &caller.org().id, &Actor::from(&caller), Event::new("plugins_reload")).await?;
    tx.announce_plugins().await?;
    tx.commit().await?;
    ctx.hub().look().await?;
    Ok(Json(ctx.hub().counts()))
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
async fn status(ctx: Ctx, caller: Caller) -> Json<Status> {
    let snapshot = ctx.hub().live.snapshot();
    let vertical = snapshot
        .registry
        .plugins
        .iter()
        .enumerate()
        .filter(|(_, plugin)| {
            !plugin.shadowed && (caller.is_admin() || plugin.about.visibility != Visibility::Internal)
        })
        .map(|(place, plugin)| VerticalStatus {
            name: plugin.name().to_owned(),
            enabled: caller.view().has(place),
            ok: plugin.works(),
        })
        .collect();
    let found = ctx.hub().importable().await;
    let drivers = ctx.hub().aliases.iter().map(|alias| DriverStatus {
        name: alias.name.clone(),
        installed: found.get(&plain(&alias.package)) == Some(&Import::Works),
    });
    Json(Status { vertical, drivers: drivers.collect() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hub_manifest::plan::HostPlugin;
    use serde_json::Value;
    use utoipa::PartialSchema;

    use super::*;
    use crate::config::Config;

    fn keys(value: &Value) -> BTreeSet<String> {
        value.as_object().into_iter().flat_map(|object| object.keys().cloned()).collect()
    }

    #[test]
    fn the_description_names_the_fields_of_the_answer() {
        let plugin = Plugin::of_build(HostPlugin::default(), Vec::new(), Config::default(), Vec::new());
        let answer = serde_json::to_value(view(&plugin)).expect("an answer is JSON");
        let schema = serde_json::to_value(PluginView::schema()).expect("a schema is JSON");
        let parts = schema["allOf"].as_array().expect("metadata, and the rest");
        let described: BTreeSet<String> = parts.iter().flat_map(|part| keys(&part["properties"])).collect();
        assert_eq!(keys(&answer), described);
        assert!(
            Metadata::FIELDS.iter().all(|field| answer.get(field.name) == Some(&Value::Null)),
            "{answer}"
        );
    }
}
