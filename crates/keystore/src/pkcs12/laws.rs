//! Laws of editing PKCS#12 files, tested with random files and edits.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::bag::{AttributeChange, with_attributes};
use super::derive::{Hash, PasswordEncoding};
use super::make::{self, AES_128, BagAttributes, DES_EDE3, POOL, TestFile};
use super::store::Pkcs12;
use super::view::{self, BagRole};
use crate::alias::fold_alias;
use crate::certificate::Certificate;
use crate::edit::{Disposition, Edits, NewEntry, NewKey};
use crate::entry::{Entry, EntryId, EntryKind};
use crate::error::EditError;
use crate::fingerprint::Fingerprint;
use crate::format::Format;
use crate::intern::CertificateSlot;
use crate::remark::Remark;
use crate::store::Store;

const PASSWORD: &str = "changeit";

fn alias() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-d]", 1 => "[A-C]", 1 => "[1-3]", 1 => Just("日本-😀".to_owned())]
}

#[derive(Debug, Clone)]
enum What {
    Certificate(usize),
    Sealed(usize),
    Plain(usize),
    Secret,
    Crl,
    Nested,
    Unknown,
}

fn certificate(number: usize) -> &'static [u8] {
    match number {
        0..=3 => &POOL.lone[number],
        4 => &POOL.root,
        5..=8 => &POOL.keys[number - 5].1,
        _ => &POOL.cycle[number % 2],
    }
}

fn attributes() -> impl Strategy<Value = BagAttributes> {
    let id = prop_oneof![2 => Just(None), 3 => proptest::sample::select(vec!["01", "Time 5", "x"]).prop_map(Some)];
    (proptest::option::weighted(0.7, alias()), id, any::<bool>(), proptest::bool::weighted(0.2)).prop_map(
        |(name, id, trusted, custom)| BagAttributes {
            name,
            key_id: id.map(|id| id.as_bytes().to_vec()),
            trusted,
            custom,
        },
    )
}

fn bag_strategy() -> impl Strategy<Value = Vec<u8>> {
    let what = prop_oneof![
        6 => (0usize..11).prop_map(What::Certificate),
        3 => (0usize..3).prop_map(What::Sealed),
        1 => (0usize..3).prop_map(What::Plain),
        1 => Just(What::Secret),
        1 => proptest::sample::select(vec![What::Crl, What::Nested, What::Unknown]),
    ];
    (what, attributes()).prop_map(|(what, attributes)| {
        // Only certificates are trusted.
        let plain = BagAttributes { trusted: false, ..attributes.clone() };
        let scheme = make::pbes1(3, 2);
        match what {
            What::Certificate(number) => make::certificate(certificate(number), &attributes),
            What::Sealed(number) => make::bag(2, &make::sealed(&POOL.keys[number].0, &scheme, "own password"), &plain),
            What::Plain(number) => make::bag(1, &POOL.keys[number].0, &plain),
            What::Secret => make::bag(5, &make::sequence(&[make::oid(&[0x2a, 3])]), &plain),
            What::Crl => make::bag(4, &make::sequence(&[]), &plain),
            What::Nested => {
                let inner = make::certificate(&POOL.lone[0], &attributes);
                make::bag(6, &make::sequence(&[inner]), &plain)
            }
            What::Unknown => make::bag(77, &make::sequence(&[]), &plain),
        }
    })
}

fn file_strategy() -> impl Strategy<Value = Store> {
    let part = (0usize..4, proptest::collection::vec(bag_strategy(), 0..5));
    (proptest::collection::vec(part, 1..4), any::<bool>(), any::<bool>()).prop_map(|(parts, mac, ber)| {
        let cover = |number| match number {
            0 => None,
            1 => Some((make::pbes1(6, 3), PASSWORD)),
            2 => Some((make::pbes2(Hash::Sha256, AES_128, 3), PASSWORD)),
            _ => Some((make::pbes2(Hash::Sha1, DES_EDE3, 3), PASSWORD)),
        };
        let parts = parts.into_iter().map(|(number, bags)| (cover(number), bags)).collect();
        let mac = mac.then(|| (make::mac(Hash::Sha256, 3), PASSWORD));
        make::open(&TestFile { parts, mac, ber, reading: PasswordEncoding::Terminated }.build(), PASSWORD).unwrap()
    })
}

