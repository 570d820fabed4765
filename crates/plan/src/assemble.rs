//! Puts the judgements of all stores together: numbers the changes, gathers findings, restarts and work for people.

mod blocked;
mod ladder;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use trustmason_keystore::{Certificate, Fingerprint};
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::topology::{Issuer, Source, Subject, Topology};

use crate::change::{
    Action, Change, ChangeId, Deed, EdgeVerdict, EdgeView, Expect, Forecast, IdentityView, Manual, Mint, Options, Plan,
    StoreState, StoreVerdict, StoreView, Summary,
};
use crate::diff::{self, Diff, Draft, Verdict};
use crate::finding::{Finding, Kind};
use crate::observed::{HostLook, Observed};
use crate::overlap::Overlap;
use crate::settle::{self, Ground, Index, Settled};
use crate::site::Site;
use crate::standing::{self, Selection, Standing};
use crate::verify::verify;
use crate::why::Why;
use crate::{authority, handoff, lint, options, served};

/// Judges an estate: what is wanted against what was seen, as of `now`. Pure; the same arguments give the same plan.
pub fn plan(topology: &Topology, observed: &Observed, options: &Options, now: Timestamp) -> Plan {
    let judged_at = options.at.unwrap_or(now);
    let selection = Selection::new(options);
    let authorities = authority::take(topology, observed, now);
    let wide = authority::widen(topology, observed, &authorities, judged_at);
    let written = topology;
    let topology = wide.as_ref().unwrap_or(written);
    let index = Index::of(written, topology);
    let mut standings = standing::take(topology, observed, &selection, &index);
    loop {
        let ground = Ground {
            topology,
            observed,
            standings: &standings,
            selection: &selection,
            options,
            now: judged_at,
            index: &index,
            authorities: &authorities,
        };
        let settlement = settle::settle(&ground);
        let mut diffs: Vec<(StoreId, Diff, Option<Manual>)> = Vec::new();
        for (id, standing) in standings.iter().filter(|(_, s)| s.selected) {
            let (diff, manual) = if standing.hand_off || standing.unobserved {
                handoff::store(&ground, standing, &settlement)
            } else {
                (diff::store(&ground, standing, &settlement), None)
            };
            diffs.push((id.clone(), diff, manual));
        }
        // A store that turns out blocked takes no new identity and learns of none: judge again knowing that.
        let newly: Vec<(StoreId, Why)> = diffs
            .iter()
            .filter(|(id, ..)| standings.get(id).is_some_and(|s| s.blocked.is_none()))
            .filter_map(|(id, diff, _)| diff.blocked.clone().map(|why| (id.clone(), why)))
            .collect();
        if newly.is_empty() {
            let mut desk = Desk::new(&ground, &settlement.subjects);
            for (id, diff, manual) in diffs {
                if let Some(standing) = standings.get(&id) {
                    desk.take(&id, standing, diff, manual);
                }
            }
            let plan = desk.finish(options, now);
            debug_assert_eq!(verify(&plan), [], "the planner contradicts itself");
            return plan;
        }
        for (id, why) in newly {
            if let Some(standing) = standings.get_mut(&id) {
                standing.blocked = Some(why);
            }
        }
    }
}

/// Where the pieces come together.
struct Desk<'a> {
    ground: &'a Ground<'a>,
    settled: &'a BTreeMap<Subject, Settled>,
    changes: Vec<Change>,
    /// The identities each change waits for.
    waits: BTreeMap<ChangeId, Vec<IdentityId>>,
    stores: Vec<StoreView>,
    edges: Vec<EdgeView>,
    findings: Vec<Finding>,
    manual: Vec<Manual>,
    forecast: Vec<Forecast>,
    blocked_subjects: BTreeSet<&'a Subject>,
}

