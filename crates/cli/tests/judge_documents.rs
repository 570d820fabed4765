//! Ring 7: Genesys and the CTI link as their documents have the reader do it, by keytool and openssl, then brought in order. openssl
//! judges the PEM store and the PFX, a JVM the Java stores; what is in a Windows store is seen in a serialised export.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::print_stderr, dead_code, reason = "the judges' tools are shared, and say which JDK judged")]
#![allow(missing_docs, unreachable_pub, reason = "a test's own modules")]

mod judge;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use judge::craft;

const BINARY: &str = env!("CARGO_BIN_EXE_trustmason");

/// An estate in a folder, with openssl's CA: a root and an issuing authority.
struct Room {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("documents-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let root = folder.path().to_owned();
        for name in ["ca", "certs", "inbox", "hosts"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        let room = Self { _folder: folder, root };
        let ca = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
        for name in ["old", "root"] {
            let (key, file, subject) = (format!("ca/{name}.key"), format!("ca/{name}.pem"), format!("/CN={name} CA"));
            let mut made = vec!["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "3650"];
            made.extend(["-subj", &subject, "-keyout", &key, "-out", &file]);
            made.extend(ca);
            room.openssl(&made);
        }
        room.write("ca/ca.ext", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n");
        room.openssl(&[
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=Issuing",
            "-keyout",
            "ca/issuing.key",
            "-out",
            "ca/i.csr",
        ]);
        room.sign("ca/i.csr", "root", "ca/issuing.pem", "ca/ca.ext", "3000");
        room
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn openssl(&self, arguments: &[&str]) -> Output {
        craft::run(Command::new("openssl").current_dir(&self.root).args(arguments).env("PW", "changeit"))
    }

    fn sign(&self, request: &str, issuer: &str, to: &str, extensions: &str, days: &str) {
        let (certificate, key) = (format!("ca/{issuer}.pem"), format!("ca/{issuer}.key"));
        self.openssl(&[
            "x509",
            "-req",
            "-sha256",
            "-in",
            request,
            "-CA",
            &certificate,
            "-CAkey",
            &key,
            "-CAcreateserial",
            "-out",
            to,
            "-days",
            days,
            "-extfile",
            extensions,
        ]);
    }

    /// A server's certificate, issued below the root; its key is thrown away.
    fn server(&self, fqdn: &str, to: &str) {
        self.write("ca/leaf.ext", &format!("subjectAltName=DNS:{fqdn}\nextendedKeyUsage=serverAuth,clientAuth\n"));
        let subject = format!("/CN={fqdn}");
        self.openssl(&[
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            &subject,
            "-keyout",
            "ca/leaf.key",
            "-out",
            "ca/leaf.csr",
        ]);
        self.sign("ca/leaf.csr", "issuing", to, "ca/leaf.ext", "800");
    }

    /// A self-signed certificate, as products make them when they are installed.
    fn self_signed(&self, fqdn: &str, key: &str, to: &str, days: &str) {
        let (subject, san) = (format!("/CN={fqdn}"), format!("subjectAltName=DNS:{fqdn}"));
        let mut made = vec!["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", days];
        made.extend(["-subj", &subject, "-addext", &san, "-keyout", key, "-out", to]);
        self.openssl(&made);
    }

    /// A connection in which each side asks for the other's certificate: it comes about, and not without the trust.
    fn mutual(&self, trust: &Path, server: (&str, &str), client: (&str, &str)) {
        let chain = |names: &[&str]| -> String {
            names.iter().map(|name| fs::read_to_string(self.at(name)).unwrap()).collect()
        };
        fs::write(trust, chain(&["ca/root.pem"])).unwrap();
        fs::write(self.at("ca/client.pem"), chain(&[client.0, "ca/issuing.pem"])).unwrap();
        fs::write(self.at("ca/none.pem"), chain(&["ca/old.pem"])).unwrap();
        for (trusted, wanted) in [(trust.to_owned(), true), (self.at("ca/none.pem"), false)] {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
            let mut serve = Command::new("openssl");
            serve.current_dir(&self.root).args(["s_server", "-accept", &port, "-naccept", "1", "-Verify", "2"]);
            serve.args([
                "-verify_return_error",
                "-cert",
                server.0,
                "-cert_chain",
                server.0,
                "-key",
                server.1,
                "-CAfile",
            ]);
            serve.arg(&trusted).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
            let mut serve = serve.stderr(std::process::Stdio::null()).spawn().unwrap();
            let mut said = String::new();
            // It says ACCEPT when it listens.
            let mut lines = std::io::BufReader::new(serve.stdout.take().unwrap());
            while !said.contains("ACCEPT") {
                assert!(std::io::BufRead::read_line(&mut lines, &mut said).unwrap() > 0, "{said}");
            }
            let mut ask = Command::new("openssl");
            ask.current_dir(&self.root).args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-tls1_2"]);
            ask.args([
                "-verify_return_error",
                "-verify",
                "2",
                "-cert",
                "ca/client.pem",
                "-cert_chain",
                "ca/client.pem",
                "-key",
                client.1,
                "-CAfile",
            ]);
            let output = ask.arg(&trusted).stdin(std::process::Stdio::null()).output().unwrap();
            assert_eq!(output.status.success(), wanted, "{}", String::from_utf8_lossy(&output.stderr));
            serve.kill().ok();
            serve.wait().unwrap();
        }
    }

    fn keytool(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("keytool");
        command.current_dir(&self.root).arg("-J-Duser.language=en").args(arguments);
        String::from_utf8_lossy(&craft::run(&mut command).stdout).into_owned()
    }

    fn pin(&self, file: &str) -> String {
        let said = self.openssl(&["x509", "-in", file, "-noout", "-fingerprint", "-sha256"]);
        let text = String::from_utf8(said.stdout).unwrap();
        text.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase()
    }

    fn says(&self, arguments: &[&str], codes: &[i32]) -> String {
        let output = Command::new(BINARY).args(arguments).current_dir(&self.root).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let code = output.status.code().unwrap();
        assert!(codes.contains(&code), "{arguments:?}: {code}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    fn nothing_is_left(&self) {
        let text = self.says(&["plan", "--detailed-exitcode"], &[0]);
        assert!(text.ends_with("No changes. Every store holds what the spec declares.\n"), "{text}");
    }

    /// Whether a leaf verifies with nothing but a trust file.
    fn verifies(&self, trust: &Path, leaf: &str) -> bool {
        let mut verify = Command::new("openssl");
        verify.current_dir(&self.root).args(["verify", "-no-CApath", "-no-CAstore", "-CAfile"]).arg(trust).arg(leaf);
        verify.output().unwrap().status.success()
    }
}

const AUTHORITY: &str = "authorities:\n  corp: { root: { file: ca/root.pem, sha256: 'PIN' }, intermediates: [{ file: ca/issuing.pem }], \
                         requests_dir: ./csr, inbox: ./inbox }\n";

/// Document 000: a PEM file and a JKS with the CA of before under `root`, as L50 and L76 make them.
#[test]
fn judge_document_000_web_engagement_by_pem_and_by_jks() {
    if judge::off() {
        return;
    }
    let room = Room::new();
    room.server("cfg.x.example", "certs/cfg.x.example.cer");
    room.write(
        "estate.yaml",
        &("trustmason: 1\nestate: engagement\nprofile: genesys\naccess: { root: './hosts/{fqdn}' }\ncertificates_dir: ./certs\n\
           secrets: { gwe-trusted-ca: { literal: changeit } }\nhosts:\n  cfg.x.example: { role: genesys-server }\n  \
           g1.x.example: { role: gwe-pem, vars: { GWE_TRUSTED_CA: /opt/gwe/ca.pem } }\n  \
           g2.x.example: { role: gwe-jks, vars: { GWE_TRUSTED_CA: /opt/gwe/ca.jks } }\n"
            .to_owned()
            + &AUTHORITY.replace("PIN", &room.pin("ca/root.pem"))),
    );
    let pem = room.at("hosts/g1.x.example/opt/gwe/ca.pem");
    let jks = room.at("hosts/g2.x.example/opt/gwe/ca.jks");
    for path in [&pem, &jks] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
    }
    let old = fs::read_to_string(room.at("ca/old.pem")).unwrap();
    fs::write(&pem, format!("# the CA of before\r\n{}", old.replace('\n', "\r\n"))).unwrap();
    let store = jks.to_str().unwrap();
    room.keytool(&[
        "-importcert",
        "-noprompt",
        "-alias",
        "root",
        "-file",
        "ca/old.pem",
        "-storetype",
        "JKS",
        "-keystore",
        store,
        "-storepass",
        "changeit",
    ]);
    assert!(!room.verifies(&pem, "certs/cfg.x.example.cer"), "or the judge judges nothing");

    room.says(&["apply", "--auto-approve"], &[0, 5]);
    assert!(room.verifies(&pem, "certs/cfg.x.example.cer"));
    let text = fs::read_to_string(&pem).unwrap();
    assert!(
        text.starts_with("# the CA of before\r\n") && text.contains(old.trim().replace('\n', "\r\n").as_str()),
        "{text}"
    );
    let list = room.keytool(&["-list", "-rfc", "-storetype", "JKS", "-keystore", store, "-storepass", "changeit"]);
    for alias in ["Alias name: root", "Alias name: corp-root"] {
        assert!(list.contains(alias), "{list}");
    }
    let exported = room.at("exported.pem");
    fs::write(&exported, list).unwrap();
    assert!(room.verifies(&exported, "certs/cfg.x.example.cer"), "the JKS has the chain too");
    room.says(&["ack", "*"], &[0]);
    room.nothing_is_left();

    // Years later, renewed servers or not: the intermediate is over, and that is found; the root is not.
    room.server("cfg.x.example", "certs/cfg.x.example.cer");
    let late = room.says(&["plan", "--at", "2035-06-01T00:00:00Z", "-v"], &[0]);
    assert!(
        late.lines().any(|line| line.contains("  expired") && line.contains("CN=Issuing, ended on 2035-")),
        "{late}"
    );
    assert!(!late.contains("CN=root CA, ended"), "{late}");

    // Somebody takes the intermediate out again: a part of a chain is said to be one.
    let issuing = room.pin("ca/issuing.pem");
    let alias = format!("corp-{}", &issuing[..8]);
    room.keytool(&["-delete", "-alias", &alias, "-storetype", "JKS", "-keystore", store, "-storepass", "changeit"]);
    let drift = room.says(&["drift"], &[2]);
    assert!(drift.contains("chain-incomplete"), "{drift}");
}

/// Document 001: the connector's PFX is asked of the CA, its trust store gets the chain of the front end.
#[test]
fn judge_document_001_connector_with_a_pfx_of_the_ca() {
    if judge::off() {
        return;
    }
    let room = Room::new();
    room.server("lync.x.example", "certs/lync.x.example.cer");
    room.write(
        "estate.yaml",
        &("trustmason: 1\nestate: connector\nprofile: genesys\naccess: { root: './hosts/{fqdn}' }\ncertificates_dir: ./certs\n\
           secrets: { ucc-trust: { literal: changeit }, ucc-identity: { literal: changeit } }\nidentity: { issuer: corp }\nhosts:\n  \
           lync.x.example: { role: lync, access: none }\n  ucc.x.example: { role: uc-connector-mtls }\n"
            .to_owned()
            + &AUTHORITY.replace("PIN", &room.pin("ca/root.pem"))),
    );
    let pfx = room.at("hosts/ucc.x.example/C/gcti/lync_ucc_1.pfx");
    let trust = room.at("hosts/ucc.x.example/C/GCTI/UCConnector/etc/MYSTORE.jks");
    for path in [&pfx, &trust] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
    }
    // What the installer left: self-signed, by another tool.
    room.openssl(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "400",
        "-subj",
        "/CN=ucc.x.example",
        "-addext",
        "subjectAltName=DNS:ucc.x.example",
        "-keyout",
        "ca/ucc.key",
        "-out",
        "ca/ucc.pem",
    ]);
    room.openssl(&[
        "pkcs12",
        "-export",
        "-inkey",
        "ca/ucc.key",
        "-in",
        "ca/ucc.pem",
        "-name",
        "ucc",
        "-passout",
        "env:PW",
        "-out",
        pfx.to_str().unwrap(),
    ]);
    let before = fs::read(&pfx).unwrap();

    room.says(&["apply", "--auto-approve"], &[0, 5]);
    assert_eq!(fs::read(&pfx).unwrap(), before, "the working key is not touched");
    let list = room.keytool(&["-list", "-rfc", "-keystore", trust.to_str().unwrap(), "-storepass", "changeit"]);
    fs::write(room.at("exported.pem"), list).unwrap();
    assert!(
        room.verifies(&room.at("exported.pem"), "certs/lync.x.example.cer"),
        "made, as its role says, with the chain"
    );

    room.write("ca/leaf.ext", "subjectAltName=DNS:ucc.x.example\nextendedKeyUsage=serverAuth,clientAuth\n");
    room.sign("csr/ucc.x.example_ucc.csr", "issuing", "inbox/reply.cer", "ca/leaf.ext", "800");
    for _ in 0..4 {
        room.says(&["apply", "--auto-approve"], &[0, 5]);
        room.says(&["ack", "*"], &[0, 1]);
    }
    let said = room.openssl(&["pkcs12", "-in", pfx.to_str().unwrap(), "-passin", "env:PW", "-nodes"]);
    fs::write(room.at("pfx.pem"), &said.stdout).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&said.stdout).matches("BEGIN CERTIFICATE").count(),
        3,
        "the whole chain is in it"
    );
    let modulus = |what: &[&str]| room.openssl(what).stdout;
    let certificate = modulus(&["x509", "-in", "inbox/reply.cer", "-noout", "-modulus"]);
    assert_eq!(
        modulus(&["rsa", "-in", "pfx.pem", "-noout", "-modulus"]),
        certificate,
        "key and certificate belong together"
    );
    assert!(room.verifies(&room.at("ca/root.pem"), "ca/issuing.pem"));
}

