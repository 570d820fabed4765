//! The report of an apply: the outcome per store and pack, what is left and for whom, and the last line. Nothing is
//! decided here.

use std::collections::BTreeMap;

use serde::Serialize;
use trustmason_host::converge::{Converged, Restarting, Round};
use trustmason_host::record::journal::Ended;
use trustmason_host::run::{ChangeOutcome, Outcomes, PackOutcome, StoreOutcome};
use trustmason_host::state::State;
use trustmason_plan::change::{Action, Change};
use trustmason_plan::outline::{Blocked, ManualKind, Plan, Restart, Summary};
use trustmason_plan::shell::Command;
use trustmason_plan::target::{HandOffTarget, TargetKind};
use trustmason_plan::text::count;
use trustmason_spec::name::StoreId;

use super::ladder::Onward;
use super::{BAD, BOLD, DIM, GOOD, WARN, ladder, line, named, paint, short};
use crate::causes::Causes;

/// The numbers of the last line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ApplyTotals {
    pub(crate) imported: usize,
    pub(crate) replaced: usize,
    pub(crate) renamed: usize,
    pub(crate) deleted: usize,
    pub(crate) regenerated: usize,
    pub(crate) installed: usize,
    pub(crate) requested: usize,
    pub(crate) stores_written: usize,
    pub(crate) stores_failed: usize,
}

impl ApplyTotals {
    /// Counts what was done in these rounds.
    pub(crate) fn of(rounds: &[Round]) -> Self {
        let mut done = Self::default();
        for round in rounds {
            done.add(&round.plan, &round.outcomes);
        }
        done
    }

    fn add(&mut self, plan: &Plan, outcomes: &Outcomes) {
        let done = self;
        for change in plan.changes.iter().filter(|c| outcomes.changes.get(&c.id).is_some_and(ChangeOutcome::is_done)) {
            let slot = match change.edit.action() {
                Action::Import => &mut done.imported,
                Action::Replace => &mut done.replaced,
                Action::Rename => &mut done.renamed,
                Action::Delete => &mut done.deleted,
                Action::Regenerate => &mut done.regenerated,
                Action::Install => &mut done.installed,
            };
            *slot += 1;
        }
        done.requested += outcomes.requests.len();
        for outcome in outcomes.stores.values() {
            match outcome {
                StoreOutcome::Written { .. } => done.stores_written += 1,
                StoreOutcome::Unchanged => {}
                StoreOutcome::Stale { .. } | StoreOutcome::Failed { .. } | StoreOutcome::Skipped { .. } => {
                    done.stores_failed += 1;
                }
            }
        }
    }

    /// The last line. Its form never changes, because programs read it.
    pub(crate) fn line(self) -> String {
        let Self { imported, replaced, renamed, deleted, regenerated, installed, requested, .. } = self;
        let more = |n: usize, word: &str| if n > 0 { format!(", {n} {word}") } else { String::new() };
        let (installed, requested) = (more(installed, "installed"), more(requested, "requested"));
        let stores_failed = self.stores_failed;
        format!(
            "Apply complete: {imported} imported, {replaced} replaced, {renamed} renamed, {deleted} deleted, \
             {regenerated} regenerated{installed}{requested}; {} written, {stores_failed} failed.",
            count(self.stores_written, "store")
        )
    }
}

/// Everything that a report is made from.
#[derive(Clone, Copy)]
pub(crate) struct Report<'a> {
    /// The rounds that were done, and the plan that is left.
    pub(crate) converged: &'a Converged,
    /// The causes that keep the apply from its end.
    pub(crate) causes: &'a Causes,
    /// Whether the first plan was shown before it was carried out.
    pub(crate) shown: bool,
    /// The estate's state folder, where packs are.
    pub(crate) state: &'a State,
}

impl<'a> Report<'a> {
    fn rounds(self) -> &'a [Round] {
        &self.converged.rounds
    }

    fn next(self) -> &'a Plan {
        &self.converged.next
    }

    /// Restarts that are still pending, including those of this run.
    fn restarts(self) -> Vec<&'a Restart> {
        self.next().waits().restarts
    }

    /// Whether the plan that is left was shown already, without any difference.
    fn is_said(self) -> bool {
        let idle = |round: &Round| round.outcomes.run.is_none() && round.restarts.is_empty();
        self.shown && self.rounds().iter().all(|round| idle(round) && round.plan.changes.is_empty())
    }
}

