//! The list of pages that a module exports by default.

use swc_core::common::Spanned;
use swc_core::ecma::ast::*;

use super::collect::{Constants, Places, unwrapped};
use super::keys::prop_name;
use super::module::{Page, Pages};

/// How many constants a list may go through: one array spread into the next.
const MAX_HOPS: usize = 16;

/// The pages of a list; none where the expression is not plainly a list.
pub(super) fn pages(list: &Expr, constants: &Constants<'_>, places: &Places<'_>) -> Option<Pages> {
    let mut pages = Pages::default();
    let reader = Reader { constants, places };
    reader.list(list, &mut pages, 0).then_some(pages)
}

struct Reader<'a> {
    constants: &'a Constants<'a>,
    places: &'a Places<'a>,
}

impl Reader<'_> {
    /// Adds the pages of a list; false where it is none.
    fn list(&self, expr: &Expr, pages: &mut Pages, hops: usize) -> bool {
        match self.resolved(expr, hops) {
            Expr::Array(array) => {
                for element in array.elems.iter().flatten() {
                    let known = match element.spread {
                        Some(_) => hops < MAX_HOPS && self.list(&element.expr, pages, hops + 1),
                        None => self.page(&element.expr, pages),
                    };
                    if !known {
                        pages.dynamic.push(self.places.span(element.span()));
                    }
                }
                true
            }
            Expr::Call(CallExpr { callee: Callee::Expr(callee), args, .. }) => {
                let name = match unwrapped(callee) {
                    Expr::Ident(name) => name.sym.as_str(),
                    Expr::Member(MemberExpr { prop: MemberProp::Ident(name), .. }) => name.sym.as_str(),
                    _ => return false,
                };
                match args.as_slice() {
                    [list] if name == "definePages" && hops < MAX_HOPS => {
                        self.list(&list.expr, pages, hops + 1)
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// Adds one page; false where its path is not a literal.
    fn page(&self, expr: &Expr, pages: &mut Pages) -> bool {
        let Expr::Object(object) = self.resolved(expr, 0) else { return false };
        let mut path = None;
        let mut component = false;
        for prop in &object.props {
            let PropOrSpread::Prop(prop) = prop else {
                component = true;
                continue;
            };
            match &**prop {
                Prop::KeyValue(pair) => match prop_name(&pair.key).as_deref() {
                    Some("path") => path = Some(unwrapped(&pair.value)),
                    Some("component") => component = true,
                    _ => {}
                },
                Prop::Shorthand(name) => component |= name.sym == *"component",
                Prop::Method(method) => component |= prop_name(&method.key).as_deref() == Some("component"),
                _ => {}
            }
        }
        match path.and_then(|path| Some((path, self.constants.text(path)?))) {
            Some((at, path)) => {
                pages.listed.push(Page { path, span: self.places.span(at.span()), component });
                true
            }
            None => false,
        }
    }

    /// What a constant stands for.
    fn resolved<'e>(&'e self, expr: &'e Expr, hops: usize) -> &'e Expr {
        let mut expr = unwrapped(expr);
        for _ in hops..MAX_HOPS {
            match expr {
                Expr::Ident(name) => match self.constants.value(&name.sym) {
                    Some(value) => expr = unwrapped(value),
                    None => break,
                },
                _ => break,
            }
        }
        expr
    }
}
