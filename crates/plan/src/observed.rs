//! Plain facts about the estate as it is. `host` fills them, the planner only reads them; nothing here is a handle and
//! "could not tell" is always a state of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use trustmason_keystore::{Certificate, CertificateSlot, Digest, Entry, EntryId, EntryKind, Format, Remark};
use trustmason_spec::name::{Fqdn, IdentityId, StoreId};
use trustmason_spec::topology::Subject;
use trustmason_spec::windows::SystemStore;

use crate::ledger::{Ledger, Seen};
use crate::options::OptionsLook;
use crate::run_id::RunId;

/// Everything one look brought home.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Whether each host's disk is there.
    pub hosts: BTreeMap<Fqdn, HostLook>,
    /// Stores and mirrors.
    pub stores: BTreeMap<StoreId, StoreLook>,
    /// Certificates that lie in files of their own.
    pub sources: BTreeMap<Subject, SourceLook>,
    /// What lies in the inboxes of authorities, by their names.
    pub inboxes: BTreeMap<String, InboxLook>,
    /// Shadowing files that exist, as the host writes their paths.
    pub shadows: BTreeMap<StoreId, Vec<String>>,
    /// What products are told about their stores, by host and the name of the options file.
    pub options: BTreeMap<(Fqdn, String), OptionsLook>,
    /// Keys minted by an earlier run and not installed yet, and files in their place that cannot be read.
    pub staging: BTreeMap<IdentityId, StagedLook>,
    /// What services presented, of those that were asked; nobody is, unless somebody wants it.
    pub served: BTreeMap<IdentityId, ServedLook>,
    /// What earlier runs remembered, with what is assumed of those whose outcome is unclear.
    pub ledger: Ledger,
    /// Stores of which nobody can tell yet what an earlier run did there.
    pub unclear: Vec<Unclear>,
    /// Everything that was read, with digests; the plan's inputs.
    pub inputs: Vec<Input>,
}

impl Observed {
    /// The key of an identity that an earlier run made and nobody installed yet, where one could be read.
    pub fn staged(&self, identity: &IdentityId) -> Option<&StagedKey> {
        self.staging.get(identity)?.key()
    }

    /// The certificate in a file of its own, if that is one certificate that could be read.
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
    /// The root is there and holds something.
    Reachable,
    /// The root is absent, empty or unreadable; why.
    Unreachable(String),
}

/// What was seen of a store.
#[derive(Clone, Debug)]
pub enum StoreLook {
    /// It opened.
    Readable(Box<StoreFacts>),
    /// There is no such file.
    Absent {
        /// Where the machine that looked would find it; for people.
        path: String,
        /// Whether the folder is there.
        parent: bool,
    },
    /// It is there and does not open.
    Unreadable(ReadFailure),
    /// A hand-off store without a mirror.
    Unobserved,
}

/// Why a store or file did not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFailure {
    /// Where the machine that looked found it, where something was found; for people.
    pub path: Option<String>,
    /// The class of failure.
    pub class: FailureClass,
    /// The digest of the bytes, where they could be read.
    pub sha256: Option<Digest>,
    /// For people: the file, the place, the cause, one thing to try.
    pub message: String,
}

/// Classes of failure to open something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureClass {
    /// The password is wrong, or the secret it comes from could not be had.
    WrongPassword,
    /// Another format than declared.
    WrongFormat,
    /// Damaged, refused by the system, or two files fit.
    Unreadable,
}

/// A store that opened.
#[derive(Clone, Debug)]
pub struct StoreFacts {
    /// Where the machine that looked found it (links followed); for people. Where the store is, the spec says.
    pub path: String,
    /// Device and inode, or whatever tells one file from another here; `None` where nothing does.
    pub file: Option<(u64, u64)>,
    /// SHA-256 over the file's bytes (a folder: over names and digests of its files).
    pub sha256: Digest,
    /// The format found.
    pub format: Format,
    /// Entries in file order.
    pub entries: Vec<Entry>,
    /// Of Windows stores, as far as that is known: where each entry stands and who keeps it.
    pub system_entries: BTreeMap<EntryId, SystemStoreEntry>,
    /// What the key entries of declared identities said to the store's password.
    pub keys: BTreeMap<EntryId, KeyLook>,
    /// What the reader noticed.
    pub remarks: Vec<Remark>,
    /// What Java before 8u301 cannot open in it: AES, or a MAC of SHA-2, in a PKCS#12 file. `None`: nothing.
    pub needs_java_8u301: Option<String>,
    /// Last modification, seconds since 1970 (mirrors: the age of the observation).
    pub modified: Option<i64>,
    /// The same to the nanosecond, where the system tells it.
    pub written: Option<jiff::Timestamp>,
}

impl StoreFacts {
    /// The state it is in.
    pub fn seen(&self) -> Seen {
        Seen { sha256: self.sha256, written: self.written }
    }

