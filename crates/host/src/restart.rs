//! Restarts a service by the command its spec gives. The command is run as `process` runs programs, without the
//! variables that hold secrets of the estate; what it says is kept for people, with every secret this run knows withheld.

use std::time::{Duration, Instant};

use trustmason_plan::text;
use trustmason_spec::topology::RestartCommand;

use crate::process::{self, Aim, Call, ProcessError, Said};
use crate::secret::Secrets;

/// How many of the last lines an error repeats.
const LAST: usize = 5;

/// A restart that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restarted {
    /// What the command said, its error stream last; of each stream the last 64 KiB. Safe to print, secrets withheld.
    pub output: String,
    /// How long it took.
    pub seconds: u64,
}

/// A restart that did not. `last` are the last lines the command said, safe to print, secrets withheld.
#[derive(Debug, thiserror::Error)]
pub enum RestartError {
    /// Nothing was done.
    #[error("`{program}` cannot be started: {cause}; check that it is installed and on the PATH")]
    NotStarted {
        /// The program.
        program: String,
        /// Why the system did not start the program.
        cause: std::io::Error,
    },
    /// It was stopped, and where the service stands is not known.
    #[error(
        "`{program}` took longer than {seconds} s and was stopped{}; check the service, or give it a longer `timeout`",
        after(last)
    )]
    TooSlow {
        /// The program.
        program: String,
        /// How long it was allowed.
        seconds: u32,
        /// What it said last.
        last: Vec<String>,
    },
    /// It says itself that it failed.
    #[error("`{program}` ended with {status}{}; run it by hand", after(last))]
    Failed {
        /// The program.
        program: String,
        /// How it ended: `exit status: 3`.
        status: String,
        /// What it said last.
        last: Vec<String>,
    },
    /// The system could not say how it ended, and where the service stands is not known.
    #[error("waiting for `{program}` failed: {cause}; check the service")]
    Lost {
        /// The program.
        program: String,
        /// Why the system could not wait for the program.
        cause: std::io::Error,
    },
}

/// The last lines as the end of a sentence.
fn after(last: &[String]) -> String {
    if last.is_empty() { String::new() } else { format!(" after printing: {}", last.join(" / ")) }
}

/// Runs the command, which sees no variable that holds a secret, and waits until it has ended. What it leaves running, such as the
/// service itself, lives on.
///
/// # Errors
/// [`RestartError`]. Only [`RestartError::NotStarted`] means that the service was not touched.
pub fn restart(command: &RestartCommand, secrets: &Secrets) -> Result<Restarted, RestartError> {
    let RestartCommand { argv, timeout_seconds } = command;
    let program = argv.first().cloned().unwrap_or_default();
    let patience = Duration::from_secs(u64::from(*timeout_seconds));
    let begun = Instant::now();
    let ran = process::run(&Call { argv, patience, without_env: secrets.withheld(), aim: Aim::Effect });
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

/// What was said on both streams, line by line, blank lines left out.
fn lines(secrets: &Secrets, out: &Said, err: &Said) -> Vec<String> {
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
