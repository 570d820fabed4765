//! Drift as metrics in the text exposition format 0.0.4. A missing or unreadable store has a sample of its own, so that an
//! alert does not depend on the absence of a series.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use trustmason_plan::finding::{FindingKind, Severity};
use trustmason_plan::outline::{Plan, StoreState};

use super::line;

/// All metrics. `last_run` is the end of the last apply, if there was any.
pub(crate) fn metrics(plan: &Plan, last_run: Option<Timestamp>) -> String {
    let mut out = String::new();
    family(
        &mut out,
        "trustmason_certificate_not_after_seconds",
        "End of validity of an identity's certificate, in seconds since 1970.",
    );
    for identity in &plan.identities {
        if let Some(end) = identity.certificate.as_ref().map(|certificate| certificate.not_after()) {
            let labels = labels(plan, &[("host", identity.id.host.as_str()), ("identity", &identity.id.name)]);
            line!(out, "trustmason_certificate_not_after_seconds{labels} {end}");
        }
    }
    family(&mut out, "trustmason_findings", "Findings that count, by kind; accepted ones do not.");
    for ((kind, severity), n) in findings(plan) {
        let labels = labels(plan, &[("finding", kind.as_str()), ("severity", &severity.to_string())]);
        line!(out, "trustmason_findings{labels} {n}");
    }
    family(&mut out, "trustmason_store_state", "1 for the state a store was found in, 0 for the others.");
    for store in &plan.stores {
        for (state, word) in STATES {
            let labels = labels(plan, &[("store", &store.id.to_string()), ("state", word)]);
            line!(out, "trustmason_store_state{labels} {}", u8::from(store.state == state));
        }
    }
    family(&mut out, "trustmason_edges", "Trust relations that the spec wants, by verdict.");
    for (verdict, n) in super::drift::edges(plan) {
        line!(out, "trustmason_edges{} {n}", labels(plan, &[("verdict", verdict)]));
    }
    family(
        &mut out,
        "trustmason_last_run_timestamp_seconds",
        "When the last apply ended, in seconds since 1970; 0 means never.",
    );
    let last = last_run.map_or(0, Timestamp::as_second);
    line!(out, "trustmason_last_run_timestamp_seconds{} {last}", labels(plan, &[]));
    out
}

const STATES: [(StoreState, &str); 4] = [
    (StoreState::Readable, "readable"),
    (StoreState::Absent, "absent"),
    (StoreState::Unreadable, "unreadable"),
    (StoreState::Unobserved, "unobserved"),
];

/// The number of findings per kind and severity. Every kind has a sample under its usual severity, so that a finding that
/// disappears falls to 0.
fn findings(plan: &Plan) -> BTreeMap<(FindingKind, Severity), usize> {
    let mut counts: BTreeMap<(FindingKind, Severity), usize> =
        FindingKind::ALL.iter().map(|k| ((*k, k.severity()), 0)).collect();
    for finding in plan.findings.iter().filter(|f| f.counts()) {
        *counts.entry((finding.kind, finding.severity)).or_default() += 1;
    }
    counts
}

fn family(out: &mut String, name: &str, help: &str) {
    line!(out, "# HELP {name} {help}");
    line!(out, "# TYPE {name} gauge");
}

/// The labels of a sample. The first label is the estate's name, because one Prometheus may watch several estates.
fn labels(plan: &Plan, pairs: &[(&'static str, &str)]) -> Labels {
    let all =
        std::iter::once((&"estate", plan.estate.as_str())).chain(pairs.iter().map(|(name, value)| (name, *value)));
    Labels(all.map(|(name, value)| (*name, value.to_owned())).collect())
}

/// Labels in the text format. The names are the program's own. In values, backslash, quote and line feed are escaped.
struct Labels(Vec<(&'static str, String)>);

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (name, value)) in self.0.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            write!(f, "{}{name}=\"{value}\"", if n == 0 { '{' } else { ',' })?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads one sample line as Prometheus' text parser (`expfmt`) does, with escapes undone. `None` if the parser
    /// would refuse it.
    fn read(line: &str) -> Option<Vec<(String, String)>> {
        let mut rest = line.strip_prefix("metric{")?;
        let mut out = Vec::new();
        loop {
            let (name, tail) = rest.split_once("=\"")?;
            if !name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                return None;
            }
            let mut value = String::new();
            let mut chars = tail.char_indices();
            let end = loop {
                match chars.next()? {
                    (at, '"') => break at + 1,
                    (_, '\\') => value.push(match chars.next()?.1 {
                        '\\' => '\\',
                        '"' => '"',
                        'n' => '\n',
                        _ => return None,
                    }),
                    (_, '\n') => return None,
                    (_, other) => value.push(other),
                }
            };
            out.push((name.to_owned(), value));
            let tail = &tail[end..];
            match tail.strip_prefix(',') {
                Some(next) => rest = next,
                None => return (tail == "} 1").then_some(out),
            }
        }
    }

    #[test]
    fn label_values_are_read_as_what_they_are() {
        let corpus: Vec<String> =
            serde_json::from_str(include_str!("../../../../fixtures/hostile.json")).unwrap_or_default();
        assert!(corpus.len() > 100);
        for value in corpus {
            let labels = Labels(vec![("store", value.clone()), ("state", "absent".to_owned())]);
            let read = read(&format!("metric{labels} 1"));
            let wanted = [("store", value.as_str()), ("state", "absent")].map(|(n, v)| (n.to_owned(), v.to_owned()));
            assert_eq!(read.as_deref(), Some(&wanted[..]), "{labels}");
        }
        assert_eq!(Labels(vec![("store", "a\\b\"c\nd".to_owned())]).to_string(), r#"{store="a\\b\"c\nd"}"#);
    }
}
