//! Key and signature algorithms, under the names that the JDK gives them. The module takes the encoding of an algorithm
//! identifier or of a public key, and gives the algorithm and the key's size. It never verifies a signature.

use std::fmt;

use crate::der::{self, DerError, DerFault, DerReader, Tlv};

/// The kind of key in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// RSA (PKCS#1).
    Rsa,
    /// Elliptic curve (ECDSA, ECDH).
    Ec,
    /// DSA.
    Dsa,
    /// Edwards curve 25519 (RFC 8410).
    Ed25519,
    /// Edwards curve 448 (RFC 8410).
    Ed448,
    /// RSA restricted to PSS (RFC 4055).
    RsaPss,
    /// Another algorithm, given by its dotted object identifier.
    Other(String),
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa => "RSA",
            Self::Ec => "EC",
            Self::Dsa => "DSA",
            Self::Ed25519 => "Ed25519",
            Self::Ed448 => "Ed448",
            Self::RsaPss => "RSASSA-PSS",
            Self::Other(oid) => oid,
        })
    }
}

/// The kind and size of a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The algorithm.
    pub algorithm: KeyAlgorithm,
    /// The size in bits (RSA and DSA: of the modulus; EC: of the field); 0 where it is not known.
    pub bits: u32,
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bits == 0 { write!(f, "{}", self.algorithm) } else { write!(f, "{} {}", self.algorithm, self.bits) }
    }
}

/// The digest in a signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HashAlgorithm {
    /// MD2 (broken).
    Md2,
    /// MD5 (broken).
    Md5,
    /// SHA-1 (broken).
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA-3 of any length.
    Sha3,
}

impl HashAlgorithm {
    /// Whether collisions of the digest are known: true for MD2, MD5 and SHA-1.
    #[must_use]
    pub fn is_weak(self) -> bool {
        matches!(self, Self::Md2 | Self::Md5 | Self::Sha1)
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Md2 => "MD2",
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
            Self::Sha3 => "SHA-3",
        })
    }
}

/// The signature algorithm of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The name that the JDK gives the algorithm (`SHA256withRSA`); the dotted object identifier of an unknown
    /// algorithm.
    pub name: String,
    /// The digest, if the algorithm names one.
    pub hash: Option<HashAlgorithm>,
    /// The kind of key that makes such signatures, if it is known.
    pub(crate) key: Option<KeyAlgorithm>,
}

impl Signature {
    /// Whether the digest is MD2, MD5 or SHA-1. (The signature of a self-signed root does not matter: the root is
    /// trusted because a store holds it.)
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.hash.is_some_and(HashAlgorithm::is_weak)
    }
}

