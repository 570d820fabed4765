//! The inner structure of a file: its parts, their bags, and what protects them. The module gives the bytes of each bag
//! and describes the protection. It never decrypts or encrypts.

use std::borrow::Cow;
use std::ops::Range;

use zeroize::Zeroizing;

use super::bag::{Bag, BagContent};
use super::mac::Mac;
use super::scheme::{self, Scheme};
use super::view::PlacedBag;
use crate::der::Tlv;

pub(super) const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
pub(super) const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6];

/// Bytes that are a range of the surrounding bytes, or that were joined or decrypted.
pub(super) enum PartText {
    Within(Range<usize>),
    Own(Zeroizing<Vec<u8>>),
}

impl PartText {
    /// The source of `octets`, which are those of `element`. They are a range of the surrounding bytes unless they came
    /// in pieces.
    pub(super) fn of(element: &Tlv<'_>, octets: Cow<'_, [u8]>) -> Self {
        match octets {
            Cow::Borrowed(bytes) => Self::Within(element.body_at()..element.body_at() + bytes.len()),
            Cow::Owned(bytes) => Self::Own(Zeroizing::new(bytes)),
        }
    }

    pub(super) fn bytes<'a>(&'a self, around: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Within(range) => around.get(range.clone()).unwrap_or_default(),
            Self::Own(bytes) => bytes,
        }
    }
}

/// The protection of a part.
pub(super) enum PartProtection {
    Plain,
    Encrypted(Scheme),
    /// Encrypted, and not opened. The text names the scheme.
    Closed(String),
}

/// One ContentInfo of the AuthenticatedSafe.
pub(super) struct SafePart {
    /// The place of the part in the AuthenticatedSafe.
    pub(super) whole: Range<usize>,
    pub(super) seal: PartProtection,
    /// The SafeContents of the part, if it was opened.
    pub(super) text: PartText,
    pub(super) bags: Vec<Bag>,
}

/// The inner structure of a store.
pub(super) struct Pfx {
    pub(super) safe: PartText,
    pub(super) parts: Vec<SafePart>,
    pub(super) mac: Option<Mac>,
    /// The description of a MAC that this crate does not read. Only a file that was opened without a password may have
    /// one.
    pub(super) unread_mac: Option<String>,
    /// The offset where the PFX ends in the file. A JVM ignores the bytes after it.
    pub(super) end: usize,
}

impl Pfx {
    /// The structure of a new file, without any part.
    pub(super) fn empty(mac: Option<Mac>) -> Self {
        let safe = PartText::Own(Zeroizing::default());
        Self { safe, parts: Vec::new(), mac, unread_mac: None, end: 0 }
    }

    /// The bytes of a bag, or of a part that was not opened.
    pub(super) fn raw<'a>(&'a self, file: &'a [u8], place: BagPlace) -> Option<&'a [u8]> {
        let part = self.parts.get(place.part())?;
        let safe = self.safe.bytes(file);
        match place {
            BagPlace::Closed { .. } => safe.get(part.whole.clone()),
            BagPlace::Bag { position, .. } => part.text.bytes(safe).get(part.bags.get(position)?.range.clone()),
        }
    }

    /// The bag of an entry; `None` if the entry is a part that was not opened.
    pub(super) fn bag(&self, place: BagPlace) -> Option<&Bag> {
        match place {
            BagPlace::Closed { .. } => None,
            BagPlace::Bag { part, position } => self.parts.get(part)?.bags.get(position),
        }
    }

    /// The bytes of a key. The flag is true for a key in the clear, and false for a protected key.
    pub(super) fn key<'a>(&'a self, file: &'a [u8], place: BagPlace) -> Option<(&'a [u8], bool)> {
        let text = self.parts.get(place.part())?.text.bytes(self.safe.bytes(file));
        match &self.bag(place)?.what {
            BagContent::SealedKey(range) => Some((text.get(range.clone())?, false)),
            BagContent::PlainKey(range) => Some((text.get(range.clone())?, true)),
            _ => None,
        }
    }

    /// All bags with their places, in the file's order.
    pub(super) fn placed<'a>(&'a self, file: &'a [u8]) -> Vec<PlacedBag<'a>> {
        let safe = self.safe.bytes(file);
        let mut all = Vec::new();
        for (part, one) in self.parts.iter().enumerate() {
            let text = one.text.bytes(safe);
            all.extend(one.bags.iter().enumerate().map(|(position, bag)| PlacedBag { bag, part, position, text }));
        }
        all
    }

    /// The name of the protection that Java before 8u301 cannot read: of the first such part or key, else of the MAC.
    /// `None` if there is none.
    pub(super) fn needs_java_8u301(&self, file: &[u8]) -> Option<String> {
        let key = |one: &PlacedBag<'_>| match &one.bag.what {
            BagContent::SealedKey(range) => {
                one.text.get(range.clone()).and_then(|sealed| scheme::sealed_key(sealed).ok()).map(|(scheme, _)| scheme)
            }
            _ => None,
        };
        let parts = self.parts.iter().filter_map(|part| match &part.seal {
            PartProtection::Encrypted(scheme) => Some(scheme.clone()),
            PartProtection::Plain | PartProtection::Closed(_) => None,
        });
        let newer = parts.chain(self.placed(file).iter().filter_map(key)).find(Scheme::is_newer);
        newer.map(|scheme| scheme.name()).or_else(|| {
            let mac = self.mac.as_ref().filter(|mac| !mac.is_sha1())?;
            Some(format!("MAC {}", mac.name()))
        })
    }

    /// The protection of the file in words: the MAC, and each scheme once.
    pub(super) fn summary(&self) -> String {
        let mut words = Vec::new();
        for part in &self.parts {
            let word = match &part.seal {
                PartProtection::Plain => continue,
                PartProtection::Encrypted(scheme) => format!("encrypted by {}", scheme.name()),
                PartProtection::Closed(name) => format!("encrypted by {name}"),
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

    pub(super) fn is_encrypted(&self) -> bool {
        self.parts.iter().any(|part| !matches!(part.seal, PartProtection::Plain))
    }
}

/// The place of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BagPlace {
    /// A whole part that was not opened.
    Closed {
        /// The number of the part.
        part: usize,
    },
    /// A bag of a part.
    Bag {
        /// The number of the part.
        part: usize,
        /// The number of the bag in the part.
        position: usize,
    },
}

impl BagPlace {
    fn part(self) -> usize {
        match self {
            Self::Closed { part } | Self::Bag { part, .. } => part,
        }
    }
}
