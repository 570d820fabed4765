//! Rotations: changes of certificate that break nothing. It takes the facts of an identity and of its trusters, and
//! gives the stage of the rotation and what is missing before the next stage. It changes nothing.
//!
//! While a rotation lasts, every truster trusts two certificates of the identity: the one that its service presents,
//! and the one that it presents next.
//!
//! | stage | trusters get | the identity | ends when |
//! |---|---|---|---|
//! | extend | the next certificate, beside the old | as it was; its next key waits in staging | every truster holds it and was restarted |
//! | install | – | takes the staged key | its store is written, in one write |
//! | settle | – | its service may still present the old certificate | that service was restarted |
//!
//! Afterwards nothing special remains: the old certificate is a predecessor's and is deleted, and entries get their
//! final aliases. Only what must be recorded is recorded: a key in staging, a predecessor in the ledger, and pending
//! restarts. Each stage is read from these and from the stores, so that a run may stop anywhere and a phase may wait
//! for days.
#![warn(clippy::arithmetic_side_effects)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use trustmason_keystore::{Alias, Certificate, Fingerprint};
use trustmason_spec::name::{IdentityId, ServiceId};
use trustmason_spec::topology::{Anchor, Edge, IdentityDef, Issuer, KeyPlace, Rotation, Subject};

use crate::authority;
use crate::constraints::{self, Terms, Violation};
use crate::context::PlanContext;
use crate::course::{CertificateRequest, Course, Installation, Need, Next, Overlap, Settled, Stage};
use crate::days;
use crate::finding::{Finding, FindingKind, Severity};
use crate::ledger::ServiceReading;
use crate::observed::{StagedKey, trusted};
use crate::outline::{UnchangedTrusters, Wait};
use crate::presence::{self, Presence};
use crate::status::StoreStatus;
use crate::target::HandOffTarget;
use crate::text;
use crate::why::Why;

/// The end of an alias under which a truster holds the next certificate.
const NEXT: &str = "~next";

/// The alias of the next certificate beside the present one.
pub(crate) fn next_alias(alias: &Alias) -> Alias {
    format!("{alias}{NEXT}").into()
}

/// The severity of a wait that began at `since`: information during the grace period, then an error.
pub(crate) fn wait_severity(context: &PlanContext<'_>, since: Timestamp) -> Severity {
    let waited = days::between(since.as_second(), context.now.as_second());
    if waited <= days::term(context.topology.policy.grace_days) { Severity::Info } else { Severity::Error }
}

/// A staged key that may be used: it opens, it is not the present one, and nothing speaks against its certificate.
pub(crate) fn staged<'a>(
    context: &PlanContext<'a>,
    def: &IdentityDef,
    current: Option<&Certificate>,
) -> Option<&'a StagedKey> {
    context.observed.staged(&def.id).filter(|look| look.opens).filter(|look| {
        let certificate = &look.certificate;
        let faults = constraints::judge(certificate, def, context.now);
        !faults.iter().any(Violation::demands_new)
            && constraints::unwritable(certificate).is_none()
            && current.is_none_or(|now| now.fingerprint() != certificate.fingerprint())
            && !context.topology.distrust.contains_key(&certificate.fingerprint())
            && !current.is_some_and(|now| is_outdated(look, now))
    })
}

/// Whether a staged key was made before the present certificate. Then an older state folder was put back, or a person
/// renewed the identity meanwhile. For a certificate that an authority issued this cannot be told.
pub(crate) fn is_outdated(staged: &StagedKey, current: &Certificate) -> bool {
    staged.certificate.is_self_issued()
        && current.is_self_issued()
        && staged.certificate.not_before() < current.not_before()
}

/// Whether nobody can use a certificate with this finding any more, or nobody should.
pub(crate) fn is_useless(finding: FindingKind) -> bool {
    matches!(finding, FindingKind::Expired | FindingKind::Distrusted)
}

