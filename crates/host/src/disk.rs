//! The one seam through which anything is written. Each method is one elementary step (make a folder, create, write, own,
//! sync, rename, sync the folder, read back, remove) and asks its [`Gate`] first, so that a test can make any single step
//! fail, or pull the plug at it, and so that a run in which nothing changes can be shown to have taken no step at all.
//!
//! [`Disk::replace`] puts the steps in the only safe order: a temporary file beside the target, with the target's owner and
//! mode, written and synced; the caller's last check; rename; sync of the folder; read back and compare. Up to the rename the
//! target is untouched, after it the target is whole.
#![allow(clippy::disallowed_methods, reason = "this is the seam: here and nowhere else files are written")]

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trustmason_keystore::Fingerprint;

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

/// Something that could not be done to a file or folder: the deed, the place, the cause and what to try.
#[derive(Debug)]
pub struct DiskError {
    deed: &'static str,
    path: PathBuf,
    cause: io::Error,
}

impl DiskError {
    /// Puts one together; `deed` continues "cannot …".
    pub(crate) fn new(deed: &'static str, path: &Path, cause: io::Error) -> Self {
        Self { deed, path: path.to_owned(), cause }
    }

    /// The kind of cause.
    pub fn kind(&self) -> io::ErrorKind {
        self.cause.kind()
    }

    fn hint(&self) -> &'static str {
        match self.cause.kind() {
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

/// Who owns a file and who may do what with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Owner {
    /// Permission bits.
    pub mode: u32,
    /// User, where files have one.
    pub uid: Option<u32>,
    /// Group, likewise.
    pub gid: Option<u32>,
}

impl Owner {
    /// Of a file made by ourselves.
    pub fn ours(mode: u32) -> Self {
        Self { mode, uid: None, gid: None }
    }

    /// As an existing file has it.
    pub fn of(metadata: &fs::Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            Self { mode: metadata.mode() & 0o7777, uid: Some(metadata.uid()), gid: Some(metadata.gid()) }
        }
        #[cfg(not(unix))]
        {
            Self::ours(if metadata.permissions().readonly() { 0o444 } else { 0o644 })
        }
    }
}

