//! Keeps new keys until their stores have them: `state/staging/<fqdn>/<identity>.<format>`, a store of the target's own
//! format and password that holds the one entry. A key is here before any store learns its certificate, and until the
//! identity's store has been written and read back. After an interrupted run the next one resumes the key from here,
//! and no second key is made.
//!
//! The protected key goes from here into its store as it is and is never decrypted on the way. The key of a PEM pair is
//! unencrypted here, as in its store; both files are private to their owner.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use trustmason_keystore::{
    Certificate, Credential, EditError, Edits, Entry, EntryId, EntryKind, Format, Image, Interner, KeyMatch, NewEntry,
    NewKey, Password, Protection, ReadError, Store,
};
use trustmason_plan::observed::{FailureClass, ReadFailure, StagedKey, StagedLook};
use trustmason_plan::run_id::RunId;
use trustmason_spec::name::IdentityId;
use trustmason_spec::topology::KeyAt;
use zeroize::Zeroizing;

use crate::disk::{self, Disk, DiskError, ReadLimit};
use crate::mint::Minted;
use crate::state::State;

/// Why a key could not be staged, or a staged key could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    /// The file could not be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The store for the key could not be made.
    #[error("staging the new key of {identity} failed: {cause}")]
    Edit {
        /// The identity whose key was to be staged.
        identity: IdentityId,
        /// Why the store could not be made.
        cause: Box<EditError>,
    },
    /// The staging file does not open as it should.
    #[error("the staged key {} cannot be used: {cause}; remove the file to have a new one made", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why the staged key cannot be used.
        cause: String,
    },
    /// The format of the store holds no keys.
    #[error("the store of {identity} has format {}, which holds no private keys; declare a jks, jceks, pkcs12 or pem-pair store", format.as_str())]
    NoKeys {
        /// The identity whose key was to be staged.
        identity: IdentityId,
        /// The format.
        format: Format,
    },
}

/// A key in staging, ready for its store.
#[derive(Clone, Debug)]
pub struct Staged {
    /// The certificate of the key.
    pub certificate: Arc<Certificate>,
    /// The chain, leaf first.
    pub chain: Vec<Arc<Certificate>>,
    /// The key, protected as in its store, or unencrypted if the store does that.
    pub key: NewKey,
    /// The staging file.
    pub path: PathBuf,
}

/// The formats that keys are staged in.
const FORMATS: [Format; 4] = [Format::Jks, Format::Jceks, Format::Pkcs12, Format::PemPair];

/// The place that a staged key is for.
#[derive(Clone, Copy, Debug)]
pub struct StagingTarget<'a> {
    /// The identity of the key.
    pub identity: &'a IdentityId,
    /// Which key of its store it will be.
    pub at: &'a KeyAt,
    /// The format of its store.
    pub format: Format,
    /// How its store protects keys, if the store is a PKCS#12 file: the new key must look like its neighbours.
    pub protection: Option<&'a Protection>,
    /// The credential that its store is opened with.
    pub credential: Credential<'a>,
    /// When the key was made, in milliseconds since 1970.
    pub created_ms: i64,
}

/// Stages a new key and reads it back.
///
/// # Errors
/// [`StagingError`]; then nothing else may be done with the key.
pub fn stage(
    disk: &Disk,
    state: &State,
    run: &RunId,
    target: &StagingTarget<'_>,
    minted: &Minted,
) -> Result<Staged, StagingError> {
    let StagingTarget { identity, at, format, protection, credential, created_ms } = *target;
    if !FORMATS.contains(&format) {
        return Err(StagingError::NoKeys { identity: identity.clone(), format });
    }
    let edits = Edits {
        add: vec![NewEntry::PrivateKey {
            alias: at.alias().cloned(),
            key: NewKey::Plain(minted.key.clone()),
            chain: std::iter::once(&minted.certificate).chain(&minted.issuers).map(Arc::clone).collect(),
            created_ms,
        }],
        ..Edits::default()
    };
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let image = protection
        .cloned()
        .map_or_else(|| Store::create(format), Store::create_pkcs12)
        .edit(&edits, credential, &mut random)
        .map_err(|cause| StagingError::Edit { identity: identity.clone(), cause: Box::new(cause) })?;
    let bytes = Zeroizing::new(match image {
        Image::File(bytes) => bytes,
        // The halves of a pair are staged in one file, the certificate first.
        Image::Directory(parts) => parts.into_iter().filter_map(|(_, bytes)| bytes).flatten().collect(),
    });
    let path = state.staging(identity, format);
    disk.make_dir(&state.staging_of(&identity.host))?;
    disk.keep(&path, &bytes, ReadLimit::Store, run.as_str())?;
    // If the store changed its format, the older staged key is removed.
    for other in FORMATS.into_iter().filter(|other| *other != format) {
        let older = state.staging(identity, other);
        if disk::facts_if_there(&older)?.is_some_and(|facts| facts.is_file()) {
            disk.remove(&older)?;
        }
    }
    let staged = take(&path, credential, &Interner::new())?;
    if staged.certificate.fingerprint() != minted.certificate.fingerprint() {
        return Err(StagingError::Unusable {
            path,
            cause: "it holds another certificate than the one written there".to_owned(),
        });
    }
    Ok(staged)
}

