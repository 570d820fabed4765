//! `runs`: lists the runs of an estate and their results. Nothing is written.

use trustmason_host::state::State;
use trustmason_host::{record::journal, record::ledger};

use crate::args::{ReportFormat, RunsArgs};
use crate::console::Console;
use crate::exit::ExitFacts;
use crate::load;
use crate::stop::Stop;
use crate::view;

pub(crate) fn run(args: &RunsArgs, console: Console) -> Result<ExitFacts, Stop> {
    let estate = load::estate(args.spec.as_deref(), console)?;
    let state = State::at(estate.state());
    let loaded = ledger::load(&state, &estate.topology).map_err(|e| Stop::refused(e.to_string()))?;
    let damage = loaded.ledger.runs.iter().filter(|run| !run.pruned && run.undone_by.is_none());
    let damage = damage.filter_map(|run| Some((run.id.clone(), journal::check(&state, run).err()?.to_string())));
    let damage = damage.collect();
    match args.format {
        ReportFormat::Text => console.report(&view::runs::text(&loaded, &damage, &estate.name)),
        ReportFormat::Json => console.data(
            &view::runs::json(&loaded, &damage)
                .map_err(|e| Stop::refused(format!("the runs cannot be written as JSON: {e}")))?,
        ),
    }
    Ok(ExitFacts::FINE)
}
