//! A fault at every numbered step of a run: each store is the old one or the new one, and the next run finishes the
//! work and leaves no temporary file behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use trustmason_host::disk::{Disk, DiskStep};
use trustmason_host::fault::{FaultInjector, InjectedFault};
use trustmason_host::record::journal::{self, Record};
use trustmason_host::run::StoreOutcome;
use trustmason_host::volume::{self, Volumes};
use trustmason_keystore::{Digest, EntryKey, Format};
use trustmason_plan::ledger::PlacedKey;
use trustmason_plan::run_id::RunId;

use crate::extent::steps;
use crate::world::*;

/// What any run of this world meant each store to be, by its journals.
fn meant(world: &World) -> BTreeMap<PathBuf, Vec<Digest>> {
    let mut all: BTreeMap<PathBuf, Vec<Digest>> = BTreeMap::new();
    let Ok(runs) = fs::read_dir(world.state().runs()) else { return all };
    for run in runs {
        let run = RunId::parse(run.unwrap().file_name().to_str().unwrap()).unwrap();
        // A run that was cut off before its first line was on the disk meant nothing yet.
        for record in journal::read(&world.state(), &run).unwrap_or_default() {
            if let Record::Intent(intent) = record {
                let path = world.topology.stores[&intent.store].path().unwrap();
                let found = Volumes::of(&world.topology).find(path).unwrap();
                let (volume::Located::Found(path) | volume::Located::Absent { path, .. }) = found;
                all.entry(path).or_default().extend(intent.after);
            }
        }
    }
    all
}

/// The two stores of a world, as they were.
struct Before {
    cacerts: Vec<u8>,
    keystore: Vec<u8>,
}

impl Before {
    fn of(world: &World) -> Self {
        Self { cacerts: fs::read(world.cacerts()).unwrap(), keystore: fs::read(world.keystore()).unwrap() }
    }

    fn stores<'a>(&'a self, world: &World) -> [(&'static str, PathBuf, &'a [u8]); 2] {
        [(CACERTS, world.cacerts(), &self.cacerts), (KEYSTORE, world.keystore(), &self.keystore)]
    }

    /// Checks that each store is what it was, or what a run meant it to be.
    fn check(&self, world: &World, struck: &(DiskStep, PathBuf)) {
        let meant = meant(world);
        for (_, path, before) in self.stores(world) {
            let bytes = fs::read(&path).unwrap();
            let new = meant.get(&path).is_some_and(|digests| digests.contains(&Digest::of(&bytes)));
            assert!(bytes == before || new, "{} after {struck:?}", path.display());
        }
    }
}

fn campaign(template: &World, fault: InjectedFault, turn: usize) -> usize {
    for step in steps(turn) {
        let world = template.copy();
        let before = Before::of(&world);
        let gate = Arc::new(FaultInjector::at(step, fault));
        let outcomes = world.apply(&Disk::behind(gate.clone()));
        let Some(struck) = gate.struck() else {
            assert!(outcomes.unwrap().is_complete());
            return step;
        };
        before.check(&world, &struck);
        // A store reported as written is written, and a store that failed early is not.
        for (id, path, old) in before.stores(&world) {
            let changed = fs::read(&path).unwrap() != old;
            match outcomes.as_ref().map(|outcomes| outcomes.stores.get(&store_id(id))) {
                Ok(Some(StoreOutcome::Written { .. })) => assert!(changed, "{struck:?}"),
                Ok(Some(StoreOutcome::Failed { error })) if changed => {
                    let error = error.to_string();
                    assert!(error.contains("the store has its new content now"), "{struck:?}: {error}");
                }
                Ok(Some(StoreOutcome::Unchanged | StoreOutcome::Stale { .. })) => panic!("{struck:?}: {outcomes:#?}"),
                _ => assert!(!changed, "{struck:?}"),
            }
        }
        // The estate with its state folder, mounted elsewhere: nothing may depend on where the first run found it.
        let moved = world.copy();
        finishes(&world, &before, &struck);
        drop(world);
        finishes(&moved, &before, &struck);
    }
    unreachable!()
}

