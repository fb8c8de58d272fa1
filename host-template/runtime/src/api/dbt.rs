//! `/api/dbt` and `/api/scripts`: workspaces, scripts, their runs with logs, and what the last run made.

mod following;

use axum::body::HttpBody;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hub_manifest::limits::Limit;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::{IntoParams, ToSchema};

use crate::access::{Allowed, Caller};
use crate::audit::{self, Actor, Event};
use crate::ctx::Ctx;
use crate::drivers;
use crate::extract::{Json, Path, Query};
use crate::page::{Part, checked_limit};
use crate::problem::{Problem, Result};
use crate::purse::Paid;
use crate::router::{Router, get};
use crate::rows::{Rows, fitting};
use crate::runs::dbt::{NO_DBT, output_schema};
use crate::runs::options::Options;
use crate::runs::recipe::{Recipe, recipes};
use crate::runs::store::{self, Chunk, Run};
use crate::runs::{Kept, Kind, Node, State, home};

crate::permission!(Read = "dbt.read", Start = "dbt.run");

pub(super) fn router() -> Router {
    Router::new()
        .routes(crate::routes!(workspaces))
        .routes(crate::routes!(build))
        .routes(crate::routes!(workspace_lineage))
        .routes(crate::routes!(runs))
        .routes(crate::routes!(run))
        .routes(crate::routes!(cancel))
        .routes(crate::routes!(log))
        .route("/dbt/runs/{id}/events", get(following::events))
        .routes(crate::routes!(scripts))
        .routes(crate::routes!(start_script))
}

/// The dbt workspaces that are registered for the caller, and whether there is a dbt to build them.
#[derive(Serialize, ToSchema)]
struct Workspaces {
    /// Whether dbt is installed.
    dbt_installed: bool,
    /// The command that installs it, where it is not.
    install_with: Option<&'static str>,
    workspaces: Vec<WorkspaceView>,
}

/// A dbt workspace.
#[derive(Serialize, ToSchema)]
struct WorkspaceView {
    slug: String,
    profile: String,
    /// Slug of the plugin; none for the platform's own.
    plugin: Option<String>,
    last_run: Option<Run>,
}

/// The dbt workspaces of the platform and of the plugins that are on.
#[utoipa::path(
    get,
    path = "/dbt/workspaces",
    operation_id = "dbt_workspaces",
    responses((status = 200, body = Workspaces)),
)]
async fn workspaces(ctx: Ctx, caller: Allowed<Read>) -> Result<Json<Workspaces>> {
    let hub = ctx.hub();
    let mut workspaces = Vec::new();
    for recipe in of_kind(&ctx, &caller, Kind::Dbt) {
        let org = &caller.org().id;
        let last_run = store::newest(&hub.db, org, Some(&recipe.workspace), Rows::Newest(1)).await?.pop();
        workspaces.push(WorkspaceView {
            slug: recipe.slug,
            profile: recipe.target,
            plugin: recipe.plugin,
            last_run,
        });
    }
    let dbt_installed = has_dbt(&ctx).await?;
    let install_with = (!dbt_installed).then_some("hub-platform drivers install dbt");
    Ok(Json(Workspaces { dbt_installed, install_with, workspaces }))
}

async fn has_dbt(ctx: &Ctx) -> Result<bool> {
    let data = ctx.hub().data.clone();
    ctx.hub().aside(move || drivers::dbt_program(&data).is_some()).await
}

fn of_kind(ctx: &Ctx, caller: &Caller, kind: Kind) -> Vec<Recipe> {
    recipes(ctx.hub(), caller).into_iter().filter(|recipe| recipe.kind == kind).collect()
}

fn workspace(ctx: &Ctx, caller: &Caller, slug: &str) -> Result<Recipe> {
    of_kind(ctx, caller, Kind::Dbt).into_iter().find(|recipe| recipe.slug == slug).ok_or_else(|| {
        Problem::not_found(format!("there is no dbt workspace `{slug}` here")).code("workspace-unknown")
    })
}

/// Puts a build of the workspace into the queue.
#[utoipa::path(
    post,
    path = "/dbt/workspaces/{slug}/build",
    operation_id = "dbt_build",
    params(("slug" = String, Path)),
    request_body(content = Option<Options>, content_type = "application/json"),
    responses((status = 202, body = Run)),
)]
async fn build(
    ctx: Ctx,
    caller: Allowed<Start>,
    Path(slug): Path<String>,
    request: Request,
) -> Result<Response> {
    let recipe = workspace(&ctx, &caller, &slug)?;
    let options = options(&ctx, request).await?.checked()?;
    if !has_dbt(&ctx).await? {
        return Err(Problem::conflict(NO_DBT).code("dbt-missing"));
    }
    start(&ctx, &caller, recipe, &options).await
}

