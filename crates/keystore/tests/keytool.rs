//! keytool and JVMs as judges: they read what this crate writes, and show the same for every entry that an edit does
//! not touch.
//!
//! If `keytool` is missing, these tests are counted as skipped.

use crate::support;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::Command;

use rand_core::{TryCryptoRng, TryRng};
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use support::javas::{Keytool8, file};
use support::judge::Judge;
use support::{Dice, fixtures, open, parsed, read, text};
use trustmason_keystore::{
    Disposition, Edits, EntryId, Fingerprint, Format, Image, NewEntry, NewKey, Password, Protection, Store,
};
use zeroize::Zeroizing;

const PASSWORD: &str = "changeit";
const NOW: i64 = 1_795_000_000_000;

fn keytool(arguments: &[&str]) -> String {
    let output = Command::new("keytool").args(arguments).output().expect("keytool is needed here");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "keytool {arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn fixture(name: &str) -> PathBuf {
    fixtures().join("keystore").join(name).join("store")
}

fn certificate(host: &str) -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    CertificateParams::new([host.to_owned()]).unwrap().self_signed(&key).unwrap().der().to_vec()
}

fn identity(host: &str) -> (Zeroizing<Vec<u8>>, Vec<u8>) {
    let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let certificate = CertificateParams::new([host.to_owned()]).unwrap().self_signed(&key).unwrap();
    (Zeroizing::new(key.serialize_der()), certificate.der().to_vec())
}

fn at(store: &Store, alias: &str) -> EntryId {
    let found = store.find(&alias.into());
    assert_eq!(found.len(), 1, "{alias}");
    found[0]
}

fn write(store: &Store, edits: &Edits, password: &str, path: &Path) {
    let image = store.edit(edits, &Password::new(password), &mut Dice(7)).unwrap();
    let Image::File(bytes) = image else { panic!("a file") };
    std::fs::write(path, bytes).unwrap();
}

fn trusted(alias: &str, der: &[u8]) -> NewEntry {
    NewEntry::Trusted { alias: Some(alias.into()), certificate: parsed(der), created_ms: NOW }
}

/// A new private key entry for this host.
fn private_key(alias: &str, host: &str) -> NewEntry {
    let (key, leaf) = identity(host);
    NewEntry::PrivateKey {
        alias: Some(alias.into()),
        key: NewKey::Plain(key),
        chain: vec![parsed(&leaf)],
        created_ms: NOW,
    }
}

