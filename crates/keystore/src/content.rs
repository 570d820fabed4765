//! The trait that the type of each format implements for [`crate::Store`]: it takes a file's bytes and a password, and
//! gives entries, keys and the content after an edit. The implementing type holds what only its format has (bytes,
//! places of entries, a digest, an encryption scheme). The default methods fit a format without keys that is never
//! written.

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
pub(crate) struct ContentInput<'a> {
    pub(crate) bytes: Vec<u8>,
    pub(crate) credential: Credential<'a>,
    pub(crate) certificates: &'a Interner,
}

/// The content of a store in one format.
pub(crate) trait StoreContent: Any + Send + Sync {
    /// The format of the content.
    fn format(&self) -> Format;

    /// The entries, and the remarks on them.
    fn listed(&self) -> &Listed;

    /// The entry's own bytes.
    fn raw(&self, entry: EntryId) -> Option<&[u8]>;

    /// The bytes of the file. They are empty for a content of several files, and for a store that has no file yet.
    fn bytes(&self) -> &[u8] {
        &[]
    }

    /// The files of a content that consists of several files.
    fn files(&self) -> &[(String, Vec<u8>)] {
        &[]
    }

    /// The version of the format; 0 where the format has none.
    fn version(&self) -> u32 {
        0
    }

    /// Whether the content was checked against a digest, or needs no such check.
    fn verified(&self) -> bool {
        true
    }

    /// Whether the file holds the entry's alias.
    fn is_named(&self, entry: EntryId) -> bool {
        self.listed().entries().get(entry.position()).is_some_and(|entry| entry.alias.is_some())
    }

    /// The entry's private key in the clear.
    fn plain_key(&self, _entry: EntryId, _credential: Credential<'_>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        Err(KeyError::NotAKey)
    }

    /// The entry's private key as the file protects it.
    fn sealed_key(&self, _entry: EntryId) -> Option<&[u8]> {
        None
    }

    /// Makes the content after the edits. The caller has checked that every position in the edits exists.
    fn edit(&self, edits: &Edits, _credential: Credential<'_>, _rng: &mut dyn CryptoRng) -> Result<Image, EditError> {
        if edits.is_empty() && !self.bytes().is_empty() {
            Ok(Image::File(self.bytes().to_vec()))
        } else {
            Err(EditError::ReadOnly { format: self.format() })
        }
    }
}
