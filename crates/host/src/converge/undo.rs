//! A rollback, from what would be taken back to what is left afterwards. It never restarts a service:
//! [`TakenBack::restarts`] names the services that a person must restart.

use trustmason_plan::outline::{Plan, PlanOptions, Restart};
use trustmason_plan::run_id::RunId;

use super::{LookError, Observation, Reconciler, Tell};
use crate::record::approval::Approval;
use crate::record::audit::Author;
use crate::rollback::{self, Outlook, RollbackContext, RollbackError, RollbackOutcome, RollbackRequest};
use crate::state::lock::Lock;

/// A run that was taken back.
#[derive(Debug)]
pub struct TakenBack {
    /// The outcome of the rollback.
    pub undone: RollbackOutcome,
    /// The whole plan that is left, or why it cannot be determined.
    pub left: Result<Plan, LookError>,
}

impl TakenBack {
    /// The services that must be restarted because their stores changed again, in their order. It is empty if the
    /// remaining plan cannot be determined.
    pub fn restarts(&self) -> Vec<&Restart> {
        let left = self.left.iter().flat_map(|plan| &plan.restarts);
        left.filter(|restart| self.undone.restarts.contains(&restart.service)).collect()
    }
}

impl Reconciler<'_> {
    /// The effect of a rollback of a run. If no run is named, it is the newest run that wrote something and was not taken
    /// back.
    ///
    /// # Errors
    /// [`RollbackError`]: why nothing may be taken back.
    pub fn outlook(&self, observation: &Observation, run: Option<&RunId>) -> Result<Outlook, RollbackError> {
        rollback::outlook(self.context(observation), run)
    }

    /// The facts that an approved rollback is judged by. After a person was asked the estate is looked at again,
    /// because it may have changed while they decided.
    ///
    /// # Errors
    /// [`LookError`]: nothing may be judged.
    pub fn approved(
        &self,
        observation: Observation,
        approval: Approval,
        tell: Tell<'_>,
    ) -> Result<Observation, LookError> {
        match approval {
            Approval::Asked => self.look(tell),
            Approval::Auto | Approval::SavedPlan | Approval::Pinned => Ok(observation),
        }
    }

    /// Takes a run back, and plans the whole estate again.
    ///
    /// # Errors
    /// [`RollbackError`]: nothing was done.
    pub fn roll_back(
        &self,
        run: &RunId,
        observation: &Observation,
        author: Author<'_>,
        whole: &PlanOptions,
        lock: &mut Lock,
        tell: Tell<'_>,
    ) -> Result<TakenBack, RollbackError> {
        let request = RollbackRequest { run: Some(run), context: self.context(observation), author };
        let undone = rollback::rollback(request, &self.disk, lock)?;
        let left = self.look(tell).map(|observation| self.plan(&observation, whole));
        Ok(TakenBack { undone, left })
    }

    fn context<'s>(&'s self, observation: &'s Observation) -> RollbackContext<'s> {
        RollbackContext {
            state: &self.state,
            topology: self.declared.topology,
            ledger: &observation.ledger,
            observed: &observation.observed,
            secrets: &self.secrets,
            certificates: &self.certificates,
            now: self.clock.exactly(),
        }
    }
}
