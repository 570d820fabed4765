//! Stores and identities that only people change: what is known of them, what people are asked for, and what a
//! confirmation settles.

use crate::world;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use trustmason_keystore::{Credential, Digest, Fingerprint, Interner, Store, thumbprint};
use trustmason_plan::finding::{FindingKind, Severity};
use trustmason_plan::handoff::pack_digest;
use trustmason_plan::ledger::{Ack, Confirmation, ConfirmationKind, HandOff};
use trustmason_plan::observed::{ManagedBy, Observed, SourceLook, StoreFacts, StoreLook, SystemStoreEntry};
use trustmason_plan::outline::{EdgeVerdict, ManualItem, ManualKind, Plan};
use trustmason_plan::pack::{self, Frame, KnownCertificates};
use trustmason_plan::target::HandOffTarget;
use trustmason_plan::waits::Idle;
use trustmason_plan::wire::Document;
use trustmason_spec::name::{IdentityId, ServiceId, StoreId};
use trustmason_spec::topology::{Exported, Rotation, Subject};
use trustmason_spec::windows::{Location, SystemPlace, SystemStore};
use world::{Disk, NOW, Seed, World, edge, exported, found, host, jks, judged, now, pool, store_def};

/// A host with a `tomcat-trust` that people fill; it trusts h0's `wsm` and `iis`.
fn estate() -> (World, StoreId) {
    with_store("tomcat-trust")
}

fn with_store(name: &str) -> (World, StoreId) {
    let mut world = World::new(1);
    let mut def = store_def(&host(0), name);
    def.reach = exported(&def.id, Exported::PemFolder);
    def.steps = vec!["Open the page of {fqdn} and upload each file.".to_owned()];
    let id = def.id.clone();
    world.topology.stores.insert(id.clone(), def);
    for name in ["wsm", "iis"] {
        let subject = Subject::Identity(IdentityId::new(host(0), name));
        world.topology.edges.push(edge(&id, subject, None, &[]));
    }
    let plan = world.plan();
    world.disk.insert(id.clone(), Disk::Absent);
    world.apply(&plan);
    (world, id)
}

fn wsm() -> &'static world::Pair {
    &pool().good[0][0]
}

fn iis() -> &'static world::Pair {
    &pool().good[0][1]
}

/// The facts with a mirror that holds these certificates.
fn mirror(world: &World, id: &StoreId, pairs: &[&world::Pair]) -> Observed {
    let files = pairs
        .iter()
        .enumerate()
        .map(|(i, p)| (format!("{i}.pem"), pack::pem(&p.certificate).into_bytes()))
        .collect::<Vec<_>>();
    let digest = Digest::of(format!("{files:?}").as_bytes());
    let store = Store::open_directory(files, &Interner::new()).unwrap();
    let mut observed = world.look();
    observed.stores.insert(
        id.clone(),
        StoreLook::Readable(Box::new(StoreFacts {
            system_entries: Default::default(),
            path: "hosts/tomcat-trust".to_owned(),
            file: None,
            sha256: digest,
            format: store.format(),
            entries: store.entries().to_vec(),
            keys: BTreeMap::new(),
            remarks: Vec::new(),
            needs_java_8u301: None,
            modified: Some(NOW),
            written: None,
        })),
    );
    observed
}

fn unseen(world: &World, id: &StoreId) -> Observed {
    let mut observed = world.look();
    observed.stores.insert(id.clone(), StoreLook::Unobserved);
    observed
}

fn judge(world: &World, observed: &Observed) -> Plan {
    judged(&world.topology, observed, &world.options, now())
}

fn verdicts(plan: &Plan, id: &StoreId) -> Vec<EdgeVerdict> {
    plan.edges.iter().filter(|e| e.store == *id).map(|e| e.verdict.clone()).collect()
}

