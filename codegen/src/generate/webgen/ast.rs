//! Short ways to build the few kinds of TypeScript syntax that generated modules consist of, and to print them.

use swc_core::atoms::Atom;
use swc_core::common::comments::{Comment, CommentKind, Comments, SingleThreadedComments};
use swc_core::common::{BytePos, DUMMY_SP, SourceMap, Span, SyntaxContext, sync::Lrc};
use swc_core::ecma::ast::*;
use swc_core::ecma::codegen::to_code_default;

/// Where the header comment is attached: the only place in a generated module that is not a dummy.
const TOP: BytePos = BytePos(1);

/// A module of these statements, printed, with a comment on top.
pub(super) fn print(header: &str, body: Vec<ModuleItem>) -> String {
    let comments = SingleThreadedComments::default();
    let comment = Comment { kind: CommentKind::Line, span: DUMMY_SP, text: Atom::from(format!(" {header}")) };
    comments.add_leading(TOP, comment);
    let module = Module { span: DUMMY_SP, body, shebang: None };
    let sources: Lrc<SourceMap> = Lrc::default();
    to_code_default(sources, Some(&comments), &module)
}

/// The span of a module's first statement, which carries the header comment.
pub(super) fn first() -> Span {
    Span::new(TOP, TOP)
}

/// `export const name = value;`
pub(super) fn export_const(span: Span, name: &str, value: Expr) -> ModuleItem {
    let declarator = VarDeclarator {
        span: DUMMY_SP,
        name: Pat::Ident(ident(name).into()),
        init: Some(Box::new(value)),
        definite: false,
    };
    let vars = VarDecl {
        span: DUMMY_SP,
        ctxt: SyntaxContext::empty(),
        kind: VarDeclKind::Const,
        declare: false,
        decls: vec![declarator],
    };
    ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(ExportDecl { span, decl: Decl::Var(Box::new(vars)) }))
}

/// `export {};`: makes a file a module.
pub(super) fn export_nothing() -> ModuleItem {
    ModuleItem::ModuleDecl(ModuleDecl::ExportNamed(NamedExport {
        span: DUMMY_SP,
        specifiers: Vec::new(),
        src: None,
        type_only: false,
        with: None,
    }))
}

/// `declare module "name" { … }`
pub(super) fn declare_module(span: Span, name: &str, body: Vec<ModuleItem>) -> ModuleItem {
    ModuleItem::Stmt(Stmt::Decl(Decl::TsModule(Box::new(TsModuleDecl {
        span,
        declare: true,
        global: false,
        namespace: false,
        id: TsModuleName::Str(text(name)),
        body: Some(TsNamespaceBody::TsModuleBlock(TsModuleBlock { span: DUMMY_SP, body })),
    }))))
}

/// `interface name { "key": true; … }`
pub(super) fn interface_of_keys<'a>(name: &str, keys: impl IntoIterator<Item = &'a str>) -> ModuleItem {
    let member = |key: &str| {
        let yes = TsLitType { span: DUMMY_SP, lit: TsLit::Bool(Bool { span: DUMMY_SP, value: true }) };
        TsTypeElement::TsPropertySignature(TsPropertySignature {
            span: DUMMY_SP,
            readonly: false,
            key: Box::new(Expr::Lit(Lit::Str(text(key)))),
            computed: false,
            optional: false,
            type_ann: Some(Box::new(TsTypeAnn {
                span: DUMMY_SP,
                type_ann: Box::new(TsType::TsLitType(yes)),
            })),
        })
    };
    let body = TsInterfaceBody { span: DUMMY_SP, body: keys.into_iter().map(member).collect() };
    ModuleItem::Stmt(Stmt::Decl(Decl::TsInterface(Box::new(TsInterfaceDecl {
        span: DUMMY_SP,
        id: ident(name),
        declare: false,
        type_params: None,
        extends: Vec::new(),
        body,
    }))))
}

/// `{ "key": value, … }` with quoted keys.
pub(super) fn record<'a>(entries: impl IntoIterator<Item = (&'a str, Expr)>) -> Expr {
    object(entries.into_iter().map(|(key, value)| (quoted(key), value)))
}

