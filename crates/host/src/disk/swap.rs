//! Replaces or removes a file. At every moment the file is complete, either the old one or the new one. As far as
//! the file system allows it, no work of another program is lost.
//!
//! The new file is made beside the target, with the target's owner, mode and attributes, then written and synced. Then
//! the caller's last check runs. Another program could write the target between that check and a rename, and the rename
//! would discard its file unseen. So the two files exchange their names in one step, and the replaced file is read: the
//! expected file is removed, any other is put back. On a file system without such a step the old file keeps a second
//! name until it was read (on Windows by `ReplaceFileW`, which also keeps the access list). A new file takes its name
//! only if no other file has it.
//!
//! After a crash a temporary name may hold the old file, the new one, a part of it, or a file of another program. A
//! later run tells them apart by their digests.

#[cfg(not(windows))]
use std::fs;
use std::io;
use std::path::Path;

use trustmason_keystore::Digest;

use super::temporary::{aside, temporary};
use super::{Attributes, Disk, DiskError, DiskStep, Owner, ReadLimit, length};

/// The file that is expected at the target until the new file takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedTarget {
    /// Any file or none: a file of trustmason's own that no other program writes.
    Anything,
    /// No file: a file that another program made in the meantime stays.
    Nothing,
    /// A file with this digest: any other file is put back.
    File(Digest),
}

impl From<Option<Digest>> for ExpectedTarget {
    fn from(digest: Option<Digest>) -> Self {
        digest.map_or(Self::Nothing, Self::File)
    }
}

/// A file to be put in place.
#[derive(Clone, Copy, Debug)]
pub struct Replacement<'a> {
    /// The path of the file to replace or create.
    pub target: &'a Path,
    /// The content of the new file.
    pub bytes: &'a [u8],
    /// The kind of content that the new file will be read as. A larger file than this limit allows is not made.
    pub limit: ReadLimit,
    /// Owner and mode of the new file.
    pub owner: Owner,
    /// The attributes of the new file; with `None` it gets those of the file it replaces.
    pub attributes: Option<&'a Attributes>,
    /// Which file it may replace.
    pub expected: ExpectedTarget,
    /// The run, which marks the temporary file so that a later run may remove it.
    pub run: &'a str,
}

/// How a replacement failed.
#[derive(Debug)]
pub enum ReplaceError<E> {
    /// The target is as it was.
    Before(E),
    /// Another program wrote the target in the meantime; its file stays there.
    Overtaken,
    /// The target was replaced all the same, or its content is not certain.
    After(E),
}

impl<E> ReplaceError<E> {
    fn map<F>(self, with: impl FnOnce(E) -> F) -> ReplaceError<F> {
        match self {
            Self::Before(error) => ReplaceError::Before(with(error)),
            Self::Overtaken => ReplaceError::Overtaken,
            Self::After(error) => ReplaceError::After(with(error)),
        }
    }
}

impl ReplaceError<DiskError> {
    /// The error alone, for callers to whom the state of the target does not matter.
    pub fn into_error(self, target: &Path) -> DiskError {
        match self {
            Self::Before(error) | Self::After(error) => error,
            Self::Overtaken => {
                let cause = io::Error::new(io::ErrorKind::AlreadyExists, "another program wrote it at the same time");
                DiskError::new("write", target, cause)
            }
        }
    }
}

type Done = Result<(), ReplaceError<DiskError>>;

impl Disk {
    /// Replaces a file, or creates it.
    ///
    /// `check` runs when the new file is ready and before it gets its name. If `check` fails, the old file stays as it
    /// is.
    ///
    /// # Errors
    /// [`ReplaceError`] says which file is at the target. After [`ReplaceError::After`] the bytes read back are not those
    /// written, the name may not survive a power cut, or the replaced file is still there under its temporary name.
    pub fn replace<E: From<DiskError>>(
        &self,
        new: Replacement<'_>,
        check: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), ReplaceError<E>> {
        let temporary = temporary(new.target, new.run);
        let prepared = self.prepare(&temporary, new).map_err(E::from).and_then(|()| check());
        let placed = prepared
            .map_err(ReplaceError::Before)
            .and_then(|()| self.swap(&temporary, new).map_err(|error| error.map(E::from)));
        match placed {
            Ok(()) => {
                self.read_back(new.target, new.bytes, new.limit).map_err(|error| ReplaceError::After(error.into()))
            }
            // The temporary file may hold another program's work.
            Err(error @ ReplaceError::After(_)) => Err(error),
            Err(error) => {
                // The first error is the one to report. A file that stays behind carries the run's mark and is removed
                // next time.
                self.discard(&temporary);
                Err(error)
            }
        }
    }

