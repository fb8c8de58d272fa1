//! `admin create-user`: people, made from the command line on the installation's own database.

use std::io::{self, Read, Write};

use clap::Args;

use super::runtime;
use crate::fault::Fault;
use crate::identity::first::{self, Made, NewUser};
use crate::identity::{MAX_PASSWORD, MIN_PASSWORD, Role, store};
use crate::settings::{self, process_env, reason};
use crate::start;

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
    /// What the user is in the organisation
    #[arg(long, value_enum, default_value = "member")]
    role: Role,
    /// Name shown; what stands before the @ where none is given
    #[arg(long)]
    name: Option<String>,
}

/// Reads the password, opens the database, and adds the user.
pub(super) fn create_user(new: &CreateUser) -> Result<(), Fault> {
    let email = store::canonical(&new.email);
    check(
        "--email",
        &email,
        email.contains('@') && !email.contains(char::is_whitespace) && email.len() <= 254,
    )?;
    check("--org", &new.org, is_name(&new.org))?;
    if let Some(tenant) = &new.tenant {
        check("--tenant", tenant, is_name(tenant))?;
    }
    let password = password(io::stdin())?;
    let made = runtime()?.block_on(async {
        let (data, _) = settings::data_dir(&process_env)?;
        let db = start::database(&process_env, &data).await?;
        let made = first::create_user(
            &db,
            NewUser {
                email: &email,
                name: new.name.as_deref(),
                password: &password,
                org: new.org.trim(),
                tenant: new.tenant.as_deref().map(str::trim),
                role: new.role,
            },
        )
        .await;
        db.close().await;
        made
    })?;
    let Made { user, org, tenant, known } = made;
    let done = if known { "changed" } else { "created" };
    let place = match tenant {
        Some(tenant) => format!("{} ({}), tenant {} ({})", org.name, org.id, tenant.name, tenant.id),
        None => format!("{} ({})", org.name, org.id),
    };
    let role = new.role.as_str();
    let _ = writeln!(io::stdout(), "{done} user {} ({}): {role} of {place}", user.email, user.id);
    Ok(())
}

fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.trim().chars().count()) && !text.contains(char::is_control)
}

fn check(option: &str, value: &str, ok: bool) -> Result<(), Fault> {
    if ok {
        return Ok(());
    }
    let want = match option {
        "--email" => "an e-mail address, like ann@example.com",
        _ => "a name of 1 to 100 characters",
    };
    Err(Fault::usage(
        format!("{option} `{}` is not {want}", value.escape_debug()),
        format!("write {option} with {want}"),
    ))
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
