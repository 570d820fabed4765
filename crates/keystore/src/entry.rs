//! What every format's store is made of: entries by position, and what opens them.

use crate::format::Format;
use crate::intern::CertificateSlot;
use crate::password::Password;

/// With what a store is opened.
#[derive(Debug, Clone, Copy)]
pub enum Unlock<'a> {
    /// The store's password: a digest that does not match is [`crate::Class::WrongPassword`]. Formats without a digest ignore it.
    Password(&'a Password),
    /// No password: the structure is read, the digest is not checked, [`crate::Store::verified`] is false and a remark says so.
    Unverified,
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
    pub alias: Option<String>,
    /// Its creation date in milliseconds since 1970-01-01T00:00:00Z; `None` where the format has none.
    pub created_ms: Option<i64>,
    /// What it is.
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
