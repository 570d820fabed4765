//! Judgements for which no scenario of `fixtures/scenarios` can be made: aliases that no writer here spells,
//! severities, and the differences from a saved plan.

use crate::world;

use trustmason_plan::finding::{FindingKind, Severity};
use trustmason_plan::wire;
use trustmason_spec::name::StoreId;
use world::{Disk, Seed, World, host, jks, pool};

fn cacerts(i: usize) -> StoreId {
    StoreId::new(host(i), "cacerts")
}

fn keystore(i: usize) -> StoreId {
    StoreId::new(host(i), "keystore")
}

fn converge(world: &mut World) {
    let plan = world.plan();
    world.apply(&plan);
    let again = world.plan();
    assert!(again.changes.is_empty(), "{:#?}", again.changes);
}

fn findings(plan: &trustmason_plan::outline::Plan, kind: FindingKind) -> Vec<String> {
    plan.findings.iter().filter(|f| f.kind == kind).map(|f| f.message.clone()).collect()
}

#[test]
fn an_upper_case_alias_is_no_trust_and_is_respelled() {
    let mut world = World::new(1);
    converge(&mut world);
    world.ledger = trustmason_plan::ledger::Ledger::default();
    let Some(Disk::File(bytes)) = world.disk.get(&cacerts(0)) else { panic!() };
    let upper = respell(bytes, &format!("{}_iis", host(0)), &format!("{}_IIS", host(0)));
    world.disk.insert(cacerts(0), Disk::File(upper));
    let plan = world.plan();
    assert_eq!(plan.summary.rename, 1, "{:#?}", plan.findings);
    assert!(plan.changes[0].reason.contains("lower case"));
    converge(&mut world);
    assert!(world.plan().is_settled());
}

/// Spells an alias differently in a JKS and signs the file again, as other tools do.
fn respell(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    use sha1::{Digest, Sha1};
    let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
    let mut body = bytes[..bytes.len() - 20].to_vec();
    body[at..at + to.len()].copy_from_slice(to.as_bytes());
    let mut hash = Sha1::new();
    for unit in "changeit".encode_utf16() {
        hash.update(unit.to_be_bytes());
    }
    hash.update(b"Mighty Aphrodite");
    hash.update(&body);
    body.extend(hash.finalize());
    body
}

#[test]
fn severities_follow_the_contract() {
    for kind in FindingKind::ALL {
        assert!(!kind.meaning().is_empty());
        assert_eq!(serde_json::to_string(kind).unwrap(), format!("\"{kind}\""));
    }
    assert_eq!(FindingKind::Missing.severity(), Severity::Error);
    assert_eq!(FindingKind::Expiring.severity(), Severity::Warning);
    assert_eq!(FindingKind::Unmanaged.severity(), Severity::Info);
    assert_eq!(FindingKind::Unreachable.severity(), Severity::Blocked);
}

#[test]
fn a_saved_plan_names_every_input_that_differs() {
    let mut world = World::new(1);
    let old = wire::Document::of(&world.plan(), "1.0.0");
    let text = serde_json::to_string(&old).unwrap();
    let read: wire::Document = serde_json::from_str(&text).unwrap();
    assert_eq!(read, old);
    assert!(read.differences(&wire::Document::of(&world.plan(), "1.0.0")).is_empty());
    world.disk.insert(cacerts(0), Disk::Unreadable);
    let lines = read.differences(&wire::Document::of(&world.plan(), "1.0.1"));
    assert!(lines.iter().any(|l| l.contains("1.0.1")), "{lines:?}");
    assert!(lines.iter().any(|l| l.contains("no longer needed")), "{lines:?}");
}

#[test]
fn a_key_a_jvm_cannot_look_up_is_not_taken_for_the_identity() {
    let mut world = World::new(1);
    let exact = [
        Seed::Key("wsm".to_owned(), pool().good[0][0].clone(), "changeit"),
        Seed::Key("xsm".to_owned(), pool().short[0].clone(), "changeit"),
    ];
    let bytes = jks(&exact);
    world.disk.insert(keystore(0), Disk::File(respell(&bytes, "xsm", "WSM")));
    let plan = world.plan();
    assert_eq!(plan.summary.regenerate, 0, "the lower-case one is right, the other is invisible: {:#?}", plan.changes);
    let only = jks(&[Seed::Key("wsm".to_owned(), pool().short[0].clone(), "changeit")]);
    world.disk.insert(keystore(0), Disk::File(respell(&only, "wsm", "WSM")));
    let plan = world.plan();
    assert_eq!(plan.summary.regenerate, 0);
    assert!(
        findings(&plan, FindingKind::AliasConflict).iter().any(|m| m.contains("spelled `WSM`")),
        "{:#?}",
        plan.findings
    );
}
