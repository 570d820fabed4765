//! Deletions because of the names on a certificate: never a certificate that another live host presents, never a CA's,
//! and never unreported.

use crate::world;

use trustmason_plan::finding::FindingKind;
use trustmason_plan::outline::EdgeVerdict;
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::topology::Subject;
use world::{Disk, Pair, Seed, World, found, host, jks, make_ca, pool};

fn trusted(alias: &str, pair: &Pair) -> Seed {
    Seed::Trusted(alias.to_owned(), pair.clone())
}

/// In a world of two hosts, the keystore of the second one. It trusts the first host's `wsm` under the full name,
/// formerly under `aw_cert`, and nobody's `iis`.
fn keystore() -> StoreId {
    StoreId::new(host(1), "keystore")
}

fn with(entries: Vec<Seed>) -> World {
    let mut world = World::new(2);
    let own = Seed::Key("wsm".to_owned(), pool().good[1][0].clone(), "changeit");
    let entries: Vec<Seed> = std::iter::once(own).chain(entries).collect();
    world.disk.insert(keystore(), Disk::File(jks(&entries)));
    world
}

#[test]
fn what_another_identity_presents_now_is_not_replaced_under_an_alias_of_ours() {
    // Older than the certificate that should be there; otherwise it would stay as `ahead`.
    let (wsm, iis) = (pool().good[0][1].clone(), pool().good[0][0].clone());
    let iis_is = |world: &mut World, pair: &Pair| {
        world.sources.insert(Subject::Identity(IdentityId::new(host(0), "iis")), found(pair));
    };
    let with = |entries: Vec<Seed>| {
        let mut world = with(entries);
        let key = Seed::Key("wsm".to_owned(), wsm.clone(), "changeit");
        world.disk.insert(StoreId::new(host(0), "keystore"), Disk::File(jks(&[key])));
        iis_is(&mut world, &iis);
        world
    };
    let touched = |world: &World| world.plan().changes.iter().filter(|change| change.store == keystore()).count();
    let mut world = with(vec![trusted(host(0).as_str(), &iis)]);
    let plan = world.plan();
    let wanted = IdentityId::new(host(0), "wsm").to_string();
    let edge = plan.edges.iter().find(|edge| edge.store == keystore() && edge.subject == wanted).unwrap();
    assert!(matches!(edge.verdict, EdgeVerdict::Blocked(_)), "{:?}", edge.verdict);
    assert!(plan.findings.iter().any(|finding| finding.kind == FindingKind::AliasConflict));
    assert_eq!(touched(&world), 0, "{:#?}", plan.changes);
    // Once `iis` presents another certificate, the old one is an ordinary leftover.
    iis_is(&mut world, &pool().good[0][2]);
    assert_eq!(touched(&world), 1);
    // The same under a former alias, beside the right entry.
    let mut world = with(vec![trusted(host(0).as_str(), &wsm), trusted("aw_cert", &iis)]);
    assert_eq!(touched(&world), 0);
    iis_is(&mut world, &pool().good[0][2]);
    assert_eq!(touched(&world), 1);
}

#[test]
fn a_cas_certificate_with_the_name_of_a_host_that_left_stays_and_is_told_of() {
    let mut world = World::new(1);
    let cacerts = StoreId::new(host(0), "cacerts");
    let ca = make_ca("gone0.acme.example", &["gone0.acme.example"]);
    let vendors = make_ca("Vendor Root", &[]);
    world.disk.insert(cacerts.clone(), Disk::File(jks(&[trusted("old host", &ca), trusted("vendor", &vendors)])));
    let plan = world.plan();
    let told: Vec<_> = plan.findings.iter().filter(|finding| finding.kind == FindingKind::Unmanaged).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].sha256, Some(ca.print()));
    world.apply(&plan);
    assert!(world.trusted(&cacerts).contains_key("old host"));
}
