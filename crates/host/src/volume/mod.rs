//! Finds paths of hosts on the disks of these hosts, as this machine reaches them. A path carries its host, and only
//! the topology says where a host's disks are ([`Access`]), so a path is never looked for on the disks of another host.
//!
//! Each step is taken exactly as written, else (for Windows paths) as the one name that differs in case only. Two such
//! names are an error that names both, because it cannot be known which one the product opens. A name that Windows
//! takes for something else (`NUL`, `conf.`) is no step of such a path. A link at the end is followed to the real file,
//! so that the file is replaced and not the link. Nothing is ever created here.
//!
//! "Not there" is reported only if the host's disks are there. Otherwise the answer is [`VolumeError::Unreachable`].

pub(crate) mod pair;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use trustmason_spec::name::{Fqdn, is_no_windows_name};
use trustmason_spec::survey::Survey;
use trustmason_spec::topology::{Access, Disks, Drives, Host, HostPath, Topology};

use crate::disk::{self, Denial, DiskError};

/// The disks of the hosts of an estate.
#[derive(Clone, Copy, Debug)]
pub struct Volumes<'a> {
    hosts: &'a BTreeMap<Fqdn, Host>,
}

impl<'a> Volumes<'a> {
    /// The disks of an estate's hosts.
    pub fn of(topology: &'a Topology) -> Self {
        Self { hosts: &topology.hosts }
    }

    /// The disks of the hosts that a survey lists.
    pub fn surveyed(survey: &'a Survey) -> Self {
        Self { hosts: &survey.hosts }
    }

    /// The disks of these hosts.
    pub(crate) fn among(hosts: &'a BTreeMap<Fqdn, Host>) -> Self {
        Self { hosts }
    }

    /// How a host is reached; `None` if the host is not one of these.
    pub(crate) fn access(self, host: &Fqdn) -> Option<&'a Access> {
        Some(&self.hosts.get(host)?.access)
    }

    /// Checks that the disks of a host are there.
    ///
    /// # Errors
    /// [`VolumeError::Unreachable`].
    pub fn reach(self, host: &Fqdn) -> Result<(), VolumeError> {
        there(host, self.disks(host)?)
    }

    /// Follows a path of a host.
    ///
    /// # Errors
    /// [`VolumeError`]; an absent file is no error.
    pub fn find(self, path: &HostPath) -> Result<Located, VolumeError> {
        find(self.disks(&path.host)?, path)
    }

    /// Where a path of a host leads if every name is spelled as on the disk and none is a link.
    ///
    /// # Errors
    /// Fails if the spec does not say how the host is reached.
    pub fn spelled(self, path: &HostPath) -> Result<PathBuf, VolumeError> {
        let (mut at, steps) = start(self.disks(&path.host)?, path);
        at.extend(steps);
        Ok(at)
    }

    fn disks(self, host: &Fqdn) -> Result<&'a Disks, VolumeError> {
        let cause = match self.access(host) {
            Some(Access::Root(disks) | Access::Here(disks)) => return Ok(disks),
            Some(Access::None) => Away::NeverOpened,
            None => Away::Undeclared,
        };
        Err(VolumeError::Unreachable { host: host.clone(), cause })
    }
}

/// Why a path of a host was not followed to its end. None of these means that nothing is there.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// The host's disks are away.
    #[error("{host} cannot be reached: {cause}")]
    Unreachable {
        /// The host.
        host: Fqdn,
        /// Why the host's disks are away.
        cause: Away,
    },
    /// The host's disks are there, and the path cannot be followed.
    #[error(transparent)]
    Refused(PathError),
    /// The host's disks do not support the call.
    #[error(transparent)]
    Unsupported(DiskError),
}

/// Why a host's disks cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum Away {
    /// The folder that stands for the disks does not exist.
    #[error("{} does not exist", .0.display())]
    NoRoot(PathBuf),
    /// The folder is empty.
    #[error("{} is empty, so it counts as not mounted", .0.display())]
    Empty(PathBuf),
    /// The folder cannot be listed.
    #[error("{} cannot be read: {}", .0.display(), .1.why())]
    Unread(PathBuf, DiskError),
    /// The disks stopped answering.
    #[error("{0}")]
    Lost(DiskError),
    /// The spec never opens the host.
    #[error("trustmason never opens it (`access: none`)")]
    NeverOpened,
    /// The spec has no such host.
    #[error("the spec has no such host")]
    Undeclared,
}

