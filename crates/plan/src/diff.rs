//! Compares one store we may write with the edges that end in it. First every wanted edge finds its entry, then whatever
//! is left is judged: ours and unwanted leaves, everything else stays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use trustmason_keystore::{AliasModel, Certificate, Entry, EntryId, Fingerprint, fold_alias};
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::topology::{Edge, Subject};

use crate::change::{After, CertificateView, Deed, DeleteReason, Material, Phase};
use crate::finding::{Finding, Kind};
use crate::observed::trusted;
use crate::settle::{self, Ground, Settled};
use crate::standing::Standing;
use crate::text;
use crate::why::Why;

/// How many deletions in one store need no word from a person.
const DELETES_UNASKED: usize = 10;

/// A change before it has its number.
#[derive(Debug)]
pub(crate) struct Draft {
    pub phase: Phase,
    pub alias: Option<String>,
    pub deed: Deed,
    pub finding: Kind,
    pub reason: String,
    pub edge: Option<usize>,
    /// The identity whose renewal must have succeeded first.
    pub waits: Option<IdentityId>,
    pub before: Option<CertificateView>,
    pub after: After,
}

/// An edge's verdict before changes have numbers.
#[derive(Debug)]
pub(crate) enum Verdict {
    Held,
    Draft(usize),
    Manual(String),
    Blocked(Why),
    Unobserved,
}

/// What comparing one store gave.
#[derive(Default)]
pub(crate) struct Diff {
    pub drafts: Vec<Draft>,
    pub verdicts: BTreeMap<usize, Verdict>,
    pub findings: Vec<Finding>,
    pub blocked: Option<Why>,
}

/// An edge that ends in the store, with its subject settled.
#[derive(Clone, Copy)]
struct Wish<'a> {
    index: usize,
    edge: &'a Edge,
    settled: &'a Settled,
}

struct Comparison<'a> {
    ground: &'a Ground<'a>,
    standing: &'a Standing<'a>,
    entries: &'a [Entry],
    folded: bool,
    wishes: Vec<Wish<'a>>,
    predecessors: &'a BTreeMap<Fingerprint, IdentityId>,
    /// Identities this plan makes anew, in any store.
    renewing: BTreeSet<&'a IdentityId>,
    claimed: BTreeSet<EntryId>,
    out: Diff,
}

/// Compares one direct store.
pub(crate) fn store<'a>(
    ground: &'a Ground<'a>,
    standing: &'a Standing<'a>,
    settled: &'a BTreeMap<Subject, Settled>,
    predecessors: &'a BTreeMap<Fingerprint, IdentityId>,
) -> Diff {
    let id = &standing.def.id;
    let wishes: Vec<Wish<'a>> = ground
        .topology
        .edges
        .iter()
        .enumerate()
        .filter(|(_, e)| e.store == *id)
        .filter_map(|(index, edge)| settled.get(&edge.subject).map(|settled| Wish { index, edge, settled }))
        .collect();
    if let Some(why) = &standing.blocked {
        let mut out = Diff { blocked: Some(why.clone()), ..Diff::default() };
        out.verdicts = wishes.iter().map(|w| (w.index, Verdict::Blocked(why.clone()))).collect();
        return out;
    }
    let facts = standing.facts;
    let mut work = Comparison {
        ground,
        standing,
        entries: facts.map_or(&[], |f| f.entries.as_slice()),
        folded: facts.is_none_or(|f| f.format.alias_model() == AliasModel::Folded),
        wishes,
        predecessors,
        renewing: settled
            .iter()
            .filter(|(_, one)| one.renewal.is_some())
            .filter_map(|(subject, _)| match subject {
                Subject::Identity(id) => Some(id),
                Subject::Certificate(_) => None,
            })
            .collect(),
        claimed: BTreeSet::new(),
        out: Diff::default(),
    };
    work.regenerate(settled);
    work.hold_exact();
    work.hold_elsewhere();
    work.fill_slots();
    work.sweep();
    work.entry_findings();
    work.store_reset();
    work.limit_deletes()
}

