//! Looks at everything that a survey lists, and gives plain facts. It never fails as a whole: what cannot be read is a
//! state of its own item, with the reason in words. Stores are read in parallel on all processors and reported in the
//! survey's order.
//!
//! A certificate that many stores hold is parsed and kept once ([`Interner`]). The bytes of a store are dropped as soon
//! as its facts are taken, so a thousand stores need little more memory than the largest of them. Nothing is written,
//! created or waited for, except for programs that print secrets.

pub(crate) mod certificate;
mod chain;
mod file;
mod inbox;
mod options;
mod pair;
mod similar;
mod source;
mod windows;

use std::collections::BTreeMap;
use std::path::Path;

use trustmason_keystore::{Credential, Digest, Interner};
use trustmason_plan::observed::{
    FailureClass, HostLook, InboxLook, Input, InputKind, Observed, ReadFailure, SourceLook, StagedLook, StoreFacts,
    StoreLook,
};
use trustmason_spec::name::{Fqdn, IdentityId, StoreId};
use trustmason_spec::survey::{CertificateAt, Look, Survey};
use trustmason_spec::topology::{Access, HostPath, SecretRef, StoreKind, Subject};

pub use file::{KeysToTry, OpenError, OpenFault, open};

use self::similar::SimilarFiles;
use crate::disk::{self, ReadLimit};
use crate::live;
use crate::parallel;
use crate::record::ledger::Loaded;
use crate::secret::Secrets;
use crate::state::State;
use crate::state::staging;
use crate::volume::{self, Away, VolumeError, Volumes};

/// The inputs of looking, besides the survey.
#[derive(Clone, Copy, Debug)]
pub struct LookContext<'a> {
    /// The estate's state folder.
    pub state: &'a State,
    /// The passwords of this run.
    pub secrets: &'a Secrets,
    /// The certificates of this run.
    pub certificates: &'a Interner,
}

/// Looks at one file that holds a certificate.
pub fn certificate(path: &Path, certificates: &Interner) -> SourceLook {
    source::look(&CertificateAt::File(path.to_owned()), &SimilarFiles::default(), certificates).0
}

/// Looks at everything that the survey lists. The ledger must have been loaded before, because without it nothing may
/// be judged at all.
pub fn look(survey: &Survey, ledger: &Loaded, context: LookContext<'_>) -> Observed {
    let mut observed =
        Observed { ledger: ledger.assumed.clone(), unclear: ledger.unclear.clone(), ..Observed::default() };
    let volumes = Volumes::surveyed(survey);
    for look in &survey.looks {
        if let Look::Host { fqdn } = look {
            observed.hosts.insert(fqdn.clone(), host(fqdn, volumes, context));
        }
    }
    let hosts = &observed.hosts;
    let near = SimilarFiles::of(survey);
    let seen = parallel::map(&survey.looks, |look| one(look, volumes, hosts, ledger, &near, context));
    for (seen, inputs) in seen {
        observed.inputs.extend(inputs);
        match seen {
            LookResult::Nothing => {}
            LookResult::Store(id, look) => {
                observed.stores.insert(id, look);
            }
            LookResult::Source(subject, look) => {
                observed.sources.insert(subject, look);
            }
            LookResult::Inbox(authority, look) => {
                observed.inboxes.insert(authority, look);
            }
            LookResult::Options(looks) => observed.options.extend(looks),
            LookResult::Shadow(id, path) => observed.shadows.entry(id).or_default().push(path),
            LookResult::Staged(identity, look) => {
                observed.staging.insert(identity, look);
            }
        }
    }
    observed.inputs.sort();
    observed.inputs.dedup();
    observed
}

enum LookResult {
    Nothing,
    Store(StoreId, StoreLook),
    Source(Subject, SourceLook),
    Inbox(String, InboxLook),
    Shadow(StoreId, String),
    Options(Vec<options::NamedOptions>),
    Staged(IdentityId, StagedLook),
}

fn input(kind: InputKind, path: &Path, sha256: Option<Digest>) -> Input {
    Input { kind, path: path.display().to_string(), sha256 }
}

