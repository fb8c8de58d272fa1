//! Which override keys a module asks for, what it imports at run time, and which surfaces it declares.

use std::collections::HashSet;

use swc_core::common::Spanned;
use swc_core::ecma::ast::*;
use swc_core::ecma::visit::{Visit, VisitWith};

use super::PLUGIN_HOST;
use super::about::about;
use super::collect::{Constants, Places, name_of, text_of, unwrapped};
use super::module::{Asked, AskedBy, Declared, DynamicKey, Literal, Module};

/// The names that stand for the plugin host's hook and component in one module.
pub(super) struct Names {
    hooks: HashSet<String>,
    surfaces: HashSet<String>,
    /// `import * as host`.
    namespaces: HashSet<String>,
}

impl Names {
    /// From the module's imports and top-level declarations. The plain names count wherever they come from, unless
    /// another package or the module itself gives them (recharts, say, has a `Surface` of its own).
    pub(super) fn of(tree: &swc_core::ecma::ast::Module) -> Names {
        let mut names = Names {
            hooks: HashSet::from(["useOverride".to_owned()]),
            surfaces: HashSet::from(["Surface".to_owned()]),
            namespaces: HashSet::new(),
        };
        for item in &tree.body {
            let ModuleItem::ModuleDecl(ModuleDecl::Import(import)) = item else { continue };
            let from = import.src.value.to_string_lossy();
            for specifier in &import.specifiers {
                let local = specifier.local().sym.to_string();
                match specifier {
                    ImportSpecifier::Named(named) if from == PLUGIN_HOST => {
                        match named.imported.as_ref().map_or(local.clone(), name_of).as_str() {
                            "useOverride" => names.hooks.insert(local),
                            "Surface" => names.surfaces.insert(local),
                            _ => false,
                        };
                    }
                    ImportSpecifier::Namespace(_) if from == PLUGIN_HOST => {
                        names.namespaces.insert(local);
                    }
                    _ if !from.starts_with(['.', '/', '~'])
                        && !from.starts_with("@/")
                        && from != PLUGIN_HOST =>
                    {
                        names.hooks.remove(&local);
                        names.surfaces.remove(&local);
                    }
                    _ => {}
                }
            }
        }
        for item in &tree.body {
            let declared = match item {
                ModuleItem::Stmt(Stmt::Decl(decl)) => decl,
                ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(export)) => &export.decl,
                _ => continue,
            };
            let own: Vec<String> = match declared {
                Decl::Fn(function) => vec![function.ident.sym.to_string()],
                Decl::Class(class) => vec![class.ident.sym.to_string()],
                Decl::Var(vars) => {
                    vars.decls.iter().filter_map(|var| Some(var.name.as_ident()?.sym.to_string())).collect()
                }
                _ => continue,
            };
            for name in own {
                names.hooks.remove(&name);
                names.surfaces.remove(&name);
            }
        }
        names
    }

    fn is_hook(&self, callee: &Expr) -> bool {
        match unwrapped(callee) {
            Expr::Ident(name) => self.hooks.contains(name.sym.as_str()),
            Expr::Member(member) => self.is_member(member, "useOverride"),
            _ => false,
        }
    }

    fn is_surface(&self, expr: &Expr) -> bool {
        match unwrapped(expr) {
            Expr::Ident(name) => self.surfaces.contains(name.sym.as_str()),
            Expr::Member(member) => self.is_member(member, "Surface"),
            _ => false,
        }
    }

    fn is_surface_tag(&self, name: &JSXElementName) -> bool {
        match name {
            JSXElementName::Ident(name) => self.surfaces.contains(name.sym.as_str()),
            JSXElementName::JSXMemberExpr(member) => match &member.obj {
                JSXObject::Ident(object) => {
                    self.namespaces.contains(object.sym.as_str()) && member.prop.sym == *"Surface"
                }
                JSXObject::JSXMemberExpr(_) => false,
            },
            JSXElementName::JSXNamespacedName(_) => false,
        }
    }

    fn is_member(&self, member: &MemberExpr, name: &str) -> bool {
        let MemberProp::Ident(prop) = &member.prop else { return false };
        let Expr::Ident(object) = &*member.obj else { return false };
        prop.sym == *name && self.namespaces.contains(object.sym.as_str())
    }
}

