//! From a syntax tree to a [`Module`]: exports and imports here, the rest by [`super::keys`] and [`super::pages`].

use std::collections::HashMap;
use std::path::Path;

use hub_manifest::diagnostic::Span;
use swc_core::common::{BytePos, Spanned};
use swc_core::ecma::ast::{Module as Tree, *};
use swc_core::ecma::visit::VisitWith;

use super::keys::{Keys, Names};
use super::lines::Lines;
use super::module::{Export, ExportKind, Import, Module};
use super::pages;

/// Turns the parser's positions into ours.
pub(super) struct Places<'a> {
    pub(super) lines: &'a Lines<'a>,
    pub(super) start: BytePos,
}

impl Places<'_> {
    /// Offset of a position in what the parser saw.
    pub(super) fn offset(&self, at: BytePos) -> usize {
        at.0.saturating_sub(self.start.0) as usize
    }

    /// The text between two positions.
    pub(super) fn between(&self, start: BytePos, end: BytePos) -> &str {
        self.lines.between(self.offset(start), self.offset(end))
    }

    pub(super) fn span(&self, span: swc_core::common::Span) -> Span {
        let offset = span.lo.0.saturating_sub(self.start.0) as usize;
        self.lines.span(offset, span.hi.0.saturating_sub(span.lo.0) as usize)
    }
}

/// Top-level `const`s with a value.
pub(super) struct Constants<'a>(HashMap<&'a str, &'a Expr>);

impl<'a> Constants<'a> {
    fn of(tree: &'a Tree) -> Constants<'a> {
        let vars = tree.body.iter().filter_map(|item| match item {
            ModuleItem::Stmt(Stmt::Decl(Decl::Var(vars))) => Some(vars),
            ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(ExportDecl { decl: Decl::Var(vars), .. })) => {
                Some(vars)
            }
            _ => None,
        });
        let constants = vars.filter(|vars| vars.kind == VarDeclKind::Const).flat_map(|vars| &vars.decls);
        Constants(
            constants
                .filter_map(|var| Some((var.name.as_ident()?.sym.as_str(), var.init.as_deref()?)))
                .collect(),
        )
    }

    pub(super) fn value(&self, name: &str) -> Option<&'a Expr> {
        self.0.get(name).copied()
    }

    /// The text of a literal, or of the constant that the expression names.
    pub(super) fn text(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Ident(name) => text_of(unwrapped(self.value(&name.sym)?)),
            _ => text_of(expr),
        }
    }
}

/// The text of a literal without substitutions.
pub(super) fn text_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(Lit::Str(text)) => Some(text.value.to_string_lossy().into_owned()),
        Expr::Tpl(template) if template.exprs.is_empty() => {
            let quasi = template.quasis.first()?;
            Some(quasi.cooked.as_ref()?.to_string_lossy().into_owned())
        }
        _ => None,
    }
}

/// The expression inside parentheses, casts and assertions.
pub(super) fn unwrapped(mut expr: &Expr) -> &Expr {
    loop {
        expr = match expr {
            Expr::Paren(inner) => &inner.expr,
            Expr::TsAs(inner) => &inner.expr,
            Expr::TsSatisfies(inner) => &inner.expr,
            Expr::TsConstAssertion(inner) => &inner.expr,
            Expr::TsNonNull(inner) => &inner.expr,
            Expr::TsTypeAssertion(inner) => &inner.expr,
            Expr::TsInstantiation(inner) => &inner.expr,
            _ => return expr,
        }
    }
}

/// The name in an import or export list.
pub(super) fn name_of(name: &ModuleExportName) -> String {
    name.atom().to_string()
}

/// The facts of a sound tree.
pub(super) fn module(path: &Path, tree: &Tree, places: &Places<'_>) -> Module {
    let constants = Constants::of(tree);
    let locals = locals(tree);
    let mut module = Module { path: path.to_owned(), ..Module::default() };
    for item in &tree.body {
        if let ModuleItem::ModuleDecl(decl) = item {
            add_imports(&mut module, decl, places);
            add_exports(&mut module, decl, &locals, places);
        }
    }
    module.pages = default_value(tree).and_then(|list| pages::pages(list, &constants, places));
    let names = Names::of(tree);
    tree.visit_with(&mut Keys { names, constants: &constants, places, module: &mut module });
    module.commonjs &= module.exports.is_empty() && module.imports.is_empty();
    module
}

