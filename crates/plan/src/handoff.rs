//! Stores and identities that only people change. It takes what exports show and what people confirmed, and gives the
//! work that is left for people. It never changes such a store itself.
#![warn(clippy::arithmetic_side_effects)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use trustmason_keystore::{Digest, Fingerprint};
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::topology::{CertificateSource, IdentityDef, Issuer, StoreDef, Subject, Topology, WriteMode};

use crate::change::Material;
use crate::context::PlanContext;
use crate::course::{Course, Overlap, Settled};
use crate::days;
use crate::diff::{self, Diff, DraftVerdict, WantedEdge};
use crate::finding::{Finding, FindingKind, Severity};
use crate::observed::trusted;
use crate::outline::{Manual, ManualItem, ManualKind, Withdrawal};
use crate::overlap;
use crate::pack::STOP;
use crate::presence::{Known, Presence, known};
use crate::settle::Settlement;
use crate::shell::Command;
use crate::site::Site;
use crate::status::StoreStatus;
use crate::system_entry;
use crate::target::HandOffTarget;
use crate::text;
use crate::why::Why;

/// The digest that names a pack: the certificates that must be in the store, and those that must not.
pub fn pack_digest<'a>(
    holds: impl IntoIterator<Item = &'a Fingerprint>,
    gone: impl IntoIterator<Item = &'a Fingerprint>,
) -> Digest {
    let mut hash = Sha256::new();
    let holds: BTreeSet<_> = holds.into_iter().collect();
    let gone: BTreeSet<_> = gone.into_iter().collect();
    for (sign, set) in [("+", holds), ("-", gone)] {
        for fingerprint in set {
            hash.update(format!("{sign}{fingerprint}\n"));
        }
    }
    Digest::from(<[u8; 32]>::from(hash.finalize()))
}

/// Compares one store that people change with the edges that end in it.
pub(crate) fn store<'a>(
    context: &'a PlanContext<'a>,
    status: &StoreStatus<'_>,
    settlement: &'a Settlement<'a>,
) -> (Diff, Option<Manual>) {
    let id = &status.def.id;
    let wanted_edges = diff::wanted_edges(context, settlement, id);
    if let Some(why) = status.blocked() {
        return (Diff::blocked(why, &wanted_edges), None);
    }
    let mut out = Diff::default();
    let known = known(context, status);
    let mut manual = Manual {
        called: HandOffTarget::Store(id.clone()).called(context.topology),
        kind: ManualKind::Store,
        reason: None,
        add: Vec::new(),
        verify: Vec::new(),
        remove: Vec::new(),
        system: status.def.system().cloned(),
        elsewhere: BTreeMap::new(),
        steps: Vec::new(),
        restarts: Vec::new(),
        waiting_since: None,
    };
    let mut wanted = BTreeSet::new();
    for WantedEdge { index, edge, settled } in wanted_edges {
        let overlap = settled.course.overlap();
        let next = overlap.map(Overlap::material);
        let item = |material: &Material| ManualItem {
            material: material.clone(),
            subject: edge.subject.to_string(),
            why: if next.as_ref() == Some(material) {
                format!("{}; the present certificate stays too, until a later pack removes it", edge.why)
            } else {
                edge.why.clone()
            },
            rule: Some(edge.rule.clone()),
        };
        let mut ask = |material: &Material| match material {
            Material::Minted(_) => {
                manual.add.push(item(material));
                DraftVerdict::Manual(format!("import the new certificate of {}", edge.subject))
            }
            Material::Known(certificate) => {
                let fingerprint = certificate.fingerprint();
                wanted.insert(fingerprint);
                match known.presence(fingerprint) {
                    Presence::Present => DraftVerdict::Held,
                    Presence::Unread => {
                        DraftVerdict::Blocked(Why::Unread { what: known.unread.clone().unwrap_or_default() })
                    }
                    Presence::Absent => {
                        manual.add.push(item(material));
                        DraftVerdict::Manual(format!("import the certificate of {}", edge.subject))
                    }
                    Presence::Unknown => {
                        manual.verify.push(item(material));
                        DraftVerdict::Unobserved
                    }
                }
            }
        };
        let verdict = match (overlap, &settled.asked) {
            (Some(overlap), _) => {
                // A certificate that a service may still present is never asked to be removed.
                let old = match &overlap.old_wanted {
                    Some(old) => ask(&Material::Known(Arc::clone(old))),
                    None => DraftVerdict::Held,
                };
                // If an authority issued the next certificate, its issuers are trusted instead, by edges of their own.
                match if overlap.is_by_chain() { DraftVerdict::Held } else { ask(&overlap.material()) } {
                    DraftVerdict::Held => old,
                    next => next,
                }
            }
            (None, Err(why)) => DraftVerdict::Blocked(why.clone()),
            (None, Ok(asked)) => ask(&asked.material),
        };
        out.verdicts.insert(index, verdict);
    }
    let named = |print: &Fingerprint| {
        let items = manual.add.iter().chain(&manual.verify);
        items.filter(|i| i.material.known() == Some(*print)).map(|i| (*print, i.subject.clone())).next()
    };
    out.findings.extend(system_entry::findings(context, status, &wanted.iter().filter_map(named).collect()));
    manual.remove = removals(context, status, &known, &wanted, &settlement.predecessors);
    if let Some(age) = observation_age(context, status, &known) {
        let message = format!(
            "the last export or confirmation of this store is {} old; export the store again",
            text::count(age, "day")
        );
        out.findings.push(Finding::of_store(FindingKind::ObservationOld, id, message));
    }
    if manual.add.is_empty() && manual.verify.is_empty() && manual.remove.is_empty() {
        return (out, None);
    }
    dedup(&mut manual.add);
    dedup(&mut manual.verify);
    manual.steps = store_steps(status.def, &manual);
    waiting(context, id, &mut manual, &mut out.findings);
    (out, Some(manual))
}

