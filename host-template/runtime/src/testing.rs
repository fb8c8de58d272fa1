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
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request};
use hub_manifest::plan::{HostPlugin, PublicRoute};
use serde_json::Value;
use tokio::runtime::Runtime;
use tower::ServiceExt;

use crate::access::Proxies;
use crate::api;
use crate::app::{self, Parts};
use crate::audit::Actor;
use crate::base::Base;
use crate::config::Config;
use crate::db::Db;
use crate::db::migrate::{self, Owner};
use crate::enable::{self, Change, Scope};
use crate::host::Hub;
use crate::identity::{Address, Role, sessions, store};
use crate::live::Marks;
use crate::mount::{Settled, Source, routes_of, settle};
use crate::overrides::Chains;
use crate::page_paths::Pages;
use crate::problem::{Problem, Result};
use crate::registry::{Plugin, Registry};
use crate::router::Router;
use crate::runs::{Presence, Runs};
use crate::web::Web;

/// A plugin to be tested. Whatever is wrong with it makes the test fail with a panic that says so.
pub struct App {
    about: HostPlugin,
    routers: Vec<fn() -> Router>,
    migrations: Option<PathBuf>,
    config: Config,
}

impl App {
    /// The plugin of this slug.
    pub fn new(slug: &str) -> App {
        let about = HostPlugin { name: slug.to_owned(), ..HostPlugin::default() };
        App { about, routers: Vec::new(), migrations: None, config: Config::default() }
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

    /// Declares permissions as the manifest does; the admin that asks by default holds them all.
    pub fn permissions(mut self, names: &[&str]) -> App {
        self.about.permissions.extend(names.iter().map(|&name| name.to_owned()));
        self
    }

    /// Lets routes answer anybody: `("GET", "/api/demo/ping")`, with `*` and `**` as in the manifest.
    pub fn public(mut self, method: &str, pattern: &str) -> App {
        let method = (method != "ALL").then(|| method.to_owned());
        self.about.public_routes.push(PublicRoute { method, pattern: pattern.to_owned() });
        self
    }

    /// Starts it, enabled for one organisation.
    pub fn start(self) -> Running {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("the test needs a tokio runtime");
        let App { about, routers, migrations, config } = self;
        let slug = about.name.clone();
        let db = runtime.block_on(database(&slug, migrations));
        // The host's own tests ask its own routes too.
        let own = cfg!(test).then(|| Source::platform(api::router(false)));
        let of_plugin = routers.iter().map(|router| Source::plugin(&slug, "router", router()));
        let sources = own.into_iter().chain(of_plugin).collect();
        let Settled { routes, conflicts } = settle(sources);
        let conflicts: Vec<String> = conflicts.into_iter().map(|conflict| conflict.message).collect();
        assert!(conflicts.is_empty(), "{}", conflicts.join("\n"));
        let of_plugin = routes_of(&about, &routes);
        let plugin = Plugin::of_build(about, of_plugin, config, Vec::new());
        let (hub, router, admin) = runtime.block_on(async {
            let marks = Marks::read(&db).await.expect("the database in memory can be read");
            let (hub, router) = app::assemble(Parts {
                version: "0.0.0".to_owned(),
                registry: Registry::new(vec![plugin], Chains::default(), Pages::default()),
                marks,
                routes,
                db: db.clone(),
                install: PathBuf::new(),
                aliases: Vec::new(),
                data: PathBuf::new(),
                runs: Runs::new(
                    Presence::new(crate::new_id(), &std::env::temp_dir()),
                    1,
                    std::time::Duration::from_secs(60),
                ),
                proxies: Proxies::default(),
                web: Web::Absent,
                base: Base::default(),
                limits: std::sync::Arc::default(),
                mailer: None,
                reach: Default::default(),
                metrics: Default::default(),
            })
            .await
            .expect("the database in memory can be read");
            let admin = sign_in(&hub, "admin@example.com", ORG, Role::Admin, &[]).await;
            let org = admin.1;
            let change = Change { on: true, scope: Scope::Org };
            let enabled = enable::change(&hub, &org, &Actor::platform(), &slug, &change).await;
            enabled.unwrap_or_else(|problem| panic!("{problem}"));
            (hub, router, admin.0)
        });
        let prefix = format!("/api/{slug}");
        Running { runtime, router, hub, db, prefix, token: Some(admin) }
    }
}

/// The organisation that tests run in.
const ORG: &str = "Example";

/// A user with these permissions, and its token; the identifier of the organisation comes second.
async fn sign_in(hub: &Hub, email: &str, org: &str, role: Role, permissions: &[&str]) -> (String, String) {
    let done: Result<_, Problem> = async {
        let mut tx = hub.db.begin().await?;
        let (org, _) = store::ensure_org(&mut tx, org).await?;
        let user = store::add_user(&mut tx, &Address::of(email), email, "no password").await?;
        store::set_role(&mut tx, &org.id, &user.id, role).await?;
        let group = crate::new_id();
        tx.execute(
            "INSERT INTO hub_groups (id, org_id, name, created_at) VALUES ($1, $2, $3, $4)",
            crate::args![&group, &org.id, &group, crate::now()],
        )
        .await?;
        for permission in permissions {
            let sql = "INSERT INTO hub_group_permissions (group_id, permission) VALUES ($1, $2)";
            tx.execute(sql, crate::args![&group, *permission]).await?;
        }
        let sql = "INSERT INTO hub_group_members (group_id, user_id) VALUES ($1, $2)";
        tx.execute(sql, crate::args![&group, &user.id]).await?;
        let token = sessions::begin(&mut tx, &user.id, &org.id, None).await?;
        hub.live.commit(tx, &hub.db).await?;
        Ok((token.secret().to_owned(), org.id))
    }
    .await;
    done.unwrap_or_else(|problem| panic!("cannot sign in as {email}: {problem}"))
}

/// Makes the platform's own tables.
pub(crate) async fn make_tables(db: &Db) {
    migrate::prepare(db).await.expect("an empty database takes a table");
    let own = migrate::run(db, Owner::Platform, &api::migrations(db)).await;
    own.unwrap_or_else(|error| panic!("{error}"));
}

async fn database(slug: &str, migrations: Option<PathBuf>) -> Db {
    let db = Db::open_memory().await.expect("SQLite works in memory");
    make_tables(&db).await;
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
    hub: Arc<Hub>,
    db: Db,
    prefix: String,
    /// Who asks.
    token: Option<String>,
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
    /// From now on a member of the same organisation asks, who holds these permissions.
    pub fn as_member(&mut self, permissions: &[&str]) -> &mut Running {
        self.sign_in(ORG, Role::Member, permissions)
    }

    /// From now on an admin of this organisation asks; the plugin is not enabled for a new one.
    pub fn as_admin_of(&mut self, org: &str) -> &mut Running {
        self.sign_in(org, Role::Admin, &[])
    }

    /// From now on nobody asks whom the platform knows.
    pub fn as_anybody(&mut self) -> &mut Running {
        self.token = None;
        self
    }

    fn sign_in(&mut self, org: &str, role: Role, permissions: &[&str]) -> &mut Running {
        let email = format!("{}@example.com", crate::new_id());
        let (token, _) = self.runtime.block_on(sign_in(&self.hub, &email, org, role, permissions));
        self.token = Some(token);
        self
    }

    /// Enables the plugin for another organisation.
    pub fn enable_for(&mut self, org: &str) -> &mut Running {
        let hub = &self.hub;
        let slug = self.prefix.trim_start_matches("/api/");
        let done = self.runtime.block_on(async {
            let id: String =
                hub.db.value("SELECT id FROM hub_orgs WHERE name = $1", crate::args![org]).await?;
            let change = Change { on: true, scope: Scope::Org };
            enable::change(hub, &id, &Actor::platform(), slug, &change).await
        });
        done.unwrap_or_else(|problem| panic!("{problem}"));
        self
    }

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
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.prefix));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
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

    /// `GET` of any path of the host that answers it, with a body that is read as it comes.
    #[cfg(test)]
    pub(crate) fn begin(&self, path: &str) -> axum::response::Response {
        let request = Request::get(path);
        let request = match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        let request = request.body(Body::empty()).expect("the path is one that a URL may hold");
        let Ok(response) = self.runtime.block_on(self.router.clone().oneshot(request));
        if !response.status().is_success() {
            let told = self.runtime.block_on(to_bytes(response.into_body(), usize::MAX));
            panic!("{path}: {}", String::from_utf8_lossy(&told.unwrap_or_default()));
        }
        response
    }

    /// What all its requests share.
    #[cfg(test)]
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
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
