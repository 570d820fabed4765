//! The corpus of stores that real tools made. This crate reads every JKS, JCEKS, PEM, DER and PKCS#7 file as a JVM
//! does, or differs for a reason that `fixtures/keystore/differences.tsv` contains. Every other format is refused, and
//! the error names it.

use crate::support;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use support::{Dice, corpus, differences, open, read, summary, text};
use trustmason_keystore::{
    EditError, Edits, EntryKind, ErrorClass, Format, Image, KeyError, KeyMatch, Password, Remark, Store,
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The answer of the JVM, in the form of `support::summary`.
fn java_summary(expected: &Value) -> String {
    if expected.get("error").is_some() {
        return "error".to_owned();
    }
    let entries = expected["entries"].as_array().unwrap();
    let word = |entry: &Value| format!("{}:{}", entry["alias"].as_str().unwrap(), entry["entry"].as_str().unwrap());
    let mut words: Vec<String> = entries.iter().map(word).collect();
    words.sort();
    format!("ok {}", words.join(" "))
}

#[test]
fn jks_and_jceks_read_as_a_jvm_reads_them() {
    needs!(Corpus);
    let corpus = corpus();
    let differences = differences();
    let mut judged = 0;
    for line in text(corpus.join("expected.jsonl")).lines() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let name = expected["file"].as_str().unwrap();
        if !(name.ends_with(".jks") || name.ends_with(".jceks")) {
            continue;
        }
        judged += 1;
        let bytes = read(corpus.join("files").join(name));
        let password = match &expected["password"] {
            Value::Null if expected.get("error").is_none() => None,
            Value::Null => Some("changeit"),
            password => password.as_str(),
        };
        let result = open(&bytes, password);
        let (ours, java) = (summary(&result), java_summary(&expected));
        let mismatches = match &result {
            Ok(store) if ours == java => compare(store, &expected),
            _ if ours == java || (java == "error" && result.is_err()) => Vec::new(),
            _ => vec![format!("{ours}, a JVM: {java}")],
        };
        match differences.get(name) {
            Some((listed, _)) => {
                assert_eq!(&ours, listed, "{name}: the table says otherwise");
                assert!(!mismatches.is_empty(), "{name}: no longer a difference; drop the row");
            }
            None => assert!(mismatches.is_empty(), "{name}: {mismatches:#?}"),
        }
    }
    assert!(judged >= 40, "only {judged} stores were judged");
}

/// The differences between the entries and what the JVM says about them.
fn compare(store: &Store, expected: &Value) -> Vec<String> {
    let mut mismatches = Vec::new();
    for java in expected["entries"].as_array().unwrap() {
        let alias = java["alias"].as_str().unwrap();
        let entry = store.entries().iter().find(|entry| entry.alias.as_deref() == Some(alias)).unwrap();
        let mut check = |what: &str, same: bool| {
            if !same {
                mismatches.push(format!("{alias:?}: {what}"));
            }
        };
        check("date", entry.created_ms == java["created_ms"].as_i64());
        let ours: Vec<String> = entry.certificates().iter().map(|slot| slot.fingerprint().to_string()).collect();
        let theirs: Vec<&str> = java["certs"].as_array().unwrap().iter().map(|print| print.as_str().unwrap()).collect();
        check("certificates", ours == theirs);
        check(
            "a certificate that does not parse",
            entry.certificates().iter().all(|slot| slot.certificate().is_some()),
        );
        check("lookup", store.find(&alias.into()).contains(&entry.id));
        if let (EntryKind::PrivateKey { .. }, Some(password)) = (&entry.kind, java["key_password"].as_str()) {
            match store.open_key(entry.id, &Password::new(password)) {
                Ok(key) => {
                    check("key", Some(hex(&Sha256::digest(&*key.pkcs8)).as_str()) == java["key_sha256"].as_str());
                    let derivable = matches!(java["key_alg"].as_str().unwrap(), "RSA" | "EC" | "EdDSA");
                    let wanted = if derivable { KeyMatch::Yes } else { KeyMatch::CannotTell };
                    check("key and certificate", key.matches_certificate == wanted);
                }
                Err(error) => check(&format!("key: {error}"), false),
            }
            let wrong = store.open_key(entry.id, &Password::new("not this one")).err();
            check("wrong key password", wrong == Some(KeyError::WrongPassword));
        }
    }
    mismatches
}

