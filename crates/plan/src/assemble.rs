//! Makes one plan from the judgements of all stores. It numbers the changes and gathers findings, restarts and the work
//! that people must do. It reads no file and no clock.

mod ladder;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use trustmason_keystore::{Certificate, Fingerprint, StoredAlias};
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::topology::{Issuer, Subject, Topology};

use crate::change::{Change, ChangeId, Edit};
use crate::context::PlanContext;
use crate::course::{Course, Settled, Stage};
use crate::diff::{self, Diff, DraftChange, DraftVerdict};
use crate::finding::{Finding, FindingKind};
use crate::index::Index;
use crate::observed::{HostLook, Observed};
use crate::outline::{
    EdgeVerdict, EdgeView, Forecast, IdentityVerdict, IdentityView, Manual, Mint, Obstacle, Plan, PlanOptions,
    StoreVerdict, StoreView, Summary,
};
use crate::settle;
use crate::site::Site;
use crate::status::{self, Selection, StoreStatus};
use crate::verify::verify;
use crate::why::Why;
use crate::{authority, handoff, lint, overlap, served};

/// Judges an estate: compares the trust that the topology asks for with what was observed. The moment is `options.at`,
/// or `now` if that is not set. Pure: the same arguments give the same plan.
pub fn plan(topology: &Topology, observed: &Observed, options: &PlanOptions, now: Timestamp) -> Plan {
    let judged_at = options.at.unwrap_or(now);
    let selection = Selection::new(options);
    let authorities = authority::take(topology, observed, now);
    let wide = authority::widen(topology, observed, &authorities, judged_at);
    let written = topology;
    let topology = wide.as_ref().unwrap_or(written);
    let index = Index::of(written, topology);
    let mut statuses = status::take(topology, observed, &selection, &index);
    loop {
        let context = PlanContext {
            topology,
            observed,
            statuses: &statuses,
            selection: &selection,
            options,
            now: judged_at,
            index: &index,
            authorities: &authorities,
        };
        let settlement = settle::settle(&context);
        let mut diffs: Vec<(StoreId, Diff, Option<Manual>)> = Vec::new();
        for (id, status) in statuses.iter().filter(|(_, s)| s.selected) {
            let (diff, manual) = if status.is_by_hand() {
                handoff::store(&context, status, &settlement)
            } else {
                (diff::store(&context, status, &settlement), None)
            };
            diffs.push((id.clone(), diff, manual));
        }
        // A store that turns out to be blocked gets no new key and no import. All stores are judged again with that
        // knowledge.
        let newly: Vec<(StoreId, Why)> = diffs
            .iter()
            .filter(|(id, ..)| statuses.get(id).is_some_and(|s| s.blocked().is_none()))
            .filter_map(|(id, diff, _)| diff.blocked.clone().map(|why| (id.clone(), why)))
            .collect();
        if newly.is_empty() {
            let mut assembly = Assembly::new(&context, &settlement.subjects);
            for (id, diff, manual) in diffs {
                if let Some(status) = statuses.get(&id) {
                    assembly.take(&id, status, diff, manual);
                }
            }
            let plan = assembly.finish(options, now);
            debug_assert_eq!(verify(&plan), [], "the planner contradicts itself");
            return plan;
        }
        for (id, why) in newly {
            if let Some(status) = statuses.get_mut(&id) {
                status.block(why);
            }
        }
    }
}

/// Collects the parts of the plan.
struct Assembly<'a> {
    context: &'a PlanContext<'a>,
    settled: &'a BTreeMap<Subject, Settled>,
    changes: Vec<Change>,
    /// For each change, the identities whose new key must be installed first.
    waits: BTreeMap<ChangeId, Vec<IdentityId>>,
    stores: Vec<StoreView>,
    edges: Vec<EdgeView>,
    findings: Vec<Finding>,
    manual: Vec<Manual>,
    forecast: Vec<Forecast>,
    blocked_subjects: BTreeSet<&'a Subject>,
}

