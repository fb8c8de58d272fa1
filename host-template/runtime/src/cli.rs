//! The host's command line: one `match` that sends each command to its function.

mod admin;
pub(crate) mod drivers;
mod preflight;
mod releases;
mod warehouses;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use hub_manifest::environment::{self, quoted};
use hub_release::Install;
use rustix::fs::Mode;
use rustix::process::umask;
use serde::Serialize;

use self::admin::{CreateUser, EndSessions, ListUsers, ResetPassword};
use crate::api::{self, plugin_views};
use crate::connectors::probe;
use crate::data_folder;
use crate::discover;
use crate::env_file::Variables;
use crate::fault::Fault;
use crate::gather::gather;
use crate::locate::{self, Absent, Settled, Why};
use crate::logs;
use crate::mount::PLATFORM;
use crate::platform::{Mount, Platform};
use crate::privilege::{self, AsRoot};
use crate::process;
use crate::registry::{Plugin, Registry};
use crate::runs::reader;
use crate::serve;
use crate::settings::{self, address, process_env};
use crate::start::{self, Options};

#[derive(Parser)]
#[command(name = "hub-platform", about = "The hub platform: one host with all its vertical plugins")]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
struct Cli {
    /// Data folder [default: DATA_DIR, else the one that setup settled, else /data/honeyframe or the user's own]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API and the web page
    Serve {
        /// Address and port to listen on [default: LISTEN of the environment or of .env, else 127.0.0.1:8001]
        #[arg(long, env = environment::LISTEN, value_parser = address)]
        listen: Option<SocketAddr>,
        /// Show sample records to everybody
        #[arg(long)]
        demo: bool,
        /// Serve the page's files as they are on disk, and reload the page when they change
        #[arg(long, hide = true)]
        dev: bool,
    },
    /// Let another host take the place of the one that runs, without losing a request
    #[command(hide = true)]
    HandOver {
        /// How long it has to become ready
        #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3600))]
        patience: u64,
    },
    /// See whether this release could take the place of the one in use; changes nothing
    #[command(hide = true)]
    Preflight(preflight::Preflight),
    /// Manage the users of this installation
    Admin {
        #[command(subcommand)]
        command: AdminCommand,
    },
    /// Look at the vertical plugins
    Plugins {
        #[command(subcommand)]
        command: PluginsCommand,
    },
    /// Install drivers of connectors, and dbt, into the data folder
    Drivers {
        #[command(subcommand)]
        command: DriversCommand,
    },
    /// See on which host the data of dbt workspaces lies, and move them
    Warehouses {
        #[command(subcommand)]
        command: warehouses::Warehouses,
    },
    /// Make this release the current one of its install folder: launcher, links, data folder, drivers, service
    Setup(releases::Setup),
    /// Upgrade to another release: verify, unpack beside, try, switch, and go back where it does not serve
    Upgrade(releases::Upgrade),
    /// Go back to the release before the current one
    Rollback(releases::Rollback),
    /// See whether a tarball, or the installed releases, are what their lists say
    Verify(releases::Verify),
    /// Look at the whole installation, and say what to mend
    Doctor(releases::Doctor),
    /// List all routes, and what is wrong with them
    Routes {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// For the build: name each router before it is called; JSON is one line, the last one
        #[arg(long, hide = true, requires = "json")]
        trace: bool,
    },
}

#[derive(Subcommand)]
enum AdminCommand {
    /// Add a user, or give one another password, role or tenant; the password is read from standard input
    CreateUser(CreateUser),
    /// Give an account another password, read from standard input; all its sessions end
    ResetPassword(ResetPassword),
    /// List all accounts with their organisations
    ListUsers(ListUsers),
    /// Sign an account out everywhere, or everybody
    EndSessions(EndSessions),
}

#[derive(Subcommand)]
enum PluginsCommand {
    /// List all vertical plugins
    List {
        /// As JSON, like `GET /api/plugins`
        #[arg(long)]
        json: bool,
    },
    /// For setup: those of the customer's that have the name of one of the release, as JSON
    #[command(hide = true)]
    Namesakes,
}

