//! The one seam through which anything is written. Each method is one elementary step (make a folder, create, write, own,
//! sync, rename, sync the folder, read back, remove) and asks its [`Gate`] first, so that a test can make any single step
//! fail, or pull the plug at it, and so that a run in which nothing changes can be shown to have taken no step at all.
//!
//! [`Disk::replace`] and [`Disk::withdraw`] put the steps in the only safe order (see `swap`): up to the one step in which the
//! name changes hands the target is untouched, after it the target is whole, and what it took the place of is looked at
//! before it goes.
//!
//! What is read comes in by one door as well (see `open`): regular files only, opened without waiting, never more than a
//! [`Limit`] of each. What is looked at without being opened comes in by `facts`. Neither lets "cannot be told" pass for "is not
//! there": absence is `Ok(None)`, and an error says whether the disk is away, refuses, or knows no such thing ([`Denial`]).
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the seam: here and nowhere else disks are looked at, and files opened and written"
)]

mod error;
mod facts;
mod file;
mod limit;
mod open;
mod read;
mod swap;
mod temporary;

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use error::{Denial, DiskError};
pub(crate) use facts::stands_at;
pub use facts::{Facts, facts, facts_if_there, follow_link, named, named_if_there};
use file::is_one_file;
pub use file::{Attributes, Owner, Written};
pub use limit::{Limit, MOST_IN_FOLDER, MOST_NAMES};
use open::Regular;
pub use read::{Item, Items, digest_if_there, folder_digest, items, items_if_there, read, read_folder, read_if_there};
pub(crate) use read::{ends_in, list, open_if_there};
pub use swap::{Over, ReplaceError, Replacement};
pub(crate) use temporary::{left_by, temporaries};

/// An elementary thing done to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Make a folder.
    MakeDir,
    /// Create a file that is not there.
    Create,
    /// Open a file to append to it.
    Append,
    /// Write all bytes.
    Write,
    /// Give a file its owner.
    SetOwner,
    /// Give a file its mode.
    SetMode,
    /// Bring a file's content to the disk.
    Sync,
    /// Give a file its name.
    Rename,
    /// Let two files change names.
    Exchange,
    /// Give a file a second name.
    Link,
    /// Bring a folder's names to the disk.
    SyncDir,
    /// Read what was written.
    ReadBack,
    /// Remove a file.
    Remove,
}

/// What becomes of a step.
#[derive(Debug)]
pub enum Fate {
    /// It is done.
    Go,
    /// It is not done and fails like this.
    Fail(io::Error),
    /// Half of it is done (a write that runs out of space), then it fails like this.
    Half(io::Error),
}

/// Asked before each step.
pub trait Gate: Send + Sync {
    /// Decides over one step on one path.
    fn pass(&self, step: Step, path: &Path) -> Fate;
}

struct Open;

impl Gate for Open {
    fn pass(&self, _: Step, _: &Path) -> Fate {
        Fate::Go
    }
}

/// The machine's disks, as far as they are written.
#[derive(Clone)]
pub struct Disk {
    gate: Arc<dyn Gate>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk(…)")
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self { gate: Arc::new(Open) }
    }
}

impl Disk {
    /// The real one, with nothing in the way.
    pub fn new() -> Self {
        Self::default()
    }

    /// The real one behind a gate.
    pub fn behind(gate: Arc<dyn Gate>) -> Self {
        Self { gate }
    }

    /// Changes a store of the system. What it does there are steps of the system's own; here it is one.
    pub(crate) fn system<E: From<String>>(&self, store: &str, act: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        // The gate is asked with the store's name in the place of a file's.
        match self.gate.pass(Step::Write, Path::new(store)) {
            Fate::Go => act(),
            Fate::Fail(error) | Fate::Half(error) => Err(E::from(format!("cannot change {store}: {error}"))),
        }
    }

    fn take<T>(
        &self,
        step: Step,
        deed: &'static str,
        path: &Path,
        act: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, DiskError> {
        match self.gate.pass(step, path) {
            Fate::Go => act(),
            Fate::Fail(cause) | Fate::Half(cause) => Err(cause),
        }
        .map_err(|cause| DiskError::new(deed, path, cause))
    }

    /// Makes a folder and those above it that are missing, for us alone (0700; on Windows for us, the administrators and the
    /// system). One that is there is left as it is.
    ///
    /// # Errors
    /// The folder that could not be made.
    pub fn make_dir(&self, path: &Path) -> Result<(), DiskError> {
        let mut missing = Vec::new();
        for folder in path.ancestors().filter(|p| !p.as_os_str().is_empty()) {
            match fs::metadata(folder) {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(folder),
                Err(error) => return Err(DiskError::new("examine folder", folder, error)),
            }
        }
        for folder in missing.into_iter().rev() {
            self.take(Step::MakeDir, "make folder", folder, || match make_private_dir(folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                other => other,
            })?;
            self.sync_dir(folder.parent())?;
        }
        Ok(())
    }

    /// Creates a file that is not there, for us alone (0600).
    ///
    /// # Errors
    /// Among others that it is there.
    pub fn create(&self, path: &Path) -> Result<Written<'_>, DiskError> {
        let file = self.take(Step::Create, "make file", path, || private().write(true).create_new(true).open(path))?;
        Ok(Written { disk: self, file, path: path.to_owned(), length: 0, limit: None })
    }

