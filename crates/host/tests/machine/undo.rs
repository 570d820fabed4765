//! Runs taken back: every file is again what it was, with its bytes, owner and attributes, wherever the work was cut
//! off.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use trustmason_host::disk::{self, Attributes, Disk, DiskStep, Owner};
use trustmason_host::fault::{FaultInjector, InjectedFault};
use trustmason_host::rollback::{RollbackContext, RollbackError, RollbackOutcome, RollbackRequest, rollback};
use trustmason_host::run::StoreOutcome;
use trustmason_host::secret::Secrets;
use trustmason_host::state::lock::Lock;
use trustmason_keystore::{Format, Interner};
use trustmason_plan::ledger::{PlacedKey, Predecessor};
use trustmason_plan::run_id::RunId;

use crate::extent::steps;
#[cfg(unix)]
use crate::needs::{self, Need};
use crate::world::*;

impl World {
    pub fn undo(&self, run: Option<&RunId>, disk: &Disk) -> Result<RollbackOutcome, RollbackError> {
        let (ledger, observed) = self.look();
        let (state, secrets, certificates) = (self.state(), Secrets::new(), Interner::new());
        let looking = RollbackContext {
            state: &state,
            topology: &self.topology,
            ledger: &ledger,
            observed: &observed,
            secrets: &secrets,
            certificates: &certificates,
            now: now(),
        };
        let mut lock = Lock::take(&state).unwrap();
        rollback(RollbackRequest { run, context: looking, author: ANNA }, disk, &mut lock)
    }

    /// A world with a store of PEM files in which one file is new, two are removed and one stays.
    pub fn with_folder() -> Self {
        let id = "ads.acme.example/trust";
        let mut world = World::settled_identity();
        fs::create_dir(world.folder()).unwrap();
        fs::write(world.folder().join("vendor.pem"), pem(&make("Vendor", &[]).certificate)).unwrap();
        for name in ["gone", "left"] {
            let host = format!("{name}.acme.example");
            world.topology.retired.insert(fqdn(&host));
            fs::write(world.folder().join(format!("{name}.pem")), pem(&make(&host, &[&host]).certificate)).unwrap();
        }
        let def = folder_def(id, r"C:\trust");
        world.topology.stores.insert(def.id.clone(), def);
        world.topology.edges.push(edge(id, "ads.acme.example/iis", Some("ads.pem")));
        world
    }

    pub fn folder(&self) -> PathBuf {
        self.root().join("hosts/ads.acme.example/c/trust")
    }
}

/// The bytes, owner and attributes of a file.
#[derive(Debug, PartialEq)]
struct Whole {
    bytes: Vec<u8>,
    owner: Owner,
    attributes: Attributes,
}

/// All files of the hosts.
fn hosts(world: &World) -> BTreeMap<PathBuf, Whole> {
    let mut files = BTreeMap::new();
    let root = world.root();
    walk(&root.join("hosts"), &mut files);
    let whole = |(path, bytes): (PathBuf, Vec<u8>)| {
        let (facts, attributes) = (disk::facts(&path).unwrap(), Attributes::of(&path).unwrap());
        (path.strip_prefix(&root).unwrap().to_owned(), Whole { bytes, owner: facts.owner(), attributes })
    };
    files.into_iter().map(whole).collect()
}

/// Gives the stores modes, owners and attributes of their own, as far as this system and user allow.
#[cfg(unix)]
fn dress(world: &World) {
    for (index, path) in hosts(world).into_keys().enumerate() {
        use std::os::unix::fs::PermissionsExt as _;
        let path = world.root().join(path);
        let extra = u32::try_from(index % 4).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode([0o640, 0o644, 0o600, 0o604][index % 4])).unwrap();
        if let Err(error) = std::os::unix::fs::chown(&path, Some(12345 + extra), Some(23456)) {
            needs::left_out(Need::Root, "owners of stores other than this user", &error.to_string());
        }
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::fs::setxattr(&path, "user.origin", b"cvp", rustix::fs::XattrFlags::empty()) {
            needs::left_out(Need::Attributes, "extended attributes of stores", &error.to_string());
        }
    }
}

fn copy(template: &World) -> World {
    let world = template.copy();
    #[cfg(unix)]
    dress(&world);
    world
}

