//! At every single step of a run another program takes away what keeps the run safe: its lock, the ledger as the run
//! stored it, its journal. A store that is being written then is finished or taken back. Nothing that was not begun is
//! stored any more. The outcome of each store is reported, whatever cannot be recorded.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use trustmason_host::disk::{Disk, DiskStep};
use trustmason_host::fault::Meddler;
use trustmason_host::run::{PackOutcome, StoreOutcome};
use trustmason_host::state::State;
use trustmason_keystore::Format;

use crate::extent::{every, steps};
use crate::world::*;

/// What another program does to the state folder of a run at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Robbery {
    RemoveLock,
    ReplaceLock,
    ChangeLedger,
    RemoveJournal,
    CutJournal,
    AddToJournal,
}

const ALL: [Robbery; 6] = [
    Robbery::RemoveLock,
    Robbery::ReplaceLock,
    Robbery::ChangeLedger,
    Robbery::RemoveJournal,
    Robbery::CutJournal,
    Robbery::AddToJournal,
];

impl Robbery {
    /// Does it, and returns whether there was something to do it to.
    fn act(self, state: &State) -> bool {
        let journal = || -> Option<PathBuf> {
            let run = fs::read_dir(state.runs()).ok()?.next()?.unwrap().path();
            Some(run.join("journal.jsonl")).filter(|path| path.is_file())
        };
        match self {
            Self::RemoveLock => fs::remove_file(state.lock()).is_ok(),
            Self::ReplaceLock => fs::remove_file(state.lock()).is_ok() && fs::write(state.lock(), b"").is_ok(),
            Self::ChangeLedger => fs::read(state.ledger()).is_ok_and(|mut bytes| {
                bytes.push(b' ');
                fs::write(state.ledger(), bytes).is_ok()
            }),
            Self::RemoveJournal => journal().is_some_and(|path| fs::remove_file(path).is_ok()),
            Self::CutJournal => journal()
                .filter(|path| fs::metadata(path).unwrap().len() > 0)
                .is_some_and(|path| fs::write(path, b"").is_ok()),
            Self::AddToJournal => journal().is_some_and(|path| {
                let mut bytes = fs::read(&path).unwrap();
                bytes.extend_from_slice(b"{}\n");
                fs::write(path, bytes).is_ok()
            }),
        }
    }
}

/// Runs, and robs the run at a step. Returns whether the run got that far.
fn robbed(template: &World, robbery: Robbery, step: usize) -> bool {
    let world = template.copy();
    let stores = [(CACERTS, world.cacerts()), (KEYSTORE, world.keystore())];
    let before: Vec<Vec<u8>> = stores.iter().map(|(_, path)| fs::read(path).unwrap()).collect();
    let (taken, state) = (AtomicUsize::new(0), world.state());
    // The paths whose temporary file was made, or which were exchanged, after the robbery.
    let (done, begun) = (Arc::new(Mutex::new(false)), Arc::new(Mutex::new(Vec::<PathBuf>::new())));
    let (is_done, after) = (done.clone(), begun.clone());
    let act = move |at: DiskStep, on: &Path| {
        if taken.fetch_add(1, Ordering::SeqCst) == step && robbery.act(&state) {
            *is_done.lock().unwrap() = true;
        } else if *is_done.lock().unwrap() && matches!(at, DiskStep::Create | DiskStep::Exchange) {
            after.lock().unwrap().push(on.to_owned());
        }
    };
    let outcomes = world.apply(&Disk::behind(Arc::new(Meddler::new(act))));
    if !*done.lock().unwrap() {
        return false;
    }
    let begun = begun.lock().unwrap();
    let folders = stores.iter().filter(|(_, path)| {
        let beside = |one: &&PathBuf| one.parent() == path.parent();
        begun.iter().filter(beside).count() > 0
    });
    assert!(folders.count() <= 1, "{robbery:?} at {step}: more than the store in hand was touched: {begun:#?}");
    let Ok(outcomes) = outcomes else {
        for ((_, path), before) in stores.iter().zip(&before) {
            assert_eq!(fs::read(path).unwrap(), *before, "{robbery:?} at {step}: the run did not begin");
        }
        return true;
    };
    // Each store is reported as it is.
    for ((id, path), before) in stores.iter().zip(&before) {
        let changed = fs::read(path).unwrap() != *before;
        match outcomes.stores.get(&store_id(id)) {
            Some(StoreOutcome::Written { .. }) => assert!(changed, "{robbery:?} at {step}"),
            Some(StoreOutcome::Failed { error }) if changed => {
                let error = error.to_string();
                assert!(error.contains("the store has its new content now"), "{robbery:?} at {step}: {error}");
            }
            _ => assert!(!changed, "{robbery:?} at {step}: {outcomes:#?}"),
        }
    }
    let all = outcomes.stores.len() == 2 && outcomes.stores.values().all(|s| matches!(s, StoreOutcome::Written { .. }));
    if !all {
        let pack = outcomes.packs.values().find(|pack| matches!(pack, PackOutcome::Written { .. }));
        assert!(pack.is_none(), "{robbery:?} at {step}: {pack:?}");
        assert!(!outcomes.is_complete(), "{robbery:?} at {step}");
    }
    true
}

#[test]
fn a_run_that_is_robbed_at_any_step_begins_nothing_more_and_tells_what_it_did() {
    let template = World::new(Format::Jks);
    for (turn, robbery) in ALL.into_iter().enumerate() {
        let mut met = 0;
        for step in steps(turn) {
            match robbed(&template, robbery, step) {
                true => met += 1,
                false if met > 0 => break,
                // The thing to be taken away is not there yet.
                false => assert!(step < 60, "{robbery:?} was never met"),
            }
        }
        assert!(met > 40 / every(3), "{robbery:?} was met at {met} steps");
    }
}
