//! Text about what follows the changes of a plan: restarts and their order, the later phases of a rotation with the
//! waits between them, and the trust that fails meanwhile if that cannot be avoided.

use std::collections::BTreeSet;

use trustmason_host::converge::{RemainingWork, Scope};
use trustmason_plan::change::{Change, FromKind, Phase};
use trustmason_plan::finding::FindingKind;
use trustmason_plan::outline::{Barrier, Forecast, ManualKind, Plan, PlanOptions, Restart, UnchangedTrusters, Wait};
use trustmason_plan::shell::Command;
use trustmason_plan::target::TargetName;
use trustmason_plan::text::{day, escape};
use trustmason_plan::waits::Waits;
use trustmason_spec::name::IdentityId;
use trustmason_spec::topology::Side;

use super::{BAD, BOLD, DIM, WARN, line, paint, style};

/// Writes the restarts of a plan: those for its changes, and those left from earlier runs.
pub(crate) fn restarts(out: &mut String, title: &str, plan: &Plan) {
    let all: Vec<&Restart> = plan.restarts.iter().collect();
    steps(out, title, &all, |restart| match plan.first.get(&restart.service) {
        None => because(restart),
        Some(first) => {
            let first: Vec<String> = first.iter().map(ToString::to_string).collect();
            format!("after the hand-off of {}, {}", first.join(", "), because(restart))
        }
    });
}

/// Writes the restarts that are needed after what was done. Change numbers are left out, because they belong to the
/// next plan.
pub(crate) fn restarts_now(out: &mut String, restarts: &[&Restart]) {
    steps(out, "Restart now", restarts, now);
}

/// The reason why a restart is needed now.
fn now(restart: &Restart) -> String {
    because(&Restart { because: Vec::new(), ..restart.clone() })
}

/// Writes the restarts that count only after packs are confirmed.
fn restarts_later(out: &mut String, waits: &Waits<'_>) {
    if waits.later.is_empty() {
        return;
    }
    line!(out, "{}", paint(BOLD, "Restart after the hand-off is confirmed:"));
    for (restart, first) in &waits.later {
        let first: Vec<String> = first.iter().map(ToString::to_string).collect();
        let first = paint(DIM, format!("(after the hand-off of {})", first.join(", ")));
        line!(out, "  {}: {} {first}", restart.service, escape(&restart.name));
    }
    out.push('\n');
}

fn steps(out: &mut String, title: &str, restarts: &[&Restart], because: impl Fn(&Restart) -> String) {
    if restarts.is_empty() {
        return;
    }
    let steps = restarts.iter().map(|restart| restart.step).collect::<BTreeSet<_>>().len();
    let order = if steps > 1 { "one step after the other, " } else { "" };
    let order = if restarts.len() > 1 { format!(", {order}within a step from top to bottom") } else { String::new() };
    line!(out, "{}", paint(BOLD, format!("{title}{order}:")));
    let (mut said, mut number) = (0, 0);
    for restart in restarts {
        // The steps are numbered as shown, because restarts of the plan that do not belong here are left out.
        number += usize::from(restart.step != said);
        let step = if restart.step == said { String::new() } else { format!("{number}.") };
        said = restart.step;
        line!(
            out,
            "  {step:<3}{}: {} {}",
            restart.service,
            escape(&restart.name),
            paint(DIM, format!("({})", because(restart)))
        );
    }
    out.push('\n');
}

/// The reasons for a restart.
pub(crate) fn because(restart: &Restart) -> String {
    let mut parts = Vec::new();
    if !restart.because.is_empty() {
        let ids: Vec<String> = restart.because.iter().map(|id| format!("#{id}")).collect();
        parts.push(format!("for {}", ids.join(", ")));
    }
    if let Some(since) = restart.pending_since {
        parts.push(format!("pending since {}", day(since.as_second())));
    }
    if restart.rotation {
        parts.push("a rotation waits for this restart".to_owned());
    }
    if restart.by_command {
        parts.push("by its restart command".to_owned());
    }
    parts.join(", ")
}

