//! What a run sees and may cost: its own plugin, its own work folder, its own settings, and nothing of anybody else's.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hub_manifest::environment;
use hub_manifest::limits::{Limit, Limits};
use hub_manifest::rules::settings::is_platform_variable;

use super::doors;
use super::recipe::Recipe;
use super::store::Run;
use crate::data_folder::is_of_machine;
use crate::drivers;
use crate::host::Hub;
use crate::process::Job;
use crate::settings::{self, Database, Env, process_env};

/// The limits and the sight of one run, for each program that it starts.
pub(super) struct Fences {
    read: Vec<PathBuf>,
    hide: Vec<PathBuf>,
    sockets: Vec<PathBuf>,
    settings: BTreeMap<String, String>,
    memory: u64,
    together: u64,
    file: u64,
    processes: u64,
    lease: u64,
}

impl Fences {
    pub(super) fn new(hub: &Hub, run: &Run, recipe: &Recipe) -> Fences {
        let plugin = run.plugin.as_deref().and_then(|slug| hub.live.snapshot().registry.find(slug).cloned());
        // The profiles of others stay hidden: a run of dbt finds its own one in its work folder.
        let mut read = vec![recipe.path.clone()];
        read.extend(plugin.as_ref().map(|plugin| plugin.root.clone()));
        read.extend(programs(&hub.data));
        // What the operator has set for this plugin. The host's own variables are no plugin's, whatever it calls them.
        let wanted = plugin
            .iter()
            .flat_map(|plugin| plugin.about.config.values())
            .filter_map(|field| field.env.clone());
        let settings = wanted
            .filter(|name| !is_platform_variable(name))
            .filter_map(|name| Some((name.clone(), process_env(&name)?)))
            .collect();
        let get = |limit| hub.limits.get(limit);
        Fences {
            read,
            hide: hidden(&hub.data),
            sockets: sockets(&hub.data),
            settings,
            memory: get(Limit::RunMemory),
            together: together(&hub.limits),
            file: get(Limit::RunFileBytes),
            processes: get(Limit::RunProcesses),
            lease: get(Limit::RunLease),
        }
    }

    /// The job behind these fences. What the run itself sets stands above the plugin's settings.
    pub(super) fn around(&self, mut job: Job) -> Job {
        for (name, value) in &self.settings {
            job.environment.entry(name.clone()).or_insert_with(|| value.clone());
        }
        job.work = job.work.as_deref().map(whole);
        job.read.extend(self.read.iter().map(|path| whole(path)).filter(|path| path.exists()));
        job.hide.extend(self.hide.iter().cloned());
        job.sockets.extend(self.sockets.iter().cloned());
        Job {
            memory: self.memory,
            together: Some(self.together),
            file: self.file,
            processes: self.processes,
            lease: self.lease,
            ..job
        }
    }
}

/// Bytes that all processes of a run may take: never less than one of them may.
pub(super) fn together(limits: &Limits) -> u64 {
    limits.get(Limit::RunMemoryTotal).max(limits.get(Limit::RunMemory))
}

/// The folders of dbt, of its Python and of the drivers, by the names that programs know them by.
pub(crate) fn programs(data: &Path) -> Vec<PathBuf> {
    let dbt = data.join("dbt/venv");
    let whole_dbt = dbt.canonicalize().ok();
    let drivers = drivers::python_path(data);
    let mut all: Vec<PathBuf> = whole_dbt.into_iter().collect();
    if dbt.exists() {
        let mut hidden = hidden(data);
        // Those within others too, which need not be hidden once more.
        hidden
            .extend(links(data).into_iter().map(|(_, target)| target).filter(|target| !is_machines(target)));
        let python = python_of(&dbt, &hidden);
        all.push(dbt);
        let outside = |part: &PathBuf| !all.iter().any(|known| part.starts_with(known));
        let python: Vec<PathBuf> = python.into_iter().filter(outside).collect();
        all.extend(python);
    }
    all.into_iter().chain(drivers).collect()
}

