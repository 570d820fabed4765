//! Compares one store that this program may write with the edges that end in it. First every edge finds its entry. Then
//! the other entries are judged: an entry of ours that no edge wants is deleted, and every other entry stays. The
//! result is drafts of changes, verdicts and findings; nothing is written here.

mod pair;
mod slot;
mod sweep;
mod system_entry;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use trustmason_keystore::{Alias, AliasModel, Certificate, Entry, EntryId, Fingerprint, StoredAlias};
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::topology::{CertificateSource, Edge, Subject, Topology};

use crate::change::{CertificateOrigin, CertificateView, DeleteReason, Edit, EntryAfter, FromKind, Issued, Phase};
use crate::constraints;
use crate::context::PlanContext;
use crate::course::{Installation, KeyOrigin, Settled};
use crate::finding::{Finding, FindingKind, Severity};
use crate::observed::{certificate, trusted};
use crate::outline::Forecast;
use crate::settle::Settlement;
use crate::status::StoreStatus;
use crate::why::Why;

/// How many deletions in one store need no `--allow-deletes`.
const DELETES_UNASKED: usize = 10;

/// A change that has no number yet.
#[derive(Debug)]
pub(crate) struct DraftChange {
    pub phase: Phase,
    pub alias: Option<StoredAlias>,
    pub edit: Edit,
    pub finding: FindingKind,
    /// The severity of the finding.
    pub severity: Severity,
    pub reason: String,
    pub edge: Option<usize>,
    /// The identities whose renewal must succeed first.
    pub waits: Vec<IdentityId>,
    pub before: Option<CertificateView>,
    pub after: EntryAfter,
    /// The origin of the new certificate, if it differs from the origin of the subject's certificate.
    pub from: Option<CertificateOrigin>,
}

/// The verdict on an edge, before changes have numbers.
#[derive(Debug)]
pub(crate) enum DraftVerdict {
    Held,
    Draft(usize),
    Manual(String),
    Blocked(Why),
    Unobserved,
}

/// The result of comparing one store.
#[derive(Default)]
pub(crate) struct Diff {
    pub drafts: Vec<DraftChange>,
    pub verdicts: BTreeMap<usize, DraftVerdict>,
    pub findings: Vec<Finding>,
    pub blocked: Option<Why>,
    /// The changes of later phases in this store.
    pub forecast: Vec<Forecast>,
}

impl Diff {
    /// The result for a store that nothing may be written to.
    pub(crate) fn blocked(why: &Why, wanted_edges: &[WantedEdge<'_>]) -> Self {
        let verdicts = wanted_edges.iter().map(|w| (w.index, DraftVerdict::Blocked(why.clone()))).collect();
        Self { blocked: Some(why.clone()), verdicts, ..Self::default() }
    }
}

/// An edge that ends in the store, with its settled subject.
#[derive(Clone, Copy)]
pub(crate) struct WantedEdge<'a> {
    pub index: usize,
    pub edge: &'a Edge,
    pub settled: &'a Settled,
}

impl WantedEdge<'_> {
    /// The identity that gets a new key in this run because of this edge's subject. Nothing older may be deleted
    /// before.
    fn waits(&self) -> Vec<IdentityId> {
        match (&self.edge.subject, self.settled.is_renewed()) {
            (Subject::Identity(id), true) => vec![id.clone()],
            (Subject::Identity(_) | Subject::Certificate(_), _) => Vec::new(),
        }
    }
}

/// The edges that end in a store, sorted by id.
pub(crate) fn wanted_edges<'a>(
    context: &PlanContext<'a>,
    settlement: &'a Settlement<'a>,
    store: &StoreId,
) -> Vec<WantedEdge<'a>> {
    let edges = context.index.edges_of.get(store).into_iter().flatten();
    edges
        .filter_map(|(index, edge)| {
            let settled = settlement.subjects.get(&edge.subject)?;
            Some(WantedEdge { index: *index, edge, settled })
        })
        .collect()
}

struct Comparison<'a> {
    context: &'a PlanContext<'a>,
    status: &'a StoreStatus<'a>,
    entries: &'a [Entry],
    folded: bool,
    wanted_edges: Vec<WantedEdge<'a>>,
    settlement: &'a Settlement<'a>,
    claimed: BTreeSet<EntryId>,
    out: Diff,
}

/// Compares one store that this program writes.
pub(crate) fn store<'a>(
    context: &'a PlanContext<'a>,
    status: &'a StoreStatus<'a>,
    settlement: &'a Settlement<'a>,
) -> Diff {
    let wanted_edges = wanted_edges(context, settlement, &status.def.id);
    if let Some(why) = status.blocked() {
        return Diff::blocked(why, &wanted_edges);
    }
    let facts = status.facts();
    let mut work = Comparison {
        context,
        status,
        entries: facts.map_or(&[], |f| f.entries.as_slice()),
        folded: facts.is_none_or(|f| f.format.alias_model() == AliasModel::Folded),
        wanted_edges,
        settlement,
        claimed: BTreeSet::new(),
        out: Diff::default(),
    };
    work.identities();
    work.hold_pairs();
    work.hold_exact();
    work.hold_elsewhere();
    work.fill_slots();
    work.sweep();
    work.system_findings();
    work.entry_findings();
    work.store_reset();
    work.limit_deletes()
}

