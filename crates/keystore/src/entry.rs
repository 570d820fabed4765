//! What every format's store is made of: entries by position, and what opens them.

use std::fmt;

use crate::alias::{Alias, StoredAlias};
use crate::fingerprint::Fingerprint;
use crate::format::{AliasModel, Format};
use crate::intern::CertificateSlot;
use crate::password::Password;

/// With what a store, or a private key in it, is opened and written.
#[derive(Debug, Clone, Copy)]
pub enum Credential<'a> {
    /// The store's password: a digest that does not match is [`crate::Class::WrongPassword`]. What is not protected ignores it.
    Password(&'a Password),
    /// None, because nothing there is protected. What is protected all the same neither opens nor is written.
    NotNeeded,
    /// None, whatever there is: the structure is read, the digest is not checked, [`crate::Store::verified`] is false and a remark
    /// says so. What is protected is not written.
    Withheld,
}

impl<'a> Credential<'a> {
    /// The password that a store has by its declaration; without one it is declared to need none.
    #[must_use]
    pub fn declared(password: Option<&'a Password>) -> Self {
        password.map_or(Self::NotNeeded, Self::Password)
    }

    /// The password.
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

/// An entry's position in its store. Aliases name nothing reliably: duplicates, case twins and nameless entries exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub(crate) usize);

impl EntryId {
    /// The position, counted from 0.
    #[must_use]
    pub fn position(self) -> usize {
        self.0
    }
}

/// One entry.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its position.
    pub id: EntryId,
    /// Its alias exactly as stored (the file's name in a folder); `None` where the format has none.
    pub alias: Option<StoredAlias>,
    /// Its creation date in milliseconds since 1970-01-01T00:00:00Z; `None` where the format has none.
    pub created_ms: Option<i64>,
    /// The kind of the entry, with its content.
    pub kind: EntryKind,
}

impl Entry {
    /// All its certificates, leaf first.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateSlot] {
        match &self.kind {
            EntryKind::Trusted(slot) | EntryKind::Untrusted(slot) => std::slice::from_ref(slot),
            EntryKind::PrivateKey { chain } => chain,
            EntryKind::SecretKey | EntryKind::Opaque(_) => &[],
        }
    }

    /// Whether its alias is this one, however it is spelled.
    #[must_use]
    pub fn is_called(&self, alias: &Alias) -> bool {
        self.alias.as_ref().is_some_and(|stored| stored.folds_to(alias))
    }

    /// Whether its alias is stored exactly as a JVM looks up this one.
    #[must_use]
    pub fn is_spelled(&self, alias: &Alias) -> bool {
        self.alias.as_ref().is_some_and(|stored| stored.is_spelled(alias))
    }

    /// Whether the entry takes up its alias in a store of this format. What no JVM sees of a PKCS#12 file takes none.
    pub(crate) fn takes_alias(&self, format: Format) -> bool {
        format != Format::Pkcs12 || !matches!(self.kind, EntryKind::Untrusted(_) | EntryKind::Opaque(_))
    }
}

/// What an entry is.
#[derive(Debug, Clone)]
pub enum EntryKind {
    /// A certificate that is trusted because it is here.
    Trusted(CertificateSlot),
    /// A protected private key and its chain, leaf first.
    PrivateKey {
        /// The chain; a JVM allows it to be empty.
        chain: Vec<CertificateSlot>,
    },
    /// A sealed secret key (JCEKS, PKCS#12). Never opened.
    SecretKey,
    /// A certificate that is in the file but is no trust anchor.
    Untrusted(CertificateSlot),
    /// Anything else, kept as it is; the text says what it seems to be.
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

/// What an entry is remembered by between two runs, when positions may have changed: its alias where the format goes by aliases,
/// else its certificate. As text it is the folded alias, or the fingerprint in hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKey {
    /// The entry of this alias.
    Alias(Alias),
    /// The entry whose first certificate has this fingerprint.
    Certificate(Fingerprint),
}

impl EntryKey {
    /// The key of an entry with this alias, if it has one, and this certificate in a store of this format. The name of a file in a
    /// folder is no key: several entries may bear it, and whoever copies the folder may rename it.
    #[must_use]
    pub fn new(format: Format, alias: Option<Alias>, certificate: Fingerprint) -> Self {
        match (format.alias_model(), alias) {
            (AliasModel::Folded, Some(alias)) => Self::Alias(alias),
            (AliasModel::Folded | AliasModel::FileName | AliasModel::None, _) => Self::Certificate(certificate),
        }
    }

    /// The key of an entry; `None` where it has neither alias nor certificate.
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