/// Whether the present certificate may be in use somewhere, so that its removal would break something.
pub(crate) fn is_in_use(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    current: &Certificate,
    finding: FindingKind,
) -> bool {
    !relying(context, def, current, finding).is_empty()
}

/// The edges, by id, whose trusters may trust the present certificate now and can still use it.
pub(crate) fn relying(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    current: &Certificate,
    finding: FindingKind,
) -> Vec<String> {
    if is_useless(finding) {
        return Vec::new();
    }
    let itself = [current.fingerprint()];
    let issuers = authority::anchors_of(context.authorities, current, context.now);
    let trust = |truster: &StoreStatus<'_>| {
        hold(context, truster, &itself) != Presence::Absent || hold(context, truster, &issuers) != Presence::Absent
    };
    trusters(context, &def.id).filter(|(_, truster)| trust(truster)).map(|(edge, _)| edge.id.clone()).collect()
}

/// The trusters of an identity, each with its edge.
pub(crate) fn trusters<'g, 'a>(
    context: &'g PlanContext<'a>,
    identity: &IdentityId,
) -> impl Iterator<Item = (&'a Edge, &'g StoreStatus<'a>)> {
    let edges = context.index.trusters_of.get(&Subject::Identity(identity.clone())).into_iter().flatten();
    edges.filter_map(|edge| Some((*edge, context.statuses.get(&edge.store)?)))
}

/// Whether a truster trusts a certificate, as far as it can be told.
fn holds(context: &PlanContext<'_>, truster: &StoreStatus<'_>, print: Fingerprint) -> Presence {
    if truster.is_by_hand() {
        return match presence::known(context, truster).presence(print) {
            Presence::Unread => Presence::Unknown,
            known => known,
        };
    }
    match truster.facts() {
        Some(facts) if facts.entries.iter().filter_map(trusted).any(|s| s.fingerprint() == print) => Presence::Present,
        Some(facts) if facts.unread().is_some() => Presence::Unknown,
        Some(_) => Presence::Absent,
        None if truster.is_vacant() => Presence::Absent,
        None => Presence::Unknown,
    }
}

/// Whether a truster trusts all of these certificates; `Absent` for an empty list.
fn hold(context: &PlanContext<'_>, truster: &StoreStatus<'_>, prints: &[Fingerprint]) -> Presence {
    let each: Vec<Presence> = prints.iter().map(|print| holds(context, truster, *print)).collect();
    if each.is_empty() || each.contains(&Presence::Absent) {
        Presence::Absent
    } else if each.contains(&Presence::Unknown) {
        Presence::Unknown
    } else {
        Presence::Present
    }
}

/// The rotation of an identity whose next key this plan makes.
pub(crate) fn begin(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    current: &Arc<Certificate>,
    place: KeyPlace,
) -> Overlap {
    let needs = needs(context, &def.id, &[]);
    between(context, def, current, Stage::Begin(place), needs)
}

/// The rotation of an identity whose next key is in staging. The given installation is done as soon as nothing is
/// missing.
pub(crate) fn go_on(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    home: &StoreStatus<'_>,
    current: &Arc<Certificate>,
    next: Next,
    installation: Installation,
) -> Overlap {
    let mut needs = needs(context, &def.id, &next.anchors);
    if !needs.is_empty() {
        return between(context, def, current, Stage::Extend(next), needs);
    }
    // The trusters need nothing more. The identity's own store must also be able to take the key.
    let hindered = if let Some(finding) = home.blocking() {
        Some(Why::SourceBlocked { store: home.def.id.clone(), finding })
    } else {
        (!home.selected).then(|| Why::OutsideSelection { what: format!("{}, whose new key is in staging,", def.id) })
    };
    if hindered.is_some() {
        needs.push(Need { edge: None, waits: Vec::new(), hindered });
        return between(context, def, current, Stage::Extend(next), needs);
    }
    between(context, def, current, Stage::Install(next, installation), needs)
}

