//! Keeps the record of a run or a rollback: the lock's signature, a journal, an entry in the ledger, and lines in the
//! audit log. The ledger's entry is stored before the first change and completed after the last; in between only the
//! journal is written. If the run is cut off, the next run completes ledger and audit log from the journal.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use trustmason_keystore::Digest;
use trustmason_plan::ledger::{Ledger, RunRecord};
use trustmason_plan::run_id::RunId;
use trustmason_spec::topology::{Policy, Side, Topology};

use crate::disk::{self, Disk, DiskError};
use crate::machine;
use crate::record::audit::{self, Audit, Author};
use crate::record::journal::{self, Intent, Journal, Record, Replayed};
use crate::record::ledger::{self, Loaded};
use crate::record::sites::{PieceHere, Sites};
use crate::state::State;
use crate::state::lock::{Lock, LockError};

/// Why a run's record could not be opened. Nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// Another run is at work.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Another run, or a confirmation, wrote the ledger after it was loaded and before the lock was taken.
    #[error("{} was written after this plan was made; plan again", ledger.display())]
    Overtaken {
        /// The ledger.
        ledger: PathBuf,
    },
    /// The state folder cannot be written.
    #[error("nothing was done, because the run could not be recorded: {0}")]
    State(#[from] DiskError),
}

/// Why a run stores nothing more.
#[derive(Debug, thiserror::Error)]
pub enum HaltError {
    /// The lock is no longer held.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Another program wrote the ledger.
    #[error("another program wrote {} during this run; this run writes nothing more", ledger.display())]
    Overwritten {
        /// The ledger.
        ledger: PathBuf,
    },
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(DiskError),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(DiskError),
}

/// The record of a run at work.
pub(crate) struct RunRecorder<'a> {
    pub disk: &'a Disk,
    pub state: State,
    pub run: RunId,
    pub now: Timestamp,
    pub journal: Journal<'a>,
    pub ledger: Ledger,
    /// Failures of the record itself, which stopped no store.
    pub troubles: Vec<String>,
    /// Old backups that could not be removed. This run lacks nothing because of them.
    pub warnings: Vec<String>,
    /// The next run must handle something that is left, as after a crash, so the ledger's entry stays open.
    pub open: bool,
    /// The digest of the ledger as this run last stored it. The run replaces no other ledger than this one.
    stored: Option<Digest>,
    topology: &'a Topology,
}

/// The facts that a run's record begins with.
#[derive(Clone, Copy)]
pub(crate) struct RunStart<'a> {
    pub digest: Digest,
    pub topology: &'a Topology,
    pub loaded: &'a Loaded,
    pub now: Timestamp,
    pub author: Author<'a>,
    pub undoes: Option<&'a RunId>,
    /// The `--host` globs that the run is limited to.
    pub hosts: &'a [String],
    /// The `--side` that the run is limited to.
    pub side: Option<Side>,
}

/// How many stores were written, failed and left alone.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub written: u32,
    pub failed: u32,
    pub skipped: u32,
}

impl<'a> RunRecorder<'a> {
    /// Opens the record. Only the state folder is touched.
    pub(crate) fn open(disk: &'a Disk, lock: &mut Lock, beginning: RunStart<'a>) -> Result<Self, BeginError> {
        let RunStart { digest, topology, loaded, now, author, undoes, hosts, side } = beginning;
        let state = lock.state().clone();
        let run = new_run(&state, now, digest);
        lock.sign(disk, &run, now)?;
        if !ledger::is_still(&state, loaded)? {
            lock.unsign(disk)?;
            return Err(BeginError::Overtaken { ledger: state.ledger() });
        }
        disk.make_dir(&state.run(&run))?;
        let journal = Journal::open(disk, &state, &run)?;
        let begin = Record::Begin {
            journal: journal::VERSION,
            run: run.clone(),
            estate: topology.estate.clone(),
            plan: digest,
            at: now,
            who: author.who.to_owned(),
            machine: machine::name(),
            approval: Some(author.approval),
            undoes: undoes.cloned(),
        };
        journal.note(&begin)?;
        // The lines that earlier runs owe the log come first: the ledger stored next no longer knows of them.
        Audit::of(disk, &state).complete(&loaded.owed)?;
        let mut ledger = loaded.ledger.clone();
        ledger.version = ledger::VERSION;
        ledger.estate.clone_from(&topology.estate);
        let record = ledger::new_record(&run, now, digest, undoes.cloned());
        ledger.runs.push(RunRecord { hosts: hosts.to_vec(), side, ..record });
        let stored = Some(ledger::store(disk, &state, &ledger, loaded.sha256, &run)?);
        let sites = Sites::of(topology, &state);
        Audit::of(disk, &state).append(&audit::of_journal(&[begin], &run, sites))?;
        Ok(Self {
            disk,
            state,
            run,
            now,
            journal,
            ledger,
            troubles: Vec::new(),
            warnings: Vec::new(),
            open: false,
            stored,
            topology,
        })
    }

