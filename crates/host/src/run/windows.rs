//! Writes one store of the system. It is listed again and compared with what the plan expects, every part that changes
//! is copied as a serialised store, certificates are added and removed one by one, and the result is listed again. As
//! with a folder there is no single step: additions come first, so that at every moment each certificate that stays is
//! there.

use std::collections::BTreeMap;
use std::path::Path;

use trustmason_keystore::{
    Disposition, Edits, Fingerprint, Interner, NewEntry, Store, serialised_element, serialised_store,
};
use trustmason_plan::change::Change;
use trustmason_plan::observed::ManagedBy;
use trustmason_plan::outline::{Expect, StoreView};
use trustmason_plan::site::PieceAt;
use trustmason_plan::work::edits;
use trustmason_spec::name::StoreId;
use trustmason_spec::windows::{Location, SystemPlace, SystemStore};

use super::error::{RefusedEdit, StaleError, StoreWriteError, StoreWriteFailure, SystemStoreChangeError};
use super::work::RunInProgress;
use super::writer::PlacedEntries;
use super::{StoreOutcome, facts, proof};
use crate::disk::{Attributes, Disk, Owner};
use crate::live::{self, LiveError, SystemListing, SystemStores};
use crate::record::journal::{Intent, Journal, Piece, Record};
use crate::record::sites::Sites;

/// The changes of one system store.
#[derive(Debug, Default)]
struct SystemEdit {
    add: Vec<Vec<u8>>,
    remove: Vec<Fingerprint>,
}

/// Writes one store.
pub(super) fn attempt(
    work: &RunInProgress<'_>,
    journal: &Journal<'_>,
    view: &StoreView,
    place: &SystemPlace,
    placed: PlacedEntries<'_>,
    changes: &[&Change],
    meant: &mut Option<Intent>,
) -> Result<StoreOutcome, StoreWriteFailure> {
    let stores = work.state.system();
    live::is_called(stores, view.id.host.as_str())?;
    let listing = expected(stores, place, view.expect, work.context.certificates)?;
    let left_alone = |cause: RefusedEdit| {
        let (place, cause) = (place.to_string(), Box::new(cause));
        StoreWriteError::LeftAlone { place, cause }
    };
    let turns = turned(work, &listing, place, changes).map_err(left_alone)?;
    if turns.is_empty() {
        return Ok(StoreOutcome::Unchanged);
    }
    let mut pieces = Vec::new();
    for (store, turn) in &turns {
        let part = listing.parts.get(store).ok_or_else(|| left_alone(RefusedEdit::NotRead(*store)))?;
        let after = result(part, turn, work.context.certificates).map_err(|error| left_alone(error.into()))?;
        let at = PieceAt::System { host: view.id.host.clone(), location: place.location.clone(), store: *store };
        pieces.push(Piece { at, before: Some(live::digest_of(part)), after: Some(live::digest_of(&after)) });
    }
    let intent = Intent {
        store: view.id.clone(),
        before: Some(listing.digest()),
        after: None,
        pieces,
        memory: work.memory(&listing.store, changes),
        placed: placed.cloned().unwrap_or_default(),
        presented: work.presented(&view.id),
        facts: facts::of(work, &listing.store, changes),
    };
    let folder = work.state.backup(&work.run, &view.id);
    for store in turns.keys() {
        if let Some(part) = listing.parts.get(store) {
            back_up(work.context.disk, journal, &view.id, (&place.location, *store), part, &folder)?;
        }
    }
    journal.note(&Record::Intent(Box::new(intent.clone())))?;
    *meant = Some(intent.clone());
    expected(stores, place, view.expect, work.context.certificates)?;
    let late = |error: StoreWriteError| {
        let cause = Box::new(StoreWriteFailure::Failed(error));
        StoreWriteError::Late { cause, stands: false, backup: Some(folder.clone()) }
    };
    // Additions to all parts come before the first removal.
    let comes = turns.iter().map(|(store, turn)| (*store, turn.add.as_slice(), [].as_slice()));
    let leaves = turns.iter().map(|(store, turn)| (*store, [].as_slice(), turn.remove.as_slice()));
    for (store, add, remove) in comes.chain(leaves).filter(|(_, add, remove)| !add.is_empty() || !remove.is_empty()) {
        let changed =
            work.context.disk.system(&place.path(store), || stores.change(&place.location, store, add, remove));
        changed.map_err(|error| late(error.into()))?;
    }
    proved(work.sites(), &view.id, &intent.pieces).map_err(late)?;
    Ok(StoreOutcome::Written { backup: Some(folder) })
}

/// The one comparison that decides whether anything may be changed.
fn expected(
    stores: &dyn SystemStores,
    place: &SystemPlace,
    expect: Option<Expect>,
    certificates: &Interner,
) -> Result<SystemListing, StoreWriteFailure> {
    let listing = live::list(stores, place, certificates)?;
    match expect {
        Some(Expect::Digest(wanted)) if wanted == listing.digest() => Ok(listing),
        Some(Expect::Digest(_) | Expect::Absent) => Err(StaleError::Changed { place: place.to_string() }.into()),
        None => Err(StoreWriteError::NotWritable { place: place.to_string() }.into()),
    }
}

/// The changes, by system store.
fn turned(
    work: &RunInProgress<'_>,
    listing: &SystemListing,
    place: &SystemPlace,
    changes: &[&Change],
) -> Result<BTreeMap<SystemStore, SystemEdit>, RefusedEdit> {
    proof::allowed(&listing.store, changes)?;
    let edits = edits(changes.iter().copied(), &work.resolved(), &work.identities, work.created_ms())?;
    Ok(turns(listing, place, &edits)?)
}