    /// Removes a file with this digest; any other file is put back.
    ///
    /// # Errors
    /// As [`Disk::replace`].
    pub fn withdraw(&self, target: &Path, expected: Digest, run: &str) -> Done {
        let aside = temporary(target, run);
        let moved = self.take(DiskStep::Rename, "set aside", target, || rename_new(target, &aside));
        match moved {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ReplaceError::Overtaken),
            Err(error) => return Err(ReplaceError::Before(error)),
        }
        if let Err(trouble) = self.is_still(&aside, expected) {
            self.take(DiskStep::Rename, "put back", target, || rename_new(&aside, target))
                .map_err(|error| ReplaceError::After(kept(error, &aside)))?;
            return Err(trouble.map_or(ReplaceError::Overtaken, ReplaceError::Before));
        }
        self.remove(&aside).map_err(ReplaceError::After)
    }

    /// Puts the file that a crash left beside the target back at the target, in place of the file with the digest
    /// `over`.
    pub(crate) fn give_back(&self, aside: &Path, target: &Path, expected: Option<Digest>) -> Done {
        match expected {
            Some(digest) => self.exchange(aside, target, digest, digest_of(aside).map_err(ReplaceError::Before)?)?,
            None => self.name_new(aside, target)?,
        }
        self.sync_dir(target.parent()).map_err(ReplaceError::After)
    }

    fn prepare(&self, temporary: &Path, new: Replacement<'_>) -> Result<(), DiskError> {
        new.limit.admits(length(new.bytes)).map_err(|cause| DiskError::new("write", new.target, cause))?;
        let mut file = match self.create(temporary) {
            // The name carries this run's own mark, so the file was left by a run that ended in the same millisecond.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.remove(temporary)?;
                self.create(temporary)?
            }
            other => other?,
        };
        file.own(new.owner)?;
        match new.attributes {
            Some(attributes) => file.give(attributes)?,
            None => file.give(&Attributes::of(new.target)?)?,
        }
        file.write(new.bytes)?;
        file.sync()
    }

    fn swap(&self, temporary: &Path, new: Replacement<'_>) -> Done {
        match new.expected {
            ExpectedTarget::Anything => self
                .take(DiskStep::Rename, "replace file", new.target, || rename(temporary, new.target))
                .map_err(ReplaceError::Before),
            ExpectedTarget::Nothing => self.name_new(temporary, new.target),
            ExpectedTarget::File(expected) => self.exchange(temporary, new.target, expected, Digest::of(new.bytes)),
        }
    }

    /// Gives a file a name that no other file has.
    fn name_new(&self, from: &Path, target: &Path) -> Done {
        match self.take(DiskStep::Rename, "name file", target, || rename_new(from, target)) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(ReplaceError::Overtaken),
            Err(error) => Err(ReplaceError::Before(error)),
        }
    }

    /// Exchanges the names of two files, and removes the file that was at the target if it is the expected one.
    fn exchange(&self, temporary: &Path, target: &Path, expected: Digest, ours: Digest) -> Done {
        match self.take(DiskStep::Exchange, "replace file", target, || rename_exchange(temporary, target)) {
            Ok(()) => {}
            Err(error) if error.is_unsupported() => return self.displace(temporary, target, expected),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ReplaceError::Overtaken),
            Err(error) => return Err(ReplaceError::Before(error)),
        }
        let Err(trouble) = self.is_still(temporary, expected) else {
            return self.unlink(temporary).map_err(ReplaceError::After);
        };
        let back = "restore the file that another program wrote at";
        self.take(DiskStep::Exchange, back, target, || rename_exchange(temporary, target))
            .map_err(|error| ReplaceError::After(kept(error, temporary)))?;
        if digest_of(temporary).is_ok_and(|digest| digest == ours) {
            return Err(trouble.map_or(ReplaceError::Overtaken, ReplaceError::Before));
        }
        // Another program wrote once more in between: the newest file stays at the target, the other is kept.
        let error = match self.take(DiskStep::Exchange, back, target, || rename_exchange(temporary, target)) {
            Ok(()) => {
                let cause = io::Error::other("other programs wrote it several times at the same time");
                DiskError::new("decide which file is the right one at", target, cause)
            }
            Err(error) => error,
        };
        Err(ReplaceError::After(kept(error, temporary)))
    }

    /// As `exchange`, for Windows: in one step the new file gets the target's name and the old file its second name.
    #[cfg(windows)]
    fn displace(&self, temporary: &Path, target: &Path, expected: Digest) -> Done {
        use trustmason_windows::file::{self, ReplaceFileError};
        let aside = aside(temporary);
        let mut set_aside = false;
        let replaced = self.take(DiskStep::Rename, "replace file", target, || {
            file::replace(target, temporary, &aside).map_err(|error| match error {
                ReplaceFileError::AsItWas(cause) => cause,
                ReplaceFileError::SetAside(cause) => {
                    set_aside = true;
                    cause
                }
            })
        });
        let put_back = |rename: fn(&Path, &Path) -> io::Result<()>| {
            self.take(DiskStep::Rename, "put back", target, || rename(&aside, target))
                .map_err(|error| ReplaceError::After(kept(error, &aside)))
        };
        match replaced {
            Ok(()) => {}
            Err(error) if set_aside => {
                put_back(rename_new)?;
                return Err(ReplaceError::Before(error));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ReplaceError::Overtaken),
            // The file system does not support the call, so the caller's check has to suffice.
            Err(error) if error.is_unsupported() => {
                let rename = self.take(DiskStep::Rename, "replace file", target, || rename(temporary, target));
                return rename.map_err(ReplaceError::Before);
            }
            Err(error) => return Err(ReplaceError::Before(error)),
        }
        let Err(trouble) = self.is_still(&aside, expected) else {
            return self.unlink(&aside).map_err(ReplaceError::After);
        };
        put_back(rename)?;
        Err(trouble.map_or(ReplaceError::Overtaken, ReplaceError::Before))
    }

    /// As `exchange`, where names cannot be exchanged: the old file keeps a second name until it was read. If another
    /// program gives the target's name to its own file between the two steps, this is not noticed.
    #[cfg(not(windows))]
    fn displace(&self, temporary: &Path, target: &Path, expected: Digest) -> Done {
        let rename_over = || self.take(DiskStep::Rename, "replace file", target, || rename(temporary, target));
        let aside = aside(temporary);
        match self.take(DiskStep::Link, "keep a second name of", target, || fs::hard_link(target, &aside)) {
            Ok(()) => {}
            // The file system has no second names, so the caller's check has to suffice.
            Err(error) if error.is_unsupported() || error.kind() == io::ErrorKind::PermissionDenied => {
                return rename_over().map_err(ReplaceError::Before);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ReplaceError::Overtaken),
            Err(error) => return Err(ReplaceError::Before(error)),
        }
        if let Err(error) = rename_over() {
            self.discard(&aside);
            return Err(ReplaceError::Before(error));
        }
        let Err(trouble) = self.is_still(&aside, expected) else {
            return self.unlink(&aside).map_err(ReplaceError::After);
        };
        self.take(DiskStep::Rename, "put back", target, || rename(&aside, target))
            .map_err(|error| ReplaceError::After(kept(error, &aside)))?;
        Err(trouble.map_or(ReplaceError::Overtaken, ReplaceError::Before))
    }

    /// Whether a file that was set aside is the expected one. The error is `None` for another file, and the cause if
    /// the file could not be read.
    fn is_still(&self, aside: &Path, expected: Digest) -> Result<(), Option<DiskError>> {
        let read = || super::read::read_whole(aside, ReadLimit::Store);
        let bytes = self.take(DiskStep::ReadBack, "read what was replaced,", aside, read).map_err(Some)?;
        if Digest::of(&bytes) == expected { Ok(()) } else { Err(None) }
    }

    fn discard(&self, path: &Path) {
        if let Err(leftover) = self.remove(path) {
            tracing::debug!("{leftover}");
        }
    }
}

fn digest_of(path: &Path) -> Result<Digest, DiskError> {
    super::read(path, ReadLimit::Store).map(|bytes| Digest::of(&bytes))
}

/// Adds to an error where the file is that could not be put back.
fn kept(error: DiskError, aside: &Path) -> DiskError {
    error.with(format!("; it is kept as {}, and the next run checks it again", aside.display()))
}

#[cfg(target_os = "linux")]
fn rename_exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(io::Error::from)
}

#[cfg(not(target_os = "linux"))]
fn rename_exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(windows))]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Tries again for a while, and returns only when the name is on the disk, because a folder cannot be synced on
/// Windows.
#[cfg(windows)]
use trustmason_windows::file::{rename, rename_new};

/// Gives a file a name that no other file has. Where the system cannot do that in one step, a second name is made,
/// which fails if the name is taken, and the first name is removed.
#[cfg(not(windows))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(io::Error::from) {
            Err(error) if super::error::is_unsupported(&error) => {}
            other => return other,
        }
    }
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // The file system has no second names either, so look first and then rename.
        Err(_) if fs::symlink_metadata(to).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}

#[cfg(test)]
#[path = "swap_tests.rs"]
mod tests;
