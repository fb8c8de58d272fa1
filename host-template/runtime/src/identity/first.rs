//! Making people: the first admin of a new installation, and those that the operator adds from the command line.

use hub_manifest::environment::{self, quoted};

use super::accounts::Kept;
use super::{
    Address, MAX_PASSWORD, MIN_PASSWORD, Org, Role, Tenant, User, accounts, membership, near, password, store,
};
use crate::audit::{self, Actor, Event};
use crate::db::{Db, Error, Tx};
use crate::fault::Fault;
use crate::settings::Env;
use crate::validate::{Check, tidy};

/// The organisation of a new installation, where the environment does not name the customer.
const FIRST_ORG: &str = "Default";
/// Its admin, where the environment names none.
const FIRST_EMAIL: &str = "admin@localhost";

/// The group that every member of a new organisation is in: it may look at things.
pub(super) const MEMBERS: &str = "Members";
const MEMBERS_MAY: &[&str] =
    &["connectors.read", "dashboards.read", "datasets.read", "dbt.read", "records.read"];

/// Who is to be made.
pub(crate) struct NewUser<'a> {
    pub(crate) email: &'a Address,
    pub(crate) name: Option<&'a str>,
    pub(crate) password: &'a str,
    pub(crate) org: &'a str,
    pub(crate) tenant: Option<&'a str>,
    /// None leaves somebody who is there already what it is, and makes anybody else a member.
    pub(crate) role: Option<Role>,
    /// Whether an organisation may be made that nearly has another one's name; then a tenant may too.
    pub(crate) new_org: bool,
    /// Whether a tenant may be made that nearly has the name of another one of the organisation.
    pub(crate) new_tenant: bool,
}

/// Who was made, and where.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) user: User,
    pub(crate) org: Org,
    pub(crate) org_is_new: bool,
    pub(crate) tenant: Option<Tenant>,
    pub(crate) tenant_is_new: bool,
    /// Whether there was such a user already, who has now another password and place.
    pub(crate) known: bool,
    pub(crate) role: Role,
    /// The role before; none where it was no member.
    pub(crate) was: Option<Role>,
    /// Sessions that have ended with the password before.
    pub(crate) ended: u64,
    /// How it keeps its address.
    pub(crate) kept: Kept,
}

/// Makes an admin where there is nobody at all; `HUB_ADMIN_EMAIL` and `HUB_ADMIN_PASSWORD` may say who. The password that
/// was thought up is told once, in the log.
pub(crate) async fn ensure_somebody(db: &Db, env: Env<'_>) -> Result<(), Fault> {
    let fault = |e: Error| {
        Fault::machine(
            format!("cannot make the first user: {e}"),
            e.help("see that the database can be written to, and start again"),
        )
    };
    let mut tx = db.begin().await.map_err(fault)?;
    tx.one_migrator().await.map_err(fault)?;
    if store::has_users(&mut tx).await.map_err(fault)? {
        return Ok(());
    }
    let given = env(environment::HUB_ADMIN_PASSWORD);
    let password = match &given {
        Some(password) => password.clone(),
        None => invented().map_err(|e| {
            Fault::machine(
                format!("cannot think up a password: {e}"),
                "set HUB_ADMIN_PASSWORD, or see that the system has a source of random numbers",
            )
        })?,
    };
    let org = tidy(&env(environment::HUB_CUSTOMER_NAME).unwrap_or_else(|| FIRST_ORG.to_owned()));
    let email = Address::of(&env(environment::HUB_ADMIN_EMAIL).unwrap_or_else(|| FIRST_EMAIL.to_owned()));
    named(environment::HUB_CUSTOMER_NAME, &org, Check::new().name("name", &org, 1..=100))?;
    if let Some(password) = &given {
        fits(password)?;
    }
    named(environment::HUB_ADMIN_EMAIL, email.as_str(), Check::new().local_email("email", email.as_str()))?;
    let hashed = hash(&password)?;
    let new = NewUser {
        email: &email,
        name: None,
        password: &hashed,
        org: &org,
        tenant: None,
        role: Some(Role::Admin),
        new_org: true,
        new_tenant: true,
    };
    add(&mut tx, &new).await.map_err(fault)?;
    tx.commit().await.map_err(fault)?;
    match given {
        Some(_) => tracing::info!("made the first admin, {email}, with the password of HUB_ADMIN_PASSWORD"),
        None => tracing::warn!(
            "made the first admin: sign in as {email} with the password {password} (told only once)"
        ),
    }
    Ok(())
}

