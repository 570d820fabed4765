//! Settles an identity whose certificate an authority issues. Its key is made first and waits in staging with a
//! request. Nothing else changes until a reply has passed its guards. Then its rotation is like any other, except that
//! trusters get the issuers instead of the certificate.
//!
//! | state | what exists | what comes next |
//! |---|---|---|
//! | `csr-pending` | nothing yet | this plan makes key and request |
//! | `at-ca` | a key in staging, a request | the authority's reply |
//! | `validated` | a reply that may be used | trusters get its issuers, then it is installed |
//! | `active` | a certificate of the authority | renewal, in time |

use std::sync::Arc;

use trustmason_keystore::{Certificate, EntryId, Fingerprint};
use trustmason_spec::topology::{IdentityDef, KeyPlace};

use super::purpose;
use super::renewal::{self, Renewal};
use crate::authority::{self, ReplyVerdict};
use crate::change::{CertificateOrigin, FromKind, Material};
use crate::context::PlanContext;
use crate::course::{Asked, CertificateRequest, Course, Next, Settled};
use crate::finding::{Finding, FindingKind, Severity};
use crate::observed::StagedKey;
use crate::outline::Obstacle;
use crate::overlap;
use crate::status::StoreStatus;
use crate::text;
use crate::why::Why;

/// The facts of the entry that an authority's certificate is for.
pub(super) struct KnownEntry<'g, 'a> {
    pub home: &'g StoreStatus<'a>,
    /// Where the key is, or where it will be.
    pub key: &'g KeyPlace,
    pub entry: Option<EntryId>,
    pub current: Option<Arc<Certificate>>,
    pub findings: Vec<Finding>,
    /// The fault of the present certificate, whoever issued it.
    pub reason: Option<(FindingKind, String)>,
}

pub(super) fn settle(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    name: &str,
    mut known: KnownEntry<'_, '_>,
) -> Settled {
    let Some(authority) = context.authorities.get(name) else {
        return blocked(known, Why::UnknownAuthority { what: format!("{name} is not declared") });
    };
    if let Some(why) = authority.fault() {
        let said = Finding::of_identity(FindingKind::UnknownAuthority, &def.id, why.to_string());
        known.findings.push(said);
        return blocked(known, why.clone());
    }
    let own = known.current.as_ref().is_some_and(|current| authority.chain(current).is_some());
    let mut reason = known.reason.take();
    if !own && reason.is_none() {
        let is = match &known.current {
            Some(current) if current.is_self_issued() => "is self-signed".to_owned(),
            Some(current) => format!("was issued by {}", text::escape(current.issuer())),
            None => "does not exist".to_owned(),
        };
        reason = Some((
            FindingKind::IssuerMismatch,
            format!("its certificate {is}, but the spec wants one issued by {name}"),
        ));
    }
    let staged = context.observed.staged(&def.id).filter(|look| look.opens && !is_installed(look, &known));
    let Some(staged) = staged else {
        return match reason {
            Some((finding, reason)) => ask(def, name, known, finding, reason),
            None => rest(context, def, known),
        };
    };
    // The request changes nothing about the end of the present certificate. It is reported until the reply is there.
    let ending = reason.clone().filter(|(finding, _)| matches!(finding, FindingKind::Expired | FindingKind::Expiring));
    let (finding, reason) = reason.unwrap_or((FindingKind::RotationWaiting, "its next key is in staging".to_owned()));
    let current = known.current.as_deref();
    let faults =
        match authority::reply(context.topology, context.observed, authority, def, staged, current, context.now) {
            ReplyVerdict::Nothing => Vec::new(),
            ReplyVerdict::Bad(faults) => faults,
            ReplyVerdict::Good { leaf, issuers, anchors, place: at } => {
                let lost = current.and_then(|current| purpose::client_auth_lost(def, current, &leaf, &at));
                known.findings.extend(lost);
                let next = Next {
                    anchors: anchors.iter().map(|c| c.fingerprint()).collect(),
                    by_chain: true,
                    since: staged.since,
                    certificate: leaf,
                };
                let from = CertificateOrigin {
                    kind: FromKind::Reply,
                    place: at,
                    sha256: Some(next.certificate.fingerprint()),
                };
                return arrived(context, def, known, next, issuers, from, (finding, reason));
            }
        };
    let print = known.current.as_ref().map(|c| c.fingerprint());
    let told = ending.map(|(kind, why)| Finding::of_identity(kind, &def.id, why).at(known.key.at.stored(), print));
    known.findings.extend(told);
    waits(context, def, name, known, staged, faults)
}

/// Whether a staged key is already in use: a run ended after it wrote the store and before it removed the key from
/// staging.
fn is_installed(look: &StagedKey, known: &KnownEntry<'_, '_>) -> bool {
    known.current.as_ref().is_some_and(|current| current.spki_der() == look.certificate.spki_der())
}

/// Trusters ask for the certificate that the identity presents now: nothing changes for them.
fn present(known: &KnownEntry<'_, '_>, def: &IdentityDef, authority: &str) -> Result<Asked, Why> {
    match &known.current {
        Some(current) => {
            let from = CertificateOrigin {
                kind: FromKind::Store,
                place: known.key.path(),
                sha256: Some(current.fingerprint()),
            };
            Ok(Asked { material: Material::Known(Arc::clone(current)), from: Some(from) })
        }
        None => Err(Why::AwaitsReply { identity: def.id.clone(), authority: authority.to_owned() }),
    }
}

