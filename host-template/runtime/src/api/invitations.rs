//! `/api/invitations`: memberships that the organisation offers.

mod acceptance;

use axum::http::StatusCode;
use hub_manifest::limits::Limit;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::too_many;
use super::members::{Manage, Named, Read, check_place};
use crate::access::{Allowed, Caller};
use crate::args;
use crate::audit::{self, Actor, Event};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::extract::{Created, Json, Path};
use crate::identity::invitations::{self, Invitation, Mail, Offer};
use crate::identity::membership::{self, Granter, Place};
use crate::identity::{Address, Role, Token, store};
use crate::problem::{Problem, Result};
use crate::router::Router;
use crate::validate::tidy;

pub(super) fn router() -> Router {
    Router::new()
        .routes(crate::routes!(list, add))
        .routes(crate::routes!(revoke))
        .routes(crate::routes!(resend))
        .merge(acceptance::router())
}

/// An invitation that nobody has taken up yet.
#[derive(Serialize, ToSchema)]
struct InvitationView {
    id: String,
    email: String,
    /// Name that is proposed for a new account.
    name: String,
    role: Role,
    tenants: Vec<Named>,
    groups: Vec<Named>,
    /// E-mail address of who answers for it.
    invited_by: String,
    /// RFC 3339, in UTC.
    created_at: String,
    /// RFC 3339, in UTC.
    expires_at: String,
    /// Whether the link no longer works; it can be sent again.
    expired: bool,
    mail: Mail,
}

/// Somebody to invite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewInvitation {
    email: String,
    /// Name that is proposed for a new account.
    name: Option<String>,
    #[serde(default = "member")]
    role: Role,
    /// Identifiers of tenants; none means the organisation at large.
    #[serde(default)]
    tenants: Vec<String>,
    /// Identifiers of groups; the group `Members` where nothing is said.
    groups: Option<Vec<String>>,
    /// Refused: passwords are their owners'.
    #[schema(ignore)]
    password: Option<serde_json::Value>,
}

fn member() -> Role {
    Role::Member
}

/// An invitation that has just been made. The answer is the same whether the address has an account or not.
#[derive(Serialize, ToSchema)]
pub(super) struct Invited {
    id: String,
    email: String,
    role: Role,
    expires_at: String,
    mail: Mail,
    /// Path of the page that opens it, with `HUB_BASE_PATH`, to be passed on by hand: shown this once. None where it went by
    /// mail.
    link: Option<String>,
    /// What the link carries, for `POST /api/invitations/accept`.
    token: Option<String>,
}

/// The invitations of the caller's organisation, by address.
#[utoipa::path(
    get,
    path = "/invitations",
    operation_id = "invitations_list",
    responses((status = 200, body = Vec<InvitationView>)),
)]
async fn list(ctx: Ctx, caller: Allowed<Read>) -> Result<Json<Vec<InvitationView>>> {
    let (db, org) = (ctx.db(), &caller.org().id);
    let tenants = store::tenants(db, org).await?;
    let tenants: Vec<Named> = tenants.into_iter().map(|t| Named { id: t.id, name: t.name }).collect();
    let sql = "SELECT id, name FROM hub_groups WHERE org_id = $1 ORDER BY name";
    let groups: Vec<Named> = db.all(sql, args![org]).await?;
    let now = crate::now();
    let named = |all: &[Named], ids: &[String]| {
        all.iter().filter(|one| ids.contains(&one.id)).cloned().collect::<Vec<Named>>()
    };
    let view = |invitation: Invitation| {
        let place = invitation.place();
        InvitationView {
            tenants: named(&tenants, &place.tenants),
            groups: named(&groups, &place.groups),
            role: place.role,
            expired: invitation.expires_at <= now,
            id: invitation.id,
            email: invitation.email,
            name: invitation.name,
            invited_by: invitation.inviter_email,
            created_at: invitation.created_at,
            expires_at: invitation.expires_at,
            mail: invitation.mail,
        }
    };
    Ok(Json(invitations::of_org(db, org).await?.into_iter().map(view).collect()))
}

/// Invites somebody by e-mail address. An earlier invitation to that address ends.
#[utoipa::path(
    post,
    path = "/invitations",
    operation_id = "invitations_add",
    request_body = NewInvitation,
    responses((status = 201, body = Invited)),
)]
async fn add(ctx: Ctx, caller: Allowed<Manage>, Json(new): Json<NewInvitation>) -> Result<Created<Invited>> {
    let body = invite(&ctx, &caller, new).await?;
    Ok(Created { location: format!("/api/invitations/{}", body.id), body })
}

