//! Driver plugins and connectors, with what is real: pip, Python, drivers, and databases of the tests' own.

mod program;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use program::mariadb::MariaDb;
use program::postgres::Server;
use program::world::{Person, World, is, until};
use program::{Answer, Folder, Host, PASSWORD, command, run};
use serde_json::{Value, json};

/// The file of the release.
const DRIVERS: &str = include_str!("../../drivers.yaml");

fn release() -> Folder {
    let folder = Folder::release();
    folder.write("drivers.yaml", DRIVERS);
    folder
}

fn drivers(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = command(folder);
    command.arg("drivers").args(arguments);
    command
}

fn install(folder: &Folder, names: &str) -> String {
    let (status, stdout, stderr) = run(drivers(folder, &["install", names]));
    assert_eq!(status, Some(0), "{stderr}");
    stdout
}

/// Whether pip reaches its packages; `HUB_REQUIRE_PYPI` forbids that it does not.
fn pypi() -> bool {
    static REACHED: LazyLock<bool> = LazyLock::new(|| {
        let folder = std::env::temp_dir().join(format!("hub-pypi-{}", std::process::id()));
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--retries", "1", "--dest"]).arg(&folder);
        let output = pip.arg("pymysql").output();
        let _ = fs::remove_dir_all(folder);
        let reached = output.is_ok_and(|output| output.status.success());
        assert!(reached || std::env::var_os("HUB_REQUIRE_PYPI").is_none(), "pip does not reach PyPI");
        reached
    });
    // Each test says it of itself.
    if !*REACHED {
        program::skip("python3 -m pip does not reach PyPI (Debian: python3-pip)");
    }
    *REACHED
}

/// Every file below a folder with its content, and every link with its target.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut todo = vec![folder.to_path_buf()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let content = if kind.is_symlink() {
                fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            } else if kind.is_dir() {
                todo.push(path.clone());
                Vec::new()
            } else {
                fs::read(&path).unwrap()
            };
            found.insert(path, content);
        }
    }
    found
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Nobody listens here.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn without_index(mut command: Command) -> Command {
    command.env("PIP_INDEX_URL", format!("http://127.0.0.1:{}/simple", closed_port()));
    command.env("PIP_RETRIES", "0").env("PIP_NO_CACHE_DIR", "1");
    for name in ["PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"] {
        command.env_remove(name);
    }
    command
}

fn versions(folder: &Folder) -> BTreeMap<String, Option<String>> {
    let (status, stdout, stderr) = run(drivers(folder, &["list", "--json"]));
    assert_eq!(status, Some(0), "{stderr}");
    let rows: Vec<Value> = serde_json::from_str(&stdout).unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    rows.iter().map(|row| (text(&row["alias"]).unwrap(), text(&row["version"]))).collect()
}

fn connector(host: &Host, name: &str) -> Value {
    let answer = host.get("/api/connectors/catalog");
    assert_eq!(answer.status, 200, "{}", answer.text);
    let all: Vec<Value> = serde_json::from_str(&answer.text).unwrap();
    all.into_iter().find(|connector| connector["type"] == name).unwrap()
}

fn test(host: &Host, kind: &str, parameters: Value) -> Answer {
    host.post(&format!("/api/connectors/{kind}/test"), &parameters.to_string())
}

/// Whether the connection was made, and the message.
fn tested(host: &Host, kind: &str, parameters: Value) -> (bool, String) {
    let answer = test(host, kind, parameters);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    assert!(json["millis"].is_u64(), "{json}");
    (json["ok"].as_bool().unwrap(), json["message"].as_str().unwrap().to_owned())
}

fn with(base: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut changed = base.clone();
    changed[name] = value.into();
    changed
}

