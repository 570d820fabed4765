//! Runs the program with a time limit and little memory. A program that waits for ever or reads without end then fails
//! its own test and does not hold up the others.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::support::Said;

/// The time limit, which is long, so that a busy machine does not fail the test.
const PATIENCE: Duration = Duration::from_secs(60);

/// The memory limit in KiB, which is far smaller than the huge files, and enough for the program's threads.
const MEMORY: u32 = 2_000_000;

/// Runs the program in a folder, without a person.
#[track_caller]
pub fn run(dir: &Path, args: &[&str]) -> Said {
    let room = tempfile::tempdir().unwrap();
    let (out, err) = (room.path().join("out"), room.path().join("err"));
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v \"$0\" && exec \"$@\"", &MEMORY.to_string(), env!("CARGO_BIN_EXE_trustmason")]);
    command.args(args).current_dir(dir).stdin(Stdio::null());
    // A single arena: each further one reserves address space that is not used.
    command.env("USER", "tester").env("COLUMNS", "100").env("MALLOC_ARENA_MAX", "1");
    for name in ["RUST_LOG", "NO_COLOR", "CLICOLOR_FORCE", "SUDO_USER"] {
        command.env_remove(name);
    }
    let mut child = command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap()).spawn().unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            let _ = child.wait().unwrap();
            panic!("{args:?} was stopped: it waits for ever");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let read = |path: &Path| String::from_utf8(fs::read(path).unwrap()).unwrap();
    let said = Said { code: status.code().unwrap_or(-1), out: read(&out), err: read(&err) };
    assert_eq!(status.signal(), None, "{args:?} died\n{}\n{}", said.out, said.err);
    said
}
