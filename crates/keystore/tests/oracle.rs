//! The crate p12-keystore, an independent implementation, as the oracle. For PKCS#12 files of the corpus and for files
//! written here, it reads what this crate reads, or differs for a reason that `fixtures/keystore/oracle.tsv` contains.

use crate::support;

use std::collections::BTreeMap;
use std::sync::Arc;

use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use support::{Dice, corpus, fixtures, open, parsed, read, text};
use trustmason_keystore::{
    Alias, Edits, EntryKind, Fingerprint, Image, NewEntry, NewKey, Password, Protection, Remark, Store,
};
use zeroize::Zeroizing;

/// An entry in a form that both can express: alias, kind, certificates in chain order, key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    alias: String,
    kind: &'static str,
    certificates: Vec<String>,
    key: Option<String>,
}

impl Row {
    fn short(&self) -> String {
        format!("{}:{}:{}", self.alias, self.kind, self.certificates.len())
    }
}

fn short(rows: &Result<Vec<Row>, String>) -> String {
    match rows {
        Ok(rows) => format!("ok {}", rows.iter().map(Row::short).collect::<Vec<_>>().join(" ")).trim_end().to_owned(),
        Err(error) => format!("error {}", error.replace(['\n', '\t'], " ")),
    }
}

fn print(bytes: &[u8]) -> String {
    Fingerprint::of(bytes).to_string()
}

/// The entries that the oracle reads.
fn oracle(bytes: &[u8], password: &str) -> Result<Vec<Row>, String> {
    let store =
        KeyStore::from_pkcs12(bytes, password, Pkcs12ImportPolicy::Strict).map_err(|error| error.to_string())?;
    let row = |(alias, entry): (&String, &KeyStoreEntry)| {
        let (kind, certificates, key) = match entry {
            KeyStoreEntry::Certificate(certificate) => ("trusted-certificate", vec![print(certificate.as_der())], None),
            KeyStoreEntry::PrivateKeyChain(chain) => (
                "private-key",
                chain.certs().iter().map(|certificate| print(certificate.as_der())).collect(),
                Some(print(chain.key().as_der())),
            ),
            KeyStoreEntry::Secret(_) => ("secret-key", Vec::new(), None),
        };
        Row { alias: Alias::of(alias).to_string(), kind, certificates, key }
    };
    let mut rows: Vec<Row> = store.entries().map(row).collect();
    rows.sort();
    Ok(rows)
}

/// The entries that this crate reads, without those that no JVM shows, because the oracle also leaves them out.
fn ours(store: &Store, password: &str) -> Vec<Row> {
    let hidden =
        |id| store.remarks().iter().any(|remark| matches!(remark, Remark::HiddenKey { entry, .. } if *entry == id));
    let mut rows: Vec<Row> = Vec::new();
    for entry in store.entries() {
        if matches!(entry.kind, EntryKind::Untrusted(_) | EntryKind::Opaque(_)) || hidden(entry.id) {
            continue;
        }
        let key = store.open_key(entry.id, &Password::new(password)).ok().map(|key| print(&key.pkcs8));
        rows.push(Row {
            alias: Alias::of(entry.alias.as_deref().unwrap_or_default()).to_string(),
            kind: entry.kind.as_str(),
            certificates: entry.certificates().iter().map(|slot| slot.fingerprint().to_string()).collect(),
            key,
        });
    }
    rows.sort();
    rows
}

