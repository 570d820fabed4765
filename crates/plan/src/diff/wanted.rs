//! Finds an entry for every edge: the exact entry, one under another alias, or a place for a new one.

use std::collections::BTreeSet;

use trustmason_keystore::{Alias, Certificate, Entry, EntryId, EntryKey, Fingerprint, JvmJudgement, StoredAlias};
use trustmason_spec::topology::{Anchor, Edge, OlderAlias, Subject};

use super::slot::Slot;
use super::{Comparison, DraftChange, DraftVerdict, WantedEdge, deletion, is_foreign_ca, view};
use crate::change::{CertificateView, DeleteReason, Edit, EntryAfter, FromKind, Material, Phase};
use crate::course::{Asked, Course, Installation, KeyOrigin};
use crate::finding::{Finding, FindingKind, Severity};
use crate::observed::{StoreFacts, certificate};
use crate::overlap;
use crate::text;
use crate::why::Why;

impl<'a> Comparison<'a> {
    /// Serves the edges whose certificate is under exactly the wanted alias. A blocked edge claims the entries at its
    /// aliases, so that they stay.
    pub(super) fn hold_exact(&mut self) {
        for wanted in self.undecided_edges() {
            match &wanted.settled.asked {
                Err(why) => {
                    for alias in wanted.edge.alias.iter().chain(wanted.edge.was.iter().filter_map(OlderAlias::exact)) {
                        let held: Vec<_> = self.at_alias(alias).iter().map(|e| e.id).collect();
                        self.claimed.extend(held);
                    }
                    self.decide_edge(wanted, DraftVerdict::Blocked(why.clone()));
                }
                Ok(Asked { material: Material::Known(certificate), .. }) => {
                    let held = self.with_fingerprint(certificate.fingerprint());
                    let exact = match &wanted.edge.alias {
                        None => held.first().copied(),
                        Some(alias) => {
                            held.into_iter().rev().find(|e| e.is_spelled(alias) && self.is_effective(e, alias))
                        }
                    };
                    if let Some(entry) = exact {
                        self.claimed.insert(entry.id);
                        self.decide_edge(wanted, DraftVerdict::Held);
                    }
                }
                Ok(Asked { material: Material::Minted(_), .. }) => {}
            }
        }
    }

    /// Whether an entry counts for its alias: of several entries with the same alias the JDK keeps the last.
    pub(super) fn is_effective(&self, entry: &Entry, alias: &Alias) -> bool {
        let last = self.entries.iter().rev().find(|e| e.is_spelled(alias));
        last.is_some_and(|e| e.id == entry.id)
    }

    /// Serves the edges whose certificate is under another alias. The entry is renamed if it is ours, otherwise it is
    /// accepted.
    pub(super) fn hold_elsewhere(&mut self) {
        for wanted in self.undecided_edges() {
            let (Some(fingerprint), Some(alias)) = (wanted.settled.known(), &wanted.edge.alias) else {
                continue;
            };
            let candidates: Vec<&Entry> = self
                .with_fingerprint(fingerprint)
                .into_iter()
                .filter(|e| !self.claimed.contains(&e.id) && !self.is_anothers_slot(wanted, e))
                .collect();
            if candidates.is_empty() {
                continue;
            }
            let movable = candidates.iter().copied().find(|e| self.may_rename(e, wanted.edge, fingerprint));
            if let Some(entry) = movable {
                if self.clear_slot(wanted, alias, Some(entry.id)) {
                    self.rename(wanted, entry, alias);
                } else {
                    // The wanted alias is not free: the entry keeps its alias.
                    self.claimed.insert(entry.id);
                }
                continue;
            }
            let Some(entry) = candidates.first().copied() else {
                continue;
            };
            self.claimed.insert(entry.id);
            if !is_foreign_ca(self.context.topology, entry, wanted.edge) {
                let stored = entry.alias.as_deref().unwrap_or("");
                let message = format!(
                    "{} is already trusted under the alias `{}`, so there is nothing to do; trustmason did not add that entry and does not rename it to `{alias}`",
                    wanted.edge.subject,
                    text::escape(stored)
                );
                self.out.findings.push(
                    Finding::of_store(FindingKind::WrongAlias, self.id(), message)
                        .at(entry.alias.clone(), Some(fingerprint)),
                );
            }
            self.decide_edge(wanted, DraftVerdict::Held);
        }
    }

