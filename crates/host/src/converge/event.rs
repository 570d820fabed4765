//! What is told while an estate is looked at and a plan carried out, for whoever shows it to people.

use trustmason_plan::observed::Unclear;
use trustmason_plan::outline::{Plan, Restart};
use trustmason_plan::run_id::RunId;

use crate::run;

/// Whom events are told.
pub type Tell<'a> = &'a mut dyn FnMut(Event<'_>);

/// Told as it happens.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Others can look into the state folder.
    Exposed {
        /// What they can look into, in words.
        warning: &'a str,
    },
    /// A run that was cut off was completed from its journal.
    Recovered {
        /// The run.
        run: &'a RunId,
    },
    /// What a run did to a store cannot be told yet.
    Unclear(&'a Unclear),
    /// Looking begins.
    Looking {
        /// How much there is to look at.
        items: usize,
    },
    /// Looking has ended.
    Looked,
    /// A plan begins to be carried out.
    Running {
        /// The plan.
        plan: &'a Plan,
    },
    /// Something of it happened.
    Run(run::Event<'a>),
    /// It has ended, or did not begin.
    Ran,
    /// The command that restarts a service begins.
    Restarting(&'a Restart),
}
