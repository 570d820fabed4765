//! Runs the built binary and looks at what it leaves on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::build::Built;
use super::craft;
use crate::needs::{self, Need};

const BINARY: &str = env!("CARGO_BIN_EXE_trustmason");

/// The output and exit code of a run.
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ends by itself"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// The last line of the report.
    pub fn last_line(&self) -> &str {
        self.stdout.trim_end().lines().next_back().unwrap_or_default()
    }
}

/// Runs trustmason in the estate's folder.
pub fn trustmason(built: &Built, arguments: &[&str]) -> Said {
    Said::of(Command::new(BINARY).args(arguments).current_dir(&built.root).output().expect("trustmason starts"))
}

/// The plan of the estate as JSON.
pub fn plan(built: &Built) -> Value {
    let said = trustmason(built, &["plan", Built::SPEC, "--format", "json"]);
    assert_eq!(said.code, 0, "plan: {}", said.stderr);
    serde_json::from_str(&said.stdout).expect("the plan is JSON")
}

/// The largest number of applies before a test gives up.
const RUNGS: usize = 12;

/// The work of people on the way to the end.
pub struct Climbed {
    /// The number of applies that followed a person's work.
    pub rungs: usize,
    /// The number of certificates added to voice browsers and deleted from them.
    pub carried: usize,
    /// The number of restarts that were requested and acknowledged.
    pub restarts: usize,
}

/// Goes on to the end: people carry out the packs, restart the pending services and acknowledge them, and apply runs again.
pub fn climb(built: &Built, fingerprint: &mut dyn FnMut(&Path) -> String) -> Climbed {
    let mut climbed = Climbed { rungs: 0, carried: 0, restarts: 0 };
    loop {
        let carried = carry_packs(built, fingerprint);
        let restarts = waited_for(&plan(built)).len();
        if restarts > 0 {
            acknowledge(built, "*");
        }
        let applied = trustmason(built, &["apply", Built::SPEC, "--auto-approve"]);
        let report = format!("{}\n{}", applied.stdout, applied.stderr);
        climbed.rungs += 1;
        climbed.carried += carried;
        climbed.restarts += restarts;
        match applied.code {
            0 if waited_for(&plan(built)).is_empty() => return climbed,
            // Nothing is blocked any more. Restarts may still be pending.
            0 | 5 => {}
            other => panic!("apply ends with {other}\n{report}"),
        }
        assert!(carried + restarts > 0 || climbed.rungs == 1, "nobody can do anything, yet it waits\n{report}");
        assert!(climbed.rungs < RUNGS, "no end after {RUNGS} applies\n{report}");
    }
}

/// Acknowledges that services were restarted.
pub fn acknowledge(built: &Built, services: &str) {
    let said = trustmason(built, &["ack", Built::SPEC, services]);
    assert_eq!(said.code, 0, "ack {services}\n{}\n{}", said.stdout, said.stderr);
}

/// The services that a plan wants restarted now: those whose store changed, and those that a rotation waits for, as
/// soon as they have something new to read.
pub fn waited_for(plan: &Value) -> BTreeSet<String> {
    let service = |item: &Value| format!("{}/{}", item["host"].as_str().unwrap(), item["service"].as_str().unwrap());
    let rotation = |item: &Value| {
        item["rotation"] == true && item["after"].is_null() && item["because"].as_array().unwrap().is_empty()
    };
    let now = |item: &&Value| !item["pending_since"].is_null() || rotation(item);
    plan["restarts"].as_array().unwrap().iter().filter(now).map(service).collect()
}

/// Runs trustmason under strace. Lists every call that could have written. `None` if strace cannot trace.
pub fn watched(built: &Built, arguments: &[&str]) -> Option<(Said, Vec<String>)> {
    if !needs::partly(Need::Strace, "the system calls of a run that writes nothing") {
        return None;
    }
    let log = built.root.join("strace.log");
    let calls = "trace=open,openat,creat,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,truncate,ftruncate,\
                 chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,link,linkat,symlink,symlinkat,utimensat";
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", calls, "-o"]).arg(&log).arg(BINARY).args(arguments).current_dir(&built.root);
    let said = Said::of(command.output().expect("strace starts"));
    let trace = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    assert!(trace.contains(Built::SPEC), "the trace shows that the spec was opened:\n{trace}");
    let writes = |line: &&str| {
        let opens = line.contains(" open(") || line.contains(" openat(");
        let for_writing =
            ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"].iter().any(|flag| line.contains(flag));
        let device = line.contains("\"/dev/") || line.contains("\"/proc/");
        let call = line.contains('(') && !line.contains("resumed>") && !line.contains("+++") && !line.contains("---");
        call && !device && (!opens || for_writing)
    };
    Some((said, trace.lines().filter(writes).map(str::to_owned).collect()))
}

