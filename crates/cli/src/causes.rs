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
    mend: Vec<CountedCause>,
    /// Tasks and approvals for a person.
    act: Vec<CountedCause>,
    interrupted: bool,
}

/// A number of equal causes, with the words for one and for several.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CountedCause {
    number: usize,
    what: Plural,
}

type Plural = (&'static str, &'static str);

const UNWRITTEN: Plural = ("store was not written", "stores were not written");
const LEFT_OUT: Plural = ("change was left out", "changes were left out");
const NO_PACK: Plural = ("pack was not written", "packs were not written");
const UNASKED: Plural = ("key or request was not made", "keys or requests were not made");
const DOWN: Plural = ("service was not restarted", "services were not restarted");
const TROUBLE: Plural = ("problem is marked with ! above", "problems are marked with ! above");
const BLOCKED: Plural = ("item is blocked", "items are blocked");
const RESTART: Plural = ("restart", "restarts");
const BY_HAND: Plural = ("task by hand", "tasks by hand");
const REPLY: Plural = ("reply from a certificate authority", "replies from certificate authorities");
const ELSEWHERE: Plural = ("change on a host that was not selected", "changes on hosts that were not selected");
const FOLLOWS: Plural = ("follow-up change for the next apply", "follow-up changes for the next apply");

impl fmt::Display for CountedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, what: (one, several) } = self;
        write!(f, "{number} {}", if *number == 1 { one } else { several })
    }
}

impl Causes {
    /// The causes in these rounds and in the plan that is left after them.
    pub(crate) fn of(rounds: &[Round], next: &Plan) -> Self {
        let mut mend = Tally::default();
        for round in rounds {
            let outcomes = &round.outcomes;
            let unwritten = outcomes.stores.iter().filter(|(_, outcome)| !outcome.is_done());
            let unwritten: BTreeSet<&StoreId> = unwritten.map(|(id, _)| id).collect();
            let left_out = round.plan.changes.iter().filter(|change| {
                let outcome = outcomes.changes.get(&change.id);
                outcome.is_some_and(|o| !o.is_done()) && !unwritten.contains(&change.store)
            });
            let no_pack = outcomes.packs.values().filter(|outcome| !outcome.is_done());
            mend.add(unwritten.len(), UNWRITTEN);
            mend.add(left_out.count(), LEFT_OUT);
            mend.add(no_pack.count(), NO_PACK);
            mend.add(outcomes.unasked.len(), UNASKED);
            mend.add(round.restarts.iter().filter(|restarting| !restarting.is_up()).count(), DOWN);
            mend.add(outcomes.troubles.len() + round.troubles.len(), TROUBLE);
        }
        mend.add(next.blocked.len(), BLOCKED);
        let mut act = Tally::default();
        let waits = next.waits();
        act.add(waits.restarts.iter().filter(|restart| restart.rotation).count() + waits.later.len(), RESTART);
        act.add(next.manual.len(), BY_HAND);
        act.add(waits.others.iter().filter(|wait| wait.reply().is_some()).count(), REPLY);
        act.add(next.elsewhere(), ELSEWHERE);
        act.add(next.summary.changes(), FOLLOWS);
        let interrupted = rounds.iter().any(|round| round.interrupted);
        Self { mend: mend.0, act: act.0, interrupted }
    }

    /// The facts that decide the exit code.
    pub(crate) fn facts(&self) -> ExitFacts {
        let Self { mend, act, interrupted } = self;
        ExitFacts { interrupted: *interrupted, blocked: !mend.is_empty(), waiting: !act.is_empty(), ..ExitFacts::FINE }
    }

    /// Whether anything failed that these rounds began.
    pub(crate) fn has_failed(&self) -> bool {
        self.mend.iter().any(|cause| cause.what != BLOCKED)
    }

    /// Each cause in words, the gravest first.
    pub(crate) fn words(&self) -> Vec<String> {
        self.mend.iter().chain(&self.act).map(ToString::to_string).collect()
    }

    /// The line with the exit code and its causes. `None` if the exit code is 0.
    pub(crate) fn line(&self) -> Option<String> {
        let words = |causes: &[CountedCause]| causes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let parts = [("to repair: ", &self.mend), ("still to do: ", &self.act)];
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
    fn add(&mut self, number: usize, what: Plural) {
        match self.0.iter_mut().find(|cause| cause.what == what) {
            Some(cause) => cause.number += number,
            None if number > 0 => self.0.push(CountedCause { number, what }),
            None => {}
        }
    }
}