impl VolumeError {
    fn of(host: &Fqdn, error: PathError) -> Self {
        match error {
            PathError::Disk(error) => match error.denial() {
                Denial::Unreachable => Self::Unreachable { host: host.clone(), cause: Away::Lost(error) },
                Denial::Refused => Self::Refused(PathError::Disk(error)),
                Denial::Unsupported => Self::Unsupported(error),
            },
            other => Self::Refused(other),
        }
    }

    /// The cause, for a message that names the host already.
    pub fn why(&self) -> String {
        match self {
            Self::Unreachable { cause, .. } => cause.to_string(),
            Self::Refused(error) => error.to_string(),
            Self::Unsupported(error) => error.to_string(),
        }
    }
}

/// Where a host's path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// To this file or folder: the real one, with a link at its end followed.
    Found(PathBuf),
    /// To nothing.
    Absent {
        /// Where the file would be.
        path: PathBuf,
        /// Whether the folder it would be in exists.
        parent: bool,
    },
}

impl Located {
    /// The path of the file, existing or not.
    pub fn into_path(self) -> PathBuf {
        match self {
            Self::Found(path) | Self::Absent { path, .. } => path,
        }
    }
}

/// Why a path cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// Two names differ in case only.
    #[error(
        "{shown} may mean {} or {}, which differ only in upper and lower case; rename the one that the product does not use",
        first.display(),
        second.display()
    )]
    AmbiguousName {
        /// The path as the host writes it.
        shown: String,
        /// The first name.
        first: PathBuf,
        /// The second name.
        second: PathBuf,
    },
    /// A step is no plain name.
    #[error("{shown} has the part `{step}`, which is not a plain file name; write the path without it")]
    Step {
        /// The path as the host writes it.
        shown: String,
        /// The step.
        step: String,
    },
    /// Windows takes a step for something else.
    #[error(
        "{shown} has the part `{step}`, which Windows takes for a device or another name; write the path without it"
    )]
    Reserved {
        /// The path as the host writes it.
        shown: String,
        /// The step.
        step: String,
    },
    /// A link leads nowhere.
    #[error("{} is a link to a file that does not exist; repair the link", path.display())]
    Dangling {
        /// The link.
        path: PathBuf,
    },
    /// The system refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Checks that the folder for a host's disks is there. An unmounted mount point is an empty folder, so an empty folder
/// must not make every store count as missing.
fn there(host: &Fqdn, disks: &Disks) -> Result<(), VolumeError> {
    let root = &disks.root;
    let cause = match disk::items_if_there(root).map(|items| items.map(|mut items| items.next())) {
        Ok(Some(Some(Ok(_)))) => return Ok(()),
        Ok(Some(None)) => Away::Empty(root.clone()),
        Ok(None) => Away::NoRoot(root.clone()),
        Ok(Some(Some(Err(error)))) | Err(error) => Away::Unread(root.clone(), error),
    };
    Err(VolumeError::Unreachable { host: host.clone(), cause })
}

/// Where a path begins on this machine, and the names below that.
fn start(disks: &Disks, path: &HostPath) -> (PathBuf, Vec<String>) {
    let (at, drive) = match (path.drive(), &disks.drives) {
        (None, _) => (disks.root.clone(), None),
        (Some(letter), Drives::Folders(name)) => (disks.root.clone(), Some(name.of(letter))),
        (Some(letter), Drives::Own) if cfg!(windows) => (PathBuf::from(format!("{letter}:\\")), None),
        (Some(letter), Drives::Own) => (disks.root.clone(), Some(format!("{letter}:"))),
    };
    (at, drive.into_iter().chain(path.steps().iter().cloned()).collect())
}

fn find(disks: &Disks, path: &HostPath) -> Result<Located, VolumeError> {
    let place = walk(disks, path).map_err(|error| VolumeError::of(&path.host, error))?;
    if let Located::Absent { .. } = place {
        there(&path.host, disks)?;
    }
    Ok(place)
}

