//! Checks a plan against itself: every number, name and fingerprint in it leads somewhere, no two things have one name,
//! and its last line counts what is in it. It takes a plan and gives defects. A defect is one of the planner, never of
//! an estate. Every plan of a debug build is checked, and every plan before a run.

mod counts;
mod edits;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use trustmason_keystore::Fingerprint;
use trustmason_spec::name::{Fqdn, IdentityId, ServiceId, StoreId};

use crate::change::{Change, ChangeId, Edit, EntryAfter, Material, Phase};
use crate::outline::{EdgeVerdict, Forecast, IdentityVerdict, Manual, ManualKind, Plan, StoreVerdict, Wait};
use crate::target::{HandOffTarget, TargetKind};

/// A defect of a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Defect {
    /// Two things have one name.
    #[error("there are two {what} `{name}`")]
    Twice {
        /// The kind of the two things, in the plural.
        what: &'static str,
        /// Their name.
        name: String,
    },
    /// The plan refers to something that it does not have.
    #[error("{place} speaks of {what}, which the plan does not have")]
    Missing {
        /// The part that refers to it.
        place: String,
        /// The thing that is missing.
        what: String,
    },
    /// Two parts of the plan contradict each other.
    #[error("{place}: {what}")]
    Contradiction {
        /// The part of the plan where the contradiction shows.
        place: String,
        /// The contradiction.
        what: String,
    },
    /// Changes depend on each other in a circle.
    #[error("change {change} waits for itself")]
    Circle {
        /// One of these changes.
        change: ChangeId,
    },
    /// The last line counts otherwise than the plan.
    #[error("the summary says {says} {what}, the plan has {has}")]
    Count {
        /// The thing that is counted.
        what: &'static str,
        /// The number of the summary.
        says: usize,
        /// The number of the plan.
        has: usize,
    },
}

/// The defects of a plan; none, unless the planner is wrong.
pub fn verify(plan: &Plan) -> Vec<Defect> {
    let mut verifier = Verifier {
        plan,
        changes: plan.changes.iter().map(|change| (change.id, change)).collect(),
        stores: plan.stores.iter().map(|view| &view.id).collect(),
        packs: plan.manual.iter().map(Manual::target).collect(),
        found: BTreeSet::new(),
    };
    verifier.names();
    verifier.stores();
    verifier.changes();
    verifier.edits();
    verifier.removals();
    verifier.order();
    verifier.edges();
    verifier.identities();
    verifier.findings();
    verifier.work();
    verifier.restarts();
    verifier.barriers();
    verifier.unchanged_trusters();
    verifier.mints();
    verifier.found.extend(counts::defects(plan));
    verifier.found.into_iter().collect()
}

struct Verifier<'a> {
    plan: &'a Plan,
    changes: BTreeMap<ChangeId, &'a Change>,
    stores: BTreeSet<&'a StoreId>,
    packs: BTreeSet<&'a HandOffTarget>,
    found: BTreeSet<Defect>,
}

