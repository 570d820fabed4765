//! Reading: whole files, and whole folders of them.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use trustmason_keystore::Fingerprint;

use super::{DiskError, left_by};

/// Reads a file.
///
/// # Errors
/// That it could not be read.
pub fn read(path: &Path) -> Result<Vec<u8>, DiskError> {
    read_whole(path).map_err(|cause| DiskError::new("read", path, cause))
}

/// On Windows whoever has a file open can keep others from reading it, mostly for a moment.
pub(super) fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    #[cfg(windows)]
    return trustmason_windows::file::patiently(|| fs::read(path));
    #[cfg(not(windows))]
    fs::read(path)
}

/// Reads a file that need not be there.
///
/// # Errors
/// That it is there and could not be read.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, DiskError> {
    match read_whole(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(DiskError::new("read", path, cause)),
    }
}

/// The digest of a file that need not be there; a folder in its place is an error.
///
/// # Errors
/// That it is there and could not be read.
pub fn digest_if_there(path: &Path) -> Result<Option<Fingerprint>, DiskError> {
    Ok(read_if_there(path)?.map(|bytes| Fingerprint::of(&bytes)))
}

/// Reads the files of a folder, sorted by name; folders inside it and our own temporary files are passed over.
///
/// # Errors
/// The folder or file that could not be read, or a name that is no text.
pub fn read_folder(path: &Path) -> Result<Vec<(String, Vec<u8>)>, DiskError> {
    let failed = |cause| DiskError::new("read folder", path, cause);
    let mut files = Vec::new();
    for item in fs::read_dir(path).map_err(failed)? {
        let item = item.map_err(failed)?;
        let at = item.path();
        let metadata = fs::metadata(&at).map_err(|cause| DiskError::new("look at", &at, cause))?;
        if metadata.is_dir() || left_by(&at).is_some() {
            continue;
        }
        let name = item.file_name().into_string().map_err(|name| {
            let cause = io::Error::new(io::ErrorKind::InvalidData, "its name is no text; rename it");
            DiskError::new("use file", &path.join(name), cause)
        })?;
        files.push((name, read(&at)?));
    }
    files.sort();
    Ok(files)
}

/// Whether a file ends in this byte; one that is empty or not there does.
///
/// # Errors
/// That it is there and could not be read.
pub(crate) fn ends_in(path: &Path, byte: u8) -> Result<bool, DiskError> {
    let failed = |cause| DiskError::new("read", path, cause);
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        other => other.map_err(failed)?,
    };
    if file.seek(io::SeekFrom::End(0)).map_err(failed)? == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(io::SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last)).map_err(failed)?;
    Ok(last == [byte])
}

/// What a folder holds, sorted by name, and which of it is a folder; nothing where there is no such folder.
///
/// # Errors
/// That it cannot be listed.
pub(crate) fn list(path: &Path) -> Result<Vec<(PathBuf, bool)>, DiskError> {
    let failed = |cause| DiskError::new("read folder", path, cause);
    let listing = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let mut found = Vec::new();
    for item in listing {
        let item = item.map_err(failed)?;
        found.push((item.path(), item.file_type().map_err(failed)?.is_dir()));
    }
    found.sort();
    Ok(found)
}

/// One digest for a folder: over the names and the digests of its files.
pub fn folder_digest(files: &[(String, Vec<u8>)]) -> Fingerprint {
    let mut text = String::new();
    for (name, bytes) in files {
        text.push_str(name);
        text.push('\0');
        text.push_str(&Fingerprint::of(bytes).to_string());
        text.push('\n');
    }
    Fingerprint::of(text.as_bytes())
}
