//! Which lines of a file may hold a secret. Decided from the text alone, so that it also works where the YAML is broken,
//! and generously: a line withheld for nothing costs a look into the file, a line shown for nothing costs a password.

use std::collections::BTreeSet;

/// The lines (from 1) that are never shown.
#[derive(Debug, Default)]
pub(crate) struct Veil {
    lines: BTreeSet<usize>,
}

impl Veil {
    /// Finds them. A line is covered when it has a key that sounds like a secret, or lies below such a key (deeper
    /// indentation, so block scalars and flow mappings over several lines are covered too).
    pub(crate) fn over(text: &str) -> Self {
        let mut lines = BTreeSet::new();
        let mut below: Option<usize> = None;
        for (index, line) in text.lines().enumerate() {
            let trimmed = line.trim_start();
            let indent = line.len() - trimmed.len();
            if let Some(limit) = below {
                let closes = trimmed.starts_with(['}', ']', '"', '\'']);
                if trimmed.is_empty() || indent > limit || closes {
                    lines.insert(index + 1);
                    continue;
                }
                below = None;
            }
            if names_secret(line) {
                lines.insert(index + 1);
                below = Some(indent);
            }
        }
        Self { lines }
    }

    /// Whether this line is covered.
    pub(crate) fn covers(&self, line: usize) -> bool {
        self.lines.contains(&line)
    }
}

/// Whether a line has a word that sounds like the key of a secret, also misspelt.
fn names_secret(line: &str) -> bool {
    let code = line.trim_start();
    if code.starts_with('#') {
        return code.to_ascii_lowercase().contains("pass");
    }
    words_before_colon(line).any(|word| sounds_secret(&word))
}

/// Words that are followed by a colon, in lower case and without quotes.
fn words_before_colon(line: &str) -> impl Iterator<Item = String> + '_ {
    line.match_indices(':').map(|(at, _)| {
        let before = line.get(..at).unwrap_or_default().trim_end();
        let bare = before.trim_end_matches(['"', '\'']);
        let start = bare
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
            .map_or(0, |i| i + 1);
        bare.get(start..).unwrap_or_default().to_lowercase()
    })
}

/// Whether a key sounds like that of a secret.
pub(crate) fn sounds_secret(word: &str) -> bool {
    const WHOLE: [&str; 2] = ["pw", "pin"];
    const PART: [&str; 5] = ["pass", "pwd", "secret", "literal", "credential"];
    const LIKE: [&str; 5] = ["password", "passphrase", "secrets", "secret", "literal"];
    WHOLE.contains(&word)
        || PART.iter().any(|p| word.contains(p))
        || LIKE
            .iter()
            .any(|l| word.len() > 2 && strsim::normalized_damerau_levenshtein(word, l) >= 0.7)
}
