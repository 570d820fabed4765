//! The content of PEM blocks. The module takes blocks and gives their kind (certificate, key, bundle or something else)
//! with the remarks on them. It never changes a block.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::alias::StoredAlias;
use crate::der::DerReader;
use crate::entries::Entries;
use crate::entry::{EntryId, EntryKind};
use crate::error::{ErrorClass, ReadError};
use crate::intern::{CertificateSlot, Interner};
use crate::pkcs7;
use crate::remark::Remark;
use crate::textual::holds_bundle;
use crate::textual::label::{self, is_certificate_label};
use crate::textual::scan::{self, Block};

/// A block with the kind of its content.
pub(super) struct PemEntry {
    pub(super) kind: EntryKind,
    pub(super) range: Range<usize>,
    at: usize,
    line: u64,
    pub(super) note: Option<BlockNote>,
    loose: Option<&'static str>,
}

pub(super) enum BlockNote {
    PrivateKey,
    Bad(String),
    LimitedTrust,
    Unread(String),
    Bundle,
}

impl PemEntry {
    pub(super) fn is_certificate(&self) -> bool {
        matches!(self.kind, EntryKind::Trusted(_))
    }

    pub(super) fn remarks(&self, entry: EntryId, file: Option<&str>) -> Vec<Remark> {
        let line = self.line;
        let file = || file.map(str::to_owned);
        let mut remarks = Vec::new();
        match &self.note {
            Some(BlockNote::PrivateKey) => remarks.push(Remark::PrivateKeyInTrust { entry, line, file: file() }),
            Some(BlockNote::Bad(why)) => remarks.push(Remark::BadBlock { entry, line, file: file(), why: why.clone() }),
            Some(BlockNote::LimitedTrust) => remarks.push(Remark::LimitedTrust { entry, line }),
            Some(BlockNote::Bundle) => remarks.push(Remark::BundleAmongCertificates { entry, line, file: file() }),
            Some(BlockNote::Unread(why)) => {
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

/// Reads every block of a file.
pub(super) fn read(bytes: &[u8], certificates: &Interner) -> Vec<PemEntry> {
    scan::blocks(bytes).map(|block| judge(block, certificates)).collect()
}

/// Decides what a block contains.
pub(super) fn judge(block: Block<'_>, certificates: &Interner) -> PemEntry {
    let (kind, note) = match block.label {
        _ if holds_bundle(&block) => match bundle(&block, certificates) {
            Ok(bundle) => {
                let what = format!("a PKCS#7 bundle of {} certificates ({})", bundle.certificates(), block.label);
                (EntryKind::Opaque(what), Some(BlockNote::Bundle))
            }
            Err(error) => {
                (EntryKind::Opaque("a PKCS#7 message".to_owned()), Some(BlockNote::Bad(error.cause().to_owned())))
            }
        },
        label if is_certificate_label(label) => certificate(&block, certificates),
        label if label.ends_with("PRIVATE KEY") => {
            (EntryKind::Opaque(label::private_key(label, block.body.as_deref())), Some(BlockNote::PrivateKey))
        }
        label => (EntryKind::Opaque(label::meaning(label)), block.body.as_ref().err().cloned().map(BlockNote::Bad)),
    };
    PemEntry { kind, note, range: block.range, at: block.at, line: block.line, loose: block.loose }
}

/// Decodes a body in Base64. The error names the reason if the body is not Base64 and the reason is known.
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

fn certificate(block: &Block<'_>, certificates: &Interner) -> (EntryKind, Option<BlockNote>) {
    let bad = |why: String| (EntryKind::Opaque("a damaged certificate".to_owned()), Some(BlockNote::Bad(why)));
    let der = match block.body.as_ref().map_err(Clone::clone).and_then(|body| decode(body)) {
        Ok(der) => der,
        Err(why) => return bad(why),
    };
    let mut own = der.as_slice();
    let mut note = None;
    if block.label == "TRUSTED CERTIFICATE" {
        // OpenSSL appends the purposes for which the certificate is trusted.
        if let Ok(first) = DerReader::new(&der).next()
            && first.raw.len() < der.len()
        {
            own = first.raw;
            note = Some(BlockNote::LimitedTrust);
        }
    }
    let slot = certificates.intern(own);
    if let CertificateSlot::Unparsed(bytes) = &slot {
        let why = bytes.reason().to_string();
        if !bytes.reason().jvm_loads() {
            return bad(why);
        }
        note = Some(BlockNote::Unread(why));
    }
    (EntryKind::Trusted(slot), note)
}

/// The error for blocks without any certificate.
pub(super) fn no_certificate(found: &[PemEntry]) -> ReadError {
    let first = |wanted: fn(&PemEntry) -> bool| found.iter().find(|block| wanted(block));
    if let Some(block) = first(|block| matches!(block.note, Some(BlockNote::Bad(_))))
        && let Some(BlockNote::Bad(why)) = &block.note
    {
        let cause = format!("the block at line {} is unreadable: {why}", block.line);
        return ReadError::new(ErrorClass::Corrupt, cause, "export the certificate again as Base-64").offset(block.at);
    }
    let cause = match found.first() {
        Some(PemEntry { kind: EntryKind::Opaque(what), line, .. }) => {
            format!("it holds no certificate, only {what} (line {line})")
        }
        Some(_) | None => "it holds no certificate".to_owned(),
    };
    ReadError::new(ErrorClass::NotAStore, cause, "check the path, or export the certificate itself as Base-64 (.cer)")
}

/// Reads a block for which [`holds_bundle`] is true.
pub(super) fn bundle(block: &Block<'_>, certificates: &Interner) -> Result<pkcs7::Bundle, ReadError> {
    let again = "export the bundle again (PKCS#7, .p7b)";
    let der = block.body.as_ref().map_err(Clone::clone).and_then(|body| decode(body));
    der.map_err(|why| ReadError::new(ErrorClass::Corrupt, why, again)).and_then(|der| pkcs7::read(&der, certificates))
}

/// Makes entries and remarks of blocks. In a folder `file` is the name of the file. `place` turns a range of bytes into
/// the format's place.
pub(super) fn take_in<P>(
    entries: &mut Entries<P>,
    found: impl IntoIterator<Item = PemEntry>,
    file: Option<&str>,
    place: impl Fn(Range<usize>) -> P,
) {
    for block in found {
        for remark in block.remarks(entries.next_id(), file) {
            entries.remark(remark);
        }
        entries.push(file.map(StoredAlias::from), None, block.kind, place(block.range));
    }
}
