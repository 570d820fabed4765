//! Runs keytool and openssl as an operator does. Passwords go through the environment or a pipe, never through arguments.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::build::StoreAt;
use super::javas::classes;

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

/// keytool in a JVM that stays open, because starting it takes longer than most of its commands.
struct Keytool {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Idle JVMs. Each ends with this process, because then its input is closed.
static IDLE: Mutex<Vec<Keytool>> = Mutex::new(Vec::new());

impl Keytool {
    fn start() -> Self {
        let mut java = Command::new("java");
        java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Duser.language=en"]);
        java.args(["--add-exports", "java.base/sun.security.tools.keytool=ALL-UNNAMED"]);
        // The smallest number that a JDK accepts. The products' own releases of Java 8 used as few or fewer rounds.
        java.arg("-Djdk.jceks.iterationCount=10000")
            .arg("-cp")
            .arg(classes())
            .arg("KeytoolJudge")
            .env("LC_ALL", "C.UTF-8");
        let child = java.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("no judge: `java` does not start ({error}). {HOW_TO_GET}"));
        let commands = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, commands, answers }
    }

    /// Sends a command and gives its output. `None` if the JVM has ended.
    fn ask(&mut self, words: &[&str]) -> Option<String> {
        assert!(words.iter().all(|word| !word.contains(['\t', '\n'])), "a word of the command holds a separator");
        writeln!(self.commands, "{}", words.join("\t")).ok()?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).ok()?;
        let (how, said) = answer.trim_end().split_once(' ')?;
        let said = String::from_utf8_lossy(&STANDARD.decode(said).ok()?).into_owned();
        assert_eq!(how, "ok", "keytool {}: {said}", words[0]);
        Some(said)
    }
}

/// Runs keytool on a store; it must succeed. No process list shows the passwords.
fn keytool(store: &StoreAt, change: &str, more: &[&str]) {
    let idle = IDLE.lock().unwrap().pop();
    let mut keytool = idle.unwrap_or_else(Keytool::start);
    let path = store.path.to_str().unwrap();
    let words = [change, "-storetype", store.kind, "-keystore", path, "-storepass", &store.password];
    if keytool.ask(&[&words, more].concat()).is_none() {
        panic!("keytool {change}: its JVM went away: {:?}", keytool.child.wait());
    }
    IDLE.lock().unwrap().push(keytool);
}

/// Makes a key pair with a self-signed certificate, as the installer or an operator does.
pub fn genkeypair(store: &StoreAt, alias: &str, cn: &str, key_password: &str, more: &[&str]) {
    let subject = format!("CN={cn}, OU=Contact Centre, O=Acme, L=Boston, ST=MA, C=US");
    let size: &[&str] = if more.contains(&"-keysize") { &[] } else { &["-keysize", "2048"] };
    let what = ["-alias", alias, "-keyalg", "RSA", "-dname", &subject, "-keypass", key_password];
    keytool(store, "-genkeypair", &[&what, size, more].concat());
}

/// Makes a secret key.
pub fn genseckey(store: &StoreAt, alias: &str, key_password: &str) {
    keytool(store, "-genseckey", &["-alias", alias, "-keyalg", "AES", "-keysize", "256", "-keypass", key_password]);
}

/// Imports a trusted certificate.
pub fn importcert(store: &StoreAt, alias: &str, file: &Path) {
    let file = file.to_str().unwrap();
    keytool(store, "-importcert", &["-noprompt", "-trustcacerts", "-alias", alias, "-file", file]);
}

/// Exports an entry's certificate, DER as `keytool -exportcert` does by default.
pub fn exportcert(store: &StoreAt, alias: &str, file: &Path) {
    keytool(store, "-exportcert", &["-alias", alias, "-file", file.to_str().unwrap()]);
}

/// The form of an exported certificate file.
#[derive(Clone, Copy)]
pub enum Writing {
    Pem,
    Der,
    /// PEM with CRLF line ends and lines of text above it, as Windows tools and `openssl x509 -text` write it.
    Dressed,
}

/// A self-signed server certificate with its FQDN in CN and SAN, as IIS, the Diagnostic Portico and VOS nodes present
/// it. The key is deleted, because it belongs to a machine that the tests cannot see.
pub fn self_signed(fqdn: &str, what: &str, file: &Path, writing: Writing) {
    let folder = tempfile::tempdir().unwrap();
    self_signed_by(&new_key(folder.path()), fqdn, what, file, writing);
}

/// A new RSA key of 2048 bits in a folder.
pub fn new_key(folder: &Path) -> PathBuf {
    let key = folder.join("key.pem");
    run(Command::new("openssl").args(["genrsa", "-out"]).arg(&key).arg("2048"));
    key
}

/// The same with a key that exists. Making keys takes most of the time of an estate.
pub fn self_signed_by(key: &Path, fqdn: &str, what: &str, file: &Path, writing: Writing) {
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
    command.args(["req", "-x509", "-new", "-sha256", "-days", "1825", "-config"]).arg(&settings).arg("-key").arg(key);
    run(command.args(["-outform", form, "-out"]).arg(file));
    if matches!(writing, Writing::Dressed) {
        let plain = std::fs::read_to_string(file).unwrap();
        let dressed = format!("Bag Attributes\n    friendlyName: {fqdn}\n{plain}").replace('\n', "\r\n");
        std::fs::write(file, dressed).unwrap();
    }
}

/// Runs jobs on two threads. A failure of one job fails all.
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
