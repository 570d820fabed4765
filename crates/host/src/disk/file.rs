//! A file that is open for writing, its owner and mode, and its extended attributes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Disk, DiskError, DiskStep, ReadLimit, StepDecision};

/// The owner, the group and the permissions of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// Permission bits.
    pub mode: u32,
    /// User, where files have one.
    pub uid: Option<u32>,
    /// Group, where files have one.
    pub gid: Option<u32>,
}

impl Owner {
    /// The owner and mode of a file that this program creates.
    pub fn ours(mode: u32) -> Self {
        Self { mode, uid: None, gid: None }
    }

    /// The same without set-user-ID, set-group-ID and sticky bit, and without write permission for group and others. A
    /// file that was missing gets none of these only because a record in the state folder says so.
    pub fn masked(self) -> Self {
        Self { mode: self.mode & 0o755, ..self }
    }

    /// The owner and mode of an existing file.
    pub(super) fn of(metadata: &fs::Metadata) -> Self {
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

/// A file open for writing.
#[derive(Debug)]
pub struct FileWriter<'a> {
    pub(super) disk: &'a Disk,
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// The current length of the file.
    pub(super) length: u64,
    /// The limit of the file's length, if the file was opened to append.
    pub(super) limit: Option<ReadLimit>,
}

impl FileWriter<'_> {
    /// Writes all bytes.
    ///
    /// # Errors
    /// Fails if not all bytes could be written. Nothing is written if the file would become too long to be read again.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        let length = self.length.saturating_add(super::length(bytes));
        if let Some(limit) = self.limit {
            limit.admits(length).map_err(|cause| DiskError::new("add to file", &self.path, cause))?;
        }
        self.length = length;
        let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
        match self.disk.gate.pass(DiskStep::Write, &self.path) {
            StepDecision::Go => self.file.write_all(bytes),
            StepDecision::Fail(cause) => Err(cause),
            StepDecision::Half(cause) => self.file.write_all(half).and(Err(cause)),
        }
        .map_err(|cause| DiskError::new("write", &self.path, cause))
    }

    /// Checks that the file still has its name and this length: no other program removed, replaced, cut or extended it.
    ///
    /// # Errors
    /// Fails if the file was changed, or if the disk cannot tell.
    pub fn check_unchanged(&self, length: u64) -> Result<(), DiskError> {
        let looked = |cause| DiskError::new("examine", &self.path, cause);
        let own = self.file.metadata().map_err(looked)?;
        match fs::symlink_metadata(&self.path) {
            Ok(now) if is_one_file(&own, &now) && now.len() == length => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(looked(error)),
            Ok(_) | Err(_) => {}
        }
        let cause = "another program removed or changed it at the same time";
        Err(DiskError::new("rely on", &self.path, io::Error::other(cause)))
    }

    /// Cuts the file off after so many bytes.
    ///
    /// # Errors
    /// Fails if the system refuses.
    pub fn cut(&mut self, length: u64) -> Result<(), DiskError> {
        self.disk.take(DiskStep::Write, "cut off the end of", &self.path, || self.file.set_len(length))
    }

    /// Sets owner and mode of the file. An owner that the file has already is not set again, so that no privilege is
    /// needed for it.
    ///
    /// # Errors
    /// Fails if they could not be set.
    pub fn own(&mut self, owner: Owner) -> Result<(), DiskError> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
            let file = &self.file;
            let now = file.metadata().map_err(|cause| DiskError::new("examine", &self.path, cause))?;
            let other = |wanted: Option<u32>, has: u32| wanted.filter(|w| *w != has);
            let (uid, gid) = (other(owner.uid, now.uid()), other(owner.gid, now.gid()));
            if uid.is_some() || gid.is_some() {
                self.disk.take(DiskStep::SetOwner, "give the owner of the file it replaces to", &self.path, || {
                    std::os::unix::fs::fchown(file, uid, gid)
                })?;
            }
            if now.mode() & 0o7777 != owner.mode {
                self.disk.take(DiskStep::SetMode, "set the mode of", &self.path, || {
                    file.set_permissions(fs::Permissions::from_mode(owner.mode))
                })?;
            }
        }
        #[cfg(not(unix))]
        let _nothing_to_set = owner;
        Ok(())
    }

    /// Sets access list, security label and user attributes of the file. A rename does not carry these over from the
    /// old file.
    ///
    /// # Errors
    /// Fails if one of them could not be set.
    pub fn give(&mut self, attributes: &Attributes) -> Result<(), DiskError> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{XattrFlags, fsetxattr};
            for (name, value) in &attributes.0 {
                let file = &self.file;
                self.disk.take(
                    DiskStep::SetMode,
                    "give the access list of the file it replaces to",
                    &self.path,
                    || fsetxattr(file, name.as_str(), value, XattrFlags::empty()).map_err(io::Error::from),
                )?;
            }
        }
        #[cfg(windows)]
        if let Some(list) = attributes.0.get(ACCESS_LIST) {
            self.disk.take(DiskStep::SetMode, "give the access list of the file it replaces to", &self.path, || {
                let list = std::str::from_utf8(list).map_err(io::Error::other)?;
                trustmason_windows::access::set(&self.path, list)
            })?;
        }
        #[cfg(not(any(target_os = "linux", windows)))]
        let _nothing_to_give = attributes;
        Ok(())
    }

    /// Brings the file's content to the disk.
    ///
    /// # Errors
    /// Fails if the system refuses.
    pub fn sync(&mut self) -> Result<(), DiskError> {
        self.disk.take(DiskStep::Sync, "sync", &self.path, || self.file.sync_all())
    }
}

