//! Takes a run back: every store it wrote gets the bytes, mode, owner and attributes it had, in the reverse order, and the
//! ledger knows what it knew. All or nothing is decided before anything is done: each file must still be what the run made it,
//! or be again what it was, and each backup must be whole.
//!
//! A rollback is itself a run: it keeps books, makes backups of what it displaces, changes files in the same single step, and
//! what is cut off can be begun again: what is restored already is left as it is.

mod outlook;

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;
use trustmason_keystore::{Fingerprint, Interner, Store, Unlock};
use trustmason_plan::change::Action;
use trustmason_plan::ledger::Predecessor;
use trustmason_plan::target::HandOffTarget;
use trustmason_spec::name::{IdentityId, ServiceId, StoreId};
use trustmason_spec::topology::Topology;

use crate::audit::Author;
use crate::books::{Beginning, Books, Counts};
use crate::disk::{self, Disk};
use crate::journal::{Fact, Intent, Kind, Memory, Piece, Record};
use crate::ledger::{self, Loaded};
use crate::live;
use crate::lock::Lock;
use crate::run::StoreOutcome;
use crate::run::place::{New, Site, Trouble};
use crate::run::tidy::tidy;
use crate::run::windows;
use crate::staging;
use outlook::{Arrived, Backup, Restore};
pub use outlook::{Fault, Outlook, RollbackError, outlook};

/// What is to be taken back.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The run; by default the newest one that wrote something and was not taken back.
    pub run: Option<&'a str>,
    /// The estate.
    pub topology: &'a Topology,
    /// Its ledger.
    pub ledger: &'a Loaded,
    /// The time.
    pub now: Timestamp,
    /// Who begins it.
    pub author: Author<'a>,
}

/// What came of a rollback.
#[derive(Clone, Debug, Default)]
pub struct Undone {
    /// Its own id.
    pub run: String,
    /// The run it took back.
    pub undoes: String,
    /// What became of each store; `Unchanged` where it was again what it had been.
    pub stores: BTreeMap<StoreId, StoreOutcome>,
    /// Identities whose staged new key was removed.
    pub unstaged: Vec<IdentityId>,
    /// Identities whose new key waits in staging again: an earlier run had made it.
    pub restaged: Vec<IdentityId>,
    /// Services that must be restarted, since their stores changed again.
    pub restarts: Vec<ServiceId>,
    /// Hand-offs whose packs ask for what was taken back; the next run writes them anew.
    pub packs: Vec<HandOffTarget>,
    /// Trouble with the books, which stopped no store.
    pub troubles: Vec<String>,
}

impl Undone {
    /// Whether all of it was taken back.
    pub fn is_complete(&self) -> bool {
        let stores = self.stores.values().all(|s| matches!(s, StoreOutcome::Written { .. } | StoreOutcome::Unchanged));
        stores && self.troubles.is_empty()
    }
}

/// Takes a run back. The lock must be the estate's.
///
/// # Errors
/// [`RollbackError`]: nothing was done. What goes wrong later is in [`Undone`], store by store, and may be tried again.
pub fn rollback(request: Request<'_>, disk: &Disk, lock: &mut Lock) -> Result<Undone, RollbackError> {
    let Request { topology, ledger: loaded, now, author, .. } = request;
    let begun = Instant::now();
    let outlook = outlook(lock.state(), loaded, request.run)?;
    let beginning =
        Beginning { digest: outlook.plan, topology, loaded, now, author, undoes: Some(outlook.run.as_str()) };
    let mut books = Books::open(disk, lock, beginning)?;
    let mut undone = Undone {
        run: books.run.clone(),
        undoes: outlook.run.clone(),
        packs: outlook.packs.clone(),
        ..Undone::default()
    };
    clear(&mut books, &outlook);
    for restore in &outlook.restores {
        let outcome = store(&mut books, &outlook.run, restore);
        undone.restarts.extend(restore.intent.memory.restarts.iter().cloned());
        undone.stores.insert(restore.intent.store.clone(), outcome);
    }
    undone.restarts.sort();
    undone.restarts.dedup();
    if undone.is_complete() {
        unstage(&mut books, &outlook, &mut undone);
        restage(&mut books, &outlook, &mut undone);
        if let Some(record) = books.ledger.runs.iter_mut().find(|record| record.id == outlook.run) {
            record.undone_by = Some(undone.run.clone());
        }
    }
    let count = |is: fn(&StoreOutcome) -> bool| {
        u32::try_from(undone.stores.values().filter(|outcome| is(outcome)).count()).unwrap_or(u32::MAX)
    };
    let counts = Counts {
        written: count(|o| matches!(o, StoreOutcome::Written { .. })),
        failed: count(|o| matches!(o, StoreOutcome::Failed { .. } | StoreOutcome::Stale { .. })),
        skipped: 0,
    };
    books.close(now.checked_add(begun.elapsed()).unwrap_or(now), counts, &topology.policy);
    undone.troubles.append(&mut books.troubles);
    if let Err(error) = lock.unsign(disk) {
        // The next run takes it back.
        tracing::debug!("{error}");
    }
    Ok(undone)
}