#[derive(Debug, Clone)]
enum Pkcs12Step {
    Keep,
    Rename(String),
    Remove,
    ReplaceKey,
}

fn step_strategy() -> impl Strategy<Value = Pkcs12Step> {
    prop_oneof![
        5 => Just(Pkcs12Step::Keep),
        1 => alias().prop_map(Pkcs12Step::Rename),
        1 => Just(Pkcs12Step::Remove),
        1 => Just(Pkcs12Step::ReplaceKey)
    ]
}

fn prints(entry: &Entry) -> Vec<Fingerprint> {
    entry.certificates().iter().map(CertificateSlot::fingerprint).collect()
}

fn new_key() -> (NewKey, Vec<Arc<Certificate>>) {
    let (key, leaf) = &POOL.keys[3];
    (NewKey::Plain(Zeroizing::new(key.clone())), vec![Certificate::shared(leaf), Certificate::shared(&POOL.root)])
}

/// All bags, each with its bytes, its role for a JVM, and its certificate.
fn bags(store: &Store) -> Vec<(Vec<u8>, BagRole, Option<Fingerprint>)> {
    let pfx = &store.content::<Pkcs12>().unwrap().opened().unwrap().pfx;
    let placed = pfx.placed(store.bytes());
    let seen = view::of(&placed);
    let row = |(placed, seen): (&view::PlacedBag<'_>, view::BagView)| {
        let raw = placed.text[placed.bag.range.clone()].to_vec();
        (raw, seen.role, placed.bag.certificate().map(CertificateSlot::fingerprint))
    };
    placed.iter().zip(seen).map(row).collect()
}

/// A bag without the attributes that an edit may write because the JDK only guesses them.
fn bare(raw: &[u8]) -> Vec<u8> {
    with_attributes(raw, &AttributeChange { name: Some(None), key_id: Some(None), distrust: false }).unwrap()
}

fn takes_alias(store: &Store) -> Vec<&Entry> {
    store.entries().iter().filter(|entry| entry.takes_alias(Format::Pkcs12)).collect()
}

fn is_hidden(store: &Store, id: EntryId) -> bool {
    store.remarks().iter().any(|remark| matches!(remark, Remark::HiddenKey { entry, .. } if *entry == id))
}