/// Writes the rotations of a plan: what waits for what, phase by phase.
pub(crate) fn rotations(out: &mut String, plan: &Plan) {
    if plan.forecast.is_empty() && plan.barriers.is_empty() && unchanged(plan).next().is_none() {
        return;
    }
    line!(out, "{}", paint(BOLD, "Rotation without an outage; each apply works until a person must act:"));
    let made = |c: &&Change| matches!(&c.from, Some(from) if from.kind == FromKind::Generated);
    let now: Vec<String> =
        plan.changes.iter().filter(|c| c.phase == Phase::Extend).filter(made).map(|c| format!("#{}", c.id)).collect();
    if !now.is_empty() {
        line!(out, "  {:<9} {}, above", Phase::Extend.to_string(), now.join(", "));
    }
    for (identity, why) in unchanged(plan) {
        line!(out, "  {:<9} the stores that trust {identity}: {why}", "unchanged");
    }
    for phase in [Phase::Extend, Phase::Install, Phase::Withdraw] {
        for one in plan.forecast.iter().filter(|f| f.phase == phase) {
            line!(out, "  {:<9} {}", phase.to_string(), forecast(one));
        }
        for barrier in plan.barriers.iter().filter(|b| b.after_phase == phase) {
            line!(out, "  {} {}", paint(WARN, format!("{:<9}", "wait for")), waits(barrier).join("\n            "));
        }
    }
    out.push('\n');
}

/// The identities whose renewal changes none of the stores that trust them, each with the reason.
pub(crate) fn unchanged(plan: &Plan) -> impl Iterator<Item = (&IdentityId, &UnchangedTrusters)> {
    plan.identities.iter().filter_map(|view| Some((&view.id, view.unchanged.as_ref()?)))
}

/// A later change as one line.
fn forecast(one: &Forecast) -> String {
    format!("{}  {}  {}", one.store, edit(one), paint(DIM, format!("({})", one.identity)))
}

/// The action of a later change on its entry.
pub(crate) fn edit(one: &Forecast) -> String {
    let alias = one.alias.as_deref().map(escape).unwrap_or_default();
    let to = one.to.as_ref().map(|to| format!(" to {}", escape(to.as_str()))).unwrap_or_default();
    let action = one.action;
    format!("{} {action} {alias}{to}", paint(style(action), action.symbol()))
}

/// The waits of a barrier, one per line, in the order in which they are done. Restarts come last, because a service reads
/// what a person imported only when it restarts.
pub(crate) fn waits(barrier: &Barrier) -> Vec<String> {
    let (restarts, first): (Vec<&Wait>, Vec<&Wait>) =
        barrier.waits_for.iter().partition(|wait| matches!(wait, Wait::Restart(_)));
    first.into_iter().chain(restarts).map(Wait::to_string).collect()
}

/// Writes the connections that fail meanwhile, and until when.
pub(crate) fn interruptions(out: &mut String, plan: &Plan) {
    for interruption in &plan.interruptions {
        line!(
            out,
            "{} {}. Connections fail from the installation of the new certificate until these stores hold it and their services are restarted:",
            paint(BAD, format!("Interruption of {}:", interruption.identity)),
            interruption.why
        );
        for edge in &interruption.edges {
            line!(out, "  {edge}");
        }
        out.push('\n');
    }
}

/// The situation in which a command ends, beside the plan that is left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Onward {
    /// The hosts and side that the next command keeps to.
    scope: Scope,
    /// The newest run was a rollback. The spec still asks for what was rolled back.
    undone: bool,
    /// A part of the run failed.
    failed: bool,
    /// The report already names the packs and the command that follows each.
    packs_told: bool,
}

impl Onward {
    /// The situation after a plan was shown.
    pub(crate) fn planned(options: &PlanOptions) -> Self {
        Self { scope: Scope::of(options), ..Self::default() }
    }

    /// The situation after a plan was carried out and its packs were named.
    pub(crate) fn applied(options: &PlanOptions, failed: bool) -> Self {
        Self { scope: Scope::of(options), packs_told: true, failed, ..Self::default() }
    }

    /// The situation after a person's statement was recorded.
    pub(crate) fn said(left: &RemainingWork) -> Self {
        Self { scope: left.scope.clone(), undone: left.undone, ..Self::default() }
    }

    /// The situation after a rollback.
    pub(crate) fn undone() -> Self {
        Self { undone: true, ..Self::default() }
    }
}

