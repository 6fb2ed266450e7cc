//! Lists: a page of what the caller may see, and where the next one begins.

use domain::contracts::store::{Page, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::error::Problem;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    pub data: Vec<T>,
    /// To be sent as `after` for what follows; null at the end.
    pub next: Option<String>,
}

/// Reads of one request at most. A key that sees little of much then gets a short page, with its `next`.
const MOST_READS: usize = 10;

/// What is to be seen behind `after`, `limit` entries at most, and the cursor of the next page.
pub async fn collect<T, C: Clone>(
    after: Option<C>,
    limit: u32,
    mut read: impl AsyncFnMut(Page<C>) -> Result<Vec<T>, StoreError>,
    mut visible: impl AsyncFnMut(&[T]) -> Result<Vec<bool>, Problem>,
    cursor: impl Fn(&T) -> C,
) -> Result<(Vec<T>, Option<C>), Problem> {
    let mut seen = Vec::new();
    let mut after = after;
    for _ in 0..MOST_READS {
        let rows = read(Page { after: after.clone(), limit }).await?;
        let at_the_end = rows.len() < limit as usize;
        let shown = visible(&rows).await?;
        for (row, shown) in rows.into_iter().zip(shown) {
            if seen.len() == limit as usize {
                return Ok((seen, after));
            }
            after = Some(cursor(&row));
            if shown {
                seen.push(row);
            }
        }
        if at_the_end {
            return Ok((seen, None));
        }
        if seen.len() == limit as usize {
            break;
        }
    }
    Ok((seen, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn page(after: Option<u32>, limit: u32, visible: fn(u32) -> bool) -> (Vec<u32>, Option<u32>) {
        let read = async |page: Page<u32>| {
            let from = page.after.map_or(0, |after| after + 1);
            Ok((from..100).take(page.limit as usize).collect())
        };
        let shown = async |rows: &[u32]| Ok(rows.iter().map(|row| visible(*row)).collect());
        collect(after, limit, read, shown, |row| *row).await.unwrap()
    }

    #[tokio::test]
    async fn a_page_is_filled_with_what_may_be_seen_and_the_next_begins_behind_it() {
        assert_eq!(page(None, 3, |_| true).await, (vec![0, 1, 2], Some(2)));
        assert_eq!(page(None, 3, |row| row % 2 == 1).await, (vec![1, 3, 5], Some(5)));
        assert_eq!(page(Some(5), 3, |row| row % 2 == 1).await, (vec![7, 9, 11], Some(11)));
    }

    #[tokio::test]
    async fn following_next_shows_everything_once_and_ends() {
        for limit in [1, 7, 50, 200] {
            let (mut all, mut after) = (Vec::new(), None);
            loop {
                let (rows, next) = page(after, limit, |row| row % 3 == 0).await;
                all.extend(rows);
                after = next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(all, (0..100).filter(|row| row % 3 == 0).collect::<Vec<_>>(), "limit {limit}");
        }
    }

    #[tokio::test]
    async fn a_search_for_little_among_much_stops_and_says_where_to_go_on() {
        assert_eq!(page(None, 5, |row| row == 99).await, (vec![], Some(49)));
    }
}
