//! The options that documents 000 and 001 tell their readers to write, including the documents' mistakes, with stores
//! made by keytool and openssl. Drift reports each mistake, the text that `explain` prints repairs it, and no output
//! has a password.
#![cfg(unix)]

use crate::judge;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use judge::craft;

const BINARY: &str = env!("CARGO_BIN_EXE_trustmason");

/// The password of every store here. No output may contain it.
const PASSWORD: &str = "Canary-4711";
/// A wrong password. No output may contain it either.
const WRONG: &str = "Zeisig-0815";

struct Room {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

impl Room {
    fn new(estate: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("options-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let root = folder.path().to_owned();
        let room = Self { _folder: folder, root };
        let head = "trustmason: 1\nestate: e\nprofile: genesys\naccess: { root: './hosts/{fqdn}' }\ncertificates_dir: ./certs\n";
        room.write("estate.yaml", format!("{head}{estate}"));
        fs::create_dir_all(room.root.join("certs")).unwrap();
        room
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn tool(&self, program: &str, arguments: &[&str]) {
        craft::run(Command::new(program).current_dir(&self.root).args(arguments).env("PW", PASSWORD));
    }

    /// Makes a self-signed certificate, and its key in `keys/`.
    fn certificate(&self, fqdn: &str) {
        fs::create_dir_all(self.root.join("keys")).unwrap();
        let (key, file) = (format!("keys/{fqdn}.key"), format!("certs/{fqdn}.cer"));
        let (subject, san) = (format!("/CN={fqdn}"), format!("subjectAltName=DNS:{fqdn}"));
        let made = [
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-sha256",
            "-days",
            "700",
            "-addext",
            "basicConstraints=CA:FALSE",
            "-subj",
            &subject,
        ];
        self.tool("openssl", &[&made[..], &["-addext", &san, "-keyout", &key, "-out", &file]].concat());
    }

    fn pfx(&self, fqdn: &str, path: &str) {
        fs::create_dir_all(self.root.join(path).parent().unwrap()).unwrap();
        let (key, file) = (format!("keys/{fqdn}.key"), format!("certs/{fqdn}.cer"));
        let made =
            ["pkcs12", "-export", "-inkey", &key, "-in", &file, "-name", "ucc", "-passout", "env:PW", "-out", path];
        self.tool("openssl", &made);
    }

    fn jks(&self, certificate: &str, alias: &str, path: &str, password: &str) {
        fs::create_dir_all(self.root.join(path).parent().unwrap()).unwrap();
        let made = ["-importcert", "-noprompt", "-alias", alias, "-file", certificate, "-storetype", "JKS"];
        self.tool("keytool", &[&made[..], &["-keystore", path, "-storepass", password]].concat());
    }

    fn says(&self, arguments: &[&str], code: i32) -> String {
        let mut command = Command::new(BINARY);
        command.args(arguments).current_dir(&self.root).env("STORE_PW", PASSWORD).env("RUST_LOG", "trace");
        let output = command.output().unwrap();
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
        for secret in [PASSWORD, WRONG] {
            assert!(!out.contains(secret) && !err.contains(secret), "{arguments:?} tells a password:\n{out}\n{err}");
        }
        out
    }

    /// Converges the stores, so that later drift is about the options only.
    fn settle(&self) {
        let again = |arguments: &[&str]| {
            let ran = Command::new(BINARY).args(arguments).current_dir(&self.root).env("STORE_PW", PASSWORD).output();
            ran.unwrap().status.code()
        };
        again(&["apply", "--auto-approve"]);
        again(&["ack", "*"]);
        assert_eq!(again(&["apply", "--auto-approve"]), Some(0));
    }

    /// Checks that drift reports all these texts, and that no file of the run has a password.
    fn drifts(&self, parts: &[&str]) {
        let text = self.says(&["drift", "-vv"], 2);
        for part in parts {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let json = self.says(&["drift", "--format", "json", "-v"], 2);
        assert!(json.contains("option-wrong"), "{json}");
        self.says(&["drift", "--format", "prometheus"], 2);
        self.says(&["plan", "--format", "markdown"], 0);
        self.says(&["plan", "--format", "json", "--out", "plan.json"], 0);
        let plan = fs::read_to_string(self.root.join("plan.json")).unwrap();
        assert!(plan.contains("\"options-file\"") && !plan.contains(PASSWORD) && !plan.contains(WRONG), "{plan}");
        assert_eq!(found(&self.root.join(".trustmason"), &[PASSWORD, WRONG]), Vec::<PathBuf>::new());
    }

    /// The text that `explain` prints for one options file, with the passwords filled in.
    fn explained(&self, fqdn: &str, name: &str) -> String {
        let text = self.says(&["explain", "estate.yaml", fqdn], 0);
        let block = text.split(&format!("options {fqdn}/{name}")).nth(1).unwrap_or_else(|| panic!("{text}"));
        let lines = block.split_once("it should have\n").unwrap().1.lines().take_while(|line| line.starts_with("    "));
        let mut text: String = lines.map(|line| format!("{}\r\n", line.trim())).collect();
        while let Some((before, rest)) = text.split_once('<') {
            text = format!("{before}{PASSWORD}{}", rest.split_once('>').unwrap().1);
        }
        text
    }
}

/// The files below a folder that contain one of these texts.
fn found(folder: &Path, texts: &[&str]) -> Vec<PathBuf> {
    let mut hits = Vec::new();
    for item in fs::read_dir(folder).into_iter().flatten() {
        let path = item.unwrap().path();
        if path.is_dir() {
            hits.extend(found(&path, texts));
        } else if texts.iter().any(|text| fs::read(&path).unwrap().windows(text.len()).any(|w| w == text.as_bytes())) {
            hits.push(path);
        }
    }
    hits
}

fn utf16(text: &str) -> Vec<u8> {
    [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// Document 000: `trusted-pwd` of L83, the path of L76 in another spelling, `MSCAP` of L111, and the missing option (L26).
#[test]
fn judge_document_000_options_as_its_reader_writes_them() {
    needs!(Jdk, Openssl);
    let vars = |file: &str| format!("vars: {{ GWE_TRUSTED_CA: {file}, GWE_OPTIONS: /opt/gwe/options.cfg }}");
    let room = Room::new(&format!(
        "secrets: {{ gwe-trusted-ca: {{ env: STORE_PW }} }}\nhosts:\n  cfg.x.example: {{ role: genesys-server }}\n  \
         g1.x.example: {{ role: gwe-pem, {} }}\n  g2.x.example: {{ role: gwe-jks, {} }}\n  \
         g3.x.example: {{ role: gwe-mscapi, vars: {{ GWE_OPTIONS: 'C:\\gwe\\options.cfg' }} }}\n  \
         g4.x.example: {{ role: gwe-jks, vars: {{ GWE_TRUSTED_CA: /opt/gwe/certificateCA.jks }} }}\n",
        vars("/opt/gwe/certificateCA.pem"),
        vars("/opt/gwe/certificateCA.jks")
    ));
    room.certificate("cfg.x.example");
    let pem = fs::read(room.root.join("certs/cfg.x.example.cer")).unwrap();
    room.write("hosts/g1.x.example/opt/gwe/certificateCA.pem", &pem);
    for host in ["g2", "g4"] {
        let store = format!("hosts/{host}.x.example/opt/gwe/certificateCA.jks");
        room.jks("certs/cfg.x.example.cer", "root", &store, PASSWORD);
    }
    room.write(
        "hosts/g1.x.example/opt/gwe/options.cfg",
        "[log]\nverbose=all\n\n[security]\ntrusted-ca=/opt/gwe/certificateCA.pem\n",
    );
    let slips = format!(
        "[security]\r\ntrusted-ca-type=JKS\r\ntrusted-ca=/opt/gwe/certificateCa.jks\r\ntrusted-pwd={WRONG}\r\n"
    );
    room.write("hosts/g2.x.example/opt/gwe/options.cfg", utf16(&slips));
    room.write("hosts/g3.x.example/C/gwe/options.cfg", "[security]\r\ntrusted-ca-type = MSCAP\r\n");
    // Trustmason cannot see the Windows store of g3. A person exported it.
    room.write("hosts/g3.x.example/C/trust-export/root.sst", &pem);
    room.settle();

    room.drifts(&[
        "g1.x.example/trusted-ca: /opt/gwe/options.cfg does not give `trusted-ca-type` in [security] (without a type it knows, TLS is off",
        "g2.x.example/trusted-ca: /opt/gwe/options.cfg line 3 gives `trusted-ca` the path /opt/gwe/certificateCa.jks",
        "g2.x.example/trusted-ca: /opt/gwe/options.cfg line 4 has `trusted-pwd`",
        "g2.x.example/trusted-ca: /opt/gwe/options.cfg line 4 gives `trusted-ca-pwd` a password that does not open",
        "g3.x.example/trusted-ca: C:\\gwe\\options.cfg line 2 gives `trusted-ca-type` the wrong value `MSCAP`",
        "options-unobserved     g4.x.example/trusted-ca: the spec does not say where a copy of the options of the Web Engagement",
    ]);

    for (host, path) in [("g1", "opt/gwe"), ("g2", "opt/gwe"), ("g3", "C/gwe")] {
        let fqdn = format!("{host}.x.example");
        room.write(&format!("hosts/{fqdn}/{path}/options.cfg"), room.explained(&fqdn, "security"));
    }
    room.says(&["drift", "--strict"], 0);
}

/// Document 001, mutual TLS: L154 (name and path in one word), L164 (`-ket_store_type`), L173-174 (an incomplete batch
/// file).
#[test]
fn judge_document_001_arguments_of_a_connector_with_mutual_tls() {
    needs!(Jdk, Openssl);
    let room = Room::new(
        "secrets: { ucc-trust: { env: STORE_PW }, ucc-identity: { env: STORE_PW } }\nhosts:\n  \
         lync.x.example: { role: lync, access: none }\n  \
         ucc.x.example: { role: uc-connector-mtls, vars: { UCC_ARGUMENTS: 'C:\\gcti\\arguments.txt' } }\n",
    );
    room.certificate("lync.x.example");
    room.certificate("ucc.x.example");
    let disk = "hosts/ucc.x.example/C";
    room.pfx("ucc.x.example", &format!("{disk}/gcti/lync_ucc_1.pfx"));
    fs::create_dir_all(room.root.join(disk).join("GCTI/UCConnector/etc")).unwrap();
    room.settle();
    room.says(&["drift", "--strict"], 0);

    let arguments = format!(
        "-app ucc -cert_store_<c:\\gcti\\lync_ucc_1.pfx> -cert_store_pass {PASSWORD} -cert_store_type jks \u{2014}key_store_file \
         C:\\GCTI\\UCConnector\\etc\\MYSTORE.jks -key_store_pass {WRONG} -ket_store_type jks"
    );
    room.write(&format!("{disk}/gcti/arguments.txt"), &arguments);
    let sample = "java -jar ucc.jar ^\r\n-cert_store_file c:\\gcti\\lync_ucc_1.pfx ^\r\n-cert_store_pass genesys\r\n";
    room.write(&format!("{disk}/GCTI/UCConnector/startup.bat"), utf16(sample));
    room.drifts(&[
        "ucc.x.example/identity: C:\\gcti\\arguments.txt line 1 has a longer name that begins with `-cert_store_`",
        "ucc.x.example/identity: C:\\gcti\\arguments.txt line 1 gives `-cert_store_type` the value `jks`, but ucc.x.example/identity is pkcs12",
        "ucc.x.example/trust: C:\\gcti\\arguments.txt line 1 has a typographic dash where `-key_store_file`",
        "ucc.x.example/trust: C:\\gcti\\arguments.txt line 1 gives `-key_store_pass` a password that does not open",
        "ucc.x.example/trust: C:\\gcti\\arguments.txt line 1 has `-ket_store_type`",
        "ucc.x.example/identity: C:\\GCTI\\UCConnector\\startup.bat line 3 gives `-cert_store_pass` a password that does not open \
         ucc.x.example/identity; write `-cert_store_pass \"<the password of ucc.x.example/identity>\"`; C:\\gcti\\arguments.txt has the right value",
        "ucc.x.example/trust: C:\\GCTI\\UCConnector\\startup.bat does not give `-key_store_file` (Java then uses jssecacerts",
    ]);

    room.write(&format!("{disk}/gcti/arguments.txt"), room.explained("ucc.x.example", "arguments"));
    let rest = room.explained("ucc.x.example", "startup");
    room.write(
        &format!("{disk}/GCTI/UCConnector/startup.bat"),
        format!("@echo off\r\njava -jar ucc.jar ^\r\n{rest}pause\r\n"),
    );
    room.says(&["drift", "--strict"], 0);

    // A saved plan is outdated after somebody changed the arguments. A changed password alone also changes a verdict.
    room.says(&["plan", "--out", "saved.json"], 0);
    room.write(&format!("{disk}/gcti/arguments.txt"), arguments);
    room.says(&["apply", "--plan", "saved.json"], 3);
}

/// Document 001, Kerberos: here `-cert_store_file` is the trust store (L347-349). The other chapter gives it another
/// meaning.
#[test]
fn judge_document_001_arguments_of_a_connector_with_kerberos() {
    needs!(Jdk, Openssl);
    let room = Room::new(
        "secrets: { ucc-trust: { env: STORE_PW } }\nhosts:\n  lync.x.example: { role: lync, access: none }\n  \
         ucc.x.example: { role: uc-connector-kerberos, vars: { UCC_ARGUMENTS: 'C:\\gcti\\arguments.txt' } }\n",
    );
    room.certificate("lync.x.example");
    let disk = "hosts/ucc.x.example/C";
    fs::create_dir_all(room.root.join(disk).join("GCTI/UCConnector/etc")).unwrap();
    room.settle();
    let text = format!("-cert_store_file c:\\gcti\\lync_ucc_1.pfx -cert_store_pass {WRONG} -cert_store_type pkcs12");
    room.write(&format!("{disk}/gcti/arguments.txt"), text);
    room.drifts(&[
        "gives `-cert_store_file` the path c:\\gcti\\lync_ucc_1.pfx, but ucc.x.example/trust is elsewhere",
        "gives `-cert_store_pass` a password that does not open ucc.x.example/trust",
        "gives `-cert_store_type` the value `pkcs12`, but ucc.x.example/trust is jks",
        "does not give `-krb_conf_file`; write `-krb_conf_file C:\\GCTI\\UCConnector\\etc\\krb5.conf`",
    ]);
    room.write(&format!("{disk}/gcti/arguments.txt"), room.explained("ucc.x.example", "arguments"));
    room.says(&["drift", "--strict"], 0);
}

/// Document 001 L158-161: without a trust store of its own the connector uses its Java's. A stray `jssecacerts`
/// replaces that.
#[test]
fn judge_document_001_connector_that_uses_the_store_of_its_java() {
    needs!(Jdk, Openssl);
    let room = Room::new(
        "secrets: { ucc-identity: { env: STORE_PW } }\nhosts:\n  lync.x.example: { role: lync, access: none }\n  \
         ucc.x.example: { role: uc-connector-mtls-jsse, vars: { JAVA_HOME: 'C:\\Java\\jre8', UCC_ARGUMENTS: 'C:\\gcti\\arguments.txt' } }\n",
    );
    for fqdn in ["lync.x.example", "ucc.x.example", "vendor.x.example"] {
        room.certificate(fqdn);
    }
    let disk = "hosts/ucc.x.example/C";
    let security = format!("{disk}/Java/jre8/lib/security");
    room.pfx("ucc.x.example", &format!("{disk}/gcti/lync_ucc_1.pfx"));
    room.jks("certs/vendor.x.example.cer", "vendor", &format!("{security}/cacerts"), "changeit");
    room.write(&format!("{disk}/gcti/arguments.txt"), "");
    room.settle();
    room.write(&format!("{disk}/gcti/arguments.txt"), room.explained("ucc.x.example", "arguments"));
    room.says(&["drift", "--strict"], 0);

    fs::copy(room.root.join(format!("{security}/cacerts")), room.root.join(format!("{security}/jssecacerts"))).unwrap();
    let drift = room.says(&["drift"], 2);
    assert!(
        drift.contains("shadowed-store") && drift.contains("C:\\Java\\jre8\\lib\\security\\jssecacerts"),
        "{drift}"
    );
    fs::remove_file(room.root.join(format!("{security}/jssecacerts"))).unwrap();

    let more = format!("{} -key_store_file C:\\gcti\\mine.jks", room.explained("ucc.x.example", "arguments").trim());
    room.write(&format!("{disk}/gcti/arguments.txt"), more);
    room.drifts(&["gives `-key_store_file` (with it the connector does not use the store of its Java); remove it"]);
}

/// Anything else in the place of an options file: the program does not hang, reports no wrong setting, and names what
/// it found.
#[test]
fn judge_options_that_are_none() {
    needs!(Jdk, Openssl);
    let room = Room::new(
        "hosts:\n  cfg.x.example: { role: genesys-server }\n  \
         g1.x.example: { role: gwe-pem, vars: { GWE_TRUSTED_CA: /opt/gwe/ca.pem, GWE_OPTIONS: /opt/gwe/options.cfg } }\n",
    );
    room.certificate("cfg.x.example");
    room.write("hosts/g1.x.example/opt/gwe/ca.pem", fs::read(room.root.join("certs/cfg.x.example.cer")).unwrap());
    let options = room.root.join("hosts/g1.x.example/opt/gwe/options.cfg");
    let unseen = |part: &str| {
        let text = room.says(&["drift", "-v"], 0);
        assert!(text.contains("options-unobserved") && text.contains(part), "{part}\n{text}");
        room.says(&["explain", "g1.x.example/trusted-ca"], 0);
    };
    unseen("/opt/gwe/options.cfg is not there");
    fs::create_dir(&options).unwrap();
    unseen("it is a folder, not a file; put the file itself there");
    fs::remove_dir(&options).unwrap();
    room.tool("mkfifo", &[options.to_str().unwrap()]);
    unseen("it is a pipe, not a file");
    for link in ["/dev/zero", "/nothing/there"] {
        fs::remove_file(&options).unwrap();
        std::os::unix::fs::symlink(link, &options).unwrap();
        unseen(if link == "/dev/zero" { "it is a device, not a file" } else { "repair the link" });
    }
    fs::remove_file(&options).unwrap();
    fs::File::create(&options).unwrap().set_len(100 * 1024 * 1024 * 1024).unwrap();
    unseen("it is larger than an options file may be (1 MiB)");
    fs::remove_file(&options).unwrap();
    fs::copy(BINARY, &options).map(drop).unwrap();
    fs::OpenOptions::new().write(true).open(&options).unwrap().set_len(500_000).unwrap();
    unseen("is not text");
    // An empty file counts as read: TLS is off with it.
    fs::write(&options, "").unwrap();
    let text = room.says(&["drift"], 2);
    assert!(text.contains("does not give `trusted-ca-type`"), "{text}");
    // The same text in other encodings and line ends, as other tools write it.
    let right = "[security]\ntrusted-ca-type=PEM\ntrusted-ca=/opt/gwe/ca.pem\n";
    for bytes in
        [right.as_bytes().to_vec(), utf16(right), right.replace('\n', "\r").into_bytes(), utf16(right)[2..].to_vec()]
    {
        fs::write(&options, bytes).unwrap();
        room.says(&["drift", "--strict"], 0);
    }
    fs::write(&options, format!("{right}trusted-ca-pwd=\x1b[2J{PASSWORD}\n")).unwrap();
    unseen("is not text");
}
