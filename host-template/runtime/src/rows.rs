//! Which rows of a long list fit into one answer, found by their sizes before they are read.

use crate::db::Value;

/// How many rows of these sizes are no more than so many bytes together; one at least, so that everybody comes to the end of a
/// list.
pub(crate) fn fitting(most: u64, sizes: &[u64]) -> u32 {
    let mut sum = 0_u64;
    let fits = sizes.iter().take_while(|size| {
        sum = sum.saturating_add(**size);
        sum <= most
    });
    u32::try_from(fits.count()).unwrap_or(u32::MAX).max(1)
}

/// The rows of a part, found by their sizes before they are read: what does not fit is never in memory. They are named by their
/// ends and not by their number, so that a row that is written meanwhile takes no other one's place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Span {
    newest: String,
    oldest: String,
    /// What they have in the database, about.
    pub(crate) bytes: u64,
    /// Whether others come after them.
    more: bool,
}

impl Span {
    /// So many of these rows at most, each an `id` with its size and the newest first, and of no more than so many bytes; one where
    /// there is one. To know of others that come after them it takes one row more.
    pub(crate) fn of(found: &[(String, i64)], rows: u32, most: u64) -> Option<Span> {
        let sizes: Vec<u64> = found.iter().map(|(_, size)| size.unsigned_abs()).collect();
        let fits = rows.min(fitting(most, &sizes)) as usize;
        let (newest, _) = found.first()?;
        let (oldest, _) = found.iter().take(fits).next_back()?;
        Some(Span {
            newest: newest.clone(),
            oldest: oldest.clone(),
            bytes: sizes.iter().take(fits).sum(),
            more: found.len() > fits,
        })
    }

    /// The value of `before` for what comes after it; none at the end.
    pub(crate) fn next(&self) -> Option<&str> {
        self.more.then_some(self.oldest.as_str())
    }
}

/// Which rows are asked for of a list that grows at its head.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rows<'s> {
    /// So many of the newest.
    Newest(u32),
    /// Those of the span.
    Within(&'s Span),
}

impl Rows<'_> {
    /// What a statement ends with that has conditions already, on a table whose `id` grows; its values come to `args`.
    pub(crate) fn sql(self, args: &mut Vec<Value>) -> String {
        match self {
            Rows::Newest(limit) => {
                args.push(limit.into());
                format!(" ORDER BY id DESC LIMIT ${}", args.len())
            }
            Rows::Within(Span { newest, oldest, .. }) => {
                args.push(newest.into());
                args.push(oldest.into());
                format!(" AND id <= ${} AND id >= ${} ORDER BY id DESC", args.len() - 1, args.len())
            }
        }
    }
}
