//! Turns a [`SecretRef`] into a [`Password`]. Each source is asked once per run, whichever thread asks. Errors name the
//! secret and its source, never the value. The error stream of a program is never shown, because it may hold the
//! secret.

mod properties;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use trustmason_keystore::Password;
use trustmason_spec::name::Fqdn;
use trustmason_spec::topology::{Host, HostPath, SecretRef, SecretSource, Topology};
use zeroize::Zeroizing;

use crate::disk::{self, DiskError, ReadLimit};
use crate::process::{self, Call, CallPurpose, LONGEST, ProcessError};
use crate::volume::{Located, VolumeError, Volumes};
use properties::PropertiesError;

/// How long a program may take to print a secret.
const PATIENCE: Duration = Duration::from_secs(10);

/// The least length of a piece of a secret that is withheld.
const PIECE: usize = 4;

/// A secret that is not available.
#[derive(Clone, Debug, thiserror::Error)]
#[error("secret `{name}`: {fault}")]
pub struct SecretError {
    name: String,
    fault: Arc<SecretErrorKind>,
}

#[derive(Debug, thiserror::Error)]
enum SecretErrorKind {
    #[error("environment variable {0} is not set; export it in the shell that runs this")]
    Unset(String),
    #[error("environment variable {0} is not UTF-8 text; set it again")]
    NotText(String),
    #[error(
        "{0} is empty; put the password there, or, if the store's password is the empty one, write `{{ empty: true }}` instead"
    )]
    Empty(String),
    #[error("{0} is longer than any password; check that it is the right source")]
    TooLong(String),
    #[error("{} is not UTF-8 text; save it as UTF-8", .0.display())]
    FileNotText(PathBuf),
    #[error("{0} does not exist; check the path, or name another source in `secrets:`")]
    NoFile(String),
    #[error("{} has no key {key}; check the key's spelling", file.display())]
    NoKey { file: PathBuf, key: String },
    #[error(
        "{} has no key {key}, but it has {}, which differs in capital letters or invisible characters; write the key the \
         same way in the file and in `key:`",
        file.display(),
        found.escape_debug()
    )]
    NearKey { file: PathBuf, key: String, found: String },
    #[error("{0} is UTF-16 text; save it as UTF-8 or ANSI")]
    Utf16(String),
    #[error("{}: {fault}; correct that line", file.display())]
    Properties { file: PathBuf, fault: PropertiesError },
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Path(#[from] VolumeError),
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
    #[error("the profile does not know where it is in this release, so the spec must say it: {}", numbered(.0))]
    Unstated(Vec<String>),
    #[error("reading what `{program}` printed failed: {cause}")]
    Pipe { program: String, cause: std::io::Error },
}

/// The items of a list in one line, each with its number.
fn numbered(items: &[String]) -> String {
    let items = items.iter().zip(1..).map(|(item, number)| format!("({number}) {item}"));
    items.collect::<Vec<_>>().join("; ")
}

/// How many bytes a program wrote on its error stream.
#[derive(Debug)]
struct Noise(usize);

impl std::fmt::Display for Noise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => Ok(()),
            bytes => write!(f, " ({bytes} bytes of error output are not shown, because they may hold the secret)"),
        }
    }
}

/// The key by which two sources are the same.
#[derive(Clone, PartialEq, Eq, Hash)]
enum SourceKey {
    Env(String),
    File(PathBuf),
    Properties { path: HostPath, key: String },
    Command(Vec<String>),
}

type SecretResult = Result<Password, Arc<SecretErrorKind>>;

