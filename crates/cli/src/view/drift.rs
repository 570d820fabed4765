//! The report of `drift` as text and JSON: the findings of a plan, shown as a state. Nothing is compared here.

use std::collections::BTreeMap;

use serde::Serialize;
use trustmason_plan::finding::Severity;
use trustmason_plan::outline::{IdentityVerdict, Plan};
use trustmason_plan::text::{count, day, escape};
use trustmason_plan::wire::{EdgeVerdictWord, FindingDocument};

use super::{BOLD, DIM, line, paint};
use crate::exit::ExitFacts;

/// The number of findings per severity, and the number of accepted ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct DriftTally {
    pub(crate) blocked: usize,
    pub(crate) error: usize,
    pub(crate) warning: usize,
    pub(crate) info: usize,
    pub(crate) accepted: usize,
}

impl DriftTally {
    /// Counts a plan's findings.
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut tally = Self::default();
        for finding in &plan.findings {
            let slot = match (finding.counts(), finding.severity) {
                (false, _) => &mut tally.accepted,
                (true, Severity::Blocked) => &mut tally.blocked,
                (true, Severity::Error) => &mut tally.error,
                (true, Severity::Warning) => &mut tally.warning,
                (true, Severity::Info) => &mut tally.info,
            };
            *slot += 1;
        }
        tally
    }

    /// The facts that decide the exit code.
    pub(crate) fn facts(self, strict: bool) -> ExitFacts {
        ExitFacts {
            blocked: self.blocked > 0,
            pending: self.error > 0 || (strict && self.warning > 0),
            ..ExitFacts::FINE
        }
    }
}

/// The findings as text, gravest first.
pub(crate) fn text(plan: &Plan, strict: bool, verbose: bool) -> String {
    let mut out = String::new();
    let tally = DriftTally::of(plan);
    line!(
        out,
        "{}: {}, as of {}",
        paint(BOLD, format!("Estate {}", escape(&plan.estate))),
        count(plan.stores.len(), "store"),
        day(plan.options.at.unwrap_or(plan.created).as_second())
    );
    out.push('\n');
    for (severity, title) in [
        (Severity::Blocked, "Blocked"),
        (Severity::Error, "Errors"),
        (Severity::Warning, "Warnings"),
        (Severity::Info, "For information"),
    ] {
        if severity == Severity::Info && !verbose {
            continue;
        }
        super::findings(&mut out, title, plan.findings.iter().filter(|f| f.counts() && f.severity == severity));
    }
    super::findings(&mut out, "Accepted for now", plan.findings.iter().filter(|f| !f.counts()));
    if tally.info > 0 && !verbose {
        line!(out, "{}", paint(DIM, format!("{} for information only; -v lists them.", count(tally.info, "finding"))));
        out.push('\n');
    }
    line!(out, "{}", paint(BOLD, verdict(plan, tally, strict)));
    out
}

fn verdict(plan: &Plan, tally: DriftTally, strict: bool) -> String {
    let facts = tally.facts(strict);
    if !facts.blocked && !facts.pending {
        let s = &plan.summary;
        let seen = s.manual + s.unobserved + s.waiting == 0;
        return match (tally.warning, seen) {
            (0, true) if s.changes() > 0 => {
                "No drift found. A rotation is in progress: `trustmason plan` shows its next step.".to_owned()
            }
            (0, true) => "In sync. Every store holds what the spec declares.".to_owned(),
            (0, false) => {
                "No drift found. Work is pending, or a store was not checked: `trustmason plan` and -v list it."
                    .to_owned()
            }
            (n, true) if plan.identities.iter().any(|view| view.verdict == IdentityVerdict::GoesOn) => format!(
                "No drift found, with {}. A rotation is in progress: `trustmason plan` shows its next step.",
                count(n, "warning")
            ),
            (n, true) => format!("In sync, with {}.", count(n, "warning")),
            (n, false) => format!(
                "No drift found, with {}. Work is pending, or a store was not checked: `trustmason plan` and -v list it.",
                count(n, "warning")
            ),
        };
    }
    format!(
        "Drift: {}, {}, {} blocked. {}",
        count(tally.error, "error"),
        count(tally.warning, "warning"),
        tally.blocked,
        advice(plan, tally)
    )
}

/// The next step of the person after drift was found. If the plan has no change and no work by hand, only the repair
/// of blocked stores and entries helps.
fn advice(plan: &Plan, tally: DriftTally) -> &'static str {
    if tally.blocked > 0 && plan.summary.changes() + plan.summary.manual == 0 {
        "Repair what is blocked, as the lines above say; then run drift again."
    } else {
        "`trustmason plan` shows what would repair it."
    }
}

#[derive(Serialize)]
struct DriftDocument<'a> {
    format_version: &'static str,
    tool_version: &'static str,
    estate: &'a str,
    created: String,
    in_sync: bool,
    strict: bool,
    findings: Vec<FindingDocument>,
    edges: BTreeMap<&'static str, usize>,
    summary: DriftTally,
}

/// The findings as JSON.
pub(crate) fn json(plan: &Plan, strict: bool) -> Result<String, serde_json::Error> {
    let tally = DriftTally::of(plan);
    let document = DriftDocument {
        format_version: "1.0",
        tool_version: env!("CARGO_PKG_VERSION"),
        estate: &plan.estate,
        created: plan.created.to_string(),
        in_sync: tally.facts(strict) == ExitFacts::FINE,
        strict,
        findings: super::plan::document(plan).findings,
        edges: edges(plan),
        summary: tally,
    };
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    Ok(text)
}

/// The number of edges per verdict. Every verdict is present.
pub(crate) fn edges(plan: &Plan) -> BTreeMap<&'static str, usize> {
    let mut counts: BTreeMap<&'static str, usize> =
        EdgeVerdictWord::ALL.into_iter().map(|word| (word.as_str(), 0)).collect();
    for edge in &plan.edges {
        *counts.entry(EdgeVerdictWord::from(&edge.verdict).as_str()).or_default() += 1;
    }
    counts
}
