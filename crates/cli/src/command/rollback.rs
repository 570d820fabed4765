//! `rollback`: every store of the newest run becomes what it was before.

use std::collections::BTreeSet;

use trustmason_host::audit::{Approval, Author};
use trustmason_host::rollback::{self, Looking, Outlook, Request, Undone};
use trustmason_host::run::StoreOutcome;
use trustmason_plan::outline::{Plan, Restart};
use trustmason_plan::run_id::RunId;
use trustmason_plan::text::{count, time};

use super::apply::approve;
use super::confirm::person;
use crate::args::RollbackArgs;
use crate::clock::{self, Clock};
use crate::console::Console;
use crate::exit::Facts;
use crate::load::{self, Estate, Question};
use crate::machine::{Machine, Sight};
use crate::stop::Stop;
use crate::view::ladder::Onward;
use crate::view::{BAD, BOLD, DIM, GOOD, WARN, ladder, line, paint};

const QUESTION: &str = "Do you want to take this run back?";
const LISTED: &str = "`trustmason runs` lists the runs";
const HINT: &str = "Use --auto-approve if nobody can be asked.";

pub(crate) fn run(args: &RollbackArgs, console: Console) -> Result<Facts, Stop> {
    let (spec, run) = args.named();
    let estate = load::estate(spec, console)?;
    let machine = Machine::of(&estate, Clock::read()?);
    let mut lock = machine.lock()?;
    let run = run.map(|text| RunId::parse(text).map_err(|error| Stop::refused(format!("{error}; {LISTED}"))));
    let run = run.transpose()?;
    let mut sight = machine.look(&estate, console)?;
    let word = clock::stands(&machine, &estate, &sight, args.clock_is_right)?;
    let refused = |e: rollback::RollbackError| Stop::refused(e.to_string());
    let outlook = rollback::outlook(looking(&estate, &machine, &sight), run.as_ref()).map_err(refused)?;
    console.report(&preview(&outlook));
    if !args.auto_approve {
        approve(console, QUESTION, HINT)?;
        // A person took their time: what is judged is what is there now.
        sight = machine.look(&estate, console)?;
    }
    word.record(&machine, &estate, &mut sight, &mut lock)?;
    let approval = if args.auto_approve { Approval::Auto } else { Approval::Asked };
    let who = person();
    let request = Request {
        run: Some(&outlook.run),
        looking: looking(&estate, &machine, &sight),
        author: Author { who: &who, approval },
    };
    let undone = rollback::rollback(request, &machine.disk, &mut lock).map_err(refused)?;
    drop(lock);
    let next = machine.look(&estate, console).and_then(|mut sight| {
        Ok(estate.judge(&mut sight.observed, &estate.options(Question::default())?, machine.clock.now()))
    });
    let packs: Vec<String> = undone.packs.iter().map(|target| target.called(&estate.topology).to_string()).collect();
    console.report(&report(&undone, &packs, next));
    Ok(Facts { blocked: !undone.is_complete(), ..Facts::FINE })
}

fn looking<'a>(estate: &'a Estate, machine: &'a Machine, sight: &'a Sight) -> Looking<'a> {
    Looking {
        state: &machine.state,
        topology: &estate.topology,
        ledger: &sight.ledger,
        observed: &sight.observed,
        secrets: &machine.secrets,
        certificates: &machine.certificates,
        now: machine.clock.exactly(),
    }
}

fn preview(outlook: &Outlook) -> String {
    let mut out = String::new();
    line!(out, "{} of {}:", paint(BOLD, format!("Run {}", outlook.run)), time(outlook.started.as_second()));
    let mut stores = BTreeSet::new();
    for (store, path) in outlook.files() {
        stores.insert(store);
        line!(out, "  {} becomes what it was  {}", paint(BOLD, store), paint(DIM, path.path()));
    }
    if stores.is_empty() {
        line!(out, "  nothing it wrote stands any more; only what is remembered of it is put right");
    }
    if !outlook.breaks.is_empty() {
        line!(out, "Trust that fails by it:");
    }
    for one in &outlook.breaks {
        line!(out, "  {} {one}", paint(BAD, "!"));
    }
    out.push('\n');
    out
}

/// What was taken back, and what is left, if that can be told.
fn report(undone: &Undone, packs: &[String], next: Result<Plan, Stop>) -> String {
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
        line!(out, "{} the new key of {identity}, which nobody used yet", paint(DIM, "removed"));
    }
    for identity in &undone.kept {
        line!(out, "{} the new key of {identity} waits on: a store holds its certificate", paint(DIM, "kept"));
    }
    for identity in &undone.restaged {
        line!(
            out,
            "{} the key of {identity} waits in staging again, and the next apply goes on with it; to give it up, take the run \
             before back too",
            paint(DIM, "kept")
        );
    }
    for pack in packs {
        line!(out, "the pack for {pack} asks for what was taken back; the next apply writes it anew");
    }
    for trouble in &undone.troubles {
        line!(out, "{} {trouble}", paint(BAD, "!"));
    }
    for warning in &undone.warnings {
        line!(out, "{} {warning}", paint(WARN, "!"));
    }
    out.push('\n');
    match next {
        Ok(next) => {
            let again: Vec<&Restart> = next.restarts.iter().filter(|r| undone.restarts.contains(&r.service)).collect();
            ladder::restarts_now(&mut out, &again);
            ladder::how_to_go_on(&mut out, &next, &Onward::undone());
        }
        Err(stop) => line!(out, "{} what is left cannot be told: {}", paint(BAD, "!"), stop.into_message()),
    }
    let whole = match (undone.is_restored(), undone.is_complete()) {
        (_, true) => "Rollback complete",
        // The run counts as taken back: another rollback would take the one before it.
        (true, false) => "Rollback complete, with the trouble above",
        (false, false) => "Rollback incomplete, run it again",
    };
    line!(out, "{}", paint(BOLD, format!("{whole}: {} restored.", count(restored, "store"))));
    out
}
