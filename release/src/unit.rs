//! The systemd unit, as a function of where the platform is installed and who runs it.
//!
//! Values are written by systemd's own rules: a specifier's `%` is doubled everywhere, words are quoted where a directive
//! takes words, and a value that no quoting can carry is refused.

use std::fmt::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Lowest port that any user may listen on.
const UNPRIVILEGED: u16 = 1024;

/// What the unit says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The install folder, with the launcher at `bin/hub-launch`.
    pub root: PathBuf,
    /// The data folder: all that the service may write to.
    pub data: PathBuf,
    /// User that the service runs as.
    pub user: String,
    /// Its group.
    pub group: String,
    /// Address that the host listens on.
    pub listen: SocketAddr,
    /// Further variables; those of `.env` in the data folder go before them.
    pub environment: Vec<(String, String)>,
}

impl Default for Unit {
    /// The unit of an installation in the default folders.
    fn default() -> Unit {
        Unit {
            root: PathBuf::from("/opt/honeyframe"),
            data: PathBuf::from("/data/honeyframe"),
            user: "honeyframe".to_owned(),
            group: "honeyframe".to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8001)),
            environment: Vec::new(),
        }
    }
}

/// A value that a unit cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwritable {
    /// Which value.
    pub what: String,
    /// What it has to be.
    pub wanted: &'static str,
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot stand in a systemd unit: it has to be {}", self.what, self.wanted)
    }
}

impl std::error::Error for Unwritable {}

impl Unit {
    /// The unit's text.
    pub fn text(&self) -> Result<String, Unwritable> {
        let root = folder("the install folder", &self.root)?;
        let data = folder("the data folder", &self.data)?;
        account("the user", &self.user)?;
        account("the group", &self.group)?;
        let launcher = quoted(&format!("{root}/bin/hub-launch"));
        let listen = format!("LISTEN={}", self.listen);
        let own = [format!("DATA_DIR={data}"), listen];
        let mut environment = String::new();
        for assignment in own.iter().cloned().map(Ok).chain(self.environment.iter().map(assignment)) {
            let _ = writeln!(environment, "Environment={}", quoted(&assignment?));
        }
        Ok(format!(
            "{HEAD}\n\
             [Service]\n\
             # The host says when it answers, and which process is the main one when it hands its socket to a successor.\n\
             Type=notify\n\
             # Of the service's processes only the main one is heard: runs of dbt and scripts are others.\n\
             NotifyAccess=main\n\
             # Chooses the release. As root, so that the link `current` follows.\n\
             ExecStartPre=+{launcher} select\n\
             ExecStart={launcher} serve\n\
             # Looks for customer plugins anew.\n\
             ExecReload=/bin/kill -HUP $MAINPID\n\
             User={user}\n\
             Group={group}\n\
             {environment}\
             EnvironmentFile=-{env_file}\n\
             {LIFE}\n\
             # All that may be written to.\n\
             ProtectSystem=strict\n\
             ReadWritePaths={writable}\n\
             ProtectHome={home}\n\
             {ports}\
             {HARDENING}\n\
             [Install]\n\
             WantedBy=multi-user.target\n",
            user = self.user,
            group = self.group,
            env_file = percent(&format!("{data}/.env")),
            writable = quoted(&data),
            home = if [&root, &data].iter().any(|path| in_a_home(path)) { "read-only" } else { "yes" },
            ports = capabilities(self.listen.port()),
        ))
    }
}

const HEAD: &str = "\
[Unit]
Description=hub-platform
After=network-online.target
Wants=network-online.target
# A database that is away while the machine starts must not leave the service down for good.
StartLimitIntervalSec=0
";

const LIFE: &str = "\
# Long enough for the migrations of a large database.
TimeoutStartSec=600
# The host answers what is under way, ends its dbt runs, and is gone well before this.
TimeoutStopSec=45
KillMode=mixed
Restart=on-failure
RestartSec=2
# A mistake on the command line does not mend itself.
RestartPreventExitStatus=2
# A dbt run that takes all memory ends by itself; the host stays.
OOMPolicy=continue
LimitNOFILE=65536
UMask=0027
";

/// What the host, dbt and Python packages of anyone's choosing were seen to work with. What was left out for their sake is
/// told at the end, so that nobody adds it without knowing.
const HARDENING: &str = "\
DevicePolicy=closed
KeyringMode=private
LockPersonality=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateMounts=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
# Internet for callers and databases; Unix for PostgreSQL on the same machine and for systemd itself.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
# A call that is left out fails like any other that is not allowed, rather than killing a driver that only tried.
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service landlock_create_ruleset landlock_add_rule landlock_restrict_self process_vm_readv seccomp
SystemCallFilter=~@privileged
# Left out: MemoryDenyWriteExecute, since Python packages that compile at run time (numba) need memory that becomes
# executable; ProcSubset=pid, since numerical libraries read /proc/cpuinfo; ~@resources, since they pin threads to cores.
# AF_NETLINK is not needed: glibc sorts a machine's addresses without it.
";

/// A low port takes one capability, and that of this machine's network: users cannot be private then.
fn capabilities(port: u16) -> &'static str {
    if port < UNPRIVILEGED {
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n"
    } else {
        "CapabilityBoundingSet=\nAmbientCapabilities=\nPrivateUsers=yes\n"
    }
}

/// Whether `ProtectHome=yes` would hide the folder.
fn in_a_home(path: &str) -> bool {
    ["/home", "/root", "/run/user"].iter().any(|home| Path::new(path).starts_with(home))
}

