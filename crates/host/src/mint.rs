//! Generates keys, certificates and certificate requests as the planner orders them. A certificate that does not meet
//! the order is refused, never returned.
//!
//! The certificate is what `keytool -genkeypair` would make, with two differences that are needed in practice: it
//! always has a subject alternative name, and its signature is always the one ordered. Attributes are encoded from C to
//! CN, so that keytool prints CN first. A subject key identifier is added (RFC 7093 §2 method 1). As with keytool there
//! are no basic constraints and no key usage, so nothing that a JVM, an IIS or a VOS node could take for a limit. Keys
//! come from a [`KeySource`], because generating RSA keys is what takes the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use rand_core::TryRng as _;
use rcgen::string::PrintableString;
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, KeyPair,
    PublicKeyData as _, RsaKeySize, SanType, SerialNumber, SignatureAlgorithm,
};
use sha2::{Digest as _, Sha256};
use trustmason_keystore::Certificate;
use trustmason_plan::constraints::{self, Violation};
use trustmason_plan::mint::{LAST, Order};
use trustmason_spec::topology::{ExtendedUsage, IdentityDef, KeyKind, SignatureHash};
use zeroize::{Zeroize as _, Zeroizing};

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// Keys of this kind with this hash are not made here.
    #[error("trustmason does not make {key} with {hash}; use rsa-2048, rsa-3072, rsa-4096, ec-256, ec-384 or ec-521")]
    FindingKind {
        /// The kind of key.
        key: String,
        /// The hash.
        hash: &'static str,
    },
    /// A subject attribute cannot be encoded.
    #[error("the subject attribute {name}={value} cannot be used: {why}; correct `subject:` in the spec")]
    Subject {
        /// The attribute.
        name: String,
        /// The attribute's value.
        value: String,
        /// The problem with the value.
        why: &'static str,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes: {0}; run again")]
    Random(String),
    /// The cryptographic library failed.
    #[error("making the {what} failed: {cause}")]
    Library {
        /// The thing that was being made: the key, the certificate or the request.
        what: &'static str,
        /// The library's error message.
        cause: String,
    },
    /// The certificate that was made does not meet the order.
    #[error("the new certificate would break the rules of the role: {0}; correct `identity:` in the spec")]
    Unfit(String),
}

/// Where private keys come from.
pub trait KeySource: Sync {
    /// Returns a private key of this kind, as PKCS#8.
    ///
    /// # Errors
    /// [`MintError`] if there is no such key.
    fn key(&self, kind: KeyKind, hash: SignatureHash) -> Result<Zeroizing<Vec<u8>>, MintError>;
}

/// Generates new keys with aws-lc.
#[derive(Clone, Copy, Debug, Default)]
pub struct Generate;

impl KeySource for Generate {
    fn key(&self, kind: KeyKind, hash: SignatureHash) -> Result<Zeroizing<Vec<u8>>, MintError> {
        let algorithm = algorithm(kind, hash)?;
        let made = match kind {
            KeyKind::Rsa(2048) => KeyPair::generate_rsa_for(algorithm, RsaKeySize::_2048),
            KeyKind::Rsa(3072) => KeyPair::generate_rsa_for(algorithm, RsaKeySize::_3072),
            KeyKind::Rsa(4096) => KeyPair::generate_rsa_for(algorithm, RsaKeySize::_4096),
            KeyKind::Rsa(_) => return Err(unknown(kind, hash)),
            KeyKind::Ec(_) => KeyPair::generate_for(algorithm),
        };
        let mut pair = made.map_err(|error| library("key", &error))?;
        let key = Zeroizing::new(pair.serialized_der().to_vec());
        pair.zeroize();
        Ok(key)
    }
}

/// Keys generated beforehand and handed out in turn, again and again. A pool is for tests only, in which hundreds of
/// identities need keys and no security depends on them.
pub struct KeyPool {
    keys: Vec<Zeroizing<Vec<u8>>>,
    next: AtomicUsize,
}

impl std::fmt::Debug for KeyPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({} keys)", self.keys.len())
    }
}

impl KeyPool {
    /// Generates this many RSA-2048 keys.
    ///
    /// # Errors
    /// [`MintError`] if the keys could not be generated.
    pub fn new(size: usize) -> Result<Self, MintError> {
        let keys =
            (0..size).map(|_| Generate.key(KeyKind::Rsa(2048), SignatureHash::Sha256)).collect::<Result<_, _>>()?;
        Ok(Self { keys, next: AtomicUsize::new(0) })
    }
}

