#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use super::*;
use crate::edit::Image;
use crate::format::detect;
use crate::store::Unlock;

const BUNDLE: &[u8] = include_bytes!("../../../../fixtures/keystore/pem/comments-crlf/store");
const DER: &[u8] = include_bytes!("../../../../fixtures/keystore/der/one/store");
const TWO: &[u8] = include_bytes!("../../../../fixtures/keystore/der/two/store");
const BAD: &[u8] = include_bytes!("../../../../fixtures/keystore/pem/bad-middle/store");

/// Nothing here draws a random byte.
struct Never;

impl rand_core::TryRng for Never {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        panic!("no format without keys needs random bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        panic!("no format without keys needs random bytes")
    }

    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
        panic!("no format without keys needs random bytes")
    }
}

impl rand_core::TryCryptoRng for Never {}

fn reopen(bytes: &[u8]) -> Store {
    Store::open(bytes.to_vec(), Unlock::Unverified, &Interner::new()).unwrap()
}

fn write(store: &Store, edits: &Edits) -> Result<Vec<u8>, EditError> {
    match store.edit(edits, None, &mut Never)? {
        Image::File(bytes) => Ok(bytes),
        Image::Directory(_) => panic!("a file"),
    }
}

fn remove(at: usize) -> Edits {
    Edits { disposition: [(EntryId(at), Disposition::Remove)].into(), ..Edits::default() }
}

fn add(der: &[u8]) -> Edits {
    Edits { add: vec![NewEntry::Trusted { alias: None, der: der.to_vec(), created_ms: 0 }], ..Edits::default() }
}

fn fresh() -> Vec<u8> {
    let key = rcgen::KeyPair::generate().unwrap();
    rcgen::CertificateParams::new(["new.example".to_owned()]).unwrap().self_signed(&key).unwrap().der().to_vec()
}

#[test]
fn exactly_the_block_is_cut_and_comments_stay() {
    let store = reopen(BUNDLE);
    let text = String::from_utf8(BUNDLE.to_vec()).unwrap();
    let second = text.rfind("-----BEGIN").unwrap();
    let after = text.rfind("# end").unwrap();
    let wanted = format!("{}{}", &text[..second], &text[after..]);
    assert_eq!(write(&store, &remove(1)).unwrap(), wanted.as_bytes());
}

#[test]
fn a_new_block_takes_the_files_line_ending_and_the_rest_stays() {
    let der = fresh();
    let after = write(&reopen(BUNDLE), &add(&der)).unwrap();
    let tail = after.strip_prefix(BUNDLE).unwrap();
    assert!(tail.starts_with(b"-----BEGIN CERTIFICATE-----\r\n") && tail.ends_with(b"-----END CERTIFICATE-----\r\n"));
    let store = reopen(&after);
    assert_eq!(store.entries()[2].certificates()[0].der(), der);
    assert_eq!(write(&store, &remove(2)).unwrap(), BUNDLE, "and back again");
    // A file that does not end in a line break gets one first.
    let cut = BUNDLE.strip_suffix(b"# end\r\n").unwrap().strip_suffix(b"\r\n").unwrap();
    assert_eq!(reopen(&write(&reopen(cut), &add(&der)).unwrap()).entries().len(), 3);
    let made = write(&Store::create(Format::Pem), &add(&der)).unwrap();
    assert!(made.starts_with(b"-----BEGIN CERTIFICATE-----\n"));
}

#[test]
fn bad_blocks_stay_until_they_are_removed() {
    let store = reopen(BAD);
    let after = write(&store, &remove(0)).unwrap();
    assert!(BAD.ends_with(&after), "only the first block left");
    let clean = reopen(&write(&store, &remove(1)).unwrap());
    assert!(clean.remarks().is_empty() && clean.entries().len() == 2);
    assert!(matches!(store.remarks(), [Remark::BadBlock { line, .. }] if *line > 5), "{:?}", store.remarks());
}