/// `{ name: value, … }` with bare names.
pub(super) fn fields<'a>(entries: impl IntoIterator<Item = (&'a str, Expr)>) -> Expr {
    object(
        entries
            .into_iter()
            .map(|(name, value)| (PropName::Ident(IdentName::new(name.into(), DUMMY_SP)), value)),
    )
}

fn object(entries: impl Iterator<Item = (PropName, Expr)>) -> Expr {
    let prop = |(key, value)| {
        PropOrSpread::Prop(Box::new(Prop::KeyValue(KeyValueProp { key, value: Box::new(value) })))
    };
    Expr::Object(ObjectLit { span: DUMMY_SP, props: entries.map(prop).collect() })
}

/// A quoted key. `"__proto__": …` would set the prototype and not a property, `["__proto__"]: …` does.
fn quoted(key: &str) -> PropName {
    match key {
        "__proto__" => PropName::Computed(ComputedPropName { span: DUMMY_SP, expr: Box::new(string(key)) }),
        _ => PropName::Str(text(key)),
    }
}

/// `[a, b]`
pub(super) fn array(elements: impl IntoIterator<Item = Expr>) -> Expr {
    let element = |expr| Some(argument(expr));
    Expr::Array(ArrayLit { span: DUMMY_SP, elems: elements.into_iter().map(element).collect() })
}

/// A string literal.
pub(super) fn string(value: &str) -> Expr {
    Expr::Lit(Lit::Str(text(value)))
}

/// An integer literal, exact at any size.
pub(super) fn integer(value: i64) -> Expr {
    let digits = value.unsigned_abs();
    let raw = Some(Atom::from(digits.to_string()));
    let number = Expr::Lit(Lit::Num(Number { span: DUMMY_SP, value: digits as f64, raw }));
    match value {
        0.. => number,
        _ => Expr::Unary(UnaryExpr { span: DUMMY_SP, op: UnaryOp::Minus, arg: Box::new(number) }),
    }
}

/// `() => import("specifier").then((m) => m.name)`
pub(super) fn lazy(specifier: &str, name: &str) -> Expr {
    let import =
        call(Callee::Import(Import { span: DUMMY_SP, phase: ImportPhase::Evaluation }), string(specifier));
    let picked = Expr::Member(MemberExpr {
        span: DUMMY_SP,
        obj: Box::new(Expr::Ident(ident("m"))),
        prop: member(name),
    });
    let pick = arrow(vec![Pat::Ident(ident("m").into())], picked);
    let then = Expr::Member(MemberExpr { span: DUMMY_SP, obj: Box::new(import), prop: member("then") });
    arrow(Vec::new(), call(Callee::Expr(Box::new(then)), pick))
}

/// `.name`, or `["any name"]` where it is no identifier.
fn member(name: &str) -> MemberProp {
    let mut letters = name.chars();
    let plain = letters.next().is_some_and(Ident::is_valid_start) && letters.all(Ident::is_valid_continue);
    match plain {
        true => MemberProp::Ident(IdentName::new(name.into(), DUMMY_SP)),
        false => MemberProp::Computed(ComputedPropName { span: DUMMY_SP, expr: Box::new(string(name)) }),
    }
}

fn arrow(params: Vec<Pat>, body: Expr) -> Expr {
    Expr::Arrow(ArrowExpr {
        span: DUMMY_SP,
        ctxt: SyntaxContext::empty(),
        params,
        body: Box::new(ArrowFunctionBody::Expr(Box::new(body))),
        is_async: false,
        is_generator: false,
        type_params: None,
        return_type: None,
    })
}

fn call(callee: Callee, argument_: Expr) -> Expr {
    Expr::Call(CallExpr {
        span: DUMMY_SP,
        ctxt: SyntaxContext::empty(),
        callee,
        args: vec![argument(argument_)],
        type_args: None,
    })
}

fn argument(expr: Expr) -> ExprOrSpread {
    ExprOrSpread { spread: None, expr: Box::new(expr) }
}

fn ident(name: &str) -> Ident {
    Ident::new_no_ctxt(name.into(), DUMMY_SP)
}

fn text(value: &str) -> Str {
    Str { span: DUMMY_SP, value: value.into(), raw: None }
}
