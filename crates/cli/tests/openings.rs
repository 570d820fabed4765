//! A pipe, a socket, a device, a folder, a huge file or a file one byte too large in the place of a file. The program
//! tries each of them for every kind of file that it opens, with a time limit and little memory. The program never
//! waits, never reads without end, names the thing in one clear line, and goes on with everything else.
//!
//! This table cannot show that a kind of file is missing in it. The `clippy.toml` of both crates that open files
//! forbids every other way to open one, so a kind that is missing here is opened in the same way.
#![cfg(unix)]

use crate::confined;
use crate::server;
use crate::support;

use std::any::Any;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyUsagePurpose};
use server::Server;
use support::{CertificateContent, Estate, SPEC, certificate, key, pem, put};
use trustmason_host::disk::ReadLimit;
use trustmason_keystore::Fingerprint;

/// The thing that lies in the place of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thing {
    Pipe,
    Socket,
    Endless,
    Folder,
    Giant,
    OneOver,
}

use Thing::{Folder, Giant, OneOver};

impl Thing {
    const ALL: [Self; 6] = [Self::Pipe, Self::Socket, Self::Endless, Self::Folder, Self::Giant, Self::OneOver];

    /// Puts the thing in its place.
    fn lay(self, path: &Path, limit: ReadLimit) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else if path.exists() {
            fs::remove_file(path).unwrap();
        }
        match self {
            Self::Pipe => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
            Self::Socket => {
                // The path of a new socket may have a hundred bytes. Its name stays after the listener is closed.
                let short = tempfile::Builder::new().prefix("s").tempdir_in("/tmp").unwrap();
                drop(UnixListener::bind(short.path().join("s")).unwrap());
                fs::rename(short.path().join("s"), path).unwrap();
            }
            Self::Endless => symlink("/dev/zero", path).unwrap(),
            Self::Folder => fs::create_dir(path).unwrap(),
            Self::Giant => File::create(path).unwrap().set_len(5 << 30).unwrap(),
            Self::OneOver => File::create(path).unwrap().set_len(limit.bytes() + 1).unwrap(),
        }
    }

    /// The words that describe the thing.
    fn words(self, limit: ReadLimit) -> String {
        match self {
            Self::Pipe => "it is a pipe, not a file; ".to_owned(),
            Self::Socket => "it is a socket, not a file; ".to_owned(),
            Self::Endless => "it is a device, not a file; ".to_owned(),
            Self::Folder => "it is a folder, not a file; ".to_owned(),
            Self::Giant | Self::OneOver => format!("larger than {} may be ({limit}); ", limit.noun()),
        }
    }
}

/// An estate, the file in it that is replaced, and the arguments of the program.
struct Scene {
    dir: PathBuf,
    target: PathBuf,
    args: Vec<String>,
    _keep: Box<dyn Any>,
}

/// Makes a scene. The target is a path below the estate's folder, or a whole path.
fn scene(estate: Estate, target: impl AsRef<Path>, args: &[&str]) -> Scene {
    let dir = estate.dir.path().to_owned();
    let args = args.iter().map(|&arg| arg.to_owned()).collect();
    Scene { target: dir.join(target), dir, args, _keep: Box::new(estate) }
}

const PLAN: &[&str] = &["plan", "--detailed-exitcode"];
const APPLY: &[&str] = &["apply", "--auto-approve"];
const ROLLBACK: &[&str] = &["rollback", "--auto-approve"];

/// A kind of file, and the expected result if something else lies in its place.
struct OpeningCase {
    limit: ReadLimit,
    scene: fn() -> Scene,
    code: i32,
    /// A text that must be printed as well, about the things that go on.
    beside: &'static str,
    /// The number of lines that name the thing: one for each store that it blocks.
    lines: usize,
    /// Things that may lie there, with the exit code. Such a thing is read as something else, or is replaced without
    /// being read.
    fine: &'static [(Thing, i32)],
}

const LARGE: &[(Thing, i32)] = &[(Giant, 0), (OneOver, 0)];
const LARGE_AND_WAITING: &[(Thing, i32)] = &[(Giant, 5), (OneOver, 5)];

