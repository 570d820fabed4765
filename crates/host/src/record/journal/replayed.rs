//! The outcomes of the intents in a journal, as far as the journal and the disks tell.

use std::collections::BTreeMap;

use jiff::Timestamp;
use trustmason_plan::ledger::Ledger;
use trustmason_plan::run_id::RunId;
use trustmason_plan::site::PieceAt;
use trustmason_spec::name::StoreId;

use super::{Ended, Intent, Piece, Record};
use crate::disk;
use crate::record::sites::{PieceHere, SiteError, Sites};

/// The outcome of one part of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PieceOutcome {
    /// The part got its new content.
    Written,
    /// The part was not changed.
    Untouched,
    /// It can no longer be told: the run was cut off, and another program wrote the part afterwards.
    Changed,
    /// Cannot tell now, because the part cannot be looked at; with the reason. It is looked at again.
    Unseen(String),
    /// Cannot be told here, because the spec no longer declares the place; with the reason.
    Undeclared(String),
}

/// An intent and what was done for it.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The intent.
    pub intent: Intent,
    /// The outcome of each part, in the order of the intent's pieces.
    pub outcomes: Vec<PieceOutcome>,
}

impl Replayed {
    /// Whether everything was done.
    pub fn is_done(&self) -> bool {
        self.outcomes.iter().all(|fate| *fate == PieceOutcome::Written)
    }

    /// Whether nothing was done.
    pub fn is_untouched(&self) -> bool {
        self.outcomes.iter().all(|fate| *fate == PieceOutcome::Untouched)
    }

    /// Whether something was certainly done.
    pub fn wrote(&self) -> bool {
        self.outcomes.contains(&PieceOutcome::Written)
    }

    /// Why it cannot be told yet what was done; `None` if that is known, or never will be.
    pub fn unseen(&self) -> Option<&str> {
        self.outcomes.iter().find_map(|fate| match fate {
            PieceOutcome::Unseen(why) => Some(why.as_str()),
            PieceOutcome::Written | PieceOutcome::Untouched | PieceOutcome::Changed | PieceOutcome::Undeclared(_) => {
                None
            }
        })
    }

    /// Enters the known facts into a ledger: that everything was done, that nothing was done, or the changes that may
    /// have been made. An outcome that cannot be told yet is not entered.
    pub(crate) fn enter(&self, ledger: &mut Ledger, run: &RunId, begun: Timestamp) {
        let Intent { store, memory, .. } = &self.intent;
        if self.is_done() {
            ledger.remember(store, memory, run, begun);
        } else if !self.is_untouched() && self.unseen().is_none() {
            ledger.assume(store, memory, run, begun);
        }
    }

    /// Each part with what was done to it.
    pub fn pieces(&self) -> impl Iterator<Item = (&Piece, &PieceOutcome)> {
        self.intent.pieces.iter().zip(&self.outcomes)
    }
}

/// The outcome of each store of a run, in the order of the journal. An outcome in the journal counts, whatever the store
/// holds now. Without an outcome, or where the run could not tell, the digests on the disks count: a part is written by
/// the step that gives the file its name, not by the line that announces it.
pub(crate) fn replay(records: &[Record], run: &RunId, sites: Sites<'_>) -> Vec<Replayed> {
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
    let replayed = |intent: Intent| {
        let pieces = match outcomes.get(&intent.store) {
            Some((Ended::Written, ..)) => intent.pieces.iter().map(|_| PieceOutcome::Written).collect(),
            Some((_, written, unclear)) => {
                let noted = |piece: &Piece| {
                    if written.contains(&piece.at) {
                        PieceOutcome::Written
                    } else if unclear.contains(&piece.at) {
                        fate(piece, &intent.store, run, sites)
                    } else {
                        PieceOutcome::Untouched
                    }
                };
                intent.pieces.iter().map(noted).collect()
            }
            None => piece_outcomes(&intent, run, sites),
        };
        Replayed { outcomes: pieces, intent }
    };
    intents.map(replayed).collect()
}

/// The outcome of each part of an intent, as the disks show it now.
pub(crate) fn piece_outcomes(intent: &Intent, run: &RunId, sites: Sites<'_>) -> Vec<PieceOutcome> {
    intent.pieces.iter().map(|piece| fate(piece, &intent.store, run, sites)).collect()
}

fn fate(piece: &Piece, store: &StoreId, run: &RunId, sites: Sites<'_>) -> PieceOutcome {
    match sites.digest(store, &piece.at) {
        // If another program's file was displaced, it is put back, and then this part was not written.
        Ok(now) if now == piece.after && !displaced(piece, store, run, sites) => PieceOutcome::Written,
        Ok(now) if now == piece.before || now == piece.after => PieceOutcome::Untouched,
        Ok(_) => PieceOutcome::Changed,
        Err(SiteError::Unseen(why)) => PieceOutcome::Unseen(why),
        Err(SiteError::Undeclared(why)) => PieceOutcome::Undeclared(why),
    }
}

/// Whether a run that was cut off left another program's file beside its own.
fn displaced(piece: &Piece, store: &StoreId, run: &RunId, sites: Sites<'_>) -> bool {
    let Ok(PieceHere::File(path)) = sites.locate(store, &piece.at) else { return false };
    let foreign = |digest| Some(digest) != piece.before && Some(digest) != piece.after;
    let beside = disk::temporaries(&path, run.as_str());
    beside.iter().any(|path| disk::digest_if_there(path).is_ok_and(|digest| digest.is_some_and(foreign)))
}