/// What a top-level name stands for, if something of the module's own or an import gives it.
type Locals = HashMap<String, ExportKind>;

fn locals(tree: &Tree) -> Locals {
    let mut locals = Locals::new();
    // A type and a value may share a name; importers then get the value.
    let mut add = |name: String, kind: ExportKind| match locals.get(&name) {
        Some(known) if *known != ExportKind::Type => {}
        _ => {
            locals.insert(name, kind);
        }
    };
    for item in &tree.body {
        match item {
            ModuleItem::Stmt(Stmt::Decl(decl)) => {
                declared(decl).into_iter().for_each(|(name, kind)| add(name.sym.to_string(), kind));
            }
            ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(ExportDecl { decl, .. })) => {
                declared(decl).into_iter().for_each(|(name, kind)| add(name.sym.to_string(), kind));
            }
            ModuleItem::ModuleDecl(ModuleDecl::ExportDefaultDecl(ExportDefaultDecl { decl, .. })) => {
                match decl {
                    DefaultDecl::Fn(FnExpr { ident: Some(name), .. }) => {
                        add(name.sym.to_string(), ExportKind::Function)
                    }
                    DefaultDecl::Class(ClassExpr { ident: Some(name), .. }) => {
                        add(name.sym.to_string(), ExportKind::Class)
                    }
                    _ => {}
                }
            }
            ModuleItem::ModuleDecl(ModuleDecl::Import(import)) => {
                let from = import.src.value.to_string_lossy().into_owned();
                for specifier in &import.specifiers {
                    let local = specifier.local().sym.to_string();
                    let from = from.clone();
                    let kind = match specifier {
                        _ if import.type_only || specifier.is_type_only() => ExportKind::Type,
                        ImportSpecifier::Default(_) => {
                            ExportKind::Reexport { from, name: "default".to_owned() }
                        }
                        ImportSpecifier::Namespace(_) => ExportKind::Namespace { from },
                        ImportSpecifier::Named(named) => {
                            let name = named.imported.as_ref().map_or_else(|| local.clone(), name_of);
                            ExportKind::Reexport { from, name }
                        }
                    };
                    add(local, kind);
                }
            }
            _ => {}
        }
    }
    locals
}

/// The names that a declaration introduces.
fn declared(decl: &Decl) -> Vec<(&Ident, ExportKind)> {
    match decl {
        Decl::Fn(function) if function.declare || function.function.body.is_none() => {
            vec![(&function.ident, ExportKind::Type)]
        }
        Decl::Fn(function) => vec![(&function.ident, ExportKind::Function)],
        Decl::Class(class) if class.declare => vec![(&class.ident, ExportKind::Type)],
        Decl::Class(class) => vec![(&class.ident, ExportKind::Class)],
        Decl::Var(vars) => {
            let mut names = Vec::new();
            for var in &vars.decls {
                match &var.name {
                    _ if vars.declare => bound(&var.name, &ExportKind::Type, &mut names),
                    Pat::Ident(name) => {
                        names.push((&name.id, var.init.as_deref().map_or(ExportKind::Value, shape)))
                    }
                    pattern => bound(pattern, &ExportKind::Value, &mut names),
                }
            }
            names
        }
        Decl::Using(using) => {
            let mut names = Vec::new();
            using.decls.iter().for_each(|var| bound(&var.name, &ExportKind::Value, &mut names));
            names
        }
        Decl::TsInterface(interface) => vec![(&interface.id, ExportKind::Type)],
        Decl::TsTypeAlias(alias) => vec![(&alias.id, ExportKind::Type)],
        Decl::TsEnum(enumeration) if enumeration.declare => vec![(&enumeration.id, ExportKind::Type)],
        Decl::TsEnum(enumeration) => vec![(&enumeration.id, ExportKind::Plain("an enum"))],
        Decl::TsModule(namespace) => match &namespace.id {
            TsModuleName::Ident(name) if !namespace.declare && !namespace.global => {
                vec![(name, ExportKind::Plain("a namespace"))]
            }
            _ => Vec::new(),
        },
    }
}

