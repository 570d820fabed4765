#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use trustmason_keystore::{EntryKey, Fingerprint};
use trustmason_plan::ledger::{PlacedEntry, PlacedKey};
use trustmason_plan::memory::LedgerEffect;
use trustmason_plan::site::PieceAt;
use trustmason_spec::name::StoreId;

use super::*;
use crate::record::journal::{self, Intent, Journal, Piece, Record};

fn run(name: &str) -> RunId {
    RunId::new(Timestamp::UNIX_EPOCH, Digest::of(name.as_bytes()))
}

fn placed(name: &str) -> PlacedEntry {
    let at = Timestamp::UNIX_EPOCH;
    PlacedEntry { sha256: Fingerprint::of(b"c"), rule: "pcce-12.5/T1".into(), run: run(name), at }
}

fn key(alias: &str) -> PlacedKey {
    PlacedKey::from(&EntryKey::Alias(alias.into()))
}

fn store_id(name: &str) -> StoreId {
    StoreId::parse(&format!("{name}.acme.example/cacerts")).unwrap()
}

/// An estate of two hosts, `done` and `undone`, in a folder of its own.
fn topology(root: &Path) -> Topology {
    let spec = "trustmason: 1\nestate: acme\nprofile: pcce-12.5\naccess: { root: './hosts/{fqdn}' }\n\
        hosts:\n  done.acme.example: { role: ads, side: a }\n  undone.acme.example: { role: ads, side: b }\n\
        stores:\n  ads/cacerts: { path: 'C:\\cacerts' }\n";
    let parsed = trustmason_spec::parse(spec, "estate.yaml").unwrap_or_else(|faults| panic!("{faults}"));
    let profiles = trustmason_spec::profile::load(&parsed, root, |_| Err("none".to_owned())).unwrap();
    trustmason_spec::resolve(&parsed, &profiles, root).unwrap_or_else(|faults| panic!("{faults}")).topology
}

#[test]
fn absent_is_empty_and_a_stored_one_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let (state, disk, topology) = (State::at(dir.path().join("state")), Disk::new(), topology(dir.path()));
    disk.make_dir(state.root()).unwrap();
    let mut ledger = load(&state, &topology).unwrap().ledger;
    assert_eq!((ledger.version, ledger.runs.len()), (VERSION, 0));
    ledger.placed.entry(store_id("done")).or_default().insert(key("a"), placed("r"));
    let stored = store(&disk, &state, &ledger, None, &run("r")).unwrap();
    let loaded = load(&state, &topology).unwrap();
    assert_eq!(loaded.ledger, ledger);
    assert_eq!(loaded.sha256, Some(Digest::of(&std::fs::read(state.ledger()).unwrap())));
    assert_eq!(loaded.sha256, Some(stored));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(state.ledger()).unwrap().permissions().mode() & 0o7777, 0o600);
    }
}

#[test]
fn a_ledger_that_changed_meanwhile_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let (state, disk) = (State::at(dir.path()), Disk::new());
    let first = store(&disk, &state, &Ledger { version: VERSION, ..Ledger::default() }, None, &run("r")).unwrap();
    let theirs = Ledger { version: VERSION, estate: "theirs".into(), ..Ledger::default() };
    let second = store(&disk, &state, &theirs, Some(first), &run("r")).unwrap();
    let ours = Ledger { version: VERSION, estate: "ours".into(), ..Ledger::default() };
    for expected in [Some(first), None] {
        let error = store(&disk, &state, &ours, expected, &run("r")).unwrap_err().to_string();
        assert!(error.contains("another program wrote it at the same time"), "{error}");
        assert!(std::fs::read_to_string(state.ledger()).unwrap().contains("theirs"));
    }
    store(&disk, &state, &ours, Some(second), &run("r")).unwrap();
}

