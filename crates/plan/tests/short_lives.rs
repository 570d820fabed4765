//! Certificates that live for weeks. A pair of CVP servers under an authority that issues for 47 days is renewed three
//! times with an injected clock, and nothing is untrusted on any day. Certificates that live for 180 days or longer are
//! judged as they were when 60 days were the fixed default.

use crate::world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use proptest::prelude::*;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer as Signer, KeyPair};
use trustmason_keystore::Certificate;
use trustmason_keystore::path::{TlsUse, validate};
use trustmason_plan::change::Phase;
use trustmason_plan::constraints::{self, Dates, ExpiryStage, Terms};
use trustmason_plan::finding::FindingKind;
use trustmason_plan::observed::{InboxFile, InboxLook};
use trustmason_plan::outline::{IdentityVerdict, Plan, UnchangedTrusters};
use trustmason_spec::name::{IdentityId, ServiceId, StoreId};
use trustmason_spec::topology::{AuthorityDef, CertificateSource, Issuer, LeadTime, Percent, Subject, Topology};
use trustmason_spec::{parse, profile, resolve};
use world::{DAY, Disk, NOW, Pair, Seed, World, found, make, make_ca, params};

/// A pair of CVP servers whose identities an authority issues, and an ADS that trusts them. Their keystores are JKS,
/// because a JCEKS protects each key by many rounds, and this estate is opened on hundreds of days.
const PAIR: &str = "trustmason: 1
estate: acme
profile: pcce-12.6
access: { root: './hosts/{fqdn}' }
authorities:
  lab-ca: { root: { file: ca/root.pem, sha256: 'ROOT' }, requests_dir: ./csr, inbox: ./inbox }
hosts:
  adsa.acme.example: { role: ads, side: a, vars: { CCE_JAVA_HOME: 'C:\\Java' } }
  cvp1.acme.example: { role: cvp, side: a, identity: { issuer: lab-ca } }
  cvp2.acme.example: { role: cvp, side: b, identity: { issuer: lab-ca } }
stores:
  cvp*.acme.example/keystore: { format: jks }
";

fn topology(text: &str, folder: &Path) -> Option<Topology> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| e.to_string());
    let spec = parse(text, "estate.yaml").ok()?;
    let profiles = profile::load(&spec, folder, read).ok()?;
    Some(resolve(&spec, &profiles, folder).ok()?.topology)
}

/// The services as they run: what they read when they last started.
#[derive(Default)]
struct Running {
    /// The certificate that an identity's service presents.
    presents: BTreeMap<IdentityId, Arc<Certificate>>,
    /// The certificates that a service trusts, by the store it read them from.
    trusts: BTreeMap<(ServiceId, StoreId), Vec<Arc<Certificate>>>,
    /// How often each service started.
    starts: BTreeMap<ServiceId, usize>,
}

/// The pair, its authority and its running services, day by day.
struct Estate {
    world: World,
    root: Pair,
    /// The days for which the authority issues.
    lives: i64,
    /// The requests at the authority, each with the day of its answer.
    asked: BTreeMap<IdentityId, i64>,
    running: Running,
    day: i64,
}

impl Estate {
    fn new(lives: i64, renew_before: LeadTime) -> Self {
        let root = make_ca("Lab Root CA", &[]);
        let topology = topology(&PAIR.replace("ROOT", &root.print().to_string()), Path::new("/estate")).unwrap();
        let mut world = World::new(1);
        world.topology = topology;
        (world.disk, world.sources) = (BTreeMap::new(), BTreeMap::new());
        world.sources.insert(Subject::Certificate(AuthorityDef::root("lab-ca")), found(&root));
        let mut estate = Self { world, root, lives, asked: BTreeMap::new(), running: Running::default(), day: 0 };
        let mut seeds: BTreeMap<StoreId, Vec<Seed>> =
            estate.world.topology.stores.keys().map(|id| (id.clone(), Vec::new())).collect();
        for def in estate.world.topology.identities.values_mut() {
            let name = def.id.host.to_string();
            let long = make(&name, &[&name], -300, 3000);
            match &def.source {
                CertificateSource::KeyEntry(place) => {
                    // The keys of the model are on a curve, because an RSA key takes seconds to make here.
                    def.constraints.key = None;
                    def.renew_before = renew_before;
                    let alias = place.at.alias().unwrap().to_string();
                    let key = KeyPair::generate().unwrap();
                    let pair = issued(&estate.root, &name, &key, 0, estate.lives);
                    seeds.get_mut(&place.store).unwrap().push(Seed::Key(alias, pair, "changeit"));
                }
                CertificateSource::Exported { .. } | CertificateSource::File(_) => {
                    estate.world.sources.insert(Subject::Identity(def.id.clone()), found(&long));
                }
            }
        }
        for (id, seeds) in seeds {
            estate.world.disk.insert(id, Disk::File(world::jks(&seeds)));
        }
        estate
    }

