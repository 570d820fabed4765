//! Works out what a rollback would do and whether it may be done: which run, which files, from which backups, and which
//! trust would break. Nothing is written.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use trustmason_keystore::{Digest, Fingerprint};
use trustmason_plan::ledger::{Ledger, RunRecord};
use trustmason_plan::run_id::RunId;
use trustmason_plan::site::PieceAt;
use trustmason_plan::target::HandOffTarget;
use trustmason_plan::text::clauses;
use trustmason_plan::undo::{self, Break};
use trustmason_spec::name::{IdentityId, StoreId};

use super::breaks;
use super::restore::{Arrived, Backups, Restore, RestoredPart};
use super::{RollbackContext, copies};
use crate::disk::DiskError;
use crate::record::audit;
use crate::record::journal::{self, JournalError, Piece, PieceOutcome, Record, Replayed};
use crate::record::run_record::BeginError;
use crate::record::sites::{SiteError, Sites};

/// The effect of a rollback.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// The run that would be taken back.
    pub run: RunId,
    /// When the run began.
    pub started: Timestamp,
    /// The digest of the run's plan.
    pub plan: Digest,
    /// Hand-offs that the run wrote packs for.
    pub packs: Vec<HandOffTarget>,
    /// Trust relations that will fail as they did before the run, or of which this cannot be told.
    pub breaks: Vec<Break>,
    /// The stores, in the order in which they are restored.
    pub(super) restores: Vec<Restore>,
    /// The stores that the run announced.
    pub(super) announced: BTreeSet<StoreId>,
    /// Keys that the run made.
    pub(super) staged: Vec<(IdentityId, Fingerprint)>,
    /// Keys of earlier runs that the run brought to their stores.
    pub(super) arrived: Vec<Arrived>,
}

impl Outlook {
    /// The parts of stores that would be restored or removed, with their stores.
    pub fn files(&self) -> impl Iterator<Item = (&StoreId, &PieceAt)> {
        self.restores
            .iter()
            .flat_map(|restore| restore.parts.iter().map(|part| (&restore.intent.store, &part.piece.at)))
    }
}

/// A file that prevents a rollback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackObstacle {
    /// The store.
    pub store: StoreId,
    /// The file that hinders the rollback, and the problem with it.
    pub why: String,
}

impl fmt::Display for RollbackObstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.store, self.why)
    }
}