/// Document 002: two nodes each of Finesse, CUIC and Live Data get certificates of a CA with an intermediate. People do all of it,
/// by packs; what a node trusts is seen in an export of it.
#[test]
fn judge_document_002_live_data_with_certificates_of_the_ca() {
    if judge::off() {
        return;
    }
    let room = Room::new();
    let nodes = ["fina", "finb", "cuica", "cuicb", "lda", "ldb"];
    let mut spec = "trustmason: 1\nestate: live\nprofile: ucce-live-data\naccess: { root: './hosts/{fqdn}' }\ncertificates_dir: ./certs\n\
                    identity: { issuer: corp }\nhosts:\n"
        .to_owned();
    for (node, role) in nodes.iter().zip(["finesse", "finesse", "cuic", "cuic", "live-data", "live-data"]) {
        let publisher = if node.ends_with('a') { ", publisher: true" } else { "" };
        spec += &format!("  {node}.x.example: {{ role: {role}, cluster: {role}{publisher} }}\n");
        room.self_signed(&format!("{node}.x.example"), "ca/node.key", &format!("certs/{node}.x.example.pem"), "1825");
        fs::create_dir_all(room.at(&format!("hosts/{node}.x.example/tomcat-trust"))).unwrap();
    }
    room.write("estate.yaml", &(spec + &AUTHORITY.replace("PIN", &room.pin("ca/root.pem"))));
    let handoff = |node: &str, what: &str| room.at(&format!(".trustmason/handoff/{node}.x.example/{what}"));
    let steps = |node: &str, what: &str| fs::read_to_string(handoff(node, what).join("STEPS.md")).unwrap();
    // Whoever trusts at all is brought what its pack holds; whoever trusts nobody gets none.
    let carry = || {
        for node in nodes {
            let Ok(pack) = fs::read_to_string(handoff(node, "tomcat-trust").join("pack.json")) else { continue };
            let pack: serde_json::Value = serde_json::from_str(&pack).unwrap();
            // Of a node that nobody has exported yet everything is to be verified, and added where it is not there.
            for item in ["add", "verify"].iter().flat_map(|what| pack[what].as_array().unwrap()) {
                let file = item["file"].as_str().unwrap();
                let from = handoff(node, "tomcat-trust").join(file);
                fs::copy(from, room.at(&format!("hosts/{node}.x.example/tomcat-trust/{file}"))).unwrap();
            }
            for item in pack["remove"].as_array().unwrap() {
                let gone = item["sha256"].as_str().unwrap();
                for file in fs::read_dir(room.at(&format!("hosts/{node}.x.example/tomcat-trust"))).unwrap() {
                    let file = file.unwrap().path();
                    if room.pin(file.to_str().unwrap()) == gone {
                        fs::remove_file(file).unwrap();
                    }
                }
            }
        }
    };

    room.says(&["apply", "--auto-approve"], &[5]);
    for node in nodes {
        let text = steps(node, "tomcat");
        // Nobody in this estate trusts Finesse.
        assert_eq!(text.contains("do not put it in place yet"), !node.starts_with("fin"), "{text}");
        assert!(text.contains("Every node has a request of its own"), "{text}");
    }
    for _ in 0..2 {
        carry();
        room.says(&["ack", "*"], &[0, 1]);
        room.says(&["apply", "--auto-approve"], &[0, 5]);
    }
    for node in &nodes[2..] {
        let text = steps(node, "tomcat");
        assert!(text.contains("its new one may come"), "{node}: {text}");
    }
    for node in nodes {
        room.server(&format!("{node}.x.example"), &format!("certs/{node}.x.example.pem"));
    }
    for _ in 0..3 {
        room.says(&["apply", "--auto-approve"], &[0, 5]);
        carry();
        room.says(&["ack", "*"], &[0, 1]);
    }
    room.nothing_is_left();

    // L105-107: Finesse trusts Live Data and CUIC, Live Data and CUIC each other; by what is there now and by nothing else.
    let trusts = |truster: &str, subject: &str| {
        let folder = room.at(&format!("hosts/{truster}.x.example/tomcat-trust"));
        let all: String =
            fs::read_dir(folder).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        fs::write(room.at("ca/all.pem"), all).unwrap();
        room.verifies(&room.at("ca/all.pem"), &format!("certs/{subject}.x.example.pem"))
    };
    for (truster, subjects) in [("fin", ["ld", "cuic"]), ("ld", ["cuic", "cuic"]), ("cuic", ["ld", "ld"])] {
        for (side, other) in [("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")] {
            for subject in subjects {
                assert!(
                    trusts(&format!("{truster}{side}"), &format!("{subject}{other}")),
                    "{truster}{side} {subject}{other}"
                );
            }
        }
    }
    // Replication is documented both ways: a node that did not get the root is found, and only that one (D30).
    let lost = room.pin("ca/root.pem");
    for file in fs::read_dir(room.at("hosts/finb.x.example/tomcat-trust")).unwrap() {
        let file = file.unwrap().path();
        if room.pin(file.to_str().unwrap()) == lost {
            fs::remove_file(file).unwrap();
        }
    }
    let drift = room.says(&["drift"], &[2]);
    assert!(drift.contains("finb.x.example/tomcat-trust") && !drift.contains("fina.x.example/tomcat-trust"), "{drift}");
    assert!(!trusts("finb", "lda"));
}

