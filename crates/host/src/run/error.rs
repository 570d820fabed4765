//! The errors of a run, store by store and key by key. The text of each error names its cause; a report adds only the
//! store or identity that the error concerns.

use std::path::PathBuf;
use std::sync::Arc;

use trustmason_keystore::{EditError, ReadError};
use trustmason_plan::change::ChangeId;
use trustmason_plan::work::NotMade;
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::windows::SystemStore;

use super::proof::ProofError;
use crate::disk::DiskError;
use crate::live::{LiveError, OtherMachine};
use crate::mint::MintError;
use crate::record::run_record::HaltError;
use crate::record::sites::SiteError;
use crate::secret::SecretError;
use crate::state::staging::StagingError;
use crate::volume::VolumeError;
use crate::volume::pair::PairError;

/// How a store differs from what the plan expects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StaleError {
    /// The plan expects no store there, and there is one.
    #[error("{place} was created after the plan was made; plan again")]
    Made {
        /// The file, the folder or the system store.
        place: String,
    },
    /// The store holds something else.
    #[error("{place} has changed after the plan was made; plan again")]
    Changed {
        /// The file, the folder or the system store.
        place: String,
    },
    /// The store is gone.
    #[error("{place} was removed after the plan was made; plan again")]
    Gone {
        /// The file, the folder or the system store.
        place: String,
    },
    /// Another program wrote the store between the last look and the exchange. The store holds what that program wrote.
    #[error(
        "another program wrote {} at the moment of its replacement; the content of that program was restored; plan again",
        path.display()
    )]
    Overtaken {
        /// The file.
        path: PathBuf,
    },
    /// A rollback found something other than a moment before, when it was checked.
    #[error("{place} changed during the rollback; check it first")]
    ChangedInRollback {
        /// The file or the system store.
        place: String,
    },
}