/// Clears away what a run that was cut off left beside the stores it wrote.
fn clear(books: &mut Books<'_>, outlook: &Outlook) {
    let mut folders = outlook.folders.clone();
    folders.insert(books.state.root().to_owned());
    folders.extend(outlook.staged.iter().map(|(identity, _)| books.state.staging_of(&identity.host)));
    for folder in folders {
        books.trouble(|books| tidy(books.disk, &books.state, &books.run, &folder));
    }
}

/// Restores one store and takes it into the ledger.
fn store(books: &mut Books<'_>, undoes: &str, restore: &Restore) -> StoreOutcome {
    let id = &restore.intent.store;
    // Until it is restarted a service may go on presenting what is taken back, and its trusters keep that.
    let back = |old: Fingerprint, was: &Predecessor| Predecessor {
        identity: was.identity.clone(),
        replaced_by: old,
        run: books.run.clone(),
        at: books.now,
        staged: true,
    };
    let memory = Memory {
        predecessors: restore
            .intent
            .memory
            .predecessors
            .iter()
            .map(|(old, was)| (was.replaced_by, back(*old, was)))
            .collect(),
        restarts: restore.intent.memory.restarts.clone(),
        restored: Some(restore.intent.placed.clone()),
        forgotten: restore.intent.memory.predecessors.keys().copied().collect(),
        ..Memory::default()
    };
    let (outcome, pieces) = if restore.pieces.is_empty() {
        (StoreOutcome::Unchanged, Vec::new())
    } else {
        let intent = inverse(books, undoes, restore, memory.clone());
        let outcome = match put_back(books, restore, &intent) {
            Ok(backup) => StoreOutcome::Written { backup },
            Err(Trouble::Stale(why)) => StoreOutcome::Stale { why },
            Err(Trouble::Failed(error)) => StoreOutcome::Failed { error },
        };
        let pieces = match outcome {
            StoreOutcome::Written { .. } => Vec::new(),
            _ => crate::journal::stand(&intent, &books.run, books.state.system()).0,
        };
        (outcome, pieces)
    };
    let (word, error) = match &outcome {
        StoreOutcome::Written { .. } => ("written", None),
        StoreOutcome::Unchanged => ("unchanged", None),
        StoreOutcome::Stale { why: error } => ("stale", Some(error.clone())),
        StoreOutcome::Failed { error } | StoreOutcome::Skipped { why: error } => ("failed", Some(error.clone())),
    };
    let record = Record::Outcome { store: id.clone(), outcome: word.to_owned(), error, pieces: pieces.clone() };
    books.trouble(|books| books.journal.note(&record));
    if matches!(outcome, StoreOutcome::Written { .. } | StoreOutcome::Unchanged) || pieces.len() == restore.pieces.len()
    {
        ledger::remember(&mut books.ledger, id, &memory, &books.run, books.now);
    }
    let mut beside = restore.pieces.iter().flat_map(|(piece, _)| disk::temporaries(&piece.path, &books.run));
    books.open |= beside.any(|path| path.exists());
    outcome
}

/// What is meant with a store: the contrary of what was.
fn inverse(books: &Books<'_>, undoes: &str, restore: &Restore, memory: Memory) -> Intent {
    let was = &restore.intent;
    let pieces = restore.pieces.iter().map(|(piece, _)| Piece {
        path: piece.path.clone(),
        before: piece.after,
        after: piece.before,
    });
    Intent {
        store: was.store.clone(),
        path: was.path.clone(),
        // Each of its files is what the run made it: so is their digest.
        before: if restore.pieces.len() == was.pieces.len() { was.after } else { ledger::digest(&was.path) },
        after: was.before,
        pieces: pieces.collect(),
        memory,
        placed: books.ledger.placed.get(&was.store).cloned().unwrap_or_default(),
        facts: restore.facts.iter().rev().map(|fact| contrary(fact, undoes)).collect(),
    }
}

fn contrary(fact: &Fact, undoes: &str) -> Fact {
    let Fact { change, action, alias, to, kind, before, after, rule, reason: _ } = fact.clone();
    let action = match (kind, action, before) {
        (_, Action::Import, _) | (Kind::PrivateKey, _, None) => Action::Delete,
        (_, Action::Delete, _) => Action::Import,
        (_, Action::Rename, _) => Action::Rename,
        (_, Action::Replace | Action::Regenerate | Action::Install, _) => Action::Replace,
    };
    let reason = format!("run {undoes} is taken back");
    let (alias, to) = match to {
        Some(to) => (Some(to), alias),
        None => (alias, None),
    };
    Fact { change, action, alias, to, kind, before: after, after: before, rule, reason }
}

