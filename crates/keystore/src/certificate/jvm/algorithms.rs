//! Algorithm identifiers as the JDK reads them: `sun.security.x509.AlgorithmId`, and the `AlgorithmParameters` class
//! that the JDK's providers have under the algorithm's name. The module takes an element and gives the algorithm, or
//! says that the JDK refuses it or that it cannot tell.
//!
//! The JDK reads parameters in every place, in the algorithm of a signature and of a key, even where they make no
//! sense. If no provider knows the name of the algorithm, its parameters may be anything. Java 8 knows fewer names than
//! Java 17: it lacks Diffie-Hellman (Java 8 uses a name for it that no provider has), OAEP, Triple DES and ChaCha20.

use super::value::{NULL, OCTET_STRING, OID, Parsed, SEQUENCE, Stream, Value, doubt, refuse, require};
use super::{JavaRelease, curves};
use crate::der::dotted;

/// An algorithm identifier whose parameters were read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Algorithm<'a> {
    pub(super) oid: &'a [u8],
    /// The parameters of the algorithm. NULL counts as no parameters.
    pub(super) parameters: Option<Value<'a>>,
}

impl Algorithm<'_> {
    /// Compares as `AlgorithmId.equals` does.
    pub(super) fn equals(&self, other: &Self) -> bool {
        let encoded = |value: Option<Value<'_>>| value.map(|value| (value.tag, value.body.to_vec()));
        self.oid == other.oid && encoded(self.parameters) == encoded(other.parameters)
    }
}

/// The class that reads an algorithm's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parameters {
    /// `sun.security.provider.DSAParameters`
    Dsa,
    /// `com.sun.crypto.provider.DHParameters`
    DiffieHellman,
    /// `sun.security.util.ECParameters`
    Ec,
    /// `sun.security.rsa.PSSParameters`
    Pss,
    /// `com.sun.crypto.provider.OAEPParameters`
    Oaep,
    /// `com.sun.crypto.provider.PBEParameters`
    Pbe,
    /// `com.sun.crypto.provider.PBES2Parameters`
    Pbes2,
    /// `com.sun.crypto.provider.BlockCipherParamsCore`: an initialisation vector of this length.
    Vector(usize),
    /// `com.sun.crypto.provider.ChaCha20Poly1305Parameters`
    ChaCha20,
}

impl Parameters {
    /// The class for an object identifier.
    fn of(oid: &[u8], java: JavaRelease) -> Option<Self> {
        let newer = java != JavaRelease::Java8;
        Some(match dotted(oid)?.as_str() {
            "1.2.840.10040.4.1" | "1.3.14.3.2.12" => Self::Dsa,
            "1.2.840.113549.1.3.1" | "1.2.840.10046.2.1" if newer => Self::DiffieHellman,
            "1.2.840.10045.2.1" => Self::Ec,
            "1.2.840.113549.1.1.10" => Self::Pss,
            "1.2.840.113549.1.1.7" if newer => Self::Oaep,
            "1.2.840.113549.1.5.3"
            | "1.2.840.113549.1.12.1.1"
            | "1.2.840.113549.1.12.1.2"
            | "1.2.840.113549.1.12.1.3"
            | "1.2.840.113549.1.12.1.5"
            | "1.2.840.113549.1.12.1.6" => Self::Pbe,
            "1.2.840.113549.1.5.13" => Self::Pbes2,
            "2.16.840.1.101.3.4.1" => Self::Vector(16),
            "1.3.14.3.2.17" if newer => Self::Vector(8),
            "1.2.840.113549.1.9.16.3.18" if newer => Self::ChaCha20,
            _ => return None,
        })
    }