/// Walks a module's code and notes what it finds in `module`.
pub(super) struct Keys<'a> {
    pub(super) names: Names,
    pub(super) constants: &'a Constants<'a>,
    pub(super) places: &'a Places<'a>,
    pub(super) module: &'a mut Module,
}

impl Keys<'_> {
    /// Notes the keys that an expression may have; as dynamic where one of them is unknown.
    fn ask(&mut self, expr: &Expr, by: AskedBy) {
        let mut literals = Vec::new();
        if !self.literals(expr, &mut literals) {
            self.ask_dynamic(expr.span(), by);
        }
        self.module.asked.extend(literals.into_iter().map(|Literal { value, span }| Asked {
            key: value,
            span,
            by,
        }));
    }

    fn ask_dynamic(&mut self, span: swc_core::common::Span, by: AskedBy) {
        self.module.dynamic_keys.push(DynamicKey { span: self.places.span(span), by });
    }

    /// The texts that an expression may stand for; false where there may be others.
    fn literals(&self, expr: &Expr, out: &mut Vec<Literal>) -> bool {
        let expr = unwrapped(expr);
        if let Some(value) = self.constants.text(expr) {
            out.push(Literal { value, span: self.places.span(expr.span()) });
            return true;
        }
        match expr {
            Expr::Cond(choice) => {
                let first = self.literals(&choice.cons, out);
                self.literals(&choice.alt, out) && first
            }
            _ => false,
        }
    }

    /// `createElement(Surface, {name: "…"})` and what JSX compiles to.
    fn created_surface(&mut self, call: &CallExpr, callee: &Expr) {
        let function = match callee {
            Expr::Ident(name) => name.sym.as_str(),
            Expr::Member(MemberExpr { prop: MemberProp::Ident(name), .. }) => name.sym.as_str(),
            _ => return,
        };
        if !matches!(function, "createElement" | "jsx" | "jsxs" | "jsxDEV") {
            return;
        }
        let [element, props, ..] = call.args.as_slice() else { return };
        if !self.names.is_surface(&element.expr) {
            return;
        }
        let name = match unwrapped(&props.expr) {
            Expr::Object(object) => object.props.iter().find_map(|prop| match prop {
                PropOrSpread::Prop(prop) => match &**prop {
                    Prop::KeyValue(pair) if prop_name(&pair.key).as_deref() == Some("name") => {
                        Some(&*pair.value)
                    }
                    _ => None,
                },
                PropOrSpread::Spread(_) => None,
            }),
            _ => None,
        };
        match name {
            Some(name) => self.ask(name, AskedBy::Surface),
            None => self.ask_dynamic(call.span, AskedBy::Surface),
        }
    }

    fn declared_surfaces(&mut self, block: &TsModuleBlock) {
        for item in &block.body {
            let decl = match item {
                ModuleItem::Stmt(Stmt::Decl(decl)) => decl,
                ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(export)) => &export.decl,
                _ => continue,
            };
            let Decl::TsInterface(interface) = decl else { continue };
            if interface.id.sym != *"SurfaceProps" {
                continue;
            }
            // What stands between two members is the second one's comment.
            let mut before = interface.body.span.lo;
            for member in &interface.body.body {
                let start = std::mem::replace(&mut before, member.span().hi);
                let TsTypeElement::TsPropertySignature(property) = member else { continue };
                let key = match &*property.key {
                    Expr::Ident(name) if !property.computed => Some(name.sym.to_string()),
                    key => text_of(key),
                };
                let Some(key) = key else { continue };
                let props = property.type_ann.as_ref().map_or("any", |props| {
                    let span = props.type_ann.span();
                    self.places.between(span.lo, span.hi)
                });
                let about = about(self.places.between(start, member.span().lo), |offset, len| {
                    let (start, len) = (self.places.offset(start) + offset, len);
                    self.places.lines.span(start, len)
                });
                let span = self.places.span(property.key.span());
                self.module.declared.push(Declared { key, span, props: props.to_owned(), about });
            }
        }
    }
}

