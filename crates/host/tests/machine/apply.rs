//! Runs that go well, and runs that meet something other than was planned.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use trustmason_host::disk::{Disk, DiskStep};
use trustmason_host::fault::{FaultInjector, InjectedFault};
use trustmason_host::run::{BeginError, ChangeOutcome, RunError, StoreOutcome};
use trustmason_host::state::lock::{Lock, LockError};
use trustmason_keystore::{EntryKey, Format};
use trustmason_plan::change::Edit;
use trustmason_plan::ledger::PlacedKey;
use trustmason_plan::run_id::RunId;
use trustmason_spec::topology::{Access, CertificateSource, Disks, KeyAt, KeyPlace, KeystoreFormat};

use crate::world::*;

fn converges(format: Format) {
    let world = World::new(format);
    let before = (fs::read(world.cacerts()).unwrap(), fs::read(world.keystore()).unwrap());
    let old = entries(&world.keystore(), CANARY);
    let outcomes = world.apply(&Disk::new()).unwrap();
    assert!(outcomes.is_complete(), "{outcomes:#?}");

    let minted = outcomes.minted.values().next().unwrap().fingerprint();
    let cacerts = entries(&world.cacerts(), "changeit");
    assert_eq!(cacerts.len(), 4);
    assert_eq!(cacerts[3], ("cvp1.acme.example".into(), "trusted-certificate", Some(minted)));
    let now = entries(&world.keystore(), CANARY);
    assert_eq!(now.len(), 3);
    assert_eq!(now[0], ("wsm_certificate".into(), "private-key", Some(minted)));
    assert_eq!(now[1], old[1]);
    assert_eq!(now[2], ("ads.acme.example_iis".into(), "trusted-certificate", Some(world.iis.fingerprint())));

    // The backups hold the old content, and the outcome names them.
    for (id, old, mode) in [(CACERTS, &before.0, None), (KEYSTORE, &before.1, Some(0o640))] {
        let Some(StoreOutcome::Written { backup: Some(backup) }) = outcomes.stores.get(&store_id(id)) else {
            panic!("{outcomes:#?}")
        };
        assert_eq!(&fs::read(backup).unwrap(), old);
        #[cfg(not(unix))]
        let _no_modes = mode;
        #[cfg(unix)]
        if let Some(mode) = mode {
            use std::os::unix::fs::PermissionsExt as _;
            let mode_of = |path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
            assert_eq!((mode_of(backup), mode_of(&world.keystore())), (mode, mode));
        }
    }
    // No key is in staging any more, and the ledger records what happened.
    assert!(!world.state().staging_of(&fqdn("cvp1.acme.example")).exists());
    let ledger = world.ledger();
    assert!(ledger.recovered.is_empty());
    let placed: BTreeMap<_, Vec<_>> = ledger
        .ledger
        .placed
        .iter()
        .map(|(s, p)| (s.to_string(), p.keys().map(|key| key.as_str().to_owned()).collect()))
        .collect();
    assert_eq!(
        placed,
        BTreeMap::from([
            (CACERTS.to_owned(), vec!["cvp1.acme.example".to_owned()]),
            (KEYSTORE.to_owned(), vec!["ads.acme.example_iis".to_owned()])
        ])
    );
    assert_eq!(ledger.ledger.predecessors[&world.old_wsm.fingerprint()].replaced_by, minted);
    let services: Vec<_> = ledger.ledger.restarts.keys().map(ToString::to_string).collect();
    assert!(services.contains(&"ads.acme.example/tomcat".to_owned()), "{services:?}");
    let record = &ledger.ledger.runs[0];
    assert_eq!((record.written, record.failed, record.skipped), (2, 0, 0));
    assert!(record.finished.is_some());

    // There is nothing left for trustmason to do, and a second run opens nothing for writing.
    assert!(world.plan().changes.is_empty());
    let files = world.files();
    let (gate, disk) = counted();
    let again = world.apply(&disk).unwrap();
    assert_eq!((again.run, gate.taken()), (None, 0));
    assert_eq!(world.files(), files);
}

#[test]
fn a_plan_that_contradicts_itself_is_not_begun() {
    let world = World::new(Format::Jks);
    let (loaded, observed) = world.look();
    let mut plan = world.plan();
    plan.mints.clear();
    let files = world.files();
    let (gate, disk) = counted();
    let refused = world.run(&plan, &loaded, &observed, &disk).unwrap_err();
    let said = refused.to_string();
    assert!(matches!(refused, RunError::Defective { .. }), "{said}");
    assert!(said.contains("a new key of cvp1.acme.example/wsm, which the plan does not have"), "{said}");
    assert_eq!((gate.taken(), world.files()), (0, files));
}