/// The report as text.
pub(crate) fn text(report: Report<'_>) -> String {
    let mut out = String::new();
    for (n, round) in report.rounds().iter().enumerate() {
        if n > 0 {
            line!(out, "{}\n", paint(BOLD, "No person had to act, so the next phase followed at once:"));
        }
        stores(&mut out, round);
        requests(&mut out, round);
        packs(&mut out, round);
        for trouble in troubles(round) {
            line!(out, "{} {trouble}", paint(BAD, "!"));
        }
        for warning in &round.outcomes.warnings {
            line!(out, "{} {warning}", paint(WARN, "!"));
        }
        restarted(&mut out, &round.restarts);
        if round.interrupted {
            line!(out, "{}\n", paint(WARN, "Interrupted: the current step was finished; run apply again to continue."));
        }
    }
    if !report.is_said() {
        ladder::restarts_now(&mut out, &report.restarts());
    }
    let blocked = report.next().obstacles();
    if !blocked.is_empty() {
        line!(out, "{}", paint(BOLD, "Still blocked:"));
        for (Blocked { what, kind, why }, all) in blocked {
            let more = if all.len() > 1 { format!(" and {} more", all.len() - 1) } else { String::new() };
            line!(out, "  {} {what}{more} ({kind}): {why}", paint(BAD, "!"));
        }
        out.push('\n');
    }
    waiting(&mut out, report);
    if !report.is_said() {
        ladder::rotations(&mut out, report.next());
        ladder::how_to_go_on(
            &mut out,
            report.next(),
            &Onward::applied(&report.next().options, report.causes.has_failed()),
        );
    }
    if let Some(line) = report.causes.line() {
        line!(out, "{line}");
    }
    line!(out, "{}", paint(BOLD, ApplyTotals::of(report.rounds()).line()));
    out
}

/// Troubles of a round other than those of its stores, packs and restarts.
fn troubles(round: &Round) -> Vec<String> {
    let own = round.outcomes.troubles.iter().cloned();
    own.chain(round.troubles.iter().map(named)).collect()
}

/// Writes which services the commands of the spec restarted.
fn restarted(out: &mut String, restarts: &[Restarting]) {
    for restarting in restarts {
        let service = paint(BOLD, &restarting.service);
        match &restarting.outcome {
            Ok(up) => {
                let took = paint(DIM, format!("by its restart command, in {} s", up.seconds));
                line!(out, "{} {service}  {took}", paint(GOOD, "restarted"));
            }
            Err(error) => line!(out, "{} {service}: {error}", paint(BAD, "not restarted")),
        }
    }
    if !restarts.is_empty() {
        out.push('\n');
    }
}

fn stores(out: &mut String, round: &Round) {
    let Round { plan, outcomes, .. } = round;
    let mut by_store: BTreeMap<&StoreId, Vec<&Change>> = BTreeMap::new();
    for change in &plan.changes {
        by_store.entry(&change.store).or_default().push(change);
    }
    for (store, outcome) in &outcomes.stores {
        match outcome {
            StoreOutcome::Written { backup } => {
                let backup = match backup {
                    Some(path) => format!("backup {}", path.display()),
                    None => "new store, so there is no backup".to_owned(),
                };
                line!(out, "{} {}  {}", paint(GOOD, "written"), paint(BOLD, store), paint(DIM, backup));
            }
            StoreOutcome::Unchanged => line!(out, "{} {}", paint(DIM, "unchanged"), paint(BOLD, store)),
            StoreOutcome::Stale { why } => line!(
                out,
                "{} {}: {why}; the store was not written",
                paint(BAD, "changed meanwhile"),
                paint(BOLD, store)
            ),
            StoreOutcome::Failed { error } => line!(out, "{} {}: {error}", paint(BAD, "failed"), paint(BOLD, store)),
            StoreOutcome::Skipped { why } => line!(out, "{} {}: {why}", paint(WARN, "left out"), paint(BOLD, store)),
        }
        for change in by_store.get(store).into_iter().flatten() {
            let made = change.edit.waits_for().and_then(|id| outcomes.minted.get(id));
            let made = made.map_or_else(String::new, |c| format!(" sha256 {}", short(c.fingerprint())));
            match outcomes.changes.get(&change.id) {
                Some(ChangeOutcome::Done) => line!(out, "    {change}{made}"),
                Some(ChangeOutcome::Skipped { why }) => {
                    line!(out, "    {change} {}", paint(WARN, format!("left out: {why}")))
                }
                Some(ChangeOutcome::Failed { .. } | ChangeOutcome::Stale) | None => {
                    line!(out, "    {change} {}", paint(BAD, "not done"));
                }
            }
        }
    }
    if !outcomes.stores.is_empty() {
        out.push('\n');
    }
}

