//! Allows one run per estate, by an operating system lock on `state/lock`. The lock ends with its process, so a crash
//! never leaves a lock behind. Taking it writes nothing. Only when there is work to do, the run signs who it is
//! (`state/lock.owner`), and the error that another run gets names it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trustmason_plan::run_id::RunId;

use crate::disk::{self, Disk, DiskError, ReadLimit};
use crate::machine;
use crate::state::State;

/// The holder of a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// The machine that the process runs on.
    pub machine: String,
    /// When the process signed the lock.
    pub since: Timestamp,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("another run holds {}{}; wait for it to end", path.display(), by(holder.as_ref()))]
    Held {
        /// The lock.
        path: PathBuf,
        /// The run that holds the lock, if it signed.
        holder: Option<Holder>,
    },
    /// The system refused to lock the file.
    #[error("cannot lock {}: {cause}; check that the state folder's file system supports locks", path.display())]
    Refused {
        /// The lock.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// The lock file was removed or replaced, so another run may be at work.
    #[error(
        "the lock {} was removed or replaced during this run; another run may be at work, so this run writes nothing more; \
         leave the file alone and run again",
        path.display()
    )]
    Lost {
        /// The lock.
        path: PathBuf,
    },
    /// The file could not be opened or created.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

fn by(holder: Option<&Holder>) -> String {
    match holder {
        Some(h) => format!(" (process {} on {}, since {})", h.pid, h.machine, h.since),
        None => " (it has not written its name yet)".to_owned(),
    }
}

/// The estate's lock, held until dropped.
#[derive(Debug)]
pub struct Lock {
    state: State,
    /// `None` until there is a lock file.
    file: Option<File>,
}

impl Lock {
    /// Takes the lock without writing anything. If no run has ever written, there is no file to lock yet;
    /// [`Lock::sign`] creates it.
    ///
    /// # Errors
    /// Fails if another run holds the lock.
    pub fn take(state: &State) -> Result<Self, LockError> {
        let path = state.lock();
        let file = disk::open_if_there(&path, ReadLimit::Holder)?.map(|file| held(file, state)).transpose()?;
        Ok(Self { state: state.clone(), file })
    }

    /// Checks that the locked file is the one that other runs would lock. Called before anything is stored: a lock file
    /// that was removed or replaced keeps no other run out.
    ///
    /// # Errors
    /// Fails if the file was removed or replaced, or if this cannot be told.
    pub(crate) fn is_held(&self) -> Result<(), LockError> {
        let path = self.state.lock();
        let Some(file) = &self.file else { return Ok(()) };
        if disk::is_file_at(file, &path)? { Ok(()) } else { Err(LockError::Lost { path }) }
    }

    /// Writes who holds the lock, before anything else is written.
    ///
    /// # Errors
    /// Fails if another run was faster, or if the state folder cannot be written.
    pub fn sign(&mut self, disk: &Disk, run: &RunId, now: Timestamp) -> Result<(), LockError> {
        let path = self.state.lock();
        if self.file.is_none() {
            disk.make_dir(self.state.root())?;
            match disk.create(&path) {
                Ok(_made) => {}
                Err(error) if error.is_taken() => {}
                Err(error) => return Err(error.into()),
            }
            self.file =
                disk::open_if_there(&path, ReadLimit::Holder)?.map(|file| held(file, &self.state)).transpose()?;
        }
        let holder = Holder { pid: std::process::id(), machine: machine::name(), since: now };
        let text = serde_json::to_vec(&holder)
            .map_err(|error| DiskError::new("describe the holder of", &path, error.into()))?;
        disk.keep(&self.state.lock_owner(), &text, ReadLimit::Holder, run.as_str())?;
        self.is_held()
    }

    /// Removes the signature at the end of a run, also one that an interrupted run left. The lock itself ends when the
    /// value is dropped. If there is no signature, nothing is written.
    ///
    /// # Errors
    /// Fails if the signature is still there. It then names the wrong run until the next run replaces it.
    pub fn unsign(&mut self, disk: &Disk) -> Result<(), DiskError> {
        let path = self.state.lock_owner();
        if self.file.is_some() && disk::named_if_there(&path)?.is_some() { disk.remove(&path) } else { Ok(()) }
    }

    /// The state folder that the lock protects.
    pub fn state(&self) -> &State {
        &self.state
    }
}

fn held(file: File, state: &State) -> Result<File, LockError> {
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(LockError::Held { path: state.lock(), holder: holder(&state.lock_owner()) })
        }
        Err(TryLockError::Error(cause)) => Err(LockError::Refused { path: state.lock(), cause }),
    }
}

fn holder(path: &Path) -> Option<Holder> {
    disk::read_if_there(path, ReadLimit::Holder).ok().flatten().and_then(|bytes| serde_json::from_slice(&bytes).ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]
    use super::*;

    fn run() -> RunId {
        RunId::new(Timestamp::UNIX_EPOCH, trustmason_keystore::Digest::of(b"plan"))
    }

    #[test]
    fn a_lock_that_was_removed_or_replaced_holds_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path().join("state"));
        let mut lock = Lock::take(&state).unwrap();
        assert!(lock.is_held().is_ok(), "nothing is there to be locked yet");
        lock.sign(&Disk::new(), &run(), Timestamp::UNIX_EPOCH).unwrap();
        assert!(lock.is_held().is_ok());
        std::fs::rename(state.lock(), state.root().join("moved")).unwrap();
        assert!(matches!(lock.is_held(), Err(LockError::Lost { .. })));
        std::fs::write(state.lock(), b"").unwrap();
        assert!(matches!(lock.is_held(), Err(LockError::Lost { .. })));
        assert!(matches!(lock.sign(&Disk::new(), &run(), Timestamp::UNIX_EPOCH), Err(LockError::Lost { .. })));
        std::fs::rename(state.root().join("moved"), state.lock()).unwrap();
        assert!(lock.is_held().is_ok());
    }

    #[test]
    fn the_second_run_learns_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path().join("state"));
        let disk = Disk::new();
        let mut first = Lock::take(&state).unwrap();
        assert!(!state.root().exists(), "looking makes nothing");
        first.sign(&disk, &run(), Timestamp::UNIX_EPOCH).unwrap();
        let error = Lock::take(&state).unwrap_err().to_string();
        let pid = format!("process {}", std::process::id());
        assert!(error.contains(&pid) && error.contains("1970-01-01T00:00:00Z"), "{error}");
        first.unsign(&disk).unwrap();
        let unsigned = Lock::take(&state).unwrap_err().to_string();
        assert!(unsigned.contains("has not written its name yet"), "{unsigned}");
        drop(first);
        assert!(Lock::take(&state).is_ok());
    }

    #[test]
    fn of_two_runs_in_a_new_estate_one_may_sign() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path().join("state"));
        let (mut a, mut b) = (Lock::take(&state).unwrap(), Lock::take(&state).unwrap());
        a.sign(&Disk::new(), &run(), Timestamp::UNIX_EPOCH).unwrap();
        assert!(matches!(b.sign(&Disk::new(), &run(), Timestamp::UNIX_EPOCH), Err(LockError::Held { .. })));
    }
}
