//! `warehouses`: on which host the data of each organisation's workspace lies, and the way to change it.

use std::io::{self, Write};

use clap::{Args, Subcommand};

use super::{print_json, print_table, runtime};
use crate::args;
use crate::audit::{self, Actor, Event};
use crate::db::{Db, Error};
use crate::fault::Fault;
use crate::identity::Org;
use crate::locate::{self, Absent};
use crate::runs::home::{self, Home};
use crate::settings::{self, process_env};
use crate::start;

#[derive(Subcommand)]
pub(super) enum Warehouses {
    /// List them: organisation, workspace, adapter, host
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make this host the home of a workspace's data, once they have been copied here
    Move(Which),
    /// Forget where a workspace's data lies: its next run begins anew, on whichever host takes it
    Forget(Which),
}

/// A workspace of an organisation.
#[derive(Args)]
pub(super) struct Which {
    /// Name of the organisation
    #[arg(long)]
    org: String,
    /// Slug of the workspace, as `warehouses list` shows it
    #[arg(long)]
    workspace: String,
}

/// Runs the command on the installation's database.
pub(super) fn run(command: &Warehouses) -> Result<(), Fault> {
    let (data, _) = locate::data_dir(None, None, &process_env)?;
    if matches!(command, Warehouses::Move(_)) && !data.is_dir() {
        return Err(Fault::usage(
            format!("there is no data folder {}: no host works here that could be the home", data.display()),
            "run the command on the host that is to have the data, with its data folder: --data-dir DIR or DATA_DIR=DIR",
        ));
    }
    runtime()?.block_on(async {
        let db = match command {
            Warehouses::List { .. } => start::database_to_read(&process_env, &data).await?,
            _ => start::database(&process_env, &data, Absent::Refused).await?,
        };
        let done = match command {
            Warehouses::List { json } => list(&db, *json).await,
            Warehouses::Move(which) => match settings::host_id(&data) {
                Ok(host) => change(&db, which, Some(&host)).await,
                Err(fault) => Err(fault),
            },
            Warehouses::Forget(which) => change(&db, which, None).await,
        };
        db.close().await;
        done
    })
}

fn away(error: &Error) -> Fault {
    Fault::machine(
        format!("the database does not answer: {error}"),
        error.help("see that it runs, and run the command again; nothing was changed"),
    )
}

async fn list(db: &Db, json: bool) -> Result<(), Fault> {
    let homes = home::all(db).await.map_err(|e| away(&e))?;
    if json {
        print_json(&homes);
        return Ok(());
    }
    let row = |home: Home| {
        let host = match (&home.name, &home.host) {
            (Some(name), Some(id)) => format!("{name} ({id})"),
            (None, Some(id)) => id.clone(),
            _ => "any".to_owned(),
        };
        let profile = if home.own_profile { "profiles.yml" } else { "the platform's" };
        [home.org, home.workspace, home.adapter, profile.to_owned(), host, home.seen_at.unwrap_or_default()]
    };
    let head = ["ORGANISATION", "WORKSPACE", "ADAPTER", "PROFILE", "HOST", "LAST SEEN"];
    print_table(head, homes.into_iter().map(row).collect());
    Ok(())
}

async fn change(db: &Db, which: &Which, to: Option<&str>) -> Result<(), Fault> {
    let Which { org: name, workspace } = which;
    let mut tx = db.begin().await.map_err(|e| away(&e))?;
    let org: Option<Org> = tx
        .one("SELECT id, name FROM hub_orgs WHERE name = $1", args![name.trim()])
        .await
        .map_err(|e| away(&e))?;
    let org = org.ok_or_else(|| {
        Fault::usage(
            format!("there is no organisation `{}`", name.escape_debug()),
            "write its name as `hub-platform warehouses list` shows it",
        )
    })?;
    let done = match to {
        Some(host) => home::relocate(&mut tx, &org.id, workspace, host).await,
        None => home::forget(&mut tx, &org.id, workspace).await,
    };
    if !done.map_err(|e| away(&e))? {
        return Err(Fault::usage(
            format!(
                "the workspace `{}` of `{}` has no data yet, or a run of it is under way",
                workspace.escape_debug(),
                org.name
            ),
            "`hub-platform warehouses list` shows those that have; wait for the run's end, or cancel it",
        ));
    }
    let (event, text) = match to {
        Some(_) => ("warehouse_moved", "this host has the data now, and takes the runs"),
        None => ("warehouse_forgotten", "the next run begins anew"),
    };
    let event = Event::new(event).with("workspace", workspace.as_str());
    let event = match to {
        Some(host) => event.with("host", host),
        None => event,
    };
    audit::record(&mut tx, &org.id, &Actor::platform(), event).await.map_err(|e| away(&e))?;
    tx.commit().await.map_err(|e| away(&e))?;
    let _ = writeln!(io::stdout(), "workspace {workspace} of {}: {text}", org.name);
    Ok(())
}
