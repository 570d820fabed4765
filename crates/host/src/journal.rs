//! A run's diary: one JSON object a line, each on the disk before the deed it announces. It holds public facts only. What an
//! interrupted run did is read from here by the next one, so that neither a placed entry nor a predecessor is forgotten.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trustmason_keystore::Fingerprint;
use trustmason_plan::change::{Action, ChangeId};
use trustmason_plan::ledger::{HandOff, Placed, Predecessor};
use trustmason_plan::target::HandOffTarget;
use trustmason_spec::name::{IdentityId, ServiceId, StoreId};

use crate::audit::Approval;
use crate::disk::{self, Attributes, Disk, DiskError, Owner, Written};
use crate::live::{self, SystemStores};
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
        /// Who began it, as the system names them.
        #[serde(default)]
        who: String,
        /// The machine it ran on.
        #[serde(default)]
        machine: String,
        /// How it was approved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval: Option<Approval>,
        /// The run it takes back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undoes: Option<String>,
    },
    /// A key was made, or taken up again, and is in staging.
    Staged {
        /// Whose.
        identity: IdentityId,
        /// The certificate made for it.
        sha256: Fingerprint,
        /// The file.
        path: PathBuf,
        /// An earlier run made it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        resumed: bool,
    },
    /// A staged key that an earlier run made has arrived; it is kept, since nothing else holds it once its store is put back.
    Arrived {
        /// Whose.
        identity: IdentityId,
        /// The staging file.
        path: PathBuf,
        /// The copy.
        copy: PathBuf,
        /// The copy's digest.
        sha256: Fingerprint,
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
        /// Likewise its access list and attributes.
        #[serde(default, skip_serializing_if = "Attributes::is_empty")]
        attributes: Attributes,
        /// Its digest.
        sha256: Fingerprint,
    },
    /// A store is about to be written.
    Intent(Box<Intent>),
    /// What became of it.
    Outcome {
        /// The store.
        store: StoreId,
        /// `written`, `failed` …
        outcome: String,
        /// The error, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// The files that have their new content all the same, where not all of them were written.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pieces: Vec<PathBuf>,
    },
    /// A pack was written.
    Pack {
        /// For what.
        target: HandOffTarget,
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
    /// Its digest after; `None` where it is removed.
    pub after: Option<Fingerprint>,
    /// The files that are written or removed: the store's own, or those of its folder.
    pub pieces: Vec<Piece>,
    /// What the ledger is to know.
    pub memory: Memory,
    /// What the ledger knows of the store's entries before.
    #[serde(default)]
    pub placed: BTreeMap<String, Placed>,
    /// What is done to which entry, for the audit log.
    #[serde(default)]
    pub facts: Vec<Fact>,
}

/// One file of an intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The file.
    pub path: PathBuf,
    /// Its digest before; `None` where it is made.
    pub before: Option<Fingerprint>,
    /// Its digest after; `None` where it is removed.
    pub after: Option<Fingerprint>,
}

/// What is done to one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The change in its plan.
    pub change: ChangeId,
    /// What is done.
    pub action: Action,
    /// The entry's alias before it (of a new entry: its alias); `None` where the store has none.
    pub alias: Option<String>,
    /// Its alias afterwards, where that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What kind of entry it is.
    pub kind: Kind,
    /// The certificate that leaves.
    pub before: Option<Fingerprint>,
    /// The certificate that comes.
    pub after: Option<Fingerprint>,
    /// The rule behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why, for people.
    pub reason: String,
}

/// Kinds of entry that a run changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A trusted certificate.
    TrustedCertificate,
    /// A private key with its chain.
    PrivateKey,
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
    /// Of a store that was put back: the entries that are ours now, in the place of all that were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<BTreeMap<String, Placed>>,
    /// Of a store that was put back: certificates that are nobody's predecessors any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<Fingerprint>,
}