#[derive(Subcommand)]
enum DriversCommand {
    /// Install drivers with pip: all that are named, or none
    Install {
        /// Aliases from `drivers list`, `dbt`, or pip packages to lie beside dbt (`dbt-snowflake`, `pandas==3.0.0`); commas
        /// may stand between them
        #[arg(required = true, value_delimiter = ',', value_name = "ALIAS")]
        names: Vec<String>,
    },
    /// List what can be installed, and what is
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command that the process was started with.
pub(crate) fn run(platform: &Platform) -> ExitCode {
    // Before anything else is looked at: it has one thread, and an environment that is empty on purpose.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|name| name == process::COMMAND) {
        return process::supervisor::run(arguments.next().is_some_and(|option| option == process::TRY));
    }
    if std::env::args_os().nth(1).is_some_and(|name| name == reader::COMMAND) {
        return reader::run();
    }
    if std::env::args_os().nth(1).is_some_and(|name| name == probe::COMMAND) {
        return probe::run();
    }
    let version = platform.plan().map(|plan| plan.version).unwrap_or_default();
    let matches = Cli::command().version(version).try_get_matches();
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match carry_out(platform, cli) {
        Ok(code) => code,
        Err(fault) => {
            let _ = writeln!(io::stderr(), "{fault}");
            ExitCode::from(fault.exit())
        }
    }
}

fn carry_out(platform: &Platform, cli: Cli) -> Result<ExitCode, Fault> {
    umask(Mode::from_raw_mode(cli.command.umask()));
    let named = cli.data_dir.as_deref();
    if let Some(touch) = cli.command.touch()
        && let Some(code) = installation(named, cli.command.install_dir(), touch)?
    {
        return Ok(code);
    }
    match cli.command {
        Command::Preflight(asked) => return preflight::run(platform, asked, named),
        Command::Serve { listen, demo, dev } => serve(platform, listen, demo, dev),
        Command::HandOver { patience } => hand_over(patience),
        Command::Admin { command } => match command {
            AdminCommand::CreateUser(new) => admin::create_user(&new),
            AdminCommand::ResetPassword(of) => admin::reset_password(&of),
            AdminCommand::ListUsers(how) => admin::list_users(&how),
            AdminCommand::EndSessions(of) => admin::end_sessions(&of),
        },
        Command::Plugins { command: PluginsCommand::List { json } } => list_plugins(platform, json),
        Command::Plugins { command: PluginsCommand::Namesakes } => list_namesakes(platform),
        Command::Drivers { command: DriversCommand::Install { names } } => drivers::install(&names),
        Command::Drivers { command: DriversCommand::List { json } } => drivers::list(json),
        Command::Warehouses { command } => warehouses::run(&command),
        Command::Setup(typed) => releases::setup(typed, cli.data_dir),
        Command::Upgrade(typed) => releases::upgrade(typed, cli.data_dir),
        Command::Rollback(typed) => releases::rollback(&typed, named),
        Command::Verify(typed) => releases::verify(&typed),
        Command::Doctor(typed) => releases::doctor(platform, &typed, named),
        Command::Routes { json, trace } => list_routes(platform, json, trace),
    }
    .map(|()| ExitCode::SUCCESS)
}

/// What a command does with the data folder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    /// It serves from it.
    Serves,
    /// It may begin an installation where somebody has named the folder.
    Begins,
    /// It adds files to it, and none of them is a database.
    Adds,
    /// It works with the database, which has to be there.
    Works,
    /// It only looks.
    Looks,
}