/// Why nothing was taken back.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    /// There is no run that could be taken back.
    #[error("no run of this estate is left to roll back")]
    Nothing,
    /// There is no such run.
    #[error("there is no run {run}; `trustmason runs` lists them")]
    Unknown {
        /// The name of the run.
        run: RunId,
    },
    /// The run wrote nothing.
    #[error("run {run} wrote no store; there is nothing to roll back")]
    Empty {
        /// The run.
        run: RunId,
    },
    /// The run was taken back before.
    #[error("run {run} was rolled back already, by run {by}")]
    Undone {
        /// The run.
        run: RunId,
        /// The rollback.
        by: RunId,
    },
    /// A later run may rely on this one.
    #[error(
        "run {run} is not the newest run: run {newer} came after it and may depend on it; roll run {newer} back first, or \
         correct the spec and make a new plan instead"
    )]
    Newer {
        /// The run.
        run: RunId,
        /// The newest run after it.
        newer: RunId,
    },
    /// The run's backups were removed.
    #[error(
        "the backups of run {run} were removed because of their age; `policy: keep_runs, keep_for` in the spec sets how long backups stay"
    )]
    Pruned {
        /// The run.
        run: RunId,
    },
    /// The journal tells of another number of stores than the ledger.
    #[error(
        "run {run} was not rolled back and nothing was done, because its journal has {told} written stores but the ledger \
         has {written}; restore the state folder from a backup, or take the stores from the run's backups by hand"
    )]
    Miscounted {
        /// The run.
        run: RunId,
        /// The number of stores in the journal.
        told: usize,
        /// The number of stores that the run wrote, by the ledger.
        written: u32,
    },
    /// Stores are not as the run left them.
    #[error(
        "run {run} was not rolled back and nothing was done, because its stores were changed afterwards; {}",
        clauses(faults)
    )]
    Changed {
        /// The run.
        run: RunId,
        /// Every such store.
        faults: Vec<RollbackObstacle>,
    },
    /// Stores cannot be looked at.
    #[error(
        "run {run} was not rolled back and nothing was done, because some of its stores cannot be read now; {}; make them \
         readable and run again",
        clauses(faults)
    )]
    Unseen {
        /// The run.
        run: RunId,
        /// Every such store.
        faults: Vec<RollbackObstacle>,
    },
    /// The spec does not declare what the journal names.
    #[error(
        "run {run} was not rolled back and nothing was done, because its journal names items that the spec does not \
         declare; {}; declare them again, or take the stores from the run's backups by hand",
        clauses(faults)
    )]
    Undeclared {
        /// The run.
        run: RunId,
        /// Every such store.
        faults: Vec<RollbackObstacle>,
    },
    /// Backups are missing or altered.
    #[error("run {run} was not rolled back and nothing was done, because its backups are damaged; {}", clauses(faults))]
    Damaged {
        /// The run.
        run: RunId,
        /// Every such backup.
        faults: Vec<RollbackObstacle>,
    },
    /// Services would not trust one another.
    #[error(
        "run {run} was not rolled back and nothing was done, because trust would break: {}{}",
        clauses(breaks),
        breaks::remedy(breaks)
    )]
    Breaks {
        /// The run.
        run: RunId,
        /// Every edge that would break.
        breaks: Vec<Break>,
    },
    /// The run could not begin.
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// A journal cannot be used.
    #[error("nothing was rolled back: {0}")]
    Journal(#[from] JournalError),
    /// A file of the state folder cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Works out what a rollback would do. Nothing is written.
///
/// # Errors
/// [`RollbackError`]: why it may not be done. Every file that prevents it is named.
pub fn outlook(context: RollbackContext<'_>, run: Option<&RunId>) -> Result<Outlook, RollbackError> {
    let RollbackContext { state, ledger: loaded, .. } = context;
    let sites = context.sites();
    let record = choose(context, run)?;
    let run = record.id.clone();
    if let Some(by) = &record.undone_by {
        return Err(RollbackError::Undone { run, by: by.clone() });
    }
    if record.pruned {
        return Err(RollbackError::Pruned { run });
    }
    let (records, _) = journal::of_record(state, record)?;
    let staged = staged(&records);
    let replays = journal::replay(&records, &run, sites);
    let touched: Vec<&Replayed> = replays.iter().rev().filter(|replayed| !replayed.is_untouched()).collect();
    let begun_again = loaded.ledger.runs.iter().any(|other| other.undoes.as_ref() == Some(&run));
    let done = replays.iter().filter(|replayed| replayed.is_done()).count();
    let written = usize::try_from(record.written).unwrap_or(usize::MAX);
    if record.finished.is_some() && !(done..=touched.len()).contains(&written) {
        return Err(RollbackError::Miscounted { run, told: touched.len(), written: record.written });
    }
    if record.written == 0 && staged.is_empty() && !begun_again && touched.is_empty() {
        return Err(RollbackError::Empty { run });
    }
    let backups = backups(&records);
    let mut faults = RollbackObstacles::default();
    let mut restores = Vec::new();
    for replayed in touched {
        let store = &replayed.intent.store;
        let mut parts = Vec::new();
        for piece in faults.standing(replayed, sites) {
            match sites.locate(store, &piece.at) {
                Ok(place) => match copies::backup(context, &run, &backups, store, (&piece, &place)) {
                    Ok(backup) => parts.push(RestoredPart { piece, place, backup }),
                    Err(why) => faults.damaged.push(RollbackObstacle { store: store.clone(), why }),
                },
                Err(error) => faults.take(store, error),
            }
        }
        let all = parts.len() == replayed.intent.pieces.len();
        let facts = if all { audit::happened(replayed, sites) } else { audit::seen(&replayed.intent, sites) };
        let facts = if parts.is_empty() { Vec::new() } else { facts };
        restores.push(Restore { intent: replayed.intent.clone(), parts, facts });
    }
    faults.refuse(&run)?;
    let arrived = arrived(context, &run, &records)?;
    let packs = records.iter().filter_map(|record| match record {
        Record::Pack { target, .. } => Some(target.clone()),
        _ => None,
    });
    let judged = undo::judge(context.topology, context.observed, &breaks::undo(context, &restores), context.now);
    if !judged.refused.is_empty() {
        return Err(RollbackError::Breaks { run, breaks: judged.refused });
    }
    Ok(Outlook {
        run,
        started: record.started,
        plan: record.plan,
        packs: packs.collect(),
        breaks: judged.told,
        restores,
        announced: replays.iter().map(|replayed| replayed.intent.store.clone()).collect(),
        staged,
        arrived,
    })
}

/// The files that prevent a rollback, by kind.
#[derive(Default)]
struct RollbackObstacles {
    changed: Vec<RollbackObstacle>,
    unseen: Vec<RollbackObstacle>,
    undeclared: Vec<RollbackObstacle>,
    damaged: Vec<RollbackObstacle>,
}

impl RollbackObstacles {
    fn take(&mut self, store: &StoreId, error: SiteError) {
        let (kind, why) = match error {
            SiteError::Undeclared(why) => (&mut self.undeclared, why),
            SiteError::Unseen(why) => (&mut self.unseen, why),
        };
        kind.push(RollbackObstacle { store: store.clone(), why });
    }

    /// The parts of a store to be put back. A part that the run did not touch, or that again is what it was, is left
    /// out.
    fn standing(&mut self, replayed: &Replayed, sites: Sites<'_>) -> Vec<Piece> {
        let store = &replayed.intent.store;
        let mut found = Vec::new();
        for (piece, _) in replayed.pieces().filter(|(_, fate)| **fate != PieceOutcome::Untouched) {
            let path = piece.at.path();
            let changed = match sites.digest(store, &piece.at) {
                Ok(now) if now == piece.after => {
                    found.push(piece.clone());
                    continue;
                }
                Ok(now) if now == piece.before => continue,
                Ok(Some(_)) => format!("{path} has other content now"),
                Ok(None) => format!("{path} does not exist any more"),
                Err(error) => {
                    self.take(store, error);
                    continue;
                }
            };
            self.changed.push(RollbackObstacle { store: store.clone(), why: changed });
        }
        found
    }

    /// Refuses if there is any fault, with the most serious kind: first undeclared places, then what may only be away.
    fn refuse(self, run: &RunId) -> Result<(), RollbackError> {
        let run = run.clone();
        let Self { changed, unseen, undeclared, damaged } = self;
        if !undeclared.is_empty() {
            return Err(RollbackError::Undeclared { run, faults: undeclared });
        }
        if !unseen.is_empty() {
            return Err(RollbackError::Unseen { run, faults: unseen });
        }
        if !changed.is_empty() {
            return Err(RollbackError::Changed { run, faults: changed });
        }
        if !damaged.is_empty() {
            return Err(RollbackError::Damaged { run, faults: damaged });
        }
        Ok(())
    }
}

/// The keys that a run made. A key that the run resumed belongs to an earlier run.
fn staged(records: &[Record]) -> Vec<(IdentityId, Fingerprint)> {
    let staged = records.iter().filter_map(|record| match record {
        Record::Staged { identity, sha256, resumed: false } => Some((identity.clone(), *sha256)),
        _ => None,
    });
    staged.collect()
}

/// The keys of earlier runs that a run brought to their stores.
fn arrived(context: RollbackContext<'_>, run: &RunId, records: &[Record]) -> Result<Vec<Arrived>, RollbackError> {
    let mut found = Vec::new();
    for record in records {
        let Record::Arrived { identity, format, copy, sha256 } = record else { continue };
        let copy = copies::place(context, run, copy).map_err(|why| {
            let store = StoreId::new(identity.host.clone(), identity.name.clone());
            RollbackError::Damaged { run: run.clone(), faults: vec![RollbackObstacle { store, why }] }
        })?;
        found.push(Arrived { identity: identity.clone(), format: *format, copy, sha256: *sha256 });
    }
    Ok(found)
}

/// Chooses the run: the newest that wrote something and was not taken back. An older run is refused, because a
/// certificate that its trusters learned then may be in use by now. A rollback that was cut off comes before anything
/// older. A completed rollback is only taken back if it is named.
fn choose<'a>(context: RollbackContext<'a>, run: Option<&RunId>) -> Result<&'a RunRecord, RollbackError> {
    let ledger: &'a Ledger = &context.ledger.ledger;
    let find = |id: &RunId| ledger.runs.iter().find(|record| record.id == *id);
    let wrote = |record: &RunRecord| -> Result<bool, JournalError> {
        if record.written > 0 {
            return Ok(true);
        }
        let (records, _) = journal::of_record(context.state, record)?;
        Ok(!journal::replay(&records, &record.id, context.sites()).iter().all(Replayed::is_untouched))
    };
    let named = run.map(|run| find(run).ok_or_else(|| RollbackError::Unknown { run: run.clone() })).transpose()?;
    for record in ledger.runs.iter().rev() {
        if named.is_some_and(|named| named.id == record.id) {
            return Ok(record);
        }
        let standing = match &record.undoes {
            _ if record.undone_by.is_some() => None,
            // A completed rollback leaves nothing to take back.
            Some(undone) => find(undone).filter(|halfway| halfway.undone_by.is_none()),
            None if wrote(record)? => Some(record),
            None => None,
        };
        match (standing, named) {
            (None, _) => {}
            (Some(standing), None) => return Ok(standing),
            (Some(standing), Some(named)) if standing.id == named.id => return Ok(named),
            (Some(standing), Some(named)) if named.undone_by.is_none() && !named.pruned => {
                return Err(RollbackError::Newer { run: named.id.clone(), newer: standing.id.clone() });
            }
            // The better answer is that the named run was taken back already, or has no backups any more.
            (Some(_), Some(named)) => return Ok(named),
        }
    }
    Err(RollbackError::Nothing)
}

fn backups(records: &[Record]) -> Backups<'_> {
    let backups = records.iter().filter_map(|record| match record {
        Record::Backup { of, sha256, .. } => Some(((of.clone(), *sha256), record)),
        _ => None,
    });
    backups.collect()
}

/// The folders in which a run may have left temporary files.
pub(super) fn folders(outlook: &Outlook, sites: Sites<'_>) -> BTreeSet<PathBuf> {
    outlook.announced.iter().flat_map(|store| sites.folders(store)).collect()
}
