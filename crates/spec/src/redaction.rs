//! Decides which lines of a file may hold a secret. The decision uses the text alone, so it also works for broken YAML.
//! Too much is covered rather than too little: a covered line costs a look into the file, a shown secret costs a password.

use std::collections::BTreeSet;

/// The numbers (from 1) of the lines that are never shown.
#[derive(Debug, Default)]
pub(crate) struct Redaction {
    lines: BTreeSet<usize>,
}

impl Redaction {
    /// Finds the lines. A line is covered if it has a key that sounds like a secret. The lines after it are covered
    /// too, until a line at the same indentation or less starts something new and every bracket and quote before it is
    /// closed. A line that repeats the value of a `literal:` is covered anywhere.
    pub(crate) fn over(text: &str) -> Self {
        let mut lines = BTreeSet::new();
        let mut run: Option<Run> = None;
        for (index, line) in text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let fresh = names_secret(line);
            if let Some(open) = &mut run {
                let inside = open.section && indent == open.indent && !starts_section(line);
                if indent > open.indent || open.unfinished() || inside || !starts_something(line) {
                    lines.insert(index + 1);
                    open.indent = if fresh { open.indent.min(indent) } else { open.indent };
                    open.read(line);
                    continue;
                }
                run = None;
            }
            if fresh {
                lines.insert(index + 1);
                let section = line.trim() == "secrets:";
                let mut open = Run { indent, section, depth: 0, quote: None };
                open.read(line);
                run = Some(open);
            }
        }
        let values: BTreeSet<&str> = text.lines().filter_map(literal).collect();
        let repeats = |line: &str| values.iter().any(|value| line.contains(value));
        lines.extend(text.lines().zip(1..).filter(|(line, _)| repeats(line)).map(|(_, number)| number));
        Self { lines }
    }

    /// Whether a line is covered.
    pub(crate) fn covers(&self, line: usize) -> bool {
        self.lines.contains(&line)
    }
}

/// The value of a `literal:` on this line. The public default does not count. A text too short for a keystore's password
/// does not count either, because it would occur in half of all lines.
fn literal(line: &str) -> Option<&str> {
    let value = line.split_once("literal:")?.1.trim_start();
    let value = match value.chars().next() {
        Some(quote @ ('\'' | '"')) => value.get(1..)?.split(quote).next(),
        Some(_) | None => value.split([',', '}']).next()?.split(" #").next(),
    };
    value.map(str::trim_end).filter(|value| value.chars().count() >= 4 && *value != "changeit")
}

/// A run of covered lines, with the brackets and quotes that are still open.
struct Run {
    indent: usize,
    /// Whether this is a `secrets:` section. Its entries may lack their indentation by mistake.
    section: bool,
    depth: usize,
    quote: Option<char>,
}

impl Run {
    fn unfinished(&self) -> bool {
        self.depth > 0 || self.quote.is_some()
    }

    /// Counts brackets outside quotes. A quote opens only where a value can start, so an apostrophe does not count. A
    /// bracket counts only where a value can start, or inside other brackets.
    fn read(&mut self, line: &str) {
        let mut before = ' ';
        for c in line.chars() {
            let value = matches!(before, ' ' | '\t' | '{' | '[' | ',' | ':');
            match (self.quote, c) {
                (Some(quote), c) if c == quote => self.quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') if value => self.quote = Some(c),
                (None, '#') if matches!(before, ' ' | '\t') => return,
                (None, '{' | '[') if value || self.depth > 0 => self.depth += 1,
                (None, '}' | ']') => self.depth = self.depth.saturating_sub(1),
                (None, _) => {}
            }
            before = c;
        }
    }
}

/// Whether a line looks like the start of a key, a list item, a comment or a document.
fn starts_something(line: &str) -> bool {
    let code = line.trim_start();
    if code.starts_with(['#', '-']) {
        return true;
    }
    code.split_once(':').is_some_and(|(key, rest)| {
        let plain = |c: char| c.is_alphanumeric() || "_-./*?'\"".contains(c);
        !key.is_empty() && key.trim_end().chars().all(plain) && (rest.is_empty() || rest.starts_with([' ', '\t']))
    })
}

/// Whether a line begins a section of an estate spec or a profile.
fn starts_section(line: &str) -> bool {
    const SECTIONS: [&str; 26] = [
        "trustmason",
        "trustmason-profile",
        "estate",
        "name",
        "extends",
        "removed",
        "profile",
        "state",
        "access",
        "certificates_dir",
        "secrets",
        "identity",
        "authorities",
        "hosts",
        "retired",
        "distrust",
        "certificates",
        "trust",
        "rules",
        "stores",
        "accept",
        "policy",
        "needs",
        "roles",
        "shared",
        "services",
    ];
    line.split_once(':').is_some_and(|(key, _)| SECTIONS.contains(&key))
}

/// Whether a line is `ROLE/STORE: text`. The text may be the store's password, whatever was meant.
fn scalar_store(line: &str) -> bool {
    line.trim_start().split_once(": ").is_some_and(|(key, value)| {
        key.contains('/') && !key.contains([' ', '{', '[']) && !value.trim_start().starts_with('{')
    })
}