/// Why a store could not be written.
#[derive(Debug, thiserror::Error)]
pub enum StoreWriteError {
    /// The run stores nothing more, and the store was not begun.
    #[error("{store} was not written: {cause}")]
    NotBegun {
        /// The store.
        store: StoreId,
        /// Why the run stores nothing more.
        #[source]
        cause: Arc<HaltError>,
    },
    /// The run stores nothing more.
    #[error(transparent)]
    Halt(#[from] HaltError),
    /// The plan has changes for the store, but does not list the store.
    #[error("{0} is not in the plan")]
    NotPlanned(StoreId),
    /// The plan does not say what the store must be when it is written.
    #[error("this plan does not allow to write {place}")]
    NotWritable {
        /// The store, or its system store.
        place: String,
    },
    /// The store's declaration in the spec cannot be used.
    #[error(transparent)]
    Declaration(#[from] DeclarationError),
    /// A file or folder could not be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The store's place on its host's disks could not be found.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// The certificate and the key of a pair could not be found.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// The spec does not declare a part of the store, or the part could not be looked at.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The file there does not open as a store.
    #[error("{} does not open: {cause}", path.display())]
    Unopened {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        cause: ReadError,
    },
    /// The edit was refused before anything was written.
    #[error("{place} was not changed: {cause}")]
    LeftAlone {
        /// The file, the folder or the system store.
        place: String,
        /// The cause.
        #[source]
        cause: Box<RefusedEdit>,
    },
    /// The old content could not be copied.
    #[error("no backup of {place} could be made: {cause}")]
    NoBackup {
        /// The file or the system store.
        place: String,
        /// The cause.
        #[source]
        cause: DiskError,
    },
    /// A copy that a rollback restores from changed between the check and its use.
    #[error("{} changed during the rollback", path.display())]
    BackupChanged {
        /// The copy.
        path: PathBuf,
    },
    /// A folder holds other files than the run put there.
    #[error("{} does not hold the files that were written", path.display())]
    OtherFiles {
        /// The folder.
        path: PathBuf,
    },
    /// The system store belongs to another machine.
    #[error(transparent)]
    OtherMachine(#[from] OtherMachine),
    /// The system could not read or change a certificate store.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// A system store does not hold what was added to it.
    #[error("{place} does not hold the certificates that were added; check it with certutil, then plan again")]
    NotBrought {
        /// The system store.
        place: String,
    },
    /// The failure came after the store had begun to change.
    #[error("{cause}{}{}", although(*stands), kept(backup.as_ref()))]
    Late {
        /// The cause.
        #[source]
        cause: Box<StoreWriteFailure>,
        /// Whether the store holds its new content all the same.
        stands: bool,
        /// Where the old content is.
        backup: Option<PathBuf>,
    },
}

fn although(stands: bool) -> &'static str {
    if stands { ", but the store has its new content now" } else { "" }
}

fn kept(backup: Option<&PathBuf>) -> String {
    backup.map(|b| format!("; the old content is in {}", b.display())).unwrap_or_default()
}

/// Why a store was not written as planned.
#[derive(Debug, thiserror::Error)]
pub enum StoreWriteFailure {
    /// The store is not what the plan expects.
    #[error(transparent)]
    Stale(#[from] StaleError),
    /// Any other cause.
    #[error(transparent)]
    Failed(StoreWriteError),
}

impl<E: Into<StoreWriteError>> From<E> for StoreWriteFailure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Why a store's changes could not be applied to its content. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum RefusedEdit {
    /// A change would touch what no change may touch, or the result of the edit is not what was planned.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// A certificate or key was not made.
    #[error(transparent)]
    NotMade(#[from] NotMade),
    /// The format cannot hold what is asked for.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// A system store does not accept such a change.
    #[error(transparent)]
    Turn(#[from] SystemStoreChangeError),
    /// A system store that changes was not among those that were read.
    #[error("{0} was not read")]
    NotRead(SystemStore),
    /// The content that the change would give a system store cannot be read.
    #[error(transparent)]
    Live(#[from] LiveError),
}

/// Why a store's declaration in the spec cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeclarationError {
    /// The spec does not declare the store.
    #[error("{0} is not in the spec")]
    Unknown(StoreId),
    /// The store's password is not available.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Stores of this format are not made here.
    #[error("{0} is of a format this version does not make")]
    Format(StoreId),
}

/// The reason why an authority cannot issue a new certificate.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The spec does not declare the authority.
    #[error("the authority {0} is not in the spec")]
    Unknown(String),
    /// The spec does not say where the authority takes requests.
    #[error("the authority {0} has no `requests_dir:`")]
    NoRequestsDir(String),
    /// A certificate of the authority's chain cannot be read.
    #[error("the certificate {0} cannot be read")]
    CertificateUnread(String),
    /// The authority's private key is no text.
    #[error("{} is not a PEM key; `sign_with` names the authority's private key", .0.display())]
    KeyNotPem(PathBuf),
    /// The authority's private key cannot be read, or a request cannot be written.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Why an identity has no new key in staging.
#[derive(Debug, thiserror::Error)]
pub enum NewKeyError {
    /// The spec does not declare the identity.
    #[error("{0} is not in the spec")]
    Unknown(IdentityId),
    /// The plan makes no key for the identity.
    #[error("no key was made for {0}")]
    NotMade(IdentityId),
    /// The declaration of the identity's store cannot be used.
    #[error(transparent)]
    Declaration(#[from] DeclarationError),
    /// The identity's store has no password that protects the key.
    #[error("{0} has no password in the spec; declare one")]
    NoPassword(StoreId),
    /// The identity's store cannot be found.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// The identity's store cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The identity's store does not open.
    #[error("{store} does not open: {cause}")]
    Unopened {
        /// The store.
        store: StoreId,
        /// The cause.
        #[source]
        cause: Box<ReadError>,
    },
    /// The key, its certificate or its request could not be made.
    #[error("{identity}: {cause}")]
    Mint {
        /// The identity.
        identity: IdentityId,
        /// The cause.
        #[source]
        cause: MintError,
    },
    /// The identity's authority cannot be asked.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The authority's key cannot sign.
    #[error(
        "{identity}: {cause} ({}; `sign_with` names the authority's private key, PEM and not encrypted)",
        file.display()
    )]
    Signing {
        /// The identity.
        identity: IdentityId,
        /// The cause.
        #[source]
        cause: Box<MintError>,
        /// The authority's private key.
        file: PathBuf,
    },
    /// The key could not be put into staging, or resumed from there.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// The request could not be written, so the key was discarded.
    #[error("the request of {identity} could not be written: {cause}{}", stays(left.as_ref()))]
    Request {
        /// The identity.
        identity: IdentityId,
        /// The cause.
        #[source]
        cause: Box<AuthorityError>,
        /// Why the key could not be removed from staging, if it could not.
        left: Option<DiskError>,
    },
    /// The key that was in staging when the plan was made is gone.
    #[error("the staged key of {0} is missing; plan again")]
    Gone(IdentityId),
    /// The key in staging has another certificate than when the plan was made.
    #[error("{} holds another certificate than at the time of the plan; plan again", .0.display())]
    Changed(PathBuf),
}

fn stays(left: Option<&DiskError>) -> String {
    left.map(|error| format!("; its key remains in staging: {error}")).unwrap_or_default()
}

/// Why a change was not made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChangeError {
    /// The change's store could not be written.
    #[error(transparent)]
    Store(Arc<StoreWriteError>),
    /// The change's key was not made.
    #[error(transparent)]
    Key(Arc<NewKeyError>),
}

/// Why something was left out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SkipReason {
    /// The run was asked to end.
    #[error("interrupted")]
    Interrupted,
    /// The certificate that is to be trusted was not made.
    #[error("{identity} has no new certificate: {cause}")]
    NoCertificate {
        /// The identity.
        identity: IdentityId,
        /// The cause.
        #[source]
        cause: Arc<NewKeyError>,
    },
    /// A change that must come first was not made.
    #[error("change {0}, which must be made first, was not made")]
    Earlier(ChangeId),
    /// For a store: one of its changes failed, and no other could be made.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// For a store: none of its changes could be made.
    #[error("none of its changes could be made")]
    NoChange,
    /// For a pack: one of its certificates was not made.
    #[error("a certificate for this store was not made in this run")]
    PackIncomplete,
}

/// Why a pack could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The run stores nothing more.
    #[error(transparent)]
    Halt(Arc<HaltError>),
    /// A file or folder could not be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Why a change cannot be made to a system store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SystemStoreChangeError {
    /// An entry to be removed was not listed.
    #[error("an entry to remove is not there")]
    NoEntry,
    /// An entry to be removed has a private key.
    #[error("a certificate with a private key would be removed; trustmason never does that")]
    HasKey,
    /// An entry to be removed is not the machine's own.
    #[error("a certificate would be removed that {by} adds again")]
    AddedAgain {
        /// The origin that adds the certificate again, such as group policy.
        by: String,
    },
    /// An entry to be removed holds no certificate.
    #[error("an entry to remove is not a certificate")]
    NoCertificate,
    /// A certificate is to get an alias.
    #[error("certificates have no aliases in that store")]
    Alias,
    /// A private key is to be added.
    #[error("trustmason adds no keys to that store")]
    Key,
    /// A certificate to be added cannot be encoded.
    #[error(transparent)]
    Element(#[from] EditError),
}