#[test]
fn a_driver_is_used_as_soon_as_it_is_installed() {
    if !pypi() {
        return;
    }
    let folder = release();
    let host = Host::start_as_admin(&folder, |_| {});
    let mongo = connector(&host, "mongodb");
    assert_eq!(
        (&mongo["available"], &mongo["reason"], &mongo["install"], &mongo["package"]),
        (
            &json!(false),
            &json!("driver not installed"),
            &json!("hub-platform drivers install mongodb"),
            &json!("pymongo")
        )
    );
    assert_eq!(connector(&host, "postgresql")["available"], true);
    let nobody = json!({"host": "127.0.0.1", "port": closed_port()});
    assert_eq!(
        tested(&host, "mongodb", nobody.clone()),
        (
            false,
            "driver not installed; the command that installs it: hub-platform drivers install mongodb".into()
        )
    );
    assert_eq!(versions(&folder)["mysql"], None);

    assert!(install(&folder, "mysql").starts_with("installed mysql 1."));
    let pymysql = versions(&folder)["mysql"].clone().unwrap();
    assert_eq!(versions(&folder)["mongodb"], None);
    assert_eq!(connector(&host, "mongodb")["available"], false);
    // The second install brings the first one's along.
    install(&folder, "mongodb");
    assert_eq!(versions(&folder)["mysql"].as_ref(), Some(&pymysql));
    let mongo = connector(&host, "mongodb");
    assert_eq!((&mongo["available"], &mongo["reason"]), (&json!(true), &Value::Null));
    let status = host.get("/api/plugins/status").json();
    let on = |name: &str| {
        status["drivers"].as_array().unwrap().iter().any(|d| d["name"] == name && d["installed"] == true)
    };
    assert!(on("mysql") && on("mongo") && on("mongodb") && !on("oracle"), "{status}");

    assert_eq!(
        tested(&host, "mongodb", nobody.clone()),
        (false, format!("no MongoDB server answers at 127.0.0.1 port {}", nobody["port"]))
    );
    if let Some(server) = MariaDb::shared() {
        through_the_driver(&host, server);
    }

    // What pip cannot do changes nothing.
    let before = tree(&folder.path("data/drivers"));
    let (status, stdout, stderr) = run(without_index(drivers(&folder, &["install", "oss,mysql"])));
    assert_eq!((status, stdout.as_str()), (Some(3), ""), "{stderr}");
    assert!(stderr.contains("error: pip could not install the drivers (exit status: 1)"), "{stderr}");
    assert!(stderr.contains("nothing was changed"), "{stderr}");
    assert!(before == tree(&folder.path("data/drivers")));
    assert_eq!(connector(&host, "mongodb")["available"], true);
}

fn through_the_driver(host: &Host, server: &MariaDb) {
    let good = json!({
        "host": "127.0.0.1", "port": server.port, "database": "sales", "user": "ann", "password": "open sesame",
        "through": "driver",
    });
    let (ok, message) = tested(host, "mariadb", good.clone());
    assert!(ok && message.starts_with("connected to MariaDB "), "{message}");
    assert_eq!(
        tested(host, "mysql", with(&good, "password", "wrong one")),
        (false, "Access denied for user 'ann'@'127.0.0.1' (using password: YES)".to_owned())
    );
    let port = closed_port();
    assert_eq!(
        tested(host, "mysql", with(&good, "port", port)),
        (false, format!("no MySQL server answers at 127.0.0.1 port {port}"))
    );
}

#[test]
fn a_first_install_that_fails_leaves_nothing() {
    let folder = release();
    let (status, _, stderr) = run(without_index(drivers(&folder, &["install", "oracle"])));
    assert_eq!(status, Some(3), "{stderr}");
    assert!(!folder.path("data/drivers").exists());
    let (status, _, stderr) = run(without_index(drivers(&folder, &["install", "dbt"])));
    assert_eq!(status, Some(3), "{stderr}");
    assert!(stderr.contains("error: pip could not install dbt"), "{stderr}");
    assert!(!folder.path("data/dbt").exists());
}

