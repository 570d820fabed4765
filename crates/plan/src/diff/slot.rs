//! Judges the entries at a wanted alias: whether they are ours, so that a change may replace them. It gives a [`Slot`]
//! and changes nothing.

use std::sync::Arc;

use trustmason_keystore::{Alias, Certificate, Entry, EntryKey, Fingerprint, StoredAlias};
use trustmason_spec::topology::{Anchor, Edge, Subject};

use super::{Comparison, DraftVerdict, WantedEdge};
use crate::by_name;
use crate::constraints::{self, Terms};
use crate::ledger::PlacedKey;
use crate::observed::trusted;
use crate::overlap;
use crate::settle;
use crate::why::{OutOfDate, Why};

/// The judgement on the entries at a wanted alias.
pub(super) enum Slot<'a> {
    Free,
    Ours(Vec<&'a Entry>),
    Newer(&'a Entry),
    Taken(Why),
}

impl<'a> Comparison<'a> {
    pub(super) fn judge_slot(&self, wanted: WantedEdge<'a>, alias: &Alias, holders: &[&'a Entry]) -> Slot<'a> {
        let mut ours = Vec::new();
        for entry in holders {
            if self.claimed.contains(&entry.id) {
                return Slot::Taken(Self::conflict(wanted, alias, entry));
            }
            let Some(slot) = trusted(entry) else {
                return Slot::Taken(Self::conflict(wanted, alias, entry));
            };
            let fingerprint = slot.fingerprint();
            let known_old = self.settlement.predecessors.contains_key(&fingerprint);
            let placed = self.placed_by_us(entry, fingerprint);
            let named = slot.certificate().is_some_and(|c| self.names_host_of(c, wanted.edge))
                && !self.is_anothers(fingerprint);
            let leaves = self.context.topology.distrust.contains_key(&fingerprint)
                || slot.certificate().is_some_and(|c| self.settlement.gone_for_good(c).is_some());
            if !(known_old || placed || named || leaves) {
                return Slot::Taken(Self::conflict(wanted, alias, entry));
            }
            // This tool imported the entry beside the alias for a rotation that ended differently. No service ever
            // presented its certificate.
            let beside = wanted.edge.alias.as_ref().map(overlap::next_alias);
            let superseded = placed && entry.alias.as_ref().map(StoredAlias::fold) == beside;
            if !known_old && !leaves && !superseded {
                let held = slot.certificate().map(Arc::as_ref);
                if self.is_newer(wanted, held) {
                    return Slot::Newer(entry);
                }
                if let Some(why) = self.outlived(wanted, held) {
                    return Slot::Taken(why);
                }
            }
            ours.push(*entry);
        }
        if ours.is_empty() { Slot::Free } else { Slot::Ours(ours) }
    }

    /// Whether the certificate here was issued later than the known one of the subject (finding `ahead`). Then somebody
    /// else was faster.
    pub(super) fn is_newer(&self, wanted: WantedEdge<'a>, held: Option<&Certificate>) -> bool {
        if wanted.settled.is_renewed() {
            return false;
        }
        match (held, &wanted.settled.present) {
            (Some(held), Some(known)) => held.not_before() > known.not_before(),
            _ => false,
        }
    }

    /// Why a valid certificate here must not be replaced by the known one: the known one has ended, or is not valid
    /// yet. Usually it is an old export, and no service would gain anything by the replacement.
    pub(super) fn outlived(&self, wanted: WantedEdge<'a>, held: Option<&Certificate>) -> Option<Why> {
        let (held, known) = (held?, wanted.settled.present.as_ref()?);
        let now = self.context.now;
        let wrong = |certificate: &Certificate| {
            let dates = constraints::dates(certificate, Terms::default(), now);
            let ended = dates.is_past().then(|| OutOfDate::Ended(certificate.not_after()));
            ended.or(dates.begins.map(OutOfDate::NotBegun))
        };
        if wanted.settled.is_renewed() || wrong(held).is_some() {
            return None;
        }
        let (subject, held_until) = (wanted.edge.subject.to_string(), held.not_after());
        wrong(known).map(|dates| Why::OutOfDate { subject, dates, held_until })
    }

    fn conflict(wanted: WantedEdge<'a>, alias: &Alias, holder: &Entry) -> Why {
        Why::AliasConflict {
            holder: settle::describe(&holder.kind),
            remedy: match wanted.edge.anchor {
                Anchor::Chain => "give that entry another alias".to_owned(),
                _ => format!(
                    "move that entry, or give this trust relation another alias: rules: {{ {}: {{ alias: '{{fqdn}}_2' }} }}",
                    wanted.edge.rule
                ),
            },
            alias: alias.clone(),
        }
    }

    /// Whether a live host presents this certificate now although no edge of this store asks for it. Somebody trusts it
    /// here for another reason, and its names do not tell which identity it belongs to.
    pub(super) fn is_anothers(&self, print: Fingerprint) -> bool {
        let present = |w: &WantedEdge<'_>| w.settled.present.as_ref().map(|c| c.fingerprint());
        self.settlement.is_presented(print) && !self.wanted_edges.iter().any(|w| present(w) == Some(print))
    }

    pub(super) fn names_host_of(&self, certificate: &Certificate, edge: &Edge) -> bool {
        match &edge.subject {
            Subject::Identity(id) => match self.context.topology.identities.get(id) {
                Some(def) => constraints::identifies(certificate, def),
                None => certificate.names_host(id.host.as_str()),
            },
            Subject::Certificate(_) => false,
        }
    }

    /// Whether an edge of this store that is not served now may need this certificate. The certificate may belong to
    /// the edge's subject: by its fingerprint, by name, by a wildcard, by a short name, or because this tool placed it
    /// for the edge's rule.
    pub(super) fn may_be_needed(&self, entry: &Entry, certificate: Option<&Certificate>) -> bool {
        let mut unserved = self
            .wanted_edges
            .iter()
            .filter(|w| !matches!(self.out.verdicts.get(&w.index), Some(DraftVerdict::Held | DraftVerdict::Draft(_))))
            .peekable();
        // There is nearly always no such edge. Then the names of a store's vendor roots need not be read.
        if unserved.peek().is_none() {
            return false;
        }
        let key = entry.alias.as_ref().map(|stored| PlacedKey::from(&EntryKey::Alias(stored.fold())));
        let claims = self.context.observed.ledger.claims(self.id());
        let claims: Vec<_> = claims.filter(|(claimed, _)| key.as_ref() == Some(*claimed)).collect();
        let names = certificate.map(Certificate::names_in_full).unwrap_or_default();
        unserved.any(|w| {
            let by_rule = claims.iter().any(|(_, placed)| placed.rule == w.edge.rule.as_str());
            let by_name = match &w.edge.subject {
                Subject::Identity(id) => {
                    let def = self.context.topology.identities.get(id);
                    let mut common = def.into_iter().flat_map(|def| &def.constraints.common_names);
                    names.iter().any(|name| could_mean(name, id.host.as_str()))
                        || common.any(|known| names.iter().any(|name| name.eq_ignore_ascii_case(&known.text)))
                }
                Subject::Certificate(_) => false,
            };
            let present = w.settled.present.as_ref().filter(|_| !w.settled.is_renewed()).map(|c| c.fingerprint());
            by_rule || by_name || (present.is_some() && present == certificate.map(Certificate::fingerprint))
        })
    }
}

/// Whether a name may mean a host: the full name, a wildcard over one label (RFC 6125 §6.4.3), or the first label
/// alone.
fn could_mean(name: &str, fqdn: &str) -> bool {
    let wildcard =
        name.strip_prefix("*.").is_some_and(|rest| fqdn.split_once('.').is_some_and(|(_, domain)| domain == rest));
    wildcard || by_name::is_name_of(name, fqdn)
}
