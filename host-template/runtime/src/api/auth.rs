//! `/api/auth`: signing in and out, and changing one's password.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Caller, Credentials, SESSION_COOKIE, cross_site};
use crate::args;
use crate::audit::{self, Actor, Event};
use crate::ctx::Ctx;
use crate::extract::Json;
use crate::identity::store::{self, Account};
use crate::identity::{MAX_PASSWORD, MIN_PASSWORD, Role, SESSION_DAYS, Token, User, Wait, sessions};
use crate::problem::{Problem, Result};
use crate::router::Router;
use crate::validate::Check;

/// Anybody may try to sign in.
pub(super) const LOGIN: &str = "/auth/login";

pub(super) fn router() -> Router {
    Router::new()
        .routes(crate::routes!(login))
        .routes(crate::routes!(logout))
        .routes(crate::routes!(password))
}

/// Who wants to sign in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    email: String,
    password: String,
}

/// A session that has begun.
#[derive(Serialize, ToSchema)]
struct SignedIn {
    /// For `Authorization: Bearer`; the same as in the cookie.
    token: String,
    /// RFC 3339, in UTC.
    expires_at: String,
    user: User,
}

/// Signs in: sets the session cookie and gives the token.
#[utoipa::path(
    post,
    path = "/auth/login",
    operation_id = "auth_login",
    request_body = Login,
    responses((status = 200, body = SignedIn)),
)]
async fn login(ctx: Ctx, from: Sender, Json(login): Json<Login>) -> Result<Response> {
    if from.cross_site {
        return Err(Problem::new(StatusCode::FORBIDDEN)
            .code("cross-site-request")
            .detail("a page of another site sent this request"));
    }
    let hub = ctx.hub();
    let email = store::canonical(&login.email);
    Check::new()
        .text("email", &email, 1..=254)
        .that(
            "password",
            (1..=MAX_PASSWORD).contains(&login.password.chars().count()),
            "must not be empty or very long",
        )
        .done()?;
    hub.sign_in_limits.attempt(from.address, &email).map_err(too_many)?;
    let account = store::account(&hub.db, &email).await?;
    let known = account.as_ref().map(|account| account.password.clone());
    let fits = hub.passwords.verify(login.password, known).await?;
    match account {
        Some(account) if fits => {
            let token = begin(&ctx, &account).await?;
            let expires_at = crate::at(time::OffsetDateTime::now_utc() + time::Duration::days(SESSION_DAYS));
            let body = SignedIn { token: token.secret().to_owned(), expires_at, user: account.user() };
            Ok(with_cookie(
                Json(body).into_response(),
                &cookie(token.secret(), SESSION_DAYS * 86_400, from.tls),
            ))
        }
        account => {
            tracing::info!(email, "sign-in refused");
            if let Some(account) = account {
                failed(&ctx, &account).await?;
            }
            Err(wrong_credentials())
        }
    }
}

/// A session in the organisation that the user joined first; a member starts in the first of its tenants.
async fn begin(ctx: &Ctx, account: &Account) -> Result<Token> {
    let db = ctx.db();
    let org = store::first_org(db, &account.id).await?.ok_or_else(|| {
        Problem::new(StatusCode::FORBIDDEN)
            .code("no-organisation")
            .detail("this account is in no organisation any more; an admin can add it again")
    })?;
    let role = store::role(db, &org.id, &account.id).await?;
    let tenant = match role {
        Some(Role::Member) => store::tenants_of(db, &org.id, &account.id).await?.into_iter().next(),
        _ => None,
    };
    let mut tx = db.begin().await?;
    let token =
        sessions::begin(&mut tx, &account.id, &org.id, tenant.as_ref().map(|t| t.id.as_str())).await?;
    let actor = Actor::person(&account.id, &account.email);
    audit::record(&mut tx, &org.id, &actor, Event::new("sign_in")).await?;
    tx.commit().await?;
    Ok(token)
}

async fn failed(ctx: &Ctx, account: &Account) -> Result<()> {
    let Some(org) = store::first_org(ctx.db(), &account.id).await? else { return Ok(()) };
    let mut tx = ctx.db().begin().await?;
    let actor = Actor::person(&account.id, &account.email);
    audit::record(&mut tx, &org.id, &actor, Event::new("sign_in_failed")).await?;
    Ok(tx.commit().await?)
}

