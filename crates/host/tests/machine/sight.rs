//! Looking: every way in which something cannot be seen is a state of its own.

use std::fs;

use trustmason_host::disk::{Disk, ReadLimit};
use trustmason_host::look::{KeysToTry, OpenFault, open};
use trustmason_host::run::StoreOutcome;
use trustmason_host::state::lock::Lock;
use trustmason_host::word::ack::{RestartReport, ack};
use trustmason_keystore::{Certificate, Credential, ErrorClass, Format, Interner, Password};
use trustmason_plan::observed::{FailureClass, HostLook, InputKind, KeyLook, SourceLook, StoreLook, Unclear};
use trustmason_spec::name::{IdentityId, ServiceId};
use trustmason_spec::topology::{SecretSource, StoreKind, Subject};

use crate::world::*;

fn failure(world: &World, id: &str) -> (FailureClass, String) {
    match world.look().1.stores.remove(&store_id(id)) {
        Some(StoreLook::Unreadable(failure)) => (failure.class, failure.message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn facts_are_complete_and_the_same_each_time() {
    let world = World::new(Format::Jks);
    let (_, first) = world.look();
    let Some(StoreLook::Readable(facts)) = first.stores.get(&store_id(KEYSTORE)) else { panic!("{first:?}") };
    assert_eq!(facts.path, world.keystore().display().to_string());
    assert_eq!(facts.entries.len(), 2);
    // Only the declared identity's key was tried.
    assert_eq!(facts.keys.len(), 1);
    assert_eq!(facts.keys[&facts.entries[0].id], KeyLook::Opens);
    assert!(facts.modified.is_some());
    #[cfg(unix)]
    assert!(facts.file.is_some());
    let kinds: Vec<_> = first.inputs.iter().map(|input| (input.kind, input.sha256.is_some())).collect();
    let wanted = [
        (InputKind::Store, true),
        (InputKind::Store, true),
        (InputKind::Certificate, true),
        (InputKind::Mirror, false),
        (InputKind::Ledger, false),
    ];
    assert_eq!(kinds, wanted);
    for _ in 0..5 {
        assert_eq!(format!("{:?}", world.look().1), format!("{first:?}"));
    }
}

#[test]
fn an_absent_or_empty_root_is_unreachable_and_its_stores_are_not_missing() {
    let world = World::new(Format::Jks);
    let root = world.root().join("hosts/cvp1.acme.example");
    fs::remove_dir_all(&root).unwrap();
    for (make, want) in [(false, "does not exist"), (true, "is empty")] {
        if make {
            fs::create_dir(&root).unwrap();
        }
        let (_, observed) = world.look();
        let HostLook::Unreachable(why) = &observed.hosts[&fqdn("cvp1.acme.example")] else { panic!() };
        assert!(why.contains(want), "{why}");
        let (_, message) = failure(&world, KEYSTORE);
        assert!(message.contains("cannot be reached"), "{message}");
        // Nothing may be written because of this, and the other hosts are seen.
        assert!(matches!(observed.stores[&store_id(CACERTS)], StoreLook::Readable(_)));
        assert!(world.plan().changes.is_empty());
    }
    fs::remove_dir_all(world.root().join("hosts/fin1.acme.example")).unwrap();
    assert!(matches!(world.look().1.stores[&store_id(TRUST)], StoreLook::Unobserved));
}

/// The plan was made while the disk was there. It would be false to report its stores as gone: they were not looked at.
#[test]
fn a_disk_that_goes_away_before_the_run_is_away_and_its_stores_are_not_gone() {
    for empty in [false, true] {
        let world = World::new(Format::Jks);
        let (ledger, observed) = world.look();
        let plan = world.plan();
        let root = world.root().join("hosts/ads.acme.example");
        fs::rename(&root, world.root().join("away")).unwrap();
        if empty {
            fs::create_dir(&root).unwrap();
        }
        let outcomes = world.run(&plan, &ledger, &observed, &Disk::new()).unwrap();
        let outcome = &outcomes.stores[&store_id(CACERTS)];
        let StoreOutcome::Failed { error } = outcome else { panic!("{outcome:?}") };
        assert!(error.to_string().contains("ads.acme.example cannot be reached"), "{error}");
    }
}

#[test]
fn a_store_that_does_not_open_says_which_way() {
    let world = World::new(Format::Jks);
    let good = fs::read(world.cacerts()).unwrap();
    let cases: [(&str, Vec<u8>, FailureClass, &str); 6] = [
        ("truncated", good[..good.len() / 2].to_vec(), FailureClass::Unreadable, "(jks)"),
        ("another password", keystore(Format::Jks, "other-one", Vec::new()), FailureClass::WrongPassword, "password"),
        (
            "PKCS#12, cut off",
            keystore(Format::Pkcs12, "changeit", Vec::new())[..40].to_vec(),
            FailureClass::Unreadable,
            "(pkcs12)",
        ),
        ("a keychain", b"kych\0\x01\0\0\0\0\0\x10".to_vec(), FailureClass::WrongFormat, "keychain"),
        ("empty", Vec::new(), FailureClass::Unreadable, "empty"),
        ("a web page", b"<!DOCTYPE html>".to_vec(), FailureClass::Unreadable, "web page"),
    ];
    for (name, bytes, class, want) in cases {
        fs::write(world.cacerts(), &bytes).unwrap();
        let (found, message) = failure(&world, CACERTS);
        assert_eq!(found, class, "{name}: {message}");
        assert!(message.contains("cacerts") && message.contains(want), "{name}: {message}");
    }
    fs::remove_file(world.cacerts()).unwrap();
    let absent = world.look().1.stores.remove(&store_id(CACERTS));
    assert!(matches!(absent, Some(StoreLook::Absent { parent: true, .. })), "{absent:?}");
}

#[cfg(unix)]
#[test]
fn two_names_that_differ_in_case_block_the_store() {
    let world = World::new(Format::Jks);
    fs::rename(world.cacerts(), world.cacerts().with_file_name("CaCerts")).unwrap();
    fs::copy(world.cacerts().with_file_name("CaCerts"), world.cacerts().with_file_name("CACERTS")).unwrap();
    let (class, message) = failure(&world, CACERTS);
    assert_eq!(class, FailureClass::Unreadable);
    assert!(message.contains("CaCerts") && message.contains("CACERTS"), "{message}");
}

#[test]
fn a_shadow_is_seen_where_there_is_one() {
    let mut world = World::new(Format::Jks);
    let shadow = host_path("ads.acme.example", r"C:\Program Files (x86)\Jäva\lib\security\jssecacerts");
    world.topology.stores.get_mut(&store_id(CACERTS)).unwrap().shadows.push(shadow);
    assert!(world.look().1.shadows.is_empty());
    fs::write(world.cacerts().with_file_name("JSSECACERTS"), b"").unwrap();
    let shown = &world.look().1.shadows[&store_id(CACERTS)];
    assert_eq!(shown, &[r"C:\Program Files (x86)\Jäva\lib\security\jssecacerts"]);
}

fn source(world: &World) -> SourceLook {
    let subject = Subject::Identity(IdentityId::parse("ads.acme.example/iis").unwrap());
    world.look().1.sources.remove(&subject).unwrap()
}

#[test]
fn a_certificate_file_is_known_by_its_content() {
    let world = World::new(Format::Jks);
    let certs = world.root().join("certs");
    let SourceLook::Found { certificate, path } = source(&world) else { panic!() };
    assert_eq!((certificate.fingerprint(), path), (world.iis.fingerprint(), certs.join("ADSads.CER")));
    // The same certificate again, under the other name and in the other encoding.
    fs::write(certs.join("icmADS.cer"), world.iis.der()).unwrap();
    assert!(matches!(source(&world), SourceLook::Found { .. }));
    let other = make("ads.acme.example", &["ads.acme.example"]).certificate;
    fs::write(certs.join("icmADS.cer"), pem(&other)).unwrap();
    let SourceLook::Ambiguous { paths } = source(&world) else { panic!() };
    assert_eq!(paths, [certs.join("ADSads.CER"), certs.join("icmADS.cer")]);

    fs::remove_file(certs.join("ADSads.CER")).unwrap();
    let cases: [(Vec<u8>, FailureClass, &str); 4] = [
        (format!("{}{}", pem(&other), pem(&world.iis)).into_bytes(), FailureClass::Unreadable, "holds 2 certificates"),
        (keystore(Format::Jks, "changeit", Vec::new()), FailureClass::WrongFormat, "is a jks keystore"),
        (keystore(Format::Pkcs12, "changeit", Vec::new()), FailureClass::WrongFormat, "is a pkcs12 keystore"),
        (Vec::new(), FailureClass::Unreadable, "empty"),
    ];
    for (bytes, class, want) in cases {
        fs::write(certs.join("icmADS.cer"), bytes).unwrap();
        let SourceLook::Unreadable(failure) = source(&world) else { panic!() };
        assert_eq!(failure.class, class, "{}", failure.message);
        assert!(failure.message.contains("icmADS.cer") && failure.message.contains(want), "{}", failure.message);
    }
    // An unreadable file counts more than a readable one beside it.
    fs::write(certs.join("ADSads.cer"), pem(&other)).unwrap();
    assert!(matches!(source(&world), SourceLook::Unreadable(_)));
    fs::remove_dir_all(&certs).unwrap();
    let SourceLook::Missing { folder, names, .. } = source(&world) else { panic!() };
    assert_eq!((folder, names.len()), (certs, 2));
}

/// A SEQUENCE, a SET or a context tag, long enough for certificates.
fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], &length[..], body].concat()
}