fn confirm(world: &mut World, id: &StoreId, kind: ConfirmationKind, holds: &[&world::Pair], mirror: Option<Digest>) {
    let holds: BTreeSet<Fingerprint> = holds.iter().map(|p| p.print()).collect();
    let hand_off = HandOff {
        pack: pack_digest(&holds, []),
        written: now(),
        confirmed: Some(Confirmation { at: now(), by: "op".to_owned(), kind, holds, gone: [].into(), mirror }),
        replaces: None,
    };
    world.ledger.handoffs.insert(HandOffTarget::Store(id.clone()), hand_off);
}

#[test]
fn nobody_sees_it_so_the_pack_says_verify_and_asks_nothing_to_be_removed() {
    let (world, id) = estate();
    let plan = judge(&world, &unseen(&world, &id));
    assert_eq!(verdicts(&plan, &id), [EdgeVerdict::Unobserved, EdgeVerdict::Unobserved]);
    assert_eq!(plan.summary.unobserved, 2);
    assert!(!plan.is_settled());
    let manual = &plan.manual[0];
    assert_eq!((manual.add.len(), manual.verify.len(), manual.remove.len()), (0, 2, 0));
}

#[test]
fn a_mirror_tells_what_is_there_and_what_a_person_must_do() {
    let (mut world, id) = estate();
    world.topology.distrust.insert(pool().foreign[1].print(), "stolen".to_owned());
    let seen = mirror(&world, &id, &[wsm(), &pool().foreign[1], &pool().foreign[2], &pool().retired[0]]);
    let plan = judge(&world, &seen);
    assert!(
        matches!(verdicts(&plan, &id)[..], [EdgeVerdict::Manual(_), EdgeVerdict::Held]),
        "iis is missing, wsm is there"
    );
    let manual = &plan.manual[0];
    assert_eq!(manual.add.len(), 1);
    let mut why: Vec<_> = manual.remove.iter().map(|i| i.why.clone()).collect();
    why.sort();
    assert_eq!(why.len(), 2, "{why:?}");
    assert!(why[0].contains("stolen") && why[1].contains("gone0.acme.example"), "{why:?}");
    assert!(plan.findings.iter().any(|f| f.kind == FindingKind::Missing && f.severity == Severity::Error));
    assert!(plan.changes.is_empty(), "nothing of it is ever written by us");
}

#[test]
fn a_pack_holds_the_certificates_the_steps_and_the_way_back() {
    let (world, id) = estate();
    let plan = judge(&world, &mirror(&world, &id, &[wsm()]));
    let minted = BTreeMap::new();
    let files = pack::render(&plan.manual[0], &KnownCertificates { minted: &minted }, &Frame::of(&plan)).unwrap();
    let names: Vec<_> = files.iter().map(|(n, _)| n.as_str()).collect();
    let file = format!("h0.acme.example_iis-{}.pem", iis().print().short());
    assert_eq!(names, ["STEPS.md", file.as_str(), "pack.json"]);
    let steps = String::from_utf8(files[0].1.clone()).unwrap();
    assert!(steps.contains("upload each file") && steps.contains(&iis().print().to_string()), "{steps}");
    assert!(steps.contains("\ntrustmason confirm world.yaml h0.acme.example/tomcat-trust\n"), "{steps}");
    assert_eq!(files[1].1, pack::pem(&iis().certificate).into_bytes());
    let json: serde_json::Value = serde_json::from_slice(&files[2].1).unwrap();
    assert_eq!(json["add"][0]["sha256"], iis().print().to_string());
}

