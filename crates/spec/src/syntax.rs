//! Text that is no YAML: the one fault, its place, and a hint for the slips that Windows paths and templates invite.

use crate::fault::{Fault, Place, Source};

const QUOTES: &str =
    "put the value in single quotes: inside them backslashes and braces mean nothing to YAML";

/// The fault for a text the YAML reader refused.
pub(crate) fn fault(source: &Source, error: &serde_yaml::Error) -> Fault {
    let error = error.without_snippet();
    let place = error.location().map_or(
        Place {
            line: 1,
            column: 1,
            length: 1,
        },
        |l| Place {
            line: usize::try_from(l.line()).unwrap_or(1).max(1),
            column: usize::try_from(l.column()).unwrap_or(1).max(1),
            length: 1,
        },
    );
    // The reader's own words may quote the text, so they are kept only where the line itself may be shown.
    let message = if source.veiled(place.line) {
        "this is not valid YAML".to_owned()
    } else {
        format!("this is not valid YAML: {}", cause(&error.to_string()))
    };
    let line = source
        .text()
        .lines()
        .nth(place.line.saturating_sub(1))
        .unwrap_or_default();
    let fault = source.error(place, message);
    match slip(line) {
        Some(hint) => fault.hint(hint),
        None => {
            fault.hint("check indentation, quotes and brackets on this line and the one before it")
        }
    }
}

/// The reader's message without the place it repeats.
fn cause(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let cut = first.split(" at line ").next().unwrap_or(first);
    cut.trim_start_matches("error: ").trim().to_owned()
}

/// The hint for a line with one of the classic slips.
fn slip(line: &str) -> Option<&'static str> {
    let braces = line.contains('{') && line.contains('}');
    let backslash = line.contains('"') && line.contains('\\');
    if backslash || braces || line.contains('\\') {
        Some(QUOTES)
    } else {
        None
    }
}
