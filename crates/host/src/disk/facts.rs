//! What a disk says of a file or folder without opening it. "Nothing is there" is an answer (`Ok(None)`); an error never is one.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::error::if_there;
use super::{DiskError, Owner, is_one_file};

/// What stands under a name.
#[derive(Clone, Debug)]
pub struct Facts {
    metadata: Metadata,
    /// The name, where more than the metadata is asked for.
    #[cfg(windows)]
    path: PathBuf,
}

impl Facts {
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

    /// Whether it is a link, where links were not followed.
    pub fn is_link(&self) -> bool {
        self.metadata.is_symlink()
    }

    /// Whose it is, and who may do what with it.
    pub fn owner(&self) -> Owner {
        Owner::of(&self.metadata)
    }

    /// When it was last written, in seconds since 1970.
    pub fn modified(&self) -> Option<i64> {
        let seconds = |since: Duration| i64::try_from(since.as_secs()).ok();
        match self.metadata.modified().ok()?.duration_since(UNIX_EPOCH) {
            Ok(since) => seconds(since),
            // Also a date before 1970 is one, and a file with it is old.
            Err(before) => seconds(before.duration()).map(|seconds| 0_i64.saturating_sub(seconds)),
        }
    }

    /// The same to the nanosecond, where the system tells it.
    pub fn written(&self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::try_from(self.metadata.modified().ok()?).ok()
    }

    /// Device and inode, or whatever tells one file from another here; `None` where nothing does.
    #[cfg(unix)]
    pub fn identity(&self) -> Option<(u64, u64)> {
        use std::os::unix::fs::MetadataExt as _;
        Some((self.metadata.dev(), self.metadata.ino()))
    }

    /// Volume and file number, which tell one file from another here; `None` where they cannot be had.
    #[cfg(windows)]
    pub fn identity(&self) -> Option<(u64, u64)> {
        trustmason_windows::file::identity(&self.path).ok()
    }
}

/// Looks at what a path leads to, links followed. `None`: nothing is there.
///
/// # Errors
/// That this cannot be told.
pub fn facts_if_there(path: &Path) -> Result<Option<Facts>, DiskError> {
    told(path, fs::metadata(path))
}

/// The same of something that must be there.
///
/// # Errors
/// That it is not, or that this cannot be told.
pub fn facts(path: &Path) -> Result<Facts, DiskError> {
    let metadata = fs::metadata(path).map_err(|cause| DiskError::new("examine", path, cause))?;
    Ok(Facts::new(path, metadata))
}

/// Looks at what has this very name: a link and not what it leads to. `None`: nothing has it.
///
/// # Errors
/// That this cannot be told.
pub fn named_if_there(path: &Path) -> Result<Option<Facts>, DiskError> {
    told(path, fs::symlink_metadata(path))
}

/// The same of something that must be there.
///
/// # Errors
/// That it is not, or that this cannot be told.
pub fn named(path: &Path) -> Result<Facts, DiskError> {
    let metadata = fs::symlink_metadata(path).map_err(|cause| DiskError::new("examine", path, cause))?;
    Ok(Facts::new(path, metadata))
}

fn told(path: &Path, metadata: io::Result<Metadata>) -> Result<Option<Facts>, DiskError> {
    let metadata = if_there(metadata).map_err(|cause| DiskError::new("examine", path, cause))?;
    Ok(metadata.map(|metadata| Facts::new(path, metadata)))
}

/// The file or folder that a link leads to, by a path without links. `None`: it leads to nothing.
///
/// # Errors
/// That it cannot be followed.
pub fn follow_link(path: &Path) -> Result<Option<PathBuf>, DiskError> {
    if_there(fs::canonicalize(path)).map_err(|cause| DiskError::new("follow the link", path, cause))
}

/// Whether an open file is the one that stands under this name.
///
/// # Errors
/// That this cannot be told.
pub(crate) fn stands_at(file: &File, path: &Path) -> Result<bool, DiskError> {
    let own = file.metadata().map_err(|cause| DiskError::new("examine", path, cause))?;
    Ok(named_if_there(path)?.is_some_and(|now| is_one_file(&own, &now.metadata)))
}