/// The secrets of one run.
#[derive(Default)]
pub struct Secrets {
    /// The hosts on whose disks secrets are found.
    hosts: BTreeMap<Fqdn, Host>,
    /// Environment variables that hold secrets. A program that is run for another secret does not get them.
    withheld: BTreeSet<String>,
    answers: Mutex<HashMap<SourceKey, Arc<OnceLock<SecretResult>>>>,
    /// Every value that was given out, each once.
    known: Mutex<Vec<Password>>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl Secrets {
    /// No secret was asked for yet. No secret is on a host's disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// The secrets of an estate. Programs run without the environment variables that the estate's other secrets come
    /// from.
    pub fn of(topology: &Topology) -> Self {
        Self { hosts: topology.hosts.clone(), ..Self::withholding(topology.secret_variables.clone()) }
    }

    /// No secret was asked for yet. Programs run without these environment variables.
    pub fn withholding(names: impl IntoIterator<Item = String>) -> Self {
        Self { withheld: names.into_iter().collect(), ..Self::default() }
    }

    /// The variables that no program gets.
    pub(crate) fn withheld(&self) -> &BTreeSet<String> {
        &self.withheld
    }

    /// The password behind a reference. Two threads that need the same password wait for a single answer.
    ///
    /// # Errors
    /// [`SecretError`], the same for every caller in this run.
    pub fn get(&self, secret: &SecretRef) -> Result<Password, SecretError> {
        let key = match &secret.from {
            SecretSource::Literal(password) => {
                self.remember(password);
                return Ok(password.clone());
            }
            SecretSource::Env(name) => SourceKey::Env(name.clone()),
            SecretSource::File(path) => SourceKey::File(path.clone()),
            SecretSource::Properties { path, key } => SourceKey::Properties { path: path.clone(), key: key.clone() },
            SecretSource::Command(argv) => SourceKey::Command(argv.clone()),
            SecretSource::Unstated(ways) => {
                let fault = Arc::new(SecretErrorKind::Unstated(ways.clone()));
                return Err(SecretError { name: secret.name.clone(), fault });
            }
        };
        let cell = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry(key).or_default())
        };
        let answer = cell.get_or_init(|| self.ask(&secret.from).map_err(Arc::new)).clone();
        if let Ok(password) = &answer {
            self.remember(password);
        }
        answer.map_err(|fault| SecretError { name: secret.name.clone(), fault })
    }

    /// The output of a program as text. Every value given out so far is withheld, wherever it occurs, also where values
    /// overlap. A piece of a value of four bytes or more is withheld at either end, because long output is cut and may
    /// begin or end within a value.
    pub fn redact(&self, said: &[u8]) -> String {
        let mut hidden = vec![false; said.len()];
        let mut hide = |start: usize, length: usize| hidden.iter_mut().skip(start).take(length).for_each(|h| *h = true);
        for value in self.known.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let value = value.expose().as_bytes();
            for (at, _) in said.windows(value.len().max(1)).enumerate().filter(|(_, piece)| *piece == value) {
                hide(at, value.len());
            }
            for length in PIECE..value.len() {
                let (head, tail) = (value.get(..length), value.get(value.len() - length..));
                if tail.is_some_and(|tail| said.starts_with(tail)) {
                    hide(0, length);
                }
                if head.is_some_and(|head| said.ends_with(head)) {
                    hide(said.len() - length, length);
                }
            }
        }
        let mut shown = Vec::with_capacity(said.len());
        let mut before = false;
        for (byte, hidden) in said.iter().zip(hidden) {
            match (hidden, before) {
                (false, _) => shown.push(*byte),
                (true, false) => shown.extend(b"[withheld]"),
                (true, true) => {}
            }
            before = hidden;
        }
        String::from_utf8_lossy(&shown).into_owned()
    }

    fn remember(&self, password: &Password) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|one| one.expose() == password.expose()) {
            known.push(password.clone());
        }
    }

    fn ask(&self, source: &SecretSource) -> Result<Password, SecretErrorKind> {
        match source {
            SecretSource::Literal(password) => Ok(password.clone()),
            SecretSource::Env(name) => env(name),
            SecretSource::File(path) => file(path),
            SecretSource::Properties { path, key } => property(Volumes::among(&self.hosts), path, key),
            SecretSource::Command(argv) => command(argv, &self.withheld),
            SecretSource::Unstated(ways) => Err(SecretErrorKind::Unstated(ways.clone())),
        }
    }
}

fn env(name: &str) -> Result<Password, SecretErrorKind> {
    match std::env::var(name) {
        Ok(value) if value.is_empty() => Err(SecretErrorKind::Empty(format!("environment variable {name}"))),
        Ok(value) => Ok(Password::new(value)),
        Err(std::env::VarError::NotPresent) => Err(SecretErrorKind::Unset(name.to_owned())),
        Err(std::env::VarError::NotUnicode(_)) => Err(SecretErrorKind::NotText(name.to_owned())),
    }
}

fn file(path: &Path) -> Result<Password, SecretErrorKind> {
    let shown = path.display().to_string();
    let bytes = Zeroizing::new(
        disk::read_if_there(path, ReadLimit::Secret)?.ok_or_else(|| SecretErrorKind::NoFile(shown.clone()))?,
    );
    first_line(&bytes, &shown, || SecretErrorKind::FileNotText(path.to_owned()))
}

