//! `confirm`: a person says that a pack was brought in, or shows what the store holds now.

use trustmason_host::confirm::{Claim, confirm, meant};
use trustmason_plan::ledger::ConfirmationKind;
use trustmason_plan::target::HandOffTarget;
use trustmason_plan::text::{count, escape};

use crate::args::ConfirmArgs;
use crate::clock::{self, Clock};
use crate::console::Console;
use crate::exit::Facts;
use crate::load::{self, Estate, Question, did_you_mean};
use crate::machine::Machine;
use crate::stop::Stop;
use crate::view::ladder::{self, Onward};
use crate::view::line;

pub(crate) fn run(args: &ConfirmArgs, console: Console) -> Result<Facts, Stop> {
    let named = HandOffTarget::meant_by(&args.target).map_err(|e| Stop::refused(e.to_string()))?;
    let estate = load::estate(args.spec.as_deref(), console)?;
    let topology = &estate.topology;
    let mut declared = named.iter().filter(|target| target.is_declared(topology)).cloned();
    let Some(target) = declared.next() else { return Err(nothing(&args.target, &named, &estate)) };
    let machine = Machine::of(&estate, Clock::read()?);
    let mut lock = machine.lock()?;
    let mut sight = machine.look(&estate, console)?;
    let word = clock::stands(&machine, &estate, &sight, args.clock_is_right)?;
    let options = estate.options(Question::default())?;
    let now = machine.clock.now();
    let plan = estate.judge(&mut sight.observed, &options, now);
    let target = match declared.next() {
        Some(other) => meant(target, other, &plan, &sight.ledger).map_err(|e| Stop::refused(e.to_string()))?,
        None => target,
    };
    let by = person();
    word.record(&machine, &estate, &mut sight, &mut lock)?;
    let claim = Claim {
        target: &target,
        from: args.from.as_deref(),
        by: &by,
        now,
        plan: &plan,
        topology,
        observed: &sight.observed,
        ledger: &sight.ledger,
    };
    let confirmed = confirm(claim, &machine.disk, &machine.secrets, &machine.certificates, &mut lock)
        .map_err(|e| Stop::refused(e.to_string()))?;
    drop(lock);
    let target = target.called(topology);
    let holds = count(confirmed.confirmation.holds.len(), "certificate");
    let done = match (confirmed.added, confirmed.removed) {
        (0, 0) => "nothing of a pack was left to do".to_owned(),
        (added, removed) => format!("of the pack {added} added, {removed} removed"),
    };
    let mut text = match confirmed.confirmation.kind {
        ConfirmationKind::Claimed => format!("Recorded, by the word of {by}: {target}: {done}.\n"),
        ConfirmationKind::Observed => format!("Recorded, from the export: {target} holds {holds}; {done}.\n"),
    };
    left(&mut text, &machine, &estate, console);
    console.report(&text);
    if let Some(error) = &confirmed.left {
        console.warn(&format!("the pack is done, and its files are still there: {error}"));
    }
    Ok(Facts::FINE)
}

/// Says what is left after a person's word was recorded, by the plan that there is now and nothing else. What was recorded stands
/// whether that can be told or not.
pub(super) fn left(out: &mut String, machine: &Machine, estate: &Estate, console: Console) {
    let next = machine.look(estate, console).and_then(|mut sight| {
        let onward = Onward::said(&sight.ledger.ledger);
        let options = onward.options(&estate.options(Question::default())?);
        Ok((estate.judge(&mut sight.observed, &options, machine.clock.now()), onward))
    });
    match next {
        Ok((next, onward)) => ladder::left(out, &next, &onward),
        Err(stop) => line!(out, "What is left cannot be told: {}.", stop.into_message()),
    }
}

/// That the estate has nothing of that name, and what may have been meant.
fn nothing(text: &str, named: &[HandOffTarget], estate: &Estate) -> Stop {
    let topology = &estate.topology;
    let stores = topology.stores.keys().cloned().map(HandOffTarget::Store);
    let all = stores.chain(topology.identities.keys().cloned().map(HandOffTarget::Identity));
    // Only where the kind was said is it said in the answer.
    let (what, known): (_, Vec<String>) = match named {
        [one] => (one.kind().as_str(), all.filter(|t| t.kind() == one.kind()).map(|t| t.full()).collect()),
        _ => ("store or identity", all.map(|t| t.id()).collect()),
    };
    let hint = did_you_mean(text, known.iter().map(String::as_str));
    Stop::refused(format!("{} declares no {what} {}{hint}", estate.name, escape(text)))
}

/// Who is at the keyboard, as the system names them: the account that this process runs as, not what a variable says of it. What
/// `sudo` says of who called it is added, and named as its word.
pub(crate) fn person() -> String {
    let account = whoami::username().ok().filter(|name| !name.is_empty()).unwrap_or_else(nameless);
    match std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty() && *name != account) {
        Some(caller) => format!("{} (SUDO_USER: {})", escape(&account), escape(&caller)),
        None => escape(&account),
    }
}

/// Who that is where the system has no name: the number it has for them.
fn nameless() -> String {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if let Ok(own) = fs_err::metadata("/proc/self") {
            return format!("uid {}", own.uid());
        }
    }
    "somebody".to_owned()
}
