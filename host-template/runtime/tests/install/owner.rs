//! S3, S12: whose the data folder is, who reads it, and what root does not do there.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::program::{ADMIN, Folder, Host, PASSWORD, command, run, run_with};
use crate::{At, STRANGER, chown_to_stranger, is_root};

/// S12: nobody else reads the customer's data, whatever the umask and whatever lies there already.
#[test]
fn s12_the_data_folder_is_its_owners_alone() {
    let folder = Folder::release();
    let loose = |mode| {
        fs::set_permissions(folder.path("data"), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["hub.db", ".env", "host-id"] {
            let file = folder.path("data").join(name);
            if !file.exists() {
                fs::write(&file, "").unwrap();
            }
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    for round in 0..2 {
        if round == 1 {
            loose(0o644);
        }
        let host = Host::start(&folder, |command| {
            // SAFETY: a system call between fork and exec; it allocates nothing.
            unsafe {
                command.pre_exec(|| {
                    rustix::process::umask(rustix::fs::Mode::empty());
                    Ok(())
                })
            };
        });
        let mode = |name: &str| fs::metadata(folder.path("data").join(name)).unwrap().mode() & 0o777;
        assert_eq!(mode(""), 0o700);
        for name in ["hub.db", "hub.db-wal", "hub.db-shm", "host-id", "host.lock", "host.sock"] {
            assert_eq!(mode(name), 0o600, "{name} in round {round}");
        }
        let (_, log) = host.stop();
        assert_eq!(log.contains("had the mode 0644"), round == 1, "{log}");
    }
}

/// S12: what is named as a database and is none keeps its mode.
#[test]
fn s12_only_what_is_the_customers_is_tightened() {
    let folder = Folder::release();
    let page = folder.path("release/web/index.html");
    let mode = || fs::metadata(&page).unwrap().mode() & 0o777;
    let before = mode();
    let mut serve = command(&folder);
    serve
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("DATABASE_URL", format!("sqlite://{}", page.display()));
    let (status, _, said) = run(serve);
    assert_eq!((status, mode()), (Some(3), before), "{said}");
}

/// Root's own folder makes a host of root's; that is said once, with the way to another.
#[test]
fn a_host_that_serves_as_root_says_so() {
    let contained = ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists());
    let folder = Folder::release();
    let host = Host::start(&folder, |command| {
        command.env_remove("container");
    });
    let warned =
        host.log().lines().filter(|line| line.contains(" WARN ") && line.contains("serves as root")).count();
    assert_eq!(warned, usize::from(is_root() && !contained), "{}", host.log());
    // In a container it is no warning, and said all the same.
    assert_eq!(host.log().contains("the host serves as root"), is_root(), "{}", host.log());
    let chown = format!("chown -R USER {}", folder.path("data").display());
    assert_eq!(host.log().contains(&chown), warned == 1, "{}", host.log());
    host.stop();
    if is_root() {
        chown_to_stranger(&folder);
        let host = Host::start(&folder, |_| {});
        assert!(!host.log().contains("serves as root"), "{}", host.log());
        host.stop();
    }
}

/// S3: root runs nothing that lies in the data folder, follows no link there, and leaves nothing of its own.
#[test]
fn s3_root_goes_on_as_the_owner_of_the_data_folder() {
    if !is_root() {
        crate::program::skip("only root can become somebody else");
        return;
    }
    let at = At::new(&["0.1.0", "0.2.0"]);
    let data = at.data();
    let theirs = |path: &Path| chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
    theirs(&data);
    let (status, _, said) = run_with(
        {
            let mut new = command(&at.0);
            new.args(["admin", "create-user", "--email", ADMIN, "--org", "North"]);
            new
        },
        PASSWORD,
    );
    assert_eq!(status, Some(0), "{said}");
    for entry in fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().uid(), STRANGER, "{:?}", entry.path());
    }
    assert!(data.join("hub.db").is_file());

    // Programs that the service may have put there, and links out of the folder.
    let proof = at.0.path("proof");
    fs::create_dir(&proof).unwrap();
    fs::set_permissions(&proof, fs::Permissions::from_mode(0o777)).unwrap();
    let evil = format!("#!/bin/sh\nid -u > {}/$(id -u)-$$\nexit 1\n", proof.display());
    for path in ["dbt/venv/bin/python3", "dbt/venv/bin/dbt", "bin/python3", "bin/systemctl", "bin/sh"] {
        let file = data.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &evil).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut give = Command::new("chown");
    give.args(["-hR", &format!("{STRANGER}:{STRANGER}")]).arg(&data);
    assert_eq!(run(give).0, Some(0));
    // The planted Python is what an install asks for pip.
    at.0.write("drivers.yaml", "mysql: pymysql\n");
    let mut install = command(&at.0);
    install.args(["drivers", "install", "mysql"]);
    let (status, _, said) = run(install);
    assert_eq!(status, Some(3), "{said}");
    let secret = at.0.path("secret");
    fs::write(&secret, "of root").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    for name in ["host-id", "host.lock", "drivers.lock", "drivers"] {
        let _ = fs::remove_file(data.join(name));
        symlink(&secret, data.join(name)).unwrap();
    }
    let elsewhere = at.0.path("other-root");
    fs::write(
        data.join(".env"),
        format!(
            "HUB_ROOT={}\nPATH={}/bin\nPYTHONPATH={0}\nLD_PRELOAD={0}/x.so\nHUB_TAKE_OVER=good\n",
            elsewhere.display(),
            data.display()
        ),
    )
    .unwrap();
    let mut give = Command::new("chown");
    give.args(["-hR", &format!("{STRANGER}:{STRANGER}")]).arg(&data);
    assert_eq!(run(give).0, Some(0));
    at.is("0.1.0", &[]);
    let here = command(&at.0);
    let commands: [&[&str]; 6] = [
        &["drivers", "install", "mysql"],
        &["drivers", "list"],
        &["plugins", "list"],
        &["doctor"],
        &["preflight", "--json"],
        &["serve", "--listen", "127.0.0.1:0"],
    ];
    for arguments in commands {
        let mut command = Command::new("timeout");
        command.args(["-k", "1", "20"]).arg(here.get_program()).args(arguments);
        for (name, value) in here.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        if arguments == ["doctor"] {
            command.arg("--install-dir").arg(at.root());
        }
        if arguments == ["preflight", "--json"] {
            // As an upgrade runs it.
            command.uid(STRANGER).gid(STRANGER);
        }
        run(command);
    }
    at.ran(&["upgrade", "--restart", "true", "--health-timeout", "1"]);
    at.ran(&["rollback", "--restart", "true", "--health-timeout", "1"]);
    let ran: Vec<String> =
        fs::read_dir(&proof).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!ran.is_empty(), "the planted programs are never run: the test shows nothing");
    assert!(ran.iter().all(|name| name.starts_with(&format!("{STRANGER}-"))), "{ran:?}");
    let about = fs::metadata(&secret).unwrap();
    assert_eq!(
        (about.uid(), about.mode() & 0o777, fs::read(&secret).unwrap()),
        (0, 0o600, b"of root".to_vec())
    );
    assert!(!elsewhere.exists());

    // Waits for nothing and reads nothing through a link.
    for kind in ["fifo", "link"] {
        fs::remove_file(data.join(".env")).unwrap();
        match kind {
            "fifo" => assert_eq!(
                run({
                    let mut fifo = Command::new("mkfifo");
                    fifo.arg(data.join(".env"));
                    fifo
                })
                .0,
                Some(0)
            ),
            _ => symlink(&secret, data.join(".env")).unwrap(),
        }
        let (status, _, said) = at.ran(&["rollback", "--restart", "true"]);
        assert_eq!(status, Some(3), "{kind}: {said}");
        assert!(
            said.contains("cannot read") && said.contains("ordinary file") && !said.contains("of root"),
            "{said}"
        );
    }
}

