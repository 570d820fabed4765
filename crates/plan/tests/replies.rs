//! The effect of a CA's reply: only a reply that passes every guard adds trust.

use crate::world;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer as Signer,
    KeyPair, KeyUsagePurpose, SanType,
};
use trustmason_keystore::Certificate;
use trustmason_plan::finding::FindingKind;
use trustmason_plan::observed::{InboxFile, InboxLook, SourceLook, StagedKey, StagedLook};
use trustmason_plan::outline::{Plan, PlanOptions};
use trustmason_spec::name::{IdentityId, RuleId};
use trustmason_spec::topology::{AnchorDef, AuthorityDef, ExtendedUsage, Issuer, NeededBy, Subject, UsageNeed};
use world::{DAY, NOW, Pair, World, found, host, now};

/// The change that makes a reply bad.
type Change = fn(&mut CertificateParams);

/// A CA and its key.
struct Ca {
    params: CertificateParams,
    key: KeyPair,
    certificate: Arc<Certificate>,
}

fn parse(der: &[u8]) -> Arc<Certificate> {
    Arc::new(Certificate::parse(der).unwrap())
}

fn from(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let time = |day: i64| {
        rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(u64::try_from(NOW + day * DAY).unwrap())
    };
    (params.not_before, params.not_after) = (time(-10), time(3000));
    params
}