#[test]
fn a_newer_or_damaged_one_is_refused_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let (state, topology) = (State::at(dir.path()), topology(dir.path()));
    let twice = r#"{"id":"20261121T230752.089Z-0f3a9c21","started":"2026-11-21T23:07:52Z","finished":"2026-11-21T23:07:52Z","plan":"PLAN","written":0,"failed":0,"skipped":0}"#;
    let twice = twice.replace("PLAN", &"0".repeat(64));
    for (text, want) in [
        ("{\"version\": 3, \"novel\": []}".to_owned(), "layout version 3"),
        ("{\"version\": 2, \"novel\": []}".to_owned(), "unknown field `novel`"),
        ("{\"version\": 1, \"novel\": []}".to_owned(), "unknown field `novel`"),
        ("{\"version\": 2".to_owned(), "is damaged"),
        (String::new(), "is damaged"),
        (format!("{{\"version\": 2, \"runs\": [{twice}, {twice}]}}"), "a run is in it twice"),
        ("{\"version\": 2, \"runs\": [{\"id\":\"/etc\"}]}".to_owned(), "is not the name of a run"),
        ("{\"version\": 2, \"placed\": {\"../x/y\": {}}}".to_owned(), "is damaged"),
    ] {
        std::fs::write(state.ledger(), &text).unwrap();
        let error = load(&state, &topology).unwrap_err().to_string();
        assert!(error.contains(want) && error.contains("ledger.json"), "{text}: {error}");
    }
}

#[test]
fn aliases_swapped_in_a_store_are_swapped_in_the_ledger() {
    let mut ledger = Ledger::default();
    let here = ledger.placed.entry(store_id("done")).or_default();
    here.insert(key("a"), placed("of a"));
    here.insert(key("b"), placed("of b"));
    let memory = LedgerEffect { moved: vec![(key("a"), key("b")), (key("b"), key("a"))], ..LedgerEffect::default() };
    ledger.remember(&store_id("done"), &memory, &run("r"), Timestamp::UNIX_EPOCH);
    let runs: BTreeMap<_, _> = ledger.placed[&store_id("done")].iter().map(|(k, p)| (k.as_str(), &p.run)).collect();
    assert_eq!(runs, BTreeMap::from([("a", &run("of b")), ("b", &run("of a"))]));
}

/// A run that was cut off after it announced two stores and wrote one of them.
fn cut_off(dir: &Path, disk: &Disk) -> (State, Topology) {
    let (state, topology) = (State::at(dir.join("state")), topology(dir));
    for (name, bytes) in [("done", b"new"), ("undone", b"old")] {
        let disk = dir.join(format!("hosts/{name}.acme.example/C"));
        std::fs::create_dir_all(&disk).unwrap();
        std::fs::write(disk.join("cacerts"), bytes).unwrap();
    }
    disk.make_dir(&state.run(&run("r"))).unwrap();
    let record = new_record(&run("r"), Timestamp::UNIX_EPOCH, Digest::of(b"p"), None);
    let ledger = Ledger { version: VERSION, runs: vec![record], ..Ledger::default() };
    store(disk, &state, &ledger, None, &run("r")).unwrap();
    let journal = Journal::open(disk, &state, &run("r")).unwrap();
    journal.note(&journal::tests::beginning(run("r"))).unwrap();
    for name in ["done", "undone"] {
        let memory = LedgerEffect { placed: BTreeMap::from([(key("a"), placed("r"))]), ..LedgerEffect::default() };
        let (before, after) = (Some(Digest::of(b"old")), Some(Digest::of(b"new")));
        let at = PieceAt::file(&store_id(name).host, "C:\\cacerts");
        let pieces = vec![Piece { at, before, after }];
        let (placed, presented, facts) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let intent = Intent { store: store_id(name), before, after, pieces, memory, placed, presented, facts };
        journal.note(&Record::Intent(Box::new(intent))).unwrap();
    }
    (state, topology)
}