/// A file to be put in place.
#[derive(Clone, Copy)]
pub struct Replacement<'a> {
    /// Where; what stands there is replaced in one step.
    pub target: &'a Path,
    /// Its content.
    pub bytes: &'a [u8],
    /// Its owner and mode.
    pub owner: Owner,
    /// The run, which marks the temporary file so that a later run may clear it away.
    pub run: &'a str,
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

    /// Makes a folder and those above it that are missing, for us alone (0700). One that is there is left as it is.
    ///
    /// # Errors
    /// The folder that could not be made.
    pub fn make_dir(&self, path: &Path) -> Result<(), DiskError> {
        let mut missing = Vec::new();
        for folder in path.ancestors().filter(|p| !p.as_os_str().is_empty()) {
            match fs::metadata(folder) {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(folder),
                Err(error) => return Err(DiskError::new("look at folder", folder, error)),
            }
        }
        for folder in missing.into_iter().rev() {
            self.take(Step::MakeDir, "make folder", folder, || {
                let mut builder = fs::DirBuilder::new();
                #[cfg(unix)]
                std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
                match builder.create(folder) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                    other => other,
                }
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
        Ok(Written { disk: self, file, path: path.to_owned() })
    }

    /// Opens a file to add to its end, made for us alone (0600) if it is not there.
    ///
    /// # Errors
    /// That it cannot be opened.
    pub fn append(&self, path: &Path) -> Result<Written<'_>, DiskError> {
        let file = self.take(Step::Append, "add to file", path, || private().append(true).create(true).open(path))?;
        Ok(Written { disk: self, file, path: path.to_owned() })
    }

    /// Removes a file. One that is gone already is no error.
    ///
    /// # Errors
    /// That it is still there.
    pub fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.take(Step::Remove, "remove file", path, || match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        })?;
        self.sync_dir(path.parent())
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
            // Windows has no such thing: a folder cannot be opened as a file there.
            if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
        })
    }

    /// Replaces a file, or makes it, so that at every moment it is whole: the old one or the new one.
    ///
    /// `check` runs when the new file is ready and before it gets its name; its error leaves the old file as it is.
    ///
    /// # Errors
    /// [`ReplaceError::Before`]: the target is as it was. [`ReplaceError::After`]: the target was replaced, and what was
    /// read back is not what was written, or its name may not survive a power cut.
    pub fn replace<E: From<DiskError>>(
        &self,
        new: Replacement<'_>,
        check: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), ReplaceError<E>> {
        let temporary = temporary(new.target, new.run);
        let prepared = self.prepare(&temporary, new).map_err(E::from).and_then(|()| check()).and_then(|()| {
            self.take(Step::Rename, "replace file", new.target, || fs::rename(&temporary, new.target)).map_err(E::from)
        });
        if let Err(error) = prepared {
            // The first error is the one to report. What stays behind carries the run's mark and goes next time.
            if let Err(litter) = self.remove(&temporary) {
                tracing::debug!("{litter}");
            }
            return Err(ReplaceError::Before(error));
        }
        self.settle(new.target, new.bytes).map_err(|error| ReplaceError::After(error.into()))
    }

    fn prepare(&self, temporary: &Path, new: Replacement<'_>) -> Result<(), DiskError> {
        let mut file = match self.create(temporary) {
            // It carries this run's own mark: what is there was left by a run that ended in the same millisecond.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.remove(temporary)?;
                self.create(temporary)?
            }
            other => other?,
        };
        file.own(new.owner)?;
        file.carry(new.target)?;
        file.write(new.bytes)?;
        file.sync()
    }

    /// Makes a file in a folder that is the run's own, where nothing can stand yet: no rename is needed, and what a failure
    /// leaves is known by nobody.
    ///
    /// # Errors
    /// The step that failed.
    pub fn place(&self, path: &Path, bytes: &[u8], owner: Owner) -> Result<(), DiskError> {
        let mut file = self.create(path)?;
        let done = file.own(owner).and_then(|()| file.write(bytes)).and_then(|()| file.sync());
        drop(file);
        done.and_then(|()| self.settle(path, bytes)).inspect_err(|_| {
            if let Err(litter) = self.remove(path) {
                tracing::debug!("{litter}");
            }
        })
    }

    fn settle(&self, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
        self.sync_dir(path.parent())?;
        self.take(Step::ReadBack, "read back", path, || {
            if fs::read(path)? == bytes {
                Ok(())
            } else {
                Err(io::Error::new(io::ErrorKind::InvalidData, "it holds other bytes than were written"))
            }
        })
    }

    /// Writes one of our own files, whole or not at all, unless it has this content already. Says whether it wrote.
    ///
    /// # Errors
    /// The step that failed.
    pub fn keep(&self, path: &Path, bytes: &[u8], run: &str) -> Result<bool, DiskError> {
        if read_if_there(path)?.is_some_and(|now| now == bytes) {
            return Ok(false);
        }
        let new = Replacement { target: path, bytes, owner: Owner::ours(0o600), run };
        match self.replace(new, || Ok(())) {
            Ok(()) => Ok(true),
            Err(ReplaceError::Before(error) | ReplaceError::After(error)) => Err(error),
        }
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// How a replacement failed.
#[derive(Debug)]
pub enum ReplaceError<E> {
    /// The target is as it was.
    Before(E),
    /// The target was replaced all the same.
    After(E),
}

/// The first part of every temporary file's name.
const MARK: &str = ".trustmason-";

/// The temporary file of a run for a target, beside it.
fn temporary(target: &Path, run: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!("{MARK}{run}-{name}"))
}

/// The run that left this temporary file, if it is one.
pub(crate) fn left_by(path: &Path) -> Option<&str> {
    let rest = path.file_name()?.to_str()?.strip_prefix(MARK)?;
    let (run, name) = rest.split_at_checked(crate::state::RUN_ID_LENGTH)?;
    (name.starts_with('-') && crate::state::is_run_id(run)).then_some(run)
}

/// A file open for writing.
#[derive(Debug)]
pub struct Written<'a> {
    disk: &'a Disk,
    file: File,
    path: PathBuf,
}

