#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256,
};

use super::chain::{ChainFault, judge};
use super::*;

/// An RSA key. The system can check its signatures on every machine.
fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap()
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, key()).unwrap()
}

fn below(name: &str, issuer: &CertifiedIssuer<'static, KeyPair>) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::signed_by(params, key(), issuer).unwrap()
}

fn leaf(name: &str, issuer: &CertifiedIssuer<'static, KeyPair>) -> Vec<u8> {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.signed_by(&key(), issuer).unwrap().der().to_vec()
}

fn root(name: &str) -> Vec<u8> {
    authority(name).der().to_vec()
}

/// An empty store for one test. Certificates left by an earlier run are removed.
fn store(name: &str) -> StoreName {
    let name = StoreName::parse(&format!("trustmason-{name}")).unwrap();
    let store = RegistryStore::open_or_make(&name).unwrap();
    for certificate in store.certificates().unwrap() {
        store.remove(Id::Sha256(certificate.sha256())).unwrap();
    }
    store.commit().unwrap();
    name
}

fn new(der: &[u8], friendly_name: Option<&str>) -> NewCertificate {
    NewCertificate { der: der.to_vec(), friendly_name: friendly_name.map(str::to_owned) }
}

fn sha256(der: &[u8]) -> Id {
    use sha2::Digest as _;
    Id::Sha256(sha2::Sha256::digest(der).into())
}

fn sha1(der: &[u8]) -> Id {
    use sha1::Digest as _;
    Id::Sha1(sha1::Sha1::digest(der).into())
}

#[test]
fn names_of_stores() {
    assert_eq!(StoreName::parse("WebHosting").unwrap().as_str(), "WebHosting");
    for bad in ["", r"Root\.AuthRoot", "a\0b", " Root", &"x".repeat(256)] {
        assert_eq!(StoreName::parse(bad), None, "{bad:?}");
    }
    assert_eq!((StoreName::root().as_str(), StoreName::ca().as_str(), StoreName::my().as_str()), ("Root", "CA", "My"));
    assert!(Managed::AuthRoot.is_part_of(&StoreName::parse("ROOT").unwrap()));
    assert!(!Managed::AuthRoot.is_part_of(&StoreName::ca()));
}

#[test]
fn what_is_added_is_there_when_opened_again() {
    let name = store("added");
    let (one, other) = (root("One"), root("Other"));
    let held = change(&name, &[new(&one, Some("Eins, ÄÖÜ 🔑")), new(&other, None)], &[]).unwrap();
    assert_eq!(held.len(), 2);
    let found = list(&name).unwrap();
    assert_eq!(found, held);
    let one = found.iter().find(|c| c.der() == one).unwrap();
    assert_eq!(one.friendly_name(), Some("Eins, ÄÖÜ 🔑"));
    assert!(one.limits().is_empty() && !one.has_key());
    assert!(one.properties().contains(&11), "{:?}", one.properties());
    assert_eq!(found.iter().find(|c| c.der() == other).unwrap().friendly_name(), None);
}

#[test]
fn what_is_removed_is_gone_when_opened_again() {
    let name = store("removed");
    let all: Vec<Vec<u8>> = ["A", "B", "C"].map(root).into();
    change(&name, &all.iter().map(|der| new(der, None)).collect::<Vec<_>>(), &[]).unwrap();
    let held = change(&name, &[], &[sha1(&all[0]), sha256(&all[2])]).unwrap();
    assert_eq!(held.iter().map(StoredCertificate::der).collect::<Vec<_>>(), [all[1].as_slice()]);
    assert_eq!(list(&name).unwrap(), held);
}

#[test]
fn one_change_adds_and_removes() {
    let name = store("swapped");
    let (old, next) = (root("Old"), root("Next"));
    change(&name, &[new(&old, None)], &[]).unwrap();
    let held = change(&name, &[new(&next, Some("next"))], &[sha256(&old)]).unwrap();
    assert_eq!(held.iter().map(StoredCertificate::der).collect::<Vec<_>>(), [next.as_slice()]);
}

#[test]
fn what_is_not_there_cannot_be_removed() {
    let name = store("absent");
    let (there, absent) = (root("There"), root("Absent"));
    change(&name, &[new(&there, None)], &[]).unwrap();
    for id in [sha1(&absent), sha256(&absent)] {
        let error = change(&name, &[], &[id]).unwrap_err();
        assert_eq!((error.kind(), error.code()), (SystemStoreErrorKind::Absent, Some(0x8009_2004)));
        let text = error.to_string();
        assert!(text.contains(r"LocalMachine\trustmason-absent") && text.contains("0x80092004"), "{text}");
    }
    assert_eq!(list(&name).unwrap().len(), 1);
}