#[test]
fn judge_edits_leave_the_rest_as_it_was() {
    needs!(Jdk);
    let mut judge = Judge::start();
    let folder = tempfile::tempdir().unwrap();
    for kind in ["JKS", "JCEKS"] {
        let before_path = fixture(&format!("{}/mixed", kind.to_lowercase()));
        let before = judge.dump(kind, &before_path, &[PASSWORD, "otherpass"]);
        let store = open(&read(&before_path), Some(PASSWORD)).unwrap();
        let (key, leaf) = identity("new.fixture.example");
        let (fresh, fresh_leaf) = identity("rsa.fixture.example");
        let added = certificate("added.example");
        let mut edits = Edits::default();
        edits.disposition.insert(at(&store, "root"), Disposition::Rename("Renamed-Root".into()));
        let replace =
            Disposition::ReplaceKey { key: NewKey::Plain(fresh), chain: vec![parsed(&fresh_leaf)], created_ms: NOW };
        edits.disposition.insert(at(&store, "rsa"), replace);
        edits.add.push(trusted("Added-😀", &added));
        let new_key = NewEntry::PrivateKey {
            alias: Some("minted".into()),
            key: NewKey::Plain(key),
            chain: vec![parsed(&leaf), parsed(&added)],
            created_ms: NOW,
        };
        edits.add.push(new_key);
        let path = folder.path().join(kind);
        write(&store, &edits, PASSWORD, &path);
        let after = judge.dump(kind, &path, &[PASSWORD, "otherpass"]);

        for (alias, entry) in &before {
            match alias.as_str() {
                "root" => {
                    let mut renamed = after["renamed-root"].clone();
                    renamed["alias"] = "root".into();
                    assert_eq!(&renamed, entry);
                }
                "rsa" => {
                    let replaced = &after["rsa"];
                    assert_ne!(replaced["key_sha256"], entry["key_sha256"]);
                    assert_eq!((&replaced["key_password"], &replaced["created_ms"]), (&0.into(), &NOW.into()));
                }
                _ => assert_eq!(&after[alias], entry, "{kind}: {alias} was not touched"),
            }
        }
        assert_eq!(after.len(), before.len() + 2);
        assert_eq!(after["added-😀"]["kind"], "trusted-certificate");
        let minted = &after["minted"];
        assert_eq!((&minted["key_algorithm"], &minted["key_password"]), (&"RSA".into(), &0.into()), "{minted}");
        assert_eq!(minted["certs"].as_array().unwrap().len(), 2);
        let listed = keytool(&["-list", "-keystore", path.to_str().unwrap(), "-storepass", PASSWORD]);
        assert!(listed.contains(&format!("contains {} entries", after.len())), "{listed}");
        // keytool itself exports the minted key, under the store's password.
        let p12 = folder.path().join(format!("{kind}.p12"));
        keytool(&[
            "-importkeystore",
            "-noprompt",
            "-srckeystore",
            path.to_str().unwrap(),
            "-srcstorepass",
            PASSWORD,
            "-srcalias",
            "minted",
            "-destkeystore",
            p12.to_str().unwrap(),
            "-deststorepass",
            PASSWORD,
        ]);
        let taken = judge.dump("PKCS12", &p12, &[PASSWORD]);
        assert_eq!(taken["minted"]["key_sha256"], minted["key_sha256"]);
    }
}

#[test]
fn judge_n_imports_are_n_keytool_imports() {
    needs!(Jdk);
    let mut judge = Judge::start();
    let folder = tempfile::tempdir().unwrap();
    let certificates: Vec<(String, Vec<u8>)> =
        (0..4).map(|n| (format!("Host{n}.Example"), certificate(&format!("host{n}.example")))).collect();
    for kind in ["JKS", "JCEKS"] {
        let original = fixture(&format!("{}/mixed", kind.to_lowercase()));
        let (ours, theirs) = (folder.path().join(format!("ours.{kind}")), folder.path().join(format!("theirs.{kind}")));
        std::fs::copy(&original, &theirs).unwrap();
        for (alias, der) in &certificates {
            let file = folder.path().join("certificate.der");
            std::fs::write(&file, der).unwrap();
            keytool(&[
                "-importcert",
                "-noprompt",
                "-alias",
                alias,
                "-file",
                file.to_str().unwrap(),
                "-keystore",
                theirs.to_str().unwrap(),
                "-storetype",
                kind,
                "-storepass",
                PASSWORD,
            ]);
        }
        let store = open(&read(&original), Some(PASSWORD)).unwrap();
        let add = certificates.iter().map(|(alias, der)| trusted(alias, der)).collect();
        write(&store, &Edits { add, ..Edits::default() }, PASSWORD, &ours);
        let (mut ours, mut theirs) =
            (judge.dump(kind, &ours, &[PASSWORD, "otherpass"]), judge.dump(kind, &theirs, &[PASSWORD, "otherpass"]));
        for (alias, _) in &certificates {
            for entries in [&mut ours, &mut theirs] {
                // Only the date of an import differs.
                entries.get_mut(&alias.to_lowercase()).unwrap()["created_ms"] = Value::Null;
            }
        }
        assert_eq!(ours, theirs, "{kind}");
    }
}

