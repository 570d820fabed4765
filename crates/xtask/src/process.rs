//! Starting other programs: what is run is shown, and a failure names the command.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a chore can fail with: one sentence for the person who started it.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The `cargo` that started this chore, else the one on the path.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a command to its end with its output shown; an exit code other than 0 is a failure.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let words = words(command);
    eprintln!("$ {words}");
    let status = command.status().map_err(|error| format!("`{words}` did not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{words}` failed: {status}").into()) }
}

/// Runs a command and gives what it printed; a failure carries its diagnostics.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>, Failure> {
    let words = words(command);
    let output = command.output().map_err(|error| format!("`{words}` did not start: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("`{words}` failed: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end()).into())
}

/// Whether a command starts and ends well; its output is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// A command as a person would type it.
fn words(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
