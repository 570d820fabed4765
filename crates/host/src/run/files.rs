//! The files of a store that has more than one file, in the order in which they are written.
//!
//! In a folder new files come first and removals last, so that at every moment each certificate that stays is there.
//! For a pair the first certificate is kept before anything changes, and the copies that no service reads yet are
//! written, of each copy the key first. Then the key is replaced, then the certificate, each in one step, so the folder is never without either. If
//! the machine stops between the two, the old certificate is left with the new key. The identity then still is the old
//! one, its new key is still in staging, and the next run writes both again. In the opposite order the pair would look
//! complete.

use std::path::{Path, PathBuf};

use trustmason_keystore::{Digest, Store, TouchedFiles};
use trustmason_plan::site::PieceAt;
use trustmason_spec::name::StoreId;
use trustmason_spec::topology::StoreKind;
use zeroize::Zeroizing;

use super::error::{StaleError, StoreWriteFailure};
use super::writer::{self, owner};
use crate::disk::{self, Attributes, DiskError, Owner, ReadLimit};
use crate::record::journal::Piece;
use crate::record::sites;
use crate::volume::Volumes;
use crate::volume::pair::{self, CERTIFICATE, KEY, PairPaths};

/// One file.
pub(super) struct PlannedFile {
    /// The path of the file on this machine.
    pub path: PathBuf,
    /// The host's name of the file.
    pub at: PieceAt,
    /// The name of the file's backup.
    pub name: String,
    /// The present content; `None` if there is no file.
    pub old: Option<Zeroizing<Vec<u8>>>,
    /// The new content; `None` if the file is removed.
    pub new: Option<Zeroizing<Vec<u8>>>,
    /// Owner and mode of the new file.
    like: Like,
}

enum Like {
    /// Those of the present file, else those of this file.
    File(PathBuf),
    /// Those of the present file, else the owner of its folder with this mode.
    Mode(u32),
    /// Those of this key, whatever the present file has: nobody may read a copy who may not read the key.
    Key(PathBuf),
}

impl PlannedFile {
    fn was(&self) -> Option<Digest> {
        self.old.as_ref().map(|bytes| Digest::of(bytes))
    }

    /// The file as a part in the journal.
    pub(super) fn piece(&self) -> Piece {
        Piece { at: self.at.clone(), before: self.was(), after: self.new.as_ref().map(|bytes| Digest::of(bytes)) }
    }

    fn owner(&self) -> Result<Owner, DiskError> {
        match (&self.old, &self.like) {
            (old, Like::Key(key)) => {
                let own = match disk::facts_if_there(key)? {
                    Some(facts) => facts.owner(),
                    None => Owner { mode: 0o600, ..owner(&self.path, false)? },
                };
                let present = if old.is_some() { owner(&self.path, true)?.mode } else { own.mode };
                Ok(Owner { mode: own.mode & present, ..own })
            }
            (Some(_), _) => owner(&self.path, true),
            (None, Like::File(other)) if disk::facts_if_there(other)?.is_some() => owner(other, true),
            (None, Like::File(_)) => Ok(Owner { mode: 0o644, ..owner(&self.path, false)? }),
            (None, Like::Mode(mode)) => Ok(Owner { mode: *mode, ..owner(&self.path, false)? }),
        }
    }

    /// The attributes of the new file, if it gets others than those of the present file.
    fn attributes(&self) -> Result<Option<Attributes>, DiskError> {
        match &self.like {
            Like::Key(key) => Attributes::of(key).map(Some),
            Like::File(_) | Like::Mode(_) => Ok(None),
        }
    }
}

