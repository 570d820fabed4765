//! A run's diary: one JSON object a line, each on the disk before the deed it announces. It holds public facts only. What an
//! interrupted run did is read from here by the next one, so that neither a placed entry nor a predecessor is forgotten.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trustmason_keystore::Fingerprint;
use trustmason_plan::ledger::{HandOff, Placed, Predecessor};
use trustmason_spec::name::{IdentityId, ServiceId, StoreId};

use crate::disk::{self, Disk, DiskError, Owner, Written};
use crate::state::State;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// The run begins.
    Begin {
        /// Its id.
        run: String,
        /// Digest of its plan.
        plan: Fingerprint,
        /// When.
        at: Timestamp,
    },
    /// A key was made and is in staging.
    Staged {
        /// Whose.
        identity: IdentityId,
        /// The certificate made for it.
        sha256: Fingerprint,
        /// The file.
        path: PathBuf,
    },
    /// What a store was is kept.
    Backup {
        /// The store.
        store: StoreId,
        /// The copy.
        path: PathBuf,
        /// What it is a copy of.
        of: PathBuf,
        /// Owner and mode of the original, also where the copy could not have them.
        owner: Owner,
        /// Its digest.
        sha256: Fingerprint,
    },
    /// A store is about to be written.
    Intent(Intent),
    /// What became of it.
    Outcome {
        /// The store.
        store: StoreId,
        /// `written`, `failed` …
        outcome: String,
        /// The error, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// A pack was written.
    Pack {
        /// For what.
        target: StoreId,
        /// What the ledger is to know of it.
        handoff: HandOff,
    },
    /// The run ends.
    End {
        /// When.
        at: Timestamp,
    },
}

/// A store is about to be written: what it was, what it will be, and what the ledger is to know then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The store.
    pub store: StoreId,
    /// The file or folder.
    pub path: PathBuf,
    /// Its digest before; `None` where it is made.
    pub before: Option<Fingerprint>,
    /// Its digest after.
    pub after: Fingerprint,
    /// What the ledger is to know.
    pub memory: Memory,
}

/// What a written store adds to the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Entries placed, by their key in the ledger.
    pub placed: BTreeMap<String, Placed>,
    /// Keys of entries that left.
    pub gone: Vec<String>,
    /// Entries that have another alias now: from key, to key.
    pub moved: Vec<(String, String)>,
    /// Certificates that identities had before.
    pub predecessors: BTreeMap<Fingerprint, Predecessor>,
    /// Services that must be restarted.
    pub restarts: Vec<ServiceId>,
}

/// A journal being written.
#[derive(Debug)]
pub struct Journal<'a> {
    file: Written<'a>,
}

impl<'a> Journal<'a> {
    /// Opens a run's journal; the run's folder must be there.
    ///
    /// # Errors
    /// That it cannot be made.
    pub fn open(disk: &'a Disk, state: &State, run: &str) -> Result<Self, DiskError> {
        Ok(Self { file: disk.append(&state.journal(run))? })
    }

    /// Adds a line and brings it to the disk.
    ///
    /// # Errors
    /// That it is not sure to be there; the deed it announces must not be done then.
    pub fn note(&mut self, record: &Record) -> Result<(), DiskError> {
        let mut line = serde_json::to_vec(record).map_err(|error| {
            DiskError::new("describe a step for", std::path::Path::new("the journal"), error.into())
        })?;
        line.push(b'\n');
        self.file.write(&line)?;
        self.file.sync()
    }
}

/// Reads a run's journal as far as it goes: a crash leaves half a line at most, which is passed over.
///
/// # Errors
/// That it is there and cannot be read.
pub fn read(state: &State, run: &str) -> Result<Vec<Record>, DiskError> {
    let bytes = disk::read_if_there(&state.journal(run))?.unwrap_or_default();
    Ok(bytes.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
    use super::*;

    #[test]
    fn half_a_line_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let (state, disk) = (State::at(dir.path()), Disk::new());
        disk.make_dir(&state.run("r")).unwrap();
        let begin = Record::Begin { run: "r".into(), plan: Fingerprint::of(b"p"), at: Timestamp::UNIX_EPOCH };
        let mut journal = Journal::open(&disk, &state, "r").unwrap();
        journal.note(&begin).unwrap();
        std::fs::OpenOptions::new()
            .append(true)
            .open(state.journal("r"))
            .map(|mut f| std::io::Write::write_all(&mut f, b"{\"record\":\"en"))
            .unwrap()
            .unwrap();
        assert_eq!(read(&state, "r").unwrap(), std::slice::from_ref(&begin));
        assert_eq!(read(&state, "other").unwrap(), []);
        let text = std::fs::read_to_string(state.journal("r")).unwrap();
        assert!(text.starts_with("{\"record\":\"begin\",\"run\":\"r\""), "{text}");
    }
}
