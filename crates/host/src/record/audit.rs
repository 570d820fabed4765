//! The audit log: `state/audit.jsonl`, one JSON object a line, only ever added to. It tells what was done to which entry, by
//! whom, in which run and why, and every decision of a person; public facts only. Who replays its changes from empty stores
//! arrives at the trusted entries that stand there (`docs/audit.md`).
//!
//! A run's changes are taken from its journal when the run closes. Those of a run that was cut off are added by the next one;
//! lines that are there already are not added again, so that a crash in between costs and doubles nothing.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trustmason_keystore::{Digest, Fingerprint, Interner, Store, StoredAlias};
use trustmason_plan::change::{Action, ChangeId};
use trustmason_plan::run_id::RunId;
use trustmason_plan::target::HandOffTarget;
use trustmason_spec::name::{Fqdn, IdentityId, ServiceId, StoreId};

use crate::disk::{self, Disk, DiskError, Limit};
use crate::record::approval::Approval;
use crate::record::journal::{self, Deed, Fact, Intent, Kind, Record};
use crate::record::sites::Sites;
use crate::state::State;

/// What a line tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A run was begun.
    Run,
    /// A run was begun that takes another one back.
    Rollback,
    /// An entry was changed.
    Change,
    /// A pack was written for a person.
    Pack,
    /// A person confirmed a pack.
    Confirm,
    /// A person said that a service was restarted.
    Ack,
    /// A certificate that a service presents was filed as its identity's.
    Collect,
    /// A person said that the clock is right, though something speaks against it.
    Clock,
}

/// Who begins a run, and how it was approved.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// The user, as the system names them.
    pub who: &'a str,
    /// How the run was approved.
    pub approval: Approval,
}

/// One line. What does not apply is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When; of a change, when its run began.
    pub at: Timestamp,
    /// Who, as the system names them.
    pub who: String,
    /// On which machine.
    pub machine: String,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// What it tells of.
    pub event: Event,
    /// The host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Fqdn>,
    /// The store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreId>,
    /// The identity a pack is for, or whose certificate was collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityId>,
    /// The service that was restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    /// The entry's alias before the change (of a new entry: its alias).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<StoredAlias>,
    /// Its alias afterwards, where that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<StoredAlias>,
    /// What was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// What kind of entry it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The certificate that left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Fingerprint>,
    /// The certificate that came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Fingerprint>,
    /// The rule behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Digest of the plan (of a pack or its confirmation: of what the pack asks for).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Digest>,
    /// The change's number in its plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeId>,
    /// How the run was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// The run that is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<RunId>,
}

impl Entry {
    /// A line of one person on this machine, with nothing in it yet.
    pub fn new(event: Event, at: Timestamp, who: &str) -> Self {
        Self {
            at,
            who: who.to_owned(),
            machine: crate::machine::name(),
            run: None,
            event,
            host: None,
            store: None,
            identity: None,
            service: None,
            alias: None,
            to: None,
            action: None,
            kind: None,
            before: None,
            after: None,
            rule: None,
            reason: None,
            plan: None,
            change: None,
            approval: None,
            undoes: None,
        }
    }

    /// About a store.
    pub fn of_store(self, store: &StoreId) -> Self {
        Self { host: Some(store.host.clone()), store: Some(store.clone()), ..self }
    }

    /// About an identity.
    pub fn of_identity(self, identity: &IdentityId) -> Self {
        Self { host: Some(identity.host.clone()), identity: Some(identity.clone()), ..self }
    }

    /// About a hand-off.
    pub fn of_target(self, target: &HandOffTarget) -> Self {
        match target {
            HandOffTarget::Store(store) => self.of_store(store),
            HandOffTarget::Identity(identity) => self.of_identity(identity),
        }
    }

    /// About a service.
    pub fn of_service(self, service: &ServiceId) -> Self {
        Self { host: Some(service.host.clone()), service: Some(service.clone()), ..self }
    }
}

/// The log of an estate.
#[derive(Clone, Copy, Debug)]
pub struct Audit<'a> {
    disk: &'a Disk,
    state: &'a State,
}

impl<'a> Audit<'a> {
    /// Of an estate; the lock must be held by who adds to it.
    pub fn of(disk: &'a Disk, state: &'a State) -> Self {
        Self { disk, state }
    }

