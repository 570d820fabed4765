//! The ledger on disk: loaded whole, stored whole. A run that was interrupted left its record open; what its journal and the
//! disks say was written is added here, so that the planner never forgets what is ours. What cannot be told yet is asked again
//! each time, and assumed until then.

mod convert;
mod recover;

use std::collections::BTreeSet;

use jiff::Timestamp;
use trustmason_keystore::Digest;
use trustmason_plan::ledger::Ledger;
use trustmason_plan::observed::{Observed, Unclear};
use trustmason_plan::run_id::RunId;
use trustmason_spec::topology::Topology;

use crate::disk::{self, Disk, DiskError, Limit, Over, Owner, Replacement};
use crate::record::audit::Entry;
use crate::record::journal::JournalError;
use crate::state::State;
pub(crate) use recover::new_record;

/// The version of the layout this program writes. Version 1 is read and taken over; see `docs/state.md`.
pub const VERSION: u32 = 2;

/// A ledger as it was found.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// What is known for certain: what may be stored.
    pub ledger: Ledger,
    /// What is known, with everything on top that runs may have done whose outcome cannot be seen: what may be judged by.
    pub assumed: Ledger,
    /// The digest of its file; `None` where there was none.
    pub sha256: Option<Digest>,
    /// Runs that were interrupted and of which something was added from their journals now.
    pub recovered: Vec<RunId>,
    /// Stores of which nobody can tell yet what a run did there.
    pub unclear: Vec<Unclear>,
    /// What they owe the audit log. Whoever stores this ledger adds it first.
    pub(crate) owed: Vec<Entry>,
}

impl Loaded {
    /// Takes in what the stores of identities hold now (see [`trustmason_plan::notice`]), and lets the planner judge by that.
    pub fn notice(&mut self, topology: &Topology, observed: &mut Observed, now: Timestamp) {
        for ledger in [&mut self.ledger, &mut self.assumed] {
            trustmason_plan::notice(ledger, topology, observed, now);
        }
        observed.ledger.clone_from(&self.assumed);
    }
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
    #[error("{path} has layout version {found}, but this program reads {VERSION}; use the newer program")]
    Version {
        /// The file.
        path: String,
        /// Its version.
        found: u64,
    },
    /// An older program wrote it, and a run of that program was cut off: only that program reads its journal.
    #[error(
        "{path} has layout version 1, and run {run} of that version was interrupted; finish it with the program that began it \
         (its `apply` or `rollback`), then use this one"
    )]
    CutOff {
        /// The file.
        path: String,
        /// The run.
        run: RunId,
    },
    /// It is another estate's.
    #[error(
        "the state folder {folder} belongs to estate `{found}`, not to `{wanted}`; give each estate its own `state:` (or, if it \
         was renamed, change `estate` in ledger.json)"
    )]
    Estate {
        /// The state folder.
        folder: String,
        /// The estate that the state folder belongs to.
        found: String,
        /// Whose the spec is.
        wanted: String,
    },
    /// What an interrupted run did cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Loads the ledger of an estate. An absent one is an empty one.
///
/// # Errors
/// [`LedgerError`]; nothing may be done then.
pub fn load(state: &State, topology: &Topology) -> Result<Loaded, LedgerError> {
    state.check()?;
    let path = state.ledger();
    let shown = || path.display().to_string();
    let damaged = |cause: String| LedgerError::Damaged { path: shown(), cause };
    let bytes = disk::read_if_there(&path, Limit::Ledger)?;
    let ledger = match &bytes {
        None => Ledger { version: VERSION, ..Ledger::default() },
        Some(bytes) => {
            let version: Version = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
            match version.version {
                1 => {
                    let ledger = convert::from_version_1(bytes, topology).map_err(damaged)?;
                    if let Some(open) = ledger.runs.iter().find(|record| record.finished.is_none()) {
                        return Err(LedgerError::CutOff { path: shown(), run: open.id.clone() });
                    }
                    ledger
                }
                found if found == u64::from(VERSION) => {
                    serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?
                }
                found => return Err(LedgerError::Version { path: shown(), found }),
            }
        }
    };
    check(&ledger).map_err(damaged)?;
    if !ledger.estate.is_empty() && ledger.estate != topology.estate {
        return Err(LedgerError::Estate {
            folder: state.root().display().to_string(),
            found: ledger.estate,
            wanted: topology.estate.clone(),
        });
    }
    let sha256 = bytes.map(|bytes| Digest::of(&bytes));
    let mut loaded = Loaded { ledger, sha256, ..Loaded::default() };
    recover::recover(state, topology, &mut loaded)?;
    Ok(loaded)
}

/// What no run of this program writes into a ledger.
fn check(ledger: &Ledger) -> Result<(), String> {
    let ids: BTreeSet<&RunId> = ledger.runs.iter().map(|record| &record.id).collect();
    if ids.len() != ledger.runs.len() {
        return Err("a run is in it twice".to_owned());
    }
    for record in &ledger.runs {
        for other in record.undoes.iter().chain(&record.undone_by) {
            if !ids.contains(other) || *other == record.id {
                return Err(format!("run {} is bound to run {other}, which is not in it", record.id));
            }
        }
        if record.finished.is_some() && !record.unclear.is_empty() {
            return Err(format!("run {} has ended and is open", record.id));
        }
    }
    Ok(())
}

/// Whether the ledger on disk is the one that was loaded. Asked once the lock is held: whoever stores the ledger without it
/// would undo what another run has noted.
pub(crate) fn is_still(state: &State, loaded: &Loaded) -> Result<bool, DiskError> {
    Ok(digest_of(&state.ledger())? == loaded.sha256)
}

/// The digest of a ledger's file.
pub(crate) fn digest_of(path: &std::path::Path) -> Result<Option<Digest>, DiskError> {
    Ok(disk::read_if_there(path, Limit::Ledger)?.map(|bytes| Digest::of(&bytes)))
}

/// Looked at before the rest, so that a newer layout is told apart from damage.
#[derive(serde::Deserialize)]
struct Version {
    version: u64,
}

/// Stores the ledger, whole or not at all, in the place of the one with the expected digest; one that has not changed is not
/// written. Answers the digest of what stands there now.
///
/// # Errors
/// The step that failed, or that another program wrote the ledger; the old one, or the other's, is there then.
pub(crate) fn store(
    disk: &Disk,
    state: &State,
    ledger: &Ledger,
    expected: Option<Digest>,
    run: &RunId,
) -> Result<Digest, DiskError> {
    let path = state.ledger();
    let mut bytes =
        serde_json::to_vec_pretty(ledger).map_err(|error| DiskError::new("describe", &path, error.into()))?;
    bytes.push(b'\n');
    let digest = Digest::of(&bytes);
    let is_expected = || -> Result<(), DiskError> {
        if digest_of(&path)? == expected {
            return Ok(());
        }
        let cause = "another program wrote it at the same time, and that content was left as it is";
        Err(DiskError::new("write", &path, std::io::Error::new(std::io::ErrorKind::AlreadyExists, cause)))
    };
    is_expected()?;
    if expected == Some(digest) {
        return Ok(digest);
    }
    let (owner, over) = (Owner::ours(0o600), Over::Anything);
    let new = Replacement {
        target: &path,
        bytes: &bytes,
        limit: Limit::Ledger,
        owner,
        attributes: None,
        over,
        run: run.as_str(),
    };
    disk.replace(new, is_expected).map_err(|error| error.into_error(&path))?;
    Ok(digest)
}

#[cfg(test)]
mod tests;
