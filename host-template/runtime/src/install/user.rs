//! The user that the service runs as: whether it is there, whether the data folder can be its own, and making it so.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use hub_release::beneath::Beneath;
use hub_release::guard::quoted;

use super::{say, service};
use crate::fault::Fault;
use crate::process;
use crate::settings::reason;

/// The user that the service runs as where nobody names another. Setup makes this one where it is missing, and no other.
pub(super) const USER: &str = "honeyframe";

/// Sees that the user that is named is there: a unit with another would start nothing, and a name that nobody made is most
/// likely a slip.
pub(super) fn see_user(user: &str) -> Result<(), Fault> {
    if user == USER || is_user(user)? {
        return Ok(());
    }
    Err(Fault::usage(
        format!("--user names `{}`, and there is no such user on this machine", user.escape_debug()),
        format!(
            "make it first, as with useradd --system, or leave --user out: setup makes the user {USER} where it is missing; \
             nothing was changed"
        ),
    ))
}

/// Whether the machine has a user of this name. A machine's own file tells without a program; accounts of a directory
/// service are known to the system's tool alone.
fn is_user(user: &str) -> Result<bool, Fault> {
    if user.is_empty() {
        return Ok(false);
    }
    // A machine without the file has none there.
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    if users.lines().any(|line| line.split(':').next() == Some(user)) {
        return Ok(true);
    }
    Ok(asked_id(user, "-u")?.is_some())
}

/// Sees that whoever sets up is the user that is named: only root can give folders to another one.
pub(super) fn see_self(user: &str) -> Result<(), Fault> {
    if id(user, "-u")? == Some(rustix::process::geteuid().as_raw()) {
        return Ok(());
    }
    Err(Fault::usage(
        format!(
            "--user names `{}`, and only root can give the data folder to another user",
            user.escape_debug()
        ),
        "run setup as root, or as that user without --user; nothing was changed",
    ))
}

/// Sees that a data folder that is there can be this user's, before anything is written to it.
pub(super) fn see_owner(user: &str, data: &Path) -> Result<(), Fault> {
    match fs::metadata(data) {
        Ok(about) if about.uid() != 0 && id(user, "-u")? != Some(about.uid()) => {
            Err(anothers(data, about.uid(), user))
        }
        // One that cannot be looked at is told by whoever opens it.
        _ => Ok(()),
    }
}

/// That the data folder belongs to somebody else than the service's user.
fn anothers(data: &Path, owner: u32, user: &str) -> Fault {
    // Root passes on what is its own, also to a user that is made only then.
    Fault::machine(
        format!("the data folder {} belongs to user {owner}, and the service runs as {user}", data.display()),
        format!(
            "name that user: --user NAME, or give the folder to root, whose setup gives it to {user}: chown -hR root {}",
            quoted(data)
        ),
    )
}

/// Makes the service's user where there is none, and gives it the data folder where that is new.
pub(super) fn own_user(user: &str, data: &Path) -> Result<(), Fault> {
    if id(user, "-u")?.is_none() {
        let home = data.display().to_string();
        let line = [
            "useradd",
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            &home,
            "--shell",
            "/usr/sbin/nologin",
            user,
        ];
        service::run(&line.map(str::to_owned))?;
        say::done("made", &format!("the system user {user}"));
    }
    let (Some(uid), Some(gid)) = (id(user, "-u")?, id(user, "-g")?) else {
        return Err(Fault::machine(
            format!("there is no user {user}"),
            "make it, or name another: --user NAME",
        ));
    };
    let failed = |e: io::Error| Fault::from(hub_release::Problem::io("change the owner of", data, &e));
    let folder = Beneath::open(data).map_err(failed)?;
    match folder.metadata().map_err(failed)?.uid() {
        0 => folder.give_all(uid, gid).map_err(failed),
        owner if owner == uid => Ok(()),
        owner => Err(anothers(data, owner, user)),
    }
}

/// The number of a user or its group, as the system's own tool knows it: accounts may come from a directory service. None where there
/// is no such user.
fn id(user: &str, flag: &str) -> Result<Option<u32>, Fault> {
    Ok(asked_id(user, flag)?.and_then(|text| text.parse().ok()))
}

/// The same as text; `flag` is one of `id`'s, which asks for a number or a name.
pub(super) fn asked_id(user: &str, flag: &str) -> Result<Option<String>, Fault> {
    let mut asked = Command::new("id");
    asked.args([flag, "--", user]);
    let ran = process::ran(asked, service::SYSTEM).map_err(|e| {
        Fault::machine(
            format!(
                "cannot tell whether there is a user `{}`: `id` cannot be asked: {}",
                user.escape_debug(),
                reason(&e)
            ),
            "put the system's tool `id` onto PATH, see that the directory of accounts answers (`getent passwd`), and run the command \
             again",
        )
    })?;
    let text = String::from_utf8_lossy(&ran.out).trim().to_owned();
    Ok((ran.status.success() && !text.is_empty()).then_some(text))
}
