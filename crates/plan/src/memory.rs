//! The meaning of a written store for the ledger. It takes the changes of a store, and adds to the ledger what is
//! certain or what is assumed. It writes no file.
//!
//! A run that was cut off can leave a store of which nobody can tell whether it was written: its disk is away, or
//! somebody else wrote it since. Then everything that the write may have meant is assumed, in addition to what was
//! known. An entry that may be ours is ours if it is there. A service may still present a certificate that may have
//! been replaced. A restart that may be needed is pending. An assumption never removes anything that was known.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trustmason_keystore::{Alias, EntryId, EntryKey, Fingerprint, Store};
use trustmason_spec::name::{ServiceId, StoreId};

use crate::change::{Change, Edit, Material};
use crate::ledger::{Ledger, PendingRestart, PlacedEntry, PlacedKey, Predecessor};
use crate::outline::Plan;
use crate::pack::KnownCertificates;
use crate::run_id::RunId;

/// The additions that one written store makes to the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerEffect {
    /// Entries placed, by their key in the ledger.
    pub placed: BTreeMap<PlacedKey, PlacedEntry>,
    /// The keys of entries that were deleted.
    pub gone: Vec<PlacedKey>,
    /// Entries that got another alias: the key before, and the key after.
    pub moved: Vec<(PlacedKey, PlacedKey)>,
    /// Certificates that identities had before.
    pub predecessors: BTreeMap<Fingerprint, Predecessor>,
    /// Services that must be restarted.
    pub restarts: Vec<ServiceId>,
    /// For a store that was restored: the entries that are ours now, instead of all that were ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<BTreeMap<PlacedKey, PlacedEntry>>,
    /// For a store that was restored: certificates that are no predecessors any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<Fingerprint>,
}

impl LedgerEffect {
    /// The meaning of changes that are about to be made to a store.
    pub fn of(
        plan: &Plan,
        store: &Store,
        changes: &[&Change],
        certificates: &KnownCertificates<'_>,
        run: &RunId,
        now: Timestamp,
    ) -> Self {
        let format = store.format();
        let mut memory = Self::default();
        let key_of = |id: &EntryId| Some(PlacedKey::from(&EntryKey::of(format, store.entry(*id)?)?));
        for change in changes {
            let rule = change.rule.as_ref().map(ToString::to_string).unwrap_or_default();
            let mut place = |alias: &Option<Alias>, material: &Material| {
                if let Some(certificate) = certificates.get(material) {
                    let sha256 = certificate.fingerprint();
                    let placed = PlacedEntry { sha256, rule: rule.clone(), run: run.clone(), at: now };
                    let key = EntryKey::new(format, alias.clone(), sha256);
                    memory.placed.insert(PlacedKey::from(&key), placed);
                }
            };
            match &change.edit {
                Edit::Import { alias, material } => place(alias, material),
                Edit::Replace { entries, alias, material } => {
                    place(alias, material);
                    memory.gone.extend(entries.iter().filter_map(key_of));
                }
                Edit::Rename { entry, to } => {
                    let to = PlacedKey::from(&EntryKey::Alias(to.clone()));
                    memory.moved.extend(key_of(entry).map(|from| (from, to)));
                }
                Edit::Delete { entry, because: _ } => memory.gone.extend(key_of(entry)),
                Edit::InstallKey { identity, .. } => {
                    let mint = plan.mints.get(identity);
                    let old = mint.and_then(|mint| mint.replaces);
                    if let (Some(old), Some(new)) = (old, certificates.minted.get(identity)) {
                        let predecessor = Predecessor {
                            identity: identity.clone(),
                            replaced_by: new.fingerprint(),
                            run: Some(run.clone()),
                            at: now,
                            staged: mint.is_some_and(|mint| mint.staged),
                        };
                        memory.predecessors.insert(old, predecessor);
                    }
                }
            }
        }
        let made = |id| changes.iter().any(|change| change.id == id);
        let restarts = plan.restarts.iter().filter(|restart| restart.because.iter().any(|id| made(*id)));
        memory.restarts = restarts.map(|restart| restart.service.clone()).collect();
        memory
    }

