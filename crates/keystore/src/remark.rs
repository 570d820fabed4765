//! Remarks: what a reader should know about a store that opened nevertheless. A remark takes its facts from the reader
//! of a format and gives a text for people. The module only describes: `edit` decides whether an edit is refused
//! because of a remark.

use std::fmt;

use crate::certificate::JvmJudgement;
use crate::entry::EntryId;
use crate::intern::CertificateSlot;
use crate::text::visible;

/// Something odd about a store. Each odd place has one remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// The store was opened without a password: the structure was read, the digest was not checked.
    Unverified,
    /// A part of the store is encrypted and was not opened, so its content is not shown.
    ClosedPart {
        /// The entry that stands for the encrypted part.
        entry: EntryId,
    },
    /// No digest and no MAC protects the content.
    NoMac,
    /// JDK 17 does not open the store, or this entry, although this crate reads it.
    JvmCannotOpen {
        /// The entry, if only one entry is the reason.
        entry: Option<EntryId>,
        /// Why a JVM does not open it.
        why: String,
    },
    /// A private key that no JVM shows.
    HiddenKey {
        /// The entry of the key.
        entry: EntryId,
        /// The name of the entry in the file; empty if it has none.
        alias: String,
        /// Why a JVM does not show the key.
        why: &'static str,
    },
    /// A certificate that belongs to no key and has no trusted key usage attribute (Oracle): no JVM shows it.
    UntrustedBag {
        /// The entry of the certificate.
        entry: EntryId,
        /// The name of the entry in the file, if it has one.
        alias: Option<String>,
    },
    /// Bytes after the end of the store (after its digest or its outermost element). A JVM ignores them; an edit keeps
    /// them.
    TrailingBytes {
        /// How many bytes follow.
        count: u64,
    },
    /// Two entries have exactly the same alias. A JVM sees only the later entry.
    DuplicateAlias {
        /// The later entry.
        entry: EntryId,
        /// The earlier entry, which a JVM does not see.
        earlier: EntryId,
        /// The alias of both entries.
        alias: String,
    },
    /// The aliases of two entries differ in case only.
    AliasCaseCollision {
        /// The later entry.
        entry: EntryId,
        /// The earlier entry.
        earlier: EntryId,
        /// The alias of the later entry.
        alias: String,
    },
    /// The alias is not in lower case. A JVM folds an alias before a lookup, so it never finds this entry by name.
    UpperCaseAlias {
        /// The entry.
        entry: EntryId,
        /// The alias as stored.
        alias: String,
    },
    /// The alias holds half a surrogate pair, so no text can show it exactly.
    AliasNotText {
        /// The entry.
        entry: EntryId,
        /// The alias, with a replacement for the broken part.
        alias: String,
    },
    /// A JVM refuses the whole store because of a certificate in this entry.
    JvmUnloadable {
        /// The entry.
        entry: EntryId,
        /// The alias of the entry.
        alias: String,
        /// Why a JVM refuses the certificate.
        why: String,
    },
    /// It is not known whether a JVM loads a certificate in this entry, and with it the whole store.
    JvmCannotTell {
        /// The entry.
        entry: EntryId,
        /// The alias of the entry.
        alias: String,
        /// The part of the certificate that cannot be judged.
        why: String,
    },
    /// No JVM knows the certificate type of this entry, so the whole store does not load.
    UnknownCertificateType {
        /// The entry.
        entry: EntryId,
        /// The alias of the entry.
        alias: String,
        /// The type, as the file writes it.
        name: String,
    },
    /// A JVM loads this certificate, but this crate does not parse it (BER, bytes after its end, a broken extension).
    /// It is kept as bytes.
    UnreadCertificate {
        /// The entry.
        entry: EntryId,
        /// The alias of the entry, where the format has one.
        alias: Option<String>,
        /// Why this crate does not parse the certificate.
        why: String,
    },
    /// A private key in a store for trusted certificates.
    PrivateKeyInTrust {
        /// The entry.
        entry: EntryId,
        /// The line of the key's BEGIN.
        line: u64,
        /// The file, in a folder of files.
        file: Option<String>,
    },
    /// A PEM block whose content does not match its label.
    BadBlock {
        /// The entry.
        entry: EntryId,
        /// The line of the block's BEGIN.
        line: u64,
        /// The file, in a folder of files.
        file: Option<String>,
        /// Why the block is unreadable.
        why: String,
    },
    /// A TRUSTED CERTIFICATE block: extra data of OpenSSL limits what the certificate is trusted for, and only OpenSSL
    /// reads these data.
    LimitedTrust {
        /// The entry.
        entry: EntryId,
        /// The line of the block's BEGIN.
        line: u64,
    },
    /// A form of PEM that `keytool` refuses, although this crate reads it.
    LoosePem {
        /// The line of the odd form.
        line: u64,
        /// The file, in a folder of files.
        file: Option<String>,
        /// The form that `keytool` refuses.
        what: &'static str,
    },
    /// A PKCS#7 block beside certificate blocks. No reader of PEM bundles finds the certificates in the PKCS#7 block.
    BundleAmongCertificates {
        /// The entry.
        entry: EntryId,
        /// The line of the block's BEGIN.
        line: u64,
        /// The file, in a folder of files.
        file: Option<String>,
    },
    /// A PKCS#7 file that is a signed message, not a plain bundle. Its signatures were not verified.
    SignedMessage {
        /// How many signers the message has.
        signers: usize,
        /// Whether the message contains the signed content.
        content: bool,
        /// The file, in a folder of files.
        file: Option<String>,
    },
    /// Properties of a Windows store limit what the certificate is trusted for. Only Windows applies these properties.
    RestrictedTrust {
        /// The entry.
        entry: EntryId,
        /// The limits, in words.
        how: String,
    },
    /// A stored SHA-1 hash by which Windows finds the certificate is not the SHA-1 of the certificate.
    OtherHash {
        /// The entry.
        entry: EntryId,
        /// Which hash differs.
        what: &'static str,
    },
    /// The certificate is marked as archived (Windows, property 19), so normal enumeration hides it.
    Archived {
        /// The entry.
        entry: EntryId,
    },
    /// The machine from which the file came has a private key for the certificate (Windows, property 2). The file does
    /// not contain the key.
    KeyElsewhere {
        /// The entry.
        entry: EntryId,
    },
    /// A file in the folder that is not a certificate file. An edit leaves it unchanged.
    ForeignFile {
        /// The entry that stands for the file.
        entry: EntryId,
        /// The name of the file.
        file: String,
        /// Why the file holds no certificate, and what it seems to be.
        why: String,
        /// Whether the file may be a certificate that cannot be read: it is damaged, in UTF-16, or empty with a name of
        /// a certificate file. False for a file that is certainly something else (a private key, a revocation list,
        /// notes).
        may_be_certificate: bool,
    },
}

