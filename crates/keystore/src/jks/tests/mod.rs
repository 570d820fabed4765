//! Tests of what an edit does and what it refuses. The laws of editing are in `laws`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::sync::{Arc, LazyLock};

use zeroize::Zeroizing;

mod laws;

use super::layout::{TAG_KEY, TAG_TRUSTED, digest};
use super::*;
use crate::alias::fold_alias;
use crate::certificate::Certificate;
use crate::dice::Dice;
use crate::edit::{Disposition, NewEntry, NewKey};
use crate::entry::Entry;
use crate::entry::{Credential, EntryKind};
use crate::intern::Interner;
use crate::key::KeyMatch;
use crate::password::{Password, ROUNDS};
use crate::remark::Remark;
use crate::store::Store;

struct Pool {
    certificates: Vec<Vec<u8>>,
    key: Vec<u8>,
    leaf: Vec<u8>,
}

static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let made = |host: String| {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new([host]).unwrap().self_signed(&key).unwrap();
        (key.serialize_der(), certificate.der().to_vec())
    };
    let (key, leaf) = made("leaf.example".to_owned());
    Pool { certificates: (0..4).map(|n| made(format!("host{n}.example")).1).collect(), key, leaf }
});

/// A store with secret keys, made by keytool.
const SECRETS: &[u8] = include_bytes!("../../../../../fixtures/keystore/jceks/mixed/store");

fn rng() -> impl CryptoRng {
    Dice(1)
}

fn password() -> Password {
    Password::new("changeit")
}

fn reopen(bytes: &[u8]) -> Store {
    Store::open(bytes.to_vec(), Credential::Password(&password()), &Interner::new()).unwrap()
}

fn edit(store: &Store, edits: &Edits) -> Result<Vec<u8>, EditError> {
    match store.edit(edits, &password(), &mut rng())? {
        Image::File(bytes) => Ok(bytes),
        Image::Directory(_) => panic!("a file"),
    }
}

fn trusted(alias: &str, certificate: usize, created_ms: i64) -> NewEntry {
    let certificate = Certificate::shared(&POOL.certificates[certificate % POOL.certificates.len()]);
    NewEntry::Trusted { alias: Some(alias.into()), certificate, created_ms }
}

fn private(alias: &str) -> NewEntry {
    let key = NewKey::Plain(Zeroizing::new(POOL.key.clone()));
    NewEntry::PrivateKey { alias: Some(alias.into()), key, chain: vec![Certificate::shared(&POOL.leaf)], created_ms: 5 }
}

fn raw(store: &Store, id: EntryId) -> &[u8] {
    store.raw(id).unwrap()
}

/// The bytes of an entry without its alias.
fn raw_but_alias(store: &Store, id: EntryId) -> Vec<u8> {
    let place = store.content::<JavaStore>().unwrap().entries.place(id).unwrap();
    let bytes = store.bytes();
    [&bytes[place.whole.start..place.alias.start - 2], &bytes[place.alias.end..place.whole.end]].concat()
}

fn folded(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| fold_alias(entry.alias.as_deref().unwrap()).into_owned()).collect()
}

#[test]
fn a_store_made_from_nothing_reads_back() {
    let add = vec![trusted("CA", 0, -1), private("Server"), trusted("max", 1, i64::MAX)];
    for format in [Format::Jks, Format::Jceks] {
        let store = reopen(&edit(&Store::create(format), &Edits { add: add.clone(), ..Edits::default() }).unwrap());
        assert_eq!((store.format(), store.version(), store.verified()), (format, 2, true));
        assert!(store.remarks().is_empty());
        assert_eq!(folded(store.entries()), ["ca", "server", "max"]);
        assert_eq!(store.entries()[2].created_ms, Some(i64::MAX));
        let key = store.open_key(EntryId(1), &password()).unwrap();
        assert_eq!((&*key.pkcs8, key.bits), (&POOL.key, 256));
        assert_eq!(key.matches_certificate, KeyMatch::Yes);
        assert_eq!(store.open_key(EntryId(1), &Password::new("other")).err(), Some(KeyError::WrongPassword));
        assert_eq!(store.open_key(EntryId(1), Credential::NotNeeded).err(), Some(KeyError::WrongPassword));
        assert_eq!(store.open_key(EntryId(0), &password()).err(), Some(KeyError::NotAKey));
        let without = Store::open(store.bytes().to_vec(), Credential::NotNeeded, &Interner::new());
        assert_eq!(without.map(|_| ()).unwrap_err().class, crate::ErrorClass::WrongPassword);
        let refused = store.edit(&Edits::default(), Credential::Withheld, &mut rng());
        assert_eq!(refused, Err(EditError::PasswordNeeded { format }));
        assert!(!format!("{store:?} {key:?} {:?}", store.sealed_key(EntryId(1))).contains("changeit"));
    }
}

