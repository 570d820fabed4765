//! A small estate on a real disk: an ADS that trusts a CVP, a CVP that trusts the ADS and needs a new certificate, and
//! a Finesse node that only people write.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair};
use trustmason_host::disk::Disk;
use trustmason_host::look::{LookContext, look};
use trustmason_host::mint::{Generate, KeyPool, KeySource};
use trustmason_host::record::approval::Approval;
use trustmason_host::record::audit::Author;
use trustmason_host::record::ledger::{self, Loaded};
use trustmason_host::run::{BeginError, Outcomes, RunContext, RunError, RunEvent, RunRequest, run};
use trustmason_host::secret::Secrets;
use trustmason_host::state::State;
use trustmason_host::state::lock::Lock;
use trustmason_keystore::{
    Alias, Certificate, Credential, Digest, Edits, EntryKind, Fingerprint, Format, Image, Interner, NewEntry, NewKey,
    Password, Store,
};
use trustmason_plan::observed::Observed;
use trustmason_plan::outline::{Plan, PlanOptions};
use trustmason_plan::plan;
use trustmason_plan::wire::Document;
use trustmason_spec::name::{Fqdn, IdentityId, RuleId, ServiceId, StoreId};
use trustmason_spec::survey::Survey;
use trustmason_spec::topology::{
    Access, Anchor, CertificateSource, Constraints, Disks, Edge, Exported, FileStore, Host, HostPath, IdentityDef,
    Issuer, KeyAt, KeyKind, KeyPlace, Keystore, KeystoreFormat, LeadTime, Mirror, Ownership, Pkcs12Scheme, Policy,
    Reach, Rotation, SecretRef, SecretSource, ServiceDef, SignatureHash, StoreDef, StoreKind, Subject, Topology,
    WriteMode,
};

/// The person who begins the runs of this world.
pub const ANNA: Author<'static> = Author { who: "anna", approval: Approval::Asked };

/// The password of the CVP's keystore. It must never be seen anywhere.
pub const CANARY: &str = "kanarienvogel-7-geheim";

pub fn fqdn(name: &str) -> Fqdn {
    Fqdn::parse(name).unwrap()
}

pub fn store_id(text: &str) -> StoreId {
    StoreId::parse(text).unwrap()
}

pub fn now() -> Timestamp {
    "2026-11-21T23:07:52.089Z".parse().unwrap()
}

pub fn pool() -> &'static KeyPool {
    static POOL: OnceLock<KeyPool> = OnceLock::new();
    POOL.get_or_init(|| KeyPool::new(3).unwrap())
}

/// A self-signed certificate with its key; without names it has no SAN.
pub struct Pair {
    pub certificate: Certificate,
    pub pkcs8: Vec<u8>,
}

pub fn make(cn: &str, names: &[&str]) -> Pair {
    let pkcs8 = Generate.key(KeyKind::Ec(256), SignatureHash::Sha256).unwrap().to_vec();
    let key = KeyPair::try_from(pkcs8.as_slice()).unwrap();
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, cn);
    params.not_before = rcgen::date_time_ymd(2025, 1, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    let der = params.self_signed(&key).unwrap().der().to_vec();
    Pair { certificate: Certificate::parse(&der).unwrap(), pkcs8 }
}

/// A certificate and those of its issuers.
pub struct Chain {
    pub root: Certificate,
    pub issuing: Certificate,
    pub leaf: Certificate,
}

/// A chain of three.
pub fn chain(cn: &str) -> Chain {
    let params = |name: &str, ca: bool| {
        let mut params = CertificateParams::new(if ca { Vec::new() } else { vec![name.to_owned()] }).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        if ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params
    };
    let key = || KeyPair::generate().unwrap();
    let parse = |made: &rcgen::Certificate| Certificate::parse(made.der()).unwrap();
    let (root, root_key) = (params("Chain Root", true), key());
    let top = root.self_signed(&root_key).unwrap();
    let root = rcgen::Issuer::new(root, root_key);
    let (issuing, issuing_key) = (params("Chain Issuing", true), key());
    let middle = issuing.signed_by(&issuing_key, &root).unwrap();
    let issuing = rcgen::Issuer::new(issuing, issuing_key);
    let end = params(cn, false).signed_by(&key(), &issuing).unwrap();
    Chain { root: parse(&top), issuing: parse(&middle), leaf: parse(&end) }
}

