//! What a run sees and may cost: its own plugin, its own work folder, its own settings, and nothing of anybody else's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hub_manifest::limits::{Limit, Limits};
use hub_manifest::rules::settings::is_platform_variable;

use super::recipe::Recipe;
use super::store::Run;
use crate::drivers;
use crate::process::Job;
use crate::registry::Hub;
use crate::settings::{self, Database, process_env};

/// The limits and the sight of one run, for each program that it starts.
pub(super) struct Fences {
    read: Vec<PathBuf>,
    hide: Vec<PathBuf>,
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

/// The folders of dbt and of the drivers, by the names that programs know them by.
pub(crate) fn programs(data: &Path) -> Vec<PathBuf> {
    let dbt = data.join("dbt/venv");
    let whole_dbt = dbt.canonicalize().ok();
    let drivers = drivers::python_path(data);
    whole_dbt.into_iter().chain(dbt.exists().then_some(dbt)).chain(drivers).collect()
}

/// What a machine keeps for root alone, and a program of a host that is root would read like anything else of root's: it has given
/// up what root may besides, and still owns them. Below the root folder.
const OF_ROOT: &[&str] = &[
    "etc/gshadow",
    "etc/gshadow-",
    "etc/security/opasswd",
    "etc/shadow",
    "etc/shadow-",
    "etc/ssl/private",
    "root/.ssh",
];
/// Where a machine has the keys that others know it by, beside what every program that goes elsewhere by SSH reads.
const SSH: &str = "etc/ssh";

/// Those that are there.
fn of_root(root: &Path) -> Vec<PathBuf> {
    let is_key = |name: &str| name.starts_with("ssh_host_") && !name.ends_with(".pub");
    // A machine without that folder has no keys in it.
    let ssh = std::fs::read_dir(root.join(SSH)).into_iter().flatten().flatten();
    let keys = ssh.filter(|entry| entry.file_name().to_str().is_some_and(is_key)).map(|entry| entry.path());
    let mut all: Vec<PathBuf> = OF_ROOT.iter().map(|path| root.join(path)).chain(keys).collect();
    all.retain(|path| path.exists());
    all.sort();
    all
}

/// What nobody but the host sees: the data folder, and a database that lies elsewhere; where the host is root, what is root's alone.
pub(crate) fn hidden(data: &Path) -> Vec<PathBuf> {
    let mut hidden = vec![data.canonicalize().unwrap_or_else(|_| whole(data))];
    if let Ok(Database::Sqlite(file)) = settings::database(process_env("DATABASE_URL").as_deref(), data) {
        for path in settings::database_files(&whole(&file)) {
            if !hidden.iter().any(|hidden| path.starts_with(hidden)) && path.exists() {
                hidden.push(path);
            }
        }
    }
    if rustix::process::geteuid().is_root() {
        hidden.extend(of_root(Path::new("/")));
    }
    hidden
}

/// A path that means the same in another folder.
fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn s5_what_is_roots_alone_is_found() {
        let root = std::env::temp_dir().join(format!("hub-of-root-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
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
        fs::remove_dir_all(&root).unwrap();
    }
}
