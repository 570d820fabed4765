//! DER files: one certificate, or several one after another (`keytool` reads both).

use std::ops::Range;

use crate::der::Der;
use crate::edit::{Disposition, Edits, NewEntry, acceptable};
use crate::error::{Class, EditError, ReadError};
use crate::format::Format;
use crate::intern::{CertificateSlot, Interner};
use crate::store::{EntryKind, Place, Store};

const AGAIN: &str = "export the certificate again, or re-encode it with openssl x509 -inform DER -outform DER";

/// Every certificate and its place. A file of certificates that holds anything else is damaged.
pub(crate) fn read(bytes: &[u8], certificates: &Interner) -> Result<Vec<(Range<usize>, CertificateSlot)>, ReadError> {
    let mut found = Vec::new();
    let mut rest = Der::new(bytes);
    while !rest.is_empty() {
        let element = rest.next().map_err(|error| {
            let place = if found.is_empty() { "it is no certificate in DER" } else { "what follows is no certificate" };
            ReadError::new(Class::Corrupt, format!("{place}: {}", error.fault.what()), AGAIN).offset(error.at)
        })?;
        let slot = certificates.intern(element.raw);
        if let CertificateSlot::Unparsed(bad) = &slot {
            let cause = format!("certificate {} cannot be read: {}", found.len() + 1, bad.reason());
            return Err(ReadError::new(Class::Corrupt, cause, AGAIN).offset(element.at));
        }
        found.push((element.at..element.at + element.raw.len(), slot));
    }
    Ok(found)
}

pub(crate) fn open(bytes: Vec<u8>, certificates: &Interner) -> Result<Store, ReadError> {
    let found = read(&bytes, certificates).map_err(|error| error.format(Format::Der.as_str()))?;
    let mut store = Store::new(Format::Der, bytes, false);
    for (range, slot) in found {
        let place = Place { whole: range, ..Place::default() };
        store.push(None, None, EntryKind::Trusted(slot), place);
    }
    Ok(store)
}

/// The next content of the file. Most readers of a `.cer` or `.der` file look at its first certificate only, so a file never
/// grows beyond as many certificates as it had (one, where it had none), and never becomes empty.
pub(crate) fn edit(store: &Store, edits: &Edits) -> Result<Vec<u8>, EditError> {
    let format = store.format;
    let mut out = Vec::with_capacity(store.bytes.len());
    let mut count = 0usize;
    for (entry, place) in store.entries.iter().zip(&store.places) {
        match edits.disposition.get(&entry.id) {
            None | Some(Disposition::Keep) => {
                out.extend_from_slice(store.bytes.get(place.whole.clone()).unwrap_or_default());
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
            NewEntry::Trusted { der, .. } => {
                acceptable(None, der)?;
                out.extend_from_slice(der);
                count += 1;
            }
            NewEntry::PrivateKey { .. } => return Err(EditError::CannotHoldKeys { format }),
        }
    }
    let room = store.entries.len().max(1);
    if count == 0 || count > room {
        let why = if count == 0 {
            "no certificate would be left; delete the file instead".to_owned()
        } else {
            format!("it would hold {count} certificates and had room for {room}; use a PEM bundle")
        };
        return Err(EditError::NotRepresentable { format, why });
    }
    Ok(out)
}
