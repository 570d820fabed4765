//! One store, once: read again and compared with what the plan expects, edited, the result proved, the old kept as a backup,
//! the new put in place in one step and read back.
//!
//! A folder of PEM files has no single step: its files are written one by one, new ones first and removals last, so that at
//! every moment each certificate that stays is there; the journal says what was meant, and the next run goes on from what it
//! finds.

use std::path::{Path, PathBuf};

use trustmason_keystore::{Edits, Fingerprint, Image, Password, Store, Unlock};
use trustmason_plan::change::{Change, Expect, StoreView};
use trustmason_plan::work::edits;
use trustmason_spec::topology::{Place, StoreDef};

use super::place::{self, Trouble};
use super::work::Work;
use super::{StoreOutcome, facts, memory, proof, windows};
use crate::disk::{self, DiskError, Owner};
use crate::journal::{self, Intent, Journal, Memory, Piece, Record};

/// What became of a store, and what the books are to know of it: also after a failure that came too late to undo anything.
pub(super) struct Written {
    pub outcome: StoreOutcome,
    /// What was meant, if it came so far.
    pub intent: Option<Intent>,
    /// The files that have their new content.
    pub pieces: Vec<PathBuf>,
}

impl Written {
    /// What the ledger is to know: all of it or nothing.
    pub(super) fn memory(&self) -> Option<&Memory> {
        self.intent.as_ref().filter(|intent| intent.pieces.len() == self.pieces.len()).map(|intent| &intent.memory)
    }
}

/// Writes one store.
pub(super) fn store(
    work: &Work<'_>,
    journal: &Journal<'_>,
    view: &StoreView,
    placed: Placed<'_>,
    changes: &[&Change],
) -> Written {
    let mut intent = None;
    let outcome = match attempt(work, journal, view, placed, changes, &mut intent) {
        Ok(outcome) => outcome,
        Err(Trouble::Stale(why)) => StoreOutcome::Stale { why },
        Err(Trouble::Failed(error)) => StoreOutcome::Failed { error },
    };
    let pieces = match (&outcome, &intent) {
        (StoreOutcome::Written { .. }, Some(intent)) => intent.pieces.iter().map(|piece| piece.path.clone()).collect(),
        (StoreOutcome::Failed { .. } | StoreOutcome::Stale { .. }, Some(intent)) => {
            journal::stand(intent, &work.run, work.state.system()).0
        }
        _ => Vec::new(),
    };
    Written { outcome, intent, pieces }
}

/// What the ledger knows of a store's entries.
pub(super) type Placed<'a> = Option<&'a std::collections::BTreeMap<String, trustmason_plan::ledger::Placed>>;

/// What stands at the place of a store.
enum Found {
    Nothing,
    File(Vec<u8>),
    Folder(proof::Files),
}

impl Found {
    fn digest(&self) -> Option<Fingerprint> {
        match self {
            Self::Nothing => None,
            Self::File(bytes) => Some(Fingerprint::of(bytes)),
            Self::Folder(files) => Some(disk::folder_digest(files)),
        }
    }
}

fn find(path: &Path) -> Result<Found, DiskError> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => disk::read_folder(path).map(Found::Folder),
        Ok(_) => disk::read(path).map(Found::File),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Found::Nothing),
        Err(cause) => Err(DiskError::new("look at", path, cause)),
    }
}

/// The one comparison that decides whether anything may be written.
fn expected(path: &Path, expect: Expect) -> Result<Found, Trouble> {
    let found = find(path)?;
    match (expect, found.digest()) {
        (Expect::Absent, None) => Ok(found),
        (Expect::Digest(wanted), Some(digest)) if digest == wanted => Ok(found),
        (Expect::Absent, Some(_)) => {
            Err(Trouble::Stale(format!("{} was made since the plan; plan again", path.display())))
        }
        (Expect::Digest(_), Some(_)) => {
            Err(Trouble::Stale(format!("{} has changed since the plan; plan again", path.display())))
        }
        (Expect::Digest(_), None) => {
            Err(Trouble::Stale(format!("{} is gone since the plan; plan again", path.display())))
        }
    }
}

