//! The link between one certificate and its issuer: key identifiers and signature. The module takes two certificates
//! and adds the faults of their link. It compares no subject names: the search for a path does.

use rustls_pki_types::SignatureVerificationAlgorithm;
use webpki::aws_lc_rs as known;

use super::rule::{PathRule, Refused, RuleFaults};
use super::{names, parts};
use crate::certificate::{Certificate, CertificateParts};
use crate::der::{self, DerError, DerReader};

/// The object identifier of the authority key identifier (RFC 5280 §4.2.1.1).
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];

/// The algorithms that [`PathRule::Algorithm`] allows. webpki also knows Ed25519 and ML-DSA, but Java 8 does not.
pub(super) static ALGORITHMS: [&dyn SignatureVerificationAlgorithm; 18] = [
    known::RSA_PKCS1_2048_8192_SHA256,
    known::RSA_PKCS1_2048_8192_SHA384,
    known::RSA_PKCS1_2048_8192_SHA512,
    known::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    known::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    known::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    known::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    known::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    known::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
    known::ECDSA_P256_SHA256,
    known::ECDSA_P256_SHA384,
    known::ECDSA_P256_SHA512,
    known::ECDSA_P384_SHA256,
    known::ECDSA_P384_SHA384,
    known::ECDSA_P384_SHA512,
    known::ECDSA_P521_SHA256,
    known::ECDSA_P521_SHA384,
    known::ECDSA_P521_SHA512,
];

/// Judges by the identifiers and the signature whether one certificate issued another. The caller has compared the
/// names.
pub(super) fn judge(
    certificate: &Certificate,
    issuer: &Certificate,
    faults: &mut RuleFaults<'_>,
) -> Result<(), Refused> {
    let (own, theirs) = (parts(certificate)?, parts(issuer)?);
    identifiers(certificate, &own, issuer, &theirs, faults);
    let mut fitting = ALGORITHMS
        .iter()
        .filter(|known| known.signature_alg_id().as_ref() == own.algorithm)
        .filter(|known| known.public_key_alg_id().as_ref() == theirs.key_algorithm)
        .peekable();
    if fitting.peek().is_none() {
        let what = format!("is signed with {} by a key {}", certificate.signature(), issuer.public_key());
        faults.add(PathRule::Algorithm, certificate, what);
    } else if !fitting.any(|known| known.verify_signature(theirs.key, own.signed, own.signature).is_ok()) {
        faults.add(PathRule::Signature, certificate, format!("was not signed by {}", issuer.subject()));
    }
    Ok(())
}

/// Adds a fault if the authority key identifier does not describe the issuer.
pub(super) fn identifiers(
    certificate: &Certificate,
    own: &CertificateParts<'_>,
    issuer: &Certificate,
    theirs: &CertificateParts<'_>,
    faults: &mut RuleFaults<'_>,
) {
    match contradicts(own, issuer, theirs) {
        Ok(None) => {}
        Ok(Some(what)) => faults.add(PathRule::KeyIdentifier, certificate, what),
        Err(error) => {
            let what = format!("has an authority key identifier with {}", error.fault.what());
            faults.add(PathRule::Form, certificate, what);
        }
    }
}

/// The part of the authority key identifier that contradicts the issuer, if there is one.
fn contradicts(
    own: &CertificateParts<'_>,
    issuer: &Certificate,
    theirs: &CertificateParts<'_>,
) -> Result<Option<&'static str>, DerError> {
    let Some(value) = own.extension(AUTHORITY_KEY_IDENTIFIER) else { return Ok(None) };
    let mut identifier = DerReader::new(value).expect(der::SEQUENCE)?.inner();
    if let (Some(key), Some(is)) = (identifier.optional(0x80)?, issuer.subject_key_id())
        && key.body != is
    {
        return Ok(Some("names a key identifier that its issuer does not have"));
    }
    if let Some(stated) = identifier.optional(0xa1)? {
        let mut stated = stated.inner();
        while !stated.is_empty() {
            let name = stated.next()?;
            if name.tag == names::DIRECTORY && name.body != issuer.issuer_der() {
                return Ok(Some("names another issuer of its issuer"));
            }
        }
    }
    let serial = identifier.optional(0x82)?;
    identifier.end()?;
    Ok(serial
        .filter(|serial| serial.body != theirs.serial)
        .map(|_| "names a serial number that its issuer does not have"))
}