/// The files of a folder that change.
pub(super) fn of_folder(
    volumes: Volumes<'_>,
    (id, kind): (&StoreId, &StoreKind),
    folder: &Path,
    store: &Store,
    image: &TouchedFiles,
) -> Result<Vec<PlannedFile>, StoreWriteFailure> {
    let old =
        |name: &str| store.files().iter().find(|(n, _)| n == name).map(|(_, bytes)| Zeroizing::new(bytes.clone()));
    let mut files = Vec::new();
    for (name, new) in image {
        let path = folder.join(name);
        let at = sites::written(volumes, id, kind, &path)?;
        // Other accounts must be able to read it, as they read its neighbours.
        let like = Like::Mode(0o644);
        let new = new.clone().map(Zeroizing::new);
        files.push(PlannedFile { path, at, name: name.clone(), old: old(name), new, like });
    }
    files.sort_by_key(|file| (file.new.is_none(), file.old.is_some()));
    Ok(files)
}

/// The files of a pair that change, and the files that belong to its certificate.
pub(super) fn of_pair(
    volumes: Volumes<'_>,
    (id, kind): (&StoreId, &StoreKind),
    pair: &PairPaths,
    store: &Store,
    image: &TouchedFiles,
) -> Result<Vec<PlannedFile>, StoreWriteFailure> {
    let old = |part: &str| pair::part(store.files(), part).map(|bytes| Zeroizing::new(bytes.to_vec()));
    let new = |part: &str| {
        image.iter().find(|(name, _)| name == part).and_then(|(_, bytes)| bytes.clone()).map(Zeroizing::new)
    };
    let mut files = Vec::new();
    if let (Some(path), Some(first), Some(_)) = (&pair.previous, old(CERTIFICATE), new(CERTIFICATE)) {
        let (at, like) = (sites::written(volumes, id, kind, path)?, Like::File(pair.certificate.clone()));
        let name = "previous".to_owned();
        files.push(PlannedFile { path: path.clone(), at, name, old: None, new: Some(first), like });
    }
    let (key, certificate) = (new(KEY).or_else(|| old(KEY)), new(CERTIFICATE).or_else(|| old(CERTIFICATE)));
    for (index, copy) in pair.copies.iter().enumerate() {
        let name = format!("copy-{}", index + 1);
        let halves = [
            (&copy.key, &key, format!("{name}-key"), Like::Key(pair.key.clone())),
            (&copy.certificate, &certificate, name, Like::File(pair.certificate.clone())),
        ];
        for (path, new, name, like) in halves {
            let (Some(path), Some(new)) = (path, new) else { continue };
            let old = disk::read_if_there(path, ReadLimit::Store)?.map(Zeroizing::new);
            if old.as_ref() != Some(new) {
                let at = sites::written(volumes, id, kind, path)?;
                files.push(PlannedFile { path: path.clone(), at, name, old, new: Some(new.clone()), like });
            }
        }
    }
    for (part, like) in [(KEY, Like::Mode(0o600)), (CERTIFICATE, Like::Mode(0o644))] {
        if let Some(new) = new(part) {
            let path = pair.path_of(part).to_owned();
            let at = sites::written(volumes, id, kind, &path)?;
            files.push(PlannedFile { path, at, name: part.to_owned(), old: old(part), new: Some(new), like });
        }
    }
    Ok(files)
}

/// Puts every file in its place, or removes it.
pub(super) fn put(
    writer: &writer::StoreWriter<'_, '_>,
    files: &[PlannedFile],
    backup: Option<&Path>,
) -> Result<(), StoreWriteFailure> {
    for file in files {
        let was = file.was();
        let path = &file.path;
        match (&file.new, was) {
            (Some(bytes), _) => {
                let attributes = file.attributes()?;
                let new = writer::NewContent { bytes, owner: file.owner()?, attributes: attributes.as_ref() };
                writer.put(path, was.into(), new, backup, || still(path, was))?;
            }
            (None, Some(was)) => writer.take_away(path, was)?,
            (None, None) => {}
        }
    }
    Ok(())
}

fn still(path: &Path, was: Option<Digest>) -> Result<(), StoreWriteFailure> {
    let now = disk::digest_if_there(path)?;
    if now == was {
        return Ok(());
    }
    let place = path.display().to_string();
    Err(StoreWriteFailure::Stale(match (was, now) {
        (None, _) => StaleError::Made { place },
        (Some(_), None) => StaleError::Gone { place },
        (Some(_), Some(_)) => StaleError::Changed { place },
    }))
}
