//! Identities that a CA issues. openssl is the CA, with a root and an issuing authority below it. After every event a
//! JVM makes handshakes with what every service read last, and with what it would read now.
#![cfg(unix)]

use crate::judge;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use judge::authority::{Authority, both};
use judge::build::{Built, fresh};
use judge::craft;
use judge::jvm::Jvm;
use judge::services::Services;
use judge::tool::{climb, plan, trustmason};
use serde_json::Value;

const CVP: &str = "cvpa.lab.example";
const WSM: &str = "cvpa.lab.example/wsm";

/// The estate, its services and the CA of one test.
struct Story {
    jvm: Jvm,
    built: Built,
    services: Services,
    ca: Authority,
}

impl Story {
    fn begin() -> Self {
        let built = fresh("lab.yaml");
        let mut jvm = Jvm::start();
        climb(&built, &mut |path| jvm.certificate(path));
        let services = Services::start(&mut jvm, &built);
        let ca = Authority::beside(&mut jvm, &built);
        ca.authority("stranger", None, "3650");
        Self { jvm, built, services, ca }
    }

    /// Sets the issuer of the host's WSM in the spec.
    fn issuer(&self, issuer: &str) {
        let spec = self.built.root.join(Built::SPEC);
        let text = fs::read_to_string(&spec).unwrap();
        let lines: Vec<String> = text
            .lines()
            .map(|line| match line.trim_start().starts_with(&format!("{CVP}:")) {
                true => format!("  {CVP}: {{ role: cvp, side: a, identities: {{ wsm: {{ issuer: {issuer} }} }} }}"),
                false => line.to_owned(),
            })
            .collect();
        fs::write(&spec, lines.join("\n") + "\n").unwrap();
    }

    fn request(&self) -> PathBuf {
        self.built.root.join("csr").join(format!("{CVP}_wsm.csr"))
    }

    fn keystore(&self) -> Vec<u8> {
        fs::read(&self.built.store(CVP, "keystore").path).unwrap()
    }

    fn state(&self) -> Value {
        let plan = plan(&self.built);
        let found = plan["identities"].as_array().unwrap().iter().find(|one| one["id"] == WSM).cloned();
        found.unwrap()
    }

    fn apply(&mut self, code: i32) {
        let said = trustmason(&self.built, &["apply", Built::SPEC, "--auto-approve"]);
        assert_eq!(said.code, code, "{}\n{}", said.stdout, said.stderr);
        assert_eq!(self.services.refused(&mut self.jvm), Vec::<String>::new(), "{}", said.stdout);
    }
}

#[test]
fn judge_authority_issues_an_identity_and_gives_it_back() {
    needs!(Jdk, Openssl);
    let mut story = Story::begin();
    story.issuer("corp-ca");
    let before = story.keystore();
    story.apply(5);
    assert_eq!(story.keystore(), before, "the working key is not touched before a reply is there");
    let csr = story.request();
    craft::run(Command::new("openssl").args(["req", "-verify", "-noout", "-in"]).arg(&csr));
    assert_eq!(story.state()["state"], "at-ca");

    every_guard_refuses(&mut story, &csr);
    assert_eq!(story.keystore(), before);

    // The key of a superseded request is deleted, so a reply to that request is useless.
    let inbox = story.built.root.join("inbox");
    story.ca.reply(&csr, "issuing", "superseded.pem", &both(&[CVP]), &["-sha256", "-days", "800"]);
    fs::copy(story.ca.folder.join("superseded.pem"), inbox.join("superseded.pem")).unwrap();
    let staging = story.built.root.join(".trustmason/staging").join(CVP);
    fs::remove_dir_all(&staging).unwrap();
    fs::rename(inbox.join("superseded.pem"), story.built.root.join("superseded.pem")).unwrap();
    story.apply(5);
    fs::rename(story.built.root.join("superseded.pem"), inbox.join("superseded.pem")).unwrap();
    guard(&story, "reply-key-mismatch", "an older request");
    fs::remove_file(inbox.join("superseded.pem")).unwrap();

    // The reply in the form of a Microsoft CA: PKCS#7 in any order, with further certificates.
    story.ca.reply(&csr, "issuing", "reply.pem", &both(&[CVP]), &["-sha256", "-days", "800"]);
    let p7b = story.built.root.join("inbox/certnew.p7b");
    story.ca.openssl(&[
        "crl2pkcs7",
        "-nocrl",
        "-certfile",
        "root.pem",
        "-certfile",
        "reply.pem",
        "-outform",
        "DER",
        "-out",
        p7b.to_str().unwrap(),
    ]);
    assert_eq!(story.state()["state"], "validated");
    story.services.remember();
    let applies = story.services.finish(&mut story.jvm, &story.built);
    assert!(applies >= 3, "trusters first, then the identity, then the old one leaves: {applies}");
    assert_eq!(story.state()["state"], "active");
    story.services.old_ones_are_refused(&mut story.jvm, &[WSM]);

    let (root, issuing) = (story.ca.sha256(&mut story.jvm, "root"), story.ca.sha256(&mut story.jvm, "issuing"));
    let keystore = story.built.store(CVP, "keystore").clone();
    let key = story.jvm.dump(&keystore, &[])["wsm_certificate"].clone();
    assert_eq!(key.certificates[1..], [issuing.clone(), root.clone()], "the whole chain stands beside the key");
    assert_eq!(story.jvm.opens(&keystore, "wsm_certificate"), Ok(()));
    let ads = story.built.store("awa.lab.example", "cacerts").clone();
    let trust = story.jvm.dump(&ads, &[]);
    assert_eq!(trust["corp-ca-root"].certificates, [root]);
    assert_eq!(trust[&format!("corp-ca-{}", &issuing[..8])].certificates, [issuing]);
    assert!(!trust.values().any(|held| held.certificates == key.certificates[..1]), "nobody trusts the leaf itself");

    // With a wrong pin nobody can tell what the authority issued, so nothing is imported and nothing is deleted.
    let spec = story.built.root.join(Built::SPEC);
    let right = fs::read_to_string(&spec).unwrap();
    let pin = story.ca.sha256(&mut story.jvm, "root");
    fs::write(&spec, right.replace(&pin, &"0".repeat(64))).unwrap();
    let broken = plan(&story.built);
    assert!(broken["changes"].as_array().unwrap().is_empty(), "{broken}");
    assert!(broken["summary"]["blocked"].as_u64().unwrap() > 0, "{}", broken["summary"]);
    fs::write(&spec, right).unwrap();

    // Back to self-signed: the new certificate is trusted before it is presented.
    story.issuer("self-signed");
    story.services.remember();
    let said = trustmason(&story.built, &["plan", Built::SPEC]);
    assert!(said.stdout.contains("but the spec wants it self-signed"), "{}", said.stdout);
    assert!(story.services.finish(&mut story.jvm, &story.built) >= 3);
    let key = story.jvm.dump(&keystore, &[])["wsm_certificate"].clone();
    assert_eq!(key.certificates.len(), 1, "self-signed again");
    let trust = story.jvm.dump(&ads, &[]);
    assert!(trust.values().any(|held| held.certificates == key.certificates), "the ADS trusts it");
    let said = trustmason(&story.built, &["plan", Built::SPEC, "--detailed-exitcode"]);
    assert_eq!((said.code, said.last_line()), (0, "No changes. Every store holds what the spec declares."));
}

