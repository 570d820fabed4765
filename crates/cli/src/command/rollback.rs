//! `rollback`: restores every store that the newest run wrote. Nothing is restored if a store was changed since.

use std::collections::BTreeSet;

use trustmason_host::converge::TakenBack;
use trustmason_host::record::approval::Approval;
use trustmason_host::record::audit::Author;
use trustmason_host::rollback::Outlook;
use trustmason_host::run::StoreOutcome;
use trustmason_plan::run_id::RunId;
use trustmason_plan::text::{count, time};

use super::apply::approve;
use crate::args::RollbackArgs;
use crate::clock::{self, ProcessClock};
use crate::console::{Console, account};
use crate::exit::ExitFacts;
use crate::load;
use crate::progress::painted;
use crate::stop::Stop;
use crate::view::ladder::Onward;
use crate::view::{BAD, BOLD, DIM, GOOD, WARN, ladder, line, named, paint};

const QUESTION: &str = "Do you want to roll this run back?";
const LISTED: &str = "`trustmason runs` lists the runs";
const HINT: &str = "Use --auto-approve if nobody can be asked.";

pub(crate) fn run(args: &RollbackArgs, console: Console) -> Result<ExitFacts, Stop> {
    let (spec, run) = args.named();
    let estate = load::estate(spec, console)?;
    let reconciler = estate.reconciler(ProcessClock::read()?);
    let mut lock = reconciler.lock().map_err(Stop::because)?;
    let run = run.map(|text| RunId::parse(text).map_err(|error| Stop::refused(format!("{error}; {LISTED}"))));
    let run = run.transpose()?;
    let observation = reconciler.look(&mut painted(console)).map_err(Stop::because)?;
    let word = clock::require_plausible(&reconciler, &observation, args.clock_is_right)?;
    let outlook = reconciler.outlook(&observation, run.as_ref()).map_err(Stop::because)?;
    console.report(&preview(&outlook));
    let approval = if args.auto_approve {
        Approval::Auto
    } else {
        approve(console, QUESTION, HINT)?;
        Approval::Asked
    };
    let mut observation = reconciler.approved(observation, approval, &mut painted(console)).map_err(Stop::because)?;
    word.record(&reconciler, &mut observation, &mut lock)?;
    let author = Author { who: &account(), approval };
    let whole = estate.whole();
    let taken = reconciler
        .roll_back(&outlook.run, &observation, author, &whole, &mut lock, &mut painted(console))
        .map_err(Stop::because)?;
    drop(lock);
    let packs = taken.undone.packs.iter().map(|target| target.called(&estate.topology).to_string());
    let packs: Vec<String> = packs.collect();
    console.report(&report(&taken, &packs));
    Ok(ExitFacts { blocked: !taken.undone.is_complete(), ..ExitFacts::FINE })
}

fn preview(outlook: &Outlook) -> String {
    let mut out = String::new();
    line!(out, "{} of {}:", paint(BOLD, format!("Run {}", outlook.run)), time(outlook.started.as_second()));
    let mut stores = BTreeSet::new();
    for (store, path) in outlook.files() {
        stores.insert(store);
        line!(out, "  {} gets its old content back  {}", paint(BOLD, store), paint(DIM, path.path()));
    }
    if stores.is_empty() {
        line!(out, "  no store has content of this run any more; only the state folder is corrected");
    }
    if !outlook.breaks.is_empty() {
        line!(out, "Trust that fails because of it:");
    }
    for one in &outlook.breaks {
        line!(out, "  {} {one}", paint(BAD, "!"));
    }
    out.push('\n');
    out
}

/// Writes what was restored. Writes what is left to do too, if a plan can be made.
fn report(taken: &TakenBack, packs: &[String]) -> String {
    let undone = &taken.undone;
    let mut out = String::new();
    let mut restored = 0;
    for (store, outcome) in &undone.stores {
        match outcome {
            StoreOutcome::Written { .. } => {
                restored += 1;
                line!(out, "{} {}", paint(GOOD, "restored"), paint(BOLD, store));
            }
            StoreOutcome::Unchanged => {
                line!(out, "{} {}  {}", paint(DIM, "as it was"), paint(BOLD, store), paint(DIM, "already"));
            }
            StoreOutcome::Stale { why } => {
                line!(out, "{} {}: {why}", paint(BAD, "left alone"), paint(BOLD, store));
            }
            StoreOutcome::Skipped { why } => {
                line!(out, "{} {}: {why}", paint(BAD, "left alone"), paint(BOLD, store));
            }
            StoreOutcome::Failed { error } => line!(out, "{} {}: {error}", paint(BAD, "failed"), paint(BOLD, store)),
        }
    }
    for identity in &undone.unstaged {
        line!(out, "{} the new key of {identity}, which was not in use yet", paint(DIM, "removed"));
    }
    for identity in &undone.kept {
        line!(out, "{} the new key of {identity}, because a store holds its certificate", paint(DIM, "kept"));
    }
    for identity in &undone.restaged {
        line!(
            out,
            "{} the key of {identity} in staging, and the next apply continues with it; to discard this key, roll the run \
             before this one back too",
            paint(DIM, "kept")
        );
    }
    for pack in packs {
        line!(
            out,
            "the pack for {pack} is outdated, because its certificates were rolled back; the next apply writes a new pack"
        );
    }
    for trouble in &undone.troubles {
        line!(out, "{} {trouble}", paint(BAD, "!"));
    }
    for warning in &undone.warnings {
        line!(out, "{} {warning}", paint(WARN, "!"));
    }
    out.push('\n');
    match &taken.left {
        Ok(next) => {
            ladder::restarts_now(&mut out, &taken.restarts());
            ladder::how_to_go_on(&mut out, next, &Onward::undone());
        }
        Err(error) => {
            line!(out, "{} the work that is left cannot be shown: {}", paint(BAD, "!"), named(error));
        }
    }
    let whole = match (undone.is_restored(), undone.is_complete()) {
        (_, true) => "Rollback complete",
        // The run counts as taken back, so another rollback would take back the run before it.
        (true, false) => "Rollback complete, but with the problem above",
        (false, false) => "Rollback incomplete, run it again",
    };
    line!(out, "{}", paint(BOLD, format!("{whole}: {} restored.", count(restored, "store"))));
    out
}
