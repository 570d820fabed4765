//! A small estate on disk for the tests of the command line: six hosts with real keystores, all in sync until a test
//! changes something. Keys, serial numbers and dates are fixed, so that fingerprints and snapshots are the same on
//! every machine.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs,
    reason = "test support; not every test file uses all of it"
)]

mod made;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use trustmason_keystore::{
    Certificate, Credential, Disposition, Edits, Format, Image, Interner, NewEntry, Password, Store,
};
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::topology::{
    CertificateSource, Exported, FileStore, HostPath, KeystoreFormat, Mirror, Ownership, Reach, StoreKind, Subject,
    Topology,
};

/// Compares a text with its snapshot. The snapshot's name is `FILE__TEST` in every test program.
macro_rules! assert_snapshot {
    ($value:expr) => {{
        fn here() {}
        let name = $crate::support::snapshot_name(std::any::type_name_of_val(&here));
        insta::with_settings!({ prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name, $value);
        });
    }};
}
pub(crate) use assert_snapshot;
use made::key_of;
pub use made::{CertificateContent, Counting, certificate, key, new_key, parsed, root};

/// The snapshot name `words__check` of the path `all::words::check::here`.
pub fn snapshot_name(here: &str) -> String {
    let parts: Vec<&str> = here.split("::").collect();
    parts[parts.len() - 3..parts.len() - 1].join("__")
}

/// The moment at which plans are made if a snapshot needs one.
pub const NOW: &str = "2026-06-01T00:00:00Z";
/// A password that may occur in its own file only.
pub const CANARY: &str = "Qx7canaryZ9";
/// The date of every installation, 2025-01-01.
pub const INSTALLED: i64 = 1_735_689_600_000;

/// The spec of the estate. Rotation is immediate, so that one apply finishes everything; tests of staged rotation
/// change that.
pub const SPEC: &str = r"trustmason: 1
estate: acme
profile: pcce-12.5
state: ./.trustmason
access: { root: './hosts/{fqdn}' }
certificates_dir: ./certs
identity:
  subject: { OU: Contact Centre, O: Acme, L: Boston, ST: MA, C: US }
  validity: 1825d
  renew_before: 60d
  rotation: immediate
hosts:
  adsa.acme.example: { role: ads, side: a }
  rgrb.acme.example: { role: rogger, side: b }
  cvp1.acme.example: { role: cvp, side: a }
  cvp2.acme.example: { role: cvp, side: b }
  vvb1.acme.example: { role: vvb, side: a }
  fina.acme.example: { role: finesse, side: a }
retired: [cvp9.acme.example]
";