/// The names that a pattern binds.
fn bound<'a>(pattern: &'a Pat, kind: &ExportKind, out: &mut Vec<(&'a Ident, ExportKind)>) {
    match pattern {
        Pat::Ident(name) => out.push((&name.id, kind.clone())),
        Pat::Array(array) => array.elems.iter().flatten().for_each(|element| bound(element, kind, out)),
        Pat::Rest(rest) => bound(&rest.arg, kind, out),
        Pat::Assign(assign) => bound(&assign.left, kind, out),
        Pat::Object(object) => {
            for prop in &object.props {
                match prop {
                    ObjectPatProp::KeyValue(pair) => bound(&pair.value, kind, out),
                    ObjectPatProp::Assign(assign) => out.push((&assign.key.id, kind.clone())),
                    ObjectPatProp::Rest(rest) => bound(&rest.arg, kind, out),
                }
            }
        }
        Pat::Invalid(_) | Pat::Expr(_) => {}
    }
}

/// What an expression plainly is.
fn shape(expr: &Expr) -> ExportKind {
    match unwrapped(expr) {
        Expr::Fn(_) | Expr::Arrow(_) => ExportKind::Function,
        Expr::Class(_) => ExportKind::Class,
        Expr::Array(_) => ExportKind::Plain("an array"),
        Expr::Object(_) => ExportKind::Plain("an object"),
        Expr::Tpl(_) | Expr::Lit(Lit::Str(_)) => ExportKind::Plain("a string"),
        Expr::Lit(Lit::Num(_) | Lit::BigInt(_)) => ExportKind::Plain("a number"),
        Expr::Lit(Lit::Bool(_)) => ExportKind::Plain("a boolean"),
        Expr::Lit(Lit::Null(_)) => ExportKind::Plain("null"),
        Expr::Lit(Lit::Regex(_)) => ExportKind::Plain("a regular expression"),
        Expr::JSXElement(_) | Expr::JSXFragment(_) => ExportKind::Plain("an element"),
        _ => ExportKind::Value,
    }
}

fn add_imports(module: &mut Module, decl: &ModuleDecl, places: &Places<'_>) {
    let (source, type_only) = match decl {
        ModuleDecl::Import(import) => {
            let all_types =
                !import.specifiers.is_empty() && import.specifiers.iter().all(ImportSpecifier::is_type_only);
            (&import.src, import.type_only || all_types)
        }
        ModuleDecl::ExportAll(export) => (&export.src, export.type_only),
        ModuleDecl::ExportNamed(NamedExport { src: Some(source), type_only, .. }) => (source, *type_only),
        _ => return,
    };
    let specifier = source.value.to_string_lossy().into_owned();
    module.imports.push(Import { specifier, span: places.span(source.span), type_only });
}

