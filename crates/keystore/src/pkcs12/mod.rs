//! PKCS#12 (RFC 7292). The module reads files as the JDK, OpenSSL and NSS write them, and an edit gives the bytes of
//! the next file. It never decrypts a secret key.
//!
//! ```text
//! PFX { 3, ContentInfo data { AuthenticatedSafe }, MacData? }
//! AuthenticatedSafe: parts, each a ContentInfo: data { SafeContents } or encryptedData { SafeContents }
//! SafeContents: SafeBags; SafeBag { kind, [0] value, SET of attributes }
//! ```
//! Bags are slices of the text of their part and are copied unchanged. A part whose bags do not change is copied
//! unchanged, whether it is encrypted or not. Only a part that changes is encrypted again, under its own scheme and
//! rounds; after that the MAC is computed again.

mod bag;
mod derive;
mod draft;
mod mac;
mod open;
mod pfx;
mod protection;
mod scheme;
mod store;
mod verify;
mod view;
mod write;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::content::StoreContent;
use crate::edit::{Edits, Image};
use crate::entries::Listed;
use crate::entry::{Credential, EntryId};
use crate::error::{EditError, KeyError};
use crate::format::Format;
use crate::password::Password;

pub(crate) use open::{needs_password, open};
pub use protection::Protection;
pub(crate) use store::Pkcs12;

use derive::{Budget, PasswordEncoding, Secret};
use scheme::{SchemeError, SealError};
use store::OpenedPfx;

/// The entries of a file that does not exist yet.
static NOTHING: Listed = Listed::nothing();

impl StoreContent for Pkcs12 {
    fn format(&self) -> Format {
        Format::Pkcs12
    }

    fn listed(&self) -> &Listed {
        self.opened().map_or(&NOTHING, |opened| opened.entries.listed())
    }

    fn bytes(&self) -> &[u8] {
        self.bytes()
    }

    fn version(&self) -> u32 {
        3
    }

    fn verified(&self) -> bool {
        self.opened().is_none_or(|opened| opened.verified)
    }

    fn raw(&self, entry: EntryId) -> Option<&[u8]> {
        let OpenedPfx { bytes, pfx, entries, .. } = self.opened()?;
        pfx.raw(bytes, *entries.place(entry)?)
    }

    fn is_named(&self, entry: EntryId) -> bool {
        let bag = self.opened().and_then(|opened| opened.pfx.bag(*opened.entries.place(entry)?));
        bag.is_some_and(|bag| bag.name.is_some())
    }

    fn plain_key(&self, entry: EntryId, credential: Credential<'_>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match self.key(entry) {
            Some((bytes, true)) => Ok(Zeroizing::new(bytes.to_vec())),
            Some((sealed, false)) => unseal(sealed, credential.password().ok_or(KeyError::WrongPassword)?),
            None => Err(KeyError::NotAKey),
        }
    }

    fn sealed_key(&self, entry: EntryId) -> Option<&[u8]> {
        self.key(entry).and_then(|(bytes, plain)| (!plain).then_some(bytes))
    }

    fn edit(&self, edits: &Edits, credential: Credential<'_>, rng: &mut dyn CryptoRng) -> Result<Image, EditError> {
        write::edit(self, edits, credential.password(), rng).map(Image::File)
    }
}

impl Pkcs12 {
    /// The bytes of the entry's key. The flag is true for a key in the clear, and false for a protected key.
    fn key(&self, entry: EntryId) -> Option<(&[u8], bool)> {
        let OpenedPfx { bytes, pfx, entries, .. } = self.opened()?;
        pfx.key(bytes, *entries.place(entry)?)
    }
}

/// Opens a protected key.
fn unseal(sealed: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let (scheme, data) = scheme::sealed_key(sealed).map_err(|error| match error {
        SchemeError::Corrupt(why) => KeyError::Corrupt(why),
        SchemeError::Unsupported(what) => KeyError::Unsupported(what),
    })?;
    let mut budget = Budget::new();
    for reading in PasswordEncoding::candidates(password) {
        match scheme.open(&data, Secret { password, reading: *reading }, &mut budget) {
            // A wrong key gives correct padding once in 256 times, so only bytes that parse as a key count.
            Ok(plain) if crate::key::is_pkcs8(&plain) => return Ok(plain),
            Ok(_) | Err(SealError::Password) => {}
            Err(SealError::Corrupt(why)) => return Err(KeyError::Corrupt(why)),
        }
    }
    Err(KeyError::WrongPassword)
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod make;
#[cfg(test)]
mod tests;