fn tried(kind: &OpeningCase) {
    let mut laid = None;
    for thing in Thing::ALL {
        // A refused thing changes nothing, so the next one can be tried in the same estate.
        let Scene { dir, target, args, _keep } = laid.get_or_insert_with(kind.scene);
        thing.lay(target, kind.limit);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = confined::run(dir, &args);
        let said_all = format!("{}\n{}", said.out, said.err);
        // The lock is taken before the state folder is read.
        let state = if target.ends_with(".trustmason/lock") { dir.join("elsewhere") } else { dir.join(".trustmason") };
        if thing == Thing::Endless && target.starts_with(&state) && !target.starts_with(state.join("handoff")) {
            // The state folder may hold no links, so the target of this link is never opened.
            assert_eq!(said.code, 1, "{said_all}");
            assert!(said_all.contains("it is a link, but the state folder must hold no links"), "{said_all}");
            continue;
        }
        let about: Vec<&str> = said_all.lines().filter(|line| line.contains(&thing.words(kind.limit))).collect();
        if let Some((_, code)) = kind.fine.iter().find(|(one, _)| *one == thing) {
            assert_eq!((said.code, about.len()), (*code, 0), "{thing:?}\n{said_all}");
            laid = None;
            continue;
        }
        assert_eq!(said.code, kind.code, "{thing:?}\n{said_all}");
        assert_eq!(about.len(), kind.lines, "{thing:?}\n{said_all}");
        let name = target.file_name().unwrap().to_string_lossy();
        for line in about {
            assert!(line.contains(&*name), "{thing:?}: which file? {line}");
        }
        assert!(said_all.contains(kind.beside), "{thing:?}: {:?} is missing\n{said_all}", kind.beside);
    }
}

fn troubled(target: &str, args: &[&str]) -> Scene {
    scene(Estate::troubled(), target, args)
}

/// The file of a store or mirror, or a file in its folder.
fn store(short: &str, below: &str) -> Scene {
    let estate = Estate::troubled();
    let mut target = estate.file(short);
    if !below.is_empty() {
        target.push(below);
    }
    scene(estate, target, PLAN)
}

/// An estate after a run that wrote stores and a pack.
fn applied() -> Estate {
    let estate = Estate::troubled();
    fs::remove_file(estate.file("vvb1/tomcat-trust").join("cvp2.acme.example_vxml.pem")).unwrap();
    let _ = estate.run(APPLY);
    estate
}

/// A file of the newest run.
fn of_run(below: &str) -> Scene {
    let estate = applied();
    let runs = fs::read_dir(estate.path(".trustmason/runs")).unwrap().map(|item| item.unwrap().path());
    let target = runs.max().unwrap().join(below);
    assert!(target.is_file());
    scene(estate, target, ROLLBACK)
}

fn profile() -> Scene {
    let estate = Estate::new();
    put(&estate.path("x.yaml"), SPEC.replace("pcce-12.5", "./mine.yaml").as_bytes());
    scene(estate, "mine.yaml", &["check", "x.yaml"])
}

fn properties() -> Scene {
    let estate = Estate::troubled();
    let target = estate.file("cvp2/keystore").ancestors().nth(2).unwrap().join("security.properties");
    assert!(target.is_file());
    scene(estate, target, PLAN)
}

fn secret() -> Scene {
    let estate = Estate::troubled();
    let spec = format!("{SPEC}secrets: {{ cvp-keystore: {{ file: ./pw }} }}\n");
    put(&estate.path("estate.yaml"), spec.as_bytes());
    scene(estate, "pw", PLAN)
}

/// An estate with another profile.
fn other(profile: &str, hosts: &str, files: &[(&str, String)]) -> Estate {
    let estate = Estate::new();
    let spec = format!(
        "trustmason: 1\nestate: e\nprofile: {profile}\naccess: {{ root: './hosts/{{fqdn}}' }}\ncertificates_dir: ./certs\n\
         hosts:\n{hosts}"
    );
    put(&estate.path("estate.yaml"), spec.as_bytes());
    for (path, text) in files {
        put(&estate.path(path), text.as_bytes());
    }
    estate
}

