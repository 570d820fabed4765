//! A whole estate in memory: real keystore bytes, real certificates, and a topology made by hand. Everything that
//! `host` does on disk is done here on byte vectors, with the same plan and the same edits.

mod made;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

use jiff::Timestamp;
use trustmason_keystore::{
    Alias, Credential, Digest, Edits, EntryId, EntryKind, Fingerprint, Format, Image, Interner, NewEntry, NewKey,
    Password, Store,
};
use trustmason_plan::change::Edit;
use trustmason_plan::ledger::{Ack, Ledger};
use trustmason_plan::memory::LedgerEffect;
use trustmason_plan::observed::{
    FailureClass, HostLook, InboxLook, KeyLook, Observed, ReadFailure, SourceLook, StagedKey, StagedLook, StoreFacts,
    StoreLook, Unclear,
};
use trustmason_plan::outline::{Expect, Plan, PlanOptions, StoreVerdict};
use trustmason_plan::pack::KnownCertificates;
use trustmason_plan::run_id::RunId;
use trustmason_plan::work::{NewIdentity, edits};
use trustmason_spec::name::{Fqdn, IdentityId, RuleId, ServiceId, StoreId};
use trustmason_spec::topology::{
    Access, Anchor, CertificateSource, Constraints, Disks, Edge, Exported, FileStore, Host, HostPath, IdentityDef,
    Issuer, KeyAt, KeyKind, KeyPlace, Keystore, KeystoreFormat, LeadTime, Mirror, OlderAlias, Ownership, Pkcs12Scheme,
    Policy, Reach, Rotation, SecretRef, SecretSource, ServiceDef, SignatureHash, StoreDef, StoreKind, Subject,
    Topology, WriteMode,
};

pub use made::{Pair, make, make_ca, mint, params, signed};

/// 2026-06-01T00:00:00Z.
pub const NOW: i64 = 1_780_272_000;
pub const DAY: i64 = 86_400;

/// The id of every run in every world.
pub fn run() -> RunId {
    RunId::new(now(), Digest::of(b"run"))
}

pub fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

pub fn password() -> Password {
    Password::new("changeit")
}

pub fn fqdn(name: &str) -> Fqdn {
    Fqdn::parse(name).unwrap()
}

/// Certificates that are made once for all cases of a test binary.
pub struct Pool {
    /// For each host: good ones, the oldest first.
    pub good: Vec<Vec<Pair>>,
    /// For each host: a short name in the CN, no SAN.
    pub short: Vec<Pair>,
    /// For each host: an expired one.
    pub expired: Vec<Pair>,
    /// Certificates of hosts that left.
    pub retired: Vec<Pair>,
    /// Certificates of vendors.
    pub foreign: Vec<Pair>,
    /// For each host: a CA's, as `openssl req -x509` makes it by default.
    pub ca: Vec<Pair>,
    /// For each host: one that the estate's authority issued.
    pub issued: Vec<Pair>,
    /// The root of the estate's authority.
    pub root: Pair,
    /// Certificates of strangers, with names that are nearly those of the estate.
    pub strange: Vec<Pair>,
    /// A public root, which vendors ship.
    pub public: Pair,
}

/// The public roots of every world.
static PUBLIC: LazyLock<BTreeSet<Fingerprint>> = LazyLock::new(|| [pool().public.print()].into());

pub const HOSTS: usize = 4;

pub fn host(i: usize) -> Fqdn {
    fqdn(&format!("h{i}.acme.example"))
}

