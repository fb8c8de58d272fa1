//! Paging: the same two parameters and the same answer for every list.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::extract::Query;
use crate::problem::Problem;
use crate::rows::{Span, fitting};
use crate::validate::Check;

/// Rows a page where the caller names none.
pub const DEFAULT_LIMIT: u32 = 50;
/// Rows a page at most.
pub const MAX_LIMIT: u32 = 500;

/// Which part of a list the caller wants: `?limit=50&offset=0`. A handler takes it as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Rows at most.
    #[param(minimum = 1, maximum = 500, default = 50, required = false)]
    pub limit: u32,
    /// Rows to leave out at the beginning.
    #[param(minimum = 0, default = 0, required = false)]
    pub offset: u64,
}

/// A part of a list, and how long the list is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Paged<T> {
    /// This part's rows.
    pub items: Vec<T>,
    /// Rows of the whole list.
    pub total: u64,
    /// As asked for.
    pub limit: u32,
    /// As asked for.
    pub offset: u64,
    /// The `offset` of what comes after these rows; none at the end. A page may end before its `limit`, where it would be
    /// too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

impl Page {
    /// The answer with these rows, out of `total`.
    pub fn of<T>(self, items: Vec<T>, total: u64) -> Paged<T> {
        let after = self.offset.saturating_add(items.len() as u64);
        let next = Some(after).filter(|after| *after < total && !items.is_empty());
        Paged { items, total, limit: self.limit, offset: self.offset, next }
    }

    /// The page that ends before its rows take more than so many bytes, by the sizes of its rows; one row at least.
    pub(crate) fn within(self, most: u64, sizes: &[u64]) -> Page {
        Page { limit: self.limit.min(fitting(most, sizes)), ..self }
    }
}

/// A part of a list that grows at its head, and where the next one begins.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Part<T> {
    pub(crate) items: Vec<T>,
    /// The value of `before` for what comes after these; none at the end.
    pub(crate) next: Option<String>,
}

/// The number of rows that a caller asks for; to be checked before the database is asked for one more.
pub(crate) fn checked_limit(limit: Option<u32>) -> Result<u32, Problem> {
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    Check::new().range("limit", limit, 1..=MAX_LIMIT).done()?;
    Ok(limit)
}

impl<T> Part<T> {
    /// The part with these rows, which are those of the span.
    pub(crate) fn of<R: Into<T>>(rows: Vec<R>, span: Option<&Span>) -> Part<T> {
        let next = span.and_then(Span::next).map(str::to_owned);
        Part { items: rows.into_iter().map(R::into).collect(), next }
    }
}

#[derive(Deserialize)]
struct Asked {
    limit: Option<u32>,
    offset: Option<u64>,
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Page, Problem> {
        let Query(asked) = Query::<Asked>::from_request_parts(parts, state).await?;
        let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
        let offset = asked.offset.unwrap_or(0);
        Check::new()
            .range("limit", limit, 1..=MAX_LIMIT)
            .range("offset", offset, 0..=i64::MAX as u64)
            .done()?;
        Ok(Page { limit, offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_names_where_the_next_one_begins() {
        let found: Vec<(String, i64)> = ["c", "b", "a"].iter().map(|id| ((*id).to_owned(), 4)).collect();
        let span = |rows, most| {
            let span = Span::of(&found, rows, most).unwrap();
            (span.bytes, span.next().map(str::to_owned))
        };
        assert_eq!(span(2, 100), (8, Some("b".to_owned())));
        assert_eq!(span(3, 9), (8, Some("b".to_owned())));
        assert_eq!(span(3, 1), (4, Some("c".to_owned())));
        assert_eq!(span(3, 100), (12, None));
        assert_eq!(Span::of(&[], 3, 100), None);
        let Part::<String> { items, next } = Part::of(vec!["c".to_owned()], Span::of(&found, 1, 9).as_ref());
        assert_eq!((items.len(), next.as_deref()), (1, Some("c")));
        let empty: Part<String> = Part::of(Vec::<String>::new(), None);
        assert_eq!((empty.items.len(), empty.next), (0, None));
        assert_eq!(checked_limit(None).unwrap(), DEFAULT_LIMIT);
        assert_eq!(fitting(10, &[4, 6, 1]), 2);
        assert_eq!((fitting(10, &[11, 1]), fitting(10, &[]), fitting(10, &[u64::MAX, u64::MAX])), (1, 1, 1));
        assert!(checked_limit(Some(0)).is_err() && checked_limit(Some(501)).is_err());
    }

    async fn page(query: &str) -> Result<(u32, u64), String> {
        let request = axum::http::Request::get(format!("/?{query}")).body(());
        let (mut parts, ()) = request.unwrap().into_parts();
        match Page::from_request_parts(&mut parts, &()).await {
            Ok(page) => Ok((page.limit, page.offset)),
            Err(problem) => Err(problem.body().detail.clone().unwrap_or_default()),
        }
    }

    #[tokio::test]
    async fn bounds() {
        assert_eq!(page("").await, Ok((50, 0)));
        assert_eq!(page("limit=500&offset=7").await, Ok((500, 7)));
        let err = |text: &str| Err(text.to_owned());
        assert_eq!(page("limit=501").await, err("limit: must be from 1 to 500"));
        assert_eq!(page("limit=0").await, err("limit: must be from 1 to 500"));
        assert_eq!(page("offset=-1").await, err("offset: invalid digit found in string"));
        assert_eq!(
            page("limit=-1&offset=99999999999999999999").await,
            err("limit: invalid digit found in string")
        );
    }
}
