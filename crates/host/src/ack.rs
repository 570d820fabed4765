//! Records that services were restarted. Nothing is started here; the word of whoever did it is what a barrier waits for.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use trustmason_keystore::Fingerprint;
use trustmason_plan::change::Plan;
use trustmason_plan::ledger::Ack;
use trustmason_spec::name::ServiceId;

use crate::disk::{Disk, DiskError};
use crate::ledger::{self, Loaded};
use crate::lock::{Lock, LockError};
use crate::state;

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum AckError {
    /// Another run came between the looking and the lock.
    #[error("{} was written in the meantime; acknowledge again", ledger.display())]
    Overtaken {
        /// The ledger.
        ledger: PathBuf,
    },
    /// Another run is at work.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The ledger cannot be stored.
    #[error("the restart could not be recorded: {0}")]
    Disk(#[from] DiskError),
}

/// Records restarts, each with who saw to it. The plan is the one of this moment: it knows what the services read.
///
/// # Errors
/// [`AckError`]; nothing was recorded.
pub fn ack(
    restarted: &BTreeMap<ServiceId, String>,
    plan: &Plan,
    now: Timestamp,
    loaded: &Loaded,
    disk: &Disk,
    lock: &mut Lock,
) -> Result<(), AckError> {
    let mut ledger = loaded.ledger.clone();
    ledger.version = ledger::VERSION;
    for (service, by) in restarted {
        let read = plan.readers.get(service).cloned().unwrap_or_default();
        ledger.restarts.remove(service);
        ledger.acks.insert(service.clone(), Ack { at: now, by: by.clone(), read });
    }
    let names: Vec<String> = restarted.keys().map(ToString::to_string).collect();
    let run = state::run_id(now, Fingerprint::of(names.join(" ").as_bytes()));
    lock.sign(disk, &run, now)?;
    if !ledger::is_still(lock.state(), loaded)? {
        lock.unsign(disk)?;
        return Err(AckError::Overtaken { ledger: lock.state().ledger() });
    }
    let stored = ledger::store(disk, lock.state(), &ledger, &run);
    let unsigned = lock.unsign(disk);
    stored?;
    unsigned?;
    Ok(())
}