#[test]
fn what_is_there_is_not_added_again() {
    let name = store("present");
    let der = root("Present");
    change(&name, &[new(&der, Some("first"))], &[]).unwrap();
    let error = change(&name, &[new(&der, Some("second"))], &[]).unwrap_err();
    assert_eq!((error.kind(), error.code()), (SystemStoreErrorKind::Present, Some(0x8009_2005)), "{error}");
    assert_eq!(list(&name).unwrap()[0].friendly_name(), Some("first"));
}

#[test]
fn what_is_no_certificate_is_refused() {
    let name = store("nonsense");
    let mut trailing = root("Trailing");
    trailing.push(0);
    for bad in [b"nonsense".as_slice(), b"", &[0x30, 0x80], &trailing] {
        let error = change(&name, &[new(bad, None)], &[]).unwrap_err();
        assert_eq!(error.kind(), SystemStoreErrorKind::NotACertificate, "{error}");
    }
    let store = RegistryStore::open(&name).unwrap();
    assert_eq!(store.restore(b"nonsense").unwrap_err().kind(), SystemStoreErrorKind::NotACertificate);
    assert!(list(&name).unwrap().is_empty());
}

#[test]
fn a_nul_in_a_friendly_name_is_refused() {
    let name = store("nul");
    let error = change(&name, &[new(&root("Nul"), Some("a\0b"))], &[]).unwrap_err();
    assert!(error.to_string().contains("NUL") && error.code().is_none(), "{error}");
}

#[test]
fn a_removal_has_a_way_back() {
    let name = store("restored");
    let der = root("Restored");
    let before = change(&name, &[new(&der, Some("a name to keep"))], &[]).unwrap();
    let store = RegistryStore::open(&name).unwrap();
    let kept = store.remove(sha1(&der)).unwrap();
    store.commit().unwrap();
    drop(store);
    assert!(list(&name).unwrap().is_empty());
    let store = RegistryStore::open(&name).unwrap();
    store.restore(kept.element()).unwrap();
    assert_eq!(store.restore(kept.element()).unwrap_err().kind(), SystemStoreErrorKind::Present);
    store.commit().unwrap();
    drop(store);
    let after = list(&name).unwrap();
    assert_eq!((after[0].der(), after[0].friendly_name()), (before[0].der(), before[0].friendly_name()));
}

