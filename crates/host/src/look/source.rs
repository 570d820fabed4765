//! Looks at a certificate in a file of its own: exported by hand, or named in the spec. [`super::certificate`] reads
//! its content.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use trustmason_keystore::{Certificate, Fingerprint, Interner};
use trustmason_plan::observed::{FailureClass, Input, InputKind, ReadFailure, SourceLook};
use trustmason_spec::survey::CertificateAt;

use super::certificate::{candidates, read};
use super::similar::SimilarFiles;
use crate::disk::{self, ReadLimit};

/// Looks for a certificate.
pub(super) fn look(at: &CertificateAt, near: &SimilarFiles<'_>, certificates: &Interner) -> (SourceLook, Vec<Input>) {
    match at {
        CertificateAt::File(path) => match disk::read_if_there(path, ReadLimit::Certificate) {
            Ok(None) => (
                SourceLook::Missing { folder: path.clone(), names: Vec::new(), near: near.to_file(path) },
                vec![super::input(InputKind::Certificate, path, None)],
            ),
            Ok(Some(_)) | Err(_) => among(vec![path.clone()], certificates),
        },
        CertificateAt::Named { folder, names } => match candidates(folder, names) {
            Ok(found) if found.is_empty() => {
                let missing = names.iter().map(|name| super::input(InputKind::Certificate, &folder.join(name), None));
                let missing = missing.collect();
                let near = near.to_names(folder, names, certificates);
                (SourceLook::Missing { folder: folder.clone(), names: names.clone(), near }, missing)
            }
            Ok(found) => among(found, certificates),
            Err(error) => {
                let (path, message) = (Some(folder.display().to_string()), error.to_string());
                let failure = ReadFailure { path, class: FailureClass::Unreadable, sha256: None, message };
                (SourceLook::Unreadable(failure), Vec::new())
            }
        },
    }
}

/// The certificate in these files. An unreadable file counts more than a readable one beside it.
fn among(paths: Vec<PathBuf>, certificates: &Interner) -> (SourceLook, Vec<Input>) {
    let mut inputs = Vec::new();
    let mut found: BTreeMap<Fingerprint, (Arc<Certificate>, PathBuf)> = BTreeMap::new();
    let mut failure = None;
    for path in &paths {
        let (sha256, one) = read(path, certificates);
        inputs.push(super::input(InputKind::Certificate, path, sha256));
        match one {
            Ok(certificate) => {
                found.entry(certificate.fingerprint()).or_insert_with(|| (certificate, path.clone()));
            }
            Err(fault) => failure = failure.or(Some(fault)),
        }
    }
    let look = match (failure, found.len(), found.into_values().next()) {
        (Some(failure), _, _) => SourceLook::Unreadable(failure),
        (None, 1, Some((certificate, path))) => SourceLook::Found { certificate, path },
        (None, _, _) => SourceLook::Ambiguous { paths },
    };
    (look, inputs)
}
