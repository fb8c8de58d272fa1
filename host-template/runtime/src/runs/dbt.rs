//! What a run consists of: dbt with its profile, or Python with a script; and where both keep what they make.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use hub_manifest::environment;
use hub_release::beneath::{self, Beneath};

use super::Kind;
use super::home::{FILES, Warehouse};
use super::lineage::Relation;
use super::options::Options;
use super::packages;
use super::profile::{self, Apart, Asked, Profile};
use super::reader::Question;
use super::recipe::Recipe;
use super::variables::{self, Readers};
use crate::drivers;
use crate::settings::reason;

/// What is said where there is no dbt.
pub(crate) const NO_DBT: &str = "dbt is not installed: run `hub-platform drivers install dbt`";

/// Folder of all that an organisation's runs have made, in the data folder.
pub(crate) fn work_of(org: &str) -> PathBuf {
    Path::new("dbt/work").join(org)
}

/// Folder of an organisation's workspace: its database, and dbt's own files.
pub(crate) fn work_folder(data: &Path, org: &str, workspace: &str) -> PathBuf {
    data.join(work_of(org))
        .join(workspace.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_', "_"))
}

/// A run that is about to begin.
pub(super) struct Asking<'a> {
    pub(super) data: &'a Path,
    pub(super) work: &'a Path,
    pub(super) recipe: &'a Recipe,
    pub(super) options: &'a Options,
    /// Identifiers of the organisation, and of the tenant that it was asked for in.
    pub(super) org: &'a str,
    pub(super) tenant: Option<&'a str>,
    /// How many other organisations have this workspace.
    pub(super) others: usize,
}

/// What it comes to.
pub(super) struct Planned {
    /// The first lines of its log.
    pub(super) notes: Vec<String>,
    /// Programs, one after the other; the first that fails ends the run.
    pub(super) steps: Vec<Step>,
    /// Where it writes to.
    pub(super) warehouse: Warehouse,
    /// The folder that its programs start in.
    pub(super) work: PathBuf,
}

/// One program of a run.
pub(super) struct Step {
    pub(super) command: Command,
    /// What is asked about what it made; the run does not go on where the answer is a sentence.
    pub(super) check: Option<Question>,
}

const WAREHOUSE: &str = "warehouse.duckdb";
/// dbt's name for the file.
const PROFILES: &str = "profiles.yml";

/// What a run gets to know of its place.
struct Place {
    org: String,
    tenant: String,
    schema: String,
    warehouse: PathBuf,
}

impl Place {
    fn variable(&self, name: &str) -> Option<String> {
        Some(match name {
            environment::HUB_ORG => self.org.clone(),
            environment::HUB_TENANT => self.tenant.clone(),
            environment::HUB_SCHEMA => self.schema.clone(),
            environment::HUB_WAREHOUSE => self.warehouse.to_string_lossy().into_owned(),
            _ => return None,
        })
    }
}

/// Schema of an organisation on a server that several share: `hub_` and the 32 digits of its identifier. All have one
/// length, so that no organisation's schema with a suffix is ever another's, and `_` with 26 bytes more has room within what
/// PostgreSQL takes of a name.
pub(crate) fn schema_of(org: &str) -> String {
    let digits: String = org.chars().filter(|c| *c != '-').collect();
    if org.len() == 36 && digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    {
        return format!("hub_{digits}");
    }
    // No identifier that this platform makes.
    let digest = hub_release::hash::of_bytes(org.as_bytes());
    format!("hub_x{}", &digest[..31])
}

/// Bytes of a name that PostgreSQL takes; it cuts what is longer, and says nothing.
const NAME: usize = 63;
/// Digits of a digest that tell apart what begins alike.
const DIGITS: usize = 8;

/// The schema that an organisation's script is to write to: the one of its manifest, as dbt makes such a one the organisation's own.
/// It is always so, and not only where several organisations have the script: data that is there stays where it is when another one
/// comes. What is too long for a name is cut here, and ends with a digest of all of it: PostgreSQL would make one schema of two.
pub(crate) fn output_schema(org: &str, of_manifest: &str) -> String {
    let name = format!("{}_{of_manifest}", schema_of(org));
    if name.len() <= NAME {
        return name;
    }
    let digest = hub_release::hash::of_bytes(name.as_bytes());
    let head = &name[..name.floor_char_boundary(NAME - 1 - DIGITS)];
    format!("{head}_{}", &digest[..DIGITS])
}

