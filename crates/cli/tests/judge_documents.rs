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

/// Document 004: Finesse and the gateway trust one another; the Windows store is seen in a serialised export.
#[test]
fn judge_document_004_cti_link_by_packs_and_a_serialised_store() {
    if judge::off() {
        return;
    }
    let room = Room::new();
    room.server("pga.x.example", "certs/pga.x.example_host.pem");
    room.server("fin.x.example", "certs/fin.x.example.pem");
    room.write(
        "estate.yaml",
        &("trustmason: 1\nestate: cti\nprofile: cce-cti\naccess: { root: './hosts/{fqdn}' }\ncertificates_dir: ./certs\nhosts:\n  \
           pga.x.example: { role: pg }\n  fin.x.example: { role: finesse }\n"
            .to_owned()
            + &AUTHORITY.replace("PIN", &room.pin("ca/root.pem"))),
    );
    fs::create_dir_all(room.at("hosts/fin.x.example/tomcat-trust")).unwrap();
    let mirror = room.at("hosts/pga.x.example/C/icm/ssl/trust-export/root.sst");
    fs::create_dir_all(mirror.parent().unwrap()).unwrap();
    let text = room.says(&["apply", "--auto-approve"], &[5]);
    assert!(text.contains("pga.x.example/windows-root"), "{text}");
    let pack = room.at(".trustmason/handoff/pga.x.example/windows-root");
    let steps = fs::read_to_string(pack.join("STEPS.md")).unwrap();
    assert!(steps.contains("CiscoCertUtil /install FILE root"), "{steps}");
    let files: Vec<PathBuf> = fs::read_dir(&pack)
        .unwrap()
        .map(|f| f.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "pem"))
        .collect();
    assert_eq!(files.len(), 2, "root and intermediate, once each: {files:?}");

    // A person brings both in: Windows would hold them serialised.
    fs::write(&mirror, serialised(&room, &["ca/root.pem", "ca/issuing.pem"])).unwrap();
    for name in ["root", "issuing"] {
        fs::copy(room.at(&format!("ca/{name}.pem")), room.at(&format!("hosts/fin.x.example/tomcat-trust/{name}.pem")))
            .unwrap();
    }
    room.says(&["apply", "--auto-approve"], &[0, 5]);
    room.says(&["ack", "*"], &[0, 1]);
    room.nothing_is_left();
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