    /// Applies plans and restarts services until nothing is left to do.
    fn converge(&mut self) {
        for round in 0.. {
            let plan = self.apply();
            self.world.topology.services.clone().keys().for_each(|service| self.restart(service));
            if plan.summary.changes() == 0 && self.world.ledger.restarts.is_empty() && plan.is_settled() {
                break;
            }
            assert!(round < 5, "the estate does not converge: {:#?}", plan.findings);
        }
        self.running.starts.clear();
    }

    /// Makes a plan and carries it out. Requests go to the authority, which answers two days later.
    fn apply(&mut self) -> Plan {
        let plan = self.world.plan();
        for (id, mint) in &plan.mints {
            if let (None, Some(leaf)) = (&mint.request, &mint.resumed) {
                // The key of a reply is the one in staging.
                let staged = self.world.staging.get_mut(id).unwrap();
                assert_eq!(staged.certificate.spki_der(), leaf.spki_der());
                staged.certificate = Arc::clone(leaf);
            }
        }
        self.world.apply(&plan);
        self.asked.extend(
            plan.mints.iter().filter(|(_, mint)| mint.request.is_some()).map(|(id, _)| (id.clone(), self.day + 2)),
        );
        plan
    }

    /// The authority answers the requests that are due.
    fn answer(&mut self) {
        let due: Vec<IdentityId> =
            self.asked.iter().filter(|(_, day)| **day <= self.day).map(|(id, _)| id.clone()).collect();
        for id in due {
            self.asked.remove(&id);
            let key = KeyPair::try_from(self.world.staging[&id].pkcs8.as_slice()).unwrap();
            let reply = issued(&self.root, id.host.as_str(), &key, self.day, self.lives);
            let inbox = self
                .world
                .inboxes
                .entry("lab-ca".to_owned())
                .or_insert_with(|| InboxLook { files: Vec::new(), failure: None });
            let path = PathBuf::from(format!("inbox/{}_{}_{}.pem", id.host, id.name, self.day));
            inbox.files.push(InboxFile { path, certificates: vec![reply.certificate], failure: None });
        }
    }

    /// Restarts a service: it reads its key and its trust stores, and a person reports the restart.
    fn restart(&mut self, service: &ServiceId) {
        *self.running.starts.entry(service.clone()).or_default() += 1;
        let topology = &self.world.topology;
        for def in topology.identities.values().filter(|def| def.restart.contains(service)) {
            if let CertificateSource::KeyEntry(place) = &def.source {
                let store = self.world.open(&place.store).unwrap();
                let entry = store.entries().iter().find(|e| place.at.is_at(e.alias.as_ref())).unwrap();
                let leaf = entry.certificates()[0].certificate().unwrap();
                self.running.presents.insert(def.id.clone(), Arc::clone(leaf));
            }
        }
        for def in topology.stores.values().filter(|def| def.restart.contains(service)) {
            let store = self.world.open(&def.id).unwrap();
            let trusted: BTreeSet<_> = self.world.trusted(&def.id).into_values().collect();
            let slots =
                store.entries().iter().flat_map(|e| e.certificates().iter().take(1)).filter_map(|s| s.certificate());
            let read = slots.filter(|c| trusted.contains(&c.fingerprint())).map(Arc::clone).collect();
            self.running.trusts.insert((service.clone(), def.id.clone()), read);
        }
        self.world.ack(service);
    }

