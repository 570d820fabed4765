//! Stores of PKCS#7 bundles, in DER, in BER or under PEM lines. The module takes the bytes of a file and gives the
//! certificates of its bundles. It never writes one.
//!
//! The certificates are trusted because the file holds them, in its order. A PEM file whose only certificates are in
//! PKCS#7 blocks is a PKCS#7 store. Beside certificate blocks, a PKCS#7 block is an opaque entry of a PEM store,
//! because no reader of PEM bundles finds the certificates in it: OpenSSL skips the block, and a JVM either reads only
//! the bundle of the first block or refuses the file. If these certificates were counted, the store would report trust
//! that no program gives.

use std::ops::Range;

use super::blocks;
use crate::alias::StoredAlias;
use crate::content::{ContentInput, StoreContent};
use crate::entries::{Entries, Listed};
use crate::entry::{EntryId, EntryKind};
use crate::error::ReadError;
use crate::format::Format;
use crate::intern::Interner;
use crate::pkcs7;
use crate::remark::Remark;
use crate::textual::{holds_bundle, is_text, scan};

/// A file with one PKCS#7 message, or with several under PEM lines.
#[derive(Default)]
pub(crate) struct BundleFile {
    bytes: Vec<u8>,
    entries: Entries<Range<usize>>,
}

pub(crate) fn open(file: ContentInput<'_>) -> Result<BundleFile, ReadError> {
    let ContentInput { bytes, certificates, .. } = file;
    let mut entries = Entries::new();
    take_in(&mut entries, &bytes, None, certificates, BundlePiece::range)
        .map_err(|error| error.format(Format::Pkcs7.as_str()))?;
    Ok(BundleFile { bytes, entries })
}

impl StoreContent for BundleFile {
    fn format(&self) -> Format {
        Format::Pkcs7
    }

    fn listed(&self) -> &Listed {
        self.entries.listed()
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn raw(&self, entry: EntryId) -> Option<&[u8]> {
        self.bytes.get(self.entries.place(entry)?.clone())
    }
}

/// The place of an entry of a PKCS#7 store.
pub(super) enum BundlePiece {
    /// A member of a bundle. It cannot be removed from the bundle.
    Member(Range<usize>),
    /// A block of its own, beside the bundles.
    Block(Range<usize>),
}

impl BundlePiece {
    fn range(self) -> Range<usize> {
        match self {
            Self::Member(range) | Self::Block(range) => range,
        }
    }
}

/// Makes entries of everything that a PKCS#7 store holds. An unreadable bundle does not hide a readable one. In a
/// folder `file` is the name of the file. `place` turns a piece of the file into the format's place.
pub(super) fn take_in<P>(
    entries: &mut Entries<P>,
    bytes: &[u8],
    file: Option<&str>,
    certificates: &Interner,
    place: impl Fn(BundlePiece) -> P,
) -> Result<(), ReadError> {
    let member = |range| place(BundlePiece::Member(range));
    if !is_text(bytes) {
        pkcs7::read(bytes, certificates)?.take_in(entries, file, None, member);
        return Ok(());
    }
    let mut read = Vec::new();
    for block in scan::blocks(bytes) {
        let bundle = holds_bundle(&block).then(|| blocks::bundle(&block, certificates));
        read.push((block, bundle));
    }
    // If no bundle is readable, the first failure is the error of the file.
    if !read.iter().any(|(_, bundle)| matches!(bundle, Some(Ok(_))))
        && let Some((block, error)) =
            read.iter().find_map(|(block, bundle)| Some((block, bundle.as_ref()?.as_ref().err()?)))
    {
        let cause = format!("the block at line {}: {}", block.line, error.cause());
        return Err(ReadError::new(error.class, cause, error.hint()).offset(block.at));
    }
    for (block, bundle) in read {
        match bundle {
            None => {
                let found = blocks::judge(block, certificates);
                blocks::take_in(entries, [found], file, |range| place(BundlePiece::Block(range)));
            }
            Some(Ok(bundle)) => bundle.take_in(entries, file, Some(&block.range), member),
            Some(Err(error)) => {
                let (entry, line) = (entries.next_id(), block.line);
                let why = error.cause().to_owned();
                entries.remark(Remark::BadBlock { entry, line, file: file.map(str::to_owned), why: why.clone() });
                let kind = EntryKind::Opaque(why);
                entries.push(file.map(StoredAlias::from), None, kind, place(BundlePiece::Block(block.range)));
            }
        }
    }
    Ok(())
}
