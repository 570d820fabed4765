//! Tests of hives: what is read, and where reading ends.

use proptest::prelude::*;

use super::*;

const SOFTWARE: &[u8] = include_bytes!("../../../../../fixtures/keystore/windows-hive/software/store");

/// The places of a pattern in the bytes.
fn places(bytes: &[u8], pattern: &[u8]) -> Vec<usize> {
    bytes.windows(pattern.len()).enumerate().filter(|(_, window)| *window == pattern).map(|(at, _)| at).collect()
}

#[test]
fn entries_know_their_store_and_are_never_written() {
    let store = reopen(SOFTWARE);
    let keys: Vec<_> = (0..3).map(|at| store.registry_key(EntryId(at)).unwrap()).collect();
    let root = r"Microsoft\SystemCertificates\ROOT";
    assert_eq!(keys, [root, root, r"Microsoft\SystemCertificates\CA"]);
    assert_eq!(store.label(EntryId(1)), Some("Other"), "from data in segments");
    let raw = store.raw(EntryId(0)).unwrap();
    assert!(raw.starts_with(&record(3, &Sha1::digest(store.entries()[0].certificates()[0].der()))));
    assert!(store.raw(EntryId(1)).unwrap().starts_with(b"vk"));
    assert!(matches!(write(&store, &remove(&[0])), Err(EditError::NotRepresentable { .. })));
}

#[test]
fn a_dirty_hive_is_refused_by_name() {
    let mut dirty = SOFTWARE.to_vec();
    // Both the number and the checksum over it change.
    dirty[4] ^= 1;
    dirty[508] ^= 1;
    let error = try_open(&dirty).unwrap_err();
    assert!(error.class == ErrorClass::Unsupported && error.to_string().contains("dirty"), "{error}");
}

#[test]
fn lists_that_multiply_end_as_an_error() {
    // A list that names one key 60,000 times, and that key has the same list: 3.6 thousand million ways down.
    let mut bytes = SOFTWARE.to_vec();
    let bin = bytes.len() - 4096;
    let count = 60_000u16;
    let key = places(&bytes, b"ROOT").into_iter().map(|at| at - 76).find(|at| bytes[*at..].starts_with(b"nk")).unwrap();
    let own = u32::try_from(key - 4 - 4096).unwrap();
    let mut list = [b"lh".as_slice(), &count.to_le_bytes()].concat();
    (0..count).for_each(|_| list.extend([own.to_le_bytes(), [0; 4]].concat()));
    list.resize(list.len().next_multiple_of(8) + 4, 0);
    let size = i32::try_from(list.len() + 4).unwrap();
    bytes.extend((-size).to_le_bytes());
    bytes.extend(list);
    for at in places(&bytes[..4096 + bin], b"nk").into_iter().filter(|at| *at > 4096) {
        bytes[at + 20] = 1;
        bytes[at + 28..at + 32].copy_from_slice(&u32::try_from(bin).unwrap().to_le_bytes());
    }
    let size = u32::try_from(bytes.len() - 4096).unwrap().to_le_bytes();
    // The checksum is an XOR, so it changes by the same bits as the size.
    (0..4).for_each(|n| bytes[508 + n] ^= bytes[40 + n] ^ size[n]);
    bytes[40..44].copy_from_slice(&size);
    let error = try_open(&bytes).unwrap_err();
    assert_eq!((error.class, error.format), (ErrorClass::Corrupt, Some("windows-hive")), "{error}");
    assert!(error.to_string().contains("more often"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Any number anywhere in the cells gives an error or a store, never a panic.
    #[test]
    fn any_number_in_a_cell(at in 1024usize.., to in prop_oneof![any::<u32>(), 0u32..9000, Just(u32::MAX), Just(1 << 31)], cut in 0usize..3) {
        let mut bytes = SOFTWARE.to_vec();
        // Any aligned word after the base block: the first bytes of cells as well as their contents.
        let words = bytes.len() / 4 - 1024;
        let at = (1024 + at % words) * 4;
        bytes[at..at + 4].copy_from_slice(&to.to_le_bytes());
        if cut == 0 {
            bytes.truncate(at);
        }
        if let Ok(store) = try_open(&bytes) {
            prop_assert!(store.entries().iter().all(|entry| store.raw(entry.id).is_some()));
        }
    }
}
