//! What a rollback would do, and whether it may: which run, which files, from which backups.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use trustmason_keystore::Fingerprint;
use trustmason_plan::ledger::{Ledger, RunRecord};
use trustmason_plan::target::HandOffTarget;
use trustmason_spec::name::{IdentityId, StoreId};

use crate::audit;
use crate::disk::{Attributes, DiskError, Owner};
use crate::journal::{self, Deed, Fact, Intent, Piece, Record};
use crate::ledger::Loaded;
use crate::live::{self, SystemStores};
use crate::run::RunError;
use crate::state::State;

/// What a rollback would do.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// The run that would be taken back.
    pub run: String,
    /// When it began.
    pub started: Timestamp,
    /// Digest of its plan.
    pub plan: Fingerprint,
    /// Hand-offs it wrote packs for.
    pub packs: Vec<HandOffTarget>,
    /// Stores, in the order in which they are restored.
    pub(super) restores: Vec<Restore>,
    /// Folders it was about to write in.
    pub(super) folders: BTreeSet<PathBuf>,
    /// Keys it made.
    pub(super) staged: Vec<(IdentityId, Fingerprint)>,
    /// Keys of earlier runs that it brought to their stores.
    pub(super) arrived: Vec<Arrived>,
}

impl Outlook {
    /// The files that would be restored or removed, with their stores.
    pub fn files(&self) -> impl Iterator<Item = (&StoreId, &PathBuf)> {
        self.restores
            .iter()
            .flat_map(|restore| restore.pieces.iter().map(|(piece, _)| (&restore.intent.store, &piece.path)))
    }
}

/// A key that waits again once its store is put back.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    pub identity: IdentityId,
    pub path: PathBuf,
    pub copy: PathBuf,
    pub sha256: Fingerprint,
}

/// One store to be restored.
#[derive(Clone, Debug)]
pub(super) struct Restore {
    /// What the run meant with it.
    pub intent: Intent,
    /// The files that are still what the run made them, each with its backup, if there was something.
    pub pieces: Vec<(Piece, Option<Backup>)>,
    /// What happened there and is to be seen there now.
    pub facts: Vec<Fact>,
}

/// What a file was.
#[derive(Clone, Debug)]
pub(super) struct Backup {
    pub copy: PathBuf,
    pub owner: Owner,
    pub attributes: Attributes,
}

/// A file that stands in the way of a rollback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The store.
    pub store: StoreId,
    /// What is wrong with which file.
    pub why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.store, self.why)
    }
}

