//! What runs remember from one to the next. The planner reads it, `host` keeps it in the estate's state folder.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trustmason_keystore::Fingerprint;
use trustmason_spec::name::{IdentityId, ServiceId, StoreId};

use crate::target::HandOffTarget;

/// The estate's memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ledger {
    /// Version of this file's layout.
    pub version: u32,
    /// The estate it belongs to; empty before its first run.
    pub estate: String,
    /// Entries this tool placed: by store, then by alias (lower case; where a store has no aliases, the fingerprint).
    pub placed: BTreeMap<StoreId, BTreeMap<String, Placed>>,
    /// Certificates an identity had before.
    pub predecessors: BTreeMap<Fingerprint, Predecessor>,
    /// Packs handed to people, by `store:FQDN/STORE` or `identity:FQDN/IDENTITY`.
    pub handoffs: BTreeMap<HandOffTarget, HandOff>,
    /// Services whose store changed and that nobody said were restarted.
    pub restarts: BTreeMap<ServiceId, PendingRestart>,
    /// When a service was last said to be restarted.
    pub acks: BTreeMap<ServiceId, Ack>,
    /// Runs, oldest first.
    pub runs: Vec<RunRecord>,
}

/// An entry this tool placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Its certificate.
    pub sha256: Fingerprint,
    /// The rule that wanted it.
    pub rule: String,
    /// The run that placed it.
    pub run: String,
    /// When.
    pub at: Timestamp,
}

/// A certificate an identity had before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Predecessor {
    /// Whose it was.
    pub identity: IdentityId,
    /// What took its place.
    pub replaced_by: Fingerprint,
    /// The run that did it.
    pub run: String,
    /// When.
    pub at: Timestamp,
    /// Whether its service may go on presenting it until it is restarted, so that trusters keep it beside the new one.
    #[serde(default)]
    pub staged: bool,
}

/// A pack handed to a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOff {
    /// Digest of what the pack asks for: certificates to hold and to remove.
    pub pack: Fingerprint,
    /// When it was first written in this shape.
    pub written: Timestamp,
    /// What a person said of it.
    pub confirmed: Option<Confirmation>,
}

/// What a person said of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// When.
    pub at: Timestamp,
    /// Who said it, as the system names them.
    pub by: String,
    /// Whether it was only said or read from an export.
    pub kind: ConfirmationKind,
    /// What the store holds by it: an observed export's whole listing, or what the pack asked to be there.
    pub holds: BTreeSet<Fingerprint>,
    /// What is gone by it.
    pub gone: BTreeSet<Fingerprint>,
    /// The mirror's digest at that moment; when the mirror changes later, the mirror counts.
    pub mirror: Option<Fingerprint>,
}

/// How a confirmation is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfirmationKind {
    /// A person's word.
    Claimed,
    /// Read from an export.
    Observed,
}

/// A restart nobody acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRestart {
    /// Since when.
    pub since: Timestamp,
    /// The run that made it needed.
    pub run: String,
}

/// What a service reads of rotations under way: by store, the next certificates it holds.
pub type Reading = BTreeMap<StoreId, BTreeSet<Fingerprint>>;

/// A restart somebody saw to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// When it was said.
    pub at: Timestamp,
    /// Who said it, as the system names them, or the command that did it.
    pub by: String,
    /// The next certificates of rotations that each of the service's stores held then: it has read them now.
    #[serde(default)]
    pub read: Reading,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its id: time and a short digest, sortable.
    pub id: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; `None` while open or after a crash.
    pub finished: Option<Timestamp>,
    /// Digest of the plan it ran.
    pub plan: Fingerprint,
    /// Stores written, failed and left alone.
    pub written: u32,
    /// See `written`.
    pub failed: u32,
    /// See `written`.
    pub skipped: u32,
    /// The run whose writing this one took back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// The run that took this one's writing back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<String>,
    /// Whether its backups were removed because of their age.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pruned: bool,
}

impl Ledger {
    /// Whether this tool placed this very certificate under this alias.
    pub fn placed(&self, store: &StoreId, alias: &str, sha256: Fingerprint) -> bool {
        self.placed.get(store).and_then(|p| p.get(alias)).is_some_and(|p| p.sha256 == sha256)
    }
}
