//! Judges who would break if a run were rolled back now. It takes the stores that get their earlier content, and the
//! facts of the estate. It gives the edges that would break, and restores nothing.
//!
//! Between the rollback and the restarts after it, every client must go on trusting what its server presents. This must
//! hold for the store that the client last read and for the store on disk, with the key that the server last read and
//! with the key on disk. An edge for which it cannot hold is reported. The rollback is refused if that trust was whole
//! before the run and is whole now. It is not refused if the run itself had created or repaired the trust.
//!
//! The judgement rests on what the identities' stores hold *now*, never on what the state folder records of them. The
//! folder may be an older one that was put back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trustmason_keystore::path::{self, TlsUse};
use trustmason_keystore::{Alias, Certificate, Entry, EntryKind, Fingerprint, Format};
use trustmason_spec::name::{IdentityId, ServiceId, StoreId};
use trustmason_spec::topology::{CertificateSource, Edge, IdentityDef, KeyAt, KeyPlace, Rotation, Subject, Topology};

use crate::constraints::{self, Terms};
use crate::context::PlanContext;
use crate::index::Index;
use crate::ledger::StoreVersion;
use crate::observed::{Observed, StoreFacts, StoreLook, trusted};
use crate::outline::PlanOptions;
use crate::overlap;
use crate::presence::{self, Presence};
use crate::status::{self, Selection, StoreStatus};
use crate::{authority, text};

/// A rollback that is to be judged.
#[derive(Clone, Debug, Default)]
pub struct PlannedRollback {
    /// The stores that are restored.
    pub stores: BTreeMap<StoreId, Restored>,
}

/// One store that is restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The content of the store after the rollback.
    pub after: StoreAfter,
    /// The certificates that the identities which the store should trust presented when the run was planned, as far as
    /// they were seen.
    pub presented: BTreeMap<IdentityId, Presented>,
}

/// The certificate that an identity presented at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presented {
    /// The certificate.
    pub sha256: Fingerprint,
    /// The state of the identity's store, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreVersion>,
}

/// The content of a store after a rollback.
#[derive(Clone, Debug)]
pub enum StoreAfter {
    /// The store does not exist: the run created it.
    Gone,
    /// The store holds these entries.
    Holds(Format, Vec<Entry>),
    /// The content cannot be told; the reason.
    Unreadable(String),
}

/// The effect of a rollback on the trust between services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollbackEffect {
    /// Trust that is whole and would break: the rollback is refused.
    pub refused: Vec<Break>,
    /// Trust that fails as it did before the run, or that nobody here can see.
    pub told: Vec<Break>,
}

/// One edge that would break.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Break {
    /// The trusting store.
    pub truster: StoreId,
    /// The trusted identity.
    pub identity: IdentityId,
    /// Why the edge would break.
    pub cause: BreakCause,
}

/// Why an edge would break.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreakCause {
    /// The store will not trust the certificate that the identity presents then.
    Untrusted(Fingerprint),
    /// The identity will have no certificate.
    NoIdentity,
    /// The store holds the certificate that the identity will present, but these services may not have read it yet.
    Unread(BTreeSet<ServiceId>),
    /// These services may still present a certificate that the store will not trust any more.
    StillPresented(BTreeSet<ServiceId>),
    /// It cannot be told whether the edge would break; the reason.
    Unseen(String),
}

impl Break {
    /// The services whose restart would repair the edge.
    pub fn restarts(&self) -> impl Iterator<Item = &ServiceId> {
        match &self.cause {
            BreakCause::Unread(services) | BreakCause::StillPresented(services) => Some(services),
            BreakCause::Untrusted(_) | BreakCause::NoIdentity | BreakCause::Unseen(_) => None,
        }
        .into_iter()
        .flatten()
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { truster, identity, cause } = self;
        let list =
            |services: &BTreeSet<ServiceId>| services.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match cause {
            BreakCause::Untrusted(print) => {
                write!(f, "{truster} would not trust {identity}, which presents sha256 {}", print.short())
            }
            BreakCause::NoIdentity => write!(f, "{identity} would have no certificate, and {truster} trusts it"),
            BreakCause::Unread(services) => write!(
                f,
                "{identity} would present its earlier certificate, which {truster} holds and {} may not have read yet",
                list(services)
            ),
            BreakCause::StillPresented(services) => {
                write!(f, "{truster} would lose a certificate of {identity} that {} may still present", list(services))
            }
            BreakCause::Unseen(why) => write!(f, "cannot tell whether {truster} would trust {identity}: {why}"),
        }
    }
}