#[test]
fn secret_keys_and_foreign_keys_are_copied_and_carried() {
    let store = reopen(SECRETS);
    let server = store.find(&"server".into())[0];
    let carried = NewEntry::PrivateKey {
        alias: Some("carried".into()),
        key: NewKey::Sealed(store.sealed_key(server).unwrap()),
        chain: store.entries()[server.0]
            .certificates()
            .iter()
            .map(|slot| Arc::clone(slot.certificate().unwrap()))
            .collect(),
        created_ms: 1,
    };
    let mut edits = Edits { add: vec![carried.clone()], ..Edits::default() };
    edits.disposition.insert(store.find(&"root".into())[0], Disposition::Remove);
    let after = reopen(&edit(&store, &edits).unwrap());
    let key = after.open_key(after.find(&"carried".into())[0], &Password::new("otherpass")).unwrap();
    assert_eq!(key.matches_certificate, KeyMatch::Yes);
    assert_eq!(raw(&after, after.find(&"aes".into())[0]), raw(&store, store.find(&"aes".into())[0]));
    let elsewhere = edit(&Store::create(Format::Jks), &Edits { add: vec![carried], ..Edits::default() });
    assert_eq!(elsewhere, Err(EditError::SealedElsewhere { from: Format::Jceks, to: Format::Jks }));
}

#[test]
fn a_protected_key_is_tried_once_for_all_stores_that_hold_it() {
    let with = |store: &Store, add: Vec<NewEntry>| reopen(&edit(store, &Edits { add, ..Edits::default() }).unwrap());
    let store = with(&Store::create(Format::Jceks), vec![private("server")]);
    let known = Interner::new();
    let tried = |store: &Store, password: &Password| {
        let before = ROUNDS.get();
        let found = store.try_key(store.find(&"server".into())[0], password, &known);
        (found, ROUNDS.get() - before)
    };
    let (yes, wrong) = (Ok(KeyMatch::Yes), Err(KeyError::WrongPassword));
    assert_eq!(tried(&store, &password()), (yes.clone(), 400_000));
    assert_eq!(tried(&store, &password()), (yes.clone(), 0));
    // Another password is another trial, and its result is kept as well.
    let other = Password::new("other");
    assert_eq!(tried(&store, &other), (wrong.clone(), 400_000));
    assert_eq!(tried(&store, &other), (wrong, 0));
    // Other entries of the store do not matter; the certificate of the key does.
    assert_eq!(tried(&with(&store, vec![trusted("ca", 0, 0)]), &password()), (yes, 0));
    let key = NewKey::Sealed(store.sealed_key(EntryId(0)).unwrap());
    let chain = vec![Certificate::shared(&POOL.certificates[0])];
    let under = NewEntry::PrivateKey { alias: Some("server".into()), key, chain, created_ms: 0 };
    let stranger = with(&Store::create(Format::Jceks), vec![under]);
    assert_eq!(tried(&stranger, &password()), (Ok(KeyMatch::No), 400_000));
    // A key in the clear, or an entry without a key, is asked for each time.
    assert_eq!(store.try_key(EntryId(9), &password(), &known), Err(KeyError::NotAKey));
}

