//! `/api/dashboards` and `/api/datasets/templates`: what plugins seed, and what an organisation makes of it.

use axum::http::StatusCode;
use hub_manifest::limits::{Limit, Limits};
use hub_manifest::override_kind::OverrideKind;
use hub_manifest::plan::Column;
use hub_manifest::visible::hidden_character;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::access::{Allowed, Caller};
use crate::args;
use crate::audit::{self, Actor, Event};
use crate::ctx::Ctx;
use crate::db::{AssertSqlSafe, Error};
use crate::extract::{Created, Json, Path};
use crate::problem::{Problem, Result};
use crate::purse::Paid;
use crate::router::Router;
use crate::validate::{Check, tidy};

crate::permission!(Read = "dashboards.read", Write = "dashboards.write", ReadDatasets = "datasets.read");

pub(super) fn router() -> Router {
    Router::new()
        .routes(crate::routes!(list, create))
        .routes(crate::routes!(read, change, remove))
        .routes(crate::routes!(templates))
}

/// Widgets that a dashboard holds at most.
const MOST_WIDGETS: usize = 100;

/// A dashboard: a list of blocks.
#[derive(Serialize, Deserialize, ToSchema)]
struct Dashboard {
    id: String,
    /// Name of the plugin's seed; the identifier where no plugin brought it.
    slug: String,
    title: String,
    /// Slug of the plugin that brought it.
    plugin: Option<String>,
    /// As they are kept: as values they would take many times the memory.
    #[serde(with = "crate::db::json")]
    #[schema(value_type = Vec<WidgetView>)]
    widgets: Box<RawValue>,
    /// RFC 3339, in UTC.
    updated_at: String,
}

/// One block on a dashboard.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WidgetView {
    /// Override key, `block:Name`.
    block: String,
    /// Props handed to the block.
    #[serde(default)]
    props: Map<String, Value>,
}

const COLUMNS: &str = "id, slug, title, plugin, widgets, updated_at";

/// Of a plugin that is off for the caller there are none.
fn shown(caller: &Caller, plugin: Option<&String>) -> bool {
    plugin.is_none_or(|plugin| caller.view().plugins.contains(plugin))
}

async fn find(ctx: &Ctx, caller: &Caller, id: &str) -> Result<Dashboard> {
    let sql = format!("SELECT {COLUMNS} FROM hub_dashboards WHERE org_id = $1 AND id = $2");
    let found: Option<Dashboard> = ctx.db().one(AssertSqlSafe(sql), args![&caller.org().id, id]).await?;
    let found = found.filter(|found| shown(caller, found.plugin.as_ref()));
    found.ok_or_else(|| Problem::not_found(format!("there is no dashboard `{id}`")))
}

/// The dashboards of the caller's organisation, by title.
#[utoipa::path(
    get,
    path = "/dashboards",
    operation_id = "dashboards_list",
    responses((status = 200, body = Vec<Dashboard>)),
)]
async fn list(ctx: Ctx, caller: Allowed<Read>) -> Result<Paid<Json<Vec<Dashboard>>>> {
    let org = &caller.org().id;
    let sql = "SELECT coalesce(sum(octet_length(widgets) + 512), 0) FROM hub_dashboards WHERE org_id = $1";
    let bytes: i64 = ctx.db().value(sql, args![org]).await?;
    // As they are kept, and as they are sent.
    let held = ctx.hub().answers.ask(2 * bytes.unsigned_abs())?;
    let sql = format!("SELECT {COLUMNS} FROM hub_dashboards WHERE org_id = $1 ORDER BY title, id");
    let mut all: Vec<Dashboard> = ctx.db().all(AssertSqlSafe(sql), args![org]).await?;
    all.retain(|one| shown(&caller, one.plugin.as_ref()));
    Ok(Paid(Json(all), held))
}

/// One dashboard.
#[utoipa::path(
    get,
    path = "/dashboards/{id}",
    operation_id = "dashboards_read",
    params(("id" = String, Path)),
    responses((status = 200, body = Dashboard)),
)]
async fn read(ctx: Ctx, caller: Allowed<Read>, Path(id): Path<String>) -> Result<Json<Dashboard>> {
    find(&ctx, &caller, &id).await.map(Json)
}

/// What a dashboard consists of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DashboardBody {
    /// 1 to 200 characters.
    title: String,
    /// 100 at most.
    widgets: Vec<WidgetView>,
}

impl DashboardBody {
    fn check(&self, limits: &Limits) -> Result<()> {
        let named = |block: &str| {
            OverrideKind::Block
                .name_in(block)
                .is_some_and(|name| (1..=100).contains(&name.len()) && hidden_character(name).is_none())
        };
        let wrong = self.widgets.iter().position(|widget| !named(&widget.block));
        let shown = self.widgets.iter().enumerate().fold(Check::new(), |check, (at, widget)| {
            check.visible(&format!("widgets[{at}].props"), &widget.props)
        });
        shown
            .name("title", &self.title, 1..=200)
            .that(
                "widgets",
                self.widgets.len() <= MOST_WIDGETS,
                format!("must have at most {MOST_WIDGETS} entries"),
            )
            .size("widgets", &self.widgets, limits.size(Limit::FieldBytes))
            .that(
                &format!("widgets[{}].block", wrong.unwrap_or_default()),
                wrong.is_none(),
                "must be an override key such as block:Revenue",
            )
            .done()
    }
}

