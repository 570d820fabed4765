//! Several stores at once, and a run that is asked to end.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use trustmason_host::disk::{Disk, DiskStep};
use trustmason_host::fault::Meddler;
use trustmason_host::run::{ChangeOutcome, Outcomes, PackOutcome, RunContext, RunEvent, SkipReason, StoreOutcome};
use trustmason_host::secret::Secrets;
use trustmason_keystore::{Format, Interner};
use trustmason_spec::topology::KeystoreFormat;

use crate::world::*;

fn attempt(world: &World, threads: usize, disk: &Disk, stop: &AtomicBool) -> (Outcomes, BTreeMap<String, usize>) {
    let (ledger, observed) = world.look();
    let plan = trustmason_plan::plan(&world.topology, &observed, &world.options, now());
    let (secrets, certificates) = (Secrets::new(), Interner::new());
    let context = RunContext { disk, secrets: &secrets, certificates: &certificates, keys: pool(), threads, stop };
    let mut told = BTreeMap::new();
    let outcomes = world.run_with(&plan, &ledger, &observed, context, &mut |event| {
        if let RunEvent::Stored { store, .. } = event {
            *told.entry(store.to_string()).or_default() += 1;
        }
    });
    (outcomes.unwrap(), told)
}

/// Many stores that trust one certificate, and one store in which it is made.
fn wide() -> World {
    let mut world = World::new(Format::Jks);
    for number in 0..20 {
        let id = format!("ads.acme.example/store{number}");
        let def = keystore_def(&id, &format!(r"C:\store{number}"), KeystoreFormat::Jks, "changeit");
        let file = world.root().join(format!("hosts/ads.acme.example/c/store{number}"));
        fs::write(file, keystore(Format::Jks, "changeit", vec![trusted("kept", &world.iis)])).unwrap();
        world.topology.stores.insert(def.id.clone(), def);
        world.topology.edges.push(edge(&id, "cvp1.acme.example/wsm", Some("cvp1.acme.example")));
    }
    world
}

#[test]
fn four_threads_do_what_one_does() {
    let template = wide();
    let stop = AtomicBool::new(false);
    let mut results = Vec::new();
    for threads in [1, 4] {
        let world = template.copy();
        let (outcomes, told) = attempt(&world, threads, &Disk::new(), &stop);
        assert!(outcomes.is_complete(), "{outcomes:#?}");
        assert_eq!(outcomes.stores.keys().map(|id| (id.to_string(), 1)).collect::<BTreeMap<_, _>>(), told);
        assert!(world.plan().changes.is_empty());
        let minted = outcomes.minted.values().next().unwrap().fingerprint();
        for number in 0..20 {
            let file = world.root().join(format!("hosts/ads.acme.example/c/store{number}"));
            assert_eq!(entries(&file, "changeit")[1].2, Some(minted));
        }
        let kinds: BTreeMap<_, _> =
            outcomes.stores.iter().map(|(id, o)| (id.clone(), matches!(o, StoreOutcome::Written { .. }))).collect();
        let placed = world.ledger().ledger.placed;
        let placed: Vec<_> = placed.iter().map(|(id, p)| (id.clone(), p.keys().cloned().collect::<Vec<_>>())).collect();
        let done: BTreeMap<_, _> = outcomes.changes.iter().map(|(id, outcome)| (*id, outcome.is_done())).collect();
        results.push((kinds, done, placed));
    }
    assert_eq!(results[0], results[1]);
}

#[test]
fn a_run_that_is_asked_to_end_finishes_the_store_in_hand_and_leaves_the_rest() {
    for threads in [1, 4] {
        let world = wide();
        let stop = Arc::new(AtomicBool::new(false));
        let asked = stop.clone();
        // The run is asked to end when the third store gets its new content.
        let seen = AtomicUsize::new(0);
        let gate = Meddler::new(move |step, _: &Path| {
            if step == DiskStep::Exchange && seen.fetch_add(1, Ordering::SeqCst) == 2 {
                asked.store(true, Ordering::SeqCst);
            }
        });
        let (outcomes, _) = attempt(&world, threads, &Disk::behind(Arc::new(gate)), &stop);
        assert!(outcomes.interrupted && !outcomes.is_complete());
        let written = outcomes.stores.values().filter(|o| matches!(o, StoreOutcome::Written { .. })).count();
        assert!((3..3 + threads).contains(&written), "{written} on {threads}");
        for outcome in outcomes.stores.values().filter(|o| !matches!(o, StoreOutcome::Written { .. })) {
            assert!(matches!(outcome, StoreOutcome::Skipped { why: SkipReason::Interrupted }), "{outcome:?}");
        }
        let skipped = outcomes.changes.values().filter(|c| matches!(c, ChangeOutcome::Skipped { .. })).count();
        assert!(skipped > 0);
        assert!(outcomes.packs.values().all(|p| matches!(p, PackOutcome::Skipped { .. })));
        // Its record is closed, and the next run does the rest.
        assert!(world.ledger().recovered.is_empty());
        assert_eq!(leftovers(&world), Vec::<PathBuf>::new());
        let next = world.apply(&Disk::new()).unwrap();
        assert!(next.is_complete() && !next.interrupted);
        assert!(world.plan().changes.is_empty());
    }
}

#[test]
fn a_run_that_is_asked_to_end_before_it_began_makes_no_key() {
    let world = wide();
    let files = fs::read(world.keystore()).unwrap();
    let (outcomes, _) = attempt(&world, 1, &Disk::new(), &AtomicBool::new(true));
    assert!(outcomes.interrupted && outcomes.minted.is_empty());
    assert!(outcomes.changes.values().all(|c| matches!(c, ChangeOutcome::Skipped { why: SkipReason::Interrupted })));
    assert_eq!(fs::read(world.keystore()).unwrap(), files);
}