fn wrong_credentials() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED)
        .code("wrong-credentials")
        .detail("the e-mail address or the password is wrong")
}

fn too_many(Wait(wait): Wait) -> Problem {
    let seconds = wait.as_secs() + 1;
    Problem::new(StatusCode::TOO_MANY_REQUESTS)
        .code("too-many-attempts")
        .detail(format!("too many attempts to sign in; try again in {seconds} seconds"))
        .retry_after(seconds)
}

/// Signs out: the session and its token end.
#[utoipa::path(post, path = "/auth/logout", operation_id = "auth_logout", responses((status = 204)))]
async fn logout(ctx: Ctx, caller: Caller, from: Sender) -> Result<Response> {
    let mut tx = ctx.db().begin().await?;
    sessions::end(&mut tx, caller.session()).await?;
    audit::record(&mut tx, &caller.org().id, &Actor::from(&caller), Event::new("sign_out")).await?;
    tx.announce().await?;
    tx.commit().await?;
    if let Some(token) = &from.token {
        ctx.hub().sessions.forget(token);
    }
    ctx.hub().live.refresh(ctx.db()).await?;
    Ok(with_cookie(StatusCode::NO_CONTENT.into_response(), &cookie("", 0, from.tls)))
}

/// A new password for oneself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    current: String,
    /// 10 to 200 characters.
    new: String,
}

/// Changes the caller's password; its other sessions end.
#[utoipa::path(
    post,
    path = "/auth/password",
    operation_id = "auth_password",
    request_body = NewPassword,
    responses((status = 204)),
)]
async fn password(
    ctx: Ctx,
    caller: Caller,
    from: Sender,
    Json(asked): Json<NewPassword>,
) -> Result<StatusCode> {
    let hub = ctx.hub();
    check_password("new", &asked.new).done()?;
    hub.sign_in_limits.attempt(from.address, &caller.user().email).map_err(too_many)?;
    let account = store::account(&hub.db, &caller.user().email).await?;
    if !hub.passwords.verify(asked.current, account.map(|account| account.password)).await? {
        return Err(Problem::invalid_field("current", "is not your password"));
    }
    let hashed = hub.passwords.hash(asked.new).await?;
    let mut tx = hub.db.begin().await?;
    tx.execute("UPDATE hub_users SET password = $2 WHERE id = $1", args![&caller.user().id, hashed]).await?;
    tx.execute(
        "DELETE FROM hub_sessions WHERE user_id = $1 AND id <> $2",
        args![&caller.user().id, caller.session()],
    )
    .await?;
    audit::record(&mut tx, &caller.org().id, &Actor::from(&caller), Event::new("password_change")).await?;
    tx.announce().await?;
    tx.commit().await?;
    hub.live.refresh(&hub.db).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a password has to be.
pub(super) fn check_password(field: &str, password: &str) -> Check {
    let length = password.chars().count();
    Check::new().that(
        field,
        (MIN_PASSWORD..=MAX_PASSWORD).contains(&length),
        format!("must have {MIN_PASSWORD} to {MAX_PASSWORD} characters"),
    )
}

/// The cookie's text. `Lax` lets a link from a mail open a page signed in, and nothing else cross sites.
fn cookie(token: &str, seconds: i64, tls: bool) -> String {
    let secure = if tls { "; Secure" } else { "" };
    format!("{SESSION_COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What a request says of the connection that it came over.
struct Sender {
    address: IpAddr,
    tls: bool,
    cross_site: bool,
    token: Option<Token>,
}

impl FromRequestParts<Ctx> for Sender {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Sender, std::convert::Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |info| info.0.ip());
        Ok(Sender {
            address: ctx.hub().proxies.caller(peer, &parts.headers),
            tls: parts.headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https"),
            cross_site: cross_site(&parts.headers),
            token: Credentials::of(&parts.headers).map(|credentials| credentials.token().clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies() {
        assert_eq!(
            cookie("abc", 60, true),
            "hub_session=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure"
        );
        assert!(!cookie("abc", 60, false).contains("Secure"));
    }
}
