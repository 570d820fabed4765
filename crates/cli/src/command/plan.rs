//! `plan`: shows what would change, and why. Only the plan file of `--out` is written.

use std::path::Path;

use trustmason_host::disk::{self, Disk, DiskError, ExpectedTarget, Owner, ReadLimit, Replacement};
use trustmason_plan::shell::Command;

use crate::args::{PlanArgs, PlanFormat};
use crate::clock::{self, ProcessClock};
use crate::console::Console;
use crate::exit::ExitFacts;
use crate::load::{self, PlanRequest};
use crate::progress::painted;
use crate::stop::Stop;
use crate::view;

pub(crate) fn run(args: PlanArgs, console: Console) -> Result<ExitFacts, Stop> {
    let estate = load::estate(args.spec.as_deref(), console)?;
    let question =
        PlanRequest { select: args.select, replace: args.replace, allow_deletes: args.allow_deletes, at: args.at };
    let options = estate.options(question)?;
    let reconciler = estate.reconciler(ProcessClock::read()?);
    let observation = reconciler.look(&mut painted(console)).map_err(Stop::because)?;
    if options.at.is_none() {
        clock::warn(&reconciler, &observation, console);
    }
    let plan = reconciler.plan(&observation, &options);
    let document = view::plan::json(&plan).map_err(|e| Stop::refused(format!("the plan cannot be written: {e}")))?;
    if let Some(out) = &args.out {
        save(out, document.as_bytes())?;
    }
    match args.format {
        PlanFormat::Text => {
            console.report(&view::plan::plan(&plan, console.verbose()));
            if let Some(out) = &args.out {
                let apply = Command::here("trustmason apply --plan").file(out.display());
                console.note(&format!("The plan was saved. To apply exactly this plan: {apply}"));
            }
        }
        PlanFormat::Json => console.data(&document),
        PlanFormat::Markdown => console.report(&view::markdown::ticket(&plan, &estate.topology, reconciler.state())),
    }
    Ok(if args.detailed_exitcode { ExitFacts::of_plan(&plan.summary) } else { ExitFacts::FINE })
}

/// Saves a plan in a file that only its owner can read (0600). The file is replaced as a whole or not at all.
fn save(path: &Path, bytes: &[u8]) -> Result<(), Stop> {
    let refused = |why: String| Stop::refused(format!("the plan cannot be saved: {why}"));
    let target = match std::fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(refused(format!("{}: {error}", path.display()))),
    };
    if std::fs::metadata(&target).is_ok_and(|m| !m.is_file()) {
        return Err(refused(format!("{} is not a file; name a file, or a new name", path.display())));
    }
    // Only a saved plan is overwritten, so that a typing slip cannot destroy a keystore or the spec.
    let none =
        || format!("{} exists and is not a saved plan, so it was not overwritten; name a new file", path.display());
    match disk::read_if_there(&target, ReadLimit::Plan) {
        Ok(Some(old)) if !is_plan(&old) => return Err(refused(none())),
        Ok(_) => {}
        Err(error) if error.is_too_large() => return Err(refused(none())),
        Err(error) => return Err(refused(error.to_string())),
    }
    let (owner, expected, limit) = (Owner::ours(0o600), ExpectedTarget::Anything, ReadLimit::Plan);
    let new = Replacement { target: &target, bytes, limit, owner, attributes: None, expected, run: "plan" };
    let saved = Disk::new().replace(new, || Ok::<(), DiskError>(()));
    saved.map_err(|error| refused(error.into_error(&target).to_string()))
}

/// Whether the bytes are a plan saved by any version.
fn is_plan(bytes: &[u8]) -> bool {
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_slice(bytes) else { return false };
    ["format_version", "tool_version", "inputs", "changes"].iter().all(|key| fields.contains_key(*key))
}
