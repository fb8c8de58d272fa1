//! `#[hub::router]`: the form of a router function.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Item, ItemFn, PathArguments, ReturnType, Safety, Type, Visibility};

/// The function with a check of its type behind it, or what is wrong with its form.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = match function(arguments, item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let error = error.into_compile_error();
            // The item stays, so that what refers to it does not fail as well.
            return quote! { #error #item };
        }
    };
    if let Some(error) = mistakes(&function).into_iter().reduce(|mut all, next| {
        all.combine(next);
        all
    }) {
        let error = error.into_compile_error();
        return quote! { #error #function };
    }
    // Says so at the return type where `Router` is another crate's.
    let check = match &function.sig.output {
        ReturnType::Type(_, kind) => quote_spanned! { kind.span() =>
            const _: fn() = || {
                fn is_router<T: ::hub::IsRouter>() {}
                is_router::<#kind>();
            };
        },
        ReturnType::Default => TokenStream::new(),
    };
    quote! { #function #check }
}

fn function(arguments: TokenStream, item: TokenStream) -> Result<ItemFn, Error> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "`#[hub::router]` takes nothing in brackets"));
    }
    match syn::parse2::<Item>(item)? {
        Item::Fn(function) => Ok(function),
        other => Err(Error::new_spanned(
            other,
            "`#[hub::router]` belongs on a function: `pub fn router() -> Router`",
        )),
    }
}

/// Everything that is wrong with the form, each at its own place.
fn mistakes(function: &ItemFn) -> Vec<Error> {
    let signature = &function.sig;
    let write = format!("write `pub fn {}() -> Router`", signature.ident);
    let mut found = Vec::new();
    let mut wrong = |at: &dyn quote::ToTokens, what: &str| {
        found.push(Error::new_spanned(at.to_token_stream(), format!("{what}: {write}")));
    };
    match &function.vis {
        Visibility::Public(_) => {}
        Visibility::Inherited => {
            wrong(&signature.fn_token, "a router function is public, for the generated host calls it");
        }
        Visibility::Restricted(restricted) => {
            wrong(restricted, "a router function is public without limits, for the generated host calls it");
        }
    }
    if let Some(token) = &signature.constness {
        wrong(token, "a router function is not `const`");
    }
    if let Some(token) = &signature.asyncness {
        wrong(token, "a router function is not `async`; what has to wait belongs into a handler");
    }
    if let Safety::Unsafe(token) = &signature.safety {
        wrong(token, "a router function is not `unsafe`");
    }
    if let Some(abi) = &signature.abi {
        wrong(abi, "a router function is an ordinary Rust function");
    }
    if !signature.generics.params.is_empty() {
        wrong(&signature.generics.params, "a router function is not generic");
    } else if let Some(clause) = &signature.generics.where_clause {
        wrong(clause, "a router function is not generic");
    }
    if !signature.inputs.is_empty() {
        wrong(&signature.inputs, "a router function takes no arguments");
    }
    match &signature.output {
        ReturnType::Default => {
            wrong(&signature.ident, "a router function returns a `Router`");
        }
        ReturnType::Type(_, kind) if !is_router(kind) => {
            wrong(kind, "a router function returns hub's `Router` itself");
        }
        ReturnType::Type(..) => {}
    }
    found
}

