//! keytool and openssl, as an operator uses them. Passwords go through the environment, never through arguments.

use std::collections::VecDeque;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;

use super::build::StoreAt;

pub use super::javas::HOW_TO_GET;

/// Runs a program that must succeed.
pub fn run(command: &mut Command) -> Output {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap_or_else(|error| panic!("no judge: `{program}` does not start ({error}). {HOW_TO_GET}"));
    assert!(
        output.status.success(),
        "{program} {:?}: {}\n{}{}",
        command.get_args().collect::<Vec<_>>(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn keytool(store: &StoreAt, deed: &str) -> Command {
    let mut command = Command::new("keytool");
    command.args(["-J-XX:TieredStopAtLevel=1", "-J-Duser.language=en", deed, "-storetype", store.kind, "-keystore"]);
    command.arg(&store.path).args(["-storepass:env", "JUDGE_STORE"]).env("JUDGE_STORE", &store.password);
    command
}

/// Makes a key pair with a self-signed certificate, as the installer or an operator does.
pub fn genkeypair(store: &StoreAt, alias: &str, cn: &str, key_password: &str, more: &[&str]) {
    let subject = format!("CN={cn}, OU=Contact Centre, O=Acme, L=Boston, ST=MA, C=US");
    let mut command = keytool(store, "-genkeypair");
    command.args(["-alias", alias, "-keyalg", "RSA", "-dname", &subject]);
    command.args(["-keypass:env", "JUDGE_KEY"]).env("JUDGE_KEY", key_password);
    if !more.contains(&"-keysize") {
        command.args(["-keysize", "2048"]);
    }
    run(command.args(more));
}

/// Makes a secret key.
pub fn genseckey(store: &StoreAt, alias: &str, key_password: &str) {
    let mut command = keytool(store, "-genseckey");
    command.args(["-alias", alias, "-keyalg", "AES", "-keysize", "256"]);
    run(command.args(["-keypass:env", "JUDGE_KEY"]).env("JUDGE_KEY", key_password));
}

/// Imports a trusted certificate.
pub fn importcert(store: &StoreAt, alias: &str, file: &Path) {
    run(keytool(store, "-importcert").args(["-noprompt", "-trustcacerts", "-alias", alias, "-file"]).arg(file));
}

/// Exports an entry's certificate, DER as `keytool -exportcert` does by default.
pub fn exportcert(store: &StoreAt, alias: &str, file: &Path) {
    run(keytool(store, "-exportcert").args(["-alias", alias, "-file"]).arg(file));
}

/// How an exported certificate file is written.
#[derive(Clone, Copy)]
pub enum Writing {
    Pem,
    Der,
    /// PEM with CRLF line ends and lines of text above, as Windows tools and `openssl x509 -text` leave it.
    Dressed,
}

/// A self-signed server certificate with its FQDN in CN and SAN, as IIS, the Diagnostic Portico and VOS nodes present one.
/// The key is thrown away: it belongs to a machine nobody here can see.
pub fn self_signed(fqdn: &str, what: &str, file: &Path, writing: Writing) {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("openssl.cnf");
    let text = format!(
        "[req]\nprompt = no\ndistinguished_name = subject\nx509_extensions = server\n\
         [subject]\nC = US\nO = Acme\nOU = {what}\nCN = {fqdn}\n\
         [server]\nsubjectAltName = DNS:{fqdn}\nkeyUsage = digitalSignature, keyEncipherment\n\
         extendedKeyUsage = serverAuth\nsubjectKeyIdentifier = hash\n"
    );
    std::fs::write(&settings, text).unwrap();
    let form = if matches!(writing, Writing::Der) { "DER" } else { "PEM" };
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "1825", "-config"]);
    command.arg(&settings).arg("-keyout").arg(folder.path().join("key.pem"));
    run(command.args(["-outform", form, "-out"]).arg(file));
    if matches!(writing, Writing::Dressed) {
        let plain = std::fs::read_to_string(file).unwrap();
        let dressed = format!("Bag Attributes\n    friendlyName: {fqdn}\n{plain}").replace('\n', "\r\n");
        std::fs::write(file, dressed).unwrap();
    }
}

/// Work that two hands share; a failure in one is a failure of all.
pub fn two_hands(jobs: Vec<Box<dyn FnOnce() + Send + '_>>) {
    let queue = Mutex::new(VecDeque::from(jobs));
    let next = || queue.lock().unwrap().pop_front();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(job) = next() {
                    job();
                }
            });
        }
    });
}
