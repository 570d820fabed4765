//! PEM files and bundles (RFC 7468), and folders of them.
//!
//! The position of a block is its entry's position. A private key, a revocation list or a block that does not hold what it
//! says is an entry too, kept as it is: one bad block never hides the good ones, and no block is lost in an edit. What a
//! mail program or a YAML file did to a block (quoted-printable, `\n` written out) is named and not undone: the file would
//! be read here and by nothing else.

pub(crate) mod bundle;
pub(crate) mod directory;
mod label;
mod openssl;
pub(crate) mod pair;
mod scan;

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use label::is_certificate_label;
use zeroize::Zeroizing;

use crate::der::{self, Der};
use crate::edit::{Disposition, Edits, NewEntry, acceptable};
use crate::error::{Class, EditError, ReadError};
use crate::format::{Detected, Format, detect};
use crate::intern::{CertificateSlot, Interner};
use crate::remark::Remark;
use crate::store::{EntryId, EntryKind, Place, Store};

/// What a block turned out to be.
struct Found {
    kind: EntryKind,
    range: Range<usize>,
    at: usize,
    line: u64,
    note: Option<Note>,
    loose: Option<&'static str>,
}

enum Note {
    PrivateKey,
    Bad(String),
    LimitedTrust,
    Unread(String),
    Bundle,
}

impl Found {
    fn is_certificate(&self) -> bool {
        matches!(self.kind, EntryKind::Trusted(_))
    }

    fn remarks(&self, entry: EntryId, file: Option<&str>) -> Vec<Remark> {
        let line = self.line;
        let file = || file.map(str::to_owned);
        let mut remarks = Vec::new();
        match &self.note {
            Some(Note::PrivateKey) => remarks.push(Remark::PrivateKeyInTrust { entry, line, file: file() }),
            Some(Note::Bad(why)) => remarks.push(Remark::BadBlock { entry, line, file: file(), why: why.clone() }),
            Some(Note::LimitedTrust) => remarks.push(Remark::LimitedTrust { entry, line }),
            Some(Note::Bundle) => remarks.push(Remark::BundleAmongCertificates { entry, line, file: file() }),
            Some(Note::Unread(why)) => {
                remarks.push(Remark::UnreadCertificate { entry, alias: file(), why: why.clone() });
            }
            None => {}
        }
        if let Some(what) = self.loose {
            remarks.push(Remark::LoosePem { line, file: file(), what });
        }
        remarks
    }
}

/// Whether it is text with PEM blocks. Text may begin with `0` (as `openssl s_client -showcerts` prints a chain), which is the
/// tag of a SEQUENCE, too; but the tags that follow one are control characters.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    scan::first(bytes).is_some_and(|begin| {
        bytes.first() != Some(&der::SEQUENCE) || !bytes.get(..begin).unwrap_or_default().iter().any(control)
    })
}

/// Reads every block.
fn read(bytes: &[u8], certificates: &Interner) -> Vec<Found> {
    scan::blocks(bytes).map(|block| judge(block, certificates)).collect()
}

/// What a block is.
fn judge(block: scan::Block<'_>, certificates: &Interner) -> Found {
    let (kind, note) = match block.label {
        _ if bundle::holds(&block) => match bundle::read(&block, certificates) {
            Ok(bundle) => {
                let what = format!("a PKCS#7 bundle of {} certificates ({})", bundle.certificates(), block.label);
                (EntryKind::Opaque(what), Some(Note::Bundle))
            }
            Err(error) => (EntryKind::Opaque("a PKCS#7 message".to_owned()), Some(Note::Bad(error.cause().to_owned()))),
        },
        label if is_certificate_label(label) => certificate(&block, certificates),
        label if label.ends_with("PRIVATE KEY") => {
            (EntryKind::Opaque(label::private_key(label, block.body.as_deref())), Some(Note::PrivateKey))
        }
        label => (EntryKind::Opaque(label::meaning(label)), block.body.as_ref().err().cloned().map(Note::Bad)),
    };
    Found { kind, note, range: block.range, at: block.at, line: block.line, loose: block.loose }
}

/// The bytes of a body in Base64. What is no Base64 is named where the reason can be told.
fn decode(body: &[u8]) -> Result<Vec<u8>, String> {
    let text: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    match STANDARD.decode(&text) {
        Ok(bytes) if bytes.is_empty() => Err("it is empty".to_owned()),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(match label::disguise(body) {
            Some(disguise) => disguise.to_owned(),
            None => label::damage(&error),
        }),
    }
}

fn certificate(block: &scan::Block<'_>, certificates: &Interner) -> (EntryKind, Option<Note>) {
    let bad = |why: String| (EntryKind::Opaque("a damaged certificate".to_owned()), Some(Note::Bad(why)));
    let der = match block.body.as_ref().map_err(Clone::clone).and_then(|body| decode(body)) {
        Ok(der) => der,
        Err(why) => return bad(why),
    };
    let mut own = der.as_slice();
    let mut note = None;
    if block.label == "TRUSTED CERTIFICATE" {
        // OpenSSL appends what the certificate is trusted for.
        if let Ok(first) = Der::new(&der).next()
            && first.raw.len() < der.len()
        {
            own = first.raw;
            note = Some(Note::LimitedTrust);
        }
    }
    let slot = certificates.intern(own);
    if let CertificateSlot::Unparsed(bytes) = &slot {
        let why = bytes.reason().to_string();
        if !bytes.reason().jvm_loads() {
            return bad(why);
        }
        note = Some(Note::Unread(why));
    }
    (EntryKind::Trusted(slot), note)
}

