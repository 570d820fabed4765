//! "Cannot read" is not "missing": a damaged certificate file is named, in every kind of folder, and nobody is asked to
//! import the certificate a second time.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use trustmason_keystore::{Certificate, Format, Interner};
use trustmason_plan::finding::{FindingKind, Severity};
use trustmason_plan::observed::SourceLook;
use trustmason_plan::outline::{EdgeVerdict, Plan};

use crate::world::*;

/// A certificate's file as mail programs, editors, downloads and full disks damage it.
fn damages(certificate: &Certificate) -> Vec<(String, Vec<u8>)> {
    let (text, der) = (pem(certificate), certificate.der());
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |what: &str, bytes: Vec<u8>| all.push((what.to_owned(), bytes));
    let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    add("UTF-16LE", wide(u16::to_le_bytes));
    add("UTF-16BE", wide(u16::to_be_bytes));
    add("UTF-16LE with a mark", [&[0xff, 0xfe][..], &wide(u16::to_le_bytes)].concat());
    add("UTF-16BE with a mark", [&[0xfe, 0xff][..], &wide(u16::to_be_bytes)].concat());
    for part in 0..12 {
        add(&format!("PEM cut at {part}/12"), text.as_bytes()[..text.trim_end().len() * part / 12].to_vec());
        add(&format!("DER cut at {part}/12"), der[..der.len() * part / 12].to_vec());
    }
    add("PEM without its last dash", text.trim_end().trim_end_matches('-').as_bytes().to_vec());
    add("DER without its last byte", der[..der.len() - 1].to_vec());
    add("DER and a line break", [der, b"\r\n"].concat());
    add("a web page", b"<html><body>401 Unauthorized</body></html>".to_vec());
    add("an error in JSON", b"{\"error\": \"token expired\"}".to_vec());
    add("blanks", b"  \r\n".to_vec());
    add("zero bytes", vec![0; 700]);
    add("Base64 alone", STANDARD.encode(der).into_bytes());
    add("a text filter", String::from_utf8_lossy(der).into_owned().into_bytes());
    add("long dashes", text.replace("-----", "\u{2014}").into_bytes());
    add("four dashes", text.replace("-----", "----").into_bytes());
    add("lower case", text.to_lowercase().into_bytes());
    add("no-break blanks", text.replace('\n', "\u{a0}\n").into_bytes());
    add("url-safe Base64", text.replace(['+', '/'], "_").into_bytes());
    add("gzip", [&[0x1f, 0x8b, 8, 0][..], der].concat());
    add("a key store", keystore(Format::Jks, "changeit", Vec::new()));
    all
}

/// Usual names of certificate files.
const NAMES: &[&str] = &["cvp1.acme.example_wsm.pem", "cvp1.CER", "cvp1.crt.txt", "cvp1 (1).der", "cvp1_wsm"];

struct Folder {
    world: World,
    path: PathBuf,
}

/// A folder that only people fill (`by_hand`), or one that trustmason writes.
fn folder(by_hand: bool) -> (Folder, Certificate) {
    let wsm = rsa("cvp1.acme.example");
    let mut world = World::with(Format::Jks, &wsm);
    let def = if by_hand { mirror_def } else { folder_def }(TRUST, "/tomcat-trust");
    world.topology.stores.insert(def.id.clone(), def);
    let path = world.root().join("hosts/fin1.acme.example/tomcat-trust");
    fs::create_dir(&path).unwrap();
    // Without a second certificate in it the export would count as empty.
    fs::write(path.join("other.pem"), pem(&make("other.example", &["other.example"]).certificate)).unwrap();
    (Folder { world, path }, wsm.certificate)
}

fn verdict(plan: &Plan) -> &EdgeVerdict {
    &plan.edges.iter().find(|edge| edge.store == store_id(TRUST)).unwrap().verdict
}

/// Whether a plan asks a person, or a run, to add a certificate to the folder.
fn brings_in(plan: &Plan) -> bool {
    plan.changes.iter().any(|change| change.store == store_id(TRUST))
        || plan.manual.iter().any(|work| work.target().store() == Some(&store_id(TRUST)))
        || plan.findings.iter().any(|f| f.kind == FindingKind::Missing && f.store == Some(store_id(TRUST)))
}