    /// Opens a file to add to its end, made for us alone (0600) if it is not there. It never grows beyond its limit.
    ///
    /// # Errors
    /// That it cannot be opened, or is no regular file.
    pub fn append(&self, path: &Path, limit: Limit) -> Result<Written<'_>, DiskError> {
        let regular = self.take(Step::Append, "add to file", path, || Regular::append(path, limit, private()))?;
        let length = regular.length();
        Ok(Written { disk: self, file: regular.into_file(), path: path.to_owned(), length, limit: Some(limit) })
    }

    /// Removes a file. One that is gone already is no error.
    ///
    /// # Errors
    /// That it is still there.
    pub fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.unlink(path)?;
        self.sync_dir(path.parent())
    }

    /// Removes a file whose name need not survive as gone: the folder is synced by what comes next.
    fn unlink(&self, path: &Path) -> Result<(), DiskError> {
        self.take(Step::Remove, "remove file", path, || match remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        })
    }

    /// Removes an empty folder; one that holds something is left, which is no error.
    ///
    /// # Errors
    /// That the folder was empty and is still there.
    pub fn remove_empty_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.take(Step::Remove, "remove folder", path, || match fs::remove_dir(path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => Ok(()),
            other => other,
        })
    }

    fn sync_dir(&self, folder: Option<&Path>) -> Result<(), DiskError> {
        let folder = folder.filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.take(Step::SyncDir, "sync folder", folder, || {
            #[cfg(unix)]
            open::folder(folder)?.sync_all()?;
            // Windows has no such thing: a folder cannot be opened as a file there.
            Ok(())
        })
    }

    /// Makes a file in a folder that is the run's own, where nothing can stand yet: no rename is needed, and what a failure
    /// leaves is known by nobody. Attributes its file system does not take are left out.
    ///
    /// # Errors
    /// The step that failed.
    pub fn place(&self, path: &Path, bytes: &[u8], owner: Owner, attributes: &Attributes) -> Result<(), DiskError> {
        Limit::Store.admits(length(bytes)).map_err(|cause| DiskError::new("write", path, cause))?;
        let mut file = self.create(path)?;
        let dressed = file.own(owner).map(|()| {
            if let Err(error) = file.give(attributes) {
                tracing::debug!("{error}");
            }
        });
        let done = dressed.and_then(|()| file.write(bytes)).and_then(|()| file.sync());
        drop(file);
        done.and_then(|()| self.settle(path, bytes, Limit::Store)).inspect_err(|_| {
            if let Err(litter) = self.remove(path) {
                tracing::debug!("{litter}");
            }
        })
    }

    fn settle(&self, path: &Path, bytes: &[u8], limit: Limit) -> Result<(), DiskError> {
        self.sync_dir(path.parent())?;
        self.take(Step::ReadBack, "read back", path, || {
            if read::holds(path, limit, bytes)? {
                Ok(())
            } else {
                let cause =
                    "it does not hold the bytes that were written: another program wrote it, or the disk is failing";
                Err(io::Error::new(io::ErrorKind::InvalidData, cause))
            }
        })
    }

    /// Writes one of our own files, whole or not at all, unless it has this content already. Says whether it wrote.
    ///
    /// # Errors
    /// The step that failed.
    pub fn keep(&self, path: &Path, bytes: &[u8], limit: Limit, run: &str) -> Result<bool, DiskError> {
        let same = error::if_there(read::holds(path, limit, bytes));
        if same.map_err(|cause| DiskError::new("read", path, cause))? == Some(true) {
            return Ok(false);
        }
        let owner = Owner::ours(0o600);
        let new = Replacement { target: path, bytes, limit, owner, attributes: None, over: Over::Anything, run };
        match self.replace(new, || Ok(())) {
            Ok(()) => Ok(true),
            Err(error) => Err(error.into_error(path)),
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(unix)]
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// What is made in a folder of ours has its access list.
#[cfg(not(unix))]
fn private() -> OpenOptions {
    OpenOptions::new()
}

#[cfg(unix)]
fn make_private_dir(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(windows)]
use trustmason_windows::access::make_private_dir;

#[cfg(not(windows))]
fn remove_file(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// With patience: somebody may have it open for a moment.
#[cfg(windows)]
use trustmason_windows::file::remove as remove_file;

#[cfg(test)]
mod tests;
