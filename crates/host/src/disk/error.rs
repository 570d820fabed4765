//! What could not be done to a file or folder, said once with its place.

use std::fmt;
use std::io;
use std::path::Path;

/// In which way a disk did not do what it was asked. None of these means that something is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The disk is away: its share or its network does not answer.
    Unreachable,
    /// It answered, and will not.
    Refused,
    /// It knows no such thing.
    Unsupported,
}

/// What was found; `None` where the disk says that there is nothing. Whoever looks or reads asks this and no error.
pub(super) fn if_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Something that could not be done to a file or folder: the deed, the place, the cause and what to try.
#[derive(Debug)]
pub struct DiskError {
    deed: &'static str,
    path: Box<Path>,
    cause: io::Error,
}

impl DiskError {
    /// Puts one together; `deed` continues "cannot …".
    pub(crate) fn new(deed: &'static str, path: &Path, cause: io::Error) -> Self {
        Self { deed, path: path.into(), cause }
    }

    /// The kind of cause. Nobody else asks for it, so that nobody takes one of them for an answer.
    pub(super) fn kind(&self) -> io::ErrorKind {
        self.cause.kind()
    }

    /// What is to hold files and is one itself.
    pub(crate) fn no_folder(path: &Path) -> Self {
        Self::new("open folder", path, io::ErrorKind::NotADirectory.into())
    }

    /// In which way the disk said no.
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

    /// Whether a name that was to be given is somebody's already.
    pub fn is_taken(&self) -> bool {
        self.kind() == io::ErrorKind::AlreadyExists
    }

    /// Whether this user may not do it.
    pub fn is_forbidden(&self) -> bool {
        self.kind() == io::ErrorKind::PermissionDenied
    }

    /// Whether a file is larger than what is read as such may be.
    pub fn is_too_large(&self) -> bool {
        self.kind() == io::ErrorKind::FileTooLarge
    }

    /// Whether the system has no such call, or this file system does not know it (`ENOSYS`, `EINVAL`, `EOPNOTSUPP`).
    pub(super) fn is_unsupported(&self) -> bool {
        is_unsupported(&self.cause)
    }

    /// Adds something to the cause.
    pub(super) fn with(mut self, more: String) -> Self {
        self.cause = io::Error::new(self.cause.kind(), format!("{}{more}", self.cause));
        self
    }

    /// The cause and what to try, for who has named the file already.
    pub fn why(&self) -> String {
        format!("{}{}", self.cause, self.hint())
    }

    fn hint(&self) -> &'static str {
        match self.cause.kind() {
            io::ErrorKind::PermissionDenied if self.deed.starts_with("read") => {
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
        write!(f, "cannot {} {}: {}{}", self.deed, self.path.display(), self.cause, self.hint())
    }
}

// The cause stands in the text already: a `source` would say it twice.
impl std::error::Error for DiskError {}

pub(super) fn is_unsupported(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput)
}