#[test]
fn a_written_pack_waits_and_after_patience_it_is_an_error() {
    let (mut world, id) = estate();
    let seen = mirror(&world, &id, &[wsm()]);
    let hand_off = HandOff { pack: pack_digest([&iis().print()], []), written: now(), confirmed: None, replaces: None };
    world.ledger.handoffs.insert(HandOffTarget::Store(id.clone()), hand_off);
    let mut observed = seen.clone();
    observed.ledger = world.ledger.clone();
    let plan = judge(&world, &observed);
    assert_eq!((plan.summary.waiting, plan.summary.manual), (1, 0));
    let said = plan.findings.iter().find(|f| f.kind == FindingKind::HandOffWaiting).unwrap();
    assert_eq!(said.severity, Severity::Info);
    assert!(!plan.findings.iter().any(|f| f.kind == FindingKind::Missing), "it is waiting, not forgotten");
    let late = Timestamp::from_second(NOW + 8 * world::DAY).unwrap();
    let plan = judged(&world.topology, &observed, &world.options, late);
    let said = plan.findings.iter().find(|f| f.kind == FindingKind::HandOffWaiting).unwrap();
    assert_eq!(said.severity, Severity::Error);
}

#[test]
fn a_persons_word_settles_what_the_pack_asked_and_no_more() {
    let (mut world, id) = estate();
    confirm(&mut world, &id, ConfirmationKind::Claimed, &[iis()], None);
    let plan = judge(&world, &unseen(&world, &id));
    assert_eq!(verdicts(&plan, &id), [EdgeVerdict::Held, EdgeVerdict::Unobserved]);
    confirm(&mut world, &id, ConfirmationKind::Claimed, &[iis(), wsm()], None);
    assert!(judge(&world, &unseen(&world, &id)).is_settled());
}

#[test]
fn an_observed_export_counts_whole() {
    let (mut world, id) = estate();
    confirm(&mut world, &id, ConfirmationKind::Observed, &[iis()], None);
    let plan = judge(&world, &unseen(&world, &id));
    assert!(matches!(verdicts(&plan, &id)[..], [EdgeVerdict::Held, EdgeVerdict::Manual(_)]));
}

#[test]
fn a_mirror_taken_later_counts_more_than_a_word() {
    let (mut world, id) = estate();
    let seen = mirror(&world, &id, &[wsm()]);
    let StoreLook::Readable(facts) = &seen.stores[&id] else { panic!() };
    confirm(&mut world, &id, ConfirmationKind::Claimed, &[iis()], Some(facts.sha256));
    let mut observed = seen;
    observed.ledger = world.ledger.clone();
    assert!(judge(&world, &observed).is_settled());
    let later = mirror(&world, &id, &[wsm(), &pool().foreign[0]]);
    let plan = judge(&world, &later);
    assert!(matches!(verdicts(&plan, &id)[..], [EdgeVerdict::Manual(_), EdgeVerdict::Held]), "the new export lacks it");
}

#[test]
fn what_is_known_grows_old() {
    let (world, id) = estate();
    let mut seen = mirror(&world, &id, &[wsm(), iis()]);
    if let Some(StoreLook::Readable(facts)) = seen.stores.get_mut(&id) {
        facts.modified = Some(NOW - 31 * world::DAY);
    }
    let plan = judge(&world, &seen);
    assert!(plan.findings.iter().any(|f| f.kind == FindingKind::ObservationOld && f.message.contains("31 days")));
}

#[test]
fn a_new_certificate_goes_into_the_pack_known_after_apply_and_its_predecessor_out() {
    let (mut world, id) = estate();
    world.disk.insert(
        StoreId::new(host(0), "keystore"),
        Disk::File(jks(&[Seed::Key("wsm".to_owned(), pool().short[0].clone(), "changeit")])),
    );
    let seen = mirror(&world, &id, &[&pool().short[0], iis()]);
    let plan = judge(&world, &seen);
    assert_eq!(plan.summary.regenerate, 1);
    let manual = plan.manual.iter().find(|m| m.target().store() == Some(&id)).unwrap();
    assert_eq!(manual.add[0].material, trustmason_plan::change::Material::Minted(IdentityId::new(host(0), "wsm")));
    assert_eq!(manual.remove.len(), 1);
    let minted = BTreeMap::new();
    let early = pack::render(manual, &KnownCertificates { minted: &minted }, &Frame::of(&plan));
    assert!(early.is_none(), "a pack without its certificate is never written");
}

