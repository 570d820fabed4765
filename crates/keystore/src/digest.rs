//! SHA-256 as a value. The module takes bytes or hex digits and gives a [`Digest`]. A digest never names a certificate;
//! a [`Fingerprint`](crate::Fingerprint) does.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// SHA-256 over a file, a folder, a plan, a pack or anything else that is compared by its content.
///
/// ```
/// use trustmason_keystore::Digest;
///
/// let before = Digest::of(b"the bytes of a keystore");
/// assert_eq!(before, Digest::of(b"the bytes of a keystore"), "the file has not changed");
/// assert_ne!(before, Digest::of(b"the bytes of a keystore after an edit"));
///
/// assert_eq!(before.to_string().len(), 64);
/// assert_eq!(before.to_string().parse(), Ok(before));
/// ```
///
/// A digest names no certificate, so the compiler refuses it where a [`Fingerprint`](crate::Fingerprint) is expected:
///
/// ```compile_fail,E0308
/// use trustmason_keystore::{Digest, Fingerprint};
///
/// fn is_distrusted(certificate: Fingerprint) -> bool {
///     certificate == Fingerprint::of(b"a certificate")
/// }
///
/// is_distrusted(Digest::of(b"a keystore"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Computes the digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight hex digits.
    #[must_use]
    pub fn short(&self) -> String {
        hex(self.0.get(..4).unwrap_or_default())
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Why a text is not a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HexDigestError {
    /// A character that is neither a hex digit, a colon nor a blank.
    #[error(
        "`{found}` at character {at} is not a hex digit; a SHA-256 fingerprint has 64 hex digits; colons and spaces are allowed"
    )]
    Character {
        /// The character.
        found: char,
        /// The place of the character in the text, counted from 1.
        at: usize,
    },
    /// Too few or too many hex digits.
    #[error("it has {digits} hex digits, but a SHA-256 fingerprint has 64{}", if *.digits == 40 { "; this looks like a SHA-1 fingerprint; use the SHA-256 one" } else if *.digits == 32 { "; this looks like an MD5 fingerprint; use the SHA-256 one" } else { "" })]
    Length {
        /// How many hex digits the text has.
        digits: usize,
    },
}

impl FromStr for Digest {
    type Err = HexDigestError;

    /// Reads 64 hex digits in upper or lower case. Colons and blanks between them are ignored, because `openssl` and
    /// `keytool` print colons.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text).map(Self)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Reads 32 bytes from 64 hex digits.
fn read(text: &str) -> Result<[u8; 32], HexDigestError> {
    let mut bytes = [0u8; 32];
    let mut digits = 0usize;
    for (index, found) in text.chars().enumerate() {
        if found == ':' || found.is_whitespace() {
            continue;
        }
        let Some(value) = found.to_digit(16).and_then(|digit| u8::try_from(digit).ok()) else {
            return Err(HexDigestError::Character { found, at: index + 1 });
        };
        if let Some(byte) = bytes.get_mut(digits / 2) {
            *byte = (*byte << 4) | value;
        }
        digits += 1;
    }
    if digits == 64 { Ok(bytes) } else { Err(HexDigestError::Length { digits }) }
}

/// The bytes in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS.get(usize::from(value & 15)).copied().unwrap_or(b'?'));
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(*byte));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fingerprint::Fingerprint;

    #[test]
    fn a_digest_is_written_and_read_as_a_fingerprint_is() {
        let (digest, print) = (Digest::of(b"abc"), Fingerprint::of(b"abc"));
        assert_eq!((digest.to_string(), digest.short()), (print.to_string(), print.short()));
        assert_eq!(serde_json::to_string(&digest).unwrap(), serde_json::to_string(&print).unwrap());
        assert_eq!(serde_json::from_str::<Digest>(&serde_json::to_string(&digest).unwrap()).unwrap(), digest);
        assert_eq!("ba78g".parse::<Digest>().unwrap_err(), "ba78g".parse::<Fingerprint>().unwrap_err());
        assert_eq!(format!("{digest:?}"), format!("Digest({digest})"));
    }
}