/// The same for `POST /api/members`, as it was called once.
pub(super) async fn invite(ctx: &Ctx, caller: &Caller, new: NewInvitation) -> Result<Invited> {
    let NewInvitation { email, name, role, tenants, groups, password } = new;
    let email = Address::of(&email);
    let name = tidy(name.as_deref().unwrap_or_default());
    let mut place = Place { role, tenants, groups: groups.clone().unwrap_or_default() };
    check_place(&place)
        .email("email", email.as_str())
        .name("name", &name, 0..=100)
        .that(
            "password",
            password.is_none(),
            "is for the owner to choose: pass on the link of the invitation",
        )
        .done()?;
    let (hub, org) = (ctx.hub(), &caller.org().id);
    hub.attempts.invitation(org).map_err(too_many)?;
    let mut tx = hub.db.begin().await?;
    let granter = Granter::caller(&mut tx, org, &caller.user().id).await?;
    if groups.is_none() {
        place.groups = membership::first_groups(&mut tx, org).await?;
        // Whoever may not give what that group gives invites into none.
        if granter.may_place(&mut tx, None, &place).await.is_err() {
            place.groups.clear();
        }
    }
    granter.may_place(&mut tx, None, &place).await?;
    if let Some(account) = store::alike_in(&mut tx, &email).await?
        && store::is_member(&mut tx, org, &account.id).await?
    {
        return Err(Problem::conflict(format!("{} is a member already", account.email)).code("member-exists"));
    }
    let replaces = replaced(&mut tx, &granter, org, &email).await?;
    if replaces.is_empty()
        && invitations::count(&mut tx, org).await? >= hub.limits.get(Limit::InvitationsPending)
    {
        return Err(Problem::conflict(format!(
            "{} invitations wait to be accepted: take some back first",
            hub.limits.get(Limit::InvitationsPending)
        ))
        .code("too-many-invitations"));
    }
    let to = To { address: &email, name: &name, place: &place, replaces };
    offer(ctx, caller, tx, to, "member_invited").await
}

/// The invitations that a new one to this address takes the place of. Whoever makes it may take back every one of them.
async fn replaced(
    tx: &mut Tx,
    granter: &Granter<'_>,
    org: &str,
    address: &Address,
) -> Result<Vec<Invitation>> {
    let earlier = invitations::to(tx, org, address).await?;
    for one in &earlier {
        granter.may_take_back(&one.place())?;
    }
    Ok(earlier)
}

/// What is offered to whom.
struct To<'a> {
    address: &'a Address,
    name: &'a str,
    place: &'a Place,
    /// What [`replaced`] gave.
    replaces: Vec<Invitation>,
}

/// Writes the invitation, and sends its link or gives it to whoever asked.
async fn offer(
    ctx: &Ctx,
    caller: &Caller,
    mut tx: Tx,
    to: To<'_>,
    event_type: &'static str,
) -> Result<Invited> {
    let hub = ctx.hub();
    let To { address, name, place, replaces } = to;
    let token = Token::random().map_err(Problem::internal)?;
    let lasts = hub.limits.time(Limit::InvitationSeconds);
    let (org, by) = (&caller.org().id, &caller.user().id);
    let offer = Offer { org, address, name, place, by, lasts, replaces: &replaces };
    let id = invitations::write(&mut tx, &offer, &token).await?;
    let email = address.as_str();
    let event = Event::new(event_type)
        .with("email", email)
        .with("role", place.role.as_str())
        .with("tenants", place.tenants.clone())
        .with("groups", place.groups.clone());
    audit::record(&mut tx, org, &Actor::from(caller), event).await?;
    let written = invitations::find(&mut tx, org, &id).await?;
    let written = written.ok_or_else(|| Problem::internal("an invitation is gone that was just written"))?;
    hub.live.commit(tx, &hub.db).await?;
    // From here on the invitation is there, whatever the mail server does.
    let page = format!("/invitation#{}", token.secret());
    let mail = match &hub.mailer {
        None => Mail::Unsent,
        Some(mailer) => {
            let text = letter(&written, &mailer.link(hub.base.prefix(), &page));
            match mailer.send(email, &format!("Invitation to {}", written.org_name), text).await {
                Ok(()) => Mail::Sent,
                Err(why) => {
                    tracing::warn!(email, "an invitation was not sent: {why}");
                    Mail::Failed
                }
            }
        }
    };
    if mail != Mail::Unsent {
        invitations::mailed(&hub.db, &id, mail).await?;
    }
    // A link that went by mail proves that its reader owns the address. So nobody else sees it.
    let shown = mail != Mail::Sent;
    Ok(Invited {
        id,
        email: email.to_owned(),
        role: place.role,
        expires_at: written.expires_at,
        mail,
        link: shown.then(|| format!("{}{page}", hub.base.prefix())),
        token: shown.then(|| token.secret().to_owned()),
    })
}

