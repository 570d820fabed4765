//! The estate's state folder: where lock, ledger, runs with their journals and backups, staging and hand-off packs are. It is
//! made, for its owner alone, when a run first has something to keep; looking never makes it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use trustmason_keystore::{Fingerprint, Format};
use trustmason_spec::name::{Fqdn, IdentityId, StoreId};

/// The state folder of one estate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    root: PathBuf,
}

impl State {
    /// The folder, there or not.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
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
        self.backups(run).join(store.host.as_str()).join(plain(&store.name))
    }

    /// Where the keys of a host wait.
    pub fn staging_of(&self, host: &Fqdn) -> PathBuf {
        self.root.join("staging").join(host.as_str())
    }

    /// Where a key waits until its store has it.
    pub fn staging(&self, identity: &IdentityId, format: Format) -> PathBuf {
        self.staging_of(&identity.host).join(format!("{}.{}", plain(&identity.name), format.as_str()))
    }

    /// A pack for a person.
    pub fn pack(&self, target: &StoreId) -> PathBuf {
        self.root.join("handoff").join(target.host.as_str()).join(plain(&target.name))
    }

    /// What is wrong with the folder, for people: others may look into it.
    pub fn warnings(&self) -> Vec<String> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            if let Ok(metadata) = std::fs::metadata(&self.root) {
                let mode = metadata.permissions().mode() & 0o7777;
                if mode & 0o077 != 0 {
                    return vec![format!(
                        "the state folder {} has mode {mode:04o}: others can look at its staged keys and backups; \
                         chmod 700 it",
                        self.root.display()
                    )];
                }
            }
        }
        Vec::new()
    }
}

/// A profile's word as a file name: it cannot leave its folder.
fn plain(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let name: String = name.chars().map(safe).collect();
    if name.trim_matches('.').is_empty() { "_".to_owned() } else { name }
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
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
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

    #[test]
    fn a_name_cannot_leave_its_folder() {
        assert_eq!(plain("../x"), ".._x");
        assert_eq!(plain(".."), "_");
        assert_eq!(plain("tomcat-trust"), "tomcat-trust");
    }
}
