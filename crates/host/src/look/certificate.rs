//! Reads one file that holds a certificate, and lists the files of a folder that may hold one. Files are found by name,
//! and their format is detected by content.
//!
//! A file here holds exactly one certificate (the same certificate several times counts once) or a chain, as PEM, DER
//! or PKCS#7. For a chain the one leaf is meant, in whatever order the chain is written: the issuers show which one
//! that is. If the certificates form no chain, it cannot be known which one is meant, even if only one names the host.
//! Such a file is unreadable, with a message that says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trustmason_keystore::{
    Certificate, CertificateSlot, Credential, Detected, Digest, Entry, Fingerprint, Format, Interner, Store, detect,
};
use trustmason_plan::observed::{FailureClass, ReadFailure};

use super::chain;
use super::file::{OpenError, OpenFault};
use crate::disk::{self, DiskError, FolderItem, ReadLimit};

/// The files of a folder that have one of these names, ignoring case, sorted.
pub(crate) fn candidates(folder: &Path, names: &[String]) -> Result<Vec<PathBuf>, DiskError> {
    let wanted: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    found(folder, |item| item.name().to_str().is_some_and(|name| wanted.contains(&name.to_lowercase())))
}

/// The wanted items of a folder, sorted. An absent folder counts as empty.
pub(super) fn found(folder: &Path, wanted: impl Fn(&FolderItem) -> bool) -> Result<Vec<PathBuf>, DiskError> {
    let mut found = Vec::new();
    for item in disk::items_if_there(folder)?.into_iter().flatten() {
        let item = item?;
        if wanted(&item) {
            found.push(item.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Reads one file, and returns its digest too.
pub(crate) fn read(path: &Path, certificates: &Interner) -> (Option<Digest>, Result<Arc<Certificate>, ReadFailure>) {
    let error = |sha256, cause| ReadFailure::from(OpenError { path: path.to_owned(), sha256, cause, tried: None });
    let bytes = match disk::read(path, ReadLimit::Certificate) {
        Ok(bytes) => bytes,
        Err(fault) => return (None, Err(error(None, OpenFault::Disk(fault)))),
    };
    let sha256 = Some(Digest::of(&bytes));
    let refuse = |class, what: &str| {
        let message = format!("{} {what}", path.display());
        Err(ReadFailure { path: Some(path.display().to_string()), class, sha256, message })
    };
    if let Detected::Readable(format @ (Format::Jks | Format::Jceks | Format::Pkcs12)) = detect(&bytes) {
        let what = format!(
            "is a {format} keystore, not a certificate; export the certificate from it (keytool -exportcert -rfc)"
        );
        return (sha256, refuse(FailureClass::WrongFormat, &what));
    }
    let store = match Store::open(bytes, Credential::Withheld, certificates) {
        Ok(store) => store,
        Err(fault) => return (sha256, Err(error(sha256, OpenFault::Read(Box::new(fault))))),
    };
    // A readable certificate beside a damaged block may be one that was replaced.
    if let Some(remark) = store.remarks().iter().find(|remark| remark.hides_certificate()) {
        return (
            sha256,
            refuse(FailureClass::Unreadable, &format!("is damaged: {remark}; export the certificate again")),
        );
    }
    let slots: BTreeMap<Fingerprint, &CertificateSlot> =
        store.entries().iter().flat_map(Entry::certificates).map(|slot| (slot.fingerprint(), slot)).collect();
    let chain: Vec<Arc<Certificate>> = slots.values().filter_map(|slot| slot.certificate()).map(Arc::clone).collect();
    if slots.len() > 1
        && chain.len() == slots.len()
        && let Some(leaf) = chain::leaf(&chain)
    {
        return (sha256, Ok(Arc::clone(leaf)));
    }
    let one = match (slots.len(), slots.into_values().next()) {
        (1, Some(CertificateSlot::Parsed(certificate))) => Ok(Arc::clone(certificate)),
        (1, Some(CertificateSlot::Unparsed(bytes))) => refuse(
            FailureClass::Unreadable,
            &format!("holds a certificate that cannot be used: {}; export it again", bytes.reason()),
        ),
        (0, _) | (_, None) => refuse(FailureClass::Unreadable, "holds no certificate; export it again"),
        (count, _) => refuse(
            FailureClass::Unreadable,
            &format!(
                "holds {count} certificates that form no chain with one leaf, so the right one is unknown; leave only the certificate of the host in it"
            ),
        ),
    };
    (sha256, one)
}
