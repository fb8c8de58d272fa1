//! Codes of what is wrong between plugins, or between a manifest and the files that it names.

use super::Code;

/// The codes, in the order of their numbers.
pub(super) const CODES: &[Code] = &[
    Code::error("HUB030", "two plugins have one name")
        .cause("Two folders below the same plugin root hold plugins with the same `name`.")
        .cure("Rename one of the two, `name` and folder.")
        .why("An error: both would have the same routes, tables and settings, and nothing says which one is meant."),
    Code::warning("HUB031", "a plugin is shadowed")
        .cause("Two plugin roots (`--plugins`) hold a plugin of the same name; the one in the earlier root is built.")
        .cure("Remove one of the two, or leave it so where the later one is meant to be replaced.")
        .why("A warning: replacing a plugin by a patched copy in an earlier root is a way to work, but one that should be seen."),
    Code::error("HUB032", "a needed plugin is not in the build")
        .cause("A plugin of `dependencies` is in no plugin root, is left out by `enabled: false`, or was left out for its own errors.")
        .cure("Add that plugin, switch it on, mend the slug, or name it in `optional_dependencies`.")
        .why("An error: the plugin says itself that it does not work without."),
    Code::error("HUB033", "plugins wait for each other")
        .cause("`dependencies`, `optional_dependencies` and `order` of some plugins form a cycle; the message prints it.")
        .cure("Remove one of the dependencies in the cycle, or one entry of `order`.")
        .why("An error: there is one order for routers, overrides, navigation and seeds, and a cycle has none."),
    Code::error("HUB034", "a plugin's version does not fit the requirement")
        .cause("A dependency names a version that the plugin in the build does not have.")
        .cure("Update that plugin, or widen the requirement.")
        .why("An error: the author has said that other versions do not work."),
    Code::error("HUB035", "the platform's version does not fit the requirement")
        .cause("`min_platform_version` is not met by the version of the platform that is built.")
        .cure("Build with a platform of that version, or lower the requirement.")
        .why("An error: the plugin may need what this platform does not have."),
    Code::error("HUB048", "two dbt workspaces have one slug")
        .cause("Two workspaces of one plugin or of two plugins have the same slug, or one has that of the platform's own, `honeyframe`.")
        .cure("Give each workspace a slug of its own.")
        .why("An error: builds and runs name a workspace by its slug alone."),
    Code::error("HUB049", "a file or folder that the manifest names is missing")
        .cause("The folder of a dbt workspace has no dbt_project.yml, the folder of `migrations` no SQL file, or the file of `script_path` does not exist.")
        .cure("Create the file, or mend the path; a path starts at the folder of plugin.yaml.")
        .why("An error: it would be missing from the release too, and fail when somebody uses it."),
    Code::error("HUB076", "a group grants a permission that nobody declares")
        .cause("A permission in `seed_groups` is declared neither in this plugin's `permissions` nor by the platform.")
        .cure("Take the name that the help line suggests, or add the permission to `permissions`.")
        .why("An error: no handler could ever ask for it, so the group would grant less than it says."),
];