/// O3: a host that may not read `.env` does not know its database, and begins none; one that is told it goes on.
#[test]
fn o3_a_host_that_cannot_read_its_variables_begins_no_database() {
    for kind in ["fifo", "folder", "root's"] {
        if kind == "root's" && !is_root() {
            crate::program::skip("only root can put a file of its own into somebody else's folder");
            continue;
        }
        let folder = Folder::release();
        let data = folder.path("data");
        let file = data.join(".env");
        fs::create_dir(data.join("plugins")).unwrap();
        match kind {
            "folder" => fs::create_dir(&file).unwrap(),
            "fifo" => {
                let mut fifo = Command::new("mkfifo");
                fifo.arg(&file);
                assert_eq!(run(fifo).0, Some(0));
            }
            _ => {
                fs::write(&file, "DATABASE_URL=postgres://h/d\n").unwrap();
                fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
                chown(&data, Some(STRANGER), Some(STRANGER)).unwrap();
                chown(data.join("plugins"), Some(STRANGER), Some(STRANGER)).unwrap();
            }
        }
        let serve = |url: Option<&str>| {
            let mut serve = command(&folder);
            serve.args(["serve", "--listen", "127.0.0.1:0"]).envs(url.map(|url| ("DATABASE_URL", url)));
            if kind == "root's" {
                serve.uid(STRANGER).gid(STRANGER);
            }
            run(serve)
        };
        let (status, _, said) = serve(None);
        assert_eq!(status, Some(3), "{kind}: {said}");
        let want = format!("error: cannot read {}: ", file.display());
        assert!(said.contains(&want) && said.contains("would be a new database"), "{kind}: {said}");
        assert!(!data.join("hub.db").exists(), "{kind}");
        let (status, _, said) = serve(Some("postgres://hub@127.0.0.1:1/hub"));
        let want = format!("warning: {} is not read: ", file.display());
        assert!(status == Some(3) && said.contains(&want), "{kind}: {said}");
        assert!(said.contains("cannot use the database postgres://hub@127.0.0.1:1/hub"), "{kind}: {said}");
    }
}