#[test]
fn identities_of_people_are_asked_for_by_hand() {
    let (mut world, _) = estate();
    let subject = Subject::Identity(IdentityId::new(host(0), "iis"));
    world.sources.insert(subject.clone(), found(&pool().expired[0]));
    let plan = world.plan();
    let work = plan.manual.iter().find(|m| m.kind == ManualKind::Identity).unwrap();
    assert!(work.reason.as_ref().unwrap().contains("expired") && work.steps[0] == "renew it", "{:?}", work.steps);
    // The certificate is exported afterwards, and the step names the target.
    assert!(work.steps[1] == "export it" && work.steps[2].contains("ICMh0.cer"), "{:?}", work.steps);
    world.sources.insert(
        subject,
        SourceLook::Missing { folder: "certs".into(), names: vec!["ICMh0.cer".to_owned()], near: None },
    );
    let plan = world.plan();
    let work = plan.manual.iter().find(|m| m.kind == ManualKind::Export).unwrap();
    assert_eq!(work.steps[0], "export it");
}

#[test]
fn a_person_is_not_asked_to_remove_what_still_carries_a_live_name() {
    let (world, id) = estate();
    let live = world::make("h0.acme.example", &["gone0.acme.example"], -5, 500);
    let address = world::make("gone0", &["gone0.acme.example", "10.0.0.5"], -5, 500);
    let seen = mirror(&world, &id, &[wsm(), iis(), &live, &address, &pool().retired[0]]);
    let plan = judge(&world, &seen);
    let manual = plan.manual.iter().find(|m| m.target().store() == Some(&id)).unwrap();
    let asked: Vec<_> = manual.remove.iter().map(|i| i.sha256).collect();
    assert_eq!(asked, [pool().retired[0].print()]);
}

/// Two stores of one Windows machine that people fill; both trust h0's `iis`.
fn windows() -> (World, [StoreId; 2]) {
    let mut world = World::new(1);
    let ids = ["windows-root", "mscapi"].map(|name| {
        let mut def = store_def(&host(0), name);
        def.reach = exported(&def.id, Exported::System(SystemPlace::machine()));
        let id = def.id.clone();
        world.topology.stores.insert(id.clone(), def);
        let subject = Subject::Identity(IdentityId::new(host(0), "iis"));
        world.topology.edges.push(edge(&id, subject, None, &[]));
        id
    });
    (world, ids)
}

fn rendered(plan: &Plan, id: &StoreId) -> BTreeMap<String, Vec<u8>> {
    let minted = BTreeMap::new();
    let manual = plan.manual.iter().find(|manual| manual.target().store() == Some(id)).unwrap();
    let files = pack::render(manual, &KnownCertificates { minted: &minted }, &Frame::of(plan)).unwrap();
    files.into_iter().collect()
}

