//! What can go wrong in a run, store by store and key by key. The text of each error names its cause: a report adds only what
//! the error is of.

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
use crate::record::books::HaltError;
use crate::record::sites::SiteError;
use crate::secret::SecretError;
use crate::state::staging::StagingError;
use crate::volume::VolumeError;
use crate::volume::pair::PairError;

/// How a store is not what the plan expects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StaleError {
    /// The plan expects no store there, and there is one.
    #[error("{place} was created after the plan was made; plan again")]
    Made {
        /// The file, the folder or the system store.
        place: String,
    },
    /// It holds something else.
    #[error("{place} has changed after the plan was made; plan again")]
    Changed {
        /// The file, the folder or the system store.
        place: String,
    },
    /// It is not there any more.
    #[error("{place} was removed after the plan was made; plan again")]
    Gone {
        /// The file, the folder or the system store.
        place: String,
    },
    /// Another program wrote it between the last look and the exchange; the store holds what that program wrote.
    #[error(
        "another program wrote {} at the moment of its replacement; the content of that program was restored; plan again",
        path.display()
    )]
    Overtaken {
        /// The file.
        path: PathBuf,
    },
    /// A rollback found something else than its outlook a moment before.
    #[error("{place} changed during the rollback; check it first")]
    ChangedInRollback {
        /// The file or the system store.
        place: String,
    },
}

/// Why a store could not be written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
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
    /// The plan has changes for the store, and does not list it.
    #[error("{0} is not in the plan")]
    NotPlanned(StoreId),
    /// The plan does not say what the store must be when it is written.
    #[error("this plan does not allow to write {place}")]
    NotWritable {
        /// The store, or its system store.
        place: String,
    },
    /// What the spec says of the store cannot be used.
    #[error(transparent)]
    Declaration(#[from] DeclarationError),
    /// A file or folder.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Its place on its host's disks could not be found.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// The certificate and the key of a pair could not be found.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// A part of the store is no part of it by the spec, or could not be looked at.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// What stands there does not open.
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
    /// What is to be replaced could not be kept.
    #[error("no backup of {place} could be made: {cause}")]
    NoBackup {
        /// The file or the system store.
        place: String,
        /// The cause.
        #[source]
        cause: DiskError,
    },
    /// A copy that a rollback restores from changed between its outlook and its use.
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
    /// The system store is another machine's.
    #[error(transparent)]
    OtherMachine(#[from] OtherMachine),
    /// The system.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// A system store holds something else than was brought there.
    #[error("{place} does not hold the certificates that were added; check it with certutil, then plan again")]
    NotBrought {
        /// The system store.
        place: String,
    },
    /// It failed after the store had begun to change.
    #[error("{cause}{}{}", although(*stands), kept(backup.as_ref()))]
    Late {
        /// The cause.
        #[source]
        cause: Box<Trouble>,
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
pub enum Trouble {
    /// It is not what the plan expects.
    #[error(transparent)]
    Stale(#[from] StaleError),
    /// Anything else.
    #[error(transparent)]
    Failed(StoreError),
}

impl<E: Into<StoreError>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Why the changes of a store were not made of its content. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum RefusedEdit {
    /// A change would touch what no change may touch, or what came of the edit is not what was planned.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// A certificate or key was not made.
    #[error(transparent)]
    NotMade(#[from] NotMade),
    /// The format cannot hold what is asked for.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// A system store takes no such change.
    #[error(transparent)]
    Turn(#[from] TurnError),
    /// A system store that changes was not among those that were read.
    #[error("{0} was not read")]
    NotRead(SystemStore),
    /// What a system store is to hold cannot be read.
    #[error(transparent)]
    Live(#[from] LiveError),
}

/// What the spec says of a store and cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeclarationError {
    /// The spec says nothing of it.
    #[error("{0} is not in the spec")]
    Unknown(StoreId),
    /// Its password could not be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Stores of its format are not made here.
    #[error("{0} is of a format this version does not make")]
    Format(StoreId),
}

/// What is wrong with an authority that a new certificate is to come from.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The spec says nothing of it.
    #[error("the authority {0} is not in the spec")]
    Unknown(String),
    /// The spec does not say where it takes requests.
    #[error("the authority {0} has no `requests_dir:`")]
    NoRequestsDir(String),
    /// A certificate of its chain cannot be read.
    #[error("the certificate {0} cannot be read")]
    CertificateUnread(String),
    /// Its private key is no text.
    #[error("{} is not a PEM key; `sign_with` names the authority's private key", .0.display())]
    KeyNotPem(PathBuf),
    /// Its private key cannot be read, or a request cannot be written.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Why an identity has no new key in staging.
#[derive(Debug, thiserror::Error)]
pub enum NewKeyError {
    /// The spec says nothing of the identity.
    #[error("{0} is not in the spec")]
    Unknown(IdentityId),
    /// The plan makes none for it.
    #[error("no key was made for {0}")]
    NotMade(IdentityId),
    /// What the spec says of its store cannot be used.
    #[error(transparent)]
    Declaration(#[from] DeclarationError),
    /// Its store has no password that protects the key.
    #[error("{0} has no password in the spec; declare one")]
    NoPassword(StoreId),
    /// Its store cannot be found.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// Its store cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Its store does not open.
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
    /// Its authority cannot be asked.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The key of its authority signs nothing.
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
    /// The key could not be put in staging, or taken up from there.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// The request could not be written, so that the key was given up.
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
    /// The key that waited in staging when the plan was made is not there any more.
    #[error("the staged key of {0} is gone; plan again")]
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
    /// Its store could not be written.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// Its key was not made.
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
    /// Of a store: a change of it failed, and no other could be made.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// Of a store: none of its changes could be made.
    #[error("none of its changes could be made")]
    NoChange,
    /// Of a pack: a certificate that it is to hold was not made.
    #[error("a certificate for this store was not made in this run")]
    PackIncomplete,
}

/// Why a pack could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The run stores nothing more.
    #[error(transparent)]
    Halt(Arc<HaltError>),
    /// A file or folder.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// What a change asks for that no system store is given, or would lose.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TurnError {
    /// An entry that is to leave was not listed.
    #[error("an entry to remove is not there")]
    NoEntry,
    /// An entry that is to leave has a private key.
    #[error("a certificate with a private key would be removed; trustmason never does that")]
    HasKey,
    /// An entry that is to leave is not the machine's own.
    #[error("a certificate would be removed that {by} adds again")]
    Kept {
        /// Who keeps it.
        by: String,
    },
    /// An entry that is to leave holds no certificate.
    #[error("an entry to remove is not a certificate")]
    NoCertificate,
    /// A certificate is to get an alias.
    #[error("certificates have no aliases in that store")]
    Alias,
    /// A private key is to come.
    #[error("trustmason adds no keys to that store")]
    Key,
    /// A certificate that is to come cannot be encoded.
    #[error(transparent)]
    Element(#[from] EditError),
}
