//! The PKCS#12 part of the corpus: this crate reads each file as a JVM does, or differs for a reason that
//! `fixtures/keystore/differences.tsv` contains.

use crate::support;

use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use support::{Dice, corpus, differences, java_kind, open, read, text};
use trustmason_keystore::{
    Alias, Credential, EditError, Edits, EntryKind, ErrorClass, Image, KeyError, KeyMatch, Password, Remark, Store,
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The password with which a file was made. If the JVM has no password for the file, it is that of openssl.
fn password(corpus: &Path, file: &str) -> String {
    let table = text(corpus.join("expected.tsv"));
    let row = table.lines().find(|line| line.split('\t').next() == Some(file)).expect(file);
    row.split('\t').nth(2).unwrap().trim_matches('"').to_owned()
}

/// The entries in one line, with aliases as a JVM folds them.
fn summary(store: &Store) -> String {
    let mut words: Vec<String> = store
        .entries()
        .iter()
        .map(|entry| format!("{}:{}", Alias::of(entry.alias.as_deref().unwrap_or("-")), java_kind(&entry.kind)))
        .collect();
    words.sort();
    words.join(" ")
}

fn java_summary(expected: &Value) -> String {
    let entries = expected["entries"].as_array().unwrap();
    let word = |entry: &Value| format!("{}:{}", entry["alias"].as_str().unwrap(), entry["entry"].as_str().unwrap());
    let mut words: Vec<String> = entries.iter().map(word).collect();
    words.sort();
    words.join(" ")
}

/// The differences between the entries and what the JVM says about them.
fn compare(store: &Store, expected: &Value) -> Vec<String> {
    let mut mismatches = Vec::new();
    for java in expected["entries"].as_array().unwrap() {
        let alias = java["alias"].as_str().unwrap();
        let found = store.find(&alias.into());
        let Some(entry) = found.last().and_then(|id| store.entry(*id)) else {
            mismatches.push(format!("{alias:?} is not found"));
            continue;
        };
        let mut check = |what: &str, same: bool| {
            if !same {
                mismatches.push(format!("{alias:?}: {what}"));
            }
        };
        // Only keys of the JDK have a date in the file. For all other entries a JVM gives the time of reading.
        if entry.created_ms.is_some() {
            check("date", entry.created_ms == java["created_ms"].as_i64());
        }
        let ours: Vec<String> = entry.certificates().iter().map(|slot| slot.fingerprint().to_string()).collect();
        let theirs: Vec<&str> = java["certs"].as_array().unwrap().iter().map(|print| print.as_str().unwrap()).collect();
        check("certificates", ours == theirs);
        if let (EntryKind::PrivateKey { .. }, Some(password)) = (&entry.kind, java["key_password"].as_str()) {
            match store.open_key(entry.id, &Password::new(password)) {
                Ok(key) => {
                    check("key", Some(hex(&Sha256::digest(&*key.pkcs8)).as_str()) == java["key_sha256"].as_str());
                    check("key and certificate", key.matches_certificate != KeyMatch::No);
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
fn pkcs12_reads_as_a_jvm_reads_it() {
    needs!(Corpus);
    let corpus = corpus();
    let differences = differences();
    let (mut judged, mut unlisted) = (0, Vec::new());
    for line in text(corpus.join("expected.jsonl")).lines() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let name = expected["file"].as_str().unwrap();
        if expected["type"] != "PKCS12" || expected.get("error").is_some() {
            continue;
        }
        judged += 1;
        let bytes = read(corpus.join("files").join(name));
        let password = password(&corpus, name);
        let store = open(&bytes, Some(&password)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((store.format().as_str(), store.version(), store.verified()), ("pkcs12", 3, true), "{name}");
        let (ours, java) = (summary(&store), java_summary(&expected));
        let mismatches = if ours == java { compare(&store, &expected) } else { vec![format!("{ours}, a JVM: {java}")] };
        match differences.get(name) {
            Some((listed, _)) => {
                assert_eq!(&ours, listed, "{name}: the table says otherwise");
                assert!(!mismatches.is_empty(), "{name}: no longer a difference; drop the row");
            }
            None if mismatches.is_empty() => {}
            None => unlisted.push(format!("{name}: {mismatches:#?}")),
        }
        for entry in store.entries() {
            assert!(store.raw(entry.id).is_some_and(|raw| !raw.is_empty()), "{name}");
        }
        // Without the password nothing is invented, and a remark says what is missing.
        let closed = open(&bytes, None).unwrap_or_else(|error| panic!("{name}: {error}"));
        let hidden = closed.remarks().iter().any(|remark| matches!(remark, Remark::ClosedPart { .. }));
        assert!(hidden || closed.entries().len() == store.entries().len(), "{name}");
        assert_eq!(closed.verified(), !Store::needs_password(&bytes), "{name}");
    }
    assert!(unlisted.is_empty(), "{}", unlisted.join("\n"));
    assert!(judged >= 60, "only {judged} stores were judged");
}

#[test]
fn an_edit_of_nothing_changes_nothing_and_a_wrong_password_nothing_at_all() {
    needs!(Corpus);
    let corpus = corpus();
    let mut judged = 0;
    for line in text(corpus.join("expected.jsonl")).lines() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let name = expected["file"].as_str().unwrap();
        if expected["type"] != "PKCS12" || expected.get("error").is_some() {
            continue;
        }
        let bytes = read(corpus.join("files").join(name));
        let password = Password::new(password(&corpus, name));
        let store = open(&bytes, Some(password.expose())).unwrap();
        let same = store.edit(&Edits::default(), &password, &mut Dice(1));
        assert_eq!(same, Ok(Image::File(bytes.clone())), "{name}");
        if !Store::needs_password(&bytes) {
            continue;
        }
        judged += 1;
        let error = open(&bytes, Some("not this one")).expect_err(name);
        assert_eq!(error.class, ErrorClass::WrongPassword, "{name}: {error}");
        let refused = store.edit(&Edits::default(), &Password::new("not this one"), &mut Dice(1));
        assert_eq!(refused, Err(EditError::WrongPassword), "{name}");
        assert_eq!(
            store.edit(&Edits::default(), Credential::NotNeeded, &mut Dice(1)),
            Err(EditError::PasswordNeeded { format: store.format() }),
            "{name}"
        );
    }
    assert!(judged >= 50, "only {judged} stores were judged");
}
