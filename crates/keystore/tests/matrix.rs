//! The edit matrix: every readable store of the corpus under every operation. This crate's own reader, a JVM, openssl
//! and NSS judge the result: to each of them, every entry that the edit does not name is afterwards what it was.
//!
//! If a judge is missing, these tests are counted as skipped.

use crate::extent::every;
use crate::support;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use support::cases::{Case, Material, cases};
use support::judge::Judge;
use support::tools::{Bags, Nss, nameless, openssl, openssl_count, without};
use support::{Dice, corpus, open, parsed, read};
use trustmason_keystore::{
    Alias, Disposition, EditError, Edits, Entry, EntryId, EntryKind, Fingerprint, Format, Image, NewEntry, Password,
    Store,
};

const NOW: i64 = 1_795_000_000_000;
const IMPORTED: &str = "matrix-imported";
const RENAMED: &str = "matrix-renamed";
const MINTED: &str = "matrix-minted";

/// From this number of rounds on, one reading takes seconds.
const HEAVY: u64 = 200_000;
/// The stores that no JVM loads, before the edit or after it, and why.
const NO_JVM: &[(&str, &str)] = &[("os-unipass.p12", "the JDK takes no password outside ASCII")];
/// The stores that openssl does not read before the edit, and why.
const NO_OPENSSL: &[(&str, &str)] = &[];
/// The stores that NSS does not read before the edit, and why.
const NO_NSS: &[(&str, &str)] = &[
    ("kt-cacerts18-b.p12", "NSS wants a MAC over the whole, and it has none"),
    ("kt-cacerts18.p12", "NSS wants a MAC over the whole, and it has none"),
    ("kt-nomac-enc.p12", "NSS wants a MAC over the whole, and it has none"),
    ("kt-nomac-plain.p12", "NSS wants a MAC over the whole, and it has none"),
    ("os-emptypass.p12", "pk12util takes an empty password for none"),
    ("os-nomac.p12", "NSS wants a MAC over the whole, and it has none"),
    ("os-plain-nomac.p12", "NSS wants a MAC over the whole, and it has none"),
    ("pyca-noenc.p12", "NSS wants a MAC over the whole, and it has none"),
];

/// One in this many operations is tried, and one in this many slow stores.
const NTH: usize = 7;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Import,
    Replace(EntryId),
    Rename(EntryId),
    Delete(EntryId),
    AddKey,
    ReplaceKey(EntryId),
}

fn folded(entry: &Entry) -> String {
    Alias::of(entry.alias.as_deref().unwrap_or_default()).to_string()
}

/// The operations for which the store has an entry.
fn operations(store: &Store) -> Vec<Operation> {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for entry in store.entries() {
        *count.entry(folded(entry)).or_default() += 1;
    }
    // An entry whose alias identifies it.
    let first = |wanted: &dyn Fn(&EntryKind) -> bool| {
        let plain = |entry: &&Entry| {
            let alias = entry.alias.as_ref();
            alias.is_some_and(|alias| alias.is_spelled(&alias.fold()) || store.format() == Format::Pkcs12)
                && count[&folded(entry)] == 1
                && wanted(&entry.kind)
        };
        store.entries().iter().find(plain).map(|entry| entry.id)
    };
    let trusted = first(&|kind| matches!(kind, EntryKind::Trusted(_)));
    let key = first(&|kind| matches!(kind, EntryKind::PrivateKey { .. }));
    let mut all = vec![Operation::Import, Operation::AddKey];
    if let Some(id) = trusted {
        all.extend([Operation::Replace(id), Operation::Rename(id), Operation::Delete(id)]);
    }
    if let Some(id) = key {
        all.extend([Operation::Rename(id), Operation::Delete(id), Operation::ReplaceKey(id)]);
    }
    all
}

