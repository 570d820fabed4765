//! One X.509 certificate. The module takes DER bytes and gives a [`Certificate`] or a [`CertificateError`]. A
//! `Certificate` exists only if its DER parsed, so every method of it has an answer. The module never decides whether a
//! certificate is trusted.
//!
//! The parser is strict about the encoding (RFC 5280 §4.1, X.690 DER): it refuses an encoding that the JDK would change
//! on load. It is tolerant about contents that real trust stores hold: negative or long serial numbers, odd times, any
//! string type, version 1. Whether a JVM loads the certificate is a separate fact: [`Certificate::jvm`].

mod algorithm;
mod extensions;
mod jvm;
mod name;
mod parts;
mod time;
mod verify;

use std::fmt;
use std::ops::Range;

use sha2::{Digest as _, Sha256};

pub use algorithm::{HashAlgorithm, KeyAlgorithm, PublicKey, Signature};
pub(crate) use algorithm::{KeyInfo, bit_length, key_algorithm};
use extensions::Extensions;
pub use extensions::KeyUsage;
pub(crate) use extensions::{NETSCAPE_TYPE, usage_name};
pub(crate) use jvm::unrecoverable;
pub use jvm::{CertificatePart, JavaReleases, JvmDoubt, JvmJudgement, JvmRefusal};
pub(crate) use parts::CertificateParts;
pub use verify::SignatureCheck;

use crate::der::{self, DerError, DerFault, DerReader, Tlv};
use crate::fingerprint::Fingerprint;

/// Why bytes are not a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateError {
    /// The byte where reading stopped, counted from the first byte of the certificate.
    pub offset: Option<u64>,
    kind: CertificateErrorKind,
    // In a box, so that a `Result` with this error stays small.
    jvm: Box<JvmJudgement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum CertificateErrorKind {
    /// BER, where DER is required.
    NotCanonical(&'static str),
    /// Bytes after the certificate.
    Trailing(usize),
    /// A broken structure.
    Malformed { part: &'static str, what: &'static str },
    /// A known extension that does not parse.
    Extension { oid: String, critical: bool, what: &'static str },
    /// An entry whose certificate type is not X.509.
    Type(String),
}

impl CertificateError {
    /// The error of an entry whose certificate type is not X.509.
    pub(crate) fn of_type(name: &str) -> Self {
        let jvm = Box::new(JvmJudgement::Refused(JvmRefusal::of_type()));
        Self { offset: None, kind: CertificateErrorKind::Type(name.to_owned()), jvm }
    }

    /// Whether the type of the entry is X.509.
    pub(crate) fn is_x509(&self) -> bool {
        !matches!(self.kind, CertificateErrorKind::Type(_))
    }

    /// Whether the bytes are BER or go on after the certificate. The JDK reads such a certificate and encodes it again,
    /// which changes its fingerprint. An operator should convert it first (`openssl x509 -outform DER`).
    #[must_use]
    pub fn is_not_canonical(&self) -> bool {
        matches!(self.kind, CertificateErrorKind::NotCanonical(_) | CertificateErrorKind::Trailing(_))
    }

    /// Whether a JVM loads the bytes although they are no certificate here.
    #[must_use]
    pub fn jvm_loads(&self) -> bool {
        *self.jvm == JvmJudgement::Loads
    }

    /// The behaviour of a JVM that loads a keystore with these bytes. A JVM may load bytes that are no certificate
    /// here.
    #[must_use]
    pub fn jvm(&self) -> &JvmJudgement {
        &self.jvm
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            CertificateErrorKind::NotCanonical(what) => write!(f, "it is not in canonical form (DER): {what}")?,
            CertificateErrorKind::Trailing(count) => write!(f, "{count} bytes follow the certificate")?,
            CertificateErrorKind::Malformed { part, what } => {
                write!(f, "it is no X.509 certificate: {what} in {part}")?
            }
            CertificateErrorKind::Extension { oid, critical, what } => {
                let kind = if *critical { "critical extension" } else { "extension" };
                write!(f, "its {kind} {oid} does not parse: {what}")?;
            }
            CertificateErrorKind::Type(name) => write!(f, "its type is `{}`, not X.509", crate::text::visible(name))?,
        }
        match self.offset {
            Some(offset) => write!(f, " (at byte {offset} of the certificate)"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CertificateError {}

/// A fault and the offset where reading stopped, before the bytes are judged as a JVM does.
struct ParseFailure {
    offset: u64,
    kind: CertificateErrorKind,
}

fn malformed(part: &'static str) -> impl Fn(DerError) -> ParseFailure {
    move |error| ParseFailure {
        offset: error.at as u64,
        kind: CertificateErrorKind::Malformed { part, what: error.fault.what() },
    }
}

/// Why a validator takes a certificate for that of a certificate authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaMark {
    /// The basic constraints say so (RFC 5280 §4.2.1.9).
    BasicConstraints,
    /// The certificate has no basic constraints and a version below 3. openssl and the JDK accept such a trust anchor.
    Version,
    /// The certificate has no basic constraints, and its key usage allows it to sign certificates. openssl accepts it.
    KeyUsage,
    /// The certificate has no basic constraints, and its Netscape certificate type is that of a CA. openssl accepts it.
    NetscapeType,
}

impl fmt::Display for CaMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BasicConstraints => "is a CA's (basic constraints)",
            Self::Version => "may be taken for a CA's (it is of a version before 3)",
            Self::KeyUsage => "may be taken for a CA's (its key usage allows to sign certificates)",
            Self::NetscapeType => "may be taken for a CA's (its Netscape certificate type)",
        })
    }
}

