//! The things that a rollback puts back: parts of stores, with the copies that the run kept of them, and keys.

use std::collections::BTreeMap;
use std::path::PathBuf;

use trustmason_keystore::{Digest, Format};
use trustmason_plan::site::PieceAt;
use trustmason_spec::name::IdentityId;

use crate::disk::{Attributes, Owner};
use crate::record::journal::{Fact, Intent, Piece, Record};
use crate::record::sites::PieceHere;

/// A key that goes back to staging once its store is restored.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    pub identity: IdentityId,
    pub format: Format,
    pub copy: PathBuf,
    pub sha256: Digest,
}

/// One store to be restored.
#[derive(Clone, Debug)]
pub(super) struct Restore {
    /// The intent of the run that wrote the store.
    pub intent: Intent,
    /// The parts that still are as the run left them.
    pub parts: Vec<RestoredPart>,
    /// The changes that were made and can be seen there now.
    pub facts: Vec<Fact>,
}

/// One part of a store to be restored.
#[derive(Clone, Debug)]
pub(super) struct RestoredPart {
    /// The part, as the run's intent names it.
    pub piece: Piece,
    /// The place of the part on this machine.
    pub place: PieceHere,
    /// The part's old content; `None` if there was none.
    pub backup: Option<Backup>,
}

/// The old content of a part, with owner and attributes.
#[derive(Clone, Debug)]
pub(super) struct Backup {
    pub copy: PathBuf,
    pub owner: Owner,
    pub attributes: Attributes,
}

/// The journal's backup records, by the part that was copied and its digest.
pub(super) type Backups<'a> = BTreeMap<(PieceAt, Digest), &'a Record>;
