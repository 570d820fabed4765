//! The entries of a store, whatever its format: each with its position, alias, date and kind. The module also holds the
//! credential that opens a store, and the key by which two runs recognise the same entry.

use std::fmt;

use crate::alias::{Alias, StoredAlias};
use crate::fingerprint::Fingerprint;
use crate::format::{AliasModel, Format};
use crate::intern::CertificateSlot;
use crate::password::Password;

/// The means by which a caller opens and writes a store, or a private key in it.
#[derive(Debug, Clone, Copy)]
pub enum Credential<'a> {
    /// The store's password. If the store's digest does not match under it, opening fails with
    /// [`crate::ErrorClass::WrongPassword`]. A store without protection ignores the password.
    Password(&'a Password),
    /// No password, because nothing in the store is protected. A store or key that is protected nevertheless is neither
    /// opened nor written.
    NotNeeded,
    /// No password, although the store may be protected. The structure is read and the digest is not checked:
    /// [`crate::Store::verified`] is false and a remark says so. Nothing that is protected is written.
    Withheld,
}

impl<'a> Credential<'a> {
    /// The credential for a store whose declaration names this password. A store declared without a password needs
    /// none.
    #[must_use]
    pub fn declared(password: Option<&'a Password>) -> Self {
        password.map_or(Self::NotNeeded, Self::Password)
    }

    /// The password, if there is one.
    #[must_use]
    pub fn password(self) -> Option<&'a Password> {
        match self {
            Self::Password(password) => Some(password),
            Self::NotNeeded | Self::Withheld => None,
        }
    }
}

impl<'a> From<&'a Password> for Credential<'a> {
    fn from(password: &'a Password) -> Self {
        Self::Password(password)
    }
}

/// The position of an entry in its store. An alias does not identify an entry: duplicates, aliases that differ in case
/// only, and entries without an alias exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub(crate) usize);

impl EntryId {
    /// The position, counted from 0.
    #[must_use]
    pub fn position(self) -> usize {
        self.0
    }
}

/// One entry of a store.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The position of the entry.
    pub id: EntryId,
    /// The alias exactly as stored; in a folder, the name of the file. `None` where the entry has no alias.
    pub alias: Option<StoredAlias>,
    /// The creation date in milliseconds since 1970-01-01T00:00:00Z; `None` where the format has none.
    pub created_ms: Option<i64>,
    /// The kind of the entry, with its content.
    pub kind: EntryKind,
}

impl Entry {
    /// All certificates of the entry, leaf first.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateSlot] {
        match &self.kind {
            EntryKind::Trusted(slot) | EntryKind::Untrusted(slot) => std::slice::from_ref(slot),
            EntryKind::PrivateKey { chain } => chain,
            EntryKind::SecretKey | EntryKind::Opaque(_) => &[],
        }
    }

    /// Whether a JVM takes the entry's alias for this one, whatever its spelling.
    #[must_use]
    pub fn is_called(&self, alias: &Alias) -> bool {
        self.alias.as_ref().is_some_and(|stored| stored.folds_to(alias))
    }

    /// Whether the entry's alias is stored exactly in the folded spelling, so that a JVM finds the entry by this alias.
    #[must_use]
    pub fn is_spelled(&self, alias: &Alias) -> bool {
        self.alias.as_ref().is_some_and(|stored| stored.is_spelled(alias))
    }

    /// Whether the entry occupies its alias in a store of this format. An entry of a PKCS#12 file that no JVM shows
    /// does not.
    pub(crate) fn takes_alias(&self, format: Format) -> bool {
        format != Format::Pkcs12 || !matches!(self.kind, EntryKind::Untrusted(_) | EntryKind::Opaque(_))
    }
}

/// The kind of an entry.
#[derive(Debug, Clone)]
pub enum EntryKind {
    /// A certificate that is trusted because the store holds it.
    Trusted(CertificateSlot),
    /// A private key and its chain, leaf first.
    PrivateKey {
        /// The chain. A JVM allows an empty one.
        chain: Vec<CertificateSlot>,
    },
    /// A protected secret key (JCEKS, PKCS#12). It is never opened.
    SecretKey,
    /// A certificate that the file holds, but not as a trust anchor.
    Untrusted(CertificateSlot),
    /// Any other content, kept unchanged. The text says what it seems to be.
    Opaque(String),
}

