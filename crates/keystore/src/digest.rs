//! SHA-256 over anything that is not a certificate.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::fingerprint::{FingerprintError, hex, read};

/// SHA-256 over a file, a folder, a plan, a pack or whatever else is compared by its content. It names no certificate, and no
/// [`Fingerprint`](crate::Fingerprint) can be made of it:
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
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
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

impl FromStr for Digest {
    type Err = FingerprintError;

    /// Reads 64 hex digits, as a fingerprint is read.
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
