//! `apply`: make the estate what the spec declares, from the spec or from a saved plan.

use std::path::Path;

use jiff::Timestamp;
use trustmason_host::audit::Approval;
use trustmason_host::disk::{self, Limit};
use trustmason_host::lock::Lock;
use trustmason_plan::outline::{Options, Plan};
use trustmason_plan::shell::Command;
use trustmason_plan::wire::Document;
use trustmason_spec::name::{IdentityId, ServiceId};
use trustmason_spec::topology::Side;

use crate::args::{ApplyArgs, ReportFormat};
use crate::causes::Causes;
use crate::clock::{self, Clock};
use crate::console::Console;
use crate::exit::Facts;
use crate::load::{self, Estate, Question};
use crate::machine::{Machine, Restarts, Sight};
use crate::stop::Stop;
use crate::view;
use crate::view::apply::{Report, Round};

const QUESTION: &str = "Do you want to perform these actions?";
const HINT: &str = "Use --auto-approve, or look at a saved plan first: trustmason plan --out FILE, then trustmason apply \
                    --plan FILE";
const HOW: &str = "Only 'yes' will be accepted to approve.";

pub(crate) fn run(args: ApplyArgs, console: Console) -> Result<Facts, Stop> {
    let saved = args.plan.as_deref().map(Saved::read).transpose()?;
    let spec = saved.as_ref().map(|s| Path::new(&s.document.options.spec)).or(args.spec.as_deref());
    let estate = load::estate(spec, console)?;
    let machine = Machine::of(&estate, Clock::read()?);
    // Held from the first look to the last: what is judged is what is written.
    let mut lock = machine.lock()?;
    let mut sight = machine.look(&estate, console)?;
    let word = clock::stands(&machine, &estate, &sight, args.clock_is_right)?;
    if let Some(saved) = &saved {
        clock::is_past(&saved.name, saved.created, machine.clock)?;
    }
    let (options, made) = match &saved {
        Some(saved) => (saved.options.clone(), saved.created),
        None => {
            let (select, replace) = (args.select, args.replace);
            let question = Question { select, replace, allow_deletes: args.allow_deletes, ..Question::default() };
            (estate.options(question)?, machine.clock.now())
        }
    };
    let plan = estate.judge(&mut sight.observed, &options, made);
    match &saved {
        Some(saved) => saved.compare(&plan)?,
        None => show(&plan, args.format, console),
    }
    let idle = machine.is_idle(&estate, &sight, &plan)? && due(&estate, &plan).next().is_none();
    if saved.is_none() && !args.auto_approve && !idle {
        approve(console, QUESTION, HINT)?;
    }
    let approval = match (&saved, args.auto_approve) {
        (Some(_), _) => Approval::SavedPlan,
        (None, true) => Approval::Auto,
        (None, false) => Approval::Asked,
    };
    word.record(&machine, &estate, &mut sight, &mut lock)?;
    machine.heed_signals()?;
    let (rounds, next) = rounds(&estate, &machine, Begun { sight, plan, approval }, &mut lock, console)?;
    drop(lock);
    let causes = Causes::of(&rounds, &next);
    let pack = |id: &_| machine.pack(id);
    let report = Report { rounds: &rounds, next: &next, causes: &causes, shown: saved.is_none(), pack: &pack };
    match args.format {
        ReportFormat::Text => console.report(&format!("\n{}", view::apply::text(report))),
        ReportFormat::Json => {
            console.data(&view::apply::json(report).map_err(|e| {
                Stop::refused(format!("the plan was carried out, but the report cannot be written: {e}"))
            })?)
        }
    }
    Ok(causes.facts())
}

/// What was looked at, planned and approved.
pub(crate) struct Begun {
    pub(crate) sight: Sight,
    pub(crate) plan: Plan,
    pub(crate) approval: Approval,
}

/// Carries a plan out, restarts what has a command for it, and goes on with the later phases that the plan foretold as long as
/// nothing waits for a person. Answers what was done, round by round, and the plan that is left.
///
/// # Errors
/// That nothing was done. Once something was, what goes wrong is among the troubles of its round.
pub(crate) fn rounds(
    estate: &Estate,
    machine: &Machine,
    begun: Begun,
    lock: &mut Lock,
    console: Console,
) -> Result<(Vec<Round>, Plan), Stop> {
    let Begun { mut sight, mut plan, approval } = begun;
    let options = Options { replace: Vec::new(), at: None, ..plan.options.clone() };
    let foretold = plan.forecast.clone();
    let mut rounds: Vec<Round> = Vec::new();
    let again = |sight: &mut Sight| -> Result<Plan, Stop> {
        *sight = machine.look(estate, console)?;
        Ok(estate.judge(&mut sight.observed, &options, machine.clock.now()))
    };
    loop {
        let outcomes = match machine.run(estate, &sight, &plan, lock, approval, console) {
            Ok(outcomes) => outcomes,
            // What was done before is told all the same.
            Err(stop) => match rounds.last_mut() {
                Some(round) => {
                    round.outcomes.troubles.push(stop.into_message());
                    return Ok((rounds, plan));
                }
                None => return Err(stop),
            },
        };
        let done = outcomes.is_complete() && !outcomes.interrupted;
        let untouched = outcomes.run.is_none() && plan.changes.is_empty();
        let interrupted = outcomes.interrupted;
        let mut round = Round { plan, outcomes, restarts: Vec::new(), interrupted };
        let after = if untouched { Ok(round.plan.clone()) } else { again(&mut sight) };
        let after = after.and_then(|next| {
            if done {
                let Restarts { services, unrecorded } = machine.restart(estate, &sight, &next, lock, console);
                round.restarts = services;
                round.outcomes.troubles.extend(unrecorded);
            }
            if round.restarts.iter().any(|r| r.outcome.is_ok()) { again(&mut sight) } else { Ok(next) }
        });
        round.interrupted |= machine.stopped();
        let all_up = round.restarts.iter().all(|r| r.outcome.is_ok());
        let next = match after {
            Ok(next) => next,
            Err(stop) => {
                // Nobody can tell what is left: the plan that was carried out is the last that is known.
                round.outcomes.troubles.push(format!("what is left cannot be told: {}", stop.into_message()));
                let known = round.plan.clone();
                rounds.push(round);
                return Ok((rounds, known));
            }
        };
        let ended = !done || !round.outcomes.troubles.is_empty() || !all_up || round.interrupted;
        rounds.push(round);
        let expected = next.changes.iter().all(|change| foretold.iter().any(|one| one.foretells(change)));
        if ended || next.changes.is_empty() || !expected {
            return Ok((rounds, next));
        }
        plan = next;
    }
}

