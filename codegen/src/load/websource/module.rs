//! The facts of one web source file.

use std::path::PathBuf;

use hub_manifest::diagnostic::Span;

/// One TypeScript or JavaScript file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Module {
    /// The file, as given to [`super::parse`].
    pub path: PathBuf,
    /// What other modules can import, in the order of the file; a name stands once.
    pub exports: Vec<Export>,
    /// Static imports, and `export … from`.
    pub imports: Vec<Import>,
    /// `import("…")` with a literal specifier.
    pub dynamic_imports: Vec<Literal>,
    /// Override keys that the module asks for.
    pub asked: Vec<Asked>,
    /// Calls and elements that ask for a key which only the running program knows.
    pub dynamic_keys: Vec<DynamicKey>,
    /// Surfaces whose props the module declares.
    pub declared: Vec<Declared>,
    /// The pages of the default export, where it is plainly a list.
    pub pages: Option<Pages>,
    /// Whether the file is CommonJS: what it exports cannot be known from its text.
    pub commonjs: bool,
}

/// A text literal and where it stands, quotes included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// The text.
    pub value: String,
    /// The literal, or the constant that stands for it.
    pub span: Span,
}

/// Something that other modules can import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Name for importers: `default` for the default export, `*` for `export * from`.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// What it is.
    pub kind: ExportKind,
}

/// What an export is, as far as the text tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportKind {
    /// A function: may well be a component.
    Function,
    /// A class: may well be a component.
    Class,
    /// A value that only the running program knows, such as the result of `memo(…)`: may be a component.
    Value,
    /// A value that is no component; what it is, with its article: "a number".
    Plain(&'static str),
    /// Another module's export under this name.
    Reexport {
        /// Module specifier.
        from: String,
        /// The name over there.
        name: String,
    },
    /// `export * as name from`: a namespace object.
    Namespace {
        /// Module specifier.
        from: String,
    },
    /// `export * from`: every named export of that module.
    Star {
        /// Module specifier.
        from: String,
    },
    /// A type or interface: nothing of it is left at run time.
    Type,
}

impl Export {
    /// The module that has to be looked at to know what this export is.
    pub fn follows(&self) -> Option<&str> {
        match &self.kind {
            ExportKind::Reexport { from, .. } | ExportKind::Star { from } => Some(from),
            _ => None,
        }
    }
}

/// A static import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Module specifier.
    pub specifier: String,
    /// Where the specifier stands.
    pub span: Span,
    /// Whether it brings in types only and is gone at run time.
    pub type_only: bool,
}

/// A key that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub span: Span,
    /// How.
    pub by: AskedBy,
}

/// How a key is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedBy {
    /// `useOverride("…")`.
    Hook,
    /// `<Surface name="…">`.
    Surface,
}

/// A place that asks for a key which the text does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamicKey {
    /// The argument or attribute; the call or element where there is none.
    pub span: Span,
    /// How it asks.
    pub by: AskedBy,
}

/// A member of `interface SurfaceProps` in `declare module "@platform/plugin-host"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub span: Span,
    /// Type of the props, as TypeScript.
    pub props: String,
    /// What the comment in front of it says.
    pub about: About,
}

/// What the comment in front of a surface says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The text before the first tag, a line a paragraph.
    pub description: String,
    /// The text of `@deprecated`, which may be empty.
    pub deprecated: Option<String>,
    /// The key of `@renamedTo`, which may be empty, and where the tag stands.
    pub renamed_to: Option<Literal>,
    /// `@sealed`.
    pub sealed: bool,
}

/// The pages that a module lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pages {
    /// Pages whose path is a literal, in the order of the list.
    pub listed: Vec<Page>,
    /// Elements of the list whose path only the running program knows.
    pub dynamic: Vec<Span>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Path in the web shell.
    pub path: String,
    /// Where the path stands.
    pub span: Span,
    /// Whether the element names a component (or something that may, such as a spread).
    pub component: bool,
}

impl Module {
    /// The export of that name, if the module itself names it.
    pub fn export(&self, name: &str) -> Option<&Export> {
        self.exports
            .iter()
            .find(|export| export.name == name && !matches!(export.kind, ExportKind::Star { .. }))
    }
}
