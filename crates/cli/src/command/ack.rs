//! `ack`: records that a person restarted services. No service is restarted here.

use std::collections::{BTreeMap, BTreeSet};

use globset::GlobBuilder;
use trustmason_plan::outline::Plan;
use trustmason_plan::text::{count, escape};
use trustmason_plan::waits::Idle;
use trustmason_spec::name::ServiceId;

use super::confirm::left;
use crate::args::AckArgs;
use crate::clock::{self, ProcessClock};
use crate::console::{Console, account};
use crate::exit::ExitFacts;
use crate::load::{self, Estate, PlanRequest, did_you_mean};
use crate::progress::painted;
use crate::stop::Stop;
use crate::view::line;

pub(crate) fn run(args: &AckArgs, console: Console) -> Result<ExitFacts, Stop> {
    let estate = load::estate(args.spec.as_deref(), console)?;
    let reconciler = estate.reconciler(ProcessClock::read()?);
    let mut lock = reconciler.lock().map_err(Stop::because)?;
    let mut observation = reconciler.look(&mut painted(console)).map_err(Stop::because)?;
    let word = clock::require_plausible(&reconciler, &observation, args.clock_is_right)?;
    let plan = reconciler.plan(&observation, &estate.options(PlanRequest::default())?);
    let meant = meant(&args.target, &plan, &estate)?;
    let by = account();
    let restarted: BTreeMap<ServiceId, String> = meant.counting.iter().map(|s| (s.clone(), by.clone())).collect();
    word.record(&reconciler, &mut observation, &mut lock)?;
    let unclear = reconciler.acknowledge(restarted, &observation, &plan, &mut lock).map_err(Stop::because)?;
    drop(lock);
    let recorded: Vec<&ServiceId> =
        meant.counting.iter().filter(|s| !unclear.iter().any(|u| u.service == **s)).collect();
    let refused: Vec<String> = unclear.iter().map(ToString::to_string).collect();
    if recorded.is_empty() {
        return Err(Stop::refused(format!("nothing was recorded: {}", refused.join("; "))));
    }
    let names: Vec<String> = recorded.iter().map(|service| format!("  {service}\n")).collect();
    let restarts = count(recorded.len(), "restart");
    let mut text = format!("Recorded, reported by {by}: {restarts}.\n{}", names.concat());
    for one in refused.iter().chain(&meant.idle) {
        line!(text, "Not recorded: {one}.");
    }
    left(&mut text, &reconciler, &estate, console);
    console.report(&text);
    Ok(ExitFacts { blocked: !refused.is_empty(), ..ExitFacts::FINE })
}

/// The services that a person names.
struct Meant {
    /// Services whose acknowledgement counts.
    counting: BTreeSet<ServiceId>,
    /// Reasons why other services cannot be acknowledged yet, although a restart of them will be needed.
    idle: Vec<String>,
}

/// Finds the services that match a name, or a glob over services or hosts.
fn meant(target: &str, plan: &Plan, estate: &Estate) -> Result<Meant, Stop> {
    let text = target.to_ascii_lowercase();
    let glob = GlobBuilder::new(&text).build().map_err(|e| Stop::refused(format!("{target}: {e}")))?.compile_matcher();
    // The name of a host means all its services.
    let host = !text.contains('/');
    let named =
        |service: &&ServiceId| glob.is_match(service.to_string()) || (host && glob.is_match(service.host.as_str()));
    let services: Vec<&ServiceId> = estate.topology.services.keys().filter(named).collect();
    if services.is_empty() {
        let known: Vec<String> = estate.topology.services.keys().map(ToString::to_string).collect();
        let hint = did_you_mean(&text, known.iter().map(String::as_str));
        return Err(Stop::refused(format!("{} declares no service named {}{hint}", estate.name, escape(target))));
    }
    let mut meant = Meant { counting: BTreeSet::new(), idle: Vec::new() };
    for service in services {
        match plan.counts(service) {
            Ok(()) => drop(meant.counting.insert(service.clone())),
            Err(Idle::Unneeded) => {}
            Err(Idle::Changes) => meant.idle.push(format!(
                "{service}: the next apply changes a store that this service reads; apply first, then restart the service and acknowledge it"
            )),
            Err(Idle::First) => {
                let first: Vec<String> =
                    plan.first.get(service).into_iter().flatten().map(ToString::to_string).collect();
                meant.idle.push(format!(
                    "{service}: a restart counts only after the hand-off of {} is confirmed; confirm the hand-off, restart the \
                     service, then acknowledge it",
                    first.join(", ")
                ));
            }
        }
    }
    if !meant.counting.is_empty() {
        return Ok(meant);
    }
    if !meant.idle.is_empty() {
        return Err(Stop::refused(format!("nothing was recorded: {}", meant.idle.join("; "))));
    }
    let waited: Vec<String> = plan.waits().restarts.iter().map(|restart| restart.service.to_string()).collect();
    if waited.is_empty() {
        return Err(Stop::refused("no service needs a restart now; nothing was recorded"));
    }
    let list = waited.join(", ");
    Err(Stop::refused(format!("{} needs no restart now; these services do: {list}", escape(target))))
}
