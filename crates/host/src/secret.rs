//! Turns a [`SecretRef`] into a [`Password`]: each source is asked once per run, whoever asks. Errors name the secret and its
//! source, never the value; what a program says on its error stream is withheld, since it may hold the secret.

use std::collections::{BTreeSet, HashMap};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use trustmason_keystore::Password;
use trustmason_spec::topology::{HostPath, SecretRef, SecretSource, Topology};
use zeroize::Zeroizing;

use crate::disk::{self, DiskError};
use crate::path::{self, PathError, Place};
use crate::properties::{self, PropertiesError};

/// How long a program may take to print a secret.
const PATIENCE: Duration = Duration::from_secs(10);

/// More than any password, less than any accident.
const LONGEST: usize = 64 * 1024;

/// A secret that could not be had.
#[derive(Clone, Debug, thiserror::Error)]
#[error("secret `{name}`: {fault}")]
pub struct SecretError {
    name: String,
    fault: Arc<Fault>,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("environment variable {0} is not set; export it in the shell that runs this")]
    Unset(String),
    #[error("environment variable {0} is not UTF-8 text; set it anew")]
    NotText(String),
    #[error("{0} is empty; put the password there")]
    Empty(String),
    #[error("{0} is longer than any password; check that it is the right source")]
    TooLong(String),
    #[error("{} is not UTF-8 text; save it as UTF-8", .0.display())]
    FileNotText(PathBuf),
    #[error("{0} does not exist; check the path, or name another source in `secrets:`")]
    NoFile(String),
    #[error("{} has no key {key}; check the key's spelling", file.display())]
    NoKey { file: PathBuf, key: String },
    #[error("{}: {fault}; correct that line", file.display())]
    Properties { file: PathBuf, fault: PropertiesError },
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("the command is empty; write a program and its arguments as a list")]
    NoProgram,
    #[error("`{program}` cannot be started: {cause}; check that it is installed and on the PATH")]
    NotStarted { program: String, cause: std::io::Error },
    #[error("`{program}` took longer than {} s and was stopped; run it by hand", PATIENCE.as_secs())]
    TooSlow { program: String },
    #[error("`{program}` ended with {status}{noise}; run it by hand")]
    Failed { program: String, status: String, noise: Noise },
    #[error("`{program}` printed something that is not UTF-8 text")]
    OutputNotText { program: String },
    #[error("reading what `{program}` printed failed: {cause}")]
    Pipe { program: String, cause: std::io::Error },
}

/// How much a program said on its error stream.
#[derive(Debug)]
struct Noise(usize);

impl std::fmt::Display for Noise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => Ok(()),
            bytes => write!(f, " ({bytes} bytes of error output withheld, they may hold the secret)"),
        }
    }
}

/// What makes two sources the same.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Env(String),
    File(PathBuf),
    Properties { root: PathBuf, steps: Vec<String>, key: String },
    Command(Vec<String>),
}

type Answer = Result<Password, Arc<Fault>>;

/// The secrets of one run.
#[derive(Default)]
pub struct Secrets {
    /// Environment variables that hold secrets: no program that is run for another secret sees them.
    withheld: BTreeSet<String>,
    answers: Mutex<HashMap<Key, Arc<OnceLock<Answer>>>>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl Secrets {
    /// None asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those of an estate: its programs run without the environment variables that its other secrets come from.
    pub fn of(topology: &Topology) -> Self {
        let named = topology.stores.values().filter_map(|def| match &def.password.as_ref()?.from {
            SecretSource::Env(name) => Some(name.clone()),
            SecretSource::Literal(_)
            | SecretSource::File(_)
            | SecretSource::Properties { .. }
            | SecretSource::Command(_) => None,
        });
        Self::withholding(named)
    }

    /// None asked for yet; programs run without these environment variables.
    pub fn withholding(names: impl IntoIterator<Item = String>) -> Self {
        Self { withheld: names.into_iter().collect(), ..Self::default() }
    }

    /// The password behind a reference. Two threads that need the same one wait for a single answer.
    ///
    /// # Errors
    /// [`SecretError`], the same for everybody who asks in this run.
    pub fn get(&self, secret: &SecretRef) -> Result<Password, SecretError> {
        let key = match &secret.from {
            SecretSource::Literal(password) => return Ok(password.clone()),
            SecretSource::Env(name) => Key::Env(name.clone()),
            SecretSource::File(path) => Key::File(path.clone()),
            SecretSource::Properties { path, key } => {
                Key::Properties { root: path.root.clone(), steps: path.steps.clone(), key: key.clone() }
            }
            SecretSource::Command(argv) => Key::Command(argv.clone()),
        };
        let cell = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry(key).or_default())
        };
        cell.get_or_init(|| self.ask(&secret.from).map_err(Arc::new))
            .clone()
            .map_err(|fault| SecretError { name: secret.name.clone(), fault })
    }

    fn ask(&self, source: &SecretSource) -> Result<Password, Fault> {
        match source {
            SecretSource::Literal(password) => Ok(password.clone()),
            SecretSource::Env(name) => env(name),
            SecretSource::File(path) => file(path),
            SecretSource::Properties { path, key } => property(path, key),
            SecretSource::Command(argv) => command(argv, &self.withheld),
        }
    }
}