impl Command {
    /// None where it does not need the folder, or settles it by itself.
    fn touch(&self) -> Option<Touch> {
        match self {
            Command::Serve { .. } => Some(Touch::Serves),
            Command::Admin { command: AdminCommand::CreateUser(_) } => Some(Touch::Begins),
            Command::Drivers { command: DriversCommand::Install { .. } } => Some(Touch::Adds),
            Command::Admin { .. } | Command::Warehouses { .. } => Some(Touch::Works),
            Command::Drivers { .. } | Command::Plugins { .. } => Some(Touch::Looks),
            Command::HandOver { .. } | Command::Doctor(_) => Some(Touch::Looks),
            // It is told its folder by the upgrade that runs it.
            Command::Preflight(_) => None,
            Command::Setup(_) | Command::Upgrade(_) | Command::Rollback(_) => None,
            Command::Verify(_) | Command::Routes { .. } => None,
        }
    }

    /// The install folder that is named, of a command that does not settle the data folder by itself.
    fn install_dir(&self) -> Option<&Path> {
        match self {
            Command::Doctor(typed) => typed.install_dir(),
            _ => None,
        }
    }

    /// What is made in the data folder is nobody else's to read; what is made in the install folder is for the service's
    /// user to read, whatever root's own umask says.
    fn umask(&self) -> u32 {
        match self {
            Command::Setup(_) | Command::Upgrade(_) | Command::Rollback(_) => 0o022,
            _ => 0o077,
        }
    }
}

/// Finds the installation, for this process and everything in it. Root goes on as the owner of the data folder: then there
/// is an exit code already.
fn installation(
    named: Option<&Path>,
    install: Option<&Path>,
    touch: Touch,
) -> Result<Option<ExitCode>, Fault> {
    let absent = match touch {
        Touch::Begins | Touch::Adds => Some(Absent::Made),
        Touch::Works => Some(Absent::Refused),
        Touch::Serves | Touch::Looks => None,
    };
    let install = install.map(locate::absolute).transpose()?.map(Install::at);
    let (data, why) = locate::data_dir(named, install.as_ref(), &process_env)?;
    // Whatever is put into a folder makes it a data folder.
    if matches!(touch, Touch::Serves | Touch::Begins | Touch::Adds) {
        data_folder::free(&data, &process_env)?;
    }
    if let Some(code) = privilege::carry_on(&data, why, touch == Touch::Serves)? {
        return Ok(Some(code));
    }
    as_settled(&data, why, install, touch)?;
    let variables = match locate::variables(&data) {
        Ok(variables) => variables,
        // One that is a link to nowhere is read by nobody else either.
        Err(e) if absent.is_some() || e.kind() == io::ErrorKind::NotFound => {
            return Err(locate::unreadable(&data, &e));
        }
        // systemd reads it as root, and the service has the variables all the same.
        Err(e) => {
            if touch == Touch::Serves {
                locate::begins_nothing_unread(
                    &data,
                    std::env::var(environment::DATABASE_URL).ok().as_deref(),
                    &e,
                )?;
            }
            let _ = writeln!(
                io::stderr(),
                "warning: {} is not read: {}",
                data.join(".env").display(),
                settings::reason(&e)
            );
            Variables::default()
        }
    };
    let told = [
        locate::left_out(&data, &variables.odd),
        locate::doubtful(&data, &variables.set),
        locate::doubtful_here(&variables.set),
    ];
    for text in told.into_iter().flatten() {
        // A reader that is gone wants nothing.
        let _ = writeln!(io::stderr(), "warning: {text}");
    }
    let found = locate::settle(data, why, variables.set);
    if matches!(touch, Touch::Serves | Touch::Begins) {
        found.begins_nothing_by_mistake(&variables.odd)?;
    }
    if let Some(absent) = absent {
        // To standard error: what a program reads stays as it is.
        let _ = writeln!(io::stderr(), "{}", found.meant(absent)?);
    }
    Ok(None)
}

