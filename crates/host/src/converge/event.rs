//! The events that are reported while an estate is looked at and a plan is carried out. The caller shows them to
//! people; they decide nothing.

use trustmason_plan::observed::Unclear;
use trustmason_plan::outline::{Plan, Restart};
use trustmason_plan::run_id::RunId;

use crate::run;

/// The function that hears the events.
pub type Tell<'a> = &'a mut dyn FnMut(ConvergeEvent<'_>);

/// Reported as it happens.
#[derive(Clone, Copy, Debug)]
pub enum ConvergeEvent<'a> {
    /// Other accounts can look into the state folder.
    Exposed {
        /// The message about the files that these accounts can read.
        warning: &'a str,
    },
    /// A run that was cut off was completed from its journal.
    Recovered {
        /// The run.
        run: &'a RunId,
    },
    /// It cannot be determined yet what a run did to a store.
    Unclear(&'a Unclear),
    /// Looking begins.
    Looking {
        /// How many things are looked at.
        items: usize,
    },
    /// Looking has ended.
    Looked,
    /// A plan begins to be carried out.
    Running {
        /// The plan.
        plan: &'a Plan,
    },
    /// An event of the run that carries out the plan.
    Run(run::RunEvent<'a>),
    /// The run has ended, or did not begin.
    Ran,
    /// The command that restarts a service begins.
    Restarting(&'a Restart),
}