/// The options of a build; no body at all asks for none.
async fn options(ctx: &Ctx, request: Request) -> Result<Options> {
    if request.body().is_end_stream() {
        return Ok(Options::default());
    }
    let Json(options) = Json::<Option<Options>>::from_request(request, ctx).await?;
    Ok(options.unwrap_or_default())
}

async fn start(ctx: &Ctx, caller: &Caller, recipe: Recipe, options: &Options) -> Result<Response> {
    let run = Run {
        id: crate::new_id(),
        kind: recipe.kind,
        slug: recipe.slug,
        plugin: recipe.plugin,
        workspace: recipe.workspace,
        state: State::Queued,
        requested_by: caller.user().email.clone(),
        created_at: crate::now(),
        started_at: None,
        finished_at: None,
        error: None,
        options: options.to_json().and_then(|text| serde_json::from_str(&text).ok()),
        waiting: None,
        tenant_id: caller.tenant_id().map(str::to_owned),
        org_id: caller.org().id.clone(),
    };
    let mut tx = ctx.db().begin().await?;
    let most = ctx.hub().limits.get(Limit::RunsWaiting);
    if store::waiting(&mut tx, &run.org_id).await? >= most {
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS).code("too-many-runs").detail(format!(
            "{most} runs of your organisation wait already: cancel some of them, or wait until they have run"
        )));
    }
    store::enqueue(&mut tx, &run).await?;
    record(&mut tx, caller, "run_requested", &run).await?;
    tx.commit().await?;
    ctx.hub().runs.wake();
    Ok((StatusCode::ACCEPTED, Json(run)).into_response())
}

async fn record(
    tx: &mut crate::db::Tx,
    caller: &Caller,
    event_type: &'static str,
    run: &Run,
) -> Result<(), crate::db::Error> {
    let event = Event { plugin: run.plugin.as_deref(), ..Event::new(event_type) };
    let event = event
        .with("run", run.id.as_str())
        .with("workspace", run.workspace.as_str())
        .with("slug", run.slug.as_str());
    audit::record(tx, &caller.org().id, &Actor::from(caller), event).await
}

/// The models of a workspace.
#[derive(Serialize, ToSchema)]
struct LineageView {
    /// The run that told it; none where the workspace has never been built: then only the models' names are known.
    run: Option<String>,
    #[schema(value_type = Vec<Node>)]
    nodes: Nodes,
    /// The newest build that succeeded.
    last_good: Option<Run>,
    /// The newest build that has ended, well or not. Where it came to no lineage, that of an earlier one is shown.
    last_try: Option<Run>,
}

/// The models of a workspace: as a run has told them, or of their names alone.
enum Nodes {
    Told(Kept),
    Named(Vec<Node>),
}

impl Serialize for Nodes {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Nodes::Told(kept) => kept.write(serializer),
            Nodes::Named(nodes) => nodes.serialize(serializer),
        }
    }
}

/// The models of a workspace with their edges, as dbt told after the last run.
#[utoipa::path(
    get,
    path = "/dbt/workspaces/{slug}/lineage",
    operation_id = "dbt_lineage",
    params(("slug" = String, Path)),
    responses((status = 200, body = LineageView)),
)]
async fn workspace_lineage(
    ctx: Ctx,
    caller: Allowed<Read>,
    Path(slug): Path<String>,
) -> Result<Paid<Json<LineageView>>> {
    let recipe = workspace(&ctx, &caller, &slug)?;
    let (org, name) = (&caller.org().id, &recipe.workspace);
    let last_good = store::newest_build(ctx.db(), org, name, true).await?;
    let last_try = store::newest_build(ctx.db(), org, name, false).await?;
    // As it is kept, and as it is sent. It is read last of all: nothing is waited for with it in hand.
    let bytes = 2 * store::lineage_bytes(ctx.db(), org, name).await?;
    let held = ctx.hub().answers.ask(bytes)?;
    if let Some((run, kept)) = store::lineage(ctx.db(), org, name).await? {
        let nodes = Nodes::Told(kept);
        return Ok(Paid(Json(LineageView { run: Some(run), nodes, last_good, last_try }), held));
    }
    let node = |name: String| Node {
        id: name.clone(),
        name,
        kind: "model".to_owned(),
        parents: Vec::new(),
        status: None,
        seconds: None,
        message: None,
        failed_tests: Vec::new(),
        of_run: None,
    };
    let nodes = Nodes::Named(recipe.models.into_iter().map(node).collect());
    Ok(Paid(Json(LineageView { run: None, nodes, last_good, last_try }), held))
}

