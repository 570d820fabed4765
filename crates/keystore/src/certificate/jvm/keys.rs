//! Public keys as the JDK reads them: `sun.security.x509.X509Key`, and the `KeyFactory` that the JDK's providers have
//! under the algorithm's name. The module takes an element and says whether the JDK reads it as a key. A key of an
//! algorithm that no provider knows may be anything.

use super::JavaRelease;
use super::algorithms::{Algorithm, algorithm, diffie_hellman};
use super::curves::curve;
use super::value::{Bits, Parsed, Stream, Value, doubt, refuse, require};
use crate::certificate::bit_length;
use crate::der::dotted;

/// `X509Key.parse`: an algorithm, a BIT STRING, and nothing else.
pub(super) fn public_key(value: &Value<'_>) -> Parsed<()> {
    let mut parts = value.sequence()?;
    let algorithm = algorithm(&parts.next()?)?;
    let bits = parts.next()?;
    // Java 8 reads an empty BIT STRING as no bits.
    let bits = match (value.java, bits.tag, bits.body) {
        (JavaRelease::Java8, super::value::BIT_STRING, []) => Bits { bytes: (&[]).into(), count: 0 },
        _ => bits.bits()?,
    };
    key(&algorithm, &bits, value.java).map_err(|stop| stop.about(algorithm.oid))?;
    // In Java 8 the BIT STRING takes all bytes that follow it.
    require(parts.is_empty() || value.java == JavaRelease::Java8, "bytes after the key")
}

/// Reads the key as the `KeyFactory` of the algorithm's name does.
fn key(algorithm: &Algorithm<'_>, bits: &Bits<'_>, java: JavaRelease) -> Parsed<()> {
    let Some(oid) = dotted(algorithm.oid) else {
        return Ok(());
    };
    match (oid.as_str(), java) {
        ("1.2.840.113549.1.1.1" | "2.5.8.1.1" | "1.2.840.113549.1.1.10", _) => rsa(bits, java),
        ("1.2.840.113549.1.1", JavaRelease::Java17) => rsa(bits, java),
        ("1.2.840.113549.1.1", JavaRelease::Java8) => refuse("an RSA key under the identifier of PKCS #1"),
        ("1.2.840.10040.4.1" | "1.3.14.3.2.12", _) => number(bits, java),
        ("1.2.840.113549.1.3.1" | "1.2.840.10046.2.1", JavaRelease::Java17) => {
            let Some(parameters) = algorithm.parameters else {
                return refuse("a Diffie-Hellman key without parameters");
            };
            diffie_hellman(&parameters)?;
            number(bits, java)
        }
        ("1.2.840.10045.2.1", _) => ec(algorithm, bits),
        ("1.3.101.110" | "1.3.101.112", JavaRelease::Java17) => length(bits, 32),
        ("1.3.101.111", JavaRelease::Java17) => length(bits, 56),
        ("1.3.101.113", JavaRelease::Java17) => length(bits, 57),
        // Newer updates of Java 17 know ML-DSA and ML-KEM, older ones do not.
        ("2.16.840.1.101.3.4.3.17", JavaRelease::Java17) => lattice(algorithm, bits, 1312),
        ("2.16.840.1.101.3.4.3.18", JavaRelease::Java17) => lattice(algorithm, bits, 1952),
        ("2.16.840.1.101.3.4.3.19", JavaRelease::Java17) => lattice(algorithm, bits, 2592),
        ("2.16.840.1.101.3.4.4.1", JavaRelease::Java17) => lattice(algorithm, bits, 800),
        ("2.16.840.1.101.3.4.4.2", JavaRelease::Java17) => lattice(algorithm, bits, 1184),
        ("2.16.840.1.101.3.4.4.3", JavaRelease::Java17) => lattice(algorithm, bits, 1568),
        _ => Ok(()),
    }
}

/// `sun.security.rsa.RSAPublicKeyImpl` and `RSAKeyFactory`: two numbers, read as positive. The modulus has 512 to 16384
/// bits, rounded up to bytes. The exponent is at least 3 and below the modulus; with a modulus above 3072 bits it has
/// at most 64 bits.
fn rsa(bits: &Bits<'_>, java: JavaRelease) -> Parsed<()> {
    let mut whole = Stream::new(&bits.bytes, java);
    let mut numbers = whole.next()?.sequence()?;
    // Java 8 ignores bytes after the numbers.
    require(whole.is_empty() || java == JavaRelease::Java8, "bytes after the key's numbers")?;
    let modulus = magnitude(numbers.next()?.big_integer()?);
    let exponent = magnitude(numbers.next()?.big_integer()?);
    require(numbers.is_empty(), "more than two numbers")?;
    let length = bit_length(modulus).div_ceil(8).saturating_mul(8);
    require((512..=16_384).contains(&length), "an RSA modulus outside 512 to 16384 bits")?;
    require(length <= 3072 || bit_length(exponent) <= 64, "an RSA exponent above 64 bits")?;
    require((exponent.len(), exponent) < (modulus.len(), modulus), "an RSA exponent that is not below the modulus")?;
    require(exponent.len() > 1 || exponent.first().is_some_and(|low| *low >= 3), "an RSA exponent below 3")
}

/// The bytes without leading zeros, whatever the sign.
pub(super) fn magnitude(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// One number; bytes after it are ignored (`DSAPublicKey`, `DHPublicKey`).
fn number(bits: &Bits<'_>, java: JavaRelease) -> Parsed<()> {
    Stream::new(&bits.bytes, java).next()?.big_integer().map(|_| ())
}

/// `sun.security.ec.ECPublicKeyImpl` and `ECUtil.decodePoint`: an uncompressed point of the curve's size. The JDK does
/// not check whether the point lies on the curve, and ignores one byte too many.
fn ec(algorithm: &Algorithm<'_>, bits: &Bits<'_>) -> Parsed<()> {
    let Some(parameters) = algorithm.parameters else {
        return refuse("an elliptic curve key without parameters");
    };
    let field = usize::try_from(curve(&parameters)?.div_ceil(8)).unwrap_or(usize::MAX);
    match bits.bytes.split_first() {
        Some((4, coordinates)) => require(coordinates.len() / 2 == field, "a point of another size than its curve"),
        _ => refuse("a point that is not uncompressed"),
    }
}

/// A key of exactly this number of bytes (`XDHPublicKeyImpl`, `EdDSAPublicKeyImpl`).
fn length(bits: &Bits<'_>, bytes: usize) -> Parsed<()> {
    require(bits.count == bytes * 8, "a key of the wrong length")
}

fn lattice(algorithm: &Algorithm<'_>, bits: &Bits<'_>, bytes: usize) -> Parsed<()> {
    if algorithm.parameters.is_none() && bits.count == bytes * 8 {
        Ok(())
    } else {
        doubt("a lattice key with parameters or of another length")
    }
}