#[test]
fn a_finished_run_is_taken_back_whole() {
    let template = World::new(Format::Jks);
    let world = copy(&template);
    let before = hosts(&world);
    let changes = world.plan().changes.len();
    let run = world.apply(&Disk::new()).unwrap().run.unwrap();
    assert_ne!(hosts(&world), before);
    let undone = world.undo(None, &Disk::new()).unwrap();
    assert!(undone.is_complete(), "{undone:#?}");
    assert_eq!(undone.undoes, Some(run.clone()));
    assert_eq!(hosts(&world), before);
    assert!(undone.stores.values().all(|s| matches!(s, StoreOutcome::Written { backup: Some(_) })), "{undone:#?}");
    let ledger = world.ledger().ledger;
    assert!(ledger.placed.is_empty(), "{ledger:#?}");
    // The certificate that the service may present until its restart is recorded as its own.
    let [(taken_back, record)] = ledger.predecessors.iter().collect::<Vec<_>>()[..] else { panic!("{ledger:#?}") };
    assert_eq!((record.replaced_by, record.staged), (world.old_wsm.fingerprint(), true));
    assert_ne!(*taken_back, record.replaced_by);
    assert_eq!(ledger.runs[0].undone_by.as_ref(), undone.run.as_ref());
    assert_eq!(ledger.runs[1].undoes.as_ref(), Some(&run));
    assert!(ledger.runs.iter().all(|record| record.finished.is_some()));
    assert!(!undone.restarts.is_empty());
    assert!(undone.restarts.iter().all(|service| ledger.restarts[service].run == undone.run));
    // Everything is to be done again, and there is nothing more to take back.
    assert_eq!(world.plan().changes.len(), changes);
    assert!(matches!(world.undo(None, &Disk::new()), Err(RollbackError::Nothing)));
    match world.undo(Some(&run), &Disk::new()) {
        Err(RollbackError::Undone { by, .. }) => assert_eq!(Some(by), undone.run),
        other => panic!("{other:?}"),
    }
    // The rollback can be taken back if it is named.
    let redone = world.undo(undone.run.as_ref(), &Disk::new()).unwrap();
    assert!(redone.is_complete(), "{redone:#?}");
    assert!(world.plan().changes.is_empty(), "{:#?}", world.plan().changes);
}

#[test]
fn a_rollback_cut_off_at_any_step_is_begun_again() {
    let template = World::new(Format::Jks);
    for step in steps(0) {
        let world = copy(&template);
        let before = hosts(&world);
        let run = world.apply(&Disk::new()).unwrap().run.unwrap();
        let after = hosts(&world);
        let gate = Arc::new(FaultInjector::at(step, InjectedFault::Crash));
        let cut = world.undo(None, &Disk::behind(gate.clone()));
        let Some(struck) = gate.struck() else {
            assert!(cut.unwrap().is_complete() && step > 40);
            return;
        };
        // At every moment each file is the old one or the new one.
        for (path, whole) in hosts(&world).iter().filter(|(path, _)| before.contains_key(*path)) {
            assert!(*whole == before[path] || *whole == after[path], "{} after {struck:?}", path.display());
        }
        let world = world.perhaps_moved(step);
        match world.undo(None, &Disk::new()) {
            Ok(undone) => {
                assert!(undone.is_complete() && undone.undoes.as_ref() == Some(&run), "after {struck:?}: {undone:#?}")
            }
            Err(RollbackError::Nothing) => {}
            Err(error) => panic!("after {struck:?}: {error}"),
        }
        whole_again(&world, &before, &struck);
        let ledger = world.ledger().ledger;
        assert!(ledger.placed.is_empty(), "after {struck:?}: {ledger:#?}");
        let turned = |p: &Predecessor| p.staged && p.replaced_by == world.old_wsm.fingerprint();
        assert!(ledger.predecessors.values().all(turned), "after {struck:?}: {ledger:#?}");
        assert!(ledger.runs[0].undone_by.is_some(), "after {struck:?}");
    }
}

fn whole_again(world: &World, before: &BTreeMap<PathBuf, Whole>, struck: &(DiskStep, PathBuf)) {
    let now = hosts(world);
    assert_eq!(now.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "after {struck:?}");
    for (path, whole) in &now {
        assert_eq!(whole, &before[path], "{} after {struck:?}", path.display());
    }
}

