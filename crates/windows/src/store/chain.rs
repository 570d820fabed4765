//! Asks the system whether this machine trusts a certificate now. The system builds the chain from its own stores. The
//! call fetches nothing (no issuers, no revocation lists, no new roots), so the answer depends on the stores as they
//! are.

use std::mem::{ManuallyDrop, offset_of};
use std::ptr::{null, null_mut};

use windows_sys::Win32::Security::Cryptography::{
    CERT_CHAIN_CACHE_ONLY_URL_RETRIEVAL, CERT_CHAIN_CONTEXT, CERT_CHAIN_DISABLE_AUTH_ROOT_AUTO_UPDATE,
    CERT_CHAIN_ELEMENT, CERT_CHAIN_ENGINE_CONFIG, CERT_CHAIN_PARA, CERT_CHAIN_USE_LOCAL_MACHINE_STORE,
    CERT_TRUST_IS_EXPLICIT_DISTRUST, CERT_TRUST_IS_NOT_SIGNATURE_VALID, CERT_TRUST_IS_NOT_TIME_VALID,
    CERT_TRUST_IS_NOT_VALID_FOR_USAGE, CERT_TRUST_IS_PARTIAL_CHAIN, CERT_TRUST_IS_UNTRUSTED_ROOT,
    CertCreateCertificateChainEngine, CertFreeCertificateChain, CertFreeCertificateChainEngine,
    CertGetCertificateChain, HCERTCHAINENGINE,
};

use super::context::CertificateContext;
use super::error::SystemStoreError;
use super::handle::Handle;

const SHOWN: &str = "LocalMachine (its chains)";

/// A reason why a certificate is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChainFault {
    /// No chain leads to a root, because an issuer is in no store.
    NoIssuer,
    /// The chain ends in a root that is not trusted.
    UntrustedRoot,
    /// A certificate of the chain has ended or is not yet valid.
    NotTimeValid,
    /// A signature in the chain is wrong.
    BadSignature,
    /// The chain is not valid for any usage.
    WrongUsage,
    /// A certificate of the chain is disallowed.
    Distrusted,
    /// Another reason. [`ChainVerdict::bits`] has its code.
    Other,
}

/// The system's answer about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainVerdict {
    bits: u32,
    chain: Vec<Vec<u8>>,
}

impl ChainVerdict {
    /// Whether the certificate is trusted.
    pub fn is_trusted(&self) -> bool {
        self.bits == 0
    }

    /// The value of `CERT_TRUST_STATUS.dwErrorStatus`. 0 means trusted.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// The certificates of the best chain that the system found, beginning with the certificate asked about.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// The reasons why the certificate is not trusted.
    pub fn faults(&self) -> Vec<ChainFault> {
        const KNOWN: [(u32, ChainFault); 6] = [
            (CERT_TRUST_IS_PARTIAL_CHAIN, ChainFault::NoIssuer),
            (CERT_TRUST_IS_UNTRUSTED_ROOT, ChainFault::UntrustedRoot),
            (CERT_TRUST_IS_NOT_TIME_VALID, ChainFault::NotTimeValid),
            (CERT_TRUST_IS_NOT_SIGNATURE_VALID, ChainFault::BadSignature),
            (CERT_TRUST_IS_NOT_VALID_FOR_USAGE, ChainFault::WrongUsage),
            (CERT_TRUST_IS_EXPLICIT_DISTRUST, ChainFault::Distrusted),
        ];
        let mut faults: Vec<ChainFault> =
            KNOWN.iter().filter(|(bit, _)| self.bits & bit != 0).map(|(_, fault)| *fault).collect();
        if KNOWN.iter().fold(self.bits, |rest, (bit, _)| rest & !bit) != 0 {
            faults.push(ChainFault::Other);
        }
        faults
    }
}

/// A chain engine, freed on drop. The system's own engine caches what it read. A new engine reads the stores as they
/// are now.
struct Engine(HCERTCHAINENGINE);

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: the engine is valid and freed once: here.
        unsafe { CertFreeCertificateChainEngine(self.0) };
    }
}