/// A parsed X.509 certificate and its DER. Two certificates are equal if their DER is.
///
/// ```
/// use trustmason_keystore::{Certificate, Fingerprint, SignatureCheck};
/// # const ROOT: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/keystore/der/one/store"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
///
/// let root = Certificate::parse(ROOT)?;
/// assert_eq!(root.subject(), "CN=Fixture Root, O=\"Example, Inc.\", C=US");
/// assert_eq!(root.fingerprint(), Fingerprint::of(ROOT));
/// assert!(root.is_ca() && root.is_self_issued());
/// assert!(!root.names_host("fina.acme.example"));
/// assert_eq!(root.verify_signed_by(&root), SignatureCheck::Valid);
///
/// // A JVM loads a keystore that holds this certificate.
/// assert!(root.jvm_refusal().is_none() && root.jvm_doubt().is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Certificate {
    der: Box<[u8]>,
    fingerprint: Fingerprint,
    version: u8,
    serial: String,
    subject: String,
    issuer: String,
    subject_der: Range<usize>,
    issuer_der: Range<usize>,
    spki: Range<usize>,
    common_name: Option<String>,
    common_names: Vec<String>,
    not_before: i64,
    not_after: i64,
    public_key: PublicKey,
    signature: Signature,
    extensions: Extensions,
    jvm: JvmJudgement,
}

