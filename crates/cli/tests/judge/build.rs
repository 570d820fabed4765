//! The estate before the first run: stores made by keytool as document 003 leaves them, and certificates exported by
//! hand. An operator made part of the imports and stopped half-way. Entries of other people must survive.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cast::{Actor, Cast};
use super::craft::{self, Writing};
use super::javas::program;
use super::matrix::{WantedTrust, document_003};

/// CVP's store password, random and hostile to shells, as the installer makes it.
pub const CVP_PASSWORD: &str = "aB9!(@[{}~*,$^q";
/// The passwords of other people's private and secret keys.
pub const KEY_PASSWORDS: &[&str] = &["its own Passw0rd", "another-one"];

/// A store that trustmason writes.
#[derive(Clone, Debug)]
pub struct StoreAt {
    pub host: String,
    /// `cacerts`, `jre-cacerts` or `keystore`.
    pub name: &'static str,
    pub path: PathBuf,
    /// `JKS` or `JCEKS`.
    pub kind: &'static str,
    pub password: String,
}

/// A key entry of a CVP server.
#[derive(Clone, Debug)]
pub struct KeyAt {
    pub host: String,
    pub identity: &'static str,
    pub alias: String,
    /// Whether document 003 (L67, L95, L109) asks for a new key.
    pub unfit: bool,
}

/// The estate on disk, with the facts that the tests compare.
pub struct Built {
    folder: Option<tempfile::TempDir>,
    pub root: PathBuf,
    pub cast: Cast,
    pub wanted_trust: Vec<WantedTrust>,
    pub stores: Vec<StoreAt>,
    pub keys: Vec<KeyAt>,
    /// Certificates exported by hand.
    pub files: BTreeMap<(String, &'static str), PathBuf>,
    /// Certificates that their host has replaced since somebody imported them.
    pub stale: BTreeMap<(String, &'static str), PathBuf>,
    /// Entries (host, alias) that must be changed.
    pub doomed: BTreeSet<(String, String)>,
    /// Hosts whose stores nobody has added trust to.
    pub bare: BTreeSet<String>,
    /// Exports of the voice browsers' trust.
    pub mirrors: BTreeMap<String, PathBuf>,
}

impl Drop for Built {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take_if(|_| std::thread::panicking()) {
            eprintln!("the estate is kept: {}", folder.keep().display());
        }
    }
}

impl Built {
    pub fn store(&self, host: &str, name: &str) -> &StoreAt {
        self.stores.iter().find(|store| store.host == host && store.name == name).unwrap()
    }

