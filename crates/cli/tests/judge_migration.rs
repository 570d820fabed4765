//! An estate of 23 hosts changes from self-signed certificates to those of a CA, and one host changes back. At every
//! moment every truster accepts what every subject presents, both with what its service last read and with what it
//! would read now. A JVM judges.
#![cfg(unix)]

use crate::judge;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use judge::Verdicts;
use judge::authority::{Authority, both};
use judge::build::{Built, fresh};
use judge::craft;
use judge::jvm::{Jvm, Reading};
use judge::services::Services;
use judge::tool::{acknowledge, carry_packs, climb, plan, trustmason, waited_for};
use serde_json::Value;

/// The estate, with what each service presents and what each has read.
struct Estate {
    jvm: Jvm,
    built: Built,
    /// The tomcats and WSMs, which make handshakes.
    services: Services,
    ca: Authority,
    /// The chain that a machine outside the tests presents, as a PEM file.
    presented: BTreeMap<(String, &'static str), PathBuf>,
    /// The last reading of the service of each Java store.
    last: BTreeMap<(String, &'static str), Reading>,
    /// The number of chains that were checked against stores.
    asked: usize,
}

impl Estate {
    fn begin(spec: &str) -> Self {
        let built = fresh(spec);
        let mut jvm = Jvm::start();
        climb(&built, &mut |path| jvm.certificate(path));
        let services = Services::start(&mut jvm, &built);
        let ca = Authority::beside(&mut jvm, &built);
        let stores = built.stores.iter();
        let last = stores.map(|store| ((store.host.clone(), store.name), jvm.read(store))).collect();
        let presented = built.files.iter().map(|(who, file)| {
            // A machine whose certificate was exported presents exactly that certificate.
            let to = built.root.join("ca").join(format!("{}_{}.presented.pem", who.0, who.1));
            fs::copy(file, &to).unwrap();
            (who.clone(), to)
        });
        let presented = presented.collect();
        Self { jvm, built, services, ca, presented, last, asked: 0 }
    }

    fn respell(&self, from: &str, to: &str) {
        let spec = self.built.root.join(Built::SPEC);
        let text = fs::read_to_string(&spec).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&spec, text.replace(from, to)).unwrap();
    }

    /// Checks that no service refuses another one now.
    fn all_is_well(&mut self, moment: &str) {
        let mut verdicts = Verdicts::default();
        let refused = self.services.refused(&mut self.jvm);
        verdicts.that(refused.is_empty(), || format!("{refused:?}"));
        let disk: BTreeMap<_, _> =
            self.built.stores.iter().map(|s| ((s.host.clone(), s.name), self.jvm.read(s))).collect();
        for wanted in self.built.wanted_trust.iter().filter(|wanted| wanted.store != "tomcat-trust") {
            let Some(chain) = self.presented.get(&(wanted.host.clone(), wanted.identity)) else { continue };
            let at = (wanted.truster.clone(), wanted.store);
            for (reading, when) in [(&self.last[&at], "last read"), (&disk[&at], "on disk")] {
                self.asked += 1;
                let said = self.jvm.trusts(reading, chain);
                verdicts.that(said.is_ok(), || {
                    format!("{} ({when}) refuses {}/{}: {said:?}", wanted.truster, wanted.host, wanted.identity)
                });
            }
        }
        verdicts.close(moment);
    }

    /// Lets the CA answer every pending request. Gives the number of answers.
    fn answer(&self) -> usize {
        let Ok(requests) = fs::read_dir(self.built.root.join("csr")) else { return 0 };
        let mut answered = 0;
        for request in requests.map(|entry| entry.unwrap().path()) {
            let name = request.file_stem().unwrap().to_str().unwrap().to_owned();
            let to = self.built.root.join("inbox").join(format!("{name}.cer"));
            if !to.exists() {
                let host = name.rsplit_once('_').unwrap().0;
                self.ca.reply(&request, "issuing", to.to_str().unwrap(), &both(&[host]), &["-sha256", "-days", "800"]);
                answered += 1;
            }
        }
        answered
    }

    /// Acts as the people at machines that trustmason cannot see. These people install a new certificate after the plan
    /// says that every truster has its issuers. Gives the number of certificates.
    fn people(&mut self, plan: &Value) -> usize {
        let mut done = 0;
        for manual in plan["manual"].as_array().unwrap() {
            let may =
                manual["why"].as_str().is_some_and(|why| why.contains("now: the new certificate may be installed"));
            let (host, name) = manual["store"].as_str().unwrap().split_once('/').unwrap();
            let who = self.presented.keys().find(|(h, n)| h == host && *n == name).cloned();
            let (Some(who), true) = (who, may) else { continue };
            let folder = &self.ca.folder;
            let subject = format!("/CN={host}");
            self.ca.openssl(&[
                "req", "-newkey", "rsa:2048", "-nodes", "-subj", &subject, "-keyout", "node.key", "-out", "node.csr",
            ]);
            self.ca.reply(
                &folder.join("node.csr"),
                "issuing",
                "node.pem",
                &both(&[host]),
                &["-sha256", "-days", "800"],
            );
            fs::copy(folder.join("node.pem"), &self.built.files[&who]).unwrap();
            let chain = ["node.pem", "issuing.pem"].map(|part| fs::read_to_string(folder.join(part)).unwrap());
            fs::write(&self.presented[&who], chain.concat()).unwrap();
            done += 1;
        }
        done
    }

    /// Goes on to the end, while everybody does what the program asks. Gives the number of applies.
    fn finish(&mut self) -> usize {
        for applies in 1..20 {
            let now = plan(&self.built);
            let waited = waited_for(&now);
            for service in &waited {
                self.services.restart(&mut self.jvm, service);
                let (host, _) = service.split_once('/').unwrap();
                for store in self.built.stores.iter().filter(|store| store.host == host) {
                    let reading = self.jvm.read(store);
                    self.last.insert((store.host.clone(), store.name), reading);
                }
            }
            if !waited.is_empty() {
                acknowledge(&self.built, "*");
            }
            self.all_is_well("after restarts");
            let carried = carry_packs(&self.built, &mut |path| self.jvm.certificate(path));
            let swapped = self.people(&plan(&self.built));
            self.all_is_well("after people were at it");
            let said = trustmason(&self.built, &["apply", Built::SPEC, "--auto-approve", "--allow-deletes", "40"]);
            assert!([0, 5].contains(&said.code), "{}\n{}", said.stdout, said.stderr);
            self.all_is_well("after an apply");
            let answered = self.answer();
            eprintln!(
                "apply {applies}: {carried} carried, {swapped} put in place by people, {answered} answered by the CA"
            );
            if said.code == 0 && waited_for(&plan(&self.built)).is_empty() {
                return applies;
            }
        }
        panic!("no end: {}", plan(&self.built)["summary"]);
    }
}

#[test]
fn judge_migration_of_23_hosts_to_a_ca_and_one_back() {
    needs!(Full, Jdk, Openssl, Python);
    let mut estate = Estate::begin("pcce-2000.yaml");
    estate.all_is_well("before");
    estate.services.remember();
    estate.respell("issuer: self-signed", "issuer: corp-ca");
    let applies = estate.finish();
    let cvps: Vec<String> = estate.built.keys.iter().map(|key| key.host.clone()).collect();
    let cvps: BTreeSet<String> = cvps.into_iter().collect();
    let wsms: Vec<String> = cvps.iter().map(|host| format!("{host}/wsm")).collect();
    estate.services.old_ones_are_refused(&mut estate.jvm, &wsms.iter().map(String::as_str).collect::<Vec<_>>());

    // Every store has the root and the intermediate once, and no server's own certificate.
    let [root, issuing] = ["root", "issuing"].map(|name| estate.ca.sha256(&mut estate.jvm, name));
    let ece = estate.jvm.certificate(&estate.built.files[&("ece1.pcce.example".to_owned(), "iis")]);
    let plan_now = plan(&estate.built);
    let subjects: BTreeSet<&str> =
        plan_now["identities"].as_array().unwrap().iter().filter_map(|one| one["sha256"].as_str()).collect();
    let mut verdicts = Verdicts::default();
    let trusters: BTreeSet<&String> =
        estate.built.wanted_trust.iter().filter(|w| w.store != "tomcat-trust").map(|w| &w.truster).collect();
    for store in estate.built.stores.iter().filter(|store| trusters.contains(&store.host)) {
        let listing = estate.jvm.dump(store, &[]);
        let trusted = listing.values().filter(|held| held.kind == "trusted-certificate");
        let count = |print: &String| trusted.clone().filter(|held| held.certificates[0] == *print).count();
        verdicts.that((count(&root), count(&issuing)) == (1, 1), || format!("{}: {listing:?}", store.host));
        // No new certificate is asked for ECE, because its host is never opened.
        let leaf = trusted
            .clone()
            .find(|held| held.certificates[0] != ece && subjects.contains(held.certificates[0].as_str()));
        verdicts.that(leaf.is_none(), || format!("{} still trusts a server itself: {leaf:?}", store.host));
    }
    for (host, mirror) in &estate.built.mirrors {
        let files: BTreeSet<String> =
            fs::read_dir(mirror).unwrap().map(|file| estate.jvm.certificate(&file.unwrap().path())).collect();
        verdicts.that(files == [root.clone(), issuing.clone()].into(), || format!("{host}: {files:?}"));
    }
    verdicts.close("what is trusted in the end");
    for (who, chain) in estate.presented.iter().filter(|(who, _)| !who.0.starts_with("ece")) {
        let (root, issuing) = (estate.ca.folder.join("root.pem"), estate.ca.folder.join("issuing.pem"));
        let mut verify = Command::new("openssl");
        verify.args(["verify", "-no-CApath", "-no-CAstore", "-purpose", "sslserver", "-verify_hostname", &who.0]);
        craft::run(verify.arg("-CAfile").arg(root).arg("-untrusted").arg(issuing).arg(chain));
    }

    // One host changes back and the others stay. The CA stays trusted because of the others.
    estate.respell(
        "cvpa.pcce.example:     { role: cvp, side: a }",
        "cvpa.pcce.example:     { role: cvp, side: a, identity: { issuer: self-signed } }",
    );
    let back = estate.finish();
    let store = estate.built.store("cvpa.pcce.example", "keystore").clone();
    let keys = estate.jvm.dump(&store, &[]);
    for key in estate.built.keys.iter().filter(|key| key.host == "cvpa.pcce.example") {
        assert_eq!(keys[&key.alias].certificates.len(), 1, "{} is self-signed again", key.alias);
    }
    let said = trustmason(&estate.built, &["plan", Built::SPEC, "--detailed-exitcode"]);
    assert_eq!((said.code, said.last_line()), (0, "No changes. Every store holds what the spec declares."));
    eprintln!(
        "{applies} applies there, {back} back; {} handshakes at {} moments, {} chains held against stores",
        estate.services.met, estate.services.moments, estate.asked
    );
}