/// Judges what a rollback would break. Pure; whether the rollback is done is decided elsewhere.
pub fn judge(topology: &Topology, observed: &Observed, undo: &PlannedRollback, now: Timestamp) -> RollbackEffect {
    let options = PlanOptions::default();
    let selection = Selection::new(&options);
    let authorities = authority::take(topology, observed, now);
    let index = Index::of(topology, topology);
    let statuses = status::take(topology, observed, &selection, &index);
    let context = PlanContext {
        topology,
        observed,
        statuses: &statuses,
        selection: &selection,
        options: &options,
        now,
        index: &index,
        authorities: &authorities,
    };
    let mut judged = RollbackEffect::default();
    for edge in &topology.edges {
        let Subject::Identity(id) = &edge.subject else { continue };
        let (Some(def), Some(status)) = (topology.identities.get(id), statuses.get(&edge.store)) else { continue };
        let view = View { context: &context, undo, def, edge, status };
        for (refused, cause) in view.breaks() {
            let one = Break { truster: edge.store.clone(), identity: id.clone(), cause };
            if refused { judged.refused.push(one) } else { judged.told.push(one) }
        }
    }
    for list in [&mut judged.refused, &mut judged.told] {
        list.sort();
        list.dedup();
    }
    judged
}

/// For each store, the certificates of the identities that it should trust, as far as they were seen. They are kept
/// with every change of the store, so that a later rollback can tell whether the trust was whole then.
pub fn presented(topology: &Topology, observed: &Observed) -> BTreeMap<StoreId, BTreeMap<IdentityId, Presented>> {
    let seen = topology.identities.values().filter_map(|def| {
        let certificate = authority::present(observed, def)?;
        let home = match &def.source {
            CertificateSource::KeyEntry(place) => match observed.stores.get(&place.store) {
                Some(StoreLook::Readable(facts)) => Some(facts.seen()),
                _ => None,
            },
            CertificateSource::Exported { .. } | CertificateSource::File(_) => None,
        };
        Some((&def.id, Presented { sha256: certificate.fingerprint(), store: home }))
    });
    let seen: BTreeMap<&IdentityId, Presented> = seen.collect();
    let mut presented: BTreeMap<StoreId, BTreeMap<IdentityId, Presented>> = BTreeMap::new();
    for edge in &topology.edges {
        let Subject::Identity(id) = &edge.subject else { continue };
        if let Some(one) = seen.get(id) {
            presented.entry(edge.store.clone()).or_default().insert(id.clone(), one.clone());
        }
    }
    presented
}

/// The certificates that a service sends: its own, and those that it sends along.
#[derive(Clone)]
struct Sent {
    leaf: Arc<Certificate>,
    chain: Vec<Arc<Certificate>>,
}

/// The certificates that an identity presents, or why they cannot be seen.
enum Presents {
    This(Sent),
    Nothing,
    Unseen(String),
}

/// The certificates that a store trusts.
enum Trusts {
    These(Vec<(Fingerprint, Option<Arc<Certificate>>)>),
    Unseen(String),
}

/// One edge, and the rollback that is judged.
struct View<'v, 'a> {
    context: &'v PlanContext<'a>,
    undo: &'v PlannedRollback,
    def: &'v IdentityDef,
    edge: &'v Edge,
    status: &'v StoreStatus<'a>,
}