    /// Whether an entry has exactly the alias of another edge of this store.
    pub(super) fn is_anothers_slot(&self, wanted: WantedEdge<'a>, entry: &Entry) -> bool {
        let is_its = |w: &WantedEdge<'_>| w.edge.alias.as_ref().is_some_and(|alias| entry.is_spelled(alias));
        self.wanted_edges.iter().any(|w| w.index != wanted.index && is_its(w))
    }

    /// Whether an entry that holds the wanted certificate may be renamed: its alias is one of older documents or of
    /// another tool, one that this tool placed, one of a next certificate, or a spelling that a JVM cannot look up.
    pub(super) fn may_rename(&self, entry: &Entry, edge: &Edge, fingerprint: Fingerprint) -> bool {
        let Some(stored) = entry.alias.as_ref().map(StoredAlias::fold) else {
            return false;
        };
        if edge.trace(&stored).is_some() {
            return true;
        }
        if is_foreign_ca(self.context.topology, entry, edge) {
            return false;
        }
        let by_rule = edge.was.iter().any(|old| old.is_exactly(&stored))
            || edge.alias.as_ref().is_some_and(|alias| *alias == stored || overlap::next_alias(alias) == stored);
        let named = certificate(entry).is_some_and(|c| self.names_host_of(c, edge));
        (by_rule && named) || self.context.observed.ledger.placed(self.id(), &EntryKey::Alias(stored), fingerprint)
    }

    pub(super) fn rename(&mut self, wanted: WantedEdge<'a>, entry: &'a Entry, to: &Alias) {
        self.claimed.insert(entry.id);
        let stored = entry.alias.as_deref().unwrap_or_default();
        let rotation = certificate(entry).and_then(|c| self.end_of_rotation(c.fingerprint()));
        let (finding, severity) = rotation.unwrap_or((FindingKind::WrongAlias, FindingKind::WrongAlias.severity()));
        let reason = if entry.is_called(&overlap::next_alias(to)) {
            format!("{} presents it now", wanted.edge.subject)
        } else if entry.is_called(to) {
            format!(
                "a JVM finds only lower-case aliases in this format, and `{}` is not in lower case",
                text::escape(stored)
            )
        } else if let Some(old) = wanted.edge.trace(&Alias::of(stored)) {
            let old = text::escape(&old.to_string());
            format!(
                "`{}` is an alias (`{old}`) that another tool gives to {}",
                text::escape(stored),
                wanted.edge.subject
            )
        } else {
            format!("`{}` is the alias that an older document gives to {}", text::escape(stored), wanted.edge.subject)
        };
        self.serve(
            wanted,
            DraftChange {
                phase: Phase::Withdraw,
                alias: entry.alias.clone(),
                edit: Edit::Rename { entry: entry.id, to: to.clone() },
                finding,
                severity,
                reason,
                edge: None,
                waits: Vec::new(),
                before: view(entry),
                after: EntryAfter::Alias(to.clone()),
                from: None,
            },
        );
    }

    /// Frees an alias for a rename: entries of ours at that alias are deleted. Returns whether the alias is free. If
    /// not, the edge keeps its certificate under the other alias.
    pub(super) fn clear_slot(&mut self, wanted: WantedEdge<'a>, alias: &Alias, mover: Option<EntryId>) -> bool {
        let holders: Vec<&Entry> = self.at_alias(alias).into_iter().filter(|e| Some(e.id) != mover).collect();
        match self.judge_slot(wanted, alias, &holders) {
            Slot::Free => true,
            Slot::Ours(entries) => {
                for entry in entries {
                    self.claimed.insert(entry.id);
                    let reason = format!("an older certificate of {}", wanted.edge.subject);
                    let draft = deletion(entry, DeleteReason::Predecessor, FindingKind::Stale, reason, wanted.waits());
                    let draft = self.with_grace(entry, draft);
                    self.out.drafts.push(DraftChange { edge: Some(wanted.index), ..draft });
                }
                true
            }
            Slot::Newer(entry) => {
                let verdict = self.ahead(wanted, entry);
                self.decide_edge(wanted, verdict);
                false
            }
            Slot::Taken(why) => {
                for holder in holders {
                    self.claimed.insert(holder.id);
                }
                self.decide_edge(wanted, DraftVerdict::Blocked(why));
                false
            }
        }
    }

