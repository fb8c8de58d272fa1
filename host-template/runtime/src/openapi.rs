//! One OpenAPI document of the platform and all plugins.
//!
//! Each router describes itself as if it were alone; here its paths get their prefix, its schemas a name that no other
//! plugin's have, and its operations an identifier of their own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use utoipa::PartialSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::access::SESSION_COOKIE;
use crate::mount::{Mounted, PLATFORM};
use crate::problem::{FieldError, ProblemBody};

const SCHEMAS: &str = "#/components/schemas/";

/// The document; `public` says which routes answer callers who are not signed in.
pub(crate) fn document(version: &str, routes: &[Mounted], public: &dyn Fn(&Mounted) -> bool) -> Value {
    let mut schemas = Components::default();
    let mut ids = BTreeSet::new();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in routes.iter().filter(|route| !is_inner(&route.path)) {
        let mut operation = describe(route, &mut schemas);
        let wanted = wanted_id(route, operation.get("operationId").and_then(Value::as_str));
        operation.insert("operationId".to_owned(), Value::String(unique(&mut ids, wanted)));
        operation.insert("tags".to_owned(), json!([route.owner]));
        if public(route) {
            operation.insert("security".to_owned(), json!([]));
        }
        paths
            .entry(route.path.replace("{*", "{"))
            .or_default()
            .insert(route.method.as_str().to_ascii_lowercase(), Value::Object(operation));
    }
    let owners: BTreeSet<&str> = routes.iter().map(|route| route.owner.as_str()).collect();
    json!({
        "openapi": "3.1.0",
        "info": { "title": "hub-platform", "version": version },
        "paths": paths,
        "tags": owners.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        // Either will do; a route that answers anybody says so itself.
        "security": [{ "token": [] }, { "cookie": [] }],
        "components": {
            "schemas": schemas.by_name,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "As POST /api/auth/login gives it." },
                "cookie": { "type": "apiKey", "in": "cookie", "name": SESSION_COOKIE },
            },
            "responses": { "Problem": {
                "description": "The request failed; RFC 9457.",
                "content": { crate::problem::MEDIA_TYPE: { "schema": { "$ref": format!("{SCHEMAS}Problem") } } },
            } },
        },
    })
}

/// Parts of the pages that the host itself serves: no program has a use for them.
fn is_inner(path: &str) -> bool {
    path.starts_with("/api/_dev/") || path.starts_with("/api/docs")
}

/// The operation as its author describes it, completed with what the route itself tells.
fn describe(route: &Mounted, schemas: &mut Components) -> Map<String, Value> {
    let mut operation = match route.description {
        Some(description) => {
            let mut named = Vec::new();
            (description.schemas)(&mut named);
            let renamed = schemas.add(route, named);
            let mut operation = value_of(&(description.operation)());
            rename(&mut operation, &renamed);
            operation
        }
        None => json!({}),
    };
    let Value::Object(mut operation) = operation.take() else { return Map::new() };
    add_parameters(&mut operation, &route.path);
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    if let Value::Object(responses) = responses {
        responses.entry("default").or_insert_with(|| json!({ "$ref": "#/components/responses/Problem" }));
    }
    operation
}

fn value_of(described: &impl serde::Serialize) -> Value {
    serde_json::to_value(described).unwrap_or_default()
}

/// Parameters of the path that the author did not describe.
fn add_parameters(operation: &mut Map<String, Value>, path: &str) {
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    let Value::Array(parameters) = parameters else { return };
    for name in path_parameters(path) {
        if !parameters.iter().any(|p| p["name"] == name && p["in"] == "path") {
            parameters.push(
                json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }),
            );
        }
    }
    if parameters.is_empty() {
        operation.remove("parameters");
    }
}

fn path_parameters(path: &str) -> Vec<&str> {
    path.split('/')
        .filter_map(|segment| segment.split_once('{')?.1.strip_suffix('}'))
        .map(|name| name.trim_start_matches('*'))
        .collect()
}

/// `healthcare_records_list`: the plugin, the router's module, and what the author (or, without one, the route) says.
fn wanted_id(route: &Mounted, own: Option<&str>) -> String {
    let own = own.map_or_else(
        || format!("{} {}", route.method.as_str().to_ascii_lowercase(), route.path),
        str::to_owned,
    );
    if route.owner == PLATFORM {
        return word(&own);
    }
    word(&format!("{} {} {own}", route.owner, module(&route.spec).unwrap_or_default()))
}

/// The module part of a router's spec.
fn module(spec: &str) -> Option<String> {
    let path = spec.rsplit_once(':').map_or(spec, |(path, _)| path.trim_end_matches(':'));
    match path.split_once(".backend.") {
        Some((_, modules)) => Some(modules.replace('.', "_")),
        None => path.split_once("::").map(|(_, modules)| modules.replace("::", "_")),
    }
}

/// Letters, digits and single underscores.
fn word(text: &str) -> String {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("_")
}

fn unique(taken: &mut BTreeSet<String>, wanted: String) -> String {
    let numbered = (2..).map(|n| format!("{wanted}_{n}"));
    let free =
        std::iter::once(wanted.clone()).chain(numbered).find(|id| !taken.contains(id)).unwrap_or(wanted);
    taken.insert(free.clone());
    free
}

/// The schemas of all routers under names of their own.
struct Components {
    by_name: BTreeMap<String, Value>,
}