impl Written<'_> {
    /// Writes all bytes.
    ///
    /// # Errors
    /// That not all of them could be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
        match self.disk.gate.pass(Step::Write, &self.path) {
            Fate::Go => self.file.write_all(bytes),
            Fate::Fail(cause) => Err(cause),
            Fate::Half(cause) => self.file.write_all(half).and(Err(cause)),
        }
        .map_err(|cause| DiskError::new("write", &self.path, cause))
    }

    /// Gives it this owner and mode. An owner it has already is not set again, so that no privilege is needed for it.
    ///
    /// # Errors
    /// That they could not be set.
    pub fn own(&mut self, owner: Owner) -> Result<(), DiskError> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
            let file = &self.file;
            let now = file.metadata().map_err(|cause| DiskError::new("look at", &self.path, cause))?;
            let other = |wanted: Option<u32>, has: u32| wanted.filter(|w| *w != has);
            let (uid, gid) = (other(owner.uid, now.uid()), other(owner.gid, now.gid()));
            if uid.is_some() || gid.is_some() {
                self.disk.take(Step::SetOwner, "give the owner of the file it replaces to", &self.path, || {
                    std::os::unix::fs::fchown(file, uid, gid)
                })?;
            }
            if now.mode() & 0o7777 != owner.mode {
                self.disk.take(Step::SetMode, "set the mode of", &self.path, || {
                    file.set_permissions(fs::Permissions::from_mode(owner.mode))
                })?;
            }
        }
        #[cfg(not(unix))]
        let _nothing_to_set = owner;
        Ok(())
    }

    /// Gives it the access list, security label and user attributes of the file it is to replace: rename would drop them.
    fn carry(&mut self, from: &Path) -> Result<(), DiskError> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{XattrFlags, fsetxattr};
            let attributes = attributes(from).map_err(|cause| DiskError::new("read the attributes of", from, cause))?;
            for (name, value) in attributes {
                let file = &self.file;
                self.disk.take(Step::SetMode, "give the access list of the file it replaces to", &self.path, || {
                    fsetxattr(file, name.as_str(), &value, XattrFlags::empty()).map_err(io::Error::from)
                })?;
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _nothing_to_carry = from;
        Ok(())
    }

    /// Brings it to the disk.
    ///
    /// # Errors
    /// That the system would not.
    pub fn sync(&mut self) -> Result<(), DiskError> {
        self.disk.take(Step::Sync, "sync", &self.path, || self.file.sync_all())
    }
}

/// The extended attributes that say who may use a file, and those its users gave it (xattr(7)).
#[cfg(target_os = "linux")]
fn attributes(path: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    use rustix::fs::{getxattr, listxattr};
    use rustix::io::Errno;
    // The kernel's own limits: XATTR_LIST_MAX and XATTR_SIZE_MAX.
    let mut buffer = vec![0u8; 64 * 1024];
    let length = match listxattr(path, &mut buffer) {
        Ok(length) => length,
        Err(Errno::NOENT | Errno::NOTSUP | Errno::NOSYS) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let names = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
    let mut found = Vec::new();
    for name in names.split('\0') {
        let kept = name.starts_with("user.") || matches!(name, "system.posix_acl_access" | "security.selinux");
        if kept {
            let length = getxattr(path, name, &mut buffer)?;
            found.push((name.to_owned(), buffer.get(..length).unwrap_or_default().to_vec()));
        }
    }
    Ok(found)
}

/// Reads a file.
///
/// # Errors
/// That it could not be read.
pub fn read(path: &Path) -> Result<Vec<u8>, DiskError> {
    fs::read(path).map_err(|cause| DiskError::new("read", path, cause))
}

/// Reads a file that need not be there.
///
/// # Errors
/// That it is there and could not be read.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, DiskError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(DiskError::new("read", path, cause)),
    }
}

/// Reads the files of a folder, sorted by name; folders inside it and our own temporary files are passed over.
///
/// # Errors
/// The folder or file that could not be read, or a name that is no text.
pub fn read_folder(path: &Path) -> Result<Vec<(String, Vec<u8>)>, DiskError> {
    let failed = |cause| DiskError::new("read folder", path, cause);
    let mut files = Vec::new();
    for item in fs::read_dir(path).map_err(failed)? {
        let item = item.map_err(failed)?;
        let at = item.path();
        let metadata = fs::metadata(&at).map_err(|cause| DiskError::new("look at", &at, cause))?;
        if metadata.is_dir() || left_by(&at).is_some() {
            continue;
        }
        let name = item.file_name().into_string().map_err(|name| {
            let cause = io::Error::new(io::ErrorKind::InvalidData, "its name is no text; rename it");
            DiskError::new("use file", &path.join(name), cause)
        })?;
        files.push((name, read(&at)?));
    }
    files.sort();
    Ok(files)
}

/// One digest for a folder: over the names and the digests of its files.
pub fn folder_digest(files: &[(String, Vec<u8>)]) -> Fingerprint {
    let mut text = String::new();
    for (name, bytes) in files {
        text.push_str(name);
        text.push('\0');
        text.push_str(&Fingerprint::of(bytes).to_string());
        text.push('\n');
    }
    Fingerprint::of(text.as_bytes())
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