#[test]
fn a_pack_for_windows_names_the_store_in_every_line_and_brings_a_registry_file() {
    let (mut world, [root, mscapi]) = windows();
    world.topology.distrust.insert(pool().foreign[1].print(), "stolen".to_owned());
    let mut seen = mirror(&world, &root, &[&pool().foreign[1]]);
    seen.stores.insert(mscapi.clone(), StoreLook::Unobserved);
    let plan = judge(&world, &seen);
    let first = rendered(&plan, &mscapi);
    let steps = String::from_utf8(first["STEPS.md"].clone()).unwrap();
    let file = format!("h0.acme.example_iis-{}.pem", iis().print().short());
    let sha1 = thumbprint(iis().certificate.der());
    assert!(steps.contains(&format!("certutil -addstore -f Root {file}\n")), "{steps}");
    assert!(steps.contains(&format!("CiscoCertUtil /install {file} root\n")), "{steps}");
    assert!(steps.contains("reg import import.reg"), "{steps}");
    // The keystore crate reads what Windows reads.
    let file = Store::open(first["import.reg"].clone(), Credential::Withheld, &Interner::new()).unwrap();
    let [entry] = file.entries() else { panic!("{file:?}") };
    assert_eq!(entry.certificates()[0].fingerprint(), iis().print());
    let key = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SystemCertificates\Root";
    assert_eq!(file.registry_key(entry.id), Some(key));
    assert!(file.remarks().is_empty(), "{:?}", file.remarks());

    // The other store of the machine is the same one: its certificate comes with the first pack.
    let second = rendered(&plan, &root);
    let steps = String::from_utf8(second["STEPS.md"].clone()).unwrap();
    assert!(!steps.contains("addstore") && steps.contains(&format!("is in the pack of {mscapi}")), "{steps}");
    let gone = thumbprint(pool().foreign[1].certificate.der());
    assert!(steps.contains(&format!("certutil -delstore Root {gone}\n")), "{steps}");
    let units: Vec<u16> = second["import.reg"].as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b)).collect();
    let text = String::from_utf16(&units).unwrap();
    assert!(text.contains(&format!("\r\n[-{key}\\Certificates\\{gone}]\r\n")), "{text}");
    assert!(!text.contains(&sha1), "{text}");
}

