//! A live store of Windows as bytes. The module takes the elements that the system gives and makes an `.sst` file of
//! them, so that the reader of exports reads live stores too. It also computes the digest of a store's content, which
//! does not change when Windows only reads the store. It never calls Windows.

use sha2::{Digest as _, Sha256};

use super::element::{self, property};
use super::sst;
use super::store::{WindowsFileKind, WindowsStore};
use crate::certificate::Certificate;
use crate::digest::Digest;
use crate::edit::check_certificate;
use crate::entry::EntryId;
use crate::error::EditError;
use crate::format::Format;

/// The properties whose values Windows does not compute by itself. Windows adds the other properties (hashes,
/// identifiers) when it needs them, also to certificates that nobody changed.
const SAID: [u32; 8] = [
    property::USAGE,
    property::FRIENDLY_NAME,
    property::ARCHIVED,
    property::DISALLOWED_TIME,
    property::DISALLOWED_USAGE,
    property::NOT_BEFORE_TIME,
    property::NOT_BEFORE_USAGE,
    property::DISALLOWED_CA_TIME,
];

/// Makes an `.sst` file of elements (MS-OSHARED 2.3.9.1), in the given order.
#[must_use]
pub fn serialised_store<'a>(elements: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    sst::of(elements)
}

/// The element of a certificate that is new to a store: the SHA-1 by which Windows finds it, and the certificate.
///
/// # Errors
/// [`EditError`] if no JVM is known to load the certificate, so that it may not be added.
pub fn serialised_element(certificate: &Certificate) -> Result<Vec<u8>, EditError> {
    check_certificate(None, certificate)?;
    element::make(Format::WindowsElement, None, certificate.der())
}

/// The name that Windows uses for a certificate: the upper-case hex of its SHA-1. It is the name of the certificate's
/// key in the registry, and `certutil` accepts it.
#[must_use]
pub fn thumbprint(der: &[u8]) -> String {
    element::key_name(der)
}

impl WindowsStore {
    /// The digest of the content of a serialised store; `None` for another kind of file.
    pub(crate) fn listing_digest(&self) -> Option<Digest> {
        if self.kind != WindowsFileKind::Sst {
            return None;
        }
        let mut lines: Vec<String> =
            self.entries.list().iter().filter_map(|entry| self.listing_line(entry.id)).collect();
        lines.sort();
        Some(Digest::of(lines.concat().as_bytes()))
    }

    fn listing_line(&self, entry: EntryId) -> Option<String> {
        let element = element::only(self.raw(entry)?).ok()?;
        let mut line = crate::digest::hex(&Sha256::digest(element.value));
        for id in SAID {
            if let Some(value) = element.property(id) {
                line.push_str(&format!(" {id}={}", crate::digest::hex(value)));
            }
        }
        if element.property(property::KEY_PROVIDER).is_some() {
            line.push_str(" key");
        }
        line.push('\n');
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::entry::Credential;
    use crate::intern::Interner;
    use crate::store::Store;

    fn record(id: u32, value: &[u8]) -> Vec<u8> {
        let length = u32::try_from(value.len()).unwrap();
        [id.to_le_bytes(), 1u32.to_le_bytes(), length.to_le_bytes()]
            .concat()
            .into_iter()
            .chain(value.iter().copied())
            .collect()
    }

    fn digest(elements: &[Vec<u8>]) -> Digest {
        let bytes = serialised_store(elements.iter().map(Vec::as_slice));
        Store::open(bytes, Credential::Withheld, &Interner::new()).unwrap().listing_digest().unwrap()
    }

    #[test]
    fn only_what_is_said_counts() {
        let (one, two) = (record(32, b"0\x01a"), record(32, b"0\x01b"));
        let plain = digest(&[one.clone(), two.clone()]);
        assert_eq!(digest(&[two.clone(), one.clone()]), plain, "the order does not count");
        let hashed = [record(4, &[7; 16]), one.clone()].concat();
        assert_eq!(digest(&[hashed, two.clone()]), plain, "the system adds hashes when it likes");
        for said in [record(11, b"x\0\0\0"), record(19, b""), record(104, &[0; 8]), record(2, &[0; 28])] {
            assert_ne!(digest(&[[said, one.clone()].concat(), two.clone()]), plain);
        }
        assert_ne!(digest(&[one]), plain);
        assert_eq!(digest(&[]), digest(&[]));
    }
}