/// file → (what the oracle reads, why it differs).
fn table() -> BTreeMap<String, (String, String)> {
    let rows = text(fixtures().join("keystore/oracle.tsv"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        assert!(cells.len() == 3 && cells[2].len() > 20, "{line}: a reason is needed");
        (cells[0].to_owned(), (cells[1].to_owned(), cells[2].to_owned()))
    };
    rows.lines().skip(1).map(row).collect()
}

struct Material {
    trusted: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    chain: Vec<Arc<trustmason_keystore::Certificate>>,
}

fn material() -> Material {
    let named = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut root = named("Oracle Root");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_der = root.self_signed(&root_key).unwrap().der().to_vec();
    let leaf = named("leaf.example").signed_by(&key, &Issuer::new(root, root_key)).unwrap().der().to_vec();
    let trusted = named("trusted.example").self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
    Material { trusted, key: Zeroizing::new(key.serialize_der()), chain: vec![parsed(&leaf), parsed(&root_der)] }
}

fn additions(material: &Material) -> Edits {
    let trusted = NewEntry::Trusted {
        alias: Some("oracle-trusted".into()),
        certificate: parsed(&material.trusted),
        created_ms: 1,
    };
    let key = NewEntry::PrivateKey {
        alias: Some("oracle-key".into()),
        key: NewKey::Plain(material.key.clone()),
        chain: material.chain.clone(),
        created_ms: 1_700_000_000_000,
    };
    Edits { add: vec![trusted, key], ..Edits::default() }
}

fn apply(store: &Store, edits: &Edits, password: &str) -> Vec<u8> {
    match store.edit(edits, &Password::new(password), &mut Dice(3)).unwrap() {
        Image::File(bytes) => bytes,
        Image::Directory(_) => panic!("a file"),
    }
}

#[test]
fn the_oracle_reads_the_corpus_as_it_is_read_here() {
    needs!(Corpus);
    let corpus = corpus();
    let (table, material) = (table(), material());
    let (mut agreed, mut wrong, mut met) = (0, Vec::new(), 0);
    for line in text(corpus.join("expected.tsv")).lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let (name, password) = (cells[0], cells[2].trim_matches('"'));
        if cells[1] != "PKCS12" {
            continue;
        }
        let bytes = read(corpus.join("files").join(name));
        let store = open(&bytes, Some(password)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (theirs, ours_rows) = (oracle(&bytes, password), ours(&store, password));
        let same = theirs.as_ref() == Ok(&ours_rows);
        match table.get(name) {
            Some((listed, _)) => {
                met += 1;
                if same || short(&theirs) != *listed {
                    wrong.push(format!("{name}: the table is no longer true: {}", short(&theirs)));
                }
            }
            None if same => {
                agreed += 1;
                // A store with hundreds of thousands of rounds is read only once.
                if store.protected_by().is_some_and(|words| words.contains("00000 rounds")) {
                    continue;
                }
                // The oracle also agrees about the file after an edit.
                let next = apply(&store, &additions(&material), password);
                let after = open(&next, Some(password)).unwrap();
                let (theirs, rows) = (oracle(&next, password), ours(&after, password));
                if theirs.as_ref() != Ok(&rows) {
                    wrong.push(format!("{name} edited: {} / {}", short(&theirs), short(&Ok(rows))));
                }
            }
            None => wrong.push(format!(
                "{name}\t{}\there {}\n{theirs:?}\n{ours_rows:?}",
                short(&theirs),
                short(&Ok(ours_rows.clone()))
            )),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(agreed >= 40 && met == table.len(), "{agreed} agreed, {met} of {} rows met", table.len());
}

#[test]
fn the_oracle_reads_new_files() {
    let material = material();
    for protection in [Protection::java8(), Protection::modern()] {
        let bytes = apply(&Store::create_pkcs12(protection), &additions(&material), "changeit");
        let store = open(&bytes, Some("changeit")).unwrap();
        let rows = ours(&store, "changeit");
        assert_eq!(oracle(&bytes, "changeit"), Ok(rows.clone()));
        assert_eq!(
            rows.iter().map(Row::short).collect::<Vec<_>>(),
            ["oracle-key:private-key:2", "oracle-trusted:trusted-certificate:1"]
        );
        assert_eq!(rows[0].key, Some(print(&material.key)));
        assert!(oracle(&bytes, "not this one").is_err());
    }
}

#[test]
fn what_the_oracle_writes_is_read_here() {
    let material = material();
    let mut store = KeyStore::new();
    store.add_entry("trusted", KeyStoreEntry::Certificate(Certificate::from_der(&material.trusted).unwrap()));
    let bytes = store.writer("changeit").write().unwrap();
    let read = open(&bytes, Some("changeit")).unwrap();
    assert_eq!(oracle(&bytes, "changeit"), Ok(ours(&read, "changeit")));
    assert_eq!(ours(&read, "changeit").len(), 1);
}