impl Signature {
    /// Whether a key of this kind makes such signatures. A plain RSA key also makes RSASSA-PSS signatures.
    pub(crate) fn may_be_made_by(&self, key: &PublicKey) -> bool {
        self.key.as_ref().is_some_and(|needed| {
            *needed == key.algorithm || (*needed == KeyAlgorithm::RsaPss && key.algorithm == KeyAlgorithm::Rsa)
        })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The named curves that the JDK loads, and the bits of their fields. The list comes from trying every curve that
/// OpenSSL 3 knows with JDK 17.0.15 and 25. With SM2, WAP, the twisted Brainpool curves and some of X9.62 they refuse
/// the certificate, and with it the store.
const CURVES: [(&str, u32); 53] = [
    ("1.2.840.10045.3.0.5", 191),   // c2tnb191v1
    ("1.2.840.10045.3.0.6", 191),   // c2tnb191v2
    ("1.2.840.10045.3.0.7", 191),   // c2tnb191v3
    ("1.2.840.10045.3.0.11", 239),  // c2tnb239v1
    ("1.2.840.10045.3.0.12", 239),  // c2tnb239v2
    ("1.2.840.10045.3.0.13", 239),  // c2tnb239v3
    ("1.2.840.10045.3.0.18", 359),  // c2tnb359v1
    ("1.2.840.10045.3.0.20", 431),  // c2tnb431r1
    ("1.2.840.10045.3.1.1", 192),   // prime192v1
    ("1.2.840.10045.3.1.2", 192),   // prime192v2
    ("1.2.840.10045.3.1.3", 192),   // prime192v3
    ("1.2.840.10045.3.1.4", 239),   // prime239v1
    ("1.2.840.10045.3.1.5", 239),   // prime239v2
    ("1.2.840.10045.3.1.6", 239),   // prime239v3
    ("1.2.840.10045.3.1.7", 256),   // prime256v1
    ("1.3.36.3.3.2.8.1.1.1", 160),  // brainpoolP160r1
    ("1.3.36.3.3.2.8.1.1.3", 192),  // brainpoolP192r1
    ("1.3.36.3.3.2.8.1.1.5", 224),  // brainpoolP224r1
    ("1.3.36.3.3.2.8.1.1.7", 256),  // brainpoolP256r1
    ("1.3.36.3.3.2.8.1.1.9", 320),  // brainpoolP320r1
    ("1.3.36.3.3.2.8.1.1.11", 384), // brainpoolP384r1
    ("1.3.36.3.3.2.8.1.1.13", 512), // brainpoolP512r1
    ("1.3.132.0.1", 163),           // sect163k1
    ("1.3.132.0.2", 163),           // sect163r1
    ("1.3.132.0.3", 239),           // sect239k1
    ("1.3.132.0.4", 113),           // sect113r1
    ("1.3.132.0.5", 113),           // sect113r2
    ("1.3.132.0.6", 112),           // secp112r1
    ("1.3.132.0.7", 112),           // secp112r2
    ("1.3.132.0.8", 160),           // secp160r1
    ("1.3.132.0.9", 160),           // secp160k1
    ("1.3.132.0.10", 256),          // secp256k1
    ("1.3.132.0.15", 163),          // sect163r2
    ("1.3.132.0.16", 283),          // sect283k1
    ("1.3.132.0.17", 283),          // sect283r1
    ("1.3.132.0.22", 131),          // sect131r1
    ("1.3.132.0.23", 131),          // sect131r2
    ("1.3.132.0.24", 193),          // sect193r1
    ("1.3.132.0.25", 193),          // sect193r2
    ("1.3.132.0.26", 233),          // sect233k1
    ("1.3.132.0.27", 233),          // sect233r1
    ("1.3.132.0.28", 128),          // secp128r1
    ("1.3.132.0.29", 128),          // secp128r2
    ("1.3.132.0.30", 160),          // secp160r2
    ("1.3.132.0.31", 192),          // secp192k1
    ("1.3.132.0.32", 224),          // secp224k1
    ("1.3.132.0.33", 224),          // secp224r1
    ("1.3.132.0.34", 384),          // secp384r1
    ("1.3.132.0.35", 521),          // secp521r1
    ("1.3.132.0.36", 409),          // sect409k1
    ("1.3.132.0.37", 409),          // sect409r1
    ("1.3.132.0.38", 571),          // sect571k1
    ("1.3.132.0.39", 571),          // sect571r1
];

/// The facts in the algorithm of a SubjectPublicKeyInfo or a PKCS#8 key.
pub(crate) struct KeyInfo {
    pub(crate) algorithm: KeyAlgorithm,
    /// The named curve of an EC key.
    pub(crate) curve: Option<String>,
    pub(crate) bits: u32,
}

/// The number of bits of a magnitude without leading zero bytes.
pub(crate) fn bit_length(magnitude: &[u8]) -> u32 {
    let Some(first) = magnitude.first() else {
        return 0;
    };
    u32::try_from(magnitude.len()).unwrap_or(u32::MAX).saturating_mul(8).saturating_sub(first.leading_zeros())
}

/// Reads the AlgorithmIdentifier of a key: the algorithm, and the size where the parameters give it.
pub(crate) fn key_algorithm(identifier: &Tlv<'_>) -> Result<KeyInfo, DerError> {
    let mut parts = identifier.inner();
    let oid = parts.expect(der::OID)?;
    let parameters = if parts.is_empty() { None } else { Some(parts.next()?) };
    parts.end()?;
    let dotted = der::dotted(oid.body).ok_or(oid.bad())?;
    let (mut curve, mut bits) = (None, 0);
    let algorithm = match dotted.as_str() {
        "1.2.840.113549.1.1.1" => KeyAlgorithm::Rsa,
        "1.2.840.113549.1.1.10" => KeyAlgorithm::RsaPss,
        "1.2.840.10045.2.1" => {
            if let Some(parameters) = parameters.filter(|parameters| parameters.tag == der::OID) {
                let name = der::dotted(parameters.body).ok_or(parameters.bad())?;
                bits = curve_bits(&name).unwrap_or(0);
                curve = Some(name);
            }
            KeyAlgorithm::Ec
        }
        "1.2.840.10040.4.1" => {
            if let Some(parameters) = parameters.filter(|parameters| parameters.tag == der::SEQUENCE) {
                bits = bit_length(parameters.inner().expect(der::INTEGER)?.unsigned()?);
            }
            KeyAlgorithm::Dsa
        }
        "1.3.101.112" => KeyAlgorithm::Ed25519,
        "1.3.101.113" => KeyAlgorithm::Ed448,
        _ => KeyAlgorithm::Other(dotted),
    };
    match algorithm {
        KeyAlgorithm::Ed25519 => bits = 255,
        KeyAlgorithm::Ed448 => bits = 448,
        _ => {}
    }
    Ok(KeyInfo { algorithm, curve, bits })
}

/// Reads a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
pub(crate) fn public_key(spki: &Tlv<'_>) -> Result<KeyInfo, DerError> {
    let mut parts = spki.inner();
    let mut info = key_algorithm(&parts.expect(der::SEQUENCE)?)?;
    let key = parts.expect(der::BIT_STRING)?;
    parts.end()?;
    let bytes = key.bits()?;
    match info.algorithm {
        KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss => {
            let mut key = DerReader::new(bytes);
            let Ok(sequence) = key.expect(der::SEQUENCE) else {
                return Err(DerError { fault: DerFault::BadValue, at: spki.at });
            };
            let modulus = sequence.inner().expect(der::INTEGER).map(|modulus| modulus.magnitude());
            info.bits = bit_length(modulus.map_err(|_| DerError { fault: DerFault::BadValue, at: spki.at })?);
        }
        KeyAlgorithm::Ec if info.bits == 0 && bytes.first() == Some(&4) => {
            info.bits = u32::try_from((bytes.len() - 1) / 2 * 8).unwrap_or(0);
        }
        _ => {}
    }
    Ok(info)
}

/// The bits of the field of a named curve that the JDK knows.
pub(super) fn curve_bits(oid: &str) -> Option<u32> {
    CURVES.iter().find(|(name, _)| *name == oid).map(|(_, bits)| *bits)
}

/// Reads the AlgorithmIdentifier of a signature.
pub(super) fn signature(identifier: &Tlv<'_>) -> Result<Signature, DerError> {
    use HashAlgorithm as H;
    use KeyAlgorithm as K;
    let mut parts = identifier.inner();
    let oid = parts.expect(der::OID)?;
    let parameters = if parts.is_empty() { None } else { Some(parts.next()?) };
    parts.end()?;
    let dotted = der::dotted(oid.body).ok_or(oid.bad())?;
    let known = |name: &str, hash: Option<H>, key: K| Signature { name: name.to_owned(), hash, key: Some(key) };
    Ok(match dotted.as_str() {
        "1.2.840.113549.1.1.2" => known("MD2withRSA", Some(H::Md2), K::Rsa),
        "1.2.840.113549.1.1.4" => known("MD5withRSA", Some(H::Md5), K::Rsa),
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => known("SHA1withRSA", Some(H::Sha1), K::Rsa),
        "1.2.840.113549.1.1.14" => known("SHA224withRSA", Some(H::Sha224), K::Rsa),
        "1.2.840.113549.1.1.11" => known("SHA256withRSA", Some(H::Sha256), K::Rsa),
        "1.2.840.113549.1.1.12" => known("SHA384withRSA", Some(H::Sha384), K::Rsa),
        "1.2.840.113549.1.1.13" => known("SHA512withRSA", Some(H::Sha512), K::Rsa),
        "1.2.840.113549.1.1.10" => known("RSASSA-PSS", pss_hash(parameters), K::RsaPss),
        "1.2.840.10040.4.3" | "1.3.14.3.2.27" => known("SHA1withDSA", Some(H::Sha1), K::Dsa),
        "2.16.840.1.101.3.4.3.1" => known("SHA224withDSA", Some(H::Sha224), K::Dsa),
        "2.16.840.1.101.3.4.3.2" => known("SHA256withDSA", Some(H::Sha256), K::Dsa),
        "2.16.840.1.101.3.4.3.3" => known("SHA384withDSA", Some(H::Sha384), K::Dsa),
        "2.16.840.1.101.3.4.3.4" => known("SHA512withDSA", Some(H::Sha512), K::Dsa),
        "1.2.840.10045.4.1" => known("SHA1withECDSA", Some(H::Sha1), K::Ec),
        "1.2.840.10045.4.3.1" => known("SHA224withECDSA", Some(H::Sha224), K::Ec),
        "1.2.840.10045.4.3.2" => known("SHA256withECDSA", Some(H::Sha256), K::Ec),
        "1.2.840.10045.4.3.3" => known("SHA384withECDSA", Some(H::Sha384), K::Ec),
        "1.2.840.10045.4.3.4" => known("SHA512withECDSA", Some(H::Sha512), K::Ec),
        "2.16.840.1.101.3.4.3.10" => known("SHA3-256withECDSA", Some(H::Sha3), K::Ec),
        "2.16.840.1.101.3.4.3.14" => known("SHA3-256withRSA", Some(H::Sha3), K::Rsa),
        "1.3.101.112" => known("Ed25519", None, K::Ed25519),
        "1.3.101.113" => known("Ed448", None, K::Ed448),
        _ => Signature { name: dotted, hash: None, key: None },
    })
}

/// The digest in RSASSA-PSS parameters (RFC 4055 §3.1); SHA-1 if they name none.
fn pss_hash(parameters: Option<Tlv<'_>>) -> Option<HashAlgorithm> {
    let Some(parameters) = parameters.filter(|parameters| parameters.tag == der::SEQUENCE) else {
        return Some(HashAlgorithm::Sha1);
    };
    let Ok(Some(hash)) = parameters.inner().optional(0xa0) else {
        return Some(HashAlgorithm::Sha1);
    };
    let oid = hash.inner().expect(der::SEQUENCE).and_then(|identifier| identifier.inner().expect(der::OID)).ok()?;
    match der::dotted(oid.body)?.as_str() {
        "1.3.14.3.2.26" => Some(HashAlgorithm::Sha1),
        "2.16.840.1.101.3.4.2.1" => Some(HashAlgorithm::Sha256),
        "2.16.840.1.101.3.4.2.2" => Some(HashAlgorithm::Sha384),
        "2.16.840.1.101.3.4.2.3" => Some(HashAlgorithm::Sha512),
        "2.16.840.1.101.3.4.2.4" => Some(HashAlgorithm::Sha224),
        _ => None,
    }
}