impl<'a> Verifier<'a> {
    fn change(&self, id: ChangeId) -> Option<&'a Change> {
        self.changes.get(&id).copied()
    }

    /// Reports each of these changes that the plan does not have.
    fn are_there<'b>(&mut self, place: &str, ids: impl IntoIterator<Item = &'b ChangeId>) {
        for id in ids {
            if !self.changes.contains_key(id) {
                self.missing(place, format!("change {id}"));
            }
        }
    }

    fn missing(&mut self, place: impl Display, what: impl Display) {
        self.found.insert(Defect::Missing { place: place.to_string(), what: what.to_string() });
    }

    fn contradiction(&mut self, place: impl Display, what: impl Display) {
        self.found.insert(Defect::Contradiction { place: place.to_string(), what: what.to_string() });
    }

    fn unique<T: Display>(&mut self, what: &'static str, names: impl IntoIterator<Item = T>) {
        let mut seen = BTreeSet::new();
        for name in names.into_iter().map(|name| name.to_string()) {
            if !seen.insert(name.clone()) {
                self.found.insert(Defect::Twice { what, name });
            }
        }
    }

    /// Checks that no two things of one kind have one name, and that no two packs have the same name for people.
    fn names(&mut self) {
        let plan = self.plan;
        self.unique("stores", plan.stores.iter().map(|store| &store.id));
        self.unique("edges", plan.edges.iter().map(|edge| &edge.id));
        self.unique("identities", plan.identities.iter().map(|identity| &identity.id));
        self.unique("changes", plan.changes.iter().map(|change| change.id));
        self.unique("packs for", plan.manual.iter().map(|work| work.target().full()));
        self.unique("packs called", plan.manual.iter().map(|work| &work.called));
        self.unique("restarts of", plan.restarts.iter().map(|restart| &restart.service));
        self.unique("barriers after", plan.barriers.iter().map(|barrier| barrier.after_phase));
    }

    /// Checks that each store lists exactly the changes that name it.
    fn stores(&mut self) {
        let plan = self.plan;
        let mut claimed: BTreeMap<ChangeId, &StoreId> = BTreeMap::new();
        for view in &plan.stores {
            let StoreVerdict::Change(ids) = &view.verdict else { continue };
            if ids.is_empty() || view.expect.is_none() {
                self.contradiction(&view.id, "it is to be changed, and has no changes or nothing it is expected to be");
            }
            for id in ids {
                match self.change(*id) {
                    Some(change) if change.store == view.id => drop(claimed.insert(*id, &view.id)),
                    Some(change) => self.contradiction(&view.id, format!("change {id} is one of {}", change.store)),
                    None => self.missing(&view.id, format!("change {id}")),
                }
            }
        }
        for change in plan.changes.iter().filter(|change| !claimed.contains_key(&change.id)) {
            self.contradiction(format!("change {}", change.id), format!("{} does not have it", change.store));
        }
    }

    fn material(&mut self, place: impl Display, material: &Material) {
        match material {
            Material::Minted(id) if !self.plan.mints.contains_key(id) => {
                self.missing(place, format!("a new certificate of {id}"))
            }
            Material::Known(_) | Material::Minted(_) => {}
        }
    }

    fn changes(&mut self) {
        for change in &self.plan.changes {
            let place = format!("change {}", change.id);
            match &change.edit {
                Edit::Import { material, .. } | Edit::Replace { material, .. } => self.material(&place, material),
                Edit::InstallKey { identity, .. } => match self.plan.mints.get(identity) {
                    Some(mint) if mint.place.store == change.store => {
                        let resumed = mint.resumed.as_ref().map(|certificate| certificate.fingerprint());
                        if after(change) != resumed {
                            self.contradiction(&place, format!("another key of {identity} is resumed"));
                        }
                    }
                    Some(mint) => {
                        self.contradiction(&place, format!("the key of {identity} goes to {}", mint.place.store))
                    }
                    None => self.missing(&place, format!("a new key of {identity}")),
                },
                Edit::Rename { .. } | Edit::Delete { .. } => {}
            }
        }
    }

    /// Checks that the changes on which a change depends exist and do not depend on it.
    fn order(&mut self) {
        let plan = self.plan;
        for change in &plan.changes {
            self.are_there(&format!("change {}", change.id), &change.depends_on);
        }
        // A change that depends on nothing that is left is removed. The changes that remain form circles.
        let mut left = self.changes.clone();
        loop {
            let free = |change: &Change| !change.depends_on.iter().any(|id| left.contains_key(id));
            let ready: Vec<ChangeId> = left.values().filter(|change| free(change)).map(|change| change.id).collect();
            if ready.is_empty() {
                break;
            }
            left.retain(|id, _| !ready.contains(id));
        }
        self.found.extend(left.into_keys().map(|change| Defect::Circle { change }));
    }

    fn edges(&mut self) {
        let plan = self.plan;
        for edge in &plan.edges {
            let place = format!("edge {}", edge.id);
            if !self.stores.contains(&edge.store) {
                self.missing(&place, format!("store {}", edge.store));
            }
            if let EdgeVerdict::Change(id) = &edge.verdict {
                match self.change(*id) {
                    Some(change) if change.store == edge.store => {}
                    Some(change) => self.contradiction(&place, format!("change {id} is one of {}", change.store)),
                    None => self.missing(&place, format!("change {id}")),
                }
            }
        }
    }

    /// Checks that an identity's new key is installed by the change that is named, and is made if the plan says so.
    fn identities(&mut self) {
        let plan = self.plan;
        let mut makes: BTreeSet<&IdentityId> = BTreeSet::new();
        for view in &plan.identities {
            let place = format!("identity {}", view.id);
            let made = match &view.verdict {
                IdentityVerdict::Change(id) => {
                    match self.change(*id).map(|change| &change.edit) {
                        Some(Edit::InstallKey { identity, .. }) if *identity == view.id => {}
                        Some(_) => self.contradiction(&place, format!("change {id} gives it no key")),
                        None => self.missing(&place, format!("change {id}")),
                    }
                    true
                }
                IdentityVerdict::Begins | IdentityVerdict::Requests => true,
                // A rotation that begins may be held at once.
                IdentityVerdict::Held(_) => plan.mints.contains_key(&view.id),
                IdentityVerdict::Rests
                | IdentityVerdict::GoesOn
                | IdentityVerdict::Waits { .. }
                | IdentityVerdict::Manual(_)
                | IdentityVerdict::Blocked(_)
                | IdentityVerdict::Unknown => false,
            };
            if made {
                makes.insert(&view.id);
                if !plan.mints.contains_key(&view.id) {
                    self.missing(&place, "a new key of it");
                }
            }
        }
        for id in plan.mints.keys().filter(|id| !makes.contains(id)) {
            self.contradiction(format!("the new key of {id}"), "the identity gets none");
        }
    }

    fn findings(&mut self) {
        for finding in &self.plan.findings {
            self.are_there(&format!("finding {}", finding.kind), &finding.change);
        }
    }

    fn work(&mut self) {
        let plan = self.plan;
        for work in &plan.manual {
            let place = format!("the work on {}", work.called);
            match (work.target().kind(), work.kind) {
                (TargetKind::Store, ManualKind::Store)
                | (TargetKind::Identity, ManualKind::Identity | ManualKind::Export) => {}
                (kind, _) => self.contradiction(&place, format!("this is not done to one {}", kind.as_str())),
            }
            if let Some(store) = work.target().store().filter(|id| !self.stores.contains(id)) {
                self.missing(&place, format!("store {store}"));
            }
            // A certificate that is removed may be known by its fingerprint alone, from an export that a person
            // confirmed.
            for item in work.add.iter().chain(&work.verify) {
                self.material(&place, &item.material);
            }
            for other in work.elsewhere.values() {
                if !self.packs.contains(other.target()) {
                    self.missing(&place, format!("the pack for {other}"));
                }
            }
        }
    }

    fn restarts(&mut self) {
        for restart in &self.plan.restarts {
            let place = format!("the restart of {}", restart.service);
            self.are_there(&place, &restart.because);
            if restart.because.is_empty() && restart.pending_since.is_none() && !restart.rotation {
                self.contradiction(&place, "nothing is behind it");
            }
        }
    }

    /// Checks that each event a barrier waits for is in this plan, unless its host is not.
    fn barriers(&mut self) {
        let plan = self.plan;
        let hosts: BTreeSet<&Fqdn> = plan.stores.iter().map(|view| &view.id.host).collect();
        let restarts = plan.restarts.iter().chain(plan.manual.iter().flat_map(|work| &work.restarts));
        let services: BTreeSet<&ServiceId> =
            restarts.map(|restart| &restart.service).chain(plan.readers.keys()).collect();
        // An identity's own service restarts after a change that is only forecast.
        let foretold = plan.forecast.iter().filter(|one| one.phase == Phase::Install);
        let homes: BTreeSet<&Fqdn> = foretold.map(|one| &one.store.host).collect();
        for barrier in &plan.barriers {
            for wait in barrier.waits_for.iter().filter(|wait| hosts.contains(wait.host())) {
                let there = match wait {
                    Wait::Restart(service) => {
                        services.contains(service)
                            || barrier.after_phase == Phase::Install && homes.contains(&service.host)
                    }
                    Wait::HandOff(called) => self.packs.contains(called.target()),
                    Wait::Reply(id) => plan.identities.iter().any(|view| view.id == *id),
                };
                if !there {
                    self.missing(format!("the barrier after {}", barrier.after_phase), wait);
                }
            }
        }
    }

    /// Checks that no later change is foretold for stores that a renewal leaves as they are.
    fn unchanged_trusters(&mut self) {
        let plan = self.plan;
        for view in plan.identities.iter().filter(|view| view.unchanged.is_some()) {
            let of = |one: &&Forecast| one.identity == view.id && one.phase != Phase::Install;
            if let Some(one) = plan.forecast.iter().find(of) {
                let place = format!("the stores that trust {}", view.id);
                self.contradiction(
                    &place,
                    format!("they do not change, and {} loses or gets a certificate", one.store),
                );
            }
        }
    }

    fn mints(&mut self) {
        for (id, mint) in &self.plan.mints {
            let place = format!("the new key of {id}");
            if mint.identity != *id {
                self.contradiction(&place, format!("it is one of {}", mint.identity));
            }
        }
    }
}

/// The certificate of an entry after a change, if it exists already.
fn after(change: &Change) -> Option<Fingerprint> {
    match &change.after {
        EntryAfter::Known(view) => Some(view.sha256),
        EntryAfter::Minted { .. } | EntryAfter::Alias(_) | EntryAfter::Gone => None,
    }
}
