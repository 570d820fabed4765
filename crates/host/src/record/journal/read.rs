//! Reads a journal. Every line must be one of the records, in an order that a run can write; otherwise the whole
//! journal is refused, with the line and the cause. Only the half line at the end that a power cut leaves is skipped:
//! the action that it would have announced was not done.

use std::collections::BTreeSet;

use trustmason_keystore::Digest;
use trustmason_plan::ledger::RunRecord;
use trustmason_plan::run_id::RunId;
use trustmason_spec::name::StoreId;

use super::{Record, VERSION};
use crate::disk::{self, DiskError, ReadLimit};
use crate::state::State;

/// Why a journal cannot be used. It is then not known what its run did, and nothing may rely on it.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// There is no such file, or it is empty.
    #[error(
        "the journal {path} of run {run} is missing or empty; restore it from a backup of the state folder (docs/state.md says what to do without one)"
    )]
    Missing {
        /// The file.
        path: String,
        /// The run.
        run: RunId,
    },
    /// A line is not what this program writes.
    #[error(
        "the journal {path} of run {run} is damaged in line {line}: {cause}; restore it from a backup of the state folder"
    )]
    Damaged {
        /// The file.
        path: String,
        /// The run.
        run: RunId,
        /// The line, counted from 1.
        line: usize,
        /// The problem with the line.
        cause: String,
    },
    /// Another version of the program wrote the journal.
    #[error("the journal {path} of run {run} has layout version {found}, but this program reads {VERSION}; {}", remedy(*found))]
    Version {
        /// The file.
        path: String,
        /// The run.
        run: RunId,
        /// The layout version; version 1 does not state one.
        found: u64,
    },
    /// The journal and the ledger describe different runs.
    #[error(
        "the journal {path} of run {run} does not fit the ledger: {cause}; restore both from one backup of the state folder"
    )]
    Contradicts {
        /// The file.
        path: String,
        /// The run.
        run: RunId,
        /// The difference between the journal and the ledger.
        cause: String,
    },
    /// The journal was changed after its run ended.
    #[error(
        "the journal {path} was changed after run {run} ended; restore it from a backup of the state folder, or take the \
         stores from the run's backups by hand"
    )]
    Altered {
        /// The file.
        path: String,
        /// The run.
        run: RunId,
    },
}

fn remedy(found: u64) -> &'static str {
    if found > u64::from(VERSION) {
        "use the newer program"
    } else {
        "use the program that wrote it, or take the stores from the run's backups by hand"
    }
}

/// Reads a run's journal.
///
/// # Errors
/// [`JournalError`]; then nothing in it may be used.
pub fn read(state: &State, run: &RunId) -> Result<Vec<Record>, JournalError> {
    Ok(with_digest(state, run)?.0)
}

/// Reads a run's journal, and computes the digest of the very bytes that were read.
fn with_digest(state: &State, run: &RunId) -> Result<(Vec<Record>, Digest), JournalError> {
    let path = state.journal(run);
    let bytes = disk::read_if_there(&path, ReadLimit::Journal)?.unwrap_or_default();
    Ok((of_bytes(&bytes, run, &path.display().to_string())?, Digest::of(&bytes)))
}

/// Reads the journal of a run that the ledger knows. If the run has ended, it must be the very journal that it ended
/// with.
///
/// # Errors
/// [`JournalError`]; then nothing in it may be used.
pub(crate) fn of_record(state: &State, record: &RunRecord) -> Result<(Vec<Record>, Digest), JournalError> {
    let (records, digest) = with_digest(state, &record.id)?;
    let told = |undoes: &Option<RunId>| match undoes {
        Some(undone) => format!("takes run {undone} back"),
        None => "takes no run back".to_owned(),
    };
    let cause = match records.first() {
        Some(Record::Begin { undoes, .. }) if *undoes != record.undoes => {
            Some(format!("by the journal it {}, by the ledger it {}", told(undoes), told(&record.undoes)))
        }
        Some(Record::Begin { plan, .. }) if *plan != record.plan => {
            Some("their plans have different digests".to_owned())
        }
        _ => None,
    };
    if let Some(cause) = cause {
        let path = state.journal(&record.id).display().to_string();
        return Err(JournalError::Contradicts { path, run: record.id.clone(), cause });
    }
    if record.journal.is_some_and(|closed| closed != digest) {
        let path = state.journal(&record.id).display().to_string();
        return Err(JournalError::Altered { path, run: record.id.clone() });
    }
    Ok((records, digest))
}

