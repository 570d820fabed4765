#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::certificate::Certificate;
use crate::der::encode;
use crate::detect::{Detected, detect};
use crate::edit::{Disposition, Edits, Image, NewEntry};
use crate::entry::{Credential, EntryId};
use crate::error::EditError;
use crate::never::Never;
use crate::store::Store;

const ONE: &[u8] = include_bytes!("../../../../fixtures/keystore/der/one/store");
const TWO: &[u8] = include_bytes!("../../../../fixtures/keystore/der/two/store");

fn other() -> &'static [u8] {
    &TWO[ONE.len()..]
}

fn oid(number: u8) -> Vec<u8> {
    encode(der::OID, &[PKCS7, &[number]].concat())
}

/// An element with a definite length, or with an indefinite one.
fn wrap(ber: bool, tag: u8, body: &[u8]) -> Vec<u8> {
    if ber { [&[tag, 0x80], body, &[0, 0]].concat() } else { encode(tag, body) }
}

fn message(ber: bool, certificates: &[u8], crls: &[u8], signers: usize) -> Vec<u8> {
    let data = [oid(1), wrap(ber, CONTEXT_0, &[der::OCTET_STRING, 2, b'h', b'i'])].concat();
    let data = if signers > 0 { data } else { oid(1) };
    let parts = [
        vec![der::INTEGER, 1, 1],
        wrap(ber, der::SET, &[]),
        wrap(ber, der::SEQUENCE, &data),
        if certificates.is_empty() { Vec::new() } else { wrap(ber, CONTEXT_0, certificates) },
        if crls.is_empty() { Vec::new() } else { wrap(ber, CONTEXT_1, crls) },
        wrap(ber, der::SET, &encode(der::SEQUENCE, &[]).repeat(signers)),
    ];
    let signed = wrap(ber, der::SEQUENCE, &parts.concat());
    wrap(ber, der::SEQUENCE, &[oid(2), wrap(ber, CONTEXT_0, &signed)].concat())
}

fn bundle(ber: bool) -> Vec<u8> {
    message(ber, &[ONE, other()].concat(), &[], 0)
}

fn armour(der: &[u8], label: &str) -> Vec<u8> {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")).into_bytes()
}

fn open(bytes: &[u8]) -> Result<Store, ReadError> {
    Store::open(bytes.to_vec(), Credential::Withheld, &Interner::new())
}

fn ders(store: &Store) -> Vec<&[u8]> {
    store.entries().iter().flat_map(|entry| entry.certificates()).map(CertificateSlot::der).collect()
}

#[test]
fn a_bundle_reads_the_same_in_der_ber_and_pem() {
    for bytes in [
        bundle(false),
        bundle(true),
        armour(&bundle(false), "PKCS7"),
        armour(&bundle(true), "CMS"),
        armour(&bundle(false), "PKCS #7 SIGNED DATA"),
        armour(&bundle(true), "CERTIFICATE"),
        [b"0 s:/CN=x\r\n".as_slice(), &armour(&bundle(false), "PKCS7")].concat(),
    ] {
        assert_eq!(detect(&bytes), Detected::Readable(Format::Pkcs7));
        let store = open(&bytes).unwrap();
        assert_eq!((store.format(), store.remarks()), (Format::Pkcs7, &[][..]));
        assert_eq!(ders(&store), [ONE, other()]);
        assert!(store.entries().iter().all(|entry| entry.alias.is_none() && entry.created_ms.is_none()));
    }
    for ber in [false, true] {
        let bytes = bundle(ber);
        let store = open(&bytes).unwrap();
        assert_eq!(store.raw(EntryId(0)), Some(ONE), "as it stands in the file");
        assert_eq!(store.raw(EntryId(1)), Some(other()));
    }
    let text = armour(&bundle(false), "PKCS7");
    assert_eq!(open(&text).unwrap().raw(EntryId(1)), Some(text.as_slice()), "under PEM lines all share the block");
}

