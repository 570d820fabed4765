//! One certificate of a path on its own: form, dates, key, extensions. The module takes a certificate and its parts,
//! and adds a fault for each rule that the certificate breaks. It never looks at another certificate.

use super::rule::{PathRule, RuleFaults};
use super::tls::TlsUse;
use super::{constraints, link, names, policy};
use crate::certificate::{Certificate, CertificateParts, JvmJudgement, KeyAlgorithm, NETSCAPE_TYPE};
use crate::der::{self, DerError, DerReader, Tlv};

/// The critical extensions that this crate, openssl and the JDK all process: key usage, alternative names, basic
/// constraints, name constraints, policies with their mappings and constraints, extended key usage.
const PROCESSED: [&str; 9] = [
    "2.5.29.15",
    "2.5.29.17",
    "2.5.29.19",
    "2.5.29.30",
    "2.5.29.32",
    "2.5.29.33",
    "2.5.29.36",
    "2.5.29.37",
    "2.5.29.54",
];

const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
/// CRL distribution points (RFC 5280 §4.2.1.13). The JDK accepts critical ones only in a root, where it does not read them.
const POINTS_NAME: &str = "2.5.29.31";
const DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 31];
/// The extensions for addresses and systems of the internet (RFC 3779) and for proxies (RFC 3820).
const OPENSSL_ALONE: [&[u8]; 3] = [
    &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 7],
    &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 8],
    &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 14],
];

/// Judges the rules for every certificate of a path, including the root.
pub(super) fn judge(
    certificate: &Certificate,
    parts: &CertificateParts<'_>,
    is_root: bool,
    at: i64,
    faults: &mut RuleFaults<'_>,
) {
    if let Err((rule, what)) = form(certificate, parts) {
        faults.add(rule, certificate, what);
    }
    // The policies of a root are not processed (RFC 5280 §6.1.1).
    if let (Err(error), false) = (policy::read(parts), is_root) {
        faults.add(PathRule::Form, certificate, format!("has policies with {}", error.fault.what()));
    }
    if at < certificate.not_before() {
        faults.add(PathRule::NotYetValid, certificate, "is not valid yet");
    }
    if at >= certificate.not_after() {
        faults.add(PathRule::Ended, certificate, "has ended");
    }
    let is_processed = |oid: &str| PROCESSED.contains(&oid) || (is_root && oid == POINTS_NAME);
    if let Some(oid) = certificate.critical_extensions().iter().find(|oid| !is_processed(oid)) {
        let what = format!("has the critical extension {oid}, which trustmason does not process");
        faults.add(PathRule::CriticalExtension, certificate, what);
    }
    let key = certificate.public_key();
    let is_known = link::ALGORITHMS.iter().any(|known| known.public_key_alg_id().as_ref() == parts.key_algorithm);
    if !is_known || (key.algorithm == KeyAlgorithm::Rsa && !(2048..=8192).contains(&key.bits)) {
        faults.add(PathRule::Key, certificate, format!("has a key {key}"));
    }
}

/// Judges whether every certificate of a path, including the root, allows a use.
pub(super) fn purpose(certificate: &Certificate, tls: TlsUse, faults: &mut RuleFaults<'_>) {
    let usages = certificate.extended_key_usage().into_iter();
    let leaves_out = |wanted: &str| usages.clone().any(|usages| !usages.iter().any(|usage| usage == wanted));
    if let Some(missing) = tls.usages().iter().find(|wanted| leaves_out(wanted)) {
        faults.add(PathRule::Purpose, certificate, format!("leaves out {missing} in its extended key usage"));
    }
}

/// Judges the rules for every issuer.
pub(super) fn judge_issuer(certificate: &Certificate, faults: &mut RuleFaults<'_>) {
    if !certificate.is_ca() {
        faults.add(PathRule::BasicConstraints, certificate, "is not a CA by its basic constraints");
    }
    if certificate.key_usage().is_some_and(|usage| !usage.key_cert_sign()) {
        faults.add(PathRule::KeyCertSign, certificate, "may not sign certificates by its key usage");
    }
}

/// Judges whether openssl accepts the last issuer as a root: it is self-issued, its key identifiers agree, and its key
/// is of the kind that made its signature. The signature itself is not verified, because it proves nothing about a
/// pinned certificate (RFC 5280 §6.1.1 d).
pub(super) fn judge_root(root: &Certificate, parts: &CertificateParts<'_>, faults: &mut RuleFaults<'_>) {
    if !root.is_self_issued() {
        faults.add(PathRule::Issuer, root, "is not self-issued, so it is not a root");
    }
    link::identifiers(root, parts, root, parts, faults);
    if !root.signature().may_be_made_by(root.public_key()) {
        faults.add(PathRule::Form, root, format!("is signed with {}, which its own key does not do", root.signature()));
    }
}

/// Judges the path length. `below` is the number of issuers after this one that are not self-issued.
pub(super) fn path_length(certificate: &Certificate, below: u64, faults: &mut RuleFaults<'_>) {
    if let Some(most) = certificate.path_length().filter(|most| below > *most) {
        faults.add(PathRule::PathLength, certificate, format!("allows {most} issuers below it, but {below} follow"));
    }
}

