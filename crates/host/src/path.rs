//! Finds a host's path on this machine's disk. Each step below the host's root is taken exactly as written, else (on Windows
//! paths) as the one name that differs in case only; two such names are an error that names both, because nobody can tell
//! which one the product opens. A name that Windows takes for something else (`NUL`, `conf.`) is no step of such a path. A link at the end is followed to the real file, so that the file is replaced and not the link.
//! Nothing is ever made here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use trustmason_spec::name::is_no_windows_name;
use trustmason_spec::topology::HostPath;

use crate::disk::{self, DiskError};

/// Where a host's path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// To this file or folder: the real one, links at its end followed.
    Found(PathBuf),
    /// To nothing.
    Absent {
        /// Where it would be.
        path: PathBuf,
        /// Whether the folder it would be in is there.
        parent: bool,
    },
}

/// Why a path cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// Two names differ in case only.
    #[error(
        "{shown} may mean {} or {}, which differ in case only; rename the one the product does not use",
        first.display(),
        second.display()
    )]
    Twins {
        /// The path as the host writes it.
        shown: String,
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A step is no plain name.
    #[error("{shown} has the step `{step}`, which is no plain file name; write the path without it")]
    Step {
        /// The path as the host writes it.
        shown: String,
        /// The step.
        step: String,
    },
    /// A step that Windows takes for something else.
    #[error(
        "{shown} has the step `{step}`, which Windows takes for a device or another name; write the path without it"
    )]
    Reserved {
        /// The path as the host writes it.
        shown: String,
        /// The step.
        step: String,
    },
    /// A link that leads nowhere.
    #[error("{} is a link to something that does not exist; mend the link", path.display())]
    Dangling {
        /// The link.
        path: PathBuf,
    },
    /// The system refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Whether the folder that stands for a host's disks is there. A mount point that nobody mounted is an empty folder: that is no