/// Cuts a run off at every step and takes back what it did.
fn cut_off(template: &World, least: usize) {
    for step in steps(0) {
        let world = copy(template);
        let before = hosts(&world);
        let gate = Arc::new(FaultInjector::at(step, InjectedFault::Crash));
        let cut = world.apply(&Disk::behind(gate.clone()));
        let Some(struck) = gate.struck() else {
            assert!(cut.unwrap().is_complete() && step > least, "{step}");
            return;
        };
        let world = world.perhaps_moved(step);
        match world.undo(None, &Disk::new()) {
            Ok(undone) => assert!(undone.is_complete(), "after {struck:?}: {undone:#?}"),
            // Only files of a run that was cut off before its first store may be left, until the next run.
            Err(RollbackError::Nothing) => {
                let now = hosts(&world).into_iter().filter(|(path, _)| before.contains_key(path)).collect();
                assert_eq!(before, now, "after {struck:?}");
                continue;
            }
            Err(error) => panic!("after {struck:?}: {error}"),
        }
        whole_again(&world, &before, &struck);
        let ledger = world.ledger().ledger;
        assert!(ledger.placed.is_empty(), "after {struck:?}: {ledger:#?}");
        let turned = |p: &Predecessor| p.staged && p.replaced_by == world.old_wsm.fingerprint();
        assert!(ledger.predecessors.values().all(turned), "after {struck:?}: {ledger:#?}");
        assert!(world.look().1.staging.is_empty(), "after {struck:?}: its key is not used again");
        assert!(world.apply(&Disk::new()).unwrap().is_complete(), "after {struck:?}");
    }
}

#[test]
fn a_run_cut_off_at_any_step_is_taken_back_whole() {
    cut_off(&World::new(Format::Jks), 60);
}

#[test]
fn a_folder_cut_off_at_any_step_is_taken_back_whole() {
    cut_off(&World::with_folder(), 40);
}

#[test]
fn a_folder_s_rollback_cut_off_at_any_step_is_begun_again() {
    let template = World::with_folder();
    for step in steps(0) {
        let world = copy(&template);
        let before = hosts(&world);
        assert!(world.apply(&Disk::new()).unwrap().is_complete());
        let gate = Arc::new(FaultInjector::at(step, InjectedFault::Crash));
        let cut = world.undo(None, &Disk::behind(gate.clone()));
        let Some(struck) = gate.struck() else {
            assert!(cut.unwrap().is_complete() && step > 40);
            return;
        };
        let world = world.perhaps_moved(step);
        match world.undo(None, &Disk::new()) {
            Ok(undone) => assert!(undone.is_complete(), "after {struck:?}: {undone:#?}"),
            Err(RollbackError::Nothing) => {}
            Err(error) => panic!("after {struck:?}: {error}"),
        }
        whole_again(&world, &before, &struck);
        assert!(world.ledger().ledger.placed.is_empty(), "after {struck:?}");
    }
}

#[test]
fn a_store_that_was_made_is_removed() {
    let mut world = World::settled_identity();
    fs::remove_file(world.cacerts()).unwrap();
    let_be_made(&mut world.topology, CACERTS);
    let before = hosts(&world);
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
    assert!(world.cacerts().exists());
    assert!(world.undo(None, &Disk::new()).unwrap().is_complete());
    assert_eq!(hosts(&world), before);
}

#[test]
fn what_others_changed_afterwards_is_named_and_nothing_is_done() {
    let world = World::new(Format::Jks);
    let run = world.apply(&Disk::new()).unwrap().run.unwrap();
    let foreign = keystore(Format::Jks, "changeit", vec![trusted("x", &world.iis)]);
    fs::write(world.cacerts(), foreign).unwrap();
    let files = world.files();
    let (gate, disk) = counted();
    let error = world.undo(None, &disk).unwrap_err();
    let RollbackError::Changed { faults, .. } = &error else { panic!("{error}") };
    assert_eq!(faults.iter().map(|fault| fault.store.to_string()).collect::<Vec<_>>(), [CACERTS]);
    assert!(
        error.to_string().contains(run.as_str()) && error.to_string().contains("cacerts has other content now"),
        "{error}"
    );
    assert_eq!((gate.taken(), world.files() == files), (0, true));
    fs::remove_file(world.cacerts()).unwrap();
    assert!(world.undo(None, &disk).unwrap_err().to_string().contains("does not exist any more"));
}

