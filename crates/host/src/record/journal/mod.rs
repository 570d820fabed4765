//! A run's journal: one JSON object per line, each on the disk before the action that it announces. It holds public
//! facts only. The next run reads from it what an interrupted run did, so that neither a placed entry nor a predecessor
//! is forgotten.
//!
//! A journal names hosts, and paths as the hosts write them ([`PieceAt`]). A copy is named by its place below the run's
//! `backup` folder ([`CopyName`]). No path of this machine and no working folder is in it, so it means the same
//! wherever it is read. [`read`] is strict: one unreadable line makes the whole journal unreadable, except for the half
//! line at the end that a power cut leaves.

mod read;
mod replayed;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trustmason_keystore::{Digest, Fingerprint, Format, StoredAlias};
use trustmason_plan::change::{Action, ChangeId};
use trustmason_plan::ledger::{HandOff, PlacedEntry, PlacedKey};
use trustmason_plan::memory::LedgerEffect;
use trustmason_plan::run_id::RunId;
use trustmason_plan::site::PieceAt;
use trustmason_plan::target::HandOffTarget;
use trustmason_plan::undo::Presented;
use trustmason_spec::name::{IdentityId, StoreId};

use crate::disk::{Attributes, Disk, DiskError, FileWriter, Owner, ReadLimit};
use crate::record::approval::Approval;
use crate::state::State;
pub(crate) use read::of_record;
pub use read::{JournalError, check, digest, read};
pub use replayed::{PieceOutcome, Replayed};
pub(crate) use replayed::{piece_outcomes, replay};

/// The layout version that this program writes and reads. Version 1 had paths of the machine that wrote it.
pub const VERSION: u32 = 2;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Record {
    /// The run begins.
    Begin {
        /// The version of the journal's layout.
        journal: u32,
        /// The run's id.
        run: RunId,
        /// The estate.
        estate: String,
        /// The digest of the run's plan.
        plan: Digest,
        /// When the run began.
        at: Timestamp,
        /// The user who began the run, by the system's name.
        who: String,
        /// The machine that the run worked on.
        machine: String,
        /// How the run was approved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval: Option<Approval>,
        /// The run that this one takes back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undoes: Option<RunId>,
    },
    /// A key was made, or resumed from an earlier run, and is in staging.
    Staged {
        /// The identity that the key is for.
        identity: IdentityId,
        /// The certificate made for the key.
        sha256: Fingerprint,
        /// An earlier run made the key.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        resumed: bool,
    },
    /// A staged key that an earlier run made is in its store. A copy is kept, because no other copy would exist once
    /// the store is put back.
    Arrived {
        /// The identity that the key is for.
        identity: IdentityId,
        /// The format of the staging file.
        #[serde(with = "staging_format")]
        format: Format,
        /// The copy.
        copy: CopyAt,
        /// The copy's digest.
        sha256: Digest,
    },
    /// A store's old content was copied.
    Backup {
        /// The store.
        store: StoreId,
        /// The part that was copied.
        of: PieceAt,
        /// The copy.
        copy: CopyAt,
        /// Owner and mode of the original, even if the copy could not get them.
        owner: Owner,
        /// Access list and attributes of the original, even if the copy could not get them.
        #[serde(default, skip_serializing_if = "Attributes::is_empty")]
        attributes: Attributes,
        /// The digest of the original.
        sha256: Digest,
    },
    /// A store is about to be written.
    Intent(Box<Intent>),
    /// The outcome of a store.
    Outcome {
        /// The store.
        store: StoreId,
        /// The outcome of the store as a whole.
        outcome: Ended,
        /// The error, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// If the store was not written as a whole: the parts that have their new content all the same.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        written: Vec<PieceAt>,
        /// If the store was not written as a whole: the parts that the run could not tell about. They are looked at
        /// again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unclear: Vec<PieceAt>,
    },
    /// A pack was written.
    Pack {
        /// The store or the identity that the pack is for.
        target: HandOffTarget,
        /// The ledger's record of the pack.
        handoff: HandOff,
    },
    /// The run ends.
    End {
        /// When the run ended.
        at: Timestamp,
    },
}

/// A store that is about to be written: its state before and after, and what the ledger will record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// The store.
    pub store: StoreId,
    /// The store's digest before; `None` if the store is created.
    pub before: Option<Digest>,
    /// The store's digest after; `None` if the store is removed, or for stores of the system, whose parts have digests.
    pub after: Option<Digest>,
    /// The parts that are written or removed: the store's own file, files of its folder, or system stores.
    pub pieces: Vec<Piece>,
    /// The effect of the write on the ledger.
    pub memory: LedgerEffect,
    /// The ledger's records of the store's entries before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub placed: BTreeMap<PlacedKey, PlacedEntry>,
    /// The certificates that the identities which this store should trust presented when the run was planned, as far as
    /// they were seen.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub presented: BTreeMap<IdentityId, Presented>,
    /// The actions on the store's entries, for the audit log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
}

/// One part of an intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// The place of the part, as its host names it.
    pub at: PieceAt,
    /// The part's digest before; `None` if it is created.
    pub before: Option<Digest>,
    /// The part's digest after; `None` if it is removed.
    pub after: Option<Digest>,
}

/// The outcome of a store as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Every part has its new content.
    Written,
    /// The store held the planned content already.
    Unchanged,
    /// The store was not as expected.
    Stale,
    /// The store could not be written.
    Failed,
    /// None of the store's changes could be made.
    Skipped,
}

