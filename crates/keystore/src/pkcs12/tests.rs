//! Tests of what is read, kept and refused of hand-made PKCS#12 files. The laws of editing are in `laws`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]

use zeroize::Zeroizing;

use super::derive::{Hash, MOST_ROUNDS, PasswordEncoding};
use super::mac::Mac;
use super::make::{self, AES_128, AES_192, AES_256, BagAttributes, DES_EDE3, POOL, TestFile, edit, open};
use super::scheme::Scheme;
use crate::certificate::Certificate;
use crate::der::{self, DerReader, encode};
use crate::edit::{Disposition, Edits, NewEntry, NewKey};
use crate::entry::{Credential, Entry, EntryId, EntryKind};
use crate::error::{EditError, ErrorClass, KeyError};
use crate::fingerprint::Fingerprint;
use crate::intern::CertificateSlot;
use crate::password::{Password, ROUNDS};
use crate::remark::Remark;
use crate::store::Store;

const PASSWORD: &str = "changeit";
const HASHES: [Hash; 7] =
    [Hash::Sha1, Hash::Sha224, Hash::Sha256, Hash::Sha384, Hash::Sha512, Hash::Sha512_224, Hash::Sha512_256];

fn schemes() -> Vec<Scheme> {
    let ciphers = [AES_128, AES_192, AES_256, DES_EDE3];
    let modern = HASHES.iter().flat_map(|hash| ciphers.map(|cipher| make::pbes2(*hash, cipher, 5)));
    (1..=6).map(|number| make::pbes1(number, 5)).chain(modern).collect()
}

fn import(alias: &str, certificate: &[u8]) -> Edits {
    let add = vec![NewEntry::Trusted {
        alias: Some(alias.into()),
        certificate: Certificate::shared(certificate),
        created_ms: 1,
    }];
    Edits { add, ..Edits::default() }
}

fn with(id: EntryId, disposition: Disposition) -> Edits {
    let mut edits = Edits::default();
    edits.disposition.insert(id, disposition);
    edits
}

/// `alias:kind:certificates` of each entry, in the file's order.
fn summary(store: &Store) -> Vec<String> {
    let words = |entry: &Entry| {
        format!("{}:{}:{}", entry.alias.as_deref().unwrap_or("-"), entry.kind.as_str(), entry.certificates().len())
    };
    store.entries().iter().map(words).collect()
}

fn edited(store: &Store, edits: &Edits, password: &str) -> Store {
    open(&edit(store, edits, password).unwrap(), password).unwrap()
}

/// A sealed key with its certificate, which `root` signed.
fn identity(number: usize, name: &str, key_id: &[u8], password: &str) -> [Vec<u8>; 2] {
    let (key, leaf) = &POOL.keys[number];
    let named = BagAttributes::of(name).id(key_id);
    [make::bag(2, &make::sealed(key, &make::pbes1(3, 5), password), &named), make::certificate(leaf, &named)]
}

fn trusted(name: &str, certificate: &[u8]) -> Vec<u8> {
    make::certificate(certificate, &BagAttributes::of(name).trusted())
}

fn under(scheme: &Scheme) -> TestFile<'static> {
    let key = make::bag(2, &make::sealed(&POOL.keys[0].0, scheme, PASSWORD), &BagAttributes::of("key").id(b"k"));
    let leaf = make::certificate(&POOL.keys[0].1, &BagAttributes::of("key").id(b"k"));
    TestFile::plain(vec![key]).part(scheme.clone(), PASSWORD, vec![leaf, trusted("root", &POOL.root)])
}

#[test]
fn every_scheme_is_read_kept_and_written() {
    for scheme in schemes() {
        let store = open(&under(&scheme).mac(make::mac(Hash::Sha256, 5), PASSWORD).build(), PASSWORD).unwrap();
        let name = scheme.name();
        assert_eq!(summary(&store), ["key:private-key:2", "root:trusted-certificate:1"], "{name}");
        assert!(store.protected_by().unwrap().contains(&name), "{name}");
        let after = edited(&store, &import("new", &POOL.lone[0]), PASSWORD);
        assert_eq!(after.protected_by(), store.protected_by());
        let key = after.open_key(after.find(&"key".into())[0], &Password::new(PASSWORD)).unwrap();
        assert_eq!(*key.pkcs8, POOL.keys[0].0, "{name}");
        assert_eq!(summary(&after).len(), 3);
        let error = open(store.bytes(), "not this one").unwrap_err();
        assert_eq!(error.class, ErrorClass::WrongPassword, "{name}: {error}");
    }
}

