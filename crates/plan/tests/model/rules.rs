//! The facts of a world of the model, and the events that may happen in it.

use std::collections::BTreeMap;

use trustmason_spec::name::{IdentityId, ServiceId, StoreId};
use trustmason_spec::topology::{Subject, Topology};

/// The services that read each store and identity: the truth of the estate, which a profile may have forgotten.
pub struct Truth {
    pub readers: BTreeMap<ServiceId, (Vec<StoreId>, Vec<IdentityId>)>,
    pub edges: Vec<(StoreId, IdentityId)>,
}

impl Truth {
    pub fn of(topology: &Topology) -> Self {
        let mut readers: BTreeMap<ServiceId, (Vec<StoreId>, Vec<IdentityId>)> = BTreeMap::new();
        let edges: Vec<(StoreId, IdentityId)> = topology
            .edges
            .iter()
            .filter_map(|e| match &e.subject {
                Subject::Identity(id) => Some((e.store.clone(), id.clone())),
                Subject::Certificate(_) => None,
            })
            .collect();
        for (store, identity) in &edges {
            for service in &topology.stores[store].restart {
                readers.entry(service.clone()).or_default().0.push(store.clone());
            }
            for service in &topology.identities[identity].restart {
                readers.entry(service.clone()).or_default().1.push(identity.clone());
            }
        }
        Self { readers, edges }
    }
}

/// How the people in this world behave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum People {
    /// People report a restart only when it was done.
    Honest,
    /// People report restarts that were not done.
    Hasty,
}

/// How this program behaves, and how it would behave if it were written worse.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The real program.
    Real,
    /// The program forgets what it did where it cannot look.
    Forgetful,
    /// The program rolls a run back without asking who would break.
    Unasking,
    /// The program believes its state folder, and does not see that an identity has changed.
    Unnoticing,
}

/// The events that may happen in a world, and how far back runs are followed.
#[derive(Clone, Copy)]
pub struct Rules {
    pub people: People,
    pub program: Program,
    /// How many runs keep their backups.
    pub keeps: usize,
    /// Whether hosts may be away when a run that was cut off is recovered.
    pub away: bool,
    /// Whether a rollback may be rolled back itself.
    pub again: bool,
}
