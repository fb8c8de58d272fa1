//! An installation under a real systemd, booted in a container of its own over a throw-away copy of this machine's system:
//! the unit that `setup` writes, an upgrade that hands over, a way back, a crash.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hub_tests::release::Built;
use hub_tests::xtask::{long, run, skip, xtask};

/// Boots over the machine's own files, with what is written kept in memory, and goes with all that it mounted.
const BOOT: &str = r#"
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
rm -rf opt/honeyframe data
mkdir -p opt/honeyframe etc/systemd/system
tar xzf "$2" -C opt/honeyframe
cp "$3" new.tar.gz
cp "$4" drive.sh
cp "$6" vendor.pub
printf '[Service]\nType=oneshot\nExecStart=/bin/bash /drive.sh\n' > etc/systemd/system/drive.service
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=drive.service\n' > etc/systemd/system/drive.target
cd /
timeout 180 systemd-nspawn --quiet --directory="$1/root" --register=no --keep-unit --private-network --link-journal=no \
    --boot systemd.unit=drive.target >"$5/console" 2>&1 || true
cp "$1/root/out" "$5/out"
"#;

/// What is done to the service: each line of the answer begins with the step's name.
const DRIVE: &str = r#"
exec >/out 2>&1
hub=/opt/honeyframe/current/bin/hub-platform
show() { systemctl show hub-platform -p "$1" --value; }
health() { curl -s http://127.0.0.1:8001/api/health | grep -o '"version":"[^"]*"'; }
step() { echo "$1: $2 $(show ActiveState) $(health) $(readlink /opt/honeyframe/current)"; }
log() { sed 's/^/log /'; }
/opt/honeyframe/releases/0.1.0/bin/hub-platform setup 2>&1 | log; step setup ${PIPESTATUS[0]}
first=$(show MainPID)
echo "user: $(stat -c %U /proc/$first)"
echo "confined: $(grep -c '^CapEff:.*0000000000000000$' /proc/$first/status) $(grep -c '^Seccomp:.*2$' /proc/$first/status)"
echo "install: $(nsenter -t $first -m -- touch /opt/honeyframe/x 2>&1 | grep -c 'Read-only')"
systemctl reload hub-platform; step reload $?
$hub upgrade --graceful /new.tar.gz 2>&1 | log; step upgrade ${PIPESTATUS[0]}
second=$(show MainPID); echo "successor: $([ $first != $second ] && echo another) $(stat -c %U /proc/$second)"
kill -9 $second; for i in $(seq 100); do sleep 0.1; [ -n "$(health)" ] && break; done; step crash $(show NRestarts)
$hub rollback 2>&1 | log; step rollback ${PIPESTATUS[0]}
# The first key, for which the release that serves has no signature, with a release that does not come to serve.
again() { /opt/honeyframe/releases/0.2.0/bin/hub-platform setup --trust /vendor.pub --restart "$1" 2>&1 | log; return ${PIPESTATUS[0]}; }
keys() { echo "keys: $(ls /opt/honeyframe/trusted-keys 2>/dev/null | wc -l) $(/opt/honeyframe/bin/hub-launch which 2>/dev/null)"; }
again 'exit 7'; step unserved $?; keys
again 'systemctl restart hub-platform'; step trusted $?; keys
systemctl stop hub-platform; echo "stop: $(show ActiveState) $(show Result)"
journalctl -u hub-platform --no-pager -o cat | tail -60 | log
systemctl poweroff --force --force >/dev/null 2>&1
"#;

const WANTED: &str = r#"setup: 0 active "version":"0.1.0" releases/0.1.0
user: honeyframe
confined: 1 1
install: 1
reload: 0 active "version":"0.1.0" releases/0.1.0
upgrade: 0 active "version":"0.2.0" releases/0.2.0
successor: another honeyframe
crash: 1 active "version":"0.2.0" releases/0.2.0
rollback: 0 active "version":"0.1.0" releases/0.1.0
unserved: 1 active "version":"0.1.0" releases/0.1.0
keys: 0 /opt/honeyframe/releases/0.1.0
trusted: 0 active "version":"0.2.0" releases/0.2.0
keys: 1 /opt/honeyframe/releases/0.2.0
stop: inactive success
"#;

#[test]
fn an_installation_lives_under_systemd() {
    if !long("systemd", "an installation under a real systemd") {
        return;
    }
    for program in ["systemd-nspawn", "curl"] {
        if Command::new(program).arg("--version").stdout(Stdio::null()).status().is_err() {
            skip(&format!("{program} is not installed (Debian: systemd-container, curl)"));
            return;
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("vendor");
    let mut keygen = xtask(["keygen", "--no-password"]);
    keygen.arg(&key);
    run(keygen).expect(0);
    let new = Built::new(&["--locked", "--version", "0.2.0", "--sign", &key.display().to_string()]);
    let old = Built::shared();
    let (mounted, drive) = (folder.path().join("mounted"), folder.path().join("drive.sh"));
    fs::create_dir(&mounted).expect("a folder");
    fs::write(&drive, DRIVE).expect("a script");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", BOOT, "sh"]);
    let public = key.with_extension("pub");
    let arguments: [&Path; 6] = [&mounted, &old.tarball, &new.tarball, &drive, folder.path(), &public];
    command.args(arguments);
    run(command).expect(0);
    let read = |name: &str| fs::read_to_string(PathBuf::from(folder.path()).join(name)).unwrap_or_default();
    let out = read("out");
    let (log, steps): (Vec<&str>, Vec<&str>) = out.lines().partition(|line| line.starts_with("log "));
    let steps: String = steps.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(steps, WANTED, "{}\n{}", log.join("\n"), read("console"));
}