/// Checks that the next run finishes the work, on a disk without faults.
fn finishes(world: &World, before: &Before, struck: &(DiskStep, PathBuf)) {
    let minted: Vec<_> = world.look().1.staging.values().map(|s| s.key().unwrap().certificate.fingerprint()).collect();
    let second = world.apply(&Disk::new()).unwrap();
    assert!(second.is_complete(), "after {struck:?}: {second:#?}");
    assert!(world.plan().changes.is_empty(), "after {struck:?}");
    before.check(world, struck);
    assert_eq!(leftovers(world), Vec::<PathBuf>::new(), "after {struck:?}");
    assert!(!world.state().root().join("staging/cvp1.acme.example/wsm.jks").exists(), "after {struck:?}");
    let held = entries(&world.cacerts(), "changeit")[3].clone();
    assert_eq!(entries(&world.keystore(), CANARY)[0].2, held.2, "after {struck:?}");
    if let Some(staged) = minted.first() {
        assert_eq!(held.2, Some(*staged), "a staged key is resumed, after {struck:?}");
    }
    // Nothing was forgotten: the ledger records the entry in the store as placed by trustmason.
    let ledger = world.ledger().ledger;
    let placed = ledger
        .placed
        .get(&store_id(CACERTS))
        .and_then(|p| p.get(&PlacedKey::from(&EntryKey::Alias("cvp1.acme.example".into()))));
    assert_eq!(placed.map(|p| p.sha256), held.2, "after {struck:?}");
    assert!(ledger.runs.iter().all(|run| run.finished.is_some()), "after {struck:?}");
    assert!(!world.state().lock_owner().exists(), "after {struck:?}");
    // And then there is nothing more to do.
    let (counter, disk) = counted();
    world.apply(&disk).unwrap();
    assert_eq!(counter.taken(), 0, "after {struck:?}");
}

#[test]
fn an_import_survives_a_fault_at_every_step() {
    let template = World::settled_identity();
    let faults = [
        InjectedFault::ShortWrite,
        InjectedFault::Device,
        InjectedFault::ReadOnly,
        InjectedFault::Denied,
        InjectedFault::Crash,
    ];
    for (turn, fault) in faults.into_iter().enumerate() {
        let steps = campaign(&template, fault, turn);
        assert!(steps > 20, "{steps}");
    }
}

#[test]
fn a_new_identity_survives_a_fault_at_every_step() {
    let template = World::new(Format::Jks);
    for (turn, fault) in
        [InjectedFault::ShortWrite, InjectedFault::Denied, InjectedFault::Crash].into_iter().enumerate()
    {
        let steps = campaign(&template, fault, turn);
        assert!(steps > 60, "{steps}");
    }
}

#[test]
fn a_folder_of_pem_files_survives_a_power_cut_at_every_step() {
    let id = "ads.acme.example/trust";
    let mut template = World::settled_identity();
    let folder = |world: &World| world.root().join("hosts/ads.acme.example/c/trust");
    fs::create_dir(folder(&template)).unwrap();
    let vendor = pem(&make("Vendor", &[]).certificate);
    fs::write(folder(&template).join("vendor.pem"), &vendor).unwrap();
    for name in ["gone", "left"] {
        let host = format!("{name}.acme.example");
        template.topology.retired.insert(fqdn(&host));
        fs::write(folder(&template).join(format!("{name}.pem")), pem(&make(&host, &[&host]).certificate)).unwrap();
    }
    let def = folder_def(id, r"C:\trust");
    template.topology.stores.insert(def.id.clone(), def);
    template.topology.edges.push(edge(id, "ads.acme.example/iis", Some("ads.pem")));
    for step in steps(0) {
        let world = template.copy();
        let gate = Arc::new(FaultInjector::at(step, InjectedFault::Crash));
        let outcomes = world.apply(&Disk::behind(gate.clone()));
        let Some(struck) = gate.struck() else {
            assert!(outcomes.unwrap().is_complete() && step > 30);
            return;
        };
        // The certificates that stay are there at every moment, and no file is incomplete.
        let files = trustmason_host::disk::read_folder(&folder(&world)).unwrap();
        assert!(files.contains(&("vendor.pem".to_owned(), vendor.clone().into_bytes())), "{struck:?}");
        assert!(files.iter().all(|(_, bytes)| bytes.ends_with(b"-----END CERTIFICATE-----\n")), "{struck:?}");
        let second = world.apply(&Disk::new()).unwrap();
        assert!(second.is_complete(), "after {struck:?}: {second:#?}");
        let files = trustmason_host::disk::read_folder(&folder(&world)).unwrap();
        assert_eq!(files.len(), 2, "after {struck:?}");
        assert!(world.plan().changes.is_empty(), "after {struck:?}");
        assert_eq!(leftovers(&world), Vec::<PathBuf>::new(), "after {struck:?}");
    }
}