pub fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(|| {
        let name = |i: usize| host(i).to_string();
        let root = make_ca("Acme Root CA", &[]);
        let issue = |i: usize| signed(params(&name(i), &[&name(i)], -100, 800), Some(&root));
        let gone = "gone0.acme.example";
        let strange = vec![
            // A short name, which a retired host had too.
            make("gone0", &[], -300, 900),
            make("gone1", &[gone], -300, 900),
            // Wildcards that would cover hosts of the estate.
            make("*.acme.example", &["*.acme.example"], -300, 900),
            make("h0.acme.example", &["*.acme.example", "h0.acme.example"], -300, 900),
            // A retired host, and a stranger.
            make(gone, &[gone, "shop.other.example"], -300, 900),
            // A CA with the name of a retired host.
            make_ca(gone, &[gone]),
            // A live host with the name of a retired one.
            make("h1.acme.example", &["h1.acme.example", gone], -300, 900),
        ];
        Pool {
            ca: (0..HOSTS).map(|i| make_ca(&name(i), &[&name(i)])).collect(),
            issued: (0..HOSTS).map(issue).collect(),
            root: root.clone(),
            strange,
            public: make_ca("Public Root", &[]),
            good: (0..HOSTS)
                .map(|i| (0..3).map(|age| make(&name(i), &[&name(i)], -900 + 200 * age, 900 + age)).collect())
                .collect(),
            short: (0..HOSTS).map(|i| make(&format!("h{i}"), &[], -300, 900)).collect(),
            expired: (0..HOSTS).map(|i| make(&name(i), &[&name(i)], -900, -10)).collect(),
            retired: (0..2)
                .map(|i| make(&format!("gone{i}.acme.example"), &[&format!("gone{i}.acme.example")], -300, 900))
                .collect(),
            foreign: (0..3).map(|i| make(&format!("Vendor Root {i}"), &[], -900, 900)).collect(),
        }
    })
}

/// Whether the key entries of a store opened with its password.
type Keys = BTreeMap<EntryId, KeyLook>;

/// Opens a store, once for all worlds that hold the same bytes.
pub fn opened(bytes: &[u8]) -> (Arc<Store>, Keys) {
    static OPENED: Mutex<BTreeMap<Digest, (Arc<Store>, Keys)>> = Mutex::new(BTreeMap::new());
    let print = Digest::of(bytes);
    if let Some(found) = OPENED.lock().unwrap().get(&print) {
        return found.clone();
    }
    let store = Store::open(bytes.to_vec(), Credential::Password(&password()), &Interner::new()).unwrap();
    let keys = store.entries().iter().filter(|e| store.open_key(e.id, &password()).is_ok());
    let keys = keys.map(|e| (e.id, KeyLook::Opens)).collect();
    let found = (Arc::new(store), keys);
    OPENED.lock().unwrap().insert(print, found.clone());
    found
}

/// The result of a look where a store should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disk {
    File(Vec<u8>),
    Absent,
    Unreadable,
}

#[derive(Clone)]
pub struct World {
    pub topology: Topology,
    pub disk: BTreeMap<StoreId, Disk>,
    pub sources: BTreeMap<Subject, SourceLook>,
    /// The inboxes of authorities, by name.
    pub inboxes: BTreeMap<String, InboxLook>,
    pub unreachable: BTreeSet<Fqdn>,
    pub ledger: Ledger,
    pub unclear: Vec<Unclear>,
    pub options: PlanOptions,
    pub staging: BTreeMap<IdentityId, Pair>,
    pub now: Timestamp,
    /// How many times each store was written.
    pub stamps: BTreeMap<StoreId, u32>,
    minted: BTreeMap<IdentityId, usize>,
}