impl Operation {
    /// The entry that the operation names.
    fn target(self) -> Option<EntryId> {
        match self {
            Self::Import | Self::AddKey => None,
            Self::Replace(id) | Self::Rename(id) | Self::Delete(id) | Self::ReplaceKey(id) => Some(id),
        }
    }

    fn edits(self, store: &Store, material: &Material) -> Edits {
        let trusted = |alias: &str, der: &[u8]| NewEntry::Trusted {
            alias: Some(alias.into()),
            certificate: parsed(der),
            created_ms: NOW,
        };
        let mut edits = Edits::default();
        match self {
            Self::Import => edits.add.push(trusted(IMPORTED, &material.imported)),
            Self::Replace(id) => {
                edits.disposition.insert(id, Disposition::Remove);
                edits.add.push(trusted(&folded(store.entry(id).unwrap()), &material.replacement));
            }
            Self::Rename(id) => {
                edits.disposition.insert(id, Disposition::Rename(RENAMED.into()));
            }
            Self::Delete(id) => {
                edits.disposition.insert(id, Disposition::Remove);
            }
            Self::AddKey => edits.add.push(NewEntry::PrivateKey {
                alias: Some(MINTED.into()),
                key: material.new_key(),
                chain: material.chain.clone(),
                created_ms: NOW,
            }),
            Self::ReplaceKey(id) => {
                let (key, chain) = (material.new_key(), material.chain.clone());
                edits.disposition.insert(id, Disposition::ReplaceKey { key, chain, created_ms: NOW });
            }
        }
        edits
    }
}

fn apply(store: &Store, edits: &Edits, password: &str) -> Result<Vec<u8>, EditError> {
    match store.edit(edits, &Password::new(password), &mut Dice(7))? {
        Image::File(bytes) => Ok(bytes),
        Image::Directory(_) => panic!("a file"),
    }
}

fn prints(entry: &Entry) -> Vec<String> {
    entry.certificates().iter().map(|slot| slot.fingerprint().to_string()).collect()
}

/// The largest number of rounds that any part of the store needs.
fn rounds(store: &Store) -> u64 {
    let words = store.protected_by().unwrap_or_default();
    let words: Vec<&str> = words.split([' ', ';']).collect();
    let counts = words.windows(2).filter(|pair| pair[1] == "rounds").map(|pair| pair[0].parse::<u64>().unwrap());
    counts.max().unwrap_or(0)
}

fn holds_certificates(store: &Store) -> bool {
    store.entries().iter().any(|entry| !entry.certificates().is_empty())
}

