//! Laws of editing, over stores and edits made at random.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::prelude::*;
use rand_core::SeedableRng as _;
use zeroize::Zeroizing;

use super::*;
use crate::edit::{Disposition, Edits, Image, NewEntry, NewKey};
use crate::error::{EditError, KeyError};
use crate::store::Entry;

struct Pool {
    certificates: Vec<Vec<u8>>,
    key: Vec<u8>,
    leaf: Vec<u8>,
}

static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let made = |host: String| {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new([host])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        (key.serialize_der(), certificate.der().to_vec())
    };
    let (key, leaf) = made("leaf.example".to_owned());
    Pool {
        certificates: (0..4).map(|n| made(format!("host{n}.example")).1).collect(),
        key,
        leaf,
    }
});

/// A store with secret keys, made by keytool.
const SECRETS: &[u8] = include_bytes!("../../../../fixtures/keystore/jceks/mixed/store");

fn rng() -> impl rand_core::CryptoRng {
    TestRng::seed_from_u64(1)
}

/// Repeatable and good enough for salts in tests.
struct TestRng(u64);

impl rand_core::SeedableRng for TestRng {
    type Seed = [u8; 8];

    fn from_seed(seed: Self::Seed) -> Self {
        Self(u64::from_le_bytes(seed))
    }
}