#[test]
fn a_pack_for_a_service_names_no_store_of_the_machine() {
    let (mut world, [root, _]) = windows();
    let location = Location::Service("Tomcat9".to_owned());
    let place = SystemPlace { location, ..SystemPlace::machine() };
    world.topology.stores.get_mut(&root).unwrap().reach = exported(&root, Exported::System(place));
    let files = rendered(&judge(&world, &unseen(&world, &root)), &root);
    let steps = String::from_utf8(files["STEPS.md"].clone()).unwrap();
    assert!(!steps.contains("certutil") && steps.contains("reg import"), "{steps}");
    let file = Store::open(files["import.reg"].clone(), Credential::Withheld, &Interner::new()).unwrap();
    let key = file.registry_key(file.entries()[0].id).unwrap();
    assert_eq!(key, r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Cryptography\Services\Tomcat9\SystemCertificates\Root");
}

#[test]
fn an_export_that_names_its_stores_shows_what_is_in_the_wrong_one() {
    let (world, [root, mscapi]) = windows();
    let mut seen = mirror(&world, &root, &[iis()]);
    seen.stores.insert(mscapi, StoreLook::Unobserved);
    let Some(StoreLook::Readable(facts)) = seen.stores.get_mut(&root) else { panic!() };
    let entry = facts.entries[0].id;
    facts.system_entries.insert(entry, SystemStoreEntry { store: SystemStore::My, managed_by: ManagedBy::Machine });
    let plan = judge(&world, &seen);
    assert!(matches!(verdicts(&plan, &root)[..], [EdgeVerdict::Manual(_)]), "trust in Personal is no trust");
    let found = plan.findings.iter().find(|f| f.kind == FindingKind::WrongStore).unwrap();
    assert!(found.message.contains("is in My") && found.message.contains("certutil -delstore My"), "{}", found.message);
}

/// A host with a store `iis` that people fill, and an `iis` that has ended and that people renew: two packs with one
/// name.
fn namesakes() -> (World, StoreId, IdentityId) {
    let (mut world, store) = with_store("iis");
    let identity = IdentityId::new(host(0), "iis");
    world.sources.insert(Subject::Identity(identity.clone()), found(&pool().expired[0]));
    (world, store, identity)
}

#[test]
fn a_store_and_an_identity_of_one_name_are_two_packs() {
    let (world, store, identity) = namesakes();
    let plan = judge(&world, &unseen(&world, &store));
    let [of_store, of_identity] = plan.manual.as_slice() else { panic!("{:#?}", plan.manual) };
    assert_eq!(of_store.target(), &HandOffTarget::Store(store));
    assert_eq!(of_identity.target(), &HandOffTarget::Identity(identity));
    // Every name that a person reads or types says which of the two is meant.
    let names = ["store:h0.acme.example/iis", "identity:h0.acme.example/iis"];
    let minted = BTreeMap::new();
    for (work, name) in plan.manual.iter().zip(names) {
        assert_eq!(work.called.to_string(), name);
        assert_eq!(plan.called(work.target()), name);
        let files = pack::render(work, &KnownCertificates { minted: &minted }, &Frame::of(&plan)).unwrap();
        let steps = files.iter().find(|(name, _)| name == "STEPS.md").unwrap();
        let steps = String::from_utf8(steps.1.clone()).unwrap();
        assert!(steps.lines().next().unwrap().ends_with(name), "{steps}");
        assert_eq!(
            steps.contains(&format!("trustmason confirm world.yaml {name}\n")),
            work.kind == ManualKind::Store,
            "{steps}"
        );
    }
    let json = serde_json::to_value(Document::of(&plan, "test")).unwrap();
    let said = |n: usize, field: &str| json["manual"][n][field].as_str().unwrap().to_owned();
    for (n, of) in ["store", "identity"].into_iter().enumerate() {
        assert_eq!((said(n, "store"), said(n, "of")), ("h0.acme.example/iis".to_owned(), of.to_owned()));
    }
}

#[test]
fn a_word_on_an_identity_is_none_on_the_store_of_its_name() {
    let (mut world, store, identity) = namesakes();
    let content = [wsm().print(), pool().expired[0].print()];
    let written = HandOff { pack: pack_digest(&content, []), written: now(), confirmed: None, replaces: None };
    confirm(&mut world, &store, ConfirmationKind::Claimed, &[wsm()], None);
    let said = world.ledger.handoffs.remove(&HandOffTarget::Store(store.clone())).unwrap();
    let held = |world: &World| {
        let verdicts = verdicts(&judge(world, &unseen(world, &store)), &store);
        verdicts.iter().filter(|verdict| **verdict == EdgeVerdict::Held).count()
    };
    assert_eq!(held(&world), 0);
    world.ledger.handoffs.insert(HandOffTarget::Identity(identity.clone()), said.clone());
    assert_eq!(held(&world), 0, "it was said of the identity");
    world.ledger.handoffs.insert(HandOffTarget::Store(store.clone()), said);
    assert_eq!(held(&world), 1);
    // Nor does the pack of one target wait as the pack of the other.
    world.ledger.handoffs.clear();
    world.ledger.handoffs.insert(HandOffTarget::Identity(identity), written.clone());
    assert!(judge(&world, &unseen(&world, &store)).manual.iter().all(|work| work.waiting_since.is_none()));
    world.ledger.handoffs.insert(HandOffTarget::Store(store.clone()), written);
    let plan = judge(&world, &unseen(&world, &store));
    let waiting: Vec<_> = plan.manual.iter().filter(|work| work.waiting_since.is_some()).collect();
    let [work] = waiting.as_slice() else { panic!("{waiting:#?}") };
    assert_eq!(work.target(), &HandOffTarget::Store(store));
    let said = plan.findings.iter().find(|f| f.kind == FindingKind::HandOffWaiting).unwrap();
    assert!(said.message.ends_with("trustmason confirm world.yaml store:h0.acme.example/iis"), "{}", said.message);
}

#[test]
fn a_plan_that_calls_two_packs_alike_contradicts_itself() {
    let (world, store, _) = namesakes();
    let mut plan = judge(&world, &unseen(&world, &store));
    plan.manual[1].called = plan.manual[0].called.clone();
    let defects: Vec<String> = trustmason_plan::verify(&plan).iter().map(ToString::to_string).collect();
    assert!(defects.contains(&"there are two packs for `store:h0.acme.example/iis`".to_owned()), "{defects:?}");
}

#[test]
fn a_target_has_one_spelling_in_files_and_people_may_leave_its_kind_out() {
    let store = HandOffTarget::Store(StoreId::new(host(0), "a:b/c"));
    let identity = HandOffTarget::Identity(IdentityId::new(host(0), "a:b/c"));
    for target in [&store, &identity] {
        assert_eq!(HandOffTarget::parse(&target.full()).as_ref(), Ok(target));
        assert_eq!(HandOffTarget::meant_by(&target.full()).as_deref(), Ok(std::slice::from_ref(target)));
        let json = serde_json::to_string(&BTreeMap::from([(target, 1)])).unwrap();
        assert_eq!(json, format!(r#"{{"{}":1}}"#, target.full()));
        assert_eq!(serde_json::from_str::<BTreeMap<HandOffTarget, u8>>(&json).unwrap()[target], 1);
    }
    assert_eq!(HandOffTarget::meant_by("H0.acme.example./a:b/c").unwrap(), [store, identity]);
    for bad in [
        "h0.acme.example/iis",
        "store: h0.acme.example/iis",
        "store:H0.acme.example/iis",
        "store:h0.acme.example./iis",
        "store:h0.acme.example/",
        "store:iis",
        "Store:h0.acme.example/iis",
        "stores:h0.acme.example/iis",
        "store",
        "",
    ] {
        assert!(HandOffTarget::parse(bad).is_err(), "{bad}");
    }
    assert!(HandOffTarget::meant_by("stores:h0.acme.example/iis").unwrap_err().to_string().contains("store:FQDN/NAME"));
}

#[test]
fn a_name_of_an_old_ledger_is_taken_for_what_the_estate_has_by_it() {
    let (mut world, id) = estate();
    let of_v1 = |world: &World, text: &str| HandOffTarget::of_v1(text, &world.topology);
    let iis = IdentityId::new(host(0), "iis");
    assert_eq!(of_v1(&world, "h0.acme.example/tomcat-trust"), Some(HandOffTarget::Store(id)));
    assert_eq!(of_v1(&world, "h0.acme.example/iis"), Some(HandOffTarget::Identity(iis)));
    for neither in ["h0.acme.example/gone", "h9.acme.example/iis", "iis", "store:h0.acme.example/tomcat-trust"] {
        assert_eq!(of_v1(&world, neither), None, "{neither}");
    }
    let def = store_def(&host(0), "iis");
    world.topology.stores.insert(def.id.clone(), def);
    assert_eq!(of_v1(&world, "h0.acme.example/iis"), None, "it may have been either");
}

#[test]
fn a_plan_that_an_older_program_saved_is_read() {
    let (world, store, _) = namesakes();
    let document = Document::of(&judge(&world, &unseen(&world, &store)), "test");
    let mut json = serde_json::to_value(&document).unwrap();
    for work in json["manual"].as_array_mut().unwrap() {
        assert!(work.as_object_mut().unwrap().remove("of").is_some());
    }
    let old: Document = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(old.differences(&document), Vec::<String>::new());
    json["manual"][0]["of"] = "host".into();
    let error = serde_json::from_value::<Document>(json).unwrap_err().to_string();
    assert!(error.contains("host") && error.contains("identity"), "{error}");
}

/// A rotation of h0's `wsm` that waits for a store which people fill, and which the service `engine` of its host reads.
/// The store is up to date first, by a person's confirmation.
fn rotating() -> (World, StoreId, ServiceId) {
    let (mut world, id) = estate();
    let engine = ServiceId::new(host(0), "engine");
    let template = world.topology.services.values().next().unwrap().clone();
    world.topology.services.insert(engine.clone(), template);
    world.topology.stores.get_mut(&id).unwrap().restart = vec![engine.clone()];
    for def in world.topology.identities.values_mut() {
        def.rotation = Rotation::Staged;
    }
    brought(&mut world, &id);
    world.ack_all();
    let plan = judge(&world, &unseen(&world, &id));
    assert!(plan.is_settled(), "{:#?}", plan.findings);
    world.options.replace = vec![IdentityId::new(host(0), "wsm")];
    world.apply(&judge(&world, &unseen(&world, &id)));
    world.options.replace.clear();
    world.ack_all();
    (world, id, engine)
}

/// A person does what the present pack says, and confirms it.
fn brought(world: &mut World, id: &StoreId) {
    let plan = judge(world, &unseen(world, id));
    let work = plan.manual.iter().find(|work| work.target().store() == Some(id)).expect("there is a pack");
    let prints = |items: &[ManualItem]| items.iter().filter_map(|item| item.material.known()).collect::<BTreeSet<_>>();
    let add = prints(&[work.add.clone(), work.verify.clone()].concat());
    let gone: BTreeSet<_> = work.remove.iter().map(|item| item.sha256).collect();
    let target = HandOffTarget::Store(id.clone());
    let earlier = world.ledger.handoffs.get(&target).and_then(|h| h.confirmed.clone());
    let mut holds = earlier.map(|e| e.holds).unwrap_or_default();
    holds.retain(|print| !gone.contains(print));
    holds.extend(&add);
    let kind = ConfirmationKind::Claimed;
    let confirmed = Confirmation { at: now(), by: "anna".to_owned(), kind, holds, gone: gone.clone(), mirror: None };
    let handoff =
        HandOff { pack: pack_digest(&add, &gone), written: now(), confirmed: Some(confirmed), replaces: None };
    world.ledger.handoffs.insert(target, handoff);
}

fn ack(world: &mut World, id: &StoreId, service: &ServiceId) {
    let read = judge(world, &unseen(world, id)).readers.remove(service).unwrap_or_default();
    world.ledger.restarts.remove(service);
    world.ledger.acks.insert(service.clone(), Ack::new(world.now, "operator", &read));
}

#[test]
fn a_restart_counts_only_once_what_it_is_to_read_is_there() {
    let (mut world, id, engine) = rotating();
    let plan = judge(&world, &unseen(&world, &id));
    assert!(plan.changes.is_empty());
    assert_eq!(plan.counts(&engine), Err(Idle::First));
    let waits = plan.waits();
    assert!(waits.restarts.is_empty(), "{:?}", waits.restarts);
    let later: Vec<_> = waits.later.iter().map(|(restart, first)| (&restart.service, first.len())).collect();
    assert_eq!(later, [(&engine, 1)], "it is listed with what comes first");
    assert_eq!(waits.others.len(), 1, "and so is the hand-off");
    // An acknowledgement that is too early counts for nothing.
    let mut early = world.clone();
    ack(&mut early, &id, &engine);
    assert_eq!(judge(&early, &unseen(&early, &id)).barriers, plan.barriers);
    brought(&mut world, &id);
    let plan = judge(&world, &unseen(&world, &id));
    assert_eq!(plan.counts(&engine), Ok(()));
    ack(&mut world, &id, &engine);
    let plan = judge(&world, &unseen(&world, &id));
    assert_eq!(plan.counts(&engine), Err(Idle::Unneeded));
    assert_eq!(plan.summary.regenerate, 1, "the identity takes its new certificate");
}

#[test]
fn what_a_persons_word_brought_is_asked_to_be_removed_as_well() {
    let (mut world, id, engine) = rotating();
    let old = world.present(&IdentityId::new(host(0), "wsm")).unwrap();
    brought(&mut world, &id);
    ack(&mut world, &id, &engine);
    world.apply(&judge(&world, &unseen(&world, &id)));
    world.ack_all();
    let plan = judge(&world, &unseen(&world, &id));
    let asked: Vec<_> = plan.manual.iter().flat_map(|work| &work.remove).map(|item| item.sha256).collect();
    assert_eq!(asked, [old]);
    assert!(!plan.is_settled());
    brought(&mut world, &id);
    world.apply(&judge(&world, &unseen(&world, &id)));
    world.ack_all();
    let plan = judge(&world, &unseen(&world, &id));
    assert!(plan.manual.is_empty() && plan.is_settled(), "{:#?}", plan.findings);
}