/// Judges by this crate's own reader: every entry that the edit does not name keeps its bytes, and the named one is as
/// the edit asks. Gives how many nameless entries got their number as a name.
fn judge_ourselves(at: &str, before: &Store, after: &Store, operation: Operation, material: &Material) -> usize {
    // A store without certificates may have had no scheme for certificates yet, only that of its MAC.
    let only_mac = before.protected_by().is_some_and(|words| words.starts_with("MAC ")) && !holds_certificates(before);
    let scheme = |store: &Store| {
        let words = store.protected_by()?;
        Some(if only_mac { words.split("; ").last()?.to_owned() } else { words })
    };
    assert_eq!(
        (after.format(), after.version(), after.verified(), scheme(after)),
        (before.format(), before.version(), true, scheme(before)),
        "{at}"
    );
    let target = operation.target();
    let new: BTreeSet<EntryId> = {
        let alias = target.and_then(|id| before.entry(id)).map(folded).unwrap_or_default();
        let names = match operation {
            Operation::Import => vec![IMPORTED.to_owned()],
            Operation::AddKey => vec![MINTED.to_owned()],
            Operation::Rename(_) => vec![RENAMED.to_owned()],
            Operation::Replace(_) | Operation::ReplaceKey(_) => vec![alias],
            Operation::Delete(_) => vec![],
        };
        let found: BTreeSet<EntryId> = names.iter().flat_map(|name| after.find(&name.as_str().into())).collect();
        assert_eq!(found.len(), names.len(), "{at}: {names:?}");
        found
    };
    let kept: Vec<&Entry> = before.entries().iter().filter(|entry| Some(entry.id) != target).collect();
    // A certificate that no JVM shows as an entry may become part of a new key's chain, or stay as such a part.
    let rest: Vec<&Entry> = after.entries().iter().filter(|entry| !new.contains(&entry.id)).collect();
    assert_eq!(rest.len(), kept.len(), "{at}: {rest:#?}");
    let mut pinned = 0;
    for (was, is) in kept.iter().zip(rest) {
        assert_eq!(
            (folded(was), was.created_ms, was.kind.as_str()),
            (folded(is), is.created_ms, is.kind.as_str()),
            "{at}"
        );
        assert!(prints(is).starts_with(&prints(was)), "{at}: {was:?} {is:?}");
        if before.is_named(was.id) == after.is_named(is.id) {
            assert!(before.raw(was.id) == after.raw(is.id), "{at}: the bytes of {was:?} changed");
        } else {
            pinned += 1;
        }
    }
    for id in new {
        let entry = after.entry(id).unwrap();
        match operation {
            Operation::Import => assert_eq!(prints(entry), [Fingerprint::of(&material.imported).to_string()], "{at}"),
            Operation::Replace(_) => {
                assert_eq!(prints(entry), [Fingerprint::of(&material.replacement).to_string()], "{at}");
            }
            Operation::AddKey | Operation::ReplaceKey(_) => {
                assert_eq!((prints(entry), entry.created_ms), (material.prints(), Some(NOW)), "{at}");
            }
            Operation::Rename(id) => {
                let was = before.entry(id).unwrap();
                assert_eq!(
                    (prints(entry), entry.created_ms, entry.kind.as_str()),
                    (prints(was), was.created_ms, was.kind.as_str()),
                    "{at}"
                );
                let sealed = |store: &Store, id| store.sealed_key(id).map(|_| store.raw(id).map(<[u8]>::len));
                assert_eq!(sealed(after, entry.id).is_some(), sealed(before, id).is_some(), "{at}");
            }
            Operation::Delete(_) => {}
        }
    }
    pinned
}

type Dump = BTreeMap<String, Value>;

/// Removes dates that Java invents for entries without a date in the file.
fn undated(store: &Store, mut dump: Dump) -> Dump {
    for entry in dump.values_mut() {
        let dated = store
            .find(&entry["alias"].as_str().unwrap().into())
            .iter()
            .any(|id| store.entry(*id).is_some_and(|e| e.created_ms.is_some()));
        if store.format() == Format::Pkcs12 && !dated {
            entry["created_ms"] = Value::Null;
        }
    }
    dump
}

/// Whether `is` equals `was`, except that the chain of a key may have grown at its end.
fn same_but_longer(was: &Value, is: &Value) -> bool {
    let certs = |value: &Value| value["certs"].as_array().cloned().unwrap_or_default();
    let mut shorter = is.clone();
    shorter["certs"] = was["certs"].clone();
    shorter == *was && certs(is).starts_with(&certs(was))
}