    /// Asserts that no presented certificate has ended, and that every service that must trust it does.
    fn works(&self, what: &str) {
        let now = NOW + self.day * DAY;
        assert!(self.running.presents.len() >= 6, "both servers present three certificates");
        for (id, leaf) in &self.running.presents {
            assert!(
                leaf.not_before() <= now && now <= leaf.not_after(),
                "day {}, {what}: {id} presents what ended",
                self.day
            );
            let edges = self.world.topology.edges.iter().filter(|e| e.subject == Subject::Identity(id.clone()));
            for (edge, service) in
                edges.flat_map(|e| self.world.topology.stores[&e.store].restart.iter().map(move |s| (e, s)))
            {
                let read = &self.running.trusts[&(service.clone(), edge.store.clone())];
                let accepts = |anchor: &Arc<Certificate>| {
                    anchor.fingerprint() == leaf.fingerprint() || validate(leaf, &[], anchor, now, TlsUse::Both).is_ok()
                };
                assert!(read.iter().any(accepts), "day {}, {what}: {service} does not trust {id}", self.day);
            }
        }
    }

    /// One day: the authority answers, a plan is carried out, and the next morning the services restart. Returns the
    /// plan.
    fn pass(&mut self) -> Plan {
        self.day += 1;
        self.world.now = Timestamp::from_second(NOW + self.day * DAY).unwrap();
        self.works("in the morning");
        let pending: Vec<ServiceId> = self.world.ledger.restarts.keys().cloned().collect();
        pending.iter().for_each(|service| self.restart(service));
        self.works("after the restarts");
        self.answer();
        let plan = self.apply();
        self.works("after apply");
        plan
    }
}

/// A certificate of an authority for a key. It begins on this day, and its last second is the last of its last day.
fn issued(root: &Pair, name: &str, key: &KeyPair, day: i64, lives: i64) -> Pair {
    let mut params: CertificateParams = params(name, &[name], day, day + lives);
    params.not_after -= std::time::Duration::from_secs(1);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let signer = KeyPair::try_from(root.pkcs8.as_slice()).unwrap();
    let issuer = Signer::from_ca_cert_der(&root.certificate.der().into(), signer).unwrap();
    let made = params.signed_by(key, &issuer).unwrap();
    Pair { certificate: Arc::new(Certificate::parse(made.der()).unwrap()), pkcs8: key.serialize_der() }
}

fn share(percent: u8) -> LeadTime {
    LeadTime::Share(Percent::new(percent).unwrap())
}

/// The identity that the ADS trusts.
fn wsm(host: &str) -> IdentityId {
    IdentityId::parse(&format!("{host}.acme.example/wsm")).unwrap()
}

fn unchanged(plan: &Plan, id: &IdentityId) -> Option<UnchangedTrusters> {
    plan.identities.iter().find(|view| view.id == *id).unwrap().unchanged.clone()
}

/// Renews the pair three times, day by day. `first` is the day of the first request.
#[track_caller]
fn three_renewals(lives: i64, renew_before: LeadTime, first: i64) {
    let mut estate = Estate::new(lives, renew_before);
    estate.converge();
    estate.works("at the beginning");
    let stores = |estate: &Estate| {
        estate
            .world
            .disk
            .iter()
            .filter(|(id, _)| id.name != "keystore")
            .map(|(id, disk)| (id.clone(), disk.clone()))
            .collect::<Vec<_>>()
    };
    let trusters = stores(&estate);
    let (mut installed, mut requested, mut days) = (0, 0, Vec::new());
    while installed < 3 * 6 || !estate.world.ledger.restarts.is_empty() {
        let plan = estate.pass();
        assert!(estate.day < 4 * lives, "{installed} renewals until day {}", estate.day);
        assert_eq!(plan.summary.blocked, 0, "day {}: {:#?}", estate.day, plan.blocked);
        // Nothing is extended, nothing is withdrawn.
        let phases: BTreeSet<Phase> = plan.changes.iter().map(|change| change.phase).collect();
        assert!(phases.iter().all(|phase| *phase == Phase::Install), "day {}: {phases:?}", estate.day);
        assert_eq!(stores(&estate), trusters, "day {}: a store that trusts the pair changed", estate.day);
        installed += plan.summary.install;
        requested += plan.summary.request;
        if plan.summary.request > 0 {
            days.push(estate.day);
            let said = UnchangedTrusters { authority: "lab-ca".to_owned(), replied: false };
            assert_eq!(unchanged(&plan, &wsm("cvp1")), Some(said));
        }
        if plan.summary.install > 0 {
            let said = UnchangedTrusters { authority: "lab-ca".to_owned(), replied: true };
            assert_eq!(unchanged(&plan, &wsm("cvp2")), Some(said));
        }
    }
    assert_eq!((installed, requested), (18, 18), "{lives} days, {renew_before}");
    assert_eq!(days[0], first, "{lives} days, {renew_before}: the first renewal");
    assert_eq!(days.len(), 3);
    let starts: BTreeMap<String, usize> = estate.running.starts.iter().map(|(id, n)| (id.to_string(), *n)).collect();
    let mut wanted = BTreeMap::new();
    for host in ["cvp1", "cvp2"] {
        wanted.extend(["callserver", "vxml", "wsm"].map(|name| (format!("{host}.acme.example/{name}"), 3)));
    }
    assert_eq!(starts, wanted, "{lives} days, {renew_before}: one restart per service and renewal");
}

