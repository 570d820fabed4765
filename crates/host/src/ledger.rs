//! The ledger on disk: loaded whole, stored whole. A run that was interrupted left its record open; what its journal and the
//! disk say was written is added here, so that the planner never forgets what is ours.

use trustmason_keystore::Fingerprint;
use trustmason_plan::ledger::{Ledger, PendingRestart};
use trustmason_spec::name::StoreId;

use crate::audit::{self, Entry};
use crate::disk::{self, Disk, DiskError, Limit};
use crate::journal::{self, Memory, Record};
use crate::state::State;

/// The version of the layout this program writes.
pub const VERSION: u32 = 1;

/// A ledger as it was found.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// It.
    pub ledger: Ledger,
    /// The digest of its file; `None` where there was none.
    pub sha256: Option<Fingerprint>,
    /// Runs that were interrupted and whose deeds were added from their journals.
    pub recovered: Vec<String>,
    /// What they owe the audit log. Whoever stores this ledger adds it first.
    pub(crate) owed: Vec<Entry>,
}

/// Why a ledger cannot be used. Nothing may be done without it: it tells what is ours.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The file is not what this program wrote.
    #[error("{path} is damaged: {cause}; restore it from a backup of the state folder")]
    Damaged {
        /// The file.
        path: String,
        /// Where and why.
        cause: String,
    },
    /// A newer program wrote it.
    #[error("{path} has layout version {found}, this program knows {VERSION}; use the newer program")]
    Version {
        /// The file.
        path: String,
        /// Its version.
        found: u64,
    },
}

/// Loads the ledger of an estate. An absent one is an empty one.
///
/// # Errors
/// [`LedgerError`]; nothing may be done then.
pub fn load(state: &State) -> Result<Loaded, LedgerError> {
    let path = state.ledger();
    let shown = || path.display().to_string();
    let damaged = |error: serde_json::Error| LedgerError::Damaged { path: shown(), cause: error.to_string() };
    let Some(bytes) = disk::read_if_there(&path, Limit::Ledger)? else {
        return Ok(Loaded { ledger: Ledger { version: VERSION, ..Ledger::default() }, ..Loaded::default() });
    };
    let version: Version = serde_json::from_slice(&bytes).map_err(damaged)?;
    if version.version != u64::from(VERSION) {
        return Err(LedgerError::Version { path: shown(), found: version.version });
    }
    let ledger: Ledger = serde_json::from_slice(&bytes).map_err(damaged)?;
    let mut loaded = Loaded { ledger, sha256: Some(Fingerprint::of(&bytes)), ..Loaded::default() };
    recover(state, &mut loaded)?;
    Ok(loaded)
}

/// Whether the ledger on disk is the one that was loaded. Asked once the lock is held: whoever stores the ledger without it
/// would undo what another run has noted.
pub(crate) fn is_still(state: &State, loaded: &Loaded) -> Result<bool, DiskError> {
    let now = disk::read_if_there(&state.ledger(), Limit::Ledger)?.map(|bytes| Fingerprint::of(&bytes));
    Ok(now == loaded.sha256)
}

/// Looked at before the rest, so that a newer layout is told apart from damage.
#[derive(serde::Deserialize)]
struct Version {
    version: u64,
}

/// Stores the ledger, whole or not at all; one that has not changed is not written.
///
/// # Errors
/// The step that failed; the old ledger is there then.
pub fn store(disk: &Disk, state: &State, ledger: &Ledger, run: &str) -> Result<bool, DiskError> {
    let path = state.ledger();
    let mut text =
        serde_json::to_vec_pretty(ledger).map_err(|error| DiskError::new("describe", &path, error.into()))?;
    text.push(b'\n');
    disk.keep(&path, &text, Limit::Ledger, run)
}

/// Adds what interrupted runs did, and closes them, so that it happens once: what a person says afterwards stands.
fn recover(state: &State, loaded: &mut Loaded) -> Result<(), DiskError> {
    let open: Vec<_> = loaded.ledger.runs.iter().filter(|r| r.finished.is_none()).cloned().collect();
    for run in open {
        let records = journal::read(state, &run.id)?;
        let deeds = journal::deeds(&records, &run.id, state);
        for deed in deeds.iter().filter(|deed| deed.done) {
            remember(&mut loaded.ledger, &deed.intent.store, &deed.intent.memory, &run.id, run.started);
        }
        loaded.owed.extend(audit::of_journal(&records, &run.id, state));
        let mut finished = run.started;
        for record in records {
            match record {
                Record::Pack { target, handoff } => {
                    loaded.ledger.handoffs.insert(target, handoff);
                }
                Record::End { at } => finished = at,
                Record::Begin { .. }
                | Record::Staged { .. }
                | Record::Arrived { .. }
                | Record::Backup { .. }
                | Record::Intent(_)
                | Record::Outcome { .. } => {}
            }
        }
        if let Some(record) = loaded.ledger.runs.iter_mut().find(|r| r.id == run.id) {
            record.finished = Some(finished);
            let touched = deeds.iter().filter(|deed| !deed.written.is_empty()).count();
            record.written = u32::try_from(touched).unwrap_or(u32::MAX);
        }
        loaded.recovered.push(run.id);
    }
    Ok(())
}

/// The digest of a file or folder, as stores have it.
pub(crate) fn digest(path: &std::path::Path) -> Option<Fingerprint> {
    if path.is_dir() {
        disk::read_folder(path).ok().map(|files| disk::folder_digest(&files))
    } else {
        disk::read(path, Limit::Export).ok().map(|bytes| Fingerprint::of(&bytes))
    }
}

/// Adds what a written store means to the ledger. Doing it twice changes nothing more.
pub(crate) fn remember(ledger: &mut Ledger, store: &StoreId, memory: &Memory, run: &str, at: jiff::Timestamp) {
    let Memory { placed, gone, moved, predecessors, restarts, restored, forgotten } = memory;
    let here = ledger.placed.entry(store.clone()).or_default();
    // All at once, as in the store itself: aliases may have been swapped.
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
        ledger.placed.remove(store);
    }
    ledger.predecessors.extend(predecessors.iter().map(|(print, p)| (*print, p.clone())));
    ledger.predecessors.retain(|print, _| !forgotten.contains(print));
    for service in restarts {
        let pending =
            ledger.restarts.entry(service.clone()).or_insert_with(|| PendingRestart { since: at, run: run.to_owned() });
        run.clone_into(&mut pending.run);
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
