#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests")]

use std::collections::BTreeMap;

use jiff::Timestamp;
use trustmason_plan::ledger::{Placed, RunRecord};

use super::*;
use crate::journal::{Intent, Journal, Piece};

fn placed(run: &str) -> Placed {
    Placed { sha256: Fingerprint::of(b"c"), rule: "pcce-12.5/T1".into(), run: run.into(), at: Timestamp::UNIX_EPOCH }
}

fn store_id() -> StoreId {
    StoreId::parse("ads.acme.example/cacerts").unwrap()
}

#[test]
fn absent_is_empty_and_a_stored_one_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let (state, disk) = (State::at(dir.path()), Disk::new());
    let mut ledger = load(&state).unwrap().ledger;
    assert_eq!((ledger.version, ledger.runs.len()), (VERSION, 0));
    ledger.placed.entry(store_id()).or_default().insert("a".into(), placed("r"));
    assert!(store(&disk, &state, &ledger, "r").unwrap());
    assert!(!store(&disk, &state, &ledger, "r").unwrap(), "unchanged, not written");
    let loaded = load(&state).unwrap();
    assert_eq!(loaded.ledger, ledger);
    assert_eq!(loaded.sha256, Some(Fingerprint::of(&std::fs::read(state.ledger()).unwrap())));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(state.ledger()).unwrap().permissions().mode() & 0o7777, 0o600);
    }
}

#[test]
fn a_newer_or_damaged_one_is_refused_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::at(dir.path());
    for (text, want) in [
        ("{\"version\": 2, \"novel\": []}", "layout version 2"),
        ("{\"version\": 1, \"novel\": []}", "unknown field `novel`"),
        ("{\"version\": 1", "is damaged"),
        ("", "is damaged"),
    ] {
        std::fs::write(state.ledger(), text).unwrap();
        let error = load(&state).unwrap_err().to_string();
        assert!(error.contains(want) && error.contains("ledger.json"), "{text}: {error}");
    }
}

#[test]
fn aliases_swapped_in_a_store_are_swapped_in_the_ledger() {
    let mut ledger = Ledger::default();
    let here = ledger.placed.entry(store_id()).or_default();
    here.insert("a".into(), placed("of a"));
    here.insert("b".into(), placed("of b"));
    let memory = Memory { moved: vec![("a".into(), "b".into()), ("b".into(), "a".into())], ..Memory::default() };
    remember(&mut ledger, &store_id(), &memory, "r", Timestamp::UNIX_EPOCH);
    let runs: BTreeMap<_, _> = ledger.placed[&store_id()].iter().map(|(k, p)| (k.as_str(), p.run.as_str())).collect();
    assert_eq!(runs, BTreeMap::from([("a", "of b"), ("b", "of a")]));
}

#[test]
fn what_an_interrupted_run_wrote_is_remembered_once() {
    let dir = tempfile::tempdir().unwrap();
    let (state, disk) = (State::at(dir.path().join("state")), Disk::new());
    let (done, undone) = (dir.path().join("done"), dir.path().join("undone"));
    std::fs::write(&done, b"new").unwrap();
    std::fs::write(&undone, b"old").unwrap();
    let run = RunRecord {
        id: "r".into(),
        started: Timestamp::UNIX_EPOCH,
        finished: None,
        plan: Fingerprint::of(b"p"),
        written: 0,
        failed: 0,
        skipped: 0,
        undoes: None,
        undone_by: None,
        pruned: false,
    };
    disk.make_dir(&state.run("r")).unwrap();
    let ledger = Ledger { version: VERSION, runs: vec![run], ..Ledger::default() };
    store(&disk, &state, &ledger, "r").unwrap();
    let journal = Journal::open(&disk, &state, "r").unwrap();
    for (name, path) in [("done", &done), ("undone", &undone)] {
        let memory = Memory { placed: BTreeMap::from([("a".into(), placed("r"))]), ..Memory::default() };
        let store = StoreId::parse(&format!("ads.acme.example/{name}")).unwrap();
        let (before, after) = (Some(Fingerprint::of(b"old")), Some(Fingerprint::of(b"new")));
        let pieces = vec![Piece { path: path.clone(), before, after }];
        let (placed, facts) = (BTreeMap::new(), Vec::new());
        let intent = Intent { store, path: path.clone(), before, after, pieces, memory, placed, facts };
        journal.note(&Record::Intent(Box::new(intent))).unwrap();
    }
    let loaded = load(&state).unwrap();
    assert_eq!(loaded.recovered, ["r"]);
    let stores: Vec<_> = loaded.ledger.placed.keys().map(|s| s.name.as_str()).collect();
    assert_eq!(stores, ["done"]);
    store(&disk, &state, &loaded.ledger, "r").unwrap();
    assert!(load(&state).unwrap().recovered.is_empty());
}
