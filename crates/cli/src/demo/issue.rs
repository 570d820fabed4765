//! Makes keys and certificates for the demo, including defective ones. No file is written here.

use std::sync::Arc;

use jiff::civil::Date;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_RSA_SHA256, RsaKeySize,
};
use trustmason_keystore::Certificate;
use zeroize::Zeroizing;

use super::{DemoError, failed};

/// A key and its self-signed certificate.
#[derive(Clone)]
pub(super) struct Made {
    /// The certificate.
    pub(super) certificate: Arc<Certificate>,
    /// The private key as PKCS#8.
    pub(super) key: Zeroizing<Vec<u8>>,
}

/// The contents of a certificate to make.
#[derive(Clone, Debug)]
pub(super) struct CertificateContent {
    /// The common name.
    pub(super) cn: String,
    /// Whether the common name is a subject alternative name too.
    pub(super) san: bool,
    /// The first day of validity.
    pub(super) from: Date,
    /// The last day of validity.
    pub(super) to: Date,
}

/// A host's certificate with an RSA key, as the products' installers make it.
pub(super) fn host(content: &CertificateContent) -> Result<Made, DemoError> {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(failed("an RSA key"))?;
    let names = if content.san { vec![content.cn.clone()] } else { Vec::new() };
    let mut params = CertificateParams::new(names).map_err(failed("a subject alternative name"))?;
    params.distinguished_name = subject(&content.cn)?;
    dates(&mut params, content.from, content.to)?;
    sign(params, &key)
}

/// A vendor's root. Every Java ships about a hundred of them.
pub(super) fn root(name: &str, from: Date, to: Date) -> Result<Made, DemoError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed("an EC key"))?;
    let mut params = CertificateParams::default();
    let mut dn = DistinguishedName::new();
    dn.push(DnType::OrganizationName, "Demo Trust Services");
    dn.push(DnType::CommonName, name);
    params.distinguished_name = dn;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    dates(&mut params, from, to)?;
    sign(params, &key)
}

/// The subject with attributes from C to CN, so that keytool prints CN first.
fn subject(cn: &str) -> Result<DistinguishedName, DemoError> {
    let mut dn = DistinguishedName::new();
    let country = "US".try_into().map_err(failed("a country"))?;
    dn.push(DnType::CountryName, DnValue::PrintableString(country));
    dn.push(DnType::StateOrProvinceName, "MA");
    dn.push(DnType::LocalityName, "Boston");
    dn.push(DnType::OrganizationName, "Acme");
    dn.push(DnType::OrganizationalUnitName, "Contact Centre");
    dn.push(DnType::CommonName, cn);
    Ok(dn)
}

fn dates(params: &mut CertificateParams, from: Date, to: Date) -> Result<(), DemoError> {
    let moment = |day: Date| -> Result<_, DemoError> {
        let month = u8::try_from(day.month()).map_err(failed("a month"))?;
        let date = u8::try_from(day.day()).map_err(failed("a day"))?;
        Ok(rcgen::date_time_ymd(i32::from(day.year()), month, date))
    };
    params.not_before = moment(from)?;
    params.not_after = moment(to)?;
    Ok(())
}

fn sign(params: CertificateParams, key: &KeyPair) -> Result<Made, DemoError> {
    let certificate = params.self_signed(key).map_err(failed("a certificate"))?;
    let certificate = Certificate::parse(certificate.der()).map_err(failed("a certificate"))?;
    Ok(Made { certificate: Arc::new(certificate), key: Zeroizing::new(key.serialize_der()) })
}

/// Makes many certificates in parallel, because making a key takes long.
pub(super) fn all<T: Sync>(
    contents: &[T],
    make: impl Fn(&T) -> Result<Made, DemoError> + Sync,
) -> Result<Vec<Made>, DemoError> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(contents.len().max(1));
    let size = contents.len().div_ceil(workers).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = contents
            .chunks(size)
            .map(|chunk| scope.spawn(|| chunk.iter().map(&make).collect::<Result<Vec<_>, _>>()))
            .collect();
        let mut made = Vec::with_capacity(contents.len());
        for thread in threads {
            made.extend(thread.join().map_err(|_| DemoError("a worker stopped".to_owned()))??);
        }
        Ok(made)
    })
}