/// The steps at a store, for certificates that are added and for those that are removed. A step for both is listed
/// once, at the end.
fn store_steps(def: &StoreDef, manual: &Manual) -> Vec<String> {
    let comes = !manual.add.is_empty() || !manual.verify.is_empty();
    if def.steps.is_empty() {
        let at = match Site::of(def) {
            Site::File(at) | Site::Folder(at) | Site::Pair { certificate: at, .. } => at.path,
            Site::System { .. } => "the system's certificate stores".to_owned(),
        };
        let place = format!("the store {} of {} ({at})", def.id.name, def.id.host);
        let come = format!(
            "Import each file that is listed above into {place}; import a file under Verify only if its certificate is absent there."
        );
        let go = format!("Remove each certificate under Remove from {place}.");
        return [(comes, come), (!manual.remove.is_empty(), go)]
            .into_iter()
            .filter_map(|(is, step)| is.then_some(step))
            .collect();
    }
    if def.removal_steps.is_empty() {
        return def.steps.clone();
    }
    let removal: &[String] = if manual.remove.is_empty() { &[] } else { &def.removal_steps };
    let first = def.steps.iter().filter(|step| comes && !removal.contains(step));
    first.chain(removal).cloned().collect()
}

fn dedup(items: &mut Vec<ManualItem>) {
    let mut seen = BTreeSet::new();
    items.retain(|i| seen.insert(i.material.clone()));
}

/// The certificates that a person must remove. Only a certificate that was seen in the store, or that a person said to
/// be there, is ever asked to be removed.
fn removals(
    context: &PlanContext<'_>,
    status: &StoreStatus<'_>,
    known: &Known<'_>,
    wanted: &BTreeSet<Fingerprint>,
    predecessors: &BTreeMap<Fingerprint, IdentityId>,
) -> Vec<Withdrawal> {
    let mut seen: BTreeMap<Fingerprint, Option<String>> = BTreeMap::new();
    let ours = status.facts().into_iter().flat_map(|f| f.entries.iter()).filter(|e| status.kept_by(e).is_none());
    for slot in ours.filter_map(trusted) {
        let retired = slot.certificate().filter(|c| context.is_retired(c));
        let gone = retired.map(|c| format!("it names only {}, which left the estate", crate::constraints::carries(c)));
        seen.insert(slot.fingerprint(), gone);
    }
    for fingerprint in known.said.iter().flat_map(|said| &said.holds) {
        seen.entry(*fingerprint).or_insert(None);
    }
    let mut out = Vec::new();
    for (fingerprint, retired) in seen {
        if wanted.contains(&fingerprint) || known.presence(fingerprint) != Presence::Present {
            continue;
        }
        let why = context
            .topology
            .distrust
            .get(&fingerprint)
            .map(|why| format!("distrusted: {why}"))
            .or(retired)
            .or_else(|| predecessors.get(&fingerprint).map(|id| format!("{id} has a new certificate now")));
        if let Some(why) = why {
            let subject = predecessors.get(&fingerprint).map_or_else(|| fingerprint.to_string(), ToString::to_string);
            out.push(Withdrawal { sha256: fingerprint, certificate: None, subject, why });
        }
    }
    out
}

