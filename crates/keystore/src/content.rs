//! What a format's own type does for [`crate::Store`]. A type holds what only its format has (its bytes, the places of its
//! entries, a digest, a scheme), and implements this; what it leaves out is what a format without keys that is never written does.

use std::any::Any;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::edit::{Edits, Image};
use crate::entries::Listed;
use crate::entry::{Credential, EntryId};
use crate::error::{EditError, KeyError};
use crate::format::Format;
use crate::intern::Interner;

/// A file to open.
pub(crate) struct Input<'a> {
    pub(crate) bytes: Vec<u8>,
    pub(crate) credential: Credential<'a>,
    pub(crate) certificates: &'a Interner,
}

/// The content of a store in one format.
pub(crate) trait Content: Any + Send + Sync {
    /// The format.
    fn format(&self) -> Format;

    /// Its entries, and what is odd about them.
    fn listed(&self) -> &Listed;

    /// The entry's own bytes.
    fn raw(&self, entry: EntryId) -> Option<&[u8]>;

    /// The file's bytes; empty for what is several files, and for a store of which there is no file yet.
    fn bytes(&self) -> &[u8] {
        &[]
    }

    /// The files, where it is several.
    fn files(&self) -> &[(String, Vec<u8>)] {
        &[]
    }

    /// The format's version, where it has one.
    fn version(&self) -> u32 {
        0
    }

    /// Whether the content was checked against a digest, or needs no such check.
    fn verified(&self) -> bool {
        true
    }

    /// Whether the entry's alias stands in the file.
    fn is_named(&self, entry: EntryId) -> bool {
        self.listed().entries().get(entry.position()).is_some_and(|entry| entry.alias.is_some())
    }

    /// The entry's private key in the clear.
    fn plain_key(&self, _entry: EntryId, _credential: Credential<'_>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        Err(KeyError::NotAKey)
    }

    /// The entry's private key as it is protected.
    fn sealed_key(&self, _entry: EntryId) -> Option<&[u8]> {
        None
    }

    /// The next content. The positions that the edits name exist.
    fn edit(&self, edits: &Edits, _credential: Credential<'_>, _rng: &mut dyn CryptoRng) -> Result<Image, EditError> {
        if edits.is_empty() && !self.bytes().is_empty() {
            Ok(Image::File(self.bytes().to_vec()))
        } else {
            Err(EditError::ReadOnly { format: self.format() })
        }
    }
}
