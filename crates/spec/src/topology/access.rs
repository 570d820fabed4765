//! How this machine reaches a host's disks. The spec says so once per host; the paths of a host contain nothing of it.
//! Nothing here looks at a disk.

use std::path::PathBuf;

use crate::template;

/// How this machine reaches a host's disks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// A folder of this machine stands for the host's disks.
    Root(Disks),
    /// The host is this machine.
    Here(Disks),
    /// The host's disks are never opened. Other stores may still trust the host.
    None,
}

impl Access {
    /// Where this machine finds the disks. `None` if they are never opened.
    pub fn disks(&self) -> Option<&Disks> {
        match self {
            Self::Root(disks) | Self::Here(disks) => Some(disks),
            Self::None => None,
        }
    }

    /// Whether the host is declared to be this machine.
    pub fn is_here(&self) -> bool {
        matches!(self, Self::Here(_))
    }
}

/// Where this machine finds the disks of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disks {
    /// The folder in which paths without a drive begin. While this folder is missing, the host counts as unreachable.
    pub root: PathBuf,
    /// The names of the drives.
    pub drives: Drives,
}

impl Disks {
    /// Disks below a folder of this machine. Each drive is a folder in it, such as `C`.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), drives: Drives::Folders(DriveName::default()) }
    }

    /// The disks of this machine.
    pub(crate) fn own() -> Self {
        Self { root: PathBuf::from("/"), drives: Drives::Own }
    }
}

/// How this machine calls the drives of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drives {
    /// Each drive is a folder below the root.
    Folders(DriveName),
    /// As the host calls them (`C:`). On Windows they are this machine's own drives and not below the root.
    Own,
}

impl Drives {
    /// Reads `drive:` of a spec.
    pub(crate) fn of(text: &str) -> Result<Self, String> {
        template::check(text, &["letter"])?;
        Ok(if text == "{letter}:" { Self::Own } else { Self::Folders(DriveName(text.to_owned())) })
    }
}

/// The name of the folder that stands for a drive: a text with `{letter}`, and no other variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveName(String);

impl Default for DriveName {
    fn default() -> Self {
        Self("{letter}".to_owned())
    }
}

impl DriveName {
    /// The name of the folder for a drive.
    pub fn of(&self, letter: char) -> String {
        self.0.replace("{letter}", &letter.to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn a_drive_is_a_folder_or_the_machines_own() {
        for (text, name) in [("{letter}$", "C$"), ("{letter}", "C"), ("disk-{letter}", "disk-C")] {
            let Drives::Folders(folder) = Drives::of(text).unwrap() else { panic!("{text}") };
            assert_eq!(folder.of('C'), name);
        }
        assert_eq!(Drives::of("{letter}:"), Ok(Drives::Own));
        assert!(Drives::of("{lettre}").is_err());
        assert!(Drives::of("{letter").is_err());
    }
}
