//! Renews an identity: by a rotation if somebody may rely on its present certificate, at once if nobody does, or not at
//! all.

use super::{Held, find_key};
use crate::change::{CertificateOrigin, FromKind, Material};
use crate::constraints::{self, ExpiryStage, Terms, Violation};
use crate::context::PlanContext;
use crate::course::{Asked, Course, Installation, KeyOrigin, Next, Settled};
use crate::finding::{Finding, FindingKind, Severity};
use crate::observed::StagedKey;
use crate::overlap;
use crate::status::StoreStatus;
use crate::text;
use crate::why::Why;
use std::sync::Arc;
use trustmason_keystore::{Certificate, EntryId, EntryKey, Fingerprint};
use trustmason_spec::name::StoreId;
use trustmason_spec::topology::{CertificateSource, Edge, IdentityDef, KeyPlace, Subject};

/// Renews an identity by a rotation if somebody may rely on its present certificate, otherwise at once.
pub(super) fn renew_staged(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    home: &StoreStatus<'_>,
    draft: Renewal<'_>,
    staged: Option<&StagedKey>,
    from: CertificateOrigin,
) -> Settled {
    let Some(current) = draft.current.clone().filter(|c| overlap::is_in_use(context, def, c, draft.finding)) else {
        return renew(context, def, home, draft);
    };
    let asked = Ok(Asked { material: Material::Known(Arc::clone(&current)), from: Some(from) });
    if staged.is_none() {
        if !home.selected {
            // The store is not selected, so it is not judged. Until it is selected, the trusters have what they need.
            return Settled {
                asked,
                present: Some(current),
                course: Course::Stuck { obstacle: None },
                findings: Vec::new(),
            };
        }
        if home.blocking().is_some() || newer_elsewhere(context, def, &current).is_some() {
            return renew(context, def, home, draft);
        }
    }
    let Renewal { place, entry, finding, reason, mut findings, current: _ } = draft;
    let overlap = match staged {
        Some(look) => {
            let installation = Installation {
                place: place.clone(),
                entry,
                finding: FindingKind::RotationWaiting,
                severity: overlap::wait_severity(context, look.since),
                reason: "all stores that trust it hold the new certificate".to_owned(),
                key: KeyOrigin::Staged(Arc::clone(&look.certificate)),
            };
            overlap::go_on(context, def, home, &current, Next::of(look), installation)
        }
        None => {
            // A request with `--replace` is no fault.
            let wished = finding == FindingKind::Stale && context.options.replace.contains(&def.id);
            let severity = if wished { Severity::Info } else { finding.severity() };
            let told = Finding::of_identity(finding, &def.id, reason).with_severity(severity);
            findings.push(told.at(place.at.stored(), Some(current.fingerprint())));
            overlap::begin(context, def, &current, place.clone())
        }
    };
    findings.extend(overlap::findings(context, def, &overlap));
    Settled { asked, present: Some(current), course: Course::Rotate(Box::new(overlap)), findings }
}

/// A CA's reply that passed its guards.
pub(super) struct Reply {
    pub next: Next,
    /// The issuers of the certificate, the nearest first.
    pub issuers: Vec<Arc<Certificate>>,
    /// The file of the reply.
    pub from: CertificateOrigin,
}

/// Installs a CA's reply. If somebody relies on the present certificate, every truster must hold the issuers first.
pub(super) fn with_reply(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    home: &StoreStatus<'_>,
    draft: Renewal<'_>,
    reply: Reply,
) -> Settled {
    let Renewal { place, entry, current, finding, reason, mut findings } = draft;
    let Reply { next, issuers, from } = reply;
    let leaf = Arc::clone(&next.certificate);
    // Until the installation, trusters need the present certificate.
    let material = Material::Known(Arc::clone(current.as_ref().unwrap_or(&leaf)));
    let asked = Ok(Asked { material, from: Some(from.clone()) });
    let installation = Installation {
        place: place.clone(),
        entry,
        finding,
        severity: overlap::wait_severity(context, next.since),
        reason,
        key: KeyOrigin::Replied { leaf, issuers, from },
    };
    let in_use = current.as_ref().filter(|c| overlap::is_staged(def) && overlap::is_in_use(context, def, c, finding));
    let course = if let Some(current) = in_use {
        let installation = Installation {
            finding: FindingKind::RotationWaiting,
            reason: "all stores that trust it hold the issuers of the new certificate".to_owned(),
            ..installation
        };
        let overlap = overlap::go_on(context, def, home, current, next, installation);
        findings.extend(overlap::findings(context, def, &overlap));
        Course::Rotate(Box::new(overlap))
    } else if home.selected && home.blocking().is_none() {
        Course::Renew(installation)
    } else {
        Course::Replied
    };
    Settled { asked, present: current, course, findings }
}

/// The findings that alone demand no new certificate.
pub(super) fn soft_findings(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    current: &Certificate,
    faults: &[Violation],
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = faults
        .iter()
        .filter(|f| !f.demands_new())
        .map(|f| Finding::of_identity(f.kind(), &def.id, f.to_string()).at(None, Some(current.fingerprint())))
        .collect();
    let terms = Terms { renew_before: Some(def.renew_before), warn_before: Some(context.topology.policy.warn_before) };
    if constraints::dates(current, terms, context.now).end == ExpiryStage::Soon {
        let message = format!("it ends on {}", text::day(current.not_after()));
        findings
            .push(Finding::of_identity(FindingKind::Expiring, &def.id, message).at(None, Some(current.fingerprint())));
    }
    findings
}

