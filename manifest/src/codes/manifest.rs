//! Codes of what is wrong in one `plugin.yaml` or `overrides.json`, whatever else is in the build.

use super::BuildOnly;

codes! {
    UNREADABLE = error("HUB001", "the file cannot be read")
        .cause("A manifest is no regular file, may not be read, is no UTF-8 text, or is longer than 256 KiB; or the folder of a plugin may not be listed.")
        .cure("Save the file as UTF-8 and let the user who builds read it. Move data out of the manifest into files of the plugin, and name those files.")
        .why("An error: without its manifest nothing is known of the plugin, and leaving it out in silence would ship a release that lacks it.");
    EMPTY = error("HUB002", "the manifest is empty")
        .cause("`plugin.yaml` or `overrides.json` holds nothing, or only white space and comments.")
        .cure("Write at least `name`, `version` and `display_name`; in overrides.json, `{ \"overrides\": {} }`. Or delete the file.")
        .why("An error: an empty manifest is one that was not finished or not saved.");
    SYNTAX = error("HUB003", "the file is not valid YAML or JSON")
        .cause("The syntax breaks at the marked place: an open bracket or quote, a tab as indentation, `: ` in text without quotes, a second YAML document; in JSON also a comment or a trailing comma.")
        .cure("Mend the marked place. An editor that knows the format shows the same one.")
        .why("An error: what stands behind the break cannot be read, so nothing of the plugin is certain.");
    NOT_A_MAPPING = error("HUB004", "the file is not a mapping")
        .cause("The whole document is a text, a number or a list, where `plugin.yaml` is a mapping of fields and `overrides.json` an object.")
        .cure("Begin plugin.yaml with `name: …`, one field a line; begin overrides.json with `{ \"overrides\": { … } }`.")
        .why("An error: no field can be read from it.");
    DUPLICATE_KEY = error("HUB005", "a key stands twice")
        .cause("The same key is written twice in one mapping.")
        .cure("Keep one of the two.")
        .why("An error: YAML and JSON parsers differ in which of the two counts, so the file would mean one thing to one program and another to the next.");
    TOO_LARGE = error("HUB006", "the document is too deep or too large")
        .cause("Lists and mappings are nested too deeply, or the document has too many values or too much text; what YAML aliases stand for counts each time. Or so much is wrong in it that only the first findings are told.")
        .cure("Make the document smaller and flatter: no field needs that much.")
        .why("An error: manifests come from other people, and a few lines of aliases could otherwise fill the memory.");
    UNUSABLE_LINK = error("HUB007", "a link cannot be part of the plugin")
        .cause("A symbolic link in the plugin's folder leads out of the plugin, to nothing, or back to a folder that it lies in. Links between files and folders of one plugin are fine, and the plugin's folder may be a link itself.")
        .cure("Put what the link leads to into the plugin, let the link lead to something in it, or delete the link.")
        .why("An error: a plugin is built from its own files. What lies outside is missing on the next machine, and could be any file of this one.")
        .build_only(BuildOnly::NotCopied);
    HIDDEN_CHARACTER = error("HUB008", "a text holds characters that cannot be seen")
        .cause("A text or a key of a manifest holds a control character, one that turns the direction of the text round or one without width, or a line break where one line is meant.")
        .cure("Remove the character; write the text in one line. `description` may have several.")
        .why("An error: such a text looks like another one on a terminal or a page, and could be meant to.");
    DUPLICATE_NAME = error("HUB009", "a name stands twice in one list")
        .cause("Two scripts, dataset templates or dashboards of one plugin have the same `slug`, or two groups or columns the same `name`.")
        .cure("Give each one a name of its own, or remove one of the two.")
        .why("An error: the name is what the platform keeps them by, so one would replace the other.");
    MISSING_FIELD = error("HUB010", "a required field is missing")
        .cause("A mapping lacks a field that it must have, or has it without a value: `name`, `version` and `display_name` of a plugin, `overrides` of overrides.json, `component` of a claim, and what each entry of a list needs.")
        .cure("Add the field as the help line writes it.")
        .why("An error: there is no default that would be right.");
    WRONG_TYPE = error("HUB011", "a value has the wrong type")
        .cause("A field holds a value of another type than it takes: a list where a mapping is meant, a number where text is meant, or a `default` that its setting's `type` does not take.")
        .cure("Write the value in the form that the help line shows. A number that is meant as text goes in quotes.")
        .why("An error: the value cannot be used, and a guess could be a wrong one (`version: 1.10` would be read as 1.1).");
    MALFORMED_NAME = error("HUB012", "a name or text is malformed")
        .cause("A slug, a name of a setting, an environment variable or an export does not keep to its grammar, a text is blank, a web address is malformed, or a priority is beyond a million.")
        .cure("Write what the help line suggests. A slug has at most 40 lowercase letters, digits and single hyphens, a letter first; a leading `_` is allowed.")
        .why("An error: these names become folders, routes, crates, SQL tables and variables, in which other characters do not work. An address becomes a link.");
    NAME_NOT_OF_FOLDER = error("HUB013", "the plugin's name is not that of its folder")
        .cause("`name` differs from the name of the folder that holds plugin.yaml, `-` and `_` taken as equal.")
        .cure("Rename the folder, or change `name`.")
        .why("An error: routers, paths and messages name a plugin by either one, so two names would lead to the wrong plugin.");
    RESERVED_SLUG = error("HUB014", "the slug is reserved")
        .cause("`name` is a word that routes and pages of the platform itself begin with, such as `auth`, `plugins` or `dbt`.")
        .cure("Choose another slug, and rename the folder with it.")
        .why("An error: the plugin's routes under `/api/<slug>` would be the platform's own.");
    MALFORMED_VERSION = error("HUB015", "the version is not a semantic version")
        .cause("`version` is not of the form `major.minor.patch`.")
        .cure("Write all three numbers, such as `1.0.0`.")
        .why("An error: other plugins' requirements on this one could not be decided.");
    UNKNOWN_FIELD = warning("HUB016", "a field is not known")
        .cause("A mapping has a field that this platform does not know; it is ignored.")
        .cure("Take the name that the help line suggests, or remove the field.")
        .why("A warning: a manifest may be written for a newer platform as well, so a field from there must not break the build.");
    MALFORMED_PERMISSION = error("HUB017", "a permission is malformed")
        .cause("An entry of `permissions` is not of the form `noun.verb`, in lowercase.")
        .cure("Write a permission as `noun.verb`, such as `customers.read`.")
        .why("An error: handlers ask for a permission by its exact text, so a malformed one would never be granted.");
    MALFORMED_PATH = error("HUB018", "a path is malformed")
        .cause("A file or folder is absolute, has `..` or `\\` in it or is empty; or a path of the web shell does not begin with `/`, has characters that no path has, or lies under `/api`.")
        .cure("Write files relative to the plugin, with `/` between names. Write pages as `/<slug>/…`, with `:name` for a parameter.")
        .why("An error: a plugin must not reach files outside its own folder, and a page under `/api` would never show.");
    MALFORMED_PUBLIC_ROUTE = error("HUB019", "a public route is malformed")
        .cause("A pattern of `public_routes` lies outside `/api/<slug>`, is no pattern, or its method is none.")
        .cure("Write a path relative to `/api/<slug>`, `*` for one segment, `**` for any number; methods are `ALL` or those of HTTP.")
        .why("An error: a public route answers anonymous callers, so it must say exactly which one it means, and only the plugin's own.");
    MALFORMED_ROUTER = error("HUB020", "a router is malformed, or not of this plugin")
        .cause("An entry of `routers` is neither `plugins.<slug>.backend.<module>:<function>` nor `crate_name::module::function`, or names another plugin or another crate than `backend/Cargo.toml` makes.")
        .cure("Write what the help line suggests; move a router of another plugin to that plugin's manifest.")
        .why("An error: the build could not tell which function to mount, or would mount one that its own plugin does not know of.");
    UNKNOWN_WORD = error("HUB021", "a word is not among those allowed")
        .cause("A field that takes one of a few words has another one: `visibility`, or the `type` of a setting.")
        .cure("Write one of the words that the help line lists.")
        .why("An error: no meaning could be given to it, and a default could make public what is meant to be protected.");
    MALFORMED_OVERRIDE_KEY = error("HUB022", "an override key is malformed")
        .cause("A key of overrides.json is neither dotted words, `block:Name` nor `route:/path`; or a name in `frontend_overrides` or a widget's `block` does not keep to its grammar.")
        .cure("Write dotted words such as `dashboard.view`, a block's name like a component's (`RecordCard`), a route as a path of the web shell.")
        .why("An error: no surface can have such a key, so the claim could never win.");
    MALFORMED_REQUIREMENT = error("HUB023", "a version requirement is malformed")
        .cause("`min_platform_version`, or the version behind a dependency's slug, is not a requirement.")
        .cure("Write a requirement such as `>=0.1.0` or `^1.2`.")
        .why("An error: whether it is met cannot be decided.");
    DUPLICATE_ENTRY = warning("HUB025", "an entry stands twice")
        .cause("The same slug, permission, role or value stands twice in one list, or a slug in `dependencies` and in `optional_dependencies`.")
        .cure("Remove one of the two.")
        .why("A warning: the list means the same without the second one.");
    DEPENDS_ON_ITSELF = error("HUB026", "a plugin depends on itself")
        .cause("A plugin's own slug stands among its dependencies.")
        .cure("Remove the entry.")
        .why("An error: a plugin that has to come before itself has no place in the order.");
    DUPLICATE_ROUTER = error("HUB027", "a router stands twice")
        .cause("The same router is named twice in `routers`.")
        .cure("Remove one of the two.")
        .why("An error: its routes would be mounted twice, which the server refuses when it starts.");
    MISNAMED_MANIFEST = warning("HUB028", "a manifest has another name than plugin.yaml")
        .cause("A folder among the plugins has no plugin.yaml, but a file whose name is close to it, such as plugin.yml.")
        .cure("Rename the file to plugin.yaml.")
        .why("A warning: the folder may hold something else than a plugin; the platform leaves it alone.")
        .build_only(BuildOnly::OtherFolders);
}
