//! SafeBags (RFC 7292 §4.2). The module reads the kind, name and attributes of a bag, makes new bags, and changes
//! single attributes of a bag. It never decrypts the content of a bag.

use std::ops::Range;

use crate::der::{self, DerError, DerReader, Tlv, encode};
use crate::intern::{CertificateSlot, Interner};

const BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1];
const KEY: u8 = 1;
const SHROUDED_KEY: u8 = 2;
const CERTIFICATE: u8 = 3;
const CRL: u8 = 4;
const SECRET: u8 = 5;
const NESTED: u8 = 6;
const PKCS9: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9];
const FRIENDLY_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 20];
const LOCAL_KEY_ID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 21];
const X509: &[u8] = &[22, 1];
/// Oracle's 2.16.840.1.113894.746875.1.1: the purposes for which the JDK trusts the certificate.
const TRUSTED_KEY_USAGE: &[u8] = &[0x60, 0x86, 0x48, 1, 0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 1, 1];
/// anyExtendedKeyUsage (RFC 5280 §4.2.1.12).
const ANY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0];
const BMP_STRING: u8 = 0x1e;

/// The content of a bag.
#[derive(Debug, Clone)]
pub(super) enum BagContent {
    /// A protected key: the place of its EncryptedPrivateKeyInfo in the text.
    SealedKey(Range<usize>),
    /// A key in the clear: the place of its PrivateKeyInfo in the text.
    PlainKey(Range<usize>),
    /// An X.509 certificate.
    Certificate(CertificateSlot),
    /// A protected secret key or password. It is never opened.
    Secret,
    /// Any other content; the text names it.
    Other(String),
    /// A certificate of another kind. The JDK refuses the whole store because of it.
    ForeignCertificate(String),
}

/// The friendly name of a bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FriendlyName {
    pub(super) text: String,
    /// Whether half a surrogate pair or half a character was replaced.
    pub(super) lossy: bool,
    /// Whether the name is not a BMPString, so that the JDK refuses it.
    pub(super) foreign: bool,
}

/// The facts that were read from a bag. The bytes of the bag stay in the text of its part.
#[derive(Debug, Clone)]
pub(super) struct Bag {
    /// The place of the bag in the text of its part.
    pub(super) range: Range<usize>,
    pub(super) what: BagContent,
    pub(super) name: Option<FriendlyName>,
    pub(super) key_id: Option<Vec<u8>>,
    /// Whether the bag has Oracle's attribute.
    pub(super) trusted: bool,
}

impl Bag {
    /// Reads one SafeBag.
    pub(super) fn read(element: &Tlv<'_>, certificates: &Interner) -> Result<Self, DerError> {
        let mut fields = element.inner();
        let oid = fields.expect(der::OID)?.body;
        let wrapped = fields.expect(der::CONTEXT_0)?;
        let what = content(oid, &wrapped, certificates)?;
        let mut bag =
            Self { range: element.at..element.at + element.raw.len(), what, name: None, key_id: None, trusted: false };
        if let Some(set) = fields.optional(der::SET)? {
            let mut attributes = set.inner();
            while !attributes.is_empty() {
                bag.attribute(&attributes.expect(der::SEQUENCE)?)?;
            }
        }
        fields.end()?;
        Ok(bag)
    }

    /// Reads one attribute. Of several attributes of one kind the last counts, as for the JDK.
    fn attribute(&mut self, attribute: &Tlv<'_>) -> Result<(), DerError> {
        let mut fields = attribute.inner();
        let oid = fields.expect(der::OID)?.body;
        let values = fields.expect(der::SET)?;
        fields.end()?;
        let Some(first) = (if values.body.is_empty() { None } else { Some(values.inner().next()?) }) else {
            return Ok(());
        };
        match oid {
            FRIENDLY_NAME => self.name = Some(friendly(&first)?),
            LOCAL_KEY_ID => self.key_id = Some(first.octets()?.into_owned()),
            TRUSTED_KEY_USAGE => self.trusted = true,
            _ => {}
        }
        Ok(())
    }

    /// The creation date, which the JDK writes into the localKeyId of keys as `Time <ms>`.
    pub(super) fn created_ms(&self) -> Option<i64> {
        let text = std::str::from_utf8(self.key_id.as_deref()?).ok()?;
        text.strip_prefix("Time ")?.parse().ok()
    }

    /// The certificate, if the bag holds one.
    pub(super) fn certificate(&self) -> Option<&CertificateSlot> {
        match &self.what {
            BagContent::Certificate(slot) => Some(slot),
            _ => None,
        }
    }
}

