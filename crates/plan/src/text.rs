//! Words that plans, logs and reports share: escapes, dates, spans and counts. It takes values and gives text for
//! people.
#![warn(clippy::arithmetic_side_effects)]

use std::borrow::Cow;
use std::fmt;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use trustmason_keystore::is_hidden;

use crate::days;

/// An alias or name that is safe for a terminal. Control, bidirectional and other invisible characters are escaped, so
/// that the reader sees what is there. Exact text is for JSON.
pub fn escape(text: &str) -> String {
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A whole text that is safe for a terminal. Line feeds and colours stay; every other character that does not show as
/// itself is escaped. This protects a message that foreign text reached without [`escape`].
pub fn terminal(text: &str) -> Cow<'_, str> {
    let colour = |rest: &str| {
        let parameters = rest.strip_prefix("\u{1b}[")?;
        let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
        parameters[end..].starts_with('m').then(|| end.saturating_add(3))
    };
    if !text.chars().any(|c| is_hidden(c) && c != '\n') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = colour(rest).unwrap_or(c.len_utf8());
        let (now, later) = rest.split_at(taken);
        if taken > c.len_utf8() || c == '\n' || !is_hidden(c) {
            out.push_str(now);
        } else {
            out.extend(c.escape_default());
        }
        rest = later;
    }
    Cow::Owned(out)
}

/// Seconds since 1970 as RFC 3339 UTC, such as `2024-01-31T12:00:00Z`. For a moment outside the years -9999 to 9999 the
/// text gives the number of seconds.
///
/// The conversion uses [`DateTime`], because [`jiff::Timestamp`] ends 26 hours before 9999-12-31T23:59:59Z, the last
/// moment that a certificate can name.
pub fn time(seconds: i64) -> String {
    moment(seconds).map_or_else(|| outside(seconds), |at| format!("{at}Z"))
}

/// Seconds since 1970 as a day.
pub fn day(seconds: i64) -> String {
    moment(seconds).map_or_else(|| outside(seconds), |at| at.date().to_string())
}

fn moment(seconds: i64) -> Option<DateTime> {
    DateTime::constant(1970, 1, 1, 0, 0, 0, 0).checked_add(SignedDuration::from_secs(seconds)).ok()
}

fn outside(seconds: i64) -> String {
    if seconds < 0 { format!("{}s before 1970", seconds.unsigned_abs()) } else { format!("{seconds}s after 1970") }
}

/// A number of seconds in words for people: in days, below two days in hours, below two hours in minutes.
pub fn span(seconds: i64) -> String {
    let seconds = usize::try_from(seconds.unsigned_abs()).unwrap_or(usize::MAX);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match (minutes, hours) {
        (0..120, _) => count(minutes, "minute"),
        (_, 0..48) => count(hours, "hour"),
        _ => count(days::whole(i64::try_from(seconds).unwrap_or(i64::MAX)), "day"),
    }
}

/// Joins clauses: `no store; no key`.
pub fn clauses<T: fmt::Display>(all: impl IntoIterator<Item = T>) -> String {
    all.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join("; ")
}

/// A number with its noun: `1 store`, `2 stores`.
pub fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_has_a_text() {
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(day(1_780_272_000), "2026-06-01");
        // RFC 5280 §4.1.2.5: a certificate without a known end.
        assert_eq!(time(253_402_300_799), "9999-12-31T23:59:59Z");
        assert_eq!(day(253_402_300_799), "9999-12-31");
        assert_eq!(day(253_402_300_800), "253402300800s after 1970");
        assert_eq!(time(-62_135_596_800), "0001-01-01T00:00:00Z");
        // The offset in a certificate's first moment can lead before the year 0.
        assert_eq!(day(-62_167_305_600), "-000001-12-31");
        assert_eq!(day(i64::MIN), "9223372036854775808s before 1970");
        assert_eq!(time(i64::MAX), "9223372036854775807s after 1970");
    }

    #[test]
    fn a_timestamp_and_its_seconds_have_one_text() {
        for text in ["1970-01-01T00:00:00Z", "2050-01-01T00:00:00Z", "9999-12-30T22:00:00Z", "-009999-01-02T01:59:59Z"]
        {
            let at: jiff::Timestamp = text.parse().expect("a moment");
            assert_eq!((time(at.as_second()).as_str(), at.to_string().as_str()), (text, text));
        }
    }

    #[test]
    fn spans_are_told_in_units_that_people_use() {
        assert_eq!(span(60), "1 minute");
        assert_eq!(span(-301), "5 minutes");
        assert_eq!(span(7_200), "2 hours");
        assert_eq!(span(172_800), "2 days");
        assert_eq!(span(i64::MIN), "106751991167300 days");
    }
}