impl Remark {
    /// Whether the remark is about something that may be a certificate and cannot be read. In a store with such a
    /// remark, a certificate that was not found may be there nevertheless.
    #[must_use]
    pub fn hides_certificate(&self) -> bool {
        matches!(self, Self::BadBlock { .. } | Self::ForeignFile { may_be_certificate: true, .. })
    }

    /// The remark on a certificate in an entry with this alias, if a JVM or this crate has an objection to the
    /// certificate.
    pub(crate) fn of_certificate(slot: &CertificateSlot, entry: EntryId, alias: &str) -> Option<Self> {
        let alias = alias.to_owned();
        match slot {
            CertificateSlot::Parsed(certificate) => match certificate.jvm() {
                JvmJudgement::Loads => None,
                JvmJudgement::Refused(why) => Some(Self::JvmUnloadable { entry, alias, why: why.to_string() }),
                JvmJudgement::CannotTell(why) => Some(Self::JvmCannotTell { entry, alias, why: why.to_string() }),
            },
            CertificateSlot::Unparsed(bytes) => {
                let why = bytes.reason().to_string();
                Some(match bytes.reason().jvm() {
                    JvmJudgement::Loads => Self::UnreadCertificate { entry, alias: Some(alias), why },
                    JvmJudgement::Refused(_) => Self::JvmUnloadable { entry, alias, why },
                    JvmJudgement::CannotTell(_) => Self::JvmCannotTell { entry, alias, why },
                })
            }
        }
    }