/// The rotation of an identity that presents its old certificate.
fn between(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    current: &Arc<Certificate>,
    stage: Stage,
    needs: Vec<Need>,
) -> Overlap {
    let works = constraints::names(current, def)
        && !constraints::dates(current, Terms::default(), context.now).is_past()
        && constraints::unwritable(current).is_none()
        && authority::issuer_of(context.authorities, current).is_none();
    Overlap {
        identity: def.id.clone(),
        stage,
        old: current.fingerprint(),
        old_wanted: works.then(|| Arc::clone(current)),
        needs,
    }
}

/// The need of a truster before the identity may present its next certificate, if there is one.
fn need(
    context: &PlanContext<'_>,
    identity: &IdentityId,
    edge: &str,
    truster: &StoreStatus<'_>,
    anchors: &[Fingerprint],
) -> Option<Need> {
    let by_hand = truster.is_by_hand();
    let presence = hold(context, truster, anchors);
    let restarts = |open: &dyn Fn(&ServiceId) -> bool| -> Vec<Wait> {
        truster.def.restart.iter().filter(|s| open(s)).map(|s| Wait::Restart(s.clone())).collect()
    };
    let (waits, hindered) = match presence {
        Presence::Present => {
            let unread =
                |service: &ServiceId| anchors.iter().any(|print| !is_restarted(context, truster, service, *print));
            (restarts(&unread), None)
        }
        _ if by_hand => {
            let mut waits = vec![Wait::HandOff(HandOffTarget::Store(truster.def.id.clone()).called(context.topology))];
            waits.extend(restarts(&|_| true));
            (waits, None)
        }
        _ => {
            let id = &truster.def.id;
            let hindered = match truster.blocking() {
                Some(finding) => Some(Why::TrusterBlocked { identity: identity.clone(), truster: id.clone(), finding }),
                None => (!truster.selected).then(|| Why::OutsideSelection {
                    what: format!("{id}, which trusts {identity} and would lose that trust,"),
                }),
            };
            if hindered.is_some() { (Vec::new(), hindered) } else { (restarts(&|_| true), None) }
        }
    };
    let needed = !waits.is_empty() || hindered.is_some() || presence != Presence::Present;
    needed.then(|| Need { edge: Some(edge.to_owned()), waits, hindered })
}

/// The certificates that every truster of an identity must hold before a person installs a certificate of the
/// identity's authority. `None` if no person is to install one.
pub(crate) fn issuers_by_hand(context: &PlanContext<'_>, def: &IdentityDef, one: &Settled) -> Option<Vec<Fingerprint>> {
    let (Issuer::Authority(name), Course::ByHand { .. }) = (&def.issuer, &one.course) else { return None };
    let authority = context.authorities.get(name.as_str()).filter(|authority| authority.fault().is_none())?;
    Some(authority.trust_anchors().map(|c| c.fingerprint()).collect())
}

/// The needs of all trusters of an identity for these certificates.
pub(crate) fn needs(context: &PlanContext<'_>, identity: &IdentityId, anchors: &[Fingerprint]) -> Vec<Need> {
    trusters(context, identity)
        .filter_map(|(edge, truster)| need(context, identity, &edge.id, truster, anchors))
        .collect()
}

/// The stores that trust an identity and do not surely hold these certificates yet, each with what is left to do.
pub(crate) fn unready(context: &PlanContext<'_>, identity: &IdentityId, anchors: &[Fingerprint]) -> BTreeSet<String> {
    let one = |(edge, truster): (&Edge, &StoreStatus<'_>)| {
        let Need { waits, hindered, .. } = need(context, identity, &edge.id, truster, anchors)?;
        let held = hold(context, truster, anchors) == Presence::Present;
        let restarts: Vec<_> = waits.iter().filter(|wait| matches!(wait, Wait::Restart(_))).collect();
        Some(match (hindered, restarts.as_slice()) {
            (Some(_), _) => format!("{} (which is blocked)", truster.def.id),
            (None, [wait, ..]) if held => format!("{} ({wait})", truster.def.id),
            (None, _) => truster.def.id.to_string(),
        })
    };
    trusters(context, identity).filter_map(one).collect()
}

