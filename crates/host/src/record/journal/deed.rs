//! What became of the intents in a journal, as far as the journal and the disks tell.

use std::collections::BTreeMap;

use jiff::Timestamp;
use trustmason_plan::ledger::Ledger;
use trustmason_plan::run_id::RunId;
use trustmason_plan::site::PieceAt;
use trustmason_spec::name::StoreId;

use super::{Ended, Intent, Piece, Record};
use crate::disk;
use crate::record::sites::{PieceHere, SiteError, Sites};

/// What became of one part of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It got its new content.
    Written,
    /// It did not.
    Untouched,
    /// Nobody can tell any more: the run was cut off, and somebody else has written there since.
    Changed,
    /// Nobody can tell now: it cannot be looked at; why. It is asked again.
    Unseen(String),
    /// Nobody here will tell: the spec declares no such place any more; why.
    Undeclared(String),
}

/// What became of an intent.
#[derive(Clone, Debug)]
pub struct Deed {
    /// What was meant.
    pub intent: Intent,
    /// What became of each part, in the order of the intent's pieces.
    pub fates: Vec<Fate>,
}

impl Deed {
    /// Whether all of it was done.
    pub fn is_done(&self) -> bool {
        self.fates.iter().all(|fate| *fate == Fate::Written)
    }

    /// Whether nothing of it was done.
    pub fn is_untouched(&self) -> bool {
        self.fates.iter().all(|fate| *fate == Fate::Untouched)
    }

    /// Whether something of it was surely done.
    pub fn wrote(&self) -> bool {
        self.fates.contains(&Fate::Written)
    }

    /// Why it cannot be told yet what became of it; `None` where that is known, or will never be.
    pub fn unseen(&self) -> Option<&str> {
        self.fates.iter().find_map(|fate| match fate {
            Fate::Unseen(why) => Some(why.as_str()),
            Fate::Written | Fate::Untouched | Fate::Changed | Fate::Undeclared(_) => None,
        })
    }

    /// Enters into a ledger what is known of it: all of it, nothing, or what may have come about. What
    /// cannot be told yet is not entered.
    pub(crate) fn enter(&self, ledger: &mut Ledger, run: &RunId, begun: Timestamp) {
        let Intent { store, memory, .. } = &self.intent;
        if self.is_done() {
            ledger.remember(store, memory, run, begun);
        } else if !self.is_untouched() && self.unseen().is_none() {
            ledger.assume(store, memory, run, begun);
        }
    }

    /// Each part with what became of it.
    pub fn pieces(&self) -> impl Iterator<Item = (&Piece, &Fate)> {
        self.intent.pieces.iter().zip(&self.fates)
    }
}

/// What a run did to each store, in the order it did it. What the journal says of an outcome counts, whatever stands there by
/// now; where the run was cut off or could not tell, the digests do: the step in which a file gets its name is the deed, not its
/// announcement.
pub(crate) fn deeds(records: &[Record], run: &RunId, sites: Sites<'_>) -> Vec<Deed> {
    let outcomes: BTreeMap<&StoreId, (Ended, &Vec<PieceAt>, &Vec<PieceAt>)> = records
        .iter()
        .filter_map(|record| match record {
            Record::Outcome { store, outcome, written, unclear, .. } => Some((store, (*outcome, written, unclear))),
            _ => None,
        })
        .collect();
    let intents = records.iter().filter_map(|record| match record {
        Record::Intent(intent) => Some((**intent).clone()),
        _ => None,
    });
    let deed = |intent: Intent| {
        let fates = match outcomes.get(&intent.store) {
            Some((Ended::Written, ..)) => intent.pieces.iter().map(|_| Fate::Written).collect(),
            Some((_, written, unclear)) => {
                let noted = |piece: &Piece| {
                    if written.contains(&piece.at) {
                        Fate::Written
                    } else if unclear.contains(&piece.at) {
                        fate(piece, &intent.store, run, sites)
                    } else {
                        Fate::Untouched
                    }
                };
                intent.pieces.iter().map(noted).collect()
            }
            None => fates(&intent, run, sites),
        };
        Deed { fates, intent }
    };
    intents.map(deed).collect()
}

/// What the disks tell of each part of an intent now.
pub(crate) fn fates(intent: &Intent, run: &RunId, sites: Sites<'_>) -> Vec<Fate> {
    intent.pieces.iter().map(|piece| fate(piece, &intent.store, run, sites)).collect()
}

fn fate(piece: &Piece, store: &StoreId, run: &RunId, sites: Sites<'_>) -> Fate {
    match sites.digest(store, &piece.at) {
        // Somebody's work that was displaced goes back to its place, and with that this part was not written.
        Ok(now) if now == piece.after && !displaced(piece, store, run, sites) => Fate::Written,
        Ok(now) if now == piece.before || now == piece.after => Fate::Untouched,
        Ok(_) => Fate::Changed,
        Err(SiteError::Unseen(why)) => Fate::Unseen(why),
        Err(SiteError::Undeclared(why)) => Fate::Undeclared(why),
    }
}

/// Whether a run that was cut off left beside its file what somebody else had written there.
fn displaced(piece: &Piece, store: &StoreId, run: &RunId, sites: Sites<'_>) -> bool {
    let Ok(PieceHere::File(path)) = sites.locate(store, &piece.at) else { return false };
    let foreign = |digest| Some(digest) != piece.before && Some(digest) != piece.after;
    let beside = disk::temporaries(&path, run.as_str());
    beside.iter().any(|path| disk::digest_if_there(path).is_ok_and(|digest| digest.is_some_and(foreign)))
}
