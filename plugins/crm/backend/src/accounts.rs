//! `/api/crm/accounts`: the companies that buy.

use hub::prelude::*;
use serde::{Deserialize, Serialize};

permission!(Read = "accounts.read", Write = "accounts.write");

/// Mounted by the line in `plugin.yaml`.
#[hub::router]
pub fn router() -> Router {
    Router::new().routes(routes!(list, create)).routes(routes!(read))
}

/// A company.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Account {
    id: String,
    name: String,
    industry: String,
    /// Who looks after it.
    owner: String,
    /// Sales in a year, in whole units of the currency.
    annual_value: i64,
    /// How many customers belong to it.
    customers: u32,
    /// RFC 3339, in UTC.
    created_at: String,
}

/// What a new account consists of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    name: String,
    industry: String,
    owner: String,
    #[serde(default)]
    annual_value: i64,
}

/// Which accounts are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    industry: Option<String>,
}

const SELECT_ONE: &str = "SELECT a.id, a.name, a.industry, a.owner, a.annual_value, a.created_at,
    (SELECT count(*) FROM plugin_crm_customers c
     WHERE c.account_id = a.id AND (c.org_id IS NULL OR c.org_id = $2)) AS customers
    FROM plugin_crm_accounts a WHERE a.id = $1 AND (a.org_id IS NULL OR a.org_id = $2)";

/// Accounts by name.
#[utoipa::path(get, path = "/accounts", params(Filter, Page), responses((status = 200, body = Paged<Account>)))]
async fn list(
    ctx: Ctx,
    caller: Allowed<Read>,
    Query(filter): Query<Filter>,
    page: Page,
) -> Result<Json<Paged<Account>>> {
    let industry = filter.industry.as_deref();
    let items = ctx
        .db()
        .all(
            "SELECT a.id, a.name, a.industry, a.owner, a.annual_value, a.created_at,
                    (SELECT count(*) FROM plugin_crm_customers c
                     WHERE c.account_id = a.id AND (c.org_id IS NULL OR c.org_id = $1)) AS customers
             FROM plugin_crm_accounts a
             WHERE (a.org_id IS NULL OR a.org_id = $1) AND (CAST($2 AS TEXT) IS NULL OR a.industry = $2)
             ORDER BY a.name, a.id LIMIT $3 OFFSET $4",
            args![&caller.org().id, industry, page.limit, page.offset],
        )
        .await?;
    let total = ctx
        .db()
        .value(
            "SELECT count(*) FROM plugin_crm_accounts
             WHERE (org_id IS NULL OR org_id = $1) AND (CAST($2 AS TEXT) IS NULL OR industry = $2)",
            args![&caller.org().id, industry],
        )
        .await?;
    Ok(Json(page.of(items, total)))
}

/// One account.
#[utoipa::path(get, path = "/accounts/{id}", params(("id" = String, Path)), responses((status = 200, body = Account)))]
async fn read(ctx: Ctx, caller: Allowed<Read>, Path(id): Path<String>) -> Result<Json<Account>> {
    let found = ctx.db().one(SELECT_ONE, args![&id, &caller.org().id]).await?;
    found.map(Json).ok_or_else(|| Problem::not_found(format!("there is no account `{id}`")))
}

/// Adds an account.
#[utoipa::path(post, path = "/accounts", request_body = NewAccount, responses((status = 201, body = Account)))]
async fn create(ctx: Ctx, caller: Allowed<Write>, Json(new): Json<NewAccount>) -> Result<Created<Account>> {
    Check::new()
        .name("name", &new.name, 1..=200)
        .name("industry", &new.industry, 1..=100)
        .name("owner", &new.owner, 1..=100)
        .range("annual_value", new.annual_value, 0..=1_000_000_000_000)
        .done()?;
    let account = Account {
        id: hub::new_id(),
        name: new.name.trim().to_owned(),
        industry: new.industry.trim().to_owned(),
        owner: new.owner.trim().to_owned(),
        annual_value: new.annual_value,
        customers: 0,
        created_at: hub::now(),
    };
    ctx.db()
        .execute(
            "INSERT INTO plugin_crm_accounts (id, name, industry, owner, annual_value, created_at, org_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            args![
                &account.id,
                &account.name,
                &account.industry,
                &account.owner,
                account.annual_value,
                &account.created_at,
                &caller.org().id
            ],
        )
        .await?;
    Ok(Created { location: format!("/api/crm/accounts/{}", account.id), body: account })
}