impl<'a> Comparison<'a> {
    fn id(&self) -> &'a StoreId {
        &self.standing.def.id
    }

    fn same_alias(&self, stored: &str, wanted: &str) -> bool {
        if self.folded { fold_alias(stored) == wanted } else { stored == wanted }
    }

    fn at_alias(&self, wanted: &str) -> Vec<&'a Entry> {
        let entries = self.entries;
        entries.iter().filter(|e| e.alias.as_deref().is_some_and(|a| self.same_alias(a, wanted))).collect()
    }

    fn with_fingerprint(&self, fingerprint: Fingerprint) -> Vec<&'a Entry> {
        let entries = self.entries;
        entries.iter().filter(|e| trusted(e).is_some_and(|s| s.fingerprint() == fingerprint)).collect()
    }

    fn settle_edge(&mut self, wish: Wish<'a>, verdict: Verdict) {
        self.out.verdicts.insert(wish.index, verdict);
    }

    fn open_wishes(&self) -> Vec<Wish<'a>> {
        self.wishes.iter().filter(|w| !self.out.verdicts.contains_key(&w.index)).copied().collect()
    }

    /// A change that serves an edge.
    fn serve(&mut self, wish: Wish<'a>, draft: Draft) {
        let at = self.out.drafts.len();
        let waits = match (&wish.edge.subject, &wish.settled.renewal) {
            (Subject::Identity(id), Some(_)) => Some(id.clone()),
            (Subject::Identity(_) | Subject::Certificate(_), _) => None,
        };
        self.out.drafts.push(Draft { edge: Some(wish.index), waits, ..draft });
        self.settle_edge(wish, Verdict::Draft(at));
    }

    /// Identities that live in this store and are made anew.
    fn regenerate(&mut self, settled: &'a BTreeMap<Subject, Settled>) {
        for (subject, one) in settled {
            let (Subject::Identity(identity), Some(renewal)) = (subject, &one.renewal) else {
                continue;
            };
            if renewal.store != *self.id() {
                continue;
            }
            if let Some(entry) = renewal.entry {
                self.claimed.insert(entry);
            }
            let after = match &renewal.resumed {
                Some(certificate) => After::Known(CertificateView::of(certificate)),
                None => After::Minted { subject: self.future_subject(identity) },
            };
            self.out.drafts.push(Draft {
                phase: Phase::Install,
                alias: Some(renewal.alias.clone()),
                deed: Deed::Regenerate {
                    entry: renewal.entry,
                    alias: renewal.alias.clone(),
                    identity: identity.clone(),
                },
                finding: renewal.finding,
                reason: renewal.reason.clone(),
                edge: None,
                waits: None,
                before: one.current.as_deref().map(CertificateView::of),
                after,
            });
        }
    }

    fn future_subject(&self, identity: &IdentityId) -> String {
        self.ground.topology.identities.get(identity).map_or_else(String::new, crate::mint::subject_text)
    }

    /// The right certificate under the very alias wanted. Blocked edges claim what stands at their aliases: it stays.
    fn hold_exact(&mut self) {
        for wish in self.open_wishes() {
            match &wish.settled.material {
                Err(why) => {
                    for alias in wish.edge.alias.iter().chain(&wish.edge.was) {
                        let held: Vec<_> = self.at_alias(alias).iter().map(|e| e.id).collect();
                        self.claimed.extend(held);
                    }
                    self.settle_edge(wish, Verdict::Blocked(why.clone()));
                }
                Ok(Material::Known(fingerprint)) => {
                    let held = self.with_fingerprint(*fingerprint);
                    let exact = match &wish.edge.alias {
                        None => held.first().copied(),
                        Some(alias) => held
                            .into_iter()
                            .rev()
                            .find(|e| e.alias.as_deref() == Some(alias) && self.is_effective(e, alias)),
                    };
                    if let Some(entry) = exact {
                        self.claimed.insert(entry.id);
                        self.settle_edge(wish, Verdict::Held);
                    }
                }
                Ok(Material::Minted(_)) => {}
            }
        }
    }

    /// Of several entries with one exact alias the JDK keeps the last.
    fn is_effective(&self, entry: &Entry, alias: &str) -> bool {
        let last = self.entries.iter().rev().find(|e| e.alias.as_deref() == Some(alias));
        last.is_some_and(|e| e.id == entry.id)
    }

    /// The right certificate under another alias: renamed where it is ours, else adopted.
    fn hold_elsewhere(&mut self) {
        for wish in self.open_wishes() {
            let (Ok(Material::Known(fingerprint)), Some(alias)) = (&wish.settled.material, &wish.edge.alias) else {
                continue;
            };
            let candidates: Vec<&Entry> =
                self.with_fingerprint(*fingerprint).into_iter().filter(|e| !self.claimed.contains(&e.id)).collect();
            if candidates.is_empty() {
                continue;
            }
            let movable = candidates.iter().copied().find(|e| self.may_rename(e, wish.edge, *fingerprint));
            if let Some(entry) = movable {
                if self.clear_slot(wish, alias, Some(entry.id)) {
                    self.rename(wish, entry, alias);
                }
                continue;
            }
            let Some(entry) = candidates.first().copied() else {
                continue;
            };
            self.claimed.insert(entry.id);
            let is_ca =
                trusted(entry).and_then(|s| s.certificate()).is_some_and(|c| c.is_ca() && !names_subject(c, wish.edge));
            if !is_ca {
                let stored = entry.alias.as_deref().unwrap_or("");
                let message = format!(
                    "the certificate of {} stands under `{}`, which is not ours to rename; the profile's alias is `{alias}`",
                    wish.edge.subject,
                    text::escape(stored)
                );
                self.out.findings.push(
                    Finding::of_store(Kind::WrongAlias, self.id(), message)
                        .at(entry.alias.as_deref(), Some(*fingerprint)),
                );
            }
            self.settle_edge(wish, Verdict::Held);
        }
    }

    /// An alias of older documents, one we placed, or a spelling the JVM cannot look up.
    fn may_rename(&self, entry: &Entry, edge: &Edge, fingerprint: Fingerprint) -> bool {
        let Some(stored) = entry.alias.as_deref() else {
            return false;
        };
        let lower = fold_alias(stored).into_owned();
        let is_root =
            trusted(entry).and_then(|s| s.certificate()).is_some_and(|c| c.is_ca() && !names_subject(c, edge));
        if is_root {
            return false;
        }
        let by_rule = edge.was.contains(&lower) || edge.alias.as_deref() == Some(lower.as_str());
        let named = trusted(entry).and_then(|s| s.certificate()).is_some_and(|c| self.names_host_of(c, edge));
        (by_rule && named) || self.ground.observed.ledger.placed(self.id(), &lower, fingerprint)
    }

    fn rename(&mut self, wish: Wish<'a>, entry: &'a Entry, to: &str) {
        self.claimed.insert(entry.id);
        let stored = entry.alias.clone().unwrap_or_default();
        let reason = if fold_alias(&stored) == to {
            format!("a JVM cannot look up `{}` in this format, only lower case", text::escape(&stored))
        } else {
            format!("`{}` is an older document's alias for {}", text::escape(&stored), wish.edge.subject)
        };
        self.serve(
            wish,
            Draft {
                phase: Phase::Withdraw,
                alias: entry.alias.clone(),
                deed: Deed::Rename { entry: entry.id, to: to.to_owned() },
                finding: Kind::WrongAlias,
                reason,
                edge: None,
                waits: None,
                before: view(entry),
                after: After::Alias(to.to_owned()),
            },
        );
    }

    /// Makes room at an alias for a rename: what stands there leaves if it is ours. Says whether the way is free;
    /// where it is not, the edge keeps its certificate under the other alias.
    fn clear_slot(&mut self, wish: Wish<'a>, alias: &str, mover: Option<EntryId>) -> bool {
        let holders: Vec<&Entry> = self.at_alias(alias).into_iter().filter(|e| Some(e.id) != mover).collect();
        match self.judge_slot(wish, &holders) {
            Slot::Free => true,
            Slot::Ours(entries) => {
                for entry in entries {
                    self.claimed.insert(entry.id);
                    self.delete(
                        entry,
                        DeleteReason::Predecessor,
                        Kind::Stale,
                        format!("an older certificate of {}", wish.edge.subject),
                        Some(wish),
                    );
                }
                true
            }
            Slot::Newer(entry) => {
                self.ahead(wish, entry);
                false
            }
            Slot::Taken(why) => {
                for holder in holders {
                    self.claimed.insert(holder.id);
                }
                self.settle_edge(wish, Verdict::Blocked(why));
                false
            }
        }
    }

    /// Wishes nothing in the store fulfils yet.
    fn fill_slots(&mut self) {
        for wish in self.open_wishes() {
            let Ok(material) = wish.settled.material.clone() else {
                continue;
            };
            if let Material::Known(fingerprint) = &material
                && let Some(refusal) = self.refused(wish, *fingerprint)
            {
                self.settle_edge(wish, Verdict::Blocked(refusal));
                continue;
            }
            let Some(alias) = wish.edge.alias.clone() else {
                self.import(wish, None, material);
                continue;
            };
            let holders = self.at_alias(&alias);
            match self.judge_slot(wish, &holders) {
                Slot::Free => self.import(wish, Some(alias), material),
                Slot::Ours(entries) => self.replace(wish, &entries, alias, material),
                Slot::Newer(entry) => self.ahead(wish, entry),
                Slot::Taken(why) => {
                    self.claimed.extend(holders.iter().map(|e| e.id));
                    self.settle_edge(wish, Verdict::Blocked(why));
                }
            }
        }
    }

    fn refused(&self, wish: Wish<'a>, fingerprint: Fingerprint) -> Option<Why> {
        let current = wish.settled.current.as_ref().filter(|c| c.fingerprint() == fingerprint)?;
        let detail = current.jvm_refusal()?.to_string();
        Some(Why::JvmRefuses { subject: wish.edge.subject.to_string(), detail })
    }

    fn import(&mut self, wish: Wish<'a>, alias: Option<String>, material: Material) {
        let reason = format!("{} must be trusted here: {}", wish.edge.subject, wish.edge.why);
        let after = self.after(wish, &material);
        self.serve(
            wish,
            Draft {
                phase: Phase::Extend,
                alias: alias.clone(),
                deed: Deed::Import { alias, material },
                finding: Kind::Missing,
                reason,
                edge: None,
                waits: None,
                before: None,
                after,
            },
        );
    }

    fn replace(&mut self, wish: Wish<'a>, entries: &[&'a Entry], alias: String, material: Material) {
        self.claimed.extend(entries.iter().map(|e| e.id));
        let last = entries.last().copied();
        let minted = wish.settled.renewal.is_some();
        let reason = if minted {
            format!("{} gets a new certificate in this run", wish.edge.subject)
        } else {
            format!("{} presents another certificate now", wish.edge.subject)
        };
        let after = self.after(wish, &material);
        self.serve(
            wish,
            Draft {
                phase: Phase::Extend,
                alias: last.and_then(|e| e.alias.clone()),
                deed: Deed::Replace { entries: entries.iter().map(|e| e.id).collect(), alias: Some(alias), material },
                finding: Kind::Stale,
                reason,
                edge: None,
                waits: None,
                before: last.and_then(view),
                after,
            },
        );
    }

    fn after(&self, wish: Wish<'a>, material: &Material) -> After {
        let resumed = wish.settled.renewal.as_ref().and_then(|r| r.resumed.as_ref());
        match (material, resumed.or(wish.settled.current.as_ref())) {
            (Material::Known(_), Some(certificate)) => After::Known(CertificateView::of(certificate)),
            (Material::Minted(identity), _) => After::Minted { subject: self.future_subject(identity) },
            (Material::Known(_), None) => After::Minted { subject: wish.edge.subject.to_string() },
        }
    }

    fn ahead(&mut self, wish: Wish<'a>, entry: &'a Entry) {
        self.claimed.insert(entry.id);
        let Some(held) = trusted(entry).and_then(|s| s.certificate()) else {
            return;
        };
        let message = format!(
            "the store holds a certificate of {} issued on {}, later than the one known here; export it again",
            wish.edge.subject,
            text::day(held.not_before())
        );
        self.out.findings.push(
            Finding::of_store(Kind::Ahead, self.id(), message.clone())
                .at(entry.alias.as_deref(), Some(held.fingerprint())),
        );
        self.settle_edge(wish, Verdict::Manual(message));
    }

    fn judge_slot(&self, wish: Wish<'a>, holders: &[&'a Entry]) -> Slot<'a> {
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
    fn is_newer(&self, wish: Wish<'a>, held: Option<&Certificate>) -> bool {
        if wish.settled.renewal.is_some() {
            return false;
        }
        match (held, &wish.settled.current) {
            (Some(held), Some(known)) => held.not_before() > known.not_before(),
            _ => false,
        }
    }

    fn conflict(&self, wish: Wish<'a>, holder: &Entry) -> Why {
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

    fn names_host_of(&self, certificate: &Certificate, edge: &Edge) -> bool {
        match &edge.subject {
            Subject::Identity(id) => match self.ground.topology.identities.get(id) {
                Some(def) => crate::constraints::names(certificate, def),
                None => certificate.names_host(id.host.as_str()),
            },
            Subject::Certificate(_) => false,
        }
    }

    /// Whether every name a certificate carries belongs to a host that left, or is a former name of one that is settled.
    fn only_gone_hosts(&self, certificate: &Certificate) -> bool {
        let names = certificate.names_carried();
        !names.is_empty() && names.iter().all(|name| self.is_gone(name))
    }

    fn is_gone(&self, name: &str) -> bool {
        let topology = self.ground.topology;
        if topology.retired.iter().any(|r| r.as_str() == name) {
            return true;
        }
        topology.hosts.values().any(|host| {
            let former = host.formerly.iter().any(|f| f.as_str() == name);
            former && self.wishes.iter().all(|w| subject_host(w.edge) != Some(&host.fqdn) || w.settled.material.is_ok())
        })
    }

    fn delete(
        &mut self,
        entry: &'a Entry,
        because: DeleteReason,
        finding: Kind,
        reason: String,
        wish: Option<Wish<'a>>,
    ) {
        self.out.drafts.push(Draft {
            phase: Phase::Withdraw,
            alias: entry.alias.clone(),
            deed: Deed::Delete { entry: entry.id, because },
            finding,
            reason,
            edge: wish.map(|w| w.index),
            waits: None,
            before: view(entry),
            after: After::Gone,
        });
    }

    /// Entries no edge asked for.
    fn sweep(&mut self) {
        for entry in self.entries {
            if self.claimed.contains(&entry.id) {
                self.distrusted_but_wanted(entry);
                continue;
            }
            let Some(slot) = trusted(entry) else { continue };
            let fingerprint = slot.fingerprint();
            let certificate = slot.certificate();
            if let Some(why) = self.ground.topology.distrust.get(&fingerprint) {
                self.delete(entry, DeleteReason::Distrust, Kind::Distrusted, format!("distrusted: {why}"), None);
            } else if let Some(certificate) = certificate.filter(|c| self.only_gone_hosts(c)) {
                let reason =
                    format!("it names only {}, which left the estate", crate::constraints::carries(certificate));
                self.delete(entry, DeleteReason::Retired, Kind::Retired, reason, None);
            } else if let Some(identity) = self.predecessors.get(&fingerprint).filter(|id| self.is_succeeded(id)) {
                let reason = format!("{identity} has another certificate now");
                let waits = self.renewing.contains(identity).then(|| identity.clone());
                self.delete(entry, DeleteReason::Predecessor, Kind::Stale, reason, None);
                if let Some(last) = self.out.drafts.last_mut() {
                    last.waits = waits;
                }
            } else if let Some(wish) = self.leftover_of(entry, certificate.map(Arc::as_ref)) {
                if self.is_newer(wish, certificate.map(Arc::as_ref)) {
                    self.keep_newer(wish, entry, fingerprint);
                } else {
                    let reason = format!("a leftover of {} under an older alias", wish.edge.subject);
                    self.delete(entry, DeleteReason::NoLongerWanted, Kind::Stale, reason, None);
                }
            } else if self.placed_by_us(entry, fingerprint) {
                let reason = "this tool placed it and no rule wants it any more".to_owned();
                self.delete(entry, DeleteReason::NoLongerWanted, Kind::Stale, reason, None);
            } else if self.standing.def.exclusive {
                let reason = "the store is exclusive and the spec does not declare it".to_owned();
                self.delete(entry, DeleteReason::Exclusive, Kind::Unmanaged, reason, None);
            } else {
                self.unmanaged(entry, fingerprint, certificate.map(Arc::as_ref));
            }
        }
    }

    /// A distrusted certificate under a claimed entry (a private key's, or one a blocked edge holds on to) is at least said.
    fn distrusted_but_wanted(&mut self, entry: &'a Entry) {
        let Some(fingerprint) = trusted(entry).map(trustmason_keystore::CertificateSlot::fingerprint) else {
            return;
        };
        let Some(why) = self.ground.topology.distrust.get(&fingerprint) else {
            return;
        };
        let already = self.out.drafts.iter().any(|d| match &d.deed {
            Deed::Replace { entries, .. } => entries.contains(&entry.id),
            Deed::Delete { entry: e, .. } => *e == entry.id,
            Deed::Import { .. } | Deed::Rename { .. } | Deed::Regenerate { .. } => false,
        });
        if !already {
            self.delete(entry, DeleteReason::Distrust, Kind::Distrusted, format!("distrusted: {why}"), None);
        }
    }

    /// A predecessor leaves once its successor is known, and not while an edge to its identity is blocked here.
    fn is_succeeded(&self, identity: &IdentityId) -> bool {
        self.wishes
            .iter()
            .filter(|w| w.edge.subject == Subject::Identity(identity.clone()))
            .all(|w| matches!(self.out.verdicts.get(&w.index), Some(Verdict::Held | Verdict::Draft(_))))
    }

    /// The edge whose alias, past or present, this entry has while naming its host.
    fn leftover_of(&self, entry: &Entry, certificate: Option<&Certificate>) -> Option<Wish<'a>> {
        let stored = fold_alias(entry.alias.as_deref()?).into_owned();
        let certificate = certificate?;
        self.wishes.iter().copied().find(|w| {
            let alias = w.edge.alias.as_ref() == Some(&stored) || w.edge.was.contains(&stored);
            let served = matches!(self.out.verdicts.get(&w.index), Some(Verdict::Held | Verdict::Draft(_)));
            alias && served && self.names_host_of(certificate, w.edge)
        })
    }

    fn keep_newer(&mut self, wish: Wish<'a>, entry: &Entry, fingerprint: Fingerprint) {
        let message = format!("a certificate of {} issued later than the one known here; it stays", wish.edge.subject);
        self.out
            .findings
            .push(Finding::of_store(Kind::Ahead, self.id(), message).at(entry.alias.as_deref(), Some(fingerprint)));
    }

    fn placed_by_us(&self, entry: &Entry, fingerprint: Fingerprint) -> bool {
        let key = match entry.alias.as_deref().filter(|_| self.folded) {
            Some(alias) => fold_alias(alias).into_owned(),
            None => fingerprint.to_string(),
        };
        self.ground.observed.ledger.placed(self.id(), &key, fingerprint)
    }

    fn unmanaged(&mut self, entry: &Entry, fingerprint: Fingerprint, certificate: Option<&Certificate>) {
        let vendor = self.standing.def.vendor_entries && certificate.is_none_or(Certificate::is_ca);
        let subject = certificate.map_or("a certificate that does not parse", Certificate::subject);
        if !vendor {
            let message = format!("nobody declared it, it stays: {}", text::escape(subject));
            self.out.findings.push(
                Finding::of_store(Kind::Unmanaged, self.id(), message).at(entry.alias.as_deref(), Some(fingerprint)),
            );
        }
        if let Some(end) = certificate.map(Certificate::not_after).filter(|end| *end < self.ground.now.as_second()) {
            let message =
                format!("nobody declared it, and it expired on {}: {}", text::day(end), text::escape(subject));
            self.out.findings.push(
                Finding::of_store(Kind::Expired, self.id(), message)
                    .at(entry.alias.as_deref(), Some(fingerprint))
                    .as_severity(crate::finding::Severity::Info),
            );
        }
    }

    /// One certificate under several aliases that are not all wanted.
    fn entry_findings(&mut self) {
        let mut by_print: BTreeMap<Fingerprint, Vec<&Entry>> = BTreeMap::new();
        for entry in self.entries {
            if let Some(slot) = trusted(entry) {
                by_print.entry(slot.fingerprint()).or_default().push(entry);
            }
        }
        for (fingerprint, entries) in by_print.into_iter().filter(|(_, e)| e.len() > 1) {
            let spare: Vec<_> = entries.iter().filter(|e| !self.claimed.contains(&e.id)).collect();
            let leaving = spare.iter().all(|e| self.is_deleted(e.id));
            if let (Some(entry), false) = (spare.first(), leaving || spare.is_empty()) {
                let aliases: Vec<_> =
                    entries.iter().map(|e| format!("`{}`", text::escape(e.alias.as_deref().unwrap_or("")))).collect();
                let message = format!("one certificate under {}", aliases.join(", "));
                self.out.findings.push(
                    Finding::of_store(Kind::Duplicate, self.id(), message)
                        .at(entry.alias.as_deref(), Some(fingerprint)),
                );
            }
        }
    }

    fn is_deleted(&self, id: EntryId) -> bool {
        self.out.drafts.iter().any(|d| matches!(d.deed, Deed::Delete { entry, .. } if entry == id))
    }

    /// Everything we placed is gone at once: a Java update or a restored image, not a dozen separate accidents (D20).
    fn store_reset(&mut self) {
        let Some(placed) = self.ground.observed.ledger.placed.get(self.id()).filter(|p| p.len() >= 2) else {
            return;
        };
        let wanted: BTreeSet<Fingerprint> = placed.values().map(|p| p.sha256).collect();
        let any = self.entries.iter().filter_map(trusted).any(|s| wanted.contains(&s.fingerprint()));
        if !any {
            let message =
                format!("none of the {} entries placed here is left; was the store reset by an update?", wanted.len());
            self.out.findings.push(Finding::of_store(Kind::StoreReset, self.id(), message));
        }
    }

    fn limit_deletes(mut self) -> Diff {
        let wanted = self.out.drafts.iter().filter(|d| matches!(d.deed, Deed::Delete { .. })).count();
        let allowed = self.ground.options.allow_deletes.map_or(DELETES_UNASKED, |n| n as usize);
        if wanted > allowed.max(DELETES_UNASKED) {
            let why = Why::TooManyDeletes { wanted, allowed: allowed.max(DELETES_UNASKED) };
            for verdict in self.out.verdicts.values_mut() {
                if matches!(verdict, Verdict::Draft(_)) {
                    *verdict = Verdict::Blocked(why.clone());
                }
            }
            self.out.drafts.clear();
            self.out.blocked = Some(why);
        }
        self.out
    }
}

/// What stands at a wanted alias.
enum Slot<'a> {
    Free,
    Ours(Vec<&'a Entry>),
    Newer(&'a Entry),
    Taken(Why),
}

fn view(entry: &Entry) -> Option<CertificateView> {
    trusted(entry).and_then(|s| s.certificate()).map(|c| CertificateView::of(c))
}

fn subject_host(edge: &Edge) -> Option<&trustmason_spec::name::Fqdn> {
    match &edge.subject {
        Subject::Identity(id) => Some(&id.host),
        Subject::Certificate(_) => None,
    }
}

fn names_subject(certificate: &Certificate, edge: &Edge) -> bool {
    subject_host(edge).is_some_and(|host| certificate.names_host(host.as_str()))
}