#[test]
fn judge_swapped_names_odd_aliases_and_odd_passwords() {
    needs!(Jdk);
    let mut judge = Judge::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    for (kind, format) in [("JKS", Format::Jks), ("JCEKS", Format::Jceks)] {
        let password = "pässwörd-日本-😀";
        let (a, b) = (certificate("a.example"), certificate("b.example"));
        let odd = ["nul\0byte", "\u{202e}gnp.exe", "zürich-日本-😀", "line\nbreak"];
        let mut add = vec![trusted("a", &a), trusted("b", &b)];
        add.extend(odd.iter().map(|alias| trusted(alias, &a)));
        write(&Store::create(format), &Edits { add, ..Edits::default() }, password, &path);
        let first = judge.dump(kind, &path, &[password]);
        assert_eq!(first.len(), 6);
        assert!(odd.iter().all(|alias| first.contains_key(*alias)), "{first:?}");
        let store = open(&read(&path), Some(password)).unwrap();
        let mut edits = Edits::default();
        edits.disposition.insert(at(&store, "a"), Disposition::Rename("b".into()));
        edits.disposition.insert(at(&store, "b"), Disposition::Rename("A".into()));
        write(&store, &edits, password, &path);
        let second = judge.dump(kind, &path, &[password]);
        assert_eq!((&second["a"]["certs"], &second["b"]["certs"]), (&first["b"]["certs"], &first["a"]["certs"]));
    }
}

#[test]
fn judge_version_1_and_a_password_outside_ascii_for_a_jks_key() {
    needs!(Jdk);
    let mut judge = Judge::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    for (kind, name) in [("JKS", "jks/version-1"), ("JCEKS", "jceks/version-1")] {
        let store = open(&read(fixture(name)), Some(PASSWORD)).unwrap();
        assert_eq!(store.version(), 1);
        let (key, leaf) = identity("one.example");
        let key = NewEntry::PrivateKey {
            alias: Some("k".into()),
            key: NewKey::Plain(key),
            chain: vec![parsed(&leaf)],
            created_ms: -1,
        };
        let edits = Edits { add: vec![trusted("c", &certificate("c.example")), key], ..Edits::default() };
        write(&store, &edits, PASSWORD, &path);
        assert_eq!(read(&path)[4..8], [0, 0, 0, 1]);
        let after = judge.dump(kind, &path, &[PASSWORD]);
        assert_eq!(
            (after["c"]["kind"].as_str(), after["k"]["created_ms"].as_i64()),
            (Some("trusted-certificate"), Some(-1))
        );
        assert_eq!(after["k"]["key_password"], 0);
    }
    let edits = Edits { add: vec![private_key("k", "two.example")], ..Edits::default() };
    write(&Store::create(Format::Jks), &edits, "ლ(ಠ益ಠლ)😀", &path);
    assert_eq!(judge.dump("JKS", &path, &["ლ(ಠ益ಠლ)😀"])["k"]["key_password"], 0);
}

/// Every JVM reads the new stores that this crate makes, in every format and protection.
#[test]
fn judge_new_stores_under_every_protection() {
    needs!(Jdk);
    let mut judge = Judge::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let new = [
        ("JKS", Store::create(Format::Jks)),
        ("JCEKS", Store::create(Format::Jceks)),
        ("PKCS12", Store::create_pkcs12(Protection::java8())),
        ("PKCS12", Store::create_pkcs12(Protection::modern())),
    ];
    for (kind, store) in new {
        let (key, leaf) = identity("minted.example");
        let (key_hash, root) = (hex(&Sha256::digest(&*key)), certificate("root.example"));
        let prints = [&leaf, &root].map(|der| Value::from(Fingerprint::of(der).to_string()));
        let minted = NewEntry::PrivateKey {
            alias: Some("minted".into()),
            key: NewKey::Plain(key),
            chain: vec![parsed(&leaf)],
            created_ms: NOW,
        };
        let edits = Edits { add: vec![trusted("root", &root), minted], ..Edits::default() };
        write(&store, &edits, PASSWORD, &path);
        let dump = judge.dump(kind, &path, &[PASSWORD]);
        assert_eq!(dump.len(), 2, "{kind}: {dump:?}");
        let (minted, root) = (&dump["minted"], &dump["root"]);
        assert_eq!((&minted["kind"], &root["kind"]), (&"private-key".into(), &"trusted-certificate".into()), "{kind}");
        assert_eq!([&minted["certs"][0], &root["certs"][0]], [&prints[0], &prints[1]], "{kind}");
        assert_eq!((&minted["key_password"], &minted["created_ms"]), (&0.into(), &NOW.into()), "{kind}: {minted}");
        assert_eq!(minted["key_sha256"], key_hash, "{kind}");
        assert!(judge.try_dump(kind, &path, &["not this one"]).is_err(), "{kind} opens with any password");
    }
}