/// S3: a folder that is root's by half is refused: others may write to what root would run.
#[test]
fn s3_a_data_folder_that_is_roots_only_by_half_is_refused() {
    if !is_root() {
        crate::program::skip("only root can become somebody else");
        return;
    }
    let folder = Folder::release();
    let data = folder.path("data");
    let says = |arguments: &[&str], want: &[&str], not: &str| {
        let mut asked = command(&folder);
        asked.args(arguments);
        let (status, _, said) = run(asked);
        assert_eq!(status, Some(3), "{said}");
        assert!(want.iter().all(|want| said.contains(want)) && !said.contains(not), "{want:?}: {said}");
    };
    let list = |want: &[&str], not: &str| says(&["drivers", "install", "mysql"], want, not);
    let shown = data.display();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    // Of a folder that is no data folder nothing is given away.
    fs::write(data.join("report.txt"), "").unwrap();
    says(
        &["admin", "list-users"],
        &["others may write to it", "name the data folder of the installation"],
        "chmod",
    );
    fs::remove_file(data.join("report.txt")).unwrap();
    fs::create_dir(data.join("plugins")).unwrap();
    list(&["others may write to it", &format!("chmod go-w {shown}")], "chown");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(data.join("dbt")).unwrap();
    chown(data.join("dbt"), Some(STRANGER), Some(STRANGER)).unwrap();
    // What is wrong is named, and no more than that.
    let want = [
        "and dbt in it to user 54321",
        &format!("chown -hR 54321 {shown}/plugins && chown 54321 {shown};"),
        &format!("chown -hR root {shown}/dbt"),
    ];
    list(&want, "chown -R");
    fs::remove_dir(data.join("plugins")).unwrap();
    list(&[&format!("chown 54321 {shown}; where")], "chown -R");
}

/// S12: what holds others' files and nothing of the platform's becomes nobody's data folder.
#[test]
fn s12_a_folder_with_others_files_is_not_taken() {
    let at = At::new(&[]);
    let own = at.release_of_program("7.8.9");
    let data = at.0.path("home");
    fs::create_dir(&data).unwrap();
    let report = data.join("report.txt");
    fs::write(&report, "theirs").unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let setup = || {
        let mut setup = Command::new(&own);
        setup.args(["setup", "--no-service", "--data-dir"]).arg(&data);
        if is_root() {
            setup.args(["--user", "nobody"]);
        }
        setup
    };
    let serve = || {
        let mut serve = command(&at.0);
        serve.args(["serve", "--listen", "127.0.0.1:0"]).env("DATA_DIR", &data);
        serve
    };
    let mut new = command(&at.0);
    new.args(["admin", "create-user", "--email", ADMIN, "--org", "North"]).env("DATA_DIR", &data);
    let mut drivers = command(&at.0);
    drivers.args(["drivers", "install", "mysql"]).env("DATA_DIR", &data);
    let before = fs::metadata(&report).unwrap();
    for refused in [setup(), serve(), new, drivers] {
        let (status, out, said) = run_with(refused, PASSWORD);
        assert_eq!(status, Some(2), "{out}{said}");
        assert!(said.contains("other things (report.txt)") && !said.contains("chown"), "{said}");
        let after = fs::metadata(&report).unwrap();
        assert_eq!((before.uid(), before.mode()), (after.uid(), after.mode()));
        assert!(
            fs::metadata(&data).unwrap().mode() & 0o777 == 0o755 && fs::read_dir(&data).unwrap().count() == 1
        );
    }
    // A fresh disk is empty, and a data folder stays one, whatever lies beside what is the platform's.
    fs::rename(&report, at.0.path("report.txt")).unwrap();
    fs::create_dir(data.join("lost+found")).unwrap();
    let (status, out, said) = run(setup());
    assert_eq!(status, Some(0), "{out}{said}");
    fs::rename(at.0.path("report.txt"), &report).unwrap();
    let (status, out, said) = run(setup());
    assert_eq!(status, Some(0), "{out}{said}");
}
