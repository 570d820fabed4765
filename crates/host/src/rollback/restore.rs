//! What a rollback puts back: stores in their parts, with the copies that the run kept of them, and keys.

use std::collections::BTreeMap;
use std::path::PathBuf;

use trustmason_keystore::{Digest, Format};
use trustmason_plan::site::PieceAt;
use trustmason_spec::name::IdentityId;

use crate::disk::{Attributes, Owner};
use crate::record::journal::{Fact, Intent, Piece, Record};
use crate::record::sites::PieceHere;

/// A key that waits again once its store is put back.
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
    /// What the run meant with it.
    pub intent: Intent,
    /// The parts that are still what the run made them.
    pub parts: Vec<Part>,
    /// What happened there and is to be seen there now.
    pub facts: Vec<Fact>,
}

/// One part of a store to be restored.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// What the run meant with it.
    pub piece: Piece,
    /// The place of the part on this machine.
    pub place: PieceHere,
    /// What it was, if there was something.
    pub backup: Option<Backup>,
}

/// What a file was.
#[derive(Clone, Debug)]
pub(super) struct Backup {
    pub copy: PathBuf,
    pub owner: Owner,
    pub attributes: Attributes,
}

/// The notes of backups, by what they are copies of.
pub(super) type Backups<'a> = BTreeMap<(PieceAt, Digest), &'a Record>;