/// Which runs are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Slug of a workspace.
    workspace: Option<String>,
    /// Only runs before this one, which the page before names as `next`.
    before: Option<String>,
    /// Rows at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
}

/// The newest runs of the caller's organisation first.
#[utoipa::path(
    get,
    path = "/dbt/runs",
    operation_id = "dbt_runs",
    params(Filter),
    responses((status = 200, body = Part<Run>)),
)]
async fn runs(ctx: Ctx, caller: Allowed<Read>, Query(filter): Query<Filter>) -> Result<Json<Part<Run>>> {
    let limit = checked_limit(filter.limit)?;
    let (workspace, before) = (filter.workspace.as_deref(), filter.before.as_deref());
    let (db, org) = (ctx.db(), &caller.org().id);
    let most = ctx.hub().limits.get(Limit::PageBytes);
    let span = store::span(db, org, workspace, before, limit, most).await?;
    let mut runs = match &span {
        Some(span) => store::newest(db, org, workspace, Rows::Within(span)).await?,
        None => Vec::new(),
    };
    waiting(&ctx, org, runs.iter_mut()).await?;
    Ok(Json(Part::of(runs, span.as_ref())))
}

/// One run.
#[utoipa::path(
    get,
    path = "/dbt/runs/{id}",
    operation_id = "dbt_run",
    params(("id" = String, Path)),
    responses((status = 200, body = Run)),
)]
async fn run(ctx: Ctx, caller: Allowed<Read>, Path(id): Path<String>) -> Result<Json<Run>> {
    find(&ctx, &caller, &id).await.map(Json)
}

async fn find(ctx: &Ctx, caller: &Caller, id: &str) -> Result<Run> {
    let org = &caller.org().id;
    let mut run = store::find(ctx.db(), org, id).await?;
    waiting(ctx, org, run.iter_mut()).await?;
    run.ok_or_else(|| Problem::not_found(format!("there is no run `{id}`")))
}

/// Says of queued runs what they wait for, where it is one host.
async fn waiting(ctx: &Ctx, org: &str, runs: impl Iterator<Item = &mut Run>) -> Result<()> {
    let queued: Vec<&mut Run> = runs.filter(|run| run.state == State::Queued).collect();
    if queued.is_empty() {
        return Ok(());
    }
    let awaited = home::awaited(ctx.db(), org).await?;
    for run in queued {
        run.waiting = awaited.get(&run.workspace).cloned();
    }
    Ok(())
}

/// Takes a run out of the queue, or ends it.
#[utoipa::path(
    post,
    path = "/dbt/runs/{id}/cancel",
    operation_id = "dbt_cancel",
    params(("id" = String, Path)),
    responses((status = 202, body = Run)),
)]
async fn cancel(ctx: Ctx, caller: Allowed<Start>, Path(id): Path<String>) -> Result<Response> {
    let run = find(&ctx, &caller, &id).await?;
    let mut tx = ctx.db().begin().await?;
    if !store::cancel(&mut tx, &id).await? {
        return Err(Problem::conflict("the run has ended already").code("run-ended"));
    }
    record(&mut tx, &caller, "run_cancelled", &run).await?;
    tx.commit().await?;
    Ok((StatusCode::ACCEPTED, Json(find(&ctx, &caller, &id).await?)).into_response())
}

/// Which part of a log is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct After {
    /// Number of the last chunk that the caller has.
    after: Option<u64>,
}

/// The log of a run as far as it has come, 200 chunks at most, and no more bytes than `HUB_PAGE_BYTES`. There is more of it
/// until an answer has no chunk.
#[utoipa::path(
    get,
    path = "/dbt/runs/{id}/log",
    operation_id = "dbt_log",
    params(("id" = String, Path), After),
    responses((status = 200, body = Vec<Chunk>)),
)]
async fn log(
    ctx: Ctx,
    caller: Allowed<Read>,
    Path(id): Path<String>,
    Query(After { after }): Query<After>,
) -> Result<Json<Vec<Chunk>>> {
    find(&ctx, &caller, &id).await?;
    let after = after.unwrap_or(0).min(i64::MAX as u64);
    let sizes = store::log_sizes(ctx.db(), &id, after).await?;
    let chunks = fitting(ctx.hub().limits.get(Limit::PageBytes), &sizes);
    Ok(Json(store::log_after(ctx.db(), &id, after, chunks).await?))
}

