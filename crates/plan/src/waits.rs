//! The restarts, hand-offs and replies that a plan waits for now. They are computed once, here: for the list of
//! restarts, for restarts by command, for acknowledgements, and for reports of what is left. Nothing is acknowledged
//! here.

use std::collections::BTreeSet;

use trustmason_spec::name::ServiceId;

use crate::outline::{Plan, Restart, Wait};
use crate::target::TargetName;

/// The restarts, hand-offs and replies that a plan waits for now.
#[derive(Clone, Debug, Default)]
pub struct Waits<'a> {
    /// The restarts that count now, in their order.
    pub restarts: Vec<&'a Restart>,
    /// The restarts that count only after these hand-offs are confirmed, in their order.
    pub later: Vec<(&'a Restart, &'a BTreeSet<TargetName>)>,
    /// The hand-offs and replies that a rotation waits for.
    pub others: Vec<&'a Wait>,
}

impl Waits<'_> {
    /// Whether nobody must do anything before the next apply.
    pub fn is_empty(&self) -> bool {
        self.restarts.is_empty() && self.later.is_empty() && self.others.is_empty()
    }
}

/// Why an acknowledgement of a restart would count for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Nothing waits for the restart.
    Unneeded,
    /// Hand-offs must be confirmed first ([`Plan::first`]).
    First,
    /// The next apply changes what the service reads.
    Changes,
}

impl Plan {
    /// The events that the plan waits for now. A restart that an earlier run made necessary always counts.
    pub fn waits(&self) -> Waits<'_> {
        let mut waits = Waits::default();
        for restart in &self.restarts {
            match self.judged(restart) {
                Ok(()) => waits.restarts.push(restart),
                Err(Idle::First) => {
                    waits.later.extend(self.first.get(&restart.service).map(|first| (restart, first)));
                }
                Err(Idle::Unneeded | Idle::Changes) => {}
            }
        }
        let reached = self.barriers.first().filter(|_| self.changes.is_empty());
        let reached = reached.into_iter().flat_map(|barrier| &barrier.waits_for);
        waits.others = reached.filter(|wait| wait.restart().is_none()).collect();
        waits
    }

    /// Whether an acknowledgement of a service's restart counts now. A person who restarts several services one after
    /// the other may acknowledge each, even if this plan first has changes to make elsewhere.
    ///
    /// # Errors
    /// [`Idle`]: why the acknowledgement would count for nothing.
    pub fn counts(&self, service: &ServiceId) -> Result<(), Idle> {
        let restart = self.restarts.iter().find(|restart| restart.service == *service);
        restart.map_or(Err(Idle::Unneeded), |restart| self.judged(restart))
    }

    fn judged(&self, restart: &Restart) -> Result<(), Idle> {
        match restart {
            Restart { pending_since: Some(_), .. } => Ok(()),
            Restart { because, .. } if !because.is_empty() => Err(Idle::Changes),
            Restart { rotation: true, service, .. } if self.first.contains_key(service) => Err(Idle::First),
            Restart { rotation, .. } => rotation.then_some(()).ok_or(Idle::Unneeded),
        }
    }
}
