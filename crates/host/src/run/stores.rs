//! Writes the stores of a run, level by level: which changes can be made, each store on a thread of its own, and the
//! outcomes.

use std::sync::Arc;

use trustmason_keystore::Digest;
use trustmason_plan::change::{Change, Edit as ChangeDeed, Material};
use trustmason_plan::ledger::{PlacedEntry, PlacedKey};
use trustmason_plan::outline::StoreView;
use trustmason_plan::site::PieceAt;
use trustmason_spec::name::{IdentityId, StoreId};

use super::error::{ChangeError, NewKeyError, SkipReason, StoreWriteError};
use super::write::{self, StoreWrite};
use super::{ChangeOutcome, RunEvent, Running, StoreOutcome, order};
use crate::disk::{self, Attributes, DiskError, Owner, ReadLimit};
use crate::parallel::{self, Progress};
use crate::record::journal::{Ended, Journal, PieceOutcome, Record, Replayed};
use crate::record::run_record::RunRecorder;
use crate::state::lock::Lock;
use crate::state::staging;

/// A store to be written.
struct StoreJob<'c> {
    id: &'c StoreId,
    view: &'c StoreView,
    able: Vec<&'c Change>,
    placed: Option<std::collections::BTreeMap<PlacedKey, PlacedEntry>>,
}

/// The answer of a thread; `None` if the store was not begun because the run is to end.
type JobResult = Option<(StoreWrite, Result<(), DiskError>)>;

