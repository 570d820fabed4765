//! SHA-256 over the DER: how a certificate is named everywhere in trustmason.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// SHA-256 over a certificate's DER encoding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of these bytes.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight hex digits, as aliases of authorities carry them.
    #[must_use]
    pub fn short(&self) -> String {
        hex(self.0.get(..4).unwrap_or_default())
    }
}

impl From<[u8; 32]> for Fingerprint {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// Why a text is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// A character that is neither a hex digit, a colon nor a blank.
    #[error(
        "`{found}` at character {at} is no hex digit; a SHA-256 fingerprint is 64 hex digits, colons and blanks allowed"
    )]
    Character {
        /// The character.
        found: char,
        /// Its place, counted from 1.
        at: usize,
    },
    /// Too few or too many hex digits.
    #[error("{digits} hex digits where a SHA-256 fingerprint has 64{}", if *.digits == 40 { "; this looks like a SHA-1 fingerprint, take the SHA-256 one" } else if *.digits == 32 { "; this looks like an MD5 fingerprint, take the SHA-256 one" } else { "" })]
    Length {
        /// How many hex digits there were.
        digits: usize,
    },
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Reads 64 hex digits in any case; colons and blanks between them are ignored, as `openssl` and `keytool` print them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text).map(Self)
    }
}

/// Reads 32 bytes from 64 hex digits.
pub(crate) fn read(text: &str) -> Result<[u8; 32], FingerprintError> {
    let mut bytes = [0u8; 32];
    let mut digits = 0usize;
    for (index, found) in text.chars().enumerate() {
        if found == ':' || found.is_whitespace() {
            continue;
        }
        let Some(value) = found.to_digit(16).and_then(|digit| u8::try_from(digit).ok()) else {
            return Err(FingerprintError::Character { found, at: index + 1 });
        };
        if let Some(byte) = bytes.get_mut(digits / 2) {
            *byte = (*byte << 4) | value;
        }
        digits += 1;
    }
    if digits == 64 { Ok(bytes) } else { Err(FingerprintError::Length { digits }) }
}

/// Lower-case hex.
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
        assert_eq!(at, FingerprintError::Character { found: 'g', at: 5 });
        let sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d".parse::<Fingerprint>().unwrap_err();
        assert!(sha1.to_string().contains("SHA-1"), "{sha1}");
        let long = "00".repeat(33).parse::<Fingerprint>().unwrap_err();
        assert_eq!(long, FingerprintError::Length { digits: 66 });
    }
}