/// Writes the requests for authorities, and those that could not be made.
fn requests(out: &mut String, round: &Round) {
    let Outcomes { requests, unasked, .. } = &round.outcomes;
    for (identity, path) in requests {
        let mint = round.plan.mints.get(identity);
        let authority = mint.and_then(|mint| mint.request.as_deref()).unwrap_or_default();
        line!(out, "{} for {}: {}", paint(GOOD, "request"), paint(BOLD, identity), path.display());
        line!(out, "    {}", paint(DIM, format!("send this file to {authority}; its key is kept in staging")));
    }
    for (identity, error) in unasked {
        line!(out, "{} for {}: {error}", paint(BAD, "no request"), paint(BOLD, identity));
    }
    if !requests.is_empty() || !unasked.is_empty() {
        out.push('\n');
    }
}

fn packs(out: &mut String, round: &Round) {
    let Round { plan, outcomes, .. } = round;
    for (target, pack) in &outcomes.packs {
        let target = plan.called(target);
        match pack {
            PackOutcome::Written { folder } => {
                line!(out, "{} for {}: {}", paint(GOOD, "pack"), paint(BOLD, target), folder.display());
            }
            PackOutcome::Unchanged { .. } => {}
            PackOutcome::Failed { error } => {
                line!(out, "{} for {}: {error}", paint(BAD, "no pack"), paint(BOLD, target));
            }
            PackOutcome::Skipped { why } => line!(out, "{} for {}: {why}", paint(WARN, "no pack"), paint(BOLD, target)),
        }
    }
    if outcomes.packs.values().any(|p| !matches!(p, PackOutcome::Unchanged { .. })) {
        out.push('\n');
    }
}

fn waiting(out: &mut String, report: Report<'_>) {
    if report.next().manual.is_empty() {
        return;
    }
    line!(out, "{}", paint(BOLD, "A person must do this:"));
    for work in &report.next().manual {
        line!(out, "  {}: {}", work.called, super::plan::work_line(work));
        line!(out, "    steps: {}", report.state.pack(work.target()).join("STEPS.md").display());
        if work.kind == ManualKind::Store {
            let confirm = Command::here("trustmason confirm").file(&report.next().options.spec).word(&work.called);
            line!(out, "    afterwards: {confirm}");
        }
    }
    out.push('\n');
}

#[derive(Serialize)]
struct OutcomeDocument {
    format_version: &'static str,
    tool_version: &'static str,
    estate: String,
    /// The rounds before the last one, if several followed each other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<RoundDocument>,
    #[serde(flatten)]
    round: RoundDocument,
    restarts: Vec<RestartDocument>,
    interrupted: bool,
    summary: ApplyTotals,
    next: Summary,
    exit_code: u8,
    /// The causes of an exit code other than 0, the gravest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
}

