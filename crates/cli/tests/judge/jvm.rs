//! JVMs of every release, which read stores and make TLS handshakes, each with itself and with the others.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::build::StoreAt;
use super::javas::{Answer, Judges, Release, file, told};

/// The JVMs and their earlier answers.
pub struct Jvm {
    judges: Judges,
    /// The stores that services have read, with the names that the JVMs use for them.
    kept: BTreeMap<(Vec<u8>, &'static str), String>,
    /// Handshakes by server, client and protocol.
    met: BTreeMap<(Release, Release, String), usize>,
    /// The results of handshakes. The key has the server's reading, the presented alias, the client's reading and the
    /// requested host. The JVMs keep their readings in memory, so the same question always has the same answer.
    shaken: BTreeMap<[String; 4], Result<(), String>>,
    /// The results for chains in PEM files, by the client's reading.
    taken: BTreeMap<(String, Vec<u8>), Result<(), String>>,
}

/// An entry as the Java API shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub kind: String,
    /// Milliseconds since 1970. `None` if the file has no date.
    pub created: Option<i64>,
    /// SHA-256 of each certificate, leaf first.
    pub certificates: Vec<String>,
    /// The number of the password that opened the key, and the SHA-256 of the opened key.
    pub key: Option<(u64, String)>,
}

/// The content of a store that a service read when it started. The JVMs keep it in memory even if the file changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    kept: String,
    password: String,
}

/// The host of a call that checks the trust and no name.
pub const NO_NAME: &str = "-";

/// A store's entries by exact alias.
pub type Listing = BTreeMap<String, Held>;

impl Jvm {
    /// Starts the JVMs. The test must have required `Jdk`.
    pub fn start() -> Self {
        let judges = Judges::start();
        Self { judges, kept: BTreeMap::new(), met: BTreeMap::new(), shaken: BTreeMap::new(), taken: BTreeMap::new() }
    }

    /// Everything in a store. Keys are tried with the store's password first, then with the others.
    pub fn dump(&mut self, store: &StoreAt, key_passwords: &[&str]) -> Listing {
        let path = store.path.display();
        let bytes = file(&fs::read(&store.path).unwrap());
        // The plain JKS type asks for lower-case aliases only, so it cannot show an upper-case alias. A second question
        // asks whether the type can load the file at all.
        let exact = if store.kind == "JKS" { "CaseExactJKS" } else { store.kind };
        let mut request = vec!["dump", exact, &bytes, &store.password];
        request.extend(key_passwords);
        let reply = self.judges.ask(&request);
        let plain = self.judges.ask(&["dump", store.kind, &bytes, &store.password]);
        assert!(plain["ok"] == true && reply["ok"] == true, "{path} does not load: {plain} {reply}");
        let entries = reply["entries"].as_array().unwrap();
        let listing: Listing =
            entries.iter().map(|entry| (entry["alias"].as_str().unwrap().to_owned(), held(entry))).collect();
        assert_eq!(
            listing.len(),
            plain["entries"].as_array().unwrap().len(),
            "{path}: both views have the same number"
        );
        listing
    }

    /// SHA-256 of the certificate in a file, as the JVMs read it.
    pub fn certificate(&mut self, path: &Path) -> String {
        let reply = self.judges.ask(&["certificate", &file(&fs::read(path).unwrap())]);
        reply["sha256"].as_str().unwrap_or_else(|| panic!("{}: {reply}", path.display())).to_owned()
    }

    /// Checks that a key opens with its store's password and that its certificate verifies the key's signature.
    pub fn opens(&mut self, store: &StoreAt, alias: &str) -> Result<(), String> {
        let reading = self.read(store);
        let reply = self.judges.ask(&["opens", &reading.kept, alias, &reading.password]);
        if reply["ok"] == true { Ok(()) } else { Err(reply.to_string()) }
    }

    /// Checks that a client with that trust store, connecting to `host`, accepts a server with that key entry.
    pub fn handshake(&mut self, server: &StoreAt, alias: &str, client: &StoreAt, host: &str) -> Result<(), String> {
        let (server, client) = (self.read(server), self.read(client));
        self.meet(&server, alias, &client, host)
    }

    /// Reads a store as it is now.
    pub fn read(&mut self, store: &StoreAt) -> Reading {
        let bytes = fs::read(&store.path).unwrap();
        let judges = &mut self.judges;
        let kept = self.kept.entry((bytes, store.kind)).or_insert_with_key(|(bytes, kind)| {
            let reply = judges.ask(&["keep", kind, &file(bytes), &store.password]);
            reply["kept"].as_str().unwrap_or_else(|| panic!("{}: {reply}", store.path.display())).to_owned()
        });
        Reading { kept: kept.clone(), password: store.password.clone() }
    }