/// Why the renewal of an identity changes none of its trusters. `None` if the identity is not renewed, or if that is not
/// so or cannot be told.
pub(crate) fn unchanged_trusters(
    context: &PlanContext<'_>,
    identity: &IdentityId,
    one: &Settled,
) -> Option<UnchangedTrusters> {
    let def = context.topology.identities.get(identity).filter(|def| is_staged(def))?;
    let present = one.present.as_ref()?;
    let (authority, _) = authority::issuer_of(context.authorities, present)?;
    let issuers = |prints: &[Fingerprint]| prints.iter().copied().collect::<BTreeSet<Fingerprint>>();
    let mut anchors = issuers(&authority::anchors_of(context.authorities, present, context.now));
    let replied = match &one.course {
        Course::Rotate(overlap) => match &overlap.stage {
            Stage::Install(next, _) if next.by_chain && issuers(&next.anchors) == anchors => true,
            Stage::Begin(_) | Stage::Extend(_) | Stage::Install(..) | Stage::Settle(_) => return None,
        },
        Course::Request(CertificateRequest { authority: name, .. }) | Course::AtAuthority { name, obstacle: None }
            if name == authority.name() =>
        {
            anchors.extend(authority.trust_anchors().map(|c| c.fingerprint()));
            false
        }
        _ => return None,
    };
    let anchors: Vec<Fingerprint> = anchors.into_iter().collect();
    let own = [present.fingerprint()];
    let lacks_own = |(edge, truster): (&Edge, &StoreStatus<'_>)| {
        edge.anchor == Anchor::ByIssuer && hold(context, truster, &own) == Presence::Absent
    };
    let unchanged = trusters(context, &def.id).next().is_some()
        && trusters(context, &def.id).all(lacks_own)
        && needs(context, &def.id, &anchors).is_empty();
    unchanged.then(|| UnchangedTrusters { authority: authority.name().to_owned(), replied })
}

/// Whether a service has surely read a certificate that its store holds. No restart is pending, and the store is
/// unchanged since a restart was acknowledged. If nobody here can see the store, the acknowledgement must list the
/// certificate.
fn is_restarted(context: &PlanContext<'_>, truster: &StoreStatus<'_>, service: &ServiceId, print: Fingerprint) -> bool {
    if truster.facts().is_some() && !truster.is_hand_off() {
        return has_read(context, truster, service);
    }
    let ledger = &context.observed.ledger;
    let read = || ledger.acks.get(service)?.read.get(&truster.def.id).map(|prints| prints.contains(&print));
    !ledger.restarts.contains_key(service) && read() == Some(true)
}

/// Whether a service has surely read a store in its present state.
pub(crate) fn has_read(context: &PlanContext<'_>, store: &StoreStatus<'_>, service: &ServiceId) -> bool {
    let ledger = &context.observed.ledger;
    let seen = || ledger.acks.get(service)?.seen.get(&store.def.id);
    !ledger.restarts.contains_key(service) && store.facts().is_some_and(|facts| seen() == Some(&facts.seen()))
}

/// Adds to `readers` which of these certificates each service reads if it restarts now.
pub(crate) fn readers(
    context: &PlanContext<'_>,
    identity: &IdentityId,
    anchors: &[Fingerprint],
    readers: &mut BTreeMap<ServiceId, ServiceReading>,
) {
    for (edge, truster) in trusters(context, identity) {
        for print in anchors.iter().filter(|print| holds(context, truster, **print) == Presence::Present) {
            for service in &truster.def.restart {
                let reading = readers.entry(service.clone()).or_default();
                reading.next.entry(edge.store.clone()).or_default().insert(*print);
            }
        }
    }
}

