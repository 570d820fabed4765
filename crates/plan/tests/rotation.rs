//! Rotations that something else interrupts, as an operator meets them. The scenarios (`fixtures/scenarios`) have
//! rotations from the first plan to the last, and those that are immediate, blocked or done by a person.

use crate::world;

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use trustmason_keystore::Fingerprint;
use trustmason_plan::change::{Action, Phase};
use trustmason_plan::finding::{FindingKind, Severity};
use trustmason_plan::outline::{Barrier, Plan, Wait};
use trustmason_spec::name::{IdentityId, ServiceId, StoreId};
use trustmason_spec::topology::{Rotation, Side};
use world::{Disk, Seed, World, fqdn, host, jks, make, pool};

fn wsm(i: usize) -> IdentityId {
    IdentityId::new(host(i), "wsm")
}

fn cacerts(i: usize) -> StoreId {
    StoreId::new(host(i), "cacerts")
}

fn keystore(i: usize) -> StoreId {
    StoreId::new(host(i), "keystore")
}

fn service(i: usize, name: &str) -> ServiceId {
    ServiceId::new(host(i), name)
}

/// Hosts whose stores trust one another, in sync; they rotate in stages.
fn settled(hosts: usize) -> World {
    let mut world = World::new(hosts);
    for def in world.topology.identities.values_mut() {
        def.rotation = Rotation::Staged;
    }
    world.apply(&world.plan());
    world.ack_all();
    assert!(world.plan().is_settled(), "{:#?}", world.plan().changes);
    world
}

fn asked(world: &World) -> World {
    let mut world = world.clone();
    world.options.replace = vec![wsm(0)];
    world
}

