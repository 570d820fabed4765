//! JKS and JCEKS: the same layout with two different magic numbers. The module takes the bytes of a file and a
//! password, and gives a store; an edit gives the bytes of the next file.
//!
//! ```text
//! magic u32 | version u32 (1, 2) | count u32 | entries | SHA-1(password UTF-16BE ‖ "Mighty Aphrodite" ‖ all before)
//! entry: tag u32 | alias modified-UTF-8 | created i64 ms
//!   tag 1  key:    u32 length + EncryptedPrivateKeyInfo | u32 count | certificates
//!   tag 2  trusted: one certificate
//!   tag 3  secret (JCEKS only): a Java serialisation stream without a length
//! certificate: type modified-UTF-8 (version 2 only) | u32 length + encoding
//! ```
//! Source: `sun.security.provider.JavaKeyStore` and `com.sun.crypto.provider.JceKeyStore`. Reading keeps the range of
//! every entry, so that writing can copy the entry.

mod layout;
mod mutf8;
mod protect;
mod read;
mod serial;
mod write;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::content::StoreContent;
use crate::edit::{Edits, Image};
use crate::entries::Listed;
use crate::entry::{Credential, EntryId};
use crate::error::{EditError, KeyError};
use crate::format::Format;

pub(crate) use layout::{JavaFormat, JavaStore};
pub(crate) use read::open;

impl StoreContent for JavaStore {
    fn format(&self) -> Format {
        self.kind.format()
    }

    fn listed(&self) -> &Listed {
        self.entries.listed()
    }

    fn bytes(&self) -> &[u8] {
        self.bytes()
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn verified(&self) -> bool {
        self.file.as_ref().is_none_or(|file| file.verified)
    }

    fn raw(&self, entry: EntryId) -> Option<&[u8]> {
        self.at(entry, |place| Some(&place.whole))
    }

    fn plain_key(&self, entry: EntryId, credential: Credential<'_>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let sealed = self.sealed_key(entry).ok_or(KeyError::NotAKey)?;
        protect::open(self.format(), sealed, credential.password().ok_or(KeyError::WrongPassword)?)
    }

    fn sealed_key(&self, entry: EntryId) -> Option<&[u8]> {
        self.at(entry, |place| place.key.as_ref())
    }

    fn edit(&self, edits: &Edits, credential: Credential<'_>, rng: &mut dyn CryptoRng) -> Result<Image, EditError> {
        write::edit(self, edits, credential.password(), rng).map(Image::File)
    }
}

#[cfg(test)]
mod tests;
