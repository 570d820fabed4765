//! The lines of an export as ranges of its bytes. The module takes the bytes and gives lines, as text or as bytes, so
//! that an edit copies the lines that it does not change. It never encodes such a line again.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::ReadError;
use crate::windows::fault::corrupt;

/// The encoding of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// UTF-16LE with a byte order mark, as regedit writes it.
    Utf16,
    /// Bytes: UTF-8, or the ANSI of `REGEDIT4`, whose code page is not known.
    Bytes,
}

/// The text of a file.
pub(super) struct RegText<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) encoding: Encoding,
    /// The range of each line, with its line break.
    pub(super) lines: Vec<Range<usize>>,
}

/// The offset where the text begins, and its encoding.
fn sniff(bytes: &[u8]) -> (usize, Encoding) {
    match bytes {
        [0xff, 0xfe, ..] => (2, Encoding::Utf16),
        [0xef, 0xbb, 0xbf, ..] => (3, Encoding::Bytes),
        _ => (0, Encoding::Bytes),
    }
}

/// Whether the first line is that of a registry export.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    const LONGEST: usize = 256;
    let (start, encoding) = sniff(bytes);
    let head = bytes.get(start..bytes.len().min(start + LONGEST)).unwrap_or_default();
    let head = decode(head, encoding);
    let first = head.split(['\r', '\n']).next().unwrap_or_default().trim_end();
    ["Windows Registry Editor Version 5.00", "REGEDIT4"].iter().any(|title| first.eq_ignore_ascii_case(title))
}

impl<'a> RegText<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, ReadError> {
        let (start, encoding) = sniff(bytes);
        if encoding == Encoding::Utf16 && !bytes.len().is_multiple_of(2) {
            return Err(corrupt("the file ends in half a UTF-16 character", bytes.len() - 1));
        }
        let body = bytes.get(start..).unwrap_or_default();
        let (width, mut breaks): (usize, Vec<usize>) = match encoding {
            Encoding::Bytes => (1, places(body.iter(), |byte| **byte == b'\n')),
            Encoding::Utf16 => (2, places(body.as_chunks::<2>().0.iter(), |unit| **unit == [b'\n', 0])),
        };
        let units = body.len() / width;
        if units > 0 && breaks.last() != Some(&(units - 1)) {
            breaks.push(units - 1);
        }
        let mut at = start;
        let mut lines = Vec::with_capacity(breaks.len());
        for unit in breaks {
            let end = start + (unit + 1) * width;
            lines.push(at..end);
            at = end;
        }
        Ok(Self { bytes, encoding, lines })
    }

    /// A line without its line break. Characters that cannot be decoded are replaced.
    pub(super) fn line(&self, at: usize) -> Cow<'a, str> {
        match decode(self.raw(at), self.encoding) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_end_matches(['\r', '\n'])),
            Cow::Owned(text) => Cow::Owned(text.trim_end_matches(['\r', '\n']).to_owned()),
        }
    }

    /// The bytes of a line, with its line break.
    pub(super) fn raw(&self, at: usize) -> &'a [u8] {
        self.lines.get(at).and_then(|range| self.bytes.get(range.clone())).unwrap_or_default()
    }

    /// The range of these lines, without the last line break.
    pub(super) fn range(&self, lines: Range<usize>) -> Range<usize> {
        let start = self.lines.get(lines.start).map_or(0, |line| line.start);
        let last = lines.end.saturating_sub(1);
        let end = self.lines.get(last).map_or(start, |line| line.end);
        start..end - self.line_break(last).len()
    }

    /// The line break at the end of a line; empty for a last line without one.
    pub(super) fn line_break(&self, at: usize) -> &'a [u8] {
        let raw = self.raw(at);
        raw.get(self.without_break(raw).unwrap_or(raw).len()..).unwrap_or_default()
    }

    /// How many line breaks are at the end of these bytes: 0, 1, or 2 for two or more.
    pub(super) fn breaks_at_end(&self, bytes: &[u8]) -> usize {
        std::iter::successors(self.without_break(bytes), |rest| self.without_break(rest)).take(2).count()
    }

    fn without_break<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let breaks: [&[u8]; 2] = match self.encoding {
            Encoding::Bytes => [b"\r\n", b"\n"],
            Encoding::Utf16 => [b"\r\0\n\0", b"\n\0"],
        };
        breaks.into_iter().find_map(|mark| bytes.strip_suffix(mark))
    }

    pub(super) fn is_blank(&self, at: usize) -> bool {
        self.line(at).trim().is_empty()
    }

    /// Encodes a text as the file is encoded.
    pub(super) fn encode(&self, text: &str) -> Vec<u8> {
        match self.encoding {
            Encoding::Bytes => text.as_bytes().to_vec(),
            Encoding::Utf16 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        }
    }
}

fn places<T>(items: impl Iterator<Item = T>, wanted: impl Fn(&T) -> bool) -> Vec<usize> {
    items.enumerate().filter(|(_, item)| wanted(item)).map(|(at, _)| at).collect()
}

fn decode(bytes: &[u8], encoding: Encoding) -> Cow<'_, str> {
    match encoding {
        Encoding::Bytes => String::from_utf8_lossy(bytes),
        Encoding::Utf16 => {
            let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
            Cow::Owned(String::from_utf16_lossy(&units))
        }
    }
}
