//! `openssl s_server` in every form that a contact centre has. Each host of one estate presents another kind of
//! certificate in another way. `collect` must see what openssl says the host presents, and write exactly that.
#![cfg(unix)]

use crate::judge;
use crate::support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use judge::build::StoreAt;
use judge::craft::{self, HOW_TO_GET, run};
use judge::jvm::Jvm;
use support::CertificateContent;

/// `openssl s_server` on a port of its own, ended on drop.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(certificate: &Path, key: &Path, more: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-www", "-cert"]).arg(certificate).arg("-key").arg(key);
        Self::of(command.args(more), "ACCEPT 127.0.0.1:")
    }

    /// Starts a program that prints its port on a line after these words.
    fn of(command: &mut Command, before: &str) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child =
            child.unwrap_or_else(|error| panic!("no judge: `{program}` does not start ({error}). {HOW_TO_GET}"));
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut port = None;
        let mut line = String::new();
        while port.is_none() && said.read_line(&mut line).unwrap() > 0 {
            port = line.trim().strip_prefix(before).and_then(|p| p.parse().ok());
            line.clear();
        }
        // The program stops if its output is not read.
        std::thread::spawn(move || drop(std::io::copy(&mut said, &mut std::io::sink())));
        let Some(port) = port else {
            let output = child.wait_with_output().unwrap();
            panic!("{program} says no port: {}", String::from_utf8_lossy(&output.stderr));
        };
        let mut errors = child.stderr.take().unwrap();
        std::thread::spawn(move || drop(std::io::copy(&mut errors, &mut std::io::sink())));
        Self { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A certificate and its key, made by openssl.
fn make(folder: &Path, fqdn: &str, new_key: &[&str], more: &[&str]) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join(format!("{fqdn}.crt")), folder.join(format!("{fqdn}.key")));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-nodes", "-days", "365", "-subj", &format!("/CN={fqdn}"), "-newkey"]).args(new_key);
    command.args(["-addext", &format!("subjectAltName=DNS:{fqdn}")]);
    run(command.args(more).arg("-keyout").arg(&key).arg("-out").arg(&certificate));
    (certificate, key)
}

/// A version 1 certificate, as very old tools make it: without extensions.
fn version_one(folder: &Path, fqdn: &str) -> (PathBuf, PathBuf) {
    let at = |name: &str| folder.join(format!("{fqdn}.{name}"));
    let mut command = Command::new("openssl");
    command.args(["req", "-new", "-nodes", "-newkey", "rsa:2048", "-subj", &format!("/CN={fqdn}"), "-keyout"]);
    run(command.arg(at("key")).arg("-out").arg(at("csr")));
    let mut command = Command::new("openssl");
    command.args(["x509", "-req", "-days", "365", "-in"]).arg(at("csr")).arg("-signkey").arg(at("key"));
    run(command.arg("-out").arg(at("crt")));
    let text = run(Command::new("openssl").args(["x509", "-noout", "-text", "-in"]).arg(at("crt"))).stdout;
    assert!(String::from_utf8_lossy(&text).contains("Version: 1 (0x0)"), "openssl made another version");
    (at("crt"), at("key"))
}

/// A certificate that ended long ago.
fn expired(folder: &Path, fqdn: &str) -> (PathBuf, PathBuf) {
    let at = |name: &str| folder.join(format!("{fqdn}.{name}"));
    let wanted = CertificateContent { years: (2005, 2010), ..CertificateContent::of(fqdn, 7) };
    fs::write(at("crt"), support::pem(&support::certificate(&wanted))).unwrap();
    fs::write(at("key"), support::key(wanted.key).serialize_pem()).unwrap();
    (at("crt"), at("key"))
}