    /// The spec's file name, for a command that runs in `root`.
    pub const SPEC: &'static str = "estate.yaml";
}

/// The work of an operator for one wanted import.
enum TestChange {
    Done,
    /// Imported once. The host has replaced the certificate since.
    Outdated,
    /// Imported under an alias of another document.
    Misnamed(&'static str),
    Nothing,
}

/// Builds the estate of a spec in `specs/`, as document 003 leaves it when the operator stops half-way.
pub fn build(spec: &str) -> Built {
    let mut built = empty(spec);
    built.former();
    // Certificate dates have seconds, and the present certificates must be later than the former ones.
    crate::support::next_second();
    built.machines();
    built.exports();
    built.half_done();
    built.other_people();
    built
}

/// Builds the same machines freshly installed: certificates are exported, and nothing is imported.
pub fn fresh(spec: &str) -> Built {
    let mut built = empty(spec);
    built.machines();
    built.exports();
    built
}

fn empty(spec: &str) -> Built {
    let specs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs");
    let cast = Cast::read(&specs.join(spec));
    let mut text = fs::read_to_string(specs.join(spec)).unwrap();
    text.push('\n');
    let wanted_trust = document_003(&cast);
    bare_room(&text, cast, wanted_trust)
}

/// A folder with a spec and without machines.
pub fn bare_room(spec: &str, cast: Cast, wanted_trust: Vec<WantedTrust>) -> Built {
    let folder = tempfile::Builder::new().prefix("judge-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let root = folder.path().to_path_buf();
    fs::write(root.join(Built::SPEC), spec).unwrap();
    for name in ["certs", "old", "hosts"] {
        fs::create_dir(root.join(name)).unwrap();
    }
    Built {
        folder: Some(folder),
        root,
        cast,
        wanted_trust,
        stores: Vec::new(),
        keys: Vec::new(),
        files: BTreeMap::new(),
        stale: BTreeMap::new(),
        doomed: BTreeSet::new(),
        bare: BTreeSet::new(),
        mirrors: BTreeMap::new(),
    }
}

impl Built {
    /// Installs the machines: the JDK's own roots in every `cacerts`, the installer's keys in every `.keystore`.
    fn machines(&mut self) {
        let roots = self.root.join("roots.jks");
        jdk_roots(&roots);
        let mut jobs: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
        for actor in &self.cast.0 {
            let disk = self.root.join("hosts").join(&actor.fqdn);
            let nth = self.cast.rank(actor);
            if actor.is(&["ads", "hds", "rogger", "router", "logger", "pg", "cucm-pg"]) {
                // Windows ignores case, so every second machine has its folders in another spelling.
                let java =
                    if nth.is_multiple_of(2) { "C/Program Files (x86)/Java" } else { "c/program files (x86)/JAVA" };
                let path = disk.join(java).join("jre1.8.0_221/lib/security/cacerts");
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::copy(&roots, &path).unwrap();
                let (host, password) = (actor.fqdn.clone(), "changeit".to_owned());
                self.stores.push(StoreAt { host, name: "cacerts", path, kind: "JKS", password });
            } else if actor.is(&["cvp", "cvp-reporting"]) {
                let conf = disk.join("C/Cisco/CVP/conf");
                fs::create_dir_all(conf.join("security")).unwrap();
                let properties =
                    format!("# Cisco Unified CVP\r\nSecurity.keystorePW = {CVP_PASSWORD}\r\nSecurity.mode=1\r\n");
                fs::write(conf.join("security.properties"), properties).unwrap();
                let path = conf.join("security/.keystore");
                let (host, password) = (actor.fqdn.clone(), CVP_PASSWORD.to_owned());
                let store = StoreAt { host, name: "keystore", path, kind: "JCEKS", password };
                self.stores.push(store.clone());
                let keys = keys(actor, nth);
                for (identity, _, _, unfit) in &keys {
                    let alias = format!("{identity}_certificate");
                    self.keys.push(KeyAt { host: actor.fqdn.clone(), identity, alias, unfit: *unfit });
                }
                jobs.push(Box::new(move || {
                    for (identity, cn, more, _) in keys {
                        craft::genkeypair(&store, &format!("{identity}_certificate"), &cn, CVP_PASSWORD, more);
                    }
                }));
            } else if actor.is(&["vvb"]) {
                let mirror = disk.join("tomcat-trust");
                fs::create_dir_all(&mirror).unwrap();
                self.mirrors.insert(actor.fqdn.clone(), mirror);
            }
        }
        craft::two_hands(jobs);
        for key in self.keys.iter().filter(|key| key.unfit) {
            self.doomed.insert((key.host.clone(), key.alias.clone()));
        }
    }

    /// Makes the certificates that hosts had when somebody imported them.
    fn former(&mut self) {
        let outdated: BTreeSet<(String, &'static str)> = self
            .changes()
            .into_iter()
            .filter(|(_, change)| matches!(change, TestChange::Outdated))
            .map(|(wanted, _)| (wanted.host, wanted.identity))
            .collect();
        for subject in outdated {
            let path = self.root.join("old").join(format!("{}_{}.pem", subject.0, subject.1));
            self.stale.insert(subject, path);
        }
        let old = |((fqdn, _), path): (&(String, &'static str), &PathBuf)| {
            let (fqdn, path) = (fqdn.clone(), path.clone());
            Box::new(move || craft::self_signed(&fqdn, "Before", &path, Writing::Pem)) as Box<dyn FnOnce() + Send>
        };
        craft::two_hands(self.stale.iter().map(old).collect());
    }

    /// Makes the files that a person saved in a browser or downloaded from cmplatform.
    fn exports(&mut self) {
        let subjects: BTreeSet<(String, &'static str)> =
            self.wanted_trust.iter().map(|wanted| (wanted.host.clone(), wanted.identity)).collect();
        let mut jobs: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
        for (i, (fqdn, identity)) in subjects.into_iter().enumerate() {
            let actor = self.cast.0.iter().find(|actor| actor.fqdn == fqdn).unwrap();
            let name = match identity {
                // 003 L127 saves an ADS's certificate as ADS{svr}, and L132 imports it as ICM{svr}. Both names occur.
                "iis" if actor.is(&["ads"]) && self.cast.rank(actor) == 0 => format!("ADS{}.cer", actor.short()),
                "iis" if actor.is(&["ece"]) => format!("ECE{}.cer", actor.short()),
                "iis" => format!("ICM{}.cer", actor.short()),
                "dfp" => format!("DFP{}.CER", actor.short()),
                "tomcat" => format!("{fqdn}.pem"),
                _ => continue,
            };
            let path = self.root.join("certs").join(name);
            self.files.insert((fqdn.clone(), identity), path.clone());
            let writing = [Writing::Pem, Writing::Der, Writing::Dressed][i % 3];
            jobs.push(Box::new(move || craft::self_signed(&fqdn, identity, &path, writing)));
        }
        craft::two_hands(jobs);
    }

    /// The work of the operator for each wanted import. Nothing was done on the second machine of a kind.
    fn changes(&self) -> Vec<(WantedTrust, TestChange)> {
        let mut changes = Vec::new();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut first = BTreeSet::new();
        for wanted in self.wanted_trust.iter().filter(|wanted| wanted.store != "tomcat-trust") {
            let truster = self.cast.0.iter().find(|actor| actor.fqdn == wanted.truster).unwrap();
            let nth = self.cast.rank(truster);
            let count = counts.entry(wanted.truster.clone()).or_default();
            *count += 1;
            let first_of_rule = first.insert((wanted.truster.clone(), wanted.rule));
            let change = match (truster.roles[0].as_str(), nth, wanted.rule) {
                // A server that still presents the installer's short name.
                ("ads", 0, "T1") if first_of_rule => TestChange::Done,
                ("ads", 0, _) => {
                    [TestChange::Done, TestChange::Outdated, TestChange::Nothing].into_iter().nth(*count % 3).unwrap()
                }
                ("cvp", 0, "T11") if first_of_rule => TestChange::Misnamed("AW_cert"),
                ("cvp", 0, "T14") if first_of_rule => TestChange::Misnamed("vb_cert"),
                ("cvp", 0, _) => [TestChange::Outdated, TestChange::Done].into_iter().nth(*count % 2).unwrap(),
                ("cvp-reporting", 0, _) if first_of_rule => TestChange::Outdated,
                ("pg", 0, _) => TestChange::Outdated,
                ("rogger", 1, _) if first_of_rule => TestChange::Done,
                _ => TestChange::Nothing,
            };
            changes.push((wanted.clone(), change));
        }
        changes
    }

    fn half_done(&mut self) {
        let mut work: BTreeMap<String, Vec<(String, PathBuf)>> = BTreeMap::new();
        let mut fetched = Vec::new();
        for (wanted, change) in self.changes() {
            let alias = wanted.alias.clone().unwrap();
            let subject = (wanted.host.clone(), wanted.identity);
            let file = match change {
                TestChange::Nothing => continue,
                TestChange::Outdated => self.stale[&subject].clone(),
                TestChange::Done | TestChange::Misnamed(_) => match self.files.get(&subject) {
                    Some(file) => file.clone(),
                    None => {
                        let file = self.root.join("old").join(format!("{}.crt", wanted.host));
                        fetched.push((wanted.host.clone(), wanted.identity, file.clone()));
                        file
                    }
                },
            };
            let unfit = self
                .keys
                .iter()
                .any(|key| (&key.host, key.identity, key.unfit) == (&wanted.host, wanted.identity, true));
            let written = if let TestChange::Misnamed(alias) = change { alias.to_owned() } else { alias };
            if !matches!(change, TestChange::Done) || unfit {
                self.doomed.insert((wanted.truster.clone(), written.to_lowercase()));
            }
            work.entry(wanted.truster).or_default().push((written, file));
        }
        for (host, identity, file) in fetched {
            if !file.exists() {
                craft::exportcert(self.store(&host, "keystore"), &format!("{identity}_certificate"), &file);
            }
        }
        for store in &self.stores {
            if store.name == "cacerts" && !work.contains_key(&store.host) {
                self.bare.insert(store.host.clone());
            }
        }
        let jobs = work.into_iter().map(|(host, imports)| {
            let store = self.stores.iter().find(|store| store.host == host).unwrap().clone();
            Box::new(move || {
                for (alias, file) in imports {
                    craft::importcert(&store, &alias, &file);
                }
            }) as Box<dyn FnOnce() + Send>
        });
        craft::two_hands(jobs.collect());
    }

    /// Adds entries of every Java kind that trustmason must not touch.
    fn other_people(&mut self) {
        let proxy = self.root.join("old/proxy.pem");
        craft::self_signed("proxy.acme.example", "Proxy", &proxy, Writing::Pem);
        let [own, other] = [KEY_PASSWORDS[0], KEY_PASSWORDS[1]];
        let first = |store: &&StoreAt, role: &str| {
            let actor = self.cast.0.iter().find(|actor| actor.fqdn == store.host).unwrap();
            actor.roles[0] == role && self.cast.rank(actor) == 0
        };
        let ads = self.stores.iter().find(|store| first(store, "ads")).unwrap();
        craft::genkeypair(ads, "lab-agent", "agent.acme.example", own, &["-validity", "900"]);
        craft::importcert(ads, "acme-proxy", &proxy);
        let cvp = self.stores.iter().find(|store| first(store, "cvp")).unwrap();
        craft::genseckey(cvp, "ticket-key", other);
        craft::genkeypair(cvp, "lab-agent", "agent.acme.example", own, &["-validity", "900"]);
        craft::importcert(cvp, "acme-proxy", &proxy);
        let reporting = self.stores.iter().find(|store| first(store, "cvp-reporting")).unwrap();
        craft::genseckey(reporting, "ticket-key", CVP_PASSWORD);
        // The alias is changed last, because keytool itself fails on the store afterwards.
        let mut upper = Command::new("python3");
        upper.arg(program("upper_alias.py")).arg(&ads.path).arg("acme-proxy").env("JUDGE_STORE", &ads.password);
        craft::run(&mut upper);

        // The first voice browser trusts what the first CVP server presents now. Both certificates will be replaced:
        // one key is too small, and one name is the installer's short name.
        let presented = ["callserver", "vxml"].map(|identity| {
            let file = self.root.join("old").join(format!("{identity}.der"));
            craft::exportcert(cvp, &format!("{identity}_certificate"), &file);
            file
        });
        for (i, mirror) in self.mirrors.values().enumerate() {
            fs::copy(&proxy, mirror.join("Acme_Proxy.pem")).unwrap();
            if i == 0 {
                for file in &presented {
                    fs::copy(file, mirror.join(file.file_name().unwrap())).unwrap();
                }
            }
        }
    }
}

/// The keys of a CVP machine: identity, common name, further arguments, and whether document 003 asks for a new key.
fn keys(actor: &Actor, nth: usize) -> Vec<(&'static str, String, &'static [&'static str], bool)> {
    let (short, fqdn) = (actor.short().to_owned(), actor.fqdn.clone());
    let two_years: &[&str] = &["-validity", "730"];
    if actor.is(&["cvp-reporting"]) {
        // keytool's default validity of 90 days has nearly ended (L95).
        let ending: &[&str] = &["-validity", "90", "-startdate", "-80d"];
        return vec![("wsm", fqdn.clone(), ending, true), ("callserver", fqdn, two_years, false)];
    }
    if nth == 0 {
        // The installer's short names (L67), and a key that is too small (L109).
        let small: &[&str] = &["-validity", "730", "-keysize", "1024"];
        return vec![
            ("wsm", short.clone(), two_years, true),
            ("vxml", short, two_years, true),
            ("callserver", fqdn, small, true),
        ];
    }
    // Replaced as the document says: one long ago, one by an old keytool.
    let over: &[&str] = &["-validity", "730", "-startdate", "-900d"];
    let sha1: &[&str] = &["-validity", "730", "-sigalg", "SHA1withRSA"];
    vec![("wsm", fqdn.clone(), two_years, false), ("vxml", fqdn.clone(), over, true), ("callserver", fqdn, sha1, true)]
}

/// The roots of the judging JDK, as a JKS file like those of Java 8.
pub fn jdk_roots(to: &Path) {
    let settings = craft::run(Command::new("java").args(["-XshowSettings:properties", "-version"]));
    let settings = String::from_utf8_lossy(&settings.stderr).into_owned();
    let home = settings.lines().find_map(|line| line.trim().strip_prefix("java.home = ")).expect("java names its home");
    let cacerts = Path::new(home).join("lib/security/cacerts");
    let bytes = fs::read(&cacerts).unwrap_or_else(|error| panic!("{}: {error}", cacerts.display()));
    if bytes.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) {
        fs::write(to, bytes).unwrap();
        return;
    }
    let mut convert = Command::new("keytool");
    convert.args(["-importkeystore", "-noprompt", "-srckeystore"]).arg(&cacerts).arg("-destkeystore").arg(to);
    convert.args(["-deststoretype", "JKS", "-srcstorepass", "changeit", "-deststorepass", "changeit"]);
    craft::run(&mut convert);
}
