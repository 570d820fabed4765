//! Removes what an interrupted run of this estate left. The lock is held, so no other run is using it. In the state
//! folder all temporary files are trustmason's own. Beside a store only files that a run of this very state folder left
//! are handled, and its journal tells what they are. The old file (its backup was read back and compared before
//! anything was written), the new file and a part of it are removed. A file that another program wrote while the run
//! was cut off is put back in its place.

use std::path::Path;

use trustmason_keystore::Digest;
use trustmason_plan::run_id::RunId;

use crate::disk::{self, Disk, DiskError};
use crate::record::journal::{self, Piece, Record};
use crate::record::sites::{PieceHere, Sites};
use crate::state::State;

/// Clears one folder for a run. A file that cannot be judged is left and reported.
pub(crate) fn remove_leftovers(
    disk: &Disk,
    state: &State,
    sites: Sites<'_>,
    run: &RunId,
    folder: &Path,
) -> Result<(), DiskError> {
    let inside = folder.starts_with(state.root());
    if inside {
        state.is_inside(folder)?;
    }
    // If the folder cannot be listed, it cannot be written either, and writing reports that.
    let Ok(listing) = disk::items(folder) else { return Ok(()) };
    let mut first = Ok(());
    for path in listing.filter_map(|item| Some(item.ok()?.path())) {
        let Some(of) = disk::left_by(&path).filter(|of| of != run) else { continue };
        let done = if inside {
            disk.remove(&path)
        } else {
            match disk::facts_if_there(&state.run(&of)) {
                Ok(Some(facts)) if facts.is_folder() => beside(disk, state, sites, &of, &path),
                // The file was left by a run of another state folder.
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            }
        };
        first = first.and(done);
    }
    first
}

fn beside(disk: &Disk, state: &State, sites: Sites<'_>, run: &RunId, left: &Path) -> Result<(), DiskError> {
    let records = journal::read(state, run).map_err(|error| {
        let cause = std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string());
        DiskError::new("tell what is in", left, cause)
    })?;
    let pieces = records.iter().filter_map(|record| match record {
        Record::Intent(intent) => Some(intent.pieces.iter().map(|piece| (&intent.store, piece))),
        _ => None,
    });
    let mut located = pieces.flatten().filter_map(|(store, piece)| match sites.locate(store, &piece.at) {
        Ok(PieceHere::File(path)) => Some((piece, path)),
        Ok(PieceHere::System(..)) | Err(_) => None,
    });
    // Nothing replaces a store before it is announced, so an unannounced file is the run's own.
    let Some((piece, path)) = located.find(|(_, path)| disk::temporaries(path, run.as_str()).iter().any(|t| t == left))
    else {
        return disk.remove(left);
    };
    let Some(digest) = disk::digest_if_there(left)? else { return Ok(()) };
    match judge(piece, digest, disk::digest_if_there(&path)?) {
        Leftover::Ours => disk.remove(left),
        Leftover::Theirs => {
            tracing::warn!(
                "another program wrote {} while run {run} was interrupted; that content was restored",
                path.display()
            );
            disk.give_back(left, &path, piece.after).map_err(|error| error.into_error(&path))
        }
        Leftover::Unknown => {
            let cause = "the run that left this file was interrupted while another program wrote the store; compare the \
                         two files, keep the right one and remove this one";
            let cause = std::io::Error::new(std::io::ErrorKind::InvalidData, cause);
            Err(DiskError::new("tell what is in", left, cause))
        }
    }
}

enum Leftover {
    Ours,
    Theirs,
    Unknown,
}

fn judge(piece: &Piece, left: Digest, now: Option<Digest>) -> Leftover {
    if Some(left) == piece.before || Some(left) == piece.after {
        Leftover::Ours
    } else if now == piece.after {
        Leftover::Theirs
    } else if now == piece.before {
        // The names were not exchanged yet, so this is a part of the new file.
        Leftover::Ours
    } else {
        Leftover::Unknown
    }
}
