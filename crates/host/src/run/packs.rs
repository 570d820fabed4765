//! Writes hand-off packs: what a person takes to a store that trustmason cannot write. A pack is written as a whole,
//! and only if it differs from the pack on the disk or in the ledger. Certificates of an older pack are removed from
//! its folder, so that nobody imports them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use trustmason_keystore::{Digest, Fingerprint};
use trustmason_plan::handoff::pack_digest;
use trustmason_plan::ledger::{HandOff, Ledger};
use trustmason_plan::outline::{Manual, Plan, StoreVerdict};
use trustmason_plan::pack::{self, Frame, KnownCertificates};
use trustmason_plan::target::HandOffTarget;

use super::PackOutcome;
use super::error::SkipReason;
use super::work::RunInProgress;
use crate::disk::{self, DiskError, ReadLimit};
use crate::record::journal::{Journal, Record};
use crate::state::State;

/// A pack as it should be.
struct ExpectedPack {
    digest: Digest,
    files: Vec<(String, Vec<u8>)>,
}

/// The digest of what a hand-off asks for; `None` if one of its certificates was not made yet.
pub(crate) fn digest(manual: &Manual, certificates: &KnownCertificates<'_>) -> Option<Digest> {
    let items = manual.add.iter().chain(&manual.verify);
    let holds = items.map(|item| certificates.get(&item.material).map(|c| c.fingerprint()));
    let holds: Vec<Fingerprint> = holds.collect::<Option<_>>()?;
    Some(pack_digest(&holds, manual.remove.iter().map(|item| &item.sha256)))
}

fn wanted(manual: &Manual, certificates: &KnownCertificates<'_>, frame: &Frame) -> Option<ExpectedPack> {
    Some(ExpectedPack { digest: digest(manual, certificates)?, files: pack::render(manual, certificates, frame)? })
}

/// Whether the disk and the ledger have this pack already. The comparison covers what the pack asks for and the files
/// in it. A certificate that was certainly absent before and only cannot be seen now makes no new pack.
fn is_current(state: &State, ledger: &Ledger, target: &HandOffTarget, pack: &ExpectedPack) -> bool {
    let told = ledger.handoffs.get(target).is_some_and(|handoff| handoff.pack == pack.digest);
    told && disk::read_folder(&state.pack(target)).is_ok_and(|files| {
        files.len() == pack.files.len()
            && files.iter().zip(&pack.files).all(|((name, is), (wanted, bytes))| {
                name == wanted
                    && match name.as_str() {
                        "STEPS.md" => true,
                        "pack.json" => pack_content(is) == pack_content(bytes),
                        _ => is == bytes,
                    }
            })
    })
}

/// The content of a `pack.json`, with its lists "add" and "verify" joined.
fn pack_content(json: &[u8]) -> Option<serde_json::Value> {
    let mut document: serde_json::Map<_, _> = serde_json::from_slice(json).ok()?;
    let mut items: Vec<_> =
        ["add", "verify"].into_iter().filter_map(|list| document.remove(list)?.as_array().cloned()).flatten().collect();
    items.sort_by_key(ToString::to_string);
    document.insert("hold".to_owned(), items.into());
    Some(document.into())
}

/// Whether any pack of a plan must be written.
pub(super) fn due(plan: &Plan, state: &State, ledger: &Ledger) -> bool {
    let minted = BTreeMap::new();
    let certificates = KnownCertificates { minted: &minted };
    let frame = Frame::of(plan);
    plan.manual.iter().any(|manual| match wanted(manual, &certificates, &frame) {
        Some(pack) => !is_current(state, ledger, manual.target(), &pack) || !is_noted(plan, ledger, manual.target()),
        None => true,
    })
}