    /// Where the stores are.
    pub(crate) fn sites(&self) -> Sites<'_> {
        Sites::of(self.topology, &self.state)
    }

    /// Checks that no other run can interfere while this one works.
    pub(crate) fn guard<'g>(&'g self, lock: &'g Lock) -> Guard<'g> {
        Guard { lock, state: &self.state, stored: self.stored }
    }

    /// Enters into the ledger what was done to a store, or what may have been done. If a part cannot be looked at, or
    /// the run left a temporary file beside it, the ledger's entry stays open.
    pub(crate) fn take(&mut self, replayed: &Replayed) {
        let Intent { store, pieces, .. } = &replayed.intent;
        let beside = pieces.iter().filter_map(|piece| match self.sites().locate(store, &piece.at) {
            Ok(PieceHere::File(path)) => Some(disk::temporaries(&path, self.run.as_str())),
            Ok(PieceHere::System(..)) | Err(_) => None,
        });
        let left = beside.flatten().any(|path| !matches!(disk::named_if_there(&path), Ok(None)));
        self.open |= left || replayed.unseen().is_some();
        replayed.enter(&mut self.ledger, &self.run, self.now);
    }

    /// Does something whose failure stops no store.
    pub(crate) fn trouble(&mut self, act: impl FnOnce(&mut Self) -> Result<(), DiskError>) {
        if let Err(error) = act(self) {
            self.troubled(error.to_string());
        }
    }

    /// Notes a failure, each text once.
    pub(crate) fn troubled(&mut self, trouble: String) {
        if !self.troubles.contains(&trouble) {
            self.troubles.push(trouble);
        }
    }

    /// Closes the record: the log first, then backups that need not be kept any longer, then the ledger. If the log
    /// cannot be written now, the ledger's entry stays open, so that the next run does it.
    pub(crate) fn close(&mut self, lock: &Lock, finished: Timestamp, counts: Counts, policy: &Policy) {
        // If the lock is lost, or another program wrote the ledger, nothing more is stored. The journal has everything,
        // and the next run takes it from there.
        if let Err(error) = self.guard(lock).holds() {
            self.troubled(error.to_string());
            return;
        }
        if let Err(error) = self.log() {
            self.troubled(error.to_string());
            self.open = true;
        }
        let Counts { written, failed, skipped } = counts;
        let closed = Some(finished).filter(|_| !self.open);
        if let Some(record) = self.ledger.runs.iter_mut().find(|record| record.id == self.run) {
            (record.finished, record.written, record.failed, record.skipped) = (closed, written, failed, skipped);
        }
        if written > 0 {
            self.prune(policy);
        }
        self.trouble(|recorder| recorder.journal.note(&Record::End { at: finished }));
        self.trouble(|recorder| {
            let journal = journal::digest(&recorder.state, &recorder.run)?;
            if let Some(record) = recorder.ledger.run_mut(&recorder.run) {
                record.journal = journal.filter(|_| closed.is_some());
            }
            let stored =
                ledger::store(recorder.disk, &recorder.state, &recorder.ledger, recorder.stored, &recorder.run)?;
            recorder.stored = Some(stored);
            Ok(())
        });
    }

    fn log(&self) -> Result<(), DiskError> {
        let records = journal::read(&self.state, &self.run).map_err(|error| {
            DiskError::new("read", &self.state.journal(&self.run), std::io::Error::other(error.to_string()))
        })?;
        let lines = audit::of_journal(&records, &self.run, self.sites());
        Audit::of(self.disk, &self.state).append(lines.get(1..).unwrap_or_default())
    }

    /// Removes the backups of runs that are too old and not among the newest that wrote a store. Nothing is removed
    /// while any run is open.
    fn prune(&mut self, policy: &Policy) {
        if self.ledger.runs.iter().any(|record| record.finished.is_none()) {
            return;
        }
        let age = SignedDuration::from_hours(24).saturating_mul(i32::try_from(policy.keep_days).unwrap_or(i32::MAX));
        let Ok(oldest) = self.now.checked_sub(age) else { return };
        let wrote = self.ledger.runs.iter().rev().filter(|record| record.written > 0);
        let newest: Vec<RunId> = wrote
            .take(usize::try_from(policy.keep_runs).unwrap_or(usize::MAX))
            .map(|record| record.id.clone())
            .collect();
        let kept = |record: &RunRecord| record.pruned || record.started >= oldest || newest.contains(&record.id);
        for record in self.ledger.runs.iter_mut().filter(|record| !kept(record)) {
            let backups = self.state.backups(&record.id);
            match self.state.is_inside(&backups).and_then(|()| empty(self.disk, &backups)) {
                Ok(()) => record.pruned = true,
                Err(error) => self.warnings.push(format!("old backups could not be removed: {error}")),
            }
        }
    }
}

/// Detects interference while a run works: the lock must still be held, and the ledger must be the one that this run
/// stored.
#[derive(Clone, Copy)]
pub(crate) struct Guard<'a> {
    lock: &'a Lock,
    state: &'a State,
    /// The digest of the ledger as this run stored it.
    stored: Option<Digest>,
}

impl Guard<'_> {
    /// Checks that no other run can interfere. Called before each thing that is stored.
    ///
    /// # Errors
    /// Why the run may store nothing more.
    pub(crate) fn holds(self) -> Result<(), HaltError> {
        self.lock.is_held()?;
        match ledger::digest_of(&self.state.ledger()).map_err(HaltError::Ledger)? {
            now if now == self.stored => Ok(()),
            _ => Err(HaltError::Overwritten { ledger: self.state.ledger() }),
        }
    }
}

/// Removes a folder of trustmason's own with everything in it. A link in it is removed, not followed.
fn empty(disk: &Disk, folder: &std::path::Path) -> Result<(), DiskError> {
    for (path, is_dir) in disk::list(folder)? {
        if is_dir { empty(disk, &path)? } else { disk.remove(&path)? }
    }
    disk.remove_empty_dir(folder)
}

/// A run's id is the name of its folder. Two runs of one plan in the same millisecond get different ids.
fn new_run(state: &State, now: Timestamp, digest: Digest) -> RunId {
    let millisecond = SignedDuration::from_millis(1);
    let mut at = now;
    loop {
        let run = RunId::new(at, digest);
        match at.checked_add(millisecond) {
            Ok(next) if matches!(disk::named_if_there(&state.run(&run)), Ok(Some(_))) => at = next,
            Ok(_) | Err(_) => return run,
        }
    }
}
