//! The facts of the estate as it was seen. `host` fills them, and the planner only reads them. Nothing here is an open
//! file, and "cannot tell" is always a state of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use trustmason_keystore::{Certificate, CertificateSlot, Digest, Entry, EntryId, EntryKind, Format, Remark};
use trustmason_spec::name::{Fqdn, IdentityId, StoreId};
use trustmason_spec::topology::Subject;
use trustmason_spec::windows::SystemStore;

use crate::ledger::{Ledger, StoreVersion};
use crate::options::OptionsLook;
use crate::run_id::RunId;

/// All facts from one look at the estate.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Whether each host's disk can be seen.
    pub hosts: BTreeMap<Fqdn, HostLook>,
    /// The stores, and the mirrors of stores.
    pub stores: BTreeMap<StoreId, StoreLook>,
    /// The certificates in files of their own.
    pub sources: BTreeMap<Subject, SourceLook>,
    /// The content of the authorities' inboxes, by the names of the authorities.
    pub inboxes: BTreeMap<String, InboxLook>,
    /// The files that exist and are used instead of a store; the paths as the host writes them.
    pub shadows: BTreeMap<StoreId, Vec<String>>,
    /// The options files that tell products about their stores, by host and name of the options file.
    pub options: BTreeMap<(Fqdn, String), OptionsLook>,
    /// The keys that an earlier run made and that are not installed yet, and files in their place that cannot be read.
    pub staging: BTreeMap<IdentityId, StagedLook>,
    /// The certificates that services presented. A service is asked only if somebody wants that.
    pub served: BTreeMap<IdentityId, ServedLook>,
    /// The record of earlier runs, with what is assumed of runs whose outcome is unclear.
    pub ledger: Ledger,
    /// The stores for which it cannot be told yet what an earlier run did.
    pub unclear: Vec<Unclear>,
    /// Everything that was read, with its digest: the inputs of the plan.
    pub inputs: Vec<Input>,
}

impl Observed {
    /// The key of an identity that an earlier run made and that is not installed yet, if it could be read.
    pub fn staged(&self, identity: &IdentityId) -> Option<&StagedKey> {
        self.staging.get(identity)?.key()
    }

    /// The certificate in a subject's own file, if exactly one could be read.
    pub(crate) fn source(&self, subject: &Subject) -> Option<&Arc<Certificate>> {
        match self.sources.get(subject)? {
            SourceLook::Found { certificate, .. } => Some(certificate),
            SourceLook::Missing { .. } | SourceLook::Ambiguous { .. } | SourceLook::Unreadable(_) => None,
        }
    }
}

/// Whether a host's disk can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostLook {
    /// The root folder is there and is not empty.
    Reachable,
    /// The root folder is absent, empty or unreadable; the reason.
    Unreachable(String),
}

/// The result of looking at a store.
#[derive(Clone, Debug)]
pub enum StoreLook {
    /// The store opened.
    Readable(Box<StoreFacts>),
    /// The file does not exist.
    Absent {
        /// The path where the machine that looked would find the store; for people.
        path: String,
        /// Whether the folder exists.
        parent: bool,
    },
    /// The file exists and does not open.
    Unreadable(ReadFailure),
    /// People change the store, and it has no mirror.
    Unobserved,
}

/// Why a store or file did not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFailure {
    /// The path where the machine that looked found something, if it did; for people.
    pub path: Option<String>,
    /// The class of failure.
    pub class: FailureClass,
    /// The digest of the bytes, if they could be read.
    pub sha256: Option<Digest>,
    /// The text for people: the file, the place, the cause, and one thing to try.
    pub message: String,
}

/// The classes of failures to open a store or file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureClass {
    /// The password is wrong, or its secret could not be had.
    WrongPassword,
    /// The format is not the declared one.
    WrongFormat,
    /// The file is damaged, the system refuses it, or two files fit.
    Unreadable,
}

/// The facts of a store that opened.
#[derive(Clone, Debug)]
pub struct StoreFacts {
    /// The path where the machine that looked found the store, links followed; for people. The spec says where the
    /// store is.
    pub path: String,
    /// Device and inode, or another value that tells files apart; `None` if there is no such value.
    pub file: Option<(u64, u64)>,
    /// SHA-256 over the bytes of the file; for a folder, over the names and digests of its files.
    pub sha256: Digest,
    /// The format that was found.
    pub format: Format,
    /// The entries, in file order.
    pub entries: Vec<Entry>,
    /// For Windows stores, as far as it is known: the system store of each entry, and who manages the entry.
    pub system_entries: BTreeMap<EntryId, SystemStoreEntry>,
    /// Whether the key entries of declared identities opened with the store's password.
    pub keys: BTreeMap<EntryId, KeyLook>,
    /// The remarks of the reader.
    pub remarks: Vec<Remark>,
    /// The parts of a PKCS#12 file that Java before 8u301 cannot open: AES, or a MAC of SHA-2. `None` if there are
    /// none.
    pub needs_java_8u301: Option<String>,
    /// The last modification, in seconds since 1970; for a mirror, the time of the observation.
    pub modified: Option<i64>,
    /// The last modification to the nanosecond, if the system tells it.
    pub written: Option<jiff::Timestamp>,
}

impl StoreFacts {
    /// The state of the store, for comparison.
    pub fn seen(&self) -> StoreVersion {
        StoreVersion { sha256: self.sha256, written: self.written }
    }

