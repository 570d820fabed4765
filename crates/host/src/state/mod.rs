//! The estate's state folder: where lock, ledger, runs with their journals and backups, staging and hand-off packs are. It is
//! made, for its owner alone, when a run first has something to keep; looking never makes it.

pub(crate) mod file_name;
pub mod lock;
pub mod staging;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use trustmason_keystore::Format;
use trustmason_plan::run_id::RunId;
use trustmason_plan::target::HandOffTarget;
use trustmason_spec::name::{Fqdn, IdentityId, StoreId};

use crate::disk::{self, DiskError};
use crate::live::{self, SystemStores};

/// The state folder of one estate.
#[derive(Clone, Debug)]
pub struct State {
    root: PathBuf,
    /// The stores of the system whose changes the journals in the folder tell of.
    system: Arc<dyn SystemStores>,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl Eq for State {}

impl State {
    /// The folder, there or not.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), system: live::here() }
    }

    /// The same with other stores than those of the system this runs on.
    #[must_use]
    pub fn with_system(self, system: Arc<dyn SystemStores>) -> Self {
        Self { system, ..self }
    }

    /// The stores of the system.
    pub(crate) fn system(&self) -> &dyn SystemStores {
        &*self.system
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The ledger.
    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger.json")
    }

    /// The file whose lock means that a run is at work.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Who holds the lock, for people.
    pub fn lock_owner(&self) -> PathBuf {
        self.root.join("lock.owner")
    }

    /// All runs.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// One run's folder.
    pub fn run(&self, run: &RunId) -> PathBuf {
        self.runs().join(run.as_str())
    }

    /// One run's journal.
    pub fn journal(&self, run: &RunId) -> PathBuf {
        self.run(run).join("journal.jsonl")
    }

    /// The audit log.
    pub fn audit(&self) -> PathBuf {
        self.root.join("audit.jsonl")
    }

    /// What stores were before a run.
    pub fn backups(&self, run: &RunId) -> PathBuf {
        self.run(run).join("backup")
    }

    /// What a store was before a run.
    pub fn backup(&self, run: &RunId, store: &StoreId) -> PathBuf {
        self.backups(run).join(file_name::of_host(&store.host)).join(file_name::of(&store.name))
    }

    /// Where a run keeps the staged key of this file that it brought to its store. No host has such a name.
    pub(crate) fn kept_key(&self, run: &RunId, staged: &Path) -> PathBuf {
        let host = staged.parent().and_then(Path::file_name).unwrap_or_default();
        self.backups(run).join("~").join(host).join(staged.file_name().unwrap_or_default())
    }

    /// Where the keys of a host wait.
    pub fn staging_of(&self, host: &Fqdn) -> PathBuf {
        self.root.join("staging").join(file_name::of_host(host))
    }

    /// Where a key waits until its store has it.
    pub fn staging(&self, identity: &IdentityId, format: Format) -> PathBuf {
        self.staging_of(&identity.host).join(format!("{}.{}", file_name::of(&identity.name), format.as_str()))
    }

    /// A pack for a person.
    pub fn pack(&self, target: &HandOffTarget) -> PathBuf {
        self.root.join("handoff").join(file_name::of_host(target.host())).join(file_name::of_pack(target))
    }

    /// Refuses a state folder that holds links where it holds folders and files of its own: whatever is written or removed below
    /// them would be elsewhere.
    ///
    /// # Errors
    /// The first link, or folder that cannot be listed.
    pub fn check(&self) -> Result<(), DiskError> {
        for path in [self.ledger(), self.audit(), self.lock(), self.lock_owner()] {
            no_link(&path)?;
        }
        for folder in [self.runs(), self.root.join("staging"), self.root.join("handoff")] {
            no_link(&folder)?;
            for (path, is_folder) in disk::list(&folder)? {
                no_link(&path)?;
                for (path, _) in if is_folder { disk::list(&path)? } else { Vec::new() } {
                    no_link(&path)?;
                }
            }
        }
        Ok(())
    }

    /// Whether this is a place inside the folder that no link leads out of, there or not.
    ///
    /// # Errors
    /// The link, or that the place is elsewhere.
    pub(crate) fn is_inside(&self, path: &Path) -> Result<(), DiskError> {
        let below = path
            .strip_prefix(&self.root)
            .ok()
            .filter(|below| below.components().all(|part| matches!(part, std::path::Component::Normal(_))));
        let Some(below) = below else {
            let cause = std::io::Error::other(format!("it is not in the state folder {}", self.root.display()));
            return Err(DiskError::new("use", path, cause));
        };
        let mut at = self.root.clone();
        for part in below.components() {
            at.push(part);
            no_link(&at)?;
        }
        Ok(())
    }