fn add_exports(module: &mut Module, decl: &ModuleDecl, locals: &Locals, places: &Places<'_>) {
    let mut add = |name: String, span: swc_core::common::Span, kind: ExportKind| {
        let star = matches!(kind, ExportKind::Star { .. });
        let known = module.exports.iter_mut().find(|known| !star && known.name == name);
        match known {
            // An overload's signature before its body, a type beside its value.
            Some(known) if known.kind == ExportKind::Type => known.kind = kind,
            Some(_) => {}
            None => module.exports.push(Export { name, span: places.span(span), kind }),
        }
    };
    let default = || "default".to_owned();
    match decl {
        ModuleDecl::ExportDecl(ExportDecl { decl, .. }) => {
            declared(decl).into_iter().for_each(|(name, kind)| add(name.sym.to_string(), name.span, kind));
        }
        ModuleDecl::ExportDefaultDecl(ExportDefaultDecl { decl, span }) => match decl {
            DefaultDecl::Class(class) => {
                add(default(), class.ident.as_ref().map_or(*span, |name| name.span), ExportKind::Class);
            }
            DefaultDecl::Fn(function) => {
                let kind =
                    if function.function.body.is_some() { ExportKind::Function } else { ExportKind::Type };
                add(default(), function.ident.as_ref().map_or(*span, |name| name.span), kind);
            }
            DefaultDecl::TsInterfaceDecl(interface) => add(default(), interface.id.span, ExportKind::Type),
        },
        ModuleDecl::ExportDefaultExpr(ExportDefaultExpr { expr, .. }) => {
            let kind = match unwrapped(expr) {
                Expr::Ident(name) => locals.get(name.sym.as_str()).cloned().unwrap_or(ExportKind::Value),
                expr => shape(expr),
            };
            add(default(), expr.span(), kind);
        }
        ModuleDecl::ExportAll(export) if export.type_only => {}
        ModuleDecl::ExportAll(export) => {
            let from = export.src.value.to_string_lossy().into_owned();
            add("*".to_owned(), export.src.span, ExportKind::Star { from });
        }
        ModuleDecl::ExportNamed(list) => {
            let from = list.src.as_ref().map(|source| source.value.to_string_lossy().into_owned());
            for specifier in &list.specifiers {
                match (specifier, from.clone()) {
                    (ExportSpecifier::Namespace(namespace), Some(from)) => {
                        add(name_of(&namespace.name), namespace.name.span(), ExportKind::Namespace { from });
                    }
                    (ExportSpecifier::Default(specifier), Some(from)) => {
                        let kind = ExportKind::Reexport { from, name: default() };
                        add(specifier.exported.sym.to_string(), specifier.exported.span, kind);
                    }
                    (ExportSpecifier::Named(named), from) => {
                        let exported = named.exported.as_ref().unwrap_or(&named.orig);
                        let name = name_of(&named.orig);
                        let kind = match from {
                            _ if list.type_only || named.is_type_only => ExportKind::Type,
                            Some(from) => ExportKind::Reexport { from, name },
                            None => locals.get(&name).cloned().unwrap_or(ExportKind::Value),
                        };
                        add(name_of(exported), exported.span(), kind);
                    }
                    (_, None) => {}
                }
            }
        }
        ModuleDecl::TsExportAssignment(assignment) => {
            add(default(), assignment.span, shape(&assignment.expr))
        }
        ModuleDecl::TsImportEquals(import) if import.is_export => {
            let kind = if import.is_type_only { ExportKind::Type } else { ExportKind::Value };
            add(import.id.sym.to_string(), import.id.span, kind);
        }
        _ => {}
    }
}

/// The expression of the default export: `export default …` or `export { pages as default }`.
fn default_value(tree: &Tree) -> Option<&Expr> {
    tree.body.iter().find_map(|item| match item {
        ModuleItem::ModuleDecl(ModuleDecl::ExportDefaultExpr(export)) => Some(&*export.expr),
        ModuleItem::ModuleDecl(ModuleDecl::ExportNamed(list)) if list.src.is_none() => {
            list.specifiers.iter().find_map(|specifier| match specifier {
                ExportSpecifier::Named(ExportNamedSpecifier { orig, exported: Some(exported), .. })
                    if name_of(exported) == "default" =>
                {
                    let wanted = name_of(orig);
                    tree.body.iter().find_map(|item| constant_named(item, &wanted))
                }
                _ => None,
            })
        }
        _ => None,
    })
}

/// The value of a top-level constant of that name.
fn constant_named<'a>(item: &'a ModuleItem, wanted: &str) -> Option<&'a Expr> {
    let vars = match item {
        ModuleItem::Stmt(Stmt::Decl(Decl::Var(vars))) => vars,
        ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(ExportDecl { decl: Decl::Var(vars), .. })) => vars,
        _ => return None,
    };
    vars.decls.iter().find(|var| var.name.as_ident().is_some_and(|name| name.sym == *wanted))?.init.as_deref()
}
