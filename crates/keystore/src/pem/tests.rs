#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::write::append;
use super::*;
use crate::certificate::Certificate;
use crate::detect::{Detected, detect};
use crate::entry::Credential;
use crate::error::ErrorClass;
use crate::intern::{CertificateSlot, Interner};
use crate::never::Never;
use crate::remark::Remark;
use crate::store::Store;

const BUNDLE: &[u8] = include_bytes!("../../../../fixtures/keystore/pem/comments-crlf/store");
const DER: &[u8] = include_bytes!("../../../../fixtures/keystore/der/one/store");
const TWO: &[u8] = include_bytes!("../../../../fixtures/keystore/der/two/store");
const BAD: &[u8] = include_bytes!("../../../../fixtures/keystore/pem/bad-middle/store");

fn reopen(bytes: &[u8]) -> Store {
    Store::open(bytes.to_vec(), Credential::Withheld, &Interner::new()).unwrap()
}

fn write(store: &Store, edits: &Edits) -> Result<Vec<u8>, EditError> {
    match store.edit(edits, Credential::NotNeeded, &mut Never)? {
        Image::File(bytes) => Ok(bytes),
        Image::Directory(_) => panic!("a file"),
    }
}

fn remove(at: usize) -> Edits {
    Edits { disposition: [(EntryId(at), Disposition::Remove)].into(), ..Edits::default() }
}

fn add(der: &[u8]) -> Edits {
    Edits {
        add: vec![NewEntry::Trusted { alias: None, certificate: Certificate::shared(der), created_ms: 0 }],
        ..Edits::default()
    }
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
    // A file that does not end with a line break gets one first.
    let cut = BUNDLE.strip_suffix(b"# end\r\n").unwrap().strip_suffix(b"\r\n").unwrap();
    assert_eq!(reopen(&write(&reopen(cut), &add(&der)).unwrap()).entries().len(), 3);
    let made = write(&Store::create(Format::Pem), &add(&der)).unwrap();
    assert!(made.starts_with(b"-----BEGIN CERTIFICATE-----\n"));
}

/// Found by fuzzing: the line break that an import adds was counted as a change of the block before it.
#[test]
fn the_last_block_is_the_same_with_and_without_a_line_break() {
    let bytes = BUNDLE.trim_ascii_end();
    let store = reopen(bytes);
    let after = reopen(&write(&store, &add(DER)).unwrap());
    for entry in store.entries() {
        assert_eq!(store.raw(entry.id), after.raw(entry.id));
    }
    assert_eq!(after.entries().len(), store.entries().len() + 1);
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
    edits.disposition.insert(EntryId(1), Disposition::Rename("x".into()));
    assert_eq!(write(&store, &edits), Err(EditError::NoAliases { format: Format::Pem }));
    assert!(store.find(&"x".into()).is_empty());
}

#[test]
fn an_edit_after_which_the_file_would_be_taken_for_another_is_refused() {
    let first = block(DER, "CERTIFICATE");
    for text in ["PuTTY-User-Key-File-3: none\n", "%PDF-\n", "Windows Registry Editor Version 5.00\n"] {
        let whole = [first.as_bytes(), text.as_bytes(), BUNDLE].concat();
        let store = reopen(&whole);
        let refused = write(&store, &remove(0));
        let behind = write(&store, &remove(1));
        match detect(&[text.as_bytes(), BUNDLE].concat()) {
            Detected::Readable(Format::Pem) => panic!("{text:?} is no such text"),
            _ => assert!(matches!(refused, Err(EditError::NotRepresentable { .. })), "{text:?}: {refused:?}"),
        }
        assert!(behind.is_ok(), "{text:?}: {behind:?}");
        let files = vec![("a.pem".to_owned(), whole)];
        let folder = Store::open_directory(files, &Interner::new()).unwrap();
        let refused = folder.edit(&remove(0), Credential::NotNeeded, &mut Never);
        assert!(matches!(refused, Err(EditError::NotRepresentable { .. })), "{text:?}: {refused:?}");
    }
}

