//! The exit code, computed from the facts of a command here and nowhere else (`docs/exit-codes.md`).

use std::process::ExitCode;

use trustmason_plan::outline::Summary;

/// The exit code of an interrupted run, even if a second signal ends the run at once.
pub(crate) const INTERRUPTED: u8 = 130;

/// The facts of a command. If several are true, the gravest decides: 64 > 130 > 1 > 3 > 4 > 5 > 2 > 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExitFacts {
    /// The command line was wrong.
    pub(crate) usage: bool,
    /// A person interrupted the run. The store in work was finished, and the next run continues.
    pub(crate) interrupted: bool,
    /// Nothing was done: bad spec, bad plan file, declined, lock held.
    pub(crate) refused: bool,
    /// The saved plan no longer holds.
    pub(crate) outdated: bool,
    /// Something is blocked, or a store failed.
    pub(crate) blocked: bool,
    /// A person must act before more can be done.
    pub(crate) waiting: bool,
    /// Drift, or changes pending.
    pub(crate) pending: bool,
}

impl ExitFacts {
    /// Nothing is wrong and nothing is left to do.
    pub(crate) const FINE: Self = Self {
        usage: false,
        interrupted: false,
        refused: false,
        outdated: false,
        blocked: false,
        waiting: false,
        pending: false,
    };
    /// The command line was wrong.
    pub(crate) const USAGE: Self = Self { usage: true, ..Self::FINE };
    /// Nothing was done.
    pub(crate) const REFUSED: Self = Self { refused: true, ..Self::FINE };
    /// The saved plan no longer holds.
    pub(crate) const OUTDATED: Self = Self { outdated: true, ..Self::FINE };

    /// The facts of a plan for `plan --detailed-exitcode`. Everything that is left for anybody counts as pending.
    pub(crate) fn of_plan(summary: &Summary) -> Self {
        Self {
            blocked: summary.blocked > 0,
            pending: summary.changes() + summary.manual + summary.unobserved + summary.waiting > 0,
            ..Self::FINE
        }
    }

    /// The exit code.
    pub(crate) fn code(self) -> u8 {
        let Self { usage, interrupted, refused, outdated, blocked, waiting, pending } = self;
        let facts = [
            (usage, 64),
            (interrupted, INTERRUPTED),
            (refused, 1),
            (outdated, 3),
            (blocked, 4),
            (waiting, 5),
            (pending, 2),
        ];
        facts.into_iter().find_map(|(is, code)| is.then_some(code)).unwrap_or(0)
    }
}

impl From<ExitFacts> for ExitCode {
    fn from(facts: ExitFacts) -> Self {
        Self::from(facts.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_fact_decides() {
        let mut facts = ExitFacts {
            usage: true,
            interrupted: true,
            refused: true,
            outdated: true,
            blocked: true,
            waiting: true,
            pending: true,
        };
        assert_eq!(facts.code(), 64);
        facts.usage = false;
        assert_eq!(facts.code(), 130);
        facts.interrupted = false;
        assert_eq!(facts.code(), 1);
        facts.refused = false;
        assert_eq!(facts.code(), 3);
        facts.outdated = false;
        assert_eq!(facts.code(), 4);
        facts.blocked = false;
        assert_eq!(facts.code(), 5);
        facts.waiting = false;
        assert_eq!(facts.code(), 2);
        facts.pending = false;
        assert_eq!(facts.code(), 0);
    }
}
