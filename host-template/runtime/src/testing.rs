//! For the tests of a plugin's author: one plugin's routers on a database in memory, without a network.
//!
//! ```
//! use hub::prelude::*;
//!
//! async fn ping() -> &'static str { "pong" }
//!
//! fn router() -> Router { Router::new().route("/ping", get(ping)) }
//!
//! let app = hub::testing::App::new("demo").mount(router).start();
//! assert_eq!(app.get("/ping").status, 200);
//! ```

use std::path::PathBuf;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request};
use hub_manifest::plan::HostPlugin;
use serde_json::Value;
use tokio::runtime::Runtime;
use tower::ServiceExt;

use crate::app::{self, Parts};
use crate::ctx::Config;
use crate::db::Db;
use crate::db::migrate::{self, Owner};
use crate::mount::{Settled, Source, settle};
use crate::overrides::Chains;
use crate::registry::Plugin;
use crate::router::Router;
use crate::web::Web;

/// A plugin to be tested. Whatever is wrong with it makes the test fail with a panic that says so.
pub struct App {
    slug: String,
    routers: Vec<fn() -> Router>,
    migrations: Option<PathBuf>,
    config: Config,
}

impl App {
    /// The plugin of this slug.
    pub fn new(slug: &str) -> App {
        App { slug: slug.to_owned(), routers: Vec::new(), migrations: None, config: Config::default() }
    }

    /// Mounts a router under `/api/<slug>`.
    pub fn mount(mut self, router: fn() -> Router) -> App {
        self.routers.push(router);
        self
    }

    /// Runs the migrations of this folder: `concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations")`.
    pub fn migrations(mut self, folder: impl Into<PathBuf>) -> App {
        self.migrations = Some(folder.into());
        self
    }

    /// Gives a setting its value.
    pub fn config(mut self, key: &str, value: impl Into<Value>) -> App {
        self.config.0.insert(key.to_owned(), value.into());
        self
    }

    /// Starts it.
    pub fn start(self) -> Running {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("the test needs a tokio runtime");
        let App { slug, routers, migrations, config } = self;
        let db = runtime.block_on(database(&slug, migrations));
        let sources = routers.iter().map(|router| Source::plugin(&slug, "router", router())).collect();
        let Settled { routes, conflicts } = settle(sources);
        let conflicts: Vec<String> = conflicts.into_iter().map(|conflict| conflict.message).collect();
        assert!(conflicts.is_empty(), "{}", conflicts.join("\n"));
        let about = HostPlugin { name: slug.clone(), ..HostPlugin::default() };
        let plugin = Plugin::of_build(about, &routes, config, Vec::new());
        let router = app::assemble(Parts {
            version: "0.0.0".to_owned(),
            plugins: vec![plugin],
            routes,
            chains: Chains::default(),
            db: db.clone(),
            web: Web::Absent,
        });
        Running { runtime, router, db, prefix: format!("/api/{slug}") }
    }
}

async fn database(slug: &str, migrations: Option<PathBuf>) -> Db {
    let db = Db::open_memory().await.expect("SQLite works in memory");
    migrate::prepare(&db).await.expect("an empty database takes a table");
    if let Some(folder) = migrations {
        let ran = match migrate::read_folder(&folder) {
            Ok(migrations) => migrate::run(&db, Owner::Plugin(slug), &migrations).await,
            Err(error) => Err(error),
        };
        ran.unwrap_or_else(|error| panic!("{error}"));
    }
    db
}

/// A plugin under test.
pub struct Running {
    runtime: Runtime,
    router: axum::Router,
    db: Db,
    prefix: String,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// HTTP headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body as JSON; null where it is none.
    pub json: Value,
}

impl Running {
    /// `GET`, with a path below `/api/<slug>`.
    pub fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None)
    }

    /// `POST` with a JSON body.
    pub fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body))
    }

    /// Any method.
    pub fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.prefix));
        let request = match body {
            Some(json) => {
                request.header("content-type", "application/json").body(Body::from(json.to_string()))
            }
            None => request.body(Body::empty()),
        };
        let request = request.expect("the path is one that a URL may hold");
        self.runtime.block_on(async {
            let Ok(response) = self.router.clone().oneshot(request).await;
            let (parts, body) = response.into_parts();
            let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
            Answer {
                status: parts.status.as_u16(),
                headers: parts.headers,
                json: serde_json::from_slice(&bytes).unwrap_or_default(),
                text: String::from_utf8_lossy(&bytes).into_owned(),
            }
        })
    }

    /// The database behind it, to look into or to fill.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Waits for a query on [`Running::db`].
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}