/// An entry of a store at the beginning.
pub enum Seed {
    Trusted(String, Pair),
    Key(String, Pair, &'static str),
}

/// The bytes of a JKS with these entries, in this order, with the aliases spelled as given.
pub fn jks(seeds: &[Seed]) -> Vec<u8> {
    keystore(Format::Jks, seeds)
}

/// The bytes of a keystore with these entries, in this order, with the aliases spelled as given.
pub fn keystore(format: Format, seeds: &[Seed]) -> Vec<u8> {
    let mut bytes = Store::create(format);
    let mut rng = getrandom::SysRng;
    let mut rng = rand_core::UnwrapErr(&mut rng);
    for (n, seed) in seeds.iter().enumerate() {
        let created_ms = 1_600_000_000_000 + i64::try_from(n).unwrap();
        let (add, pw) = match seed {
            Seed::Trusted(alias, pair) => (
                NewEntry::Trusted {
                    alias: Some(alias.as_str().into()),
                    certificate: Arc::clone(&pair.certificate),
                    created_ms,
                },
                password(),
            ),
            Seed::Key(alias, pair, _) => (
                NewEntry::PrivateKey {
                    alias: Some(alias.as_str().into()),
                    key: NewKey::Plain(pair.pkcs8.clone().into()),
                    chain: vec![Arc::clone(&pair.certificate)],
                    created_ms,
                },
                password(),
            ),
        };
        let edits = Edits { add: vec![add], ..Edits::default() };
        let Ok(Image::File(next)) = bytes.edit(&edits, &pw, &mut rng) else { continue };
        bytes = Store::open(next, Credential::Password(&password()), &Interner::new()).unwrap();
    }
    if bytes.bytes().is_empty() {
        let Image::File(next) = bytes.edit(&Edits::default(), &password(), &mut rng).unwrap() else { panic!() };
        return next;
    }
    bytes.bytes().to_vec()
}

pub fn path(id: &StoreId) -> HostPath {
    HostPath::parse(&id.host, &format!("C:\\stores\\{}", id.name)).unwrap()
}

pub fn store_def(host: &Fqdn, name: &str) -> StoreDef {
    let id = StoreId::new(host.clone(), name);
    let secret = SecretSource::Literal(password());
    let keystore = Keystore {
        path: path(&id),
        format: KeystoreFormat::Jks,
        password: Some(SecretRef { name: "cacerts".to_owned(), profile: None, from: secret }),
        scheme: Pkcs12Scheme::Java8,
    };
    StoreDef {
        reach: Reach::Direct(FileStore { kind: StoreKind::Keystore(keystore), create: false }),
        ownership: if name == "cacerts" { Ownership::Vendor } else { Ownership::Shared },
        shadows: Vec::new(),
        restart: vec![ServiceId::new(host.clone(), "tomcat")],
        steps: Vec::new(),
        removal_steps: Vec::new(),
        variables: Vec::new(),
        id,
    }
}

/// The export of a store that people write.
pub fn exported(id: &StoreId, of: Exported) -> Reach {
    Reach::Mirror(Mirror::Export { path: path(id), password: None, of })
}

/// The keystore behind a store.
pub fn keystore_of<'t>(topology: &'t mut Topology, id: &StoreId) -> &'t mut Keystore {
    match &mut topology.stores.get_mut(id).unwrap().reach {
        Reach::Direct(FileStore { kind: StoreKind::Keystore(keystore), .. }) => keystore,
        other => panic!("{other:?}"),
    }
}

pub fn identity_def(host: &Fqdn, name: &str, source: CertificateSource, write: WriteMode) -> IdentityDef {
    IdentityDef {
        id: IdentityId::new(host.clone(), name),
        source,
        write,
        constraints: Constraints {
            key: Some(KeyKind::Ec(256)),
            signature: vec![SignatureHash::Sha256],
            cn_is_fqdn: true,
            ..Constraints::default()
        },
        needs: Vec::new(),
        key: KeyKind::Ec(256),
        signature: SignatureHash::Sha256,
        subject: vec![("O".to_owned(), "Acme".to_owned())],
        issuer: Issuer::SelfSigned,
        issuer_explicit: false,
        validity_days: 1825,
        renew_before: LeadTime::Default,
        rotation: Rotation::Immediate,
        names: Vec::new(),
        restart: vec![ServiceId::new(host.clone(), name)],
        served_at: None,
        rule: RuleId::new("test", &format!("host.{name}")),
        source_document: "test".to_owned(),
        export_steps: vec!["export it".to_owned()],
        renew_steps: vec!["renew it".to_owned()],
        request_steps: Vec::new(),
        install_steps: Vec::new(),
    }
}

pub fn edge(store: &StoreId, subject: Subject, alias: Option<&str>, was: &[&str]) -> Edge {
    Edge {
        id: format!("{store} <- {subject}"),
        store: store.clone(),
        subject,
        anchor: Anchor::ByIssuer,
        alias: alias.map(Alias::of),
        was: was.iter().map(|was| OlderAlias::of(was)).collect(),
        rule: RuleId::new("test", "T1"),
        why: "they talk".to_owned(),
        source: "test".to_owned(),
    }
}

