//! The work of every fuzz target: it takes bytes, opens them in each way, edits every store that opens, and compares
//! the result.
//!
//! The first byte of an input decides how the rest is wrapped and edited. A JKS may get a new digest, and a PKCS#12
//! file may be built around unprotected bags, so that fuzzing also reaches the parsers behind a digest or a MAC.

#[path = "../../../../fixtures/dice.rs"]
mod dice;
mod seeds;

use std::sync::Arc;

use sha1::{Digest as _, Sha1};
use trustmason_keystore::{
    Certificate, Credential, Disposition, Edits, Entry, EntryKind, Fingerprint, Format, Image, Interner, NewEntry,
    Password, Store,
};

use dice::Dice;
pub use seeds::seeds;

/// The password of every seed.
const PASSWORD: &str = "changeit";
/// The certificate that the edits import.
const CERTIFICATE: &[u8] = include_bytes!("../../../../fixtures/keystore/der/one/store");

/// The formats that are fuzzed.
pub const FORMATS: [Format; 10] = [
    Format::Jks,
    Format::Jceks,
    Format::Pkcs12,
    Format::Pem,
    Format::Der,
    Format::Pkcs7,
    Format::WindowsSst,
    Format::WindowsElement,
    Format::WindowsReg,
    Format::WindowsHive,
];

/// Runs one input.
pub fn run(format: Format, data: &[u8]) {
    let Some((&mode, body)) = data.split_first() else { return };
    let bytes = dressed(format, mode, body);
    let password = Password::new(PASSWORD);
    for credential in [Credential::Withheld, Credential::Password(&password)] {
        match Store::open(bytes.clone(), credential, &Interner::new()) {
            Ok(store) => used(&store, mode),
            Err(error) => {
                let text = error.to_string();
                assert!(!text.chars().any(char::is_control), "{text:?}");
            }
        }
    }
    if matches!(format, Format::Pem | Format::Der | Format::Pkcs7) {
        folder(&bytes, mode);
    }
}

/// Wraps the bytes if bit 0 of the mode is set: computes the digest again, or builds a file without MAC and encryption
/// around them.
fn dressed(format: Format, mode: u8, body: &[u8]) -> Vec<u8> {
    let magic: &[u8] = match format {
        _ if mode & 1 == 0 => return body.to_vec(),
        Format::Jks => &[0xfe, 0xed, 0xfe, 0xed],
        Format::Jceks => &[0xce; 4],
        Format::Pkcs12 if mode & 2 == 0 => return pfx(&element(0x30, &data_part(body))),
        Format::Pkcs12 => return pfx(body),
        _ => return body.to_vec(),
    };
    let mut bytes = [magic, body].concat();
    let mut digest = Sha1::new();
    digest.update(PASSWORD.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>());
    digest.update(b"Mighty Aphrodite");
    digest.update(&bytes);
    bytes.extend(digest.finalize());
    bytes
}

fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[tag, 0x84], &length[..], body].concat()
}

/// A ContentInfo of data.
fn data_part(body: &[u8]) -> Vec<u8> {
    let kind = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
    element(0x30, &[&kind[..], &element(0xa0, &element(0x04, body))].concat())
}

fn pfx(safe: &[u8]) -> Vec<u8> {
    element(0x30, &[&[2, 1, 3][..], &data_part(safe)].concat())
}

fn used(store: &Store, mode: u8) {
    let password = Password::new(PASSWORD);
    for entry in store.entries() {
        assert!(store.raw(entry.id).is_some(), "an entry without bytes");
        for slot in entry.certificates() {
            assert_eq!(slot.fingerprint(), Fingerprint::of(slot.der()));
        }
    }
    for remark in store.remarks() {
        assert!(!remark.to_string().is_empty());
    }
    // Each key may ask for millions of rounds, so few inputs open keys, and each of them only two.
    if mode & 0x80 != 0 {
        for entry in store.entries().iter().take(2) {
            drop(store.open_key(entry.id, &password));
        }
    }
    let mut dice = Dice(u64::from(mode));
    if let Ok(image) = store.edit(&Edits::default(), &password, &mut dice) {
        assert_eq!(image, Image::File(store.bytes().to_vec()), "an edit of nothing changed something");
    }
    let edits = edits(store, mode);
    let Ok(Image::File(bytes)) = store.edit(&edits, &password, &mut dice) else { return };
    // The result is opened with the password, because the edit may have encrypted a new entry of a store that was
    // opened without one.
    let again = Store::open(bytes, Credential::Password(&password), &Interner::new()).expect("what was written opens");
    compare(store, &edits, &again);
}

/// An import, and the edit of one entry that the mode selects.
fn edits(store: &Store, mode: u8) -> Edits {
    let mut edits = Edits::default();
    let count = store.entries().len();
    if let Some(entry) = store.entries().get(usize::from(mode >> 4) % count.max(1)) {
        match mode >> 2 & 3 {
            1 => drop(edits.disposition.insert(entry.id, Disposition::Rename("renamed".into()))),
            2 => drop(edits.disposition.insert(entry.id, Disposition::Remove)),
            _ => {}
        }
    }
    let certificate = Arc::new(Certificate::parse(CERTIFICATE).expect("what is imported is a certificate"));
    edits.add.push(NewEntry::Trusted { alias: Some("imported".into()), certificate, created_ms: 1 });
    edits
}

fn prints(entry: &Entry) -> Vec<Fingerprint> {
    entry.certificates().iter().map(|slot| slot.fingerprint()).collect()
}

/// Checks that every entry which was not edited has the same bytes and the same meaning.
fn compare(before: &Store, edits: &Edits, after: &Store) {
    assert_eq!((before.format(), before.version()), (after.format(), after.version()));
    let mut left: Vec<&Entry> = after.entries().iter().collect();
    for entry in before.entries() {
        if edits.disposition.contains_key(&entry.id) {
            continue;
        }
        // In a PKCS#12 file the edit may have written the number of a nameless entry, or the tie between a key and its
        // certificate.
        let pinned = before.format() == Format::Pkcs12
            && (!before.is_named(entry.id) || matches!(entry.kind, EntryKind::PrivateKey { .. }));
        let same = |other: &&Entry| {
            let raw = before.raw(entry.id) == after.raw(other.id) || pinned;
            raw && other.alias == entry.alias
                && other.kind.as_str() == entry.kind.as_str()
                && other.created_ms == entry.created_ms
                && prints(other).starts_with(&prints(entry))
        };
        match left.iter().position(same) {
            Some(at) => drop(left.remove(at)),
            None => panic!("lost: {entry:?}\nbefore {before:?}\nafter {after:?}"),
        }
    }
    let imported = |entry: &&Entry| matches!(&entry.kind, EntryKind::Trusted(slot) if slot.der() == CERTIFICATE);
    assert!(left.iter().any(imported), "the import is not there: {after:?}");
}

/// Opens and edits the bytes as a file of a folder, beside another file.
fn folder(bytes: &[u8], mode: u8) {
    let files = vec![("a.pem".to_owned(), bytes.to_vec()), ("b.cer".to_owned(), CERTIFICATE.to_vec())];
    let Ok(store) = Store::open_directory(files, &Interner::new()) else { return };
    let edits = edits(&store, mode);
    if let Ok(Image::Directory(files)) = store.edit(&edits, Credential::NotNeeded, &mut Dice(1)) {
        assert!(files.iter().all(|(name, _)| !name.is_empty()));
    }
}

