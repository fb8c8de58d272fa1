//! `admin`: people of this installation, looked after from the command line on its own database. The operator owns the
//! machine, and so may do here what nobody may do over the API: set somebody's password.

use std::io::{self, Read, Write};

use clap::Args;

use super::runtime;
use crate::db::Db;
use crate::fault::Fault;
use crate::identity::accounts::{self, Ended, Kept, Listed};
use crate::identity::first::{self, Made, NewUser};
use crate::identity::{Address, MAX_PASSWORD, MIN_PASSWORD, Role, User};
use crate::locate::{self, Absent};
use crate::settings::{self, process_env, reason};
use crate::start;
use crate::validate::Check;

/// Who is to be made.
#[derive(Args)]
pub(super) struct CreateUser {
    /// E-mail address, which is the name to sign in with
    #[arg(long)]
    email: String,
    /// Organisation, made where there is none of that name
    #[arg(long)]
    org: String,
    /// Tenant of the organisation that the user works in, made where there is none of that name
    #[arg(long)]
    tenant: Option<String>,
    /// What the user is in the organisation [default: member; who is there already stays what it is]
    #[arg(long, value_enum)]
    role: Option<Role>,
    /// Name shown; what stands before the @ where none is given
    #[arg(long)]
    name: Option<String>,
    /// Make an organisation although another one has nearly that name
    #[arg(long)]
    new_org: bool,
    /// Make a tenant although another one of the organisation has nearly that name
    #[arg(long, requires = "tenant")]
    new_tenant: bool,
}

/// Whose password is to be another one.
#[derive(Args)]
pub(super) struct ResetPassword {
    /// E-mail address of the account
    #[arg(long)]
    email: String,
}