/// Every host has a `cacerts` that trusts every host's `wsm` (alias `{fqdn}_wsm`, formerly `{fqdn}`) and `iis`. It has
/// a `keystore` with its own `wsm` key, which trusts the next host's `wsm` (`{fqdn}`).
pub fn topology(hosts: usize) -> Topology {
    let mut t = Topology {
        estate: "world".to_owned(),
        state: PathBuf::from("state"),
        certificates_dir: PathBuf::from("certs"),
        profiles: vec!["test".to_owned()],
        hosts: BTreeMap::new(),
        stores: BTreeMap::new(),
        identities: BTreeMap::new(),
        services: BTreeMap::new(),
        options: Vec::new(),
        anchors: BTreeMap::new(),
        authorities: BTreeMap::new(),
        edges: Vec::new(),
        retired: [fqdn("gone0.acme.example"), fqdn("gone1.acme.example")].into(),
        distrust: BTreeMap::new(),
        public_roots: &PUBLIC,
        secret_variables: BTreeSet::new(),
        accept: Vec::new(),
        policy: Policy {
            warn_before: LeadTime::Default,
            grace_days: 7,
            observation_max_age_days: 30,
            keep_runs: 20,
            keep_days: 90,
        },
    };
    for i in 0..hosts {
        let name = host(i);
        t.hosts.insert(
            name.clone(),
            Host {
                fqdn: name.clone(),
                roles: vec!["ads".to_owned()],
                side: None,
                cluster: None,
                publisher: false,
                labels: BTreeMap::new(),
                formerly: BTreeSet::new(),
                access: Access::Root(Disks::below(format!("hosts/{name}"))),
                profile: "test".to_owned(),
            },
        );
        for store in ["cacerts", "keystore"] {
            let def = store_def(&name, store);
            t.stores.insert(def.id.clone(), def);
        }
        for service in ["tomcat", "wsm"] {
            let id = ServiceId::new(name.clone(), service);
            t.services
                .insert(id.clone(), ServiceDef { id, name: format!("the {service} service"), rank: 0, restart: None });
        }
        let keystore = StoreId::new(name.clone(), "keystore");
        let wsm = identity_def(
            &name,
            "wsm",
            CertificateSource::KeyEntry(KeyPlace { store: keystore, at: KeyAt::Alias("wsm".into()) }),
            WriteMode::Direct,
        );
        let iis = identity_def(
            &name,
            "iis",
            CertificateSource::Exported { names: vec![format!("ICM{}.cer", name.host())] },
            WriteMode::HandOff,
        );
        t.identities.insert(wsm.id.clone(), wsm);
        t.identities.insert(iis.id.clone(), iis);
    }
    for i in 0..hosts {
        let cacerts = StoreId::new(host(i), "cacerts");
        let keystore = StoreId::new(host(i), "keystore");
        for j in 0..hosts {
            let subject = host(j);
            let wsm = Subject::Identity(IdentityId::new(subject.clone(), "wsm"));
            let iis = Subject::Identity(IdentityId::new(subject.clone(), "iis"));
            t.edges.push(edge(&cacerts, wsm, Some(&format!("{subject}_wsm")), &[subject.as_str(), "util-*"]));
            t.edges.push(edge(&cacerts, iis, Some(&format!("{subject}_iis")), &["util-*"]));
        }
        let next = host((i + 1) % hosts);
        let wsm = Subject::Identity(IdentityId::new(next.clone(), "wsm"));
        t.edges.push(edge(&keystore, wsm, Some(next.as_str()), &["aw_cert", "util-*"]));
    }
    t.edges.sort_by(|a, b| a.id.cmp(&b.id));
    t
}

impl World {
    /// Every identity is good, and every truster is empty except for one vendor root.
    pub fn new(hosts: usize) -> Self {
        let topology = topology(hosts);
        let mut disk = BTreeMap::new();
        let mut sources = BTreeMap::new();
        for i in 0..hosts {
            let root = Seed::Trusted("vendor root".to_owned(), pool().foreign[0].clone());
            disk.insert(StoreId::new(host(i), "cacerts"), Disk::File(jks(&[root])));
            let key = Seed::Key("wsm".to_owned(), pool().good[i][0].clone(), "changeit");
            disk.insert(StoreId::new(host(i), "keystore"), Disk::File(jks(&[key])));
            sources.insert(Subject::Identity(IdentityId::new(host(i), "iis")), found(&pool().good[i][1]));
        }
        Self {
            topology,
            disk,
            sources,
            inboxes: BTreeMap::new(),
            unreachable: BTreeSet::new(),
            ledger: Ledger::default(),
            unclear: Vec::new(),
            options: PlanOptions { spec: "world.yaml".to_owned(), ..PlanOptions::default() },
            staging: BTreeMap::new(),
            now: now(),
            stamps: BTreeMap::new(),
            minted: BTreeMap::new(),
        }
    }

