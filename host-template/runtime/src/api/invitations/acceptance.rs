//! How the owner of an address takes up what an invitation offers: `/api/invitations/look` and `/api/invitations/accept`.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::auth::{
    Search, Sender, check_password, enter, entered, expires_at, prove, too_many, wrong_credentials,
};
use super::{still_there, void};
use crate::access::Caller;
use crate::audit::{self, Actor, Event};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::extract::{Brief, Json};
use crate::identity::invitations::{self, Invitation};
use crate::identity::membership::{self, Granter, Place};
use crate::identity::store::Account;
use crate::identity::{Address, Org, Party, Role, Token, User, sessions, store};
use crate::problem::{Problem, Result};
use crate::router::Router;
use crate::validate::tidy;

pub(super) fn router() -> Router {
    Router::new().routes(crate::routes!(look)).routes(crate::routes!(accept))
}

/// The token of a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Link {
    token: String,
}

/// What the holder of a link is offered.
#[derive(Serialize, ToSchema)]
struct Offered {
    /// The address that it is for.
    email: String,
    /// Name that is proposed for a new account.
    name: String,
    org: String,
    role: Role,
    invited_by: String,
    expires_at: String,
}

/// What a link offers. Says nothing of whether the address has an account.
#[utoipa::path(
    post,
    path = "/invitations/look",
    operation_id = "invitations_look",
    request_body = Link,
    responses((status = 200, body = Offered)),
)]
async fn look(ctx: Ctx, Brief(link): Brief<Link>) -> Result<Json<Offered>> {
    let invitation = opened(&ctx, &link.token).await?;
    // Nothing is held: whoever looks keeps nobody else waiting, and takes nothing up.
    let mut tx = ctx.db().begin_to_read().await?;
    let granter = Granter::seen(&mut tx, &invitation.org_id, &invitation.invited_by).await?;
    let role = offered(&mut tx, granter, &invitation).await?.role;
    drop(tx);
    Ok(Json(Offered {
        email: invitation.email,
        name: invitation.name,
        org: invitation.org_name,
        role,
        invited_by: invitation.inviter_name,
        expires_at: invitation.expires_at,
    }))
}

async fn opened(ctx: &Ctx, token: &str) -> Result<Invitation> {
    let found = match Token::parse(token.trim()) {
        Some(token) => invitations::opened(ctx.db(), &token).await?,
        None => None,
    };
    found.ok_or_else(gone)
}

fn gone() -> Problem {
    Problem::not_found(
        "this invitation has been used, taken back or replaced, or its time is over; ask for a new one",
    )
    .code("invitation-unknown")
}

/// How the owner of an address takes an invitation up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Acceptance {
    token: String,
    /// Name of a new account; none where the address has an account.
    name: Option<String>,
    /// The password of the account, or that of a new one; none where its owner is signed in.
    password: Option<String>,
}

/// A membership that has begun.
#[derive(Serialize, ToSchema)]
struct Accepted {
    /// For `Authorization: Bearer`; none where the caller was signed in.
    token: Option<String>,
    expires_at: Option<String>,
    user: User,
    org: Org,
}

