//! Stores of the system: looked at, written, verified and taken back. Here they are in memory; the last test uses a
//! real Windows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use trustmason_host::disk::Disk;
use trustmason_host::fault::{FaultInjector, InjectedFault};
use trustmason_host::live::{LiveError, SystemStores};
use trustmason_host::rollback::RollbackError;
use trustmason_host::run::StoreOutcome;
use trustmason_keystore::{
    Certificate, Credential, Fingerprint, Interner, Store, serialised_element, serialised_store,
};
use trustmason_plan::change::Edit;
use trustmason_plan::finding::FindingKind;
use trustmason_plan::outline::Plan;
use trustmason_spec::topology::{Access, AnchorDef, Disks, Ownership, Reach, Subject};
use trustmason_spec::windows::{Location, SystemPlace, SystemStore};

use crate::world::*;

const ROOT: &str = "ads.acme.example/windows-root";

/// Elements by system store.
type Shelves = BTreeMap<SystemStore, Vec<Vec<u8>>>;

/// A Windows that exists in memory.
#[derive(Debug, Default)]
struct Memory {
    /// The name of the machine, if not ADS.
    called: Mutex<Option<String>>,
    own: Mutex<Shelves>,
    policy: Mutex<Shelves>,
    /// A change of this store fails.
    broken: Mutex<Option<SystemStore>>,
    changes: Mutex<usize>,
}

fn print(element: &[u8]) -> Fingerprint {
    let store = Store::open(serialised_store([element]), Credential::Withheld, &Interner::new()).unwrap();
    store.entries()[0].certificates()[0].fingerprint()
}

impl Memory {
    fn put(&self, store: SystemStore, element: Vec<u8>) {
        self.own.lock().unwrap().entry(store).or_default().push(element);
    }

    fn prints(&self, store: SystemStore) -> Vec<Fingerprint> {
        self.own.lock().unwrap().get(&store).into_iter().flatten().map(|element| print(element)).collect()
    }
}

impl SystemStores for Memory {
    fn machine(&self) -> Vec<String> {
        vec![self.called.lock().unwrap().clone().unwrap_or_else(|| "ADS".to_owned())]
    }

    fn own(&self, at: &Location, store: SystemStore) -> Result<Option<Vec<Vec<u8>>>, LiveError> {
        if *at != Location::LocalMachine {
            return Ok(None);
        }
        Ok(self.own.lock().unwrap().get(&store).cloned())
    }

    fn others(&self, _: &Location, store: SystemStore) -> Result<Vec<(String, Vec<u8>)>, LiveError> {
        let policy = self.policy.lock().unwrap().get(&store).cloned().unwrap_or_default();
        Ok(policy.into_iter().map(|element| ("group policy".to_owned(), element)).collect())
    }

    fn change(
        &self,
        _: &Location,
        store: SystemStore,
        add: &[Vec<u8>],
        remove: &[Fingerprint],
    ) -> Result<(), LiveError> {
        *self.changes.lock().unwrap() += 1;
        if *self.broken.lock().unwrap() == Some(store) {
            return Err(LiveError(format!("cannot open {store}: access is denied")));
        }
        for element in add {
            // As Windows does (CERT_STORE_ADD_NEW).
            if self.prints(store).contains(&print(element)) {
                return Err(LiveError("it is there already".to_owned()));
            }
            self.put(store, element.clone());
        }
        let mut own = self.own.lock().unwrap();
        own.entry(store).or_default().retain(|element| !remove.contains(&print(element)));
        Ok(())
    }
}

/// A record of the registry.
fn record(id: u32, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap();
    [&id.to_le_bytes(), &1u32.to_le_bytes(), &length.to_le_bytes(), value].concat()
}

/// A certificate with properties before it.
fn element(certificate: &Certificate, properties: &[(u32, &[u8])]) -> Vec<u8> {
    let mut bytes: Vec<u8> = properties.iter().flat_map(|(id, value)| record(*id, value)).collect();
    bytes.extend(record(32, certificate.der()));
    bytes
}