/// Checks that an apply without work opens no file for writing.
pub fn second_apply_writes_nothing(built: &Built, code: i32) {
    let quiet = [built.root.join("hosts"), built.root.join("certs"), built.root.join(".trustmason")];
    let before: Vec<_> = quiet.iter().map(|folder| still(folder)).collect();
    let packs = texts(&built.root.join(".trustmason/handoff"));
    let arguments = ["apply", Built::SPEC, "--auto-approve"];
    let (said, writes) = watched(built, &arguments).unwrap_or_else(|| (trustmason(built, &arguments), Vec::new()));
    assert_eq!(said.code, code, "{}\n{}", said.stdout, said.stderr);
    let nothing =
        if code == 0 { "No changes. Every store holds what the spec declares." } else { "No changes to make now." };
    assert!(said.stdout.contains(nothing), "{}", said.stdout);
    for (path, text) in texts(&built.root.join(".trustmason/handoff")) {
        assert_eq!(packs.get(&path), Some(&text), "a second apply writes {} anew", path.display());
    }
    assert!(writes.is_empty(), "a second apply writes:\n{}", writes.join("\n"));
    let after: Vec<_> = quiet.iter().map(|folder| still(folder)).collect();
    assert!(before == after, "a second apply left traces below {}", built.root.display());
}

/// Everything below a folder: inode, size, mode and time of last change.
pub fn still(folder: &Path) -> BTreeMap<PathBuf, (u64, u64, u32, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let facts = path.symlink_metadata().unwrap();
            if facts.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, (facts.ino(), facts.len(), facts.mode(), facts.mtime(), facts.mtime_nsec()));
        }
    }
    found
}

/// Every file below a folder as text.
pub fn texts(folder: &Path) -> BTreeMap<PathBuf, String> {
    let files = still(folder).into_keys().filter(|path| path.is_file());
    files.map(|path| (path.clone(), std::fs::read_to_string(&path).unwrap())).collect()
}

/// Acts as the operator of the voice browsers: takes each pack for their stores, uploads the new certificates, deletes
/// those to be removed, and exports the trust again.
pub fn carry_packs(built: &Built, fingerprint: &mut dyn FnMut(&Path) -> String) -> usize {
    let mut carried = 0;
    for (host, mirror) in &built.mirrors {
        let pack = built.root.join(".trustmason/handoff").join(host).join("tomcat-trust");
        let Ok(text) = std::fs::read_to_string(pack.join("pack.json")) else { continue };
        let text: Value = serde_json::from_str(&text).unwrap();
        for item in text["add"].as_array().unwrap() {
            let file = item["file"].as_str().unwrap();
            std::fs::copy(pack.join(file), mirror.join(file)).unwrap();
            // openssl must be able to read the file too, because trustmason's own reader proves nothing about its pack.
            craft::run(Command::new("openssl").args(["x509", "-noout", "-in"]).arg(mirror.join(file)));
            carried += 1;
        }
        for item in text["remove"].as_array().unwrap() {
            let gone = item["sha256"].as_str().unwrap();
            for entry in std::fs::read_dir(mirror).unwrap() {
                let path = entry.unwrap().path();
                if fingerprint(&path) == gone {
                    std::fs::remove_file(path).unwrap();
                    carried += 1;
                }
            }
        }
    }
    carried
}

/// Runs trustmason and kills it (SIGKILL) when it puts its nth store in place. Gives whether it was killed; otherwise
/// it had ended before. On one processor stores are written one after the other, so the nth store is always the same.
pub fn killed_at_store(built: &Built, nth: usize, arguments: &[&str]) -> bool {
    let log = built.root.join("strace.log");
    let mut command = Command::new("taskset");
    command.args(["-c", "0", "strace"]);
    // Only the exchange of a store with its new file uses this call.
    let call = "renameat2";
    command.args(["-f", "-qq", "-e", &format!("trace={call}"), "-e"]);
    command.arg(format!("inject={call}:signal=SIGKILL:when={nth}")).arg("-o").arg(&log);
    let output = command.arg(BINARY).args(arguments).current_dir(&built.root).output();
    let output =
        output.unwrap_or_else(|error| panic!("no judge: `taskset` does not start ({error}). {}", craft::HOW_TO_GET));
    let trace = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    let renames = trace.lines().filter(|line| line.contains(" renameat2")).count();
    assert!(renames > 0, "strace cannot trace here, or nothing was put in place\n{output:?}\n{trace}");
    // strace ends with the signal that killed the traced program.
    output.status.signal() == Some(9)
}