impl rand_core::TryRng for TestRng {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|value| (value >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for byte in out {
            *byte = self.try_next_u64()?.to_be_bytes()[0];
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for TestRng {}

fn password() -> Password {
    Password::new("changeit")
}

fn reopen(bytes: &[u8]) -> Store {
    Store::open(
        bytes.to_vec(),
        Unlock::Password(&password()),
        &Interner::new(),
    )
    .unwrap()
}

fn edit(store: &Store, edits: &Edits) -> Result<Vec<u8>, EditError> {
    match store.edit(edits, Some(&password()), &mut rng())? {
        Image::File(bytes) => Ok(bytes),
        Image::Directory(_) => panic!("a file"),
    }
}

fn trusted(alias: &str, certificate: usize, created_ms: i64) -> NewEntry {
    let der = POOL.certificates[certificate % POOL.certificates.len()].clone();
    NewEntry::Trusted {
        alias: Some(alias.to_owned()),
        der,
        created_ms,
    }
}

fn private(alias: &str) -> NewEntry {
    let key = NewKey::Plain(Zeroizing::new(POOL.key.clone()));
    NewEntry::PrivateKey {
        alias: alias.to_owned(),
        key,
        chain: vec![POOL.leaf.clone()],
        created_ms: 5,
    }
}

fn raw(store: &Store, id: EntryId) -> &[u8] {
    &store.bytes[store.places[id.0].whole.clone()]
}

/// The bytes without the alias.
fn raw_but_alias(store: &Store, id: EntryId) -> Vec<u8> {
    let place = &store.places[id.0];
    [
        &store.bytes[place.whole.start..place.alias.start - 2],
        &store.bytes[place.alias.end..place.whole.end],
    ]
    .concat()
}

fn alias_strategy() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-c]",
        1 => "[A-C]{1,2}",
        1 => proptest::sample::select(vec!["ü", "Ü", "日本-😀", "nul\0byte", "\u{202e}x", "İ", "ΑΣ"]).prop_map(str::to_owned),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Keep,
    Rename(String),
    Remove,
    ReplaceKey,
}

fn step_strategy() -> impl Strategy<Value = Step> {
    prop_oneof![3 => Just(Step::Keep), 1 => alias_strategy().prop_map(Step::Rename), 1 => Just(Step::Remove), 1 => Just(Step::ReplaceKey)]
}

/// A store in which any alias may stand twice: written by hand, as foreign tools write them.
fn store_strategy() -> impl Strategy<Value = Store> {
    let entry = (alias_strategy(), 0usize..5, any::<i64>());
    (
        proptest::collection::vec(entry, 0..6),
        any::<bool>(),
        1u32..=2,
    )
        .prop_map(|(entries, jceks, version)| {
            let format = if jceks { Format::Jceks } else { Format::Jks };
            let mut body = magic(format).to_vec();
            body.extend(version.to_be_bytes());
            body.extend(u32::try_from(entries.len()).unwrap().to_be_bytes());
            for (alias, what, date) in entries {
                let alias = mutf8::encode(&alias);
                let is_key = what == 4;
                body.extend(if is_key { TAG_KEY } else { TAG_TRUSTED }.to_be_bytes());
                body.extend(u16::try_from(alias.len()).unwrap().to_be_bytes());
                body.extend(alias);
                body.extend(date.to_be_bytes());
                let der = if is_key {
                    // A key that nobody opens.
                    body.extend(b"\0\0\0\x06sealed\0\0\0\x01");
                    &POOL.leaf
                } else {
                    &POOL.certificates[what]
                };
                if version == 2 {
                    body.extend(b"\0\x04X509");
                }
                body.extend(u32::try_from(der.len()).unwrap().to_be_bytes());
                body.extend(der);
            }
            let seal = digest(&password(), &body);
            body.extend(seal);
            reopen(&body)
        })
}

fn folded(entries: &[Entry]) -> Vec<String> {
    entries
        .iter()
        .map(|entry| fold_alias(entry.alias.as_deref().unwrap()).into_owned())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// What is not named keeps its bytes, whatever is done around it; what is renamed keeps all but its name; the result
    /// reads back as planned; no edit makes two entries share a folded alias.
    #[test]
    fn untouched_entries_keep_their_bytes(
        store in store_strategy(),
        steps in proptest::collection::vec(step_strategy(), 6),
        added in proptest::collection::vec((alias_strategy(), 0usize..4, any::<i64>()), 0..3),
    ) {
        let mut edits = Edits::default();
        for (entry, step) in store.entries().iter().zip(&steps) {
            let disposition = match step {
                Step::Keep => continue,
                Step::Rename(alias) => Disposition::Rename(alias.clone()),
                Step::Remove => Disposition::Remove,
                Step::ReplaceKey if matches!(entry.kind, EntryKind::PrivateKey { .. }) => Disposition::ReplaceKey {
                    key: NewKey::Sealed(store.sealed_key(entry.id).unwrap()),
                    chain: vec![POOL.leaf.clone()],
                    created_ms: 7,
                },
                Step::ReplaceKey => Disposition::Keep,
            };
            edits.disposition.insert(entry.id, disposition);
        }
        edits.add = added.iter().map(|(alias, certificate, date)| trusted(alias, *certificate, *date)).collect();
        match edit(&store, &edits) {
            Err(EditError::AliasTaken { .. }) => {
                let kept = |entry: &&Entry| !matches!(edits.disposition.get(&entry.id), Some(Disposition::Remove));
                let mut names: Vec<String> = store.entries().iter().filter(kept).map(|entry| {
                    match edits.disposition.get(&entry.id) {
                        Some(Disposition::Rename(alias)) => fold_alias(alias).into_owned(),
                        _ => fold_alias(entry.alias.as_deref().unwrap()).into_owned(),
                    }
                }).collect();
                names.extend(added.iter().map(|(alias, ..)| fold_alias(alias).into_owned()));
                let distinct: BTreeSet<&String> = names.iter().collect();
                prop_assert!(distinct.len() < names.len(), "refused without a conflict");
            }
            Err(error) => prop_assert!(false, "{error}"),
            Ok(bytes) => {
                let after = reopen(&bytes);
                prop_assert_eq!((after.format(), after.version()), (store.format(), store.version()));
                let mut next = after.entries().iter();
                for entry in store.entries() {
                    match edits.disposition.get(&entry.id) {
                        None | Some(Disposition::Keep) => prop_assert_eq!(raw(&after, next.next().unwrap().id), raw(&store, entry.id)),
                        Some(Disposition::Rename(alias)) => {
                            let renamed = next.next().unwrap();
                            prop_assert_eq!(renamed.alias.as_deref(), Some(&*fold_alias(alias)));
                            prop_assert_eq!(raw_but_alias(&after, renamed.id), raw_but_alias(&store, entry.id));
                        }
                        Some(Disposition::Remove) => {}
                        Some(Disposition::ReplaceKey { .. }) => {
                            let replaced = next.next().unwrap();
                            prop_assert_eq!((&replaced.alias, replaced.created_ms), (&entry.alias, Some(7)));
                            prop_assert_eq!(after.sealed_key(replaced.id).unwrap().bytes, store.sealed_key(entry.id).unwrap().bytes);
                        }
                    }
                }
                for ((alias, certificate, date), entry) in added.iter().zip(next.by_ref()) {
                    prop_assert_eq!((entry.alias.as_deref(), entry.created_ms), (Some(&*fold_alias(alias)), Some(*date)));
                    prop_assert_eq!(entry.certificates()[0].der(), &POOL.certificates[*certificate]);
                }
                prop_assert!(next.next().is_none());
                // Twins only where twins were, and never through our doing.
                let (mut before, mut now) = (folded(store.entries()), folded(after.entries()));
                before.sort();
                now.sort();
                for name in now.iter().collect::<BTreeSet<_>>() {
                    let count = |names: &[String]| names.iter().filter(|other| *other == name).count();
                    prop_assert!(count(&now) <= count(&before).max(1), "{name:?}");
                }
            }
        }
    }

    /// An edit and its reverse give the same bytes.
    #[test]
    fn there_and_back_again(store in store_strategy(), alias in "new-[a-z]{1,8}") {
        let added = edit(&store, &Edits { add: vec![trusted(&alias, 0, 1)], ..Edits::default() }).unwrap();
        let added = reopen(&added);
        let last = added.entries().last().unwrap().id;
        let mut back = Edits::default();
        back.disposition.insert(last, Disposition::Remove);
        prop_assert_eq!(&edit(&added, &back).unwrap(), &store.bytes);
        let mut away = Edits::default();
        away.disposition.insert(last, Disposition::Rename("away".to_owned()));
        let away = reopen(&edit(&added, &away).unwrap());
        back.disposition.insert(last, Disposition::Rename(alias));
        prop_assert_eq!(&edit(&away, &back).unwrap(), &added.bytes);
    }

    /// Bytes of any kind are an error or a store, never a panic.
    #[test]
    fn any_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), head in 0usize..6, signed in any::<bool>()) {
        let heads: [&[u8]; 6] = [b"", b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01", b"\xce\xce\xce\xce\0\0\0\x02\0\0\0\x01\0\0\0\x03\0\x01a\0\0\0\0\0\0\0\0\xac\xed\0\x05sr",
            b"\x30\x82\x01\x00", b"-----BEGIN CERTIFICATE-----", b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01\0\0\0\x02\0\x01a\0\0\0\0\0\0\0\0\0\x05X.509"];
        bytes.splice(0..0, heads[head].iter().copied());
        if signed {
            let seal = digest(&password(), &bytes);
            bytes.extend(seal);
        }
        let certificates = Interner::new();
        for unlock in [Unlock::Unverified, Unlock::Password(&password())] {
            if let Ok(store) = Store::open(bytes.clone(), unlock, &certificates) {
                for entry in store.entries() {
                    let outcome = store.open_key(entry.id, &password());
                    prop_assert!(outcome.is_err());
                }
            }
        }
    }
}