impl Default for Components {
    fn default() -> Components {
        let own =
            [("Problem", value_of(&ProblemBody::schema())), ("FieldError", value_of(&FieldError::schema()))];
        Components { by_name: own.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect() }
    }
}

impl Components {
    /// Takes one operation's schemas; gives the new name of each.
    fn add(&mut self, route: &Mounted, named: Vec<(String, RefOr<Schema>)>) -> BTreeMap<String, String> {
        let mut renamed = BTreeMap::new();
        let schemas: BTreeMap<String, Value> =
            named.into_iter().map(|(name, schema)| (name, value_of(&schema))).collect();
        // Names first: schemas refer to each other.
        for (name, schema) in &schemas {
            renamed.insert(name.clone(), self.name_for(route, name, schema));
        }
        for (name, mut schema) in schemas {
            rename(&mut schema, &renamed);
            if let Some(new) = renamed.get(&name) {
                self.by_name.entry(new.clone()).or_insert(schema);
            }
        }
        renamed
    }

    /// The plugin's slug in front; the router's module too where another router of the plugin has the name already.
    fn name_for(&self, route: &Mounted, name: &str, schema: &Value) -> String {
        let same = |candidate: &String| {
            self.by_name.get(candidate).is_none_or(|there| without_refs(there) == without_refs(schema))
        };
        let plain = name.to_owned();
        if route.owner == PLATFORM || (self.by_name.contains_key(&plain) && same(&plain)) {
            return plain;
        }
        let with_slug = format!("{}.{name}", route.owner);
        if same(&with_slug) {
            return with_slug;
        }
        format!("{}.{}.{name}", route.owner, module(&route.spec).unwrap_or_default())
    }
}

/// A schema without the names that it refers to, which change on the way into the document.
fn without_refs(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), if key == "$ref" { Value::Null } else { without_refs(value) }))
            .collect(),
        Value::Array(items) => items.iter().map(without_refs).collect(),
        other => other.clone(),
    }
}

/// Points references to the new names.
fn rename(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(target)) = map.get_mut("$ref")
                && let Some(new) = target.strip_prefix(SCHEMAS).and_then(|name| names.get(name))
            {
                *target = format!("{SCHEMAS}{new}");
            }
            map.values_mut().for_each(|value| rename(value, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| rename(value, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use utoipa::ToSchema;

    use super::*;
    use crate::extract::Json;
    use crate::mount::{Source, settle};
    use crate::page::Paged;
    use crate::router::{Router, get};

    mod one {
        use super::*;

        #[derive(Serialize, ToSchema)]
        pub struct Item {
            pub name: String,
        }

        #[utoipa::path(get, path = "/items", responses((status = 200, body = Paged<Item>)))]
        pub async fn list() -> Json<Vec<Item>> {
            Json(Vec::new())
        }
    }

    mod two {
        use super::*;

        #[derive(Serialize, ToSchema)]
        pub struct Item {
            pub beds: u32,
        }

        #[utoipa::path(get, path = "/wards/{id}", responses((status = 200, body = Item)))]
        pub async fn list() -> Json<Vec<Item>> {
            Json(Vec::new())
        }
    }

    async fn plain() {}

    fn example() -> Value {
        let routes = settle(vec![
            Source::plugin(
                "a",
                "plugins.a.backend.one:router",
                Router::new().routes(crate::routes!(one::list)),
            ),
            Source::plugin(
                "a",
                "plugins.a.backend.two:router",
                Router::new().routes(crate::routes!(two::list)),
            ),
            Source::plugin("b", "b_crate::deep::er::router", Router::new().routes(crate::routes!(one::list))),
            Source::plugin("c", "plugins.c.backend.x:router", Router::new().route("/f/{*rest}", get(plain))),
        ]);
        document("1.2.3", &routes.routes, &|route| route.owner == "b")
    }

    #[test]
    fn operations_and_schemas_have_names_of_their_own() {
        let document = example();
        let id =
            |path: &str| document["paths"][path]["get"]["operationId"].as_str().unwrap_or("-").to_owned();
        assert_eq!(id("/api/a/items"), "a_one_list");
        assert_eq!(id("/api/a/wards/{id}"), "a_two_list");
        assert_eq!(id("/api/b/items"), "b_deep_er_list");
        assert_eq!(id("/api/c/f/{rest}"), "c_x_get_api_c_f_rest");
        assert_eq!(document["paths"]["/api/b/items"]["get"]["security"], json!([]));
        assert!(
            document["paths"]["/api/a/items"]["get"]["security"].is_null()
                && document["security"][0]["token"].is_array()
        );
        let names: Vec<_> = document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
        let want =
            ["FieldError", "Problem", "a.Item", "a.Paged_Item", "a.two.Item", "b.Item", "b.Paged_Item"];
        assert_eq!(names, want);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = example();
        let mut seen = 0;
        let mut todo = vec![&document];
        while let Some(value) = todo.pop() {
            if let Some(target) = value.get("$ref").and_then(Value::as_str) {
                let pointer = target.trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
                seen += 1;
            }
            match value {
                Value::Object(map) => todo.extend(map.values()),
                Value::Array(items) => todo.extend(items),
                _ => {}
            }
        }
        assert!(seen > 5);
        assert_eq!(document["paths"]["/api/c/f/{rest}"]["get"]["parameters"][0]["name"], "rest");
    }
}
