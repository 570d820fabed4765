//! The stores of the corpus with their passwords, and new certificates and keys for edits. The module never changes the
//! corpus.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::Value;
use trustmason_keystore::{Certificate, NewKey};
use zeroize::Zeroizing;

use super::{parsed, text};

/// The certificates and keys that the edits add.
pub struct Material {
    pub imported: Vec<u8>,
    pub replacement: Vec<u8>,
    pub key: Zeroizing<Vec<u8>>,
    pub chain: Vec<Arc<Certificate>>,
}

impl Material {
    pub fn new() -> Self {
        let lone = |host: &str| {
            let key = KeyPair::generate().unwrap();
            CertificateParams::new([host.to_owned()]).unwrap().self_signed(&key).unwrap().der().to_vec()
        };
        let named = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let root_key = KeyPair::generate().unwrap();
        let mut root = named("Matrix Root");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_der = root.self_signed(&root_key).unwrap().der().to_vec();
        let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        let leaf = named("minted.example").signed_by(&key, &Issuer::new(root, root_key)).unwrap();
        Self {
            imported: lone("imported.example"),
            replacement: lone("replacement.example"),
            key: Zeroizing::new(key.serialize_der()),
            chain: vec![parsed(leaf.der()), parsed(&root_der)],
        }
    }

    pub fn new_key(&self) -> NewKey {
        NewKey::Plain(self.key.clone())
    }

    pub fn prints(&self) -> Vec<String> {
        self.chain.iter().map(|one| one.fingerprint().to_string()).collect()
    }
}

/// A store of the corpus.
pub struct Case {
    pub name: String,
    pub kind: String,
    pub password: String,
    /// The password of the store, then the own passwords of its keys.
    pub java: Vec<String>,
}

pub fn cases(corpus: &Path, kinds: &[&str]) -> Vec<Case> {
    let mut java = BTreeMap::new();
    for line in text(corpus.join("expected.jsonl")).lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        java.insert(value["file"].as_str().unwrap().to_owned(), value);
    }
    let mut cases = Vec::new();
    for line in text(corpus.join("expected.tsv")).lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        if !kinds.contains(&cells[1]) {
            continue;
        }
        let password = cells[2].trim_matches('"').to_owned();
        let expected = java.get(cells[0]);
        let store_password = expected.and_then(|java| java["password"].as_str()).unwrap_or(&password).to_owned();
        let mut passwords = vec![store_password];
        for entry in expected.and_then(|java| java["entries"].as_array()).into_iter().flatten() {
            if let Some(own) = entry["key_password"].as_str()
                && !passwords.iter().any(|known| known == own)
            {
                passwords.push(own.to_owned());
            }
        }
        cases.push(Case { name: cells[0].to_owned(), kind: cells[1].to_owned(), password, java: passwords });
    }
    cases
}
