//! Private keys, unchanged and changed anywhere, in stores that a JVM writes. A key that no JVM recovers does not open
//! here.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use trustmason_keystore::{Password, Store};

use super::support::javas::{Judges, file};
use super::support::open;
use super::tree::Node;
use super::{Random, setting};

const PASSWORD: &str = "changeit";

/// Algorithms by the JDK's names, with a size where one is needed.
const ALGORITHMS: [(&str, &str); 9] = [
    ("RSA", "2048"),
    ("RSASSA-PSS", "2048"),
    ("EC", "256"),
    ("EC", "384"),
    ("DSA", "1024"),
    ("DH", "1024"),
    ("Ed25519", "0"),
    ("X25519", "0"),
    ("RSA", "1024"),
];

/// The results, by format.
#[derive(Default)]
struct Figures {
    recovered: usize,
    refused: usize,
    missed: Vec<String>,
    false_alarms: Vec<String>,
}

/// Why the key of a store does not open here, if it does not.
fn refusal(store: &Store) -> Option<String> {
    let entry = &store.entries()[0];
    store.open_key(entry.id, &Password::new(PASSWORD)).err().map(|error| error.to_string())
}

#[test]
fn judge_private_keys_that_no_jvm_recovers_do_not_open() {
    needs!(Jdk);
    let count = setting("TRUSTMASON_KEYS", 90) as usize;
    let seed = setting("TRUSTMASON_LOADS_SEED", 20_261_129);
    let mut random = Random::new(seed);
    let mut judges = Judges::start();
    let path = &mut judges.running()[0];
    let mut bytes_of = |words: &[&str], name: &str| {
        let said = path.ask(words);
        STANDARD.decode(said[name].as_str().unwrap_or_else(|| panic!("{words:?}: {said}"))).unwrap()
    };
    let keys: Vec<Vec<u8>> = ALGORITHMS.iter().map(|(name, size)| bytes_of(&["pair", name, size], "key")).collect();
    let certificate = file(&super::shapes::good(&mut random));
    let mut figures: BTreeMap<&str, Figures> = BTreeMap::new();
    for number in 0..count {
        let which = number % keys.len();
        let mut key = Node::parse(&keys[which]).unwrap();
        // The first key of each algorithm is unchanged.
        let changes = if number < keys.len() { 0 } else { 1 + usize::from(random.one_in(4)) };
        let made: Vec<String> = (0..changes).map(|_| key.mutate(&mut random)).collect();
        let key = key.encode();
        for kind in ["JKS", "JCEKS", "PKCS12"] {
            let words = ["keyed", kind, &file(&key), &certificate, PASSWORD];
            let said = judges.running()[0].ask(&words);
            // A key that a JVM does not write makes no store.
            let Some(store) = said["store"].as_str().map(|text| STANDARD.decode(text).unwrap()) else { continue };
            let mut refusing = Vec::new();
            for answer in judges.each(&["recovers", kind, &file(&store), PASSWORD]) {
                assert_eq!(answer.said["ok"], true, "{}: {}", answer.release, answer.said);
                // Java 8 has no keys of these algorithms.
                let lacks = answer.release.number() == 8 && ["Ed25519", "X25519"].contains(&ALGORITHMS[which].0);
                if let (Some(why), false) = (answer.said["why"].as_str(), lacks) {
                    refusing.push(format!("Java {}: {why}", answer.release));
                }
            }
            let ours = refusal(&open(&store, Some(PASSWORD)).unwrap());
            let figures = figures.entry(kind).or_default();
            let line = format!("{kind} {:?} {made:?}: here {ours:?}; {refusing:?}", ALGORITHMS[which]);
            if refusing.is_empty() {
                figures.recovered += 1
            } else {
                figures.refused += 1
            }
            match (ours, refusing.is_empty()) {
                (None, false) => figures.missed.push(line),
                (Some(_), true) => figures.false_alarms.push(line),
                (None, true) | (Some(_), false) => {}
            }
        }
    }
    let mut report = String::new();
    for (kind, of) in &figures {
        report.push_str(&format!(
            "{kind} {} recovered by all, {} refused, refused and opened here {}, recovered and not opened here {}. ",
            of.recovered,
            of.refused,
            of.missed.len(),
            of.false_alarms.len()
        ));
    }
    let report = format!("{count} private keys in each of three formats: {}", report.trim_end());
    eprintln!("{report}");
    let lines =
        |of: &dyn Fn(&Figures) -> &Vec<String>| figures.values().flat_map(|f| of(f).clone()).collect::<Vec<_>>();
    let (missed, alarms) = (lines(&|f| &f.missed), lines(&|f| &f.false_alarms));
    assert!(missed.is_empty(), "{} refused and opened here:\n{}", missed.len(), missed.join("\n"));
    for line in &alarms {
        eprintln!("within the bound: {line}");
    }
    // A key that only Java 8 refuses is refused here as well. So without Java 8 it is not known which refusals are too
    // strict.
    let told = judges.running().iter().any(|running| running.release.number() == 8);
    assert!(
        !told || alarms.len() * 100 <= count * figures.len(),
        "{} recovered and not opened here:\n{}",
        alarms.len(),
        alarms.join("\n")
    );
    if let Some(path) = std::env::var_os("TRUSTMASON_REPORT") {
        // After the report that the test of the certificates wrote.
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(path, format!("{}\n{report}\n", before.trim_end())).unwrap();
    }
}
