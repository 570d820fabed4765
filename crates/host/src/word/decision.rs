//! What a person decided (a pack confirmed, a restart acknowledged) goes into the audit log and the ledger under the lock, or
//! not at all.

use std::path::PathBuf;

use jiff::Timestamp;
use trustmason_keystore::Digest;
use trustmason_plan::ledger::Ledger;
use trustmason_plan::run_id::RunId;

use crate::disk::{Disk, DiskError};
use crate::record::audit::{Audit, Entry};
use crate::record::ledger::{self, Loaded};
use crate::state::lock::{Lock, LockError};

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// Another run came between the looking and the lock.
    #[error("{} was written in the meantime; repeat the command", ledger.display())]
    Overtaken {
        /// The ledger.
        ledger: PathBuf,
    },
    /// Another run is at work.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The log or the ledger cannot be stored.
    #[error("it could not be recorded: {0}")]
    Disk(#[from] DiskError),
}

/// A decision: what the ledger becomes by it, and its lines in the log. The digest tells two of one moment apart.
pub(crate) struct Decision<'a> {
    pub ledger: &'a Ledger,
    pub lines: &'a [Entry],
    pub digest: Digest,
    pub now: Timestamp,
}

/// Records it.
pub(crate) fn record(
    decision: &Decision<'_>,
    loaded: &Loaded,
    disk: &Disk,
    lock: &mut Lock,
) -> Result<(), DecisionError> {
    let run = RunId::new(decision.now, decision.digest);
    lock.sign(disk, &run, decision.now)?;
    if !ledger::is_still(lock.state(), loaded)? {
        lock.unsign(disk)?;
        return Err(DecisionError::Overtaken { ledger: lock.state().ledger() });
    }
    let audit = Audit::of(disk, lock.state());
    // The log comes first, with what runs that were cut off owe it: the ledger that is stored next no longer knows of that.
    let logged = audit.complete(&loaded.owed).and_then(|()| audit.append(decision.lines));
    let ledger = Ledger { version: ledger::VERSION, ..decision.ledger.clone() };
    let stored = logged.and_then(|()| ledger::store(disk, lock.state(), &ledger, loaded.sha256, &run));
    let unsigned = lock.unsign(disk);
    stored?;
    Ok(unsigned?)
}