/// Goes on where the first admin's password is as long as everybody's.
fn fits(password: &str) -> Result<(), Fault> {
    let length = password.chars().count();
    if (MIN_PASSWORD..=MAX_PASSWORD).contains(&length) {
        return Ok(());
    }
    Err(Fault::machine(
        format!("HUB_ADMIN_PASSWORD has {length} characters; it must have {MIN_PASSWORD} to {MAX_PASSWORD}"),
        "write another one into HUB_ADMIN_PASSWORD, or leave it out: then one is thought up, and told once",
    ))
}

/// Whether a new installation can call its first organisation so; the error completes "it …".
pub(crate) fn customer_name(text: &str) -> Result<(), String> {
    why_not(Check::new().name("name", &tidy(text), 1..=100)).map_or(Ok(()), Err)
}

/// What is wrong with what was checked.
fn why_not(check: Check) -> Option<String> {
    let problem = check.done().err()?;
    Some(problem.body().errors.first().map(|error| error.message.clone()).unwrap_or_default())
}

/// Goes on where what a variable says can be the name of somebody.
fn named(variable: &str, text: &str, check: Check) -> Result<(), Fault> {
    match why_not(check) {
        None => Ok(()),
        Some(why) => Err(Fault::machine(
            format!("{variable} is {}, which will not do: it {why}", quoted(text)),
            format!("write another one into {variable}, and start again"),
        )),
    }
}

/// Adds a user from the command line, with organisation and tenant where they are missing. The password comes in clear.
pub(crate) async fn create_user(db: &Db, new: NewUser<'_>) -> Result<Made, Fault> {
    let hashed = hash(new.password)?;
    let new = NewUser { password: &hashed, ..new };
    let fault = |e: Error| {
        Fault::machine(
            format!("cannot add the user: {e}"),
            e.help("see that the database can be written to, and try again"),
        )
    };
    let mut tries = 1;
    loop {
        match attempt(db, &new).await? {
            Ok(made) => return Ok(made),
            // Somebody else has made the organisation, the tenant or the user meanwhile: the next try finds it.
            Err(error) if error.is_in_the_way() && tries < TRIES => tries += 1,
            Err(error) => return Err(fault(error)),
        }
    }
}

/// How often a user is added or changed before others are too much in the way.
pub(super) const TRIES: usize = 8;

