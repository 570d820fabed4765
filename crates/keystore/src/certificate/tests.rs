#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};

use super::*;

impl Certificate {
    /// A certificate for an edit to write.
    pub(crate) fn shared(der: &[u8]) -> Arc<Self> {
        Arc::new(parse(der))
    }
}

fn params(common_name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "US");
    params.distinguished_name.push(DnType::OrganizationName, "Acme");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn parse(der: &[u8]) -> Certificate {
    Certificate::parse(der).unwrap()
}

fn self_signed(params: CertificateParams) -> Certificate {
    let key = KeyPair::generate().unwrap();
    parse(params.self_signed(&key).unwrap().der())
}

#[test]
fn facts_are_read() {
    let mut wanted = params("cvp1.acme.example", &["CVP1.acme.example", "alias.acme.example"]);
    wanted.not_before = rcgen::date_time_ymd(1950, 1, 1);
    wanted.not_after = rcgen::date_time_ymd(9999, 12, 31);
    wanted.is_ca = IsCa::Ca(BasicConstraints::Constrained(2));
    wanted.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    wanted.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::Other(vec![1, 2, 3, 4])];
    wanted.serial_number = Some(vec![0, 0xab, 1].into());
    let certificate = self_signed(wanted);
    assert_eq!(certificate.subject(), "CN=cvp1.acme.example, O=Acme, C=US");
    assert_eq!(certificate.issuer(), certificate.subject());
    assert!(certificate.is_self_issued() && certificate.is_ca() && certificate.has_san());
    assert_eq!(certificate.path_length(), Some(2));
    assert_eq!(certificate.common_name(), Some("cvp1.acme.example"));
    assert_eq!(certificate.dns_names(), ["CVP1.acme.example", "alias.acme.example"]);
    assert_eq!(certificate.names_carried(), ["cvp1.acme.example", "alias.acme.example"]);
    assert_eq!((certificate.not_before(), certificate.not_after()), (-631_152_000, 253_402_214_400));
    assert_eq!(certificate.public_key().to_string(), "EC 256");
    assert_eq!(certificate.signature().name, "SHA256withECDSA");
    assert_eq!(certificate.signature().hash, Some(HashAlgorithm::Sha256));
    assert!(!certificate.signature().is_weak() && HashAlgorithm::Sha1.is_weak());
    assert_eq!(certificate.serial(), "ab01");
    assert_eq!(certificate.version(), 3);
    assert_eq!(certificate.extended_key_usage().unwrap(), ["serverAuth", "1.2.3.4"]);
    let usage = certificate.key_usage().unwrap();
    assert!(usage.key_cert_sign() && usage.digital_signature() && !usage.key_encipherment());
    assert_eq!(usage.names().collect::<Vec<_>>(), ["digitalSignature", "keyCertSign"]);
    assert!(certificate.subject_key_id().is_some());
    assert_eq!(certificate.jvm_refusal(), None);
    assert_eq!(certificate.spki_sha256(), <[u8; 32]>::from(Sha256::digest(certificate.spki_der())));
}

#[test]
fn a_host_is_named_by_san_or_without_one_by_common_name() {
    let with = self_signed(params("cn.acme.example", &["san.acme.example", "*.acme.example"]));
    assert!(with.names_host("SAN.acme.example"));
    assert!(!with.names_host("cn.acme.example"), "a SAN takes the common name's place");
    assert!(!with.names_host("other.acme.example"), "a wildcard names nobody");
    let without = self_signed(params("CN.acme.example", &[]));
    assert!(without.names_host("cn.acme.example") && !without.has_san());
    assert_eq!(without.names_carried(), ["cn.acme.example"]);
    let mut address = params("cn.acme.example", &[]);
    address.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
    let address = self_signed(address);
    assert!(address.has_san() && !address.names_host("cn.acme.example"));
    assert!(address.names_carried().is_empty());
}