fn observation_age(context: &PlanContext<'_>, status: &StoreStatus<'_>, known: &Known<'_>) -> Option<usize> {
    let said = known.said.map(|s| s.at.as_second());
    let seen = status.facts().and_then(|f| f.modified);
    let newest = said.into_iter().chain(seen).max()?;
    let age = days::whole(days::between(newest, context.now.as_second()));
    let most = usize::try_from(context.topology.policy.observation_max_age_days).unwrap_or(usize::MAX);
    (age > most).then_some(age)
}

/// Sets since when the work waits, if a pack with exactly this content was written before, and reports the work.
fn waiting(context: &PlanContext<'_>, id: &StoreId, manual: &mut Manual, findings: &mut Vec<Finding>) {
    let prints =
        |items: &[ManualItem]| -> Option<Vec<Fingerprint>> { items.iter().map(|i| i.material.known()).collect() };
    let content = prints(&manual.add).zip(prints(&manual.verify));
    let pack = content.map(|(add, verify)| {
        let gone = manual.remove.iter().map(|item| &item.sha256);
        pack_digest(add.iter().chain(&verify), gone)
    });
    let written =
        context.observed.ledger.handoffs.get(manual.target()).filter(|h| Some(h.pack) == pack).map(|h| h.written);
    manual.waiting_since = written;
    match written {
        Some(at) => {
            let late = overlap::wait_severity(context, at) == Severity::Error;
            let message = format!(
                "a pack has been waiting for a person since {}; carry it out, then: {}",
                text::day(at.as_second()),
                Command::here("trustmason confirm").file(&context.options.spec).word(&manual.called)
            );
            let finding = Finding::of_store(FindingKind::HandOffWaiting, id, message);
            findings.push(if late { finding } else { finding.with_severity(Severity::Info) });
        }
        None if !manual.add.is_empty() => {
            for item in &manual.add {
                let message = format!(
                    "this store must trust {} ({}); a person must import its certificate",
                    item.subject, item.why
                );
                findings.push(Finding::of_store(FindingKind::Missing, id, message).at(None, item.material.known()));
            }
        }
        None => {
            let message =
                "this machine cannot see this store; apply writes a pack that lists the certificates to verify"
                    .to_owned();
            findings.push(Finding::of_store(FindingKind::HandOffWaiting, id, message).with_severity(Severity::Info));
        }
    }
    if written.is_none() {
        for item in &manual.remove {
            findings.push(
                Finding::of_store(
                    FindingKind::Stale,
                    id,
                    format!("a person must remove this certificate: {}", item.why),
                )
                .at(None, Some(item.sha256)),
            );
        }
    }
}

/// The steps by which a person gets a certificate from an authority, if the profile has none. They never create a
/// self-signed certificate.
fn asked(def: &IdentityDef, authority: &str) -> [String; 2] {
    let host = &def.id.host;
    [
        format!(
            "Make a certificate request for {host} with the tools of the product, with {host} as subject alternative name. Send it to {authority}, which issues the certificate."
        ),
        format!("Import the certificates of {authority} on the machine, the root first."),
    ]
}

/// The steps to export the certificate, and where it must be saved so that the next plan finds it.
fn export(topology: &Topology, def: &IdentityDef) -> Vec<String> {
    let mut steps = def.export_steps.clone();
    if steps.is_empty() {
        steps.push(format!("Export the certificate that {} presents, without its private key.", def.id));
    }
    let folder = topology.certificates_dir.display();
    let place = match &def.source {
        CertificateSource::Exported { names } => match names.split_first() {
            Some((name, [])) => format!("{name} in the folder {folder}"),
            Some((name, others)) => {
                format!(
                    "{name} in the folder {folder} (or, if a file of that name exists there, {})",
                    others.join(" or ")
                )
            }
            None => return steps,
        },
        CertificateSource::File(path) => path.display().to_string(),
        CertificateSource::KeyEntry(_) => return steps,
    };
    steps.push(format!("On the machine where trustmason runs, save the certificate in Base-64 (PEM) as {place}."));
    steps
}

