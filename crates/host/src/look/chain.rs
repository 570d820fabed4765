//! Finds the one leaf of a chain. A file that a person or an authority sent often holds a certificate and those of its
//! issuers, in any order. Which one is the host's own follows from who issued whom.

use std::sync::Arc;

use trustmason_keystore::{Certificate, SignatureCheck};

/// No chain in use is longer, and the code below compares each certificate with each.
const LONGEST: usize = 16;

/// The only certificate that is no CA's and issued no other one here, provided that all others are in its chain.
/// Unrelated certificates have no such leaf.
pub(super) fn leaf(certificates: &[Arc<Certificate>]) -> Option<&Arc<Certificate>> {
    if certificates.len() > LONGEST {
        return None;
    }
    let mut ends = certificates.iter().filter(|one| !certificates.iter().any(|other| issued(one, other)));
    let leaf = ends.next().filter(|leaf| !leaf.is_ca())?;
    if ends.next().is_some() {
        return None;
    }
    let mut chain = vec![leaf];
    let mut at = 0;
    while let Some(below) = chain.get(at).copied() {
        at += 1;
        let above = certificates.iter().filter(|one| issued(one, below));
        let new: Vec<_> = above.filter(|one| !chain.iter().any(|known| same(known, one))).collect();
        chain.extend(new);
    }
    (chain.len() == certificates.len()).then_some(leaf)
}

/// Whether the holder of the first certificate issued the second. A signature that this machine cannot check counts as
/// right.
fn issued(issuer: &Arc<Certificate>, certificate: &Arc<Certificate>) -> bool {
    !same(issuer, certificate)
        && issuer.subject_der() == certificate.issuer_der()
        && certificate.verify_signed_by(issuer) != SignatureCheck::Invalid
}

fn same(one: &Arc<Certificate>, other: &Arc<Certificate>) -> bool {
    one.fingerprint() == other.fingerprint()
}
