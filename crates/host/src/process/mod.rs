//! Runs one program: no shell, empty input, a process group of its own (on Windows a job), and a time after which the
//! whole group is killed. Both output streams are read all the time, so that a full pipe never stops the program, and
//! are kept up to a limit.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

/// How many bytes of each stream are kept: more than any password needs, and little enough for any flood.
pub(crate) const LONGEST: usize = 64 * 1024;

/// How long a stream that another process holds open is read after the program has ended.
const LINGER: Duration = Duration::from_secs(2);

/// How many bytes are read from a stream at once.
const CHUNK: usize = 8 * 1024;

/// The purpose of running a program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallPurpose {
    /// For its output. Of too much output the beginning is kept. A process that still holds the output open is waited
    /// for, because it may still write.
    Output,
    /// For its effect. Of too much output the end is kept. Processes that the program leaves behind, such as a service
    /// it started, are not stopped.
    SideEffect,
}

/// A program to run.
pub(crate) struct Call<'a> {
    /// The program and its arguments.
    pub(crate) argv: &'a [String],
    /// How long the program may take.
    pub(crate) timeout: Duration,
    /// Environment variables that the program does not get.
    pub(crate) without_env: &'a BTreeSet<String>,
    pub(crate) purpose: CallPurpose,
}

/// A program that ended by itself.
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    /// The bytes of its two output streams. One byte more than [`LONGEST`] means that there was more.
    pub(crate) out: Output,
    pub(crate) err: Output,
}

pub(crate) type Output = Zeroizing<Vec<u8>>;

/// Why a program did not end by itself. It has no `Debug`, because the output may hold a secret.
pub(crate) enum ProcessError {
    /// There is no program to run.
    NoProgram,
    NotStarted(std::io::Error),
    /// The program was killed; this is its output until then.
    TooSlow {
        out: Output,
        err: Output,
    },
    /// The program could not be waited for, or its output not be read; it was killed.
    Lost(std::io::Error),
}

/// Runs a program and waits until it ends. A program that ended by itself gives [`Ran`], whatever its exit code.
///
/// # Errors
/// There is no program, it was not started, or it was killed: after its timeout, or because it could not be waited for.
pub(crate) fn run(call: &Call<'_>) -> Result<Ran, ProcessError> {
    let mut child = start(call)?;
    let group = Group::of(&child);
    let out = child.stdout.take().map(|pipe| Drain::of(pipe, call.purpose));
    let err = child.stderr.take().map(|pipe| Drain::of(pipe, call.purpose));
    let ended = wait(&mut child, call, out.as_ref());
    if ended.is_err() {
        stop(&mut child, &group);
    }
    // The answer is complete, and a process that outlives its program may hold the error stream open for long.
    let rest = match (&ended, call.purpose) {
        (Ok(status), CallPurpose::Output) if status.success() => Vec::new(),
        (Ok(_), _) => vec![&err],
        (Err(_), _) => vec![&out, &err],
    };
    for drain in rest.into_iter().flatten() {
        if !drain.closes(LINGER).unwrap_or(false) {
            tracing::debug!("what the program wrote is taken as far as it came");
        }
    }
    let said = |drain: Option<Drain>| drain.map(Drain::taken).unwrap_or_default();
    match ended {
        Ok(status) => Ok(Ran { status, out: said(out), err: said(err) }),
        Err(Unended::TooSlow) => Err(ProcessError::TooSlow { out: said(out), err: said(err) }),
        Err(Unended::Lost(cause)) => Err(ProcessError::Lost(cause)),
    }
}

