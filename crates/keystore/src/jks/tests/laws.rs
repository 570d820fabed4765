//! Laws of editing, tested with random stores and edits.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::entry::Entry;

fn alias_strategy() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-c]",
        1 => "[A-C]{1,2}",
        1 => proptest::sample::select(vec!["ü", "Ü", "日本-😀", "nul\0byte", "\u{202e}x", "İ", "ΑΣ"]).prop_map(str::to_owned),
    ]
}

#[derive(Debug, Clone)]
enum JavaStep {
    Keep,
    Rename(String),
    Remove,
    ReplaceKey,
}

fn step_strategy() -> impl Strategy<Value = JavaStep> {
    prop_oneof![3 => Just(JavaStep::Keep), 1 => alias_strategy().prop_map(JavaStep::Rename), 1 => Just(JavaStep::Remove), 1 => Just(JavaStep::ReplaceKey)]
}

/// A store in which any alias may occur twice, because other tools write such files. The test writes the bytes itself.
fn store_strategy() -> impl Strategy<Value = Store> {
    let entry = (alias_strategy(), 0usize..5, any::<i64>());
    (proptest::collection::vec(entry, 0..6), any::<bool>(), 1u32..=2).prop_map(|(entries, jceks, version)| {
        let kind = if jceks { JavaFormat::Jceks } else { JavaFormat::Jks };
        let mut body = kind.magic().to_vec();
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
                // A key that no test opens.
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// An entry that is not named keeps its bytes, whatever else is edited. A renamed entry keeps everything but its
    /// alias. The result reads back as planned. No edit makes two entries share a folded alias.
    #[test]
    fn untouched_entries_keep_their_bytes(
        store in store_strategy(),
        steps in proptest::collection::vec(step_strategy(), 6),
        added in proptest::collection::vec((alias_strategy(), 0usize..4, any::<i64>()), 0..3),
    ) {
        let mut edits = Edits::default();
        for (entry, step) in store.entries().iter().zip(&steps) {
            let disposition = match step {
                JavaStep::Keep => continue,
                JavaStep::Rename(alias) => Disposition::Rename(alias.as_str().into()),
                JavaStep::Remove => Disposition::Remove,
                JavaStep::ReplaceKey if matches!(entry.kind, EntryKind::PrivateKey { .. }) => Disposition::ReplaceKey {
                    key: NewKey::Sealed(store.sealed_key(entry.id).unwrap()),
                    chain: vec![Certificate::shared(&POOL.leaf)],
                    created_ms: 7,
                },
                JavaStep::ReplaceKey => Disposition::Keep,
            };
            edits.disposition.insert(entry.id, disposition);
        }
        edits.add = added.iter().map(|(alias, certificate, date)| trusted(alias, *certificate, *date)).collect();
        match edit(&store, &edits) {
            Err(EditError::AliasTaken { .. }) => {
                let kept = |entry: &&Entry| !matches!(edits.disposition.get(&entry.id), Some(Disposition::Remove));
                let mut names: Vec<String> = store.entries().iter().filter(kept).map(|entry| {
                    match edits.disposition.get(&entry.id) {
                        Some(Disposition::Rename(alias)) => alias.to_string(),
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
                            prop_assert_eq!(renamed.alias.as_deref(), Some(alias.as_str()));
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
                // Duplicates exist only where the store had them before; an edit never makes one.
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
        prop_assert_eq!(&edit(&added, &back).unwrap(), store.bytes());
        let mut away = Edits::default();
        away.disposition.insert(last, Disposition::Rename("away".into()));
        let away = reopen(&edit(&added, &away).unwrap());
        back.disposition.insert(last, Disposition::Rename(alias.into()));
        prop_assert_eq!(&edit(&away, &back).unwrap(), added.bytes());
    }

    /// Any bytes give an error or a store, never a panic.
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
        for credential in [Credential::Withheld, Credential::Password(&password())] {
            if let Ok(store) = Store::open(bytes.clone(), credential, &certificates) {
                for entry in store.entries() {
                    let outcome = store.open_key(entry.id, &password());
                    prop_assert!(outcome.is_err());
                }
            }
        }
    }
}