fn env(name: &str) -> Result<Password, Fault> {
    match std::env::var(name) {
        Ok(value) if value.is_empty() => Err(Fault::Empty(format!("environment variable {name}"))),
        Ok(value) => Ok(Password::new(value)),
        Err(std::env::VarError::NotPresent) => Err(Fault::Unset(name.to_owned())),
        Err(std::env::VarError::NotUnicode(_)) => Err(Fault::NotText(name.to_owned())),
    }
}

fn file(path: &Path) -> Result<Password, Fault> {
    let shown = path.display().to_string();
    let bytes = Zeroizing::new(disk::read_if_there(path)?.ok_or_else(|| Fault::NoFile(shown.clone()))?);
    first_line(&bytes, &shown, || Fault::FileNotText(path.to_owned()))
}

/// The first line without its end (LF or CRLF); nothing else is trimmed, a password may end in a blank.
fn first_line(bytes: &[u8], shown: &str, not_text: impl FnOnce() -> Fault) -> Result<Password, Fault> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > LONGEST {
        return Err(Fault::TooLong(format!("the first line of {shown}")));
    }
    match std::str::from_utf8(line) {
        Ok("") => Err(Fault::Empty(format!("the first line of {shown}"))),
        Ok(text) => Ok(Password::new(text)),
        Err(_) => Err(not_text()),
    }
}

fn property(path: &HostPath, key: &str) -> Result<Password, Fault> {
    let file = match path::resolve(path)? {
        Place::Found(file) => file,
        Place::Absent { path, .. } => return Err(Fault::NoFile(path.display().to_string())),
    };
    let bytes = Zeroizing::new(disk::read(&file)?);
    match properties::value(&bytes, key) {
        Ok(Some(value)) if value.is_empty() => Err(Fault::Empty(format!("{key} in {}", file.display()))),
        Ok(Some(value)) => Ok(Password::new(value.as_str())),
        Ok(None) => Err(Fault::NoKey { file, key: key.to_owned() }),
        Err(fault) => Err(Fault::Properties { file, fault }),
    }
}

/// Runs a program directly, no shell in between, and takes the first line it prints.
fn command(argv: &[String], withheld: &BTreeSet<String>) -> Result<Password, Fault> {
    let (program, arguments) = argv.split_first().ok_or(Fault::NoProgram)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in withheld {
        command.env_remove(name);
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(|cause| Fault::NotStarted { program: program.clone(), cause })?;
    let out = child.stdout.take().map(drain);
    let noise = child.stderr.take().map(drain);
    let ended = wait(&mut child, PATIENCE, out);
    if ended.is_err() {
        stop(&mut child);
    }
    let (status, printed) = ended.map_err(|ended| match ended {
        Ended::TooSlow => Fault::TooSlow { program: program.clone() },
        Ended::Pipe(cause) => Fault::Pipe { program: program.clone(), cause },
    })?;
    if !status.success() {
        let noise = noise.and_then(|noise| noise.recv_timeout(Duration::from_millis(100)).ok()).and_then(Result::ok);
        return Err(Fault::Failed {
            program: program.clone(),
            status: status.to_string(),
            noise: Noise(noise.map_or(0, |n| n.len())),
        });
    }
    first_line(&printed, &format!("what `{program}` prints"), || Fault::OutputNotText { program: program.clone() })
}

type Drained = mpsc::Receiver<std::io::Result<Zeroizing<Vec<u8>>>>;

/// Reads a pipe to its end on a thread of its own, so that a full pipe never stops the program. What exceeds the longest
/// secret is thrown away.
fn drain(mut pipe: impl std::io::Read + Send + 'static) -> Drained {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut kept = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
        let read = pipe.by_ref().take(LONGEST as u64 + 1).read_to_end(&mut kept);
        let rest = read.and_then(|_| std::io::copy(&mut pipe, &mut std::io::sink()));
        // Nobody listens any more when the program was too slow.
        let _gone = sender.send(rest.map(|_| kept));
    });
    receiver
}

enum Ended {
    TooSlow,
    Pipe(std::io::Error),
}

fn wait(
    child: &mut Child,
    patience: Duration,
    out: Option<Drained>,
) -> Result<(std::process::ExitStatus, Zeroizing<Vec<u8>>), Ended> {
    let until = Instant::now() + patience;
    let status = loop {
        match child.try_wait().map_err(Ended::Pipe)? {
            Some(status) => break status,
            None if Instant::now() >= until => return Err(Ended::TooSlow),
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    let Some(out) = out else { return Ok((status, Zeroizing::default())) };
    // A grandchild may hold the pipe open longer than the program lives.
    match out.recv_timeout(until.saturating_duration_since(Instant::now()).max(Duration::from_millis(100))) {
        Ok(printed) => printed.map(|printed| (status, printed)).map_err(Ended::Pipe),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(Ended::TooSlow),
    }
}

/// Kills the program and everything it started.
fn stop(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw)
        && let Err(error) = rustix::process::kill_process_group(group, rustix::process::Signal::KILL)
    {
        tracing::debug!("the program's group was gone already: {error}");
    }
    if let Err(error) = child.kill().and_then(|()| child.wait().map(|_| ())) {
        tracing::debug!("the program could not be stopped: {error}");
    }
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
