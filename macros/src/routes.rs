//! `routes!(list, create)`: handlers with the types that `#[utoipa::path]` made beside them.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Path, Token};

/// A chain of calls that names each handler twice: as a function, and as utoipa's type for it.
pub(crate) fn expand(handlers: TokenStream) -> TokenStream {
    let handlers = match Punctuated::<Path, Token![,]>::parse_terminated.parse2(handlers) {
        Ok(handlers) => handlers,
        Err(error) => return error.into_compile_error(),
    };
    let calls = handlers.iter().map(|handler| {
        let described = described(handler);
        quote! { .with::<#described, _, _>(#handler) }
    });
    quote! { ::hub::Routes::default() #(#calls)* }
}

/// `records::list` → `records::__path_list`, the name that utoipa gives.
fn described(handler: &Path) -> Path {
    let mut path = handler.clone();
    if let Some(last) = path.segments.last_mut() {
        last.ident = format_ident!("__path_{}", last.ident, span = last.ident.span());
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, want: &str) {
        let got = expand(input.parse().unwrap()).to_string().replace(' ', "");
        assert_eq!(got, want);
    }

    #[test]
    fn handlers_by_name_and_by_path() {
        check(
            "list, records::create,",
            "::hub::Routes::default().with::<__path_list,_,_>(list)\
             .with::<records::__path_create,_,_>(records::create)",
        );
        check("", "::hub::Routes::default()");
    }

    #[test]
    fn what_is_no_name_is_told_at_its_place() {
        let error = Punctuated::<Path, Token![,]>::parse_terminated.parse_str("list, 7").err().unwrap();
        assert_eq!(error.span().start().column, 6);
        assert!(expand("list, 7".parse().unwrap()).to_string().contains("compile_error"));
    }
}
