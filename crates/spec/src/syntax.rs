//! Text that is no YAML: the one fault, its place, and a hint for the slips that Windows paths and templates invite.

use crate::fault::{Fault, Place, Source};

/// The fault for a text the YAML reader refused.
pub(crate) fn fault(source: &Source, error: &serde_yaml::Error) -> Fault {
    let error = error.without_snippet();
    let place = error.location().map_or(Place { line: 1, column: 1, length: 1 }, |at| Place {
        line: usize::try_from(at.line()).unwrap_or(1).max(1),
        column: usize::try_from(at.column()).unwrap_or(1).max(1),
        length: 1,
    });
    let words = error.to_string();
    if words.contains("Documents {") {
        let fault = source.error(place, "the file holds more than one YAML document");
        return fault.hint("keep one estate per file; `---` starts a second document");
    }
    if ["budget", "limit", "recursion"].iter().any(|sign| words.contains(sign)) {
        let fault = source.error(place, "the file is larger, deeper or has more aliases than any estate needs");
        return fault.hint("look for anchors (&) and aliases (*) that multiply, and for brackets within brackets");
    }
    // The reader's own words may quote the text, so they are kept only where the line itself may be shown.
    let message = if source.veiled(place.line) {
        "this is not valid YAML".to_owned()
    } else {
        format!("this is not valid YAML: {}", cause(&words))
    };
    let line = source.text().lines().nth(place.line.saturating_sub(1)).unwrap_or_default();
    source.error(place, message).hint(hint(line))
}

/// The reader's message without the place it repeats.
fn cause(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let cut = first.split(" at line ").next().unwrap_or(first);
    cut.trim_start_matches("error: ").trim().to_owned()
}

/// What to try on a line like this.
fn hint(line: &str) -> &'static str {
    let indent = line.len() - line.trim_start().len();
    let template = line.split('{').skip(1).any(|tail| {
        let name: String = tail.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        !name.is_empty() && tail.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('}'))
    });
    if line.get(..indent).unwrap_or_default().contains('\t') {
        "indent with blanks: YAML takes no tabs"
    } else if template || line.contains('\\') {
        "put the value in single quotes: inside them backslashes and braces mean nothing to YAML"
    } else {
        "check indentation, quotes and brackets on this line and the one before it"
    }
}
