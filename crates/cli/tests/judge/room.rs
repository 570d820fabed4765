//! An estate that openssl and keytool build as its document says, with questions to these tools and to a JVM.

use std::cell::{OnceCell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::build::StoreAt;
use super::craft;
use super::jvm::Jvm;

const BINARY: &str = env!("CARGO_BIN_EXE_trustmason");

/// An estate in a folder, with a root and an issuing authority made by openssl.
pub struct Room {
    _folder: tempfile::TempDir,
    pub root: PathBuf,
    /// The JVM, started at the first question.
    jvm: OnceCell<RefCell<Jvm>>,
}

impl Room {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("documents-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let root = folder.path().to_owned();
        for name in ["ca", "certs", "inbox", "hosts"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        let room = Self { _folder: folder, root, jvm: OnceCell::new() };
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

    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn openssl(&self, arguments: &[&str]) -> Output {
        craft::run(Command::new("openssl").current_dir(&self.root).args(arguments).env("PW", "changeit"))
    }

    pub fn sign(&self, request: &str, issuer: &str, to: &str, extensions: &str, days: &str) {
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

    /// Makes a server's certificate, issued by the CA. Its key is deleted.
    pub fn server(&self, fqdn: &str, to: &str) {
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

    /// Makes a self-signed certificate, as products do at their installation.
    pub fn self_signed(&self, fqdn: &str, key: &str, to: &str, days: &str) {
        let (subject, san) = (format!("/CN={fqdn}"), format!("subjectAltName=DNS:{fqdn}"));
        let mut made = vec!["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", days];
        made.extend(["-subj", &subject, "-addext", &san, "-keyout", key, "-out", to]);
        self.openssl(&made);
    }

    /// Checks that a connection succeeds in which each side asks for the other's certificate. A side is given by its
    /// chain, its key, and the file of certificates it trusts.
    pub fn mutual(&self, server: [&str; 3], client: [&str; 3]) -> bool {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let own = |command: &mut Command, [chain, key, trust]: [&str; 3]| {
            command.current_dir(&self.root).arg("-verify_return_error");
            command.args(["-cert", chain, "-cert_chain", chain, "-key", key, "-CAfile", trust]);
        };
        let mut serve = Command::new("openssl");
        serve.args(["s_server", "-accept", &port, "-naccept", "1", "-Verify", "3"]);
        own(&mut serve, server);
        serve.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut serve = serve.stderr(std::process::Stdio::null()).spawn().unwrap();
        let mut said = String::new();
        // The server prints ACCEPT when it listens.
        let mut lines = std::io::BufReader::new(serve.stdout.take().unwrap());
        while !said.contains("ACCEPT") {
            assert!(std::io::BufRead::read_line(&mut lines, &mut said).unwrap() > 0, "{said}");
        }
        let mut ask = Command::new("openssl");
        ask.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-tls1_2", "-verify", "3"]);
        own(&mut ask, client);
        let met = ask.stdin(std::process::Stdio::null()).output().unwrap().status.success();
        serve.kill().ok();
        serve.wait().unwrap();
        met
    }

    /// Joins several files into one.
    pub fn joined(&self, to: &str, names: &[&str]) {
        let text: String = names.iter().map(|name| fs::read_to_string(self.at(name)).unwrap()).collect();
        fs::write(self.at(to), text).unwrap();
    }

    /// Checks that a Java client with that trust store accepts a chain. JSSE's own trust manager decides, in every release.
    pub fn jsse(&self, store: &Path, kind: &'static str, chain: &str) -> bool {
        let (host, password) = (String::new(), "changeit".to_owned());
        let store = StoreAt { host, name: "trust", path: store.to_owned(), kind, password };
        let mut jvm = self.jvm.get_or_init(|| RefCell::new(Jvm::start())).borrow_mut();
        let reading = jvm.read(&store);
        jvm.trusts(&reading, &self.at(chain)).is_ok()
    }

    pub fn keytool(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("keytool");
        command.current_dir(&self.root).arg("-J-Duser.language=en").args(arguments);
        String::from_utf8_lossy(&craft::run(&mut command).stdout).into_owned()
    }

    pub fn pin(&self, file: &str) -> String {
        let said = self.openssl(&["x509", "-in", file, "-noout", "-fingerprint", "-sha256"]);
        let text = String::from_utf8(said.stdout).unwrap();
        text.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase()
    }

    pub fn says(&self, arguments: &[&str], codes: &[i32]) -> String {
        let output = Command::new(BINARY).args(arguments).current_dir(&self.root).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let code = output.status.code().unwrap();
        assert!(codes.contains(&code), "{arguments:?}: {code}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    pub fn nothing_is_left(&self) {
        let text = self.says(&["plan", "--detailed-exitcode"], &[0]);
        assert!(text.ends_with("No changes. Every store holds what the spec declares.\n"), "{text}");
    }

    /// Checks that a leaf verifies with only this trust file.
    pub fn verifies(&self, trust: &Path, leaf: &str) -> bool {
        let mut verify = Command::new("openssl");
        verify.current_dir(&self.root).args(["verify", "-no-CApath", "-no-CAstore", "-CAfile"]).arg(trust).arg(leaf);
        verify.output().unwrap().status.success()
    }
}

/// The lines of a spec that declare the CA; `PIN` stands for the fingerprint of its root.
pub const AUTHORITY: &str = "authorities:\n  corp: { root: { file: ca/root.pem, sha256: 'PIN' }, intermediates: [{ file: ca/issuing.pem }], \
                         requests_dir: ./csr, inbox: ./inbox }\n";

/// A serialised store (MS-OSHARED 2.3.9.1), written without the product's code. No certificate has properties.
pub fn serialised(room: &Room, files: &[&str]) -> Vec<u8> {
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
