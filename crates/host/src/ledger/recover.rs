//! What interrupted runs did: read from their journals, held against the disks, added to the ledger. A run of which everything is
//! known is closed, so that it happens once: what a person says afterwards stands. Where a disk is away the run stays open, and
//! what it did there is asked again at every look.

use jiff::Timestamp;
use trustmason_plan::ledger::RunRecord;
use trustmason_plan::observed::Unclear;
use trustmason_plan::run_id::RunId;
use trustmason_spec::topology::Topology;

use super::{LedgerError, Loaded};
use crate::audit;
use crate::disk;
use crate::journal::{self, Deed, JournalError, Record};
use crate::sites::Sites;
use crate::state::State;

/// Adds what interrupted runs did.
pub(super) fn recover(state: &State, topology: &Topology, loaded: &mut Loaded) -> Result<(), LedgerError> {
    let sites = Sites::of(topology, state);
    adopt(state, loaded)?;
    let open: Vec<RunRecord> = loaded.ledger.runs.iter().filter(|r| r.finished.is_none()).cloned().collect();
    let mut unsettled: Vec<(RunRecord, Deed)> = Vec::new();
    for run in open {
        let (records, journal) = journal::with_digest(state, &run.id)?;
        let again = !run.unclear.is_empty();
        let deeds = journal::deeds(&records, &run.id, sites);
        let (unseen, settled): (Vec<Deed>, Vec<Deed>) = deeds
            .into_iter()
            // What is in the ledger already was put there when the rest was not known.
            .filter(|deed| !again || run.unclear.contains(&deed.intent.store))
            .partition(|deed| deed.unseen().is_some());
        for deed in &settled {
            deed.enter(&mut loaded.ledger, &run.id, run.started);
        }
        loaded.owed.extend(audit::of_deeds(&records, &settled, &run.id, sites));
        let mut written = settled.iter().filter(|deed| !deed.is_untouched()).count();
        let mut ended = run.started;
        for record in &records {
            match record {
                Record::Pack { target, handoff } if !again => {
                    loaded.ledger.handoffs.insert(target.clone(), handoff.clone());
                }
                Record::End { at } => ended = *at,
                Record::Pack { .. }
                | Record::Begin { .. }
                | Record::Staged { .. }
                | Record::Arrived { .. }
                | Record::Backup { .. }
                | Record::Intent(_)
                | Record::Outcome { .. } => {}
            }
        }
        if again {
            written += usize::try_from(run.written).unwrap_or_default();
        }
        if let Some(record) = loaded.ledger.run_mut(&run.id) {
            record.unclear = unseen.iter().map(|deed| deed.intent.store.clone()).collect();
            record.written = u32::try_from(written).unwrap_or(u32::MAX);
            if unseen.is_empty() {
                (record.finished, record.journal) = (Some(ended), Some(journal));
            }
            if *record != run {
                loaded.recovered.push(run.id.clone());
            }
        }
        unsettled.extend(unseen.into_iter().map(|deed| (run.clone(), deed)));
    }
    loaded.assumed = loaded.ledger.clone();
    for (run, deed) in unsettled {
        let Deed { intent, .. } = &deed;
        loaded.assumed.assume(&intent.store, &intent.memory, &run.id, run.started);
        let why = deed.unseen().unwrap_or_default().to_owned();
        loaded.unclear.push(Unclear { run: run.id, store: intent.store.clone(), why });
    }
    Ok(())
}

/// Runs that left a journal and are not in the ledger: the ledger was put back from a backup, or another machine's was put in
/// its place. Their journals tell what they did. One that did nothing yet is no run.
fn adopt(state: &State, loaded: &mut Loaded) -> Result<(), LedgerError> {
    for (folder, _) in disk::list(&state.runs())? {
        let name = folder.file_name().and_then(|name| name.to_str());
        let Some(id) = name.and_then(|name| RunId::parse(name).ok()) else { continue };
        if loaded.ledger.run(&id).is_some() {
            continue;
        }
        let records = match journal::read(state, &id) {
            Ok(records) => records,
            // It was cut off before its beginning was on the disk.
            Err(JournalError::Missing { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let did = |record: &Record| !matches!(record, Record::Begin { .. } | Record::End { .. });
        let Some(Record::Begin { plan, at, undoes, .. }) = records.first().filter(|_| records.iter().any(did)) else {
            continue;
        };
        let undoes = undoes.clone().filter(|undone| loaded.ledger.run(undone).is_some());
        let record = new_record(&id, *at, *plan, undoes);
        let place = loaded.ledger.runs.partition_point(|other| other.id < id);
        loaded.ledger.runs.insert(place, record);
    }
    Ok(())
}

/// The record of a run that begins.
pub(crate) fn new_record(
    id: &RunId,
    started: Timestamp,
    plan: trustmason_keystore::Fingerprint,
    undoes: Option<RunId>,
) -> RunRecord {
    RunRecord {
        id: id.clone(),
        started,
        finished: None,
        unclear: std::collections::BTreeSet::new(),
        journal: None,
        plan,
        written: 0,
        failed: 0,
        skipped: 0,
        undoes,
        undone_by: None,
        pruned: false,
    }
}