    pub fn open(&self, id: &StoreId) -> Option<Arc<Store>> {
        match self.disk.get(id)? {
            Disk::File(bytes) => Some(opened(bytes).0),
            Disk::Absent | Disk::Unreadable => None,
        }
    }

    pub fn look(&self) -> Observed {
        let mut observed =
            Observed { sources: self.sources.clone(), ledger: self.ledger.clone(), ..Observed::default() };
        observed.unclear.clone_from(&self.unclear);
        observed.inboxes.clone_from(&self.inboxes);
        for name in self.topology.hosts.keys() {
            let look = if self.unreachable.contains(name) {
                HostLook::Unreachable("its root is empty".to_owned())
            } else {
                HostLook::Reachable
            };
            observed.hosts.insert(name.clone(), look);
        }
        for (n, id) in self.topology.stores.keys().enumerate() {
            let look = match self.disk.get(id) {
                Some(Disk::File(bytes)) => {
                    let (store, keys) = opened(bytes);
                    StoreLook::Readable(Box::new(StoreFacts {
                        system_entries: Default::default(),
                        path: id.to_string(),
                        file: Some((1, n as u64)),
                        sha256: Digest::of(bytes),
                        format: store.format(),
                        entries: store.entries().to_vec(),
                        keys,
                        remarks: store.remarks().to_vec(),
                        needs_java_8u301: store.needs_java_8u301(),
                        modified: Some(NOW),
                        written: Timestamp::from_second(
                            NOW + i64::from(self.stamps.get(id).copied().unwrap_or_default()),
                        )
                        .ok(),
                    }))
                }
                Some(Disk::Unreadable) => StoreLook::Unreadable(ReadFailure {
                    path: Some(id.to_string()),
                    class: FailureClass::WrongPassword,
                    sha256: None,
                    message: format!("{id}: wrong password"),
                }),
                Some(Disk::Absent) | None => StoreLook::Absent { path: id.to_string(), parent: true },
            };
            observed.stores.insert(id.clone(), look);
        }
        for (id, pair) in &self.staging {
            let since = Timestamp::from_second(pair.certificate.not_before()).unwrap();
            let path = PathBuf::from(format!("staging/{id}"));
            let certificate = pair.certificate.clone();
            observed.staging.insert(id.clone(), StagedLook::Key(StagedKey { certificate, opens: true, path, since }));
        }
        observed
    }

    pub fn plan(&self) -> Plan {
        judged(&self.topology, &self.look(), &self.options, self.now)
    }

    /// Carries out a plan, as `host` would.
    pub fn apply(&mut self, plan: &Plan) {
        let made = self.begin(plan);
        for view in &plan.stores {
            self.write(plan, &view.id, &made);
        }
    }

    /// Every key of the plan, new or from staging. Afterwards all of them are in staging.
    pub fn begin(&mut self, plan: &Plan) -> BTreeMap<IdentityId, Pair> {
        let mut made = BTreeMap::new();
        for (id, mint_plan) in &plan.mints {
            let pair = match &mint_plan.resumed {
                Some(resumed) => {
                    let staged = self.staging[id].clone();
                    assert_eq!(staged.certificate, *resumed, "what is resumed is what is staged");
                    staged
                }
                None => {
                    let number = self.minted.entry(id.clone()).or_default();
                    *number += 1;
                    mint(&self.topology.identities[id], *number, self.now)
                }
            };
            let faults =
                trustmason_plan::constraints::judge(&pair.certificate, &self.topology.identities[id], self.now);
            assert!(!faults.iter().any(trustmason_plan::constraints::Violation::demands_new), "{faults:?}");
            self.staging.insert(id.clone(), pair.clone());
            made.insert(id.clone(), pair);
        }
        made
    }

    /// Writes one store of a plan if the plan changes it, and records what `host` would record.
    pub fn write(&mut self, plan: &Plan, store: &StoreId, made: &BTreeMap<IdentityId, Pair>) {
        if let Some(memory) = self.put(plan, store, made) {
            self.ledger.remember(store, &memory, &run(), self.now);
        }
    }

