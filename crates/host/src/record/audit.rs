//! The audit log: `state/audit.jsonl`, one JSON object per line. Lines are only ever added. It records what was done to
//! which entry, by whom, in which run and why, and every decision of a person. It holds public facts only. If its changes
//! are replayed, beginning with the stores before the first run, the result is the trusted entries of today, except for
//! what other programs wrote (`docs/audit.md`).
//!
//! The changes of a run are taken from its journal when the run ends. If a run was cut off, the next one adds its
//! changes. Lines that are there already are not added again, so a crash in between loses nothing and doubles nothing.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trustmason_keystore::{Digest, Fingerprint, Interner, Store, StoredAlias};
use trustmason_plan::change::{Action, ChangeId};
use trustmason_plan::run_id::RunId;
use trustmason_plan::target::HandOffTarget;
use trustmason_spec::name::{Fqdn, IdentityId, ServiceId, StoreId};

use crate::disk::{self, Disk, DiskError, ReadLimit};
use crate::record::approval::Approval;
use crate::record::journal::{self, ChangedEntryKind, Fact, Intent, Record, Replayed};
use crate::record::sites::Sites;
use crate::state::State;

/// The kind of event that a line records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditEvent {
    /// A run began.
    Run,
    /// A run began that takes another one back.
    Rollback,
    /// An entry was changed.
    Change,
    /// A pack was written for a person.
    Pack,
    /// A person confirmed a pack.
    Confirm,
    /// A person reported that a service was restarted.
    Ack,
    /// A certificate that a service presents was written to the file of its identity.
    Collect,
    /// A person declared the clock right although something speaks against it.
    Clock,
}

/// The author of a run, and the approval of the run.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// The user, by the system's name.
    pub who: &'a str,
    /// How the run was approved.
    pub approval: Approval,
}

/// One line. Fields that do not apply are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The time; for a change the time at which its run began.
    pub at: Timestamp,
    /// The user, by the system's name.
    pub who: String,
    /// The machine.
    pub machine: String,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The kind of event that the line records.
    pub event: AuditEvent,
    /// The host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Fqdn>,
    /// The store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreId>,
    /// The identity that a pack is for, or whose certificate was collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityId>,
    /// The service that was restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    /// The entry's alias before the change; for a new entry its alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<StoredAlias>,
    /// The entry's alias after the change, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<StoredAlias>,
    /// The action on the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The kind of the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ChangedEntryKind>,
    /// The certificate that was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Fingerprint>,
    /// The certificate that was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Fingerprint>,
    /// The rule behind the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The reason, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The digest of the plan; for a pack or its confirmation the digest of what the pack asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Digest>,
    /// The number of the change in its plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeId>,
    /// How the run was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// The run that is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<RunId>,
}

impl AuditEntry {
    /// A line of this user on this machine, with nothing else in it yet.
    pub fn new(event: AuditEvent, at: Timestamp, who: &str) -> Self {
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

    /// Adds the store.
    pub fn of_store(self, store: &StoreId) -> Self {
        Self { host: Some(store.host.clone()), store: Some(store.clone()), ..self }
    }

    /// Adds the identity.
    pub fn of_identity(self, identity: &IdentityId) -> Self {
        Self { host: Some(identity.host.clone()), identity: Some(identity.clone()), ..self }
    }

    /// Adds the target of a hand-off.
    pub fn of_target(self, target: &HandOffTarget) -> Self {
        match target {
            HandOffTarget::Store(store) => self.of_store(store),
            HandOffTarget::Identity(identity) => self.of_identity(identity),
        }
    }

    /// Adds the service.
    pub fn of_service(self, service: &ServiceId) -> Self {
        Self { host: Some(service.host.clone()), service: Some(service.clone()), ..self }
    }
}

/// The audit log of an estate.
#[derive(Clone, Copy, Debug)]
pub struct Audit<'a> {
    disk: &'a Disk,
    state: &'a State,
}

impl<'a> Audit<'a> {
    /// The log of an estate. A caller that adds to it must hold the lock.
    pub fn of(disk: &'a Disk, state: &'a State) -> Self {
        Self { disk, state }
    }