    /// What may be a certificate in it and cannot be read, in words. While there is any, what was not found there is not known to
    /// be missing.
    pub(crate) fn unread(&self) -> Option<String> {
        let unread: Vec<String> =
            self.remarks.iter().filter(|r| r.hides_certificate()).map(Remark::to_string).collect();
        (!unread.is_empty()).then(|| unread.join("; "))
    }

    /// The key of a store that holds one key and no aliases, with its chain.
    pub(crate) fn only_key(&self) -> Option<(&Entry, &[CertificateSlot])> {
        self.entries.iter().find_map(|entry| match &entry.kind {
            EntryKind::PrivateKey { chain } => Some((entry, chain.as_slice())),
            _ => None,
        })
    }
}

/// Where an entry of a Windows store stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemStoreEntry {
    /// The system store it is in.
    pub store: SystemStore,
    /// Who keeps it there.
    pub managed_by: ManagedBy,
}

/// Who keeps a certificate in a Windows store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManagedBy {
    /// Whoever administers the machine.
    Machine,
    /// The machine has a private key for it: it is somebody's identity.
    Key,
    /// Somebody else, who would bring it back: group policy, say.
    Other(String),
}

/// Whether a private key opened with its store's password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyLook {
    /// It did, and belongs to the certificate (or that could not be told).
    Opens,
    /// It has another password.
    OtherPassword,
    /// It opened and does not belong to its certificate.
    Mismatch,
    /// It could not be judged; why.
    Unknown(String),
}

/// What was seen of a certificate file.
#[derive(Clone, Debug)]
pub enum SourceLook {
    /// One certificate.
    Found {
        /// The certificate.
        certificate: Arc<Certificate>,
        /// The file.
        path: PathBuf,
    },
    /// None of the files is there.
    Missing {
        /// Where it was looked for.
        folder: PathBuf,
        /// The names tried.
        names: Vec<String>,
        /// A file that was meant, perhaps, and what to do about it; a clause, for people.
        near: Option<String>,
    },
    /// Files that hold different certificates.
    Ambiguous {
        /// The files.
        paths: Vec<PathBuf>,
    },
    /// A file is there and cannot be used.
    Unreadable(ReadFailure),
}

/// What lies in an authority's inbox.
#[derive(Clone, Debug, Default)]
pub struct InboxLook {
    /// Its files, by path.
    pub files: Vec<InboxFile>,
    /// Why the folder could not be read.
    pub failure: Option<String>,
}

/// One file of an inbox.
#[derive(Clone, Debug)]
pub struct InboxFile {
    /// The file.
    pub path: PathBuf,
    /// The certificates in it, in its order.
    pub certificates: Vec<Arc<Certificate>>,
    /// Why none, or not all, could be read.
    pub failure: Option<ReadFailure>,
}

/// A store of which nobody can tell yet what a run did there: the run was cut off, or its disk went away at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclear {
    /// The run.
    pub run: RunId,
    /// The store.
    pub store: StoreId,
    /// Why it cannot be told.
    pub why: String,
}

/// What a service presented when it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServedLook {
    /// This certificate, first in its chain.
    Presented(CertificateSlot),
    /// It could not be asked; why, for people.
    Unreachable(String),
}

/// What lies where an earlier run put a new key.
#[derive(Clone, Debug)]
pub enum StagedLook {
    /// A key with its certificate.
    Key(StagedKey),
    /// Something is there, and nobody can tell which key: it cannot be read, or is not one key with its certificate.
    Unreadable(ReadFailure),
}

impl StagedLook {
    /// The key, where it can be told.
    pub fn key(&self) -> Option<&StagedKey> {
        match self {
            Self::Key(key) => Some(key),
            Self::Unreadable(_) => None,
        }
    }
}

/// A key minted by an earlier run.
#[derive(Clone, Debug)]
pub struct StagedKey {
    /// Its certificate.
    pub certificate: Arc<Certificate>,
    /// Whether its key opened with the target's password.
    pub opens: bool,
    /// The staging file.
    pub path: PathBuf,
    /// When it was made.
    pub since: jiff::Timestamp,
}

/// One thing that was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Input {
    /// The kind of input.
    pub kind: InputKind,
    /// The file.
    pub path: String,
    /// Its digest; `None` is absent.
    pub sha256: Option<Digest>,
}

/// Kinds of input.
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

/// The parsed certificate of an entry that can be trusted.
pub(crate) fn certificate(entry: &Entry) -> Option<&Arc<Certificate>> {
    trusted(entry)?.certificate()
}

/// The certificate of an entry that can be trusted, if it is one.
pub(crate) fn trusted(entry: &Entry) -> Option<&CertificateSlot> {
    match &entry.kind {
        EntryKind::Trusted(slot) => Some(slot),
        EntryKind::PrivateKey { .. } | EntryKind::SecretKey | EntryKind::Untrusted(_) | EntryKind::Opaque(_) => None,
    }
}