    /// Checks that a client accepts a server for `host`, by what both have read. If the server cannot make any
    /// handshake, for example because its key is missing, the test ends. Every release meets itself and every other
    /// one, and all must agree.
    pub fn meet(&mut self, server: &Reading, alias: &str, client: &Reading, host: &str) -> Result<(), String> {
        let question = [&server.kept, alias, &client.kept, host].map(str::to_owned);
        if let Some(said) = self.shaken.get(&question) {
            return said.clone();
        }
        let said = self.shake_hands(server, alias, client, host);
        self.shaken.insert(question, said.clone());
        said
    }

    fn shake_hands(&mut self, server: &Reading, alias: &str, client: &Reading, host: &str) -> Result<(), String> {
        let served = self.judges.each(&["serve", &server.kept, alias, &server.password, "any", "none"]);
        let port = |at: &Answer| at.said["port"].as_u64().unwrap_or_else(|| panic!("{host}: {}", told(&served)));
        let ports: Vec<String> = served.iter().map(|at| port(at).to_string()).collect();
        let mut verdicts = Vec::new();
        for round in 0..served.len() {
            // In the first round each JVM calls itself, in the next rounds a neighbour.
            let hosts: Vec<usize> = (0..served.len()).map(|at| (at + round) % served.len()).collect();
            // A JRE as old as the products' has nothing newer, but today's Java 8 offers TLS 1.3 by itself.
            let old = |at: usize| served[at].release.number() == 8;
            let protocol = |caller: usize| if old(caller) && old(hosts[caller]) { "TLSv1.2" } else { "any" };
            let calls: Vec<[&str; 5]> = (0..served.len())
                .map(|caller| ["call", &client.kept, host, &ports[hosts[caller]], protocol(caller)])
                .collect();
            let calls: Vec<&[&str]> = calls.iter().map(|call| &call[..]).collect();
            for (caller, answer) in self.judges.each_its_own(&calls).into_iter().enumerate() {
                let at = &served[hosts[caller]].release;
                let verdict = match (answer.said["why"].as_str(), answer.said["protocol"].as_str()) {
                    (Some(why), _) => Err(why.to_owned()),
                    (None, Some(spoken)) if answer.said["ok"] == true => {
                        let pair = (at.clone(), answer.release.clone(), spoken.to_owned());
                        *self.met.entry(pair).or_default() += 1;
                        Ok(())
                    }
                    _ => panic!("Java {} at Java {at}: no verdict on {host}: {}", answer.release, answer.said),
                };
                verdicts.push((format!("Java {} at Java {at}", answer.release), verdict));
            }
        }
        let (_, first) = verdicts[0].clone();
        let same = verdicts.iter().all(|(_, verdict)| verdict.is_ok() == first.is_ok());
        assert!(same, "the releases differ over {host}: {verdicts:#?}");
        first
    }

    /// Checks that a client accepts the chain in a PEM file, by what the client has read.
    pub fn trusts(&mut self, client: &Reading, chain: &Path) -> Result<(), String> {
        let judges = &mut self.judges;
        let said =
            self.taken.entry((client.kept.clone(), fs::read(chain).unwrap())).or_insert_with_key(|(kept, pem)| {
                let reply = judges.ask(&["trusts", kept, &file(pem)]);
                match reply["why"].as_str() {
                    Some(why) => Err(why.to_owned()),
                    None if reply["ok"] == true => Ok(()),
                    None => panic!("no verdict on {}: {reply}", chain.display()),
                }
            });
        said.clone()
    }

    /// Starts servers of every release that present a key under one protocol. Gives their ports.
    pub fn serve(&mut self, store: &StoreAt, alias: &str, protocol: &str, client: &str) -> Vec<(Release, u64)> {
        let reading = self.read(store);
        let served = self.judges.each(&["serve", &reading.kept, alias, &reading.password, protocol, client]);
        let port = |at: &Answer| at.said["port"].as_u64().unwrap_or_else(|| panic!("{}", told(&served)));
        served.iter().map(|at| (at.release.clone(), port(at))).collect()
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        for ((server, client, protocol), times) in &self.met {
            eprintln!("Java {client} met Java {server} over {protocol}: {times} times");
        }
    }
}

fn held(entry: &Value) -> Held {
    let texts =
        |value: &Value| value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    Held {
        kind: entry["kind"].as_str().unwrap().to_owned(),
        created: entry["created_ms"].as_i64(),
        certificates: texts(&entry["certs"]),
        key: entry["key_password"].as_u64().map(|which| (which, entry["key_sha256"].as_str().unwrap().to_owned())),
    }
}