/// A PKCS#7 bundle, as an authority sends it.
fn p7b(certificates: &[&Certificate]) -> Vec<u8> {
    const PKCS7: [u8; 10] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7];
    let ders: Vec<u8> = certificates.iter().flat_map(|certificate| certificate.der().to_vec()).collect();
    let data = element(0x30, &[&PKCS7[..], &[1]].concat());
    let signed = [vec![2, 1, 1, 0x31, 0], data, element(0xa0, &ders), vec![0x31, 0]].concat();
    let content = element(0xa0, &element(0x30, &signed));
    element(0x30, &[&PKCS7[..], &[2], &content].concat())
}

#[test]
fn of_a_chain_the_leaf_is_meant() {
    let world = World::new(Format::Jks);
    let certs = world.root().join("certs");
    let Chain { root, issuing, leaf } = chain("ads.acme.example");
    let other = make("ads.acme.example", &["ads.acme.example"]).certificate;
    let text = |certificates: &[&Certificate]| certificates.iter().map(|one| pem(one)).collect::<String>().into_bytes();
    let leaves: [&[&Certificate]; 5] =
        [&[&leaf], &[&leaf, &issuing, &root], &[&root, &issuing, &leaf], &[&issuing, &leaf, &leaf], &[&leaf, &issuing]];
    for certificates in leaves {
        for bytes in [p7b(certificates), text(certificates)] {
            fs::write(certs.join("ADSads.CER"), bytes).unwrap();
            let SourceLook::Found { certificate, .. } = source(&world) else { panic!("{:?}", source(&world)) };
            assert_eq!(certificate.fingerprint(), leaf.fingerprint());
        }
    }
    // A link is missing, there is no end, or there are two.
    let none: [&[&Certificate]; 5] = [
        &[&leaf, &root],
        &[&issuing, &root],
        &[&leaf, &issuing, &other],
        &[&other, &leaf],
        &[&leaf, &issuing, &world.iis],
    ];
    for certificates in none {
        for bytes in [p7b(certificates), text(certificates)] {
            fs::write(certs.join("ADSads.CER"), bytes).unwrap();
            let SourceLook::Unreadable(failure) = source(&world) else { panic!() };
            let want = format!("holds {} certificates", certificates.len());
            assert!(failure.message.contains(&want), "{}", failure.message);
        }
    }
    fs::write(certs.join("ADSads.CER"), p7b(&[])).unwrap();
    let SourceLook::Unreadable(failure) = source(&world) else { panic!() };
    assert!(failure.message.contains("holds no certificate"), "{}", failure.message);
}