fn ca(name: &str, above: Option<&Ca>, change: impl FnOnce(&mut CertificateParams)) -> Ca {
    let mut params = from(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let made = match above {
        Some(above) => params.signed_by(&key, &Signer::from_params(&above.params, &above.key)).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    let certificate = parse(made.der());
    Ca { params, key, certificate }
}

/// An estate of one host, whose `wsm` waits for a reply.
struct Estate {
    root: Ca,
    waiting: KeyPair,
    declared: Vec<(Arc<Certificate>, bool)>,
    inbox: Vec<Vec<Arc<Certificate>>>,
    /// The usages that rules and guides need of the `wsm`.
    needs: Vec<UsageNeed>,
    public_root: bool,
}

impl Estate {
    fn new() -> Self {
        let root = ca("Corporate Root", None, |_| {});
        Self {
            root,
            waiting: KeyPair::generate().unwrap(),
            declared: Vec::new(),
            inbox: Vec::new(),
            needs: Vec::new(),
            public_root: false,
        }
    }

    /// A reply to the pending request.
    fn reply(&self, above: &Ca, change: impl FnOnce(&mut CertificateParams)) -> Arc<Certificate> {
        let mut params = from(host(0).as_str());
        params.subject_alt_names = vec![SanType::DnsName(host(0).as_str().try_into().unwrap())];
        params.not_after -= std::time::Duration::from_secs(100 * 86_400);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        parse(params.signed_by(&self.waiting, &Signer::from_params(&above.params, &above.key)).unwrap().der())
    }

    fn plan(&self) -> Plan {
        let mut world = World::new(1);
        let id = IdentityId::new(host(0), "wsm");
        let def = world.topology.identities.get_mut(&id).unwrap();
        def.issuer = Issuer::Authority("corp-ca".to_owned());
        def.needs.clone_from(&self.needs);
        if self.public_root {
            world.topology.public_roots = Box::leak(Box::new([self.root.certificate.fingerprint()].into()));
        }
        let file = |name: &str| PathBuf::from(format!("ca/{name}.pem"));
        let anchor = |name: &str, certificate: &Certificate, unconstrained| AnchorDef {
            file: file(name),
            sha256: Some(certificate.fingerprint()),
            unconstrained,
        };
        let intermediates = self.declared.iter().map(|(c, free)| anchor("issuing", c, *free)).collect();
        let def = AuthorityDef {
            root: anchor("root", &self.root.certificate, false),
            intermediates,
            requests_dir: Some(PathBuf::from("csr")),
            inbox: Some(PathBuf::from("inbox")),
            sign_with: None,
        };
        world.topology.authorities.insert("corp-ca".to_owned(), def);
        let look =
            |certificate: &Arc<Certificate>| found(&Pair { certificate: Arc::clone(certificate), pkcs8: Vec::new() });
        let mut observed = world.look();
        let subject = Subject::Certificate(AuthorityDef::root("corp-ca"));
        observed.sources.insert(subject, look(&self.root.certificate));
        for (place, (certificate, _)) in self.declared.iter().enumerate() {
            let subject = Subject::Certificate(AuthorityDef::intermediate("corp-ca", place));
            observed.sources.insert(subject, look(certificate));
        }
        let mut params = from(host(0).as_str());
        params.subject_alt_names = vec![SanType::DnsName(host(0).as_str().try_into().unwrap())];
        let certificate = parse(params.self_signed(&self.waiting).unwrap().der());
        let path = PathBuf::from("staging/wsm.p12");
        let staged = StagedLook::Key(StagedKey { certificate, opens: true, path, since: now() });
        observed.staging.insert(id, staged);
        let files = self.inbox.iter().enumerate().map(|(number, certificates)| InboxFile {
            path: PathBuf::from(format!("inbox/{number}.pem")),
            certificates: certificates.clone(),
            failure: None,
        });
        let inbox = InboxLook { files: files.collect(), failure: None };
        observed.inboxes.insert("corp-ca".to_owned(), inbox);
        trustmason_plan::plan(&world.topology, &observed, &PlanOptions::default(), now())
    }
}

/// The aliases under which certificates of the authority are wanted.
fn wanted(plan: &Plan) -> BTreeSet<String> {
    let aliases = plan.edges.iter().filter_map(|edge| Some(edge.alias.as_ref()?.to_string()));
    aliases.filter(|alias| alias.starts_with("corp-ca-")).collect()
}

fn alias(ca: &Ca) -> String {
    format!("corp-ca-{}", &ca.certificate.fingerprint().to_string()[..8])
}

fn said(plan: &Plan) -> Vec<(FindingKind, String)> {
    let of_reply = plan.findings.iter().filter(|finding| finding.kind.is_of_authority());
    of_reply.map(|finding| (finding.kind, finding.message.clone())).collect()
}

fn root_only() -> BTreeSet<String> {
    ["corp-ca-root".to_owned()].into()
}

#[test]
fn a_reply_that_passes_brings_its_intermediates() {
    let mut estate = Estate::new();
    let issuing = ca("Issuing", Some(&estate.root), |_| {});
    estate.inbox.push(vec![estate.reply(&issuing, |_| {}), Arc::clone(&issuing.certificate)]);
    let plan = estate.plan();
    assert_eq!(said(&plan), []);
    assert_eq!(wanted(&plan), BTreeSet::from(["corp-ca-root".to_owned(), alias(&issuing)]));
}

#[test]
fn a_refused_reply_brings_nothing() {
    let refused: [(FindingKind, Change); 6] = [
        (FindingKind::ReplyName, |p| p.subject_alt_names = vec![SanType::DnsName("x.example".try_into().unwrap())]),
        (FindingKind::ReplyName, |p| p.distinguished_name.push(DnType::CommonName, "evil.example")),
        (FindingKind::ReplySan, |p| p.subject_alt_names.push(SanType::IpAddress([10, 0, 0, 1].into()))),
        (FindingKind::ReplySan, |p| p.subject_alt_names.push(SanType::URI("https://evil/".try_into().unwrap()))),
        (FindingKind::ReplyWeakCrypto, |p| p.key_usages = vec![KeyUsagePurpose::CrlSign]),
        (FindingKind::ReplyEku, |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]),
    ];
    for (kind, change) in refused {
        let mut estate = Estate::new();
        let issuing = ca("Issuing", Some(&estate.root), |_| {});
        estate.inbox.push(vec![estate.reply(&issuing, change), Arc::clone(&issuing.certificate)]);
        let plan = estate.plan();
        assert_eq!(said(&plan).iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [kind], "{:?}", said(&plan));
        assert_eq!(wanted(&plan), root_only(), "{kind}");
    }
}

fn need(usage: ExtendedUsage) -> UsageNeed {
    let rule = RuleId::new("test", "C1");
    UsageNeed { usage, by: NeededBy::Rule { rule, why: "it is asked".to_owned() }, source: "page 1".to_owned() }
}

/// A reply, and an issuer, need allow only what the identity is. What it was able to be before is told if it is lost.
#[test]
fn a_reply_must_allow_what_the_identity_needs_and_no_more() {
    use ExtendedUsage::{ClientAuth, ServerAuth};
    let purpose = |usage: &ExtendedUsage| match usage {
        ServerAuth => ExtendedKeyUsagePurpose::ServerAuth,
        ClientAuth => ExtendedKeyUsagePurpose::ClientAuth,
    };
    let both = [ServerAuth, ClientAuth];
    type Usages<'u> = &'u [ExtendedUsage];
    let cases: [(Usages<'_>, Usages<'_>, Usages<'_>, bool, bool); 8] = [
        // What is needed, what the reply and its issuer allow, whether the reply is used, whether a use is lost.
        (&[], &[ServerAuth], &both, true, true),
        (&[ServerAuth], &[ServerAuth], &[ServerAuth], true, true),
        (&[ServerAuth], &both, &both, true, false),
        (&[ServerAuth], &[ClientAuth], &both, false, false),
        (&[ClientAuth], &[ClientAuth], &[ClientAuth], true, false),
        (&both, &[ServerAuth], &both, false, false),
        (&both, &both, &[ServerAuth], false, false),
        (&both, &both, &both, true, false),
    ];
    for (needed, leaf, issuer, used, lost) in cases {
        let mut estate = Estate::new();
        estate.needs = needed.iter().copied().map(need).collect();
        let issuing =
            ca("Issuing", Some(&estate.root), |p| p.extended_key_usages = issuer.iter().map(purpose).collect());
        let reply = estate.reply(&issuing, |p| p.extended_key_usages = leaf.iter().map(purpose).collect());
        estate.inbox.push(vec![reply, Arc::clone(&issuing.certificate)]);
        let plan = estate.plan();
        let (said, case) = (said(&plan), (needed, leaf, issuer));
        let kinds: Vec<_> = said.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, if used { vec![] } else { vec![FindingKind::ReplyEku] }, "{case:?} {said:?}");
        let told: Vec<_> = plan.findings.iter().filter(|f| f.kind == FindingKind::ClientAuthLost).collect();
        assert_eq!(told.len(), usize::from(lost), "{case:?} {told:?}");
    }
}

#[test]
fn a_refusal_for_the_usage_says_what_needs_it_and_what_to_do() {
    let mut estate = Estate::new();
    estate.needs = vec![need(ExtendedUsage::ServerAuth), need(ExtendedUsage::ClientAuth)];
    let reply = estate.reply(&estate.root, |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    estate.inbox.push(vec![reply]);
    let said = said(&estate.plan());
    for part in ["leaves out clientAuth, which test/C1 needs: it is asked", "private CA", "2027-03-15"] {
        assert!(said[0].1.contains(part), "{part}: {said:?}");
    }
}

#[test]
fn an_authority_with_a_public_root_is_warned_of_before_anything_is_asked_of_it() {
    let mut estate = Estate::new();
    let told = |estate: &Estate| {
        let plan = estate.plan();
        let of_root = plan.findings.iter().filter(|finding| finding.kind == FindingKind::PublicIssuer);
        of_root.map(|finding| finding.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(told(&estate), [] as [String; 0]);
    estate.public_root = true;
    let told = told(&estate);
    assert_eq!(told.len(), 1, "{told:?}");
    for part in
        ["the root of corp-ca, CN=Corporate Root", "200 days since 2026-03-15", "47 from 2029-03-15", "private CA"]
    {
        assert!(told[0].contains(part), "{part}: {told:?}");
    }
}

#[test]
fn a_chain_that_validators_refuse_is_refused_with_the_rule() {
    let mut estate = Estate::new();
    let upper = ca("Upper", Some(&estate.root), |p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let lower = ca("Lower", Some(&upper), |_| {});
    let both = [&upper, &lower].map(|ca| Arc::clone(&ca.certificate));
    estate.inbox.push([vec![estate.reply(&lower, |_| {})], both.to_vec()].concat());
    let plan = estate.plan();
    let said = said(&plan);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].1.contains("CN=Upper allows 0 issuers below it, but 1 follow (rule `path-length`)"), "{said:?}");
    assert_eq!((said[0].0, wanted(&plan)), (FindingKind::ReplyChainIncomplete, root_only()));
}

#[test]
fn the_latest_that_passes_counts() {
    let mut estate = Estate::new();
    let issuing = ca("Issuing", Some(&estate.root), |_| {});
    let good = estate.reply(&issuing, |_| {});
    let later = estate.reply(&issuing, |p| {
        p.not_before += std::time::Duration::from_secs(86_400);
        p.distinguished_name.push(DnType::CommonName, "evil.example");
    });
    estate.inbox.push(vec![good, Arc::clone(&issuing.certificate)]);
    estate.inbox.push(vec![later]);
    let plan = estate.plan();
    assert_eq!((said(&plan), wanted(&plan).len()), (Vec::new(), 2));
}

#[test]
fn a_constrained_intermediate_is_no_anchor_unless_the_spec_says_so() {
    let limit = |p: &mut CertificateParams| {
        let permitted_subtrees = vec![rcgen::GeneralSubtree::DnsName("acme.example".to_owned())];
        p.name_constraints = Some(rcgen::NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    };
    let mut estate = Estate::new();
    let issuing = ca("Issuing", Some(&estate.root), limit);
    estate.inbox.push(vec![estate.reply(&issuing, |_| {}), Arc::clone(&issuing.certificate)]);
    let plan = estate.plan();
    assert_eq!((said(&plan), wanted(&plan)), (Vec::new(), root_only()), "it came in an inbox");
    let withheld = |plan: &Plan| plan.findings.iter().filter(|f| f.kind == FindingKind::IssuerWithheld).count();
    for (unconstrained, aliases) in [(false, 1), (true, 2)] {
        estate.declared = vec![(Arc::clone(&issuing.certificate), unconstrained)];
        let plan = estate.plan();
        assert_eq!((said(&plan), wanted(&plan).len()), (Vec::new(), aliases), "declared");
        assert_eq!(withheld(&plan), 2 - aliases);
    }
}

#[test]
fn a_root_that_is_no_ca_is_a_fault_of_its_authority() {
    let mut estate = Estate::new();
    estate.root = ca("No CA", None, |p| p.is_ca = IsCa::NoCa);
    let plan = estate.plan();
    let said = said(&plan);
    assert_eq!(said.first().map(|(kind, _)| *kind), Some(FindingKind::UnknownAuthority), "{said:?}");
    assert!(said[0].1.contains("is not a CA by its basic constraints (rule `basic-constraints`)"), "{said:?}");
}

/// The length of a number of years.
fn year(count: u64) -> std::time::Duration {
    std::time::Duration::from_secs(count * 365 * 86_400)
}

/// A subject alternative name that Java 17 loads and Java 8 refuses: an X.400 address, critical.
fn x400(params: &mut CertificateParams) {
    let content = vec![0x30, 4, 0xa3, 2, 0x30, 0];
    let mut names = rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 17], content);
    names.set_criticality(true);
    params.custom_extensions.push(names);
}

#[test]
fn an_issuer_that_a_jvm_does_not_load_comes_into_no_store() {
    let mut estate = Estate::new();
    let issuing = ca("Issuing", Some(&estate.root), x400);
    estate.inbox.push(vec![estate.reply(&issuing, |_| {}), Arc::clone(&issuing.certificate)]);
    let plan = estate.plan();
    let said = said(&plan);
    assert_eq!(said.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [FindingKind::ReplyChainIncomplete], "{said:?}");
    assert!(said[0].1.contains("CN=Issuing is not loaded by a JVM"), "{said:?}");
    assert!(said[0].1.contains("2.5.29.17") && said[0].1.contains("Java 8"), "{said:?}");
    assert_eq!(wanted(&plan), root_only());
    let mut estate = Estate::new();
    estate.root = ca("Corporate Root", None, x400);
    let plan = estate.plan();
    let said = self::said(&plan);
    assert_eq!(said.first().map(|(kind, _)| *kind), Some(FindingKind::UnknownAuthority), "{said:?}");
    assert!(said[0].1.contains("CN=Corporate Root is not loaded by a JVM"), "{said:?}");
}

#[test]
fn check_judges_a_root_by_itself() {
    let root = |change: Change| ca("Corporate Root", None, change).certificate;
    let good = root(|_| {});
    let def = |pinned: &Certificate| AuthorityDef {
        root: AnchorDef { file: "root.pem".into(), sha256: Some(pinned.fingerprint()), unconstrained: false },
        intermediates: Vec::new(),
        requests_dir: None,
        inbox: None,
        sign_with: None,
    };
    let fault = |pinned: &Certificate, found: &Arc<Certificate>| {
        let look = SourceLook::Found { certificate: Arc::clone(found), path: "root.pem".into() };
        trustmason_plan::root_fault("corp-ca", &def(pinned), &look, now())
    };
    assert_eq!(fault(&good, &good), None);
    let bad: [(Change, &str); 5] = [
        (|p| p.is_ca = IsCa::NoCa, "is not a CA by its basic constraints"),
        (|p| p.key_usages = vec![KeyUsagePurpose::CrlSign], "rule `key-cert-sign`"),
        (x400, "is not loaded by a JVM"),
        (|p| (p.not_before, p.not_after) = (p.not_before - year(9), p.not_before), "ended on 2026-05-22"),
        (|p| p.not_before += year(1), "is not valid before"),
    ];
    for (change, words) in bad {
        let bad = root(change);
        let fault = fault(&bad, &bad).unwrap();
        assert!(fault.contains(words) && fault.contains("root.pem"), "{fault}");
    }
    let other = root(|_| {});
    assert!(fault(&good, &other).unwrap().contains("is pinned to"), "the pin is another's");
    let missing = SourceLook::Missing { folder: "root.pem".into(), names: Vec::new(), near: None };
    assert_eq!(trustmason_plan::root_fault("corp-ca", &def(&good), &missing, now()), None);
}
