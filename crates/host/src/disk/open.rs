//! The one way in: everything that a host, a user or the state folder holds is opened here, to be read, added to or locked.
//!
//! Only regular files are opened. A named pipe would make the program wait until somebody writes into it, a device may have no
//! end, and a link can lead to either. What a path leads to is looked at before it is opened, because opening a device may do
//! something by itself and opening a pipe wakes whoever waits at its other end. Between that look and the opening the path may
//! be given to another thing, so that the opening itself never waits either (`O_NONBLOCK`) and what counts is what the opened
//! handle says of itself.
//!
//! Nothing is read without a bound (see [`Limit`]): the length a file has is compared with it first, so that a
//! giant costs nothing, and no more than the bound is read, because a length can grow, and that of some files (below `/proc`)
//! is no length at all.
//!
//! The `clippy.toml` of this crate and of the command line forbid every other call that opens a file or lists a folder; only
//! `disk` has leave. That is what keeps the list of callers complete: whoever reads a new kind of file must come here and must
//! name its limit.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _};
use std::path::Path;

use super::Limit;

/// An open regular file.
#[derive(Debug)]
pub(super) struct Regular {
    file: File,
    /// The length it had when it was opened.
    length: u64,
}

impl Regular {
    /// Opens a file to read it. What it is to be read as says what to try where it is no file.
    pub(super) fn open(path: &Path, limit: Limit) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true);
        Self::with(path, limit, options)
    }

    /// Opens a file to add to its end, made by `options` if it is not there.
    pub(super) fn append(path: &Path, limit: Limit, mut options: OpenOptions) -> io::Result<Self> {
        options.append(true).create(true);
        Self::with(path, limit, options)
    }

    fn with(path: &Path, limit: Limit, mut options: OpenOptions) -> io::Result<Self> {
        // What cannot be looked at cannot be opened either: the opening says why.
        if let Ok(facts) = fs::metadata(path) {
            is_regular(&facts, limit)?;
        }
        without_waiting(&mut options);
        let file = patiently(|| options.open(path))?;
        on_disk(&file, limit)?;
        let facts = file.metadata()?;
        is_regular(&facts, limit)?;
        Ok(Self { file, length: facts.len() })
    }

    /// The length it had when it was opened.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// All it holds; `None` if that is more than `most` bytes.
    pub(super) fn read(self, most: u64) -> io::Result<Option<Vec<u8>>> {
        if self.length > most {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(usize::try_from(self.length).unwrap_or(usize::MAX))?;
        self.file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok((super::length(&bytes) <= most).then_some(bytes))
    }

    /// Its last byte, if it has one.
    pub(super) fn last(mut self) -> io::Result<Option<u8>> {
        if self.file.seek(io::SeekFrom::End(0))? == 0 {
            return Ok(None);
        }
        let mut last = [0];
        self.file.seek(io::SeekFrom::End(-1))?;
        self.file.read_exact(&mut last)?;
        let [last] = last;
        Ok(Some(last))
    }

    /// The handle, to be locked or written.
    pub(super) fn into_file(self) -> File {
        self.file
    }
}

/// Opens a folder, to bring its names to the disk.
#[cfg(unix)]
pub(super) fn folder(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Refuses what is no regular file, and says what it is.
fn is_regular(facts: &Metadata, limit: Limit) -> io::Result<()> {
    if facts.is_file() {
        return Ok(());
    }
    Err(if facts.is_dir() { limit.not_a_file("a folder", true) } else { limit.not_a_file(other(facts), false) })
}

/// What else there is.
#[cfg(unix)]
fn other(facts: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = facts.file_type();
    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "something else"
    }
}

#[cfg(not(unix))]
fn other(_: &Metadata) -> &'static str {
    "something else"
}

/// Opening does not wait for the other end of a pipe, nor for a line to come up; a terminal does not become ours.
#[cfg(unix)]
fn without_waiting(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    options.custom_flags(flags.bits().cast_signed());
}

/// Windows waits for nobody here: a pipe without a free end is an error.
#[cfg(not(unix))]
fn without_waiting(_: &mut OpenOptions) {}

/// Refuses a pipe or device of Windows, whose handles have no facts to look at.
#[cfg(windows)]
fn on_disk(file: &File, limit: Limit) -> io::Result<()> {
    if trustmason_windows::file::is_on_disk(file) {
        return Ok(());
    }
    Err(limit.not_a_file("a pipe or a device", false))
}

#[cfg(not(windows))]
fn on_disk(_: &File, _: Limit) -> io::Result<()> {
    Ok(())
}

/// How often an opening is tried that somebody's lease stands in the way of, and the pause in between.
#[cfg(unix)]
const TRIES: u32 = 50;
#[cfg(unix)]
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// Does something that may be refused for a moment. A file server that has lent a file to one of its users (a lease) is told
/// by the first try to take it back; an opening that may not wait is refused until then.
#[cfg(unix)]
pub(super) fn patiently<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..TRIES {
        match act() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            other => return other,
        }
    }
    act()
}

/// On Windows whoever has a file open can keep others from reading it, mostly for a moment.
#[cfg(windows)]
pub(super) use trustmason_windows::file::patiently;

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
