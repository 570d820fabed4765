//! Paths as a host writes them → the steps below the folder that stands for its disks.

use std::path::PathBuf;

use crate::name::is_no_windows_name;
use crate::template;
use crate::topology::HostPath;

/// How one host's paths are found.
#[derive(Clone, Debug)]
pub(crate) struct Disks {
    /// The folder that stands for them.
    pub(crate) root: PathBuf,
    /// How a drive is called below it, with `{letter}`.
    pub(crate) drive: Option<String>,
}

impl Disks {
    /// Places a path whose variables are filled in. The error is a sentence about it.
    pub(crate) fn place(&self, shown: &str) -> Result<HostPath, String> {
        let (drive, rest) = split_drive(shown);
        let fold_case = drive.is_some();
        if drive.is_none() && !shown.starts_with('/') {
            return Err(format!("`{shown}` is no absolute path of a host"));
        }
        let separators: &[char] = if fold_case { &['\\', '/'] } else { &['/'] };
        let folders: Vec<&str> = rest.split(separators).filter(|step| !step.is_empty() && *step != ".").collect();
        if folders.contains(&"..") {
            return Err(format!("`{shown}` has `..` in it"));
        }
        if folders.is_empty() {
            return Err(format!("`{shown}` names no file"));
        }
        if let Some(step) =
            folders.iter().find(|step| step.chars().any(|c| c.is_control() || (fold_case && "<>:\"|?*".contains(c))))
        {
            return Err(format!("`{shown}` has a step that no file can have (`{step}`)"));
        }
        if let Some(step) = folders.iter().find(|step| fold_case && is_no_windows_name(step)) {
            return Err(format!("`{shown}` has a step that Windows takes for something else (`{step}`)"));
        }
        let mut steps = Vec::new();
        if let Some(letter) = drive {
            let letter = letter.to_ascii_uppercase().to_string();
            let name = self.drive.as_deref().unwrap_or("{letter}");
            steps.push(template::fill(name, &|name| (name == "letter").then(|| letter.clone()))?);
        }
        steps.extend(folders.into_iter().map(str::to_owned));
        Ok(HostPath { shown: shown.to_owned(), root: self.root.clone(), steps, fold_case })
    }
}

/// `C:\x` → its letter and `\x`.
fn split_drive(path: &str) -> (Option<char>, &str) {
    let mut chars = path.chars();
    match (chars.next(), chars.next()) {
        (Some(letter), Some(':')) if letter.is_ascii_alphabetic() => (Some(letter), chars.as_str()),
        _ => (None, path),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn disks(drive: Option<&str>) -> Disks {
        Disks { root: PathBuf::from("/r"), drive: drive.map(str::to_owned) }
    }

    #[test]
    fn windows_and_unix_paths_become_steps() {
        let path = disks(None).place(r"c:\Cisco\CVP\conf\security\.keystore").unwrap();
        assert_eq!(path.steps, ["C", "Cisco", "CVP", "conf", "security", ".keystore"]);
        assert!(path.fold_case);
        let path = disks(Some("{letter}$")).place("D:/Program Files (x86)/Jävä").unwrap();
        assert_eq!(path.steps, ["D$", "Program Files (x86)", "Jävä"]);
        let path = disks(None).place("/tomcat-trust").unwrap();
        assert_eq!(path.steps, ["tomcat-trust"]);
        assert!(!path.fold_case);
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for bad in [r"C:\a\..\b", "/a/../b", r"C:\", "/", "a/b", r"C:\a:b\c", r"\\server\share\x"] {
            assert!(disks(None).place(bad).is_err(), "{bad}");
        }
        for bad in [r"C:\conf\NUL", r"C:\con.d\store", r"C:\conf.\store", r"C:\conf\store ", r"C:\Lpt1.jks"] {
            let why = disks(None).place(bad).unwrap_err();
            assert!(why.contains("Windows takes for something else"), "{why}");
        }
        assert!(disks(None).place("/dev/nul").is_ok(), "elsewhere these are names as any other");
    }
}