#[test]
fn a_damaged_file_of_a_folder_is_unreadable_and_its_certificate_is_not_missing() {
    for by_hand in [true, false] {
        let (Folder { world, path }, wsm) = folder(by_hand);
        assert!(brings_in(&world.plan()), "by hand: {by_hand}: it is not there at all");
        for (what, bytes) in damages(&wsm) {
            for name in NAMES {
                let at = path.join(name);
                fs::write(&at, &bytes).unwrap();
                let plan = world.plan();
                assert!(!brings_in(&plan), "by hand: {by_hand}, {what}, {name}: {:#?}", plan.findings);
                assert!(matches!(verdict(&plan), EdgeVerdict::Blocked(_)), "{what}: {:?}", verdict(&plan));
                let said: Vec<_> = plan.findings.iter().filter(|f| f.kind == FindingKind::Unreadable).collect();
                assert_eq!(said.len(), 1, "{what}, {name}: {said:#?}");
                assert!(said[0].message.contains(name) && said[0].severity == Severity::Blocked, "{what}: {said:?}");
                fs::remove_file(at).unwrap();
            }
        }
    }
}

#[test]
fn what_is_found_beside_a_damaged_file_is_held() {
    for by_hand in [true, false] {
        let (Folder { world, path }, wsm) = folder(by_hand);
        fs::write(path.join("good.pem"), pem(&wsm)).unwrap();
        for (what, bytes) in damages(&wsm) {
            fs::write(path.join(NAMES[0]), &bytes).unwrap();
            let plan = world.plan();
            assert!(matches!(verdict(&plan), EdgeVerdict::Held), "by hand: {by_hand}, {what}: {:?}", verdict(&plan));
            assert!(
                plan.findings.iter().any(|f| f.kind == FindingKind::Unreadable && f.message.contains(NAMES[0])),
                "{what}"
            );
        }
    }
}

#[test]
fn what_is_surely_no_certificate_hides_none() {
    let (Folder { world, path }, wsm) = folder(true);
    let pair = rsa("cvp1.acme.example");
    let key = pair.pkcs8.clone();
    let request = b"-----BEGIN NEW CERTIFICATE REQUEST-----\nMIIB\n-----END NEW CERTIFICATE REQUEST-----\n".to_vec();
    let text = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(&key));
    let others = [
        ("README", b"Exports of the VOS nodes.\n".to_vec()),
        ("notes.txt", b"asked Jane\n".to_vec()),
        ("listing.log", Vec::new()),
        (".DS_Store", vec![0, 0, 0, 1]),
        ("Thumbs.db", vec![0xd0, 0xcf, 0x11, 0xe0]),
        ("cacerts.jks", keystore(Format::Jks, "changeit", Vec::new())),
        ("host.key", text.clone().into_bytes()),
        ("key.pem", text.into_bytes()),
        ("key.der", key),
        ("host.csr", request),
    ];
    for (name, bytes) in others {
        fs::write(path.join(name), &bytes).unwrap();
        assert!(brings_in(&world.plan()), "{name}");
        fs::remove_file(path.join(name)).unwrap();
    }
    fs::write(path.join("cvp1.pem"), pem(&wsm)).unwrap();
    assert!(!brings_in(&world.plan()));
}

#[test]
fn a_damaged_file_of_exported_certificates_is_unreadable_and_named() {
    let world = World::with(Format::Jks, &rsa("cvp1.acme.example"));
    let at = world.root().join("certs/ADSads.CER");
    for (what, bytes) in damages(&world.iis) {
        fs::write(&at, &bytes).unwrap();
        let plan = world.plan();
        let of_it: Vec<_> = plan.findings.iter().filter(|f| f.message.contains("ADSads.CER")).collect();
        let unread = |kind| matches!(kind, FindingKind::Unreadable | FindingKind::WrongFormat);
        assert!(!of_it.is_empty() && of_it.iter().all(|f| unread(f.kind)), "{what}: {:#?}", plan.findings);
        assert!(!plan.findings.iter().any(|f| f.kind == FindingKind::SourceMissing), "{what}");
        assert!(!plan.manual.iter().any(|work| work.target().store().is_none()), "{what}: no export is asked for");
    }
}

#[test]
fn a_damaged_block_of_an_export_hides_behind_no_other_certificate() {
    let (meant, other) = (rsa("cvp1.acme.example").certificate, rsa("cvp1.acme.example").certificate);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cvp1.cer");
    let whole = pem(&meant);
    for part in 1..12 {
        let cut = &whole[..whole.trim_end().len() * part / 12];
        if !cut.contains("-----BEGIN CERTIFICATE-----\n") {
            continue;
        }
        for text in [format!("{cut}\n{}", pem(&other)), format!("{}{cut}", pem(&other))] {
            fs::write(&path, &text).unwrap();
            match trustmason_host::look::certificate(&path, &Interner::new()) {
                SourceLook::Unreadable(failure) => assert!(failure.message.contains("cvp1.cer"), "{failure:?}"),
                look => panic!("{look:?} of\n{text}"),
            }
        }
    }
}