#[test]
fn what_is_no_certificate_is_opaque_and_signers_are_said() {
    let certificates = [&[0xa2, 0], ONE, &[0xa3, 0]].concat();
    let store = open(&message(false, &certificates, &[0x30, 0, 0xa1, 0], 2)).unwrap();
    let kinds: Vec<&str> = store.entries().iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["unknown", "trusted-certificate", "unknown", "unknown", "unknown"]);
    assert_eq!(store.remarks(), [Remark::SignedMessage { signers: 2, content: true, file: None }]);
    assert!(store.remarks()[0].to_string().contains("signed by 2, with its content"), "{}", store.remarks()[0]);
    let empty = open(&message(false, &[], &[], 0)).unwrap();
    assert!(empty.entries().is_empty() && empty.remarks().is_empty());
    let tail = open(&[bundle(true), b"tail".to_vec()].concat()).unwrap();
    assert_eq!(tail.remarks(), [Remark::TrailingBytes { count: 4 }]);
}

#[test]
fn other_messages_are_refused_by_name() {
    let of = |kind: Vec<u8>| encode(der::SEQUENCE, &[kind, vec![0xa0, 2, 0x30, 0]].concat());
    let cms = |number| encode(der::OID, &[SMIME, &[number]].concat());
    let cases = [
        (of(oid(1)), "plain data"),
        (of(oid(3)), "an enveloped (encrypted) PKCS#7 message"),
        (of(oid(4)), "signed and enveloped"),
        (of(oid(5)), "digested"),
        (of(oid(6)), "an encrypted PKCS#7"),
        (of(cms(2)), "authenticated CMS"),
        (of(cms(9)), "compressed"),
        (of(cms(23)), "enveloped and authenticated"),
    ];
    for (bytes, word) in cases {
        for bytes in [bytes.clone(), armour(&bytes, "PKCS7"), armour(&bytes, "CERTIFICATE")] {
            let error = open(&bytes).unwrap_err();
            assert_eq!((error.class, error.format), (ErrorClass::Unsupported, Some("pkcs7")), "{error}");
            assert!(error.cause().contains(word), "{error}");
        }
    }
}

#[test]
fn damage_is_told_with_its_place() {
    for bytes in [bundle(false), bundle(true)] {
        for end in 24..bytes.len() {
            let error = open(&bytes[..end]).unwrap_err();
            assert!(error.class == ErrorClass::Corrupt && error.offset.is_some(), "cut to {end}: {error}");
        }
    }
    let bad = open(&message(false, &[ONE, &[0x30, 0]].concat(), &[], 0)).unwrap_err();
    assert!(bad.cause().starts_with("certificate 2 of the PKCS#7 bundle cannot be read"), "{bad}");
    assert_eq!(open(&message(false, &[4, 0], &[], 0)).unwrap_err().class, ErrorClass::Corrupt);
    let text = [b"# a bundle\n".to_vec(), armour(&bundle(false)[..900], "PKCS7")].concat();
    let error = open(&text).unwrap_err();
    assert!(error.cause().starts_with("the block at line 2: "), "{error}");
    assert_eq!((error.class, error.offset), (ErrorClass::Corrupt, Some(11)));
}

#[test]
fn it_is_never_written() {
    for bytes in [bundle(true), armour(&bundle(false), "PKCS7")] {
        let store = open(&bytes).unwrap();
        let nothing = Edits { disposition: [(EntryId(0), Disposition::Keep)].into(), ..Edits::default() };
        assert_eq!(store.edit(&nothing, Credential::NotNeeded, &mut Never), Ok(Image::File(bytes)));
        let remove = Edits { disposition: [(EntryId(0), Disposition::Remove)].into(), ..Edits::default() };
        let new = NewEntry::Trusted { alias: None, certificate: Certificate::shared(ONE), created_ms: 0 };
        let add = Edits { add: vec![new], ..Edits::default() };
        for edits in [remove, add] {
            let error = store.edit(&edits, Credential::NotNeeded, &mut Never).unwrap_err();
            assert_eq!(error, EditError::ReadOnly { format: Format::Pkcs7 });
            assert!(error.to_string().contains("a PEM bundle"), "{error}");
        }
    }
    let fresh = Store::create(Format::Pkcs7).edit(&Edits::default(), Credential::NotNeeded, &mut Never);
    assert_eq!(fresh, Err(EditError::ReadOnly { format: Format::Pkcs7 }));
}

