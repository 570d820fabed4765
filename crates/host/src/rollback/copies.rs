//! Finds the copies that a run kept. A copy is taken only from below the run's own `backup` folder, and only if its
//! digest is the one in the run's journal.

use std::path::PathBuf;

use trustmason_keystore::Digest;
use trustmason_plan::run_id::RunId;
use trustmason_plan::site::Site;
use trustmason_spec::name::StoreId;

use super::RollbackContext;
use super::restore::{Backup, Backups};
use crate::disk::{self, ReadLimit};
use crate::live;
use crate::record::journal::{CopyAt, Piece, Record};
use crate::record::sites::PieceHere;

/// The path of a copy.
pub(super) fn place(context: RollbackContext<'_>, run: &RunId, copy: &CopyAt) -> Result<PathBuf, String> {
    match copy {
        CopyAt::Here(name) => {
            let path = name.below(&context.state.backups(run));
            context.state.is_inside(&path).map_err(|error| error.to_string())?;
            Ok(path)
        }
        CopyAt::AtHost { run, store, sha256 } => Err(format!(
            "the backup of {store} is on its host, under run {run} (sha256 {}); this version cannot restore it there",
            sha256.short()
        )),
    }
}

/// The backup of a part of a store, read and compared. `None` if the run created the part, so that the part is removed.
///
/// # Errors
/// Fails if the backup is missing or altered. Also fails if the run cannot have created the part: a copy of it was
/// noted, or the spec does not allow runs to create the store.
pub(super) fn backup(
    context: RollbackContext<'_>,
    run: &RunId,
    backups: &Backups<'_>,
    store: &StoreId,
    (piece, place): (&Piece, &PieceHere),
) -> Result<Option<Backup>, String> {
    let Some(before) = piece.before else {
        return made(context, backups, store, piece).map(|()| None);
    };
    let noted = backups.get(&(piece.at.clone(), before));
    let Some(Record::Backup { copy, owner, attributes, .. }) = noted else {
        return Err(format!("no backup of {} was recorded", piece.at.path()));
    };
    let copy = self::place(context, run, copy)?;
    let bytes = disk::read_if_there(&copy, ReadLimit::Store).map_err(|error| error.to_string())?;
    let bytes = bytes.ok_or_else(|| format!("the backup {} is missing", copy.display()))?;
    let digest = match place {
        PieceHere::File(_) => Digest::of(&bytes),
        PieceHere::System(..) => live::digest_of_copy(bytes),
    };
    if digest != before {
        return Err(format!("the backup {} was changed", copy.display()));
    }
    Ok(Some(Backup { copy, owner: owner.masked(), attributes: attributes.clone() }))
}

/// Checks that a run can have created a part of a store, whatever its journal says.
fn made(context: RollbackContext<'_>, backups: &Backups<'_>, store: &StoreId, piece: &Piece) -> Result<(), String> {
    let path = piece.at.path();
    if backups.keys().any(|(at, _)| *at == piece.at) {
        return Err(format!(
            "the journal says that the run created {path}, and also that it kept a copy of the old content"
        ));
    }
    let def = context.topology.stores.get(store);
    match def {
        Some(def) if matches!(Site::of(def), Site::File(_)) && !def.may_be_made() => Err(format!(
            "the journal says that the run created {path}, but the spec allows no run to create that store; if the run \
             did, set `create: true` again"
        )),
        _ => Ok(()),
    }
}
