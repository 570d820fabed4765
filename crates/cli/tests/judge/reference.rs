//! The reference estates of `fixtures/reference`, as the vendor's documents leave them: stores made by keytool, imports under
//! the fixed aliases of the guides, common names of the guides' samples, and an operator who stopped half-way. The hosts and the
//! wanted trust are the lists written by hand from the documents.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::build::{Built, CVP_PASSWORD, KEY_PASSWORDS, StoreAt, bare_room, jdk_roots};
use super::cast::{Actor, Cast};
use super::craft::{self, Writing};
use super::matrix::{self, WantedTrust};

/// The Java that the spec names for each AW.
const CCE_JAVA_HOME: &str = r"C:\Program Files (x86)\OpenJDK\jre-17";
/// The file that has the password of the CVP stores.
const PASSWORD_FILE: &str = "cvp.password";
const CCE_WINDOWS: &[&str] = &["ads", "hds", "rogger", "router", "logger", "pg", "cucm-pg"];
const CVP_STORE: &[&str] = &["cvp", "cvp-reporting", "oamp"];

/// A key entry of a CVP store.
#[derive(Clone, Debug)]
pub struct Key {
    pub host: String,
    pub identity: &'static str,
    pub cn: String,
    /// The further arguments of keytool.
    more: &'static [&'static str],
    /// Whether the documents ask for a new key or another name.
    pub unfit: bool,
}

impl Key {
    pub fn alias(&self) -> String {
        format!("{}_certificate", self.identity)
    }
}

/// A reference estate on disk.
pub struct Reference {
    pub built: Built,
    pub release: &'static str,
    pub keys: Vec<Key>,
    /// Entries (host, store, alias) that must be changed.
    pub doomed: BTreeSet<(String, &'static str, String)>,
    /// The certificates of AW databases. The spec does not name them at first.
    pub databases: BTreeMap<String, PathBuf>,
    /// Certificates in exports of voice operating systems that nobody declares.
    pub strangers: BTreeMap<String, PathBuf>,
}

/// The parts of a spec that a person adds one after the other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Only the hosts. No profile of this release knows the password of CVP.
    Hosts,
    /// The password too.
    Password,
    /// And which certificate the database of each AW presents.
    Databases,
}

/// The work of an operator for one wanted import.
enum Work {
    Done,
    /// Imported once. The host has replaced the certificate since.
    Outdated,
    /// Imported under an alias of the guides.
    Under(String),
    Nothing,
}

