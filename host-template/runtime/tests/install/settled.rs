//! O3, S3: what setup settled holds: whose every data folder is, and which one the commands of the installation work with.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{ADMIN, PASSWORD, run, run_with, skip};
use crate::{At, is_root};

const NEW: [&str; 6] = ["admin", "create-user", "--email", ADMIN, "--org", "North"];

/// An install folder with a release of the example host's program.
struct Settled {
    at: At,
    program: PathBuf,
}

impl Settled {
    fn new() -> Settled {
        let at = At::new(&[]);
        let program = at.release_of_program("7.8.9");
        Settled { at, program }
    }

    /// A path beside the install folder, as the system knows it.
    fn path(&self, name: &str) -> PathBuf {
        self.at.0.path("").canonicalize().unwrap().join(name)
    }

    /// A command of that program, with nothing in its environment that names a folder or a database.
    fn hub(&self, arguments: &[&str]) -> Command {
        let mut hub = Command::new(&self.program);
        hub.args(arguments).env("INSTALL_DIR", self.at.0.path("release"));
        for name in ["DATA_DIR", "DATABASE_URL", "LISTEN", "XDG_DATA_HOME"] {
            hub.env_remove(name);
        }
        hub
    }

    fn setup(&self, data: &Path, more: &[&str]) -> (Option<i32>, String, String) {
        let mut setup = self.hub(&["setup", "--no-service", "--data-dir"]);
        setup.arg(data).args(more).env_remove("INSTALL_DIR");
        run(setup)
    }

    fn notes(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.at.root().join("install.json")).unwrap()).unwrap()
    }
}

/// S3: whoever was settled owns a new data folder too; root neither serves nor makes anything in one that is root's.
#[test]
fn s3_a_new_data_folder_is_the_settled_users_too() {
    if !is_root() {
        skip("only root can give a folder to another user");
        return;
    }
    let here = Settled::new();
    let (data, other) = (here.path("new-data"), here.path("other-data"));
    let (status, _, said) = here.setup(&data, &["--user", "nobody"]);
    assert_eq!(status, Some(0), "{said}");
    let nobody = fs::metadata(&data).unwrap().uid();
    assert!(nobody != 0, "{said}");
    let (status, _, said) = here.setup(&other, &["--leave-data-dir"]);
    assert_eq!(status, Some(0), "{said}");
    let is_theirs = || {
        assert_eq!(fs::metadata(&other).unwrap().uid(), nobody);
        for entry in fs::read_dir(&other).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().uid(), nobody, "{:?}", entry.path());
        }
    };
    is_theirs();
    assert_eq!(here.notes()["user"], "nobody");

    // As a setup of before left it.
    let mut take = Command::new("chown");
    take.args(["-hR", "root"]).arg(&other);
    assert_eq!(run(take).0, Some(0));
    let told = "belongs to root, and setup settled that the service runs as nobody";
    let chown = format!("chown -hR nobody {}", other.display());
    for command in
        [&["serve", "--listen", "127.0.0.1:0"][..], &NEW, &["drivers", "install", "mysql"], &["upgrade"]]
    {
        let (status, out, said) = run_with(here.hub(command), PASSWORD);
        assert_eq!(status, Some(3), "{command:?}: {out}{said}");
        assert!(said.contains(told) && said.contains(&chown), "{command:?}: {said}");
        assert!(!other.join("hub.db").exists() && !other.join("drivers").exists(), "{command:?}");
    }
    let (status, _, said) = run(here.hub(&["doctor"]));
    assert!(status == Some(1) && said.contains(told) && said.contains(&chown), "{said}");
    // Setup gives it back, whoever is named or not.
    let (status, _, said) = here.setup(&other, &[]);
    assert_eq!(status, Some(0), "{said}");
    is_theirs();
    let (_, _, said) = run(here.hub(&["doctor"]));
    assert!(!said.contains("setup settled"), "{said}");
}

/// O3: a variable that was left over in a shell leads no upgrade to another installation's data, and other commands say what it names.
#[test]
fn o3_a_data_folder_of_another_installation_is_not_taken_from_the_environment() {
    let here = Settled::new();
    let (data, other) = (here.path("new-data"), here.path("other-data"));
    let (status, _, said) = here.setup(&data, &[]);
    assert_eq!(status, Some(0), "{said}");
    let astray = |arguments: &[&str]| {
        let mut hub = here.hub(arguments);
        hub.env("DATA_DIR", &other);
        run_with(hub, PASSWORD)
    };
    let shown = other.display().to_string();
    for command in [&["upgrade"][..], &["upgrade", "--data-dir", &shown], &["rollback"]] {
        let (status, out, said) = astray(command);
        assert_eq!(status, Some(2), "{command:?}: {out}{said}");
        for part in [&*data.display().to_string(), &shown, "DATA_DIR"] {
            assert!(said.contains(part), "{command:?} does not say `{part}`: {said}");
        }
        assert!(!other.exists(), "{command:?}");
    }
    for command in [&["plugins", "list"][..], &NEW] {
        let (status, _, said) = astray(command);
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains(&format!("warning: DATA_DIR names {shown}")), "{command:?}: {said}");
    }
    let (status, _, said) = astray(&["admin", "list-users", "--data-dir", &shown]);
    assert_eq!(status, Some(0), "{said}");
    assert!(!said.contains("warning: DATA_DIR"), "{said}");
    assert!(said.contains(&format!("data folder {shown} (--data-dir)")), "{said}");
    // The same folder in another spelling is not another one.
    let mut rollback = here.hub(&["rollback"]);
    rollback.env("DATA_DIR", data.join("../new-data/."));
    let (status, _, said) = run(rollback);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("there is no whole release before 7.8.9"), "{said}");
}

/// A data folder has one name, and none of two lies in the other.
#[test]
fn o3_a_data_folder_lies_beside_the_one_before() {
    let here = Settled::new();
    let data = here.path("outer/hub");
    fs::create_dir_all(here.path("outer")).unwrap();
    let (status, _, said) = here.setup(&here.path("outer/../outer/./hub/"), &[]);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(here.notes()["data_dir"], serde_json::json!(data));
    // What is the platform's, so that only the folder in it is in the way.
    fs::create_dir(here.path("outer/plugins")).unwrap();
    for name in ["outer/hub/inner", "outer", "outer/hub/../../outer/hub/inner/"] {
        let (status, _, said) = here.setup(&here.path(name), &["--leave-data-dir"]);
        assert_eq!(status, Some(2), "{name}: {said}");
        assert!(said.contains("lies in") && said.contains("the data folder of before"), "{name}: {said}");
        assert!(!data.join("inner").exists() && !here.path("outer/.env").exists(), "{name}");
        assert_eq!(here.notes()["data_dir"], serde_json::json!(data));
    }
    let (status, _, said) = here.setup(&here.path("outer/beside"), &["--leave-data-dir"]);
    assert_eq!(status, Some(0), "{said}");
}