#[cfg(unix)]
#[test]
fn a_file_the_spec_names_is_exact() {
    use std::path::Path;
    use trustmason_spec::topology::CertificateSource;

    let mut world = World::new(Format::Jks);
    let at = |world: &mut World, path: &Path| {
        let id = IdentityId::parse("ads.acme.example/iis").unwrap();
        world.topology.identities.get_mut(&id).unwrap().source = CertificateSource::File(path.to_owned());
    };
    let certs = world.root().join("certs");
    at(&mut world, &certs.join("ADSads.CER"));
    assert!(matches!(source(&world), SourceLook::Found { .. }));
    at(&mut world, &certs.join("adsADS.cer"));
    assert!(matches!(source(&world), SourceLook::Missing { names, .. } if names.is_empty()));
    at(&mut world, &certs);
    assert!(matches!(source(&world), SourceLook::Unreadable(_)));
}

#[test]
fn one_file_is_opened_for_a_listing() {
    let world = World::new(Format::Jks);
    let certificates = Interner::new();
    let password = Password::new(CANARY);
    let with = Credential::Password(&password);
    let facts = open(&world.keystore(), ReadLimit::Store, with, KeysToTry::All, &certificates).unwrap();
    assert_eq!(facts.keys.len(), 2);
    let unverified =
        open(&world.keystore(), ReadLimit::Store, Credential::Withheld, KeysToTry::All, &certificates).unwrap();
    assert!(unverified.keys.is_empty() && unverified.remarks.contains(&trustmason_keystore::Remark::Unverified));
    let none =
        open(&world.keystore(), ReadLimit::Store, Credential::NotNeeded, KeysToTry::None, &certificates).unwrap_err();
    assert!(matches!(none.cause, OpenFault::NoPassword));
    let wrong = open(&world.cacerts(), ReadLimit::Store, with, KeysToTry::None, &certificates).unwrap_err();
    assert!(matches!(&wrong.cause, OpenFault::Read(read) if read.class == ErrorClass::WrongPassword), "{wrong}");
    assert!(!wrong.to_string().contains(CANARY));
    let absent = open(&world.root().join("nowhere"), ReadLimit::Store, with, KeysToTry::None, &certificates)
        .unwrap_err()
        .to_string();
    assert!(absent.contains("nowhere"), "{absent}");
    let folder =
        open(&world.root().join("certs"), ReadLimit::Store, Credential::NotNeeded, KeysToTry::None, &certificates)
            .unwrap();
    assert_eq!((folder.format, folder.entries.len()), (Format::PemDirectory, 1));
}