/// Keeps what stands there now, announces, and puts every file back: those that were there before first, so that whatever
/// stays is there at every moment.
fn put_back(books: &Books<'_>, restore: &Restore, intent: &Intent) -> Result<Option<std::path::PathBuf>, Trouble> {
    let site = Site { disk: books.disk, run: &books.run, journal: &books.journal, store: &intent.store };
    let folder = books.state.backup(&books.run, &intent.store);
    let mut kept = None;
    for (index, (piece, _)) in restore.pieces.iter().enumerate() {
        let Some(after) = piece.after else { continue };
        if let Some((at, store)) = live::read_path(&piece.path) {
            let part = live::part(books.state.system(), &at, store, &Interner::new()).map_err(|error| error.0)?;
            if live::digest_of(&part) != after {
                let why = format!("{} has changed at this moment; look at it first", piece.path.display());
                return Err(Trouble::Stale(why));
            }
            windows::back_up(books.disk, &books.journal, &intent.store, &piece.path, &part, &folder)?;
            kept = Some(folder.clone());
            continue;
        }
        let bytes = disk::read(&piece.path)?;
        if Fingerprint::of(&bytes) != after {
            return Err(Trouble::Stale(format!(
                "{} has changed at this moment; look at it first",
                piece.path.display()
            )));
        }
        let copy = match piece.path.file_name() {
            Some(name) if piece.path.parent() == Some(&intent.path) => folder.join(name),
            // The files of a pair lie in several folders and may have one name.
            Some(name) if intent.pieces.len() > 1 => folder.join(format!("{index}-{}", name.to_string_lossy())),
            _ => folder.clone(),
        };
        site.back_up(&piece.path, &bytes, &copy)?;
        kept = Some(folder.clone());
    }
    books.journal.note(&Record::Intent(Box::new(intent.clone())))?;
    let (old, new): (Vec<_>, Vec<_>) = restore.pieces.iter().partition(|(piece, _)| piece.before.is_some());
    for (piece, backup) in old.into_iter().chain(new) {
        match (backup, piece.after) {
            (Some(backup), after) => {
                let Backup { copy, owner, attributes } = backup;
                let bytes = disk::read(copy)?;
                if live::read_path(&piece.path).is_some() {
                    let store = Store::open(bytes, Unlock::Unverified, &Interner::new());
                    let store = store.map_err(|error| format!("{} does not open: {error}", copy.display()))?;
                    if store.listing_digest() != piece.before {
                        return Err(Trouble::Failed(format!("{} has changed at this moment", copy.display())));
                    }
                    windows::put_back(books.state.system(), books.disk, &intent.store, piece, store)?;
                    continue;
                }
                if Some(Fingerprint::of(&bytes)) != piece.before {
                    return Err(Trouble::Failed(format!("{} has changed at this moment", copy.display())));
                }
                let new = New { bytes: &bytes, owner: *owner, attributes: Some(attributes) };
                site.put(&piece.path, after.into(), new, kept.as_deref(), || Ok(()))?;
            }
            (None, Some(after)) => site.take_away(&piece.path, after)?,
            (None, None) => {}
        }
    }
    Ok(kept)
}

/// Removes keys the run made that still wait: nobody is to hear of their certificates any more.
fn unstage(books: &mut Books<'_>, outlook: &Outlook, undone: &mut Undone) {
    for (identity, sha256) in &outlook.staged {
        let Some(path) = staging::find(&books.state, identity) else { continue };
        let waits = staging::look(&path, None, &Interner::new());
        if waits.is_some_and(|look| look.certificate.fingerprint() == *sha256) {
            books.trouble(|books| {
                books.disk.remove(&path)?;
                books.disk.remove_empty_dir(&books.state.staging_of(&identity.host))
            });
            undone.unstaged.push(identity.clone());
        }
    }
}

/// Lets keys wait again that an earlier run made and this one brought to their stores: trusters know them already.
fn restage(books: &mut Books<'_>, outlook: &Outlook, undone: &mut Undone) {
    for Arrived { identity, path, copy, sha256 } in &outlook.arrived {
        if staging::find(&books.state, identity).is_some() {
            continue;
        }
        match disk::read(copy) {
            Ok(bytes) if Fingerprint::of(&bytes) == *sha256 => {
                books.trouble(|books| {
                    books.disk.make_dir(&books.state.staging_of(&identity.host))?;
                    books.disk.keep(path, &bytes, &books.run).map(|_| ())
                });
                undone.restaged.push(identity.clone());
            }
            Ok(_) => books
                .troubles
                .push(format!("the copy {} of a staged key was altered; a new one is made", copy.display())),
            Err(error) => books.troubles.push(error.to_string()),
        }
    }
}
