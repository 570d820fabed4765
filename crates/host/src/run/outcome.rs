//! The reports about a run, while it works and afterwards.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use trustmason_keystore::Certificate;
use trustmason_plan::change::ChangeId;
use trustmason_plan::run_id::RunId;
use trustmason_plan::target::HandOffTarget;
use trustmason_spec::name::{IdentityId, StoreId};

use super::error::{ChangeError, NewKeyError, PackError, SkipReason, StaleError, StoreWriteError, StoreWriteFailure};
use crate::record::journal::Ended;

/// Reported as it happens.
#[derive(Clone, Copy, Debug)]
pub enum RunEvent<'a> {
    /// A key is being made.
    Minting {
        /// The identity that gets the key.
        identity: &'a IdentityId,
    },
    /// A key is in staging.
    Staged {
        /// The identity that gets the key.
        identity: &'a IdentityId,
        /// The key's certificate.
        certificate: &'a Certificate,
    },
    /// A store is being written.
    Writing {
        /// The store.
        store: &'a StoreId,
        /// How many changes the store gets.
        changes: usize,
    },
    /// A store is done, or was left out.
    Stored {
        /// The store.
        store: &'a StoreId,
        /// The outcome of the store.
        outcome: &'a StoreOutcome,
    },
    /// A pack is done, or was left out.
    Packed {
        /// The store or the identity that the pack is for.
        target: &'a HandOffTarget,
        /// The outcome of the pack.
        outcome: &'a PackOutcome,
    },
}

/// The outcome of a store.
#[derive(Clone, Debug)]
pub enum StoreOutcome {
    /// The store holds what was planned.
    Written {
        /// The old content; `None` if there was no store.
        backup: Option<PathBuf>,
    },
    /// The store held the planned content already, to the byte.
    Unchanged,
    /// The store was not what the plan expects, and was left alone.
    Stale {
        /// The difference from the plan.
        why: StaleError,
    },
    /// The store could not be written.
    Failed {
        /// Why the store could not be written.
        error: Arc<StoreWriteError>,
    },
    /// None of the store's changes could be made.
    Skipped {
        /// Why they could not be made.
        why: SkipReason,
    },
}

impl From<StoreWriteFailure> for StoreOutcome {
    fn from(trouble: StoreWriteFailure) -> Self {
        match trouble {
            StoreWriteFailure::Stale(why) => Self::Stale { why },
            StoreWriteFailure::Failed(error) => Self::failed(error),
        }
    }
}

impl StoreOutcome {
    pub(crate) fn failed(error: StoreWriteError) -> Self {
        Self::Failed { error: Arc::new(error) }
    }

    /// The outcome as one word, for journals and reports.
    pub fn ended(&self) -> Ended {
        match self {
            Self::Written { .. } => Ended::Written,
            Self::Unchanged => Ended::Unchanged,
            Self::Stale { .. } => Ended::Stale,
            Self::Failed { .. } => Ended::Failed,
            Self::Skipped { .. } => Ended::Skipped,
        }
    }

    /// Why the store does not hold what was planned; `None` if it does.
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

/// The outcome of a change.
#[derive(Clone, Debug)]
pub enum ChangeOutcome {
    /// The change was made.
    Done,
    /// The change's store was not as expected.
    Stale,
    /// The change's store could not be written, or its key could not be made.
    Failed {
        /// The error.
        error: ChangeError,
    },
    /// A change or key that this change needs was not made.
    Skipped {
        /// Why the change was not made.
        why: SkipReason,
    },
}

impl ChangeOutcome {
    /// Whether the change was made.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

/// The outcome of a pack.
#[derive(Clone, Debug)]
pub enum PackOutcome {
    /// The pack was written.
    Written {
        /// The folder of the pack.
        folder: PathBuf,
    },
    /// The pack was already there.
    Unchanged {
        /// The folder of the pack.
        folder: PathBuf,
    },
    /// The pack could not be written.
    Failed {
        /// The error.
        error: Arc<PackError>,
    },
    /// A certificate that the pack needs was not made.
    Skipped {
        /// Why the pack was not written.
        why: SkipReason,
    },
}

impl PackOutcome {
    pub(super) fn failed(error: PackError) -> Self {
        Self::Failed { error: Arc::new(error) }
    }

    /// Whether the planned pack is in its folder.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Written { .. } | Self::Unchanged { .. })
    }
}

/// The outcome of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    /// The run's id; `None` if there was nothing to do and no run began.
    pub run: Option<RunId>,
    /// The stores with changes.
    pub stores: BTreeMap<StoreId, StoreOutcome>,
    /// The changes.
    pub changes: BTreeMap<ChangeId, ChangeOutcome>,
    /// The packs.
    pub packs: BTreeMap<HandOffTarget, PackOutcome>,
    /// The certificates that were made or resumed.
    pub minted: BTreeMap<IdentityId, Arc<Certificate>>,
    /// The requests that were written for authorities.
    pub requests: BTreeMap<IdentityId, PathBuf>,
    /// Identities of an authority whose key or request could not be made.
    pub unasked: BTreeMap<IdentityId, Arc<NewKeyError>>,
    /// Failures of the run's record, which stopped no store.
    pub troubles: Vec<String>,
    /// Old backups that could not be removed. The run lacks nothing because of them.
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
