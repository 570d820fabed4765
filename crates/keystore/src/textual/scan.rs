//! Finds PEM blocks (RFC 7468) in any surroundings: comments, text dumps, a byte order mark, indentation, any line
//! ending, missing line breaks. The module takes bytes and gives each block with the lines that it covers, so that an
//! edit can remove the block and change nothing else. It never decodes a body.

use std::ops::Range;

pub(crate) const BEGIN: &[u8] = b"-----BEGIN ";
pub(crate) const END: &[u8] = b"-----END ";
pub(crate) const DASHES: &[u8] = b"-----";
/// The longest label that is searched for. No label in use is longer.
const LONGEST_LABEL: usize = 64;

/// One block, whether it is complete or not.
pub(crate) struct Block<'a> {
    pub(crate) label: &'a str,
    /// The bytes to remove with the block: whole lines, if the block is on lines of its own.
    pub(crate) range: Range<usize>,
    /// The offset of BEGIN.
    pub(crate) at: usize,
    /// The line of BEGIN, counted from 1.
    pub(crate) line: u64,
    /// The text between BEGIN and END, or why there is none.
    pub(crate) body: Result<&'a [u8], String>,
    /// A form that `keytool` refuses, if the block has one.
    pub(crate) loose: Option<&'static str>,
}

/// The first place of `needle` at or after `from`.
fn find(bytes: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let tail = bytes.get(from..)?;
    let found = tail.windows(needle.len()).position(|window| window == needle).map(|at| from + at);
    #[cfg(test)]
    tests::looked_at(found.unwrap_or(bytes.len()) - from);
    found
}

fn starts(bytes: &[u8], at: usize, prefix: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|tail| tail.starts_with(prefix))
}

/// The label of a marker, and the offset after the marker.
fn label(bytes: &[u8], at: usize) -> Option<(&str, usize)> {
    let window = bytes.get(at..bytes.len().min(at + LONGEST_LABEL + DASHES.len()))?;
    let length = window.windows(DASHES.len()).position(|part| part == DASHES)?;
    let label = std::str::from_utf8(window.get(..length)?).ok()?;
    let plain = label.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    plain.then_some((label, at + length + DASHES.len()))
}

/// The offset of the first BEGIN, if there is one.
pub(crate) fn first(bytes: &[u8]) -> Option<usize> {
    find(bytes, BEGIN, 0)
}

/// All blocks, in order, in one pass. A BEGIN inside a block ends that block, which is then bad.
pub(crate) fn blocks(bytes: &[u8]) -> Blocks<'_> {
    Blocks { bytes, at: 0, line: 1, counted: 0 }
}

/// The blocks from an offset on.
pub(crate) struct Blocks<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
    /// The offset up to which lines are counted.
    counted: usize,
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Block<'a>> {
        loop {
            let begin = find(self.bytes, BEGIN, self.at)?;
            match label(self.bytes, begin + BEGIN.len()) {
                Some((label, body_start)) => return Some(self.block(begin, label, body_start)),
                None => self.at = begin + 1,
            }
        }
    }
}

impl<'a> Blocks<'a> {
    fn block(&mut self, begin: usize, name: &'a str, body_start: usize) -> Block<'a> {
        let bytes = self.bytes;
        self.line += line_breaks(bytes.get(self.counted..begin).unwrap_or_default());
        self.counted = begin;
        let (start, mut loose) = line_start(bytes, begin);
        let (body, end) = match closing(bytes, body_start) {
            Closing::End { at: end, label: other, after } if other == name => {
                let (end_of_line, follows) = line_end(bytes, after);
                if follows {
                    loose = loose.or(Some("there is text after END on its line"));
                }
                let body = bytes.get(body_start..end).unwrap_or_default();
                let glued = |byte: Option<&u8>| byte.is_some_and(|byte| !byte.is_ascii_whitespace());
                if glued(body.first()) || glued(body.last()) {
                    loose = loose.or(Some("there is no line break between BEGIN, body and END"));
                }
                (Ok(body), end_of_line)
            }
            Closing::End { label: other, after, .. } => {
                let why = format!("it begins as `{name}` but ends as `{}`", crate::text::visible(other));
                (Err(why), line_end(bytes, after).0)
            }
            Closing::Begin(next) => {
                (Err("another block begins before it ends".to_owned()), line_start(bytes, next).0.max(body_start))
            }
            Closing::Never => (Err("it has no END line".to_owned()), bytes.len()),
        };
        self.at = end.max(body_start);
        Block { label: name, range: start..end, at: begin, line: self.line, body, loose }
    }
}

/// How many lines end in these bytes: by LF, CR LF or CR alone.
fn line_breaks(bytes: &[u8]) -> u64 {
    let follows = bytes.iter().skip(1).map(Some).chain([None]);
    bytes
        .iter()
        .zip(follows)
        .filter(|(byte, next)| matches!((byte, next), (b'\n', _)) || (**byte == b'\r' && *next != Some(&b'\n')))
        .count() as u64
}

enum Closing<'a> {
    End { at: usize, label: &'a str, after: usize },
    Begin(usize),
    Never,
}

/// The next marker after a BEGIN.
fn closing(bytes: &[u8], from: usize) -> Closing<'_> {
    let mut at = from;
    while let Some(dashes) = find(bytes, DASHES, at) {
        if starts(bytes, dashes, END)
            && let Some((label, after)) = label(bytes, dashes + END.len())
        {
            return Closing::End { at: dashes, label, after };
        }
        if starts(bytes, dashes, BEGIN) && label(bytes, dashes + BEGIN.len()).is_some() {
            return Closing::Begin(dashes);
        }
        at = dashes + 1;
    }
    Closing::Never
}

