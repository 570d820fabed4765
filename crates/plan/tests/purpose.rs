//! The purpose of a certificate, and the common names that documents give it.

use crate::world;

use trustmason_keystore::Certificate;
use trustmason_plan::constraints::{self, Violation};
use trustmason_plan::finding::FindingKind;
use trustmason_plan::outline::EdgeVerdict;
use trustmason_spec::name::{IdentityId, RuleId, StoreId};
use trustmason_spec::topology::{CommonName, ExtendedUsage, IdentityDef, NeededBy, Subject, UsageNeed};
use world::{Disk, Pair, Seed, World, found, host, jks, now, params, pool, signed};

fn named(cn: &str, san: &[&str]) -> Pair {
    signed(params(cn, san, -900, 900), None)
}

fn wsm() -> IdentityId {
    IdentityId::new(host(0), "wsm")
}

/// Gives the first host's `wsm` the common name `h0_wsm` instead of the demand for the FQDN.
fn with_common_name(def: &mut IdentityDef, is_unique: bool) {
    def.constraints.cn_is_fqdn = false;
    def.constraints.common_names = vec![CommonName { text: "h0_wsm".to_owned(), is_unique }];
}

fn faults(def: &IdentityDef, certificate: &Certificate) -> Vec<String> {
    let faults = constraints::judge(certificate, def, now());
    faults.iter().filter(|fault| fault.demands_new()).map(Violation::to_string).collect()
}

#[test]
fn a_common_name_of_a_document_is_right_where_the_profile_says_so() {
    let mut def = World::new(1).topology.identities[&wsm()].clone();
    let short = named("H0_wsm", &[]).certificate;
    let full = host(0).to_string();
    assert_eq!(faults(&def, &short), [format!("CN is H0_wsm, but must be {full}")]);
    def.constraints.source = Some("the guide".to_owned());
    assert_eq!(faults(&def, &short), [format!("CN is H0_wsm, but must be {full} (the guide)")]);
    with_common_name(&mut def, true);
    assert_eq!(faults(&def, &short), [] as [&str; 0]);
    assert!(constraints::names(&short, &def) && constraints::identifies(&short, &def));
    // A DNS name counts more than the CN, so this certificate is another host's.
    let others = named("h0_wsm", &["h1.acme.example"]).certificate;
    assert_eq!(faults(&def, &others), [format!("it names h1.acme.example, but must name {full}")]);
    let next = named("h1_wsm", &[]).certificate;
    assert_eq!(faults(&def, &next), [format!("CN is h1_wsm, but must be {full} or h0_wsm (the guide)")]);
    assert!(!constraints::identifies(&next, &def));
    // The FQDN stays right, and so does any CN beside the right DNS name.
    for right in [named(&full, &[]), named("h0_wsm", &[&full]), named("anything", &[&full])] {
        assert_eq!(faults(&def, &right.certificate), [] as [&str; 0]);
    }
}

/// Another host of the estate may have the short name too. For the identity's own certificate the name is right all the
/// same; a certificate that was found elsewhere may be the other host's.
#[test]
fn a_common_name_of_two_hosts_identifies_neither() {
    let mut def = World::new(1).topology.identities[&wsm()].clone();
    with_common_name(&mut def, false);
    let short = named("h0_wsm", &[]).certificate;
    assert_eq!(faults(&def, &short), [] as [&str; 0]);
    assert!(constraints::names(&short, &def) && !constraints::identifies(&short, &def));
}

/// The entry at the alias of the first host's `wsm`, in the second host's keystore: an old certificate with a common
/// name of the documents, while the host presents a new one.
#[test]
fn an_old_entry_with_a_common_name_is_replaced_only_if_the_name_is_one_hosts() {
    for (is_unique, ca) in [(Some(true), false), (Some(true), true), (Some(false), false), (None, false)] {
        let mut world = World::new(2);
        if let Some(is_unique) = is_unique {
            with_common_name(world.topology.identities.get_mut(&wsm()).unwrap(), is_unique);
        }
        let store = StoreId::new(host(1), "keystore");
        let mut content = params("h0_wsm", &[], -900, 900);
        if ca {
            content.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        }
        let old = signed(content, None);
        let entries = [
            Seed::Key("wsm".to_owned(), pool().good[1][0].clone(), "changeit"),
            Seed::Trusted(host(0).to_string(), old),
        ];
        world.disk.insert(store.clone(), Disk::File(jks(&entries)));
        let plan = world.plan();
        let edge = plan.edges.iter().find(|e| e.store == store && e.subject == wsm().to_string()).unwrap();
        let blocked = matches!(edge.verdict, EdgeVerdict::Blocked(_));
        assert_eq!(blocked, is_unique != Some(true), "{is_unique:?} {ca} {:?}", edge.verdict);
    }
}

