//! `collect` fetches certificates from services, and `drift --probe` compares what services present with what is known. The
//! servers speak real TLS on this machine, and the program runs as people and schedulers run it.
#![cfg(unix)]

use crate::server;
use crate::support;

use std::fs;

use server::{Server, nobody};
use support::{CertificateContent, Estate, certificate, files, key, put};
use trustmason_keystore::Fingerprint;
use trustmason_spec::name::IdentityId;

const FINESSE: &str = "fina.acme.example:8443";
const ADS: &str = "adsa.acme.example:443";

/// The certificate that the estate knows for an identity.
fn known(estate: &Estate, identity: &str) -> Vec<u8> {
    estate.certificates[&IdentityId::parse(identity).unwrap()].clone()
}

/// A server that presents the known certificate.
fn settled(estate: &Estate, identity: &str, n: usize) -> Server {
    Server::presenting(&known(estate, identity), &key(n))
}

/// A newer certificate of a host, and a server that presents it.
fn renewed(fqdn: &str) -> (Fingerprint, Vec<u8>, Server) {
    let content = CertificateContent { years: (2026, 2048), ..CertificateContent::of(fqdn, 4711) };
    let der = certificate(&content);
    let server = Server::presenting(&der, &key(content.key));
    (Fingerprint::of(&der), der, server)
}

fn untouched(estate: &Estate, before: &std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>) {
    assert_eq!(files(estate.dir.path()), *before, "something was written");
}

#[test]
fn what_is_the_same_is_left_alone() {
    let estate = Estate::new();
    let server = settled(&estate, "fina.acme.example/tomcat", 6);
    let before = files(estate.dir.path());
    let said = estate.run(&["collect", "--host", "fina*", &server.instead_of(FINESSE)]).code(0);
    let print = Fingerprint::of(&known(&estate, "fina.acme.example/tomcat"));
    let said = said.out_has("unchanged   fina.acme.example/tomcat  port 8443").out_has(&format!("sha256 {print}"));
    assert_eq!(said.last_line(), "Collect complete: 0 written, 1 unchanged, 0 refused, 0 not reached.");
    assert_eq!(said.err, "");
    untouched(&estate, &before);
}

#[test]
fn nobody_there_to_compare_and_no_pin_writes_nothing() {
    let estate = Estate::new();
    let (print, _, server) = renewed("fina.acme.example");
    let before = files(estate.dir.path());
    let to = server.instead_of(FINESSE);
    let other = Fingerprint::of(b"another").to_string();
    for pins in [&[][..], &["--pin", other.as_str()]] {
        let mut args = vec!["collect", "--host", "fina*", to.as_str()];
        args.extend(pins);
        let said = estate.run(&args).code(1);
        let old = Fingerprint::of(&known(&estate, "fina.acme.example/tomcat"));
        // Both fingerprints are shown in full, because a person compares them.
        let said = said.out_has(&format!("    - CN=fina.acme.example, OU=Contact Centre, O=Acme, L=Boston, ST=MA, C=US  2025-01-01 to 2049-06-20\n      sha256 {old}\n"));
        let said = said.out_has(&format!("    + CN=fina.acme.example, OU=Contact Centre, O=Acme, L=Boston, ST=MA, C=US  2026-01-01 to 2048-06-20\n      sha256 {print}\n"));
        let said = said.err_has("nobody can compare").err_has(&format!("--pin {print}  fina.acme.example/tomcat"));
        assert_eq!(said.err.contains("no service presented this certificate"), !pins.is_empty(), "{}", said.err);
    }
    untouched(&estate, &before);
}

#[test]
fn a_pin_is_a_word_given_before() {
    let estate = Estate::new();
    let (print, der, server) = renewed("fina.acme.example");
    let to = server.instead_of(FINESSE);
    // The pin is written as openssl prints it.
    let pin: Vec<String> = print.as_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
    let pin = pin.join(":");
    let args = ["collect", "--host", "fina*", &to, "--pin", &pin];
    let said = estate.run(&args).code(0).out_has("new         fina.acme.example/tomcat");
    assert_eq!(said.last_line(), "Collect complete: 1 written, 0 unchanged, 0 refused, 0 not reached.");
    let file = estate.path("certs/fina.acme.example.pem");
    assert_eq!(fs::read_to_string(&file).unwrap(), support::pem(&der));
    // The plan brings the new certificate to the stores that trust the host.
    let plan = estate.run(&["plan", "--format", "json"]).code(0).json();
    assert!(plan["summary"]["replace"].as_u64().unwrap() > 0, "{}", plan["summary"]);
    let input = plan["changes"].as_array().unwrap().iter().find(|c| c["action"] == "replace").unwrap();
    assert_eq!(input["after"]["sha256"], print.to_string());
    // A second `collect` has nothing to do and asks nobody.
    let _ = estate.run(&["collect", "--host", "fina*", &to]).code(0).out_has("1 unchanged");
    let log = fs::read_to_string(estate.path(".trustmason/audit.jsonl")).unwrap();
    let line: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(log.lines().count(), 1);
    let old = Fingerprint::of(&known(&estate, "fina.acme.example/tomcat"));
    let shown = ["event", "who", "identity", "before", "after", "approval"].map(|field| line[field].as_str().unwrap());
    assert_eq!(
        shown,
        ["collect", &support::account(), "fina.acme.example/tomcat", &old.to_string(), &print.to_string(), "pinned"]
    );
}