    /// The entry that the remark is about, if it is about one.
    #[must_use]
    pub fn entry(&self) -> Option<EntryId> {
        match self {
            Self::Unverified
            | Self::NoMac
            | Self::TrailingBytes { .. }
            | Self::LoosePem { .. }
            | Self::SignedMessage { .. } => None,
            Self::JvmCannotOpen { entry, .. } => *entry,
            Self::ClosedPart { entry }
            | Self::HiddenKey { entry, .. }
            | Self::UntrustedBag { entry, .. }
            | Self::DuplicateAlias { entry, .. }
            | Self::AliasCaseCollision { entry, .. }
            | Self::UpperCaseAlias { entry, .. }
            | Self::AliasNotText { entry, .. }
            | Self::JvmUnloadable { entry, .. }
            | Self::JvmCannotTell { entry, .. }
            | Self::UnknownCertificateType { entry, .. }
            | Self::UnreadCertificate { entry, .. }
            | Self::PrivateKeyInTrust { entry, .. }
            | Self::BadBlock { entry, .. }
            | Self::LimitedTrust { entry, .. }
            | Self::BundleAmongCertificates { entry, .. }
            | Self::RestrictedTrust { entry, .. }
            | Self::OtherHash { entry, .. }
            | Self::Archived { entry }
            | Self::KeyElsewhere { entry }
            | Self::ForeignFile { entry, .. } => Some(*entry),
        }
    }

    /// Whether the remark says that the private key of the entry is on the machine from which the file came.
    #[must_use]
    pub fn is_key_elsewhere(&self) -> bool {
        matches!(self, Self::KeyElsewhere { .. })
    }

    /// Whether the remark says that a JVM refuses the whole store.
    #[must_use]
    pub fn is_jvm_unloadable(&self) -> bool {
        matches!(self, Self::JvmUnloadable { .. } | Self::UnknownCertificateType { .. })
    }
}

/// Writes ` of <file>`, or nothing where there is no file.
struct In<'a>(&'a Option<String>);

impl fmt::Display for In<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(file) => write!(f, " of {}", visible(file)),
            None => Ok(()),
        }
    }
}

