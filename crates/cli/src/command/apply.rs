//! `apply`: makes the stores match the spec, from the spec or from a saved plan. The first plan needs an approval.

use std::path::Path;

use jiff::Timestamp;
use trustmason_host::converge::ApprovedPlan;
use trustmason_host::disk::{self, ReadLimit};
use trustmason_host::record::approval::Approval;
use trustmason_host::record::audit::Author;
use trustmason_plan::outline::{Plan, PlanOptions};
use trustmason_plan::shell::Command;
use trustmason_plan::wire::Document;
use trustmason_spec::name::IdentityId;
use trustmason_spec::topology::Side;

use crate::args::{ApplyArgs, ReportFormat};
use crate::causes::Causes;
use crate::clock::{self, ProcessClock};
use crate::console::{Console, account};
use crate::exit::ExitFacts;
use crate::load::{self, PlanRequest};
use crate::progress::painted;
use crate::stop::Stop;
use crate::view::apply::Report;
use crate::{signals, view};

const QUESTION: &str = "Do you want to perform these actions?";
const HINT: &str = "Use --auto-approve, or save a plan and read it first: trustmason plan --out FILE, then trustmason apply \
                    --plan FILE";
const HOW: &str = "Only 'yes' will be accepted to approve.";

pub(crate) fn run(args: ApplyArgs, console: Console) -> Result<ExitFacts, Stop> {
    let saved = args.plan.as_deref().map(Saved::read).transpose()?;
    let spec = saved.as_ref().map(|s| Path::new(&s.document.options.spec)).or(args.spec.as_deref());
    let estate = load::estate(spec, console)?;
    let reconciler = estate.reconciler(ProcessClock::read()?);
    // The lock is held from the first look to the last write, so that nobody changes the state in between.
    let mut lock = reconciler.lock().map_err(Stop::because)?;
    let mut observation = reconciler.look(&mut painted(console)).map_err(Stop::because)?;
    let word = clock::require_plausible(&reconciler, &observation, args.clock_is_right)?;
    if let Some(saved) = &saved {
        clock::is_past(&saved.name, saved.created, reconciler.now())?;
    }
    let (options, made) = match &saved {
        Some(saved) => (saved.options.clone(), saved.created),
        None => {
            let (select, replace) = (args.select, args.replace);
            let question = PlanRequest { select, replace, allow_deletes: args.allow_deletes, ..PlanRequest::default() };
            (estate.options(question)?, reconciler.now())
        }
    };
    let plan = reconciler.plan_made(&observation, &options, made);
    match &saved {
        Some(saved) => saved.compare(&plan)?,
        None => show(&plan, args.format, console),
    }
    if saved.is_none() && !args.auto_approve && !reconciler.is_idle(&observation, &plan) {
        approve(console, QUESTION, HINT)?;
    }
    let approval = match (&saved, args.auto_approve) {
        (Some(_), _) => Approval::SavedPlan,
        (None, true) => Approval::Auto,
        (None, false) => Approval::Asked,
    };
    word.record(&reconciler, &mut observation, &mut lock)?;
    signals::heed(&reconciler)?;
    let author = Author { who: &account(), approval };
    let begun = ApprovedPlan { observation, plan, author };
    let converged = reconciler.converge(begun, &mut lock, &mut painted(console)).map_err(Stop::because)?;
    drop(lock);
    let causes = Causes::of(&converged.rounds, &converged.next);
    let report = Report { converged: &converged, causes: &causes, shown: saved.is_none(), state: reconciler.state() };
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

fn show(plan: &Plan, format: ReportFormat, console: Console) {
    let text = view::plan::plan(plan, console.verbose());
    match format {
        ReportFormat::Text => console.report(&text),
        // Stdout gets the JSON report, so the plan to approve goes to stderr.
        ReportFormat::Json => console.note(&text),
    }
}

/// Asks a person for approval. Only the answer `yes` continues.
pub(crate) fn approve(console: Console, question: &str, hint: &str) -> Result<(), Stop> {
    let nobody = format!("nobody can approve, because stdin is not a terminal; nothing was done. {hint}");
    approve_with(console, question, HOW, &nobody)
}

/// Asks a person for approval, with other instructions and another error for a run without a person.
pub(crate) fn approve_with(console: Console, question: &str, how: &str, nobody: &str) -> Result<(), Stop> {
    match console.ask(question, how, "Enter a value: ") {
        Some(answer) if answer == "yes" => Ok(()),
        Some(_) => Err(Stop::refused("the answer was not `yes`; nothing was done")),
        None => Err(Stop::refused(nobody)),
    }
}

/// A plan that was read from a file.
struct Saved {
    name: String,
    document: Document,
    options: PlanOptions,
    created: Timestamp,
}

impl Saved {
    /// Reads the plan. A file that is not a plan of a known version is refused.
    fn read(path: &Path) -> Result<Self, Stop> {
        let name = path.display().to_string();
        let bad = |why: String| {
            Stop::refused(format!("{name} is not a plan that can be carried out: {why}; make a new plan with --out"))
        };
        let bytes = disk::read(path, ReadLimit::Plan)
            .map_err(|e| Stop::refused(format!("the plan cannot be read: {name}: {}", e.why())))?;
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        match value.get("format_version").and_then(serde_json::Value::as_str) {
            Some(trustmason_plan::wire::FORMAT_VERSION) => {}
            Some(other) => return Err(bad(format!("its format_version is {other}"))),
            None => return Err(bad("it has no format_version".to_owned())),
        }
        let document: Document = serde_json::from_value(value).map_err(|e| bad(e.to_string()))?;
        let created = document.created.parse().map_err(|e| bad(format!("`created`: {e}")))?;
        let asked = &document.options;
        if let Some(at) = &asked.at {
            return Err(bad(format!("it was made with --at {at}, and such a plan is only for reading")));
        }
        let replace = asked.replace.iter().map(|t| IdentityId::parse(t)).collect::<Result<_, _>>();
        let side = match asked.side.as_deref() {
            None => None,
            Some("a") => Some(Side::A),
            Some("b") => Some(Side::B),
            Some(other) => return Err(bad(format!("there is no side `{other}`"))),
        };
        let at = asked.at.as_deref().map(str::parse).transpose().map_err(|e| bad(format!("`at`: {e}")))?;
        let options = PlanOptions {
            spec: asked.spec.clone(),
            hosts: asked.hosts.clone(),
            side,
            replace: replace.map_err(|e| bad(e.to_string()))?,
            allow_deletes: asked.allow_deletes,
            at,
        };
        Ok(Self { name, document, options, created })
    }

    /// Compares the saved plan with the plan of now. Any difference is an error.
    fn compare(&self, plan: &Plan) -> Result<(), Stop> {
        let differences = self.document.differences(&view::plan::document(plan));
        if differences.is_empty() {
            return Ok(());
        }
        Err(Stop::outdated(format!(
            "{} is outdated; nothing was written:\n  {}\nMake a new plan with the same options, for example: {}",
            self.name,
            differences.join("\n  "),
            Command::here("trustmason plan").file(&self.options.spec).own("--out").file(&self.name)
        )))
    }
}
