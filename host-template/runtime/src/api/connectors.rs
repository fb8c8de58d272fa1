//! `/api/connectors`: the kinds of places that data comes from, and whether one of them can be reached.

use axum::http::StatusCode;
use hub_manifest::grammar::nearest;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Allowed;
use crate::connectors::{self, Available, Field, KINDS, Kind, Parameters, Tested, Value};
use crate::ctx::Ctx;
use crate::extract::{Json, Path};
use crate::host::Hub;
use crate::problem::{Problem, Result};
use crate::router::Router;

crate::permission!(pub(super) Read = "connectors.read", pub(super) Test = "connectors.test");

pub(super) fn router() -> Router {
    Router::new().routes(crate::routes!(catalog)).routes(crate::routes!(test))
}

/// A kind of place that data comes from.
#[derive(Serialize, ToSchema)]
struct Connector {
    /// Such as `oracle`.
    r#type: &'static str,
    display_name: &'static str,
    /// Whether it needs no driver.
    built_in: bool,
    /// Alias of its driver.
    driver: Option<&'static str>,
    /// The driver's pip package.
    package: Option<String>,
    /// Whether a connection can be made.
    available: bool,
    /// Why not.
    reason: Option<String>,
    /// The command that mends it.
    install: Option<String>,
    fields: Vec<FieldView>,
}

/// Something that the connector is told.
#[derive(Serialize, ToSchema)]
struct FieldView {
    name: &'static str,
    /// `text`, `secret`, `number`, `boolean` or `choice`.
    kind: &'static str,
    required: bool,
    /// What is taken where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<u16>,
    /// The words of a choice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    choices: Vec<&'static str>,
}

impl From<&Field> for FieldView {
    fn from(field: &Field) -> FieldView {
        let (kind, default, choices) = match field.value {
            Value::Text | Value::Host | Value::Path => ("text", None, Vec::new()),
            Value::Secret => ("secret", None, Vec::new()),
            Value::Port(usual) => ("number", Some(usual), Vec::new()),
            Value::Flag => ("boolean", None, Vec::new()),
            Value::Word(words) => ("choice", None, words.to_vec()),
        };
        FieldView { name: field.name, kind, required: field.required, default, choices }
    }
}

/// All kinds of connectors, and whether the driver of each is there.
#[utoipa::path(
    get,
    path = "/connectors/catalog",
    operation_id = "connectors_catalog",
    responses((status = 200, body = Vec<Connector>)),
)]
async fn catalog(ctx: Ctx, _: Allowed<Read>) -> Json<Vec<Connector>> {
    let hub = ctx.hub();
    let found = hub.importable().await;
    let connector = |kind: &Kind| {
        let Available { package, reason, install } = kind.driver_state(&hub.aliases, &found);
        let (reason, install) = if kind.built_in { (None, None) } else { (reason, install) };
        Connector {
            r#type: kind.name,
            display_name: kind.display_name,
            built_in: kind.built_in,
            driver: kind.driver,
            package,
            available: reason.is_none(),
            reason,
            install,
            fields: kind.fields.iter().map(FieldView::from).collect(),
        }
    };
    Json(KINDS.iter().map(connector).collect())
}

/// Opens a connection with these values and closes it again. Takes ten seconds at most.
#[utoipa::path(
    post,
    path = "/connectors/{type}/test",
    operation_id = "connectors_test",
    params(("type" = String, Path)),
    request_body = Parameters,
    responses((status = 200, body = Tested)),
)]
async fn test(
    ctx: Ctx,
    caller: Allowed<Test>,
    Path(name): Path<String>,
    Json(parameters): Json<Parameters>,
) -> Result<Json<Tested>> {
    let kind = Kind::find(&name).ok_or_else(|| unknown(&name))?;
    let parameters = parameters.check(kind)?;
    let hub = ctx.hub();
    hub.connector_tests.count(&caller.user().id, &caller.org().id)?;
    if (!kind.built_in || parameters.text("through") == Some("driver"))
        && let Some(message) = missing(hub, kind).await
    {
        return Ok(Json(Tested { ok: false, message, millis: 0 }));
    }
    let place = connectors::Place {
        data: &hub.data,
        org: &caller.org().id,
        limits: &hub.limits,
        tests: &hub.connector_tests,
    };
    Ok(Json(connectors::test(kind, &place, parameters).await?))
}

/// Why the driver cannot be used, and what to do.
async fn missing(hub: &Hub, kind: &Kind) -> Option<String> {
    let found = hub.importable().await;
    let Available { reason, install, .. } = kind.driver_state(&hub.aliases, &found);
    reason.map(|reason| match install {
        Some(install) => format!("{reason}; the command that installs it: {install}"),
        None => reason,
    })
}

fn unknown(name: &str) -> Problem {
    let near = match nearest(name, KINDS.iter().map(|kind| kind.name)).first() {
        Some(near) => format!("; did you mean `{near}`?"),
        None => "; the catalog lists those that there are".to_owned(),
    };
    Problem::new(StatusCode::NOT_FOUND)
        .code("connector-unknown")
        .detail(format!("there is no connector `{}`{near}", name.escape_debug()))
}
