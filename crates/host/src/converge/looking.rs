//! Looks at an estate and plans it, before a run and after one. It takes the spec and the state folder, and gives what
//! was seen and the plan that follows. It writes nothing.

use std::collections::BTreeSet;

use jiff::Timestamp;
use trustmason_plan::observed::Observed;
use trustmason_plan::outline::{Plan, PlanOptions};
use trustmason_spec::survey::Survey;

use super::{ConvergeEvent, LookError, Reconciler, Scope, Tell, owner};
use crate::look::{self, LookContext};
use crate::record::ledger::{self, Loaded};

/// The result of looking at the estate.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The facts.
    pub observed: Observed,
    /// The ledger that was loaded before the estate was looked at.
    pub ledger: Loaded,
}

/// The changes that are left after an acknowledgement or confirmation was recorded.
#[derive(Clone, Debug)]
pub struct RemainingWork {
    /// The plan, limited to the scope.
    pub plan: Plan,
    /// The scope of the newest run. An acknowledgement or confirmation belongs to what that run began.
    pub scope: Scope,
    /// Whether the newest run took another run back, so that the spec still asks for what was taken back.
    pub undone: bool,
}

impl Reconciler<'_> {
    /// Looks at everything that a plan of the estate is made from, including the spec and its profiles.
    ///
    /// # Errors
    /// [`LookError`]: nothing may be judged.
    pub fn look(&self, tell: Tell<'_>) -> Result<Observation, LookError> {
        let topology = self.declared.topology;
        owner::is_ours(&self.state)?;
        for warning in self.state.warnings() {
            tell(ConvergeEvent::Exposed { warning: &warning });
        }
        let mut ledger = ledger::load(&self.state, topology)?;
        let unclear: BTreeSet<_> = ledger.unclear.iter().map(|unclear| &unclear.run).collect();
        for run in ledger.recovered.iter().filter(|run| !unclear.contains(run)) {
            tell(ConvergeEvent::Recovered { run });
        }
        for unclear in &ledger.unclear {
            tell(ConvergeEvent::Unclear(unclear));
        }
        let context = LookContext { state: &self.state, secrets: &self.secrets, certificates: &self.certificates };
        let survey = Survey::of(topology);
        tell(ConvergeEvent::Looking { items: survey.looks.len() });
        let mut observed = look::look(&survey, &ledger, context);
        tracing::info!(stores = observed.stores.len(), inputs = observed.inputs.len(), "looked");
        for input in self.declared.inputs {
            if !observed.inputs.contains(input) {
                observed.inputs.push(input.clone());
            }
        }
        ledger.notice(topology, &mut observed, self.now());
        tell(ConvergeEvent::Looked);
        Ok(Observation { observed, ledger })
    }

    /// The plan as of now, or as of the day that the options name.
    pub fn plan(&self, observation: &Observation, options: &PlanOptions) -> Plan {
        self.plan_made(observation, options, self.now())
    }

    /// The plan as it would have been made at the moment `made`, or on the day that the options name.
    pub fn plan_made(&self, observation: &Observation, options: &PlanOptions, made: Timestamp) -> Plan {
        trustmason_plan::plan(self.declared.topology, &observation.observed, options, options.at.unwrap_or(made))
    }

    /// The changes that are left after an acknowledgement or confirmation was recorded.
    ///
    /// # Errors
    /// [`LookError`]: the changes that are left cannot be determined. The record stays.
    pub fn left(&self, whole: &PlanOptions, tell: Tell<'_>) -> Result<RemainingWork, LookError> {
        let observation = self.look(tell)?;
        let ledger = &observation.ledger.ledger;
        let (scope, undone) =
            (Scope::of_newest_run(ledger), ledger.runs.last().is_some_and(|run| run.undoes.is_some()));
        Ok(RemainingWork { plan: self.plan(&observation, &scope.limited(whole)), scope, undone })
    }
}