#[test]
fn a_store_made_from_nothing_reads_back() {
    let add = vec![
        trusted("CA", 0, -1),
        private("Server"),
        trusted("max", 1, i64::MAX),
    ];
    for format in [Format::Jks, Format::Jceks] {
        let store = reopen(
            &edit(
                &Store::create(format),
                &Edits {
                    add: add.clone(),
                    ..Edits::default()
                },
            )
            .unwrap(),
        );
        assert_eq!(
            (store.format(), store.version(), store.verified()),
            (format, 2, true)
        );
        assert!(store.remarks().is_empty());
        assert_eq!(folded(store.entries()), ["ca", "server", "max"]);
        assert_eq!(store.entries()[2].created_ms, Some(i64::MAX));
        let key = store.open_key(EntryId(1), &password()).unwrap();
        assert_eq!((&*key.pkcs8, key.bits), (&POOL.key, 256));
        assert_eq!(key.matches_certificate, crate::KeyMatch::Yes);
        assert_eq!(
            store.open_key(EntryId(1), &Password::new("other")).err(),
            Some(KeyError::WrongPassword)
        );
        assert_eq!(
            store.open_key(EntryId(0), &password()).err(),
            Some(KeyError::NotAKey)
        );
        assert!(
            !format!("{store:?} {key:?} {:?}", store.sealed_key(EntryId(1))).contains("changeit")
        );
    }
}