/// Checks that a reply is blocked with one finding and that nothing else happens.
fn guard(story: &Story, finding: &str, words: &str) {
    let plan = plan(&story.built);
    let findings: Vec<&Value> = plan["findings"].as_array().unwrap().iter().collect();
    let found = findings.iter().find(|one| one["finding"] == finding);
    let found = found.unwrap_or_else(|| panic!("{finding} is not said: {findings:#?}"));
    assert_eq!(found["severity"], "blocked");
    assert!(found["message"].as_str().unwrap().contains(words), "{found}");
    assert!(plan["changes"].as_array().unwrap().iter().all(|change| change["action"] != "install"), "{plan}");
    assert_eq!(story.state()["state"], "at-ca");
    assert!(plan["summary"]["blocked"].as_u64().unwrap() > 0, "{}", plan["summary"]);
}

/// The finding and a word of its message; then the request, the issuer, the extensions and the options.
type Case<'a> = (&'a str, &'a str, &'a Path, &'a str, &'a str, &'a [&'a str]);

/// Checks each guard with a reply that breaks only this guard.
fn every_guard_refuses(story: &mut Story, csr: &Path) {
    let inbox = story.built.root.join("inbox");
    let ca = &story.ca;
    ca.openssl(&[
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        &format!("/CN={CVP}"),
        "-keyout",
        "other.key",
        "-out",
        "other.csr",
    ]);
    let good = both(&[CVP]);
    let usual = ["-sha256", "-days", "800"];
    let other = ca.folder.join("other.csr");
    let served = format!("subjectAltName=DNS:{CVP}\nextendedKeyUsage=serverAuth\n");
    let a_ca = format!("subjectAltName=DNS:{CVP}\nbasicConstraints=critical,CA:TRUE\n");
    let critical = format!("subjectAltName=DNS:{CVP}\nextendedKeyUsage=critical,serverAuth,clientAuth\n");
    let more = both(&[CVP, "cvp.lab.example"]);
    let elsewhere = both(&["elsewhere.example"]);
    let cases: [Case<'_>; 9] = [
        ("reply-key-mismatch", "an older request", &other, "issuing", &good, &usual),
        ("reply-chain-incomplete", "missing", csr, "stranger", &good, &usual),
        ("reply-name", "must name cvpa", csr, "issuing", &elsewhere, &usual),
        ("reply-san", "cvp.lab.example", csr, "issuing", &more, &usual),
        ("reply-eku", "clientAuth", csr, "issuing", &served, &usual),
        ("reply-weak-crypto", "SHA1", csr, "issuing", &good, &["-sha1", "-days", "800"]),
        ("reply-weak-crypto", "is a CA's (basic constraints)", csr, "issuing", &a_ca, &usual),
        ("reply-weak-crypto", "critical", csr, "issuing", &critical, &usual),
        ("reply-dates", "ends on", csr, "issuing", &good, &["-sha256", "-days", "3200"]),
    ];
    for (finding, words, request, issuer, extensions, more) in cases {
        ca.reply(request, issuer, "bad.pem", extensions, more);
        fs::copy(ca.folder.join("bad.pem"), inbox.join("bad.pem")).unwrap();
        guard(story, finding, words);
    }
    fs::remove_file(inbox.join("bad.pem")).unwrap();
    let junk = inbox.join(format!("{CVP}_wsm.cer"));
    fs::write(&junk, "<html>502 Bad Gateway</html>").unwrap();
    guard(story, "reply-encoding", "web page");
    fs::remove_file(junk).unwrap();
    // A blocked reply changes nothing, and apply goes on.
    let said = trustmason(&story.built, &["apply", Built::SPEC, "--auto-approve"]);
    assert_eq!(said.code, 5, "{}\n{}", said.stdout, said.stderr);
}
