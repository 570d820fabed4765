//! DER files: one certificate, or several one after another (`keytool` reads both). The module takes the file's bytes
//! and gives a store of trusted certificates. It never accepts a file that contains anything else, and never writes an
//! empty file.

use std::ops::Range;

use rand_core::CryptoRng;

use crate::content::{ContentInput, StoreContent};
use crate::der;
use crate::edit::{Disposition, Edits, Image, NewEntry, check_certificate};
use crate::entries::{Entries, Listed};
use crate::entry::{Credential, EntryId, EntryKind};
use crate::error::{EditError, ErrorClass, ReadError};
use crate::format::Format;
use crate::intern::{CertificateSlot, Interner};

const AGAIN: &str = "export the certificate again, or re-encode it with openssl x509 -inform DER -outform DER";

/// Reads every certificate with its place. A file that contains anything else beside certificates is damaged.
pub(crate) fn read(bytes: &[u8], certificates: &Interner) -> Result<Vec<(Range<usize>, CertificateSlot)>, ReadError> {
    let mut found = Vec::new();
    let mut rest = der::DerReader::new(bytes);
    while !rest.is_empty() {
        let element = rest.next().map_err(|error| {
            let place = if found.is_empty() {
                "it is not a certificate in DER"
            } else {
                "the bytes after it are not a certificate"
            };
            ReadError::new(ErrorClass::Corrupt, format!("{place}: {}", error.fault.what()), AGAIN).offset(error.at)
        })?;
        let slot = certificates.intern(element.raw);
        if let CertificateSlot::Unparsed(bad) = &slot {
            let cause = format!("certificate {} cannot be read: {}", found.len() + 1, bad.reason());
            return Err(ReadError::new(ErrorClass::Corrupt, cause, AGAIN).offset(element.at));
        }
        found.push((element.at..element.at + element.raw.len(), slot));
    }
    Ok(found)
}

/// One file of DER certificates.
#[derive(Default)]
pub(crate) struct DerFile {
    /// Empty if there is no file yet.
    bytes: Vec<u8>,
    entries: Entries<Range<usize>>,
}

pub(crate) fn open(file: ContentInput<'_>) -> Result<DerFile, ReadError> {
    let ContentInput { bytes, certificates, .. } = file;
    let found = read(&bytes, certificates).map_err(|error| error.format(Format::Der.as_str()))?;
    let mut entries = Entries::new();
    for (range, slot) in found {
        entries.push(None, None, EntryKind::Trusted(slot), range);
    }
    Ok(DerFile { bytes, entries })
}

impl StoreContent for DerFile {
    fn format(&self) -> Format {
        Format::Der
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

    /// Most readers of a `.cer` or `.der` file use only its first certificate. So an edit never makes the file hold
    /// more certificates than before (one, if there was no file), and never makes it empty.
    fn edit(&self, edits: &Edits, _: Credential<'_>, _: &mut dyn CryptoRng) -> Result<Image, EditError> {
        let format = Format::Der;
        let mut out = Vec::with_capacity(self.bytes.len());
        let mut count = 0usize;
        for (entry, place) in self.entries.iter() {
            match edits.disposition.get(&entry.id) {
                None | Some(Disposition::Keep) => {
                    out.extend_from_slice(self.bytes.get(place.clone()).unwrap_or_default());
                    count += 1;
                }
                Some(Disposition::Remove) => {}
                Some(Disposition::Rename(_)) => return Err(EditError::NoAliases { format }),
                Some(Disposition::ReplaceKey { .. }) => {
                    return Err(EditError::CannotHoldKeys { format });
                }
            }
        }
        for new in &edits.add {
            match new {
                NewEntry::Trusted { certificate, .. } => {
                    check_certificate(None, certificate)?;
                    out.extend_from_slice(certificate.der());
                    count += 1;
                }
                NewEntry::PrivateKey { .. } => return Err(EditError::CannotHoldKeys { format }),
            }
        }
        let room = self.entries.list().len().max(1);
        if count == 0 || count > room {
            let why = if count == 0 {
                "no certificate would be left; delete the file instead".to_owned()
            } else {
                format!("it would hold {count} certificates, but has room for {room}; use a PEM bundle")
            };
            return Err(EditError::NotRepresentable { format, why });
        }
        Ok(Image::File(out))
    }
}
