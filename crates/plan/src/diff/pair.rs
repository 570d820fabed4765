//! Serves the edges to an identity that rotates: each truster holds the old and the next certificate, under any alias.
//! An entry that is there stays as it is. A certificate that is missing gets the edge's alias if that is free,
//! otherwise the alias beside it.

use std::sync::Arc;

use trustmason_keystore::{Alias, Entry, Fingerprint, StoredAlias};

use super::slot::Slot;
use super::{Comparison, DraftChange, DraftVerdict, WantedEdge, view};
use crate::change::{Action, CertificateOrigin, Edit, FromKind, Material, Phase};
use crate::course::Overlap;
use crate::finding::{FindingKind, Severity};
use crate::observed::StoreFacts;
use crate::outline::Forecast;
use crate::overlap::{self, next_alias};
use crate::why::Why;

/// One of the two certificates.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Old,
    Next,
}

impl<'a> Comparison<'a> {
    /// Serves every edge to an identity that rotates and whose certificate itself is trusted.
    pub(super) fn hold_pairs(&mut self) {
        let pairs: Vec<(WantedEdge<'a>, &'a Overlap)> = self
            .wanted_edges
            .iter()
            .filter_map(|w| Some((*w, w.settled.course.overlap().filter(|o| !o.is_by_chain())?)))
            .collect();
        // All pairs claim their entries first, so that no pair takes an entry of another pair.
        for (wanted, overlap) in &pairs {
            let prints = [Some(overlap.old), overlap.material().known()];
            let held: Vec<_> = prints.into_iter().flatten().flat_map(|p| self.half(*wanted, p)).map(|e| e.id).collect();
            self.claimed.extend(held);
        }
        for (wanted, overlap) in pairs {
            let verdict = self.pair(wanted, overlap);
            self.decide_edge(wanted, verdict);
        }
    }