#[derive(Default, Serialize)]
struct RoundDocument {
    run: Option<String>,
    stores: Vec<StoreDocument>,
    changes: Vec<ChangeDocument>,
    packs: Vec<PackOutput>,
    restarted: Vec<RestartedDocument>,
    troubles: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct RestartedDocument {
    host: String,
    service: String,
    seconds: Option<u64>,
    message: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum ChangeEnd {
    Done,
    Stale,
    Failed,
    Skipped,
    NotBegun,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum PackEnd {
    Written,
    Unchanged,
    Failed,
    Skipped,
}

#[derive(Serialize)]
struct StoreDocument {
    store: String,
    outcome: Ended,
    backup: Option<String>,
    message: Option<String>,
}

#[derive(Serialize)]
struct ChangeDocument {
    id: u32,
    store: String,
    alias: Option<String>,
    action: Action,
    outcome: ChangeEnd,
    sha256: Option<String>,
    message: Option<String>,
}

#[derive(Serialize)]
struct PackOutput {
    target: String,
    of: TargetKind,
    outcome: PackEnd,
    folder: Option<String>,
    message: Option<String>,
}

#[derive(Serialize)]
struct RestartDocument {
    host: String,
    service: String,
    name: String,
    step: u32,
}

/// The report as JSON.
pub(crate) fn json(report: Report<'_>) -> Result<String, serde_json::Error> {
    let mut rounds: Vec<RoundDocument> = report.rounds().iter().map(round_document).collect();
    let round = rounds.pop().unwrap_or_default();
    let document = OutcomeDocument {
        format_version: "1.0",
        tool_version: env!("CARGO_PKG_VERSION"),
        estate: report.next().estate.clone(),
        earlier: rounds,
        round,
        interrupted: report.rounds().iter().any(|round| round.interrupted),
        restarts: report
            .restarts()
            .into_iter()
            .map(|r| RestartDocument {
                host: r.service.host.to_string(),
                service: r.service.name.clone(),
                name: r.name.clone(),
                step: r.step,
            })
            .collect(),
        summary: ApplyTotals::of(report.rounds()),
        next: report.next().summary,
        exit_code: report.causes.facts().code(),
        causes: report.causes.words(),
    };
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    Ok(text)
}

fn round_document(round: &Round) -> RoundDocument {
    let Round { plan, outcomes, restarts, troubles: _, interrupted: _ } = round;
    RoundDocument {
        run: outcomes.run.as_ref().map(ToString::to_string),
        stores: outcomes.stores.iter().map(|(id, o)| store_document(id, o)).collect(),
        changes: plan.changes.iter().map(|c| change_document(c, outcomes)).collect(),
        packs: outcomes.packs.iter().map(|(id, o)| pack_document(id, o)).collect(),
        restarted: restarts.iter().map(restarted_document).collect(),
        troubles: troubles(round),
        warnings: outcomes.warnings.clone(),
    }
}

fn restarted_document(restarting: &Restarting) -> RestartedDocument {
    let (seconds, message) = match &restarting.outcome {
        Ok(up) => (Some(up.seconds), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let Restarting { service, .. } = restarting;
    RestartedDocument { host: service.host.to_string(), service: service.name.clone(), seconds, message }
}

fn store_document(id: &StoreId, outcome: &StoreOutcome) -> StoreDocument {
    let backup = match outcome {
        StoreOutcome::Written { backup } => backup.as_ref().map(|path| path.display().to_string()),
        _ => None,
    };
    StoreDocument { store: id.to_string(), outcome: outcome.ended(), backup, message: outcome.why() }
}

fn change_document(change: &Change, outcomes: &Outcomes) -> ChangeDocument {
    let (end, message) = match outcomes.changes.get(&change.id) {
        Some(ChangeOutcome::Done) => (ChangeEnd::Done, None),
        Some(ChangeOutcome::Stale) => (ChangeEnd::Stale, None),
        Some(ChangeOutcome::Failed { error }) => (ChangeEnd::Failed, Some(error.to_string())),
        Some(ChangeOutcome::Skipped { why }) => (ChangeEnd::Skipped, Some(why.to_string())),
        None => (ChangeEnd::NotBegun, None),
    };
    let made = change.edit.waits_for().and_then(|id| outcomes.minted.get(id));
    ChangeDocument {
        id: change.id.0,
        store: change.store.to_string(),
        alias: change.alias.clone().map(String::from),
        action: change.edit.action(),
        outcome: end,
        sha256: made.map(|c| c.fingerprint().to_string()),
        message,
    }
}

fn pack_document(target: &HandOffTarget, outcome: &PackOutcome) -> PackOutput {
    let (end, folder, message) = match outcome {
        PackOutcome::Written { folder } => (PackEnd::Written, Some(folder.display().to_string()), None),
        PackOutcome::Unchanged { folder } => (PackEnd::Unchanged, Some(folder.display().to_string()), None),
        PackOutcome::Failed { error } => (PackEnd::Failed, None, Some(error.to_string())),
        PackOutcome::Skipped { why } => (PackEnd::Skipped, None, Some(why.to_string())),
    };
    PackOutput { target: target.id(), of: target.kind(), outcome: end, folder, message }
}
