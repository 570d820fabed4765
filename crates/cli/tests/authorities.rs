//! What `check` and `plan` say of the root of an authority, by its file alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyUsagePurpose};
use support::{Estate, put};
use trustmason_keystore::Fingerprint;

/// A root, made by what its test changes.
fn root(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Acme Root CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2049, 1, 1);
    change(&mut params);
    params.self_signed(&support::key(7)).unwrap().der().to_vec()
}

/// An estate that names an authority with this root; its pin is that of another where one is given.
fn estate(pin: &[u8], file: Option<&[u8]>) -> Estate {
    let estate = Estate::new();
    let spec = std::fs::read_to_string(estate.path("estate.yaml")).unwrap();
    let authority = format!(
        "authorities:\n  corp-ca:\n    root: {{ file: ./ca/root.pem, sha256: '{}' }}\n    requests_dir: ./csr\n    inbox: ./inbox\n",
        Fingerprint::of(pin)
    );
    put(&estate.path("estate.yaml"), format!("{spec}\n{authority}").as_bytes());
    if let Some(bytes) = file {
        put(&estate.path("ca/root.pem"), bytes);
    }
    estate
}

#[test]
fn check_refuses_a_root_that_can_vouch_for_nothing() {
    let good = root(|_| {});
    let said = estate(&good, Some(&good)).run(&["check"]).code(0);
    assert_eq!(said.err, "");
    // A file that is not there is said by `plan`, which looks for it.
    let _ = estate(&good, None).run(&["check"]).code(0);
    let no_ca = root(|params| params.is_ca = IsCa::NoCa);
    let ended = root(|params| params.not_after = rcgen::date_time_ymd(2026, 1, 1));
    let cases: [(&[u8], &[u8], &str); 4] = [
        (&no_ca, &no_ca, "the root of corp-ca: CN=Acme Root CA is no CA"),
        (&ended, &ended, "the root of corp-ca ended on 2026-01-01"),
        (&good, &no_ca, "is pinned to"),
        (&good, b"<html>Please sign in</html>", "authority corp-ca: "),
    ];
    for (pin, file, words) in cases {
        let said = estate(pin, Some(file)).run(&["check"]).code(1).err_has(words).err_has("estate.yaml: ");
        assert!(said.err.contains("root.pem") || words.contains("pinned"), "{}", said.err);
        assert_eq!(said.out, "");
    }
}
