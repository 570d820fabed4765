//! What can go wrong when a store is read, a key is opened or a store is edited.

use std::fmt;

use crate::alias::Alias;
use crate::certificate::{JvmDoubt, JvmRefusal};
use crate::format::Format;
use crate::text::visible;

/// Why a store could not be read, as machines tell the cases apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The structure is whole, but its digest does not match under this password (or the file was tampered with).
    WrongPassword,
    /// The bytes break the format's own rules.
    Corrupt,
    /// A format, version or content that is recognised and not read.
    Unsupported,
    /// Nothing that looks like a store.
    NotAStore,
}

impl Class {
    /// The name in JSON output: `wrong-password`, `corrupt`, `unsupported`, `not-a-store`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WrongPassword => "wrong-password",
            Self::Corrupt => "corrupt",
            Self::Unsupported => "unsupported",
            Self::NotAStore => "not-a-store",
        }
    }
}

/// A store that could not be read. Its text gives the cause and one thing to try; the caller adds the file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// The kind of failure.
    pub class: Class,
    /// The format's name (`jks`, `pkcs12`, `bks`, …) where it could be told.
    pub format: Option<&'static str>,
    /// The byte where reading stopped, counted from the start of the file.
    pub offset: Option<u64>,
    cause: String,
    hint: &'static str,
}

impl ReadError {
    pub(crate) fn new(class: Class, cause: impl Into<String>, hint: &'static str) -> Self {
        Self { class, format: None, offset: None, cause: cause.into(), hint }
    }

    pub(crate) fn format(mut self, format: &'static str) -> Self {
        self.format = Some(format);
        self
    }

    pub(crate) fn offset(mut self, offset: usize) -> Self {
        self.offset = Some(offset as u64);
        self
    }

    /// The cause alone, without the place and the hint.
    #[must_use]
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// One thing to try.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        self.hint
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)?;
        if let Some(offset) = self.offset {
            write!(f, " (at byte {offset})")?;
        }
        write!(f, "; {}", self.hint)
    }
}

impl std::error::Error for ReadError {}

/// Why a private key could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The password does not open this key. A key's password may differ from its store's.
    #[error("the password does not open this key; a key's password may differ from its store's")]
    WrongPassword,
    /// The protected blob breaks its own format.
    #[error("the protected key is damaged: {0}; restore the store from a backup or make a new key")]
    Corrupt(String),
    /// Protected by an algorithm that is not read here.
    #[error("the key is protected by {0}, which is not supported; re-protect it with keytool -keypasswd")]
    Unsupported(String),
    /// The password opens it, and the JDK cannot make a key of what it protects.
    #[error("the password opens the key, but no JVM can use it: {0}; make a new key")]
    Unrecoverable(String),
    /// OpenSSL, which reads the pair of files, does not load the key.
    #[error("OpenSSL does not load the key: {why}; {hint}")]
    NotLoaded {
        /// Why, without anything of the key.
        why: String,
        /// One thing to try.
        hint: &'static str,
    },
    /// The entry holds no private key, or there is no such entry.
    #[error("the entry holds no private key")]
    NotAKey,
}