/// What an environment of Python needs of the Python that it was made with, where that lies in what is hidden: a link of the data
/// folder may lead there. It is that one's programs and libraries, by the names on the way and by where they lie; nothing that lies
/// beside them, and no folder that has something hidden in it.
fn python_of(environment: &Path, hidden: &[PathBuf]) -> Vec<PathBuf> {
    // Without it, or without the program, nothing starts, and that is said then.
    let about = fs::read_to_string(environment.join("pyvenv.cfg")).unwrap_or_default();
    let home = about.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "home").then(|| PathBuf::from(value.trim()))
    });
    let links = ["python", "python3"].map(|name| environment.join("bin").join(name));
    let files: Vec<PathBuf> = links.iter().filter_map(|link| link.canonicalize().ok()).collect();
    let led = links.iter().filter_map(|link| fs::read_link(link).ok());
    let beside = led.chain(files.iter().cloned()).filter_map(|file| file.parent().map(Path::to_path_buf));
    let real_home = home.as_ref().and_then(|home| home.canonicalize().ok());
    let folders = home.into_iter().chain(real_home).chain(beside);
    // In a folder of another name anything may lie beside the program.
    let folders = folders.filter(|folder| folder.is_absolute() && folder.ends_with("bin"));
    let parts = folders.flat_map(|bin| {
        let [lib, lib64] = ["lib", "lib64"].map(|name| bin.with_file_name(name));
        [bin, lib, lib64]
    });
    let mut found: Vec<PathBuf> = Vec::new();
    for part in parts.chain(files.iter().cloned()) {
        let Ok(real) = part.canonicalize() else { continue };
        let lies = |path: &Path| hidden.iter().any(|hidden| path.starts_with(hidden));
        let holds = |path: &Path| hidden.iter().any(|hidden| hidden != path && hidden.starts_with(path));
        let is_known = found.iter().any(|known| part.starts_with(known));
        if (lies(&part) || lies(&real)) && !holds(&part) && !holds(&real) && !is_known {
            found.push(part);
        }
    }
    found
}

/// What a machine keeps for root alone, and a program of a host that is root would read like anything else of root's: it has given
/// up what root may besides, and still owns them. Below the root folder.
const OF_ROOT: &[&str] = &[
    "etc/gshadow",
    "etc/gshadow-",
    "etc/krb5.keytab",
    "etc/letsencrypt/archive",
    "etc/security/opasswd",
    "etc/shadow",
    "etc/shadow-",
    "etc/ssl/private",
    "root/.docker",
    "root/.git-credentials",
    "root/.gnupg",
    "root/.kube",
    "root/.netrc",
    "root/.ssh",
    "var/lib/systemd/credential.secret",
];
/// Where a machine has the keys that others know it by, beside what every program that goes elsewhere by SSH reads.
const SSH: &str = "etc/ssh";

/// Those that are there.
fn of_root(root: &Path) -> Vec<PathBuf> {
    let is_key = |name: &str| name.starts_with("ssh_host_") && !name.ends_with(".pub");
    // A machine without that folder has no keys in it.
    let ssh = fs::read_dir(root.join(SSH)).into_iter().flatten().flatten();
    let keys = ssh.filter(|entry| entry.file_name().to_str().is_some_and(is_key)).map(|entry| entry.path());
    let mut all: Vec<PathBuf> = OF_ROOT.iter().map(|path| root.join(path)).chain(keys).collect();
    all.retain(|path| path.exists());
    all.sort();
    all
}

/// What nobody but the host sees: the data folder with all that its links lead to, a database that lies elsewhere, and files that
/// open the host's own one on a server; the machine's own services; where the host is root, what is root's alone.
pub(crate) fn hidden(data: &Path) -> Vec<PathBuf> {
    let mut hidden = hidden_by(&process_env, data);
    hidden.extend(doors::of_machine(Path::new("/")));
    if rustix::process::geteuid().is_root() {
        hidden.extend(of_root(Path::new("/")));
    }
    hidden
}

/// The sockets by which a program of the host's user would leave its fences.
pub(crate) fn sockets(data: &Path) -> Vec<PathBuf> {
    doors::open(&process_env, data, Path::new("/"))
}

