//! What a JVM refuses though it parses: one such certificate makes the whole store unloadable.
//!
//! Every case was tried on JDK 17.0.15 and 25 by loading a JKS that holds it. Java reads leniently elsewhere: negative, zero and
//! long serials, unknown critical extensions, times without seconds, broken UTF-8, version 3 without extensions all load.

use std::fmt;

use super::algorithm::{KeyAlgorithm, KeyInfo, jdk_knows_curve};
use super::extensions::Extensions;
use crate::der::{self, Der, Tlv};

/// Why a JVM refuses to load a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JvmRefusal {
    /// The same extension twice ("Duplicate extensions not allowed").
    DuplicateExtension(String),
    /// No issuer name.
    EmptyIssuer,
    /// No subject name, and no subject alternative name to take its place.
    EmptySubjectWithoutSan,
    /// No subject name, and a subject alternative name that is not critical.
    EmptySubjectSanNotCritical,
    /// A critical subject alternative name with nothing, or something impossible, in it.
    BadCriticalSan,
    /// Extensions in a certificate that is not of version 3.
    ExtensionsInOldVersion(u8),
    /// The signature algorithm inside the signed part differs from the one outside.
    AlgorithmMismatch,
    /// An RSA key below 512 or above 16384 bits, or with an exponent below 3.
    RsaKey(String),
    /// An elliptic-curve key on a curve the JDK does not know, or without a named curve.
    Curve(String),
    /// A public key of the wrong length or form for its algorithm.
    KeyForm(String),
}

impl fmt::Display for JvmRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateExtension(oid) => write!(f, "it has extension {oid} twice"),
            Self::EmptyIssuer => f.write_str("its issuer name is empty"),
            Self::EmptySubjectWithoutSan => {
                f.write_str("its subject name is empty and it has no subject alternative name")
            }
            Self::EmptySubjectSanNotCritical => {
                f.write_str("its subject name is empty and its subject alternative name is not critical")
            }
            Self::BadCriticalSan => f.write_str("its critical subject alternative name is empty or impossible"),
            Self::ExtensionsInOldVersion(version) => {
                write!(f, "it has extensions but is of version {version}")
            }
            Self::AlgorithmMismatch => f.write_str("it names two different signature algorithms"),
            Self::RsaKey(why) => write!(f, "its RSA key has {why}"),
            Self::Curve(curve) => write!(f, "its elliptic curve ({curve}) is unknown to the JDK"),
            Self::KeyForm(why) => write!(f, "its public key is {why}"),
        }
    }
}

/// What the judgement needs.
pub(super) struct Facts<'a> {
    pub(super) version: u8,
    pub(super) algorithms_agree: bool,
    pub(super) issuer_is_empty: bool,
    pub(super) subject_is_empty: bool,
    pub(super) spki: &'a Tlv<'a>,
    pub(super) key: &'a KeyInfo,
    pub(super) extensions: &'a Extensions,
}

pub(super) fn refusal(facts: &Facts<'_>) -> Option<JvmRefusal> {
    let extensions = facts.extensions;
    if let Some(oid) = &extensions.duplicate {
        return Some(JvmRefusal::DuplicateExtension(oid.clone()));
    }
    if extensions.present && facts.version != 3 {
        return Some(JvmRefusal::ExtensionsInOldVersion(facts.version));
    }
    if facts.issuer_is_empty {
        return Some(JvmRefusal::EmptyIssuer);
    }
    if extensions.san_is_critical && (extensions.san_is_empty || extensions.bad_critical_name) {
        return Some(JvmRefusal::BadCriticalSan);
    }
    // Without any extension, versions 2 and 3 pass, though RFC 5280 §4.1.2.6 says otherwise; version 1 does not.
    if facts.subject_is_empty && (extensions.present || facts.version == 1) {
        if !extensions.has_san || extensions.san_is_empty {
            return Some(JvmRefusal::EmptySubjectWithoutSan);
        }
        if !extensions.san_is_critical {
            return Some(JvmRefusal::EmptySubjectSanNotCritical);
        }
    }
    if !facts.algorithms_agree {
        return Some(JvmRefusal::AlgorithmMismatch);
    }
    key(facts.spki, facts.key)
}

/// The JDK decodes the keys it knows while it loads the certificate.
fn key(spki: &Tlv<'_>, key: &KeyInfo) -> Option<JvmRefusal> {
    let mut parts = spki.inner();
    let identifier = parts.next().ok()?;
    let bits = parts.next().ok()?.bits().ok()?;
    match key.algorithm {
        KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss => {
            if key.bits <= 504 || key.bits > 16_384 {
                return Some(JvmRefusal::RsaKey(format!("{} bits, outside 512 to 16384", key.bits)));
            }
            let mut numbers = Der::new(bits).next().ok()?.inner();
            numbers.next().ok()?;
            let Ok(exponent) = numbers.expect(der::INTEGER) else {
                return Some(JvmRefusal::RsaKey("no exponent".to_owned()));
            };
            match exponent.small() {
                Ok(0..=2) => Some(JvmRefusal::RsaKey("an exponent below 3".to_owned())),
                _ => None,
            }
        }
        KeyAlgorithm::Ec => {
            let Some(curve) = &key.curve else {
                let named = identifier.inner().next().is_ok() && key.bits != 0;
                let what = if named { "explicit parameters" } else { "no named curve" };
                return Some(JvmRefusal::Curve(what.to_owned()));
            };
            if !jdk_knows_curve(curve) {
                return Some(JvmRefusal::Curve(curve.clone()));
            }
            let field = usize::try_from(key.bits.div_ceil(8)).unwrap_or(0);
            if bits.first() != Some(&4) {
                return Some(JvmRefusal::KeyForm("not an uncompressed point".to_owned()));
            }
            (bits.len() != 1 + 2 * field)
                .then(|| JvmRefusal::KeyForm(format!("{} bytes long, not {}", bits.len(), 1 + 2 * field)))
        }
        KeyAlgorithm::Ed25519 => wrong_length(bits, 32),
        KeyAlgorithm::Ed448 => wrong_length(bits, 57),
        KeyAlgorithm::Dsa | KeyAlgorithm::Other(_) => None,
    }
}

fn wrong_length(bits: &[u8], length: usize) -> Option<JvmRefusal> {
    (bits.len() != length).then(|| JvmRefusal::KeyForm(format!("{} bytes long, not {length}", bits.len())))
}