    /// Adds lines and brings them to the disk.
    ///
    /// # Errors
    /// Fails if the lines may not be on the disk.
    pub fn append(&self, entries: &[AuditEntry]) -> Result<(), DiskError> {
        if entries.is_empty() {
            return Ok(());
        }
        let path = self.state.audit();
        // A power cut may have left half a line. It stays, and the next line begins on a line of its own.
        let mut text = if disk::ends_in(&path, ReadLimit::Audit, b'\n')? { Vec::new() } else { b"\n".to_vec() };
        for entry in entries {
            serde_json::to_writer(&mut text, entry)
                .map_err(|error| DiskError::new("describe a change for", &path, error.into()))?;
            text.push(b'\n');
        }
        let mut file = self.disk.append(&path, ReadLimit::Audit)?;
        file.write(&text)?;
        file.sync()
    }

    /// Adds the lines that are not there yet.
    ///
    /// # Errors
    /// Fails if the lines may not be on the disk.
    pub fn complete(&self, entries: &[AuditEntry]) -> Result<(), DiskError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut there: Vec<AuditEntry> = read(self.state)?;
        let missing = entries.iter().filter(|entry| match there.iter().position(|line| line == *entry) {
            // Two equal lines of one run are two changes, so each line found is counted once.
            Some(at) => {
                there.swap_remove(at);
                false
            }
            None => true,
        });
        let missing: Vec<AuditEntry> = missing.cloned().collect();
        self.append(&missing)
    }
}

/// Reads the log. A line that does not parse, such as half a line after a power cut, is skipped.
///
/// # Errors
/// Fails if the log is there and cannot be read.
pub fn read(state: &State) -> Result<Vec<AuditEntry>, DiskError> {
    let bytes = disk::read_if_there(&state.audit(), ReadLimit::Audit)?.unwrap_or_default();
    Ok(bytes.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// The log's lines for a run's journal, beginning with the line for the run itself.
pub(crate) fn of_journal(records: &[Record], run: &RunId, sites: Sites<'_>) -> Vec<AuditEntry> {
    of_replayed(records, &journal::replay(records, run, sites), run, sites)
}

/// The same for some of the run's stores: those whose outcome is known.
pub(crate) fn of_replayed(records: &[Record], replays: &[Replayed], run: &RunId, sites: Sites<'_>) -> Vec<AuditEntry> {
    let begin = records.iter().find_map(|record| match record {
        Record::Begin { plan, at, who, machine, approval, undoes, .. } => {
            let event = if undoes.is_some() { AuditEvent::Rollback } else { AuditEvent::Run };
            Some(AuditEntry {
                machine: machine.clone(),
                run: Some(run.clone()),
                plan: Some(*plan),
                approval: *approval,
                undoes: undoes.clone(),
                ..AuditEntry::new(event, *at, who)
            })
        }
        _ => None,
    });
    let Some(begin) = begin else { return Vec::new() };
    let line = |event| AuditEntry { event, approval: None, undoes: None, ..begin.clone() };
    let mut entries = vec![begin.clone()];
    for replayed in replays {
        entries.extend(happened(replayed, sites).into_iter().map(|fact| AuditEntry {
            alias: fact.alias,
            to: fact.to,
            action: Some(fact.action),
            kind: Some(fact.kind),
            before: fact.before,
            after: fact.after,
            rule: fact.rule,
            reason: Some(fact.reason),
            change: Some(fact.change),
            ..line(AuditEvent::Change).of_store(&replayed.intent.store)
        }));
    }
    entries.extend(records.iter().filter_map(|record| match record {
        Record::Pack { target, handoff } => {
            Some(AuditEntry { plan: Some(handoff.pack), ..line(AuditEvent::Pack).of_target(target) })
        }
        _ => None,
    }));
    entries
}

/// The changes of one intent of a journal that were made: all if the whole store was written, none if nothing was. If a
/// folder was written in part, they are the changes that the folder on disk shows now; an unreadable folder shows none.
pub(crate) fn happened(replayed: &Replayed, sites: Sites<'_>) -> Vec<Fact> {
    let facts = &replayed.intent.facts;
    if replayed.is_done() {
        return facts.clone();
    }
    if !replayed.wrote() {
        return Vec::new();
    }
    seen(&replayed.intent, sites)
}

/// The changes of an intent with a folder that can be seen there now.
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