/// A certificate that must be renewed, and why.
pub(super) struct Renewal<'a> {
    /// Where the key is, or where it will be.
    pub place: &'a KeyPlace,
    pub entry: Option<EntryId>,
    pub current: Option<Arc<Certificate>>,
    pub finding: FindingKind,
    pub reason: String,
    pub findings: Vec<Finding>,
}

pub(super) fn renew(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    status: &StoreStatus<'_>,
    draft: Renewal<'_>,
) -> Settled {
    let blocked = if let Some(finding) = status.blocking() {
        Some(Why::SourceBlocked { store: status.def.id.clone(), finding })
    } else if !status.selected {
        Some(Why::OutsideSelection { what: format!("{}, which needs a new certificate ({}),", def.id, draft.reason) })
    } else {
        truster_left_behind(context, def, &status.def.id, &draft)
    };
    if let Some(why) = blocked {
        let mut findings = draft.findings;
        if status.selected {
            let message = format!("{}; {why}", draft.reason);
            let finding = Finding::of_identity(why.finding(), &def.id, message);
            findings.push(finding.at(draft.place.at.stored(), draft.current.as_ref().map(|c| c.fingerprint())));
        }
        return Settled { asked: Err(why), present: draft.current, course: Course::Stuck { obstacle: None }, findings };
    }
    // A person who asks for a new key with `--replace` does not get one from staging.
    let resumed = overlap::staged(context, def, draft.current.as_deref())
        .filter(|_| !context.options.replace.contains(&def.id))
        .map(|look| &look.certificate);
    let (material, key) = match resumed {
        Some(certificate) => (Material::Known(Arc::clone(certificate)), KeyOrigin::Staged(Arc::clone(certificate))),
        None => (Material::Minted(def.id.clone()), KeyOrigin::Made),
    };
    let from = CertificateOrigin {
        kind: FromKind::Generated,
        place: def.id.to_string(),
        sha256: resumed.map(|c| c.fingerprint()),
    };
    let installation = Installation {
        place: draft.place.clone(),
        entry: draft.entry,
        finding: draft.finding,
        severity: draft.finding.severity(),
        reason: draft.reason,
        key,
    };
    Settled {
        asked: Ok(Asked { material, from: Some(from) }),
        present: draft.current,
        course: Course::Renew(installation),
        findings: draft.findings,
    }
}

/// Whether a truster holds, at the edge's own alias, a later certificate of the identity that this tool did not place
/// there.
fn holds_newer(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    edge: &Edge,
    truster: &StoreStatus<'_>,
    current: &Certificate,
) -> bool {
    let entries = truster.facts().into_iter().flat_map(|f| &f.entries);
    let Some(alias) = &edge.alias else { return false };
    let key = EntryKey::Alias(alias.clone());
    entries.filter(|e| e.is_spelled(alias)).any(|entry| {
        let Some(held) = crate::observed::certificate(entry) else { return false };
        let print = held.fingerprint();
        let ours = context.observed.ledger.placed(&truster.def.id, &key, print);
        held.not_before() > current.not_before()
            && constraints::identifies(held, def)
            && !ours
            && !context.observed.ledger.predecessors.contains_key(&print)
            && !context.topology.distrust.contains_key(&print)
            && !is_somebodys(context, print)
    })
}

/// Whether a certificate is the present one of an identity whose store was seen. Then its origin is known.
fn is_somebodys(context: &PlanContext<'_>, print: Fingerprint) -> bool {
    context.index.homes.values().flatten().any(|def| {
        let CertificateSource::KeyEntry(place) = &def.source else { return false };
        let Some(facts) = context.statuses.get(&place.store).and_then(StoreStatus::facts) else { return false };
        match find_key(context, facts, &place.at) {
            Held::Key(_, chain) => chain.first().is_some_and(|slot| slot.fingerprint() == print),
            Held::Other { .. } | Held::Nothing => false,
        }
    })
}

/// Why a new certificate would break a truster. It must reach every truster in the same run. A truster that is not
/// selected, cannot be written, or holds a later certificate would break.
fn truster_left_behind(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    home: &StoreId,
    draft: &Renewal<'_>,
) -> Option<Why> {
    let subject = Subject::Identity(def.id.clone());
    // A certificate that nobody can use any more is not worth waiting for.
    let works = draft.current.is_some() && !overlap::is_useless(draft.finding);
    let edges = context.index.trusters_of.get(&subject).into_iter().flatten();
    edges.filter_map(|e| context.statuses.get(&e.store).map(|s| (e, s))).find_map(|(edge, truster)| {
        let id = &truster.def.id;
        if !truster.selected {
            return Some(Why::OutsideSelection {
                what: format!("{id}, which trusts {} and would lose that trust,", def.id),
            });
        }
        if let Some(finding) = truster.blocking().filter(|_| works && !truster.is_hand_off() && id != home) {
            return Some(Why::TrusterBlocked { identity: def.id.clone(), truster: id.clone(), finding });
        }
        holds_newer(context, def, edge, truster, draft.current.as_deref()?)
            .then(|| Why::Newer { identity: def.id.clone(), truster: id.clone() })
    })
}

/// A truster that holds a later certificate than the identity's own store.
fn newer_elsewhere<'a>(context: &PlanContext<'a>, def: &IdentityDef, current: &Certificate) -> Option<&'a StoreId> {
    overlap::trusters(context, &def.id)
        .find(|(edge, truster)| holds_newer(context, def, edge, truster, current))
        .map(|(edge, _)| &edge.store)
}
