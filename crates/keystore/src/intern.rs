//! Work that a run does once, however many stores need its result: parsing a certificate, and trying to open a
//! protected key. The module takes DER bytes and gives certificates by fingerprint. It never forgets a result.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::certificate::{Certificate, CertificateError};
use crate::fingerprint::Fingerprint;
use crate::tried::KeyTrials;

/// The number of shards: enough that threads which read different stores seldom wait for each other.
const SHARDS: usize = 32;

/// All certificates of a run, by fingerprint, and all protected keys that the run has tried to open. Threads may share
/// it. Nothing iterates over it, so nothing depends on its order.
pub struct Interner {
    shards: [Mutex<HashMap<Fingerprint, CertificateSlot>>; SHARDS],
    tried: KeyTrials,
}

impl Interner {
    /// An interner without certificates.
    #[must_use]
    pub fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), tried: KeyTrials::default() }
    }

    /// The protected keys that the run has tried to open.
    pub(crate) fn tried(&self) -> &KeyTrials {
        &self.tried
    }

    /// Gives the certificate with this encoding, and parses the encoding only if it is new.
    pub fn intern(&self, der: &[u8]) -> CertificateSlot {
        let fingerprint = Fingerprint::of(der);
        let shard = fingerprint.as_bytes().first().map_or(0, |byte| usize::from(*byte) % SHARDS);
        let Some(shard) = self.shards.get(shard) else {
            return CertificateSlot::parse(der, fingerprint);
        };
        // A poisoned shard still holds complete slots, because each slot is inserted in one step.
        if let Some(slot) = shard.lock().unwrap_or_else(PoisonError::into_inner).get(&fingerprint) {
            return slot.clone();
        }
        // The parsing happens outside the lock. If two threads race, the first result is kept and the other is dropped.
        let slot = CertificateSlot::parse(der, fingerprint);
        shard.lock().unwrap_or_else(PoisonError::into_inner).entry(fingerprint).or_insert(slot).clone()
    }
}

impl Default for Interner {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Interner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interner(…)")
    }
}

/// A certificate in a store: parsed, or kept as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSlot {
    /// The bytes parsed.
    Parsed(Arc<Certificate>),
    /// The bytes did not parse; they are kept unchanged.
    Unparsed(Arc<UnparsedCertificate>),
}

impl CertificateSlot {
    fn parse(der: &[u8], fingerprint: Fingerprint) -> Self {
        match Certificate::parse_known(der, fingerprint) {
            Ok(certificate) => Self::Parsed(Arc::new(certificate)),
            Err(reason) => Self::unparsed(der, fingerprint, reason),
        }
    }

    pub(crate) fn unparsed(der: &[u8], fingerprint: Fingerprint, reason: CertificateError) -> Self {
        Self::Unparsed(Arc::new(UnparsedCertificate { der: der.into(), fingerprint, reason }))
    }

    /// SHA-256 over the bytes, whether they parsed or not.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        match self {
            Self::Parsed(certificate) => certificate.fingerprint(),
            Self::Unparsed(bytes) => bytes.fingerprint,
        }
    }

    /// The certificate, if the bytes parsed.
    #[must_use]
    pub fn certificate(&self) -> Option<&Arc<Certificate>> {
        match self {
            Self::Parsed(certificate) => Some(certificate),
            Self::Unparsed(_) => None,
        }
    }

    /// The bytes, whether they parsed or not.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        match self {
            Self::Parsed(certificate) => certificate.der(),
            Self::Unparsed(bytes) => &bytes.der,
        }
    }
}

/// Bytes in the place of a certificate that are no certificate, or none that may be trusted as it is encoded.
#[derive(Clone, PartialEq, Eq)]
pub struct UnparsedCertificate {
    der: Box<[u8]>,
    fingerprint: Fingerprint,
    reason: CertificateError,
}

impl UnparsedCertificate {
    /// The bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 over the bytes.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Why the bytes did not parse.
    #[must_use]
    pub fn reason(&self) -> &CertificateError {
        &self.reason
    }
}

impl std::fmt::Debug for UnparsedCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UnparsedCertificate({}, {} bytes: {})", self.fingerprint.short(), self.der.len(), self.reason)
    }
}