impl KeySource for KeyPool {
    fn key(&self, kind: KeyKind, hash: SignatureHash) -> Result<Zeroizing<Vec<u8>>, MintError> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.keys.len());
        match (kind, turn.and_then(|turn| self.keys.get(turn))) {
            (KeyKind::Rsa(2048), Some(key)) => Ok(key.clone()),
            (KeyKind::Rsa(_) | KeyKind::Ec(_), _) => Generate.key(kind, hash),
        }
    }
}

/// A certificate and its key.
pub struct Minted {
    /// The certificate.
    pub certificate: Arc<Certificate>,
    /// The private key, as PKCS#8.
    pub key: Zeroizing<Vec<u8>>,
    /// The certificates of the issuers, nearest first; empty if the certificate is self-signed.
    pub issuers: Vec<Arc<Certificate>>,
    /// A request for a certificate of that key (PKCS#10, RFC 2986), as PEM.
    pub request: Option<String>,
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Minted({}, …)", self.certificate.fingerprint())
    }
}

/// Generates an identity's new key and its self-signed certificate, valid from `now`.
///
/// # Errors
/// [`MintError`], in particular if the new certificate would have to be replaced at once, or if a JVM would refuse it.
pub fn mint(identity: &IdentityDef, keys: &dyn KeySource, now: Timestamp) -> Result<Minted, MintError> {
    let order = trustmason_plan::mint::order(identity, now);
    let key = keys.key(order.key, order.signature)?;
    let der = sign(&order, &key)?;
    let certificate = Certificate::parse(&der).map_err(|error| library("certificate", &error))?;
    if let Some(why) = constraints::unwritable(&certificate) {
        return Err(MintError::Unfit(why));
    }
    if let Some(fault) = constraints::judge(&certificate, identity, now).into_iter().find(Violation::demands_new) {
        return Err(MintError::Unfit(fault.to_string()));
    }
    Ok(Minted { certificate: Arc::new(certificate), key, issuers: Vec::new(), request: None })
}

/// Generates an identity's new key and a request for its certificate. Until the reply is there, a self-signed
/// certificate is kept with the key, as after `keytool -genkeypair`: a key entry needs a certificate, and the
/// certificate shows which key it is.
///
/// # Errors
/// [`MintError`].
pub fn request(identity: &IdentityDef, keys: &dyn KeySource, now: Timestamp) -> Result<Minted, MintError> {
    let minted = mint(identity, keys, now)?;
    let order = trustmason_plan::mint::order(identity, now);
    let pem = with_pair(&order, &minted.key, |pair| {
        let mut parameters = CertificateParams::default();
        describe(&order, &mut parameters)?;
        asked(&mut parameters);
        let request = parameters.serialize_request(pair).map_err(|error| library("request", &error))?;
        request.pem().map_err(|error| library("request", &error))
    })?;
    Ok(Minted { request: Some(pem), ..minted })
}

/// A certificate authority whose key is on this machine, for labs.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// The authority's certificate.
    pub certificate: &'a Arc<Certificate>,
    /// The issuers of the authority's certificate, nearest first.
    pub issuers: &'a [Arc<Certificate>],
    /// The authority's private key, as PEM.
    pub key: &'a str,
}

