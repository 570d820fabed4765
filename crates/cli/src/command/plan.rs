//! `plan`: what would change, and why.

use trustmason_plan::shell::Command;

use crate::args::{PlanArgs, PlanFormat};
use crate::clock::{self, Clock};
use crate::console::Console;
use crate::exit::Facts;
use crate::load::{self, Question};
use crate::machine::{Machine, save};
use crate::stop::Stop;
use crate::view;

pub(crate) fn run(args: PlanArgs, console: Console) -> Result<Facts, Stop> {
    let estate = load::estate(args.spec.as_deref(), console)?;
    let question =
        Question { select: args.select, replace: args.replace, allow_deletes: args.allow_deletes, at: args.at };
    let options = estate.options(question)?;
    let machine = Machine::of(&estate, Clock::read()?);
    let mut sight = machine.look(&estate, console)?;
    if options.at.is_none() {
        clock::warn(&machine, &estate, &sight, console);
    }
    let plan = estate.judge(&mut sight.observed, &options, machine.clock.now());
    let document = view::plan::json(&plan).map_err(|e| Stop::refused(format!("the plan cannot be written: {e}")))?;
    if let Some(out) = &args.out {
        save(out, document.as_bytes())?;
    }
    match args.format {
        PlanFormat::Text => {
            console.report(&view::plan::plan(&plan, console.verbose()));
            if let Some(out) = &args.out {
                let apply = Command::here("trustmason apply --plan").word(out.display());
                console.note(&format!("Saved. To do exactly this: {apply}"));
            }
        }
        PlanFormat::Json => console.data(&document),
        PlanFormat::Markdown => console.report(&view::markdown::ticket(&plan, &estate.topology, &machine.state)),
    }
    Ok(if args.detailed_exitcode { Facts::of_plan(&plan.summary) } else { Facts::FINE })
}