#[test]
fn judge_openssl_reads_every_scheme() {
    needs!(Openssl);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.p12");
    for scheme in schemes() {
        let store = open(&under(&scheme).mac(make::mac(Hash::Sha1, 5), PASSWORD).build(), PASSWORD).unwrap();
        std::fs::write(&path, edit(&store, &import("new", &POOL.lone[0]), PASSWORD).unwrap()).unwrap();
        let mut openssl = std::process::Command::new("openssl");
        openssl.args(["pkcs12", "-nodes", "-legacy", "-passin", "env:STORE_PASSWORD", "-in"]).arg(&path);
        let output = openssl
            .env("STORE_PASSWORD", PASSWORD)
            .output()
            .unwrap_or_else(|error| panic!("openssl does not start: {error}"));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        let count = |what: &str| said.matches(what).count();
        let counted = (count("BEGIN PRIVATE KEY"), count("BEGIN CERTIFICATE"));
        assert!(output.status.success() && counted == (1, 3), "{}: {counted:?} {complaint}", scheme.name());
    }
}

#[test]
fn macs_of_the_whole_family_are_checked_and_kept() {
    for hash in HASHES {
        let bytes = TestFile::plain(vec![trusted("root", &POOL.root)]).mac(make::mac(hash, 5), PASSWORD).build();
        let store = open(&bytes, PASSWORD).unwrap();
        assert_eq!(store.protected_by(), Some(format!("MAC HMAC-{}, 5 rounds", hash.name())));
        let after = edited(&store, &import("new", &POOL.lone[0]), PASSWORD);
        assert_eq!((after.protected_by(), after.entries().len()), (store.protected_by(), 2));
        assert_eq!(open(&bytes, "not this one").unwrap_err().class, ErrorClass::WrongPassword);
    }
}

#[test]
fn pbmac1_is_read_with_a_whole_key_only() {
    let read = |length| {
        let data = make::pbmac1(length, 5);
        Mac::read(&DerReader::new(&data).next().unwrap())
    };
    for length in [20, 32, 64] {
        let bytes =
            TestFile::plain(vec![trusted("root", &POOL.root)]).mac(read(Some(length)).unwrap(), PASSWORD).build();
        let store = open(&bytes, PASSWORD).unwrap();
        assert!(store.protected_by().unwrap().contains("PBMAC1 with HMAC-SHA-256"));
        assert!(store.remarks().iter().any(|remark| matches!(remark, Remark::JvmCannotOpen { entry: None, .. })));
        let after = edited(&store, &import("new", &POOL.lone[0]), PASSWORD);
        assert_eq!((after.protected_by(), after.entries().len()), (store.protected_by(), 2));
        assert_eq!(open(&bytes, "not this one").unwrap_err().class, ErrorClass::WrongPassword);
    }
    // With a key of one byte anybody could forge the MAC in 256 tries. A missing length is refused as well.
    for length in [Some(0), Some(1), Some(19), Some(65), Some(u64::from(u32::MAX)), None] {
        assert!(read(length).is_err(), "{length:?}");
    }
    let mut bytes = TestFile::plain(vec![trusted("root", &POOL.root)]).mac(read(Some(32)).unwrap(), PASSWORD).build();
    let whole = [2, 1, 5, 2, 1, 32];
    let at = bytes.windows(6).position(|window| window == whole).unwrap();
    bytes[at + 5] = 1;
    let error = open(&bytes, PASSWORD).unwrap_err();
    assert_eq!(error.class, ErrorClass::Corrupt, "{error}");
}

