//! Resolves the example estates and compares the result with the figures of the trust matrix.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use trustmason_keystore::Alias;
use trustmason_spec::topology::Topology;
use trustmason_spec::{parse, profile, resolve, survey};

fn topology_of(text: &str) -> Topology {
    let spec = parse(text, "estate.yaml").unwrap_or_else(|faults| panic!("{faults}"));
    let profiles = profile::load(&spec, Path::new("/estate"), |path| Err(path.display().to_string()))
        .unwrap_or_else(|faults| panic!("{faults}"));
    let resolved = resolve(&spec, &profiles, Path::new("/estate")).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(resolved.warnings.is_empty(), "{}", resolved.warnings);
    resolved.topology
}

const LAB: &str = include_str!("../../../specs/lab.yaml");
const PCCE_2000: &str = include_str!("../../../specs/pcce-2000.yaml");

fn per_rule(topology: &Topology) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for edge in &topology.edges {
        *counts.entry(edge.rule.as_str().replace("pcce-12.5/", "")).or_insert(0) += 1;
    }
    counts
}

/// The figures of the trust matrix for rules T1–T16. An ADS also trusts its own IIS and DFP (T6).
#[test]
fn the_lab_has_twelve_hosts_and_23_edges() {
    let topology = topology_of(LAB);
    assert_eq!(topology.hosts.len(), 12);
    assert_eq!(topology.edges.len(), 23, "{:#?}", per_rule(&topology));
    let in_ads = topology.edges.iter().filter(|e| e.store.to_string() == "awa.lab.example/cacerts").count();
    assert_eq!(in_ads, 15);
}

#[test]
fn pcce_2000_has_23_hosts_and_98_edges() {
    let topology = topology_of(PCCE_2000);
    assert_eq!(topology.hosts.len(), 23);
    assert_eq!(topology.edges.len(), 98, "{:#?}", per_rule(&topology));
    for ads in ["awa", "awb"] {
        let store = format!("{ads}.pcce.example/cacerts");
        assert_eq!(topology.edges.iter().filter(|e| e.store.to_string() == store).count(), 29);
    }
    let expected = [
        ("T1", 4),
        ("T2", 2),
        ("T3", 4),
        ("T4", 4),
        ("T5", 8),
        ("T6", 8),
        ("T7", 2),
        ("T8", 26),
        ("T9", 4),
        ("T10", 2),
        ("T11", 4),
        ("T12", 2),
        ("T13", 4),
        ("T14", 8),
        ("T15", 8),
        ("T16", 8),
    ];
    let expected: BTreeMap<String, usize> = expected.into_iter().map(|(rule, n)| (rule.to_owned(), n)).collect();
    assert_eq!(per_rule(&topology), expected);
}

#[test]
fn every_rule_has_an_edge_in_the_lab() {
    let rules: BTreeSet<String> = per_rule(&topology_of(LAB)).into_keys().collect();
    let all: BTreeSet<String> = (1..=16).map(|n| format!("T{n}")).collect();
    assert_eq!(rules, all);
}

#[test]
fn aliases_are_unique_per_store_and_lower_case() {
    for text in [LAB, PCCE_2000] {
        let topology = topology_of(text);
        let mut seen = BTreeSet::new();
        for edge in &topology.edges {
            let handed = topology.stores[&edge.store].is_hand_off();
            assert_eq!(edge.alias.is_none(), handed, "{}", edge.id);
            if let Some(alias) = &edge.alias {
                assert_eq!(alias.as_str(), alias.as_str().to_lowercase());
                assert!(seen.insert((edge.store.clone(), alias.clone())), "{} {alias}", edge.store);
                assert!(!edge.was.iter().any(|old| old.is_exactly(alias)), "{}", edge.id);
            }
            assert!(!edge.why.is_empty() && !edge.source.is_empty(), "{}", edge.id);
        }
    }
}

#[test]
fn the_same_text_gives_the_same_topology_and_survey() {
    let (one, two) = (topology_of(PCCE_2000), topology_of(PCCE_2000));
    assert_eq!(format!("{one:?}"), format!("{two:?}"));
    assert_eq!(format!("{:?}", survey::Survey::of(&one)), format!("{:?}", survey::Survey::of(&two)));
    let mut ids: Vec<&String> = one.edges.iter().map(|e| &e.id).collect();
    let sorted = ids.clone();
    ids.sort();
    assert_eq!(ids, sorted);
}

/// 5 machines have stores of their own, and 6 voice nodes have a mirror. The certificates in files are those of IIS and DFP
/// of three Windows machines, of ECE's IIS, and of 6 tomcats. 5 keys are created by trustmason.
#[test]
fn the_survey_of_the_lab_is_complete() {
    use survey::{CertificateAt, Look};
    let topology = topology_of(LAB);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for look in survey::Survey::of(&topology).looks {
        let kind = match &look {
            Look::Host { .. } => "host",
            Look::Store { store, keys, .. } => {
                let expected: &[&str] = match store.to_string().as_str() {
                    "cvpa.lab.example/keystore" => &["callserver_certificate", "vxml_certificate", "wsm_certificate"],
                    "cvprpt.lab.example/keystore" => &["callserver_certificate", "wsm_certificate"],
                    _ => &[],
                };
                assert_eq!(keys.iter().map(Alias::as_str).collect::<Vec<_>>(), expected);
                "store"
            }
            Look::Mirror { store, .. } => {
                let steps = &topology.stores[store].steps;
                assert!(steps.iter().any(|step| step.contains(store.host.as_str())), "{store}");
                "mirror"
            }
            Look::Certificate { at, .. } => {
                let CertificateAt::Named { folder, names } = at else { panic!("no file is named in the lab") };
                assert!(folder == Path::new("/estate/certs") && !names.is_empty());
                "certificate"
            }
            Look::System { .. } => "system",
            Look::Unseen { .. } => "unseen",
            Look::Inbox { .. } => "inbox",
            Look::Shadow { .. } => "shadow",
            Look::Staging { password, .. } => {
                assert!(password.is_some());
                "staging"
            }
            Look::Options { .. } => "options",
            Look::Ledger => "ledger",
        };
        *counts.entry(kind).or_insert(0) += 1;
    }
    let expected =
        [("certificate", 13), ("host", 5), ("ledger", 1), ("mirror", 6), ("shadow", 3), ("staging", 5), ("store", 5)];
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), expected);
}

/// The largest inventory that the vendor allows, with far more edges than a real estate has.
#[test]
fn a_thousand_machines_resolve() {
    let roles = ["ads", "rogger", "[pg, cucm-pg]", "cvp", "cvp-reporting", "vvb", "cucm", "finesse", "cuic", "ece"];
    let hosts: String =
        (0..1000).map(|n| format!("  h{n}.x.example: {{ role: {} }}\n", roles[n % roles.len()])).collect();
    let topology = topology_of(&format!("trustmason: 1\nestate: big\nprofile: pcce-12.5\nhosts:\n{hosts}"));
    assert_eq!(topology.hosts.len(), 1000);
    // 100 hosts of each kind. T1 to T4, T7, T9 to T12 and T14 to T16 pair 100 with 100 hosts; T5 and T6 do so twice, T8
    // four times.
    assert_eq!(topology.edges.len(), 20 * 100 * 100);
}
