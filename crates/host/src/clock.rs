//! Records that an operator declares this machine's clock right although the evidence speaks against it. It takes the
//! verdict and the loaded ledger, writes a line into the audit log, and gives the ledger that is stored then. A date in
//! the ledger that is later than now becomes now: otherwise the same doubt would come up again, and a waiting time
//! would count from a future day. It never sets the clock.

use jiff::Timestamp;
use trustmason_keystore::Digest;
use trustmason_plan::clock::ClockVerdict;
use trustmason_spec::topology::Topology;

use crate::disk::Disk;
use crate::record::audit::{AuditEntry, AuditEvent};
use crate::record::ledger::{self, LedgerError, Loaded};
use crate::state::lock::Lock;
use crate::word::decision::{self, Decision, DecisionError};

/// Why an operator's statement about the clock was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum AcceptClockError {
    /// The statement could not be recorded.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// The ledger could not be read again.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Records that the operator `by` declares the clock right in spite of `verdict`. Returns the ledger as it is stored
/// then.
///
/// # Errors
/// [`AcceptClockError`]; the run must not begin.
pub fn accept(
    verdict: &ClockVerdict,
    now: Timestamp,
    by: &str,
    topology: &Topology,
    loaded: &Loaded,
    disk: &Disk,
    lock: &mut Lock,
) -> Result<Loaded, AcceptClockError> {
    let words = verdict.to_string();
    let mut ledger = loaded.ledger.clone();
    ledger.not_after(now);
    let line = AuditEntry { reason: Some(words.clone()), ..AuditEntry::new(AuditEvent::Clock, now, by) };
    let digest = Digest::of(words.as_bytes());
    decision::record(&Decision { ledger: &ledger, lines: &[line], digest, now }, loaded, disk, lock)?;
    let again = ledger::load(lock.state(), topology)?;
    // The caller must still clear away what interrupted runs left behind, so these runs stay listed.
    Ok(Loaded { recovered: loaded.recovered.clone(), ..again })
}