#[test]
fn a_newer_run_is_taken_back_first() {
    let mut world = World::settled_identity();
    let first = world.apply(&Disk::new()).unwrap().run.unwrap();
    let one = hosts(&world);
    world.topology.edges.push(edge(CACERTS, "ads.acme.example/iis", Some("ads.acme.example_iis")));
    let second = world.apply(&Disk::new()).unwrap().run.unwrap();
    let error = world.undo(Some(&first), &Disk::new()).unwrap_err();
    assert!(matches!(&error, RollbackError::Newer { newer, .. } if *newer == second), "{error}");
    let undone = world.undo(None, &Disk::new()).unwrap();
    assert_eq!((undone.undoes, hosts(&world)), (Some(second), one));
    let placed = &world.ledger().ledger.placed[&store_id(CACERTS)];
    assert_eq!(
        placed.keys().map(PlacedKey::as_str).collect::<Vec<_>>(),
        ["cvp1.acme.example"],
        "what the first run placed is still ours"
    );
    assert_eq!(world.undo(None, &Disk::new()).unwrap().undoes, Some(first));
    assert!(world.ledger().ledger.placed.is_empty());
}

#[test]
fn backups_that_are_not_whole_are_named_and_nothing_is_done() {
    let world = World::new(Format::Jks);
    let run = world.apply(&Disk::new()).unwrap().run.unwrap();
    let backup = |id| world.state().backup(&run, &store_id(id));
    fs::remove_file(backup(CACERTS)).unwrap();
    let mut bytes = fs::read(backup(KEYSTORE)).unwrap();
    bytes[40] ^= 1;
    fs::write(backup(KEYSTORE), bytes).unwrap();
    let before = hosts(&world);
    let (gate, disk) = counted();
    let error = world.undo(None, &disk).unwrap_err();
    let RollbackError::Damaged { faults, .. } = &error else { panic!("{error}") };
    let whys: Vec<_> = faults.iter().map(|fault| fault.why.rsplit(' ').next().unwrap()).collect();
    assert_eq!((whys, gate.taken()), (vec!["missing", "changed"], 0), "{error}");
    assert_eq!(hosts(&world), before);
    assert!(matches!(
        world.undo(RunId::parse("20000101T000000.000Z-00000000").ok().as_ref(), &disk),
        Err(RollbackError::Unknown { .. })
    ));
}

#[test]
fn old_backups_go_and_are_said_to_be_gone() {
    let mut world = World::settled_identity();
    world.topology.policy.keep_runs = 1;
    world.topology.policy.keep_days = 0;
    let first = world.apply(&Disk::new()).unwrap().run.unwrap();
    assert!(world.state().backups(&first).exists(), "the newest stays whatever its age");
    world.topology.edges.push(edge(CACERTS, "ads.acme.example/iis", Some("ads.acme.example_iis")));
    // With 90 days the first run is young enough for its backups to be kept.
    world.topology.policy.keep_days = 90;
    let kept = world.copy();
    assert!(kept.apply(&Disk::new()).unwrap().is_complete());
    assert!(kept.state().backups(&first).exists(), "young enough");
    world.topology.policy.keep_days = 0;
    let mut ledger = world.ledger().ledger;
    ledger.runs[0].started = "2026-01-01T00:00:00Z".parse().unwrap();
    fs::write(world.state().ledger(), serde_json::to_vec(&ledger).unwrap()).unwrap();
    let second = world.apply(&Disk::new()).unwrap().run.unwrap();
    assert!(!world.state().backups(&first).exists() && world.state().backups(&second).exists());
    assert!(world.state().journal(&first).exists(), "the journal stays");
    let runs = world.ledger().ledger.runs;
    assert_eq!(runs.iter().map(|record| record.pruned).collect::<Vec<_>>(), [true, false]);
    assert!(matches!(world.undo(Some(&first), &Disk::new()), Err(RollbackError::Pruned { .. })));
}

#[test]
fn a_rollback_with_trouble_beside_its_stores_is_not_to_be_begun_again() {
    let world = World::new(Format::Jks);
    let before = hosts(&world);
    let run = world.apply(&Disk::new()).unwrap().run.unwrap();
    let (audit, seen) = (world.state().audit(), std::sync::atomic::AtomicUsize::new(0));
    let gate = FaultInjector::where_it(InjectedFault::NoSpace, move |_, step, path| {
        step == DiskStep::Append && path == audit && seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1
    });
    let undone = world.undo(None, &Disk::behind(Arc::new(gate))).unwrap();
    assert!(undone.is_restored() && !undone.is_complete(), "{undone:#?}");
    assert_eq!(hosts(&world), before);
    assert_eq!(world.ledger().ledger.run(&run).unwrap().undone_by, undone.run);
    assert!(matches!(world.undo(None, &Disk::new()), Err(RollbackError::Nothing)));
}