/// `Router`, `hub::Router`, `::hub::Router`: by name only, the compiler does the rest.
fn is_router(kind: &Type) -> bool {
    let Type::Path(path) = kind else { return false };
    path.qself.is_none()
        && path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "Router" && matches!(last.arguments, PathArguments::None))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each error of the macro as `line:column text`.
    fn errors(arguments: &str, item: &str) -> Vec<String> {
        let item: TokenStream = item.parse().unwrap();
        let found = match function(arguments.parse().unwrap(), item) {
            Ok(function) => mistakes(&function),
            Err(error) => vec![error],
        };
        found
            .iter()
            .flat_map(|error| error.clone().into_iter())
            .map(|error| {
                let start = error.span().start();
                format!("{}:{} {error}", start.line, start.column + 1)
            })
            .collect()
    }

    fn check(item: &str, want: &[&str]) {
        assert_eq!(errors("", item), want, "{item}");
    }

    #[test]
    fn the_right_form() {
        check("pub fn router() -> Router { Router::new() }", &[]);
        check("pub fn other_name() -> hub::Router { hub::Router::new() }", &[]);
        check("#[allow(x)] /** Doc. */ pub fn router() -> ::hub::Router { todo() }", &[]);
    }

    #[test]
    fn each_mistake_is_told_at_its_place() {
        check(
            "fn router() -> Router { r() }",
            &[
                "1:1 a router function is public, for the generated host calls it: write `pub fn router() -> Router`",
            ],
        );
        check(
            "pub(crate) fn router() -> Router { r() }",
            &[
                "1:1 a router function is public without limits, for the generated host calls it: write `pub fn \
               router() -> Router`",
            ],
        );
        check(
            "pub async fn router() -> Router { r() }",
            &[
                "1:5 a router function is not `async`; what has to wait belongs into a handler: write `pub fn \
               router() -> Router`",
            ],
        );
        check(
            "pub unsafe fn router() -> Router { r() }",
            &["1:5 a router function is not `unsafe`: write `pub fn router() -> Router`"],
        );
        check(
            "pub const fn router() -> Router { r() }",
            &["1:5 a router function is not `const`: write `pub fn router() -> Router`"],
        );
        check(
            "pub extern \"C\" fn router() -> Router { r() }",
            &["1:5 a router function is an ordinary Rust function: write `pub fn router() -> Router`"],
        );
        check(
            "pub fn routes<T: X>() -> Router { r() }",
            &["1:15 a router function is not generic: write `pub fn routes() -> Router`"],
        );
        check(
            "pub fn router() -> Router\nwhere (): X { r() }",
            &["2:1 a router function is not generic: write `pub fn router() -> Router`"],
        );
        check(
            "pub fn router(\n    state: State,\n) -> Router { r() }",
            &["2:5 a router function takes no arguments: write `pub fn router() -> Router`"],
        );
        check(
            "pub fn router() { r() }",
            &["1:8 a router function returns a `Router`: write `pub fn router() -> Router`"],
        );
        for kind in ["Result<Router>", "axum::Router<S>", "(Router,)", "impl Into<Router>"] {
            check(
                &format!("pub fn router() -> {kind} {{ r() }}"),
                &["1:20 a router function returns hub's `Router` itself: write `pub fn router() -> Router`"],
            );
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let seen = errors("", "async fn router(a: A) -> u8 { 0 }");
        let places: Vec<_> = seen.iter().map(|text| text.split(' ').next().unwrap()).collect();
        assert_eq!(places, ["1:7", "1:1", "1:17", "1:26"]);
    }

    #[test]
    fn the_attribute_belongs_on_a_function_and_takes_nothing() {
        check(
            "pub struct Router;",
            &["1:1 `#[hub::router]` belongs on a function: `pub fn router() -> Router`"],
        );
        let seen = errors("\"/api\"", "pub fn router() -> Router { r() }");
        assert_eq!(seen, ["1:1 `#[hub::router]` takes nothing in brackets"]);
    }

    #[test]
    fn the_function_stays_as_it_was() {
        let item: TokenStream = "pub fn router() -> Router { Router::new() }".parse().unwrap();
        let text = expand(TokenStream::new(), item.clone()).to_string();
        let check = "const _ : fn () = || { fn is_router < T : :: hub :: IsRouter > () { } is_router :: < Router > () ; } ;";
        assert_eq!(text, format!("{item} {check}"));
        let wrong: TokenStream = "pub fn router(a: u8) -> Router { Router::new() }".parse().unwrap();
        let text = expand(TokenStream::new(), wrong.clone()).to_string();
        assert!(text.contains("compile_error"), "{text}");
        assert!(text.ends_with(&wrong.to_string()), "{text}");
    }
}
