//! Takes a run back. Every store that the run wrote gets its old bytes, in the reverse order, and the ledger its old
//! records. A file that the run removed also gets its old mode, owner and attributes. Before anything is done
//! it is checked that all of it can be done, or nothing is: each file must still be what the run made it, or again be
//! what it was before; each backup must be intact; and no service may lose trust by it (see `plan::undo`).
//!
//! The state folder is trusted only within limits. A file is written or removed only if the spec declares it as part of
//! that store, only from a copy below the run's own `backup` folder, and without mode bits that no store needs.
//!
//! A rollback is itself a run. It keeps a record, makes backups of what it replaces, and changes files in the same
//! single step. If it is cut off it can be repeated: what is already restored is left as it is.

mod breaks;
mod copies;
mod outlook;
mod restore;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;
use trustmason_keystore::{Credential, Digest, Fingerprint, Interner, Store};
use trustmason_plan::change::Action;
use trustmason_plan::memory::LedgerEffect;
use trustmason_plan::observed::{Observed, StagedLook, StoreLook};
use trustmason_plan::run_id::RunId;
use trustmason_plan::target::HandOffTarget;
use trustmason_plan::undo::{self, Presented};
use trustmason_spec::name::{IdentityId, ServiceId, StoreId};
use trustmason_spec::topology::Topology;

use crate::disk::{self, Disk, ReadLimit};
use crate::live;
use crate::record::audit::Author;
use crate::record::journal::{self, ChangedEntryKind, Fact, Intent, Piece, PieceOutcome, Replayed};
use crate::record::ledger::Loaded;
use crate::record::run_record::{Counts, RunRecorder, RunStart};
use crate::record::sites::{PieceHere, Sites};
use crate::run::leftovers::remove_leftovers;
use crate::run::writer::{self, NewContent, StoreWriter};
use crate::run::{StaleError, StoreOutcome, StoreWriteError, StoreWriteFailure, outcome_line, windows};
use crate::secret::Secrets;
use crate::state::State;
use crate::state::lock::Lock;
use crate::state::staging;
pub use outlook::{Outlook, RollbackError, RollbackObstacle, outlook};
use restore::{Arrived, Backup, Restore, RestoredPart};

/// The facts that a rollback is judged by.
#[derive(Clone, Copy, Debug)]
pub struct RollbackContext<'a> {
    /// The estate's state folder.
    pub state: &'a State,
    /// The estate.
    pub topology: &'a Topology,
    /// The estate's ledger.
    pub ledger: &'a Loaded,
    /// The facts of the estate at this moment.
    pub observed: &'a Observed,
    /// The passwords of this run.
    pub secrets: &'a Secrets,
    /// The certificates of this run.
    pub certificates: &'a Interner,
    /// The time.
    pub now: Timestamp,
}

impl<'a> RollbackContext<'a> {
    fn sites(self) -> Sites<'a> {
        Sites::of(self.topology, self.state)
    }
}

/// The request for a rollback.
#[derive(Clone, Copy, Debug)]
pub struct RollbackRequest<'a> {
    /// The run; by default the newest one that wrote something and was not taken back.
    pub run: Option<&'a RunId>,
    /// The facts that the rollback is judged by.
    pub context: RollbackContext<'a>,
    /// The author of the rollback.
    pub author: Author<'a>,
}

/// The outcome of a rollback.
#[derive(Clone, Debug, Default)]
pub struct RollbackOutcome {
    /// The rollback's own id.
    pub run: Option<RunId>,
    /// The run that it took back.
    pub undoes: Option<RunId>,
    /// How many stores were to be restored.
    pub wanted: usize,
    /// The outcome for each store; `Unchanged` if the store already was as before the run.
    pub stores: BTreeMap<StoreId, StoreOutcome>,
    /// Identities whose staged new key was removed.
    pub unstaged: Vec<IdentityId>,
    /// Identities whose staged new key stays, because a store of the estate holds its certificate.
    pub kept: Vec<IdentityId>,
    /// Identities whose new key is in staging again, because an earlier run had made it.
    pub restaged: Vec<IdentityId>,
    /// Services that must be restarted, because their stores changed again.
    pub restarts: Vec<ServiceId>,
    /// Hand-offs whose packs ask for what was taken back. The next run writes new packs.
    pub packs: Vec<HandOffTarget>,
    /// Failures of the run's record, which stopped no store.
    pub troubles: Vec<String>,
    /// Old backups that could not be removed. Nothing is missing because of them.
    pub warnings: Vec<String>,
}