#[test]
fn a_jks_estate_converges_and_a_second_run_writes_nothing() {
    converges(Format::Jks);
}

#[test]
fn a_jceks_estate_converges_and_a_second_run_writes_nothing() {
    converges(Format::Jceks);
}

#[cfg(unix)]
#[test]
fn a_link_to_a_store_is_followed_and_stays() {
    let world = World::settled_identity();
    let real = world.root().join("cacerts.real");
    fs::rename(world.cacerts(), &real).unwrap();
    std::os::unix::fs::symlink(&real, world.cacerts()).unwrap();
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
    assert!(fs::symlink_metadata(world.cacerts()).unwrap().is_symlink());
    assert!(!fs::symlink_metadata(&real).unwrap().is_symlink());
    assert_eq!(entries(&real, "changeit").len(), 4);
}

#[test]
fn a_store_changed_since_the_plan_is_left_alone_and_the_others_are_not() {
    let world = World::new(Format::Jks);
    let (ledger, observed) = world.look();
    let plan = trustmason_plan::plan(&world.topology, &observed, &world.options, now());
    let foreign = keystore(Format::Jks, "changeit", vec![trusted("x", &world.iis)]);
    fs::write(world.cacerts(), &foreign).unwrap();
    let outcomes = world.run(&plan, &ledger, &observed, &Disk::new()).unwrap();
    let Some(StoreOutcome::Stale { why }) = outcomes.stores.get(&store_id(CACERTS)) else { panic!("{outcomes:#?}") };
    let why = why.to_string();
    assert!(why.contains("cacerts") && why.contains("plan again"), "{why}");
    assert_eq!(fs::read(world.cacerts()).unwrap(), foreign);
    assert!(matches!(outcomes.stores[&store_id(KEYSTORE)], StoreOutcome::Written { .. }));
    assert_eq!(outcomes.changes.values().filter(|c| matches!(c, ChangeOutcome::Stale)).count(), 1);
    assert!(!outcomes.is_complete());
    // The next plan does the rest.
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
    assert!(world.plan().changes.is_empty());
}

#[test]
fn who_trusts_a_stale_identity_store_waits_and_the_key_is_not_made_twice() {
    let world = World::new(Format::Jks);
    let (ledger, observed) = world.look();
    let plan = trustmason_plan::plan(&world.topology, &observed, &world.options, now());
    let before = fs::read(world.cacerts()).unwrap();
    let third = make("third", &["x.acme.example"]);
    let wsm = make("cvp1", &[]);
    let changed = keystore(Format::Jks, CANARY, vec![key("wsm_certificate", &wsm), key("third", &third)]);
    fs::write(world.keystore(), changed).unwrap();
    let outcomes = world.run(&plan, &ledger, &observed, &Disk::new()).unwrap();
    assert!(matches!(outcomes.stores[&store_id(KEYSTORE)], StoreOutcome::Stale { .. }));
    assert!(matches!(outcomes.stores[&store_id(CACERTS)], StoreOutcome::Skipped { .. }), "{outcomes:#?}");
    assert_eq!(fs::read(world.cacerts()).unwrap(), before);
    let minted = outcomes.minted.values().next().unwrap().fingerprint();
    let outcomes = world.apply(&Disk::new()).unwrap();
    assert!(outcomes.is_complete(), "{outcomes:#?}");
    assert_eq!(outcomes.minted.values().next().unwrap().fingerprint(), minted);
    assert_eq!(entries(&world.cacerts(), "changeit")[3].2, Some(minted));
}

#[test]
fn a_key_that_cannot_be_made_fails_its_own_changes_only() {
    let mut world = World::new(Format::Jks);
    for def in world.topology.identities.values_mut() {
        def.validity_days = 30;
        def.renew_before = trustmason_spec::topology::LeadTime::Days(60);
    }
    let plan = world.plan();
    let outcomes = world.apply(&Disk::new()).unwrap();
    let of = |is: fn(&Edit) -> bool| {
        let change = plan.changes.iter().find(|c| is(&c.edit)).unwrap();
        outcomes.changes[&change.id].clone()
    };
    let made = of(|d| matches!(d, Edit::InstallKey { .. }));
    assert!(
        matches!(&made, ChangeOutcome::Failed { error } if error.to_string().contains("would break the rules of the role")),
        "{made:?}"
    );
    assert!(matches!(outcomes.stores[&store_id(CACERTS)], StoreOutcome::Skipped { .. }), "{outcomes:#?}");
    // The import of the ADS's certificate into the same keystore needs no key.
    assert!(matches!(outcomes.stores[&store_id(KEYSTORE)], StoreOutcome::Written { .. }));
    assert_eq!(entries(&world.keystore(), CANARY)[2].2, Some(world.iis.fingerprint()));
}

