//! An estate whose stores are PKCS#12, under the old protection (Triple DES and RC2 with SHA-1) and the new one
//! (PBES2). The stores are made by `keytool -importkeystore`, or by trustmason if they do not exist. Trust and
//! identities are converged, a key is replaced, and a run is taken back. JVMs and openssl read every store.
#![cfg(unix)]

use crate::judge;

use std::fs;
use std::process::Command;

use judge::build::{Built, StoreAt, fresh};
use judge::craft;
use judge::jvm::{Held, Jvm, Listing};
use judge::services::Services;
use judge::tool::{acknowledge, climb, trustmason};

#[test]
fn judge_pkcs12_estate_converges_rotates_and_goes_back() {
    needs!(Jdk, Openssl, Python);
    let mut built = fresh("lab.yaml");
    everything_becomes_pkcs12(&mut built);
    let mut jvm = Jvm::start();
    let there = |store: &&StoreAt| store.path.exists();
    let before: Vec<(StoreAt, Listing)> =
        built.stores.iter().filter(there).map(|store| (store.clone(), jvm.dump(store, &[]))).collect();
    assert!(before.iter().all(|(_, listing)| !listing.is_empty()));

    climb(&built, &mut |path| jvm.certificate(path));
    let mut services = Services::start(&mut jvm, &built);
    assert!(services.at_once() > 0);
    assert_eq!(services.refused(&mut jvm), Vec::<String>::new(), "after the exchange");
    for (store, before) in &before {
        others_are_as_they_were(store, before, &jvm.dump(store, &[]));
    }
    for store in &built.stores {
        assert!(!jvm.dump(store, &[]).is_empty(), "{}", store.path.display());
        openssl_reads(store);
        is_protected_as_meant(store);
    }

    a_run_is_taken_back(&built);

    // A staged rotation: no call is refused at any moment.
    let keystore = built.store("cvpa.lab.example", "keystore");
    let old = jvm.dump(keystore, &[])["wsm_certificate"].clone();
    let scheme = protection(keystore);
    services.remember();
    let said = trustmason(&built, &["plan", Built::SPEC, "--replace", "cvpa.lab.example/wsm", "--out", "new.json"]);
    assert_eq!(said.code, 0, "{}\n{}", said.stdout, said.stderr);
    let said = trustmason(&built, &["apply", "--plan", "new.json"]);
    assert_eq!(said.code, 5, "{}\n{}", said.stdout, said.stderr);
    assert!(services.finish(&mut jvm, &built) > 1);
    services.old_ones_are_refused(&mut jvm, &["cvpa.lab.example/wsm"]);
    let new = jvm.dump(keystore, &[])["wsm_certificate"].clone();
    assert!(new.certificates != old.certificates && new.key != old.key);
    assert_eq!(jvm.opens(keystore, "wsm_certificate"), Ok(()));
    assert_eq!(protection(keystore), scheme, "the file is protected as it was");
    for store in &built.stores {
        jvm.dump(store, &[]);
        openssl_reads(store);
        is_protected_as_meant(store);
    }
}

/// The program that makes a store, and the protection it uses.
enum Maker {
    Keytool { old: bool },
    Trustmason { old: bool },
}

impl Maker {
    fn of(store: &StoreAt) -> Self {
        match store.host.as_str() {
            "awa.lab.example" | "cvprpt.lab.example" => Self::Keytool { old: false },
            "cvpa.lab.example" => Self::Keytool { old: true },
            "pga.lab.example" => Self::Trustmason { old: true },
            "rgra.lab.example" => Self::Trustmason { old: false },
            other => panic!("{other} is not in this table"),
        }
    }

    fn old(&self) -> bool {
        let (Self::Keytool { old } | Self::Trustmason { old }) = self;
        *old
    }
}

/// Checks with openssl that a store has the protection that its maker chose.
fn is_protected_as_meant(store: &StoreAt) {
    let said = protection(store).join("\n");
    let (old, new) = (said.contains("pbeWithSHA1And"), said.contains("PBES2"));
    let meant = Maker::of(store).old();
    assert_eq!((old, new), (meant, !meant), "{}: {said}", store.path.display());
    assert!(said.contains(if meant { "MAC: sha1" } else { "MAC: sha256" }), "{}: {said}", store.path.display());
}

