//! Writes certificates that services present into the folder of exported certificates (`certificates_dir`). Every
//! certificate was shown to a person, or named by one before; nothing is decided here.
//!
//! All files of an identity get the certificate, because a file left with the old one would make the identity's
//! certificate ambiguous. A file that a person exports at the same moment is kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use trustmason_keystore::{Certificate, Digest, Fingerprint, Interner};
use trustmason_plan::run_id::RunId;
use trustmason_spec::name::IdentityId;

use crate::disk::{self, Disk, DiskError, ExpectedTarget, Owner, ReadLimit, Replacement};
use crate::look::certificate;
use crate::record::audit::{Audit, AuditEntry, AuditEvent, Author};
use crate::state::lock::{Lock, LockError};
use crate::volume;

/// The files of one identity as they are now.
#[derive(Debug)]
pub struct Filed {
    slips: Vec<Slip>,
}

#[derive(Debug)]
struct Slip {
    path: PathBuf,
    /// The digest of the file; `None` if there is no file yet.
    digest: Option<Digest>,
    holds: Option<Arc<Certificate>>,
}

impl Filed {
    /// Looks for an identity's files: those with one of these names, in any case. If there is none, the first name will
    /// be created.
    ///
    /// # Errors
    /// A message for people. An existing file that cannot be used is never overwritten.
    pub fn of(folder: &Path, names: &[String], certificates: &Interner) -> Result<Self, String> {
        let found = certificate::candidates(folder, names).map_err(|error| error.to_string())?;
        let mut slips = Vec::new();
        for path in found {
            let (digest, holds) = certificate::read(&path, certificates);
            let holds = holds.map_err(|failure| format!("{}; move it away and collect again", failure.message))?;
            let path = volume::real(path).map_err(|error| error.to_string())?;
            slips.push(Slip { path, digest, holds: Some(holds) });
        }
        if let (true, Some(name)) = (slips.is_empty(), names.first()) {
            if !is_plain(name) {
                return Err(format!("`{name}` is not a file name in {}; correct `exported_as`", folder.display()));
            }
            slips.push(Slip { path: folder.join(name), digest: None, holds: None });
        }
        Ok(Self { slips })
    }

    /// Whether there is a file, and every file holds this certificate.
    pub fn holds(&self, certificate: Fingerprint) -> bool {
        let is = |slip: &Slip| slip.holds.as_ref().is_some_and(|c| c.fingerprint() == certificate);
        !self.slips.is_empty() && self.slips.iter().all(is)
    }

    /// The files that would be written for this certificate, each with the certificate that it holds now.
    pub fn changes(&self, to: Fingerprint) -> impl Iterator<Item = (&Path, Option<&Arc<Certificate>>)> {
        self.other(to).map(|slip| (slip.path.as_path(), slip.holds.as_ref()))
    }

    fn other(&self, than: Fingerprint) -> impl Iterator<Item = &Slip> {
        self.slips.iter().filter(move |slip| slip.holds.as_ref().is_none_or(|c| c.fingerprint() != than))
    }
}

/// Whether a name stays in its folder, on every system.
fn is_plain(name: &str) -> bool {
    !name.contains(['/', '\\', ':', '\0']) && !matches!(name, "" | "." | "..")
}

/// A certificate to be written.
#[derive(Debug)]
pub struct Fetched<'a> {
    /// The identity that the certificate is for.
    pub identity: &'a IdentityId,
    /// Where the certificate was presented, for people.
    pub presented_at: String,
    /// The certificate that was presented.
    pub certificate: &'a Arc<Certificate>,
    /// The files of that identity.
    pub filed: &'a Filed,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// Another run is at work.
    #[error("{0}; nothing was written")]
    Lock(#[from] LockError),
    /// The folder cannot be created.
    #[error("{0}; nothing was written")]
    Folder(DiskError),
    /// Certificates were written, and the audit log was not.
    #[error("certificates were written, but the audit log was not: {0}")]
    Audit(DiskError),
}

/// Writes these certificates as PEM, each file completely or not at all, and adds a line to the audit log for each
/// identity. If one certificate fails, the others are still written. The answers are in the order of `fetched`.
///
/// # Errors
/// [`CollectError`].
pub fn file(
    fetched: &[Fetched<'_>],
    folder: &Path,
    author: Author<'_>,
    now: Timestamp,
    disk: &Disk,
    lock: &mut Lock,
) -> Result<Vec<Result<(), DiskError>>, CollectError> {
    let prints: Vec<String> = fetched.iter().map(|one| one.certificate.fingerprint().to_string()).collect();
    let run = RunId::new(now, Digest::of(prints.join(" ").as_bytes()));
    lock.sign(disk, &run, now)?;
    let mut done = Vec::new();
    let mut lines = Vec::new();
    let made = disk.make_dir(folder).map_err(CollectError::Folder);
    if made.is_ok() {
        for one in fetched {
            let (before, outcome) = write(one, run.as_str(), disk);
            if outcome.is_ok() {
                lines.push(AuditEntry {
                    before,
                    after: Some(one.certificate.fingerprint()),
                    reason: Some(format!("presented at {}", one.presented_at)),
                    approval: Some(author.approval),
                    ..AuditEntry::new(AuditEvent::Collect, now, author.who).of_identity(one.identity)
                });
            }
            done.push(outcome);
        }
    }
    let logged = Audit::of(disk, lock.state()).append(&lines);
    let unsigned = lock.unsign(disk);
    made?;
    logged.and(unsigned).map_err(CollectError::Audit)?;
    Ok(done)
}

/// The certificate that was there, if any, and whether the new one was written.
fn write(one: &Fetched<'_>, run: &str, disk: &Disk) -> (Option<Fingerprint>, Result<(), DiskError>) {
    let pem = trustmason_plan::pack::pem(one.certificate);
    let mut before = None;
    for slip in one.filed.other(one.certificate.fingerprint()) {
        before = before.or(slip.holds.as_ref().map(|c| c.fingerprint()));
        // A certificate is public, and other accounts read this folder too. The owner of the old file need not own the
        // new one.
        let mode = disk::facts(&slip.path).map_or(0o644, |facts| facts.owner().mode);
        let new = Replacement {
            target: &slip.path,
            bytes: pem.as_bytes(),
            limit: ReadLimit::Certificate,
            owner: Owner::ours(mode),
            attributes: None,
            expected: ExpectedTarget::from(slip.digest),
            run,
        };
        if let Err(error) = disk.replace(new, || Ok::<(), DiskError>(())) {
            return (before, Err(error.into_error(&slip.path)));
        }
    }
    (before, Ok(()))
}

#[cfg(test)]
#[path = "collect_tests.rs"]
mod tests;
