//! Private keys: a key in the clear with its algorithm, its size and the certificate it belongs to, and [`SealedKey`], a
//! key that is still protected. The module
//! takes PKCS#8, PKCS#1 or SEC 1 bytes and gives PKCS#8. It never decrypts a key; the module of each format does.

use std::fmt;

#[cfg(not(fuzzing))]
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use zeroize::Zeroizing;

use crate::certificate::{Certificate, KeyAlgorithm, KeyInfo, bit_length, key_algorithm};
use crate::der::{self, DerError, DerReader, Tlv};
use crate::error::KeyError;
use crate::format::Format;

/// Whether a private key belongs to the first certificate of its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMatch {
    /// The public half of the key is the one in the certificate.
    Yes,
    /// The public half of the key is not the one in the certificate.
    No,
    /// There is no certificate, or this crate does not derive the public half of this kind of key.
    CannotTell,
}

/// A private key in the clear. Its bytes are wiped when it is dropped.
pub struct OpenedKey {
    /// The algorithm of the key.
    pub algorithm: KeyAlgorithm,
    /// The size of the key in bits; 0 where it is not known.
    pub bits: u32,
    /// Whether the key belongs to the first certificate of its chain.
    pub matches_certificate: KeyMatch,
    /// The key in PKCS#8 (RFC 5208, RFC 5958).
    pub pkcs8: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for OpenedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedKey({} {}, …)", self.algorithm, self.bits)
    }
}

/// A protected key as a store holds it. It can be copied into a store of the same format without being opened; an edit
/// refuses any other format. The password must be the same too. It is not checked, because the key is not opened.
#[derive(Clone)]
pub struct SealedKey {
    pub(crate) format: Format,
    pub(crate) bytes: Vec<u8>,
}

impl SealedKey {
    /// The format in which the key was sealed.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }
}

impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedKey({}, …)", self.format)
    }
}

/// The parts of a PrivateKeyInfo (RFC 5208 §5).
struct Pkcs8<'a> {
    info: KeyInfo,
    key: Tlv<'a>,
}

fn pkcs8(bytes: &[u8]) -> Result<Pkcs8<'_>, DerError> {
    let mut outer = DerReader::new(bytes);
    let mut fields = outer.expect(der::SEQUENCE)?.inner();
    outer.end()?;
    fields.expect(der::INTEGER)?;
    let mut info = key_algorithm(&fields.expect(der::SEQUENCE)?)?;
    let key = fields.expect(der::OCTET_STRING)?;
    // Attributes and a public key may follow.
    while !fields.is_empty() {
        fields.next()?;
    }
    if matches!(info.algorithm, KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss) {
        info.bits = bit_length(rsa_numbers(&key)?.0.magnitude());
    }
    Ok(Pkcs8 { info, key })
}

/// Modulus and public exponent of an RSAPrivateKey (RFC 8017 A.1.2).
fn rsa_numbers<'a>(key: &Tlv<'a>) -> Result<(Tlv<'a>, Tlv<'a>), DerError> {
    let mut numbers = DerReader::new(key.body).expect(der::SEQUENCE)?.inner();
    numbers.expect(der::INTEGER)?;
    Ok((numbers.expect(der::INTEGER)?, numbers.expect(der::INTEGER)?))
}

/// A key that was in the clear.
pub(crate) struct Clear {
    /// The key as PKCS#8.
    pub(crate) pkcs8: Zeroizing<Vec<u8>>,
    /// The algorithm of the key.
    pub(crate) algorithm: KeyAlgorithm,
    /// Whether the key was in PKCS#8 already, and not in an older form.
    pub(crate) was_pkcs8: bool,
}

/// Reads a key in the clear, in any of the three forms (PKCS#8, SEC 1, PKCS#1); `None` if the bytes are no key.
pub(crate) fn in_the_clear(der: Zeroizing<Vec<u8>>) -> Option<Clear> {
    let algorithm = |der: &[u8]| Some(pkcs8(der).ok()?.info.algorithm);
    if let Some(algorithm) = algorithm(&der) {
        return Some(Clear { pkcs8: der, algorithm, was_pkcs8: true });
    }
    let pkcs8 = from_sec1(&der).unwrap_or_else(|| from_pkcs1(&der));
    algorithm(&pkcs8).map(|algorithm| Clear { pkcs8, algorithm, was_pkcs8: false })
}

/// Wraps an RSAPrivateKey (RFC 8017 A.1.2), as `BEGIN RSA PRIVATE KEY` has it, in a PrivateKeyInfo.
fn from_pkcs1(numbers: &[u8]) -> Zeroizing<Vec<u8>> {
    // rsaEncryption (1.2.840.113549.1.1.1) with NULL.
    let algorithm = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    wrapped(&algorithm, numbers)
}

/// Wraps an ECPrivateKey (RFC 5915 §3), as `BEGIN EC PRIVATE KEY` has it, in a PrivateKeyInfo; `None` if the key names
/// no curve.
fn from_sec1(key: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut fields = DerReader::new(key).expect(der::SEQUENCE).ok()?.inner();
    fields.expect(der::INTEGER).ok()?;
    fields.expect(der::OCTET_STRING).ok()?;
    let curve = fields.optional(0xa0).ok()??;
    // id-ecPublicKey (1.2.840.10045.2.1) with its curve.
    let oid = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    Some(wrapped(&der::encode(der::SEQUENCE, &[&oid[..], curve.body].concat()), key))
}

