//! What a plan is limited to: hosts and a side. Who applied to side A and restarted there goes on with side A; nothing but a new
//! question widens it.

use trustmason_plan::ledger::Ledger;
use trustmason_plan::outline::Options;
use trustmason_spec::topology::Side;

/// The hosts and the side that a plan is limited to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Globs over host names; none are all hosts.
    pub hosts: Vec<String>,
    /// The side; none are both.
    pub side: Option<Side>,
}

impl Scope {
    /// That of a plan.
    pub fn of(options: &Options) -> Self {
        Self { hosts: options.hosts.clone(), side: options.side }
    }

    /// That of the newest run.
    pub fn of_newest_run(ledger: &Ledger) -> Self {
        ledger.runs.last().map_or_else(Self::default, |run| Self { hosts: run.hosts.clone(), side: run.side })
    }

    /// The options of a whole plan, limited.
    #[must_use]
    pub fn limited(&self, whole: &Options) -> Options {
        Options { hosts: self.hosts.clone(), side: self.side, ..whole.clone() }
    }
}

/// The options of the plans that follow in one run: what was asked once (a certificate to be made anew, a day to judge by) is not
/// asked again.
pub(super) fn onwards(options: &Options) -> Options {
    Options { replace: Vec::new(), at: None, ..options.clone() }
}
