//! What every target does with its bytes: open them in each way, edit what opens, and compare what comes back.
//!
//! The first byte says how the rest is dressed and what is done to it, so that the parsers behind a digest or a MAC are reached
//! as well: a JKS is signed anew, a PKCS#12 is put together around bags that nothing protects.

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
/// What is imported.
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

/// One input.
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

/// Bit 0: the digest is made anew, or the bytes are put where a MAC or encryption would be.
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

/// ContentInfo of data.
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
    // Each may ask for millions of rounds: few inputs open keys, and few keys.
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
    // Under the password: what was added to a store opened without one may be encrypted.
    let again = Store::open(bytes, Credential::Password(&password), &Interner::new()).expect("what was written opens");
    compare(store, &edits, &again);
}

/// An import, and what the mode does to one of the entries.
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

/// Everything but what was edited is there, in the same bytes and with the same meaning.
fn compare(before: &Store, edits: &Edits, after: &Store) {
    assert_eq!((before.format(), before.version()), (after.format(), after.version()));
    let mut left: Vec<&Entry> = after.entries().iter().collect();
    for entry in before.entries() {
        if edits.disposition.contains_key(&entry.id) {
            continue;
        }
        // In a PKCS#12 file the number of a nameless entry, or what ties a key to its certificate, may have been written out.
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

/// The bytes as a file of a folder, beside another.
fn folder(bytes: &[u8], mode: u8) {
    let files = vec![("a.pem".to_owned(), bytes.to_vec()), ("b.cer".to_owned(), CERTIFICATE.to_vec())];
    let Ok(store) = Store::open_directory(files, &Interner::new()) else { return };
    let edits = edits(&store, mode);
    if let Ok(Image::Directory(files)) = store.edit(&edits, Credential::NotNeeded, &mut Dice(1)) {
        assert!(files.iter().all(|(name, _)| !name.is_empty()));
    }
}