fn letter(invitation: &Invitation, link: &str) -> String {
    let Invitation { inviter_name, inviter_email, org_name, expires_at, .. } = invitation;
    let day = expires_at.get(..10).unwrap_or(expires_at);
    format!(
        "{inviter_name} ({inviter_email}) invites you to work in {org_name}.\n\n\
         Open this link to accept:\n{link}\n\n\
         The link is for you alone. It works once, until {day}.\n\
         If you did not expect it, you need not do anything.\n"
    )
}

async fn find(tx: &mut Tx, org: &str, id: &str) -> Result<Invitation> {
    let found = invitations::find(tx, org, id).await?;
    found.ok_or_else(|| {
        Problem::not_found(format!("there is no invitation `{}` in this organisation", id.escape_debug()))
    })
}

/// Takes an invitation back: its link no longer works.
#[utoipa::path(
    delete,
    path = "/invitations/{id}",
    operation_id = "invitations_revoke",
    params(("id" = String, Path)),
    responses((status = 204)),
)]
async fn revoke(ctx: Ctx, caller: Allowed<Manage>, Path(id): Path<String>) -> Result<StatusCode> {
    let (hub, org) = (ctx.hub(), &caller.org().id);
    let mut tx = hub.db.begin().await?;
    let granter = Granter::caller(&mut tx, org, &caller.user().id).await?;
    let invitation = find(&mut tx, org, &id).await?;
    granter.may_take_back(&invitation.place())?;
    invitations::take(&mut tx, &id).await?;
    let event = Event::new("invitation_revoked").with("email", invitation.email.as_str());
    audit::record(&mut tx, org, &Actor::from(&*caller), event).await?;
    hub.live.commit(tx, &hub.db).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a new link for an invitation and sends it; the old one no longer works. Whoever asks answers for it from now on.
#[utoipa::path(
    post,
    path = "/invitations/{id}/resend",
    operation_id = "invitations_resend",
    params(("id" = String, Path)),
    responses((status = 200, body = Invited)),
)]
async fn resend(ctx: Ctx, caller: Allowed<Manage>, Path(id): Path<String>) -> Result<Json<Invited>> {
    let (hub, org) = (ctx.hub(), &caller.org().id);
    hub.attempts.invitation(org).map_err(too_many)?;
    let mut tx = hub.db.begin().await?;
    let granter = Granter::caller(&mut tx, org, &caller.user().id).await?;
    let invitation = find(&mut tx, org, &id).await?;
    let place = still_there(&mut tx, org, invitation.place()).await?;
    granter.may_place(&mut tx, None, &place).await?;
    let address = Address::of(&invitation.email);
    // Itself, and what an earlier release took for an invitation of somebody else.
    let replaces = replaced(&mut tx, &granter, org, &address).await?;
    let to = To { address: &address, name: &invitation.name, place: &place, replaces };
    offer(&ctx, &caller, tx, to, "invitation_resent").await.map(Json)
}

/// The place without the groups that have been removed since. A place in tenants of which none is left is no place:
/// without tenants it would be the whole organisation.
async fn still_there(tx: &mut Tx, org: &str, mut place: Place) -> Result<Place> {
    let mut groups = Vec::new();
    for id in place.groups {
        if store::given_by(tx, org, &id).await?.is_some() {
            groups.push(id);
        }
    }
    place.groups = groups;
    let mut tenants = Vec::new();
    for id in &place.tenants {
        let sql = "SELECT count(*) FROM hub_tenants WHERE org_id = $1 AND id = $2";
        let there: i64 = tx.value(sql, args![org, id]).await?;
        if there > 0 {
            tenants.push(id.clone());
        }
    }
    if tenants.is_empty() && !place.tenants.is_empty() {
        return Err(void());
    }
    place.tenants = tenants;
    Ok(place)
}

/// That an invitation gives nothing any more.
fn void() -> Problem {
    Problem::new(StatusCode::GONE)
        .code("invitation-void")
        .detail("who invited you may no longer give this place; ask for a new invitation")
}
