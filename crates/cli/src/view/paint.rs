//! Styles, and a value shown in one.

use std::fmt;

use anstyle::{AnsiColor, Style};

/// Headings.
pub(crate) const BOLD: Style = Style::new().bold();
/// What is beside the point.
pub(crate) const DIM: Style = Style::new().dimmed();
/// Additions, and good ends.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Changes, and warnings.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// Deletions, what is blocked, and errors.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();

/// A value in a style.
pub(crate) fn paint<T: fmt::Display>(style: Style, value: T) -> Painted<T> {
    Painted { style, value }
}

/// See [`paint`].
pub(crate) struct Painted<T> {
    style: Style,
    value: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.style.render(), self.value, self.style.render_reset())
    }
}
