//! Every state a rotation can reach on a small estate, searched to the end with the real planner: whatever run is cut off after
//! whatever store, whichever service restarts when (also unasked, also while a run is at work), in whatever order people
//! acknowledge what the barriers ask for, also when the newest run is rolled back, and the rollback cut off. In each of them every client trusts, by the store it last read, what its server
//! presents, by the key it last read; and from each of them the rotation can be brought to its end.
//!
//! That the check can fail is shown by worlds in which it must: an immediate rotation, a restart that is acknowledged and was
//! not done, a profile that forgot which service reads a store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod world;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use trustmason_keystore::Fingerprint;
use trustmason_plan::change::{Deed, Plan, StoreVerdict, Wait};
use trustmason_plan::ledger::{PendingRestart, Placed, Predecessor};
use trustmason_spec::name::{IdentityId, ServiceId, StoreId};
use trustmason_spec::topology::{Rotation, Subject, Topology};
use world::{Disk, Pair, World, host};

/// What a service read when it was last started.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Memory {
    trusts: BTreeMap<StoreId, BTreeSet<Fingerprint>>,
    presents: BTreeMap<IdentityId, Option<Fingerprint>>,
}

/// A run at work: its plan is fixed, some of its stores are still to be written, in no order that matters.
#[derive(Clone)]
struct Run {
    plan: Plan,
    made: BTreeMap<IdentityId, Pair>,
    left: BTreeSet<StoreId>,
}

/// What a rollback puts back: the stores of the newest run, one by one, and what the ledger knew of them.
#[derive(Clone, Default)]
struct Back {
    stores: BTreeMap<StoreId, Vec<u8>>,
    placed: BTreeMap<StoreId, BTreeMap<String, Placed>>,
    /// Identities that changed: whose, from, to.
    changed: Vec<(StoreId, IdentityId, Fingerprint, Fingerprint)>,
    restarts: BTreeSet<ServiceId>,
    /// Keys the run made, which go, and keys of an earlier run that it installed, which wait again.
    staged: BTreeSet<IdentityId>,
    installed: BTreeMap<IdentityId, Pair>,
}

#[derive(Clone)]
struct State {
    world: World,
    services: BTreeMap<ServiceId, Memory>,
    run: Option<Run>,
    /// What the newest run did.
    done: Back,
    /// A rollback at work.
    back: Option<Back>,
}

/// Who reads what: the truth of the estate, which a profile may have forgotten.
struct Truth {
    readers: BTreeMap<ServiceId, (Vec<StoreId>, Vec<IdentityId>)>,
    edges: Vec<(StoreId, IdentityId)>,
}

