//! The ledger: what the runs of an estate record for later runs. Plain data; the planner reads it, and `host` keeps it
//! in the estate's state folder.
#![warn(clippy::arithmetic_side_effects)]

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trustmason_keystore::{Digest, EntryKey, Fingerprint};
use trustmason_spec::name::{IdentityId, ServiceId, StoreId};
use trustmason_spec::topology::Side;

use crate::run_id::RunId;
use crate::target::HandOffTarget;

/// The record of an estate's runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ledger {
    /// Version of the layout of the file.
    pub version: u32,
    /// The estate that the ledger belongs to; empty before the first run.
    pub estate: String,
    /// Entries this tool placed: by store, then by key.
    pub placed: BTreeMap<StoreId, BTreeMap<PlacedKey, PlacedEntry>>,
    /// Entries that a run may have placed, if it cannot be told any more what the run did: by store, then by key. If
    /// such an entry is in the store, it is ours; if it is not, nothing follows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub perhaps: BTreeMap<StoreId, BTreeMap<PlacedKey, PlacedEntry>>,
    /// Certificates that identities had before.
    pub predecessors: BTreeMap<Fingerprint, Predecessor>,
    /// The certificate that each identity's store held when a run ended or a person acknowledged a restart. If the
    /// store holds another one, a change was not recorded: one by hand, or one by a run that an older state folder does
    /// not know.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub presented: BTreeMap<IdentityId, Fingerprint>,
    /// Packs handed to people, by `store:FQDN/STORE` or `identity:FQDN/IDENTITY`.
    pub handoffs: BTreeMap<HandOffTarget, HandOff>,
    /// Services whose store changed, and whose restart nobody has reported.
    pub restarts: BTreeMap<ServiceId, PendingRestart>,
    /// The last reported restart of each service.
    pub acks: BTreeMap<ServiceId, Ack>,
    /// The runs, the oldest first.
    pub runs: Vec<RunRecord>,
}

/// The name of an entry in the ledger: the text of its [`EntryKey`], an alias or a fingerprint. Only the store's format
/// tells which of the two it is. A name that was read is therefore compared with another, and never parsed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlacedKey(String);

impl PlacedKey {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&EntryKey> for PlacedKey {
    fn from(key: &EntryKey) -> Self {
        Self(key.to_string())
    }
}

/// An entry that this tool placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacedEntry {
    /// The certificate of the entry.
    pub sha256: Fingerprint,
    /// The rule that wanted the entry.
    pub rule: String,
    /// The run that placed the entry.
    pub run: RunId,
    /// When the run placed the entry.
    pub at: Timestamp,
}

/// A certificate that an identity had before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predecessor {
    /// The identity that had the certificate.
    pub identity: IdentityId,
    /// The certificate that replaced it.
    pub replaced_by: Fingerprint,
    /// The run that replaced it; `None` if no run did.
    pub run: Option<RunId>,
    /// When the certificate was replaced.
    pub at: Timestamp,
    /// Whether the service may present this certificate until its restart, so that trusters keep it beside the new one.
    #[serde(default)]
    pub staged: bool,
}

/// A pack handed to a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandOff {
    /// Digest of the content: the certificates that the store must hold, and those that must be removed.
    pub pack: Digest,
    /// When the pack was first written with this content.
    pub written: Timestamp,
    /// The confirmation of a person, if there is one.
    pub confirmed: Option<Confirmation>,
    /// For an identity that was asked for with `--replace`: the certificate that must be renewed. The request stands
    /// while the identity has this certificate and nobody has confirmed the pack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Fingerprint>,
}

/// A person's confirmation of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// When the person confirmed it.
    pub at: Timestamp,
    /// The user who confirmed the pack, by the system's name.
    pub by: String,
    /// Whether a person only reported it, or an export was read.
    pub kind: ConfirmationKind,
    /// The certificates that the store holds: all of an export, or those that the pack asked for.
    pub holds: BTreeSet<Fingerprint>,
    /// The certificates that were removed.
    pub gone: BTreeSet<Fingerprint>,
    /// The mirror's digest at that moment. If the mirror changes later, the mirror counts more than the confirmation.
    pub mirror: Option<Digest>,
}

/// The source of a confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfirmationKind {
    /// Reported by a person.
    Claimed,
    /// Read from an export.
    Observed,
}

/// A restart that nobody has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingRestart {
    /// The moment since which the restart is pending.
    pub since: Timestamp,
    /// The run that made the restart necessary; `None` if no run did.
    pub run: Option<RunId>,
}

/// The content that a service reads if it restarts now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceReading {
    /// The next certificates of rotations under way, by the store that holds them.
    pub next: BTreeMap<StoreId, BTreeSet<Fingerprint>>,
    /// The state of each store of the service that can be seen.
    pub stores: BTreeMap<StoreId, StoreVersion>,
    /// The certificate of each identity of the service.
    pub presents: BTreeMap<IdentityId, Fingerprint>,
}

/// The state of a store at a moment. Two equal states mean one and the same write. A store that was restored to the
/// same bytes has another state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreVersion {
    /// Digest of the store.
    pub sha256: Digest,
    /// When the store was last written, as its disk says; only compared for equality.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Timestamp>,
}

/// A restart that somebody reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ack {
    /// When the restart was reported.
    pub at: Timestamp,
    /// The user who reported the restart, by the system's name, or the command that restarted the service.
    pub by: String,
    /// The next certificates of rotations that each store of the service held then. The service has read them.
    #[serde(default)]
    pub read: BTreeMap<StoreId, BTreeSet<Fingerprint>>,
    /// The state of each store of the service then. The service has surely read it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub seen: BTreeMap<StoreId, StoreVersion>,
    /// The certificate that each identity of the service had then. An identity that got another certificate since is
    /// left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub presents: BTreeMap<IdentityId, Fingerprint>,
}

