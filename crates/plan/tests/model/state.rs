//! One state of the model: the disks, what each service last read, and the state folder; and every event that may
//! happen next.

use std::collections::{BTreeMap, BTreeSet};

use trustmason_keystore::{Digest, EntryKind, Fingerprint};
use trustmason_plan::ledger::{Ack, Ledger, PlacedEntry, PlacedKey, StoreVersion};
use trustmason_plan::memory::LedgerEffect;
use trustmason_plan::notice;
use trustmason_plan::observed::{StoreLook, Unclear};
use trustmason_plan::outline::{Plan, StoreVerdict};
use trustmason_plan::undo::{self, PlannedRollback, Presented, Restored, StoreAfter};
use trustmason_spec::name::{Fqdn, IdentityId, ServiceId, StoreId};

use super::rules::{People, Program, Rules, Truth};
use crate::world::{Disk, Pair, World, opened, run};

/// The content that a service read when it last started.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loaded {
    trusts: BTreeMap<StoreId, BTreeSet<Fingerprint>>,
    presents: BTreeMap<IdentityId, Option<Fingerprint>>,
}

/// One store that a run has written, as the run's journal has it.
#[derive(Clone)]
pub struct DiskWrite {
    store: StoreId,
    before: Vec<u8>,
    after: Vec<u8>,
    memory: LedgerEffect,
    placed: BTreeMap<PlacedKey, PlacedEntry>,
    presented: BTreeMap<IdentityId, Presented>,
    /// When the store was written.
    stamp: jiff::Timestamp,
    /// A name that is unique for it: the store's content before and after.
    name: String,
}

/// A run's journal.
#[derive(Clone, Default)]
pub struct Log {
    writes: Vec<DiskWrite>,
    /// The keys that the run made, which a rollback removes.
    staged: BTreeSet<IdentityId>,
    /// The keys of earlier runs that it installed, which a rollback puts back into staging.
    installed: BTreeMap<IdentityId, Pair>,
}

/// The state folder.
#[derive(Clone, Default)]
pub struct Folder {
    ledger: Ledger,
    staging: BTreeMap<IdentityId, Pair>,
    /// The runs that were not rolled back, the oldest first.
    runs: Vec<Log>,
    /// The newest run, if it was a rollback.
    rollback: Option<Log>,
    /// The writes of runs that were cut off, whose outcome is not known yet.
    open: Vec<DiskWrite>,
}

/// A run at work. Its plan is fixed, and some of its stores are still to be written, in any order.
#[derive(Clone)]
struct Run {
    plan: Plan,
    made: BTreeMap<IdentityId, Pair>,
    left: BTreeSet<StoreId>,
    log: Log,
}

/// A rollback at work.
#[derive(Clone)]
struct Back {
    /// The journal of the run that is rolled back.
    log: Log,
    left: Vec<DiskWrite>,
    /// The rollback's own journal.
    own: Log,
    /// Whether it rolls back a rollback.
    again: bool,
}

#[derive(Clone)]
enum Work {
    Nothing,
    Run(Box<Run>),
    Back(Box<Back>),
}

#[derive(Clone)]
pub struct State {
    pub world: World,
    services: BTreeMap<ServiceId, Loaded>,
    pub folder: Folder,
    away: Option<Fqdn>,
    work: Work,
    /// The ledger, if it had never been put back or lost.
    truth: Ledger,
    /// Whether an earlier state folder replaced another one.
    restored: bool,
}

fn bytes_of(world: &World, store: &StoreId) -> Vec<u8> {
    let Some(Disk::File(bytes)) = world.disk.get(store) else { panic!("no store") };
    bytes.clone()
}

/// The content of a store, without salts and dates.
fn listing(bytes: &[u8]) -> String {
    let store = opened(bytes).0;
    let entries = store.entries().iter();
    let mut lines: Vec<_> = entries
        .map(|e| format!("{:?} {} {}", e.alias, e.kind.as_str(), e.certificates()[0].fingerprint().short()))
        .collect();
    lines.sort();
    lines.join(",")
}