/// reason to call every store missing.
///
/// # Errors
/// Why nothing can be said of what should be below it.
pub(crate) fn reach(root: &Path) -> Result<(), String> {
    match disk::items(root).map(|mut items| items.next()) {
        Ok(Some(Ok(_))) => Ok(()),
        Ok(None) => Err(format!("{} is empty, as when nothing is mounted there", root.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(format!("{} does not exist", root.display())),
        Ok(Some(Err(error))) | Err(error) => Err(format!("{} cannot be read: {}", root.display(), error.why())),
    }
}

/// Follows a host's path.
///
/// # Errors
/// [`PathError`]; that nothing is there is no error.
pub fn resolve(path: &HostPath) -> Result<Place, PathError> {
    check(path)?;
    let mut at = path.root.clone();
    let mut steps = path.steps.iter().peekable();
    if let Some(drive) = steps.next_if(|step| is_drive(step)) {
        at = PathBuf::from(format!("{drive}\\"));
    }
    while let Some(step) = steps.next() {
        match find(&at, step, path)? {
            Some(found) => at = found,
            None => {
                let parent = is_folder(&at)? && steps.peek().is_none();
                at.push(step);
                at.extend(steps);
                return Ok(Place::Absent { path: at, parent });
            }
        }
    }
    real(at).map(Place::Found)
}

/// Refuses steps that lead elsewhere than their names say.
fn check(path: &HostPath) -> Result<(), PathError> {
    for (index, step) in path.steps.iter().enumerate() {
        let plain = !step.is_empty() && step != "." && step != ".." && !step.contains(['/', '\0']);
        // With a colon it is a drive, or a stream within a file.
        let here = !cfg!(windows) || (index == 0 && is_drive(step)) || !step.contains([':', '\\']);
        if !plain || !here {
            return Err(PathError::Step { shown: path.shown.clone(), step: step.clone() });
        }
        if (path.fold_case || cfg!(windows)) && is_no_windows_name(step) {
            return Err(PathError::Reserved { shown: path.shown.clone(), step: step.clone() });
        }
    }
    Ok(())
}

/// Whether a step is a drive of this machine: on Windows, where `drive: '{letter}:'` makes it the first.
fn is_drive(step: &str) -> bool {
    cfg!(windows) && matches!(step.as_bytes(), [letter, b':'] if letter.is_ascii_alphabetic())
}

fn find(folder: &Path, step: &str, path: &HostPath) -> Result<Option<PathBuf>, PathError> {
    let exact = folder.join(step);
    match fs::symlink_metadata(&exact) {
        Ok(_) => return Ok(Some(spelled(folder, step, exact))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(DiskError::new("look at", &exact, error).into()),
    }
    if !path.fold_case {
        return Ok(None);
    }
    let wanted = step.to_lowercase();
    let mut fits = Vec::new();
    for item in disk::items_if_there(folder)? {
        let item = item?;
        if item.file_name().to_str().is_some_and(|name| name.to_lowercase() == wanted) {
            fits.push(item.path());
        }
    }
    fits.sort();
    let mut fits = fits.into_iter();
    match (fits.next(), fits.next()) {
        (Some(first), Some(second)) => Err(PathError::Twins { shown: path.shown.clone(), first, second }),
        (first, _) => Ok(first),
    }
}

#[cfg(not(windows))]
fn spelled(_: &Path, _: &str, exact: PathBuf) -> PathBuf {
    exact
}

/// As the disk spells it, so that one file has one path however the spec writes it. The spec's own spelling is as good where the
/// folder cannot be listed (a machine with its shares) or lists no such name (a short one, `PROGRA~1`).
#[cfg(windows)]
fn spelled(folder: &Path, step: &str, exact: PathBuf) -> PathBuf {
    let wanted = step.to_lowercase();
    let mut names = disk::items(folder).into_iter().flatten().flatten().map(|item| item.file_name());
    let mut like = None;
    match names.find(|name| {
        let fits = name.to_str().is_some_and(|name| name.to_lowercase() == wanted);
        if fits {
            like = Some(name.clone());
        }
        fits && name == step
    }) {
        Some(_) => exact,
        None => like.map_or(exact, |name| folder.join(name)),
    }
}

/// Whether a folder is there. A file in its place is an error: on Windows what would be below it looks like not being there.
fn is_folder(path: &Path) -> Result<bool, PathError> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_dir() => {
            Err(DiskError::new("look into", path, io::ErrorKind::NotADirectory.into()).into())
        }
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(DiskError::new("look at", path, error).into()),
    }
}

/// The file itself where the path ends in a link; else the path as it is, so that reports show what the spec says. A link to
/// what is neither file nor folder stays as it is: nothing is ever read or replaced there, and the report names the link.
pub(crate) fn real(path: PathBuf) -> Result<PathBuf, PathError> {
    let metadata = fs::symlink_metadata(&path).map_err(|cause| DiskError::new("look at", &path, cause))?;
    if !metadata.is_symlink() {
        return Ok(path);
    }
    match fs::canonicalize(&path) {
        Ok(real) if fs::metadata(&real).is_ok_and(|facts| !facts.is_file() && !facts.is_dir()) => Ok(path),
        Ok(real) => Ok(plain(real)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(PathError::Dangling { path }),
        Err(cause) => Err(DiskError::new("follow the link", &path, cause).into()),
    }
}

#[cfg(not(windows))]
fn plain(path: PathBuf) -> PathBuf {
    path
}

/// Without the `\\?\` that Windows puts in front of what it followed, where the path means the same without.
#[cfg(windows)]
fn plain(path: PathBuf) -> PathBuf {
    let text = path.to_str().and_then(|text| text.strip_prefix(r"\\?\")).filter(|text| text.len() < 240);
    let ordinary = |text: &&str| !text.split('\\').any(is_no_windows_name);
    match text.filter(ordinary) {
        Some(text) => match text.strip_prefix(r"UNC\") {
            Some(share) => PathBuf::from(format!(r"\\{share}")),
            None if text.as_bytes().get(1) == Some(&b':') => PathBuf::from(text),
            None => path,
        },
        None => path,
    }
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