/// A Finesse server with an unusual certificate.
fn odd(change: impl FnOnce(&mut rcgen::CertificateParams)) -> (Fingerprint, Server) {
    let mut params = rcgen::CertificateParams::new(vec!["fina.acme.example".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "fina.acme.example");
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2026, 1, 1), rcgen::date_time_ymd(2048, 1, 1));
    change(&mut params);
    let der = params.self_signed(&key(6)).unwrap().der().to_vec();
    (Fingerprint::of(&der), Server::presenting(&der, &key(6)))
}

#[test]
fn what_is_odd_about_it_is_said_here_and_in_every_plan() {
    let ca = odd(|params| params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    // Name constraints with a URI that only some JDK releases accept.
    let doubtful = odd(|params| {
        let content = [&[0x30, 20, 0xa0, 18, 0x30, 16, 0x86, 14][..], b"example.com%41"].concat();
        let mut constraints = rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 30], content);
        constraints.set_criticality(true);
        params.custom_extensions.push(constraints);
    });
    let cases = [
        (ca, "host-is-ca", "CN=fina.acme.example, CA  2026-01-01", "its certificate is a CA's (basic constraints)"),
        (
            doubtful,
            "jvm-doubtful",
            "CN=fina.acme.example  2026-01-01",
            "holds this certificate: its extension 2.5.29.30",
        ),
    ];
    for ((print, server), finding, line, words) in cases {
        let estate = Estate::new();
        let (to, pin) = (server.instead_of(FINESSE), print.to_string());
        let collect = ["collect", "--host", "fina*", &to, "--pin", &pin];
        let _ = estate.run(&collect).code(0).out_has(line).out_has(words);
        let _ = estate.run(&collect).code(0).out_has("unchanged   fina.acme.example/tomcat").out_has(words);
        for command in ["plan", "drift"] {
            let told = estate.run(&[command, "--format", "json"]).json();
            let findings = told["findings"].as_array().unwrap();
            assert!(findings.iter().any(|f| f["finding"] == finding), "{command}: {findings:#?}");
        }
    }
}

#[test]
fn one_that_was_never_exported_is_made_under_its_first_name() {
    let estate = Estate::new();
    fs::remove_dir_all(estate.path("certs")).unwrap();
    let (print, der, server) = renewed("adsa.acme.example");
    let to = server.instead_of(ADS);
    let said = estate.run(&["collect", "--host", "adsa*", &to, &nobody(), "--pin", &print.to_string()]).code(4);
    let said =
        said.out_has("not reached adsa.acme.example/dfp").out_has("1 written, 0 unchanged, 0 refused, 1 not reached.");
    assert!(!said.out.contains("    - "), "{}", said.out);
    assert_eq!(fs::read_to_string(estate.path("certs/ADSadsa.cer")).unwrap(), support::pem(&der));
    assert_eq!(fs::read_dir(estate.path("certs")).unwrap().count(), 1);
}