/// Adds a dashboard.
#[utoipa::path(
    post,
    path = "/dashboards",
    operation_id = "dashboards_create",
    request_body = DashboardBody,
    responses((status = 201, body = Dashboard)),
)]
async fn create(
    ctx: Ctx,
    caller: Allowed<Write>,
    Json(body): Json<DashboardBody>,
) -> Result<Created<Dashboard>> {
    let limits = &ctx.hub().limits;
    body.check(limits)?;
    let (id, now) = (crate::new_id(), crate::now());
    let mut tx = ctx.db().begin().await?;
    let sql = "SELECT count(*) FROM hub_dashboards WHERE org_id = $1";
    let count: u64 = tx.value(sql, args![&caller.org().id]).await?;
    let most = limits.get(Limit::Dashboards);
    if count >= most {
        return Err(Problem::conflict(format!("the organisation has {most} dashboards; remove one first"))
            .code("too-many-dashboards"));
    }
    tx.execute(
        "INSERT INTO hub_dashboards (id, org_id, slug, title, widgets, created_at, updated_at)
         VALUES ($1, $2, $1, $3, $4, $5, $5)",
        args![&id, &caller.org().id, tidy(&body.title), json!(body.widgets), now],
    )
    .await?;
    record(&mut tx, &caller, "dashboard_added", &id, &tidy(&body.title)).await?;
    tx.commit().await?;
    let body = find(&ctx, &caller, &id).await?;
    Ok(Created { location: format!("/api/dashboards/{id}"), body })
}

/// Changes a dashboard, one that a plugin brought as well: its plugin never changes it back.
#[utoipa::path(
    put,
    path = "/dashboards/{id}",
    operation_id = "dashboards_change",
    params(("id" = String, Path)),
    request_body = DashboardBody,
    responses((status = 200, body = Dashboard)),
)]
async fn change(
    ctx: Ctx,
    caller: Allowed<Write>,
    Path(id): Path<String>,
    Json(body): Json<DashboardBody>,
) -> Result<Json<Dashboard>> {
    body.check(&ctx.hub().limits)?;
    find(&ctx, &caller, &id).await?;
    let mut tx = ctx.db().begin().await?;
    tx.execute(
        "UPDATE hub_dashboards SET title = $2, widgets = $3, updated_at = $4 WHERE id = $1",
        args![&id, tidy(&body.title), json!(body.widgets), crate::now()],
    )
    .await?;
    record(&mut tx, &caller, "dashboard_changed", &id, &tidy(&body.title)).await?;
    tx.commit().await?;
    Ok(Json(find(&ctx, &caller, &id).await?))
}

/// Removes a dashboard; one that a plugin brought never comes back.
#[utoipa::path(
    delete,
    path = "/dashboards/{id}",
    operation_id = "dashboards_remove",
    params(("id" = String, Path)),
    responses((status = 204)),
)]
async fn remove(ctx: Ctx, caller: Allowed<Write>, Path(id): Path<String>) -> Result<StatusCode> {
    let Dashboard { title, .. } = find(&ctx, &caller, &id).await?;
    let mut tx = ctx.db().begin().await?;
    tx.execute("DELETE FROM hub_dashboards WHERE id = $1", args![&id]).await?;
    record(&mut tx, &caller, "dashboard_removed", &id, &title).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn record(
    tx: &mut crate::db::Tx,
    caller: &Caller,
    event_type: &'static str,
    id: &str,
    title: &str,
) -> Result<(), Error> {
    let event = Event::new(event_type).with("dashboard", id).with("title", title.trim());
    audit::record(tx, &caller.org().id, &Actor::from(caller), event).await
}

/// Columns of a new dataset.
#[derive(Serialize, ToSchema)]
struct TemplateView {
    slug: String,
    display_name: String,
    /// Slug of the plugin that brings it.
    plugin: String,
    columns: Vec<ColumnView>,
}

/// One column of a dataset.
#[derive(Serialize, ToSchema)]
struct ColumnView {
    name: String,
    /// Type name.
    #[serde(rename = "type")]
    kind: String,
}

/// The dataset templates of the plugins that are on.
#[utoipa::path(
    get,
    path = "/datasets/templates",
    operation_id = "datasets_templates",
    responses((status = 200, body = Vec<TemplateView>)),
)]
async fn templates(ctx: Ctx, caller: Allowed<ReadDatasets>) -> Json<Vec<TemplateView>> {
    let snapshot = ctx.hub().live.snapshot();
    let column = |column: &Column| ColumnView { name: column.name.clone(), kind: column.kind.clone() };
    let on = snapshot.registry.plugins.iter().enumerate().filter(|(place, _)| caller.view().has(*place));
    let templates = on.flat_map(|(_, plugin)| {
        plugin.about.dataset_templates.iter().map(|template| TemplateView {
            slug: template.slug.clone(),
            display_name: template.display_name.clone(),
            plugin: plugin.name().to_owned(),
            columns: template.columns.iter().map(column).collect(),
        })
    });
    Json(templates.collect())
}
