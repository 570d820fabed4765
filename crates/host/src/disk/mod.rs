//! The one seam through which files and folders are opened, read and changed. It takes paths and bytes. It never
//! opens a pipe or device, never reads without a limit, and never truncates a store in place.
//!
//! Writing consists of elementary steps (make a folder, create, write, set the owner, sync, rename, sync the folder,
//! read back, remove). Each step asks the [`Gate`] of its [`Disk`] first. So a test can make any single step fail, or
//! cut everything off from a step on, and can show that a run without changes took no step at all.
//!
//! [`Disk::replace`] and [`Disk::withdraw`] put the steps in the only safe order (see `swap`). The target is untouched
//! until the one step that changes its name, and complete after that step. The replaced file is checked
//! before it is removed.
//!
//! Reading goes through `open`: regular files only, opened without waiting, never more than a [`ReadLimit`] of each. Names
//! are looked up by `facts`, without opening the file. Neither reports "cannot tell" as "is not there": absence is
//! `Ok(None)`, and an error says whether the disk is away, refuses, or does not support the call ([`Denial`]).
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
pub(crate) use facts::is_file_at;
pub use facts::{FileFacts, facts, facts_if_there, follow_link, named, named_if_there};
use file::is_one_file;
pub use file::{Attributes, FileWriter, Owner};
pub use limit::{MOST_IN_FOLDER, MOST_NAMES, ReadLimit};
use open::Regular;
pub use read::{
    FolderItem, Items, digest_if_there, folder_digest, items, items_if_there, read, read_folder, read_if_there,
};
pub(crate) use read::{ends_in, list, open_if_there};
pub use swap::{ExpectedTarget, ReplaceError, Replacement};
pub(crate) use temporary::{left_by, temporaries};

/// An elementary step on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiskStep {
    /// Make a folder.
    MakeDir,
    /// Create a file that is not there.
    Create,
    /// Open a file to append to it.
    Append,
    /// Write all bytes.
    Write,
    /// Set the owner of a file.
    SetOwner,
    /// Set the mode of a file.
    SetMode,
    /// Bring the content of a file to the disk.
    Sync,
    /// Give a file its name.
    Rename,
    /// Exchange the names of two files.
    Exchange,
    /// Give a file a second name.
    Link,
    /// Bring the names in a folder to the disk.
    SyncDir,
    /// Read back what was written.
    ReadBack,
    /// Remove a file.
    Remove,
}

/// The decision of a gate about a step.
#[derive(Debug)]
pub enum StepDecision {
    /// The step is done.
    Go,
    /// The step is not done and fails with this error.
    Fail(io::Error),
    /// Half of the step is done (a write that runs out of space), then it fails with this error.
    Half(io::Error),
}

/// Asked before each step.
pub trait Gate: Send + Sync {
    /// Decides about one step on one path.
    fn pass(&self, step: DiskStep, path: &Path) -> StepDecision;
}

struct OpenGate;

impl Gate for OpenGate {
    fn pass(&self, _: DiskStep, _: &Path) -> StepDecision {
        StepDecision::Go
    }
}

/// Writes to the machine's disks.
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
        Self { gate: Arc::new(OpenGate) }
    }
}

impl Disk {
    /// The machine's disks, with every step allowed.
    pub fn new() -> Self {
        Self::default()
    }

    /// The machine's disks, with every step decided by a gate.
    pub fn behind(gate: Arc<dyn Gate>) -> Self {
        Self { gate }
    }

    /// Changes a certificate store of the system. The change counts as one step here, whatever the system does for it.
    pub(crate) fn system<E: From<String>>(&self, store: &str, act: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        // The gate gets the store's name in place of a file's path.
        match self.gate.pass(DiskStep::Write, Path::new(store)) {
            StepDecision::Go => act(),
            StepDecision::Fail(error) | StepDecision::Half(error) => {
                Err(E::from(format!("cannot change {store}: {error}")))
            }
        }
    }

