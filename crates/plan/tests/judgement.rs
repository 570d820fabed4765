//! The judgement of contract §2, one story a test, on real keystore bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use crate::world;

use trustmason_plan::change::{Deed, DeleteReason};
use trustmason_plan::finding::{Kind, Severity};
use trustmason_plan::observed::SourceLook;
use trustmason_plan::outline::{EdgeVerdict, StoreVerdict};
use trustmason_plan::wire;
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::topology::Subject;
use world::{Disk, Seed, World, found, host, jks, make, pool};

fn cacerts(i: usize) -> StoreId {
    StoreId::new(host(i), "cacerts")
}

fn keystore(i: usize) -> StoreId {
    StoreId::new(host(i), "keystore")
}

fn trusted(alias: &str, pair: &world::Pair) -> Seed {
    Seed::Trusted(alias.to_owned(), pair.clone())
}

fn converge(world: &mut World) {
    let plan = world.plan();
    world.apply(&plan);
    let again = world.plan();
    assert!(again.changes.is_empty(), "{:#?}", again.changes);
}

fn findings(plan: &trustmason_plan::outline::Plan, kind: Kind) -> Vec<String> {
    plan.findings.iter().filter(|f| f.kind == kind).map(|f| f.message.clone()).collect()
}

#[test]
fn an_empty_estate_is_filled_and_stays_so() {
    let mut world = World::new(3);
    let plan = world.plan();
    assert_eq!(plan.summary.import, 3 * 6 + 3);
    assert_eq!(plan.summary.changes(), plan.summary.import);
    converge(&mut world);
    assert!(world.plan().is_settled());
}

#[test]
fn a_wrong_name_is_regenerated_and_reaches_every_truster_in_the_same_run() {
    let mut world = World::new(2);
    converge(&mut world);
    let short = pool().short[1].clone();
    let old = pool().good[1][0].clone();
    world.disk.insert(
        keystore(1),
        Disk::File(jks(&[
            Seed::Key("wsm".to_owned(), short.clone(), "changeit"),
            trusted(host(0).as_str(), &pool().good[0][0]),
        ])),
    );
    let plan = world.plan();
    assert_eq!(plan.summary.regenerate, 1, "{:#?}", plan.changes);
    // Both cacerts and the other keystore held the certificate known before.
    assert_eq!(plan.summary.replace, 3, "{:#?}", plan.changes);
    let made = plan.changes.iter().find(|c| matches!(c.deed, Deed::InstallKey { .. })).unwrap();
    assert_eq!(made.finding, Kind::NameMismatch);
    assert_eq!(made.reason, "CN is h1, must be h1.acme.example");
    for change in plan.changes.iter().filter(|c| matches!(c.deed, Deed::Replace { .. })) {
        assert_eq!(change.depends_on, [made.id]);
    }
    world.apply(&plan);
    let again = world.plan();
    assert!(again.is_settled(), "{:#?}", again.changes);
    for store in [cacerts(0), cacerts(1), keystore(0)] {
        let left = world::listing(&world.open(&store).unwrap());
        assert!(
            !left.iter().any(|e| e.3.contains(&old.print()) || e.3.contains(&short.print())),
            "what it replaces leaves"
        );
    }
}

#[test]
fn a_key_under_a_wanted_alias_is_never_touched() {
    let mut world = World::new(2);
    let alias = format!("{}_wsm", host(1));
    let key = Seed::Key(alias.clone(), pool().good[1][2].clone(), "changeit");
    world.disk.insert(cacerts(0), Disk::File(jks(&[key])));
    let before = world::listing(&world.open(&cacerts(0)).unwrap());
    let plan = world.plan();
    let edge = plan.edges.iter().find(|e| e.store == cacerts(0) && e.alias.as_ref() == Some(&alias)).unwrap();
    let EdgeVerdict::Blocked(why) = &edge.verdict else { panic!("{:?}", edge.verdict) };
    assert_eq!(why.finding(), Kind::AliasConflict);
    assert!(why.to_string().contains("rules: { test/T1"), "{why}");
    world.apply(&plan);
    assert_eq!(world::listing(&world.open(&cacerts(0)).unwrap())[0], before[0]);
    // The rest of the store was served all the same.
    assert_eq!(world.plan().summary.blocked, 1);
}

