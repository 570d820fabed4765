//! The kinds of drift that `docs/findings.md` promises to report (D1 to D37). Each is caused here or in the test named
//! below, or the page says why files cannot show it.

use crate::support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use support::{CANARY, CertificateContent, Estate, NOW, SPEC, certificate, key, parsed, pem, put};
use trustmason_keystore::{
    Certificate, Credential, Disposition, Edits, Format, Image, Interner, NewEntry, NewKey, Password, Store,
};
use zeroize::Zeroizing;

/// A kind of drift, the estate that has it, its finding, and a part of the finding's id or message.
type Case = (&'static str, fn() -> Estate, &'static str, &'static str);

fn broken(what: fn(&Estate)) -> Estate {
    let estate = Estate::new();
    what(&estate);
    estate
}

/// An estate with one identity whose certificate is made in another way.
fn bent(identity: &'static str, how: fn(&mut CertificateContent)) -> Estate {
    Estate::with(SPEC, |id, content| {
        if id.to_string() == identity {
            how(content);
        }
    })
}

/// The bytes of a new store.
fn made(format: Format, password: &str, add: Vec<NewEntry>) -> Vec<u8> {
    edited(&Store::create(format), password, Edits { add, ..Edits::default() })
}

fn edited(store: &Store, password: &str, edits: Edits) -> Vec<u8> {
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    match store.edit(&edits, &Password::new(password), &mut random).unwrap() {
        Image::File(bytes) => bytes,
        Image::Directory(_) => panic!("a file"),
    }
}

fn keystore(estate: &Estate, host: &str) -> (std::path::PathBuf, Store) {
    let path = estate.file(&format!("{host}/keystore"));
    let bytes = std::fs::read(&path).unwrap();
    (path, Store::open(bytes, Credential::Password(&Password::new(CANARY)), &Interner::new()).unwrap())
}

/// Gives cvp1's WSM another key or chain.
fn replace_wsm(estate: &Estate, key: NewKey, chain: Vec<Arc<Certificate>>) {
    let (path, store) = keystore(estate, "cvp1");
    let what = Disposition::ReplaceKey { key, chain, created_ms: 0 };
    let disposition = BTreeMap::from([(store.find(&"wsm_certificate".into())[0], what)]);
    std::fs::write(path, edited(&store, CANARY, Edits { disposition, add: Vec::new() })).unwrap();
}

fn content(fqdn: &str) -> Vec<u8> {
    certificate(&CertificateContent::of(fqdn, 5000))
}

/// A later certificate of Finesse with one extended key usage, as a person puts it into `certificates_dir`. A CA whose
/// subject is that of a public root may have issued it.
fn exported_for(e: &Estate, usage: ExtendedKeyUsagePurpose, by: Option<&[(DnType, &str)]>) {
    let mut params = CertificateParams::new(vec!["fina.acme.example".to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "fina.acme.example");
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.extended_key_usages = vec![usage];
    let made = match by {
        None => params.self_signed(&key(6)),
        Some(subject) => {
            let mut issuer = CertificateParams::default();
            issuer.distinguished_name = DistinguishedName::new();
            for (attribute, value) in subject {
                issuer.distinguished_name.push(attribute.clone(), *value);
            }
            params.signed_by(&key(6), &rcgen::Issuer::new(issuer, key(7)))
        }
    };
    put(&e.path("certs/fina.acme.example.pem"), pem(made.unwrap().der()).as_bytes());
}

const CASES: &[Case] = &[
    ("D1", || broken(|e| e.remove("adsa/cacerts", "rgrb.acme.example_iis")), "missing", "adsa.acme.example/cacerts"),
    (
        "D2",
        || {
            broken(|e| {
                let older =
                    CertificateContent { years: (2020, 2040), ..CertificateContent::of("fina.acme.example", 77) };
                e.put("adsa/cacerts", "fina.acme.example", certificate(&older));
            })
        },
        "stale",
        "adsa.acme.example/cacerts",
    ),
    ("D3", || broken(|e| e.rename("adsa/cacerts", "fina.acme.example", "finesse")), "wrong-alias", "adsa"),
    (
        "D4",
        || broken(|e| e.put("adsa/cacerts", "fina.acme.example", content("proxy.elsewhere.example"))),
        "alias-conflict",
        "adsa",
    ),
    (
        "D5",
        || {
            broken(|e| {
                let id = e.certificates.keys().find(|id| id.to_string() == "fina.acme.example/tomcat").unwrap();
                e.put("adsa/cacerts", "again", e.certificates[id].clone());
            })
        },
        "duplicate",
        "adsa",
    ),
    ("D6", || bent("cvp1.acme.example/wsm", |w| w.sans = vec!["cvp1".to_owned()]), "name-mismatch", "cvp1"),
    ("D6", || bent("cvp1.acme.example/wsm", |w| w.sans.clear()), "san-missing", "cvp1"),
    ("D7", || bent("cvp1.acme.example/wsm", |w| w.years = (2015, 2020)), "expired", "cvp1"),
    ("D7", || bent("fina.acme.example/tomcat", |w| w.years = (2040, 2048)), "not-yet-valid", "fina"),
    ("D8", || bent("fina.acme.example/tomcat", |w| w.years = (2025, 2026)), "expiring", "fina"),
    (
        "D9",
        || broken(|e| std::fs::write(e.file("cvp1/keystore"), made(Format::Jks, CANARY, Vec::new())).unwrap()),
        "wrong-format",
        "cvp1",
    ),
    (
        "D10",
        || {
            broken(|e| {
                let conf = e.file("cvp1/keystore").parent().unwrap().parent().unwrap().to_owned();
                put(&conf.join("security.properties"), b"Security.keystorePW = another\n");
            })
        },
        "wrong-password",
        "cvp1",
    ),
    (
        "D11",
        || {
            broken(|e| {
                let chain = vec![parsed(&content("cvp1.acme.example"))];
                let plain = NewKey::Plain(Zeroizing::new(key(3).serialize_der()));
                let entry =
                    NewEntry::PrivateKey { alias: Some("k".into()), key: plain, chain: chain.clone(), created_ms: 0 };
                let other = made(Format::Jceks, "its own", vec![entry]);
                let unlock = Password::new("its own");
                let other = Store::open(other, Credential::Password(&unlock), &Interner::new()).unwrap();
                replace_wsm(e, NewKey::Sealed(other.sealed_key(other.entries()[0].id).unwrap()), chain);
            })
        },
        "key-password-mismatch",
        "cvp1",
    ),
    (
        "D12",
        || {
            broken(|e| {
                let path = e.file("adsa/cacerts");
                let bytes = std::fs::read(&path).unwrap();
                std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            })
        },
        "unreadable",
        "adsa",
    ),
    ("D12", || broken(|e| std::fs::remove_file(e.file("adsa/cacerts")).unwrap()), "store-missing", "adsa"),
    (
        "D13",
        || {
            broken(|e| {
                e.remove("adsa/cacerts", "rgrb.acme.example_iis");
                drop(e.run(&["apply", "--auto-approve"]));
            })
        },
        "restart-pending",
        "adsa",
    ),
    ("D16", || broken(|e| e.put("cvp1/keystore", "reply", content("cvp1.acme.example"))), "unmanaged", "reply"),
    (
        "D19",
        || {
            broken(|e| {
                let pair = KeyPair::from_pem_and_sign_algo(&key(3).serialize_pem(), &rcgen::PKCS_RSA_SHA384).unwrap();
                let mut params = CertificateParams::new(vec!["cvp1.acme.example".to_owned()]).unwrap();
                params.distinguished_name = DistinguishedName::new();
                params.distinguished_name.push(DnType::CommonName, "cvp1.acme.example");
                params.not_before = rcgen::date_time_ymd(2026, 1, 1);
                let der = params.self_signed(&pair).unwrap().der().to_vec();
                replace_wsm(e, NewKey::Plain(Zeroizing::new(key(3).serialize_der())), vec![parsed(&der)]);
            })
        },
        "weak-signature",
        "cvp1",
    ),
    (
        "D20",
        || {
            broken(|e| {
                let ours = ["rgrb.acme.example_iis", "fina.acme.example", "cvp1.acme.example"];
                for alias in ours {
                    e.remove("adsa/cacerts", alias);
                }
                drop(e.run(&["apply", "--auto-approve"]));
                for alias in ours {
                    e.remove("adsa/cacerts", alias);
                }
            })
        },
        "store-reset",
        "adsa",
    ),
    ("D21", || broken(|e| e.remove("rgrb/cacerts", "adsa.acme.example_iis")), "missing", "rgrb"),
    (
        "D22",
        || {
            broken(|e| {
                let cacerts = e.file("adsa/cacerts");
                std::fs::copy(&cacerts, cacerts.with_file_name("jssecacerts")).unwrap();
            })
        },
        "shadowed-store",
        "adsa",
    ),
    ("D23", || broken(|e| exported_for(e, ExtendedKeyUsagePurpose::ClientAuth, None)), "eku-missing", "pcce-12.5/T8"),
    ("D23", || broken(|e| exported_for(e, ExtendedKeyUsagePurpose::ServerAuth, None)), "client-auth-lost", "fina"),
    (
        "D23",
        || {
            broken(|e| {
                let public = [
                    (DnType::CountryName, "US"),
                    (DnType::OrganizationName, "Internet Security Research Group"),
                    (DnType::CommonName, "ISRG Root X1"),
                ];
                exported_for(e, ExtendedKeyUsagePurpose::ServerAuth, Some(&public));
            })
        },
        "public-issuer",
        "CN=ISRG Root X1",
    ),
    (
        "D25",
        || {
            broken(|e| {
                let text = format!("{}{}", pem(&content("leaked.acme.example")), key(7).serialize_pem());
                put(&e.file("vvb1/tomcat-trust").join("leaked.pem"), text.as_bytes());
            })
        },
        "private-key-in-trust",
        "vvb1",
    ),
    ("D26", || bent("fina.acme.example/tomcat", |w| w.key = 5), "shared-key", "fina"),
    ("D27", || broken(|e| e.put("cvp1/keystore", "stray", content("stray.elsewhere.example"))), "unmanaged", "stray"),
    (
        "D28",
        || {
            broken(|e| {
                let over = CertificateContent {
                    years: (2010, 2015),
                    ..CertificateContent::of("stray.elsewhere.example", 6000)
                };
                e.put("cvp1/keystore", "stray", certificate(&over));
            })
        },
        "expired",
        "cvp1",
    ),
    ("D29", || broken(|e| e.remove("cvp2/keystore", "adsa.acme.example")), "missing", "cvp2"),
    (
        "D30",
        || {
            broken(|e| {
                let file = e.file("vvb1/tomcat-trust").join("cvp2.acme.example_vxml.pem");
                std::fs::remove_file(file).unwrap();
            })
        },
        "missing",
        "vvb1",
    ),
    (
        "D34",
        || {
            broken(|e| {
                for alias in ["cvp1.acme.example", "cvp2.acme.example"] {
                    e.remove("adsa/cacerts", alias);
                }
                let id = e.certificates.keys().find(|id| id.to_string() == "cvp1.acme.example/wsm").unwrap();
                e.put("adsa/cacerts", "cvp1.acme.example", e.certificates[id].clone());
            })
        },
        "missing",
        "cvp2",
    ),
    (
        "D36",
        || {
            broken(|e| {
                let text = pem(&content("fina.acme.example"));
                let wide = text.encode_utf16().flat_map(u16::to_le_bytes);
                let bytes: Vec<u8> = [0xff, 0xfe].into_iter().chain(wide).collect();
                std::fs::write(e.path("certs/fina.acme.example.pem"), bytes).unwrap();
            })
        },
        "unreadable",
        "fina",
    ),
];

/// Kinds that other tests cause: the test file, and a text that it must contain.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("D14", "tests/judge_documents.rs", "chain-incomplete"),
    ("D15", "tests/judge_documents.rs", "chain-incomplete"),
    ("D17", "tests/judge_authority.rs", "reply-key-mismatch"),
    ("D18", "tests/judge/build.rs", "\"-keysize\", \"1024\""),
    ("D23", "tests/judge_authority.rs", "reply-eku"),
    ("D24", "tests/judge_authority.rs", "reply-san"),
    ("D32", "../host/tests/machine/pair.rs", "KeyPasswordMismatch"),
    ("D33", "tests/judge_options.rs", "option-wrong"),
    ("D35", "../host/tests/machine/system.rs", "WrongStore"),
];

#[test]
fn every_kind_of_drift_is_found_where_it_is() {
    for (kind, broken, finding, place) in CASES {
        let estate = broken();
        let plan = estate.run(&["plan", "--format", "json", "--at", NOW]).json();
        let findings = plan["findings"].as_array().unwrap();
        let told = findings.iter().any(|one| one["finding"] == *finding && one.to_string().contains(place));
        assert!(told, "{kind}: {finding} at {place}: {findings:#?}");
    }
    let sound = Estate::new().run(&["plan", "--format", "json", "--at", NOW]).json();
    // The vendor's own entries have findings, and nothing else has.
    let told = sound["findings"].as_array().unwrap().iter().filter(|one| one["alias"] != "vendorroot").count();
    assert_eq!(told, 0, "{}", sound["findings"]);
}

#[test]
fn the_page_promises_no_more_than_is_tested() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(here.join("../../docs/findings.md")).unwrap();
    let rows: BTreeMap<&str, &str> =
        page.lines().filter_map(|line| line.strip_prefix("| D")).map(|row| row.split_once(" | ").unwrap()).collect();
    assert_eq!(rows.len(), 37);
    for number in 1..=37 {
        let kind = format!("D{number}");
        let row = rows[kind.trim_start_matches('D')];
        let cases: Vec<_> = CASES.iter().filter(|(of, ..)| *of == kind).collect();
        let elsewhere: Vec<_> = ELSEWHERE.iter().filter(|(of, ..)| *of == kind).collect();
        for (_, _, finding, _) in &cases {
            assert!(row.contains(&format!("`{finding}`")), "{kind} is {finding}: {row}");
        }
        for (_, file, word) in &elsewhere {
            let text = std::fs::read_to_string(here.join(file)).unwrap();
            assert!(text.contains(word), "{kind}: {file} says nothing of {word}");
        }
        let shown = !cases.is_empty() || !elsewhere.is_empty();
        assert_ne!(shown, row.contains("files cannot show it"), "{kind}: {row}");
    }
}