impl Certificate {
    /// Parses exactly one certificate in DER.
    ///
    /// # Errors
    /// [`CertificateError`] if the bytes are no certificate, are BER (the JDK would encode them again, and the
    /// fingerprint would change), or go on after the certificate.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        Self::parse_known(der, Fingerprint::of(der))
    }

    /// Parses a certificate whose fingerprint is known, as [`Certificate::parse`] does.
    pub(crate) fn parse_known(der: &[u8], fingerprint: Fingerprint) -> Result<Self, CertificateError> {
        let jvm = JvmJudgement::of(der);
        match Self::read(der, fingerprint, &jvm) {
            Ok(certificate) => Ok(certificate),
            Err(ParseFailure { offset, kind }) => {
                Err(CertificateError { offset: Some(offset), kind, jvm: Box::new(jvm) })
            }
        }
    }

    fn read(der: &[u8], fingerprint: Fingerprint, jvm: &JvmJudgement) -> Result<Self, ParseFailure> {
        let outer = canonical(der)?;
        let mut parts = outer.inner();
        let at = malformed("its outermost structure");
        let tbs = parts.expect(der::SEQUENCE).map_err(&at)?;
        let algorithm = parts.expect(der::SEQUENCE).map_err(&at)?;
        let signature_value = parts.expect(der::BIT_STRING).map_err(&at)?;
        parts.end().map_err(&at)?;
        if signature_value.body.is_empty() {
            return Err(malformed("its signature")(signature_value.bad()));
        }

        let mut fields = tbs.inner();
        let at = malformed("its fields");
        let version = match fields.optional(0xa0).map_err(&at)? {
            Some(version) => {
                let mut inner = version.inner();
                let number = inner.expect(der::INTEGER).map_err(malformed("its version"))?;
                inner.end().map_err(malformed("its version"))?;
                match number.small() {
                    Ok(value @ 0..=2) => u8::try_from(value).unwrap_or(2) + 1,
                    _ => return Err(malformed("its version")(number.bad())),
                }
            }
            None => 1,
        };
        let serial_number = fields.expect(der::INTEGER).map_err(malformed("its serial number"))?;
        if serial_number.body.is_empty() {
            return Err(malformed("its serial number")(serial_number.bad()));
        }
        fields.expect(der::SEQUENCE).map_err(malformed("its signature algorithm"))?;
        let issuer_name = fields.expect(der::SEQUENCE).map_err(malformed("its issuer"))?;
        let validity = fields.expect(der::SEQUENCE).map_err(malformed("its validity"))?;
        let subject_name = fields.expect(der::SEQUENCE).map_err(malformed("its subject"))?;
        let spki = fields.expect(der::SEQUENCE).map_err(malformed("its public key"))?;
        for unique_id in [0x81, 0x82] {
            fields.optional(unique_id).map_err(&at)?;
        }
        let extensions = match fields.optional(0xa3).map_err(&at)? {
            Some(wrapped) => Extensions::read(&wrapped)?,
            None => Extensions::default(),
        };
        fields.end().map_err(&at)?;

        let signature = algorithm::signature(&algorithm).map_err(malformed("its signature algorithm"))?;
        let issuer = name::read(&issuer_name).map_err(malformed("its issuer"))?;
        let subject = name::read(&subject_name).map_err(malformed("its subject"))?;
        let key = algorithm::public_key(&spki).map_err(malformed("its public key"))?;
        let mut times = validity.inner();
        let mut instant = || {
            let time = times.next().map_err(malformed("its validity"))?;
            time::seconds(&time).ok_or_else(|| malformed("its validity")(time.bad()))
        };
        let (not_before, not_after) = (instant()?, instant()?);
        times.end().map_err(malformed("its validity"))?;

        let range = |element: &Tlv<'_>| element.at..element.at + element.raw.len();
        Ok(Self {
            der: der.into(),
            fingerprint,
            version,
            serial: serial_text(serial_number.body),
            subject: subject.text,
            issuer: issuer.text,
            subject_der: range(&subject_name),
            issuer_der: range(&issuer_name),
            spki: range(&spki),
            common_name: subject.common_name,
            common_names: subject.common_names,
            not_before,
            not_after,
            public_key: PublicKey { algorithm: key.algorithm, bits: key.bits },
            signature,
            extensions,
            jvm: jvm.clone(),
        })
    }

    /// The DER encoding of the certificate.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 over the DER.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The subject in `keytool`'s order (`CN=a, OU=b, O=c, L=d, ST=e, C=US`). Unprintable characters are escaped.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The issuer, written like [`Certificate::subject`].
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The encoding of the subject, for exact comparison.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        self.der.get(self.subject_der.clone()).unwrap_or_default()
    }

    /// The encoding of the issuer, for exact comparison.
    #[must_use]
    pub fn issuer_der(&self) -> &[u8] {
        self.der.get(self.issuer_der.clone()).unwrap_or_default()
    }

    /// The serial number in lower-case hex without leading zeros, as `keytool` prints it. A negative number begins with
    /// `-`.
    #[must_use]
    pub fn serial(&self) -> String {
        self.serial.clone()
    }

    /// The first second of the validity, in seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn not_before(&self) -> i64 {
        self.not_before
    }

    /// The last second of the validity, in seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn not_after(&self) -> i64 {
        self.not_after
    }

    /// The most specific common name of the subject, unescaped.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// The DNS names in the subject alternative name (SAN), as the certificate writes them.
    #[must_use]
    pub fn dns_names(&self) -> &[String] {
        &self.extensions.dns_names
    }

    /// Whether the certificate has a subject alternative name extension, with names of any kind.
    #[must_use]
    pub fn has_san(&self) -> bool {
        self.extensions.has_san
    }

    /// Whether the certificate names this host: a DNS name of its SAN equals the FQDN in any case. If it has no SAN
    /// extension, its common name is compared instead. A wildcard names no host.
    #[must_use]
    pub fn names_host(&self, fqdn: &str) -> bool {
        if self.has_san() {
            self.dns_names().iter().any(|name| name.eq_ignore_ascii_case(fqdn))
        } else {
            self.common_name().is_some_and(|name| name.eq_ignore_ascii_case(fqdn))
        }
    }

    /// The host names of the certificate, in lower case: the DNS names of its SAN, or its common name if it has no SAN
    /// extension.
    #[must_use]
    pub fn names_carried(&self) -> Vec<String> {
        if self.has_san() {
            self.dns_names().iter().map(|name| name.to_lowercase()).collect()
        } else {
            self.common_name().map(str::to_lowercase).into_iter().collect()
        }
    }

    /// Everything in the certificate that may name a host, in lower case: the DNS names of its SAN and every common
    /// name. Each SAN of another kind adds a text that is no host name. The list answers whether a certificate may
    /// still belong to some host, so it is longer than [`Certificate::names_carried`].
    #[must_use]
    pub fn names_in_full(&self) -> Vec<String> {
        let dns = self.dns_names().iter().chain(&self.common_names).map(|name| name.to_lowercase());
        let other = std::iter::repeat_n("(a name of another kind)".to_owned(), self.extensions.other_names);
        dns.chain(other).collect()
    }

    /// How many names of the subject alternative name are not DNS names: addresses, URIs, mail and directory names,
    /// others.
    #[must_use]
    pub fn other_alternative_names(&self) -> usize {
        self.extensions.other_names
    }

    /// The algorithm and size of the public key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The encoding of the SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        self.der.get(self.spki.clone()).unwrap_or_default()
    }

    /// SHA-256 over the SubjectPublicKeyInfo. It is equal for all certificates with the same key.
    #[must_use]
    pub fn spki_sha256(&self) -> [u8; 32] {
        Sha256::digest(self.spki_der()).into()
    }

    /// The signature algorithm.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Whether basic constraints mark the certificate as a certificate authority. They never do in a version 1
    /// certificate.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.extensions.is_ca
    }

    /// Why some validator takes the certificate for that of a CA, so that the owner of its key can sign certificates.
    /// `None` if no validator does.
    #[must_use]
    pub fn taken_for_ca_by(&self) -> Option<CaMark> {
        let extensions = &self.extensions;
        if extensions.is_ca {
            Some(CaMark::BasicConstraints)
        } else if extensions.has_basic_constraints {
            None
        } else if self.version < 3 {
            Some(CaMark::Version)
        } else if extensions.key_usage.is_some_and(KeyUsage::key_cert_sign) {
            Some(CaMark::KeyUsage)
        } else {
            extensions.is_netscape_ca.then_some(CaMark::NetscapeType)
        }
    }

    /// How many intermediate certificates may follow this one in a chain, where its basic constraints say so.
    #[must_use]
    pub fn path_length(&self) -> Option<u64> {
        self.extensions.path_length
    }

    /// Whether subject and issuer are the same name, byte for byte.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject_der() == self.issuer_der()
    }

    /// The X.509 version, 1 to 3.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.version
    }

    /// The key usage, if the certificate restricts it.
    #[must_use]
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.extensions.key_usage
    }

    /// The extended key usages (`serverAuth`, `clientAuth`, …, else the dotted identifier). `None` if the certificate
    /// has no such extension.
    #[must_use]
    pub fn extended_key_usage(&self) -> Option<&[String]> {
        self.extensions.extended_key_usage.as_deref()
    }

    /// The subject key identifier.
    #[must_use]
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.extensions.subject_key_id.as_deref()
    }

    /// The key identifier in the authority key identifier.
    #[must_use]
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.extensions.authority_key_id.as_deref()
    }

    /// The extensions that are marked critical (RFC 5280 §4.2), as dotted object identifiers, in the order of the
    /// certificate.
    #[must_use]
    pub fn critical_extensions(&self) -> &[String] {
        &self.extensions.critical
    }

    /// The behaviour of a JVM that loads a keystore with this certificate.
    #[must_use]
    pub fn jvm(&self) -> &JvmJudgement {
        &self.jvm
    }

    /// Why a JVM would refuse the certificate, and with it the whole store that holds it. `None` if no JVM is known to
    /// refuse it.
    #[must_use]
    pub fn jvm_refusal(&self) -> Option<&JvmRefusal> {
        self.jvm.refusal()
    }

    /// Why it is not known whether a JVM loads the certificate. `None` if a JVM is known to load it or to refuse it.
    #[must_use]
    pub fn jvm_doubt(&self) -> Option<&JvmDoubt> {
        self.jvm.doubt()
    }

    /// Whether the issuer's key made the signature of this certificate. Neither names nor dates are checked.
    #[must_use]
    pub fn verify_signed_by(&self, issuer: &Self) -> SignatureCheck {
        verify::signed_by(self, issuer)
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({} {})", self.fingerprint.short(), self.subject)
    }
}