/// Whether a line has a word that sounds like the key of a secret. Misspelt words and words without a colon count too.
fn names_secret(line: &str) -> bool {
    let first: String = line.trim_start().chars().take_while(|c| c.is_alphanumeric() || "_-\"'".contains(*c)).collect();
    let comment = line.trim_start().starts_with('#') && line.to_lowercase().contains("pass");
    comment
        || scalar_store(line)
        || sounds_secret(first.trim_matches(['"', '\'']).to_lowercase().as_str())
        || keys(line).any(|key| sounds_secret(&key))
}

/// The words of a line that a colon follows, in lower case and without quotes.
fn keys(line: &str) -> impl Iterator<Item = String> + '_ {
    line.match_indices(':').map(|(at, _)| {
        let before = line.get(..at).unwrap_or_default().trim_end();
        let bare = before.trim_end_matches(['"', '\'']);
        let inner = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        bare.chars()
            .rev()
            .take_while(|c| inner(*c))
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect::<String>()
            .to_lowercase()
    })
}

/// Whether a key sounds like the key of a secret.
pub(crate) fn sounds_secret(word: &str) -> bool {
    const WHOLE: [&str; 2] = ["pw", "pin"];
    const PART: [&str; 5] = ["pass", "pwd", "secret", "literal", "credential"];
    const LIKE: [&str; 5] = ["password", "passphrase", "secrets", "secret", "literal"];
    WHOLE.contains(&word)
        || word.ends_with("pw")
        || PART.iter().any(|part| word.contains(part))
        || LIKE.iter().any(|like| word.len() > 2 && strsim::normalized_damerau_levenshtein(word, like) >= 0.6)
}

#[cfg(test)]
mod tests {
    use super::Redaction;

    fn covered(text: &str) -> Vec<usize> {
        let redaction = Redaction::over(text);
        (1..=text.lines().count()).filter(|line| redaction.covers(*line)).collect()
    }

    #[test]
    fn a_section_of_secrets_is_covered_and_what_follows_is_not() {
        assert_eq!(covered("a: 1\nsecrets:\n  x: { env: Y }\n\n  z: 'w'\nhosts:\n  b: 1\n"), [2, 3, 4, 5]);
    }

    #[test]
    fn a_value_on_the_next_line_is_covered() {
        assert_eq!(covered("x: { password:\nhunter2 }\nb: 1\n"), [1, 2]);
        assert_eq!(covered("password: >\n  hunter2\nb: 1\n"), [1, 2]);
        assert_eq!(covered("password: \"hun\nter2\"\nb: 1\n"), [1, 2]);
        assert_eq!(covered("password: hunt\ner2\nb: 1\n"), [1, 2]);
    }

    #[test]
    fn brackets_inside_a_password_do_not_cover_the_rest() {
        assert_eq!(covered("password: 'a{b'\nb: 1\n"), [1]);
        assert_eq!(covered("password: a{b[c\nb: 1\n"), [1]);
        assert_eq!(covered("x: { literal: it's }\nb: 1\n"), [1]);
    }

    #[test]
    fn secrets_that_were_not_indented_are_covered_up_to_the_next_section() {
        assert_eq!(covered("secrets:\ncvp-keystore: w\ncacerts: w\nhosts:\n  b: 1\n"), [1, 2, 3]);
        assert_eq!(covered("stores:\n  cvp/keystore: w\n  ads/cacerts: { path: x }\n"), [2]);
        assert_eq!(covered("vars: { KEYSTOREPW: w }\n"), [1]);
    }

    #[test]
    fn a_line_that_repeats_a_literal_is_covered_wherever_it_stands() {
        for value in ["hunter2", "'hunter2'", "\"hunter2\", why: x"] {
            let text = format!("run: [x, hunter2]\nx: {{ literal: {value} }}\nb: 1\nc: '-phunter2'\n");
            assert_eq!(covered(&text), [1, 2, 4], "{value}");
        }
        assert_eq!(covered("literal: hunter2 # ours\nb: 1\nc: [hunter2]\n"), [1, 3]);
        assert_eq!(covered("x: { literal: changeit }\nb: changeit\n"), [1]);
        assert_eq!(covered("x: { literal: b }\nb: 1\n"), [1]);
    }

    #[test]
    fn misspelt_keys_count() {
        for line in [
            "passwrd: x",
            "Passwort: x",
            "litteral: x",
            "y: { lieral: x }",
            "\"password\" : x",
            "secrts:",
            "secrets",
            "db_pw: 1, pw: 2",
        ] {
            assert_eq!(covered(line), [1], "{line}");
        }
        for line in [
            "alias: '{fqdn}'",
            "cacerts: x",
            "store: ads/cacerts",
            "retired: [a.b]",
            "trust:",
            "rules:",
            "stores:",
            "state: ./x",
            "labels: {}",
        ] {
            assert!(covered(line).is_empty(), "{line}");
        }
    }
}
