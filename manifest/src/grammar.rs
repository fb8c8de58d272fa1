//! The grammars of names and paths in a manifest: each function says yes, or what is wrong and what to write.

use crate::override_kind::OverrideKind;

/// Slugs that the platform's own routes and pages use.
pub const RESERVED_SLUGS: &[&str] = &[
    "admin",
    "api",
    "assets",
    "audit",
    "auth",
    "config",
    "connectors",
    "dashboard",
    "dashboards",
    "datasets",
    "dbt",
    "docs",
    "drivers",
    "flow",
    "groups",
    "health",
    "honeyframe",
    "members",
    "openapi",
    "orgs",
    "overrides",
    "permissions",
    "platform",
    "plugins",
    "records",
    "scripts",
    "session",
    "static",
    "system",
    "tenants",
    "users",
    "web",
];

/// Permissions that the platform itself declares; seed groups may grant them.
pub const PLATFORM_PERMISSIONS: &[&str] = &[
    "audit.read",
    "connectors.read",
    "connectors.test",
    "dashboards.read",
    "dashboards.write",
    "datasets.read",
    "dbt.read",
    "dbt.run",
    "members.manage",
    "members.read",
    "records.read",
    "records.write",
];

/// Those of them that only people of an organisation give: no group that a customer's plugin brings holds them.
pub const ADMINISTRATIVE: &[&str] = &["audit.read", "connectors.test", "members.manage", "members.read"];

/// Slug of the platform's own dbt workspace.
pub const PLATFORM_WORKSPACE: &str = "honeyframe";

/// HTTP methods that a route may name.
pub const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Longest slug, so that table prefixes and dbt schemas stay within 63 characters.
pub const MAX_SLUG: usize = 40;

/// A lowercase slug: letters, digits and single hyphens, a leading `_` allowed, a letter first.
pub fn slug(text: &str) -> Result<(), String> {
    let body = text.strip_prefix('_').unwrap_or(text);
    let sound = body.starts_with(|c: char| c.is_ascii_lowercase())
        && !body.ends_with('-')
        && !body.contains("--")
        && body.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && text.len() <= MAX_SLUG;
    if sound {
        return Ok(());
    }
    let suggestion = suggest_slug(text);
    let rule = format!(
        "use at most {MAX_SLUG} lowercase letters, digits and single hyphens, a letter first (a leading `_` is allowed)"
    );
    Err(match suggestion {
        Some(suggestion) => format!("write `{suggestion}`: {rule}"),
        None => rule,
    })
}

/// The slug of something inside a plugin (a workspace, a script, a seed): as [`slug`], and `_` is allowed, since names in dbt
/// and SQL have it.
pub fn inner_slug(text: &str) -> Result<(), String> {
    let body = text.strip_prefix('_').unwrap_or(text);
    let sound = text.len() <= MAX_SLUG
        && body.starts_with(|c: char| c.is_ascii_lowercase())
        && !body.ends_with('-')
        && body.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
    if sound {
        return Ok(());
    }
    slug(&text.replace('_', "-").trim_matches('-').replace("--", "-"))?;
    Err(format!("use at most {MAX_SLUG} lowercase letters, digits, `-` and `_`, a letter first"))
}

/// The nearest slug to a text, if there is one.
fn suggest_slug(text: &str) -> Option<String> {
    let mut out = String::new();
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9') => out.push(c),
            _ if !out.is_empty() && !out.ends_with('-') => out.push('-'),
            _ => {}
        }
    }
    let out = out.trim_matches('-').trim_start_matches(|c: char| c.is_ascii_digit() || c == '-').to_string();
    (slug_is_sound(&out) && out != text).then_some(out)
}

fn slug_is_sound(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.len() <= MAX_SLUG
}

/// A slug as Rust paths and SQL tables write it.
pub fn ident_of(slug: &str) -> String {
    slug.replace('-', "_")
}

/// `noun.verb`: two or more lowercase words (letters, digits, `_`, `-`) joined by dots.
pub fn permission(text: &str) -> Result<(), String> {
    let word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
    };
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() >= 2 && parts.iter().all(|part| word(part)) {
        Ok(())
    } else {
        Err("write a permission as `noun.verb`, like `customers.read`".to_string())
    }
}

/// An override key: `block:Name`, `route:/path`, or dotted words like `dashboard.view`.
pub fn override_key(text: &str) -> Result<(), String> {
    if let Some((kind, name)) = OverrideKind::split(text) {
        return kind.check(name);
    }
    let word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    };
    if !text.is_empty() && text.len() <= 100 && text.split('.').all(word) {
        Ok(())
    } else {
        let kinds = OverrideKind::ALL.iter().rev().map(|kind| format!(", or `{}`", kind.example()));
        Err(format!("write a key as dotted words like `dashboard.view`{}", kinds.collect::<String>()))
    }
}