fn one(
    look: &Look,
    volumes: Volumes<'_>,
    hosts: &BTreeMap<Fqdn, HostLook>,
    ledger: &Loaded,
    near: &SimilarFiles<'_>,
    context: LookContext<'_>,
) -> (LookResult, Vec<Input>) {
    match look {
        Look::Host { .. } => (LookResult::Nothing, Vec::new()),
        Look::Store { store, kind, keys } => {
            let (look, input) = match hosts.get(&store.host) {
                Some(HostLook::Unreachable(why)) => (unreachable(&store.host, why), None),
                Some(HostLook::Reachable) | None => self::store(kind, volumes, KeysToTry::Of(keys), context),
            };
            (LookResult::Store(store.clone(), look), input.into_iter().collect())
        }
        Look::System { store, place, by_hand } => {
            let (look, input) = windows::look((store, place, *by_hand), volumes, hosts.get(&store.host), context);
            (LookResult::Store(store.clone(), look), input.into_iter().collect())
        }
        Look::Mirror { store, path, password } => {
            let (look, input) = mirror(path, password.as_ref(), volumes, context);
            (LookResult::Store(store.clone(), look), input.into_iter().collect())
        }
        Look::Unseen { store } => (LookResult::Store(store.clone(), StoreLook::Unobserved), Vec::new()),
        Look::Certificate { subject, at } => {
            let host = match subject {
                Subject::Identity(id) => Some(&id.host),
                Subject::Certificate(_) => None,
            };
            let (look, inputs) = source::look(at, &near.of_host(host), context.certificates);
            (LookResult::Source(subject.clone(), look), inputs)
        }
        Look::Inbox { authority, folder } => {
            let (look, inputs) = inbox::look(folder, context.certificates);
            (LookResult::Inbox(authority.clone(), look), inputs)
        }
        Look::Shadow { store, path } => match hosts.get(&store.host) {
            Some(HostLook::Unreachable(_)) => (LookResult::Nothing, Vec::new()),
            Some(HostLook::Reachable) | None => (shadow(store, volumes, path), Vec::new()),
        },
        Look::Options { fqdn, files, stores } => match hosts.get(fqdn) {
            Some(HostLook::Unreachable(_)) => (LookResult::Nothing, Vec::new()),
            Some(HostLook::Reachable) | None => {
                let (looks, inputs) = options::look(files, stores, volumes, context);
                (LookResult::Options(looks), inputs)
            }
        },
        Look::Staging { identity, password } => staged(identity, password.as_ref(), context),
        Look::Ledger => (LookResult::Nothing, vec![input(InputKind::Ledger, &context.state.ledger(), ledger.sha256)]),
    }
}

/// Whether a host's disks can be reached.
fn host(fqdn: &Fqdn, volumes: Volumes<'_>, context: LookContext<'_>) -> HostLook {
    if volumes.access(fqdn).is_some_and(Access::is_here)
        && let Err(why) = live::is_called(context.state.system(), fqdn.as_str())
    {
        return HostLook::Unreachable(why.to_string());
    }
    volumes.reach(fqdn).map_or_else(|error| HostLook::Unreachable(error.why()), |()| HostLook::Reachable)
}

fn unreachable(host: &Fqdn, why: &str) -> StoreLook {
    let message = format!("{host} cannot be reached: {why}");
    StoreLook::Unreadable(ReadFailure { path: None, class: FailureClass::Unreadable, sha256: None, message })
}

fn failed(class: FailureClass, message: String) -> StoreLook {
    StoreLook::Unreadable(ReadFailure { path: None, class, sha256: None, message })
}

fn path_failure(error: &VolumeError) -> StoreLook {
    failed(FailureClass::Unreadable, error.to_string())
}

/// Looks at the files of a store that this program may write.
fn store(
    kind: &StoreKind,
    volumes: Volumes<'_>,
    keys: KeysToTry<'_>,
    context: LookContext<'_>,
) -> (StoreLook, Option<Input>) {
    let (path, keystore) = match kind {
        StoreKind::PemPair(pair) => return pair::look(pair, volumes, context),
        StoreKind::Keystore(keystore) => (&keystore.path, Some(keystore)),
        StoreKind::PemFile(path) | StoreKind::PemFolder(path) => (path, None),
    };
    let path = match volumes.find(path) {
        Ok(volume::Located::Found(path)) => path,
        Ok(volume::Located::Absent { path, parent }) => {
            let input = input(InputKind::Store, &path, None);
            return (StoreLook::Absent { path: path.display().to_string(), parent }, Some(input));
        }
        Err(error) => return (path_failure(&error), None),
    };
    let look = match keystore {
        Some(keystore) => opened(&path, ReadLimit::Store, keystore.password.as_ref(), keys, context),
        None => unprotected(&path, context),
    };
    let sha256 = digest(&look);
    (look, Some(input(InputKind::Store, &path, sha256)))
}