/// Writes one pack, if it differs from the one that is there.
pub(super) fn write(
    work: &RunInProgress<'_>,
    journal: &Journal<'_>,
    ledger: &mut Ledger,
    manual: &Manual,
) -> PackOutcome {
    let target = manual.target();
    let folder = work.state.pack(target);
    let Some(pack) = wanted(manual, &work.resolved(), &Frame::of(work.plan)) else {
        return PackOutcome::Skipped { why: SkipReason::PackIncomplete };
    };
    if is_current(&work.state, ledger, target, &pack) && is_noted(work.plan, ledger, target) {
        return PackOutcome::Unchanged { folder };
    }
    let earlier = ledger.handoffs.get(target);
    let asked = asked_now(work.plan, target);
    let handoff = HandOff {
        pack: pack.digest,
        written: earlier.filter(|h| h.pack == pack.digest).map_or(work.now, |h| h.written),
        confirmed: earlier.and_then(|h| h.confirmed.clone()).filter(|_| asked.is_none()),
        replaces: asked.or_else(|| earlier.and_then(|h| h.replaces)),
    };
    match put(work, &folder, &pack) {
        Ok(()) => {}
        Err(error) => return PackOutcome::failed(error.into()),
    }
    if let Err(error) = journal.note(&Record::Pack { target: target.clone(), handoff: handoff.clone() }) {
        return PackOutcome::failed(error.into());
    }
    ledger.handoffs.insert(target.clone(), handoff);
    PackOutcome::Written { folder }
}

/// The certificate of an identity that this plan was asked to replace.
fn asked_now(plan: &Plan, target: &HandOffTarget) -> Option<Fingerprint> {
    let HandOffTarget::Identity(id) = target else { return None };
    let view = plan.identities.iter().find(|view| view.id == *id)?;
    view.certificate.as_ref().filter(|_| plan.options.replace.contains(id)).map(|c| c.fingerprint())
}

/// Whether the ledger records the replacement that this plan was asked for; true if it was asked for none.
fn is_noted(plan: &Plan, ledger: &Ledger, target: &HandOffTarget) -> bool {
    let noted = |asked| {
        let handoff = ledger.handoffs.get(target);
        handoff.is_some_and(|handoff| handoff.replaces == Some(asked) && handoff.confirmed.is_none())
    };
    asked_now(plan, target).is_none_or(noted)
}

/// Removes the files of a completed pack from its folder, so that nobody carries it out again. Files that a person put
/// beside them stay. A pack that is already removed is no error.
pub(crate) fn put_away(disk: &disk::Disk, state: &State, target: &HandOffTarget) -> Result<(), DiskError> {
    let folder = state.pack(target);
    state.is_inside(&folder)?;
    if !disk::facts_if_there(&folder)?.is_some_and(|facts| facts.is_folder()) {
        return Ok(());
    }
    for (name, _) in disk::read_folder(&folder)? {
        let ours = matches!(name.as_str(), "STEPS.md" | "pack.json" | "import.reg") || name.ends_with(".pem");
        if ours {
            disk.remove(&folder.join(name))?;
        }
    }
    disk.remove_empty_dir(&folder)
}

/// The packs that are completed: the plan asks for nothing there, and its stores and files show it.
pub(crate) fn done<'a>(plan: &'a Plan, ledger: &'a Ledger) -> impl Iterator<Item = &'a HandOffTarget> {
    let asked: BTreeSet<&HandOffTarget> = plan.manual.iter().map(Manual::target).collect();
    ledger.handoffs.keys().filter(move |target| {
        let seen = match target {
            HandOffTarget::Store(id) => {
                plan.stores.iter().any(|view| view.id == *id && view.verdict == StoreVerdict::InSync)
            }
            HandOffTarget::Identity(id) => {
                plan.identities.iter().any(|view| view.id == *id && view.certificate.is_some())
            }
        };
        seen && !asked.contains(target)
    })
}

fn put(work: &RunInProgress<'_>, folder: &Path, pack: &ExpectedPack) -> Result<(), DiskError> {
    let disk = work.context.disk;
    disk.make_dir(folder)?;
    super::leftovers::remove_leftovers(disk, &work.state, work.sites(), &work.run, folder)?;
    let names: BTreeSet<&str> = pack.files.iter().map(|(name, _)| name.as_str()).collect();
    for (name, _) in disk::read_folder(folder)? {
        if !names.contains(name.as_str()) {
            disk.remove(&folder.join(name))?;
        }
    }
    for (name, bytes) in &pack.files {
        disk.keep(&folder.join(name), bytes, ReadLimit::Store, work.run.as_str())?;
    }
    Ok(())
}
