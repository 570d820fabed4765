//! The ledger on disk, loaded and stored as a whole. An interrupted run left its entry open. When the ledger is loaded,
//! the writes of such a run are added, as its journal and the disks show them, so that the planner never forgets which
//! entries trustmason placed. A write that cannot be told yet is looked at again each time, and is assumed until then.

mod convert;
mod recover;

use std::collections::BTreeSet;

use jiff::Timestamp;
use trustmason_keystore::Digest;
use trustmason_plan::ledger::Ledger;
use trustmason_plan::observed::{Observed, Unclear};
use trustmason_plan::run_id::RunId;
use trustmason_spec::topology::Topology;

use crate::disk::{self, Disk, DiskError, ExpectedTarget, Owner, ReadLimit, Replacement};
use crate::record::audit::AuditEntry;
use crate::record::journal::JournalError;
use crate::state::State;
pub(crate) use recover::new_record;

/// The layout version that this program writes. Version 1 is read and converted; see `docs/state.md`.
pub const VERSION: u32 = 2;

/// A ledger as it was loaded.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The ledger with certain facts only. It may be stored.
    pub ledger: Ledger,
    /// The certain facts, plus everything that runs with an unknown outcome may have done. Plans are judged by this.
    pub assumed: Ledger,
    /// The digest of the ledger's file; `None` if there was none.
    pub sha256: Option<Digest>,
    /// Interrupted runs from whose journals something was added now.
    pub recovered: Vec<RunId>,
    /// Stores for which it cannot be told yet what a run did there.
    pub unclear: Vec<Unclear>,
    /// The lines that these runs owe the audit log. They must be added to the log before this ledger is stored.
    pub(crate) owed: Vec<AuditEntry>,
}

impl Loaded {
    /// Enters what the stores of identities hold now (see [`trustmason_plan::notice`]), and makes the planner judge by
    /// that.
    pub fn notice(&mut self, topology: &Topology, observed: &mut Observed, now: Timestamp) {
        for ledger in [&mut self.ledger, &mut self.assumed] {
            trustmason_plan::notice(ledger, topology, observed, now);
        }
        observed.ledger.clone_from(&self.assumed);
    }
}

/// Why a ledger cannot be used. Nothing may be done without the ledger, because it says which entries trustmason
/// placed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The content is not what this program writes.
    #[error("{path} is damaged: {cause}; restore it from a backup of the state folder")]
    Damaged {
        /// The file.
        path: String,
        /// Where and why.
        cause: String,
    },
    /// A newer program wrote the file.
    #[error("{path} has layout version {found}, but this program reads {VERSION}; use the newer program")]
    Version {
        /// The file.
        path: String,
        /// The layout version found in it.
        found: u64,
    },
    /// An older program wrote the file, and a run of that program was cut off. Only that program can read the run's
    /// journal.
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
    /// The ledger belongs to another estate.
    #[error(
        "the state folder {folder} belongs to estate `{found}`, not to `{wanted}`; give each estate its own `state:` (or, if it \
         was renamed, change `estate` in ledger.json)"
    )]
    Estate {
        /// The state folder.
        folder: String,
        /// The estate that the state folder belongs to.
        found: String,
        /// The estate of the spec.
        wanted: String,
    },
    /// The journal of an interrupted run cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Loads the ledger of an estate. An absent ledger counts as an empty one.
///
/// # Errors
/// [`LedgerError`]; then nothing may be done.
pub fn load(state: &State, topology: &Topology) -> Result<Loaded, LedgerError> {
    state.check()?;
    let path = state.ledger();
    let shown = || path.display().to_string();
    let damaged = |cause: String| LedgerError::Damaged { path: shown(), cause };
    let bytes = disk::read_if_there(&path, ReadLimit::Ledger)?;
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

/// Refuses contradictions that no run of this program writes into a ledger.
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

/// Whether the ledger on disk is the one that was loaded. Asked once the lock is held: storing the ledger without this
/// check could undo what another run recorded.
pub(crate) fn is_still(state: &State, loaded: &Loaded) -> Result<bool, DiskError> {
    Ok(digest_of(&state.ledger())? == loaded.sha256)
}

/// The digest of a ledger's file.
pub(crate) fn digest_of(path: &std::path::Path) -> Result<Option<Digest>, DiskError> {
    Ok(disk::read_if_there(path, ReadLimit::Ledger)?.map(|bytes| Digest::of(&bytes)))
}

/// Parsed before the rest, so that a newer layout is not reported as damage.
#[derive(serde::Deserialize)]
struct Version {
    version: u64,
}

/// Stores the ledger, completely or not at all, in place of the one with the expected digest. An unchanged ledger is
/// not written. Returns the digest of the stored ledger.
///
/// # Errors
/// Fails with the step that failed, or because another program wrote the ledger. The old ledger, or the other
/// program's, is then in place.
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
    let (owner, expected) = (Owner::ours(0o600), ExpectedTarget::Anything);
    let new = Replacement {
        target: &path,
        bytes: &bytes,
        limit: ReadLimit::Ledger,
        owner,
        attributes: None,
        expected,
        run: run.as_str(),
    };
    disk.replace(new, is_expected).map_err(|error| error.into_error(&path))?;
    Ok(digest)
}

#[cfg(test)]
mod tests;