#[test]
fn beside_certificates_a_bundle_is_one_opaque_block() {
    let pem = armour(ONE, "CERTIFICATE");
    for label in ["PKCS7", "CERTIFICATE"] {
        let block = armour(&bundle(false), label);
        for bytes in [[&block[..], &pem].concat(), [&pem[..], &block].concat()] {
            let store = open(&bytes).unwrap();
            assert_eq!(store.format(), Format::Pem);
            assert_eq!(ders(&store), [ONE], "its own certificates are not reported as trusted");
            let at = store.entries().iter().find(|entry| matches!(entry.kind, EntryKind::Opaque(_))).unwrap();
            let EntryKind::Opaque(what) = &at.kind else { panic!() };
            assert!(what.starts_with("a PKCS#7 bundle of 2 certificates"), "{what}");
            assert!(matches!(store.remarks(), [Remark::BundleAmongCertificates { entry, .. }] if *entry == at.id));
            let remove = Edits { disposition: [(at.id, Disposition::Remove)].into(), ..Edits::default() };
            assert_eq!(store.edit(&remove, Credential::NotNeeded, &mut Never), Ok(Image::File(pem.clone())));
        }
    }
}

#[test]
fn beside_keys_and_bad_bundles_a_bundle_is_read() {
    let bytes =
        [armour(&bundle(false)[..700], "PKCS7"), armour(&[0x30, 0], "PRIVATE KEY"), armour(&bundle(false), "PKCS7")]
            .concat();
    let store = open(&bytes).unwrap();
    assert_eq!((store.format(), store.entries().len()), (Format::Pkcs7, 4));
    assert_eq!(ders(&store), [ONE, other()]);
    assert!(
        matches!(store.remarks(), [Remark::BadBlock { line: 1, .. }, Remark::PrivateKeyInTrust { .. }]),
        "{:?}",
        store.remarks()
    );
}

#[test]
fn in_a_folder_a_bundle_leaves_whole_or_not_at_all() {
    let files = vec![
        ("a.p7b".to_owned(), bundle(true)),
        ("b.p7b".to_owned(), message(false, ONE, &[], 1)),
        ("c.pem".to_owned(), armour(&bundle(false), "PKCS7")),
        ("d.p7b".to_owned(), message(false, &[], &[], 0)),
        ("e.pem".to_owned(), armour(&bundle(false)[..700], "PKCS7")),
    ];
    let store = Store::open_directory(files, &Interner::new()).unwrap();
    let names: Vec<&str> = store.entries().iter().map(|entry| entry.alias.as_deref().unwrap()).collect();
    assert_eq!(names, ["a.p7b", "a.p7b", "b.p7b", "c.pem", "c.pem", "d.p7b", "e.pem"]);
    assert_eq!(ders(&store), [ONE, other(), ONE, ONE, other()]);
    assert_eq!(store.raw(EntryId(1)), Some(other()));
    let foreign = store.remarks().iter().filter(|remark| matches!(remark, Remark::ForeignFile { .. })).count();
    assert_eq!((foreign, store.remarks().len()), (2, 3), "{:?}", store.remarks());
    let edit = |what: &[(usize, Disposition)]| {
        let disposition = what.iter().map(|(at, what)| (EntryId(*at), what.clone())).collect();
        store.edit(&Edits { disposition, ..Edits::default() }, Credential::NotNeeded, &mut Never)
    };
    let gone = Disposition::Remove;
    for at in [0, 4] {
        let error = edit(&[(at, gone.clone())]).unwrap_err();
        assert!(
            error.to_string().contains("a PKCS#7 bundle of 2 entries, which can be removed only together"),
            "{error}"
        );
    }
    let all = edit(&[(0, gone.clone()), (1, gone.clone()), (2, gone)]);
    assert_eq!(all, Ok(Image::Directory(vec![("a.p7b".to_owned(), None), ("b.p7b".to_owned(), None)])));
    let to = |name: &str| Disposition::Rename(name.into());
    let renamed = edit(&[(2, to("z.p7b"))]);
    let moved = vec![("b.p7b".to_owned(), None), ("z.p7b".to_owned(), Some(message(false, ONE, &[], 1)))];
    assert_eq!(renamed, Ok(Image::Directory(moved)));
    assert!(matches!(edit(&[(0, to("z.p7b"))]), Err(EditError::BadAlias { .. })));
}
