//! Private keys as the JDK recovers them: `sun.security.pkcs.PKCS8Key` (JKS), `com.sun.crypto.provider.PrivateKeyInfo`
//! (JCEKS), and the `KeyFactory` of the key's algorithm. The module takes PKCS#8 in the clear and says whether a JVM
//! can use the key. It never keeps or shows a part of it.
//!
//! A key counts as refused if any of these classes refuses it, because a JKS gives a key without a `KeyFactory` out as
//! bytes that no service can use. For Ed25519, Ed448, X25519 and X448 only Java 17 is asked, because Java 8 has no such
//! keys.

use super::JavaRelease;
use super::algorithms::{Algorithm, algorithm};
use super::keys::magnitude;
use super::value::{OCTET_STRING, Parsed, Stream, Value, refuse, require};
use crate::certificate::bit_length;
use crate::der::dotted;

/// Why Java 8 or Java 17 cannot recover an unprotected PKCS#8 key; `None` if no reason is known.
pub(crate) fn unrecoverable(pkcs8: &[u8]) -> Option<&'static str> {
    [JavaRelease::Java8, JavaRelease::Java17]
        .into_iter()
        .find_map(|java| private_key(pkcs8, java).err())
        .map(|stop| stop.what)
}

/// `PKCS8Key.decode`: version 0 (Java 17 reads 1 in a JKS, Java 8 and JCEKS do not), an algorithm, the key, attributes.
fn private_key(bytes: &[u8], java: JavaRelease) -> Parsed<()> {
    let mut parts = Value::whole(bytes, java)?.sequence()?;
    require(parts.next()?.integer()? == 0, "a PKCS #8 key of another version than 0")?;
    let algorithm = algorithm(&parts.next()?)?;
    let key = parts.octets()?;
    if !parts.is_empty() {
        require(parts.next()?.is_context(0) && parts.is_empty(), "something else than attributes after the key")?;
    }
    match dotted(algorithm.oid).as_deref() {
        Some("1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10") => rsa(key, java),
        Some("1.2.840.10045.2.1") => ec(&algorithm, key, java),
        Some("1.2.840.10040.4.1") => Stream::new(key, java).next()?.big_integer().map(|_| ()),
        // Java 8 uses a name for Diffie-Hellman under which it has no `KeyFactory`.
        Some("1.2.840.113549.1.3.1") => refuse("a Diffie-Hellman key, which Java 8 does not recover"),
        Some("1.3.101.110" | "1.3.101.112") => named(key, 32),
        Some("1.3.101.111") => named(key, 56),
        Some("1.3.101.113") => named(key, 57),
        _ => refuse("a private key of an algorithm that no JVM has"),
    }
}

/// `RSAPrivateCrtKeyImpl` and `RSAKeyFactory`: version 0, eight numbers and nothing else; the modulus as in a public
/// key.
fn rsa(key: &[u8], java: JavaRelease) -> Parsed<()> {
    let mut numbers = Value::whole(key, java)?.sequence()?;
    require(numbers.next()?.integer()? == 0, "an RSA key of another version than 0")?;
    let modulus = magnitude(numbers.next()?.big_integer()?);
    let exponent = magnitude(numbers.next()?.big_integer()?);
    for _ in 0..6 {
        numbers.next()?.big_integer()?;
    }
    require(numbers.is_empty(), "an RSA key of more than eight numbers")?;
    let length = bit_length(modulus).div_ceil(8).saturating_mul(8);
    require((512..=16_384).contains(&length), "an RSA modulus outside 512 to 16384 bits")?;
    require(length <= 3072 || bit_length(exponent) <= 64, "an RSA exponent above 64 bits")
}

/// `ECPrivateKeyImpl`: version 1, the number, and parameters or the public key, which the JDK does not read. The curve
/// is that of the algorithm.
fn ec(algorithm: &Algorithm<'_>, key: &[u8], java: JavaRelease) -> Parsed<()> {
    let mut parts = Stream::new(key, java).next()?.sequence()?;
    require(parts.next()?.integer()? == 1, "an elliptic curve key of another version than 1")?;
    parts.octets()?;
    while !parts.is_empty() {
        let part = parts.next()?;
        require(part.is_context(0) || part.is_context(1), "an unknown part of an elliptic curve key")?;
    }
    // The curve was checked while the algorithm was read.
    require(algorithm.parameters.is_some(), "an elliptic curve key without parameters")
}

/// `XDHPrivateKeyImpl`, `EdDSAPrivateKeyImpl`: an OCTET STRING of exactly this number of bytes.
fn named(key: &[u8], length: usize) -> Parsed<()> {
    let inner = Stream::new(key, JavaRelease::Java17).next()?;
    require(inner.tag == OCTET_STRING && inner.body.len() == length, "a key of the wrong length")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn a_key_of_another_version_or_with_a_tail_is_unrecoverable() {
        let key = rcgen::KeyPair::generate().unwrap().serialize_der();
        assert_eq!(unrecoverable(&key), None);
        let at = key.windows(3).position(|bytes| bytes == [2, 1, 0]).unwrap();
        let mut newer = key.clone();
        newer[at + 2] = 1;
        assert!(unrecoverable(&newer).unwrap().contains("version"));
        assert!(unrecoverable(&[&key[..], &[5, 0]].concat()).is_some());
    }

    #[test]
    fn an_rsa_key_has_eight_numbers() {
        let rsa = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        assert_eq!(unrecoverable(&rsa.serialize_der()), None);
        let number = |value: &[u8]| crate::der::encode(2, value);
        let key = |count: usize| {
            let numbers: Vec<u8> = (0..count).flat_map(|_| number(&[1; 128])).collect();
            let algorithm = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
            let inner = crate::der::encode(0x30, &[number(&[0]), numbers].concat());
            let parts = [number(&[0]), algorithm.to_vec(), crate::der::encode(4, &inner)];
            crate::der::encode(0x30, &parts.concat())
        };
        assert_eq!(unrecoverable(&key(8)), None);
        assert!(unrecoverable(&key(7)).is_some() && unrecoverable(&key(9)).is_some());
    }
}
