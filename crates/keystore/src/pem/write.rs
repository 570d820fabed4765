//! Changes PEM text: the module removes blocks and appends new ones, and checks the result. It never changes any other
//! byte.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::detect::{Detected, detect};
use crate::error::EditError;
use crate::format::Format;
use crate::textual::scan;

/// Refuses an edit after which the rest would be read differently. The text that becomes the first may belong to
/// another format (a PuTTY key, a web page). A block without an end may extend to another block, or include one of the
/// `added` blocks at the end.
pub(super) fn still_read(
    format: Format,
    before: &[u8],
    cuts: &[Range<usize>],
    added: usize,
    after: &[u8],
) -> Result<(), EditError> {
    let cannot = |why: &str| Err(EditError::NotRepresentable { format, why: why.to_owned() });
    let fresh = before.is_empty();
    if detect(after) != if fresh { Detected::Readable(Format::Pem) } else { detect(before) } {
        return cannot(
            "the file would then begin with text that looks like another format; move that text behind the blocks",
        );
    }
    let mut cuts = cuts.iter().peekable();
    let mut now = scan::blocks(after);
    for block in scan::blocks(before) {
        if cuts.next_if(|cut| **cut == block.range).is_none()
            && now.next().map(|now| text(after, &now.range)) != Some(text(before, &block.range))
        {
            return cannot("a damaged block next to it has no end and would change; remove that block first");
        }
    }
    if now.count() != added {
        return cannot("a damaged block has no end and would swallow the added certificate; remove that block first");
    }
    Ok(())
}

/// A block's own bytes, without the line break after it. If a file has no line break there, the next block adds one.
pub(super) fn text<'a>(bytes: &'a [u8], range: &Range<usize>) -> Option<&'a [u8]> {
    Some(bytes.get(range.clone())?.trim_ascii_end())
}

/// The bytes without these ranges. The ranges are in order and do not overlap.
pub(super) fn without(bytes: &[u8], cuts: &[Range<usize>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 2048);
    let mut at = 0;
    for cut in cuts {
        out.extend_from_slice(bytes.get(at..cut.start).unwrap_or_default());
        at = cut.end;
    }
    out.extend_from_slice(bytes.get(at..).unwrap_or_default());
    out
}

/// The line ending that the file uses.
pub(super) fn newline(bytes: &[u8]) -> &'static [u8] {
    let first = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    match first.and_then(|at| bytes.get(at..)) {
        Some([b'\r', b'\n', ..]) => b"\r\n",
        Some([b'\r', ..]) => b"\r",
        Some(_) | None => b"\n",
    }
}

pub(super) fn append(out: &mut Vec<u8>, der: &[u8], label: &str, newline: &[u8]) {
    if !matches!(out.last(), None | Some(b'\n' | b'\r')) {
        out.extend_from_slice(newline);
    }
    let text = Zeroizing::new(STANDARD.encode(der));
    let mark = |out: &mut Vec<u8>, which: &str| out.extend_from_slice(format!("-----{which} {label}-----").as_bytes());
    mark(out, "BEGIN");
    out.extend_from_slice(newline);
    for line in text.as_bytes().chunks(64) {
        out.extend_from_slice(line);
        out.extend_from_slice(newline);
    }
    mark(out, "END");
    out.extend_from_slice(newline);
}