/// Checks that the journal of a run that the ledger knows can be read and is the one that the run ended with.
///
/// # Errors
/// [`JournalError`]: the run cannot be taken back.
pub fn check(state: &State, record: &RunRecord) -> Result<(), JournalError> {
    of_record(state, record).map(|_| ())
}

/// The digest of a run's journal as it is now.
///
/// # Errors
/// Fails if the journal cannot be read.
pub fn digest(state: &State, run: &RunId) -> Result<Option<Digest>, DiskError> {
    let bytes = disk::read_if_there(&state.journal(run), ReadLimit::Journal)?;
    Ok(bytes.map(|bytes| Digest::of(&bytes)))
}

/// Reads a journal from the bytes of its file.
pub(crate) fn of_bytes(bytes: &[u8], run: &RunId, path: &str) -> Result<Vec<Record>, JournalError> {
    let path = || path.to_owned();
    let mut lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
    // After the last line feed comes a line that was cut off, or nothing.
    lines.pop();
    let mut records: Vec<Record> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let damaged = |cause: String| JournalError::Damaged { path: path(), run: run.clone(), line: index + 1, cause };
        if index == 0 {
            let found = version(line).map_err(&damaged)?;
            if found != u64::from(VERSION) {
                return Err(JournalError::Version { path: path(), run: run.clone(), found });
            }
        }
        records.push(serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?);
    }
    if records.is_empty() {
        return Err(JournalError::Missing { path: path(), run: run.clone() });
    }
    let mut seen = RecordsSoFar::default();
    for (index, record) in records.iter().enumerate() {
        seen.take(record, run, index == 0).map_err(|cause| JournalError::Damaged {
            path: path(),
            run: run.clone(),
            line: index + 1,
            cause,
        })?;
    }
    Ok(records)
}

/// The version in the first line. A journal of version 1 begins with the same record and has no version.
fn version(line: &[u8]) -> Result<u64, String> {
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if fields.get("record").and_then(serde_json::Value::as_str) != Some("begin") {
        return Err("it does not begin with the beginning of a run".to_owned());
    }
    match fields.get("journal") {
        None => Ok(1),
        Some(version) => version.as_u64().ok_or_else(|| "its version is no number".to_owned()),
    }
}

/// The records that were read so far.
#[derive(Default)]
struct RecordsSoFar<'a> {
    intents: BTreeSet<&'a StoreId>,
    outcomes: BTreeSet<&'a StoreId>,
    ended: bool,
}

impl<'a> RecordsSoFar<'a> {
    /// Takes the next record, or says why no run writes it here.
    fn take(&mut self, record: &'a Record, run: &RunId, first: bool) -> Result<(), String> {
        if self.ended {
            return Err("it goes on after the run's end".to_owned());
        }
        match record {
            Record::Begin { run: named, .. } if first && named == run => {}
            Record::Begin { run: named, .. } if first => return Err(format!("it is the journal of run {named}")),
            Record::Begin { .. } => return Err("the run begins a second time".to_owned()),
            Record::Backup { store, of, .. } if *of.host() != store.host => {
                return Err(format!("a copy of {of} is no copy of {store}"));
            }
            Record::Intent(intent) => {
                if !self.intents.insert(&intent.store) || self.outcomes.contains(&intent.store) {
                    return Err(format!("{} is announced a second time", intent.store));
                }
                let elsewhere = intent.pieces.iter().find(|piece| *piece.at.host() != intent.store.host);
                if let Some(piece) = elsewhere {
                    return Err(format!("{} is no part of {}", piece.at, intent.store));
                }
                let places: BTreeSet<_> = intent.pieces.iter().map(|piece| &piece.at).collect();
                if places.len() != intent.pieces.len() || places.is_empty() {
                    return Err(format!("the parts of {} are not told apart", intent.store));
                }
                if intent.pieces.iter().any(|piece| piece.before == piece.after) {
                    return Err(format!("a part of {} is announced that does not change", intent.store));
                }
            }
            Record::Outcome { store, written, unclear, .. } => {
                if !self.outcomes.insert(store) {
                    return Err(format!("{store} ends a second time"));
                }
                let parts = written.iter().chain(unclear);
                if !self.intents.contains(store) && parts.count() > 0 {
                    return Err(format!("{store} ends and was not announced"));
                }
            }
            Record::End { .. } => self.ended = true,
            Record::Staged { .. } | Record::Arrived { .. } | Record::Backup { .. } | Record::Pack { .. } => {}
        }
        Ok(())
    }
}
