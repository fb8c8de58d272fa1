//! `preflight`: prints what stands in the way of this release, for people or as JSON.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{print_json, runtime};
use crate::fault::Fault;
use crate::platform::Platform;
use crate::preflight::{self, Asked, Purpose, Report};
use crate::settings::{address, process_env};

#[derive(Args)]
pub(super) struct Preflight {
    /// The data folder of the service
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The address that the service will listen on
    #[arg(long, value_parser = address)]
    listen: Option<SocketAddr>,
    /// The program of the release in use [default: that of `current`]
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// A table, or a column as TABLE.COLUMN, whose data a migration may remove; may repeat
    #[arg(long, value_name = "TABLE")]
    accept_loss: Vec<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Runs it; the exit code says whether anything stands in the way.
pub(super) fn run(platform: &Platform, asked: Preflight, named: Option<&Path>) -> Result<ExitCode, Fault> {
    let Preflight { data, listen, since, accept_loss, json } = asked;
    // The upgrade of an older release says `--data`.
    let data = data.or_else(|| named.map(Path::to_path_buf));
    let runtime = runtime()?;
    let accepted = accept_loss.into_iter().collect();
    let asked = Asked { purpose: Purpose::TakeOver, data, listen, since, accepted };
    let report = runtime.block_on(preflight::run(platform, &asked, &process_env));
    if json {
        print_json(&report);
    } else {
        let _ = io::stdout().write_all(text(&report).as_bytes());
    }
    Ok(ExitCode::from(report.exit()))
}

fn text(report: &Report) -> String {
    let mut out = format!("hub-platform {}\n", report.version);
    for migration in &report.changes.migrations {
        let whose = migration.plugin.as_deref().unwrap_or("the platform");
        out += &format!("migration of {whose}: {}\n", migration.name);
    }
    if let Some(bytes) = report.changes.copied_bytes {
        let megabytes = bytes.div_ceil(1_000_000);
        out += &format!("tried on a copy of the database, {megabytes} MB, which is gone again\n");
    }
    for (kind, findings) in [("warning", &report.warnings), ("error", &report.errors)] {
        for finding in findings {
            out += &format!("{kind}: {}\n  help: {}\n", finding.what, finding.help);
        }
    }
    out += if report.ok { "nothing stands in its way\n" } else { "it cannot take over as it is\n" };
    out
}
