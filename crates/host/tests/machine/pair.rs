//! A certificate and its key in two files: changed together, the first certificate kept, never one without the other;
//! and put back.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use trustmason_host::disk::Disk;
use trustmason_host::fault::{FaultInjector, InjectedFault};
use trustmason_host::run::StoreOutcome;
use trustmason_keystore::{Credential, Fingerprint, Interner, KeyMatch, Store};
use trustmason_plan::finding::FindingKind;
use trustmason_spec::topology::{
    Access, CertificateSource, Disks, KeyAt, KeyPlace, PairCopy, PemPair, Rotation, StoreKind, WriteMode,
};

use crate::extent::steps;
use crate::world::*;

const ID: &str = "pga.acme.example/host";

fn ssl(world: &World) -> PathBuf {
    world.root().join("hosts/pga.acme.example/c/icm/ssl")
}

/// A gateway whose certificate has a short name and must be replaced; the ADS trusts it.
fn gateway() -> World {
    let mut world = World::settled_identity();
    let root = world.root();
    for folder in ["certs", "keys", "rsa", "plain"] {
        fs::create_dir_all(ssl(&world).join(folder)).unwrap();
    }
    let old = make("pga", &[]);
    fs::write(ssl(&world).join("certs/host.pem"), pem(&old.certificate)).unwrap();
    let key = rcgen::KeyPair::try_from(old.pkcs8.as_slice()).unwrap().serialize_pem();
    fs::write(ssl(&world).join("keys/host.key"), key).unwrap();
    // The folder of the copy has a pair of its own, whose key more people may read.
    let vendors = make("pga", &[]);
    fs::write(ssl(&world).join("rsa/host.pem"), pem(&vendors.certificate)).unwrap();
    let key = rcgen::KeyPair::try_from(vendors.pkcs8.as_slice()).unwrap().serialize_pem();
    fs::write(ssl(&world).join("rsa/host.key"), key).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for (file, mode) in [("keys/host.key", 0o600), ("rsa/host.key", 0o644)] {
            fs::set_permissions(ssl(&world).join(file), fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    let path = |shown: &str| host_path("pga.acme.example", shown);
    let both = |certificate: &str, key: &str| PairCopy { certificate: path(certificate), key: Some(path(key)) };
    let pair = PemPair {
        certificate: path(r"C:\icm\ssl\certs\host.pem"),
        key: path(r"C:\icm\ssl\keys\host.key"),
        previous: Some(path(r"C:\icm\ssl\certs\selfhost.pem")),
        copies: vec![
            both(r"C:\icm\ssl\rsa\host.pem", r"C:\icm\ssl\rsa\host.key"),
            both(r"C:\icm\ssl\ecdsa\host.pem", r"C:\icm\ssl\ecdsa\host.key"),
            // Only the folder of the certificate is there.
            both(r"C:\icm\ssl\plain\half.pem", r"C:\icm\ssl\ecdsa\half.key"),
            PairCopy { certificate: path(r"C:\icm\ssl\plain\host.pem"), key: None },
        ],
    };
    let def = store_def(ID, direct(StoreKind::PemPair(pair)));
    let source = CertificateSource::KeyEntry(KeyPlace { store: def.id.clone(), at: KeyAt::Only });
    let mut identity = identity_def("pga.acme.example", "host", source, WriteMode::Direct);
    identity.rotation = Rotation::Immediate;
    let mut host = world.topology.hosts.values().next().unwrap().clone();
    host.fqdn = fqdn("pga.acme.example");
    host.access = Access::Root(Disks::below(root.join("hosts/pga.acme.example")));
    world.topology.hosts.insert(host.fqdn.clone(), host);
    world.topology.stores.insert(def.id.clone(), def);
    world.topology.identities.insert(identity.id.clone(), identity);
    world.topology.edges.push(edge(CACERTS, "pga.acme.example/host", Some("pga.acme.example_host")));
    world
}

struct Halves {
    leaf: Fingerprint,
    fit: KeyMatch,
}

fn halves(world: &World) -> Halves {
    opened(world, "certs/host.pem", "keys/host.key")
}

/// The copy of both halves.
fn copied(world: &World) -> Halves {
    opened(world, "rsa/host.pem", "rsa/host.key")
}

/// The files below `rsa` that hold a key other than the vendor's and that more people may read than the pair's own key.
#[cfg(unix)]
fn laid_open(world: &World, vendors: &str) -> Vec<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let files = fs::read_dir(ssl(world).join("rsa")).unwrap().map(|item| item.unwrap().path());
    let key = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.contains("KEY-----") && text != vendors);
    files.filter(key).filter(|path| fs::metadata(path).unwrap().permissions().mode() & 0o077 != 0).collect()
}

