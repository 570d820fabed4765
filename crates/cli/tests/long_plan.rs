//! The text of a plan for a whole deployment. Repeated changes are folded, deletions never. Everything that is folded
//! is written in full under `-v` and in the JSON.
#![allow(clippy::let_underscore_must_use, reason = "tests")]

use crate::support;

use support::{Estate, put};
use trustmason_keystore::Fingerprint;

const PCCE_2000: &str = include_str!("../../../specs/pcce-2000.yaml");

/// An estate whose side A gets certificates from a CA, after everything was self-signed.
fn upgraded() -> Estate {
    let root = support::root("Acme Root CA", 7, |_| {});
    let estate = Estate::of(PCCE_2000);
    let authority = format!(
        "authorities:\n  corp-ca:\n    root: {{ file: ./ca/root.pem, sha256: '{}' }}\n    requests_dir: ./csr\n    inbox: ./inbox\n",
        Fingerprint::of(&root)
    );
    let mut spec = String::new();
    for line in PCCE_2000.lines() {
        let issued = line.contains("side: a") && line.trim_start().contains(".pcce.example:");
        let line = if issued { line.replacen(" }", ", identity: { issuer: corp-ca } }", 1) } else { line.to_owned() };
        spec.push_str(&line);
        spec.push('\n');
    }
    put(&estate.path("ca/root.pem"), &root);
    put(&estate.path("estate.yaml"), format!("{spec}{authority}").as_bytes());
    estate
}

#[test]
fn a_whole_side_that_a_ca_issues_from_now_on_fits_on_two_pages_and_loses_nothing() {
    let estate = upgraded();
    let said = estate.run(&["plan"]).code(0);
    let lines = said.out.lines().count();
    assert!(lines <= 120, "{lines} lines:\n{}", said.out);
    let whole = estate.run(&["plan", "-v"]).code(0);
    let json = estate.run(&["plan", "--format", "json"]).code(0).json();
    for change in json["changes"].as_array().unwrap() {
        let number = format!("#{}", change["id"]);
        let has = |text: &str| text.lines().any(|line| line.split([' ', ',']).any(|word| word == number));
        assert!(has(&said.out) && has(&whole.out), "{number} is not told\n{}", said.out);
    }
    for work in json["manual"].as_array().unwrap() {
        let name = work["store"].as_str().unwrap();
        assert!(said.out.lines().any(|line| line.trim_start().starts_with(name)), "{name} is not told\n{}", said.out);
        for step in work["steps"].as_array().unwrap() {
            let step = step.as_str().unwrap();
            assert!(work["of"] == "store" || whole.out.contains(step), "{step} is lost\n{}", whole.out);
        }
    }
    assert!(json["changes"].as_array().unwrap().len() + json["manual"].as_array().unwrap().len() > 20);
    assert_eq!(said.last_line(), whole.last_line());
}

/// Deletions and changes of identities are always shown separately, even if they are equal.
#[test]
fn nothing_that_takes_something_away_is_told_together() {
    let estate = Estate::of(PCCE_2000);
    let spec = format!("{PCCE_2000}retired: [gone.pcce.example]\n");
    let gone = support::CertificateContent::of("gone.pcce.example", 9);
    for host in ["awa", "awb"] {
        estate.put(&format!("{host}/cacerts"), "gone.pcce.example", support::certificate(&gone));
        estate.remove(&format!("{host}/cacerts"), "cvpa.pcce.example");
    }
    put(&estate.path("estate.yaml"), spec.as_bytes());
    let said = estate.run(&["plan"]).code(0).out_has("The same in 2 stores:");
    assert_eq!(said.out.matches("- delete gone.pcce.example").count(), 2, "{}", said.out);
    assert_eq!(said.out.matches("+ import cvpa").count(), 1, "{}", said.out);
    assert_eq!(said.last_line(), "Plan: 2 to import, 0 to replace, 0 to rename, 2 to delete, 0 to regenerate.");
}