#[test]
fn what_pem_cannot_do_is_refused() {
    let store = reopen(BUNDLE);
    let mut edits = remove(0);
    edits.disposition.insert(EntryId(1), Disposition::Remove);
    assert!(matches!(write(&store, &edits), Err(EditError::NotRepresentable { .. })));
    edits.disposition.insert(EntryId(1), Disposition::Rename("x".to_owned()));
    assert_eq!(write(&store, &edits), Err(EditError::NoAliases { format: Format::Pem }));
    let refused = write(&store, &add(&[DER, &[0]].concat()));
    assert!(matches!(refused, Err(EditError::BadCertificate { .. })));
    assert!(store.find("x").is_empty());
}

#[test]
fn der_files_never_grow_and_never_become_empty() {
    let store = reopen(DER);
    assert!(matches!(write(&store, &add(&fresh())), Err(EditError::NotRepresentable { .. })));
    assert!(matches!(write(&store, &remove(0)), Err(EditError::NotRepresentable { .. })));
    let der = fresh();
    let swapped = Edits { add: add(&der).add, ..remove(0) };
    assert_eq!(write(&store, &swapped).unwrap(), der);
    assert_eq!(write(&reopen(TWO), &remove(1)).unwrap(), DER);
    assert_eq!(write(&Store::create(Format::Der), &add(&der)).unwrap(), der);
}

fn folder(files: &[(&str, &[u8])]) -> Store {
    let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
    Store::open_directory(files, &Interner::new()).unwrap()
}

fn files(store: &Store, edits: &Edits) -> Result<crate::TouchedFiles, EditError> {
    match store.edit(edits, None, &mut Never)? {
        Image::Directory(files) => Ok(files),
        Image::File(_) => panic!("a folder"),
    }
}

#[test]
fn a_folder_names_only_the_files_it_touches() {
    let store = folder(&[("b.pem", BUNDLE), ("a.cer", DER), ("notes.txt", b"hello")]);
    let names: Vec<_> = store.entries().iter().map(|entry| entry.alias.clone().unwrap()).collect();
    assert_eq!(names, ["a.cer", "b.pem", "b.pem", "notes.txt"]);
    assert_eq!(files(&store, &Edits::default()).unwrap(), []);
    assert_eq!(files(&store, &remove(0)).unwrap(), [("a.cer".to_owned(), None)]);
    let cut = files(&store, &remove(2)).unwrap();
    assert!(matches!(&cut[..], [(name, Some(bytes))] if name == "b.pem" && bytes.len() < BUNDLE.len()));
    let rename = |at, name: &str| Edits {
        disposition: [(EntryId(at), Disposition::Rename(name.to_owned()))].into(),
        ..Edits::default()
    };
    let renamed = files(&store, &rename(0, "c.cer")).unwrap();
    assert_eq!(renamed, [("a.cer".to_owned(), None), ("c.cer".to_owned(), Some(DER.to_vec()))]);
    assert!(matches!(files(&store, &rename(0, "B.PEM")), Err(EditError::AliasTaken { .. })));
    assert!(matches!(files(&store, &rename(1, "c.pem")), Err(EditError::BadAlias { .. })), "a file of two");
    for bad in ["../x.pem", "", ".hidden", "a/b", "c:x", "con ", "A.cer"] {
        assert!(matches!(files(&store, &rename(0, bad)), Err(EditError::BadAlias { .. })), "{bad}");
    }
    let der = fresh();
    let added = files(&store, &add(&der)).unwrap();
    assert_eq!(added.len(), 1);
    assert!(added[0].0.ends_with(".pem") && added[0].0.len() == 20);
    assert_eq!(detect(added[0].1.as_ref().unwrap()), crate::Detected::Readable(Format::Pem));
}

#[test]
fn names_may_be_swapped_in_a_folder() {
    let other = &TWO[DER.len()..];
    let store = folder(&[("a.cer", DER), ("b.cer", other)]);
    let rename = |name: &str| Disposition::Rename(name.to_owned());
    let edits = Edits {
        disposition: [(EntryId(0), rename("b.cer")), (EntryId(1), rename("a.cer"))].into(),
        ..Edits::default()
    };
    let swapped = files(&store, &edits).unwrap();
    assert_eq!(swapped, [("a.cer".to_owned(), Some(other.to_vec())), ("b.cer".to_owned(), Some(DER.to_vec()))]);
}
