//! Edits an export. The module takes a store and a checked edit, and gives the bytes of the next file. It removes
//! sections with the blank line after them, and appends new ones at the end. It never changes any other line.

use std::fmt::Write as _;
use std::ops::Range;

use super::scan::RegDocument;
use super::text::RegText;
use crate::entry::{Entry, EntryId};
use crate::error::EditError;
use crate::format::Format;
use crate::intern::Interner;
use crate::windows::element::key_name;
use crate::windows::store::{CheckedEdit, WindowsStore};

/// The longest line, including the backslash, as regedit breaks lines.
const WIDTH: usize = 78;

/// The next content of the file.
pub(in crate::windows) fn edit(store: &WindowsStore, checked: &CheckedEdit) -> Result<Vec<u8>, EditError> {
    let image = image(store, checked)?;
    still_read(store, checked, &image)?;
    Ok(image)
}

fn image(store: &WindowsStore, checked: &CheckedEdit) -> Result<Vec<u8>, EditError> {
    let refuse = |why: String| EditError::NotRepresentable { format: Format::WindowsReg, why };
    if store.bytes.is_empty() {
        return Err(refuse(
            "the file does not name its store; begin with an export of the key of the store".to_owned(),
        ));
    }
    let document = RegDocument::read(&store.bytes).map_err(|error| refuse(error.to_string()))?;
    let section = |id: &EntryId| document.sections.get(id.position());
    if checked.stays.is_empty() && checked.added.is_empty() && !document.home_stands && !checked.leaves.is_empty() {
        let why = "no certificate would be left, and the file would not name its store; delete the file instead";
        return Err(refuse(why.to_owned()));
    }
    let mut lines = KeptLines::new(&document.text);
    // The last section is cut first, so that removing the sections of an earlier addition gives the bytes from before
    // it.
    for section in checked.leaves.iter().filter_map(section).rev() {
        lines.cut(section.lines.clone());
    }
    let mut out = lines.finish();
    if checked.added.is_empty() {
        return Ok(out);
    }
    let home = home(&document).map_err(refuse)?;
    let mut names: Vec<&str> = checked.stays.iter().filter_map(section).map(|section| section.name.as_str()).collect();
    for new in &checked.added {
        if names.iter().any(|name| name.eq_ignore_ascii_case(&new.name)) {
            return Err(refuse(format!(
                "the certificate {} would be there twice; keep the one that is there",
                new.name
            )));
        }
        names.push(&new.name);
        append(&mut out, &document.text, &format!("[{home}\\{}]", new.name), &new.bytes);
    }
    Ok(out)
}

/// Refuses an edit after which the file would be read differently. The last line of a damaged section may continue into
/// the next section, or a string without an end may end in the appended text.
fn still_read(store: &WindowsStore, checked: &CheckedEdit, image: &[u8]) -> Result<(), EditError> {
    let refuse = |why: &str| EditError::NotRepresentable { format: Format::WindowsReg, why: why.to_owned() };
    let after = super::open(image.to_vec(), &Interner::new()).map_err(|error| refuse(&error.to_string()))?;
    let mut now = after.entries.list().iter();
    for id in &checked.stays {
        if now.next().map(|entry| after.raw(entry.id)) != Some(store.raw(*id)) {
            return Err(refuse("a damaged section next to it has no end and would change; remove that section first"));
        }
    }
    let name = |entry: &Entry| entry.certificates().first().map(|slot| key_name(slot.der()));
    if !now.map(name).eq(checked.added.iter().map(|new| Some(new.name.clone()))) {
        return Err(refuse(
            "a value of the file has no end and would swallow the added certificate; repair or remove that value first",
        ));
    }
    Ok(())
}

/// The only key `…\Certificates` of the file.
fn home<'d>(document: &'d RegDocument<'_>) -> Result<&'d str, String> {
    let mut homes = document.homes.values();
    match (homes.next(), homes.next()) {
        (Some(home), None) if !home.contains('\u{fffd}') => Ok(home),
        (Some(_), None) => Err("the key's name is written in an unknown code page; export it as version 5".to_owned()),
        _ => Err(format!(
            "it holds {} stores, and the right one is unknown; use an export of one store",
            document.homes.len()
        )),
    }
}

/// The lines of a file that stay.
struct KeptLines<'t, 'a> {
    text: &'t RegText<'a>,
    stays: Vec<bool>,
}

impl<'t, 'a> KeptLines<'t, 'a> {
    fn new(text: &'t RegText<'a>) -> Self {
        Self { text, stays: vec![true; text.lines.len()] }
    }

    fn drop_line(&mut self, at: usize) {
        if let Some(stays) = self.stays.get_mut(at) {
            *stays = false;
        }
    }

    /// Removes these lines and the blank line that separates them: the one after them, or at the end of the file the
    /// one before them.
    fn cut(&mut self, lines: Range<usize>) {
        lines.clone().for_each(|at| self.drop_line(at));
        let stays = |at: &usize| self.stays.get(*at) == Some(&true);
        let neighbour = match (lines.end..self.stays.len()).find(stays) {
            Some(next) => Some(next),
            None => (0..lines.start).rev().find(stays),
        };
        if let Some(at) = neighbour.filter(|at| self.text.is_blank(*at)) {
            self.drop_line(at);
        }
    }

    /// The bytes of the remaining lines. If the last line of the file had no line break, the last remaining line has
    /// none either.
    fn finish(&self) -> Vec<u8> {
        let text = self.text;
        let start = text.lines.first().map_or(0, |line| line.start);
        let mut out = text.bytes.get(..start).unwrap_or_default().to_vec();
        let left = |at: &usize| self.stays.get(*at) == Some(&true);
        for at in (0..self.stays.len()).filter(left) {
            out.extend_from_slice(text.raw(at));
        }
        let last = self.stays.len().saturating_sub(1);
        if text.line_break(last).is_empty()
            && let Some(end) = (0..last).rev().find(left).filter(|_| !left(&last))
        {
            out.truncate(out.len() - text.line_break(end).len());
        }
        out
    }
}

/// Appends a section in the style of the file, with a blank line after it if the file ends with one.
fn append(out: &mut Vec<u8>, text: &RegText<'_>, key: &str, blob: &[u8]) {
    let newline = if text.line_break(0).first() == Some(&b'\n') { "\n" } else { "\r\n" };
    let two = newline.repeat(2);
    let (before, after) = match text.breaks_at_end(out) {
        0 => (two.as_str(), ""),
        1 => (newline, newline),
        _ => ("", two.as_str()),
    };
    let section = format!("{before}{key}{newline}{}{after}", value(blob, newline));
    out.extend(text.encode(&section));
}

/// `"Blob"=hex:` with the bytes, broken into lines as regedit does.
pub(super) fn value(blob: &[u8], newline: &str) -> String {
    let mut text = String::with_capacity(blob.len() * 4);
    text.push_str("\"Blob\"=hex:");
    let mut column = text.len();
    let mut rest = blob.iter().peekable();
    while let Some(byte) = rest.next() {
        let more = rest.peek().is_some();
        // Writing to a `String` cannot fail.
        write!(text, "{byte:02x}{}", if more { "," } else { "" }).ok();
        column += 3;
        if more && column + 4 > WIDTH {
            text.push('\\');
            text.push_str(newline);
            text.push_str("  ");
            column = 2;
        }
    }
    text
}