fn content(oid: &[u8], wrapped: &Tlv<'_>, certificates: &Interner) -> Result<BagContent, DerError> {
    let inner = || wrapped.inner().next();
    let here = |element: &Tlv<'_>| element.at..element.at + element.raw.len();
    Ok(match oid.strip_prefix(BAG) {
        Some([KEY]) => BagContent::PlainKey(here(&inner()?)),
        Some([SHROUDED_KEY]) => BagContent::SealedKey(here(&inner()?)),
        Some([CERTIFICATE]) => {
            let mut fields = inner()?.inner();
            let kind = fields.expect(der::OID)?.body;
            let value = fields.expect(der::CONTEXT_0)?.inner().next()?;
            match kind.strip_prefix(PKCS9) {
                Some(X509) => BagContent::Certificate(certificates.intern(&value.octets()?)),
                _ => {
                    let kind = der::dotted(kind).unwrap_or_else(|| "unreadable".to_owned());
                    BagContent::ForeignCertificate(kind)
                }
            }
        }
        Some([CRL]) => BagContent::Other("a certificate revocation list".to_owned()),
        Some([SECRET]) => BagContent::Secret,
        Some([NESTED]) => BagContent::Other(nested(&inner()?)),
        _ => {
            let oid = der::dotted(oid).unwrap_or_else(|| "an unreadable identifier".to_owned());
            BagContent::Other(format!("a bag of the unknown kind {oid}"))
        }
    })
}

/// Describes nested SafeContents, one level deep. Only OpenSSL reads further levels.
fn nested(contents: &Tlv<'_>) -> String {
    let mut bags = contents.inner();
    let (mut keys, mut certificates, mut others) = (0u32, 0u32, 0u32);
    while let Ok(bag) = bags.next() {
        match bag.inner().expect(der::OID).map(|oid| oid.body.strip_prefix(BAG)) {
            Ok(Some([KEY | SHROUDED_KEY])) => keys += 1,
            Ok(Some([CERTIFICATE])) => certificates += 1,
            _ => others += 1,
        }
    }
    format!("nested bags, into which no JVM looks (certificates: {certificates}, keys: {keys}, others: {others})")
}

fn friendly(value: &Tlv<'_>) -> Result<FriendlyName, DerError> {
    if value.tag != BMP_STRING {
        let text = String::from_utf8_lossy(value.body).into_owned();
        return Ok(FriendlyName { text, lossy: false, foreign: true });
    }
    let mut lossy = !value.body.len().is_multiple_of(2);
    let units = value
        .body
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair.first().copied().unwrap_or(0), pair.last().copied().unwrap_or(0)]));
    let text = char::decode_utf16(units)
        .map(|unit| {
            unit.unwrap_or_else(|_| {
                lossy = true;
                char::REPLACEMENT_CHARACTER
            })
        })
        .collect();
    Ok(FriendlyName { text, lossy, foreign: false })
}

/// The changes to a bag's attributes. An attribute that is not named stays unchanged.
#[derive(Debug, Clone, Default)]
pub(super) struct AttributeChange<'a> {
    /// The change to the friendly name: a new one, or its removal.
    pub(super) name: Option<Option<&'a str>>,
    /// The change to the localKeyId: a new one, or its removal.
    pub(super) key_id: Option<Option<&'a [u8]>>,
    /// Whether Oracle's attribute is removed.
    pub(super) distrust: bool,
}

/// The bag with other attributes. Its contents, and the attributes that are not named, keep their bytes and their
/// order.
pub(super) fn with_attributes(raw: &[u8], next: &AttributeChange<'_>) -> Result<Vec<u8>, DerError> {
    let mut fields = DerReader::ber(raw).expect(der::SEQUENCE)?.inner();
    let oid = fields.expect(der::OID)?;
    let value = fields.expect(der::CONTEXT_0)?;
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let (mut name, mut key_id) = (next.name, next.key_id);
    if let Some(set) = fields.optional(der::SET)? {
        let mut attributes = set.inner();
        while !attributes.is_empty() {
            let attribute = attributes.expect(der::SEQUENCE)?;
            match attribute.inner().expect(der::OID)?.body {
                // The new value takes the place of the old one.
                FRIENDLY_NAME if next.name.is_some() => kept.extend(name.take().flatten().map(name_attribute)),
                LOCAL_KEY_ID if next.key_id.is_some() => kept.extend(key_id.take().flatten().map(key_attribute)),
                TRUSTED_KEY_USAGE if next.distrust => {}
                _ => kept.push(attribute.raw.to_vec()),
            }
        }
    }
    kept.extend(name.flatten().map(name_attribute));
    kept.extend(key_id.flatten().map(key_attribute));
    let mut parts = vec![oid.raw.to_vec(), value.raw.to_vec()];
    if !kept.is_empty() {
        parts.push(encode(der::SET, &kept.concat()));
    }
    Ok(encode(der::SEQUENCE, &parts.concat()))
}

/// A trusted certificate, as the JDK writes it.
pub(super) fn trusted(certificate: &[u8], name: &str) -> Vec<u8> {
    let usage = attribute(TRUSTED_KEY_USAGE, &encode(der::OID, ANY_USAGE));
    bag(CERTIFICATE, &certificate_value(certificate), &[name_attribute(name), usage])
}