fn trusted(bytes: &[u8]) -> BTreeSet<Fingerprint> {
    let store = opened(bytes).0;
    let entries = store.entries().iter().filter(|e| matches!(e.kind, EntryKind::Trusted(_)));
    entries.map(|e| e.certificates()[0].fingerprint()).collect()
}

impl DiskWrite {
    fn new(
        world: &World,
        store: &StoreId,
        before: Vec<u8>,
        memory: LedgerEffect,
        presented: BTreeMap<IdentityId, Presented>,
    ) -> Self {
        let after = bytes_of(world, store);
        Self {
            store: store.clone(),
            stamp: match world.look().stores.get(store) {
                Some(StoreLook::Readable(facts)) => facts.written.unwrap(),
                _ => panic!("no store"),
            },
            name: format!("{store}:{}>{}", listing(&before), listing(&after)),
            placed: world.ledger.placed.get(store).cloned().unwrap_or_default(),
            before,
            after,
            memory,
            presented,
        }
    }
}

impl Folder {
    /// Records a write whose outcome is known.
    fn settle(&mut self, write: &DiskWrite, world: &World) {
        self.ledger.remember(&write.store, &write.memory, &run(), world.now);
    }

    fn key(&self, marks: &mut Marks) -> String {
        let ledger = &self.ledger;
        let short = |map: &BTreeMap<StoreId, BTreeMap<PlacedKey, PlacedEntry>>| {
            let lines = map
                .iter()
                .flat_map(|(id, p)| p.iter().map(move |(a, p)| format!("{id} {} {}", a.as_str(), p.sha256.short())));
            lines.collect::<Vec<_>>().join(",")
        };
        let predecessors: Vec<_> =
            ledger.predecessors.iter().map(|(f, p)| (f.short(), p.replaced_by.short(), p.staged)).collect();
        let acks = ledger.acks.iter().map(|(service, ack)| {
            (service, ack.seen.iter().map(|(id, seen)| (id, marks.is(id, seen))).collect::<Vec<_>>())
        });
        let acks: Vec<_> = acks.collect();
        let staging: Vec<_> = self.staging.iter().map(|(id, p)| (id, p.print().short())).collect();
        format!(
            "{}|{}|{predecessors:?}|{:?}|{acks:?}|{staging:?}|{:?}|{:?}|{:?}|{:?}",
            short(&ledger.placed),
            short(&ledger.perhaps),
            ledger.restarts.keys().collect::<Vec<_>>(),
            self.runs.iter().map(|log| marks.log(log)).collect::<Vec<_>>(),
            self.rollback.as_ref().map(|log| marks.log(log)),
            marks.writes(&self.open),
            ledger.presented.iter().map(|(id, print)| format!("{id} {}", print.short())).collect::<Vec<_>>()
        )
    }
}

/// Names for things that differ only in salts and dates. The present content of the stores comes first, and the rest in
/// the order of appearance. States that differ in nothing that may ever be compared get the same names.
pub struct Marks {
    now: BTreeMap<StoreId, StoreVersion>,
    bytes: BTreeMap<(StoreId, Digest), usize>,
}

impl Marks {
    fn of(state: &State) -> Self {
        let mut marks = Self { now: state.seen(), bytes: BTreeMap::new() };
        for store in state.world.topology.stores.keys() {
            marks.number(store, &bytes_of(&state.world, store));
        }
        marks
    }

    fn number(&mut self, store: &StoreId, bytes: &[u8]) -> usize {
        let fresh = self.bytes.len();
        *self.bytes.entry((store.clone(), Digest::of(bytes))).or_insert(fresh)
    }

    /// Whether a store is in the same state as then. The time does not matter: a file that has changed never is the
    /// same file again.
    fn is(&self, store: &StoreId, then: &StoreVersion) -> bool {
        self.now.get(store) == Some(then)
    }

