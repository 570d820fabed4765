//! Windows certificate stores in files: the serialised store (`.sst`), one serialised element (a registry value `Blob`, a
//! file of a user's own store) and registry exports (`.reg`); hives are read only.
//!
//! All of them hold *elements* ([`element`]): property records, then the certificate. Elements that are not edited are copied
//! as they are, whatever properties they carry; a new element says no more than it must.

pub(crate) mod element;
mod hive;
mod limits;
pub(crate) mod listing;
pub(crate) mod reg;
mod sst;

use sha1::{Digest as _, Sha1};

use crate::edit::{Disposition, Edits, NewEntry, acceptable};
use crate::error::{Class, EditError, ReadError};
use crate::fingerprint::hex;
use crate::format::Format;
use crate::intern::{CertificateSlot, Interner};
use crate::remark::Remark;
use crate::store::{EntryId, EntryKind, Place, Store};

use element::{Content, Element, property};

const AGAIN: &str = "export it again on the machine it comes from";

/// The upper-case hex of the SHA-1 over a certificate: how Windows names its place in the registry (MS-GPEF 2.2.1.1.1).
fn key_name(der: &[u8]) -> String {
    hex(&Sha1::digest(der)).to_uppercase()
}

/// Opens a file of one of the formats here.
pub(crate) fn open(format: Format, bytes: Vec<u8>, certificates: &Interner) -> Result<Store, ReadError> {
    let opened = match format {
        Format::WindowsSst => sst::open(bytes, certificates),
        Format::WindowsReg => reg::open(bytes, certificates),
        Format::WindowsHive => hive::open(bytes, certificates),
        _ => element::open(bytes, certificates),
    };
    opened.map_err(|error| error.format(format.as_str()))
}

/// The next content of a file of one of the formats here.
pub(crate) fn edit(store: &Store, edits: &Edits) -> Result<Vec<u8>, EditError> {
    if store.format == Format::WindowsHive {
        let why = "a damaged hive keeps Windows from starting; import a .reg file there instead".to_owned();
        return Err(EditError::NotRepresentable { format: store.format, why });
    }
    let wish = Wish::of(store, edits)?;
    match store.format {
        Format::WindowsSst => Ok(sst::edit(store, &wish)),
        Format::WindowsReg => {
            let image = reg::write::edit(store, &wish)?;
            reg::write::still_read(store, &wish, &image)?;
            Ok(image)
        }
        _ => element::edit(store, &wish),
    }
}

/// An edit that was checked: what stays, what leaves, and the new elements.
struct Wish {
    stays: Vec<EntryId>,
    leaves: Vec<EntryId>,
    added: Vec<NewElement>,
}

/// A certificate to add.
struct NewElement {
    /// The registry's name for it.
    name: String,
    bytes: Vec<u8>,
}

impl Wish {
    fn of(store: &Store, edits: &Edits) -> Result<Self, EditError> {
        let format = store.format;
        let mut wish = Self { stays: Vec::new(), leaves: Vec::new(), added: Vec::new() };
        for entry in &store.entries {
            match edits.disposition.get(&entry.id) {
                None | Some(Disposition::Keep) => wish.stays.push(entry.id),
                Some(Disposition::Remove) => wish.leaves.push(entry.id),
                Some(Disposition::Rename(_)) => return Err(EditError::NoAliases { format }),
                Some(Disposition::ReplaceKey { .. }) => return Err(EditError::CannotHoldKeys { format }),
            }
        }
        for new in &edits.add {
            match new {
                NewEntry::Trusted { alias, der, .. } => {
                    acceptable(alias.as_deref(), der)?;
                    let bytes = element::make(format, alias.as_deref(), der)?;
                    wish.added.push(NewElement { name: key_name(der), bytes });
                }
                NewEntry::PrivateKey { .. } => return Err(EditError::CannotHoldKeys { format }),
            }
        }
        Ok(wish)
    }
}

/// Makes an entry of an element, with what is to be said of it. `name` is the registry's name for it, where it has one.
fn take_in(store: &mut Store, element: &Element<'_>, place: Place, name: Option<&str>, certificates: &Interner) {
    let entry = EntryId(store.entries.len());
    let kind = match element.content {
        Content::Certificate => {
            let slot = certificates.intern(element.value);
            if let CertificateSlot::Unparsed(bytes) = &slot {
                let why = bytes.reason().to_string();
                store.remarks.push(Remark::UnreadCertificate { entry, alias: None, why });
            }
            remark(store, entry, element, name);
            EntryKind::Trusted(slot)
        }
        Content::RevocationList => EntryKind::Opaque("a revocation list (CRL)".to_owned()),
        Content::TrustList => EntryKind::Opaque("a certificate trust list (CTL)".to_owned()),
    };
    if let Some(label) = element.label() {
        store.labels.insert(entry, label);
    }
    store.push(None, None, kind, place);
}

/// What the properties say of a certificate.
fn remark(store: &mut Store, entry: EntryId, element: &Element<'_>, name: Option<&str>) {
    let digest = Sha1::digest(element.value);
    if element.property(property::SHA1).is_some_and(|found| found != digest.as_slice()) {
        store.remarks.push(Remark::OtherHash { entry, what: "its SHA-1 property (id 3)" });
    }
    if name.is_some_and(|name| !name.eq_ignore_ascii_case(&hex(&digest))) {
        store.remarks.push(Remark::OtherHash { entry, what: "the name of its registry key" });
    }
    let limits = limits::words(element);
    if !limits.is_empty() {
        store.remarks.push(Remark::RestrictedTrust { entry, how: limits.join("; ") });
    }
    if element.property(property::ARCHIVED).is_some() {
        store.remarks.push(Remark::Archived { entry });
    }
    if element.property(property::KEY_PROVIDER).is_some() {
        store.remarks.push(Remark::KeyElsewhere { entry });
    }
}

fn corrupt(cause: impl Into<String>, at: usize) -> ReadError {
    ReadError::new(Class::Corrupt, cause, AGAIN).offset(at)
}

#[cfg(test)]
mod tests;
