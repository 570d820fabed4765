//! A Windows store in a file: its elements and their places. The module holds the store, checks edits, and makes
//! entries of elements. It reads and writes no file format: the modules beside it do.

use std::ops::Range;

use sha1::{Digest as _, Sha1};

use super::element::{self, Element, ElementType, property};
use super::limits;
use crate::alias::Alias;
use crate::digest::hex;
use crate::edit::{Disposition, Edits, NewEntry, check_certificate};
use crate::entries::Entries;
use crate::entry::{EntryId, EntryKind};
use crate::error::EditError;
use crate::format::Format;
use crate::intern::{CertificateSlot, Interner};
use crate::remark::Remark;

/// The kind of a Windows file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WindowsFileKind {
    Sst,
    Element,
    Reg,
    Hive,
}

impl WindowsFileKind {
    pub(super) fn format(self) -> Format {
        match self {
            Self::Sst => Format::WindowsSst,
            Self::Element => Format::WindowsElement,
            Self::Reg => Format::WindowsReg,
            Self::Hive => Format::WindowsHive,
        }
    }
}

/// A Windows store in a file.
pub(crate) struct WindowsStore {
    pub(super) kind: WindowsFileKind,
    /// Empty if there is no file yet.
    pub(super) bytes: Vec<u8>,
    pub(super) entries: Entries<WindowsPlace>,
}

/// The place of an entry, and its names there.
pub(super) struct WindowsPlace {
    /// The bytes of the entry; `None` for a key of a hive without a `Blob`.
    pub(super) whole: Option<Range<usize>>,
    /// The friendly name.
    pub(super) label: Option<String>,
    /// The registry key of the store that contains the entry.
    pub(super) store_key: Option<String>,
}

/// The place of a certificate in the registry.
#[derive(Clone, Copy)]
pub(super) struct RegistryKey<'a> {
    /// The key of the store.
    pub(super) store: &'a str,
    /// The name of the certificate's own key: its SHA-1, if the file is in order.
    pub(super) name: &'a str,
}

impl WindowsStore {
    /// A store without entries and without a file.
    pub(crate) fn empty(kind: WindowsFileKind) -> Self {
        Self { kind, bytes: Vec::new(), entries: Entries::new() }
    }

    /// The entry's own bytes.
    pub(super) fn raw(&self, entry: EntryId) -> Option<&[u8]> {
        match &self.entries.place(entry)?.whole {
            Some(whole) => self.bytes.get(whole.clone()),
            None => Some(&[]),
        }
    }

    /// The entry's friendly name.
    pub(crate) fn label(&self, entry: EntryId) -> Option<&str> {
        self.entries.place(entry)?.label.as_deref()
    }

    /// The registry key of the store that contains the entry.
    pub(crate) fn store_key(&self, entry: EntryId) -> Option<&str> {
        self.entries.place(entry)?.store_key.as_deref()
    }
}

/// An edit that was checked: the entries that stay, the entries that are removed, and the new elements.
pub(super) struct CheckedEdit {
    pub(super) stays: Vec<EntryId>,
    pub(super) leaves: Vec<EntryId>,
    pub(super) added: Vec<NewElement>,
}

/// A certificate to add.
pub(super) struct NewElement {
    /// The name of the certificate's key in the registry.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

impl CheckedEdit {
    pub(super) fn of(store: &WindowsStore, edits: &Edits) -> Result<Self, EditError> {
        let format = store.kind.format();
        let mut checked = Self { stays: Vec::new(), leaves: Vec::new(), added: Vec::new() };
        for entry in store.entries.list() {
            match edits.disposition.get(&entry.id) {
                None | Some(Disposition::Keep) => checked.stays.push(entry.id),
                Some(Disposition::Remove) => checked.leaves.push(entry.id),
                Some(Disposition::Rename(_)) => return Err(EditError::NoAliases { format }),
                Some(Disposition::ReplaceKey { .. }) => return Err(EditError::CannotHoldKeys { format }),
            }
        }
        for new in &edits.add {
            match new {
                NewEntry::Trusted { alias, certificate, .. } => {
                    let alias = alias.as_ref().map(Alias::as_str);
                    check_certificate(alias, certificate)?;
                    let der = certificate.der();
                    let bytes = element::make(format, alias, der)?;
                    checked.added.push(NewElement { name: element::key_name(der), bytes });
                }
                NewEntry::PrivateKey { .. } => return Err(EditError::CannotHoldKeys { format }),
            }
        }
        Ok(checked)
    }
}

/// Makes an entry of an element, with the remarks on it. `key` is the element's key in the registry, if it has one.
pub(super) fn take_in(
    entries: &mut Entries<WindowsPlace>,
    element: &Element<'_>,
    whole: Range<usize>,
    key: Option<RegistryKey<'_>>,
    certificates: &Interner,
) {
    let entry = entries.next_id();
    let kind = match element.content {
        ElementType::Certificate => {
            let slot = certificates.intern(element.value);
            if let CertificateSlot::Unparsed(bytes) = &slot {
                let why = bytes.reason().to_string();
                entries.remark(Remark::UnreadCertificate { entry, alias: None, why });
            }
            remark(entries, entry, element, key.map(|key| key.name));
            EntryKind::Trusted(slot)
        }
        ElementType::RevocationList => EntryKind::Opaque("a revocation list (CRL)".to_owned()),
        ElementType::TrustList => EntryKind::Opaque("a certificate trust list (CTL)".to_owned()),
    };
    let place =
        WindowsPlace { whole: Some(whole), label: element.label(), store_key: key.map(|key| key.store.to_owned()) };
    entries.push(None, None, kind, place);
}

/// Adds the remarks on the properties of a certificate.
fn remark(entries: &mut Entries<WindowsPlace>, entry: EntryId, element: &Element<'_>, name: Option<&str>) {
    let digest = Sha1::digest(element.value);
    if element.property(property::SHA1).is_some_and(|found| found != digest.as_slice()) {
        entries.remark(Remark::OtherHash { entry, what: "its SHA-1 property (id 3)" });
    }
    if name.is_some_and(|name| !name.eq_ignore_ascii_case(&hex(&digest))) {
        entries.remark(Remark::OtherHash { entry, what: "the name of its registry key" });
    }
    let limits = limits::words(element);
    if !limits.is_empty() {
        entries.remark(Remark::RestrictedTrust { entry, how: limits.join("; ") });
    }
    if element.property(property::ARCHIVED).is_some() {
        entries.remark(Remark::Archived { entry });
    }
    if element.property(property::KEY_PROVIDER).is_some() {
        entries.remark(Remark::KeyElsewhere { entry });
    }
}