impl<'a> Desk<'a> {
    fn new(ground: &'a Ground<'a>, settled: &'a BTreeMap<Subject, Settled>) -> Self {
        Self {
            ground,
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

    fn take(&mut self, id: &StoreId, standing: &Standing<'_>, diff: Diff, manual: Option<Manual>) {
        let mut drafts: Vec<(usize, Draft)> = diff.drafts.into_iter().enumerate().collect();
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
        self.findings.extend(lint::store(standing));
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
        self.stores.push(store_view(standing, verdict));
        self.manual.extend(manual);
    }

    fn change(&mut self, store: &StoreId, id: ChangeId, draft: Draft) {
        let edge = draft.edge.and_then(|i| self.ground.topology.edges.get(i));
        let (rule, source) = match (&draft.deed, edge) {
            (Deed::InstallKey { identity, .. }, _) => {
                let def = self.ground.topology.identities.get(identity);
                (def.map(|d| d.rule.clone()), def.map(|d| d.source_document.clone()))
            }
            (_, Some(edge)) => (Some(edge.rule.clone()), Some(edge.source.clone())),
            (_, None) => (None, None),
        };
        let subject = match (&draft.deed, edge) {
            (Deed::InstallKey { identity, .. }, _) => Some(Subject::Identity(identity.clone())),
            (Deed::Import { .. } | Deed::Replace { .. } | Deed::Rename { .. }, Some(edge)) => {
                Some(edge.subject.clone())
            }
            _ => None,
        };
        let from = draft.from.or_else(|| self.settled.get(&subject?)?.from.clone());
        self.waits.insert(id, draft.waits);
        let finding = Finding::of_store(draft.finding, store, draft.reason.clone());
        let mut finding = finding.with_severity(draft.severity);
        finding.alias.clone_from(&draft.alias);
        finding.sha256 = draft.before.as_ref().map(|b| b.sha256);
        finding.change = Some(id);
        if let Deed::InstallKey { identity, .. } = &draft.deed {
            finding.identity = Some(identity.clone());
        }
        self.findings.push(finding);
        self.changes.push(Change {
            id,
            phase: draft.phase,
            store: store.clone(),
            alias: draft.alias,
            deed: draft.deed,
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

    fn edge(&mut self, index: usize, verdict: Verdict, numbers: &BTreeMap<usize, ChangeId>, store_blocked: bool) {
        let Some(edge) = self.ground.topology.edges.get(index) else {
            return;
        };
        let settled = self.settled.get(&edge.subject);
        let verdict = match verdict {
            Verdict::Held => EdgeVerdict::Held,
            Verdict::Draft(i) => match numbers.get(&i) {
                Some(id) => EdgeVerdict::Change(*id),
                None => EdgeVerdict::Unobserved,
            },
            Verdict::Manual(what) => EdgeVerdict::Manual(what),
            Verdict::Unobserved => EdgeVerdict::Unobserved,
            Verdict::Blocked(why) => {
                if settled.is_some_and(|s| s.material.is_err()) {
                    // Said once for the subject, not once for each of its trusters.
                    self.blocked_subjects.insert(&edge.subject);
                // Of what cannot be read in it the store has a finding of its own.
                } else if !store_blocked && !matches!(why, Why::Unread { .. }) {
                    self.findings.push(
                        Finding::of_store(why.finding(), &edge.store, why.to_string()).at(edge.alias.as_deref(), None),
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

    fn finish(mut self, options: &Options, now: Timestamp) -> Plan {
        let ground = self.ground;
        self.dependencies();
        self.subject_findings();
        self.host_findings();
        self.options_findings();
        self.findings.extend(lint::shared_keys(ground, self.settled));
        // Said beside whatever else keeps the store from being looked at.
        let unclear = ground.observed.unclear.iter().filter(|unclear| {
            let blocking = ground.standings.get(&unclear.store).and_then(Standing::blocking);
            blocking != Some(Kind::OutcomeUnclear)
        });
        self.findings.extend(unclear.map(|unclear| {
            let why = Why::OutcomeUnclear { run: unclear.run.clone(), detail: unclear.why.clone() };
            Finding::of_store(Kind::OutcomeUnclear, &unclear.store, why.to_string())
        }));
        self.findings.extend(served::findings(ground, self.settled));
        self.restart_findings();
        let mut manual = std::mem::take(&mut self.manual);
        manual.extend(handoff::identities(ground, self.settled));
        manual.sort_by(|a, b| (a.target(), a.kind).cmp(&(b.target(), b.kind)));
        let known = self.certificates(&manual);
        crate::shelf::once_per_machine(&mut manual, &known);
        for work in &mut manual {
            work.restarts = self.manual_restarts(work);
        }
        self.edges.sort_by(|a, b| a.id.cmp(&b.id));
        let mut findings = std::mem::take(&mut self.findings);
        lint::accept(ground.topology, ground.now, &mut findings);
        findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.cmp(b)));
        findings.dedup();
        let blocked = self.blocked();
        let extending = self.extending();
        let summary = self.summary(&manual, blocked.len());
        Plan {
            estate: ground.topology.estate.clone(),
            created: now,
            options: options.clone(),
            inputs: sorted(&ground.observed.inputs),
            mints: self.mints(),
            certificates: self.certificates(&manual),
            identities: self.identities(),
            restarts: self.restarts(&extending),
            forecast: self.forecast(),
            barriers: self.barriers(&extending),
            first: Self::first(&extending),
            readers: self.readers(),
            interruptions: self.interruptions(),
            stores: self.stores,
            edges: self.edges,
            changes: self.changes,
            findings,
            manual,
            blocked,
            summary,
        }
    }

    fn dependencies(&mut self) {
        let made: BTreeMap<IdentityId, ChangeId> = self
            .changes
            .iter()
            .filter_map(|c| match &c.deed {
                Deed::InstallKey { identity, .. } => Some((identity.clone(), c.id)),
                Deed::Import { .. } | Deed::Replace { .. } | Deed::Rename { .. } | Deed::Delete { .. } => None,
            })
            .collect();
        for change in &mut self.changes {
            let waits = self.waits.get(&change.id).into_iter().flatten();
            let ids: BTreeSet<ChangeId> = waits.filter_map(|identity| made.get(identity).copied()).collect();
            change.depends_on.extend(ids);
        }
    }

    fn subject_findings(&mut self) {
        for (subject, one) in self.settled {
            let judged = match subject {
                Subject::Identity(id) => self.ground.selection.takes(self.ground.topology, &id.host),
                Subject::Certificate(_) => true,
            };
            if judged {
                self.findings.extend(one.findings.iter().cloned());
            }
            let Err(why) = &one.material else { continue };
            // A blocked store that is judged here says it for the identities in it.
            let by_store = match why {
                Why::SourceBlocked { store, .. } => self.stores.iter().any(|s| s.id == *store),
                _ => false,
            };
            let said = judged && one.findings.iter().any(|f| f.kind == why.finding());
            if by_store || said || !self.blocked_subjects.contains(subject) {
                continue;
            }
            let sha256 = one.current.as_ref().map(|c| c.fingerprint());
            let finding = match subject {
                Subject::Identity(id) => Finding::of_identity(why.finding(), id, why.to_string()),
                Subject::Certificate(_) => Finding::new(why.finding(), why.to_string()),
            };
            self.findings.push(finding.at(None, sha256));
        }
    }

    fn host_findings(&mut self) {
        for (host, look) in &self.ground.observed.hosts {
            let stores =
                self.stores.iter().any(|s| s.id.host == *host && matches!(&s.verdict, StoreVerdict::Blocked(_)));
            if let (HostLook::Unreachable(detail), true) = (look, stores) {
                let message = format!("{detail}; mount its disk or correct `access:`");
                self.findings.push(Finding::of_host(Kind::Unreachable, host, message));
            }
        }
        for (store, paths) in &self.ground.observed.shadows {
            if !self.ground.standings.get(store).is_some_and(|s| s.selected) {
                continue;
            }
            for path in paths {
                let message = format!("{path} exists and is used instead of this store; move it away");
                self.findings.push(Finding::of_store(Kind::ShadowedStore, store, message));
            }
        }
    }

    fn options_findings(&mut self) {
        let ground = self.ground;
        for host in ground.topology.hosts.keys().filter(|host| ground.selection.takes(ground.topology, host)) {
            let files: Vec<_> = ground.topology.options.iter().filter(|one| one.host == *host).collect();
            self.findings.extend(options::findings(&files, ground.observed));
        }
    }

    fn summary(&self, manual: &[Manual], blocked: usize) -> Summary {
        let mut summary = Summary::default();
        for change in &self.changes {
            let slot = match change.deed.action() {
                Action::Import => &mut summary.import,
                Action::Replace => &mut summary.replace,
                Action::Rename => &mut summary.rename,
                Action::Delete => &mut summary.delete,
                Action::Regenerate => &mut summary.regenerate,
                Action::Install => &mut summary.install,
            };
            *slot += 1;
        }
        let waiting: BTreeSet<&StoreId> =
            manual.iter().filter(|m| m.waiting_since.is_some()).filter_map(|m| m.target().store()).collect();
        for edge in &self.edges {
            let slot = match &edge.verdict {
                EdgeVerdict::Held => &mut summary.unchanged,
                EdgeVerdict::Change(_) | EdgeVerdict::Blocked(_) => continue,
                EdgeVerdict::Manual(_) | EdgeVerdict::Unobserved if waiting.contains(&edge.store) => {
                    &mut summary.waiting
                }
                EdgeVerdict::Manual(_) => &mut summary.manual,
                EdgeVerdict::Unobserved => &mut summary.unobserved,
            };
            *slot += 1;
        }
        for work in manual {
            let removals_only =
                work.kind == crate::change::ManualKind::Store && work.add.is_empty() && work.verify.is_empty();
            if removals_only || work.kind == crate::change::ManualKind::Identity {
                *(if work.waiting_since.is_some() { &mut summary.waiting } else { &mut summary.manual }) += 1;
            }
        }
        let waiting = |overlap: &&Overlap| {
            self.judges(&overlap.identity)
                && !overlap.needs.iter().any(|n| matches!(n.hindered, Some(Why::OutsideSelection { .. })))
                && overlap.since.is_some()
                && overlap.awaits().is_some()
        };
        summary.waiting += self.overlaps().filter(waiting).count();
        summary.request = self.settled.values().filter(|one| one.request.is_some()).count();
        summary.waiting += self.awaited().count();
        summary.blocked = blocked;
        summary
    }

    /// Whether an identity's host is selected.
    fn judges(&self, identity: &IdentityId) -> bool {
        self.ground.selection.takes(self.ground.topology, &identity.host)
    }

    /// Every renewal has its change: a store that cannot take it was judged again as blocked.
    fn mints(&self) -> BTreeMap<IdentityId, Mint> {
        let mut mints = BTreeMap::new();
        for (subject, one) in self.settled {
            let (Subject::Identity(id), Some(renewal)) = (subject, &one.renewal) else {
                continue;
            };
            let mint = Mint {
                identity: id.clone(),
                store: renewal.store.clone(),
                alias: renewal.alias.clone(),
                resumed: renewal.resumed.as_ref().map(|c| c.fingerprint()),
                issuers: renewal.issuers.clone(),
                request: None,
                replaces: one.current.as_ref().map(|c| c.fingerprint()),
                staged: one.overlap.is_some(),
            };
            mints.insert(id.clone(), mint);
        }
        // A key whose certificate its trusters learn first goes to staging and no further.
        for overlap in self.overlaps().filter(|overlap| overlap.certificate.is_none()) {
            let source = self.ground.topology.identities.get(&overlap.identity).map(|def| &def.source);
            let Some(Source::KeyEntry { store, alias }) = source else { continue };
            let mint = Mint {
                identity: overlap.identity.clone(),
                store: store.clone(),
                alias: alias.clone(),
                resumed: None,
                issuers: Vec::new(),
                request: None,
                replaces: Some(overlap.old),
                staged: true,
            };
            mints.insert(overlap.identity.clone(), mint);
        }
        for (subject, one) in self.settled {
            let (Subject::Identity(id), Some(request)) = (subject, &one.request) else { continue };
            let mint = Mint {
                identity: id.clone(),
                store: request.store.clone(),
                alias: request.alias.clone(),
                resumed: None,
                issuers: Vec::new(),
                request: Some(request.authority.clone()),
                replaces: one.current.as_ref().map(|c| c.fingerprint()),
                staged: true,
            };
            mints.insert(id.clone(), mint);
        }
        mints
    }

    fn certificates(&self, manual: &[Manual]) -> BTreeMap<Fingerprint, Arc<Certificate>> {
        let mut all = BTreeMap::new();
        for one in self.settled.values() {
            let resumed = one.renewal.as_ref().and_then(|r| r.resumed.as_ref());
            let issuers = one.renewal.iter().flat_map(|r| &r.issuers);
            let next = one.overlap.as_ref().and_then(|o| o.certificate.as_ref());
            for certificate in one.current.iter().chain(resumed).chain(next).chain(issuers) {
                all.insert(certificate.fingerprint(), certificate.clone());
            }
        }
        // Those of an authority that a person brings to a machine, for its reply.
        let authorities = self.ground.authorities.values().flat_map(|authority| authority.certificates());
        let asked: BTreeSet<Fingerprint> =
            manual.iter().flat_map(|work| &work.verify).filter_map(|item| item.material.known()).collect();
        for (_, certificate) in authorities.filter(|(_, certificate)| asked.contains(&certificate.fingerprint())) {
            all.insert(certificate.fingerprint(), certificate.clone());
        }
        // What a person is asked to remove is shown to them too.
        for work in manual.iter().filter(|work| !work.remove.is_empty()) {
            let removed: BTreeSet<Fingerprint> = work.remove.iter().filter_map(|i| i.material.known()).collect();
            let facts = work.target().store().and_then(|id| self.ground.standings.get(id)?.facts);
            for c in facts.iter().flat_map(|f| &f.entries).filter_map(crate::observed::certificate) {
                if removed.contains(&c.fingerprint()) {
                    all.insert(c.fingerprint(), c.clone());
                }
            }
        }
        all
    }

    fn identities(&self) -> Vec<IdentityView> {
        let mut views = Vec::new();
        for (subject, one) in self.settled {
            let Subject::Identity(id) = subject else {
                continue;
            };
            if !self.ground.selection.takes(self.ground.topology, &id.host) {
                continue;
            }
            let issuer = match (&one.current, self.ground.topology.identities.get(id).map(|d| &d.issuer)) {
                (Some(c), _) if c.is_self_issued() => Some("self-signed".to_owned()),
                (Some(c), _) => Some(c.issuer().to_owned()),
                (None, Some(Issuer::Authority(name))) => Some(name.clone()),
                (None, Some(Issuer::SelfSigned) | None) => None,
            };
            views.push(IdentityView {
                id: id.clone(),
                state: one.state,
                issuer,
                sha256: one.current.as_ref().map(|c| c.fingerprint()),
                not_after: one.current.as_ref().map(|c| c.not_after()),
                awaits: match (&one.by_hand, &one.overlap) {
                    (Some((_, why)), _) => Some(format!("a person: {why}")),
                    (None, Some(overlap)) => overlap.awaits(),
                    (None, None) => one.awaits_reply.as_ref().map(|name| format!("the reply of {name}")),
                },
            });
        }
        views
    }
}

fn sorted(inputs: &[crate::observed::Input]) -> Vec<crate::observed::Input> {
    let mut all = inputs.to_vec();
    all.sort();
    all.dedup();
    all
}

fn store_view(standing: &Standing<'_>, verdict: StoreVerdict) -> StoreView {
    let state = match (standing.facts, standing.unobserved, &standing.blocked) {
        (Some(_), ..) => StoreState::Readable,
        (None, true, _) => StoreState::Unobserved,
        (None, false, Some(Why::StoreMissing { .. })) => StoreState::Absent,
        (None, false, Some(_)) => StoreState::Unreadable,
        (None, false, None) => StoreState::Absent,
    };
    let expect = if standing.hand_off || standing.unobserved || standing.blocked.is_some() {
        None
    } else {
        match standing.facts {
            Some(facts) => Some(Expect::Digest(facts.sha256)),
            None => standing.creatable.then_some(Expect::Absent),
        }
    };
    StoreView {
        id: standing.def.id.clone(),
        path: standing.path.clone(),
        site: Site::of(standing.def).filter(|_| standing.facts.is_some() || standing.creatable),
        format: standing.facts.map(|f| f.format),
        state,
        expect,
        entries: standing.facts.map(|f| f.entries.len()),
        verdict,
    }
}