pub fn pem(certificate: &Certificate) -> String {
    trustmason_plan::pack::pem(certificate)
}

pub fn trusted(alias: &str, certificate: &Certificate) -> NewEntry {
    NewEntry::Trusted {
        alias: Some(alias.into()),
        certificate: Arc::new(certificate.clone()),
        created_ms: 1_600_000_000_000,
    }
}

pub fn key(alias: &str, pair: &Pair) -> NewEntry {
    NewEntry::PrivateKey {
        alias: Some(alias.into()),
        key: NewKey::Plain(pair.pkcs8.clone().into()),
        chain: vec![Arc::new(pair.certificate.clone())],
        created_ms: 1_600_000_000_000,
    }
}

/// A keystore file.
pub fn keystore(format: Format, password: &str, add: Vec<NewEntry>) -> Vec<u8> {
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let edits = Edits { add, ..Edits::default() };
    match Store::create(format).edit(&edits, &Password::new(password), &mut random).unwrap() {
        Image::File(bytes) => bytes,
        Image::Directory(_) => panic!("a file"),
    }
}

/// The entries of a store: alias, kind, fingerprint of the first certificate.
pub fn entries(path: &Path, password: &str) -> Vec<(String, &'static str, Option<Fingerprint>)> {
    let bytes = fs::read(path).unwrap();
    let store = Store::open(bytes, Credential::Password(&Password::new(password)), &Interner::new()).unwrap();
    for entry in store.entries() {
        if let EntryKind::PrivateKey { .. } = entry.kind {
            store.open_key(entry.id, &Password::new(password)).unwrap();
        }
    }
    let first = |e: &trustmason_keystore::Entry| e.certificates().first().map(|c| c.fingerprint());
    store
        .entries()
        .iter()
        .map(|e| (e.alias.clone().map(String::from).unwrap_or_default(), e.kind.as_str(), first(e)))
        .collect()
}

/// A folder in memory, if there is one: hundreds of runs sync thousands of files, and the disk itself is not tested
/// here.
pub fn tempdir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub struct World {
    pub dir: tempfile::TempDir,
    pub topology: Topology,
    pub options: PlanOptions,
    pub iis: Certificate,
    pub old_wsm: Certificate,
    /// The stores of the system, if a test has its own.
    pub system: Option<Arc<dyn trustmason_host::live::SystemStores>>,
}

fn host(root: &Path, name: &str) -> Host {
    Host {
        fqdn: fqdn(name),
        roles: vec!["any".into()],
        side: None,
        cluster: None,
        publisher: false,
        labels: BTreeMap::new(),
        formerly: BTreeSet::new(),
        access: Access::Root(Disks::below(root.join("hosts").join(name))),
        profile: "test".into(),
    }
}

pub fn host_path(host: &str, shown: &str) -> HostPath {
    HostPath::parse(&fqdn(host), shown).unwrap()
}

pub fn secret(password: &str) -> SecretRef {
    SecretRef { name: "keystore-pw".into(), profile: None, from: SecretSource::Literal(Password::new(password)) }
}

/// Files that trustmason writes and never creates.
pub fn direct(kind: StoreKind) -> Reach {
    Reach::Direct(FileStore { kind, create: false })
}

/// A keystore that trustmason writes.
pub fn keystore_def(id: &str, shown: &str, format: KeystoreFormat, password: &str) -> StoreDef {
    let path = host_path(store_id(id).host.as_str(), shown);
    let keystore = Keystore { path, format, password: Some(secret(password)), scheme: Pkcs12Scheme::Java8 };
    store_def(id, direct(StoreKind::Keystore(keystore)))
}

/// A folder of PEM files that trustmason writes.
pub fn folder_def(id: &str, shown: &str) -> StoreDef {
    store_def(id, direct(StoreKind::PemFolder(host_path(store_id(id).host.as_str(), shown))))
}

/// A folder that people fill, seen in an export.
pub fn mirror_def(id: &str, shown: &str) -> StoreDef {
    let path = host_path(store_id(id).host.as_str(), shown);
    store_def(id, Reach::Mirror(Mirror::Export { path, password: None, of: Exported::PemFolder }))
}

/// The keystore of a store.
pub fn keystore_of<'t>(topology: &'t mut Topology, id: &str) -> &'t mut Keystore {
    match &mut topology.stores.get_mut(&store_id(id)).unwrap().reach {
        Reach::Direct(FileStore { kind: StoreKind::Keystore(keystore), .. }) => keystore,
        other => panic!("{other:?}"),
    }
}