/// The first line without its end (LF or CRLF). Nothing else is trimmed: a password may end in a blank.
fn first_line(
    bytes: &[u8],
    shown: &str,
    not_text: impl FnOnce() -> SecretErrorKind,
) -> Result<Password, SecretErrorKind> {
    if is_utf16(bytes) {
        return Err(SecretErrorKind::Utf16(shown.to_owned()));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > LONGEST {
        return Err(SecretErrorKind::TooLong(format!("the first line of {shown}")));
    }
    match std::str::from_utf8(line) {
        Ok("") => Err(SecretErrorKind::Empty(format!("the first line of {shown}"))),
        Ok(text) => Ok(Password::new(text)),
        Err(_) => Err(not_text()),
    }
}

fn property(volumes: Volumes<'_>, path: &HostPath, key: &str) -> Result<Password, SecretErrorKind> {
    let file = match volumes.find(path)? {
        Located::Found(file) => file,
        Located::Absent { path, .. } => return Err(SecretErrorKind::NoFile(path.display().to_string())),
    };
    let bytes = Zeroizing::new(disk::read(&file, ReadLimit::Properties)?);
    if is_utf16(&bytes) {
        return Err(SecretErrorKind::Utf16(file.display().to_string()));
    }
    match properties::value(&bytes, key) {
        Ok(Some(value)) if value.is_empty() => Err(SecretErrorKind::Empty(format!("{key} in {}", file.display()))),
        Ok(Some(value)) => Ok(Password::new(value.as_str())),
        Ok(None) => Err(match properties::nearest_key(&bytes, key) {
            Some(found) => SecretErrorKind::NearKey { file, key: key.to_owned(), found },
            None => SecretErrorKind::NoKey { file, key: key.to_owned() },
        }),
        Err(fault) => Err(SecretErrorKind::Properties { file, fault }),
    }
}

/// Whether text is UTF-16: by its byte order mark, or because every second byte of its beginning is zero.
fn is_utf16(bytes: &[u8]) -> bool {
    let marked = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    let zero = |at: usize| bytes.iter().skip(at).step_by(2).take(8).all(|byte| *byte == 0);
    marked || (bytes.len() >= 4 && zero(0) != zero(1))
}

/// Names a secret, its source and what is odd about its value, for a message about a wrong password. Never the value.
pub(crate) fn told(secret: &SecretRef, password: &Password) -> String {
    let odd = suspicious_trait(password).map(|odd| format!(" (its value {odd})")).unwrap_or_default();
    format!("the secret `{}` {}{odd}", secret.name, secret.origin())
}

/// A possible cause why a password opens nothing, which cannot be seen by looking at its source. Never the value.
pub fn suspicious_trait(password: &Password) -> Option<&'static str> {
    let value = password.expose();
    let quote = |c: char| matches!(c, '"' | '\'' | '`' | '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}');
    if value.is_empty() {
        Some("is empty")
    } else if value.ends_with(['\r', '\n']) {
        Some("ends with a line break")
    } else if value.contains(['\0', '\u{fffd}']) {
        Some("holds bytes that are not text; its source may be UTF-16 or another encoding")
    } else if value.contains(['\u{feff}', '\u{200b}', '\u{200e}', '\u{a0}', '\u{2060}']) {
        Some("holds a no-break space or another invisible character")
    } else if value.ends_with(char::is_whitespace) {
        Some("ends with a space")
    } else if value.starts_with(char::is_whitespace) {
        Some("begins with a space")
    } else if value.starts_with(quote) && value.ends_with(quote) && value.chars().count() > 1 {
        Some("is in quotation marks, and they count as a part of it")
    } else if value.chars().any(char::is_control) {
        Some("holds a control character")
    } else {
        None
    }
}

/// Runs a program directly, without a shell, and takes the first line that it prints.
fn command(argv: &[String], withheld: &BTreeSet<String>) -> Result<Password, SecretErrorKind> {
    let program = argv.first().cloned().unwrap_or_default();
    let call = Call { argv, timeout: PATIENCE, without_env: withheld, purpose: CallPurpose::Output };
    let ran = process::run(&call).map_err(|error| match error {
        ProcessError::NoProgram => SecretErrorKind::NoProgram,
        ProcessError::NotStarted(cause) => SecretErrorKind::NotStarted { program: program.clone(), cause },
        ProcessError::TooSlow { .. } => SecretErrorKind::TooSlow { program: program.clone() },
        ProcessError::Lost(cause) => SecretErrorKind::Pipe { program: program.clone(), cause },
    })?;
    if !ran.status.success() {
        return Err(SecretErrorKind::Failed { program, status: ran.status.to_string(), noise: Noise(ran.err.len()) });
    }
    first_line(&ran.out, &format!("what `{program}` prints"), || SecretErrorKind::OutputNotText {
        program: program.clone(),
    })
}

#[cfg(test)]
mod tests;
