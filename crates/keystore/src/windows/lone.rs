//! A file of one serialised element. The module takes the bytes of the file and gives a store with one certificate. It
//! never writes an empty file or a second element.

use super::element::{self, ElementType};
use super::fault::corrupt;
use super::store::{CheckedEdit, WindowsFileKind, WindowsStore, take_in};
use crate::entries::Entries;
use crate::error::{EditError, ErrorClass, ReadError};
use crate::intern::{CertificateSlot, Interner};

pub(super) fn open(bytes: Vec<u8>, certificates: &Interner) -> Result<WindowsStore, ReadError> {
    let element = element::only(&bytes)?;
    if element.content != ElementType::Certificate {
        let cause = "this is a serialised revocation or trust list, not a certificate";
        return Err(ReadError::new(ErrorClass::NotAStore, cause, "export the certificate instead"));
    }
    if let CertificateSlot::Unparsed(bad) = certificates.intern(element.value) {
        return Err(corrupt(format!("its certificate cannot be read: {}", bad.reason()), element.value_at));
    }
    let mut entries = Entries::new();
    take_in(&mut entries, &element, 0..bytes.len(), None, certificates);
    Ok(WindowsStore { kind: WindowsFileKind::Element, bytes, entries })
}

/// The next content of the file: one element, the old one or a new one.
pub(super) fn edit(store: &WindowsStore, checked: &CheckedEdit) -> Result<Vec<u8>, EditError> {
    let why = match (checked.stays.as_slice(), checked.added.as_slice()) {
        ([_], []) => return Ok(store.bytes.clone()),
        ([], [new]) => return Ok(new.bytes.clone()),
        ([], []) => "no certificate would be left; delete the file instead".to_owned(),
        (stays, added) => {
            format!("it would hold {} certificates, but has room for one; use a .sst file", stays.len() + added.len())
        }
    };
    Err(EditError::NotRepresentable { format: store.kind.format(), why })
}
