//! The content of a new certificate. It takes the definition of an identity and a moment, and gives an order. It makes
//! no key and no signature; `host` does.
#![warn(clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;

use jiff::Timestamp;
use trustmason_spec::topology::{ExtendedUsage, IdentityDef, KeyKind, SignatureHash};

use crate::days;

/// An order for a self-signed certificate (RFC 5280).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Subject attributes, most specific first: CN, OU, O, L, ST, C.
    pub subject: Vec<(String, String)>,
    /// SAN DNS names; the FQDN first.
    pub names: Vec<String>,
    /// The kind of key.
    pub key: KeyKind,
    /// The hash of the signature.
    pub signature: SignatureHash,
    /// The extended key usages that the identity needs. If its role demands none, the extension is left out, which
    /// allows all.
    pub eku: Vec<ExtendedUsage>,
    /// The first second of validity, in seconds since 1970.
    pub not_before: i64,
    /// The last second of validity, in seconds since 1970.
    pub not_after: i64,
}

/// The last moment that a certificate can name, 9999-12-31T23:59:59Z. By RFC 5280 §4.1.2.5 it means that the
/// certificate has no end. A certificate that would be valid longer gets this end.
pub const LAST: i64 = 253_402_300_799;

/// The order for a new certificate of an identity, which begins now.
pub fn order(identity: &IdentityDef, now: Timestamp) -> Order {
    let fqdn = identity.id.host.to_string();
    let mut subject = vec![("CN".to_owned(), fqdn.clone())];
    subject.extend(identity.subject.iter().cloned());
    let mut names = vec![fqdn];
    for name in &identity.names {
        if !names.iter().any(|n| n == name.as_str()) {
            names.push(name.to_string());
        }
    }
    Order {
        subject,
        names,
        key: identity.key,
        signature: identity.signature,
        eku: usages(identity),
        not_before: now.as_second(),
        not_after: days::after(now.as_second(), identity.validity_days).min(LAST),
    }
}

fn usages(identity: &IdentityDef) -> Vec<ExtendedUsage> {
    if identity.constraints.eku.is_empty() {
        return Vec::new();
    }
    let needed = identity.needs.iter().map(|need| need.usage);
    needed.chain(identity.constraints.eku.iter().copied()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The subject of the new certificate in keytool's order, for people.
pub(crate) fn subject_text(identity: &IdentityDef) -> String {
    let mut parts = vec![format!("CN={}", identity.id.host)];
    parts.extend(identity.subject.iter().map(|(k, v)| format!("{k}={v}")));
    parts.join(", ")
}
