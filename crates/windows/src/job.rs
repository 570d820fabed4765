//! A job: a program and everything it starts, which can be ended together.

use std::io;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::process::Child;

use windows_sys::Win32::System::JobObjects::{AssignProcessToJobObject, CreateJobObjectW, TerminateJobObject};

/// The exit code of whatever is ended here.
const ENDED: u32 = 1;

/// A job. When the value goes, what is in the job lives on.
#[derive(Debug)]
pub struct Job(OwnedHandle);

impl Job {
    /// An empty one.
    ///
    /// # Errors
    /// That the system has none to give.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no attributes and no name, both of which may be null.
        let handle = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle was just made, is not null, and nobody else closes it.
        Ok(Self(unsafe { OwnedHandle::from_raw_handle(handle) }))
    }

    /// Takes a program in. What it starts from now on is in the job as well.
    ///
    /// # Errors
    /// That the system would not, or that the program has ended.
    pub fn take(&self, child: &Child) -> io::Result<()> {
        // SAFETY: both handles are open: `self` and `child` own them.
        let done = unsafe { AssignProcessToJobObject(self.0.as_raw_handle(), child.as_raw_handle()) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Ends everything in it.
    ///
    /// # Errors
    /// That the system would not.
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
        // The inner one holds the pipe open: it ends only when both have ended.
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
