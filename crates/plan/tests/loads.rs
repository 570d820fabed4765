//! Certificates that a JVM may not load, as plans report them: one for which that cannot be told, and a file that is
//! too new for its Java.

use crate::world;

use rcgen::CustomExtension;
use trustmason_keystore::{Edits, Entry, EntryKind, Image, JvmJudgement, NewEntry, Protection, Remark, Store};
use trustmason_plan::change::Action;
use trustmason_plan::finding::{FindingKind, Severity};
use trustmason_plan::observed::StoreLook;
use trustmason_plan::outline::{EdgeVerdict, Plan, StoreVerdict};
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::topology::{KeystoreFormat, Pkcs12Scheme, Subject};
use world::{Disk, Pair, World, found, host, keystore_of, params, password, signed};

/// A host's certificate with an extension that no release is known to refuse and that the model does not cover.
fn doubtful(name: &str) -> Pair {
    let mut params = params(name, &[name], -300, 900);
    let mut constraints = CustomExtension::from_oid_content(
        &[2, 5, 29, 30],
        [&[0x30, 20, 0xa0, 18, 0x30, 16, 0x86, 14][..], b"example.com%41"].concat(),
    );
    constraints.set_criticality(true);
    params.custom_extensions.push(constraints);
    let pair = signed(params, None);
    assert!(matches!(pair.certificate.jvm(), JvmJudgement::CannotTell(_)), "{:?}", pair.certificate.jvm());
    pair
}

fn cacerts() -> StoreId {
    StoreId::new(host(0), "cacerts")
}

fn of_kind(plan: &Plan, kind: FindingKind) -> Vec<(Severity, String)> {
    plan.findings.iter().filter(|f| f.kind == kind).map(|f| (f.severity, f.message.clone())).collect()
}

#[test]
fn a_wanted_certificate_of_which_nobody_can_tell_is_not_written() {
    let mut world = World::new(1);
    let id = IdentityId::new(host(0), "iis");
    world.sources.insert(Subject::Identity(id.clone()), found(&doubtful(host(0).as_str())));
    let plan = world.plan();
    let edge = plan.edges.iter().find(|edge| edge.store == cacerts() && edge.subject == id.to_string()).unwrap();
    assert!(matches!(edge.verdict, EdgeVerdict::Blocked(_)), "{:?}", edge.verdict);
    assert_eq!(plan.summary.blocked, 1);
    let said = of_kind(&plan, FindingKind::JvmDoubtful);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].1.contains("its extension 2.5.29.30") && said[0].1.contains("is not written"), "{said:?}");
    // Every other edge is served.
    assert!(plan.changes.iter().any(|change| change.store == cacerts() && change.edit.action() == Action::Import));
}

#[test]
fn a_store_that_holds_one_is_told_of_and_worked_with() {
    let world = World::new(1);
    let mut observed = world.look();
    let Some(StoreLook::Readable(facts)) = observed.stores.get_mut(&cacerts()) else { panic!() };
    let why = "its extension 2.5.29.30: a URI with an escape (2.5.29.30)".to_owned();
    let entry = facts.entries[0].id;
    facts.remarks.push(Remark::JvmCannotTell { entry, alias: "vendor root".to_owned(), why });
    let plan = trustmason_plan::plan(&world.topology, &observed, &world.options, world::now());
    let said = of_kind(&plan, FindingKind::JvmDoubtful);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].0, Severity::Warning);
    assert!(said[0].1.contains("2.5.29.30"), "{said:?}");
    let store = plan.stores.iter().find(|store| store.id == cacerts()).unwrap();
    assert!(matches!(store.verdict, StoreVerdict::Change(_)), "{:?}", store.verdict);
}