fn attempt(
    work: &Work<'_>,
    journal: &Journal<'_>,
    view: &StoreView,
    placed: Placed<'_>,
    changes: &[&Change],
    meant: &mut Option<Intent>,
) -> Result<StoreOutcome, Trouble> {
    let (Some(path), Some(expect)) = (view.file.as_deref(), view.expect) else {
        return Err(Trouble::Failed(format!("{} may not be written by this plan", view.id)));
    };
    let def = work.store(&view.id)?;
    if def.place == Place::Windows {
        return windows::attempt(work, journal, view, def, placed, changes, meant);
    }
    let password = work.password(def)?;
    let found = expected(path, expect)?;
    let before = found.digest();
    let store = open(work, def, found, password.as_ref())
        .map_err(|error| Trouble::Failed(format!("{} {error}", path.display())))?;
    let (edits, image) = edited(work, &store, changes, password.as_ref())
        .map_err(|error| Trouble::Failed(format!("{} is left as it was: {error}", path.display())))?;
    let (after, pieces) = match &image {
        Image::File(bytes) if bytes == store.bytes() && before.is_some() => return Ok(StoreOutcome::Unchanged),
        Image::File(bytes) => {
            let after = Fingerprint::of(bytes);
            (after, vec![Piece { path: path.to_owned(), before, after: Some(after) }])
        }
        Image::Directory(files) if files.is_empty() => return Ok(StoreOutcome::Unchanged),
        Image::Directory(files) => {
            let after = disk::folder_digest(&proof::resulting(store.files(), files));
            (after, files.iter().map(|(name, new)| piece(path, &store, name, new.as_deref())).collect())
        }
    };
    proof::holds(&store, &edits, &image, password.as_ref(), work.hands.certificates)
        .map_err(|error| Trouble::Failed(format!("{} is left as it was: {error}", path.display())))?;
    let intent = Intent {
        store: view.id.clone(),
        path: path.to_owned(),
        before,
        after: Some(after),
        pieces,
        memory: memory::of(work, &store, changes),
        placed: placed.cloned().unwrap_or_default(),
        facts: facts::of(work, &store, changes),
    };
    let announce = |meant: &mut Option<Intent>| {
        journal.note(&Record::Intent(Box::new(intent.clone()))).map(|()| *meant = Some(intent))
    };
    let copy = work.state.backup(&work.run, &view.id);
    let site = place::Site { disk: work.hands.disk, run: &work.run, journal, store: &view.id };
    match &image {
        Image::File(bytes) => {
            let backup = before.is_some().then_some(copy);
            if let Some(copy) = &backup {
                site.back_up(path, store.bytes(), copy)?;
            }
            announce(meant)?;
            let new = place::New { bytes, owner: owner(path, before.is_some())?, attributes: None };
            site.put(path, before.into(), new, backup.as_deref(), || expected(path, expect).map(|_| ()))?;
            Ok(StoreOutcome::Written { backup })
        }
        Image::Directory(files) => {
            let mut backup = None;
            for (name, bytes) in store.files().iter().filter(|(name, _)| files.iter().any(|(n, _)| n == name)) {
                site.back_up(&path.join(name), bytes, &copy.join(name))?;
                backup = Some(copy.clone());
            }
            announce(meant)?;
            expected(path, expect)?;
            put_files(&site, path, &store, files, backup.as_deref())?;
            if crate::ledger::digest(path) != Some(after) {
                return Err(Trouble::Failed(format!("{} holds other files than were written", path.display())));
            }
            Ok(StoreOutcome::Written { backup })
        }
    }
}

/// One file of a folder.
fn piece(folder: &Path, store: &Store, name: &str, new: Option<&[u8]>) -> Piece {
    let old = store.files().iter().find(|(n, _)| n == name).map(|(_, bytes)| Fingerprint::of(bytes));
    Piece { path: folder.join(name), before: old, after: new.map(Fingerprint::of) }
}

fn open(work: &Work<'_>, def: &StoreDef, found: Found, password: Option<&Password>) -> Result<Store, String> {
    let opened = match found {
        Found::Nothing => return work.blank(def),
        Found::File(bytes) => {
            Store::open(bytes, password.map_or(Unlock::Unverified, Unlock::Password), work.hands.certificates)
        }
        Found::Folder(files) => Store::open_directory(files, work.hands.certificates),
    };
    opened.map_err(|error| format!("does not open: {error}"))
}

fn edited(
    work: &Work<'_>,
    store: &Store,
    changes: &[&Change],
    password: Option<&Password>,
) -> Result<(Edits, Image), String> {
    proof::allowed(store, changes)?;
    let edits = edits(changes.iter().copied(), &work.resolved(), &work.identities, work.created_ms())
        .map_err(|error| error.to_string())?;
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let image = store.edit(&edits, password, &mut random).map_err(|error| error.to_string())?;
    Ok((edits, image))
}

/// The owner and mode the new file gets: the old one's; a new store's are taken from its folder, readable by its group.
fn owner(path: &Path, exists: bool) -> Result<Owner, DiskError> {
    let of = if exists { path } else { path.parent().unwrap_or(path) };
    let metadata = std::fs::metadata(of).map_err(|cause| DiskError::new("look at", of, cause))?;
    let owner = Owner::of(&metadata);
    Ok(if exists { owner } else { Owner { mode: 0o640, ..owner } })
}

fn put_files(
    site: &place::Site<'_, '_>,
    path: &Path,
    store: &Store,
    image: &[(String, Option<Vec<u8>>)],
    backup: Option<&Path>,
) -> Result<(), Trouble> {
    let old = |name: &str| store.files().iter().find(|(n, _)| n == name).map(|(_, bytes)| Fingerprint::of(bytes));
    let mut written: Vec<_> = image.iter().filter_map(|(name, bytes)| Some((name, bytes.as_ref()?))).collect();
    written.sort_by_key(|(name, _)| old(name).is_some());
    for (name, bytes) in written {
        let file = path.join(name);
        let was = old(name);
        let expect = was.map_or(Expect::Absent, Expect::Digest);
        // A new file is as readable as its neighbours must be: the folder's owner, and its mode without the right to search.
        let owner = match was {
            Some(_) => owner(&file, true)?,
            None => Owner { mode: 0o644, ..owner(&file, false)? },
        };
        let new = place::New { bytes, owner, attributes: None };
        site.put(&file, was.into(), new, backup, || expected(&file, expect).map(|_| ()))?;
    }
    for (name, _) in image.iter().filter(|(_, bytes)| bytes.is_none()) {
        if let Some(was) = old(name) {
            site.take_away(&path.join(name), was)?;
        }
    }
    Ok(())
}