/// An estate of one host, this machine, whose Windows trusts a root and its issuing authority.
struct Machine {
    world: World,
    system: Arc<Memory>,
    chain: Chain,
}

fn declare(world: &mut World, host: &str, chain: &Chain) {
    let id = format!("{host}/windows-root");
    let mut def = store_def(&id, Reach::System { place: SystemPlace::machine(), by_hand: false });
    def.ownership = Ownership::Vendor;
    world.topology.stores.clear();
    world.topology.identities.clear();
    world.topology.edges.clear();
    world.topology.stores.insert(def.id.clone(), def);
    for (name, certificate) in [("corp-root", &chain.root), ("corp-issuing", &chain.issuing)] {
        let file = world.root().join(format!("{name}.pem"));
        std::fs::write(&file, pem(certificate)).unwrap();
        world.topology.anchors.insert(name.to_owned(), AnchorDef { file, sha256: None, unconstrained: false });
        let mut edge = edge(&id, "x.acme.example/any", None);
        edge.subject = Subject::Certificate(name.to_owned());
        edge.id = format!("{id} <- {name}");
        world.topology.edges.push(edge);
    }
}

impl Machine {
    fn new() -> Self {
        let mut world = World::settled_identity();
        let chain = chain("web.acme.example");
        declare(&mut world, "ads.acme.example", &chain);
        let here = Access::Here(Disks::below(world.root().join("hosts/ads.acme.example")));
        world.topology.hosts.get_mut(&fqdn("ads.acme.example")).unwrap().access = here;
        let system = Arc::new(Memory::default());
        world.system = Some(system.clone());
        Self { world, system, chain }
    }

    fn plan(&self) -> Plan {
        self.world.plan()
    }

    fn apply(&self) -> StoreOutcome {
        self.world.apply(&Disk::new()).unwrap().stores[&store_id(ROOT)].clone()
    }

    fn def(&mut self) -> &mut trustmason_spec::topology::StoreDef {
        self.world.topology.stores.get_mut(&store_id(ROOT)).unwrap()
    }
}

fn blocked(plan: &Plan) -> String {
    assert!(plan.changes.is_empty(), "{:?}", plan.changes);
    let found = plan.findings.iter().find(|f| f.severity == trustmason_plan::finding::Severity::Blocked);
    found.expect("something is blocked").message.clone()
}

#[test]
fn each_certificate_goes_where_windows_looks_for_it() {
    let machine = Machine::new();
    let vendor = make("Vendor Root", &[]).certificate;
    machine.system.put(SystemStore::Root, element(&vendor, &[(11, b"V\0\0\0")]));
    assert!(matches!(machine.apply(), StoreOutcome::Written { backup: Some(_) }));
    let (root, issuing) = (machine.chain.root.fingerprint(), machine.chain.issuing.fingerprint());
    assert_eq!(machine.system.prints(SystemStore::Root), [vendor.fingerprint(), root]);
    assert_eq!(machine.system.prints(SystemStore::Ca), [issuing]);
    let plan = machine.plan();
    let wrong = |f: &&trustmason_plan::finding::Finding| {
        f.kind != FindingKind::RestartPending && f.kind != FindingKind::Unmanaged
    };
    assert!(plan.changes.is_empty() && plan.findings.iter().find(wrong).is_none(), "{:?}", plan.findings);
}