    /// Whether an edge asks for an identity whose CA's reply this run installs at once. Its issuers are trusted
    /// instead. Its present certificate, which is deleted in the same run, is not imported.
    fn is_replied(wanted: &WantedEdge<'a>) -> bool {
        let by_reply =
            matches!(&wanted.settled.course, Course::Renew(Installation { key: KeyOrigin::Replied { .. }, .. }));
        by_reply && wanted.edge.anchor == Anchor::ByIssuer
    }

    /// The verdict on an edge of [`Self::is_replied`]: the verdict on the edges that ask for the issuers in this store.
    fn by_issuers(&self, wanted: WantedEdge<'a>) -> DraftVerdict {
        let issuers = wanted.settled.course.installation().into_iter().flat_map(|one| one.key.issuers());
        let issuers: BTreeSet<Fingerprint> = issuers.map(|issuer| issuer.fingerprint()).collect();
        let verdicts: Vec<&DraftVerdict> = self
            .wanted_edges
            .iter()
            .filter(|w| w.edge.anchor == Anchor::Chain)
            .filter(|w| w.settled.known().is_some_and(|print| issuers.contains(&print)))
            .filter_map(|w| self.out.verdicts.get(&w.index))
            .collect();
        let blocked = verdicts.iter().find_map(|verdict| match verdict {
            DraftVerdict::Blocked(why) => Some(DraftVerdict::Blocked(why.clone())),
            _ => None,
        });
        let made = verdicts.iter().find_map(|verdict| match verdict {
            DraftVerdict::Draft(index) => Some(DraftVerdict::Draft(*index)),
            _ => None,
        });
        blocked.or(made).unwrap_or(DraftVerdict::Held)
    }

    /// Serves the edges that no entry of the store serves yet.
    pub(super) fn fill_slots(&mut self) {
        let (replied, others): (Vec<_>, Vec<_>) = self.undecided_edges().into_iter().partition(Self::is_replied);
        self.fill(others);
        for wanted in replied {
            let verdict = self.by_issuers(wanted);
            self.decide_edge(wanted, verdict);
        }
    }

    fn fill(&mut self, wanted_edges: Vec<WantedEdge<'a>>) {
        for wanted in wanted_edges {
            let Ok(Asked { material, .. }) = &wanted.settled.asked else {
                continue;
            };
            let material = material.clone();
            if let Material::Known(certificate) = &material
                && let Some(refusal) = Self::refused(wanted, certificate)
            {
                self.decide_edge(wanted, DraftVerdict::Blocked(refusal));
                continue;
            }
            let Some(alias) = wanted.edge.alias.clone() else {
                self.import(wanted, None, material);
                continue;
            };
            let holders = self.at_alias(&alias);
            match self.judge_slot(wanted, &alias, &holders) {
                Slot::Free => self.import(wanted, Some(alias), material),
                Slot::Ours(entries) => self.replace(wanted, &entries, alias, material),
                Slot::Newer(entry) => {
                    let verdict = self.ahead(wanted, entry);
                    self.decide_edge(wanted, verdict);
                }
                Slot::Taken(why) => {
                    self.claimed.extend(holders.iter().map(|e| e.id));
                    self.decide_edge(wanted, DraftVerdict::Blocked(why));
                }
            }
        }
    }

    /// Why a certificate must not be imported: a JVM would refuse the store, or that cannot be told.
    fn refused(wanted: WantedEdge<'a>, certificate: &Certificate) -> Option<Why> {
        let subject = wanted.edge.subject.to_string();
        match certificate.jvm() {
            JvmJudgement::Loads => None,
            JvmJudgement::Refused(why) => Some(Why::JvmRefuses { subject, detail: why.to_string() }),
            JvmJudgement::CannotTell(why) => Some(Why::JvmCannotTell { subject, detail: why.to_string() }),
        }
    }

