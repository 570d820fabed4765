//! The hosts and the side that a plan is limited to. A run that was applied to side A goes on with side A. Only a new
//! request widens the scope.

use trustmason_plan::ledger::Ledger;
use trustmason_plan::outline::PlanOptions;
use trustmason_spec::topology::Side;

/// The hosts and the side that a plan is limited to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Globs over host names; an empty list means all hosts.
    pub hosts: Vec<String>,
    /// The side; `None` means both.
    pub side: Option<Side>,
}

impl Scope {
    /// The scope of a plan.
    pub fn of(options: &PlanOptions) -> Self {
        Self { hosts: options.hosts.clone(), side: options.side }
    }

    /// The scope of the newest run.
    pub fn of_newest_run(ledger: &Ledger) -> Self {
        ledger.runs.last().map_or_else(Self::default, |run| Self { hosts: run.hosts.clone(), side: run.side })
    }

    /// The options of a whole plan, limited to this scope.
    #[must_use]
    pub fn limited(&self, whole: &PlanOptions) -> PlanOptions {
        PlanOptions { hosts: self.hosts.clone(), side: self.side, ..whole.clone() }
    }
}

/// The options of the plans that follow in the same run. Options that count once (a replacement certificate, a day to
/// judge by) are left out.
pub(super) fn onwards(options: &PlanOptions) -> PlanOptions {
    PlanOptions { replace: Vec::new(), at: None, ..options.clone() }
}
