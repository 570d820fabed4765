//! Starts other programs. Each command is shown, and the error of a failed command names the command.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The error of a task: one sentence for the person who started it.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The `cargo` that started this task, else the one on the path.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a command and shows its output. An exit code other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let words = words(command);
    eprintln!("$ {words}");
    let status = command.status().map_err(|error| format!("`{words}` did not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{words}` failed: {status}").into()) }
}

/// Runs a command and gives its output. The error has its messages.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>, Failure> {
    let words = words(command);
    let output = command.output().map_err(|error| format!("`{words}` did not start: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("`{words}` failed: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end()).into())
}

/// Whether a command starts and succeeds. Its output is ignored.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The command as a person would type it.
fn words(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
