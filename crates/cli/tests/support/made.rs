//! Keys and certificates of the test estate, the same in every run, except for keys that no snapshot depends on.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use rand_core::{TryCryptoRng, TryRng};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, SerialNumber,
};
use trustmason_keystore::{Certificate, Credential, Interner, NewKey, Password, Store};
use trustmason_spec::topology::DeclaredFormat;
use zeroize::Zeroizing;

use super::CANARY;

/// The contents of a certificate to make.
#[derive(Clone, Debug)]
pub struct CertificateContent {
    pub cn: String,
    pub sans: Vec<String>,
    /// The first and the last year of validity.
    pub years: (i32, i32),
    /// The number of the key.
    pub key: usize,
    pub serial: u64,
}

impl CertificateContent {
    pub fn of(fqdn: &str, serial: u64) -> Self {
        Self { cn: fqdn.to_owned(), sans: vec![fqdn.to_owned()], years: (2025, 2049), key: key_of(fqdn), serial }
    }
}

/// The number of a host's key. Every host has a key of its own, because a shared key would be a finding.
pub(super) fn key_of(fqdn: &str) -> usize {
    match fqdn.split('.').next().unwrap() {
        "adsa" => 1,
        "rgrb" => 2,
        "cvp1" => 3,
        "cvp2" => 4,
        "vvb1" => 5,
        "fina" => 6,
        _ if fqdn.ends_with(".pcce.example") => {
            static NUMBERS: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());
            let mut numbers = NUMBERS.lock().unwrap();
            let next = FIRST_MADE + numbers.len();
            *numbers.entry(fqdn.to_owned()).or_insert(next)
        }
        _ => 7,
    }
}

/// Keys from this number on are made by each run of the tests. No snapshot may depend on them.
const FIRST_MADE: usize = 100;

pub fn key(n: usize) -> KeyPair {
    if n >= FIRST_MADE {
        static MADE: Mutex<BTreeMap<usize, Vec<u8>>> = Mutex::new(BTreeMap::new());
        let mut made = MADE.lock().unwrap();
        let der = made.entry(n).or_insert_with(|| {
            KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap().serialize_der()
        });
        return KeyPair::try_from(der.as_slice()).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/support/keys/{n}.pem"));
    let pem = std::fs::read_to_string(path).unwrap();
    KeyPair::from_pem_and_sign_algo(&pem, &PKCS_RSA_SHA256).unwrap()
}

/// A key for a store of the estate. A JCEKS store gets a key sealed by a JDK, with fewer rounds than this program uses.
pub fn new_key(format: DeclaredFormat, n: usize) -> NewKey {
    static SEALED: LazyLock<Store> = LazyLock::new(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/keys/sealed.jceks");
        let bytes = std::fs::read(path).unwrap();
        Store::open(bytes, Credential::Password(&Password::new(CANARY)), &Interner::new()).unwrap()
    });
    if format != DeclaredFormat::Jceks || n >= FIRST_MADE {
        return NewKey::Plain(Zeroizing::new(key(n).serialize_der()));
    }
    NewKey::Sealed(SEALED.sealed_key(SEALED.find(&n.to_string().into())[0]).unwrap())
}

/// The root of an authority with one of the keys. `change` changes its parameters.
pub fn root(cn: &str, key_number: usize, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, cn);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2049, 1, 1);
    change(&mut params);
    params.self_signed(&key(key_number)).unwrap().der().to_vec()
}

/// A certificate to write, as edits take it.
pub fn parsed(der: &[u8]) -> Arc<Certificate> {
    Arc::new(Certificate::parse(der).unwrap())
}

/// Makes a certificate. Each is signed only once, because estates mostly share theirs.
pub fn certificate(content: &CertificateContent) -> Vec<u8> {
    static MADE: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let name = format!("{content:?}");
    let made = MADE.lock().unwrap().get(&name).cloned();
    made.unwrap_or_else(|| {
        let der = sign(content);
        MADE.lock().unwrap().insert(name, der.clone());
        der
    })
}

fn sign(content: &CertificateContent) -> Vec<u8> {
    let mut params = CertificateParams::new(content.sans.clone()).unwrap();
    let mut dn = DistinguishedName::new();
    dn.push(DnType::CountryName, DnValue::PrintableString("US".try_into().unwrap()));
    for (kind, value) in [
        (DnType::StateOrProvinceName, "MA"),
        (DnType::LocalityName, "Boston"),
        (DnType::OrganizationName, "Acme"),
        (DnType::OrganizationalUnitName, "Contact Centre"),
        (DnType::CommonName, &content.cn),
    ] {
        dn.push(kind, value);
    }
    params.distinguished_name = dn;
    params.serial_number = Some(SerialNumber::from(content.serial));
    params.not_before = rcgen::date_time_ymd(content.years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(content.years.1, 6, 20);
    params.self_signed(&key(content.key)).unwrap().der().to_vec()
}

/// Bytes that are the same in every run, for salts in test stores only.
pub struct Counting(u8);

impl Counting {
    pub fn new() -> Self {
        Self(1)
    }
}

impl TryRng for Counting {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(5).wrapping_add(17);
            *byte = self.0;
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting {}
