//! Errors of files and folders. Each says what could not be done, to which path, why, and what to try.

use std::fmt;
use std::io;
use std::path::Path;

/// How a disk failed to do what it was asked. None of these means that something is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The disk is away: its share or its network does not answer.
    Unreachable,
    /// The disk answered and refused.
    Refused,
    /// The disk or the system does not support the call.
    Unsupported,
}

/// Turns "not found" into `None`; every other error stays an error. All reading and looking up uses this function, and
/// takes no other error for absence.
pub(super) fn if_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// An error about a file or folder: what could not be done, the path, the cause and what to try.
#[derive(Debug)]
pub struct DiskError {
    action: &'static str,
    path: Box<Path>,
    cause: io::Error,
}

impl DiskError {
    /// Creates the error; `action` continues "cannot …".
    pub(crate) fn new(action: &'static str, path: &Path, cause: io::Error) -> Self {
        Self { action, path: path.into(), cause }
    }

    /// The kind of the cause. It is visible in `disk` only, so that no other module decides by an error that a file is
    /// absent.
    pub(super) fn kind(&self) -> io::ErrorKind {
        self.cause.kind()
    }

    /// The error for a path that should be a folder and is not.
    pub(crate) fn no_folder(path: &Path) -> Self {
        Self::new("open folder", path, io::ErrorKind::NotADirectory.into())
    }

    /// How the disk failed.
    pub fn denial(&self) -> Denial {
        match self.cause.kind() {
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NotConnected
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::StaleNetworkFileHandle
            | io::ErrorKind::TimedOut => Denial::Unreachable,
            io::ErrorKind::Unsupported => Denial::Unsupported,
            _ => Denial::Refused,
        }
    }

    /// Whether a new name is already taken by another file.
    pub fn is_taken(&self) -> bool {
        self.kind() == io::ErrorKind::AlreadyExists
    }

    /// Whether this account may not do it.
    pub fn is_forbidden(&self) -> bool {
        self.kind() == io::ErrorKind::PermissionDenied
    }

    /// Whether a file is larger than its limit.
    pub fn is_too_large(&self) -> bool {
        self.kind() == io::ErrorKind::FileTooLarge
    }

    /// Whether the system or the file system does not support the call (`ENOSYS`, `EINVAL`, `EOPNOTSUPP`).
    pub(super) fn is_unsupported(&self) -> bool {
        is_unsupported(&self.cause)
    }

    /// Adds words to the cause.
    pub(super) fn with(mut self, more: String) -> Self {
        self.cause = io::Error::new(self.cause.kind(), format!("{}{more}", self.cause));
        self
    }

    /// The cause and what to try, for a message that names the file already.
    pub fn why(&self) -> String {
        format!("{}{}", self.cause, self.hint())
    }

    fn hint(&self) -> &'static str {
        match self.cause.kind() {
            io::ErrorKind::PermissionDenied if self.action.starts_with("read") => {
                "; run trustmason as a user that may read it"
            }
            io::ErrorKind::PermissionDenied => {
                "; run trustmason as the user that owns it, or let this user write to its folder"
            }
            io::ErrorKind::ReadOnlyFilesystem => "; the file system is mounted read-only; mount it writable",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room on that disk and run again",
            io::ErrorKind::NotFound => "; check the path",
            _ => "",
        }
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}{}", self.action, self.path.display(), self.cause, self.hint())
    }
}

// The text contains the cause, so a `source` would say it twice.
impl std::error::Error for DiskError {}

pub(super) fn is_unsupported(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput)
}
