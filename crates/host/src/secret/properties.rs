//! Reads one value from a Java `.properties` file, by the rules of `java.util.Properties.load`: natural and logical
//! lines, comments, the three separators, escapes. The text is UTF-8 if it is valid UTF-8, else ISO-8859-1, which Java
//! itself assumes.

use zeroize::{Zeroize as _, Zeroizing};

/// Why a file could not be read as properties. The text holds no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PropertiesError {
    /// `\u` without four hex digits.
    #[error("line {0} has a \\u that is not followed by four hex digits")]
    BadEscape(usize),
    /// Half a surrogate pair.
    #[error("line {0} has half of a \\u surrogate pair")]
    LoneSurrogate(usize),
}

/// The value of a key. If the key occurs several times, the last one counts, as in Java.
pub(crate) fn value(bytes: &[u8], key: &str) -> Result<Option<Zeroizing<String>>, PropertiesError> {
    let text = decode(bytes);
    let mut found = None;
    for (line, logical) in Logical::new(&text) {
        let (name, rest) = split(&logical);
        // Only errors in the key's own line matter; a malformed line of another key is ignored.
        if unescape(name, line).is_ok_and(|name| *name == *key) {
            found = Some(unescape(rest, line)?);
        }
    }
    Ok(found)
}

/// A similar key, for a key that is not there: the same letters and digits, in any case and with any other characters
/// between them. A name with other letters is never reported, because it may be a secret on a line of its own.
pub(crate) fn nearest_key(bytes: &[u8], key: &str) -> Option<String> {
    let core =
        |name: &str| name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let (text, wanted) = (decode(bytes), core(key));
    let mut names = Logical::new(&text).filter_map(|(line, logical)| unescape(split(&logical).0, line).ok());
    names.find(|name| core(name) == wanted).map(|name| name.to_string())
}

fn decode(bytes: &[u8]) -> Zeroizing<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Zeroizing::new(text.to_owned()),
        Err(_) => {
            // Twice the size is enough for any byte of ISO-8859-1, so the text does not grow and leaves no copy in
            // memory.
            let mut text = Zeroizing::new(String::with_capacity(bytes.len().saturating_mul(2)));
            text.extend(bytes.iter().map(|b| char::from(*b)));
            text
        }
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// The logical lines: natural lines without comments and blank ones, with continuations joined.
struct Logical<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Logical<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text, line: 0 }
    }

    /// The next natural line without its end.
    fn natural(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        self.line += 1;
        let end = self.rest.find(['\n', '\r']).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix(['\n', '\r'])).unwrap_or(rest);
        Some(line)
    }
}

impl Logical<'_> {
    /// The greatest length of a logical line that begins with this natural line.
    fn length(&self, natural: &str) -> usize {
        let mut ahead = Logical::new(self.rest);
        let (mut length, mut part) = (natural.len(), natural);
        while continues(part) {
            part = ahead.natural().map_or("", |next| next.trim_start_matches(is_blank));
            length += part.len();
        }
        length
    }
}

impl Iterator for Logical<'_> {
    type Item = (usize, Zeroizing<String>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let natural = self.natural()?.trim_start_matches(is_blank);
            if natural.is_empty() || natural.starts_with(['#', '!']) {
                continue;
            }
            let first = self.line;
            // The whole length is allocated at once, so that growing leaves no copy in memory. It is no more than that,
            // because all of it is overwritten in the end, for every line of the file.
            let mut logical = Zeroizing::new(String::with_capacity(self.length(natural)));
            let mut part = natural;
            while continues(part) {
                logical.push_str(part.get(..part.len() - 1).unwrap_or_default());
                part = match self.natural() {
                    Some(next) => next.trim_start_matches(is_blank),
                    None => "",
                };
            }
            logical.push_str(part);
            return Some((first, logical));
        }
    }
}

/// Whether a line ends in an odd number of backslashes.
fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1
}

/// The raw key and the raw value of a logical line.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line
        .char_indices()
        .find(|(_, c)| {
            let ends = !escaped && (matches!(c, '=' | ':') || is_blank(*c));
            escaped = *c == '\\' && !escaped;
            ends
        })
        .map_or(line.len(), |(at, _)| at);
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(is_blank);
    (name, rest)
}

fn unescape(raw: &str, line: usize) -> Result<Zeroizing<String>, PropertiesError> {
    let mut units: Zeroizing<Vec<u16>> = Zeroizing::new(Vec::with_capacity(raw.len()));
    let mut buffer = [0u16; 2];
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        let plain = match c {
            '\\' => match chars.next() {
                Some('u') => {
                    units.push(hex(&mut chars).ok_or(PropertiesError::BadEscape(line))?);
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(other) => other,
                None => continue,
            },
            plain => plain,
        };
        units.extend_from_slice(plain.encode_utf16(&mut buffer));
    }
    buffer.zeroize();
    let mut text = Zeroizing::new(String::with_capacity(units.len().saturating_mul(3)));
    for c in char::decode_utf16(units.iter().copied()) {
        text.push(c.map_err(|_| PropertiesError::LoneSurrogate(line))?);
    }
    Ok(text)
}

