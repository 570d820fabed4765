//! Finds the certificates in an export. The module takes the bytes, and gives the sections with their lines and the
//! value `Blob` of each. It never parses the value.

use std::collections::BTreeMap;
use std::ops::Range;

use super::text::RegText;
use crate::error::ReadError;

/// The key of a certificate, with its values.
pub(super) struct Section {
    /// The lines from that of the key to the end of its last value.
    pub(super) lines: Range<usize>,
    /// The parent key, `…\Certificates`, as the file spells it.
    pub(super) home: String,
    /// The name of the key: the SHA-1 of the certificate, if the file is in order.
    pub(super) name: String,
    /// The value `Blob`, or why there is none.
    pub(super) blob: Result<Vec<u8>, String>,
}

impl Section {
    /// The key of the store, without `\Certificates`.
    pub(super) fn store_key(&self) -> &str {
        self.home.rsplit_once('\\').map_or(&self.home, |(store, _)| store)
    }
}

/// The lines of an export, with everything that was found in them.
pub(super) struct RegDocument<'a> {
    pub(super) text: RegText<'a>,
    pub(super) sections: Vec<Section>,
    /// Every key `…\Certificates`: in lower case → in its last spelling.
    pub(super) homes: BTreeMap<String, String>,
    /// Whether the file contains one of these keys as a key of its own.
    pub(super) home_stands: bool,
}

const NO_BLOB: &str = "it has no value `Blob`";

impl<'a> RegDocument<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, ReadError> {
        let text = RegText::new(bytes)?;
        let mut document = Self { text, sections: Vec::new(), homes: BTreeMap::new(), home_stands: false };
        let mut in_section = false;
        // The first line is the title.
        let mut at = 1;
        while at < document.text.lines.len() {
            let line = document.text.line(at);
            let line = line.trim();
            if line.is_empty() || line.starts_with(';') {
                at += 1;
                continue;
            }
            if line.starts_with('[') {
                in_section = document.key(line, at);
                at += 1;
                continue;
            }
            let (end, name, data) = value(&document.text, at);
            if in_section && let Some(section) = document.sections.last_mut() {
                section.lines.end = end;
                if name.eq_ignore_ascii_case("Blob") {
                    section.blob = match &section.blob {
                        Err(why) if why == NO_BLOB => binary(&data),
                        Ok(_) => Err("it has two values `Blob`".to_owned()),
                        Err(why) => Err(why.clone()),
                    };
                }
            }
            at = end;
        }
        Ok(document)
    }

    /// Reads the line of a key, and gives whether the section of a certificate begins here. A deletion, `[-KEY]`,
    /// begins none.
    fn key(&mut self, line: &str, at: usize) -> bool {
        let key = line.strip_prefix('[').unwrap_or(line);
        let (key, blob) = match key.rsplit_once(']') {
            Some((key, _)) => (key, NO_BLOB),
            None => (key, "the line of its key has no `]`"),
        };
        if key.starts_with('-') {
            return false;
        }
        let (home, name) = match key.rsplit_once('\\') {
            _ if is_home(key) => (key, None),
            Some((parent, name)) if is_home(parent) => (parent, Some(name)),
            _ => return false,
        };
        self.homes.insert(home.to_lowercase(), home.to_owned());
        self.home_stands |= name.is_none();
        if let Some(name) = name {
            let (home, name) = (home.to_owned(), name.to_owned());
            self.sections.push(Section { lines: at..at + 1, home, name, blob: Err(blob.to_owned()) });
        }
        name.is_some()
    }
}

/// Whether this is the key `Certificates` of a store. Stores of the system, its services, its users and its policies
/// are below a key `SystemCertificates`, those of an Active Directory below `EnterpriseCertificates`. The case does not
/// count.
fn is_home(key: &str) -> bool {
    let mut parts = key.rsplit('\\');
    let (last, store, above) = (parts.next(), parts.next(), parts.next());
    let is = |part: Option<&str>, name: &str| part.is_some_and(|part| part.eq_ignore_ascii_case(name));
    is(last, "Certificates")
        && store.is_some_and(|store| !store.is_empty())
        && (is(above, "SystemCertificates") || is(above, "EnterpriseCertificates"))
}

/// Reads the value that begins at this line: gives the line after it, its name, and its data with continued lines
/// joined.
fn value(text: &RegText<'_>, at: usize) -> (usize, String, String) {
    let line = text.line(at);
    let Some((name, data)) = split(line.trim()) else {
        return (at + 1, String::new(), String::new());
    };
    if let Some(rest) = data.strip_prefix('"') {
        return (string_end(text, at, rest), name.to_owned(), String::new());
    }
    let (mut end, mut whole) = (at + 1, data.to_owned());
    while whole.ends_with('\\') && end < text.lines.len() {
        whole.pop();
        whole.push_str(text.line(end).trim());
        end += 1;
    }
    (end, name.to_owned(), whole)
}

/// `"name"=data`, or `@=data` for the unnamed value.
fn split(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = match line.strip_prefix('"') {
        Some(quoted) => {
            let end = quote(quoted, &mut false)?;
            (quoted.get(..end)?, quoted.get(end + 1..)?)
        }
        None => ("@", line.strip_prefix('@')?),
    };
    Some((name, rest.trim_start().strip_prefix('=')?.trim_start()))
}

/// The place of the closing quote. A backslash escapes the next character, also across the end of a line.
fn quote(text: &str, escaped: &mut bool) -> Option<usize> {
    text.bytes().position(|byte| {
        let plain = !std::mem::take(escaped);
        *escaped = plain && byte == b'\\';
        plain && byte == b'"'
    })
}

/// The line after a string, which may contain line breaks. A string without an end counts as one line, so that it does
/// not hide what follows.
fn string_end(text: &RegText<'_>, at: usize, rest: &str) -> usize {
    let mut escaped = false;
    if quote(rest, &mut escaped).is_some() {
        return at + 1;
    }
    let closing = (at + 1..text.lines.len()).find(|line| quote(&text.line(*line), &mut escaped).is_some());
    closing.unwrap_or(at) + 1
}

/// The bytes of `hex:` data (REG_BINARY).
fn binary(data: &str) -> Result<Vec<u8>, String> {
    let data = data.to_ascii_lowercase();
    let digits = ["hex:", "hex(3):"].iter().find_map(|kind| data.strip_prefix(kind));
    let digits = digits.ok_or_else(|| "its value `Blob` is no binary value".to_owned())?;
    let mut bytes = Vec::with_capacity(digits.len() / 3 + 1);
    let mut cells = digits.split(',').map(str::trim).peekable();
    while let Some(cell) = cells.next() {
        if cell.is_empty() && cells.peek().is_none() {
            break;
        }
        let plain = cell.bytes().all(|byte| byte.is_ascii_hexdigit());
        let byte = u8::from_str_radix(cell, 16).ok().filter(|_| plain);
        bytes.push(byte.ok_or_else(|| format!("byte {} of its value `Blob` is no hex number", bytes.len()))?);
    }
    Ok(bytes)
}
