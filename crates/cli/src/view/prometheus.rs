//! Drift as metrics (contract §7), in the text exposition format 0.0.4. What is missing or unreadable is a sample of its
//! own, so that an alert does not depend on the absence of a series.

use std::collections::BTreeMap;

use jiff::Timestamp;
use trustmason_plan::finding::{Kind, Severity};
use trustmason_plan::outline::{Plan, StoreState};

use super::line;

/// All metrics. `last_run` is when the last apply ended, if one ever did.
pub(crate) fn metrics(plan: &Plan, last_run: Option<Timestamp>) -> String {
    let mut out = String::new();
    family(
        &mut out,
        "trustmason_certificate_not_after_seconds",
        "End of validity of an identity's certificate, in seconds since 1970.",
    );
    for identity in &plan.identities {
        if let Some(end) = identity.not_after {
            let labels = labels(&[("host", identity.id.host.as_str()), ("identity", &identity.id.name)]);
            line!(out, "trustmason_certificate_not_after_seconds{labels} {end}");
        }
    }
    family(&mut out, "trustmason_findings", "Findings that count, by kind; accepted ones do not.");
    for ((kind, severity), n) in findings(plan) {
        let labels = labels(&[("finding", kind.as_str()), ("severity", &severity.to_string())]);
        line!(out, "trustmason_findings{labels} {n}");
    }
    family(&mut out, "trustmason_store_state", "1 for the state a store was found in, 0 for the others.");
    for store in &plan.stores {
        for (state, word) in STATES {
            let labels = labels(&[("store", &store.id.to_string()), ("state", word)]);
            line!(out, "trustmason_store_state{labels} {}", u8::from(store.state == state));
        }
    }
    family(&mut out, "trustmason_edges", "Trust that the spec wants, by verdict.");
    for (verdict, n) in super::drift::edges(plan) {
        line!(out, "trustmason_edges{} {n}", labels(&[("verdict", verdict)]));
    }
    family(
        &mut out,
        "trustmason_last_run_timestamp_seconds",
        "When the last apply ended, in seconds since 1970; 0 is never.",
    );
    line!(out, "trustmason_last_run_timestamp_seconds {}", last_run.map_or(0, Timestamp::as_second));
    out
}

const STATES: [(StoreState, &str); 4] = [
    (StoreState::Readable, "readable"),
    (StoreState::Absent, "absent"),
    (StoreState::Unreadable, "unreadable"),
    (StoreState::Unobserved, "unobserved"),
];

/// Every kind has a sample under its usual severity, so that a finding that goes away falls to 0.
fn findings(plan: &Plan) -> BTreeMap<(Kind, Severity), usize> {
    let mut counts: BTreeMap<(Kind, Severity), usize> = Kind::ALL.iter().map(|k| ((*k, k.severity()), 0)).collect();
    for finding in plan.findings.iter().filter(|f| f.counts()) {
        *counts.entry((finding.kind, finding.severity)).or_default() += 1;
    }
    counts
}

fn family(out: &mut String, name: &str, help: &str) {
    line!(out, "# HELP {name} {help}");
    line!(out, "# TYPE {name} gauge");
}

/// Label values with the three escapes of the format: backslash, quote, line feed.
fn labels(pairs: &[(&str, &str)]) -> String {
    let inner: Vec<String> = pairs
        .iter()
        .map(|(name, value)| {
            format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
        })
        .collect();
    format!("{{{}}}", inner.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped() {
        assert_eq!(labels(&[("store", "a\\b\"c\nd")]), r#"{store="a\\b\"c\nd"}"#);
    }
}