#[test]
fn a_restart_is_not_recorded_while_nobody_can_tell_what_the_service_read() {
    let mut world = World::new(Format::Jks);
    let (tomcat, other) =
        (ServiceId::new(fqdn("ads.acme.example"), "tomcat"), ServiceId::new(fqdn("cvp1.acme.example"), "wsm"));
    world.topology.stores.get_mut(&store_id(CACERTS)).unwrap().restart = vec![tomcat.clone()];
    world.topology.stores.get_mut(&store_id(KEYSTORE)).unwrap().restart = vec![other.clone()];
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
    let (mut loaded, plan) = (world.ledger(), world.plan());
    assert_eq!(loaded.ledger.restarts.keys().collect::<Vec<_>>(), [&tomcat, &other]);
    let run = loaded.ledger.runs[0].id.clone();
    loaded.unclear.push(Unclear { run, store: store_id(CACERTS), why: "its disk is away".into() });
    let restarted = [&tomcat, &other].map(|service| (service.clone(), "anna".to_owned())).into();
    let word = RestartReport { restarted, plan: &plan, topology: &world.topology, now: now() };
    let mut lock = Lock::take(&world.state()).unwrap();
    let unread = ack(word, &loaded, &Disk::new(), &mut lock).unwrap();
    assert_eq!(unread.iter().map(|one| &one.service).collect::<Vec<_>>(), [&tomcat]);
    assert!(unread[0].to_string().contains("its disk is away"), "{}", unread[0]);
    let ledger = world.ledger().ledger;
    assert_eq!(ledger.restarts.keys().collect::<Vec<_>>(), [&tomcat], "it is still to be restarted");
    assert_eq!(ledger.acks.keys().collect::<Vec<_>>(), [&other]);
}

#[test]
fn a_wrong_password_says_which_secret_was_tried_and_what_is_odd_about_it() {
    let mut world = World::new(Format::Jks);
    let file = world.root().join("pw.txt");
    for (content, odd) in
        [(format!("{CANARY} \r\n"), Some("ends with a space")), ("kanarienvogel-8\n".to_owned(), None)]
    {
        fs::write(&file, content).unwrap();
        keystore_of(&mut world.topology, KEYSTORE).password.as_mut().unwrap().from = SecretSource::File(file.clone());
        let (class, message) = failure(&world, KEYSTORE);
        assert_eq!(class, FailureClass::WrongPassword);
        let wanted = format!("the secret `keystore-pw` from the file {}", file.display());
        assert!(message.contains(&wanted) && !message.contains("kanarienvogel"), "{message}");
        assert_eq!(message.contains("its value"), odd.is_some(), "{message}");
        assert!(odd.is_none_or(|odd| message.contains(odd)), "{message}");
    }
}

