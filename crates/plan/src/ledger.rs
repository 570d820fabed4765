//! What runs remember from one to the next. The planner reads it, `host` keeps it in the estate's state folder.
#![warn(clippy::arithmetic_side_effects)]

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trustmason_keystore::{Digest, EntryKey, Fingerprint};
use trustmason_spec::name::{IdentityId, ServiceId, StoreId};
use trustmason_spec::topology::Side;

use crate::run_id::RunId;
use crate::target::HandOffTarget;

/// The estate's memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ledger {
    /// Version of this file's layout.
    pub version: u32,
    /// The estate it belongs to; empty before its first run.
    pub estate: String,
    /// Entries this tool placed: by store, then by key.
    pub placed: BTreeMap<StoreId, BTreeMap<PlacedKey, Placed>>,
    /// Entries that a run may have placed of which nobody can tell any more what it did: by store, then as above. One that is
    /// there is ours, one that is not there means nothing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub perhaps: BTreeMap<StoreId, BTreeMap<PlacedKey, Placed>>,
    /// Certificates an identity had before.
    pub predecessors: BTreeMap<Fingerprint, Predecessor>,
    /// The certificate that each identity's store held when a run ended or a person acknowledged a restart. Another one there tells
    /// of a change that nobody noted: by hand, or by a run that an older state folder has forgotten.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub presented: BTreeMap<IdentityId, Fingerprint>,
    /// Packs handed to people, by `store:FQDN/STORE` or `identity:FQDN/IDENTITY`.
    pub handoffs: BTreeMap<HandOffTarget, HandOff>,
    /// Services whose store changed and that nobody said were restarted.
    pub restarts: BTreeMap<ServiceId, PendingRestart>,
    /// When a service was last said to be restarted.
    pub acks: BTreeMap<ServiceId, Ack>,
    /// Runs, oldest first.
    pub runs: Vec<RunRecord>,
}

/// What the ledger calls an entry: the text of its [`EntryKey`], an alias or a fingerprint. A file does not say which of the two
/// it is, since only the store's format tells; so a key that was read is compared with another, and never taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlacedKey(String);

impl PlacedKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&EntryKey> for PlacedKey {
    fn from(key: &EntryKey) -> Self {
        Self(key.to_string())
    }
}

/// An entry this tool placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placed {
    /// Its certificate.
    pub sha256: Fingerprint,
    /// The rule that wanted it.
    pub rule: String,
    /// The run that placed it.
    pub run: RunId,
    /// When the run placed it.
    pub at: Timestamp,
}

/// A certificate an identity had before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predecessor {
    /// The identity that had the certificate.
    pub identity: IdentityId,
    /// What took its place.
    pub replaced_by: Fingerprint,
    /// The run that did it; `None` where no run did.
    pub run: Option<RunId>,
    /// When the certificate was replaced.
    pub at: Timestamp,
    /// Whether its service may go on presenting it until it is restarted, so that trusters keep it beside the new one.
    #[serde(default)]
    pub staged: bool,
}

/// A pack handed to a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandOff {
    /// Digest of what the pack asks for: certificates to hold and to remove.
    pub pack: Digest,
    /// When it was first written in this shape.
    pub written: Timestamp,
    /// What a person said of it.
    pub confirmed: Option<Confirmation>,
    /// Of an identity that was asked for with `--replace`: the certificate that is to be made anew. While the identity has it and
    /// nobody confirmed the pack, it is still asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Fingerprint>,
}

/// What a person said of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// When the person said it.
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
    pub mirror: Option<Digest>,
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
#[serde(deny_unknown_fields)]
pub struct PendingRestart {
    /// Since when.
    pub since: Timestamp,
    /// The run that made it needed; `None` where no run did.
    pub run: Option<RunId>,
}

/// What a service reads when it is restarted now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The next certificates of rotations under way, by the store that holds them.
    pub next: BTreeMap<StoreId, BTreeSet<Fingerprint>>,
    /// The state of each of its stores that can be seen.
    pub stores: BTreeMap<StoreId, Seen>,
    /// The certificates that its identities have.
    pub presents: BTreeMap<IdentityId, Fingerprint>,
}

/// A store as it was seen at a moment: two states that are equal are one and the same writing of it. A store that was put back
/// to the very bytes it had before is another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Digest of the store.
    pub sha256: Digest,
    /// When it was written last, as its disk says; only compared for equality.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Timestamp>,
}