impl Truth {
    fn of(topology: &Topology) -> Self {
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

impl State {
    fn new(world: World, truth: &Truth) -> Self {
        let mut state = Self { world, services: BTreeMap::new(), run: None, done: Back::default(), back: None };
        for service in truth.readers.keys() {
            state.restart(truth, service);
        }
        state
    }

    fn restart(&mut self, truth: &Truth, service: &ServiceId) {
        let (stores, identities) = &truth.readers[service];
        let trusts =
            stores.iter().map(|id| (id.clone(), self.world.trusted(id).into_values().collect::<BTreeSet<_>>()));
        let presents = identities.iter().map(|id| (id.clone(), self.world.present(id)));
        let memory = Memory { trusts: trusts.collect(), presents: presents.collect() };
        self.services.insert(service.clone(), memory);
    }

    /// The first edge over which a client would refuse its server now.
    fn broken(&self, truth: &Truth) -> Option<String> {
        for (store, identity) in &truth.edges {
            let clients = self.services.values().filter_map(|m| m.trusts.get(store));
            let servers: Vec<_> = self.services.values().filter_map(|m| m.presents.get(identity)).collect();
            for trusts in clients {
                if !servers.iter().all(|presents| presents.is_some_and(|p| trusts.contains(&p))) {
                    return Some(format!("{store} does not trust what {identity} presents"));
                }
            }
        }
        None
    }

    /// Keeps what a store was, before a run writes it.
    fn note(&mut self, plan: &Plan, store: &StoreId) {
        let Some(Disk::File(bytes)) = self.world.disk.get(store) else { panic!("no store") };
        self.done.stores.insert(store.clone(), bytes.clone());
        let placed = self.world.ledger.placed.get(store).cloned().unwrap_or_default();
        self.done.placed.insert(store.clone(), placed);
        let ids: BTreeSet<_> = plan.changes.iter().filter(|c| c.store == *store).map(|c| c.id).collect();
        for change in plan.changes.iter().filter(|c| ids.contains(&c.id)) {
            if let Deed::Regenerate { identity, .. } = &change.deed {
                let (old, new) = (plan.mints[identity].replaces.unwrap(), plan.mints[identity].resumed);
                let new = new.or_else(|| Some(self.run.as_ref()?.made.get(identity)?.print())).unwrap();
                self.done.changed.push((store.clone(), identity.clone(), old, new));
                if plan.mints[identity].resumed.is_some() {
                    let pair = self.run.as_ref().unwrap().made[identity].clone();
                    self.done.installed.insert(identity.clone(), pair);
                }
            }
        }
        let touched = plan.restarts.iter().filter(|r| r.because.iter().any(|id| ids.contains(id)));
        self.done.restarts.extend(touched.map(|r| r.service.clone()));
    }

    /// One store of a rollback: the old bytes, the old knowledge, and what a service may still present is no stranger.
    fn put_back(&mut self, store: &StoreId, bytes: &[u8], back: &Back) {
        let world = &mut self.world;
        world.disk.insert(store.clone(), Disk::File(bytes.to_vec()));
        world.ledger.placed.insert(store.clone(), back.placed[store].clone());
        for (_, identity, old, new) in back.changed.iter().filter(|(at, ..)| at == store) {
            world.ledger.predecessors.remove(old);
            let record = Predecessor {
                identity: identity.clone(),
                replaced_by: *old,
                run: "back".to_owned(),
                at: world.now,
                staged: true,
            };
            world.ledger.predecessors.insert(*new, record);
        }
        let services = world.topology.stores[store].restart.iter();
        let own = back.changed.iter().filter(|(at, ..)| at == store);
        let own = own.flat_map(|(_, id, ..)| &world.topology.identities[id].restart);
        let services: Vec<ServiceId> = services.chain(own).filter(|s| back.restarts.contains(*s)).cloned().collect();
        for service in services {
            world.ledger.restarts.insert(service, PendingRestart { since: world.now, run: "back".to_owned() });
        }
        let left = self.back.as_mut().unwrap();
        left.stores.remove(store);
        if left.stores.is_empty() {
            self.world.staging.append(&mut left.installed);
            self.back = None;
        }
    }

    /// What makes two states the same: what is where, and what is still to be done. Not salts and dates.
    fn key(&self) -> String {
        let stores: Vec<_> = self
            .world
            .topology
            .stores
            .keys()
            .map(|id| {
                let store = self.world.open(id).unwrap();
                let entries = store.entries().iter();
                let mut lines: Vec<_> = entries
                    .map(|e| (e.alias.clone(), e.kind.as_str(), e.certificates()[0].fingerprint().to_string()))
                    .collect();
                lines.sort();
                (id.to_string(), lines)
            })
            .collect();
        let staging: Vec<_> = self.world.staging.iter().map(|(id, p)| (id, p.print())).collect();
        let ledger = &self.world.ledger;
        let placed: Vec<_> =
            ledger.placed.iter().flat_map(|(id, p)| p.iter().map(move |(a, p)| (id, a, p.sha256))).collect();
        let predecessors: Vec<_> = ledger.predecessors.iter().map(|(f, p)| (f, p.replaced_by, p.staged)).collect();
        let pending: Vec<_> = ledger.restarts.keys().collect();
        let acked: Vec<_> = ledger.acks.keys().collect();
        let run = self.run.as_ref().map(|r| {
            let changes: Vec<_> = r.plan.changes.iter().map(|c| format!("{} {} {c}", c.phase, c.store)).collect();
            (changes, r.left.clone())
        });
        let back = |back: &Back| (back.stores.keys().cloned().collect::<Vec<_>>(), back.staged.clone());
        format!(
            "{stores:?}{:?}{staging:?}{placed:?}{predecessors:?}{pending:?}{acked:?}{run:?}{:?}{:?}{:?}",
            self.services,
            self.world.options.replace,
            back(&self.done),
            self.back.as_ref().map(back)
        )
    }
}

/// How people and machines of this world behave.
#[derive(Clone, Copy, PartialEq, Eq)]
enum People {
    /// They say a service was restarted when it was.
    Honest,
    /// They say so and did not do it.
    Hasty,
}

/// Everything that may happen next.
fn steps(state: &State, truth: &Truth, people: People) -> Vec<(String, State)> {
    let mut next = Vec::new();
    // A service may restart at any moment: a reboot asks nobody.
    for service in truth.readers.keys() {
        let mut after = state.clone();
        after.restart(truth, service);
        next.push((format!("{service} restarts"), after));
    }
    if let Some(back) = &state.back {
        for (store, bytes) in &back.stores {
            let mut after = state.clone();
            after.put_back(store, bytes, back);
            next.push((format!("{store} is put back"), after));
        }
        // It is taken up again by the next one, which finds what is still to be put back.
        next.push(("the rollback is cut off".to_owned(), State { back: None, done: back.clone(), ..state.clone() }));
        return next;
    }
    if let Some(run) = &state.run {
        for store in &run.left {
            let mut after = state.clone();
            after.note(&run.plan, store);
            after.world.write(&run.plan, store, &run.made);
            let left = after.run.as_mut().unwrap();
            left.left.remove(store);
            if left.left.is_empty() {
                after.run = None;
            }
            next.push((format!("{store} is written"), after));
        }
        let cut = State { run: None, ..state.clone() };
        next.push(("the run is cut off".to_owned(), cut));
        return next;
    }
    let plan = state.world.plan();
    let left: BTreeSet<StoreId> =
        plan.stores.iter().filter(|s| matches!(s.verdict, StoreVerdict::Change(_))).map(|s| s.id.clone()).collect();
    if !left.is_empty() {
        let mut after = state.clone();
        let staged = after.world.staging.keys().cloned().collect::<BTreeSet<_>>();
        let made = after.world.begin(&plan);
        after.world.options.replace.clear();
        let staged = after.world.staging.keys().filter(|id| !staged.contains(*id)).cloned().collect();
        after.done = Back { staged, ..Back::default() };
        after.run = Some(Run { plan: plan.clone(), made, left });
        next.push(("a run begins".to_owned(), after));
    }
    if !state.done.stores.is_empty() {
        let mut after = state.clone();
        let back = std::mem::take(&mut after.done);
        after.world.staging.retain(|id, _| !back.staged.contains(id));
        after.back = Some(back);
        next.push(("a rollback begins".to_owned(), after));
    }
    let barriers = plan.barriers.iter().flat_map(|b| &b.waits_for).filter_map(|wait| match wait {
        Wait::Restart(service) => Some(service.clone()),
        Wait::HandOff(_) | Wait::Reply(_) => None,
    });
    let open: BTreeSet<ServiceId> = state.world.ledger.restarts.keys().cloned().chain(barriers).collect();
    for service in open {
        let mut after = state.clone();
        if people == People::Honest {
            after.restart(truth, &service);
        }
        after.world.ack(&service);
        next.push((format!("{service} is restarted and acknowledged"), after));
    }
    next
}

/// What a search found.
struct Searched {
    states: usize,
    ends: usize,
    /// The steps that lead to the first broken edge.
    broken: Option<Vec<String>>,
}

fn search(world: World, truth: &Truth, people: People) -> Searched {
    let first = State::new(world, truth);
    assert_eq!(first.broken(truth), None, "the world begins in order");
    let mut numbers: BTreeMap<String, usize> = BTreeMap::from([(first.key(), 0)]);
    let mut came: Vec<Option<(usize, String)>> = vec![None];
    let mut before: Vec<BTreeSet<usize>> = vec![BTreeSet::new()];
    let mut ends: BTreeSet<usize> = BTreeSet::new();
    let mut queue = VecDeque::from([(0, first)]);
    while let Some((at, state)) = queue.pop_front() {
        if let Some(what) = state.broken(truth) {
            let mut way = vec![what];
            let mut here = at;
            while let Some((from, step)) = &came[here] {
                way.push(step.clone());
                here = *from;
            }
            way.reverse();
            return Searched { states: numbers.len(), ends: ends.len(), broken: Some(way) };
        }
        if state.run.is_none()
            && state.back.is_none()
            && state.world.plan().is_settled()
            && state.world.ledger.restarts.is_empty()
        {
            ends.insert(at);
        }
        for (step, after) in steps(&state, truth, people) {
            let fresh = numbers.len();
            let to = *numbers.entry(after.key()).or_insert(fresh);
            if to == fresh {
                came.push(Some((at, step)));
                before.push(BTreeSet::new());
                queue.push_back((to, after));
            }
            before[to].insert(at);
        }
        assert!(numbers.len() < 200_000, "the search grows without end");
    }
    // From everywhere a way leads to the end.
    let mut good = ends.clone();
    let mut open: Vec<usize> = ends.iter().copied().collect();
    while let Some(at) = open.pop() {
        open.extend(before[at].iter().copied().filter(|from| good.insert(*from)).collect::<Vec<_>>());
    }
    assert_eq!(good.len(), numbers.len(), "from some states there is no way to the end");
    Searched { states: numbers.len(), ends: ends.len(), broken: None }
}

/// Hosts whose stores trust one another's `wsm` where `trusts` says so, and whose identities `rotate` are asked for anew.
fn estate(hosts: usize, trusts: impl Fn(usize, usize, &str) -> bool, rotate: &[usize], rotation: Rotation) -> World {
    let mut world = World::new(hosts);
    world.topology.edges.retain(|e| {
        let Subject::Identity(id) = &e.subject else { return false };
        let number = |name: &str| (0..hosts).find(|i| host(*i).as_str() == name).unwrap();
        id.name == "wsm" && trusts(number(e.store.host.as_str()), number(id.host.as_str()), &e.store.name)
    });
    let used: BTreeSet<StoreId> = world.topology.edges.iter().map(|e| e.store.clone()).collect();
    world.topology.stores.retain(|id, _| used.contains(id) || id.name == "keystore");
    world.topology.identities.retain(|id, _| id.name == "wsm");
    world.sources.clear();
    for def in world.topology.identities.values_mut() {
        def.rotation = rotation;
    }
    let plan = world.plan();
    world.apply(&plan);
    world.ack_all();
    world.ledger.acks.clear();
    assert!(world.plan().is_settled());
    world.options.replace = rotate.iter().map(|i| IdentityId::new(host(*i), "wsm")).collect();
    world
}

/// One server, two clients.
fn star(rotation: Rotation) -> World {
    estate(3, |truster, subject, store| subject == 0 && truster != 0 && store == "cacerts", &[0], rotation)
}

/// Two servers, each of which trusts the other in the very store its own key is in.
fn mutual(rotation: Rotation) -> World {
    estate(2, |truster, subject, store| truster != subject && store == "keystore", &[0, 1], rotation)
}

fn holds(world: World, least: usize) {
    let truth = Truth::of(&world.topology);
    let searched = search(world, &truth, People::Honest);
    assert_eq!(searched.broken, None);
    assert!(searched.ends > 0 && searched.states > least, "{} states, {} ends", searched.states, searched.ends);
}

#[test]
fn one_server_and_two_clients_never_lose_one_another() {
    holds(star(Rotation::Staged), 2_000);
}

#[test]
fn two_servers_that_trust_each_other_never_lose_one_another() {
    holds(mutual(Rotation::Staged), 5_000);
}

#[test]
fn the_check_sees_an_immediate_rotation_break() {
    for world in [star(Rotation::Immediate), mutual(Rotation::Immediate)] {
        let truth = Truth::of(&world.topology);
        assert!(search(world, &truth, People::Honest).broken.is_some());
    }
}

#[test]
fn the_check_sees_what_an_acknowledgement_without_a_restart_does() {
    let world = star(Rotation::Staged);
    let truth = Truth::of(&world.topology);
    let way = search(world, &truth, People::Hasty).broken.unwrap();
    assert!(way.iter().any(|step| step.ends_with("is restarted and acknowledged")), "{way:#?}");
}

#[test]
fn the_check_sees_a_profile_that_forgot_a_service() {
    let mut world = star(Rotation::Staged);
    let truth = Truth::of(&world.topology);
    for store in world.topology.stores.values_mut() {
        store.restart.clear();
    }
    assert!(search(world, &truth, People::Honest).broken.is_some());
}
