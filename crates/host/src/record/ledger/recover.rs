//! Adds to the ledger what interrupted runs did, read from their journals and compared with the disks. A run whose
//! outcomes are all known is closed, so that it is added only once and never overrides what a person reports
//! afterwards. If a disk is away, the run stays open, and the stores on that disk are looked at again each time.

use std::collections::BTreeSet;

use jiff::Timestamp;
use trustmason_plan::ledger::RunRecord;
use trustmason_plan::observed::Unclear;
use trustmason_plan::run_id::RunId;
use trustmason_spec::topology::Topology;

use super::{LedgerError, Loaded};
use crate::disk;
use crate::record::audit;
use crate::record::journal::{self, Ended, JournalError, Record, Replayed};
use crate::record::sites::Sites;
use crate::state::State;

/// Adds what interrupted runs did.
pub(super) fn recover(state: &State, topology: &Topology, loaded: &mut Loaded) -> Result<(), LedgerError> {
    let sites = Sites::of(topology, state);
    let adopted = adopt(state, loaded)?;
    let open: Vec<RunRecord> = loaded.ledger.runs.iter().filter(|r| r.finished.is_none()).cloned().collect();
    let mut unsettled: Vec<(RunRecord, Replayed)> = Vec::new();
    for run in open {
        let (records, journal) = journal::of_record(state, &run)?;
        let again = !run.unclear.is_empty();
        let replays = journal::replay(&records, &run.id, sites);
        let (unseen, settled): (Vec<Replayed>, Vec<Replayed>) = replays
            .into_iter()
            // After an earlier recovery, stores whose outcome was known then are in the ledger already.
            .filter(|replayed| !again || run.unclear.contains(&replayed.intent.store))
            .partition(|replayed| replayed.unseen().is_some());
        for replayed in &settled {
            replayed.enter(&mut loaded.ledger, &run.id, run.started);
        }
        loaded.owed.extend(audit::of_replayed(&records, &settled, &run.id, sites));
        let mut written = settled.iter().filter(|replayed| !replayed.is_untouched()).count();
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
            record.unclear = unseen.iter().map(|replayed| replayed.intent.store.clone()).collect();
            record.written = u32::try_from(written).unwrap_or(u32::MAX);
            if unseen.is_empty() {
                (record.finished, record.journal) = (Some(ended), Some(journal));
            }
            // A run with an end in its journal was not cut off; only the ledger did not know of it.
            let whole = adopted.contains(&run.id) && matches!(records.last(), Some(Record::End { .. }));
            if *record != run && !(whole && unseen.is_empty()) {
                loaded.recovered.push(run.id.clone());
            }
        }
        if let Some(undone) = &run.undoes
            && adopted.contains(&run.id)
            && took_back(&records, &settled, &unseen)
            && let Some(record) = loaded.ledger.run_mut(undone)
        {
            record.undone_by = Some(run.id.clone());
        }
        unsettled.extend(unseen.into_iter().map(|replayed| (run.clone(), replayed)));
    }
    loaded.assumed = loaded.ledger.clone();
    for (run, replayed) in unsettled {
        let Replayed { intent, .. } = &replayed;
        loaded.assumed.assume(&intent.store, &intent.memory, &run.id, run.started);
        let why = replayed.unseen().unwrap_or_default().to_owned();
        loaded.unclear.push(Unclear { run: run.id, store: intent.store.clone(), why });
    }
    Ok(())
}

/// Adds runs that left a journal and are not in the ledger: the ledger was restored from a backup, or replaced by that
/// of another machine. Their journals say what they did. A journal without any action is ignored.
fn adopt(state: &State, loaded: &mut Loaded) -> Result<BTreeSet<RunId>, LedgerError> {
    let mut adopted = BTreeSet::new();
    for (folder, _) in disk::list(&state.runs())? {
        let name = folder.file_name().and_then(|name| name.to_str());
        let Some(id) = name.and_then(|name| RunId::parse(name).ok()) else { continue };
        if loaded.ledger.run(&id).is_some() {
            continue;
        }
        let records = match journal::read(state, &id) {
            Ok(records) => records,
            // The run was cut off before its first line was on the disk.
            Err(JournalError::Missing { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let did = |record: &Record| !matches!(record, Record::Begin { .. } | Record::End { .. });
        let Some(Record::Begin { plan, at, undoes, .. }) = records.first().filter(|_| records.iter().any(did)) else {
            continue;
        };
        // The run that is taken back is older, so it was added before.
        if let Some(undone) = undoes.as_ref().filter(|undone| loaded.ledger.run(undone).is_none()) {
            let (path, run) = (state.journal(&id).display().to_string(), id.clone());
            let cause = format!("it takes run {undone} back, of which nothing is left");
            return Err(JournalError::Contradicts { path, run, cause }.into());
        }
        let undoes = undoes.clone();
        let record = new_record(&id, *at, *plan, undoes);
        let place = loaded.ledger.runs.partition_point(|other| other.id < id);
        loaded.ledger.runs.insert(place, record);
        adopted.insert(id);
    }
    Ok(adopted)
}

/// Whether a rollback, by its journal, came to its end and restored everything.
fn took_back(records: &[Record], settled: &[Replayed], unseen: &[Replayed]) -> bool {
    let whole = |record: &Record| match record {
        Record::Outcome { outcome, .. } => matches!(outcome, Ended::Written | Ended::Unchanged),
        _ => true,
    };
    matches!(records.last(), Some(Record::End { .. }))
        && records.iter().all(whole)
        && settled.iter().all(Replayed::is_done)
        && unseen.is_empty()
}

/// The ledger's entry for a run that begins.
pub(crate) fn new_record(
    id: &RunId,
    started: Timestamp,
    plan: trustmason_keystore::Digest,
    undoes: Option<RunId>,
) -> RunRecord {
    RunRecord {
        id: id.clone(),
        started,
        finished: None,
        unclear: BTreeSet::new(),
        journal: None,
        plan,
        written: 0,
        failed: 0,
        skipped: 0,
        undoes,
        undone_by: None,
        pruned: false,
        hosts: Vec::new(),
        side: None,
    }
}