/// Says so where a variable, which may be left over in a shell, names another data folder than that of the installation that a command
/// lies in: it goes first, as always. As root no command works in the installation's own where that is another user's service's.
fn as_settled(data: &Path, why: Why, install: Option<Install>, touch: Touch) -> Result<(), Fault> {
    let Some(install) = install.or_else(locate::own_install) else { return Ok(()) };
    let warn = |text: &str| {
        // A reader that is gone wants nothing.
        let _ = writeln!(io::stderr(), "warning: {text}");
    };
    let settled = match Settled::read(install.root()) {
        Ok(settled) => settled,
        // A folder that is named needs no file: one that cannot be read keeps nobody from working there.
        Err(fault) => {
            warn(fault.what());
            return Ok(());
        }
    };
    if why == Why::Variable
        && let Some(other) = settled.other_than(data)
    {
        warn(&locate::stray(data, other, &install));
    }
    match settled.user_of(data) {
        Some(user) if touch != Touch::Looks => privilege::see_settled(data, user, touch == Touch::Serves),
        // `doctor` says it.
        _ => Ok(()),
    }
}

fn serve(platform: &Platform, listen: Option<SocketAddr>, demo: bool, dev: bool) -> Result<(), Fault> {
    // SAFETY: the process has one thread: the others are made below.
    #[allow(unsafe_code)]
    let inherited = unsafe { serve::take() }?;
    logs::start(&process_env)?;
    match locate::found().and_then(|found| privilege::as_root(&found.data)) {
        Some(AsRoot::AmongOthers(text)) => tracing::warn!("{text}"),
        Some(AsRoot::Contained(text)) => tracing::info!("{text}"),
        None => {}
    }
    if let Err(error) = process::keep_to_itself() {
        tracing::warn!(%error, "other programs of this user can read the host's memory");
    }
    let runtime = runtime()?;
    let listen = match (listen, process_env(environment::LISTEN)) {
        (Some(listen), _) => listen,
        (None, Some(text)) => address(&text).map_err(|how| {
            Fault::machine(format!("LISTEN is {}, which is no address to listen on", quoted(&text)), how)
        })?,
        (None, None) => SocketAddr::from(settings::LISTEN),
    };
    // Asked for both, whatever the command line says: a word that is none is told.
    let (of_dev, of_demo) = (
        settings::is_on(&process_env, environment::HUB_DEV)?,
        settings::is_on(&process_env, environment::HUB_DEMO)?,
    );
    let options = Options { env: &process_env, dev: dev || of_dev, demo: demo || of_demo };
    let result = runtime.block_on(serve::run(platform, listen, &options, inherited));
    runtime.shutdown_timeout(Duration::from_millis(500));
    result
}

/// Asks the host that runs on the data folder.
fn hand_over(patience: u64) -> Result<(), Fault> {
    let (data, _) = locate::data_dir(None, None, &process_env)?;
    if let Some(found) = locate::found() {
        // To standard error: what a program reads stays as it is. The host that is asked has its database, whatever is set here.
        let _ = match found.told() {
            Ok(told) => writeln!(io::stderr(), "{told}"),
            Err(fault) => writeln!(io::stderr(), "warning: {}", fault.what()),
        };
    }
    let taken = serve::ask(&data, Duration::from_secs(patience))?;
    let _ = writeln!(io::stdout(), "process {} serves now; it was ready in {} ms", taken.pid, taken.millis);
    Ok(())
}

/// The threads that answer requests.
fn runtime() -> Result<tokio::runtime::Runtime, Fault> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| {
        Fault::machine(
            format!("cannot start the host's threads: {}", settings::reason(&e)),
            "raise the limits on threads and open files for the user that runs the host",
        )
    })
}