/// Accepts an invitation: as a new account with `name` and `password`, as an account that there is with its `password`, or
/// in the session of that account.
#[utoipa::path(
    post,
    path = "/invitations/accept",
    operation_id = "invitations_accept",
    request_body = Acceptance,
    responses((status = 200, body = Accepted)),
)]
async fn accept(
    ctx: Ctx,
    caller: Option<Caller>,
    from: Sender,
    Brief(asked): Brief<Acceptance>,
) -> Result<Response> {
    from.of_this_site()?;
    let hub = ctx.hub();
    let invitation = opened(&ctx, &asked.token).await?;
    let address = Address::of(&invitation.email);
    let who = match (asked.password, asked.name) {
        (None, _) => signed_in(caller, &address)?,
        (Some(password), None) => {
            let account = prove(&ctx, &from, &address, password, Search::Any).await?;
            Who::Account(account.ok_or_else(wrong_credentials)?)
        }
        (Some(password), Some(name)) => {
            let name = tidy(&name);
            check_password("password", &password).name("name", &name, 1..=100).done()?;
            // As costly as signing in, so counted and queued like it.
            hub.attempts.sign_in(Party::Stranger, from.address, address.as_str()).map_err(too_many)?;
            let hashed = hub.passwords.turn(false)?.hash(password).await?;
            Who::New { name, hashed }
        }
    };
    let mut tx = hub.db.begin().await?;
    let org = &invitation.org_id;
    let (account, session) = match who {
        Who::New { name, hashed } => {
            if let Some(account) = store::alike_in(&mut tx, &address).await? {
                return Err(taken(&account.email));
            }
            let added = store::add_user(&mut tx, &address, &name, &hashed).await;
            let user = added.map_err(|error| {
                if error.is_unique_violation() { taken(address.as_str()) } else { error.into() }
            })?;
            (Account { id: user.id, email: user.email, name: user.name, password: hashed }, None)
        }
        Who::Account(account) => (account, None),
        Who::Caller(caller) => {
            let User { id, email, name } = caller.user().clone();
            (Account { id, email, name, password: String::new() }, Some(caller))
        }
    };
    join(&mut tx, &invitation, &account).await?;
    let body = |token: Option<&Token>, user: User| Accepted {
        token: token.map(|token| token.secret().to_owned()),
        expires_at: token.map(|_| expires_at()),
        user,
        org: Org { id: org.clone(), name: invitation.org_name.clone() },
    };
    let answer = match session {
        Some(caller) => {
            entered(&mut tx, &account.id, &account.email, org, &from).await?;
            sessions::place(&mut tx, caller.session(), org, None).await?;
            Json(body(None, account.user())).into_response()
        }
        None => {
            let token = enter(&mut tx, &account.id, &account.email, org, &from).await?;
            let device = from.device_after(&account)?;
            let answer = Json(body(Some(&token), account.user())).into_response();
            from.keep(answer, &token, &device)
        }
    };
    hub.live.commit(tx, &hub.db).await?;
    Ok(answer)
}

/// Who takes it up.
enum Who {
    New { name: String, hashed: String },
    Account(Account),
    Caller(Caller),
}

/// The caller, where the invitation is for its address.
fn signed_in(caller: Option<Caller>, address: &Address) -> Result<Who> {
    match caller {
        Some(caller) if address.is(&caller.user().email) => Ok(Who::Caller(caller)),
        Some(caller) => {
            Err(Problem::new(StatusCode::FORBIDDEN).code("invitation-for-another").detail(format!(
                "you are signed in as {}, and this invitation is for {address}: sign out first",
                caller.user().email,
            )))
        }
        None => Err(Problem::invalid_field("password", "must not be empty")),
    }
}

fn taken(email: &str) -> Problem {
    Problem::conflict(format!("{email} has an account already: accept with its password"))
        .code("account-exists")
}

/// Makes the account a member as it was offered, where whoever offered it may do so still.
async fn join(tx: &mut Tx, invitation: &Invitation, account: &Account) -> Result<()> {
    let org = &invitation.org_id;
    // Holds the organisation, so that of two who come with one link the second finds it gone.
    let granter = Granter::read(tx, org, &invitation.invited_by).await?;
    if !invitations::take(tx, &invitation.id).await? {
        return Err(gone());
    }
    let place = offered(tx, granter, invitation).await?;
    let actor = Actor::person(&account.id, &account.email);
    // Whom the operator has added since stays as it is.
    if store::is_member(tx, org, &account.id).await? {
        return Ok(());
    }
    membership::put(tx, org, &account.id, &place).await?;
    let event = Event::new("member_joined")
        .with("email", account.email.as_str())
        .with("invited_by", invitation.inviter_email.as_str())
        .with("role", place.role.as_str())
        .with("tenants", place.tenants.clone())
        .with("groups", place.groups.clone());
    Ok(audit::record(tx, org, &actor, event).await?)
}

/// The place that an invitation gives, where whoever answers for it may give that still.
async fn offered(tx: &mut Tx, granter: Option<Granter<'_>>, invitation: &Invitation) -> Result<Place> {
    let granter = granter.ok_or_else(void)?;
    let place = still_there(tx, &invitation.org_id, invitation.place()).await?;
    granter
        .may_place(tx, None, &place)
        .await
        .map_err(|problem| if problem.status() == StatusCode::FORBIDDEN { void() } else { problem })?;
    Ok(place)
}