/// A restart somebody saw to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ack {
    /// When it was said.
    pub at: Timestamp,
    /// Who said it, as the system names them, or the command that did it.
    pub by: String,
    /// The next certificates of rotations that each of the service's stores held then: it has read them now.
    #[serde(default)]
    pub read: BTreeMap<StoreId, BTreeSet<Fingerprint>>,
    /// The state of each of the service's stores then: what it surely has read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub seen: BTreeMap<StoreId, Seen>,
    /// The certificates that the service's identities had then. One whose identity got another certificate since is not among
    /// them any more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub presents: BTreeMap<IdentityId, Fingerprint>,
}

impl Ack {
    /// A service was restarted and has read this.
    pub fn new(at: Timestamp, by: &str, reading: &Reading) -> Self {
        let Reading { next, stores, presents } = reading;
        Self { at, by: by.to_owned(), read: next.clone(), seen: stores.clone(), presents: presents.clone() }
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// Its id: time and a short digest, sortable.
    pub id: RunId,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; `None` while it is open: it is at work, was cut off, or did something whose outcome could not be seen yet.
    pub finished: Option<Timestamp>,
    /// The stores of an open run whose outcome could not be seen when it was recovered; all else it did is in the ledger. Empty
    /// while nothing of it was recovered.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unclear: BTreeSet<StoreId>,
    /// Digest of the journal of a run that has ended: it is not written to any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<Digest>,
    /// Digest of the plan it ran.
    pub plan: Digest,
    /// Stores written, failed and left alone.
    pub written: u32,
    /// See `written`.
    pub failed: u32,
    /// See `written`.
    pub skipped: u32,
    /// The run whose writing this one took back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<RunId>,
    /// The run that took this one's writing back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<RunId>,
    /// Whether its backups were removed because of their age.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pruned: bool,
    /// The `--host` globs it was limited to. Of a run that was read from its journal they are not known, and it has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// The `--side` it was limited to, as for `hosts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
}

/// A moment the ledger remembers, and what happened then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// The moment.
    pub at: Timestamp,
    /// What, as the rest of a sentence that begins with "when".
    pub what: String,
}

impl Ledger {
    /// The newest moment it remembers.
    pub fn newest(&self) -> Option<Moment> {
        // Told by `moments_mut`, so that no stamp is in one list only.
        let mut copy = self.clone();
        copy.moments_mut().into_iter().map(|(at, what)| Moment { at: *at, what }).max()
    }

    /// Takes every moment that lies after this one for this one. It is for a clock that a person vouched for: what is in the
    /// ledger did happen, and not in the future. Nothing else of it changes; the ids of runs and the audit log keep the times
    /// that were written then.
    pub fn not_after(&mut self, now: Timestamp) {
        for (at, _) in self.moments_mut() {
            *at = now.min(*at);
        }
    }

    /// Every moment in it, and what happened then.
    fn moments_mut(&mut self) -> Vec<(&mut Timestamp, String)> {
        // Taken apart by name: a field that is added later has to be thought of here.
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

    /// Identities have, or may have, other certificates now: that services were restarted with those they had before says nothing
    /// any more.
    pub fn changed<'a>(&mut self, identities: impl IntoIterator<Item = &'a IdentityId>) {
        for identity in identities {
            for ack in self.acks.values_mut() {
                ack.presents.remove(identity);
            }
        }
    }

    /// Whether this tool placed this very certificate under this key, or may have.
    pub fn placed(&self, store: &StoreId, key: &EntryKey, sha256: Fingerprint) -> bool {
        let key = PlacedKey::from(key);
        self.claims(store).any(|(claimed, placed)| *claimed == key && placed.sha256 == sha256)
    }

    /// The entries of a store that this tool placed or may have placed.
    pub fn claims(&self, store: &StoreId) -> impl Iterator<Item = (&PlacedKey, &Placed)> {
        [&self.placed, &self.perhaps].into_iter().filter_map(|claims| claims.get(store)).flatten()
    }

    /// A run's record.
    pub fn run(&self, id: &RunId) -> Option<&RunRecord> {
        self.runs.iter().find(|record| record.id == *id)
    }

    /// A run's record, to be changed.
    pub fn run_mut(&mut self, id: &RunId) -> Option<&mut RunRecord> {
        self.runs.iter_mut().find(|record| record.id == *id)
    }
}
