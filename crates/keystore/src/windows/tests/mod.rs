//! Tests of the content of Windows files and of their edits. The laws of editing are in `laws`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod exports;
mod hives;
mod laws;

use std::sync::LazyLock;

use sha1::{Digest as _, Sha1};

use super::element::{key_name, property};
use super::*;
use crate::alias::Alias;
use crate::certificate::Certificate;
use crate::detect::detect;
use crate::edit::{Disposition, NewEntry};
use crate::entry::Credential;
use crate::error::ErrorClass;
use crate::intern::Interner;
use crate::never::Never;
use crate::remark::Remark;
use crate::store::Store;

/// The certificates of the tests.
static POOL: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let made = |n: usize| {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new([format!("host{n}.example")]).unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    };
    (0..4).map(made).collect()
});

fn try_open(bytes: &[u8]) -> Result<Store, ReadError> {
    Store::open(bytes.to_vec(), Credential::Withheld, &Interner::new())
}

fn reopen(bytes: &[u8]) -> Store {
    try_open(bytes).unwrap()
}

fn write(store: &Store, edits: &Edits) -> Result<Vec<u8>, EditError> {
    match store.edit(edits, Credential::NotNeeded, &mut Never)? {
        Image::File(bytes) => Ok(bytes),
        Image::Directory(_) => panic!("a file"),
    }
}

fn remove(at: &[usize]) -> Edits {
    Edits { disposition: at.iter().map(|at| (EntryId(*at), Disposition::Remove)).collect(), ..Edits::default() }
}

fn named(alias: Option<&str>, der: &[u8]) -> Edits {
    let alias = alias.map(Alias::of);
    Edits {
        add: vec![NewEntry::Trusted { alias, certificate: Certificate::shared(der), created_ms: 0 }],
        ..Edits::default()
    }
}

fn add(der: &[u8]) -> Edits {
    named(None, der)
}

fn record(id: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [id, 1, u32::try_from(value.len()).unwrap()] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(value);
    bytes
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// An element with these properties before the SHA-1 of its certificate.
fn element(properties: &[(u32, &[u8])], der: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = properties.iter().flat_map(|(id, value)| record(*id, value)).collect();
    bytes.extend(record(property::SHA1, &Sha1::digest(der)));
    bytes.extend(record(property::CERTIFICATE, der));
    bytes
}

fn sst(elements: &[&[u8]]) -> Vec<u8> {
    [b"\0\0\0\0CERT".as_slice(), &elements.concat(), &[0; 12]].concat()
}

#[test]
fn an_element_reads_and_writes_to_the_byte() {
    let der = &POOL[0];
    // The friendly name comes first, as Windows writes it: `0b 00 00 00 01 00 00 00 16 00 00 00 73 00 63 00 …`.
    let bytes = element(&[(11, &utf16("scout root\0"))], der);
    assert!(bytes.starts_with(
        b"\x0b\0\0\0\x01\0\0\0\x16\0\0\0s\0c\0o\0u\0t\0 \0r\0o\0o\0t\0\0\0\x03\0\0\0\x01\0\0\0\x14\0\0\0"
    ));
    assert_eq!(bytes[0x42..0x4a], *b"\x20\0\0\0\x01\0\0\0");
    let store = reopen(&bytes);
    assert_eq!((store.format(), store.entries().len(), store.remarks()), (Format::WindowsElement, 1, &[][..]));
    assert_eq!(store.label(EntryId(0)), Some("scout root"));
    assert_eq!(store.entries()[0].certificates()[0].der(), der);
    assert_eq!(store.raw(EntryId(0)), Some(&bytes[..]));
    let edits = Edits { add: named(Some("scout root"), der).add, ..remove(&[0]) };
    assert_eq!(write(&store, &edits).unwrap(), bytes, "written anew it is the same");
    assert_eq!(write(&store, &Edits::default()).unwrap(), bytes);
    assert_eq!(write(&Store::create(Format::WindowsElement), &named(Some("scout root"), der)).unwrap(), bytes);
    for refused in [add(der), remove(&[0])] {
        assert!(matches!(write(&store, &refused), Err(EditError::NotRepresentable { .. })));
    }
}

#[test]
fn a_serialised_store_keeps_what_it_does_not_know() {
    let odd = element(&[(92, &[0, 8, 0, 0]), (40_000, b"x"), (11, &utf16("Würzel\0"))], &POOL[0]);
    let (list, trust) = (record(33, b"crl"), record(34, b"ctl"));
    let bytes = sst(&[&odd, &list, &element(&[], &POOL[1]), &trust]);
    let store = reopen(&bytes);
    assert_eq!(store.format(), Format::WindowsSst);
    let kinds: Vec<&str> = store.entries().iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["trusted-certificate", "unknown", "trusted-certificate", "unknown"]);
    assert_eq!((store.label(EntryId(0)), store.label(EntryId(1))), (Some("Würzel"), None));
    assert!(store.entries().iter().all(|entry| entry.alias.is_none()) && store.find(&"Würzel".into()).is_empty());
    let after = write(&store, &Edits { add: add(&POOL[2]).add, ..remove(&[2]) }).unwrap();
    assert_eq!(after, sst(&[&odd, &list, &trust, &element(&[], &POOL[2])]));
    let empty = write(&reopen(&sst(&[&odd])), &remove(&[0])).unwrap();
    assert_eq!(empty.len(), 20);
    assert!(reopen(&empty).entries().is_empty());
    assert_eq!(write(&Store::create(Format::WindowsSst), &add(&POOL[0])).unwrap(), sst(&[&element(&[], &POOL[0])]));
}

