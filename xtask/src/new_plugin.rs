//! `cargo xtask new-plugin`: makes a plugin that runs, and says what to do with it.

use std::path::{Path, PathBuf};

use hub_codegen::pipeline::Repo;
use hub_codegen::report::{Style, machine};
use hub_codegen::scaffold::{ScaffoldError, new_plugin};

use crate::Outcome;
use crate::cli::NewPluginArgs;
use crate::report::shown;

/// Runs `new-plugin`.
pub fn run(args: &NewPluginArgs) -> Outcome {
    let repo = Repo::find();
    let own = repo.root.join("plugins");
    let dir = args.plugins.clone().unwrap_or_else(|| own.clone());
    match new_plugin(&repo.root, &dir, &args.slug) {
        Ok(folder) => {
            let elsewhere = dir.canonicalize().ok() != own.canonicalize().ok();
            println!("{}", next_steps(&args.slug, &folder, elsewhere.then_some(&dir)));
            Outcome::Done
        }
        Err(ScaffoldError::Refused(refused)) => {
            eprintln!("error: {refused}");
            Outcome::Usage
        }
        Err(ScaffoldError::Machine(lack)) => {
            let current = std::env::current_dir().unwrap_or_default();
            eprintln!("{}", machine(&lack, &Style::plain(current)).trim_end());
            Outcome::Machine
        }
    }
}

/// What to do with the new plugin, in three lines.
fn next_steps(slug: &str, folder: &Path, elsewhere: Option<&PathBuf>) -> String {
    let plugins = elsewhere.map(|dir| format!(" --plugins {}", shown(dir).display())).unwrap_or_default();
    let folder = shown(folder);
    format!(
        "{} is a plugin with a router, a page, an override and a dbt project\n  \
         check it    cargo xtask check{plugins}\n  \
         run it      cargo xtask dev{plugins}\n  \
         look at it  http://127.0.0.1:8001/{slug}/items, and begin in {}",
        folder.display(),
        folder.join("README.md").display()
    )
}
