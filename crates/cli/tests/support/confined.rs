//! The program on a short lead: it has an hour-glass and little memory, so that one that waits for ever or reads without end fails
//! its test and holds up nothing.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::support::Said;

/// How long it may take. A machine with much to do is no fault.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much memory it may ask for, in KiB: far less than the giants have, and enough for its threads.
const MEMORY: u32 = 2_000_000;

/// Runs the program in a folder, with nobody at the keyboard.
#[track_caller]
pub fn run(dir: &Path, args: &[&str]) -> Said {
    let room = tempfile::tempdir().unwrap();
    let (out, err) = (room.path().join("out"), room.path().join("err"));
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v \"$0\" && exec \"$@\"", &MEMORY.to_string(), env!("CARGO_BIN_EXE_trustmason")]);
    command.args(args).current_dir(dir).stdin(Stdio::null());
    // One arena: each of the others is address space that nobody uses.
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
