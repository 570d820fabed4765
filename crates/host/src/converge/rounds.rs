//! Carries out a plan in rounds. A round carries out one phase and restarts the services that have a command. The next
//! phase follows only if the plan that a person approved foretold all of its changes and nothing waits for a person.

use trustmason_keystore::Digest;
use trustmason_plan::outline::{Forecast, Plan, PlanOptions};
use trustmason_plan::wire::Document;

use super::limits::writers;
use super::scope::onwards;
use super::{ConvergeError, ConvergeEvent, LookError, Observation, Reconciler, Restarting, RoundTrouble, Tell};
use crate::record::audit::Author;
use crate::run::{self, Outcomes, RunContext, RunRequest};
use crate::state::lock::Lock;

/// An approved plan and what it was made from.
#[derive(Debug)]
pub struct ApprovedPlan<'a> {
    /// The facts and the ledger that the plan was made from.
    pub observation: Observation,
    /// The plan.
    pub plan: Plan,
    /// The author of the run, and the approval of the plan.
    pub author: Author<'a>,
}

/// One phase.
#[derive(Debug)]
pub struct Round {
    /// The plan that was carried out.
    pub plan: Plan,
    /// The outcome of each store and pack.
    pub outcomes: Outcomes,
    /// The services restarted by their commands afterwards.
    pub restarts: Vec<Restarting>,
    /// The other failures of the phase.
    pub troubles: Vec<RoundTrouble>,
    /// Whether the run was asked to stop.
    pub interrupted: bool,
}

impl Round {
    fn of(plan: Plan, outcomes: Outcomes) -> Self {
        let interrupted = outcomes.interrupted;
        Self { plan, outcomes, restarts: Vec::new(), troubles: Vec::new(), interrupted }
    }

    /// Whether everything in the plan was done, without trouble. Restarts are no part of the plan.
    pub fn is_complete(&self) -> bool {
        self.outcomes.is_complete() && self.troubles.is_empty()
    }

    /// Whether another round may follow.
    fn goes_on(&self) -> bool {
        self.is_complete() && !self.interrupted && self.restarts.iter().all(Restarting::is_up)
    }
}

/// The outcome of all rounds.
#[derive(Debug)]
pub struct Converged {
    /// The rounds that were done, at least one.
    pub rounds: Vec<Round>,
    /// The plan that is left; the last known plan if that cannot be determined.
    pub next: Plan,
}

impl Reconciler<'_> {
    /// Carries out a plan, restarts the services that have a command for it, and goes on with later phases that the
    /// plan foretold, until a person must act.
    ///
    /// # Errors
    /// [`ConvergeError`]: nothing was done. After the first round began, a failure is recorded as a trouble of its
    /// round instead.
    pub fn converge(
        &self,
        begun: ApprovedPlan<'_>,
        lock: &mut Lock,
        tell: Tell<'_>,
    ) -> Result<Converged, ConvergeError> {
        let ApprovedPlan { mut observation, mut plan, author } = begun;
        let options = onwards(&plan.options);
        let foretold = plan.forecast.clone();
        let mut rounds: Vec<Round> = Vec::new();
        loop {
            let outcomes = match (self.run(&observation, &plan, author, lock, &mut *tell), rounds.last_mut()) {
                (Ok(outcomes), _) => outcomes,
                (Err(error), None) => return Err(error),
                (Err(error), Some(before)) => {
                    before.troubles.push(RoundTrouble::NotBegun(error));
                    return Ok(Converged { rounds, next: plan });
                }
            };
            let mut round = Round::of(plan, outcomes);
            let left = self.follow(&mut round, &mut observation, &options, author, lock, &mut *tell);
            round.interrupted |= self.stopped();
            let next = match left {
                Ok(next) => next,
                Err(error) => {
                    round.troubles.push(error.into());
                    round.plan.clone()
                }
            };
            // A round with a trouble is the last one. One such trouble is that the remaining plan cannot be determined.
            let goes_on = round.goes_on() && is_foretold(&next, &foretold);
            rounds.push(round);
            if !goes_on {
                return Ok(Converged { rounds, next });
            }
            plan = next;
        }
    }

    /// Whether carrying out the plan would begin no run and restart no service. The files of completed packs are
    /// removed all the same.
    pub fn is_idle(&self, observation: &Observation, plan: &Plan) -> bool {
        run::is_idle(plan, &observation.observed, &observation.ledger, &self.state) && self.due(plan).next().is_none()
    }

    /// Restarts the services that the remaining plan waits for, provided that the whole round was done. Returns the
    /// plan that is left after the restarts.
    fn follow(
        &self,
        round: &mut Round,
        observation: &mut Observation,
        options: &PlanOptions,
        author: Author<'_>,
        lock: &mut Lock,
        tell: Tell<'_>,
    ) -> Result<Plan, LookError> {
        let untouched = round.outcomes.run.is_none() && round.plan.changes.is_empty();
        let next = if untouched { round.plan.clone() } else { self.again(observation, options, &mut *tell)? };
        if !round.outcomes.is_complete() {
            return Ok(next);
        }
        round.restarts = self.restart(&next, &mut *tell);
        round.troubles.extend(self.acknowledge_up(&round.restarts, author.who, observation, &next, lock).err());
        if round.restarts.iter().any(Restarting::is_up) { self.again(observation, options, tell) } else { Ok(next) }
    }

    fn again(&self, observation: &mut Observation, options: &PlanOptions, tell: Tell<'_>) -> Result<Plan, LookError> {
        *observation = self.look(tell)?;
        Ok(self.plan(observation, options))
    }

    fn run(
        &self,
        observation: &Observation,
        plan: &Plan,
        author: Author<'_>,
        lock: &mut Lock,
        tell: Tell<'_>,
    ) -> Result<Outcomes, ConvergeError> {
        let text = Document::of(plan, self.tool_version).text()?;
        let request = RunRequest {
            plan,
            digest: Digest::of(text.as_bytes()),
            topology: self.declared.topology,
            observed: &observation.observed,
            ledger: &observation.ledger,
            now: self.clock.exactly(),
            author,
        };
        let context = RunContext {
            disk: &self.disk,
            secrets: &self.secrets,
            certificates: &self.certificates,
            keys: self.keys,
            threads: writers(),
            stop: &self.stop,
        };
        tell(ConvergeEvent::Running { plan });
        let outcomes = run::run(request, context, lock, &mut |event| tell(ConvergeEvent::Run(event)));
        tell(ConvergeEvent::Ran);
        Ok(outcomes?)
    }
}

/// Whether a plan has changes, and the approved plan foretold all of them.
fn is_foretold(next: &Plan, foretold: &[Forecast]) -> bool {
    let is = |change| foretold.iter().any(|one| one.foretells(change));
    !next.changes.is_empty() && next.changes.iter().all(is)
}