#[test]
fn a_read_only_folder_is_said_plainly_and_stops_nobody_else() {
    let world = World::new(Format::Jks);
    let before = fs::read(world.keystore()).unwrap();
    let folder = world.keystore().parent().unwrap().to_owned();
    let gate = FaultInjector::where_it(InjectedFault::Denied, move |_, step, path| {
        step == DiskStep::Create && path.parent() == Some(folder.as_path())
    });
    let outcomes = world.apply(&Disk::behind(Arc::new(gate))).unwrap();
    let Some(StoreOutcome::Failed { error }) = outcomes.stores.get(&store_id(KEYSTORE)) else {
        panic!("{outcomes:#?}")
    };
    let error = error.to_string();
    let beside = world.keystore().with_file_name(".trustmason-").display().to_string();
    assert!(error.contains("cannot make file") && error.contains(&beside), "{error}");
    assert!(error.contains("permission denied") && error.contains("let this user write to its folder"), "{error}");
    assert_eq!(fs::read(world.keystore()).unwrap(), before);
}

#[test]
fn of_two_runs_one_works_and_the_other_is_told() {
    let world = World::settled_identity();
    let mut first = Lock::take(&world.state()).unwrap();
    first.sign(&Disk::new(), &RunId::parse("20261121T230752.089Z-0f3a9c21").unwrap(), now()).unwrap();
    let before = fs::read(world.cacerts()).unwrap();
    match world.apply(&Disk::new()) {
        Err(RunError::Books(BeginError::Lock(LockError::Held { holder: Some(holder), .. }))) => {
            assert_eq!(holder.pid, std::process::id())
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(world.cacerts()).unwrap(), before);
    drop(first);
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
}

#[test]
fn two_stores_that_need_each_others_new_certificate_both_get_it() {
    let mut world = World::new(Format::Jks);
    let root = world.root();
    let folder = root.join("hosts/cvp2.acme.example/D");
    fs::create_dir_all(&folder).unwrap();
    let second = folder.join("keystore");
    fs::write(&second, keystore(Format::Jks, CANARY, vec![key("wsm_certificate", &make("cvp2", &[]))])).unwrap();
    let mut host = world.topology.hosts[&fqdn("cvp1.acme.example")].clone();
    host.fqdn = fqdn("cvp2.acme.example");
    host.access = Access::Root(Disks::below(root.join("hosts/cvp2.acme.example")));
    world.topology.hosts.insert(host.fqdn.clone(), host);
    let def = keystore_def("cvp2.acme.example/keystore", r"D:\keystore", KeystoreFormat::Jks, CANARY);
    let source =
        CertificateSource::KeyEntry(KeyPlace { store: def.id.clone(), at: KeyAt::Alias("wsm_certificate".into()) });
    world.topology.stores.insert(def.id.clone(), def);
    let identity = identity_def("cvp2.acme.example", "wsm", source, trustmason_spec::topology::WriteMode::Direct);
    world.topology.identities.insert(identity.id.clone(), identity);
    world.topology.edges.push(edge("cvp2.acme.example/keystore", "cvp1.acme.example/wsm", Some("cvp1")));
    world.topology.edges.push(edge(KEYSTORE, "cvp2.acme.example/wsm", Some("cvp2")));
    world.topology.edges.sort_by(|a, b| a.id.cmp(&b.id));
    let outcomes = world.apply(&Disk::new()).unwrap();
    assert!(outcomes.is_complete(), "{outcomes:#?}");
    let print = |i: usize| outcomes.minted.values().nth(i).map(|c| c.fingerprint());
    let (one, two) = (entries(&world.keystore(), CANARY), entries(&second, CANARY));
    assert_eq!((one[0].2, two[0].2), (print(0), print(1)));
    assert!(one.iter().any(|e| e.0 == "cvp2" && e.2 == print(1)));
    assert!(two.iter().any(|e| e.0 == "cvp1" && e.2 == print(0)));
    assert!(world.plan().changes.is_empty());
}

#[test]
fn a_store_that_may_be_made_is_made_where_its_folder_is() {
    let mut world = World::settled_identity();
    fs::remove_file(world.cacerts()).unwrap();
    assert!(world.plan().changes.is_empty(), "never unasked");
    let_be_made(&mut world.topology, CACERTS);
    let outcomes = world.apply(&Disk::new()).unwrap();
    assert!(matches!(outcomes.stores[&store_id(CACERTS)], StoreOutcome::Written { backup: None }));
    assert_eq!(entries(&world.cacerts(), "changeit").len(), 1);
    assert!(world.plan().changes.is_empty());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(world.cacerts()).unwrap().permissions().mode() & 0o7777, 0o640);
    }
    // Another program made the store in the meantime.
    let other = World::settled_identity();
    let (bytes, mut other) = (fs::read(other.cacerts()).unwrap(), other);
    let_be_made(&mut other.topology, CACERTS);
    fs::remove_file(other.cacerts()).unwrap();
    let (ledger, observed) = other.look();
    let plan = trustmason_plan::plan(&other.topology, &observed, &other.options, now());
    fs::write(other.cacerts(), &bytes).unwrap();
    let outcomes = other.run(&plan, &ledger, &observed, &Disk::new()).unwrap();
    assert!(matches!(outcomes.stores[&store_id(CACERTS)], StoreOutcome::Stale { .. }));
    assert_eq!(fs::read(other.cacerts()).unwrap(), bytes);
}