#[cfg(not(unix))]
fn laid_open(_: &World, _: &str) -> Vec<PathBuf> {
    Vec::new()
}

fn opened(world: &World, certificate: &str, key: &str) -> Halves {
    let read = |name: &str| Some(fs::read(ssl(world).join(name)).unwrap());
    let store = Store::open_pair(read(certificate), read(key), &Interner::new()).unwrap();
    let entry = &store.entries()[0];
    let key = store.open_key(entry.id, Credential::NotNeeded).unwrap();
    Halves { leaf: entry.certificates()[0].fingerprint(), fit: key.matches_certificate }
}

fn text(world: &World, name: &str) -> Option<String> {
    fs::read_to_string(ssl(world).join(name)).ok()
}

fn done(world: &World, first: &str, after: &dyn std::fmt::Debug) {
    let now = halves(world);
    assert_eq!(now.fit, KeyMatch::Yes, "{after:?}");
    assert_eq!(text(world, "certs/selfhost.pem").as_deref(), Some(first), "the first one is kept, after {after:?}");
    for (copy, own) in
        [("rsa/host.pem", "certs/host.pem"), ("rsa/host.key", "keys/host.key"), ("plain/host.pem", "certs/host.pem")]
    {
        assert_eq!(text(world, copy), text(world, own), "{copy} after {after:?}");
    }
    assert_eq!(laid_open(world, ""), Vec::<PathBuf>::new(), "{after:?}");
    assert_eq!(text(world, "plain/half.pem"), None, "no certificate without its key, after {after:?}");
    assert!(!ssl(world).join("ecdsa").exists(), "no folder is made, after {after:?}");
    assert!(entries(&world.cacerts(), "changeit").iter().any(|(_, _, print)| *print == Some(now.leaf)), "{after:?}");
    assert!(world.plan().changes.is_empty(), "{after:?}");
    assert_eq!(leftovers(world), Vec::<PathBuf>::new(), "{after:?}");
    assert!(!world.state().root().join("staging/pga.acme.example/host.pem-pair").exists(), "{after:?}");
}

#[test]
fn a_pair_is_whole_when_a_run_is_cut_off_at_any_step() {
    let template = gateway();
    let first = text(&template, "certs/host.pem").unwrap();
    let (old, vendors) = (halves(&template).leaf, copied(&template).leaf);
    let vendors_key = text(&template, "rsa/host.key").unwrap();
    for (turn, fault) in
        [InjectedFault::Crash, InjectedFault::Denied, InjectedFault::ShortWrite].into_iter().enumerate()
    {
        for step in steps(turn) {
            let world = template.copy();
            let gate = Arc::new(FaultInjector::at(step, fault));
            let outcomes = world.apply(&Disk::behind(gate.clone()));
            let Some(struck) = gate.struck() else {
                assert!(outcomes.unwrap().is_complete() && step > 60, "{step}");
                done(&world, &first, &"all of it");
                break;
            };
            // Both files are there and complete at every moment, and a certificate without its key is the old one,
            // never the new.
            let now = halves(&world);
            assert!(now.fit == KeyMatch::Yes || now.leaf == old, "{struck:?}");
            let copy = copied(&world);
            assert!(copy.fit == KeyMatch::Yes || copy.leaf == vendors, "{struck:?}");
            assert_eq!(laid_open(&world, &vendors_key), Vec::<PathBuf>::new(), "{struck:?}");
            let kept = text(&world, "certs/selfhost.pem");
            assert!(kept.is_none_or(|kept| kept == first), "{struck:?}");
            let staged: Vec<_> =
                world.look().1.staging.values().map(|s| s.key().unwrap().certificate.fingerprint()).collect();
            let world = world.perhaps_moved(step);
            let second = world.apply(&Disk::new()).unwrap();
            assert!(second.is_complete(), "after {struck:?}: {second:#?}");
            done(&world, &first, &struck);
            if let [staged] = staged.as_slice() {
                assert_eq!(halves(&world).leaf, *staged, "a staged key is resumed, after {struck:?}");
            }
        }
    }
}