#[test]
fn d11_o11_dbt_has_an_environment_of_its_own_and_each_package_an_entry() {
    if !pypi() {
        return;
    }
    let folder = release();
    assert!(install(&folder, "dbt").starts_with("installed dbt 1.11."));
    assert!(versions(&folder)["dbt"].as_ref().is_some_and(|version| version.starts_with("1.11.")));
    let dbt = Command::new(folder.path("data/dbt/venv/bin/dbt")).arg("--version").output().unwrap();
    let told = String::from_utf8_lossy(&dbt.stdout);
    assert!(
        told.contains("installed: 1.11.") && told.contains("duckdb") && told.contains("postgres"),
        "{told}"
    );
    // An install that fails leaves the one that works.
    let before = tree(&folder.path("data/dbt"));
    let (status, _, stderr) = run(without_index(drivers(&folder, &["install", "dbt"])));
    assert_eq!(status, Some(3), "{stderr}");
    assert!(before == tree(&folder.path("data/dbt")));
    // D11: what lies beside dbt is pinned to what dbt needs, stays through other installs, and is listed.
    assert_eq!(install(&folder, "iniconfig==2.1.0"), "installed iniconfig 2.1.0\n");
    let before = tree(&folder.path("data/dbt"));
    let (status, _, stderr) = run(drivers(&folder, &["install", "typing-extensions==4.1.0"]));
    assert_eq!(status, Some(3), "{stderr}");
    assert!(stderr.contains("pip could not install these packages beside this version of dbt"), "{stderr}");
    assert!(before == tree(&folder.path("data/dbt")), "nothing was changed");
    install(&folder, "dbt");
    assert_eq!(versions(&folder)["iniconfig"].as_deref(), Some("2.1.0"), "it outlives an install of dbt");
    let import =
        Command::new(folder.path("data/dbt/venv/bin/python3")).args(["-c", "import iniconfig"]).status();
    assert!(import.unwrap().success());
    // Its Python is the one that drivers are installed for and imported by.
    folder.write("data/plugins/pyyaml/plugin.yaml", "name: pyyaml\nversion: 1.0.0\ndisplay_name: Ours\n");
    install(&folder, "mysql");
    // O11: one entry for each package, beside the customer's own plugins, which they are not taken for.
    assert_eq!(names(&folder.path("data/plugins")), ["iniconfig", "pymysql", "pyyaml"]);
    for name in ["iniconfig", "pymysql"] {
        assert!(folder.path(&format!("data/plugins/{name}/METADATA")).is_file(), "{name}");
    }
    let (status, listed, stderr) = run({
        let mut list = command(&folder);
        list.args(["plugins", "list", "--json"]);
        list
    });
    assert_eq!(status, Some(0), "{stderr}");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let of_data: Vec<&Value> =
        listed.as_array().unwrap().iter().filter(|plugin| plugin["source"] == "data").collect();
    assert_eq!(of_data.iter().map(|plugin| &plugin["name"]).collect::<Vec<_>>(), ["pyyaml"]);
    let host = Host::start_as_admin(&folder, |command| {
        command.env("PATH", folder.path("data"));
    });
    let status = host.get("/api/plugins/status").json();
    assert!(
        status["drivers"].as_array().unwrap().contains(&json!({"name": "mysql", "installed": true})),
        "{status}"
    );
}

/// A program that hangs is ended with all that it has started, and nothing has changed.
#[test]
fn an_install_that_hangs_is_ended() {
    let folder = release();
    let (python, noted) = (folder.path("bin/python3"), folder.path("noted"));
    fs::create_dir(folder.path("bin")).unwrap();
    let hangs =
        format!("#!/bin/sh\nsleep 600 &\nfor id in $! $$; do echo $id >>'{}'; done\nwait\n", noted.display());
    fs::write(&python, hangs).unwrap();
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path("bin").display(), std::env::var("PATH").unwrap());
    for (name, what) in [
        ("dbt", "Python cannot make a virtual environment"),
        ("mysql", "pip does not say whether it is there"),
    ] {
        let mut install = drivers(&folder, &["install", name]);
        install.env("PATH", &path).env("HUB_INSTALL_SECONDS", "4");
        let (status, stdout, stderr) = run(install);
        assert_eq!((status, &*stdout), (Some(3), ""), "{stderr}");
        for part in [what, "did not end within 4 seconds, and was ended with all", "HUB_INSTALL_SECONDS"] {
            assert!(stderr.contains(part), "{part}: {stderr}");
        }
        assert!(!folder.path("data/dbt").exists() && !folder.path("data/drivers").exists(), "{name}");
    }
    let text = fs::read_to_string(&noted).unwrap();
    assert_eq!(text.lines().count(), 4, "{text}");
    for id in text.lines() {
        let stat = fs::read_to_string(format!("/proc/{id}/stat"));
        assert!(!stat.is_ok_and(|stat| !stat.contains(") Z ")), "process {id} lives");
    }
}

