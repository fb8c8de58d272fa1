//! Codes of what cargo, the bundle stage and npm find, and of what the machine lacks.

use super::BuildOnly;

codes! {
    COMMAND_LINE = error("HUB000", "the command line makes no sense")
        .cause("An argument is not known, lacks its value, or names a plugin root that is not there. The exit code is 2.")
        .cure("`cargo xtask <command> --help` lists what the command takes.")
        .why("An error: nothing was checked or built.")
        .build_only(BuildOnly::BuildMachine);
    COMPILE_ERROR = error("HUB054", "a plugin does not compile")
        .cause("rustc found an error in a plugin's crate; the message ends with rustc's own code.")
        .cure("Mend the marked place. `rustc --explain` tells more about the code at the message's end.")
        .why("An error: there is no host without the crate.")
        .build_only(BuildOnly::BuildMachine);
    COMPILE_WARNING = warning("HUB055", "the compiler warns of a plugin's code")
        .cause("rustc gave a warning on a plugin's crate; the message ends with the name of its lint.")
        .cure("Mend the marked place, or allow the lint there.")
        .why("A warning, as it is in rustc.")
        .build_only(BuildOnly::BuildMachine);
    CRATES_UNRESOLVED = error("HUB058", "cargo cannot resolve a plugin's dependencies")
        .cause("A dependency in a plugin's Cargo.toml cannot be had: no version fits, a feature does not exist, or two plugins exclude each other.")
        .cure("Mend the dependency at the marked place; `cargo check` in the crate's own folder shows the same error.")
        .why("An error: without all packages nothing can be compiled.")
        .build_only(BuildOnly::BuildMachine);
    PACKAGE_NOT_LOCKED = error("HUB059", "a package is not locked")
        .cause("With `--locked`, a plugin needs a package in a version that neither Cargo.lock nor hub.lock holds.")
        .cure("Build once without `--locked`, which records the package in hub.lock, and commit that file; or use the version that the platform already locks.")
        .why("An error: `--locked` promises that nothing but the locked versions is built.")
        .build_only(BuildOnly::BuildMachine);
    MODULE_NOT_BUNDLED = error("HUB060", "a module cannot be bundled")
        .cause("The bundle stage cannot parse or transform a module, mostly one of an npm package, or the module assigns to an import or a constant.")
        .cure("Mend the marked place; where it is in a package, take another version of it.")
        .why("An error as a rule, as the browser could not run the module; a warning where the bundler only advises.")
        .build_only(BuildOnly::BuildMachine);
    IMPORT_UNRESOLVED = error("HUB061", "an import leads nowhere")
        .cause("No file and no installed npm package is what an import names.")
        .cure("Mend the path, or add the package to the plugin's package.json and run `npm install`.")
        .why("An error: the module cannot run without what it imports.")
        .build_only(BuildOnly::BuildMachine);
    IMPORT_NOT_EXPORTED = error("HUB062", "an import names what the module does not export")
        .cause("A module imports a name that the other module does not export.")
        .cure("Export it there, or import a name that is exported.")
        .why("An error as a rule, as the import would be undefined in the browser; a warning where the bundler cannot be certain.")
        .build_only(BuildOnly::BuildMachine);
    STYLE_SHEET = error("HUB063", "a style sheet cannot be used")
        .cause("A CSS file does not parse, imports a file that is missing, or names a URL that cannot be bundled.")
        .cure("Mend the marked place.")
        .why("An error: the surface would show without its styles.")
        .build_only(BuildOnly::BuildMachine);
    ASSET = error("HUB064", "an image, font or other file cannot be used")
        .cause("A file that a module imports as an asset cannot be read, or is larger than an asset may be.")
        .cure("Make the file smaller or readable, or take it from elsewhere.")
        .why("An error: the release would lack it.")
        .build_only(BuildOnly::BuildMachine);
    PACKAGE_JSON = error("HUB067", "a package.json cannot be used")
        .cause("The package.json of a plugin's frontend, or of the web shell, is not valid JSON, no object, or has no `name`; or the shell's names no exact version of React, which is the whole page's.")
        .cure("Write `{ \"name\": \"…\", \"private\": true, \"dependencies\": {} }`, without comments or trailing commas.")
        .why("An error: npm would stop with it, without saying which file it is.")
        .build_only(BuildOnly::BuildMachine);
    PACKAGE_LOCK = error("HUB068", "package-lock.json does not fit the package.json files")
        .cause("A package.json of the repository asks for a package or version that package-lock.json does not hold.")
        .cure("Run `npm install` in the repository and commit package-lock.json.")
        .why("An error: packages are installed as locked and not otherwise, so that each build has the same ones.")
        .build_only(BuildOnly::BuildMachine);
    BUNDLER = error("HUB069", "the bundler found something else")
        .cause("The bundle stage found something that has no code of its own; the message is the bundler's.")
        .cure("Do what the message says at the marked place.")
        .why("An error where the bundler gives no output, a warning where it does.")
        .build_only(BuildOnly::BuildMachine);
    MACHINE = error("HUB090", "the machine lacks something")
        .cause("A program, the network, disk space or a right that a command needs is not there. No plugin is to blame; the exit code is 3.")
        .cure("Install or do what the help line says.")
        .why("An error: the command cannot go on. `--message-format json` and `sarif` give it this code, so that each error has one.")
        .build_only(BuildOnly::BuildMachine);
    HUB_LOCK = error("HUB096", "hub.lock is not the inventory of this build")
        .cause("With `--locked`, the plugins, their contents, packages or routes are not those that hub.lock names, or there is no hub.lock. With and without it, the file cannot be read: most often a merge left its marks in it.")
        .cure("Run `cargo xtask build-platform` without `--locked`, read the changes that it prints, and commit hub.lock; restore a file that cannot be read.")
        .why("An error: `--locked` promises a build of what was reviewed, and of nothing else.")
        .build_only(BuildOnly::BuildMachine);
}
