//! The order in which services restart. It takes services and gives steps, so that of every pair one half keeps
//! working: side A before side B, one node of a cluster before the next, publishers first. Within a step the rank of
//! the role in its profile decides. It restarts nothing.

use std::collections::BTreeMap;

use trustmason_spec::name::ServiceId;
use trustmason_spec::topology::{Host, Side, Topology};

/// The step of each service, from 1, in the order of the restarts.
pub(crate) fn steps<'a>(
    topology: &Topology,
    services: impl IntoIterator<Item = &'a ServiceId>,
) -> Vec<(ServiceId, u32)> {
    let mut all: Vec<(&ServiceId, Option<&Host>)> =
        services.into_iter().map(|service| (service, topology.hosts.get(&service.host))).collect();
    let rank = |service: &ServiceId| topology.services.get(service).map_or(u32::MAX, |def| def.rank);
    all.sort_by_key(|(service, host)| {
        let late = host.is_some_and(|h| h.side == Some(Side::B));
        let follower = host.is_some_and(|h| h.cluster.is_some() && !h.publisher);
        (late, follower, rank(service), *service)
    });
    all.dedup_by_key(|(service, _)| *service);
    let mut steps: BTreeMap<u32, Vec<(&ServiceId, Option<&Host>)>> = BTreeMap::new();
    for (service, host) in all {
        // The first step after every step that holds a host which must not restart together with this one.
        let last = steps.iter().rev().find(|(_, members)| members.iter().any(|(_, other)| apart(host, *other)));
        let step = last.map_or(1, |(step, _)| step + 1);
        steps.entry(step).or_default().push((service, host));
    }
    let mut order = Vec::new();
    for (step, mut members) in steps {
        members.sort_by_key(|(service, _)| (rank(service), *service));
        order.extend(members.into_iter().map(|(service, _)| (service.clone(), step)));
    }
    order
}

/// Whether two hosts never restart together: hosts of different sides, and nodes of one cluster.
fn apart(one: Option<&Host>, other: Option<&Host>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    let sides = matches!((one.side, other.side), (Some(a), Some(b)) if a != b);
    let nodes = one.cluster.is_some() && one.cluster == other.cluster && one.fqdn != other.fqdn;
    sides || nodes
}
