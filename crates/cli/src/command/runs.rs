//! `runs`: what was done to an estate, run by run.

use trustmason_host::ledger;
use trustmason_host::state::State;

use crate::args::{ReportFormat, RunsArgs};
use crate::console::Console;
use crate::exit::Facts;
use crate::load;
use crate::stop::Stop;
use crate::view;

pub(crate) fn run(args: &RunsArgs, console: Console) -> Result<Facts, Stop> {
    let estate = load::estate(args.spec.as_deref(), console)?;
    let loaded =
        ledger::load(&State::at(estate.state()), &estate.topology).map_err(|e| Stop::refused(e.to_string()))?;
    console.report(&match args.format {
        ReportFormat::Text => view::runs::text(&loaded, &estate.name),
        ReportFormat::Json => {
            view::runs::json(&loaded).map_err(|e| Stop::refused(format!("the runs cannot be written as JSON: {e}")))?
        }
    });
    Ok(Facts::FINE)
}
