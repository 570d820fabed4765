//! Text for the system's calls: UTF-16 with a NUL at its end.

use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::path::{Component, Path, Prefix};

/// The longest path that every call accepts unchanged, minus the length of a temporary name.
const SHORT: usize = 240;

/// Converts a text. A NUL within the text is an error, because the rest would be lost.
pub(crate) fn text(text: impl AsRef<OsStr>) -> io::Result<Vec<u16>> {
    let mut wide: Vec<u16> = text.as_ref().encode_wide().collect();
    if wide.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a NUL within a name"));
    }
    wide.push(0);
    Ok(wide)
}

/// Converts a path. A long path becomes absolute and verbatim (`\\?\`), because the system accepts it in no other form.
pub(crate) fn path(path: &Path) -> io::Result<Vec<u16>> {
    if path.as_os_str().len() < SHORT {
        return text(path);
    }
    let absolute = std::path::absolute(path)?;
    let (lead, skipped) = match absolute.components().next() {
        Some(Component::Prefix(prefix)) => match prefix.kind() {
            Prefix::Disk(_) => (r"\\?\", 0),
            Prefix::UNC(..) => (r"\\?\UNC\", 2),
            _ => ("", 0),
        },
        _ => ("", 0),
    };
    let rest = text(&absolute)?;
    Ok(lead.encode_utf16().chain(rest.into_iter().skip(skipped)).collect())
}

/// Converts a text from the system, up to its NUL or its end.
pub(crate) fn read(wide: &[u16]) -> String {
    String::from_utf16_lossy(wide.split(|unit| *unit == 0).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_nul_is_refused() {
        assert_eq!(text("a").unwrap(), [u16::from(b'a'), 0]);
        assert!(text("a\0b").is_err());
        assert!(path(Path::new("a\0b")).is_err());
    }

    #[test]
    fn long_paths_are_verbatim() {
        let deep = "x".repeat(300);
        assert_eq!(read(&path(Path::new(r"C:\a")).unwrap()), r"C:\a");
        assert_eq!(read(&path(Path::new(&format!(r"C:\{deep}"))).unwrap()), format!(r"\\?\C:\{deep}"));
        let share = format!(r"\\cvp1\C$\{deep}");
        assert_eq!(read(&path(Path::new(&share)).unwrap()), format!(r"\\?\UNC\cvp1\C$\{deep}"));
        let verbatim = format!(r"\\?\C:\{deep}");
        assert_eq!(read(&path(Path::new(&verbatim)).unwrap()), verbatim);
    }
}
