//! Where words go: reports to stdout, diagnostics to stderr. Colours reach terminals only, a reader that went away is no
//! error (an `apply` whose report nobody reads any more must still finish).

use std::io::{self, IsTerminal as _, Write as _};

use tracing_subscriber::EnvFilter;
use trustmason_plan::text::{escape, terminal};
use trustmason_spec::fault::{Fault, Severity};

use crate::args::{Log, LogFormat};
use crate::view::{BAD, BOLD, WARN, paint};

/// The two streams, and how much is said on them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    log: Log,
}

impl Console {
    /// Sets the tracing subscriber up; once a process.
    pub(crate) fn open(log: Log) -> Self {
        let level = match log.verbose {
            0 => "error",
            1 => "info",
            2 => "debug",
            _ => "trace",
        };
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
        // Where stderr is closed there is nobody to tell that it is.
        let builder = builder.log_internal_errors(false);
        // A second subscriber in one process is refused; the first one stays, which is as good.
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

    /// Whether a bar may move on stderr.
    pub(crate) fn moving(self) -> bool {
        self.log.log_format == LogFormat::Text && self.log.verbose == 0 && io::stderr().is_terminal()
    }

    /// Prints a report for people: what foreign text in it could do to a terminal is escaped, wherever it came from.
    pub(crate) fn report(self, text: &str) {
        self.data(&terminal(text));
    }

    /// Prints what programs read, as it is: in a JSON string every character is meant.
    pub(crate) fn data(self, text: &str) {
        let mut out = anstream::stdout();
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.error(&format!("the report could not be written to stdout: {error}"));
        }
    }

    /// Says something on stderr that is not a report.
    pub(crate) fn note(self, text: &str) {
        match self.log.log_format {
            LogFormat::Text => quiet(writeln!(anstream::stderr(), "{}", terminal(text))),
            LogFormat::Json => tracing::info!("{}", anstream::adapter::strip_str(text)),
        }
    }

    /// A warning.
    pub(crate) fn warn(self, text: &str) {
        match self.log.log_format {
            LogFormat::Text => quiet(writeln!(anstream::stderr(), "{}: {}", paint(WARN, "warning"), terminal(text))),
            LogFormat::Json => tracing::warn!("{}", anstream::adapter::strip_str(text)),
        }
    }

    /// Why nothing more happens.
    pub(crate) fn error(self, text: &str) {
        match self.log.log_format {
            LogFormat::Text => quiet(writeln!(anstream::stderr(), "{}: {}", paint(BAD, "error"), terminal(text))),
            LogFormat::Json => tracing::error!("{}", anstream::adapter::strip_str(text)),
        }
    }

    /// A fault of the spec as the spec crate renders it, with its own words for how bad it is.
    pub(crate) fn fault(self, fault: &Fault) {
        match (self.log.log_format, fault.severity) {
            (LogFormat::Text, _) => quiet(writeln!(anstream::stderr(), "{}", terminal(&fault.to_string()))),
            (LogFormat::Json, Severity::Error) => tracing::error!("{fault}"),
            (LogFormat::Json, Severity::Warning) => tracing::warn!("{fault}"),
        }
    }

    /// Asks, and reads the answer; `None` where nobody can answer.
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

/// Nobody reads any more, or the stream is broken: there is no place left to say so.
fn quiet(result: io::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a stream is closed");
    }
}

/// Who is at the keyboard, as the system names them: the account that this process runs as, not what a variable says of it. What
/// `sudo` says of who called it is added, and named as its word.
pub(crate) fn person() -> String {
    let account = whoami::username().ok().filter(|name| !name.is_empty()).unwrap_or_else(nameless);
    match std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty() && *name != account) {
        Some(caller) => format!("{} (SUDO_USER: {})", escape(&account), escape(&caller)),
        None => escape(&account),
    }
}

/// Who that is where the system has no name: the number it has for them.
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
