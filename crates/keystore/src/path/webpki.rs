//! A second opinion on every path: rustls-webpki validates it again. The module takes a path that passed all other
//! rules and adds a fault if rustls-webpki refuses it.
//!
//! rustls-webpki refuses paths with features that it does not process, so it is not asked about such paths. These
//! features are name constraints for anything but DNS names and addresses, critical policies, and issuers with a path
//! length above 255. It is also not asked about self-issued issuers: rustls-webpki counts them, RFC 5280 §6.1.4 l does
//! not.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::rule::{PathRule, RuleFaults};
use super::tls::TlsUse;
use super::{Member, constraints, link};
use crate::certificate::Certificate;

/// Critical extensions that webpki refuses and this crate processes: policies, their mappings and constraints.
const POLICIES: [&str; 4] = ["2.5.29.32", "2.5.29.33", "2.5.29.36", "2.5.29.54"];

pub(super) fn judge(leaf: &Member<'_>, issuers: &[Member<'_>], at: i64, tls: TlsUse, faults: &mut RuleFaults<'_>) {
    let Some(((root, _), between)) = issuers.split_last() else { return };
    if is_beyond(leaf, issuers, between) {
        return;
    }
    if let Err(error) = ask(leaf.0, between, root, at, tls) {
        faults.add(PathRule::SecondOpinion, leaf.0, format!("has a path that rustls-webpki refuses: {error}"));
    }
}

fn is_beyond(leaf: &Member<'_>, issuers: &[Member<'_>], between: &[Member<'_>]) -> bool {
    let mut members = std::iter::once(leaf).chain(between);
    let has_critical_policy = members
        .any(|(certificate, _)| certificate.critical_extensions().iter().any(|oid| POLICIES.contains(&oid.as_str())));
    let is_counted_otherwise = between.iter().any(|(certificate, _)| {
        certificate.is_self_issued() || certificate.path_length().is_some_and(|most| most > 255)
    });
    let has_other_constraints = issuers.iter().any(|(_, parts)| {
        constraints::read(parts).is_ok_and(|subtrees| subtrees.is_some_and(|subtrees| subtrees.has_other_than_hosts()))
    });
    has_critical_policy || is_counted_otherwise || has_other_constraints
}

fn ask(
    leaf: &Certificate,
    between: &[Member<'_>],
    root: &Certificate,
    at: i64,
    tls: TlsUse,
) -> Result<(), webpki::Error> {
    let root = CertificateDer::from(root.der());
    let anchors = [webpki::anchor_from_trusted_cert(&root)?];
    let between: Vec<CertificateDer<'_>> = between.iter().map(|(c, _)| CertificateDer::from(c.der())).collect();
    let leaf = CertificateDer::from(leaf.der());
    let leaf = EndEntityCert::try_from(&leaf)?;
    // An earlier moment counts as 1970, because webpki's clock begins there.
    let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at).unwrap_or(0)));
    let usages = match tls {
        TlsUse::Server => vec![KeyUsage::server_auth()],
        TlsUse::Client => vec![KeyUsage::client_auth()],
        TlsUse::Both => vec![KeyUsage::server_auth(), KeyUsage::client_auth()],
    };
    for usage in usages {
        leaf.verify_for_usage(&link::ALGORITHMS, &anchors, &between, time, usage, None, None)?;
    }
    Ok(())
}
