//! Output to the terminal: reports go to stdout, everything else to stderr. Colours are used on terminals only. A closed
//! stdout is no error, because an `apply` must finish even if nobody reads its report any more.

use std::io::{self, IsTerminal as _, Write as _};

use tracing_subscriber::EnvFilter;
use trustmason_plan::text::{escape, terminal};
use trustmason_spec::fault::{Fault, FaultSeverity};

use crate::args::{Log, LogFormat};
use crate::view::{BAD, BOLD, WARN, paint};

/// The two output streams, with the chosen amount of logging.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    log: Log,
}

impl Console {
    /// Sets up the tracing subscriber; called once per process.
    pub(crate) fn open(log: Log) -> Self {
        let level = match log.verbose {
            0 => "error",
            1 => "info",
            2 => "debug",
            _ => "trace",
        };
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
        // If stderr is closed, nobody can be told so.
        let builder = builder.log_internal_errors(false);
        // A second subscriber in one process is refused. The first one stays, and does the same.
        let _first_stays = match log.log_format {
            LogFormat::Text => builder.with_ansi(colours()).without_time().try_init(),
            LogFormat::Json => builder.json().flatten_event(true).try_init(),
        };
        Self { log }
    }

    /// Whether informative findings are listed.
    pub(crate) fn verbose(self) -> bool {
        self.log.verbose > 0
    }

    /// Whether a progress bar may be drawn on stderr.
    pub(crate) fn moving(self) -> bool {
        self.log.log_format == LogFormat::Text && self.log.verbose == 0 && io::stderr().is_terminal()
    }

    /// Prints a report for people. Characters from foreign text that could control a terminal are escaped.
    pub(crate) fn report(self, text: &str) {
        self.data(&terminal(text));
    }

    /// Prints data for programs unchanged, because every character of a JSON string counts.
    pub(crate) fn data(self, text: &str) {
        let mut out = anstream::stdout();
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.error(&format!("the report could not be written to stdout: {error}"));
        }
    }

    /// Prints a note on stderr.
    pub(crate) fn note(self, text: &str) {
        match self.log.log_format {
            LogFormat::Text => quiet(writeln!(anstream::stderr(), "{}", terminal(text))),
            LogFormat::Json => tracing::info!("{}", anstream::adapter::strip_str(text)),
        }
    }

    /// Prints a warning on stderr.
    pub(crate) fn warn(self, text: &str) {
        match self.log.log_format {
            LogFormat::Text => quiet(writeln!(anstream::stderr(), "{}: {}", paint(WARN, "warning"), terminal(text))),
            LogFormat::Json => tracing::warn!("{}", anstream::adapter::strip_str(text)),
        }
    }

    /// Prints the error that ends the command.
    pub(crate) fn error(self, text: &str) {
        match self.log.log_format {
            LogFormat::Text => quiet(writeln!(anstream::stderr(), "{}: {}", paint(BAD, "error"), terminal(text))),
            LogFormat::Json => tracing::error!("{}", anstream::adapter::strip_str(text)),
        }
    }

    /// Prints a fault of the spec in the spec crate's own form, which contains its severity.
    pub(crate) fn fault(self, fault: &Fault) {
        match (self.log.log_format, fault.severity) {
            (LogFormat::Text, _) => quiet(writeln!(anstream::stderr(), "{}", terminal(&fault.to_string()))),
            (LogFormat::Json, FaultSeverity::Error) => tracing::error!("{fault}"),
            (LogFormat::Json, FaultSeverity::Warning) => tracing::warn!("{fault}"),
        }
    }

    /// Asks a question and reads the answer. `None` if stdin is no terminal, so that nobody can answer.
    pub(crate) fn ask(self, question: &str, how: &str, prompt: &str) -> Option<String> {
        if !io::stdin().is_terminal() {
            return None;
        }
        let mut err = anstream::stderr();
        quiet(
            write!(err, "\n{}\n  {how}\n\n  {}", paint(BOLD, question), paint(BOLD, prompt)).and_then(|()| err.flush()),
        );
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).ok()?;
        Some(answer.trim().to_owned())
    }
}

fn colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Logs a failed write to stderr as a debug event. The stream is closed or broken, so nothing else can show the failure.
fn quiet(result: io::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a stream is closed");
    }
}

/// The person who runs the command: the account of this process as the system names it, not as a variable names it. The
/// value of `SUDO_USER` is added and labelled with the variable's name.
pub(crate) fn account() -> String {
    let account = whoami::username().ok().filter(|name| !name.is_empty()).unwrap_or_else(nameless);
    match std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty() && *name != account) {
        Some(caller) => format!("{} (SUDO_USER: {})", escape(&account), escape(&caller)),
        None => escape(&account),
    }
}

/// The number of an account that has no name.
fn nameless() -> String {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if let Ok(own) = fs_err::metadata("/proc/self") {
            return format!("uid {}", own.uid());
        }
    }
    "somebody".to_owned()
}