#[test]
fn a_rollback_brings_everything_back_with_its_properties() {
    let mut machine = Machine::new();
    let gone = make("gone.acme.example", &["gone.acme.example"]).certificate;
    machine.world.topology.retired.insert(fqdn("gone.acme.example"));
    machine.system.put(SystemStore::Root, element(&gone, &[(11, b"G\0\0\0"), (9, b"0\0")]));
    let before = machine.system.own.lock().unwrap().clone();
    assert!(matches!(machine.apply(), StoreOutcome::Written { .. }));
    assert!(!machine.system.prints(SystemStore::Root).contains(&gone.fingerprint()));
    let undone = machine.world.undo(None, &Disk::new()).unwrap();
    assert!(undone.is_complete(), "{undone:?}");
    let after = machine.system.own.lock().unwrap().clone();
    assert_eq!(after[&SystemStore::Root], before[&SystemStore::Root]);
    assert!(after[&SystemStore::Ca].is_empty());
    // And the rollback itself can be taken back.
    let again = machine.world.undo(undone.run.as_ref(), &Disk::new()).unwrap();
    assert!(again.is_complete() && machine.system.prints(SystemStore::Ca).len() == 1, "{again:?}");
}

#[test]
fn what_somebody_changed_since_is_not_written_and_not_taken_back() {
    let machine = Machine::new();
    let (ledger, observed) = machine.world.look();
    let plan = machine.plan();
    machine.system.put(SystemStore::Ca, element(&make("Other", &[]).certificate, &[]));
    let outcomes = machine.world.run(&plan, &ledger, &observed, &Disk::new()).unwrap();
    assert!(
        matches!(&outcomes.stores[&store_id(ROOT)], StoreOutcome::Stale { why } if why.to_string().contains("windows://"))
    );
    assert!(machine.system.prints(SystemStore::Root).is_empty());
    machine.apply();
    machine.system.put(SystemStore::Ca, element(&make("Later", &[]).certificate, &[]));
    let error = machine.world.undo(None, &Disk::new()).unwrap_err();
    assert!(matches!(&error, RollbackError::Changed { .. }) && error.to_string().contains("windows://LocalMachine/CA"));
}

#[test]
fn what_is_worked_out_by_the_system_is_no_change() {
    let machine = Machine::new();
    machine.apply();
    let root = element(&machine.chain.root, &[(3, &[1; 20]), (20, &[2; 20])]);
    machine.system.own.lock().unwrap().insert(SystemStore::Root, vec![root]);
    assert!(machine.world.undo(None, &Disk::new()).unwrap().is_complete());
}

#[test]
fn a_certificate_of_group_policy_serves_and_is_nobodys_to_remove() {
    let mut machine = Machine::new();
    let bad = make("Bad Root", &[]).certificate;
    machine.world.topology.distrust.insert(bad.fingerprint(), "compromised".to_owned());
    let policy = vec![serialised_element(&machine.chain.root).unwrap(), element(&bad, &[])];
    machine.system.policy.lock().unwrap().insert(SystemStore::Root, policy);
    let plan = machine.plan();
    assert_eq!(plan.changes.len(), 1, "only the intermediate is missing: {:?}", plan.changes);
    let found = plan.findings.iter().find(|f| f.kind == FindingKind::Distrusted).unwrap();
    assert!(found.message.contains("group policy would add it again"), "{}", found.message);
    machine.apply();
    assert!(machine.system.prints(SystemStore::Root).is_empty());
}

#[test]
fn a_certificate_with_a_key_is_never_removed() {
    let mut machine = Machine::new();
    let own = make("gone.acme.example", &["gone.acme.example"]).certificate;
    machine.world.topology.retired.insert(fqdn("gone.acme.example"));
    machine.system.put(SystemStore::Root, element(&own, &[(2, &[0; 28])]));
    let plan = machine.plan();
    assert!(!plan.changes.iter().any(|c| matches!(c.edit, Edit::Delete { .. })), "{:?}", plan.changes);
    let found = plan.findings.iter().find(|f| f.kind == FindingKind::Retired).unwrap();
    assert!(found.message.contains("private key"), "{}", found.message);
    machine.apply();
    assert!(machine.system.prints(SystemStore::Root).contains(&own.fingerprint()));
}

