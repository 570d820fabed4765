//! The answers of `check` about an authority's root file, and keys whose issuing CA has a path length.

use crate::support;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer};
use support::{Estate, SPEC, key, pem, put};
use trustmason_keystore::Fingerprint;

/// A root certificate. `change` changes its parameters.
fn root(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    support::root("Acme Root CA", 7, change)
}

/// An estate with an authority that has this root. The pin is that of `pin`; `file` is the content of the root file, if
/// any.
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
    // A missing file is reported by `plan`, which looks for the file. `check` passes.
    let _ = estate(&good, None).run(&["check"]).code(0);
    let no_ca = root(|params| params.is_ca = IsCa::NoCa);
    let ended = root(|params| params.not_after = rcgen::date_time_ymd(2026, 1, 1));
    let cases: [(&[u8], &[u8], &str); 4] = [
        (&no_ca, &no_ca, "the root of corp-ca: CN=Acme Root CA is not a CA"),
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

#[test]
fn a_key_whose_issuing_ca_is_no_trust_anchor_is_put_in_place_all_the_same() {
    // Most issuing CAs have `pathlen:0`. Their certificates are sent in the chain, and no store trusts them.
    let mut above = None;
    let root = root(|params| above = Some(params.clone()));
    let mut params = above.clone().unwrap();
    params.distinguished_name.push(DnType::CommonName, "Acme Issuing CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let issuing = params.signed_by(&key(6), &Issuer::from_params(&above.unwrap(), &key(7))).unwrap();
    let before = SPEC.replace("  rotation: immediate\n", "");
    let spec = before.replace(
        "cvp1.acme.example: { role: cvp, side: a }",
        "cvp1.acme.example: { role: cvp, side: a, identities: { wsm: { issuer: corp-ca } } }",
    );
    let authority = format!(
        "authorities:\n  corp-ca:\n    root: {{ file: ./ca/root.pem, sha256: '{}' }}\n    intermediates: [{{ file: ./ca/issuing.pem }}]\n    sign_with: ./ca/issuing.key\n",
        Fingerprint::of(&root)
    );
    let estate = Estate::of(&before);
    put(&estate.path("ca/root.pem"), &root);
    put(&estate.path("ca/issuing.pem"), pem(issuing.der()).as_bytes());
    put(&estate.path("ca/issuing.key"), key(6).serialize_pem().as_bytes());
    put(&estate.path("estate.yaml"), format!("{spec}{authority}").as_bytes());
    let _ = estate.run(&["plan", "-v"]).code(0).out_has("issuer-withheld");
    let mut rounds = 0;
    while estate.run(&["apply", "--auto-approve"]).code != 0 {
        let _ = estate.run(&["ack", "*/*"]).code(0);
        rounds += 1;
        assert!(rounds < 5, "the rotation does not end: {}", estate.run(&["plan"]).out);
    }
    let _ = estate.run(&["ack", "*/*"]);
    let _ = estate.run(&["drift", "--strict"]).code(0);
    let keystore = estate.open("cvp1/keystore");
    let entry = keystore.entries().iter().find(|entry| entry.alias.as_deref() == Some("wsm_certificate")).unwrap();
    let chain: Vec<_> =
        entry.certificates().iter().map(|slot| slot.certificate().unwrap().subject().to_owned()).collect();
    assert_eq!(chain.len(), 3, "{chain:?}");
    // The trusters hold the root but not the issuing CA.
    let held: Vec<String> = estate.aliases("adsa/cacerts").into_iter().filter(|a| a.starts_with("corp-ca")).collect();
    assert_eq!(held, ["corp-ca-root"]);
}

/// Deletions that follow only after the new certificates are in place were not approved. A later run makes them, and
/// they are no fault.
#[test]
fn an_estate_that_changes_its_authority_at_once_is_never_at_fault() {
    let authority = |name: &str, root: &[u8]| {
        format!(
            "  {name}:\n    root: {{ file: ./ca/{name}.pem, sha256: '{}' }}\n    sign_with: ./ca/{name}.key\n",
            Fingerprint::of(root)
        )
    };
    let roots = [root(|_| {}), support::root("Other Root CA", 6, |_| {})];
    let estate = Estate::of(SPEC);
    for ((name, root), number) in ["one", "two"].iter().zip(&roots).zip([7, 6]) {
        put(&estate.path(&format!("ca/{name}.pem")), root);
        put(&estate.path(&format!("ca/{name}.key")), key(number).serialize_pem().as_bytes());
    }
    let declared = format!("authorities:\n{}{}", authority("one", &roots[0]), authority("two", &roots[1]));
    for issuer in ["one", "two", "self-signed"] {
        let issued = format!(", identities: {{ wsm: {{ issuer: {issuer} }}, callserver: {{ issuer: {issuer} }} }} }}");
        let spec: String = SPEC
            .lines()
            .map(|line| if line.contains("role: cvp") { line.replacen(" }", &issued, 1) } else { line.to_owned() })
            .map(|line| line + "\n")
            .collect();
        put(&estate.path("estate.yaml"), format!("{spec}{declared}").as_bytes());
        for round in 0.. {
            let said = estate.run(&["apply", "--auto-approve"]);
            let _ = estate.run(&["ack", "*"]);
            match said.code {
                0 => break,
                5 => {}
                code => panic!("{issuer}: exit {code}\n{}", said.out),
            }
            // Only a person changes the trust of a voice browser.
            let _ = estate.run(&["confirm", "vvb1.acme.example/tomcat-trust"]);
            assert!(round < 6, "{issuer} does not end:\n{}", said.out);
        }
        let _ = estate.run(&["ack", "*"]);
        let _ = estate.run(&["drift", "--strict"]).code(0);
    }
}
