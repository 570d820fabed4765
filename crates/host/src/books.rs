//! The books of a run, or of a rollback, which is one: the lock signed, a journal, a record in the ledger, its lines in the
//! audit log. The record is there before the first deed and closed after the last; in between the journal alone is kept, and
//! if the run is cut off the next one completes ledger and log from it.

use jiff::{SignedDuration, Timestamp};
use trustmason_keystore::Fingerprint;
use trustmason_plan::ledger::{Ledger, RunRecord};
use trustmason_spec::topology::{Policy, Topology};

use crate::audit::{self, Audit, Author};
use crate::disk::{self, Disk, DiskError};
use crate::journal::{self, Journal, Record};
use crate::ledger::{self, Loaded};
use crate::lock::{self, Lock};
use crate::run::RunError;
use crate::state::{self, State};

/// Books being kept.
pub(crate) struct Books<'a> {
    pub disk: &'a Disk,
    pub state: State,
    pub run: String,
    pub now: Timestamp,
    pub journal: Journal<'a>,
    pub ledger: Ledger,
    /// Trouble with the books themselves, which stopped no store.
    pub troubles: Vec<String>,
    /// Something is left that the next run must see to, as after a crash: the record stays open.
    pub open: bool,
}

/// What the books are opened for.
#[derive(Clone, Copy)]
pub(crate) struct Beginning<'a> {
    pub digest: Fingerprint,
    pub topology: &'a Topology,
    pub loaded: &'a Loaded,
    pub now: Timestamp,
    pub author: Author<'a>,
    pub undoes: Option<&'a str>,
}

/// Stores written, failed and left alone.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub written: u32,
    pub failed: u32,
    pub skipped: u32,
}

impl<'a> Books<'a> {
    /// Opens them. Nothing but the state folder is touched.
    pub(crate) fn open(disk: &'a Disk, lock: &mut Lock, beginning: Beginning<'_>) -> Result<Self, RunError> {
        let Beginning { digest, topology, loaded, now, author, undoes } = beginning;
        let state = lock.state().clone();
        let run = new_run(&state, now, digest);
        lock.sign(disk, &run, now)?;
        if !ledger::is_still(&state, loaded)? {
            lock.unsign(disk)?;
            return Err(RunError::Overtaken { ledger: state.ledger() });
        }
        disk.make_dir(&state.run(&run))?;
        let journal = Journal::open(disk, &state, &run)?;
        let begin = Record::Begin {
            run: run.clone(),
            plan: digest,
            at: now,
            who: author.who.to_owned(),
            machine: lock::machine(),
            approval: Some(author.approval),
            undoes: undoes.map(str::to_owned),
        };
        journal.note(&begin)?;
        // First of all what earlier runs owe the log: the ledger that is stored next no longer knows of it.
        Audit::of(disk, &state).complete(&loaded.owed)?;
        let mut ledger = loaded.ledger.clone();
        ledger.version = ledger::VERSION;
        ledger.estate.clone_from(&topology.estate);
        ledger.runs.push(RunRecord {
            id: run.clone(),
            started: now,
            finished: None,
            plan: digest,
            written: 0,
            failed: 0,
            skipped: 0,
            undoes: undoes.map(str::to_owned),
            undone_by: None,
            pruned: false,
        });
        ledger::store(disk, &state, &ledger, &run)?;
        Audit::of(disk, &state).append(&audit::of_journal(&[begin], &run, &state))?;
        Ok(Self { disk, state, run, now, journal, ledger, troubles: Vec::new(), open: false })
    }

    /// Does something whose failure stops no store.
    pub(crate) fn trouble(&mut self, act: impl FnOnce(&mut Self) -> Result<(), DiskError>) {
        if let Err(error) = act(self) {
            self.troubles.push(error.to_string());
        }
    }

    /// Closes them: the log, then backups nobody keeps any longer, then the ledger. What cannot be logged now leaves the record
    /// open, so that the next run does it.
    pub(crate) fn close(&mut self, finished: Timestamp, counts: Counts, policy: &Policy) {
        if let Err(error) = self.log() {
            self.troubles.push(error.to_string());
            self.open = true;
        }
        let Counts { written, failed, skipped } = counts;
        let closed = Some(finished).filter(|_| !self.open);
        if let Some(record) = self.ledger.runs.iter_mut().find(|record| record.id == self.run) {
            *record = RunRecord { finished: closed, written, failed, skipped, ..record.clone() };
        }
        if written > 0 {
            self.trouble(|books| books.prune(policy));
        }
        self.trouble(|books| books.journal.note(&Record::End { at: finished }));
        self.trouble(|books| ledger::store(books.disk, &books.state, &books.ledger, &books.run).map(|_| ()));
    }

    fn log(&self) -> Result<(), DiskError> {
        let lines = audit::of_journal(&journal::read(&self.state, &self.run)?, &self.run, &self.state);
        Audit::of(self.disk, &self.state).append(lines.get(1..).unwrap_or_default())
    }

    /// Removes the backups of runs that are too old and not among the newest that wrote; never while a run is open.
    fn prune(&mut self, policy: &Policy) -> Result<(), DiskError> {
        if self.ledger.runs.iter().any(|record| record.finished.is_none()) {
            return Ok(());
        }
        let age = SignedDuration::from_hours(24).saturating_mul(i32::try_from(policy.keep_days).unwrap_or(i32::MAX));
        let Ok(oldest) = self.now.checked_sub(age) else { return Ok(()) };
        let wrote = self.ledger.runs.iter().rev().filter(|record| record.written > 0);
        let newest: Vec<String> = wrote
            .take(usize::try_from(policy.keep_runs).unwrap_or(usize::MAX))
            .map(|record| record.id.clone())
            .collect();
        let kept = |record: &RunRecord| record.pruned || record.started >= oldest || newest.contains(&record.id);
        for record in self.ledger.runs.iter_mut().filter(|record| !kept(record)) {
            empty(self.disk, &self.state.backups(&record.id))?;
            record.pruned = true;
        }
        Ok(())
    }
}

/// Removes a folder of our own with everything in it.
fn empty(disk: &Disk, folder: &std::path::Path) -> Result<(), DiskError> {
    for (path, is_dir) in disk::list(folder)? {
        if is_dir { empty(disk, &path)? } else { disk.remove(&path)? }
    }
    disk.remove_empty_dir(folder)
}

/// A run's id is its folder's name; two runs of one plan in one millisecond get different ones.
fn new_run(state: &State, now: Timestamp, digest: Fingerprint) -> String {
    let millisecond = SignedDuration::from_millis(1);
    let mut at = now;
    loop {
        let run = state::run_id(at, digest);
        match at.checked_add(millisecond) {
            Ok(next) if state.run(&run).exists() => at = next,
            Ok(_) | Err(_) => return run,
        }
    }
}
