//! Records what an operator reports about an estate, with what this machine knows of it: services restarted, a pack
//! carried out, the clock right, certificates that are those of their services.

use std::collections::BTreeMap;

use trustmason_plan::clock::{ClockVerdict, Evidence, judge};
use trustmason_plan::outline::Plan;
use trustmason_spec::name::ServiceId;

use super::{Observation, Reconciler};
use crate::clock::{self, AcceptClockError};
use crate::disk::DiskError;
use crate::record::audit::Author;
use crate::state::lock::Lock;
use crate::word::ack::{self, RestartReport, UnprovenRestart};
use crate::word::collect::{self, CollectError, Fetched};
use crate::word::confirm::{self, Claim, ConfirmError, Confirmed};
use crate::word::decision::DecisionError;

impl Reconciler<'_> {
    /// Records that services were restarted, each with the person who reports it. Returns the services for which this
    /// cannot be recorded.
    ///
    /// # Errors
    /// [`DecisionError`].
    pub fn acknowledge(
        &self,
        restarted: BTreeMap<ServiceId, String>,
        observation: &Observation,
        plan: &Plan,
        lock: &mut Lock,
    ) -> Result<Vec<UnprovenRestart>, DecisionError> {
        let word = RestartReport { restarted, plan, topology: self.declared.topology, now: self.now() };
        ack::ack(word, &observation.ledger, &self.disk, lock)
    }

    /// Records what an operator reports about a hand-off.
    ///
    /// # Errors
    /// [`ConfirmError`].
    pub fn confirm(&self, claim: Claim<'_>, lock: &mut Lock) -> Result<Confirmed, ConfirmError> {
        confirm::confirm(claim, &self.disk, &self.secrets, &self.certificates, lock)
    }

    /// Why this machine's clock cannot be right, judged by what was seen; `None` if nothing speaks against it.
    pub fn doubt(&self, observation: &Observation) -> Option<ClockVerdict> {
        let verdict = judge(self.now(), &Evidence::of(self.declared.topology, &observation.observed));
        (verdict != ClockVerdict::Right).then_some(verdict)
    }

    /// Records that an operator declares the clock right in spite of this verdict. `sight` gets the ledger that is
    /// stored then.
    ///
    /// # Errors
    /// [`AcceptClockError`]; nothing may be begun.
    pub fn vouch(
        &self,
        verdict: &ClockVerdict,
        by: &str,
        observation: &mut Observation,
        lock: &mut Lock,
    ) -> Result<(), AcceptClockError> {
        let (now, topology) = (self.clock.exactly(), self.declared.topology);
        observation.ledger = clock::accept(verdict, now, by, topology, &observation.ledger, &self.disk, lock)?;
        Ok(())
    }

    /// Writes certificates that services present into the folder where the spec looks for them, because a person said
    /// they are genuine.
    ///
    /// # Errors
    /// [`CollectError`].
    pub fn file(
        &self,
        fetched: &[Fetched<'_>],
        author: Author<'_>,
        lock: &mut Lock,
    ) -> Result<Vec<Result<(), DiskError>>, CollectError> {
        collect::file(fetched, &self.declared.topology.certificates_dir, author, self.now(), &self.disk, lock)
    }
}
