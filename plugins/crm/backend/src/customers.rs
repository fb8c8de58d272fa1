//! `/api/crm/customers`: the people at the companies.

use hub::prelude::*;
use serde::{Deserialize, Serialize};

permission!(Read = "customers.read", Write = "customers.write");

/// Mounted by the line in `plugin.yaml`.
#[hub::router]
pub fn router() -> Router {
    Router::new().routes(routes!(list, create)).routes(routes!(read))
}

const STATUSES: &[&str] = &["lead", "active", "former"];

/// A person.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Customer {
    id: String,
    name: String,
    email: String,
    /// `lead`, `active` or `former`.
    status: String,
    account_id: String,
    account: String,
    /// RFC 3339, in UTC.
    created_at: String,
}

/// What a new customer consists of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCustomer {
    name: String,
    /// No two customers of an organisation have the same one.
    email: String,
    /// `lead` unless told otherwise.
    #[serde(default = "lead")]
    status: String,
    /// Identifier of an account.
    account_id: String,
}

fn lead() -> String {
    "lead".to_owned()
}

/// Which customers are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// `lead`, `active` or `former`.
    status: Option<String>,
    /// Part of the name or of the e-mail address.
    search: Option<String>,
}

/// Customers by name.
#[utoipa::path(get, path = "/customers", params(Filter, Page), responses((status = 200, body = Paged<Customer>)))]
async fn list(
    ctx: Ctx,
    caller: Allowed<Read>,
    Query(filter): Query<Filter>,
    page: Page,
) -> Result<Json<Paged<Customer>>> {
    if let Some(status) = &filter.status {
        Check::new().one_of("status", status, STATUSES).done()?;
    }
    let search = filter.search.as_deref().map(like);
    let items = ctx
        .db()
        .all(
            "SELECT c.id, c.name, c.email, c.status, c.account_id, a.name AS account, c.created_at
             FROM plugin_crm_customers c JOIN plugin_crm_accounts a ON a.id = c.account_id
             WHERE (c.org_id IS NULL OR c.org_id = $1)
               AND (CAST($2 AS TEXT) IS NULL OR c.status = $2)
               AND (CAST($3 AS TEXT) IS NULL OR lower(c.name) LIKE $3 ESCAPE '!' OR c.email LIKE $3 ESCAPE '!')
             ORDER BY c.name, c.id LIMIT $4 OFFSET $5",
            args![&caller.org().id, filter.status.as_ref(), search.as_ref(), page.limit, page.offset],
        )
        .await?;
    let total = ctx
        .db()
        .value(
            "SELECT count(*) FROM plugin_crm_customers c
             WHERE (c.org_id IS NULL OR c.org_id = $1)
               AND (CAST($2 AS TEXT) IS NULL OR c.status = $2)
               AND (CAST($3 AS TEXT) IS NULL OR lower(c.name) LIKE $3 ESCAPE '!' OR c.email LIKE $3 ESCAPE '!')",
            args![&caller.org().id, filter.status, search],
        )
        .await?;
    Ok(Json(page.of(items, total)))
}

/// What the caller looks for as a pattern in which their own `%` and `_` stand for themselves.
fn like(text: &str) -> String {
    let escaped = text.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{escaped}%")
}

/// One customer.
#[utoipa::path(get, path = "/customers/{id}", params(("id" = String, Path)), responses((status = 200, body = Customer)))]
async fn read(ctx: Ctx, caller: Allowed<Read>, Path(id): Path<String>) -> Result<Json<Customer>> {
    find(&ctx, &caller, &id).await.map(Json)
}

async fn find(ctx: &Ctx, caller: &Caller, id: &str) -> Result<Customer> {
    let found = ctx
        .db()
        .one(
            "SELECT c.id, c.name, c.email, c.status, c.account_id, a.name AS account, c.created_at
             FROM plugin_crm_customers c JOIN plugin_crm_accounts a ON a.id = c.account_id
             WHERE c.id = $1 AND (c.org_id IS NULL OR c.org_id = $2)",
            args![id, &caller.org().id],
        )
        .await?;
    found.ok_or_else(|| Problem::not_found(format!("there is no customer `{id}`")))
}

/// Adds a customer.
#[utoipa::path(post, path = "/customers", request_body = NewCustomer, responses((status = 201, body = Customer)))]
async fn create(ctx: Ctx, caller: Allowed<Write>, Json(new): Json<NewCustomer>) -> Result<Created<Customer>> {
    let email = new.email.trim().to_lowercase();
    let accounts: u32 = ctx
        .db()
        .value(
            "SELECT count(*) FROM plugin_crm_accounts WHERE id = $1 AND (org_id IS NULL OR org_id = $2)",
            args![&new.account_id, &caller.org().id],
        )
        .await?;
    Check::new()
        .name("name", &new.name, 1..=200)
        .email("email", &email)
        .one_of("status", &new.status, STATUSES)
        .that("account_id", accounts == 1, "must be the identifier of an account")
        .done()?;
    let id = hub::new_id();
    ctx.db()
        .execute(
            "INSERT INTO plugin_crm_customers (id, name, email, status, account_id, created_at, org_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            args![&id, new.name.trim(), &email, new.status, new.account_id, hub::now(), &caller.org().id],
        )
        .await
        .map_err(|error| match error.is_unique_violation() {
            true => Problem::conflict(format!("a customer with the e-mail address {email} is there already")),
            false => error.into(),
        })?;
    let body = find(&ctx, &caller, &id).await?;
    Ok(Created { location: format!("/api/crm/customers/{id}"), body })
}
