//! Styles and painted values, and the parts that all reports share: the style of an action, a finding in one line.

use std::fmt;

use anstyle::{AnsiColor, Style};
use trustmason_plan::change::Action;
use trustmason_plan::finding::{Finding, Severity};
use trustmason_plan::text::escape;

/// The style of headings.
pub(crate) const BOLD: Style = Style::new().bold();
/// The style of less important text.
pub(crate) const DIM: Style = Style::new().dimmed();
/// The style of additions and successes.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// The style of changes and warnings.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// The style of deletions, blocked things and errors.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();

/// Puts a value in a style.
pub(crate) fn paint<T: fmt::Display>(style: Style, value: T) -> Painted<T> {
    Painted { style, value }
}

/// A value in a style, made by [`paint`].
pub(crate) struct Painted<T> {
    style: Style,
    value: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.style.render(), self.value, self.style.render_reset())
    }
}

/// The style of an action's symbol.
pub(crate) fn style(action: Action) -> Style {
    match action {
        Action::Import => GOOD,
        Action::Replace | Action::Rename | Action::Regenerate | Action::Install => WARN,
        Action::Delete => BAD,
    }
}

/// A finding as one line.
pub(crate) fn finding(finding: &Finding) -> String {
    let style = match (finding.counts(), finding.severity) {
        (false, _) | (true, Severity::Info) => DIM,
        (true, Severity::Warning) => WARN,
        (true, Severity::Error | Severity::Blocked) => BAD,
    };
    let place = place(finding);
    let separator = if place.is_empty() { "" } else { ": " };
    format!("{} {place}{separator}{}", paint(style, format!("{:<22}", finding.kind.as_str())), finding.message)
}

/// Writes findings under a title, one per line. Without findings it writes nothing.
pub(crate) fn findings<'f>(out: &mut String, title: &str, all: impl IntoIterator<Item = &'f Finding>) {
    let mut all = all.into_iter().peekable();
    if all.peek().is_none() {
        return;
    }
    out.push_str(&format!("{}\n", paint(BOLD, format!("{title}:"))));
    for one in all {
        out.push_str(&format!("  {}\n", finding(one)));
    }
    out.push('\n');
}

/// The store, identity or host that a finding is about, with the entry's alias.
fn place(finding: &Finding) -> String {
    let mut place = match (&finding.store, &finding.identity, &finding.host) {
        (Some(store), ..) => store.to_string(),
        (None, Some(identity), _) => identity.to_string(),
        (None, None, Some(host)) => host.to_string(),
        (None, None, None) => String::new(),
    };
    if let Some(alias) = &finding.alias {
        place.push_str(" entry ");
        place.push_str(&escape(alias));
    }
    place
}