impl RollbackOutcome {
    /// Whether every store is as before the run. The run then counts as taken back, whatever else failed.
    pub fn is_restored(&self) -> bool {
        let stores = self.stores.values().all(StoreOutcome::is_done);
        stores && self.stores.len() == self.wanted
    }

    /// Whether everything was taken back, without a failure.
    pub fn is_complete(&self) -> bool {
        self.is_restored() && self.troubles.is_empty()
    }
}

/// Takes a run back. The lock must be the estate's.
///
/// # Errors
/// [`RollbackError`]: nothing was done. Later failures are in [`RollbackOutcome`], store by store, and the rollback may be
/// repeated.
pub fn rollback(request: RollbackRequest<'_>, disk: &Disk, lock: &mut Lock) -> Result<RollbackOutcome, RollbackError> {
    let RollbackContext { topology, ledger: loaded, now, .. } = request.context;
    let begun = Instant::now();
    let outlook = outlook(request.context, request.run)?;
    let beginning = RunStart {
        digest: outlook.plan,
        topology,
        loaded,
        now,
        author: request.author,
        undoes: Some(&outlook.run),
        hosts: &[],
        side: None,
    };
    let mut recorder = RunRecorder::open(disk, lock, beginning)?;
    let mut undone = RollbackOutcome {
        run: Some(recorder.run.clone()),
        undoes: Some(outlook.run.clone()),
        wanted: outlook.restores.len(),
        packs: outlook.packs.clone(),
        ..RollbackOutcome::default()
    };
    clear(&mut recorder, &outlook);
    let presented = undo::presented(topology, request.context.observed);
    for restore in &outlook.restores {
        let outcome = match recorder.guard(lock).holds() {
            Ok(()) => store(&mut recorder, &presented, &outlook.run, restore),
            Err(error) => StoreOutcome::failed(error.into()),
        };
        undone.restarts.extend(restore.intent.memory.restarts.iter().cloned());
        undone.stores.insert(restore.intent.store.clone(), outcome);
    }
    undone.restarts.sort();
    undone.restarts.dedup();
    if undone.is_restored() {
        unstage(&mut recorder, request.context, &outlook, &mut undone);
        restage(&mut recorder, &outlook, &mut undone);
        let by = recorder.run.clone();
        if let Some(record) = recorder.ledger.run_mut(&outlook.run) {
            record.undone_by = Some(by);
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
    recorder.close(lock, now.checked_add(begun.elapsed()).unwrap_or(now), counts, &topology.policy);
    undone.troubles.append(&mut recorder.troubles);
    undone.warnings.append(&mut recorder.warnings);
    if let Err(error) = lock.unsign(disk) {
        // The next run removes the signature.
        tracing::debug!("{error}");
    }
    Ok(undone)
}

/// For each store, the certificates that the identities which the store should trust present.
type PresentedTo = BTreeMap<StoreId, BTreeMap<IdentityId, Presented>>;

/// Removes what a run that was cut off left beside the stores that it wrote.
fn clear(recorder: &mut RunRecorder<'_>, outlook: &Outlook) {
    let mut folders = outlook::folders(outlook, recorder.sites());
    folders.insert(recorder.state.root().to_owned());
    folders.extend(outlook.staged.iter().map(|(identity, _)| recorder.state.staging_of(&identity.host)));
    for folder in folders {
        recorder.trouble(|recorder| {
            remove_leftovers(recorder.disk, &recorder.state, recorder.sites(), &recorder.run, &folder)
        });
    }
}

/// Restores one store and enters it into the ledger.
fn store(recorder: &mut RunRecorder<'_>, presented: &PresentedTo, undoes: &RunId, restore: &Restore) -> StoreOutcome {
    let id = &restore.intent.store;
    let memory = restore.intent.memory.taken_back(&restore.intent.placed, &recorder.run, recorder.now);
    if restore.parts.is_empty() {
        let outcome = StoreOutcome::Unchanged;
        recorder.trouble(|recorder| recorder.journal.note(&outcome_line(id, &outcome, None)));
        recorder.ledger.remember(id, &memory, &recorder.run, recorder.now);
        return outcome;
    }
    let intent = inverse(recorder, presented, undoes, restore, memory);
    let outcome = match put_back(recorder, restore, &intent) {
        Ok(backup) => StoreOutcome::Written { backup },
        Err(trouble) => trouble.into(),
    };
    let outcomes = match outcome {
        StoreOutcome::Written { .. } => intent.pieces.iter().map(|_| PieceOutcome::Written).collect(),
        _ => journal::piece_outcomes(&intent, &recorder.run, recorder.sites()),
    };
    let replayed = Replayed { intent, outcomes };
    recorder.trouble(|recorder| recorder.journal.note(&outcome_line(id, &outcome, Some(&replayed))));
    recorder.take(&replayed);
    outcome
}

/// The intent for a store: the reverse of the run's intent.
fn inverse(
    recorder: &RunRecorder<'_>,
    presented: &PresentedTo,
    undoes: &RunId,
    restore: &Restore,
    memory: LedgerEffect,
) -> Intent {
    let was = &restore.intent;
    let pieces = restore.parts.iter().map(|RestoredPart { piece, .. }| Piece {
        at: piece.at.clone(),
        before: piece.after,
        after: piece.before,
    });
    Intent {
        store: was.store.clone(),
        // If every part is as the run left it, so is the digest of the whole.
        before: was.after.filter(|_| restore.parts.len() == was.pieces.len()),
        after: was.before,
        pieces: pieces.collect(),
        memory,
        placed: recorder.ledger.placed.get(&was.store).cloned().unwrap_or_default(),
        presented: presented.get(&was.store).cloned().unwrap_or_default(),
        facts: restore.facts.iter().rev().map(|fact| contrary(fact, undoes)).collect(),
    }
}

fn contrary(fact: &Fact, undoes: &RunId) -> Fact {
    let Fact { change, action, alias, to, kind, before, after, rule, reason: _ } = fact.clone();
    let action = match (kind, action, before) {
        (_, Action::Import, _) | (ChangedEntryKind::PrivateKey, _, None) => Action::Delete,
        (_, Action::Delete, _) => Action::Import,
        (_, Action::Rename, _) => Action::Rename,
        (_, Action::Replace | Action::Regenerate | Action::Install, _) => Action::Replace,
    };
    let reason = format!("run {undoes} is rolled back");
    let (alias, to) = match to {
        Some(to) => (Some(to), alias),
        None => (alias, None),
    };
    Fact { change, action, alias, to, kind, before: after, after: before, rule, reason }
}

/// Copies the present files, announces the change, and puts every file back. Files that existed before the run come
/// first, so that at every moment each certificate that stays is there.
fn put_back(
    recorder: &RunRecorder<'_>,
    restore: &Restore,
    intent: &Intent,
) -> Result<Option<PathBuf>, StoreWriteFailure> {
    let writer =
        StoreWriter { disk: recorder.disk, run: &recorder.run, journal: &recorder.journal, store: &intent.store };
    let folder = recorder.state.backup(&recorder.run, &intent.store);
    let mut kept = None;
    for (index, RestoredPart { piece, place, .. }) in restore.parts.iter().enumerate() {
        let Some(after) = piece.after else { continue };
        let changed = || StoreWriteFailure::Stale(StaleError::ChangedInRollback { place: piece.at.path() });
        match place {
            PieceHere::System(at, store) => {
                let part = live::part(recorder.state.system(), at, *store, &Interner::new())?;
                if live::digest_of(&part) != after {
                    return Err(changed());
                }
                windows::back_up(recorder.disk, &recorder.journal, &intent.store, (at, *store), &part, &folder)?;
            }
            PieceHere::File(path) => {
                let bytes = disk::read(path, ReadLimit::Store)?;
                if Digest::of(&bytes) != after {
                    return Err(changed());
                }
                // The files of a pair are in several folders and may have the same name.
                let copy = match path.file_name() {
                    Some(name) if restore.intent.pieces.len() > 1 => {
                        folder.join(format!("{index}-{}", name.to_string_lossy()))
                    }
                    _ => folder.clone(),
                };
                writer.back_up(path, &piece.at, &bytes, &copy)?;
            }
        }
        kept = Some(folder.clone());
    }
    recorder.journal.note(&journal::Record::Intent(Box::new(intent.clone())))?;
    let (old, new): (Vec<_>, Vec<_>) = restore.parts.iter().partition(|part| part.piece.before.is_some());
    for RestoredPart { piece, place, backup } in old.into_iter().chain(new) {
        match (place, backup, piece.after) {
            (PieceHere::File(path), Some(backup), after) => {
                let Backup { copy, owner, attributes } = backup;
                let bytes = disk::read(copy, ReadLimit::Store)?;
                if Some(Digest::of(&bytes)) != piece.before {
                    return Err(StoreWriteError::BackupChanged { path: copy.clone() }.into());
                }
                // An existing file keeps its owner, mode and attributes. Those in the journal are used only for a file
                // that is gone.
                let new = match after {
                    Some(_) => NewContent { bytes: &bytes, owner: writer::owner(path, true)?, attributes: None },
                    None => NewContent { bytes: &bytes, owner: *owner, attributes: Some(attributes) },
                };
                writer.put(path, after.into(), new, kept.as_deref(), || Ok(()))?;
            }
            (PieceHere::File(path), None, Some(after)) => writer.take_away(path, after)?,
            (PieceHere::System(at, store), Some(Backup { copy, .. }), _) => {
                let backup = Store::open(disk::read(copy, ReadLimit::Store)?, Credential::Withheld, &Interner::new());
                let backup = backup.map_err(|cause| StoreWriteError::Unopened { path: copy.clone(), cause })?;
                if backup.listing_digest() != piece.before {
                    return Err(StoreWriteError::BackupChanged { path: copy.clone() }.into());
                }
                windows::put_back(recorder.sites(), recorder.disk, &intent.store, piece, (at, *store), &backup)?;
            }
            (_, None, _) => {}
        }
    }
    Ok(kept)
}

/// Removes keys that the run made and that are still in staging, so that no store learns their certificates any more.
fn unstage(
    recorder: &mut RunRecorder<'_>,
    context: RollbackContext<'_>,
    outlook: &Outlook,
    undone: &mut RollbackOutcome,
) {
    let restored: BTreeSet<&StoreId> = outlook.restores.iter().map(|restore| &restore.intent.store).collect();
    let others = context.observed.stores.iter().filter(|(id, _)| !restored.contains(id));
    let known: BTreeSet<Fingerprint> = others
        .filter_map(|(_, look)| match look {
            StoreLook::Readable(facts) => Some(&facts.entries),
            _ => None,
        })
        .flatten()
        .flat_map(|entry| entry.certificates())
        .map(|slot| slot.fingerprint())
        .collect();
    for (identity, sha256) in &outlook.staged {
        let Some(path) = staging::find(&recorder.state, identity) else { continue };
        if let Err(error) = recorder.state.is_inside(&path) {
            recorder.troubled(error.to_string());
            continue;
        }
        let waits = match staging::look(&path, None, &Interner::new()) {
            StagedLook::Key(key) => key.certificate.fingerprint(),
            StagedLook::Unreadable(failure) => {
                recorder.troubled(failure.message);
                continue;
            }
        };
        if waits == *sha256 {
            // A key whose certificate a store trusts may be in use, whatever is recorded about it.
            if known.contains(sha256) {
                undone.kept.push(identity.clone());
                continue;
            }
            recorder.trouble(|recorder| {
                recorder.disk.remove(&path)?;
                recorder.disk.remove_empty_dir(&recorder.state.staging_of(&identity.host))
            });
            undone.unstaged.push(identity.clone());
        }
    }
}

/// Puts keys that an earlier run made, and this run brought to their stores, back into staging: trusters hold their
/// certificates already.
fn restage(recorder: &mut RunRecorder<'_>, outlook: &Outlook, undone: &mut RollbackOutcome) {
    for Arrived { identity, format, copy, sha256 } in &outlook.arrived {
        if staging::find(&recorder.state, identity).is_some() {
            continue;
        }
        let path = recorder.state.staging(identity, *format);
        match disk::read(copy, ReadLimit::Store) {
            Ok(bytes) if Digest::of(&bytes) == *sha256 => {
                recorder.trouble(|recorder| {
                    recorder.state.is_inside(&path)?;
                    recorder.disk.make_dir(&recorder.state.staging_of(&identity.host))?;
                    recorder.disk.keep(&path, &bytes, ReadLimit::Store, recorder.run.as_str()).map(|_| ())
                });
                undone.restaged.push(identity.clone());
            }
            Ok(_) => recorder
                .troubles
                .push(format!("the copy {} of a staged key was changed; a new key is made", copy.display())),
            Err(error) => recorder.troubles.push(error.to_string()),
        }
    }
}