#[test]
fn both_names_of_a_certificate_change_together() {
    let estate = Estate::new();
    fs::copy(estate.path("certs/ADSadsa.cer"), estate.path("certs/icmADSA.CER")).unwrap();
    let (print, der, server) = renewed("adsa.acme.example");
    let to = server.instead_of(ADS);
    let said = estate.run(&["collect", "--host", "adsa*", &to, &nobody(), "--pin", &print.to_string()]).code(4);
    let _ = said.out_has("certs/ADSadsa.cer").out_has("certs/icmADSA.CER");
    for name in ["ADSadsa.cer", "icmADSA.CER"] {
        assert_eq!(fs::read_to_string(estate.path("certs").join(name)).unwrap(), support::pem(&der), "{name}");
    }
    let drift = estate.run(&["drift", "--format", "json"]).json();
    assert!(!drift["findings"].as_array().unwrap().iter().any(|f| f["finding"] == "source-ambiguous"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_person_is_asked_and_only_yes_counts() {
    needs!(Terminal);
    let estate = Estate::new();
    let (_, der, server) = renewed("fina.acme.example");
    let args = format!("--host 'fina*' {}", server.instead_of(FINESSE));
    let before = files(estate.dir.path());
    let said =
        estate.answer(&format!("collect {args}"), "y\n").code(1).out_has("Do you want to write these certificates?");
    let _ = said
        .out_has("Compare each fingerprint with what the service itself shows.")
        .out_has("the answer was not `yes`; nothing was done");
    untouched(&estate, &before);
    let _ = estate.answer(&format!("collect {args}"), "yes\n").code(0).out_has("1 written, 0 unchanged");
    assert_eq!(fs::read_to_string(estate.path("certs/fina.acme.example.pem")).unwrap(), support::pem(&der));
    let log = fs::read_to_string(estate.path(".trustmason/audit.jsonl")).unwrap();
    assert!(log.contains("\"approval\":\"asked\""), "{log}");
}

#[test]
fn the_certificate_of_another_host_is_shown_and_refused() {
    let estate = Estate::new();
    let other = certificate(&CertificateContent::of("finb.acme.example", 5));
    let server = Server::presenting(&other, &key(7));
    let print = Fingerprint::of(&other).to_string();
    let before = files(estate.dir.path());
    // A pin does not help either.
    let said = estate.run(&["collect", "--host", "fina*", &server.instead_of(FINESSE), "--pin", &print]).code(4);
    let said = said.out_has("refused     fina.acme.example/tomcat").out_has(&format!("sha256 {print}"));
    let _ = said.out_has("it names finb.acme.example, but must name fina.acme.example;");
    untouched(&estate, &before);
}

#[test]
fn a_distrusted_one_is_refused_and_a_file_nobody_understands_stays() {
    let estate = Estate::new();
    let (print, _, server) = renewed("fina.acme.example");
    let spec = fs::read_to_string(estate.path("estate.yaml")).unwrap();
    let distrust = format!("distrust: [{{ sha256: '{print}', why: lost laptop }}]\n");
    fs::write(estate.path("estate.yaml"), format!("{spec}{distrust}")).unwrap();
    let pin = print.to_string();
    let to = server.instead_of(FINESSE);
    let args = ["collect", "--host", "fina*", &to, "--pin", &pin];
    let _ = estate.run(&args).code(4).out_has("it is distrusted: lost laptop");
    fs::write(estate.path("estate.yaml"), spec).unwrap();
    put(&estate.path("certs/fina.acme.example.pem"), b"to be done\n");
    let _ = estate.run(&args).code(4).out_has("refused     fina").out_has("move it away and collect again");
    assert_eq!(fs::read(estate.path("certs/fina.acme.example.pem")).unwrap(), b"to be done\n");
}

#[test]
fn who_does_not_answer_does_not_stop_the_others() {
    let estate = Estate::new();
    let (print, _, server) = renewed("fina.acme.example");
    let silent = Server::silent();
    let pin = print.to_string();
    let args =
        ["collect", "--timeout", "1", "--pin", &pin, &server.instead_of(FINESSE), &silent.instead_of(ADS), &nobody()];
    let said = estate.run(&args).code(4);
    let way = format!("adsa.acme.example:443 (through 127.0.0.1:{}): no answer within 1 s;", silent.port);
    let said = said.out_has(&way).out_has("no service listens at that port (connection refused); start the service");
    assert!(
        said.last_line().starts_with("Collect complete: 1 written, 0 unchanged, 0 refused, "),
        "{}",
        said.last_line()
    );
    assert!(estate.path("certs/fina.acme.example.pem").exists());
}

#[test]
fn what_few_need_stands_in_the_long_help_only() {
    let dir = tempfile::tempdir().unwrap();
    for command in ["collect", "drift"] {
        let help = |flag| support::said(support::command(dir.path()).args([command, flag])).code(0).out;
        for option in ["--connect-to <HOST:PORT:ADDR:PORT>", "--timeout <SECONDS>"] {
            assert!(help("--help").contains(option) && !help("-h").contains(option), "{command} {option}");
        }
    }
}

#[test]
fn nothing_to_collect_and_a_lock() {
    let estate = Estate::new();
    let said = estate.run(&["collect", "--host", "cvp*"]).code(0);
    assert!(said.out.starts_with("Nothing to collect:"), "{}", said.out);
    let _ = estate.run(&["collect", "--host", "nobody*"]).code(1).err_has("matches no host");
    put(&estate.path(".trustmason/lock"), b"");
    let lock = fs::File::open(estate.path(".trustmason/lock")).unwrap();
    lock.lock().unwrap();
    let _ = estate.run(&["collect", &nobody()]).code(1).err_has("another run holds");
}

#[test]
fn only_a_probe_opens_a_connection() {
    let estate = Estate::new();
    let server = settled(&estate, "fina.acme.example/tomcat", 6);
    let to = server.instead_of(FINESSE);
    for args in [&["plan"][..], &["drift"], &["check"], &["explain", "fina.acme.example"]] {
        let _ = estate.run(args).code(0);
    }
    let _ = estate.run(&["drift", &to]).code(64);
    assert_eq!(server.calls(), 0);
    let said = estate.run(&["drift", "--strict", "--probe", "--host", "fina*", &to]).code(0);
    assert_eq!(said.last_line(), "In sync. Every store holds what the spec declares.");
    assert_eq!((said.err.as_str(), server.calls()), ("", 1));
}

#[test]
fn a_service_that_presents_something_else_is_a_warning() {
    let estate = Estate::new();
    let (print, _, server) = renewed("cvp1.acme.example");
    let to = server.instead_of("cvp1.acme.example:8111");
    let args = |more: &[&'static str]| {
        let mut args = vec!["drift".to_owned(), "--probe".to_owned(), "--host=cvp1*".to_owned(), to.clone()];
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        args
    };
    let run = |more: &[&'static str]| {
        let args = args(more);
        estate.run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let here = Fingerprint::of(&known(&estate, "cvp1.acme.example/wsm"));
    let said = run(&[])
        .code(0)
        .out_has("Warnings:\n  served-differs         cvp1.acme.example/wsm: port 8111 presents CN=cvp1.acme.example,");
    let said = said.out_has(&format!(
        "(sha256 {print}), but cvp1.acme.example/keystore/wsm_certificate holds sha256 {here}; restart the service"
    ));
    assert_eq!(said.last_line(), "In sync, with 1 warning.");
    let _ = run(&["--strict"]).code(2);
    let json = run(&["--format", "json"]).code(0).json();
    let finding = json["findings"].as_array().unwrap().iter().find(|f| f["finding"] == "served-differs").unwrap();
    assert_eq!((&finding["severity"], &finding["sha256"]), (&"warning".into(), &print.to_string().into()));
    let metrics = run(&["--format", "prometheus"]).code(0);
    let _ = metrics.out_has("trustmason_findings{estate=\"acme\",finding=\"served-differs\",severity=\"warning\"} 1\n");
    // The finding can be accepted, like any other.
    let spec = fs::read_to_string(estate.path("estate.yaml")).unwrap();
    let accept = "accept: [{ finding: served-differs, until: 2099-01-01, why: behind a balancer }]\n";
    fs::write(estate.path("estate.yaml"), format!("{spec}{accept}")).unwrap();
    let _ = run(&["--strict"]).code(0).out_has("accepted until 2099-01-01: behind a balancer");
}

#[test]
fn an_exported_certificate_that_is_old_is_told_by_a_probe() {
    let estate = Estate::new();
    let (print, _, server) = renewed("fina.acme.example");
    let said = estate.run(&["drift", "--probe", "--host", "fina*", &server.instead_of(FINESSE)]).code(0);
    let said = said.out_has(&format!("(sha256 {print}), but the exported file holds sha256 "));
    let _ = said.out_has("`trustmason collect` fetches the presented certificate");
}

#[test]
fn a_service_that_cannot_be_asked_is_named_and_counts_for_nothing() {
    let estate = Estate::new();
    let gone = nobody();
    let args = ["drift", "--strict", "--probe", "--host", "fina*", &gone];
    let said =
        estate.run(&args).code(0).err_has("fina.acme.example/tomcat was not asked: fina.acme.example:8443 (through ");
    let said =
        said.err_has("no service listens at that port (connection refused)").out_has("1 finding for information only");
    assert_eq!(said.last_line(), "In sync. Every store holds what the spec declares.");
    let _ = estate
        .run(&["drift", "-v", "--probe", "--host", "fina*", &gone])
        .code(0)
        .out_has("  endpoint-unreachable   fina.acme.example/tomcat: ");
    let json = estate.run(&["drift", "--format", "json", "--probe", "--host", "fina*", &gone]).code(0).json();
    assert!(json["findings"].as_array().unwrap().iter().any(|f| f["finding"] == "endpoint-unreachable"));
    let metrics = estate.run(&["drift", "--format", "prometheus", "--probe", "--host", "fina*", &gone]).code(0);
    let _ =
        metrics.out_has("trustmason_findings{estate=\"acme\",finding=\"endpoint-unreachable\",severity=\"info\"} 1\n");
}