/// Found by fuzzing: a block without an end extends to whatever follows it.
#[test]
fn an_edit_that_would_change_a_block_without_end_is_refused() {
    let good = block(DER, "CERTIFICATE");
    let whole = format!("{good}-----BEGIN X-----\nabc {good}");
    let store = reopen(whole.as_bytes());
    assert_eq!(store.entries().len(), 3);
    let edits = Edits { add: add(&TWO[DER.len()..]).add, ..remove(2) };
    let refused = write(&store, &edits);
    let kept = |bytes: Vec<u8>| reopen(&bytes).raw(EntryId(1)) == store.raw(EntryId(1));
    assert!(matches!(&refused, Err(EditError::NotRepresentable { .. })) || kept(refused.unwrap()));
    assert!(write(&store, &remove(1)).is_ok(), "the damaged block itself may leave");
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
    match store.edit(edits, Credential::NotNeeded, &mut Never)? {
        Image::Directory(files) => Ok(files),
        Image::File(_) => panic!("a folder"),
    }
}

#[test]
fn a_folder_names_only_the_files_it_touches() {
    let store = folder(&[("b.pem", BUNDLE), ("a.cer", DER), ("notes.txt", b"hello")]);
    let names: Vec<_> = store.entries().iter().map(|entry| entry.alias.as_deref().unwrap()).collect();
    assert_eq!(names, ["a.cer", "b.pem", "b.pem", "notes.txt"]);
    assert_eq!(files(&store, &Edits::default()).unwrap(), []);
    assert_eq!(files(&store, &remove(0)).unwrap(), [("a.cer".to_owned(), None)]);
    let cut = files(&store, &remove(2)).unwrap();
    assert!(matches!(&cut[..], [(name, Some(bytes))] if name == "b.pem" && bytes.len() < BUNDLE.len()));
    let rename = |at, name: &str| Edits {
        disposition: [(EntryId(at), Disposition::Rename(name.into()))].into(),
        ..Edits::default()
    };
    let renamed = files(&store, &rename(0, "c.cer")).unwrap();
    assert_eq!(renamed, [("a.cer".to_owned(), None), ("c.cer".to_owned(), Some(DER.to_vec()))]);
    assert!(matches!(files(&store, &rename(0, "B.PEM")), Err(EditError::AliasTaken { .. })));
    assert!(matches!(files(&store, &rename(1, "c.pem")), Err(EditError::BadAlias { .. })), "a file of two");
    for bad in ["../x.pem", "", ".hidden", "a/b", "c:x", "con "] {
        assert!(matches!(files(&store, &rename(0, bad)), Err(EditError::BadAlias { .. })), "{bad}");
    }
    let upper = folder(&[("A.cer", DER)]);
    assert!(
        matches!(files(&upper, &rename(0, "a.cer")), Err(EditError::BadAlias { .. })),
        "only its case would change"
    );
    let der = fresh();
    let added = files(&store, &add(&der)).unwrap();
    assert_eq!(added.len(), 1);
    assert!(added[0].0.ends_with(".pem") && added[0].0.len() == 20);
    assert_eq!(detect(added[0].1.as_ref().unwrap()), Detected::Readable(Format::Pem));
}

#[test]
fn names_may_be_swapped_in_a_folder() {
    let other = &TWO[DER.len()..];
    let store = folder(&[("a.cer", DER), ("b.cer", other)]);
    let rename = |name: &str| Disposition::Rename(name.into());
    let edits = Edits {
        disposition: [(EntryId(0), rename("b.cer")), (EntryId(1), rename("a.cer"))].into(),
        ..Edits::default()
    };
    let swapped = files(&store, &edits).unwrap();
    assert_eq!(swapped, [("a.cer".to_owned(), Some(other.to_vec())), ("b.cer".to_owned(), Some(DER.to_vec()))]);
}

