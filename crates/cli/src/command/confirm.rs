//! `confirm`: a person says that a pack was brought in, or shows what the store holds now.

use trustmason_host::confirm::{Claim, confirm};
use trustmason_plan::ledger::ConfirmationKind;
use trustmason_plan::text::count;
use trustmason_spec::name::StoreId;

use crate::args::ConfirmArgs;
use crate::clock::{self, Clock};
use crate::console::Console;
use crate::exit::Facts;
use crate::load::{self, Question, did_you_mean};
use crate::machine::Machine;
use crate::stop::Stop;

pub(crate) fn run(args: &ConfirmArgs, console: Console) -> Result<Facts, Stop> {
    let target = StoreId::parse(&args.target).map_err(|e| Stop::refused(e.to_string()))?;
    let estate = load::estate(args.spec.as_deref(), console)?;
    let topology = &estate.topology;
    let identity = trustmason_spec::name::IdentityId::new(target.host.clone(), target.name.clone());
    if !topology.stores.contains_key(&target) && !topology.identities.contains_key(&identity) {
        let known: Vec<String> = topology.stores.keys().map(ToString::to_string).collect();
        let hint = did_you_mean(&args.target, known.iter().map(String::as_str));
        return Err(Stop::refused(format!("{} declares no store {target}{hint}", estate.name)));
    }
    let machine = Machine::of(&estate, Clock::read()?);
    let mut lock = machine.lock()?;
    let mut sight = machine.look(&estate, console)?;
    let word = clock::stands(&machine, &estate, &sight, args.clock_is_right)?;
    let options = estate.options(Question::default())?;
    let now = machine.clock.now();
    let plan = estate.judge(&mut sight.observed, &options, now);
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
    let holds = count(confirmed.holds.len(), "certificate");
    console.report(&match confirmed.kind {
        ConfirmationKind::Claimed => format!(
            "Recorded, by the word of {by}: {target} holds {holds} of the pack, and {} of it are gone.\n",
            confirmed.gone.len()
        ),
        ConfirmationKind::Observed => format!("Recorded, from the export: {target} holds {holds}.\n"),
    });
    Ok(Facts::FINE)
}

/// Who is at the keyboard, as the system names them.
pub(crate) fn person() -> String {
    ["SUDO_USER", "USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
        .unwrap_or_else(nameless)
}

/// Who that is where the environment does not say, as under a scheduler: the number the system has for them.
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