fn names(claims: &BTreeMap<StoreId, BTreeMap<PlacedKey, PlacedEntry>>) -> Vec<&str> {
    claims.keys().map(|store| store.host.host()).collect()
}

#[test]
fn what_an_interrupted_run_wrote_is_remembered_once() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), Disk::new());
    let (state, topology) = cut_off(dir.path(), &disk);
    let loaded = load(&state, &topology).unwrap();
    assert_eq!(loaded.recovered, [run("r")]);
    assert_eq!(names(&loaded.ledger.placed), ["done"]);
    assert!(loaded.unclear.is_empty() && loaded.ledger == loaded.assumed);
    store(&disk, &state, &loaded.ledger, loaded.sha256, &run("r")).unwrap();
    assert!(load(&state, &topology).unwrap().recovered.is_empty());
}

#[test]
fn what_cannot_be_seen_stays_open_is_assumed_and_asked_again() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), Disk::new());
    let (state, topology) = cut_off(dir.path(), &disk);
    let (hosts, away) = (dir.path().join("hosts"), dir.path().join("away"));
    std::fs::rename(&hosts, &away).unwrap();
    let mut loaded = load(&state, &topology).unwrap();
    // The answer is the same each time, and after the ledger was stored in between.
    for again in [true, false] {
        let unclear: Vec<_> = loaded.unclear.iter().map(|one| one.store.host.host()).collect();
        assert_eq!(unclear, ["done", "undone"]);
        assert!(loaded.unclear[0].why.contains("does not exist"), "{:?}", loaded.unclear);
        assert!(loaded.ledger.placed.is_empty() && loaded.ledger.perhaps.is_empty());
        assert_eq!(names(&loaded.assumed.perhaps), ["done", "undone"]);
        assert!(loaded.ledger.runs[0].finished.is_none());
        assert_eq!(!loaded.recovered.is_empty(), again);
        store(&disk, &state, &loaded.ledger, loaded.sha256, &run("r")).unwrap();
        loaded = load(&state, &topology).unwrap();
    }
    std::fs::rename(&away, &hosts).unwrap();
    let loaded = load(&state, &topology).unwrap();
    assert_eq!((names(&loaded.ledger.placed), loaded.unclear.len()), (vec!["done"], 0));
    assert!(loaded.ledger.runs[0].finished.is_some() && loaded.ledger.perhaps.is_empty());
}

#[test]
fn what_somebody_wrote_since_is_assumed_for_good() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), Disk::new());
    let (state, topology) = cut_off(dir.path(), &disk);
    std::fs::write(dir.path().join("hosts/done.acme.example/C/cacerts"), b"another").unwrap();
    let loaded = load(&state, &topology).unwrap();
    assert!(loaded.ledger.placed.is_empty() && loaded.unclear.is_empty());
    assert_eq!(names(&loaded.ledger.perhaps), ["done"]);
    assert!(loaded.ledger.placed(&store_id("done"), &EntryKey::Alias("a".into()), Fingerprint::of(b"c")));
    assert!(loaded.ledger.runs[0].finished.is_some());
}

#[test]
fn a_run_that_the_ledger_has_forgotten_is_taken_from_its_journal() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), Disk::new());
    let (state, topology) = cut_off(dir.path(), &disk);
    std::fs::remove_file(state.ledger()).unwrap();
    let loaded = load(&state, &topology).unwrap();
    assert_eq!((loaded.recovered, names(&loaded.ledger.placed)), (vec![run("r")], vec!["done"]));
}