fn judge_by_jvm(at: &str, before: &Store, was: &Dump, is: &Dump, operation: Operation, material: &Material) {
    let target = operation.target().and_then(|id| before.entry(id)).map(folded);
    let mut is = is.clone();
    for (alias, entry) in was.iter().filter(|(alias, _)| Some(Alias::of(alias).to_string()) != target) {
        let now = is.remove(alias).unwrap_or_else(|| panic!("{at}: `{alias}` is gone"));
        assert!(same_but_longer(entry, &now), "{at}: {entry} became {now}");
    }
    let one = |name: &str| is.get(name).unwrap_or_else(|| panic!("{at}: a JVM sees no `{name}`"));
    let visible = |name: &Option<String>| name.as_ref().is_some_and(|name| was.contains_key(name));
    match operation {
        Operation::Delete(_) => assert!(is.is_empty(), "{at}: {is:?}"),
        Operation::Import => {
            assert_eq!(one(IMPORTED)["certs"][0], Fingerprint::of(&material.imported).to_string(), "{at}")
        }
        Operation::Replace(_) => {
            let now = one(&target.unwrap());
            assert_eq!(now["certs"][0], Fingerprint::of(&material.replacement).to_string(), "{at}");
            assert_eq!(now["kind"], "trusted-certificate", "{at}");
        }
        Operation::Rename(_) if visible(&target) => {
            let mut now = one(RENAMED).clone();
            let old = &was[target.as_deref().unwrap()];
            now["alias"] = old["alias"].clone();
            assert!(same_but_longer(old, &now), "{at}: {old} became {now}");
        }
        Operation::Rename(_) => assert!(is.is_empty(), "{at}: {is:?}"),
        Operation::AddKey | Operation::ReplaceKey(_) => {
            let now = one(if operation == Operation::AddKey { MINTED } else { target.as_deref().unwrap() });
            assert_eq!(
                (&now["kind"], &now["created_ms"], &now["key_password"]),
                (&"private-key".into(), &NOW.into(), &0.into()),
                "{at}: {now}"
            );
            assert_eq!(now["key_sha256"], hex(&Sha256::digest(&*material.key)), "{at}");
            assert_eq!(now["certs"], serde_json::to_value(material.prints()).unwrap(), "{at}");
        }
    }
    assert!(is.len() <= 1, "{at}: {is:?}");
}

/// Judges by openssl: the bags that the edit does not name are shown as before.
fn judge_by_openssl(at: &str, was: &Bags, is: &Bags, operation: Operation, pinned: usize, before: &Store) {
    let (gone, new) = (without(was, is), without(is, was));
    let keys = |bags: &[String]| bags.iter().filter(|bag| bag.contains("PRIVATE KEY")).count();
    let counts = |bags: &[String]| (keys(bags), bags.len() - keys(bags));
    let is_key = operation
        .target()
        .and_then(|id| before.entry(id))
        .is_some_and(|e| matches!(e.kind, EntryKind::PrivateKey { .. }));
    if pinned > 0 {
        assert!(gone.len() <= pinned + 2, "{at}: {gone:#?}");
        return;
    }
    match operation {
        Operation::Import => assert_eq!((counts(&gone), counts(&new)), ((0, 0), (0, 1)), "{at}: {gone:#?} {new:#?}"),
        Operation::AddKey => assert_eq!((counts(&gone), counts(&new)), ((0, 0), (1, 2)), "{at}: {gone:#?} {new:#?}"),
        Operation::Replace(_) => {
            // A certificate in the chain of a key stays for the chain, but is no longer trusted.
            let stays = new.len() - 1;
            assert!(stays <= 1 && counts(&gone) == (0, 1) && counts(&new).0 == 0, "{at}: {gone:#?} {new:#?}");
        }
        Operation::Delete(_) if is_key => {
            assert!(counts(&gone).0 == 1 && new.is_empty(), "{at}: {gone:#?} {new:#?}");
        }
        Operation::Delete(_) => assert!(counts(&gone) == (0, 1) && new.len() <= 1, "{at}: {gone:#?} {new:#?}"),
        Operation::Rename(_) if is_key => {
            let (key, leaf) = counts(&gone);
            assert!(key == 1 && leaf <= 1 && counts(&new) == (key, leaf), "{at}: {gone:#?} {new:#?}");
        }
        Operation::Rename(_) => assert_eq!((counts(&gone), counts(&new)), ((0, 1), (0, 1)), "{at}: {gone:#?} {new:#?}"),
        Operation::ReplaceKey(_) => {
            assert_eq!((counts(&gone).0, counts(&new)), (1, (1, 2)), "{at}: {gone:#?} {new:#?}");
        }
    }
}

