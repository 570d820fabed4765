//! Words out: pure functions from plans, outcomes and listings to text. Styles are written as ANSI sequences; the stream
//! they go to strips them where nobody sees colours.

pub(crate) mod apply;
pub(crate) mod check;
pub(crate) mod collect;
pub(crate) mod drift;
pub(crate) mod explain;
pub(crate) mod ladder;
pub(crate) mod list;
pub(crate) mod markdown;
mod options;
mod paint;
pub(crate) mod plan;
pub(crate) mod prometheus;
pub(crate) mod runs;

pub(crate) use paint::{BAD, BOLD, DIM, GOOD, WARN, finding, findings, paint, style};

/// Appends a line to a text. Writing to a `String` cannot fail, so there is nothing to handle.
macro_rules! line {
    ($out:expr) => { $out.push('\n') };
    ($out:expr, $($arg:tt)*) => {{
        $out.push_str(&format!($($arg)*));
        $out.push('\n');
    }};
}
pub(crate) use line;

/// A message as it is said. What somebody named stands in backticks; of an empty name nobody would see them.
pub(crate) fn named(message: impl std::fmt::Display) -> String {
    message.to_string().replace("``", "an empty name")
}

/// The first digits of a fingerprint, for people; the whole stands in the JSON.
pub(crate) fn short(fingerprint: impl std::fmt::Display) -> String {
    fingerprint.to_string().chars().take(16).collect()
}
