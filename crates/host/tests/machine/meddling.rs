//! Another program writes a store at the very moment a run replaces it: none of its work is lost, and the other stores
//! are written.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use trustmason_host::disk::{Disk, DiskStep, Gate, StepDecision};
use trustmason_host::fault::{FaultInjector, InjectedFault, Meddler};
use trustmason_host::run::StoreOutcome;
use trustmason_keystore::Format;

use crate::world::*;

/// Acts once, right before this step on this path.
fn once<T: Fn(&Path) + Send + Sync>(
    step: DiskStep,
    path: &Path,
    act: T,
) -> impl Fn(DiskStep, &Path) + Send + Sync + use<T> {
    let (path, done) = (path.to_owned(), AtomicBool::new(false));
    move |at, on| {
        if at == step && on == path && !done.swap(true, Ordering::SeqCst) {
            act(on);
        }
    }
}

fn foreign(world: &World) -> Vec<u8> {
    keystore(Format::Jks, "changeit", vec![trusted("theirs", &world.iis)])
}

#[test]
fn a_store_written_between_the_check_and_the_exchange_is_put_back() {
    for by_rename in [false, true] {
        let world = World::new(Format::Jks);
        let (theirs, mine) = (foreign(&world), world.root().join("theirs"));
        let bytes = theirs.clone();
        let act = move |path: &Path| {
            if by_rename {
                fs::write(&mine, &bytes).unwrap();
                fs::rename(&mine, path).unwrap();
            } else {
                fs::write(path, &bytes).unwrap();
            }
        };
        let gate = Meddler::new(once(DiskStep::Exchange, &world.cacerts(), act));
        let outcomes = world.apply(&Disk::behind(Arc::new(gate))).unwrap();
        let Some(StoreOutcome::Stale { why }) = outcomes.stores.get(&store_id(CACERTS)) else {
            panic!("{outcomes:#?}")
        };
        let why = why.to_string();
        assert!(why.contains("cacerts") && why.contains("was restored"), "{why}");
        assert_eq!(fs::read(world.cacerts()).unwrap(), theirs);
        assert!(matches!(outcomes.stores[&store_id(KEYSTORE)], StoreOutcome::Written { .. }));
        assert!(!world.ledger().ledger.placed.contains_key(&store_id(CACERTS)), "nothing of it is ours");
        // The next plan sees the other program's work and adds to it.
        assert!(world.apply(&Disk::new()).unwrap().is_complete());
        let names: Vec<_> = entries(&world.cacerts(), "changeit").into_iter().map(|e| e.0).collect();
        assert_eq!(names, ["theirs", "cvp1.acme.example"]);
        assert_eq!(leftovers(&world), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_store_written_after_the_exchange_is_left_to_its_writer_and_said() {
    let world = World::new(Format::Jks);
    let theirs = foreign(&world);
    let bytes = theirs.clone();
    let gate = Meddler::new(once(DiskStep::ReadBack, &world.cacerts(), move |path| fs::write(path, &bytes).unwrap()));
    let outcomes = world.apply(&Disk::behind(Arc::new(gate))).unwrap();
    let Some(StoreOutcome::Failed { error }) = outcomes.stores.get(&store_id(CACERTS)) else { panic!("{outcomes:#?}") };
    let error = error.to_string();
    assert!(error.contains("another program wrote it") && error.contains("backup"), "{error}");
    assert!(!error.contains("has its new content"), "{error}");
    assert_eq!(fs::read(world.cacerts()).unwrap(), theirs);
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
}

#[test]
fn a_store_made_meanwhile_is_left_alone() {
    let mut world = World::settled_identity();
    fs::remove_file(world.cacerts()).unwrap();
    let_be_made(&mut world.topology, CACERTS);
    let theirs = foreign(&world);
    let bytes = theirs.clone();
    let gate = Meddler::new(once(DiskStep::Rename, &world.cacerts(), move |path| fs::write(path, &bytes).unwrap()));
    let outcomes = world.apply(&Disk::behind(Arc::new(gate))).unwrap();
    assert!(matches!(outcomes.stores[&store_id(CACERTS)], StoreOutcome::Stale { .. }), "{outcomes:#?}");
    assert_eq!(fs::read(world.cacerts()).unwrap(), theirs);
}

/// Another program writes before the exchange, and the power fails at a step after it.
struct Both<F>(Meddler<F>, Arc<FaultInjector>);

impl<F: Fn(DiskStep, &Path) + Send + Sync> Gate for Both<F> {
    fn pass(&self, step: DiskStep, path: &Path) -> StepDecision {
        match self.1.pass(step, path) {
            StepDecision::Go => self.0.pass(step, path),
            fate => fate,
        }
    }
}

#[test]
fn what_was_displaced_when_the_power_went_is_put_back_by_the_next_run() {
    let mut seen = 0;
    for step in 0.. {
        let world = World::new(Format::Jks);
        let theirs = foreign(&world);
        let bytes = theirs.clone();
        let meddler =
            Meddler::new(once(DiskStep::Exchange, &world.cacerts(), move |path| fs::write(path, &bytes).unwrap()));
        let faulty = Arc::new(FaultInjector::at(step, InjectedFault::Crash));
        let _cut = world.apply(&Disk::behind(Arc::new(Both(meddler, faulty.clone()))));
        let Some(struck) = faulty.struck() else { break };
        if fs::read(world.cacerts()).unwrap() == theirs
            || leftovers(&world).iter().all(|f| fs::read(f).unwrap() != theirs)
        {
            continue;
        }
        seen += 1;
        assert!(!world.ledger().ledger.placed.contains_key(&store_id(CACERTS)), "nothing of it is ours, {struck:?}");
        // The next run puts the file back, and the run after that sees it.
        let _first = world.apply(&Disk::new()).unwrap();
        assert!(world.apply(&Disk::new()).unwrap().is_complete(), "after {struck:?}");
        assert!(world.plan().changes.is_empty(), "after {struck:?}");
        let names: Vec<_> = entries(&world.cacerts(), "changeit").into_iter().map(|e| e.0).collect();
        assert_eq!(names, ["theirs", "cvp1.acme.example"], "after {struck:?}");
        assert_eq!(leftovers(&world), Vec::<PathBuf>::new(), "after {struck:?}");
    }
    assert!(seen > 0, "the case was met");
}

#[test]
fn judge_what_keytool_imports_at_that_moment_stays() {
    needs!(Jdk);
    let world = World::settled_identity();
    let pem_file = world.root().join("theirs.pem");
    fs::write(&pem_file, pem(&world.iis)).unwrap();
    let act = move |path: &Path| {
        let keytool = Command::new("keytool")
            .args(["-importcert", "-noprompt", "-storetype", "JKS", "-storepass", "changeit", "-alias", "theirs"])
            .args(["-file".as_ref(), pem_file.as_os_str(), "-keystore".as_ref(), path.as_os_str()])
            .output()
            .expect("keytool starts");
        assert!(keytool.status.success(), "{}", String::from_utf8_lossy(&keytool.stdout));
    };
    let gate = Meddler::new(once(DiskStep::Exchange, &world.cacerts(), act));
    let outcomes = world.apply(&Disk::behind(Arc::new(gate))).unwrap();
    assert!(matches!(outcomes.stores[&store_id(CACERTS)], StoreOutcome::Stale { .. }), "{outcomes:#?}");
    assert!(entries(&world.cacerts(), "changeit").iter().any(|e| e.0 == "theirs"));
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
    let names: Vec<_> = entries(&world.cacerts(), "changeit").into_iter().map(|e| e.0).collect();
    assert!(names.contains(&"theirs".to_owned()) && names.contains(&"cvp1.acme.example".to_owned()), "{names:?}");
}
