//! Says what a renewal, or a public authority, takes away from the certificate of an identity, before anything is
//! installed. What a rule or a guide needs is judged elsewhere ([`constraints::judge`]).

use std::sync::Arc;

use trustmason_keystore::{Certificate, CertificateSlot, Entry, StoredAlias};
use trustmason_spec::public_roots;
use trustmason_spec::topology::{Edge, ExtendedUsage, IdentityDef};

use crate::authority::{self, Authority};
use crate::constraints;
use crate::context::PlanContext;
use crate::finding::{Finding, FindingKind};
use crate::observed::{ServedLook, certificate};
use crate::overlap;
use crate::text;

/// The limits of every public authority (CA/Browser Forum, ballot SC-081v3; the root programmes of browsers).
const LIMITS: &str = "public authorities issue for at most 200 days since 2026-03-15, 100 from 2027-03-15 and 47 from \
                      2029-03-15 on, and for client authentication no longer from 2027-03-15 on; use a private CA";

/// The finding on the next certificate of an identity if it no longer allows the identity to be a client. `place` says
/// where the next certificate is.
pub(super) fn client_auth_lost(
    def: &IdentityDef,
    before: &Certificate,
    next: &Certificate,
    place: &str,
) -> Option<Finding> {
    if !may_lose_client_auth(def, next) || !constraints::allows(before, ExtendedUsage::ClientAuth) {
        return None;
    }
    let message = format!(
        "{place}: the next certificate leaves out clientAuth in its extended key usage, which the present one allows. No \
         rule needs it; if the service connects to others that ask for its certificate, have this one issued with client \
         and server authentication before it is installed"
    );
    Some(Finding::of_identity(FindingKind::ClientAuthLost, &def.id, message).at(None, Some(next.fingerprint())))
}

/// Whether a certificate cannot authenticate a client, and nothing that the spec knows needs that.
fn may_lose_client_auth(def: &IdentityDef, next: &Certificate) -> bool {
    let is_needed = def.needs.iter().any(|need| need.usage == ExtendedUsage::ClientAuth);
    !is_needed && !constraints::allows(next, ExtendedUsage::ClientAuth)
}

/// The finding on a file that a person exported, if it no longer allows the identity to be a client.
pub(super) fn client_auth_lost_by_export(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    file: &Certificate,
    place: &str,
) -> Option<Finding> {
    // Most files allow it. Only for the others somebody has to look for the certificate of before.
    if !may_lose_client_auth(def, file) {
        return None;
    }
    client_auth_lost(def, &*before(context, def, file)?, file, place)
}

/// The certificate that an identity had before the file that a person exported: the one that its service presents, or
/// else one that a truster still holds for it.
fn before(context: &PlanContext<'_>, def: &IdentityDef, file: &Certificate) -> Option<Arc<Certificate>> {
    let is_other = |c: &&Arc<Certificate>| c.fingerprint() != file.fingerprint();
    if let Some(ServedLook::Presented(slot)) = context.observed.served.get(&def.id)
        && let Some(served) = slot.certificate().filter(is_other)
    {
        return Some(Arc::clone(served));
    }
    let is_anothers = |held: &Certificate| {
        let mut others = context.topology.identities.values().filter(|other| other.id != def.id);
        others.any(|other| {
            authority::present(context.observed, other).is_some_and(|c| c.fingerprint() == held.fingerprint())
        })
    };
    // In a store without aliases, nothing says which identity of the host a certificate belonged to.
    let is_alone = context.topology.identities_of(&def.id.host).count() == 1;
    let is_its = |edge: &Edge, entry: &&Entry| match (&edge.alias, entry.alias.as_ref().map(StoredAlias::fold)) {
        (Some(alias), Some(stored)) => *alias == stored || edge.was.iter().any(|old| old.is_exactly(&stored)),
        (None, _) => is_alone,
        (Some(_), None) => false,
    };
    overlap::trusters(context, &def.id).find_map(|(edge, truster)| {
        let entries = truster.facts()?.entries.iter().filter(|entry| is_its(edge, entry));
        let held = entries.filter_map(certificate).filter(is_other).find(|held| {
            constraints::identifies(held, def) && held.not_before() <= file.not_before() && !is_anothers(held)
        });
        held.map(Arc::clone)
    })
}

/// The finding on an authority of the spec whose root is a public one.
pub(super) fn public_root(context: &PlanContext<'_>, authority: &Authority<'_>, root: &Certificate) -> Option<Finding> {
    let print = root.fingerprint();
    let name = text::escape(root.subject());
    let message = format!("the root of {}, {name}, is a public one: {LIMITS}", authority.name());
    let is_public = context.topology.public_roots.contains(&print);
    is_public.then(|| Finding::new(FindingKind::PublicIssuer, message).at(None, Some(print)))
}

/// The finding on an identity's certificate that was issued below a public root: the root is in the chain, or the chain
/// names it as issuer. If an authority of the spec issued the certificate, the finding is on that authority.
pub(super) fn public_issuer(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    leaf: &Arc<Certificate>,
    chain: &[CertificateSlot],
) -> Option<Finding> {
    if leaf.is_self_issued() || authority::issuer_of(context.authorities, leaf).is_some() {
        return None;
    }
    let issuers = || chain.iter().skip(1).filter_map(CertificateSlot::certificate);
    let sent = issuers().find(|c| context.topology.public_roots.contains(&c.fingerprint())).map(|c| c.subject());
    let named =
        || std::iter::once(leaf).chain(issuers()).map(|c| c.issuer()).find(|name| public_roots::has_subject(name));
    let root = text::escape(sent.or_else(named)?);
    let message = format!("its certificate was issued below the public root {root}: {LIMITS}");
    Some(Finding::of_identity(FindingKind::PublicIssuer, &def.id, message).at(None, Some(leaf.fingerprint())))
}