/// The offset where the lines of a block begin, and the fault in the text before the marker on its line. The search
/// goes back over blanks only, so that a long line of blocks costs no more than a short one.
fn line_start(bytes: &[u8], marker: usize) -> (usize, Option<&'static str>) {
    let head = bytes.get(..marker).unwrap_or_default();
    let blanks = head.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let start = marker - blanks;
    match head.get(..start).unwrap_or_default() {
        [] | [.., b'\n' | b'\r'] => (start, (blanks > 0).then_some("BEGIN is indented")),
        b"\xef\xbb\xbf" => (marker, Some("there is a byte order mark before BEGIN")),
        _ => (marker, Some("there is text before BEGIN on its line")),
    }
}

/// The offset where the lines of a block end (after the line break), and whether other text follows on the last line.
fn line_end(bytes: &[u8], after: usize) -> (usize, bool) {
    let tail = bytes.get(after..).unwrap_or_default();
    let blanks = tail.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match tail.get(blanks..).unwrap_or_default() {
        [] => (bytes.len(), false),
        [b'\r', b'\n', ..] => (after + blanks + 2, false),
        [b'\n' | b'\r', ..] => (after + blanks + 1, false),
        _ => (after, true),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static LOOKED_AT: Cell<usize> = const { Cell::new(0) };
    }

    /// Counts the bytes that a search passes.
    pub(super) fn looked_at(count: usize) {
        LOOKED_AT.set(LOOKED_AT.get() + count);
    }

    fn shapes(text: &str) -> Vec<(String, u64, bool)> {
        blocks(text.as_bytes()).map(|block| (block.label.to_owned(), block.line, block.body.is_ok())).collect()
    }

    #[test]
    fn surroundings_do_not_matter() {
        let text = "\u{feff}-----BEGIN A-----\r\nx\r\n-----END A-----\r\n# note -----\n  -----BEGIN B-----\n  y\n  -----END B-----\n";
        assert_eq!(shapes(text), [("A".into(), 1, true), ("B".into(), 5, true)]);
        let found: Vec<_> = blocks(text.as_bytes()).collect();
        assert!(found[0].loose.is_some() && found[1].loose.is_some());
        assert_eq!(&text[found[1].range.clone()], "  -----BEGIN B-----\n  y\n  -----END B-----\n");
        assert_eq!(found[0].range.start, 3, "the byte order mark stays");
    }

    #[test]
    fn glued_blocks_are_two() {
        let text = "-----BEGIN A-----x-----END A----------BEGIN A-----y-----END A-----";
        assert_eq!(shapes(text), [("A".into(), 1, true), ("A".into(), 1, true)]);
        assert!(blocks(text.as_bytes()).all(|block| block.loose.is_some()));
    }

    #[test]
    fn a_block_without_end_does_not_swallow_the_next() {
        let text = "-----BEGIN A-----\nx\n-----BEGIN A-----\ny\n-----END A-----\n-----BEGIN A-----\n";
        assert_eq!(shapes(text), [("A".into(), 1, false), ("A".into(), 3, true), ("A".into(), 6, false)]);
        assert_eq!(blocks(text.as_bytes()).next().map(|block| block.range), Some(0..20));
    }

    #[test]
    fn every_line_ending_counts_once() {
        for newline in ["\n", "\r\n", "\r"] {
            let lines = [
                "# a",
                "-----BEGIN A-----",
                "x",
                "-----END A-----",
                "",
                "-----BEGIN B-----",
                "y",
                "-----END B-----",
                "",
            ];
            let text = lines.join(newline);
            assert_eq!(shapes(&text), [("A".into(), 2, true), ("B".into(), 6, true)], "{newline:?}");
            assert!(blocks(text.as_bytes()).all(|block| block.loose.is_none()), "{newline:?}");
        }
    }

    #[test]
    fn work_grows_with_the_file_and_no_faster() {
        let hostile = [
            "-",
            "-----",
            "-----BEGIN ",
            "-----BEGIN A-----",
            "-----BEGIN A-----\n",
            "-----END A-----",
            "-----END ",
            "-----BEGIN A-----x-----END A-----",
            "  \r",
        ];
        for part in hostile {
            let text = part.repeat(400_000 / part.len());
            LOOKED_AT.set(0);
            let count = blocks(text.as_bytes()).count();
            assert!(LOOKED_AT.get() <= 3 * text.len(), "{part:?}: {count} blocks, {} bytes", LOOKED_AT.get());
        }
    }
}
