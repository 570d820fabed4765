//! Reports: pure functions that turn plans, outcomes and listings into text. Styles are ANSI sequences, which the output
//! stream removes if it shows no colours.

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

/// Appends a line to a text. Writing to a `String` cannot fail, so no error is handled.
macro_rules! line {
    ($out:expr) => { $out.push('\n') };
    ($out:expr, $($arg:tt)*) => {{
        $out.push_str(&format!($($arg)*));
        $out.push('\n');
    }};
}
pub(crate) use line;

/// The text of a message. Messages put names in backticks. An empty name would show as two backticks, so words replace it.
pub(crate) fn named(message: impl std::fmt::Display) -> String {
    message.to_string().replace("``", "an empty name")
}

/// The first 16 digits of a fingerprint, for people. The JSON has all digits.
pub(crate) fn short(fingerprint: impl std::fmt::Display) -> String {
    fingerprint.to_string().chars().take(16).collect()
}
