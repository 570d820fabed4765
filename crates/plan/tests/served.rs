//! The certificates that services present are an observation like the others: they give findings and nothing else.

use crate::world;

use trustmason_keystore::{CertificateSlot, Interner};
use trustmason_plan::finding::{Finding, FindingKind, Severity};
use trustmason_plan::observed::ServedLook;
use trustmason_plan::outline::{Plan, PlanOptions};
use trustmason_spec::name::IdentityId;
use world::{World, host, pool};

fn wsm(i: usize) -> IdentityId {
    IdentityId::new(host(i), "wsm")
}

/// A world in which everything is applied.
fn settled() -> World {
    let mut world = World::new(2);
    let plan = world.plan();
    world.apply(&plan);
    assert!(world.plan().changes.is_empty());
    world
}

fn presents(pair: &world::Pair) -> ServedLook {
    ServedLook::Presented(CertificateSlot::Parsed(pair.certificate.clone()))
}

fn asked(world: &World, served: Vec<(IdentityId, ServedLook)>, options: &PlanOptions) -> Plan {
    let mut observed = world.look();
    observed.served = served.into_iter().collect();
    trustmason_plan::plan(&world.topology, &observed, options, world.now)
}

fn of(plan: &Plan, kind: FindingKind) -> Vec<&Finding> {
    plan.findings.iter().filter(|f| f.kind == kind).collect()
}

#[test]
fn what_is_presented_as_it_is_known_is_no_finding() {
    let world = settled();
    let plan = asked(&world, vec![(wsm(0), presents(&pool().good[0][0]))], &world.options);
    assert_eq!(format!("{plan:?}"), format!("{:?}", world.plan()));
}

#[test]
fn another_certificate_is_a_warning_and_changes_nothing() {
    let world = settled();
    let other = pool().good[0][1].clone();
    let plan = asked(&world, vec![(wsm(0), presents(&other))], &world.options);
    let findings = of(&plan, FindingKind::ServedDiffers);
    assert_eq!(findings.len(), 1);
    let finding = findings[0];
    assert_eq!((finding.severity, finding.identity.as_ref()), (Severity::Warning, Some(&wsm(0))));
    assert_eq!(finding.sha256, Some(other.certificate.fingerprint()));
    for print in [&other, &pool().good[0][0]].map(|pair| pair.certificate.fingerprint().to_string()) {
        assert!(finding.message.contains(&print), "{}", finding.message);
    }
    assert!(
        finding.message.contains("restart the service, or check whether it reads another store"),
        "{}",
        finding.message
    );
    assert_eq!((plan.changes, plan.summary), (world.plan().changes, world.plan().summary));
}

#[test]
fn bytes_that_are_no_certificate_differ_too() {
    let world = settled();
    let nonsense = ServedLook::Presented(Interner::new().intern(b"nonsense"));
    let plan = asked(&world, vec![(wsm(0), nonsense)], &world.options);
    let findings = of(&plan, FindingKind::ServedDiffers);
    assert!(findings[0].message.contains("presents a certificate that does not parse"), "{}", findings[0].message);
}

#[test]
fn who_cannot_be_asked_is_information() {
    let world = settled();
    let look = ServedLook::Unreachable("no service listens at that port".to_owned());
    let plan = asked(&world, vec![(wsm(1), look)], &world.options);
    let findings = of(&plan, FindingKind::EndpointUnreachable);
    assert_eq!((findings.len(), findings[0].severity), (1, Severity::Info));
    assert_eq!(findings[0].message, "no service listens at that port");
}

#[test]
fn hosts_that_are_not_selected_are_not_judged() {
    let world = settled();
    let other = presents(&pool().good[0][1]);
    let options = PlanOptions { hosts: vec![host(1).to_string()], ..world.options.clone() };
    let plan = asked(&world, vec![(wsm(0), other.clone()), (wsm(1), other)], &options);
    let identities: Vec<_> =
        of(&plan, FindingKind::ServedDiffers).iter().map(|f| f.identity.clone().unwrap()).collect();
    assert_eq!(identities, [wsm(1)]);
}

#[test]
fn a_former_certificate_means_that_nobody_restarted_the_service() {
    let mut world = settled();
    world.options.replace = vec![wsm(0)];
    let plan = world.plan();
    world.apply(&plan);
    world.options.replace.clear();
    let plan = asked(&world, vec![(wsm(0), presents(&pool().good[0][0]))], &world.options);
    let findings = of(&plan, FindingKind::ServedDiffers);
    assert!(
        findings[0]
            .message
            .ends_with("that is its former certificate, so the service was not restarted yet; restart it"),
        "{}",
        findings[0].message
    );
}