/// Allows a store to be created.
pub fn let_be_made(topology: &mut Topology, id: &str) {
    match &mut topology.stores.get_mut(&store_id(id)).unwrap().reach {
        Reach::Direct(files) => files.create = true,
        other => panic!("{other:?}"),
    }
}

pub fn store_def(id: &str, reach: Reach) -> StoreDef {
    let id = store_id(id);
    StoreDef {
        reach,
        ownership: Ownership::Shared,
        shadows: Vec::new(),
        restart: vec![ServiceId::new(id.host.clone(), "tomcat")],
        steps: vec!["log in, upload it".into()],
        removal_steps: Vec::new(),
        variables: Vec::new(),
        id,
    }
}

pub fn identity_def(host: &str, name: &str, source: CertificateSource, write: WriteMode) -> IdentityDef {
    IdentityDef {
        id: IdentityId::new(fqdn(host), name),
        source,
        write,
        constraints: Constraints {
            key: (write == WriteMode::Direct).then_some(KeyKind::Rsa(2048)),
            signature: vec![SignatureHash::Sha256],
            cn_is_fqdn: false,
            ..Constraints::default()
        },
        needs: Vec::new(),
        key: KeyKind::Rsa(2048),
        signature: SignatureHash::Sha256,
        subject: vec![("O".into(), "Acme".into())],
        issuer: Issuer::SelfSigned,
        issuer_explicit: false,
        validity_days: 1825,
        renew_before: LeadTime::Default,
        rotation: Rotation::Immediate,
        names: Vec::new(),
        restart: vec![ServiceId::new(fqdn(host), name)],
        served_at: None,
        rule: RuleId::new("test", name),
        source_document: "test".into(),
        export_steps: vec!["export it".into()],
        renew_steps: vec!["make it anew".into()],
        request_steps: Vec::new(),
        install_steps: Vec::new(),
    }
}

pub fn edge(store: &str, subject: &str, alias: Option<&str>) -> Edge {
    let subject = Subject::Identity(IdentityId::parse(subject).unwrap());
    Edge {
        id: format!("{store} <- {subject}"),
        store: store_id(store),
        subject,
        anchor: Anchor::ByIssuer,
        alias: alias.map(Alias::of),
        was: Vec::new(),
        rule: RuleId::new("test", "T1"),
        why: "they talk".into(),
        source: "test".into(),
    }
}

pub const CACERTS: &str = "ads.acme.example/cacerts";
pub const KEYSTORE: &str = "cvp1.acme.example/keystore";
pub const TRUST: &str = "fin1.acme.example/tomcat-trust";

impl World {
    /// The CVP's certificate has a short name and must be replaced; both stores lack what they should trust.
    pub fn new(format: Format) -> Self {
        let old = make("cvp1", &[]);
        Self::with(format, &old)
    }

    /// The CVP's certificate is good: no key is to be made.
    pub fn settled_identity() -> Self {
        let good = rsa("cvp1.acme.example");
        let mut world = Self::with(Format::Jks, &good);
        // One import is all there is to do.
        world.topology.edges.retain(|edge| edge.store == store_id(CACERTS));
        world.topology.stores.remove(&store_id(TRUST));
        world
    }