#[test]
fn secret_keys_and_foreign_keys_are_copied_and_carried() {
    let store = reopen(SECRETS);
    let server = store.find("server")[0];
    let carried = NewEntry::PrivateKey {
        alias: "carried".to_owned(),
        key: NewKey::Sealed(store.sealed_key(server).unwrap()),
        chain: store.entries()[server.0]
            .certificates()
            .iter()
            .map(|slot| slot.der().to_vec())
            .collect(),
        created_ms: 1,
    };
    let mut edits = Edits {
        add: vec![carried.clone()],
        ..Edits::default()
    };
    edits
        .disposition
        .insert(store.find("root")[0], Disposition::Remove);
    let after = reopen(&edit(&store, &edits).unwrap());
    let key = after
        .open_key(after.find("carried")[0], &Password::new("otherpass"))
        .unwrap();
    assert_eq!(key.matches_certificate, crate::KeyMatch::Yes);
    assert_eq!(
        raw(&after, after.find("aes")[0]),
        raw(&store, store.find("aes")[0])
    );
    let elsewhere = edit(
        &Store::create(Format::Jks),
        &Edits {
            add: vec![carried],
            ..Edits::default()
        },
    );
    assert_eq!(
        elsewhere,
        Err(EditError::SealedElsewhere {
            from: Format::Jceks,
            to: Format::Jks
        })
    );
}

#[test]
fn what_may_not_be_written_is_refused() {
    let store = reopen(
        &edit(
            &Store::create(Format::Jks),
            &Edits {
                add: vec![trusted("a", 0, 0)],
                ..Edits::default()
            },
        )
        .unwrap(),
    );
    let refused = |edits: Edits| edit(&store, &edits).unwrap_err();
    let add = |entry| {
        refused(Edits {
            add: vec![entry],
            ..Edits::default()
        })
    };
    let dispose = |at, what| {
        refused(Edits {
            disposition: [(EntryId(at), what)].into(),
            ..Edits::default()
        })
    };
    assert_eq!(
        add(trusted("A", 1, 0)),
        EditError::AliasTaken {
            alias: "a".to_owned()
        }
    );
    assert!(matches!(add(trusted("", 1, 0)), EditError::BadAlias { .. }));
    assert!(matches!(
        add(trusted(&"x".repeat(65_536), 1, 0)),
        EditError::BadAlias { .. }
    ));
    assert_eq!(
        dispose(1, Disposition::Remove),
        EditError::NoSuchEntry {
            position: 1,
            entries: 1
        }
    );
    let der = |der: &[u8]| NewEntry::Trusted {
        alias: Some("b".to_owned()),
        der: der.to_vec(),
        created_ms: 0,
    };
    let trailing = add(der(&[&POOL.leaf[..], &[0]].concat()));
    assert!(
        matches!(&trailing, EditError::BadCertificate { cause, .. } if cause.is_not_canonical()),
        "{trailing}"
    );
    let key = || NewKey::Plain(Zeroizing::new(POOL.key.clone()));
    let replace = Disposition::ReplaceKey {
        key: key(),
        chain: vec![POOL.leaf.clone()],
        created_ms: 0,
    };
    assert_eq!(
        dispose(0, replace),
        EditError::NotAKey {
            alias: "a".to_owned()
        }
    );
    let with = |key, chain| {
        add(NewEntry::PrivateKey {
            alias: "k".to_owned(),
            key,
            chain,
            created_ms: 0,
        })
    };
    assert_eq!(
        with(key(), vec![]),
        EditError::EmptyChain {
            alias: "k".to_owned()
        }
    );
    assert_eq!(
        with(key(), vec![POOL.certificates[0].clone()]),
        EditError::KeyMismatch {
            alias: "k".to_owned()
        }
    );
    let garbage = NewKey::Plain(Zeroizing::new(b"secret bytes".to_vec()));
    let garbage = with(garbage, vec![POOL.leaf.clone()]);
    assert!(
        matches!(&garbage, EditError::BadKey { .. })
            && !garbage.to_string().contains("secret bytes")
    );
    let ascii = Store::create(Format::Jceks).edit(
        &Edits {
            add: vec![private("k")],
            ..Edits::default()
        },
        Some(&Password::new("pässwörd")),
        &mut rng(),
    );
    assert_eq!(ascii, Err(EditError::PasswordNotAscii));
    assert_eq!(
        store.edit(&Edits::default(), None, &mut rng()),
        Err(EditError::PasswordNeeded {
            format: Format::Jks
        })
    );
    let wrong = store.edit(&Edits::default(), Some(&Password::new("other")), &mut rng());
    assert_eq!(wrong, Err(EditError::WrongPassword));
}

