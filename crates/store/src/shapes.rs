//! Rows go to the database in few shapes, because each shape is a prepared statement of its own.

/// The longest statement, in rows.
const LONGEST: usize = 256;

/// Splits rows into runs whose lengths are powers of two, longest first.
pub(crate) fn runs<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = LONGEST.min(1 << rows.len().checked_ilog2()?);
        let (run, rest) = rows.split_at(length);
        rows = rest;
        Some(run)
    })
}

/// Splits the values of an `IN (…)` into lists whose lengths are powers of two; the last value is repeated
/// to fill a list.
pub(crate) fn lists<T: Clone>(values: &[T]) -> impl Iterator<Item = Vec<T>> {
    values.chunks(LONGEST).map(|chunk| {
        let mut list = chunk.to_vec();
        if let Some(last) = chunk.last() {
            list.resize(chunk.len().next_power_of_two(), last.clone());
        }
        list
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_keep_every_row_in_order_and_have_nine_lengths(count in 0_usize..2_000) {
            let rows: Vec<_> = (0..count).collect();
            let split: Vec<_> = runs(&rows).collect();
            prop_assert!(split.iter().all(|run| run.len().is_power_of_two() && run.len() <= LONGEST));
            prop_assert_eq!(split.concat(), rows);
        }

        #[test]
        fn lists_hold_every_value_and_no_other(count in 0_usize..2_000) {
            let values: Vec<_> = (0..count).collect();
            let split: Vec<_> = lists(&values).collect();
            prop_assert!(split.iter().all(|list| list.len().is_power_of_two() && list.len() <= LONGEST));
            let mut held = split.concat();
            held.sort_unstable();
            held.dedup();
            prop_assert_eq!(held, values);
        }
    }
}
