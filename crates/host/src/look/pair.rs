//! Looks at a pair: a certificate and its private key in two files.

use trustmason_keystore::Credential;
use trustmason_plan::observed::{FailureClass, Input, InputKind, StoreLook};
use trustmason_spec::topology::PemPair;

use super::file::{OpenError, OpenFault, facts, try_keys};
use super::{KeysToTry, LookContext, failed, input};
use crate::disk;
use crate::volume::Volumes;
use crate::volume::pair::{self, PairError, PairPaths};

/// Looks at a pair. Both halves together are one input.
pub(super) fn look(pair: &PemPair, volumes: Volumes<'_>, context: LookContext<'_>) -> (StoreLook, Option<Input>) {
    let unreadable = |error: PairError| (failed(FailureClass::Unreadable, error.to_string()), None);
    let pair = match pair::find(volumes, pair) {
        Ok(pair) => pair,
        Err(error) => return unreadable(error),
    };
    let files = match pair.read() {
        Ok(files) => files,
        Err(error) => return unreadable(error.into()),
    };
    let sha256 = pair::digest(&files);
    let input = input(InputKind::Store, &pair.certificate, sha256);
    (opened(&pair, &files, context), Some(input))
}

fn opened(pair: &PairPaths, files: &[(String, Vec<u8>)], context: LookContext<'_>) -> StoreLook {
    let path = pair.certificate.clone();
    let Some(sha256) = pair::digest(files) else {
        return StoreLook::Absent { path: path.display().to_string(), parent: pair.folders };
    };
    let facts_of = [&pair.certificate, &pair.key].map(|path| disk::facts(path).ok());
    match pair::open(files, context.certificates) {
        Ok(store) => {
            let keys = try_keys(&store, Credential::NotNeeded, KeysToTry::All, context.certificates);
            StoreLook::Readable(Box::new(facts(&store, &path, sha256, keys, facts_of.iter().flatten())))
        }
        Err(error) => StoreLook::Unreadable(
            OpenError { path, sha256: Some(sha256), cause: OpenFault::Read(Box::new(error)), tried: None }.into(),
        ),
    }
}