#[test]
fn two_installs_at_once_wait_for_each_other() {
    if !pypi() {
        return;
    }
    let folder = release();
    let children: Vec<_> = ["mysql", "mongodb"]
        .map(|name| {
            drivers(&folder, &["install", name]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .into();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let versions = versions(&folder);
    assert!(versions["mysql"].is_some() && versions["mongodb"].is_some(), "{versions:?}");
    assert_eq!(names(&folder.path("data/drivers")), [".set-1", ".set-2", "current"]);
}

#[test]
fn what_a_killed_install_leaves_is_removed_by_the_next() {
    if !pypi() {
        return;
    }
    let folder = release();
    let set = folder.path("data/drivers/.set-1");
    let mut child = drivers(&folder, &["install", "mongodb"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the install begins", || set.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(set.exists() && !folder.path("data/drivers/current").exists());
    install(&folder, "mysql");
    assert_eq!(names(&folder.path("data/drivers")), [".set-1", "current"]);
    let versions = versions(&folder);
    assert!(versions["mysql"].is_some() && versions["mongodb"].is_none(), "{versions:?}");
}

#[test]
fn what_cannot_be_installed_is_said() {
    let folder = release();
    let (status, _, stderr) = run(drivers(&folder, &["install", "oracel"]));
    assert_eq!(status, Some(2));
    assert!(
        stderr.contains("\nerror: there is no driver `oracel`\n  help: did you mean `oracle`"),
        "{stderr}"
    );
    let mut lonely = drivers(&folder, &["install", "oracle"]);
    lonely.env("PATH", folder.path("data"));
    let (status, _, stderr) = run(lonely);
    assert_eq!(status, Some(3));
    // The line before says which data folder is meant.
    let said = stderr.split_once('\n').map(|(_, rest)| rest);
    assert_eq!(
        said,
        Some(
            "error: Python is not installed: there is no python3\n  help: install Python 3.10 or newer with pip and \
         venv (Debian: apt install python3 python3-pip python3-venv), and run the command again; nothing was changed\n"
        )
    );
    // A Python without pip: -S leaves site-packages out.
    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    let python = String::from_utf8(python.stdout).unwrap();
    let bin = folder.path("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("python3"), format!("#!/bin/sh\nexec {} -S \"$@\"\n", python.trim())).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(bin.join("python3")).status().unwrap().success());
    let mut bare = drivers(&folder, &["install", "oracle"]);
    bare.env("PATH", &bin);
    let (status, _, stderr) = run(bare);
    assert_eq!(status, Some(3));
    assert!(stderr.contains("\nerror: python3 has no pip: ") && stderr.contains("apt install"), "{stderr}");
    let host = Host::start_as_admin(&folder, |command| {
        command.env("PATH", folder.path("data"));
    });
    let oracle = connector(&host, "oracle");
    assert_eq!(oracle["reason"], "Python is not installed (Debian: apt install python3)");
    folder.write("drivers.yaml", "oracle: [oracledb]\n");
    let (status, _, stderr) = run(drivers(&folder, &["list"]));
    assert_eq!(status, Some(3));
    assert!(stderr.contains("drivers.yaml: `oracle` must name a pip package"), "{stderr}");
}

/// Drivers that do what drivers do on a bad day.
#[test]
fn what_a_driver_does_stays_its_own() {
    let folder = release();
    let modules = [
        ("pymongo", MONGO),
        ("pymysql", "raise OSError('libmystery.so.1: cannot open\\nshared object file')"),
        ("oracledb", "import sys, os\nprint('bye', file=sys.stderr, flush=True)\nos._exit(3)"),
        ("oss2", "import a_module_that_is_not_there"),
        ("pymssql", "print('{\"package\": \"torch\", \"state\": \"works\", \"text\": \"\"}')"),
    ];
    for (name, text) in modules {
        folder.write(&format!("data/drivers/.set-1/{name}.py"), text);
    }
    std::os::unix::fs::symlink(".set-1", folder.path("data/drivers/current")).unwrap();
    folder.write("data/torch.py", "");
    let host = Host::start_as_admin(&folder, |command| {
        // What lies where the host was started is no driver.
        command.current_dir(folder.path("data")).env("RUST_LOG", "trace").env("NEEDY_KEY", "x");
    });
    let reason = |name: &str| connector(&host, name)["reason"].as_str().map(str::to_owned);
    assert_eq!(reason("mongodb"), None);
    assert_eq!(reason("mssql"), None);
    assert_eq!(reason("oracle").as_deref(), Some("importing the driver ends Python: bye"));
    assert_eq!(
        reason("oss").as_deref(),
        Some(
            "the driver cannot be imported: ModuleNotFoundError: No module named 'a_module_that_is_not_there'"
        )
    );
    assert_eq!(reason("snowflake").as_deref(), Some("driver not installed"));
    let through = json!({"host": "db", "user": "ann", "through": "driver"});
    assert_eq!(
        tested(&host, "mysql", through).1,
        "the driver cannot be imported: OSError: libmystery.so.1: cannot open shared object file; the command that \
         installs it: hub-platform drivers install mysql"
    );
    let status = host.get("/api/plugins/status").json();
    assert!(
        status["drivers"].as_array().unwrap().contains(&json!({"name": "torch", "installed": false})),
        "{status}"
    );

    let lives = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = lives.local_addr().unwrap().port();
    let place = json!({"host": "127.0.0.1", "port": port, "password": "open \"sesame\""});
    let ask = |user: &str| tested(&host, "mongodb", with(&place, "user", user));
    assert_eq!(ask("says-all"), (false, "cannot log in with '…' or \"…\" []".to_owned()));
    // A secret that would be cut in two is taken out as well.
    let long = format!("a\nb{}", "sesame".repeat(100));
    let told = tested(&host, "mongodb", with(&with(&place, "user", "says-all"), "password", long)).1;
    assert!(told.starts_with("cannot log in with '…'") && !told.contains("sesame"), "{told}");
    assert_eq!(ask("ends"), (false, "the driver ended Python: that was too much".to_owned()));
    assert_eq!(ask("hangs"), (false, format!("no MongoDB server answers at 127.0.0.1 port {port}")));
    let (mut child, _) = lives.accept().unwrap();
    child.set_read_timeout(Some(std::time::Duration::from_secs(4))).unwrap();
    let mut said = String::new();
    let end = child.read_to_string(&mut said);
    assert_eq!((end.is_ok(), said.as_str()), (true, "begun"), "what it started outlives it");
    assert!(!host.log().contains("sesame"));
}

/// Tells everything, takes Python down, or hangs with a child, by the name of the user.
const MONGO: &str = r#"
import json, os, subprocess, sys, time

class MongoClient:
    def __init__(self, host, port, username, password, **options):
        print("noise on standard output")
        if username == "says-all":
            ours = [name for name in ("DATABASE_URL", "HUB_ADMIN_PASSWORD", "NEEDY_KEY") if name in os.environ]
            raise ValueError("cannot log in with '" + password + "' or " + json.dumps(password) + " " + str(ours))
        if username == "ends":
            sys.stderr.write("that was too much\n")
            sys.stderr.flush()
            os._exit(9)
        child = "import socket, sys, time; s = socket.create_connection((sys.argv[1], int(sys.argv[2]))); s.sendall(b'begun'); time.sleep(60)"
        subprocess.Popen([sys.executable, "-c", child, host, str(port)], start_new_session=True)
        time.sleep(100)
"#;

#[test]
fn postgresql_is_built_in() {
    let Some(server) = Server::shared() else { return };
    let url = server.database();
    let database = url.rsplit_once('/').unwrap().1;
    server.sql(database, "CREATE ROLE ann LOGIN PASSWORD 'open sesame'");
    let rules = server.sql(database, "SHOW hba_file");
    let text = fs::read_to_string(&rules).unwrap();
    fs::write(&rules, format!("host all ann 127.0.0.1/32 scram-sha-256\n{text}")).unwrap();
    server.sql(database, "SELECT pg_reload_conf()");

    let folder = release();
    // What the host's own environment says about other servers is not for connectors.
    let host = Host::start_as_admin(&folder, |command| {
        command.env("PGPASSWORD", "open sesame").env("PGUSER", "hub").env("RUST_LOG", "trace");
    });
    let good = json!({
        "host": "127.0.0.1", "port": server.port, "database": database, "user": "ann", "password": "open sesame",
    });
    // The server reads its rules anew in its own time.
    until("the rules count", || !tested(&host, "postgresql", with(&good, "password", "wrong one")).0);
    let (ok, message) = tested(&host, "postgresql", good.clone());
    assert!(ok && message.starts_with("connected to PostgreSQL 1"), "{message}");
    let denied = (false, "password authentication failed for user \"ann\"".to_owned());
    assert_eq!(tested(&host, "postgresql", with(&good, "password", "wrong one")), denied);
    assert!(!tested(&host, "postgresql", with(&good, "password", "")).0);
    assert_eq!(
        tested(&host, "postgresql", with(&good, "database", "nowhere")),
        (false, "database \"nowhere\" does not exist".to_owned())
    );
    let port = closed_port();
    assert_eq!(
        tested(&host, "postgresql", with(&good, "port", port)),
        (false, format!("no PostgreSQL server answers at 127.0.0.1 port {port}"))
    );
    let (ok, message) = tested(&host, "postgresql", with(&good, "host", "nowhere.invalid"));
    let told = ["there is no machine `nowhere.invalid`", "no name server answers"];
    assert!(!ok && told.contains(&message.as_str()), "{message}");
    // One that takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    assert_eq!(
        tested(&host, "postgresql", with(&good, "port", port)),
        (false, format!("no PostgreSQL server answers at 127.0.0.1 port {port}"))
    );

    let wrong = test(&host, "postgresql", json!({"host": "a/b", "user": "ann", "databse": "x"}));
    is(&wrong, 422, "validation-failed");
    let fields: Vec<_> =
        wrong.json()["errors"].as_array().unwrap().iter().map(|e| e["field"].clone()).collect();
    assert_eq!(fields, ["host", "database", "databse"]);
    is(&test(&host, "postgres", good.clone()), 404, "connector-unknown");
    let log = host.log();
    assert!(log.contains("tested a connection") && !log.contains("sesame") && !log.contains("wrong one"));
}

#[test]
fn mariadb_is_built_in() {
    let Some(server) = MariaDb::shared() else { return };
    let folder = release();
    let host = Host::start_as_admin(&folder, |_| {});
    let good = json!({
        "host": "127.0.0.1", "port": server.port, "database": "sales", "user": "ann", "password": "open sesame",
    });
    let (ok, message) = tested(&host, "mariadb", good.clone());
    assert!(ok && message.starts_with("connected to MariaDB 1"), "{message}");
    assert_eq!(tested(&host, "mysql", good.clone()).1, message);
    assert_eq!(
        tested(&host, "mariadb", with(&good, "password", "wrong one")),
        (false, "Access denied for user 'ann'@'127.0.0.1' (using password: YES)".to_owned())
    );
    let (ok, message) = tested(&host, "mariadb", with(&good, "database", "nowhere"));
    assert!(!ok && message.contains("to database 'nowhere'"), "{message}");
    let port = closed_port();
    assert_eq!(
        tested(&host, "mariadb", with(&good, "port", port)),
        (false, format!("no MariaDB server answers at 127.0.0.1 port {port}"))
    );
}

#[test]
fn only_those_who_may_see_and_test() {
    let world = World::new(None);
    world.folder.write("drivers.yaml", DRIVERS);
    let host = world.host();
    world.create_user(&["--email", "ben@example.com", "--org", "North"], PASSWORD);
    let ben = Person::new(&host, "ben@example.com", PASSWORD);
    let body = json!({"host": "127.0.0.1", "database": "a", "user": "a"});
    is(&ben.post("/api/connectors/postgresql/test", body.clone()), 403, "permission-missing");
    is(
        &host.ask("GET", "/api/connectors/catalog", &[("authorization", "Bearer x")], ""),
        401,
        "not-signed-in",
    );
    let may = ben.session()["permissions"].as_array().unwrap().contains(&json!("connectors.read"));
    assert_eq!(ben.get("/api/connectors/catalog").status, if may { 200 } else { 403 });
}