fn hidden_by(env: Env<'_>, data: &Path) -> Vec<PathBuf> {
    let mut hidden = vec![data.canonicalize().unwrap_or_else(|_| whole(data))];
    // By where it leads to, whatever folder and file on the way are links: nobody reads through a link what is hidden behind it,
    // and the kernel's rules are found by walking over folders and not by way of links. What is not there has nothing to hide.
    let of_links = links(data).into_iter().map(|(_, target)| target).filter(|target| !is_machines(target));
    let files = database(env, data).into_iter().chain(login(env)).chain(of_links);
    for path in files.filter_map(|path| path.canonicalize().ok()) {
        if !hidden.iter().any(|hidden| path.starts_with(hidden)) {
            hidden.push(path);
        }
    }
    hidden
}

/// The folders of the data folder in which the host alone makes entries, each with the folders below it that are such ones too. What
/// runs write lies deeper, and their links are not looked at: they would hide what a run likes.
const OF_HOST: &[(&str, usize)] =
    &[("", 0), ("connectors", 0), ("dbt", 0), ("dbt/work", 1), ("drivers", 0), ("plugins", 0)];

/// The links in the data folder that the operator has made, each with what it leads to in the end.
fn links(data: &Path) -> Vec<(PathBuf, PathBuf)> {
    OF_HOST.iter().flat_map(|(folder, deep)| links_in(&data.join(folder), *deep)).collect()
}

fn links_in(folder: &Path, deep: usize) -> Vec<(PathBuf, PathBuf)> {
    // One that is not there, or closed to the host, leads a run nowhere either: it has the same user.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found = Vec::new();
    for path in entries {
        if path.is_symlink()
            && let Ok(target) = path.canonicalize()
        {
            found.push((path.clone(), target));
        }
        if deep > 0 && path.is_dir() {
            found.extend(links_in(&path, deep - 1));
        }
    }
    found
}

/// Where the programs of a machine lie, which no run can be without.
const PROGRAMS: &[&str] = &["/bin", "/dev", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr"];

/// Whether a place is the machine's own rather than somebody's data: it is not hidden, whatever leads there.
fn is_machines(place: &Path) -> bool {
    is_of_machine(place) || PROGRAMS.iter().any(|programs| place.starts_with(programs))
}

/// What of the host's own runs can read all the same, a sentence each: files that have another name, which nobody can find, and links
/// to what cannot be hidden.
pub(crate) fn bare(env: Env<'_>, data: &Path) -> Vec<String> {
    let mut files = [database(env, data), login(env)].concat();
    files.extend([".env", "dbt/profiles.yml"].map(|name| data.join(name)));
    let mut files: Vec<PathBuf> = files.iter().filter_map(|file| file.canonicalize().ok()).collect();
    files.sort();
    files.dedup();
    let named = files.iter().filter(|file| {
        fs::metadata(file).is_ok_and(|about| about.file_type().is_file() && about.nlink() > 1)
    });
    let named = named.map(|file| {
        let shown = file.display();
        format!(
            "{shown} has more than one name (hard links): runs and scripts may read it by another one, which cannot be hidden from \
             them; find it with `find / -samefile {shown}` and remove it, or put a copy in the place of this one while the host is \
             stopped"
        )
    });
    let led = links(data).into_iter().filter(|(_, target)| is_machines(target)).map(|(link, target)| {
        format!(
            "{} leads to {}, which is the machine's own and not hidden from runs and scripts: put it into a folder of its own",
            link.display(),
            target.display()
        )
    });
    named.chain(led).collect()
}

/// The files of a SQLite database, by its name and by what that leads to: SQLite keeps its own beside the latter.
fn database(env: Env<'_>, data: &Path) -> Vec<PathBuf> {
    let Ok(Database::Sqlite(file)) = settings::database(env(environment::DATABASE_URL).as_deref(), data)
    else {
        return Vec::new();
    };
    let file = whole(&file);
    let target = file.canonicalize().unwrap_or_else(|_| file.clone());
    [file, target].iter().flat_map(|file| settings::database_files(file)).collect()
}

/// The files of passwords and keys that the host itself signs in to PostgreSQL with, whatever it works with now: those that the
/// PostgreSQL driver looks for. One that is written out in a variable is no file.
fn login(env: Env<'_>) -> Vec<PathBuf> {
    let of_home = home(env).map(|home| home.join(".pgpass"));
    let named =
        [environment::PGPASSFILE, environment::PGSSLKEY].into_iter().filter_map(env).map(PathBuf::from);
    // An address that cannot be read is the start's to tell.
    let url = env(environment::DATABASE_URL).and_then(|url| url::Url::parse(&url).ok());
    let keys = url
        .iter()
        .flat_map(|url| url.query_pairs())
        .filter(|(name, _)| matches!(&**name, "sslkey" | "ssl-key"));
    let keys = keys.map(|(_, value)| PathBuf::from(&*value));
    of_home.into_iter().chain(named).chain(keys).collect()
}

/// The home of the host's user. The machine's lists of users are read as a file and never asked: in a static program that ends it.
pub(super) fn home(env: Env<'_>) -> Option<PathBuf> {
    env("HOME").map(PathBuf::from).or_else(|| {
        let uid = rustix::process::getuid().as_raw();
        // A machine without the file has no homes.
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        home_of(&users, uid)
    })
}

fn home_of(users: &str, uid: u32) -> Option<PathBuf> {
    users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let is_user = fields.get(2).is_some_and(|id| id.parse() == Ok(uid));
        fields.get(5).filter(|home| is_user && !home.is_empty()).map(PathBuf::from)
    })
}

