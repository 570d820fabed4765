//! What stands at a wanted alias, and whose it is (contract §2, "Ours").

use std::collections::BTreeSet;
use std::sync::Arc;

use trustmason_keystore::{Certificate, Entry, fold_alias};
use trustmason_spec::name::Fqdn;
use trustmason_spec::topology::{Edge, Subject};

use super::{Comparison, Wish, subject_host};
use crate::observed::trusted;
use crate::settle;
use crate::why::Why;

/// What stands at a wanted alias.
pub(super) enum Slot<'a> {
    Free,
    Ours(Vec<&'a Entry>),
    Newer(&'a Entry),
    Taken(Why),
}

impl<'a> Comparison<'a> {
    pub(super) fn judge_slot(&self, wish: Wish<'a>, holders: &[&'a Entry]) -> Slot<'a> {
        let mut ours = Vec::new();
        for entry in holders {
            if self.claimed.contains(&entry.id) {
                return Slot::Taken(self.conflict(wish, entry));
            }
            let Some(slot) = trusted(entry) else {
                return Slot::Taken(self.conflict(wish, entry));
            };
            let fingerprint = slot.fingerprint();
            let known_old = self.predecessors.contains_key(&fingerprint);
            let placed = entry
                .alias
                .as_deref()
                .is_some_and(|a| self.ground.observed.ledger.placed(self.id(), &fold_alias(a), fingerprint));
            let named = slot.certificate().is_some_and(|c| self.names_host_of(c, wish.edge));
            let leaves = self.ground.topology.distrust.contains_key(&fingerprint)
                || slot.certificate().is_some_and(|c| self.only_gone_hosts(c));
            if !(known_old || placed || named || leaves) {
                return Slot::Taken(self.conflict(wish, entry));
            }
            if !known_old && !leaves && self.is_newer(wish, slot.certificate().map(Arc::as_ref)) {
                return Slot::Newer(entry);
            }
            ours.push(*entry);
        }
        if ours.is_empty() { Slot::Free } else { Slot::Ours(ours) }
    }

    /// Issued later than what is known of a live host: somebody was faster than us (contract §2, `ahead`).
    pub(super) fn is_newer(&self, wish: Wish<'a>, held: Option<&Certificate>) -> bool {
        if wish.settled.renewal.is_some() {
            return false;
        }
        match (held, &wish.settled.current) {
            (Some(held), Some(known)) => held.not_before() > known.not_before(),
            _ => false,
        }
    }

    pub(super) fn conflict(&self, wish: Wish<'a>, holder: &Entry) -> Why {
        let alias = wish.edge.alias.clone().unwrap_or_default();
        Why::AliasConflict {
            holder: settle::describe(&holder.kind),
            remedy: format!(
                "move it, or give the edge another alias: rules: {{ {}: {{ alias: '{{fqdn}}_2' }} }}",
                wish.edge.rule
            ),
            alias,
        }
    }

    pub(super) fn names_host_of(&self, certificate: &Certificate, edge: &Edge) -> bool {
        match &edge.subject {
            Subject::Identity(id) => match self.ground.topology.identities.get(id) {
                Some(def) => crate::constraints::names(certificate, def),
                None => certificate.names_host(id.host.as_str()),
            },
            Subject::Certificate(_) => false,
        }
    }

    /// Whether every name a certificate carries belongs to a host that left, or is a former name of one that is settled.
    pub(super) fn only_gone_hosts(&self, certificate: &Certificate) -> bool {
        if self.gone.is_empty() {
            return false;
        }
        let names = certificate.names_carried();
        !names.is_empty() && names.iter().all(|name| self.gone.contains(name.as_str()))
    }

    /// A former name is gone once no edge to its host is blocked here.
    pub(super) fn gone_names(&self) -> BTreeSet<&'a str> {
        let settled =
            |host: &Fqdn| self.wishes.iter().all(|w| subject_host(w.edge) != Some(host) || w.settled.material.is_ok());
        let retired = self.ground.topology.retired.iter().map(Fqdn::as_str);
        let former = self.ground.formerly.iter().filter(|(_, host)| settled(host)).map(|(name, _)| *name);
        retired.chain(former).collect()
    }
}