/// Generates an identity's new key and has an authority sign its certificate at once.
///
/// # Errors
/// [`MintError`], in particular if the authority's key cannot be used.
pub fn signed(
    identity: &IdentityDef,
    keys: &dyn KeySource,
    now: Timestamp,
    signer: Signer<'_>,
) -> Result<Minted, MintError> {
    let mut order = trustmason_plan::mint::order(identity, now);
    // No peer accepts a certificate after its issuer's certificate has ended.
    order.not_after =
        signer.issuers.iter().chain([signer.certificate]).fold(order.not_after, |end, c| end.min(c.not_after()));
    let key = keys.key(order.key, order.signature)?;
    let der = with_pair(&order, &key, |pair| {
        let mut parameters = parameters(&order, pair)?;
        // rcgen writes a subject key identifier of its own when it writes basic constraints.
        parameters.custom_extensions.clear();
        parameters.extended_key_usages.clear();
        asked(&mut parameters);
        parameters.is_ca = rcgen::IsCa::ExplicitNoCa;
        parameters.use_authority_key_identifier_extension = true;
        let authority = KeyPair::from_pem(signer.key).map_err(|error| library("authority's key", &error))?;
        let own = signer.certificate.der().into();
        let issuer =
            rcgen::Issuer::from_ca_cert_der(&own, authority).map_err(|error| library("authority's key", &error))?;
        let made = parameters.signed_by(pair, &issuer).map_err(|error| library("certificate", &error))?;
        Ok(made.der().to_vec())
    })?;
    let certificate = Certificate::parse(&der).map_err(|error| library("certificate", &error))?;
    if let Some(why) = constraints::unwritable(&certificate) {
        return Err(MintError::Unfit(why));
    }
    if certificate.verify_signed_by(signer.certificate) == trustmason_keystore::SignatureCheck::Invalid {
        return Err(MintError::Unfit("`sign_with` is not the key of the authority's certificate".to_owned()));
    }
    if let Some(fault) = constraints::judge(&certificate, identity, now).into_iter().find(Violation::demands_new) {
        return Err(MintError::Unfit(fault.to_string()));
    }
    let issuers = std::iter::once(signer.certificate).chain(signer.issuers).cloned().collect();
    Ok(Minted { certificate: Arc::new(certificate), key, issuers, request: None })
}

/// Sets the usages that a request asks for. They include both sides of a connection, because hosts of a contact centre
/// connect to one another.
fn asked(parameters: &mut CertificateParams) {
    for usage in [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth] {
        if !parameters.extended_key_usages.contains(&usage) {
            parameters.extended_key_usages.push(usage);
        }
    }
    parameters.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature, rcgen::KeyUsagePurpose::KeyEncipherment];
}

fn library(what: &'static str, cause: &dyn std::fmt::Display) -> MintError {
    MintError::Library { what, cause: cause.to_string() }
}

fn unknown(kind: KeyKind, hash: SignatureHash) -> MintError {
    let key = match kind {
        KeyKind::Rsa(bits) => format!("an RSA key of {bits} bits"),
        KeyKind::Ec(bits) => format!("an EC key of {bits} bits"),
    };
    let hash = match hash {
        SignatureHash::Sha256 => "SHA-256",
        SignatureHash::Sha384 => "SHA-384",
        SignatureHash::Sha512 => "SHA-512",
    };
    MintError::FindingKind { key, hash }
}

fn algorithm(kind: KeyKind, hash: SignatureHash) -> Result<&'static SignatureAlgorithm, MintError> {
    match (kind, hash) {
        (KeyKind::Rsa(_), SignatureHash::Sha256) => Ok(&rcgen::PKCS_RSA_SHA256),
        (KeyKind::Rsa(_), SignatureHash::Sha384) => Ok(&rcgen::PKCS_RSA_SHA384),
        (KeyKind::Rsa(_), SignatureHash::Sha512) => Ok(&rcgen::PKCS_RSA_SHA512),
        (KeyKind::Ec(256), SignatureHash::Sha256) => Ok(&rcgen::PKCS_ECDSA_P256_SHA256),
        (KeyKind::Ec(384), SignatureHash::Sha384) => Ok(&rcgen::PKCS_ECDSA_P384_SHA384),
        (KeyKind::Ec(521), SignatureHash::Sha256) => Ok(&rcgen::PKCS_ECDSA_P521_SHA256),
        (KeyKind::Ec(521), SignatureHash::Sha384) => Ok(&rcgen::PKCS_ECDSA_P521_SHA384),
        (KeyKind::Ec(521), SignatureHash::Sha512) => Ok(&rcgen::PKCS_ECDSA_P521_SHA512),
        (KeyKind::Ec(_), SignatureHash::Sha256 | SignatureHash::Sha384 | SignatureHash::Sha512) => {
            Err(unknown(kind, hash))
        }
    }
}

/// The DER of the ordered certificate, signed with its own key.
fn sign(order: &Order, key: &[u8]) -> Result<Vec<u8>, MintError> {
    with_pair(order, key, |pair| {
        let made = parameters(order, pair)?.self_signed(pair).map_err(|error| library("certificate", &error))?;
        Ok(made.der().to_vec())
    })
}

/// Calls `make` with the key as rcgen's key pair. The key pair is wiped afterwards.
fn with_pair<T>(
    order: &Order,
    key: &[u8],
    make: impl FnOnce(&KeyPair) -> Result<T, MintError>,
) -> Result<T, MintError> {
    let mut pair = KeyPair::from_pkcs8_der_and_sign_algo(&key.into(), algorithm(order.key, order.signature)?)
        .map_err(|error| library("key", &error))?;
    let made = make(&pair);
    pair.zeroize();
    made
}