/// The output of a run of the program.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    #[track_caller]
    pub fn code(self, wanted: i32) -> Self {
        assert_eq!(self.code, wanted, "exit code\n--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn err_has(self, text: &str) -> Self {
        assert!(self.err.contains(text), "stderr lacks {text:?}\n--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn out_has(self, text: &str) -> Self {
        assert!(self.out.contains(text), "stdout lacks {text:?}\n--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        self
    }

    pub fn last_line(&self) -> &str {
        self.out.lines().last().unwrap_or_default()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("no JSON: {e}\n{}\n{}", self.out, self.err))
    }
}

/// An estate on disk.
pub struct Estate {
    pub dir: tempfile::TempDir,
    pub topology: Topology,
    /// The certificate of every identity.
    pub certificates: BTreeMap<IdentityId, Vec<u8>>,
}

impl Estate {
    /// An estate in sync.
    pub fn new() -> Self {
        Self::of(SPEC)
    }

    /// An estate in sync with another spec.
    pub fn of(spec: &str) -> Self {
        Self::with(spec, |_, _| {})
    }

    /// An estate whose certificates `bend` changes before they are made.
    pub fn with(spec: &str, bend: impl Fn(&IdentityId, &mut CertificateContent)) -> Self {
        Self::beside(&[], spec, bend)
    }

    /// An estate with files beside the spec, such as a profile of its own.
    pub fn beside(files: &[(&str, &str)], spec: &str, bend: impl Fn(&IdentityId, &mut CertificateContent)) -> Self {
        let dir = tempfile::Builder::new().prefix("trustmason-test-").tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        std::fs::write(dir.path().join("estate.yaml"), spec).unwrap();
        let topology = topology(spec, dir.path());
        let mut certificates = BTreeMap::new();
        for (n, id) in topology.identities.keys().enumerate() {
            let mut content = CertificateContent::of(id.host.as_str(), 1000 + n as u64);
            bend(id, &mut content);
            certificates.insert(id.clone(), certificate(&content));
        }
        let estate = Self { dir, topology, certificates };
        estate.lay_out();
        estate
    }

    /// An estate with five things to change: a short name, and a missing, a stale, a renamed and a retired entry.
    pub fn troubled() -> Self {
        let estate = Self::with(SPEC, |id, content| {
            if id.to_string() == "cvp1.acme.example/wsm" {
                content.cn = "cvp1".to_owned();
                content.sans.clear();
            }
        });
        estate.remove("adsa/cacerts", "rgrb.acme.example_iis");
        let older = CertificateContent { years: (2020, 2040), ..CertificateContent::of("fina.acme.example", 77) };
        estate.put("adsa/cacerts", "fina.acme.example", certificate(&older));
        estate.rename("cvp2/keystore", "adsa.acme.example", "aw_cert");
        estate.put("adsa/cacerts", "cvp9.acme.example", certificate(&CertificateContent::of("cvp9.acme.example", 9)));
        estate
    }

    fn lay_out(&self) {
        for (id, def) in &self.topology.identities {
            if let CertificateSource::Exported { names } = &def.source {
                put(&self.topology.certificates_dir.join(&names[0]), pem(&self.certificates[id]).as_bytes());
            }
        }
        for def in self.topology.stores.values() {
            let edges = self.topology.edges.iter().filter(|e| e.store == def.id);
            let trusted = edges.filter_map(|e| match &e.subject {
                Subject::Identity(id) => Some((e.alias.clone(), id, &self.certificates[id])),
                Subject::Certificate(_) => None,
            });
            match &def.reach {
                Reach::Mirror(Mirror::Export { path, of: Exported::PemFolder, .. }) => {
                    for (_, id, der) in trusted {
                        put(
                            &file(&self.topology, path).join(format!("{}_{}.pem", id.host, id.name)),
                            pem(der).as_bytes(),
                        );
                    }
                }
                Reach::Direct(FileStore { kind: StoreKind::Keystore(keystore), .. }) => {
                    let mut add: Vec<NewEntry> = trusted
                        .map(|(alias, _, der)| NewEntry::Trusted {
                            alias,
                            certificate: parsed(der),
                            created_ms: INSTALLED,
                        })
                        .collect();
                    for (id, identity) in &self.topology.identities {
                        if let CertificateSource::KeyEntry(place) = &identity.source
                            && place.store == def.id
                        {
                            add.push(NewEntry::PrivateKey {
                                alias: place.at.alias().cloned(),
                                key: new_key(def.format(), key_of(id.host.as_str())),
                                chain: vec![parsed(&self.certificates[id])],
                                created_ms: INSTALLED,
                            });
                        }
                    }
                    if def.ownership == Ownership::Vendor {
                        let certificate = parsed(&certificate(&CertificateContent::of("vendor-root.example", 7)));
                        add.push(NewEntry::Trusted {
                            alias: Some("vendorroot".into()),
                            certificate,
                            created_ms: INSTALLED,
                        });
                    }
                    let format = match keystore.format {
                        KeystoreFormat::Jceks => Format::Jceks,
                        KeystoreFormat::Jks | KeystoreFormat::Pkcs12 => Format::Jks,
                    };
                    if format == Format::Jceks {
                        let conf = file(&self.topology, &keystore.path).parent().unwrap().parent().unwrap().to_owned();
                        let text = format!("Security.keystorePW = {CANARY}\n");
                        put(&conf.join("security.properties"), text.as_bytes());
                    }
                    self.write(&def.id, &Store::create(format), &Edits { add, ..Edits::default() });
                }
                _ => {}
            }
        }
    }

    /// The id of the store that `host/store` means.
    pub fn id(&self, short: &str) -> StoreId {
        let (host, name) = short.split_once('/').unwrap();
        self.topology.stores.keys().find(|id| id.host.host() == host && id.name == name).unwrap().clone()
    }

    /// The file of a store, or the folder of a mirror.
    pub fn file(&self, short: &str) -> PathBuf {
        file(&self.topology, self.topology.stores[&self.id(short)].path().unwrap())
    }

    pub fn password(&self, id: &StoreId) -> Password {
        Password::new(if id.name == "keystore" { CANARY } else { "changeit" })
    }

    pub fn open(&self, short: &str) -> Store {
        let id = self.id(short);
        let bytes = std::fs::read(self.file(short)).unwrap();
        Store::open(bytes, Credential::Password(&self.password(&id)), &Interner::new()).unwrap()
    }

    fn write(&self, id: &StoreId, store: &Store, edits: &Edits) {
        let image = store.edit(edits, &self.password(id), &mut Counting::new()).unwrap();
        let Image::File(bytes) = image else { panic!("a folder") };
        put(&self.file(&format!("{}/{}", id.host.host(), id.name)), &bytes);
    }

    /// Removes an entry from a store.
    pub fn remove(&self, short: &str, alias: &str) {
        let store = self.open(short);
        let mut edits = Edits::default();
        for id in store.find(&alias.into()) {
            edits.disposition.insert(id, Disposition::Remove);
        }
        assert!(!edits.disposition.is_empty(), "{short} has no {alias}");
        self.write(&self.id(short), &store, &edits);
    }

    /// Gives an entry another alias.
    pub fn rename(&self, short: &str, alias: &str, to: &str) {
        let store = self.open(short);
        let mut edits = Edits::default();
        edits.disposition.insert(store.find(&alias.into())[0], Disposition::Rename(to.into()));
        self.write(&self.id(short), &store, &edits);
    }

    /// Puts a trusted certificate into a store. An entry with that alias is replaced.
    pub fn put(&self, short: &str, alias: &str, der: Vec<u8>) {
        let store = self.open(short);
        let mut edits = Edits::default();
        for id in store.find(&alias.into()) {
            edits.disposition.insert(id, Disposition::Remove);
        }
        edits.add.push(NewEntry::Trusted {
            alias: Some(alias.into()),
            certificate: parsed(&der),
            created_ms: INSTALLED,
        });
        self.write(&self.id(short), &store, &edits);
    }

    /// The aliases of a store, in lower case.
    pub fn aliases(&self, short: &str) -> Vec<String> {
        let store = self.open(short);
        store.entries().iter().filter_map(|e| Some(e.alias.as_ref()?.fold().to_string())).collect()
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub fn command(&self) -> Command {
        command(self.dir.path())
    }

    /// Runs the program on a terminal of its own, and answers its question.
    #[cfg(target_os = "linux")]
    pub fn answer(&self, args: &str, words: &str) -> Said {
        use std::io::Write as _;
        let program = env!("CARGO_BIN_EXE_trustmason");
        let mut child = Command::new("script")
            .args(["-qec", &format!("'{program}' {args}"), "/dev/null"])
            .current_dir(self.dir.path())
            .env("TERM", "dumb")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`script` of util-linux gives the test a terminal");
        // The input stays open until the end, because `script` takes a closed input for a hang-up.
        let mut input = child.stdin.take().unwrap();
        input.write_all(words.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        drop(input);
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        Said { code: output.status.code().unwrap_or(-1), out, err: String::new() }
    }

    /// Runs the program in the estate's folder, without a person. The report of an apply is compared with the plan that
    /// is left.
    pub fn run(&self, args: &[&str]) -> Said {
        let said = said(self.command().args(args));
        // An empty name in backticks would not be visible as empty.
        let text = args.contains(&"markdown") || said.out.contains("```") || said.out.starts_with('{');
        let shown = if text { said.err.clone() } else { format!("{}{}", said.out, said.err) };
        assert!(!shown.contains("``"), "an empty name in backticks: {shown}");
        if args.first() == Some(&"apply") && [0, 4, 5].contains(&said.code) {
            agrees(self.dir.path(), args, &said);
        }
        said
    }
}

/// Checks that the exit code of an apply in this folder, its report and the next plan agree.
#[track_caller]
pub fn agrees(dir: &Path, args: &[&str], applied: &Said) {
    let mut plan = vec!["plan", "--format", "json"];
    let mut rest = args[1..].iter();
    while let Some(arg) = rest.next() {
        match *arg {
            "--plan" => return,
            "--side" | "--host" | "--allow-deletes" => plan.extend([*arg, *rest.next().unwrap()]),
            spec if spec.ends_with(".yaml") => plan.push(spec),
            _ => {}
        }
    }
    let next = said(command(dir).args(plan));
    let next = next.code(0).json()["summary"].clone();
    let sum = |names: &[&str]| names.iter().map(|name| next[name].as_u64().unwrap()).sum::<u64>();
    let changes = sum(&["import", "replace", "rename", "delete", "regenerate", "install", "request"]);
    let (blocked, open) = (sum(&["blocked"]), sum(&["manual", "unobserved", "waiting"]));
    let told = match applied.out.starts_with('{') {
        true => applied.json()["causes"].as_array().map(|all| all.iter().map(|c| c.to_string()).collect()),
        false => applied.out.lines().find(|line| line.starts_with("Exit ")).map(str::to_owned),
    };
    let context = format!("{next}\n{}\n{}", applied.out, applied.err);
    match applied.code {
        0 => assert!(told.is_none() && changes + blocked + open == 0, "0, and something is left\n{context}"),
        5 => assert!(told.is_some() && blocked == 0 && changes + open > 0, "5, and nobody need act\n{context}"),
        _ => assert!(told.is_some(), "4 without a cause\n{context}"),
    }
    assert!(blocked == 0 || applied.code == 4, "something is blocked\n{context}");
    let goes_on = applied.out.contains("No person has to act before the next step. Continue:");
    assert!(!goes_on || changes > 0, "what it says to go on with does nothing\n{context}");
}

pub fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trustmason"));
    command.current_dir(dir).stdin(Stdio::null()).env("USER", "tester").env("COLUMNS", "100");
    for name in ["RUST_LOG", "NO_COLOR", "CLICOLOR_FORCE", "SUDO_USER"] {
        command.env_remove(name);
    }
    command
}

/// The account that runs the tests, as the system names it.
pub fn account() -> String {
    let name = Command::new(if cfg!(windows) { "whoami" } else { "id" })
        .args(if cfg!(windows) { &[][..] } else { &["-un"] })
        .output();
    let name = String::from_utf8(name.unwrap().stdout).unwrap();
    name.trim().rsplit('\\').next().unwrap().to_owned()
}

pub fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Waits for something to happen. Slowness is accepted, but after minutes the test fails.
pub fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let tries = 30_000;
    let came = (0..tries).any(|_| {
        let now = happened();
        if !now {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        now
    });
    assert!(came, "never: {what}");
}

/// Waits until a file exists.
pub fn wait_for(path: &Path) {
    until(&path.display().to_string(), || path.exists());
}

/// Waits for the clock's next second, because certificate dates have no fractions.
pub fn next_second() {
    let second = || jiff::Timestamp::now().as_second();
    let begun = second();
    until("the next second", || second() > begun);
}

pub fn topology(spec: &str, dir: &Path) -> Topology {
    resolved(spec, dir).unwrap_or_else(|e| panic!("{e}"))
}

/// The topology of a spec in this folder, or its faults.
pub fn resolved(spec: &str, dir: &Path) -> Result<Topology, String> {
    let parsed = trustmason_spec::parse(spec, "estate.yaml").map_err(|e| e.to_string())?;
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| e.to_string());
    let profiles = trustmason_spec::profile::load(&parsed, dir, read).map_err(|e| e.to_string())?;
    trustmason_spec::resolve(&parsed, &profiles, dir).map(|found| found.topology).map_err(|e| e.to_string())
}

pub fn file(topology: &Topology, path: &HostPath) -> PathBuf {
    trustmason_host::volume::Volumes::of(topology).spelled(path).unwrap()
}

pub fn pem(der: &[u8]) -> String {
    trustmason_plan::pack::pem(&Certificate::parse(der).unwrap())
}

pub fn put(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Every file below a folder, with its bytes.
pub fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(&folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.insert(path.clone(), std::fs::read(&path).unwrap());
            }
        }
    }
    all
}
