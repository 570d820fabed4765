//! Renames, exchanges and removes files, and waits while another program has them open.
//!
//! Windows has no call that exchanges the names of two files. The nearest call is `ReplaceFileW`, which gives the new
//! file the target's name and access list, and the old file a second name, so that the old file can be checked before
//! it is removed. Such a call fails while another program has the file open and does not share it (a virus scanner, a
//! backup, a product that reads its keystore). So each call is tried again for about a second.

use std::fs::{self, File};
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::AsRawHandle as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_CALL_NOT_IMPLEMENTED, ERROR_INVALID_FUNCTION, ERROR_LOCK_VIOLATION, ERROR_NOT_SUPPORTED,
    ERROR_SHARING_VIOLATION, ERROR_UNABLE_TO_MOVE_REPLACEMENT, ERROR_UNABLE_TO_MOVE_REPLACEMENT_2,
    ERROR_UNABLE_TO_REMOVE_REPLACED, ERROR_USER_MAPPED_FILE,
};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_FLAG_BACKUP_SEMANTICS, FILE_TYPE_DISK, GetFileInformationByHandle, GetFileType,
    MOVEFILE_REPLACE_EXISTING, MOVEFILE_WRITE_THROUGH, MoveFileExW, ReplaceFileW,
};

use crate::wide;

/// The largest number of tries of a call that fails because a file is open.
const TRIES: u32 = 10;

/// The pause after the first try, which doubles up to [`LONGEST`]. All pauses together are a little more than a second.
const FIRST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(200);

/// The failure of a replacement.
#[derive(Debug)]
pub enum ReplaceFileError {
    /// Both files have their old names.
    AsItWas(io::Error),
    /// The old file has only its second name, and no file has the target's name.
    SetAside(io::Error),
}

/// Whether a failure may pass, because another program has the file open.
pub fn is_sharing_violation(error: &io::Error) -> bool {
    is_one_of(error, &[ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION])
}

/// Whether a failed rename may pass. Windows reports an open target, or one being deleted, as "access denied".
fn is_in_use(error: &io::Error) -> bool {
    is_sharing_violation(error)
        || is_one_of(
            error,
            &[
                ERROR_ACCESS_DENIED,
                ERROR_USER_MAPPED_FILE,
                ERROR_UNABLE_TO_REMOVE_REPLACED,
                ERROR_UNABLE_TO_MOVE_REPLACEMENT,
            ],
        )
}

/// Turns the three codes for "this file system has no such call" into one kind of error.
pub(crate) fn as_unsupported(error: io::Error) -> io::Error {
    if is_one_of(&error, &[ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED, ERROR_CALL_NOT_IMPLEMENTED]) {
        io::Error::new(io::ErrorKind::Unsupported, error)
    } else {
        error
    }
}

fn is_one_of(error: &io::Error, codes: &[u32]) -> bool {
    error.raw_os_error().and_then(|code| u32::try_from(code).ok()).is_some_and(|code| codes.contains(&code))
}

/// Calls a function that may fail while another program has a file open. The call is tried ten times within about a second.
///
/// # Errors
/// The last failure, or the first one that waiting cannot repair.
pub fn retry_while_open<T>(act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    tries(act, is_sharing_violation)
}

fn tries<T>(mut act: impl FnMut() -> io::Result<T>, passes: fn(&io::Error) -> bool) -> io::Result<T> {
    let mut pause = FIRST;
    for _ in 1..TRIES {
        match act() {
            Err(error) if passes(&error) => thread::sleep(pause),
            other => return other,
        }
        pause = (pause * 2).min(LONGEST);
    }
    act()
}

/// Renames a file and replaces any file with the new name. The change is on disk when the function returns.
///
/// # Errors
/// The file could not be renamed. Both files are unchanged.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    tries(|| move_file(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH), is_in_use)
}

/// Renames a file to a name that is free. The change is on disk when the function returns.
///
/// # Errors
/// A file has the name, or the file could not be renamed.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    tries(|| move_file(from, to, MOVEFILE_WRITE_THROUGH), is_in_use)
}

fn move_file(from: &Path, to: &Path, flags: u32) -> io::Result<()> {
    let (from, to) = (wide::path(from)?, wide::path(to)?);
    // SAFETY: both are NUL-terminated and live until the call returns.
    let done = unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), flags) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Gives `new` the name and the access list of `target`. The old file is then called `aside`.
///
/// # Errors
/// [`ReplaceFileError`] says which file has which name.
pub fn replace(target: &Path, new: &Path, aside: &Path) -> Result<(), ReplaceFileError> {
    let mut act = || {
        let (target, new, aside) = (wide::path(target)?, wide::path(new)?, wide::path(aside)?);
        // SAFETY: the three names are NUL-terminated and live until the call returns; the last two arguments are reserved.
        let done = unsafe {
            ReplaceFileW(target.as_ptr(), new.as_ptr(), aside.as_ptr(), 0, std::ptr::null(), std::ptr::null())
        };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    tries(&mut act, is_in_use).map_err(|error| {
        if is_one_of(&error, &[ERROR_UNABLE_TO_MOVE_REPLACEMENT_2]) {
            ReplaceFileError::SetAside(error)
        } else {
            ReplaceFileError::AsItWas(as_unsupported(error))
        }
    })
}

/// Removes a file. The call is tried again while another program has the file open.
///
/// # Errors
/// The file does not exist, or could not be removed.
pub fn remove(path: &Path) -> io::Result<()> {
    tries(|| fs::remove_file(path), is_in_use)
}

/// Whether an open handle belongs to a file or folder on a disk, and not to a pipe, a console or another device.
pub fn is_on_disk(file: &File) -> bool {
    // SAFETY: the handle is open.
    unsafe { GetFileType(file.as_raw_handle()) == FILE_TYPE_DISK }
}

/// The volume and the number of a file, which identify it under any name. Two names of one file give the same values.
///
/// # Errors
/// The file could not be opened or read.
pub fn identity(path: &Path) -> io::Result<(u64, u64)> {
    // Folders open with this flag only. No access is requested, so no other program's share mode can refuse the call.
    let file = File::options().access_mode(0).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)?;
    let mut known = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open, and the record is writable and of the type the call fills.
    let done = unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut known) };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    let number = (u64::from(known.nFileIndexHigh) << 32) | u64::from(known.nFileIndexLow);
    Ok((u64::from(known.dwVolumeSerialNumber), number))
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
