//! Restarts services by their commands after a round. A service is restarted if its restart counts now and it has a
//! command, in the steps of the plan: the sides of a role, and the nodes of a cluster, are never in the same step.
//! After the first failure no other service is restarted: if a side does not come up, the other side keeps running. The
//! services that came up are acknowledged.

use std::collections::BTreeMap;

use trustmason_plan::outline::{Plan, Restart};
use trustmason_spec::name::ServiceId;
use trustmason_spec::topology::RestartCommand;

use super::{ConvergeEvent, Observation, Reconciler, RoundTrouble, Tell};
use crate::restart::{self, RestartError, Restarted};
use crate::state::lock::Lock;

/// A service whose restart command was run.
#[derive(Debug)]
pub struct Restarting {
    /// The service.
    pub service: ServiceId,
    /// The output and the duration of the command, or the reason why the service is not up.
    pub outcome: Result<Restarted, RestartError>,
}

impl Restarting {
    /// Whether the service is up again.
    pub fn is_up(&self) -> bool {
        self.outcome.is_ok()
    }
}

impl Reconciler<'_> {
    /// The pending restarts of a plan that are made by a command, in their order.
    pub(super) fn due<'p>(&'p self, plan: &'p Plan) -> impl Iterator<Item = (&'p Restart, &'p RestartCommand)> {
        let services = &self.declared.topology.services;
        plan.waits()
            .restarts
            .into_iter()
            .filter_map(|restart| Some((restart, services.get(&restart.service)?.restart.as_ref()?)))
    }

    /// Restarts the services that a plan waits for, until one fails or the run is asked to stop.
    pub(super) fn restart(&self, plan: &Plan, tell: Tell<'_>) -> Vec<Restarting> {
        let mut begun = Vec::new();
        for (restart, command) in self.due(plan) {
            if self.stopped() {
                break;
            }
            tell(ConvergeEvent::Restarting(restart));
            let outcome = restart::restart(command, &self.secrets);
            let restarting = Restarting { service: restart.service.clone(), outcome };
            let goes_on = restarting.is_up();
            begun.push(restarting);
            if !goes_on {
                break;
            }
        }
        begun
    }

    /// Acknowledges the restarts of the services that are up again, in the name of the person who began the run.
    pub(super) fn acknowledge_up(
        &self,
        restarts: &[Restarting],
        who: &str,
        observation: &Observation,
        plan: &Plan,
        lock: &mut Lock,
    ) -> Result<(), RoundTrouble> {
        let up = restarts.iter().filter(|restarting| restarting.is_up());
        let up: BTreeMap<_, _> = up.map(|up| (up.service.clone(), format!("{who}, by its command"))).collect();
        if up.is_empty() {
            return Ok(());
        }
        let services = up.keys().cloned().collect();
        match self.acknowledge(up, observation, plan, lock) {
            Ok(unread) if unread.is_empty() => Ok(()),
            Ok(unread) => Err(RoundTrouble::Unread(unread)),
            Err(cause) => Err(RoundTrouble::Unacknowledged { cause, spec: plan.options.spec.clone(), services }),
        }
    }
}
