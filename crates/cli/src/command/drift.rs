//! `drift`: shows the findings of a plan as the state of the estate. Nothing is written.

use trustmason_host::endpoint::{AskOptions, PATIENCE};
use trustmason_plan::observed::ServedLook;
use trustmason_plan::outline::PlanOptions;
use trustmason_spec::name::IdentityId;

use crate::args::{DriftArgs, DriftFormat};
use crate::clock::{self, ProcessClock};
use crate::console::Console;
use crate::exit::ExitFacts;
use crate::load::{self, Estate, PlanRequest};
use crate::network::probe;
use crate::progress::painted;
use crate::stop::Stop;
use crate::view::drift::{self, DriftTally};
use crate::view::prometheus;

pub(crate) fn run(args: DriftArgs, console: Console) -> Result<ExitFacts, Stop> {
    let estate = load::estate(args.spec.as_deref(), console)?;
    let options = estate.options(PlanRequest { select: args.select, ..PlanRequest::default() })?;
    let reconciler = estate.reconciler(ProcessClock::read()?);
    let mut observation = reconciler.look(&mut painted(console)).map_err(Stop::because)?;
    clock::warn(&reconciler, &observation, console);
    if args.probe {
        let way = AskOptions { detours: args.connect_to, timeout: args.timeout.unwrap_or(PATIENCE) };
        observation.observed.served = probe(&reconciler, &services(&estate, &options), &way, console);
        // A service that was not reached changes no finding, but the operator must see that nothing is known of it.
        for (identity, look) in &observation.observed.served {
            if let ServedLook::Unreachable(why) = look {
                console.note(&format!("{identity} was not asked: {why}"));
            }
        }
    }
    let plan = reconciler.plan(&observation, &options);
    let report = match args.format {
        DriftFormat::Text => drift::text(&plan, args.strict, console.verbose()),
        DriftFormat::Json => {
            drift::json(&plan, args.strict).map_err(|e| Stop::refused(format!("the report cannot be written: {e}")))?
        }
        DriftFormat::Prometheus => {
            let last = observation.observed.ledger.runs.iter().filter_map(|r| r.finished).max();
            prometheus::metrics(&plan, last)
        }
    };
    match args.format {
        DriftFormat::Text => console.report(&report),
        DriftFormat::Json | DriftFormat::Prometheus => console.data(&report),
    }
    Ok(DriftTally::of(&plan).facts(args.strict))
}

/// The identities of selected hosts that a service presents, each with its port.
fn services(estate: &Estate, options: &PlanOptions) -> Vec<(IdentityId, u16)> {
    let selected = |id: &IdentityId| trustmason_plan::selects(&estate.topology, options, &id.host);
    let identities = estate.topology.identities.values().filter(|def| selected(&def.id));
    identities.filter_map(|def| Some((def.id.clone(), def.served_at?))).collect()
}