fn list(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/reference").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The spec of an estate, as a person would write it from the list of hosts.
fn spec(release: &str, told: Told) -> String {
    let mut text = format!(
        "trustmason: 1\nestate: reference\nprofile: [{release}, ucce-live-data]\nstate: ./.trustmason\n\
         access: {{ root: './hosts/{{fqdn}}' }}\ncertificates_dir: ./certs\n\
         identity: {{ subject: {{ OU: Contact Centre, O: Acme, L: Boston, ST: MA, C: US }} }}\n"
    );
    if told != Told::Hosts {
        text.push_str(&format!("secrets: {{ cvp-keystore: {{ file: {PASSWORD_FILE} }} }}\n"));
    }
    text.push_str("hosts:\n");
    for line in super::lines(&list(&format!("{release}.hosts"))) {
        let [fqdn, role, side, cluster, publisher] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let mut fields = vec![format!("role: {role}, side: {side}")];
        if cluster != "-" {
            fields.push(format!("cluster: {cluster}"));
        }
        if publisher == "yes" {
            fields.push("publisher: true".to_owned());
        }
        if role == "ads" {
            fields.push(format!("vars: {{ CCE_JAVA_HOME: '{CCE_JAVA_HOME}' }}"));
            if told == Told::Databases {
                fields.push(format!("certificates: {{ awdb: {{ file: sql-of-{fqdn}.cer }} }}"));
            }
        }
        text.push_str(&format!("  {fqdn}: {{ {} }}\n", fields.join(", ")));
    }
    text
}

/// Builds the estate of a release.
pub fn build(release: &'static str) -> Reference {
    let cast = Cast::listed(&list(&format!("{release}.hosts")));
    let wanted_trust = matrix::listed(&list(&format!("{release}.edges")));
    let keys = cast.0.iter().flat_map(|actor| keys(release, &cast, actor)).collect();
    let built = bare_room(&spec(release, Told::Hosts), cast, wanted_trust);
    let mut estate = Reference {
        built,
        release,
        keys,
        doomed: BTreeSet::new(),
        databases: BTreeMap::new(),
        strangers: BTreeMap::new(),
    };
    fs::write(estate.built.root.join(PASSWORD_FILE), format!("{CVP_PASSWORD}\n")).unwrap();
    estate.former();
    // Certificate dates have seconds, and the present certificates must be later than the former ones.
    crate::support::next_second();
    estate.machines();
    estate.exports();
    estate.half_done();
    estate.other_people();
    estate
}

/// The keys of a CVP machine with the common names of the guides' samples. `<host>_wsm` is right without a single pane of glass only.
fn keys(release: &str, cast: &Cast, actor: &Actor) -> Vec<Key> {
    let (short, fqdn) = (actor.short().to_owned(), actor.fqdn.clone());
    let packaged = release.starts_with("pcce");
    let years: &[&str] = &["-validity", "900"];
    // keytool's default validity of 90 days has nearly ended.
    let ending: &[&str] = &["-validity", "90", "-startdate", "-80d"];
    let small: &[&str] = &["-validity", "900", "-keysize", "1024"];
    let wsm = format!("{short}_wsm");
    let made = match (actor.roles[0].as_str(), cast.rank(actor)) {
        ("cvp", 0) => vec![
            ("wsm", wsm, years, packaged),
            ("vxml", format!("{short}_VXML_Server"), years, false),
            ("callserver", short, years, false),
        ],
        ("cvp", 1) => vec![
            ("wsm", wsm, small, true),
            ("vxml", fqdn, years, false),
            ("callserver", "CallServer".to_owned(), years, true),
        ],
        ("cvp", _) => vec![
            ("wsm", fqdn.clone(), years, false),
            ("vxml", fqdn.clone(), years, false),
            ("callserver", fqdn, years, false),
        ],
        ("cvp-reporting", _) => vec![("wsm", wsm, years, packaged), ("callserver", fqdn, ending, true)],
        // The SPOG does not talk to the console's WebServicesManager, so its name is right with a SPOG too.
        ("oamp", _) => vec![("oamp", format!("{short}_OAMP_Server"), years, false), ("wsm", wsm, years, false)],
        _ => Vec::new(),
    };
    let key = |(identity, cn, more, unfit)| Key { host: actor.fqdn.clone(), identity, cn, more, unfit };
    made.into_iter().map(key).collect()
}

impl Reference {
    /// Writes the spec again with what the person now says.
    pub fn tell(&self, told: Told) {
        fs::write(self.built.root.join(Built::SPEC), spec(self.release, told)).unwrap();
    }

    pub fn key(&self, host: &str, identity: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.host == host && key.identity == identity)
    }

    /// Installs the machines: the JDK's own roots in every `cacerts`, the keys in every `.keystore`.
    fn machines(&mut self) {
        let roots = self.built.root.join("roots.jks");
        jdk_roots(&roots);
        let mut jobs: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
        let (mut stores, mut mirrors) = (Vec::new(), BTreeMap::new());
        for actor in &self.built.cast.0 {
            let disk = self.built.root.join("hosts").join(&actor.fqdn);
            let mut file = |name: &'static str, path: &str, kind: &'static str, password: &str| {
                let path = disk.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                let store = StoreAt { host: actor.fqdn.clone(), name, path, kind, password: password.to_owned() };
                stores.push(store.clone());
                store
            };
            if actor.is(CCE_WINDOWS) {
                let store = file("cacerts", "C/icm/ssl/cacerts", "JKS", "changeit");
                fs::copy(&roots, &store.path).unwrap();
            }
            if actor.is(&["ads"]) {
                let path = "C/Program Files (x86)/OpenJDK/jre-17/lib/security/cacerts";
                fs::copy(&roots, &file("jre-cacerts", path, "JKS", "changeit").path).unwrap();
            }
            if actor.is(CVP_STORE) {
                let store = file("keystore", "C/Cisco/CVP/conf/security/.keystore", "JCEKS", CVP_PASSWORD);
                let keys: Vec<Key> = self.keys.iter().filter(|key| key.host == actor.fqdn).cloned().collect();
                jobs.push(Box::new(move || {
                    for key in keys {
                        craft::genkeypair(&store, &key.alias(), &key.cn, CVP_PASSWORD, key.more);
                    }
                }));
            }
            if self.built.wanted_trust.iter().any(|edge| edge.truster == actor.fqdn && edge.store == "tomcat-trust") {
                let mirror = disk.join("tomcat-trust");
                fs::create_dir_all(&mirror).unwrap();
                mirrors.insert(actor.fqdn.clone(), mirror);
            }
        }
        (self.built.stores, self.built.mirrors) = (stores, mirrors);
        craft::two_hands(jobs);
        for key in self.keys.iter().filter(|key| key.unfit) {
            self.doomed.insert((key.host.clone(), "keystore", key.alias()));
        }
    }

    /// Makes the files that a person saved in a browser or downloaded from cmplatform.
    fn exports(&mut self) {
        let subjects: BTreeSet<(String, &'static str)> =
            self.built.wanted_trust.iter().map(|wanted| (wanted.host.clone(), wanted.identity)).collect();
        // Nothing that is judged depends on the keys of these machines, so they share one. The keys that trustmason sees are all different.
        let key = craft::new_key(&self.built.root);
        let mut jobs: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
        for (i, (fqdn, identity)) in subjects.into_iter().enumerate() {
            let actor = self.built.cast.get(&fqdn);
            let name = match identity {
                "iis" if actor.is(&["ads"]) => format!("ADS{}.cer", actor.short()),
                "iis" if actor.is(&["ece"]) => format!("ECE{}.cer", actor.short()),
                "iis" if actor.is(&["media-server"]) => format!("{fqdn}_media.cer"),
                "iis" => format!("ICM{}.cer", actor.short()),
                "dfp" => format!("dfp{}.cer", actor.short()),
                "tomcat" => format!("{fqdn}.pem"),
                "awdb" => format!("../sql-of-{fqdn}.cer"),
                _ => continue,
            };
            let path = self.built.root.join("certs").join(name);
            self.built.files.insert((fqdn.clone(), identity), path.clone());
            if identity == "awdb" {
                self.databases.insert(fqdn.clone(), path.clone());
            }
            // A VOS node gives its certificate as PEM only.
            let writing = match identity {
                "tomcat" => Writing::Pem,
                _ => [Writing::Pem, Writing::Der, Writing::Dressed][i % 3],
            };
            let key = key.clone();
            jobs.push(Box::new(move || craft::self_signed_by(&key, &fqdn, identity, &path, writing)));
        }
        craft::two_hands(jobs);
    }

    /// The work of the operator for each wanted import into a store that trustmason writes, or into the export of a VOS node. The guides'
    /// fixed aliases hold one host only, so the operator gave up at the second.
    fn work(&self) -> Vec<(WantedTrust, Work)> {
        let mut counts: BTreeMap<(String, &str), usize> = BTreeMap::new();
        let work = |wanted: &WantedTrust| {
            let (truster, subject) = (self.built.cast.get(&wanted.truster), self.built.cast.get(&wanted.host));
            let nth = self.built.cast.rank(subject);
            let count = counts.entry((wanted.truster.clone(), wanted.store)).or_default();
            *count += 1;
            let own = wanted.truster == wanted.host;
            let under = |alias: &str| Work::Under(alias.to_owned());
            let work = match (truster.roles[0].as_str(), self.built.cast.rank(truster), wanted.store, wanted.identity) {
                ("cvp", 0, _, "wsm") if own => Work::Done,
                ("cvp", 0, _, "wsm") => under("oamp_wsm"),
                ("cvp", 0, _, "oamp") => under("oamp_certificate"),
                ("cvp", 0, _, "iis") if nth == 0 => under("AW_cert"),
                ("cvp", 0, _, "tomcat") if subject.is(&["vvb"]) && nth == 0 => under("vb_cert"),
                ("cvp", 0, _, "tomcat") if subject.is(&["cloud-connect"]) => Work::Outdated,
                ("cvp", 1, _, "wsm") if own => Work::Outdated,
                ("cvp", 1, _, "oamp") => under("wsm_oamp_certificate"),
                ("cvp-reporting", 0, _, "oamp") => under("oamp_certificate"),
                ("cvp-reporting", 0, _, "callserver") if nth == 0 => Work::Done,
                ("oamp", 0, _, "wsm") if subject.is(&["cvp-reporting"]) => Work::Outdated,
                ("oamp", 0, _, "wsm") if nth == 0 => Work::Under(format!("{}_wsm", subject.short())),
                ("oamp", 0, _, "wsm") if nth == 1 => under("oamp_wsm_certificate"),
                ("oamp", 0, _, "callserver") if nth == 1 => under("oamp_callserver_certificate"),
                ("oamp", 0, _, "vxml") if nth == 0 => under("oamp_vxml_certificate"),
                ("oamp", 0, _, "tomcat") if nth == 0 => under("VVB_cert"),
                ("ads", 0, "jre-cacerts", _) if nth == 0 => Work::Under(subject.fqdn.clone()),
                ("ads", 0, "cacerts", _) => match *count % 3 {
                    0 => Work::Done,
                    1 => Work::Outdated,
                    _ => Work::Nothing,
                },
                ("rogger" | "logger", 0, _, _) if nth == 0 => Work::Under(subject.fqdn.clone()),
                ("cucm-pg", 0, _, _) => Work::Outdated,
                ("finesse" | "vvb" | "cuic-ld-ids", 0, "tomcat-trust", identity)
                    if identity != "awdb" && count.is_multiple_of(2) =>
                {
                    Work::Done
                }
                _ => Work::Nothing,
            };
            (wanted.clone(), work)
        };
        self.built.wanted_trust.iter().map(work).collect()
    }

    /// Makes the certificates that hosts had when somebody imported them.
    fn former(&mut self) {
        for (wanted, work) in self.work() {
            if matches!(work, Work::Outdated) {
                let path = self.built.root.join("old").join(format!("{}_{}.pem", wanted.host, wanted.identity));
                self.built.stale.insert((wanted.host, wanted.identity), path);
            }
        }
        let key = craft::new_key(&self.built.root.join("old"));
        let old = |((fqdn, _), path): (&(String, &'static str), &PathBuf)| {
            let (key, fqdn, path) = (key.clone(), fqdn.clone(), path.clone());
            Box::new(move || craft::self_signed_by(&key, &fqdn, "Before", &path, Writing::Pem))
                as Box<dyn FnOnce() + Send>
        };
        craft::two_hands(self.built.stale.iter().map(old).collect());
    }

    fn half_done(&mut self) {
        let mut imports: BTreeMap<(String, &'static str), Vec<(String, PathBuf)>> = BTreeMap::new();
        for (wanted, work) in self.work() {
            let subject = (wanted.host.clone(), wanted.identity);
            let alias = wanted.alias.clone();
            let unfit = self.key(&wanted.host, wanted.identity).is_some_and(|key| key.unfit);
            let (alias, file, changes) = match work {
                Work::Nothing => continue,
                Work::Outdated => (alias, self.built.stale[&subject].clone(), true),
                Work::Done => (alias, self.certificate(&subject), unfit),
                Work::Under(alias) => (Some(alias), self.certificate(&subject), true),
            };
            let Some(alias) = alias else {
                let mirror = &self.built.mirrors[&wanted.truster];
                fs::copy(&file, mirror.join(format!("{}_{}.pem", wanted.host, wanted.identity))).unwrap();
                continue;
            };
            if changes {
                self.doomed.insert((wanted.truster.clone(), wanted.store, alias.to_lowercase()));
            }
            imports.entry((wanted.truster, wanted.store)).or_default().push((alias, file));
        }
        let jobs = imports.into_iter().map(|((host, name), imports)| {
            let store = self.built.store(&host, name).clone();
            Box::new(move || {
                for (alias, file) in imports {
                    craft::importcert(&store, &alias, &file);
                }
            }) as Box<dyn FnOnce() + Send>
        });
        craft::two_hands(jobs.collect());
    }

    /// The file with an identity's present certificate. keytool exports it if it is in a store.
    fn certificate(&self, subject: &(String, &'static str)) -> PathBuf {
        if let Some(file) = self.built.files.get(subject) {
            return file.clone();
        }
        let file = self.built.root.join("old").join(format!("{}_{}.crt", subject.0, subject.1));
        if !file.exists() {
            let key = self.key(&subject.0, subject.1).unwrap();
            craft::exportcert(self.built.store(&subject.0, "keystore"), &key.alias(), &file);
        }
        file
    }

    /// Adds entries that trustmason must not touch.
    fn other_people(&mut self) {
        let proxy = self.built.root.join("old/proxy.pem");
        craft::self_signed("proxy.acme.example", "Proxy", &proxy, Writing::Pem);
        let first = |role: &str, name: &str| {
            let roles = [role];
            let actor = self.built.cast.with(&roles).next().unwrap();
            self.built.store(&actor.fqdn, name)
        };
        let [own, other] = [KEY_PASSWORDS[0], KEY_PASSWORDS[1]];
        for store in
            [first("ads", "jre-cacerts"), first("ads", "cacerts"), first("oamp", "keystore"), first("cvp", "keystore")]
        {
            craft::importcert(store, "acme-proxy", &proxy);
        }
        craft::genkeypair(first("ads", "cacerts"), "lab-agent", "agent.acme.example", own, &["-validity", "900"]);
        craft::genseckey(first("oamp", "keystore"), "ticket-key", other);
        craft::genkeypair(first("cvp", "keystore"), "lab-agent", "agent.acme.example", own, &["-validity", "900"]);
        for (host, mirror) in &self.built.mirrors {
            let path = mirror.join("Acme_Proxy.pem");
            fs::copy(&proxy, &path).unwrap();
            self.strangers.insert(host.clone(), path);
        }
    }
}