#[test]
fn a_foreign_certificate_at_the_alias_blocks_only_its_edge() {
    let mut world = World::new(2);
    let alias = format!("{}_iis", host(1));
    world.disk.insert(cacerts(0), Disk::File(jks(&[trusted(&alias, &pool().foreign[1])])));
    let plan = world.plan();
    assert_eq!(findings(&plan, Kind::AliasConflict).len(), 1);
    assert_eq!(plan.summary.blocked, 1);
    world.apply(&plan);
    let kept = world::listing(&world.open(&cacerts(0)).unwrap());
    assert!(kept.iter().any(|e| e.0.as_ref() == Some(&alias) && e.3 == [pool().foreign[1].print()]));
}

#[test]
fn an_older_documents_alias_is_renamed_and_keeps_its_date() {
    let mut world = World::new(1);
    converge(&mut world);
    world.ledger = trustmason_plan::ledger::Ledger::default();
    let seeds =
        [trusted(host(0).as_str(), &pool().good[0][0]), trusted(&format!("{}_iis", host(0)), &pool().good[0][1])];
    world.disk.insert(cacerts(0), Disk::File(jks(&seeds)));
    let plan = world.plan();
    assert_eq!((plan.summary.rename, plan.summary.changes()), (1, 1), "{:#?}", plan.changes);
    world.apply(&plan);
    let after = world::listing(&world.open(&cacerts(0)).unwrap());
    assert_eq!(after[0].0.as_deref(), Some(format!("{}_wsm", host(0)).as_str()));
    assert_eq!(after[0].1, Some(1_600_000_000_000));
    assert!(world.plan().is_settled());
}

