//! Codes of what is wrong with overrides, pages and the modules that they are in.

use super::BuildOnly;

codes! {
    DUPLICATE_CLAIM = warning("HUB029", "a plugin claims one key twice")
        .cause("Two claims of one plugin have the same key, in overrides.json and in `frontend_overrides`; the one of the lower priority can never win.")
        .cure("Remove one of the two.")
        .why("A warning: the release works, and the claim that counts is the one that would be expected.")
        .build_only(BuildOnly::NoFrontend);
    MODULE_SYNTAX = error("HUB040", "a syntax error in a TypeScript or JavaScript module")
        .cause("A module below `frontend/` does not parse, or has JSX in a file that does not end in .tsx or .jsx.")
        .cure("Mend the marked place; an editor with TypeScript shows the same error.")
        .why("An error: the module cannot be bundled.")
        .build_only(BuildOnly::NoFrontend);
    MODULE_TOO_LARGE = error("HUB041", "a module is too large")
        .cause("A module below `frontend/` is larger than 2 MiB.")
        .cure("Split the file; take data and third-party code from an npm package or an asset instead.")
        .why("An error: every visitor who needs one line of it would load all of it, and reading it would stall the check.")
        .build_only(BuildOnly::NoFrontend);
    MISSING_EXPORT = error("HUB042", "a module lacks the export that is claimed")
        .cause("The module of a claim or of `frontend_entry` has no default export, or no export of the name in `export`; one that is only passed on with `export *` from a package is not found.")
        .cure("Name the export that the help line suggests, or export the component.")
        .why("An error: the surface would stay empty when somebody opens it.")
        .build_only(BuildOnly::NoFrontend);
    EXPORT_IS_TYPE = error("HUB043", "a claimed export is only a type")
        .cause("The export that a claim names is an interface or a type, which does not exist any more when the program runs.")
        .cure("Export the component itself, a function or class, and not its type.")
        .why("An error: there would be nothing to render.")
        .build_only(BuildOnly::NoFrontend);
    MISSING_MODULE = error("HUB044", "a claimed module does not exist")
        .cause("The file of a claim, of `frontend_entry` or of `frontend_overrides` does not exist. Paths in overrides.json start at its folder, those in plugin.yaml at the plugin's.")
        .cure("Create the file, or take the path that the help line suggests.")
        .why("An error: there would be nothing to render.")
        .build_only(BuildOnly::NoFrontend);
    EQUAL_PRIORITY = warning("HUB045", "two plugins claim a key with the same priority")
        .cause("Claims of two plugins that do not depend on each other have the same key and the same priority, so the plugin order alone decides.")
        .cure("Give one of them a higher priority, or make one plugin depend on the other.")
        .why("A warning: the outcome is certain and the same in each build, but nobody has chosen it. `--deny-warnings` makes it an error.")
        .build_only(BuildOnly::NoFrontend);
    WRONG_EXPORT = error("HUB046", "a claimed export is of the wrong kind")
        .cause("The export of a claim is plainly no component (a text, a number, an object), or that of `frontend_entry` no list of pages.")
        .cure("Export a function or class that renders the surface; in the module of `frontend_entry`, `definePages([{ path, component }, …])`.")
        .why("An error: React would throw when the surface is shown.")
        .build_only(BuildOnly::NoFrontend);
    MODULE_UNREADABLE = error("HUB047", "a module cannot be read")
        .cause("A module below `frontend/` may not be read, or is no regular file.")
        .cure("Let the user who builds read it, or take it out of the plugin.")
        .why("An error: whether the module is needed can be told only after reading it.")
        .build_only(BuildOnly::NoFrontend);
    SEALED_SURFACE = error("HUB065", "a sealed surface is claimed")
        .cause("A plugin claims a surface that another plugin, or the shell, has declared with `@sealed`.")
        .cure("Remove the claim, or ask the owner of the surface for one that may be replaced.")
        .why("An error: the owner relies on drawing this surface itself, a form to sign in with for instance.")
        .build_only(BuildOnly::NoFrontend);
    OLD_SURFACE = warning("HUB066", "a surface is renamed or deprecated")
        .cause("A claim, a `useOverride` or a `<Surface>` names a key that its owner has declared with `@renamedTo`, or a claim names one with `@deprecated`.")
        .cure("Write the new key, or do as the owner says.")
        .why("A warning: the old key has the same chain as the new one until its owner takes it away.")
        .build_only(BuildOnly::NoFrontend);
    NAVIGATION_WITHOUT_PAGE = warning("HUB070", "a navigation entry leads to no page")
        .cause("No page of any plugin and none of the shell has the `path` of a `nav` entry.")
        .cure("Take the path that the help line suggests, or add a page with this path to the module of `frontend_entry`.")
        .why("A warning: the rest of the plugin works, and a path may lead to a page that is put together at run time.");
    MODULE_TOO_DEEP = error("HUB071", "a module is nested too deeply")
        .cause("Expressions or elements of a module stand so deep inside each other that parsers run out of stack.")
        .cure("Break the deepest expression or element into parts with names of their own.")
        .why("An error: the module cannot be read safely.")
        .build_only(BuildOnly::NoFrontend);
    MODULE_NOT_UTF8 = error("HUB072", "a module is not UTF-8 text")
        .cause("A module below `frontend/` has bytes that are no UTF-8.")
        .cure("Save the file as UTF-8.")
        .why("An error: TypeScript and browsers read UTF-8, so its texts would show as other characters.")
        .build_only(BuildOnly::NoFrontend);
    FOREIGN_PAGE = error("HUB075", "a page lies outside the plugin's paths")
        .cause("A page of `frontend_entry` has a path that is neither under `/<slug>/` nor under `/plugins/<slug>/`: it belongs to the shell, or to the plugin of that slug.")
        .cure("Write a path under one of the two.")
        .why("An error: a page elsewhere could hide one of the shell or of another plugin; replacing one is what overrides are for.")
        .build_only(BuildOnly::NoFrontend);
    UNUSED_OVERRIDE_KEY = warning("HUB077", "nothing asks for an override key")
        .cause("Neither the shell nor a plugin has a surface of this key: no `useOverride(\"…\")` and no `<Surface name=\"…\">` names it.")
        .cure("Take the key that the help line suggests, put `<Surface name=\"…\">` where it shall show, or remove the claim.")
        .why("A warning: the claim does no harm, and the surface may be in a plugin that this build leaves out.")
        .build_only(BuildOnly::NoFrontend);
    NOT_A_MODULE = error("HUB078", "a claimed file is no module")
        .cause("The file of a claim or of `frontend_entry` does not end in .tsx, .ts, .jsx or .js.")
        .cure("Name a TypeScript or JavaScript module.")
        .why("An error: nothing else can export a component.")
        .build_only(BuildOnly::NoFrontend);
    SECOND_REACT = error("HUB087", "a plugin brings a React of its own")
        .cause("The frontend's package.json has `react` or `react-dom` among its `dependencies` in a version that the page does not have, its node_modules hold one that package.json names nowhere, or a module imports a copy by its path.")
        .cure("List `react` and `react-dom` under `peerDependencies`, and import them by their names.")
        .why("An error: hooks and contexts work within one copy of React only, so the plugin's components would fail in the page.")
        .build_only(BuildOnly::NoFrontend);
    BROKEN_RENAME = error("HUB088", "a renamed surface leads nowhere")
        .cause("The `@renamedTo` of a surface names no key, names a key that nobody declares in `SurfaceProps`, or leads back to where it began.")
        .cure("Name the new key and declare it, or take `@renamedTo` off the key that is to stay.")
        .why("An error: the claims on the old key would join a chain that nothing shows.")
        .build_only(BuildOnly::NoFrontend);
    DUPLICATE_SURFACE = error("HUB089", "two owners declare one surface")
        .cause("Two plugins, or a plugin and the shell, declare the same key in `SurfaceProps`.")
        .cure("Remove one of the declarations, or give the surface a key of its own.")
        .why("An error: props, seal and renames would depend on which of the two is read first, and TypeScript takes one type a key.")
        .build_only(BuildOnly::NoFrontend);
    OVERRIDE_TYPE = error("HUB091", "an override does not fit its surface")
        .cause("`check --types`: the export of a claim is no component that accepts the props of its surface, or that of `frontend_entry` no list of pages.")
        .cure("Take `OverrideProps<\"the.key\">` of `@platform/plugin-host` as the component's props.")
        .why("An error: the component would be handed other props than it reads, and fail or stay empty when it is shown.")
        .build_only(BuildOnly::NoFrontend);
    TYPESCRIPT = error("HUB092", "a TypeScript error in a plugin")
        .cause("`check --types`: TypeScript's checker finds an error in a module of a plugin.")
        .cure("Mend the marked place; an editor with TypeScript shows the same error.")
        .why("An error: the sources say one thing and do another. A build does not look at types.")
        .build_only(BuildOnly::NoFrontend);
}