/// A known script.
#[derive(Serialize, ToSchema)]
struct ScriptView {
    slug: String,
    display_name: String,
    plugin: Option<String>,
    /// The schema as its manifest names it.
    output_schema: String,
    /// Database schema of the caller's organisation that it is told to write to, as `HUB_OUTPUT_SCHEMA`.
    schema: String,
    /// What it shares its turn with.
    workspace: String,
}

/// The known scripts of the plugins that are on.
#[utoipa::path(
    get,
    path = "/scripts",
    operation_id = "scripts_list",
    responses((status = 200, body = Vec<ScriptView>)),
)]
async fn scripts(ctx: Ctx, caller: Allowed<Read>) -> Json<Vec<ScriptView>> {
    let view = |recipe: Recipe| ScriptView {
        slug: recipe.slug,
        display_name: recipe.display_name,
        plugin: recipe.plugin,
        schema: output_schema(&caller.org().id, &recipe.target),
        output_schema: recipe.target,
        workspace: recipe.workspace,
    };
    Json(of_kind(&ctx, &caller, Kind::Script).into_iter().map(view).collect())
}

/// Puts a run of a known script into the queue.
#[utoipa::path(
    post,
    path = "/scripts/{plugin}/{slug}/run",
    operation_id = "scripts_run",
    params(("plugin" = String, Path), ("slug" = String, Path)),
    responses((status = 202, body = Run)),
)]
async fn start_script(
    ctx: Ctx,
    caller: Allowed<Start>,
    Path((plugin, slug)): Path<(String, String)>,
) -> Result<Response> {
    let recipe = of_kind(&ctx, &caller, Kind::Script)
        .into_iter()
        .find(|recipe| recipe.slug == slug && recipe.plugin.as_deref() == Some(&plugin))
        .ok_or_else(|| {
            Problem::not_found(format!("there is no script `{slug}` of vertical plugin `{plugin}` here"))
                .code("script-unknown")
        })?;
    start(&ctx, &caller, recipe, &Options::default()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;
    use crate::testing::{App, Running};

    /// A host with a run that has ended and whose log has so many chunks of so many bytes.
    pub(super) fn logged(chunks: u32, bytes: u32) -> Running {
        let app = App::new("demo").start();
        app.wait(async {
            let org: String = app.db().value("SELECT id FROM hub_orgs", args![]).await.unwrap();
            let run = "INSERT INTO hub_runs (id, org_id, kind, slug, workspace, state, requested_by, created_at)
                       VALUES ('r', $1, 'script', 's', 'w', 'succeeded', 'ann@example.com', '2026-01-01T00:00:00Z')";
            app.db().execute(run, args![org]).await.unwrap();
            let log = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
                       INSERT INTO hub_run_logs (run_id, seq, text) SELECT 'r', i, printf('%.*c', $2, 'x') FROM n";
            app.db().execute(log, args![chunks, bytes]).await.unwrap();
        });
        app
    }

    // S14
    #[test]
    fn s14_a_run_that_is_asked_for_before_the_page_is_read_takes_no_others_place() {
        let app = App::new("demo").start();
        app.wait(async {
            let db = app.db();
            let org: String = db.value("SELECT id FROM hub_orgs", args![]).await.unwrap();
            let run = "INSERT INTO hub_runs (id, org_id, kind, slug, workspace, state, requested_by, created_at)
                       VALUES ($1, $2, 'script', 's', 'w', 'succeeded', 'ann@example.com', '2026-01-01T00:00:00Z')";
            for id in ["r-1", "r-2"] {
                db.execute(run, args![id, &org]).await.unwrap();
            }
            let span = store::span(db, &org, Some("w"), None, 2, 1 << 20).await.unwrap().unwrap();
            db.execute(run, args!["r-3", &org]).await.unwrap();
            let runs = store::newest(db, &org, Some("w"), Rows::Within(&span)).await.unwrap();
            let ids: Vec<&str> = runs.iter().map(|run| run.id.as_str()).collect();
            assert_eq!(ids, ["r-2", "r-1"]);
            assert_eq!(span.next(), None);
        });
    }

    // S14
    #[test]
    fn s14_a_page_of_a_log_ends_at_its_bytes() {
        let app = logged(30, 300_000);
        let (mut after, mut pages) = (0, 0);
        loop {
            let answer = app.begin(&format!("/api/dbt/runs/r/log?after={after}"));
            let bytes =
                app.wait(axum::body::to_bytes(answer.into_body(), 3 << 20)).expect("no more than a page");
            let chunks: Vec<Chunk> = serde_json::from_slice(&bytes).unwrap();
            let Some(last) = chunks.last() else { break };
            (after, pages) = (last.seq, pages + 1);
        }
        assert_eq!((after, pages), (30, 5));
    }
}