/// What became of an intent, as far as the journal and the disk tell.
#[derive(Clone, Debug)]
pub struct Deed {
    /// What was meant.
    pub intent: Intent,
    /// Whether all of it was done.
    pub done: bool,
    /// The files that got their new content, also where not all of them did.
    pub written: Vec<PathBuf>,
    /// Files that nobody can tell of: the run was cut off, and they are neither what they were nor what they were to be.
    pub unclear: Vec<PathBuf>,
}

/// What a run did to each store, in the order it did it. What the journal says of an outcome counts, whatever stands there by
/// now; where the run was cut off, the digests tell: the step in which a file gets its name is the deed, not its announcement.
pub fn deeds(records: &[Record], run: &str, state: &State) -> Vec<Deed> {
    let outcomes: BTreeMap<&StoreId, (&str, &Vec<PathBuf>)> = records
        .iter()
        .filter_map(|record| match record {
            Record::Outcome { store, outcome, pieces, .. } => Some((store, (outcome.as_str(), pieces))),
            _ => None,
        })
        .collect();
    let intents = records.iter().filter_map(|record| match record {
        Record::Intent(intent) => Some((**intent).clone()),
        _ => None,
    });
    intents
        .map(|intent| {
            let all = || intent.pieces.iter().map(|piece| piece.path.clone()).collect::<Vec<_>>();
            let (written, unclear) = match outcomes.get(&intent.store) {
                Some(("written", _)) => (all(), Vec::new()),
                Some((_, pieces)) => ((*pieces).clone(), Vec::new()),
                None => stand(&intent, run, state.system()),
            };
            Deed { done: written.len() == intent.pieces.len(), written, unclear, intent }
        })
        .collect()
}

/// The files of an intent that have their new content now, and those that have neither the old nor the new one.
pub(crate) fn stand(intent: &Intent, run: &str, system: &dyn SystemStores) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut written, mut unclear) = (Vec::new(), Vec::new());
    for piece in &intent.pieces {
        match live::digest_if_there(system, intent.store.host.as_str(), &piece.path) {
            // Somebody's work that was displaced goes back to its place, and with that this piece was not written.
            Ok(now) if now == piece.after && !displaced(piece, run) => written.push(piece.path.clone()),
            Ok(now) if now == piece.before || now == piece.after => {}
            Ok(_) | Err(_) => unclear.push(piece.path.clone()),
        }
    }
    (written, unclear)
}

/// Whether a run that was cut off left beside its file what somebody else had written there.
fn displaced(piece: &Piece, run: &str) -> bool {
    let foreign = |digest| Some(digest) != piece.before && Some(digest) != piece.after;
    let beside = disk::temporaries(&piece.path, run);
    beside.iter().any(|path| disk::digest_if_there(path).is_ok_and(|digest| digest.is_some_and(foreign)))
}

/// A journal being written; threads may share it.
#[derive(Debug)]
pub struct Journal<'a> {
    file: Mutex<Written<'a>>,
}

impl<'a> Journal<'a> {
    /// Opens a run's journal; the run's folder must be there.
    ///
    /// # Errors
    /// That it cannot be made.
    pub fn open(disk: &'a Disk, state: &State, run: &str) -> Result<Self, DiskError> {
        Ok(Self { file: Mutex::new(disk.append(&state.journal(run))?) })
    }

    /// Adds a line and brings it to the disk.
    ///
    /// # Errors
    /// That it is not sure to be there; the deed it announces must not be done then.
    pub fn note(&self, record: &Record) -> Result<(), DiskError> {
        let mut line = serde_json::to_vec(record).map_err(|error| {
            DiskError::new("describe a step for", std::path::Path::new("the journal"), error.into())
        })?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write(&line)?;
        file.sync()
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
        let begin = Record::Begin {
            run: "r".into(),
            plan: Fingerprint::of(b"p"),
            at: Timestamp::UNIX_EPOCH,
            who: "root".into(),
            machine: "here".into(),
            approval: None,
            undoes: None,
        };
        let journal = Journal::open(&disk, &state, "r").unwrap();
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