fn tlv(tag: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    let length = match u16::try_from(body.len()).unwrap().to_be_bytes() {
        [0, short @ 0..0x80] => vec![short],
        [0, low] => vec![0x81, low],
        [high, low] => vec![0x82, high, low],
    };
    [&[tag], &length[..], &body].concat()
}

/// An element with an indefinite length.
fn open_ended(tag: u8, body: &[&[u8]]) -> Vec<u8> {
    [&[tag, 0x80], &body.concat()[..], &[0, 0]].concat()
}

/// A PKCS#12 file without a MAC, as Bouncy Castle writes one: an empty part, then a part with a trusted certificate,
/// all of indefinite length.
fn of_bouncy_castle(alias: &str, der: &[u8]) -> Vec<u8> {
    const DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
    const CERT_BAG: &[u8] = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x03";
    const X509: &[u8] = b"\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x09\x16\x01";
    const NAME: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x14";
    const TRUSTED: &[u8] = b"\x06\x0c\x60\x86\x48\x01\x86\xf9\x66\xad\xca\x7b\x01\x01";
    const ANY_USE: &[u8] = b"\x06\x04\x55\x1d\x25\x00";
    let name: Vec<u8> = alias.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let value = tlv(0x30, &[X509, &tlv(0xa0, &[&tlv(0x04, &[der])])]);
    let attributes =
        [tlv(0x30, &[NAME, &tlv(0x31, &[&tlv(0x1e, &[&name])])]), tlv(0x30, &[TRUSTED, &tlv(0x31, &[ANY_USE])])];
    let bag = tlv(0x30, &[CERT_BAG, &tlv(0xa0, &[&value]), &tlv(0x31, &[&attributes[0], &attributes[1]])]);
    let part = |text: &[u8]| open_ended(0x30, &[DATA, &open_ended(0xa0, &[&tlv(0x04, &[text])])]);
    let safe = open_ended(0x30, &[&part(&tlv(0x30, &[])), &part(&tlv(0x30, &[&bag]))]);
    open_ended(0x30, &[&[2, 1, 3], &part(&safe)])
}

/// An edited file in BER: every JVM sees the old and the new entries. Java 8 once saw nothing after a part that had
/// kept its indefinite length.
#[test]
fn judge_edits_of_ber() {
    needs!(Jdk);
    let mut judge = Judge::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    std::fs::write(&path, of_bouncy_castle("there", &certificate("there.example"))).unwrap();
    let before = judge.dump("PKCS12", &path, &[PASSWORD]);
    assert_eq!(before.keys().collect::<Vec<_>>(), ["there"]);
    let store = open(&read(&path), Some(PASSWORD)).unwrap();
    let edits = Edits { add: vec![trusted("added", &certificate("added.example"))], ..Edits::default() };
    write(&store, &edits, PASSWORD, &path);
    let mut after = judge.dump("PKCS12", &path, &[PASSWORD]);
    assert!(after.remove("added").is_some(), "{after:?}");
    assert_eq!(after, before);
}

