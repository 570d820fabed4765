//! Verifies whether the key of one certificate signed another. The module takes two certificates and gives a
//! [`SignatureCheck`]. It never compares names or dates, and says "cannot tell" where the cryptography of this build
//! does not know the algorithm.

#[cfg(not(fuzzing))]
use x509_parser::error::X509Error;
#[cfg(not(fuzzing))]
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Certificate;
use super::algorithm::KeyAlgorithm;

/// The result of checking a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureCheck {
    /// The issuer's key made the signature.
    Valid,
    /// The issuer's key did not make the signature.
    Invalid,
    /// This build does not support the algorithm, curve or key size; the text names it.
    CannotTell(String),
}

pub(super) fn signed_by(certificate: &Certificate, issuer: &Certificate) -> SignatureCheck {
    let signature = certificate.signature();
    let key = issuer.public_key();
    let Some(needed) = &signature.key else {
        return SignatureCheck::CannotTell(format!("signature algorithm {} is unknown here", signature.name));
    };
    // A plain RSA key may have made an RSASSA-PSS signature.
    let fits = *needed == key.algorithm || (*needed == KeyAlgorithm::RsaPss && key.algorithm == KeyAlgorithm::Rsa);
    if !fits {
        return SignatureCheck::Invalid;
    }
    let least = if signature.name == "SHA1withRSA" { 1024 } else { 2048 };
    if matches!(key.algorithm, KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss) && !(least..=8192).contains(&key.bits) {
        return SignatureCheck::CannotTell(format!(
            "{} signatures of {key} keys are not verified here",
            signature.name
        ));
    }
    check(certificate, issuer).unwrap_or_else(|| {
        SignatureCheck::CannotTell(format!("{} signatures of {key} keys are not verified here", signature.name))
    })
}

/// Asks the verifier; `None` if it does not know the algorithm.
#[cfg(not(fuzzing))]
fn check(certificate: &Certificate, issuer: &Certificate) -> Option<SignatureCheck> {
    let (Ok((_, parsed)), Ok((_, signer))) =
        (X509Certificate::from_der(certificate.der()), X509Certificate::from_der(issuer.der()))
    else {
        return Some(SignatureCheck::CannotTell("the verifier does not read this certificate".to_owned()));
    };
    match parsed.verify_signature(Some(signer.public_key())) {
        Ok(()) => Some(SignatureCheck::Valid),
        Err(X509Error::SignatureVerificationError) => Some(SignatureCheck::Invalid),
        Err(_) => None,
    }
}

/// A build for fuzzing leaves out the verifier: it is code of another project, and slow to build.
#[cfg(fuzzing)]
fn check(_: &Certificate, _: &Certificate) -> Option<SignatureCheck> {
    None
}