/// A leaf signed by an issuing CA that a root signed. Gives the leaf, the key, and the issuer's certificate.
fn chain(folder: &Path, fqdn: &str) -> (PathBuf, PathBuf, PathBuf) {
    let at = |name: &str| folder.join(format!("{fqdn}.{name}"));
    let (root, root_key) = make(folder, "root.acme.example", &["rsa:2048"], &[]);
    let sign = |who: &str, by: (&Path, &Path), extensions: &str| {
        let request = at(&format!("{who}.csr"));
        let subject = if who == "leaf" { format!("/CN={fqdn}") } else { format!("/CN={who}") };
        let mut command = Command::new("openssl");
        command.args(["req", "-new", "-nodes", "-newkey", "rsa:2048", "-subj", &subject, "-keyout"]);
        run(command.arg(at(&format!("{who}.key"))).arg("-out").arg(&request));
        let settings = at(&format!("{who}.ext"));
        fs::write(&settings, extensions).unwrap();
        let mut command = Command::new("openssl");
        command.args(["x509", "-req", "-days", "365", "-CAcreateserial", "-in"]).arg(request).arg("-CA").arg(by.0);
        command.arg("-CAkey").arg(by.1).arg("-extfile").arg(settings);
        run(command.arg("-out").arg(at(&format!("{who}.crt"))));
    };
    sign("issuing", (&root, &root_key), "basicConstraints=critical,CA:TRUE\n");
    sign("leaf", (&at("issuing.crt"), &at("issuing.key")), &format!("subjectAltName=DNS:{fqdn}\n"));
    (at("leaf.crt"), at("leaf.key"), at("issuing.crt"))
}

/// The fingerprint that openssl prints for the certificate in a file.
fn fingerprint(file: &Path) -> String {
    let said = run(Command::new("openssl").args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(file)).stdout;
    let said = String::from_utf8(said).unwrap();
    said.split_once('=').unwrap().1.trim().replace(':', "").to_lowercase()
}

struct Case {
    fqdn: String,
    certificate: PathBuf,
    server: Server,
}

/// Every form of presenting a certificate, each on a host of its own.
fn cases(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    let name = |mood: &str| format!("{mood}.acme.example");
    let mut add = |mood: &str, (certificate, key): (PathBuf, PathBuf), more: &[&str]| {
        let server = Server::start(&certificate, &key, more);
        cases.push(Case { fqdn: name(mood), certificate, server });
    };
    let rsa = |mood: &str| make(folder, &name(mood), &["rsa:2048"], &[]);
    let weak = |mood: &str| make(folder, &name(mood), &["rsa:1024"], &["-sha1"]);
    let curve = |mood: &str, curve: &str| {
        make(folder, &name(mood), &["ec", "-pkeyopt", &format!("ec_paramgen_curve:{curve}")], &[])
    };
    let none = "DEFAULT@SECLEVEL=0";
    add("tls12", rsa("tls12"), &["-tls1_2"]);
    add("tls13", rsa("tls13"), &["-tls1_3"]);
    add("weak12", weak("weak12"), &["-tls1_2", "-cipher", none]);
    add("weak13", weak("weak13"), &["-tls1_3", "-cipher", none]);
    add("md5", make(folder, &name("md5"), &["rsa:1024"], &["-md5"]), &["-cipher", none]);
    add("v1on12", version_one(folder, &name("v1on12")), &["-tls1_2"]);
    add("v1on13", version_one(folder, &name("v1on13")), &["-tls1_3"]);
    add("expired", expired(folder, &name("expired")), &[]);
    add("client12", rsa("client12"), &["-tls1_2", "-Verify", "1"]);
    add("client13", rsa("client13"), &["-tls1_3", "-Verify", "1"]);
    add("p256", curve("p256", "P-256"), &[]);
    add("p521", curve("p521", "P-521"), &["-tls1_2"]);
    add("koblitz", curve("koblitz", "secp256k1"), &["-tls1_2"]);
    add("ed25519", make(folder, &name("ed25519"), &["ed25519"], &[]), &["-tls1_3"]);
    add("big", make(folder, &name("big"), &["rsa:4096"], &["-sha512"]), &["-tls1_2"]);
    // Today's TLS refuses these, but old products still use them.
    add("rsakex", rsa("rsakex"), &["-tls1_2", "-cipher", "AES128-SHA"]);
    add("cbc", rsa("cbc"), &["-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384"]);
    add("dhe", rsa("dhe"), &["-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384"]);
    add("tls11", rsa("tls11"), &["-tls1_1", "-cipher", none]);
    add("tls10", rsa("tls10"), &["-tls1", "-cipher", none]);
    let (leaf, key, issuer) = chain(folder, &name("chained"));
    let issuer = issuer.to_str().unwrap().to_owned();
    add("chained", (leaf, key), &["-tls1_3", "-cert_chain", &issuer]);
    let (leaf, key, issuer) = chain(folder, &name("chained12"));
    let issuer = issuer.to_str().unwrap().to_owned();
    add("chained12", (leaf, key), &["-tls1_2", "-cert_chain", &issuer]);
    cases
}