/// Opens a store that its service reads without a password. A keystore found there is not asked for a password either:
/// the service cannot read that format, and this is what must be reported.
fn unprotected(path: &Path, context: LookContext<'_>) -> StoreLook {
    match open(path, ReadLimit::Store, Credential::Withheld, KeysToTry::None, context.certificates) {
        Ok(facts) => StoreLook::Readable(Box::new(facts)),
        Err(error) => StoreLook::Unreadable(error.into()),
    }
}

/// Opens a store with the password that the spec names. If the password is not available, the file's digest is still
/// taken, so that the plan records what it was made from.
fn opened(
    path: &Path,
    limit: ReadLimit,
    secret: Option<&SecretRef>,
    keys: KeysToTry<'_>,
    context: LookContext<'_>,
) -> StoreLook {
    let password = match secret.map(|secret| context.secrets.get(secret)).transpose() {
        Ok(password) => password,
        Err(error) => {
            return StoreLook::Unreadable(ReadFailure {
                path: Some(path.display().to_string()),
                class: FailureClass::WrongPassword,
                sha256: digest_at(path),
                message: format!("{} cannot be opened: {error}", path.display()),
            });
        }
    };
    match open(path, limit, Credential::declared(password.as_ref()), keys, context.certificates) {
        Ok(facts) => StoreLook::Readable(Box::new(facts)),
        Err(error) => StoreLook::Unreadable(error.tried(secret, password.as_ref()).into()),
    }
}

/// The digest of a file or folder, computed as for a store.
fn digest_at(path: &Path) -> Option<Digest> {
    if disk::facts(path).ok()?.is_folder() {
        disk::read_folder(path).ok().map(|files| disk::folder_digest(&files))
    } else {
        disk::read(path, ReadLimit::Export).ok().map(|bytes| Digest::of(&bytes))
    }
}

fn digest(look: &StoreLook) -> Option<Digest> {
    match look {
        StoreLook::Readable(facts) => Some(facts.sha256),
        StoreLook::Unreadable(failure) => failure.sha256,
        StoreLook::Absent { .. } | StoreLook::Unobserved => None,
    }
}

/// Looks at the mirror of a store that only people write: a folder of certificate files, or one exported store. An
/// absent mirror and an empty one both mean that the store was not observed.
fn mirror(
    host_path: &HostPath,
    secret: Option<&SecretRef>,
    volumes: Volumes<'_>,
    context: LookContext<'_>,
) -> (StoreLook, Option<Input>) {
    match volumes.find(host_path) {
        Ok(volume::Located::Found(path)) => {
            let look = opened(&path, ReadLimit::Export, secret, KeysToTry::None, context);
            let look = match look {
                StoreLook::Readable(facts) if nothing(&facts) => StoreLook::Unobserved,
                other => other,
            };
            let sha256 = digest(&look);
            (look, Some(input(InputKind::Mirror, &path, sha256)))
        }
        Ok(volume::Located::Absent { path, .. }) => {
            (StoreLook::Unobserved, Some(input(InputKind::Mirror, &path, None)))
        }
        // No export was made yet, or the disk is away: it cannot be known which.
        Err(VolumeError::Unreachable { cause: Away::NoRoot(_) | Away::Empty(_), .. }) => {
            let at = volumes.spelled(host_path).ok();
            (StoreLook::Unobserved, at.map(|path| input(InputKind::Mirror, &path, None)))
        }
        Err(error) => (path_failure(&error), None),
    }
}

fn nothing(facts: &StoreFacts) -> bool {
    facts.entries.is_empty()
}

/// Looks for a file that would be used instead of a store. If the path cannot be looked at, the file counts as there.
fn shadow(store: &StoreId, volumes: Volumes<'_>, path: &HostPath) -> LookResult {
    match volumes.find(path) {
        Ok(volume::Located::Absent { .. }) => LookResult::Nothing,
        Ok(volume::Located::Found(_)) => LookResult::Shadow(store.clone(), path.shown.clone()),
        Err(error) => LookResult::Shadow(store.clone(), format!("{} (which cannot be read: {error})", path.shown)),
    }
}

/// Looks at a key that an earlier run left in staging.
fn staged(identity: &IdentityId, secret: Option<&SecretRef>, context: LookContext<'_>) -> (LookResult, Vec<Input>) {
    let Some(path) = staging::find(context.state, identity) else { return (LookResult::Nothing, Vec::new()) };
    let password = secret.and_then(|secret| context.secrets.get(secret).ok());
    let sha256 = disk::read(&path, ReadLimit::Store).ok().map(|bytes| Digest::of(&bytes));
    let inputs = vec![input(InputKind::Staging, &path, sha256)];
    (LookResult::Staged(identity.clone(), staging::look(&path, password.as_ref(), context.certificates)), inputs)
}