/// The steps for an identity that a person renews, the reason, and the certificates that must be brought to the
/// machine.
fn renewal(
    context: &PlanContext<'_>,
    def: &IdentityDef,
    one: &Settled,
    mut reason: String,
) -> (Vec<String>, String, Vec<ManualItem>) {
    let id = &def.id;
    let Issuer::Authority(name) = &def.issuer else {
        let mut steps = def.renew_steps.clone();
        if steps.is_empty() {
            let host = &def.id.host;
            steps.push(format!(
                "Make a new certificate for {id} with the tools of the product, with {host} as common name and subject alternative name."
            ));
        }
        steps.extend(export(context.topology, def));
        return (steps, reason, Vec::new());
    };
    let [mut steps, install] = if def.request_steps.is_empty() {
        let install = "Install the reply, and restart the service that presents it.".to_owned();
        [asked(def, name).to_vec(), vec![install]]
    } else {
        [def.request_steps.clone(), def.install_steps.clone()]
    };
    if let Some(anchors) = overlap::issuers_by_hand(context, def, one)
        && overlap::trusters(context, id).next().is_some()
    {
        let unready: Vec<String> = overlap::unready(context, id, &anchors).into_iter().collect();
        match unready.as_slice() {
            [] => reason.push_str(&format!(
                ". Every store that trusts {id} holds the certificates of {name} now: the new certificate may be installed"
            )),
            stores => steps.push(format!(
                "{STOP}request the new certificate now, but do not install it yet: not all stores that trust {id} hold the certificates of {name} \
                 (missing: {}). When all hold them, trustmason plan says so, and trustmason apply writes these steps without this line.",
                stores.join(", ")
            )),
        }
    }
    steps.extend(install);
    steps.extend(export(context.topology, def));
    let authority = context.authorities.get(name.as_str()).filter(|authority| authority.fault().is_none());
    let certificates = authority.into_iter().flat_map(|authority| authority.certificates());
    let mut items: Vec<(bool, ManualItem)> = certificates
        .map(|(subject, certificate)| {
            let root = certificate.is_self_issued();
            let what = if root { "root" } else { "intermediate" };
            let why = format!("{what} of {name}, which issues the new certificate");
            (!root, ManualItem { material: Material::Known(Arc::clone(certificate)), subject, why, rule: None })
        })
        .collect();
    items.sort_by(|a, b| (a.0, &a.1.subject).cmp(&(b.0, &b.1.subject)));
    (steps, reason, items.into_iter().map(|(_, item)| item).collect())
}

/// The work on identities that people renew and export: bad certificates are renewed, missing files are exported again.
pub(crate) fn identities(context: &PlanContext<'_>, settled: &BTreeMap<Subject, Settled>) -> Vec<Manual> {
    let wanted: BTreeSet<&Subject> = context
        .topology
        .edges
        .iter()
        .filter(|e| context.statuses.get(&e.store).is_some_and(|s| s.selected))
        .map(|e| &e.subject)
        .collect();
    let mut out = Vec::new();
    for (subject, one) in settled {
        let Subject::Identity(id) = subject else {
            continue;
        };
        let Some(def) = context.topology.identities.get(id).filter(|d| d.write != WriteMode::Direct) else {
            continue;
        };
        let (kind, (steps, reason, verify)) = match (&one.course, &one.asked) {
            (Course::ByHand { why: reason, .. }, _) => {
                (ManualKind::Identity, renewal(context, def, one, reason.clone()))
            }
            (_, Err(why @ Why::SourceMissing { .. })) if wanted.contains(subject) => {
                (ManualKind::Export, (export(context.topology, def), why.to_string(), Vec::new()))
            }
            _ => continue,
        };
        out.push(Manual {
            called: HandOffTarget::Identity(id.clone()).called(context.topology),
            kind,
            reason: Some(reason),
            add: Vec::new(),
            verify,
            remove: Vec::new(),
            system: None,
            elsewhere: BTreeMap::new(),
            steps,
            restarts: Vec::new(),
            waiting_since: None,
        });
    }
    out
}
