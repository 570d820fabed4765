//! A folder for running examples: a copy of the demo's estate, with the program on the path.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::page::{Block, Page, matches};

/// Commands that an example may use beside the program.
const SHELL: &[&str] =
    &["cat", "cd", "cp", "done", "echo", "for", "grep", "head", "ls", "mkdir", "mv", "rm", "stat", "tail", "test"];

/// The line as it is run, or the reason why an example may not have it.
pub(crate) fn runnable(line: &str) -> Result<String, String> {
    let line = line.replace("cargo run --release -- ", "trustmason ");
    for piece in line.split(['|', ';', '&']).map(str::trim).filter(|p| !p.is_empty()) {
        let piece = piece.strip_prefix("do ").unwrap_or(piece);
        let word = piece.split_whitespace().next().unwrap_or_default();
        if word != "trustmason" && !SHELL.contains(&word) {
            return Err(format!("`{word}` is not a word that examples use"));
        }
    }
    Ok(line)
}

/// The folder for running examples, deleted at the end.
pub(crate) struct Room {
    folder: TempDir,
    /// The reader's working folder: the estate, until the page says `cd`.
    at: RefCell<PathBuf>,
}

impl Room {
    pub(crate) fn new(estate: &Path, program: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let copied = Command::new("cp").arg("-a").arg(estate).arg(folder.path().join("estate")).status().unwrap();
        assert!(copied.success());
        for name in ["bin", "tmp"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::os::unix::fs::symlink(program, folder.path().join("bin/trustmason")).unwrap();
        let at = RefCell::new(folder.path().join("estate"));
        Self { folder, at }
    }

    pub(crate) fn estate(&self) -> PathBuf {
        self.at.borrow().clone()
    }

    /// Runs a line as a person would type it. Gives the exit code and both output streams as one text.
    fn shell(&self, line: &str) -> (i32, String) {
        let path = format!("{}:/usr/bin:/bin", self.folder.path().join("bin").display());
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; {line}")])
            .current_dir(self.estate())
            .env("PATH", path)
            .env("TMPDIR", self.folder.path().join("tmp"))
            .env("NO_COLOR", "1")
            .env_remove("RUST_LOG")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        (output.status.code().unwrap_or(-1), String::from_utf8(output.stdout).unwrap())
    }

    /// Runs a console block and compares the output. Adds each difference to `wrong`.
    pub(crate) fn console(&self, page: &Page, block: &Block, wrong: &mut Vec<String>) {
        let steps = steps(block);
        assert!(!steps.is_empty(), "{}: a console block without a command", page.at(block));
        let wanted: i32 = block.value("exit").map_or(0, |code| code.parse().unwrap());
        for (n, (command, expected)) in steps.iter().enumerate() {
            if let Some(folder) = command.strip_prefix("cd ") {
                let to = self.estate().join(folder);
                assert!(to.is_dir(), "{}: $ {command}: there is no such folder", page.at(block));
                *self.at.borrow_mut() = to;
                continue;
            }
            let line = match runnable(command) {
                Ok(line) => line,
                Err(why) => return wrong.push(format!("{}: {why}", page.at(block))),
            };
            let (code, said) = self.shell(&line);
            let wanted = if n + 1 == steps.len() { wanted } else { 0 };
            let actual: Vec<&str> = said.lines().collect();
            if code != wanted || !matches(expected, &actual) {
                let expected = expected.join("\n");
                wrong.push(format!(
                    "{}: $ {command}\n--- exit {wanted} and this was promised:\n{expected}\n--- exit {code} and this came:\n{said}",
                    page.at(block)
                ));
            }
        }
    }
}

/// The commands of a console block, each with its expected output.
fn steps(block: &Block) -> Vec<(&str, Vec<&str>)> {
    let mut steps: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in block.body.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((command, Vec::new())),
            (None, Some((_, expected))) => expected.push(line),
            (None, None) => panic!("line {}: output before any command", block.line),
        }
    }
    steps
}
