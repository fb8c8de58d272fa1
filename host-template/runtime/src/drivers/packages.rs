//! Names of pip packages as operators type them: `pandas`, `dbt-snowflake==1.11.0`, `dbt-bigquery[extra]`. Never an
//! option, an address or a file: what is typed here goes onto pip's command line.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use hub_release::beneath::Beneath;

use super::aliases::plain;
use super::install::{beside, packages_of};
use super::slot::Slot;
use crate::discover::{OF_DRIVERS, is_of_driver};

/// Whether the text is a name of PEP 508, with extras and one exact version where they are asked for.
pub(crate) fn is_exact(text: &str) -> bool {
    let (name, version) = match text.split_once("==") {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    };
    let (name, extras) = match name.split_once('[') {
        Some((name, rest)) => (name, rest.strip_suffix(']')),
        None => (name, Some("a")),
    };
    let sound = |name: &str| {
        (1..=100).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    let released = |version: &str| {
        (1..=60).contains(&version.len())
            && version.starts_with(|c: char| c.is_ascii_digit())
            && version
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'!' | b'+' | b'-' | b'_'))
    };
    sound(name) && extras.is_some_and(|extras| extras.split(',').all(sound)) && version.is_none_or(released)
}

/// Makes one entry in `<data>/plugins` for each package that is installed, a link to what pip has noted of it, and takes
/// those away whose package is gone. An entry that is not ours stays as it is; its name is given.
pub(super) fn show(data: &Path) -> io::Result<Vec<String>> {
    let mut wanted: BTreeMap<String, PathBuf> = BTreeMap::new();
    if let Some(set) = Slot::drivers(data).current() {
        for package in packages_of(&set)? {
            if let Some(noted) = noted(&set, &package) {
                wanted.insert(plain(&package), Path::new(OF_DRIVERS[0]).join(noted));
            }
        }
    }
    if let Some(venv) = Slot::dbt(data).current() {
        for package in packages_of(&venv)? {
            for libraries in beside(&venv) {
                if let (Ok(inner), Some(noted)) = (libraries.strip_prefix(&venv), noted(&libraries, &package))
                {
                    wanted.insert(plain(&package), Path::new(OF_DRIVERS[1]).join(inner).join(noted));
                }
            }
        }
    }
    let folder = Beneath::open(data)?.make_folder("plugins", 0o755)?;
    let mut taken = Vec::new();
    for (name, _) in folder.list()? {
        let Some(name) = name.to_str() else { continue };
        match folder.target(name)? {
            Some(target) if is_of_driver(&target) => {
                if wanted.get(name) == Some(&target) {
                    wanted.remove(name);
                } else {
                    folder.forget(name)?;
                }
            }
            _ => {
                if wanted.remove(name).is_some() {
                    taken.push(name.to_owned());
                }
            }
        }
    }
    for (name, target) in wanted {
        folder.link(&name, &target)?;
    }
    Ok(taken)
}

/// The folder in which pip notes what it installed of a package.
fn noted(libraries: &Path, package: &str) -> Option<String> {
    let package = plain(package);
    std::fs::read_dir(libraries).ok()?.flatten().find_map(|entry| {
        let file = entry.file_name().to_str()?.to_owned();
        let (name, _) = file.strip_suffix(".dist-info")?.split_once('-')?;
        (plain(name) == package).then_some(file)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overrides::Chains;
    use crate::page_paths::Pages;
    use crate::registry::Registry;
    use crate::scratch::Scratch;

    // O11
    #[test]
    fn o11_each_package_has_an_entry_and_others_stay() {
        use std::fs;

        let data = Scratch::new("entries");
        let set = data.join("drivers/.set-1");
        let notes = |name: &str, extra: &str| {
            fs::create_dir_all(set.join(name)).unwrap();
            fs::write(set.join(name).join(extra), "name: x\nversion: 1.0.0\ndisplay_name: X\n").unwrap();
        };
        notes("PyMySQL-1.1.dist-info", "METADATA");
        notes("evil-1.0.dist-info", "plugin.yaml");
        notes("mine-1.0.dist-info", "METADATA");
        notes("not_asked_for-1.0.dist-info", "METADATA");
        fs::write(set.join("hub-drivers.json"), r#"["pymysql", "evil==1.0", "mine", "never-installed"]"#)
            .unwrap();
        std::os::unix::fs::symlink(".set-1", data.join("drivers/current")).unwrap();
        fs::create_dir_all(data.join("plugins/mine")).unwrap();
        std::os::unix::fs::symlink("/elsewhere", data.join("plugins/linked")).unwrap();
        let entries = || {
            let mut names: Vec<_> = fs::read_dir(data.join("plugins"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        assert_eq!(show(&data).unwrap(), ["mine"], "the customer's own folder is left alone");
        assert_eq!(entries(), ["evil", "linked", "mine", "pymysql"]);
        assert!(data.join("plugins/pymysql/METADATA").is_file());
        let none = Registry::new(Vec::new(), Chains::default(), Pages::default());
        let found = none.rescanned(&data, &|_| None).plugins;
        assert!(found.is_empty(), "a driver is no vertical plugin, whatever it holds");
        fs::rename(set.join("PyMySQL-1.1.dist-info"), set.join("PyMySQL-1.2.dist-info")).unwrap();
        fs::write(set.join("hub-drivers.json"), r#"["pymysql"]"#).unwrap();
        assert!(show(&data).unwrap().is_empty() && show(&data).unwrap().is_empty());
        assert_eq!(entries(), ["linked", "mine", "pymysql"], "what is gone has no entry");
        assert!(data.join("plugins/pymysql/METADATA").is_file(), "of another version");
        fs::write(set.join("hub-drivers.json"), r#"["pymysql""#).unwrap();
        let error = show(&data).unwrap_err().to_string();
        assert!(error.contains("hub-drivers.json cannot be understood"), "{error}");
        assert_eq!(entries(), ["linked", "mine", "pymysql"], "a list that was cut off takes no entry away");
    }

    // D11
    #[test]
    fn d11_only_names_of_packages_are_taken() {
        for sound in [
            "pandas",
            "dbt-snowflake",
            "dbt_spark[session,pyhive]",
            "zope.interface==7.2",
            "a==1!2.0rc1+local-1",
        ] {
            assert!(is_exact(sound), "{sound}");
        }
        for wrong in [
            "",
            "-r",
            "--index-url=x",
            "https://x/y.whl",
            "git+https://x",
            "./x",
            "/x",
            "x.whl/y",
            "a b",
            "a;python_version>'3'",
            "a==",
            "a==*",
            "a>=1",
            "a<2",
            "a==1 --pre",
            "a[",
            "a[b",
            "a[]",
            "-a",
            "a-",
            ".a",
            "a @ file:///x",
            "ä",
            "a\n",
            "a==1;x",
            &"a".repeat(101),
        ] {
            assert!(!is_exact(wrong), "{wrong}");
        }
    }
}
