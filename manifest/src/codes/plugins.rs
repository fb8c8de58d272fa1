//! Codes of what is wrong between plugins, or between a manifest and the files that it names.

use super::BuildOnly;

codes! {
    SHARED_VARIABLE = warning("HUB024", "one environment variable sets two settings")
        .cause("Two settings, of one plugin or of two, name the same `env`, or one names a variable that the platform itself reads, or a customer's plugin one that does not begin with its slug in capitals.")
        .cure("Give the setting a variable of its own; the help line suggests one.")
        .why("A warning: two plugins may share an account on purpose, but a plugin that reads the secret of another should be seen.");
    DUPLICATE_PLUGIN = error("HUB030", "two plugins have one name")
        .cause("Two folders below the same plugin root hold plugins with the same `name`.")
        .cure("Rename one of the two, `name` and folder.")
        .why("An error: both would have the same routes, tables and settings, and nothing says which one is meant.");
    SHADOWED_PLUGIN = warning("HUB031", "a plugin is shadowed")
        .cause("Two plugin roots (`--plugins`) hold a plugin of the same name; the one in the earlier root is built.")
        .cure("Remove one of the two, or leave it so where the later one is meant to be replaced.")
        .why("A warning: replacing a plugin by a patched copy in an earlier root is a way to work, but one that should be seen.")
        .build_only(BuildOnly::Shadowed);
    MISSING_PLUGIN = error("HUB032", "a needed plugin is not there")
        .cause("A plugin of `dependencies` is in no plugin root, is left out by `enabled: false`, or was left out for its own errors. For a customer's plugin: it is neither in the release nor among the customer's.")
        .cure("Add that plugin, switch it on, mend the slug, or name it in `optional_dependencies`.")
        .why("An error: the plugin says itself that it does not work without.");
    DEPENDENCY_CYCLE = error("HUB033", "plugins wait for each other")
        .cause("`dependencies`, `optional_dependencies` and `order` of some plugins form a cycle; the message prints it.")
        .cure("Remove one of the dependencies in the cycle, or one entry of `order`.")
        .why("An error: there is one order for routers, overrides, navigation and seeds, and a cycle has none.");
    PLUGIN_VERSION = error("HUB034", "a plugin's version does not fit the requirement")
        .cause("A dependency names a version that the plugin in the build, or beside the customer's, does not have.")
        .cure("Update that plugin, or widen the requirement.")
        .why("An error: the author has said that other versions do not work.");
    PLATFORM_VERSION = error("HUB035", "the platform's version does not fit the requirement")
        .cause("`min_platform_version` is not met by the version of the platform's own crates; the `--version` of a release does not matter. A platform before its release counts as the release: `0.2.0-rc.1` meets `>=0.2.0`.")
        .cure("Take a platform of that version, or lower the requirement.")
        .why("An error: the plugin may need what this platform does not have.");
    DUPLICATE_WORKSPACE = error("HUB048", "two dbt workspaces have one slug")
        .cause("Two workspaces of one plugin or of two plugins have the same slug, or one has that of the platform's own, `honeyframe`.")
        .cure("Give each workspace a slug of its own.")
        .why("An error: builds and runs name a workspace by its slug alone.");
    MISSING_FILE = error("HUB049", "a file or folder that the manifest names is missing")
        .cause("The folder of a dbt workspace has no dbt_project.yml, the folder of `migrations` no SQL file, or the file of `script_path` does not exist.")
        .cure("Create the file, or mend the path; a path starts at the folder of plugin.yaml.")
        .why("An error: it would be missing from the release too, and fail when somebody uses it.");
    UNDECLARED_PERMISSION = error("HUB076", "a group grants a permission that nobody declares")
        .cause("A permission in `seed_groups` is declared neither in this plugin's `permissions` nor by the platform.")
        .cure("Take the name that the help line suggests, or add the permission to `permissions`.")
        .why("An error: no handler could ever ask for it, so the group would grant less than it says.");
    DUPLICATE_DBT_PROJECT = error("HUB079", "two dbt projects have one name")
        .cause("The `name` in two `dbt_project.yml` of the build is the same, or it is that of the platform's own project, `honeyframe`.")
        .cure("Give each project a name of its own, such as `hub_` with the plugin's slug behind it.")
        .why("An error: dbt composes the projects as packages of one, tells packages apart by their names, and refuses two that are called the same.")
        .build_only(BuildOnly::NotComposed);
    DUPLICATE_MODEL = error("HUB080", "two models of one dbt project have one name")
        .cause("Two `.sql` or `.py` files below the `model-paths` of one project have the same file name. Where a project speaks of switching models off (`enabled`, `.dbtignore`), it is left to dbt.")
        .cure("Rename one of the files.")
        .why("An error: dbt refuses the whole project, so no model of it could be built.")
        .build_only(BuildOnly::NotComposed);
    SHARED_MODEL_NAME = warning("HUB081", "models of two dbt projects have one name")
        .cause("Two dbt projects of the build each have a model of that name.")
        .cure("Rename one of the two, for example with the name of the plugin in front.")
        .why("A warning: dbt tells the models of two projects apart and each plugin has a schema of its own, so both work; but a `ref` with the name alone is ambiguous in every other project.")
        .build_only(BuildOnly::NotComposed);
    SHARED_NAVIGATION = warning("HUB082", "two navigation entries lead to one page")
        .cause("Two entries of `nav`, of one plugin or of two, have the same path, and one person may see both. Entries for different roles, and those of internal plugins, do not count.")
        .cure("Remove one of the two, or lead it to a page of its own.")
        .why("A warning: both work, but people see the same page twice and take one of the two for a mistake.");
    FOREIGN_TABLE_NAME = error("HUB083", "a table is named like those of another plugin")
        .cause("A migration names a table that begins with the table prefix of another plugin in the build: `plugin_crm_extra_notes`, made by `crm`, begins as the tables of `crm-extra` do. Slugs of which one begins with the other are in order as long as no table does so.")
        .cure("Give the table another name, or rename one of the plugins.")
        .why("An error: both plugins may make and drop that table, so the migration of one can fail at a start, or destroy the data of the other.")
        .build_only(BuildOnly::NoMigrations);
    SHARED_PERMISSION = warning("HUB084", "a permission has two owners")
        .cause("Two plugins declare the same permission, or a plugin declares one that is the platform's own.")
        .cure("Use a noun of the plugin's own. Where the same right is meant, leave the declaration to one of the two.")
        .why("A warning: who is granted it for the one has it for the other too; that may be meant, and nothing breaks.");
    UNKNOWN_BLOCK = warning("HUB085", "nobody has the block of a widget")
        .cause("A widget of `dashboard_seeds` names a block that no plugin in the build claims.")
        .cure("Take the name that the help line suggests, add the block, or build with the plugin that has it.")
        .why("A warning: the dashboard shows with a gap in that place, and the plugin with the block may be left out on purpose.");
    MISSPELT_ORDER = warning("HUB086", "a plugin named in an order is nearly there")
        .cause("`order` or `optional_dependencies` names a plugin that is not in the build, while one with nearly the same slug is. A name that is like none is in order: such a plugin need not be there.")
        .cure("Take the slug that the help line suggests.")
        .why("A warning: most likely the name is mistyped and the order has no effect; but it can be meant for a plugin of another build.");
    MIGRATION_ORDER = error("HUB100", "the order of migrations is not clear")
        .cause("An SQL file in the folder of `migrations` has no number in front of its name, or two have the same one.")
        .cure("Name migrations like `0001_what_it_does.sql`, each with a number of its own. Only files in the folder itself are migrations.")
        .why("An error: the host runs each file once, in the order of their numbers, and refuses the plugin where it is not clear.")
        .build_only(BuildOnly::NoMigrations);
    MIGRATION_FAILS = error("HUB101", "a migration fails")
        .cause("Run on an empty database, after the migrations of the platform and of the plugins that come before, a migration fails, takes too long, or makes or drops a table that is not named `plugin_<slug>_*`; or the file cannot be read. SQLite is always asked, PostgreSQL with `check --postgres`. Or a migration, for whichever engine, has a statement that controls its transaction (`BEGIN`, `COMMIT`, `SAVEPOINT` and their like), or one that no transaction takes (`CREATE INDEX CONCURRENTLY`, `VACUUM`), or reaches beyond its database (`pg_terminate_backend`, `lo_export`, `dblink`, `COPY … TO PROGRAM`, `ATTACH`) or sets a sequence (`setval`), which no rollback takes back, or reads files of the server (`pg_read_file`, `COPY … FROM` a file), or exchanges data with a client (`COPY … FROM STDIN`), or locks a table for its own sake (`LOCK TABLE`), or changes the server (`ALTER ROLE`, `GRANT` of a role, `ALTER DATABASE`), or writes a name with escapes (`U&\"…\"`): such a file is not run at all.")
        .cure("Mend the marked statement, or remove it where it controls the transaction. What is said of one that fails are the database's own words; where they are PostgreSQL's, the message says so.")
        .why("An error: the host runs migrations when somebody enables the plugin for the first time, and would refuse.")
        .build_only(BuildOnly::NoMigrations);
    UNUSED_PERMISSION = warning("HUB102", "a permission gates nothing")
        .cause("The plugin has a backend, declares a permission, and names it in none of its Rust sources.")
        .cure("Let a handler ask for it with `Allowed<…>`, or remove it from `permissions`.")
        .why("A warning: admins grant it in the belief that it protects something, and nothing breaks; a page may still ask for it.")
        .build_only(BuildOnly::NoBackend);
    MIGRATIONS_NOT_TRIED = error("HUB103", "migrations cannot be tried")
        .cause("The database on which the check tries migrations cannot be made: a migration of the platform itself cannot be read, or fails; or, with `check --postgres`, the server for it cannot be made, stops, or has no time left.")
        .cure("Mend what the message names in `host-template/runtime/migrations`, or on the machine; nothing is said of plugins' migrations until then.")
        .why("An error: a check that cannot run has found nothing out, and that must not look like having found nothing.")
        .build_only(BuildOnly::NoMigrations);
    ONE_DATABASE_SQL = warning("HUB104", "a migration speaks one database's SQL")
        .cause("A migration for both engines has a word, a function or a sign that only SQLite or only PostgreSQL knows, or that means another thing there, or a column without a type.")
        .cure("Write what the help line says, or give each engine a file of its own: `0001_name.sqlite.sql` beside `0001_name.postgres.sql`. `cargo xtask check --postgres` runs them on both.")
        .why("A warning: a platform that only ever runs on the one engine works. On the other, enabling the plugin fails.")
        .build_only(BuildOnly::NoMigrations);
    FOREIGN_GRANT = error("HUB109", "a group grants what is not the plugin's to give")
        .cause("A permission in `seed_groups` is one that only people grant (`audit.read`, `connectors.test`, `members.manage`, `members.read`), or is declared by another plugin.")
        .cure("Remove it. Whoever administers an organisation grants it to those who need it, by a group of their own.")
        .why("An error: switching the plugin on would hand out what neither its author nor the plugin has to give.");
}