/// Why there is nothing to trust in these blocks.
fn no_certificate(found: &[Found]) -> ReadError {
    let first = |wanted: fn(&Found) -> bool| found.iter().find(|block| wanted(block));
    if let Some(block) = first(|block| matches!(block.note, Some(Note::Bad(_))))
        && let Some(Note::Bad(why)) = &block.note
    {
        let cause = format!("the block at line {} is unreadable: {why}", block.line);
        return ReadError::new(Class::Corrupt, cause, "export the certificate again as Base-64").offset(block.at);
    }
    let cause = match found.first() {
        Some(Found { kind: EntryKind::Opaque(what), line, .. }) => {
            format!("it holds no certificate, only {what} (line {line})")
        }
        Some(_) | None => "it holds no certificate".to_owned(),
    };
    ReadError::new(Class::NotAStore, cause, "check the path, or export the certificate itself as Base-64 (.cer)")
}

pub(crate) fn open(bytes: Vec<u8>, certificates: &Interner) -> Result<Store, ReadError> {
    let found = read(&bytes, certificates);
    if !found.iter().any(Found::is_certificate) {
        return Err(no_certificate(&found).format(Format::Pem.as_str()));
    }
    let mut store = Store::new(Format::Pem, bytes, false);
    take_in(&mut store, found, 0, None);
    Ok(store)
}

/// Makes entries and remarks of blocks.
fn take_in(store: &mut Store, found: Vec<Found>, file: usize, name: Option<&str>) {
    for block in found {
        let mut remarks = block.remarks(EntryId(store.entries.len()), name);
        store.remarks.append(&mut remarks);
        let place = Place { file, whole: block.range, ..Place::default() };
        store.push(name.map(str::to_owned), None, block.kind, place);
    }
}

/// The next content of the file: the blocks that leave are cut out, new ones are appended, all else stays byte for byte.
pub(crate) fn edit(store: &Store, edits: &Edits) -> Result<Vec<u8>, EditError> {
    let format = store.format;
    let mut cuts = Vec::new();
    let mut left = 0usize;
    for (entry, place) in store.entries.iter().zip(&store.places) {
        match edits.disposition.get(&entry.id) {
            None | Some(Disposition::Keep) => left += usize::from(matches!(entry.kind, EntryKind::Trusted(_))),
            Some(Disposition::Remove) => cuts.push(place.whole.clone()),
            Some(Disposition::Rename(_)) => return Err(EditError::NoAliases { format }),
            Some(Disposition::ReplaceKey { .. }) => {
                return Err(EditError::CannotHoldKeys { format });
            }
        }
    }
    let mut out = without(&store.bytes, &cuts);
    let newline = newline(&store.bytes);
    for new in &edits.add {
        match new {
            NewEntry::Trusted { der, .. } => {
                acceptable(None, der)?;
                append(&mut out, der, "CERTIFICATE", newline);
                left += 1;
            }
            NewEntry::PrivateKey { .. } => return Err(EditError::CannotHoldKeys { format }),
        }
    }
    if left == 0 {
        let why = "no certificate would be left, and nothing could tell what the file is; delete the file instead";
        return Err(EditError::NotRepresentable { format, why: why.to_owned() });
    }
    still_read(store.format, &store.bytes, &cuts, &out)?;
    Ok(out)
}

/// Refuses an edit after which the rest would be read differently: the text that then stands first names another format (a
/// PuTTY key, a web page), or a block that never ends reaches to another neighbour.
fn still_read(format: Format, before: &[u8], cuts: &[Range<usize>], after: &[u8]) -> Result<(), EditError> {
    let cannot = |why: &str| Err(EditError::NotRepresentable { format, why: why.to_owned() });
    let fresh = before.is_empty();
    if detect(after) != if fresh { Detected::Readable(Format::Pem) } else { detect(before) } {
        return cannot(
            "what would then stand first makes the file look like another format; move that text behind the blocks",
        );
    }
    let mut cuts = cuts.iter().peekable();
    let mut now = scan::blocks(after);
    for block in scan::blocks(before) {
        if cuts.next_if(|cut| **cut == block.range).is_none()
            && now.next().map(|now| text(after, &now)) != Some(text(before, &block))
        {
            return cannot("a damaged block beside it has no end and would change; remove that block first");
        }
    }
    Ok(())
}

/// A block's own bytes: the line break after it belongs to nobody.
fn text<'a>(bytes: &'a [u8], block: &scan::Block<'_>) -> &'a [u8] {
    bytes.get(block.range.clone()).unwrap_or_default().trim_ascii_end()
}

/// The bytes without these ranges, which do not overlap and are in order.
fn without(bytes: &[u8], cuts: &[Range<usize>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 2048);
    let mut at = 0;
    for cut in cuts {
        out.extend_from_slice(bytes.get(at..cut.start).unwrap_or_default());
        at = cut.end;
    }
    out.extend_from_slice(bytes.get(at..).unwrap_or_default());
    out
}

/// The file's own line ending.
fn newline(bytes: &[u8]) -> &'static [u8] {
    let first = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    match first.and_then(|at| bytes.get(at..)) {
        Some([b'\r', b'\n', ..]) => b"\r\n",
        Some([b'\r', ..]) => b"\r",
        Some(_) | None => b"\n",
    }
}

fn append(out: &mut Vec<u8>, der: &[u8], label: &str, newline: &[u8]) {
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

#[cfg(test)]
mod tests;
