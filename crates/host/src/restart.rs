//! Restarts a service by the command that the spec gives for it. It takes the command and the run's secrets, and gives
//! what the command said, with every secret that this run knows withheld. The command never sees the variables that
//! hold secrets of the estate.

use std::time::{Duration, Instant};

use trustmason_plan::text;
use trustmason_spec::topology::RestartCommand;

use crate::process::{self, Call, CallPurpose, Output, ProcessError};
use crate::secret::Secrets;

/// How many of the last lines an error repeats.
const LAST: usize = 5;

/// A restart that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restarted {
    /// The command's output, standard error last; of each stream the last 64 KiB. Secrets are withheld, so it is safe
    /// to print.
    pub output: String,
    /// How many seconds the command took.
    pub seconds: u64,
}

/// A restart that failed. `last` holds the last lines of the command's output. Secrets are withheld, so they are safe
/// to print.
#[derive(Debug, thiserror::Error)]
pub enum RestartError {
    /// The command was not started, so the service was not touched.
    #[error("`{program}` cannot be started: {cause}; check that it is installed and on the PATH")]
    NotStarted {
        /// The program.
        program: String,
        /// Why the system did not start the program.
        cause: std::io::Error,
    },
    /// The command took too long and was stopped. The state of the service is not known.
    #[error(
        "`{program}` took longer than {seconds} s and was stopped{}; check the service, or give it a longer `timeout`",
        after(last)
    )]
    TooSlow {
        /// The program.
        program: String,
        /// How many seconds the command was allowed to take.
        seconds: u32,
        /// The last lines of the command's output.
        last: Vec<String>,
    },
    /// The command reported a failure by its exit status.
    #[error("`{program}` ended with {status}{}; run it by hand", after(last))]
    Failed {
        /// The program.
        program: String,
        /// How the program ended, such as `exit status: 3`.
        status: String,
        /// The last lines of the command's output.
        last: Vec<String>,
    },
    /// The system could not say how the command ended. The state of the service is not known.
    #[error("waiting for `{program}` failed: {cause}; check the service")]
    Lost {
        /// The program.
        program: String,
        /// Why the system could not wait for the program.
        cause: std::io::Error,
    },
}

/// The last lines, worded as the end of a sentence.
fn after(last: &[String]) -> String {
    if last.is_empty() { String::new() } else { format!(" after printing: {}", last.join(" / ")) }
}

/// Runs the command without the variables that hold secrets, and waits until it has ended. Processes that the command
/// leaves running, such as the service itself, are not stopped.
///
/// # Errors
/// [`RestartError`]. Only [`RestartError::NotStarted`] means that the service was not touched.
pub fn restart(command: &RestartCommand, secrets: &Secrets) -> Result<Restarted, RestartError> {
    let RestartCommand { argv, timeout_seconds } = command;
    let program = argv.first().cloned().unwrap_or_default();
    let timeout = Duration::from_secs(u64::from(*timeout_seconds));
    let begun = Instant::now();
    let ran = process::run(&Call { argv, timeout, without_env: secrets.withheld(), purpose: CallPurpose::SideEffect });
    let seconds = begun.elapsed().as_secs();
    match ran {
        Ok(ran) => {
            let lines = lines(secrets, &ran.out, &ran.err);
            if ran.status.success() {
                Ok(Restarted { output: lines.join("\n"), seconds })
            } else {
                Err(RestartError::Failed { program, status: ran.status.to_string(), last: last(lines) })
            }
        }
        Err(ProcessError::NoProgram) => {
            let cause = std::io::Error::new(std::io::ErrorKind::InvalidInput, "the command is empty");
            Err(RestartError::NotStarted { program, cause })
        }
        Err(ProcessError::NotStarted(cause)) => Err(RestartError::NotStarted { program, cause }),
        Err(ProcessError::TooSlow { out, err }) => {
            let last = last(lines(secrets, &out, &err));
            Err(RestartError::TooSlow { program, seconds: *timeout_seconds, last })
        }
        Err(ProcessError::Lost(cause)) => Err(RestartError::Lost { program, cause }),
    }
}

/// The lines of both streams, without blank lines.
fn lines(secrets: &Secrets, out: &Output, err: &Output) -> Vec<String> {
    let mut lines = Vec::new();
    for said in [out, err] {
        let shown = secrets.redact(said);
        lines.extend(shown.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(text::escape));
    }
    lines
}

fn last(mut lines: Vec<String>) -> Vec<String> {
    lines.split_off(lines.len().saturating_sub(LAST))
}

#[cfg(all(test, unix))]
#[path = "restart_tests.rs"]
mod tests;