/// An empty password that the spec declares opens a store and is used to write it, and differs from a missing password.
#[test]
fn a_declared_empty_password_is_one_like_any_other() {
    for format in [Format::Jks, Format::Jceks] {
        let old = make("cvp1", &[]);
        let mut world = World::with(format, &old);
        let other = make("callserver", &["cvp1.acme.example"]);
        let add = vec![key("wsm_certificate", &old), key("callserver_certificate", &other)];
        fs::write(world.keystore(), keystore(format, "", add)).unwrap();
        let (class, message) = failure(&world, KEYSTORE);
        assert_eq!(class, FailureClass::WrongPassword, "{message}");
        let empty = Password::new("");
        keystore_of(&mut world.topology, KEYSTORE).password.as_mut().unwrap().from = SecretSource::Literal(empty);
        let (_, observed) = world.look();
        let Some(StoreLook::Readable(facts)) = observed.stores.get(&store_id(KEYSTORE)) else { panic!("{format}") };
        assert!(facts.keys.values().all(|look| *look == KeyLook::Opens), "{:?}", facts.keys);
        let before = world.plan().changes.len();
        assert!(before > 0);
        world.apply(&Disk::new()).unwrap();
        assert!(!entries(&world.keystore(), "").is_empty(), "{format}: still under the empty password");
        assert!(world.plan().changes.len() < before, "{format}");
    }
}

/// If a file is missing, a file whose name Windows, a browser or a person altered is reported, and never used.
#[test]
fn a_near_miss_of_a_missing_file_is_told() {
    let world = World::new(Format::Jks);
    let certs = world.root().join("certs");
    fs::rename(certs.join("ADSads.CER"), world.root().join("kept")).unwrap();
    let near = || match source(&world) {
        SourceLook::Missing { near, .. } => near,
        other => panic!("{other:?}"),
    };
    assert_eq!(near(), None);
    let names = ["ADSads.cer.txt", "ADSads.crt", "ADSads (1).cer", "adsads - Copy.cer", "ICMads.pem", "adsads.CER.cer"];
    for name in names {
        fs::copy(world.root().join("kept"), certs.join(name)).unwrap();
        let said = near().unwrap();
        let meant = if name.starts_with("ICM") { "ICMads.cer" } else { "ADSads.cer" };
        assert!(said.contains(name) && said.contains(&format!("rename it to {meant}")), "{said}");
        assert!(world.plan().findings.iter().any(|f| f.message.contains(name)), "{name}");
        fs::remove_file(certs.join(name)).unwrap();
    }
    // Found by its content, under a name that says nothing.
    fs::copy(world.root().join("kept"), certs.join("ads2.crt")).unwrap();
    let said = near().unwrap();
    assert!(
        said.contains(
            "ads2.crt names this host; if the service presents that certificate, rename the file to ADSads.cer"
        ),
        "{said}"
    );
    fs::write(certs.join("ads2.crt"), pem(&make("other.example", &["other.example"]).certificate)).unwrap();
    assert_eq!(near(), None, "another host's");
}

#[test]
fn a_file_that_is_not_beside_the_spec_is_found_in_the_folder_of_certificates() {
    let mut world = World::new(Format::Jks);
    let id = IdentityId::parse("cvp1.acme.example/wsm").unwrap();
    let wanted = world.root().join("rgr2.cer");
    world.topology.identities.get_mut(&id).unwrap().source = trustmason_spec::topology::CertificateSource::File(wanted);
    fs::copy(world.root().join("certs/ADSads.CER"), world.root().join("certs/rgr2.cer")).unwrap();
    let look = world.look().1.sources.remove(&Subject::Identity(id)).unwrap();
    let SourceLook::Missing { near: Some(near), .. } = look else { panic!("{look:?}") };
    assert!(near.contains(&world.root().join("certs/rgr2.cer").display().to_string()), "{near}");
}

/// A store that its service reads as PEM has no password, so none is asked for if a keystore is in its place.
#[test]
fn a_keystore_in_the_place_of_a_pem_file_is_of_another_format() {
    for format in [Format::Jks, Format::Jceks, Format::Pkcs12] {
        let mut world = World::settled_identity();
        let id = "ads.acme.example/bundle";
        let def = store_def(id, direct(StoreKind::PemFile(host_path("ads.acme.example", r"C:\bundle.pem"))));
        fs::write(world.root().join("hosts/ads.acme.example/c/bundle.pem"), keystore(format, "hidden", Vec::new()))
            .unwrap();
        world.topology.stores.insert(def.id.clone(), def);
        world.topology.edges.push(edge(id, "ads.acme.example/iis", None));
        let plan = world.plan();
        let finding = plan.findings.iter().find(|finding| finding.kind.as_str() == "wrong-format");
        let said = &finding.unwrap_or_else(|| panic!("{format:?}: {:#?}", plan.findings)).message;
        assert!(said.contains(&format!("is {}, the role needs pem", format.as_str())), "{said}");
        assert!(plan.changes.iter().all(|change| change.store != store_id(id)), "{format:?}");
    }
}
