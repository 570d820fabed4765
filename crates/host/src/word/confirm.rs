//! Records what a person says of a hand-off: that exactly the pack that was written is in the store, or what an export of the
//! store shows. A plan that asks for something else by now is not confirmed by it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use trustmason_keystore::{Credential, Digest, EntryKind, Fingerprint, Interner};
use trustmason_plan::ledger::{Confirmation, ConfirmationKind, HandOff};
use trustmason_plan::observed::{Observed, StoreFacts, StoreLook};
use trustmason_plan::outline::{Manual, Plan};
use trustmason_plan::pack::Resolved;
use trustmason_plan::target::{Called, HandOffTarget};
use trustmason_spec::topology::{StoreDef, Topology, Write};

use crate::disk::{Disk, DiskError, Limit};
use crate::look::{Keys, OpenError, open};
use crate::record::audit::{Entry, Event};
use crate::record::ledger::Loaded;
use crate::run::packs;
use crate::secret::{SecretError, Secrets};
use crate::state::lock::Lock;
use crate::word::decision::{self, Decision, DecisionError};

/// What is said, and the present state of things it is held against.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// What the pack was for.
    pub target: &'a HandOffTarget,
    /// An export of the store, if it was not only said.
    pub from: Option<&'a Path>,
    /// Who says it.
    pub by: &'a str,
    /// The time.
    pub now: Timestamp,
    /// The plan of this moment.
    pub plan: &'a Plan,
    /// The estate that the plan was made for.
    pub topology: &'a Topology,
    /// What was seen when the plan was made.
    pub observed: &'a Observed,
    /// The ledger that the plan was made from.
    pub ledger: &'a Loaded,
}

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// Nothing is left to a person there, by this plan.
    #[error("no hand-off of {target} is pending now{}; `trustmason plan` lists all pending hand-offs", if *by_hand { "" } else {
        ": trustmason writes it itself"
    })]
    NotHandOff {
        /// What was named.
        target: Called,
        /// Whether a person changes it when something must be changed.
        by_hand: bool,
    },
    /// Two things of one name have packs.
    #[error("{name} is both a store and an identity with a pack; write {store} or {identity}")]
    Ambiguous {
        /// What was named.
        name: String,
        /// The store in full.
        store: String,
        /// The identity in full.
        identity: String,
    },
    /// No pack was written.
    #[error("no pack was written for {target} yet; run `trustmason apply` first")]
    NoPack {
        /// For what.
        target: Called,
    },
    /// The plan asks for something else than the pack.
    #[error("the pack for {target}, written on {written}, is outdated; run `trustmason apply` for a new pack")]
    MovedOn {
        /// For what.
        target: Called,
        /// When the pack was written.
        written: Timestamp,
    },
    /// The export cannot be read.
    #[error(transparent)]
    Export(#[from] OpenError),
    /// The password of an exported store.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The export does not show what the store holds.
    #[error("{} is not a complete export of the store: {why}; export it again", path.display())]
    Unclear {
        /// The export.
        path: PathBuf,
        /// What cannot be told from the export, for people.
        why: String,
    },
    /// It could not be recorded.
    #[error(transparent)]
    Decision(#[from] DecisionError),
}

/// Which of two targets of one name a person means, who gave the name alone: the one that has a pack.
///
/// # Errors
/// [`ConfirmError::Ambiguous`] where both have one.
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

/// Records a claim.
///
/// # Errors
/// [`ConfirmError`]; nothing was recorded.
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
        // Nothing is left to do there: the word that settled it is given again, an export takes its place, or whoever carried the pack
        // out exported the store too, which says more than their word.
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
                    claim.topology.identities.get(id).is_some_and(|def| def.write == Write::HandOff)
                }
            };
            return Err(ConfirmError::NotHandOff { target, by_hand });
        }
    };
    let minted = std::collections::BTreeMap::new();
    let certain = Resolved { minted: &minted };
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
    // That a certificate was made anew is seen in its file, and only then is the pack for it done.
    let done = added == wanted.len() && removed == unwanted.len() && claim.target.store().is_some();
    let confirmation = record(claim, handoff, confirmation, disk, lock)?;
    // What is recorded counts, whether the folder could be cleared or not.
    let away = || packs::put_away(disk, lock.state(), claim.target).err();
    Ok(Confirmed { confirmation, added, removed, left: done.then(away).flatten() })
}

/// What was recorded.
#[derive(Debug)]
pub struct Confirmed {
    /// As it stands in the ledger.
    pub confirmation: Confirmation,
    /// Certificates that the pack brings and that are there now.
    pub added: usize,
    /// Certificates that the pack removes and that are gone now.
    pub removed: usize,
    /// Why the files of the pack that is done are still in its folder.
    pub left: Option<DiskError>,
}

/// What a pack brings, and what it removes.
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
    let line = Entry {
        plan: Some(handoff.pack),
        reason: Some(kind.to_owned()),
        ..Entry::new(Event::Confirm, claim.now, claim.by).of_target(claim.target)
    };
    let decision = Decision { ledger: &ledger, lines: &[line], digest: handoff.pack, now: claim.now };
    decision::record(&decision, claim.ledger, disk, lock)?;
    Ok(confirmation)
}

/// The digest of what is seen of the store now; a mirror that changes later counts more than this word.
fn mirror(claim: Claim<'_>) -> Option<Digest> {
    match claim.target.store().and_then(|store| claim.observed.stores.get(store)) {
        Some(StoreLook::Readable(facts)) => Some(facts.sha256),
        Some(StoreLook::Absent { .. } | StoreLook::Unreadable(_) | StoreLook::Unobserved) | None => None,
    }
}

/// What was confirmed before, said anew.
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

/// A person's word: exactly this pack, beside what was confirmed before and is not contradicted by it.
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

/// An export: its whole listing.
fn observed(
    claim: Claim<'_>,
    export: &Path,
    secrets: &Secrets,
    certificates: &Interner,
) -> Result<Confirmation, ConfirmError> {
    let def = claim.target.store().and_then(|store| claim.topology.stores.get(store));
    let secret = def.and_then(StoreDef::password);
    let password = secret.map(|secret| secrets.get(secret)).transpose()?;
    let facts = open(export, Limit::Export, Credential::declared(password.as_ref()), Keys::None, certificates)
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

/// What is not in an export counts as absent, so that one which is empty or partly unreadable is none.
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