/// The steps of a run; the work folder and the profile are made where they are missing. The error is one sentence.
pub(super) fn plan(asking: &Asking<'_>) -> Result<Planned, String> {
    let Asking { data, work, recipe, org, tenant, .. } = asking;
    let cannot = |e: io::Error| format!("cannot make the work folder {}: {e}", work.display());
    fs::create_dir_all(work).map_err(cannot)?;
    of_plugin(recipe)?;
    let place = Place {
        org: (*org).to_owned(),
        tenant: tenant.unwrap_or_default().to_owned(),
        schema: schema_of(org),
        warehouse: work.join(WAREHOUSE),
    };
    match recipe.kind {
        Kind::Dbt => dbt(asking, &place),
        Kind::Script => {
            // A host that was killed has left it.
            forget_profile(work)?;
            let mut command = Command::new(drivers::python_program(data));
            command.arg(&recipe.path).env(environment::HUB_OUTPUT_SCHEMA, output_schema(org, &recipe.target));
            surroundings(&mut command, asking, &place);
            Ok(Planned {
                notes: Vec::new(),
                steps: vec![Step { command, check: None }],
                warehouse: Warehouse { adapter: FILES.to_owned(), own_profile: false, local: true },
                work: work.to_path_buf(),
            })
        }
    }
}

/// Sees that the script or the project is the plugin's own: through a link, a run would be shown what lies elsewhere.
fn of_plugin(recipe: &Recipe) -> Result<(), String> {
    let inner = recipe.path.strip_prefix(&recipe.root).unwrap_or(&recipe.path);
    let opened = Beneath::open(&recipe.root).and_then(|root| match recipe.kind {
        Kind::Dbt => root.folder(inner).map(drop),
        Kind::Script => root.file(inner).map(drop),
    });
    let what = match recipe.kind {
        Kind::Dbt => "folder",
        Kind::Script => "file",
    };
    opened.map_err(|e| {
        format!(
            "`{}` has to be a {what} in {}, and no part of the way to it a link: {}",
            inner.display(),
            recipe.root.display(),
            reason(&e)
        )
    })
}

/// What every program of a run has around it.
fn surroundings(command: &mut Command, asking: &Asking<'_>, place: &Place) {
    command.current_dir(asking.work);
    if let Some(path) = drivers::python_path(asking.data) {
        command.env("PYTHONPATH", path);
    }
    // The host's own secrets are none of a project's business.
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("HUB_")
            || name_text.starts_with("DBT_")
            || name_text == environment::DATABASE_URL
        {
            command.env_remove(&name);
        }
    }
    for name in
        [environment::HUB_ORG, environment::HUB_TENANT, environment::HUB_SCHEMA, environment::HUB_WAREHOUSE]
    {
        command.env(name, place.variable(name).unwrap_or_default());
    }
    command.env("PYTHONUNBUFFERED", "1");
}

