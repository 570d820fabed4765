//! A path as its host writes it, split into a drive and steps. Nothing here depends on this machine or opens a file.

use crate::name::{Fqdn, is_no_windows_name};

/// An absolute path of a host.
///
/// The path carries its host, so that it cannot be opened on another host's disks. [`HostPath::parse`] makes a path from
/// text, and [`HostPath::child`] makes one from its folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPath {
    /// The host that has the file.
    pub host: Fqdn,
    /// The path as the host writes it, for people: `C:\Cisco\CVP\conf\security\.keystore`.
    pub shown: String,
    drive: Option<char>,
    steps: Vec<String>,
}

impl HostPath {
    /// Reads an absolute path of a host. A path with a drive is a Windows path. Any other path begins with a slash.
    ///
    /// # Errors
    /// A sentence about what is wrong with the path.
    pub fn parse(host: &Fqdn, shown: &str) -> Result<Self, String> {
        let (drive, rest) = split_drive(shown);
        let windows = drive.is_some();
        if drive.is_none() && !shown.starts_with('/') {
            return Err(format!("`{shown}` is not an absolute path of a host"));
        }
        let steps: Vec<&str> =
            rest.split(separators(windows)).filter(|step| !step.is_empty() && *step != ".").collect();
        if steps.contains(&"..") {
            return Err(format!("`{shown}` has `..` in it"));
        }
        if steps.is_empty() {
            return Err(format!("`{shown}` names no file"));
        }
        if let Some(step) =
            steps.iter().find(|step| step.chars().any(|c| c.is_control() || (windows && "<>:\"|?*".contains(c))))
        {
            return Err(format!("`{shown}` has a part that is not a valid file name (`{step}`)"));
        }
        if let Some(step) = steps.iter().find(|step| windows && is_no_windows_name(step)) {
            return Err(format!("`{shown}` has a part that means something else on Windows (`{step}`)"));
        }
        Ok(Self {
            host: host.clone(),
            shown: shown.to_owned(),
            drive: drive.map(|letter| letter.to_ascii_uppercase()),
            steps: steps.into_iter().map(str::to_owned).collect(),
        })
    }

    /// The letter of the path's drive in upper case. `None` if the path begins with a slash.
    pub fn drive(&self) -> Option<char> {
        self.drive
    }

    /// The folders below the drive or the slash, then the file.
    pub fn steps(&self) -> &[String] {
        &self.steps
    }

    /// Whether the steps are compared without case, as those of a Windows path are.
    pub fn folds_case(&self) -> bool {
        self.drive.is_some()
    }

    /// The path of a file in this folder. The name must be a single step. This function does not check the name; the
    /// code that follows the path refuses any other name.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let separator = if self.folds_case() { '\\' } else { '/' };
        let folder = self.shown.trim_end_matches(['\\', '/']);
        let steps = self.steps.iter().map(String::as_str).chain([name]).map(str::to_owned).collect();
        Self { host: self.host.clone(), shown: format!("{folder}{separator}{name}"), drive: self.drive, steps }
    }

    /// Whether a path that the host wrote is this path. Windows paths may differ in case and in the direction of slashes.
    pub fn is_written(&self, other: &str) -> bool {
        same(&self.shown, other, self.folds_case())
    }

    /// The file name of a path that lies directly in this folder. `None` for any other path.
    pub fn name_in<'a>(&self, path: &'a str) -> Option<&'a str> {
        let separators = separators(self.folds_case());
        let (folder, name) = path.rsplit_once(separators)?;
        let own = self.shown.trim_end_matches(separators);
        (!name.is_empty() && same(own, folder, self.folds_case())).then_some(name)
    }
}

fn separators(windows: bool) -> &'static [char] {
    if windows { &['\\', '/'] } else { &['/'] }
}

fn same(one: &str, other: &str, windows: bool) -> bool {
    let plain = |path: &str| path.replace('/', "\\").to_lowercase();
    if windows { plain(one) == plain(other) } else { one == other }
}

/// Splits `C:\x` into the letter and `\x`.
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

    fn parse(text: &str) -> Result<HostPath, String> {
        HostPath::parse(&Fqdn::parse("a.x.example").unwrap(), text)
    }

    #[test]
    fn windows_and_unix_paths_become_steps() {
        let path = parse(r"c:\Cisco\CVP\conf\security\.keystore").unwrap();
        assert_eq!(path.steps(), ["Cisco", "CVP", "conf", "security", ".keystore"]);
        assert_eq!((path.drive(), path.folds_case()), (Some('C'), true));
        let path = parse("D:/Program Files (x86)/Jävä").unwrap();
        assert_eq!(
            (path.drive(), path.steps()),
            (Some('D'), ["Program Files (x86)", "Jävä"].map(str::to_owned).as_slice())
        );
        let path = parse("/tomcat-trust").unwrap();
        assert_eq!(path.steps(), ["tomcat-trust"]);
        assert_eq!((path.drive(), path.folds_case()), (None, false));
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for bad in [r"C:\a\..\b", "/a/../b", r"C:\", "/", "a/b", r"C:\a:b\c", r"\\server\share\x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        for bad in [r"C:\conf\NUL", r"C:\con.d\store", r"C:\conf.\store", r"C:\conf\store ", r"C:\Lpt1.jks"] {
            let why = parse(bad).unwrap_err();
            assert!(why.contains("means something else on Windows"), "{why}");
        }
        assert!(parse("/dev/nul").is_ok(), "elsewhere these are names as any other");
    }

    #[test]
    fn a_child_is_in_its_folder_and_nowhere_else() {
        let folder = parse(r"C:\trust").unwrap();
        let child = folder.child("a.pem");
        assert_eq!(
            (child.shown.as_str(), child.steps()),
            (r"C:\trust\a.pem", ["trust", "a.pem"].map(str::to_owned).as_slice())
        );
        assert_eq!(folder.name_in(r"c:/TRUST/a.pem"), Some("a.pem"));
        assert_eq!(folder.name_in(r"C:\trust\sub\a.pem"), None);
        assert_eq!(parse("/trust").unwrap().name_in("/TRUST/a.pem"), None);
    }
}
