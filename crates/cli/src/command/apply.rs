//! `apply`: make the estate what the spec declares, from the spec or from a saved plan.

use std::path::Path;

use jiff::Timestamp;
use trustmason_host::audit::Approval;
use trustmason_host::lock::Lock;
use trustmason_host::run::Outcomes;
use trustmason_plan::outline::{Options, Plan};
use trustmason_plan::wire::Document;
use trustmason_spec::name::IdentityId;
use trustmason_spec::topology::Side;

use crate::args::{ApplyArgs, ReportFormat};
use crate::console::Console;
use crate::exit::Facts;
use crate::load::{self, Estate, Question};
use crate::machine::{Machine, Sight};
use crate::stop::Stop;
use crate::view;
use crate::view::apply::Report;

const QUESTION: &str = "Do you want to perform these actions?";
const HOW: &str = "Only 'yes' will be accepted to approve.";

pub(crate) fn run(args: ApplyArgs, console: Console) -> Result<Facts, Stop> {
    let saved = args.plan.as_deref().map(Saved::read).transpose()?;
    let spec = saved.as_ref().map(|s| Path::new(&s.document.options.spec)).or(args.spec.as_deref());
    let estate = load::estate(spec, console)?;
    let machine = Machine::of(&estate);
    // Held from the first look to the last: what is judged is what is written.
    let mut lock = machine.lock()?;
    let mut sight = machine.look(&estate, console)?;
    let (options, made) = match &saved {
        Some(saved) => (saved.options.clone(), saved.created),
        None => {
            let question = Question { select: args.select, allow_deletes: args.allow_deletes, ..Question::default() };
            (estate.options(question)?, load::now())
        }
    };
    let plan = estate.judge(&mut sight.observed, &options, made);
    match &saved {
        Some(saved) => saved.compare(&plan)?,
        None => show(&plan, args.format, console),
    }
    if saved.is_none() && !args.auto_approve && !machine.is_idle(&estate, &sight, &plan)? {
        approve(console)?;
    }
    let approval = match (&saved, args.auto_approve) {
        (Some(_), _) => Approval::SavedPlan,
        (None, true) => Approval::Auto,
        (None, false) => Approval::Asked,
    };
    let outcomes = machine.run(&estate, &sight, &plan, &mut lock, approval, console)?;
    let next = afterwards(&estate, &machine, &plan, &outcomes, console)?;
    drop(lock);
    let facts = facts(&outcomes, &next);
    let pack = |id: &_| machine.pack(id);
    let report = Report { plan: &plan, outcomes: &outcomes, next: &next, pack: &pack };
    console.report(&match args.format {
        ReportFormat::Text => format!("\n{}", view::apply::text(report)),
        ReportFormat::Json => view::apply::json(report, facts.code())
            .map_err(|e| Stop::refused(format!("the plan was carried out, but the report cannot be written: {e}")))?,
    });
    Ok(facts)
}

fn show(plan: &Plan, format: ReportFormat, console: Console) {
    let text = view::plan::plan(plan, console.verbose());
    match format {
        ReportFormat::Text => console.report(&text),
        // The report on stdout is JSON; who approves must still see what.
        ReportFormat::Json => console.note(&text),
    }
}

fn approve(console: Console) -> Result<(), Stop> {
    match console.ask(QUESTION, HOW, "Enter a value: ") {
        Some(answer) if answer == "yes" => Ok(()),
        Some(_) => Err(Stop::refused("declined; nothing was done")),
        None => Err(Stop::refused(
            "nobody is here to approve (stdin is no terminal); nothing was done. Use --auto-approve, or look at a saved \
             plan first: trustmason plan --out FILE, then trustmason apply --plan FILE",
        )),
    }
}

/// Looks and plans again. A wish to make something anew is fulfilled; times are those of now.
pub(crate) fn afterwards(
    estate: &Estate,
    machine: &Machine,
    plan: &Plan,
    outcomes: &Outcomes,
    console: Console,
) -> Result<Plan, Stop> {
    if outcomes.run.is_none() && plan.changes.is_empty() {
        return Ok(plan.clone());
    }
    let Sight { mut observed, .. } = machine.look(estate, console)?;
    let options = Options { replace: Vec::new(), at: None, ..plan.options.clone() };
    Ok(estate.judge(&mut observed, &options, load::now()))
}

/// What an apply means for the exit code.
pub(crate) fn facts(outcomes: &Outcomes, next: &Plan) -> Facts {
    Facts::of_apply(&next.summary, !outcomes.is_complete(), !next.barriers.is_empty())
}

/// Runs a plan for the demo, which asks nobody.
pub(crate) fn carry_out(
    estate: &Estate,
    machine: &Machine,
    sight: &Sight,
    plan: &Plan,
    console: Console,
) -> Result<(Outcomes, Plan), Stop> {
    let mut lock: Lock = machine.lock()?;
    let outcomes = machine.run(estate, sight, plan, &mut lock, Approval::Auto, console)?;
    let next = afterwards(estate, machine, plan, &outcomes, console)?;
    Ok((outcomes, next))
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
        let bytes = fs_err::read(path).map_err(|e| Stop::refused(format!("the plan cannot be read: {e}")))?;
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
            "{} no longer holds; nothing was written:\n  {}\nPlan again with the same options, for example: trustmason plan {} --out {}",
            self.name,
            differences.join("\n  "),
            self.options.spec,
            self.name
        )))
    }
}
