//! Opens one file or folder and takes its facts, for looking and for `list`. It gives the facts or the cause of the
//! failure, and keeps neither bytes nor passwords.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use trustmason_keystore::{
    Alias, Credential, Digest, Entry, EntryId, EntryKind, ErrorClass, Interner, KeyError, KeyMatch, Password,
    ReadError, Store,
};
use trustmason_plan::observed::{FailureClass, KeyLook, ManagedBy, ReadFailure, StoreFacts, SystemStoreEntry};
use trustmason_spec::topology::SecretRef;
use trustmason_spec::windows::SystemStore;

use crate::disk::{self, DiskError, FileFacts, ReadLimit};
use crate::secret;
use crate::volume::{self, PathError};

/// Which private keys are tried with the password. Trying is slow: 400,000 hashes for one key of a JCEKS.
#[derive(Clone, Copy, Debug)]
pub enum KeysToTry<'a> {
    /// No key is tried.
    None,
    /// The keys of these aliases.
    Of(&'a [Alias]),
    /// All keys.
    All,
}

/// Why a file did not open.
#[derive(Debug)]
pub struct OpenError {
    /// The file.
    pub path: PathBuf,
    /// The digest of its bytes, if they could be read.
    pub sha256: Option<Digest>,
    /// The problem with the file.
    pub cause: OpenFault,
    /// The password that was used: which secret, where it comes from, and what is odd about its value. Never the value
    /// itself.
    pub tried: Option<Box<SecretUsed>>,
}

/// Words for the secret that a file was opened with. Never its value.
#[derive(Debug)]
pub struct SecretUsed(String);

impl fmt::Display for SecretUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl OpenError {
    /// Adds which secret the file was opened with, if the wrong password is the cause.
    #[must_use]
    pub fn tried(mut self, secret: Option<&SecretRef>, password: Option<&Password>) -> Self {
        let wrong = matches!(&self.cause, OpenFault::Read(read) if read.class == ErrorClass::WrongPassword);
        let tried = secret.zip(password).filter(|_| wrong);
        self.tried = tried.map(|(secret, password)| Box::new(SecretUsed(secret::told(secret, password))));
        self
    }
}

/// The problem with a file.
#[derive(Debug)]
pub enum OpenFault {
    /// The system refused to read the file.
    Disk(DiskError),
    /// The path of the file leads nowhere.
    Path(Box<PathError>),
    /// The content is not what it should be.
    Read(Box<ReadError>),
    /// The file needs a password and there is none.
    NoPassword,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.cause {
            OpenFault::Disk(error) => write!(f, "{error}"),
            OpenFault::Path(error) => write!(f, "{error}"),
            OpenFault::Read(error) => {
                write!(f, "{path}")?;
                if let Some(format) = error.format {
                    write!(f, " ({format})")?;
                }
                f.write_str(" does not open")?;
                if let Some(tried) = &self.tried {
                    write!(f, " with {tried}")?;
                }
                write!(f, ": {error}")
            }
            OpenFault::NoPassword => {
                write!(f, "{path} does not open without a password; declare its password in the spec")
            }
        }
    }
}

// The text contains the cause already.
impl std::error::Error for OpenError {}

impl From<OpenError> for ReadFailure {
    fn from(error: OpenError) -> Self {
        let class = match &error.cause {
            OpenFault::NoPassword => FailureClass::WrongPassword,
            OpenFault::Disk(_) | OpenFault::Path(_) => FailureClass::Unreadable,
            OpenFault::Read(read) => match read.class {
                ErrorClass::WrongPassword => FailureClass::WrongPassword,
                // A recognised foreign format is a wrong format. An unknown version of JKS, JCEKS or PKCS#12 is only
                // unreadable.
                ErrorClass::Unsupported if !matches!(read.format, Some("jks" | "jceks" | "pkcs12") | None) => {
                    FailureClass::WrongFormat
                }
                ErrorClass::Unsupported | ErrorClass::Corrupt | ErrorClass::NotAStore => FailureClass::Unreadable,
            },
        };
        let message = error.to_string();
        Self { path: Some(error.path.display().to_string()), class, sha256: error.sha256, message }
    }
}

