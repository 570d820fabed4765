//! `demo`: writes a small estate, plans it, applies it, acts as the operator, and plans again. Every output is
//! computed, none is prepared.

use std::path::{Path, PathBuf};

use trustmason_host::converge::{ApprovedPlan, Clock as _, Reconciler, Round};
use trustmason_host::disk;
use trustmason_host::record::approval::Approval;
use trustmason_host::record::audit::Author;
use trustmason_plan::outline::Plan;
use trustmason_plan::shell::Command;

use crate::args::DemoArgs;
use crate::causes::Causes;
use crate::clock::ProcessClock;
use crate::console::{self, Console};
use crate::exit::ExitFacts;
use crate::load::{self, Estate, PlanRequest};
use crate::progress::painted;
use crate::stop::Stop;
use crate::view::apply::Report;
use crate::view::{BOLD, paint};
use crate::{demo, view};

pub(crate) fn run(args: &DemoArgs, console: Console) -> Result<ExitFacts, Stop> {
    let clock = ProcessClock::read()?;
    let dir = folder(args.dir.as_deref())?;
    let written = demo::write(&dir, clock.now()).map_err(|e| Stop::refused(e.to_string()))?;
    console.report(&format!(
        "A small estate was made in {}: 12 hosts, {} keystores ({} vendor roots in each cacerts), {} exported certificates, \
         and the usual defects of a real estate.\n",
        dir.display(),
        written.stores,
        written.roots,
        written.exports
    ));
    if args.make_only {
        let plan = Command::here("trustmason plan").file(written.spec.display());
        console.note(&format!("Nothing was repaired. Go to that folder and try: {plan}"));
        return Ok(ExitFacts::FINE);
    }
    let spec = written.spec.display().to_string();
    step(console, Command::here("trustmason plan").file(&spec));
    let estate = load::estate(Some(&written.spec), console)?;
    let reconciler = estate.reconciler(clock);
    let mut observation = reconciler.look(&mut painted(console)).map_err(Stop::because)?;
    let options = estate.options(PlanRequest::default())?;
    let plan = reconciler.plan(&observation, &options);
    console.report(&view::plan::plan(&plan, console.verbose()));

    // Each round does all that a run can do at once. Then the operator restarts services, imports packs, and says so.
    let mut plan = plan;
    for _ in 0..ROUNDS {
        step(console, Command::here("trustmason apply").file(&spec).own("--auto-approve"));
        let mut lock = reconciler.lock().map_err(Stop::because)?;
        let author = Author { who: &console::account(), approval: Approval::Auto };
        let begun = ApprovedPlan { observation, plan, author };
        let converged = reconciler.converge(begun, &mut lock, &mut painted(console)).map_err(Stop::because)?;
        drop(lock);
        let causes = Causes::of(&converged.rounds, &converged.next);
        let report = Report { converged: &converged, causes: &causes, shown: false, state: reconciler.state() };
        console.report(&view::apply::text(report));
        if !converged.rounds.iter().all(Round::is_complete) {
            return Ok(causes.facts());
        }
        person(&estate, &reconciler, &converged.next, console)?;
        restarts(&estate, &reconciler, console)?;
        observation = reconciler.look(&mut painted(console)).map_err(Stop::because)?;
        plan = reconciler.plan(&observation, &options);
        if plan.summary.changes() == 0 {
            break;
        }
    }

    step(console, Command::here("trustmason plan").file(&spec));
    console.report(&view::plan::plan(&plan, console.verbose()));
    console.note(&format!(
        "The estate stays in {}. Go to that folder and try: trustmason explain cvp1.acme.example/wsm",
        dir.display()
    ));
    Ok(Causes::of(&[], &plan).facts())
}

/// The largest number of rounds. A rotation needs three: extend, install, withdraw.
const ROUNDS: usize = 5;

/// Acts as the operator who restarts services. No service runs in the demo, so restarts are only acknowledged.
fn restarts(estate: &Estate, reconciler: &Reconciler<'_>, console: Console) -> Result<(), Stop> {
    let mut lock = reconciler.lock().map_err(Stop::because)?;
    let observation = reconciler.look(&mut painted(console)).map_err(Stop::because)?;
    let plan = reconciler.plan(&observation, &estate.whole());
    let pending: Vec<_> = plan.waits().restarts.into_iter().map(|restart| restart.service.clone()).collect();
    if pending.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = pending.iter().map(ToString::to_string).collect();
    console.report(&format!(
        "\nThe demo plays the person: it restarted these services, side A first, and acknowledged them with `trustmason ack`: {}.\n",
        names.join(", ")
    ));
    let by = pending.into_iter().map(|service| (service, "the demo".to_owned())).collect();
    reconciler.acknowledge(by, &observation, &plan, &mut lock).map_err(Stop::because)?;
    Ok(())
}

fn step(console: Console, command: Command) {
    console.report(&format!("\n{}\n\n", paint(BOLD, format!("$ {command}"))));
}

/// Carries out the packs as the operator.
fn person(estate: &Estate, reconciler: &Reconciler<'_>, next: &Plan, console: Console) -> Result<(), Stop> {
    for work in &next.manual {
        let Some(store) = work.target().store() else { continue };
        let folder = reconciler.state().pack(work.target());
        let (come, gone) = demo::carry_out(&estate.topology, store, &folder).map_err(|e| {
            Stop::refused(format!("the demo could not carry out the hand-off for {}: {e}", work.called))
        })?;
        console.report(&format!(
            "\nThe demo plays the person: as {} says, it added {come} to {}, removed {gone} there, and exported the store again.\n",
            folder.join("STEPS.md").display(),
            work.called
        ));
    }
    Ok(())
}

/// The folder to write to: the named folder if it is empty, else an error. Without a name, a new temporary folder.
fn folder(dir: Option<&Path>) -> Result<PathBuf, Stop> {
    let Some(dir) = dir else {
        let made = tempfile::Builder::new().prefix("trustmason-demo-").tempdir();
        return made
            .map(tempfile::TempDir::keep)
            .map_err(|e| Stop::refused(format!("no folder for the demo could be made: {e}; name a folder")));
    };
    let made = fs_err::create_dir_all(dir).map_err(|error| error.to_string());
    let items = made.and_then(|()| disk::items(dir).map_err(|error| error.to_string()));
    match items.map(|mut items| items.next().is_none()) {
        Ok(true) => Ok(dir.to_owned()),
        Ok(false) => Err(Stop::refused(format!("{} is not empty; name a new folder for the demo", dir.display()))),
        Err(error) => Err(Stop::refused(format!("the demo cannot be written: {error}"))),
    }
}
