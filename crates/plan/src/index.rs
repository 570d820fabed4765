//! The topology, sorted for the lookups of a plan. It judges nothing.

use std::collections::BTreeMap;

use trustmason_spec::name::StoreId;
use trustmason_spec::topology::{CertificateSource, Edge, IdentityDef, Subject, Topology};

/// Lookups that a plan does once for every store or subject. Made once for a plan.
pub(crate) struct Index<'a> {
    /// The edges that end in a store, sorted by id, with their positions in the topology.
    pub edges_of: BTreeMap<&'a StoreId, Vec<(usize, &'a Edge)>>,
    /// The edges that ask for a subject, sorted by id.
    pub trusters_of: BTreeMap<&'a Subject, Vec<&'a Edge>>,
    /// The identities whose key entries are in a store.
    pub homes: BTreeMap<&'a StoreId, Vec<&'a IdentityDef>>,
}

impl<'a> Index<'a> {
    /// Sorts the topology. `wide` also has the edges to issuers; the trusters of an identity are those of `written`,
    /// the topology as it is written.
    pub(crate) fn of(written: &'a Topology, wide: &'a Topology) -> Self {
        let mut index = Self { edges_of: BTreeMap::new(), trusters_of: BTreeMap::new(), homes: BTreeMap::new() };
        let mut edges: Vec<(usize, &Edge)> = wide.edges.iter().enumerate().collect();
        edges.sort_by_key(|(_, edge)| &edge.id);
        for (number, edge) in edges {
            index.edges_of.entry(&edge.store).or_default().push((number, edge));
        }
        let mut edges: Vec<&Edge> = written.edges.iter().collect();
        edges.sort_by_key(|edge| &edge.id);
        for edge in edges {
            index.trusters_of.entry(&edge.subject).or_default().push(edge);
        }
        for def in wide.identities.values() {
            if let CertificateSource::KeyEntry(place) = &def.source {
                index.homes.entry(&place.store).or_default().push(def);
            }
        }
        index
    }
}
