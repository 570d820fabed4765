//! A job: a program with everything it starts, which can be ended together.

use std::io;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::process::Child;

use windows_sys::Win32::System::JobObjects::{AssignProcessToJobObject, CreateJobObjectW, TerminateJobObject};

/// The exit code of every program that a job ends.
const ENDED: u32 = 1;

/// A job. Dropping the value ends nothing.
#[derive(Debug)]
pub struct Job(OwnedHandle);

impl Job {
    /// Creates an empty job.
    ///
    /// # Errors
    /// The system could not create a job.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no attributes and no name, both of which may be null.
        let handle = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle was just made, is not null, and nothing else closes it.
        Ok(Self(unsafe { OwnedHandle::from_raw_handle(handle) }))
    }

    /// Puts a program into the job. Everything that the program starts from now on is in the job too.
    ///
    /// # Errors
    /// The program has ended, or the system refused.
    pub fn take(&self, child: &Child) -> io::Result<()> {
        // SAFETY: both handles are open: `self` and `child` own them.
        let done = unsafe { AssignProcessToJobObject(self.0.as_raw_handle(), child.as_raw_handle()) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Ends every program in the job.
    ///
    /// # Errors
    /// The system refused.
    pub fn end(&self) -> io::Result<()> {
        // SAFETY: the handle is open: `self` owns it.
        let done = unsafe { TerminateJobObject(self.0.as_raw_handle(), ENDED) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_program_is_ended_with_what_it_started() {
        let job = Job::new().unwrap();
        // The inner `cmd` keeps the pipe open, so the pipe ends only when both programs have ended.
        let mut child = Command::new("cmd")
            .args(["/c", "pause & cmd /c pause"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        job.take(&child).unwrap();
        let mut out = child.stdout.take().unwrap();
        job.end().unwrap();
        assert!(!child.wait().unwrap().success());
        io::copy(&mut out, &mut io::sink()).unwrap();
        assert!(job.take(&child).is_err(), "it has ended");
    }
}