/// Opens a file, within its limit, or a folder of certificate files, and takes its facts. The bytes are dropped when
/// this returns.
///
/// # Errors
/// [`OpenError`], which distinguishes the causes.
pub fn open(
    path: &Path,
    limit: ReadLimit,
    credential: Credential<'_>,
    keys: KeysToTry<'_>,
    certificates: &Interner,
) -> Result<StoreFacts, OpenError> {
    let fail = |sha256, cause| OpenError { path: path.to_owned(), sha256, cause, tried: None };
    let real = volume::real(path.to_owned()).map_err(|error| fail(None, OpenFault::Path(Box::new(error))))?;
    let own = disk::facts(&real).map_err(|error| fail(None, OpenFault::Disk(error)))?;
    let (store, sha256, newest) = if own.is_folder() {
        let files = disk::read_folder(&real).map_err(|error| fail(None, OpenFault::Disk(error)))?;
        let sha256 = disk::folder_digest(&files);
        let all = files.iter().filter_map(|(name, _)| disk::facts(&real.join(name)).ok());
        let all: Vec<FileFacts> = all.chain([own.clone()]).collect();
        let newest =
            (all.iter().filter_map(FileFacts::modified).max(), all.iter().filter_map(FileFacts::written).max());
        let store = Store::open_directory(files, certificates);
        (store.map_err(|error| fail(Some(sha256), OpenFault::Read(Box::new(error))))?, sha256, newest)
    } else {
        let bytes = disk::read(&real, limit).map_err(|error| fail(None, OpenFault::Disk(error)))?;
        let sha256 = Digest::of(&bytes);
        let store = Store::open(bytes, credential, certificates).map_err(|error| {
            let unprotected = matches!(credential, Credential::NotNeeded) && error.class == ErrorClass::WrongPassword;
            let cause = if unprotected { OpenFault::NoPassword } else { OpenFault::Read(Box::new(error)) };
            fail(Some(sha256), cause)
        })?;
        (store, sha256, (own.modified(), own.written()))
    };
    // Without its password a store's keys are not tried.
    let keys = credential.password().map_or(KeysToTry::None, |_| keys);
    let tried = try_keys(&store, credential, keys, certificates);
    let found = facts(&store, &real, sha256, tried, std::iter::once(&own));
    let (modified, written) = newest;
    Ok(StoreFacts { modified, written, ..found })
}

/// The facts of an opened store. The first of `files` identifies the store, and the newest says how old it is.
pub(super) fn facts<'f>(
    store: &Store,
    path: &Path,
    sha256: Digest,
    keys: BTreeMap<EntryId, KeyLook>,
    files: impl Iterator<Item = &'f FileFacts>,
) -> StoreFacts {
    let files: Vec<_> = files.collect();
    StoreFacts {
        system_entries: system_entries(store),
        file: files.first().and_then(|facts| facts.identity()),
        sha256,
        format: store.format(),
        keys,
        entries: store.entries().to_vec(),
        remarks: store.remarks().to_vec(),
        needs_java_8u301: store.needs_java_8u301(),
        written: files.iter().filter_map(|facts| facts.written()).max(),
        modified: files.into_iter().filter_map(FileFacts::modified).max(),
        path: path.display().to_string(),
    }
}

/// The system stores of the entries in a registry export. No other export names them.
fn system_entries(store: &Store) -> BTreeMap<EntryId, SystemStoreEntry> {
    let keyed = |id: EntryId| store.remarks().iter().any(|r| r.is_key_elsewhere() && r.entry() == Some(id));
    let system_entry = |entry: &Entry| {
        let store = SystemStore::read(store.registry_key(entry.id)?.rsplit('\\').next()?)?;
        let managed_by = if keyed(entry.id) { ManagedBy::Key } else { ManagedBy::Machine };
        Some((entry.id, SystemStoreEntry { store, managed_by }))
    };
    store.entries().iter().filter_map(system_entry).collect()
}

/// Tries the private keys of a store that are asked for.
pub(super) fn try_keys(
    store: &Store,
    credential: Credential<'_>,
    keys: KeysToTry<'_>,
    certificates: &Interner,
) -> BTreeMap<EntryId, KeyLook> {
    let asked = |entry: &&Entry| {
        matches!(entry.kind, EntryKind::PrivateKey { .. })
            && match keys {
                KeysToTry::None => false,
                KeysToTry::All => true,
                KeysToTry::Of(aliases) => aliases.iter().any(|alias| entry.is_called(alias)),
            }
    };
    store
        .entries()
        .iter()
        .filter(asked)
        .map(|entry| (entry.id, key_look(store.try_key(entry.id, credential, certificates))))
        .collect()
}

fn key_look(tried: Result<KeyMatch, KeyError>) -> KeyLook {
    match tried {
        Ok(KeyMatch::Yes | KeyMatch::CannotTell) => KeyLook::Opens,
        Ok(KeyMatch::No) => KeyLook::Mismatch,
        Err(KeyError::WrongPassword) => KeyLook::OtherPassword,
        Err(
            error @ (KeyError::NotLoaded { .. }
            | KeyError::Corrupt(_)
            | KeyError::Unsupported(_)
            | KeyError::Unrecoverable(_)
            | KeyError::NotAKey),
        ) => KeyLook::Unknown(error.to_string()),
    }
}
