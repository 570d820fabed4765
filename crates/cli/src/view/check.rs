//! The report of `check`: the numbers of what a spec declares.

use std::collections::BTreeSet;

use trustmason_plan::text::{count, escape};
use trustmason_spec::topology::Topology;

use super::{BOLD, GOOD, line, paint};

/// The report of `check`.
pub(crate) fn text(topology: &Topology, spec: &str, warnings: usize) -> String {
    let mut out = String::new();
    let by_hand = topology.stores.values().filter(|s| s.is_hand_off()).count();
    let rules: BTreeSet<_> = topology.edges.iter().map(|e| &e.rule).collect();
    line!(out, "{}", paint(BOLD, format!("Estate {}", escape(&topology.estate))));
    line!(out, "  profiles    {}", topology.profiles.join(", "));
    line!(out, "  hosts       {}{}", topology.hosts.len(), retired(topology));
    line!(out, "  stores      {} ({by_hand} of them changed by hand)", topology.stores.len());
    line!(out, "  identities  {}", topology.identities.len());
    line!(out, "  trust       {} by {}", count(topology.edges.len(), "relation"), count(rules.len(), "rule"));
    line!(out, "  state       {}", topology.state.display());
    out.push('\n');
    let aside = if warnings == 0 { String::new() } else { format!(", with {}", count(warnings, "warning")) };
    line!(out, "{}", paint(GOOD, format!("{spec} is valid{aside}. No store was opened.")));
    out
}

fn retired(topology: &Topology) -> String {
    match topology.retired.len() {
        0 => String::new(),
        n => format!(", {n} retired"),
    }
}