impl<'a> Assembly<'a> {
    fn new(context: &'a PlanContext<'a>, settled: &'a BTreeMap<Subject, Settled>) -> Self {
        Self {
            context,
            settled,
            changes: Vec::new(),
            waits: BTreeMap::new(),
            stores: Vec::new(),
            edges: Vec::new(),
            findings: Vec::new(),
            manual: Vec::new(),
            forecast: Vec::new(),
            blocked_subjects: BTreeSet::new(),
        }
    }

    fn take(&mut self, id: &StoreId, status: &StoreStatus<'_>, diff: Diff, manual: Option<Manual>) {
        let mut drafts: Vec<(usize, DraftChange)> = diff.drafts.into_iter().enumerate().collect();
        drafts.sort_by(|(_, a), (_, b)| (a.phase, &a.alias).cmp(&(b.phase, &b.alias)));
        let mut numbers = BTreeMap::new();
        let mut ids = Vec::new();
        for (index, draft) in drafts {
            let number = ChangeId(u32::try_from(self.changes.len() + 1).unwrap_or(u32::MAX));
            numbers.insert(index, number);
            ids.push(number);
            self.change(id, number, draft);
        }
        self.findings.extend(diff.findings);
        self.forecast.extend(diff.forecast);
        self.findings.extend(lint::store(status));
        for (index, verdict) in diff.verdicts {
            self.edge(index, verdict, &numbers, diff.blocked.is_some());
        }
        let verdict = match diff.blocked {
            Some(why) => {
                if !matches!(why, Why::Unreachable { .. }) {
                    self.findings.push(Finding::of_store(why.finding(), id, why.to_string()));
                }
                StoreVerdict::Blocked(why)
            }
            None if ids.is_empty() => StoreVerdict::InSync,
            None => StoreVerdict::Change(ids),
        };
        self.stores.push(store_view(status, verdict));
        self.manual.extend(manual);
    }

    fn change(&mut self, store: &StoreId, id: ChangeId, draft: DraftChange) {
        let edge = draft.edge.and_then(|i| self.context.topology.edges.get(i));
        let (rule, source) = match (&draft.edit, edge) {
            (Edit::InstallKey { identity, .. }, _) => {
                let def = self.context.topology.identities.get(identity);
                (def.map(|d| d.rule.clone()), def.map(|d| d.source_document.clone()))
            }
            (_, Some(edge)) => (Some(edge.rule.clone()), Some(edge.source.clone())),
            (_, None) => (None, None),
        };
        let subject = match (&draft.edit, edge) {
            (Edit::InstallKey { identity, .. }, _) => Some(Subject::Identity(identity.clone())),
            (Edit::Import { .. } | Edit::Replace { .. } | Edit::Rename { .. }, Some(edge)) => {
                Some(edge.subject.clone())
            }
            _ => None,
        };
        let from = draft.from.or_else(|| self.settled.get(&subject?)?.from().cloned());
        self.waits.insert(id, draft.waits);
        let finding = Finding::of_store(draft.finding, store, draft.reason.clone());
        let mut finding = finding.with_severity(draft.severity);
        finding.alias.clone_from(&draft.alias);
        finding.sha256 = draft.before.as_ref().map(|b| b.sha256);
        finding.change = Some(id);
        if let Edit::InstallKey { identity, .. } = &draft.edit {
            finding.identity = Some(identity.clone());
        }
        self.findings.push(finding);
        self.changes.push(Change {
            id,
            phase: draft.phase,
            store: store.clone(),
            alias: draft.alias,
            edit: draft.edit,
            finding: draft.finding,
            reason: draft.reason,
            rule,
            source,
            before: draft.before,
            after: draft.after,
            from,
            depends_on: Vec::new(),
        });
    }

