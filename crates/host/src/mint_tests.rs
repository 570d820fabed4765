#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::OnceLock;

use trustmason_keystore::{HashAlgorithm, KeyAlgorithm, SignatureCheck};
use trustmason_spec::name::{Fqdn, IdentityId, RuleId, StoreId};
use trustmason_spec::topology::{
    CertificateSource, Constraints, Issuer, KeyAt, KeyPlace, LeadTime, NeededBy, Rotation, UsageNeed, WriteMode,
};

use super::*;

fn pool() -> &'static KeyPool {
    static POOL: OnceLock<KeyPool> = OnceLock::new();
    POOL.get_or_init(|| KeyPool::new(2).unwrap())
}

fn now() -> Timestamp {
    "2026-11-21T23:07:52.089Z".parse().unwrap()
}

fn identity() -> IdentityDef {
    let host = Fqdn::parse("cvp1.acme.example").unwrap();
    let attribute = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    IdentityDef {
        id: IdentityId::new(host.clone(), "wsm"),
        source: CertificateSource::KeyEntry(KeyPlace {
            store: StoreId::new(host, "keystore"),
            at: KeyAt::Alias("wsm_certificate".into()),
        }),
        write: WriteMode::Direct,
        constraints: Constraints {
            key: Some(KeyKind::Rsa(2048)),
            signature: vec![SignatureHash::Sha256],
            cn_is_fqdn: true,
            ..Constraints::default()
        },
        needs: Vec::new(),
        key: KeyKind::Rsa(2048),
        signature: SignatureHash::Sha256,
        subject: vec![
            attribute("OU", "Contact Centre"),
            attribute("O", "Acmé"),
            attribute("L", "Boston"),
            attribute("ST", "MA"),
            attribute("C", "US"),
        ],
        issuer: Issuer::SelfSigned,
        issuer_explicit: false,
        validity_days: 1825,
        renew_before: LeadTime::Default,
        rotation: Rotation::Immediate,
        names: vec![Fqdn::parse("wsm.acme.example").unwrap()],
        restart: Vec::new(),
        served_at: None,
        rule: RuleId::new("pcce-12.5", "cvp.wsm"),
        source_document: "003".into(),
        export_steps: Vec::new(),
        renew_steps: Vec::new(),
        request_steps: Vec::new(),
        install_steps: Vec::new(),
    }
}

#[test]
fn what_is_ordered_is_made() {
    let minted = mint(&identity(), pool(), now()).unwrap();
    let made = &minted.certificate;
    assert_eq!(made.subject(), "CN=cvp1.acme.example, OU=Contact Centre, O=Acmé, L=Boston, ST=MA, C=US");
    assert_eq!(made.issuer(), made.subject());
    assert_eq!(made.dns_names(), ["cvp1.acme.example", "wsm.acme.example"]);
    assert_eq!(made.signature().hash, Some(HashAlgorithm::Sha256));
    assert_eq!(made.signature().name, "SHA256withRSA");
    assert_eq!((made.public_key().algorithm.clone(), made.public_key().bits), (KeyAlgorithm::Rsa, 2048));
    assert_eq!(made.not_before(), now().as_second());
    assert_eq!(made.not_after() - made.not_before(), 1825 * 86_400);
    assert_eq!(made.extended_key_usage(), None);
    assert!(made.subject_key_id().is_some_and(|id| id.len() >= 20));
    assert!(!made.is_ca());
    assert!(matches!(made.verify_signed_by(made), SignatureCheck::Valid));
    assert!(!format!("{minted:?}").contains("key"), "{minted:?}");
}

#[test]
fn serials_are_long_positive_and_never_the_same() {
    let serials: BTreeSet<String> =
        (0..20).map(|_| mint(&identity(), pool(), now()).unwrap().certificate.serial().to_owned()).collect();
    assert_eq!(serials.len(), 20);
    assert!(serials.iter().all(|s| s.trim_start_matches('0').len() == 32), "{serials:?}");
}

#[test]
fn usages_are_written_only_when_ordered() {
    let mut identity = identity();
    identity.needs = vec![UsageNeed {
        usage: ExtendedUsage::ClientAuth,
        by: NeededBy::Rule { rule: RuleId::new("test", "T1"), why: "it connects".into() },
        source: "test".into(),
    }];
    let minted = mint(&identity, pool(), now()).unwrap();
    assert_eq!(minted.certificate.extended_key_usage(), None, "no limit allows all");
    identity.constraints.eku = vec![ExtendedUsage::ServerAuth];
    let minted = mint(&identity, pool(), now()).unwrap();
    let usages = minted.certificate.extended_key_usage().unwrap();
    assert_eq!(usages, ["serverAuth", "clientAuth"], "the rule's need is added to the role's");
}

#[test]
fn other_kinds_of_key() {
    for (key, signature, name) in [
        (KeyKind::Ec(256), SignatureHash::Sha256, "SHA256withECDSA"),
        (KeyKind::Ec(384), SignatureHash::Sha384, "SHA384withECDSA"),
        (KeyKind::Rsa(3072), SignatureHash::Sha512, "SHA512withRSA"),
    ] {
        let identity = IdentityDef { key, signature, constraints: Constraints::default(), ..identity() };
        let minted = mint(&identity, pool(), now()).unwrap();
        assert_eq!(minted.certificate.signature().name, name);
        assert!(matches!(minted.certificate.verify_signed_by(&minted.certificate), SignatureCheck::Valid));
    }
    for (key, signature) in [(KeyKind::Rsa(1024), SignatureHash::Sha256), (KeyKind::Ec(256), SignatureHash::Sha512)] {
        let identity = IdentityDef { key, signature, ..identity() };
        assert!(matches!(mint(&identity, pool(), now()), Err(MintError::FindingKind { .. })));
    }
}