    fn writes(&mut self, writes: &[DiskWrite]) -> Vec<String> {
        let mut keys = Vec::new();
        for write in writes {
            let (before, after) = (self.number(&write.store, &write.before), self.number(&write.store, &write.after));
            let presented = write.presented.iter().map(|(id, then)| {
                (id, then.sha256.short(), then.store.as_ref().map(|seen| self.now.values().any(|is| is == seen)))
            });
            let presented: Vec<_> = presented.collect();
            let stands = self.now.get(&write.store).is_some_and(|seen| seen.written == Some(write.stamp));
            keys.push(format!(
                "{}{before}>{after}{presented:?}{stands}{:?}{:?}",
                write.name, write.memory, write.placed
            ));
        }
        keys
    }

    fn log(&mut self, log: &Log) -> String {
        format!("{:?}{:?}{:?}", self.writes(&log.writes), log.staged, log.installed.keys().collect::<Vec<_>>())
    }
}

impl State {
    pub fn new(world: World, truth: &Truth) -> Self {
        let folder = Folder { ledger: world.ledger.clone(), ..Folder::default() };
        let known = world.ledger.clone();
        let (services, work) = (BTreeMap::new(), Work::Nothing);
        let mut state = Self { world, services, folder, away: None, work, truth: known, restored: false };
        for service in truth.readers.keys() {
            state.restart(truth, service);
        }
        state
    }

    fn restart(&mut self, truth: &Truth, service: &ServiceId) {
        let (stores, identities) = &truth.readers[service];
        let trusts = stores.iter().map(|id| (id.clone(), trusted(&bytes_of(&self.world, id))));
        let presents = identities.iter().map(|id| (id.clone(), self.world.present(id)));
        let loaded = Loaded { trusts: trusts.collect(), presents: presents.collect() };
        self.services.insert(service.clone(), loaded);
    }

    /// An entry that this program placed and no longer knows. What an older state folder does not know is not counted.
    pub fn forgotten(&self, program: Program) -> Option<String> {
        if self.restored || !self.rests() || self.away.is_some() {
            return None;
        }
        let (folder, world) = self.looked(program);
        let claims = self.truth.placed.iter().flat_map(|(id, placed)| placed.iter().map(move |(key, p)| (id, key, p)));
        let mut there = claims.filter(|(id, key, placed)| world.trusted(id).get(key.as_str()) == Some(&placed.sha256));
        let lost = there.find(|(id, key, placed)| {
            !folder.ledger.claims(id).any(|(claimed, one)| claimed == *key && one.sha256 == placed.sha256)
        });
        lost.map(|(id, key, _)| format!("`{}` of {id} was placed and is forgotten", key.as_str()))
    }