impl Ack {
    /// Records that a service restarted and read this content.
    pub fn new(at: Timestamp, by: &str, reading: &ServiceReading) -> Self {
        let ServiceReading { next, stores, presents } = reading;
        Self { at, by: by.to_owned(), read: next.clone(), seen: stores.clone(), presents: presents.clone() }
    }
}

/// One run, as the ledger records it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// The id of the run: time and a short digest, sortable.
    pub id: RunId,
    /// When the run began.
    pub started: Timestamp,
    /// When the run ended; `None` while it is open: it works, was cut off, or has an outcome that could not be seen
    /// yet.
    pub finished: Option<Timestamp>,
    /// The stores of an open run whose outcome could not be seen when the run was recovered. The ledger has everything
    /// else that the run did. Empty before the recovery.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unclear: BTreeSet<StoreId>,
    /// Digest of the journal of a run that has ended. The journal does not change any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<Digest>,
    /// Digest of the plan that the run carried out.
    pub plan: Digest,
    /// How many stores were written.
    pub written: u32,
    /// How many stores failed.
    pub failed: u32,
    /// How many stores were left alone.
    pub skipped: u32,
    /// The run that this run rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<RunId>,
    /// The run that rolled this run back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<RunId>,
    /// Whether the run's backups were removed because of their age.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pruned: bool,
    /// The `--host` globs that limited the run. Empty for a run that was read from its journal, because they are not
    /// known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// The `--side` that limited the run; unknown in the same case as `hosts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
}

/// A moment in the ledger, and the event at that moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// The moment.
    pub at: Timestamp,
    /// The event, as the rest of a sentence that begins with "when".
    pub what: String,
}

impl Ledger {
    /// The newest moment in the ledger.
    pub fn newest(&self) -> Option<Moment> {
        // Uses `moments_mut`, so that there is only one list of the moments.
        let mut copy = self.clone();
        copy.moments_mut().into_iter().map(|(at, what)| Moment { at: *at, what }).max()
    }

    /// Sets every moment after `now` to `now`. This is for a clock that a person confirmed: the events did happen, and
    /// not in the future. Nothing else changes; the ids of runs and the audit log keep the times that were written
    /// then.
    pub fn not_after(&mut self, now: Timestamp) {
        for (at, _) in self.moments_mut() {
            *at = now.min(*at);
        }
    }

    /// Every moment in the ledger, with its event.
    fn moments_mut(&mut self) -> Vec<(&mut Timestamp, String)> {
        // Every field is named, so that a field that is added later must be considered here.
        let Self { version: _, estate: _, placed, perhaps, predecessors, presented: _, handoffs, restarts, acks, runs } =
            self;
        let by = |run: &Option<RunId>| run.as_ref().map_or_else(|| "somebody".to_owned(), |run| format!("run {run}"));
        let mut all: Vec<(&mut Timestamp, String)> = Vec::new();
        for run in runs {
            all.push((&mut run.started, format!("run {} began", run.id)));
            all.extend(run.finished.as_mut().map(|at| (at, format!("run {} ended", run.id))));
        }
        for (store, one) in
            placed.iter_mut().chain(perhaps).flat_map(|(store, all)| all.values_mut().map(move |one| (store, one)))
        {
            all.push((&mut one.at, format!("run {} wrote {store}", one.run)));
        }
        for one in predecessors.values_mut() {
            all.push((&mut one.at, format!("{} changed the certificate of {}", by(&one.run), one.identity)));
        }
        for (target, one) in handoffs {
            let target = target.full();
            all.push((&mut one.written, format!("the pack for {target} was written")));
            let said = one.confirmed.as_mut();
            all.extend(said.map(|said| (&mut said.at, format!("the pack for {target} was confirmed"))));
        }
        for (service, one) in restarts {
            all.push((&mut one.since, format!("{} made the restart of {service} needed", by(&one.run))));
        }
        for (service, one) in acks {
            all.push((&mut one.at, format!("the restart of {service} was acknowledged")));
        }
        all
    }

    /// Records that these identities have, or may have, other certificates now. Restarts with the certificates from
    /// before no longer count.
    pub fn changed<'a>(&mut self, identities: impl IntoIterator<Item = &'a IdentityId>) {
        for identity in identities {
            for ack in self.acks.values_mut() {
                ack.presents.remove(identity);
            }
        }
    }

    /// Whether this tool placed this certificate under this key, or may have placed it.
    pub fn placed(&self, store: &StoreId, key: &EntryKey, sha256: Fingerprint) -> bool {
        let key = PlacedKey::from(key);
        self.claims(store).any(|(claimed, placed)| *claimed == key && placed.sha256 == sha256)
    }

    /// The entries of a store that this tool placed or may have placed.
    pub fn claims(&self, store: &StoreId) -> impl Iterator<Item = (&PlacedKey, &PlacedEntry)> {
        [&self.placed, &self.perhaps].into_iter().filter_map(|claims| claims.get(store)).flatten()
    }

    /// The record of a run.
    pub fn run(&self, id: &RunId) -> Option<&RunRecord> {
        self.runs.iter().find(|record| record.id == *id)
    }

    /// The record of a run, for changes.
    pub fn run_mut(&mut self, id: &RunId) -> Option<&mut RunRecord> {
        self.runs.iter_mut().find(|record| record.id == *id)
    }
}