/// Reads the outermost element, and checks that nothing follows it and that every element in it is canonical.
fn canonical(der: &[u8]) -> Result<Tlv<'_>, ParseFailure> {
    let fault = |error: DerError| match error.fault {
        DerFault::Indefinite | DerFault::LongLength => {
            ParseFailure { offset: error.at as u64, kind: CertificateErrorKind::NotCanonical(error.fault.what()) }
        }
        _ => malformed("its encoding")(error),
    };
    let mut whole = DerReader::new(der);
    if whole.peek().is_some_and(|tag| tag != der::SEQUENCE) {
        return Err(fault(DerError { fault: DerFault::Unexpected, at: 0 }));
    }
    let outer = whole.next().map_err(fault)?;
    der::check_canonical(&outer).map_err(fault)?;
    if !whole.is_empty() {
        let kind = CertificateErrorKind::Trailing(der.len() - whole.position());
        return Err(ParseFailure { offset: whole.position() as u64, kind });
    }
    Ok(outer)
}

/// A serial number as `BigInteger.toString(16)` writes it.
fn serial_text(body: &[u8]) -> String {
    let negative = body.first().is_some_and(|byte| byte & 0x80 != 0);
    let magnitude = if negative {
        // Two's complement: invert and add one.
        let mut bytes: Vec<u8> = body.iter().map(|byte| !byte).collect();
        for byte in bytes.iter_mut().rev() {
            let (sum, carry) = byte.overflowing_add(1);
            *byte = sum;
            if !carry {
                break;
            }
        }
        bytes
    } else {
        body.to_vec()
    };
    let hex = crate::digest::hex(&magnitude);
    let digits = match hex.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    if negative { format!("-{digits}") } else { digits.to_owned() }
}

#[cfg(test)]
mod tests;