/// Converts JKS and JCEKS stores to PKCS#12 with keytool, or deletes a store and lets trustmason create it.
fn everything_becomes_pkcs12(built: &mut Built) {
    let mut stores = String::from("\nstores:\n");
    for store in &mut built.stores {
        if let Maker::Trustmason { old } = Maker::of(store) {
            fs::remove_file(&store.path).unwrap();
            store.kind = "PKCS12";
            let scheme = if old { "java8" } else { "modern" };
            let line = format!("format: pkcs12, create: true, scheme: {scheme}");
            stores.push_str(&format!("  {}/{}: {{ {line} }}\n", store.host, store.name));
            continue;
        }
        let made = store.path.with_extension("converted");
        let mut convert = Command::new("keytool");
        if Maker::of(store).old() {
            convert.arg("-J-Dkeystore.pkcs12.legacy");
        }
        convert.args(["-importkeystore", "-noprompt", "-srcstoretype", store.kind, "-srckeystore"]).arg(&store.path);
        convert.args(["-srcstorepass:env", "JUDGE_STORE", "-deststoretype", "PKCS12", "-destkeystore"]).arg(&made);
        convert.args(["-deststorepass:env", "JUDGE_STORE"]).env("JUDGE_STORE", &store.password);
        craft::run(&mut convert);
        fs::rename(&made, &store.path).unwrap();
        store.kind = "PKCS12";
        stores.push_str(&format!("  {}/{}: {{ format: pkcs12 }}\n", store.host, store.name));
    }
    let spec = built.root.join(Built::SPEC);
    let text = fs::read_to_string(&spec).unwrap() + &stores;
    fs::write(&spec, text).unwrap();
}

/// Checks that all other entries are unchanged in the Java API.
fn others_are_as_they_were(store: &StoreAt, before: &Listing, after: &Listing) {
    // Certificates in a PKCS#12 file have no date, so a JVM invents one.
    let dateless = |held: &Held| Held { created: None, ..held.clone() };
    let same = |alias: &str, was: &Held| after.get(alias).is_some_and(|is| dateless(is) == dateless(was));
    let anew: Vec<&String> = before.iter().filter(|(alias, was)| !same(alias, was)).map(|(alias, _)| alias).collect();
    // Some of the installer's keys are unfit, and are replaced under their own aliases.
    assert!(anew.iter().all(|alias| alias.ends_with("_certificate")), "{}: {anew:?}", store.path.display());
}

/// Checks that openssl accepts the MAC and finds as many certificates as the file has.
fn openssl_reads(store: &StoreAt) {
    let mut read = Command::new("openssl");
    read.args(["pkcs12", "-legacy", "-nokeys", "-passin", "env:JUDGE_STORE", "-in"]).arg(&store.path);
    let said = craft::run(read.env("JUDGE_STORE", &store.password));
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(text.contains("-----BEGIN CERTIFICATE-----"), "{}: {text}", store.path.display());
}

/// The protection of the file as openssl describes it.
fn protection(store: &StoreAt) -> Vec<String> {
    let mut read = Command::new("openssl");
    read.args(["pkcs12", "-legacy", "-info", "-noout", "-passin", "env:JUDGE_STORE", "-in"]).arg(&store.path);
    let said = craft::run(read.env("JUDGE_STORE", &store.password));
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    let lines: Vec<String> = text.lines().filter(|line| line.contains("teration")).map(str::to_owned).collect();
    assert!(lines.len() >= 2, "{text}");
    lines
}

/// Somebody deletes a trusted certificate, apply imports it again, and rollback restores the old bytes.
fn a_run_is_taken_back(built: &Built) {
    let store = built.store("awa.lab.example", "cacerts");
    let wanted = built
        .wanted_trust
        .iter()
        .find(|wanted| wanted.truster == "awa.lab.example" && wanted.host == "cvpa.lab.example");
    let alias = wanted.and_then(|wanted| wanted.alias.clone()).expect("document 003 gives it an alias");
    let mut delete = Command::new("keytool");
    delete.args(["-delete", "-alias", &alias, "-storetype", "PKCS12", "-keystore"]).arg(&store.path);
    craft::run(delete.args(["-storepass:env", "JUDGE_STORE"]).env("JUDGE_STORE", &store.password));
    let without = fs::read(&store.path).unwrap();
    let said = trustmason(built, &["apply", Built::SPEC, "--auto-approve"]);
    assert!([0, 5].contains(&said.code) && said.stdout.contains("1 store written"), "{}\n{}", said.stdout, said.stderr);
    let with = fs::read(&store.path).unwrap();
    assert_ne!(with, without);
    let said = trustmason(built, &["rollback", Built::SPEC, "--auto-approve"]);
    assert!([0, 5].contains(&said.code), "{}\n{}", said.stdout, said.stderr);
    assert_eq!(fs::read(&store.path).unwrap(), without, "rollback puts the very bytes back");
    let said = trustmason(built, &["apply", Built::SPEC, "--auto-approve"]);
    assert!([0, 5].contains(&said.code), "{}\n{}", said.stdout, said.stderr);
    acknowledge(built, "*");
}
