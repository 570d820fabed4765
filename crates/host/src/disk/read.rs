//! Reads whole files and the files of whole folders, each within its limit. It gives bytes, names or digests, and never
//! a part of a file or folder as if it were the whole.

use std::ffi::OsString;
use std::fs::{self, DirEntry, File, ReadDir};
use std::io;
use std::path::{Path, PathBuf};

use trustmason_keystore::Digest;

use super::error::if_there;
use super::limit::{MOST_IN_FOLDER, MOST_NAMES};
use super::open::{Regular, retry_while_open};
use super::{DiskError, ReadLimit, facts, left_by, length};

/// Reads a file.
///
/// # Errors
/// Fails if the file could not be read, is no regular file, or is larger than its limit.
pub fn read(path: &Path, limit: ReadLimit) -> Result<Vec<u8>, DiskError> {
    read_whole(path, limit).map_err(|cause| DiskError::new("read", path, cause))
}

pub(super) fn read_whole(path: &Path, limit: ReadLimit) -> io::Result<Vec<u8>> {
    at_most(path, limit, limit.bytes())?.ok_or_else(|| limit.exceeded())
}

/// Reads a whole file; `None` if it has more than `most` bytes.
fn at_most(path: &Path, limit: ReadLimit, most: u64) -> io::Result<Option<Vec<u8>>> {
    retry_while_open(|| Regular::open(path, limit)?.read(most))
}

/// Whether a file holds exactly these bytes.
pub(super) fn holds(path: &Path, limit: ReadLimit, bytes: &[u8]) -> io::Result<bool> {
    Ok(at_most(path, limit, length(bytes))?.is_some_and(|now| now == bytes))
}

/// Reads a file that may be absent.
///
/// # Errors
/// Fails if the file is there and could not be read, as [`read`] does.
pub fn read_if_there(path: &Path, limit: ReadLimit) -> Result<Option<Vec<u8>>, DiskError> {
    if_there(read_whole(path, limit)).map_err(|cause| DiskError::new("read", path, cause))
}

/// The digest of a store's file that may be absent.
///
/// # Errors
/// Fails if the file is there and could not be read, as [`read`] does. A folder in its place is an error.
pub fn digest_if_there(path: &Path) -> Result<Option<Digest>, DiskError> {
    Ok(read_if_there(path, ReadLimit::Store)?.map(|bytes| Digest::of(&bytes)))
}

/// Reads the files of a folder, sorted by name. Folders inside it and temporary files of trustmason are skipped.
///
/// # Errors
/// Fails if the folder or a file could not be read, if a file is too large or no regular file, if a name is no text, or
/// if the folder holds too many names or too many bytes.
pub fn read_folder(path: &Path) -> Result<Vec<(String, Vec<u8>)>, DiskError> {
    read_folder_within(path, MOST_NAMES, MOST_IN_FOLDER)
}

fn read_folder_within(path: &Path, names: usize, bytes: u64) -> Result<Vec<(String, Vec<u8>)>, DiskError> {
    let mut files = Vec::new();
    let mut left = bytes;
    for item in items_within(path, names)? {
        let item = item?;
        let at = item.path();
        if facts(&at)?.is_folder() || left_by(&at).is_some() {
            continue;
        }
        let name = item.name().into_string().map_err(|name| {
            let cause = io::Error::new(io::ErrorKind::InvalidData, "its name is not text; rename it");
            DiskError::new("use file", &path.join(name), cause)
        })?;
        let most = left.min(ReadLimit::Store.bytes());
        let read = at_most(&at, ReadLimit::Store, most).map_err(|cause| DiskError::new("read", &at, cause))?;
        let Some(bytes) = read else {
            return Err(if most == ReadLimit::Store.bytes() {
                DiskError::new("read", &at, ReadLimit::Store.exceeded())
            } else {
                DiskError::new(
                    "read folder",
                    path,
                    overfull(format!("its files have more than {bytes} bytes together")),
                )
            });
        };
        left = left.saturating_sub(length(&bytes));
        files.push((name, bytes));
    }
    files.sort();
    Ok(files)
}

fn overfull(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("{what}; check that it is the right folder"))
}

/// One item of a folder.
#[derive(Debug)]
pub struct FolderItem(DirEntry);

impl FolderItem {
    /// The path of the item.
    pub fn path(&self) -> PathBuf {
        self.0.path()
    }

