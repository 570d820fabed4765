//! Finds and reads a certificate and its private key in two files of a host ([`PemPair`]), and the files that belong to
//! them: the very first certificate, which is kept once and never overwritten, and copies of the certificate or of both.

use std::path::{Path, PathBuf};

use trustmason_keystore::{Digest, Interner, ReadError, Store};
use trustmason_spec::topology::{HostPath, PemPair};

use crate::disk::{self, DiskError, ReadLimit};
use crate::volume::{Located, VolumeError, Volumes};

/// The part that is the certificate, by the keystore crate's name.
pub(crate) const CERTIFICATE: &str = "certificate";
/// The part that is the key.
pub(crate) const KEY: &str = "key";

/// Where the files of a pair are.
#[derive(Clone, Debug)]
pub(crate) struct PairPaths {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Whether the folders of both exist.
    pub folders: bool,
    /// Where the first certificate is to be kept, if none is kept there yet.
    pub previous: Option<PathBuf>,
    /// The copies whose folders exist.
    pub copies: Vec<CopyPaths>,
}

/// Where a copy of a pair is. A half that is a link to the pair's own half is left out, because it changes with that one.
#[derive(Clone, Debug)]
pub(crate) struct CopyPaths {
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

/// Why a pair could not be found or read.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// One of its paths cannot be followed.
    #[error(transparent)]
    Path(#[from] VolumeError),
    /// One of its files cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Certificate and key are the same file.
    #[error("the key {} and its certificate are the same file", path.display())]
    OneFile {
        /// The file.
        path: PathBuf,
    },
}

/// Finds a pair.
pub(crate) fn find(volumes: Volumes<'_>, pair: &PemPair) -> Result<PairPaths, PairError> {
    let PemPair { certificate, key, previous, copies } = pair;
    let (certificate, has_folder) = located(volumes, certificate)?;
    let (key, has_key_folder) = located(volumes, key)?;
    if certificate == key {
        return Err(PairError::OneFile { path: key });
    }
    let previous = previous.as_ref().map(|path| volumes.find(path)).transpose()?;
    let previous = match previous {
        Some(Located::Absent { path, parent: true }) => Some(path),
        Some(Located::Found(_) | Located::Absent { .. }) | None => None,
    };
    let mut found = Vec::new();
    for copy in copies {
        let (copied, has_folder) = located(volumes, &copy.certificate)?;
        let Some(copied_key) = &copy.key else {
            if has_folder && copied != certificate && copied != key {
                found.push(CopyPaths { certificate: Some(copied), key: None });
            }
            continue;
        };
        let (copied_key, has_key_folder) = located(volumes, copied_key)?;
        if copied_key == copied || copied_key == certificate || copied == key {
            return Err(PairError::OneFile { path: copied_key });
        }
        // One half alone would not match the other half that is there.
        if has_folder && has_key_folder {
            let certificate = (copied != certificate).then_some(copied);
            found.push(CopyPaths { certificate, key: (copied_key != key).then_some(copied_key) });
        }
    }
    Ok(PairPaths { certificate, key, folders: has_folder && has_key_folder, previous, copies: found })
}

fn located(volumes: Volumes<'_>, path: &HostPath) -> Result<(PathBuf, bool), VolumeError> {
    Ok(match volumes.find(path)? {
        Located::Found(path) => (path, true),
        Located::Absent { path, parent } => (path, parent),
    })
}

impl PairPaths {
    /// The halves that exist, by the names of their parts, in their order.
    pub(crate) fn read(&self) -> Result<Vec<(String, Vec<u8>)>, DiskError> {
        let mut files = Vec::new();
        for (part, path) in [(CERTIFICATE, &self.certificate), (KEY, &self.key)] {
            files.extend(disk::read_if_there(path, ReadLimit::Store)?.map(|bytes| (part.to_owned(), bytes)));
        }
        Ok(files)
    }

    /// The file of a part.
    pub(crate) fn path_of(&self, part: &str) -> &Path {
        if part == KEY { &self.key } else { &self.certificate }
    }
}

/// One digest for both halves; `None` if neither exists.
pub(crate) fn digest(files: &[(String, Vec<u8>)]) -> Option<Digest> {
    (!files.is_empty()).then(|| disk::folder_digest(files))
}

/// The content of a part.
pub(crate) fn part<'a>(files: &'a [(String, Vec<u8>)], name: &str) -> Option<&'a [u8]> {
    files.iter().find(|(part, _)| part == name).map(|(_, bytes)| bytes.as_slice())
}

/// The pair as a store.
///
/// # Errors
/// As [`Store::open_pair`].
pub(crate) fn open(files: &[(String, Vec<u8>)], certificates: &Interner) -> Result<Store, ReadError> {
    let half = |name: &str| part(files, name).map(<[u8]>::to_vec);
    Store::open_pair(half(CERTIFICATE), half(KEY), certificates)
}
