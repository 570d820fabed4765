//! Arithmetic with moments. A moment is a number of seconds since 1970, and may be negative; a moment that was read may
//! be at either end of `i64`. Nothing here overflows: a sum or difference that does not fit stays at the end of the
//! range. That end is further away than any term of a spec (at most a hundred years), so no comparison with a term
//! changes.
#![warn(clippy::arithmetic_side_effects)]

/// The seconds of a day.
const DAY: i64 = 86_400;

/// A term of the spec, given in days, in seconds. The product of a `u32` and a day always fits.
pub(crate) fn term(days: u32) -> i64 {
    i64::from(days).saturating_mul(DAY)
}

/// The seconds from one moment to another; negative if the second moment is earlier.
pub fn between(from: i64, to: i64) -> i64 {
    to.saturating_sub(from)
}

/// The moment that is a number of seconds after another moment.
pub(crate) fn later(moment: i64, seconds: i64) -> i64 {
    moment.saturating_add(seconds)
}

/// The moment that is a term after another moment.
pub(crate) fn after(moment: i64, days: u32) -> i64 {
    moment.saturating_add(term(days))
}

/// The whole days in a number of seconds; 0 if the number is negative.
pub fn whole(seconds: i64) -> usize {
    usize::try_from(seconds.div_euclid(DAY)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_range_hold() {
        for moment in [i64::MIN, -1, 0, 1, i64::MAX] {
            assert_eq!(between(moment, moment), 0);
            assert!(after(moment, u32::MAX) >= moment);
        }
        assert_eq!(between(i64::MIN, i64::MAX), i64::MAX);
        assert_eq!(between(i64::MAX, i64::MIN), i64::MIN);
        assert_eq!(after(i64::MAX, 1), i64::MAX);
        assert_eq!((whole(i64::MIN), whole(-1), whole(86_399), whole(86_400)), (0, 0, 0, 1));
    }
}
