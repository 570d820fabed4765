//! The protection of a PKCS#12 file. The module reads which schemes a file uses, so that an edit keeps them, and offers
//! two sets of schemes for a new file. It never encrypts anything itself.

use super::bag::{Bag, BagContent};
use super::mac::Mac;
use super::pfx::{PartProtection, Pfx};
use super::scheme::{Scheme, sealed_key};

/// The schemes that protect the keys, the certificates and the whole of a PKCS#12 file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    pub(super) key: Scheme,
    /// The scheme for certificates; `None` if they are in the clear.
    pub(super) certificates: Option<Scheme>,
    pub(super) mac: MacChoice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MacChoice {
    None,
    Java8,
    Modern,
}

impl Protection {
    /// The protection that every JRE reads, also those before 8u301: Triple DES and SHA-1 with the rounds of the JDK's
    /// legacy mode (`keystore.pkcs12.legacy`). It is the default for products with an old JRE.
    #[must_use]
    pub fn java8() -> Self {
        Self { key: Scheme::java8(), certificates: Some(Scheme::java8()), mac: MacChoice::Java8 }
    }

    /// The protection that JDK 17 writes: AES-256 and HMAC-SHA-256 with 10,000 rounds.
    #[must_use]
    pub fn modern() -> Self {
        Self { key: Scheme::modern(), certificates: Some(Scheme::modern()), mac: MacChoice::Modern }
    }

    pub(super) fn mac(&self) -> Option<Mac> {
        match self.mac {
            MacChoice::None => None,
            MacChoice::Java8 => Some(Mac::java8()),
            MacChoice::Modern => Some(Mac::modern()),
        }
    }

    /// The protection of an existing file, so that new entries are protected like the others.
    pub(super) fn of(pfx: &Pfx, file: &[u8]) -> Self {
        let standard = match &pfx.mac {
            Some(mac) if mac.is_sha1() => Self::java8(),
            Some(_) | None => Self::modern(),
        };
        let certificates = pfx.parts.iter().rev().find_map(|part| match &part.seal {
            PartProtection::Encrypted(scheme) => Some(scheme.plan()),
            PartProtection::Plain | PartProtection::Closed(_) => None,
        });
        let safe = pfx.safe.bytes(file);
        let key = pfx.parts.iter().rev().find_map(|part| {
            let text = part.text.bytes(safe);
            part.bags.iter().rev().find_map(|bag| match &bag.what {
                BagContent::SealedKey(range) => Some(sealed_key(text.get(range.clone())?).ok()?.0.plan()),
                _ => None,
            })
        });
        let in_the_clear = certificates.is_none() && (pfx.mac.is_none() || has_plain_certificates(pfx));
        let mac = match &pfx.mac {
            None => MacChoice::None,
            Some(mac) if mac.is_sha1() => MacChoice::Java8,
            Some(_) => MacChoice::Modern,
        };
        Self {
            key: key.or_else(|| certificates.clone()).unwrap_or(standard.key),
            certificates: if in_the_clear { None } else { certificates.or(standard.certificates) },
            mac,
        }
    }
}

fn has_plain_certificates(pfx: &Pfx) -> bool {
    let plain = |bag: &Bag| matches!(bag.what, BagContent::Certificate(_));
    pfx.parts.iter().any(|part| matches!(part.seal, PartProtection::Plain) && part.bags.iter().any(plain))
}
