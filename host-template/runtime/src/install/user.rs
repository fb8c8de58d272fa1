//! The user that the service runs as: whether it is there, whether the data folder can be its own, and making it so.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use hub_release::beneath::Beneath;
use hub_release::guard::quoted;

use super::{say, service};
use crate::data_folder::whole;
use crate::fault::Fault;
use crate::locate::Settled;
use crate::privilege;
use crate::process;
use crate::settings::reason;

/// The user that the service runs as where nobody names another. Setup makes this one where it is missing, and no other.
pub(super) const USER: &str = "honeyframe";

/// Sees that the user that is named, or that an earlier setup settled, is there: a unit with another would start nothing, and a name
/// that nobody made is most likely a slip.
pub(super) fn see_user(user: &str, named: bool) -> Result<(), Fault> {
    if user == USER || is_user(user)? {
        return Ok(());
    }
    let who = if named { "--user names" } else { "an earlier setup settled the user" };
    Err(Fault::usage(
        format!("{who} `{}`, and there is no such user on this machine", user.escape_debug()),
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

/// Sees that the data folder of an installation belongs to the user that setup settled for its service.
pub(super) fn see_settled(settled: &Settled, data: &Path) -> Result<(), Fault> {
    let Some(user) = settled.user_of(data) else { return Ok(()) };
    // One that cannot be looked at is told by whoever opens it.
    let Ok(about) = fs::metadata(data) else { return Ok(()) };
    match (id(user, "-u")?, about.uid()) {
        (Some(uid), owner) if uid == owner => Ok(()),
        (None, _) => Err(Fault::machine(
            format!(
                "setup settled that the service runs as {user}, and there is no such user on this machine"
            ),
            "make that user again, or name another: hub-platform setup --user NAME",
        )),
        (Some(_), 0) => Err(privilege::roots(data, user)),
        (Some(_), owner) => Err(Fault::machine(
            format!(
                "the data folder {} belongs to user {owner}, and setup settled that the service runs as {user}",
                data.display()
            ),
            format!(
                "give it to that user: chown -hR {user} {}; or settle its owner: hub-platform setup --user NAME",
                quoted(data)
            ),
        )),
    }
}

/// Numbers of the accounts that people have, as Linux gives them out; below are the system's.
const PEOPLE: std::ops::RangeInclusive<u32> = 1000..=60_000;

/// Sees that a data folder is not a person's home folder: what lies in there would become its owner's alone. The home of the user
/// that is to own it is that user's to give.
pub(super) fn see_home(data: &Path, owner: Option<u32>) -> Result<(), Fault> {
    // What root keeps there is not to become anybody else's.
    if owner != Some(0) && whole(data) == whole(Path::new("/root")) {
        return Err(Fault::usage(
            format!("{} cannot be the data folder: it is root's home folder", data.display()),
            "name a folder of its own: --data-dir DIR or DATA_DIR=DIR; nothing was changed",
        ));
    }
    // A machine without the file has no people there.
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    match at_home(&users, data, owner) {
        None => Ok(()),
        Some(person) => Err(Fault::usage(
            format!(
                "{} cannot be the data folder: it is the home folder of the user {person}",
                data.display()
            ),
            "name a folder of its own: --data-dir DIR or DATA_DIR=DIR; nothing was changed",
        )),
    }
}

/// The person whose home this folder is, of these accounts.
fn at_home<'u>(users: &'u str, data: &Path, owner: Option<u32>) -> Option<&'u str> {
    let data = whole(data);
    users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, _, _, home, ..] = *fields else { return None };
        let uid: u32 = uid.parse().ok()?;
        (PEOPLE.contains(&uid) && Some(uid) != owner && whole(Path::new(home)) == data).then_some(name)
    })
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
pub(super) fn id(user: &str, flag: &str) -> Result<Option<u32>, Fault> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// S3: what is root's own is given to nobody.
    #[test]
    fn s3_roots_home_is_nobody_elses_data_folder() {
        let said = see_home(Path::new("/root/"), Some(1000)).unwrap_err();
        assert!(said.exit() == 2 && said.what().contains("root's home folder"), "{said}");
        assert_eq!(see_home(Path::new("/root"), Some(0)), Ok(()));
    }

    #[test]
    fn a_persons_home_is_nobody_elses_data_folder() {
        let users = "root:x:0:0:root:/root:/bin/sh\nhub:x:990:990::/home/hub:/usr/sbin/nologin\nann:x:1000:1000:Ann:/home/ann/:/bin/sh\n\
                     nobody:x:65534:65534::/nonexistent:/bin/false\nbroken\n";
        let of = |data: &str, owner| at_home(users, Path::new(data), owner);
        assert_eq!(of("/home/ann", None), Some("ann"));
        assert_eq!(of("/home/../home/./ann/", Some(990)), Some("ann"));
        for (data, owner) in
            [("/home/ann", Some(1000)), ("/home/hub", None), ("/home/ann/data", None), ("/nonexistent", None)]
        {
            assert_eq!(of(data, owner), None, "{data}");
        }
    }
}