#[test]
fn a_signature_is_checked_against_the_key_that_made_it() {
    let ca_key = KeyPair::generate().unwrap();
    let ca = parse(params("ca", &[]).self_signed(&ca_key).unwrap().der());
    let other = self_signed(params("ca", &[]));
    let leaf_key = KeyPair::generate().unwrap();
    let ca_params = params("ca", &[]);
    let issuer = Issuer::from_params(&ca_params, &ca_key);
    let leaf = parse(params("leaf", &["leaf.example"]).signed_by(&leaf_key, &issuer).unwrap().der());
    assert_eq!(leaf.verify_signed_by(&ca), SignatureCheck::Valid);
    assert_eq!(ca.verify_signed_by(&ca), SignatureCheck::Valid);
    assert_eq!(leaf.verify_signed_by(&other), SignatureCheck::Invalid);
    let rsa_key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let rsa = parse(params("ca", &[]).self_signed(&rsa_key).unwrap().der());
    assert_eq!(rsa.public_key(), &PublicKey { algorithm: KeyAlgorithm::Rsa, bits: 2048 });
    assert_eq!(rsa.signature().name, "SHA256withRSA");
    assert_eq!(rsa.verify_signed_by(&rsa), SignatureCheck::Valid);
    assert_eq!(leaf.verify_signed_by(&rsa), SignatureCheck::Invalid, "an RSA key makes no ECDSA signature");
    let p521 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let big = parse(params("big", &[]).self_signed(&p521).unwrap().der());
    assert!(matches!(big.verify_signed_by(&big), SignatureCheck::CannotTell(why) if why.contains("SHA512withECDSA")));
}

#[test]
fn only_the_whole_canonical_certificate_is_one() {
    let der = self_signed(params("a", &[])).der().to_vec();
    let trailing = Certificate::parse(&[&der[..], &[0]].concat()).unwrap_err();
    assert!(trailing.is_not_canonical() && trailing.jvm_loads());
    assert_eq!(trailing.offset, Some(der.len() as u64));
    for cut in [0, 1, 10, der.len() / 2, der.len() - 1] {
        let error = Certificate::parse(&der[..cut]).unwrap_err();
        assert!(!error.is_not_canonical() && !error.jvm_loads(), "{cut}: {error}");
    }
    let mut ber = der.clone();
    ber.splice(1..4, [0x83, 0, der[2], der[3]]);
    let error = Certificate::parse(&ber).unwrap_err();
    assert!(error.is_not_canonical(), "{error}");
    assert!(error.to_string().contains("BER"), "{error}");
}

#[test]
fn a_serial_is_written_as_java_writes_it() {
    assert_eq!(serial_text(&[0]), "0");
    assert_eq!(serial_text(&[0, 0x80]), "80");
    assert_eq!(serial_text(&[0xff]), "-1");
    assert_eq!(serial_text(&[0x80, 0]), "-8000");
    assert_eq!(serial_text(&[1, 0x0f]), "10f");
}

#[test]
fn by_what_validators_take_it_for_a_cas() {
    let made = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = params("host.acme.example", &["host.acme.example"]);
        change(&mut params);
        self_signed(params)
    };
    let by = |change: &dyn Fn(&mut CertificateParams)| made(change).taken_for_ca_by();
    assert_eq!(by(&|_| {}), None);
    assert_eq!(by(&|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), Some(CaMark::BasicConstraints));
    let signs = vec![KeyUsagePurpose::KeyCertSign];
    assert_eq!(by(&|p| p.key_usages = signs.clone()), Some(CaMark::KeyUsage));
    let none = |p: &mut CertificateParams| (p.is_ca, p.key_usages) = (IsCa::ExplicitNoCa, signs.clone());
    assert_eq!(by(&none), None, "basic constraints decide");
    let netscape = |bits: u8| {
        move |p: &mut CertificateParams| {
            let oid = [2, 16, 840, 1, 113_730, 1, 1];
            p.custom_extensions.push(rcgen::CustomExtension::from_oid_content(&oid, vec![3, 2, 0, bits]));
        }
    };
    assert_eq!((by(&netscape(0xc0)), by(&netscape(0x04))), (None, Some(CaMark::NetscapeType)));
    // Version 1: without `[0]` and without extensions.
    let bytes = made(&|_| {}).der().to_vec();
    let fields = DerReader::new(&bytes).next().unwrap().inner().next().unwrap();
    let mut inner = fields.inner();
    let mut kept = Vec::new();
    while !inner.is_empty() {
        let field = inner.next().unwrap();
        if !matches!(field.tag, 0xa0 | 0xa3) {
            kept.extend_from_slice(field.raw);
        }
    }
    let rest = &bytes[fields.at + fields.raw.len()..];
    let whole = der::encode(0x30, &[der::encode(0x30, &kept), rest.to_vec()].concat());
    let old = parse(&whole);
    assert_eq!((old.version(), old.taken_for_ca_by()), (1, Some(CaMark::Version)));
}
