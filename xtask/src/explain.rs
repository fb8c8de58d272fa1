//! `cargo xtask explain`: why an override wins, who answers a route, what a plugin brings, what a code means.

use std::collections::BTreeSet;

use hub_codegen::base::digest::FileCache;
use hub_codegen::base::failure::Failure;
use hub_codegen::explain::{Routes, World, explain, needs_host};
use hub_codegen::load::websource;
use hub_codegen::pack::inventory::{Inventory, Route, lock, planned, route_of};
use hub_codegen::pipeline::{self, Front, Profile, Repo, front};

use crate::Outcome;
use crate::build::stopped;
use crate::check::roots;
use crate::cli::{CheckArgs, ExplainArgs};
use crate::progress::Display;
use crate::report::{Report, shown};

/// Runs `explain`.
pub fn run(args: &ExplainArgs) -> Outcome {
    let repo = Repo::find();
    // Plugins with mistakes are explained as far as they are sound: `check` tells the rest.
    let front = match front(&repo, &roots(&repo, &args.plugins), &repo.version, false) {
        Ok(front) => front,
        Err(error) => {
            eprintln!("error: {error}");
            return Outcome::Usage;
        }
    };
    let mut cache = FileCache::open(&repo.output(Profile::Release).join("files.json"));
    let known =
        if args.plugins.is_empty() { lock::read(&repo.root.join(lock::NAME)).ok().flatten() } else { None };
    let plugins = front.resolved.plan.host.plugins.iter().filter(|plugin| !plugin.routers.is_empty());
    let with_routers: BTreeSet<String> = plugins.map(|plugin| plugin.name.clone()).collect();
    let now = planned(&repo.root, &repo.version, &front.resolved, &front.loaded, &mut cache);
    let now = now.unwrap_or_default();
    let what = args.what.join(" ");
    let mut routes = Routes::of_lock(known.as_ref(), &now, &with_routers);
    if needs_host(&routes, &what) && front.resolved.is_sound() {
        routes = match built(&repo, &front, known.as_ref()) {
            Ok(known) => Routes { known, unknown: BTreeSet::new() },
            Err(failure) => return stopped(Report::new(&CheckArgs::default()), failure),
        };
    }
    let shell = websource::scan(&shown(&repo.shell().join("src")));
    match explain(&World { front: &front, shell: &shell, routes }, &what) {
        Ok(text) => {
            print!("{text}");
            Outcome::Done
        }
        Err(message) => {
            eprintln!("error: {message}");
            Outcome::Failed
        }
    }
}

/// The routes that the built host has; it is compiled where none is at hand.
fn built(repo: &Repo, front: &Front, known: Option<&Inventory>) -> Result<Vec<Route>, Failure> {
    eprintln!("hub.lock does not tell: asking the host that these plugins make");
    let packages = known.map(|known| known.cargo_packages.as_slice()).unwrap_or_default();
    let routes = pipeline::routes(repo, front, packages, &Display::new(false))?;
    Ok(routes.iter().map(route_of).collect())
}
