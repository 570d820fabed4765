//! Faults of a text that is no valid YAML: one fault with its place, and a hint for slips that are usual with Windows paths
//! and templates. Takes the text and the YAML reader's error, and never repeats a line that may hold a secret.

use crate::fault::{Fault, Faults, SourceText, Span};

/// The fault for a text that the YAML reader refused.
pub(crate) fn fault(source: &SourceText, error: &serde_yaml::Error) -> Fault {
    let error = error.without_snippet();
    let place = error.location().map_or(Span { line: 1, column: 1, length: 1 }, |at| Span {
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
        return fault.hint("look for anchors (&) and aliases (*) that multiply, and for nested brackets");
    }
    // The reader's message may quote the text, so the message is kept only if the line itself may be shown.
    let message = if source.is_redacted(place.line) {
        "this is not valid YAML".to_owned()
    } else {
        format!("this is not valid YAML: {}", cause(&words))
    };
    let line = source.text().lines().nth(place.line.saturating_sub(1)).unwrap_or_default();
    source.error(place, message).hint(hint(line))
}

/// Finds blanks that YAML takes for letters, and colons without a blank after them. Such a slip changes the meaning of
/// the text, and its effects appear elsewhere. The slips are found from the text alone. The caller reports them only if
/// the file has a fault anyway, because each of them can be intended.
pub(crate) fn slips(source: &SourceText) -> Faults {
    let mut faults = Faults::default();
    for (index, line) in source.text().lines().enumerate() {
        let place = |column: usize| Span { line: index + 1, column: column + 1, length: 1 };
        let mut quote = None;
        let mut before = ' ';
        let mut glued = None;
        for (column, c) in line.chars().enumerate() {
            match quote {
                Some(open) if c == open => quote = None,
                Some(_) => {}
                None if before == ':' && matches!(c, '\'' | '"') => {
                    glued = glued.or(Some(column));
                    quote = Some(c);
                }
                None if matches!(c, '\'' | '"') && !before.is_alphanumeric() => quote = Some(c),
                None if c == '#' && before == ' ' => break,
                None if is_unseen(c) => {
                    let what =
                        if c == '\u{a0}' { "a no-break space".to_owned() } else { "an invisible character".to_owned() };
                    let message = format!("here is {what} ({}), which YAML reads as a letter", code(c));
                    faults
                        .push(source.error(place(column), message).hint("replace it with a plain space, or remove it"));
                    glued = None;
                    break;
                }
                None if before == ':'
                    && (matches!(c, '{' | '[') || (c.is_alphabetic() && ends_in_key(line, column))) =>
                {
                    glued = glued.or(Some(column));
                }
                None => {}
            }
            before = c;
        }
        if let Some(column) = glued {
            let fault = source.error(place(column), "a space is missing after the colon");
            faults.push(fault.hint("write a space after it: `key: value`"));
        }
    }
    faults
}

/// Whether the colon before this column ends a word of two letters or more, as the keys of the language are.
fn ends_in_key(line: &str, column: usize) -> bool {
    let before: Vec<char> = line.chars().take(column.saturating_sub(1)).collect();
    let word = before.iter().rev().take_while(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '-')).count();
    let stop = before.iter().rev().nth(word);
    word >= 2 && stop.is_none_or(|c| c.is_whitespace() || matches!(c, '{' | ','))
}

fn is_unseen(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{2000}'..='\u{200f}' | '\u{202f}' | '\u{205f}' | '\u{2060}' | '\u{3000}')
}

/// The code point of a character: `U+00A0`.
fn code(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

/// The reader's message without the place, which the fault shows itself.
fn cause(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let cut = first.split(" at line ").next().unwrap_or(first);
    cut.trim_start_matches("error: ").trim().to_owned()
}

/// A hint for a line like this.
fn hint(line: &str) -> &'static str {
    let indent = line.len() - line.trim_start().len();
    let template = line.split('{').skip(1).any(|tail| {
        let name: String = tail.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        !name.is_empty() && tail.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('}'))
    });
    if line.get(..indent).unwrap_or_default().contains('\t') {
        "indent with spaces: YAML allows no tabs"
    } else if template || line.contains('\\') {
        "put the value in single quotes: inside them backslashes and braces mean nothing to YAML"
    } else {
        "check indentation, quotes and brackets on this line and the one before it"
    }
}
