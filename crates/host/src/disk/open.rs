//! The one place that opens files. It takes a path and a [`ReadLimit`] and gives an open regular file, to be read, appended
//! to or locked. It never opens a pipe or a device, and never reads without a limit.
//!
//! A named pipe would make the program wait until another program writes into it, a device may have no end, and a link
//! can lead to either. So the path is looked at before it is opened: opening a device may have an effect of its own,
//! and opening a pipe wakes a program that waits at its other end. Another thing may get the path between that look and
//! the opening. So the opening itself never waits either (`O_NONBLOCK`), and the metadata of the opened handle decide.
//!
//! The length of a file is compared with its limit first, so that a huge file costs nothing. No more than the limit is
//! read, because a length can grow, and files below `/proc` report a length that is not theirs.
//!
//! The `clippy.toml` of this crate and of the command line forbid every other call that opens a file or lists a folder;
//! only `disk` may make such calls. So the list of callers stays complete: code that reads a new kind of file must call
//! this module and must name the limit.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _};
use std::path::Path;

use super::ReadLimit;

/// An open regular file.
#[derive(Debug)]
pub(super) struct Regular {
    file: File,
    /// The length of the file when it was opened.
    length: u64,
}

impl Regular {
    /// Opens a file to read it. `limit` also decides what the error advises if the path leads to no regular file.
    pub(super) fn open(path: &Path, limit: ReadLimit) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true);
        Self::with(path, limit, options)
    }

    /// Opens a file to add to its end, and creates it with `options` if it is not there.
    pub(super) fn append(path: &Path, limit: ReadLimit, mut options: OpenOptions) -> io::Result<Self> {
        options.append(true).create(true);
        Self::with(path, limit, options)
    }

    fn with(path: &Path, limit: ReadLimit, mut options: OpenOptions) -> io::Result<Self> {
        // If the look fails, the opening fails too, and its error says why.
        if let Ok(facts) = fs::metadata(path) {
            is_regular(&facts, limit)?;
        }
        without_waiting(&mut options);
        let file = retry_while_open(|| options.open(path))?;
        on_disk(&file, limit)?;
        let facts = file.metadata()?;
        is_regular(&facts, limit)?;
        Ok(Self { file, length: facts.len() })
    }

    /// The length of the file when it was opened.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Reads the whole file; `None` if it has more than `most` bytes.
    pub(super) fn read(self, most: u64) -> io::Result<Option<Vec<u8>>> {
        if self.length > most {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(usize::try_from(self.length).unwrap_or(usize::MAX))?;
        self.file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok((super::length(&bytes) <= most).then_some(bytes))
    }

    /// The last byte of the file, if it has one.
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

/// Refuses anything but a regular file, and says what it is.
fn is_regular(facts: &Metadata, limit: ReadLimit) -> io::Result<()> {
    if facts.is_file() {
        return Ok(());
    }
    Err(if facts.is_dir() { limit.not_a_file("a folder", true) } else { limit.not_a_file(other(facts), false) })
}

/// Names what is neither a file nor a folder.
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

/// Opening waits neither for the other end of a pipe nor for a serial line. A terminal does not become the controlling
/// terminal.
#[cfg(unix)]
fn without_waiting(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    options.custom_flags(flags.bits().cast_signed());
}

/// On Windows opening does not wait: a pipe without a free end is an error.
#[cfg(not(unix))]
fn without_waiting(_: &mut OpenOptions) {}

/// Refuses a pipe or device of Windows, whose handles have no metadata.
#[cfg(windows)]
fn on_disk(file: &File, limit: ReadLimit) -> io::Result<()> {
    if trustmason_windows::file::is_on_disk(file) {
        return Ok(());
    }
    Err(limit.not_a_file("a pipe or a device", false))
}

#[cfg(not(windows))]
fn on_disk(_: &File, _: ReadLimit) -> io::Result<()> {
    Ok(())
}

/// How often an opening is tried while another user's lease prevents it, and the pause between two tries.
#[cfg(unix)]
const TRIES: u32 = 50;
#[cfg(unix)]
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// Repeats a call that may be refused for a moment. A file server that lent a file to another user (a lease) recalls it
/// at the first try, and refuses an opening that may not wait until then.
#[cfg(unix)]
pub(super) fn retry_while_open<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..TRIES {
        match act() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            other => return other,
        }
    }
    act()
}

/// On Windows a program that has a file open can keep others from reading it, mostly for a moment.
#[cfg(windows)]
pub(super) use trustmason_windows::file::retry_while_open;

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