/// Services that something waits for and that the spec has a command for.
fn due<'a>(estate: &'a Estate, plan: &'a Plan) -> impl Iterator<Item = &'a ServiceId> {
    let command = |id: &&ServiceId| estate.topology.services.get(*id).is_some_and(|def| def.restart.is_some());
    plan.waits().restarts.into_iter().map(|restart| &restart.service).filter(command)
}

fn show(plan: &Plan, format: ReportFormat, console: Console) {
    let text = view::plan::plan(plan, console.verbose());
    match format {
        ReportFormat::Text => console.report(&text),
        // The report on stdout is JSON; who approves must still see what.
        ReportFormat::Json => console.note(&text),
    }
}

/// Asks a person; only `yes` goes on.
pub(crate) fn approve(console: Console, question: &str, hint: &str) -> Result<(), Stop> {
    let nobody = format!("nobody is here to approve (stdin is no terminal); nothing was done. {hint}");
    approve_with(console, question, HOW, &nobody)
}

/// Asks a person, with other words for how, and for where there is nobody.
pub(crate) fn approve_with(console: Console, question: &str, how: &str, nobody: &str) -> Result<(), Stop> {
    match console.ask(question, how, "Enter a value: ") {
        Some(answer) if answer == "yes" => Ok(()),
        Some(_) => Err(Stop::refused("declined; nothing was done")),
        None => Err(Stop::refused(nobody)),
    }
}

/// A plan from a file.
struct Saved {
    name: String,
    document: Document,
    options: Options,
    created: Timestamp,
}

impl Saved {
    /// Reads it. A file that is no plan of a version known here is refused; nothing is done.
    fn read(path: &Path) -> Result<Self, Stop> {
        let name = path.display().to_string();
        let bad = |why: String| {
            Stop::refused(format!("{name} is no plan that can be carried out: {why}; plan again with --out"))
        };
        let bytes = disk::read(path, Limit::Plan)
            .map_err(|e| Stop::refused(format!("the plan cannot be read: {name}: {}", e.why())))?;
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        match value.get("format_version").and_then(serde_json::Value::as_str) {
            Some(trustmason_plan::wire::FORMAT_VERSION) => {}
            Some(other) => return Err(bad(format!("its layout is version {other}"))),
            None => return Err(bad("it has no format_version".to_owned())),
        }
        let document: Document = serde_json::from_value(value).map_err(|e| bad(e.to_string()))?;
        let created = document.created.parse().map_err(|e| bad(format!("`created`: {e}")))?;
        let wish = &document.options;
        if let Some(at) = &wish.at {
            return Err(bad(format!(
                "it was made with --at {at}, to see what would be; nothing is done by such a plan"
            )));
        }
        let replace = wish.replace.iter().map(|t| IdentityId::parse(t)).collect::<Result<_, _>>();
        let side = match wish.side.as_deref() {
            None => None,
            Some("a") => Some(Side::A),
            Some("b") => Some(Side::B),
            Some(other) => return Err(bad(format!("there is no side `{other}`"))),
        };
        let at = wish.at.as_deref().map(str::parse).transpose().map_err(|e| bad(format!("`at`: {e}")))?;
        let options = Options {
            spec: wish.spec.clone(),
            hosts: wish.hosts.clone(),
            side,
            replace: replace.map_err(|e| bad(e.to_string()))?,
            allow_deletes: wish.allow_deletes,
            at,
        };
        Ok(Self { name, document, options, created })
    }

    /// Holds it against the plan of now.
    fn compare(&self, plan: &Plan) -> Result<(), Stop> {
        let differences = self.document.differences(&view::plan::document(plan));
        if differences.is_empty() {
            return Ok(());
        }
        Err(Stop::outdated(format!(
            "{} no longer holds; nothing was written:\n  {}\nPlan again with the same options, for example: {}",
            self.name,
            differences.join("\n  "),
            Command::here("trustmason plan").word(&self.options.spec).own("--out").word(&self.name)
        )))
    }
}
