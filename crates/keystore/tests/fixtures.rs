//! Every fixture in `fixtures/keystore/<format>/<case>` reads as its verdict says. The scripts beside the fixtures make
//! both.

use crate::support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use support::{fixtures, read, text};
use trustmason_keystore::{
    Alias, Certificate, Credential, EntryKind, Interner, KeyMatch, Password, ReadError, Remark, Store, StoredAlias,
};

fn cases() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for format in [
        "jks",
        "jceks",
        "pem",
        "pem-dir",
        "der",
        "pkcs7",
        "pkcs12",
        "windows-sst",
        "windows-element",
        "windows-reg",
        "windows-hive",
    ] {
        for case in std::fs::read_dir(fixtures().join("keystore").join(format)).expect(format) {
            let case = case.unwrap().path();
            if case.is_dir() {
                found.push(case);
            }
        }
    }
    found.sort();
    assert!(found.len() > 50, "{}", found.len());
    found
}

fn open(case: &Path, password: &Password) -> Result<Store, ReadError> {
    let certificates = Interner::new();
    if case.join("store").exists() {
        return Store::open(read(case.join("store")), Credential::Password(password), &certificates);
    }
    let files = std::fs::read_dir(case.join("files")).unwrap().map(|file| {
        let file = file.unwrap();
        (file.file_name().into_string().unwrap(), read(file.path()))
    });
    Store::open_directory(files.collect(), &certificates)
}

fn remark_name(remark: &Remark) -> String {
    let debug = format!("{remark:?}");
    debug.split([' ', '(']).next().unwrap().to_owned()
}

#[test]
fn every_case_reads_as_its_verdict_says() {
    for case in cases() {
        let name = case.display();
        let verdict: Value = serde_json::from_str(&text(case.join("verdict.json"))).unwrap();
        let password = Password::new(verdict["password"].as_str().unwrap());
        let result = open(&case, &password);
        if let Some(class) = verdict.get("error") {
            let error = result.expect_err(&name.to_string());
            assert_eq!(error.class.as_str(), class.as_str().unwrap(), "{name}: {error}");
            assert!(!error.hint().is_empty() && !error.cause().is_empty(), "{name}");
            continue;
        }
        let store = result.unwrap_or_else(|error| panic!("{name}: {error}"));
        let format = case.parent().unwrap().file_name().unwrap().to_str().unwrap();
        assert_eq!(store.format().as_str(), format, "{name}");
        let mut remarks: Vec<String> = store.remarks().iter().map(remark_name).collect();
        remarks.sort();
        let wanted: Vec<&str> =
            verdict["remarks"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(remarks, wanted, "{name}");
        let mut entries: Vec<_> = store.entries().iter().collect();
        if verdict.get("said_by").is_some() {
            // A JVM does not list entries in the order of the file.
            entries.sort_by(|a, b| {
                let utf16 =
                    |alias: &Option<StoredAlias>| alias.as_ref().map(|alias| alias.encode_utf16().collect::<Vec<_>>());
                utf16(&a.alias).cmp(&utf16(&b.alias))
            });
        }
        let wanted = verdict["entries"].as_array().unwrap();
        assert_eq!(entries.len(), wanted.len(), "{name}");
        for (entry, wanted) in entries.iter().zip(wanted) {
            let at = format!("{name}: {:?}", entry.alias);
            // A JVM folds the aliases of a PKCS#12 file when it loads them; this crate keeps them as the file holds
            // them.
            let alias = entry.alias.as_deref();
            let folded = entry.alias.as_ref().map(StoredAlias::fold);
            let alias = if format == "pkcs12" { folded.as_ref().map(Alias::as_str) } else { alias };
            assert_eq!(alias, wanted["alias"].as_str(), "{at}");
            assert_eq!(entry.kind.as_str(), wanted["kind"].as_str().unwrap(), "{at}");
            assert_eq!(entry.created_ms, wanted["created_ms"].as_i64(), "{at}");
            let prints: Vec<String> = entry.certificates().iter().map(|slot| slot.fingerprint().to_string()).collect();
            let certs = wanted["certs"].as_array().unwrap();
            assert_eq!(prints, certs.iter().map(|print| print.as_str().unwrap()).collect::<Vec<_>>(), "{at}");
            if matches!(entry.kind, EntryKind::PrivateKey { .. }) {
                let key_password = match wanted["key_password"].as_u64().unwrap() {
                    0 => password.clone(),
                    index => {
                        let text = &verdict["key_passwords"][usize::try_from(index).unwrap() - 1];
                        Password::new(text.as_str().unwrap())
                    }
                };
                let key = store.open_key(entry.id, &key_password).unwrap_or_else(|error| panic!("{at}: {error}"));
                let digest: String = Sha256::digest(&*key.pkcs8).iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(digest, wanted["key_sha256"].as_str().unwrap(), "{at}");
                assert_eq!(key.matches_certificate, KeyMatch::Yes, "{at}");
                assert_eq!(key.algorithm.to_string(), wanted["key_algorithm"].as_str().unwrap(), "{at}");
            }
        }
    }
}

#[test]
fn what_a_jvm_refuses_is_known_before_it_is_written() {
    let mut judged = 0;
    for line in text(fixtures().join("keystore/der/jvm.tsv")).lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let (name, jvm, hex) = (cells[0], cells[1], cells[2]);
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let ours = match Certificate::parse(&bytes) {
            Ok(certificate) => match certificate.jvm_refusal() {
                Some(refusal) => {
                    assert!(!refusal.to_string().is_empty());
                    "refuses"
                }
                None => "loads",
            },
            Err(error) if error.is_not_canonical() => "re-encodes",
            Err(error) if error.jvm_loads() => "loads",
            Err(_) => "refuses",
        };
        assert_eq!(ours, jvm, "{name}: {:?}", Certificate::parse(&bytes));
        judged += 1;
    }
    assert!(judged > 40, "{judged}");
}
