//! A rollback, from what would be taken back to what is left afterwards. No service is restarted by it: which of them must be, a
//! person is told ([`TakenBack::restarts`]).

use trustmason_plan::outline::{Options, Plan, Restart};
use trustmason_plan::run_id::RunId;

use super::{LookError, Reconciler, Sight, Tell};
use crate::record::approval::Approval;
use crate::record::audit::Author;
use crate::rollback::{self, Looking, Outlook, Request, RollbackError, Undone};
use crate::state::lock::Lock;

/// What was taken back.
#[derive(Debug)]
pub struct TakenBack {
    /// What came of the rollback.
    pub undone: Undone,
    /// The whole plan that is left, where that can be told.
    pub left: Result<Plan, LookError>,
}

impl TakenBack {
    /// The services that must be restarted since their stores changed again, in their order; none where what is left cannot be
    /// told.
    pub fn restarts(&self) -> Vec<&Restart> {
        let left = self.left.iter().flat_map(|plan| &plan.restarts);
        left.filter(|restart| self.undone.restarts.contains(&restart.service)).collect()
    }
}

impl Reconciler<'_> {
    /// What a rollback would do. Where no run is named, it is the newest that wrote something and was not taken back.
    ///
    /// # Errors
    /// [`RollbackError`]: why nothing may be taken back.
    pub fn outlook(&self, sight: &Sight, run: Option<&RunId>) -> Result<Outlook, RollbackError> {
        rollback::outlook(self.looking(sight), run)
    }

    /// What a rollback is judged by once it is approved: a person took their time, and what counts is what is there now.
    ///
    /// # Errors
    /// [`LookError`]: nothing may be judged.
    pub fn approved(&self, sight: Sight, approval: Approval, tell: Tell<'_>) -> Result<Sight, LookError> {
        match approval {
            Approval::Asked => self.look(tell),
            Approval::Auto | Approval::SavedPlan | Approval::Pinned => Ok(sight),
        }
    }

    /// Takes a run back, and looks at what is left of a whole plan.
    ///
    /// # Errors
    /// [`RollbackError`]: nothing was done.
    pub fn roll_back(
        &self,
        run: &RunId,
        sight: &Sight,
        author: Author<'_>,
        whole: &Options,
        lock: &mut Lock,
        tell: Tell<'_>,
    ) -> Result<TakenBack, RollbackError> {
        let request = Request { run: Some(run), looking: self.looking(sight), author };
        let undone = rollback::rollback(request, &self.disk, lock)?;
        let left = self.look(tell).map(|sight| self.plan(&sight, whole));
        Ok(TakenBack { undone, left })
    }

    fn looking<'s>(&'s self, sight: &'s Sight) -> Looking<'s> {
        Looking {
            state: &self.state,
            topology: self.declared.topology,
            ledger: &sight.ledger,
            observed: &sight.observed,
            secrets: &self.secrets,
            certificates: &self.certificates,
            now: self.clock.exactly(),
        }
    }
}