/// One line for each change: phase, store, action, alias, alias afterwards.
fn lines(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(|c| format!("{} {} {}", c.phase, c.store, c)).collect()
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// The same lines for the forecast of one phase.
fn forecast(plan: &Plan, phase: Phase) -> Vec<String> {
    let of_phase = plan.forecast.iter().filter(|f| f.phase == phase);
    let lines = of_phase.map(|f| {
        let to = f.to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
        let alias = f.alias.as_deref().unwrap_or_default();
        format!("{} {} {} {} {alias}{to}", f.phase, f.store, f.action.symbol(), f.action)
    });
    sorted(lines.collect())
}

fn later(world: &mut World, days: i64) {
    world.now += SignedDuration::from_hours(24 * days);
}

fn waits(plan: &Plan, phase: Phase) -> BTreeSet<String> {
    let of_phase = plan.barriers.iter().filter(|b: &&Barrier| b.after_phase == phase);
    of_phase.flat_map(|b| &b.waits_for).map(Wait::to_string).collect()
}

fn severity(plan: &Plan, kind: FindingKind) -> Option<Severity> {
    plan.findings.iter().find(|f| f.kind == kind).map(|f| f.severity)
}

fn drifts(plan: &Plan) -> Vec<String> {
    let grave = plan.findings.iter().filter(|f| f.severity >= Severity::Error);
    grave.map(|f| format!("{}: {}", f.kind, f.message)).collect()
}

/// The identity's key and the trust of its host are in one store: every write there makes its restart pending.
#[test]
fn a_rotation_that_is_over_stays_over_whatever_else_is_written_into_that_store() {
    let mut world = asked(&settled(2));
    world.topology.stores.get_mut(&keystore(0)).unwrap().restart = vec![service(0, "wsm")];
    for _ in 0..4 {
        world.apply(&world.plan());
        world.options.replace.clear();
        world.ack_all();
    }
    assert!(world.plan().is_settled());
    let key = world.staged_key_of(&wsm(0));
    world.disk.insert(keystore(0), Disk::File(jks(&[Seed::Key("wsm".into(), key, "changeit")])));
    *world.stamps.entry(keystore(0)).or_default() += 1;
    let plan = world.plan();
    assert_eq!(lines(&plan), ["extend h0.acme.example/keystore + import h1.acme.example"]);
    assert!(plan.barriers.is_empty(), "{:?}", plan.barriers);
    world.apply(&plan);
    let plan = world.plan();
    assert!(plan.barriers.is_empty() && plan.is_settled(), "{:#?}", plan.findings);
    assert_eq!(severity(&plan, FindingKind::RotationWaiting), None);
    assert_eq!(severity(&plan, FindingKind::RestartPending), Some(Severity::Warning));
    assert_eq!(plan.counts(&service(0, "wsm")), Ok(()));
}

#[test]
fn every_plan_is_the_forecast_before_it() {
    let mut world = asked(&settled(3));
    let mut before: Option<Plan> = None;
    for _ in 0..4 {
        let plan = world.plan();
        if let Some(before) = &before {
            let phase = plan.changes.first().map(|c| c.phase);
            assert!(plan.changes.iter().all(|c| Some(c.phase) == phase || c.phase == Phase::Withdraw));
            assert_eq!(sorted(lines(&plan)), phase.map(|p| forecast(before, p)).unwrap_or_default());
        }
        world.apply(&plan);
        world.options.replace.clear();
        world.ack_all();
        before = Some(plan);
    }
    assert!(world.plan().is_settled());
}

#[test]
fn what_nobody_trusts_is_changed_at_once() {
    let mut world = settled(2);
    for store in [cacerts(0), cacerts(1), keystore(1)] {
        let key = world.open(&store).unwrap().entries().iter().any(|e| e.alias.as_deref() == Some("wsm"));
        let seeds = if key { vec![Seed::Key("wsm".into(), pool().good[1][0].clone(), "changeit")] } else { Vec::new() };
        world.disk.insert(store, Disk::File(jks(&seeds)));
    }
    world.ledger.placed.clear();
    let plan = asked(&world).plan();
    assert!(lines(&plan).contains(&"install h0.acme.example/keystore ~ regenerate wsm".to_owned()));
    assert!(plan.forecast.is_empty() && plan.barriers.is_empty() && plan.interruptions.is_empty());
}

#[test]
fn what_nobody_can_use_is_changed_at_once() {
    for kind in [FindingKind::Expired, FindingKind::Distrusted] {
        let mut world = settled(2);
        let present = world.present(&wsm(0)).unwrap();
        if kind == FindingKind::Distrusted {
            world.topology.distrust.insert(present, "key on a lost laptop".into());
        } else {
            later(&mut world, 901);
        }
        let plan = world.plan();
        let line = "install h0.acme.example/keystore ~ regenerate wsm".to_owned();
        assert!(lines(&plan).contains(&line), "{kind}: {:#?}", lines(&plan));
        world.apply(&plan);
        assert!(!world.trusted(&cacerts(1)).values().any(|f| *f == present), "{kind}");
    }
}

#[test]
fn a_rotation_forgotten_is_drift() {
    let mut world = asked(&settled(2));
    world.apply(&world.plan());
    world.options.replace.clear();
    later(&mut world, 6);
    assert_eq!(drifts(&world.plan()), [""; 0]);
    later(&mut world, 2);
    let said = drifts(&world.plan());
    assert!(said.iter().any(|d| d.starts_with("rotation-waiting") && d.contains("waiting too long")), "{said:#?}");
    // So is a rotation whose last step nobody takes.
    world.ack_all();
    world.apply(&world.plan());
    world.ack_all();
    assert_eq!(drifts(&world.plan()), [""; 0]);
    later(&mut world, 8);
    assert_eq!(drifts(&world.plan()).len(), 6, "{:#?}", drifts(&world.plan()));
}

#[test]
fn a_second_rotation_waits_for_the_first() {
    let mut world = asked(&settled(2));
    world.apply(&world.plan());
    let next = world.staging[&wsm(0)].print();
    // Asked again before the barrier: the rotation under way continues.
    let plan = world.plan();
    assert!(plan.mints.is_empty() && plan.changes.is_empty());
    let said: Vec<_> = plan.findings.iter().map(|f| f.message.as_str()).collect();
    assert!(said.iter().any(|m| m.starts_with("--replace is ignored")), "{said:#?}");
    world.ack_all();
    world.apply(&world.plan());
    assert_eq!(world.present(&wsm(0)), Some(next));
    // Asked again while it settles: it continues too.
    assert!(world.plan().changes.is_empty());
    world.ack_all();
    let plan = world.plan();
    // After that, the request begins a rotation of its own, beside the leftovers of the first one.
    assert!(plan.mints.contains_key(&wsm(0)), "{:#?}", lines(&plan));
    world.apply(&plan);
    world.options.replace.clear();
    for _ in 0..4 {
        world.ack_all();
        world.apply(&world.plan());
    }
    world.ack_all();
    assert!(world.plan().is_settled(), "{:#?}", lines(&world.plan()));
    assert_ne!(world.present(&wsm(0)), Some(next));
}

#[test]
fn a_rotation_abandoned_leaves_no_trace() {
    let mut world = asked(&settled(2));
    let before = world.trusted(&cacerts(1));
    world.apply(&world.plan());
    world.options.replace.clear();
    // The staged key is thrown away. No service ever presented its certificate, so the certificate is deleted.
    world.staging.clear();
    let plan = world.plan();
    assert_eq!(plan.changes.len(), 3, "{:#?}", lines(&plan));
    assert!(plan.changes.iter().all(|c| c.edit.action() == Action::Delete));
    world.apply(&plan);
    world.ack_all();
    assert_eq!(world.trusted(&cacerts(1)), before);
    assert!(world.plan().is_settled());
}

#[test]
fn a_spec_that_asks_for_another_certificate_gets_it_beside_the_old() {
    let mut world = asked(&settled(2));
    world.apply(&world.plan());
    world.options.replace.clear();
    let first = world.staging[&wsm(0)].print();
    // Meanwhile the spec demands another key: the staged certificate no longer fits, though the present one may stay in
    // use.
    world.topology.identities.get_mut(&wsm(0)).unwrap().key = trustmason_spec::topology::KeyKind::Ec(384);
    let constraints = &mut world.topology.identities.get_mut(&wsm(0)).unwrap().constraints;
    constraints.key = Some(trustmason_spec::topology::KeyKind::Ec(384));
    let plan = world.plan();
    assert!(plan.mints.contains_key(&wsm(0)));
    let beside = "extend h1.acme.example/keystore ~ replace h0.acme.example~next".to_owned();
    assert!(lines(&plan).contains(&beside), "{:#?}", lines(&plan));
    let old = world.present(&wsm(0)).unwrap();
    assert_eq!(world.trusted(&keystore(1))["h0.acme.example"], old);
    assert_eq!(world.trusted(&keystore(1))["h0.acme.example~next"], first);
}

#[test]
fn a_truster_that_joins_meanwhile_learns_both_before_the_identity_changes() {
    let mut world = asked(&settled(3));
    let late = cacerts(2);
    let edges: Vec<_> = world.topology.edges.iter().filter(|e| e.store == late).cloned().collect();
    world.topology.edges.retain(|e| e.store != late);
    world.disk.insert(late.clone(), Disk::File(jks(&[])));
    world.ledger.placed.remove(&late);
    world.apply(&world.plan());
    world.options.replace.clear();
    world.ack_all();
    assert_eq!(world.plan().changes[0].phase, Phase::Install);
    // The rules of this store are written only now.
    world.topology.edges.extend(edges);
    world.topology.edges.sort_by(|a, b| a.id.cmp(&b.id));
    let plan = world.plan();
    assert!(!lines(&plan).iter().any(|l| l.starts_with("install")), "{:#?}", lines(&plan));
    let (old, next) = (world.present(&wsm(0)).unwrap(), world.staging[&wsm(0)].print());
    world.apply(&plan);
    let held = world.trusted(&late);
    assert_eq!((held["h0.acme.example_wsm"], held["h0.acme.example_wsm~next"]), (old, next));
    assert!(waits(&world.plan(), Phase::Extend).contains("the restart of h2.acme.example/tomcat"));
}

#[test]
fn a_truster_that_cannot_be_reached_holds_the_identity_back() {
    let mut world = asked(&settled(3));
    world.unreachable.insert(host(2));
    let plan = world.plan();
    let written: BTreeSet<_> = plan.changes.iter().map(|c| c.store.host.clone()).collect();
    assert_eq!(written, BTreeSet::from([host(0), host(1)]), "the others learn it already");
    world.apply(&plan);
    world.options.replace.clear();
    world.ack_all();
    let plan = world.plan();
    assert!(plan.changes.is_empty());
    let said = plan.findings.iter().find(|f| f.identity == Some(wsm(0)) && f.severity == Severity::Blocked).unwrap();
    assert!(
        said.message.contains("h2.acme.example") && said.message.contains("could not get the new certificate"),
        "{}",
        said.message
    );
    // The host comes back, and nothing is lost.
    world.unreachable.clear();
    for _ in 0..5 {
        world.apply(&world.plan());
        world.ack_all();
    }
    assert!(world.plan().is_settled(), "{:#?}", lines(&world.plan()));
}

#[test]
fn a_side_at_a_time_never_leaves_the_other_behind() {
    let mut world = settled(2);
    for (i, side) in [(0, Side::A), (1, Side::B)] {
        world.topology.hosts.get_mut(&host(i)).unwrap().side = Some(side);
    }
    let mut world = asked(&world);
    // Side A alone: its trusters get the certificate, side B does not, so the identity stays as it is.
    world.options.side = Some(Side::A);
    let plan = world.plan();
    assert!(plan.changes.iter().all(|c| c.store.host == host(0) && c.phase == Phase::Extend), "{:#?}", lines(&plan));
    world.apply(&plan);
    world.options.replace.clear();
    world.ack_all();
    let plan = world.plan();
    assert!(plan.changes.is_empty() && plan.summary.blocked > 0);
    // Then side B, whose hosts do not have the identity.
    world.options.side = Some(Side::B);
    let plan = world.plan();
    assert!(plan.changes.iter().all(|c| c.store.host == host(1) && c.phase == Phase::Extend), "{:#?}", lines(&plan));
    world.apply(&plan);
    world.ack_all();
    assert!(world.plan().changes.is_empty(), "the identity is not of this side");
    world.options.side = Some(Side::A);
    assert_eq!(lines(&world.plan()), ["install h0.acme.example/keystore ~ regenerate wsm"]);
}

#[test]
fn a_certificate_brought_in_by_hand_counts_after_a_restart_is_said() {
    let mut world = asked(&settled(2));
    let plan = world.plan();
    let made = world.begin(&plan);
    world.options.replace.clear();
    for store in [cacerts(0), keystore(1)] {
        world.write(&plan, &store, &made);
    }
    // A person deletes the third entry with keytool.
    let seeds: Vec<Seed> = [(world.trusted(&cacerts(1)))]
        .into_iter()
        .flatten()
        .map(|(alias, print)| (alias, by_print(&world, print)))
        .chain([("brought by hand".to_owned(), made[&wsm(0)].clone())])
        .map(|(alias, pair)| Seed::Trusted(alias, pair))
        .collect();
    let before = world.disk.insert(cacerts(1), Disk::File(jks(&seeds)));
    // An acknowledgement from before the certificate was there proves nothing.
    let after = world.disk.insert(cacerts(1), before.unwrap());
    world.ack_all();
    world.disk.insert(cacerts(1), after.unwrap());
    let plan = world.plan();
    assert!(plan.changes.is_empty());
    assert_eq!(waits(&plan, Phase::Extend), BTreeSet::from(["the restart of h1.acme.example/tomcat".to_owned()]));
    world.ack(&service(1, "tomcat"));
    assert_eq!(world.plan().changes[0].phase, Phase::Install);
}

fn by_print(world: &World, print: Fingerprint) -> world::Pair {
    let pool = pool();
    let all = pool.good.iter().flatten().chain(&pool.foreign).chain(world.staging.values());
    all.into_iter().find(|p| p.print() == print).unwrap().clone()
}

#[test]
fn a_name_that_left_stays_trusted_until_the_new_one_is_in_use() {
    let mut world = settled(2);
    // h0 was h9 before, and its certificate still says so.
    let former = make("h9.acme.example", &["h9.acme.example"], -100, 900);
    world.topology.hosts.get_mut(&host(0)).unwrap().formerly = [fqdn("h9.acme.example")].into();
    let key = Seed::Key("wsm".to_owned(), former.clone(), "changeit");
    let peer = Seed::Trusted("h1.acme.example".to_owned(), pool().good[1][0].clone());
    world.disk.insert(keystore(0), Disk::File(jks(&[key, peer])));
    let mut seeds: BTreeMap<String, world::Pair> =
        world.trusted(&cacerts(1)).into_iter().map(|(alias, print)| (alias, by_print(&world, print))).collect();
    seeds.insert("h0.acme.example_wsm".to_owned(), former.clone());
    let seeds: Vec<Seed> = seeds.into_iter().map(|(alias, pair)| Seed::Trusted(alias, pair)).collect();
    world.disk.insert(cacerts(1), Disk::File(jks(&seeds)));
    let trusts = |world: &World| world.trusted(&cacerts(1)).values().any(|f| *f == former.print());
    for turn in 0..4 {
        let plan = world.plan();
        world.apply(&plan);
        let presents = world.present(&wsm(0)) == Some(former.print());
        assert!(!presents || trusts(&world), "turn {turn}: {:#?}", lines(&plan));
        world.ack_all();
    }
    assert!(!trusts(&world));
    assert!(world.plan().is_settled(), "{:#?}", lines(&world.plan()));
}

#[test]
fn restarts_come_in_steps() {
    let mut world = asked(&settled(4));
    for (i, side, cluster) in
        [(0, Some(Side::A), None), (1, Some(Side::B), None), (2, None, Some("fin")), (3, None, Some("fin"))]
    {
        let host = world.topology.hosts.get_mut(&host(i)).unwrap();
        host.side = side;
        host.cluster = cluster.map(Into::into);
        host.publisher = i == 3;
    }
    let plan = world.plan();
    let steps: Vec<_> = plan.restarts.iter().map(|r| (r.service.to_string(), r.step)).collect();
    let expected = [
        ("h0.acme.example/tomcat".to_owned(), 1),
        ("h3.acme.example/tomcat".to_owned(), 1),
        ("h1.acme.example/tomcat".to_owned(), 2),
        ("h2.acme.example/tomcat".to_owned(), 2),
    ];
    assert_eq!(steps, expected);
}