/// Stores of the products' own keytool are edited here, and read again by this keytool and by every JVM.
#[test]
fn judge_what_keytool_of_java_8_makes() {
    needs!(Jdk, Java8);
    let mut judge = Judge::start();
    let keytool8 = Keytool8::find();
    let strong = [
        "-Dkeystore.pkcs12.certProtectionAlgorithm=PBEWithHmacSHA256AndAES_256",
        "-Dkeystore.pkcs12.keyProtectionAlgorithm=PBEWithHmacSHA256AndAES_256",
        "-Dkeystore.pkcs12.macAlgorithm=HmacPBESHA256",
    ];
    let made: [(&str, &[&str], &str); 4] =
        [("JKS", &[], ""), ("JCEKS", &[], ""), ("PKCS12", &[], "RC2-40 with SHA-1"), ("PKCS12", &strong, "AES-256")];
    std::fs::write(keytool8.path("root.cer"), certificate("root.example")).unwrap();
    for (number, (kind, properties, protection)) in made.into_iter().enumerate() {
        let name = format!("{number}.store");
        let keytool = |edit: &str, more: &[&str]| {
            let file = format!("@{name}");
            let store = [edit, "-storetype", kind, "-keystore", &file, "-storepass:env", "JUDGE_STORE"];
            keytool8.run(properties, &[&store[..], more].concat(), PASSWORD)
        };
        let subject = ["-dname", "CN=eight.example", "-alias", "Made", "-keyalg", "RSA", "-keysize", "2048"];
        keytool("-genkeypair", &[&subject[..], &["-keypass:env", "JUDGE_STORE"]].concat());
        keytool("-importcert", &["-noprompt", "-alias", "root", "-file", "@root.cer"]);
        let path = keytool8.path(&name);
        let before = judge.dump(kind, &path, &[PASSWORD]);
        assert_eq!((before.len(), &before["made"]["key_password"]), (2, &0.into()), "{kind}: {before:?}");
        let store = open(&read(&path), Some(PASSWORD)).unwrap();
        let protected = store.protected_by().unwrap_or_default();
        assert!(protected.contains(protection), "{kind}: {protected}");

        let (key, leaf) = identity("minted.example");
        let (fresh, fresh_leaf) = identity("eight.example");
        let mut edits = Edits::default();
        let replace =
            Disposition::ReplaceKey { key: NewKey::Plain(fresh), chain: vec![parsed(&fresh_leaf)], created_ms: NOW };
        edits.disposition.insert(at(&store, "made"), replace);
        edits.add.push(trusted("added", &certificate("added.example")));
        edits.add.push(NewEntry::PrivateKey {
            alias: Some("minted".into()),
            key: NewKey::Plain(key),
            chain: vec![parsed(&leaf)],
            created_ms: NOW,
        });
        write(&store, &edits, PASSWORD, &path);
        assert_eq!(open(&read(&path), Some(PASSWORD)).unwrap().protected_by().unwrap_or_default(), protected, "{kind}");
        let after = judge.dump(kind, &path, &[PASSWORD]);
        assert_eq!((after.len(), &after["root"]), (4, &before["root"]), "{kind}: {after:?}");
        assert_ne!(after["made"]["key_sha256"], before["made"]["key_sha256"], "{kind}");
        let listed = keytool("-list", &[]);
        assert!(listed.contains("contains 4 entries"), "{kind}: {listed}");
        // keytool signs with both keys, because a certificate request is signed by its own key.
        for alias in ["made", "minted"] {
            let request = keytool("-certreq", &["-alias", alias, "-keypass:env", "JUDGE_STORE"]);
            assert!(request.contains("BEGIN NEW CERTIFICATE REQUEST"), "{kind}: {request}");
        }
    }
}

/// Gives the same four bytes again and again, so that both halves of a salt are equal.
struct Equal(u8);