/// Writes the commands that continue from here. The commands depend on the plan that is left, not on the command that
/// left it.
pub(crate) fn how_to_go_on(out: &mut String, plan: &Plan, onward: &Onward) {
    let command = |own| Command::here(own).file(&plan.options.spec);
    let waits = plan.waits();
    restarts_later(out, &waits);
    let pack = plan.manual.iter().find(|work| work.waiting_since.is_some() && work.kind == ManualKind::Store);
    if let Some(pack) = pack.filter(|_| !onward.packs_told) {
        line!(out, "When the steps of a pack are done, confirm it:");
        line!(out, "  {}", command("trustmason confirm").word(&pack.called));
    }
    if let Some(first) = waits.restarts.first() {
        let name = &first.service.name;
        line!(
            out,
            "When a service is up again, acknowledge its restart (a pattern in quotes acknowledges several: '*/{}'):",
            escape(name)
        );
        line!(out, "  {}", command("trustmason ack").word(&first.service));
    }
    let replies: Vec<String> = waits.others.iter().filter_map(|wait| wait.reply()).map(ToString::to_string).collect();
    if !replies.is_empty() {
        line!(
            out,
            "When a certificate authority has replied, put the reply into the inbox of that authority: for {}.",
            replies.join(", ")
        );
    }
    if plan.barriers.is_empty() && plan.changes.is_empty() && plan.elsewhere() == 0 {
        if pack.is_some() || !waits.is_empty() {
            out.push('\n');
        }
        return;
    }
    if onward.undone {
        line!(
            out,
            "The next apply would make the same changes again. First correct the spec or the cause of the problem; then plan:"
        );
        line!(out, "  {}", command("trustmason plan"));
    } else {
        let wider = is_wider(plan);
        let said = pack.is_some_and(|_| !onward.packs_told) || !waits.restarts.is_empty() || !replies.is_empty();
        // With everything blocked, another apply would do nothing.
        if !wider && !said && waits.is_empty() && plan.summary.changes() == 0 && !plan.blocked.is_empty() {
            line!(out, "Everything that is left is blocked. Repair that first, then plan again:");
            line!(out, "  {}\n", limited(&onward.scope, command("trustmason plan")));
            return;
        }
        let words = match (wider, said, waits.is_empty()) {
            _ if onward.failed => "When the failures are repaired, continue:",
            (true, ..) => "There is work left on hosts that --host and --side do not select. Continue with all hosts:",
            (false, true, _) => "and when all is done, continue:",
            (false, false, true) => "No person has to act before the next step. Continue:",
            (false, false, false) => "When all of this is done, continue:",
        };
        line!(out, "{words}");
        let apply = command("trustmason apply");
        line!(out, "  {}", if wider { apply } else { limited(&onward.scope, apply) });
    }
    out.push('\n');
}

/// Whether work is left on hosts outside the selection: stores that must receive a certificate, or hand-offs whose
/// packs are only written by a run that includes their hosts.
fn is_wider(plan: &Plan) -> bool {
    let outside = |called: &TargetName| !plan.stores.iter().any(|view| view.id.host == *called.target().host());
    plan.elsewhere() > 0
        || plan.blocked.iter().any(|one| one.kind == FindingKind::OutsideSelection)
        || plan.first.values().flatten().any(outside)
}

/// Writes what is left after a person's statement, with the commands that continue.
pub(crate) fn left(out: &mut String, next: &Plan, onward: &Onward) {
    let waits = next.waits();
    out.push('\n');
    restarts_now(out, &waits.restarts);
    let packs: Vec<String> = waits.others.iter().filter(|w| w.reply().is_none()).map(ToString::to_string).collect();
    if !packs.is_empty() {
        line!(out, "Still pending: {}.", packs.join(", "));
    }
    let tasks: Vec<String> = next.manual.iter().map(|work| work.called.to_string()).collect();
    if !tasks.is_empty() && packs.is_empty() {
        line!(out, "Still to do by hand: {}.", tasks.join(", "));
    }
    how_to_go_on(out, next, onward);
    if next.is_settled() && waits.is_empty() {
        let where_to = limited(&onward.scope, Command::here("")).to_string();
        let of = if where_to.is_empty() { String::new() } else { format!(" for{where_to}") };
        line!(out, "Nothing is left to do{of}.");
    }
    // The text ends without an empty line.
    out.truncate(out.trim_end().len());
    out.push('\n');
}

/// Adds `--host` and `--side` of a scope to a command line.
fn limited(scope: &Scope, command: Command) -> Command {
    let command = scope.hosts.iter().fold(command, |command, host| command.own("--host").word(host));
    match scope.side {
        None => command,
        Some(Side::A) => command.own("--side a"),
        Some(Side::B) => command.own("--side b"),
    }
}