#[test]
fn judge_openssl_servers_give_their_certificates() {
    needs!(Jdk, Openssl);
    let folder = tempfile::tempdir().unwrap();
    let cases = cases(folder.path());
    let hosts: Vec<String> = cases.iter().map(|case| format!("  {}: {{ role: finesse }}\n", case.fqdn)).collect();
    let spec = format!(
        "trustmason: 1\nestate: moods\nprofile: pcce-12.5\naccess: {{ root: './hosts/{{fqdn}}' }}\ncertificates_dir: ./certs\n\
         hosts:\n{}",
        hosts.concat()
    );
    fs::write(folder.path().join("estate.yaml"), spec).unwrap();
    let mut args = vec!["collect".to_owned()];
    args.extend(cases.iter().map(|case| format!("--connect-to={}:8443:127.0.0.1:{}", case.fqdn, case.server.port)));
    // Without a person, all certificates are shown, none is written, and the pins to give are printed.
    let said = support::said(support::command(folder.path()).args(&args)).code(1);
    let mut verdicts = judge::Verdicts::default();
    for case in &cases {
        let line = format!("--pin {}  {}/tomcat\n", fingerprint(&case.certificate), case.fqdn);
        verdicts.that(format!("{}\n", said.err).contains(&line), || {
            let of = said.out.split("\n\n").find(|part| part.contains(&case.fqdn)).unwrap_or_default();
            format!("{}: {line}{of}", case.fqdn)
        });
    }
    verdicts.close("servers asked");
    assert!(!folder.path().join("certs").exists());
    assert!(said.out.contains("it expired on 2010-06-20"), "{}", said.out);

    args.extend(cases.iter().map(|case| format!("--pin={}", fingerprint(&case.certificate))));
    let said = support::said(support::command(folder.path()).args(&args)).code(0);
    let all = format!("Collect complete: {} written, 0 unchanged, 0 refused, 0 not reached.", cases.len());
    assert_eq!(said.last_line(), all, "{}", said.err);
    let mut verdicts = judge::Verdicts::default();
    for case in &cases {
        let file = folder.path().join("certs").join(format!("{}.pem", case.fqdn));
        let (written, meant) = (fingerprint(&file), fingerprint(&case.certificate));
        verdicts.that(written == meant, || format!("{}: {written}, openssl presents {meant}", case.fqdn));
    }
    verdicts.close("certificates filed");
    let said = support::said(support::command(folder.path()).args(&args)).code(0);
    assert!(said.last_line().starts_with(&format!("Collect complete: 0 written, {} unchanged", cases.len())));

    // `drift --probe` asks the same servers whether they present the known certificates.
    args[0] = "drift".to_owned();
    args.retain(|arg| !arg.starts_with("--pin"));
    args.extend(["--probe", "--format", "json"].map(str::to_owned));
    let said = support::said(support::command(folder.path()).args(&args));
    let findings = said.json()["findings"].as_array().unwrap().clone();
    let of_probe = |f: &&serde_json::Value| f["finding"] == "served-differs" || f["finding"] == "endpoint-unreachable";
    assert_eq!(findings.iter().filter(of_probe).collect::<Vec<_>>(), Vec::<&serde_json::Value>::new());
}

