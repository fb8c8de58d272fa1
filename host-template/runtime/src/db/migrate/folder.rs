//! The migrations of a folder: which files there are, in order, and their texts.

use std::fs;
use std::io;
use std::path::Path;

use hub_manifest::migrations::{MAX_BYTES, Unordered, in_order};
use hub_release::beneath::Beneath;

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// File name, such as `0001_records.sql`; the number in front of it sets the order.
    pub name: String,
    /// Several statements, separated by `;`.
    pub sql: String,
}

/// The migrations of a folder, in order. A link that leads out of the folder, a pipe or a device is none, nor is a file of more than
/// [`MAX_BYTES`].
pub fn read_folder(folder: &Path) -> Result<Vec<Migration>, String> {
    let shown = folder.display();
    let entries = fs::read_dir(folder).map_err(|e| format!("cannot read the migrations in {shown}: {e}"))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| format!("cannot read the migrations in {shown}: {e}"))?;
        names.extend(entry.file_name().into_string().ok());
    }
    let (order, unordered) = in_order(names);
    match unordered.first() {
        Some(Unordered::NoNumber(name)) => {
            return Err(format!(
                "migration {name} has no number: name it like 0001_what_it_does.sql, so that the order is clear"
            ));
        }
        Some(Unordered::SameNumber(first, second)) => {
            return Err(format!("migrations {first} and {second} have the same number"));
        }
        None => {}
    }
    let below = Beneath::open(folder).map_err(|e| format!("cannot read the migrations in {shown}: {e}"))?;
    let text = |name: &str| -> io::Result<String> {
        let bytes = below.read_within(name, MAX_BYTES)?;
        String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
    };
    let read = |name: String| match text(&name) {
        Ok(sql) => Ok(Migration { name, sql }),
        Err(e) => Err(format!("cannot read the migration {}: {e}", folder.join(&name).display())),
    };
    order.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    // S7, S12: what lies there is not read whatever it is.
    #[test]
    fn s7_a_migration_is_a_file_of_its_folder_and_has_an_end() {
        let folder = Scratch::new("migrations-of");
        let migrations = folder.join("migrations");
        fs::create_dir_all(migrations.join("..data")).unwrap();
        fs::write(folder.join("secret"), "secret").unwrap();
        // As Kubernetes puts a ConfigMap there.
        fs::write(migrations.join("..data/0001_a.sql"), "SELECT 1").unwrap();
        std::os::unix::fs::symlink("..data/0001_a.sql", migrations.join("0001_a.sql")).unwrap();
        assert_eq!(read_folder(&migrations).unwrap()[0].sql, "SELECT 1");
        let file = migrations.join("0002_b.sql");
        let told = |wrong: &str| {
            let error = read_folder(&migrations).unwrap_err();
            let told = format!("cannot read the migration {}: ", file.display());
            assert!(error.starts_with(&told) && error.contains(wrong), "{error}");
            fs::remove_file(&file).unwrap();
        };
        std::os::unix::fs::symlink("../secret", &file).unwrap();
        told("link");
        fs::File::create(&file).unwrap().set_len(MAX_BYTES + 1).unwrap();
        told("it has more than 4194304 bytes");
        fs::write(&file, [0xff_u8]).unwrap();
        told("it is not UTF-8");
        assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
        told("it is not a regular file");
    }

    #[test]
    fn files_are_read_in_the_order_of_their_numbers() {
        let folder = Scratch::new("migrations");
        for name in ["0010_c.sql", "0002_b.sql", "README.md"] {
            fs::write(folder.join(name), name).unwrap();
        }
        let names: Vec<_> = read_folder(&folder).unwrap().into_iter().map(|m| m.name).collect();
        assert_eq!(names, ["0002_b.sql", "0010_c.sql"]);
        fs::write(folder.join("2_d.sql"), "").unwrap();
        assert_eq!(
            read_folder(&folder).unwrap_err(),
            "migrations 0002_b.sql and 2_d.sql have the same number"
        );
    }
}
