//! What is told of a run, while it happens and afterwards.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use trustmason_keystore::Certificate;
use trustmason_plan::change::ChangeId;
use trustmason_plan::run_id::RunId;
use trustmason_plan::target::HandOffTarget;
use trustmason_spec::name::{IdentityId, StoreId};

use super::error::{ChangeError, NewKeyError, PackError, SkipReason, StaleError, StoreError, Trouble};
use crate::record::journal::Ended;

/// Told as it happens.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A key is being made.
    Minting {
        /// For whom.
        identity: &'a IdentityId,
    },
    /// A key is in staging.
    Staged {
        /// The identity that gets the key.
        identity: &'a IdentityId,
        /// Its certificate.
        certificate: &'a Certificate,
    },
    /// A store is being written.
    Writing {
        /// The store.
        store: &'a StoreId,
        /// How many changes it gets.
        changes: usize,
    },
    /// A store is done with.
    Stored {
        /// The store.
        store: &'a StoreId,
        /// What became of it.
        outcome: &'a StoreOutcome,
    },
    /// A pack is done with.
    Packed {
        /// For what.
        target: &'a HandOffTarget,
        /// What became of it.
        outcome: &'a PackOutcome,
    },
}

/// What became of a store.
#[derive(Clone, Debug)]
pub enum StoreOutcome {
    /// It holds what was planned.
    Written {
        /// What it was before; `None` where it was made.
        backup: Option<PathBuf>,
    },
    /// It held that already, to the byte.
    Unchanged,
    /// It was not what the plan expects, and was left alone.
    Stale {
        /// What is different.
        why: StaleError,
    },
    /// It could not be written.
    Failed {
        /// What kept the store from being written.
        error: Arc<StoreError>,
    },
    /// None of its changes could be made.
    Skipped {
        /// What kept its changes from being made.
        why: SkipReason,
    },
}

impl From<Trouble> for StoreOutcome {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Stale(why) => Self::Stale { why },
            Trouble::Failed(error) => Self::failed(error),
        }
    }
}

impl StoreOutcome {
    pub(crate) fn failed(error: StoreError) -> Self {
        Self::Failed { error: Arc::new(error) }
    }

    /// The word for it in journals and reports.
    pub fn ended(&self) -> Ended {
        match self {
            Self::Written { .. } => Ended::Written,
            Self::Unchanged => Ended::Unchanged,
            Self::Stale { .. } => Ended::Stale,
            Self::Failed { .. } => Ended::Failed,
            Self::Skipped { .. } => Ended::Skipped,
        }
    }

    /// Why the store does not hold what was planned; `None` where it does.
    pub fn why(&self) -> Option<String> {
        match self {
            Self::Written { .. } | Self::Unchanged => None,
            Self::Stale { why } => Some(why.to_string()),
            Self::Failed { error } => Some(error.to_string()),
            Self::Skipped { why } => Some(why.to_string()),
        }
    }

    /// Whether the store holds what was planned.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Written { .. } | Self::Unchanged)
    }
}

/// What became of a change.
#[derive(Clone, Debug)]
pub enum ChangeOutcome {
    /// It was made.
    Done,
    /// Its store was not as expected.
    Stale,
    /// Its store could not be written, or its key not be made.
    Failed {
        /// What was in the way.
        error: ChangeError,
    },
    /// What it depends on did not come about.
    Skipped {
        /// What kept it from being made.
        why: SkipReason,
    },
}

impl ChangeOutcome {
    /// Whether the change was made.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

/// What became of a pack.
#[derive(Clone, Debug)]
pub enum PackOutcome {
    /// It was written.
    Written {
        /// The folder of the pack.
        folder: PathBuf,
    },
    /// It was there.
    Unchanged {
        /// The folder of the pack.
        folder: PathBuf,
    },
    /// It could not be written.
    Failed {
        /// What was in the way.
        error: Arc<PackError>,
    },
    /// A certificate it needs was not made.
    Skipped {
        /// What kept it from being written.
        why: SkipReason,
    },
}

impl PackOutcome {
    pub(super) fn failed(error: PackError) -> Self {
        Self::Failed { error: Arc::new(error) }
    }

    /// Whether the pack lies there as it was planned.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Written { .. } | Self::Unchanged { .. })
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    /// Its id; `None` where there was nothing to do and nothing was written.
    pub run: Option<RunId>,
    /// Stores with changes.
    pub stores: BTreeMap<StoreId, StoreOutcome>,
    /// Changes.
    pub changes: BTreeMap<ChangeId, ChangeOutcome>,
    /// Packs.
    pub packs: BTreeMap<HandOffTarget, PackOutcome>,
    /// Certificates made or resumed.
    pub minted: BTreeMap<IdentityId, Arc<Certificate>>,
    /// Requests written for authorities.
    pub requests: BTreeMap<IdentityId, PathBuf>,
    /// Keys that could not be made, or not asked a certificate for, though no store waits for them.
    pub unasked: BTreeMap<IdentityId, Arc<NewKeyError>>,
    /// Trouble with the run's own books, which stopped no store.
    pub troubles: Vec<String>,
    /// Old backups that could not be removed; nothing of the run is missing for it.
    pub warnings: Vec<String>,
    /// Something was left for the next run, because this one was asked to end.
    pub interrupted: bool,
}

impl Outcomes {
    /// Whether everything that was to be done was done.
    pub fn is_complete(&self) -> bool {
        let stores = self.stores.values().all(StoreOutcome::is_done);
        let packs = self.packs.values().all(PackOutcome::is_done);
        let changes = self.changes.values().all(ChangeOutcome::is_done);
        stores && packs && changes && self.unasked.is_empty() && self.troubles.is_empty() && !self.interrupted
    }
}
