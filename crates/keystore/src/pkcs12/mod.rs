//! PKCS#12 (RFC 7292): read as the JDK, OpenSSL and NSS write it, and edited without loss.
//!
//! ```text
//! PFX { 3, ContentInfo data { AuthenticatedSafe }, MacData? }
//! AuthenticatedSafe: parts, each a ContentInfo: data { SafeContents } or encryptedData { SafeContents }
//! SafeContents: SafeBags; SafeBag { kind, [0] value, SET of attributes }
//! ```
//! Bags are slices of their part's text and are copied as they stand; a part whose bags do not change is copied as it stands,
//! encrypted or not. Only a part that changes is encrypted anew, under its own scheme and rounds, and then the MAC.

mod bag;
mod derive;
mod draft;
mod mac;
mod open;
mod protection;
mod scheme;
mod settle;
mod view;
mod write;

use std::borrow::Cow;
use std::ops::Range;

use zeroize::Zeroizing;

pub(crate) use open::{needs_password, open};
pub use protection::Protection;
pub(crate) use write::edit;

use self::bag::{Bag, What};
use self::derive::{Budget, Reading, Secret};
use self::mac::Mac;
use self::scheme::{Scheme, SchemeError, SealError};
use self::view::Placed;
use crate::der::Tlv;
use crate::error::KeyError;
use crate::password::Password;
use crate::store::Place;

const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6];

/// Bytes that stand in what is around them, or had to be put together or decrypted.
enum Source {
    Within(Range<usize>),
    Own(Zeroizing<Vec<u8>>),
}

impl Source {
    /// `octets` are those of `element`; they stand in place unless they came in pieces.
    fn of(element: &Tlv<'_>, octets: Cow<'_, [u8]>) -> Self {
        match octets {
            Cow::Borrowed(bytes) => Self::Within(element.body_at()..element.body_at() + bytes.len()),
            Cow::Owned(bytes) => Self::Own(Zeroizing::new(bytes)),
        }
    }

    fn bytes<'a>(&'a self, around: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Within(range) => around.get(range.clone()).unwrap_or_default(),
            Self::Own(bytes) => bytes,
        }
    }
}

/// How a part is protected.
enum Seal {
    Plain,
    Encrypted(Scheme),
    /// Encrypted, and not opened; the text names the scheme.
    Closed(String),
}

/// One ContentInfo of the AuthenticatedSafe.
struct Part {
    /// Where it stands in the AuthenticatedSafe.
    whole: Range<usize>,
    seal: Seal,
    /// Its SafeContents, where it was opened.
    text: Source,
    bags: Vec<Bag>,
}

/// A store's inner structure.
pub(crate) struct Pfx {
    safe: Source,
    parts: Vec<Part>,
    mac: Option<Mac>,
    /// What its MAC is where that is not read; only a file that was opened without a password may have such a one.
    unread_mac: Option<String>,
    /// Where the PFX ends in the file; a JVM ignores what follows.
    end: usize,
}

impl Pfx {
    /// A new file's: nothing in it yet.
    fn empty(mac: Option<Mac>) -> Self {
        let safe = Source::Own(Zeroizing::default());
        Self { safe, parts: Vec::new(), mac, unread_mac: None, end: 0 }
    }

    /// The bytes of a bag, or of a part that was not opened.
    pub(crate) fn raw<'a>(&'a self, file: &'a [u8], place: &Place) -> Option<&'a [u8]> {
        let part = self.parts.get(place.file)?;
        let safe = self.safe.bytes(file);
        match part.seal {
            Seal::Closed(_) => safe.get(place.whole.clone()),
            Seal::Plain | Seal::Encrypted(_) => part.text.bytes(safe).get(place.whole.clone()),
        }
    }

