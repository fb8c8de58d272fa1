//! A Helm chart of a release: the files of `host-template/chart`, and what follows from the plan.
//!
//! Templates, values and most of the schema are files that are copied as they are; the plugins' settings go into the
//! schema, into the README, and into a list by which the templates know a setting's variable.

mod settings;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use handlebars::Handlebars;
use hub_manifest::plan::HostPlan;
use serde_json::{Value, json};

use crate::base::failure::Machine;
use crate::base::files::files_below;
use crate::base::write::at;
use crate::pack::{Gzip, Packed, Tape, place};

/// Name of the chart, and of the only folder in its archive.
const NAME: &str = "hub-platform";

/// What a chart is made of.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The checkout.
    pub repo: &'a Path,
    /// The host's half of the plan.
    pub plan: &'a HostPlan,
    /// Folder of the chart; made if missing.
    pub out: &'a Path,
}

/// Name of a chart's archive, which Helm prescribes.
pub fn file_name(version: &str) -> String {
    format!("{NAME}-{version}.tgz")
}

/// Writes the chart. It takes the place of the last one only when it is whole.
pub fn write(job: &Job<'_>) -> Result<Packed, Machine> {
    let folder = job.repo.join("host-template/chart");
    let files = files(&folder, job.plan).map_err(|error| Machine::io("make a chart of", &folder, &error))?;
    place(job.out, &file_name(&job.plan.version), |out| {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let mut tape = Tape::new(Gzip::new(out, workers)?);
        for (path, text) in &files {
            tape.bytes(&format!("{NAME}/{path}"), 0o644, text.as_bytes())?;
        }
        tape.finish()?.finish()?.flush()
    })
}

/// All files of the chart, by their path in it.
pub fn files(folder: &Path, plan: &HostPlan) -> io::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for path in files_below(folder)? {
        let from = folder.join(&path);
        let text = fs::read_to_string(&from).map_err(|e| at(&from, e))?;
        let (path, text) = match path.strip_suffix(".hbs") {
            Some(path) => (path.to_owned(), rendered(&text, plan)?),
            None if path == "values.schema.json" => {
                let schema = with_settings(&text, plan).map_err(|e| at(&from, e))?;
                (path, schema)
            }
            None => (path, text),
        };
        files.insert(path, text);
    }
    files.insert("files/settings.json".to_owned(), format!("{:#}\n", settings::variables(plan)));
    Ok(files)
}

fn rendered(template: &str, plan: &HostPlan) -> io::Result<String> {
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    // YAML and Markdown: a version has no character that either would take for its own, the table escapes itself.
    handlebars.register_escape_fn(handlebars::no_escape);
    let data = json!({ "version": plan.version, "settings": settings::table(plan) });
    handlebars.render_template(template, &data).map_err(io::Error::other)
}

/// The schema of the values, with the plugins' settings in the place that it keeps for them.
fn with_settings(text: &str, plan: &HostPlan) -> io::Result<String> {
    let mut schema: Value = serde_json::from_str(text)?;
    match schema.pointer_mut("/properties/plugins") {
        Some(place) => *place = settings::schema(plan),
        None => return Err(io::Error::other("it has no property `plugins`")),
    }
    Ok(format!("{schema:#}\n"))
}
