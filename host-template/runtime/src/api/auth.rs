//! `/api/auth`: signing in and out, and changing one's password.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{
    self, Caller, Credentials, DEVICE_COOKIE, SESSION_COOKIE, Seen, cookie, cookie_values, cross_site,
};
use crate::args;
use crate::audit::{self, Actor, Event};
use crate::base::Base;
use crate::ctx::Ctx;
use crate::db::{Error, Tx};
use crate::extract::{Brief, Json};
use crate::identity::store::{self, Account};
use crate::identity::{
    Address, DEVICE_DAYS, Device, MAX_PASSWORD, MIN_PASSWORD, Org, Party, SESSION_DAYS, Token, User, Wait,
    sessions,
};
use crate::problem::{Problem, Result};
use crate::router::Router;
use crate::validate::Check;

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
async fn login(ctx: Ctx, from: Sender, Brief(login): Brief<Login>) -> Result<Response> {
    from.of_this_site()?;
    let email = Address::of(&login.email);
    Check::new()
        .text("email", email.as_str(), 1..=254)
        .that(
            "password",
            (1..=MAX_PASSWORD).contains(&login.password.chars().count()),
            "must not be empty or very long",
        )
        .done()?;
    let account = prove(&ctx, &from, &email, login.password, Search::Written).await?;
    let account = account.ok_or_else(wrong_credentials)?;
    let db = ctx.db();
    let org = store::first_org(db, &account.id).await?.ok_or_else(|| {
        Problem::new(StatusCode::FORBIDDEN)
            .code("no-organisation")
            .detail("this account is in no organisation any more; an admin can invite it again")
    })?;
    let mut tx = db.begin().await?;
    let token = enter(&mut tx, &account.id, &account.email, &org.id, &from).await?;
    tx.commit().await?;
    let device = from.device_after(&account)?;
    let body = SignedIn { token: token.secret().to_owned(), expires_at: expires_at(), user: account.user() };
    Ok(from.keep(Json(body).into_response(), &token, &device))
}

/// Where an account is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Search {
    /// Among those that keep the address as it is written.
    Written,
    /// Among those that an earlier release keeps in a form which nobody would guess, too.
    Any,
}

/// The account of this address, where the password is its own. As much is computed where there is none. Counts the try,
/// and holds it back where there were too many, or too many at once.
pub(super) async fn prove(
    ctx: &Ctx,
    from: &Sender,
    address: &Address,
    password: String,
    search: Search,
) -> Result<Option<Account>> {
    let (hub, email) = (ctx.hub(), address.as_str());
    // Only what has the form of a device's mark is worth a look before the try is counted.
    let looked = match &from.device {
        Some(_) => Some(store::account(&hub.db, address).await?),
        None => None,
    };
    let device = from.device_of(looked.as_ref().and_then(Option::as_ref));
    let party = device.as_ref().map_or(Party::Stranger, |device| Party::Known(device.number()));
    let turn = hub.passwords.turn(device.is_some())?;
    hub.attempts.sign_in(party, from.address, email).map_err(too_many)?;
    let account = match (looked, search) {
        // What is kept as it is written is what is meant, wherever else one looks.
        (Some(Some(account)), _) => Some(account),
        (_, Search::Any) => store::alike(&hub.db, address).await?,
        (Some(None), Search::Written) => None,
        (None, Search::Written) => store::account(&hub.db, address).await?,
    };
    let known = account.as_ref().map(|account| account.password.clone());
    if turn.verify(password, known).await? {
        hub.attempts.signed_in(from.address, email);
        return Ok(account);
    }
    tracing::info!(email, from = %from.address, "sign-in refused");
    if let Some(account) = account
        && hub.attempts.worth_telling(&account.id)
    {
        // Afterwards, so that the answer takes no longer than for an address without an account.
        let (ctx, address) = (ctx.clone(), from.address);
        tokio::spawn(async move {
            if let Err(error) = failed(&ctx, &account, address).await {
                tracing::error!(%error, "a refused sign-in is not in the audit log");
            }
        });
    }
    Ok(None)
}

/// Begins a session in an organisation, of which its audit log tells; a member starts in the first of its tenants.
pub(super) async fn enter(tx: &mut Tx, user: &str, email: &str, org: &str, from: &Sender) -> Result<Token> {
    let token = sessions::begin(tx, user, org, None).await?;
    entered(tx, user, email, org, from).await?;
    Ok(token)
}

/// Tells an organisation that somebody has come in.
pub(super) async fn entered(
    tx: &mut Tx,
    user: &str,
    email: &str,
    org: &str,
    from: &Sender,
) -> Result<(), Error> {
    let event = Event::new("sign_in").with("address", from.address.to_string());
    audit::record(tx, org, &Actor::person(user, email), event).await
}

/// Every organisation that the account opens hears of a refused try.
async fn failed(ctx: &Ctx, account: &Account, address: IpAddr) -> Result<(), Error> {
    tell_all(ctx, &account.id, &account.email, || {
        Event::new("sign_in_failed").with("address", address.to_string())
    })
    .await
}

/// Writes an event about an account into the audit log of each organisation that it is in.
async fn tell_all(
    ctx: &Ctx,
    user: &str,
    email: &str,
    event: impl Fn() -> Event<'static>,
) -> Result<(), Error> {
    let orgs = store::orgs_of(ctx.db(), user).await?;
    let mut tx = ctx.db().begin().await?;
    tell(&mut tx, &orgs, user, email, event).await?;
    tx.commit().await
}