/// One try, in a transaction of its own. What is mistyped is refused; what the database says is for the caller to judge.
async fn attempt(db: &Db, new: &NewUser<'_>) -> Result<Result<Made, Error>, Fault> {
    let mut tx = match db.begin().await {
        Ok(tx) => tx,
        Err(error) => return Ok(Err(error)),
    };
    let (org, tenant) = as_kept(&mut tx, new).await?;
    let new = &NewUser { org: &org, tenant: tenant.as_deref(), ..*new };
    not_mistyped(&mut tx, new).await?;
    let made = match add(&mut tx, new).await {
        Ok(made) => made,
        Err(error) => return Ok(Err(error)),
    };
    if made.was == Some(Role::Admin) && made.role != Role::Admin {
        match membership::has_an_admin(&mut tx, &made.org.id).await {
            Ok(true) => {}
            Ok(false) => return Err(only_admin(&made)),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(tx.commit().await.map(|()| made))
}

/// An organisation without an admin could never be managed again.
fn only_admin(made: &Made) -> Fault {
    Fault::usage(
        format!("{} is the only admin of {}, which nobody could manage then", made.user.email, made.org.name),
        "make somebody else an admin first, or leave out --role",
    )
}

/// Names as they are to be found or made: the one that there is, to the letter or but for blanks, as an earlier release may have
/// kept it; else a tidy one. Whoever is there already may have any address, and a new one has to be one.
async fn as_kept(tx: &mut Tx, new: &NewUser<'_>) -> Result<(String, Option<String>), Fault> {
    let fault = |e: Error| {
        Fault::machine(format!("cannot read who is there: {e}"), e.help("see that the database can be read"))
    };
    let (known, email) = (store::alike_in(tx, new.email).await.map_err(fault)?, new.email.as_str());
    if known.is_none() && Check::new().local_email("email", email).done().is_err() {
        return Err(Fault::usage(
            format!("--email `{}` is not an e-mail address, like ann@example.com", email.escape_debug()),
            "write --email with an e-mail address",
        ));
    }
    let kept = |names: Vec<(String,)>, name: &str| {
        let is_it = |other: &&(String,)| tidy(&other.0) == tidy(name);
        let to_the_letter = names.iter().find(|other| other.0 == name);
        to_the_letter.or_else(|| names.iter().find(is_it)).map_or_else(|| tidy(name), |found| found.0.clone())
    };
    let orgs = tx.all("SELECT name FROM hub_orgs", crate::args![]).await.map_err(fault)?;
    let org = kept(orgs, new.org);
    let tenant = match new.tenant {
        Some(tenant) => {
            let sql = "SELECT t.name FROM hub_tenants t JOIN hub_orgs o ON o.id = t.org_id WHERE o.name = $1";
            Some(kept(tx.all(sql, crate::args![&org]).await.map_err(fault)?, tenant))
        }
        None => None,
    };
    Ok((org, tenant))
}

/// An organisation is made where it is missing; one whose name is nearly that of another, or a tenant of which that is so,
/// is rather a slip of the hand. One that people take for another is not made at all, as the API makes none.
async fn not_mistyped(tx: &mut Tx, new: &NewUser<'_>) -> Result<(), Fault> {
    let fault = |e: Error| {
        Fault::machine(
            format!("cannot read the organisations: {e}"),
            e.help("see that the database can be read"),
        )
    };
    let rows: Vec<(String,)> = tx.all("SELECT name FROM hub_orgs", crate::args![]).await.map_err(fault)?;
    let slip = |names: &[(String,)], name: &str| {
        let there = names.iter().any(|(other,)| other == name);
        names.iter().find(|(other,)| !there && near::is_slip(name, other)).map(|(other,)| other.clone())
    };
    let twin = |names: &[(String,)], name: &str| {
        let there = names.iter().any(|(other,)| other == name);
        near::twin(name, names.iter().map(|(other,)| other.as_str())).filter(|_| !there).map(str::to_owned)
    };
    let twins = |what: &str, option: &str, name: &str, twin: &str| {
        let (name, twin) = (name.escape_debug(), twin.escape_debug());
        Fault::usage(
            format!("the {what} `{twin}` is there already, which people take for `{name}`"),
            format!(
                "write {option} `{twin}` if that is meant, or another name that differs by more than case, blanks or width"
            ),
        )
    };
    let refused = |what: &str, name: &str, near: &str, option: &str| {
        let (name, near) = (name.escape_debug(), near.escape_debug());
        Fault::usage(
            format!("there is no {what} `{name}`: did you mean `{near}`?"),
            format!("write `{near}`, or pass {option} to make `{name}` beside it"),
        )
    };
    if let Some(twin) = twin(&rows, new.org) {
        return Err(twins("organisation", "--org", new.org, &twin));
    }
    if let Some(near) = slip(&rows, new.org).filter(|_| !new.new_org) {
        return Err(refused("organisation", new.org, &near, "--new-org"));
    }
    let Some(tenant) = new.tenant else { return Ok(()) };
    let sql = "SELECT t.name FROM hub_tenants t JOIN hub_orgs o ON o.id = t.org_id WHERE o.name = $1";
    let rows: Vec<(String,)> = tx.all(sql, crate::args![new.org]).await.map_err(fault)?;
    if let Some(twin) = twin(&rows, tenant) {
        return Err(twins(&format!("tenant of {}", new.org.escape_debug()), "--tenant", tenant, &twin));
    }
    match slip(&rows, tenant).filter(|_| !new.new_org && !new.new_tenant) {
        Some(near) => Err(refused(
            &format!("tenant of {} named", new.org.escape_debug()),
            tenant,
            &near,
            "--new-tenant",
        )),
        None => Ok(()),
    }
}

fn hash(password: &str) -> Result<String, Fault> {
    password::hash(password)
        .map_err(|e| Fault::machine(format!("cannot hash the password: {e}"), "try another password"))
}

/// Twenty letters and digits that cannot be mistaken for each other: 98 bits.
fn invented() -> Result<String, getrandom::Error> {
    const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0u8; 20];
    getrandom::fill(&mut bytes)?;
    let signs: String = bytes.iter().map(|byte| char::from(SIGNS[usize::from(byte & 31)])).collect();
    Ok([&signs[..5], &signs[5..10], &signs[10..15], &signs[15..]].join("-"))
}

/// Everything in one transaction; `new.password` is hashed already.
async fn add(tx: &mut Tx, new: &NewUser<'_>) -> Result<Made, Error> {
    let actor = Actor::platform();
    let (org, org_is_new) = store::ensure_org(tx, new.org).await?;
    if org_is_new {
        make_members(tx, &org.id).await?;
        audit::record(tx, &org.id, &actor, Event::new("org_created").with("name", org.name.as_str())).await?;
    }
    let mut tenant_is_new = false;
    let tenant = match new.tenant {
        Some(name) => {
            let (tenant, is_new) = store::ensure_tenant(tx, &org.id, name).await?;
            tenant_is_new = is_new;
            if is_new {
                let event = Event { tenant: Some(&tenant.id), ..Event::new("tenant_created") };
                audit::record(tx, &org.id, &actor, event.with("name", tenant.name.as_str())).await?;
            }
            Some(tenant)
        }
        None => None,
    };
    let known = accounts::mended(tx, new.email).await?;
    let is_known = known.is_some();
    let mut ended = 0;
    let (user, kept) = match known {
        Some((user, kept)) => {
            let sql = "UPDATE hub_users SET password = $2 WHERE id = $1";
            tx.execute(sql, crate::args![&user.id, new.password]).await?;
            // An account is in several organisations: the password is a matter of all of them.
            ended = accounts::end(tx, &user, kept.password_reset()).await?;
            (user, kept)
        }
        None => {
            let email = new.email.as_str();
            let before_at = email.split('@').next().unwrap_or(email);
            let user = store::add_user(tx, new.email, new.name.unwrap_or(before_at), new.password).await?;
            (user, Kept::Canonical)
        }
    };
    let now = store::holding(tx, &org.id, &user.id).await?.map(|holding| holding.role);
    let role = new.role.or(now).unwrap_or(Role::Member);
    store::set_role(tx, &org.id, &user.id, role).await?;
    if let Some(tenant) = &tenant {
        store::join_tenant(tx, &tenant.id, &user.id).await?;
    }
    // Who is a member already has the groups that somebody has given it since.
    if now.is_none() {
        join_members(tx, &org.id, &user.id).await?;
    }
    let event = Event::new(if is_known { "user_changed" } else { "user_created" })
        .with("email", user.email.as_str())
        .with("role", role.as_str());
    audit::record(tx, &org.id, &actor, event).await?;
    tx.announce().await?;
    Ok(Made { user, org, org_is_new, tenant, tenant_is_new, known: is_known, role, was: now, ended, kept })
}

/// The group that lets members look at things; an admin may change or delete it.
async fn make_members(tx: &mut Tx, org: &str) -> Result<(), Error> {
    let id = crate::new_id();
    tx.execute(
        "INSERT INTO hub_groups (id, org_id, name, created_at) VALUES ($1, $2, $3, $4)",
        crate::args![&id, org, MEMBERS, crate::now()],
    )
    .await?;
    for permission in MEMBERS_MAY {
        let sql = "INSERT INTO hub_group_permissions (group_id, permission) VALUES ($1, $2)";
        tx.execute(sql, crate::args![&id, *permission]).await?;
    }
    Ok(())
}

/// Puts somebody into that group, where it is still there; never into one that a plugin has brought.
pub(crate) async fn join_members(tx: &mut Tx, org: &str, user: &str) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO hub_group_members (group_id, user_id)
         SELECT id, $2 FROM hub_groups WHERE org_id = $1 AND name = $3 AND plugin IS NULL
         ON CONFLICT DO NOTHING",
        crate::args![org, user, MEMBERS],
    )
    .await
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invented_password_can_be_read_aloud() {
        let password = invented().unwrap();
        assert_eq!(password.len(), 23);
        assert!(
            password.chars().all(|c| c == '-' || (c.is_ascii_alphanumeric() && !"lo01".contains(c))),
            "{password}"
        );
        assert_ne!(password, invented().unwrap());
    }
}
