//! `ack`: a person says that services were restarted.

use std::collections::{BTreeMap, BTreeSet};

use globset::GlobBuilder;
use trustmason_host::ack::{Word, ack};
use trustmason_plan::outline::Wait;
use trustmason_plan::text::{count, escape};
use trustmason_spec::name::ServiceId;

use super::confirm::person;
use crate::args::AckArgs;
use crate::clock::{self, Clock};
use crate::console::Console;
use crate::exit::Facts;
use crate::load::{self, Question, did_you_mean};
use crate::machine::Machine;
use crate::stop::Stop;

pub(crate) fn run(args: &AckArgs, console: Console) -> Result<Facts, Stop> {
    let estate = load::estate(args.spec.as_deref(), console)?;
    let machine = Machine::of(&estate, Clock::read()?);
    let mut lock = machine.lock()?;
    let mut sight = machine.look(&estate, console)?;
    let word = clock::stands(&machine, &estate, &sight, args.clock_is_right)?;
    let options = estate.options(Question::default())?;
    let now = machine.clock.now();
    let plan = estate.judge(&mut sight.observed, &options, now);
    let services: Vec<String> = estate.topology.services.keys().map(ToString::to_string).collect();
    let waited = plan.waited_for();
    let meant = meant(&args.target, [&waited, &plan.will_be_waited_for()], &services, &estate.name)?;
    let by = person();
    let restarted: BTreeMap<ServiceId, String> = meant.iter().map(|s| (s.clone(), by.clone())).collect();
    word.record(&machine, &estate, &mut sight, &mut lock)?;
    let word = Word { restarted, plan: &plan, topology: &estate.topology, now };
    let unclear = ack(word, &sight.ledger, &machine.disk, &mut lock).map_err(|e| Stop::refused(e.to_string()))?;
    let recorded: Vec<&ServiceId> = meant.iter().filter(|s| !unclear.iter().any(|u| u.service == **s)).collect();
    let refused: Vec<String> = unclear.iter().map(ToString::to_string).collect();
    if recorded.is_empty() {
        return Err(Stop::refused(format!("nothing was recorded: {}", refused.join("; "))));
    }
    let names: Vec<String> = recorded.iter().map(|service| format!("  {service}\n")).collect();
    let restarts = count(recorded.len(), "restart");
    let mut text = format!("Recorded, by the word of {by}: {restarts}.\n{}", names.concat());
    for one in &refused {
        text.push_str(&format!("Not recorded: {one}.\n"));
    }
    let left = waited.iter().filter(|service| !recorded.contains(*service)).count();
    let reached = plan.barriers.first().filter(|_| plan.changes.is_empty());
    let reached = reached.into_iter().flat_map(|barrier| &barrier.waits_for);
    let others: Vec<String> = reached.filter(|w| !matches!(w, Wait::Restart(_))).map(ToString::to_string).collect();
    if left > 0 {
        text.push_str(&format!("Still to be restarted: {left}; trustmason plan {} lists them.\n", estate.name));
    } else if !others.is_empty() {
        text.push_str(&format!("Still waited for: {}.\n", others.join(", ")));
    } else if !plan.barriers.is_empty() {
        text.push_str(&format!("Nothing else is waited for now. Go on: trustmason apply {}\n", estate.name));
    }
    console.report(&text);
    Ok(Facts { blocked: !refused.is_empty(), ..Facts::FINE })
}

/// The services a person means, of those that are waited for now, else of those that will be.
fn meant(
    target: &str,
    [waited, later]: [&BTreeSet<&ServiceId>; 2],
    known: &[String],
    spec: &str,
) -> Result<BTreeSet<ServiceId>, Stop> {
    let text = target.to_ascii_lowercase();
    let glob = GlobBuilder::new(&text).build().map_err(|e| Stop::refused(format!("{target}: {e}")))?.compile_matcher();
    for services in [waited, later] {
        let meant: BTreeSet<ServiceId> =
            services.iter().filter(|s| glob.is_match(s.to_string())).map(|s| (*s).clone()).collect();
        if !meant.is_empty() {
            return Ok(meant);
        }
    }
    if !known.iter().any(|name| glob.is_match(name)) {
        let hint = did_you_mean(&text, known.iter().map(String::as_str));
        return Err(Stop::refused(format!("{spec} declares no service {}{hint}", escape(target))));
    }
    if waited.is_empty() {
        return Err(Stop::refused("no restart is waited for now; nothing was recorded"));
    }
    let waited: Vec<String> = waited.iter().map(ToString::to_string).collect();
    let list = waited.join(", ");
    Err(Stop::refused(format!("no restart of {} is waited for; these are: {list}", escape(target))))
}
