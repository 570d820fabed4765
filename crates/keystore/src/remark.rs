//! What a reader should know of a store that opened all the same.

use std::fmt;

use crate::certificate::JvmJudgement;
use crate::entry::EntryId;
use crate::intern::CertificateSlot;
use crate::text::visible;

/// Something odd about a store, said once per place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// Opened without a password: the structure was read, the digest was not checked.
    Unverified,
    /// Part of the store is encrypted and was not opened: what is in it is not shown.
    ClosedPart {
        /// The entry that stands for it.
        entry: EntryId,
    },
    /// Nothing protects the content: no digest, no MAC.
    NoMac,
    /// Something for which JDK 17 does not open the store, or this entry, though it is read here.
    JvmCannotOpen {
        /// The entry, if it is about one only.
        entry: Option<EntryId>,
        /// The reason for which a JVM does not open it.
        why: String,
    },
    /// A private key that no JVM shows.
    HiddenKey {
        /// The entry.
        entry: EntryId,
        /// Its name in the file, if it has one.
        alias: String,
        /// The reason for which a JVM does not show the key.
        why: &'static str,
    },
    /// A certificate without Oracle's trusted key usage attribute that belongs to no key: no JVM shows it.
    UntrustedBag {
        /// The entry.
        entry: EntryId,
        /// Its name in the file, if it has one.
        alias: Option<String>,
    },
    /// Bytes after the end of the store (its digest, its outermost element). A JVM ignores them; a write keeps them.
    TrailingBytes {
        /// How many.
        count: u64,
    },
    /// Two entries with exactly the same alias: a JVM sees the later one only.
    DuplicateAlias {
        /// The later entry.
        entry: EntryId,
        /// The earlier one, which a JVM does not see.
        earlier: EntryId,
        /// The alias.
        alias: String,
    },
    /// Two entries whose aliases differ in case only.
    CaseTwins {
        /// The later entry.
        entry: EntryId,
        /// The earlier one.
        earlier: EntryId,
        /// The later entry's alias.
        alias: String,
    },
    /// An alias that is not in lower case: a JVM folds what it looks up, so it never finds this entry by name.
    UpperCaseAlias {
        /// The entry.
        entry: EntryId,
        /// Its alias.
        alias: String,
    },
    /// An alias with half a surrogate pair, which no text can show exactly.
    AliasNotText {
        /// The entry.
        entry: EntryId,
        /// The alias, the broken part replaced.
        alias: String,
    },
    /// A certificate in this entry makes a JVM refuse the whole store.
    JvmUnloadable {
        /// The entry.
        entry: EntryId,
        /// Its alias.
        alias: String,
        /// The reason for which a JVM refuses the certificate.
        why: String,
    },
    /// A certificate in this entry of which nobody can tell whether a JVM loads it, and with it the whole store.
    JvmCannotTell {
        /// The entry.
        entry: EntryId,
        /// Its alias.
        alias: String,
        /// What cannot be judged.
        why: String,
    },
    /// An entry whose certificate type no JVM knows; the whole store does not load.
    UnknownCertificateType {
        /// The entry.
        entry: EntryId,
        /// Its alias.
        alias: String,
        /// The type, as written.
        name: String,
    },
    /// A certificate that a JVM loads and this crate does not vouch for (BER, a tail, a broken extension); it stays bytes.
    UnreadCertificate {
        /// The entry.
        entry: EntryId,
        /// Its alias, where the format has one.
        alias: Option<String>,
        /// The reason for which the certificate is not vouched for.
        why: String,
    },
    /// A private key in a place for trust.
    PrivateKeyInTrust {
        /// The entry.
        entry: EntryId,
        /// The line of its BEGIN.
        line: u64,
        /// The file, in a folder of files.
        file: Option<String>,
    },
    /// A PEM block that does not hold what it says.
    BadBlock {
        /// The entry.
        entry: EntryId,
        /// The line of its BEGIN.
        line: u64,
        /// The file, in a folder of files.
        file: Option<String>,
        /// What is wrong.
        why: String,
    },
    /// A TRUSTED CERTIFICATE block: OpenSSL's extra data restricts what it is trusted for, and nobody else sees that.
    LimitedTrust {
        /// The entry.
        entry: EntryId,
        /// The line of its BEGIN.
        line: u64,
    },
    /// A PEM form that `keytool` refuses though it is read here.
    LoosePem {
        /// The line.
        line: u64,
        /// The file, in a folder of files.
        file: Option<String>,
        /// What is loose.
        what: &'static str,
    },
    /// A PKCS#7 block beside certificate blocks. No reader of PEM bundles finds its certificates there.
    BundleAmongCertificates {
        /// The entry.
        entry: EntryId,
        /// The line of its BEGIN.
        line: u64,
        /// The file, in a folder of files.
        file: Option<String>,
    },
    /// A PKCS#7 file that is a signed message, not a mere bundle. Nobody verified its signatures.
    SignedMessage {
        /// How many signed it.
        signers: usize,
        /// Whether what they signed is in it.
        content: bool,
        /// The file, in a folder of files.
        file: Option<String>,
    },
    /// Properties of a Windows store limit what the certificate is trusted for. Windows obeys them, nobody else sees them.
    RestrictedTrust {
        /// The entry.
        entry: EntryId,
        /// The limits, in words.
        how: String,
    },
    /// What Windows finds the certificate by is not the SHA-1 of the certificate.
    OtherHash {
        /// The entry.
        entry: EntryId,
        /// What differs.
        what: &'static str,
    },
    /// Marked as archived (Windows, property 19): normal enumeration hides it.
    Archived {
        /// The entry.
        entry: EntryId,
    },
    /// The machine it came from has a private key for it (Windows, property 2); the key is not here.
    KeyElsewhere {
        /// The entry.
        entry: EntryId,
    },
    /// A file in the folder that is no certificate file. It is left alone.
    ForeignFile {
        /// The entry that stands for it.
        entry: EntryId,
        /// Its name.
        file: String,
        /// What it seems to be.
        why: String,
        /// Whether it may be a certificate that cannot be read: damaged, in UTF-16, empty under a certificate's name. What is
        /// surely something else (a private key, a revocation list, notes) is none.
        may_be_certificate: bool,
    },
}

impl Remark {
    /// Whether it is about something that may be a certificate and cannot be read. Beside it nobody can tell of a certificate
    /// that was not found in the store that it is not there.
    #[must_use]
    pub fn hides_certificate(&self) -> bool {
        matches!(self, Self::BadBlock { .. } | Self::ForeignFile { may_be_certificate: true, .. })
    }

    /// What a JVM, or this crate, has against a certificate of an entry with this alias.
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

    /// The entry it is about, if it is about one.
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
            | Self::CaseTwins { entry, .. }
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

    /// Whether it says that a JVM refuses the whole store because of this entry.
    #[must_use]
    pub fn is_key_elsewhere(&self) -> bool {
        matches!(self, Self::KeyElsewhere { .. })
    }

    /// Whether a JVM refuses the whole store because of it.
    #[must_use]
    pub fn is_jvm_unloadable(&self) -> bool {
        matches!(self, Self::JvmUnloadable { .. } | Self::UnknownCertificateType { .. })
    }
}

/// `, in <file>` where there is a file.
struct In<'a>(&'a Option<String>);

impl fmt::Display for In<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(file) => write!(f, " of {}", visible(file)),
            None => Ok(()),
        }
    }
}

/// The position of an entry without an alias as people count.
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
            Self::CaseTwins { alias, earlier, entry } => write!(
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
