//! Brings an estate to what its spec declares. Everything that `apply`, `rollback` and the related commands decide
//! about how a run goes on is decided here. It takes the topology and the state folder, and gives plans, events and
//! outcomes. It never reads arguments, asks a person or prints: the caller does, and decides nothing.
//!
//! - [`Reconciler`] has what a run needs, for one estate on this machine.
//! - `looking`: the facts, the plan that follows from them, and the plan that is left after something was done.
//! - `rounds`: one phase of a rotation after the other, until a person must act ([`Reconciler::converge`]).
//! - `restarts`: which services are restarted by their commands after a phase, in which order, and what a failure
//!   stops.
//! - `word`: records what an operator reports: services restarted, packs carried out, the clock right, certificates
//!   genuine.
//! - `undo`: a rollback, from what would be taken back to what is left afterwards.
//! - `scope`: the hosts and the side that a plan is limited to, and what the next plan inherits of them.
//! - `limits`: how many stores are written at the same time.

mod error;
mod event;
mod limits;
mod looking;
mod owner;
mod restarts;
mod rounds;
mod scope;
mod undo;
mod word;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use trustmason_keystore::Interner;
use trustmason_plan::observed::Input;
use trustmason_spec::topology::Topology;

use crate::disk::Disk;
use crate::mint::{Generate, KeySource};
use crate::secret::Secrets;
use crate::state::State;
use crate::state::lock::Lock;
pub use error::{ConvergeError, LookError, RoundTrouble, TakeError};
pub use event::{ConvergeEvent, Tell};
pub use limits::MOST_WRITERS;
pub use looking::{Observation, RemainingWork};
pub use owner::ForeignState;
pub use restarts::Restarting;
pub use rounds::{ApprovedPlan, Converged, Round};
pub use scope::Scope;
pub use undo::TakenBack;

/// The time, as the caller's clock reports it.
pub trait Clock: fmt::Debug {
    /// Now, as precisely as the clock reports it.
    fn exactly(&self) -> Timestamp;

    /// Now, to the second: plans are for people and tickets.
    fn now(&self) -> Timestamp {
        let now = self.exactly();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }
}

/// An estate and the files that declare it.
#[derive(Clone, Copy, Debug)]
pub struct Declared<'a> {
    /// The estate.
    pub topology: &'a Topology,
    /// The spec and the profiles, which are inputs of every plan.
    pub inputs: &'a [Input],
}

/// Reconciles one estate on this machine. It gets each password once and keeps each certificate once.
pub struct Reconciler<'a> {
    declared: Declared<'a>,
    state: State,
    secrets: Secrets,
    certificates: Interner,
    disk: Disk,
    keys: &'a dyn KeySource,
    clock: Box<dyn Clock + 'a>,
    tool_version: &'static str,
    stop: Arc<AtomicBool>,
}

impl fmt::Debug for Reconciler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconciler").field("state", &self.state).field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl<'a> Reconciler<'a> {
    /// The reconciler of an estate, with this clock. `tool_version` is written into plans, and a run is named by the
    /// digest of its plan as it would be saved.
    pub fn new(declared: Declared<'a>, clock: impl Clock + 'a, tool_version: &'static str) -> Self {
        Self {
            declared,
            state: State::at(&declared.topology.state),
            secrets: Secrets::of(declared.topology),
            certificates: Interner::new(),
            disk: Disk::new(),
            keys: &Generate,
            clock: Box::new(clock),
            tool_version,
            stop: Arc::default(),
        }
    }

    /// The same, with keys from another source.
    #[must_use]
    pub fn with_keys(self, keys: &'a dyn KeySource) -> Self {
        Self { keys, ..self }
    }

    /// The same, with another disk to write to.
    #[must_use]
    pub fn with_disk(self, disk: Disk) -> Self {
        Self { disk, ..self }
    }

    /// The flag that stops a run once it is set: stores that are being written are finished, and nothing more is begun.
    pub fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    /// The estate's state folder.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The certificates that were seen.
    pub fn certificates(&self) -> &Interner {
        &self.certificates
    }

    /// Now, to the second.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes the estate's lock. If the caller holds the lock from the first look to the last, what is written is what
    /// was judged.
    ///
    /// # Errors
    /// [`TakeError`]; nothing was done.
    pub fn lock(&self) -> Result<Lock, TakeError> {
        owner::is_ours(&self.state)?;
        Ok(Lock::take(&self.state)?)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}