/// Why nothing was taken back.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    /// No run fits.
    #[error("no run of this estate wrote anything that was not taken back already")]
    Nothing,
    /// There is no such run.
    #[error("there is no run {run}; `trustmason runs` lists them")]
    Unknown {
        /// Its name.
        run: String,
    },
    /// It wrote nothing.
    #[error("run {run} wrote no store; there is nothing to take back")]
    Empty {
        /// The run.
        run: String,
    },
    /// It was taken back before.
    #[error("run {run} was taken back already, by run {by}")]
    Undone {
        /// The run.
        run: String,
        /// The rollback.
        by: String,
    },
    /// A later run rests on it.
    #[error(
        "run {run} is not the newest that stands: {newer} came after it and may rest on what it did; take that back first, or \
         let a new plan change what is not wanted"
    )]
    Newer {
        /// The run.
        run: String,
        /// The newest after it.
        newer: String,
    },
    /// Its backups are gone.
    #[error(
        "the backups of run {run} were removed because of their age; `policy: keep_runs, keep_for` says how long they stay"
    )]
    Pruned {
        /// The run.
        run: String,
    },
    /// Stores are not what the run made them.
    #[error("run {run} is not taken back and nothing was done, since others wrote there afterwards; {}", list(faults))]
    Changed {
        /// The run.
        run: String,
        /// Every one of them.
        faults: Vec<Fault>,
    },
    /// Backups are not what they were.
    #[error("run {run} is not taken back and nothing was done, since its backups are not whole; {}", list(faults))]
    Damaged {
        /// The run.
        run: String,
        /// Every one of them.
        faults: Vec<Fault>,
    },
    /// The run could not begin.
    #[error(transparent)]
    Begin(#[from] RunError),
    /// The journal cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

fn list(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Works out what a rollback would do. Nothing is written.
///
/// # Errors
/// [`RollbackError`]: why it may not be done. Every file in the way is named.
pub fn outlook(state: &State, loaded: &Loaded, run: Option<&str>) -> Result<Outlook, RollbackError> {
    let record = choose(state, &loaded.ledger, run)?;
    let run = record.id.clone();
    if let Some(by) = &record.undone_by {
        return Err(RollbackError::Undone { run, by: by.clone() });
    }
    if record.pruned {
        return Err(RollbackError::Pruned { run });
    }
    let records = journal::read(state, &run)?;
    let staged = staged(&records);
    let deeds = journal::deeds(&records, &run, state);
    let begun_again = loaded.ledger.runs.iter().any(|other| other.undoes.as_ref() == Some(&run));
    if record.written == 0 && staged.is_empty() && !begun_again && deeds.iter().all(untouched) {
        return Err(RollbackError::Empty { run });
    }
    let files = deeds.iter().flat_map(|deed| &deed.intent.pieces);
    let folders = files.filter_map(|piece| piece.path.parent()).map(ToOwned::to_owned).collect();
    let backups = backups(&records);
    let (mut changed, mut damaged, mut restores) = (Vec::new(), Vec::new(), Vec::new());
    for deed in deeds.iter().rev().filter(|deed| !untouched(deed)) {
        let store = &deed.intent.store;
        let pieces = pieces(deed, state.system()).map_err(|whys| {
            changed.extend(whys.into_iter().map(|why| Fault { store: store.clone(), why }));
        });
        let Ok(pieces) = pieces else { continue };
        let mut with_backups = Vec::new();
        for piece in pieces {
            match backup(&backups, &piece) {
                Ok(backup) => with_backups.push((piece, backup)),
                Err(why) => damaged.push(Fault { store: store.clone(), why }),
            }
        }
        let all = with_backups.len() == deed.intent.pieces.len();
        let facts = if all { audit::happened(deed) } else { audit::seen(&deed.intent) };
        let facts = if with_backups.is_empty() { Vec::new() } else { facts };
        restores.push(Restore { intent: deed.intent.clone(), pieces: with_backups, facts });
    }
    if !changed.is_empty() {
        return Err(RollbackError::Changed { run, faults: changed });
    }
    if !damaged.is_empty() {
        return Err(RollbackError::Damaged { run, faults: damaged });
    }
    let arrived = records.iter().filter_map(|record| match record {
        Record::Arrived { identity, path, copy, sha256 } => {
            let (identity, path, copy) = (identity.clone(), path.clone(), copy.clone());
            Some(Arrived { identity, path, copy, sha256: *sha256 })
        }
        _ => None,
    });
    let arrived = arrived.collect();
    let packs = records.iter().filter_map(|record| match record {
        Record::Pack { target, .. } => Some(target.clone()),
        _ => None,
    });
    Ok(Outlook {
        run,
        started: record.started,
        plan: record.plan,
        packs: packs.collect(),
        restores,
        folders,
        staged,
        arrived,
    })
}

fn untouched(deed: &Deed) -> bool {
    deed.written.is_empty() && deed.unclear.is_empty()
}

/// The keys a run made. Those it took up again belong to an earlier one.
fn staged(records: &[Record]) -> Vec<(IdentityId, Fingerprint)> {
    let staged = records.iter().filter_map(|record| match record {
        Record::Staged { identity, sha256, resumed: false, .. } => Some((identity.clone(), *sha256)),
        _ => None,
    });
    staged.collect()
}

/// The run that is meant: the newest that wrote something and was not taken back. Older ones are not taken back under it: a
/// certificate that its trusters learned then may be in use by now. A rollback that was cut off is taken up again before
/// anything older is touched; a rollback itself is only taken back by its name.
fn choose<'a>(state: &State, ledger: &'a Ledger, run: Option<&str>) -> Result<&'a RunRecord, RollbackError> {
    let find = |id: &str| ledger.runs.iter().find(|record| record.id == id);
    let wrote = |record: &RunRecord| -> Result<bool, DiskError> {
        let deeds = journal::deeds(&journal::read(state, &record.id)?, &record.id, state);
        Ok(record.written > 0 || !deeds.iter().all(untouched))
    };
    let named = run.map(|run| find(run).ok_or_else(|| RollbackError::Unknown { run: run.to_owned() })).transpose()?;
    for record in ledger.runs.iter().rev() {
        if named.is_some_and(|named| named.id == record.id) {
            return Ok(record);
        }
        let standing = match &record.undoes {
            _ if record.undone_by.is_some() => None,
            // What took another run back whole has nothing left to be taken back.
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
            // That it was taken back already, or has no backups any more, is the better answer.
            (Some(_), Some(named)) => return Ok(named),
        }
    }
    Err(RollbackError::Nothing)
}

/// The files of a store that are to be put back; or why one is in the way.
fn pieces(deed: &Deed, system: &dyn SystemStores) -> Result<Vec<Piece>, Vec<String>> {
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    for piece in &deed.intent.pieces {
        let path = piece.path.display();
        if !deed.written.contains(&piece.path) && !deed.unclear.contains(&piece.path) {
            continue;
        }
        match live::digest_if_there(system, deed.intent.store.host.as_str(), &piece.path) {
            Ok(now) if now == piece.after => found.push(piece.clone()),
            Ok(now) if now == piece.before => {}
            Ok(Some(_)) => faults.push(format!("{path} holds something else by now")),
            Ok(None) => faults.push(format!("{path} is gone")),
            Err(error) => faults.push(error.to_string()),
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

/// Backups by what they are copies of.
type Backups = BTreeMap<(PathBuf, Fingerprint), Backup>;

fn backups(records: &[Record]) -> Backups {
    let backups = records.iter().filter_map(|record| match record {
        Record::Backup { path, of, owner, attributes, sha256, .. } => {
            let backup = Backup { copy: path.clone(), owner: *owner, attributes: attributes.clone() };
            Some(((of.clone(), *sha256), backup))
        }
        _ => None,
    });
    backups.collect()
}

/// The backup of a file, read and compared.
fn backup(backups: &Backups, piece: &Piece) -> Result<Option<Backup>, String> {
    let Some(before) = piece.before else { return Ok(None) };
    let backup = backups.get(&(piece.path.clone(), before)).cloned();
    let backup = backup.ok_or_else(|| format!("no backup of {} was noted", piece.path.display()))?;
    match live::digest_of_copy(&piece.path, &backup.copy) {
        Ok(Some(digest)) if digest == before => Ok(Some(backup)),
        Ok(Some(_)) => Err(format!("the backup {} was altered", backup.copy.display())),
        Ok(None) => Err(format!("the backup {} is missing", backup.copy.display())),
        Err(error) => Err(error.to_string()),
    }
}
