//! Codes of what dbt itself finds in a plugin's project.

use super::Code;

/// The codes, in the order of their numbers.
pub(super) const CODES: &[Code] = &[
    Code::error("HUB097", "dbt cannot parse a project")
        .cause("With `--dbt`, dbt's own parser stopped at a file of the project: a setting, YAML or Jinja that it does not understand.")
        .cure("Mend the place; the message is dbt's own.")
        .why("An error: a project that does not parse cannot be built on any machine."),
    Code::error("HUB098", "a ref or source of a dbt model leads nowhere")
        .cause("With `--dbt`, a model names a model, seed or source that its project does not have.")
        .cure("Name one that is there, or add it.")
        .why("An error: dbt refuses the whole project, not only that model."),
    Code::error("HUB099", "two things in a dbt project have one name")
        .cause("With `--dbt`, two models, or a model and a seed, have files of the same name.")
        .cure("Rename one of the two files and what refers to it.")
        .why("An error: dbt cannot tell which of them a `ref` means."),
];