    /// Adds lines and brings them to the disk.
    ///
    /// # Errors
    /// That they are not sure to be there.
    pub fn append(&self, entries: &[Entry]) -> Result<(), DiskError> {
        if entries.is_empty() {
            return Ok(());
        }
        let path = self.state.audit();
        // A power cut may have left half a line: it stays, and the next one is a line of its own.
        let mut text = if disk::ends_in(&path, Limit::Audit, b'\n')? { Vec::new() } else { b"\n".to_vec() };
        for entry in entries {
            serde_json::to_writer(&mut text, entry)
                .map_err(|error| DiskError::new("describe a change for", &path, error.into()))?;
            text.push(b'\n');
        }
        let mut file = self.disk.append(&path, Limit::Audit)?;
        file.write(&text)?;
        file.sync()
    }

    /// Adds those lines that are not there yet.
    ///
    /// # Errors
    /// That they are not sure to be there.
    pub fn complete(&self, entries: &[Entry]) -> Result<(), DiskError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut there: Vec<Entry> = read(self.state)?;
        let missing = entries.iter().filter(|entry| match there.iter().position(|line| line == *entry) {
            // Two equal lines of one run are two deeds: each is looked for once.
            Some(at) => {
                there.swap_remove(at);
                false
            }
            None => true,
        });
        let missing: Vec<Entry> = missing.cloned().collect();
        self.append(&missing)
    }
}

/// Reads the log as far as it goes. Half a line, which a power cut leaves, is passed over.
///
/// # Errors
/// That it is there and cannot be read.
pub fn read(state: &State) -> Result<Vec<Entry>, DiskError> {
    let bytes = disk::read_if_there(&state.audit(), Limit::Audit)?.unwrap_or_default();
    Ok(bytes.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// What a run's journal has to say in the log, its beginning first.
pub(crate) fn of_journal(records: &[Record], run: &RunId, sites: Sites<'_>) -> Vec<Entry> {
    of_deeds(records, &journal::deeds(records, run, sites), run, sites)
}

/// The same of some of its deeds: those whose outcome is known.
pub(crate) fn of_deeds(records: &[Record], deeds: &[Deed], run: &RunId, sites: Sites<'_>) -> Vec<Entry> {
    let begin = records.iter().find_map(|record| match record {
        Record::Begin { plan, at, who, machine, approval, undoes, .. } => {
            let event = if undoes.is_some() { Event::Rollback } else { Event::Run };
            Some(Entry {
                machine: machine.clone(),
                run: Some(run.clone()),
                plan: Some(*plan),
                approval: *approval,
                undoes: undoes.clone(),
                ..Entry::new(event, *at, who)
            })
        }
        _ => None,
    });
    let Some(begin) = begin else { return Vec::new() };
    let line = |event| Entry { event, approval: None, undoes: None, ..begin.clone() };
    let mut entries = vec![begin.clone()];
    for deed in deeds {
        entries.extend(happened(deed, sites).into_iter().map(|fact| Entry {
            alias: fact.alias,
            to: fact.to,
            action: Some(fact.action),
            kind: Some(fact.kind),
            before: fact.before,
            after: fact.after,
            rule: fact.rule,
            reason: Some(fact.reason),
            change: Some(fact.change),
            ..line(Event::Change).of_store(&deed.intent.store)
        }));
    }
    entries.extend(records.iter().filter_map(|record| match record {
        Record::Pack { target, handoff } => {
            Some(Entry { plan: Some(handoff.pack), ..line(Event::Pack).of_target(target) })
        }
        _ => None,
    }));
    entries
}

/// What of an intent came about: all of it, nothing, or, of a folder that was written in part, what can be seen there.
pub(crate) fn happened(deed: &Deed, sites: Sites<'_>) -> Vec<Fact> {
    let facts = &deed.intent.facts;
    if deed.is_done() {
        return facts.clone();
    }
    if !deed.wrote() {
        return Vec::new();
    }
    seen(&deed.intent, sites)
}

/// What of an intent with a folder is to be seen there now.
pub(crate) fn seen(intent: &Intent, sites: Sites<'_>) -> Vec<Fact> {
    let facts = &intent.facts;
    let files = sites.folder(&intent.store).and_then(|folder| disk::read_folder(&folder).ok());
    let Some(store) = files.and_then(|files| Store::open_directory(files, &Interner::new()).ok()) else {
        return Vec::new();
    };
    let slots = store.entries().iter().flat_map(|entry| entry.certificates());
    let there: BTreeSet<Fingerprint> = slots.map(|slot| slot.fingerprint()).collect();
    let came = |fact: &Fact| fact.after.is_none_or(|print| there.contains(&print));
    let left = |fact: &Fact| fact.before == fact.after || fact.before.is_none_or(|print| !there.contains(&print));
    facts.iter().filter(|fact| came(fact) && left(fact)).cloned().collect()
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