    /// The parts that may be a certificate and cannot be read, in words. While there are any, a certificate that was
    /// not found is not known to be missing.
    pub(crate) fn unread(&self) -> Option<String> {
        let unread: Vec<String> =
            self.remarks.iter().filter(|r| r.hides_certificate()).map(Remark::to_string).collect();
        (!unread.is_empty()).then(|| unread.join("; "))
    }

    /// The key of a store that has one key and no aliases, with its chain.
    pub(crate) fn only_key(&self) -> Option<(&Entry, &[CertificateSlot])> {
        self.entries.iter().find_map(|entry| match &entry.kind {
            EntryKind::PrivateKey { chain } => Some((entry, chain.as_slice())),
            _ => None,
        })
    }
}

/// The place of an entry in a Windows store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemStoreEntry {
    /// The system store that holds the entry.
    pub store: SystemStore,
    /// The manager of the entry.
    pub managed_by: ManagedBy,
}

/// The manager of a certificate in a Windows store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManagedBy {
    /// The administrators of the machine.
    Machine,
    /// The machine has a private key for the certificate, so that it is an identity.
    Key,
    /// Something else, which would restore the certificate: group policy, for example.
    Other(String),
}

/// Whether a private key opened with its store's password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyLook {
    /// The key opened, and belongs to its certificate or that could not be told.
    Opens,
    /// The key has another password.
    OtherPassword,
    /// The key opened, and does not belong to its certificate.
    Mismatch,
    /// The key could not be judged; the reason.
    Unknown(String),
}

/// The result of looking for a certificate file.
#[derive(Clone, Debug)]
pub enum SourceLook {
    /// One certificate was found.
    Found {
        /// The certificate.
        certificate: Arc<Certificate>,
        /// The file.
        path: PathBuf,
    },
    /// None of the files exists.
    Missing {
        /// Where the files were looked for.
        folder: PathBuf,
        /// The names that were tried.
        names: Vec<String>,
        /// A file that may be meant, and what to do about it; a clause for people.
        near: Option<String>,
    },
    /// Several files hold different certificates.
    Ambiguous {
        /// The files.
        paths: Vec<PathBuf>,
    },
    /// A file exists and cannot be used.
    Unreadable(ReadFailure),
}

/// The content of an authority's inbox.
#[derive(Clone, Debug, Default)]
pub struct InboxLook {
    /// The files, by path.
    pub files: Vec<InboxFile>,
    /// Why the folder could not be read.
    pub failure: Option<String>,
}

/// One file of an inbox.
#[derive(Clone, Debug)]
pub struct InboxFile {
    /// The file.
    pub path: PathBuf,
    /// The certificates in the file, in file order.
    pub certificates: Vec<Arc<Certificate>>,
    /// Why no certificate, or not every certificate, could be read.
    pub failure: Option<ReadFailure>,
}

/// A store for which it cannot be told yet what a run did. The run was cut off, or the disk went away at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclear {
    /// The run.
    pub run: RunId,
    /// The store.
    pub store: StoreId,
    /// Why the outcome cannot be told.
    pub why: String,
}

/// The answer of a service that was asked for its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServedLook {
    /// The service presented this certificate, the first of its chain.
    Presented(CertificateSlot),
    /// The service could not be asked; the reason, for people.
    Unreachable(String),
}

/// The content of the place where an earlier run left a new key.
#[derive(Clone, Debug)]
pub enum StagedLook {
    /// A key with its certificate.
    Key(StagedKey),
    /// Something from which no key can be told: it cannot be read, or is not one key with its certificate.
    Unreadable(ReadFailure),
}

impl StagedLook {
    /// The key, if it can be told.
    pub fn key(&self) -> Option<&StagedKey> {
        match self {
            Self::Key(key) => Some(key),
            Self::Unreadable(_) => None,
        }
    }
}

/// A key that an earlier run made and left in staging.
#[derive(Clone, Debug)]
pub struct StagedKey {
    /// The certificate of the key.
    pub certificate: Arc<Certificate>,
    /// Whether the key opened with the password of its target.
    pub opens: bool,
    /// The staging file.
    pub path: PathBuf,
    /// When the key was made.
    pub since: jiff::Timestamp,
}

/// One thing that was read for a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Input {
    /// The kind of input.
    pub kind: InputKind,
    /// The file.
    pub path: String,
    /// The digest; `None` if the file is absent.
    pub sha256: Option<Digest>,
}

/// The kind of an input.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum InputKind {
    /// The estate spec.
    Spec,
    /// A role profile.
    Profile,
    /// A keystore.
    Store,
    /// A certificate file.
    Certificate,
    /// A hand-off store's mirror.
    Mirror,
    /// A CA's reply.
    Reply,
    /// An options file beside a store.
    OptionsFile,
    /// A staged key.
    Staging,
    /// The ledger.
    Ledger,
}

/// The parsed certificate of an entry that gives trust.
pub(crate) fn certificate(entry: &Entry) -> Option<&Arc<Certificate>> {
    trusted(entry)?.certificate()
}

/// The certificate of an entry, if the entry gives trust.
pub(crate) fn trusted(entry: &Entry) -> Option<&CertificateSlot> {
    match &entry.kind {
        EntryKind::Trusted(slot) => Some(slot),
        EntryKind::PrivateKey { .. } | EntryKind::SecretKey | EntryKind::Untrusted(_) | EntryKind::Opaque(_) => None,
    }
}