/// A block's name, written like a React component.
pub fn block_name(text: &str) -> Result<(), String> {
    if text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    {
        Ok(())
    } else {
        Err("name a block like a component: `RecordCard`".to_string())
    }
}

/// A path of the web shell: starts with `/`, plain segments, `:name` for a parameter.
pub fn shell_path(text: &str) -> Result<(), String> {
    let segment = |part: &str| {
        let body = part.strip_prefix(':').unwrap_or(part);
        !body.is_empty()
            && body.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~'))
            && !body.trim_matches('.').is_empty()
    };
    let sound = text == "/"
        || text
            .strip_prefix('/')
            .is_some_and(|rest| rest.strip_suffix("/*").unwrap_or(rest).split('/').all(segment));
    if !sound {
        return Err(
            "start with `/` and use letters, digits, `-`, `_`, and `:name` for a parameter".to_string()
        );
    }
    if text == "/api" || text.starts_with("/api/") {
        return Err("paths under `/api` belong to the API, not to the web shell".to_string());
    }
    Ok(())
}

/// A file or folder of a plugin: relative, `/` between names, and never out of the plugin. Gives the path without `./`
/// and repeated slashes.
pub fn inner_path(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("name a file or folder of the plugin".to_string());
    }
    if text.contains('\\') {
        return Err(format!("use `/` between names: `{}`", text.replace('\\', "/")));
    }
    let relative = |text: &str| !text.starts_with(['/', '~']) && text.as_bytes().get(1) != Some(&b':');
    if !relative(text) {
        return Err("use a path relative to the plugin".to_string());
    }
    if text.chars().any(char::is_control) {
        return Err("a path has no control characters".to_string());
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err("a path may not leave the plugin: remove `..`".to_string());
    }
    let path = parts.join("/");
    if !relative(&path) {
        // What stood behind a `./` must not come to the front.
        return Err("name no file or folder that begins with `~` or a drive's letter".to_string());
    }
    if path.is_empty() { Ok(".".to_string()) } else { Ok(path) }
}

/// A public-route pattern of plugin `slug`, made absolute: `ping`, `/ping` and `/api/<slug>/ping` are one.
pub fn public_route(slug: &str, text: &str) -> Result<String, String> {
    let root = format!("/api/{slug}");
    let rest = if text == "/api" || text.starts_with("/api/") {
        match text.strip_prefix(root.as_str()) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
            _ => return Err(format!("a plugin opens its own routes only: write a path under `{root}`")),
        }
    } else {
        text
    };
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    if rest.is_empty() {
        return if text.is_empty() {
            Err(format!("write a path under `{root}`, or `**` for all"))
        } else {
            Ok(root)
        };
    }
    for segment in rest.split('/') {
        if segment.contains(['{', '}', ':']) {
            return Err("write `*` for a parameter: it stands for one segment".to_string());
        }
        if segment.contains('*') && segment != "*" && segment != "**" {
            return Err("`*` (one segment) and `**` (any number) stand alone between slashes".to_string());
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~' | b'*');
        if segment.is_empty() || segment.trim_matches('.').is_empty() || !segment.bytes().all(plain) {
            return Err(format!("write a path under `{root}` of plain segments, like `ping` or `items/*`"));
        }
    }
    Ok(format!("{root}/{rest}"))
}

/// Whether a word can stand as a Rust identifier in a path.
pub fn rust_ident(text: &str) -> bool {
    const KEYWORDS: &[&str] = &[
        "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern",
        "false", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub",
        "ref", "return", "self", "Self", "static", "struct", "super", "trait", "true", "type", "unsafe",
        "use", "where", "while", "_",
    ];
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !KEYWORDS.contains(&text)
}

/// A router, as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterSpec {
    /// As the author wrote it.
    pub text: String,
    /// The crate it is in.
    pub krate: RouterCrate,
    /// Modules below the crate root.
    pub modules: Vec<String>,
    /// The function that gives the router.
    pub function: String,
}

/// How a router spec names its crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouterCrate {
    /// `plugins.<slug>.backend`: the crate in that plugin's `backend/`; the slug with `_` for `-`.
    Backend(String),
    /// `crate_name::…`: the plugin's crate by its own name.
    Named(String),
}