fn walk(disks: &Disks, path: &HostPath) -> Result<Located, PathError> {
    let (mut at, steps) = start(disks, path);
    check(path, &steps)?;
    let mut steps = steps.iter().peekable();
    while let Some(name) = steps.next() {
        match step(&at, name, path)? {
            Some(found) => at = found,
            None => {
                let parent = is_folder(&at)? && steps.peek().is_none();
                at.push(name);
                at.extend(steps);
                return Ok(Located::Absent { path: at, parent });
            }
        }
    }
    real(at).map(Located::Found)
}

/// Refuses steps that lead elsewhere than their names say.
fn check(path: &HostPath, steps: &[String]) -> Result<(), PathError> {
    for step in steps {
        let plain = !step.is_empty() && step != "." && step != ".." && !step.contains(['/', '\0']);
        // With a colon a step names a drive, or a stream within a file.
        if !plain || (cfg!(windows) && step.contains([':', '\\'])) {
            return Err(PathError::Step { shown: path.shown.clone(), step: step.clone() });
        }
        if (path.folds_case() || cfg!(windows)) && is_no_windows_name(step) {
            return Err(PathError::Reserved { shown: path.shown.clone(), step: step.clone() });
        }
    }
    Ok(())
}

/// The item of a folder that a step names; `None` if there is none.
fn step(folder: &Path, step: &str, path: &HostPath) -> Result<Option<PathBuf>, PathError> {
    let exact = folder.join(step);
    if disk::named_if_there(&exact)?.is_some() {
        return Ok(Some(spelled(folder, step, exact)));
    }
    if !path.folds_case() {
        return Ok(None);
    }
    let wanted = step.to_lowercase();
    let mut fits = Vec::new();
    for item in disk::items_if_there(folder)?.into_iter().flatten() {
        let item = item?;
        if item.name().to_str().is_some_and(|name| name.to_lowercase() == wanted) {
            fits.push(item.path());
        }
    }
    fits.sort();
    let mut fits = fits.into_iter();
    match (fits.next(), fits.next()) {
        (Some(first), Some(second)) => Err(PathError::AmbiguousName { shown: path.shown.clone(), first, second }),
        (first, _) => Ok(first),
    }
}

#[cfg(not(windows))]
fn spelled(_: &Path, _: &str, exact: PathBuf) -> PathBuf {
    exact
}

/// The name as the disk spells it, so that one file has one path however the spec writes it. The spec's own spelling is
/// used if the folder cannot be listed (a machine with its shares) or lists no such name (a short name, `PROGRA~1`).
#[cfg(windows)]
fn spelled(folder: &Path, step: &str, exact: PathBuf) -> PathBuf {
    let wanted = step.to_lowercase();
    let mut names = disk::items(folder).into_iter().flatten().flatten().map(|item| item.name());
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

/// Whether a folder exists. A file in its place is an error: on Windows a path below a file looks as if it were absent.
fn is_folder(path: &Path) -> Result<bool, PathError> {
    match disk::facts_if_there(path)? {
        Some(facts) if !facts.is_folder() => Err(DiskError::no_folder(path).into()),
        facts => Ok(facts.is_some()),
    }
}

/// The real file if the path ends in a link; else the path as it is, so that reports show what the spec says. A link to
/// something other than a file or folder stays as it is: nothing is ever read or replaced there, and the report names
/// the link.
pub(crate) fn real(path: PathBuf) -> Result<PathBuf, PathError> {
    if !disk::named(&path)?.is_link() {
        return Ok(path);
    }
    match disk::follow_link(&path)? {
        Some(real) if disk::facts(&real).is_ok_and(|facts| !facts.is_file() && !facts.is_folder()) => Ok(path),
        Some(real) => Ok(plain(real)),
        None => Err(PathError::Dangling { path }),
    }
}

#[cfg(not(windows))]
fn plain(path: PathBuf) -> PathBuf {
    path
}

/// The path without the `\\?\` that Windows puts before a followed path, if it means the same without.
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
pub(crate) mod tests;