#[test]
fn a_root_in_the_wrong_store_is_said_and_brought_into_the_right_one() {
    let machine = Machine::new();
    machine.system.put(SystemStore::Ca, element(&machine.chain.root, &[]));
    let plan = machine.plan();
    let found = plan.findings.iter().find(|f| f.kind == FindingKind::WrongStore).unwrap();
    assert!(found.message.contains("is in CA") && found.message.contains("belongs in Root"), "{}", found.message);
    machine.apply();
    assert_eq!(machine.system.prints(SystemStore::Root), [machine.chain.root.fingerprint()]);
    assert!(machine.plan().changes.is_empty(), "the wrong one is said, and left to people");
}

#[test]
fn a_store_of_another_machine_is_blocked_with_a_way_out() {
    let mut machine = Machine::new();
    machine.world.topology.hosts.get_mut(&fqdn("ads.acme.example")).unwrap().access =
        Access::Root(Disks::below(machine.world.root().join("hosts/ads.acme.example")));
    let why = blocked(&machine.plan());
    assert!(why.contains("another machine") && why.contains(".reg"), "{why}");
    machine.def().reach = Reach::System { place: SystemPlace::machine(), by_hand: true };
    let plan = machine.plan();
    assert_eq!(plan.summary.unobserved, 2, "{:?}", plan.summary);
}

#[test]
fn a_machine_of_another_name_is_not_this_machine() {
    let mut machine = Machine::new();
    let chain = chain("web.acme.example");
    declare(&mut machine.world, "cvp1.acme.example", &chain);
    let here = Access::Here(Disks::below(machine.world.root().join("hosts/cvp1.acme.example")));
    machine.world.topology.hosts.get_mut(&fqdn("cvp1.acme.example")).unwrap().access = here;
    let why = blocked(&machine.plan());
    assert!(why.contains("called ADS") && why.contains("this-machine"), "{why}");
}

#[cfg(not(windows))]
#[test]
fn a_system_that_is_no_windows_says_so() {
    let mut machine = Machine::new();
    machine.world.system = None;
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let label: String = name.trim().to_lowercase().split('.').next().unwrap().to_owned();
    let host = format!("{label}.acme.example");
    let mut def = machine.world.topology.hosts[&fqdn("ads.acme.example")].clone();
    def.fqdn = fqdn(&host);
    machine.world.topology.hosts.insert(fqdn(&host), def);
    declare(&mut machine.world, &host, &chain("web.acme.example"));
    let why = blocked(&machine.plan());
    assert!(why.contains("not Windows") && why.contains(".sst") && why.contains(".reg"), "{why}");
}

#[test]
fn a_service_without_a_store_is_not_an_empty_one() {
    let mut machine = Machine::new();
    let location = Location::Service("tomcta".to_owned());
    let place = SystemPlace { location, ..SystemPlace::machine() };
    machine.def().reach = Reach::System { place, by_hand: false };
    let why = blocked(&machine.plan());
    assert!(why.contains("`tomcta`") && why.contains("sc query"), "{why}");
}

#[test]
fn half_a_change_is_finished_by_the_next_run() {
    let machine = Machine::new();
    *machine.system.broken.lock().unwrap() = Some(SystemStore::Ca);
    let failed = machine.apply();
    let StoreOutcome::Failed { error } = &failed else { panic!("{failed:?}") };
    let error = error.to_string();
    assert!(error.contains("denied") && error.contains("backup"), "{error}");
    assert_eq!(machine.system.prints(SystemStore::Root).len(), 1, "what came is there");
    *machine.system.broken.lock().unwrap() = None;
    let plan = machine.plan();
    assert_eq!(plan.changes.len(), 1, "{:?}", plan.changes);
    assert!(matches!(machine.apply(), StoreOutcome::Written { .. }));
    assert!(machine.plan().changes.is_empty());
}

