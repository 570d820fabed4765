//! Text as the system's calls take it: UTF-16 with a NUL at its end.

use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::path::{Component, Path, Prefix};

/// The longest path that every call takes as it is, less what a temporary name adds to it.
const SHORT: usize = 240;

/// A text; a NUL within it is an error, because what follows would be lost.
pub(crate) fn text(text: impl AsRef<OsStr>) -> io::Result<Vec<u16>> {
    let mut wide: Vec<u16> = text.as_ref().encode_wide().collect();
    if wide.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a NUL within a name"));
    }
    wide.push(0);
    Ok(wide)
}

/// A path. A long one is made absolute and verbatim (`\\?\`), the only form in which the system takes it.
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

/// A text the system gave, up to its NUL or its end.
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
