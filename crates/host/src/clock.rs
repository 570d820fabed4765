//! A person's word for the clock of this machine: it goes into the audit log, and what the ledger dates later than now is dated
//! now, so that the same doubt does not come up again and no wait counts from a day that is still to come.

use jiff::Timestamp;
use trustmason_keystore::Digest;
use trustmason_plan::clock::Verdict;
use trustmason_spec::topology::Topology;

use crate::disk::Disk;
use crate::record::audit::{Entry, Event};
use crate::record::ledger::{self, LedgerError, Loaded};
use crate::state::lock::Lock;
use crate::word::decision::{self, Decision, DecisionError};

/// Why a word for the clock was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum VouchError {
    /// It could not be recorded.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// The ledger could not be read again.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Records that a person says the clock is right, whatever this verdict says of it. Answers the ledger as it is then.
///
/// # Errors
/// [`VouchError`]; the run must not begin.
pub fn vouch(
    verdict: &Verdict,
    now: Timestamp,
    by: &str,
    topology: &Topology,
    loaded: &Loaded,
    disk: &Disk,
    lock: &mut Lock,
) -> Result<Loaded, VouchError> {
    let words = verdict.to_string();
    let mut ledger = loaded.ledger.clone();
    ledger.not_after(now);
    let line = Entry { reason: Some(words.clone()), ..Entry::new(Event::Clock, now, by) };
    let digest = Digest::of(words.as_bytes());
    decision::record(&Decision { ledger: &ledger, lines: &[line], digest, now }, loaded, disk, lock)?;
    let again = ledger::load(lock.state(), topology)?;
    // Whoever carries on must still clear away what interrupted runs left.
    Ok(Loaded { recovered: loaded.recovered.clone(), ..again })
}