#[test]
fn a_damaged_journal_of_an_open_run_is_refused_by_name() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), Disk::new());
    let (state, topology) = cut_off(dir.path(), &disk);
    let text = std::fs::read_to_string(state.journal(&run("r"))).unwrap();
    std::fs::write(state.journal(&run("r")), text.replacen("\"record\":\"intent\"", "\"record\":\"intend\"", 1))
        .unwrap();
    let error = load(&state, &topology).unwrap_err().to_string();
    assert!(error.contains("is damaged in line 2") && error.contains(run("r").as_str()), "{error}");
    std::fs::write(state.journal(&run("r")), "").unwrap();
    let error = load(&state, &topology).unwrap_err().to_string();
    assert!(error.contains("missing or empty"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_state_folder_with_links_is_refused() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), Disk::new());
    let (state, topology) = cut_off(dir.path(), &disk);
    let elsewhere = dir.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let folder = state.run(&run("r"));
    for link in [folder.join("backup"), state.runs().join("x"), state.root().join("staging"), state.audit()] {
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        let error = load(&state, &topology).unwrap_err().to_string();
        assert!(error.contains("it is a link"), "{error}");
        assert!(state.is_inside(&link.join("deeper")).is_err());
        std::fs::remove_file(&link).unwrap();
    }
    assert!(load(&state, &topology).is_ok());
    assert!(state.is_inside(Path::new("/etc/passwd")).is_err());
    assert!(state.is_inside(&state.root().join("../x")).is_err());
}

/// A state folder as layout version 1 wrote it, and its estate.
fn version_1(dir: &Path) -> (State, Topology) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/state/v1");
    let spec = std::fs::read_to_string(fixtures.join("estate.yaml")).unwrap();
    let parsed = trustmason_spec::parse(&spec, "estate.yaml").unwrap_or_else(|faults| panic!("{faults}"));
    let profiles = trustmason_spec::profile::load(&parsed, dir, |_| Err("none".to_owned())).unwrap();
    let resolved = trustmason_spec::resolve(&parsed, &profiles, dir).unwrap_or_else(|faults| panic!("{faults}"));
    let state = State::at(dir.join("state"));
    let run = state.run(&RunId::parse("20261129T140420.960Z-10e25166").unwrap());
    std::fs::create_dir_all(&run).unwrap();
    std::fs::copy(fixtures.join("journal.jsonl"), run.join("journal.jsonl")).unwrap();
    std::fs::copy(fixtures.join("ledger.json"), state.ledger()).unwrap();
    (state, resolved.topology)
}

#[test]
fn a_ledger_of_version_1_is_taken_over_and_its_journals_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let (state, topology) = version_1(dir.path());
    let loaded = load(&state, &topology).unwrap();
    let text = std::fs::read_to_string(state.ledger()).unwrap();
    let old: serde_json::Value = serde_json::from_str(&text).unwrap();
    let stores = |ledger: &serde_json::Value| ledger["placed"].as_object().unwrap().clone();
    let new = serde_json::to_value(&loaded.ledger).unwrap();
    assert_eq!(stores(&old), stores(&new));
    for field in ["acks", "restarts", "predecessors"] {
        assert_eq!(old[field], new[field], "{field}");
    }
    assert_eq!((loaded.ledger.version, loaded.ledger.runs.len()), (VERSION, 3));
    let packs = old["handoffs"].as_object().unwrap();
    assert!(!packs.is_empty());
    assert_eq!(loaded.ledger.handoffs.len(), packs.len());
    let run = RunId::parse("20261129T140420.960Z-10e25166").unwrap();
    let error = journal::read(&state, &run).unwrap_err().to_string();
    assert!(error.contains("has layout version 1") && error.contains(run.as_str()), "{error}");
    // This program cannot finish a run of that version that was cut off.
    let open = with_open_run(&text);
    std::fs::write(state.ledger(), open).unwrap();
    let error = load(&state, &topology).unwrap_err().to_string();
    assert!(error.contains("finish it with the program that began it"), "{error}");
}

/// The ledger with its newest run open.
fn with_open_run(text: &str) -> String {
    let mut ledger: serde_json::Value = serde_json::from_str(text).unwrap();
    ledger["runs"][2]["finished"] = serde_json::Value::Null;
    ledger.to_string()
}