/// The certificate is good. Perhaps the service must still be restarted.
fn rest(context: &PlanContext<'_>, def: &IdentityDef, known: KnownEntry<'_, '_>) -> Settled {
    let asked = present(&known, def, "");
    let settling = known.current.as_ref().filter(|_| overlap::is_staged(def));
    let overlap = settling.and_then(|current| overlap::settling(context, def, known.home, current));
    let mut findings = known.findings;
    findings.extend(overlap.iter().flat_map(|overlap| overlap::findings(context, def, overlap)));
    let course = overlap.map_or(Course::Rest, |overlap| Course::Rotate(Box::new(overlap)));
    Settled { asked, present: known.current, course, findings }
}

/// This run makes a key and a request, if the store allows it.
fn ask(def: &IdentityDef, name: &str, known: KnownEntry<'_, '_>, finding: FindingKind, reason: String) -> Settled {
    let asked = present(&known, def, name);
    let mut findings = Vec::new();
    let hindered =
        known.home.blocking().map(|finding| Why::SourceBlocked { store: known.home.def.id.clone(), finding });
    let print = known.current.as_ref().map(|c| c.fingerprint());
    let may = known.home.selected && hindered.is_none();
    if known.home.selected {
        let message = match &hindered {
            Some(why) => format!("{reason}; {why}"),
            None => format!("{reason}; apply makes a key and a request for {name}"),
        };
        findings.push(Finding::of_identity(finding, &def.id, message).at(known.key.at.stored(), print));
    }
    let course = if may {
        Course::Request(CertificateRequest { authority: name.to_owned(), place: known.key.clone() })
    } else {
        Course::Stuck { obstacle: None }
    };
    // A fault of the certificate that is replaced is reported once, with what is done about it.
    findings.extend(known.findings.into_iter().filter(|said| said.kind != finding));
    Settled { asked, present: known.current, course, findings }
}

/// The request is at the authority. `faults` are the faults of its reply so far.
fn waits(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    name: &str,
    known: KnownEntry<'_, '_>,
    staged: &StagedKey,
    faults: Vec<(FindingKind, String, Option<Fingerprint>)>,
) -> Settled {
    let asked = present(&known, def, name);
    let day = text::day(staged.since.as_second());
    let severity = overlap::wait_severity(context, staged.since);
    let late = if severity == Severity::Error { "; this has been waiting too long" } else { "" };
    let folder = context.topology.authorities.get(name).and_then(|authority| authority.inbox.as_ref());
    let into = folder.map_or_else(String::new, |folder| format!(" (put the reply into {})", folder.display()));
    let message = format!("its request was made on {day} and waits for the reply from {name}{into}{late}");
    let mut findings = known.findings;
    findings.push(Finding::of_identity(FindingKind::RotationWaiting, &def.id, message).with_severity(severity));
    let inbox = context.authorities.get(name).and_then(|authority| authority.inbox);
    let unread = inbox.and_then(|inbox| inbox.failure.as_ref()).map(|failure| {
        (
            FindingKind::UnknownAuthority,
            format!("the inbox of {name} cannot be read: {failure}; correct `inbox:`"),
            None,
        )
    });
    let faults: Vec<_> = unread.into_iter().chain(faults).collect();
    let told = |message: &str| faults.iter().any(|(_, said, _)| said == message);
    let files = inbox.iter().flat_map(|inbox| &inbox.files).filter(|file| file.certificates.is_empty());
    let unread = files.filter_map(|file| file.failure.as_ref()).filter(|failure| !told(&failure.message));
    findings.extend(unread.map(|failure| {
        let message = format!("the inbox of {name}: {}", failure.message);
        Finding::of_identity(FindingKind::ReplyEncoding, &def.id, message).with_severity(Severity::Warning)
    }));
    let obstacle = faults.first().map(|(kind, why, _)| Obstacle { kind: *kind, why: why.clone() });
    findings.extend(
        faults.into_iter().map(|(kind, message, print)| Finding::of_identity(kind, &def.id, message).at(None, print)),
    );
    Settled { asked, present: known.current, course: Course::AtAuthority { name: name.to_owned(), obstacle }, findings }
}

/// The reply may be used.
fn arrived(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    known: KnownEntry<'_, '_>,
    next: Next,
    issuers: Vec<Arc<Certificate>>,
    from: CertificateOrigin,
    (finding, reason): (FindingKind, String),
) -> Settled {
    let draft = Renewal {
        place: known.key,
        entry: known.entry,
        current: known.current,
        finding,
        reason,
        findings: known.findings,
    };
    renewal::with_reply(context, def, known.home, draft, renewal::Reply { next, issuers, from })
}

/// The authority cannot be used.
fn blocked(known: KnownEntry<'_, '_>, why: Why) -> Settled {
    let course = Course::Stuck { obstacle: Some(Obstacle::of(&why)) };
    let asked = match &known.current {
        // The present certificate still works.
        Some(current) => Ok(Asked { material: Material::Known(Arc::clone(current)), from: None }),
        None => Err(why),
    };
    Settled { asked, present: known.current, course, findings: known.findings }
}