#[test]
fn passwords_are_read_as_the_file_was_written() {
    for (password, reading) in [
        ("", PasswordEncoding::Terminated),
        ("", PasswordEncoding::Absent),
        ("pässwörd-日本-😀", PasswordEncoding::Terminated),
        ("pässwörd-日本-😀", PasswordEncoding::Widened),
    ] {
        for mac in [true, false] {
            let mut file = TestFile { reading, ..TestFile::plain(Vec::new()) };
            file = file.part(make::pbes1(3, 5), password, vec![trusted("root", &POOL.root)]);
            if mac {
                file = file.mac(make::mac(Hash::Sha1, 5), password);
            }
            let store = open(&file.build(), password).unwrap();
            let after = edited(&store, &import("new", &POOL.lone[0]), password);
            // The second edit proves that the first kept the reading for each of its parts.
            let after = edited(&after, &import("newer", &POOL.lone[1]), password);
            assert_eq!(summary(&after).len(), 3, "{password:?} {reading:?}");
            assert_eq!(open(after.bytes(), "other").unwrap_err().class, ErrorClass::WrongPassword);
            assert_eq!(edit(&store, &import("new", &POOL.lone[0]), "other"), Err(EditError::WrongPassword));
        }
    }
}

#[test]
fn a_stream_cipher_does_not_take_any_password() {
    let store = open(
        &TestFile::plain(vec![]).part(make::pbes1(1, 5), PASSWORD, vec![trusted("a", &POOL.root)]).build(),
        PASSWORD,
    );
    let store = store.unwrap();
    for number in 0..20 {
        let wrong = format!("wrong{number}");
        assert_eq!(open(store.bytes(), &wrong).unwrap_err().class, ErrorClass::WrongPassword);
        assert_eq!(edit(&store, &import("new", &POOL.lone[0]), &wrong), Err(EditError::WrongPassword));
    }
}

#[test]
fn bytes_after_the_end_are_kept() {
    for ber in [false, true] {
        let file = TestFile { ber, ..TestFile::plain(vec![trusted("root", &POOL.root)]) }
            .mac(make::mac(Hash::Sha1, 5), PASSWORD);
        let bytes = [file.build(), b"tail".to_vec()].concat();
        let store = open(&bytes, PASSWORD).unwrap();
        assert_eq!(store.remarks(), [Remark::TrailingBytes { count: 4 }]);
        let after = edited(&store, &import("new", &POOL.lone[0]), PASSWORD);
        assert!(after.bytes().ends_with(b"tail") && after.remarks() == store.remarks());
        assert_eq!(after.raw(after.find(&"root".into())[0]), store.raw(store.find(&"root".into())[0]));
    }
}

#[test]
fn keys_under_passwords_of_their_own_survive() {
    let bags =
        [identity(0, "a", b"1", "one"), identity(1, "b", b"2", "two"), identity(2, "c", b"3", PASSWORD)].concat();
    let store = open(&TestFile::plain(bags).mac(make::mac(Hash::Sha1, 5), PASSWORD).build(), PASSWORD).unwrap();
    let mut edits = import("new", &POOL.lone[0]);
    edits.disposition.insert(store.find(&"b".into())[0], Disposition::Rename("B2".into()));
    let after = edited(&store, &edits, PASSWORD);
    for (number, alias, password) in [(0, "a", "one"), (1, "b2", "two"), (2, "c", PASSWORD)] {
        let id = after.find(&alias.into())[0];
        assert_eq!(*after.open_key(id, &Password::new(password)).unwrap().pkcs8, POOL.keys[number].0);
        assert_eq!(after.open_key(id, &Password::new("zero")).unwrap_err(), KeyError::WrongPassword);
    }
}