#[test]
fn what_cannot_be_written_is_refused() {
    let store = reopen(&sst(&[&element(&[], &POOL[0])]));
    let format = Format::WindowsSst;
    let mut edits = remove(&[0]);
    edits.disposition.insert(EntryId(0), Disposition::Rename("x".into()));
    assert_eq!(write(&store, &edits), Err(EditError::NoAliases { format }));
    assert!(matches!(write(&store, &named(Some("a\0b"), &POOL[0])), Err(EditError::BadAlias { .. })));
    let key = crate::edit::NewKey::Plain(zeroize::Zeroizing::new(Vec::new()));
    let new = NewEntry::PrivateKey { alias: Some("k".into()), key, chain: Vec::new(), created_ms: 0 };
    let edits = Edits { add: vec![new], ..Edits::default() };
    assert_eq!(write(&store, &edits), Err(EditError::CannotHoldKeys { format }));
}

#[test]
fn properties_that_mean_something_are_said() {
    let server_auth: &[u8] = &[0x30, 0x0a, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
    let date = 131_277_024_000_000_000u64.to_le_bytes();
    let limited = element(&[(9, server_auth), (104, &date), (127, server_auth), (126, &date)], &POOL[0]);
    let marked = element(&[(2, &[0; 28]), (19, &[])], &POOL[1]);
    let mut wrong = record(3, &[7; 20]);
    wrong.extend(record(32, &POOL[2]));
    let broken = element(&[], b"\x30\x03\x02\x01\x05");
    let store = reopen(&sst(&[&limited, &marked, &wrong, &broken]));
    let words: Vec<String> = store.remarks().iter().map(ToString::to_string).collect();
    assert!(words[0].contains("trusted for serverAuth only; disallowed since 2017-01-01; "), "{}", words[0]);
    assert!(matches!(store.remarks()[0], Remark::RestrictedTrust { entry: EntryId(0), .. }));
    let kinds = [
        Remark::Archived { entry: EntryId(1) },
        Remark::KeyElsewhere { entry: EntryId(1) },
        Remark::OtherHash { entry: EntryId(2), what: "its SHA-1 property (id 3)" },
    ];
    assert_eq!(store.remarks()[1..4], kinds);
    assert!(matches!(store.remarks()[4], Remark::UnreadCertificate { entry: EntryId(3), .. }));
    assert_eq!(store.remarks().len(), 5);
    assert!(words.iter().skip(1).take(3).all(|text| text.starts_with("entry ")), "{words:?}");
}

#[test]
fn damage_is_named_with_its_byte() {
    let good = element(&[], &POOL[0]);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let cert_at = 12 + 20;
    let twice = [good.clone(), record(32, &POOL[1])].concat();
    let tail = [&good[..], b"tail"].concat();
    let length = with(cert_at + 11, 0x7f);
    for (bytes, offset, what) in [
        (length.clone(), cert_at + 12, "are left"),
        (sst(&[&with(cert_at + 4, 2)]), 8 + cert_at + 4, "encoding 2"),
        (sst(&[&with(cert_at, 0)]), 8 + cert_at, "id 0"),
        (sst(&[&good])[..8 + cert_at + 6].to_vec(), 8 + cert_at, "cut"),
        ([record(3, &[0; 20]), record(4, &[0; 16])].concat(), 60, "no certificate"),
        (twice, good.len(), "second certificate"),
        (tail, good.len(), "4 bytes follow"),
        (element(&[], b"\x30\x00"), 44, "cannot be read"),
        (sst(&[&good])[..8 + good.len()].to_vec(), 8 + good.len(), "end mark"),
        ([sst(&[&good]), b"x".to_vec()].concat(), 20 + good.len(), "1 bytes follow"),
        (sst(&[&good, &length]), 8 + good.len() + cert_at + 12, "element 2: "),
        (sst(&[&record(3, &[0; 20])]), 8 + 32, "id 0"),
    ] {
        let error = try_open(&bytes).unwrap_err();
        let found = (error.class, error.offset, error.to_string().contains(what));
        assert_eq!(found, (ErrorClass::Corrupt, Some(offset as u64), true), "{error} ({what})");
        assert!(error.format.is_some() && !error.hint().is_empty());
    }
    assert_eq!(try_open(&record(33, b"crl")).unwrap_err().class, ErrorClass::NotAStore);
}

#[test]
fn a_few_numbers_make_no_element() {
    for bytes in [&record(3, &[0; 20])[..], &record(32, b"no DER"), b"\x01\0\0\0\x01\0\0\0", &record(70_000, &[0; 40])]
    {
        assert!(detect(bytes).readable().is_err(), "{bytes:?}");
    }
}
