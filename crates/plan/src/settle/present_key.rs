//! Settles an identity whose key entry was found: whether its certificate is good, and if not, whether it is renewed at
//! once, by a rotation, or not at all.

use std::sync::Arc;

use trustmason_keystore::{Certificate, Entry};
use trustmason_spec::topology::{IdentityDef, Issuer, KeyPlace};

use super::issued;
use super::purpose;
use super::renewal::{Renewal, renew, renew_staged, soft_findings};
use crate::authority;
use crate::change::{CertificateOrigin, FromKind, Material};
use crate::constraints;
use crate::context::PlanContext;
use crate::course::{Asked, Course, Settled};
use crate::finding::{Finding, FindingKind, Severity};
use crate::observed::KeyLook;
use crate::overlap;
use crate::status::StoreStatus;
use crate::text;
use crate::why::Why;

pub(super) fn present(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    status: &StoreStatus<'_>,
    place: &KeyPlace,
    entry: &Entry,
    chain: &[trustmason_keystore::CertificateSlot],
) -> Settled {
    let Some(current) = chain.first().and_then(|slot| slot.certificate()).cloned() else {
        let why = Why::SourceUnreadable {
            subject: def.id.to_string(),
            class: crate::observed::FailureClass::Unreadable,
            message: match chain {
                [] => format!("{place} has no certificate"),
                _ => format!("the certificate of {place} does not parse"),
            },
        };
        return Settled::unknown(why);
    };
    let mut findings = key_findings(def, status, entry, &current);
    findings.extend(purpose::public_issuer(context, def, &current, chain));
    if let Some(key) = context.observed.staged(&def.id).filter(|key| overlap::is_outdated(key, &current)) {
        let day = text::day(key.since.as_second());
        let message = format!(
            "the key in staging, made on {day}, is older than the certificate in use and is not used; remove {}",
            key.path.display()
        );
        findings.push(Finding::of_identity(FindingKind::Stale, &def.id, message).with_severity(Severity::Info));
    }
    let faults = constraints::judge(&current, def, context.now);
    let from = CertificateOrigin { kind: FromKind::Store, place: place.path(), sha256: Some(current.fingerprint()) };
    let asked = context.options.replace.contains(&def.id);
    let staged = overlap::staged(context, def, Some(&current));
    let distrusted = context.topology.distrust.get(&current.fingerprint());
    let reason = if let Some(why) = distrusted {
        Some((FindingKind::Distrusted, format!("its certificate is distrusted: {why}")))
    } else if let Some(fault) = faults.iter().find(|f| f.demands_new()) {
        Some((fault.kind(), fault.to_string()))
    } else {
        asked.then(|| (FindingKind::Stale, "asked for with --replace".to_owned()))
    };
    if let Issuer::Authority(name) = &def.issuer {
        findings.extend(soft_findings(context, def, &current, &faults));
        let entry = Some(entry.id);
        let known = issued::KnownEntry { home: status, key: place, entry, current: Some(current), findings, reason };
        return issued::settle(context, def, name, known);
    }
    let back = def.issuer_explicit && authority::issuer_of(context.authorities, &current).is_some();
    let reason = reason.or_else(|| {
        let from = text::escape(current.issuer());
        back.then(|| {
            (FindingKind::IssuerMismatch, format!("it was issued by {from}, but the spec wants it self-signed"))
        })
    });
    let usable = !reason.as_ref().is_some_and(|(kind, _)| overlap::is_useless(*kind));
    let settling = overlap::is_staged(def) && usable;
    let settling = settling.then(|| overlap::settling(context, def, status, &current)).flatten();
    let foreign = !current.is_self_issued() && def.issuer == Issuer::SelfSigned && !def.issuer_explicit;
    let cause = match (reason, staged) {
        (Some((_, reason)), _) if foreign => {
            findings.extend(soft_findings(context, def, &current, &faults));
            return ca_issued(def, current, distrusted, &reason, findings);
        }
        // One rotation after the other: trusters hold two certificates of an identity, never three.
        (_, _) if settling.is_some() => None,
        (Some(reason), _) => Some(reason),
        (None, Some(look)) if !foreign => {
            let day = text::day(look.since.as_second());
            Some((FindingKind::RotationWaiting, format!("its next key, made on {day}, is in staging")))
        }
        (None, _) => None,
    };
    let Some((finding, reason)) = cause else {
        findings.extend(soft_findings(context, def, &current, &faults));
        findings.extend(settling.iter().flat_map(|overlap| overlap::findings(context, def, overlap)));
        let asked = Ok(Asked { material: Material::Known(Arc::clone(&current)), from: Some(from) });
        let course = settling.map_or(Course::Rest, |overlap| Course::Rotate(Box::new(overlap)));
        return Settled { asked, present: Some(current), course, findings };
    };
    let draft = Renewal { place, entry: Some(entry.id), current: Some(current), finding, reason, findings };
    if overlap::is_staged(def) {
        renew_staged(context, def, status, draft, staged, from)
    } else {
        renew(context, def, status, draft)
    }
}

/// A CA's certificate stays, whatever is wrong with it, until the spec says otherwise. Edges ask for it if it names its
/// host.
fn ca_issued(
    def: &IdentityDef,
    current: Arc<Certificate>,
    distrusted: Option<&String>,
    reason: &str,
    mut findings: Vec<Finding>,
) -> Settled {
    let why = Why::IssuerMismatch { identity: def.id.clone(), issuer: text::escape(current.issuer()) };
    findings.push(
        Finding::of_identity(FindingKind::IssuerMismatch, &def.id, format!("{reason}; {why}"))
            .at(None, Some(current.fingerprint())),
    );
    let place = def.id.to_string();
    let asked = match distrusted {
        // A certificate that the spec distrusts is imported into no store.
        Some(why) => Err(Why::Distrusted { subject: place, why: why.clone() }),
        None if constraints::names(&current, def) => {
            let from = CertificateOrigin { kind: FromKind::Store, place, sha256: Some(current.fingerprint()) };
            Ok(Asked { material: Material::Known(Arc::clone(&current)), from: Some(from) })
        }
        None => Err(why),
    };
    Settled { asked, present: Some(current), course: Course::Stuck { obstacle: None }, findings }
}

fn key_findings(def: &IdentityDef, status: &StoreStatus<'_>, entry: &Entry, current: &Certificate) -> Vec<Finding> {
    let Some(look) = status.facts().and_then(|f| f.keys.get(&entry.id)) else {
        return Vec::new();
    };
    let text = match look {
        KeyLook::Opens => return Vec::new(),
        KeyLook::OtherPassword => {
            "the private key has another password than its store, so the service will not start \
             (UnrecoverableKeyException); set the key password with keytool -keypasswd"
        }
        KeyLook::Mismatch => {
            "the private key does not belong to its certificate; make a new key and certificate with --replace"
        }
        KeyLook::Unknown(why) => {
            let finding = Finding::of_identity(
                FindingKind::KeyPasswordMismatch,
                &def.id,
                format!("the private key could not be checked: {why}"),
            );
            return vec![finding.at(entry.alias.clone(), Some(current.fingerprint()))];
        }
    };
    let mut finding = Finding::of_identity(FindingKind::KeyPasswordMismatch, &def.id, text);
    finding.store = Some(status.def.id.clone());
    vec![finding.at(entry.alias.clone(), Some(current.fingerprint()))]
}
