//! `/api/sample-plugin/items`: replace the items by what the plugin is about.

use hub::prelude::*;
use serde::{Deserialize, Serialize};

permission!(Read = "sample_plugin.read");
permission!(Write = "sample_plugin.write");

/// Mounted by the line in `plugin.yaml`.
#[hub::router]
pub fn router() -> Router {
    Router::new().routes(routes!(list, create)).routes(routes!(read))
}

/// An item.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Item {
    id: String,
    title: String,
    /// RFC 3339, in UTC.
    created_at: String,
}

/// What a new item consists of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewItem {
    title: String,
}

const LIST: &str = "SELECT id, title, created_at FROM plugin_sample_plugin_items
    WHERE (org_id IS NULL OR org_id = $1) ORDER BY title, id LIMIT $2 OFFSET $3";
const COUNT: &str = "SELECT count(*) FROM plugin_sample_plugin_items
    WHERE (org_id IS NULL OR org_id = $1)";
const READ: &str = "SELECT id, title, created_at FROM plugin_sample_plugin_items
    WHERE id = $1 AND (org_id IS NULL OR org_id = $2)";
const CREATE: &str = "INSERT INTO plugin_sample_plugin_items
    (id, title, created_at, org_id) VALUES ($1, $2, $3, $4)";

/// Items by title.
#[utoipa::path(get, path = "/items", params(Page), responses((status = 200, body = Paged<Item>)))]
async fn list(ctx: Ctx, caller: Allowed<Read>, page: Page) -> Result<Json<Paged<Item>>> {
    let items = ctx.db().all(LIST, args![&caller.org().id, page.limit, page.offset]).await?;
    let total = ctx.db().value(COUNT, args![&caller.org().id]).await?;
    Ok(Json(page.of(items, total)))
}

/// One item.
#[utoipa::path(get, path = "/items/{id}", params(("id" = String, Path)), responses((status = 200, body = Item)))]
async fn read(ctx: Ctx, caller: Allowed<Read>, Path(id): Path<String>) -> Result<Json<Item>> {
    let found = ctx.db().one(READ, args![&id, &caller.org().id]).await?;
    found.map(Json).ok_or_else(|| Problem::not_found(format!("there is no item `{id}`")))
}

/// Adds an item.
#[utoipa::path(post, path = "/items", request_body = NewItem, responses((status = 201, body = Item)))]
async fn create(ctx: Ctx, caller: Allowed<Write>, Json(new): Json<NewItem>) -> Result<Created<Item>> {
    Check::new().text("title", &new.title, 1..=200).done()?;
    let title = new.title.trim().to_owned();
    let item = Item { id: hub::new_id(), title, created_at: hub::now() };
    let org = &caller.org().id;
    ctx.db().execute(CREATE, args![&item.id, &item.title, &item.created_at, org]).await?;
    let location = format!("/api/sample-plugin/items/{}", item.id);
    Ok(Created { location, body: item })
}