    fn edge(&mut self, index: usize, verdict: DraftVerdict, numbers: &BTreeMap<usize, ChangeId>, store_blocked: bool) {
        let Some(edge) = self.context.topology.edges.get(index) else {
            return;
        };
        let settled = self.settled.get(&edge.subject);
        let verdict = match verdict {
            DraftVerdict::Held => EdgeVerdict::Held,
            DraftVerdict::Draft(i) => match numbers.get(&i) {
                Some(id) => EdgeVerdict::Change(*id),
                None => EdgeVerdict::Unobserved,
            },
            DraftVerdict::Manual(what) => EdgeVerdict::Manual(what),
            DraftVerdict::Unobserved => EdgeVerdict::Unobserved,
            DraftVerdict::Blocked(why) => {
                if settled.is_some_and(|s| s.asked.is_err()) {
                    // The subject reports its own cause once. Without this, each truster would report it.
                    self.blocked_subjects.insert(&edge.subject);
                // A part of a store that cannot be read is a finding of the store already.
                } else if !store_blocked && !matches!(why, Why::Unread { .. }) {
                    self.findings.push(
                        Finding::of_store(why.finding(), &edge.store, why.to_string())
                            .at(edge.alias.clone().map(StoredAlias::from), None),
                    );
                }
                EdgeVerdict::Blocked(why)
            }
        };
        let sha256 = settled.and_then(Settled::known);
        self.edges.push(EdgeView {
            id: edge.id.clone(),
            store: edge.store.clone(),
            alias: edge.alias.clone(),
            subject: edge.subject.to_string(),
            rule: edge.rule.clone(),
            purpose: edge.why.clone(),
            source: edge.source.clone(),
            sha256,
            verdict,
        });
    }

