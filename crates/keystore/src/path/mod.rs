//! Validates the path from an end entity to a pinned root. The module takes certificates and a moment, and gives a
//! [`CertificationPath`] or the [`PathRule`] that is broken (RFC 5280 §6.1). It judges as openssl's `verify` and the JDK's PKIX do, and
//! never accepts a path that either of them refuses. It reads no clock and fetches nothing.
//!
//! rustls-webpki provides the verification of signatures, and validates every path a second time
//! ([`PathRule::SecondOpinion`]). This module judges everything that rustls-webpki leaves out: the root itself, key usage,
//! policies, key identifiers, self-issued issuers, and Netscape's certificate type. It also judges name constraints of
//! directory, mail and URI names, and the common name as a name of its host.

mod constraints;
mod link;
mod member;
mod names;
mod policy;
mod rule;
mod tls;
mod webpki;

use std::sync::Arc;

use rule::RuleFaults;
pub use rule::{PathRule, Refused};
pub use tls::TlsUse;

use crate::certificate::{Certificate, CertificateParts};

/// The largest number of issuers in a path: webpki accepts the root and six intermediates.
const LONGEST: usize = 7;

/// How many signatures one search may check. Without this limit, cross-signed issuers could lead the search through
/// exponentially many paths.
const MOST_SIGNATURES: usize = 100;

/// A path that passed every [`PathRule`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificationPath {
    issuers: Vec<Arc<Certificate>>,
}

impl CertificationPath {
    /// The issuers of the path: the issuer of the end entity first, the root last.
    #[must_use]
    pub fn issuers(&self) -> &[Arc<Certificate>] {
        &self.issuers
    }

    /// Converts the path into its issuers, in the order of [`CertificationPath::issuers`].
    #[must_use]
    pub fn into_issuers(self) -> Vec<Arc<Certificate>> {
        self.issuers
    }
}

/// Finds a path from a leaf through some of the intermediates to the root, on which every rule holds at a moment given
/// in seconds since 1970 (RFC 5280 §6.1). The certificate and its issuers must fit the use.
///
/// # Errors
/// [`Refused`] names the broken rule and the certificate, of the path that came furthest.
pub fn validate(
    leaf: &Certificate,
    intermediates: &[Arc<Certificate>],
    root: &Arc<Certificate>,
    at: i64,
    tls: TlsUse,
) -> Result<CertificationPath, Refused> {
    search(leaf, intermediates, root, at, tls, &[])
}

/// Does the same as [`validate`] for a service that is both server and client, but ignores some rules. A test uses it
/// to show that each rule is needed.
#[doc(hidden)]
pub fn validate_without(
    leaf: &Certificate,
    intermediates: &[Arc<Certificate>],
    root: &Arc<Certificate>,
    at: i64,
    ignored: &[PathRule],
) -> Result<CertificationPath, Refused> {
    search(leaf, intermediates, root, at, TlsUse::Both, ignored)
}

fn search(
    leaf: &Certificate,
    intermediates: &[Arc<Certificate>],
    root: &Arc<Certificate>,
    at: i64,
    tls: TlsUse,
    ignored: &[PathRule],
) -> Result<CertificationPath, Refused> {
    let path = Vec::new();
    let mut search =
        Search { leaf, intermediates, root, at, tls, ignored, path, signatures: MOST_SIGNATURES, best: None };
    if search.extend() {
        return Ok(CertificationPath { issuers: search.path });
    }
    Err(search.best.map_or_else(|| Refused::new(PathRule::Issuer, leaf, "has no known issuer"), |(_, refused)| refused))
}

/// Judges whether a root may sign anything at a moment given in seconds since 1970. The root must be a CA that may sign
/// certificates, must be valid, and must have a usable key and purpose. (RFC 5280 §6.1.1 d leaves this to the
/// application.)
///
/// # Errors
/// [`Refused`] names the broken rule.
pub fn judge_root(root: &Certificate, at: i64) -> Result<(), Refused> {
    let parts = parts(root)?;
    let mut faults = RuleFaults::new(&[]);
    member::judge(root, &parts, true, at, &mut faults);
    member::purpose(root, TlsUse::Both, &mut faults);
    member::judge_issuer(root, &mut faults);
    member::judge_root(root, &parts, &mut faults);
    faults.first()
}

/// The constraints of an issuer that a JVM ignores when it uses the certificate in a store as a trust anchor: the JDK's
/// `TrustAnchor` keeps only name and key (`sun.security.validator.PKIXValidator`). The list is empty if the issuer has
/// none of them.
#[must_use]
pub fn constraints_lost_as_anchor(issuer: &Certificate) -> Vec<&'static str> {
    let mut lost = Vec::new();
    let Ok(parts) = CertificateParts::of(issuer) else { return lost };
    if parts.extension(constraints::OID).is_some() {
        lost.push("name constraints");
    }
    if issuer.path_length().is_some() {
        lost.push("path length");
    }
    if issuer.extended_key_usage().is_some() {
        lost.push("extended key usage");
    }
    if policy::is_constrained(&parts) {
        lost.push("policy constraints");
    }
    lost
}