#[test]
fn a_store_no_jvm_loads_may_only_lose_what_makes_it_so() {
    for case in ["duplicate-extension", "not-a-certificate", "unknown-type"] {
        let bytes: &[u8] = match case {
            "duplicate-extension" => {
                include_bytes!("../../../../fixtures/keystore/jks/duplicate-extension/store")
            }
            "not-a-certificate" => {
                include_bytes!("../../../../fixtures/keystore/jks/not-a-certificate/store")
            }
            _ => include_bytes!("../../../../fixtures/keystore/jks/unknown-type/store"),
        };
        let store = reopen(bytes);
        let bad = store
            .remarks()
            .iter()
            .find(|remark| remark.is_jvm_unloadable())
            .unwrap()
            .entry()
            .unwrap();
        let add = vec![trusted("more", 0, 0)];
        assert!(
            matches!(
                edit(
                    &store,
                    &Edits {
                        add: add.clone(),
                        ..Edits::default()
                    }
                ),
                Err(EditError::Unloadable { .. })
            ),
            "{case}"
        );
        let without = Edits {
            add,
            disposition: [(bad, Disposition::Remove)].into(),
        };
        assert!(
            reopen(&edit(&store, &without).unwrap())
                .remarks()
                .is_empty(),
            "{case}"
        );
    }
    // And such a certificate is never written.
    let store = reopen(include_bytes!(
        "../../../../fixtures/keystore/jks/duplicate-extension/store"
    ));
    let der = store.entries()[1].certificates()[0].der().to_vec();
    let new = NewEntry::Trusted {
        alias: Some("x".to_owned()),
        der,
        created_ms: 0,
    };
    let refused = edit(
        &Store::create(Format::Jks),
        &Edits {
            add: vec![new],
            ..Edits::default()
        },
    );
    assert!(
        matches!(refused, Err(EditError::JvmWouldRefuse { .. })),
        "{refused:?}"
    );
}

#[test]
fn bytes_after_the_digest_stay() {
    let store = reopen(include_bytes!(
        "../../../../fixtures/keystore/jks/trailing-bytes/store"
    ));
    assert_eq!(store.remarks(), [Remark::TrailingBytes { count: 4 }]);
    let after = edit(
        &store,
        &Edits {
            add: vec![trusted("b", 0, 0)],
            ..Edits::default()
        },
    )
    .unwrap();
    assert!(after.ends_with(b"tail"));
    assert_eq!(reopen(&after).entries().len(), 2);
}
