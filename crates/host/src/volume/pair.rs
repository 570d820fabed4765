//! Finds and reads a certificate and its private key in two files of a host ([`PemPair`]), and the files that belong to
//! them: the very first certificate, which is kept once and never overwritten, and further copies of the certificate.

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
    /// The copies whose folder exists.
    pub copies: Vec<PathBuf>,
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
        let (path, has_folder) = located(volumes, copy)?;
        // A link to the certificate changes with it.
        if has_folder && path != certificate && path != key {
            found.push(path);
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