    /// Writes one store of a plan if the plan changes it. Returns what the write means to the ledger.
    pub fn put(&mut self, plan: &Plan, store: &StoreId, made: &BTreeMap<IdentityId, Pair>) -> Option<LedgerEffect> {
        let view = plan.stores.iter().find(|view| view.id == *store)?;
        let StoreVerdict::Change(ids) = &view.verdict else { return None };
        let mut rng = getrandom::SysRng;
        let mut rng = rand_core::UnwrapErr(&mut rng);
        let minted = made.iter().map(|(id, pair)| (id.clone(), pair.certificate.clone())).collect();
        let identity = |pair: &Pair| NewIdentity {
            key: NewKey::Plain(pair.pkcs8.clone().into()),
            chain: vec![Arc::clone(&pair.certificate)],
        };
        let identities = made.iter().map(|(id, pair)| (id.clone(), identity(pair))).collect();
        let certificates = KnownCertificates { minted: &minted };
        let Some(Disk::File(bytes)) = self.disk.get(&view.id) else { panic!("a write to a store that is not there") };
        assert_eq!(view.expect, Some(Expect::Digest(Digest::of(bytes))));
        let changes: Vec<_> = ids.iter().map(|id| plan.change(*id).unwrap()).collect();
        let edits = edits(changes.iter().copied(), &certificates, &identities, self.now.as_millisecond()).unwrap();
        let before = self.open(&view.id).unwrap();
        let image = before.edit(&edits, &password(), &mut rng).unwrap_or_else(|e| panic!("{}: {e}", view.id));
        let Image::File(next) = image else { panic!("a folder") };
        self.disk.insert(view.id.clone(), Disk::File(next));
        *self.stamps.entry(view.id.clone()).or_default() += 1;
        for change in &changes {
            if let Edit::InstallKey { identity, .. } = &change.edit {
                self.staging.remove(identity);
            }
        }
        Some(LedgerEffect::of(plan, &before, &changes, &certificates, &run(), self.now))
    }

    /// A person restarts a service and reports it.
    pub fn ack(&mut self, service: &ServiceId) {
        let read = self.plan().readers.remove(service).unwrap_or_default();
        self.ledger.restarts.remove(service);
        self.ledger.acks.insert(service.clone(), Ack::new(self.now, "operator", &read));
    }

    /// A person restarts every service whose restart is pending.
    pub fn ack_all(&mut self) {
        let all: Vec<ServiceId> = self.ledger.restarts.keys().cloned().collect();
        for service in all {
            self.ack(&service);
        }
    }

    /// The key that the newest rotation of an identity made, though it is no longer in staging.
    pub fn staged_key_of(&self, id: &IdentityId) -> Pair {
        let newest = mint(&self.topology.identities[id], self.minted[id], self.now);
        assert_eq!(Some(newest.print()), self.present(id), "the newest key is the one in use");
        newest
    }

    /// The aliases and certificates of a store's trusted entries.
    pub fn trusted(&self, id: &StoreId) -> BTreeMap<String, Fingerprint> {
        let store = self.open(id).unwrap();
        let entries = store.entries().iter().filter(|e| matches!(e.kind, EntryKind::Trusted(_)));
        entries.map(|e| (e.alias.as_deref().unwrap().to_owned(), e.certificates()[0].fingerprint())).collect()
    }

    /// The certificate that an identity has in its store.
    pub fn present(&self, id: &IdentityId) -> Option<Fingerprint> {
        let CertificateSource::KeyEntry(place) = &self.topology.identities[id].source else { return None };
        let store = self.open(&place.store)?;
        let entry = store.entries().iter().find(|e| place.at.stored() == e.alias)?;
        Some(entry.certificates()[0].fingerprint())
    }
}

/// Makes a plan, which must not contradict itself.
pub fn judged(topology: &Topology, observed: &Observed, options: &PlanOptions, now: Timestamp) -> Plan {
    let plan = trustmason_plan::plan(topology, observed, options, now);
    assert_eq!(trustmason_plan::verify(&plan), []);
    plan
}

pub fn found(pair: &Pair) -> SourceLook {
    SourceLook::Found { certificate: pair.certificate.clone(), path: PathBuf::from("certs/file.cer") }
}
