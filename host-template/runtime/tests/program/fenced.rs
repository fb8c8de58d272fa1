//! Hosts behind fewer fences than this machine has, and stand-ins for dbt.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::runs::with_scripts;
use super::world::World;
use super::{Host, behind};

/// Most memory of the host's process, in MB, whatever a run does.
pub const MOST: u64 = 200;

/// Where programs are that every user may start.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Starts what follows where no namespaces are to be had, as in many containers and under the service's unit.
const NO_NAMESPACES: &[&str] = &[
    "unshare",
    "--user",
    "--map-root-user",
    "sh",
    "-c",
    "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"",
    "sh",
];
/// Starts what follows as a user that nothing belongs to but the world's folder.
const NOBODY: &[&str] = &["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];

/// Starts what follows at a terminal of its own, as somebody who starts a host by hand does; both ends stay open as long as it lives.
const AT_A_TERMINAL: &[&str] = &[
    "python3",
    "-c",
    "import fcntl, os, sys, termios\n\
     os.setsid()\n\
     ends = os.openpty()\n\
     fcntl.ioctl(ends[1], termios.TIOCSCTTY, 0)\n\
     [os.set_inheritable(end, True) for end in ends]\n\
     os.execvp(sys.argv[1], sys.argv[1:])\n",
];

fn root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

pub fn has_namespaces() -> bool {
    let tried = Command::new("unshare").args(["--user", "--map-root-user", "true"]).status();
    tried.is_ok_and(|status| status.success())
}

/// A host that is started so: by these wrappers, with these variables. Where this machine has no such thing, none.
pub fn fenced(world: &World, namespaces: bool, nobody: bool, variables: &[(&str, &str)]) -> Option<Host> {
    behind_fences(world, namespaces, nobody, &[], variables)
}

/// The same, started at a terminal.
pub fn fenced_at_a_terminal(
    world: &World,
    namespaces: bool,
    nobody: bool,
    variables: &[(&str, &str)],
) -> Option<Host> {
    behind_fences(world, namespaces, nobody, AT_A_TERMINAL, variables)
}

fn behind_fences(
    world: &World,
    namespaces: bool,
    nobody: bool,
    last: &[&'static str],
    variables: &[(&str, &str)],
) -> Option<Host> {
    let mut wrapper: Vec<&str> = Vec::new();
    if nobody && root() {
        wrapper.extend(NOBODY);
    }
    if !namespaces {
        // Where none can be made there are none anyhow.
        if has_namespaces() {
            wrapper.extend(NO_NAMESPACES);
        }
    }
    wrapper.extend(last);
    let host = Host::start_as_admin(&world.folder, |command| {
        world.prepare(command);
        command.env("PATH", PATH).envs(variables.iter().copied());
        if wrapper.is_empty() {
            return;
        }
        // Not everybody may look into the folder where the example lies.
        let own = world.folder.path("host");
        // What an earlier host here has started may still run it.
        if !own.exists() {
            fs::copy(command.get_program(), &own).unwrap();
        }
        let mut copied = Command::new(&own);
        copied.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => copied.env(name, value),
                None => copied.env_remove(name),
            };
        }
        if nobody && root() {
            let owned = Command::new("chown").args(["-R", "65534:65534"]).arg(world.folder.path("")).status();
            assert!(owned.unwrap().success());
        }
        *command = behind(&copied, &wrapper);
    });
    if host.log().contains("runs and scripts can read what the host's user can read") {
        super::skip("runs are not confined here: this system has neither user namespaces nor Landlock");
        return None;
    }
    Some(host)
}

/// A `dbt` of the test's own, in Python: `work` is what it does, with `target` as the folder of its results.
pub fn with_dbt(world: &World, data: &str, work: &str) {
    let head = "#!/usr/bin/env python3\nimport json, os, sys, time\nargs = sys.argv[1:]\ntarget = args[args.index('--target-path') + 1]\n";
    let file = world.folder.path(&format!("{data}/dbt/venv/bin/dbt"));
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, format!("{head}{work}")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A plugin with a dbt project and scripts that share its workspace.
pub fn with_project(world: &World, scripts: &[(&str, &str)]) {
    with_scripts(world, "mine", "dbt_workspace: dbt\n", scripts);
    world.folder.write("data/plugins/mine/dbt/dbt_project.yml", "name: hub_mine\n");
}