/// The action on one entry, with its details.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// The number of the change in its plan.
    pub change: ChangeId,
    /// The action.
    pub action: Action,
    /// The entry's alias before the change, or a new entry's alias; `None` if the store has no aliases.
    pub alias: Option<StoredAlias>,
    /// The entry's alias after the change, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<StoredAlias>,
    /// The kind of the entry.
    pub kind: ChangedEntryKind,
    /// The certificate that is removed.
    pub before: Option<Fingerprint>,
    /// The certificate that is added.
    pub after: Option<Fingerprint>,
    /// The rule behind the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The reason, for people.
    pub reason: String,
}

/// The kinds of entry that a run changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangedEntryKind {
    /// A trusted certificate.
    TrustedCertificate,
    /// A private key with its chain.
    PrivateKey,
}

/// Where a copy is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopyAt {
    /// Below the run's own `backup` folder.
    Here(CopyName),
    /// At the host, kept by a program there. This version reads such a record and refuses to use it.
    #[serde(rename_all = "kebab-case")]
    AtHost {
        /// The run that the host keeps the copy under.
        run: RunId,
        /// The store that was copied.
        store: StoreId,
        /// The copy's digest.
        sha256: Digest,
    },
}

/// The place of a copy below a run's `backup` folder: at most four plain names, one below the other. No other text is
/// accepted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CopyName(Vec<String>);

impl CopyName {
    /// The place of a copy below this folder.
    ///
    /// # Errors
    /// Fails if the copy is not below the folder, or if a name on the way is not plain.
    pub fn of(folder: &Path, copy: &Path) -> Result<Self, String> {
        let below = copy.strip_prefix(folder).ok().and_then(Path::to_str);
        let below = below.ok_or_else(|| format!("{} is not below {}", copy.display(), folder.display()))?;
        Self::parse(&below.replace(std::path::MAIN_SEPARATOR, "/"))
    }

    /// Reads `FQDN/STORE` and similar places.
    ///
    /// # Errors
    /// Fails if the text is no sequence of plain names.
    pub fn parse(text: &str) -> Result<Self, String> {
        let plain = |name: &&str| {
            !name.is_empty()
                && !name.trim_matches('.').is_empty()
                && !name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\' | ':'))
        };
        let names: Vec<&str> = text.split('/').collect();
        if names.len() <= 4 && names.iter().all(plain) {
            Ok(Self(names.into_iter().map(str::to_owned).collect()))
        } else {
            Err(format!("`{}` is no place below a backup folder", trustmason_plan::text::escape(text)))
        }
    }

    /// The path of the copy below the backup folder.
    pub(crate) fn below(&self, folder: &Path) -> PathBuf {
        folder.join(self.0.iter().collect::<PathBuf>())
    }
}

impl fmt::Display for CopyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

impl TryFrom<String> for CopyName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<CopyName> for String {
    fn from(name: CopyName) -> Self {
        name.to_string()
    }
}

/// The formats of staging files, by their names.
mod staging_format {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use trustmason_keystore::Format;

    use crate::state::staging;

    pub(super) fn serialize<S: Serializer>(format: &Format, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(format.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Format, D::Error> {
        let name = String::deserialize(deserializer)?;
        staging::format_named(&name).ok_or_else(|| serde::de::Error::custom(format!("no key is staged as `{name}`")))
    }
}

/// A journal being written. Threads may share it.
#[derive(Debug)]
pub struct Journal<'a> {
    file: Mutex<JournalFile<'a>>,
    /// The folder of the run's copies.
    backups: PathBuf,
}

/// The file of a journal. A line that could be written only in part is cut off again before the next one, so only the
/// last line of a journal can ever be incomplete.
#[derive(Debug)]
struct JournalFile<'a> {
    file: FileWriter<'a>,
    /// The length of the complete lines, in bytes.
    whole: u64,
    /// Whether something follows the complete lines.
    torn: bool,
}

impl JournalFile<'_> {
    fn add(&mut self, line: &[u8]) -> Result<(), DiskError> {
        if self.torn {
            self.file.cut(self.whole)?;
            self.torn = false;
        }
        let added = self.file.write(line);
        if added.is_err() {
            self.torn = self.file.cut(self.whole).is_err();
            return added;
        }
        self.whole = self.whole.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        self.file.sync()?;
        // If the file no longer has its name, the next run would not find the line.
        self.file.check_unchanged(self.whole)
    }
}

impl<'a> Journal<'a> {
    /// Opens a run's journal. The run's folder must exist.
    ///
    /// # Errors
    /// Fails if the file cannot be opened.
    pub fn open(disk: &'a Disk, state: &State, run: &RunId) -> Result<Self, DiskError> {
        let file = JournalFile { file: disk.append(&state.journal(run), ReadLimit::Journal)?, whole: 0, torn: false };
        Ok(Self { file: Mutex::new(file), backups: state.backups(run) })
    }

    /// Adds a line and brings it to the disk.
    ///
    /// # Errors
    /// Fails if the line may not be on the disk. The action that it announces must then not be done.
    pub fn note(&self, record: &Record) -> Result<(), DiskError> {
        let mut line = serde_json::to_vec(record)
            .map_err(|error| DiskError::new("describe a step for", Path::new("the journal"), error.into()))?;
        line.push(b'\n');
        self.file.lock().unwrap_or_else(PoisonError::into_inner).add(&line)
    }

    /// The journal's name for a copy below its run's `backup` folder.
    pub(crate) fn copy_at(&self, copy: &Path) -> Result<CopyAt, DiskError> {
        let name = CopyName::of(&self.backups, copy);
        let named = name.map_err(|why| DiskError::new("name the copy", copy, std::io::Error::other(why)));
        named.map(CopyAt::Here)
    }
}

#[cfg(test)]
use read::of_bytes;
#[cfg(test)]
pub(crate) mod tests;