/// `plugins.<slug>.backend.<module path>:<function>`, or `crate_name::module::function`.
pub fn router_spec(text: &str) -> Result<RouterSpec, String> {
    const FORM: &str = "write `plugins.<slug>.backend.<module>:<function>` or `crate_name::module::function`";
    let idents = |parts: &[&str]| -> Result<Vec<String>, String> {
        match parts.iter().find(|part| !rust_ident(part)) {
            Some(part) => Err(format!("`{part}` cannot name a Rust module or function: {FORM}")),
            None => Ok(parts.iter().map(|part| (*part).to_string()).collect()),
        }
    };
    if text.contains("::") {
        let parts: Vec<&str> = text.split("::").collect();
        let parts = idents(&parts)?;
        let [krate, modules @ .., function] = parts.as_slice() else { return Err(FORM.to_string()) };
        return Ok(RouterSpec {
            text: text.to_string(),
            krate: RouterCrate::Named(krate.clone()),
            modules: modules.to_vec(),
            function: function.clone(),
        });
    }
    let Some((path, function)) = text.split_once(':') else {
        return Err(match text.strip_prefix("plugins.") {
            Some(_) => format!("name the function too, such as `{text}:router`"),
            None => FORM.to_string(),
        });
    };
    let parts: Vec<&str> = path.split('.').collect();
    let ["plugins", slug, "backend", modules @ ..] = parts.as_slice() else {
        return Err(match parts.as_slice() {
            ["plugins", slug, rest @ ..] => {
                let path: String = rest.iter().map(|part| format!(".{part}")).collect();
                format!("the crate is in `backend`: write `plugins.{slug}.backend{path}:{function}`")
            }
            _ => FORM.to_string(),
        });
    };
    if slug.contains('-') {
        return Err(format!("write `{}` for the slug `{slug}`: a Rust path has no `-`", ident_of(slug)));
    }
    let function = idents(&[function])?.remove(0);
    Ok(RouterSpec {
        text: text.to_string(),
        krate: RouterCrate::Backend(idents(&[slug])?.remove(0)),
        modules: idents(modules)?,
        function,
    })
}

/// The address of a web page: `http` or `https`, a host, and what follows it. It is what a browser opens, so it has neither a
/// user's name nor a password.
pub fn web_address(text: &str) -> Result<(), String> {
    const FORM: &str =
        "write an address that begins with `https://` or `http://`, like `https://acme.example/crm`";
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(FORM)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(
            "leave out what stands before the `@`: everybody who sees the plugin sees it too".to_string()
        );
    }
    let (host, port) = match authority.split_once(':') {
        None => (authority, None),
        Some((host, port)) => (host, Some(port)),
    };
    let port_is_sound = port
        .is_none_or(|port| (1..=5).contains(&port.len()) && port.bytes().all(|digit| digit.is_ascii_digit()));
    let is_foreign = |c: char| c.is_whitespace() || "\\\"<>^`{|}".contains(c);
    if host.is_empty() || !port_is_sound || text.contains(is_foreign) {
        return Err(FORM.to_string());
    }
    Ok(())
}

/// Longest line of text that a field may hold, in characters.
pub const MAX_LINE: usize = 1000;

/// Longest name that nearby ones are looked for; nobody mistypes longer ones.
const MAX_NEAR: usize = 100;

/// At most three of `candidates` that look like `name`, nearest first. What length and letters rule out is not
/// compared, so that ten thousand candidates cost little.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let (length, letters) = (name.chars().count(), letters_of(name));
    if length > MAX_NEAR {
        return Vec::new();
    }
    let mut scored: Vec<(usize, &str)> = Vec::new();
    for candidate in candidates {
        if candidate.len() > 4 * MAX_NEAR {
            continue;
        }
        let other = candidate.chars().count();
        let most = length.max(other) / 3;
        // An edit adds one letter and takes one away at most.
        let possible = length.abs_diff(other) <= most
            && (letters ^ letters_of(candidate)).count_ones() as usize <= 2 * most;
        if possible {
            let distance = edits(name, candidate);
            if distance <= most {
                scored.push((distance, candidate));
            }
        }
    }
    scored.sort_unstable();
    scored.dedup();
    scored.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// How many letters are added, left out, exchanged or swapped with their neighbour from one name to another.
pub fn edits(one: &str, other: &str) -> usize {
    strsim::damerau_levenshtein(one, other)
}

/// Which letters a text has, a bit each; different ones may share a bit.
fn letters_of(text: &str) -> u64 {
    text.chars().fold(0, |letters, c| letters | 1 << (u32::from(c) % 64))
}

/// "`a`", "`a` or `b`", "`a`, `b` or `c`".
pub fn alternatives(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} or {last}", head.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_addresses() {
        for sound in [
            "https://acme.example",
            "http://localhost:8001/crm",
            "https://git.acme.example/crm?tab=readme#install",
            "https://acme.example/@crm",
            "https://b\u{fc}cher.example/",
        ] {
            assert_eq!(web_address(sound), Ok(()), "{sound}");
        }
        for malformed in [
            "",
            "acme.example",
            "https://",
            "https:///crm",
            "https://:80",
            "ftp://acme.example",
            "javascript:alert(1)",
            "git@git.acme.example:crm.git",
            "https://acme.example:port/",
            "https://acme.example/two words",
            "https://acme.example/\"onclick",
            "https://jane:secret@acme.example/crm",
            "https://jane@acme.example",
        ] {
            let help = web_address(malformed).expect_err(malformed);
            assert!(!help.contains("secret"), "{help}");
        }
    }
}