    pub fn with(format: Format, wsm: &Pair) -> Self {
        let dir = tempdir();
        let root = fs::canonicalize(dir.path()).unwrap();
        let folder = |path: &str| {
            let path = root.join("hosts").join(path);
            fs::create_dir_all(&path).unwrap();
            path
        };
        let java = folder("ads.acme.example/c/Program Files (x86)/Jäva/lib/security");
        let vendor: Vec<_> = (0..3).map(|i| make(&format!("Vendor Root {i}"), &[])).collect();
        let add = vendor.iter().enumerate().map(|(i, p)| trusted(&format!("vendor{i}"), &p.certificate)).collect();
        fs::write(java.join("cacerts"), keystore(Format::Jks, "changeit", add)).unwrap();
        let conf = folder("cvp1.acme.example/D/Cisco/CVP/conf/security");
        let other = make("callserver", &["cvp1.acme.example"]);
        let add = vec![key("wsm_certificate", wsm), key("callserver_certificate", &other)];
        fs::write(conf.join(".keystore"), keystore(format, CANARY, add)).unwrap();
        folder("fin1.acme.example/tmp");
        let iis = make("ads.acme.example", &["ads.acme.example"]);
        fs::create_dir(root.join("certs")).unwrap();
        fs::write(root.join("certs/ADSads.CER"), pem(&iis.certificate)).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(conf.join(".keystore"), fs::Permissions::from_mode(0o640)).unwrap();
        }
        let topology = topology(&root, format);
        Self {
            dir,
            topology,
            options: PlanOptions::default(),
            iis: iis.certificate,
            old_wsm: wsm.certificate.clone(),
            system: None,
        }
    }

    pub fn root(&self) -> PathBuf {
        fs::canonicalize(self.dir.path()).unwrap()
    }

    pub fn cacerts(&self) -> PathBuf {
        self.root().join("hosts/ads.acme.example/c/Program Files (x86)/Jäva/lib/security/cacerts")
    }

    pub fn keystore(&self) -> PathBuf {
        self.root().join("hosts/cvp1.acme.example/D/Cisco/CVP/conf/security/.keystore")
    }

    pub fn state(&self) -> State {
        let state = State::at(&self.topology.state);
        match &self.system {
            Some(system) => state.with_system(Arc::clone(system)),
            None => state,
        }
    }

    pub fn ledger(&self) -> Loaded {
        ledger::load(&self.state(), &self.topology).unwrap()
    }

    pub fn look(&self) -> (Loaded, Observed) {
        let mut ledger = self.ledger();
        let (state, secrets, certificates) = (self.state(), Secrets::new(), Interner::new());
        let context = LookContext { state: &state, secrets: &secrets, certificates: &certificates };
        let mut observed = look(&Survey::of(&self.topology), &ledger, context);
        ledger.notice(&self.topology, &mut observed, now());
        (ledger, observed)
    }

    pub fn plan(&self) -> Plan {
        plan(&self.topology, &self.look().1, &self.options, now())
    }

    /// Looks, plans and runs.
    pub fn apply(&self, disk: &Disk) -> Result<Outcomes, RunError> {
        let (ledger, observed) = self.look();
        let plan = plan(&self.topology, &observed, &self.options, now());
        self.run(&plan, &ledger, &observed, disk)
    }

    pub fn run(&self, plan: &Plan, ledger: &Loaded, observed: &Observed, disk: &Disk) -> Result<Outcomes, RunError> {
        let (secrets, certificates) = (Secrets::new(), Interner::new());
        let stop = AtomicBool::new(false);
        self.run_with(
            plan,
            ledger,
            observed,
            RunContext { disk, secrets: &secrets, certificates: &certificates, keys: pool(), threads: 1, stop: &stop },
            &mut |_| (),
        )
    }

    pub fn run_with(
        &self,
        plan: &Plan,
        ledger: &Loaded,
        observed: &Observed,
        context: RunContext<'_>,
        progress: &mut dyn FnMut(RunEvent<'_>),
    ) -> Result<Outcomes, RunError> {
        let mut lock = Lock::take(&self.state()).map_err(BeginError::from)?;
        let digest = Digest::of(&serde_json::to_vec(&Document::of(plan, "test")).unwrap());
        let request = RunRequest { plan, digest, topology: &self.topology, observed, ledger, now: now(), author: ANNA };
        run(request, context, &mut lock, progress)
    }

    /// Every file below the estate, with its bytes.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        walk(&self.root(), &mut files);
        files
    }

    /// A copy of the estate on another part of the disk.
    pub fn copy(&self) -> Self {
        let dir = tempdir();
        copy(&self.root(), &fs::canonicalize(dir.path()).unwrap());
        self.rooted(dir)
    }

    /// The same files, including the state folder, on another part of the disk, as if it were mounted elsewhere.
    fn moved(self) -> Self {
        let dir = tempdir();
        for entry in fs::read_dir(self.root()).unwrap() {
            let entry = entry.unwrap();
            fs::rename(entry.path(), dir.path().join(entry.file_name())).unwrap();
        }
        self.rooted(dir)
    }

    /// After every second step the estate is moved, so that what follows a cut-off run finds it elsewhere.
    pub fn perhaps_moved(self, step: usize) -> Self {
        if step % 2 == 1 { self.moved() } else { self }
    }

    /// The declared topology, with another root.
    fn rooted(&self, dir: tempfile::TempDir) -> Self {
        let (from, to) = (self.root(), fs::canonicalize(dir.path()).unwrap());
        let mut topology = self.topology.clone();
        let moved = |path: &Path| to.join(path.strip_prefix(&from).unwrap());
        topology.state = moved(&topology.state);
        topology.certificates_dir = moved(&topology.certificates_dir);
        for host in topology.hosts.values_mut() {
            if let Access::Root(disks) = &mut host.access {
                disks.root = moved(&disks.root);
            }
        }
        Self {
            dir,
            topology,
            options: self.options.clone(),
            iis: self.iis.clone(),
            old_wsm: self.old_wsm.clone(),
            system: self.system.clone(),
        }
    }
}