/// Judges the rules for the end entity.
pub(super) fn judge_leaf(
    certificate: &Certificate,
    parts: &CertificateParts<'_>,
    tls: TlsUse,
    faults: &mut RuleFaults<'_>,
) {
    if certificate.is_ca() {
        faults.add(PathRule::EndEntityIsCa, certificate, "is a CA's certificate");
    }
    if certificate.key_usage().is_some_and(|usage| !usage.digital_signature()) {
        let what = "leaves out digitalSignature in its key usage, which every handshake of TLS needs";
        faults.add(PathRule::DigitalSignature, certificate, what);
    }
    if let Some(value) = parts.extension(NETSCAPE_TYPE) {
        let bits = DerReader::new(value).expect(der::BIT_STRING).ok().and_then(|bits| bits.body.get(1).copied());
        let wanted = tls.netscape_bits();
        if bits.is_none_or(|bits| bits & wanted != wanted) {
            let what = format!("is not for {} of TLS by its Netscape certificate type", tls.sides());
            faults.add(PathRule::Purpose, certificate, what);
        }
    }
}

/// Refuses forms that openssl, webpki or the JDK do not read, although this crate does.
fn form(certificate: &Certificate, parts: &CertificateParts<'_>) -> Result<(), (PathRule, String)> {
    let broken = |what: String| Err((PathRule::Form, what));
    match certificate.jvm() {
        JvmJudgement::Loads => {}
        JvmJudgement::Refused(why) => return broken(format!("is not loaded by a JVM: {why}")),
        JvmJudgement::CannotTell(why) => {
            return broken(format!("may not load in a JVM; trustmason cannot tell: {why}"));
        }
    }
    if certificate.version() != 3 {
        return broken(format!("is of version {}", certificate.version()));
    }
    if !parts.times.iter().all(is_strict) {
        return broken("has a time that is not written as RFC 5280 asks".to_owned());
    }
    if certificate.not_before() > certificate.not_after() {
        return broken("ends before it begins".to_owned());
    }
    let what = |error: DerError| (PathRule::Form, format!("has an extension with {}", error.fault.what()));
    if let Some(value) = parts.extension(BASIC_CONSTRAINTS) {
        let mut fields = DerReader::new(value).expect(der::SEQUENCE).map_err(what)?.inner();
        fields.optional(0x01).map_err(what)?;
        let length = fields.optional(der::INTEGER).map_err(what)?;
        // The JDK stores the length in 32 bits.
        if length.is_some_and(|length| !length.small().is_ok_and(|length| i32::try_from(length).is_ok())) {
            return broken("has an impossible path length".to_owned());
        }
    }
    if let Some(value) = parts.extension(DISTRIBUTION_POINTS)
        && !distribution_points(value).map_err(what)?
    {
        return broken("has a CRL distribution point without a name and an issuer".to_owned());
    }
    if let Some(value) = parts.extension(NETSCAPE_TYPE)
        && DerReader::new(value).expect(der::BIT_STRING).map_err(what)?.body.is_empty()
    {
        return broken("has a Netscape certificate type without bits".to_owned());
    }
    if parts.signed_algorithm != parts.algorithm {
        return broken("names two signature algorithms, one of them unsigned".to_owned());
    }
    // openssl judges these extensions although they are not critical, by rules that no other validator has.
    if let Some(resources) = OPENSSL_ALONE.into_iter().find(|oid| parts.extension(oid).is_some()) {
        let oid = der::dotted(resources).unwrap_or_default();
        return broken(format!("has an extension that only openssl judges ({oid})"));
    }
    names::alternative(parts).map_err(what)?;
    constraints::read(parts)?;
    Ok(())
}

/// Whether a time is a UTCTime or GeneralizedTime as RFC 5280 §4.1.2.5 requires: with seconds, and in Greenwich time.
fn is_strict(time: &Tlv<'_>) -> bool {
    let digits = match (time.tag, time.body.split_last()) {
        (0x17, Some((b'Z', digits))) if digits.len() == 12 => digits,
        (0x18, Some((b'Z', digits))) if digits.len() == 14 => digits,
        _ => return false,
    };
    // openssl refuses the 30th of February; the JDK takes it for the 2nd of March.
    let mut numbers =
        digits.rchunks_exact(2).skip(3).filter_map(|two| std::str::from_utf8(two).ok()?.parse::<u16>().ok());
    let (Some(day), Some(month), Some(year)) = (numbers.next(), numbers.next(), numbers.next()) else { return false };
    let century = numbers.next().unwrap_or(20);
    let is_leap = year % 4 == 0 && (year != 0 || century % 4 == 0);
    let last = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    digits.iter().all(u8::is_ascii_digit) && day <= last
}

/// Whether each distribution point has a name or an issuer (RFC 5280 §4.2.1.13) that is not empty.
fn distribution_points(value: &[u8]) -> Result<bool, DerError> {
    let mut whole = DerReader::new(value);
    let mut points = whole.expect(der::SEQUENCE)?.inner();
    whole.end()?;
    while !points.is_empty() {
        let mut point = points.expect(der::SEQUENCE)?.inner();
        let name = point.optional(0xa0)?;
        point.optional(0x81)?;
        let issuer = point.optional(0xa2)?;
        point.end()?;
        let empty = [&name, &issuer].into_iter().flatten().any(|part| part.body.is_empty());
        if empty || (name.is_none() && issuer.is_none()) {
            return Ok(false);
        }
    }
    Ok(true)
}