    pub(super) fn import(&mut self, wanted: WantedEdge<'a>, alias: Option<Alias>, material: Material) {
        // A certificate that this run creates cannot be in the store yet.
        let unread = self.status.facts().filter(|_| material.known().is_some()).and_then(StoreFacts::unread);
        if let Some(what) = unread {
            self.decide_edge(wanted, DraftVerdict::Blocked(Why::Unread { what }));
            return;
        }
        let reason = format!("this store must trust {}: {}", wanted.edge.subject, wanted.edge.why);
        let after = self.after(&material);
        // The store holds another part of the chain, which builds no path alone.
        let broken = wanted.edge.anchor == Anchor::Chain && self.has_more_of(wanted);
        let finding = if broken { FindingKind::ChainIncomplete } else { FindingKind::Missing };
        self.serve(
            wanted,
            DraftChange {
                phase: Phase::Extend,
                alias: alias.clone().map(StoredAlias::from),
                edit: Edit::Import { alias, material },
                finding,
                severity: finding.severity(),
                reason,
                edge: None,
                waits: Vec::new(),
                before: None,
                after,
                from: None,
            },
        );
    }

    /// Whether the store holds another certificate of the authority that an edge asks for.
    fn has_more_of(&self, wanted: WantedEdge<'a>) -> bool {
        let authority = |wanted: &WantedEdge<'a>| match &wanted.edge.subject {
            Subject::Certificate(name) => name.split_once('/').map(|(authority, _)| authority),
            Subject::Identity(_) => None,
        };
        let held = |w: &WantedEdge<'a>| w.settled.known().is_some_and(|p| !self.with_fingerprint(p).is_empty());
        self.wanted_edges.iter().any(|w| {
            w.index != wanted.index && w.edge.anchor == Anchor::Chain && authority(w) == authority(&wanted) && held(w)
        })
    }

    pub(super) fn replace(&mut self, wanted: WantedEdge<'a>, entries: &[&'a Entry], alias: Alias, material: Material) {
        self.claimed.extend(entries.iter().map(|e| e.id));
        let last = entries.last().copied();
        let reason = if wanted.settled.is_renewed() {
            format!("{} gets a new certificate in this run", wanted.edge.subject)
        } else {
            format!("{} presents another certificate now", wanted.edge.subject)
        };
        let after = self.after(&material);
        self.serve(
            wanted,
            DraftChange {
                phase: Phase::Extend,
                alias: last.and_then(|e| e.alias.clone()),
                edit: Edit::Replace { entries: entries.iter().map(|e| e.id).collect(), alias: Some(alias), material },
                finding: FindingKind::Stale,
                severity: FindingKind::Stale.severity(),
                reason,
                edge: None,
                waits: Vec::new(),
                before: last.and_then(view),
                after,
                from: None,
            },
        );
    }

    /// The state of the entry after the certificate is written.
    pub(super) fn after(&self, material: &Material) -> EntryAfter {
        match material {
            Material::Known(certificate) => EntryAfter::Known(CertificateView::of(certificate)),
            Material::Minted(identity) => EntryAfter::Minted { subject: self.future_subject(identity) },
        }
    }

    /// Somebody else was faster: the entry stays, and a person must renew what is known here.
    pub(super) fn ahead(&mut self, wanted: WantedEdge<'a>, entry: &'a Entry) -> DraftVerdict {
        self.claimed.insert(entry.id);
        let Some(held) = certificate(entry) else {
            return DraftVerdict::Manual("export its certificate again".to_owned());
        };
        let went_back = matches!(wanted.settled.from().map(|f| f.kind), Some(FromKind::Store));
        let remedy = match &wanted.edge.subject {
            Subject::Certificate(_) => "declare the later one in the spec",
            Subject::Identity(_) if went_back => {
                "perhaps its own store was restored from an old copy. Restore the later key, or make a new key with --replace"
            }
            Subject::Identity(_) => "export it again",
        };
        let message = format!(
            "the store holds a certificate of {} issued on {}, later than the known one; {remedy}",
            wanted.edge.subject,
            text::day(held.not_before())
        );
        let finding = Finding::of_store(FindingKind::Ahead, self.id(), message.clone())
            .at(entry.alias.clone(), Some(held.fingerprint()));
        // The known certificate is from a key entry, and its service presents it. This truster does not trust it now.
        self.out.findings.push(if went_back { finding.with_severity(Severity::Error) } else { finding });
        DraftVerdict::Manual(message)
    }
}
