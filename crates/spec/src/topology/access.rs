//! How this machine reaches a host's disks: said once, on the host. The paths of a host say nothing of it.

use std::path::PathBuf;

use crate::template;

/// How a host's disk is reached from this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Folders of this machine stand for its disks.
    Root(Disks),
    /// It is this very machine.
    Here(Disks),
    /// Never opened, only trusted.
    None,
}

impl Access {
    /// Where its disks are found; `None` where they are never opened.
    pub fn disks(&self) -> Option<&Disks> {
        match self {
            Self::Root(disks) | Self::Here(disks) => Some(disks),
            Self::None => None,
        }
    }

    /// Whether the host is said to be this very machine.
    pub fn is_here(&self) -> bool {
        matches!(self, Self::Here(_))
    }
}

/// Where this machine finds the disks of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disks {
    /// The folder in which paths without a drive begin, and that has to be there: as long as it is not, the host is away.
    pub root: PathBuf,
    /// What its drives are called.
    pub drives: Drives,
}

impl Disks {
    /// Those that a folder of this machine stands for, each drive being a folder in it: `C`.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), drives: Drives::Folders(DriveName::default()) }
    }

    /// The disks of this very machine.
    pub(crate) fn own() -> Self {
        Self { root: PathBuf::from("/"), drives: Drives::Own }
    }
}

/// What the drives of a host are called on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drives {
    /// Each is a folder below the root.
    Folders(DriveName),
    /// As the host itself calls them, `C:`: on Windows they are this machine's own drives and not below the root.
    Own,
}

impl Drives {
    /// From `drive:` of a spec.
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
    /// The folder's name for a drive.
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