/// The name under which the access list of Windows is stored among the attributes, as text (SDDL).
#[cfg(windows)]
const ACCESS_LIST: &str = "windows.dacl";

/// The extended attributes of a file that say who may use it, and those that its users set (xattr(7)). On Windows it is
/// the access list. It is empty on systems that have neither.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(into = "BTreeMap<String, String>", try_from = "BTreeMap<String, String>")]
pub struct Attributes(BTreeMap<String, Vec<u8>>);

impl Attributes {
    /// Reads the attributes of a file; empty if the file is not there.
    ///
    /// # Errors
    /// Fails if the attributes could not be read.
    #[cfg(target_os = "linux")]
    pub fn of(path: &Path) -> Result<Self, DiskError> {
        use rustix::fs::{getxattr, listxattr};
        use rustix::io::Errno;
        let failed = |cause: Errno| DiskError::new("read the attributes of", path, cause.into());
        // The kernel's own limits: XATTR_LIST_MAX and XATTR_SIZE_MAX.
        let mut buffer = vec![0u8; 64 * 1024];
        let length = match listxattr(path, &mut buffer) {
            Ok(length) => length,
            Err(Errno::NOENT | Errno::NOTSUP | Errno::NOSYS) => return Ok(Self::default()),
            Err(cause) => return Err(failed(cause)),
        };
        let names = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
        let mut found = BTreeMap::new();
        for name in names.split('\0') {
            if is_kept(name) {
                let length = getxattr(path, name, &mut buffer).map_err(failed)?;
                found.insert(name.to_owned(), buffer.get(..length).unwrap_or_default().to_vec());
            }
        }
        Ok(Self(found))
    }

    /// Reads the attributes of a file; empty if the file is not there, or if its file system has no access lists.
    ///
    /// # Errors
    /// Fails if the attributes could not be read.
    #[cfg(windows)]
    pub fn of(path: &Path) -> Result<Self, DiskError> {
        match trustmason_windows::access::read(path) {
            Ok(list) => Ok(Self(BTreeMap::from([(ACCESS_LIST.to_owned(), list.into_bytes())]))),
            Err(error) if error.kind() == io::ErrorKind::NotFound || super::error::is_unsupported(&error) => {
                Ok(Self::default())
            }
            Err(cause) => Err(DiskError::new("read the access list of", path, cause)),
        }
    }

    /// Returns no attributes: none are read on this system.
    ///
    /// # Errors
    /// Never fails.
    #[cfg(not(any(target_os = "linux", windows)))]
    pub fn of(_: &Path) -> Result<Self, DiskError> {
        Ok(Self::default())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether an attribute says who may use a file, or was set by the file's users. No other attribute is given to a file,
/// whatever a record says.
fn is_kept(name: &str) -> bool {
    name.starts_with("user.") || matches!(name, "system.posix_acl_access" | "security.selinux" | "windows.dacl")
}

impl From<Attributes> for BTreeMap<String, String> {
    fn from(attributes: Attributes) -> Self {
        attributes.0.into_iter().map(|(name, value)| (name, STANDARD.encode(value))).collect()
    }
}

impl TryFrom<BTreeMap<String, String>> for Attributes {
    type Error = String;

    fn try_from(text: BTreeMap<String, String>) -> Result<Self, Self::Error> {
        let one = |(name, value): (String, String)| {
            if !is_kept(&name) {
                return Err(format!("`{name}` is not an attribute that trustmason keeps"));
            }
            let value = STANDARD.decode(value).map_err(|error| format!("`{name}`: {error}"))?;
            Ok((name, value))
        };
        text.into_iter().map(one).collect::<Result<_, _>>().map(Self)
    }
}

/// Whether both metadata are of the same file.
#[cfg(unix)]
pub(super) fn is_one_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// On such systems a removed file keeps its name until it is closed, so no other file can take its place. Only the
/// creation times can be compared.
#[cfg(not(unix))]
pub(super) fn is_one_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    other.is_file() && one.created().ok() == other.created().ok()
}