impl TryRng for Equal {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for byte in out {
            *byte = 0x11 * (self.0 % 4 + 1);
            self.0 += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for Equal {}

#[test]
fn judge_a_salt_of_equal_halves_is_never_written() {
    needs!(Jdk);
    let mut judge = Judge::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let edits = Edits { add: vec![private_key("k", "salt.example")], ..Edits::default() };
    let image = Store::create(Format::Jceks).edit(&edits, &Password::new(PASSWORD), &mut Equal(0)).unwrap();
    let Image::File(bytes) = image else { panic!("a file") };
    let salt = [0x11, 0x22, 0x33, 0x44, 0x11, 0x22, 0x33, 0x44];
    assert!(!bytes.windows(8).any(|window| window == salt), "old and new JDKs disagree about such a salt");
    assert!(bytes.windows(7).any(|window| window == &salt[..7]), "the random source offered it");
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(judge.dump("JCEKS", &path, &[PASSWORD])["k"]["key_password"], 0);
    let store = open(&bytes, Some(PASSWORD)).unwrap();
    assert!(store.open_key(at(&store, "k"), &Password::new(PASSWORD)).is_ok());
}

/// The cases in which the releases up to 11 differ from the table, and why.
const UP_TO_11: &[(&str, &str, &str)] = &[
    ("ed25519-short", "loads", "Ed25519 came with Java 15; such a key is left unread"),
    ("outer-length-long", "refuses", "they take no length in more bytes than it needs"),
];

#[test]
fn judge_what_a_jvm_refuses() {
    needs!(Jdk);
    let mut judge = Judge::start();
    let mut wrong = Vec::new();
    for line in text(fixtures().join("keystore/der/jvm.tsv")).lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let der: Vec<u8> =
            (0..cells[2].len()).step_by(2).map(|at| u8::from_str_radix(&cells[2][at..at + 2], 16).unwrap()).collect();
        for answer in judge.each(&["loads", &file(&der)]) {
            let verdict = match (answer.said["ok"].as_bool(), answer.said["same"].as_bool()) {
                (Some(true), Some(true)) => "loads",
                (Some(true), _) => "re-encodes",
                _ => "refuses",
            };
            let older = UP_TO_11.iter().find(|(name, _, _)| *name == cells[0] && answer.release.number() <= 11);
            let meant = older.map_or(cells[1], |(_, verdict, _)| verdict);
            if verdict != meant {
                wrong.push(format!("{}: {verdict}, the table says {meant}: {answer:?}", cells[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// keytool makes no store with an empty password, but Java's `KeyStore` does. The JVMs open the stores that this crate
/// writes under one, with their keys.
#[test]
fn judge_stores_under_an_empty_password() {
    needs!(Jdk);
    let mut judge = Judge::start();
    let folder = tempfile::tempdir().unwrap();
    for (kind, format) in [("JKS", Format::Jks), ("JCEKS", Format::Jceks), ("PKCS12", Format::Pkcs12)] {
        let (key, leaf) = identity("empty.example");
        let minted = NewEntry::PrivateKey {
            alias: Some("minted".into()),
            key: NewKey::Plain(key),
            chain: vec![parsed(&leaf)],
            created_ms: NOW,
        };
        let edits = Edits { add: vec![minted, trusted("root", &certificate("root.example"))], ..Edits::default() };
        let path = folder.path().join(kind);
        write(&Store::create(format), &edits, "", &path);
        let entries = judge.dump(kind, &path, &[""]);
        assert_eq!(entries.len(), 2, "{kind}");
        assert_eq!(entries["minted"]["key_password"], 0, "{kind}: {entries:?}");
        let again = open(&read(&path), Some("")).unwrap();
        let added = Edits { add: vec![trusted("more", &certificate("more.example"))], ..Edits::default() };
        write(&again, &added, "", &path);
        assert_eq!(judge.dump(kind, &path, &[""]).len(), 3, "{kind}");
        assert!(open(&read(&path), Some("changeit")).is_err(), "{kind}");
    }
}
