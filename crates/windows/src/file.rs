//! Files that change names.
//!
//! Windows has no call that lets two files change names. `ReplaceFileW` is the nearest: the new file takes the target's name
//! together with its access list, and the old one keeps a second name, under which it can be looked at before it goes. Whoever
//! has a file open without leave to share it (a virus scanner, a backup, a product that is just reading its keystore) makes
//! such a call fail for a moment, so that each is tried again for a while.

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

/// How often a call is tried that somebody's open file made fail.
const TRIES: u32 = 10;

/// The pause after the first try; it doubles up to [`LONGEST`]. All together wait a little more than a second.
const FIRST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(200);

/// How a replacement failed.
#[derive(Debug)]
pub enum ReplaceError {
    /// Both files have their old names.
    AsItWas(io::Error),
    /// The old file has its second name only; nothing stands at the target.
    SetAside(io::Error),
}

/// Whether a failure may pass: somebody has the file open.
pub fn is_shared(error: &io::Error) -> bool {
    is_one_of(error, &[ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION])
}

/// The same for a change of names. A target that is open, or about to go, is "access denied" there.
fn is_in_use(error: &io::Error) -> bool {
    is_shared(error)
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

/// A file system that knows no such call says so in three ways; here it is one.
pub(crate) fn plain(error: io::Error) -> io::Error {
    if is_one_of(&error, &[ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED, ERROR_CALL_NOT_IMPLEMENTED]) {
        io::Error::new(io::ErrorKind::Unsupported, error)
    } else {
        error
    }
}

fn is_one_of(error: &io::Error, codes: &[u32]) -> bool {
    error.raw_os_error().and_then(|code| u32::try_from(code).ok()).is_some_and(|code| codes.contains(&code))
}

/// Does something that somebody's open file may make fail for a moment: ten times within about a second.
///
/// # Errors
/// The last failure, or the first that waiting does not mend.
pub fn patiently<T>(act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    tries(act, is_shared)
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

/// Gives a file a name, in the place of whatever has it. It is on the disk when this returns.
///
/// # Errors
/// That it could not be renamed; both are as they were.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    tries(|| move_file(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH), is_in_use)
}

/// Gives a file a name that nobody has. It is on the disk when this returns.
///
/// # Errors
/// Among others that somebody has the name.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    tries(|| move_file(from, to, MOVEFILE_WRITE_THROUGH), is_in_use)
}

fn move_file(from: &Path, to: &Path, flags: u32) -> io::Result<()> {
    let (from, to) = (wide::path(from)?, wide::path(to)?);
    // SAFETY: both are NUL-terminated and live until the call returns.
    let done = unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), flags) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lets `new` take the name of `target`, with the access list `target` has; the old file is called `aside` afterwards.
///
/// # Errors
/// [`ReplaceError`] says which file has which name.
pub fn replace(target: &Path, new: &Path, aside: &Path) -> Result<(), ReplaceError> {
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
            ReplaceError::SetAside(error)
        } else {
            ReplaceError::AsItWas(plain(error))
        }
    })
}

/// Removes a file, with the same patience.
///
/// # Errors
/// That it is still there, or was not.
pub fn remove(path: &Path) -> io::Result<()> {
    tries(|| fs::remove_file(path), is_in_use)
}

/// Whether an open handle is that of a file or folder on a disk. That of a pipe, a console or another device is not.
pub fn is_on_disk(file: &File) -> bool {
    // SAFETY: the handle is open.
    unsafe { GetFileType(file.as_raw_handle()) == FILE_TYPE_DISK }
}

/// What makes a file itself, whatever its name: volume and number on it. Two names of one file have the same.
///
/// # Errors
/// That it could not be looked at.
pub fn identity(path: &Path) -> io::Result<(u64, u64)> {
    // Folders open with this flag only; no access is asked for, so that nobody's share mode stands in the way.
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
