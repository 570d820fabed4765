//! `check`: checks the spec, and the root certificates of its authorities. No store is opened.

use trustmason_host::converge::Clock as _;
use trustmason_host::look;
use trustmason_keystore::Interner;
use trustmason_spec::topology::Topology;

use crate::args::CheckArgs;
use crate::clock::ProcessClock;
use crate::console::Console;
use crate::exit::ExitFacts;
use crate::stop::Stop;
use crate::{load, view};

pub(crate) fn run(args: &CheckArgs, console: Console) -> Result<ExitFacts, Stop> {
    let estate = load::estate(args.spec.as_deref(), console)?;
    if let Some(fault) = root_faults(&estate.topology)? {
        return Err(Stop::refused(format!("{}: {fault}", estate.name)));
    }
    console.report(&view::check::text(&estate.topology, &estate.name, estate.warnings));
    Ok(ExitFacts::FINE)
}

/// All faults of the authorities' root certificates. `None` if there are none.
fn root_faults(topology: &Topology) -> Result<Option<String>, Stop> {
    if topology.authorities.is_empty() {
        return Ok(None);
    }
    let (now, certificates) = (ProcessClock::read()?.now(), Interner::new());
    let faults: Vec<String> = topology
        .authorities
        .iter()
        .filter_map(|(name, def)| {
            let look = look::certificate(&def.root.file, &certificates);
            trustmason_plan::root_fault(name, def, &look, now)
        })
        .collect();
    Ok((!faults.is_empty()).then(|| faults.join("\n")))
}