/// Prints the route table; needs neither a data folder nor a database.
fn list_routes(platform: &Platform, json: bool, trace: bool) -> Result<(), Fault> {
    let plan = platform.plan()?;
    let begin = |mount: &Mount| {
        if trace {
            let _ = writeln!(io::stderr(), "{} {}", mount.plugin, mount.spec);
        }
    };
    let table = gather(api::router(false), platform.routers, &begin).table(&plan);
    if trace {
        let _ = writeln!(io::stderr(), "all routers were called");
        // A router function may have printed half a line.
        let _ = writeln!(io::stdout(), "\n{}", serde_json::to_string(&table).unwrap_or_default());
    } else if json {
        print_json(&table);
    } else {
        let rows = table.routes.iter().map(|route| {
            let access = if route.public { "public" } else { "" };
            [
                route.method.clone(),
                route.path.clone(),
                route.plugin.clone().unwrap_or_else(|| PLATFORM.to_owned()),
                access.to_owned(),
                route.place.as_ref().map(|at| format!("{}:{}", at.file, at.line)).unwrap_or_default(),
            ]
        });
        print_table(["METHOD", "PATH", "PLUGIN", "ACCESS", "WRITTEN AT"], rows.collect());
    }
    if table.is_sound() {
        return Ok(());
    }
    let conflicts = table.conflicts.iter().map(|conflict| conflict.message.clone());
    let wrong: Vec<String> = conflicts.chain(table.panics.iter().map(ToString::to_string)).collect();
    Err(Fault::plugin(
        wrong.join("\n       "),
        "give each route a path and method of its own, let router functions only list routes, and build the platform \
         again",
    ))
}

fn list_plugins(platform: &Platform, json: bool) -> Result<(), Fault> {
    let plan = platform.plan()?;
    let plugins = start::of_build(plan.plugins, &platform.gather(api::router(false)), &process_env);
    let (registry, trouble) = Registry::of_release(&settings::install_dir(&process_env)?, plugins);
    if let Some(trouble) = trouble {
        // Nobody may be there to read it.
        let _ = writeln!(io::stderr(), "warning: no overrides: {trouble}");
    }
    let registry = match existing_data_dir() {
        Some(data) => registry.rescanned(&data, &process_env),
        // Without a data folder there are no plugins of the customer's to list.
        None => registry,
    };
    for trouble in &registry.trouble {
        // A reader that is gone wants nothing.
        let _ = writeln!(io::stderr(), "warning: {trouble}");
    }
    let views = plugin_views(registry.plugins.iter().map(|plugin| &**plugin));
    if json {
        print_json(&views);
        return Ok(());
    }
    let rows = views.iter().map(|view| view.row()).collect();
    print_table(["NAME", "VERSION", "SOURCE", "STATE", "ROUTES", "TITLE"], rows);
    for (name, error) in views.iter().flat_map(|view| view.errors().map(move |error| (&view.name, error))) {
        let _ = writeln!(io::stdout(), "{name}: {error}");
    }
    Ok(())
}

fn list_namesakes(platform: &Platform) -> Result<(), Fault> {
    let plugins =
        start::of_build(platform.plan()?.plugins, &platform.gather(api::router(false)), &process_env);
    let plugins: Vec<Arc<Plugin>> = plugins.into_iter().map(Arc::new).collect();
    let data = settings::existing_data_dir(&process_env);
    print_json(&data.map(|data| discover::namesakes(&data, &plugins)).unwrap_or_default());
    Ok(())
}

/// The data folder, where there is one. One that was named and is not there is said: what it would add is not shown.
fn existing_data_dir() -> Option<PathBuf> {
    let found = settings::existing_data_dir(&process_env);
    if let (None, Some(named)) = (&found, locate::found().filter(|found| found.why.is_named())) {
        let (data, why) = (named.data.display(), named.why.told());
        let _ = writeln!(
            io::stderr(),
            "warning: there is no data folder {data} ({why}): what the customer has there is not shown"
        );
    }
    found
}

fn print_json(value: &impl Serialize) {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    // A reader that has seen enough is no error.
    let _ = writeln!(io::stdout(), "{text}");
}

/// Columns as wide as their widest cell.
fn print_table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) {
    let head = head.map(str::to_owned);
    let width = |column: usize| {
        std::iter::once(&head).chain(&rows).map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut out = io::stdout().lock();
    for row in std::iter::once(&head).chain(&rows) {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        if writeln!(out, "{}", cells.join("  ").trim_end()).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
