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
use trustmason_spec::topology::StoreDef;

use super::work::Work;
use super::{StoreOutcome, memory, proof};
use crate::disk::{self, DiskError, Owner, ReplaceError, Replacement};
use crate::journal::{Intent, Journal, Memory, Record};

/// Why a store was not written as planned.
pub(super) enum Trouble {
    /// It is not what the plan expects.
    Stale(String),
    /// Anything else.
    Failed(String),
}

impl From<DiskError> for Trouble {
    fn from(error: DiskError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<String> for Trouble {
    fn from(error: String) -> Self {
        Self::Failed(error)
    }
}

/// What became of a store, and what the ledger is to know of it: also after a failure that came too late to undo anything.
pub(super) struct Written {
    pub outcome: StoreOutcome,
    pub memory: Option<Memory>,
}

/// Writes one store.
pub(super) fn store(work: &Work<'_>, journal: &mut Journal<'_>, view: &StoreView, changes: &[&Change]) -> Written {
    let mut meant = None;
    let outcome = match attempt(work, journal, view, changes, &mut meant) {
        Ok(outcome) => outcome,
        Err(Trouble::Stale(why)) => StoreOutcome::Stale { why },
        Err(Trouble::Failed(error)) => StoreOutcome::Failed { error },
    };
    let stands = |intent: &Intent| crate::ledger::digest(&intent.path) == Some(intent.after);
    let memory = match outcome {
        StoreOutcome::Written { .. } => meant.map(|intent| intent.memory),
        StoreOutcome::Failed { .. } => meant.filter(stands).map(|intent| intent.memory),
        StoreOutcome::Unchanged | StoreOutcome::Stale { .. } | StoreOutcome::Skipped { .. } => None,
    };
    Written { outcome, memory }
}

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
    journal: &mut Journal<'_>,
    view: &StoreView,
    changes: &[&Change],
    meant: &mut Option<Intent>,
) -> Result<StoreOutcome, Trouble> {
    let (Some(path), Some(expect)) = (view.file.as_deref(), view.expect) else {
        return Err(Trouble::Failed(format!("{} may not be written by this plan", view.id)));
    };
    let def = work.store(&view.id)?;
    let password = work.password(def)?;
    let found = expected(path, expect)?;
    let before = found.digest();
    let store = open(work, def, found, password.as_ref())
        .map_err(|error| Trouble::Failed(format!("{} {error}", path.display())))?;
    let (edits, image) = edited(work, &store, changes, password.as_ref())
        .map_err(|error| Trouble::Failed(format!("{} is left as it was: {error}", path.display())))?;
    let after = match &image {
        Image::File(bytes) if bytes == store.bytes() && before.is_some() => return Ok(StoreOutcome::Unchanged),
        Image::File(bytes) => Fingerprint::of(bytes),
        Image::Directory(files) if files.is_empty() => return Ok(StoreOutcome::Unchanged),
        Image::Directory(files) => disk::folder_digest(&proof::resulting(store.files(), files)),
    };
    proof::holds(&store, &edits, &image, password.as_ref(), work.hands.certificates)
        .map_err(|error| Trouble::Failed(format!("{} is left as it was: {error}", path.display())))?;
    let intent = Intent {
        store: view.id.clone(),
        path: path.to_owned(),
        before,
        after,
        memory: memory::of(work, &store, changes),
    };
    let backup = match &image {
        Image::File(bytes) => {
            let backup = back_up(work, journal, view, path, before.is_some().then(|| store.bytes()), None)?;
            journal.note(&Record::Intent(intent.clone()))?;
            *meant = Some(intent);
            let owner = owner(path, before.is_some())?;
            put(work, path, bytes, owner, backup.as_deref(), || expected(path, expect).map(|_| ()))?;
            backup
        }
        Image::Directory(files) => {
            let backup = back_up_files(work, journal, view, path, &store, files)?;
            journal.note(&Record::Intent(intent.clone()))?;
            *meant = Some(intent);
            expected(path, expect)?;
            put_files(work, path, &store, files, backup.as_deref())?;
            if crate::ledger::digest(path) != Some(after) {
                return Err(Trouble::Failed(format!("{} holds other files than were written", path.display())));
            }
            backup
        }
    };
    Ok(StoreOutcome::Written { backup })
}

fn open(work: &Work<'_>, def: &StoreDef, found: Found, password: Option<&Password>) -> Result<Store, String> {
    let opened = match found {
        Found::Nothing => return work.format(def).map(Store::create),
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

/// Puts one file in place, and says after a failure what stands there now.
fn put(
    work: &Work<'_>,
    path: &Path,
    bytes: &[u8],
    owner: Owner,
    backup: Option<&Path>,
    check: impl FnOnce() -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let new = Replacement { target: path, bytes, owner, run: &work.run };
    match work.hands.disk.replace(new, check) {
        Ok(()) => Ok(()),
        Err(ReplaceError::Before(trouble)) => Err(trouble),
        Err(ReplaceError::After(Trouble::Failed(error) | Trouble::Stale(error))) => {
            let backup = backup.map(|b| format!("; the old content is in {}", b.display())).unwrap_or_default();
            Err(Trouble::Failed(format!("{error}, though it has the new content by now{backup}")))
        }
    }
}

/// Keeps a copy of what is about to be replaced, with its mode and owner, and reads the copy back.
fn back_up(
    work: &Work<'_>,
    journal: &mut Journal<'_>,
    view: &StoreView,
    path: &Path,
    bytes: Option<&[u8]>,
    into: Option<PathBuf>,
) -> Result<Option<PathBuf>, Trouble> {
    let Some(bytes) = bytes else { return Ok(None) };
    let copy = into.unwrap_or_else(|| work.state.backup(&work.run, &view.id));
    let owner = owner(path, true)?;
    if let Some(folder) = copy.parent() {
        work.hands.disk.make_dir(folder)?;
    }
    let disk = work.hands.disk;
    let kept = disk.place(&copy, bytes, owner).or_else(|error| match error.kind() {
        // Only the superuser may give files away; the journal remembers the owner then.
        std::io::ErrorKind::PermissionDenied => disk.place(&copy, bytes, Owner::ours(owner.mode)),
        _ => Err(error),
    });
    kept.map_err(|error| Trouble::Failed(format!("no backup of {} could be made: {error}", path.display())))?;
    journal.note(&Record::Backup {
        store: view.id.clone(),
        path: copy.clone(),
        of: path.to_owned(),
        owner,
        sha256: Fingerprint::of(bytes),
    })?;
    Ok(Some(copy))
}

/// Of a folder, the files that are replaced or removed.
fn back_up_files(
    work: &Work<'_>,
    journal: &mut Journal<'_>,
    view: &StoreView,
    path: &Path,
    store: &Store,
    image: &[(String, Option<Vec<u8>>)],
) -> Result<Option<PathBuf>, Trouble> {
    let folder = work.state.backup(&work.run, &view.id);
    let mut any = None;
    for (name, bytes) in store.files().iter().filter(|(name, _)| image.iter().any(|(touched, _)| touched == name)) {
        let copy = Some(folder.join(name));
        if back_up(work, journal, view, &path.join(name), Some(bytes), copy)?.is_some() {
            any = Some(folder.clone());
        }
    }
    Ok(any)
}

fn put_files(
    work: &Work<'_>,
    path: &Path,
    store: &Store,
    image: &[(String, Option<Vec<u8>>)],
    backup: Option<&Path>,
) -> Result<(), Trouble> {
    let old = |name: &str| store.files().iter().find(|(n, _)| n == name).map(|(_, bytes)| bytes);
    let mut written: Vec<_> = image.iter().filter_map(|(name, bytes)| Some((name, bytes.as_ref()?))).collect();
    written.sort_by_key(|(name, _)| old(name).is_some());
    for (name, bytes) in written {
        let file = path.join(name);
        let was = old(name);
        let expect = was.map_or(Expect::Absent, |bytes| Expect::Digest(Fingerprint::of(bytes)));
        // A new file is as readable as its neighbours must be: the folder's owner, and its mode without the right to search.
        let owner = match was {
            Some(_) => owner(&file, true)?,
            None => Owner { mode: 0o644, ..owner(&file, false)? },
        };
        put(work, &file, bytes, owner, backup, || expected(&file, expect).map(|_| ()))?;
    }
    for (name, _) in image.iter().filter(|(_, bytes)| bytes.is_none()) {
        work.hands.disk.remove(&path.join(name))?;
    }
    Ok(())
}

/// Clears away what an interrupted run of this estate left in a folder. The lock is ours, so nobody is using it. Beside a
/// store only what a run of this very state folder left is ours.
pub(super) fn tidy(work: &Work<'_>, folder: &Path) -> Result<(), DiskError> {
    let inside = folder.starts_with(work.state.root());
    // Where nothing can be listed nothing can be written either, and that is said there.
    let Ok(listing) = std::fs::read_dir(folder) else { return Ok(()) };
    for path in listing.filter_map(|item| Some(item.ok()?.path())) {
        let ours = |run: &str| run != work.run && (inside || work.state.run(run).is_dir());
        if disk::left_by(&path).is_some_and(ours) {
            work.hands.disk.remove(&path)?;
        }
    }
    Ok(())
}