/// Runs the program under strace. Lists every system call that uses the network.
fn network(estate: &support::Estate, args: &[&str]) -> (support::Said, Vec<String>) {
    let log = estate.path("strace.log");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=%network", "-o"]).arg(&log).arg(env!("CARGO_BIN_EXE_trustmason"));
    let said = support::said(command.args(args).current_dir(estate.dir.path()).stdin(Stdio::null()));
    let calls = fs::read_to_string(&log).unwrap();
    (said, calls.lines().filter(|line| line.contains('(') && !line.contains("AF_UNIX")).map(str::to_owned).collect())
}

#[test]
fn judge_no_other_command_opens_a_socket() {
    needs!(Strace);
    let estate = support::Estate::troubled();
    let commands: &[&[&str]] = &[
        &["check"],
        &["plan"],
        &["drift"],
        &["explain", "fina.acme.example/tomcat"],
        &["apply", "--auto-approve"],
        &["runs"],
        &["rollback", "--auto-approve"],
    ];
    for args in commands {
        let (said, calls) = network(&estate, args);
        assert!(said.code != 1, "{args:?}: {}", said.err);
        assert_eq!(calls, Vec::<String>::new(), "{args:?}");
    }
    let (_, calls) = network(&estate, &["drift", "--probe", "--host=fina*", "--connect-to=::127.0.0.1:1"]);
    assert!(calls.iter().any(|call| call.contains("connect(")), "strace saw nothing of a probe: {calls:?}");
}

/// A Java service, as Tomcat and the services of a CVP server are. keytool made its store.
#[test]
fn judge_a_jvm_gives_its_certificate() {
    needs!(Jdk, Openssl);
    let estate = support::Estate::new();
    let folder = tempfile::tempdir().unwrap();
    let store = StoreAt {
        host: "fina.acme.example".to_owned(),
        name: "keystore",
        path: folder.path().join("keystore"),
        kind: "PKCS12",
        password: "changeit".to_owned(),
    };
    craft::genkeypair(&store, "tomcat", "fina.acme.example", "changeit", &["-ext", "san=dns:fina.acme.example"]);
    let exported = folder.path().join("exported.cer");
    craft::exportcert(&store, "tomcat", &exported);
    let mut command = Command::new("openssl");
    run(command
        .args(["x509", "-inform", "DER", "-in"])
        .arg(&exported)
        .arg("-out")
        .arg(folder.path().join("exported.pem")));
    let meant = fingerprint(&folder.path().join("exported.pem"));
    let mut jvm = Jvm::start();
    for (protocol, client) in [("TLSv1.2", "none"), ("TLSv1.3", "none"), ("TLSv1.2", "need"), ("TLSv1.3", "need")] {
        for (release, port) in jvm.serve(&store, "tomcat", protocol, client) {
            eprintln!("Java {release} serves {protocol} and asks for {client}");
            let to = format!("--connect-to=fina.acme.example:8443:127.0.0.1:{port}");
            let said = estate.run(&["collect", "--host", "fina*", &to]).code(1);
            let _ = said.err_has(&format!("--pin {meant}  fina.acme.example/tomcat"));
        }
    }
}

/// A port of a web server without TLS, written into a profile by mistake.
#[test]
fn judge_a_port_without_tls_is_named() {
    needs!(Openssl);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut greeting = [0; 512];
            let _count = std::io::Read::read(&mut stream, &mut greeting);
            let _sent = std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 \r\nContent-Type: text/html\r\n\r\n");
        }
    });
    // openssl cannot make a handshake with this port either.
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &format!("127.0.0.1:{port}")]).stdin(Stdio::null());
    assert!(!command.output().unwrap().status.success());
    let estate = support::Estate::new();
    let to = format!("--connect-to=fina.acme.example:8443:127.0.0.1:{port}");
    let said = estate.run(&["collect", "--host", "fina*", &to]).code(4);
    let _ = said.out_has("the service does not speak TLS; its answer begins with `HTTP/1.1 400 `; check the port");
}