fn hex(chars: &mut std::str::Chars<'_>) -> Option<u16> {
    let mut unit = 0u16;
    for _ in 0..4 {
        unit = unit << 4 | u16::try_from(chars.next()?.to_digit(16)?).ok()?;
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn get(text: &str, key: &str) -> Option<String> {
        value(text.as_bytes(), key).unwrap().map(|v| v.to_string())
    }

    #[test]
    fn the_three_separators() {
        for line in ["k=v", "k:v", "k v", "k = v", "k : v", "k\tv", "  k\u{c}=  v", "k   v", "k\t:\tv"] {
            assert_eq!(get(line, "k").as_deref(), Some("v"), "{line:?}");
        }
        assert_eq!(get("k == v", "k").as_deref(), Some("= v"));
        assert_eq!(get("k =: v", "k").as_deref(), Some(": v"));
        assert_eq!(get("k", "k").as_deref(), Some(""));
        assert_eq!(get("k=", "k").as_deref(), Some(""));
        assert_eq!(get("", "k"), None);
    }

    #[test]
    fn the_value_is_kept_to_the_end_of_the_line() {
        assert_eq!(get("k=a b # c ! d \t\nx=y", "k").as_deref(), Some("a b # c ! d \t"));
        assert_eq!(get("k=v\r\nx=y\r\n", "k").as_deref(), Some("v"));
        assert_eq!(get("k=v\rx=y", "x").as_deref(), Some("y"));
    }

    #[test]
    fn comments_and_blank_lines() {
        assert_eq!(get("# k=1\n! k=2\n  # k=3\n\n \t\n k=4\n", "k").as_deref(), Some("4"));
        // A comment does not continue. Text that looks like a comment inside a continuation is text.
        assert_eq!(get("# c \\\nk=v", "k").as_deref(), Some("v"));
        assert_eq!(get("k=a\\\n#b", "k").as_deref(), Some("a#b"));
    }

    #[test]
    fn continuation_lines_lose_their_leading_blanks() {
        assert_eq!(get("k=a\\\n   \tb\\\r\n  c", "k").as_deref(), Some("abc"));
        assert_eq!(get("k=a\\\\\nb=c", "k").as_deref(), Some("a\\"));
        assert_eq!(get("k=a\\\\\\\nb", "k").as_deref(), Some("a\\b"));
        assert_eq!(get("k=a\\", "k").as_deref(), Some("a"));
        assert_eq!(get("k\\\n = v", "k").as_deref(), Some("v"));
    }

    #[test]
    fn escapes() {
        assert_eq!(get(r"k=\u0063hange\tit\:\=\\\q", "k").as_deref(), Some("change\tit:=\\q"));
        assert_eq!(get(r"a\ b\=c=v", "a b=c").as_deref(), Some("v"));
        assert_eq!(get(r"k=\uD83D\uDE00", "k").as_deref(), Some("😀"));
        assert_eq!(get(r"k=\ v", "k").as_deref(), Some(" v"));
    }

    /// Each line is overwritten in the end. If each were allocated as long as the rest of the file, a mebibyte of short
    /// lines would take minutes.
    #[test]
    fn a_line_costs_its_own_length() {
        let text = format!("a=1\nb\\\n c\\\n d=2\n{}", "x=y\n".repeat(1000));
        let lines: Vec<_> = Logical::new(&text).map(|(_, line)| (line.to_string(), line.capacity())).collect();
        assert_eq!(lines.len(), 1002);
        assert_eq!(lines.iter().map(|(line, _)| line.as_str()).take(3).collect::<Vec<_>>(), ["a=1", "bcd=2", "x=y"]);
        assert!(lines.iter().all(|(line, capacity)| *capacity <= line.len() + 2), "{lines:?}");
    }

    #[test]
    fn both_encodings() {
        assert_eq!(get("k=zürich", "k").as_deref(), Some("zürich"));
        let latin = value(b"k=z\xfcrich", "k").unwrap().unwrap();
        assert_eq!(latin.as_str(), "zürich");
        assert_eq!(get("\u{feff}k=v", "k").as_deref(), Some("v"));
    }

    #[test]
    fn the_last_of_several_counts() {
        assert_eq!(get("k=1\nk=2\n", "k").as_deref(), Some("2"));
        assert_eq!(
            get("Security.keystorePW.old=1\nSecurity.keystorePW = 2", "Security.keystorePW").as_deref(),
            Some("2")
        );
    }

    #[test]
    fn a_bad_escape_is_an_error_of_its_own_line_only() {
        assert_eq!(value(b"x=1\nk=\\u12", "k"), Err(PropertiesError::BadEscape(2)));
        assert_eq!(value(b"k=\\uD800", "k"), Err(PropertiesError::LoneSurrogate(1)));
        assert_eq!(get("other=\\u12\nk=v", "k").as_deref(), Some("v"));
    }

    /// Escapes a value as `Properties.store` does, and a little more than it must.
    fn escaped(value: &str) -> String {
        let mut units = [0u16; 2];
        value
            .chars()
            .map(|c| match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' => c.to_string(),
                c => c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04X}")).collect(),
            })
            .collect()
    }

    proptest::proptest! {
        #[test]
        fn whatever_java_writes_is_read(value in ".{0,40}", before in "[a-z=# !\\\\\r\n]{0,30}") {
            let text = format!("{before}\n\n#\nthe.key = {}\nafter=x", escaped(&value));
            proptest::prop_assert_eq!(get(&text, "the.key"), Some(value));
        }

        #[test]
        fn no_bytes_are_too_odd(bytes: Vec<u8>) {
            // The test is that this returns.
            let answer = value(&bytes, "k");
            proptest::prop_assert!(answer.is_ok() || answer.is_err_and(|e| e.to_string().starts_with("line ")));
        }
    }
}
