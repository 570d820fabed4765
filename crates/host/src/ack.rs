//! Records that services were restarted. Nothing is started here; the word of whoever did it is what a barrier waits for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use trustmason_keystore::Fingerprint;
use trustmason_plan::change::Plan;
use trustmason_plan::ledger::Ack;
use trustmason_spec::name::ServiceId;

use crate::audit::{Entry, Event};
use crate::decision::{self, Decision, DecisionError};
use crate::disk::Disk;
use crate::ledger::Loaded;
use crate::lock::Lock;

/// Records restarts, each with who saw to it. The plan is the one of this moment: it knows what the services read.
///
/// # Errors
/// [`DecisionError`]; nothing was recorded.
pub fn ack(
    restarted: &BTreeMap<ServiceId, String>,
    plan: &Plan,
    now: Timestamp,
    loaded: &Loaded,
    disk: &Disk,
    lock: &mut Lock,
) -> Result<(), DecisionError> {
    let mut ledger = loaded.ledger.clone();
    for (service, by) in restarted {
        let read = plan.readers.get(service).cloned().unwrap_or_default();
        ledger.restarts.remove(service);
        ledger.acks.insert(service.clone(), Ack::new(now, by, &read));
    }
    let lines: Vec<Entry> =
        restarted.iter().map(|(service, by)| Entry::new(Event::Ack, now, by).of_service(service)).collect();
    let names: Vec<String> = restarted.keys().map(ToString::to_string).collect();
    let digest = Fingerprint::of(names.join(" ").as_bytes());
    decision::record(&Decision { ledger: &ledger, lines: &lines, digest, now }, loaded, disk, lock)
}
