//! Errors that concern an estate as a whole. A failure of one store or service is part of a round's outcome instead.

use trustmason_plan::shell::Command;
use trustmason_plan::text::clauses;
use trustmason_spec::name::ServiceId;

use super::owner::ForeignState;
use crate::record::ledger::LedgerError;
use crate::run::RunError;
use crate::state::lock::LockError;
use crate::word::ack::UnprovenRestart;
use crate::word::decision::DecisionError;

/// Why an estate could not be looked at. Without its ledger nothing may be judged at all.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The state folder belongs to another account than the one that runs the program.
    #[error(transparent)]
    Foreign(#[from] ForeignState),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Why the estate's lock was not taken. Nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The state folder belongs to another account.
    #[error(transparent)]
    Foreign(#[from] ForeignState),
    /// Another run holds the lock, or the state folder cannot be locked.
    #[error("{0}; nothing was done")]
    Lock(#[from] LockError),
}

/// Why a plan was not begun. Nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ConvergeError {
    /// The plan cannot be written as text, and the digest of its text would name the run.
    #[error("the plan cannot be recorded: {0}")]
    Unrecordable(#[from] serde_json::Error),
    /// The run did not begin.
    #[error("{0}; nothing was done")]
    Run(#[from] RunError),
}

/// A failure in a round that is not one of its stores, packs or restarts.
#[derive(Debug, thiserror::Error)]
pub enum RoundTrouble {
    /// The next round did not begin.
    #[error(transparent)]
    NotBegun(ConvergeError),
    /// The changes that are left cannot be determined.
    #[error("the work that is left cannot be shown: {0}")]
    Untold(#[from] LookError),
    /// It is not known what restarted services read, so their restarts were not acknowledged.
    #[error("{}", clauses(.0))]
    Unread(Vec<UnprovenRestart>),
    /// Services were restarted, and this could not be recorded.
    #[error(
        "services were restarted, but this could not be recorded: {cause}; acknowledge them: {}",
        acknowledged(spec, services)
    )]
    Unacknowledged {
        /// Why it could not be recorded.
        #[source]
        cause: DecisionError,
        /// The spec's path, as it was given.
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
