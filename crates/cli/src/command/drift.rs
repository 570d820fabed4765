//! `drift`: the plan's findings, told as a state.

use crate::args::{DriftArgs, DriftFormat};
use crate::console::Console;
use crate::exit::Facts;
use crate::load::{self, Question};
use crate::machine::Machine;
use crate::stop::Stop;
use crate::view::drift::{self, Tally};
use crate::view::prometheus;

pub(crate) fn run(args: DriftArgs, console: Console) -> Result<Facts, Stop> {
    let estate = load::estate(args.spec.as_deref(), console)?;
    let options = estate.options(Question { select: args.select, ..Question::default() })?;
    let mut sight = Machine::of(&estate).look(&estate, console)?;
    let plan = estate.judge(&mut sight.observed, &options, load::now());
    let report = match args.format {
        DriftFormat::Text => drift::text(&plan, args.strict, console.verbose()),
        DriftFormat::Json => {
            drift::json(&plan, args.strict).map_err(|e| Stop::refused(format!("the report cannot be written: {e}")))?
        }
        DriftFormat::Prometheus => {
            let last = sight.observed.ledger.runs.iter().filter_map(|r| r.finished).max();
            prometheus::metrics(&plan, last)
        }
    };
    console.report(&report);
    Ok(Tally::of(&plan).facts(args.strict))
}