fn block(der: &[u8], label: &str) -> String {
    let lines: Vec<String> =
        STANDARD.encode(der).as_bytes().chunks(64).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn ders(store: &Store) -> Vec<&[u8]> {
    store.entries().iter().flat_map(|entry| entry.certificates()).map(CertificateSlot::der).collect()
}

#[test]
fn a_certificate_is_found_whatever_stands_around_it() {
    let plain = block(DER, "CERTIFICATE");
    let joined: String = plain.lines().collect();
    let cases = [
        plain.clone(),
        format!("\u{feff}{plain}"),
        plain.replace('\n', "\r\n"),
        plain.replace('\n', "\r"),
        plain.trim_end().to_owned(),
        plain.lines().map(|line| format!("   \t{line}  \n")).collect(),
        format!("0 s:CN = a\n   i:CN = b\n{plain}---\nServer certificate ----- five dashes\n"),
        format!("Certificate:\n    Data: \u{e9}\u{1b}[0m\n{plain}"),
        joined.clone(),
        format!("a: {joined}"),
        block(DER, "X509 CERTIFICATE"),
        block(DER, "TRUSTED CERTIFICATE"),
        plain.replace("=\n", "=\n\n\n"),
    ];
    for text in cases {
        assert_eq!(detect(text.as_bytes()), Detected::Readable(Format::Pem), "{text}");
        let store = reopen(text.as_bytes());
        assert_eq!(ders(&store), [DER], "{text}");
        let twice = write(&store, &add(&fresh())).unwrap();
        assert!(twice.starts_with(text.as_bytes()), "{text}");
        assert_eq!(reopen(&twice).entries().len(), 2, "{text}");
    }
    let glued = joined.repeat(3);
    assert_eq!(ders(&reopen(glued.as_bytes())), [DER; 3]);
    assert!(reopen(plain.replace('\n', "\r").as_bytes()).remarks().is_empty(), "keytool reads CR alone");
    // A new block ends its lines as the other blocks do.
    let after = write(&reopen(plain.replace('\n', "\r").as_bytes()), &add(DER)).unwrap();
    assert!(!after.contains(&b'\n') && after.ends_with(b"-----END CERTIFICATE-----\r"));
}

#[test]
fn utf_16_is_refused_with_the_way_out() {
    let text = block(DER, "CERTIFICATE");
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [[&[0xff, 0xfe][..], &little].concat(), [&[0xfe, 0xff][..], &big].concat(), little, big] {
        let error = Store::open(bytes, Credential::Withheld, &Interner::new()).unwrap_err();
        assert!(error.class == ErrorClass::NotAStore && error.cause().contains("UTF-16"), "{error}");
        assert!(error.hint().contains("UTF-8"), "{error}");
    }
}

#[test]
fn what_is_no_certificate_has_a_name() {
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let cases = [
        (block(b"x", "CERTIFICATE REQUEST"), "a certificate request that its authority has not answered yet", false),
        (block(b"x", "NEW CERTIFICATE REQUEST"), "(NEW CERTIFICATE REQUEST)", false),
        (block(b"x", "X509 CRL"), "a certificate revocation list", false),
        (block(b"x", "PUBLIC KEY"), "a public key", false),
        (block(b"x", "EC PARAMETERS"), "parameters of a key", false),
        (block(b"x", "PGP PUBLIC KEY BLOCK"), "an OpenPGP block", false),
        (block(b"x", "ODDITY"), "labelled `ODDITY`", false),
        (block(b"x", "PRIVATE KEY"), "a private key (PRIVATE KEY)", true),
        (block(b"x", "OPENSSH PRIVATE KEY"), "a private key (OPENSSH PRIVATE KEY)", true),
        (block(b"x", "ENCRYPTED PRIVATE KEY"), "an encrypted private key", true),
        (old.to_owned(), "an encrypted private key (RSA PRIVATE KEY)", true),
        (old.replace('\n', "\r\n"), "an encrypted private key (RSA PRIVATE KEY)", true),
    ];
    for (text, word, key) in cases {
        let alone = Store::open(text.clone().into_bytes(), Credential::Withheld, &Interner::new()).unwrap_err();
        assert!(alone.class == ErrorClass::NotAStore && alone.cause().contains(word), "{alone}");
        let store = reopen(format!("{}{text}", block(DER, "CERTIFICATE")).as_bytes());
        let EntryKind::Opaque(what) = &store.entries()[1].kind else { panic!("{word}") };
        assert!(what.contains(word), "{what}");
        let found = matches!(store.remarks(), [Remark::PrivateKeyInTrust { line, .. }] if *line > 3);
        assert!(found == key && store.remarks().len() == usize::from(key), "{:?}", store.remarks());
    }
}

#[test]
fn what_others_did_to_a_block_is_named_and_not_undone() {
    let good = block(DER, "CERTIFICATE");
    let body = good.lines().nth(1).unwrap();
    let cases = [
        (format!("-----BEGIN CERTIFICATE-----\\n{body}\\n-----END CERTIFICATE-----\\n"), "written as `\\n`"),
        (good.replace(body, &format!("{body}=3D")), "quoted-printable"),
        (good.replace(body, &format!("{}=\n{}", &body[..40], &body[40..])), "quoted-printable"),
        (good.replace(body, &format!("X-Note: one\n\n{body}")), "header lines (RFC 1421)"),
        (good.replace(body, "MII..."), "left out"),
        (good.replace(body, "MII!"), "Base64 is damaged"),
        ("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_owned(), "empty"),
        (good.replace("END CERTIFICATE", "END X509 CRL"), "ends as `X509 CRL`"),
    ];
    for (bad, word) in cases {
        let text = format!("# first\n{good}# bad\n{bad}\n# last\n{good}");
        let store = reopen(text.as_bytes());
        assert_eq!(ders(&store), [DER, DER], "{word}");
        let line = 3 + good.lines().count() as u64;
        let [Remark::BadBlock { entry, line: at, why, .. }, rest @ ..] = store.remarks() else { panic!("{word}") };
        assert_eq!((entry.position(), *at), (1, line), "{word}");
        assert!(why.contains(word), "{word}: {why}");
        assert!(rest.iter().all(|remark| matches!(remark, Remark::LoosePem { .. })), "{rest:?}");
        let untouched = write(&store, &remove(0)).unwrap();
        assert_eq!(String::from_utf8(untouched).unwrap(), text.replacen(&good, "", 1), "{word}");
    }
}

mod laws {
    use proptest::prelude::*;

    use super::*;

    /// Text between blocks: lines without a marker.
    fn noise() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            Just(String::new()),
            "[ -~]{0,30}".prop_filter("no marker", |line| !line.contains("-----")),
            Just("# Größe — a comment".to_owned()),
            Just("---- not quite".to_owned()),
            Just("    Subject: CN=x".to_owned()),
        ];
        proptest::collection::vec(line, 0..4).prop_map(|lines| lines.iter().map(|line| format!("{line}\n")).collect())
    }

    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => Just(block(DER, "CERTIFICATE")),
            2 => Just(block(&TWO[DER.len()..], "X509 CERTIFICATE")),
            1 => Just(block(b"crl", "X509 CRL")),
            1 => Just(block(b"key", "PRIVATE KEY")),
            1 => Just("-----BEGIN CERTIFICATE-----\nMII!\n-----END CERTIFICATE-----\n".to_owned()),
        ]
    }

    fn ending() -> impl Strategy<Value = &'static str> {
        prop_oneof![Just("\n"), Just("\r\n"), Just("\r")]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

        #[test]
        fn an_edit_cuts_and_appends_and_nothing_else(
            parts in proptest::collection::vec((noise(), piece(), any::<bool>()), 1..7),
            tail in noise(),
            ending in ending(),
            adds in 0usize..3,
        ) {
            let keeper = block(DER, "CERTIFICATE");
            let whole: String = parts.iter().map(|(noise, piece, _)| format!("{noise}{piece}")).collect();
            let text = format!("{whole}{keeper}{tail}").replace('\n', ending);
            let left: String =
                parts.iter().map(|(noise, piece, gone)| format!("{noise}{}", if *gone { "" } else { piece })).collect();
            let mut wanted = format!("{left}{keeper}{tail}").replace('\n', ending).into_bytes();
            for _ in 0..adds {
                append(&mut wanted, DER, "CERTIFICATE", ending.as_bytes());
            }
            let store = reopen(text.as_bytes());
            prop_assert_eq!(store.entries().len(), parts.len() + 1);
            let gone = parts.iter().enumerate().filter(|(_, (_, _, gone))| *gone);
            let disposition = gone.map(|(at, _)| (EntryId(at), Disposition::Remove)).collect();
            let edits = Edits { disposition, add: vec![add(DER).add.remove(0); adds] };
            let after = write(&store, &edits).unwrap();
            prop_assert_eq!(String::from_utf8_lossy(&after), String::from_utf8_lossy(&wanted));
            prop_assert_eq!(reopen(&after).entries().len(), store.entries().len() - edits.disposition.len() + adds);
        }
    }
}