    /// The entries that hold one of the two certificates, except entries at the alias of another edge.
    fn half(&self, wanted: WantedEdge<'a>, print: Fingerprint) -> Vec<&'a Entry> {
        self.with_fingerprint(print).into_iter().filter(|e| !self.is_anothers_slot(wanted, e)).collect()
    }

    fn pair(&mut self, wanted: WantedEdge<'a>, overlap: &'a Overlap) -> DraftVerdict {
        let old = self.half(wanted, overlap.old);
        let next = overlap.material().known().map(|print| self.half(wanted, print)).unwrap_or_default();
        let stands = |entries: &[&Entry], alias: &Alias| entries.iter().any(|e| self.is_at(e, alias));
        let beside = wanted.edge.alias.as_ref().map(next_alias);
        // The old certificate gets the edge's alias and the next one the alias beside it, unless one of them has the
        // other's alias already.
        let old_to = wanted.edge.alias.as_ref().map(|alias| match &beside {
            Some(beside) if stands(&next, alias) => beside.clone(),
            Some(_) | None => alias.clone(),
        });
        let old_wanted = overlap.old_wanted.as_ref().filter(|_| overlap.is_extending() && old.is_empty());
        let old_comes = old_wanted.is_some();
        let next_to = wanted.edge.alias.as_ref().map(|alias| match &beside {
            Some(beside) if stands(&old, alias) || (old_comes && old_to.as_ref() == Some(alias)) => beside.clone(),
            Some(_) | None => alias.clone(),
        });
        let mut verdict = DraftVerdict::Held;
        if let Some(certificate) = old_wanted {
            let material = Material::Known(Arc::clone(certificate));
            verdict = self.put(wanted, overlap, Half::Old, material, old_to.clone());
        }
        if next.is_empty() {
            let put = self.put(wanted, overlap, Half::Next, overlap.material(), next_to.clone());
            if !matches!(verdict, DraftVerdict::Blocked(_)) {
                verdict = put;
            }
        }
        let old_comes = old_comes.then(|| old_to.map(StoredAlias::from));
        let leaving = old.iter().map(|e| e.alias.clone()).chain(old_comes).collect();
        let next = next.first().map_or(next_to.map(StoredAlias::from), |e| e.alias.clone());
        self.forecast(wanted, overlap, leaving, next);
        verdict
    }

    /// Imports one of the two certificates.
    fn put(
        &mut self,
        wanted: WantedEdge<'a>,
        overlap: &Overlap,
        half: Half,
        material: Material,
        alias: Option<Alias>,
    ) -> DraftVerdict {
        let holders = alias.as_ref().map(|alias| self.at_alias(alias)).unwrap_or_default();
        let slot = alias.as_ref().map_or(Slot::Free, |alias| self.judge_slot(wanted, alias, &holders));
        let replaced = match slot {
            Slot::Free => Vec::new(),
            Slot::Ours(entries) => entries,
            Slot::Newer(entry) => return self.ahead(wanted, entry),
            Slot::Taken(why) => {
                self.claimed.extend(holders.iter().map(|e| e.id));
                return DraftVerdict::Blocked(why);
            }
        };
        let known = material.known().is_some();
        let unread = self.status.facts().filter(|_| known && replaced.is_empty()).and_then(StoreFacts::unread);
        if let Some(what) = unread {
            return DraftVerdict::Blocked(Why::Unread { what });
        }
        self.claimed.extend(replaced.iter().map(|e| e.id));
        let last = replaced.last().copied();
        let missing = if last.is_none() { FindingKind::Missing } else { FindingKind::Stale };
        // While the rotation settles, the service may present the next certificate at any moment.
        let (finding, severity, reason) = match half {
            // The identity reports that it needs another certificate. Nothing is wrong with the entries of its
            // trusters.
            Half::Next if !overlap.is_settling() => (
                FindingKind::RotationWaiting,
                overlap.next().map_or(Severity::Info, |next| overlap::wait_severity(self.context, next.since)),
                format!(
                    "{} gets a new certificate; this store must trust it before the service presents it",
                    wanted.edge.subject
                ),
            ),
            Half::Old | Half::Next => {
                let reason = format!("this store must trust {}: {}", wanted.edge.subject, wanted.edge.why);
                (missing, missing.severity(), reason)
            }
        };
        let after = self.after(&material);
        let from = match half {
            Half::Next if !overlap.is_settling() => {
                let place = overlap.identity.to_string();
                Some(CertificateOrigin { kind: FromKind::Generated, place, sha256: material.known() })
            }
            Half::Old | Half::Next => wanted.settled.from().cloned(),
        };
        let at = self.out.drafts.len();
        self.out.drafts.push(DraftChange {
            phase: Phase::Extend,
            alias: last.and_then(|e| e.alias.clone()).or_else(|| alias.clone().map(StoredAlias::from)),
            edit: match last {
                Some(_) => Edit::Replace { entries: replaced.iter().map(|e| e.id).collect(), alias, material },
                None => Edit::Import { alias, material },
            },
            finding,
            severity,
            reason,
            edge: Some(wanted.index),
            waits: Vec::new(),
            before: last.and_then(view),
            after,
            from,
        });
        DraftVerdict::Draft(at)
    }

    /// The changes that remain here once the next certificate is in use: every entry of the old certificate is deleted,
    /// and the next one gets the edge's alias.
    fn forecast(
        &mut self,
        wanted: WantedEdge<'a>,
        overlap: &Overlap,
        old: Vec<Option<StoredAlias>>,
        next: Option<StoredAlias>,
    ) {
        let one = |alias, action, to| Forecast {
            phase: Phase::Withdraw,
            store: wanted.edge.store.clone(),
            alias,
            action,
            to,
            identity: overlap.identity.clone(),
        };
        self.out.forecast.extend(old.into_iter().map(|alias| one(alias, Action::Delete, None)));
        let alias = wanted.edge.alias.clone();
        let beside = alias.as_ref().map(next_alias);
        if next.as_ref().is_some_and(|next| beside.is_some_and(|beside| next.is_spelled(&beside))) {
            self.out.forecast.push(one(next, Action::Rename, alias));
        }
    }
}