fn back(operation: Operation, store: &Store, after: &Store) -> Option<Edits> {
    let mut edits = Edits::default();
    let one = |alias: &str| after.find(&alias.into()).first().copied().unwrap();
    match operation {
        Operation::Import => edits.disposition.insert(one(IMPORTED), Disposition::Remove),
        Operation::AddKey => edits.disposition.insert(one(MINTED), Disposition::Remove),
        Operation::Rename(id) => {
            edits.disposition.insert(one(RENAMED), Disposition::Rename(store.entry(id)?.alias.as_ref()?.fold()))
        }
        Operation::Replace(_) | Operation::Delete(_) | Operation::ReplaceKey(_) => return None,
    };
    Some(edits)
}

/// Whether the names that occurred are exactly those of `listed`; prints the difference.
fn compare_lists(what: &str, listed: &[(&str, &str)], met: &BTreeMap<String, String>) -> bool {
    assert!(listed.iter().all(|(_, why)| why.len() > 15), "{what}: a reason is needed");
    let listed: BTreeSet<&str> = listed.iter().map(|(name, _)| *name).collect();
    let names: BTreeSet<&str> = met.keys().map(String::as_str).collect();
    if names != listed {
        eprintln!("{what}: {met:#?}, and listed are {listed:?}");
    }
    names == listed
}

struct Bench {
    judge: Judge,
    nss: Nss,
    folder: tempfile::TempDir,
    material: Material,
    no_jvm: BTreeMap<String, String>,
    no_openssl: BTreeMap<String, String>,
    no_nss: BTreeMap<String, String>,
    judged: usize,
    heavy: bool,
}

