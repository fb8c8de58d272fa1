//! Files of the release that are made from the plan and not compiled: the dbt workspaces and the templates.

use handlebars::Handlebars;
use hub_manifest::grammar::PLATFORM_WORKSPACE;
use hub_manifest::plan::Plan;
use hub_release::unit::Unit;
use serde_json::json;

use super::Files;

/// Path of the systemd unit in the release.
const UNIT: &str = "systemd/hub-platform.service";

/// A template that cannot be rendered: a mistake of the platform's own, not of a plugin.
#[derive(Debug)]
pub struct TemplateError {
    /// Path of the file it makes.
    pub path: String,
    /// Why.
    pub cause: String,
}

impl std::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the template of {} cannot be rendered: {}", self.path, self.cause)
    }
}

impl std::error::Error for TemplateError {}

/// The generated files of a release, by their path in it. `templates` maps a path in the release to a handlebars
/// template, rendered in strict mode with `version`.
pub fn release_files(plan: &Plan, templates: &Files) -> Result<Files, TemplateError> {
    let mut files = Files::new();
    files.insert("dbt/workspaces.json".to_string(), workspaces_json(plan));
    files.insert(UNIT.to_string(), unit()?);
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    // Units and scripts are no HTML: the values that go in are a version and nothing else.
    handlebars.register_escape_fn(handlebars::no_escape);
    let data = json!({ "version": plan.host.version });
    for (path, template) in templates {
        let text = handlebars
            .render_template(template, &data)
            .map_err(|error| TemplateError { path: path.clone(), cause: error.to_string() })?;
        files.insert(path.clone(), text);
    }
    Ok(files)
}

/// The unit of an installation in the default folders; `setup` writes the one of a real installation.
fn unit() -> Result<String, TemplateError> {
    let text = Unit::default().text();
    text.map_err(|refused| TemplateError { path: UNIT.to_string(), cause: refused.to_string() })
}

/// The platform's own workspace first, then the plugins' in plugin order; paths start at the release's root.
fn workspaces_json(plan: &Plan) -> String {
    let own = json!({
        "slug": PLATFORM_WORKSPACE,
        "profile": PLATFORM_WORKSPACE,
        "project_dir": format!("dbt/{PLATFORM_WORKSPACE}"),
        "plugin": null,
    });
    let plugins = plan.host.plugins.iter().flat_map(|plugin| {
        plugin.dbt_workspaces.iter().map(|workspace| {
            json!({
                "slug": workspace.slug,
                "profile": workspace.profile,
                "project_dir": format!("plugins/{}/{}", plugin.name, workspace.project_dir),
                "plugin": plugin.name,
            })
        })
    });
    let all: Vec<_> = std::iter::once(own).chain(plugins).collect();
    let mut text =
        serde_json::to_string_pretty(&json!({ "version": 1, "workspaces": all })).unwrap_or_default();
    text.push('\n');
    text
}
