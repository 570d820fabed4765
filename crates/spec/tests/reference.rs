//! Two estates of release 15.0 whose edges were written by hand from the vendor's documents (`fixtures/reference`). The profiles
//! must give exactly these edges.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use trustmason_spec::topology::{Subject, Topology};
use trustmason_spec::{parse, profile, resolve};

/// The lines of a reference file without comments and empty lines.
fn lines(file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/reference").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// The estate of a list of hosts, as a person would write it.
fn estate(release: &str) -> Topology {
    let mut text = format!("trustmason: 1\nestate: reference\nprofile: [{release}, ucce-live-data]\nhosts:\n");
    for line in lines(&format!("{release}.hosts")) {
        let [fqdn, role, side, cluster, publisher] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let mut fields = format!("role: {role}, side: {side}");
        if cluster != "-" {
            fields.push_str(&format!(", cluster: {cluster}"));
        }
        if publisher == "yes" {
            fields.push_str(", publisher: true");
        }
        if role == "ads" {
            fields.push_str(", vars: { CCE_JAVA_HOME: 'C:\\Java' }");
        }
        text.push_str(&format!("  {fqdn}: {{ {fields} }}\n"));
    }
    let spec = parse(&text, "estate.yaml").unwrap_or_else(|faults| panic!("{faults}"));
    let profiles = profile::load(&spec, Path::new("/estate"), |path| Err(path.display().to_string()))
        .unwrap_or_else(|faults| panic!("{faults}"));
    resolve(&spec, &profiles, Path::new("/estate")).unwrap_or_else(|faults| panic!("{faults}")).topology
}

/// The edges of an estate in the form of the reference file.
fn edges(topology: &Topology) -> BTreeSet<String> {
    let told = topology.edges.iter().map(|edge| {
        assert!(matches!(edge.subject, Subject::Identity(_)), "{}", edge.id);
        let alias = edge.alias.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        format!("{} {alias}", edge.id)
    });
    told.collect()
}

fn compare(release: &str, hosts: usize, count: usize) {
    let topology = estate(release);
    assert_eq!(topology.hosts.len(), hosts);
    let wanted: BTreeSet<String> = lines(&format!("{release}.edges")).into_iter().collect();
    let found = edges(&topology);
    let missing: Vec<_> = wanted.difference(&found).collect();
    let more: Vec<_> = found.difference(&wanted).collect();
    assert!(missing.is_empty() && more.is_empty(), "{release} lacks {missing:#?}\nand has besides {more:#?}");
    assert_eq!(found.len(), count);
    let counts = lines("counts.txt");
    assert!(counts.contains(&format!("total = {count}")), "counts.txt has no total of {count}");
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    for edge in &topology.edges {
        assert!(!edge.why.is_empty() && !edge.source.is_empty(), "{}", edge.id);
        *rules.entry(edge.rule.as_str()).or_default() += 1;
    }
    assert!(rules.values().sum::<usize>() == count && rules.len() > 20, "{rules:#?}");
}

#[test]
fn pcce_15_with_30_hosts_has_the_edges_of_the_documents() {
    compare("pcce-15.0", 30, 220);
}

#[test]
fn ucce_15_with_24_hosts_has_the_edges_of_the_documents() {
    compare("ucce-15.0", 24, 114);
}