type BagRow = (Option<String>, &'static str, Option<i64>, Vec<Fingerprint>);

fn same_but_longer(was: &[BagRow], is: &[BagRow]) -> bool {
    let longer =
        |(was, is): (&BagRow, &BagRow)| (&was.0, was.1, was.2) == (&is.0, is.1, is.2) && is.3.starts_with(&was.3);
    was.len() == is.len() && was.iter().zip(is).all(longer)
}

/// The entries as a JVM sees them: aliases, kinds, chains.
fn meaning(store: &Store) -> Vec<BagRow> {
    let row = |entry: &&Entry| {
        let alias = entry.alias.as_deref().map(|alias| fold_alias(alias).into_owned());
        (alias, entry.kind.as_str(), entry.created_ms, prints(entry))
    };
    let mut all: Vec<_> = takes_alias(store).iter().map(row).collect();
    all.sort();
    all
}

fn edited(store: &Store, edits: &Edits) -> Result<Store, TestCaseError> {
    let bytes = make::edit(store, edits, PASSWORD).map_err(|error| TestCaseError::fail(error.to_string()))?;
    make::open(&bytes, PASSWORD).map_err(|error| TestCaseError::fail(error.to_string()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// An entry that is not named keeps its bytes, alias, kind and chain, whatever else is edited. All other entries
    /// are as the edit asks.
    #[test]
    fn untouched_entries_keep_their_bytes(
        store in file_strategy(),
        steps in proptest::collection::vec(step_strategy(), 16),
        added in proptest::collection::vec((alias(), 0usize..12), 0..3),
    ) {
        let mut edits = Edits::default();
        for (entry, step) in store.entries().iter().zip(&steps) {
            let disposition = match step {
                Pkcs12Step::Keep => continue,
                Pkcs12Step::Rename(alias) => Disposition::Rename(alias.as_str().into()),
                Pkcs12Step::Remove => Disposition::Remove,
                Pkcs12Step::ReplaceKey if matches!(entry.kind, EntryKind::PrivateKey { .. }) => {
                    let (key, chain) = new_key();
                    Disposition::ReplaceKey { key, chain, created_ms: 7 }
                }
                Pkcs12Step::ReplaceKey => continue,
            };
            edits.disposition.insert(entry.id, disposition);
        }
        for (alias, number) in &added {
            edits.add.push(if *number == 11 {
                let (key, chain) = new_key();
                NewEntry::PrivateKey { alias: Some(alias.as_str().into()), key, chain, created_ms: 8 }
            } else {
                NewEntry::Trusted { alias: Some(alias.as_str().into()), certificate: Certificate::shared(certificate(*number)), created_ms: 8 }
            });
        }
        let bytes = match make::edit(&store, &edits, PASSWORD) {
            Err(EditError::AliasTaken { .. } | EditError::NotRepresentable { .. } | EditError::BadAlias { .. }) => return Err(TestCaseError::reject("refused")),
            other => other.unwrap(),
        };
        let after = make::open(&bytes, PASSWORD).unwrap();
        prop_assert!(after.verified());
        // The bytes.
        let (was, is) = (bags(&store), bags(&after));
        let mut stock: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for (raw, ..) in &is {
            *stock.entry(bare(raw)).or_default() += 1;
        }
        let kept: Vec<&Entry> = store.entries().iter().filter(|entry| !edits.disposition.contains_key(&entry.id)).collect();
        for entry in &kept {
            let raw = store.raw(entry.id).unwrap();
            let left = stock.get_mut(&bare(raw));
            prop_assert!(left.as_ref().is_some_and(|left| **left > 0), "{entry:?} lost its bytes");
            *left.unwrap() -= 1;
            if store.is_named(entry.id) && !matches!(entry.kind, EntryKind::PrivateKey { .. } | EntryKind::Untrusted(_)) {
                prop_assert!(is.iter().any(|(other, ..)| other == raw), "{entry:?} changed");
            }
        }
        let needed: Vec<Fingerprint> =
            kept.iter().filter(|entry| matches!(entry.kind, EntryKind::PrivateKey { .. })).flat_map(|entry| prints(entry)).collect();
        for (raw, role, print) in &was {
            if *role == BagRole::Chained && print.is_some_and(|print| needed.contains(&print)) {
                let left = stock.get_mut(&bare(raw));
                prop_assert!(left.as_ref().is_some_and(|left| **left > 0), "a chain's certificate is gone");
                *left.unwrap() -= 1;
            }
        }
        // The meaning for a JVM.
        let mut now = takes_alias(&after);
        for entry in kept.iter().filter(|entry| entry.takes_alias(Format::Pkcs12)) {
            let same = |other: &&Entry| {
                other.alias.as_deref().map(fold_alias) == entry.alias.as_deref().map(fold_alias)
                    && other.kind.as_str() == entry.kind.as_str()
                    && prints(other).starts_with(&prints(entry))
                    && bare(after.raw(other.id).unwrap()) == bare(store.raw(entry.id).unwrap())
            };
            let found = now.iter().position(same);
            prop_assert!(found.is_some(), "{entry:#?} is not what it was among {now:#?}");
            let found = now.remove(found.unwrap());
            prop_assert!(is_hidden(&store, entry.id) || prints(entry).is_empty() == prints(found).is_empty(), "{entry:?}");
            prop_assert_eq!(is_hidden(&after, found.id), is_hidden(&store, entry.id), "{:?}", entry);
        }
        let mut wanted: Vec<(String, &str, Vec<Fingerprint>)> = Vec::new();
        let chain = || new_key().1.iter().map(|one| one.fingerprint()).collect::<Vec<_>>();
        for (id, disposition) in &edits.disposition {
            let entry = store.entry(*id).unwrap();
            match disposition {
                Disposition::Rename(alias) if entry.takes_alias(Format::Pkcs12) => {
                    wanted.push((alias.to_string(), entry.kind.as_str(), prints(entry)));
                }
                Disposition::ReplaceKey { .. } => {
                    wanted.push((fold_alias(entry.alias.as_deref().unwrap_or_default()).into_owned(), "private-key", chain()));
                }
                _ => {}
            }
        }
        for (alias, number) in &added {
            let alias = fold_alias(alias).into_owned();
            wanted.push(match number {
                11 => (alias, "private-key", chain()),
                _ => (alias, "trusted-certificate", vec![Fingerprint::of(certificate(*number))]),
            });
        }
        prop_assert_eq!(now.len(), wanted.len(), "{:?} {:?}", now, wanted);
        for (alias, kind, chain) in wanted {
            let same = |other: &&Entry| {
                fold_alias(other.alias.as_deref().unwrap_or_default()) == alias
                    && other.kind.as_str() == kind
                    && prints(other).starts_with(&chain)
            };
            let found = now.iter().position(same);
            prop_assert!(found.is_some(), "{alias} {kind} is not among {now:#?}");
            now.remove(found.unwrap());
        }
    }

    /// An edit and its reverse leave the meaning for a JVM unchanged.
    #[test]
    fn there_and_back_again(store in file_strategy(), is_key in any::<bool>()) {
        let new = if is_key {
            let (key, chain) = new_key();
            NewEntry::PrivateKey { alias: Some("new".into()), key, chain, created_ms: 1 }
        } else {
            NewEntry::Trusted { alias: Some("new".into()), certificate: Certificate::shared(&POOL.lone[0]), created_ms: 1 }
        };
        let there = match make::edit(&store, &Edits { add: vec![new], ..Edits::default() }, PASSWORD) {
            Err(EditError::NotRepresentable { .. }) => return Err(TestCaseError::reject("refused")),
            other => make::open(&other.unwrap(), PASSWORD).unwrap(),
        };
        let mut edits = Edits::default();
        edits.disposition.insert(there.find(&"new".into())[0], Disposition::Remove);
        let back = edited(&there, &edits)?;
        // The issuers of the new key may have completed the chain of another key: then they stay with that key.
        prop_assert!(same_but_longer(&meaning(&store), &meaning(&back)), "{:?} {:?}", meaning(&back), meaning(&store));
        edits.disposition.insert(there.find(&"new".into())[0], Disposition::Rename("away".into()));
        let away = edited(&there, &edits)?;
        let mut edits = Edits::default();
        edits.disposition.insert(away.find(&"away".into())[0], Disposition::Rename("new".into()));
        let home = edited(&away, &edits)?;
        prop_assert_eq!(meaning(&home), meaning(&there));
    }

    /// Randomly damaged files, and any bytes, give an error or a store, never a panic.
    #[test]
    fn any_bytes(
        store in file_strategy(),
        hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in proptest::option::weighted(0.3, any::<prop::sample::Index>()),
        noise in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut bytes = store.bytes().to_vec();
        for (at, value) in hits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        bytes.extend(noise);
        for unlock in [Some(PASSWORD), None] {
            let password = crate::password::Password::new(unlock.unwrap_or_default());
            let unlock = unlock.map_or(crate::entry::Credential::Withheld, |_| crate::entry::Credential::Password(&password));
            if let Ok(store) = Store::open(bytes.clone(), unlock, &crate::intern::Interner::new()) {
                for entry in store.entries() {
                    store.open_key(entry.id, &password).ok();
                    prop_assert!(store.raw(entry.id).is_some());
                }
                let add = vec![NewEntry::Trusted { alias: Some("new".into()), certificate: Certificate::shared(&POOL.lone[0]), created_ms: 1 }];
                make::edit(&store, &Edits { add, ..Edits::default() }, PASSWORD).ok();
            }
        }
    }
}