fn options() -> Scene {
    let text = pem(&certificate(&CertificateContent::of("cfg.x.example", 9)));
    let hosts = "  cfg.x.example: { role: genesys-server }\n  g1.x.example: { role: gwe-pem, vars: { GWE_TRUSTED_CA: \
                 /opt/gwe/ca.pem, GWE_OPTIONS: /opt/gwe/options.cfg } }\n";
    let files = [("certs/cfg.x.example.cer", text.clone()), ("hosts/g1.x.example/opt/gwe/ca.pem", text)];
    scene(other("genesys", hosts, &files), "hosts/g1.x.example/opt/gwe/options.cfg", &["drift", "-v"])
}

fn pair(half: &str) -> Scene {
    let ssl = "hosts/pga.x.example/C/icm/ssl";
    let der = certificate(&CertificateContent { key: 6, ..CertificateContent::of("pga.x.example", 9) });
    let (one, other_one) = (format!("{ssl}/certs/host.pem"), format!("{ssl}/keys/host.key"));
    let files = [(one.as_str(), pem(&der)), (other_one.as_str(), key(6).serialize_pem())];
    scene(other("cce-cti", "  pga.x.example: { role: pg }\n", &files), format!("{ssl}/{half}"), PLAN)
}

/// An estate in which an authority issues the certificate of one call server.
fn with_authority(how: &str) -> Estate {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Corp Root");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = rcgen::date_time_ymd(2025, 1, 1);
    params.not_after = rcgen::date_time_ymd(2049, 1, 1);
    let root = params.self_signed(&key(7)).unwrap().der().to_vec();
    let spec = SPEC.replace(
        "cvp1.acme.example: { role: cvp, side: a }",
        "cvp1.acme.example: { role: cvp, side: a, identities: { wsm: { issuer: corp } } }",
    );
    let print = Fingerprint::of(&root);
    let estate = Estate::of(&format!(
        "{spec}authorities:\n  corp: {{ root: {{ file: ca/root.pem, sha256: '{print}' }}, {how} }}\n"
    ));
    put(&estate.path("ca/root.pem"), pem(&root).as_bytes());
    put(&estate.path("ca/root.key"), key(7).serialize_pem().as_bytes());
    estate
}

const BY_REQUEST: &str = "requests_dir: ./csr, inbox: ./inbox";

/// A scene after the request was written.
fn asked(target: &str, args: &[&str]) -> Scene {
    let estate = with_authority(BY_REQUEST);
    let _ = estate.run(APPLY).code(5);
    scene(estate, target, args)
}

fn collected() -> Scene {
    let estate = Estate::troubled();
    let content = CertificateContent { years: (2026, 2048), ..CertificateContent::of("fina.acme.example", 4711) };
    let server = Server::presenting(&certificate(&content), &key(content.key));
    let to = server.instead_of("fina.acme.example:8443");
    scene(estate, "certs/fina.acme.example.pem", &["collect", "--host", "fina*", &to])
}

