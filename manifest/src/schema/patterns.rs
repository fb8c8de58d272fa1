//! The grammars of `crate::grammar` as patterns that editors understand (ECMA 262). A test holds the two together.

/// A slug; its length is bounded by `maxLength`.
pub const SLUG: &str = r"^_?[a-z](?:[a-z0-9]|-(?=[a-z0-9]))*$";
/// A slug of a workspace, script or seed, where `_` may stand for `-`.
pub const INNER_SLUG: &str = r"^[-_]*[a-z](?:[a-z0-9]|[-_]{1,2}(?=[a-z0-9]))*[-_]*$";
/// Text that is not blank.
pub const TEXT: &str = r"\S";
/// The address of a web page.
pub const WEB_ADDRESS: &str = r#"^https?://[^\s/?#@:\\"<>^`{|}]+(?::[0-9]{1,5})?(?:[/?#][^\s\\"<>^`{|}]*)?$"#;
/// A semantic version.
pub const VERSION: &str = r"^(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$";
/// A requirement on a version.
pub const REQUIREMENT: &str = r"^ *(?:(?:=|>=?|<=?|~|\^)? *(?:0|[1-9][0-9]*|[xX*])(?:\.(?:0|[1-9][0-9]*|[xX*])){0,2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)? *(?:, *(?=[^ ])|$))+$";
/// A permission.
pub const PERMISSION: &str = r"^[a-z][a-z0-9_-]*(?:\.[a-z][a-z0-9_-]*)+$";
/// A file or folder of the plugin.
pub const INNER_PATH: &str = r"^(?![/~]|[\x00-\x7f]:)(?!(?:.*/)?\.\.(?:/|$))[^\\\x00-\x1f\x7f-\x9f]+$";
/// A path of the web shell.
pub const SHELL_PATH: &str =
    r"^(?!/api(?:/|$))/(?::?(?!\.+(?:/|$))[A-Za-z0-9._~-]+(?:/:?(?!\.+(?:/|$))[A-Za-z0-9._~-]+)*(?:/\*)?)?$";
/// A block's name.
pub const BLOCK: &str = r"^[A-Z][A-Za-z0-9_]{0,63}$";
/// A widget's block, with or without `block:`.
pub const WIDGET: &str = r"^(?:block:)?[A-Z][A-Za-z0-9_]{0,63}$";
/// A router.
pub const ROUTER: &str = r"^(?:plugins\.[A-Za-z_][A-Za-z0-9_]*\.backend(?:\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*|[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z_][A-Za-z0-9_]*)+)$";
/// A pattern of public routes.
pub const PUBLIC_ROUTE: &str = r"^(?:/|/?(?:\*\*?|(?!\.+(?:/|$))[A-Za-z0-9._~-]+)(?:/(?:\*\*?|(?!\.+(?:/|$))[A-Za-z0-9._~-]+))*|/api/[^/]+/)$";
/// A setting's name.
pub const SETTING: &str = r"^[a-z_][a-z0-9_]*$";
/// An environment variable.
pub const VARIABLE: &str = r"^[A-Z_][A-Z0-9_]*$";
/// An override key.
pub const OVERRIDE_KEY: &str = r"^(?:[a-z][A-Za-z0-9_-]*(?:\.[a-z][A-Za-z0-9_-]*)*|block:[A-Z][A-Za-z0-9_]{0,63}|route:(?!/api(?:/|$))/(?::?(?!\.+(?:/|$))[A-Za-z0-9._~-]+(?:/:?(?!\.+(?:/|$))[A-Za-z0-9._~-]+)*(?:/\*)?)?)$";

/// HTTP methods in any case, and `ALL`.
pub fn methods() -> String {
    let any_case = |method: &&str| -> String {
        method.chars().map(|c| format!("[{}{}]", c.to_ascii_uppercase(), c.to_ascii_lowercase())).collect()
    };
    let all: Vec<String> = std::iter::once(&"ALL").chain(crate::grammar::METHODS).map(any_case).collect();
    format!("^(?:{})$", all.join("|"))
}