    fn finish(mut self, options: &PlanOptions, now: Timestamp) -> Plan {
        let context = self.context;
        self.dependencies();
        self.subject_findings();
        self.host_findings();
        self.options_findings();
        self.findings.extend(lint::shared_keys(context, self.settled));
        // An unclear outcome is reported even if the store is blocked for another reason.
        let unclear = context.observed.unclear.iter().filter(|unclear| {
            let blocking = context.statuses.get(&unclear.store).and_then(StoreStatus::blocking);
            blocking != Some(FindingKind::OutcomeUnclear)
        });
        self.findings.extend(unclear.map(|unclear| {
            let why = Why::OutcomeUnclear { run: unclear.run.clone(), detail: unclear.why.clone() };
            Finding::of_store(FindingKind::OutcomeUnclear, &unclear.store, why.to_string())
        }));
        self.findings.extend(served::findings(context, self.settled));
        self.restart_findings();
        let mut manual = std::mem::take(&mut self.manual);
        manual.extend(handoff::identities(context, self.settled));
        manual.sort_by(|a, b| (a.target(), a.kind).cmp(&(b.target(), b.kind)));
        crate::system_entry::once_per_machine(&mut manual);
        self.show_removed(&mut manual);
        for work in &mut manual {
            work.restarts = self.manual_restarts(work);
        }
        self.edges.sort_by(|a, b| a.id.cmp(&b.id));
        let mut findings = std::mem::take(&mut self.findings);
        lint::accept(context.topology, context.now, &mut findings);
        findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.cmp(b)));
        findings.dedup();
        let extending = self.extending();
        let mut plan = Plan {
            estate: context.topology.estate.clone(),
            created: now,
            options: options.clone(),
            inputs: sorted(&context.observed.inputs),
            mints: self.mints(),
            identities: self.identities(),
            restarts: self.restarts(&extending),
            forecast: self.forecast(),
            barriers: self.barriers(&extending),
            first: Self::hand_offs_before_restart(&extending),
            readers: self.readers(),
            interruptions: self.interruptions(),
            stores: self.stores,
            edges: self.edges,
            changes: self.changes,
            findings,
            manual,
            blocked: Vec::new(),
            summary: Summary::default(),
        };
        plan.blocked = plan.list_blocked();
        plan.summary = plan.summarise();
        plan
    }

    fn dependencies(&mut self) {
        let made: BTreeMap<IdentityId, ChangeId> =
            self.changes.iter().filter_map(installs).map(|(identity, id)| (identity.clone(), id)).collect();
        for change in &mut self.changes {
            let waits = self.waits.get(&change.id).into_iter().flatten();
            let ids: BTreeSet<ChangeId> = waits.filter_map(|identity| made.get(identity).copied()).collect();
            change.depends_on.extend(ids);
        }
    }

    fn subject_findings(&mut self) {
        for (subject, one) in self.settled {
            let judged = match subject {
                Subject::Identity(id) => self.context.selection.takes(self.context.topology, &id.host),
                Subject::Certificate(_) => true,
            };
            if judged {
                self.findings.extend(one.findings.iter().cloned());
            }
            let Err(why) = &one.asked else { continue };
            // If the blocked store is part of this plan, the finding of the store covers its identities.
            let by_store = match why {
                Why::SourceBlocked { store, .. } => self.stores.iter().any(|s| s.id == *store),
                _ => false,
            };
            let said = judged && one.findings.iter().any(|f| f.kind == why.finding());
            if by_store || said || !self.blocked_subjects.contains(subject) {
                continue;
            }
            let sha256 = one.present.as_ref().map(|c| c.fingerprint());
            let finding = match subject {
                Subject::Identity(id) => Finding::of_identity(why.finding(), id, why.to_string()),
                Subject::Certificate(_) => Finding::new(why.finding(), why.to_string()),
            };
            self.findings.push(finding.at(None, sha256));
        }
    }

    fn host_findings(&mut self) {
        for (host, look) in &self.context.observed.hosts {
            let stores =
                self.stores.iter().any(|s| s.id.host == *host && matches!(&s.verdict, StoreVerdict::Blocked(_)));
            if let (HostLook::Unreachable(detail), true) = (look, stores) {
                let message = format!("{detail}; mount its disk or correct `access:`");
                self.findings.push(Finding::of_host(FindingKind::Unreachable, host, message));
            }
        }
        for (store, paths) in &self.context.observed.shadows {
            if !self.context.statuses.get(store).is_some_and(|s| s.selected) {
                continue;
            }
            for path in paths {
                let message =
                    format!("the service uses {path} instead of this store, because that file exists; move it away");
                self.findings.push(Finding::of_store(FindingKind::ShadowedStore, store, message));
            }
        }
    }

    fn options_findings(&mut self) {
        let context = self.context;
        for host in context.topology.hosts.keys().filter(|host| context.selection.takes(context.topology, host)) {
            let files: Vec<_> = context.topology.options.iter().filter(|one| one.host == *host).collect();
            self.findings.extend(lint::options::findings(&files, context.observed));
        }
    }

    /// Whether an identity's host is selected.
    fn judges(&self, identity: &IdentityId) -> bool {
        self.context.selection.takes(self.context.topology, &identity.host)
    }

    /// The keys that this run makes or installs. Every renewal has a change: a store that cannot take the key was
    /// judged again as blocked.
    fn mints(&self) -> BTreeMap<IdentityId, Mint> {
        let one = |(subject, one): (&Subject, &Settled)| match subject {
            Subject::Identity(id) => Some((id.clone(), one.mint(id)?)),
            Subject::Certificate(_) => None,
        };
        self.settled.iter().filter_map(one).collect()
    }

    /// Adds the certificate to each removal that a person must do, if the certificate was seen: in the store that loses
    /// it, or as a certificate of a subject.
    fn show_removed(&self, manual: &mut [Manual]) {
        let removed: BTreeSet<Fingerprint> =
            manual.iter().flat_map(|work| &work.remove).map(|one| one.sha256).collect();
        if removed.is_empty() {
            return;
        }
        let leaving = manual.iter().filter(|work| !work.remove.is_empty());
        let stores = leaving.filter_map(|work| self.context.statuses.get(work.target().store()?)?.facts());
        let entries = stores.flat_map(|facts| &facts.entries).filter_map(crate::observed::certificate);
        let settled = self.settled.values().flat_map(Settled::certificates);
        let known = entries.chain(settled).filter(|certificate| removed.contains(&certificate.fingerprint()));
        let known: BTreeMap<Fingerprint, &Arc<Certificate>> = known.map(|c| (c.fingerprint(), c)).collect();
        for one in manual.iter_mut().flat_map(|work| &mut work.remove) {
            one.certificate = known.get(&one.sha256).map(|certificate| Arc::clone(certificate));
        }
    }

    fn identities(&self) -> Vec<IdentityView> {
        let installs: BTreeMap<&IdentityId, ChangeId> = self.changes.iter().filter_map(installs).collect();
        let mut views = Vec::new();
        for (subject, one) in self.settled {
            let Subject::Identity(id) = subject else {
                continue;
            };
            if !self.judges(id) {
                continue;
            }
            let issuer = match (&one.present, self.context.topology.identities.get(id).map(|d| &d.issuer)) {
                (Some(c), _) if c.is_self_issued() => Some("self-signed".to_owned()),
                (Some(c), _) => Some(c.issuer().to_owned()),
                (None, Some(Issuer::Authority(name))) => Some(name.clone()),
                (None, Some(Issuer::SelfSigned) | None) => None,
            };
            views.push(IdentityView {
                id: id.clone(),
                state: one.course.state(),
                issuer,
                certificate: one.present.clone(),
                awaits: one.course.awaits(),
                unchanged: overlap::unchanged_trusters(self.context, id, one),
                verdict: self.verdict(subject, one, installs.get(id).copied()),
            });
        }
        views
    }

    /// The verdict on an identity in the plan. `installs` is the change that installs its new key.
    fn verdict(&self, subject: &Subject, one: &Settled, installs: Option<ChangeId>) -> IdentityVerdict {
        match &one.course {
            Course::Rest | Course::Replied => IdentityVerdict::Rests,
            // A new key for a store that only a person writes stays in staging.
            Course::Renew(_) => installs.map_or(IdentityVerdict::Begins, IdentityVerdict::Change),
            Course::Rotate(overlap) => match (overlap.outside(), &overlap.stage) {
                (Some(why), _) => IdentityVerdict::Held(Obstacle::of(why)),
                (None, Stage::Begin(_)) => IdentityVerdict::Begins,
                (None, Stage::Install(..)) => installs.map_or(IdentityVerdict::Begins, IdentityVerdict::Change),
                (None, Stage::Extend(_) | Stage::Settle(_)) if overlap.awaits().is_some() => {
                    IdentityVerdict::Waits { obstacle: None }
                }
                (None, Stage::Extend(_) | Stage::Settle(_)) => IdentityVerdict::GoesOn,
            },
            Course::Request(_) => IdentityVerdict::Requests,
            // If the identity has no certificate yet, the edges that ask for it report the obstacle.
            Course::AtAuthority { obstacle, .. } => {
                IdentityVerdict::Waits { obstacle: obstacle.clone().filter(|_| one.asked.is_ok()) }
            }
            Course::ByHand { why, .. } => IdentityVerdict::Manual(why.clone()),
            Course::Unknown | Course::Stuck { .. } => match (&one.asked, &one.course) {
                // If an edge of this plan asks for the identity, that edge reports the cause.
                (Err(why), _) if why.is_of_identity_alone() && !self.blocked_subjects.contains(subject) => {
                    IdentityVerdict::Blocked(Obstacle::of(why))
                }
                (Err(_), _) => IdentityVerdict::Unknown,
                (Ok(_), Course::Stuck { obstacle: Some(obstacle) }) => IdentityVerdict::Blocked(obstacle.clone()),
                (Ok(_), _) => IdentityVerdict::Rests,
            },
        }
    }
}

/// The identity whose new key a change installs.
fn installs(change: &Change) -> Option<(&IdentityId, ChangeId)> {
    match &change.edit {
        Edit::InstallKey { identity, .. } => Some((identity, change.id)),
        Edit::Import { .. } | Edit::Replace { .. } | Edit::Rename { .. } | Edit::Delete { .. } => None,
    }
}

fn sorted(inputs: &[crate::observed::Input]) -> Vec<crate::observed::Input> {
    let mut all = inputs.to_vec();
    all.sort();
    all.dedup();
    all
}

fn store_view(status: &StoreStatus<'_>, verdict: StoreVerdict) -> StoreView {
    let facts = status.facts();
    StoreView {
        id: status.def.id.clone(),
        path: status.path.clone(),
        site: (facts.is_some() || status.is_vacant()).then(|| Site::of(status.def)),
        format: facts.map(|f| f.format),
        state: status.state(),
        expect: status.expect(),
        entries: facts.map(|f| f.entries.len()),
        verdict,
    }
}