/// An element as in the registry: property records, then the certificate.
fn element(properties: &[(u32, &[u8])], der: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (id, value) in properties.iter().copied().chain([(32, der)]) {
        bytes.extend(id.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
        bytes.extend(value);
    }
    bytes
}

#[test]
fn limits_are_listed_with_their_values() {
    const SERVERS: &[u8] = &[0x30, 0x0a, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
    let name = store("limited");
    let der = root("Limited");
    let store = RegistryStore::open(&name).unwrap();
    store.restore(&element(&[(9, SERVERS), (11, b"L\0\0\0")], &der)).unwrap();
    store.commit().unwrap();
    drop(store);
    let held = list(&name).unwrap();
    assert_eq!(held[0].limits(), [UsageLimit { kind: LimitKind::Usage, value: SERVERS.to_vec() }]);
    assert_eq!(held[0].friendly_name(), Some("L"));
    let tail = element(&[], &der);
    assert!(held[0].element().ends_with(&tail), "an element ends in its certificate");
}

/// Checks the ids only. Wine skips certificates with properties that it does not know, so only one can be tried everywhere.
#[test]
fn properties_that_limit_are_known() {
    let limits: Vec<u32> = (0..200).filter(|id| LimitKind::of(*id).is_some()).collect();
    assert_eq!(limits, [9, 19, 104, 122, 126, 127, 128]);
}

#[test]
fn a_store_that_is_not_there_is_not_made_by_looking() {
    let name = StoreName::parse("trustmason-never-made").unwrap();
    for _ in 0..2 {
        assert_eq!(list(&name).unwrap_err().kind(), SystemStoreErrorKind::NoStore);
        let error = change(&name, &[], &[sha1(b"x")]).unwrap_err();
        assert_eq!((error.kind(), error.code()), (SystemStoreErrorKind::NoStore, Some(2)));
        let text = error.to_string();
        assert!(text.starts_with(r"cannot open the certificate store LocalMachine\trustmason-never-made: "), "{text}");
        assert!(text.contains("0x00000002") && text.contains("certutil -enumstore"), "{text}");
    }
}

#[test]
fn many_certificates_stay_in_place() {
    let name = store("many");
    let all: Vec<NewCertificate> =
        (0..20).map(|n| new(&root(&format!("Root {n}")), Some(&format!("number {n}")))).collect();
    assert_eq!(change(&name, &all, &[]).unwrap().len(), all.len());
    let half: Vec<Id> = all.iter().step_by(2).map(|new| sha256(&new.der)).collect();
    let held = change(&name, &[], &half).unwrap();
    assert_eq!(held.len(), all.len() - half.len());
    for new in all.iter().skip(1).step_by(2) {
        assert!(held.iter().any(|c| c.der() == new.der && c.friendly_name() == new.friendly_name.as_deref()));
    }
}

#[test]
fn parts_that_others_fill_are_read() {
    let name = store("managed");
    change(&name, &[new(&root("Ours"), None)], &[]).unwrap();
    assert!(list_managed(&name, Managed::AuthRoot).unwrap().is_empty(), "only Root has that part");
    assert!(list_managed(&name, Managed::GroupPolicy).unwrap().is_empty());
    let policy = CERT_SYSTEM_STORE_LOCAL_MACHINE_GROUP_POLICY_ID << CERT_SYSTEM_STORE_LOCATION_SHIFT;
    let handle = Handle::open(name.as_str(), policy, OpenMode::Make, name.shown()).unwrap();
    let der = root("Policy");
    handle.add(&CertificateContext::new(&der, "x").unwrap()).unwrap();
    handle.commit().unwrap();
    let managed = list_managed(&name, Managed::GroupPolicy).unwrap();
    assert_eq!(managed.iter().map(StoredCertificate::der).collect::<Vec<_>>(), [der.as_slice()]);
    assert!(list(&name).unwrap().iter().all(|c| c.der() != der), "it is no part of our own store");
    handle.remove(sha1(&der)).unwrap();
    handle.commit().unwrap();
    assert!(list_managed(&name, Managed::GroupPolicy).unwrap().is_empty());
}

/// The only test that writes the machine's own stores, because the chain engine reads no others. The test counts
/// nothing there, because the stores also hold the system's own certificates.
#[test]
fn the_system_trusts_what_root_and_ca_hold() {
    const MARK: &str = "trustmason test";
    // Certificates left by a failed run are removed first, because their issuers have the same names.
    for name in [StoreName::root(), StoreName::ca(), StoreName::my()] {
        let marked = |c: &StoredCertificate| c.der().windows(MARK.len()).any(|bytes| bytes == MARK.as_bytes());
        let left: Vec<Id> =
            list(&name).unwrap_or_default().iter().filter(|c| marked(c)).map(|c| Id::Sha256(c.sha256())).collect();
        if !left.is_empty() {
            change(&name, &[], &left).unwrap();
        }
    }
    let top = authority(&format!("{MARK} root"));
    let middle = below(&format!("{MARK} authority"), &top);
    let server = leaf("cvp1.acme.example", &middle);
    let (top, middle) = (top.der().to_vec(), middle.der().to_vec());

    let before = judge(&server, &[]).unwrap();
    assert_eq!(before.faults(), [ChainFault::NoIssuer], "{:#x}", before.bits());
    let sent = judge(&server, std::slice::from_ref(&middle)).unwrap();
    assert!(!sent.is_trusted() && sent.chain().len() == 2, "{sent:?}");

    change(&StoreName::root(), &[new(&top, Some("a test's root"))], &[]).unwrap();
    let sent = judge(&server, std::slice::from_ref(&middle)).unwrap();
    assert!(sent.is_trusted(), "{:#x}", sent.bits());
    assert_eq!(sent.chain(), [server.clone(), middle.clone(), top.clone()]);

    change(&StoreName::ca(), &[new(&middle, None)], &[]).unwrap();
    change(&StoreName::my(), &[new(&server, Some("cvp1"))], &[]).unwrap();
    assert!(judge(&server, &[]).unwrap().is_trusted());
    assert!(!list(&StoreName::my()).unwrap().iter().any(|c| c.der() == server && c.has_key()));

    change(&StoreName::root(), &[], &[sha256(&top)]).unwrap();
    let after = judge(&server, &[]).unwrap();
    assert!(!after.is_trusted() && after.chain().len() < 3, "{after:?}");
    change(&StoreName::ca(), &[], &[sha256(&middle)]).unwrap();
    change(&StoreName::my(), &[], &[sha1(&server)]).unwrap();
    assert_eq!(judge(&server, &[]).unwrap().faults(), [ChainFault::NoIssuer]);
}

#[test]
fn what_is_no_certificate_is_not_judged() {
    assert_eq!(judge(b"nonsense", &[]).unwrap_err().kind(), SystemStoreErrorKind::NotACertificate);
    let error = judge(&root("Lonely"), &[b"nonsense".to_vec()]).unwrap_err();
    assert_eq!(error.kind(), SystemStoreErrorKind::NotACertificate, "{error}");
}

#[test]
fn a_root_nobody_trusts_is_said() {
    let verdict = judge(&root("Nobody's"), &[]).unwrap();
    assert_eq!(verdict.faults(), [ChainFault::UntrustedRoot], "{:#x}", verdict.bits());
}