impl View<'_, '_> {
    /// Why the edge would break; with each cause whether the rollback is refused because of it.
    fn breaks(&self) -> Vec<(bool, BreakCause)> {
        let truster = self.undo.stores.get(&self.edge.store);
        let home = match &self.def.source {
            CertificateSource::KeyEntry(place) => self.undo.stores.get(&place.store),
            CertificateSource::Exported { .. } | CertificateSource::File(_) => None,
        };
        if truster.is_none() && home.is_none() {
            return Vec::new();
        }
        let present = self.presents_now();
        let future = home.map(|home| self.presents_in(&home.after));
        let future = future.as_ref().unwrap_or(&present);
        if self.status.is_by_hand() {
            return self.by_hand(future, &present);
        }
        let trusts = self.trusts_now();
        let after = match truster {
            Some(restored) => trusts_in(&restored.after),
            None => self.trusts_now(),
        };
        let mut causes = Vec::new();
        match (&after, future) {
            (Trusts::Unseen(why), _) => causes.push((true, BreakCause::Unseen(why.clone()))),
            (_, Presents::Nothing) => {
                causes.extend(home.map(|_| (false, BreakCause::NoIdentity)));
            }
            (Trusts::These(_), Presents::Unseen(why)) => {
                // Nobody can see what the identity presents, so none of its certificates may be removed.
                if self.loses_some(&trusts, &after) {
                    causes.push((true, BreakCause::Unseen(why.clone())));
                }
            }
            (Trusts::These(_), Presents::This(presented)) => {
                if !accepts(&after, presented) {
                    let whole = self.was_whole(truster, &trusts, &after, &present);
                    causes.push((whole, BreakCause::Untrusted(presented.leaf.fingerprint())));
                } else if home.is_some() && !is_same(&present, presented) {
                    causes.extend(self.unread(truster.is_some(), &trusts, presented));
                }
            }
        }
        causes.extend(self.still_presented(truster, &trusts, &after, future, &present));
        if !self.is_of_use(future) {
            causes.iter_mut().for_each(|(refused, _)| *refused = false);
        }
        causes
    }

    /// The causes for a store that people change. It is not restored here. It only matters whether it trusts the
    /// certificate that the identity gets back.
    fn by_hand(&self, future: &Presents, present: &Presents) -> Vec<(bool, BreakCause)> {
        let Presents::This(presented) = future else { return Vec::new() };
        if is_same(present, presented) {
            return Vec::new();
        }
        let known = presence::known(self.context, self.status);
        let prints = std::iter::once(&presented.leaf).chain(&presented.chain).map(|c| c.fingerprint());
        let mut presences: Vec<Presence> = prints.map(|print| known.presence(print)).collect();
        if let Some((_, chain)) = authority::issuer_of(self.context.authorities, &presented.leaf) {
            presences.extend(chain.iter().map(|c| known.presence(c.fingerprint())));
        }
        if presences.contains(&Presence::Present) {
            Vec::new()
        } else if presences.contains(&Presence::Unread) {
            let why = "an entry of that store cannot be read, and may be the certificate";
            vec![(false, BreakCause::Unseen(why.to_owned()))]
        } else if presences.contains(&Presence::Unknown) {
            vec![(false, BreakCause::Unseen("people change that store, and nobody confirmed its content".to_owned()))]
        } else {
            vec![(true, BreakCause::Untrusted(presented.leaf.fingerprint()))]
        }
    }

    /// Whether the edge held before the run and holds now, so that the rollback would break it.
    fn was_whole(&self, truster: Option<&Restored>, now: &Trusts, after: &Trusts, present: &Presents) -> bool {
        let holds_now = match present {
            Presents::This(presented) => accepts(now, presented),
            Presents::Nothing => false,
            Presents::Unseen(_) => true,
        };
        match truster.map(|restored| restored.presented.get(&self.def.id)) {
            // The truster's own store is not restored: only the identity changes.
            None => holds_now,
            Some(Some(then)) => holds_now && holds(after, then.sha256),
            Some(None) => holds_now,
        }
    }

    /// The services of the truster that may not have read the certificate that the identity gets back.
    fn unread(&self, restored: bool, now: &Trusts, presented: &Sent) -> Option<(bool, BreakCause)> {
        let comes = restored && !accepts(now, presented);
        let services = self.status.def.restart.iter();
        let unread = services.filter(|service| comes || !overlap::has_read(self.context, self.status, service));
        let unread: BTreeSet<ServiceId> = unread.cloned().collect();
        (!unread.is_empty()).then(|| (self.is_staged(), BreakCause::Unread(unread)))
    }

