//! A model of how OpenSSL reads a PEM file. The module takes the bytes of a file and says whether OpenSSL reads them,
//! or at which line it stops. OpenSSL reads by lines, and this crate by blocks. So this crate reads some files with
//! which a server does not start: files with an indented BEGIN, with lines that end in CR alone, or with a blank line
//! in a block.
//!
//! The model follows `PEM_read_bio_ex` with `PEM_FLAG_EAY_COMPATIBLE` (OpenSSL 3.0, `crypto/pem/pem_lib.c`: `get_name`,
//! `get_header_and_data`, `sanitize_line`), as `SSL_CTX_use_certificate_chain_file` and `SSL_CTX_use_PrivateKey_file`
//! call it. The judge test compares the model with the real OpenSSL.

use crate::textual::scan::{BEGIN, DASHES, END};

/// `LINESIZE`: OpenSSL reads a longer line in pieces of one byte less.
const LINE: usize = 255;
/// The longest line after a header, without its end (RFC 7468 §2).
const WIDEST: usize = 64;

/// The line where OpenSSL stops, and the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpensslStop {
    /// The line, counted from 1.
    pub(super) line: usize,
    /// The cause, a clause about that line.
    pub(super) why: &'static str,
}

/// The state of OpenSSL in a block: whether a header may follow, is being read, or has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Header {
    Maybe,
    In,
    Past,
}

/// A line as OpenSSL reads it: at most 254 bytes, without the blanks and control characters at its end.
struct Line<'a> {
    text: &'a [u8],
    number: usize,
    /// Whether the line continues in the next piece.
    partial: bool,
}

/// Splits a file into lines and pieces of lines. Only LF ends a line.
fn lines(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let whole = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
    let pieces = whole.flat_map(|(index, line)| line.chunks(LINE - 1).map(move |piece| (index, piece)));
    pieces.enumerate().map(|(at, (index, piece))| {
        let text = if at == 0 { piece.strip_prefix(b"\xef\xbb\xbf").unwrap_or(piece) } else { piece };
        let end = text.iter().rposition(|byte| *byte > b' ').map_or(0, |last| last + 1);
        let partial = piece.len() == LINE - 1 && !piece.ends_with(b"\n");
        Line { text: text.get(..end).unwrap_or_default(), number: index + 1, partial }
    })
}

fn label(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(BEGIN)?.strip_suffix(DASHES)
}

/// How far OpenSSL reads a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadExtent {
    /// To the end, as it reads a chain.
    All,
    /// To the first wanted block, as it reads a key.
    First,
}

/// Reads a file as far as OpenSSL does, and gives the number of wanted blocks.
pub(super) fn read(bytes: &[u8], wanted: fn(&[u8]) -> bool, extent: ReadExtent) -> Result<usize, OpensslStop> {
    let mut lines = lines(bytes);
    let mut found = 0;
    while let Some(first) = lines.by_ref().find(|line| label(line.text).is_some()) {
        let label = label(first.text).unwrap_or_default();
        let mut header = Header::Maybe;
        let (mut short, mut before, mut data) = (false, false, 0usize);
        let mut last = first.number;
        loop {
            let Some(line) = lines.next() else {
                return Err(OpensslStop { line: last, why: "it has no END line of its own" });
            };
            let stop = |why| Err(OpensslStop { line: line.number, why });
            last = line.number;
            let continued = std::mem::replace(&mut before, line.partial);
            if header == Header::Maybe && line.text.contains(&b':') {
                header = Header::In;
            }
            if line.text.is_empty() {
                if continued {
                    continue;
                }
                if header == Header::Past {
                    return stop("there is an empty line between the lines of a block");
                }
                // The lines before the blank line were the header, or there were none.
                if header == Header::Maybe && data > 0 {
                    return stop("there is an empty line between the lines of a block");
                }
                header = Header::Past;
                data = 0;
                continue;
            }
            if let Some(end) = line.text.strip_prefix(END) {
                if end.strip_suffix(DASHES) != Some(label) {
                    return stop("its END line is not that of its BEGIN line");
                }
                break;
            }
            if short {
                return stop("after a blank line, its lines are not 64 characters long");
            }
            data += line.text.len();
            if header == Header::Past {
                if line.text.len() > WIDEST {
                    return stop("after a blank line, a line is longer than 64 characters");
                }
                short = line.text.len() < WIDEST;
            }
        }
        found += usize::from(wanted(label));
        if found > 0 && extent == ReadExtent::First {
            break;
        }
    }
    Ok(found)
}

/// Why OpenSSL finds no block although there is one: the fault in the first line that contains BEGIN.
pub(super) fn unfound(bytes: &[u8]) -> OpensslStop {
    let line = lines(bytes).find(|line| line.text.windows(BEGIN.len()).any(|window| window == BEGIN));
    let (number, text) = line.map_or((1, &b""[..]), |line| (line.number, line.text));
    let has_cr_only = !bytes.contains(&b'\n') && bytes.contains(&b'\r');
    let why = if has_cr_only {
        "its lines end in CR alone"
    } else if text.starts_with(b" ") || text.starts_with(b"\t") {
        "BEGIN is indented"
    } else if !text.starts_with(BEGIN) {
        "there is text before BEGIN on its line"
    } else {
        "the rest of the block is on the line of its BEGIN"
    };
    OpensslStop { line: number, why }
}