    /// The bytes of a key: protected, or in the clear (then the flag is set).
    fn key<'a>(&'a self, file: &'a [u8], place: &Place) -> Option<(&'a [u8], bool)> {
        let part = self.parts.get(place.file)?;
        let bag = part.bags.iter().find(|bag| bag.range == place.whole)?;
        let text = part.text.bytes(self.safe.bytes(file));
        match &bag.what {
            What::SealedKey(range) => Some((text.get(range.clone())?, false)),
            What::PlainKey(range) => Some((text.get(range.clone())?, true)),
            _ => None,
        }
    }

    /// The protected key's own encoding.
    pub(crate) fn sealed_key<'a>(&'a self, file: &'a [u8], place: &Place) -> Option<&'a [u8]> {
        self.key(file, place).and_then(|(bytes, plain)| (!plain).then_some(bytes))
    }

    /// Whether the entry's alias stands in the file; the JDK numbers the nameless.
    pub(crate) fn is_named(&self, place: &Place) -> bool {
        let bag = self.parts.get(place.file).and_then(|part| part.bags.iter().find(|bag| bag.range == place.whole));
        bag.is_some_and(|bag| bag.name.is_some())
    }

    /// All bags with their places, in the file's order.
    fn placed<'a>(&'a self, file: &'a [u8]) -> Vec<Placed<'a>> {
        let safe = self.safe.bytes(file);
        let mut all = Vec::new();
        for (part, one) in self.parts.iter().enumerate() {
            let text = one.text.bytes(safe);
            all.extend(one.bags.iter().enumerate().map(|(position, bag)| Placed { bag, part, position, text }));
        }
        all
    }

    /// What Java before 8u301 cannot read in it: the first part, key or MAC.
    pub(crate) fn needs_java_8u301(&self, file: &[u8]) -> Option<String> {
        let key = |one: &Placed<'_>| match &one.bag.what {
            What::SealedKey(range) => {
                one.text.get(range.clone()).and_then(|sealed| scheme::sealed_key(sealed).ok()).map(|(scheme, _)| scheme)
            }
            _ => None,
        };
        let parts = self.parts.iter().filter_map(|part| match &part.seal {
            Seal::Encrypted(scheme) => Some(scheme.clone()),
            Seal::Plain | Seal::Closed(_) => None,
        });
        let newer = parts.chain(self.placed(file).iter().filter_map(key)).find(Scheme::is_newer);
        newer.map(|scheme| scheme.name()).or_else(|| {
            let mac = self.mac.as_ref().filter(|mac| !mac.is_sha1())?;
            Some(format!("MAC {}", mac.name()))
        })
    }

    /// How it is protected, in words: the MAC and each scheme once.
    pub(crate) fn summary(&self) -> String {
        let mut words = Vec::new();
        for part in &self.parts {
            let word = match &part.seal {
                Seal::Plain => continue,
                Seal::Encrypted(scheme) => format!("encrypted by {}", scheme.name()),
                Seal::Closed(name) => format!("encrypted by {name}"),
            };
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words.push(match (&self.mac, &self.unread_mac) {
            (Some(mac), _) => format!("MAC {}", mac.name()),
            (None, Some(why)) => format!("a MAC that is not read ({why})"),
            (None, None) => "no MAC".to_owned(),
        });
        words.join("; ")
    }

    fn is_encrypted(&self) -> bool {
        self.parts.iter().any(|part| !matches!(part.seal, Seal::Plain))
    }
}

/// Opens a key of a store.
pub(crate) fn open_key(
    pfx: &Pfx,
    file: &[u8],
    place: &Place,
    password: &Password,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let (bytes, plain) = pfx.key(file, place).ok_or(KeyError::NotAKey)?;
    if plain {
        return Ok(Zeroizing::new(bytes.to_vec()));
    }
    unseal(bytes, password)
}

/// Opens a protected key.
pub(crate) fn unseal(sealed: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let (scheme, data) = scheme::sealed_key(sealed).map_err(|error| match error {
        SchemeError::Corrupt(why) => KeyError::Corrupt(why),
        SchemeError::Unsupported(what) => KeyError::Unsupported(what),
    })?;
    let mut budget = Budget::new();
    for reading in Reading::candidates(password) {
        match scheme.open(&data, Secret { password, reading: *reading }, &mut budget) {
            // Padding is right by chance once in 256: only what parses as a key counts.
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
