//! Findings that do not come from edges: the reader's remarks on a store, keys that several hosts share, and which
//! findings the spec accepts. It takes facts and gives findings; it makes no change.
#![warn(clippy::arithmetic_side_effects)]

pub(crate) mod options;

use std::collections::{BTreeMap, BTreeSet};

use globset::Glob;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use trustmason_keystore::{Entry, Remark, StoredAlias};
use trustmason_spec::name::Fqdn;
use trustmason_spec::topology::{Reach, Subject, Topology};

use crate::context::PlanContext;
use crate::course::Settled;
use crate::finding::{Finding, FindingKind};
use crate::java;
use crate::status::StoreStatus;
use crate::text;

/// The finding for a reader's remark: kind, alias and text. `None` if the remark is not worth a finding.
pub fn remark(remark: &Remark, entries: &[Entry]) -> Option<(FindingKind, Option<StoredAlias>, String)> {
    let kind = remark_kind(remark)?;
    let alias = remark.entry().and_then(|id| entries.iter().find(|e| e.id == id)).and_then(|e| e.alias.clone());
    Some((kind, alias, remark.to_string()))
}

fn remark_kind(remark: &Remark) -> Option<FindingKind> {
    match remark {
        Remark::DuplicateAlias { .. } | Remark::AliasCaseCollision { .. } | Remark::UpperCaseAlias { .. } => {
            Some(FindingKind::JvmInvisible)
        }
        Remark::UntrustedBag { .. } | Remark::HiddenKey { .. } | Remark::JvmCannotOpen { .. } => {
            Some(FindingKind::JvmInvisible)
        }
        Remark::JvmUnloadable { .. } | Remark::UnknownCertificateType { .. } => Some(FindingKind::JvmUnloadable),
        Remark::JvmCannotTell { .. } => Some(FindingKind::JvmDoubtful),
        Remark::PrivateKeyInTrust { .. } => Some(FindingKind::PrivateKeyInTrust),
        Remark::LimitedTrust { .. } | Remark::RestrictedTrust { .. } => Some(FindingKind::LimitedTrust),
        Remark::BadBlock { .. } | Remark::ForeignFile { may_be_certificate: true, .. } => Some(FindingKind::Unreadable),
        Remark::Unverified
        | Remark::ClosedPart { .. }
        | Remark::NoMac
        | Remark::TrailingBytes { .. }
        | Remark::AliasNotText { .. }
        | Remark::UnreadCertificate { .. }
        | Remark::LoosePem { .. }
        | Remark::BundleAmongCertificates { .. }
        | Remark::SignedMessage { .. }
        | Remark::OtherHash { .. }
        | Remark::Archived { .. }
        | Remark::KeyElsewhere { .. }
        | Remark::ForeignFile { may_be_certificate: false, .. } => None,
    }
}

/// The findings from the reader's remarks on a store.
pub(crate) fn store(status: &StoreStatus<'_>) -> Vec<Finding> {
    let Some(facts) = status.facts() else {
        return Vec::new();
    };
    let mut findings: Vec<Finding> = facts
        .remarks
        .iter()
        .filter_map(|r| remark(r, &facts.entries))
        // The verdict on the store reports this one, with what to do about it.
        .filter(|(kind, ..)| *kind != FindingKind::JvmUnloadable)
        .map(|(kind, alias, message)| (kind, alias, with_path(status, kind, message)))
        .map(|(kind, alias, message)| Finding::of_store(kind, &status.def.id, message).at(alias, None))
        .collect();
    if matches!(status.def.reach, Reach::System { .. }) {
        // Many roots that Windows ships are limited. The limits of wanted certificates are reported where these are
        // compared.
        findings.retain(|f| f.kind != FindingKind::LimitedTrust);
    }
    if status.def.is_hand_off() {
        // A mirror is a folder of exports. It does not matter what a JVM would make of it.
        findings.retain(|f| !matches!(f.kind, FindingKind::JvmInvisible | FindingKind::JvmDoubtful));
    }
    findings.extend(java::too_old(status.def, facts));
    findings
}

/// Adds the file or folder that is damaged to a remark about damage.
fn with_path(status: &StoreStatus<'_>, kind: FindingKind, message: String) -> String {
    if kind == FindingKind::Unreadable { format!("{}: {message}", status.path) } else { message }
}

/// Reports a key in the certificates of several hosts: whoever takes one of these hosts has the key of all (D26 in
/// docs/findings.md).
pub(crate) fn shared_keys(context: &PlanContext<'_>, settled: &BTreeMap<Subject, Settled>) -> Vec<Finding> {
    let mut by_key: BTreeMap<[u8; 32], BTreeSet<&trustmason_spec::name::IdentityId>> = BTreeMap::new();
    for (subject, one) in settled {
        if let (Subject::Identity(id), Some(present)) = (subject, &one.present) {
            by_key.entry(present.spki_sha256()).or_default().insert(id);
        }
    }
    let mut findings = Vec::new();
    for ids in by_key.into_values() {
        let hosts: BTreeSet<&Fqdn> = ids.iter().map(|i| &i.host).collect();
        if hosts.len() < 2 {
            continue;
        }
        let all: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let first = ids.iter().find(|i| context.selection.takes(context.topology, &i.host));
        if let Some(id) = first {
            let message = format!("{} have the same private key; give each host a key of its own", all.join(", "));
            findings.push(Finding::of_identity(FindingKind::SharedKey, id, message));
        }
    }
    findings
}

/// Marks the findings that the spec accepts for now. The end day itself still counts as accepted, in UTC.
pub(crate) fn accept(topology: &Topology, now: Timestamp, findings: &mut [Finding]) {
    let today = now.to_zoned(TimeZone::UTC).date();
    for accept in &topology.accept {
        // A text that is no day accepts nothing.
        if accept.until.parse::<Date>().map_or(true, |until| until < today) {
            continue;
        }
        let glob = accept.store.as_deref().and_then(|g| Glob::new(g).ok()).map(|g| g.compile_matcher());
        for finding in findings.iter_mut().filter(|f| f.kind.as_str() == accept.finding) {
            let store = match (&glob, &finding.store) {
                (None, _) => accept.store.is_none(),
                (Some(glob), Some(id)) => glob.is_match(id.to_string()),
                (Some(_), None) => false,
            };
            let print = accept.sha256.is_none() || accept.sha256 == finding.sha256;
            if store && print && finding.severity != crate::finding::Severity::Blocked {
                finding.accepted = true;
                finding.message =
                    format!("{} (accepted until {}: {})", finding.message, accept.until, text::escape(&accept.why));
            }
        }
    }
}