impl Bench {
    fn start(heavy: bool) -> Self {
        let judge = Judge::start();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("nss")).unwrap();
        Self {
            judge,
            nss: Nss::start(&folder.path().join("nss")),
            folder,
            material: Material::new(),
            no_jvm: BTreeMap::new(),
            no_openssl: BTreeMap::new(),
            no_nss: BTreeMap::new(),
            judged: 0,
            heavy,
        }
    }

    fn write(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("store");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn dump(&mut self, case: &Case, store: &Store, path: &Path) -> Result<Dump, String> {
        let passwords: Vec<&str> = case.java.iter().map(String::as_str).collect();
        Ok(undated(store, self.judge.try_dump(&case.kind, path, &passwords)?))
    }

    /// Runs all cases, and reports all faults together.
    fn run_all(&mut self, corpus: &Path, kinds: &[&str]) {
        let mut broken = Vec::new();
        let step = every(NTH);
        let mut heavy = 0;
        for case in cases(corpus, kinds) {
            if self.heavy && self.is_heavy(corpus, &case) {
                heavy += 1;
                if heavy % step != 0 {
                    continue;
                }
            }
            if catch_unwind(AssertUnwindSafe(|| self.run(corpus, &case))).is_err() {
                broken.push(case.name);
            }
        }
        assert!(broken.is_empty(), "see above: {broken:?}");
    }

    fn is_heavy(&self, corpus: &Path, case: &Case) -> bool {
        open(&read(corpus.join("files").join(&case.name)), None).is_ok_and(|store| rounds(&store) >= HEAVY)
    }

    fn run(&mut self, corpus: &Path, case: &Case) {
        let original = corpus.join("files").join(&case.name);
        let bytes = read(&original);
        let Ok(store) = open(&bytes, Some(&case.password)) else { return };
        if store.remarks().iter().any(trustmason_keystore::Remark::is_jvm_unloadable) {
            let refused = apply(&store, &Operation::Import.edits(&store, &self.material), &case.password);
            assert!(matches!(refused, Err(EditError::Unloadable { .. })), "{}: {refused:?}", case.name);
            return;
        }
        let heavy = rounds(&store) >= HEAVY;
        if heavy != self.heavy {
            return;
        }
        let was = self.dump(case, &store, &original);
        let pkcs12 = store.format() == Format::Pkcs12;
        let shown = if pkcs12 && !heavy { openssl(&original, &case.password) } else { Err(String::new()) };
        let nss = pkcs12 && !heavy && self.nss.accepts(&original, &case.password);
        if let Err(error) = &was {
            self.no_jvm.insert(case.name.clone(), error.clone());
        }
        if pkcs12 && !heavy {
            if let Err(error) = &shown {
                self.no_openssl.insert(case.name.clone(), error.clone());
            }
            if !nss {
                self.no_nss.insert(case.name.clone(), String::new());
            }
        }
        let operations = operations(&store);
        // A judge takes seconds for each reading of a store with many rounds. Such a store gets one operation, and the
        // next store another one. The other stores get a sample of operations, unless all are asked for.
        let step = if heavy { operations.len() } else { every(NTH) };
        let turn = case.name.bytes().map(usize::from).sum::<usize>() % operations.len().min(step);
        for operation in operations.into_iter().skip(turn).step_by(step) {
            let at = format!("{} {operation:?}", case.name);
            let edits = operation.edits(&store, &self.material);
            let next = match apply(&store, &edits, &case.password) {
                Ok(next) => next,
                Err(EditError::PasswordNotAscii { .. }) if !case.password.is_ascii() && case.kind == "JCEKS" => {
                    continue;
                }
                Err(error) => panic!("{at}: {error}"),
            };
            self.judged += 1;
            let after = open(&next, Some(&case.password)).unwrap_or_else(|error| panic!("{at}: {error}"));
            let pinned = judge_ourselves(&at, &store, &after, operation, &self.material);
            let path = self.write(&next);
            if let Ok(was) = &was {
                let is = self.dump(case, &after, &path).unwrap_or_else(|error| panic!("{at}: {error}"));
                judge_by_jvm(&at, &store, was, &is, operation, &self.material);
            }
            if let Ok(shown) = &shown {
                let is = openssl(&path, &case.password).unwrap_or_else(|error| panic!("{at}: {error}"));
                judge_by_openssl(&at, shown, &is, operation, pinned, &store);
            }
            if nss && matches!(operation, Operation::Import | Operation::AddKey | Operation::Delete(_)) {
                assert!(self.nss.accepts(&path, &case.password), "{at}: NSS refuses the result");
            }
            if let Some(edits) = back(operation, &store, &after).filter(|_| !heavy) {
                let again = apply(&after, &edits, &case.password).unwrap_or_else(|error| panic!("{at} back: {error}"));
                let again_store = open(&again, Some(&case.password)).unwrap();
                let path = self.write(&again);
                if let Ok(was) = &was {
                    assert_eq!(&self.dump(case, &again_store, &path).unwrap(), was, "{at} and back");
                }
                if let (Ok(shown), 0) = (&shown, pinned) {
                    let is = openssl(&path, &case.password).unwrap();
                    // A name that is restored is in lower case, and a nameless entry has one now.
                    let (was, is) = if matches!(operation, Operation::Rename(_)) {
                        (nameless(shown), nameless(&is))
                    } else {
                        (shown.clone(), is)
                    };
                    assert_eq!(was, is, "{at} and back");
                }
                if holds_certificates(&store) {
                    assert_eq!(again_store.protected_by(), store.protected_by(), "{at} and back");
                }
            }
        }
    }
}

#[test]
fn judge_matrix_of_jks_and_jceks() {
    needs!(Corpus, Jdk, Openssl, Nss);
    let (corpus, mut bench) = (corpus(), Bench::start(false));
    bench.run_all(&corpus, &["JKS", "JCEKS"]);
    assert!(bench.no_jvm.is_empty(), "{:#?}", bench.no_jvm);
    assert!(bench.judged > 150 / every(NTH), "{}", bench.judged);
}

