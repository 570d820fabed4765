//! Puts one file of a store in its place, or removes it: first its backup and its journal line, then the one step, and
//! after a failure a report of which content is there. Runs and rollbacks write files of stores only in this way.

use std::path::Path;

use trustmason_keystore::Digest;
use trustmason_plan::ledger;
use trustmason_plan::run_id::RunId;
use trustmason_plan::site::PieceAt;
use trustmason_spec::name::StoreId;

use super::error::{StaleError, StoreWriteError, StoreWriteFailure};
use crate::disk::{self, Attributes, Disk, DiskError, ExpectedTarget, Owner, ReadLimit, ReplaceError, Replacement};
use crate::record::journal::{Journal, Record};

/// The ledger's records of a store's entries.
pub(super) type PlacedEntries<'a> = Option<&'a std::collections::BTreeMap<ledger::PlacedKey, ledger::PlacedEntry>>;

/// Writes the files of one store within a run.
#[derive(Clone, Copy)]
pub(crate) struct StoreWriter<'a, 'j> {
    pub disk: &'a Disk,
    pub run: &'a RunId,
    pub journal: &'a Journal<'j>,
    pub store: &'a StoreId,
}

/// The new content of a file. Without attributes the file keeps those of the old one.
#[derive(Clone, Copy)]
pub(crate) struct NewContent<'a> {
    pub bytes: &'a [u8],
    pub owner: Owner,
    pub attributes: Option<&'a Attributes>,
}

impl StoreWriter<'_, '_> {
    /// Copies a file that is about to be replaced, with its mode, owner and attributes, and reads the copy back.
    pub(crate) fn back_up(
        &self,
        path: &Path,
        of: &PieceAt,
        bytes: &[u8],
        copy: &Path,
    ) -> Result<(), StoreWriteFailure> {
        let (owner, attributes) = (disk::facts(path)?.owner(), Attributes::of(path)?);
        if let Some(folder) = copy.parent() {
            self.disk.make_dir(folder)?;
        }
        let kept = self.disk.place(copy, bytes, owner, &attributes).or_else(|error| {
            // Only the superuser may give files away. The journal then keeps the owner.
            if error.is_forbidden() {
                self.disk.place(copy, bytes, Owner::ours(owner.mode), &Attributes::default())
            } else {
                Err(error)
            }
        });
        kept.map_err(|cause| StoreWriteError::NoBackup { place: path.display().to_string(), cause })?;
        self.journal.note(&Record::Backup {
            store: self.store.clone(),
            copy: self.journal.copy_at(copy)?,
            of: of.clone(),
            owner,
            attributes,
            sha256: Digest::of(bytes),
        })?;
        Ok(())
    }

    /// Puts one file in place. A failure says whether the file has the new content.
    pub(crate) fn put(
        &self,
        path: &Path,
        expected: ExpectedTarget,
        new: NewContent<'_>,
        backup: Option<&Path>,
        check: impl FnOnce() -> Result<(), StoreWriteFailure>,
    ) -> Result<(), StoreWriteFailure> {
        let NewContent { bytes, owner, attributes } = new;
        let replacement = Replacement {
            target: path,
            bytes,
            limit: ReadLimit::Store,
            owner,
            attributes,
            expected,
            run: self.run.as_str(),
        };
        let after = Some(Digest::of(bytes));
        self.disk.replace(replacement, check).map_err(|error| trouble(error, path, after, backup))
    }

    /// Removes a file, if it is the expected one.
    pub(crate) fn take_away(&self, path: &Path, expected: Digest) -> Result<(), StoreWriteFailure> {
        let taken = self.disk.withdraw(path, expected, self.run.as_str());
        taken.map_err(|error| match error {
            ReplaceError::Before(error) => trouble(ReplaceError::Before(error.into()), path, None, None),
            ReplaceError::Overtaken => trouble(ReplaceError::Overtaken, path, None, None),
            ReplaceError::After(error) => trouble(ReplaceError::After(error.into()), path, None, None),
        })
    }
}

fn trouble(
    error: ReplaceError<StoreWriteFailure>,
    path: &Path,
    after: Option<Digest>,
    backup: Option<&Path>,
) -> StoreWriteFailure {
    match error {
        ReplaceError::Before(trouble) => trouble,
        ReplaceError::Overtaken => StaleError::Overtaken { path: path.to_owned() }.into(),
        ReplaceError::After(trouble) => {
            let stands = disk::digest_if_there(path).is_ok_and(|digest| digest.is_some() && digest == after);
            StoreWriteError::Late { cause: Box::new(trouble), stands, backup: backup.map(Path::to_owned) }.into()
        }
    }
}

/// Owner and mode for the new file: those of the old file. A new store gets its folder's owner and is readable by its
/// group.
pub(crate) fn owner(path: &Path, exists: bool) -> Result<Owner, DiskError> {
    let of = if exists { path } else { path.parent().unwrap_or(path) };
    let owner = disk::facts(of)?.owner();
    Ok(if exists { owner } else { Owner { mode: 0o640, ..owner } })
}