#[test]
fn what_is_said_of_a_pair_names_no_alias() {
    let world = gateway();
    let id = trustmason_spec::name::IdentityId::parse(ID).unwrap();
    fs::write(world.cacerts(), b"no keystore").unwrap();
    let plan = world.plan();
    let said: Vec<_> = plan.findings.iter().filter(|finding| finding.identity.as_ref() == Some(&id)).collect();
    assert!(said.iter().any(|finding| finding.message.contains("ads.acme.example/cacerts trusts ")), "{said:#?}");
    assert!(said.iter().all(|finding| finding.alias.is_none()), "{said:#?}");
}

#[test]
fn a_second_run_keeps_the_first_certificate_and_a_rollback_brings_each_back() {
    let mut world = gateway();
    let first = text(&world, "certs/host.pem").unwrap();
    let before = world.files();
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
    let second = (text(&world, "certs/host.pem"), text(&world, "keys/host.key"));
    world.options.replace.push(trustmason_spec::name::IdentityId::parse(ID).unwrap());
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
    world.options.replace.clear();
    done(&world, &first, &"the second");
    assert_ne!(text(&world, "certs/host.pem"), second.0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(ssl(&world).join("keys/host.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert!(world.undo(None, &Disk::new()).unwrap().is_complete());
    assert_eq!((text(&world, "certs/host.pem"), text(&world, "keys/host.key")), second);
    assert_eq!(text(&world, "certs/selfhost.pem").as_deref(), Some(first.as_str()));
    assert!(world.undo(None, &Disk::new()).unwrap().is_complete());
    let hosts = |files: std::collections::BTreeMap<PathBuf, Vec<u8>>| -> Vec<_> {
        files.into_iter().filter(|(path, _)| path.starts_with(world.root().join("hosts"))).collect()
    };
    assert_eq!(hosts(world.files()), hosts(before));
}

#[test]
#[cfg(unix)]
fn a_copied_half_that_is_a_link_to_the_pair_changes_with_it() {
    let world = gateway();
    let first = text(&world, "certs/host.pem").unwrap();
    let link = ssl(&world).join("rsa/host.key");
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("../keys/host.key", &link).unwrap();
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    done(&world, &first, &"the link stays one");

    let world = gateway();
    let (link, before) = (ssl(&world).join("rsa/host.key"), text(&world, "certs/host.pem"));
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("../certs/host.pem", &link).unwrap();
    let plan = world.plan();
    assert!(
        !plan.changes.iter().any(|change| change.store == store_id(ID)),
        "the key would take the certificate's place"
    );
    assert_eq!(text(&world, "certs/host.pem"), before);
}

#[test]
fn halves_that_do_not_belong_together_are_told_and_left() {
    let world = gateway();
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
    let other = make("pga.acme.example", &["pga.acme.example"]);
    let key = rcgen::KeyPair::try_from(other.pkcs8.as_slice()).unwrap().serialize_pem();
    fs::write(ssl(&world).join("keys/host.key"), key).unwrap();
    let plan = world.plan();
    assert!(plan.findings.iter().any(|f| f.kind == FindingKind::KeyPasswordMismatch), "{:#?}", plan.findings);
    assert!(plan.changes.is_empty(), "nobody knows whether a reply is awaited");
}

#[test]
fn a_missing_half_stands_in_nobodys_way_and_is_said() {
    let world = gateway();
    fs::remove_file(ssl(&world).join("certs/host.pem")).unwrap();
    let plan = world.plan();
    assert!(plan.changes.iter().all(|change| change.store != store_id(ID)));
    let said: Vec<_> = plan.findings.iter().map(|f| f.message.as_str()).collect();
    assert!(said.iter().any(|m| m.contains("has no certificate")), "{said:#?}");
}

#[test]
fn a_pair_that_changed_since_the_plan_is_stale() {
    let world = gateway();
    let (ledger, observed) = world.look();
    let plan = trustmason_plan::plan(&world.topology, &observed, &world.options, now());
    let key = ssl(&world).join("keys/host.key");
    let theirs = format!("{}\n", fs::read_to_string(&key).unwrap());
    fs::write(&key, &theirs).unwrap();
    let outcomes = world.run(&plan, &ledger, &observed, &Disk::new()).unwrap();
    let Some(StoreOutcome::Stale { why }) = outcomes.stores.get(&store_id(ID)) else { panic!("{outcomes:#?}") };
    assert!(why.to_string().contains("has changed after the plan"), "{why}");
    assert_eq!(fs::read_to_string(&key).unwrap(), theirs);
}