    /// Reads the parameters as `engineInit` of the class does.
    fn read(self, value: &Value<'_>, depth: Depth) -> Parsed<()> {
        match self {
            Self::Dsa => integers(value.sequence()?, 3),
            Self::DiffieHellman => diffie_hellman(value),
            Self::Ec => curves::curve(value).map(|_| ()),
            Self::Pss => pss(value.sequence()?, depth),
            Self::Oaep => oaep(value.sequence()?, depth),
            Self::Pbe => pbe(value.sequence()?),
            Self::Pbes2 => pbes2(value),
            Self::Vector(length) => {
                require(value.tag == OCTET_STRING, "an initialisation vector that is no OCTET STRING")?;
                require(value.body.len() == length, "an initialisation vector of the wrong length")
            }
            Self::ChaCha20 => require(value.octets()?.len() == 12, "a nonce that is not 12 bytes long"),
        }
    }
}

/// How deeply an algorithm is nested in the parameters of other algorithms.
#[derive(Debug, Clone, Copy)]
struct Depth(u8);

impl Depth {
    /// A sensible certificate has three levels. The JDK has no limit: it goes on until its stack overflows.
    const MOST: u8 = 16;

    fn deeper(self) -> Parsed<Self> {
        if self.0 < Self::MOST { Ok(Self(self.0 + 1)) } else { doubt("algorithms nested too deep") }
    }
}

/// `AlgorithmId.parse`: an object identifier, at most one further element, and nothing else. A NULL must be empty.
pub(super) fn algorithm<'a>(value: &Value<'a>) -> Parsed<Algorithm<'a>> {
    nested(value, Depth(0))
}

fn nested<'a>(value: &Value<'a>, depth: Depth) -> Parsed<Algorithm<'a>> {
    let mut parts = value.sequence()?;
    let oid = parts.oid()?;
    let mut parameters = None;
    if !parts.is_empty() {
        let found = parts.next()?;
        match found.tag {
            NULL => require(found.body.is_empty(), "a NULL that is not empty"),
            _ => {
                parameters = Some(found);
                Ok(())
            }
        }
        .map_err(|stop| stop.about(oid))?;
        require(parts.is_empty(), "bytes after an algorithm's parameters").map_err(|stop| stop.about(oid))?;
    }
    if let (Some(found), Some(class)) = (&parameters, Parameters::of(oid, value.java)) {
        class.read(found, depth.deeper()?).map_err(|stop| stop.about(oid))?;
    }
    Ok(Algorithm { oid, parameters })
}

/// This number of INTEGERs, and nothing after them.
fn integers(mut parts: Stream<'_>, count: usize) -> Parsed<()> {
    for _ in 0..count {
        parts.next()?.big_integer()?;
    }
    require(parts.is_empty(), "bytes after the parameters' numbers")
}

/// `DHParameters`: prime, generator, and optionally a length that fits into 32 bits. X9.42 has a large number in the
/// place of the length.
pub(super) fn diffie_hellman(value: &Value<'_>) -> Parsed<()> {
    let mut parts = value.sequence()?;
    parts.next()?.big_integer()?;
    parts.next()?.big_integer()?;
    if !parts.is_empty() {
        parts.next()?.integer()?;
    }
    require(parts.is_empty(), "bytes after the parameters' numbers")
}

/// `PBEParameters`: salt and rounds.
fn pbe(mut parts: Stream<'_>) -> Parsed<()> {
    parts.octets()?;
    parts.next()?.integer()?;
    require(parts.is_empty(), "bytes after the parameters' numbers")
}

/// Whether this is a digest for a mask generation function, by `AlgorithmId.getName`.
fn is_mask_digest(oid: &[u8], sha3: bool) -> bool {
    match oid {
        // 1.3.14.3.2.26, then 2.16.840.1.101.3.4.2.1 and the numbers after it
        [0x2b, 14, 3, 2, 26] => true,
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, number] => matches!((number, sha3), (1..=6, _) | (7..=10, true)),
        _ => false,
    }
}

/// The mask generation function of PSS and OAEP: MGF1 over a digest that the JDK lists.
fn mask_generation(value: &Value<'_>, sha3: bool, depth: Depth) -> Parsed<()> {
    let function = nested(value, depth)?;
    // 1.2.840.113549.1.1.8
    let is_mgf1 = function.oid == [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];
    require(is_mgf1, "a mask generation function other than MGF1").map_err(|stop| stop.about(function.oid))?;
    let Some(digest) = function.parameters else {
        return refuse("a mask generation function without a digest");
    };
    let digest = nested(&digest, depth)?;
    require(is_mask_digest(digest.oid, sha3), "a mask generation function over an unknown digest")
        .map_err(|stop| stop.about(digest.oid))
}

