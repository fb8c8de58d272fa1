//! What somebody would write by hand on axum and sqlx for the routes that the benchmark asks: no plugins, no library of
//! ours but for the middleware, which both have to have. `bench-peer <address> <SQLite file of a host>`.

use std::io::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row, SqlitePool};

#[derive(Clone)]
struct App(Arc<SqlitePool>);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err(Error::other("usage: bench-peer <address> <SQLite file of a host>"));
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
        .with_ansi(false)
        .with_target(false)
        .init();

    let options = SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal);
    let pool =
        SqlitePoolOptions::new().max_connections(8).test_before_acquire(false).connect_with(options).await;
    let app = App(Arc::new(pool.map_err(Error::other)?));

    // As many routes as the host with its four plugins has.
    let router = Router::new()
        .route("/api/health", get(ping))
        .route("/api/plugins", get(ping))
        .route("/api/plugins/status", get(ping))
        .route("/api/session", get(ping))
        .route("/api/records", get(ping).post(ping))
        .route("/api/records/{id}", get(ping))
        .route("/api/openapi.json", get(ping))
        .route("/api/docs", get(ping))
        .route("/api/docs/docs.js", get(ping))
        .route("/api/docs/docs.css", get(ping))
        .route("/api/_demo/ping", get(ping))
        .route("/api/crm/accounts", get(ping).post(ping))
        .route("/api/crm/accounts/{id}", get(ping))
        .route("/api/crm/customers", get(customers).post(ping))
        .route("/api/crm/customers/{id}", get(customer))
        .route("/api/healthcare/facilities", get(ping).post(ping))
        .route("/api/healthcare/facilities/{id}", get(ping))
        .route("/api/healthcare/records", post(ping).get(ping))
        .route("/api/healthcare/records/{id}", get(ping))
        .with_state(app)
        .fallback(async || StatusCode::NOT_FOUND);
    let listener = tokio::net::TcpListener::bind(address).await?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, hub::middleware::wrap(router)).await
}

/// A value as JSON, as axum's own does it.
struct Json<T>(T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

async fn ping() -> Json<&'static str> {
    Json("pong")
}

#[derive(Serialize)]
struct Customer {
    id: String,
    name: String,
    email: String,
    status: String,
    account_id: String,
    account: String,
    created_at: String,
}

impl Customer {
    fn from_row(row: &SqliteRow) -> Result<Customer, sqlx::Error> {
        Ok(Customer {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            email: row.try_get("email")?,
            status: row.try_get("status")?,
            account_id: row.try_get("account_id")?,
            account: row.try_get("account")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

async fn customer(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Customer>, StatusCode> {
    let row = sqlx::query(
        "SELECT c.id, c.name, c.email, c.status, c.account_id, a.name AS account, c.created_at
         FROM plugin_crm_customers c JOIN plugin_crm_accounts a ON a.id = c.account_id
         WHERE c.id = $1",
    )
    .bind(id)
    .fetch_optional(&*app.0)
    .await
    .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?
    .ok_or(StatusCode::NOT_FOUND)?;
    Customer::from_row(&row).map(Json).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

#[derive(Deserialize)]
struct Page {
    limit: Option<u32>,
    offset: Option<u32>,
}

#[derive(Serialize)]
struct Customers {
    items: Vec<Customer>,
    total: i64,
    limit: u32,
    offset: u32,
}

async fn customers(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Json<Customers>, StatusCode> {
    let page: Page = serde_urlencoded::from_str(query.as_deref().unwrap_or_default())
        .map_err(|_| StatusCode::BAD_REQUEST)?;
    let failed = |_| StatusCode::INTERNAL_SERVER_ERROR;
    let (limit, offset) = (page.limit.unwrap_or(50), page.offset.unwrap_or(0));
    let rows = sqlx::query(
        "SELECT c.id, c.name, c.email, c.status, c.account_id, a.name AS account, c.created_at
         FROM plugin_crm_customers c JOIN plugin_crm_accounts a ON a.id = c.account_id
         WHERE (CAST($1 AS TEXT) IS NULL OR c.status = $1)
           AND (CAST($2 AS TEXT) IS NULL OR lower(c.name) LIKE $2 ESCAPE '!' OR c.email LIKE $2 ESCAPE '!')
         ORDER BY c.name, c.id LIMIT $3 OFFSET $4",
    )
    .bind(None::<String>)
    .bind(None::<String>)
    .bind(limit)
    .bind(offset)
    .fetch_all(&*app.0)
    .await
    .map_err(failed)?;
    let total = sqlx::query(
        "SELECT count(*) FROM plugin_crm_customers c
         WHERE (CAST($1 AS TEXT) IS NULL OR c.status = $1)
           AND (CAST($2 AS TEXT) IS NULL OR lower(c.name) LIKE $2 ESCAPE '!' OR c.email LIKE $2 ESCAPE '!')",
    )
    .bind(None::<String>)
    .bind(None::<String>)
    .fetch_one(&*app.0)
    .await
    .map_err(failed)?;
    let items = rows.iter().map(Customer::from_row).collect::<Result<_, _>>().map_err(failed)?;
    Ok(Json(Customers { items, total: total.try_get(0).map_err(failed)?, limit, offset }))
}
