//! Two long-lived JVMs: one that dumps keystores, one that shakes hands. One line in, one JSON line out.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::build::StoreAt;

/// A judge's program in `fixtures/judge`.
pub fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/judge").join(name)
}

/// The JVMs.
pub struct Jvm {
    stores: Judge,
    tls: Judge,
}

/// An entry as the Java API shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub kind: String,
    /// Milliseconds since 1970.
    pub created: i64,
    /// SHA-256 of each certificate, leaf first.
    pub certificates: Vec<String>,
    /// Which of the passwords opened the key, and SHA-256 of what came out.
    pub key: Option<(u64, String)>,
}

/// What a service read of a store when it started: the judge keeps it in memory, whatever becomes of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    kept: String,
    password: String,
}

/// A store's entries by exact alias.
pub type Listing = BTreeMap<String, Held>;

impl Jvm {
    pub fn start() -> Self {
        // One answers few questions and is to be quick at the first; the other makes hundreds of handshakes.
        let stores = Judge::start("KeystoreJudge.java", "-XX:TieredStopAtLevel=1");
        let mut jvm = Self { stores, tls: Judge::start("TlsJudge.java", "-XX:+UseSerialGC") };
        let (stores, tls) = (jvm.stores.ask(&["version"]), jvm.tls.ask(&["version"]));
        assert_eq!(stores["java"], tls["java"], "both judges run on one JDK");
        eprintln!("judged by JDK {} ({}) with its keytool", tls["java"], tls["vendor"]);
        jvm
    }

    /// Everything in a store; keys are tried with the store's password first, then with the others.
    pub fn dump(&mut self, store: &StoreAt, key_passwords: &[&str]) -> Listing {
        let path = store.path.to_str().unwrap();
        // The plain JKS type lower-cases what it is asked for and so cannot show an upper-case alias; that it loads the file
        // at all is asked too.
        let exact = if store.kind == "JKS" { "CaseExactJKS" } else { store.kind };
        let mut request = vec!["dump", exact, path, &store.password];
        request.extend(key_passwords);
        let reply = self.stores.ask(&request);
        let plain = self.stores.ask(&["dump", store.kind, path, &store.password]);
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

    /// SHA-256 of the certificate in a file, as the JVM reads it.
    pub fn certificate(&mut self, path: &Path) -> String {
        let reply = self.tls.ask(&["certificate", path.to_str().unwrap()]);
        reply["sha256"].as_str().unwrap_or_else(|| panic!("{}: {reply}", path.display())).to_owned()
    }

    /// Whether a key opens with its store's password and signs what its certificate verifies.
    pub fn opens(&mut self, store: &StoreAt, alias: &str) -> Result<(), String> {
        let reply = self.tls.ask(&["opens", store.kind, store.path.to_str().unwrap(), &store.password, alias]);
        if reply["ok"] == true { Ok(()) } else { Err(reply.to_string()) }
    }

    /// Whether a client with that trust store, asking for `host`, accepts a server with that key entry.
    pub fn handshake(&mut self, server: &StoreAt, alias: &str, client: &StoreAt, host: &str) -> Result<(), String> {
        let (from, to) = (server.path.to_str().unwrap(), client.path.to_str().unwrap());
        let reply = self.tls.ask(&[
            "handshake",
            server.kind,
            from,
            &server.password,
            alias,
            client.kind,
            to,
            &client.password,
            host,
        ]);
        if reply["ok"] == true { Ok(()) } else { Err(reply.to_string()) }
    }

    /// Reads a store as it is now.
    pub fn read(&mut self, store: &StoreAt) -> Reading {
        let reply = self.tls.ask(&["keep", store.kind, store.path.to_str().unwrap(), &store.password]);
        let kept = reply["kept"].as_str().unwrap_or_else(|| panic!("{}: {reply}", store.path.display())).to_owned();
        Reading { kept, password: store.password.clone() }
    }

    /// Whether a client that trusts what it read, asking for `host`, accepts a server that presents the key it read. Who
    /// cannot shake hands at all, with a missing key say, is no verdict and ends the test.
    pub fn meet(&mut self, server: &Reading, alias: &str, client: &Reading, host: &str) -> Result<(), String> {
        let reply = self.tls.ask(&["meet", &server.kept, alias, &server.password, &client.kept, host]);
        match reply["why"].as_str() {
            Some(why) => Err(why.to_owned()),
            None if reply["ok"] == true => Ok(()),
            None => panic!("no verdict on {host}: {reply}"),
        }
    }
}

impl Jvm {
    /// Whether a client that trusts what it read takes the chain in a PEM file.
    pub fn trusts(&mut self, client: &Reading, chain: &Path) -> Result<(), String> {
        let reply = self.tls.ask(&["trusts", &client.kept, chain.to_str().unwrap()]);
        match reply["why"].as_str() {
            Some(why) => Err(why.to_owned()),
            None if reply["ok"] == true => Ok(()),
            None => panic!("no verdict on {}: {reply}", chain.display()),
        }
    }
}

fn held(entry: &Value) -> Held {
    let texts =
        |value: &Value| value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    Held {
        kind: entry["kind"].as_str().unwrap().to_owned(),
        created: entry["created_ms"].as_i64().unwrap(),
        certificates: texts(&entry["certs"]),
        key: entry["key_password"].as_u64().map(|which| (which, entry["key_sha256"].as_str().unwrap().to_owned())),
    }
}

struct Judge {
    child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Judge {
    fn start(source: &str, option: &str) -> Self {
        let mut child = Command::new("java")
            .args(["-Xshare:auto", option])
            .arg(program(source))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("no judge: `java` does not start ({error}). {}", super::craft::HOW_TO_GET));
        let requests = child.stdin.take().unwrap();
        let replies = BufReader::new(child.stdout.take().unwrap());
        Self { child, requests, replies }
    }

    fn ask(&mut self, words: &[&str]) -> Value {
        assert!(words.iter().all(|word| !word.contains(['\t', '\n'])), "a word of the request holds a separator");
        writeln!(self.requests, "{}", words.join("\t")).expect("the JVM reads");
        let mut reply = String::new();
        self.replies.read_line(&mut reply).expect("the JVM answers");
        assert!(!reply.is_empty(), "the JVM went away at `{}`", words[0]);
        serde_json::from_str(&reply).unwrap_or_else(|error| panic!("{error}: {reply}"))
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        // It is ours and nobody waits for it any more.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
