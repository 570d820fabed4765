//! A third party: a CA made by openssl, with a root and an issuing authority below it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build::Built;
use super::craft;
use super::jvm::Jvm;

/// A CA made by openssl.
pub struct Authority {
    pub folder: PathBuf,
}

impl Authority {
    /// Makes a root and an issuing authority in `ca` beside an estate, and declares them in its spec as `corp-ca`.
    pub fn beside(jvm: &mut Jvm, built: &Built) -> Self {
        let ca = Self { folder: built.root.join("ca") };
        fs::create_dir_all(built.root.join("inbox")).unwrap();
        fs::create_dir_all(&ca.folder).unwrap();
        ca.authority("root", None, "3650");
        ca.authority("issuing", Some("root"), "3000");
        let pin = ca.sha256(jvm, "root");
        let spec = built.root.join(Built::SPEC);
        let text = fs::read_to_string(&spec).unwrap()
            + &format!(
                "\nauthorities:\n  corp-ca: {{ root: {{ file: ca/root.pem, sha256: '{pin}' }}, intermediates: [{{ file: \
                 ca/issuing.pem }}], requests_dir: ./csr, inbox: ./inbox }}\n"
            );
        fs::write(&spec, text).unwrap();
        ca
    }

    pub fn openssl(&self, arguments: &[&str]) {
        craft::run(Command::new("openssl").current_dir(&self.folder).args(arguments));
    }

    /// Makes `name`.pem and `name`.key, self-signed or signed by another authority.
    pub fn authority(&self, name: &str, issuer: Option<&str>, days: &str) {
        let (key, file, subject) = (format!("{name}.key"), format!("{name}.pem"), format!("/O=Corp/CN={name}"));
        let ca = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
        match issuer {
            None => {
                let mut made = vec!["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", days];
                made.extend(["-subj", &subject, "-keyout", &key, "-out", &file]);
                made.extend(ca);
                self.openssl(&made);
            }
            Some(issuer) => {
                fs::write(
                    self.folder.join("ca.ext"),
                    "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n",
                )
                .unwrap();
                self.openssl(&[
                    "req", "-newkey", "rsa:2048", "-nodes", "-subj", &subject, "-keyout", &key, "-out", "ca.csr",
                ]);
                self.sign("ca.csr", issuer, &file, &["-sha256", "-days", days, "-extfile", "ca.ext"]);
            }
        }
    }

    pub fn sign(&self, request: &str, issuer: &str, to: &str, more: &[&str]) {
        let (certificate, key) = (format!("{issuer}.pem"), format!("{issuer}.key"));
        let mut made =
            vec!["x509", "-req", "-in", request, "-CA", &certificate, "-CAkey", &key, "-CAcreateserial", "-out", to];
        made.extend(more);
        self.openssl(&made);
    }

    /// Answers a request with a certificate that has these extensions.
    pub fn reply(&self, request: &Path, issuer: &str, to: &str, extensions: &str, more: &[&str]) {
        fs::write(self.folder.join("leaf.ext"), extensions).unwrap();
        let mut all = vec!["-extfile", "leaf.ext"];
        all.extend(more);
        self.sign(request.to_str().unwrap(), issuer, to, &all);
    }

    pub fn sha256(&self, jvm: &mut Jvm, name: &str) -> String {
        jvm.certificate(&self.folder.join(format!("{name}.pem")))
    }
}

/// The extensions of a good reply.
pub fn both(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("DNS:{name}")).collect();
    format!("subjectAltName={}\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n", names.join(","))
}
