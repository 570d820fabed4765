//! Records what a person reports about a hand-off: that the store has what the pack asks for, or what an export of the
//! store shows. If the plan asks for something else by now, nothing is confirmed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use trustmason_keystore::{Credential, Digest, EntryKind, Fingerprint, Interner};
use trustmason_plan::ledger::{Confirmation, ConfirmationKind, HandOff};
use trustmason_plan::observed::{Observed, StoreFacts, StoreLook};
use trustmason_plan::outline::{Manual, Plan};
use trustmason_plan::pack::KnownCertificates;
use trustmason_plan::target::{HandOffTarget, TargetName};
use trustmason_spec::topology::{StoreDef, Topology, WriteMode};

use crate::disk::{Disk, DiskError, ReadLimit};
use crate::look::{KeysToTry, OpenError, open};
use crate::record::audit::{AuditEntry, AuditEvent};
use crate::record::ledger::Loaded;
use crate::run::packs;
use crate::secret::{SecretError, Secrets};
use crate::state::lock::Lock;
use crate::word::decision::{self, Decision, DecisionError};

/// A report, and the present facts that it is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The store or the identity that the pack is for.
    pub target: &'a HandOffTarget,
    /// An export of the store; `None` if the person only says so.
    pub from: Option<&'a Path>,
    /// The person.
    pub by: &'a str,
    /// The time.
    pub now: Timestamp,
    /// The plan of this moment.
    pub plan: &'a Plan,
    /// The estate that the plan was made for.
    pub topology: &'a Topology,
    /// The facts that the plan was made from.
    pub observed: &'a Observed,
    /// The ledger that the plan was made from.
    pub ledger: &'a Loaded,
}

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// The plan asks nothing of a person for this target.
    #[error("no hand-off of {target} is pending now{}; `trustmason plan` lists all pending hand-offs", if *by_hand { "" } else {
        ": trustmason writes it itself"
    })]
    NotHandOff {
        /// The target that was named.
        target: TargetName,
        /// Whether a person makes the changes to this target, if any are needed.
        by_hand: bool,
    },
    /// A store and an identity of the same name both have packs.
    #[error("{name} is both a store and an identity with a pack; write {store} or {identity}")]
    Ambiguous {
        /// The name that was given.
        name: String,
        /// The full name of the store.
        store: String,
        /// The full name of the identity.
        identity: String,
    },
    /// No pack was written.
    #[error("no pack was written for {target} yet; run `trustmason apply` first")]
    NoPack {
        /// The target.
        target: TargetName,
    },
    /// The plan asks for something else than the pack.
    #[error("the pack for {target}, written on {written}, is outdated; run `trustmason apply` for a new pack")]
    MovedOn {
        /// The target.
        target: TargetName,
        /// When the pack was written.
        written: Timestamp,
    },
    /// The export cannot be read.
    #[error(transparent)]
    Export(#[from] OpenError),
    /// The password of an exported store is not available.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The export does not show what the store holds.
    #[error("{} is not a complete export of the store: {why}; export it again", path.display())]
    Unclear {
        /// The export.
        path: PathBuf,
        /// The remark on the export that makes its list of certificates doubtful, for people.
        why: String,
    },
    /// The confirmation could not be recorded.
    #[error(transparent)]
    Decision(#[from] DecisionError),
}

/// Which of two targets with the same name is meant when only the name was given: the one that has a pack.
///
/// # Errors
/// [`ConfirmError::Ambiguous`] if both have one.
pub fn meant(
    store: HandOffTarget,
    identity: HandOffTarget,
    plan: &Plan,
    ledger: &Loaded,
) -> Result<HandOffTarget, ConfirmError> {
    let handed = |target: &HandOffTarget| {
        ledger.ledger.handoffs.contains_key(target) || plan.manual.iter().any(|manual| manual.target() == target)
    };
    match (handed(&store), handed(&identity)) {
        (true, true) => {
            Err(ConfirmError::Ambiguous { name: store.id(), store: store.full(), identity: identity.full() })
        }
        (false, true) => Ok(identity),
        (true | false, false) => Ok(store),
    }
}

/// Records a report.
///
/// # Errors
/// [`ConfirmError`].
pub fn confirm(
    claim: Claim<'_>,
    disk: &Disk,
    secrets: &Secrets,
    certificates: &Interner,
    lock: &mut Lock,
) -> Result<Confirmed, ConfirmError> {
    let target = claim.target.called(claim.topology);
    let handoff = claim.ledger.ledger.handoffs.get(claim.target);
    let manual = claim.plan.manual.iter().find(|manual| manual.target() == claim.target);
    let (handoff, manual) = match (handoff, manual) {
        (Some(handoff), Some(manual)) => (handoff, manual),
        // The plan asks nothing for this target any more. Then a confirmation may be repeated, an export may replace
        // it, or the person who carried out the pack may give an export, which says more than a report.
        (Some(handoff), None)
            if handoff.confirmed.is_some()
                || packs::done(claim.plan, &claim.ledger.ledger).any(|done| done == claim.target) =>
        {
            let confirmation = match claim.from {
                None => again(claim, handoff),
                Some(export) => observed(claim, export, secrets, certificates)?,
            };
            let unsaid = handoff.confirmed.is_none();
            let confirmation = record(claim, handoff, confirmation, disk, lock)?;
            let away = || packs::put_away(disk, lock.state(), claim.target).err();
            return Ok(Confirmed { confirmation, added: 0, removed: 0, left: unsaid.then(away).flatten() });
        }
        (Some(handoff), None) => return Err(ConfirmError::MovedOn { target, written: handoff.written }),
        (None, Some(_)) => return Err(ConfirmError::NoPack { target }),
        (None, None) => {
            let by_hand = match claim.target {
                HandOffTarget::Store(id) => claim.topology.stores.get(id).is_some_and(StoreDef::is_hand_off),
                HandOffTarget::Identity(id) => {
                    claim.topology.identities.get(id).is_some_and(|def| def.write == WriteMode::HandOff)
                }
            };
            return Err(ConfirmError::NotHandOff { target, by_hand });
        }
    };
    let minted = std::collections::BTreeMap::new();
    let certain = KnownCertificates { minted: &minted };
    if packs::digest(manual, &certain) != Some(handoff.pack) {
        return Err(ConfirmError::MovedOn { target, written: handoff.written });
    }
    let confirmation = match claim.from {
        None => claimed(claim, manual, handoff),
        Some(export) => observed(claim, export, secrets, certificates)?,
    };
    let (wanted, unwanted) = asked(manual);
    let (added, removed) = match confirmation.kind {
        ConfirmationKind::Claimed => (wanted.len(), unwanted.len()),
        ConfirmationKind::Observed => {
            (wanted.intersection(&confirmation.holds).count(), unwanted.difference(&confirmation.holds).count())
        }
    };
    // A pack for an identity is done only when the new certificate is seen in its file.
    let done = added == wanted.len() && removed == unwanted.len() && claim.target.store().is_some();
    let confirmation = record(claim, handoff, confirmation, disk, lock)?;
    // The record counts, whether the pack's folder could be cleared or not.
    let away = || packs::put_away(disk, lock.state(), claim.target).err();
    Ok(Confirmed { confirmation, added, removed, left: done.then(away).flatten() })
}

/// A recorded confirmation.
#[derive(Debug)]
pub struct Confirmed {
    /// The confirmation in the ledger.
    pub confirmation: Confirmation,
    /// How many certificates that the pack adds are there now.
    pub added: usize,
    /// How many certificates that the pack removes are gone now.
    pub removed: usize,
    /// Why the files of the completed pack are still in their folder, if they are.
    pub left: Option<DiskError>,
}

/// The certificates that a pack adds, and those that it removes.
fn asked(manual: &Manual) -> (BTreeSet<Fingerprint>, BTreeSet<Fingerprint>) {
    let wanted = manual.add.iter().chain(&manual.verify).filter_map(|item| item.material.known()).collect();
    (wanted, manual.remove.iter().map(|item| item.sha256).collect())
}

/// Stores a confirmation in the ledger.
fn record(
    claim: Claim<'_>,
    handoff: &HandOff,
    confirmation: Confirmation,
    disk: &Disk,
    lock: &mut Lock,
) -> Result<Confirmation, ConfirmError> {
    let mut ledger = claim.ledger.ledger.clone();
    ledger.handoffs.insert(claim.target.clone(), HandOff { confirmed: Some(confirmation.clone()), ..handoff.clone() });
    let kind = match confirmation.kind {
        ConfirmationKind::Claimed => "claimed",
        ConfirmationKind::Observed => "read from an export",
    };
    let line = AuditEntry {
        plan: Some(handoff.pack),
        reason: Some(kind.to_owned()),
        ..AuditEntry::new(AuditEvent::Confirm, claim.now, claim.by).of_target(claim.target)
    };
    let decision = Decision { ledger: &ledger, lines: &[line], digest: handoff.pack, now: claim.now };
    decision::record(&decision, claim.ledger, disk, lock)?;
    Ok(confirmation)
}

/// The digest of the mirror as it is now. If the mirror changes later, the mirror counts more than this confirmation.
fn mirror(claim: Claim<'_>) -> Option<Digest> {
    match claim.target.store().and_then(|store| claim.observed.stores.get(store)) {
        Some(StoreLook::Readable(facts)) => Some(facts.sha256),
        Some(StoreLook::Absent { .. } | StoreLook::Unreadable(_) | StoreLook::Unobserved) | None => None,
    }
}

/// The earlier confirmation, repeated now.
fn again(claim: Claim<'_>, handoff: &HandOff) -> Confirmation {
    let earlier = handoff.confirmed.clone();
    Confirmation {
        at: claim.now,
        by: claim.by.to_owned(),
        kind: earlier.as_ref().map_or(ConfirmationKind::Claimed, |e| e.kind),
        holds: earlier.as_ref().map(|e| e.holds.clone()).unwrap_or_default(),
        gone: earlier.map(|e| e.gone).unwrap_or_default(),
        mirror: mirror(claim),
    }
}

/// A person's report: this pack, plus what was confirmed before and does not contradict the pack.
fn claimed(claim: Claim<'_>, manual: &Manual, handoff: &HandOff) -> Confirmation {
    let mirror = mirror(claim);
    let earlier = handoff.confirmed.as_ref().filter(|earlier| earlier.mirror == mirror);
    let (added, removed) = asked(manual);
    let mut holds = earlier.map(|e| e.holds.clone()).unwrap_or_default();
    holds.retain(|fingerprint| !removed.contains(fingerprint));
    holds.extend(&added);
    let mut gone = earlier.map(|e| e.gone.clone()).unwrap_or_default();
    gone.retain(|fingerprint| !added.contains(fingerprint));
    gone.extend(&removed);
    Confirmation { at: claim.now, by: claim.by.to_owned(), kind: ConfirmationKind::Claimed, holds, gone, mirror }
}

/// An export: its whole list of certificates.
fn observed(
    claim: Claim<'_>,
    export: &Path,
    secrets: &Secrets,
    certificates: &Interner,
) -> Result<Confirmation, ConfirmError> {
    let def = claim.target.store().and_then(|store| claim.topology.stores.get(store));
    let secret = def.and_then(StoreDef::password);
    let password = secret.map(|secret| secrets.get(secret)).transpose()?;
    let facts = open(export, ReadLimit::Export, Credential::declared(password.as_ref()), KeysToTry::None, certificates)
        .map_err(|error| error.tried(secret, password.as_ref()))?;
    let holds = listing(&facts).map_err(|why| ConfirmError::Unclear { path: export.to_owned(), why })?;
    Ok(Confirmation {
        at: claim.now,
        by: claim.by.to_owned(),
        kind: ConfirmationKind::Observed,
        holds,
        gone: BTreeSet::new(),
        mirror: mirror(claim),
    })
}

/// The certificates in an export. A certificate that is not in an export counts as absent, so an empty or partly
/// unreadable export is refused.
fn listing(facts: &StoreFacts) -> Result<BTreeSet<Fingerprint>, String> {
    if let Some(bad) = facts.remarks.iter().find(|remark| remark.hides_certificate()) {
        return Err(bad.to_string());
    }
    let trusted = facts.entries.iter().filter_map(|entry| match &entry.kind {
        EntryKind::Trusted(slot) => Some(slot.fingerprint()),
        EntryKind::PrivateKey { .. } | EntryKind::SecretKey | EntryKind::Untrusted(_) | EntryKind::Opaque(_) => None,
    });
    let holds: BTreeSet<Fingerprint> = trusted.collect();
    if holds.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(holds) }
}