    /// What is wrong with the folder, for people: others may look into it, or into something in it. A backup keeps the mode of
    /// its store, so that it can be put back by hand; its folder keeps others out.
    pub fn warnings(&self) -> Vec<String> {
        let loose: Vec<_> =
            self.own().into_iter().filter_map(|(path, most)| Some((loose(&path, most)?, path, most))).collect();
        let Some((mode, path, most)) = loose.first() else { return Vec::new() };
        let what = if *path == self.root { "the state folder" } else { "in the state folder," };
        let more = match loose.len() - 1 {
            0 => String::new(),
            1 => " (and 1 more file in it)".to_owned(),
            more => format!(" (and {more} more files in it)"),
        };
        vec![format!(
            "{what} {}{more} has mode {mode:04o}: other accounts can read its staged keys and backups; chmod {most:o} it",
            path.display()
        )]
    }

    /// What is to be for its owner alone, with the mode it may have at most; looked for two levels deep.
    fn own(&self) -> Vec<(PathBuf, u32)> {
        let mut own = vec![(self.root.clone(), 0o700), (self.ledger(), 0o600), (self.audit(), 0o600)];
        let runs = disk::list(&self.runs()).unwrap_or_default();
        own.push((self.runs(), 0o700));
        for (run, _) in runs {
            own.push((run.join("backup"), 0o700));
            own.push((run.join("journal.jsonl"), 0o600));
            own.push((run, 0o700));
        }
        let staging = self.root.join("staging");
        let hosts = disk::list(&staging).unwrap_or_default();
        own.push((staging, 0o700));
        for (host, _) in hosts {
            let keys = disk::list(&host).unwrap_or_default();
            own.push((host, 0o700));
            own.extend(keys.into_iter().map(|(key, _)| (key, 0o600)));
        }
        own
    }
}

/// Refuses a link.
fn no_link(path: &Path) -> Result<(), DiskError> {
    if disk::named_if_there(path)?.is_some_and(|facts| facts.is_link()) {
        let cause = "it is a link, but the state folder must hold no links; replace it with the file that it points to";
        return Err(DiskError::new("use", path, std::io::Error::other(cause)));
    }
    Ok(())
}

/// The mode of a file or folder that is looser than it may be. One that is not there is none, nor is a link, a pipe or a device:
/// to change a mode would not mend that.
fn loose(path: &Path, most: u32) -> Option<u32> {
    #[cfg(unix)]
    {
        let facts = disk::named_if_there(path).ok()??;
        let mode = facts.owner().mode;
        if !facts.is_file() && !facts.is_folder() {
            return None;
        }
        (mode & 0o777 & !most != 0).then_some(mode)
    }
    #[cfg(not(unix))]
    {
        let _no_modes = (path, most);
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests")]
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_others_can_look_into_is_said() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path().join("state"));
        assert!(state.warnings().is_empty(), "nothing is there");
        let (disk, run) = (disk::Disk::new(), RunId::parse("20261121T230752.089Z-0f3a9c21").unwrap());
        disk.make_dir(&state.backups(&run)).unwrap();
        disk.make_dir(&state.staging_of(&Fqdn::parse("cvp1.acme.example").unwrap())).unwrap();
        let key = state.root().join("staging/cvp1.acme.example/wsm.jks");
        for file in [state.ledger(), state.audit(), state.journal(&run), key.clone()] {
            disk.keep(&file, b"x", disk::Limit::Ledger, "r").unwrap();
        }
        assert!(state.warnings().is_empty(), "{:?}", state.warnings());
        let open = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
        for (path, mode, mended) in [
            (key, 0o640, 0o600),
            (state.journal(&run), 0o604, 0o600),
            (state.backups(&run), 0o750, 0o700),
            (state.runs(), 0o701, 0o700),
            (state.root().to_owned(), 0o755, 0o700),
        ] {
            open(&path, mode).unwrap();
            let said = state.warnings().pop().unwrap();
            assert!(said.contains(&format!("{} has mode {mode:04o}", path.display())), "{said}");
            assert!(said.contains(&format!("chmod {mended:o}")), "{said}");
            open(&path, mended).unwrap();
        }
        open(&state.ledger(), 0o644).unwrap();
        open(&state.audit(), 0o644).unwrap();
        let said = state.warnings();
        assert!(said.len() == 1 && said[0].contains("and 1 more file in it"), "{said:?}");
    }
}