fn parts(certificate: &Certificate) -> Result<CertificateParts<'_>, Refused> {
    CertificateParts::of(certificate).map_err(|error| Refused::new(PathRule::Form, certificate, error.fault.what()))
}

/// A certificate of a path, with its parts.
type Member<'a> = (&'a Certificate, CertificateParts<'a>);

/// A search for a path, depth first.
struct Search<'a> {
    leaf: &'a Certificate,
    intermediates: &'a [Arc<Certificate>],
    root: &'a Arc<Certificate>,
    at: i64,
    tls: TlsUse,
    ignored: &'a [PathRule],
    path: Vec<Arc<Certificate>>,
    /// How many signatures the search may still check.
    signatures: usize,
    /// The refusal of the path that came furthest, and its distance.
    best: Option<(usize, Refused)>,
}

/// The distance of a refused path that reaches the root. It is greater than that of any path without a root.
const WHOLE: usize = LONGEST + 2;

impl Search<'_> {
    fn refuse(&mut self, far: usize, refused: Refused) {
        if self.best.as_ref().is_none_or(|(best, _)| *best < far) {
            self.best = Some((far, refused));
        }
    }

    /// Extends the path to the root. `true` if `path` is complete and passed every rule.
    fn extend(&mut self) -> bool {
        let head = self.path.last().map(Arc::clone);
        let head: &Certificate = head.as_deref().unwrap_or(self.leaf);
        let far = self.path.len();
        let mut named = false;
        let candidates = std::iter::once(self.root).chain(self.intermediates);
        for candidate in candidates.filter(|candidate| candidate.subject_der() == head.issuer_der()) {
            // The same key under the same name for the second time is a circle (RFC 4158 §5.2).
            let known =
                |c: &Certificate| c.subject_der() == candidate.subject_der() && c.spki_der() == candidate.spki_der();
            if self.path.iter().any(|c| known(c)) {
                continue;
            }
            named = true;
            let is_root = candidate.fingerprint() == self.root.fingerprint();
            if far >= LONGEST || self.signatures == 0 {
                self.refuse(
                    far,
                    Refused::new(PathRule::Length, head, "is too far from the root, or has too many possible issuers"),
                );
                return false;
            }
            self.signatures -= 1;
            let mut faults = RuleFaults::new(self.ignored);
            if let Err(refused) = link::judge(head, candidate, &mut faults).and_then(|()| faults.first()) {
                self.refuse(far + 1, refused);
                continue;
            }
            self.path.push(Arc::clone(candidate));
            if is_root {
                match self.judge() {
                    Ok(()) => return true,
                    Err(refused) => self.refuse(WHOLE, refused),
                }
            } else if self.extend() {
                return true;
            }
            self.path.pop();
        }
        if !named {
            let what = format!("names {} as its issuer, but there is no certificate of that name", head.issuer());
            self.refuse(far, Refused::new(PathRule::Issuer, head, what));
        }
        false
    }

    /// Judges the rules of a complete path.
    fn judge(&self) -> Result<(), Refused> {
        let issuers: Vec<Member<'_>> =
            self.path.iter().map(|c| Ok((&**c, parts(c)?))).collect::<Result<_, Refused>>()?;
        let leaf = (self.leaf, parts(self.leaf)?);
        let mut faults = RuleFaults::new(self.ignored);
        // Self-issued issuers are not counted (RFC 5280 §6.1.4 l).
        let mut below = 0;
        for (place, (certificate, parts)) in issuers.iter().enumerate() {
            member::judge(certificate, parts, place + 1 == issuers.len(), self.at, &mut faults);
            member::purpose(certificate, self.tls, &mut faults);
            member::judge_issuer(certificate, &mut faults);
            member::path_length(certificate, below, &mut faults);
            if !certificate.is_self_issued() {
                below += 1;
            }
        }
        if let Some((root, parts)) = issuers.last() {
            member::judge_root(root, parts, &mut faults);
        }
        member::judge(leaf.0, &leaf.1, false, self.at, &mut faults);
        member::purpose(leaf.0, self.tls, &mut faults);
        member::judge_leaf(leaf.0, &leaf.1, self.tls, &mut faults);
        constraints::judge(&leaf, &issuers, &mut faults);
        policy::judge(&leaf, &issuers, &mut faults);
        if faults.is_empty() {
            webpki::judge(&leaf, &issuers, self.at, self.tls, &mut faults);
        }
        faults.first()
    }
}

#[cfg(test)]
mod tests;