impl<'a> Comparison<'a> {
    fn id(&self) -> &'a StoreId {
        &self.status.def.id
    }

    /// Whether an entry has an alias, as the store's format compares aliases.
    fn is_at(&self, entry: &Entry, wanted: &Alias) -> bool {
        if self.folded { entry.is_called(wanted) } else { entry.is_spelled(wanted) }
    }

    fn at_alias(&self, wanted: &Alias) -> Vec<&'a Entry> {
        let entries = self.entries;
        entries.iter().filter(|entry| self.is_at(entry, wanted)).collect()
    }

    fn with_fingerprint(&self, fingerprint: Fingerprint) -> Vec<&'a Entry> {
        let entries = self.entries;
        let there = |e: &&Entry| trusted(e).is_some_and(|s| s.fingerprint() == fingerprint) && !self.is_misplaced(e);
        entries.iter().filter(there).collect()
    }

    fn decide_edge(&mut self, wanted: WantedEdge<'a>, verdict: DraftVerdict) {
        self.out.verdicts.insert(wanted.index, verdict);
    }

    fn undecided_edges(&self) -> Vec<WantedEdge<'a>> {
        self.wanted_edges.iter().filter(|w| !self.out.verdicts.contains_key(&w.index)).copied().collect()
    }

    /// Adds a change that serves an edge.
    fn serve(&mut self, wanted: WantedEdge<'a>, draft: DraftChange) {
        let at = self.out.drafts.len();
        self.out.drafts.push(DraftChange { edge: Some(wanted.index), waits: wanted.waits(), ..draft });
        self.decide_edge(wanted, DraftVerdict::Draft(at));
    }

    /// Claims the entries at the aliases of the identities in this store, so that none of them is deleted, and adds the
    /// installation of new keys. An entry that is distrusted or of retired hosts is not claimed.
    fn identities(&mut self) {
        for def in self.context.index.homes.get(self.id()).into_iter().flatten() {
            let CertificateSource::KeyEntry(place) = &def.source else { continue };
            let held: Vec<_> = place.at.alias().map(|alias| self.at_alias(alias)).unwrap_or_default();
            let held = held.into_iter().filter(|e| !self.context.leaves(e));
            self.claimed.extend(held.map(|e| e.id));
            let settled = self.settlement.subjects.get(&Subject::Identity(def.id.clone()));
            if let Some((one, installation)) = settled.and_then(|one| Some((one, one.course.installation()?))) {
                self.install_key(&def.id, one, installation);
            }
        }
    }

    fn install_key(&mut self, identity: &IdentityId, one: &Settled, installation: &Installation) {
        let after = match installation.key.certificate() {
            Some(certificate) => EntryAfter::Known(CertificateView::of(certificate)),
            None => EntryAfter::Minted { subject: self.future_subject(identity) },
        };
        let (issued, from) = match &installation.key {
            KeyOrigin::Made => (Issued::Minted, None),
            KeyOrigin::Staged(certificate) => {
                let (kind, sha256) = (FromKind::Generated, Some(certificate.fingerprint()));
                (Issued::Minted, Some(CertificateOrigin { kind, place: identity.to_string(), sha256 }))
            }
            KeyOrigin::Replied { from, .. } => (Issued::Replied, Some(from.clone())),
        };
        let at = &installation.place.at;
        self.out.drafts.push(DraftChange {
            phase: Phase::Install,
            alias: at.stored(),
            edit: Edit::InstallKey { entry: installation.entry, at: at.clone(), identity: identity.clone(), issued },
            finding: installation.finding,
            severity: installation.severity,
            reason: installation.reason.clone(),
            edge: None,
            waits: Vec::new(),
            before: one.present.as_deref().map(CertificateView::of),
            after,
            from,
        });
    }

    fn future_subject(&self, identity: &IdentityId) -> String {
        self.context.topology.identities.get(identity).map_or_else(String::new, crate::mint::subject_text)
    }

    fn limit_deletes(mut self) -> Diff {
        let wanted = self.out.drafts.iter().filter(|d| matches!(d.edit, Edit::Delete { .. })).count();
        let allowed = self.context.options.allow_deletes.map_or(DELETES_UNASKED, |n| n as usize);
        if wanted > allowed.max(DELETES_UNASKED) {
            let why = Why::TooManyDeletes { wanted, allowed: allowed.max(DELETES_UNASKED) };
            for verdict in self.out.verdicts.values_mut() {
                if matches!(verdict, DraftVerdict::Draft(_)) {
                    *verdict = DraftVerdict::Blocked(why.clone());
                }
            }
            self.out.drafts.clear();
            self.out.blocked = Some(why);
        }
        self.out
    }
}

/// The deletion of an entry, after these identities have their new certificates.
fn deletion(
    entry: &Entry,
    because: DeleteReason,
    finding: FindingKind,
    reason: String,
    waits: Vec<IdentityId>,
) -> DraftChange {
    DraftChange {
        phase: Phase::Withdraw,
        alias: entry.alias.clone(),
        edit: Edit::Delete { entry: entry.id, because },
        severity: finding.severity(),
        finding,
        reason,
        edge: None,
        waits,
        before: view(entry),
        after: EntryAfter::Gone,
        from: None,
    }
}

fn view(entry: &Entry) -> Option<CertificateView> {
    certificate(entry).map(|c| CertificateView::of(c))
}

/// Whether an entry is a CA's certificate that does not name the edge's host. Such an entry keeps any alias that it
/// has.
fn is_foreign_ca(topology: &Topology, entry: &Entry, edge: &Edge) -> bool {
    let Subject::Identity(id) = &edge.subject else { return certificate(entry).is_some_and(|c| c.is_ca()) };
    let by_cn = |c: &Certificate| topology.identities.get(id).is_some_and(|def| constraints::has_unique_cn(c, def));
    certificate(entry).is_some_and(|c| c.is_ca() && !c.names_host(id.host.as_str()) && !by_cn(c))
}