#[test]
fn a_key_entry_that_no_jvm_loads_is_not_said_to_leave_by_distrust() {
    let world = World::new(1);
    let refused = |id: &StoreId, key: bool| {
        let mut observed = world.look();
        let Some(StoreLook::Readable(facts)) = observed.stores.get_mut(id) else { panic!() };
        let kind = |entry: &&Entry| matches!(entry.kind, EntryKind::PrivateKey { .. }) == key;
        let entry = facts.entries.iter().find(kind).unwrap();
        let print = entry.certificates()[0].fingerprint();
        let (entry, alias, why) = (entry.id, "odd".to_owned(), "its serial number is negative".to_owned());
        facts.remarks.push(Remark::JvmUnloadable { entry, alias, why });
        let plan = trustmason_plan::plan(&world.topology, &observed, &world.options, world::now());
        let store = plan.stores.into_iter().find(|store| store.id == *id).unwrap();
        let StoreVerdict::Blocked(why) = store.verdict else { panic!("{:?}", store.verdict) };
        (why.to_string(), print.to_string())
    };
    let (trusted, print) = refused(&cacerts(), false);
    assert!(trusted.contains(&format!("distrust: [{{ sha256: '{print}'")), "{trusted}");
    let (key, _) = refused(&StoreId::new(host(0), "keystore"), true);
    assert!(key.contains("`distrust:` cannot remove it") && !key.contains("sha256"), "{key}");
}

/// A PKCS#12 store in the place of the first host's `cacerts`.
fn pkcs12(protection: Protection) -> World {
    let mut world = World::new(1);
    let root = NewEntry::Trusted {
        alias: Some("vendor root".into()),
        certificate: world::pool().foreign[0].certificate.clone(),
        created_ms: 0,
    };
    let edits = Edits { add: vec![root], ..Edits::default() };
    let mut rng = getrandom::SysRng;
    let mut rng = rand_core::UnwrapErr(&mut rng);
    let made = Store::create_pkcs12(protection).edit(&edits, &password(), &mut rng).unwrap();
    let Image::File(bytes) = made else { panic!() };
    world.disk.insert(cacerts(), Disk::File(bytes));
    keystore_of(&mut world.topology, &cacerts()).format = KeystoreFormat::Pkcs12;
    world
}

#[test]
fn a_pkcs12_file_that_is_too_new_for_its_java_is_a_finding() {
    let cases: [(Protection, Pkcs12Scheme, &str, Option<&str>); 6] = [
        (Protection::java8(), Pkcs12Scheme::Java8, "C:\\icm\\ssl\\cacerts", None),
        (Protection::java8(), Pkcs12Scheme::Java8, "C:\\Java\\jre1.8.0_221\\lib\\security\\cacerts", None),
        (Protection::modern(), Pkcs12Scheme::Modern, "C:\\icm\\ssl\\cacerts", None),
        (Protection::modern(), Pkcs12Scheme::Java8, "C:\\icm\\ssl\\cacerts", Some("write `scheme: modern`")),
        (Protection::modern(), Pkcs12Scheme::Java8, "C:\\Java\\jre1.8.0_331\\lib\\security\\cacerts", None),
        (
            Protection::modern(),
            Pkcs12Scheme::Modern,
            "C:\\Java\\jre1.8.0_221\\lib\\security\\cacerts",
            Some("belongs to Java 8u221"),
        ),
    ];
    for (protection, scheme, path, wanted) in cases {
        let mut world = pkcs12(protection);
        let keystore = keystore_of(&mut world.topology, &cacerts());
        keystore.scheme = scheme;
        path.clone_into(&mut keystore.path.shown);
        let said = of_kind(&world.plan(), FindingKind::JavaTooOld);
        assert_eq!(said.len(), usize::from(wanted.is_some()), "{path} {scheme:?}: {said:?}");
        if let Some(words) = wanted {
            assert!(said[0].1.contains(words) && said[0].1.contains("AES"), "{said:?}");
            let by_path = path.contains("jre");
            assert_eq!(said[0].0, if by_path { Severity::Warning } else { Severity::Info }, "{path}");
        }
    }
}
