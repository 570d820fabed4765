//! The report of `runs`: the runs of an estate, the newest first.

use std::collections::BTreeMap;

use serde::Serialize;
use trustmason_host::record::ledger::Loaded;
use trustmason_plan::ledger::RunRecord;
use trustmason_plan::run_id::RunId;
use trustmason_plan::shell::Command;

use super::{BOLD, DIM, WARN, line, paint};

/// Runs that cannot be taken back because their journals are unusable, with the reasons.
pub(crate) type Damage = BTreeMap<RunId, String>;

/// The state of a run.
#[derive(Clone, Copy, Serialize)]
enum RunState {
    #[serde(rename = "damaged")]
    Damaged,
    #[serde(rename = "unclear")]
    Unclear,
    #[serde(rename = "interrupted")]
    Interrupted,
    #[serde(rename = "taken back")]
    TakenBack,
    #[serde(rename = "done, without backups")]
    DoneWithoutBackups,
    #[serde(rename = "done")]
    Done,
}

impl RunState {
    fn of(run: &RunRecord, loaded: &Loaded, damage: &Damage) -> Self {
        match (run.finished, &run.undone_by, run.pruned) {
            _ if damage.contains_key(&run.id) => Self::Damaged,
            _ if !run.unclear.is_empty() => Self::Unclear,
            _ if loaded.recovered.contains(&run.id) => Self::Interrupted,
            (None, ..) => Self::Interrupted,
            (Some(_), Some(_), _) => Self::TakenBack,
            (Some(_), None, true) => Self::DoneWithoutBackups,
            (Some(_), None, false) => Self::Done,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::Unclear => "unclear",
            Self::Interrupted => "interrupted",
            Self::TakenBack => "taken back",
            Self::DoneWithoutBackups => "done, without backups",
            Self::Done => "done",
        }
    }
}

/// The runs as text, the newest first.
pub(crate) fn text(loaded: &Loaded, damage: &Damage, spec: &str) -> String {
    let mut out = String::new();
    if loaded.ledger.runs.is_empty() {
        line!(out, "No run has written anything yet.");
        return out;
    }
    line!(out, "{}", paint(BOLD, format!("{:<29}  {:>7} {:>6} {:>8}  state", "run", "written", "failed", "left out")));
    for run in loaded.ledger.runs.iter().rev() {
        let state = RunState::of(run, loaded, damage);
        let style = match state {
            RunState::Interrupted | RunState::Unclear | RunState::Damaged => WARN,
            RunState::TakenBack | RunState::DoneWithoutBackups | RunState::Done => DIM,
        };
        let note = match (&run.undoes, &run.undone_by) {
            (Some(undone), _) => format!("  rolls {undone} back"),
            (None, Some(by)) => format!(" by {by}"),
            (None, None) => String::new(),
        };
        line!(
            out,
            "{:<29}  {:>7} {:>6} {:>8}  {}{note}",
            run.id,
            run.written,
            run.failed,
            run.skipped,
            paint(style, state.as_str())
        );
    }
    for unclear in &loaded.unclear {
        out.push('\n');
        line!(out, "Cannot tell yet what run {} did to {}: {}", unclear.run, unclear.store, unclear.why);
        line!(
            out,
            "Until that store can be read, every change that the run may have made there is assumed done. Each command checks again."
        );
    }
    for (run, why) in damage {
        out.push('\n');
        line!(out, "Run {run} cannot be rolled back: {why}");
    }
    let interrupted = loaded.recovered.iter().filter_map(|id| loaded.ledger.run(id));
    let (rollbacks, runs): (Vec<&RunRecord>, Vec<&RunRecord>) = interrupted.partition(|run| run.undoes.is_some());
    if !runs.is_empty() {
        out.push('\n');
        line!(
            out,
            "Finish an interrupted run with: {}, or roll it back with: {}",
            Command::here("trustmason apply").file(spec),
            Command::here("trustmason rollback").file(spec)
        );
    }
    if !rollbacks.is_empty() {
        out.push('\n');
        line!(out, "Finish an interrupted rollback with: {}", Command::here("trustmason rollback").file(spec));
    }
    out
}

#[derive(Serialize)]
struct RunDocument<'a> {
    run: &'a str,
    started: String,
    finished: Option<String>,
    state: RunState,
    plan: String,
    written: u32,
    failed: u32,
    skipped: u32,
    undoes: Option<&'a str>,
    undone_by: Option<&'a str>,
    unclear: Vec<String>,
    backups: bool,
    /// The reason why the run cannot be taken back, if its journal is unusable.
    damage: Option<&'a str>,
}

/// The runs as JSON, the newest first.
pub(crate) fn json(loaded: &Loaded, damage: &Damage) -> Result<String, serde_json::Error> {
    let runs: Vec<RunDocument<'_>> = loaded
        .ledger
        .runs
        .iter()
        .rev()
        .map(|run| RunDocument {
            run: run.id.as_str(),
            started: run.started.to_string(),
            finished: run.finished.filter(|_| !loaded.recovered.contains(&run.id)).map(|at| at.to_string()),
            state: RunState::of(run, loaded, damage),
            plan: run.plan.to_string(),
            written: run.written,
            failed: run.failed,
            skipped: run.skipped,
            undoes: run.undoes.as_ref().map(RunId::as_str),
            undone_by: run.undone_by.as_ref().map(RunId::as_str),
            unclear: run.unclear.iter().map(ToString::to_string).collect(),
            backups: !run.pruned,
            damage: damage.get(&run.id).map(String::as_str),
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&runs)?;
    text.push('\n');
    Ok(text)
}
