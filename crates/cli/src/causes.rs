//! The causes that keep an apply from its end. Takes the rounds of the apply and the plan that is left. The exit code
//! and the line that explains it are made from one list, so they never contradict each other.

use std::collections::BTreeSet;
use std::fmt;

use trustmason_host::converge::Round;
use trustmason_plan::outline::Plan;
use trustmason_spec::name::StoreId;

use crate::exit::ExitFacts;

/// The causes that keep an apply from its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Causes {
    /// Failures and blocked things. A person has to repair them.
    to_repair: Vec<CountedCause>,
    /// Tasks and approvals for a person.
    to_do: Vec<CountedCause>,
    interrupted: bool,
}

/// A reason why an apply is not at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Unwritten,
    LeftOut,
    NoPack,
    Unasked,
    Down,
    Trouble,
    Blocked,
    Restart,
    ByHand,
    Reply,
    Elsewhere,
    Follows,
}

impl Cause {
    /// The words for one and for several.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Unwritten => ("store was not written", "stores were not written"),
            Self::LeftOut => ("change was left out", "changes were left out"),
            Self::NoPack => ("pack was not written", "packs were not written"),
            Self::Unasked => ("key or request was not made", "keys or requests were not made"),
            Self::Down => ("service was not restarted", "services were not restarted"),
            Self::Trouble => ("problem is marked with ! above", "problems are marked with ! above"),
            Self::Blocked => ("item is blocked", "items are blocked"),
            Self::Restart => ("restart", "restarts"),
            Self::ByHand => ("task by hand", "tasks by hand"),
            Self::Reply => ("reply from a certificate authority", "replies from certificate authorities"),
            Self::Elsewhere => ("change on a host that was not selected", "changes on hosts that were not selected"),
            Self::Follows => ("follow-up change for the next apply", "follow-up changes for the next apply"),
        }
    }
}

/// A number of equal causes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CountedCause {
    number: usize,
    cause: Cause,
}

impl fmt::Display for CountedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, several) = self.cause.words();
        write!(f, "{} {}", self.number, if self.number == 1 { one } else { several })
    }
}

impl Causes {
    /// The causes in these rounds and in the plan that is left after them.
    pub(crate) fn of(rounds: &[Round], next: &Plan) -> Self {
        let mut to_repair = Tally::default();
        for round in rounds {
            let outcomes = &round.outcomes;
            let unwritten = outcomes.stores.iter().filter(|(_, outcome)| !outcome.is_done());
            let unwritten: BTreeSet<&StoreId> = unwritten.map(|(id, _)| id).collect();
            let left_out = round.plan.changes.iter().filter(|change| {
                let outcome = outcomes.changes.get(&change.id);
                outcome.is_some_and(|o| !o.is_done()) && !unwritten.contains(&change.store)
            });
            let no_pack = outcomes.packs.values().filter(|outcome| !outcome.is_done());
            to_repair.add(unwritten.len(), Cause::Unwritten);
            to_repair.add(left_out.count(), Cause::LeftOut);
            to_repair.add(no_pack.count(), Cause::NoPack);
            to_repair.add(outcomes.unasked.len(), Cause::Unasked);
            to_repair.add(round.restarts.iter().filter(|restarting| !restarting.is_up()).count(), Cause::Down);
            to_repair.add(outcomes.troubles.len() + round.troubles.len(), Cause::Trouble);
        }
        to_repair.add(next.blocked.len(), Cause::Blocked);
        let mut to_do = Tally::default();
        let waits = next.waits();
        to_do.add(waits.restarts.iter().filter(|restart| restart.rotation).count() + waits.later.len(), Cause::Restart);
        to_do.add(next.manual.len(), Cause::ByHand);
        to_do.add(waits.others.iter().filter(|wait| wait.reply().is_some()).count(), Cause::Reply);
        to_do.add(next.elsewhere(), Cause::Elsewhere);
        to_do.add(next.summary.changes(), Cause::Follows);
        let interrupted = rounds.iter().any(|round| round.interrupted);
        Self { to_repair: to_repair.0, to_do: to_do.0, interrupted }
    }

    /// The facts that decide the exit code.
    pub(crate) fn facts(&self) -> ExitFacts {
        let Self { to_repair, to_do, interrupted } = self;
        ExitFacts {
            interrupted: *interrupted,
            blocked: !to_repair.is_empty(),
            waiting: !to_do.is_empty(),
            ..ExitFacts::FINE
        }
    }

    /// Whether anything failed that these rounds began.
    pub(crate) fn has_failed(&self) -> bool {
        self.to_repair.iter().any(|counted| counted.cause != Cause::Blocked)
    }

    /// Each cause in words, the gravest first.
    pub(crate) fn words(&self) -> Vec<String> {
        self.to_repair.iter().chain(&self.to_do).map(ToString::to_string).collect()
    }

    /// The line with the exit code and its causes. `None` if the exit code is 0.
    pub(crate) fn line(&self) -> Option<String> {
        let words = |causes: &[CountedCause]| causes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let parts = [("to repair: ", &self.to_repair), ("still to do: ", &self.to_do)];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(_, all)| !all.is_empty())
            .map(|(what, all)| format!("{what}{}", words(all)))
            .collect();
        let code = self.facts().code();
        (code != 0 && !parts.is_empty()).then(|| format!("Exit {code}; {}.", parts.join("; ")))
    }
}

#[derive(Default)]
struct Tally(Vec<CountedCause>);

impl Tally {
    fn add(&mut self, number: usize, cause: Cause) {
        match self.0.iter_mut().find(|counted| counted.cause == cause) {
            Some(counted) => counted.number += number,
            None if number > 0 => self.0.push(CountedCause { number, cause }),
            None => {}
        }
    }
}