/// `PSSParameters`: digest, mask generation function, salt length, trailer. The JDK knows only trailer 1, and only Java
/// 17 knows SHA-3.
fn pss(mut parts: Stream<'_>, depth: Depth) -> Parsed<()> {
    while !parts.is_empty() {
        let part = parts.next()?;
        let inner = || part.stream().next();
        match part.tag & 0xdf {
            0x80 => drop(nested(&inner()?, depth)?),
            0x81 => mask_generation(&inner()?, part.java != JavaRelease::Java8, depth)?,
            0x82 => require(inner()?.integer()? >= 0, "a negative salt length")?,
            0x83 => require(inner()?.integer()? == 1, "a trailer field other than 1")?,
            _ => return refuse("an unknown part of PSS parameters"),
        }
    }
    Ok(())
}

/// `OAEPParameters`: digest, mask generation function, label.
fn oaep(mut parts: Stream<'_>, depth: Depth) -> Parsed<()> {
    while !parts.is_empty() {
        let part = parts.next()?;
        let inner = part.stream().next();
        match part.tag & 0xdf {
            0x80 => drop(nested(&inner?, depth)?),
            0x81 => mask_generation(&inner?, false, depth)?,
            0x82 => {
                let label = nested(&inner?, depth)?;
                // 1.2.840.113549.1.1.9
                require(label.oid == [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 9], "a label of an unknown kind")?;
                require(label.parameters.is_some_and(|label| label.tag == OCTET_STRING), "a label that is no text")?;
            }
            _ => return refuse("an unknown part of OAEP parameters"),
        }
    }
    Ok(())
}

/// `PBES2Parameters`: PBKDF2 with HMAC, and AES with 128 or 256 bits. Older JDKs wrapped the parameters twice.
fn pbes2(value: &Value<'_>) -> Parsed<()> {
    let mut parts = value.sequence()?;
    let mut derivation = parts.next()?;
    if derivation.tag == OID {
        let inner = parts.next()?;
        parts = inner.stream();
        derivation = parts.next()?;
        require(inner.tag == SEQUENCE, "PBES2 parameters that are no SEQUENCE")?;
    }
    pbkdf2(&derivation)?;
    let cipher = parts.next()?;
    let mut scheme = cipher.stream();
    let oid = scheme.oid()?;
    // 2.16.840.1.101.3.4.1.2 and .42
    let aes = matches!(oid, [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2 | 42]);
    require(aes, "PBES2 with another cipher than AES of 128 or 256 bits").map_err(|stop| stop.about(oid))?;
    scheme.octets().map(|_| ())
}

fn pbkdf2(derivation: &Value<'_>) -> Parsed<()> {
    let mut parts = derivation.sequence()?;
    let oid = parts.oid()?;
    // 1.2.840.113549.1.5.12
    let known = oid == [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
    require(known, "PBES2 with another derivation than PBKDF2").map_err(|stop| stop.about(oid))?;
    let mut parts = parts.next()?.sequence()?;
    parts.next()?.octets()?;
    parts.next()?.integer()?;
    let mut function = None;
    if !parts.is_empty() {
        let next = parts.next()?;
        if next.tag == super::value::INTEGER {
            next.integer()?;
        } else {
            function = Some(next);
        }
    }
    if function.is_none() && !parts.is_empty() {
        function = Some(parts.next()?);
    }
    let Some(function) = function else {
        return Ok(());
    };
    let mut parts = function.stream();
    let oid = parts.oid()?;
    // 1.2.840.113549.2.7 to .11
    let hmac = matches!(oid, [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 7..=11]);
    require(hmac, "PBES2 with an unknown pseudorandom function").map_err(|stop| stop.about(oid))?;
    require(parts.is_empty() || parts.next()?.tag == NULL, "a pseudorandom function with parameters")
}
