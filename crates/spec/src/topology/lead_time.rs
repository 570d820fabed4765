//! How long before the end of a certificate something falls due: `renew_before` and `warn_before`. It takes the
//! lifetime of a certificate and gives seconds. Nothing here knows a certificate or the clock.

use std::fmt;

/// The seconds of a day.
const DAY: i64 = 86_400;

/// The time before the end of a certificate at which it is renewed, or from which people are warned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeadTime {
    /// The spec says nothing: 60 days, or a third of the certificate's lifetime if that is shorter.
    #[default]
    Default,
    /// This number of days, whatever the lifetime is.
    Days(u32),
    /// This share of the certificate's lifetime.
    Share(Percent),
}

impl LeadTime {
    /// The days that the default never exceeds.
    pub const DEFAULT_DAYS: u32 = 60;

    /// The number of seconds before the end of a certificate that lives this many seconds.
    #[must_use]
    pub fn seconds(self, lifetime: i64) -> i64 {
        let lifetime = lifetime.max(0);
        match self {
            Self::Default => days(Self::DEFAULT_DAYS).min(lifetime / 3),
            Self::Days(number) => days(number),
            Self::Share(Percent(percent)) => lifetime.saturating_mul(i64::from(percent)) / 100,
        }
    }

    /// Whether a certificate that lives this many seconds is due from its first second.
    #[must_use]
    pub fn is_whole_life(self, lifetime: i64) -> bool {
        self.seconds(lifetime) >= lifetime
    }
}

/// A number of days in seconds. The product of a `u32` and a day always fits.
fn days(number: u32) -> i64 {
    i64::from(number).saturating_mul(DAY)
}

impl fmt::Display for LeadTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "{}d or a third of the lifetime, whichever is shorter", Self::DEFAULT_DAYS),
            Self::Days(number) => write!(f, "{number}d"),
            Self::Share(percent) => write!(f, "{percent}"),
        }
    }
}

/// A whole number of percent, from 1 to 99.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(u8);

impl Percent {
    /// A number of percent. `None` unless it is from 1 to 99.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        (1..=99).contains(&number).then_some(Self(number))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_shorter_of_60_days_and_a_third() {
        let default = |number: i64| LeadTime::default().seconds(number * DAY);
        assert_eq!(default(1825), 60 * DAY);
        assert_eq!(default(180), 60 * DAY);
        assert_eq!(default(179), 179 * DAY / 3);
        assert_eq!(default(47), 47 * DAY / 3);
        assert_eq!((default(0), default(-1), LeadTime::default().seconds(i64::MAX)), (0, 0, 60 * DAY));
    }

    #[test]
    fn days_and_shares_are_what_they_say() {
        let share = |number| LeadTime::Share(Percent(number));
        assert_eq!(LeadTime::Days(60).seconds(47 * DAY), 60 * DAY);
        assert_eq!(share(50).seconds(47 * DAY), 47 * DAY / 2);
        assert!(LeadTime::Days(60).is_whole_life(60 * DAY) && !LeadTime::Days(60).is_whole_life(61 * DAY));
        assert!((1..=99).all(|number| !share(number).is_whole_life(DAY)));
        assert!(!LeadTime::Default.is_whole_life(1));
        assert_eq!((Percent::new(0), Percent::new(100)), (None, None));
    }
}
