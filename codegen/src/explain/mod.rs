//! Why things are as they are: an override key, a route, a page, a plugin or a diagnostic code, told from the plan.

mod key;
mod path;
mod slug;

use std::collections::BTreeSet;

use hub_manifest::codes::{self, CODES, Entry};
use hub_manifest::diagnostic::Level;
use hub_manifest::grammar::{alternatives, nearest};

use crate::load::websource::Source;
use crate::pack::inventory::{Inventory, Route};
use crate::pipeline::Front;

pub use path::needs_host;

/// Columns of the text.
const WIDTH: usize = 80;

/// What can be asked about.
pub struct World<'a> {
    /// The plan and the plugins.
    pub front: &'a Front,
    /// Sources of the web shell.
    pub shell: &'a [Source],
    /// The routes that are known.
    pub routes: Routes,
}

/// The routes of the last build, as far as they still hold.
#[derive(Debug, Default)]
pub struct Routes {
    /// Routes of the platform and of plugins that did not change since.
    pub known: Vec<Route>,
    /// Slugs of plugins whose routes only a build can tell.
    pub unknown: BTreeSet<String>,
}

impl Routes {
    /// Takes the routes of those plugins that are as they were when the lock was written.
    pub fn of_lock(lock: Option<&Inventory>, now: &Inventory, with_routers: &BTreeSet<String>) -> Routes {
        let same = |slug: &str| {
            let digest = |inventory: &Inventory| {
                let mut plugins = inventory.plugins.iter();
                plugins.find(|plugin| plugin.name == slug).map(|plugin| plugin.digest.clone())
            };
            lock.is_some_and(|lock| digest(lock).is_some() && digest(lock) == digest(now))
        };
        let unknown: BTreeSet<String> = with_routers.iter().filter(|slug| !same(slug)).cloned().collect();
        let holds = |route: &&Route| route.plugin.as_ref().is_none_or(|slug| same(slug));
        let known = lock.into_iter().flat_map(|lock| &lock.routes).filter(holds).cloned().collect();
        Routes { known, unknown }
    }
}

/// Everything that there is to say about `what`, or what is wrong with the question.
pub fn explain(world: &World<'_>, what: &str) -> Result<String, String> {
    let what = what.trim();
    if let Some(code) = codes::find(&what.to_ascii_uppercase()) {
        return Ok(of_code(code.entry()));
    }
    let is_path = what.starts_with('/') || what.contains(" /");
    let found = if is_path {
        path::explain(world, what)
    } else {
        slug::explain(world, what).or_else(|| key::explain(world, what))
    };
    found.ok_or_else(|| unknown(world, what))
}

/// An entry of the registry.
fn of_code(entry: &Entry) -> String {
    let level = if entry.level == Level::Error { "error" } else { "warning" };
    let mut out = Page::new(&format!("{} ({level}): {}", entry.id, entry.title));
    for (heading, text) in [("cause", entry.cause), ("cure", entry.cure), ("why", entry.why)] {
        out.section(heading);
        out.line(text);
    }
    out.0
}

/// The nearest names of all kinds.
fn unknown(world: &World<'_>, what: &str) -> String {
    let plan = &world.front.resolved.plan;
    let mut names: BTreeSet<String> = plan.web.asked.iter().chain(plan.web.keys.keys()).cloned().collect();
    names.extend(plan.host.plugins.iter().map(|plugin| plugin.name.clone()));
    names.extend(world.routes.known.iter().map(|route| route.path.clone()));
    names.extend(plan.web.entries.iter().flat_map(|entry| entry.paths.iter().cloned()));
    names.extend(CODES.iter().map(|code| code.to_string()));
    let asked = what.split_once(" /").map_or_else(|| what.to_string(), |(_, path)| format!("/{path}"));
    let near = nearest(&asked, names.iter().map(String::as_str));
    let message =
        format!("`{what}` is no override key, route, page, plugin or diagnostic code of this build");
    match near.as_slice() {
        [] => message,
        near => format!("{message}\n  = help: did you mean {}?", alternatives(near)),
    }
}

/// A text for a terminal: a title, and headings with indented lines.
struct Page(String);

impl Page {
    fn new(title: &str) -> Page {
        Page(format!("{title}\n"))
    }

    fn section(&mut self, heading: &str) {
        self.0.push_str(&format!("\n{heading}\n"));
    }

    /// One line, broken at spaces where it would be too long; what follows is indented alike.
    fn line(&mut self, text: &str) {
        let inner = text.trim_start();
        // What follows a number stands under its text.
        let numbered = if inner.starts_with(|c: char| c.is_ascii_digit()) { 3 } else { 0 };
        let indent = 2 + text.len() - inner.len() + numbered;
        let mut column = 0;
        for word in text.split(' ') {
            let wide = word.chars().count();
            if column == 0 {
                self.0.push_str("  ");
                column = 2;
            } else if column + 1 + wide > WIDTH {
                self.0.push('\n');
                self.0.push_str(&" ".repeat(indent));
                column = indent;
            } else {
                self.0.push(' ');
                column += 1;
            }
            self.0.push_str(word);
            column += wide;
        }
        self.0.push('\n');
    }

    /// A section with lines, left out where there are none.
    fn list(&mut self, heading: &str, lines: impl IntoIterator<Item = String>) {
        let lines: Vec<String> = lines.into_iter().collect();
        if !lines.is_empty() {
            self.section(heading);
            lines.iter().for_each(|line| self.line(line));
        }
    }
}