#[test]
fn a_repeated_local_key_id_goes_by_the_names() {
    let bags = [identity(0, "a", b"same", PASSWORD), identity(1, "b", b"same", PASSWORD)].concat();
    let store = open(&TestFile::plain(bags).build(), PASSWORD).unwrap();
    let leaf = |store: &Store, alias: &str| {
        store.entry(store.find(&alias.into())[0]).unwrap().certificates().first().map(CertificateSlot::fingerprint)
    };
    let print = |number: usize| Some(Fingerprint::of(&POOL.keys[number].1));
    assert_eq!((leaf(&store, "a"), leaf(&store, "b")), (print(0), print(1)));
    let after = edited(&store, &with(store.find(&"a".into())[0], Disposition::Remove), PASSWORD);
    assert_eq!((summary(&after), leaf(&after, "b")), (vec!["b:private-key:1".to_owned()], print(1)));
    // Without its name, `a` would get the certificate of `b`. So the certificate is renamed with its key, or the edit
    // is refused.
    let renamed = edited(&store, &with(store.find(&"a".into())[0], Disposition::Rename("z".into())), PASSWORD);
    assert_eq!((leaf(&renamed, "z"), leaf(&renamed, "b")), (print(0), print(1)));
}

#[test]
fn a_cycle_of_issuers_ends() {
    let key =
        make::bag(2, &make::sealed(&POOL.keys[0].0, &make::pbes1(3, 5), PASSWORD), &BagAttributes::of("k").id(b"k"));
    let first = make::certificate(&POOL.cycle[0], &BagAttributes::of("k").id(b"k"));
    let second = make::certificate(&POOL.cycle[1], &BagAttributes::default());
    let store = open(&TestFile::plain(vec![key, first, second]).build(), PASSWORD).unwrap();
    assert_eq!(summary(&store), ["k:private-key:2"]);
    assert_eq!(summary(&edited(&store, &import("new", &POOL.lone[0]), PASSWORD)).len(), 2);
}

#[test]
fn supplementary_characters_are_names() {
    let store = open(&TestFile::plain(vec![trusted("日本-😀", &POOL.root)]).build(), PASSWORD).unwrap();
    let after = edited(&store, &with(EntryId(0), Disposition::Rename("𝔘-😀".into())), PASSWORD);
    assert_eq!(
        (store.entries()[0].alias.as_deref(), after.entries()[0].alias.as_deref()),
        (Some("日本-😀"), Some("𝔘-😀"))
    );
    assert!(after.remarks().iter().all(|remark| *remark == Remark::NoMac));
}

#[test]
fn a_number_that_would_change_is_written_out() {
    let nameless = |n: usize| make::certificate(&POOL.lone[n], &BagAttributes::default().trusted());
    let store = open(&TestFile::plain(vec![nameless(0), nameless(1), nameless(2)]).build(), PASSWORD).unwrap();
    assert_eq!(summary(&store).concat(), "1:trusted-certificate:12:trusted-certificate:13:trusted-certificate:1");
    let after = edited(&store, &with(EntryId(1), Disposition::Remove), PASSWORD);
    assert_eq!(summary(&after), ["1:trusted-certificate:1", "3:trusted-certificate:1"]);
    assert_eq!((after.is_named(EntryId(0)), after.is_named(EntryId(1))), (false, true));
    assert_eq!(after.raw(EntryId(0)), store.raw(EntryId(0)));
    assert_eq!(after.entries()[1].certificates()[0].der(), POOL.lone[2]);
}

#[test]
fn a_certificate_that_a_chain_needs_stays_for_the_chain() {
    let [key, leaf] = identity(0, "k", b"k", PASSWORD);
    let store = open(&TestFile::plain(vec![key, leaf, trusted("root", &POOL.root)]).build(), PASSWORD).unwrap();
    assert_eq!(summary(&store), ["k:private-key:2", "root:trusted-certificate:1"]);
    let after = edited(&store, &with(store.find(&"root".into())[0], Disposition::Remove), PASSWORD);
    assert_eq!(summary(&after), ["k:private-key:2"], "no longer trusted, and still in the chain");
    assert_eq!(after.raw(EntryId(0)), store.raw(EntryId(0)));
    // The certificate is removed together with the key.
    let bare = edited(&after, &with(EntryId(0), Disposition::Remove), PASSWORD);
    assert!(bare.entries().is_empty());
}