fn parameters(order: &Order, pair: &KeyPair) -> Result<CertificateParams, MintError> {
    let mut parameters = CertificateParams::default();
    parameters.not_before = moment(order.not_before)?;
    parameters.not_after = moment(order.not_after)?;
    parameters.serial_number = Some(serial()?);
    describe(order, &mut parameters)?;
    parameters.custom_extensions.push(subject_key_identifier(pair));
    Ok(parameters)
}

/// Sets whom the certificate is for: subject, alternative names and extended key usages.
fn describe(order: &Order, parameters: &mut CertificateParams) -> Result<(), MintError> {
    parameters.distinguished_name = subject(&order.subject)?;
    for name in &order.names {
        let name = name.as_str().try_into().map_err(|_| MintError::Unfit(format!("{name} is not ASCII")))?;
        parameters.subject_alt_names.push(SanType::DnsName(name));
    }
    parameters.extended_key_usages.extend(order.eku.iter().copied().map(usage));
    Ok(())
}

/// rcgen takes dates of the `time` crate. Converting from `SystemTime` spares this crate that dependency.
fn moment<T>(seconds: i64) -> Result<T, MintError>
where
    T: From<std::time::SystemTime>,
{
    let since = u64::try_from(seconds).map_err(|_| MintError::Unfit("it would begin before 1970".to_owned()))?;
    let since = std::time::Duration::from_secs(since.min(LAST.unsigned_abs()));
    Ok(T::from(std::time::UNIX_EPOCH + since))
}

/// 128 random bits, of which the first two are 0 and 1, so that the number is positive and never short (RFC 5280
/// §4.1.2.2).
fn serial() -> Result<SerialNumber, MintError> {
    let mut bytes = [0u8; 16];
    getrandom::SysRng.try_fill_bytes(&mut bytes).map_err(|error| MintError::Random(error.to_string()))?;
    if let Some(first) = bytes.first_mut() {
        *first = *first & 0x3f | 0x40;
    }
    Ok(SerialNumber::from_slice(&bytes))
}

fn subject(attributes: &[(String, String)]) -> Result<DistinguishedName, MintError> {
    let mut name = DistinguishedName::new();
    for (short, value) in attributes.iter().rev() {
        let refuse = |why| MintError::Subject { name: short.clone(), value: value.clone(), why };
        let kind = match short.to_ascii_uppercase().as_str() {
            "CN" => DnType::CommonName,
            "OU" => DnType::OrganizationalUnitName,
            "O" => DnType::OrganizationName,
            "L" => DnType::LocalityName,
            "ST" | "S" => DnType::StateOrProvinceName,
            "C" => DnType::CountryName,
            _ => return Err(refuse("only CN, OU, O, L, ST and C are known")),
        };
        if value.is_empty() {
            return Err(refuse("it is empty"));
        }
        // rcgen would silently keep only the last one.
        if name.get(&kind).is_some() {
            return Err(refuse("it is given twice"));
        }
        let value = if kind == DnType::CountryName {
            // RFC 5280 appendix A: X520countryName is a PrintableString of two characters.
            let printable = PrintableString::try_from(value.as_str()).ok().filter(|_| value.len() == 2);
            DnValue::PrintableString(printable.ok_or_else(|| refuse("a country has two letters"))?)
        } else {
            DnValue::Utf8String(value.clone())
        };
        name.push(kind, value);
    }
    Ok(name)
}

fn usage(usage: ExtendedUsage) -> ExtendedKeyUsagePurpose {
    match usage {
        ExtendedUsage::ServerAuth => ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedUsage::ClientAuth => ExtendedKeyUsagePurpose::ClientAuth,
    }
}

/// The leftmost 160 bits of the SHA-256 of the subjectPublicKey (RFC 7093 §2 method 1), as an OCTET STRING.
fn subject_key_identifier(pair: &KeyPair) -> CustomExtension {
    const LENGTH: u8 = 20;
    let digest = Sha256::digest(pair.der_bytes());
    let mut content = vec![0x04, LENGTH];
    content.extend(digest.iter().take(usize::from(LENGTH)));
    CustomExtension::from_oid_content(&[2, 5, 29, 14], content)
}

#[cfg(test)]
#[path = "mint_tests.rs"]
mod tests;