/// Resumes a staged key. The key must open and belong to its certificate.
///
/// # Errors
/// Fails if the file is gone, does not open, or is not one key with its certificate.
pub fn take(path: &Path, credential: Credential<'_>, certificates: &Interner) -> Result<Staged, StagingError> {
    let unusable = |cause: String| StagingError::Unusable { path: path.to_owned(), cause };
    let (store, entry, certificate) = open(path, credential, certificates).map_err(|failed| failed.into_error(path))?;
    if !opens(&store, entry, credential, certificates) {
        return Err(unusable("its key does not open with the store's password".to_owned()));
    }
    let key = match store.sealed_key(entry) {
        Some(sealed) => NewKey::Sealed(sealed),
        None => NewKey::Plain(store.open_key(entry, credential).map_err(|error| unusable(error.to_string()))?.pkcs8),
    };
    let slots = store.entry(entry).map(Entry::certificates).unwrap_or_default();
    let chain: Option<_> = slots.iter().map(|slot| slot.certificate().map(Arc::clone)).collect();
    let chain = chain.ok_or_else(|| unusable("a certificate of its chain does not parse".to_owned()))?;
    Ok(Staged { certificate, chain, key, path: path.to_owned() })
}

impl Staged {
    /// The same key with the chain that its CA sent in reply.
    ///
    /// # Errors
    /// Fails if the reply belongs to another key.
    pub fn with_reply(self, leaf: &Arc<Certificate>, issuers: &[Arc<Certificate>]) -> Result<Self, StagingError> {
        if leaf.spki_der() != self.certificate.spki_der() {
            let cause = "the reply belongs to another key".to_owned();
            return Err(StagingError::Unusable { path: self.path, cause });
        }
        let chain = std::iter::once(leaf).chain(issuers).map(Arc::clone).collect();
        Ok(Self { certificate: Arc::clone(leaf), chain, ..self })
    }
}

/// The format in the name of a staging file.
pub(crate) fn format_of(path: &Path) -> Option<Format> {
    format_named(path.extension()?.to_str()?)
}

/// A format that keys are staged in, by its name.
pub(crate) fn format_named(name: &str) -> Option<Format> {
    FORMATS.into_iter().find(|format| format.as_str() == name)
}

/// The staging file of an identity, whatever its format.
pub fn find(state: &State, identity: &IdentityId) -> Option<PathBuf> {
    // A path that cannot be looked at counts as there.
    let is_there = |path: &PathBuf| !matches!(disk::named_if_there(path), Ok(None));
    FORMATS.iter().map(|format| state.staging(identity, *format)).find(is_there)
}

/// Looks at a key that an earlier run staged.
pub(crate) fn look(path: &Path, password: Option<&Password>, certificates: &Interner) -> StagedLook {
    key_at(path, password, certificates).map_or_else(
        |failed| {
            StagedLook::Unreadable(ReadFailure {
                path: Some(path.display().to_string()),
                class: FailureClass::Unreadable,
                sha256: None,
                message: failed.into_error(path).to_string(),
            })
        },
        StagedLook::Key,
    )
}

fn key_at(path: &Path, password: Option<&Password>, certificates: &Interner) -> Result<StagedKey, Failed> {
    let known = password.map_or(Credential::Withheld, Credential::Password);
    let credential = if is_pair(path) { Credential::NotNeeded } else { known };
    let ((store, entry, certificate), opens) = match open(path, credential, certificates) {
        Ok(opened) => {
            let opens = opens(&opened.0, opened.1, credential, certificates);
            (opened, opens)
        }
        // The password has changed: the certificate can still be seen, the key can no longer be used.
        Err(_) => (open(path, Credential::Withheld, certificates)?, false),
    };
    let created = store.entry(entry).and_then(|e| Timestamp::from_millisecond(e.created_ms?).ok());
    // A self-signed certificate is valid from the time it is made.
    let begins = || Timestamp::from_second(certificate.not_before()).unwrap_or_default();
    Ok(StagedKey { since: created.unwrap_or_else(begins), certificate, opens, path: path.to_owned() })
}

enum Failed {
    Disk(DiskError),
    Read(ReadError),
    NotOneKey,
}

impl Failed {
    fn into_error(self, path: &Path) -> StagingError {
        let cause = match self {
            Self::Disk(error) => return StagingError::Disk(error),
            Self::Read(error) => error.cause().to_owned(),
            Self::NotOneKey => "it does not hold exactly one private key with its certificate".to_owned(),
        };
        StagingError::Unusable { path: path.to_owned(), cause }
    }
}

fn open(
    path: &Path,
    credential: Credential<'_>,
    certificates: &Interner,
) -> Result<(Store, EntryId, Arc<Certificate>), Failed> {
    let bytes = disk::read(path, ReadLimit::Store).map_err(Failed::Disk)?;
    let store = if is_pair(path) {
        let key = bytes.windows(KEY_BEGINS.len()).position(|part| part == KEY_BEGINS).unwrap_or(bytes.len());
        let (certificate, key) = bytes.split_at_checked(key).unwrap_or((&bytes, &[]));
        Store::open_pair(Some(certificate.to_vec()), Some(key.to_vec()), certificates)
    } else {
        Store::open(bytes, credential, certificates)
    };
    let store = store.map_err(Failed::Read)?;
    let found = match store.entries() {
        [entry] => match &entry.kind {
            EntryKind::PrivateKey { chain } => {
                chain.first().and_then(|slot| slot.certificate()).map(|leaf| (entry.id, Arc::clone(leaf)))
            }
            EntryKind::Trusted(_) | EntryKind::SecretKey | EntryKind::Untrusted(_) | EntryKind::Opaque(_) => None,
        },
        _ => None,
    };
    let (id, leaf) = found.ok_or(Failed::NotOneKey)?;
    Ok((store, id, leaf))
}

/// Where the key begins in the staging file of a pair.
const KEY_BEGINS: &[u8] = b"-----BEGIN PRIVATE KEY-----";

fn is_pair(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == Format::PemPair.as_str())
}

fn opens(store: &Store, entry: EntryId, credential: Credential<'_>, certificates: &Interner) -> bool {
    store.try_key(entry, credential, certificates).is_ok_and(|found| found != KeyMatch::No)
}
