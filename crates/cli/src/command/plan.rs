//! `plan`: what would change, and why.

use std::path::Path;

use trustmason_plan::outline::Plan;

use crate::args::{PlanArgs, PlanFormat};
use crate::console::Console;
use crate::exit::Facts;
use crate::load::{self, Question};
use crate::stop::Stop;
use crate::{machine, view};

pub(crate) fn run(args: PlanArgs, console: Console) -> Result<Facts, Stop> {
    let estate = load::estate(args.spec.as_deref(), console)?;
    let question =
        Question { select: args.select, replace: args.replace, allow_deletes: args.allow_deletes, at: args.at };
    let options = estate.options(question)?;
    let mut observed = machine::look(&estate, console)?;
    let plan = estate.judge(&mut observed, &options, load::now());
    let document = view::plan::json(&plan).map_err(|e| Stop::refused(format!("the plan cannot be written: {e}")))?;
    if let Some(out) = &args.out {
        machine::save(out, document.as_bytes())?;
    }
    match args.format {
        PlanFormat::Text => {
            console.report(&view::plan::plan(&plan, console.verbose()));
            if let Some(out) = &args.out {
                console.report(&saved(&plan, out));
            }
        }
        PlanFormat::Json => console.report(&document),
        PlanFormat::Markdown => console.report(&view::markdown::ticket(&plan, &estate.state())),
    }
    Ok(if args.detailed_exitcode { Facts::of_plan(&plan.summary) } else { Facts::FINE })
}

/// What to do with a saved plan. The summary stays the last line that a script reads, so this goes above nothing: it is
/// printed only where something would be done.
fn saved(plan: &Plan, out: &Path) -> String {
    let _ = plan;
    format!("\nSaved to {0}. To do exactly this: trustmason apply --plan {0}\n", out.display())
}
