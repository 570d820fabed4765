//! Records that services were restarted. It never restarts one: a barrier waits for the report of the person or command
//! that did.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use trustmason_keystore::Digest;
use trustmason_plan::ledger::Ack;
use trustmason_plan::outline::Plan;
use trustmason_spec::name::{ServiceId, StoreId};
use trustmason_spec::topology::Topology;

use crate::disk::Disk;
use crate::record::audit::{AuditEntry, AuditEvent};
use crate::record::ledger::Loaded;
use crate::state::lock::Lock;
use crate::word::decision::{self, Decision, DecisionError};

/// A report by a person or a command that services were restarted.
#[derive(Clone, Debug)]
pub struct RestartReport<'a> {
    /// The services, each with the person or command that restarted it.
    pub restarted: BTreeMap<ServiceId, String>,
    /// The plan of this moment, which says what each service reads.
    pub plan: &'a Plan,
    /// The estate.
    pub topology: &'a Topology,
    /// The time.
    pub now: Timestamp,
}

/// A restart that cannot be recorded, because it cannot be told what the service read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnprovenRestart {
    /// The service.
    pub service: ServiceId,
    /// A store that the service reads. It cannot be told yet what a run did to that store.
    pub store: StoreId,
    /// Why this cannot be told.
    pub why: String,
}

impl fmt::Display for UnprovenRestart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, store, why } = self;
        write!(
            f,
            "cannot tell what {service} read at its restart, because the result of a run on {store} is not known yet \
             ({why}); acknowledge the restart when that store can be read again"
        )
    }
}

/// Records restarts. Returns those that were not recorded.
///
/// # Errors
/// [`DecisionError`].
pub fn ack(
    word: RestartReport<'_>,
    loaded: &Loaded,
    disk: &Disk,
    lock: &mut Lock,
) -> Result<Vec<UnprovenRestart>, DecisionError> {
    let RestartReport { mut restarted, plan, topology, now } = word;
    let mut unread = Vec::new();
    restarted.retain(|service, _| {
        let reads = |id: &StoreId| topology.stores.get(id).is_some_and(|def| def.restart.contains(service));
        let Some(unclear) = loaded.unclear.iter().find(|unclear| reads(&unclear.store)) else { return true };
        unread.push(UnprovenRestart {
            service: service.clone(),
            store: unclear.store.clone(),
            why: unclear.why.clone(),
        });
        false
    });
    if restarted.is_empty() {
        return Ok(unread);
    }
    let mut ledger = loaded.ledger.clone();
    for (service, by) in &restarted {
        let read = plan.readers.get(service).cloned().unwrap_or_default();
        ledger.restarts.remove(service);
        ledger.acks.insert(service.clone(), Ack::new(now, by, &read));
    }
    let lines: Vec<AuditEntry> =
        restarted.iter().map(|(service, by)| AuditEntry::new(AuditEvent::Ack, now, by).of_service(service)).collect();
    let names: Vec<String> = restarted.keys().map(ToString::to_string).collect();
    let digest = Digest::of(names.join(" ").as_bytes());
    decision::record(&Decision { ledger: &ledger, lines: &lines, digest, now }, loaded, disk, lock)?;
    Ok(unread)
}
