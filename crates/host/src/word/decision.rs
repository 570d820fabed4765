//! Stores a person's decision (a pack confirmed, a restart acknowledged, the clock declared right) under the lock:
//! first its lines in the audit log, then the ledger. The decision counts once the ledger is stored.

use std::path::PathBuf;

use jiff::Timestamp;
use trustmason_keystore::Digest;
use trustmason_plan::ledger::Ledger;
use trustmason_plan::run_id::RunId;

use crate::disk::{Disk, DiskError};
use crate::record::audit::{Audit, AuditEntry};
use crate::record::ledger::{self, Loaded};
use crate::state::lock::{Lock, LockError};

/// Why a decision was not stored. After [`DecisionError::Disk`] the log, and rarely the ledger too, may hold it all the
/// same.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// Another run wrote the ledger after it was loaded and before the lock was signed.
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

/// A decision: the new ledger, and its lines for the log. The digest distinguishes two decisions of the same moment.
pub(crate) struct Decision<'a> {
    pub ledger: &'a Ledger,
    pub lines: &'a [AuditEntry],
    pub digest: Digest,
    pub now: Timestamp,
}

/// Stores a decision.
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
    // The log comes first, with the lines that interrupted runs owe it: the ledger stored next no longer knows of them.
    let logged = audit.complete(&loaded.owed).and_then(|()| audit.append(decision.lines));
    let ledger = Ledger { version: ledger::VERSION, ..decision.ledger.clone() };
    let stored = logged.and_then(|()| ledger::store(disk, lock.state(), &ledger, loaded.sha256, &run));
    let unsigned = lock.unsign(disk);
    stored?;
    Ok(unsigned?)
}