    fn take<T>(
        &self,
        step: DiskStep,
        action: &'static str,
        path: &Path,
        act: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, DiskError> {
        match self.gate.pass(step, path) {
            StepDecision::Go => act(),
            StepDecision::Fail(cause) | StepDecision::Half(cause) => Err(cause),
        }
        .map_err(|cause| DiskError::new(action, path, cause))
    }

    /// Makes a folder, and those above it that are missing, for this account alone (0700; on Windows for this account,
    /// the administrators and the system). A folder that is there is left as it is.
    ///
    /// # Errors
    /// Fails if a folder could not be made, and names it.
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
            self.take(DiskStep::MakeDir, "make folder", folder, || match make_private_dir(folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                other => other,
            })?;
            self.sync_dir(folder.parent())?;
        }
        Ok(())
    }

    /// Creates a file for this account alone (0600).
    ///
    /// # Errors
    /// Fails if the file exists, or could not be created.
    pub fn create(&self, path: &Path) -> Result<FileWriter<'_>, DiskError> {
        let file =
            self.take(DiskStep::Create, "make file", path, || private().write(true).create_new(true).open(path))?;
        Ok(FileWriter { disk: self, file, path: path.to_owned(), length: 0, limit: None })
    }

    /// Opens a file to add to its end, and creates it for this account alone (0600) if it is not there. The file never
    /// grows beyond its limit.
    ///
    /// # Errors
    /// Fails if the file cannot be opened, or is no regular file.
    pub fn append(&self, path: &Path, limit: ReadLimit) -> Result<FileWriter<'_>, DiskError> {
        let regular = self.take(DiskStep::Append, "add to file", path, || Regular::append(path, limit, private()))?;
        let length = regular.length();
        Ok(FileWriter { disk: self, file: regular.into_file(), path: path.to_owned(), length, limit: Some(limit) })
    }

    /// Removes a file. A file that is already gone is no error.
    ///
    /// # Errors
    /// Fails if the file is still there.
    pub fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.unlink(path)?;
        self.sync_dir(path.parent())
    }

    /// Removes a file without syncing its folder. The caller's next step syncs the folder.
    fn unlink(&self, path: &Path) -> Result<(), DiskError> {
        self.take(DiskStep::Remove, "remove file", path, || match remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        })
    }

    /// Removes an empty folder. A folder that holds something is left, which is no error.
    ///
    /// # Errors
    /// Fails if the folder was empty and is still there.
    pub fn remove_empty_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.take(DiskStep::Remove, "remove folder", path, || match fs::remove_dir(path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => Ok(()),
            other => other,
        })
    }

    fn sync_dir(&self, folder: Option<&Path>) -> Result<(), DiskError> {
        let folder = folder.filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.take(DiskStep::SyncDir, "sync folder", folder, || {
            #[cfg(unix)]
            open::folder(folder)?.sync_all()?;
            // Windows has no such step: a folder cannot be opened as a file there.
            Ok(())
        })
    }

    /// Creates a file in a folder of the run's own, where no file of that name can be yet. So no rename is needed, and
    /// no other program knows of a file that a failure leaves. Attributes that the file system does not accept are left
    /// out.
    ///
    /// # Errors
    /// The step that failed.
    pub fn place(&self, path: &Path, bytes: &[u8], owner: Owner, attributes: &Attributes) -> Result<(), DiskError> {
        ReadLimit::Store.admits(length(bytes)).map_err(|cause| DiskError::new("write", path, cause))?;
        let mut file = self.create(path)?;
        let dressed = file.own(owner).map(|()| {
            if let Err(error) = file.give(attributes) {
                tracing::debug!("{error}");
            }
        });
        let done = dressed.and_then(|()| file.write(bytes)).and_then(|()| file.sync());
        drop(file);
        done.and_then(|()| self.read_back(path, bytes, ReadLimit::Store)).inspect_err(|_| {
            if let Err(leftover) = self.remove(path) {
                tracing::debug!("{leftover}");
            }
        })
    }

    fn read_back(&self, path: &Path, bytes: &[u8], limit: ReadLimit) -> Result<(), DiskError> {
        self.sync_dir(path.parent())?;
        self.take(DiskStep::ReadBack, "read back", path, || {
            if read::holds(path, limit, bytes)? {
                Ok(())
            } else {
                let cause =
                    "it does not hold the bytes that were written: another program wrote it, or the disk is failing";
                Err(io::Error::new(io::ErrorKind::InvalidData, cause))
            }
        })
    }

    /// Writes a file of trustmason's own, completely or not at all, unless it has this content already. Returns whether
    /// it wrote.
    ///
    /// # Errors
    /// The step that failed.
    pub fn keep(&self, path: &Path, bytes: &[u8], limit: ReadLimit, run: &str) -> Result<bool, DiskError> {
        let same = error::if_there(read::holds(path, limit, bytes));
        if same.map_err(|cause| DiskError::new("read", path, cause))? == Some(true) {
            return Ok(false);
        }
        let owner = Owner::ours(0o600);
        let new = Replacement {
            target: path,
            bytes,
            limit,
            owner,
            attributes: None,
            expected: ExpectedTarget::Anything,
            run,
        };
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

/// A file in a folder of trustmason's own inherits the folder's access list.
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

/// Tries again for a while, because another program may have the file open for a moment.
#[cfg(windows)]
use trustmason_windows::file::remove as remove_file;

#[cfg(test)]
mod tests;