#[test]
fn a_key_that_a_jvm_sees_by_its_order_stays_seen() {
    let sealed = |name: &str| {
        make::bag(2, &make::sealed(&POOL.keys[0].0, &make::pbes1(3, 5), PASSWORD), &BagAttributes::of(name))
    };
    let plain = make::bag(1, &POOL.keys[1].0, &BagAttributes::of("clear"));
    let store = open(&TestFile::plain(vec![plain, sealed("first"), sealed("second")]).build(), PASSWORD).unwrap();
    let hidden = |store: &Store| {
        let names = store.remarks().iter().filter_map(|remark| match remark {
            Remark::HiddenKey { alias, .. } => Some(alias.clone()),
            _ => None,
        });
        names.collect::<Vec<_>>()
    };
    assert_eq!(hidden(&store), ["clear", "second"]);
    let replace = Disposition::ReplaceKey {
        key: NewKey::Plain(Zeroizing::new(POOL.keys[3].0.clone())),
        chain: vec![Certificate::shared(&POOL.keys[3].1)],
        created_ms: 1,
    };
    let after = edited(&store, &with(store.find(&"clear".into())[0], replace), PASSWORD);
    assert_eq!(hidden(&after), ["second"], "the first of those without a localKeyId is no longer the first key");
    let refused = edit(&store, &with(store.find(&"first".into())[0], Disposition::Remove), PASSWORD);
    let Err(EditError::NotRepresentable { why, .. }) = refused else { panic!("{refused:?}") };
    assert!(why.contains("begin to see the private key `second`"), "{why}");
}

#[test]
fn a_key_in_the_clear_is_tied_by_what_it_is() {
    let bags = vec![
        make::bag(1, &POOL.keys[0].0, &BagAttributes::of("k")),
        make::certificate(&POOL.keys[0].1, &BagAttributes::default()),
    ];
    let store = open(&TestFile::plain(bags).build(), PASSWORD).unwrap();
    assert_eq!(summary(&store), ["k:private-key:1"]);
    // The draft of an edit sees the same tie.
    let after = edited(&store, &import("new", &POOL.lone[0]), PASSWORD);
    assert_eq!(summary(&after), ["k:private-key:1", "new:trusted-certificate:1"]);
    assert_eq!(after.raw(EntryId(0)), store.raw(EntryId(0)));
}

#[test]
fn a_part_under_another_password_is_said() {
    let file = TestFile::plain(vec![trusted("a", &POOL.root)]).part(make::pbes1(3, 5), "other", vec![]);
    let error = open(&file.mac(make::mac(Hash::Sha1, 5), PASSWORD).build(), PASSWORD).unwrap_err();
    assert_eq!(error.class, ErrorClass::WrongPassword);
    assert!(error.cause().contains("fits the MAC but not part 2"), "{error}");
}

#[test]
fn a_change_is_told_from_a_wrong_password() {
    let file = TestFile::plain(vec![trusted("a", &POOL.root)]).part(
        make::pbes1(3, 5),
        PASSWORD,
        vec![trusted("b", &POOL.lone[0])],
    );
    let mut bytes = file.mac(make::mac(Hash::Sha1, 5), PASSWORD).build();
    assert_eq!(open(&bytes, "not this one").unwrap_err().class, ErrorClass::WrongPassword);
    let at = bytes.windows(POOL.root.len()).position(|window| window == POOL.root).unwrap();
    bytes[at + POOL.root.len() - 1] ^= 1;
    let error = open(&bytes, PASSWORD).unwrap_err();
    assert_eq!(error.class, ErrorClass::Corrupt, "{error}");
    assert_eq!(open(&bytes, "not this one").unwrap_err().class, ErrorClass::WrongPassword);
}

