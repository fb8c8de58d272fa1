//! The shipped unit under a real systemd, booted in a container of its own over a throw-away copy of this machine's system.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use hub_tests::release::Built;
use hub_tests::xtask::{long, run};

/// Boots over the machine's own files, with what is written kept in memory, and goes with all that it mounted.
const BOOT: &str = r#"
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
rm -rf opt/honeyframe data
mkdir -p opt/honeyframe/bin data/honeyframe etc/systemd/system
cp -r "$2/." opt/honeyframe/
cp opt/honeyframe/releases/*/bin/hub-launch opt/honeyframe/bin/
cp opt/honeyframe/releases/*/systemd/hub-platform.service etc/systemd/system/
cp "$3" drive.sh
printf '[Service]\nType=oneshot\nExecStart=/bin/bash /drive.sh\n' > etc/systemd/system/drive.service
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=drive.service\n' > etc/systemd/system/drive.target
chroot . useradd --system --user-group --home-dir /data/honeyframe --no-create-home honeyframe
chroot . chown -R honeyframe:honeyframe /data/honeyframe
cd /
timeout 180 systemd-nspawn --quiet --directory="$1/root" --register=no --keep-unit --private-network --link-journal=no \
    --boot systemd.unit=drive.target >"$4/console" 2>&1 || true
cp "$1/root/out" "$4/out"
"#;

/// What is done to the service: each line of the answer begins with the step's name.
const DRIVE: &str = r#"
exec >/out 2>&1
state() { systemctl show hub-platform -p ActiveState --value; }
main() { systemctl show hub-platform -p MainPID --value; }
health() { curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8001/api/health; }
step() { echo "$1: $(state) $(health)"; }
systemctl start hub-platform; step start
first=$(main)
echo "user: $(stat -c %U /proc/$first)"
echo "link: $(readlink /opt/honeyframe/current)"
echo "confined: $(grep -c '^CapEff:.*0000000000000000$' /proc/$first/status) $(grep -c '^Seccomp:.*2$' /proc/$first/status)"
echo "install: $(nsenter -t $first -m -- touch /opt/honeyframe/x 2>&1 | grep -c 'Read-only')"
systemctl reload hub-platform; step reload
DATA_DIR=/data/honeyframe /opt/honeyframe/current/bin/hub-platform hand-over >/dev/null; step hand-over
second=$(main); echo "successor: $([ $first != $second ] && echo another)"
kill -9 $second; for i in $(seq 100); do sleep 0.1; [ "$(health)" = 200 ] && break; done; step restart
systemctl stop hub-platform; echo "stop: $(state) $(systemctl show hub-platform -p Result --value)"
journalctl -u hub-platform --no-pager -o cat | tail -40 | sed 's/^/log /'
systemctl poweroff --force --force >/dev/null 2>&1
"#;

const WANTED: &str = "\
start: active 200
user: honeyframe
link: releases/0.1.0
confined: 1 1
install: 1
reload: active 200
hand-over: active 200
successor: another
restart: active 200
stop: inactive success
";

#[test]
fn the_unit_starts_reloads_hands_over_restarts_and_stops() {
    if !long("the unit under a real systemd") {
        return;
    }
    for program in ["systemd-nspawn", "curl"] {
        if Command::new(program).arg("--version").stdout(Stdio::null()).status().is_err() {
            eprintln!("skipped: {program} is not installed (Debian: systemd-container, curl)");
            return;
        }
    }
    let installed = Built::shared().unpack();
    let folder = tempfile::tempdir().expect("a folder");
    let (mounted, drive) = (folder.path().join("mounted"), folder.path().join("drive.sh"));
    fs::create_dir(&mounted).expect("a folder");
    fs::write(&drive, DRIVE).expect("a script");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", BOOT, "sh"]);
    command.args([&mounted, installed.folder(), &drive, folder.path()]);
    run(command).expect(0);
    let read = |name: &str| fs::read_to_string(Path::new(folder.path()).join(name)).unwrap_or_default();
    let out = read("out");
    let (log, steps): (Vec<&str>, Vec<&str>) = out.lines().partition(|line| line.starts_with("log "));
    let steps: String = steps.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(steps, WANTED, "{}\n{}", log.join("\n"), read("console"));
}