/// A CA's certificate keeps any alias that it has, unless it is the identity's own by the common name.
#[test]
fn an_entry_with_a_common_name_is_renamed_although_it_is_marked_as_a_cas() {
    for (is_unique, renamed) in [(true, 1), (false, 0)] {
        let mut world = World::new(2);
        with_common_name(world.topology.identities.get_mut(&wsm()).unwrap(), is_unique);
        let mut content = params("h0_wsm", &[], -900, 900);
        content.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let own = signed(content, None);
        let key = Seed::Key("wsm".to_owned(), own.clone(), "changeit");
        world.disk.insert(StoreId::new(host(0), "keystore"), Disk::File(jks(&[key])));
        let store = StoreId::new(host(1), "keystore");
        let key = Seed::Key("wsm".to_owned(), pool().good[1][0].clone(), "changeit");
        world.disk.insert(store.clone(), Disk::File(jks(&[key, Seed::Trusted("aw_cert".to_owned(), own)])));
        let plan = world.plan();
        let renames = plan.changes.iter().filter(|c| c.store == store && c.finding == FindingKind::WrongAlias).count();
        assert_eq!(renames, renamed, "{:#?}", plan.changes);
    }
}

#[test]
fn a_usage_that_is_left_out_is_told_with_what_needs_it() {
    let mut def = World::new(1).topology.identities[&wsm()].clone();
    let need = |usage, by| UsageNeed { usage, by, source: "page 1".to_owned() };
    let rule = |rule: &str| NeededBy::Rule { rule: RuleId::new("test", rule), why: "it is asked".to_owned() };
    let own = NeededBy::Identity(RuleId::new("test", "cvp.wsm"));
    let mut content = params(host(0).as_str(), &[host(0).as_str()], -900, 900);
    content.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let server = signed(content, None).certificate;
    let told = |def: &IdentityDef, certificate: &Certificate| {
        let faults = constraints::judge(certificate, def, now());
        let of_usage = faults.iter().filter(|fault| fault.kind() == FindingKind::EkuMissing);
        of_usage.map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(told(&def, &server), [] as [&str; 0]);
    def.needs = vec![need(ExtendedUsage::ServerAuth, rule("C1"))];
    assert_eq!(told(&def, &server), [] as [&str; 0]);
    def.needs.push(need(ExtendedUsage::ClientAuth, own));
    let base = "its extended key usage leaves out clientAuth, which";
    assert_eq!(told(&def, &server), [format!("{base} test/cvp.wsm needs (page 1)")]);
    def.needs.insert(0, need(ExtendedUsage::ClientAuth, rule("C2")));
    assert_eq!(told(&def, &server), [format!("{base} test/C2 needs: it is asked (and 1 more)")]);
    assert_eq!(told(&def, &named(host(0).as_str(), &[]).certificate), [] as [&str; 0], "no limit allows all");
}

/// A person exports a certificate for servers only while a store still trusts one without limits. It is told once, and
/// only if nothing needs the usage: then `eku-missing` says more.
#[test]
fn an_export_that_loses_client_authentication_is_told_before_it_is_imported() {
    let iis = IdentityId::new(host(0), "iis");
    let export = |usages: &[rcgen::ExtendedKeyUsagePurpose]| {
        let mut content = params(host(0).as_str(), &[host(0).as_str()], -1, 900);
        content.extended_key_usages = usages.to_vec();
        signed(content, None)
    };
    let (server, both) = (
        export(&[rcgen::ExtendedKeyUsagePurpose::ServerAuth]),
        export(&[rcgen::ExtendedKeyUsagePurpose::ServerAuth, rcgen::ExtendedKeyUsagePurpose::ClientAuth]),
    );
    let told = |world: &World, kind: FindingKind| {
        world.plan().findings.iter().filter(|f| f.kind == kind && f.identity.as_ref() == Some(&iis)).count()
    };
    let mut world = World::new(2);
    let held = Seed::Trusted(format!("{}_iis", host(0)), named(host(0).as_str(), &[host(0).as_str()]));
    world.disk.insert(StoreId::new(host(1), "cacerts"), Disk::File(jks(&[held])));
    assert_eq!(told(&world, FindingKind::ClientAuthLost), 0);
    world.sources.insert(Subject::Identity(iis.clone()), found(&both));
    assert_eq!(told(&world, FindingKind::ClientAuthLost), 0);
    world.sources.insert(Subject::Identity(iis.clone()), found(&server));
    assert_eq!(told(&world, FindingKind::ClientAuthLost), 1);
    let by = NeededBy::Rule { rule: RuleId::new("test", "C1"), why: "it is asked".to_owned() };
    let need = UsageNeed { usage: ExtendedUsage::ClientAuth, by, source: "page 1".to_owned() };
    world.topology.identities.get_mut(&iis).unwrap().needs = vec![need];
    assert_eq!(told(&world, FindingKind::ClientAuthLost), 0);
    assert_eq!(told(&world, FindingKind::EkuMissing), 1);
}