#[test]
fn too_much_work_is_refused_before_any_is_done() {
    // The parts are encrypted under few rounds, but the file demands many.
    let parts = |count: usize| {
        let part = |_| (Some((make::pbes2(Hash::Sha512, AES_256, 70_000), PASSWORD)), vec![]);
        let bytes = TestFile { parts: (0..count).map(part).collect(), ..TestFile::plain(vec![]) }.build();
        let (few, many) = ([2, 3, 1, 0x11, 0x70], [2, 3, 0x4c, 0x4b, 0x40]);
        let mut bytes = bytes;
        while let Some(at) = bytes.windows(5).position(|window| window == few) {
            bytes[at..at + 5].copy_from_slice(&many);
        }
        bytes
    };
    assert_eq!(MOST_ROUNDS, 0x4c_4b40);
    let bytes = parts(8);
    let before = ROUNDS.get();
    let error = open(&bytes, PASSWORD).unwrap_err();
    assert_eq!(ROUNDS.get() - before, 0, "rounds were run first");
    assert_eq!(error.class, ErrorClass::Corrupt);
    assert!(error.cause().contains("rounds of key derivation"), "{error}");
    // Without a password there is no work, and the parts are shown as closed.
    let store = Store::open(bytes, Credential::Withheld, &crate::intern::Interner::new()).unwrap();
    assert!(store.entries().len() == 8 && store.entries().iter().all(|e| matches!(e.kind, EntryKind::Opaque(_))));
}

#[test]
fn pbes2_parameters_that_are_wrapped_twice_are_read_as_if_they_were_not() {
    let plain = make::pbes2(Hash::Sha256, AES_256, 5).identifier();
    let mut parts = DerReader::new(&plain).next().unwrap().inner();
    let (oid, parameters) = (parts.next().unwrap(), parts.next().unwrap());
    let once = encode(der::SEQUENCE, &[oid.raw, parameters.raw].concat());
    let twice = encode(der::SEQUENCE, &[oid.raw, &once].concat());
    let read = |bytes: &[u8]| Scheme::read(&DerReader::new(bytes).next().unwrap());
    assert_eq!(read(&twice), read(&plain));
    assert!(read(&plain).is_ok());
}

#[test]
fn what_java_before_8u301_cannot_read_is_named() {
    let needs = |protection| {
        let made = edit(&Store::create_pkcs12(protection), &import("a", &POOL.lone[0]), PASSWORD).unwrap();
        open(&made, PASSWORD).unwrap().needs_java_8u301()
    };
    assert_eq!(needs(crate::Protection::java8()), None);
    assert!(needs(crate::Protection::modern()).is_some_and(|what| what.contains("AES-256")));
}

/// Without a password the MAC is not checked, so that a file with any MAC can be listed. Such a file is never written,
/// because its MAC could not be computed again.
#[test]
fn a_mac_that_is_not_checked_refuses_nothing() {
    let unverified = |bytes: Vec<u8>| Store::open(bytes, Credential::Withheld, &crate::intern::Interner::new());
    let good = TestFile::plain(vec![trusted("root", &POOL.root)]).mac(make::mac(Hash::Sha256, 5), PASSWORD).build();
    let sha256 = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
    let at = good.windows(sha256.len()).rposition(|window| window == sha256).unwrap();
    let mut files = vec![{
        let mut unknown = good.clone();
        unknown[at + 8] = 0x7f;
        unknown
    }];
    for length in [Some(0), Some(1), Some(19), Some(65), Some(u64::from(u32::MAX)), None] {
        let data = make::pbmac1(length, 5);
        let mut fields = DerReader::new(&good).next().unwrap().inner();
        let mut last = 0;
        while let Ok(field) = fields.next() {
            last = field.raw.len();
        }
        let mac_at = good.len() - last;
        let mut body = good[..mac_at].to_vec();
        body.extend(&data);
        let header = DerReader::new(&good).next().unwrap();
        let inner = body[good.len() - header.body.len()..].to_vec();
        files.push(encode(der::SEQUENCE, &inner));
    }
    for bytes in files {
        assert!(open(&bytes, PASSWORD).is_err());
        let store = unverified(bytes).unwrap();
        assert_eq!(store.entries().len(), 1);
        assert!(!store.verified() && store.protected_by().unwrap().contains("not read"), "{:?}", store.protected_by());
        assert!(store.remarks().contains(&Remark::Unverified) && !store.remarks().contains(&Remark::NoMac));
        let refused = edit(&store, &import("new", &POOL.lone[0]), PASSWORD);
        assert!(matches!(refused, Err(EditError::NotOpened { .. })), "{refused:?}");
    }
}