    /// The services of the identity that may go on presenting a certificate that the truster would lose.
    fn still_presented(
        &self,
        truster: Option<&Restored>,
        now: &Trusts,
        after: &Trusts,
        future: &Presents,
        present: &Presents,
    ) -> Option<(bool, BreakCause)> {
        let Presents::This(is) = present else { return None };
        let stays = matches!(future, Presents::This(presented) if is_same(present, presented));
        let services = self.def.restart.iter().filter(|service| !(stays && self.surely_presents(truster, service)));
        let services: BTreeSet<ServiceId> = services.cloned().collect();
        let Trusts::These(anchors) = now else { return None };
        let named = |certificate: &Arc<Certificate>| constraints::names(certificate, self.def);
        let lost = anchors.iter().any(|(print, certificate)| {
            let of_it =
                *print == is.leaf.fingerprint() || certificate.as_ref().is_some_and(named) || self.was_its(*print);
            // If the present certificate is lost and stays in use, that was judged already.
            of_it && !(stays && *print == is.leaf.fingerprint()) && !holds(after, *print)
        });
        (lost && !services.is_empty()).then(|| (self.is_staged(), BreakCause::StillPresented(services)))
    }

    /// Whether a service of the identity surely presents the certificate that its store holds now. It restarted since
    /// the store was written, or the store is unchanged since the run was planned and no restart is pending.
    fn surely_presents(&self, truster: Option<&Restored>, service: &ServiceId) -> bool {
        let CertificateSource::KeyEntry(place) = &self.def.source else { return true };
        let Some(home) = self.context.statuses.get(&place.store) else { return false };
        let then = truster.and_then(|restored| restored.presented.get(&self.def.id)?.store.as_ref());
        let unchanged = then.is_some() && then == home.facts().map(StoreFacts::seen).as_ref();
        let pending = self.context.observed.ledger.restarts.contains_key(service);
        overlap::has_read(self.context, home, service) || (unchanged && !pending)
    }

    /// Whether the ledger has a certificate as an earlier one of the identity. A public root never belonged to an
    /// identity.
    fn was_its(&self, print: Fingerprint) -> bool {
        let record = self.context.observed.ledger.predecessors.get(&print);
        record.is_some_and(|p| p.identity == self.def.id) && !self.context.topology.public_roots.contains(&print)
    }

    /// Whether the identity changes by a rotation. Other identities break for a while with each change, as their plans
    /// say.
    fn is_staged(&self) -> bool {
        self.def.rotation == Rotation::Staged
    }

    /// Whether the truster would lose a certificate that names the identity's host.
    fn loses_some(&self, now: &Trusts, after: &Trusts) -> bool {
        let Trusts::These(now) = now else { return true };
        let named = |certificate: &Arc<Certificate>| constraints::names(certificate, self.def);
        now.iter().any(|(print, certificate)| certificate.as_ref().is_some_and(named) && !holds(after, *print))
    }

    /// Whether anybody could use the trust: nobody accepts a certificate that has ended or is distrusted.
    fn is_of_use(&self, future: &Presents) -> bool {
        let Presents::This(presented) = future else { return true };
        !constraints::dates(&presented.leaf, Terms::default(), self.context.now).is_past()
            && !self.context.topology.distrust.contains_key(&presented.leaf.fingerprint())
    }

    fn presents_now(&self) -> Presents {
        match &self.def.source {
            CertificateSource::KeyEntry(KeyPlace { store, at }) => {
                let Some(facts) = self.context.statuses.get(store).and_then(|status| status.facts()) else {
                    return Presents::Unseen(format!("{store} cannot be read"));
                };
                key_in(&facts.entries, at)
            }
            CertificateSource::Exported { .. } | CertificateSource::File(_) => {
                let subject = Subject::Identity(self.def.id.clone());
                match self.context.observed.source(&subject) {
                    Some(leaf) => Presents::This(Sent { leaf: Arc::clone(leaf), chain: Vec::new() }),
                    None => Presents::Unseen(format!("the certificate of {} cannot be read", self.def.id)),
                }
            }
        }
    }