/// The rotation of an identity that has its new certificate and whose service has not restarted since. While a truster
/// still holds the old certificate, a restart counts only if the identity's store is unchanged since then.
pub(crate) fn settling(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    home: &StoreStatus<'_>,
    current: &Arc<Certificate>,
) -> Option<Overlap> {
    let ledger = &context.observed.ledger;
    let print = current.fingerprint();
    let replaced = ledger.predecessors.iter().filter(|(old, p)| {
        p.staged && p.identity == def.id && p.replaced_by == print && !context.topology.distrust.contains_key(*old)
    });
    let (old, record) = replaced.max_by_key(|(_, p)| p.at)?;
    let held = || trusters(context, &def.id).any(|(_, truster)| holds(context, truster, *old) == Presence::Present);
    // If a service restarted with this certificate already, a pending restart is because of another change in the
    // store.
    let presents =
        |service: &ServiceId| ledger.acks.get(service).and_then(|ack| ack.presents.get(&def.id)) == Some(&print);
    let waits = |service: &&ServiceId| {
        let pending = ledger.restarts.contains_key(*service) && !presents(service);
        pending || (!has_read(context, home, service) && held())
    };
    let open: Vec<Wait> = def.restart.iter().filter(waits).map(|s| Wait::Restart(s.clone())).collect();
    if open.is_empty() {
        return None;
    }
    let next = Next {
        certificate: Arc::clone(current),
        since: record.at,
        anchors: vec![print],
        by_chain: authority::issuer_of(context.authorities, current).is_some(),
    };
    Some(Overlap {
        identity: def.id.clone(),
        stage: Stage::Settle(next),
        old: *old,
        old_wanted: None,
        needs: vec![Need { edge: None, waits: open, hindered: None }],
    })
}

/// Whether the identity changes its certificate by a rotation that breaks nothing.
pub(crate) fn is_staged(def: &IdentityDef) -> bool {
    def.rotation == Rotation::Staged
}

/// The findings on a rotation under way, and on its obstacles.
pub(crate) fn findings(context: &PlanContext<'_>, def: &IdentityDef, overlap: &Overlap) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(next) = overlap.next() {
        let day = text::day(next.since.as_second());
        let severity = wait_severity(context, next.since);
        let late = if severity == Severity::Error { "; this has been waiting too long" } else { "" };
        let message = match (&overlap.stage, overlap.awaits()) {
            (Stage::Begin(_) | Stage::Extend(_), Some(waits)) => {
                format!("the rotation to the certificate made on {day} waits for {waits}{late}")
            }
            (Stage::Begin(_) | Stage::Extend(_), None) => {
                format!("the certificate made on {day} is being added to the stores that trust this identity{late}")
            }
            (Stage::Install(..), _) => {
                format!("its next certificate was made on {day}; all stores that trust it hold the new one{late}")
            }
            (Stage::Settle(_), waits) => format!(
                "its new certificate was installed on {day}; the old one stays trusted until {}{late}",
                waits.unwrap_or_default()
            ),
        };
        findings.push(Finding::of_identity(FindingKind::RotationWaiting, &def.id, message).with_severity(severity));
        if context.options.replace.contains(&def.id) {
            let message =
                "--replace is ignored, because a rotation of this identity is in progress; finish that rotation first";
            findings.push(
                Finding::of_identity(FindingKind::RotationWaiting, &def.id, message).with_severity(Severity::Warning),
            );
        }
    }
    // An obstacle is no wait: a person must remove it.
    let hindrances = overlap.needs.iter().filter_map(|n| n.hindered.as_ref());
    let hindrances: BTreeSet<(FindingKind, String)> = hindrances.map(|why| (why.finding(), why.to_string())).collect();
    findings.extend(hindrances.into_iter().map(|(kind, why)| Finding::of_identity(kind, &def.id, why)));
    findings
}