/// Makes one test for each kind.
macro_rules! kinds {
    ($($name:ident: $limit:ident, $scene:expr, $code:literal, $beside:literal $(, lines $lines:literal)? $(, fine $fine:expr)?;)*) => {
        $(#[test]
        fn $name() {
            #[allow(unused_mut, unused_assignments, reason = "most kinds have neither")]
            let (mut lines, mut fine): (usize, &'static [(Thing, i32)]) = (1, &[]);
            $(lines = $lines;)?
            $(fine = $fine;)?
            tried(&OpeningCase { limit: ReadLimit::$limit, scene: $scene, code: $code, beside: $beside, lines, fine });
        })*
    };
}

kinds! {
    spec: Spec, || troubled("s.yaml", &["check", "s.yaml"]), 1, "the spec s.yaml cannot be read: ";
    own_profile: Spec, profile, 1, "the profile `./mine.yaml` cannot be read: ";
    saved_plan: Plan, || troubled("p", &["apply", "--plan", "p"]), 1, "the plan cannot be read: ";
    keystore: Store, || store("adsa/cacerts", ""), 4, "0 to import, 0 to replace, 1 to rename", fine &[(Folder, 4)];
    exported_certificate: Certificate, || troubled("certs/ICMrgrb.cer", PLAN), 4, "0 to import, 2 to replace, 1 to rename";
    file_of_a_mirror: Store, || store("vvb1/tomcat-trust", "x.pem"), 4, "1 to import, 2 to replace, 1 to rename", fine &[(Folder, 2)];
    mirror: Export, || store("vvb1/tomcat-trust", ""), 4, "1 to import, 2 to replace, 1 to rename", fine &[(Folder, 2)];
    properties_file: Properties, properties, 4, "1 to import, 2 to replace, 0 to rename";
    secret_file: Secret, secret, 4, "1 to import, 1 to replace, 0 to rename", lines 2;
    options_file: Options, options, 0, "options-unobserved";
    certificate_of_a_pair: Store, || pair("certs/host.pem"), 4, "(unreadable)";
    key_of_a_pair: Store, || pair("keys/host.key"), 4, "(unreadable)";
    root_of_an_authority: Certificate, || scene(with_authority(BY_REQUEST), "ca/root.pem", PLAN), 4, "unknown-authority";
    request: Certificate, || scene(with_authority(BY_REQUEST), "csr/cvp1.acme.example_wsm.csr", APPLY), 4,
        "no request for cvp1.acme.example/wsm: ", fine LARGE_AND_WAITING;
    reply: Certificate, || asked("inbox/cvp1.acme.example_wsm.cer", PLAN), 4, "reply-encoding", fine &[(Folder, 2)];
    staged_key: Store, || asked(".trustmason/staging/cvp1.acme.example/wsm.jceks", PLAN), 4, "(unreadable)";
    signing_key: Key, || scene(with_authority("sign_with: ca/root.key"), "ca/root.key", APPLY), 4, "no request for cvp1.acme.example/wsm: ";
    ledger: Ledger, || scene(applied(), ".trustmason/ledger.json", PLAN), 1, "error: cannot read";
    journal: Journal, || of_run("journal.jsonl"), 1, "nothing was rolled back: ";
    backup: Store, || of_run("backup/adsa.acme.example/cacerts"), 1, "its backups are damaged";
    audit_log: Audit, || troubled(".trustmason/audit.jsonl", APPLY), 1, "nothing was done";
    lock: Holder, || troubled(".trustmason/lock", APPLY), 1, "nothing was done", fine LARGE;
    signature_of_the_lock: Holder, || troubled(".trustmason/lock.owner", APPLY), 1, "nothing was done", fine LARGE;
    pack: Store, || scene(applied(), ".trustmason/handoff/vvb1.acme.example/tomcat-trust/pack.json", APPLY), 4,
        "no pack for vvb1.acme.example/tomcat-trust: ";
    listed_store: Export, || troubled("x.jks", &["list", "x.jks"]), 1, "x.jks: cannot be read: ", fine &[(Folder, 0)];
    file_of_a_listed_folder: Store, || troubled("certs/x", &["list", "certs"]), 1, "certs: cannot be read: ",
        fine &[(Folder, 0)];
    password_file: Secret, || troubled("pw", &["list", "certs", "--password-file", "pw"]), 1,
        "the password file cannot be read: ";
    confirmed_export: Export,
        || scene(applied(), "export", &["confirm", "vvb1.acme.example/tomcat-trust", "--from", "export"]), 1, "error: ",
        fine &[(Folder, 1)];
    collected_certificate: Certificate, collected, 4, "1 refused";
}

/// A plan replaces only a saved plan. Anything else is refused with other words.
#[test]
fn target_of_a_plan() {
    for thing in Thing::ALL {
        let estate = Estate::troubled();
        thing.lay(&estate.path("p"), ReadLimit::Plan);
        let wanted =
            if matches!(thing, Giant | OneOver) { "p exists and is not a saved plan" } else { "p is not a file" };
        let _ = confined::run(estate.dir.path(), &["plan", "--out", "p"]).code(1).err_has(wanted);
    }
}

/// The input that a shell offers instead of a file is not read, and the message says what to do.
#[test]
fn input_of_another_program() {
    let estate = Estate::troubled();
    for args in ["list", "check", "apply --plan"] {
        let script = format!("cat estate.yaml | \"$0\" {args} /dev/stdin");
        let output = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_trustmason")])
            .current_dir(estate.dir.path())
            .output()
            .unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args}: {err}");
        assert!(err.contains("/dev/stdin"), "{args}: {err}");
        assert!(err.contains("it is a pipe, not a file; save its content to a file and name that"), "{args}: {err}");
    }
}
