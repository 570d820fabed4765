//! What can go wrong with an estate as a whole. What goes wrong with one store or service is in what came of a round.

use trustmason_plan::shell::Command;
use trustmason_plan::text::clauses;
use trustmason_spec::name::ServiceId;

use super::owner::ForeignState;
use crate::record::ledger::LedgerError;
use crate::run::RunError;
use crate::state::lock::LockError;
use crate::word::ack::Unread;
use crate::word::decision::DecisionError;

/// Why an estate could not be looked at. Without its ledger nothing may be judged at all.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The state folder is another account's.
    #[error(transparent)]
    Foreign(#[from] ForeignState),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Why the estate's lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The state folder is another account's.
    #[error(transparent)]
    Foreign(#[from] ForeignState),
    /// Another run holds it, or it cannot be locked.
    #[error("{0}; nothing was done")]
    Lock(#[from] LockError),
}

/// Why a plan was not begun. Nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ConvergeError {
    /// The plan has no text that would name its run.
    #[error("the plan cannot be recorded: {0}")]
    Unrecordable(#[from] serde_json::Error),
    /// The run did not begin.
    #[error("{0}; nothing was done")]
    Run(#[from] RunError),
}

/// What went wrong with a round beside its stores, packs and restarts.
#[derive(Debug, thiserror::Error)]
pub enum RoundTrouble {
    /// The round after it did not begin.
    #[error(transparent)]
    NotBegun(ConvergeError),
    /// Nobody can tell what is left.
    #[error("the work that is left cannot be shown: {0}")]
    Untold(#[from] LookError),
    /// What restarted services read cannot be told, so that their restarts were not acknowledged.
    #[error("{}", clauses(.0))]
    Unread(Vec<Unread>),
    /// Services were restarted, and that could not be recorded.
    #[error(
        "services were restarted, but this could not be recorded: {cause}; acknowledge them: {}",
        acknowledged(spec, services)
    )]
    Unacknowledged {
        /// Why not.
        #[source]
        cause: DecisionError,
        /// The spec, as it was named.
        spec: String,
        /// The services.
        services: Vec<ServiceId>,
    },
}

/// The commands that acknowledge these restarts.
fn acknowledged(spec: &str, services: &[ServiceId]) -> String {
    let command = |service| Command::here("trustmason ack").file(spec).word(service).to_string();
    services.iter().map(command).collect::<Vec<_>>().join("; ")
}
