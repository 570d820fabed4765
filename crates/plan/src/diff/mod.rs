//! Compares one store we may write with the edges that end in it. First every wanted edge finds its entry, then whatever
//! is left is judged: ours and unwanted leaves, everything else stays.

mod slot;
mod sweep;
mod wish;

use std::collections::{BTreeMap, BTreeSet};

use trustmason_keystore::{AliasModel, Certificate, Entry, EntryId, Fingerprint, fold_alias};
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::topology::{Edge, Source, Subject};

use crate::change::{After, CertificateView, Deed, DeleteReason, Phase};
use crate::finding::{Finding, Kind};
use crate::observed::trusted;
use crate::settle::{Ground, Settled};
use crate::standing::Standing;
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
    /// Identities whose renewal must have succeeded first.
    pub waits: Vec<IdentityId>,
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
    /// Names of hosts that left, and former names of hosts all of whose identities are settled, with those of them that
    /// are made anew in this run.
    gone: BTreeMap<&'a str, Vec<IdentityId>>,
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
    let mut wishes: Vec<Wish<'a>> = ground
        .topology
        .edges
        .iter()
        .enumerate()
        .filter(|(_, e)| e.store == *id)
        .filter_map(|(index, edge)| settled.get(&edge.subject).map(|settled| Wish { index, edge, settled }))
        .collect();
    wishes.sort_by(|a, b| a.edge.id.cmp(&b.edge.id));
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
        gone: BTreeMap::new(),
        claimed: BTreeSet::new(),
        out: Diff::default(),
    };
    work.gone = work.gone_names(settled);
    work.hold_identity_aliases();
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
            (Subject::Identity(id), Some(_)) => vec![id.clone()],
            (Subject::Identity(_) | Subject::Certificate(_), _) => Vec::new(),
        };
        self.out.drafts.push(Draft { edge: Some(wish.index), waits, ..draft });
        self.settle_edge(wish, Verdict::Draft(at));
    }

    /// What stands at the alias of an identity of this store is never cleared away for the identity's sake.
    fn hold_identity_aliases(&mut self) {
        for identity in self.ground.topology.identities.values() {
            let Source::KeyEntry { store, alias } = &identity.source else { continue };
            if store == self.id() {
                let held: Vec<_> = self.at_alias(alias).into_iter().filter(|e| !self.ground.leaves(e)).collect();
                self.claimed.extend(held.iter().map(|e| e.id));
            }
        }
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
                waits: Vec::new(),
                before: one.current.as_deref().map(CertificateView::of),
                after,
            });
        }
    }

    fn future_subject(&self, identity: &IdentityId) -> String {
        self.ground.topology.identities.get(identity).map_or_else(String::new, crate::mint::subject_text)
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
            waits: Vec::new(),
            before: view(entry),
            after: After::Gone,
        });
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