/// The name of an object's property, where the text tells it.
pub(super) fn prop_name(name: &PropName) -> Option<String> {
    match name {
        PropName::Ident(name) => Some(name.sym.to_string()),
        PropName::Str(text) => Some(text.value.to_string_lossy().into_owned()),
        PropName::Computed(computed) => text_of(&computed.expr),
        PropName::Num(_) | PropName::BigInt(_) => None,
    }
}

impl Visit for Keys<'_> {
    fn visit_call_expr(&mut self, call: &CallExpr) {
        match &call.callee {
            Callee::Import(_) => {
                if let Some(specifier) = call.args.first()
                    && let Some(value) = self.constants.text(unwrapped(&specifier.expr))
                {
                    let span = self.places.span(specifier.expr.span());
                    self.module.dynamic_imports.push(Literal { value, span });
                }
            }
            Callee::Expr(callee) if self.names.is_hook(callee) => match call.args.first() {
                Some(argument) if argument.spread.is_none() => self.ask(&argument.expr, AskedBy::Hook),
                _ => self.ask_dynamic(call.span, AskedBy::Hook),
            },
            Callee::Expr(callee) => self.created_surface(call, callee),
            Callee::Super(_) => {}
        }
        call.visit_children_with(self);
    }

    fn visit_jsx_opening_element(&mut self, element: &JSXOpeningElement) {
        if self.names.is_surface_tag(&element.name) {
            let name = element.attrs.iter().find_map(|attr| match attr {
                JSXAttrOrSpread::JSXAttr(JSXAttr { name: JSXAttrName::Ident(name), value, .. })
                    if name.sym == *"name" =>
                {
                    Some(value)
                }
                _ => None,
            });
            match name {
                Some(Some(JSXAttrValue::Str(text))) => self.module.asked.push(Asked {
                    key: text.value.to_string_lossy().into_owned(),
                    span: self.places.span(text.span),
                    by: AskedBy::Surface,
                }),
                Some(Some(JSXAttrValue::JSXExprContainer(JSXExprContainer {
                    expr: JSXExpr::Expr(expr),
                    ..
                }))) => {
                    self.ask(expr, AskedBy::Surface);
                }
                Some(Some(other)) => self.ask_dynamic(other.span(), AskedBy::Surface),
                Some(None) | None => self.ask_dynamic(element.span, AskedBy::Surface),
            }
        }
        element.visit_children_with(self);
    }

    fn visit_ts_module_decl(&mut self, decl: &TsModuleDecl) {
        match (&decl.id, &decl.body) {
            (TsModuleName::Str(name), Some(TsNamespaceBody::TsModuleBlock(block)))
                if name.value == *PLUGIN_HOST =>
            {
                self.declared_surfaces(block);
            }
            _ => decl.visit_children_with(self),
        }
    }

    fn visit_assign_expr(&mut self, assign: &AssignExpr) {
        if let AssignTarget::Simple(SimpleAssignTarget::Member(member)) = &assign.left {
            self.module.commonjs |= is_commonjs_target(member);
        }
        assign.visit_children_with(self);
    }

    // Types ask for nothing.
    fn visit_ts_type(&mut self, _: &TsType) {}
    fn visit_ts_type_param_decl(&mut self, _: &TsTypeParamDecl) {}
    fn visit_ts_interface_decl(&mut self, _: &TsInterfaceDecl) {}
}

/// `module.exports`, `module.exports.x` or `exports.x`.
fn is_commonjs_target(member: &MemberExpr) -> bool {
    match (&*member.obj, &member.prop) {
        (Expr::Ident(object), MemberProp::Ident(prop)) => {
            object.sym == *"exports" || (object.sym == *"module" && prop.sym == *"exports")
        }
        (Expr::Member(inner), _) => is_commonjs_target(inner),
        _ => false,
    }
}
