//! Certificates and their keys, as tests ask for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use trustmason_keystore::{Certificate, Fingerprint};
use trustmason_spec::topology::IdentityDef;

use super::{DAY, NOW};

/// A certificate and its key.
#[derive(Clone)]
pub struct Pair {
    pub certificate: Arc<Certificate>,
    pub pkcs8: Vec<u8>,
}

impl Pair {
    pub fn print(&self) -> Fingerprint {
        self.certificate.fingerprint()
    }
}

/// A self-signed EC certificate, without SAN if `san` is empty.
pub fn make(cn: &str, san: &[&str], from_day: i64, to_day: i64) -> Pair {
    signed(params(cn, san, from_day, to_day), None)
}

/// A self-signed CA certificate.
pub fn make_ca(cn: &str, san: &[&str]) -> Pair {
    signed(ca(params(cn, san, -900, 900)), None)
}

fn ca(mut params: rcgen::CertificateParams) -> rcgen::CertificateParams {
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::DigitalSignature];
    params
}

/// A certificate that is signed by an issuer, or by itself.
pub fn signed(params: rcgen::CertificateParams, issuer: Option<&Pair>) -> Pair {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let made = match issuer {
        None => params.self_signed(&key),
        Some(pair) => {
            let signer = rcgen::KeyPair::try_from(pair.pkcs8.as_slice()).unwrap();
            let issuer = rcgen::Issuer::from_ca_cert_der(&pair.certificate.der().into(), signer).unwrap();
            params.signed_by(&key, &issuer)
        }
    };
    let certificate = Arc::new(Certificate::parse(made.unwrap().der()).unwrap());
    Pair { certificate, pkcs8: key.serialize_der() }
}

/// The subject and the dates of a certificate.
pub fn params(cn: &str, san: &[&str], from_day: i64, to_day: i64) -> rcgen::CertificateParams {
    let mut params = rcgen::CertificateParams::new(san.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, cn);
    let time = |day: i64| {
        rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(u64::try_from(NOW + day * DAY).unwrap())
    };
    params.not_before = time(from_day);
    params.not_after = time(to_day);
    params
}

/// The n-th certificate that is created for an identity. The same order of the same identity is created once for a whole
/// test binary, so that worlds which did the same are equal.
pub fn mint(def: &IdentityDef, n: usize, at: Timestamp) -> Pair {
    static MADE: Mutex<BTreeMap<String, Pair>> = Mutex::new(BTreeMap::new());
    let order = trustmason_plan::mint::order(def, at);
    let mut made = MADE.lock().unwrap();
    made.entry(format!("{} {n} {order:?}", def.id)).or_insert_with(|| fresh(&order, n)).clone()
}

fn fresh(order: &trustmason_plan::mint::Order, n: usize) -> Pair {
    let mut params = rcgen::CertificateParams::new(order.names.clone()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, order.subject[0].1.as_str());
    let time = |s: i64| rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(u64::try_from(s).unwrap());
    params.not_before = time(order.not_before);
    params.not_after = time(order.not_after);
    params.serial_number = Some(rcgen::SerialNumber::from(u64::try_from(n).unwrap() + 1));
    signed(params, None)
}
