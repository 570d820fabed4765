//! What could not be done to a file or folder, said once with its place.

use std::fmt;
use std::io;
use std::path::Path;

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

    /// The kind of cause.
    pub fn kind(&self) -> io::ErrorKind {
        self.cause.kind()
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
            io::ErrorKind::PermissionDenied if self.deed.starts_with("read") => "; run as a user that may read it",
            io::ErrorKind::PermissionDenied => "; run as the user that owns it, or let this user write to its folder",
            io::ErrorKind::ReadOnlyFilesystem => "; the file system is mounted read-only, mount it writable",
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
