//! S18: users and servers are found without the machine's own name service, which ends a static program.

use std::path::Path;
use std::process::Command;

use crate::program::world::World;
use crate::program::{self, command, run_with};

fn rustix_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// A program of this test under `strace`, as a user without an entry and with nothing in its environment; what it opened
/// and printed. None where that cannot be done here.
fn traced(world: &World, url: &str, switch: &Path) -> Option<String> {
    for program in ["strace", "setpriv", "unshare"] {
        if !std::env::split_paths(&std::env::var_os("PATH")?).any(|folder| folder.join(program).is_file()) {
            program::skip(&format!("{program} is not installed"));
            return None;
        }
    }
    let host = command(&world.folder);
    let release = world.folder.path("release");
    let script = format!(
        "mount --bind {switch} /etc/nsswitch.conf && exec env -i PATH=$PATH INSTALL_DIR={release} DATA_DIR={data} DATABASE_URL='{url}' \
         setpriv --reuid 54321 --regid 54321 --clear-groups strace -f -e trace=openat,open,execve {program} admin create-user --email a@example.com --org Some",
        switch = switch.display(),
        release = release.display(),
        data = world.folder.path("data").display(),
        program = host.get_program().to_string_lossy(),
    );
    let mut inner = Command::new("unshare");
    inner.args(["-m", "sh", "-c", &script]);
    let (_, stdout, stderr) = run_with(inner, "correct horse battery");
    Some(stdout + &stderr)
}

#[test]
fn s18_no_name_service_of_the_machine_is_asked() {
    if !rustix_root() {
        program::skip("only root becomes a user without an entry");
        return;
    }
    let world = World::new(None);
    let data = world.folder.path("data");
    assert!(Command::new("chown").arg("54321:54321").arg(&data).status().unwrap().success());
    let switch = world.folder.path("release/nsswitch.conf");
    world.folder.write("nsswitch.conf", "passwd: sss systemd files\ngroup: sss systemd files\nhosts: mymachines resolve [!UNAVAIL=return] files dns myhostname\n");
    for (url, said) in [
        ("postgres:///hub", "DATABASE_URL names no user"),
        ("postgres://localhost:1/hub", "DATABASE_URL names no user"),
        ("postgres://hub@localhost:1/hub", "cannot be reached"),
        ("postgres://hub@nobody.invalid:1/hub", "cannot be reached"),
        (&format!("sqlite://{}/own.db", data.display()), "a@example.com"),
    ] {
        let Some(text) = traced(&world, url, &switch) else { return };
        assert!(text.contains("execve("), "{text}");
        assert!(!text.contains("libnss_"), "{url}: {text}");
        assert!(!text.contains("SIGSEGV") && text.contains(said), "{url}: {text}");
    }
}