fn dbt(asking: &Asking<'_>, place: &Place) -> Result<Planned, String> {
    let Asking { data, work, recipe, options, others, .. } = asking;
    let program = drivers::dbt_program(data).ok_or(NO_DBT)?;
    if !recipe.path.join("dbt_project.yml").is_file() {
        return Err(format!("{} is missing", recipe.path.join("dbt_project.yml").display()));
    }
    let project = packages::staged(work, &recipe.root, &recipe.path)?;
    // What an earlier run left would be taken for this run's result. It may have left anything, links too.
    let cannot = |e: io::Error| format!("cannot clear {}: {}", target(work).display(), reason(&e));
    beneath::clear_unless_folder(&target(work)).map_err(cannot)?;
    for left in ["run_results.json", "manifest.json"] {
        beneath::clear(&target(work).join(left)).map_err(cannot)?;
    }
    let elsewhere = Place {
        org: "00000000-0000-0000-0000-000000000000".to_owned(),
        tenant: place.tenant.clone(),
        schema: schema_of("00000000-0000-0000-0000-000000000000"),
        warehouse: data.join("dbt/work/other").join(WAREHOUSE),
    };
    let asked = Asked {
        name: &recipe.target,
        target: options.target.as_deref(),
        variable: &|name| place.variable(name).or_else(|| variables::of_host(name)),
        elsewhere: &|name| elsewhere.variable(name).or_else(|| variables::of_host(name)),
    };
    let profile = match profile::own(data, &asked)? {
        Ok((profile, text)) => {
            write_profile(work, &text)?;
            profile
        }
        Err(note) => platform_profile(asking, place, note)?,
    };
    let mut check = None;
    if *others > 0 {
        match &profile.apart {
            Apart::Nothing(what) => return Err(format!("{}: {what}", would_mix(*others))),
            Apart::Schema => check = Some((schema_of(asking.org), place.org.clone())),
            Apart::Connection => {}
        }
    }
    let (of_project, missed) =
        variables::asked(&recipe.root, &packages::folders(&recipe.root, &recipe.path)?);
    let readers = Readers {
        profile: profile.reads.clone(),
        others: profile::read_by_others(data, &recipe.target)?,
        project: of_project,
    };
    let given = readers.given();
    let mut notes = profile.told();
    notes.extend(missed);
    notes.extend(readers.withheld());
    notes.push(format!("HUB_ORG={} HUB_TENANT={} HUB_SCHEMA={}", place.org, place.tenant, place.schema));
    let step = |name: &str, arguments: Vec<String>| {
        let mut command = Command::new(&program);
        command.args(["--no-use-colors", name]).arg("--project-dir").arg(&project);
        command.arg("--profiles-dir").arg(work);
        command.arg("--profile").arg(&profile.name);
        if let Some(target) = &profile.target {
            command.arg("--target").arg(target);
        }
        command.arg("--target-path").arg(target(work)).arg("--log-path").arg(work.join("logs"));
        command.args(arguments);
        surroundings(&mut command, asking, place);
        command.envs(&given);
        command.env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false");
        Step { command, check: None }
    };
    let mut steps = Vec::new();
    if let Some((schema, org)) = check {
        let mut parse = step("parse", options.vars());
        parse.check = Some(Question::Apart { schema, org });
        steps.push(parse);
    }
    if options.seed_first {
        steps.push(step("seed", options.seed()));
    }
    steps.push(step("build", options.build()));
    let warehouse = Warehouse {
        adapter: profile.adapter.clone().unwrap_or_else(|| "?".to_owned()),
        own_profile: profile.own,
        local: profile.local,
    };
    Ok(Planned { notes, steps, warehouse, work: work.to_path_buf() })
}

fn would_mix(others: usize) -> String {
    let others =
        if others == 1 { "another organisation".to_owned() } else { format!("{others} other organisations") };
    format!("{others} would have its data in the same place as this one")
        .replace("organisations would have its", "organisations would have their")
}

/// Whether every relation of the project is the organisation's own: a project may have its own macro
/// `generate_schema_name`, or name a database for some models.
pub(super) fn apart_in(relations: &[Relation], schema: &str, org: &str) -> Result<(), String> {
    // However a macro has written it: `-` is often made `_`, and some databases write all in capitals.
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let (schema, org) = (plain(schema), plain(org));
    let own = |text: &Option<String>| {
        text.as_deref().map(plain).is_some_and(|text| text.contains(&schema) || text.contains(&org))
    };
    match relations.iter().find(|relation| !own(&relation.schema) && !own(&relation.database)) {
        None => Ok(()),
        Some(relation) => Err(format!(
            "`{}` would be written to the schema `{}`, which is one place for all organisations: let the project's macro \
             `generate_schema_name` begin with `target.schema`, or name the schema with `{{{{ env_var('HUB_SCHEMA') }}}}`",
            relation.name,
            relation.schema.as_deref().unwrap_or_default()
        )),
    }
}

/// dbt's target folder.
fn target(work: &Path) -> PathBuf {
    work.join("target")
}

/// Writes the profile that dbt is to find, and no other.
fn write_profile(work: &Path, text: &str) -> Result<(), String> {
    let file = work.join(PROFILES);
    // A run may have put a link or a pipe there.
    beneath::clear(&file)
        .and_then(|()| Beneath::open(work)?.write(PROFILES, text.as_bytes(), 0o600))
        .map_err(|e| format!("cannot write {}: {}", file.display(), reason(&e)))
}

