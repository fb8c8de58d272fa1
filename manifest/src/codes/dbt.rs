//! Codes of what dbt itself finds in a plugin's project.

use super::BuildOnly;

codes! {
    DBT_PARSE = error("HUB097", "dbt cannot parse a project")
        .cause("With `--dbt`, dbt's own parser stopped at a file of the project: a setting, YAML or Jinja that it does not understand.")
        .cure("Mend the place; the message is dbt's own.")
        .why("An error: a project that does not parse cannot be built on any machine.")
        .build_only(BuildOnly::NotComposed);
    DBT_REF = error("HUB098", "a ref or source of a dbt model leads nowhere")
        .cause("With `--dbt`, a model names a model, seed or source that its project does not have.")
        .cure("Name one that is there, or add it.")
        .why("An error: dbt refuses the whole project, not only that model.")
        .build_only(BuildOnly::NotComposed);
    DBT_DUPLICATE_NAME = error("HUB099", "two things in a dbt project have one name")
        .cause("With `--dbt`, two models, or a model and a seed, have files of the same name.")
        .cure("Rename one of the two files and what refers to it.")
        .why("An error: dbt cannot tell which of them a `ref` means.")
        .build_only(BuildOnly::NotComposed);
    DBT_PACKAGE_OUTSIDE = error("HUB107", "a local dbt package lies outside of the plugin")
        .cause("`packages.yml` or `dependencies.yml` names a `local` package that is no folder of the same plugin, or none with a `dbt_project.yml`.")
        .cure("Copy the package into the plugin, and name it by its path from the project, such as `../common`.")
        .why("An error: a release holds the plugins' own files alone, so the project would not build anywhere.")
        .build_only(BuildOnly::NotComposed);
    DBT_PACKAGE_MISSING = error("HUB108", "a dbt package is not there")
        .cause("`packages.yml` or `dependencies.yml` names a package that `dbt deps` downloads, or a vendored package's does, and the folder for them holds no project of that name.")
        .cure("Run `dbt deps` in the project, and commit the folder that it fills (`dbt_packages`): it ships with the plugin.")
        .why("An error: nothing is downloaded when a release runs, and dbt refuses a project whose packages are missing.")
        .build_only(BuildOnly::NotComposed);
}