    /// The name of the item.
    pub fn name(&self) -> OsString {
        self.0.file_name()
    }

    /// Whether the item is a folder itself, not a link to one.
    ///
    /// # Errors
    /// Fails if the disk cannot tell.
    pub fn is_folder(&self) -> Result<bool, DiskError> {
        let kind = self.0.file_type().map_err(|cause| DiskError::new("examine", &self.path(), cause))?;
        Ok(kind.is_dir())
    }
}

/// The items of a folder in the order of the system. Nothing follows the first error.
#[derive(Debug)]
pub struct Items<'a> {
    folder: &'a Path,
    /// `None` after an error.
    listing: Option<ReadDir>,
    names: usize,
    left: usize,
}

impl<'a> Items<'a> {
    fn of(folder: &'a Path, listing: ReadDir, names: usize) -> Self {
        Self { folder, listing: Some(listing), names, left: names }
    }
}

impl Iterator for Items<'_> {
    type Item = Result<FolderItem, DiskError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.listing.as_mut()?.next()?;
        let item = match (item, self.left.checked_sub(1)) {
            (Ok(item), Some(left)) => {
                self.left = left;
                return Some(Ok(FolderItem(item)));
            }
            (Ok(_), None) => Err(overfull(format!("it holds more than {} names", self.names))),
            (Err(cause), _) => Err(cause),
        };
        self.listing = None;
        Some(item.map_err(|cause| DiskError::new("read folder", self.folder, cause)))
    }
}

/// The items of a folder, in no order. More names than a folder may hold are an error.
///
/// # Errors
/// Fails if the folder cannot be listed.
pub fn items(folder: &Path) -> Result<Items<'_>, DiskError> {
    items_within(folder, MOST_NAMES)
}

fn items_within(folder: &Path, names: usize) -> Result<Items<'_>, DiskError> {
    let listing = fs::read_dir(folder).map_err(|cause| DiskError::new("read folder", folder, cause))?;
    Ok(Items::of(folder, listing, names))
}

/// The items of a folder that may be absent; `None` if it is.
///
/// # Errors
/// Fails if the folder is there and cannot be listed.
pub fn items_if_there(folder: &Path) -> Result<Option<Items<'_>>, DiskError> {
    let listing = if_there(fs::read_dir(folder)).map_err(|cause| DiskError::new("read folder", folder, cause))?;
    Ok(listing.map(|listing| Items::of(folder, listing, MOST_NAMES)))
}

/// Whether a file ends in this byte. A file that is empty or absent counts as one that does.
///
/// # Errors
/// Fails if the file is there and could not be read.
pub(crate) fn ends_in(path: &Path, limit: ReadLimit, byte: u8) -> Result<bool, DiskError> {
    let last = if_there(retry_while_open(|| Regular::open(path, limit)?.last()));
    let last = last.map_err(|cause| DiskError::new("read", path, cause))?;
    Ok(last.flatten().is_none_or(|last| last == byte))
}

/// Opens a file in order to lock it; `None` if there is no such file.
///
/// # Errors
/// Fails if the file is there and cannot be opened, or is no regular file.
pub(crate) fn open_if_there(path: &Path, limit: ReadLimit) -> Result<Option<File>, DiskError> {
    let regular = if_there(Regular::open(path, limit)).map_err(|cause| DiskError::new("open", path, cause))?;
    Ok(regular.map(Regular::into_file))
}

/// The paths of the items directly in a folder, sorted, each with whether the item is a folder. An absent folder has none.
///
/// # Errors
/// Fails if the folder or one of its items cannot be read.
pub(crate) fn list(path: &Path) -> Result<Vec<(PathBuf, bool)>, DiskError> {
    let mut found = Vec::new();
    for item in items_if_there(path)?.into_iter().flatten() {
        let item = item?;
        found.push((item.path(), item.is_folder()?));
    }
    found.sort();
    Ok(found)
}

/// One digest for a folder, over the names and digests of its files.
pub fn folder_digest(files: &[(String, Vec<u8>)]) -> Digest {
    let mut text = String::new();
    for (name, bytes) in files {
        text.push_str(name);
        text.push('\0');
        text.push_str(&Digest::of(bytes).to_string());
        text.push('\n');
    }
    Digest::of(text.as_bytes())
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
