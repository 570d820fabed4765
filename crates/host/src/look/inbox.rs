//! Reads the folder into which an authority's replies are put, whatever their names: PEM, DER and PKCS#7, one
//! certificate or many. A file without a certificate is reported, and never hides the other files.

use std::path::Path;
use std::sync::Arc;

use trustmason_keystore::{Certificate, Credential, Digest, Entry, Interner, Store};
use trustmason_plan::observed::{InboxFile, InboxLook, Input, InputKind, ReadFailure};

use super::certificate;
use super::file::{OpenError, OpenFault};
use crate::disk::{self, FolderItem, ReadLimit};

pub(super) fn look(folder: &Path, certificates: &Interner) -> (InboxLook, Vec<Input>) {
    let paths = match certificate::found(folder, may_be_a_reply) {
        Ok(paths) => paths,
        Err(error) => return (InboxLook { failure: Some(error.to_string()), files: Vec::new() }, Vec::new()),
    };
    let mut look = InboxLook::default();
    let mut inputs = Vec::new();
    for path in paths {
        let (sha256, read) = read(&path, certificates);
        inputs.push(super::input(InputKind::Reply, &path, sha256));
        let (certificates, failure) = match read {
            Ok(certificates) => (certificates, None),
            Err(failure) => (Vec::new(), Some(failure)),
        };
        look.files.push(InboxFile { path, certificates, failure });
    }
    (look, inputs)
}

/// Hidden files, folders and links to nothing are skipped. Every other item is a reply, or is reported.
fn may_be_a_reply(item: &FolderItem) -> bool {
    let hidden = item.name().to_string_lossy().starts_with('.');
    let nothing = match disk::facts_if_there(&item.path()) {
        Ok(facts) => facts.is_none_or(|facts| facts.is_folder()),
        Err(_) => false,
    };
    !hidden && !nothing
}

type Read = Result<Vec<Arc<Certificate>>, ReadFailure>;

fn read(path: &Path, certificates: &Interner) -> (Option<Digest>, Read) {
    let error = |sha256, cause| ReadFailure::from(OpenError { path: path.to_owned(), sha256, cause, tried: None });
    let bytes = match disk::read(path, ReadLimit::Certificate) {
        Ok(bytes) => bytes,
        Err(fault) => return (None, Err(error(None, OpenFault::Disk(fault)))),
    };
    let sha256 = Some(Digest::of(&bytes));
    match Store::open(bytes, Credential::Withheld, certificates) {
        Ok(store) => {
            let slots = store.entries().iter().flat_map(Entry::certificates);
            (sha256, Ok(slots.filter_map(|slot| slot.certificate()).map(Arc::clone).collect()))
        }
        Err(fault) => (sha256, Err(error(sha256, OpenFault::Read(Box::new(fault))))),
    }
}