#[test]
fn backups_of_another_run_that_cannot_be_removed_make_no_rollback_incomplete() {
    let mut world = World::settled_identity();
    (world.topology.policy.keep_runs, world.topology.policy.keep_days) = (1, 0);
    let first = world.apply(&Disk::new()).unwrap().run.unwrap();
    world.topology.edges.push(edge(CACERTS, "ads.acme.example/iis", Some("ads.acme.example_iis")));
    let second = world.apply(&Disk::new()).unwrap().run.unwrap();
    let mut ledger = world.ledger().ledger;
    for record in &mut ledger.runs {
        record.started = "2026-01-01T00:00:00Z".parse().unwrap();
        record.pruned = false;
    }
    fs::write(world.state().ledger(), serde_json::to_vec(&ledger).unwrap()).unwrap();
    let backups = world.state().backups(&first);
    let _gone = fs::remove_dir_all(&backups);
    fs::write(&backups, b"no folder").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&backups, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let undone = world.undo(Some(&second), &Disk::new()).unwrap();
    assert!(undone.is_complete(), "{undone:#?}");
    assert_eq!(undone.warnings.len(), 1, "{undone:#?}");
    assert!(undone.warnings[0].contains("old backups could not be removed"), "{undone:#?}");
    assert_eq!(world.ledger().ledger.run(&second).unwrap().undone_by, undone.run);
}

#[test]
fn a_key_an_earlier_run_made_waits_again() {
    let world = World::new(Format::Jks);
    let before = hosts(&world);
    // The first run makes the key and cannot write its store.
    let folder = world.keystore().parent().unwrap().to_owned();
    let gate = FaultInjector::where_it(InjectedFault::Denied, move |_, step, path| {
        step == DiskStep::Create && path.parent() == Some(folder.as_path())
    });
    let first = world.apply(&Disk::behind(Arc::new(gate))).unwrap();
    let minted = first.minted.values().next().unwrap().fingerprint();
    assert_eq!(hosts(&world), before);
    let second = world.apply(&Disk::new()).unwrap();
    assert!(second.is_complete() && world.look().1.staging.is_empty());
    let undone = world.undo(None, &Disk::new()).unwrap();
    assert_eq!((undone.is_complete(), undone.restaged.len()), (true, 1), "{undone:#?}");
    assert_eq!(hosts(&world), before);
    let third = world.apply(&Disk::new()).unwrap();
    assert!(third.is_complete());
    assert_eq!(third.minted.values().next().unwrap().fingerprint(), minted, "no second key was made");
}

#[test]
fn a_rollback_cut_off_is_taken_up_before_anything_older_is_touched() {
    let mut world = World::settled_identity();
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
    let after = hosts(&world);
    // A second run makes a key and can write no store.
    let wsm = world.topology.identities.keys().find(|id| id.name == "wsm").unwrap().clone();
    world.options.replace = vec![wsm.clone()];
    let folder = world.keystore().parent().unwrap().to_owned();
    let gate = FaultInjector::where_it(InjectedFault::Denied, move |_, step, path| {
        step == DiskStep::Create && path.parent() == Some(folder.as_path())
    });
    let second = world.apply(&Disk::behind(Arc::new(gate))).unwrap().run.unwrap();
    assert!(world.look().1.staging.contains_key(&wsm));
    // The rollback is cut off before the key is removed.
    let gate = FaultInjector::where_it(InjectedFault::Crash, |_, step, path| {
        step == DiskStep::Remove && path.extension().is_some_and(|extension| extension == "jks")
    });
    let cut = world.undo(Some(&second), &Disk::behind(Arc::new(gate))).unwrap();
    assert!(!cut.troubles.is_empty(), "{cut:#?}");
    let undone = world.undo(None, &Disk::new()).unwrap();
    assert_eq!((undone.undoes, undone.unstaged), (Some(second), vec![wsm]));
    assert_eq!(hosts(&world), after, "the first run's work is not touched");
    assert!(world.look().1.staging.is_empty());
}