#[test]
fn certificates_files_read_as_declared() {
    needs!(Corpus);
    let corpus = corpus();
    let differences = differences();
    let mut judged = 0;
    for line in text(corpus.join("expected.tsv")).lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let (name, kind, keytool) = (cells[0], cells[1], cells[7]);
        if !matches!(kind, "PEM" | "DER" | "PKCS7") {
            continue;
        }
        judged += 1;
        let result = open(&read(corpus.join("files").join(name)), None);
        let ours = match &result {
            Ok(store) => {
                let trusted =
                    store.entries().iter().filter(|entry| matches!(entry.kind, EntryKind::Trusted(_))).count();
                if kind == "PKCS7" {
                    assert_eq!(store.format(), Format::Pkcs7, "{name}");
                    let signed = |remark: &Remark| matches!(remark, Remark::SignedMessage { signers: 1, .. });
                    assert!(store.remarks().iter().all(signed), "{name}: {:?}", store.remarks());
                    assert_eq!(store.remarks().is_empty(), !name.ends_with(".p7m"), "{name}: {:?}", store.remarks());
                } else {
                    assert_eq!(store.remarks().is_empty(), keytool.starts_with("OK"), "{name}: {:?}", store.remarks());
                }
                assert!(store.entries().iter().all(|entry| entry.alias.is_none() && entry.created_ms.is_none()));
                format!("certs={trusted} other={}", store.entries().len() - trusted)
            }
            Err(error) => format!("error {}", error.class.as_str()),
        };
        match (keytool.strip_prefix("OK "), differences.get(name)) {
            (Some(theirs), None) => assert_eq!(ours, format!("{theirs} other=0"), "{name}"),
            (None, None) => assert!(ours.starts_with("error "), "{name}: {ours}"),
            (_, Some((listed, _))) => {
                assert_eq!(&ours, listed, "{name}: the table says otherwise");
                assert!(!ours.starts_with("error "), "{name}: no longer a difference");
            }
        }
    }
    assert!(judged >= 22, "only {judged} files were judged");
}

#[test]
fn other_formats_are_refused_by_name() {
    needs!(Corpus);
    let corpus = corpus();
    let mut judged = 0;
    for line in text(corpus.join("expected.tsv")).lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let (name, kind) = (cells[0], cells[1]);
        let format = match kind {
            "PKCS7" if name == "os-enveloped.p7m" => "pkcs7",
            "BKS" => "bks",
            "UBER" => "uber",
            "BCFKS" => "bcfks",
            _ => continue,
        };
        judged += 1;
        let error = open(&read(corpus.join("files").join(name)), Some("changeit")).expect_err(name);
        assert_eq!((error.class, error.format), (ErrorClass::Unsupported, Some(format)), "{name}: {error}");
        let word = match kind {
            "PKCS7" => "enveloped (encrypted)",
            kind => kind,
        };
        assert!(error.cause().contains(word), "{name}: {error}");
    }
    assert_eq!(judged, 4, "BKS, UBER, BCFKS and an enveloped message");
}

#[test]
fn an_edit_of_nothing_changes_nothing() {
    needs!(Corpus);
    let corpus = corpus();
    let mut same = 0;
    for line in text(corpus.join("expected.tsv")).lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let name = cells[0];
        let password = cells[2].trim_matches('"');
        let bytes = read(corpus.join("files").join(name));
        let Ok(store) = open(&bytes, Some(password)) else {
            continue;
        };
        match store.edit(&Edits::default(), &Password::new(password), &mut Dice(1)) {
            Ok(image) => {
                assert_eq!(image, Image::File(bytes), "{name}");
                same += 1;
            }
            Err(EditError::Unloadable { .. }) => {
                assert!(store.remarks().iter().any(Remark::is_jvm_unloadable), "{name}");
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
    assert!(same >= 55, "only {same} stores were written");
}

#[test]
fn a_wrong_password_is_told_from_damage() {
    needs!(Corpus);
    let corpus = corpus();
    let bytes = read(corpus.join("files/kt-mixed.jks"));
    let class = |bytes: &[u8], password| open(bytes, Some(password)).expect_err("refused").class;
    assert_eq!(class(&bytes, "wrong"), ErrorClass::WrongPassword);
    assert_eq!(class(&bytes[..bytes.len() - 1], "changeit"), ErrorClass::Corrupt);
    assert_eq!(class(&bytes[..bytes.len() / 2], "changeit"), ErrorClass::Corrupt);
    assert_eq!(class(&read(corpus.join("files/raw-nosig.jks")), "changeit"), ErrorClass::Corrupt);
    assert_eq!(class(&read(corpus.join("files/raw-v3.jks")), "changeit"), ErrorClass::Unsupported);
    assert_eq!(class(&read(corpus.join("files/raw-secret-tag.jks")), "changeit"), ErrorClass::Corrupt);
    assert_eq!(class(&read(corpus.join("files/zero.pem")), "changeit"), ErrorClass::NotAStore);
    let unverified = open(&bytes, None).unwrap();
    assert!(!unverified.verified());
    assert_eq!(unverified.remarks(), [Remark::Unverified]);
    let refused = unverified.edit(&Edits::default(), &Password::new("wrong"), &mut Dice(1));
    assert_eq!(refused, Err(EditError::WrongPassword));
}