fn start(call: &Call<'_>) -> Result<Child, ProcessError> {
    let (program, arguments) = call.argv.split_first().ok_or(ProcessError::NoProgram)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in call.without_env {
        command.env_remove(name);
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().map_err(ProcessError::NotStarted)
}

enum Unended {
    TooSlow,
    Lost(std::io::Error),
}

/// Waits for the program and for its output.
fn wait(child: &mut Child, call: &Call<'_>, out: Option<&Drain>) -> Result<ExitStatus, Unended> {
    let until = Instant::now() + call.timeout;
    let status = loop {
        match child.try_wait().map_err(Unended::Lost)? {
            Some(status) => break status,
            None if Instant::now() >= until => return Err(Unended::TooSlow),
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    let rest = match call.purpose {
        CallPurpose::Output => until.saturating_duration_since(Instant::now()).max(Duration::from_millis(100)),
        CallPurpose::SideEffect => LINGER,
    };
    match out.map_or(Ok(true), |out| out.closes(rest)).map_err(Unended::Lost)? {
        false if call.purpose == CallPurpose::Output => Err(Unended::TooSlow),
        true | false => Ok(status),
    }
}

/// One stream of a program, read to its end on a thread of its own.
struct Drain {
    kept: Arc<Mutex<Output>>,
    end: Receiver<std::io::Result<()>>,
}

impl Drain {
    fn of(mut pipe: impl Read + Send + 'static, purpose: CallPurpose) -> Self {
        // The buffer is sized once: a growing vector would leave copies in memory that are not wiped.
        let kept = Arc::new(Mutex::new(Zeroizing::new(Vec::with_capacity(LONGEST + CHUNK + 1))));
        let (sender, end) = mpsc::channel();
        let shared = Arc::clone(&kept);
        thread::spawn(move || {
            let mut chunk = Zeroizing::new([0; CHUNK]);
            let ended = loop {
                match pipe.read(chunk.as_mut_slice()) {
                    Ok(0) => break Ok(()),
                    Ok(read) => {
                        let mut kept = shared.lock().unwrap_or_else(PoisonError::into_inner);
                        keep(&mut kept, chunk.get(..read).unwrap_or_default(), purpose);
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) => break Err(error),
                }
            };
            // The receiver is gone if the program was too slow.
            let _gone = sender.send(ended);
        });
        Self { kept, end }
    }

    /// Whether the stream ends within this time.
    fn closes(&self, within: Duration) -> std::io::Result<bool> {
        match self.end.recv_timeout(within) {
            Ok(ended) => ended.map(|()| true),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(false),
        }
    }

    fn taken(self) -> Output {
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Adds the bytes that were read to those that are kept.
fn keep(kept: &mut Vec<u8>, read: &[u8], purpose: CallPurpose) {
    const MOST: usize = LONGEST + 1;
    match purpose {
        CallPurpose::Output => kept.extend(read.iter().take(MOST.saturating_sub(kept.len()))),
        CallPurpose::SideEffect => {
            kept.extend(read);
            let excess = kept.len().saturating_sub(MOST);
            kept.drain(..excess);
        }
    }
}

/// The program and the processes that it starts.
#[cfg(unix)]
struct Group(Option<rustix::process::Pid>);

#[cfg(unix)]
impl Group {
    fn of(child: &Child) -> Self {
        Self(i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw))
    }

    fn kill(&self) -> std::io::Result<()> {
        let kill = |group| rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        self.0.map_or(Ok(()), |group| kill(group).map_err(std::io::Error::from))
    }
}

/// The program and the processes that it starts, except those that it starts before it is put into the job: some
/// microseconds.
#[cfg(windows)]
struct Group(Option<trustmason_windows::job::Job>);

#[cfg(windows)]
impl Group {
    fn of(child: &Child) -> Self {
        let job = trustmason_windows::job::Job::new().and_then(|job| job.take(child).map(|()| job));
        Self(job.inspect_err(|error| tracing::debug!("the program has no job of its own: {error}")).ok())
    }

    fn kill(&self) -> std::io::Result<()> {
        self.0.as_ref().map_or(Ok(()), trustmason_windows::job::Job::end)
    }
}

/// Kills the program and everything in its group.
fn stop(child: &mut Child, group: &Group) {
    if let Err(error) = group.kill() {
        tracing::debug!("the program's group was gone already: {error}");
    }
    if let Err(error) = child.kill().and_then(|()| child.wait().map(|_| ())) {
        tracing::debug!("the program could not be stopped: {error}");
    }
}

#[cfg(all(test, unix))]
mod tests;

#[cfg(all(test, windows))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    fn call<'a>(argv: &'a [String], timeout: Duration, without_env: &'a BTreeSet<String>) -> Call<'a> {
        Call { argv, timeout, without_env, purpose: CallPurpose::Output }
    }

    fn cmd(script: &str) -> Vec<String> {
        ["cmd", "/c", script].map(str::to_owned).to_vec()
    }

    #[test]
    fn an_answer_is_taken_and_its_code() {
        let without = BTreeSet::from(["TEMP".to_owned()]);
        let argv = cmd("echo [%TEMP%]& exit 3");
        let Ok(ran) = run(&call(&argv, Duration::from_secs(60), &without)) else { panic!("it did not end by itself") };
        assert_eq!((ran.out.as_slice(), ran.status.code()), (b"[%TEMP%]\r\n".as_slice(), Some(3)));
    }

    /// The inner program holds the output open: if it were not killed, reading would not end.
    #[test]
    fn a_program_that_hangs_is_killed_with_its_children() {
        let argv = cmd("cmd /c ping -n 1000 127.0.0.1");
        let mut child = start(&call(&argv, Duration::ZERO, &BTreeSet::new())).ok().unwrap();
        let group = Group::of(&child);
        let out = Drain::of(child.stdout.take().unwrap(), CallPurpose::Output);
        thread::sleep(Duration::from_millis(300));
        stop(&mut child, &group);
        assert!(child.try_wait().unwrap().is_some(), "it is gone");
        assert!(out.closes(Duration::from_secs(60)).unwrap(), "nobody holds its output open");
    }

    #[test]
    fn a_program_that_is_not_there_is_said() {
        let argv = [r"C:\no\such\program.exe".to_owned()];
        let answer = run(&call(&argv, Duration::from_secs(60), &BTreeSet::new()));
        assert!(matches!(answer, Err(ProcessError::NotStarted(_))));
    }
}