    /// The first edge over which a client would refuse its server now.
    pub fn broken(&self, truth: &Truth) -> Option<String> {
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

    /// Whether no run is at work, so that a person may replace the state folder by an older one.
    pub fn rests(&self) -> bool {
        matches!(self.work, Work::Nothing)
    }

    /// Whether no run is at work, and every disk can be seen.
    pub fn is_seen_at_rest(&self) -> bool {
        self.rests() && self.away.is_none()
    }

    /// Whether nothing is left to do or to wait for.
    pub fn is_end(&self) -> bool {
        if !self.rests() || self.away.is_some() || !self.folder.open.is_empty() {
            return false;
        }
        let (_, world) = self.looked(Program::Real);
        world.plan().is_settled() && world.ledger.restarts.is_empty()
    }

    /// A text that is unique for the disks and services of a state.
    pub fn estate_key(&self) -> String {
        let stores: Vec<_> =
            self.world.topology.stores.keys().map(|id| (id, listing(&bytes_of(&self.world, id)))).collect();
        format!("{stores:?}{:?}{:?}{:?}", self.services, self.world.options.replace, self.away)
    }

    /// A text that is unique for a state folder, as if it were the folder of this state.
    pub fn folder_key(&self, folder: &Folder) -> String {
        folder.key(&mut Marks::of(self))
    }

    /// The state of every store.
    fn seen(&self) -> BTreeMap<StoreId, StoreVersion> {
        let look = self.world.look();
        let seen = look.stores.iter().filter_map(|(id, look)| match look {
            StoreLook::Readable(facts) => Some((id.clone(), facts.seen())),
            _ => None,
        });
        seen.collect()
    }

    pub fn key(&self) -> String {
        let mut marks = Marks::of(self);
        let folder = self.folder.key(&mut marks);
        let work = match &self.work {
            Work::Nothing => String::new(),
            Work::Run(run) => {
                let changes: Vec<_> = run.plan.changes.iter().map(|c| format!("{} {} {c}", c.phase, c.store)).collect();
                format!("run {changes:?}{:?}{}", run.left, marks.log(&run.log))
            }
            Work::Back(back) => {
                let logs = (marks.log(&back.log), marks.writes(&back.left), marks.log(&back.own));
                format!("back {logs:?}{}", back.again)
            }
        };
        let truth: Vec<_> =
            self.truth.placed.values().flat_map(|p| p.iter().map(|(a, p)| (a, p.sha256.short()))).collect();
        format!("{}|{folder}|{work}|{}|{truth:?}", self.estate_key(), self.restored)
    }

    /// A command begins: the disks are asked what the runs that were cut off did. Returns the folder as it may be
    /// stored, and the world as it is judged, with what is assumed.
    fn looked(&self, program: Program) -> (Folder, World) {
        let mut folder = self.folder.clone();
        let mut world = self.world.clone();
        world.unreachable = self.away.iter().cloned().collect();
        for write in std::mem::take(&mut folder.open) {
            if self.away.as_ref() == Some(&write.store.host) {
                if program != Program::Forgetful {
                    folder.open.push(write);
                }
            } else if bytes_of(&world, &write.store) == write.after {
                folder.settle(&write, &world);
            } else if bytes_of(&world, &write.store) != write.before {
                folder.ledger.assume(&write.store, &write.memory, &run(), world.now);
            }
        }
        world.staging = folder.staging.clone();
        if program != Program::Unnoticing {
            notice(&mut folder.ledger, &world.topology, &world.look(), world.now);
        }
        world.ledger = folder.ledger.clone();
        for write in &folder.open {
            world.ledger.assume(&write.store, &write.memory, &run(), world.now);
            world.unclear.push(Unclear { run: run(), store: write.store.clone(), why: "its disk is away".to_owned() });
        }
        (folder, world)
    }

    fn with(&self, folder: &Folder) -> Self {
        Self { folder: folder.clone(), ..self.clone() }
    }

    /// Every event that may happen next.
    pub fn steps(&self, truth: &Truth, rules: Rules) -> Vec<(String, Self)> {
        let mut next = Vec::new();
        // A service may restart at any moment: a reboot asks nobody.
        for service in truth.readers.keys() {
            let mut after = self.clone();
            after.restart(truth, service);
            next.push((format!("{service} restarts"), after));
        }
        match &self.work {
            Work::Run(run) => self.running(run, rules, &mut next),
            Work::Back(back) => self.going_back(back, rules, &mut next),
            Work::Nothing => {
                if self.away.is_some() {
                    next.push(("the disk is back".to_owned(), Self { away: None, ..self.clone() }));
                }
                self.resting(truth, rules, &mut next);
            }
        }
        next
    }

    /// The run is cut off. The next command asks the disks what the run did, and a disk may be away then.
    fn cut_off(&self, writes: &[DiskWrite], what: &str, rules: Rules, next: &mut Vec<(String, Self)>) {
        let mut after = Self { work: Work::Nothing, ..self.clone() };
        after.folder.open.extend(writes.iter().cloned());
        let hosts: BTreeSet<&Fqdn> = writes.iter().map(|write| &write.store.host).filter(|_| rules.away).collect();
        for host in hosts {
            let away = Self { away: Some(host.clone()), ..after.clone() };
            next.push((format!("{what} is cut off, and the disk of {host} is away"), away));
        }
        next.push((format!("{what} is cut off"), after));
    }

    fn running(&self, run: &Run, rules: Rules, next: &mut Vec<(String, Self)>) {
        for store in &run.left {
            let mut after = self.clone();
            let mut run = run.clone();
            let before = bytes_of(&after.world, store);
            let presented =
                undo::presented(&after.world.topology, &after.world.look()).remove(store).unwrap_or_default();
            after.world.ledger = after.folder.ledger.clone();
            let Some(memory) = after.world.put(&run.plan, store, &run.made) else { continue };
            for identity in run.made.keys() {
                let arrives = memory.predecessors.values().any(|p| p.identity == *identity);
                if arrives && run.plan.mints[identity].resumed.is_some() {
                    run.log.installed.insert(identity.clone(), run.made[identity].clone());
                }
            }
            after.truth.remember(store, &memory, &crate::world::run(), after.world.now);
            run.log.writes.push(DiskWrite::new(&after.world, store, before, memory, presented));
            run.left.remove(store);
            after.folder.staging = after.world.staging.clone();
            if run.left.is_empty() {
                for write in &run.log.writes {
                    after.folder.settle(write, &after.world);
                }
                after.folder.stand(run.log, rules.keeps);
                after.work = Work::Nothing;
            } else {
                after.work = Work::Run(Box::new(run));
            }
            next.push((format!("{store} is written"), after));
        }
        let mut cut = self.clone();
        if !run.log.writes.is_empty() || !run.log.staged.is_empty() {
            cut.folder.stand(run.log.clone(), rules.keeps);
        }
        cut.cut_off(&run.log.writes, "the run", rules, next);
    }

    fn going_back(&self, back: &Back, rules: Rules, next: &mut Vec<(String, Self)>) {
        for (index, write) in back.left.iter().enumerate() {
            let mut after = self.clone();
            let mut back = back.clone();
            back.left.remove(index);
            let before = bytes_of(&after.world, &write.store);
            let presented =
                undo::presented(&after.world.topology, &after.world.look()).remove(&write.store).unwrap_or_default();
            let memory = write.memory.taken_back(&write.placed, &run(), after.world.now);
            after.world.disk.insert(write.store.clone(), Disk::File(write.before.clone()));
            *after.world.stamps.entry(write.store.clone()).or_default() += 1;
            after.world.ledger = after.folder.ledger.clone();
            after.truth.remember(&write.store, &memory, &run(), after.world.now);
            back.own.writes.push(DiskWrite::new(&after.world, &write.store, before, memory, presented));
            if back.left.is_empty() {
                after.ends_back(back, rules.again);
            } else {
                after.work = Work::Back(Box::new(back));
            }
            next.push((format!("{} is put back", write.store), after));
        }
        // The next rollback continues it, and finds the stores that are still to be restored.
        self.cut_off(&back.own.writes, "the rollback", rules, next);
    }

    fn ends_back(&mut self, back: Back, again: bool) {
        for write in &back.own.writes {
            self.folder.settle(write, &self.world);
        }
        // A key whose certificate somebody trusts may be in use, whatever is recorded of it.
        let stores = self.world.topology.stores.keys();
        let known: BTreeSet<Fingerprint> = stores.flat_map(|id| trusted(&bytes_of(&self.world, id))).collect();
        self.folder.staging.retain(|id, pair| !back.log.staged.contains(id) || known.contains(&pair.print()));
        self.folder.staging.extend(back.log.installed.clone());
        self.world.staging = self.folder.staging.clone();
        if back.again {
            self.folder.rollback = None;
        } else {
            self.folder.runs.pop();
            self.folder.rollback = Some(back.own).filter(|_| again);
        }
        self.work = Work::Nothing;
    }

    fn resting(&self, truth: &Truth, rules: Rules, next: &mut Vec<(String, Self)>) {
        let (folder, world) = self.looked(rules.program);
        let plan = world.plan();
        let left: BTreeSet<StoreId> =
            plan.stores.iter().filter(|s| matches!(s.verdict, StoreVerdict::Change(_))).map(|s| s.id.clone()).collect();
        if !left.is_empty() {
            let mut after = self.with(&folder);
            after.world.staging = folder.staging.clone();
            let staged = folder.staging.keys().cloned().collect::<BTreeSet<_>>();
            let made = after.world.begin(&plan);
            after.world.options.replace.clear();
            let staged = after.world.staging.keys().filter(|id| !staged.contains(*id)).cloned().collect();
            after.folder.staging = after.world.staging.clone();
            after.folder.rollback = None;
            let log = Log { staged, ..Log::default() };
            after.work = Work::Run(Box::new(Run { plan: plan.clone(), made, left, log }));
            next.push(("a run begins".to_owned(), after));
        }
        let newest = folder.runs.last().map(|log| (log, false));
        let again = folder.rollback.as_ref().filter(|_| rules.again).map(|log| (log, true));
        for (log, again) in newest.into_iter().chain(again) {
            if let Some(after) = self.back(&folder, &world, log, again, rules) {
                next.push((format!("a rollback begins{}", if again { ", of a rollback" } else { "" }), after));
            }
        }
        // If a service reads a store whose state is unclear, it cannot be told what the service read.
        let unclear: BTreeSet<&StoreId> = folder.open.iter().map(|write| &write.store).collect();
        let reads = |service: &ServiceId, id: &StoreId| {
            world.topology.stores.get(id).is_some_and(|def| def.restart.contains(service))
        };
        let counting = world.topology.services.keys().filter(|service| plan.counts(service).is_ok());
        for service in counting.filter(|service| !unclear.iter().any(|id| reads(service, id))) {
            let mut after = self.with(&folder);
            if rules.people == People::Honest {
                after.restart(truth, service);
            }
            after.ack(&world, &plan, service);
            if self.away.is_none() && rules.program == Program::Real {
                let (_, world) = after.looked(rules.program);
                assert!(
                    world.plan().counts(service).is_err(),
                    "{service} was acknowledged, and that counted for nothing"
                );
            }
            next.push((format!("{service} is restarted and acknowledged"), after));
        }
    }

    fn ack(&mut self, world: &World, plan: &Plan, service: &ServiceId) {
        let read = plan.readers.get(service).cloned().unwrap_or_default();
        let folder = &mut self.folder;
        folder.ledger.restarts.remove(service);
        folder.ledger.acks.insert(service.clone(), Ack::new(world.now, "operator", &read));
    }

    /// Begins a rollback, if it is allowed.
    fn back(&self, folder: &Folder, world: &World, log: &Log, again: bool, rules: Rules) -> Option<Self> {
        // Every store must be seen, also one that has its earlier content again.
        if log.writes.iter().any(|write| self.away.as_ref() == Some(&write.store.host)) {
            return None;
        }
        let writes: Vec<&DiskWrite> =
            log.writes.iter().filter(|write| bytes_of(world, &write.store) != write.before).collect();
        let changed = |write: &&DiskWrite| bytes_of(world, &write.store) != write.after;
        if writes.iter().any(changed) || (writes.is_empty() && log.staged.is_empty()) {
            return None;
        }
        if rules.program != Program::Unasking {
            let restored = |write: &&DiskWrite| {
                let store = opened(&write.before).0;
                let after = StoreAfter::Holds(store.format(), store.entries().to_vec());
                (write.store.clone(), Restored { after, presented: write.presented.clone() })
            };
            let undo = PlannedRollback { stores: writes.iter().map(restored).collect() };
            if !undo::judge(&world.topology, &world.look(), &undo, world.now).refused.is_empty() {
                return None;
            }
        }
        let mut after = self.with(folder);
        let left: Vec<DiskWrite> = writes.into_iter().cloned().collect();
        let back = Back { log: log.clone(), left, own: Log::default(), again };
        if back.left.is_empty() {
            after.ends_back(back, rules.again);
        } else {
            after.work = Work::Back(Box::new(back));
        }
        Some(after)
    }

    /// An older state folder replaces this one.
    pub fn restored(&self, folder: &Folder) -> Self {
        let mut after = Self { restored: true, ..self.with(folder) };
        after.world.staging = folder.staging.clone();
        after
    }
}

impl Folder {
    /// A run that was not rolled back. The backups of runs that are too old are gone.
    fn stand(&mut self, log: Log, keeps: usize) {
        self.runs.push(log);
        let old = self.runs.len().saturating_sub(keeps);
        self.runs.drain(..old);
    }
}
