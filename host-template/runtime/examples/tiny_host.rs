//! A host as the build generates it, written by hand: four plugins, some of them with what can go wrong at
//! run time. The tests start it as a program.

use std::process::ExitCode;

use hub::prelude::*;

mod good {
    use super::*;

    #[hub::router]
    pub fn router() -> Router {
        Router::new()
            .routes(routes!(add))
            .route("/notes/{id}", get(read))
            .route("/boom", get(boom))
            .route("/slow", get(slow))
            .route("/socket", get(socket))
    }

    #[derive(serde::Deserialize, serde::Serialize, ToSchema)]
    struct Note {
        text: String,
    }

    /// Adds a note.
    #[utoipa::path(post, path = "/notes", request_body = Note, responses((status = 201, body = Note)))]
    async fn add(ctx: Ctx, Json(note): Json<Note>) -> Result<Created<Note>> {
        let id = hub::new_id();
        ctx.db()
            .execute("INSERT INTO plugin_good_notes (id, text) VALUES ($1, $2)", args![&id, &note.text])
            .await?;
        Ok(Created { location: format!("/api/good/notes/{id}"), body: note })
    }

    async fn read(ctx: Ctx, Path(id): Path<String>) -> Result<Json<Note>> {
        let note = ctx.db().one("SELECT text FROM plugin_good_notes WHERE id = $1", args![&id]).await?;
        note.map(Json).ok_or_else(|| Problem::not_found("no such note"))
    }

    async fn boom() -> &'static str {
        panic!("a handler's own fault")
    }

    async fn slow() -> &'static str {
        // Tests wait for this line: the request is under way.
        eprintln!("slow begins");
        std::future::pending::<()>().await;
        "never"
    }

    /// Goes on with a protocol of its own: what comes goes back.
    async fn socket(mut request: axum::extract::Request) -> impl axum::response::IntoResponse {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            if let Ok(upgraded) = upgrade.await {
                let (mut from, mut to) = tokio::io::split(hyper_util::rt::TokioIo::new(upgraded));
                // It ends with its client.
                let _ = tokio::io::copy(&mut from, &mut to).await;
            }
        });
        (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "echo")])
    }
}

mod needy {
    use super::*;

    #[hub::router]
    pub fn router() -> Router {
        Router::new().route("/key", get(key))
    }

    async fn key(ctx: Ctx) -> Json<Option<String>> {
        Json(ctx.config().str("key").map(str::to_owned))
    }
}

mod clash {
    use super::*;

    #[hub::router]
    pub fn router() -> Router {
        Router::new().route("/a", get(a)).route("/a", get(a))
    }

    #[hub::router]
    pub fn bad() -> Router {
        panic!("not today")
    }

    async fn a() {}
}

const PLAN: &str = r#"{
    "version": "7.8.9",
    "plugins": [
        { "name": "good", "display_name": "Good", "version": "1.0.0", "routers": ["plugins.good.backend:router"],
          "migrations": "migrations", "public_routes": [{ "method": "GET", "pattern": "/api/good/notes/*" }] },
        { "name": "needy", "display_name": "Needy", "version": "1.0.0", "routers": ["plugins.needy.backend:router"],
          "config": { "key": { "type": "password", "env": "NEEDY_KEY", "required": true } } },
        { "name": "broken", "display_name": "Broken", "version": "1.0.0", "migrations": "migrations" },
        { "name": "clash", "display_name": "Clash", "version": "1.0.0",
          "routers": ["plugins.clash.backend:router", "plugins.clash.backend:bad"] }
    ]
}"#;

fn main() -> ExitCode {
    hub::main(hub::Platform {
        plan: PLAN,
        routers: &[
            hub::Mount { plugin: "good", spec: "plugins.good.backend:router", router: good::router },
            hub::Mount { plugin: "needy", spec: "plugins.needy.backend:router", router: needy::router },
            hub::Mount { plugin: "clash", spec: "plugins.clash.backend:router", router: clash::router },
            hub::Mount { plugin: "clash", spec: "plugins.clash.backend:bad", router: clash::bad },
        ],
    })
}