#[test]
fn the_right_certificate_under_a_foreign_alias_is_in_sync_with_a_warning() {
    let mut world = World::new(1);
    let seeds = [trusted("by hand", &pool().good[0][0]), trusted(&format!("{}_iis", host(0)), &pool().good[0][1])];
    world.disk.insert(cacerts(0), Disk::File(jks(&seeds)));
    world.disk.insert(
        keystore(0),
        Disk::File(jks(&[
            Seed::Key("wsm".to_owned(), pool().good[0][0].clone(), "changeit"),
            trusted(host(0).as_str(), &pool().good[0][0]),
        ])),
    );
    let plan = world.plan();
    assert!(plan.changes.is_empty(), "{:#?}", plan.changes);
    assert_eq!(findings(&plan, Kind::WrongAlias).len(), 1);
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

/// Spells an alias otherwise in a JKS and signs it again, as other tools do.
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
fn hosts_that_left_take_their_trust_with_them() {
    let mut world = World::new(1);
    converge(&mut world);
    let mut seeds = vec![trusted("old server", &pool().retired[0])];
    let both = make("x", &["gone0.acme.example", "h0.acme.example"], -5, 500);
    seeds.push(trusted("half", &both));
    seeds.push(trusted(&format!("{}_wsm", host(0)), &pool().good[0][0]));
    seeds.push(trusted(&format!("{}_iis", host(0)), &pool().good[0][1]));
    world.disk.insert(cacerts(0), Disk::File(jks(&seeds)));
    let plan = world.plan();
    assert_eq!(plan.summary.delete, 1, "a certificate that also names a live host stays");
    assert_eq!(plan.changes[0].finding, Kind::Retired);
    assert!(matches!(plan.changes[0].deed, Deed::Delete { because: DeleteReason::Retired, .. }));
}

#[test]
fn a_former_name_leaves_once_its_host_is_settled() {
    let mut world = World::new(1);
    world.topology.retired.clear();
    world.topology.hosts.get_mut(&host(0)).unwrap().formerly.insert(world::fqdn("gone1.acme.example"));
    let subject = Subject::Identity(IdentityId::new(host(0), "iis"));
    world.sources.insert(
        subject.clone(),
        SourceLook::Missing { folder: "certs".into(), names: vec!["ICMh0.cer".to_owned()], near: None },
    );
    world.disk.insert(cacerts(0), Disk::File(jks(&[trusted("anything", &pool().retired[1])])));
    assert_eq!(world.plan().summary.delete, 0, "an edge to the host is still blocked");
    world.sources.insert(subject, found(&pool().good[0][1]));
    assert_eq!(world.plan().summary.delete, 1);
    converge(&mut world);
}

#[test]
fn what_is_distrusted_leaves_wherever_it_is() {
    let mut world = World::new(1);
    converge(&mut world);
    world.topology.distrust.insert(pool().foreign[0].print(), "compromised".to_owned());
    let plan = world.plan();
    assert_eq!(plan.summary.delete, 1);
    assert!(plan.changes[0].reason.contains("compromised"));
    converge(&mut world);
}

#[test]
fn an_identity_with_a_distrusted_certificate_gets_a_new_one() {
    let mut world = World::new(2);
    converge(&mut world);
    world.topology.distrust.insert(pool().good[0][0].print(), "key copied".to_owned());
    let plan = world.plan();
    assert_eq!(plan.summary.regenerate, 1);
    world.apply(&plan);
    let again = world.plan();
    assert!(again.is_settled(), "{:#?}", again.changes);
}

#[test]
fn missing_and_ambiguous_sources_block_their_edges_and_nothing_else() {
    let mut world = World::new(2);
    let iis = |i| Subject::Identity(IdentityId::new(host(i), "iis"));
    world.sources.insert(
        iis(0),
        SourceLook::Missing { folder: "certs".into(), names: vec!["ICMh0.cer".to_owned()], near: None },
    );
    world.sources.insert(iis(1), SourceLook::Ambiguous { paths: vec!["certs/a.cer".into(), "certs/b.cer".into()] });
    // The stale entry of a blocked edge stays as it is.
    let alias = format!("{}_iis", host(0));
    world.disk.insert(cacerts(0), Disk::File(jks(&[trusted(&alias, &pool().good[0][0])])));
    let plan = world.plan();
    assert_eq!(plan.summary.blocked, 4);
    assert_eq!(findings(&plan, Kind::SourceMissing).len(), 1, "one line for the subject, not one for each truster");
    assert!(findings(&plan, Kind::SourceMissing)[0].contains("certs has no ICMh0.cer"));
    assert_eq!(findings(&plan, Kind::SourceAmbiguous).len(), 1);
    world.apply(&plan);
    assert!(world::listing(&world.open(&cacerts(0)).unwrap()).iter().any(|e| e.0.as_ref() == Some(&alias)));
    assert_eq!(world.plan().summary.changes(), 0);
}

#[test]
fn an_exported_certificate_of_another_host_blocks() {
    let mut world = World::new(2);
    world.sources.insert(Subject::Identity(IdentityId::new(host(0), "iis")), found(&pool().good[1][1]));
    let plan = world.plan();
    let said = findings(&plan, Kind::NameMismatch);
    assert!(said.iter().any(|m| m.contains("h1.acme.example")), "{said:?}");
    assert_eq!(plan.summary.blocked, 2);
}

#[test]
fn a_newer_certificate_in_the_truster_is_never_replaced_by_an_older_one() {
    let mut world = World::new(1);
    converge(&mut world);
    world.ledger = trustmason_plan::ledger::Ledger::default();
    let newer = pool().good[0][2].clone();
    let seeds =
        [trusted(&format!("{}_wsm", host(0)), &pool().good[0][0]), trusted(&format!("{}_iis", host(0)), &newer)];
    world.disk.insert(cacerts(0), Disk::File(jks(&seeds)));
    let plan = world.plan();
    assert!(plan.changes.is_empty(), "{:#?}", plan.changes);
    assert_eq!(findings(&plan, Kind::Ahead).len(), 1);
    assert_eq!(plan.summary.manual, 1);
}

#[test]
fn an_older_certificate_of_the_host_is_replaced() {
    let mut world = World::new(1);
    let seeds = [
        trusted(&format!("{}_wsm", host(0)), &pool().good[0][0]),
        trusted(&format!("{}_iis", host(0)), &pool().expired[0]),
    ];
    world.disk.insert(cacerts(0), Disk::File(jks(&seeds)));
    let plan = world.plan();
    assert_eq!(plan.summary.replace, 1);
    assert_eq!(plan.changes.iter().find(|c| c.store == cacerts(0)).unwrap().finding, Kind::Stale);
    converge(&mut world);
}

#[test]
fn a_reset_store_is_said_once_and_filled_again() {
    let mut world = World::new(2);
    converge(&mut world);
    world.disk.insert(cacerts(0), Disk::File(jks(&[trusted("vendor root", &pool().foreign[0])])));
    let plan = world.plan();
    assert_eq!(findings(&plan, Kind::StoreReset).len(), 1);
    assert_eq!(plan.summary.import, 4);
}

#[test]
fn unknown_is_never_empty() {
    let mut world = World::new(3);
    world.disk.insert(cacerts(0), Disk::Absent);
    world.disk.insert(cacerts(1), Disk::Unreadable);
    world.unreachable.insert(host(2));
    let plan = world.plan();
    for id in [cacerts(0), cacerts(1), cacerts(2), keystore(2)] {
        let view = plan.stores.iter().find(|s| s.id == id).unwrap();
        assert!(matches!(view.verdict, StoreVerdict::Blocked(_)), "{id}");
        assert_eq!(view.expect, None, "nothing may be written to {id}");
        assert!(!plan.changes.iter().any(|c| c.store == id));
    }
    assert_eq!(findings(&plan, Kind::Unreachable).len(), 1, "one line for the host");
    assert_eq!(findings(&plan, Kind::StoreMissing).len(), 1);
    assert_eq!(findings(&plan, Kind::WrongPassword).len(), 1);
    assert!(plan.summary.import > 0, "the others go on");
}

#[test]
fn an_empty_identity_store_is_an_accident_not_an_installation() {
    let mut world = World::new(1);
    world.disk.insert(keystore(0), Disk::File(jks(&[])));
    let plan = world.plan();
    assert_eq!(plan.summary.regenerate, 0);
    assert!(findings(&plan, Kind::StoreMissing).iter().any(|m| m.contains("accident")));
    world.disk.insert(keystore(0), Disk::File(jks(&[trusted("x", &pool().foreign[1])])));
    assert_eq!(world.plan().summary.regenerate, 1, "a store that holds something and lacks the key gets one");
    converge(&mut world);
}

#[test]
fn more_than_ten_deletions_need_a_word() {
    let mut world = World::new(1);
    converge(&mut world);
    let mut seeds: Vec<Seed> = Vec::new();
    for i in 0..11 {
        seeds.push(trusted(&format!("left{i}"), &make("gone0", &["gone0.acme.example"], -5, 500)));
    }
    world.disk.insert(cacerts(0), Disk::File(jks(&seeds)));
    let plan = world.plan();
    assert!(plan.changes.is_empty());
    assert!(findings(&plan, Kind::TooManyDeletes)[0].contains("--allow-deletes 11"));
    world.options.allow_deletes = Some(11);
    assert_eq!(world.plan().summary.delete, 11);
}

#[test]
fn a_store_blocked_by_its_deletions_takes_no_new_identity_and_its_trusters_wait() {
    let mut world = World::new(2);
    converge(&mut world);
    let mut seeds = vec![Seed::Key("wsm".to_owned(), pool().short[0].clone(), "changeit")];
    for i in 0..11 {
        seeds.push(trusted(&format!("left{i}"), &make("gone0", &["gone0.acme.example"], -5, 500)));
    }
    world.disk.insert(keystore(0), Disk::File(jks(&seeds)));
    let plan = world.plan();
    assert_eq!(plan.summary.regenerate, 0);
    assert!(plan.mints.is_empty());
    assert!(plan.changes.iter().all(|c| c.deed.waits_for().is_none()), "{:#?}", plan.changes);
}

#[test]
fn two_stores_that_are_one_file_are_both_blocked() {
    let world = World::new(1);
    let mut observed = world.look();
    for look in observed.stores.values_mut() {
        if let trustmason_plan::observed::StoreLook::Readable(facts) = look {
            facts.file = Some((7, 7));
        }
    }
    let plan = trustmason_plan::plan(&world.topology, &observed, &world.options, world::now());
    assert!(plan.changes.is_empty());
    assert_eq!(findings(&plan, Kind::SameFile).len(), 2);
}

#[test]
fn a_selection_writes_only_its_hosts_and_breaks_nobody_outside() {
    let mut world = World::new(2);
    world.options.hosts = vec!["h0.*".to_owned()];
    let plan = world.plan();
    assert!(plan.changes.iter().all(|c| c.store.host == host(0)));
    world
        .disk
        .insert(keystore(0), Disk::File(jks(&[Seed::Key("wsm".to_owned(), pool().short[0].clone(), "changeit")])));
    let plan = world.plan();
    assert_eq!(plan.summary.regenerate, 0, "h1 trusts it and would break");
    assert!(!findings(&plan, Kind::OutsideSelection).is_empty());
}

#[test]
fn accepted_findings_are_listed_and_do_not_count() {
    let mut world = World::new(1);
    world.disk.insert(cacerts(0), Disk::Unreadable);
    world.sources.insert(Subject::Identity(IdentityId::new(host(0), "iis")), found(&pool().expired[0]));
    world.topology.accept.push(trustmason_spec::topology::Accept {
        finding: "expired".to_owned(),
        store: None,
        sha256: Some(pool().expired[0].print()),
        until: "2026-06-01".to_owned(),
        why: "next window".to_owned(),
    });
    let plan = world.plan();
    let expired = plan.findings.iter().find(|f| f.kind == Kind::Expired).unwrap();
    assert!(expired.accepted && !expired.counts(), "the end day itself is included");
    world.topology.accept[0].until = "2026-05-31".to_owned();
    assert!(!world.plan().findings.iter().find(|f| f.kind == Kind::Expired).unwrap().accepted);
}

#[test]
fn a_ca_issued_identity_is_not_made_self_signed_unasked() {
    let mut world = World::new(1);
    converge(&mut world);
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let ca_key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    ca.distinguished_name.push(rcgen::DnType::CommonName, "Corporate CA");
    let mut leaf = rcgen::CertificateParams::new(vec![host(0).to_string()]).unwrap();
    leaf.distinguished_name = rcgen::DistinguishedName::new();
    leaf.distinguished_name.push(rcgen::DnType::CommonName, "h0");
    let der = leaf.signed_by(&key, &rcgen::Issuer::from_params(&ca, &ca_key)).unwrap().der().to_vec();
    let pair = world::Pair {
        certificate: std::sync::Arc::new(trustmason_keystore::Certificate::parse(&der).unwrap()),
        pkcs8: key.serialize_der(),
    };
    world.disk.insert(
        keystore(0),
        Disk::File(jks(&[
            Seed::Key("wsm".to_owned(), pair, "changeit"),
            trusted(host(0).as_str(), &pool().good[0][0]),
        ])),
    );
    let plan = world.plan();
    assert_eq!(plan.summary.regenerate, 0);
    assert_eq!(findings(&plan, Kind::IssuerMismatch).len(), 1);
    let id = IdentityId::new(host(0), "wsm");
    world.topology.identities.get_mut(&id).unwrap().issuer_explicit = true;
    assert_eq!(world.plan().summary.regenerate, 1);
}

#[test]
fn severities_follow_the_contract() {
    for kind in Kind::ALL {
        assert!(!kind.meaning().is_empty());
        assert_eq!(serde_json::to_string(kind).unwrap(), format!("\"{kind}\""));
    }
    assert_eq!(Kind::Missing.severity(), Severity::Error);
    assert_eq!(Kind::Expiring.severity(), Severity::Warning);
    assert_eq!(Kind::Unmanaged.severity(), Severity::Info);
    assert_eq!(Kind::Unreachable.severity(), Severity::Blocked);
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
fn a_blocked_source_outside_the_selection_is_still_said() {
    let mut world = World::new(2);
    world.options.hosts = vec!["h0.*".to_owned()];
    world.disk.insert(keystore(1), Disk::Unreadable);
    let plan = world.plan();
    assert_eq!(plan.summary.blocked, 2, "cacerts and keystore of h0 trust it");
    let said = findings(&plan, Kind::WrongPassword);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("h1.acme.example/keystore"), "{said:?}");
}

fn rename_rule(world: &mut World, alias: &str) {
    for edge in &mut world.topology.edges {
        if edge.store == cacerts(0) && edge.subject == Subject::Identity(IdentityId::new(host(1), "wsm")) {
            edge.alias = Some(alias.to_owned());
        }
    }
}

#[test]
fn a_changed_alias_costs_no_trust_while_its_subject_cannot_be_seen() {
    let mut world = World::new(2);
    converge(&mut world);
    rename_rule(&mut world, "another_alias");
    world.disk.insert(keystore(1), Disk::Unreadable);
    let plan = world.plan();
    assert!(plan.changes.is_empty(), "{:#?}", plan.changes);
    assert_eq!(plan.summary.blocked, 1 + 1 + 1 + 1, "both cacerts, the other keystore, and the edge in its own");
}

#[test]
fn a_changed_alias_costs_no_trust_while_something_stands_in_its_way() {
    let mut world = World::new(2);
    converge(&mut world);
    rename_rule(&mut world, "vendor root");
    let plan = world.plan();
    assert!(plan.changes.is_empty(), "{:#?}", plan.changes);
    assert_eq!(plan.summary.blocked, 1);
}

#[test]
fn a_certificate_of_several_hosts_stays_while_one_of_them_cannot_be_seen() {
    let mut world = World::new(2);
    let wild = make("*.acme.example", &["*.acme.example"], -300, 900);
    for i in 0..2 {
        let key = Seed::Key("wsm".to_owned(), wild.clone(), "changeit");
        world.disk.insert(keystore(i), Disk::File(jks(&[key])));
    }
    let shared = [trusted("by hand", &wild)];
    world.disk.insert(cacerts(0), Disk::File(jks(&shared)));
    world.unreachable.insert(host(1));
    let plan = world.plan();
    let deleted = plan.changes.iter().any(|c| matches!(c.deed, Deed::Delete { .. }));
    assert!(!deleted, "{:#?}", plan.changes);
}

#[test]
fn a_former_name_waits_for_the_new_certificate_and_for_a_host_that_can_be_seen() {
    let mut world = World::new(2);
    world.topology.retired.clear();
    world.topology.hosts.get_mut(&host(1)).unwrap().formerly.insert(world::fqdn("gone1.acme.example"));
    let old = pool().retired[1].clone();
    world.disk.insert(keystore(1), Disk::File(jks(&[Seed::Key("wsm".to_owned(), old.clone(), "changeit")])));
    world.disk.insert(cacerts(0), Disk::File(jks(&[trusted("old name", &old)])));
    let plan = world.plan();
    let made = plan.changes.iter().find(|c| matches!(c.deed, Deed::InstallKey { .. })).unwrap();
    let gone = plan.changes.iter().find(|c| matches!(c.deed, Deed::Delete { .. })).unwrap();
    assert_eq!(gone.depends_on, [made.id], "it goes only when the new one is there");
    world.unreachable.insert(host(1));
    assert_eq!(world.plan().summary.delete, 0);
    // A store without any edge to that host knows no better.
    world.topology.edges.retain(|e| e.store != cacerts(0));
    assert_eq!(world.plan().summary.delete, 0);
}

#[test]
fn nothing_is_made_anew_behind_the_back_of_a_truster_that_cannot_be_written() {
    let mut world = World::new(2);
    converge(&mut world);
    let near = make("h0.acme.example", &["h0.acme.example"], -900, 30);
    let own = [Seed::Key("wsm".to_owned(), near.clone(), "changeit"), trusted(host(1).as_str(), &pool().good[1][0])];
    world.disk.insert(keystore(0), Disk::File(jks(&own)));
    assert_eq!(world.plan().summary.regenerate, 1);
    world.disk.insert(cacerts(1), Disk::Unreadable);
    let plan = world.plan();
    assert_eq!(plan.summary.regenerate, 0);
    assert!(plan.findings.iter().any(|f| f.identity.is_some() && f.message.contains("would not reach")));
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
    assert!(findings(&plan, Kind::AliasConflict).iter().any(|m| m.contains("spelled `WSM`")), "{:#?}", plan.findings);
}

#[test]
fn a_truster_that_knows_a_later_certificate_stops_the_renewal() {
    let mut world = World::new(1);
    let short_but_old = pool().short[0].clone();
    let own = [Seed::Key("wsm".to_owned(), short_but_old, "changeit"), trusted(host(0).as_str(), &pool().good[0][0])];
    world.disk.insert(keystore(0), Disk::File(jks(&own)));
    world.disk.insert(
        cacerts(0),
        Disk::File(jks(&[trusted(
            &format!("{}_wsm", host(0)),
            &make("h0.acme.example", &["h0.acme.example"], -2, 900),
        )])),
    );
    let plan = world.plan();
    assert_eq!(plan.summary.regenerate, 0);
    assert!(!findings(&plan, Kind::Ahead).is_empty());
}

#[test]
fn retired_means_every_name_of_any_kind() {
    let mut world = World::new(1);
    converge(&mut world);
    let live_cn = make("h0.acme.example", &["gone0.acme.example"], -5, 500);
    let address = make("gone0", &["gone0.acme.example", "10.0.0.5"], -5, 500);
    let gone = make("gone0", &["gone0.acme.example"], -5, 500);
    world
        .disk
        .insert(cacerts(0), Disk::File(jks(&[trusted("a", &live_cn), trusted("b", &address), trusted("c", &gone)])));
    let plan = world.plan();
    let leaving: Vec<_> = plan.changes.iter().filter(|c| c.finding == Kind::Retired).map(|c| c.alias.clone()).collect();
    assert_eq!(leaving, [Some("c".to_owned())]);
}

#[test]
fn two_nodes_of_one_certificate_part_ways() {
    let mut world = World::new(2);
    let both = make("h0.acme.example", &["h0.acme.example", "h1.acme.example"], -800, 900);
    let iis = |i| Subject::Identity(IdentityId::new(host(i), "iis"));
    world.sources.insert(iis(1), found(&both));
    world.disk.insert(cacerts(0), Disk::File(jks(&[trusted(&format!("{}_iis", host(0)), &both)])));
    world.sources.insert(iis(0), found(&pool().good[0][2]));
    let plan = world.plan();
    let here: Vec<_> =
        plan.changes.iter().filter(|c| c.store == cacerts(0)).map(|c| c.deed.action().as_str()).collect();
    assert_eq!(plan.summary.blocked, 0, "{:#?}", plan.findings);
    assert!(here.contains(&"replace") && here.contains(&"import"), "{here:?}");
    converge(&mut world);
}

/// A certificate of this name that is a CA's.
fn a_ca(name: &str) -> world::Pair {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let der = params.self_signed(&key).unwrap().der().to_vec();
    let certificate = trustmason_keystore::Certificate::parse(&der).unwrap();
    world::Pair { certificate: std::sync::Arc::new(certificate), pkcs8: key.serialize_der() }
}

#[test]
fn by_name_leaves_only_what_says_in_full_whose_it_is() {
    let seeds = [
        ("full", make("gone0.acme.example", &["gone0.acme.example"], -300, 900), true),
        ("short beside full", make("gone0", &["gone0.acme.example"], -300, 900), true),
        ("short", make("gone0", &[], -300, 900), false),
        ("short of another", make("gone1", &["gone0.acme.example"], -300, 900), false),
        ("with a live name", make("gone0.acme.example", &["gone0.acme.example", "x.example"], -300, 900), false),
        ("a ca", a_ca("gone0.acme.example"), false),
    ];
    let mut world = World::new(1);
    let entries: Vec<Seed> = seeds.iter().map(|(alias, pair, _)| trusted(alias, pair)).collect();
    world.disk.insert(cacerts(0), Disk::File(jks(&entries)));
    let plan = world.plan();
    world.apply(&plan);
    let left = world::listing(&world.open(&cacerts(0)).unwrap());
    for (alias, pair, leaves) in seeds {
        assert_eq!(!left.iter().any(|entry| entry.3.contains(&pair.print())), leaves, "{alias}");
    }
}

#[test]
fn what_a_live_host_presents_is_deleted_by_nobodys_name() {
    let mut world = World::new(1);
    // People export it by hand, and it names a host that left: nobody here makes it anew.
    let presented = pool().retired[0].clone();
    world.sources.insert(Subject::Identity(IdentityId::new(host(0), "iis")), found(&presented));
    world.disk.insert(cacerts(0), Disk::File(jks(&[trusted("by hand", &presented)])));
    let plan = world.plan();
    assert_eq!(plan.summary.delete, 0, "{:#?}", plan.changes);
}

#[test]
fn a_hosts_certificate_that_is_a_ca_is_said() {
    let mut world = World::new(1);
    let subject = Subject::Identity(IdentityId::new(host(0), "iis"));
    world.sources.insert(subject, found(&a_ca(host(0).as_str())));
    let said = findings(&world.plan(), Kind::HostIsCa);
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("is a CA's (basic constraints)"), "{said:?}");
}