/// A good RSA certificate of a CVP.
pub fn rsa(name: &str) -> Pair {
    let def = identity_def(name, "wsm", CertificateSource::Exported { names: Vec::new() }, WriteMode::Direct);
    let made = trustmason_host::mint::mint(&def, pool(), now()).unwrap();
    Pair { certificate: Certificate::parse(made.certificate.der()).unwrap(), pkcs8: made.key.to_vec() }
}

pub fn walk(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let (path, target) = (item.path(), to.join(item.file_name()));
        if path.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn topology(root: &Path, format: Format) -> Topology {
    let declared = if format == Format::Jceks { KeystoreFormat::Jceks } else { KeystoreFormat::Jks };
    let stores = [
        keystore_def(CACERTS, r"C:\Program Files (x86)\JÄVA\lib\Security\cacerts", KeystoreFormat::Jks, "changeit"),
        keystore_def(KEYSTORE, r"D:\Cisco\CVP\Conf\Security\.keystore", declared, CANARY),
        mirror_def(TRUST, "/tomcat-trust"),
    ];
    let wsm =
        CertificateSource::KeyEntry(KeyPlace { store: store_id(KEYSTORE), at: KeyAt::Alias("wsm_certificate".into()) });
    let iis = CertificateSource::Exported { names: vec!["ADSads.cer".into(), "ICMads.cer".into()] };
    let identities = [
        identity_def("cvp1.acme.example", "wsm", wsm, WriteMode::Direct),
        identity_def("ads.acme.example", "iis", iis, WriteMode::HandOff),
    ];
    let hosts = ["ads.acme.example", "cvp1.acme.example", "fin1.acme.example"];
    let services = [("ads.acme.example", "tomcat"), ("cvp1.acme.example", "tomcat"), ("cvp1.acme.example", "wsm")];
    Topology {
        estate: "acme".into(),
        state: root.join("state"),
        certificates_dir: root.join("certs"),
        profiles: vec!["test".into()],
        hosts: hosts.iter().map(|name| (fqdn(name), host(root, name))).collect(),
        stores: stores.into_iter().map(|def| (def.id.clone(), def)).collect(),
        identities: identities.into_iter().map(|def| (def.id.clone(), def)).collect(),
        services: services
            .iter()
            .map(|(host, name)| ServiceId::new(fqdn(host), *name))
            .map(|id| (id.clone(), ServiceDef { name: id.to_string(), id, rank: 0, restart: None }))
            .collect(),
        options: Vec::new(),
        anchors: BTreeMap::new(),
        authorities: BTreeMap::new(),
        edges: vec![
            edge(CACERTS, "cvp1.acme.example/wsm", Some("cvp1.acme.example")),
            edge(KEYSTORE, "ads.acme.example/iis", Some("ads.acme.example_iis")),
            edge(TRUST, "cvp1.acme.example/wsm", None),
        ],
        retired: BTreeSet::new(),
        distrust: BTreeMap::new(),
        public_roots: trustmason_spec::public_roots::all(),
        secret_variables: BTreeSet::new(),
        accept: Vec::new(),
        policy: Policy {
            warn_before: LeadTime::Default,
            grace_days: 7,
            observation_max_age_days: 30,
            keep_runs: 20,
            keep_days: 90,
        },
    }
}

/// Temporary files of trustmason that were left behind.
pub fn leftovers(world: &World) -> Vec<PathBuf> {
    let ours = |path: &Path| path.file_name().unwrap().to_string_lossy().starts_with(".trustmason-");
    world.files().into_keys().filter(|path| ours(path)).collect()
}

/// A gate that counts, and the disk behind it.
pub fn counted() -> (Arc<trustmason_host::fault::FaultInjector>, Disk) {
    let gate = Arc::new(trustmason_host::fault::FaultInjector::never());
    (gate.clone(), Disk::behind(gate))
}
