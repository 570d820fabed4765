//! `confirm`: records that a person carried out a pack, or reads an export that shows what the store holds now.

use trustmason_host::converge::Reconciler;
use trustmason_host::word::confirm::{Claim, meant};
use trustmason_plan::ledger::ConfirmationKind;
use trustmason_plan::target::HandOffTarget;
use trustmason_plan::text::{count, escape};

use crate::args::ConfirmArgs;
use crate::clock::{self, ProcessClock};
use crate::console::{Console, account};
use crate::exit::ExitFacts;
use crate::load::{self, Estate, PlanRequest, did_you_mean};
use crate::progress::painted;
use crate::stop::Stop;
use crate::view::ladder::{self, Onward};
use crate::view::{line, named};

pub(crate) fn run(args: &ConfirmArgs, console: Console) -> Result<ExitFacts, Stop> {
    let named = HandOffTarget::meant_by(&args.target).map_err(|e| Stop::refused(e.to_string()))?;
    let estate = load::estate(args.spec.as_deref(), console)?;
    let topology = &estate.topology;
    let mut declared = named.iter().filter(|target| target.is_declared(topology)).cloned();
    let Some(target) = declared.next() else { return Err(nothing(&args.target, &named, &estate)) };
    let reconciler = estate.reconciler(ProcessClock::read()?);
    let mut lock = reconciler.lock().map_err(Stop::because)?;
    let mut observation = reconciler.look(&mut painted(console)).map_err(Stop::because)?;
    let word = clock::require_plausible(&reconciler, &observation, args.clock_is_right)?;
    let plan = reconciler.plan(&observation, &estate.options(PlanRequest::default())?);
    let target = match declared.next() {
        Some(other) => meant(target, other, &plan, &observation.ledger).map_err(Stop::because)?,
        None => target,
    };
    let by = account();
    word.record(&reconciler, &mut observation, &mut lock)?;
    let claim = Claim {
        target: &target,
        from: args.from.as_deref(),
        by: &by,
        now: reconciler.now(),
        plan: &plan,
        topology,
        observed: &observation.observed,
        ledger: &observation.ledger,
    };
    let confirmed = reconciler.confirm(claim, &mut lock).map_err(Stop::because)?;
    drop(lock);
    let target = target.called(topology);
    let holds = count(confirmed.confirmation.holds.len(), "certificate");
    let done = match (confirmed.added, confirmed.removed) {
        (0, 0) => "no pack had steps left".to_owned(),
        (added, removed) => format!("{added} added and {removed} removed by the pack"),
    };
    let mut text = match confirmed.confirmation.kind {
        ConfirmationKind::Claimed => format!("Recorded, reported by {by}: {target}: {done}.\n"),
        ConfirmationKind::Observed => format!("Recorded, from the export: {target} holds {holds}; {done}.\n"),
    };
    left(&mut text, &reconciler, &estate, console);
    console.report(&text);
    if let Some(error) = &confirmed.left {
        console.warn(&format!("the pack is done, but its files could not be removed: {error}"));
    }
    Ok(ExitFacts::FINE)
}

/// Writes what is left, by a plan made after the person's statement was recorded. If that plan cannot be made, the recorded
/// statement still counts.
pub(super) fn left(out: &mut String, reconciler: &Reconciler<'_>, estate: &Estate, console: Console) {
    match reconciler.left(&estate.whole(), &mut painted(console)) {
        Ok(left) => ladder::left(out, &left.plan, &Onward::said(&left)),
        Err(error) => line!(out, "The work that is left cannot be shown: {}.", named(error)),
    }
}

/// The error for a name that the estate does not declare, with a suggestion.
fn nothing(text: &str, named: &[HandOffTarget], estate: &Estate) -> Stop {
    let topology = &estate.topology;
    let stores = topology.stores.keys().cloned().map(HandOffTarget::Store);
    let all = stores.chain(topology.identities.keys().cloned().map(HandOffTarget::Identity));
    // The message names the kind only if the person did.
    let (what, known): (_, Vec<String>) = match named {
        [one] => (one.kind().as_str(), all.filter(|t| t.kind() == one.kind()).map(|t| t.full()).collect()),
        _ => ("store or identity", all.map(|t| t.id()).collect()),
    };
    let hint = did_you_mean(text, known.iter().map(String::as_str));
    Stop::refused(format!("{} declares no {what} named {}{hint}", estate.name, escape(text)))
}
