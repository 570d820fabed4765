//! The errors of this crate: a store that cannot be read, a key that cannot be opened, an edit that is refused. An
//! error gives the cause as text and often one thing to try. It never names the file: the caller adds the name.

use std::fmt;

use crate::alias::Alias;
use crate::certificate::{JvmDoubt, JvmRefusal};
use crate::format::Format;
use crate::text::visible;

/// The class of an error in reading a store, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// The structure is complete, but its digest does not match under this password. The password is wrong, or somebody
    /// changed the file.
    WrongPassword,
    /// The bytes break the rules of their own format.
    Corrupt,
    /// A format, version or content that is recognised, but not read.
    Unsupported,
    /// The content does not look like a store.
    NotAStore,
}

impl ErrorClass {
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

/// A store could not be read. The text gives the cause and one thing to try; the caller adds the name of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// The class of the error.
    pub class: ErrorClass,
    /// The name of the format (`jks`, `pkcs12`, `bks`, …), where it is known.
    pub format: Option<&'static str>,
    /// The byte where reading stopped, counted from the start of the file.
    pub offset: Option<u64>,
    cause: String,
    hint: &'static str,
}

impl ReadError {
    pub(crate) fn new(class: ErrorClass, cause: impl Into<String>, hint: &'static str) -> Self {
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

    /// The cause alone, without the offset and the hint.
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
    /// The protected key breaks the rules of its own format.
    #[error("the protected key is damaged: {0}; restore the store from a backup or make a new key")]
    Corrupt(String),
    /// The key is protected by an algorithm that this crate does not read.
    #[error("the key is protected by {0}, which is not supported; re-protect it with keytool -keypasswd")]
    Unsupported(String),
    /// The password opens the key, but the JDK cannot use the key.
    #[error("the password opens the key, but no JVM can use it: {0}; make a new key")]
    Unrecoverable(String),
    /// OpenSSL, which reads the pair of files, does not load the key.
    #[error("OpenSSL does not load the key: {why}; {hint}")]
    NotLoaded {
        /// The cause, without any part of the key.
        why: String,
        /// One thing to try.
        hint: &'static str,
    },
    /// The entry holds no private key, or the store has no such entry.
    #[error("the entry holds no private key")]
    NotAKey,
}

/// Why an edit was refused. A refused edit produces nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// After the edit two entries would have the same alias. A JVM ignores the case of an alias.
    #[error(
        "alias `{}` would belong to two entries (case does not count); choose another alias or remove the entry that has it",
        visible(alias.as_str())
    )]
    AliasTaken {
        /// The alias.
        alias: Alias,
    },
    /// The format cannot store this alias.
    #[error("alias `{}` cannot be stored: {why}", visible(alias))]
    BadAlias {
        /// The alias that the edit asks for.
        alias: String,
        /// Why the alias cannot be stored.
        why: &'static str,
    },
    /// The store has no entry at this position.
    #[error("there is no entry at position {position}; the store has {entries}. Read it again before editing")]
    NoSuchEntry {
        /// The position in the edit.
        position: usize,
        /// How many entries the store has.
        entries: usize,
    },
    /// A JVM would refuse the whole store because of this new certificate.
    #[error(
        "the certificate for `{}` would make a JVM refuse the whole store: {cause}; have a new one issued",
        visible(alias)
    )]
    JvmWouldRefuse {
        /// The alias of the new entry; its fingerprint, where the format has no aliases.
        alias: String,
        /// Why a JVM refuses it.
        cause: JvmRefusal,
    },
    /// It is not known whether a JVM loads this new certificate.
    #[error(
        "the certificate for `{}` is not written, because trustmason cannot tell whether a JVM loads it: {cause}; have a new one issued",
        visible(alias)
    )]
    JvmCannotTell {
        /// The alias of the new entry; its fingerprint, where the format has no aliases.
        alias: String,
        /// The part of the certificate that cannot be judged.
        cause: JvmDoubt,
    },
    /// A JVM refuses the whole store because of an entry that would stay. Only an edit that removes this entry, or
    /// replaces its key, is written.
    #[error("entry `{}` makes a JVM refuse the whole store: {why}; remove it first", visible(alias))]
    Unloadable {
        /// The alias of the entry.
        alias: String,
        /// Why a JVM refuses the store.
        why: String,
    },
    /// The new private key has no certificate chain.
    #[error("the private key for `{}` has no certificate; give its chain, leaf first", visible(alias))]
    EmptyChain {
        /// The alias of the new entry.
        alias: String,
    },
    /// The first certificate of the chain belongs to another key.
    #[error(
        "the first certificate of the chain for `{}` belongs to another key; give the chain of this key, leaf first",
        visible(alias)
    )]
    KeyMismatch {
        /// The alias of the new entry.
        alias: String,
    },
    /// The new key is not a PKCS#8 private key.
    #[error(
        "the new key for `{}` is not a PKCS#8 private key: {why}; give an unencrypted PKCS#8 document",
        visible(alias)
    )]
    BadKey {
        /// The alias of the new entry.
        alias: String,
        /// Why the key is refused.
        why: String,
    },
    /// The edit replaces the key of an entry that holds no private key.
    #[error("entry `{}` holds no private key, so there is none to replace", visible(alias))]
    NotAKey {
        /// The alias of the entry.
        alias: String,
    },
    /// JCEKS keys and PKCS#12 files accept printable ASCII passwords only (the JDK says "Password is not ASCII").
    #[error(
        "nothing in a {} store can be protected by this password: the JDK accepts printable ASCII only; choose such a password for \
         the store",
        .format.as_str()
    )]
    PasswordNotAscii {
        /// The format of the store.
        format: Format,
    },
    /// Parts of the store are encrypted and were not opened, so the effect of an edit on them is not known.
    #[error("the {} store was read without its password and has encrypted parts; open it with the password to edit it", .format.as_str())]
    NotOpened {
        /// The format of the store.
        format: Format,
    },
    /// The format is written under a password and none was given.
    #[error("a {} store is written with its password, but none was given", .format.as_str())]
    PasswordNeeded {
        /// The format of the store.
        format: Format,
    },
    /// The store's digest was not made with the given password.
    #[error("the password is wrong (or the store was tampered with); nothing is written with a wrong password")]
    WrongPassword,
    /// The format holds certificates only.
    #[error("a {} store holds no private keys; use JKS or JCEKS", .format.as_str())]
    CannotHoldKeys {
        /// The format of the store.
        format: Format,
    },
    /// The format has no aliases, so there is nothing to rename.
    #[error("a {} store has no aliases, so there is nothing to rename", .format.as_str())]
    NoAliases {
        /// The format of the store.
        format: Format,
    },
    /// The format is only read, never written.
    #[error("a {} store is only read, never written; put its certificates into a PEM bundle and use that", .format.as_str())]
    ReadOnly {
        /// The format of the store.
        format: Format,
    },
    /// A sealed key of one format cannot be copied into a store of another format.
    #[error("a key sealed in a {} store cannot be copied into a {} store; open it and give it unencrypted", .from.as_str(), .to.as_str())]
    SealedElsewhere {
        /// The format in which the key was sealed.
        from: Format,
        /// The format of the store that is edited.
        to: Format,
    },
    /// The result cannot be written in this format.
    #[error("the result cannot be written as {}: {why}", .format.as_str())]
    NotRepresentable {
        /// The format of the store.
        format: Format,
        /// Why the format cannot hold the result, and what to do.
        why: String,
    },
}
