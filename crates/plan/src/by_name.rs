//! Decides which certificates may be deleted because of their names: those of hosts that left the estate, and those
//! with former names of hosts. A certificate qualifies only if every name on it says in full which host is meant. A
//! CA's certificate never qualifies, nor one that a live host presents now.

use std::collections::BTreeSet;

use trustmason_keystore::{Certificate, Entry, Fingerprint};
use trustmason_spec::name::IdentityId;
use trustmason_spec::topology::IdentityDef;

use crate::authority;
use crate::context::PlanContext;
use crate::observed::{Observed, ServedLook};

impl PlanContext<'_> {
    /// Whether a trusted entry is deleted even if an edge or a key has its alias: the spec distrusts it, or all its
    /// names are of retired hosts.
    pub(crate) fn leaves(&self, entry: &Entry) -> bool {
        let Some(slot) = crate::observed::trusted(entry) else { return false };
        self.topology.distrust.contains_key(&slot.fingerprint())
            || slot.certificate().is_some_and(|c| self.is_retired(c))
    }

    /// Whether every name of a certificate is a retired host's, and no live host presents it.
    pub(crate) fn is_retired(&self, certificate: &Certificate) -> bool {
        if self.topology.retired.is_empty() {
            return false;
        }
        let retired = |name: &str| self.topology.retired.iter().map(|r| r.as_str()).find(|r| *r == name);
        named_in_full(certificate, &retired).is_some() && !self.is_presented(certificate)
    }

    /// Whether a live host has this certificate now, or its service presents it.
    fn is_presented(&self, certificate: &Certificate) -> bool {
        let has = |def: &IdentityDef| authority::present(self.observed, def).is_some_and(|c| **c == *certificate);
        self.topology.identities.values().any(has) || served(self.observed).any(|(_, c)| c == certificate.fingerprint())
    }
}

/// The certificates that services were seen to present.
pub(crate) fn served(observed: &Observed) -> impl Iterator<Item = (&IdentityId, Fingerprint)> {
    observed.served.iter().filter_map(|(id, look)| match look {
        ServedLook::Presented(slot) => Some((id, slot.fingerprint())),
        ServedLook::Unreachable(_) => None,
    })
}

/// The hosts because of which a certificate may be deleted. `None` if it is a CA's, or if a name on it is not the full
/// name of one of these hosts. A common name that is only the first label counts if the same host is named in full
/// beside it. Alone it may belong to another host.
pub(crate) fn named_in_full<'h>(
    certificate: &Certificate,
    host: &dyn Fn(&str) -> Option<&'h str>,
) -> Option<BTreeSet<&'h str>> {
    if certificate.taken_for_ca_by().is_some() {
        return None;
    }
    let names = certificate.names_in_full();
    let hosts: BTreeSet<&str> = names.iter().filter_map(|name| host(name)).collect();
    let is_named = |name: &String| host(name).is_some() || hosts.iter().any(|host| is_name_of(name, host));
    (!hosts.is_empty() && names.iter().all(is_named)).then_some(hosts)
}

/// Whether a name in a certificate means this host: the FQDN, or only its first label, as in a short common name.
pub(crate) fn is_name_of(name: &str, fqdn: &str) -> bool {
    name == fqdn || (!name.contains('.') && fqdn.split('.').next() == Some(name))
}
