//! Who leaves by name: a certificate of hosts that left the estate, or of their former names. By name alone goes only what says
//! in full whose it is, never a CA, and never what a live host presents now.

use std::collections::BTreeSet;

use trustmason_keystore::{Certificate, Entry, Fingerprint};
use trustmason_spec::name::IdentityId;
use trustmason_spec::topology::IdentityDef;

use crate::authority;
use crate::ground::Ground;
use crate::observed::{Observed, ServedLook};

impl Ground<'_> {
    /// Whether a trusted entry leaves whoever holds on to its alias: distrusted, or of hosts that left.
    pub(crate) fn leaves(&self, entry: &Entry) -> bool {
        let Some(slot) = crate::observed::trusted(entry) else { return false };
        self.topology.distrust.contains_key(&slot.fingerprint())
            || slot.certificate().is_some_and(|c| self.is_retired(c))
    }

    /// Whether every name a certificate carries is a retired host's.
    pub(crate) fn is_retired(&self, certificate: &Certificate) -> bool {
        if self.topology.retired.is_empty() {
            return false;
        }
        let retired = |name: &str| self.topology.retired.iter().map(|r| r.as_str()).find(|r| *r == name);
        named_in_full(certificate, &retired).is_some() && !self.is_presented(certificate)
    }

    /// Whether a live host has or presents this certificate now.
    fn is_presented(&self, certificate: &Certificate) -> bool {
        let has = |def: &IdentityDef| authority::present(self.observed, def).is_some_and(|c| **c == *certificate);
        self.topology.identities.values().any(has) || served(self.observed).any(|(_, c)| c == certificate.fingerprint())
    }
}

/// What services were seen to present.
pub(crate) fn served(observed: &Observed) -> impl Iterator<Item = (&IdentityId, Fingerprint)> {
    observed.served.iter().filter_map(|(id, look)| match look {
        ServedLook::Presented(slot) => Some((id, slot.fingerprint())),
        ServedLook::Unreachable(_) => None,
    })
}

/// The hosts that a certificate is deleted for, if it may be deleted by its names at all: it is no CA's, and every name on it is
/// the full name of one of these hosts. A common name that is the first label of such a name means the host that is named in
/// full beside it; alone it may be anybody's.
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

/// Whether a name in a certificate means this host: the FQDN, or its first label where a common name was kept short.
pub(crate) fn is_name_of(name: &str, fqdn: &str) -> bool {
    name == fqdn || (!name.contains('.') && fqdn.split('.').next() == Some(name))
}