impl EntryKind {
    /// The name in JSON output: `trusted-certificate`, `private-key`, `secret-key`, `untrusted-certificate`, `unknown`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Trusted(_) => "trusted-certificate",
            Self::PrivateKey { .. } => "private-key",
            Self::SecretKey => "secret-key",
            Self::Untrusted(_) => "untrusted-certificate",
            Self::Opaque(_) => "unknown",
        }
    }
}

/// The key by which a later run recognises an entry, although positions may have changed. It is the alias where the
/// format has aliases, else the certificate. Its text is the folded alias or the fingerprint in hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKey {
    /// The entry with this alias.
    Alias(Alias),
    /// The entry whose first certificate has this fingerprint.
    Certificate(Fingerprint),
}

impl EntryKey {
    /// The key of an entry with this alias and this certificate in a store of this format. Where the format has aliases
    /// and there is one, the key is the alias, else the certificate. The name of a file in a folder is no key: several
    /// entries may share it, and a copy of the folder may rename the file.
    #[must_use]
    pub fn new(format: Format, alias: Option<Alias>, certificate: Fingerprint) -> Self {
        match (format.alias_model(), alias) {
            (AliasModel::Folded, Some(alias)) => Self::Alias(alias),
            (AliasModel::Folded | AliasModel::FileName | AliasModel::None, _) => Self::Certificate(certificate),
        }
    }

    /// The key of an entry; `None` for an entry with neither an alias that identifies it nor a certificate.
    #[must_use]
    pub fn of(format: Format, entry: &Entry) -> Option<Self> {
        let alias = entry.alias.as_ref().filter(|_| format.alias_model() == AliasModel::Folded);
        match alias {
            Some(alias) => Some(Self::Alias(alias.fold())),
            None => entry.certificates().first().map(|slot| Self::Certificate(slot.fingerprint())),
        }
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias(alias) => alias.fmt(f),
            Self::Certificate(fingerprint) => fingerprint.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::CertificateError;

    fn entry(alias: Option<&str>, certificate: Option<&[u8]>) -> Entry {
        let slot = |der| CertificateSlot::unparsed(der, Fingerprint::of(der), CertificateError::of_type("none"));
        let kind = certificate.map_or(EntryKind::SecretKey, |der| EntryKind::Trusted(slot(der)));
        Entry { id: EntryId(0), alias: alias.map(StoredAlias::from), created_ms: None, kind }
    }

    #[test]
    fn an_entry_is_remembered_by_its_alias_where_that_names_it() {
        let print = Fingerprint::of(b"der");
        let (named, nameless) = (entry(Some("Root"), Some(b"der")), entry(None, Some(b"der")));
        let (alias, certificate) = (EntryKey::Alias(Alias::of("root")), EntryKey::Certificate(print));
        for format in [Format::Jks, Format::Jceks, Format::Pkcs12] {
            assert_eq!(EntryKey::of(format, &named).as_ref(), Some(&alias));
            assert_eq!(EntryKey::of(format, &nameless).as_ref(), Some(&certificate));
            assert_eq!(EntryKey::of(format, &entry(Some("AES"), None)), Some(EntryKey::Alias(Alias::of("aes"))));
            assert_eq!(EntryKey::of(format, &entry(Some(""), Some(b"der"))), Some(EntryKey::Alias(Alias::of(""))));
        }
        for format in [Format::Pem, Format::PemDirectory, Format::PemPair, Format::WindowsSst] {
            assert_eq!(EntryKey::of(format, &named).as_ref(), Some(&certificate));
        }
        assert_eq!(EntryKey::of(Format::Pem, &entry(None, None)), None);
        assert_eq!((alias.to_string(), certificate.to_string()), ("root".to_owned(), print.to_string()));
    }

    #[test]
    fn what_is_to_be_written_has_the_key_it_will_have() {
        let print = Fingerprint::of(b"der");
        for format in [Format::Jks, Format::Pkcs12, Format::Pem, Format::PemDirectory, Format::WindowsReg] {
            for alias in [Some("Root"), None] {
                let planned = EntryKey::new(format, alias.map(Alias::of), print);
                assert_eq!(Some(planned), EntryKey::of(format, &entry(alias, Some(b"der"))));
            }
        }
    }
}