#[test]
fn a_run_cut_off_in_the_middle_is_read_from_its_journal() {
    // For each step of the run: afterwards the next run ends in sync, and taking everything back ends where it began.
    for at in 0..200 {
        let machine = Machine::new();
        let gate = Arc::new(FaultInjector::at(at, InjectedFault::Crash));
        let _cut = machine.world.apply(&Disk::behind(gate.clone()));
        if gate.struck().is_none() {
            assert!(at > 5, "nothing was cut off");
            return;
        }
        let _again = machine.world.apply(&Disk::new());
        assert!(machine.plan().changes.is_empty(), "after a cut at step {at}");
        while machine.world.undo(None, &Disk::new()).is_ok() {}
        assert!(machine.system.prints(SystemStore::Root).is_empty(), "after a cut at step {at}");
        assert!(machine.system.prints(SystemStore::Ca).is_empty(), "after a cut at step {at}");
    }
    panic!("a run has fewer steps");
}

#[test]
fn a_run_is_not_taken_back_on_another_machine() {
    let machine = Machine::new();
    machine.apply();
    *machine.system.called.lock().unwrap() = Some("adsb".to_owned());
    let error = machine.world.undo(None, &Disk::new()).unwrap_err().to_string();
    assert!(error.contains("called adsb"), "{error}");
    assert_eq!(machine.system.prints(SystemStore::Root).len(), 1);
}

#[test]
fn limits_are_said_of_wanted_certificates_only() {
    let machine = Machine::new();
    let servers: &[u8] = &[0x30, 0x0a, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
    machine.system.put(SystemStore::Root, element(&make("Vendor", &[]).certificate, &[(9, servers)]));
    machine.system.put(SystemStore::Root, element(&machine.chain.root, &[(9, servers)]));
    let plan = machine.plan();
    let limited: Vec<_> = plan.findings.iter().filter(|f| f.kind == FindingKind::LimitedTrust).collect();
    assert_eq!(limited.len(), 1, "{limited:?}");
    assert_eq!(limited[0].sha256, Some(machine.chain.root.fingerprint()));
}

#[test]
fn looking_and_a_second_run_change_nothing() {
    let machine = Machine::new();
    machine.apply();
    let changes = *machine.system.changes.lock().unwrap();
    let (gate, disk) = counted();
    machine.world.apply(&disk).unwrap();
    assert_eq!(*machine.system.changes.lock().unwrap(), changes);
    assert_eq!(gate.taken(), 0);
}

/// The whole way on the system's own stores. It counts no certificates there, because Windows brings roots of its own.
#[cfg(windows)]
#[test]
fn the_system_trusts_what_a_run_brought_and_no_longer_what_was_taken_back() {
    use trustmason_windows::store::chain::{ChainFault, judge};

    let label = std::env::var("COMPUTERNAME").unwrap().to_lowercase();
    let host = format!("{label}.acme.example");
    let mut world = World::settled_identity();
    let chain = chain("web.acme.example");
    let mut def = world.topology.hosts[&fqdn("ads.acme.example")].clone();
    def.fqdn = fqdn(&host);
    def.access = Access::Here(Disks::below(world.root()));
    world.topology.hosts.insert(fqdn(&host), def);
    declare(&mut world, &host, &chain);

    let leaf = chain.leaf.der();
    assert_eq!(judge(leaf, &[]).unwrap().faults(), [ChainFault::NoIssuer]);
    let plan = world.plan();
    assert_eq!(plan.changes.len(), 2, "{:?} {:?}", plan.changes, plan.findings);
    let outcomes = world.apply(&Disk::new()).unwrap();
    let outcome = outcomes.stores.values().next().unwrap();
    assert!(matches!(outcome, StoreOutcome::Written { .. }), "{outcome:?}");
    assert_eq!(judge(leaf, &[]).unwrap().bits(), 0);
    assert!(world.plan().changes.is_empty());
    let undone = world.undo(None, &Disk::new()).unwrap();
    assert!(undone.is_complete(), "{undone:?}");
    assert_eq!(judge(leaf, &[]).unwrap().faults(), [ChainFault::NoIssuer]);
}