#[test]
fn judge_matrix_of_pkcs12() {
    needs!(Corpus, Jdk, Openssl, Nss);
    let (corpus, mut bench) = (corpus(), Bench::start(false));
    bench.run_all(&corpus, &["PKCS12"]);
    let same = [
        compare_lists("no JVM reads them before", NO_JVM, &bench.no_jvm),
        compare_lists("openssl does not read them before", NO_OPENSSL, &bench.no_openssl),
        compare_lists("NSS does not read them before", NO_NSS, &bench.no_nss),
    ];
    assert_eq!(same, [true; 3], "see above");
    assert!(bench.judged > 250 / every(NTH), "{}", bench.judged);
}

/// GnuTLS and NSS use 600,000 rounds: only the JVM judges those stores, each under one operation.
#[test]
fn judge_matrix_of_pkcs12_with_many_rounds() {
    needs!(Corpus, Jdk, Openssl, Nss);
    let (corpus, mut bench) = (corpus(), Bench::start(true));
    bench.run_all(&corpus, &["PKCS12"]);
    assert!(bench.no_jvm.is_empty(), "{:#?}", bench.no_jvm);
    assert!(bench.judged >= 8 / every(NTH), "{}", bench.judged);
}

#[test]
fn judge_matrix_of_certificate_files() {
    needs!(Corpus, Jdk, Openssl);
    let corpus = corpus();
    let material = Material::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (mut judged, mut refused) = (0, 0);
    for case in cases(&corpus, &["PEM", "DER"]) {
        let original = corpus.join("files").join(&case.name);
        let Ok(store) = open(&read(&original), None) else { continue };
        let der = store.format() == Format::Der;
        let was = openssl_count(&original, der);
        let Some(target) = store.entries().iter().find(|entry| matches!(entry.kind, EntryKind::Trusted(_))) else {
            continue;
        };
        let trusted = store.entries().iter().filter(|entry| matches!(entry.kind, EntryKind::Trusted(_))).count();
        for operation in [Operation::Import, Operation::Replace(target.id), Operation::Delete(target.id)] {
            let at = format!("{} {operation:?}", case.name);
            let result = apply(&store, &operation.edits(&store, &material), "");
            let full = der && operation == Operation::Import;
            let last = trusted == 1 && matches!(operation, Operation::Delete(_));
            if full || last {
                assert!(matches!(result, Err(EditError::NotRepresentable { .. })), "{at}: {result:?}");
                refused += 1;
                continue;
            }
            let next = result.unwrap_or_else(|error| panic!("{at}: {error}"));
            let after = open(&next, None).unwrap();
            assert_eq!(after.format(), store.format(), "{at}");
            std::fs::write(&path, &next).unwrap();
            let (gone, new) = match operation {
                Operation::Import => (0, Some(&material.imported)),
                Operation::Replace(_) => (1, Some(&material.replacement)),
                _ => (1, None),
            };
            let kept = store.entries().iter().filter(|entry| gone == 0 || entry.id != target.id);
            // A last line without a line break gets one before text follows it.
            let raw = |store: &Store, id| store.raw(id).unwrap().trim_ascii_end().to_vec();
            let mut raws: Vec<Vec<u8>> = kept.map(|entry| raw(&store, entry.id)).collect();
            for entry in after.entries() {
                match raws.iter().position(|known| *known == raw(&after, entry.id)) {
                    Some(found) => drop(raws.remove(found)),
                    None => assert_eq!(entry.certificates()[0].der(), new.unwrap(), "{at}"),
                }
            }
            assert!(raws.is_empty(), "{at}: what was not named changed");
            if let Some(was) = was {
                // `openssl x509` reads only the first certificate.
                let now = if der { 1 } else { was - gone + usize::from(new.is_some()) };
                assert_eq!(openssl_count(&path, der), Some(now), "{at}");
                judged += 1;
            }
        }
    }
    assert!(judged > 20 && refused > 2, "{judged} {refused}");
}