#[test]
fn what_would_be_renewed_at_once_is_refused() {
    // By default a certificate is renewed in the last third of its life, however short it is.
    let short = IdentityDef { validity_days: 30, ..identity() };
    assert!(mint(&short, pool(), now()).is_ok());
    let short = IdentityDef { renew_before: LeadTime::Days(60), ..short };
    let error = mint(&short, pool(), now()).unwrap_err().to_string();
    assert!(error.contains("would break the rules of the role") && error.contains("identity"), "{error}");
    let weak = IdentityDef {
        constraints: Constraints { key: Some(KeyKind::Rsa(4096)), ..identity().constraints },
        ..identity()
    };
    assert!(matches!(mint(&weak, pool(), now()), Err(MintError::Unfit(_))));
}

#[test]
fn subjects_that_would_be_spoilt_are_refused() {
    let with = |k: &str, v: &str| {
        let mut identity = identity();
        identity.subject.push((k.to_owned(), v.to_owned()));
        mint(&identity, pool(), now()).unwrap_err().to_string()
    };
    assert!(with("OU", "second").contains("twice"));
    assert!(with("DC", "acme").contains("only CN, OU"));
    let mut country = identity();
    country.subject = vec![("C".into(), "USA".into())];
    assert!(mint(&country, pool(), now()).unwrap_err().to_string().contains("two letters"));
}

/// UTCTime ends with the year 2049, GeneralizedTime with 9999 (RFC 5280 §4.1.2.5). A Timestamp ends one day earlier.
#[test]
fn a_certificate_is_made_at_every_corner_of_the_calendar() {
    for text in [
        "1970-01-01T00:00:00Z",
        "2044-12-31T23:59:59Z",
        "2049-12-31T23:59:59Z",
        "2050-01-01T00:00:00Z",
        "9990-01-01T00:00:00Z",
    ] {
        let at: Timestamp = text.parse().unwrap();
        let made = mint(&identity(), pool(), at).unwrap().certificate;
        assert_eq!((made.not_before(), made.not_after()), (at.as_second(), at.as_second() + 1825 * 86_400), "{text}");
    }
    // A certificate that would have to be replaced at once is refused with a reason, not made.
    let sixty = IdentityDef { renew_before: LeadTime::Days(60), ..identity() };
    let refused = mint(&sixty, pool(), Timestamp::MAX).unwrap_err().to_string();
    assert!(refused.contains("it ends on 9999-12-31, in 1 day"), "{refused}");
    let refused = mint(&identity(), pool(), Timestamp::MIN).unwrap_err().to_string();
    assert!(refused.contains("it would begin before 1970"), "{refused}");
}

#[test]
fn a_far_end_is_the_last_second_there_is() {
    let forever = IdentityDef { validity_days: u32::MAX, ..identity() };
    assert_eq!(mint(&forever, pool(), now()).unwrap().certificate.not_after(), 253_402_300_799);
}

/// A CA of this test, valid for so many days.
fn authority(days: i64) -> (Arc<Certificate>, String) {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, "Lab CA");
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.not_before = moment(now().as_second()).unwrap();
    parameters.not_after = moment(now().as_second() + days * 86_400).unwrap();
    let made = parameters.self_signed(&key).unwrap();
    (Arc::new(Certificate::parse(made.der()).unwrap()), key.serialize_pem())
}

#[test]
fn a_lab_authority_signs_what_is_ordered_and_no_longer_than_it_lasts() {
    let (certificate, key) = authority(400);
    let signer = Signer { certificate: &certificate, issuers: &[], key: &key };
    let minted = signed(&identity(), pool(), now(), signer).unwrap();
    let made = &minted.certificate;
    assert_eq!(made.verify_signed_by(&certificate), SignatureCheck::Valid);
    assert_eq!((made.jvm_refusal(), made.is_ca()), (None, false));
    assert_eq!(made.dns_names(), ["cvp1.acme.example", "wsm.acme.example"]);
    assert_eq!(made.extended_key_usage().unwrap(), ["serverAuth", "clientAuth"]);
    assert_eq!(made.not_after(), certificate.not_after(), "not the five years of the order");
    assert_eq!(minted.issuers.len(), 1);
    assert!(minted.request.is_none());

    let (_, another) = authority(400);
    let wrong = Signer { certificate: &certificate, issuers: &[], key: &another };
    let refused = signed(&identity(), pool(), now(), wrong).unwrap_err().to_string();
    assert!(refused.contains("`sign_with` is not the key"), "{refused}");
    let (short, key) = authority(10);
    let soon = Signer { certificate: &short, issuers: &[], key: &key };
    let sixty = IdentityDef { renew_before: LeadTime::Days(60), ..identity() };
    let refused = signed(&sixty, pool(), now(), soon).unwrap_err().to_string();
    assert!(refused.contains("it ends on"), "it would be due from its first day: {refused}");
}

#[test]
fn a_request_is_for_the_key_that_waits() {
    let minted = request(&identity(), pool(), now()).unwrap();
    let pem = minted.request.unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE REQUEST-----"), "{pem}");
    use base64::Engine as _;
    let der = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
    let spki = minted.certificate.spki_der();
    assert!(der.windows(spki.len()).any(|part| part == spki), "it asks for another key");
    for name in ["cvp1.acme.example", "wsm.acme.example"] {
        assert!(der.windows(name.len()).any(|part| part == name.as_bytes()), "{name}");
    }
    assert!(minted.certificate.is_self_issued(), "until the reply is here");
}
