//! Judges the entries that no edge asked for. An entry of ours, or one that the spec does not tolerate, is deleted.
//! Every other entry stays and is at most reported.

use std::collections::BTreeSet;
use std::sync::Arc;

use trustmason_keystore::{Certificate, CertificateSlot, Entry, EntryId, EntryKey, Fingerprint};
use trustmason_spec::name::IdentityId;
use trustmason_spec::topology::{OlderAlias, Ownership, Subject};

use super::{Comparison, DraftChange, DraftVerdict, WantedEdge, deletion};
use crate::authority;
use crate::change::{DeleteReason, Edit};
use crate::constraints::{self, Terms};
use crate::finding::{Finding, FindingKind, Severity};
use crate::observed::trusted;
use crate::overlap;
use crate::text;

/// The decision on an entry that no edge asked for.
enum UnwantedEntry<'a> {
    /// The entry gives no trust, or cannot be removed: nothing is reported.
    Untouched,
    /// The entry stays, because others may rely on it.
    Vouched(Fingerprint),
    /// The entry stays, although nobody declared it.
    Unmanaged(&'a CertificateSlot),
    /// The entry stays: it is a later certificate of the edge's subject than the known one.
    Newer(WantedEdge<'a>, Fingerprint),
    /// The entry is deleted.
    Leaves(Box<DraftChange>),
}

impl<'a> Comparison<'a> {
    /// Judges every entry that no edge asked for.
    pub(super) fn sweep(&mut self) {
        for entry in self.entries {
            if self.claimed.contains(&entry.id) {
                self.delete_distrusted(entry);
                continue;
            }
            match self.fate(entry) {
                UnwantedEntry::Untouched => {}
                UnwantedEntry::Vouched(print) => self.unconstrained(entry, print),
                UnwantedEntry::Unmanaged(slot) => self.unmanaged(entry, slot),
                UnwantedEntry::Newer(wanted, print) => self.keep_newer(wanted, entry, print),
                UnwantedEntry::Leaves(draft) => self.out.drafts.push(*draft),
            }
        }
    }

    /// The first condition that holds decides: distrusted, of a host or name that is gone, held a second time under
    /// another tool's alias, relied on by others, perhaps needed here, replaced, left over, come back, placed by this
    /// tool, not declared in an exclusive store.
    fn fate(&self, entry: &'a Entry) -> UnwantedEntry<'a> {
        let Some(slot) = trusted(entry) else { return UnwantedEntry::Untouched };
        if self.is_out_of_reach(entry) {
            return UnwantedEntry::Untouched;
        }
        let print = slot.fingerprint();
        let certificate = slot.certificate().map(Arc::as_ref);
        let leaves = |because, finding, reason, waits| {
            UnwantedEntry::Leaves(Box::new(deletion(entry, because, finding, reason, waits)))
        };
        if let Some(why) = self.context.topology.distrust.get(&print) {
            return leaves(DeleteReason::Distrust, FindingKind::Distrusted, why.clone(), Vec::new());
        }
        if let Some((certificate, waits)) = certificate.and_then(|c| Some((c, self.settlement.gone_for_good(c)?))) {
            let names = constraints::carries(certificate);
            let left = self.context.is_retired(certificate);
            let what = if left { "which left the estate" } else { "a name that no host has any more" };
            let reason = format!("it names only {names}, {what}");
            return leaves(DeleteReason::Retired, FindingKind::Retired, reason, waits);
        }
        if let Some(wanted) = self.spare_of(entry, print).filter(|_| !self.may_be_needed(entry, certificate)) {
            let reason =
                format!("another tool added it, and {} has an entry with the same certificate", wanted.edge.subject);
            return leaves(DeleteReason::NoLongerWanted, FindingKind::Stale, reason, Vec::new());
        }
        if self.is_vouched_for(print) {
            return UnwantedEntry::Vouched(print);
        }
        if self.may_be_needed(entry, certificate) {
            return UnwantedEntry::Unmanaged(slot);
        }
        if let Some(identity) = self.settlement.predecessors.get(&print).filter(|id| self.is_succeeded(id)) {
            let reason = format!("{identity} has a new certificate now");
            let waits = self.settlement.successor_of(print);
            let draft = deletion(entry, DeleteReason::Predecessor, FindingKind::Stale, reason, waits);
            return UnwantedEntry::Leaves(Box::new(self.with_grace(entry, draft)));
        }
        if let Some(wanted) = self.leftover_of(entry, certificate) {
            if self.is_newer(wanted, certificate) {
                return UnwantedEntry::Newer(wanted, print);
            }
            if self.outlived(wanted, certificate).is_some() {
                return UnwantedEntry::Unmanaged(slot);
            }
            let reason = format!("an old certificate of {} under an older alias", wanted.edge.subject);
            return leaves(DeleteReason::NoLongerWanted, FindingKind::Stale, reason, Vec::new());
        }
        if let Some(wanted) = self.came_back(entry, certificate) {
            return UnwantedEntry::Newer(wanted, print);
        }
        if self.placed_by_us(entry, print) {
            let reason = "trustmason added it, and no rule wants it any more".to_owned();
            return leaves(DeleteReason::NoLongerWanted, FindingKind::Stale, reason, Vec::new());
        }
        if self.status.def.ownership == Ownership::Exclusive {
            let reason = "the store is exclusive, and the spec does not declare this certificate".to_owned();
            let waits = self.settlement.successor_of(print);
            return leaves(DeleteReason::Exclusive, FindingKind::Unmanaged, reason, waits);
        }
        UnwantedEntry::Unmanaged(slot)
    }

    /// Whether others may rely on a certificate. It is one of a declared authority, or a service may still present it
    /// while its trusters hold the issuers of the next certificate. While an authority cannot be used, this is assumed
    /// of every certificate.
    fn is_vouched_for(&self, print: Fingerprint) -> bool {
        self.settlement.in_doubt || self.settlement.vouched.contains(&print)
    }

    /// Reports an issuer that this store has as a trust anchor and that should be none.
    fn unconstrained(&mut self, entry: &Entry, print: Fingerprint) {
        let Some(lost) = authority::lost_as_anchor(self.context.authorities, print) else { return };
        let message = format!(
            "an intermediate of an authority is a trust anchor here, so services that use this store ignore its {}; delete it here \
             (services send it with their certificates), or write `as_anchor: unconstrained` next to its `file:`",
            lost.join(", ")
        );
        let finding = Finding::of_store(FindingKind::IssuerWithheld, self.id(), message);
        self.out.findings.push(finding.at(entry.alias.clone(), Some(print)).with_severity(Severity::Warning));
    }

    /// Deletes a distrusted certificate from a claimed entry, for example one that a blocked edge claims, unless a
    /// change replaces or deletes it already.
    pub(super) fn delete_distrusted(&mut self, entry: &'a Entry) {
        let Some(fingerprint) = trusted(entry).map(CertificateSlot::fingerprint) else {
            return;
        };
        let Some(why) = self.context.topology.distrust.get(&fingerprint).filter(|_| !self.is_kept(entry)) else {
            return;
        };
        if !self.is_removed(entry.id) {
            let draft = deletion(entry, DeleteReason::Distrust, FindingKind::Distrusted, why.clone(), Vec::new());
            self.out.drafts.push(draft);
        }
    }

    /// Whether every edge of this store to an identity is served. Only then may the identity's predecessor be deleted.
    pub(super) fn is_succeeded(&self, identity: &IdentityId) -> bool {
        self.wanted_edges
            .iter()
            .filter(|w| w.edge.subject == Subject::Identity(identity.clone()))
            .all(|w| matches!(self.out.verdicts.get(&w.index), Some(DraftVerdict::Held | DraftVerdict::Draft(_))))
    }

    /// The served edge that has, or had, the alias of this entry, if the certificate names the edge's host.
    pub(super) fn leftover_of(&self, entry: &Entry, certificate: Option<&Certificate>) -> Option<WantedEdge<'a>> {
        let stored = entry.alias.as_ref()?.fold();
        let certificate = certificate?;
        self.wanted_edges.iter().copied().find(|w| {
            let older = |old: &OlderAlias| old.is_exactly(&stored);
            let alias = w.edge.alias.as_ref() == Some(&stored) || w.edge.was.iter().any(older);
            let served = matches!(self.out.verdicts.get(&w.index), Some(DraftVerdict::Held | DraftVerdict::Draft(_)));
            alias && served && self.names_host_of(certificate, w.edge) && !self.is_anothers(certificate.fingerprint())
        })
    }

    /// The served edge whose certificate this entry holds a second time under an alias of another tool. An entry that stays
    /// holds the certificate, so that no trust is lost.
    fn spare_of(&self, entry: &Entry, print: Fingerprint) -> Option<WantedEdge<'a>> {
        let stored = entry.alias.as_ref()?.fold();
        let stays =
            |other: &&Entry| other.id != entry.id && self.claimed.contains(&other.id) && !self.is_removed(other.id);
        let found = self.wanted_edges.iter().copied().find(|w| {
            w.settled.known() == Some(print)
                && w.edge.trace(&stored).is_some()
                && matches!(self.out.verdicts.get(&w.index), Some(DraftVerdict::Held | DraftVerdict::Draft(_)))
                && !self.is_anothers_slot(*w, entry)
        });
        found.filter(|_| !self.settlement.in_doubt && self.with_fingerprint(print).iter().any(stays))
    }

    pub(super) fn keep_newer(&mut self, wanted: WantedEdge<'a>, entry: &Entry, fingerprint: Fingerprint) {
        let message =
            format!("this certificate of {} was issued later than the known one; it stays", wanted.edge.subject);
        self.out
            .findings
            .push(Finding::of_store(FindingKind::Ahead, self.id(), message).at(entry.alias.clone(), Some(fingerprint)));
    }

    /// The edge to the identity that had this certificate, if the certificate is later than the identity's present one.
    /// The identity's store was restored, and its service may still present this certificate.
    fn came_back(&self, entry: &Entry, certificate: Option<&Certificate>) -> Option<WantedEdge<'a>> {
        let certificate = certificate?;
        let print = certificate.fingerprint();
        let had = self.context.observed.ledger.predecessors.values().find(|p| p.replaced_by == print)?;
        let beside = |w: &WantedEdge<'_>| {
            let beside = w.edge.alias.as_ref().map(overlap::next_alias);
            beside.is_some_and(|beside| entry.is_called(&beside))
        };
        self.wanted_edges.iter().copied().find(|w| {
            w.edge.subject == Subject::Identity(had.identity.clone())
                && beside(w)
                && self.is_newer(*w, Some(certificate))
        })
    }

    /// The finding for a change that ends a rotation. During the grace period such a change is no drift.
    pub(super) fn end_of_rotation(&self, print: Fingerprint) -> Option<(FindingKind, Severity)> {
        let predecessors = &self.context.observed.ledger.predecessors;
        let record = predecessors.iter().find(|(old, p)| p.staged && (**old == print || p.replaced_by == print))?.1;
        Some((FindingKind::RotationWaiting, overlap::wait_severity(self.context, record.at)))
    }

    /// Gives a deletion that ends a rotation the finding of [`Self::end_of_rotation`].
    pub(super) fn with_grace(&self, entry: &Entry, draft: DraftChange) -> DraftChange {
        match trusted(entry).and_then(|slot| self.end_of_rotation(slot.fingerprint())) {
            Some((finding, severity)) => DraftChange { finding, severity, ..draft },
            None => draft,
        }
    }

    pub(super) fn placed_by_us(&self, entry: &Entry, fingerprint: Fingerprint) -> bool {
        let key = self.status.facts().and_then(|facts| EntryKey::of(facts.format, entry));
        // An earlier run may have placed a vendor's root here. The ledger alone is no reason to delete a public root.
        !self.context.topology.public_roots.contains(&fingerprint)
            && key.is_some_and(|key| self.context.observed.ledger.placed(self.id(), &key, fingerprint))
    }

    fn unmanaged(&mut self, entry: &Entry, slot: &CertificateSlot) {
        let (fingerprint, certificate) = (slot.fingerprint(), slot.certificate().map(Arc::as_ref));
        let ours = |c: &Certificate| self.settlement.names_one_gone(c);
        let vendor =
            self.status.def.ownership == Ownership::Vendor && certificate.is_none_or(|c| c.is_ca() && !ours(c));
        let subject = certificate.map_or("a certificate that does not parse", Certificate::subject);
        if !vendor {
            let message = format!("the spec does not declare it, so it stays: {}", text::escape(subject));
            self.out.findings.push(
                Finding::of_store(FindingKind::Unmanaged, self.id(), message)
                    .at(entry.alias.clone(), Some(fingerprint)),
            );
        }
        let is_past = |c: &&Certificate| constraints::dates(c, Terms::default(), self.context.now).is_past();
        if let Some(end) = certificate.filter(is_past).map(Certificate::not_after) {
            let message = format!(
                "the spec does not declare it, and it expired on {}: {}",
                text::day(end),
                text::escape(subject)
            );
            self.out.findings.push(
                Finding::of_store(FindingKind::Expired, self.id(), message)
                    .at(entry.alias.clone(), Some(fingerprint))
                    .with_severity(Severity::Info),
            );
        }
    }

    /// Reports a certificate under several aliases of which not all are wanted.
    pub(super) fn entry_findings(&mut self) {
        let mut prints: Vec<(Fingerprint, &Entry)> =
            self.entries.iter().filter_map(|e| trusted(e).map(|s| (s.fingerprint(), e))).collect();
        prints.sort_by_key(|(print, entry)| (*print, entry.id));
        for entries in prints.chunk_by(|a, b| a.0 == b.0).filter(|c| c.len() > 1) {
            let Some((fingerprint, _)) = entries.first().copied() else { continue };
            let entries: Vec<&Entry> = entries.iter().map(|(_, e)| *e).collect();
            let spare: Vec<_> = entries.iter().filter(|e| !self.claimed.contains(&e.id)).collect();
            let leaving = spare.iter().all(|e| self.is_deleted(e.id));
            if let (Some(entry), false) = (spare.first(), leaving || spare.is_empty()) {
                let aliases: Vec<_> =
                    entries.iter().map(|e| format!("`{}`", text::escape(e.alias.as_deref().unwrap_or("")))).collect();
                let message = format!("one certificate under {}", aliases.join(", "));
                self.out.findings.push(
                    Finding::of_store(FindingKind::Duplicate, self.id(), message)
                        .at(entry.alias.clone(), Some(fingerprint)),
                );
            }
        }
    }

    /// Whether a change replaces or deletes an entry.
    fn is_removed(&self, id: EntryId) -> bool {
        self.out.drafts.iter().any(|d| match &d.edit {
            Edit::Replace { entries, .. } => entries.contains(&id),
            Edit::Delete { entry, .. } => *entry == id,
            Edit::Import { .. } | Edit::Rename { .. } | Edit::InstallKey { .. } => false,
        })
    }

    pub(super) fn is_deleted(&self, id: EntryId) -> bool {
        self.out.drafts.iter().any(|d| matches!(d.edit, Edit::Delete { entry, .. } if entry == id))
    }

    /// Reports that every entry this tool placed is gone at once: it looks like a Java update or a restored image, not
    /// like a dozen separate accidents (D20 in docs/findings.md).
    pub(super) fn store_reset(&mut self) {
        let Some(placed) = self.context.observed.ledger.placed.get(self.id()).filter(|p| p.len() >= 2) else {
            return;
        };
        let wanted: BTreeSet<Fingerprint> = placed.values().map(|p| p.sha256).collect();
        let any = self.entries.iter().filter_map(trusted).any(|s| wanted.contains(&s.fingerprint()));
        if !any {
            let message = format!(
                "none of the {} entries that trustmason added is left in {}; an update may have reset the store, or the \
                 spec now names another file",
                wanted.len(),
                self.status.path
            );
            self.out.findings.push(Finding::of_store(FindingKind::StoreReset, self.id(), message));
        }
    }
}
