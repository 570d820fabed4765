//! Compares the certificates that services present with the known ones. It takes the answers of services as facts, and
//! gives findings. It asks no service itself, and without an answer it reports nothing.

use std::collections::BTreeMap;

use trustmason_keystore::{CertificateSlot, Fingerprint};
use trustmason_spec::name::IdentityId;
use trustmason_spec::topology::{CertificateSource, IdentityDef, Subject};

use crate::context::PlanContext;
use crate::course::Settled;
use crate::finding::{Finding, FindingKind};
use crate::observed::ServedLook;
use crate::text;

/// The findings on services of selected hosts.
pub(crate) fn findings(context: &PlanContext<'_>, settled: &BTreeMap<Subject, Settled>) -> Vec<Finding> {
    let judged = |id: &IdentityId| context.selection.takes(context.topology, &id.host);
    let served = context.observed.served.iter().filter(|(id, _)| judged(id));
    served.filter_map(|(id, look)| one(context, settled, id, look)).collect()
}

fn one(
    context: &PlanContext<'_>,
    settled: &BTreeMap<Subject, Settled>,
    id: &IdentityId,
    look: &ServedLook,
) -> Option<Finding> {
    let slot = match look {
        ServedLook::Presented(slot) => slot,
        ServedLook::Unreachable(why) => return Some(Finding::of_identity(FindingKind::EndpointUnreachable, id, why)),
    };
    let def = context.topology.identities.get(id)?;
    // Without a known certificate there is nothing to compare; that has a finding of its own.
    let known = settled.get(&Subject::Identity(id.clone()))?.present.as_ref()?.fingerprint();
    let served = slot.fingerprint();
    (served != known).then(|| {
        let message = differs(context, def, slot, known);
        Finding::of_identity(FindingKind::ServedDiffers, id, message).at(None, Some(served))
    })
}

fn differs(context: &PlanContext<'_>, def: &IdentityDef, slot: &CertificateSlot, known: Fingerprint) -> String {
    let served = slot.fingerprint();
    let port = def.served_at.map_or_else(String::new, |port| format!("port {port} "));
    let what = match slot.certificate() {
        Some(c) => format!("{}, which ends on {}", text::escape(c.subject()), text::day(c.not_after())),
        None => "a certificate that does not parse".to_owned(),
    };
    let place = match &def.source {
        CertificateSource::KeyEntry(place) => place.path(),
        CertificateSource::Exported { .. } => "the exported file".to_owned(),
        CertificateSource::File(file) => file.display().to_string(),
    };
    let former = context.observed.ledger.predecessors.contains_key(&served);
    let advice = match &def.source {
        CertificateSource::KeyEntry(_) if former => {
            "that is its former certificate, so the service was not restarted yet; restart it"
        }
        CertificateSource::KeyEntry(_) => "restart the service, or check whether it reads another store",
        CertificateSource::Exported { .. } => {
            "check which one is right; `trustmason collect` fetches the presented certificate"
        }
        CertificateSource::File(_) => "check which one is right, and export it again",
    };
    format!("{port}presents {what} (sha256 {served}), but {place} holds sha256 {known}; {advice}")
}