impl Engine {
    fn new() -> Result<Self, SystemStoreError> {
        // The size leaves out the members that were added later, so every version of Windows accepts it.
        let size = offset_of!(CERT_CHAIN_ENGINE_CONFIG, hExclusiveRoot);
        let config = CERT_CHAIN_ENGINE_CONFIG {
            cbSize: u32::try_from(size).unwrap_or_default(),
            dwFlags: CERT_CHAIN_USE_LOCAL_MACHINE_STORE,
            ..CERT_CHAIN_ENGINE_CONFIG::default()
        };
        let mut engine = null_mut();
        // SAFETY: the configuration lives until the call returns, and names no stores; the result is writable.
        let done = unsafe { CertCreateCertificateChainEngine(&raw const config, &raw mut engine) };
        if done == 0 { Err(SystemStoreError::last("build chains from", SHOWN)) } else { Ok(Self(engine)) }
    }
}

/// A chain, freed on drop.
struct ChainContext(*mut CERT_CHAIN_CONTEXT);

impl Drop for ChainContext {
    fn drop(&mut self) {
        // SAFETY: the chain is valid and freed once: here.
        unsafe { CertFreeCertificateChain(self.0) };
    }
}

/// Asks whether this machine trusts a certificate now. `sent` has the certificates that its server sends with it.
///
/// # Errors
/// One of the inputs is no certificate, or the system could not decide.
pub fn judge(der: &[u8], sent: &[Vec<u8>]) -> Result<ChainVerdict, SystemStoreError> {
    let asked = CertificateContext::new(der, SHOWN)?;
    let beside = Handle::in_memory()?;
    for der in sent {
        beside.add(&CertificateContext::new(der, SHOWN)?)?;
    }
    let engine = Engine::new()?;
    let parameters = CERT_CHAIN_PARA {
        cbSize: u32::try_from(size_of::<CERT_CHAIN_PARA>()).unwrap_or_default(),
        ..CERT_CHAIN_PARA::default()
    };
    let flags = CERT_CHAIN_CACHE_ONLY_URL_RETRIEVAL | CERT_CHAIN_DISABLE_AUTH_ROOT_AUTO_UPDATE;
    let mut found = null_mut();
    // SAFETY: engine, context and store are valid; a null time means now; the parameters live until the call returns; the
    // result is writable.
    let done = unsafe {
        CertGetCertificateChain(
            engine.0,
            asked.as_raw(),
            null(),
            beside.as_raw(),
            &raw const parameters,
            flags,
            null(),
            &raw mut found,
        )
    };
    if done == 0 || found.is_null() {
        return Err(SystemStoreError::last("build chains from", SHOWN));
    }
    let chain = ChainContext(found);
    // SAFETY: the chain is valid until it is freed, at the end of this function.
    let context = unsafe { &*chain.0 };
    Ok(ChainVerdict { bits: context.TrustStatus.dwErrorStatus, chain: certificates(context) })
}

/// The certificates of the first simple chain.
fn certificates(context: &CERT_CHAIN_CONTEXT) -> Vec<Vec<u8>> {
    if context.cChain == 0 {
        return Vec::new();
    }
    // SAFETY: there is a first simple chain, which lives as long as the context.
    let simple = unsafe { *context.rgpChain };
    // SAFETY: as above.
    let simple = unsafe { &*simple };
    let count = usize::try_from(simple.cElement).unwrap_or_default();
    if count == 0 {
        return Vec::new();
    }
    // SAFETY: the chain says how many elements it has, and where; they live as long as the context.
    let elements = unsafe { std::slice::from_raw_parts(simple.rgpElement, count) };
    let der = |element: &*mut CERT_CHAIN_ELEMENT| {
        // SAFETY: every element is valid as long as the chain.
        let element = unsafe { &**element };
        // SAFETY: the element's certificate is valid as long as the chain, and only borrowed: this value does not free it.
        let context = ManuallyDrop::new(unsafe { CertificateContext::from_raw(element.pCertContext) }?);
        Some(context.der().to_vec())
    };
    elements.iter().filter_map(der).collect()
}