#[test]
fn a_pair_of_47_days_is_renewed_three_times_with_one_restart_each_and_without_a_bad_day() {
    three_renewals(47, LeadTime::Default, 32);
}

#[test]
fn a_pair_with_a_share_of_47_days_is_renewed_so_too() {
    three_renewals(47, share(50), 24);
}

#[test]
fn a_pair_of_30_days_is_renewed_so_too() {
    three_renewals(30, LeadTime::Default, 20);
}

/// The estate after its beginning, for tests of the invariant itself.
fn begun() -> Estate {
    let mut estate = Estate::new(47, LeadTime::Default);
    estate.converge();
    estate.works("at the beginning");
    estate
}

#[test]
#[should_panic(expected = "presents what ended")]
fn a_day_on_which_a_certificate_ended_is_seen() {
    let mut estate = begun();
    estate.day = 47;
    estate.works("without a renewal");
}

#[test]
#[should_panic(expected = "adsa.acme.example/tomcat does not trust cvp1.acme.example/wsm")]
fn a_day_on_which_a_certificate_is_not_trusted_is_seen() {
    let mut estate = begun();
    let root = estate.root.print();
    estate.running.trusts.values_mut().for_each(|read| read.retain(|c| c.fingerprint() != root));
    estate.works("without the root");
}

#[test]
fn a_store_that_holds_the_certificate_itself_is_not_said_to_stay() {
    let mut estate = Estate::new(47, LeadTime::Default);
    estate.converge();
    let store = StoreId::parse("adsa.acme.example/cacerts").unwrap();
    let trusted = |certificate: &Arc<Certificate>| Pair { certificate: Arc::clone(certificate), pkcs8: Vec::new() };
    let held = estate.world.open(&store).unwrap();
    let held = held.entries().iter().map(|entry| {
        let certificate = entry.certificates()[0].certificate().unwrap();
        Seed::Trusted(entry.alias.as_deref().unwrap().to_owned(), trusted(certificate))
    });
    let leaf = Seed::Trusted("by hand".to_owned(), trusted(&estate.running.presents[&wsm("cvp1")]));
    let seeds: Vec<Seed> = held.chain([leaf]).collect();
    estate.world.disk.insert(store, Disk::File(world::jks(&seeds)));
    estate.restart(&ServiceId::parse("adsa.acme.example/tomcat").unwrap());
    estate.day = 32;
    estate.world.now = Timestamp::from_second(NOW + estate.day * DAY).unwrap();
    let plan = estate.world.plan();
    assert_eq!(plan.summary.request, 6);
    assert_eq!(unchanged(&plan, &wsm("cvp1")), None);
    assert!(unchanged(&plan, &wsm("cvp2")).is_some());
    // Nobody trusts the certificate of the VXML server here, so there is nothing to say of it.
    assert_eq!(unchanged(&plan, &IdentityId::parse("cvp1.acme.example/vxml").unwrap()), None);
}

#[test]
fn a_number_of_days_that_exceeds_the_lifetime_is_refused_by_its_name() {
    let mut estate = Estate::new(47, LeadTime::Days(60));
    estate.converge_without_replies();
    let plan = (0..4).map(|_| estate.pass()).last().unwrap();
    let view = plan.identities.iter().find(|view| view.id == wsm("cvp1")).unwrap();
    assert!(
        matches!(&view.verdict, IdentityVerdict::Waits { obstacle: Some(one) } if one.kind == FindingKind::ReplyDates),
        "{view:#?}"
    );
    let said: Vec<&str> = plan
        .findings
        .iter()
        .filter(|f| f.kind == FindingKind::ReplyDates && f.identity == Some(wsm("cvp1")))
        .map(|f| f.message.as_str())
        .collect();
    assert_eq!(
        said,
        [
            "inbox/cvp1.acme.example_wsm_2.pem: lab-ca issued it for 47 days, but its `renew_before` is 60d, so it would be due from \
          its first day; write `renew_before` as a share of the lifetime, such as 33%, or ask lab-ca for a longer lifetime"
        ]
    );
    assert_eq!(unchanged(&plan, &wsm("cvp1")), None);
}

