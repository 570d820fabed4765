//! The id of a run. It is the name of the run's folder and part of the names of its temporary files. A text of any
//! other shape (a path, `..`, an empty name) is refused and cannot become an id.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use trustmason_keystore::Digest;

/// The shape of an id: `0` is a digit, `x` a hexadecimal digit, and every other character is itself.
const SHAPE: &str = "00000000T000000.000Z-xxxxxxxx";

/// A run's id, `20261121T230752.089Z-0f3a9c21`: when the run began, to the millisecond in UTC, and the first digits of its
/// plan's digest. Ids sort by time.
///
/// ```
/// use trustmason_keystore::Digest;
/// use trustmason_plan::run_id::RunId;
///
/// let first = RunId::new("2026-11-21T23:07:52.089Z".parse()?, Digest::of(b"a plan"));
/// let second = RunId::new("2026-11-21T23:07:52.090Z".parse()?, Digest::of(b"another plan"));
/// assert!(first < second, "ids sort by time");
/// assert!(first.as_str().starts_with("20261121T230752.089Z-"));
/// assert_eq!(RunId::parse(first.as_str())?, first);
/// assert!(RunId::parse("../../etc/passwd").is_err(), "a path is no id");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// The error for a text that is no run's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not the name of a run; the name of a run looks like 20261121T230752.089Z-0f3a9c21", crate::text::escape(.0))]
pub struct NoRunId(String);

impl RunId {
    /// The number of characters of an id.
    pub const LENGTH: usize = SHAPE.len();

    /// The id of a run that begins at this time with a plan of this digest. A year outside 0 to 9999 counts as the
    /// nearest year inside.
    pub fn new(begins: Timestamp, plan: Digest) -> Self {
        let utc = begins.to_zoned(TimeZone::UTC);
        Self(format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}.{:03}Z-{}",
            utc.year().clamp(0, 9999),
            utc.month(),
            utc.day(),
            utc.hour(),
            utc.minute(),
            utc.second(),
            utc.millisecond().clamp(0, 999),
            plan.short()
        ))
    }

    /// Reads an id.
    ///
    /// # Errors
    /// If the text has another shape.
    pub fn parse(text: &str) -> Result<Self, NoRunId> {
        let fits = |(c, s): (u8, u8)| match s {
            b'0' => c.is_ascii_digit(),
            b'x' => c.is_ascii_hexdigit(),
            s => c == s,
        };
        if text.len() == SHAPE.len() && text.bytes().zip(SHAPE.bytes()).all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoRunId(text.to_owned()))
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for RunId {
    type Error = NoRunId;

    fn try_from(text: String) -> Result<Self, NoRunId> {
        Self::parse(&text)
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_id_is_made_of_time_and_plan_and_read_again() {
        let at: Timestamp = "2026-11-21T23:07:52.089Z".parse().unwrap();
        let id = RunId::new(at, Digest::of(b"plan"));
        assert!(id.as_str().starts_with("20261121T230752.089Z-"));
        assert_eq!(RunId::parse(id.as_str()).unwrap(), id);
        let later = RunId::new("2026-11-21T23:07:52.090Z".parse().unwrap(), Digest::of(b"a"));
        assert!(id < later);
    }

    #[test]
    fn every_moment_gives_an_id_that_is_one() {
        for at in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
            let id = RunId::new(at, Digest::of(b"plan"));
            assert_eq!(RunId::parse(id.as_str()).as_ref(), Ok(&id));
        }
    }

    #[test]
    fn a_path_is_no_id() {
        let good = "20261121T230752.089Z-0f3a9c21";
        assert!(RunId::parse(good).is_ok());
        let same_length = "../../../../../../etc/passwd0";
        assert_eq!(same_length.len(), good.len());
        for text in ["", ".", "..", "/tmp/x", same_length, &good[1..], "20261121T230752.089Z-0f3a9c2g", "r"] {
            assert!(RunId::parse(text).is_err(), "{text}");
            assert!(serde_json::from_value::<RunId>(text.into()).is_err(), "{text}");
        }
    }
}
