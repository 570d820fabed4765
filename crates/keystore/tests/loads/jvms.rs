//! The JVMs that are asked: the one on the path, and a Java 8 where there is one.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::fixtures;

/// What one JVM said of every certificate: `None` where it loads.
pub struct Answers {
    pub version: String,
    pub refusals: Vec<Option<String>>,
}

/// What all JVMs said.
pub struct Verdicts {
    pub seventeen: Answers,
    pub eight: Option<Answers>,
}

/// The root of an unpacked Java 8, as `cargo xtask java8` makes it.
fn java8() -> Option<PathBuf> {
    let root = match std::env::var_os("TRUSTMASON_JAVA8") {
        Some(root) => PathBuf::from(root),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/java8"),
    };
    if root.join("java8").is_file() {
        return root.canonicalize().ok();
    }
    eprintln!("NOT JUDGED BY JAVA 8: there is none in {}; `cargo xtask java8` unpacks one", root.display());
    None
}

/// Asks every JVM about every certificate. `None` only where judges are switched off by name.
pub fn ask(certificates: &[Vec<u8>]) -> Option<Verdicts> {
    if std::env::var("TRUSTMASON_JUDGES").is_ok_and(|value| value == "off") {
        eprintln!("TRUSTMASON_JUDGES=off: nothing was judged");
        return None;
    }
    let classes = tempfile::tempdir().unwrap();
    let compiled = Command::new("javac")
        .args(["--release", "8", "-Xlint:-options", "-d"])
        .arg(classes.path())
        .arg(fixtures().join("judge/LoadJudge.java"))
        .status();
    let compiled = compiled.expect("a JDK is needed here; set TRUSTMASON_JUDGES=off where there is none");
    assert!(compiled.success(), "javac");
    let seventeen = run(Command::new("java").arg("-cp").arg(classes.path()), certificates);
    let eight = java8().map(|root| {
        // It runs in a root of its own, so the class must lie inside.
        let folder = tempfile::tempdir_in(root.join("tmp")).unwrap();
        std::fs::copy(classes.path().join("LoadJudge.class"), folder.path().join("LoadJudge.class")).unwrap();
        let inside = Path::new("/tmp").join(folder.path().file_name().unwrap());
        run(Command::new(root.join("java8")).arg("-cp").arg(inside), certificates)
    });
    Some(Verdicts { seventeen, eight })
}

fn run(command: &mut Command, certificates: &[Vec<u8>]) -> Answers {
    let mut process = command
        .arg("LoadJudge")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the JVM did not start");
    let mut questions = process.stdin.take().unwrap();
    let mut answers = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let version = answers.next();
    let refusals = std::thread::scope(|scope| {
        scope.spawn(move || {
            for certificate in certificates {
                let mut line = String::with_capacity(certificate.len() * 2 + 1);
                for byte in certificate {
                    write!(line, "{byte:02x}").unwrap();
                }
                line.push('\n');
                questions.write_all(line.as_bytes()).unwrap();
            }
        });
        answers.map(|answer| (answer != "ok").then_some(answer)).collect::<Vec<_>>()
    });
    process.wait().unwrap();
    assert_eq!(refusals.len(), certificates.len(), "the JVM did not answer every question");
    Answers { version: version.unwrap(), refusals }
}