/// A folder's path, without a closing slash.
fn folder(what: &str, path: &Path) -> Result<String, Unwritable> {
    let refused = |wanted| Unwritable { what: format!("{what} {path:?}"), wanted };
    let text = path.to_str().ok_or_else(|| refused("UTF-8"))?;
    if !path.is_absolute() || path.components().any(|part| part == std::path::Component::ParentDir) {
        return Err(refused("an absolute path without `..`"));
    }
    if path.parent().is_none() {
        return Err(refused("a folder below `/`"));
    }
    if text.contains(char::is_control) {
        return Err(refused("a path on one line, without control characters"));
    }
    // Neither is special in every directive, and no way of writing them is right in all.
    if text.contains(['"', '\'', '\\', '$']) {
        return Err(refused("a path without quotes, backslashes and dollar signs"));
    }
    // `EnvironmentFile=` takes the rest of the line, without the spaces at its end.
    if text.ends_with(' ') {
        return Err(refused("a path that does not end in a space"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A user's or group's name, as strictly as useradd has it, or its number.
fn account(what: &str, name: &str) -> Result<(), Unwritable> {
    let first = |c: char| c.is_ascii_lowercase() || c == '_';
    let sound = name.len() <= 31
        && name.starts_with(first)
        && name.chars().all(|c| first(c) || c.is_ascii_digit() || c == '-');
    let number = !name.is_empty() && name.len() <= 9 && name.bytes().all(|byte| byte.is_ascii_digit());
    if sound || number {
        return Ok(());
    }
    Err(Unwritable {
        what: format!("{what} {name:?}"),
        wanted: "lower-case letters, digits, `_` and `-`, beginning with a letter",
    })
}

fn assignment((name, value): &(String, String)) -> Result<String, Unwritable> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    if !name.starts_with(first) || !name.chars().all(|c| first(c) || c.is_ascii_digit()) {
        return Err(Unwritable {
            what: format!("the variable {name:?}"),
            wanted: "letters, digits and `_`, beginning with a letter",
        });
    }
    // The value itself is not repeated: it may be a password.
    if value.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
        return Err(Unwritable {
            what: format!("the value of {name}"),
            wanted: "text without control characters",
        });
    }
    Ok(format!("{name}={value}"))
}

/// One word of a directive that takes words.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:@%+,[]".contains(c);
    let text = percent(word);
    if text.chars().all(plain) {
        return text;
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Text in which no specifier is looked for.
fn percent(text: &str) -> String {
    text.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(change: impl FnOnce(&mut Unit)) -> Result<String, String> {
        let mut unit = Unit::default();
        change(&mut unit);
        unit.text().map_err(|refused| refused.to_string())
    }

    #[test]
    fn every_value_is_written_by_the_rules_of_its_directive() {
        let text = unit(|unit| {
            unit.root = "/srv/my hub%n/".into();
            unit.data = "/srv/data of 100%".into();
            unit.environment = vec![("GREETING".to_owned(), "say \"hi\" to $HOME\\%n\n".to_owned())];
        })
        .unwrap();
        for line in [
            r#"ExecStart="/srv/my hub%%n/bin/hub-launch" serve"#,
            r#"ExecStartPre=+"/srv/my hub%%n/bin/hub-launch" select"#,
            r#"Environment="DATA_DIR=/srv/data of 100%%""#,
            r#"Environment="GREETING=say \"hi\" to $HOME\\%%n\n""#,
            // The rest of the line, without quotes.
            "EnvironmentFile=-/srv/data of 100%%/.env",
            r#"ReadWritePaths="/srv/data of 100%%""#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_low_port_takes_one_capability_and_a_home_is_not_hidden() {
        let has = |text: &str, line: &str| text.lines().any(|found| found == line);
        let plain = unit(|_| {}).unwrap();
        assert!(has(&plain, "CapabilityBoundingSet=") && has(&plain, "PrivateUsers=yes"));
        assert!(has(&plain, "ProtectHome=yes"));
        let low = unit(|unit| unit.listen = "[::]:443".parse().unwrap()).unwrap();
        assert!(has(&low, "AmbientCapabilities=CAP_NET_BIND_SERVICE") && !low.contains("PrivateUsers"));
        assert!(has(&low, "Environment=LISTEN=[::]:443"));
        let home = unit(|unit| unit.data = "/home/ann/hub".into()).unwrap();
        assert!(has(&home, "ProtectHome=read-only"));
        // Beginning like a home does not make it one.
        assert!(has(&unit(|unit| unit.data = "/homes/hub".into()).unwrap(), "ProtectHome=yes"));
    }

    #[test]
    fn what_no_quoting_can_carry_is_refused() {
        let refused = |change: fn(&mut Unit)| unit(change).unwrap_err();
        assert_eq!(
            refused(|unit| unit.data = "data".into()),
            "the data folder \"data\" cannot stand in a systemd unit: it has to be an absolute path without `..`"
        );
        for path in ["/", "//", "/a/../b", "/a\nUser=root", "/a\"b", "/a$b", "/a\\b", "/a "] {
            assert!(unit(|unit| unit.root = path.into()).is_err(), "{path:?}");
        }
        for name in ["", "ann lee", "a\nb", "-a", "ä"] {
            assert!(unit(|unit| unit.user = name.to_owned()).is_err(), "{name:?}");
            assert!(unit(|unit| unit.group = name.to_owned()).is_err(), "{name:?}");
        }
        let hidden = unit(|unit| unit.environment = vec![("KEY".to_owned(), "se\u{7}cret".to_owned())]);
        assert!(!hidden.unwrap_err().contains("cret"));
        assert!(unit(|unit| unit.environment = vec![("A B".to_owned(), String::new())]).is_err());
    }
}