/// Document 004: Finesse and the gateway get certificates of the CA and trust one another through it. The gateway's pair is
/// changed here, Finesse's certificate by a person; the Windows store is seen in a serialised export.
#[test]
fn judge_document_004_cti_link_with_certificates_of_the_ca() {
    if judge::off() {
        return;
    }
    let room = Room::new();
    room.write(
        "estate.yaml",
        &("trustmason: 1\nestate: cti\nprofile: cce-cti\naccess: { root: './hosts/{fqdn}' }\ncertificates_dir: ./certs\n\
           identity: { issuer: corp }\nhosts:\n  pga.x.example: { role: pg }\n  fin.x.example: { role: finesse }\n"
            .to_owned()
            + &AUTHORITY.replace("PIN", &room.pin("ca/root.pem"))),
    );
    // As the installers left them: self-signed, the gateway's for 7300 days (CiscoCertUtil), in a form of OpenSSL 1.0.
    let ssl = room.at("hosts/pga.x.example/C/icm/ssl");
    for folder in ["certs", "keys", "rsa", "trust-export"] {
        fs::create_dir_all(ssl.join(folder)).unwrap();
    }
    let (pem, key) = ("hosts/pga.x.example/C/icm/ssl/certs/host.pem", "hosts/pga.x.example/C/icm/ssl/keys/host.key");
    room.self_signed("pga.x.example", "ca/pga.key", pem, "7300");
    room.openssl(&["rsa", "-traditional", "-in", "ca/pga.key", "-out", key]);
    room.self_signed("fin.x.example", "ca/fin.key", "certs/fin.x.example.pem", "1825");
    let first = fs::read(room.at(pem)).unwrap();
    let first_key = fs::read(room.at(key)).unwrap();
    let trust = room.at("hosts/fin.x.example/tomcat-trust");
    let mirror = ssl.join("trust-export/root.sst");
    fs::create_dir_all(&trust).unwrap();

    let text = room.says(&["apply", "--auto-approve"], &[5]);
    assert!(text.contains("pga.x.example/windows-root"), "{text}");
    assert_eq!((fs::read(room.at(pem)).unwrap(), fs::read(room.at(key)).unwrap()), (first.clone(), first_key.clone()));
    let explained = room.says(&["explain", "pga.x.example/host"], &[0]);
    assert!(explained.contains("at-ca"), "{explained}");
    let steps =
        |target: &str| fs::read_to_string(room.at(".trustmason/handoff").join(target).join("STEPS.md")).unwrap();
    let finesse = steps("fin.x.example/tomcat");
    let order =
        ["Generate CSR", "upload the root as tomcat-trust", "Upload the reply as tomcat", "utils system restart, once"];
    let at: Vec<_> =
        order.iter().map(|step| finesse.find(step).unwrap_or_else(|| panic!("{step}: {finesse}"))).collect();
    assert!(at.is_sorted(), "{finesse}");
    assert!(steps("pga.x.example/windows-root").contains("CiscoCertUtil /install"));

    // The CA answers both; a person brings the packs in, and Finesse's reply. Windows would hold its part serialised.
    room.write("ca/leaf.ext", "subjectAltName=DNS:pga.x.example\nextendedKeyUsage=serverAuth,clientAuth\n");
    room.sign("csr/pga.x.example_host.csr", "issuing", "inbox/host.cer", "ca/leaf.ext", "800");
    room.server("fin.x.example", "certs/fin.x.example.pem");
    fs::write(&mirror, serialised(&room, &["ca/root.pem", "ca/issuing.pem"])).unwrap();
    for name in ["root", "issuing"] {
        fs::copy(room.at(&format!("ca/{name}.pem")), trust.join(format!("{name}.pem"))).unwrap();
    }
    for _ in 0..4 {
        room.says(&["apply", "--auto-approve"], &[0, 5]);
        room.says(&["ack", "*"], &[0, 1]);
    }
    room.nothing_is_left();

    // openssl judges: one modulus, the chain in the file, both sides by what the other trusts, the first certificate kept.
    let modulus = |what: &[&str]| String::from_utf8(room.openssl(what).stdout).unwrap();
    let of_certificate = modulus(&["x509", "-in", pem, "-noout", "-modulus"]);
    assert_eq!(modulus(&["rsa", "-in", key, "-noout", "-modulus"]), of_certificate);
    assert!(fs::read_to_string(room.at(key)).unwrap().starts_with("-----BEGIN RSA PRIVATE KEY-----"), "the old form");
    assert_eq!(fs::read_to_string(room.at(pem)).unwrap().matches("BEGIN CERTIFICATE").count(), 3);
    assert_eq!(fs::read(ssl.join("certs/selfhost.pem")).unwrap(), first);
    assert_eq!(fs::read(ssl.join("rsa/host.pem")).unwrap(), fs::read(room.at(pem)).unwrap());
    room.mutual(&room.at("ca/trusts.pem"), (pem, key), ("certs/fin.x.example.pem", "ca/leaf.key"));

    // A key that somebody deleted or made anew before the CA answered (the order of the PCCE 15.0 guide).
    fs::write(room.at(key), &first_key).unwrap();
    let drift = room.says(&["drift"], &[2]);
    assert!(drift.contains("does not belong to the certificate beside it"), "{drift}");
    room.says(&["apply", "--auto-approve"], &[0, 2, 5]);
    assert_eq!(fs::read(room.at(key)).unwrap(), first_key, "it may be the one that a reply is on its way for");

    fs::write(&mirror, serialised(&room, &["ca/root.pem"])).unwrap();
    let drift = room.says(&["drift"], &[2]);
    assert!(drift.contains("pga.x.example/windows-root"), "{drift}");
}

/// A serialised store (MS-OSHARED 2.3.9.1) by other means than the product's: each certificate without properties.
fn serialised(room: &Room, files: &[&str]) -> Vec<u8> {
    let mut out = b"\0\0\0\0CERT".to_vec();
    for file in files {
        let der = room.openssl(&["x509", "-in", file, "-outform", "DER"]).stdout;
        for number in [32, 1, u32::try_from(der.len()).unwrap()] {
            out.extend(number.to_le_bytes());
        }
        out.extend(der);
    }
    out.extend([0; 12]);
    out
}