#[test]
fn a_folder_of_pem_files_is_written_file_by_file() {
    let mut world = World::settled_identity();
    let folder = world.root().join("hosts/ads.acme.example/c/trust");
    fs::create_dir(&folder).unwrap();
    let vendor = pem(&make("Vendor", &[]).certificate);
    fs::write(folder.join("vendor.pem"), &vendor).unwrap();
    let stale = make("gone.acme.example", &["gone.acme.example"]);
    fs::write(folder.join("gone.pem"), pem(&stale.certificate)).unwrap();
    world.topology.retired.insert(fqdn("gone.acme.example"));
    let id = "ads.acme.example/trust";
    let def = folder_def(id, r"C:\trust");
    world.topology.stores.insert(def.id.clone(), def);
    world.topology.edges.push(edge(id, "ads.acme.example/iis", Some("ads.pem")));
    let outcomes = world.apply(&Disk::new()).unwrap();
    assert!(outcomes.is_complete(), "{outcomes:#?}");
    let files = trustmason_host::disk::read_folder(&folder).unwrap();
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(files.contains(&("vendor.pem".to_owned(), vendor.into_bytes())));
    let Some(StoreOutcome::Written { backup: Some(backup) }) = outcomes.stores.get(&store_id(id)) else { panic!() };
    assert_eq!(fs::read_to_string(backup.join("gone.pem")).unwrap(), pem(&stale.certificate));
    assert!(world.plan().changes.is_empty(), "{:#?}", world.plan().changes);
    let placed = &world.ledger().ledger.placed[&store_id(id)];
    assert!(placed.contains_key(&PlacedKey::from(&EntryKey::Certificate(world.iis.fingerprint()))), "{placed:?}");
}

#[test]
fn two_runs_at_the_same_moment_do_the_work_once() {
    for _ in 0..10 {
        let world = World::new(Format::Jks);
        let gate = std::sync::Barrier::new(2);
        let results: Vec<_> = std::thread::scope(|scope| {
            let one = || {
                gate.wait();
                world.apply(&Disk::new())
            };
            let both = [scope.spawn(one), scope.spawn(one)];
            both.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for result in &results {
            match result {
                Ok(outcomes) => assert!(outcomes.is_complete(), "{outcomes:#?}"),
                Err(RunError::Books(BeginError::Lock(LockError::Held { .. }) | BeginError::Overtaken { .. })) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert!(results.iter().any(Result::is_ok), "{results:?}");
        assert!(world.plan().changes.is_empty());
        assert_eq!(world.ledger().ledger.placed.len(), 2, "nobody's memory was overwritten");
    }
}

#[test]
fn a_run_that_was_overtaken_does_nothing() {
    let world = World::settled_identity();
    let (ledger, observed) = world.look();
    let plan = trustmason_plan::plan(&world.topology, &observed, &world.options, now());
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
    let files = world.files();
    let error = world.run(&plan, &ledger, &observed, &Disk::new()).unwrap_err();
    assert!(matches!(error, RunError::Books(BeginError::Overtaken { .. })), "{error}");
    assert!(error.to_string().contains("plan again"), "{error}");
    assert_eq!(world.files(), files);
}