    /// The meaning of a rollback of the write behind this memory. `placed` are the entries that were ours before. Until
    /// its restart a service may still present the certificate that is rolled back, so its trusters keep that
    /// certificate.
    #[must_use]
    pub fn taken_back(&self, placed: &BTreeMap<PlacedKey, PlacedEntry>, run: &RunId, now: Timestamp) -> Self {
        let back = |(old, was): (&Fingerprint, &Predecessor)| {
            let predecessor = Predecessor {
                identity: was.identity.clone(),
                replaced_by: *old,
                run: Some(run.clone()),
                at: now,
                staged: true,
            };
            (was.replaced_by, predecessor)
        };
        Self {
            predecessors: self.predecessors.iter().map(back).collect(),
            restarts: self.restarts.clone(),
            restored: Some(placed.clone()),
            forgotten: self.predecessors.keys().copied().collect(),
            ..Self::default()
        }
    }
}

impl Ledger {
    /// Adds the meaning of a written store. A second call with the same memory changes nothing more. A service whose
    /// restart was acknowledged after `at`, when the run began, has read what the run wrote. Its restart is not asked
    /// for again.
    pub fn remember(&mut self, store: &StoreId, memory: &LedgerEffect, run: &RunId, at: Timestamp) {
        let LedgerEffect { placed, gone, moved, predecessors, restarts, restored, forgotten } = memory;
        let here = self.placed.entry(store.clone()).or_default();
        // All renames at once, as in the store itself: two entries may have swapped their aliases.
        let moving: Vec<_> = moved.iter().filter_map(|(from, to)| here.remove(from).map(|p| (to.clone(), p))).collect();
        for key in gone {
            here.remove(key);
        }
        here.extend(moving);
        here.extend(placed.iter().map(|(key, placed)| (key.clone(), placed.clone())));
        if let Some(restored) = restored {
            here.clone_from(restored);
        }
        if here.is_empty() {
            self.placed.remove(store);
        }
        if let Some(perhaps) = self.perhaps.get_mut(store) {
            perhaps.retain(|key, _| !gone.contains(key) && !placed.contains_key(key));
            if perhaps.is_empty() {
                self.perhaps.remove(store);
            }
        }
        self.presented.extend(predecessors.values().map(|p| (p.identity.clone(), p.replaced_by)));
        self.changed(predecessors.values().map(|p| &p.identity));
        self.predecessors.extend(predecessors.iter().map(|(print, p)| (*print, p.clone())));
        self.predecessors.retain(|print, _| !forgotten.contains(print));
        self.wait_for(restarts, run, at);
    }

    /// Adds the meaning of a store that may or may not have been written. Nothing that was known is removed.
    pub fn assume(&mut self, store: &StoreId, memory: &LedgerEffect, run: &RunId, at: Timestamp) {
        let here = self.placed.get(store).cloned().unwrap_or_default();
        let moved = memory.moved.iter().filter_map(|(from, to)| Some((to.clone(), here.get(from)?.clone())));
        let placed = memory.placed.iter().chain(memory.restored.iter().flatten());
        let placed = placed.map(|(key, placed)| (key.clone(), placed.clone()));
        let new = moved.chain(placed).filter(|(key, placed)| here.get(key).is_none_or(|p| p.sha256 != placed.sha256));
        let new: BTreeMap<PlacedKey, PlacedEntry> = new.collect();
        if !new.is_empty() {
            self.perhaps.entry(store.clone()).or_default().extend(new);
        }
        self.changed(memory.predecessors.values().map(|p| &p.identity));
        for (print, predecessor) in &memory.predecessors {
            let assumed = || Predecessor { staged: true, ..predecessor.clone() };
            self.predecessors.entry(*print).or_insert_with(assumed);
        }
        self.wait_for(&memory.restarts, run, at);
    }

    fn wait_for(&mut self, restarts: &[ServiceId], run: &RunId, at: Timestamp) {
        for service in restarts {
            if self.acks.get(service).is_some_and(|ack| ack.at > at) {
                continue;
            }
            let since = || PendingRestart { since: at, run: None };
            self.restarts.entry(service.clone()).or_insert_with(since).run = Some(run.clone());
        }
    }
}