#[test]
fn what_may_not_be_written_is_refused() {
    let store = reopen(
        &edit(&Store::create(Format::Jks), &Edits { add: vec![trusted("a", 0, 0)], ..Edits::default() }).unwrap(),
    );
    let refused = |edits: Edits| edit(&store, &edits).unwrap_err();
    let add = |entry| refused(Edits { add: vec![entry], ..Edits::default() });
    let dispose = |at, what| refused(Edits { disposition: [(EntryId(at), what)].into(), ..Edits::default() });
    assert_eq!(add(trusted("A", 1, 0)), EditError::AliasTaken { alias: "a".into() });
    assert!(matches!(add(trusted("", 1, 0)), EditError::BadAlias { .. }));
    assert!(matches!(add(trusted(&"x".repeat(65_536), 1, 0)), EditError::BadAlias { .. }));
    assert_eq!(dispose(1, Disposition::Remove), EditError::NoSuchEntry { position: 1, entries: 1 });
    let key = || NewKey::Plain(Zeroizing::new(POOL.key.clone()));
    let replace = Disposition::ReplaceKey { key: key(), chain: vec![Certificate::shared(&POOL.leaf)], created_ms: 0 };
    assert_eq!(dispose(0, replace), EditError::NotAKey { alias: "a".to_owned() });
    let with = |key, chain| add(NewEntry::PrivateKey { alias: Some("k".into()), key, chain, created_ms: 0 });
    assert_eq!(with(key(), vec![]), EditError::EmptyChain { alias: "k".to_owned() });
    assert_eq!(
        with(key(), vec![Certificate::shared(&POOL.certificates[0])]),
        EditError::KeyMismatch { alias: "k".to_owned() }
    );
    let garbage = NewKey::Plain(Zeroizing::new(b"secret bytes".to_vec()));
    let garbage = with(garbage, vec![Certificate::shared(&POOL.leaf)]);
    assert!(matches!(&garbage, EditError::BadKey { .. }) && !garbage.to_string().contains("secret bytes"));
    let ascii = Store::create(Format::Jceks).edit(
        &Edits { add: vec![private("k")], ..Edits::default() },
        &Password::new("pässwörd"),
        &mut rng(),
    );
    assert_eq!(ascii, Err(EditError::PasswordNotAscii { format: Format::Jceks }));
    assert_eq!(
        store.edit(&Edits::default(), Credential::NotNeeded, &mut rng()),
        Err(EditError::PasswordNeeded { format: Format::Jks })
    );
    let wrong = store.edit(&Edits::default(), &Password::new("other"), &mut rng());
    assert_eq!(wrong, Err(EditError::WrongPassword));
}

#[test]
fn a_store_no_jvm_loads_may_only_lose_what_makes_it_so() {
    for case in ["duplicate-extension", "not-a-certificate", "unknown-type"] {
        let bytes: &[u8] = match case {
            "duplicate-extension" => {
                include_bytes!("../../../../../fixtures/keystore/jks/duplicate-extension/store")
            }
            "not-a-certificate" => {
                include_bytes!("../../../../../fixtures/keystore/jks/not-a-certificate/store")
            }
            _ => include_bytes!("../../../../../fixtures/keystore/jks/unknown-type/store"),
        };
        let store = reopen(bytes);
        let bad = store.remarks().iter().find(|remark| remark.is_jvm_unloadable()).unwrap().entry().unwrap();
        let add = vec![trusted("more", 0, 0)];
        assert!(
            matches!(edit(&store, &Edits { add: add.clone(), ..Edits::default() }), Err(EditError::Unloadable { .. })),
            "{case}"
        );
        let without = Edits { add, disposition: [(bad, Disposition::Remove)].into() };
        assert!(reopen(&edit(&store, &without).unwrap()).remarks().is_empty(), "{case}");
    }
    // A certificate that a JVM refuses is never written.
    let store = reopen(include_bytes!("../../../../../fixtures/keystore/jks/duplicate-extension/store"));
    let certificate = Arc::clone(store.entries()[1].certificates()[0].certificate().unwrap());
    let new = NewEntry::Trusted { alias: Some("x".into()), certificate, created_ms: 0 };
    let refused = edit(&Store::create(Format::Jks), &Edits { add: vec![new], ..Edits::default() });
    assert!(matches!(refused, Err(EditError::JvmWouldRefuse { .. })), "{refused:?}");
}

#[test]
fn bytes_after_the_digest_stay() {
    let store = reopen(include_bytes!("../../../../../fixtures/keystore/jks/trailing-bytes/store"));
    assert_eq!(store.remarks(), [Remark::TrailingBytes { count: 4 }]);
    let after = edit(&store, &Edits { add: vec![trusted("b", 0, 0)], ..Edits::default() }).unwrap();
    assert!(after.ends_with(b"tail"));
    assert_eq!(reopen(&after).entries().len(), 2);
}
