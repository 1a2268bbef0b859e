//! Finding a place among the sorted entries of a node.
//!
//! Keys often lie about evenly (ids, dates, hashes). So the search begins where its target would be if they did, which is right or near, and
//! touches one or two cache lines instead of one for each halving. From there it goes on in steps that grow until they have passed the
//! place, and halves what lies between. Keys that do not lie evenly cost a few comparisons more than halving alone.

use std::ops::Range;

/// Fewer entries than this are halved without a guess.
const GUESS_MIN: usize = 16;
/// How a step away from the guess grows.
const STEP_GROWTH: usize = 8;

/// The first entry of `within` that is not before the target; the end if there is none.
///
/// `is_before` holds for the entries before some place and for none behind it. `number` is a number for an entry that ascends with them, and
/// `target` the one for the target: where they are equal `is_before` decides alone, and where they lie unevenly it only takes longer.
///
/// # Errors
/// What `number` and `is_before` fail with.
#[inline]
pub(super) fn partition_point<E>(
    within: Range<usize>,
    target: u64,
    number: impl Fn(usize) -> Result<u64, E>,
    is_before: impl Fn(usize) -> Result<bool, E>,
) -> Result<usize, E> {
    let Range { start: mut low, end: mut high } = within;
    if high.saturating_sub(low) >= GUESS_MIN {
        let (first, last) = (number(low)?, number(high - 1)?);
        let guess = low + even_share(target, first, last, high - 1 - low);
        let mut step = 1;
        if is_before(guess)? {
            low = guess + 1;
            while low + step <= high {
                let next = low + step - 1;
                if !is_before(next)? {
                    high = next;
                    break;
                }
                low = next + 1;
                step *= STEP_GROWTH;
            }
        } else {
            high = guess;
            while low + step <= high {
                let next = high - step;
                if is_before(next)? {
                    low = next + 1;
                    break;
                }
                high = next;
                step *= STEP_GROWTH;
            }
        }
    }
    while low < high {
        let middle = usize::midpoint(low, high);
        if is_before(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// How many of `steps` steps from `first` to `last` lead to `target`.
#[inline]
fn even_share(target: u64, first: u64, last: u64, steps: usize) -> usize {
    // A rounded guess is as good as an exact one.
    let share = target.saturating_sub(first) as f64 / last.saturating_sub(first).max(1) as f64;
    ((share * steps as f64) as usize).min(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::convert::Infallible;

    /// The place of `target` in `keys`, and how many keys were compared.
    fn find(keys: &[u64], target: u64) -> (usize, usize) {
        let looks = Cell::new(0);
        let number = |index: usize| Ok::<_, Infallible>(keys[index]);
        let Ok(place) = partition_point(0..keys.len(), target, number, |index| {
            looks.set(looks.get() + 1);
            Ok(keys[index] < target)
        });
        (place, looks.get())
    }

    #[test]
    fn finds_what_halving_finds() {
        let even: Vec<u64> = (0..1000).map(|i| 7 * i + 100).collect();
        let squares: Vec<u64> = (0..1000).map(|i| i * i).collect();
        let powers: Vec<u64> = (0..64).map(|i| 1 << i).collect();
        let doubled: Vec<u64> = (0..1000).map(|i| i / 100).collect();
        let ends = [vec![0; 500], vec![u64::MAX; 500]].concat();
        for keys in [even, squares, powers, doubled, ends, vec![5; 100], vec![3], vec![]] {
            let near =
                keys.iter().flat_map(|key| [key.saturating_sub(1), *key, key.saturating_add(1)]);
            for target in near.chain([0, 50, u64::MAX]) {
                let expected = keys.partition_point(|key| *key < target);
                assert_eq!(find(&keys, target).0, expected, "{target} in {} keys", keys.len());
            }
        }
    }

    #[test]
    fn even_keys_are_found_at_once() {
        let keys: Vec<u64> = (0..1000).map(|i| 3 * i).collect();
        for target in 0..3000 {
            let looks = find(&keys, target).1;
            assert!(looks <= 3, "{target} took {looks} looks");
        }
    }

    #[test]
    fn uneven_keys_take_few_looks_more_than_halving() {
        let keys: Vec<u64> = (0..1024).map(|i| i * i * i * i).collect();
        let looks: usize = keys.iter().map(|key| find(&keys, *key).1).sum();
        assert!(looks < keys.len() * 14, "{looks} looks for {} keys", keys.len());
    }

    #[test]
    fn entries_before_by_more_than_their_number() {
        // All numbers are equal: only `is_before` knows.
        let number = |_| Ok::<_, Infallible>(7);
        for place in 0..=40 {
            let found = partition_point(0..40, 7, number, |index| Ok(index < place));
            assert_eq!(found, Ok(place));
        }
    }
}