    fn presents_in(&self, after: &StoreAfter) -> Presents {
        match (after, &self.def.source) {
            (StoreAfter::Holds(_, entries), CertificateSource::KeyEntry(place)) => key_in(entries, &place.at),
            (StoreAfter::Unreadable(why), _) => Presents::Unseen(why.clone()),
            (StoreAfter::Gone | StoreAfter::Holds(..), _) => Presents::Nothing,
        }
    }

    fn trusts_now(&self) -> Trusts {
        match self.status.facts() {
            Some(facts) => Trusts::These(anchors(&facts.entries)),
            None if self.status.is_vacant() => Trusts::These(Vec::new()),
            None => Trusts::Unseen(format!("{} cannot be read", self.edge.store)),
        }
    }
}

fn trusts_in(after: &StoreAfter) -> Trusts {
    match after {
        StoreAfter::Gone => Trusts::These(Vec::new()),
        StoreAfter::Holds(_, entries) => Trusts::These(anchors(entries)),
        StoreAfter::Unreadable(why) => Trusts::Unseen(why.clone()),
    }
}

fn anchors(entries: &[Entry]) -> Vec<(Fingerprint, Option<Arc<Certificate>>)> {
    entries.iter().filter_map(trusted).map(|slot| (slot.fingerprint(), slot.certificate().cloned())).collect()
}

fn holds(trusts: &Trusts, print: Fingerprint) -> bool {
    matches!(trusts, Trusts::These(anchors) if anchors.iter().any(|(anchor, _)| *anchor == print))
}

/// Whether a store trusts a certificate that is presented. It holds the certificate itself, or one from which a path
/// that validators accept leads to it through the certificates sent along (RFC 5280 §6.1). Dates do not count: they are
/// the same before and after a rollback.
fn accepts(trusts: &Trusts, presented: &Sent) -> bool {
    let Trusts::These(anchors) = trusts else { return false };
    let leaf = &presented.leaf;
    if holds(trusts, leaf.fingerprint()) {
        return true;
    }
    let tls = TlsUse::allowed_by(leaf);
    let leads = |anchor: &Arc<Certificate>| match path::validate(leaf, &presented.chain, anchor, leaf.not_before(), tls)
    {
        Ok(_) => true,
        Err(refused) => refused.rule.is_of_time(),
    };
    let issuers: BTreeSet<&[u8]> = std::iter::once(leaf).chain(&presented.chain).map(|c| c.issuer_der()).collect();
    // Most certificates in a vendor's store have nothing to do with the one that is presented.
    let near = anchors.iter().filter_map(|(_, anchor)| anchor.as_ref()).filter(|c| issuers.contains(c.subject_der()));
    near.into_iter().any(leads)
}

fn is_same(present: &Presents, other: &Sent) -> bool {
    matches!(present, Presents::This(is) if is.leaf.fingerprint() == other.leaf.fingerprint())
}

/// The certificates that the key at this place presents. If several entries have the alias, the last one counts, as in
/// the JDK.
fn key_in(entries: &[Entry], at: &KeyAt) -> Presents {
    let named = entries.iter().rev().filter(|entry| at.is_at(entry.alias.as_ref()));
    let chain = named.into_iter().find_map(|entry| match &entry.kind {
        EntryKind::PrivateKey { chain } => Some(chain),
        _ => None,
    });
    let Some(chain) = chain else { return Presents::Nothing };
    let mut certificates = chain.iter().map(|slot| slot.certificate().cloned());
    match certificates.next() {
        Some(Some(leaf)) => Presents::This(Sent { leaf, chain: certificates.flatten().collect() }),
        Some(None) | None => {
            let alias = at.alias().map(Alias::as_str).unwrap_or_default();
            Presents::Unseen(format!("the certificate under {} cannot be read", text::escape(alias)))
        }
    }
}
