//! The estate's state folder: where lock, ledger, runs with their journals and backups, staging and hand-off packs are. It is
//! made, for its owner alone, when a run first has something to keep; looking never makes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use trustmason_keystore::{Fingerprint, Format};
use trustmason_plan::target::HandOffTarget;
use trustmason_spec::name::{Fqdn, IdentityId, StoreId};

use crate::disk;
use crate::file_name;
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
    pub fn run(&self, run: &str) -> PathBuf {
        self.runs().join(run)
    }

    /// One run's journal.
    pub fn journal(&self, run: &str) -> PathBuf {
        self.run(run).join("journal.jsonl")
    }

    /// The audit log.
    pub fn audit(&self) -> PathBuf {
        self.root.join("audit.jsonl")
    }

    /// What stores were before a run.
    pub fn backups(&self, run: &str) -> PathBuf {
        self.run(run).join("backup")
    }

    /// What a store was before a run.
    pub fn backup(&self, run: &str, store: &StoreId) -> PathBuf {
        self.backups(run).join(file_name::of_host(&store.host)).join(file_name::of(&store.name))
    }

    /// Where a run keeps the staged key of this file that it brought to its store. No host has such a name.
    pub(crate) fn kept_key(&self, run: &str, staged: &Path) -> PathBuf {
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

    /// What is wrong with the folder, for people: others may look into it, or into something in it. A backup keeps the mode of
    /// its store, so that it can be put back by hand; its folder keeps others out.
    pub fn warnings(&self) -> Vec<String> {
        let loose: Vec<_> =
            self.own().into_iter().filter_map(|(path, most)| Some((loose(&path, most)?, path, most))).collect();
        let Some((mode, path, most)) = loose.first() else { return Vec::new() };
        let what = if *path == self.root { "the state folder" } else { "of the state folder," };
        let more = match loose.len() - 1 {
            0 => String::new(),
            1 => " (and another one in it)".to_owned(),
            more => format!(" (and {more} others in it)"),
        };
        vec![format!(
            "{what} {}{more} has mode {mode:04o}: others can look at its staged keys and backups; chmod {most:o} it",
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

/// The mode of a file or folder that is looser than it may be. One that is not there is none.
fn loose(path: &Path, most: u32) -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o7777;
        (mode & 0o777 & !most != 0).then_some(mode)
    }
    #[cfg(not(unix))]
    {
        let _no_modes = (path, most);
        None
    }
}

/// `20261121T230752.089Z-0f3a9c21`.
pub(crate) const RUN_ID_LENGTH: usize = 29;

/// A run's id: when it began, to the millisecond in UTC, and the first digits of its plan's digest. Sorts by time.
pub(crate) fn run_id(now: Timestamp, plan: Fingerprint) -> String {
    let utc = now.to_zoned(TimeZone::UTC);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}.{:03}Z-{}",
        utc.year(),
        utc.month(),
        utc.day(),
        utc.hour(),
        utc.minute(),
        utc.second(),
        utc.millisecond(),
        plan.short()
    )
}

/// Whether a text has the shape of a run's id.
pub fn is_run_id(text: &str) -> bool {
    let shape = "00000000T000000.000Z-xxxxxxxx";
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(c, s)| match s {
            b'0' => c.is_ascii_digit(),
            b'x' => c.is_ascii_hexdigit(),
            s => c == s,
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests")]
    use super::*;

    #[test]
    fn a_run_is_named_by_its_time_and_plan() {
        let now: Timestamp = "2026-11-21T23:07:52.089Z".parse().unwrap();
        let id = run_id(now, Fingerprint::of(b"plan"));
        assert_eq!(id.len(), RUN_ID_LENGTH);
        assert!(id.starts_with("20261121T230752.089Z-"));
        assert!(is_run_id(&id));
        assert!(!is_run_id(&id[1..]));
        assert!(!is_run_id("../../../../../../etc/passwd0"));
        let later = run_id("2026-11-21T23:07:52.090Z".parse().unwrap(), Fingerprint::of(b"a"));
        assert!(id < later);
    }

    #[cfg(unix)]
    #[test]
    fn what_others_can_look_into_is_said() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path().join("state"));
        assert!(state.warnings().is_empty(), "nothing is there");
        let disk = disk::Disk::new();
        disk.make_dir(&state.backups("r")).unwrap();
        disk.make_dir(&state.staging_of(&Fqdn::parse("cvp1.acme.example").unwrap())).unwrap();
        let key = state.root().join("staging/cvp1.acme.example/wsm.jks");
        for file in [state.ledger(), state.audit(), state.journal("r"), key.clone()] {
            disk.keep(&file, b"x", "r").unwrap();
        }
        assert!(state.warnings().is_empty(), "{:?}", state.warnings());
        let open = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
        for (path, mode, mended) in [
            (key, 0o640, 0o600),
            (state.journal("r"), 0o604, 0o600),
            (state.backups("r"), 0o750, 0o700),
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
        assert!(said.len() == 1 && said[0].contains("and another one in it"), "{said:?}");
    }
}
