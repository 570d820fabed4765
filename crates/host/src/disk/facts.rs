//! Asks the disk about a path without opening it. It gives the metadata, and `Ok(None)` if nothing is there. An error
//! never means that nothing is there.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::error::if_there;
use super::{DiskError, Owner, is_one_file};

/// The metadata of a file, folder or link.
#[derive(Clone, Debug)]
pub struct FileFacts {
    metadata: Metadata,
    /// The path, for facts that the metadata do not have.
    #[cfg(windows)]
    path: PathBuf,
}

impl FileFacts {
    #[cfg(not(windows))]
    fn new(_: &Path, metadata: Metadata) -> Self {
        Self { metadata }
    }

    #[cfg(windows)]
    fn new(path: &Path, metadata: Metadata) -> Self {
        Self { metadata, path: path.to_owned() }
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.metadata.is_dir()
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.metadata.is_file()
    }

    /// Whether it is a link, provided that links were not followed.
    pub fn is_link(&self) -> bool {
        self.metadata.is_symlink()
    }

    /// The owner and the permissions.
    pub fn owner(&self) -> Owner {
        Owner::of(&self.metadata)
    }

    /// The time of the last write, in seconds since 1970.
    pub fn modified(&self) -> Option<i64> {
        let seconds = |since: Duration| i64::try_from(since.as_secs()).ok();
        match self.metadata.modified().ok()?.duration_since(UNIX_EPOCH) {
            Ok(since) => seconds(since),
            // A date before 1970 is valid, and the file is old.
            Err(before) => seconds(before.duration()).map(|seconds| 0_i64.saturating_sub(seconds)),
        }
    }

    /// The time of the last write to the nanosecond, where the system reports it.
    pub fn written(&self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::try_from(self.metadata.modified().ok()?).ok()
    }

    /// Device and inode, which tell one file from another.
    #[cfg(unix)]
    pub fn identity(&self) -> Option<(u64, u64)> {
        use std::os::unix::fs::MetadataExt as _;
        Some((self.metadata.dev(), self.metadata.ino()))
    }

    /// Volume and file number, which tell one file from another; `None` where Windows does not report them.
    #[cfg(windows)]
    pub fn identity(&self) -> Option<(u64, u64)> {
        trustmason_windows::file::identity(&self.path).ok()
    }
}

/// Looks up what a path leads to, links followed. `None`: nothing is there.
///
/// # Errors
/// Fails if the disk cannot tell.
pub fn facts_if_there(path: &Path) -> Result<Option<FileFacts>, DiskError> {
    told(path, fs::metadata(path))
}

/// As [`facts_if_there`], for a path that must exist.
///
/// # Errors
/// Fails if nothing is there, or if the disk cannot tell.
pub fn facts(path: &Path) -> Result<FileFacts, DiskError> {
    let metadata = fs::metadata(path).map_err(|cause| DiskError::new("examine", path, cause))?;
    Ok(FileFacts::new(path, metadata))
}

/// Looks up what has this very name: a link itself, not its target. `None`: nothing has the name.
///
/// # Errors
/// Fails if the disk cannot tell.
pub fn named_if_there(path: &Path) -> Result<Option<FileFacts>, DiskError> {
    told(path, fs::symlink_metadata(path))
}

/// As [`named_if_there`], for a name that must exist.
///
/// # Errors
/// Fails if nothing has the name, or if the disk cannot tell.
pub fn named(path: &Path) -> Result<FileFacts, DiskError> {
    let metadata = fs::symlink_metadata(path).map_err(|cause| DiskError::new("examine", path, cause))?;
    Ok(FileFacts::new(path, metadata))
}

fn told(path: &Path, metadata: io::Result<Metadata>) -> Result<Option<FileFacts>, DiskError> {
    let metadata = if_there(metadata).map_err(|cause| DiskError::new("examine", path, cause))?;
    Ok(metadata.map(|metadata| FileFacts::new(path, metadata)))
}

/// The file or folder that a link leads to, as a path without links. `None`: the link leads to nothing.
///
/// # Errors
/// Fails if the link cannot be followed.
pub fn follow_link(path: &Path) -> Result<Option<PathBuf>, DiskError> {
    if_there(fs::canonicalize(path)).map_err(|cause| DiskError::new("follow the link", path, cause))
}

/// Whether an open file is the one that this path names now.
///
/// # Errors
/// Fails if the disk cannot tell.
pub(crate) fn is_file_at(file: &File, path: &Path) -> Result<bool, DiskError> {
    let own = file.metadata().map_err(|cause| DiskError::new("examine", path, cause))?;
    Ok(named_if_there(path)?.is_some_and(|now| is_one_file(&own, &now.metadata)))
}