/// Which certificate is added to which system store, and which is removed from which. A certificate that is there is
/// not added again.
fn turns(
    listing: &SystemListing,
    place: &SystemPlace,
    edits: &Edits,
) -> Result<BTreeMap<SystemStore, SystemEdit>, SystemStoreChangeError> {
    let mut turns: BTreeMap<SystemStore, SystemEdit> = BTreeMap::new();
    for (id, what) in &edits.disposition {
        match what {
            Disposition::Keep => {}
            Disposition::Remove => {
                let system_entry = listing.system_entries.get(id).ok_or(SystemStoreChangeError::NoEntry)?;
                match &system_entry.managed_by {
                    ManagedBy::Machine => {}
                    ManagedBy::Key => return Err(SystemStoreChangeError::HasKey),
                    ManagedBy::Other(by) => return Err(SystemStoreChangeError::AddedAgain { by: by.clone() }),
                }
                let print = listing.store.entry(*id).and_then(|e| Some(e.certificates().first()?.fingerprint()));
                turns
                    .entry(system_entry.store)
                    .or_default()
                    .remove
                    .push(print.ok_or(SystemStoreChangeError::NoCertificate)?);
            }
            Disposition::Rename(_) => return Err(SystemStoreChangeError::Alias),
            Disposition::ReplaceKey { .. } => return Err(SystemStoreChangeError::Key),
        }
    }
    for new in &edits.add {
        let NewEntry::Trusted { certificate, .. } = new else { return Err(SystemStoreChangeError::Key) };
        let element = serialised_element(certificate)?;
        let store = place.store_for(certificate);
        let held = listing.parts.get(&store).into_iter().flat_map(Store::entries);
        let there = held
            .filter_map(|e| Some(e.certificates().first()?.fingerprint()))
            .any(|print| print == certificate.fingerprint());
        let turn = turns.entry(store).or_default();
        if !there && !turn.add.contains(&element) {
            turn.add.push(element);
        }
    }
    turns.retain(|_, turn| !turn.add.is_empty() || !turn.remove.is_empty());
    Ok(turns)
}

/// The content of a part after its changes.
fn result(part: &Store, turn: &SystemEdit, certificates: &Interner) -> Result<Store, LiveError> {
    let stays = part.entries().iter().filter(|entry| {
        let print = entry.certificates().first().map(|slot| slot.fingerprint());
        print.is_none_or(|print| !turn.remove.contains(&print))
    });
    let stays = stays.filter_map(|entry| part.raw(entry.id));
    live::opened(stays.chain(turn.add.iter().map(Vec::as_slice)), certificates)
}

/// Copies one system store to a file that Windows itself can open, and reads the copy back.
pub(crate) fn back_up(
    disk: &Disk,
    journal: &Journal<'_>,
    id: &StoreId,
    (location, store): (&Location, SystemStore),
    part: &Store,
    folder: &Path,
) -> Result<(), StoreWriteError> {
    let of = PieceAt::System { host: id.host.clone(), location: location.clone(), store };
    let copy = folder.join(format!("{store}.sst"));
    let elements = part.entries().iter().filter_map(|entry| part.raw(entry.id));
    let owner = Owner::ours(0o600);
    disk.make_dir(folder)?;
    disk.place(&copy, &serialised_store(elements), owner, &Attributes::default())
        .map_err(|cause| StoreWriteError::NoBackup { place: of.path(), cause })?;
    journal.note(&Record::Backup {
        store: id.clone(),
        copy: journal.copy_at(&copy)?,
        of,
        owner,
        attributes: Attributes::default(),
        sha256: live::digest_of(part),
    })?;
    Ok(())
}

/// Lists the parts again and compares them.
fn proved(sites: Sites<'_>, id: &StoreId, pieces: &[Piece]) -> Result<(), StoreWriteError> {
    for piece in pieces {
        let now = sites.digest(id, &piece.at)?;
        if now != piece.after {
            return Err(StoreWriteError::NotBrought { place: piece.at.path() });
        }
    }
    Ok(())
}

/// Restores one system store from its backup: added certificates are removed, and removed certificates are added with
/// all their properties.
pub(crate) fn put_back(
    sites: Sites<'_>,
    disk: &Disk,
    id: &StoreId,
    piece: &Piece,
    (at, store): (&Location, SystemStore),
    backup: &Store,
) -> Result<(), StoreWriteError> {
    let stores = sites.system;
    let certificates = Interner::new();
    let now = live::part(stores, at, store, &certificates)?;
    let prints = |part: &Store| -> BTreeMap<Fingerprint, Vec<u8>> {
        let of =
            |e: &trustmason_keystore::Entry| Some((e.certificates().first()?.fingerprint(), part.raw(e.id)?.to_vec()));
        part.entries().iter().filter_map(of).collect()
    };
    let (is, was) = (prints(&now), prints(backup));
    let add: Vec<Vec<u8>> = was.iter().filter(|(print, _)| !is.contains_key(print)).map(|(_, e)| e.clone()).collect();
    let remove: Vec<Fingerprint> = is.keys().filter(|print| !was.contains_key(print)).copied().collect();
    disk.system(&piece.at.path(), || stores.change(at, store, &add, &remove))?;
    let back = Piece { at: piece.at.clone(), before: piece.after, after: piece.before };
    proved(sites, id, &[back])
}
