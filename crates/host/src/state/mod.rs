//! The estate's state folder: lock, ledger, runs with their journals and backups, staging and hand-off packs. It gives
//! the paths of all of these. The folder is created, for its owner alone, when a run first has something to store;
//! looking never creates it.

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
    /// The system's certificate stores, which the journals in the folder may name.
    system: Arc<dyn SystemStores>,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl Eq for State {}

impl State {
    /// The state folder at this path, whether it exists or not.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), system: live::here() }
    }

    /// The same, with other stores than those of the system that this runs on.
    #[must_use]
    pub fn with_system(self, system: Arc<dyn SystemStores>) -> Self {
        Self { system, ..self }
    }

    /// The system's certificate stores.
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

    /// The file that says who holds the lock, for people.
    pub fn lock_owner(&self) -> PathBuf {
        self.root.join("lock.owner")
    }

    /// The folder of all runs.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// The folder of one run.
    pub fn run(&self, run: &RunId) -> PathBuf {
        self.runs().join(run.as_str())
    }

    /// The journal of one run.
    pub fn journal(&self, run: &RunId) -> PathBuf {
        self.run(run).join("journal.jsonl")
    }

    /// The audit log.
    pub fn audit(&self) -> PathBuf {
        self.root.join("audit.jsonl")
    }

    /// The folder of a run's backups.
    pub fn backups(&self, run: &RunId) -> PathBuf {
        self.run(run).join("backup")
    }

    /// A run's backup of one store.
    pub fn backup(&self, run: &RunId, store: &StoreId) -> PathBuf {
        self.backups(run).join(file_name::of_host(&store.host)).join(file_name::of(&store.name))
    }

    /// Where a run keeps a copy of a staged key that it brought to its store. No host is called `~`.
    pub(crate) fn kept_key(&self, run: &RunId, staged: &Path) -> PathBuf {
        let host = staged.parent().and_then(Path::file_name).unwrap_or_default();
        self.backups(run).join("~").join(host).join(staged.file_name().unwrap_or_default())
    }

    /// The folder of a host's staged keys.
    pub fn staging_of(&self, host: &Fqdn) -> PathBuf {
        self.root.join("staging").join(file_name::of_host(host))
    }

    /// The file of an identity's staged key, until its store has the key.
    pub fn staging(&self, identity: &IdentityId, format: Format) -> PathBuf {
        self.staging_of(&identity.host).join(format!("{}.{}", file_name::of(&identity.name), format.as_str()))
    }

    /// The folder of a pack for a person.
    pub fn pack(&self, target: &HandOffTarget) -> PathBuf {
        self.root.join("handoff").join(file_name::of_host(target.host())).join(file_name::of_pack(target))
    }

    /// Refuses a state folder that has links in place of its own folders and files: writing or removing below a link
    /// would happen elsewhere.
    ///
    /// # Errors
    /// The first link, or the folder that cannot be listed.
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

    /// Checks that a path, existing or not, is inside the folder and that no link leads out of the folder.
    ///
    /// # Errors
    /// The link, or that the path is elsewhere.
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

    /// Warnings for people that other accounts can read the folder, or something in it. A backup keeps the mode of its
    /// store, so that a person can put it back by hand. The folder of the backup keeps other accounts out.
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

    /// The paths that must be private to the owner, each with the most permissive mode allowed, to a depth of two
    /// levels.
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

/// The mode of a file or folder if it is more permissive than allowed. A path that does not exist has none, nor has a
/// link, a pipe or a device: changing a mode would not repair those.
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
            disk.keep(&file, b"x", disk::ReadLimit::Ledger, "r").unwrap();
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