/// Takes away what a run of dbt was told of its warehouse: a script that works in the same folder has no business with logins.
pub(super) fn forget_profile(work: &Path) -> Result<(), String> {
    let file = work.join(PROFILES);
    beneath::clear(&file).map_err(|e| format!("cannot remove {}: {}", file.display(), reason(&e)))
}

/// The profile for a workspace of which the customer says nothing: a DuckDB file of its own.
fn platform_profile(asking: &Asking<'_>, place: &Place, note: Option<String>) -> Result<Profile, String> {
    const TARGET: &str = "hub";
    let Asking { work, recipe, options, data, .. } = asking;
    if let Some(asked) = options.target.as_deref().filter(|asked| *asked != TARGET) {
        return Err(format!(
            "there is no target `{asked}`: {} has no profile `{}`, and the platform's own has the target `{TARGET}` only",
            data.join("dbt/profiles.yml").display(),
            recipe.target
        ));
    }
    let path = serde_json::Value::from(place.warehouse.to_string_lossy().into_owned());
    let name = serde_json::Value::from(recipe.target.as_str());
    // JSON is YAML: quoting is its business.
    let text = format!(
        "{{{name}: {{\"target\": \"{TARGET}\", \"outputs\": {{\"{TARGET}\": {{\"type\": \"duckdb\", \"path\": {path}, \
         \"threads\": 2}}}}}}}}\n"
    );
    write_profile(work, &text)?;
    Ok(Profile {
        file: work.join(PROFILES),
        name: recipe.target.clone(),
        target: Some(TARGET.to_owned()),
        adapter: Some("duckdb".to_owned()),
        own: false,
        local: true,
        apart: Apart::Connection,
        reads: Default::default(),
        note,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // D7
    #[test]
    fn d7_a_schema_is_an_organisations_own_and_fits_every_database() {
        let ids = [
            "01890a5d-ac96-774b-bcce-b302099a8057",
            "01890a5d-ac96-774b-bcce-b302099a8058",
            "North",
            "north",
            "no-rth",
            "",
        ];
        let schemas: std::collections::BTreeSet<String> = ids.iter().map(|id| schema_of(id)).collect();
        assert_eq!(schemas.len(), ids.len());
        for schema in &schemas {
            assert_eq!(schema.len(), 36, "one length: none begins with another");
            assert!(
                schema.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                "{schema}"
            );
        }
        assert_eq!(schema_of(ids[0]), "hub_01890a5dac96774bbcceb302099a8057");
        assert_eq!(output_schema(ids[0], "mine"), "hub_01890a5dac96774bbcceb302099a8057_mine");
    }

    // D7
    #[test]
    fn d7_schemas_of_scripts_that_differ_late_are_two_where_names_are_cut() {
        let org = "01890a5d-ac96-774b-bcce-b302099a8057";
        let cut = |name: &str| name.bytes().take(63).collect::<Vec<u8>>();
        let whole = output_schema(org, &"a".repeat(26));
        assert_eq!((whole.len(), whole.ends_with(&format!("_{}", "a".repeat(26)))), (63, true));
        let names = [
            output_schema(org, "finance_reporting_monthly_close"),
            output_schema(org, "finance_reporting_monthly_open"),
            output_schema(org, &"a".repeat(27)),
            output_schema(org, &"a".repeat(28)),
            output_schema(org, &"ä".repeat(40)),
            output_schema(org, &format!("{}b", "ä".repeat(40))),
            output_schema("01890a5d-ac96-774b-bcce-b302099a8058", "finance_reporting_monthly_close"),
        ];
        let kept: std::collections::BTreeSet<Vec<u8>> = names.iter().map(|name| cut(name)).collect();
        assert_eq!(kept.len(), names.len(), "{names:?}");
        assert!(names.iter().all(|name| name.len() <= 63), "{names:?}");
        assert!(names[0].starts_with("hub_01890a5dac96774bbcceb302099a8057_finance_reporting_"), "{names:?}");
        assert_eq!(names[0], output_schema(org, "finance_reporting_monthly_close"), "it is always the same");
    }
}