/// The position of an entry as people count, from 1.
fn ordinal(entry: EntryId) -> usize {
    entry.position() + 1
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unverified => f.write_str("opened without a password: its digest was not checked"),
            Self::ClosedPart { entry } => write!(
                f,
                "entry {} is an encrypted part: without the password its certificates and keys are not shown",
                entry.position() + 1
            ),
            Self::NoMac => f.write_str("it has no MAC, so changes to the store cannot be detected"),
            Self::JvmCannotOpen { entry: None, why } => write!(f, "JDK 17 does not open this store: {why}"),
            Self::JvmCannotOpen { entry: Some(entry), why } => {
                write!(f, "JDK 17 does not open this store, for entry {}: {why}", entry.position() + 1)
            }
            Self::HiddenKey { alias, why, .. } => {
                write!(f, "no JVM shows the private key `{}`: {why}; export it again", visible(alias))
            }
            Self::UntrustedBag { entry, alias } => match alias {
                Some(alias) => write!(
                    f,
                    "certificate `{}` has no trusted key usage attribute, so no JVM trusts or shows it",
                    visible(alias)
                ),
                None => write!(
                    f,
                    "the certificate at position {} has no trusted key usage attribute, so no JVM trusts or shows it",
                    entry.position() + 1
                ),
            },
            Self::TrailingBytes { count } => {
                write!(f, "{count} bytes follow the end of the store; a JVM ignores them, and trustmason keeps them")
            }
            Self::DuplicateAlias { alias, earlier, entry } => write!(
                f,
                "alias `{}` is there twice (positions {} and {}); a JVM sees only the later entry",
                visible(alias),
                earlier.position(),
                entry.position()
            ),
            Self::AliasCaseCollision { alias, earlier, entry } => write!(
                f,
                "alias `{}` (position {}) differs only in upper and lower case from the alias at position {}",
                visible(alias),
                entry.position(),
                earlier.position()
            ),
            Self::UpperCaseAlias { alias, .. } => {
                write!(f, "alias `{}` is not in lower case, so a JVM cannot look it up; rename it", visible(alias))
            }
            Self::AliasNotText { alias, .. } => {
                write!(f, "alias `{}` holds half a surrogate pair; rename it", visible(alias))
            }
            Self::JvmUnloadable { alias, why, .. } => {
                write!(f, "entry `{}` makes a JVM refuse the whole store: {why}; remove it", visible(alias))
            }
            Self::JvmCannotTell { alias, why, .. } => {
                write!(f, "cannot tell whether a JVM loads entry `{}`, and with it the store: {why}", visible(alias))
            }
            Self::UnknownCertificateType { alias, name, .. } => write!(
                f,
                "entry `{}` is of type `{}`, for which a JVM refuses the whole store; remove it",
                visible(alias),
                visible(name)
            ),
            Self::UnreadCertificate { alias, why, .. } => match alias {
                Some(alias) => write!(f, "the certificate of entry `{}` is kept as bytes: {why}", visible(alias)),
                None => write!(f, "a certificate is kept as bytes: {why}"),
            },
            Self::PrivateKeyInTrust { line, file, .. } => {
                write!(f, "line {line}{} begins a private key; it does not belong among trusted certificates", In(file))
            }
            Self::BadBlock { line, file, why, .. } => {
                write!(f, "the block at line {line}{} is unreadable: {why}", In(file))
            }
            Self::LimitedTrust { line, .. } => write!(
                f,
                "the TRUSTED CERTIFICATE at line {line} limits what it is trusted for; only OpenSSL sees that"
            ),
            Self::RestrictedTrust { entry, how } => {
                write!(f, "Windows limits the trust in entry {}: {how}", ordinal(*entry))
            }
            Self::OtherHash { entry, what } => write!(
                f,
                "entry {}: {what} is not the SHA-1 of the certificate, so Windows may not find it; remove the certificate and add it again",
                ordinal(*entry)
            ),
            Self::Archived { entry } => {
                write!(f, "entry {} is archived: Windows hides it from normal enumeration", ordinal(*entry))
            }
            Self::KeyElsewhere { entry } => write!(
                f,
                "entry {} has a private key on the machine it came from; the key is not in this file",
                ordinal(*entry)
            ),
            Self::LoosePem { line, file, what } => {
                write!(f, "line {line}{}: {what}; keytool refuses such a file", In(file))
            }
            Self::BundleAmongCertificates { line, file, .. } => write!(
                f,
                "line {line}{} begins a PKCS#7 bundle among certificates; OpenSSL skips the bundle, and a JVM reads either the bundle or the certificates; put its certificates into the file as single blocks",
                In(file)
            ),
            Self::SignedMessage { signers, content, file } => write!(
                f,
                "{} is a message signed by {signers}, {}, not just a bundle of certificates; no signature was verified",
                file.as_deref().map_or("this".into(), visible),
                if *content { "with its content" } else { "without its content" },
            ),
            Self::ForeignFile { file, why, may_be_certificate: false, .. } => {
                write!(f, "{} holds no certificate: {why}", visible(file))
            }
            Self::ForeignFile { file, why, may_be_certificate: true, .. } => write!(
                f,
                "{} cannot be read as a certificate: {why}; export it again as Base-64 (.cer), or remove it from the folder",
                visible(file)
            ),
        }
    }
}