impl Estate {
    /// Brings the trust into place while the present certificates are judged as they are.
    fn converge_without_replies(&mut self) {
        for _ in 0..3 {
            let _ = self.apply();
            self.world.topology.services.clone().keys().for_each(|service| self.restart(service));
        }
        self.asked.values_mut().for_each(|day| *day = 2);
    }
}

#[test]
fn the_message_names_the_rule_that_holds() {
    let mut def = World::new(1).topology.identities[&IdentityId::new(world::host(0), "wsm")].clone();
    let root = make_ca("Lab Root CA", &[]);
    let mut said = |before: LeadTime, lives: i64, day: i64| {
        let key = KeyPair::generate().unwrap();
        let pair = issued(&root, world::host(0).as_str(), &key, 0, lives);
        def.renew_before = before;
        let faults = constraints::judge(&pair.certificate, &def, Timestamp::from_second(NOW + day * DAY).unwrap());
        faults.iter().find(|f| f.kind() == FindingKind::Expiring).map(ToString::to_string)
    };
    assert_eq!(said(share(33), 47, 31), None);
    assert_eq!(
        said(share(33), 47, 32).unwrap(),
        "it ends on 2026-07-17, in 14 days (renew_before is 33% of its 47 days: 15 days)"
    );
    assert_eq!(
        said(LeadTime::Default, 47, 32).unwrap(),
        "it ends on 2026-07-17, in 14 days (renew_before is a third of its 47 days: 15 days)"
    );
    assert_eq!(said(LeadTime::Default, 180, 121).unwrap(), "it ends on 2026-11-27, in 58 days (renew_before is 60d)");
    assert_eq!(said(LeadTime::Days(60), 365, 306).unwrap(), "it ends on 2027-05-31, in 58 days (renew_before is 60d)");
    assert_eq!(
        said(LeadTime::Days(60), 47, 0).unwrap(),
        "it ends on 2026-07-17, in 46 days (renew_before is 60d, but it was issued for 47 days: it was due from its first day)"
    );
}

/// The rule as it was before lifetimes counted: fixed numbers of days.
fn fixed(certificate: &Certificate, renew_days: Option<i64>, warn_days: i64, now: i64) -> Dates {
    let (from, at) = (certificate.not_before(), certificate.not_after());
    let end = if at < now {
        ExpiryStage::Past
    } else if renew_days.is_some_and(|days| at < now + days * DAY) {
        ExpiryStage::Due
    } else if at - now < warn_days * DAY {
        ExpiryStage::Soon
    } else {
        ExpiryStage::Far
    };
    Dates { begins: (from > now).then_some(from), end }
}

/// Certificates that live for 180 days or longer, among them those of exactly 180 days, with and without a last second
/// that counts.
fn long_lives() -> &'static [Arc<Certificate>] {
    static MADE: OnceLock<Vec<Arc<Certificate>>> = OnceLock::new();
    MADE.get_or_init(|| {
        let lives = [180, 181, 182, 183, 185, 198, 199, 200, 240, 365, 397, 398, 825, 1095, 1825, 3650, 7300];
        let exact = lives.map(|days| make("h0.acme.example", &["h0.acme.example"], -30, days - 30).certificate);
        let root = make_ca("Lab Root CA", &[]);
        let key = KeyPair::generate().unwrap();
        let short = lives.map(|days| issued(&root, "h0.acme.example", &key, -30, days).certificate);
        exact.into_iter().chain(short).collect()
    })
}

/// The files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .flat_map(|entry| if entry.file_type().unwrap().is_dir() { files(&entry.path()) } else { vec![entry.path()] })
        .collect()
}