/// A path that means the same in another folder.
fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::scratch::Scratch;

    /// A folder of the test's own, with a data folder in it.
    fn folder(name: &str) -> Scratch {
        let folder = Scratch::new(name);
        fs::create_dir(folder.join("data")).unwrap();
        folder
    }

    fn write(folder: &Path, names: &[&str]) {
        for name in names {
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            fs::write(folder.join(name), "").unwrap();
        }
    }

    /// What is hidden with these variables, without the folder's own path.
    fn names(folder: &Path, pairs: &[(&str, String)]) -> Vec<String> {
        let set = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
        let home = || folder.join("home").display().to_string();
        let env = |name: &str| set(name).or_else(|| (name == "HOME").then(home));
        let hidden = hidden_by(&env, &folder.join("data"));
        let inner = |path: &PathBuf| path.strip_prefix(folder).unwrap().display().to_string();
        hidden.iter().map(inner).collect()
    }

    #[test]
    fn s5_what_is_roots_alone_is_found() {
        let root = Scratch::new("of-root");
        assert_eq!(of_root(&root), Vec::<PathBuf>::new());
        for folder in ["etc/ssh", "etc/ssl/private", "etc/ssl/certs"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for file in [
            "passwd",
            "shadow",
            "shadow-",
            "ssh/ssh_config",
            "ssh/ssh_host_rsa_key",
            "ssh/ssh_host_rsa_key.pub",
        ] {
            fs::write(root.join("etc").join(file), "").unwrap();
        }
        let want = ["etc/shadow", "etc/shadow-", "etc/ssh/ssh_host_rsa_key", "etc/ssl/private"];
        assert_eq!(of_root(&root), want.map(|path| root.join(path)));
        let is_hidden = hidden(&root).contains(&PathBuf::from("/etc/shadow"));
        assert_eq!(is_hidden, rustix::process::geteuid().is_root() && Path::new("/etc/shadow").exists());
    }

    // S5
    #[test]
    fn s5_a_database_behind_a_link_is_hidden_with_all_that_lies_beside_it() {
        let folder = folder("hidden-database");
        let parts =
            ["disk/hub.db", "disk/hub.db-wal", "disk/hub.db-shm", "disk/hub.db-host", "disk/hub.db-pair"];
        write(&folder, &parts);
        write(&folder, &["disk/other", "etc/alias.db-wal", "data/.env"]);
        symlink("../disk/hub.db", folder.join("data/hub.db")).unwrap();
        symlink("../disk/hub.db", folder.join("etc/alias.db")).unwrap();
        symlink("disk", folder.join("mount")).unwrap();
        let want = |more: &[&'static str]| [&["data"][..], &parts, more].concat();
        assert_eq!(names(&folder, &[]), want(&[]), "the data folder's own file is a link");
        let url = |file: &str| [("DATABASE_URL", format!("sqlite://{}/{file}", folder.display()))];
        let alias = names(&folder, &url("etc/alias.db"));
        for part in want(&["etc/alias.db-wal"]) {
            assert!(alias.iter().any(|path| path == part), "{part} is not hidden: {alias:?}");
        }
        assert_eq!(names(&folder, &url("mount/hub.db")), want(&[]), "a folder on the way is a link");
        // A journal is there while a change is written.
        write(&folder, &["disk/hub.db-journal"]);
        assert!(names(&folder, &[]).iter().any(|path| path == "disk/hub.db-journal"));
    }

    // S5
    #[test]
    fn s5_what_links_of_the_data_folder_lead_to_is_hidden() {
        let folder = folder("hidden-links");
        let secrets = [
            "disk/env",
            "disk/profiles.yml",
            "disk/work/org/space/target",
            "disk/of-org/space/file",
            "disk/of-space/file",
            "disk/connectors/org/ca.pem",
            "disk/plugin/plugin.yaml",
            "disk/backups/old.db",
        ];
        write(&folder, &secrets);
        write(&folder, &["outside/file"]);
        fs::create_dir_all(folder.join("data/dbt/work/org")).unwrap();
        fs::create_dir_all(folder.join("data/plugins")).unwrap();
        let link = |target: &str, name: &str| symlink(folder.join(target), folder.join(name)).unwrap();
        for (target, name) in [
            ("disk/env", "data/.env"),
            ("disk/profiles.yml", "data/dbt/profiles.yml"),
            ("disk/of-org", "data/dbt/work/other"),
            ("disk/of-space", "data/dbt/work/org/space"),
            ("disk/plugin", "data/plugins/mine"),
            ("disk/nothing", "data/gone"),
            ("/usr/bin", "data/tools"),
        ] {
            link(target, name);
        }
        // By way of another link, which lies in another folder.
        link("disk/connectors", "step");
        symlink("../step", folder.join("data/connectors")).unwrap();
        link("disk/backups", "data/backups");
        let mut found = names(&folder, &[]);
        found.sort();
        let want = [
            "data",
            "disk/backups",
            "disk/connectors",
            "disk/env",
            "disk/of-org",
            "disk/of-space",
            "disk/plugin",
            "disk/profiles.yml",
        ];
        assert_eq!(found, want);
        // A run hides nothing from others: what it writes is not followed.
        link("outside", "disk/of-space/link");
        assert!(!names(&folder, &[]).contains(&"outside".to_owned()));
        // The whole of it on another disk, and something of that on a third.
        fs::remove_dir_all(folder.join("data/dbt")).unwrap();
        fs::create_dir_all(folder.join("disk/dbt")).unwrap();
        link("disk/dbt", "data/dbt");
        link("disk/work", "disk/dbt/work");
        let found = names(&folder, &[]);
        for name in ["disk/dbt", "disk/work"] {
            assert!(found.contains(&name.to_owned()), "{name}: {found:?}");
        }
        let env = |_: &str| None::<String>;
        let told = bare(&env, &folder.join("data"));
        let tools = told.iter().filter(|text| text.contains("data/tools leads to /usr/bin")).count();
        assert_eq!((told.len(), tools), (1, 1), "{told:?}");
        fs::remove_dir_all(&folder).unwrap();
    }

    // S5
    #[test]
    fn s5_the_python_behind_a_link_of_the_data_folder_is_seen() {
        let folder = folder("seen-python");
        let files = [
            "opt/python/bin/python3.12",
            "opt/python/lib/python3.12/os.py",
            "opt/python/secret",
            "data/.env",
            "data/dbt/venvs/1/bin/dbt",
        ];
        write(&folder, &files);
        let link = |target: &str, name: &str| symlink(folder.join(target), folder.join(name)).unwrap();
        link("opt/python", "data/dbt/python");
        link("data/dbt/venvs/1", "data/dbt/venv");
        link("data/dbt/python/bin/python3.12", "data/dbt/venvs/1/bin/python3");
        symlink("python3", folder.join("data/dbt/venvs/1/bin/python")).unwrap();
        assert!(names(&folder, &[]).contains(&"opt/python".to_owned()));
        let seen = || {
            let inner = |path: PathBuf| path.strip_prefix(&*folder).unwrap().display().to_string();
            programs(&folder.join("data")).into_iter().map(inner).collect::<Vec<_>>()
        };
        let own = ["data/dbt/venvs/1", "data/dbt/venv"];
        let python = |base: &str| [format!("{base}/bin"), format!("{base}/lib")];
        for home in ["data/dbt/python/bin", "opt/python/bin"] {
            let about = format!("home = {}\nversion = 3.12.3\n", folder.join(home).display());
            fs::write(folder.join("data/dbt/venv/pyvenv.cfg"), about).unwrap();
            let mut want = [own.map(str::to_owned), python("data/dbt/python"), python("opt/python")].concat();
            let mut found = seen();
            want.sort();
            found.sort();
            assert_eq!(found, want, "{home}");
        }
        // Where something hidden lies among them, it stays so.
        write(&folder, &["opt/python/lib/hub.db"]);
        link("opt/python/lib/hub.db", "data/hub.db");
        let found = seen();
        assert!(found.contains(&"opt/python/bin".to_owned()), "{found:?}");
        assert!(!found.iter().any(|path| path.ends_with("/lib")), "{found:?}");
        // What is not hidden needs no help.
        fs::remove_file(folder.join("data/dbt/python")).unwrap();
        fs::remove_file(folder.join("data/dbt/venvs/1/bin/python3")).unwrap();
        link("opt/python/bin/python3.12", "data/dbt/venvs/1/bin/python3");
        fs::write(folder.join("data/dbt/venv/pyvenv.cfg"), "home = /usr/bin\n").unwrap();
        assert_eq!(seen(), own);
    }

    // S5
    #[test]
    fn s5_another_name_of_the_database_is_told() {
        let folder = folder("hard-link");
        write(&folder, &["data/hub.db", "data/.env"]);
        let env = |name: &str| (name == "HOME").then(|| folder.join("home").display().to_string());
        let told = || bare(&env, &folder.join("data"));
        assert_eq!(told(), Vec::<String>::new());
        fs::hard_link(folder.join("data/hub.db"), folder.join("other.db")).unwrap();
        let texts = told();
        let names = format!("{} has more than one name", folder.join("data/hub.db").display());
        assert!(texts.len() == 1 && texts[0].starts_with(&names), "{texts:?}");
        fs::hard_link(folder.join("data/.env"), folder.join("env")).unwrap();
        assert_eq!(told().len(), 2);
        fs::remove_dir_all(&folder).unwrap();
    }

    // S5
    #[test]
    fn s5_what_the_host_signs_in_to_postgresql_with_is_hidden() {
        let folder = folder("hidden-login");
        write(
            &folder,
            &["home/.pgpass", "home/notes", "etc/pass", "etc/client.key", "etc/other.key", "etc/ca.pem"],
        );
        symlink("../etc/other.key", folder.join("home/key")).unwrap();
        let path = |name: &str| folder.join(name).display().to_string();
        let url = |query: &str| ("DATABASE_URL", format!("postgres://hub@db/hub?{query}"));
        let encoded = path("etc/client.key").replace('/', "%2F");
        for (variables, want) in [
            (vec![], &["data", "home/.pgpass"][..]),
            (vec![("PGPASSFILE", path("etc/pass"))], &["data", "home/.pgpass", "etc/pass"]),
            (vec![("PGPASSFILE", path("etc/none"))], &["data", "home/.pgpass"]),
            (vec![("PGSSLKEY", path("home/key"))], &["data", "home/.pgpass", "etc/other.key"]),
            (
                vec![("PGSSLKEY", "-----BEGIN KEY-----\nx\n-----END KEY-----".to_owned())],
                &["data", "home/.pgpass"],
            ),
            (
                vec![url(&format!("sslmode=require&sslkey={encoded}"))],
                &["data", "home/.pgpass", "etc/client.key"],
            ),
            (
                vec![url(&format!("ssl-key={}", path("etc/client.key")))],
                &["data", "home/.pgpass", "etc/client.key"],
            ),
            // What everybody may know: runs check the same servers by it.
            (vec![url(&format!("sslrootcert={}", path("etc/ca.pem")))], &["data", "home/.pgpass"]),
        ] {
            assert_eq!(names(&folder, &variables), want, "{variables:?}");
        }
    }

    #[test]
    fn s5_a_user_has_the_home_that_the_machines_list_says() {
        let users = "root:x:0:0:root:/root:/bin/sh\nhub:x:998:998::/srv/hub:/usr/sbin/nologin\nnobody:x:65534:65534:\n";
        assert_eq!(home_of(users, 998), Some(PathBuf::from("/srv/hub")));
        assert_eq!((home_of(users, 65534), home_of(users, 7)), (None, None));
    }
}