/// How to list.
#[derive(Args)]
pub(super) struct ListUsers {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Whose sessions are to end.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct EndSessions {
    /// E-mail address of the account
    #[arg(long)]
    email: Option<String>,
    /// Of everybody
    #[arg(long)]
    all: bool,
}

/// Opens the installation's database and does it there. Which one it is, the command line has said before.
fn on_database<T>(absent: Absent, work: impl AsyncFnOnce(&Db) -> Result<T, Fault>) -> Result<T, Fault> {
    runtime()?.block_on(async {
        let data = match absent {
            Absent::Made => settings::data_dir(&process_env)?.0,
            Absent::Refused => locate::data_dir(None, None, &process_env)?.0,
        };
        let db = start::database(&process_env, &data, absent).await?;
        let done = work(&db).await;
        db.close().await;
        done
    })
}

fn say(text: &str) {
    // A reader that is gone has read what it wanted.
    let _ = writeln!(io::stdout(), "{text}");
}

/// Reads the password, opens the database, and adds the user.
pub(super) fn create_user(new: &CreateUser) -> Result<(), Fault> {
    let email = Address::of(&new.email);
    let org = name("--org", &new.org)?;
    let tenant = new.tenant.as_deref().map(|tenant| name("--tenant", tenant)).transpose()?;
    let shown = new.name.as_deref().map(|text| name("--name", text)).transpose()?;
    let password = password(io::stdin())?;
    let made = on_database(Absent::Made, async |db: &Db| {
        let new = NewUser {
            email: &email,
            name: shown.as_deref(),
            password: &password,
            org: &org,
            tenant: tenant.as_deref(),
            role: new.role,
            new_org: new.new_org,
            new_tenant: new.new_tenant,
        };
        first::create_user(db, new).await
    })?;
    let Made { user, org, org_is_new, tenant, tenant_is_new, known, role, ended, kept, was: _ } = made;
    let done = if known { "changed" } else { "created" };
    let place = match &tenant {
        Some(tenant) => format!("{} ({}), tenant {} ({})", org.name, org.id, tenant.name, tenant.id),
        None => format!("{} ({})", org.name, org.id),
    };
    say(&format!("{done} user {} ({}): {} of {place}", user.email, user.id, role.as_str()));
    if org_is_new {
        say(&format!("made the organisation {}", org.name));
    }
    if let Some(tenant) = tenant.filter(|_| tenant_is_new) {
        say(&format!("made the tenant {} of {}", tenant.name, org.name));
    }
    if known {
        say(&format!("set the password, and ended {}", sessions(ended)));
    }
    say_address(&user, &kept);
    Ok(())
}

/// Reads the password, and gives it to an account that there is.
pub(super) fn reset_password(of: &ResetPassword) -> Result<(), Fault> {
    let email = Address::of(&of.email);
    let password = password(io::stdin())?;
    let (Ended { user, sessions: ended }, kept) =
        on_database(Absent::Refused, async |db: &Db| accounts::reset_password(db, &email, &password).await)?;
    say(&format!("set the password of {} ({}), and ended {}", user.email, user.id, sessions(ended)));
    say_address(&user, &kept);
    Ok(())
}

/// Says with what the owner signs in, where that is not what anybody would write.
fn say_address(user: &User, kept: &Kept) {
    let email = &user.email;
    match kept {
        Kept::Canonical => {}
        Kept::Mended { was } => {
            say(&format!("its address is now {email}; an earlier release kept it as {was}"))
        }
        Kept::Twin => say(&format!(
            "another account has the same address, written otherwise (see `hub-platform admin list-users`): \
             this one signs in as {email}, to the letter"
        )),
    }
}

/// Prints all accounts.
pub(super) fn list_users(how: &ListUsers) -> Result<(), Fault> {
    let all = runtime()?.block_on(async {
        let (data, _) = locate::data_dir(None, None, &process_env)?;
        let db = start::database_to_read(&process_env, &data).await?;
        let done = accounts::list(&db).await;
        db.close().await;
        done
    })?;
    if how.json {
        say(&serde_json::to_string(&all).unwrap_or_default());
        return Ok(());
    }
    for Listed { user, orgs, sessions: open, created_at } in &all {
        let places: Vec<String> = orgs.iter().map(|org| org.to_string()).collect();
        let places = if places.is_empty() { "in no organisation".to_owned() } else { places.join(", ") };
        say(&format!(
            "{} ({}): {places}; {}, since {}",
            user.email,
            user.name,
            sessions(*open),
            created_at.get(..10).unwrap_or(created_at)
        ));
    }
    Ok(())
}

/// Ends sessions.
pub(super) fn end_sessions(of: &EndSessions) -> Result<(), Fault> {
    match &of.email {
        Some(text) => {
            let email = Address::of(text);
            let Ended { user, sessions: ended } =
                on_database(Absent::Refused, async |db: &Db| accounts::end_sessions(db, &email).await)?;
            say(&format!("ended {} of {}", sessions(ended), user.email));
        }
        None => {
            let ended = on_database(Absent::Refused, async |db: &Db| accounts::end_all_sessions(db).await)?;
            say(&format!("ended {} of everybody", sessions(ended)));
        }
    }
    Ok(())
}

fn sessions(count: u64) -> String {
    if count == 1 { "1 session".to_owned() } else { format!("{count} sessions") }
}

fn name(option: &str, text: &str) -> Result<String, Fault> {
    match Check::new().name("name", text, 1..=100).done() {
        // As it was written: what there is already may be called so.
        Ok(()) => Ok(text.to_owned()),
        Err(_) => Err(unfit(option, text, "a name of 1 to 100 characters that can all be seen")),
    }
}

fn unfit(option: &str, value: &str, want: &str) -> Fault {
    Fault::usage(
        format!("{option} `{}` is not {want}", value.escape_debug()),
        format!("write {option} with {want}"),
    )
}

/// The first line of standard input.
fn password(mut from: impl Read) -> Result<String, Fault> {
    let how =
        "write it to standard input, as in: hub-platform admin create-user --email … --org … < password-file";
    let mut bytes = Vec::new();
    from.by_ref()
        .take(64 * 1024)
        .read_to_end(&mut bytes)
        .map_err(|e| Fault::usage(format!("cannot read the password: {}", reason(&e)), how))?;
    let text = String::from_utf8(bytes).map_err(|_| Fault::usage("the password is not UTF-8 text", how))?;
    let line = text.lines().next().unwrap_or_default().to_owned();
    let length = line.chars().count();
    if (MIN_PASSWORD..=MAX_PASSWORD).contains(&length) {
        return Ok(line);
    }
    Err(Fault::usage(
        format!("the password has {length} characters; it must have {MIN_PASSWORD} to {MAX_PASSWORD}"),
        how,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_the_first_line() {
        assert_eq!(password(&b"correct horse\n"[..]).as_deref(), Ok("correct horse"));
        assert_eq!(password(&b"correct horse\r\nmore"[..]).as_deref(), Ok("correct horse"));
        let error = password(&b"short\n"[..]).unwrap_err();
        assert_eq!(error.exit(), 2);
        assert!(
            error.to_string().starts_with("error: the password has 5 characters; it must have 10 to 200")
        );
        assert!(password(&b""[..]).is_err());
        assert!(password(&b"\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff\xfe"[..]).is_err());
    }
}
