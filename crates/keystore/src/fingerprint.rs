//! The fingerprint that names a certificate everywhere in trustmason. It takes the DER or hex digits, gives a
//! [`Fingerprint`], and never checks that the bytes are a certificate.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, HexDigestError};

/// SHA-256 over the DER encoding of a certificate. In JSON and YAML it is written as its text, also as the key of a
/// map.
///
/// ```
/// use trustmason_keystore::{Certificate, Fingerprint};
/// # const ROOT: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/keystore/der/one/store"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
///
/// // Compares a certificate with the fingerprint that its owner printed with `keytool` or `openssl`.
/// let printed = "9A:98:F9:A8:8C:18:67:DF:13:7A:16:E7:00:4A:11:DE:D8:1E:D3:E3:9B:9B:2F:6F:C8:DC:67:BD:02:15:B7:59";
/// let expected: Fingerprint = printed.parse()?;
/// assert_eq!(Certificate::parse(ROOT)?.fingerprint(), expected);
/// assert_eq!(expected.short(), "9a98f9a8");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(Digest);

impl Fingerprint {
    /// Computes the fingerprint of these bytes, which should be a certificate in DER.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        Self(Digest::of(der))
    }

    /// The 32 bytes of the fingerprint.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The first eight hex digits, as the aliases of certificate authorities contain them.
    #[must_use]
    pub fn short(&self) -> String {
        self.0.short()
    }
}

impl From<[u8; 32]> for Fingerprint {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = HexDigestError;

    /// Reads 64 hex digits in upper or lower case. Colons and blanks between them are ignored, because `openssl` and
    /// `keytool` print colons.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn upper_case_colons_and_blanks_are_read() {
        let fingerprint = Fingerprint::of(b"abc");
        let text = fingerprint.to_string();
        assert_eq!(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let colons: Vec<String> =
            text.to_uppercase().as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned()).collect();
        assert_eq!(colons.join(":").parse(), Ok(fingerprint));
        assert_eq!(format!(" {} ", colons.join(" ")).parse(), Ok(fingerprint));
        assert_eq!(fingerprint.short(), "ba7816bf");
    }

    #[test]
    fn errors_name_the_place_and_the_likely_mistake() {
        let at = "ba78g".parse::<Fingerprint>().unwrap_err();
        assert_eq!(at, HexDigestError::Character { found: 'g', at: 5 });
        let sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d".parse::<Fingerprint>().unwrap_err();
        assert!(sha1.to_string().contains("SHA-1"), "{sha1}");
        let long = "00".repeat(33).parse::<Fingerprint>().unwrap_err();
        assert_eq!(long, HexDigestError::Length { digits: 66 });
    }
}