/// Why an edit was refused. Nothing is produced then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// After the edit two entries would share an alias (case does not count to a JVM).
    #[error(
        "alias `{}` would belong to two entries (case does not count); choose another alias or remove the entry that has it",
        visible(alias.as_str())
    )]
    AliasTaken {
        /// The alias.
        alias: Alias,
    },
    /// An alias the format cannot hold.
    #[error("alias `{}` cannot be stored: {why}", visible(alias))]
    BadAlias {
        /// The alias as asked for.
        alias: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A position that the store does not have.
    #[error("there is no entry at position {position}; the store has {entries}. Read it again before editing")]
    NoSuchEntry {
        /// The position asked for.
        position: usize,
        /// How many entries there are.
        entries: usize,
    },
    /// A new certificate that would make a JVM refuse the whole store.
    #[error(
        "the certificate for `{}` would make a JVM refuse the whole store: {cause}; have a new one issued",
        visible(alias)
    )]
    JvmWouldRefuse {
        /// The alias it was meant for (or its fingerprint, where the format has no aliases).
        alias: String,
        /// Why a JVM refuses it.
        cause: JvmRefusal,
    },
    /// A new certificate of which nobody can tell whether a JVM loads it.
    #[error(
        "the certificate for `{}` is not written, because trustmason cannot tell whether a JVM loads it: {cause}; have a new one issued",
        visible(alias)
    )]
    JvmCannotTell {
        /// The alias it was meant for.
        alias: String,
        /// What cannot be judged.
        cause: JvmDoubt,
    },
    /// An entry that stays makes a JVM refuse the whole store; only its removal may be written.
    #[error("entry `{}` makes a JVM refuse the whole store: {why}; remove it first", visible(alias))]
    Unloadable {
        /// The entry's alias.
        alias: String,
        /// Why a JVM refuses it.
        why: String,
    },
    /// A private key without a certificate chain.
    #[error("the private key for `{}` has no certificate; give its chain, leaf first", visible(alias))]
    EmptyChain {
        /// The alias it was meant for.
        alias: String,
    },
    /// The chain's first certificate is not for this key.
    #[error(
        "the first certificate of the chain for `{}` belongs to another key; give the chain of this key, leaf first",
        visible(alias)
    )]
    KeyMismatch {
        /// The alias it was meant for.
        alias: String,
    },
    /// The new key is no PKCS#8 private key.
    #[error(
        "the new key for `{}` is not a PKCS#8 private key: {why}; give an unencrypted PKCS#8 document",
        visible(alias)
    )]
    BadKey {
        /// The alias it was meant for.
        alias: String,
        /// What is wrong with it.
        why: String,
    },
    /// A key disposition on an entry that is no private key.
    #[error("entry `{}` holds no private key, so there is none to replace", visible(alias))]
    NotAKey {
        /// The entry's alias.
        alias: String,
    },
    /// JCEKS keys and PKCS#12 files take printable ASCII passwords only (the JDK says "Password is not ASCII").
    #[error(
        "nothing in a {} store can be protected by this password: the JDK accepts printable ASCII only; choose such a password for \
         the store",
        .format.as_str()
    )]
    PasswordNotAscii {
        /// The format.
        format: Format,
    },
    /// Parts of the store are encrypted and were not opened, so nobody knows what an edit would do to them.
    #[error("the {} store was read without its password and has encrypted parts; open it with the password to edit it", .format.as_str())]
    NotOpened {
        /// The format.
        format: Format,
    },
    /// The format is written under a password and none was given.
    #[error("a {} store is written with its password, but none was given", .format.as_str())]
    PasswordNeeded {
        /// The format.
        format: Format,
    },
    /// The password given is not the one the store's digest was made with.
    #[error("the password is wrong (or the store was tampered with); nothing is written with a wrong password")]
    WrongPassword,
    /// The format holds certificates only.
    #[error("a {} store holds no private keys; use JKS or JCEKS", .format.as_str())]
    CannotHoldKeys {
        /// The format.
        format: Format,
    },
    /// The format has no aliases, so there is nothing to rename.
    #[error("a {} store has no aliases, so there is nothing to rename", .format.as_str())]
    NoAliases {
        /// The format.
        format: Format,
    },
    /// The format is read here and never written.
    #[error("a {} store is only read, never written; put its certificates into a PEM bundle and use that", .format.as_str())]
    ReadOnly {
        /// The format.
        format: Format,
    },
    /// A sealed key of one format cannot be carried into another.
    #[error("a key sealed in a {} store cannot be copied into a {} store; open it and give it unencrypted", .from.as_str(), .to.as_str())]
    SealedElsewhere {
        /// Where it was sealed.
        from: Format,
        /// Where it should go.
        to: Format,
    },
    /// The result cannot be written in this format.
    #[error("the result cannot be written as {}: {why}", .format.as_str())]
    NotRepresentable {
        /// The format.
        format: Format,
        /// Why not, and what to do.
        why: String,
    },
}