/// Each spec of the repository that can be resolved, with its place: files, and the examples of the documentation.
fn specs() -> Vec<(String, Topology)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths: Vec<PathBuf> =
        ["specs", "fixtures", "docs", "crates"].iter().flat_map(|name| files(&top.join(name))).collect();
    paths.push(top.join("README.md"));
    let mut found = Vec::new();
    for path in paths.iter().filter(|path| !path.components().any(|part| part.as_os_str() == "invalid")) {
        let texts = match path.extension().and_then(|end| end.to_str()) {
            Some("yaml") => vec![std::fs::read_to_string(path).unwrap()],
            Some("md") => examples(&std::fs::read_to_string(path).unwrap()),
            _ => Vec::new(),
        };
        let specs = texts.iter().filter(|text| text.lines().any(|line| line == "trustmason: 1"));
        let resolved = specs.filter_map(|text| topology(text, path.parent().unwrap()));
        found.extend(resolved.map(|topology| (path.display().to_string(), topology)));
    }
    found
}

/// The YAML examples of a page.
fn examples(page: &str) -> Vec<String> {
    let blocks = page.split("```yaml").skip(1).filter_map(|rest| rest.split_once('\n')?.1.split_once("```"));
    blocks.map(|(text, _)| text.to_owned()).collect()
}

/// The days of a setting before lifetimes counted.
fn days_of(setting: LeadTime) -> i64 {
    match setting {
        LeadTime::Default => 60,
        LeadTime::Days(days) => i64::from(days),
        LeadTime::Share(_) => panic!("a share could not be written before"),
    }
}

#[test]
fn no_spec_of_the_repository_is_judged_otherwise_if_its_certificates_live_180_days() {
    let specs = specs();
    assert!(specs.len() >= 45, "only {} specs", specs.len());
    let mut settings: BTreeSet<(Option<i64>, i64)> = BTreeSet::new();
    let mut judged = 0;
    for (place, topology) in &specs {
        let warn = topology.policy.warn_before;
        // A declared root is never renewed.
        let renewals = topology.identities.values().map(|def| Some(def.renew_before)).chain([None]);
        for renew in renewals {
            if !settings.insert((renew.map(days_of), days_of(warn))) {
                continue;
            }
            for certificate in long_lives() {
                let (from, at) = (certificate.not_before(), certificate.not_after());
                let near = |moment: i64| [-1, 0, 1].map(|second| moment + second);
                let days = [0, 20, 30, 59, 60, 61, 90, 180, 365].map(|day| at - day * DAY);
                for now in days.into_iter().chain([from]).flat_map(near) {
                    let new = constraints::dates(
                        certificate,
                        Terms { renew_before: renew, warn_before: Some(warn) },
                        Timestamp::from_second(now).unwrap(),
                    );
                    assert_eq!(new, fixed(certificate, renew.map(days_of), days_of(warn), now), "{place}: {now}");
                    judged += 1;
                }
            }
        }
    }
    assert!(judged > 1000 && settings.contains(&(Some(60), 60)), "{settings:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// From 180 days on the default is 60 days, as it was, at any moment.
    #[test]
    fn the_default_is_60_days_as_before_from_180_days_on(number in 0..long_lives().len(), end in -70 * DAY..70 * DAY, anywhere in -4000 * DAY..9000 * DAY) {
        let certificate = &long_lives()[number];
        for now in [certificate.not_after() + end, NOW + anywhere] {
            let terms = Terms { renew_before: Some(LeadTime::Default), warn_before: Some(LeadTime::Default) };
            let new = constraints::dates(certificate, terms, Timestamp::from_second(now).unwrap());
            prop_assert_eq!(new, fixed(certificate, Some(60), 60, now));
        }
    }

    /// The same for any lifetime in seconds, without a certificate.
    #[test]
    fn the_default_of_any_long_lifetime_is_60_days(lifetime in prop_oneof![180 * DAY..=200 * DAY, 180 * DAY..=i64::MAX]) {
        prop_assert_eq!(LeadTime::Default.seconds(lifetime), 60 * DAY);
    }

    /// No certificate is due from its first second, whatever share is asked for.
    #[test]
    fn no_share_is_the_whole_life(lifetime in 1..=7300 * DAY, percent in 1..=99u8) {
        prop_assert!(!LeadTime::Default.is_whole_life(lifetime));
        prop_assert!(!share(percent).is_whole_life(lifetime));
    }
}

#[test]
fn the_issuer_of_the_pair_is_its_authority() {
    let estate = Estate::new(47, LeadTime::Default);
    let issued =
        estate.world.topology.identities.values().filter(|def| def.issuer == Issuer::Authority("lab-ca".to_owned()));
    assert_eq!(issued.count(), 6);
}