/// A certificate of a key's chain. The leaf has the name and the localKeyId of its key.
pub(super) fn chained(certificate: &[u8], name: &str, key_id: Option<&[u8]>) -> Vec<u8> {
    let mut attributes = vec![name_attribute(name)];
    attributes.extend(key_id.map(key_attribute));
    bag(CERTIFICATE, &certificate_value(certificate), &attributes)
}

/// A protected key; `sealed` is its EncryptedPrivateKeyInfo.
pub(super) fn sealed_key(sealed: &[u8], name: &str, key_id: &[u8]) -> Vec<u8> {
    bag(SHROUDED_KEY, sealed, &[name_attribute(name), key_attribute(key_id)])
}

/// The bag of another protected key in the place of this one. All attributes stay except the localKeyId.
pub(super) fn with_sealed_key(raw: &[u8], sealed: &[u8], key_id: &[u8]) -> Result<Vec<u8>, DerError> {
    let mut fields = DerReader::ber(raw).expect(der::SEQUENCE)?.inner();
    fields.expect(der::OID)?;
    fields.expect(der::CONTEXT_0)?;
    let oid = encode(der::OID, &[BAG, &[SHROUDED_KEY]].concat());
    let mut parts = vec![oid, encode(der::CONTEXT_0, sealed)];
    parts.extend(fields.optional(der::SET)?.map(|set| set.raw.to_vec()));
    let bag = encode(der::SEQUENCE, &parts.concat());
    with_attributes(&bag, &AttributeChange { key_id: Some(Some(key_id)), ..AttributeChange::default() })
}

fn certificate_value(certificate: &[u8]) -> Vec<u8> {
    let value = encode(der::CONTEXT_0, &encode(der::OCTET_STRING, certificate));
    encode(der::SEQUENCE, &[encode(der::OID, &[PKCS9, X509].concat()), value].concat())
}

fn bag(kind: u8, value: &[u8], attributes: &[Vec<u8>]) -> Vec<u8> {
    let oid = encode(der::OID, &[BAG, &[kind]].concat());
    let parts = [oid, encode(der::CONTEXT_0, value), encode(der::SET, &attributes.concat())];
    encode(der::SEQUENCE, &parts.concat())
}

fn attribute(oid: &[u8], value: &[u8]) -> Vec<u8> {
    encode(der::SEQUENCE, &[encode(der::OID, oid), encode(der::SET, value)].concat())
}

fn name_attribute(name: &str) -> Vec<u8> {
    // Characters beyond the BMP become surrogate pairs, as the JDK writes and reads them.
    let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
    attribute(FRIENDLY_NAME, &encode(BMP_STRING, &units))
}

fn key_attribute(key_id: &[u8]) -> Vec<u8> {
    attribute(LOCAL_KEY_ID, &encode(der::OCTET_STRING, key_id))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read(raw: &[u8]) -> Bag {
        Bag::read(&DerReader::ber(raw).next().unwrap(), &Interner::new()).unwrap()
    }

    #[test]
    fn attributes_change_one_by_one_and_in_their_place() {
        let extra = attribute(&[0x2b, 6, 1], &encode(der::INTEGER, &[7]));
        let attributes = [extra.clone(), name_attribute("zürich-日本-😀"), key_attribute(b"Time 12")];
        let raw = bag(SHROUDED_KEY, &encode(der::SEQUENCE, &[]), &attributes);
        let before = read(&raw);
        assert_eq!(before.name.as_ref().unwrap().text, "zürich-日本-😀");
        assert_eq!(before.created_ms(), Some(12));
        assert_eq!(with_attributes(&raw, &AttributeChange::default()).unwrap(), raw);
        let renamed =
            with_attributes(&raw, &AttributeChange { name: Some(Some("new")), ..AttributeChange::default() }).unwrap();
        let wanted = [extra.clone(), name_attribute("new"), key_attribute(b"Time 12")];
        assert_eq!(renamed, bag(SHROUDED_KEY, &encode(der::SEQUENCE, &[]), &wanted));
        let bare = AttributeChange { name: Some(None), key_id: Some(None), distrust: true };
        let bare = with_attributes(&raw, &bare).unwrap();
        assert_eq!(bare, bag(SHROUDED_KEY, &encode(der::SEQUENCE, &[]), &[extra]));
    }

    #[test]
    fn names_that_are_no_text_are_shown_and_marked() {
        let raw = |value: &[u8]| bag(SHROUDED_KEY, &encode(der::SEQUENCE, &[]), &[attribute(FRIENDLY_NAME, value)]);
        let name = read(&raw(&encode(BMP_STRING, &[0, b'a', 0xd8, 0x3d]))).name.unwrap();
        assert_eq!(name, FriendlyName { text: "a\u{fffd}".to_owned(), lossy: true, foreign: false });
        let name = read(&raw(&encode(0x0c, "ä".as_bytes()))).name.unwrap();
        assert_eq!(name, FriendlyName { text: "ä".to_owned(), lossy: false, foreign: true });
    }
}