fn wrapped(algorithm: &[u8], key: &[u8]) -> Zeroizing<Vec<u8>> {
    let key = Zeroizing::new(der::encode(der::OCTET_STRING, key));
    let body = Zeroizing::new([&der::integer(0)[..], algorithm, &key].concat());
    Zeroizing::new(der::encode(der::SEQUENCE, &body))
}

/// The RSAPrivateKey in a PrivateKeyInfo; `None` if the PrivateKeyInfo holds another kind of key.
pub(crate) fn to_pkcs1(plain: &[u8]) -> Option<&[u8]> {
    let parts = pkcs8(plain).ok()?;
    (parts.info.algorithm == KeyAlgorithm::Rsa).then_some(parts.key.body)
}

/// Whether the bytes are a PKCS#8 private key.
pub(crate) fn is_pkcs8(bytes: &[u8]) -> bool {
    pkcs8(bytes).is_ok()
}

/// Describes a key that was opened.
pub(crate) fn opened(plain: Zeroizing<Vec<u8>>, leaf: Option<&Certificate>) -> Result<OpenedKey, KeyError> {
    let (algorithm, bits, matches_certificate) = {
        let parts = pkcs8(&plain).map_err(|error| {
            KeyError::Corrupt(format!("what it protects is no PKCS#8 key: {} at byte {}", error.fault.what(), error.at))
        })?;
        let matches = leaf.map_or(KeyMatch::CannotTell, |leaf| compare(&parts, &plain, leaf));
        (parts.info.algorithm, parts.info.bits, matches)
    };
    Ok(OpenedKey { algorithm, bits, matches_certificate, pkcs8: plain })
}

/// Whether a new key belongs to the leaf of its chain. The error says what is wrong with the key.
pub(crate) fn fits(plain: &[u8], leaf: &Certificate) -> Result<KeyMatch, String> {
    let parts = pkcs8(plain).map_err(|error| format!("{} at byte {}", error.fault.what(), error.at))?;
    Ok(compare(&parts, plain, leaf))
}

fn compare(parts: &Pkcs8<'_>, plain: &[u8], leaf: &Certificate) -> KeyMatch {
    let same_kind = match (&parts.info.algorithm, &leaf.public_key().algorithm) {
        (KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss, KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss) => true,
        (key, certificate) => key == certificate,
    };
    if !same_kind {
        return KeyMatch::No;
    }
    let Some(wanted) = public_bits(leaf) else {
        return KeyMatch::CannotTell;
    };
    let judge = |same: bool| if same { KeyMatch::Yes } else { KeyMatch::No };
    match &parts.info.algorithm {
        KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss => {
            let numbers = DerReader::new(wanted).expect(der::SEQUENCE).map(|sequence| sequence.inner());
            let public = numbers.and_then(|mut numbers| Ok((numbers.next()?, numbers.next()?)));
            match (public, rsa_numbers(&parts.key)) {
                (Ok((modulus, exponent)), Ok((ours, our_exponent))) => {
                    judge(modulus.magnitude() == ours.magnitude() && exponent.magnitude() == our_exponent.magnitude())
                }
                _ => KeyMatch::CannotTell,
            }
        }
        KeyAlgorithm::Ec | KeyAlgorithm::Ed25519 => {
            public_half(&parts.info, plain).map_or(KeyMatch::CannotTell, |ours| judge(ours == wanted))
        }
        KeyAlgorithm::Dsa | KeyAlgorithm::Ed448 | KeyAlgorithm::Other(_) => KeyMatch::CannotTell,
    }
}

/// The public half of an elliptic curve key, in the form of subjectPublicKey; `None` where this crate does not derive
/// it.
#[cfg(not(fuzzing))]
fn public_half(info: &KeyInfo, plain: &[u8]) -> Option<Vec<u8>> {
    if info.algorithm == KeyAlgorithm::Ed25519 {
        return Some(Ed25519KeyPair::from_pkcs8_maybe_unchecked(plain).ok()?.public_key().as_ref().to_vec());
    }
    let algorithm = match info.curve.as_deref()? {
        "1.2.840.10045.3.1.7" => &ECDSA_P256_SHA256_ASN1_SIGNING,
        "1.3.132.0.34" => &ECDSA_P384_SHA384_ASN1_SIGNING,
        "1.3.132.0.35" => &ECDSA_P521_SHA512_ASN1_SIGNING,
        "1.3.132.0.10" => &ECDSA_P256K1_SHA256_ASN1_SIGNING,
        _ => return None,
    };
    Some(EcdsaKeyPair::from_pkcs8(algorithm, plain).ok()?.public_key().as_ref().to_vec())
}

/// A build for fuzzing leaves out cryptography of other projects: see `certificate::verify`.
#[cfg(fuzzing)]
fn public_half(_: &KeyInfo, _: &[u8]) -> Option<Vec<u8>> {
    None
}

/// The contents of the certificate's subjectPublicKey.
fn public_bits(certificate: &Certificate) -> Option<&[u8]> {
    let mut parts = DerReader::new(certificate.spki_der()).next().ok()?.inner();
    parts.next().ok()?;
    parts.next().ok()?.bits().ok()
}
