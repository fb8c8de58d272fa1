//! A host with 200 plugins, for the benchmark: all of them with the same three routes.

use std::process::ExitCode;

use hub::prelude::*;
use hub::{Mount, Platform};

const PLUGINS: usize = 200;

#[derive(serde::Serialize, ToSchema)]
struct Item {
    id: String,
    title: &'static str,
}

/// The routes of each.
#[hub::router]
pub fn router() -> Router {
    Router::new().route("/items", get(list)).route("/items/{id}", get(read).put(read))
}

async fn list() -> Json<Vec<Item>> {
    Json(vec![Item { id: "1".to_owned(), title: "One" }])
}

async fn read(Path(id): Path<String>) -> Json<Item> {
    Json(Item { id, title: "One" })
}

fn main() -> ExitCode {
    let names: Vec<&'static str> = (0..PLUGINS).map(|n| &*String::leak(format!("plugin-{n:03}"))).collect();
    let plugin = |name: &&str| {
        serde_json::json!({
            "name": name, "display_name": name, "version": "1.0.0", "routers": [format!("{name}.router")],
            "nav": [{"label": name, "path": format!("/{name}"), "icon": "star"}],
            "permissions": [format!("{name}.read").replace('-', "_"), format!("{name}.write").replace('-', "_")],
        })
    };
    let plan =
        serde_json::json!({"version": "1.0.0", "plugins": names.iter().map(plugin).collect::<Vec<_>>()});
    let routers: Vec<Mount> =
        names.iter().map(|name| Mount { plugin: name, spec: "router", router }).collect();
    hub::main(Platform { plan: plan.to_string().leak(), routers: routers.leak() })
}
