//! PEM files and bundles (RFC 7468), and folders of them. The module takes the bytes of a file, and gives a store with
//! one entry for each block, in the order of the file. It never drops a block.
//!
//! A private key, a revocation list, or a block whose content does not match its label is an entry as well, and is kept
//! unchanged. So one bad block never hides the good ones, and an edit loses no block. Damage by a mail program or a
//! YAML file (quoted-printable, a literal `\n`) is named but not undone: otherwise this crate would read a file that no
//! other program reads.

mod blocks;
pub(crate) mod bundle;
pub(crate) mod directory;
mod openssl;
pub(crate) mod pair;
mod write;

use std::ops::Range;

use rand_core::CryptoRng;

use crate::content::{ContentInput, StoreContent};
use crate::edit::{Disposition, Edits, Image, NewEntry, check_certificate};
use crate::entries::{Entries, Listed};
use crate::entry::{Credential, EntryId, EntryKind};
use crate::error::{EditError, ReadError};
use crate::format::Format;

use blocks::PemEntry;

/// One file of PEM blocks.
#[derive(Default)]
pub(crate) struct Pem {
    /// Empty if there is no file yet.
    bytes: Vec<u8>,
    /// One entry for each block, with the block's bytes.
    entries: Entries<Range<usize>>,
}

pub(crate) fn open(file: ContentInput<'_>) -> Result<Pem, ReadError> {
    let ContentInput { bytes, certificates, .. } = file;
    let found = blocks::read(&bytes, certificates);
    if !found.iter().any(PemEntry::is_certificate) {
        return Err(blocks::no_certificate(&found).format(Format::Pem.as_str()));
    }
    let mut entries = Entries::new();
    blocks::take_in(&mut entries, found, None, |range| range);
    Ok(Pem { bytes, entries })
}

impl StoreContent for Pem {
    fn format(&self) -> Format {
        Format::Pem
    }

    fn listed(&self) -> &Listed {
        self.entries.listed()
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn raw(&self, entry: EntryId) -> Option<&[u8]> {
        write::text(&self.bytes, self.entries.place(entry)?)
    }

    /// Removes the blocks of removed entries and appends new blocks. All other bytes stay.
    fn edit(&self, edits: &Edits, _: Credential<'_>, _: &mut dyn CryptoRng) -> Result<Image, EditError> {
        let format = Format::Pem;
        let mut cuts = Vec::new();
        let mut left = 0usize;
        for (entry, place) in self.entries.iter() {
            match edits.disposition.get(&entry.id) {
                None | Some(Disposition::Keep) => left += usize::from(matches!(entry.kind, EntryKind::Trusted(_))),
                Some(Disposition::Remove) => cuts.push(place.clone()),
                Some(Disposition::Rename(_)) => return Err(EditError::NoAliases { format }),
                Some(Disposition::ReplaceKey { .. }) => {
                    return Err(EditError::CannotHoldKeys { format });
                }
            }
        }
        let mut out = write::without(&self.bytes, &cuts);
        let newline = write::newline(&self.bytes);
        for new in &edits.add {
            match new {
                NewEntry::Trusted { certificate, .. } => {
                    check_certificate(None, certificate)?;
                    write::append(&mut out, certificate.der(), "CERTIFICATE", newline);
                    left += 1;
                }
                NewEntry::PrivateKey { .. } => return Err(EditError::CannotHoldKeys { format }),
            }
        }
        if left == 0 {
            let why = "no certificate would be left, and the file would have no format; delete the file instead";
            return Err(EditError::NotRepresentable { format, why: why.to_owned() });
        }
        write::still_read(format, &self.bytes, &cuts, edits.add.len(), &out)?;
        Ok(Image::File(out))
    }
}

#[cfg(test)]
mod tests;