impl Running<'_> {
    pub(super) fn stores(&mut self, lock: &Lock, progress: &mut dyn FnMut(RunEvent<'_>)) {
        let plan = self.work.plan;
        for level in order::levels(&plan.changes) {
            let mut jobs = Vec::new();
            for (id, changes) in &level {
                let view = plan.stores.iter().find(|view| view.id == *id);
                let stopped = self.work.context.stopped();
                let able = if stopped { Vec::new() } else { self.able(changes) };
                let outcome = match (view, &self.broken) {
                    (_, Some(error)) => {
                        StoreOutcome::failed(StoreWriteError::NotBegun { store: id.clone(), cause: Arc::clone(error) })
                    }
                    (None, _) => StoreOutcome::failed(StoreWriteError::NotPlanned(id.clone())),
                    (Some(_), _) if stopped => self.interrupted(),
                    (Some(_), _) if able.is_empty() => StoreOutcome::Skipped { why: self.why_none(changes) },
                    (Some(view), None) => {
                        jobs.push(StoreJob { id, view, able, placed: self.recorder.ledger.placed.get(id).cloned() });
                        continue;
                    }
                };
                progress(RunEvent::Stored { store: id, outcome: &outcome });
                self.record_outcome(id, changes, outcome);
            }
            let (work, journal, guard) = (&self.work, &self.recorder.journal, self.recorder.guard(lock));
            let interrupted = StoreOutcome::Skipped { why: SkipReason::Interrupted };
            let write = |job: &StoreJob<'_>| -> JobResult {
                if work.context.stopped() {
                    return None;
                }
                let written = match guard.holds() {
                    Ok(()) => write::store(work, journal, job.view, job.placed.as_ref(), &job.able),
                    Err(error) => StoreWrite::failed(error.into()),
                };
                let noted = note(journal, job.id, &written);
                Some((written, noted))
            };
            let answers = parallel::map_with_events(work.context.threads, &jobs, write, |news| match news {
                Progress::Begun(index) => {
                    if let Some(job) = jobs.get(index) {
                        progress(RunEvent::Writing { store: job.id, changes: job.able.len() });
                    }
                }
                Progress::Done(index, answer) => {
                    if let Some(job) = jobs.get(index) {
                        let outcome = answer.as_ref().map_or(&interrupted, |(written, _)| &written.outcome);
                        progress(RunEvent::Stored { store: job.id, outcome });
                    }
                }
            });
            for (job, answer) in jobs.into_iter().zip(answers) {
                let outcome = match answer {
                    None => self.interrupted(),
                    Some((written, noted)) => {
                        self.recorder.trouble(|_| noted);
                        self.remember(&job, &written);
                        written.outcome
                    }
                };
                let changes = level.iter().find(|(id, _)| id == job.id).map(|(_, changes)| changes.as_slice());
                self.record_outcome(job.id, changes.unwrap_or_default(), outcome);
            }
        }
    }

    fn interrupted(&mut self) -> StoreOutcome {
        self.outcomes.interrupted = true;
        StoreOutcome::Skipped { why: SkipReason::Interrupted }
    }

    /// Records the outcome of a store for the store and its changes.
    fn record_outcome(&mut self, id: &StoreId, changes: &[&Change], outcome: StoreOutcome) {
        let each = match &outcome {
            StoreOutcome::Written { .. } | StoreOutcome::Unchanged => ChangeOutcome::Done,
            StoreOutcome::Stale { .. } => ChangeOutcome::Stale,
            StoreOutcome::Failed { error } => ChangeOutcome::Failed { error: ChangeError::Store(Arc::clone(error)) },
            StoreOutcome::Skipped { why } => ChangeOutcome::Skipped { why: why.clone() },
        };
        for change in changes {
            // A change that was left out has its reason already.
            self.outcomes.changes.entry(change.id).or_insert_with(|| each.clone());
        }
        self.outcomes.stores.insert(id.clone(), outcome);
    }

    /// The changes that can be made. The outcome of the others is recorded here.
    fn able<'c>(&mut self, changes: &[&'c Change]) -> Vec<&'c Change> {
        let mut able: Vec<&Change> = Vec::new();
        let mut left: Vec<&Change> = changes.to_vec();
        // A change may wait for another change of the same store in any order, so repeat until nothing more is left
        // out.
        loop {
            let before = left.len();
            left.retain(|change| match self.hindrance(change) {
                None => true,
                Some(outcome) => {
                    self.outcomes.changes.insert(change.id, outcome);
                    false
                }
            });
            if left.len() == before {
                break;
            }
        }
        able.append(&mut left);
        able
    }

    pub(super) fn hindrance(&self, change: &Change) -> Option<ChangeOutcome> {
        let unmade = |identity: &IdentityId| match self.work.staged.get(identity) {
            Some(Ok(_)) => None,
            Some(Err(error)) => Some(Arc::clone(error)),
            None => Some(Arc::new(NewKeyError::NotMade(identity.clone()))),
        };
        match &change.edit {
            ChangeDeed::InstallKey { identity, .. } => {
                if let Some(error) = unmade(identity) {
                    return Some(ChangeOutcome::Failed { error: ChangeError::Key(error) });
                }
            }
            ChangeDeed::Import { material: Material::Minted(identity), .. }
            | ChangeDeed::Replace { material: Material::Minted(identity), .. } => {
                if let Some(cause) = unmade(identity) {
                    let why = SkipReason::NoCertificate { identity: identity.clone(), cause };
                    return Some(ChangeOutcome::Skipped { why });
                }
            }
            ChangeDeed::Import { .. }
            | ChangeDeed::Replace { .. }
            | ChangeDeed::Rename { .. }
            | ChangeDeed::Delete { .. } => {}
        }
        // A needed change without an outcome is in this very store, or closes a circle: its key is staged, and the next
        // run resumes it.
        change.depends_on.iter().find_map(|needed| match self.outcomes.changes.get(needed) {
            None | Some(ChangeOutcome::Done) => None,
            Some(ChangeOutcome::Stale | ChangeOutcome::Failed { .. } | ChangeOutcome::Skipped { .. }) => {
                Some(ChangeOutcome::Skipped { why: SkipReason::Earlier(*needed) })
            }
        })
    }

    fn why_none(&self, changes: &[&Change]) -> SkipReason {
        let why = changes.iter().find_map(|change| match self.outcomes.changes.get(&change.id)? {
            ChangeOutcome::Skipped { why } => Some(why.clone()),
            ChangeOutcome::Failed { error } => Some(error.clone().into()),
            ChangeOutcome::Done | ChangeOutcome::Stale => None,
        });
        why.unwrap_or(SkipReason::NoChange)
    }

    /// Enters what was written into the ledger, and removes staged keys that are in their stores.
    fn remember(&mut self, job: &StoreJob<'_>, written: &StoreWrite) {
        if let Some(replayed) = written.replayed() {
            self.recorder.take(&replayed);
        }
        if written.outcome.is_done() {
            for change in &job.able {
                if let ChangeDeed::InstallKey { identity, .. } = &change.edit {
                    self.unstage(identity);
                }
            }
        }
    }

    /// Removes a staged key that its store has. If an earlier run made the key, a copy is kept with the backups:
    /// trusters may know the key's certificate already, and when this run is taken back the key goes back to staging.
    fn unstage(&mut self, identity: &IdentityId) {
        let path = self.work.staged.get(identity).and_then(|s| s.as_ref().ok()).map(|s| s.path.clone());
        let Some(path) = path else { return };
        let resumed = self.work.plan.mints.get(identity).is_some_and(|mint| mint.resumed.is_some());
        self.recorder.trouble(|recorder| {
            let RunRecorder { disk, state, run, journal, .. } = recorder;
            if resumed {
                let bytes = disk::read(&path, ReadLimit::Store)?;
                let copy = state.kept_key(run, &path);
                if let Some(folder) = copy.parent() {
                    disk.make_dir(folder)?;
                }
                disk.place(&copy, &bytes, Owner::ours(0o600), &Attributes::default())?;
                let (copy, sha256) = (journal.copy_at(&copy)?, Digest::of(&bytes));
                if let Some(format) = staging::format_of(&path) {
                    journal.note(&Record::Arrived { identity: identity.clone(), format, copy, sha256 })?;
                }
            }
            disk.remove(&path)?;
            disk.remove_empty_dir(&state.staging_of(&identity.host))
        });
    }
}

/// Notes the outcome of a store in the journal.
fn note(journal: &Journal<'_>, store: &StoreId, written: &StoreWrite) -> Result<(), DiskError> {
    journal.note(&outcome(store, &written.outcome, written.replayed().as_ref()))
}

/// The journal's line for the outcome of a store.
pub(crate) fn outcome(store: &StoreId, outcome: &StoreOutcome, replayed: Option<&Replayed>) -> Record {
    let (ended, error) = (outcome.ended(), outcome.why());
    let parts = |is: fn(&PieceOutcome) -> bool| -> Vec<PieceAt> {
        let pieces = replayed.filter(|_| ended != Ended::Written).into_iter().flat_map(Replayed::pieces);
        pieces.filter(|(_, fate)| is(fate)).map(|(piece, _)| piece.at.clone()).collect()
    };
    Record::Outcome {
        store: store.clone(),
        outcome: ended,
        error,
        written: parts(|fate| *fate == PieceOutcome::Written),
        unclear: parts(|fate| !matches!(fate, PieceOutcome::Written | PieceOutcome::Untouched)),
    }
}