async fn tell(
    tx: &mut Tx,
    orgs: &[Org],
    user: &str,
    email: &str,
    event: impl Fn() -> Event<'static>,
) -> Result<(), Error> {
    for org in orgs {
        audit::record(tx, &org.id, &Actor::person(user, email), event()).await?;
    }
    Ok(())
}

/// When a session that begins now ends.
pub(super) fn expires_at() -> String {
    crate::at(time::OffsetDateTime::now_utc() + time::Duration::days(SESSION_DAYS))
}

pub(super) fn wrong_credentials() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED)
        .code("wrong-credentials")
        .detail("the e-mail address or the password is wrong")
}

pub(super) fn too_many(Wait(wait): Wait) -> Problem {
    let seconds = wait.as_secs() + 1;
    Problem::new(StatusCode::TOO_MANY_REQUESTS)
        .code("too-many-attempts")
        .detail(format!("too many attempts; try again in {seconds} seconds"))
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
    Ok(from.forget(StatusCode::NO_CONTENT.into_response()))
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
) -> Result<Response> {
    let hub = ctx.hub();
    check_password("new", &asked.new).done()?;
    let email = &caller.user().email;
    // Counted by the session, so that nobody outside keeps its owner from a new password.
    hub.attempts.sign_in(Party::Known(caller.session()), from.address, email).map_err(too_many)?;
    let account = store::account_of(&hub.db, &caller.user().id).await?;
    let known = account.map(|account| account.password);
    if !hub.passwords.turn(true)?.verify(asked.current, known).await? {
        return Err(Problem::invalid_field("current", "is not your password"));
    }
    let hashed = hub.passwords.turn(true)?.hash(asked.new).await?;
    let orgs = store::orgs_of(&hub.db, &caller.user().id).await?;
    let mut tx = hub.db.begin().await?;
    tx.execute("UPDATE hub_users SET password = $2 WHERE id = $1", args![&caller.user().id, &hashed]).await?;
    tx.execute(
        "DELETE FROM hub_sessions WHERE user_id = $1 AND id <> $2",
        args![&caller.user().id, caller.session()],
    )
    .await?;
    tell(&mut tx, &orgs, &caller.user().id, email, || Event::new("password_change")).await?;
    hub.live.commit(tx, &hub.db).await?;
    // The password has ended the marks of all devices; this one is in its owner's hands.
    let device = Device::new(&caller.user().id, &hashed).map_err(Problem::internal)?;
    Ok(from.mark(StatusCode::NO_CONTENT.into_response(), &device))
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

/// What a request says of the connection that it came over.
pub(super) struct Sender {
    pub(super) address: IpAddr,
    tls: bool,
    base: Base,
    /// The refusal, where a page of another site sent it.
    cross_site: Option<Problem>,
    token: Option<Token>,
    /// What has the form of a device's mark.
    device: Option<String>,
}

impl Sender {
    /// A page of another site signs nobody in.
    pub(super) fn of_this_site(&self) -> Result<()> {
        self.cross_site.clone().map_or(Ok(()), Err)
    }

    fn device_of(&self, account: Option<&Account>) -> Option<Device> {
        let account = account?;
        Device::of(self.device.as_deref()?, &account.id, &account.password)
    }

    /// The mark that the device has for this account, or gets now.
    pub(super) fn device_after(&self, account: &Account) -> Result<Device> {
        match self.device_of(Some(account)) {
            Some(device) => Ok(device),
            None => Device::new(&account.id, &account.password).map_err(Problem::internal),
        }
    }

    /// The answer with the cookies of a session that has begun.
    pub(super) fn keep(&self, mut response: Response, token: &Token, device: &Device) -> Response {
        self.set(&mut response, SESSION_COOKIE, token.secret(), SESSION_DAYS * 86_400);
        self.mark(response, device)
    }

    /// The answer with the device's mark.
    fn mark(&self, mut response: Response, device: &Device) -> Response {
        self.set(&mut response, DEVICE_COOKIE, device.secret(), DEVICE_DAYS * 86_400);
        response
    }

    /// The answer that ends the session's cookie. The device stays known.
    fn forget(&self, mut response: Response) -> Response {
        self.set(&mut response, SESSION_COOKIE, "", 0);
        response
    }

    fn set(&self, response: &mut Response, name: &str, value: &str, seconds: i64) {
        if let Ok(value) = HeaderValue::from_str(&cookie(name, value, seconds, self.tls, &self.base)) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

impl FromRequestParts<Ctx> for Sender {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Sender, std::convert::Infallible> {
        let seen = ctx.hub().proxies.seen(access::peer(&parts.extensions), &parts.headers);
        let cross_site = cross_site(&seen, &parts.headers).map(|foreign| foreign.problem());
        let Seen { address, tls, .. } = seen;
        let base = ctx.hub().base.clone();
        let mut devices = cookie_values(&parts.headers, DEVICE_COOKIE, &base, || tls);
        let device = devices.find(|text| Device::is_formed(text)).map(str::to_owned);
        drop(devices);
        Ok(Sender {
            address,
            tls,
            cross_site,
            token: Credentials::of(&parts.headers, &base, || tls)
                .map(|credentials| credentials.token().clone()),
            device,
            base,
        })
    }
}
