//! The parts that the integration tests share: the corpus, a repeatable source of random bytes, and short functions for
//! frequent steps.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests read files and fail loudly; each test binary uses a part of this module"
)]

pub mod cases;
#[path = "../../../../fixtures/dice.rs"]
mod dice;
#[path = "../../../../fixtures/judge/javas.rs"]
pub mod javas;
pub mod judge;
pub mod tools;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use dice::Dice;
use trustmason_keystore::{Certificate, CertificateSlot, Credential, EntryKind, Interner, Password, ReadError, Store};

/// The corpus folder, for a test that has asked for `Corpus`. A broken corpus fails the test.
pub fn corpus() -> PathBuf {
    let folder = PathBuf::from(std::env::var_os("TRUSTMASON_CORPUS").expect("the test asked for the corpus"));
    for part in ["files", "expected.jsonl", "expected.tsv", "mutate.py"] {
        assert!(folder.join(part).exists(), "TRUSTMASON_CORPUS={} has no {part}", folder.display());
    }
    folder
}

/// The folder of the repository's fixtures.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

pub fn read(path: impl AsRef<Path>) -> Vec<u8> {
    let path = path.as_ref();
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A certificate for an edit to write.
pub fn parsed(der: &[u8]) -> Arc<Certificate> {
    Arc::new(Certificate::parse(der).unwrap())
}

pub fn text(path: impl AsRef<Path>) -> String {
    String::from_utf8(read(path)).expect("UTF-8")
}

/// file → (what this crate reads, why it differs).
pub fn differences() -> BTreeMap<String, (String, String)> {
    let table = text(fixtures().join("keystore/differences.tsv"));
    let row = |line: &str| {
        let mut cells = line.split('\t').map(str::to_owned);
        let row = (cells.next().unwrap(), (cells.next().expect("ours"), cells.next().expect("why")));
        assert!(row.1.1.len() > 20, "{line}: a reason is needed");
        row
    };
    table.lines().skip(1).map(row).collect()
}

/// Opens a store with a password, or without one.
pub fn open(bytes: &[u8], password: Option<&str>) -> Result<Store, ReadError> {
    let password = password.map(Password::new);
    let credential = password.as_ref().map_or(Credential::Withheld, Credential::Password);
    Store::open(bytes.to_vec(), credential, &Interner::new())
}

/// The words of the JVM for the kinds of entries.
pub fn java_kind(kind: &EntryKind) -> &'static str {
    match kind {
        EntryKind::Trusted(_) => "trustedCertEntry",
        EntryKind::PrivateKey { .. } => "PrivateKeyEntry",
        EntryKind::SecretKey => "SecretKeyEntry",
        EntryKind::Untrusted(_) => "untrusted",
        EntryKind::Opaque(_) => "opaque",
    }
}

/// A store or its refusal in one line: `ok alias:kind …` in alphabetical order, or `error class`.
pub fn summary(result: &Result<Store, ReadError>) -> String {
    match result {
        Ok(store) => {
            let mut words: Vec<String> = store
                .entries()
                .iter()
                .map(|entry| {
                    let broken = entry.certificates().iter().any(|slot| matches!(slot, CertificateSlot::Unparsed(_)));
                    let alias = entry.alias.as_deref().unwrap_or("-");
                    format!("{alias}:{}{}", java_kind(&entry.kind), if broken { "!" } else { "" })
                })
                .collect();
            words.sort();
            format!("ok {}", words.join(" "))
        }
        Err(error) => format!("error {}", error.class.as_str()),
    }
}
